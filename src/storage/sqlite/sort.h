/* storage/sqlite/sort.h: a stable radix sort of keyed items. */
#ifndef SDB_STORAGE_SQLITE_SORT_H
#define SDB_STORAGE_SQLITE_SORT_H

#include <stddef.h>
#include <stdint.h>

typedef struct sdb_sort_item {
  uint64_t key, value;
} sdb_sort_item;

/* Sorts `items` by key; items with equal keys stay in order. `scratch` has the same room and is
 * overwritten. Linear: one pass for each byte in which the keys differ. */
void sdb_sort_items(sdb_sort_item *items, sdb_sort_item *scratch, size_t count);

#endif
