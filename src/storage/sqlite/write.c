/* storage/sqlite/write.c: one write in the transaction.
 *
 * In this order: a client id that was stored before ends it; the object is looked up; the guard
 * has its say; what can fail for this write alone is done; then the tables change, and from there
 * on a failure is one of the whole transaction. writer->failed says so.
 */
#include "storage/sqlite/writer.h"

static bool is_singular(const sdb_writer *writer, uint16_t store) {
  return sdb_store_map_is_singular(writer->stores, store);
}

int sdb_writer_get_event(sdb_writer *writer, sdb_seq seq, sdb_writer_event *event) {
  if (sdb_append_may_hold(&writer->append, seq) && !sdb_writer_append_waiting(writer)) return -1;
  sqlite3_stmt *get = sdb_writer_statement_of(writer, SDB_W_LOG_GET);
  sdb_db_bind(get, 1, seq);
  int found = sdb_writer_row(writer, get);
  if (found != 1) return found;
  event->seq = seq;
  event->user = sdb_db_column(get, 0);
  event->store = (uint16_t)sdb_db_column(get, 1);
  event->object = sqlite3_column_type(get, 2) == SQLITE_NULL ? seq : sdb_db_column(get, 2);
  event->client_id = sdb_db_column_uuid(get, 3);
  event->removed = sqlite3_column_type(get, 4) == SQLITE_NULL;
  event->body = sdb_db_column_bytes(get, 4);
  return 1;
}

void sdb_writer_release(sdb_writer *writer) {
  sqlite3_reset(sdb_writer_statement_of(writer, SDB_W_LOG_GET));
}

/* Reads event `seq` and keeps it if it is the one looked for. */
static int get_if(sdb_writer *writer, sdb_seq seq, uint64_t user, uint16_t store, sdb_seq object,
    sdb_writer_event *event) {
  int found = sdb_writer_get_event(writer, seq, event);
  if (found != 1) return found;
  bool same = event->user == user && event->object == object &&
              (store == SDB_STORE_ANY || event->store == store) &&
              sdb_store_map_index(writer->stores, event->store) != SDB_STORE_ANY;
  if (!same) sdb_writer_release(writer);
  return same;
}

int sdb_writer_find_object(
    sdb_writer *writer, uint64_t user, uint16_t store, sdb_seq object, sdb_writer_event *event) {
  int found = get_if(writer, object, user, store, object, event);
  if (found != 0) return found;
  sqlite3_stmt *get = sdb_writer_statement_of(writer, SDB_W_MOVED_GET);
  sdb_db_bind(get, 1, object);
  found = sdb_writer_row(writer, get);
  if (found != 1) return found;
  sdb_seq seq = sdb_db_column(get, 0);
  sqlite3_reset(get);
  return get_if(writer, seq, user, store, object, event);
}

int sdb_writer_find_singular(
    sdb_writer *writer, uint64_t user, uint16_t store, sdb_writer_event *event) {
  sqlite3_stmt *get = sdb_writer_statement_of(writer, SDB_W_SINGULAR_GET);
  sdb_db_bind(get, 1, user);
  sdb_db_bind(get, 2, store);
  int found = sdb_writer_row(writer, get);
  if (found != 1) return found;
  sdb_seq seq = sdb_db_column(get, 0);
  sqlite3_reset(get);
  return sdb_writer_get_event(writer, seq, event);
}

/* What a write resolved to. */
typedef struct target {
  bool found;     /* there is an event whose place it takes */
  uint16_t store; /* id; SDB_STORE_ANY until it is settled */
  sdb_writer_event current;
} target;

static sdb_status resolve_create(sdb_writer *writer, sdb_op_write *op, target *to) {
  if (is_singular(writer, to->store)) {
    int found = sdb_writer_find_singular(writer, op->user, to->store, &to->current);
    if (found < 0) return SDB_UNAVAILABLE;
    to->found = found == 1;
    bool live = to->found && !to->current.removed;
    op->action = live ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE;
    return SDB_OK;
  }
  if (!op->reserved) return SDB_OK;
  int taken = sdb_writer_find_object(writer, op->user, to->store, op->object, &to->current);
  if (taken == 1) sdb_writer_release(writer);
  return taken < 0 ? SDB_UNAVAILABLE : taken == 1 ? SDB_CONFLICT : SDB_OK;
}

/* Finds what the write takes the place of, and settles its store and action. */
static sdb_status resolve(sdb_writer *writer, sdb_op_write *op, target *to) {
  to->found = false;
  to->store = SDB_STORE_ANY;
  if (op->store == SDB_STORE_ANY)
    SDB_ASSERT(op->action == SDB_ACTION_DELETE && op->object != 0);
  else
    to->store = sdb_store_map_id(writer->stores, op->store);
  if (op->action == SDB_ACTION_CREATE) return resolve_create(writer, op, to);
  int found;
  if (op->object != 0) {
    found = sdb_writer_find_object(writer, op->user, to->store, op->object, &to->current);
  } else {
    SDB_ASSERT(is_singular(writer, to->store));
    found = sdb_writer_find_singular(writer, op->user, to->store, &to->current);
  }
  if (found < 0) return SDB_UNAVAILABLE;
  to->found = found == 1;
  if (!to->found || to->current.removed) return SDB_NOT_FOUND;
  to->store = to->current.store;
  op->store = sdb_store_map_index(writer->stores, to->store);
  return SDB_OK;
}

/* Copies `from` to the operation's memory. */
static bool give(sdb_buffer *memory, sdb_slice from, sdb_slice *to) {
  *to = sdb_slice_make(NULL, 0);
  if (from.size == 0) return true;
  char *copy = sdb_buffer_reserve(memory, from.size);
  if (!copy) return false;
  memcpy(copy, from.data, from.size);
  sdb_buffer_commit(memory, from.size);
  *to = sdb_slice_make(copy, from.size);
  return true;
}

static sdb_status give_duplicate(
    sdb_writer *writer, sdb_op_write *op, const sdb_writer_duplicate *duplicate) {
  sdb_writer_event event = {.seq = 0, .object = duplicate->object};
  int found =
      is_singular(writer, duplicate->store)
          ? sdb_writer_find_singular(writer, op->user, duplicate->store, &event)
          : sdb_writer_find_object(writer, op->user, duplicate->store, duplicate->object, &event);
  if (found < 0) return SDB_UNAVAILABLE;
  if (found == 0) event = (sdb_writer_event){.seq = 0, .object = duplicate->object};
  bool given = give(&op->memory, event.body, &op->event.body);
  if (found == 1) sdb_writer_release(writer);
  if (!given) return SDB_NO_MEMORY;
  op->duplicate = true;
  op->store = op->event.store = sdb_store_map_index(writer->stores, duplicate->store);
  op->object = op->event.object = event.object;
  op->seq = op->event.seq = event.seq;
  op->event.removed = event.removed;
  op->event.client_id = op->client_id;
  return SDB_OK;
}

/* Remembers an event that is gone: its client id for as long as the dedupe window asks for it, and
 * that entries of runs lead to it in vain. */
static bool spend(sdb_writer *writer, const sdb_writer_event *event, bool in_runs, sdb_seq died) {
  bool client = !sdb_uuid_is_nil(event->client_id) &&
                sdb_seq_ms(event->seq) + writer->options.dedupe_window_ms >= writer->now_ms;
  if (!client && !in_runs) return true;
  static const sdb_uuid NIL;
  sqlite3_stmt *add = sdb_writer_statement_of(writer, SDB_W_SPENT_ADD);
  sdb_db_bind(add, 1, event->seq);
  sdb_db_bind(add, 2, died);
  sdb_db_bind(add, 3, event->user);
  sdb_db_bind(add, 4, event->store);
  sdb_db_bind(add, 5, event->object);
  sdb_db_bind_uuid(add, 6, client ? &event->client_id : &NIL);
  return sdb_writer_step(writer, add);
}

bool sdb_writer_drop_event(sdb_writer *writer, const sdb_writer_event *event, sdb_seq died) {
  sqlite3_stmt *delete = sdb_writer_statement_of(writer, SDB_W_LOG_DELETE);
  sdb_db_bind(delete, 1, event->seq);
  if (!sdb_writer_step(writer, delete)) return false;
  if (event->removed) {
    delete = sdb_writer_statement_of(writer, SDB_W_REMOVED_DELETE);
    sdb_db_bind(delete, 1, event->seq);
    if (!sdb_writer_step(writer, delete)) return false;
  }
  bool frozen = true;
  sdb_tail_entry *entry = sdb_tail_find(writer->tail, event->seq, &frozen);
  if (entry) sdb_writer_mark_dead(writer, entry, died);
  return spend(writer, event, !entry || frozen, died);
}

/* Notes in the small tables where an object's current event is to be found. */
static bool point_to(sdb_writer *writer, const sdb_op_write *op, uint16_t store, sdb_seq object) {
  if (is_singular(writer, store)) {
    sqlite3_stmt *put = sdb_writer_statement_of(writer, SDB_W_SINGULAR_PUT);
    sdb_db_bind(put, 1, op->user);
    sdb_db_bind(put, 2, store);
    sdb_db_bind(put, 3, op->seq);
    return sdb_writer_step(writer, put);
  }
  if (object == op->seq) return true;
  sqlite3_stmt *put = sdb_writer_statement_of(writer, SDB_W_MOVED_PUT);
  sdb_db_bind(put, 1, object);
  sdb_db_bind(put, 2, op->seq);
  return sdb_writer_step(writer, put);
}

static bool note_removed(sdb_writer *writer, const sdb_op_write *op) {
  sqlite3_stmt *add = sdb_writer_statement_of(writer, SDB_W_REMOVED_ADD);
  sdb_db_bind(add, 1, op->seq);
  if (!sdb_writer_step(writer, add)) return false;
  uint64_t forget_at_ms = sdb_seq_ms(op->seq) + writer->options.remember_removes_ms;
  if (forget_at_ms < writer->forget_at_ms) writer->forget_at_ms = forget_at_ms;
  return true;
}

/* What names the object from now on: in a singular store each update is an object of its own. */
static sdb_seq object_after(const sdb_writer *writer, const sdb_op_write *op, const target *to) {
  if (op->action == SDB_ACTION_DELETE) return to->current.object;
  if (is_singular(writer, to->store)) return op->seq;
  if (op->action == SDB_ACTION_CREATE) return op->reserved ? op->object : op->seq;
  return op->object;
}

static sdb_status store_event(
    sdb_writer *writer, sdb_op_write *op, const target *to, uint64_t hash) {
  op->seq = writer->last = sdb_seq_next(writer->last, op->now_ms);
  SDB_ASSERT(op->seq <= SDB_SEQ_MAX);
  sdb_seq object = object_after(writer, op, to);
  bool removed = op->action == SDB_ACTION_DELETE;
  sdb_append_add(&writer->append,
      &(sdb_append_row){op->seq, object, op->user, to->store, removed, &op->client_id, op->body});
  if (!point_to(writer, op, to->store, object)) return SDB_UNAVAILABLE;
  if (removed && !note_removed(writer, op)) return SDB_UNAVAILABLE;
  if (to->found && !sdb_writer_drop_event(writer, &to->current, op->seq)) return SDB_UNAVAILABLE;
  sdb_tail_append(writer->tail, op->seq, op->user, to->store, removed, hash, 0);
  op->object = object;
  return SDB_OK;
}

static sdb_status write_one(sdb_writer *writer, sdb_op_write *op, uint64_t hash) {
  sdb_writer_duplicate duplicate;
  if (hash) {
    int found = sdb_writer_find_duplicate(writer, op->user, &op->client_id, hash, &duplicate);
    if (found < 0) return SDB_UNAVAILABLE;
    if (found == 1) return give_duplicate(writer, op, &duplicate);
  }
  target to;
  sdb_status status = resolve(writer, op, &to);
  sdb_slice body = to.found && status == SDB_OK ? to.current.body : sdb_slice_make(NULL, 0);
  if (status == SDB_OK && op->guard) status = op->guard(op, body);
  if (status == SDB_OK && op->want_previous && !give(&op->memory, body, &op->previous))
    status = SDB_NO_MEMORY;
  if (to.found) sdb_writer_release(writer);
  return status == SDB_OK ? store_event(writer, op, &to, hash) : status;
}

void sdb_writer_write(sdb_writer *writer, sdb_op_write *op, uint64_t hash) {
  SDB_ASSERT(op->user > 0);
  sdb_buffer_reset(&op->memory);
  op->duplicate = false;
  op->previous = sdb_slice_make(NULL, 0);
  writer->now_ms = op->now_ms;
  op->op.status = write_one(writer, op, hash);
}
