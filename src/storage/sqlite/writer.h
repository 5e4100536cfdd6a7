/* storage/sqlite/writer.h: the one that writes, and what its parts share.
 *
 *   writer.c        the thread, group commits, completions
 *   write.c         one operation in the transaction
 *   duplicate.c     client ids that were stored before
 *   chores.c        what rides along: the index's blocks, runs to delete
 *   forget.c        removes past the horizon, and the table `spent`
 */
#ifndef SDB_STORAGE_SQLITE_WRITER_H
#define SDB_STORAGE_SQLITE_WRITER_H

#include "storage/sqlite/append.h"
#include "storage/sqlite/dedupe.h"
#include "storage/sqlite/hash.h"
#include "storage/sqlite/inbox.h"
#include "storage/sqlite/stores.h"
#include "storage/sqlite/tail.h"

typedef enum sdb_writer_statement {
  SDB_W_BEGIN,
  SDB_W_COMMIT,
  SDB_W_ROLLBACK,
  SDB_W_USER_FIND,
  SDB_W_USER_ADD,
  SDB_W_LOG_GET,
  SDB_W_LOG_DELETE,
  SDB_W_MOVED_GET,
  SDB_W_MOVED_PUT,
  SDB_W_MOVED_DELETE,
  SDB_W_SINGULAR_GET,
  SDB_W_SINGULAR_PUT,
  SDB_W_SINGULAR_DELETE,
  SDB_W_REMOVED_ADD,
  SDB_W_REMOVED_DELETE,
  SDB_W_REMOVED_OLDEST,
  SDB_W_HORIZON_PUT,
  SDB_W_SPENT_ADD,
  SDB_W_SPENT_GET,
  SDB_W_SPENT_NEXT,
  SDB_W_SPENT_DELETE,
  SDB_W_FLOOR_PUT,
  SDB_W_RUN_BEGIN,
  SDB_W_RUN_END,
  SDB_W_RUN_REPLACE,
  SDB_W_RUN_VERSION,
  SDB_W_RUN_DEAD,
  SDB_W_RUN_DELETE,
  SDB_W_BLOCK_ADD,
  SDB_W_BLOCK_DELETE,
  SDB_W_FENCE_ADD,
  SDB_W_FENCE_DELETE,
  SDB_WRITER_STATEMENTS
} sdb_writer_statement;

/* Where reads go that the writer cannot answer: users that turned out to be known. */
typedef struct sdb_read_queue sdb_read_queue;

typedef struct sdb_writer_options {
  const sdb_mem *mem;
  const char *path;
  sdb_storage_sink sink;
  uint64_t remember_removes_ms, dedupe_window_ms;
  size_t dedupe_bytes_max;
  uint32_t commit_ops_max; /* at most the capacity of the tail's generations */
  uint32_t wal_pages_max;  /* in the WAL, unless somebody's snapshot holds on to it */
} sdb_writer_options;

/* What has to be undone if the transaction fails. */
typedef struct sdb_writer_undo {
  uint32_t tail_count;     /* of the newest generation, before it */
  sdb_tail_entry **deaths; /* entries that it marked as gone */
  size_t deaths_count, deaths_capacity;
  uint64_t forget_at_ms, sweep_at_ms;
  sdb_seq sweep_position;
} sdb_writer_undo;

#define SDB_WRITER_FORGET_MAX 64 /* removes that one transaction forgets */
#define SDB_WRITER_AHEAD 8 /* operations whose memory is fetched ahead of time; a power of two */

typedef struct sdb_writer {
  sdb_writer_options options;
  sqlite3 *db;
  sqlite3_stmt *statements[SDB_WRITER_STATEMENTS];
  sdb_append append; /* rows of the log that wait for the group's end */
  sdb_run_reader runs;
  const sdb_store_map *stores;
  sdb_tail *tail;
  sdb_inbox *inbox;
  sdb_read_queue *reads;
  sdb_hash_key hash_key;
  sdb_dedupe dedupe;
  /* seqs */
  sdb_seq last;         /* the newest given or reserved */
  sdb_seq floor;        /* persisted: nothing up to here is given after a restart */
  sdb_seq floor_wanted; /* what the transaction is to persist; 0: nothing */
  /* the transaction */
  bool open;  /* BEGIN was carried out */
  int failed; /* SQLite's code of the failure that ends it; 0 while all is well */
  sdb_writer_undo undo;
  uint64_t now_ms; /* of the newest write */
  /* chores */
  sdb_index_item *items, *items_next; /* the first not committed, and the first not applied */
  bool deleting;                      /* dead runs may be left in the table `run` */
  uint64_t forget_at_ms;  /* when the oldest remove is past the horizon; UINT64_MAX: never */
  uint64_t sweep_at_ms;   /* when the next sweep of `spent` begins */
  sdb_seq sweep_position; /* how far this one came */
  sdb_inbox_work work;    /* what was taken and waits for its group */
  unsigned held_up;       /* short waits in a row for an indexer that is far behind */
  bool last_failed;       /* the last transaction failed: no hurry with chores */
  bool starved;           /* a chore waits for memory: no hurry either */
  struct sdb_checkpointer *checkpointer;
  uint32_t wal_pages;     /* in the WAL after the last commit */
  uint32_t wal_pages_max; /* from here on the writer checkpoints by itself */
  /* what /metrics is told, under its own mutex */
  pthread_mutex_t stats_mutex;
  sdb_storage_stats stats;
  sdb_error last_error;
} sdb_writer;

/* Takes what waits, and carries out a group of it as one transaction, with what is due beside it.
 * False: the inbox is closed and empty. */
bool sdb_writer_round(sdb_writer *writer);

/* The thread: rounds until then. */
void *sdb_writer_run(void *writer);

/* Prepares a zeroed writer over its open connection, which it does not own. The caller then sets
 * stores, tail, inbox, reads, checkpointer, hash_key, last and floor, and calls
 * sdb_writer_watch_wal once the checkpointer is open. */
SDB_MUST_CHECK sdb_status sdb_writer_open(
    sdb_writer *writer, const sdb_writer_options *options, sqlite3 *db, sdb_error *error);
void sdb_writer_close(sdb_writer *writer);

/* From now on the checkpointer is told how the WAL grows. */
void sdb_writer_watch_wal(sdb_writer *writer);

/* Lowers the floor to what was really given: for a clean end, after the last round. */
void sdb_writer_settle_floor(sdb_writer *writer);

/* ---- for the writer's own parts ---- */

static inline sqlite3_stmt *sdb_writer_statement_of(
    sdb_writer *writer, sdb_writer_statement which) {
  return writer->statements[which];
}

/* Steps a statement that gives no rows. False, and the transaction is lost: it failed. */
bool sdb_writer_step(sdb_writer *writer, sqlite3_stmt *statement);

/* Steps a statement for its one row. 1: there is one, and the caller resets the statement after
 * reading it; 0: there is none; -1: the transaction is lost. */
int sdb_writer_row(sdb_writer *writer, sqlite3_stmt *statement);

/* Begins the transaction if it is not open. False: it failed. */
bool sdb_writer_begin(sdb_writer *writer);

/* Appends the rows that wait. False: the transaction is lost. */
bool sdb_writer_append_waiting(sdb_writer *writer);

/* Marks the tail's entry of an event as gone, so that it can be undone. */
void sdb_writer_mark_dead(sdb_writer *writer, sdb_tail_entry *entry, sdb_seq died);

/* An event in the log. */
typedef struct sdb_writer_event {
  sdb_seq seq, object;
  uint64_t user;
  uint16_t store; /* its id in the database */
  bool removed;
  sdb_uuid client_id;
  sdb_slice body; /* valid until sdb_writer_release */
} sdb_writer_event;

/* Reads an event: 1, 0: there is none, -1: the transaction is lost. After a 1, release it. */
int sdb_writer_get_event(sdb_writer *writer, sdb_seq seq, sdb_writer_event *event);
void sdb_writer_release(sdb_writer *writer);

/* The current event of an object of an event store, or of the singular store's object with this
 * id; and of a singular store. As sdb_writer_get_event. `store`: an id, or SDB_STORE_ANY. */
int sdb_writer_find_object(
    sdb_writer *writer, uint64_t user, uint16_t store, sdb_seq object, sdb_writer_event *event);
int sdb_writer_find_singular(
    sdb_writer *writer, uint64_t user, uint16_t store, sdb_writer_event *event);

/* Takes an event out of the log. False: the transaction is lost. */
bool sdb_writer_drop_event(sdb_writer *writer, const sdb_writer_event *event, sdb_seq died);

/* What a client id was stored for. */
typedef struct sdb_writer_duplicate {
  sdb_seq object;
  uint16_t store; /* id */
} sdb_writer_duplicate;

/* Looks for an earlier write with this client id: 1, 0 or -1 as above. */
int sdb_writer_find_duplicate(sdb_writer *writer, uint64_t user, const sdb_uuid *client_id,
    uint64_t hash, sdb_writer_duplicate *duplicate);

/* Carries out one operation in the transaction and sets its status and results. */
void sdb_writer_write(sdb_writer *writer, sdb_op_write *op, uint64_t hash);

/* The chores of a transaction: at most `blocks_max` blocks. False: it is lost. */
bool sdb_writer_do_chores(sdb_writer *writer, size_t blocks_max);
bool sdb_writer_has_chores(const sdb_writer *writer);
void sdb_writer_chores_committed(sdb_writer *writer);
void sdb_writer_chores_rolled_back(sdb_writer *writer);

/* Forgets removes past the horizon and clears the table `spent`, a little at a time. False: the
 * transaction is lost. */
bool sdb_writer_forget(sdb_writer *writer);

/* When the oldest remove is to be forgotten. */
SDB_MUST_CHECK bool sdb_writer_plan_forget(sdb_writer *writer);

#endif
