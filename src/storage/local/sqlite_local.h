/* storage/local/sqlite_local.h: the device's storage in a SQLite file, one client at a time.
 *
 * One thread: operations are carried out and completed inside submit. docs/storage.md, "On the
 * device", says what is in the file.
 */
#ifndef SDB_STORAGE_SQLITE_LOCAL_H
#define SDB_STORAGE_SQLITE_LOCAL_H

#include "replica/storage_port.h"
#include "storage/sqlite/system.h"
#include "storage/storage.h"
#include <syncdb/memory.h>

typedef struct sdb_sqlite_local sdb_sqlite_local;

/* Start from sdb_sqlite_local_options_init. Everything but `mem` and `system` is copied. */
typedef struct sdb_sqlite_local_options {
  const sdb_mem *mem; /* must outlive the storage */
  const char *path;
  const sdb_storage_store *stores;
  size_t stores_count;
  const char *user, *server; /* whose data it is */
  sdb_local_sink sink;
  int cache_kib;            /* of the file's pages in memory: 4096 */
  const sdb_system *system; /* the machine's; must outlive the storage */
} sdb_sqlite_local_options;

void sdb_sqlite_local_options_init(sdb_sqlite_local_options *options);

/* Opens the file, or makes it. The objects and the state of a store whose type is another one since
 * are cleared. `*damaged` is always set. Errors, each with a message that names the file, which is
 * left as it is: SDB_BUSY: another client, of this process or another, has it open; SDB_CONFLICT:
 * it is another user's or of another server; SDB_BAD_FORMAT: another program's or a newer
 * version's, or, where `*damaged` is true, a file of ours that is damaged; SDB_IO: it cannot be
 * opened or written; SDB_LIMIT: it has seen too many stores; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_sqlite_local_open(const sdb_sqlite_local_options *options,
    sdb_sqlite_local **local, bool *damaged, sdb_error *error);

/* Closes the file; NULL is allowed. Never fails: what was completed is in the file or its WAL. */
void sdb_sqlite_local_close(sdb_sqlite_local *local);

/* The port. Lives as long as the storage. */
const sdb_local_port *sdb_sqlite_local_port(sdb_sqlite_local *local);

/* What the last operation that failed says for people; status SDB_OK: none failed yet. */
const sdb_error *sdb_sqlite_local_problem(const sdb_sqlite_local *local);

/* Reads the pending pushes of `options->stores` that can still be read from a file that is damaged
 * or cannot be written, by position, into `memory` (initialised and freed by the caller). Writes
 * nothing. SDB_OK, with a `*count` of 0 too; SDB_CONFLICT: the file is another user's or another
 * server's; SDB_BAD_FORMAT: nothing can be read, it is no file of ours or a newer version's;
 * SDB_IO; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_sqlite_local_salvage(const sdb_sqlite_local_options *options,
    sdb_buffer *memory, const sdb_local_pending **pending, size_t *count, sdb_error *error);

/* Renames the file that nobody has open, with its WAL, to PATH.damaged-<now_ms>, so that a new one
 * can be made; a name that is taken is never taken again. Deletes nothing. SDB_OK, also where there
 * is no file; SDB_BUSY: a client has it open; SDB_IO; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_sqlite_local_set_aside(const sdb_system *system, const sdb_mem *mem,
    const char *path, uint64_t now_ms, sdb_error *error);

#endif
