/* sim/device_loop.c: see device.h: the device's turns, as src/client takes them. */
#include "sim/device.h"
#include "sim/failure.h"
#include "sim/server.h"
#include "sim/text.h"
#include "wire/close.h"
#include <string.h>

#define IDLE_TURNS_MAX 100000 /* a turn that brings another one for ever is a livelock */

void sim_device_on_message(sim_device *device, sdb_slice message) {
  SIM_TRACE(device->world->now_ms, device->name, "<- %.*s", (int)message.size, message.data);
  device->world->stats->sessions +=
      sdb_slice_equal(sim_text_type(message), sdb_slice_of("server_hello"));
  device->list_failed = false;
  sdb_replica_on_message(device->replica, message, device->world->now_ms);
  sim_device_drain(device);
}

void sim_device_on_closed(sim_device *device, unsigned code, sdb_slice reason) {
  SIM_TRACE(device->world->now_ms, device->name, "is closed: %u %.*s", code, (int)reason.size,
      reason.size ? reason.data : "");
  sim_conn *conn = device->conn;
  sim_device_leave_conn(device);
  conn->device = NULL;
  if (conn->peer) sim_pipe_end(&conn->to_server, device->world->now_ms);
  sdb_replica_on_closed(device->replica, code, reason, "", device->world->now_ms);
  sim_device_drain(device);
}

static void connect_later(sim_device *device, sdb_slice token) {
  sim_world *world = device->world;
  SIM_CHECK(!device->conn && !device->connecting, "one connection at a time", "%s", device->name);
  bool shows = token.size > 0 && device->plan->token_mode == SIM_TOKEN_AT_UPGRADE;
  SIM_CHECK(!shows || (token.size == strlen(device->token) &&
                          memcmp(token.data, device->token, token.size) == 0),
      "a device shows its newest token", "%.*s", (int)token.size, token.data);
  device->connecting = true;
  device->connect_at_ms = world->now_ms + sim_wait(&device->random, world->plan.latency_ms + 1);
}

static void carry_out(sim_device *device, const sdb_replica_output *output) {
  switch (output->kind) {
  case SDB_REPLICA_SEND:
    SIM_CHECK(device->conn, "messages need a connection", "%.*s", (int)output->text.size,
        output->text.data);
    sim_conn_device_sends(device->conn, output->text);
    break;
  case SDB_REPLICA_DISCONNECT:
    if (device->conn) sim_conn_device_closes(device->conn, output->close_code);
    sim_device_leave_conn(device);
    device->connecting = false;
    break;
  case SDB_REPLICA_CONNECT:
    connect_later(device, output->text);
    break;
  case SDB_REPLICA_ASK_TOKEN:
    sim_device_ask_token(device);
    break;
  case SDB_REPLICA_CHANGE:
    sim_device_on_change(device, output->store, &output->change);
    break;
  case SDB_REPLICA_DONE:
    sim_device_on_done(device, output);
    break;
  case SDB_REPLICA_STATUS:
    break;
  case SDB_REPLICA_STORAGE_FAILED:
    SIM_CHECK(device->well_at_ms != SIM_NEVER || device->slow_ms != 0, "a storage that is well",
        "it failed: %s", sdb_status_name(output->status));
    device->attach_at_ms = device->world->now_ms + 500;
    break;
  }
}

bool sim_device_take_completed(sim_device *device) {
  bool any = device->completed != NULL;
  while (device->completed) {
    sdb_local_op *list = device->completed;
    device->completed = NULL;
    device->completed_end = &device->completed;
    sdb_replica_on_completed(device->replica, list, device->world->now_ms);
  }
  return any;
}

void sim_device_drain(sim_device *device) {
  sdb_replica_output output;
  uint64_t now_ms = device->world->now_ms;
  unsigned turns = 0;
  for (bool busy = true; busy; turns++) {
    SIM_CHECK(turns < IDLE_TURNS_MAX, "a turn ends", "%s", device->name);
    busy = sdb_replica_flush(device->replica, now_ms);
    busy |= sim_device_take_completed(device);
    while (sdb_replica_next_output(device->replica, &output)) {
      carry_out(device, &output);
      busy = true;
    }
    sim_device_list_stale(device);
  }
  bool waits = device->deferred && device->local_open && device->run_at_ms == SIM_NEVER;
  if (waits) device->run_at_ms = now_ms + 1 + sim_wait(&device->random, 2000);
}
