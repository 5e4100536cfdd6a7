/* bindings/wasm/stores.h: the stores that the module is created with: from their definitions in
 * JavaScript, or from the application's C file where the module has one. */
#ifndef SDB_WASM_STORES_H
#define SDB_WASM_STORES_H

#include "store/store.h"

/* Makes store `number` (from 0 on): one without a schema is the module's own. `checked`: JavaScript
 * is asked for its rule too, as the last. SDB_BAD_DEFINITION: the message begins with the store's
 * name. SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_wasm_make_store(const sdb_store_parts *parts, uint32_t number,
    bool checked, sdb_store **store, sdb_error *error);

/* What the application's C file says of a store, or NULL: nothing. */
const sdb_store_definition *sdb_wasm_own_store(sdb_slice name);

/* A store of that. Only a module with an application's C file has what this needs. */
SDB_MUST_CHECK sdb_status sdb_wasm_make_own(const sdb_store_definition *definition,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_error *error);

#endif
