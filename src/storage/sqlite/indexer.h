/* storage/sqlite/indexer.h: makes runs: of frozen generations, and of other runs.
 *
 *   indexer.c   the thread; flushing a generation; filters for the runs found at opening
 *   merge.c     which runs to merge, and merging them
 *
 * It reads over a connection of its own and writes nothing: the writer inserts what it prepares.
 */
#ifndef SDB_STORAGE_SQLITE_INDEXER_H
#define SDB_STORAGE_SQLITE_INDEXER_H

#include "storage/sqlite/builder.h"

#define SDB_INDEXER_FANOUT 4 /* runs of one tier that make a run of the next */

typedef enum sdb_indexer_statement {
  SDB_I_BEGIN,
  SDB_I_COMMIT,
  SDB_I_NEWEST,
  SDB_I_SPENT,
  SDB_INDEXER_STATEMENTS
} sdb_indexer_statement;

typedef struct sdb_indexer {
  const sdb_mem *mem;
  const char *path, *vfs;
  sqlite3 *db;
  sqlite3_stmt *statements[SDB_INDEXER_STATEMENTS];
  sdb_run_reader reader;
  sdb_run_list runs; /* the live ones, this thread's own list */
  sdb_tail *tail;
  sdb_inbox *inbox;
  uint64_t next_id;
  uint64_t ended; /* runs completed so far: what the writer is awaited for */
  sdb_run ending; /* the last of them, until the writer has committed it; its id is 0: none */
  bool filtered;  /* the runs that were there have their filters */
  uint64_t dedupe_window_ms;
  size_t dedupe_bytes_max;
} sdb_indexer;

/* Opens the connection of a zeroed indexer whose mem, path, vfs, tail, inbox, next_id, window and
 * maximum are set, and reads the list of runs. */
SDB_MUST_CHECK sdb_status sdb_indexer_open(sdb_indexer *indexer, sdb_error *error);
void sdb_indexer_close(sdb_indexer *indexer);

/* Makes all the runs that are due. SDB_OK: none is left; SDB_BUSY: by hand, and the writer has the
 * turn; SDB_CLOSED: it is to stop; or an error, which leaves all as it was: try again later. */
sdb_status sdb_indexer_round(sdb_indexer *indexer);

/* The thread: a round for each generation that is frozen, until it is to stop. */
void *sdb_indexer_run(void *indexer);

/* ---- for its own parts ---- */

/* Completes a run and puts it into the list once it is durable. */
SDB_MUST_CHECK sdb_status sdb_indexer_end_run(
    sdb_indexer *indexer, sdb_builder *builder, sdb_generation *generation);

/* Writes runs for the generations that wait. As of a round. */
SDB_MUST_CHECK sdb_status sdb_indexer_flush_all(sdb_indexer *indexer);

/* Merges what is due among the runs newer than `newer_than`. */
SDB_MUST_CHECK sdb_status sdb_indexer_merge_all(sdb_indexer *indexer, sdb_seq newer_than);

/* Where the dedupe window begins, seen from event `newest`. */
static inline uint64_t sdb_indexer_keep_from_ms(const sdb_indexer *indexer, sdb_seq newest) {
  uint64_t newest_ms = sdb_seq_ms(newest);
  return newest_ms > indexer->dedupe_window_ms ? newest_ms - indexer->dedupe_window_ms : 0;
}

/* The newest event that is committed. */
SDB_MUST_CHECK sdb_status sdb_indexer_newest(sdb_indexer *indexer, sdb_seq *newest);

#endif
