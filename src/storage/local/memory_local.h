/* storage/local/memory_local.h: the device's storage in plain memory: for clients without a file,
 * and for tests of what stands on the port.
 *
 * One thread, no clock: the same calls give the same results. Operations are completed inside
 * submit, or, where sdb_memory_local_defer asked for it, by sdb_memory_local_run.
 */
#ifndef SDB_STORAGE_MEMORY_LOCAL_H
#define SDB_STORAGE_MEMORY_LOCAL_H

#include "replica/storage_port.h"
#include "storage/storage.h"
#include <syncdb/memory.h>

typedef struct sdb_memory_local sdb_memory_local;

/* An empty storage. `mem` must outlive it; the names of the stores are not used. SDB_OK or
 * SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_memory_local_create(const sdb_mem *mem,
    const sdb_storage_store *stores, size_t stores_count, sdb_local_sink sink,
    sdb_memory_local **local);

/* Frees it; NULL is allowed. No operation may wait. */
void sdb_memory_local_destroy(sdb_memory_local *local);

/* The port; its `durable` is false. Lives as long as the storage. */
const sdb_local_port *sdb_memory_local_port(sdb_memory_local *local);

/* From now on commits fail with `status` and change nothing; SDB_OK: they succeed again. */
void sdb_memory_local_fail(sdb_memory_local *local, sdb_status status);

/* Whether operations wait for sdb_memory_local_run from now on, as a browser's do. */
void sdb_memory_local_defer(sdb_memory_local *local, bool deferred);

/* Carries out and completes, in one call of the sink, at most `count` operations that wait
 * (SIZE_MAX: all that wait now). Gives how many that were. */
size_t sdb_memory_local_run(sdb_memory_local *local, size_t count);

#endif
