/* replica/ranges.c: see ranges.h. */
#include "replica/ranges.h"
#include "base/base.h"

void sdb_ranges_free(sdb_ranges *ranges, const sdb_mem *mem) {
  sdb_mem_free(mem, ranges->list);
  memset(ranges, 0, sizeof(*ranges));
}

static bool reserve(sdb_ranges *ranges, const sdb_mem *mem) {
  if (ranges->count < ranges->capacity) return true;
  uint32_t capacity = ranges->capacity ? ranges->capacity * 2 : 4;
  sdb_id_range *list = sdb_mem_resize(mem, ranges->list, capacity * sizeof(*list));
  if (!list) return false;
  ranges->list = list;
  ranges->capacity = capacity;
  return true;
}

/* Puts a range at `at`, moving those from there on. */
static bool insert(sdb_ranges *ranges, const sdb_mem *mem, uint32_t at, sdb_id_range range) {
  if (!reserve(ranges, mem)) return false;
  memmove(&ranges->list[at + 1], &ranges->list[at], (ranges->count - at) * sizeof(range));
  ranges->list[at] = range;
  ranges->count++;
  return true;
}

/* One without a lower end stays as it is: a server takes it that nothing is held below, and sends
 * no removes for it, which would be wrong of what lies between the two. */
static void join_oldest(sdb_ranges *ranges, uint32_t max) {
  while (ranges->count > max) {
    sdb_id_range last = ranges->list[ranges->count - 1];
    bool open = sdb_uuid_is_nil(last.after);
    SDB_ASSERT(ranges->count >= 3);
    uint32_t at = ranges->count - (open ? 3 : 2);
    ranges->list[at].after = ranges->list[at + 1].after;
    if (open) ranges->list[at + 1] = last;
    ranges->count--;
  }
}

bool sdb_ranges_add(sdb_ranges *ranges, const sdb_mem *mem, sdb_id_range range, uint32_t max) {
  SDB_ASSERT(max >= 2 && sdb_id_above(range.before, range.after));
  SDB_ASSERT(ranges->count == 0 || !sdb_id_above(ranges->list[0].before, range.after));
  if (!insert(ranges, mem, 0, range)) return false;
  join_oldest(ranges, max);
  return true;
}

/* The first range, from the newest on, that begins below `id`; `count` where there is none. */
static uint32_t find_below(const sdb_ranges *ranges, sdb_uuid id) {
  uint32_t low = 0, high = ranges->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (sdb_id_above(id, ranges->list[middle].after))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

void sdb_ranges_take_event(sdb_ranges *ranges, sdb_uuid event_id) {
  uint32_t at = find_below(ranges, event_id);
  if (at == ranges->count || !sdb_id_above(ranges->list[at].before, event_id)) return;
  ranges->list[at].before = event_id;
}

bool sdb_ranges_subtract(
    sdb_ranges *ranges, const sdb_mem *mem, sdb_uuid after, sdb_uuid before, uint32_t max) {
  bool open = sdb_uuid_is_nil(before);
  uint32_t kept = 0;
  if (!open && !sdb_id_above(before, after)) return true; /* nothing lies between them */
  for (uint32_t i = 0; i < ranges->count; i++) {
    sdb_id_range range = ranges->list[i];
    bool apart =
        !sdb_id_above(range.before, after) || (!open && !sdb_id_above(before, range.after));
    bool above = !open && sdb_id_above(range.before, before);
    bool below = sdb_id_above(after, range.after);
    /* What was cut out of its middle: it is the only one that is touched. */
    if (!apart && above && below) {
      ranges->list[i].before = after;
      sdb_id_range upper = {before, range.before};
      if (!insert(ranges, mem, i, upper)) {
        ranges->list[i].before = range.before;
        return false;
      }
      join_oldest(ranges, max);
      return true;
    }
    if (!apart && !above && !below) continue;
    if (!apart && above) range.after = before;
    if (!apart && below) range.before = after;
    ranges->list[kept++] = range;
  }
  ranges->count = kept;
  return true;
}

bool sdb_ranges_touch(const sdb_ranges *ranges, sdb_uuid after, sdb_uuid before) {
  uint32_t at = sdb_uuid_is_nil(before) ? 0 : find_below(ranges, before);
  return at < ranges->count && sdb_id_above(ranges->list[at].before, after);
}
