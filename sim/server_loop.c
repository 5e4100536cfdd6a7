/* sim/server_loop.c: see server.h: the server's turns, as src/server and src/net take them. */
#include "sim/device.h"
#include "sim/failure.h"
#include "sim/server.h"
#include "sim/text.h"
#include "wire/close.h"
#include <stdio.h>
#include <string.h>

/* What catch-up may bring over the soft limit: a page that was asked for. */
#define PAGE_ON_WIRE_MAX (SDB_PAGE_BYTES_MAX + SDB_PAGE_EVENTS_MAX * 300)

bool sim_server_on_connect(
    sim_server *server, sim_conn *conn, sdb_slice user, uint64_t expires_ms) {
  uint64_t wall_ms = sim_server_wall_ms(server);
  conn->peer = sdb_hub_on_connect(server->hub, user, expires_ms, conn, wall_ms);
  if (!conn->peer) return false;
  conn->expires_ms = expires_ms;
  sim_wire_init(&conn->wire, &server->world->model, &server->world->streams, conn->device->user,
      server->epoch);
  return true;
}

void sim_server_on_message(sim_server *server, sim_conn *conn, sdb_slice message) {
  SIM_TRACE(server->world->now_ms, conn->device ? conn->device->name : "?", "-> %.*s",
      (int)message.size, message.data);
  server->world->stats->messages_to_server++;
  sim_wire_received(&conn->wire, message);
  sdb_hub_on_message(server->hub, conn->peer, message, sim_server_wall_ms(server));
}

void sim_server_on_closed(sim_server *server, sim_conn *conn) {
  sdb_hub_on_disconnect(server->hub, conn->peer, sim_server_wall_ms(server));
  conn->peer = NULL;
  sim_pipe_end(&conn->to_device, server->world->now_ms);
}

void sim_server_on_output_level(sim_server *server, sim_conn *conn) {
  if (conn->to_device.bytes == 0) conn->wire.catch_up_bytes = 0;
  sdb_hub_on_output_level(
      server->hub, conn->peer, conn->to_device.bytes, sim_server_wall_ms(server));
}

/* ---- outputs ---- */

/* A token names its user and its end: "u0 1749383382805". The user; empty: it is none. */
sdb_slice sim_server_identify(const sim_server *server, sdb_slice token, uint64_t *expires_ms) {
  if (token.size < 4 || token.data[2] != ' ') return sdb_slice_make(NULL, 0);
  *expires_ms = sim_text_number(token, " ");
  if (*expires_ms <= sim_server_wall_ms(server)) return sdb_slice_make(NULL, 0);
  return sdb_slice_make(token.data, 2);
}

static void on_authenticate(sim_server *server, const sdb_hub_output *output) {
  sim_conn *conn = output->tag;
  uint64_t expires_ms = 0;
  sdb_slice user = sim_server_identify(server, output->text, &expires_ms);
  if (user.size > 0) conn->expires_ms = expires_ms;
  sdb_hub_on_identity(server->hub, output->peer, user, expires_ms, sim_server_wall_ms(server));
}

static void check_limits(const sim_server *server, const sim_conn *conn) {
  size_t waits = conn->to_device.bytes;
  if (conn->wire.catch_up_bytes < waits) waits = conn->wire.catch_up_bytes;
  SIM_CHECK(waits <= server->world->plan.output_soft_bytes + PAGE_ON_WIRE_MAX + SIM_OBJECT_MAX,
      "catch-up waits for a slow reader", "%zu bytes of it wait", waits);
}

static void check_identity(const sim_server *server, const sim_conn *conn, sdb_slice message) {
  if (conn->expires_ms == 0 || sim_server_wall_ms(server) <= conn->expires_ms) return;
  bool data = sim_text_has(message, "\"object\":{") || sim_text_has(message, "\"append\":");
  SIM_CHECK(!data, "no data without an identity", "%.*s", (int)message.size, message.data);
}

static void on_send(sim_server *server, const sdb_hub_output *output) {
  sim_world *world = server->world;
  sim_conn *conn = output->tag;
  sdb_frames *frames = output->frames;
  sdb_slice run = {frames->data, frames->size}, message;
  while (!server->ending && !conn->close_code && sdb_ws_next_frame(&run, &message)) {
    SIM_TRACE(world->now_ms, "server", "-> %s %.*s", conn->device ? conn->device->name : "?",
        (int)message.size, message.data);
    sim_wire_sends(&conn->wire, message);
    check_identity(server, conn, message);
    world->stats->messages_to_devices++;
  }
  if (!server->ending && !conn->close_code) {
    check_limits(server, conn);
    if (conn->to_device.bytes + frames->size > world->plan.output_hard_bytes)
      conn->close_code = SDB_CLOSE_OVERLOADED;
    else
      sim_conn_server_sends(conn, frames->data, frames->size);
  }
  sdb_frames_release(frames);
}

static void carry_out(sim_server *server, const sdb_hub_output *output) {
  sim_conn *conn = output->peer ? output->tag : NULL;
  switch (output->kind) {
  case SDB_HUB_SEND:
    on_send(server, output);
    break;
  case SDB_HUB_CLOSE:
    SIM_TRACE(server->world->now_ms, "server", "closes with %u %.*s", output->close_code,
        (int)output->text.size, output->text.data ? output->text.data : "");
    SIM_CHECK(output->close_code != SDB_CLOSE_BAD_MESSAGE, "devices speak the protocol", "%.*s",
        (int)output->text.size, output->text.data);
    if (conn->close_code == 0) {
      conn->close_code = output->close_code;
      snprintf(conn->close_reason, sizeof(conn->close_reason), "%.*s", (int)output->text.size,
          output->text.data ? output->text.data : "");
    }
    break;
  case SDB_HUB_AUTHENTICATE:
    on_authenticate(server, output);
    break;
  case SDB_HUB_JUDGE:
    SIM_CHECK(false, "nobody is asked about a store without a judge", "store %u",
        (unsigned)output->row.store);
    break;
  case SDB_HUB_EVENT:
    sim_app_on_event(server, output);
    break;
  case SDB_HUB_DONE:
    sim_app_on_done(server, output);
    break;
  }
}

/* Ends those that were to be closed, and tells the hub what waits for the others. */
static void look_after_conns(sim_server *server) {
  for (sim_conn *conn = server->world->conns; conn; conn = conn->next) {
    if (!conn->peer) continue;
    if (conn->close_code == 0) {
      sim_server_on_output_level(server, conn);
      conn->paused = !sdb_hub_wants_input(conn->peer);
      continue;
    }
    sdb_hub_on_disconnect(server->hub, conn->peer, sim_server_wall_ms(server));
    sim_conn_server_closes(conn, conn->close_code, sdb_slice_of(conn->close_reason));
    conn->peer = NULL;
  }
}

void sim_server_drain(sim_server *server) {
  sdb_hub_output output;
  for (bool any = true; any;) {
    any = false;
    while (sdb_hub_next_output(server->hub, &output)) {
      carry_out(server, &output);
      any = true;
    }
    sdb_hub_flush(server->hub);
    if (!server->ending) look_after_conns(server);
  }
}

/* ---- time ---- */

/* When the server's clock, which may be wrong, will show `wall_ms`. */
static uint64_t moment_of(const sim_server *server, uint64_t wall_ms) {
  uint64_t now_wall_ms = sim_server_wall_ms(server);
  if (wall_ms == UINT64_MAX) return SIM_NEVER;
  return server->world->now_ms + (wall_ms > now_wall_ms ? wall_ms - now_wall_ms : 0);
}

uint64_t sim_server_due_ms(const sim_server *server) {
  uint64_t due_ms = server->well_at_ms;
  if (!server->hub) return server->up_at_ms < due_ms ? server->up_at_ms : due_ms;
  const uint64_t others[] = {server->falls_at_ms, sim_store_due_ms(server), sim_app_due_ms(server),
      moment_of(server, sdb_hub_deadline_ms(server->hub))};
  for (size_t i = 0; i < SDB_COUNT_OF(others); i++) {
    if (others[i] < due_ms) due_ms = others[i];
  }
  return due_ms;
}

void sim_server_run(sim_server *server) {
  uint64_t now_ms = server->world->now_ms;
  if (server->well_at_ms <= now_ms) {
    server->well_at_ms = SIM_NEVER;
    server->backend->set_fault(server->backend, SIM_DISK_WELL);
  }
  if (!server->hub) {
    sim_server_start(server);
    return;
  }
  if (server->falls_at_ms <= now_ms || sim_store_run(server)) {
    sim_server_end(server, sim_chance(&server->random, 500) ? SIM_KILLED : SIM_POWER_LOST,
        sim_wait(&server->random, 20000));
    return;
  }
  sim_app_run(server);
  if (moment_of(server, sdb_hub_deadline_ms(server->hub)) <= now_ms)
    sdb_hub_on_timer(server->hub, sim_server_wall_ms(server));
  sim_server_drain(server);
}
