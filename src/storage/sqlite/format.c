/* storage/sqlite/format.c: see format.h.
 *
 * The tables (docs/storage.md says more):
 *   meta      one row a fact. `epoch`, since version 2, is what devices know the history by: the
 *             database's id at first; NULL in a backup, until the server that opens it gives it a
 *             new one. A mark and not a missing row, so that it outlives the step to version 2
 *   store     the stores that ever were in a definition; `id` stands for them everywhere
 *   user      names and their numbers
 *   log       the events, appended in the order of their seqs: the truth, which all else follows.
 *             `object` is NULL where it equals seq, `body` is NULL for a remove
 *   moved     objects whose current event is not their first -> that event
 *   singular  the current event of each user's singular stores
 *   removed   the removes in the log, oldest first, to be forgotten one day
 *   horizon   the newest remove that was forgotten
 *   spent     events that are gone: for what client id, and which entries in runs lead nowhere
 *   run, block, fence   the index: see run.h
 *
 * A migration is one step from a version to the next, run in one transaction with all the others;
 * user_version is set at its end. Steps are never edited once released.
 */
#include "storage/sqlite/format.h"
#include "base/error.h"
#include <stdio.h>

static const char SCHEMA[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE store(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " type TEXT NOT NULL);"
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE log(seq INTEGER PRIMARY KEY, user INTEGER NOT NULL, store INTEGER NOT NULL,"
    " object INTEGER, client BLOB, body TEXT);"
    "CREATE TABLE moved(object INTEGER PRIMARY KEY, seq INTEGER NOT NULL);"
    "CREATE TABLE singular(user INTEGER, store INTEGER, seq INTEGER NOT NULL,"
    " PRIMARY KEY(user, store)) WITHOUT ROWID;"
    "CREATE TABLE removed(seq INTEGER PRIMARY KEY);"
    "CREATE TABLE horizon(user INTEGER, store INTEGER, seq INTEGER NOT NULL,"
    " PRIMARY KEY(user, store)) WITHOUT ROWID;"
    "CREATE TABLE spent(seq INTEGER PRIMARY KEY, died INTEGER NOT NULL, user INTEGER NOT NULL,"
    " store INTEGER NOT NULL, object INTEGER NOT NULL, client BLOB);"
    "CREATE TABLE run(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, built INTEGER NOT NULL, entries INTEGER NOT NULL,"
    " blocks INTEGER NOT NULL, clients INTEGER NOT NULL, client_blocks INTEGER NOT NULL);"
    "CREATE TABLE block(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE fence(run INTEGER, user INTEGER, store INTEGER, seq INTEGER,"
    " block INTEGER NOT NULL, PRIMARY KEY(run, user, store, seq)) WITHOUT ROWID;";

static sdb_status put_random(
    const sdb_system *system, sqlite3 *db, const char *path, const char *key, sdb_error *error) {
  uint8_t random[16];
  if (!system->random(system->self, random, sizeof(random)))
    return sdb_error_set(error, SDB_IO, path, ": the system gives no random bytes", NULL);
  random[6] = (uint8_t)((random[6] & 0x0F) | 0x40); /* a UUIDv4, for who looks closely */
  random[8] = (uint8_t)((random[8] & 0x3F) | 0x80);
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO meta VALUES(?1, ?2)", -1, &statement, NULL) !=
      SQLITE_OK)
    return sdb_db_failed(db, path, error);
  sdb_db_bind_text(statement, 1, sdb_slice_of(key));
  bool good = sqlite3_bind_blob(statement, 2, random, sizeof(random), SQLITE_STATIC) == SQLITE_OK &&
              sdb_db_step(statement) == SQLITE_DONE;
  sdb_status status = good ? SDB_OK : sdb_db_failed(db, path, error);
  sqlite3_finalize(statement);
  return status;
}

static sdb_status create_schema(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error) {
  sdb_status status = sdb_db_run(db, path, SCHEMA, error);
  if (status == SDB_OK) status = put_random(system, db, path, "database", error);
  if (status == SDB_OK) status = put_random(system, db, path, "hash_key", error);
  if (status != SDB_OK) return status;
  return sdb_db_run(
      db, path, "INSERT INTO meta VALUES('seq_floor', 0), ('index_version', 1)", error);
}

/* The first epoch is the database's id: devices that noted it, as they did of files of version 1,
 * go on. */
static sdb_status add_epoch(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error) {
  (void)system;
  return sdb_db_run(db, path,
      "INSERT OR IGNORE INTO meta SELECT 'epoch', value FROM meta WHERE key = 'database'", error);
}

/* MIGRATIONS[v] leads from version v to version v + 1. */
typedef sdb_status (*migration)(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error);
static const migration MIGRATIONS[] = {create_schema, add_epoch};
_Static_assert(SDB_COUNT_OF(MIGRATIONS) == SDB_FORMAT_VERSION, "a step leads to every version");

/* The file's version: 0 for an empty file. */
static sdb_status read_version(sqlite3 *db, const char *path, int64_t *version, sdb_error *error) {
  int64_t application = 0, tables = 0;
  sdb_status status = sdb_db_integer(db, path, "PRAGMA application_id", &application, error);
  if (status == SDB_OK) status = sdb_db_integer(db, path, "PRAGMA user_version", version, error);
  if (status == SDB_OK)
    status = sdb_db_integer(db, path, "SELECT count(*) FROM sqlite_schema", &tables, error);
  if (status != SDB_OK) return status;
  bool empty = application == 0 && *version == 0 && tables == 0;
  if (!empty && application != SDB_FORMAT_APPLICATION_ID)
    return sdb_error_set(
        error, SDB_BAD_FORMAT, path, ": a SQLite database of another program", NULL);
  if (*version >= 0 && *version <= SDB_FORMAT_VERSION) return SDB_OK;
  char numbers[96];
  snprintf(numbers, sizeof(numbers), "format version %lld, this one knows versions up to %d",
      (long long)*version, SDB_FORMAT_VERSION);
  return sdb_error_set(error, SDB_BAD_FORMAT, path, ": written by a newer syncdb: ", numbers);
}

static sdb_status migrate(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error) {
  int64_t version = 0;
  sdb_status status = read_version(db, path, &version, error);
  while (status == SDB_OK && version < SDB_FORMAT_VERSION)
    status = MIGRATIONS[version++](system, db, path, error);
  if (status != SDB_OK) return status;
  char sql[96];
  snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d",
      SDB_FORMAT_APPLICATION_ID, SDB_FORMAT_VERSION);
  return sdb_db_run(db, path, sql, error);
}

/* `*backup`: it was marked as one, and no server has opened it since. */
static sdb_status read_mark(sqlite3 *db, const char *path, bool *backup, sdb_error *error) {
  int64_t marks = 0;
  sdb_status status = sdb_db_integer(
      db, path, "SELECT count(*) FROM meta WHERE key = 'epoch' AND value IS NULL", &marks, error);
  *backup = marks > 0;
  return status;
}

/* Whether there is nothing to do. */
static sdb_status is_prepared(sqlite3 *db, const char *path, bool *prepared, sdb_error *error) {
  int64_t version = 0;
  bool backup = false;
  sdb_status status = read_version(db, path, &version, error);
  if (status == SDB_OK && version == SDB_FORMAT_VERSION)
    status = read_mark(db, path, &backup, error);
  *prepared = version == SDB_FORMAT_VERSION && !backup;
  return status;
}

static sdb_status prepare(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error) {
  bool backup = false;
  sdb_status status = migrate(system, db, path, error);
  if (status == SDB_OK) status = read_mark(db, path, &backup, error);
  return status == SDB_OK && backup ? put_random(system, db, path, "epoch", error) : status;
}

sdb_status sdb_format_prepare(
    const sdb_system *system, sqlite3 *db, const char *path, sdb_error *error) {
  bool prepared = false;
  sdb_status status = is_prepared(db, path, &prepared, error);
  if (status != SDB_OK || prepared) return status;
  status = sdb_db_run(db, path, "BEGIN IMMEDIATE", error);
  if (status != SDB_OK) return status;
  status = prepare(system, db, path, error);
  if (status == SDB_OK) status = sdb_db_run(db, path, "COMMIT", error);
  if (status != SDB_OK) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

sdb_status sdb_format_mark_backup(sqlite3 *db, const char *path, sdb_error *error) {
  return sdb_db_run(db, path, "INSERT OR REPLACE INTO meta VALUES('epoch', NULL)", error);
}

sdb_status sdb_format_check(sqlite3 *db, const char *path, int64_t oldest, sdb_error *error) {
  int64_t version = 0;
  sdb_status status = read_version(db, path, &version, error);
  if (status != SDB_OK || version >= oldest) return status;
  const char *why = version == 0 ? ": empty, not a database" : ": written by an older syncdb";
  return sdb_error_set(error, SDB_BAD_FORMAT, path, why, NULL);
}

/* The value of a key in `meta`, in the first column of `*statement`, which the caller finalizes. */
static sdb_status find_meta(
    sqlite3 *db, const char *path, const char *key, sqlite3_stmt **statement, sdb_error *error) {
  if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = ?1", -1, statement, NULL) !=
      SQLITE_OK)
    return sdb_db_failed(db, path, error);
  sdb_db_bind_text(*statement, 1, sdb_slice_of(key));
  int code = sqlite3_step(*statement);
  if (code == SQLITE_ROW) return SDB_OK;
  if (code == SQLITE_DONE)
    return sdb_error_set(error, SDB_BAD_FORMAT, path, ": the table meta lacks ", key);
  return sdb_db_failed(db, path, error);
}

static sdb_status read_random(
    sqlite3 *db, const char *path, const char *key, sdb_uuid *value, sdb_error *error) {
  sqlite3_stmt *statement = NULL;
  sdb_status status = find_meta(db, path, key, &statement, error);
  if (status == SDB_OK) *value = sdb_db_column_uuid(statement, 0);
  sqlite3_finalize(statement);
  if (status == SDB_OK && sdb_uuid_is_nil(*value))
    return sdb_error_set(error, SDB_BAD_FORMAT, path, ": the table meta is damaged at ", key);
  return status;
}

/* Nil where it is marked as a backup. */
static sdb_status read_epoch(sqlite3 *db, const char *path, sdb_uuid *epoch, sdb_error *error) {
  bool backup = false;
  memset(epoch, 0, sizeof(*epoch));
  sdb_status status = read_mark(db, path, &backup, error);
  return status == SDB_OK && !backup ? read_random(db, path, "epoch", epoch, error) : status;
}

sdb_status sdb_format_read_meta(
    sqlite3 *db, const char *path, sdb_format_meta *meta, sdb_error *error) {
  sdb_uuid key;
  sdb_status status = read_random(db, path, "database", &meta->database, error);
  if (status == SDB_OK) status = read_epoch(db, path, &meta->epoch, error);
  if (status == SDB_OK) status = read_random(db, path, "hash_key", &key, error);
  if (status != SDB_OK) return status;
  meta->hash_key = sdb_hash_key_load(key.bytes);
  sqlite3_stmt *statement = NULL;
  status = find_meta(db, path, "seq_floor", &statement, error);
  if (status == SDB_OK) meta->seq_floor = sdb_db_column(statement, 0);
  sqlite3_finalize(statement);
  return status;
}
