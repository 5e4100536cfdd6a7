/* storage/sqlite/merge.c: which runs to merge, and merging them.
 *
 * A run's tier is the power of the fan-out that its entries come to, in generations. When the
 * newest runs hold FANOUT of one tier (and only smaller ones between), they all become one: so an
 * event is rewritten once a tier, and the number of runs grows with the logarithm of the log.
 *
 * A merge passes over the entries of events that are gone (`spent` names them) and the client ids
 * past the dedupe window. It may take long; so between blocks it lets the generations that wait
 * be flushed, and what they make due among the runs newer than its own be merged.
 */
#include "storage/sqlite/indexer.h"

#define TIERS_MAX 16
#define DEAD_MAX ((size_t)1 << 22) /* 32 MiB; a merge that meets more leaves some for the next */

/* One of the runs that are merged. */
typedef struct source {
  sdb_run run;
  sdb_index_entry *entries; /* its block */
  uint32_t count, at;
  uint64_t next_block;
  sdb_pack_clients clients;
  sdb_buffer client_bytes;
  sdb_index_client client;
  bool has_client;
  uint64_t next_client_block;
} source;

typedef struct merge {
  sdb_indexer *indexer;
  source *sources; /* newest first */
  size_t count;
  sdb_seq *dead; /* sorted */
  size_t dead_count, dead_capacity;
  sdb_seq built, newest;
  sdb_status status;
  sdb_builder builder;
} merge;

/* ---- choosing ---- */

static int tier_of(const sdb_indexer *indexer, const sdb_run *run) {
  uint64_t size = run->entries > run->clients ? run->entries : run->clients;
  int tier = 0;
  /* Twice the size: a merge of FANOUT runs that were not quite full is of the next tier still. */
  for (size = size * 2 / indexer->tail->capacity; size >= SDB_INDEXER_FANOUT && tier < TIERS_MAX;
       tier++)
    size /= SDB_INDEXER_FANOUT;
  return tier;
}

/* How many of the newest runs are due to be merged: 0 or at least two. */
static size_t choose(const sdb_indexer *indexer, sdb_seq newer_than) {
  for (int tier = 0; tier <= TIERS_MAX; tier++) {
    size_t length = 0, of_tier = 0;
    uint64_t blocks = 0;
    for (; length < indexer->runs.count; length++) {
      const sdb_run *run = &indexer->runs.runs[length];
      if (run->first <= newer_than || tier_of(indexer, run) > tier) break;
      of_tier += tier_of(indexer, run) == tier;
      blocks += run->blocks + run->client_blocks;
    }
    if (of_tier >= SDB_INDEXER_FANOUT && blocks < SDB_RUN_BLOCKS_MAX / 2) return length;
  }
  return 0;
}

/* ---- what is gone ---- */

static sdb_status read_dead(merge *m, sdb_seq first, sdb_seq last) {
  sqlite3_stmt *select = m->indexer->statements[SDB_I_SPENT];
  sdb_db_bind(select, 1, first);
  sdb_db_bind(select, 2, last);
  sdb_status status = SDB_OK;
  int code;
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    if (m->dead_count == DEAD_MAX) {
      m->built = 0; /* not all are accounted for: their rows must stay */
      break;
    }
    if (m->dead_count == m->dead_capacity) {
      size_t capacity = m->dead_capacity ? m->dead_capacity * 2 : 1024;
      sdb_seq *dead = sdb_mem_resize(m->indexer->mem, m->dead, capacity * sizeof(*dead));
      if (!dead) {
        status = SDB_NO_MEMORY;
        break;
      }
      m->dead = dead;
      m->dead_capacity = capacity;
    }
    m->dead[m->dead_count++] = sdb_db_column(select, 0);
  }
  sqlite3_reset(select);
  return status == SDB_OK ? sdb_db_status(code) : status;
}

/* Reads the dead and the newest event in one snapshot, so that `built` covers just these deaths.
 * Ending it must need no memory: a snapshot that is left open lets no other begin, and no WAL end.
 */
static sdb_status read_snapshot(merge *m, sdb_seq first, sdb_seq last) {
  sqlite3_stmt *const *statements = m->indexer->statements;
  int code = sdb_db_step(statements[SDB_I_BEGIN]);
  if (code != SQLITE_DONE) return sdb_db_status(code);
  sdb_status status = sdb_indexer_newest(m->indexer, &m->newest);
  m->built = m->newest;
  if (status == SDB_OK) status = read_dead(m, first, last);
  code = sdb_db_step(statements[SDB_I_COMMIT]);
  return status == SDB_OK ? sdb_db_status(code) : status;
}

static bool is_dead(const merge *m, sdb_seq seq) {
  size_t low = 0, high = m->dead_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (m->dead[middle] < seq)
      low = middle + 1;
    else
      high = middle;
  }
  return low < m->dead_count && m->dead[low] == seq;
}

/* ---- entries ---- */

/* What waits meanwhile goes first. */
static void give_way(merge *m) {
  if (m->status == SDB_OK) m->status = sdb_indexer_flush_all(m->indexer);
  if (m->status == SDB_OK) m->status = sdb_indexer_merge_all(m->indexer, m->sources[0].run.last);
}

static void load_entries(merge *m, source *from) {
  from->at = from->count = 0;
  if (from->next_block == from->run.blocks) return;
  give_way(m);
  sdb_run_reader *reader = &m->indexer->reader;
  if (m->status == SDB_OK) m->status = sdb_run_reader_block(reader, &from->run, from->next_block);
  if (m->status != SDB_OK) return;
  memcpy(from->entries, reader->entries, reader->count * sizeof(*from->entries));
  from->count = reader->count;
  from->next_block++;
}

static bool is_less(const sdb_index_entry *a, const sdb_index_entry *b) {
  if (a->user != b->user) return a->user < b->user;
  if (a->store != b->store) return a->store < b->store;
  return a->seq < b->seq;
}

static source *least_entry(merge *m) {
  source *least = NULL;
  for (size_t i = 0; i < m->count; i++) {
    source *at = &m->sources[i];
    if (at->at == at->count) continue;
    if (!least || is_less(&at->entries[at->at], &least->entries[least->at])) least = at;
  }
  return least;
}

static void merge_entries(merge *m) {
  for (size_t i = 0; i < m->count; i++)
    load_entries(m, &m->sources[i]);
  source *from;
  while (m->status == SDB_OK && (from = least_entry(m))) {
    const sdb_index_entry *entry = &from->entries[from->at++];
    if (m->dead_count == 0 || !is_dead(m, entry->seq)) sdb_builder_entry(&m->builder, entry);
    if (from->at == from->count) load_entries(m, from);
    if (m->builder.status != SDB_OK) return;
  }
  sdb_builder_end_entries(&m->builder);
}

/* ---- clients ---- */

static void load_clients(merge *m, source *from) {
  give_way(m);
  if (m->status != SDB_OK) return;
  sdb_run_reader *reader = &m->indexer->reader;
  sdb_buffer_reset(&from->client_bytes);
  m->status = sdb_run_reader_clients(reader, &from->run, from->next_client_block++, &from->clients);
  size_t size = (size_t)(from->clients.end - from->clients.at);
  if (m->status == SDB_OK && size > 0) {
    sdb_buffer_append(&from->client_bytes, from->clients.at, size);
    if (from->client_bytes.status != SDB_OK) m->status = SDB_NO_MEMORY;
  }
  sdb_run_reader_reset(reader);
  sdb_unpack_clients_start(&from->clients, sdb_buffer_slice(&from->client_bytes), from->run.first);
}

static void next_client(merge *m, source *from) {
  from->has_client = false;
  while (m->status == SDB_OK) {
    int more = sdb_unpack_client(&from->clients, &from->client);
    if (more < 0) m->status = SDB_BAD_FORMAT;
    from->has_client = more == 1;
    if (more != 0 || from->next_client_block == from->run.client_blocks) return;
    load_clients(m, from);
  }
}

static source *least_client(merge *m) {
  source *least = NULL;
  for (size_t i = 0; i < m->count; i++) {
    source *at = &m->sources[i];
    if (!at->has_client) continue;
    if (!least || at->client.hash < least->client.hash ||
        (at->client.hash == least->client.hash && at->client.seq < least->client.seq))
      least = at;
  }
  return least;
}

static void merge_clients(merge *m) {
  uint64_t keep_from_ms = sdb_indexer_keep_from_ms(m->indexer, m->newest);
  for (size_t i = 0; i < m->count; i++) {
    sdb_unpack_clients_start(&m->sources[i].clients, sdb_slice_make(NULL, 0), 0);
    next_client(m, &m->sources[i]);
  }
  source *from;
  while (m->status == SDB_OK && m->builder.status == SDB_OK && (from = least_client(m))) {
    if (sdb_seq_ms(from->client.seq) >= keep_from_ms)
      sdb_builder_client(&m->builder, &from->client);
    next_client(m, from);
  }
}

/* ---- a merge ---- */

static sdb_status open_sources(merge *m, const sdb_run *runs, size_t count) {
  const sdb_mem *mem = m->indexer->mem;
  m->sources = sdb_mem_zero(mem, count * sizeof(*m->sources));
  if (!m->sources) return SDB_NO_MEMORY;
  m->count = count;
  for (size_t i = 0; i < count; i++) {
    m->sources[i].run = runs[i];
    sdb_buffer_init(&m->sources[i].client_bytes, mem, SIZE_MAX / 2);
    m->sources[i].entries =
        sdb_mem_alloc(mem, SDB_BLOCK_ENTRIES_MAX * sizeof(*m->sources[i].entries));
    if (!m->sources[i].entries) return SDB_NO_MEMORY;
  }
  return SDB_OK;
}

static void close_merge(merge *m) {
  const sdb_mem *mem = m->indexer->mem;
  for (size_t i = 0; i < m->count; i++) {
    sdb_mem_free(mem, m->sources[i].entries);
    sdb_buffer_free(&m->sources[i].client_bytes);
  }
  sdb_mem_free(mem, m->sources);
  sdb_mem_free(mem, m->dead);
  sdb_mem_free(mem, m);
}

static sdb_status run_merge(merge *m) {
  const sdb_run *newest = &m->sources[0].run, *oldest = &m->sources[m->count - 1].run;
  uint64_t clients = 0;
  for (size_t i = 0; i < m->count; i++)
    clients += m->sources[i].run.clients;
  m->status = read_snapshot(m, oldest->first, newest->last);
  if (m->status != SDB_OK) return m->status;
  sdb_run run = {
      .id = m->indexer->next_id++, .first = oldest->first, .last = newest->last, .built = m->built};
  sdb_builder_begin(
      &m->builder, m->indexer->mem, m->indexer->inbox, &run, clients, m->indexer->dedupe_bytes_max);
  merge_entries(m);
  if (m->status == SDB_OK) merge_clients(m);
  if (m->status != SDB_OK && m->builder.status == SDB_OK) m->builder.status = m->status;
  return sdb_indexer_end_run(m->indexer, &m->builder, NULL);
}

sdb_status sdb_indexer_merge_all(sdb_indexer *indexer, sdb_seq newer_than) {
  size_t count;
  while ((count = choose(indexer, newer_than)) > 0) {
    merge *m = sdb_mem_zero(indexer->mem, sizeof(*m));
    if (!m) return SDB_NO_MEMORY;
    m->indexer = indexer;
    sdb_status status = open_sources(m, indexer->runs.runs, count);
    if (status == SDB_OK) status = run_merge(m);
    close_merge(m);
    if (status != SDB_OK) return status;
  }
  return SDB_OK;
}
