/* storage/sqlite/db.c: see db.h.
 *
 * Every connection belongs to one thread (NOMUTEX). The file is opened and closed by SQLite alone:
 * closing it elsewhere in the process would drop SQLite's own POSIX locks.
 */
#include "storage/sqlite/db.h"
#include "base/error.h"
#include <stdio.h>

sdb_status sdb_db_status(int code) {
  switch (code & 0xFF) {
  case SQLITE_OK:
  case SQLITE_ROW:
  case SQLITE_DONE:
    return SDB_OK;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return SDB_BUSY;
  case SQLITE_NOTADB:
  case SQLITE_CORRUPT:
    return SDB_BAD_FORMAT;
  case SQLITE_NOMEM:
    return SDB_NO_MEMORY;
  default:
    return SDB_IO;
  }
}

sdb_status sdb_db_failed(sqlite3 *db, const char *path, sdb_error *error) {
  if (!db) return sdb_error_set(error, SDB_NO_MEMORY, path, ": out of memory", NULL);
  sdb_status status = sdb_db_status(sqlite3_extended_errcode(db));
  if (status == SDB_OK) status = SDB_IO;
  return sdb_error_set(error, status, path, ": ", sqlite3_errmsg(db));
}

sdb_status sdb_db_failed_as(sqlite3 *db, const char *path, sdb_status status, sdb_error *error) {
  return sdb_db_failed(status == SDB_NO_MEMORY ? NULL : db, path, error);
}

sdb_status sdb_db_open(const char *path, const char *vfs, sdb_db_mode mode, int cache_kib,
    sqlite3 **db, sdb_error *error) {
  int flags = SQLITE_OPEN_NOMUTEX;
  flags |= mode == SDB_DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == SDB_DB_CREATE) flags |= SQLITE_OPEN_CREATE;
  sqlite3 *opened = NULL;
  int code = sqlite3_open_v2(path, &opened, flags, vfs);
  if (code == SQLITE_OK) code = sqlite3_busy_timeout(opened, SDB_DB_BUSY_TIMEOUT_MS);
  if (code == SQLITE_OK) {
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA cache_size=-%d", cache_kib);
    code = sqlite3_exec(opened, sql, NULL, NULL, NULL);
  }
  if (code != SQLITE_OK) {
    sdb_status status = sdb_db_failed(opened, path, error);
    sqlite3_close(opened);
    return status;
  }
  *db = opened;
  return SDB_OK;
}

sdb_status sdb_db_run(sqlite3 *db, const char *path, const char *sql, sdb_error *error) {
  int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
  return code == SQLITE_OK ? SDB_OK : sdb_db_failed(db, path, error);
}

sdb_status sdb_db_prepare(sqlite3 *db, const char *path, const char *const *sql,
    sqlite3_stmt **statements, size_t count, sdb_error *error) {
  memset(statements, 0, count * sizeof(*statements));
  for (size_t i = 0; i < count; i++) {
    SDB_ASSERT(sql[i] != NULL);
    int code = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i], NULL);
    if (code != SQLITE_OK) return sdb_db_failed(db, path, error);
  }
  return SDB_OK;
}

void sdb_db_finalize(sqlite3_stmt **statements, size_t count) {
  for (size_t i = 0; i < count; i++) {
    sqlite3_finalize(statements[i]);
    statements[i] = NULL;
  }
}

int sdb_db_sync_wal(sqlite3 *db) {
  sqlite3_file *wal = NULL;
  int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  /* Without methods it was never opened: nothing was written. */
  if (code == SQLITE_OK && wal && wal->pMethods)
    code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  return code;
}

sdb_status sdb_db_integer(
    sqlite3 *db, const char *path, const char *sql, int64_t *value, sdb_error *error) {
  sqlite3_stmt *statement;
  sdb_status status = SDB_OK;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
    return sdb_db_failed(db, path, error);
  if (sqlite3_step(statement) == SQLITE_ROW)
    *value = sqlite3_column_int64(statement, 0);
  else
    status = sdb_db_failed(db, path, error);
  sqlite3_finalize(statement);
  return status;
}

int sdb_db_step(sqlite3_stmt *statement) {
  int code = sqlite3_step(statement);
  int again = sqlite3_reset(statement);
  return code == SQLITE_DONE ? again == SQLITE_OK ? SQLITE_DONE : again : code;
}

sdb_uuid sdb_db_column_uuid(sqlite3_stmt *statement, int at) {
  sdb_uuid id = {{0}};
  sdb_slice bytes = sdb_db_column_bytes(statement, at);
  if (bytes.size == sizeof(id.bytes)) memcpy(id.bytes, bytes.data, sizeof(id.bytes));
  return id;
}
