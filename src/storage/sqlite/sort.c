/* storage/sqlite/sort.c: see sort.h. Least significant byte first. */
#include "storage/sqlite/sort.h"
#include <string.h>

static void sort_pass(const sdb_sort_item *from, sdb_sort_item *to, size_t count, int shift) {
  size_t starts[256] = {0};
  for (size_t i = 0; i < count; i++)
    starts[from[i].key >> shift & 255]++;
  size_t start = 0;
  for (int byte = 0; byte < 256; byte++) {
    size_t next = start + starts[byte];
    starts[byte] = start;
    start = next;
  }
  for (size_t i = 0; i < count; i++)
    to[starts[from[i].key >> shift & 255]++] = from[i];
}

void sdb_sort_items(sdb_sort_item *items, sdb_sort_item *scratch, size_t count) {
  uint64_t differing = 0;
  for (size_t i = 1; i < count; i++)
    differing |= items[i].key ^ items[0].key;
  sdb_sort_item *from = items, *to = scratch;
  for (int shift = 0; shift < 64; shift += 8) {
    if (!(differing >> shift & 255)) continue;
    sort_pass(from, to, count, shift);
    sdb_sort_item *swap = from;
    from = to;
    to = swap;
  }
  if (from != items && count > 0) memcpy(items, from, count * sizeof(*items));
}
