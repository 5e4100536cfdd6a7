/* storage/sqlite/chores.c: what rides along in the writer's transactions.
 *
 * The indexer prepares the blocks of a run; the writer only inserts them, some in each transaction,
 * so that no commit is long. With the END item the run becomes live and what it covers dead, in one
 * transaction. Dead runs are deleted a few blocks at a time. A transaction that fails takes its
 * items back: they are applied again in the next.
 */
#include "storage/sqlite/writer.h"

#define DELETE_BLOCKS 64 /* of a dead run in one transaction */

static bool add_block(sdb_writer *writer, const sdb_index_item *item) {
  sqlite3_stmt *add = sdb_writer_statement_of(writer, SDB_W_BLOCK_ADD);
  sdb_db_bind(add, 1, sdb_run_block_id(item->run.id, item->client_part, item->number));
  int code = sqlite3_bind_blob(add, 2, item->bytes, (int)item->size, SQLITE_STATIC);
  SDB_ASSERT(code == SQLITE_OK);
  if (!sdb_writer_step(writer, add)) return false;
  if (item->client_part) return true;
  add = sdb_writer_statement_of(writer, SDB_W_FENCE_ADD);
  sdb_db_bind(add, 1, item->run.id);
  sdb_db_bind(add, 2, item->first.user);
  sdb_db_bind(add, 3, item->first.store);
  sdb_db_bind(add, 4, item->first.seq);
  sdb_db_bind(add, 5, item->number);
  return sdb_writer_step(writer, add);
}

static bool end_run(sdb_writer *writer, const sdb_run *run) {
  sqlite3_stmt *replace = sdb_writer_statement_of(writer, SDB_W_RUN_REPLACE);
  sdb_db_bind(replace, 1, run->first);
  sdb_db_bind(replace, 2, run->last);
  if (!sdb_writer_step(writer, replace)) return false;
  sqlite3_stmt *end = sdb_writer_statement_of(writer, SDB_W_RUN_END);
  const uint64_t fields[] = {run->id, run->first, run->last, run->built, run->entries, run->blocks,
      run->clients, run->client_blocks};
  for (size_t i = 0; i < SDB_COUNT_OF(fields); i++)
    sdb_db_bind(end, (int)i + 1, fields[i]);
  if (!sdb_writer_step(writer, end)) return false;
  return sdb_writer_step(writer, sdb_writer_statement_of(writer, SDB_W_RUN_VERSION));
}

static bool apply(sdb_writer *writer, const sdb_index_item *item) {
  switch (item->kind) {
  case SDB_INDEX_BEGIN: {
    sqlite3_stmt *begin = sdb_writer_statement_of(writer, SDB_W_RUN_BEGIN);
    sdb_db_bind(begin, 1, item->run.id);
    return sdb_writer_step(writer, begin);
  }
  case SDB_INDEX_BLOCK:
    return add_block(writer, item);
  case SDB_INDEX_END:
    return end_run(writer, &item->run);
  case SDB_INDEX_FILTER:
    return true;
  }
  SDB_UNREACHABLE();
}

/* Deletes some of a dead run, and the run itself when nothing is left of it. */
static bool delete_dead(sdb_writer *writer) {
  if (!writer->deleting) return true;
  sqlite3_stmt *dead = sdb_writer_statement_of(writer, SDB_W_RUN_DEAD);
  int found = sdb_writer_row(writer, dead);
  if (found < 0) return false;
  if (found == 0) {
    writer->deleting = false;
    return true;
  }
  uint64_t run = sdb_db_column(dead, 0);
  sqlite3_reset(dead);
  if (!sdb_writer_begin(writer)) return false;
  sqlite3_stmt *delete = sdb_writer_statement_of(writer, SDB_W_BLOCK_DELETE);
  sdb_db_bind(delete, 1, sdb_run_block_id(run, false, 0));
  sdb_db_bind(delete, 2, sdb_run_block_id(run + 1, false, 0));
  sdb_db_bind(delete, 3, DELETE_BLOCKS);
  if (!sdb_writer_step(writer, delete)) return false;
  bool left = sqlite3_changes(writer->db) > 0;
  delete = sdb_writer_statement_of(writer, SDB_W_FENCE_DELETE);
  sdb_db_bind(delete, 1, run);
  sdb_db_bind(delete, 2, DELETE_BLOCKS);
  if (!sdb_writer_step(writer, delete)) return false;
  if (left || sqlite3_changes(writer->db) > 0) return true;
  delete = sdb_writer_statement_of(writer, SDB_W_RUN_DELETE);
  sdb_db_bind(delete, 1, run);
  return sdb_writer_step(writer, delete);
}

bool sdb_writer_has_chores(const sdb_writer *writer) {
  return writer->items != NULL || writer->deleting;
}

bool sdb_writer_do_chores(sdb_writer *writer, size_t blocks_max) {
  for (size_t i = 0; i < blocks_max && writer->items_next; i++) {
    const sdb_index_item *item = writer->items_next;
    writer->starved = item->kind == SDB_INDEX_END && !sdb_dedupe_make_room(&writer->dedupe);
    if (writer->starved) return true;
    if (!sdb_writer_begin(writer) || !apply(writer, item)) return false;
    writer->items_next = item->next;
  }
  return delete_dead(writer);
}

void sdb_writer_chores_rolled_back(sdb_writer *writer) {
  writer->items_next = writer->items;
}

/* What an item means beyond the tables, once it is durable. */
static void settle(sdb_writer *writer, sdb_index_item *item) {
  if (item->kind == SDB_INDEX_FILTER)
    sdb_dedupe_put_filter(&writer->dedupe, item->run.id, item->filter);
  if (item->kind == SDB_INDEX_END) {
    sdb_dedupe_put(&writer->dedupe, &item->run, item->filter);
    if (item->generation)
      sdb_tail_flushed(writer->tail, item->generation);
    else
      writer->deleting = true;
  }
  item->filter = NULL;
  sdb_index_item_free(writer->options.mem, item);
}

void sdb_writer_chores_committed(sdb_writer *writer) {
  size_t count = 0;
  uint64_t ended = 0;
  while (writer->items != writer->items_next) {
    sdb_index_item *item = writer->items;
    writer->items = item->next;
    count++;
    ended += item->kind == SDB_INDEX_END;
    settle(writer, item);
  }
  if (count > 0) sdb_inbox_settle(writer->inbox, count, ended);
  sdb_tail_drop_flushed(writer->tail);
}
