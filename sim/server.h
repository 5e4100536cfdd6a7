/* sim/server.h: the server: the hub, a storage behind it that answers when it likes, the
 * application, and its lives.
 *
 *   server.c        lives: starting, stopping, dying, what is left of a commit that died
 *   server_loop.c   turns: messages, outputs, connections, time
 *   server_store.c  what stands between the hub and the storage: queues, delays, the model
 *   server_app.c    the application: pushes, streams, subscribers
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "hub/hub.h"
#include "sim/backend.h"
#include "sim/conn.h"
#include "sim/world.h"

#define SIM_START_MS ((uint64_t)1749383382805)
#define SIM_GROUP_MAX 64 /* operations in one commit */

/* Operations that will come back, or will be carried out, at a moment. */
typedef struct sim_parcel {
  uint64_t at_ms;
  bool carried_out;
  sdb_op *list;
} sim_parcel;

/* What the application asked for. */
typedef struct sim_app_request sim_app_request;

/* A write of a commit that died: nobody knows whether it was stored. */
typedef struct sim_doubt {
  sim_asked asked; /* its body is a copy */
} sim_doubt;

typedef struct sim_server {
  sim_world *world;
  sim_backend *backend;
  sdb_hub *hub; /* NULL: it is down */
  sim_memory memory;
  sim_random random;
  sdb_uuid epoch;
  int64_t wall_offset_ms;
  uint64_t up_at_ms; /* while it is down */
  bool has_backup, was_restored;
  bool ending;         /* what comes of its outputs does not matter any more */
  uint64_t well_at_ms; /* the disk; SIM_NEVER: it is well */
  unsigned commits_to_fail;
  bool dies;            /* the next commit is its last */
  uint64_t falls_at_ms; /* soon after something went wrong, it is killed or loses power */
  /* the storage */
  sdb_storage_port port;
  sdb_op *writes, **writes_end;
  size_t writes_count;
  uint64_t commit_at_ms; /* SIM_NEVER: nothing waits */
  uint64_t written_ms;   /* the newest commit comes back then */
  sim_parcel *parcels;
  size_t parcels_count, parcels_capacity;
  sdb_op *completed, **completed_end;
  sim_doubt doubts[SIM_GROUP_MAX];
  size_t doubts_count;
  /* the application */
  size_t requests; /* under way */
  sdb_seq last_told[SIM_USERS_MAX];
} sim_server;

sim_server *sim_server_new(sim_world *world);
void sim_server_free(sim_server *server);

uint64_t sim_server_wall_ms(const sim_server *server);

/* ---- lives ---- */

/* Starts if it is down and can be. */
void sim_server_start(sim_server *server);
/* Has it fall soon, or not. */
void sim_server_may_fall(sim_server *server);
void sim_server_end(sim_server *server, sim_end how, uint64_t down_ms);
/* In order: what was acknowledged is stored, who is connected is told when to come back. */
void sim_server_stop(sim_server *server, uint64_t down_ms);
void sim_server_back_up(sim_server *server);
void sim_server_restore(sim_server *server, uint64_t down_ms);

/* ---- turns ---- */

/* The connection was made; false: it is refused. */
bool sim_server_on_connect(sim_server *server, sim_conn *conn, sdb_slice user, uint64_t expires_ms);
void sim_server_on_message(sim_server *server, sim_conn *conn, sdb_slice message);
void sim_server_on_closed(sim_server *server, sim_conn *conn);
void sim_server_on_output_level(sim_server *server, sim_conn *conn);
/* Takes the outputs, until there are none. */
void sim_server_drain(sim_server *server);
uint64_t sim_server_due_ms(const sim_server *server);
void sim_server_run(sim_server *server);

/* Whose token it is; empty: nobody's, or it is over. */
sdb_slice sim_server_identify(const sim_server *server, sdb_slice token, uint64_t *expires_ms);

/* ---- the storage ---- */

void sim_store_open(sim_server *server);
/* Carries out what is due. True: the server died of it. */
bool sim_store_run(sim_server *server);
uint64_t sim_store_due_ms(const sim_server *server);
/* Everything that was submitted comes back now: carried out, or as it would be if the process were
 * gone. */
void sim_store_finish(sim_server *server, bool carries_out);
/* Compares all that the storage holds with the model. */
void sim_store_check(sim_server *server);
/* Looks what is left of a commit that died. */
void sim_store_reconcile(sim_server *server);

/* ---- the application ---- */

void sim_app_put(sim_server *server, sim_random *random);
void sim_app_change(sim_server *server, sim_random *random, bool removes);
void sim_app_stream(sim_server *server, uint16_t user);
void sim_app_read(sim_server *server, sim_random *random);
void sim_app_on_done(sim_server *server, const sdb_hub_output *output);
void sim_app_on_event(sim_server *server, const sdb_hub_output *output);
uint64_t sim_app_due_ms(const sim_server *server);
void sim_app_run(sim_server *server);
/* The process is gone, and its partials with it. */
void sim_app_end(sim_server *server);
/* At rest: reads everything, and fails the run where it is not all that there is. */
void sim_app_read_all(sim_server *server);
/* At rest: each client's event that this life stored has been told to the subscribers. */
void sim_app_settle(sim_server *server);

#endif
