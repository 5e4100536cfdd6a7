/* bindings/wasm/own_stores.c: the stores of the application's C file, which is linked with it and
 * defines `syncdb_stores`. */
#include "memory.h"
#include "stores.h"

const sdb_store_definition *sdb_wasm_own_store(sdb_slice name) {
  const sdb_store_definition *own = syncdb_stores;
  while (own->name && !sdb_slice_equal(sdb_slice_of(own->name), name))
    own++;
  return own->name ? own : NULL;
}

sdb_status sdb_wasm_make_own(const sdb_store_definition *definition,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_error *error) {
  return sdb_store_compile(definition, sdb_wasm_mem(), patterns, store, error);
}
