/* bindings/wasm/memory.h: where the module gets memory from. */
#ifndef SDB_WASM_MEMORY_H
#define SDB_WASM_MEMORY_H

#include <syncdb/memory.h>

/* Never NULL. What it gives is aligned to 8 bytes. */
const sdb_mem *sdb_wasm_mem(void);

#endif
