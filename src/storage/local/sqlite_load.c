/* storage/local/sqlite_load.c: what the replica holds in memory, out of the local file.
 *
 * Nothing that stands in the file is trusted. A state that is not whole makes its store one that
 * was never synced, and its objects go with it: they come again. A pending push that is not whole
 * is passed over, and stays in the file: nobody else has it.
 */
#include "base/error.h"
#include "storage/local/sqlite_file.h"
#include <stdlib.h>

/* Far above what a device counts up to, and far below where counting on would overflow. */
#define POSITION_MAX ((uint64_t)1 << 53)

static sdb_status no_memory(sdb_file *file) {
  return sdb_error_set(&file->error, SDB_NO_MEMORY, file->path, ": out of memory", NULL);
}

/* ---- pending pushes ---- */

static bool find_store(const sdb_file *file, int64_t id, uint16_t *index) {
  for (size_t i = 0; i < file->stores_count; i++) {
    if (id == 0 || file->stores[i].id != id) continue;
    *index = (uint16_t)i;
    return true;
  }
  return false;
}

/* Zero or more; false for anything else. */
static bool column_number(sqlite3_stmt *select, int at, uint64_t *value) {
  *value = sdb_db_column(select, at);
  return sqlite3_column_type(select, at) == SQLITE_INTEGER && sqlite3_column_int64(select, at) >= 0;
}

/* A text's place in `memory` as an offset, until nothing moves any more. */
static bool column_text(sqlite3_stmt *select, int at, sdb_buffer *memory, sdb_slice *text) {
  sdb_slice found;
  if (!sdb_file_column_text(select, at, &found)) return false;
  *text = sdb_slice_make((const char *)(uintptr_t)memory->size, found.size);
  sdb_buffer_append_slice(memory, found);
  return true;
}

/* False: the row is of a store that is not open, or not whole. */
static bool read_pending(
    const sdb_file *file, sqlite3_stmt *select, sdb_buffer *memory, sdb_local_pending *to) {
  uint64_t action;
  memset(to, 0, sizeof(*to));
  if (!find_store(file, sqlite3_column_int64(select, 2), &to->store)) return false;
  if (!sdb_file_column_uuid(select, 0, &to->client_id) || sdb_uuid_is_nil(to->client_id))
    return false;
  if (!column_number(select, 1, &to->position) || to->position == 0 || to->position > POSITION_MAX)
    return false;
  if (!column_number(select, 3, &action) || action < SDB_ACTION_CREATE ||
      action > SDB_ACTION_DELETE)
    return false;
  to->action = (sdb_action)action;
  if (!sdb_file_column_uuid(select, 4, &to->id) || !sdb_file_column_uuid(select, 5, &to->depends))
    return false;
  to->failed = (sdb_status)sqlite3_column_int(select, 6);
  if (strcmp(sdb_status_name(to->failed), "unknown") == 0) return false;
  if (!column_number(select, 7, &to->created_ms)) return false;
  return column_text(select, 8, memory, &to->object) && sdb_local_pending_fits(to) &&
         column_text(select, 9, memory, &to->message) && column_text(select, 10, memory, &to->path);
}

sdb_status sdb_file_pending_read(sdb_file *file, sqlite3_stmt *select, sdb_buffer *memory) {
  for (;;) {
    int code = sqlite3_step(select);
    if (code != SQLITE_ROW) {
      sdb_status status = code == SQLITE_DONE ? SDB_OK : sdb_file_failed(file);
      sqlite3_reset(select);
      return status;
    }
    sdb_local_pending pending;
    if (read_pending(file, select, memory, &pending))
      sdb_buffer_append(&file->rows, &pending, sizeof(pending));
    if (memory->status == SDB_OK && file->rows.status == SDB_OK) continue;
    sqlite3_reset(select);
    return no_memory(file);
  }
}

static int compare_pending(const void *a, const void *b) {
  const sdb_local_pending *left = a, *right = b;
  if (left->position != right->position) return left->position < right->position ? -1 : 1;
  if (left->created_ms != right->created_ms) return left->created_ms < right->created_ms ? -1 : 1;
  return memcmp(left->client_id.bytes, right->client_id.bytes, sizeof(left->client_id.bytes));
}

static void place(sdb_slice *text, const sdb_buffer *memory) {
  text->data = text->size ? memory->data + (uintptr_t)text->data : NULL;
}

/* Two stores that were never open together may have given one position to two pushes: the later one
 * moves on. What was read twice is given once. */
static size_t make_unique(sdb_local_pending *pending, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < count; i++) {
    const sdb_local_pending *last = kept ? &pending[kept - 1] : NULL;
    if (last && sdb_uuid_equal(last->client_id, pending[i].client_id)) continue;
    uint64_t position = pending[i].position;
    if (last && position <= last->position) position = last->position + 1;
    pending[kept] = pending[i];
    pending[kept++].position = position;
  }
  return kept;
}

sdb_status sdb_file_pending_give(
    sdb_file *file, sdb_buffer *memory, const sdb_local_pending **pending, size_t *count) {
  static const char ZEROS[sizeof(uint64_t)];
  size_t over = memory->size % sizeof(ZEROS);
  if (over > 0) sdb_buffer_append(memory, ZEROS, sizeof(ZEROS) - over);
  size_t at = memory->size, rows = file->rows.size / sizeof(sdb_local_pending);
  sdb_buffer_append(memory, file->rows.data, file->rows.size);
  if (memory->status != SDB_OK) return no_memory(file);
  *count = 0;
  *pending = NULL;
  if (rows == 0) return SDB_OK;
  sdb_local_pending *given = (sdb_local_pending *)(void *)(memory->data + at);
  qsort(given, rows, sizeof(*given), compare_pending);
  *count = make_unique(given, rows);
  *pending = given;
  for (size_t i = 0; i < *count; i++) {
    place(&given[i].object, memory);
    place(&given[i].message, memory);
    place(&given[i].path, memory);
  }
  return SDB_OK;
}

/* ---- states ---- */

/* Whether the ranges are what a state may hold: each a range, below the head and the one before. */
static bool ranges_are_whole(const sdb_uuid *head, sdb_slice bytes) {
  sdb_uuid above = *head;
  for (size_t at = 0; at < bytes.size; at += sizeof(sdb_id_range)) {
    sdb_id_range range;
    memcpy(&range, bytes.data + at, sizeof(range));
    if (memcmp(range.before.bytes, above.bytes, sizeof(above.bytes)) > 0) return false;
    if (memcmp(range.after.bytes, range.before.bytes, sizeof(above.bytes)) >= 0) return false;
    above = range.after;
  }
  return true;
}

/* Reads the row that the statement is at, the ranges to `memory`; false: it is not whole. */
static bool read_state(sqlite3_stmt *select, sdb_buffer *memory, sdb_local_state *to) {
  uint64_t wanted;
  if (!sdb_file_column_uuid(select, 0, &to->head)) return false;
  if (!column_number(select, 1, &wanted) || wanted > UINT32_MAX) return false;
  int type = sqlite3_column_type(select, 2);
  sdb_slice ranges = sdb_db_column_bytes(select, 2);
  size_t count = ranges.size / sizeof(sdb_id_range);
  if ((type != SQLITE_BLOB && type != SQLITE_NULL) || ranges.size % sizeof(sdb_id_range) != 0 ||
      count > SDB_LOCAL_RANGES_MAX || !ranges_are_whole(&to->head, ranges))
    return false;
  to->wanted = (uint32_t)wanted;
  to->missing_count = (uint32_t)count;
  to->missing = (const sdb_id_range *)(uintptr_t)memory->size; /* until nothing moves any more */
  sdb_buffer_append_slice(memory, ranges);
  return true;
}

static sdb_status clear(sdb_file *file, size_t store) {
  sdb_local_change change = {.kind = SDB_LOCAL_CLEAR, .store = (uint16_t)store};
  sdb_local_commit commit = {.changes = &change, .count = 1};
  return sdb_file_commit(file, &commit);
}

static sdb_status load_state(
    sdb_file *file, sqlite3_stmt *select, size_t store, sdb_buffer *memory) {
  sdb_local_state state = {0};
  sdb_db_bind(select, 1, file->stores[store].id);
  int code = sqlite3_step(select);
  bool whole = code == SQLITE_DONE || (code == SQLITE_ROW && read_state(select, memory, &state));
  sdb_status status = code == SQLITE_ROW || code == SQLITE_DONE ? SDB_OK : sdb_file_failed(file);
  sqlite3_reset(select);
  if (status == SDB_OK && !whole) {
    memset(&state, 0, sizeof(state));
    status = clear(file, store);
  }
  if (status != SDB_OK) return status;
  if (memory->status != SDB_OK) return no_memory(file);
  memcpy(memory->data + store * sizeof(state), &state, sizeof(state));
  return SDB_OK;
}

static sdb_status load_database(sqlite3_stmt *select, sdb_uuid *database, sdb_file *file) {
  int code = sqlite3_step(select);
  sdb_status status = code == SQLITE_ROW || code == SQLITE_DONE ? SDB_OK : sdb_file_failed(file);
  memset(database, 0, sizeof(*database));
  if (code == SQLITE_ROW && !sdb_file_column_uuid(select, 0, database))
    memset(database, 0, sizeof(*database));
  sqlite3_reset(select);
  return status;
}

static sdb_status load(sdb_file *file, sqlite3_stmt *const *statements, sdb_local_load *op) {
  sdb_buffer *memory = &op->memory;
  size_t size = file->stores_count * sizeof(sdb_local_state);
  sdb_buffer_reset(memory);
  sdb_buffer_reset(&file->rows);
  if (!sdb_buffer_reserve(memory, size)) return no_memory(file);
  sdb_buffer_commit(memory, size);
  sdb_status status = load_database(statements[0], &op->database, file);
  for (size_t i = 0; status == SDB_OK && i < file->stores_count; i++)
    status = load_state(file, statements[1], i, memory);
  if (status == SDB_OK) status = sdb_file_pending_read(file, statements[2], memory);
  if (status == SDB_OK)
    status = sdb_file_pending_give(file, memory, &op->pending, &op->pending_count);
  if (status != SDB_OK) return status;
  sdb_local_state *states = (sdb_local_state *)(void *)memory->data;
  for (size_t i = 0; i < file->stores_count; i++) {
    uintptr_t offset = (uintptr_t)states[i].missing;
    states[i].missing =
        states[i].missing_count ? (sdb_id_range *)(void *)(memory->data + offset) : NULL;
  }
  op->states = states;
  return SDB_OK;
}

sdb_status sdb_file_load(sdb_file *file, sdb_local_load *op) {
  static const char *const SQL[] = {
      "SELECT value FROM meta WHERE key = 'database'",
      "SELECT head, wanted, missing FROM state WHERE store = ?1",
      "SELECT " SDB_FILE_PENDING_COLUMNS " FROM pending",
  };
  sqlite3_stmt *statements[SDB_COUNT_OF(SQL)];
  sdb_status status =
      sdb_db_prepare(file->db, file->path, SQL, statements, SDB_COUNT_OF(SQL), NULL);
  status = status == SDB_OK ? load(file, statements, op) : sdb_file_failed(file);
  sdb_db_finalize(statements, SDB_COUNT_OF(SQL));
  return status;
}
