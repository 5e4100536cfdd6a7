/* storage/sqlite/sqlite_storage.c: opening and closing, and the port.
 *
 * Opening: the lock, the writer's connection and the format, the stores, the runs, the tail (read
 * from the log above the runs' watermark), then the other connections and the threads. Closing
 * goes the other way, once every operation that was submitted is completed.
 */
#include "storage/sqlite/sqlite_storage.h"
#include "base/error.h"
#include "base/planted.h"
#include "storage/sqlite/checkpointer.h"
#include "storage/sqlite/format.h"
#include "storage/sqlite/indexer.h"
#include "storage/sqlite/lock.h"
#include "storage/sqlite/reader.h"
#include "storage/sqlite/writer.h"
#include <stdio.h>

#define WRITER_CACHE_KIB 16384
#define WAL_MAX_TIMES 8 /* as many pages as start a checkpoint: then commits wait for one */
#define PERIOD_MAX_MS ((uint64_t)1 << 47) /* so that sums with the clock do not overflow */

struct sdb_sqlite {
  const sdb_mem *mem;
  const sdb_system *system;
  char *path;
  sdb_storage_sink sink; /* the owner's */
  sdb_storage_port port;
  int lock; /* -1: not taken */
  sqlite3 *db;
  sdb_store_map stores;
  sdb_tail tail;
  sdb_inbox inbox;
  struct sdb_read_queue reads;
  sdb_writer writer;
  sdb_indexer indexer;
  sdb_checkpointer checkpointer;
  sdb_reader *readers;
  uint32_t readers_count;
  /* threads */
  pthread_t writer_thread, indexer_thread, checkpointer_thread;
  pthread_t *reader_threads;
  bool by_hand; /* there are none */
  bool writer_runs, indexer_runs, checkpointer_runs;
  uint32_t readers_run;
  /* what was submitted and is not completed */
  pthread_mutex_t mutex;
  pthread_cond_t idle;
  size_t outstanding;
  bool made; /* mutex and idle */
};

void sdb_sqlite_options_init(sdb_sqlite_options *options) {
  memset(options, 0, sizeof(*options));
  options->durability = SDB_SQLITE_FULL;
  options->readers = 2;
  options->system = &SDB_SYSTEM;
  options->remember_removes_ms = SDB_REMEMBER_REMOVES_MS_DEFAULT;
  options->dedupe_window_ms = SDB_DEDUPE_WINDOW_MS_DEFAULT;
  options->dedupe_bytes_max = (size_t)64 << 20;
  options->generation_entries = 131072;
  options->commit_ops_max = 4096;
  options->wal_pages_checkpoint = 4096;
}

/* ---- the port ---- */

static bool is_read(const sdb_op *op) {
  return op->kind == SDB_OP_USER || op->kind == SDB_OP_PAGE || op->kind == SDB_OP_OBJECT;
}

static void submit(void *self, sdb_op *list) {
  sdb_sqlite *storage = self;
  sdb_op_list reads, writes;
  sdb_op_list_init(&reads);
  sdb_op_list_init(&writes);
  for (sdb_op *op = list, *next; op; op = next) {
    next = op->next;
    sdb_op_list_add(is_read(op) ? &reads : &writes, op);
  }
  pthread_mutex_lock(&storage->mutex);
  storage->outstanding += reads.count + writes.count;
  pthread_mutex_unlock(&storage->mutex);
  if (writes.count > 0) sdb_inbox_submit(&storage->inbox, &writes);
  sdb_read_queue_put(&storage->reads, &reads);
}

/* Completions pass through here, so that closing knows when the last one is out. */
static void completed(void *context, sdb_op *list) {
  sdb_sqlite *storage = context;
  size_t count = 0;
  for (const sdb_op *op = list; op; op = op->next)
    count++;
  storage->sink.completed(storage->sink.context, list);
  pthread_mutex_lock(&storage->mutex);
  SDB_ASSERT(storage->outstanding >= count);
  storage->outstanding -= count;
  if (storage->outstanding == 0) pthread_cond_signal(&storage->idle);
  pthread_mutex_unlock(&storage->mutex);
}

static void get_stats(void *self, sdb_storage_stats *stats) {
  sdb_sqlite *storage = self;
  pthread_mutex_lock(&storage->writer.stats_mutex);
  *stats = storage->writer.stats;
  pthread_mutex_unlock(&storage->writer.stats_mutex);
  for (uint32_t i = 0; i < storage->readers_count; i++) {
    sdb_reader *reader = &storage->readers[i];
    stats->pages_read += atomic_load_explicit(&reader->pages_read, memory_order_relaxed);
    stats->events_read += atomic_load_explicit(&reader->events_read, memory_order_relaxed);
  }
}

const sdb_storage_port *sdb_sqlite_port(sdb_sqlite *storage) {
  return &storage->port;
}

void sdb_sqlite_last_error(sdb_sqlite *storage, sdb_error *error) {
  pthread_mutex_lock(&storage->writer.stats_mutex);
  *error = storage->writer.last_error;
  pthread_mutex_unlock(&storage->writer.stats_mutex);
}

/* ---- opening ---- */

static sdb_status set_pragmas(
    sdb_sqlite *storage, const sdb_sqlite_options *options, sdb_error *error) {
  char sql[256];
  bool normal = options->durability == SDB_SQLITE_NORMAL || SDB_PLANTED(LOG_BEFORE_SYNC);
  snprintf(sql, sizeof(sql),
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA secure_delete=%s;"
      " PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY",
      normal ? "NORMAL" : "FULL", options->secure_delete ? "ON" : "OFF");
  return sdb_db_run(storage->db, storage->path, sql, error);
}

/* A process that was killed may have written a transaction and not synced it. Readers see it now,
 * so no power failure may take it back any more. */
static sdb_status keep_what_is_found(
    sdb_sqlite *storage, const sdb_sqlite_options *options, sdb_error *error) {
  if (options->durability != SDB_SQLITE_FULL || SDB_PLANTED(FOUND_NOT_SYNCED)) return SDB_OK;
  int code = sdb_db_sync_wal(storage->db);
  if (code == SQLITE_OK) return SDB_OK;
  return sdb_error_set(
      error, sdb_db_status(code), storage->path, ": cannot be synced: ", sqlite3_errstr(code));
}

static sdb_status open_database(sdb_sqlite *storage, const sdb_sqlite_options *options,
    sdb_format_meta *meta, sdb_error *error) {
  const char *path = storage->path;
  sdb_status status = sdb_lock_take(storage->system, storage->mem, path,
      ": another server has this database open", &storage->lock, error);
  if (status == SDB_OK)
    status = sdb_db_open(
        path, storage->system->vfs, SDB_DB_CREATE, WRITER_CACHE_KIB, &storage->db, error);
  if (status == SDB_OK) status = sdb_format_prepare(storage->system, storage->db, path, error);
  if (status == SDB_OK) status = set_pragmas(storage, options, error);
  if (status == SDB_OK) status = sdb_format_read_meta(storage->db, path, meta, error);
  if (status == SDB_OK)
    status = sdb_store_map_load(
        &storage->stores, storage->db, path, options->stores, options->stores_count, error);
  if (status == SDB_OK) status = keep_what_is_found(storage, options, error);
  /* What a crash left half-built is dead. */
  if (status == SDB_OK)
    status = sdb_db_run(storage->db, path, "UPDATE run SET state = 3 WHERE state = 1", error);
  return status;
}

/* The next event of the log and of `spent`, which are read side by side in the order of seqs. */
static sdb_status restore_tail(sdb_sqlite *storage, sdb_seq watermark, sdb_error *error) {
  static const char SQL[] =
      "SELECT seq, user, store, client, body IS NULL, 0 FROM log WHERE seq > ?1"
      " UNION ALL SELECT seq, user, store, client, 0, died FROM spent"
      " WHERE seq > ?1 AND client IS NOT NULL ORDER BY seq";
  sqlite3_stmt *select;
  if (sqlite3_prepare_v2(storage->db, SQL, -1, &select, NULL) != SQLITE_OK)
    return sdb_db_failed(storage->db, storage->path, error);
  sdb_db_bind(select, 1, watermark);
  sdb_writer *writer = &storage->writer;
  int code;
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    sdb_seq seq = sdb_db_column(select, 0), died = sdb_db_column(select, 5);
    uint64_t user = sdb_db_column(select, 1);
    sdb_uuid client_id = sdb_db_column_uuid(select, 3);
    uint64_t hash = 0;
    if (!sdb_uuid_is_nil(client_id)) hash = sdb_hash_client(writer->hash_key, user, client_id);
    if (!sdb_tail_make_room(&storage->tail, 1)) break;
    sdb_tail_append(&storage->tail, seq, user, (uint16_t)sdb_db_column(select, 2),
        sqlite3_column_int(select, 4) != 0, hash, died);
    if (seq > writer->last) writer->last = seq;
  }
  sdb_status status = SDB_OK;
  if (code == SQLITE_ROW)
    status = sdb_db_failed(NULL, storage->path, error);
  else if (code != SQLITE_DONE)
    status = sdb_db_failed(storage->db, storage->path, error);
  sqlite3_finalize(select);
  return status;
}

static sdb_status open_writer(sdb_sqlite *storage, const sdb_sqlite_options *options,
    const sdb_format_meta *meta, sdb_error *error) {
  sdb_writer *writer = &storage->writer;
  sdb_writer_options writer_options = {storage->mem, storage->path, {storage, completed},
      options->remember_removes_ms, options->dedupe_window_ms, options->dedupe_bytes_max,
      options->commit_ops_max, options->wal_pages_checkpoint};
  writer_options.wal_pages_max = writer_options.wal_pages_max < UINT32_MAX / WAL_MAX_TIMES
                                     ? writer_options.wal_pages_max * WAL_MAX_TIMES
                                     : UINT32_MAX;
  if (writer_options.remember_removes_ms > PERIOD_MAX_MS)
    writer_options.remember_removes_ms = PERIOD_MAX_MS;
  if (writer_options.dedupe_window_ms > PERIOD_MAX_MS)
    writer_options.dedupe_window_ms = PERIOD_MAX_MS;
  if (writer_options.commit_ops_max > options->generation_entries)
    writer_options.commit_ops_max = options->generation_entries;
  sdb_status status = sdb_writer_open(writer, &writer_options, storage->db, error);
  if (status != SDB_OK) return status;
  writer->stores = &storage->stores;
  writer->tail = &storage->tail;
  writer->inbox = &storage->inbox;
  writer->reads = &storage->reads;
  writer->checkpointer = &storage->checkpointer;
  writer->hash_key = meta->hash_key;
  writer->floor = writer->last = meta->seq_floor;
  if (sdb_writer_plan_forget(writer)) return SDB_OK;
  return sdb_db_failed(storage->db, storage->path, error);
}

/* Reads what the index knows: the runs, and the log's tail above them. */
static sdb_status restore_index(sdb_sqlite *storage, sdb_error *error) {
  sdb_writer *writer = &storage->writer;
  sdb_run_list runs;
  sdb_run_list_init(&runs, storage->mem);
  sdb_status status = sdb_run_reader_list(&writer->runs, &runs);
  if (status != SDB_OK) status = sdb_db_failed_as(storage->db, storage->path, status, error);
  for (size_t i = runs.count; i-- > 0 && status == SDB_OK;) {
    if (!sdb_dedupe_make_room(&writer->dedupe))
      status = sdb_db_failed(NULL, storage->path, error);
    else
      sdb_dedupe_put(&writer->dedupe, &runs.runs[i], NULL);
  }
  sdb_seq watermark = sdb_run_list_watermark(&runs);
  sdb_run_list_free(&runs);
  if (watermark > writer->last) writer->last = watermark;
  return status == SDB_OK ? restore_tail(storage, watermark, error) : status;
}

static sdb_status open_indexer(
    sdb_sqlite *storage, const sdb_sqlite_options *options, sdb_error *error) {
  int64_t id = 0;
  sdb_status status =
      sdb_db_integer(storage->db, storage->path, "SELECT ifnull(max(id), 0) FROM run", &id, error);
  if (status != SDB_OK) return status;
  sdb_indexer *indexer = &storage->indexer;
  indexer->mem = storage->mem;
  indexer->path = storage->path;
  indexer->vfs = storage->system->vfs;
  indexer->tail = &storage->tail;
  indexer->inbox = &storage->inbox;
  indexer->next_id = (uint64_t)id + 1;
  indexer->dedupe_window_ms = storage->writer.options.dedupe_window_ms;
  indexer->dedupe_bytes_max = options->dedupe_bytes_max;
  return sdb_indexer_open(indexer, error);
}

static sdb_status open_readers(
    sdb_sqlite *storage, const sdb_sqlite_options *options, sdb_error *error) {
  uint32_t count = options->readers;
  SDB_ASSERT(count > 0 && count <= SDB_TAIL_READERS_MAX);
  storage->readers = sdb_mem_zero(storage->mem, count * sizeof(*storage->readers));
  storage->reader_threads = sdb_mem_zero(storage->mem, count * sizeof(*storage->reader_threads));
  if (!storage->readers || !storage->reader_threads)
    return sdb_db_failed(NULL, storage->path, error);
  storage->readers_count = count;
  for (uint32_t i = 0; i < count; i++) {
    sdb_reader *reader = &storage->readers[i];
    reader->mem = storage->mem;
    reader->path = storage->path;
    reader->vfs = storage->system->vfs;
    reader->sink = (sdb_storage_sink){storage, completed};
    reader->stores = &storage->stores;
    reader->tail = &storage->tail;
    reader->number = i;
    reader->queue = &storage->reads;
    reader->inbox = &storage->inbox;
    sdb_status status = sdb_reader_open(reader, error);
    if (status != SDB_OK) return status;
  }
  return SDB_OK;
}

static sdb_status open_queues(sdb_sqlite *storage, const sdb_sqlite_options *options) {
  if (pthread_mutex_init(&storage->mutex, NULL) != 0) return SDB_NO_MEMORY;
  if (pthread_cond_init(&storage->idle, NULL) != 0) {
    pthread_mutex_destroy(&storage->mutex);
    return SDB_NO_MEMORY;
  }
  storage->made = true;
  sdb_status status = sdb_tail_init(&storage->tail, storage->mem, options->generation_entries);
  if (status == SDB_OK) status = sdb_inbox_init(&storage->inbox, storage->mem, !options->by_hand);
  if (status == SDB_OK)
    status = sdb_read_queue_init(&storage->reads, storage->mem, !options->by_hand);
  return status;
}

/* A thread with a name that `top -H` and debuggers show. */
static bool start_thread(pthread_t *thread, const char *name, void *(*run)(void *), void *context) {
  if (pthread_create(thread, NULL, run, context) != 0) return false;
  pthread_setname_np(*thread, name);
  return true;
}

static sdb_status start_threads(sdb_sqlite *storage, sdb_error *error) {
  storage->writer_runs =
      start_thread(&storage->writer_thread, "sdb-writer", sdb_writer_run, &storage->writer);
  storage->indexer_runs =
      start_thread(&storage->indexer_thread, "sdb-indexer", sdb_indexer_run, &storage->indexer);
  storage->checkpointer_runs = start_thread(&storage->checkpointer_thread, "sdb-checkpoint",
      sdb_checkpointer_run, &storage->checkpointer);
  while (storage->readers_run < storage->readers_count) {
    uint32_t next = storage->readers_run;
    if (!start_thread(
            &storage->reader_threads[next], "sdb-reader", sdb_reader_run, &storage->readers[next]))
      break;
    storage->readers_run++;
  }
  bool good = storage->writer_runs && storage->indexer_runs && storage->checkpointer_runs &&
              storage->readers_run == storage->readers_count;
  if (good) return SDB_OK;
  return sdb_error_set(error, SDB_IO, storage->path, ": a thread cannot be started", NULL);
}

static sdb_status open_all(
    sdb_sqlite *storage, const sdb_sqlite_options *options, sdb_error *error) {
  sdb_format_meta meta;
  if (open_queues(storage, options) != SDB_OK) return sdb_db_failed(NULL, options->path, error);
  sdb_status status = open_database(storage, options, &meta, error);
  if (status == SDB_OK) status = open_writer(storage, options, &meta, error);
  if (status == SDB_OK) status = restore_index(storage, error);
  if (status == SDB_OK) status = open_indexer(storage, options, error);
  if (status == SDB_OK) {
    storage->checkpointer.path = storage->path;
    storage->checkpointer.vfs = storage->system->vfs;
    storage->checkpointer.inbox = &storage->inbox;
    storage->checkpointer.pages_start = options->wal_pages_checkpoint;
    status = sdb_checkpointer_open(&storage->checkpointer, error);
  }
  if (status == SDB_OK) status = open_readers(storage, options, error);
  if (status != SDB_OK) return status;
  storage->port = (sdb_storage_port){1, storage, meta.database, meta.epoch, submit, get_stats};
  sdb_writer_watch_wal(&storage->writer);
  storage->by_hand = options->by_hand;
  return storage->by_hand ? SDB_OK : start_threads(storage, error);
}

sdb_status sdb_sqlite_open(
    const sdb_sqlite_options *options, sdb_sqlite **storage, sdb_error *error) {
  SDB_ASSERT(options->path && options->mem && options->generation_entries > 0);
  sdb_sqlite *made = sdb_mem_zero(options->mem, sizeof(*made));
  size_t path_size = strlen(options->path) + 1;
  char *path = sdb_mem_alloc(options->mem, path_size);
  if (!made || !path) {
    sdb_mem_free(options->mem, made);
    sdb_mem_free(options->mem, path);
    return sdb_db_failed(NULL, options->path, error);
  }
  memcpy(path, options->path, path_size);
  made->mem = options->mem;
  made->system = options->system;
  made->path = path;
  made->sink = options->sink;
  made->lock = -1;
  sdb_status status = open_all(made, options, error);
  if (status != SDB_OK) {
    sdb_sqlite_close(made);
    return status;
  }
  *storage = made;
  return SDB_OK;
}

/* ---- by hand ---- */

static bool has_outstanding(sdb_sqlite *storage) {
  pthread_mutex_lock(&storage->mutex);
  bool has = storage->outstanding > 0;
  pthread_mutex_unlock(&storage->mutex);
  return has;
}

/* One turn of each, in a fixed order; a reader more or less makes no difference. */
static void take_turns(sdb_sqlite *storage) {
  while (sdb_reader_round(&storage->readers[0]))
    ;
  sdb_writer_round(&storage->writer);
  sdb_indexer_round(&storage->indexer);
  sdb_checkpointer_round(&storage->checkpointer);
}

/* Whether a turn of the writer would bring the index or the WAL further. */
static bool has_chores(sdb_sqlite *storage) {
  if (storage->writer.last_failed || storage->writer.starved) return false;
  return sdb_inbox_has_work(&storage->inbox) || sdb_writer_has_chores(&storage->writer);
}

void sdb_sqlite_run(sdb_sqlite *storage) {
  SDB_ASSERT(storage->by_hand);
  do
    take_turns(storage);
  while (has_outstanding(storage));
  while (has_chores(storage))
    take_turns(storage);
}

/* ---- closing ---- */

static void finish_by_hand(sdb_sqlite *storage) {
  while (has_outstanding(storage))
    sdb_sqlite_run(storage);
}

static void stop_threads(sdb_sqlite *storage) {
  pthread_mutex_lock(&storage->mutex);
  while (storage->outstanding > 0)
    pthread_cond_wait(&storage->idle, &storage->mutex);
  pthread_mutex_unlock(&storage->mutex);
  if (storage->readers_run > 0) sdb_read_queue_close(&storage->reads);
  for (uint32_t i = 0; i < storage->readers_run; i++)
    pthread_join(storage->reader_threads[i], NULL);
  if (storage->writer_runs) {
    sdb_inbox_close(&storage->inbox);
    pthread_join(storage->writer_thread, NULL);
  }
  if (storage->indexer_runs) {
    sdb_inbox_stop_indexer(&storage->inbox);
    pthread_join(storage->indexer_thread, NULL);
  }
  if (storage->checkpointer_runs) {
    sdb_checkpointer_stop(&storage->checkpointer);
    pthread_join(storage->checkpointer_thread, NULL);
  }
}

void sdb_sqlite_close(sdb_sqlite *storage) {
  if (!storage) return;
  const sdb_mem *mem = storage->mem;
  if (storage->by_hand)
    finish_by_hand(storage);
  else if (storage->made)
    stop_threads(storage);
  if (storage->writer_runs || storage->by_hand) sdb_writer_settle_floor(&storage->writer);
  for (uint32_t i = 0; i < storage->readers_count; i++)
    sdb_reader_close(&storage->readers[i]);
  sdb_mem_free(mem, storage->readers);
  sdb_mem_free(mem, storage->reader_threads);
  sdb_checkpointer_close(&storage->checkpointer);
  sdb_indexer_close(&storage->indexer);
  sdb_writer_close(&storage->writer);
  sqlite3_close(storage->db);
  sdb_read_queue_free(&storage->reads);
  sdb_inbox_free(&storage->inbox);
  sdb_tail_free(&storage->tail);
  if (storage->made) {
    pthread_cond_destroy(&storage->idle);
    pthread_mutex_destroy(&storage->mutex);
  }
  if (storage->lock >= 0) storage->system->close(storage->system->self, storage->lock);
  sdb_mem_free(mem, storage->path);
  sdb_mem_free(mem, storage);
}
