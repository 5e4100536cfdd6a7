/* sim/run.c: see run.h.
 *
 * Workers take their seeds from a counter in shared memory, so which worker lives which seed is not
 * determined; what happens in a seed is.
 */
#include "sim/run.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHRINK_TRY_SECONDS 20
#define WORLD_SECONDS 300 /* more than any world takes: what hangs is a failure too */

/* What the processes share. */
typedef struct shared {
  _Atomic uint64_t next, sessions;
  _Atomic bool stop;
  sim_report reports[SIM_JOBS_MAX];
  sim_stats stats[SIM_JOBS_MAX];
} shared;

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *share(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) return memory;
  perror("mmap");
  exit(2);
}

static pid_t fork_or_exit(void) {
  pid_t child = fork();
  if (child >= 0) return child;
  perror("fork");
  exit(2);
}

/* How a process ended that did not say what failed. */
static void note_end(sim_report *report, int status) {
  if (report->kind[0]) return;
  if (WIFSIGNALED(status)) {
    bool slow = WTERMSIG(status) == SIGALRM;
    snprintf(report->kind, sizeof(report->kind), slow ? "it ends" : "it does not crash");
    snprintf(report->message, sizeof(report->message),
        slow ? "it ran too long" : "signal %d: an assertion of the library, or a wild pointer",
        WTERMSIG(status));
  } else {
    snprintf(report->kind, sizeof(report->kind), "it does not crash");
    snprintf(report->message, sizeof(report->message), "exit code %d: a sanitizer's report",
        WEXITSTATUS(status));
  }
}

/* ---- many ---- */

static void add(sim_stats *to, const sim_stats *from) {
  uint64_t *sum = (uint64_t *)(void *)to;
  const uint64_t *more = (const uint64_t *)(const void *)from;
  _Static_assert(sizeof(sim_stats) % sizeof(uint64_t) == 0, "counters only");
  for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
    sum[i] += more[i];
}

static bool is_enough(const sim_run_options *options, const shared *all, double end) {
  if (atomic_load(&all->stop)) return true;
  if (options->sessions > 0 && atomic_load(&all->sessions) >= options->sessions) return true;
  return options->seconds > 0 && now_seconds() >= end;
}

static _Noreturn void work(const sim_run_options *options, shared *all, uint32_t job, double end) {
  sim_stats *stats = &all->stats[job];
  sim_report_to(&all->reports[job]);
  while (!is_enough(options, all, end)) {
    uint64_t seed = atomic_fetch_add(&all->next, 1);
    if (seed > options->last || seed < options->first) break;
    uint64_t before = stats->sessions;
    alarm(WORLD_SECONDS);
    sim_world_live(seed, options->storages, NULL, stats);
    atomic_fetch_add(&all->sessions, stats->sessions - before);
  }
  _exit(0);
}

bool sim_run_seeds(const sim_run_options *options, sim_stats *stats, sim_report *report) {
  shared *all = share(sizeof(*all));
  pid_t workers[SIM_JOBS_MAX];
  double end = now_seconds() + options->seconds;
  bool good = true;
  atomic_store(&all->next, options->first);
  for (uint32_t i = 0; i < options->jobs; i++) {
    workers[i] = fork_or_exit();
    if (workers[i] == 0) work(options, all, i, end);
  }
  for (uint32_t left = options->jobs; left > 0; left--) {
    int status;
    pid_t ended = wait(&status);
    if (ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    atomic_store(&all->stop, true);
    for (uint32_t i = 0; i < options->jobs && good; i++) {
      if (workers[i] != ended) continue;
      note_end(&all->reports[i], status);
      *report = all->reports[i];
    }
    good = false;
  }
  for (uint32_t i = 0; i < options->jobs; i++)
    add(stats, &all->stats[i]);
  munmap(all, sizeof(*all));
  return good;
}

/* ---- one ---- */

static bool run_one(sim_report *report, uint64_t seed, sim_storages storages, const sim_mask *mask,
    bool trace, uint32_t seconds) {
  memset(report, 0, sizeof(*report));
  fflush(stdout);
  pid_t child = fork_or_exit();
  if (child == 0) {
    sim_stats stats = {0};
    sim_report_to(report);
    sim_trace_on = trace;
    alarm(seconds);
    sim_world_live(seed, storages, mask, &stats);
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  note_end(report, status);
  return false;
}

bool sim_run_one(uint64_t seed, sim_storages storages, const sim_mask *mask, bool trace,
    uint32_t seconds, sim_report *report) {
  sim_report *told = share(sizeof(*told));
  bool good = run_one(told, seed, storages, mask, trace, seconds);
  *report = *told;
  munmap(told, sizeof(*told));
  return good;
}

/* ---- shrinking ---- */

typedef struct shrinking {
  uint64_t seed;
  sim_storages storages;
  const char *kind;
  sim_report *report; /* shared */
  double end;
  size_t left[SIM_ACTIONS_MAX]; /* the actions that are in */
  size_t count;
} shrinking;

static void mask_of(const shrinking *s, size_t from, size_t to, sim_mask *mask) {
  memset(mask, true, sizeof(*mask));
  for (size_t i = 0; i < s->count; i++)
    mask->left_out[s->left[i]] = i >= from && i < to;
}

/* Tries without the actions from..to. True: it fails all the same, and they are out. */
static bool leave_out(shrinking *s, size_t from, size_t to) {
  sim_mask mask;
  mask_of(s, from, to, &mask);
  bool good = run_one(s->report, s->seed, s->storages, &mask, false, SHRINK_TRY_SECONDS);
  if (good || strcmp(s->report->kind, s->kind) != 0) return false;
  memmove(&s->left[from], &s->left[to], (s->count - to) * sizeof(s->left[0]));
  s->count -= to - from;
  return true;
}

size_t sim_shrink(
    uint64_t seed, sim_storages storages, const char *kind, uint32_t seconds, sim_mask *mask) {
  shrinking s = {.seed = seed, .storages = storages, .kind = kind};
  static sim_plan plan;
  sim_plan_make(&plan, seed, storages);
  s.report = share(sizeof(*s.report));
  s.end = now_seconds() + seconds;
  for (s.count = 0; s.count < plan.actions_count; s.count++)
    s.left[s.count] = s.count;
  for (size_t size = s.count / 2; size > 0; size = size > 1 ? (size + 1) / 2 : 0) {
    bool any = true;
    while (any && now_seconds() < s.end) {
      any = false;
      /* From the end: what comes after the failure is not needed at all. */
      for (size_t to = s.count; to > 0 && now_seconds() < s.end; to = to > size ? to - size : 0)
        any |= leave_out(&s, to > size ? to - size : 0, to < s.count ? to : s.count);
      any &= size == 1;
    }
  }
  mask_of(&s, 0, 0, mask);
  munmap(s.report, sizeof(*s.report));
  return s.count;
}
