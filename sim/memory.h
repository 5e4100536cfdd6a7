/* sim/memory.h: memory that is counted: what leaks, and what grows past its limit, is found. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stddef.h>
#include <syncdb/memory.h>

typedef struct sim_memory {
  sdb_mem mem;
  const char *whose;
  size_t live; /* allocations */
  size_t bytes, bytes_max;
} sim_memory;

/* Over `bytes_max` the run fails. */
void sim_memory_init(sim_memory *memory, const char *whose, size_t bytes_max);
/* Fails the run unless everything was freed. */
void sim_memory_check_empty(const sim_memory *memory);

#endif
