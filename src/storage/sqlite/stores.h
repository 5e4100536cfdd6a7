/* storage/sqlite/stores.h: a definition's stores and their ids in the database. */
#ifndef SDB_STORAGE_SQLITE_STORES_H
#define SDB_STORAGE_SQLITE_STORES_H

#include "hub/storage_port.h"
#include "storage/sqlite/db.h"
#include "storage/storage.h"

#define SDB_STORE_ID_MAX 4095 /* stores that a database may see in its life */

typedef struct sdb_store_map {
  size_t count;                               /* of the definition's stores */
  uint16_t ids[SDB_STORE_ID_MAX + 1];         /* index -> id */
  sdb_store_type types[SDB_STORE_ID_MAX + 1]; /* by id; 0 where the database has none */
  uint16_t indexes[SDB_STORE_ID_MAX + 1];     /* id -> index; SDB_STORE_ANY where it has it not */
} sdb_store_map;

/* Finds the ids of the stores and adds those that are new. SDB_BAD_DEFINITION: a store has another
 * type than it was made with; SDB_LIMIT: more than SDB_STORE_ID_MAX stores. */
SDB_MUST_CHECK sdb_status sdb_store_map_load(sdb_store_map *map, sqlite3 *db, const char *path,
    const sdb_storage_store *stores, size_t count, sdb_error *error);

static inline uint16_t sdb_store_map_id(const sdb_store_map *map, uint16_t index) {
  SDB_ASSERT(index < map->count);
  return map->ids[index];
}

/* The index of a store id as the database has it; SDB_STORE_ANY: none. */
static inline uint16_t sdb_store_map_index(const sdb_store_map *map, uint64_t id) {
  return id <= SDB_STORE_ID_MAX ? map->indexes[id] : SDB_STORE_ANY;
}

static inline bool sdb_store_map_is_singular(const sdb_store_map *map, uint16_t id) {
  SDB_ASSERT(id <= SDB_STORE_ID_MAX);
  return map->types[id] == SDB_STORE_SINGULAR;
}

#endif
