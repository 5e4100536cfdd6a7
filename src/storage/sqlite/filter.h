/* storage/sqlite/filter.h: a blocked Bloom filter over the client ids of one run.
 *
 * Nearly every push is new, and the filters say so from one cache line each, without a page read.
 */
#ifndef SDB_STORAGE_SQLITE_FILTER_H
#define SDB_STORAGE_SQLITE_FILTER_H

#include "base/memory.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct sdb_filter {
  uint32_t blocks; /* of 64 bytes */
  uint64_t words[];
} sdb_filter;

/* How many bytes a filter for so many hashes takes. */
size_t sdb_filter_size(uint64_t hashes);
size_t sdb_filter_size_of(const sdb_filter *filter);

/* An empty filter for so many hashes; NULL: out of memory. Freed by sdb_mem_free. */
sdb_filter *sdb_filter_create(const sdb_mem *mem, uint64_t hashes);

/* `hash` is 63 random bits (sdb_hash_client). */
void sdb_filter_add(sdb_filter *filter, uint64_t hash);

/* False: surely never added. True: added, or one of about 200 that were not. */
bool sdb_filter_may_hold(const sdb_filter *filter, uint64_t hash);

/* Brings the line that the next call with this hash looks at. */
void sdb_filter_prefetch(const sdb_filter *filter, uint64_t hash);

#endif
