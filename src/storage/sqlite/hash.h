/* storage/sqlite/hash.h: SipHash-2-4: peers choose client ids and must not choose their hashes. */
#ifndef SDB_STORAGE_SQLITE_HASH_H
#define SDB_STORAGE_SQLITE_HASH_H

#include <stdint.h>
#include <syncdb/uuid.h>

typedef struct sdb_hash_key {
  uint64_t k0, k1;
} sdb_hash_key;

/* The key in 16 bytes, little-endian as SipHash has it. */
sdb_hash_key sdb_hash_key_load(const uint8_t bytes[16]);

/* SipHash-2-4 of the user's number (8 bytes, little-endian) and the client id (16). */
uint64_t sdb_hash_siphash(sdb_hash_key key, uint64_t user, sdb_uuid client_id);

/* The same as the index keeps it: 63 bits, never 0, which stands for "no client id". */
static inline uint64_t sdb_hash_client(sdb_hash_key key, uint64_t user, sdb_uuid client_id) {
  uint64_t hash = sdb_hash_siphash(key, user, client_id) >> 1;
  return hash ? hash : 1;
}

#endif
