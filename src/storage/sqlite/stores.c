/* storage/sqlite/stores.c: see stores.h. A store that left the definition keeps its row and its
 * events: it may come back. */
#include "storage/sqlite/stores.h"
#include "base/error.h"

static const char *type_name(sdb_store_type type) {
  return type == SDB_STORE_SINGULAR ? "singular" : "event";
}

static sdb_status refuse_type(const char *path, const sdb_storage_store *store, sdb_error *error) {
  sdb_error_set(error, SDB_BAD_DEFINITION, path, ": its store ", store->name);
  if (!error) return SDB_BAD_DEFINITION;
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(" is not of type "));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(type_name(store->type)));
  return SDB_BAD_DEFINITION;
}

static sdb_status add(sdb_store_map *map, sqlite3 *db, const char *path, sqlite3_stmt *insert,
    uint16_t index, const sdb_storage_store *store, sdb_error *error) {
  sdb_db_bind_text(insert, 1, sdb_slice_of(store->name));
  sdb_db_bind_text(insert, 2, sdb_slice_of(type_name(store->type)));
  if (sdb_db_step(insert) != SQLITE_DONE) return sdb_db_failed(db, path, error);
  sqlite3_int64 id = sqlite3_last_insert_rowid(db);
  if (id <= 0 || id > SDB_STORE_ID_MAX)
    return sdb_error_set(error, SDB_LIMIT, path, ": too many stores: ", store->name);
  map->ids[index] = (uint16_t)id;
  map->types[id] = store->type;
  map->indexes[id] = index;
  return SDB_OK;
}

/* Reads the stores that the database knows, those of the definition among them. */
static sdb_status read_known(sdb_store_map *map, sqlite3 *db, const char *path,
    sqlite3_stmt *select, const sdb_storage_store *stores, sdb_error *error) {
  int code;
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    uint64_t id = sdb_db_column(select, 0);
    sdb_slice name = sdb_db_column_bytes(select, 1), type = sdb_db_column_bytes(select, 2);
    if (id == 0 || id > SDB_STORE_ID_MAX)
      return sdb_error_set(error, SDB_BAD_FORMAT, path, ": the table store is damaged", NULL);
    bool singular = sdb_slice_equal(type, sdb_slice_of(type_name(SDB_STORE_SINGULAR)));
    map->types[id] = singular ? SDB_STORE_SINGULAR : SDB_STORE_EVENT;
    for (size_t i = 0; i < map->count; i++) {
      if (!sdb_slice_equal(name, sdb_slice_of(stores[i].name))) continue;
      if (stores[i].type != map->types[id]) return refuse_type(path, &stores[i], error);
      map->ids[i] = (uint16_t)id;
      map->indexes[id] = (uint16_t)i;
    }
  }
  return code == SQLITE_DONE ? SDB_OK : sdb_db_failed(db, path, error);
}

static sdb_status load(sdb_store_map *map, sqlite3 *db, const char *path,
    sqlite3_stmt *const *statements, const sdb_storage_store *stores, sdb_error *error) {
  sdb_status status = sdb_db_run(db, path, "BEGIN IMMEDIATE", error);
  if (status != SDB_OK) return status;
  status = read_known(map, db, path, statements[0], stores, error);
  sqlite3_reset(statements[0]);
  for (size_t i = 0; status == SDB_OK && i < map->count; i++) {
    if (map->ids[i] == 0)
      status = add(map, db, path, statements[1], (uint16_t)i, &stores[i], error);
  }
  if (status == SDB_OK) status = sdb_db_run(db, path, "COMMIT", error);
  if (status != SDB_OK) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

sdb_status sdb_store_map_load(sdb_store_map *map, sqlite3 *db, const char *path,
    const sdb_storage_store *stores, size_t count, sdb_error *error) {
  static const char *const SQL[] = {
      "SELECT id, name, type FROM store", "INSERT INTO store(name, type) VALUES(?1, ?2)"};
  if (count > SDB_STORE_ID_MAX)
    return sdb_error_set(error, SDB_LIMIT, path, ": too many stores", NULL);
  memset(map, 0, sizeof(*map));
  memset(map->indexes, 0xFF, sizeof(map->indexes)); /* SDB_STORE_ANY */
  _Static_assert(SDB_STORE_ANY == UINT16_MAX, "0xFF in every byte");
  map->count = count;
  sqlite3_stmt *statements[2];
  sdb_status status = sdb_db_prepare(db, path, SQL, statements, 2, error);
  if (status == SDB_OK) status = load(map, db, path, statements, stores, error);
  sdb_db_finalize(statements, 2);
  return status;
}
