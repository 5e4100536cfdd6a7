/* base/arena.c: see arena.h. Chunks double up to 64 KiB, a larger request gets its own. */
#include "base/arena.h"

#define SDB_ARENA_CHUNK_MIN 1024
#define SDB_ARENA_CHUNK_MAX 65536
#define SDB_ARENA_ALIGN _Alignof(max_align_t)

struct sdb_arena_chunk {
  sdb_arena_chunk *next;
  size_t used, capacity; /* of `data` */
  max_align_t data[];
};

void sdb_arena_init(sdb_arena *arena, const sdb_mem *mem, size_t size_max) {
  memset(arena, 0, sizeof(*arena));
  arena->mem = mem;
  arena->size_max = size_max;
}

void sdb_arena_free(sdb_arena *arena) {
  sdb_arena_chunk *chunk = arena->chunks;
  while (chunk) {
    sdb_arena_chunk *next = chunk->next;
    sdb_mem_free(arena->mem, chunk);
    chunk = next;
  }
  arena->chunks = NULL;
  arena->size = 0;
}

static size_t chunk_capacity(const sdb_arena *arena, size_t size) {
#ifdef SDB_ARENA_EXACT
  (void)arena;
  return size;
#else
  size_t capacity = arena->chunks ? arena->chunks->capacity * 2 : SDB_ARENA_CHUNK_MIN;
  if (capacity > SDB_ARENA_CHUNK_MAX) capacity = SDB_ARENA_CHUNK_MAX;
  return capacity < size ? size : capacity;
#endif
}

static sdb_arena_chunk *add_chunk(sdb_arena *arena, size_t size) {
  size_t capacity = chunk_capacity(arena, size);
  if (capacity > arena->size_max - arena->size) capacity = size;
  if (capacity > arena->size_max - arena->size) return NULL;
  sdb_arena_chunk *chunk = sdb_mem_alloc(arena->mem, sizeof(*chunk) + capacity);
  if (!chunk) return NULL;
  chunk->next = arena->chunks;
  chunk->used = 0;
  chunk->capacity = capacity;
  arena->chunks = chunk;
  arena->size += capacity;
  return chunk;
}

void *sdb_arena_alloc(sdb_arena *arena, size_t size) {
  if (size == 0) size = 1;
  if (size > SIZE_MAX / 2) return NULL;
  size = (size + SDB_ARENA_ALIGN - 1) / SDB_ARENA_ALIGN * SDB_ARENA_ALIGN;
  sdb_arena_chunk *chunk = arena->chunks;
  if (!chunk || size > chunk->capacity - chunk->used) chunk = add_chunk(arena, size);
  if (!chunk) return NULL;
  void *pointer = (char *)chunk->data + chunk->used;
  chunk->used += size;
  return pointer;
}

void *sdb_arena_zero(sdb_arena *arena, size_t size) {
  void *pointer = sdb_arena_alloc(arena, size);
  if (pointer) memset(pointer, 0, size);
  return pointer;
}

char *sdb_arena_text(sdb_arena *arena, sdb_slice text) {
  if (text.size > SIZE_MAX / 2) return NULL;
  char *copy = sdb_arena_alloc(arena, text.size + 1);
  if (!copy) return NULL;
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  return copy;
}
