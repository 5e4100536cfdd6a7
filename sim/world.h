/* sim/world.h: everything of one seed: time, who is in it, and what is checked.
 *
 * Time moves from one moment at which something is due to the next. A step is what is due then at
 * one place: an arrival, a timer, a commit, an action of the plan; behind each the place's outputs
 * are drained, as its owner would.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/ledger.h"
#include "sim/memory.h"
#include "sim/plan.h"
#include "sim/streams.h"

typedef struct sim_stats {
  uint64_t worlds, sessions, time_ms;
  uint64_t events_stored, messages_to_server, messages_to_devices;
  uint64_t commits, commits_failed, crashes, reconciled;
  uint64_t late_doubles;
  uint64_t actions[SIM_ACTION_KINDS]; /* that were carried out */
} sim_stats;

typedef struct sim_world {
  sim_plan plan;
  uint64_t now_ms;
  sim_random random; /* of the network */
  sim_memory memory; /* of the connections */
  sim_model model;
  sim_streams streams;
  sim_ledger ledger;
  struct sim_server *server;
  struct sim_device *devices[SIM_DEVICES_MAX];
  struct sim_conn *conns;
  char *masked; /* a frame of a device in the making */
  size_t masked_capacity;
  size_t creates; /* each object has a number of its own */
  bool healed;    /* the faults have stopped */
  sim_stats *stats;
} sim_world;

/* Which actions of the plan are carried out; NULL: all. */
typedef struct sim_mask {
  bool left_out[SIM_ACTIONS_MAX];
} sim_mask;

/* Lives the whole life of a seed, and adds to the stats. A promise that is broken ends the process
 * (failure.h). */
void sim_world_live(uint64_t seed, sim_storages storages, const sim_mask *mask, sim_stats *stats);

/* Until there is nothing due before `until_ms`; moves the time there. */
void sim_world_run_until(sim_world *world, uint64_t until_ms);

#define SIM_OBJECT_MAX 8192

/* A new object of a user's store, which names its user and has a number of its own, in `to` (of
 * SIM_OBJECT_MAX bytes). */
sdb_slice sim_world_object(sim_world *world, char *to, uint16_t user, uint16_t store,
    const char *role, sim_random *random);

#endif
