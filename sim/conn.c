/* sim/conn.c: see conn.h. */
#include "sim/conn.h"
#include "sim/device.h"
#include "sim/failure.h"
#include "sim/server.h"
#include "sim/world.h"
#include "wire/close.h"
#include "ws/mask.h"
#include <stdlib.h>

#define NOTICE_MAX_MS 20000 /* until an end takes a dead connection for dead: pings see to that */
#define MESSAGE_BYTES_MAX ((size_t)4 << 20)

sim_conn *sim_conn_new(struct sim_world *world, struct sim_device *device) {
  sim_conn *conn = sim_alloc(sizeof(*conn));
  conn->world = world;
  conn->device = device;
  sim_pipe_init(&conn->to_server);
  sim_pipe_init(&conn->to_device);
  sdb_ws_receiver_init(
      &conn->at_server, SDB_WS_FROM_CLIENT, &world->memory.mem, MESSAGE_BYTES_MAX, false);
  sdb_ws_receiver_init(
      &conn->at_device, SDB_WS_FROM_SERVER, &world->memory.mem, MESSAGE_BYTES_MAX, false);
  conn->next = world->conns;
  world->conns = conn;
  return conn;
}

void sim_conn_free(sim_conn *conn) {
  sim_pipe_free(&conn->to_server);
  sim_pipe_free(&conn->to_device);
  sdb_ws_receiver_free(&conn->at_server);
  sdb_ws_receiver_free(&conn->at_device);
  sim_wire_free(&conn->wire);
  free(conn);
}

static uint64_t arrival_ms(struct sim_world *world) {
  return world->now_ms + sim_wait(&world->random, world->plan.latency_ms);
}

/* ---- sending ---- */

static void device_sends(sim_conn *conn, sdb_ws_opcode opcode, sdb_slice payload) {
  unsigned char header[SDB_WS_MASKED_HEADER_MAX];
  unsigned char key[SDB_WS_MASK_SIZE];
  struct sim_world *world = conn->world;
  for (size_t i = 0; i < sizeof(key); i++)
    key[i] = (unsigned char)sim_below(&world->random, 256);
  size_t size = sdb_ws_masked_header(opcode, payload.size, key, header);
  if (payload.size > world->masked_capacity) {
    world->masked_capacity = payload.size * 2;
    free(world->masked);
    world->masked = sim_alloc(world->masked_capacity);
  }
  if (payload.size > 0) sdb_ws_mask(world->masked, payload.data, payload.size, key, 0);
  sim_pipe_send(&conn->to_server, header, size, world->masked, payload.size, arrival_ms(world));
}

void sim_conn_device_sends(sim_conn *conn, sdb_slice message) {
  device_sends(conn, SDB_WS_TEXT, message);
}

void sim_conn_server_sends(sim_conn *conn, const char *frames, size_t size) {
  uint64_t at_ms = arrival_ms(conn->world);
  if (conn->bytes_per_s > 0) {
    uint64_t from_ms = conn->reading_ms > at_ms ? conn->reading_ms : at_ms;
    at_ms = conn->reading_ms = from_ms + size * 1000 / conn->bytes_per_s;
  }
  sim_pipe_send(&conn->to_device, frames, size, NULL, 0, at_ms);
}

void sim_conn_device_closes(sim_conn *conn, unsigned code) {
  unsigned char frame[SDB_WS_CONTROL_FRAME_MAX];
  size_t size = sdb_ws_close_frame(code, sdb_slice_of(""), frame);
  device_sends(conn, SDB_WS_CLOSE, sdb_slice_make((const char *)frame + 2, size - 2));
  sim_pipe_end(&conn->to_server, arrival_ms(conn->world));
  conn->device = NULL;
}

void sim_conn_server_closes(sim_conn *conn, unsigned code, sdb_slice reason) {
  unsigned char frame[SDB_WS_CONTROL_FRAME_MAX];
  size_t size = sdb_ws_close_frame(code, reason, frame);
  sim_conn_server_sends(conn, (const char *)frame, size);
  sim_pipe_end(&conn->to_device, arrival_ms(conn->world));
}

/* ---- ends that nobody wanted ---- */

static void cut_pipe(struct sim_world *world, sim_pipe *pipe, sim_random *random) {
  size_t kept = 0;
  if (pipe->bytes > 0 && sim_chance(random, 700))
    kept = sim_chance(random, 500) ? pipe->bytes : sim_below(random, (uint32_t)pipe->bytes);
  sim_pipe_cut(pipe, kept, world->now_ms + sim_wait(random, NOTICE_MAX_MS));
}

void sim_conn_cut(sim_conn *conn, sim_random *random) {
  cut_pipe(conn->world, &conn->to_server, random);
  cut_pipe(conn->world, &conn->to_device, random);
}

void sim_conn_drop_device(sim_conn *conn, sim_random *random) {
  conn->device = NULL;
  cut_pipe(conn->world, &conn->to_server, random);
}

void sim_conn_drop_server(sim_conn *conn, sim_random *random) {
  conn->peer = NULL;
  cut_pipe(conn->world, &conn->to_device, random);
}

/* ---- arriving ---- */

/* A server that does not read learns of the end all the same: by what it writes. */
static uint64_t server_due_ms(const sim_conn *conn) {
  if (!conn->peer) return SIM_NEVER;
  uint64_t due_ms = conn->paused ? conn->to_server.end_ms : sim_pipe_due_ms(&conn->to_server);
  uint64_t refused_ms = conn->device ? SIM_NEVER : sim_pipe_due_ms(&conn->to_device);
  return refused_ms < due_ms ? refused_ms : due_ms;
}

uint64_t sim_conn_due_ms(const sim_conn *conn) {
  uint64_t due_ms = server_due_ms(conn);
  uint64_t at_ms = conn->device ? sim_pipe_due_ms(&conn->to_device) : SIM_NEVER;
  return at_ms < due_ms ? at_ms : due_ms;
}

static size_t take(struct sim_world *world, sim_pipe *pipe, char **bytes) {
  size_t size_max = SIZE_MAX;
  if (sim_chance(&world->random, world->plan.split_permille))
    size_max = 1 + sim_below(&world->random, 200);
  return sim_pipe_take(pipe, size_max, world->now_ms, bytes);
}

static void at_server(sim_conn *conn) {
  sim_server *server = conn->world->server;
  char *bytes;
  size_t size = take(conn->world, &conn->to_server, &bytes);
  sdb_ws_input input = {bytes, size};
  sdb_ws_event event;
  while (size > 0 && conn->peer && sdb_ws_receive(&conn->at_server, &input, &event)) {
    SIM_CHECK(event.kind != SDB_WS_FAILED, "a device sends frames", "code %u", event.code);
    if (event.kind == SDB_WS_MESSAGE)
      sim_server_on_message(server, conn, sdb_slice_make(event.data, event.size));
    else if (event.kind == SDB_WS_PEER_CLOSED)
      sim_server_on_closed(server, conn);
  }
  if (conn->peer && sim_pipe_has_ended(&conn->to_server, conn->world->now_ms))
    sim_server_on_closed(server, conn);
}

static void at_device(sim_conn *conn) {
  sim_device *device = conn->device;
  char *bytes;
  size_t size = take(conn->world, &conn->to_device, &bytes);
  sdb_ws_input input = {bytes, size};
  sdb_ws_event event;
  while (size > 0 && conn->device && sdb_ws_receive(&conn->at_device, &input, &event)) {
    SIM_CHECK(event.kind != SDB_WS_FAILED, "a server sends frames", "code %u", event.code);
    if (event.kind == SDB_WS_MESSAGE)
      sim_device_on_message(device, sdb_slice_make(event.data, event.size));
    else if (event.kind == SDB_WS_PEER_CLOSED)
      sim_device_on_closed(device, event.code, sdb_slice_make(event.data, event.size));
  }
  if (size > 0 && conn->peer) sim_server_on_output_level(conn->world->server, conn);
  if (conn->device && sim_pipe_has_ended(&conn->to_device, conn->world->now_ms))
    sim_device_on_closed(device, SDB_CLOSE_LOST, sdb_slice_of(""));
}

void sim_conn_run(sim_conn *conn) {
  uint64_t now_ms = conn->world->now_ms;
  bool reads = conn->peer && !conn->paused && sim_pipe_due_ms(&conn->to_server) <= now_ms;
  if (reads)
    at_server(conn);
  else if (server_due_ms(conn) <= now_ms)
    sim_server_on_closed(conn->world->server, conn);
  if (conn->device && sim_pipe_due_ms(&conn->to_device) <= now_ms) at_device(conn);
}
