/* test/unit/sqlite_kind.h: SQLite storages in a folder of their own, small in all their limits. */
#ifndef SDB_TEST_SQLITE_KIND_H
#define SDB_TEST_SQLITE_KIND_H

#include "storage/sqlite/sqlite_storage.h"
#include "storage_conformance.h"

typedef struct sqlite_held {
  sdb_sqlite *storage;
  sdb_sqlite_options options;
  char folder[64];
  char path[96];
} sqlite_held;

/* Opens fresh ones with generations of 64 events; `fail` makes the disk full. */
extern const conformance_kind SQLITE_KIND;
/* The same without threads. */
extern const conformance_kind SQLITE_BY_HAND_KIND;

static inline sqlite_held *sqlite_of(fixture *f) {
  return f->storage;
}

/* Closing and opening again, apart. */
void sqlite_close(fixture *f);
void sqlite_open(fixture *f);

/* Makes an empty folder under TMPDIR or /tmp; and takes one away with what is in it. */
void make_folder(char folder[64]);
void drop_folder(const char *folder);

/* Options for `path` with the suite's stores, durability normal. */
sdb_sqlite_options sqlite_options(const char *path, sdb_storage_sink sink);

/* Runs SQL on a connection of its own, and gives the integer in the first column of its first row
 * (0 without one). */
int64_t sql(const char *path, const char *text);

#endif
