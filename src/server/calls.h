/* server/calls.h: how application threads ask the loop for something and wait.
 *
 * A call is queued under a lock, the loop is woken, carries it out (at once, or
 * when the hub says so) and completes it. A call lives on its caller's stack
 * and is waited for, or on the heap, `detached`, and is freed on completion.
 */
#ifndef SDB_SERVER_CALLS_H
#define SDB_SERVER_CALLS_H

#include "hub/hub.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <syncdb/database.h>

typedef struct sdb_call sdb_call;
struct sdb_call {
  sdb_call *next;
  /* A function for the loop; or, where it is NULL, a request for the hub. */
  void (*run)(sdb_call *call, sdb_database *database);
  sdb_request request;
  void *argument;
  bool detached;
  /* On the loop, before it is freed; may be NULL. `error` tells more than the status, if set. */
  void (*detached_done)(sdb_call *call, const sdb_error *error);
  sdb_mailbox *mailbox; /* a job's: where it is told of */
  struct sdb_mail_piece *mail;
  sem_t done;
  /* results */
  sdb_status status;
  sdb_error *error; /* the caller's, may be NULL */
  sdb_receipt receipt;
  bool want_records;
  sdb_records *records;
};

typedef struct sdb_calls {
  pthread_mutex_t lock;
  pthread_cond_t room;
  sdb_call *first, **last;
  size_t count;
  bool closed; /* nothing is taken any more */
} sdb_calls;

/* With this many queued, detached calls wait for room: an application that streams faster than the
 * loop reads is slowed down, not buffered. */
#define SDB_CALLS_MAX 4096

void sdb_calls_init(sdb_calls *calls);
void sdb_calls_destroy(sdb_calls *calls);

/* Queues the call and waits for its end; gives its status. SDB_CLOSED where the database closes,
 * SDB_CONFLICT on the loop's own thread; `call->error` is filled then too. */
SDB_MUST_CHECK sdb_status sdb_call_wait(sdb_database *database, sdb_call *call);

/* A detached call with `size` bytes behind it (`argument` points there), or NULL. */
sdb_call *sdb_call_create(const sdb_database *database, size_t size);

/* Queues a detached call, which is then no longer the caller's, also on an error. */
SDB_MUST_CHECK sdb_status sdb_call_detach(sdb_database *database, sdb_call *call);

/* Queues `count` detached calls linked by `next`, `*last` being the last one's, without waiting for
 * room: whoever uses it has a bound of its own. SDB_CLOSED: none was queued, all are still the
 * caller's. */
SDB_MUST_CHECK sdb_status sdb_calls_post(
    sdb_database *database, sdb_call *first, sdb_call **last, size_t count);

/* Loop: takes all that is queued; with `close`, later ones fail with SDB_CLOSED. */
sdb_call *sdb_calls_take(sdb_calls *calls, bool close);

/* Loop: ends a call. It is gone then. */
void sdb_call_complete(sdb_call *call, sdb_status status, const sdb_error *error);

#endif
