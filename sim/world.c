/* sim/world.c: see world.h. */
#include "sim/world.h"
#include "sim/device.h"
#include "sim/failure.h"
#include "sim/server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS ((uint64_t)24 * 3600 * 1000)
#define CONNS_BYTES_MAX ((size_t)32 << 20)
#define REST_MAX_S 3600           /* of the world's time, after the last fault */
#define STEPS_AT_ONCE_MAX 100000u /* at one moment: more is a livelock */

sdb_slice sim_world_object(sim_world *world, char *to, uint16_t user, uint16_t store,
    const char *role, sim_random *random) {
  static const char PADDING[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
  char name[32];
  snprintf(name, sizeof(name), "u%u.n%zu ", user, world->creates++);
  int size;
  if (store == SIM_CHAT)
    size = snprintf(to, SIM_OBJECT_MAX, "{\"role\":\"%s\",\"message\":\"%s", role, name);
  else
    size = snprintf(to, SIM_OBJECT_MAX, "{\"%s\":\"%s", store == SIM_NOTE ? "text" : "name", name);
  for (size_t left = sim_below(random, world->plan.text_bytes), some; left > 0; left -= some) {
    some = left < sizeof(PADDING) - 1 ? left : sizeof(PADDING) - 1;
    memcpy(to + size, PADDING, some);
    size += (int)some;
  }
  memcpy(to + size, "\"}", 2);
  return sdb_slice_make(to, (size_t)size + 2);
}

/* ---- time ---- */

static uint64_t next_due_ms(const sim_world *world) {
  uint64_t due_ms = sim_server_due_ms(world->server);
  for (size_t i = 0; i < world->plan.devices_count; i++) {
    uint64_t at_ms = sim_device_due_ms(world->devices[i]);
    if (at_ms < due_ms) due_ms = at_ms;
  }
  for (const sim_conn *conn = world->conns; conn; conn = conn->next) {
    uint64_t at_ms = sim_conn_due_ms(conn);
    if (at_ms < due_ms) due_ms = at_ms;
  }
  return due_ms;
}

static void free_dead_conns(sim_world *world) {
  for (sim_conn **at = &world->conns; *at;) {
    sim_conn *conn = *at;
    if (conn->device || conn->peer) {
      at = &conn->next;
      continue;
    }
    *at = conn->next;
    sim_conn_free(conn);
  }
}

/* All that is due now, once. */
static void step(sim_world *world) {
  uint64_t now_ms = world->now_ms;
  for (sim_conn *conn = world->conns; conn; conn = conn->next) {
    if (sim_conn_due_ms(conn) > now_ms) continue;
    sim_conn_run(conn);
    if (world->server->hub) sim_server_drain(world->server);
  }
  for (size_t i = 0; i < world->plan.devices_count; i++) {
    if (sim_device_due_ms(world->devices[i]) > now_ms) continue;
    sim_device_run(world->devices[i]);
  }
  if (sim_server_due_ms(world->server) <= now_ms) {
    sim_server_run(world->server);
  }
  free_dead_conns(world);
}

void sim_world_run_until(sim_world *world, uint64_t until_ms) {
  unsigned at_once = 0;
  for (;;) {
    uint64_t due_ms = next_due_ms(world);
    if (due_ms > until_ms) break;
    at_once = due_ms > world->now_ms ? 0 : at_once + 1;
    SIM_CHECK(at_once < STEPS_AT_ONCE_MAX, "time moves", "it stands at %llu ms",
        (unsigned long long)world->now_ms);
    if (due_ms > world->now_ms) world->now_ms = due_ms;
    sim_report_here()->at_ms = world->now_ms;
    step(world);
  }
  if (until_ms > world->now_ms) world->now_ms = until_ms;
}

/* ---- actions ---- */

static void act_on_conn(sim_world *world, sim_device *device, sim_action *action) {
  sim_random *random = &action->random;
  uint64_t until_ms = world->now_ms + sim_wait(random, 60000);
  sim_conn *conn = device->conn;
  switch (action->kind) {
  case SIM_CUT:
    if (conn) sim_conn_cut(conn, random);
    break;
  case SIM_STALL:
    if (!conn) break;
    if (sim_chance(random, 700)) sim_pipe_stall(&conn->to_device, until_ms);
    if (sim_chance(random, 700)) sim_pipe_stall(&conn->to_server, until_ms);
    break;
  case SIM_THROTTLE:
    device->bytes_per_s = sim_chance(random, 700) ? 100 + (uint32_t)sim_wait(random, 50000) : 0;
    if (conn) conn->bytes_per_s = device->bytes_per_s;
    break;
  default:
    device->network_at_ms =
        world->now_ms + sim_wait(random, sim_chance(random, 20) ? 2 * DAY_MS : 600000);
    if (conn) sim_conn_cut(conn, random);
    break;
  }
}

/* Who sleeps comes back about when the next thing happens. */
static void everybody_sleeps(sim_world *world, sim_action *action) {
  sim_random *random = &action->random;
  for (size_t i = 0; i < world->plan.devices_count; i++) {
    sim_device *device = world->devices[i];
    uint64_t early_ms = sim_wait(random, 60000);
    sim_device_end(device, sim_chance(random, 500) ? SIM_CLOSED : SIM_KILLED, false, 0);
    device->up_at_ms =
        world->now_ms + (action->for_ms > early_ms ? action->for_ms - early_ms : action->for_ms);
  }
}

static void act_on_device(sim_world *world, sim_device *device, sim_action *action) {
  sim_random *random = &action->random;
  uint64_t down_ms = sim_wait(random, sim_chance(random, 100) ? 4 * DAY_MS : 60000);
  switch (action->kind) {
  case SIM_KILL_DEVICE:
    sim_device_end(device, SIM_KILLED, false, down_ms);
    break;
  case SIM_POWER_DEVICE:
    sim_device_end(device, SIM_POWER_LOST, false, down_ms);
    break;
  case SIM_LOSE_DEVICE:
    sim_device_end(device, SIM_KILLED, true, down_ms);
    break;
  case SIM_SLEEP:
    everybody_sleeps(world, action);
    break;
  case SIM_DEFER_DEVICE:
    sim_device_defer(device, !device->deferred);
    if (device->replica) sim_device_drain(device);
    break;
  case SIM_FILL_DEVICE:
    device->slow_ms = SIM_NEVER;
    /* What waits behind that which fails is of interest. */
    if (sim_chance(random, 500)) sim_device_defer(device, true);
    sim_device_fill(device, SIM_DISK_FULL, 1 + sim_wait(random, 60000));
    break;
  case SIM_DEVICE_CLOCK:
    device->wall_offset_ms = (int64_t)sim_wait(random, 60 * DAY_MS) - (int64_t)(30 * DAY_MS);
    break;
  case SIM_TOKEN:
    if (device->replica) sim_device_ask_token(device);
    break;
  default:
    act_on_conn(world, device, action);
    break;
  }
}

static void set_server_clock(sim_server *server, sim_random *random) {
  int64_t ms = (int64_t)sim_wait(random, 10 * DAY_MS);
  server->wall_offset_ms += sim_chance(random, 500) ? ms : -(ms / 10);
  if (server->wall_offset_ms < -(int64_t)(SIM_START_MS / 2)) server->wall_offset_ms = 0;
}

static void act_on_server(sim_server *server, sim_action *action) {
  sim_random *random = &action->random;
  uint64_t down_ms = sim_wait(random, 60000);
  switch (action->kind) {
  case SIM_KILL_SERVER:
    sim_server_end(server, SIM_KILLED, down_ms);
    break;
  case SIM_POWER_SERVER:
    sim_server_end(server, SIM_POWER_LOST, down_ms);
    break;
  case SIM_DIE_SERVER:
    server->dies = server->hub != NULL;
    break;
  case SIM_STOP_SERVER:
    sim_server_stop(server, down_ms);
    break;
  case SIM_BACKUP:
    sim_server_back_up(server);
    break;
  case SIM_RESTORE:
    sim_server_restore(server, down_ms);
    break;
  case SIM_FILL_SERVER:
    server->backend->set_fault(server->backend, SIM_DISK_FULL);
    server->well_at_ms = server->world->now_ms + 1 + sim_wait(random, 60000);
    break;
  case SIM_FAIL_COMMITS:
    server->commits_to_fail = 1 + sim_below(random, 3);
    break;
  case SIM_SERVER_CLOCK:
    set_server_clock(server, random);
    break;
  default:
    sim_fail("the simulation", "no action of the server: %d", action->kind);
  }
}

static void act_as_application(sim_server *server, sim_action *action) {
  sim_random *random = &action->random;
  if (!server->hub) return;
  switch (action->kind) {
  case SIM_APP_PUT:
    sim_app_put(server, random);
    break;
  case SIM_APP_CHANGE:
    sim_app_change(server, random, false);
    break;
  case SIM_APP_REMOVE:
    sim_app_change(server, random, true);
    break;
  case SIM_APP_STREAM:
    sim_app_stream(server, (uint16_t)sim_below(random, server->world->plan.users));
    break;
  default:
    sim_app_read(server, random);
    break;
  }
  sim_server_drain(server);
}

static void act(sim_world *world, sim_action action) {
  uint32_t which = sim_below(&action.random, (uint32_t)world->plan.devices_count);
  sim_device *device = world->devices[which];
  SIM_TRACE(world->now_ms, action.kind < SIM_APP_PUT ? device->name : "*", "** %s (%s)",
      sim_action_text(action.kind), device->name);
  world->stats->actions[action.kind]++;
  if (action.kind < SIM_APP_PUT)
    sim_device_act(device, action.kind, &action.random);
  else if (action.kind < SIM_CUT)
    act_as_application(world->server, &action);
  else if (action.kind < SIM_KILL_SERVER)
    act_on_device(world, device, &action);
  else
    act_on_server(world->server, &action);
}

/* ---- a life ---- */

static void begin(sim_world *world, uint64_t seed, sim_storages storages) {
  sim_plan_make(&world->plan, seed, storages);
  world->random = sim_random_of(seed, 3);
  sim_memory_init(&world->memory, "the connections", CONNS_BYTES_MAX);
  world->server = sim_server_new(world);
  sim_model_init(&world->model, (sdb_uuid){{0}}, world->plan.remember_ms, world->plan.dedupe_ms);
  sim_server_start(world->server);
  world->model.key = world->server->port.database;
  for (uint32_t i = 0; i < world->plan.devices_count; i++) {
    world->devices[i] = sim_device_new(world, i);
    sim_device_start(world->devices[i]);
  }
}

static void heal(sim_world *world) {
  sim_server *server = world->server;
  world->healed = true;
  server->backend->set_fault(server->backend, SIM_DISK_WELL);
  server->well_at_ms = SIM_NEVER;
  server->commits_to_fail = 0;
  server->dies = false;
  server->falls_at_ms = SIM_NEVER;
  if (!server->hub) server->up_at_ms = world->now_ms;
  sim_server_start(server);
  for (size_t i = 0; i < world->plan.devices_count; i++)
    sim_device_heal(world->devices[i]);
}

/* Nothing is on its way, and both ends of each connection are there. */
static bool is_quiet(const sim_world *world) {
  bool quiet = sim_app_due_ms(world->server) == SIM_NEVER && world->server->requests == 0 &&
               sim_store_due_ms(world->server) == SIM_NEVER;
  for (const sim_conn *conn = world->conns; conn; conn = conn->next)
    quiet &= conn->peer && conn->device && sim_conn_due_ms(conn) == SIM_NEVER;
  return quiet;
}

static bool is_at_rest(sim_world *world) {
  bool rests = is_quiet(world);
  for (size_t i = 0; i < world->plan.devices_count; i++) {
    sim_device *device = world->devices[i];
    rests &= sim_device_is_at_rest(device);
    if (device->replica) {
      while (sim_device_decide(device, sim_chance(&device->random, 500)))
        rests = false;
      sim_device_drain(device);
    }
    rests &= !sim_device_load_all(device);
  }
  return rests;
}

/* The faults have stopped: within an hour of the world's time all must be one. */
static void come_to_rest(sim_world *world) {
  heal(world);
  for (unsigned i = 0;; i++) {
    sim_world_run_until(world, world->now_ms + 1000);
    if (is_at_rest(world)) break;
    if (i < REST_MAX_S) continue;
    for (size_t j = 0; j < world->plan.devices_count; j++) {
      sim_device *device = world->devices[j];
      sdb_replica_status status = {0};
      if (device->replica) sdb_replica_get_status(device->replica, &status);
      if (!sim_device_is_at_rest(device))
        sim_fail("all comes to rest", "%s: phase %d, %u pending, %u failed, %zu asked: %s",
            device->name, status.phase, status.pending, status.failed, device->asks_open,
            status.problem ? status.problem : "");
    }
    sim_fail("all comes to rest", "the application's requests do not");
  }
}

static void check(sim_world *world) {
  sim_ledger_check(&world->ledger, &world->model);
  sim_app_settle(world->server);
  sim_app_read_all(world->server);
  sim_server_drain(world->server);
  sim_world_run_until(world, world->now_ms + 10000);
  SIM_CHECK(world->server->requests == 0, "a request is answered once", "%zu are not answered",
      world->server->requests);
  sim_store_check(world->server);
  for (size_t i = 0; i < world->plan.devices_count; i++)
    sim_device_check(world->devices[i]);
}

static void end(sim_world *world) {
  for (size_t i = 0; i < world->plan.devices_count; i++)
    sim_device_end(world->devices[i], SIM_CLOSED, false, 0);
  sim_server_stop(world->server, 0);
  for (sim_conn *conn = world->conns, *next; conn; conn = next) {
    next = conn->next;
    sim_conn_free(conn);
  }
  sim_memory_check_empty(&world->memory);
  for (size_t i = 0; i < world->plan.devices_count; i++)
    sim_device_free(world->devices[i]);
  sim_server_free(world->server);
  sim_model_free(&world->model);
  sim_ledger_free(&world->ledger);
  sim_streams_free(&world->streams);
  free(world->masked);
}

void sim_world_live(uint64_t seed, sim_storages storages, const sim_mask *mask, sim_stats *stats) {
  sim_world *world = sim_alloc(sizeof(*world));
  world->stats = stats;
  sim_report_here()->seed = seed;
  begin(world, seed, storages);
  for (size_t i = 0; i < world->plan.actions_count; i++) {
    if (mask && mask->left_out[i]) continue;
    sim_world_run_until(world, world->plan.actions[i].at_ms);
    act(world, world->plan.actions[i]);
  }
  come_to_rest(world);
  check(world);
  stats->worlds++;
  stats->time_ms += world->now_ms;
  stats->late_doubles += world->model.late_doubles;
  end(world);
  free(world);
}
