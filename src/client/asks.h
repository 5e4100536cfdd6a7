/* client/asks.h: how application threads ask the client's thread for something and wait.
 *
 * An ask is queued under a lock, the client's thread is woken, carries it out (at once, or when the
 * replica says so) and ends it. It lives on its asker's stack. One that is made on the client's own
 * thread, inside a callback, is carried out there and then.
 */
#ifndef SDB_CLIENT_ASKS_H
#define SDB_CLIENT_ASKS_H

#include "replica/replica.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <syncdb/client.h>

typedef struct sdb_ask sdb_ask;
struct sdb_ask {
  sdb_ask *next, *previous; /* in the queue (next only), or among those that the replica has */
  /* A function for the client's thread, which ends the ask; NULL: `request` is for the replica. */
  void (*run)(sdb_ask *ask, sdb_client *client);
  sdb_replica_request request;
  void *argument;
  bool want_records;
  bool here;      /* made on the client's thread: nobody waits for `done` */
  bool abandoned; /* nobody is interested any more: freed at its end */
  sem_t done;
  /* results */
  bool ended;
  sdb_status status;
  sdb_error *error; /* the asker's, may be NULL */
  sdb_uuid client_id;
  sdb_client_records *records;
};

typedef struct sdb_asks {
  pthread_mutex_t lock;
  pthread_cond_t left;
  sdb_ask *first, **last;
  sdb_ask *begun; /* client's thread only: those that the replica has */
  size_t
      inside; /* threads that are in a function which waits; they use this struct until they left */
  bool closed; /* nothing is taken any more */
} sdb_asks;

void sdb_asks_init(sdb_asks *asks);
void sdb_asks_destroy(sdb_asks *asks);

/* Carries the ask out on the client's thread and gives its status; `ask->error` is filled where
 * that is not SDB_OK. SDB_CLOSED where the client closes; SDB_CONFLICT on the client's own thread
 * where it is not inside a callback of ours (a rule, a log function). */
SDB_MUST_CHECK sdb_status sdb_ask_run(sdb_client *client, sdb_ask *ask);

/* A thread goes into, and leaves, something that waits: the client is not freed meanwhile. */
void sdb_asks_enter(sdb_asks *asks);
void sdb_asks_leave(sdb_asks *asks);
/* Waits until nobody is inside. */
void sdb_asks_wait_left(sdb_asks *asks);

/* Client's thread: carries out all that is queued. */
void sdb_asks_carry_out(sdb_client *client);

/* Client's thread: refuses what is queued and all that comes later with SDB_CLOSED. */
void sdb_asks_close(sdb_client *client);
/* The same for what the replica did not end: it must not be drained any more. */
void sdb_asks_end_begun(sdb_client *client);

/* Client's thread: ends an ask. It is gone then. `error` may be NULL. */
void sdb_ask_end(sdb_client *client, sdb_ask *ask, sdb_status status, const sdb_error *error);

#endif
