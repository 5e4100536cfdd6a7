/* storage/local/sqlite_read.c: pages and objects out of the local file. */
#include "base/error.h"
#include "storage/local/sqlite_file.h"

/* Above every id: a longer blob is greater than those it begins with. */
static const uint8_t ABOVE_ALL[17] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static sdb_status no_memory(sdb_file *file) {
  return sdb_error_set(&file->error, SDB_NO_MEMORY, file->path, ": out of memory", NULL);
}

/* Reads the row that the statement is at. The text goes to `memory`, and the slice holds its offset
 * there until nothing moves any more. */
static sdb_status read_row(
    sdb_file *file, sqlite3_stmt *select, sdb_buffer *memory, sdb_local_record *record) {
  sdb_slice text;
  if (!sdb_file_column_uuid(select, 0, &record->id) ||
      !sdb_file_column_uuid(select, 1, &record->event_id) ||
      !sdb_file_column_uuid(select, 2, &record->client_id) ||
      !sdb_file_column_text(select, 3, &text))
    return sdb_file_damaged(file, "an object");
  if (sqlite3_column_type(select, 1) == SQLITE_NULL) record->event_id = record->id;
  record->object = sdb_slice_make((const char *)(uintptr_t)memory->size, text.size);
  sdb_buffer_append_slice(memory, text);
  return memory->status == SDB_OK ? SDB_OK : no_memory(file);
}

static void place(sdb_local_record *record, const sdb_buffer *memory) {
  uintptr_t offset = (uintptr_t)record->object.data;
  record->object.data = record->object.size ? memory->data + offset : NULL;
}

static sdb_status read_rows(sdb_file *file, sqlite3_stmt *select, sdb_local_page *op) {
  sdb_buffer_reset(&file->rows);
  for (;;) {
    int code = sqlite3_step(select);
    if (code == SQLITE_DONE) return SDB_OK;
    if (code != SQLITE_ROW) return sdb_file_failed(file);
    sdb_local_record record;
    sdb_status status = read_row(file, select, &op->memory, &record);
    if (status != SDB_OK) return status;
    sdb_buffer_append(&file->rows, &record, sizeof(record));
    if (file->rows.status != SDB_OK) return no_memory(file);
  }
}

/* Puts the records behind their texts. */
static sdb_status give_rows(sdb_file *file, sdb_local_page *op) {
  static const char ZEROS[sizeof(void *)];
  size_t count = file->rows.size / sizeof(sdb_local_record);
  if (count == 0) return SDB_OK;
  size_t over = op->memory.size % sizeof(ZEROS), at = op->memory.size;
  if (over > 0) {
    sdb_buffer_append(&op->memory, ZEROS, sizeof(ZEROS) - over);
    at += sizeof(ZEROS) - over;
  }
  sdb_buffer_append(&op->memory, file->rows.data, file->rows.size);
  if (op->memory.status != SDB_OK) return no_memory(file);
  sdb_local_record *records = (sdb_local_record *)(void *)(op->memory.data + at);
  for (size_t i = 0; i < count; i++)
    place(&records[i], &op->memory);
  op->records = records;
  op->count = (uint32_t)count;
  return SDB_OK;
}

sdb_status sdb_file_page(sdb_file *file, sdb_local_page *op) {
  SDB_ASSERT(op->store < file->stores_count && op->limit > 0);
  op->records = NULL;
  op->count = 0;
  sdb_buffer_reset(&op->memory);
  sqlite3_stmt *select =
      sdb_file_object_statement_of(file, &file->stores[op->store], SDB_F_OBJECT_PAGE);
  if (!select) return file->error.status;
  bool newest = sdb_uuid_is_nil(op->before);
  if (newest)
    sqlite3_bind_blob(select, 1, ABOVE_ALL, sizeof(ABOVE_ALL), SQLITE_STATIC);
  else
    sdb_file_bind_id(select, 1, &op->before);
  sdb_db_bind(select, 2, op->limit);
  sdb_status status = read_rows(file, select, op);
  sqlite3_reset(select);
  return status == SDB_OK ? give_rows(file, op) : status;
}

sdb_status sdb_file_object(sdb_file *file, sdb_local_object *op) {
  SDB_ASSERT(op->store < file->stores_count);
  sdb_buffer_reset(&op->memory);
  bool any = sdb_uuid_is_nil(op->id);
  sqlite3_stmt *select = sdb_file_object_statement_of(
      file, &file->stores[op->store], any ? SDB_F_OBJECT_PAGE : SDB_F_OBJECT_GET);
  if (!select) return file->error.status;
  if (any) {
    sqlite3_bind_blob(select, 1, ABOVE_ALL, sizeof(ABOVE_ALL), SQLITE_STATIC);
    sdb_db_bind(select, 2, 1);
  } else {
    sdb_file_bind_id(select, 1, &op->id);
  }
  int code = sqlite3_step(select);
  sdb_status status = SDB_NOT_FOUND;
  if (code == SQLITE_ROW) {
    status = read_row(file, select, &op->memory, &op->record);
    if (status == SDB_OK) place(&op->record, &op->memory);
  } else if (code != SQLITE_DONE) {
    status = sdb_file_failed(file);
  }
  sqlite3_reset(select);
  return status;
}
