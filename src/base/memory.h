/* base/memory.h: allocation through an sdb_mem. */
#ifndef SDB_BASE_MEMORY_H
#define SDB_BASE_MEMORY_H

#include "base/base.h"
#include <stdint.h>
#include <string.h>
#include <syncdb/memory.h>

static SDB_SMALL void *sdb_mem_alloc(const sdb_mem *mem, size_t size) {
  SDB_ASSERT(size > 0);
  return mem->resize(mem->context, NULL, size);
}

/* Zeroed. */
static inline void *sdb_mem_zero(const sdb_mem *mem, size_t size) {
  void *pointer = sdb_mem_alloc(mem, size);
  if (pointer) memset(pointer, 0, size);
  return pointer;
}

static inline void *sdb_mem_resize(const sdb_mem *mem, void *pointer, size_t size) {
  SDB_ASSERT(size > 0);
  return mem->resize(mem->context, pointer, size);
}

/* NULL is allowed. */
static SDB_SMALL void sdb_mem_free(const sdb_mem *mem, void *pointer) {
  if (pointer) mem->resize(mem->context, pointer, 0);
}

/* `count * size`, or SIZE_MAX (which no allocator gives) where that overflows. */
static inline size_t sdb_mem_product(size_t count, size_t size) {
  size_t product;
  return __builtin_mul_overflow(count, size, &product) ? SIZE_MAX : product;
}

#endif
