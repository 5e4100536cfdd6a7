/* cli/bench_storage.c: the storage alone, without sockets: runs storage_bench, which lies beside
 * the command, and reads the JSON that it prints:
 *
 *   {"rows":N,"writes":[{"users":N,"bare_rows_per_s":N,"rows_per_s":N,"ratio":N,...}],
 *    "pages":{"tail_events_per_s":N,...}}
 *
 * The limits are parts of the bare append that the same run measured.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BENCH "storage"
#define OUTPUT_BYTES_MAX (64 * 1024)
#define PART_OF_APPEND_TARGET 0.5

/* The number behind `key` (with its quotes), from `text` on; false where there is none. */
static bool number_behind(const char *text, const char *key, double *number) {
  const char *at = strstr(text, key);
  if (!at || at[strlen(key)] != ':') return false;
  *number = strtod(at + strlen(key) + 1, NULL);
  return true;
}

static void add_writes(sdb_bench *bench, const char *one) {
  double users, bare, rows, part;
  if (!number_behind(one, "\"users\"", &users) ||
      !number_behind(one, "\"bare_rows_per_s\"", &bare) ||
      !number_behind(one, "\"rows_per_s\"", &rows) || !number_behind(one, "\"ratio\"", &part))
    return;
  char name[72];
  snprintf(name, sizeof(name), "%.0f users: bare append", users);
  sdb_bench_add(&bench->report, BENCH, name, "/s", bare);
  snprintf(name, sizeof(name), "%.0f users: rows", users);
  sdb_bench_add(&bench->report, BENCH, name, "/s", rows);
  snprintf(name, sizeof(name), "%.0f users: part of the bare append", users);
  sdb_bench_add(&bench->report, BENCH, name, "", part);
  if (users == 1000)
    sdb_bench_limit(&bench->report, BENCH, name, SDB_BENCH_AT_LEAST, 0.25);
  else if (users == 1000000)
    sdb_bench_limit(&bench->report, BENCH, name, SDB_BENCH_AT_LEAST, 1.0 / 6);
  sdb_bench_target(&bench->report, BENCH, name, PART_OF_APPEND_TARGET);
}

static bool add_figures(sdb_bench *bench, const char *json) {
  static const char *const PAGES[][2] = {{"\"tail_events_per_s\"", "pages from the tail, events"},
      {"\"runs_events_per_s\"", "pages from runs, events"},
      {"\"among_others_events_per_s\"", "pages among others' events, events"}};
  const char *writes = strstr(json, "\"users\"");
  if (!writes) return sdb_bench_fail(bench, "storage_bench printed no figures: %.200s", json);
  for (; writes; writes = strstr(writes + 1, "\"users\""))
    add_writes(bench, writes);
  for (size_t at = 0; at < sizeof(PAGES) / sizeof(PAGES[0]); at++) {
    double value;
    if (number_behind(json, PAGES[at][0], &value))
      sdb_bench_add(&bench->report, BENCH, PAGES[at][1], "/s", value);
  }
  return true;
}

bool sdb_bench_storage(sdb_bench *bench) {
  static char output[OUTPUT_BYTES_MAX];
  char program[SDB_BENCH_PATH_SIZE + 32];
  snprintf(program, sizeof(program), "%s/storage_bench", bench->programs);
  if (access(program, X_OK) != 0) {
    fprintf(stderr, "%s: left out, it needs %s\n", BENCH, program);
    return true;
  }
  const char *const arguments[] = {program, "--json", "--dir", bench->root, NULL};
  for (unsigned run = 0; run < bench->runs; run++) {
    fprintf(stderr, "%s: run %u\n", BENCH, run + 1);
    if (!sdb_bench_program_output(bench, arguments, output, sizeof(output))) return false;
    if (!add_figures(bench, output)) return false;
  }
  return true;
}
