/* storage/sqlite/backup.h: what a backup is, apart from how its file gets its name. */
#ifndef SDB_STORAGE_SQLITE_BACKUP_H
#define SDB_STORAGE_SQLITE_BACKUP_H

#include "storage/sqlite/db.h"

/* Copies the database `from` (of `path`, which errors name) into the file `part`, which is empty or
 * not there: all pages in one step, so from one snapshot. The copy is not in WAL mode, and marked
 * as a backup. Nobody sees it before it is complete, so its journal need not be a file. SDB_OK, or
 * what failed. */
SDB_MUST_CHECK sdb_status sdb_backup_copy(
    sqlite3 *from, const char *path, const char *part, const char *vfs, sdb_error *error);

#endif
