/* test/unit/sqlite_kind.c: see sqlite_kind.h. */
#include "sqlite_kind.h"
#include "failing_vfs.h"
#include "platform/platform.h"
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void make_folder(char folder[64]) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, 64, "%.40s/syncdb-XXXXXX", parent ? parent : "/tmp");
  assert_non_null(mkdtemp(folder));
}

void drop_folder(const char *folder) {
  DIR *open = opendir(folder);
  assert_non_null(open);
  for (struct dirent *entry; (entry = readdir(open));) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
    unlink(path);
  }
  closedir(open);
  assert_int_equal(rmdir(folder), 0);
}

sdb_sqlite_options sqlite_options(const char *path, sdb_storage_sink sink) {
  sdb_sqlite_options options;
  sdb_sqlite_options_init(&options);
  options.mem = sdb_platform_mem();
  options.path = path;
  options.stores = CONFORMANCE_STORES;
  options.stores_count = STORES;
  options.sink = sink;
  options.durability = SDB_SQLITE_NORMAL; /* syncs are slow, and no test cuts the power */
  options.remember_removes_ms = REMEMBER_MS;
  options.dedupe_window_ms = WINDOW_MS;
  options.generation_entries = 64;
  options.commit_ops_max = 48;
  options.wal_pages_checkpoint = 64;
  return options;
}

static void open_again(sqlite_held *held, sdb_storage_sink sink) {
  held->options.sink = sink;
  sdb_error error;
  sdb_status status = sdb_sqlite_open(&held->options, &held->storage, &error);
  if (status != SDB_OK) fail_msg("%s", error.message);
}

static sqlite_held *make_fresh(sdb_storage_sink sink) {
  failing_vfs_install();
  sqlite_held *held = calloc(1, sizeof(*held));
  assert_non_null(held);
  make_folder(held->folder);
  snprintf(held->path, sizeof(held->path), "%s/test.sqlite", held->folder);
  held->options = sqlite_options(held->path, sink);
  return held;
}

static void *open_fresh(sdb_storage_sink sink) {
  sqlite_held *held = make_fresh(sink);
  open_again(held, sink);
  return held;
}

static void *open_by_hand(sdb_storage_sink sink) {
  sqlite_held *held = make_fresh(sink);
  held->options.by_hand = true;
  open_again(held, sink);
  return held;
}

static void run_by_hand(void *storage) {
  sdb_sqlite_run(((sqlite_held *)storage)->storage);
}

static const sdb_storage_port *port(void *storage) {
  return sdb_sqlite_port(((sqlite_held *)storage)->storage);
}

static void *reopen(void *storage, sdb_storage_sink sink) {
  sqlite_held *held = storage;
  sdb_sqlite_close(held->storage);
  open_again(held, sink);
  return held;
}

void sqlite_close(fixture *f) {
  sqlite_held *held = sqlite_of(f);
  sdb_sqlite_close(held->storage);
  held->storage = NULL;
}

void sqlite_open(fixture *f) {
  sqlite_held *held = sqlite_of(f);
  open_again(held, held->options.sink);
  f->port = port(held);
}

static void fail_writes(void *storage, bool failing) {
  (void)storage;
  failing_vfs_set(failing ? FAILING_FULL : FAILING_NOTHING);
}

static void destroy(void *storage) {
  sqlite_held *held = storage;
  failing_vfs_set(FAILING_NOTHING);
  sdb_sqlite_close(held->storage);
  drop_folder(held->folder);
  free(held);
}

const conformance_kind SQLITE_KIND = {
    "sqlite", open_fresh, port, reopen, fail_writes, NULL, destroy};

const conformance_kind SQLITE_BY_HAND_KIND = {
    "sqlite by hand", open_by_hand, port, reopen, fail_writes, run_by_hand, destroy};

int64_t sql(const char *path, const char *text) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  int64_t value = 0;
  sqlite3_stmt *statement;
  for (const char *rest = text; *rest; rest = text) {
    if (sqlite3_prepare_v2(db, rest, -1, &statement, &text) != SQLITE_OK)
      fail_msg("%s: %s", rest, sqlite3_errmsg(db));
    if (!statement) break;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
      value = sqlite3_column_int64(statement, 0);
    if (code != SQLITE_DONE) fail_msg("%s: %s", rest, sqlite3_errmsg(db));
    sqlite3_finalize(statement);
  }
  sqlite3_close(db);
  return value;
}
