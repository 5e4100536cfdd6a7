/* storage/sqlite/reader.h: answers reads, each from one snapshot.
 *
 *   reader.c   the thread and its snapshots; users and single objects
 *   page.c     pages of events
 */
#ifndef SDB_STORAGE_SQLITE_READER_H
#define SDB_STORAGE_SQLITE_READER_H

#include "storage/sqlite/read_queue.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/stores.h"
#include "storage/sqlite/tail.h"

typedef enum sdb_reader_statement {
  SDB_R_BEGIN,
  SDB_R_COMMIT,
  SDB_R_SNAPSHOT,
  SDB_R_USER_FIND,
  SDB_R_SINGULARS,
  SDB_R_HORIZONS,
  SDB_R_LOG_FROM,
  SDB_R_MOVED_GET,
  SDB_READER_STATEMENTS
} sdb_reader_statement;

/* An event that the index names, and what the log says of it. */
typedef struct sdb_candidate {
  sdb_seq seq;
  bool removed;
  bool found;                /* it is in the log still: what follows holds */
  size_t body_at, body_size; /* in reader->bodies */
  sdb_seq object;
  sdb_uuid client_id;
} sdb_candidate;

#define SDB_CANDIDATES_MAX 256 /* looked up in the log at a time */

typedef struct sdb_reader {
  const sdb_mem *mem;
  const char *path, *vfs;
  sdb_storage_sink sink;
  sqlite3 *db;
  sqlite3_stmt *statements[SDB_READER_STATEMENTS];
  sdb_run_reader runs;
  sdb_run_list run_list;
  uint64_t index_version; /* of run_list */
  sdb_seq snapshot;       /* the newest event that the transaction sees */
  const sdb_store_map *stores;
  sdb_tail *tail;
  uint32_t number; /* among the readers: its place in the tail's */
  struct sdb_read_queue *queue;
  sdb_inbox *inbox;          /* where users go that are not known yet */
  sdb_candidate *candidates; /* of SDB_CANDIDATES_MAX */
  sdb_tail_found *found;     /* the same */
  sdb_buffer events, bodies; /* of the page in the making */
  _Atomic uint64_t pages_read, events_read;
} sdb_reader;

/* Opens the connection of a zeroed reader whose mem, path, vfs, sink, stores, tail, number, queue
 * and inbox are set. */
SDB_MUST_CHECK sdb_status sdb_reader_open(sdb_reader *reader, sdb_error *error);
void sdb_reader_close(sdb_reader *reader);

/* Answers the next of the queue. False: the queue gives none. */
bool sdb_reader_round(sdb_reader *reader);

/* The thread: rounds until there is none. */
void *sdb_reader_run(void *reader);

/* ---- for its own parts ---- */

/* An event as the log has it; the body is valid until the statement moves. */
typedef struct sdb_log_row {
  sdb_seq seq, object;
  uint64_t user;
  uint16_t store; /* id */
  bool removed;
  sdb_uuid client_id;
  sdb_slice body;
} sdb_log_row;

/* Goes to the first event at or behind `seq`: SQLITE_ROW, SQLITE_DONE or an error. */
int sdb_reader_seek_log(sdb_reader *reader, sdb_seq seq);
/* To the one behind it. */
int sdb_reader_next_log(sdb_reader *reader);
/* Where it stands. */
static inline sdb_seq sdb_reader_log_seq(sdb_reader *reader) {
  return sdb_db_column(reader->statements[SDB_R_LOG_FROM], 0);
}
/* All of it. */
void sdb_reader_log_row(sdb_reader *reader, sdb_log_row *row);
void sdb_reader_reset_log(sdb_reader *reader);

/* Answers a page in the snapshot that the reader has begun. */
sdb_status sdb_reader_page(sdb_reader *reader, sdb_op_page *op);

/* The newest current event of (user, store); 0: none. */
sdb_status sdb_reader_head(sdb_reader *reader, uint64_t user, uint16_t store, sdb_seq *head);

#endif
