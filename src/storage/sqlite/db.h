/* storage/sqlite/db.h: connections and prepared statements, with SQLite's errors as statuses. */
#ifndef SDB_STORAGE_SQLITE_DB_H
#define SDB_STORAGE_SQLITE_DB_H

#include "base/base.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/uuid.h>

/* SDB_OK for SQLITE_OK, ROW and DONE; otherwise BUSY, BAD_FORMAT, NO_MEMORY or IO. */
sdb_status sdb_db_status(int code);

/* Sets `error` to what the connection says of its last failure, with the file's name. */
sdb_status sdb_db_failed(sqlite3 *db, const char *path, sdb_error *error);

/* The same where `status` says what failed: where our own memory ended the connection knows of
 * nothing. */
sdb_status sdb_db_failed_as(sqlite3 *db, const char *path, sdb_status status, sdb_error *error);

typedef enum sdb_db_mode { SDB_DB_READ_ONLY, SDB_DB_READ_WRITE, SDB_DB_CREATE } sdb_db_mode;

#define SDB_DB_BUSY_TIMEOUT_MS 5000

/* A connection for one thread at a time, with a busy time-out and `cache_kib` of page cache. `vfs`:
 * its name, or NULL for the default one. */
SDB_MUST_CHECK sdb_status sdb_db_open(const char *path, const char *vfs, sdb_db_mode mode,
    int cache_kib, sqlite3 **db, sdb_error *error);

/* Runs statements without parameters and results. */
SDB_MUST_CHECK sdb_status sdb_db_run(
    sqlite3 *db, const char *path, const char *sql, sdb_error *error);

/* Prepares `count` statements to keep. On failure those made already are in `statements`. */
SDB_MUST_CHECK sdb_status sdb_db_prepare(sqlite3 *db, const char *path, const char *const *sql,
    sqlite3_stmt **statements, size_t count, sdb_error *error);

/* Finalizes and clears; NULLs are allowed. */
void sdb_db_finalize(sqlite3_stmt **statements, size_t count);

/* Syncs the WAL, if there is one. SQLite's code. */
int sdb_db_sync_wal(sqlite3 *db);

/* The one integer that `sql` gives. */
SDB_MUST_CHECK sdb_status sdb_db_integer(
    sqlite3 *db, const char *path, const char *sql, int64_t *value, sdb_error *error);

/* Steps a statement that gives no row, and resets it. SQLite's code: SQLITE_DONE is well. */
int sdb_db_step(sqlite3_stmt *statement);

static inline void sdb_db_bind(sqlite3_stmt *statement, int at, uint64_t value) {
  SDB_ASSERT(value <= INT64_MAX);
  int code = sqlite3_bind_int64(statement, at, (sqlite3_int64)value);
  SDB_ASSERT(code == SQLITE_OK);
}

/* Text that must stay as it is until the statement is reset. Never more than 1 GB. */
static inline void sdb_db_bind_text(sqlite3_stmt *statement, int at, sdb_slice text) {
  SDB_ASSERT(text.size <= INT32_MAX);
  const char *data = text.data ? text.data : "";
  int code = sqlite3_bind_text(statement, at, data, (int)text.size, SQLITE_STATIC);
  SDB_ASSERT(code == SQLITE_OK);
}

/* Sixteen bytes that must stay until the statement is reset; NULL for the nil UUID. */
static inline void sdb_db_bind_uuid(sqlite3_stmt *statement, int at, const sdb_uuid *id) {
  int code = sdb_uuid_is_nil(*id) ? sqlite3_bind_null(statement, at)
                                  : sqlite3_bind_blob(statement, at, id->bytes, 16, SQLITE_STATIC);
  SDB_ASSERT(code == SQLITE_OK);
}

static inline uint64_t sdb_db_column(sqlite3_stmt *statement, int at) {
  sqlite3_int64 value = sqlite3_column_int64(statement, at);
  return value < 0 ? 0 : (uint64_t)value;
}

/* Valid until the statement moves. */
static inline sdb_slice sdb_db_column_bytes(sqlite3_stmt *statement, int at) {
  const char *data = sqlite3_column_blob(statement, at);
  return sdb_slice_make(data, data ? (size_t)sqlite3_column_bytes(statement, at) : 0);
}

/* A UUID column; nil for NULL and for anything that is not 16 bytes. */
sdb_uuid sdb_db_column_uuid(sqlite3_stmt *statement, int at);

#endif
