/* cli/bench_pushes.c: durable pushes a second: 150-byte objects, 50 users with 2 devices each, each
 * push acknowledged and on both devices before it counts.
 *
 * The servers take turns within a run, so that what else the machine does falls on all of them;
 * ratios are taken within a run. Every measurement has a fresh server on a fresh database and is
 * preceded by a second of the same load, which also lets Node's compiler do its work.
 */
#include "bench.h"
#include <string.h>

#define BENCH "pushes"
#define USERS 50
#define DEVICES 2
#define WARM_UP_SECONDS 1.0

typedef struct measured {
  double per_second, p50_us, p99_us, cpu_us;
} measured;

static bool measure(
    sdb_bench *bench, sdb_bench_server *server, unsigned in_flight, measured *result) {
  char group[24]; /* new users each time: a server that runs already has no history of theirs */
  snprintf(group, sizeof(group), "pushes%u", bench->pushers_opened);
  sdb_bench_pushers pushers = {
      .group = group, .users_count = USERS, .devices_per_user = DEVICES, .in_flight = in_flight};
  bool done = sdb_bench_server_start(bench, server) &&
              sdb_bench_pushers_open(&pushers, bench, server) &&
              sdb_bench_pushers_run(&pushers, WARM_UP_SECONDS, NULL);
  double cpu_before = sdb_bench_cpu_seconds(server);
  uint64_t completed_before = pushers.completed;
  done = done && sdb_bench_pushers_run(&pushers, bench->seconds, &result->per_second);
  if (done) {
    double cpu_seconds = sdb_bench_cpu_seconds(server) - cpu_before;
    result->cpu_us = cpu_seconds * 1e6 / (double)(pushers.completed - completed_before);
    result->p50_us = sdb_bench_histogram_us(&pushers.acknowledged, 0.5);
    result->p99_us = sdb_bench_histogram_us(&pushers.acknowledged, 0.99);
    done = sdb_bench_pushers_drain(&pushers);
  }
  sdb_bench_pushers_close(&pushers);
  if (done) return sdb_bench_server_stop(bench, server, false);
  sdb_bench_server_kill(server);
  return false;
}

static void add(
    sdb_bench *bench, const sdb_bench_server *server, unsigned in_flight, const measured *result) {
  static const char *const WHAT[] = {"", ", ack p50", ", ack p99", ", processor time a push"};
  const double values[] = {result->per_second, result->p50_us, result->p99_us, result->cpu_us};
  for (size_t at = 0; at < (server->kind == SDB_BENCH_URL ? 3 : 4); at++) {
    char name[72];
    snprintf(name, sizeof(name), "%u in flight: %.32s%s", in_flight, server->name, WHAT[at]);
    sdb_bench_add(&bench->report, BENCH, name, at == 0 ? "/s" : "us", values[at]);
  }
}

static void add_ratio(
    sdb_bench *bench, unsigned in_flight, const sdb_bench_server *server, double ratio) {
  bool turn = server->kind == SDB_BENCH_NODE_TURN;
  char name[72];
  snprintf(name, sizeof(name), "%u in flight: syncdb / %s", in_flight, server->name);
  sdb_bench_add(&bench->report, BENCH, name, "times", ratio);
  double least = in_flight == 1 ? (turn ? 1.3 : 6) : (turn ? 2.5 : 20);
  sdb_bench_limit(&bench->report, BENCH, name, SDB_BENCH_AT_LEAST, least);
}

static bool run_once(
    sdb_bench *bench, unsigned in_flight, sdb_bench_server *servers, size_t count) {
  measured results[SDB_BENCH_URLS_MAX] = {{0, 0, 0, 0}};
  for (size_t at = 0; at < count; at++) {
    fprintf(stderr, "%s, %u in flight: %s\n", BENCH, in_flight, servers[at].name);
    if (!measure(bench, &servers[at], in_flight, &results[at])) return false;
    add(bench, &servers[at], in_flight, &results[at]);
  }
  for (size_t at = 1; at < count; at++) {
    if (servers[0].kind == SDB_BENCH_SYNCDB)
      add_ratio(bench, in_flight, &servers[at], results[0].per_second / results[at].per_second);
  }
  return true;
}

/* Our acknowledgement with one in flight must come sooner than that of Node's group commit. */
static void limit_p50(sdb_bench *bench) {
  const sdb_bench_figure *theirs =
      sdb_bench_figure_of(&bench->report, BENCH, "1 in flight: node turn, ack p50", "us");
  if (theirs && theirs->count > 0) {
    sdb_bench_limit(&bench->report, BENCH, "1 in flight: syncdb, ack p50", SDB_BENCH_AT_MOST,
        sdb_bench_median(theirs));
  }
}

bool sdb_bench_pushes(sdb_bench *bench) {
  static const unsigned IN_FLIGHT[] = {16, 1};
  sdb_bench_server servers[SDB_BENCH_URLS_MAX];
  size_t count;
  for (size_t mode = 0; mode < 2; mode++) {
    for (unsigned run = 0; run < bench->runs; run++) {
      sdb_bench_servers(bench, true, servers, &count);
      if (!run_once(bench, IN_FLIGHT[mode], servers, count)) return false;
    }
  }
  limit_p50(bench);
  sdb_bench_target(&bench->report, BENCH, "16 in flight: syncdb", 300000);
  sdb_bench_target(&bench->report, BENCH, "1 in flight: syncdb", 80000);
  return true;
}
