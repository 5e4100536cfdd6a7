/* storage/memory/memory_storage.c: the queue of the memory storage and its group commits.
 *
 * A run is one transaction. One that is to fail is carried out on a copy of the state that is
 * thrown away, so that guards see what they would see; only the seqs it gave stay given.
 */
#include "storage/memory/memory_storage.h"
#include "base/planted.h"
#include "storage/memory/state.h"

struct sdb_memory_storage {
  const sdb_mem *mem;
  sdb_storage_sink sink;
  sdb_storage_port port;
  uint64_t remember_removes_ms, dedupe_window_ms;
  sdb_memory_state state;
  sdb_op *first, **last; /* the queue: `last` is where the next operation is linked in */
  size_t queued;
  unsigned commits_to_fail;
  sdb_storage_stats stats;
  sdb_store_type types[]; /* one a store */
};

static void submit(void *self, sdb_op *list) {
  sdb_memory_storage *storage = self;
  *storage->last = list;
  for (; list; list = list->next) {
    storage->last = &list->next;
    storage->queued++;
  }
}

static void get_stats(void *self, sdb_storage_stats *stats) {
  *stats = ((sdb_memory_storage *)self)->stats;
}

void sdb_memory_storage_options_init(sdb_memory_storage_options *options) {
  memset(options, 0, sizeof(*options));
  options->remember_removes_ms = SDB_REMEMBER_REMOVES_MS_DEFAULT;
  options->dedupe_window_ms = SDB_DEDUPE_WINDOW_MS_DEFAULT;
}

sdb_status sdb_memory_storage_create(
    const sdb_memory_storage_options *options, sdb_memory_storage **storage) {
  SDB_ASSERT(options->stores_count < SDB_STORE_ANY && !sdb_uuid_is_nil(options->database));
  sdb_memory_storage *made =
      sdb_mem_zero(options->mem, sizeof(*made) + options->stores_count * sizeof(made->types[0]));
  if (!made) return SDB_NO_MEMORY;
  made->mem = options->mem;
  made->sink = options->sink;
  sdb_uuid epoch = sdb_uuid_is_nil(options->epoch) ? options->database : options->epoch;
  made->port = (sdb_storage_port){1, made, options->database, epoch, submit, get_stats};
  made->remember_removes_ms = options->remember_removes_ms;
  made->dedupe_window_ms = options->dedupe_window_ms;
  for (size_t i = 0; i < options->stores_count; i++)
    made->types[i] = options->stores[i].type;
  made->state.mem = options->mem;
  made->state.types = made->types;
  made->state.stores_count = options->stores_count;
  made->last = &made->first;
  *storage = made;
  return SDB_OK;
}

sdb_status sdb_memory_storage_copy(
    const sdb_memory_storage *from, sdb_uuid epoch, sdb_memory_storage **copy) {
  size_t types_size = from->state.stores_count * sizeof(from->types[0]);
  sdb_memory_storage *made = sdb_mem_zero(from->mem, sizeof(*made) + types_size);
  if (!made) return SDB_NO_MEMORY;
  if (!sdb_memory_state_copy(&made->state, &from->state)) {
    sdb_mem_free(from->mem, made);
    return SDB_NO_MEMORY;
  }
  made->mem = from->mem;
  made->sink = from->sink;
  made->port = from->port;
  made->port.self = made;
  made->port.epoch = epoch;
  made->remember_removes_ms = from->remember_removes_ms;
  made->dedupe_window_ms = from->dedupe_window_ms;
  if (types_size > 0) memcpy(made->types, from->types, types_size);
  made->state.types = made->types;
  made->last = &made->first;
  *copy = made;
  return SDB_OK;
}

void sdb_memory_storage_destroy(sdb_memory_storage *storage) {
  if (!storage) return;
  SDB_ASSERT(storage->queued == 0);
  sdb_memory_state_free(&storage->state);
  sdb_mem_free(storage->mem, storage);
}

const sdb_storage_port *sdb_memory_storage_port(sdb_memory_storage *storage) {
  return &storage->port;
}

size_t sdb_memory_storage_queued(const sdb_memory_storage *storage) {
  return storage->queued;
}

void sdb_memory_storage_fail_commits(sdb_memory_storage *storage, unsigned commits) {
  storage->commits_to_fail = commits;
}

static void carry_out_user(sdb_memory_state *state, sdb_op_user *op) {
  op->user = sdb_memory_state_user(state, op->name);
  if (op->user)
    sdb_memory_state_head(state, op);
  else
    op->op.status = SDB_UNAVAILABLE;
}

static void carry_out(sdb_memory_storage *storage, sdb_memory_state *state, sdb_op *op) {
  switch (op->kind) {
  case SDB_OP_USER:
    carry_out_user(state, SDB_CONTAINER_OF(op, sdb_op_user, op));
    return;
  case SDB_OP_WRITE: {
    sdb_op_write *write = SDB_CONTAINER_OF(op, sdb_op_write, op);
    sdb_memory_state_expire(
        state, write->now_ms, storage->remember_removes_ms, storage->dedupe_window_ms);
    sdb_memory_state_write(state, write);
    return;
  }
  case SDB_OP_PAGE: {
    sdb_op_page *page = SDB_CONTAINER_OF(op, sdb_op_page, op);
    sdb_memory_state_page(state, page);
    storage->stats.pages_read++;
    storage->stats.events_read += page->count;
    return;
  }
  case SDB_OP_OBJECT:
    sdb_memory_state_object(state, SDB_CONTAINER_OF(op, sdb_op_object, op));
    return;
  case SDB_OP_RESERVE:
    sdb_memory_state_reserve(state, SDB_CONTAINER_OF(op, sdb_op_reserve, op));
    return;
  }
  SDB_UNREACHABLE();
}

/* Whether the operation needs the transaction to succeed: a write, or a user that is new. */
static bool needs_commit(const sdb_memory_state *committed, const sdb_op *op) {
  if (op->kind == SDB_OP_WRITE) return true;
  if (op->kind != SDB_OP_USER) return false;
  return SDB_CONTAINER_OF(op, sdb_op_user, op)->user > committed->users.count;
}

static void count_commit(sdb_storage_stats *stats, size_t writes) {
  static const size_t BOUNDS[] = {1, 4, 16, 64, 256, 1024, 4096};
  size_t bucket = 0;
  while (bucket < SDB_COUNT_OF(BOUNDS) && writes > BOUNDS[bucket])
    bucket++;
  stats->commits++;
  stats->writes += writes;
  stats->commit_size_buckets[bucket]++;
  stats->commit_time_buckets[0]++;
}

/* Takes the first `count` operations out of the queue, as a list of their own. */
static sdb_op *take(sdb_memory_storage *storage, size_t count) {
  sdb_op *list = storage->first, **end = &list;
  for (size_t i = 0; i < count; i++)
    end = &(*end)->next;
  storage->first = *end;
  if (!storage->first) storage->last = &storage->first;
  *end = NULL;
  storage->queued -= count;
  return list;
}

static size_t count_writes(const sdb_op *list) {
  size_t writes = 0;
  for (; list; list = list->next)
    writes += list->kind == SDB_OP_WRITE;
  return writes;
}

static bool is_read(const sdb_op *op) {
  return op->kind == SDB_OP_PAGE || op->kind == SDB_OP_OBJECT;
}

/* Reads see what is committed: never what the transaction would have made of it. */
static void run_to_fail(sdb_memory_storage *storage, sdb_op *list) {
  sdb_memory_state copy;
  bool copied = sdb_memory_state_copy(&copy, &storage->state);
  storage->commits_to_fail--;
  storage->stats.commits_failed++;
  for (sdb_op *op = list; op; op = op->next) {
    if (copied) carry_out(storage, is_read(op) ? &storage->state : &copy, op);
    if (copied && !needs_commit(&storage->state, op)) continue;
    op->status = SDB_UNAVAILABLE;
    if (op->kind == SDB_OP_WRITE) SDB_CONTAINER_OF(op, sdb_op_write, op)->duplicate = false;
  }
  if (!copied) return;
  if (!SDB_PLANTED(SEQ_OF_FAILED_AGAIN)) storage->state.last = copy.last;
  sdb_memory_state_free(&copy);
}

size_t sdb_memory_storage_run_some(sdb_memory_storage *storage, size_t count) {
  if (count > storage->queued) count = storage->queued;
  if (count == 0) return 0;
  sdb_op *list = take(storage, count);
  size_t writes = count_writes(list);
  if (writes > 0 && storage->commits_to_fail > 0) {
    run_to_fail(storage, list);
  } else {
    for (sdb_op *op = list; op; op = op->next)
      carry_out(storage, &storage->state, op);
    if (writes > 0) count_commit(&storage->stats, writes);
  }
  storage->sink.completed(storage->sink.context, list);
  return count;
}

size_t sdb_memory_storage_run(sdb_memory_storage *storage) {
  return sdb_memory_storage_run_some(storage, storage->queued);
}
