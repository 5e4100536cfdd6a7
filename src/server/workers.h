/* server/workers.h: the threads that run subscribers.
 *
 * Each user with events waiting has a lane, a queue that at most one worker
 * works at: so one user's events are handled in order, and a user whose
 * subscriber is slow holds up one worker and nobody's order. What waits is
 * bounded, a user and in all: at a maximum the hub refuses pushes (`rate_limited`),
 * for an event that was acknowledged is never dropped while the process runs.
 */
#ifndef SDB_SERVER_WORKERS_H
#define SDB_SERVER_WORKERS_H

#include "hub/hub.h"
#include <pthread.h>
#include <stdatomic.h>
#include <syncdb/database.h>

#define SDB_WORKERS_MAX 64
#define SDB_WORKERS_EVENTS_MAX 262144 /* waiting or running, over all users */
#define SDB_LANE_EVENTS_MAX 4096      /* of one user */

typedef struct sdb_lane sdb_lane;
typedef struct sdb_subscription sdb_subscription;

typedef struct sdb_workers {
  sdb_database *database;
  pthread_mutex_t lock;
  pthread_cond_t ready;
  sdb_lane *lanes;         /* by user, while it has events */
  sdb_lane *first, **last; /* lanes that wait for a worker */
  size_t events;           /* waiting or running, over all lanes */
  bool closing;            /* what waits is not begun any more */
  sdb_subscription *subscriptions;
  atomic_bool subscribed[SDB_STORES_MAX];
  pthread_t threads[SDB_WORKERS_MAX];
  unsigned threads_count;
} sdb_workers;

SDB_MUST_CHECK sdb_status sdb_workers_start(
    sdb_workers *workers, sdb_database *database, unsigned count);

/* Lets what runs finish, drops what waits (gives how many), joins the threads. */
size_t sdb_workers_stop(sdb_workers *workers);
void sdb_workers_destroy(sdb_workers *workers);

SDB_MUST_CHECK sdb_status sdb_workers_subscribe(
    sdb_workers *workers, uint16_t store, sdb_subscriber_fn subscriber, void *argument);

/* As sdb_hub_options.subscribed; `workers` is its context. */
bool sdb_workers_subscribed(void *workers, uint16_t store);

/* As sdb_hub_options.accepts: whether there is room for one more event of the user, if anybody
 * wants it at all. What is on its way through the storage comes on top, so the maxima are soft. */
bool sdb_workers_accepts(void *workers, uint16_t store, sdb_slice user);

/* Loop: copies an EVENT output to its user's lane. False: out of memory. */
bool sdb_workers_add(sdb_workers *workers, const sdb_hub_output *output);

/* How many events wait or run. */
size_t sdb_workers_backlog(sdb_workers *workers);

#endif
