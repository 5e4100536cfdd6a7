/* storage/local/sqlite_commit.c: changes to the local file, a commit a transaction.
 *
 * Invariants: an id stands in the objects of a store or among its kept removes, never in both; a
 * store of type singular has at most one record in the two together.
 *
 * Durability: a transaction is in the WAL when it is committed, and a killed process loses nothing
 * of it (synchronous=NORMAL). A sync is one of the WAL, with all that stands in it; what was moved
 * from there to the file by a checkpoint was synced by that.
 */
#include "base/error.h"
#include "storage/local/sqlite_file.h"
#include <stdio.h>

/* A read that failed leaves its statement running, which would hold the transaction open. */
static sdb_status failed(sdb_file *file, sqlite3_stmt *statement) {
  sdb_status status = sdb_file_failed(file);
  sqlite3_reset(statement);
  return status;
}

/* The UUID in the first row's only column; nil: there is no row, or it is NULL. */
static sdb_status find(sdb_file *file, sqlite3_stmt *select, sdb_uuid *id) {
  memset(id, 0, sizeof(*id));
  int code = sqlite3_step(select);
  if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(file, select);
  bool good = code == SQLITE_DONE || sdb_file_column_uuid(select, 0, id);
  sqlite3_reset(select);
  return good ? SDB_OK : sdb_file_damaged(file, "an event id");
}

static int compare(const sdb_uuid *a, const sdb_uuid *b) {
  return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static sdb_file_store *store_of(sdb_file *file, const sdb_local_change *change) {
  SDB_ASSERT(change->store < file->stores_count);
  return &file->stores[change->store];
}

/* ---- kept removes ---- */

static sqlite3_stmt *removed_of(
    sdb_file *file, sdb_file_statement which, const sdb_file_store *store) {
  sqlite3_stmt *statement = file->statements[which];
  sdb_db_bind(statement, 1, store->id);
  return statement;
}

/* The event id of the kept remove of `id`; nil: there is none. */
static sdb_status find_removed(
    sdb_file *file, const sdb_file_store *store, const sdb_uuid *id, sdb_uuid *event_id) {
  memset(event_id, 0, sizeof(*event_id));
  if (!store->keeps_removes) return SDB_OK;
  sqlite3_stmt *select = removed_of(file, SDB_F_REMOVED_GET, store);
  sdb_file_bind_id(select, 2, id);
  return find(file, select, event_id);
}

static sdb_status forget(sdb_file *file, sdb_file_store *store) {
  if (!store->keeps_removes) return SDB_OK;
  sdb_status status = sdb_file_step(file, removed_of(file, SDB_F_REMOVED_CLEAR, store));
  if (status == SDB_OK) store->keeps_removes = false;
  return status;
}

static sdb_status keep_remove(
    sdb_file *file, sdb_file_store *store, const sdb_local_change *change) {
  sqlite3_stmt *insert = removed_of(file, SDB_F_REMOVED_PUT, store);
  sdb_file_bind_id(insert, 2, &change->id);
  sdb_file_bind_id(insert, 3, &change->event_id);
  store->keeps_removes = true;
  return sdb_file_step(file, insert);
}

/* ---- objects ---- */

/* The greatest event id of all records of a store; nil: it has none. */
static sdb_status find_newest(sdb_file *file, sdb_file_store *store, sdb_uuid *newest) {
  sdb_uuid removed = {{0}};
  sqlite3_stmt *select = sdb_file_object_statement_of(file, store, SDB_F_OBJECT_NEWEST);
  sdb_status status = select ? find(file, select, newest) : file->error.status;
  if (status == SDB_OK && store->keeps_removes)
    status = find(file, removed_of(file, SDB_F_REMOVED_NEWEST, store), &removed);
  if (status == SDB_OK && compare(&removed, newest) > 0) *newest = removed;
  return status;
}

static sdb_status insert(sdb_file *file, sdb_file_store *store, sdb_local_change *change) {
  sqlite3_stmt *put = sdb_file_object_statement_of(file, store, SDB_F_OBJECT_PUT);
  if (!put) return file->error.status;
  bool fresh = sdb_uuid_equal(change->id, change->event_id);
  sdb_file_bind_id(put, 1, &change->id);
  if (fresh)
    sqlite3_bind_null(put, 2);
  else
    sdb_file_bind_id(put, 2, &change->event_id);
  sdb_db_bind_uuid(put, 3, &change->client_id);
  sdb_db_bind_text(put, 4, change->object);
  sdb_db_bind(put, 5, change->or_equal);
  sdb_status status = sdb_file_step(file, put);
  if (status == SDB_OK) change->applied = sqlite3_changes(file->db) > 0;
  return status;
}

static sdb_status put(sdb_file *file, sdb_file_store *store, sdb_local_change *change) {
  sdb_uuid removed;
  sdb_status status = find_removed(file, store, &change->id, &removed);
  if (status != SDB_OK) return status;
  if (!sdb_uuid_is_nil(removed)) {
    if (compare(&change->event_id, &removed) <= 0) return SDB_OK;
    sqlite3_stmt *drop = removed_of(file, SDB_F_REMOVED_DROP, store);
    sdb_file_bind_id(drop, 2, &change->id);
    status = sdb_file_step(file, drop);
    if (status != SDB_OK) return status;
  }
  return insert(file, store, change);
}

static sdb_status clear_objects(sdb_file *file, sdb_file_store *store, bool *some) {
  sqlite3_stmt *clear = sdb_file_object_statement_of(file, store, SDB_F_OBJECT_CLEAR);
  if (!clear) return file->error.status;
  sdb_status status = sdb_file_step(file, clear);
  if (status == SDB_OK) *some = sqlite3_changes(file->db) > 0;
  return status;
}

/* Takes the place of all that the store holds. A singular store that comes to hold nothing
 * remembers since when. */
static sdb_status put_singular(sdb_file *file, sdb_file_store *store, sdb_local_change *change) {
  bool nothing = change->kind == SDB_LOCAL_SINGULAR && change->object.size == 0;
  bool some = false;
  sdb_uuid newest;
  sdb_status status = find_newest(file, store, &newest);
  if (status != SDB_OK) return status;
  int newer = compare(&change->event_id, &newest);
  if (newer < 0 || (newer == 0 && !change->or_equal)) return SDB_OK;
  status = clear_objects(file, store, &some);
  if (status == SDB_OK) status = forget(file, store);
  if (status != SDB_OK) return status;
  if (!nothing) return insert(file, store, change);
  change->applied = some;
  return keep_remove(file, store, change);
}

/* Takes all out that the store holds. A remove that is kept already stays kept. */
static sdb_status remove_singular(
    sdb_file *file, sdb_file_store *store, sdb_local_change *change, bool keep) {
  sdb_uuid newest, removed = {{0}};
  sdb_status status = find_newest(file, store, &newest);
  if (status != SDB_OK || compare(&change->event_id, &newest) < 0) return status;
  if (store->keeps_removes)
    status = find(file, removed_of(file, SDB_F_REMOVED_NEWEST, store), &removed);
  if (status == SDB_OK) status = clear_objects(file, store, &change->applied);
  if (status == SDB_OK) status = forget(file, store);
  if (status == SDB_OK && (keep || !sdb_uuid_is_nil(removed)))
    status = keep_remove(file, store, change);
  return status;
}

/* Whether the store holds the object, and so a newer event of it than that of the remove. */
static sdb_status is_held(sdb_file *file, sdb_file_store *store, const sdb_uuid *id, bool *held) {
  sqlite3_stmt *select = sdb_file_object_statement_of(file, store, SDB_F_OBJECT_GET);
  if (!select) return file->error.status;
  sdb_file_bind_id(select, 1, id);
  int code = sqlite3_step(select);
  if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(file, select);
  sqlite3_reset(select);
  *held = code == SQLITE_ROW;
  return SDB_OK;
}

/* A remove that is kept already stays kept: only forgetting ends what it holds off. */
static sdb_status remove_object(
    sdb_file *file, sdb_file_store *store, sdb_local_change *change, bool keep) {
  sqlite3_stmt *drop = sdb_file_object_statement_of(file, store, SDB_F_OBJECT_REMOVE);
  if (!drop) return file->error.status;
  sdb_file_bind_id(drop, 1, &change->id);
  sdb_file_bind_id(drop, 2, &change->event_id);
  sdb_status status = sdb_file_step(file, drop);
  if (status != SDB_OK) return status;
  change->applied = sqlite3_changes(file->db) > 0;
  if (!keep) {
    if (change->applied || !store->keeps_removes) return SDB_OK;
    sqlite3_stmt *raise = removed_of(file, SDB_F_REMOVED_RAISE, store);
    sdb_file_bind_id(raise, 2, &change->id);
    sdb_file_bind_id(raise, 3, &change->event_id);
    return sdb_file_step(file, raise);
  }
  bool held = false;
  if (!change->applied) status = is_held(file, store, &change->id, &held);
  return status == SDB_OK && !held ? keep_remove(file, store, change) : status;
}

/* Finds the store that has a record of the object, for a remove that names none. */
static sdb_status find_store(sdb_file *file, sdb_local_change *change) {
  for (size_t i = 0; i < file->stores_count; i++) {
    bool held;
    sdb_uuid removed;
    sdb_status status = is_held(file, &file->stores[i], &change->id, &held);
    if (status == SDB_OK) status = find_removed(file, &file->stores[i], &change->id, &removed);
    if (status != SDB_OK) return status;
    if (!held && sdb_uuid_is_nil(removed)) continue;
    change->store = (uint16_t)i;
    return SDB_OK;
  }
  return SDB_OK;
}

static sdb_status remove_from(sdb_file *file, sdb_local_change *change) {
  bool keep = change->keep && change->store != SDB_LOCAL_ANY;
  if (change->store == SDB_LOCAL_ANY) {
    sdb_status status = find_store(file, change);
    if (status != SDB_OK || change->store == SDB_LOCAL_ANY) return status;
  }
  sdb_file_store *store = store_of(file, change);
  return store->type == SDB_STORE_SINGULAR ? remove_singular(file, store, change, keep)
                                           : remove_object(file, store, change, keep);
}

/* ---- what is not objects ---- */

sdb_status sdb_file_clear(sdb_file *file, sdb_file_store *store) {
  bool some = false;
  sdb_status status = clear_objects(file, store, &some);
  if (status == SDB_OK) status = forget(file, store);
  if (status != SDB_OK) return status;
  sdb_db_bind(file->statements[SDB_F_STATE_DROP], 1, store->id);
  return sdb_file_step(file, file->statements[SDB_F_STATE_DROP]);
}

static sdb_status put_state(
    sdb_file *file, const sdb_file_store *store, const sdb_local_state *state) {
  _Static_assert(sizeof(sdb_id_range) == 32, "ranges are stored as they stand in memory");
  SDB_ASSERT(state->missing_count <= SDB_LOCAL_RANGES_MAX);
  sqlite3_stmt *statement = file->statements[SDB_F_STATE_PUT];
  int size = (int)(state->missing_count * sizeof(sdb_id_range));
  sdb_db_bind(statement, 1, store->id);
  sdb_db_bind_uuid(statement, 2, &state->head);
  sdb_db_bind(statement, 3, state->wanted);
  if (size > 0)
    sqlite3_bind_blob(statement, 4, state->missing, size, SQLITE_STATIC);
  else
    sqlite3_bind_null(statement, 4);
  return sdb_file_step(file, statement);
}

/* Whether another database was noted. */
static sdb_status is_other_database(sdb_file *file, const sdb_uuid *database, bool *other) {
  sqlite3_stmt *select = file->statements[SDB_F_DATABASE_DIFFERS];
  sdb_db_bind_uuid(select, 1, database);
  int code = sqlite3_step(select);
  if (code != SQLITE_ROW && code != SQLITE_DONE) return failed(file, select);
  *other = code == SQLITE_ROW && sqlite3_column_int(select, 0) != 0;
  sqlite3_reset(select);
  return SDB_OK;
}

static bool is_open(const sdb_file *file, uint64_t id) {
  for (size_t i = 0; i < file->stores_count; i++) {
    if (file->stores[i].id == id) return true;
  }
  return false;
}

/* All that the file holds of a store that it was not opened with, but its pushes. */
static sdb_status clear_other(sdb_file *file, uint64_t id) {
  char sql[64];
  snprintf(sql, sizeof(sql), "DELETE FROM object_%u", (unsigned)id);
  if (sqlite3_exec(file->db, sql, NULL, NULL, NULL) != SQLITE_OK) return sdb_file_failed(file);
  sdb_db_bind(file->statements[SDB_F_REMOVED_CLEAR], 1, id);
  sdb_status status = sdb_file_step(file, file->statements[SDB_F_REMOVED_CLEAR]);
  if (status != SDB_OK) return status;
  sdb_db_bind(file->statements[SDB_F_STATE_DROP], 1, id);
  return sdb_file_step(file, file->statements[SDB_F_STATE_DROP]);
}

/* A store that is opened again some day would else tell the new database of heads of the old. */
static sdb_status clear_others(sdb_file *file) {
  sqlite3_stmt *select;
  if (sqlite3_prepare_v2(file->db, "SELECT id FROM store", -1, &select, NULL) != SQLITE_OK)
    return sdb_file_failed(file);
  sdb_status status = SDB_OK;
  int code = SQLITE_DONE;
  while (status == SDB_OK && (code = sqlite3_step(select)) == SQLITE_ROW) {
    uint64_t id = sdb_db_column(select, 0);
    if (id > SDB_LOCAL_STORE_ID_MAX)
      status = sdb_file_damaged(file, "the id of a store");
    else if (!is_open(file, id))
      status = clear_other(file, id);
  }
  if (status == SDB_OK && code != SQLITE_DONE) status = sdb_file_failed(file);
  sqlite3_finalize(select);
  return status;
}

static sdb_status put_database(sdb_file *file, const sdb_uuid *database) {
  bool other = false;
  sdb_status status = is_other_database(file, database, &other);
  if (status == SDB_OK && other) status = clear_others(file);
  if (status != SDB_OK) return status;
  sqlite3_stmt *statement = file->statements[SDB_F_DATABASE_PUT];
  sdb_db_bind_uuid(statement, 1, database);
  return sdb_file_step(file, statement);
}

static sdb_status put_pending(sdb_file *file, const sdb_local_pending *pending) {
  SDB_ASSERT(pending->store < file->stores_count && pending->position > 0);
  SDB_ASSERT(!sdb_uuid_is_nil(pending->client_id));
  sqlite3_stmt *statement = file->statements[SDB_F_PENDING_PUT];
  uint64_t created_ms = pending->created_ms <= INT64_MAX ? pending->created_ms : INT64_MAX;
  sdb_db_bind_uuid(statement, 1, &pending->client_id);
  sdb_db_bind(statement, 2, pending->position);
  sdb_db_bind(statement, 3, file->stores[pending->store].id);
  sdb_db_bind(statement, 4, pending->action);
  sdb_db_bind_uuid(statement, 5, &pending->id);
  sdb_db_bind_uuid(statement, 6, &pending->depends);
  sqlite3_bind_int64(statement, 7, pending->failed);
  sdb_db_bind(statement, 8, created_ms);
  sdb_db_bind_text(statement, 9, pending->object);
  sdb_db_bind_text(statement, 10, pending->message);
  sdb_db_bind_text(statement, 11, pending->path);
  return sdb_file_step(file, statement);
}

static sdb_status drop_pending(sdb_file *file, const sdb_uuid *client_id) {
  sqlite3_stmt *statement = file->statements[SDB_F_PENDING_DROP];
  sdb_file_bind_id(statement, 1, client_id);
  return sdb_file_step(file, statement);
}

/* ---- the transaction ---- */

static sdb_status carry_out(sdb_file *file, sdb_local_change *change) {
  change->applied = false;
  switch (change->kind) {
  case SDB_LOCAL_PUT:
  case SDB_LOCAL_SINGULAR: {
    sdb_file_store *store = store_of(file, change);
    bool whole = change->kind == SDB_LOCAL_SINGULAR || store->type == SDB_STORE_SINGULAR;
    return whole ? put_singular(file, store, change) : put(file, store, change);
  }
  case SDB_LOCAL_REMOVE:
    return remove_from(file, change);
  case SDB_LOCAL_CLEAR:
    return sdb_file_clear(file, store_of(file, change));
  case SDB_LOCAL_FORGET:
    return forget(file, store_of(file, change));
  case SDB_LOCAL_STATE:
    return put_state(file, store_of(file, change), &change->state);
  case SDB_LOCAL_DATABASE:
    return put_database(file, &change->id);
  case SDB_LOCAL_PENDING_PUT:
    return put_pending(file, change->pending);
  case SDB_LOCAL_PENDING_DROP:
    return drop_pending(file, &change->client_id);
  case SDB_LOCAL_VIEW:
    return SDB_OK;
  }
  SDB_UNREACHABLE();
}

/* SQLite may have ended the transaction by itself, or may have no memory to end it: then it is done
 * before the next operation. What is known of kept removes may be of it. */
static void roll_back(sdb_file *file) {
  if (!sqlite3_get_autocommit(file->db)) sdb_db_step(file->statements[SDB_F_ROLLBACK]);
  for (size_t i = 0; i < file->stores_count; i++)
    file->stores[i].keeps_removes = true;
}

sdb_status sdb_file_settle(sdb_file *file) {
  if (sqlite3_get_autocommit(file->db)) return SDB_OK;
  return sdb_file_step(file, file->statements[SDB_F_ROLLBACK]);
}

/* A file that was deleted or moved away while it is open would take everything and keep nothing. */
static sdb_status check_there(sdb_file *file) {
  int moved = 0;
  int code = sqlite3_file_control(file->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (code != SQLITE_OK || !moved) return SDB_OK;
  return sdb_error_set(&file->error, SDB_IO, "the local file was deleted or moved", NULL, NULL);
}

sdb_status sdb_file_commit(sdb_file *file, sdb_local_commit *op) {
  sdb_status status = check_there(file);
  if (status == SDB_OK) status = sdb_file_step(file, file->statements[SDB_F_BEGIN]);
  if (status != SDB_OK) return status;
  for (size_t i = 0; status == SDB_OK && i < op->count; i++)
    status = carry_out(file, &op->changes[i]);
  if (status == SDB_OK) status = sdb_file_step(file, file->statements[SDB_F_COMMIT]);
  if (status != SDB_OK) roll_back(file);
  return status;
}

sdb_status sdb_file_sync(sdb_file *file) {
  int code = sdb_db_sync_wal(file->db);
  if (code == SQLITE_OK) return SDB_OK;
  return sdb_error_set(&file->error, sdb_db_status(code), "the disk cannot be synced", NULL, NULL);
}
