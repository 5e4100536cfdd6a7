/* storage/sqlite/format.h: the database file: its schema, its version, what it says of itself. */
#ifndef SDB_STORAGE_SQLITE_FORMAT_H
#define SDB_STORAGE_SQLITE_FORMAT_H

#include "base/seq.h"
#include "storage/sqlite/db.h"
#include "storage/sqlite/hash.h"
#include "storage/sqlite/system.h"

#define SDB_FORMAT_VERSION 2
#define SDB_FORMAT_APPLICATION_ID 0x53594e43 /* "SYNC" */

/* Makes the schema in an empty file, brings an older one up to date, gives a backup the epoch that
 * begins with it, and refuses what it must not touch: SDB_BAD_FORMAT for a file of another program,
 * of a newer version, or damaged. */
SDB_MUST_CHECK sdb_status sdb_format_prepare(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error);

/* The same check without a change, for read-only use: a version below `oldest`, or none, is
 * SDB_BAD_FORMAT too. */
SDB_MUST_CHECK sdb_status sdb_format_check(
    sqlite3 *db, const char *path, int64_t oldest, sdb_error *error);

/* Marks a copy, of any version, as one that another history begins with: see format.c. */
SDB_MUST_CHECK sdb_status sdb_format_mark_backup(sqlite3 *db, const char *path, sdb_error *error);

/* What the table `meta` holds. */
typedef struct sdb_format_meta {
  sdb_uuid database;     /* random, given when the file was made; the key of event ids */
  sdb_uuid epoch;        /* of its history; nil: a backup that no server has opened yet */
  sdb_hash_key hash_key; /* for hashes of client ids: random too, never told */
  sdb_seq seq_floor;     /* no seq up to here may be given again */
} sdb_format_meta;

SDB_MUST_CHECK sdb_status sdb_format_read_meta(
    sqlite3 *db, const char *path, sdb_format_meta *meta, sdb_error *error);

#endif
