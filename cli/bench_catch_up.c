/* cli/bench_catch_up.c: a device that missed 100,000 events, and what it costs others.
 *
 * The events are pushed first; then the server is started anew, so that its memory before is that
 * of a server at rest. The catch-ups are measured alone; then another user pushes, one at a time,
 * first alone and then while a second process does one catch-up after another.
 */
#include "bench.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BENCH "catchup"
#define EVENTS 100000
#define BESIDE_SECONDS_MIN 2.0 /* several catch-ups have to end in it */
#define LOAD_IN_FLIGHT 256
#define READING_GROUP "reader"
#define PUSHING_GROUP "pusher"

/* One device catching up. */
typedef struct catch_up_reader {
  sdb_bench *bench;
  sdb_bench_device device;
  uint64_t events, first_ns, synced_ns;
} catch_up_reader;

static void on_message(sdb_bench_device *device, const char *text, size_t size) {
  catch_up_reader *reader = device->tag;
  sdb_bench_message type = sdb_bench_message_type(text, size);
  if (type == SDB_BENCH_UPDATE && reader->events++ == 0) reader->first_ns = device->loop->now_ns;
  if (type == SDB_BENCH_SYNCED) reader->synced_ns = sdb_bench_now_ns();
  if (type == SDB_BENCH_ERROR) sdb_bench_fail(reader->bench, "error: %.200s", text);
}

static bool catch_up(sdb_bench *bench, const sdb_bench_server *server, catch_up_reader *reader) {
  sdb_bench_loop loop;
  memset(reader, 0, sizeof(*reader));
  reader->bench = bench;
  reader->device.message = on_message;
  reader->device.tag = reader;
  uint64_t deadline_ns = sdb_bench_patience_ns();
  bool done = sdb_bench_loop_open(&loop, bench) &&
              sdb_bench_device_connect(&loop, &reader->device, server, READING_GROUP, 0);
  while (done && !reader->synced_ns)
    done = sdb_bench_turn(&loop, deadline_ns, "the end of the catch-up");
  sdb_bench_device_drop(&reader->device);
  sdb_bench_loop_close(&loop);
  if (!done) return false;
  return reader->events == EVENTS || sdb_bench_fail(bench, "%s sent %llu of %d missed events",
                                         server->name, (unsigned long long)reader->events, EVENTS);
}

static bool push_events(sdb_bench *bench, const sdb_bench_server *server) {
  sdb_bench_pushers pushers = {.users_count = 1,
      .devices_per_user = 1,
      .in_flight = LOAD_IN_FLIGHT,
      .pushes_per_user = EVENTS,
      .group = READING_GROUP};
  bool done =
      sdb_bench_pushers_open(&pushers, bench, server) && sdb_bench_pushers_run(&pushers, 0, NULL);
  sdb_bench_pushers_close(&pushers);
  return done;
}

static void add(sdb_bench *bench, const sdb_bench_server *server, const char *what,
    const char *unit, double value) {
  char name[72];
  snprintf(name, sizeof(name), "%.24s: %.44s", server->name, what);
  sdb_bench_add(&bench->report, BENCH, name, unit, value);
}

/* ---- catch-ups alone ---- */

static bool measure_alone(sdb_bench *bench, const sdb_bench_server *server) {
  long before_first = server->pid ? sdb_bench_memory_settled_kib(server) : 0;
  for (unsigned run = 0; run < bench->runs; run++) {
    catch_up_reader reader;
    long before = server->pid ? sdb_bench_memory_settled_kib(server) : 0;
    double cpu_before = sdb_bench_cpu_seconds(server);
    sdb_bench_memory_reset_peak(server);
    if (!catch_up(bench, server, &reader)) return false;
    add(bench, server, "first event after the hello", "ms",
        (double)(reader.first_ns - reader.device.said_hello_ns) / 1e6);
    add(bench, server, "events", "/s",
        EVENTS / ((double)(reader.synced_ns - reader.device.said_hello_ns) / 1e9));
    if (!server->pid) continue;
    add(bench, server, "processor time an event", "us",
        (sdb_bench_cpu_seconds(server) - cpu_before) * 1e6 / EVENTS);
    double peak = (double)sdb_bench_memory_kib(server, "VmHWM");
    if (run == 0) {
      add(bench, server, "memory before", "MiB", (double)before_first / 1024);
      add(bench, server, "memory grown, first catch-up", "MiB", (peak - (double)before) / 1024);
    }
    add(bench, server, "memory grown", "MiB", (peak - (double)before) / 1024);
  }
  if (server->pid) {
    double after = (double)sdb_bench_memory_settled_kib(server);
    add(bench, server, "memory grown, after all", "MiB", (after - (double)before_first) / 1024);
  }
  return true;
}

/* ---- another user meanwhile ---- */

/* Does catch-ups until it is killed, and counts them. */
static pid_t start_catch_ups(
    sdb_bench *bench, const sdb_bench_server *server, volatile unsigned *finished) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  catch_up_reader reader;
  while (catch_up(bench, server, &reader))
    (*finished)++;
  _exit(1);
}

static bool measure_pusher(sdb_bench *bench, sdb_bench_pushers *pushers, const char *when) {
  char what[40];
  double seconds = bench->seconds > BESIDE_SECONDS_MIN ? bench->seconds : BESIDE_SECONDS_MIN;
  if (!sdb_bench_pushers_run(pushers, seconds, NULL)) return false;
  snprintf(what, sizeof(what), "other user's push, %.10s, p50", when);
  add(bench, pushers->server, what, "us", sdb_bench_histogram_us(&pushers->acknowledged, 0.5));
  snprintf(what, sizeof(what), "other user's push, %.10s, p99", when);
  add(bench, pushers->server, what, "us", sdb_bench_histogram_us(&pushers->acknowledged, 0.99));
  return true;
}

static bool measure_both(
    sdb_bench *bench, sdb_bench_pushers *pushers, volatile unsigned *finished) {
  if (!measure_pusher(bench, pushers, "alone")) return false;
  unsigned before = *finished;
  pid_t child = start_catch_ups(bench, pushers->server, finished);
  if (child < 0) return sdb_bench_fail(bench, "cannot start a process");
  bool done = measure_pusher(bench, pushers, "meanwhile");
  bool ended = waitpid(child, NULL, WNOHANG) != 0;
  if (!ended) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
  }
  if (done && ended) return sdb_bench_fail(bench, "a catch-up failed beside pushes");
  if (done && *finished == before)
    return sdb_bench_fail(bench, "no catch-up ended while pushes were measured");
  if (done) add(bench, pushers->server, "catch-ups meanwhile", "", *finished - before);
  return done;
}

static bool measure_meanwhile(sdb_bench *bench, const sdb_bench_server *server) {
  sdb_bench_pushers pushers = {
      .users_count = 1, .devices_per_user = 2, .in_flight = 1, .group = PUSHING_GROUP};
  volatile unsigned *finished =
      mmap(NULL, sizeof(*finished), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (finished == MAP_FAILED) return sdb_bench_fail(bench, "out of memory");
  bool done =
      sdb_bench_pushers_open(&pushers, bench, server) && sdb_bench_pushers_run(&pushers, 0.5, NULL);
  for (unsigned run = 0; done && run < bench->runs; run++)
    done = measure_both(bench, &pushers, finished);
  done = done && sdb_bench_pushers_drain(&pushers);
  sdb_bench_pushers_close(&pushers);
  munmap((void *)(uintptr_t)finished, sizeof(*finished));
  return done;
}

/* ---- the benchmark ---- */

static bool measure_server(sdb_bench *bench, sdb_bench_server *server) {
  fprintf(stderr, "%s: %s\n", BENCH, server->name);
  bool done = sdb_bench_server_start(bench, server) && push_events(bench, server) &&
              sdb_bench_server_stop(bench, server, true) && sdb_bench_server_start(bench, server) &&
              measure_alone(bench, server) && measure_meanwhile(bench, server);
  if (done) return sdb_bench_server_stop(bench, server, false);
  sdb_bench_server_kill(server);
  return false;
}

static void set_limits(sdb_bench *bench) {
  sdb_bench_report *report = &bench->report;
  sdb_bench_limit(report, BENCH, "syncdb: first event after the hello", SDB_BENCH_AT_MOST, 20);
  sdb_bench_limit(report, BENCH, "syncdb: events", SDB_BENCH_AT_LEAST, 500000);
  sdb_bench_limit(report, BENCH, "syncdb: memory grown", SDB_BENCH_AT_MOST, 4);
  sdb_bench_limit(report, BENCH, "syncdb: memory grown, first catch-up", SDB_BENCH_AT_MOST, 4);
  const sdb_bench_figure *alone =
      sdb_bench_figure_of(report, BENCH, "syncdb: other user's push, alone, p99", "us");
  double limit = alone ? 2 * sdb_bench_median(alone) : 0;
  sdb_bench_limit(
      report, BENCH, "syncdb: other user's push, meanwhile, p99", SDB_BENCH_AT_MOST, limit);
}

bool sdb_bench_catch_up(sdb_bench *bench) {
  sdb_bench_server servers[SDB_BENCH_URLS_MAX];
  size_t count;
  sdb_bench_servers(bench, false, servers, &count);
  for (size_t at = 0; at < count; at++) {
    if (!measure_server(bench, &servers[at])) return false;
  }
  set_limits(bench);
  return true;
}
