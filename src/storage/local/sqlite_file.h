/* storage/local/sqlite_file.h: the local file, seen by the parts that read and write it. */
#ifndef SDB_STORAGE_LOCAL_SQLITE_FILE_H
#define SDB_STORAGE_LOCAL_SQLITE_FILE_H

#include "storage/local/sqlite_local.h"
#include "storage/sqlite/db.h"

#define SDB_LOCAL_FORMAT_VERSION 1
#define SDB_LOCAL_APPLICATION_ID 0x53594e4c /* "SYNL" */
#define SDB_LOCAL_STORE_ID_MAX 4095         /* stores that a file may see in its life */

/* Statements over the objects of one store, made when they are first wanted. */
typedef enum sdb_file_object_statement {
  SDB_F_OBJECT_PUT,
  SDB_F_OBJECT_REMOVE,
  SDB_F_OBJECT_GET,
  SDB_F_OBJECT_PAGE,
  SDB_F_OBJECT_NEWEST,
  SDB_F_OBJECT_CLEAR,
  SDB_F_OBJECT_STATEMENTS
} sdb_file_object_statement;

typedef enum sdb_file_statement {
  SDB_F_BEGIN,
  SDB_F_COMMIT,
  SDB_F_ROLLBACK,
  SDB_F_REMOVED_GET,
  SDB_F_REMOVED_PUT,
  SDB_F_REMOVED_RAISE,
  SDB_F_REMOVED_DROP,
  SDB_F_REMOVED_NEWEST,
  SDB_F_REMOVED_CLEAR,
  SDB_F_STATE_PUT,
  SDB_F_STATE_DROP,
  SDB_F_DATABASE_DIFFERS,
  SDB_F_DATABASE_PUT,
  SDB_F_PENDING_PUT,
  SDB_F_PENDING_DROP,
  SDB_F_STATEMENTS
} sdb_file_statement;

/* A store that the file was opened with. */
typedef struct sdb_file_store {
  const char *name; /* the opener's */
  sdb_store_type type;
  uint16_t id;        /* what stands for it in the file; 0: it is not in it */
  bool keeps_removes; /* false: it has no kept remove, none need be looked for */
  sqlite3_stmt *statements[SDB_F_OBJECT_STATEMENTS];
} sdb_file_store;

typedef struct sdb_file {
  const sdb_mem *mem;
  const char *path;
  sqlite3 *db;
  sqlite3_stmt *statements[SDB_F_STATEMENTS];
  sdb_buffer rows; /* what a read collects before it is given */
  sdb_error error; /* of the last failure */
  size_t stores_count;
  sdb_file_store *stores;
} sdb_file;

/* ---- sqlite_format.c ---- */

/* Whether the file is one of ours, of this user and server (a file that is empty is); changes
 * nothing. `was_ours`: one of ours stood at its path before. SDB_BAD_FORMAT: another program's or a
 * newer version's, or `*damaged`; SDB_CONFLICT. */
SDB_MUST_CHECK sdb_status sdb_file_check(sdb_file *file, const sdb_sqlite_local_options *options,
    bool was_ours, bool *damaged, sdb_error *error);

/* Makes the schema in a file that is empty, brings an older one up to date, and finds or adds the
 * stores: in one transaction. */
SDB_MUST_CHECK sdb_status sdb_file_prepare(
    sdb_file *file, const sdb_sqlite_local_options *options, sdb_error *error);

/* Finds the ids of the stores that the file knows, and leaves those of the others 0. */
SDB_MUST_CHECK sdb_status sdb_file_find_stores(sdb_file *file, sdb_error *error);

/* ---- sqlite_statements.c ---- */

/* A file that is not open yet. `stores` has room for options->stores_count, zeroed. */
void sdb_file_init(sdb_file *file, const sdb_sqlite_local_options *options, const char *path,
    sdb_file_store *stores);

/* The statement, prepared if need be; NULL: file->error says why. */
sqlite3_stmt *sdb_file_object_statement_of(
    sdb_file *file, sdb_file_store *store, sdb_file_object_statement which);

/* Prepares all of file->statements. */
SDB_MUST_CHECK sdb_status sdb_file_prepare_statements(sdb_file *file, sdb_error *error);

/* Finalizes what there is. */
void sdb_file_finalize_statements(sdb_file *file);

/* Sets file->error to what SQLite says of the last failure and gives its status. What a statement
 * of ours does not fit is a damaged file. */
sdb_status sdb_file_failed(sdb_file *file);

/* The same with words of ours, for content that is damaged: SDB_BAD_FORMAT. */
sdb_status sdb_file_damaged(sdb_file *file, const char *what);

/* Steps a statement that gives no row, and resets it. */
SDB_MUST_CHECK sdb_status sdb_file_step(sdb_file *file, sqlite3_stmt *statement);

/* Sixteen bytes or NULL (nil); false for anything else. */
SDB_MUST_CHECK bool sdb_file_column_uuid(sqlite3_stmt *statement, int at, sdb_uuid *id);

/* Text or NULL (empty); false for anything else. Valid until the statement moves. */
SDB_MUST_CHECK bool sdb_file_column_text(sqlite3_stmt *statement, int at, sdb_slice *text);

/* Sixteen bytes, the nil UUID's too; they must stay until the statement is reset. */
static inline void sdb_file_bind_id(sqlite3_stmt *statement, int at, const sdb_uuid *id) {
  int code = sqlite3_bind_blob(statement, at, id->bytes, sizeof(id->bytes), SQLITE_STATIC);
  SDB_ASSERT(code == SQLITE_OK);
}

/* ---- sqlite_commit.c, sqlite_read.c, sqlite_load.c ---- */

/* Before each operation: ends a failed transaction that there was no memory to roll back. Until it
 * succeeds, what is read would be of that transaction. On failure file->error is set. */
SDB_MUST_CHECK sdb_status sdb_file_settle(sdb_file *file);

/* Each carries out one operation; on failure file->error is set. */
SDB_MUST_CHECK sdb_status sdb_file_commit(sdb_file *file, sdb_local_commit *op);
SDB_MUST_CHECK sdb_status sdb_file_sync(sdb_file *file);
SDB_MUST_CHECK sdb_status sdb_file_page(sdb_file *file, sdb_local_page *op);
SDB_MUST_CHECK sdb_status sdb_file_object(sdb_file *file, sdb_local_object *op);
SDB_MUST_CHECK sdb_status sdb_file_load(sdb_file *file, sdb_local_load *op);

/* Takes the objects, the kept removes and the state of a store out, within a transaction. */
SDB_MUST_CHECK sdb_status sdb_file_clear(sdb_file *file, sdb_file_store *store);

/* Adds the pending pushes that `select` (SDB_FILE_PENDING_COLUMNS) gives and that are whole to
 * `file->rows`, their texts to `memory`; until sdb_file_pending_give their slices hold offsets.
 * SDB_OK, or why it ended early: what was read until then is there. */
SDB_MUST_CHECK sdb_status sdb_file_pending_read(
    sdb_file *file, sqlite3_stmt *select, sdb_buffer *memory);

#define SDB_FILE_PENDING_COLUMNS                                                                   \
  "client_id, position, store, action, id, depends, failed, created_ms, object, message, path"

/* Sorts what was read by position and gives it, in `memory`. */
SDB_MUST_CHECK sdb_status sdb_file_pending_give(
    sdb_file *file, sdb_buffer *memory, const sdb_local_pending **pending, size_t *count);

#endif
