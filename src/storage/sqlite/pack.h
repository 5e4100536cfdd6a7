/* storage/sqlite/pack.h: the two kinds of block that a run of the index is made of. */
#ifndef SDB_STORAGE_SQLITE_PACK_H
#define SDB_STORAGE_SQLITE_PACK_H

#include "base/seq.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/slice.h>

#define SDB_BLOCK_BYTES_MAX 4040   /* one block fills one page of 4,096 bytes */
#define SDB_BLOCK_ENTRIES_MAX 1024 /* so that a decoded block has a bound */

/* Where an event is: what a page of (user, store) is found by. Sorted by user, store, seq. */
typedef struct sdb_index_entry {
  uint64_t user;
  sdb_seq seq;
  uint16_t store; /* its id in the database */
  bool removed;
} sdb_index_entry;

/* A client id that was stored: what a push is deduplicated by. Sorted by hash, then seq. */
typedef struct sdb_index_client {
  uint64_t hash; /* sdb_hash_client */
  sdb_seq seq;
} sdb_index_client;

/* A block of entries that is being filled. */
typedef struct sdb_pack_entries {
  sdb_seq base; /* at most every seq in it: the run's first */
  sdb_index_entry first, last;
  uint32_t count;
  size_t size;
  uint8_t bytes[SDB_BLOCK_BYTES_MAX];
} sdb_pack_entries;

void sdb_pack_entries_start(sdb_pack_entries *pack, sdb_seq base);

/* Adds the entry that follows. False: the block is full, the entry is not in it. */
bool sdb_pack_entry(sdb_pack_entries *pack, const sdb_index_entry *entry);

/* Reads a block into `entries` (of SDB_BLOCK_ENTRIES_MAX). False: it is damaged. */
bool sdb_unpack_entries(sdb_slice block, sdb_seq base, sdb_index_entry *entries, uint32_t *count);

/* A block of clients, read from its start or being written at its end. */
typedef struct sdb_pack_clients {
  sdb_seq base;
  uint64_t hash; /* of the client before */
  const uint8_t *at, *end;
} sdb_pack_clients;

#define SDB_PACK_CLIENT_BYTES_MAX 20

/* Writes `client`, which follows one with hash `before` (0 at the start), to `to`; its length. */
size_t sdb_pack_client(uint8_t *to, uint64_t before, sdb_seq base, const sdb_index_client *client);

void sdb_unpack_clients_start(sdb_pack_clients *pack, sdb_slice block, sdb_seq base);

/* The next client: 1; 0 at the end; -1: the block is damaged. */
int sdb_unpack_client(sdb_pack_clients *pack, sdb_index_client *client);

#endif
