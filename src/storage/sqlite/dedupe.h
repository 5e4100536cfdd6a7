/* storage/sqlite/dedupe.h: the runs as the writer knows them, with filters over client ids. */
#ifndef SDB_STORAGE_SQLITE_DEDUPE_H
#define SDB_STORAGE_SQLITE_DEDUPE_H

#include "storage/sqlite/run.h"

typedef struct sdb_dedupe_run {
  sdb_run run;
  sdb_filter *filter; /* NULL: its blocks must be looked at */
} sdb_dedupe_run;

typedef struct sdb_dedupe {
  const sdb_mem *mem;
  sdb_dedupe_run *runs; /* newest first; those without client ids are in it too */
  size_t count, capacity;
  size_t bytes, bytes_max; /* of the filters */
} sdb_dedupe;

void sdb_dedupe_init(sdb_dedupe *dedupe, const sdb_mem *mem, size_t bytes_max);
void sdb_dedupe_free(sdb_dedupe *dedupe);

/* Room for one more run, so that the next put cannot fail. False: out of memory. */
SDB_MUST_CHECK bool sdb_dedupe_make_room(sdb_dedupe *dedupe);

/* Puts a run in the place of those that it covers. Takes the filter (NULL is allowed); one that
 * would go over the maximum is freed. There must be room. */
void sdb_dedupe_put(sdb_dedupe *dedupe, const sdb_run *run, sdb_filter *filter);

/* Gives run `id`, if it is still there, the filter that it lacked. Takes the filter. */
void sdb_dedupe_put_filter(sdb_dedupe *dedupe, uint64_t id, sdb_filter *filter);

void sdb_dedupe_prefetch(const sdb_dedupe *dedupe, uint64_t hash);

#endif
