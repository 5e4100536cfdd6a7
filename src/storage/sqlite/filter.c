/* storage/sqlite/filter.c: see filter.h. 12 bits a hash, six of them set, all in one block. */
#include "storage/sqlite/filter.h"

#define BITS_PER_HASH 12
#define WORDS_PER_BLOCK 8
#define PROBES 6

static uint64_t blocks_for(uint64_t hashes) {
  uint64_t bits_per_block = (uint64_t)WORDS_PER_BLOCK * 64;
  return (hashes * BITS_PER_HASH + bits_per_block - 1) / bits_per_block + 1;
}

size_t sdb_filter_size(uint64_t hashes) {
  SDB_ASSERT(hashes < UINT32_MAX);
  return sizeof(sdb_filter) + blocks_for(hashes) * WORDS_PER_BLOCK * sizeof(uint64_t);
}

size_t sdb_filter_size_of(const sdb_filter *filter) {
  return sizeof(*filter) + (size_t)filter->blocks * WORDS_PER_BLOCK * sizeof(uint64_t);
}

sdb_filter *sdb_filter_create(const sdb_mem *mem, uint64_t hashes) {
  sdb_filter *filter = sdb_mem_zero(mem, sdb_filter_size(hashes));
  if (filter) filter->blocks = (uint32_t)blocks_for(hashes);
  return filter;
}

/* The block comes from the upper half of the hash, the bits in it from all of it mixed anew. */
static uint32_t block_of(const sdb_filter *filter, uint64_t hash) {
  return (uint32_t)(((hash >> 31) * filter->blocks) >> 32);
}

static uint64_t probes_of(uint64_t hash) {
  hash *= 0x9e3779b97f4a7c15U;
  return hash ^ hash >> 32;
}

void sdb_filter_add(sdb_filter *filter, uint64_t hash) {
  uint64_t *block = filter->words + (size_t)block_of(filter, hash) * WORDS_PER_BLOCK;
  uint64_t probes = probes_of(hash);
  for (int i = 0; i < PROBES; i++, probes >>= 9)
    block[probes >> 6 & 7] |= (uint64_t)1 << (probes & 63);
}

bool sdb_filter_may_hold(const sdb_filter *filter, uint64_t hash) {
  const uint64_t *block = filter->words + (size_t)block_of(filter, hash) * WORDS_PER_BLOCK;
  uint64_t probes = probes_of(hash);
  for (int i = 0; i < PROBES; i++, probes >>= 9) {
    if (!(block[probes >> 6 & 7] >> (probes & 63) & 1)) return false;
  }
  return true;
}

void sdb_filter_prefetch(const sdb_filter *filter, uint64_t hash) {
  __builtin_prefetch(filter->words + (size_t)block_of(filter, hash) * WORDS_PER_BLOCK);
}
