/* storage/sqlite/run.c: reading runs; see run.h for their format. */
#include "storage/sqlite/run.h"

static const char *const SQL[SDB_RUN_STATEMENTS] = {
    [SDB_RUN_LIST] = "SELECT id, first, last, built, entries, blocks, clients, client_blocks"
                     " FROM run WHERE state = 2 ORDER BY last DESC",
    [SDB_RUN_FENCE] = "SELECT block FROM fence WHERE run = ?1 AND (user, store, seq) < (?2, ?3, ?4)"
                      " ORDER BY user DESC, store DESC, seq DESC LIMIT 1",
    [SDB_RUN_BLOCK] = "SELECT data FROM block WHERE id = ?1",
};

_Static_assert(SDB_RUN_LIVE == 2, "the list's statement names it");

void sdb_run_list_init(sdb_run_list *list, const sdb_mem *mem) {
  memset(list, 0, sizeof(*list));
  list->mem = mem;
}

void sdb_run_list_free(sdb_run_list *list) {
  sdb_mem_free(list->mem, list->runs);
  sdb_run_list_init(list, list->mem);
}

bool sdb_run_list_make_room(sdb_run_list *list) {
  if (list->count < list->capacity) return true;
  size_t capacity = list->capacity ? list->capacity * 2 : 16;
  sdb_run *runs = sdb_mem_resize(list->mem, list->runs, sdb_mem_product(capacity, sizeof(*runs)));
  if (!runs) return false;
  list->runs = runs;
  list->capacity = capacity;
  return true;
}

void sdb_run_list_put(sdb_run_list *list, const sdb_run *run) {
  SDB_ASSERT(list->count < list->capacity);
  size_t at = 0;
  while (at < list->count && list->runs[at].first > run->last)
    at++;
  size_t end = at;
  while (end < list->count && list->runs[end].first >= run->first)
    end++;
  SDB_ASSERT(end == list->count || list->runs[end].last < run->first);
  memmove(&list->runs[at + 1], &list->runs[end], (list->count - end) * sizeof(*run));
  list->runs[at] = *run;
  list->count = list->count - (end - at) + 1;
}

sdb_status sdb_run_reader_open(
    sdb_run_reader *reader, sqlite3 *db, const char *path, const sdb_mem *mem, sdb_error *error) {
  memset(reader, 0, sizeof(*reader));
  reader->db = db;
  reader->mem = mem;
  reader->entries = sdb_mem_alloc(mem, SDB_BLOCK_ENTRIES_MAX * sizeof(*reader->entries));
  if (!reader->entries) return sdb_db_failed(NULL, path, error);
  return sdb_db_prepare(db, path, SQL, reader->statements, SDB_RUN_STATEMENTS, error);
}

void sdb_run_reader_close(sdb_run_reader *reader) {
  if (!reader->mem) return;
  sdb_db_finalize(reader->statements, SDB_RUN_STATEMENTS);
  sdb_mem_free(reader->mem, reader->entries);
  reader->entries = NULL;
}

static bool run_is_sane(const sdb_run *run) {
  return run->id > 0 && run->id < (uint64_t)1 << 39 && run->first <= run->last &&
         run->last <= SDB_SEQ_MAX && run->blocks <= SDB_RUN_BLOCKS_MAX &&
         run->client_blocks <= SDB_RUN_BLOCKS_MAX;
}

sdb_status sdb_run_reader_list(sdb_run_reader *reader, sdb_run_list *list) {
  sqlite3_stmt *statement = reader->statements[SDB_RUN_LIST];
  sdb_status status = SDB_OK;
  list->count = 0;
  int code;
  while (status == SDB_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    if (!sdb_run_list_make_room(list)) {
      status = SDB_NO_MEMORY;
      break;
    }
    sdb_run *run = &list->runs[list->count++];
    uint64_t *fields[] = {&run->id, &run->first, &run->last, &run->built, &run->entries,
        &run->blocks, &run->clients, &run->client_blocks};
    for (size_t i = 0; i < SDB_COUNT_OF(fields); i++)
      *fields[i] = sdb_db_column(statement, (int)i);
    if (!run_is_sane(run)) status = SDB_BAD_FORMAT;
  }
  if (status == SDB_OK) status = sdb_db_status(code);
  sqlite3_reset(statement);
  return status;
}

void sdb_run_reader_reset(sdb_run_reader *reader) {
  sqlite3_reset(reader->statements[SDB_RUN_BLOCK]);
}

/* The bytes of a block, valid until the reset; data NULL where there is none. */
static sdb_status read_block(sdb_run_reader *reader, uint64_t id, sdb_slice *data) {
  sqlite3_stmt *statement = reader->statements[SDB_RUN_BLOCK];
  sqlite3_reset(statement);
  sdb_db_bind(statement, 1, id);
  int code = sqlite3_step(statement);
  *data = code == SQLITE_ROW ? sdb_db_column_bytes(statement, 0) : sdb_slice_make(NULL, 0);
  return sdb_db_status(code);
}

sdb_status sdb_run_reader_block(sdb_run_reader *reader, const sdb_run *run, uint64_t number) {
  uint64_t id = sdb_run_block_id(run->id, false, number);
  if (reader->block == id) return SDB_OK;
  reader->block = 0;
  sdb_slice data;
  sdb_status status = read_block(reader, id, &data);
  if (status == SDB_OK &&
      (!data.data || !sdb_unpack_entries(data, run->first, reader->entries, &reader->count) ||
          reader->count == 0))
    status = SDB_BAD_FORMAT;
  sdb_run_reader_reset(reader);
  if (status == SDB_OK) reader->block = id;
  return status;
}

static bool is_before(const sdb_index_entry *entry, uint64_t user, uint16_t store, sdb_seq seq) {
  if (entry->user != user) return entry->user < user;
  if (entry->store != store) return entry->store < store;
  return entry->seq < seq;
}

/* Stands the reader behind the last entry of its block that is before the key. */
static void stand_before(sdb_run_reader *reader, uint64_t user, uint16_t store, sdb_seq seq) {
  uint32_t low = 0, high = reader->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (is_before(&reader->entries[middle], user, store, seq))
      low = middle + 1;
    else
      high = middle;
  }
  reader->at = low;
}

sdb_status sdb_run_reader_before(sdb_run_reader *reader, const sdb_run *run, uint64_t user,
    uint16_t store, sdb_seq seq, const sdb_index_entry **entry) {
  *entry = NULL;
  sqlite3_stmt *statement = reader->statements[SDB_RUN_FENCE];
  sdb_db_bind(statement, 1, run->id);
  sdb_db_bind(statement, 2, user);
  sdb_db_bind(statement, 3, store);
  sdb_db_bind(statement, 4, seq);
  int code = sqlite3_step(statement);
  uint64_t number = code == SQLITE_ROW ? sdb_db_column(statement, 0) : 0;
  sqlite3_reset(statement);
  if (code != SQLITE_ROW) return sdb_db_status(code);
  if (number >= run->blocks) return SDB_BAD_FORMAT;
  sdb_status status = sdb_run_reader_block(reader, run, number);
  if (status != SDB_OK) return status;
  stand_before(reader, user, store, seq);
  return sdb_run_reader_back(reader, run, entry);
}

sdb_status sdb_run_reader_back(
    sdb_run_reader *reader, const sdb_run *run, const sdb_index_entry **entry) {
  *entry = NULL;
  if (reader->at == 0) {
    uint64_t number = reader->block & (SDB_RUN_BLOCKS_MAX - 1);
    if (number == 0) return SDB_OK;
    sdb_status status = sdb_run_reader_block(reader, run, number - 1);
    if (status != SDB_OK) return status;
    reader->at = reader->count;
  }
  *entry = &reader->entries[--reader->at];
  return SDB_OK;
}

sdb_status sdb_run_reader_clients(
    sdb_run_reader *reader, const sdb_run *run, uint64_t number, sdb_pack_clients *clients) {
  sdb_slice data;
  sdb_status status = read_block(reader, sdb_run_block_id(run->id, true, number), &data);
  sdb_unpack_clients_start(clients, data, run->first);
  return status;
}
