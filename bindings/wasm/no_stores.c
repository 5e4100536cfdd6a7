/* bindings/wasm/no_stores.c: the module without an application's C file: every store is defined in
 * JavaScript. */
#include "stores.h"

const sdb_store_definition *sdb_wasm_own_store(sdb_slice name) {
  (void)name;
  return NULL;
}

sdb_status sdb_wasm_make_own(const sdb_store_definition *definition,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_error *error) {
  (void)definition;
  (void)patterns;
  (void)store;
  (void)error;
  return SDB_BAD_DEFINITION;
}
