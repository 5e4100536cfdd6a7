/* storage/sqlite/page.c: pages of events, newest first.
 *
 * The index names candidates: the tail those above the runs' watermark, then run after run, so that
 * seqs fall all along and nothing is named twice. A chunk of them is looked up in the log in
 * rising order, because the events of a busy user stand near one another there and stepping is
 * cheaper than seeking; then it is given in falling order. A candidate that the log does not hold
 * was replaced and is passed over.
 */
#include "storage/sqlite/reader.h"

#define FIRST_CHUNK 16 /* until the size of the bodies is known */
#define STEPS_MAX 4    /* rows to pass over before seeking is cheaper */

/* Where the naming of candidates stands. */
typedef struct source {
  uint64_t user;
  uint16_t store; /* id */
  bool objects_only;
  bool in_runs;          /* the tail has given all it has */
  sdb_seq after, before; /* exclusive; `before` falls */
} source;

static uint32_t name_from_tail(sdb_reader *reader, source *from, uint32_t want) {
  sdb_seq watermark = sdb_run_list_watermark(&reader->run_list);
  sdb_tail_query query = {from->user, from->store,
      from->after > watermark ? from->after : watermark, from->before, reader->snapshot};
  uint32_t found = sdb_tail_collect(reader->tail, reader->number, &query, reader->found, want);
  uint32_t count = 0;
  for (uint32_t i = 0; i < found; i++) {
    from->before = reader->found[i].seq;
    if (from->objects_only && reader->found[i].removed) continue;
    reader->candidates[count++] =
        (sdb_candidate){.seq = reader->found[i].seq, .removed = reader->found[i].removed};
  }
  if (found < want) {
    from->in_runs = true;
    if (from->before > watermark) from->before = watermark + 1;
  }
  return count;
}

static sdb_status name_from_run(
    sdb_reader *reader, const sdb_run *run, source *from, uint32_t want, uint32_t *count) {
  const sdb_index_entry *entry;
  sdb_status status =
      sdb_run_reader_before(&reader->runs, run, from->user, from->store, from->before, &entry);
  while (status == SDB_OK && entry && entry->user == from->user && entry->store == from->store &&
         entry->seq > from->after && *count < want) {
    from->before = entry->seq;
    if (!(from->objects_only && entry->removed))
      reader->candidates[(*count)++] =
          (sdb_candidate){.seq = entry->seq, .removed = entry->removed};
    status = sdb_run_reader_back(&reader->runs, run, &entry);
  }
  return status;
}

/* Names up to `want` candidates; none means that there are no more. */
static sdb_status name_candidates(
    sdb_reader *reader, source *from, uint32_t want, uint32_t *count) {
  SDB_ASSERT(want > 0 && want <= SDB_CANDIDATES_MAX);
  *count = 0;
  while (*count == 0 && !from->in_runs)
    *count = name_from_tail(reader, from, want);
  const sdb_run_list *list = &reader->run_list;
  sdb_status status = SDB_OK;
  for (size_t i = 0; from->in_runs && i < list->count && *count < want && status == SDB_OK; i++) {
    if (list->runs[i].last <= from->after) break;
    if (list->runs[i].first < from->before)
      status = name_from_run(reader, &list->runs[i], from, want, count);
  }
  return status;
}

/* Stands the log's statement at `seq` or behind it. */
static int advance(sdb_reader *reader, sdb_seq seq, int code) {
  for (int i = 0; i < STEPS_MAX && code == SQLITE_ROW; i++) {
    if (sdb_reader_log_seq(reader) >= seq) return code;
    code = sdb_reader_next_log(reader);
  }
  if (code == SQLITE_ROW && sdb_reader_log_seq(reader) >= seq) return code;
  if (code != SQLITE_ROW && code != SQLITE_OK) return code;
  return sdb_reader_seek_log(reader, seq);
}

static sdb_status take_row(sdb_reader *reader, const source *from, sdb_candidate *candidate) {
  sdb_log_row row;
  sdb_reader_log_row(reader, &row);
  if (row.user != from->user || row.store != from->store) return SDB_BAD_FORMAT;
  candidate->found = true;
  candidate->removed = row.removed;
  candidate->object = row.object;
  candidate->client_id = row.client_id;
  candidate->body_at = reader->bodies.size;
  candidate->body_size = row.body.size;
  sdb_buffer_append_slice(&reader->bodies, row.body);
  return reader->bodies.status == SDB_OK ? SDB_OK : SDB_NO_MEMORY;
}

/* Looks candidates up in the log, the oldest first. */
static sdb_status look_up(sdb_reader *reader, const source *from, uint32_t count) {
  int code = SQLITE_OK;
  sdb_status status = SDB_OK;
  for (uint32_t i = count; i-- > 0 && status == SDB_OK;) {
    code = advance(reader, reader->candidates[i].seq, code);
    if (code == SQLITE_DONE) break;
    if (code != SQLITE_ROW)
      status = sdb_db_status(code);
    else if (sdb_reader_log_seq(reader) == reader->candidates[i].seq)
      status = take_row(reader, from, &reader->candidates[i]);
  }
  sdb_reader_reset_log(reader);
  return status;
}

/* How many candidates to look up next: what is still wanted and one more, which tells whether
 * more follows; fewer where the bodies that are known say that the bytes will not reach. */
static uint32_t next_chunk(const sdb_op_page *op, size_t bytes) {
  if (op->count == 0) return op->limit < FIRST_CHUNK ? op->limit + 1 : FIRST_CHUNK;
  uint64_t want = (uint64_t)op->limit - op->count + 1;
  size_t average = bytes / op->count + 1;
  uint64_t fit = bytes < op->bytes_max ? (op->bytes_max - bytes) / average + 2 : 1;
  if (want > fit) want = fit;
  return want < SDB_CANDIDATES_MAX ? (uint32_t)want : SDB_CANDIDATES_MAX;
}

/* Adds what was found to the page. False: the page is full and more follows. */
static bool add_found(sdb_reader *reader, sdb_op_page *op, uint32_t candidates, size_t *bytes) {
  for (uint32_t i = 0; i < candidates; i++) {
    const sdb_candidate *from = &reader->candidates[i];
    if (!from->found || (op->objects_only && from->removed)) continue;
    if (op->count == op->limit || (op->count > 0 && *bytes >= op->bytes_max)) return false;
    sdb_buffer_append(&reader->events, from, sizeof(*from));
    op->count++;
    *bytes += from->body_size;
  }
  return true;
}

/* Copies the page into the operation's memory: the array first, then the bodies, as one piece. */
static sdb_status give_page(sdb_reader *reader, sdb_op_page *op, size_t bytes) {
  if (reader->events.status != SDB_OK) return SDB_NO_MEMORY;
  if (op->count == 0) return SDB_OK;
  size_t array_size = op->count * sizeof(*op->events);
  char *to = sdb_buffer_reserve(&op->memory, array_size + bytes);
  if (!to) return SDB_NO_MEMORY;
  sdb_buffer_commit(&op->memory, array_size + bytes);
  op->events = (sdb_stored_event *)(void *)to;
  char *body = to + array_size;
  for (uint32_t i = 0; i < op->count; i++) {
    sdb_candidate from;
    memcpy(&from, reader->events.data + i * sizeof(from), sizeof(from));
    if (from.body_size) memcpy(body, reader->bodies.data + from.body_at, from.body_size);
    op->events[i] = (sdb_stored_event){from.seq, from.object, op->store, from.removed,
        from.client_id, sdb_slice_make(from.body_size ? body : NULL, from.body_size)};
    body += from.body_size;
  }
  return SDB_OK;
}

/* Read in the page's own snapshot, so that what the page lacks is known to be forgotten. */
static sdb_status read_horizon(sdb_reader *reader, sdb_op_page *op) {
  sqlite3_stmt *select = reader->statements[SDB_R_HORIZONS];
  uint16_t store = sdb_store_map_id(reader->stores, op->store);
  int code;
  op->horizon = 0;
  sdb_db_bind(select, 1, op->user);
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    if (sdb_db_column(select, 0) == store) op->horizon = sdb_db_column(select, 1);
  }
  sqlite3_reset(select);
  return sdb_db_status(code);
}

sdb_status sdb_reader_page(sdb_reader *reader, sdb_op_page *op) {
  SDB_ASSERT(op->limit > 0);
  sdb_buffer_reset(&op->memory);
  sdb_buffer_reset(&reader->events);
  sdb_buffer_reset(&reader->bodies);
  op->events = NULL;
  op->count = 0;
  op->more = false;
  source from = {op->user, sdb_store_map_id(reader->stores, op->store), op->objects_only, false,
      op->after, op->before ? op->before : SDB_SEQ_MAX + 1};
  size_t bytes = 0;
  sdb_status status = read_horizon(reader, op);
  while (status == SDB_OK && !op->more) {
    uint32_t candidates;
    status = name_candidates(reader, &from, next_chunk(op, bytes), &candidates);
    if (status == SDB_OK) status = look_up(reader, &from, candidates);
    if (status != SDB_OK) return status;
    if (candidates == 0) break;
    op->more = !add_found(reader, op, candidates, &bytes);
  }
  return status == SDB_OK ? give_page(reader, op, bytes) : status;
}

sdb_status sdb_reader_head(sdb_reader *reader, uint64_t user, uint16_t store, sdb_seq *head) {
  source from = {user, store, false, false, 0, SDB_SEQ_MAX + 1};
  *head = 0;
  for (;;) {
    uint32_t candidates;
    sdb_status status = name_candidates(reader, &from, 1, &candidates);
    if (status != SDB_OK || candidates == 0) return status;
    int code = sdb_reader_seek_log(reader, reader->candidates[0].seq);
    bool found = code == SQLITE_ROW && sdb_reader_log_seq(reader) == reader->candidates[0].seq;
    sdb_reader_reset_log(reader);
    if (found) *head = reader->candidates[0].seq;
    if (found || (code != SQLITE_ROW && code != SQLITE_DONE)) return sdb_db_status(code);
  }
}
