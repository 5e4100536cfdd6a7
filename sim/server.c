/* sim/server.c: see server.h: how its lives begin and end. */
#include "sim/server.h"
#include "sim/failure.h"
#include "sim/stores.h"
#include "ws/frame.h"
#include <stdlib.h>

#define HUB_BYTES_MAX ((size_t)16 << 20)
#define RETRY_MS 1000 /* until it is started again where the disk did not let it */

static bool subscribed(void *context, uint16_t store) {
  (void)context;
  return store != SIM_ACCOUNT;
}

static void completed(void *context, sdb_op *list) {
  sim_server *server = context;
  *server->completed_end = list;
  while (*server->completed_end)
    server->completed_end = &(*server->completed_end)->next;
}

sim_server *sim_server_new(sim_world *world) {
  sim_server *server = sim_alloc(sizeof(*server));
  const sim_plan *plan = &world->plan;
  server->world = world;
  server->random = sim_random_of(plan->seed, 2);
  server->well_at_ms = server->falls_at_ms = SIM_NEVER;
  sim_memory_init(&server->memory, "the hub", HUB_BYTES_MAX);
  sim_backend_options options = {.stores = sim_storage_stores(),
      .stores_count = SIM_STORES,
      .remember_removes_ms = plan->remember_ms,
      .dedupe_window_ms = plan->dedupe_ms,
      .seed = sim_random_next(&server->random)};
  server->backend = plan->on_disk ? sim_sqlite_backend(&options) : sim_memory_backend(&options);
  return server;
}

void sim_server_free(sim_server *server) {
  server->backend->destroy(server->backend);
  free(server->parcels);
  free(server);
}

uint64_t sim_server_wall_ms(const sim_server *server) {
  return (uint64_t)((int64_t)(SIM_START_MS + server->world->now_ms) + server->wall_offset_ms);
}

/* What was half done is what a second fault may find. */
void sim_server_may_fall(sim_server *server) {
  if (server->world->healed || !sim_chance(&server->random, 400)) return;
  bool at_once = sim_chance(&server->random, 500);
  server->falls_at_ms = server->world->now_ms + sim_wait(&server->random, at_once ? 20 : 2000);
}

/* ---- starting ---- */

static void create_hub(sim_server *server) {
  const sim_plan *plan = &server->world->plan;
  sdb_hub_options options = {.mem = &server->memory.mem,
      .stores = sim_stores(),
      .stores_count = SIM_STORES,
      .storage = &server->port,
      .frame_header = sdb_ws_frame_header,
      .subscribed = subscribed,
      .subscribed_context = server,
      .limits = sdb_limits_default()};
  options.limits.output_soft_bytes = plan->output_soft_bytes;
  options.limits.output_hard_bytes = plan->output_hard_bytes;
  options.limits.pushes_per_second = plan->pushes_per_second;
  sdb_status status = sdb_hub_create(&options, &server->hub);
  SIM_CHECK(status == SDB_OK, "the hub is made", "%s", sdb_status_name(status));
}

void sim_server_start(sim_server *server) {
  sim_world *world = server->world;
  if (server->hub || world->now_ms < server->up_at_ms) return;
  sdb_storage_sink sink = {server, completed};
  sdb_status status = server->backend->open(server->backend, sink);
  if (status != SDB_OK) {
    SIM_CHECK(server->well_at_ms != SIM_NEVER, "a database opens", "%s", sdb_status_name(status));
    server->up_at_ms = world->now_ms + RETRY_MS;
    return;
  }
  sim_store_open(server);
  if (server->well_at_ms != SIM_NEVER && server->doubts_count > 0) {
    /* What is left of the commit can be looked at once the disk is well. */
    server->backend->set_fault(server->backend, SIM_DISK_WELL);
    server->well_at_ms = SIM_NEVER;
  }
  if (server->doubts_count > 0) sim_server_may_fall(server);
  sim_store_reconcile(server);
  if (server->well_at_ms == SIM_NEVER) sim_store_check(server);
  server->epoch = server->port.epoch;
  world->model.life++;
  create_hub(server);
  SIM_TRACE(world->now_ms, "server", "starts");
}

/* ---- ending ---- */

static void drop_conns(sim_server *server) {
  for (sim_conn *conn = server->world->conns; conn; conn = conn->next) {
    if (!conn->peer) continue;
    sdb_hub_on_disconnect(server->hub, conn->peer, sim_server_wall_ms(server));
    sim_conn_drop_server(conn, &server->random);
  }
}

void sim_server_end(sim_server *server, sim_end how, uint64_t down_ms) {
  sim_world *world = server->world;
  if (!server->hub) return;
  server->ending = true;
  drop_conns(server);
  sim_server_drain(server);
  sim_store_finish(server, false);
  sim_app_end(server);
  sdb_hub_destroy(server->hub);
  server->hub = NULL;
  sim_memory_check_empty(&server->memory);
  server->backend->end(server->backend, how);
  server->ending = server->dies = false;
  server->falls_at_ms = SIM_NEVER;
  server->up_at_ms = world->now_ms + down_ms;
  world->stats->crashes += how != SIM_CLOSED;
}

void sim_server_stop(sim_server *server, uint64_t down_ms) {
  if (!server->hub) return;
  server->dies = false;
  sim_server_drain(server);
  sim_store_finish(server, true);
  sim_server_drain(server);
  for (sim_conn *conn = server->world->conns; conn; conn = conn->next) {
    if (!conn->peer) continue;
    sdb_hub_on_disconnect(server->hub, conn->peer, sim_server_wall_ms(server));
    sim_conn_server_closes(conn, 1001, sdb_slice_of("{\"retryAfterMs\":[200,3000]}"));
    conn->peer = NULL;
  }
  sim_server_end(server, SIM_CLOSED, down_ms);
}

void sim_server_back_up(sim_server *server) {
  if (!server->hub || server->well_at_ms != SIM_NEVER) return;
  sdb_status status = server->backend->back_up(server->backend);
  SIM_CHECK(status == SDB_OK, "a backup is taken", "%s", sdb_status_name(status));
  sim_model_backed_up(&server->world->model);
  server->has_backup = true;
}

void sim_server_restore(sim_server *server, uint64_t down_ms) {
  sim_world *world = server->world;
  if (!server->has_backup) return;
  if (server->hub) sim_server_end(server, SIM_KILLED, down_ms);
  if (server->doubts_count > 0) return; /* a commit that died is looked at first */
  /* What is given again is not what was given before: the clock of a server that is restored is not
   * behind what it forgot. */
  uint64_t last_ms = sdb_seq_ms(world->model.last);
  if (sim_server_wall_ms(server) <= last_ms)
    server->wall_offset_ms += (int64_t)(last_ms - sim_server_wall_ms(server)) + 1;
  server->backend->restore(server->backend);
  server->was_restored = true;
  sim_ledger_before_restore(&world->ledger, &world->model);
  sim_model_restored(&world->model);
  sim_ledger_after_restore(&world->ledger, &world->model);
}
