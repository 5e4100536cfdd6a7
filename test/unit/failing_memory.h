/* failing_memory.h: an sdb_mem that counts what it gave, and fails where a test asks it to. */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>
#include <syncdb/memory.h>

typedef struct failing_memory {
  sdb_mem mem;
  size_t live;       /* allocations that were not freed yet */
  size_t calls;      /* that asked for memory */
  size_t fail_at;    /* the call that fails, and all after it; the first is 1; 0: none fails */
  size_t fail_count; /* how many calls fail from fail_at on; 0: all */
} failing_memory;

static inline void *failing_memory_resize(void *context, void *pointer, size_t size) {
  failing_memory *memory = context;
  if (size == 0) {
    memory->live -= pointer != NULL;
    free(pointer);
    return NULL;
  }
  memory->calls++;
  bool failing = memory->fail_at && memory->calls >= memory->fail_at;
  if (failing && (!memory->fail_count || memory->calls - memory->fail_at < memory->fail_count))
    return NULL;
  void *resized = realloc(pointer, size);
  if (!resized) abort();
  memory->live += pointer == NULL;
  return resized;
}

/* `memory` must stay where it is while it is used. */
static inline void failing_memory_init(failing_memory *memory, size_t fail_at) {
  *memory = (failing_memory){.mem = {memory, failing_memory_resize}, .fail_at = fail_at};
}

#endif
