/* storage/sqlite/builder.h: writes a run, entry by entry, as items for the writer. */
#ifndef SDB_STORAGE_SQLITE_BUILDER_H
#define SDB_STORAGE_SQLITE_BUILDER_H

#include "storage/sqlite/inbox.h"

#define SDB_BUILDER_CLIENTS_PER_BLOCK 256 /* about 3 KB: a page holds nearly every one */

typedef struct sdb_builder {
  const sdb_mem *mem;
  sdb_inbox *inbox;
  sdb_run run;
  sdb_status status;      /* SDB_OK; SDB_CLOSED: the indexer is to stop; SDB_NO_MEMORY */
  sdb_filter *filter;     /* may be NULL */
  uint64_t client_number; /* of the client block in the making */
  uint64_t client_hash;   /* the last one in it */
  sdb_buffer clients;
  sdb_pack_entries entries;
} sdb_builder;

/* Begins run `id` over [first, last], with at most `clients_max` clients, which get a filter if it
 * takes no more than `filter_bytes_max`. Errors stick: see `status`. */
void sdb_builder_begin(sdb_builder *builder, const sdb_mem *mem, sdb_inbox *inbox,
    const sdb_run *run, uint64_t clients_max, size_t filter_bytes_max);

/* All entries first, in order; then all clients, in order. */
void sdb_builder_entry(sdb_builder *builder, const sdb_index_entry *entry);
void sdb_builder_end_entries(sdb_builder *builder);
void sdb_builder_client(sdb_builder *builder, const sdb_index_client *client);

/* Completes the run, which takes the place of what it covers: of `generation`, or of older runs
 * where that is NULL. Whatever the status, frees what the builder holds. */
SDB_MUST_CHECK sdb_status sdb_builder_end(sdb_builder *builder, sdb_generation *generation);

#endif
