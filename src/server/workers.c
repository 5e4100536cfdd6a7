/* server/workers.c: see workers.h.
 *
 * Subscriptions are only ever added, at the head, and go when the threads have ended: from the head
 * that a thread saw, the list does not change.
 */
#include "server/workers.h"
#include "server/context.h"
#include "server/state.h"

struct sdb_subscription {
  sdb_subscription *next;
  uint16_t store;
  sdb_subscriber_fn subscriber;
  void *argument;
};

static void call_subscribers(sdb_workers *workers, const sdb_event_run *run) {
  sdb_database *database = workers->database;
  sdb_slice user = sdb_slice_make(run->user, run->user_size);
  sdb_context *context = sdb_context_make(database, user);
  if (!context) {
    sdb_server_log(database, SDB_LOG_ERROR, "event_dropped",
        "out of memory: subscribers are not told of an event of %s", run->user);
    return;
  }
  sdb_subscription *subscription = atomic_load(&workers->subscriptions);
  for (; subscription; subscription = subscription->next) {
    if (subscription->store == run->first->store)
      subscription->subscriber(&run->first->event, context, subscription->argument);
  }
  sdb_context_release(context);
}

static void *work(void *argument) {
  sdb_workers *workers = argument;
  sdb_lanes *lanes = &workers->database->lanes;
  sdb_event_run run;
  while (sdb_lanes_wait(lanes, &run)) {
    call_subscribers(workers, &run);
    sdb_events_free(lanes->mem, run.first);
    sdb_lanes_end(lanes, run.ticket);
  }
  return NULL;
}

sdb_status sdb_workers_start(sdb_workers *workers, sdb_database *database, unsigned count) {
  SDB_ASSERT(count > 0 && count <= SDB_WORKERS_MAX);
  workers->database = database;
  for (unsigned i = 0; i < count; i++) {
    if (pthread_create(&workers->threads[i], NULL, work, workers) != 0) return SDB_NO_MEMORY;
    workers->threads_count++;
  }
  return SDB_OK;
}

void sdb_workers_stop(sdb_workers *workers) {
  for (unsigned i = 0; i < workers->threads_count; i++)
    pthread_join(workers->threads[i], NULL);
  workers->threads_count = 0;
}

void sdb_workers_destroy(sdb_workers *workers) {
  sdb_subscription *subscription = atomic_load(&workers->subscriptions);
  while (subscription) {
    sdb_subscription *next = subscription->next;
    sdb_mem_free(workers->database->mem, subscription);
    subscription = next;
  }
  atomic_store(&workers->subscriptions, NULL);
}

sdb_status sdb_workers_subscribe(
    sdb_workers *workers, uint16_t store, sdb_subscriber_fn subscriber, void *argument) {
  sdb_subscription *subscription = sdb_mem_zero(workers->database->mem, sizeof(*subscription));
  if (!subscription) return SDB_NO_MEMORY;
  subscription->store = store;
  subscription->subscriber = subscriber;
  subscription->argument = argument;
  subscription->next = atomic_load(&workers->subscriptions);
  while (!atomic_compare_exchange_weak(&workers->subscriptions, &subscription->next, subscription))
    continue;
  return SDB_OK;
}
