/* cli/bench_idle.c: what a connection costs that says nothing: 10,000 of them, each of another
 * user, each past its hello. The figure is the memory of the server's process (VmRSS), after minus
 * before, divided by their number; what the kernel holds for a socket is not in it.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BENCH "idle"
#define DEVICES 10000
#define CONNECTING_MAX 256
#define SPARE_DESCRIPTORS 64

static void on_message(sdb_bench_device *device, const char *text, size_t size) {
  unsigned *synced = device->tag;
  if (sdb_bench_message_type(text, size) == SDB_BENCH_SYNCED) (*synced)++;
}

static bool connect_all(sdb_bench_loop *loop, const sdb_bench_server *server,
    sdb_bench_device *devices, unsigned count) {
  unsigned synced = 0;
  uint64_t deadline_ns = sdb_bench_patience_ns();
  for (unsigned at = 0; at < count; at++) {
    devices[at].index = at;
    devices[at].tag = &synced;
    devices[at].message = on_message;
    if (!sdb_bench_device_connect(loop, &devices[at], server, BENCH, at)) return false;
    while (at + 1 - synced > CONNECTING_MAX) {
      if (!sdb_bench_turn(loop, deadline_ns, "connections")) return false;
    }
  }
  while (synced < count) {
    if (!sdb_bench_turn(loop, deadline_ns, "every idle device to be in step")) return false;
  }
  return true;
}

static bool measure(sdb_bench *bench, const sdb_bench_server *server) {
  sdb_bench_device *devices = calloc(DEVICES, sizeof(*devices));
  sdb_bench_loop loop = {.bench = bench};
  bool done = devices && sdb_bench_loop_open(&loop, bench);
  long before = sdb_bench_memory_settled_kib(server);
  done = done && connect_all(&loop, server, devices, DEVICES);
  if (done) {
    char name[72];
    long after = sdb_bench_memory_settled_kib(server);
    snprintf(name, sizeof(name), "%s: memory a connection", server->name);
    sdb_bench_add(&bench->report, BENCH, name, "KiB", (double)(after - before) / DEVICES);
  }
  for (size_t at = 0; devices && at < DEVICES; at++)
    sdb_bench_device_drop(&devices[at]);
  sdb_bench_loop_close(&loop);
  free(devices);
  return done;
}

static bool measure_server(sdb_bench *bench, sdb_bench_server *server) {
  if (server->kind == SDB_BENCH_URL) {
    fprintf(stderr, "%s: %s: left out, the memory of a server elsewhere cannot be seen\n", BENCH,
        server->name);
    return true;
  }
  fprintf(stderr, "%s: %s\n", BENCH, server->name);
  bool done = sdb_bench_server_start(bench, server) && measure(bench, server);
  if (done) return sdb_bench_server_stop(bench, server, false);
  sdb_bench_server_kill(server);
  return false;
}

bool sdb_bench_idle(sdb_bench *bench) {
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0 &&
      descriptors.rlim_cur < DEVICES + SPARE_DESCRIPTORS) {
    return sdb_bench_fail(bench, "%d connections need more file descriptors than %llu: ulimit -n",
        DEVICES, (unsigned long long)descriptors.rlim_cur);
  }
  sdb_bench_server servers[SDB_BENCH_URLS_MAX];
  size_t count;
  for (unsigned run = 0; run < bench->runs; run++) {
    sdb_bench_servers(bench, false, servers, &count);
    for (size_t at = 0; at < count; at++) {
      if (!measure_server(bench, &servers[at])) return false;
    }
  }
  sdb_bench_limit(&bench->report, BENCH, "syncdb: memory a connection", SDB_BENCH_AT_MOST, 5);
  return true;
}
