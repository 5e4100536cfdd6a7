/* replica/table.c: see table.h. The number of buckets is a power of two, and doubles with the
 * entries. */
#include "replica/table.h"
#include "base/base.h"

void sdb_table_init(sdb_table *table, const sdb_mem *mem) {
  memset(table, 0, sizeof(*table));
  table->mem = mem;
  table->buckets = table->first;
  table->buckets_count = SDB_TABLE_BUCKETS_MIN;
}

void sdb_table_free(sdb_table *table) {
  if (table->buckets != table->first) sdb_mem_free(table->mem, table->buckets);
  sdb_table_init(table, table->mem);
}

/* Of client ids all bits are random, of event ids the last eight bytes are as good. */
static sdb_entry **bucket_of(sdb_entry **buckets, uint32_t count, sdb_uuid key) {
  uint64_t low, high;
  memcpy(&high, key.bytes, sizeof(high));
  memcpy(&low, key.bytes + sizeof(high), sizeof(low));
  uint64_t hash = (low ^ high) * UINT64_C(0x9E3779B97F4A7C15);
  return &buckets[(hash >> 32) & (count - 1)];
}

static void grow(sdb_table *table) {
  uint32_t count = table->buckets_count * 2;
  sdb_entry **buckets = sdb_mem_zero(table->mem, count * sizeof(sdb_entry *));
  if (!buckets) return;
  for (uint32_t i = 0; i < table->buckets_count; i++) {
    while (table->buckets[i]) {
      sdb_entry *entry = table->buckets[i];
      table->buckets[i] = entry->next;
      sdb_entry **bucket = bucket_of(buckets, count, entry->key);
      entry->next = *bucket;
      *bucket = entry;
    }
  }
  if (table->buckets != table->first) sdb_mem_free(table->mem, table->buckets);
  table->buckets = buckets;
  table->buckets_count = count;
}

void sdb_table_insert(sdb_table *table, sdb_entry *entry) {
  if (table->count >= table->buckets_count) grow(table);
  sdb_entry **bucket = bucket_of(table->buckets, table->buckets_count, entry->key);
  entry->next = *bucket;
  *bucket = entry;
  table->count++;
}

void sdb_table_remove(sdb_table *table, sdb_entry *entry) {
  sdb_entry **at = bucket_of(table->buckets, table->buckets_count, entry->key);
  while (*at != entry) {
    SDB_ASSERT(*at != NULL);
    at = &(*at)->next;
  }
  *at = entry->next;
  entry->next = NULL;
  table->count--;
}

static sdb_entry *find_from(sdb_entry *entry, sdb_uuid key) {
  while (entry && !sdb_uuid_equal(entry->key, key))
    entry = entry->next;
  return entry;
}

sdb_entry *sdb_table_find(const sdb_table *table, sdb_uuid key) {
  if (table->count == 0) return NULL;
  return find_from(*bucket_of(table->buckets, table->buckets_count, key), key);
}

sdb_entry *sdb_table_next(const sdb_entry *entry) {
  return find_from(entry->next, entry->key);
}
