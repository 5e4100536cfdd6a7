/* sim/device.h: a device: a replica with its local storage, its connection, what its application
 * was shown, and its lives.
 *   device.c       lives, the storage, connecting, tokens
 *   device_loop.c  turns: messages, outputs, time
 *   device_app.c   the application: pushes, what it is shown
 */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include "replica/replica.h"
#include "sim/backend.h"
#include "sim/conn.h"
#include "sim/world.h"

/* A record as the application was last shown it: enough to tell it from another. */
typedef struct sim_shown {
  uint16_t store;
  sdb_record_state state;
  sdb_uuid id, event_id, client_id;
  uint64_t hash; /* of the object's text */
} sim_shown;

typedef enum sim_ask_kind {
  SIM_ASK_PUSH = 1,
  SIM_ASK_REFUSED, /* a push that must be refused here */
  SIM_ASK_SHOW,    /* a list of what the application shows */
  SIM_ASK_READ,
  SIM_ASK_CHECK /* a list that must be what the server has */
} sim_ask_kind;

/* A request of the application, and whether it was answered. */
typedef struct sim_ask {
  sim_ask_kind kind;
  uint16_t store;
  bool answered;
  sim_push *push;
  sdb_uuid last; /* of a list's page: the last record's key; nil: there was none */
  size_t records;
} sim_ask;

typedef struct sim_device {
  sim_world *world;
  uint32_t index;
  uint16_t user;
  char name[16];
  const sim_plan_device *plan;
  sim_random random; /* what happens to it */
  sim_random chance; /* what its replica draws */
  sim_memory memory; /* the replica's */
  int64_t wall_offset_ms;
  /* the process */
  sdb_replica *replica; /* NULL: it does not run */
  uint64_t up_at_ms;
  uint32_t windows[SIM_STORES];
  /* the storage */
  sim_local *local;
  bool local_open, deferred;
  uint64_t run_at_ms;    /* when operations that wait are carried out */
  uint64_t well_at_ms;   /* the disk; SIM_NEVER: it is well */
  uint64_t attach_at_ms; /* it failed, and is tried again; SIM_NEVER: it did not */
  uint64_t slow_ms;      /* until when it was slow, or its disk was not well */
  sdb_local_op *completed, **completed_end;
  /* the network */
  sim_conn *conn;
  bool connecting;
  uint64_t connect_at_ms, opened_ms, network_at_ms; /* of no use before network_at_ms */
  uint64_t online_ms; /* the time of all connections before this one */
  uint32_t bytes_per_s;
  char token[64];
  uint64_t token_at_ms, token_expires_ms;
  bool offline; /* by its own will */
  /* the application */
  sim_shown *shown;
  size_t shown_count, shown_capacity;
  bool stale[SIM_STORES]; /* to be listed: at the start, and after a reset */
  bool listing[SIM_STORES];
  bool list_failed; /* it is tried again with the next turn that something else brings */
  sim_ask *asks;    /* each request that was ever made, by its tag */
  size_t asks_count, asks_capacity;
  size_t asks_open;
} sim_device;

sim_device *sim_device_new(sim_world *world, uint32_t index);
void sim_device_free(sim_device *device);

/* ---- lives ---- */

void sim_device_start(sim_device *device);
void sim_device_end(sim_device *device, sim_end how, bool loses, uint64_t down_ms);
/* `device->conn` is over. */
void sim_device_leave_conn(sim_device *device);
/* How long it has been online in all its life. */
uint64_t sim_device_online_ms(const sim_device *device);
void sim_device_defer(sim_device *device, bool deferred);
void sim_device_fill(sim_device *device, sim_disk_fault fault, uint64_t for_ms);
void sim_device_ask_token(sim_device *device);

/* ---- turns ---- */

void sim_device_on_message(sim_device *device, sdb_slice message);
/* `device->conn` is over for it. */
void sim_device_on_closed(sim_device *device, unsigned code, sdb_slice reason);
/* Takes the outputs, until there are none. */
void sim_device_drain(sim_device *device);
/* What the storage has completed goes to the replica. True: there was any. */
bool sim_device_take_completed(sim_device *device);
uint64_t sim_device_due_ms(const sim_device *device);
void sim_device_run(sim_device *device);
/* Everything that it waits for by itself is over: network, disk, clock of tokens. */
void sim_device_heal(sim_device *device);

/* ---- the application ---- */

uint64_t sim_device_wall_ms(const sim_device *device);
void sim_device_act(sim_device *device, sim_action_kind kind, sim_random *random);
void sim_device_on_change(sim_device *device, uint16_t store, const sdb_client_change *change);
void sim_device_on_done(sim_device *device, const sdb_replica_output *output);
void sim_device_list_stale(sim_device *device);
/* Decides about a failed push. True: there was one. */
bool sim_device_decide(sim_device *device, bool discards);
/* Asks for all that is missing. True: something is. */
bool sim_device_load_all(sim_device *device);
bool sim_device_is_at_rest(sim_device *device);
/* Fails the run unless it holds, lists and shows what the server has. */
void sim_device_check(sim_device *device);

#endif
