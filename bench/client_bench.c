/* bench/client_bench.c: what a device's application feels, with its local file in SQLite.
 *
 *   client_bench [--objects N] [--dir FOLDER] [--runs N]
 *
 * catch-up   100,000 messages of missed events, newest first, as a server sends them: read,
 *            checked and committed by the replica, 900 a turn, which is about what one read of the
 *            socket brings. Without a socket: what the device does alone. The processor time says
 *            more where the machine is not quiet.
 * push       from the call of sdb_client_push to the watch that shows the pending object: checked,
 *            committed to the file, told. The median of 1,000.
 * list       sdb_client_list of the newest 50 of N objects (1,000,000): the median of 1,000.
 * open       sdb_client_open on that file, and by how much the process has grown when the first
 *            list is there; in a process of its own.
 *
 * Each is run `--runs` times (5); the median is printed with the range.
 */
#include "platform/platform.h"
#include "replica/replica.h"
#include "storage/local/sqlite_local.h"
#include "wire/wire.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/client.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS 100000
#define AT_ONCE 900 /* about what one read of 256 KiB brings */
#define PUSHES 1000
#define LISTS 1000
#define LISTED 50
#define RUNS_MAX 50
#define URL "ws://127.0.0.1:1/"
#define USER "ada"

static char folder[256] = "/tmp", path[512];
static uint64_t objects = 1000000;
static size_t runs = 5;
static sdb_store *store;

static void die(const char *what) {
  fprintf(stderr, "client_bench: %s\n", what);
  exit(1);
}

static double now_ms(void) {
  return (double)sdb_platform_monotonic_us() / 1e3;
}

static int compare(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

static double median(double *values, size_t count) {
  qsort(values, count, sizeof(*values), compare);
  return values[count / 2];
}

static void report(const char *name, const char *unit, double *values) {
  double middle = median(values, runs);
  printf("%-9s %12.3f %s (%.3f to %.3f)\n", name, middle, unit, values[0], values[runs - 1]);
  fflush(stdout);
}

static void use_file(const char *name) {
  snprintf(path, sizeof(path), "%s/client_bench_%d_%s.sqlite", folder, (int)getpid(), name);
}

static void drop_file(void) {
  static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-lock"};
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++) {
    char name[600];
    snprintf(name, sizeof(name), "%s%s", path, SUFFIXES[i]);
    unlink(name);
  }
}

static void make_store(void) {
  static const sdb_field FIELDS[] = {{.name = "role", .type = SDB_TYPE_STRING},
      {.name = "content", .type = SDB_TYPE_STRING}, {.name = NULL}};
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "chat_message";
  definition.fields = FIELDS;
  sdb_error error;
  if (sdb_store_create(&definition, &store, &error) != SDB_OK) die(error.message);
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

static const char OBJECT[] =
    "{\"role\":\"assistant\",\"content\":\"A hundred characters of text, as a message of a chat "
    "may "
    "have them, and then a few more of them.\",\"$createdAt\":1749383382805}";

/* ---- the local file ---- */

typedef struct file {
  sdb_sqlite_local *local;
  sdb_local_op *completed, **last;
} file;

static void on_completed(void *context, sdb_local_op *list) {
  file *f = context;
  *f->last = list;
  while (*f->last)
    f->last = &(*f->last)->next;
}

static void open_file(file *f) {
  static const sdb_storage_store STORES[] = {{"chat_message", SDB_STORE_EVENT}};
  sdb_sqlite_local_options options;
  sdb_sqlite_local_options_init(&options);
  options.mem = sdb_platform_mem();
  options.path = path;
  options.stores = STORES;
  options.stores_count = 1;
  options.user = USER;
  options.server = URL;
  options.sink = (sdb_local_sink){f, on_completed};
  f->completed = NULL;
  f->last = &f->completed;
  sdb_error error;
  bool damaged;
  if (sdb_sqlite_local_open(&options, &f->local, &damaged, &error) != SDB_OK) die(error.message);
}

/* ---- catch-up ---- */

static size_t no_header(size_t size, unsigned char *header) {
  (void)size, (void)header;
  return 0;
}

typedef struct messages {
  sdb_wire_run run;
  size_t ends[EVENTS + 2];
  size_t count;
} messages;

static void end_message(messages *m) {
  m->ends[m->count++] = m->run.buffer.size;
}

/* What a server sends to a device that was never synced. */
static void write_messages(messages *m) {
  sdb_uuid database = id_of(1);
  sdb_wire_store_head head = {.store = "chatMessage", .head = id_of(EVENTS)};
  sdb_wire_run_init(&m->run, sdb_platform_mem(), (size_t)1 << 30, no_header);
  sdb_wire_server_hello(&m->run, database, 1749383382805, &head, 1);
  end_message(m);
  for (uint64_t number = EVENTS; number > 0; number--) {
    sdb_wire_event event = {.store = "chatMessage",
        .id = id_of(number),
        .event_id = id_of(number),
        .object = sdb_slice_of(OBJECT)};
    sdb_wire_event_write(&m->run, &event);
    end_message(m);
  }
  sdb_wire_synced(&m->run, "chatMessage", (sdb_uuid){{0}}, (sdb_uuid){{0}}, false);
  end_message(m);
  if (m->run.buffer.status != SDB_OK) die("out of memory");
}

static void fill_random(void *context, void *to, size_t size) {
  (void)context;
  if (!sdb_platform_random(to, size)) die("no random bytes");
}

/* One turn of the owner; gives how many changes it told. */
static size_t turn(sdb_replica *replica, file *f, uint64_t clock_ms) {
  sdb_replica_output output;
  size_t changes = 0;
  while (sdb_replica_flush(replica, clock_ms)) {
    sdb_local_op *list = f->completed;
    f->completed = NULL;
    f->last = &f->completed;
    sdb_replica_on_completed(replica, list, clock_ms);
    while (sdb_replica_next_output(replica, &output))
      changes += output.kind == SDB_REPLICA_CHANGE;
  }
  return changes;
}

static double cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Events a second; `*cpu`: microseconds of processor time an event. */
static double catch_up(const messages *m, double *cpu) {
  file f;
  sdb_replica *replica;
  sdb_replica_options options = {.mem = sdb_platform_mem(),
      .stores = &store,
      .stores_count = 1,
      .random = fill_random,
      .limits = sdb_replica_limits_default()};
  open_file(&f);
  if (sdb_replica_create(&options, &replica) != SDB_OK) die("out of memory");
  sdb_replica_attach(replica, sdb_sqlite_local_port(f.local), 1);
  size_t told = turn(replica, &f, 1), start = 0;
  sdb_replica_on_opened(replica, 2);
  double began = now_ms(), cpu_began = cpu_us();
  for (size_t i = 0; i < m->count; i++) {
    sdb_slice text = {m->run.buffer.data + start, m->ends[i] - start};
    sdb_replica_on_message(replica, text, 3);
    start = m->ends[i];
    if (i % AT_ONCE == AT_ONCE - 1) told += turn(replica, &f, 3);
  }
  told += turn(replica, &f, 3);
  double took = now_ms() - began;
  *cpu = (cpu_us() - cpu_began) / EVENTS;
  if (told < EVENTS) die("not all was told");
  sdb_replica_destroy(replica);
  sdb_sqlite_local_close(f.local);
  return EVENTS / took * 1e3;
}

static void bench_catch_up(void) {
  static messages m;
  double figures[RUNS_MAX], cpu[RUNS_MAX];
  write_messages(&m);
  for (size_t i = 0; i < runs; i++) {
    use_file("catch_up");
    figures[i] = catch_up(&m, &cpu[i]);
    drop_file();
  }
  sdb_wire_run_free(&m.run);
  report("catch-up", "events/s", figures);
  report("", "us of processor time an event", cpu);
}

/* ---- the library ---- */

static sdb_client *open_client(void) {
  sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
  options.url = URL;
  options.stores = &store;
  options.stores_count = 1;
  options.path = path;
  options.user = USER;
  options.start_offline = true;
  options.pending_max = PUSHES * RUNS_MAX;
  sdb_client *client;
  sdb_error error;
  if (sdb_client_open(&options, &client, &error) != SDB_OK) die(error.message);
  return client;
}

static void on_changes(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client, (void)changes;
  atomic_store((atomic_uint_fast64_t *)context, sdb_platform_monotonic_us());
}

static double push_once(sdb_client *client, atomic_uint_fast64_t *shown_us) {
  sdb_error error;
  atomic_store(shown_us, 0);
  uint64_t began_us = sdb_platform_monotonic_us(), at_us = 0;
  if (sdb_client_push(client, store, sdb_slice_of(OBJECT), NULL, &error) != SDB_OK)
    die(error.message);
  while ((at_us = atomic_load(shown_us)) == 0)
    sched_yield();
  return (double)(at_us - began_us) / 1e3;
}

static void bench_push(void) {
  double figures[RUNS_MAX], times[PUSHES];
  for (size_t i = 0; i < runs; i++) {
    atomic_uint_fast64_t shown_us = 0;
    sdb_error error;
    use_file("push");
    sdb_client *client = open_client();
    if (sdb_client_watch(client, store, on_changes, &shown_us, NULL, &error) != SDB_OK)
      die(error.message);
    for (size_t j = 0; j < PUSHES; j++)
      times[j] = push_once(client, &shown_us);
    figures[i] = median(times, PUSHES);
    sdb_client_close(client);
    drop_file();
  }
  report("push", "ms to be shown", figures);
}

/* ---- a large file ---- */

static void fill_file(void) {
  static sdb_local_change changes[AT_ONCE + 1];
  file f;
  open_file(&f);
  const sdb_local_port *port = sdb_sqlite_local_port(f.local);
  for (uint64_t number = objects; number > 0;) {
    size_t count = 0;
    for (; count < AT_ONCE && number > 0; count++, number--) {
      changes[count] = (sdb_local_change){.kind = SDB_LOCAL_PUT,
          .id = id_of(number),
          .event_id = id_of(number),
          .object = sdb_slice_of(OBJECT)};
    }
    changes[count] = (sdb_local_change){.kind = SDB_LOCAL_STATE, .state = {.head = id_of(objects)}};
    sdb_local_commit commit = {
        .op = {.kind = SDB_LOCAL_COMMIT}, .changes = changes, .count = count + 1};
    port->submit(port->self, &commit.op);
    if (commit.op.status != SDB_OK) die("the file cannot be filled");
    f.completed = NULL;
    f.last = &f.completed;
  }
  sdb_sqlite_local_close(f.local);
}

static void list_once(sdb_client *client) {
  sdb_client_records *records;
  sdb_error error;
  if (sdb_client_list(client, store, (sdb_uuid){{0}}, LISTED, &records, &error) != SDB_OK)
    die(error.message);
  if (records->count != LISTED) die("a list is not whole");
  sdb_client_records_free(records);
}

static void bench_list(void) {
  double figures[RUNS_MAX], times[LISTS];
  for (size_t i = 0; i < runs; i++) {
    sdb_client *client = open_client();
    for (size_t j = 0; j < LISTS; j++) {
      double began = now_ms();
      list_once(client);
      times[j] = now_ms() - began;
    }
    figures[i] = median(times, LISTS);
    sdb_client_close(client);
  }
  report("list", "ms", figures);
}

static double resident_mib(void) {
  FILE *from = fopen("/proc/self/statm", "r");
  long all = 0, resident = 0;
  if (!from || fscanf(from, "%ld %ld", &all, &resident) != 2) die("/proc/self/statm");
  fclose(from);
  return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

/* In a process of its own: prints the two figures. */
static void open_and_tell(void) {
  double before = resident_mib(), began = now_ms();
  sdb_client *client = open_client();
  double took = now_ms() - began;
  list_once(client);
  printf("%.3f %.3f\n", took, resident_mib() - before);
  sdb_client_close(client);
}

static void bench_open(const char *program) {
  double times[RUNS_MAX], sizes[RUNS_MAX];
  for (size_t i = 0; i < runs; i++) {
    char command[1400];
    snprintf(command, sizeof(command), "%s --open %s", program, path);
    FILE *from = popen(command, "r");
    if (!from || fscanf(from, "%lf %lf", &times[i], &sizes[i]) != 2 || pclose(from) != 0)
      die("opening failed");
  }
  report("open", "ms", times);
  report("", "MiB more", sizes);
}

static bool read_arguments(int argc, char **argv) {
  bool opens = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--objects") == 0) objects = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--runs") == 0) runs = strtoull(argv[i + 1], NULL, 10);
    if (strcmp(argv[i], "--dir") == 0) snprintf(folder, sizeof(folder), "%s", argv[i + 1]);
    if (strcmp(argv[i], "--open") == 0) {
      snprintf(path, sizeof(path), "%s", argv[i + 1]);
      opens = true;
    }
  }
  if (runs == 0 || runs > RUNS_MAX || objects < LISTED) die("--runs or --objects is out of range");
  return opens;
}

int main(int argc, char **argv) {
  make_store();
  if (read_arguments(argc, argv)) {
    open_and_tell();
  } else {
    bench_catch_up();
    bench_push();
    use_file("large");
    fill_file();
    bench_list();
    bench_open(argv[0]);
    drop_file();
  }
  sdb_store_destroy(store);
  return 0;
}
