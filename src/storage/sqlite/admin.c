/* storage/sqlite/admin.c: syncdb/admin.h: inspections and backups.
 *
 * Everything is read over one read-only connection in one transaction. It takes no lock of the
 * server's: SQLite's snapshots are what makes it consistent.
 */
#include "base/error.h"
#include "platform/platform.h"
#include "storage/sqlite/backup.h"
#include "storage/sqlite/format.h"
#include "storage/sqlite/stores.h"
#include "storage/sqlite/verify.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <syncdb/admin.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_KIB 16384

static const char SCHEME[] = "sqlite://";

/* Opens the database at `url`, of format `oldest` or newer, and begins a transaction on it. `*path`
 * is a part of `url`. */
static sdb_status open_snapshot(
    const char *url, int64_t oldest, const char **path, sqlite3 **db, sdb_error *error) {
  size_t scheme_size = sizeof(SCHEME) - 1;
  if (!url || strncmp(url, SCHEME, scheme_size) != 0 || !url[scheme_size])
    return sdb_error_set(error, SDB_INVALID_ARGUMENT, "the url is not sqlite://PATH", NULL, NULL);
  *path = url + scheme_size;
  if (access(*path, F_OK) != 0) return sdb_error_set(error, SDB_IO, *path, ": ", strerror(errno));
  sqlite3 *opened;
  sdb_status status = sdb_db_open(*path, NULL, SDB_DB_READ_ONLY, CACHE_KIB, &opened, error);
  if (status != SDB_OK) return status;
  status = sdb_db_run(opened, *path, "BEGIN", error);
  if (status == SDB_OK) status = sdb_format_check(opened, *path, oldest, error);
  if (status != SDB_OK) {
    sqlite3_close(opened);
    return status;
  }
  *db = opened;
  return SDB_OK;
}

/* ---- inspections ---- */

static uint64_t size_of_file(const char *path, const char *suffix) {
  char name[4096];
  struct stat status;
  int size = snprintf(name, sizeof(name), "%s%s", path, suffix);
  if (size < 0 || (size_t)size >= sizeof(name) || stat(name, &status) != 0) return 0;
  return (uint64_t)status.st_size;
}

/* Reads the stores. `indexes` (of SDB_STORE_ID_MAX + 1) gets each id's place among them. */
static sdb_status list_stores(
    sqlite3 *db, const char *path, sdb_inspection *to, uint16_t *indexes, sdb_error *error) {
  int64_t count = 0;
  sdb_status status = sdb_db_integer(db, path, "SELECT count(*) FROM store", &count, error);
  if (status != SDB_OK || count == 0) return status;
  const sdb_mem *mem = sdb_platform_mem();
  to->stores = sdb_mem_zero(mem, sdb_mem_product((size_t)count, sizeof(*to->stores)));
  if (!to->stores) return sdb_db_failed(NULL, path, error);
  sqlite3_stmt *select;
  if (sqlite3_prepare_v2(db, "SELECT id, name, type FROM store ORDER BY id", -1, &select, NULL) !=
      SQLITE_OK)
    return sdb_db_failed(db, path, error);
  int code;
  while ((code = sqlite3_step(select)) == SQLITE_ROW && to->stores_count < (size_t)count) {
    uint64_t id = sdb_db_column(select, 0);
    sdb_store_inspection *store = &to->stores[to->stores_count++];
    if (id <= SDB_STORE_ID_MAX) indexes[id] = (uint16_t)to->stores_count;
    sdb_text_copy(store->name, sizeof(store->name), sdb_db_column_bytes(select, 1));
    bool singular = sdb_slice_equal(sdb_db_column_bytes(select, 2), sdb_slice_of("singular"));
    store->type = singular ? SDB_STORE_SINGULAR : SDB_STORE_EVENT;
  }
  if (code != SQLITE_DONE) status = sdb_db_failed(db, path, error);
  sqlite3_finalize(select);
  return status;
}

/* Counts the events of each store, in one pass over the log. */
static sdb_status count_events(
    sqlite3 *db, const char *path, sdb_inspection *to, const uint16_t *indexes, sdb_error *error) {
  sqlite3_stmt *select;
  if (sqlite3_prepare_v2(db, "SELECT store, body FROM log", -1, &select, NULL) != SQLITE_OK)
    return sdb_db_failed(db, path, error);
  int code;
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    uint64_t id = sdb_db_column(select, 0);
    if (id > SDB_STORE_ID_MAX || indexes[id] == 0) continue;
    sdb_store_inspection *store = &to->stores[indexes[id] - 1];
    bool removed = sqlite3_column_type(select, 1) == SQLITE_NULL;
    store->objects += !removed;
    store->removes += removed;
    store->bytes += (uint64_t)sqlite3_column_bytes(select, 1);
  }
  sqlite3_finalize(select);
  for (size_t i = 0; i < to->stores_count; i++) {
    to->objects += to->stores[i].objects;
    to->removes += to->stores[i].removes;
    to->bytes += to->stores[i].bytes;
  }
  return code == SQLITE_DONE ? SDB_OK : sdb_db_failed(db, path, error);
}

static sdb_status inspect(
    sqlite3 *db, const char *path, sdb_inspect_depth depth, sdb_inspection *to, sdb_error *error) {
  sdb_format_meta meta;
  int64_t users = 0;
  uint16_t indexes[SDB_STORE_ID_MAX + 1] = {0}; /* plus 1; 0: no store has this id */
  sdb_status status = sdb_format_read_meta(db, path, &meta, error);
  if (status == SDB_OK)
    status = sdb_db_integer(db, path, "PRAGMA user_version", &to->format, error);
  if (status == SDB_OK)
    status = sdb_db_integer(db, path, "SELECT count(*) FROM user", &users, error);
  if (status == SDB_OK) status = list_stores(db, path, to, indexes, error);
  if (status == SDB_OK) status = count_events(db, path, to, indexes, error);
  if (status != SDB_OK) return status;
  to->database = meta.database;
  to->epoch = meta.epoch;
  to->users = (uint64_t)users;
  to->file_bytes = size_of_file(path, "");
  to->wal_bytes = size_of_file(path, "-wal");
  if (depth != SDB_INSPECT_INTEGRITY) return SDB_OK;
  status = sdb_verify(db, path, sdb_platform_mem(), to->problem, sizeof(to->problem));
  if (status != SDB_OK) return sdb_db_failed_as(db, path, status, error);
  to->checked = true;
  to->intact = to->problem[0] == 0;
  return SDB_OK;
}

sdb_status sdb_database_inspect(
    const char *url, sdb_inspect_depth depth, sdb_inspection *inspection, sdb_error *error) {
  const char *path = NULL;
  sqlite3 *db = NULL;
  sdb_status status = open_snapshot(url, SDB_FORMAT_VERSION, &path, &db, error);
  if (status != SDB_OK) return status;
  sdb_inspection found;
  memset(&found, 0, sizeof(found));
  status = inspect(db, path, depth, &found, error);
  sqlite3_close(db);
  if (status == SDB_OK)
    *inspection = found;
  else
    sdb_inspection_free(&found);
  return status;
}

void sdb_inspection_free(sdb_inspection *inspection) {
  sdb_mem_free(sdb_platform_mem(), inspection->stores);
  inspection->stores = NULL;
  inspection->stores_count = 0;
}

/* ---- backups ---- */

sdb_status sdb_backup_copy(
    sqlite3 *from, const char *path, const char *part, const char *vfs, sdb_error *error) {
  sqlite3 *to;
  sdb_status status = sdb_db_open(part, vfs, SDB_DB_CREATE, CACHE_KIB, &to, error);
  if (status != SDB_OK) return status;
  sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
  if (!backup) {
    status = sdb_db_failed(to, part, error);
  } else {
    int code = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE)
      status = sdb_error_set(
          error, sdb_db_status(code), path, ": cannot be copied: ", sqlite3_errstr(code));
  }
  if (status == SDB_OK)
    status = sdb_db_run(to, part, "PRAGMA journal_mode=DELETE; PRAGMA journal_mode=MEMORY", error);
  if (status == SDB_OK) status = sdb_format_mark_backup(to, part, error);
  if (sqlite3_close(to) != SQLITE_OK && status == SDB_OK)
    status = sdb_error_set(error, SDB_IO, part, ": cannot be closed", NULL);
  return status;
}

/* Makes what was written under a name durable: the file's content, or a folder's entries. */
static bool sync_path(const char *path, int flags) {
  int opened = open(path, flags | O_CLOEXEC);
  if (opened < 0) return false;
  bool good = fsync(opened) == 0;
  return close(opened) == 0 && good;
}

/* Gives the finished copy its name, unless something has it by now. */
static sdb_status publish(const char *part, const char *path, sdb_error *error) {
  if (!sync_path(part, O_RDONLY)) return sdb_error_set(error, SDB_IO, part, ": ", strerror(errno));
  if (link(part, path) != 0) {
    if (errno == EEXIST) return sdb_error_set(error, SDB_CONFLICT, path, " exists", NULL);
    return sdb_error_set(error, SDB_IO, path, ": ", strerror(errno));
  }
  char folder[4096];
  snprintf(folder, sizeof(folder), "%s", path);
  if (!sync_path(dirname(folder), O_RDONLY | O_DIRECTORY))
    return sdb_error_set(error, SDB_IO, path, ": its folder cannot be synced", NULL);
  return SDB_OK;
}

static sdb_status backup_to(sqlite3 *db, const char *from, const char *path, sdb_error *error) {
  char part[4096];
  int size = snprintf(part, sizeof(part), "%s-part-XXXXXX", path);
  if (size < 0 || (size_t)size >= sizeof(part))
    return sdb_error_set(error, SDB_IO, path, ": the name is too long", NULL);
  int opened = mkstemp(part);
  if (opened < 0) return sdb_error_set(error, SDB_IO, path, ": ", strerror(errno));
  close(opened);
  sdb_status status = sdb_backup_copy(db, from, part, NULL, error);
  if (status == SDB_OK) status = publish(part, path, error);
  unlink(part);
  return status;
}

sdb_status sdb_database_backup(const char *url, const char *path, sdb_error *error) {
  const char *from = NULL;
  sqlite3 *db = NULL;
  if (!path || !path[0])
    return sdb_error_set(error, SDB_INVALID_ARGUMENT, "no file to copy to", NULL, NULL);
  sdb_status status = open_snapshot(url, 1, &from, &db, error);
  if (status != SDB_OK) return status;
  if (access(path, F_OK) == 0)
    status = sdb_error_set(error, SDB_CONFLICT, path, " exists", NULL);
  else
    status = backup_to(db, from, path, error);
  sqlite3_close(db);
  return status;
}
