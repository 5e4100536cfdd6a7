/* server/workers.c: see workers.h.
 *
 * Invariant: a lane is in the table while it has events; it is in the ready
 * list if and only if it has events and no worker holds it.
 */
#include "server/workers.h"
#include "server/context.h"
#include "server/state.h"

/* Out of memory is an answer here, not the end of the process. */
#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) sdb_mem_alloc(sdb_platform_mem(), (size))
#define uthash_free(pointer, size) sdb_mem_free(sdb_platform_mem(), (pointer))
#include <uthash.h>

typedef struct sdb_pending_event sdb_pending_event;
struct sdb_pending_event {
  sdb_pending_event *next;
  sdb_event event; /* slices and user point behind this struct, or into the lane */
  uint16_t store;
};

struct sdb_lane {
  UT_hash_handle hh;
  sdb_lane *next; /* in the ready list */
  sdb_pending_event *first, **last;
  size_t events;
  size_t user_size;
  char user[SDB_USER_NAME_MAX + 1];
};

struct sdb_subscription {
  sdb_subscription *next;
  uint16_t store;
  sdb_subscriber_fn subscriber;
  void *argument;
};

/* ---- adding ---- */

static sdb_lane *lane_of(sdb_workers *workers, sdb_slice user) {
  sdb_lane *lane;
  HASH_FIND(hh, workers->lanes, user.data, user.size, lane);
  if (lane) return lane;
  lane = sdb_mem_zero(workers->database->mem, sizeof(*lane));
  if (!lane) return NULL;
  lane->last = &lane->first;
  lane->user_size = user.size;
  memcpy(lane->user, user.data, user.size);
  HASH_ADD(hh, workers->lanes, user, user.size, lane);
  if (lane->hh.tbl) return lane;
  sdb_mem_free(workers->database->mem, lane);
  return NULL;
}

static void make_ready(sdb_workers *workers, sdb_lane *lane) {
  lane->next = NULL;
  *workers->last = lane;
  workers->last = &lane->next;
  pthread_cond_signal(&workers->ready);
}

static sdb_slice put(char **to, sdb_slice text) {
  sdb_slice copy = {*to, text.size};
  if (text.size) memcpy(*to, text.data, text.size);
  *to += text.size;
  return copy;
}

static sdb_pending_event *copy_event(sdb_workers *workers, const sdb_hub_output *output) {
  sdb_pending_event *pending = sdb_mem_alloc(
      workers->database->mem, sizeof(*pending) + output->row.object.size + output->previous.size);
  if (!pending) return NULL;
  char *text = (char *)(pending + 1);
  pending->next = NULL;
  pending->store = output->row.store;
  pending->event = (sdb_event){
      .size = sizeof(sdb_event),
      .action = output->action,
      .store = workers->database->stores[output->row.store],
      .id = output->row.id,
      .event_id = output->row.event_id,
      .client_id = output->row.client_id,
      .object = put(&text, output->row.object),
      .previous = put(&text, output->previous),
  };
  return pending;
}

bool sdb_workers_add(sdb_workers *workers, const sdb_hub_output *output) {
  sdb_pending_event *pending = copy_event(workers, output);
  if (!pending) return false;
  pthread_mutex_lock(&workers->lock);
  sdb_lane *lane = lane_of(workers, output->user);
  if (lane) {
    bool was_idle = !lane->first;
    pending->event.user = lane->user;
    *lane->last = pending;
    lane->last = &pending->next;
    lane->events++;
    workers->events++;
    if (was_idle) make_ready(workers, lane);
  }
  pthread_mutex_unlock(&workers->lock);
  if (!lane) sdb_mem_free(workers->database->mem, pending);
  return lane != NULL;
}

/* ---- working ---- */

static sdb_lane *take_lane(sdb_workers *workers) {
  while (!workers->first && !workers->closing)
    pthread_cond_wait(&workers->ready, &workers->lock);
  if (workers->closing) return NULL;
  sdb_lane *lane = workers->first;
  workers->first = lane->next;
  if (!workers->first) workers->last = &workers->first;
  return lane;
}

/* Frees the event that was handled; the lane goes on, or away if it is empty. */
static void end_event(sdb_workers *workers, sdb_lane *lane) {
  const sdb_mem *mem = workers->database->mem;
  sdb_pending_event *pending = lane->first;
  lane->first = pending->next;
  lane->events--;
  workers->events--;
  sdb_mem_free(mem, pending);
  if (lane->first) {
    make_ready(workers, lane);
  } else {
    SDB_ASSERT(lane->events == 0);
    HASH_DEL(workers->lanes, lane);
    sdb_mem_free(mem, lane);
  }
}

/* A subscription is only ever added, at the head: from the head seen under the lock on, the list
 * does not change. */
static void call_subscribers(
    sdb_workers *workers, const sdb_pending_event *pending, sdb_subscription *subscription) {
  sdb_database *database = workers->database;
  sdb_context *context = sdb_context_make(database, sdb_slice_of(pending->event.user));
  if (!context) {
    sdb_server_log(database, SDB_LOG_ERROR, "event_dropped",
        "out of memory: subscribers are not told of an event of %s", pending->event.user);
    return;
  }
  for (; subscription; subscription = subscription->next) {
    if (subscription->store == pending->store)
      subscription->subscriber(&pending->event, context, subscription->argument);
  }
  sdb_context_release(context);
}

static void *work(void *argument) {
  sdb_workers *workers = argument;
  pthread_mutex_lock(&workers->lock);
  sdb_lane *lane;
  while ((lane = take_lane(workers))) {
    sdb_pending_event *pending = lane->first;
    sdb_subscription *subscriptions = workers->subscriptions;
    pthread_mutex_unlock(&workers->lock);
    call_subscribers(workers, pending, subscriptions);
    pthread_mutex_lock(&workers->lock);
    end_event(workers, lane);
  }
  pthread_mutex_unlock(&workers->lock);
  return NULL;
}

/* ---- life ---- */

sdb_status sdb_workers_start(sdb_workers *workers, sdb_database *database, unsigned count) {
  SDB_ASSERT(count > 0 && count <= SDB_WORKERS_MAX);
  workers->database = database;
  workers->last = &workers->first;
  pthread_mutex_init(&workers->lock, NULL);
  pthread_cond_init(&workers->ready, NULL);
  for (unsigned i = 0; i < count; i++) {
    if (pthread_create(&workers->threads[i], NULL, work, workers) != 0) return SDB_NO_MEMORY;
    workers->threads_count++;
  }
  return SDB_OK;
}

static size_t drop_waiting(sdb_workers *workers) {
  const sdb_mem *mem = workers->database->mem;
  size_t dropped = 0;
  sdb_lane *lane, *next;
  HASH_ITER(hh, workers->lanes, lane, next) {
    while (lane->first) {
      sdb_pending_event *pending = lane->first;
      lane->first = pending->next;
      sdb_mem_free(mem, pending);
      dropped++;
    }
    HASH_DEL(workers->lanes, lane);
    sdb_mem_free(mem, lane);
  }
  return dropped;
}

size_t sdb_workers_stop(sdb_workers *workers) {
  pthread_mutex_lock(&workers->lock);
  workers->closing = true;
  pthread_cond_broadcast(&workers->ready);
  pthread_mutex_unlock(&workers->lock);
  for (unsigned i = 0; i < workers->threads_count; i++)
    pthread_join(workers->threads[i], NULL);
  workers->threads_count = 0;
  size_t dropped = drop_waiting(workers);
  workers->first = NULL;
  workers->last = &workers->first;
  workers->events = 0;
  return dropped;
}

void sdb_workers_destroy(sdb_workers *workers) {
  if (!workers->database) return; /* never started */
  drop_waiting(workers);          /* what the loop added after the stop */
  while (workers->subscriptions) {
    sdb_subscription *subscription = workers->subscriptions;
    workers->subscriptions = subscription->next;
    sdb_mem_free(workers->database->mem, subscription);
  }
  pthread_cond_destroy(&workers->ready);
  pthread_mutex_destroy(&workers->lock);
}

sdb_status sdb_workers_subscribe(
    sdb_workers *workers, uint16_t store, sdb_subscriber_fn subscriber, void *argument) {
  sdb_subscription *subscription = sdb_mem_zero(workers->database->mem, sizeof(*subscription));
  if (!subscription) return SDB_NO_MEMORY;
  subscription->store = store;
  subscription->subscriber = subscriber;
  subscription->argument = argument;
  pthread_mutex_lock(&workers->lock);
  subscription->next = workers->subscriptions;
  workers->subscriptions = subscription;
  pthread_mutex_unlock(&workers->lock);
  atomic_store(&workers->subscribed[store], true);
  return SDB_OK;
}

bool sdb_workers_subscribed(void *context, uint16_t store) {
  sdb_workers *workers = context;
  return atomic_load_explicit(&workers->subscribed[store], memory_order_relaxed);
}

bool sdb_workers_accepts(void *context, uint16_t store, sdb_slice user) {
  sdb_workers *workers = context;
  if (!sdb_workers_subscribed(workers, store)) return true;
  sdb_lane *lane;
  pthread_mutex_lock(&workers->lock);
  HASH_FIND(hh, workers->lanes, user.data, user.size, lane);
  bool accepts =
      workers->events < SDB_WORKERS_EVENTS_MAX && (!lane || lane->events < SDB_LANE_EVENTS_MAX);
  pthread_mutex_unlock(&workers->lock);
  return accepts;
}

size_t sdb_workers_backlog(sdb_workers *workers) {
  pthread_mutex_lock(&workers->lock);
  size_t events = workers->events;
  pthread_mutex_unlock(&workers->lock);
  return events;
}
