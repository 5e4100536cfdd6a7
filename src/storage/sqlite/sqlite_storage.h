/* storage/sqlite/sqlite_storage.h: the storage port over one SQLite database file.
 *
 * A writer thread carries out all writes that are queued as one transaction (group commit), a few
 * reader threads answer reads from snapshots, an indexer and a checkpointer keep house beside
 * them. Or one thread does all of it by hand, in a fixed order. docs/storage.md describes the file;
 * each .c of this folder opens with its part.
 */
#ifndef SDB_STORAGE_SQLITE_STORAGE_H
#define SDB_STORAGE_SQLITE_STORAGE_H

#include "hub/storage_port.h"
#include "storage/sqlite/system.h"
#include "storage/storage.h"

typedef struct sdb_sqlite sdb_sqlite;

typedef enum sdb_sqlite_durability {
  SDB_SQLITE_FULL = 1, /* a completed write survives a power failure */
  SDB_SQLITE_NORMAL    /* it survives the process; a power failure may take the newest writes */
} sdb_sqlite_durability;

/* Start from sdb_sqlite_options_init, which sets all but mem, path, stores and sink. */
typedef struct sdb_sqlite_options {
  const sdb_mem *mem; /* must outlive the storage and be safe on any thread */
  const char *path;   /* of the database file; made where there is none */
  const sdb_storage_store *stores;
  size_t stores_count;
  sdb_storage_sink sink;
  sdb_sqlite_durability durability; /* full */
  uint32_t readers;                 /* threads: 2 */
  uint64_t remember_removes_ms;     /* how long removes are kept, by the clock of the writes */
  uint64_t dedupe_window_ms;        /* how long client ids are remembered at least */
  size_t dedupe_bytes_max;          /* memory for the filters over client ids: 64 MiB */
  bool secure_delete;               /* overwrite what was removed with zeros: false */
  const sdb_system *system;         /* the machine's; must outlive the storage */
  /* For tests, simulations and measurements; leave as they are. */
  bool by_hand;                  /* no threads are started: all is done in sdb_sqlite_run: false */
  uint32_t generation_entries;   /* events of the log's tail that one index in memory holds */
  uint32_t commit_ops_max;       /* operations in one transaction */
  uint32_t wal_pages_checkpoint; /* pages in the WAL that wake the checkpointer */
} sdb_sqlite_options;

void sdb_sqlite_options_init(sdb_sqlite_options *options);

/* Opens or makes the database and, unless it is used by hand, starts the threads. The sink may be
 * called as soon as something was submitted. Errors, each with a message that names the file:
 * SDB_BUSY: another server has it open; SDB_BAD_FORMAT: not a database of this kind, of a newer
 * version, or damaged; SDB_BAD_DEFINITION: a store's type is not the one it was made with; SDB_IO;
 * SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_sqlite_open(
    const sdb_sqlite_options *options, sdb_sqlite **storage, sdb_error *error);

/* By hand, on the one thread that submits: carries out and completes all that was submitted, and
 * what its sink submits meanwhile: reads and writes in turn, each turn's writes as one transaction;
 * then the index's flushes and merges, and checkpoints. What of those fails is done in a later
 * call. */
void sdb_sqlite_run(sdb_sqlite *storage);

/* Carries out and completes all that was submitted, joins the threads and closes the file. Nothing
 * may be submitted any more, from the sink either. NULL is allowed. */
void sdb_sqlite_close(sdb_sqlite *storage);

/* Why the last transaction failed, for the log; SDB_OK where none did. Any thread. */
void sdb_sqlite_last_error(sdb_sqlite *storage, sdb_error *error);

/* The port. Lives as long as the storage. */
const sdb_storage_port *sdb_sqlite_port(sdb_sqlite *storage);

#endif
