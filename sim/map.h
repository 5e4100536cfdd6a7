/* sim/map.h: a table from 64-bit keys to 32-bit numbers: open addressing, nothing is taken out but
 * all at once. Key 0 is not used.
 */
#ifndef SIM_MAP_H
#define SIM_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <syncdb/uuid.h>

#define SIM_MAP_NONE UINT32_MAX

typedef struct sim_map_slot {
  uint64_t key;
  uint32_t value;
} sim_map_slot;

typedef struct sim_map {
  sim_map_slot *slots;
  size_t count, capacity; /* a power of two */
} sim_map;

/* A key for an id. Two random ids that have the same one are not to be expected. */
uint64_t sim_map_key(sdb_uuid id);
void sim_map_put(sim_map *map, uint64_t key, uint32_t value); /* or in place of what it has */
uint32_t sim_map_get(const sim_map *map, uint64_t key);       /* SIM_MAP_NONE: it has none */
void sim_map_clear(sim_map *map);
void sim_map_free(sim_map *map);

#endif
