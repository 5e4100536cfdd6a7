/* wip */
#include "sim/failure.h"
#include "sim/world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static sim_report rep;
static void say(void) {
  if (rep.kind[0])
    fprintf(stderr, "FAILED seed %llu at %llu ms: %s: %s\n", (unsigned long long)rep.seed,
        (unsigned long long)rep.at_ms, rep.kind, rep.message);
}
int main(int argc, char **argv) {
  uint64_t a = 1, b = 100;
  sim_storages st = SIM_ALL_MEMORY;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--trace"))
      sim_trace_on = true;
    else if (!strcmp(argv[i], "--sqlite"))
      st = SIM_ALL_SQLITE;
    else if (!strcmp(argv[i], "--mixed"))
      st = SIM_MIXED;
    else if (!strcmp(argv[i], "--seeds")) {
      sscanf(argv[++i], "%lu..%lu", &a, &b);
    } else if (!strcmp(argv[i], "--seed"))
      a = b = strtoull(argv[++i], 0, 10);
  }
  sim_report_to(&rep);
  (void)say;
  sim_stats s = {0};
  double t = seconds();
  for (uint64_t i = a; i <= b; i++)
    sim_world_live(i, st, NULL, &s);
  t = seconds() - t;
  printf("%lu worlds, %lu sessions, %.0f sessions/s, steps %lu, events %lu, to server %lu, to "
         "devices %lu, days %.1f, crashes %lu commits %lu failed %lu rec %lu late %lu %.2fs\n",
      s.worlds, s.sessions, (double)s.sessions / t, s.steps, s.events_stored, s.messages_to_server,
      s.messages_to_devices, (double)s.time_ms / 86400000, s.crashes, s.commits, s.commits_failed,
      s.reconciled, s.late_doubles, t);
}
