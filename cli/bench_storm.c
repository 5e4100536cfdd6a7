/* cli/bench_storm.c: a reconnect storm: 2,000 devices of as many users, each of which missed 10
 * events, connect at the same moment. The time runs from the first connect to the moment when the
 * last device has its server_hello, its 10 events and its `synced`.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>

#define BENCH "storm"
#define USERS 2000
#define MISSED 10
#define HELLO_SIZE 192

typedef struct storm_run storm_run;

typedef struct storm_device {
  sdb_bench_device device;
  storm_run *storm;
  unsigned events;
  char hello[HELLO_SIZE];
} storm_device;

struct storm_run {
  sdb_bench *bench;
  const sdb_bench_server *server;
  storm_device *devices;
  unsigned done;
};

static void on_message(sdb_bench_device *device, const char *text, size_t size) {
  storm_device *self = device->tag;
  sdb_bench_message type = sdb_bench_message_type(text, size);
  if (type == SDB_BENCH_UPDATE) self->events++;
  if (type != SDB_BENCH_SYNCED) return;
  self->storm->done++;
  if (self->events != MISSED)
    sdb_bench_fail(self->storm->bench, "%s sent %u of %d missed events to device %u",
        self->storm->server->name, self->events, MISSED, device->index);
}

/* Pushes the events, and writes each device's hello: its head is its user's first event. */
static bool push_events(storm_run *storm) {
  sdb_bench_pushers pushers = {.group = BENCH,
      .users_count = USERS,
      .devices_per_user = 1,
      .in_flight = 4,
      .pushes_per_user = MISSED + 1};
  bool done = sdb_bench_pushers_open(&pushers, storm->bench, storm->server) &&
              sdb_bench_pushers_run(&pushers, 0, NULL);
  for (unsigned at = 0; done && at < USERS; at++) {
    storm_device *device = &storm->devices[at];
    snprintf(device->hello, HELLO_SIZE,
        "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"chatMessage\":\"%s\"}}}",
        sdb_bench_pushers_first_id(&pushers, at));
    device->events = 0;
  }
  sdb_bench_pushers_close(&pushers);
  return done;
}

static bool connect_at_once(storm_run *storm) {
  sdb_bench_loop loop;
  bool done = sdb_bench_loop_open(&loop, storm->bench);
  uint64_t deadline_ns = sdb_bench_patience_ns(), began_ns = sdb_bench_now_ns();
  for (unsigned at = 0; done && at < USERS; at++) {
    storm_device *self = &storm->devices[at];
    self->storm = storm;
    self->events = 0;
    self->device =
        (sdb_bench_device){.hello = self->hello, .message = on_message, .tag = self, .index = at};
    done = sdb_bench_device_connect(&loop, &self->device, storm->server, BENCH, at);
  }
  while (done && storm->done < USERS)
    done = sdb_bench_turn(&loop, deadline_ns, "every device to be in step");
  if (done) {
    char name[72];
    snprintf(name, sizeof(name), "%s: all %d devices in step", storm->server->name, USERS);
    sdb_bench_add(
        &storm->bench->report, BENCH, name, "ms", (double)(sdb_bench_now_ns() - began_ns) / 1e6);
  }
  for (unsigned at = 0; at < USERS; at++)
    sdb_bench_device_drop(&storm->devices[at].device);
  sdb_bench_loop_close(&loop);
  return done;
}

static bool measure_server(sdb_bench *bench, sdb_bench_server *server) {
  fprintf(stderr, "%s: %s\n", BENCH, server->name);
  storm_run storm = {
      .bench = bench, .server = server, .devices = calloc(USERS, sizeof(storm_device))};
  if (!storm.devices) return sdb_bench_fail(bench, "out of memory");
  bool done = sdb_bench_server_start(bench, server) && push_events(&storm);
  for (unsigned run = 0; done && run < bench->runs; run++) {
    storm.done = 0;
    done = connect_at_once(&storm);
  }
  free(storm.devices);
  if (done) return sdb_bench_server_stop(bench, server, false);
  sdb_bench_server_kill(server);
  return false;
}

bool sdb_bench_storm(sdb_bench *bench) {
  sdb_bench_server servers[SDB_BENCH_URLS_MAX];
  size_t count;
  sdb_bench_servers(bench, false, servers, &count);
  for (size_t at = 0; at < count; at++) {
    if (!measure_server(bench, &servers[at])) return false;
  }
  return true;
}
