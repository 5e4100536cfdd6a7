/* storage/sqlite/checkpointer.h: moves the WAL into the database file.
 *
 * It copies while the writer goes on, and asks the writer for the little that is left: only between
 * two transactions can the WAL begin anew. So the WAL has a bound and no commit waits for more
 * than that little.
 */
#ifndef SDB_STORAGE_SQLITE_CHECKPOINTER_H
#define SDB_STORAGE_SQLITE_CHECKPOINTER_H

#include "storage/sqlite/inbox.h"

typedef struct sdb_checkpointer {
  const char *path, *vfs;
  sqlite3 *db;
  sdb_inbox *inbox;
  uint32_t pages_start; /* pages in the WAL that start a checkpoint */
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  uint32_t pages; /* in the WAL after the last commit */
  uint32_t due;   /* from so many on the next checkpoint begins */
  bool copying;   /* SQLite lets one connection checkpoint at a time, and does not wait */
  bool claimed;   /* by the writer: no further round begins */
  bool asked;     /* the writer is to do the rest */
  bool stop, made;
} sdb_checkpointer;

/* Opens the connection of a zeroed checkpointer whose path, vfs, inbox and pages_start are set. */
SDB_MUST_CHECK sdb_status sdb_checkpointer_open(sdb_checkpointer *checkpointer, sdb_error *error);
void sdb_checkpointer_close(sdb_checkpointer *checkpointer);

/* Begins a checkpoint if one is due. False: none is. */
bool sdb_checkpointer_round(sdb_checkpointer *checkpointer);

/* The thread: a round whenever one is due, until stopped. */
void *sdb_checkpointer_run(void *checkpointer);
void sdb_checkpointer_stop(sdb_checkpointer *checkpointer);

/* For the writer: after each commit, and when it has done what it was asked for. */
void sdb_checkpointer_wal_grown(sdb_checkpointer *checkpointer, uint32_t pages);
void sdb_checkpointer_finished(sdb_checkpointer *checkpointer);

/* Around a checkpoint of the writer's own: waits until the round that runs is over. */
void sdb_checkpointer_claim(sdb_checkpointer *checkpointer);
void sdb_checkpointer_release(sdb_checkpointer *checkpointer);

#endif
