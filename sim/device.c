/* sim/device.c: see device.h: lives, storage, connections, tokens. */
#include "sim/device.h"
#include "sim/failure.h"
#include "sim/server.h"
#include "wire/close.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLICA_BYTES_MAX ((size_t)32 << 20)
#define POWER_LOSS_MS 10 /* what was accepted so long ago is synced, unless its storage is slow */
#define SYNC_DELAY_MS 2

sim_device *sim_device_new(sim_world *world, uint32_t index) {
  sim_device *device = sim_alloc(sizeof(*device));
  device->world = world;
  device->index = index;
  device->plan = &world->plan.devices[index];
  device->user = device->plan->user;
  snprintf(device->name, sizeof(device->name), "u%u.d%u", device->user, index);
  device->random = sim_random_of(world->plan.seed, 10 + index);
  device->chance = sim_random_of(world->plan.seed, 30 + index);
  device->wall_offset_ms = device->plan->wall_offset_ms;
  device->well_at_ms = device->attach_at_ms = device->run_at_ms = SIM_NEVER;
  device->token_at_ms = SIM_NEVER;
  device->completed_end = &device->completed;
  sim_memory_init(&device->memory, device->name, REPLICA_BYTES_MAX);
  sim_local_options options = {.stores = sim_storage_stores(),
      .stores_count = SIM_STORES,
      .user = sim_user_name(device->user),
      .seed = sim_random_next(&device->random)};
  device->local = device->plan->on_disk ? sim_sqlite_local(&options) : sim_memory_local(&options);
  return device;
}

void sim_device_free(sim_device *device) {
  device->local->destroy(device->local);
  free(device->shown);
  free(device->asks);
  free(device);
}

/* ---- the storage ---- */

static void completed(void *context, sdb_local_op *list) {
  sim_device *device = context;
  *device->completed_end = list;
  while (*device->completed_end)
    device->completed_end = &(*device->completed_end)->next;
}

/* Opens it and gives it to the replica; tries again later where the disk does not let it. */
static void attach(sim_device *device) {
  uint64_t now_ms = device->world->now_ms;
  device->attach_at_ms = SIM_NEVER;
  if (device->local_open) device->local->end(device->local, SIM_CLOSED);
  device->local_open = false;
  sim_device_take_completed(device);
  sdb_status status = device->local->open(device->local, (sdb_local_sink){device, completed});
  if (status != SDB_OK) {
    SIM_CHECK(device->well_at_ms != SIM_NEVER, "a local file opens", "%s", sdb_status_name(status));
    device->attach_at_ms = now_ms + 1000;
    return;
  }
  device->local_open = true;
  device->local->defer(device->local, device->deferred);
  sdb_replica_attach(device->replica, device->local->port(device->local), now_ms);
}

void sim_device_defer(sim_device *device, bool deferred) {
  device->deferred = deferred;
  if (deferred) device->slow_ms = SIM_NEVER;
  if (!device->local_open) return;
  device->local->defer(device->local, deferred);
  if (!deferred) device->run_at_ms = device->world->now_ms;
}

void sim_device_fill(sim_device *device, sim_disk_fault fault, uint64_t for_ms) {
  device->local->set_fault(device->local, fault);
  device->well_at_ms = fault == SIM_DISK_WELL ? SIM_NEVER : device->world->now_ms + for_ms;
}

/* ---- lives ---- */

static void draw(void *context, void *to, size_t size) {
  sim_device *device = context;
  unsigned char *bytes = to;
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t drawn = sim_random_next(&device->chance);
    memcpy(bytes + i, &drawn, size - i < sizeof(drawn) ? size - i : sizeof(drawn));
  }
}

/* Each version of the application may want another window. */
static void draw_windows(sim_device *device) {
  for (size_t i = 0; i < SIM_STORES; i++) {
    bool all = SIM_SINGULAR(i) || sim_chance(&device->random, 700);
    device->windows[i] = all ? SDB_REPLICA_WINDOW_ALL : sim_below(&device->random, 12);
  }
}

void sim_device_start(sim_device *device) {
  sim_world *world = device->world;
  if (device->replica || world->now_ms < device->up_at_ms) return;
  draw_windows(device);
  sdb_replica_options options = {.mem = &device->memory.mem,
      .stores = device->plan->no_rules ? sim_stores_without_rules() : sim_stores(),
      .stores_count = SIM_STORES,
      .windows = device->windows,
      .random = draw,
      .random_context = device,
      .token_in_hello = device->plan->token_mode == SIM_TOKEN_IN_HELLO,
      .needs_token = device->plan->token_mode != SIM_TOKEN_NONE,
      .limits = sdb_replica_limits_default()};
  options.limits.sync_delay_ms = SYNC_DELAY_MS;
  sdb_status status = sdb_replica_create(&options, &device->replica);
  SIM_CHECK(status == SDB_OK, "a replica is made", "%s", sdb_status_name(status));
  device->shown_count = 0;
  device->offline = false;
  for (size_t i = 0; i < SIM_STORES; i++)
    device->stale[i] = true;
  memset(device->listing, 0, sizeof(device->listing));
  SIM_TRACE(world->now_ms, device->name, "starts");
  attach(device);
  sim_device_drain(device);
}

/* What it holds that no power cut can take is older than this. */
static uint64_t kept_since_ms(const sim_device *device) {
  uint64_t now_ms = device->world->now_ms;
  if (device->slow_ms == SIM_NEVER || device->slow_ms + 1000 > now_ms) return 0;
  return now_ms > POWER_LOSS_MS ? now_ms - POWER_LOSS_MS : 0;
}

uint64_t sim_device_online_ms(const sim_device *device) {
  return device->online_ms + (device->conn ? device->world->now_ms - device->opened_ms : 0);
}

void sim_device_leave_conn(sim_device *device) {
  device->online_ms = sim_device_online_ms(device);
  device->conn = NULL;
}

void sim_device_end(sim_device *device, sim_end how, bool loses, uint64_t down_ms) {
  sim_world *world = device->world;
  if (!device->replica) return;
  if (device->conn) sim_conn_drop_device(device->conn, &device->random);
  sim_device_leave_conn(device);
  device->connecting = false;
  if (device->local_open) device->local->end(device->local, how);
  device->local_open = false;
  sim_device_take_completed(device);
  sdb_replica_destroy(device->replica);
  device->replica = NULL;
  sim_memory_check_empty(&device->memory);
  uint64_t since_ms = how == SIM_POWER_LOST ? kept_since_ms(device) : SIM_NEVER;
  sim_ledger_lose(&world->ledger, &world->model, device->index, since_ms, loses);
  if (loses) device->local->lose(device->local);
  device->asks_open = 0; /* their answers will not come */
  device->token_at_ms = device->attach_at_ms = device->run_at_ms = SIM_NEVER;
  device->token[0] = 0;
  device->up_at_ms = world->now_ms + down_ms;
}

/* ---- tokens ---- */

void sim_device_ask_token(sim_device *device) {
  uint64_t wait_ms = sim_wait(&device->random, device->world->healed ? 100 : 5000);
  device->token_at_ms = device->world->now_ms + wait_ms;
}

static void give_token(sim_device *device) {
  sim_world *world = device->world;
  uint64_t wall_ms = sim_server_wall_ms(world->server);
  uint64_t lifetime_ms = 1000 + sim_wait(&device->random, 3600000);
  if (world->healed) lifetime_ms = 3600000;
  device->token_at_ms = SIM_NEVER;
  bool good = world->healed || sim_chance(&device->random, 900);
  device->token_expires_ms = good ? wall_ms + lifetime_ms : 1;
  int size = snprintf(device->token, sizeof(device->token), "u%u %llu", device->user,
      (unsigned long long)device->token_expires_ms);
  bool taken = sdb_replica_on_token(device->replica, sdb_slice_make(device->token, (size_t)size),
      sim_chance(&device->random, 500) ? lifetime_ms : 0, world->now_ms);
  SIM_CHECK(taken, "a token is taken", "out of memory");
}

/* ---- connections ---- */

static void fail_to_connect(sim_device *device, unsigned code) {
  sdb_replica_on_closed(device->replica, code, sdb_slice_of(""), "", device->world->now_ms);
}

static void connect_now(sim_device *device) {
  sim_world *world = device->world;
  sim_server *server = world->server;
  uint64_t expires_ms = 0;
  sdb_slice user = sdb_slice_of(sim_user_name(device->user));
  device->connecting = false;
  if (!server->hub || world->now_ms < device->network_at_ms) {
    fail_to_connect(device, SDB_CLOSE_LOST);
    return;
  }
  if (device->plan->token_mode == SIM_TOKEN_AT_UPGRADE) {
    user = sim_server_identify(server, sdb_slice_of(device->token), &expires_ms);
    if (user.size == 0) {
      fail_to_connect(device, SDB_CLOSE_UNAUTHORIZED);
      return;
    }
  } else if (device->plan->token_mode == SIM_TOKEN_IN_HELLO) {
    user = sdb_slice_make(NULL, 0);
  }
  sim_conn *conn = sim_conn_new(world, device);
  if (!sim_server_on_connect(server, conn, user, expires_ms)) {
    conn->device = NULL;
    fail_to_connect(device, SDB_CLOSE_OVERLOADED);
    return;
  }
  conn->bytes_per_s = device->bytes_per_s;
  device->conn = conn;
  device->opened_ms = world->now_ms;
  sdb_replica_on_opened(device->replica, world->now_ms);
}

void sim_device_heal(sim_device *device) {
  sim_device_fill(device, SIM_DISK_WELL, 0);
  sim_device_defer(device, false);
  device->network_at_ms = device->world->now_ms;
  device->bytes_per_s = 0;
  if (device->up_at_ms > device->world->now_ms) device->up_at_ms = device->world->now_ms;
  sim_device_start(device);
  if (device->offline) sdb_replica_go_online(device->replica, device->world->now_ms);
  device->offline = false;
  sim_device_drain(device);
}

/* ---- time ---- */

uint64_t sim_device_due_ms(const sim_device *device) {
  if (!device->replica)
    return device->up_at_ms < device->well_at_ms ? device->up_at_ms : device->well_at_ms;
  const uint64_t others[] = {device->run_at_ms, device->attach_at_ms, device->token_at_ms,
      device->connecting ? device->connect_at_ms : SIM_NEVER,
      sdb_replica_deadline_ms(device->replica)};
  uint64_t due_ms = device->well_at_ms;
  for (size_t i = 0; i < SDB_COUNT_OF(others); i++) {
    if (others[i] < due_ms) due_ms = others[i];
  }
  return due_ms;
}

/* A disk may fail for one operation, and be well for what waits behind it. */
static void run_local(sim_device *device) {
  bool is_well = device->well_at_ms == SIM_NEVER;
  size_t count = is_well ? 1 + sim_below(&device->random, 4) : 1;
  device->run_at_ms = SIM_NEVER;
  device->local->run(device->local, device->deferred ? count : SIZE_MAX);
  if (!is_well && sim_chance(&device->random, 500)) sim_device_fill(device, SIM_DISK_WELL, 0);
}

void sim_device_run(sim_device *device) {
  uint64_t now_ms = device->world->now_ms;
  if (device->well_at_ms <= now_ms) sim_device_fill(device, SIM_DISK_WELL, 0);
  if (!device->replica) {
    sim_device_start(device);
    return;
  }
  if (device->run_at_ms <= now_ms) {
    run_local(device);
  }
  device->list_failed = false;
  if (device->attach_at_ms <= now_ms) attach(device);
  if (device->token_at_ms <= now_ms) give_token(device);
  if (device->connecting && device->connect_at_ms <= now_ms) connect_now(device);
  if (sdb_replica_deadline_ms(device->replica) <= now_ms)
    sdb_replica_on_timer(device->replica, now_ms);
  sim_device_drain(device);
}
