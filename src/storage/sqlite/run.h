/* storage/sqlite/run.h: runs: the index of all but the log's tail, in packed sorted blocks.
 *
 * A run covers a stretch of the log, [first, last], and the runs together cover it from its
 * beginning up to the watermark (the newest run's last) without a gap. It never changes: it is
 * written once, merged with its neighbours into a larger one, and deleted. So there are few
 * runs, each event is rewritten a few times only, and every write is at the end of a table,
 * whatever the number of users.
 *
 *   run    id, state, first, last, built, entries, blocks, clients, client_blocks
 *   block  id = run << 24 | part << 23 | number, data: see pack.c
 *   fence  (run, user, store, seq) of each entry block's first entry -> its number
 *
 * Client blocks need no fences: the hashes are evenly spread, so block `hash * client_blocks` holds
 * them.
 *
 * An entry outlives its event: an event that was replaced is looked up in vain in the log until a
 * merge drops the entry. The table `spent` tells merges which those are: `built` says up to which
 * death a run has accounted for them.
 */
#ifndef SDB_STORAGE_SQLITE_RUN_H
#define SDB_STORAGE_SQLITE_RUN_H

#include "storage/sqlite/db.h"
#include "storage/sqlite/filter.h"
#include "storage/sqlite/pack.h"

typedef enum sdb_run_state {
  SDB_RUN_BUILDING = 1, /* its blocks are being written; after a crash it is dead */
  SDB_RUN_LIVE,
  SDB_RUN_DEAD /* its blocks are being deleted */
} sdb_run_state;

typedef struct sdb_run {
  uint64_t id;
  sdb_seq first, last;
  sdb_seq built;
  uint64_t entries, clients;
  uint64_t blocks, client_blocks;
} sdb_run;

#define SDB_RUN_PART_BITS 23
#define SDB_RUN_BLOCKS_MAX ((uint64_t)1 << SDB_RUN_PART_BITS)

static inline uint64_t sdb_run_block_id(uint64_t run, bool client_part, uint64_t number) {
  SDB_ASSERT(number < SDB_RUN_BLOCKS_MAX);
  return run << (SDB_RUN_PART_BITS + 1) | (uint64_t)client_part << SDB_RUN_PART_BITS | number;
}

/* Which client block holds a hash. */
static inline uint64_t sdb_run_client_block(const sdb_run *run, uint64_t hash) {
  return ((hash >> 31) * run->client_blocks) >> 32;
}

/* The live runs, newest first. */
typedef struct sdb_run_list {
  const sdb_mem *mem;
  sdb_run *runs;
  size_t count, capacity;
} sdb_run_list;

void sdb_run_list_init(sdb_run_list *list, const sdb_mem *mem);
void sdb_run_list_free(sdb_run_list *list);

/* Room for one more run, so that the next put cannot fail. False: out of memory. */
SDB_MUST_CHECK bool sdb_run_list_make_room(sdb_run_list *list);

/* Puts `run` in the place of those that it covers. There must be room. */
void sdb_run_list_put(sdb_run_list *list, const sdb_run *run);

static inline sdb_seq sdb_run_list_watermark(const sdb_run_list *list) {
  return list->count ? list->runs[0].last : 0;
}

/* ---- reading, over one connection ---- */

typedef enum sdb_run_statement {
  SDB_RUN_LIST,
  SDB_RUN_FENCE,
  SDB_RUN_BLOCK,
  SDB_RUN_STATEMENTS
} sdb_run_statement;

typedef struct sdb_run_reader {
  sqlite3 *db;
  const sdb_mem *mem;
  sqlite3_stmt *statements[SDB_RUN_STATEMENTS];
  sdb_index_entry *entries; /* the block decoded last */
  uint64_t block;           /* its id; 0: none */
  uint32_t count, at;       /* its entries, and the one that the reader stands at */
} sdb_run_reader;

SDB_MUST_CHECK sdb_status sdb_run_reader_open(
    sdb_run_reader *reader, sqlite3 *db, const char *path, const sdb_mem *mem, sdb_error *error);
void sdb_run_reader_close(sdb_run_reader *reader);

/* Reads the list of live runs. SDB_OK, SDB_NO_MEMORY, SDB_IO or SDB_BAD_FORMAT. */
SDB_MUST_CHECK sdb_status sdb_run_reader_list(sdb_run_reader *reader, sdb_run_list *list);

/* The last entry before (user, store, seq), or NULL; it is valid until the next call. */
SDB_MUST_CHECK sdb_status sdb_run_reader_before(sdb_run_reader *reader, const sdb_run *run,
    uint64_t user, uint16_t store, sdb_seq seq, const sdb_index_entry **entry);

/* The entry before the one given last. */
SDB_MUST_CHECK sdb_status sdb_run_reader_back(
    sdb_run_reader *reader, const sdb_run *run, const sdb_index_entry **entry);

/* Entry block `number`, decoded. SDB_BAD_FORMAT also where it is not there. */
SDB_MUST_CHECK sdb_status sdb_run_reader_block(
    sdb_run_reader *reader, const sdb_run *run, uint64_t number);

/* Client block `number`; empty where the run has none. Valid until the next call that takes this
 * reader. */
SDB_MUST_CHECK sdb_status sdb_run_reader_clients(
    sdb_run_reader *reader, const sdb_run *run, uint64_t number, sdb_pack_clients *clients);

/* Lets go of the statement that the last call may have left open. */
void sdb_run_reader_reset(sdb_run_reader *reader);

#endif
