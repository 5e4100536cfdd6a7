/* storage/sqlite/reader.c: the reader's thread, its snapshots, users and single objects.
 *
 * A snapshot: the reader enters the tail, begins a transaction, and learns the newest event that
 * it sees. From then on the tail keeps what this transaction does not see as a run, and skips
 * what it does not see in the log. A failed read is SDB_UNAVAILABLE; the next may succeed.
 */
#include "storage/sqlite/reader.h"
#include "base/error.h"

/* Small, for each reader has one: a catch-up reads a page once, and the system caches the file. */
#define CACHE_KIB 512
#define SCRATCH_KEPT (1024 * 1024) /* bytes kept between pages */
#define SCRATCH_MAX ((size_t)1 << 30)

static const char *const SQL[SDB_READER_STATEMENTS] = {
    [SDB_R_BEGIN] = "BEGIN",
    [SDB_R_COMMIT] = "COMMIT",
    [SDB_R_SNAPSHOT] = "SELECT (SELECT value FROM meta WHERE key = 'index_version'),"
                       " (SELECT max(seq) FROM log)",
    [SDB_R_USER_FIND] = "SELECT id FROM user WHERE name = ?1",
    [SDB_R_SINGULARS] = "SELECT store, seq FROM singular WHERE user = ?1",
    [SDB_R_HORIZONS] = "SELECT store, seq FROM horizon WHERE user = ?1",
    [SDB_R_LOG_FROM] = "SELECT seq, user, store, object, client, body FROM log WHERE seq >= ?1"
                       " ORDER BY seq",
    [SDB_R_MOVED_GET] = "SELECT seq FROM moved WHERE object = ?1",
};

sdb_status sdb_reader_open(sdb_reader *reader, sdb_error *error) {
  const sdb_mem *mem = reader->mem;
  sdb_run_list_init(&reader->run_list, mem);
  sdb_buffer_init(&reader->events, mem, SCRATCH_MAX);
  sdb_buffer_init(&reader->bodies, mem, SCRATCH_MAX);
  reader->candidates = sdb_mem_alloc(mem, SDB_CANDIDATES_MAX * sizeof(*reader->candidates));
  reader->found = sdb_mem_alloc(mem, SDB_CANDIDATES_MAX * sizeof(*reader->found));
  if (!reader->candidates || !reader->found) return sdb_db_failed(NULL, reader->path, error);
  sdb_status status =
      sdb_db_open(reader->path, reader->vfs, SDB_DB_READ_ONLY, CACHE_KIB, &reader->db, error);
  if (status == SDB_OK)
    status = sdb_db_prepare(
        reader->db, reader->path, SQL, reader->statements, SDB_READER_STATEMENTS, error);
  if (status == SDB_OK)
    status = sdb_run_reader_open(&reader->runs, reader->db, reader->path, mem, error);
  return status;
}

void sdb_reader_close(sdb_reader *reader) {
  if (!reader->mem) return;
  sdb_run_reader_close(&reader->runs);
  sdb_db_finalize(reader->statements, SDB_READER_STATEMENTS);
  sqlite3_close(reader->db);
  sdb_run_list_free(&reader->run_list);
  sdb_buffer_free(&reader->events);
  sdb_buffer_free(&reader->bodies);
  sdb_mem_free(reader->mem, reader->candidates);
  sdb_mem_free(reader->mem, reader->found);
}

/* ---- the log ---- */

int sdb_reader_seek_log(sdb_reader *reader, sdb_seq seq) {
  sqlite3_stmt *log = reader->statements[SDB_R_LOG_FROM];
  sqlite3_reset(log);
  sdb_db_bind(log, 1, seq);
  return sqlite3_step(log);
}

int sdb_reader_next_log(sdb_reader *reader) {
  return sqlite3_step(reader->statements[SDB_R_LOG_FROM]);
}

void sdb_reader_log_row(sdb_reader *reader, sdb_log_row *row) {
  sqlite3_stmt *log = reader->statements[SDB_R_LOG_FROM];
  row->seq = sdb_db_column(log, 0);
  row->user = sdb_db_column(log, 1);
  row->store = (uint16_t)sdb_db_column(log, 2);
  row->object = sqlite3_column_type(log, 3) == SQLITE_NULL ? row->seq : sdb_db_column(log, 3);
  row->client_id = sdb_db_column_uuid(log, 4);
  row->removed = sqlite3_column_type(log, 5) == SQLITE_NULL;
  row->body = sdb_db_column_bytes(log, 5);
}

void sdb_reader_reset_log(sdb_reader *reader) {
  sqlite3_reset(reader->statements[SDB_R_LOG_FROM]);
}

/* ---- snapshots ---- */

static sdb_status begin(sdb_reader *reader) {
  sdb_tail_enter(reader->tail, reader->number);
  int code = sdb_db_step(reader->statements[SDB_R_BEGIN]);
  if (code != SQLITE_DONE) return sdb_db_status(code);
  sqlite3_stmt *snapshot = reader->statements[SDB_R_SNAPSHOT];
  code = sqlite3_step(snapshot);
  uint64_t version = 0;
  if (code == SQLITE_ROW) {
    version = sdb_db_column(snapshot, 0);
    reader->snapshot = sdb_db_column(snapshot, 1);
  }
  sqlite3_reset(snapshot);
  if (code != SQLITE_ROW) return SDB_IO;
  if (version == reader->index_version) return SDB_OK;
  reader->index_version = 0;
  sdb_status status = sdb_run_reader_list(&reader->runs, &reader->run_list);
  if (status == SDB_OK) reader->index_version = version;
  return status;
}

static void end(sdb_reader *reader) {
  if (!sqlite3_get_autocommit(reader->db)) {
    sqlite3_step(reader->statements[SDB_R_COMMIT]);
    sqlite3_reset(reader->statements[SDB_R_COMMIT]);
  }
  sdb_tail_leave(reader->tail, reader->number);
}

/* ---- users ---- */

/* Reads (store, seq) rows of a user into the heads. */
static sdb_status read_seqs(sdb_reader *reader, sdb_reader_statement which, sdb_op_user *op) {
  sqlite3_stmt *select = reader->statements[which];
  sdb_db_bind(select, 1, op->user);
  int code;
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    uint16_t index = sdb_store_map_index(reader->stores, sdb_db_column(select, 0));
    if (index == SDB_STORE_ANY) continue;
    sdb_user_head *head = &op->heads[index];
    *(which == SDB_R_HORIZONS ? &head->horizon : &head->head) = sdb_db_column(select, 1);
  }
  sqlite3_reset(select);
  return sdb_db_status(code);
}

static sdb_status read_heads(sdb_reader *reader, sdb_op_user *op) {
  memset(op->heads, 0, reader->stores->count * sizeof(*op->heads));
  sdb_status status = read_seqs(reader, SDB_R_SINGULARS, op);
  if (status == SDB_OK) status = read_seqs(reader, SDB_R_HORIZONS, op);
  for (size_t i = 0; i < reader->stores->count && status == SDB_OK; i++) {
    uint16_t store = sdb_store_map_id(reader->stores, (uint16_t)i);
    if (!sdb_store_map_is_singular(reader->stores, store))
      status = sdb_reader_head(reader, op->user, store, &op->heads[i].head);
  }
  return status;
}

/* SDB_NOT_FOUND: the writer has to add the user. */
static sdb_status read_user(sdb_reader *reader, sdb_op_user *op) {
  sqlite3_stmt *find = reader->statements[SDB_R_USER_FIND];
  sdb_db_bind_text(find, 1, op->name);
  int code = sqlite3_step(find);
  if (code == SQLITE_ROW) op->user = sdb_db_column(find, 0);
  sqlite3_reset(find);
  if (code == SQLITE_DONE) return SDB_NOT_FOUND;
  return code == SQLITE_ROW ? read_heads(reader, op) : sdb_db_status(code);
}

/* ---- objects ---- */

/* Whether event `seq` is the current one of the object asked for; gives it then. */
static sdb_status read_event(sdb_reader *reader, sdb_op_object *op, sdb_seq seq) {
  int code = sdb_reader_seek_log(reader, seq);
  sdb_status status = code == SQLITE_ROW ? SDB_OK : SDB_NOT_FOUND;
  if (code != SQLITE_ROW && code != SQLITE_DONE) status = sdb_db_status(code);
  sdb_log_row row;
  if (status == SDB_OK) {
    sdb_reader_log_row(reader, &row);
    uint16_t index = sdb_store_map_index(reader->stores, row.store);
    bool same = row.seq == seq && row.object == op->object && row.user == op->user &&
                index != SDB_STORE_ANY && (op->store == SDB_STORE_ANY || op->store == index);
    if (!same || row.removed) status = SDB_NOT_FOUND;
    op->event = (sdb_stored_event){row.seq, row.object, index, false, row.client_id, row.body};
  }
  if (status == SDB_OK && row.body.size > 0) {
    sdb_buffer_append_slice(&op->memory, row.body);
    if (op->memory.status != SDB_OK) status = SDB_NO_MEMORY;
    op->event.body = sdb_buffer_slice(&op->memory);
  }
  sdb_reader_reset_log(reader);
  return status;
}

static sdb_status read_object(sdb_reader *reader, sdb_op_object *op) {
  sdb_buffer_reset(&op->memory);
  if (op->object == 0 || op->object > SDB_SEQ_MAX) return SDB_NOT_FOUND;
  sdb_status status = read_event(reader, op, op->object);
  if (status != SDB_NOT_FOUND) return status;
  sqlite3_stmt *moved = reader->statements[SDB_R_MOVED_GET];
  sdb_db_bind(moved, 1, op->object);
  int code = sqlite3_step(moved);
  sdb_seq seq = code == SQLITE_ROW ? sdb_db_column(moved, 0) : 0;
  sqlite3_reset(moved);
  if (code == SQLITE_DONE) return SDB_NOT_FOUND;
  return code == SQLITE_ROW ? read_event(reader, op, seq) : sdb_db_status(code);
}

/* ---- the thread ---- */

static sdb_status answer(sdb_reader *reader, sdb_op *op) {
  switch (op->kind) {
  case SDB_OP_USER:
    return read_user(reader, SDB_CONTAINER_OF(op, sdb_op_user, op));
  case SDB_OP_PAGE: {
    sdb_op_page *page = SDB_CONTAINER_OF(op, sdb_op_page, op);
    sdb_status status = sdb_reader_page(reader, page);
    if (status != SDB_OK) page->count = 0;
    atomic_fetch_add_explicit(&reader->pages_read, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&reader->events_read, page->count, memory_order_relaxed);
    return status;
  }
  case SDB_OP_OBJECT:
    return read_object(reader, SDB_CONTAINER_OF(op, sdb_op_object, op));
  case SDB_OP_WRITE:
  case SDB_OP_RESERVE:
    break;
  }
  SDB_UNREACHABLE();
}

static void drop_scratch(sdb_buffer *buffer) {
  if (buffer->capacity > SCRATCH_KEPT) sdb_buffer_free(buffer);
}

bool sdb_reader_round(sdb_reader *reader) {
  sdb_op *op = sdb_read_queue_take(reader->queue);
  if (!op) return false;
  sdb_status status = begin(reader);
  if (status == SDB_OK) status = answer(reader, op);
  end(reader);
  drop_scratch(&reader->events);
  drop_scratch(&reader->bodies);
  if (op->kind == SDB_OP_USER && status == SDB_NOT_FOUND) {
    sdb_op_list unknown;
    sdb_op_list_init(&unknown);
    sdb_op_list_add(&unknown, op);
    sdb_inbox_submit(reader->inbox, &unknown);
    return true;
  }
  bool told = status == SDB_OK || status == SDB_NOT_FOUND || status == SDB_NO_MEMORY;
  op->status = told ? status : SDB_UNAVAILABLE;
  op->next = NULL;
  reader->sink.completed(reader->sink.context, op);
  return true;
}

void *sdb_reader_run(void *context) {
  while (sdb_reader_round(context))
    ;
  return NULL;
}
