/* client/feed.c: see feed.h.
 *
 * Invariant: a store whose `reset` is set has no batch. A batch is added to only while it is the
 * last one of its store and no watch was added since it was begun.
 */
#include "client/feed.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

sdb_status sdb_feed_init(
    sdb_feed *feed, const sdb_mem *mem, sdb_store *const *stores, bool with_fd) {
  memset(feed, 0, sizeof(*feed));
  feed->mem = mem;
  feed->stores = stores;
  feed->fd = -1;
  pthread_mutex_init(&feed->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&feed->quiet, &attributes);
  pthread_condattr_destroy(&attributes);
  if (!with_fd) return SDB_OK;
  feed->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return feed->fd < 0 ? SDB_IO : SDB_OK;
}

static void free_batch(const sdb_feed *feed, sdb_feed_batch *batch) {
  sdb_arena_free(&batch->arena);
  sdb_mem_free(feed->mem, batch->changes);
  sdb_mem_free(feed->mem, batch);
}

void sdb_feed_destroy(sdb_feed *feed) {
  if (!feed->mem) return;
  while (feed->batches) {
    sdb_feed_batch *next = feed->batches->next;
    free_batch(feed, feed->batches);
    feed->batches = next;
  }
  while (feed->watches) {
    sdb_watch *next = feed->watches->next;
    sdb_mem_free(feed->mem, feed->watches);
    feed->watches = next;
  }
  if (feed->fd >= 0) close(feed->fd);
  pthread_cond_destroy(&feed->quiet);
  pthread_mutex_destroy(&feed->lock);
}

/* ---- putting in ---- */

static void signal_fd(sdb_feed *feed) {
  if (feed->fd < 0 || feed->signaled) return;
  feed->signaled = true;
  uint64_t one = 1;
  (void)!write(feed->fd, &one, sizeof(one));
}

void sdb_feed_signal(sdb_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  signal_fd(feed);
  pthread_mutex_unlock(&feed->lock);
}

static bool concerns(const sdb_feed *feed, const sdb_watch *watch, uint16_t store) {
  return !watch->ended && (!watch->store || watch->store == feed->stores[store]);
}

static bool is_watched(const sdb_feed *feed, uint16_t store) {
  for (const sdb_watch *watch = feed->watches; watch; watch = watch->next) {
    if (concerns(feed, watch, store)) return true;
  }
  return false;
}

static void uncount(sdb_feed *feed, const sdb_feed_batch *batch) {
  feed->count -= batch->count;
  feed->bytes -= batch->bytes;
}

static void collapse(sdb_feed *feed, uint16_t store) {
  for (sdb_feed_batch **at = &feed->batches; *at;) {
    sdb_feed_batch *batch = *at;
    if (batch->store != store) {
      at = &batch->next;
      continue;
    }
    *at = batch->next;
    uncount(feed, batch);
    free_batch(feed, batch);
  }
  feed->reset[store] = feed->any_reset = true;
}

/* The batch that a change of `store` goes into, or NULL: no memory. */
static sdb_feed_batch *open_batch(sdb_feed *feed, uint16_t store) {
  sdb_feed_batch **at = &feed->batches, *found = NULL;
  for (; *at; at = &(*at)->next) {
    if ((*at)->store == store && (*at)->generation == feed->generation) found = *at;
  }
  if (found) return found;
  sdb_feed_batch *batch = sdb_mem_zero(feed->mem, sizeof(*batch));
  if (!batch) return NULL;
  batch->store = store;
  batch->generation = feed->generation;
  sdb_arena_init(&batch->arena, feed->mem, 2 * (size_t)SDB_FEED_BYTES_MAX);
  *at = batch;
  return batch;
}

static bool make_room(const sdb_feed *feed, sdb_feed_batch *batch) {
  if (batch->count < batch->capacity) return true;
  size_t capacity = batch->capacity ? batch->capacity * 2 : 4;
  void *changes =
      sdb_mem_resize(feed->mem, batch->changes, sdb_mem_product(capacity, sizeof(*batch->changes)));
  if (!changes) return false;
  batch->changes = changes;
  batch->capacity = capacity;
  return true;
}

static bool copy_record(sdb_arena *arena, sdb_client_record *record) {
  if (record->error) {
    sdb_error *error = sdb_arena_alloc(arena, sizeof(*error));
    if (!error) return false;
    *error = *record->error;
    record->error = error;
  }
  if (record->object.size == 0) {
    record->object.data = NULL;
    return true;
  }
  record->object.data = sdb_arena_text(arena, record->object);
  return record->object.data != NULL;
}

static bool append(sdb_feed *feed, uint16_t store, const sdb_client_change *change) {
  const sdb_client_record *record = &change->record;
  size_t bytes = sizeof(*change) + record->object.size + (record->error ? sizeof(sdb_error) : 0);
  if (feed->count >= SDB_FEED_CHANGES_MAX || bytes > SDB_FEED_BYTES_MAX ||
      feed->bytes > SDB_FEED_BYTES_MAX - bytes)
    return false;
  sdb_feed_batch *batch = open_batch(feed, store);
  if (!batch || !make_room(feed, batch)) return false;
  sdb_client_change *copy = &batch->changes[batch->count];
  *copy = *change;
  if (!copy_record(&batch->arena, &copy->record)) return false;
  batch->count++;
  batch->bytes += bytes;
  feed->count++;
  feed->bytes += bytes;
  return true;
}

void sdb_feed_put(sdb_feed *feed, uint16_t store, const sdb_client_change *change) {
  pthread_mutex_lock(&feed->lock);
  if (is_watched(feed, store)) {
    bool reset = change->kind == SDB_CHANGE_RESET;
    if (!feed->reset[store] && (reset || !append(feed, store, change))) collapse(feed, store);
    signal_fd(feed);
  }
  pthread_mutex_unlock(&feed->lock);
}

bool sdb_feed_waits(sdb_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  bool waits = feed->batches || feed->any_reset;
  pthread_mutex_unlock(&feed->lock);
  return waits;
}

/* ---- delivering ---- */

bool sdb_feed_begin_delivery(sdb_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  bool mine = !feed->delivering;
  if (mine) {
    feed->delivering = true;
    feed->deliverer = pthread_self();
  }
  pthread_mutex_unlock(&feed->lock);
  return mine;
}

void sdb_feed_end_delivery(sdb_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  feed->delivering = false;
  pthread_mutex_unlock(&feed->lock);
}

static bool delivers_here(const sdb_feed *feed) {
  return feed->delivering && pthread_equal(feed->deliverer, pthread_self());
}

bool sdb_feed_delivers_here(sdb_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  bool here = delivers_here(feed);
  pthread_mutex_unlock(&feed->lock);
  return here;
}

static void unlink_and_free(sdb_feed *feed, sdb_watch *watch) {
  sdb_watch **at = &feed->watches;
  while (*at != watch)
    at = &(*at)->next;
  *at = watch->next;
  sdb_mem_free(feed->mem, watch);
}

/* Locked, but for the call itself. Gives the watch behind it. */
static sdb_watch *call_one(
    sdb_feed *feed, sdb_watch *watch, sdb_client *client, const sdb_client_changes *changes) {
  feed->running = watch;
  pthread_mutex_unlock(&feed->lock);
  watch->watch(watch->context, client, changes);
  pthread_mutex_lock(&feed->lock);
  feed->running = NULL;
  pthread_cond_broadcast(&feed->quiet);
  sdb_watch *next = watch->next;
  if (watch->orphan) unlink_and_free(feed, watch);
  return next;
}

static void call_all(sdb_feed *feed, sdb_client *client, uint16_t store, uint64_t generation,
    const sdb_client_change *list, size_t count) {
  sdb_client_changes changes = {sizeof(changes), feed->stores[store], count, list};
  pthread_mutex_lock(&feed->lock);
  sdb_watch *watch = feed->watches;
  while (watch) {
    if (concerns(feed, watch, store) && watch->generation <= generation)
      watch = call_one(feed, watch, client, &changes);
    else
      watch = watch->next;
  }
  pthread_mutex_unlock(&feed->lock);
}

void sdb_feed_call(sdb_feed *feed, sdb_client *client) {
  bool reset[SDB_REPLICA_STORES_MAX] = {false};
  pthread_mutex_lock(&feed->lock);
  sdb_feed_batch *batches = feed->batches;
  feed->batches = NULL;
  feed->count = feed->bytes = 0;
  bool any_reset = feed->any_reset;
  if (any_reset) memcpy(reset, feed->reset, sizeof(reset));
  memset(feed->reset, 0, sizeof(feed->reset));
  feed->any_reset = false;
  uint64_t generation = feed->generation, signals;
  if (feed->signaled) (void)!read(feed->fd, &signals, sizeof(signals));
  feed->signaled = false;
  pthread_mutex_unlock(&feed->lock);

  sdb_client_change again = {.kind = SDB_CHANGE_RESET};
  for (size_t i = 0; any_reset && i < SDB_REPLICA_STORES_MAX; i++) {
    if (reset[i]) call_all(feed, client, (uint16_t)i, generation, &again, 1);
  }
  while (batches) {
    sdb_feed_batch *next = batches->next;
    call_all(feed, client, batches->store, batches->generation, batches->changes, batches->count);
    free_batch(feed, batches);
    batches = next;
  }
}

/* ---- watches ---- */

void sdb_feed_close(sdb_feed *feed) {
  pthread_mutex_lock(&feed->lock);
  feed->closed = true;
  pthread_mutex_unlock(&feed->lock);
}

sdb_status sdb_feed_add(sdb_feed *feed, sdb_watch *watch) {
  pthread_mutex_lock(&feed->lock);
  sdb_status status = feed->closed ? SDB_CLOSED : SDB_OK;
  if (status == SDB_OK) {
    watch->generation = ++feed->generation;
    sdb_watch **at = &feed->watches;
    while (*at)
      at = &(*at)->next;
    *at = watch;
  }
  pthread_mutex_unlock(&feed->lock);
  return status;
}

/* Waits until it is not running. False: it still is. */
static bool wait_quiet(sdb_feed *feed, const sdb_watch *watch, uint64_t wait_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(wait_ms / 1000);
  until.tv_nsec += (long)(wait_ms % 1000 * 1000000);
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  int timed_out = 0;
  while (feed->running == watch && timed_out != ETIMEDOUT)
    timed_out = pthread_cond_timedwait(&feed->quiet, &feed->lock, &until);
  return feed->running != watch;
}

bool sdb_feed_drop(sdb_feed *feed, sdb_watch *watch, uint64_t wait_ms) {
  pthread_mutex_lock(&feed->lock);
  bool done = true;
  watch->ended = true;
  if (feed->running == watch && delivers_here(feed)) {
    watch->orphan = true;
  } else {
    done = wait_quiet(feed, watch, wait_ms);
    if (done) unlink_and_free(feed, watch);
  }
  pthread_mutex_unlock(&feed->lock);
  return done;
}
