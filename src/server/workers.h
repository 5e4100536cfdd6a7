/* server/workers.h: the threads that run subscribers, each on one lane at a time (lanes.h). */
#ifndef SDB_SERVER_WORKERS_H
#define SDB_SERVER_WORKERS_H

#include "hub/limits.h"
#include <pthread.h>
#include <stdatomic.h>
#include <syncdb/database.h>

#define SDB_WORKERS_MAX 64

typedef struct sdb_subscription sdb_subscription;

typedef struct sdb_workers {
  sdb_database *database;
  _Atomic(sdb_subscription *) subscriptions;
  pthread_t threads[SDB_WORKERS_MAX];
  unsigned threads_count;
} sdb_workers;

SDB_MUST_CHECK sdb_status sdb_workers_start(
    sdb_workers *workers, sdb_database *database, unsigned count);

/* Joins the threads, once what runs is finished; the lanes are closed. */
void sdb_workers_stop(sdb_workers *workers);
void sdb_workers_destroy(sdb_workers *workers);

SDB_MUST_CHECK sdb_status sdb_workers_subscribe(
    sdb_workers *workers, uint16_t store, sdb_subscriber_fn subscriber, void *argument);

#endif
