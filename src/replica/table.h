/* replica/table.h: things found by a UUID of theirs: a chained hash table of entries that stand
 * inside the things themselves.
 *
 * Several entries may have one key. Inserting never fails: without memory the table stays as small
 * as it is, and is only slower.
 */
#ifndef SDB_REPLICA_TABLE_H
#define SDB_REPLICA_TABLE_H

#include "base/memory.h"
#include <syncdb/uuid.h>

typedef struct sdb_entry sdb_entry;
struct sdb_entry {
  sdb_entry *next;
  sdb_uuid key;
};

#define SDB_TABLE_BUCKETS_MIN 16

typedef struct sdb_table {
  const sdb_mem *mem;
  sdb_entry **buckets; /* `first`, until it has grown */
  uint32_t count, buckets_count;
  sdb_entry *first[SDB_TABLE_BUCKETS_MIN];
} sdb_table;

/* The table must stay where it is. */
void sdb_table_init(sdb_table *table, const sdb_mem *mem);
/* Frees the table, not its entries. */
void sdb_table_free(sdb_table *table);

/* `entry->key` must be set, and stay as it is while it is in the table. */
void sdb_table_insert(sdb_table *table, sdb_entry *entry);
/* The entry must be in the table. */
void sdb_table_remove(sdb_table *table, sdb_entry *entry);

/* An entry with this key, or NULL. */
sdb_entry *sdb_table_find(const sdb_table *table, sdb_uuid key);
/* Another one with the key of `entry`, or NULL. */
sdb_entry *sdb_table_next(const sdb_entry *entry);

#endif
