/* storage/memory/memory_storage.h: the storage port in plain memory, for tests and simulations.
 *
 * One thread, no clock, no randomness: the same calls give the same results. Submitted operations
 * wait until sdb_memory_storage_run carries them out and completes them through the sink.
 */
#ifndef SDB_STORAGE_MEMORY_STORAGE_H
#define SDB_STORAGE_MEMORY_STORAGE_H

#include "hub/storage_port.h"
#include "storage/storage.h"

typedef struct sdb_memory_storage sdb_memory_storage;

/* Start from sdb_memory_storage_options_init. */
typedef struct sdb_memory_storage_options {
  const sdb_mem *mem; /* must outlive the storage */
  const sdb_storage_store *stores;
  size_t stores_count;
  sdb_storage_sink sink;
  sdb_uuid database;            /* the database's id; not nil */
  sdb_uuid epoch;               /* of its history; nil: the database's id */
  uint64_t remember_removes_ms; /* how long removes are kept, by the clock of the writes */
  uint64_t dedupe_window_ms;    /* how long client ids are remembered at least */
} sdb_memory_storage_options;

void sdb_memory_storage_options_init(sdb_memory_storage_options *options);

/* SDB_OK or SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_memory_storage_create(
    const sdb_memory_storage_options *options, sdb_memory_storage **storage);

/* Another storage with the same options but `epoch` that holds what `from` has committed: it shares
 * nothing with it, and nothing is queued in it. SDB_OK or SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_memory_storage_copy(
    const sdb_memory_storage *from, sdb_uuid epoch, sdb_memory_storage **copy);

/* Frees it; NULL is allowed. No operation may still be queued. */
void sdb_memory_storage_destroy(sdb_memory_storage *storage);

/* The port. Lives as long as the storage. */
const sdb_storage_port *sdb_memory_storage_port(sdb_memory_storage *storage);

/* Carries out all that is queued now as one group commit and completes it by one call of the sink
 * (operations that the sink submits wait for the next run). Gives the number completed. */
size_t sdb_memory_storage_run(sdb_memory_storage *storage);

/* The same for at most the first `count` operations of the queue. */
size_t sdb_memory_storage_run_some(sdb_memory_storage *storage, size_t count);

/* How many operations wait. */
size_t sdb_memory_storage_queued(const sdb_memory_storage *storage);

/* The next `commits` runs that hold a write fail: all their writes complete SDB_UNAVAILABLE and
 * nothing of them is kept. */
void sdb_memory_storage_fail_commits(sdb_memory_storage *storage, unsigned commits);

#endif
