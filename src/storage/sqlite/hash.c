/* storage/sqlite/hash.c: see hash.h. The message is always 24 bytes, so the last block is the
 * length alone. */
#include "storage/sqlite/hash.h"

static uint64_t load(const uint8_t *from) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--)
    value = value << 8 | from[i];
  return value;
}

static inline uint64_t rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4]) {
  v[0] += v[1];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[0] = rotate(v[0], 32);
  v[2] += v[3];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] += v[3];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[2] += v[1];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[2] = rotate(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  sip_round(v);
  sip_round(v);
  v[0] ^= word;
}

sdb_hash_key sdb_hash_key_load(const uint8_t bytes[16]) {
  return (sdb_hash_key){load(bytes), load(bytes + 8)};
}

uint64_t sdb_hash_siphash(sdb_hash_key key, uint64_t user, sdb_uuid client_id) {
  uint64_t v[4] = {key.k0 ^ 0x736f6d6570736575U, key.k1 ^ 0x646f72616e646f6dU,
      key.k0 ^ 0x6c7967656e657261U, key.k1 ^ 0x7465646279746573U};
  absorb(v, user);
  absorb(v, load(client_id.bytes));
  absorb(v, load(client_id.bytes + 8));
  absorb(v, (uint64_t)24 << 56);
  v[2] ^= 0xff;
  for (int i = 0; i < 4; i++)
    sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
