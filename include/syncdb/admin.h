/* syncdb/admin.h: looking at a database and copying it, also while a server has it open.
 *
 * Both functions open the file for themselves, read one snapshot of it and change nothing; the
 * server goes on meanwhile. Both may be called on any thread, several at once.
 */
#ifndef SYNCDB_ADMIN_H
#define SYNCDB_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A store that the database has, whether or not a definition still names it. */
typedef struct sdb_store_inspection {
  char name[128]; /* as "chat_message", cut at a character where it would not fit */
  sdb_store_type type;
  uint64_t objects; /* over all users */
  uint64_t removes; /* removes that are remembered */
  uint64_t bytes;   /* of the objects' JSON text */
} sdb_store_inspection;

/* What sdb_database_inspect found. */
typedef struct sdb_inspection {
  sdb_uuid database; /* random, given when it was made: the key of its event ids */
  sdb_uuid epoch;    /* of its history: what the server_hello carries; nil: a backup that no server
                          has opened yet */
  int64_t format;    /* the version of the file's format */
  uint64_t file_bytes; /* of the database file */
  uint64_t wal_bytes;  /* of the write-ahead log beside it; 0: there is none */
  uint64_t users;
  uint64_t objects, removes, bytes; /* over all stores */
  size_t stores_count;
  sdb_store_inspection *stores; /* by the order in which the database met them */
  bool checked;                 /* an integrity check was made */
  bool intact;                  /* it found nothing; false where none was made */
  char problem[512];            /* the first thing that it found, or "" */
} sdb_inspection;

typedef enum sdb_inspect_depth {
  SDB_INSPECT_COUNTS = 1, /* read the log once: about a second for each million events */
  SDB_INSPECT_INTEGRITY   /* and check every page, and the index against the log: some times that */
} sdb_inspect_depth;

/* Looks at the database at `url` ("sqlite://relative.sqlite", "sqlite:///absolute/path.sqlite"),
 * which must exist. A running server is not held up, but its write-ahead log grows until this
 * returns. On SDB_OK `*inspection` is set and holds memory: give it to sdb_inspection_free. A
 * database that is damaged but can be read is SDB_OK with `intact` false.
 *
 * SDB_INVALID_ARGUMENT: not such a url. SDB_IO: there is no such file, or it cannot be read (WAL
 * mode also asks for write permission in its folder). SDB_BAD_FORMAT: not a syncdb database, one
 * of another version, or damaged beyond reading. SDB_BUSY: it is locked by another program: try
 * again. SDB_NO_MEMORY. `error` (which may be NULL) says what happened and names the file. */
SDB_API SDB_MUST_CHECK sdb_status sdb_database_inspect(
    const char *url, sdb_inspect_depth depth, sdb_inspection *inspection, sdb_error *error);

/* Frees what an inspection holds; the struct itself is the caller's. Any thread, no error; a zeroed
 * one is allowed. */
SDB_API void sdb_inspection_free(sdb_inspection *inspection);

/* Copies the database at `url` (as above) to the new file `path`: all that was committed when the
 * copy began, as one file without a write-ahead log, complete and synced when this returns. A file
 * of that name appears only then, never a part of one. The copy has the same database id, so
 * objects keep their ids, and no epoch: the server that opens it gives it one, and devices start
 * over.
 *
 * SDB_INVALID_ARGUMENT: not such a url. SDB_CONFLICT: `path` exists; it is left as it is.
 * SDB_IO: no such database, or `path` cannot be written (a full disk too; nothing is left behind).
 * SDB_BAD_FORMAT, SDB_BUSY, SDB_NO_MEMORY as above, but that an older version is copied too. */
SDB_API SDB_MUST_CHECK sdb_status sdb_database_backup(
    const char *url, const char *path, sdb_error *error);

#ifdef __cplusplus
}
#endif
#endif
