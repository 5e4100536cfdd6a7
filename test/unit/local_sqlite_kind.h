/* test/unit/local_sqlite_kind.h: local files in a folder of their own. */
#ifndef SDB_TEST_LOCAL_SQLITE_KIND_H
#define SDB_TEST_LOCAL_SQLITE_KIND_H

#include "local_conformance.h"
#include "sqlite_kind.h"
#include "storage/local/sqlite_local.h"

typedef struct local_held {
  char folder[64];
  char path[96];
  sdb_sqlite_local_options options;
  sdb_sqlite_local *local;
} local_held;

/* Opens fresh ones of user "ada"; `fail` makes the disk full. */
extern const local_kind LOCAL_SQLITE_KIND;

static inline local_held *local_of(local_fixture *f) {
  return f->storage;
}

/* Closing and opening again, apart; what fails to open fails the test. */
void local_file_close(local_fixture *f);
void local_file_open(local_fixture *f);

/* Tries to open; where that succeeds it is the fixture's storage. */
sdb_status local_file_try(local_fixture *f, bool *damaged, sdb_error *error);

/* Expects opening to fail so, with `part` and the path in the message. */
void assert_local_refused(local_fixture *f, sdb_status status, bool damaged, const char *part);

/* The bytes of a file, to be freed; NULL where there is none. */
char *read_file(const char *path, size_t *size);
void write_file(const char *path, const char *bytes, size_t size);

/* "PATH" and a suffix, in one of a few static buffers. */
const char *path_with(const char *path, const char *suffix);

#endif
