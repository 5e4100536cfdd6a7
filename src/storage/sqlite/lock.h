/* storage/sqlite/lock.h: one opener at a time has a database file. */
#ifndef SDB_STORAGE_SQLITE_LOCK_H
#define SDB_STORAGE_SQLITE_LOCK_H

#include "base/memory.h"
#include "storage/sqlite/system.h"
#include <syncdb/status.h>

/* Takes the lock of the database at `path`: that on `<path>-lock`, a file of its own, because
 * closing the database file outside SQLite would drop SQLite's locks. `*descriptor` is the locked
 * file; closing it releases the lock. (The file stays: to unlink it would let two openers lock two
 * files of one name.) SDB_BUSY: another opener, of this process or another, holds it: the message
 * is the path and `held`; SDB_IO; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_lock_take(const sdb_system *system, const sdb_mem *mem,
    const char *path, const char *held, int *descriptor, sdb_error *error);

#endif
