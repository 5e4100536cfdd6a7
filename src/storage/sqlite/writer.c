/* storage/sqlite/writer.c: the writer's thread and its group commits.
 *
 * A group is all that waits, up to commit_ops_max operations: one transaction, one sync, one call
 * of the sink. While it runs, the next group gathers. What a failed transaction did is undone in
 * memory too: the tail is rewound, marks of death are taken back, the index's items are applied
 * again later. Seqs are never given twice, so those of a failed transaction stay unused.
 *
 * Reserved seqs: the floor is persisted ahead of what was reserved, so that a reservation needs no
 * transaction of its own but once in RESERVE_AHEAD_MS.
 */
#include "storage/sqlite/writer.h"
#include "base/error.h"
#include "base/planted.h"
#include "platform/platform.h"
#include "storage/sqlite/checkpointer.h"
#include "storage/sqlite/read_queue.h"
#include "storage/sqlite/writer_sql.h"

#define RESERVE_AHEAD_MS 10000
#define CHECKPOINT_PATIENCE_MS 20 /* that a commit may wait for readers, to begin the WAL anew */
#define CHECKPOINT_PATIENCE_MAX_MS 500    /* where the WAL has become too long */
#define GROUP_BYTES_MAX ((size_t)4 << 20) /* of bodies */
#define FROZEN_MAX 3                  /* generations that wait for the indexer before writes wait */
#define HELD_UP_MAX 20                /* tenths of a second that they wait at most */
#define BLOCKS_WITH_OPS 96            /* of the index, in a transaction that has operations */
#define BLOCKS_ALONE 512              /* in one that has none */
#define USERS_MAX ((uint64_t)1 << 47) /* a user and a store make one 63-bit key */

bool sdb_writer_step(sdb_writer *writer, sqlite3_stmt *statement) {
  int code = sdb_db_step(statement);
  if (SDB_LIKELY(code == SQLITE_DONE)) return true;
  writer->failed = sqlite3_extended_errcode(writer->db);
  if (writer->failed == SQLITE_OK) writer->failed = SQLITE_ERROR;
  return false;
}

int sdb_writer_row(sdb_writer *writer, sqlite3_stmt *statement) {
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) return 1;
  sqlite3_reset(statement);
  if (code == SQLITE_DONE) return 0;
  writer->failed = sqlite3_extended_errcode(writer->db);
  if (writer->failed == SQLITE_OK) writer->failed = SQLITE_ERROR;
  return -1;
}

bool sdb_writer_begin(sdb_writer *writer) {
  if (writer->open) return true;
  if (!sdb_writer_step(writer, writer->statements[SDB_W_BEGIN])) return false;
  writer->open = true;
  return true;
}

bool sdb_writer_append_waiting(sdb_writer *writer) {
  if (writer->append.count == 0) return true;
  bool appended = sdb_writer_step(writer, writer->append.statement);
  sdb_append_forget(&writer->append);
  return appended;
}

void sdb_writer_mark_dead(sdb_writer *writer, sdb_tail_entry *entry, sdb_seq died) {
  sdb_writer_undo *undo = &writer->undo;
  SDB_ASSERT(undo->deaths_count < undo->deaths_capacity && died != 0);
  undo->deaths[undo->deaths_count++] = entry;
  atomic_store_explicit(&entry->died, died, memory_order_relaxed);
}

sdb_status sdb_writer_open(
    sdb_writer *writer, const sdb_writer_options *options, sqlite3 *db, sdb_error *error) {
  writer->options = *options;
  writer->db = db;
  writer->forget_at_ms = UINT64_MAX;
  writer->deleting = true;
  sdb_op_list_init(&writer->work.ops);
  sdb_dedupe_init(&writer->dedupe, options->mem, options->dedupe_bytes_max);
  if (pthread_mutex_init(&writer->stats_mutex, NULL) != 0)
    return sdb_db_failed(NULL, options->path, error);
  sdb_writer_undo *undo = &writer->undo;
  undo->deaths_capacity = (size_t)options->commit_ops_max + SDB_WRITER_FORGET_MAX;
  undo->deaths = sdb_mem_alloc(options->mem, undo->deaths_capacity * sizeof(*undo->deaths));
  if (!undo->deaths) return sdb_db_failed(NULL, options->path, error);
  sdb_status status = sdb_db_prepare(
      db, options->path, SDB_WRITER_SQL, writer->statements, SDB_WRITER_STATEMENTS, error);
  if (status == SDB_OK)
    status = sdb_append_open(
        &writer->append, db, options->path, options->mem, options->commit_ops_max, error);
  if (status == SDB_OK)
    status = sdb_run_reader_open(&writer->runs, db, options->path, options->mem, error);
  return status;
}

void sdb_writer_close(sdb_writer *writer) {
  if (!writer->db) return;
  for (sdb_index_item *item = writer->items, *next; item; item = next) {
    next = item->next;
    sdb_index_item_free(writer->options.mem, item);
  }
  sdb_run_reader_close(&writer->runs);
  sdb_append_close(&writer->append);
  sdb_db_finalize(writer->statements, SDB_WRITER_STATEMENTS);
  sdb_dedupe_free(&writer->dedupe);
  sdb_mem_free(writer->options.mem, writer->undo.deaths);
  pthread_mutex_destroy(&writer->stats_mutex);
}

/* ---- operations ---- */

/* Finds or adds the user. One that was known after all is marked SDB_BUSY: a reader has to read
 * its heads. */
static sdb_status settle_user(sdb_writer *writer, sdb_op_user *op) {
  sqlite3_stmt *find = writer->statements[SDB_W_USER_FIND];
  sdb_db_bind_text(find, 1, op->name);
  int found = sdb_writer_row(writer, find);
  if (found < 0) return SDB_UNAVAILABLE;
  if (found == 1) {
    sqlite3_reset(find);
    return SDB_BUSY;
  }
  if (!sdb_writer_begin(writer)) return SDB_UNAVAILABLE;
  sqlite3_stmt *add = writer->statements[SDB_W_USER_ADD];
  sdb_db_bind_text(add, 1, op->name);
  if (!sdb_writer_step(writer, add)) return SDB_UNAVAILABLE;
  op->user = (uint64_t)sqlite3_last_insert_rowid(writer->db);
  if (op->user == 0 || op->user >= USERS_MAX) {
    writer->failed = SQLITE_FULL;
    return SDB_UNAVAILABLE;
  }
  memset(op->heads, 0, writer->stores->count * sizeof(*op->heads));
  return SDB_OK;
}

static sdb_status reserve(sdb_writer *writer, sdb_op_reserve *op) {
  op->seq = writer->last = sdb_seq_next(writer->last, op->now_ms);
  SDB_ASSERT(op->seq <= SDB_SEQ_MAX);
  if (op->seq > writer->floor && op->seq > writer->floor_wanted) {
    if (!sdb_writer_begin(writer)) return SDB_UNAVAILABLE;
    writer->floor_wanted = op->seq + ((sdb_seq)RESERVE_AHEAD_MS << SDB_SEQ_COUNTER_BITS);
  }
  return SDB_OK;
}

static uint64_t hash_of(const sdb_writer *writer, const sdb_op *op) {
  if (op->kind != SDB_OP_WRITE) return 0;
  const sdb_op_write *write = SDB_CONTAINER_OF(op, const sdb_op_write, op);
  if (sdb_uuid_is_nil(write->client_id) || SDB_PLANTED(DROP_DEDUPE)) return 0;
  return sdb_hash_client(writer->hash_key, write->user, write->client_id);
}

/* Brings the memory that carrying out the operation will touch, while others are carried out. */
static void prefetch(const sdb_writer *writer, const sdb_op *op, uint64_t hash) {
  if (op->kind != SDB_OP_WRITE) return;
  const sdb_op_write *write = SDB_CONTAINER_OF(op, const sdb_op_write, op);
  if (write->store == SDB_STORE_ANY) return;
  uint16_t store = sdb_store_map_id(writer->stores, write->store);
  sdb_tail_prefetch(writer->tail, write->user, store, hash);
  if (hash) sdb_dedupe_prefetch(&writer->dedupe, hash);
}

static void carry_out(sdb_writer *writer, sdb_op *op, uint64_t hash) {
  switch (op->kind) {
  case SDB_OP_USER:
    op->status = settle_user(writer, SDB_CONTAINER_OF(op, sdb_op_user, op));
    return;
  case SDB_OP_WRITE:
    op->status = SDB_UNAVAILABLE;
    if (sdb_writer_begin(writer))
      sdb_writer_write(writer, SDB_CONTAINER_OF(op, sdb_op_write, op), hash);
    return;
  case SDB_OP_RESERVE:
    op->status = reserve(writer, SDB_CONTAINER_OF(op, sdb_op_reserve, op));
    return;
  case SDB_OP_PAGE:
  case SDB_OP_OBJECT:
    break;
  }
  SDB_UNREACHABLE();
}

static void carry_out_all(sdb_writer *writer, const sdb_op_list *group) {
  uint64_t hashes[SDB_WRITER_AHEAD] = {0};
  const sdb_op *ahead = group->first;
  size_t fetched = 0, at = 0;
  for (sdb_op *op = group->first; op && writer->failed == 0; op = op->next, at++) {
    for (; ahead && fetched < at + SDB_WRITER_AHEAD; ahead = ahead->next, fetched++) {
      uint64_t hash = hash_of(writer, ahead);
      hashes[fetched % SDB_WRITER_AHEAD] = hash;
      prefetch(writer, ahead, hash);
    }
    carry_out(writer, op, hashes[at % SDB_WRITER_AHEAD]);
  }
}

/* ---- the transaction ---- */

static bool persist_floor(sdb_writer *writer) {
  if (writer->floor_wanted == 0 || SDB_PLANTED(FLOOR_NOT_STORED)) return true;
  sqlite3_stmt *put = writer->statements[SDB_W_FLOOR_PUT];
  sdb_db_bind(put, 1, writer->floor_wanted);
  return sdb_writer_begin(writer) && sdb_writer_step(writer, put);
}

static void note_failure(sdb_writer *writer) {
  pthread_mutex_lock(&writer->stats_mutex);
  writer->stats.commits_failed++;
  sdb_error_set(&writer->last_error, sdb_db_status(writer->failed), writer->options.path, ": ",
      sqlite3_errstr(writer->failed));
  pthread_mutex_unlock(&writer->stats_mutex);
}

static void roll_back(sdb_writer *writer) {
  note_failure(writer);
  sdb_writer_undo *undo = &writer->undo;
  sdb_append_forget(&writer->append);
  sdb_writer_release(writer);
  sdb_run_reader_reset(&writer->runs);
  if (!sqlite3_get_autocommit(writer->db)) {
    sqlite3_step(writer->statements[SDB_W_ROLLBACK]);
    sqlite3_reset(writer->statements[SDB_W_ROLLBACK]);
  }
  while (undo->deaths_count > 0 && !SDB_PLANTED(DEATHS_STAY))
    atomic_store_explicit(&undo->deaths[--undo->deaths_count]->died, 0, memory_order_relaxed);
  sdb_tail_rewind(writer->tail, undo->tail_count);
  writer->forget_at_ms = undo->forget_at_ms;
  writer->sweep_at_ms = undo->sweep_at_ms;
  writer->sweep_position = undo->sweep_position;
  writer->floor_wanted = 0;
  sdb_writer_chores_rolled_back(writer);
}

static void start(sdb_writer *writer) {
  writer->open = false;
  writer->failed = 0;
  writer->undo.tail_count = writer->tail->newest->count;
  writer->undo.deaths_count = 0;
  writer->undo.forget_at_ms = writer->forget_at_ms;
  writer->undo.sweep_at_ms = writer->sweep_at_ms;
  writer->undo.sweep_position = writer->sweep_position;
}

/* A COMMIT that fails, because the sync does, may have written the transaction with its end. SQLite
 * goes on without it and writes the next one over it; but a crash before that would find it in the
 * WAL. So one that means nothing is written at once: it raises the floor, for SQLite writes no page
 * that stays the same. Where that fails too, what comes next buries both. */
static void bury(sdb_writer *writer) {
  sqlite3_stmt *const *statements = writer->statements;
  sdb_seq floor = writer->floor + 1;
  sdb_db_bind(statements[SDB_W_FLOOR_PUT], 1, floor);
  bool good = sdb_db_step(statements[SDB_W_BEGIN]) == SQLITE_DONE &&
              sdb_db_step(statements[SDB_W_FLOOR_PUT]) == SQLITE_DONE &&
              sdb_db_step(statements[SDB_W_COMMIT]) == SQLITE_DONE;
  if (good) writer->floor = floor;
  if (!good && !sqlite3_get_autocommit(writer->db)) sdb_db_step(statements[SDB_W_ROLLBACK]);
}

/* Ends the transaction. True: all of it is durable. */
static bool finish(sdb_writer *writer) {
  bool commits = writer->failed == 0 && writer->open;
  if (commits) sdb_writer_step(writer, writer->statements[SDB_W_COMMIT]);
  writer->last_failed = writer->failed != 0;
  if (writer->failed != 0) {
    roll_back(writer);
    if (commits && !SDB_PLANTED(NOT_BURIED)) bury(writer);
    return false;
  }
  if (writer->floor_wanted > writer->floor) writer->floor = writer->floor_wanted;
  writer->floor_wanted = 0;
  sdb_writer_chores_committed(writer);
  return true;
}

static size_t bucket_of(uint64_t value, const uint64_t *bounds, size_t count) {
  size_t bucket = 0;
  while (bucket < count && value > bounds[bucket])
    bucket++;
  return bucket;
}

static void count_commit(sdb_writer *writer, uint64_t writes, uint64_t time_us) {
  static const uint64_t SIZES[SDB_COMMIT_SIZE_BUCKETS - 1] = {1, 4, 16, 64, 256, 1024, 4096};
  static const uint64_t TIMES_US[SDB_COMMIT_TIME_BUCKETS - 1] = {
      250, 500, 1000, 2500, 5000, 25000, 100000};
  sdb_storage_stats *stats = &writer->stats;
  pthread_mutex_lock(&writer->stats_mutex);
  stats->commits++;
  stats->writes += writes;
  stats->commit_time_us += time_us;
  stats->commit_size_buckets[bucket_of(writes, SIZES, SDB_COUNT_OF(SIZES))]++;
  stats->commit_time_buckets[bucket_of(time_us, TIMES_US, SDB_COUNT_OF(TIMES_US))]++;
  pthread_mutex_unlock(&writer->stats_mutex);
}

/* Sets what a failed transaction means for an operation. */
static void fail_op(const sdb_writer *writer, sdb_op *op) {
  if (op->kind == SDB_OP_RESERVE) {
    const sdb_op_reserve *reserved = SDB_CONTAINER_OF(op, sdb_op_reserve, op);
    if (op->status == SDB_OK && reserved->seq <= writer->floor) return;
  }
  if (op->kind == SDB_OP_USER && op->status == SDB_BUSY) return;
  if (op->kind == SDB_OP_WRITE) SDB_CONTAINER_OF(op, sdb_op_write, op)->duplicate = false;
  op->status = SDB_UNAVAILABLE;
}

/* Sends known users on to the readers and completes all others, in order. */
static void complete(sdb_writer *writer, sdb_op_list *group) {
  sdb_op_list done, known;
  sdb_op_list_init(&done);
  sdb_op_list_init(&known);
  for (sdb_op *op = group->first, *next; op; op = next) {
    next = op->next;
    bool is_known = op->kind == SDB_OP_USER && op->status == SDB_BUSY;
    sdb_op_list_add(is_known ? &known : &done, op);
  }
  sdb_op_list_init(group);
  sdb_read_queue_put(writer->reads, &known);
  if (done.count > 0) writer->options.sink.completed(writer->options.sink.context, done.first);
}

/* Carries a group out as one transaction, chores with it, and completes it. */
static void commit_group(sdb_writer *writer, sdb_op_list *group) {
  uint64_t began_us = sdb_platform_monotonic_us();
  uint32_t frozen = writer->tail->frozen;
  bool room = sdb_tail_make_room(writer->tail, (uint32_t)group->count);
  if (writer->tail->frozen > frozen) sdb_inbox_wake_indexer(writer->inbox);
  start(writer);
  for (sdb_op *op = group->first; op; op = op->next)
    op->status = SDB_UNAVAILABLE;
  if (!room) writer->failed = SQLITE_NOMEM;
  if (room) carry_out_all(writer, group);
  if (writer->failed == 0) sdb_writer_append_waiting(writer);
  bool wrote = writer->open;
  if (writer->failed == 0 && wrote) sdb_writer_forget(writer);
  size_t blocks_max = group->count ? BLOCKS_WITH_OPS : BLOCKS_ALONE;
  if (writer->failed == 0) sdb_writer_do_chores(writer, blocks_max);
  if (writer->failed == 0) persist_floor(writer);
  bool good = finish(writer);
  if (good && wrote) {
    uint64_t writes = 0;
    for (const sdb_op *op = group->first; op; op = op->next)
      writes += op->kind == SDB_OP_WRITE;
    count_commit(writer, writes, sdb_platform_monotonic_us() - began_us);
  }
  for (sdb_op *op = group->first; op && !good; op = op->next)
    fail_op(writer, op);
  complete(writer, group);
}

/* ---- the thread ---- */

static int on_wal(void *context, sqlite3 *db, const char *name, int pages) {
  (void)db;
  (void)name;
  sdb_writer *writer = context;
  writer->wal_pages = (uint32_t)pages;
  sdb_checkpointer_wal_grown(writer->checkpointer, writer->wal_pages);
  return SQLITE_OK;
}

/* Copies what is left in the WAL, and waits for readers to let go of it, so that the next commit
 * begins at its start. */
static void checkpoint(sdb_writer *writer, int patience_ms) {
  sdb_checkpointer_claim(writer->checkpointer);
  sqlite3_busy_timeout(writer->db, patience_ms);
  sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
  sqlite3_busy_timeout(writer->db, SDB_DB_BUSY_TIMEOUT_MS);
  sdb_checkpointer_release(writer->checkpointer);
}

/* The checkpointer did the most of it and asks for the rest. */
static void finish_checkpoint(sdb_writer *writer) {
  checkpoint(writer, CHECKPOINT_PATIENCE_MS);
  sdb_checkpointer_finished(writer->checkpointer);
}

/* Where commits come faster than the checkpointer copies, the WAL would grow without end: then they
 * wait for it. If a snapshot keeps the WAL, it may grow by as much again. */
static void bound_wal(sdb_writer *writer) {
  if (writer->wal_pages < writer->options.wal_pages_max)
    writer->wal_pages_max = writer->options.wal_pages_max;
  if (writer->wal_pages < writer->wal_pages_max) return;
  checkpoint(writer, CHECKPOINT_PATIENCE_MAX_MS);
  writer->wal_pages_max = writer->wal_pages + writer->options.wal_pages_max;
}

/* Whether a group may begin: not while the indexer is far behind. But the disk may be what holds it
 * up (then the group is to fail, not to wait), or it may have failed for good: then the tail grows
 * until memory ends. */
static bool may_write(const sdb_writer *writer) {
  const sdb_inbox_work *work = &writer->work;
  if (work->ops.count == 0) return false;
  return writer->tail->frozen < FROZEN_MAX || writer->last_failed || work->closing ||
         writer->held_up >= HELD_UP_MAX;
}

static sdb_inbox_wait how_to_wait(const sdb_writer *writer) {
  if (may_write(writer)) return SDB_INBOX_NO_WAIT;
  bool hurry = !writer->last_failed && !writer->starved;
  if (sdb_writer_has_chores(writer) && hurry) return SDB_INBOX_NO_WAIT;
  bool retry = writer->work.ops.count > 0 || sdb_writer_has_chores(writer);
  return retry ? SDB_INBOX_WAIT_BRIEFLY : SDB_INBOX_WAIT;
}

static void take_items(sdb_writer *writer, sdb_index_item *items) {
  sdb_index_item **end = &writer->items;
  while (*end)
    end = &(*end)->next;
  *end = items;
  if (!writer->items_next) writer->items_next = items;
}

/* As much as one transaction may hold, so that none takes long. */
static void take_group(const sdb_writer *writer, sdb_op_list *from, sdb_op_list *group) {
  size_t bytes = 0;
  while (
      from->count > 0 && group->count < writer->options.commit_ops_max && bytes < GROUP_BYTES_MAX) {
    sdb_op *op = sdb_op_list_take(from);
    if (op->kind == SDB_OP_WRITE) bytes += SDB_CONTAINER_OF(op, sdb_op_write, op)->body.size;
    sdb_op_list_add(group, op);
  }
}

bool sdb_writer_round(sdb_writer *writer) {
  sdb_inbox_work *work = &writer->work;
  sdb_inbox_take(writer->inbox, how_to_wait(writer), work);
  take_items(writer, work->items);
  if (work->finish_checkpoint) finish_checkpoint(writer);
  sdb_op_list group;
  sdb_op_list_init(&group);
  if (may_write(writer)) {
    writer->held_up = 0;
    take_group(writer, &work->ops, &group);
  } else if (work->ops.count > 0) {
    writer->held_up++;
    sdb_inbox_wake_indexer(writer->inbox);
  }
  if (group.count > 0 || sdb_writer_has_chores(writer)) commit_group(writer, &group);
  bound_wal(writer);
  return !work->closing || work->ops.count > 0;
}

void *sdb_writer_run(void *context) {
  while (sdb_writer_round(context))
    ;
  return NULL;
}

void sdb_writer_watch_wal(sdb_writer *writer) {
  sqlite3_wal_hook(writer->db, on_wal, writer);
}

void sdb_writer_settle_floor(sdb_writer *writer) {
  if (writer->floor <= writer->last) return;
  start(writer);
  writer->floor_wanted = writer->last;
  if (persist_floor(writer)) finish(writer);
}
