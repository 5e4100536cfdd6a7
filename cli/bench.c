/* cli/bench.c: `syncdb bench`: starts servers, drives them from this process over real sockets, and
 * says how fast they are, beside what the project demands (docs/commands/bench.md).
 */
#include "bench.h"
#include "commands.h"
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TMPFS_MAGIC_NUMBER 0x01021994

static const char HELP[] =
    "usage: syncdb bench [OPTION...] [NAME...]\n"
    "\n"
    "Starts a server on a temporary database, drives it over real sockets from this process, and\n"
    "prints each figure, the median of its runs, beside its limit. NAME is one of:\n"
    "\n"
    "  pushes     durable pushes a second, 50 users with 2 devices, 16 and 1 in flight a user\n"
    "  catchup    100,000 missed events to one device, and another user's pushes meanwhile\n"
    "  idle       memory of the server for each of 10,000 idle connections\n"
    "  storm      2,000 devices with 10 missed events each connect at once\n"
    "  partials   100 streams of 400 appended tokens to 2 devices each\n"
    "  storage    the storage alone, without sockets\n"
    "\n"
    "Without NAME all of them. Where --node names it, the Node server of bench/node runs beside.\n"
    "\n"
    "  --runs N          runs of each, 1 to 25; 5 unless told\n"
    "  --seconds S       how long one measurement of pushes lasts; 3 unless told\n"
    "  --json FILE       write the figures to FILE as JSON too\n"
    "  --server URL      measure a server that runs already (with --dev-auth), instead of our "
    "own;\n"
    "                    may be given several times\n"
    "  --node FILE       bench/node/server.mjs, its packages installed beside it\n"
    "  --directory DIR   where databases are made; $TMPDIR or /var/tmp unless told\n"
    "  --help            this text\n"
    "\n"
    "Exit status: 0 measured (whether the limits were met or missed), 1 a benchmark failed, 2 bad\n"
    "usage.\n";

typedef struct benchmark {
  const char *name;
  bool (*run)(sdb_bench *bench);
} benchmark;

static const benchmark BENCHMARKS[] = {
    {"pushes", sdb_bench_pushes},
    {"catchup", sdb_bench_catch_up},
    {"idle", sdb_bench_idle},
    {"storm", sdb_bench_storm},
    {"partials", sdb_bench_partials},
    {"storage", sdb_bench_storage},
};
#define BENCHMARKS_COUNT (sizeof(BENCHMARKS) / sizeof(BENCHMARKS[0]))

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
  (void)number;
  interrupted = 1;
}

bool sdb_bench_interrupted(void) {
  return interrupted != 0;
}

bool sdb_bench_fail(sdb_bench *bench, const char *format, ...) {
  char text[sizeof(bench->error)];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  /* The first failure is the cause, what follows it is not. */
  if (!bench->error[0]) memcpy(bench->error, text, sizeof(text));
  return false;
}

/* ---- the command line ---- */

typedef struct bench_arguments {
  const char *json, *directory;
  bool chosen[BENCHMARKS_COUNT];
} bench_arguments;

static int bad_usage(const char *what, const char *which) {
  fprintf(stderr, "syncdb bench: %s%s\nTry `syncdb bench --help`.\n", what, which);
  return 2;
}

static int take_option(sdb_bench *bench, bench_arguments *arguments, int option) {
  char *end = NULL, error[SDB_WS_CLIENT_ERROR_SIZE];
  sdb_ws_endpoint endpoint;
  switch (option) {
  case 'r':
    bench->runs = (unsigned)strtoul(optarg, &end, 10);
    if (*end || bench->runs < 1 || bench->runs > SDB_BENCH_RUNS_MAX)
      return bad_usage("--runs wants 1 to 25, not ", optarg);
    return 0;
  case 's':
    bench->seconds = strtod(optarg, &end);
    if (*end || !(bench->seconds >= 0.05 && bench->seconds <= 3600))
      return bad_usage("--seconds wants 0.05 to 3600, not ", optarg);
    return 0;
  case 'u':
    if (!sdb_ws_url_parse(optarg, &endpoint, error)) return bad_usage(error, "");
    if (bench->urls_count == SDB_BENCH_URLS_MAX) return bad_usage("too many servers", "");
    bench->urls[bench->urls_count++] = optarg;
    return 0;
  case 'n':
    if (!realpath(optarg, bench->node_server)) return bad_usage("there is no ", optarg);
    return 0;
  case 'j':
    arguments->json = optarg;
    return 0;
  case 'd':
    arguments->directory = optarg;
    return 0;
  case 'h':
    fputs(HELP, stdout);
    return 1;
  case ':':
    return bad_usage("a value is missing behind the last option", "");
  default:
    return bad_usage("unknown option", "");
  }
}

static int choose(bench_arguments *arguments, char **names, int count) {
  for (int at = 0; at < count; at++) {
    bool known = false;
    for (size_t which = 0; which < BENCHMARKS_COUNT; which++) {
      if (strcmp(names[at], BENCHMARKS[which].name) != 0) continue;
      arguments->chosen[which] = known = true;
    }
    if (!known) return bad_usage("no benchmark is called ", names[at]);
  }
  for (size_t which = 0; count == 0 && which < BENCHMARKS_COUNT; which++)
    arguments->chosen[which] = true;
  return 0;
}

/* 0 to go on, 1 when all is done, 2 for bad usage. */
static int parse_arguments(int argc, char **argv, sdb_bench *bench, bench_arguments *arguments) {
  static const struct option OPTIONS[] = {{"runs", required_argument, NULL, 'r'},
      {"seconds", required_argument, NULL, 's'}, {"json", required_argument, NULL, 'j'},
      {"server", required_argument, NULL, 'u'}, {"node", required_argument, NULL, 'n'},
      {"directory", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0}};
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, ":", OPTIONS, NULL)) != -1;) {
    int status = take_option(bench, arguments, option);
    if (status) return status;
  }
  return choose(arguments, argv + optind, argc - optind);
}

/* ---- the run ---- */

/* 10,000 connections need as many descriptors, here and in the servers, which inherit the limit. */
static void raise_descriptor_limit(void) {
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0) return;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
}

static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

static void find_programs(sdb_bench *bench) {
  char path[PATH_MAX] = "";
  ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (size > 0) path[size] = 0;
  snprintf(bench->programs, sizeof(bench->programs), "%.500s", dirname(path));
}

static void warn_of_memory(const char *directory) {
  struct statfs status;
  if (statfs(directory, &status) == 0 && status.f_type == TMPFS_MAGIC_NUMBER) {
    fprintf(stderr, "syncdb bench: %s is in memory, where a sync costs nothing: use --directory\n",
        directory);
  }
}

static bool run_chosen(sdb_bench *bench, const bench_arguments *arguments) {
  bool all = true;
  for (size_t which = 0; which < BENCHMARKS_COUNT && !interrupted; which++) {
    if (!arguments->chosen[which]) continue;
    bench->error[0] = 0;
    if (BENCHMARKS[which].run(bench)) continue;
    fprintf(stderr, "syncdb bench: %s: %s\n", BENCHMARKS[which].name, bench->error);
    all = false;
  }
  return all && !interrupted;
}

static bool write_json(const sdb_bench *bench, const char *path) {
  char settings[128];
  snprintf(settings, sizeof(settings), "{\"runs\":%u,\"seconds\":%g}", bench->runs, bench->seconds);
  if (sdb_bench_report_write(&bench->report, settings, path)) return true;
  fprintf(stderr, "syncdb bench: cannot write %s: %s\n", path, strerror(errno));
  return false;
}

static int run(sdb_bench *bench, const bench_arguments *arguments) {
  const char *directory = arguments->directory ? arguments->directory : getenv("TMPDIR");
  if (!directory || !directory[0]) directory = "/var/tmp";
  raise_descriptor_limit();
  catch_signals();
  if (getrandom(&bench->salt, sizeof(bench->salt), 0) < 0) bench->salt = (uint32_t)getpid();
  find_programs(bench);
  warn_of_memory(directory);
  if (!sdb_bench_root_create(bench, directory)) {
    fprintf(stderr, "syncdb bench: %s\n", bench->error);
    return 1;
  }
  if (!bench->node_server[0])
    fprintf(stderr, "syncdb bench: no --node, so there is nothing to compare with\n");
  bool good = run_chosen(bench, arguments);
  sdb_bench_root_remove(bench);
  sdb_bench_report_print(&bench->report, stdout);
  if (arguments->json && !write_json(bench, arguments->json)) good = false;
  return good ? 0 : 1;
}

int sdb_bench_run(int argc, char **argv) {
  sdb_bench bench = {.runs = 5, .seconds = 3};
  bench_arguments arguments = {0};
  int status = parse_arguments(argc, argv, &bench, &arguments);
  if (status == 0)
    status = run(&bench, &arguments);
  else if (status == 1)
    status = 0;
  sdb_bench_report_free(&bench.report);
  return status;
}
