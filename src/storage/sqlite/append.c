/* storage/sqlite/append.c: see append.h. The virtual table is eponymous: it is there on this
 * connection only and leaves nothing in the file. */
#include "storage/sqlite/append.h"

typedef struct batch_table {
  sqlite3_vtab base;
  const sdb_append *append;
} batch_table;

typedef struct batch_cursor {
  sqlite3_vtab_cursor base;
  size_t at;
} batch_cursor;

static const sdb_append *append_of(const sqlite3_vtab_cursor *cursor) {
  return ((const batch_table *)cursor->pVtab)->append;
}

static int batch_connect(sqlite3 *db, void *context, int count, const char *const *arguments,
    sqlite3_vtab **table, char **message) {
  (void)count;
  (void)arguments;
  (void)message;
  int code = sqlite3_declare_vtab(db, "CREATE TABLE batch(seq, user, store, object, client, body)");
  if (code != SQLITE_OK) return code;
  batch_table *made = sqlite3_malloc(sizeof(*made));
  if (!made) return SQLITE_NOMEM;
  memset(made, 0, sizeof(*made));
  made->append = context;
  *table = &made->base;
  return SQLITE_OK;
}

static int batch_disconnect(sqlite3_vtab *table) {
  sqlite3_free(table);
  return SQLITE_OK;
}

static int batch_best_index(sqlite3_vtab *table, sqlite3_index_info *info) {
  (void)table;
  info->estimatedCost = 1;
  return SQLITE_OK;
}

static int batch_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor) {
  (void)table;
  batch_cursor *made = sqlite3_malloc(sizeof(*made));
  if (!made) return SQLITE_NOMEM;
  memset(made, 0, sizeof(*made));
  *cursor = &made->base;
  return SQLITE_OK;
}

static int batch_close(sqlite3_vtab_cursor *cursor) {
  sqlite3_free(cursor);
  return SQLITE_OK;
}

static int batch_filter(
    sqlite3_vtab_cursor *cursor, int plan, const char *text, int count, sqlite3_value **values) {
  (void)plan;
  (void)text;
  (void)count;
  (void)values;
  ((batch_cursor *)cursor)->at = 0;
  return SQLITE_OK;
}

static int batch_next(sqlite3_vtab_cursor *cursor) {
  ((batch_cursor *)cursor)->at++;
  return SQLITE_OK;
}

static int batch_eof(sqlite3_vtab_cursor *cursor) {
  return ((batch_cursor *)cursor)->at >= append_of(cursor)->count;
}

static int batch_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  *rowid = (sqlite3_int64)((batch_cursor *)cursor)->at;
  return SQLITE_OK;
}

/* A column that gets no result is NULL. */
static int batch_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int column) {
  const sdb_append_row *row = &append_of(cursor)->rows[((batch_cursor *)cursor)->at];
  switch (column) {
  case 0:
    sqlite3_result_int64(to, (sqlite3_int64)row->seq);
    break;
  case 1:
    sqlite3_result_int64(to, (sqlite3_int64)row->user);
    break;
  case 2:
    sqlite3_result_int(to, row->store);
    break;
  case 3:
    if (row->object != row->seq) sqlite3_result_int64(to, (sqlite3_int64)row->object);
    break;
  case 4:
    if (!sdb_uuid_is_nil(*row->client_id))
      sqlite3_result_blob(to, row->client_id->bytes, 16, SQLITE_STATIC);
    break;
  default:
    if (!row->removed)
      sqlite3_result_text(
          to, row->body.data ? row->body.data : "", (int)row->body.size, SQLITE_STATIC);
    break;
  }
  return SQLITE_OK;
}

static const sqlite3_module BATCH = {.iVersion = 0,
    .xConnect = batch_connect,
    .xBestIndex = batch_best_index,
    .xDisconnect = batch_disconnect,
    .xOpen = batch_open,
    .xClose = batch_close,
    .xFilter = batch_filter,
    .xNext = batch_next,
    .xEof = batch_eof,
    .xColumn = batch_column,
    .xRowid = batch_rowid};

sdb_status sdb_append_open(sdb_append *append, sqlite3 *db, const char *path, const sdb_mem *mem,
    size_t capacity, sdb_error *error) {
  static const char *const SQL[] = {"INSERT INTO log SELECT * FROM batch"};
  append->mem = mem;
  append->capacity = capacity;
  append->rows = sdb_mem_alloc(mem, sdb_mem_product(capacity, sizeof(*append->rows)));
  if (!append->rows) return sdb_db_failed(NULL, path, error);
  if (sqlite3_create_module(db, "batch", &BATCH, append) != SQLITE_OK)
    return sdb_db_failed(db, path, error);
  return sdb_db_prepare(db, path, SQL, &append->statement, 1, error);
}

void sdb_append_close(sdb_append *append) {
  if (!append->mem) return;
  sdb_db_finalize(&append->statement, 1);
  sdb_mem_free(append->mem, append->rows);
  append->rows = NULL;
}
