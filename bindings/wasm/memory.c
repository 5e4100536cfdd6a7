/* bindings/wasm/memory.c: the module's memory: an allocator over memory.grow, and the functions of
 * string.h that the compiler and the library call.
 *
 * Blocks come in classes, four to each doubling, so at most a fifth of one is unused. A block that
 * is freed goes to the list of its class and is given out again from there; it is neither split nor
 * joined. What was never used is cut off at `top`; a block that ends there grows where it stands.
 * Memory is never given back to the page: it grows to what was needed at once, and stays there.
 *
 *   block   8 bytes: its class; then what the caller has, aligned to 8 bytes
 */
#include "memory.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PAGE_SIZE 65536
#define CLASSES_COUNT 112 /* up to 2^31 */
#define HEAD_SIZE 8

extern char __heap_base; /* the linker's: behind the data */

typedef struct block {
  uint32_t class;
  uint32_t unused;
  struct block *next; /* while it is free: where the caller's bytes are otherwise */
} block;

static block *free_blocks[CLASSES_COUNT];
static uint32_t top, end; /* of what was not used yet; 0 at first */

/* The least class whose blocks hold `size` bytes, head included. */
static uint32_t class_of(uint32_t size) {
  if (size <= 16) return 0;
  uint32_t log = 31U - (uint32_t)__builtin_clz(size - 1); /* from 4 on */
  return (log - 4) * 4 + ((size - 1) >> (log - 2) & 3) + 1;
}

static uint32_t class_size(uint32_t class) {
  uint32_t log = 4 + class / 4;
  return (4 + class % 4) << (log - 2);
}

/* Whether memory reaches up to `wanted`. What others added is passed over. */
static bool reach(uint64_t wanted) {
  if (!top) {
    top = ((uint32_t)&__heap_base + 7) & ~7U;
    end = (uint32_t)__builtin_wasm_memory_size(0) * PAGE_SIZE;
  }
  if (wanted <= end) return true;
  uint32_t pages = (uint32_t)((wanted - end + PAGE_SIZE - 1) / PAGE_SIZE);
  uint32_t before = (uint32_t)__builtin_wasm_memory_grow(0, pages);
  if (before == UINT32_MAX) return false;
  if (before * PAGE_SIZE != end) top = before * PAGE_SIZE;
  end = (before + pages) * PAGE_SIZE;
  return true;
}

static block *allocate(uint32_t class) {
  block *found = free_blocks[class];
  if (found) {
    free_blocks[class] = found->next;
    return found;
  }
  uint32_t size = class_size(class);
  if (!reach(0) || !reach((uint64_t)top + size) || top + size > end) return NULL;
  found = (block *)top;
  found->class = class;
  top += size;
  return found;
}

static void release(block *freed) {
  freed->next = free_blocks[freed->class];
  free_blocks[freed->class] = freed;
}

/* Grows the block where it stands, if it is the last. */
static bool extend(block *last, uint32_t class) {
  uint32_t start = (uint32_t)last, grown = class_size(class);
  if (start + class_size(last->class) != top) return false;
  if (!reach((uint64_t)start + grown) || start + class_size(last->class) != top) return false;
  last->class = class;
  top = start + grown;
  return true;
}

static void *resize(void *context, void *pointer, size_t size) {
  (void)context;
  block *old = pointer ? (block *)((char *)pointer - HEAD_SIZE) : NULL;
  if (size == 0) {
    if (old) release(old);
    return NULL;
  }
  if (size > INT32_MAX - HEAD_SIZE) return NULL;
  uint32_t class = class_of((uint32_t)size + HEAD_SIZE);
  if (old && (old->class >= class || extend(old, class))) return pointer;
  block *made = allocate(class);
  if (!made) return NULL;
  char *data = (char *)made + HEAD_SIZE;
  if (old) {
    memcpy(data, pointer, class_size(old->class) - HEAD_SIZE);
    release(old);
  }
  return data;
}

const sdb_mem *sdb_wasm_mem(void) {
  static const sdb_mem MEM = {NULL, resize};
  return &MEM;
}

/* ---- string.h ---- */

int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *left = a, *right = b;
  for (; size > 0; size--, left++, right++) {
    if (*left != *right) return *left - *right;
  }
  return 0;
}

size_t strlen(const char *text) {
  const char *at = text;
  while (*at)
    at++;
  return (size_t)(at - text);
}

/* The compiler makes memory.copy and memory.fill of these where it does not write them out. */
void *memcpy(void *to, const void *from, size_t size) {
  __builtin_memcpy(to, from, size);
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  __builtin_memmove(to, from, size);
  return to;
}

void *memset(void *to, int byte, size_t size) {
  __builtin_memset(to, byte, size);
  return to;
}
