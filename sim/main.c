/* sim/main.c: the command: runs seeds, tells what failed and how to see it again. */
#include "base/planted.h"
#include "sim/cases.h"
#include "sim/run.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHRINK_SECONDS 60
#define ONE_SECONDS 600

static const char HELP[] =
    "usage: sim [options]\n"
    "Lives simulated worlds: a server, devices, a network and disks that fail, one seed each.\n"
    "\n"
    "  --seeds A..B       these seeds (1..100); A.. for all from A on\n"
    "  --seed N           one seed\n"
    "  --sessions N       as many seeds as it takes for so many sessions: a session is one\n"
    "                     connection of one device that the server greeted\n"
    "  --seconds N        as many seeds as fit into so many seconds\n"
    "  --jobs N           processes (the number of cores)\n"
    "  --storage KIND     memory, sqlite, or mixed (the default: the seed decides)\n"
    "  --trace            with --seed: every message, and what happens in between\n"
    "  --without LIST     with --seed: leave out these actions of its plan, as 3,7-12\n"
    "  --here             in this process, one after the other: for a debugger\n"
    "  --no-shrink        a seed that fails is told as it is\n"
    "  --cases            the seeds that found defects once\n"
    "  --fault NAME       plant a fault of the library (builds with SYNCDB_PLANTED_FAULTS only)\n"
    "  --faults           the names of those faults\n"
    "\n"
    "Exit code: 0, nothing failed; 1, something did; 2, wrong use.\n";

typedef struct command {
  sim_run_options run;
  sim_mask mask;
  const char *fault; /* NULL: none is planted */
  bool seeds, one, trace, masked, here, shrinks, cases;
} command;

static _Noreturn void misused(const char *why, const char *what) {
  fprintf(stderr, "sim: %s%s\n%s", why, what, HELP);
  exit(2);
}

/* ---- the command line ---- */

#define SEED_MAX (UINT64_MAX / 2)

static uint64_t number(const char *text, const char **end) {
  char *stop;
  errno = 0;
  uint64_t value = strtoull(text, &stop, 10);
  bool digits = *text >= '0' && *text <= '9';
  if (!digits || errno != 0 || value > SEED_MAX) misused("not a number that can be used: ", text);
  *end = stop;
  return value;
}

static uint64_t whole_number(const char *text, uint64_t low, uint64_t high) {
  const char *end;
  uint64_t value = number(text, &end);
  if (*end || value < low || value > high) misused("not a number that can be used: ", text);
  return value;
}

static void read_seeds(command *c, const char *text) {
  const char *end;
  c->run.first = number(text, &end);
  if (strncmp(end, "..", 2) != 0) misused("not A..B: ", text);
  c->run.last = end[2] ? whole_number(end + 2, c->run.first, SEED_MAX) : SEED_MAX;
  c->seeds = true;
}

static void read_mask(command *c, const char *text) {
  c->masked = true;
  for (const char *at = text; *at;) {
    uint64_t from = number(at, &at), to = from;
    if (*at == '-') to = number(at + 1, &at);
    if (to >= SIM_ACTIONS_MAX || from > to) misused("no such actions: ", text);
    for (uint64_t i = from; i <= to; i++)
      c->mask.left_out[i] = true;
    if (*at == ',') at++;
  }
}

static sim_storages read_storage(const char *text) {
  if (strcmp(text, "memory") == 0) return SIM_ALL_MEMORY;
  if (strcmp(text, "sqlite") == 0) return SIM_ALL_SQLITE;
  if (strcmp(text, "mixed") == 0) return SIM_MIXED;
  misused("no storage is called ", text);
}

static const struct {
  const char *name, *text;
} FAULTS[] = {
#define FAULT(name, text) {#name, text},
    SDB_PLANTED_FAULTS(FAULT)
#undef FAULT
};

#ifdef SYNCDB_PLANTED_FAULTS
sdb_planted_fault sdb_planted;
#endif

static void plant(const char *name) {
#ifdef SYNCDB_PLANTED_FAULTS
  for (size_t i = 0; i < SDB_COUNT_OF(FAULTS); i++) {
    if (strcmp(name, FAULTS[i].name) != 0) continue;
    sdb_planted = (sdb_planted_fault)(i + 1);
    return;
  }
  misused("no fault is called ", name);
#else
  (void)name;
  misused("this build has no planted faults", "");
#endif
}

static void list_faults(void) {
  for (size_t i = 0; i < SDB_COUNT_OF(FAULTS); i++)
    printf("%s  %s\n", FAULTS[i].name, FAULTS[i].text);
}

enum {
  SEEDS = 1,
  SEED,
  SESSIONS,
  SECONDS,
  JOBS,
  STORAGE,
  TRACE,
  WITHOUT,
  HERE,
  NO_SHRINK,
  CASES,
  FAULT_NAME,
  FAULT_LIST,
  HELPS
};

static void take_option(command *c, int option, const char *value) {
  switch (option) {
  case SEEDS:
    read_seeds(c, value);
    break;
  case SEED:
    c->one = true;
    c->run.first = c->run.last = whole_number(value, 0, SEED_MAX);
    break;
  case SESSIONS:
    c->run.sessions = whole_number(value, 1, SEED_MAX);
    break;
  case SECONDS:
    c->run.seconds = (uint32_t)whole_number(value, 1, UINT32_MAX);
    break;
  case JOBS:
    c->run.jobs = (uint32_t)whole_number(value, 1, SIM_JOBS_MAX);
    break;
  case STORAGE:
    c->run.storages = read_storage(value);
    break;
  case TRACE:
    c->trace = true;
    break;
  case WITHOUT:
    read_mask(c, value);
    break;
  case HERE:
    c->here = true;
    break;
  case NO_SHRINK:
    c->shrinks = false;
    break;
  case CASES:
    c->cases = true;
    break;
  case FAULT_NAME:
    plant(value);
    c->fault = value;
    break;
  case FAULT_LIST:
    list_faults();
    exit(0);
  case HELPS:
    fputs(HELP, stdout);
    exit(0);
  default:
    exit(2); /* getopt has said why */
  }
}

static void read_options(command *c, int argc, char **argv) {
  static const struct option OPTIONS[] = {{"seeds", required_argument, NULL, SEEDS},
      {"seed", required_argument, NULL, SEED}, {"sessions", required_argument, NULL, SESSIONS},
      {"seconds", required_argument, NULL, SECONDS}, {"jobs", required_argument, NULL, JOBS},
      {"storage", required_argument, NULL, STORAGE}, {"trace", no_argument, NULL, TRACE},
      {"without", required_argument, NULL, WITHOUT}, {"here", no_argument, NULL, HERE},
      {"no-shrink", no_argument, NULL, NO_SHRINK}, {"cases", no_argument, NULL, CASES},
      {"fault", required_argument, NULL, FAULT_NAME}, {"faults", no_argument, NULL, FAULT_LIST},
      {"help", no_argument, NULL, HELPS}, {NULL, 0, NULL, 0}};
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  *c = (command){.run = {.first = 1, .last = 100}, .shrinks = true};
  c->run.jobs = cores < 1 ? 1 : cores > SIM_JOBS_MAX ? SIM_JOBS_MAX : (uint32_t)cores;
  for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
    take_option(c, option, optarg);
  if (optind < argc) misused("what is this: ", argv[optind]);
  bool bounded = c->run.sessions > 0 || c->run.seconds > 0;
  if (!c->seeds && !c->one && bounded) c->run.last = SEED_MAX;
  if ((c->trace || c->masked) && !c->one) misused("--trace and --without need --seed", "");
  if (c->one && (c->seeds || bounded)) misused("--seed is one seed, whatever it takes", "");
  if (c->cases && (c->one || c->seeds || bounded)) misused("--cases has its own seeds", "");
}

/* ---- what is told ---- */

static const char *storage_name(sim_storages storages) {
  static const char *const NAMES[] = {"mixed", "memory", "sqlite"};
  return NAMES[storages];
}

static void tell_failure(const sim_report *report) {
  printf("FAILED: seed %" PRIu64 " at %" PRIu64 ".%03u s: %s: %s\n", report->seed,
      report->at_ms / 1000, (unsigned)(report->at_ms % 1000), report->kind, report->message);
}

static void print_mask(const sim_mask *mask) {
  const char *before = " --without ";
  for (size_t i = 0; i < SIM_ACTIONS_MAX; i++) {
    if (!mask->left_out[i]) continue;
    size_t to = i;
    while (to + 1 < SIM_ACTIONS_MAX && mask->left_out[to + 1])
      to++;
    if (to > i)
      printf("%s%zu-%zu", before, i, to);
    else
      printf("%s%zu", before, i);
    before = ",";
    i = to;
  }
}

/* A failing seed is a gift: what is left of it when all is left out that can be. */
static void tell_shrunk(const command *c, const sim_report *report) {
  sim_mask mask;
  sim_report again;
  printf("Shrinking it ...\n");
  size_t left = sim_shrink(report->seed, c->run.storages, report->kind, SHRINK_SECONDS, &mask);
  printf("%zu actions are left. The trace:\n", left);
  sim_run_one(report->seed, c->run.storages, &mask, true, ONE_SECONDS, &again);
  tell_failure(&again);
  printf("Again: sim --storage %s --seed %" PRIu64 " --trace", storage_name(c->run.storages),
      report->seed);
  if (c->fault) printf(" --fault %s", c->fault);
  print_mask(&mask);
  printf("\n");
}

static void tell_stats(const sim_stats *stats, double seconds) {
  printf("%" PRIu64 " worlds, %" PRIu64 " sessions, %.1f days of simulated time, in %.1f s: %.0f"
         " sessions a second\n",
      stats->worlds, stats->sessions, (double)stats->time_ms / 86400000, seconds,
      seconds > 0 ? (double)stats->sessions / seconds : 0);
  printf("%" PRIu64 " events stored, %" PRIu64 " messages to the server, %" PRIu64
         " to devices, %" PRIu64 " commits, %" PRIu64 " of them failed, %" PRIu64
         " crashes of the server, %" PRIu64 " within a commit, %" PRIu64 " pushes again past the"
         " window of client ids\n",
      stats->events_stored, stats->messages_to_server, stats->messages_to_devices, stats->commits,
      stats->commits_failed, stats->crashes, stats->reconciled, stats->late_doubles);
  for (size_t i = 0; i < SIM_ACTION_KINDS; i++)
    printf("%10" PRIu64 "  %s\n", stats->actions[i], sim_action_text((sim_action_kind)i));
}

/* ---- what is done ---- */

static bool run_here(const command *c) {
  sim_stats stats = {0};
  sim_trace_on = c->trace;
  for (uint64_t seed = c->run.first; seed <= c->run.last; seed++)
    sim_world_live(seed, c->run.storages, &c->mask, &stats);
  printf("%" PRIu64 " worlds are well.\n", stats.worlds);
  return true;
}

static bool run_one(const command *c) {
  sim_report report;
  bool good = sim_run_one(c->run.first, c->run.storages, &c->mask, c->trace, ONE_SECONDS, &report);
  if (good) {
    printf("Seed %" PRIu64 " is well.\n", c->run.first);
    return true;
  }
  tell_failure(&report);
  if (c->shrinks && !c->masked && !c->trace) tell_shrunk(c, &report);
  return false;
}

static bool run_cases(void) {
  sim_report report;
  bool good = true;
  for (const sim_case *one = SIM_CASES; one->name; one++) {
    printf("%s: ", one->name);
    if (sim_run_one(one->seed, one->storages, NULL, false, ONE_SECONDS, &report)) {
      printf("well\n");
      continue;
    }
    tell_failure(&report);
    good = false;
  }
  return good;
}

static bool run_many(const command *c) {
  sim_stats stats = {0};
  sim_report report;
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  bool good = sim_run_seeds(&c->run, &stats, &report);
  clock_gettime(CLOCK_MONOTONIC, &end);
  tell_stats(
      &stats, (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
  if (good) return true;
  tell_failure(&report);
  if (c->shrinks) tell_shrunk(c, &report);
  return false;
}

int main(int argc, char **argv) {
  static command c;
  read_options(&c, argc, argv);
  bool good = c.here ? run_here(&c) : c.cases ? run_cases() : c.one ? run_one(&c) : run_many(&c);
  return good ? 0 : 1;
}
