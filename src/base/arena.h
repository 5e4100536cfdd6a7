/* base/arena.h: memory that is freed all at once.
 *
 * For what lives as long as one message, one request or one definition. Build
 * with SDB_ARENA_EXACT to give every allocation a chunk of its own, so that
 * sanitizers see each one's end.
 */
#ifndef SDB_BASE_ARENA_H
#define SDB_BASE_ARENA_H

#include "base/memory.h"
#include <stddef.h>
#include <syncdb/slice.h>

typedef struct sdb_arena_chunk sdb_arena_chunk;

typedef struct sdb_arena {
  const sdb_mem *mem;
  sdb_arena_chunk *chunks; /* newest first */
  size_t size, size_max;   /* of all chunks together */
} sdb_arena;

/* An empty arena; allocates nothing. Its chunks together never pass `size_max` bytes. */
void sdb_arena_init(sdb_arena *arena, const sdb_mem *mem, size_t size_max);

/* Frees everything; the arena can be used again. */
void sdb_arena_free(sdb_arena *arena);

/* Aligned for any type, not zeroed; NULL when out of memory or over the maximum. */
void *sdb_arena_alloc(sdb_arena *arena, size_t size);

/* The same, zeroed. */
void *sdb_arena_zero(sdb_arena *arena, size_t size);

/* A NUL-terminated copy, or NULL. */
char *sdb_arena_text(sdb_arena *arena, sdb_slice text);

#endif
