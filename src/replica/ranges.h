/* replica/ranges.h: which events of a store are missing: ranges of event ids below its head.
 *
 * Invariants: newest first, `after` below `before` in each, and none overlaps another. When there
 * would be more than the maximum, the two oldest that have a lower end are joined: what lies
 * between them is then sent again, and nothing is lost.
 */
#ifndef SDB_REPLICA_RANGES_H
#define SDB_REPLICA_RANGES_H

#include "base/memory.h"
#include "replica/storage_port.h"

typedef struct sdb_ranges {
  sdb_id_range *list;
  uint32_t count, capacity;
} sdb_ranges;

/* Below 0, 0 or above 0, as ids are ordered; nil is below all. */
static inline int sdb_id_compare(sdb_uuid a, sdb_uuid b) {
  return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

static inline bool sdb_id_above(sdb_uuid a, sdb_uuid b) {
  return sdb_id_compare(a, b) > 0;
}

void sdb_ranges_free(sdb_ranges *ranges, const sdb_mem *mem);

/* Adds a range above all others; `max` is at least 2. False: no memory. */
SDB_MUST_CHECK bool sdb_ranges_add(
    sdb_ranges *ranges, const sdb_mem *mem, sdb_id_range range, uint32_t max);

/* An event of a catch-up came: what lies above it in its range has come before. */
void sdb_ranges_take_event(sdb_ranges *ranges, sdb_uuid event_id);

/* All between the two has come; `before` nil: without an upper end. False: no memory (a range would
 * have to be cut in two). */
SDB_MUST_CHECK bool sdb_ranges_subtract(
    sdb_ranges *ranges, const sdb_mem *mem, sdb_uuid after, sdb_uuid before, uint32_t max);

/* Whether something is missing that is above `after` and below `before` (nil: all above). */
bool sdb_ranges_touch(const sdb_ranges *ranges, sdb_uuid after, sdb_uuid before);

#endif
