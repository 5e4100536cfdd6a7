/* storage/sqlite/verify.h: whether the index and the small tables agree with the log. */
#ifndef SDB_STORAGE_SQLITE_VERIFY_H
#define SDB_STORAGE_SQLITE_VERIFY_H

#include "storage/sqlite/run.h"

/* Checks the pages of the file, then all that is derived from the log. SDB_OK: `problem` is ""
 * where all is well, or says the first thing that is not. Otherwise it could not be checked: the
 * connection knows why. The caller holds a read transaction. */
SDB_MUST_CHECK sdb_status sdb_verify(
    sqlite3 *db, const char *path, const sdb_mem *mem, char *problem, size_t capacity);

#endif
