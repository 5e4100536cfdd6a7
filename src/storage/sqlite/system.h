/* storage/sqlite/system.h: what the storages in SQLite ask of the system by themselves: which VFS
 * SQLite is to use, the few files that it knows nothing of, and random bytes.
 *
 * A simulation gives one of its own. Calls that fail give an errno, negated.
 */
#ifndef SDB_STORAGE_SQLITE_SYSTEM_H
#define SDB_STORAGE_SQLITE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sdb_file_kind { SDB_FILE_NONE, SDB_FILE_REGULAR, SDB_FILE_OTHER } sdb_file_kind;

typedef struct sdb_system {
  const char *vfs; /* its name; NULL: the default one */
  void *self;
  /* A descriptor (at least 0) of the file at `path`, as open(): `flags` are O_RDONLY or O_RDWR,
   * with O_CREAT and O_EXCL. */
  int (*open)(void *self, const char *path, int flags, unsigned mode);
  void (*close)(void *self, int descriptor);
  /* Locks it against every other descriptor, until it is closed: 0, or -EWOULDBLOCK. */
  int (*lock)(void *self, int descriptor);
  /* As pread() and pwrite(): how many bytes. */
  int64_t (*read)(void *self, int descriptor, void *to, size_t size, uint64_t at);
  int64_t (*write)(void *self, int descriptor, const void *from, size_t size, uint64_t at);
  int (*rename)(void *self, const char *from, const char *to); /* 0 */
  sdb_file_kind (*kind)(void *self, const char *path);
  bool (*random)(void *self, void *to, size_t size); /* false: use nothing of it */
} sdb_system;

/* The machine's. Static, any thread. */
extern const sdb_system SDB_SYSTEM;

#endif
