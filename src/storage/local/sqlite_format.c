/* storage/local/sqlite_format.c: the local file's schema, its version, whose it is, its stores.
 *
 * The tables of version 1:
 *   meta      one row a fact: `user` and `server`, whose data it is; `database`, that of the heads
 *   store     the stores that it was ever opened with; `id` stands for them everywhere
 *   object_N  the objects of store N: see sqlite_statements.c
 *   removed   kept removes, apart from the objects, so that a page passes over none of them
 *   state     how far each store is synced; `missing` is the ranges, 32 bytes each, newest first
 *   pending   pushes that were not seen back. Positions are unique among the stores that are open
 *             together, not in the file
 *
 * Objects are rows in the order they came, with an index over their ids, the newest first: a device
 * catches up in that order, so that most ids go to the index's end. In a table clustered by id all
 * pages would be half full where ids come the other way, and bodies from 1 KiB on would leave their
 * rows for pages of their own. docs/storage.md has the figures.
 *
 * A migration is one step from a version to the next, run in one transaction with all the others;
 * user_version is set at its end. Steps are never edited once released.
 */
#include "base/error.h"
#include "storage/local/sqlite_file.h"
#include <stdio.h>

static const char SCHEMA[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE store(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL);"
    "CREATE TABLE removed(store INTEGER, id BLOB, event_id BLOB NOT NULL,"
    " PRIMARY KEY(store, id)) WITHOUT ROWID;"
    "CREATE TABLE state(store INTEGER PRIMARY KEY, head BLOB, wanted INTEGER NOT NULL,"
    " missing BLOB);"
    "CREATE TABLE pending(client_id BLOB NOT NULL UNIQUE, position INTEGER NOT NULL,"
    " store INTEGER NOT NULL, action INTEGER NOT NULL, id BLOB, depends BLOB,"
    " failed INTEGER NOT NULL, created_ms INTEGER NOT NULL, object TEXT, message TEXT, path TEXT);";

static const char *type_name(sdb_store_type type) {
  return type == SDB_STORE_SINGULAR ? "singular" : "event";
}

/* Gives what file->error says to the opener. */
static sdb_status give_error(const sdb_file *file, sdb_error *error) {
  if (error) *error = file->error;
  return file->error.status;
}

static sdb_status run(sdb_file *file, const char *sql) {
  if (sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK) return SDB_OK;
  return sdb_file_failed(file);
}

static sdb_status prepare(sdb_file *file, const char *sql, sqlite3_stmt **statement) {
  if (sqlite3_prepare_v2(file->db, sql, -1, statement, NULL) == SQLITE_OK) return SDB_OK;
  return sdb_file_failed(file);
}

static sdb_status integer(sdb_file *file, const char *sql, int64_t *value) {
  if (sdb_db_integer(file->db, file->path, sql, value, NULL) == SDB_OK) return SDB_OK;
  return sdb_file_failed(file);
}

/* ---- whose file it is ---- */

/* The file's version: 0 for an empty file. `*ours`: it is no other program's. */
static sdb_status read_version(sdb_file *file, int64_t *version, bool *ours) {
  int64_t application = 0, tables = 0;
  sdb_status status = integer(file, "PRAGMA application_id", &application);
  if (status == SDB_OK) status = integer(file, "PRAGMA user_version", version);
  if (status != SDB_OK) return status;
  *ours = application == SDB_LOCAL_APPLICATION_ID;
  if (*ours) return SDB_OK;
  status = integer(file, "SELECT count(*) FROM sqlite_schema", &tables);
  *ours = status == SDB_OK && application == 0 && *version == 0 && tables == 0;
  return status;
}

/* Whether the fact `key` is `wanted`. */
static sdb_status check_fact(sdb_file *file, const char *key, const char *wanted) {
  sqlite3_stmt *select;
  sdb_status status = prepare(file, "SELECT value FROM meta WHERE key = ?1", &select);
  if (status != SDB_OK) return status;
  sdb_db_bind_text(select, 1, sdb_slice_of(key));
  int code = sqlite3_step(select);
  sdb_slice found;
  if (code == SQLITE_DONE) {
    status = sdb_file_damaged(file, "the table meta lacks a row");
  } else if (code != SQLITE_ROW) {
    status = sdb_file_failed(file);
  } else if (!sdb_file_column_text(select, 0, &found)) {
    status = sdb_file_damaged(file, "the table meta");
  } else if (!sdb_slice_equal(found, sdb_slice_of(wanted))) {
    char what[64];
    snprintf(what, sizeof(what), ": holds the data of another %s: ", key);
    char name[128];
    sdb_text_copy(name, sizeof(name), found);
    status = sdb_error_set(&file->error, SDB_CONFLICT, file->path, what, name);
  }
  sqlite3_finalize(select);
  return status;
}

static sdb_status refuse_version(sdb_file *file, int64_t version) {
  char numbers[96];
  snprintf(numbers, sizeof(numbers), "format version %lld, this one knows versions up to %d",
      (long long)version, SDB_LOCAL_FORMAT_VERSION);
  return sdb_error_set(
      &file->error, SDB_BAD_FORMAT, file->path, ": written by a newer syncdb: ", numbers);
}

sdb_status sdb_file_check(sdb_file *file, const sdb_sqlite_local_options *options, bool was_ours,
    bool *damaged, sdb_error *error) {
  int64_t version = 0;
  bool ours = false;
  *damaged = false;
  sdb_status status = read_version(file, &version, &ours);
  if (status == SDB_OK && !ours) {
    sdb_error_set(
        &file->error, SDB_BAD_FORMAT, file->path, ": a SQLite database of another program", NULL);
    return give_error(file, error);
  }
  if (status == SDB_OK && version > SDB_LOCAL_FORMAT_VERSION) {
    refuse_version(file, version);
    return give_error(file, error);
  }
  if (status == SDB_OK && version < 0) status = sdb_file_damaged(file, "its version");
  if (status == SDB_OK && version > 0) status = check_fact(file, "user", options->user);
  if (status == SDB_OK && version > 0) status = check_fact(file, "server", options->server);
  *damaged = status == SDB_BAD_FORMAT && (ours || was_ours);
  return status == SDB_OK ? SDB_OK : give_error(file, error);
}

/* ---- the schema ---- */

static sdb_status put_fact(sdb_file *file, const char *key, const char *value) {
  sqlite3_stmt *insert;
  sdb_status status = prepare(file, "INSERT INTO meta VALUES(?1, ?2)", &insert);
  if (status != SDB_OK) return status;
  sdb_db_bind_text(insert, 1, sdb_slice_of(key));
  sdb_db_bind_text(insert, 2, sdb_slice_of(value));
  status = sdb_file_step(file, insert);
  sqlite3_finalize(insert);
  return status;
}

static sdb_status create_schema(sdb_file *file, const sdb_sqlite_local_options *options) {
  sdb_status status = run(file, SCHEMA);
  if (status == SDB_OK) status = put_fact(file, "user", options->user);
  return status == SDB_OK ? put_fact(file, "server", options->server) : status;
}

/* MIGRATIONS[v] leads from version v to version v + 1. */
typedef sdb_status (*migration)(sdb_file *file, const sdb_sqlite_local_options *options);
static const migration MIGRATIONS[] = {create_schema};
_Static_assert(
    SDB_COUNT_OF(MIGRATIONS) == SDB_LOCAL_FORMAT_VERSION, "a step leads to every version");

static sdb_status migrate(sdb_file *file, const sdb_sqlite_local_options *options) {
  int64_t version = 0;
  sdb_status status = integer(file, "PRAGMA user_version", &version);
  if (status != SDB_OK || version == SDB_LOCAL_FORMAT_VERSION) return status;
  while (status == SDB_OK && version < SDB_LOCAL_FORMAT_VERSION)
    status = MIGRATIONS[version++](file, options);
  if (status != SDB_OK) return status;
  char sql[96];
  snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d",
      SDB_LOCAL_APPLICATION_ID, SDB_LOCAL_FORMAT_VERSION);
  return run(file, sql);
}

/* ---- stores ---- */

static sdb_status read_store(sdb_file *file, sqlite3_stmt *select, bool *other_type) {
  int64_t id = sqlite3_column_int64(select, 0);
  sdb_slice name, type;
  if (id <= 0 || id > SDB_LOCAL_STORE_ID_MAX || !sdb_file_column_text(select, 1, &name) ||
      !sdb_file_column_text(select, 2, &type))
    return sdb_file_damaged(file, "the table store");
  for (size_t i = 0; i < file->stores_count; i++) {
    sdb_file_store *store = &file->stores[i];
    if (!sdb_slice_equal(name, sdb_slice_of(store->name))) continue;
    store->id = (uint16_t)id;
    other_type[i] = !sdb_slice_equal(type, sdb_slice_of(type_name(store->type)));
  }
  return SDB_OK;
}

static sdb_status read_stores(sdb_file *file, bool *other_type) {
  sqlite3_stmt *select;
  sdb_status status = prepare(file, "SELECT id, name, type FROM store", &select);
  int code = SQLITE_DONE;
  while (status == SDB_OK && (code = sqlite3_step(select)) == SQLITE_ROW)
    status = read_store(file, select, other_type);
  if (status == SDB_OK && code != SQLITE_DONE) status = sdb_file_failed(file);
  sqlite3_finalize(select);
  return status;
}

static sdb_status add_store(sdb_file *file, sdb_file_store *store) {
  sqlite3_stmt *insert;
  sdb_status status = prepare(file, "INSERT INTO store(name, type) VALUES(?1, ?2)", &insert);
  if (status != SDB_OK) return status;
  sdb_db_bind_text(insert, 1, sdb_slice_of(store->name));
  sdb_db_bind_text(insert, 2, sdb_slice_of(type_name(store->type)));
  status = sdb_file_step(file, insert);
  sqlite3_finalize(insert);
  if (status != SDB_OK) return status;
  sqlite3_int64 id = sqlite3_last_insert_rowid(file->db);
  if (id <= 0 || id > SDB_LOCAL_STORE_ID_MAX)
    return sdb_error_set(&file->error, SDB_LIMIT, file->path, ": too many stores: ", store->name);
  store->id = (uint16_t)id;
  char sql[224];
  unsigned number = store->id;
  snprintf(sql, sizeof(sql),
      "CREATE TABLE object_%u(id BLOB NOT NULL, event_id BLOB, client_id BLOB, body TEXT);"
      "CREATE UNIQUE INDEX newest_%u ON object_%u(id DESC)",
      number, number, number);
  return run(file, sql);
}

/* A store of another type keeps its pending pushes: what they hold was pushed by this device and is
 * nowhere else. */
static sdb_status change_type(sdb_file *file, sdb_file_store *store) {
  sqlite3_stmt *update;
  sdb_status status = sdb_file_clear(file, store);
  if (status == SDB_OK) status = prepare(file, "UPDATE store SET type = ?2 WHERE id = ?1", &update);
  if (status != SDB_OK) return status;
  sdb_db_bind(update, 1, store->id);
  sdb_db_bind_text(update, 2, sdb_slice_of(type_name(store->type)));
  status = sdb_file_step(file, update);
  sqlite3_finalize(update);
  return status;
}

/* Whether any remove of the store is kept. */
static sdb_status look_for_removes(sdb_file *file, sdb_file_store *store) {
  char sql[96];
  int64_t some = 0;
  snprintf(sql, sizeof(sql), "SELECT EXISTS(SELECT 1 FROM removed WHERE store = %u)",
      (unsigned)store->id);
  sdb_status status = integer(file, sql, &some);
  store->keeps_removes = some != 0;
  return status;
}

static sdb_status prepare_stores(sdb_file *file) {
  bool *other_type = sdb_mem_zero(file->mem, file->stores_count * sizeof(*other_type));
  if (!other_type)
    return sdb_error_set(&file->error, SDB_NO_MEMORY, file->path, ": out of memory", NULL);
  sdb_status status = read_stores(file, other_type);
  for (size_t i = 0; status == SDB_OK && i < file->stores_count; i++) {
    sdb_file_store *store = &file->stores[i];
    if (store->id == 0) status = add_store(file, store);
    if (status == SDB_OK) status = look_for_removes(file, store);
    if (status == SDB_OK && other_type[i]) status = change_type(file, store);
  }
  sdb_mem_free(file->mem, other_type);
  return status;
}

sdb_status sdb_file_prepare(
    sdb_file *file, const sdb_sqlite_local_options *options, sdb_error *error) {
  sdb_status status = run(file, "BEGIN IMMEDIATE");
  if (status == SDB_OK) status = migrate(file, options);
  if (status == SDB_OK) status = sdb_file_prepare_statements(file, NULL);
  if (status == SDB_OK) status = prepare_stores(file);
  if (status == SDB_OK) status = run(file, "COMMIT");
  if (status == SDB_OK) return SDB_OK;
  if (!sqlite3_get_autocommit(file->db)) sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
  return give_error(file, error);
}

sdb_status sdb_file_find_stores(sdb_file *file, sdb_error *error) {
  bool *other_type = sdb_mem_zero(file->mem, file->stores_count * sizeof(*other_type));
  if (!other_type) return sdb_error_set(error, SDB_NO_MEMORY, file->path, ": out of memory", NULL);
  sdb_status status = read_stores(file, other_type);
  sdb_mem_free(file->mem, other_type);
  return status == SDB_OK ? SDB_OK : give_error(file, error);
}
