/* storage/sqlite/forget.c: what is forgotten, by the clock of the writes.
 *
 * Removes older than remember_removes go from the log; the newest that went is the horizon of its
 * user and store. The table `spent` is swept now and then: a row may go once no run's entry leads
 * to its event (the run that covers it was built after the death) and its client id is past the
 * dedupe window.
 */
#include "storage/sqlite/writer.h"

#define SWEEP_ROWS 256        /* in one transaction */
#define SWEEP_PAUSE_MS 600000 /* between the end of a sweep and the next */

/* The oldest remove in the log, and when it is past the horizon: 1, 0: there is none, -1. */
static int plan(sdb_writer *writer, sdb_seq *seq) {
  sqlite3_stmt *oldest = sdb_writer_statement_of(writer, SDB_W_REMOVED_OLDEST);
  writer->forget_at_ms = UINT64_MAX;
  int found = sdb_writer_row(writer, oldest);
  if (found != 1) return found;
  *seq = sdb_db_column(oldest, 0);
  sqlite3_reset(oldest);
  writer->forget_at_ms = sdb_seq_ms(*seq) + writer->options.remember_removes_ms;
  return 1;
}

bool sdb_writer_plan_forget(sdb_writer *writer) {
  sdb_seq seq;
  return plan(writer, &seq) >= 0;
}

/* Takes away what pointed to a remove that is forgotten. */
static bool unpoint(sdb_writer *writer, const sdb_writer_event *event) {
  bool singular = sdb_store_map_is_singular(writer->stores, event->store);
  sqlite3_stmt *delete =
      sdb_writer_statement_of(writer, singular ? SDB_W_SINGULAR_DELETE : SDB_W_MOVED_DELETE);
  if (singular) {
    sdb_db_bind(delete, 1, event->user);
    sdb_db_bind(delete, 2, event->store);
  } else {
    sdb_db_bind(delete, 1, event->object);
  }
  return sdb_writer_step(writer, delete);
}

static bool forget_remove(sdb_writer *writer, sdb_seq seq) {
  sdb_writer_event event;
  int found = sdb_writer_get_event(writer, seq, &event);
  if (found < 0) return false;
  if (found == 0) { /* a damaged file: go on, so that one row does not stop all others */
    sqlite3_stmt *delete = sdb_writer_statement_of(writer, SDB_W_REMOVED_DELETE);
    sdb_db_bind(delete, 1, seq);
    return sdb_writer_step(writer, delete);
  }
  sdb_writer_release(writer);
  sqlite3_stmt *put = sdb_writer_statement_of(writer, SDB_W_HORIZON_PUT);
  sdb_db_bind(put, 1, event.user);
  sdb_db_bind(put, 2, event.store);
  sdb_db_bind(put, 3, seq);
  if (!sdb_writer_step(writer, put) || !unpoint(writer, &event)) return false;
  /* Its death gets a seq of its own: later than any that a reader or the indexer has seen. */
  writer->last++;
  if (seq > writer->floor && seq > writer->floor_wanted) writer->floor_wanted = seq;
  return sdb_writer_drop_event(writer, &event, writer->last);
}

/* forget_at_ms may be early, where the remove that it was planned for was replaced meanwhile. */
static bool forget_removes(sdb_writer *writer) {
  for (int i = 0; i < SDB_WRITER_FORGET_MAX && writer->forget_at_ms < writer->now_ms; i++) {
    sdb_seq seq;
    int found = plan(writer, &seq);
    if (found < 0) return false;
    if (found == 1 && writer->forget_at_ms < writer->now_ms && !forget_remove(writer, seq))
      return false;
  }
  return true;
}

/* Whether no entry of a run leads to this event any more. */
static bool left_the_index(const sdb_writer *writer, sdb_seq seq, sdb_seq died) {
  for (size_t i = 0; i < writer->dedupe.count; i++) {
    const sdb_run *run = &writer->dedupe.runs[i].run;
    if (seq >= run->first && seq <= run->last) return died <= run->built;
  }
  bool frozen;
  return !sdb_tail_find(writer->tail, seq, &frozen) || !frozen;
}

static bool sweep(sdb_writer *writer) {
  for (int i = 0; i < SWEEP_ROWS; i++) {
    sqlite3_stmt *next = sdb_writer_statement_of(writer, SDB_W_SPENT_NEXT);
    sdb_db_bind(next, 1, writer->sweep_position);
    int found = sdb_writer_row(writer, next);
    if (found < 0) return false;
    if (found == 0) {
      writer->sweep_position = 0;
      writer->sweep_at_ms = writer->now_ms + SWEEP_PAUSE_MS;
      return true;
    }
    sdb_seq seq = sdb_db_column(next, 0), died = sdb_db_column(next, 1);
    bool client = sqlite3_column_type(next, 2) != SQLITE_NULL;
    sqlite3_reset(next);
    writer->sweep_position = seq;
    bool old = sdb_seq_ms(seq) + writer->options.dedupe_window_ms < writer->now_ms;
    if ((client && !old) || !left_the_index(writer, seq, died)) continue;
    sqlite3_stmt *delete = sdb_writer_statement_of(writer, SDB_W_SPENT_DELETE);
    sdb_db_bind(delete, 1, seq);
    if (!sdb_writer_step(writer, delete)) return false;
  }
  return true;
}

bool sdb_writer_forget(sdb_writer *writer) {
  if (writer->forget_at_ms < writer->now_ms && !forget_removes(writer)) return false;
  return writer->sweep_at_ms > writer->now_ms || sweep(writer);
}
