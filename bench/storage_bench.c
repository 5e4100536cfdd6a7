/* bench/storage_bench.c: the SQLite storage alone, through its port, beside a bare append.
 *
 *   storage_bench [--rows N] [--users N,N...] [--dir FOLDER] [--json]
 *
 * Rows a second for each number of users: 150-byte bodies, a client id each, users in random
 * order, 4,000 operations in flight, durability full. Each beside a bare append in the same run:
 * the same bodies into a rowid table without an index, in transactions of 1,000 rows, the same
 * durability. Then pages of 512 events of one user, one at a time, newest first, warm.
 */
#include "platform/platform.h"
#include "storage/sqlite/sqlite_storage.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_SIZE 150
#define IN_FLIGHT 4000
#define SUBMIT_AT_ONCE 250
#define BARE_ROWS_A_COMMIT 1000
#define PAGE_EVENTS 512
#define PAGED_EVENTS 100000
#define USERS_CASES_MAX 16

typedef struct result {
  uint64_t users;
  double bare, rows, ratio; /* a second */
  double cpu_us;            /* of the process, a row */
  double wal_mib, file_mib;
  double commit_p99_ms; /* an upper bound, from the storage's buckets */
} result;

static const char *folder = "/tmp";
static uint64_t rows_wanted = 3000000;

static void die(const char *what) {
  fprintf(stderr, "storage_bench: %s\n", what);
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

static uint64_t random_state = 88172645463325252U;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static char *path_of(const char *name) {
  static char path[512];
  snprintf(path, sizeof(path), "%s/storage_bench_%d_%s", folder, (int)getpid(), name);
  return path;
}

static void drop_files(const char *name) {
  static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-lock"};
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++) {
    char path[600];
    snprintf(path, sizeof(path), "%s%s", path_of(name), SUFFIXES[i]);
    unlink(path);
  }
}

static double size_mib(const char *name, const char *suffix) {
  char path[600];
  struct stat status;
  snprintf(path, sizeof(path), "%s%s", path_of(name), suffix);
  return stat(path, &status) == 0 ? (double)status.st_size / (1024 * 1024) : 0;
}

/* ---- the bare append ---- */

static void run_sql(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) die(sqlite3_errmsg(db));
}

static double bare_append(void) {
  sqlite3 *db;
  drop_files("bare");
  if (sqlite3_open(path_of("bare"), &db) != SQLITE_OK) die("cannot open the bare database");
  run_sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
              " PRAGMA cache_size=-16384; CREATE TABLE log(seq INTEGER PRIMARY KEY, body TEXT)");
  sqlite3_stmt *insert;
  sqlite3_prepare_v3(
      db, "INSERT INTO log VALUES(?1, ?2)", -1, SQLITE_PREPARE_PERSISTENT, &insert, NULL);
  char body[BODY_SIZE];
  memset(body, 'x', sizeof(body));
  double began = now_s();
  sdb_seq seq = 0;
  for (uint64_t i = 0; i < rows_wanted;) {
    run_sql(db, "BEGIN");
    for (int k = 0; k < BARE_ROWS_A_COMMIT && i < rows_wanted; k++, i++) {
      seq = sdb_seq_next(seq, sdb_platform_now_ms());
      sqlite3_bind_int64(insert, 1, (sqlite3_int64)seq);
      sqlite3_bind_text(insert, 2, body, sizeof(body), SQLITE_STATIC);
      if (sqlite3_step(insert) != SQLITE_DONE) die(sqlite3_errmsg(db));
      sqlite3_reset(insert);
    }
    run_sql(db, "COMMIT");
  }
  double rate = (double)rows_wanted / (now_s() - began);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  drop_files("bare");
  return rate;
}

/* ---- the storage ---- */

/* Operations come back to a free list; the submitter waits for some. */
typedef struct pool {
  pthread_mutex_t mutex;
  pthread_cond_t came;
  sdb_op *free;
  size_t free_count;
} pool;

static pool free_ops = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0};

static void on_completed(void *context, sdb_op *list) {
  (void)context;
  sdb_op *last = list;
  size_t count = 1;
  for (;; last = last->next, count++) {
    if (last->status != SDB_OK) die("an operation failed");
    if (!last->next) break;
  }
  pthread_mutex_lock(&free_ops.mutex);
  last->next = free_ops.free;
  free_ops.free = list;
  free_ops.free_count += count;
  pthread_cond_signal(&free_ops.came);
  pthread_mutex_unlock(&free_ops.mutex);
}

/* Takes `count` free operations as a list. */
static sdb_op *take_ops(size_t count) {
  pthread_mutex_lock(&free_ops.mutex);
  while (free_ops.free_count < count)
    pthread_cond_wait(&free_ops.came, &free_ops.mutex);
  sdb_op *list = free_ops.free, *last = list;
  for (size_t i = 1; i < count; i++)
    last = last->next;
  free_ops.free = last->next;
  free_ops.free_count -= count;
  last->next = NULL;
  pthread_mutex_unlock(&free_ops.mutex);
  return list;
}

static void add_free(sdb_op *op) {
  op->next = free_ops.free;
  free_ops.free = op;
  free_ops.free_count++;
}

static sdb_sqlite *open_storage(const char *name, uint32_t generation_entries) {
  static const sdb_storage_store STORES[] = {{"chat_message", SDB_STORE_EVENT}};
  sdb_sqlite_options options;
  sdb_sqlite_options_init(&options);
  options.mem = sdb_platform_mem();
  options.path = path_of(name);
  options.stores = STORES;
  options.stores_count = 1;
  options.sink = (sdb_storage_sink){NULL, on_completed};
  if (generation_entries) options.generation_entries = generation_entries;
  sdb_sqlite *storage;
  sdb_error error;
  if (sdb_sqlite_open(&options, &storage, &error) != SDB_OK) die(error.message);
  return storage;
}

/* Adds users and gives their numbers. */
static void add_users(const sdb_storage_port *port, uint64_t *numbers, uint64_t count) {
  enum { AT_ONCE = 1000 };
  static struct {
    sdb_op_user op;
    sdb_user_head head;
    char name[32];
  } users[AT_ONCE];
  free_ops.free = NULL;
  free_ops.free_count = 0;
  for (uint64_t done = 0; done < count; done += AT_ONCE) {
    uint64_t some = count - done < AT_ONCE ? count - done : AT_ONCE;
    for (uint64_t i = 0; i < some; i++) {
      int size = snprintf(
          users[i].name, sizeof(users[i].name), "user-%llu", (unsigned long long)(done + i));
      users[i].op = (sdb_op_user){.op = {.kind = SDB_OP_USER},
          .name = {users[i].name, (size_t)size},
          .heads = &users[i].head};
      users[i].op.op.next = i + 1 < some ? &users[i + 1].op.op : NULL;
    }
    port->submit(port->self, &users[0].op.op);
    take_ops(some);
    for (uint64_t i = 0; i < some; i++)
      numbers[done + i] = users[i].op.user;
  }
}

static sdb_op_write writes[IN_FLIGHT];
static char bodies[IN_FLIGHT][BODY_SIZE];

static void free_writes(void) {
  free_ops.free = NULL;
  free_ops.free_count = 0;
  for (size_t i = 0; i < IN_FLIGHT; i++) {
    memset(bodies[i], 'x', BODY_SIZE);
    writes[i].op.kind = SDB_OP_WRITE;
    add_free(&writes[i].op);
  }
}

/* Submits `count` creations of random users among `users`; returns when all are durable. */
static void write_rows(
    const sdb_storage_port *port, const uint64_t *numbers, uint64_t users, uint64_t count) {
  free_writes();
  for (uint64_t done = 0; done < count; done += SUBMIT_AT_ONCE) {
    sdb_op *list = take_ops(SUBMIT_AT_ONCE);
    uint64_t now_ms = sdb_platform_now_ms();
    for (sdb_op *op = list; op; op = op->next) {
      sdb_op_write *write = SDB_CONTAINER_OF(op, sdb_op_write, op);
      uint64_t a = next_random(), b = next_random();
      write->user = numbers[a % users];
      write->store = 0;
      write->action = SDB_ACTION_CREATE;
      write->now_ms = now_ms;
      memcpy(write->client_id.bytes, &a, 8);
      memcpy(write->client_id.bytes + 8, &b, 8);
      write->body = sdb_slice_make(bodies[write - writes], BODY_SIZE);
    }
    port->submit(port->self, list);
  }
  take_ops(IN_FLIGHT);
}

static double percentile_ms(const sdb_storage_stats *stats, double share) {
  static const double BOUNDS_MS[] = {0.25, 0.5, 1, 2.5, 5, 25, 100, 1e9};
  uint64_t seen = 0;
  for (size_t i = 0; i < SDB_COMMIT_TIME_BUCKETS; i++) {
    seen += stats->commit_time_buckets[i];
    if ((double)seen >= share * (double)stats->commits) return BOUNDS_MS[i];
  }
  return 0;
}

static void measure_writes(result *to) {
  uint64_t *numbers = malloc(to->users * sizeof(*numbers));
  if (!numbers) die("out of memory");
  to->bare = bare_append();
  drop_files("storage");
  sdb_sqlite *storage = open_storage("storage", 0);
  const sdb_storage_port *port = sdb_sqlite_port(storage);
  add_users(port, numbers, to->users);
  sdb_storage_stats before, after;
  port->stats(port->self, &before);
  double began = now_s(), cpu = cpu_s();
  write_rows(port, numbers, to->users, rows_wanted);
  to->rows = (double)rows_wanted / (now_s() - began);
  to->cpu_us = (cpu_s() - cpu) * 1e6 / (double)rows_wanted;
  to->ratio = to->rows / to->bare;
  to->wal_mib = size_mib("storage", "-wal");
  port->stats(port->self, &after);
  for (int i = 0; i < SDB_COMMIT_TIME_BUCKETS; i++)
    after.commit_time_buckets[i] -= before.commit_time_buckets[i];
  after.commits -= before.commits;
  to->commit_p99_ms = percentile_ms(&after, 0.99);
  sdb_sqlite_close(storage);
  to->file_mib = size_mib("storage", "");
  drop_files("storage");
  free(numbers);
}

/* ---- pages ---- */

/* Reads all events of a user, page by page; the events a second. */
static double read_pages(const sdb_storage_port *port, uint64_t user) {
  static sdb_op_page page;
  page = (sdb_op_page){
      .op = {.kind = SDB_OP_PAGE}, .user = user, .limit = PAGE_EVENTS, .bytes_max = 1024 * 1024};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 64 << 20);
  uint64_t events = 0;
  double began = now_s();
  do {
    free_ops.free = NULL;
    free_ops.free_count = 0;
    port->submit(port->self, &page.op);
    take_ops(1);
    events += page.count;
    if (page.count > 0) page.before = page.events[page.count - 1].seq;
  } while (page.more);
  double rate = (double)events / (now_s() - began);
  if (events != PAGED_EVENTS) die("pages do not hold all events");
  sdb_buffer_free(&page.memory);
  return rate;
}

/* `generation_entries` 0: all of the index is in memory; small: nearly all of it is in runs. With
 * others' events between, if `others`. */
static double measure_pages(uint32_t generation_entries, uint64_t others) {
  uint64_t numbers[1001];
  drop_files("pages");
  sdb_sqlite *storage = open_storage("pages", generation_entries);
  const sdb_storage_port *port = sdb_sqlite_port(storage);
  add_users(port, numbers, SDB_COUNT_OF(numbers));
  for (uint64_t i = 0; i < PAGED_EVENTS; i += 10000) {
    write_rows(port, numbers, 1, 10000);
    if (others) write_rows(port, numbers + 1, 1000, others / 10);
  }
  read_pages(port, numbers[0]);
  double rate = 0;
  for (int i = 0; i < 5; i++) {
    double once = read_pages(port, numbers[0]);
    if (once > rate) rate = once;
  }
  sdb_sqlite_close(storage);
  drop_files("pages");
  return rate;
}

/* ---- output ---- */

static void print_table(const result *results, size_t count, const double pages[3]) {
  printf("%9s %12s %12s %7s %8s %8s %9s %12s\n", "users", "bare/s", "rows/s", "ratio", "cpu us",
      "WAL MiB", "file MiB", "commit p99");
  for (size_t i = 0; i < count; i++) {
    const result *r = &results[i];
    printf("%9llu %12.0f %12.0f %7.2f %8.2f %8.0f %9.0f %9.1f ms\n", (unsigned long long)r->users,
        r->bare, r->rows, r->ratio, r->cpu_us, r->wal_mib, r->file_mib, r->commit_p99_ms);
  }
  printf("pages of %d events, events/s: %.0f from the tail, %.0f from runs, %.0f among others'\n",
      PAGE_EVENTS, pages[0], pages[1], pages[2]);
}

static void print_json(const result *results, size_t count, const double pages[3]) {
  printf("{\"rows\":%llu,\"writes\":[", (unsigned long long)rows_wanted);
  for (size_t i = 0; i < count; i++) {
    const result *r = &results[i];
    printf("%s{\"users\":%llu,\"bare_rows_per_s\":%.0f,\"rows_per_s\":%.0f,\"ratio\":%.3f,"
           "\"cpu_us_per_row\":%.3f,\"wal_mib\":%.1f,\"file_mib\":%.1f,\"commit_p99_ms\":%.2f}",
        i ? "," : "", (unsigned long long)r->users, r->bare, r->rows, r->ratio, r->cpu_us,
        r->wal_mib, r->file_mib, r->commit_p99_ms);
  }
  printf("],\"pages\":{\"tail_events_per_s\":%.0f,\"runs_events_per_s\":%.0f,"
         "\"among_others_events_per_s\":%.0f}}\n",
      pages[0], pages[1], pages[2]);
}

static size_t parse_users(const char *text, result *results) {
  size_t count = 0;
  for (char *end; *text && count < USERS_CASES_MAX; text = *end == ',' ? end + 1 : end) {
    results[count++].users = strtoull(text, &end, 10);
    if (end == text || results[count - 1].users == 0) die("--users wants numbers, as 1000,100000");
  }
  return count;
}

int main(int argc, char **argv) {
  static result results[USERS_CASES_MAX];
  size_t count = parse_users("1000,100000,1000000", results);
  int json = 0;
  for (int i = 1; i < argc; i++) {
    bool has_value = i + 1 < argc;
    if (strcmp(argv[i], "--json") == 0)
      json = 1;
    else if (strcmp(argv[i], "--rows") == 0 && has_value)
      rows_wanted = strtoull(argv[++i], NULL, 10) / SUBMIT_AT_ONCE * SUBMIT_AT_ONCE;
    else if (strcmp(argv[i], "--users") == 0 && has_value)
      count = parse_users(argv[++i], results);
    else if (strcmp(argv[i], "--dir") == 0 && has_value)
      folder = argv[++i];
    else
      die("usage: storage_bench [--rows N] [--users N,N...] [--dir FOLDER] [--json]");
  }
  for (size_t i = 0; i < count; i++)
    measure_writes(&results[i]);
  const double pages[3] = {
      measure_pages(0, 0), measure_pages(8192, 0), measure_pages(8192, 900000)};
  (json ? print_json : print_table)(results, count, pages);
  return 0;
}
