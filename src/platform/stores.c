/* platform/stores.c: stores as applications make them: memory from malloc, patterns on PCRE2. */
#include "platform/platform.h"

sdb_status sdb_store_create(
    const sdb_store_definition *definition, sdb_store **store, sdb_error *error) {
  return sdb_store_compile(definition, sdb_platform_mem(), sdb_platform_patterns(), store, error);
}

sdb_status sdb_stores_from_json(
    sdb_slice json, sdb_store ***stores, size_t *count, sdb_error *error) {
  return sdb_stores_compile(
      json, sdb_platform_mem(), sdb_platform_patterns(), stores, count, error);
}
