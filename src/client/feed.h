/* client/feed.h: watches, and the changes on their way to them.
 *
 * The client's thread puts changes in, copied; whoever delivers takes them out: the client's thread
 * at the end of each turn, or, with the option `dispatch`, the application in sdb_client_dispatch.
 * Both go through the same queue, and what waits in it is bounded: the changes of a store that do
 * not fit any more (or for which there is no memory) collapse to one SDB_CHANGE_RESET, and those
 * that follow are left out until that was delivered, for whoever lists the store then sees them.
 *
 * Locked: any thread may use it. The lock is not held while a watch is called.
 */
#ifndef SDB_CLIENT_FEED_H
#define SDB_CLIENT_FEED_H

#include "base/arena.h"
#include "replica/limits.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/client.h>

#define SDB_FEED_CHANGES_MAX 16384
#define SDB_FEED_BYTES_MAX (8 * 1024 * 1024)

/* Changes of one store, in order. */
typedef struct sdb_feed_batch sdb_feed_batch;
struct sdb_feed_batch {
  sdb_feed_batch *next;
  uint16_t store;
  uint64_t generation; /* the feed's when it was begun */
  sdb_arena arena;     /* objects and errors */
  sdb_client_change *changes;
  size_t count, capacity, bytes;
};

struct sdb_watch {
  sdb_watch *next;
  const sdb_store *store; /* NULL: every one */
  sdb_watch_fn watch;
  void *context;
  uint64_t generation; /* of the first batches that it is told of */
  bool ended;          /* not to be called any more */
  bool orphan;         /* ended inside itself: whoever called it frees it */
};

typedef struct sdb_feed {
  const sdb_mem *mem;
  sdb_store *const *stores;
  pthread_mutex_t lock;
  pthread_cond_t quiet; /* `running` has returned */
  bool closed;

  sdb_watch *watches;
  uint64_t generation; /* rises with each watch, so that it is told nothing from before it */
  sdb_watch *running;  /* the one that is being called; it stays in the list meanwhile */
  bool delivering;
  pthread_t deliverer; /* the thread that is, where `delivering` */

  sdb_feed_batch *batches;
  size_t count, bytes;                /* in all batches */
  bool reset[SDB_REPLICA_STORES_MAX]; /* the store is to be listed anew */
  bool any_reset;

  int fd; /* an eventfd that says there is something to deliver; -1: there is none */
  bool signaled;
} sdb_feed;

/* SDB_OK; SDB_IO: no descriptor is to be had. `stores` must outlive it. */
SDB_MUST_CHECK sdb_status sdb_feed_init(
    sdb_feed *feed, const sdb_mem *mem, sdb_store *const *stores, bool with_fd);
void sdb_feed_destroy(sdb_feed *feed);

/* A change for whom it may concern; copied. Never fails: see above. */
void sdb_feed_put(sdb_feed *feed, uint16_t store, const sdb_client_change *change);

/* Makes the descriptor readable: there is something to deliver that is no change. */
void sdb_feed_signal(sdb_feed *feed);

/* False: somebody delivers already. Otherwise sdb_feed_call and sdb_feed_end_delivery follow. */
SDB_MUST_CHECK bool sdb_feed_begin_delivery(sdb_feed *feed);
/* Calls watches with all that waits now. */
void sdb_feed_call(sdb_feed *feed, sdb_client *client);
void sdb_feed_end_delivery(sdb_feed *feed);

/* Whether this thread is delivering: inside a watch or the status callback. */
bool sdb_feed_delivers_here(sdb_feed *feed);
bool sdb_feed_waits(sdb_feed *feed);

/* Later watches get SDB_CLOSED. */
void sdb_feed_close(sdb_feed *feed);
SDB_MUST_CHECK sdb_status sdb_feed_add(sdb_feed *feed, sdb_watch *watch);
/* Takes it out and frees it; inside itself it is freed when it returns. While it is running on
 * another thread that is waited for, at most `wait_ms`: false, it still is; ask again. */
SDB_MUST_CHECK bool sdb_feed_drop(sdb_feed *feed, sdb_watch *watch, uint64_t wait_ms);

#endif
