/* bindings/wasm/storage.h: the device's storage, which is JavaScript: operations go out with the
 * other outputs, and come back as calls. */
#ifndef SDB_WASM_STORAGE_H
#define SDB_WASM_STORAGE_H

#include "replica/replica.h"

/* The port, which stays as it is until the next call. */
const sdb_local_port *sdb_wasm_storage(size_t stores_count, bool durable);

/* The answer to the oldest operation: its number, and {"result":...} or {"error":"io"}. What it
 * says is not trusted: where it is not what the operation asks for, that failed with `bad_format`.
 * False: the oldest one has another number. */
bool sdb_wasm_complete(sdb_replica *replica, sdb_slice answer, uint32_t number, uint64_t now_ms);

#endif
