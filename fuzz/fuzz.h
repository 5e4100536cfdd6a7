/* fuzz.h: what the harnesses share: demands that end the run, bytes taken off the input, and memory
 * that is counted, moves whenever it may and fails when it is told to.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/base.h"
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/memory.h>
#include <syncdb/slice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold. Where it does not, the fuzzer keeps the input. */
#define REQUIRE(condition)                                                                         \
  ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, __func__, #condition))

__attribute__((noreturn)) static inline void fuzz_fail(
    const char *file, int line, const char *function, const char *what) {
  fprintf(stderr, "%s:%d: %s: not so: %s\n", file, line, function, what);
  abort();
}

/* ---- the input, from its beginning ---- */

typedef struct fuzz_input {
  const uint8_t *data;
  size_t size;
} fuzz_input;

/* 0 where there is none left. */
static inline uint8_t fuzz_byte(fuzz_input *in) {
  if (in->size == 0) return 0;
  in->size--;
  return *in->data++;
}

static inline unsigned fuzz_below(fuzz_input *in, unsigned count) {
  return fuzz_byte(in) % count;
}

/* The next `size` bytes, or all that are left. */
static inline sdb_slice fuzz_bytes(fuzz_input *in, size_t size) {
  if (size > in->size) size = in->size;
  sdb_slice bytes = sdb_slice_make((const char *)in->data, size);
  in->data += size;
  in->size -= size;
  return bytes;
}

/* What stands before the next `end`, which is taken too; all where there is none. */
static inline sdb_slice fuzz_until(fuzz_input *in, char end) {
  const uint8_t *at = in->size ? memchr(in->data, end, in->size) : NULL;
  sdb_slice bytes = fuzz_bytes(in, at ? (size_t)(at - in->data) : in->size);
  (void)fuzz_byte(in);
  return bytes;
}

/* A copy of just its size: what reads behind it is seen. The caller frees it. */
static inline char *fuzz_copy(sdb_slice bytes) {
  char *copy = malloc(bytes.size ? bytes.size : 1);
  REQUIRE(copy);
  if (bytes.size) memcpy(copy, bytes.data, bytes.size);
  return copy;
}

static inline bool fuzz_contains(sdb_slice text, const char *part) {
  return text.size && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* ---- memory ---- */

typedef struct fuzz_memory {
  sdb_mem mem;
  size_t blocks, bytes, bytes_max; /* now; and never more than that */
  unsigned fail_after, failures;   /* so many calls succeed, then so many fail */
} fuzz_memory;

static inline bool fuzz_memory_fails(fuzz_memory *memory) {
  if (memory->failures == 0) return false;
  if (memory->fail_after > 0) {
    memory->fail_after--;
    return false;
  }
  memory->failures--;
  return true;
}

/* A block that is resized always moves, so that an old pointer to it is found out. */
static inline void *fuzz_memory_resize(void *context, void *pointer, size_t size) {
  fuzz_memory *memory = context;
  size_t before = pointer ? malloc_usable_size(pointer) : 0;
  void *moved = NULL;
  if (size > 0) {
    if (size > SIZE_MAX / 2 || fuzz_memory_fails(memory)) return NULL;
    moved = malloc(size);
    REQUIRE(moved);
    if (pointer) memcpy(moved, pointer, before < size ? before : size);
  }
  memory->blocks += (size > 0) - (size_t)(pointer != NULL);
  memory->bytes += size - before;
  REQUIRE(memory->bytes <= memory->bytes_max);
  free(pointer);
  return moved;
}

/* `memory` must stay where it is while it is used. */
static inline void fuzz_memory_init(fuzz_memory *memory, size_t bytes_max) {
  *memory = (fuzz_memory){.mem = {memory, fuzz_memory_resize}, .bytes_max = bytes_max};
}

static inline void fuzz_memory_end(const fuzz_memory *memory) {
  REQUIRE(memory->blocks == 0 && memory->bytes == 0);
}

#endif
