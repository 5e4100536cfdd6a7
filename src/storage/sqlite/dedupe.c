/* storage/sqlite/dedupe.c: see dedupe.h. */
#include "storage/sqlite/dedupe.h"

void sdb_dedupe_init(sdb_dedupe *dedupe, const sdb_mem *mem, size_t bytes_max) {
  memset(dedupe, 0, sizeof(*dedupe));
  dedupe->mem = mem;
  dedupe->bytes_max = bytes_max;
}

static void drop_filter(sdb_dedupe *dedupe, sdb_dedupe_run *run) {
  if (!run->filter) return;
  dedupe->bytes -= sdb_filter_size_of(run->filter);
  sdb_mem_free(dedupe->mem, run->filter);
  run->filter = NULL;
}

void sdb_dedupe_free(sdb_dedupe *dedupe) {
  if (!dedupe->mem) return;
  for (size_t i = 0; i < dedupe->count; i++)
    drop_filter(dedupe, &dedupe->runs[i]);
  sdb_mem_free(dedupe->mem, dedupe->runs);
  dedupe->runs = NULL;
  dedupe->count = dedupe->capacity = 0;
}

bool sdb_dedupe_make_room(sdb_dedupe *dedupe) {
  if (dedupe->count < dedupe->capacity) return true;
  size_t capacity = dedupe->capacity ? dedupe->capacity * 2 : 16;
  sdb_dedupe_run *runs =
      sdb_mem_resize(dedupe->mem, dedupe->runs, sdb_mem_product(capacity, sizeof(*runs)));
  if (!runs) return false;
  dedupe->runs = runs;
  dedupe->capacity = capacity;
  return true;
}

static void take_filter(sdb_dedupe *dedupe, sdb_dedupe_run *run, sdb_filter *filter) {
  SDB_ASSERT(!run->filter);
  if (!filter) return;
  size_t size = sdb_filter_size_of(filter);
  if (size > dedupe->bytes_max - dedupe->bytes) {
    sdb_mem_free(dedupe->mem, filter);
    return;
  }
  run->filter = filter;
  dedupe->bytes += size;
}

void sdb_dedupe_put(sdb_dedupe *dedupe, const sdb_run *run, sdb_filter *filter) {
  SDB_ASSERT(dedupe->count < dedupe->capacity);
  sdb_dedupe_run *runs = dedupe->runs;
  size_t at = 0;
  while (at < dedupe->count && runs[at].run.first > run->last)
    at++;
  size_t end = at;
  for (; end < dedupe->count && runs[end].run.first >= run->first; end++)
    drop_filter(dedupe, &runs[end]);
  memmove(&runs[at + 1], &runs[end], (dedupe->count - end) * sizeof(*runs));
  dedupe->count = dedupe->count - (end - at) + 1;
  runs[at] = (sdb_dedupe_run){*run, NULL};
  take_filter(dedupe, &runs[at], filter);
}

void sdb_dedupe_put_filter(sdb_dedupe *dedupe, uint64_t id, sdb_filter *filter) {
  for (size_t i = 0; i < dedupe->count; i++) {
    if (dedupe->runs[i].run.id != id || dedupe->runs[i].filter) continue;
    take_filter(dedupe, &dedupe->runs[i], filter);
    return;
  }
  sdb_mem_free(dedupe->mem, filter);
}

void sdb_dedupe_prefetch(const sdb_dedupe *dedupe, uint64_t hash) {
  for (size_t i = 0; i < dedupe->count; i++) {
    if (dedupe->runs[i].filter) sdb_filter_prefetch(dedupe->runs[i].filter, hash);
  }
}
