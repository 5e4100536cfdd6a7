/* storage/sqlite/append.h: the rows that a group adds to the log, appended by one statement.
 *
 * A statement a row spends as much on binding, stepping and resetting as on the row itself. So the
 * rows wait here, and `INSERT INTO log SELECT * FROM batch` takes them all, out of a virtual table:
 * half the time of the processor.
 */
#ifndef SDB_STORAGE_SQLITE_APPEND_H
#define SDB_STORAGE_SQLITE_APPEND_H

#include "base/memory.h"
#include "base/seq.h"
#include "storage/sqlite/db.h"

/* A row of the log. The slice and the client id are the operation's. */
typedef struct sdb_append_row {
  sdb_seq seq;
  sdb_seq object; /* equal to seq: stored as NULL */
  uint64_t user;
  uint16_t store; /* id */
  bool removed;   /* the body is stored as NULL */
  const sdb_uuid *client_id;
  sdb_slice body;
} sdb_append_row;

typedef struct sdb_append {
  const sdb_mem *mem;
  sqlite3_stmt *statement;
  sdb_append_row *rows;
  size_t count, capacity;
} sdb_append;

/* Prepares a zeroed one on the writer's connection, for `capacity` rows at a time. It must be
 * closed before the connection is. */
SDB_MUST_CHECK sdb_status sdb_append_open(sdb_append *append, sqlite3 *db, const char *path,
    const sdb_mem *mem, size_t capacity, sdb_error *error);
void sdb_append_close(sdb_append *append);

/* Adds a row. There must be room. Seqs rise. */
static inline void sdb_append_add(sdb_append *append, const sdb_append_row *row) {
  SDB_ASSERT(append->count < append->capacity);
  append->rows[append->count++] = *row;
}

/* Whether event `seq` is among the rows that wait. */
static inline bool sdb_append_may_hold(const sdb_append *append, sdb_seq seq) {
  return append->count > 0 && seq >= append->rows[0].seq;
}

/* The statement that appends what waits; step and reset it, then forget the rows. */
static inline void sdb_append_forget(sdb_append *append) {
  append->count = 0;
}

#endif
