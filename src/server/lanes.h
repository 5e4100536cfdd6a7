/* server/lanes.h: events on their way to subscribers, a queue for each user.
 *
 * A user with events waiting has a lane, which at most one subscriber's thread,
 * or one piece of mail, is at: so one user's events are handled in order, and a user
 * whose subscriber is slow holds up nobody else's. What waits is bounded, a user
 * and in all: at a maximum the hub refuses pushes (`rate_limited`), for an event
 * that was acknowledged is never dropped while the process runs.
 *
 * Any thread, but where it says otherwise: there is a lock inside.
 */
#ifndef SDB_SERVER_LANES_H
#define SDB_SERVER_LANES_H

#include "base/tickets.h"
#include "hub/hub.h"
#include <pthread.h>
#include <syncdb/database.h>

#define SDB_LANES_EVENTS_MAX 262144             /* waiting or being handled, over all users */
#define SDB_LANE_EVENTS_MAX 4096                /* of one user */
#define SDB_LANES_BYTES_MAX ((size_t)256 << 20) /* of those, with what they replaced */
#define SDB_LANE_BYTES_MAX ((size_t)16 << 20)
#define SDB_RUN_BYTES_MAX ((size_t)1 << 20) /* a run of more than one event stays below it */

typedef struct sdb_lane sdb_lane;

/* An event that waits; its text stands behind it, its user's name in the lane. */
typedef struct sdb_pending_event sdb_pending_event;
struct sdb_pending_event {
  sdb_pending_event *next;
  sdb_event event;
  size_t bytes; /* with its text */
  uint16_t store;
};

/* Some events of one user, taken out of its lane. */
typedef struct sdb_event_run {
  uint64_t ticket; /* ends it */
  const char *user;
  size_t user_size;
  sdb_pending_event *first; /* the taker's, to be freed with sdb_events_free */
  size_t count;
  size_t bytes;
} sdb_event_run;

typedef struct sdb_lanes {
  const sdb_mem *mem;
  pthread_mutex_t lock;
  pthread_cond_t ready;
  sdb_lane *lanes;         /* by user, while it has events or a run of it is out */
  sdb_lane *first, **last; /* lanes that have events and that nobody is at */
  sdb_tickets out;         /* lanes whose events are being handled */
  size_t out_count;
  size_t events; /* waiting or being handled */
  size_t bytes;  /* theirs */
  bool closed;   /* nothing is given out any more */
} sdb_lanes;

void sdb_lanes_init(sdb_lanes *lanes, const sdb_mem *mem);
/* Frees what still waits. */
void sdb_lanes_destroy(sdb_lanes *lanes);

/* Copies an EVENT output to its user's lane; `store` is its definition. False: no memory. */
bool sdb_lanes_add(sdb_lanes *lanes, const sdb_store *store, const sdb_hub_output *output);

/* Whether there is room for one more event of the user. What is on its way through the storage
 * comes on top, so the maxima are soft. */
bool sdb_lanes_accept(sdb_lanes *lanes, sdb_slice user);

/* Takes up to `max` events, and SDB_RUN_BYTES_MAX, of one user whom nobody is at, unless those of
 * `users_max` users are out already. False: there is none, or no memory, or it was closed. The
 * user's name stays until the run is ended, or the lanes are destroyed. */
bool sdb_lanes_take(sdb_lanes *lanes, size_t users_max, size_t max, sdb_event_run *run);

/* sdb_lanes_take of one event that waits until there is one. False: it was closed. */
bool sdb_lanes_wait(sdb_lanes *lanes, sdb_event_run *run);

/* The events of a run are handled: the user's next may be taken. An unknown ticket is ignored.
 * True: there is something to be taken that could not be before. */
bool sdb_lanes_end(sdb_lanes *lanes, uint64_t ticket);

void sdb_events_free(const sdb_mem *mem, sdb_pending_event *first);

/* Gives out nothing more, and wakes who waits. */
void sdb_lanes_close(sdb_lanes *lanes);

/* Drops what waits, or is out still; how many those are. */
size_t sdb_lanes_drop(sdb_lanes *lanes);

/* How many events wait or are being handled. */
size_t sdb_lanes_backlog(sdb_lanes *lanes);

#endif
