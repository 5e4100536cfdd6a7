/* storage/sqlite/indexer.c: the indexer's thread, flushes, and filters.
 *
 * A flush reads a frozen generation, which does not change but for marks of death. Those of
 * transactions that are still open must not be believed, they may be taken back: only deaths up
 * to the newest committed event count. Later ones are in the table `spent`, for a merge.
 */
#include "storage/sqlite/indexer.h"
#include "storage/sqlite/sort.h"

#define CACHE_KIB 2048

static const char *const SQL[SDB_INDEXER_STATEMENTS] = {
    [SDB_I_BEGIN] = "BEGIN",
    [SDB_I_COMMIT] = "COMMIT",
    [SDB_I_NEWEST] = "SELECT max(seq) FROM log",
    [SDB_I_SPENT] = "SELECT seq FROM spent WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
};

sdb_status sdb_indexer_open(sdb_indexer *indexer, sdb_error *error) {
  sdb_run_list_init(&indexer->runs, indexer->mem);
  sdb_status status =
      sdb_db_open(indexer->path, indexer->vfs, SDB_DB_READ_ONLY, CACHE_KIB, &indexer->db, error);
  if (status == SDB_OK)
    status = sdb_db_prepare(
        indexer->db, indexer->path, SQL, indexer->statements, SDB_INDEXER_STATEMENTS, error);
  if (status == SDB_OK)
    status = sdb_run_reader_open(&indexer->reader, indexer->db, indexer->path, indexer->mem, error);
  if (status != SDB_OK) return status;
  status = sdb_run_reader_list(&indexer->reader, &indexer->runs);
  if (status == SDB_OK) return SDB_OK;
  return sdb_db_failed_as(indexer->db, indexer->path, status, error);
}

void sdb_indexer_close(sdb_indexer *indexer) {
  if (!indexer->mem) return;
  sdb_run_reader_close(&indexer->reader);
  sdb_db_finalize(indexer->statements, SDB_INDEXER_STATEMENTS);
  sqlite3_close(indexer->db);
  sdb_run_list_free(&indexer->runs);
}

sdb_status sdb_indexer_newest(sdb_indexer *indexer, sdb_seq *newest) {
  sqlite3_stmt *select = indexer->statements[SDB_I_NEWEST];
  int code = sqlite3_step(select);
  if (code == SQLITE_ROW) *newest = sdb_db_column(select, 0);
  sqlite3_reset(select);
  return sdb_db_status(code);
}

/* The run that was ended last stands in the list before anything else begins. */
static sdb_status settle(sdb_indexer *indexer) {
  if (indexer->ending.id == 0) return SDB_OK;
  sdb_status status = sdb_inbox_await_ended(indexer->inbox, indexer->ended);
  if (status != SDB_OK) return status;
  sdb_run_list_put(&indexer->runs, &indexer->ending);
  indexer->ending.id = 0;
  return SDB_OK;
}

sdb_status sdb_indexer_end_run(
    sdb_indexer *indexer, sdb_builder *builder, sdb_generation *generation) {
  /* Once the run is live nothing may fail any more: the next run begins where this list ends. */
  if (builder->status == SDB_OK && !sdb_run_list_make_room(&indexer->runs))
    builder->status = SDB_NO_MEMORY;
  sdb_status status = sdb_builder_end(builder, generation);
  if (status != SDB_OK) return status;
  indexer->ended++;
  indexer->ending = builder->run;
  return settle(indexer);
}

/* ---- flushing ---- */

typedef struct flush {
  const sdb_generation *generation;
  sdb_seq built;
  uint64_t keep_from_ms; /* client ids older than this are past the window */
  sdb_sort_item *items, *scratch;
} flush;

/* Entries by user and store; they are in the order of seqs already, and the sort keeps that. */
static void flush_entries(flush *f, sdb_builder *builder) {
  const sdb_generation *from = f->generation;
  size_t count = 0;
  for (uint32_t i = 0; i < from->count; i++) {
    const sdb_tail_entry *entry = &from->entries[i];
    sdb_seq died = atomic_load_explicit(&entry->died, memory_order_relaxed);
    if (died != 0 && died <= f->built) continue;
    f->items[count++] = (sdb_sort_item){entry->user << 16 | entry->store, i};
  }
  sdb_sort_items(f->items, f->scratch, count);
  for (size_t i = 0; i < count; i++) {
    const sdb_tail_entry *entry = &from->entries[f->items[i].value];
    sdb_builder_entry(
        builder, &(sdb_index_entry){entry->user, entry->seq, entry->store, entry->removed});
  }
  sdb_builder_end_entries(builder);
}

static bool keeps_client(const flush *f, const sdb_tail_entry *entry) {
  return entry->client_hash != 0 && sdb_seq_ms(entry->seq) >= f->keep_from_ms;
}

static uint64_t count_clients(const flush *f) {
  uint64_t count = 0;
  for (uint32_t i = 0; i < f->generation->count; i++)
    count += keeps_client(f, &f->generation->entries[i]);
  return count;
}

static void flush_clients(flush *f, sdb_builder *builder) {
  const sdb_generation *from = f->generation;
  size_t count = 0;
  for (uint32_t i = 0; i < from->count; i++) {
    const sdb_tail_entry *entry = &from->entries[i];
    if (keeps_client(f, entry)) f->items[count++] = (sdb_sort_item){entry->client_hash, entry->seq};
  }
  sdb_sort_items(f->items, f->scratch, count);
  for (size_t i = 0; i < count; i++)
    sdb_builder_client(builder, &(sdb_index_client){f->items[i].key, f->items[i].value});
}

static sdb_status build_flush(sdb_indexer *indexer, sdb_generation *generation, flush *f) {
  sdb_run run = {.id = indexer->next_id++,
      .first = sdb_run_list_watermark(&indexer->runs) + 1,
      .last = generation->entries[generation->count - 1].seq,
      .built = f->built};
  f->keep_from_ms = sdb_indexer_keep_from_ms(indexer, f->built);
  sdb_builder *builder = sdb_mem_alloc(indexer->mem, sizeof(*builder));
  if (!builder) return SDB_NO_MEMORY;
  sdb_builder_begin(
      builder, indexer->mem, indexer->inbox, &run, count_clients(f), indexer->dedupe_bytes_max);
  flush_entries(f, builder);
  flush_clients(f, builder);
  sdb_status status = sdb_indexer_end_run(indexer, builder, generation);
  sdb_mem_free(indexer->mem, builder);
  return status;
}

static sdb_status flush_one(sdb_indexer *indexer, sdb_generation *generation) {
  SDB_ASSERT(generation->count > 0);
  flush f = {.generation = generation};
  size_t size = generation->count * sizeof(*f.items);
  f.items = sdb_mem_alloc(indexer->mem, size);
  f.scratch = sdb_mem_alloc(indexer->mem, size);
  sdb_status status = f.items && f.scratch ? SDB_OK : SDB_NO_MEMORY;
  if (status == SDB_OK) status = sdb_indexer_newest(indexer, &f.built);
  if (status == SDB_OK) {
    /* The mutex orders what was marked before that commit before what is read from here on. */
    sdb_generation *again = sdb_tail_to_flush(indexer->tail);
    SDB_ASSERT(again == generation);
    status = build_flush(indexer, generation, &f);
  }
  sdb_mem_free(indexer->mem, f.items);
  sdb_mem_free(indexer->mem, f.scratch);
  return status;
}

sdb_status sdb_indexer_flush_all(sdb_indexer *indexer) {
  sdb_status status = settle(indexer);
  sdb_generation *generation;
  while (status == SDB_OK && (generation = sdb_tail_to_flush(indexer->tail)))
    status = flush_one(indexer, generation);
  return status;
}

/* ---- filters for the runs that were there when the database was opened ---- */

static sdb_status fill_filter(sdb_indexer *indexer, const sdb_run *run, sdb_filter *filter) {
  for (uint64_t number = 0; number < run->client_blocks; number++) {
    sdb_pack_clients clients;
    sdb_status status = sdb_run_reader_clients(&indexer->reader, run, number, &clients);
    sdb_index_client client;
    int more = status == SDB_OK;
    while (more == 1 && (more = sdb_unpack_client(&clients, &client)) == 1)
      sdb_filter_add(filter, client.hash);
    sdb_run_reader_reset(&indexer->reader);
    if (status == SDB_OK && more < 0) status = SDB_BAD_FORMAT;
    if (status == SDB_OK) status = sdb_indexer_flush_all(indexer);
    if (status != SDB_OK && status != SDB_BUSY) return status;
  }
  return SDB_OK;
}

static sdb_status put_filter(sdb_indexer *indexer, const sdb_run *run, sdb_filter *filter) {
  sdb_index_item *item = sdb_mem_zero(indexer->mem, sizeof(*item));
  if (!item) {
    sdb_mem_free(indexer->mem, filter);
    return SDB_NO_MEMORY;
  }
  item->kind = SDB_INDEX_FILTER;
  item->run = *run;
  item->filter = filter;
  if (sdb_inbox_put_item(indexer->inbox, item)) return SDB_OK;
  sdb_index_item_free(indexer->mem, item);
  return SDB_CLOSED;
}

/* The newest runs first: until a run has its filter, each push costs a look at one of its blocks.
 * A run that is damaged or too large for the memory goes without. */
static sdb_status make_filters(sdb_indexer *indexer) {
  sdb_run_list old;
  sdb_run_list_init(&old, indexer->mem);
  sdb_status status = sdb_run_reader_list(&indexer->reader, &old);
  for (size_t i = 0; i < old.count && status != SDB_CLOSED; i++) {
    const sdb_run *run = &old.runs[i];
    if (run->clients == 0 || sdb_filter_size(run->clients) > indexer->dedupe_bytes_max) continue;
    sdb_filter *filter = sdb_filter_create(indexer->mem, run->clients);
    if (!filter) continue;
    status = fill_filter(indexer, run, filter);
    if (status == SDB_OK)
      status = put_filter(indexer, run, filter);
    else
      sdb_mem_free(indexer->mem, filter);
  }
  sdb_run_list_free(&old);
  return status;
}

/* ---- the thread ---- */

sdb_status sdb_indexer_round(sdb_indexer *indexer) {
  sdb_status status = indexer->filtered ? SDB_OK : make_filters(indexer);
  if (status == SDB_CLOSED) return status;
  indexer->filtered = true;
  status = sdb_indexer_flush_all(indexer);
  return status == SDB_OK ? sdb_indexer_merge_all(indexer, 0) : status;
}

void *sdb_indexer_run(void *context) {
  sdb_indexer *indexer = context;
  /* After an error the next frozen generation is the next occasion, and until then the tail
   * serves. */
  while (sdb_indexer_round(indexer) != SDB_CLOSED) {
    if (!sdb_inbox_await_index_work(indexer->inbox)) return NULL;
  }
  return NULL;
}
