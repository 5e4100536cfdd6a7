/* storage/sqlite/pack.c: see pack.h. All numbers are varints: seven bits a byte, the lowest first,
 * the top bit set on all but the last.
 *
 * A block of entries:
 *   (same user and store as before)  (seq - seq before) << 2 | removed << 1
 *   (another, and the first)         (user - user before) << 2 | removed << 1 | 1,
 *                                    store, seq - base
 * A block of clients:
 *   hash - hash before, seq - base
 */
#include "storage/sqlite/pack.h"
#include "base/base.h"

#define VARINT_BYTES_MAX 10
#define ENTRY_BYTES_MAX (VARINT_BYTES_MAX + 3 + VARINT_BYTES_MAX)

static size_t put(uint8_t *to, uint64_t value) {
  size_t size = 0;
  while (value >= 128) {
    to[size++] = (uint8_t)(value | 128);
    value >>= 7;
  }
  to[size++] = (uint8_t)value;
  return size;
}

/* NULL: the number does not end within the block. */
static inline const uint8_t *get(const uint8_t *at, const uint8_t *end, uint64_t *value) {
  uint64_t result = 0;
  for (int shift = 0; at < end && shift < 64; shift += 7) {
    uint8_t byte = *at++;
    result |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) {
      *value = result;
      return at;
    }
  }
  return NULL;
}

void sdb_pack_entries_start(sdb_pack_entries *pack, sdb_seq base) {
  pack->base = base;
  pack->count = 0;
  pack->size = 0;
  pack->last = (sdb_index_entry){0, 0, 0, false};
}

bool sdb_pack_entry(sdb_pack_entries *pack, const sdb_index_entry *entry) {
  if (pack->count == SDB_BLOCK_ENTRIES_MAX) return false;
  if (pack->size + ENTRY_BYTES_MAX > sizeof(pack->bytes)) return false;
  SDB_ASSERT(entry->seq >= pack->base && entry->user >= pack->last.user);
  uint8_t *to = pack->bytes + pack->size;
  const sdb_index_entry *last = &pack->last;
  uint64_t removed = entry->removed ? 2 : 0;
  if (pack->count > 0 && entry->user == last->user && entry->store == last->store) {
    SDB_ASSERT(entry->seq > last->seq);
    to += put(to, (entry->seq - last->seq) << 2 | removed);
  } else {
    to += put(to, (entry->user - last->user) << 2 | removed | 1);
    to += put(to, entry->store);
    to += put(to, entry->seq - pack->base);
  }
  if (pack->count == 0) pack->first = *entry;
  pack->last = *entry;
  pack->count++;
  pack->size = (size_t)(to - pack->bytes);
  return true;
}

/* Reads what follows the head of an entry of another user or store. */
static const uint8_t *get_group(
    const uint8_t *at, const uint8_t *end, uint64_t head, sdb_seq base, sdb_index_entry *entry) {
  uint64_t store, seq;
  at = get(at, end, &store);
  if (!at || store > UINT16_MAX) return NULL;
  at = get(at, end, &seq);
  entry->user += head >> 2;
  entry->store = (uint16_t)store;
  entry->seq = base + seq;
  return at;
}

bool sdb_unpack_entries(sdb_slice block, sdb_seq base, sdb_index_entry *entries, uint32_t *count) {
  SDB_ASSERT(block.data != NULL);
  const uint8_t *at = (const uint8_t *)block.data, *end = at + block.size;
  sdb_index_entry entry = {0, 0, 0, false};
  uint32_t found = 0;
  while (at < end) {
    uint64_t head;
    at = get(at, end, &head);
    if (!at || found == SDB_BLOCK_ENTRIES_MAX) return false;
    if (head & 1) {
      at = get_group(at, end, head, base, &entry);
      if (!at) return false;
    } else {
      if (found == 0) return false;
      entry.seq += head >> 2;
    }
    if (entry.seq > SDB_SEQ_MAX) return false;
    entry.removed = (head & 2) != 0;
    entries[found++] = entry;
  }
  *count = found;
  return true;
}

size_t sdb_pack_client(uint8_t *to, uint64_t before, sdb_seq base, const sdb_index_client *client) {
  SDB_ASSERT(client->hash >= before && client->seq >= base);
  size_t size = put(to, client->hash - before);
  size += put(to + size, client->seq - base);
  SDB_ASSERT(size <= SDB_PACK_CLIENT_BYTES_MAX);
  return size;
}

void sdb_unpack_clients_start(sdb_pack_clients *pack, sdb_slice block, sdb_seq base) {
  pack->base = base;
  pack->hash = 0;
  pack->at = (const uint8_t *)block.data;
  pack->end = block.size ? pack->at + block.size : pack->at;
}

int sdb_unpack_client(sdb_pack_clients *pack, sdb_index_client *client) {
  uint64_t delta, seq;
  if (pack->at == pack->end) return 0;
  const uint8_t *at = get(pack->at, pack->end, &delta);
  if (at) at = get(at, pack->end, &seq);
  if (!at) return -1;
  pack->at = at;
  pack->hash += delta;
  client->hash = pack->hash;
  client->seq = pack->base + seq;
  return client->seq <= SDB_SEQ_MAX ? 1 : -1;
}
