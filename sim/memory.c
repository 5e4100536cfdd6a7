/* sim/memory.c: see memory.h. The size of an allocation stands before it. */
#include "sim/memory.h"
#include "sim/failure.h"
#include <stdlib.h>

typedef union header {
  size_t size;
  max_align_t align;
} header;

static void *resize(void *context, void *pointer, size_t size) {
  sim_memory *memory = context;
  header *old = pointer ? (header *)pointer - 1 : NULL;
  size_t old_size = old ? old->size : 0;
  if (size > SIZE_MAX / 2) return NULL;
  memory->bytes += size - old_size;
  memory->live += (size != 0) - (size_t)(old != NULL);
  SIM_CHECK(memory->bytes <= memory->bytes_max, "over the limit of memory",
      "%s holds %zu bytes of %zu", memory->whose, memory->bytes, memory->bytes_max);
  if (size == 0) {
    free(old);
    return NULL;
  }
  header *made = realloc(old, sizeof(*made) + size);
  if (!made) sim_fail("no memory", "%zu bytes", size);
  made->size = size;
  return made + 1;
}

void sim_memory_init(sim_memory *memory, const char *whose, size_t bytes_max) {
  *memory = (sim_memory){{memory, resize}, whose, 0, 0, bytes_max};
}

void sim_memory_check_empty(const sim_memory *memory) {
  SIM_CHECK(memory->live == 0, "leak", "%s left %zu allocations of %zu bytes", memory->whose,
      memory->live, memory->bytes);
}
