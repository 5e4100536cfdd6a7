/* test/unit/failing_vfs.h: SQLite's file system, with failures on demand. */
#ifndef SDB_TEST_FAILING_VFS_H
#define SDB_TEST_FAILING_VFS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum failing_mode {
  FAILING_NOTHING,
  FAILING_FULL, /* every write: the disk is full */
  FAILING_SYNC, /* every sync: I/O error */
  FAILING_READ  /* every read: I/O error */
} failing_mode;

/* Becomes the default of connections opened from now on. Once is enough. */
void failing_vfs_install(void);

/* Any thread; from the next call on. */
void failing_vfs_set(failing_mode mode);

/* Calls since it was installed. */
uint64_t failing_vfs_syncs(void);
uint64_t failing_vfs_failures(void);

#endif
