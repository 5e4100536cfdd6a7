/* storage/local/sqlite_statements.c: the statements of the local file, and what becomes of errors.
 *
 * Each store has a table of its own, so that clearing it is one statement that touches few pages
 * (measured with 1,000,000 objects: 0.5 s and 19 pages of WAL; 2.6 s and 26,000 pages where they
 * stand in one table with others). `event_id` is NULL where it equals the id, as it does until an
 * object is changed.
 */
#include "base/error.h"
#include "storage/local/sqlite_file.h"
#include <stdio.h>

#define ROWS_BYTES_MAX ((size_t)64 << 20)

/* What stands before the table's name, and behind it. */
static const char *const OBJECT_SQL[SDB_F_OBJECT_STATEMENTS][2] = {
    [SDB_F_OBJECT_PUT] = {"INSERT INTO",
        "VALUES(?1, ?2, ?3, ?4) ON CONFLICT(id) DO UPDATE SET event_id = excluded.event_id,"
        " client_id = excluded.client_id, body = excluded.body"
        " WHERE coalesce(excluded.event_id, excluded.id) > coalesce(event_id, id)"
        " OR (?5 AND coalesce(excluded.event_id, excluded.id) = coalesce(event_id, id))"},
    [SDB_F_OBJECT_REMOVE] = {"DELETE FROM", "WHERE id = ?1 AND coalesce(event_id, id) <= ?2"},
    [SDB_F_OBJECT_GET] = {"SELECT id, event_id, client_id, body FROM", "WHERE id = ?1"},
    [SDB_F_OBJECT_PAGE] = {"SELECT id, event_id, client_id, body FROM",
        "WHERE id < ?1 ORDER BY id DESC LIMIT ?2"},
    [SDB_F_OBJECT_NEWEST] = {"SELECT max(coalesce(event_id, id)) FROM", ""},
    [SDB_F_OBJECT_CLEAR] = {"DELETE FROM", ""},
};

static const char *const SQL[SDB_F_STATEMENTS] = {
    [SDB_F_BEGIN] = "BEGIN IMMEDIATE",
    [SDB_F_COMMIT] = "COMMIT",
    [SDB_F_ROLLBACK] = "ROLLBACK",
    [SDB_F_REMOVED_GET] = "SELECT event_id FROM removed WHERE store = ?1 AND id = ?2",
    [SDB_F_REMOVED_PUT] = "INSERT INTO removed VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE"
                          " SET event_id = max(event_id, excluded.event_id)",
    [SDB_F_REMOVED_RAISE] = "UPDATE removed SET event_id = ?3"
                            " WHERE store = ?1 AND id = ?2 AND event_id < ?3",
    [SDB_F_REMOVED_DROP] = "DELETE FROM removed WHERE store = ?1 AND id = ?2",
    [SDB_F_REMOVED_NEWEST] = "SELECT max(event_id) FROM removed WHERE store = ?1",
    [SDB_F_REMOVED_CLEAR] = "DELETE FROM removed WHERE store = ?1",
    [SDB_F_STATE_PUT] = "INSERT OR REPLACE INTO state VALUES(?1, ?2, ?3, ?4)",
    [SDB_F_STATE_DROP] = "DELETE FROM state WHERE store = ?1",
    [SDB_F_DATABASE_DIFFERS] = "SELECT value IS NOT ?1 FROM meta WHERE key = 'database'",
    [SDB_F_DATABASE_PUT] = "INSERT OR REPLACE INTO meta VALUES('database', ?1)",
    [SDB_F_PENDING_PUT] = "INSERT OR REPLACE INTO pending(" SDB_FILE_PENDING_COLUMNS
                          ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SDB_F_PENDING_DROP] = "DELETE FROM pending WHERE client_id = ?1",
};

void sdb_file_init(sdb_file *file, const sdb_sqlite_local_options *options, const char *path,
    sdb_file_store *stores) {
  memset(file, 0, sizeof(*file));
  file->mem = options->mem;
  file->path = path;
  file->stores = stores;
  file->stores_count = options->stores_count;
  for (size_t i = 0; i < options->stores_count; i++) {
    stores[i].name = options->stores[i].name;
    stores[i].type = options->stores[i].type;
  }
  sdb_buffer_init(&file->rows, options->mem, ROWS_BYTES_MAX);
}

sqlite3_stmt *sdb_file_object_statement_of(
    sdb_file *file, sdb_file_store *store, sdb_file_object_statement which) {
  sqlite3_stmt **statement = &store->statements[which];
  if (*statement) return *statement;
  char sql[320];
  int size = snprintf(sql, sizeof(sql), "%s object_%u %s", OBJECT_SQL[which][0],
      (unsigned)store->id, OBJECT_SQL[which][1]);
  SDB_ASSERT(size > 0 && (size_t)size < sizeof(sql));
  int code = sqlite3_prepare_v3(file->db, sql, size, SQLITE_PREPARE_PERSISTENT, statement, NULL);
  if (code != SQLITE_OK) sdb_file_failed(file);
  return *statement;
}

sdb_status sdb_file_prepare_statements(sdb_file *file, sdb_error *error) {
  sdb_status status =
      sdb_db_prepare(file->db, file->path, SQL, file->statements, SDB_F_STATEMENTS, error);
  if (status == SDB_OK) return SDB_OK;
  status = sdb_file_failed(file);
  if (error) *error = file->error;
  return status;
}

void sdb_file_finalize_statements(sdb_file *file) {
  sdb_db_finalize(file->statements, SDB_F_STATEMENTS);
  for (size_t i = 0; i < file->stores_count; i++)
    sdb_db_finalize(file->stores[i].statements, SDB_F_OBJECT_STATEMENTS);
}

sdb_status sdb_file_failed(sdb_file *file) {
  sdb_status status = sdb_db_failed(file->db, file->path, &file->error);
  switch (sqlite3_errcode(file->db) & 0xFF) {
  case SQLITE_ERROR:
  case SQLITE_SCHEMA:
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
    file->error.status = status = SDB_BAD_FORMAT;
    break;
  default:
    break;
  }
  return status;
}

sdb_status sdb_file_damaged(sdb_file *file, const char *what) {
  return sdb_error_set(&file->error, SDB_BAD_FORMAT, file->path, ": damaged: ", what);
}

sdb_status sdb_file_step(sdb_file *file, sqlite3_stmt *statement) {
  return sdb_db_step(statement) == SQLITE_DONE ? SDB_OK : sdb_file_failed(file);
}

bool sdb_file_column_uuid(sqlite3_stmt *statement, int at, sdb_uuid *id) {
  memset(id, 0, sizeof(*id));
  int type = sqlite3_column_type(statement, at);
  if (type == SQLITE_NULL) return true;
  sdb_slice bytes = sdb_db_column_bytes(statement, at);
  if (type != SQLITE_BLOB || bytes.size != sizeof(id->bytes)) return false;
  memcpy(id->bytes, bytes.data, sizeof(id->bytes));
  return true;
}

bool sdb_file_column_text(sqlite3_stmt *statement, int at, sdb_slice *text) {
  int type = sqlite3_column_type(statement, at);
  *text = sdb_slice_make(NULL, 0);
  if (type == SQLITE_NULL) return true;
  if (type != SQLITE_TEXT) return false;
  *text = sdb_db_column_bytes(statement, at);
  return text->data != NULL || sqlite3_column_bytes(statement, at) == 0;
}
