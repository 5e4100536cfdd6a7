/* storage/sqlite/inbox.c: see inbox.h. One mutex; whoever waits, waits for a condition under it. */
#include "storage/sqlite/inbox.h"
#include <time.h>

#define ITEMS_WAITING_MAX 512 /* about 2 MB of blocks between the indexer and the disk */
#define ITEMS_READY 64        /* without operations to go with: a transaction's worth */

void sdb_op_list_init(sdb_op_list *list) {
  list->first = NULL;
  list->end = &list->first;
  list->count = 0;
}

void sdb_op_list_add(sdb_op_list *list, sdb_op *op) {
  op->next = NULL;
  *list->end = op;
  list->end = &op->next;
  list->count++;
}

void sdb_op_list_move(sdb_op_list *to, sdb_op_list *from) {
  if (from->count == 0) return;
  *to->end = from->first;
  to->end = from->end;
  to->count += from->count;
  sdb_op_list_init(from);
}

sdb_op *sdb_op_list_take(sdb_op_list *list) {
  SDB_ASSERT(list->count > 0);
  sdb_op *op = list->first;
  list->first = op->next;
  if (--list->count == 0) list->end = &list->first;
  return op;
}

void sdb_index_item_free(const sdb_mem *mem, sdb_index_item *item) {
  sdb_mem_free(mem, item->filter);
  sdb_mem_free(mem, item);
}

sdb_status sdb_inbox_init(sdb_inbox *inbox, const sdb_mem *mem, bool waits) {
  memset(inbox, 0, sizeof(*inbox));
  inbox->waits = waits;
  inbox->items_end = &inbox->items;
  sdb_op_list_init(&inbox->ops);
  if (pthread_mutex_init(&inbox->mutex, NULL) != 0) return SDB_NO_MEMORY;
  if (pthread_cond_init(&inbox->work, NULL) == 0) {
    if (pthread_cond_init(&inbox->settled, NULL) == 0) {
      inbox->mem = mem;
      return SDB_OK;
    }
    pthread_cond_destroy(&inbox->work);
  }
  pthread_mutex_destroy(&inbox->mutex);
  return SDB_NO_MEMORY;
}

void sdb_inbox_free(sdb_inbox *inbox) {
  if (!inbox->mem) return;
  SDB_ASSERT(inbox->ops.count == 0);
  for (sdb_index_item *item = inbox->items, *next; item; item = next) {
    next = item->next;
    sdb_index_item_free(inbox->mem, item);
  }
  pthread_cond_destroy(&inbox->settled);
  pthread_cond_destroy(&inbox->work);
  pthread_mutex_destroy(&inbox->mutex);
}

void sdb_inbox_submit(sdb_inbox *inbox, sdb_op_list *ops) {
  pthread_mutex_lock(&inbox->mutex);
  SDB_ASSERT(!inbox->closing);
  bool was_empty = inbox->ops.count == 0;
  sdb_op_list_move(&inbox->ops, ops);
  if (was_empty) pthread_cond_signal(&inbox->work);
  pthread_mutex_unlock(&inbox->mutex);
}

static void set_flag(sdb_inbox *inbox, bool *flag) {
  pthread_mutex_lock(&inbox->mutex);
  *flag = true;
  pthread_cond_signal(&inbox->work);
  pthread_cond_broadcast(&inbox->settled);
  pthread_mutex_unlock(&inbox->mutex);
}

void sdb_inbox_ask_checkpoint(sdb_inbox *inbox) {
  set_flag(inbox, &inbox->finish_checkpoint);
}

void sdb_inbox_close(sdb_inbox *inbox) {
  set_flag(inbox, &inbox->closing);
}

void sdb_inbox_stop_indexer(sdb_inbox *inbox) {
  set_flag(inbox, &inbox->indexer_stop);
}

bool sdb_inbox_put_item(sdb_inbox *inbox, sdb_index_item *item) {
  pthread_mutex_lock(&inbox->mutex);
  while (inbox->waits && inbox->items_waiting >= ITEMS_WAITING_MAX && !inbox->indexer_stop)
    pthread_cond_wait(&inbox->settled, &inbox->mutex);
  bool put = !inbox->indexer_stop;
  if (put) {
    item->next = NULL;
    *inbox->items_end = item;
    inbox->items_end = &item->next;
    inbox->items_waiting++;
    inbox->items_count++;
    bool ready = inbox->items_count >= ITEMS_READY || item->kind == SDB_INDEX_END ||
                 item->kind == SDB_INDEX_FILTER;
    if (ready && !inbox->items_ready) pthread_cond_signal(&inbox->work);
    inbox->items_ready |= ready;
  }
  pthread_mutex_unlock(&inbox->mutex);
  return put;
}

sdb_status sdb_inbox_await_ended(sdb_inbox *inbox, uint64_t ended) {
  pthread_mutex_lock(&inbox->mutex);
  while (inbox->waits && inbox->ended < ended && !inbox->indexer_stop)
    pthread_cond_wait(&inbox->settled, &inbox->mutex);
  sdb_status status = inbox->indexer_stop ? SDB_CLOSED : SDB_BUSY;
  if (inbox->ended >= ended) status = SDB_OK;
  pthread_mutex_unlock(&inbox->mutex);
  return status;
}

bool sdb_inbox_await_index_work(sdb_inbox *inbox) {
  pthread_mutex_lock(&inbox->mutex);
  while (!inbox->index_work && !inbox->indexer_stop)
    pthread_cond_wait(&inbox->settled, &inbox->mutex);
  inbox->index_work = false;
  bool stops = inbox->indexer_stop;
  pthread_mutex_unlock(&inbox->mutex);
  return !stops;
}

void sdb_inbox_wake_indexer(sdb_inbox *inbox) {
  set_flag(inbox, &inbox->index_work);
}

bool sdb_inbox_has_work(sdb_inbox *inbox) {
  pthread_mutex_lock(&inbox->mutex);
  bool has = inbox->ops.count > 0 || inbox->items_count > 0 || inbox->finish_checkpoint;
  pthread_mutex_unlock(&inbox->mutex);
  return has;
}

static bool has_work(const sdb_inbox *inbox) {
  return inbox->ops.count > 0 || inbox->items_ready || inbox->finish_checkpoint || inbox->closing;
}

static void await_work(sdb_inbox *inbox, sdb_inbox_wait wait) {
  if (!inbox->waits) return;
  if (wait == SDB_INBOX_WAIT_BRIEFLY) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!has_work(inbox)) {
      if (pthread_cond_timedwait(&inbox->work, &inbox->mutex, &until) != 0) return;
    }
  }
  while (wait == SDB_INBOX_WAIT && !has_work(inbox))
    pthread_cond_wait(&inbox->work, &inbox->mutex);
}

void sdb_inbox_take(sdb_inbox *inbox, sdb_inbox_wait wait, sdb_inbox_work *work) {
  pthread_mutex_lock(&inbox->mutex);
  await_work(inbox, wait);
  sdb_op_list_move(&work->ops, &inbox->ops);
  work->items = inbox->items;
  inbox->items = NULL;
  inbox->items_end = &inbox->items;
  inbox->items_count = 0;
  inbox->items_ready = false;
  work->finish_checkpoint = inbox->finish_checkpoint;
  inbox->finish_checkpoint = false;
  work->closing = inbox->closing;
  pthread_mutex_unlock(&inbox->mutex);
}

void sdb_inbox_settle(sdb_inbox *inbox, size_t count, uint64_t ended) {
  pthread_mutex_lock(&inbox->mutex);
  SDB_ASSERT(inbox->items_waiting >= count);
  inbox->items_waiting -= count;
  inbox->ended += ended;
  pthread_cond_broadcast(&inbox->settled);
  pthread_mutex_unlock(&inbox->mutex);
}
