/* bindings/wasm/stores.h: the stores that the module is created with: from their definitions in
 * JavaScript, or from the application's C file where the module has one. */
#ifndef SDB_WASM_STORES_H
#define SDB_WASM_STORES_H

#include "read.h"
#include "store/store.h"

/* Makes the stores of the list at `at`: {"name","type","schema"?,"rules"?,"check"?} each; one
 * without a schema is the module's own. SDB_BAD_DEFINITION: the message begins with the store's
 * name. SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_wasm_make_stores(
    sdb_wasm_reader *reader, uint32_t at, sdb_store ***stores, size_t *count, sdb_error *error);

/* What the application's C file says of a store, or NULL: nothing. */
const sdb_store_definition *sdb_wasm_own_store(sdb_slice name);

/* A store of that. Only a module with an application's C file has what this needs. */
SDB_MUST_CHECK sdb_status sdb_wasm_make_own(const sdb_store_definition *definition,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_error *error);

#endif
