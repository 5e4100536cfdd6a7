/* server/state.h: the parts of a database as they hang together. Private to this floor.
 *
 * Threads and what they may touch:
 *   loop     net, hub, `in_flight`, `draining`, everything not named below
 *   storage  `completions` (locked)
 *   workers  `lanes` (locked), contexts
 *   callers  `calls`, `lanes`, `mailbox` (each locked), contexts
 * Lock order: the mailbox's gate, then one of the others; that of `calls` around sdb_net_wake.
 */
#ifndef SDB_SERVER_STATE_H
#define SDB_SERVER_STATE_H

#include "hub/hub.h"
#include "net/net.h"
#include "platform/platform.h"
#include "server/calls.h"
#include "server/identity.h"
#include "server/interest.h"
#include "server/lanes.h"
#include "server/mailbox.h"
#include "server/pages.h"
#include "server/questions.h"
#include "server/workers.h"
#include "storage/sqlite/sqlite_storage.h"
#include <pthread.h>
#include <stdatomic.h>
#include <syncdb/database.h>

/* Operations that the storage has completed, on their way to the loop. */
typedef struct sdb_completions {
  pthread_mutex_t lock;
  sdb_op *first, **last;
} sdb_completions;

typedef struct sdb_server_stats {
  uint64_t unauthorized, events_delivered;
} sdb_server_stats;

struct sdb_database {
  const sdb_mem *mem;
  sdb_store **stores;
  size_t stores_count;
  sdb_log_fn log;
  void *log_context;

  sdb_sqlite *sqlite;
  sdb_storage_port storage; /* in front of sqlite's: counts what is in flight */
  sdb_completions completions;
  size_t in_flight;
  bool storage_failing; /* to log changes only */

  sdb_net *net;
  sdb_hub *hub;
  sdb_pages *pages;    /* NULL: none are served */
  sdb_buffer response; /* the body of the HTTP answer that is being given */
  sdb_identities identities;
  sdb_tickets callers; /* sessions of which the application is to say who they are */
  sdb_server_stats stats;
  atomic_bool drain_asked;
  uint32_t peers_wait_ms;      /* closing: how long connections may take */
  bool draining;               /* clients' messages are dropped: the database is closing */
  sdb_call *waits_for_storage; /* closing: completed once nothing is in flight */
  sdb_call *waits_for_peers;   /* closing: completed once no connection is left, or at: */
  uint64_t peers_deadline_ms;
  atomic_uint_fast64_t partials; /* handles given so far */

  pthread_t loop;
  atomic_bool loop_started;
  sdb_calls calls;
  sdb_interest interest;
  sdb_lanes lanes;
  sdb_workers workers;
  sdb_mailbox *mailbox; /* NULL: events go to the workers */

  int stop_pipe[2];    /* sdb_stop writes, sdb_run reads */
  atomic_bool running; /* inside sdb_run */
};

/* One connection, from its upgrade to its end: the tag of both net's and the hub's. */
struct sdb_session {
  sdb_conn *conn;
  sdb_peer *peer;
  bool paused;        /* its input waits */
  uint64_t ticket;    /* in `callers`; 0: none */
  sdb_caller *caller; /* what it showed, where the application is asked; else NULL */
};

/* ---- log.c ---- */
void sdb_server_log(sdb_database *database, sdb_log_level level, const char *event,
    const char *format, ...) SDB_PRINTF(4, 5);

/* ---- loop.c ---- */
sdb_net_handler sdb_server_handler(sdb_database *database);
/* The thread: runs net until it is stopped. */
void *sdb_server_loop(void *database);
bool sdb_server_on_loop(const sdb_database *database);

/* Drops what devices send from now on. */
void sdb_server_begin_drain(sdb_database *database);

/* ---- outputs.c ---- */
/* Hands what is staged to the storage and carries out the hub's outputs, until there is none. */
void sdb_server_drain(sdb_database *database);

/* ---- completions.c ---- */
void sdb_completions_init(sdb_database *database);
void sdb_completions_destroy(sdb_database *database);
sdb_storage_sink sdb_completions_sink(sdb_database *database);
/* Puts the counting port in front of `port`. */
void sdb_completions_wrap(sdb_database *database, const sdb_storage_port *port);
/* Loop: gives the hub what was completed. */
void sdb_completions_deliver(sdb_database *database);

/* ---- http.c ---- */
void sdb_server_on_request(
    void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer);

/* ---- metrics.c ---- */
/* Prometheus text; sticky status in `to`. */
void sdb_metrics_write(sdb_database *database, sdb_buffer *to);

#endif
