/* cli/bench_server.c: the servers that are measured: child processes on temporary databases.
 *
 * A child leads no life of its own: it is killed when this process dies (PR_SET_PDEATHSIG), and
 * every way out of a benchmark ends it. Its standard error goes to a file beside its database; the
 * end of it is shown when it fails.
 */
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_PATIENCE_MS 30000
#define STOP_PATIENCE_MS 30000
#define ARGUMENTS_MAX 16

static const char STORES[] =
    "{\"stores\":[{\"name\":\"chat_message\",\"type\":\"event\",\n"
    "  "
    "\"schema\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"role\","
    "\"content\"],\n"
    "    \"properties\":{\"role\":{\"type\":\"string\"},\"content\":{\"type\":\"string\"}}},\n"
    "  \"rules\":{\"create\":{\"properties\":{\"role\":{\"const\":\"user\"}}},"
    "\"update\":false,\"delete\":true}}]}\n";

static void sleep_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* ---- the temporary directory ---- */

bool sdb_bench_root_create(sdb_bench *bench, const char *parent) {
  char path[SDB_BENCH_PATH_SIZE + 16];
  snprintf(bench->root, sizeof(bench->root), "%.400s/syncdb-bench-XXXXXX", parent);
  if (!mkdtemp(bench->root)) {
    bench->root[0] = 0;
    return sdb_bench_fail(bench, "cannot make a directory in %s: %s", parent, strerror(errno));
  }
  snprintf(path, sizeof(path), "%s/stores.json", bench->root);
  FILE *file = fopen(path, "w");
  bool written = file && fputs(STORES, file) >= 0;
  if (file && fclose(file) != 0) written = false;
  return written || sdb_bench_fail(bench, "cannot write %s: %s", path, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

static void remove_tree(const char *path) {
  if (path[0]) nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void sdb_bench_root_remove(sdb_bench *bench) {
  remove_tree(bench->root);
  bench->root[0] = 0;
}

/* ---- which servers, and their command lines ---- */

static void set_server(sdb_bench_server *server, sdb_bench_kind kind, const char *name) {
  memset(server, 0, sizeof(*server));
  server->kind = kind;
  server->name = name;
  server->output = -1;
}

void sdb_bench_servers(
    const sdb_bench *bench, bool each, sdb_bench_server *servers, size_t *count) {
  *count = 0;
  for (size_t at = 0; at < bench->urls_count; at++) {
    set_server(&servers[(*count)++], SDB_BENCH_URL, bench->urls[at]);
    snprintf(servers[at].url, sizeof(servers[at].url), "%s", bench->urls[at]);
  }
  if (bench->urls_count > 0) return;
  set_server(&servers[(*count)++], SDB_BENCH_SYNCDB, "syncdb");
  if (!bench->node_server[0]) return;
  set_server(&servers[(*count)++], SDB_BENCH_NODE_TURN, "node turn");
  if (each) set_server(&servers[(*count)++], SDB_BENCH_NODE_EACH, "node each");
}

typedef struct command_line {
  const char *arguments[ARGUMENTS_MAX];
  char program[SDB_BENCH_PATH_SIZE + 32], database[SDB_BENCH_PATH_SIZE + 64];
  char stores[SDB_BENCH_PATH_SIZE + 32];
} command_line;

static void make_command_line(
    const sdb_bench *bench, const sdb_bench_server *server, command_line *line) {
  bool node = server->kind == SDB_BENCH_NODE_TURN || server->kind == SDB_BENCH_NODE_EACH;
  snprintf(line->stores, sizeof(line->stores), "%s/stores.json", bench->root);
  snprintf(line->database, sizeof(line->database), "%s%s/database.sqlite", node ? "" : "sqlite://",
      server->directory);
  snprintf(line->program, sizeof(line->program), "%s/partials_server", bench->programs);
  const char *commit = server->kind == SDB_BENCH_NODE_TURN ? "turn" : "each";
  const char *const syncdb[] = {"/proc/self/exe", "serve", "--stores", line->stores, "--db",
      line->database, "--listen", "127.0.0.1:0", "--dev-auth", NULL};
  const char *const with_node[] = {"node", bench->node_server, "--db", line->database, "--listen",
      "127.0.0.1:0", "--commit", commit, NULL};
  const char *const partials[] = {line->program, line->database, NULL};
  if (node)
    memcpy(line->arguments, with_node, sizeof(with_node));
  else if (server->kind == SDB_BENCH_PARTIALS)
    memcpy(line->arguments, partials, sizeof(partials));
  else
    memcpy(line->arguments, syncdb, sizeof(syncdb));
}

/* ---- processes ---- */

/* In the child, so only what is safe after fork. */
static void become(const char *const *arguments, int output, int error) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) _exit(126);
  execvp(arguments[0], (char *const *)(uintptr_t)arguments);
  dprintf(2, "cannot run %s: %s\n", arguments[0], strerror(errno));
  _exit(127);
}

/* Starts a program; its standard error goes to `error_path`. */
static pid_t start_program(const char *const *arguments, const char *error_path, int *output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  int error = open(error_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  pid_t pid = error >= 0 ? fork() : -1;
  if (pid == 0) become(arguments, ends[1], error);
  close(ends[1]);
  if (error >= 0) close(error);
  if (pid < 0)
    close(ends[0]);
  else
    *output = ends[0];
  return pid;
}

/* Waits until the process ended, at most so long. False: it still runs. */
static bool wait_for_end(pid_t pid, int *status, long patience_ms) {
  for (long waited_ms = 0; waited_ms <= patience_ms; waited_ms += 5) {
    if (waitpid(pid, status, WNOHANG) != 0) return true;
    sleep_ms(5);
  }
  return false;
}

static void last_words(const sdb_bench_server *server, char *text, size_t capacity) {
  char path[SDB_BENCH_PATH_SIZE + 16];
  snprintf(path, sizeof(path), "%s/stderr", server->directory);
  FILE *file = fopen(path, "r");
  text[0] = 0;
  if (!file) return;
  if (fseek(file, -(long)(capacity - 1), SEEK_END) != 0) rewind(file);
  size_t size = fread(text, 1, capacity - 1, file);
  text[size] = 0;
  fclose(file);
}

static bool server_failed(sdb_bench *bench, sdb_bench_server *server, const char *how) {
  char words[300];
  last_words(server, words, sizeof(words));
  sdb_bench_server_kill(server);
  return sdb_bench_fail(bench, "the server (%s) %s: %s", server->name, how, words);
}

/* ---- starting and ending a server ---- */

static bool read_url(sdb_bench *bench, sdb_bench_server *server) {
  static const char READY[] = "listening on ";
  char line[512];
  size_t size = 0;
  for (;;) {
    struct pollfd polled = {.fd = server->output, .events = POLLIN};
    int ready = poll(&polled, 1, START_PATIENCE_MS);
    if (sdb_bench_interrupted()) return sdb_bench_fail(bench, "interrupted");
    if (ready <= 0) return server_failed(bench, server, "did not say where it listens");
    ssize_t got = read(server->output, line + size, sizeof(line) - 1 - size);
    if (got <= 0) return server_failed(bench, server, "did not start");
    size += (size_t)got;
    line[size] = 0;
    char *end = strchr(line, '\n');
    if (!end) continue;
    *end = 0;
    if (strncmp(line, READY, sizeof(READY) - 1) != 0)
      return server_failed(bench, server, "did not say where it listens");
    snprintf(server->url, sizeof(server->url), "%.250s", line + sizeof(READY) - 1);
    return true;
  }
}

static bool start_child(sdb_bench *bench, sdb_bench_server *server) {
  command_line line;
  char error_path[SDB_BENCH_PATH_SIZE + 16];
  if (!server->directory[0]) {
    snprintf(server->directory, sizeof(server->directory), "%.480s/%u", bench->root,
        ++bench->servers_started);
    if (mkdir(server->directory, 0755) < 0)
      return sdb_bench_fail(bench, "%s: %s", server->directory, strerror(errno));
  }
  snprintf(error_path, sizeof(error_path), "%s/stderr", server->directory);
  make_command_line(bench, server, &line);
  pid_t pid = start_program(line.arguments, error_path, &server->output);
  if (pid < 0) return sdb_bench_fail(bench, "cannot start a process: %s", strerror(errno));
  server->pid = pid;
  return read_url(bench, server);
}

bool sdb_bench_server_start(sdb_bench *bench, sdb_bench_server *server) {
  char error[SDB_WS_CLIENT_ERROR_SIZE];
  if (server->kind != SDB_BENCH_URL && !start_child(bench, server)) return false;
  if (sdb_ws_endpoint_open(&server->endpoint, server->url, true, error)) return true;
  return sdb_bench_fail(bench, "%s: %s", server->url, error);
}

bool sdb_bench_server_stop(sdb_bench *bench, sdb_bench_server *server, bool keep) {
  int status = 0;
  sdb_ws_endpoint_close(&server->endpoint);
  if (server->kind == SDB_BENCH_URL) return true;
  kill(server->pid, SIGTERM);
  if (!wait_for_end(server->pid, &status, STOP_PATIENCE_MS))
    return server_failed(bench, server, "did not end within 30 s of SIGTERM");
  server->pid = 0;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return server_failed(bench, server, "did not end well");
  close(server->output);
  server->output = -1;
  if (!keep) sdb_bench_server_kill(server);
  return true;
}

void sdb_bench_server_kill(sdb_bench_server *server) {
  sdb_ws_endpoint_close(&server->endpoint);
  if (server->pid > 0) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
  }
  server->pid = 0;
  if (server->output >= 0) close(server->output);
  server->output = -1;
  remove_tree(server->directory);
  server->directory[0] = 0;
}

bool sdb_bench_program_output(
    sdb_bench *bench, const char *const *arguments, char *output, size_t capacity) {
  char error_path[SDB_BENCH_PATH_SIZE + 16];
  int from = -1, status = 0;
  size_t size = 0;
  ssize_t got;
  snprintf(error_path, sizeof(error_path), "%s/stderr", bench->root);
  pid_t pid = start_program(arguments, error_path, &from);
  if (pid < 0) return sdb_bench_fail(bench, "cannot start a process: %s", strerror(errno));
  while (!sdb_bench_interrupted() && size < capacity - 1 &&
         (got = read(from, output + size, capacity - 1 - size)) > 0)
    size += (size_t)got;
  output[size] = 0;
  close(from);
  if (sdb_bench_interrupted()) kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  if (sdb_bench_interrupted()) return sdb_bench_fail(bench, "interrupted");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  return sdb_bench_fail(bench, "%s failed: %.300s", arguments[0], output);
}

/* ---- memory ---- */

long sdb_bench_memory_kib(const sdb_bench_server *server, const char *line) {
  char path[64], text[256];
  long kib = 0;
  size_t size = strlen(line);
  snprintf(path, sizeof(path), "/proc/%ld/status", (long)server->pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  while (fgets(text, sizeof(text), file)) {
    if (strncmp(text, line, size) == 0 && text[size] == ':')
      kib = strtol(text + size + 1, NULL, 10);
  }
  fclose(file);
  return kib;
}

double sdb_bench_cpu_seconds(const sdb_bench_server *server) {
  char path[64], text[1024];
  if (server->pid == 0) return 0;
  snprintf(path, sizeof(path), "/proc/%ld/stat", (long)server->pid);
  FILE *file = fopen(path, "r");
  size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
  if (file) fclose(file);
  text[size] = 0;
  /* The name, field 2, may hold anything, and ends at the last ')'. utime is 14, stime 15. */
  char *at = strrchr(text, ')');
  for (int field = 2; at && field < 14; field++)
    at = strchr(at + 1, ' ');
  if (!at) return 0;
  char *end;
  double ticks = strtod(at, &end);
  ticks += strtod(end, NULL);
  return ticks / (double)sysconf(_SC_CLK_TCK);
}

void sdb_bench_memory_reset_peak(const sdb_bench_server *server) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%ld/clear_refs", (long)server->pid);
  FILE *file = fopen(path, "w");
  if (!file) return;
  fputs("5", file);
  fclose(file);
}

long sdb_bench_memory_settled_kib(const sdb_bench_server *server) {
  long before = -1, now = sdb_bench_memory_kib(server, "VmRSS");
  for (int tries = 0, steady = 0; tries < 50 && steady < 3; tries++) {
    sleep_ms(100);
    before = now;
    now = sdb_bench_memory_kib(server, "VmRSS");
    steady = now == before ? steady + 1 : 0;
  }
  return now;
}
