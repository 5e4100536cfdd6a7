/* bench/local_bench.c: the device's storage in SQLite alone, through its port.
 *
 *   local_bench [--objects N] [--dir FOLDER]
 *
 * (a) puts a second of N objects (1,000,000) with bodies of 150 bytes and ids as a server gives
 *     them, newest first, 500 a commit with the store's state; then 20,000 as they happen, one a
 *     commit, oldest first.
 * (b) a page of the newest 50, the median of 1,000; then with 100,000 kept removes above them.
 * (c) opening the file and loading, and by how much the process has grown then.
 */
#include "platform/platform.h"
#include "storage/local/sqlite_local.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_SIZE 150
#define AT_ONCE 500
#define LIVE 20000
#define REMOVES 100000
#define PAGES 1000
#define PAGE_OBJECTS 50

static const sdb_storage_store STORES[] = {
    {"chat_message", SDB_STORE_EVENT}, {"account", SDB_STORE_SINGULAR}};
static char path[512];
static uint64_t objects = 1000000;

static void die(const char *what) {
  fprintf(stderr, "local_bench: %s\n", what);
  exit(1);
}

static double now_s(void) {
  return (double)sdb_platform_monotonic_us() / 1e6;
}

static double cpu_s(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void completed(void *context, sdb_local_op *list) {
  (void)context;
  for (; list; list = list->next) {
    if (list->status != SDB_OK) die("an operation failed");
  }
}

static void drop_files(void) {
  static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-lock"};
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++) {
    char name[600];
    snprintf(name, sizeof(name), "%s%s", path, SUFFIXES[i]);
    unlink(name);
  }
}

static double size_mib(const char *suffix) {
  char name[600];
  struct stat status;
  snprintf(name, sizeof(name), "%s%s", path, suffix);
  return stat(name, &status) == 0 ? (double)status.st_size / (1024 * 1024) : 0;
}

static sdb_sqlite_local *open_local(void) {
  sdb_sqlite_local_options options;
  sdb_sqlite_local_options_init(&options);
  options.mem = sdb_platform_mem();
  options.path = path;
  options.stores = STORES;
  options.stores_count = SDB_COUNT_OF(STORES);
  options.user = "ada";
  options.server = "ws://127.0.0.1:8080/";
  options.sink = (sdb_local_sink){NULL, completed};
  sdb_sqlite_local *local;
  sdb_error error;
  bool damaged;
  if (sdb_sqlite_local_open(&options, &local, &damaged, &error) != SDB_OK) die(error.message);
  return local;
}

/* An id with the time in front and bits that look random behind, in the order of the numbers. */
static sdb_uuid id_of(uint64_t number) {
  sdb_uuid id;
  uint64_t ms = 1749383382805 + number / 3, mixed = number * 0x9E3779B97F4A7C15;
  for (int i = 0; i < 6; i++)
    id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
  id.bytes[6] = 0x70;
  id.bytes[7] = (uint8_t)(number % 3);
  memcpy(id.bytes + 8, &mixed, sizeof(mixed));
  id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3F) | 0x80);
  return id;
}

static sdb_local_change changes[AT_ONCE + 1];
static char body[BODY_SIZE];

/* Commits changes of the objects from `number` on, `step` apart, and the state. */
static void commit(const sdb_local_port *port, sdb_local_change_kind kind, uint64_t number,
    int step, size_t count) {
  for (size_t i = 0; i < count; i++, number += (uint64_t)step) {
    sdb_uuid id = id_of(number);
    changes[i] = (sdb_local_change){.kind = kind,
        .keep = true,
        .id = id,
        .event_id = id,
        .client_id = id_of(number * 7),
        .object = {body, sizeof(body)}};
  }
  sdb_id_range missing = {{{0}}, id_of(number)};
  changes[count] =
      (sdb_local_change){.kind = SDB_LOCAL_STATE, .state = {id_of(objects * 4), 0, 1, &missing}};
  sdb_local_commit op = {.op = {.kind = SDB_LOCAL_COMMIT}, .changes = changes, .count = count + 1};
  port->submit(port->self, &op.op);
}

static void measure_puts(const sdb_local_port *port) {
  double began = now_s(), cpu = cpu_s(), longest = 0;
  for (uint64_t left = objects; left > 0;) {
    size_t count = left < AT_ONCE ? (size_t)left : AT_ONCE;
    double start = now_s();
    commit(port, SDB_LOCAL_PUT, left, -1, count);
    double took = now_s() - start;
    if (took > longest) longest = took;
    left -= count;
  }
  double took = now_s() - began;
  cpu = cpu_s() - cpu;
  printf("(a) %.0f puts/s newest first, %d a commit, %.2f us of CPU each; longest commit %.0f ms,"
         " file %.0f MiB, WAL %.1f MiB\n",
      (double)objects / took, AT_ONCE, cpu * 1e6 / (double)objects, longest * 1e3, size_mib(""),
      size_mib("-wal"));
  began = now_s();
  cpu = cpu_s();
  for (uint64_t i = 1; i <= LIVE; i++)
    commit(port, SDB_LOCAL_PUT, objects + i, 1, 1);
  took = now_s() - began;
  printf("    %.0f commits/s of one put, %.1f us of CPU each\n", LIVE / took,
      (cpu_s() - cpu) * 1e6 / LIVE);
}

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

static void measure_pages(const sdb_local_port *port, const char *with) {
  static double times[PAGES];
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .limit = PAGE_OBJECTS};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 16 << 20);
  for (size_t i = 0; i < PAGES; i++) {
    double began = now_s();
    port->submit(port->self, &page.op);
    times[i] = now_s() - began;
    if (page.count != PAGE_OBJECTS) die("a page is not whole");
  }
  double first = times[0];
  qsort(times, PAGES, sizeof(times[0]), compare);
  printf("(b) %.3f ms a page of %d%s; the first %.3f ms\n", times[PAGES / 2] * 1e3, PAGE_OBJECTS,
      with, first * 1e3);
  sdb_buffer_free(&page.memory);
}

static double resident_mib(void) {
  FILE *from = fopen("/proc/self/statm", "r");
  long all = 0, resident = 0;
  if (!from || fscanf(from, "%ld %ld", &all, &resident) != 2) die("/proc/self/statm");
  fclose(from);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static void measure_open(void) {
  double before = resident_mib(), began = now_s();
  sdb_sqlite_local *local = open_local();
  const sdb_local_port *port = sdb_sqlite_local_port(local);
  sdb_local_load load = {.op = {.kind = SDB_LOCAL_LOAD}};
  sdb_buffer_init(&load.memory, sdb_platform_mem(), 16 << 20);
  port->submit(port->self, &load.op);
  double took = now_s() - began;
  printf("(c) %.1f ms to open and load, %.1f MiB more\n", took * 1e3, resident_mib() - before);
  sdb_buffer_free(&load.memory);
  measure_pages(port, " of a file just opened");
  sdb_sqlite_local_close(local);
}

/* Opening is measured by a process of its own, whose memory is fresh. */
static void measure_open_afresh(const char *program) {
  char command[1200];
  snprintf(command, sizeof(command), "%s --open %s", program, path);
  fflush(stdout);
  if (system(command) != 0) die("opening failed");
}

int main(int argc, char **argv) {
  const char *folder = "/tmp";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--objects") == 0) objects = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--dir") == 0) folder = argv[i + 1];
    if (strcmp(argv[i], "--open") == 0) {
      snprintf(path, sizeof(path), "%s", argv[i + 1]);
      measure_open();
      return 0;
    }
  }
  snprintf(path, sizeof(path), "%s/local_bench_%d.sqlite", folder, (int)getpid());
  memset(body, 'x', sizeof(body));
  drop_files();
  sdb_sqlite_local *local = open_local();
  const sdb_local_port *port = sdb_sqlite_local_port(local);
  measure_puts(port);
  measure_pages(port, "");
  for (uint64_t i = 0; i < REMOVES; i += AT_ONCE)
    commit(port, SDB_LOCAL_REMOVE, objects * 2 + i, 1, AT_ONCE);
  measure_pages(port, " below 100,000 kept removes");
  sdb_sqlite_local_close(local);
  measure_open_afresh(argv[0]);
  drop_files();
  return 0;
}
