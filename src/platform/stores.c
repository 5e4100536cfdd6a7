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

sdb_status sdb_stores_create(
    const sdb_store_definition *definitions, sdb_store ***stores, size_t *count, sdb_error *error) {
  return sdb_stores_compile_table(
      definitions, sdb_platform_mem(), sdb_platform_patterns(), stores, count, error);
}

void sdb_stores_destroy(sdb_store **stores, size_t count) {
  if (!stores) return;
  for (size_t i = 0; i < count; i++)
    sdb_store_destroy(stores[i]);
  sdb_mem_free(sdb_platform_mem(), stores);
}
