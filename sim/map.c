/* sim/map.c: see map.h. */
#include "sim/map.h"
#include "sim/failure.h"
#include <stdlib.h>
#include <string.h>

uint64_t sim_map_key(sdb_uuid id) {
  uint64_t high, low;
  memcpy(&high, id.bytes, sizeof(high));
  memcpy(&low, id.bytes + sizeof(high), sizeof(low));
  return (high ^ low) | 1;
}

static size_t slot_of(const sim_map *map, uint64_t key) {
  size_t mask = map->capacity - 1;
  size_t at = (size_t)((key * 0x9E3779B97F4A7C15u) >> 32) & mask;
  while (map->slots[at].key != 0 && map->slots[at].key != key)
    at = (at + 1) & mask;
  return at;
}

static void make_larger(sim_map *map) {
  sim_map_slot *old = map->slots;
  size_t old_capacity = map->capacity;
  map->capacity = old_capacity ? old_capacity * 2 : 64;
  map->slots = sim_alloc(map->capacity * sizeof(*map->slots));
  for (size_t i = 0; i < old_capacity; i++) {
    if (old[i].key != 0) map->slots[slot_of(map, old[i].key)] = old[i];
  }
  free(old);
}

void sim_map_put(sim_map *map, uint64_t key, uint32_t value) {
  if (map->count * 2 >= map->capacity) make_larger(map);
  sim_map_slot *slot = &map->slots[slot_of(map, key)];
  map->count += slot->key == 0;
  *slot = (sim_map_slot){key, value};
}

uint32_t sim_map_get(const sim_map *map, uint64_t key) {
  if (map->count == 0) return SIM_MAP_NONE;
  const sim_map_slot *slot = &map->slots[slot_of(map, key)];
  return slot->key == key ? slot->value : SIM_MAP_NONE;
}

void sim_map_clear(sim_map *map) {
  if (map->slots) memset(map->slots, 0, map->capacity * sizeof(*map->slots));
  map->count = 0;
}

void sim_map_free(sim_map *map) {
  free(map->slots);
  *map = (sim_map){0};
}
