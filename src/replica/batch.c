/* replica/batch.c: what changes together: one commit, and what is told of it afterwards.
 *
 * Everything that a turn brings goes into one batch, so that heads, missing ranges and objects are
 * stored in one transaction (protocol.md section 5, 4). Slices of a batch's changes point into its
 * arena.
 */
#include "base/planted.h"
#include "replica/state.h"

#define CHANGES_MIN 16
#define ARENA_BYTES_MAX ((size_t)1 << 30)

static sdb_batch *open_batch(sdb_replica *replica) {
  if (replica->batch) return replica->batch;
  sdb_batch *batch = sdb_mem_zero(replica->mem, sizeof(*batch));
  if (!batch) return NULL;
  batch->commit.op.kind = SDB_LOCAL_COMMIT;
  batch->commit.op.owner = batch;
  sdb_arena_init(&batch->arena, replica->mem, ARENA_BYTES_MAX);
  batch->calls = replica->held;
  replica->held = NULL;
  return replica->batch = batch;
}

void sdb_batch_free(sdb_replica *replica, sdb_batch *batch) {
  SDB_ASSERT(!batch->calls);
  sdb_arena_free(&batch->arena);
  sdb_mem_free(replica->mem, batch->commit.changes);
  sdb_mem_free(replica->mem, batch);
}

static bool reserve(sdb_replica *replica, sdb_batch *batch) {
  sdb_local_commit *commit = &batch->commit;
  if (commit->count < batch->capacity) return true;
  size_t capacity = batch->capacity ? batch->capacity * 2 : CHANGES_MIN;
  size_t size = sdb_mem_product(capacity, sizeof(*commit->changes));
  sdb_local_change *changes = sdb_mem_resize(replica->mem, commit->changes, size);
  if (!changes) return false;
  commit->changes = changes;
  batch->capacity = capacity;
  return true;
}

sdb_local_change *sdb_batch_add(sdb_replica *replica, sdb_local_change_kind kind, uint16_t store) {
  sdb_batch *batch = open_batch(replica);
  if (!batch || !reserve(replica, batch)) return NULL;
  sdb_local_change *change = &batch->commit.changes[batch->commit.count++];
  memset(change, 0, sizeof(*change));
  change->kind = kind;
  change->store = store;
  if (kind != SDB_LOCAL_VIEW) batch->stores = true;
  return change;
}

bool sdb_batch_copy(sdb_replica *replica, sdb_slice text, sdb_slice *copy) {
  *copy = sdb_slice_make(NULL, 0);
  if (text.size == 0) return true;
  sdb_batch *batch = open_batch(replica);
  char *data = batch ? sdb_arena_alloc(&batch->arena, text.size) : NULL;
  if (!data) return false;
  memcpy(data, text.data, text.size);
  *copy = sdb_slice_make(data, text.size);
  return true;
}

bool sdb_batch_view(sdb_replica *replica, uint16_t store, sdb_uuid id, sdb_uuid client_id) {
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_VIEW, store);
  if (!change) return false;
  change->id = id;
  change->client_id = client_id;
  return true;
}

void sdb_batch_note_state(sdb_replica *replica, uint16_t store) {
  replica->stores[store].state_dirty = true;
}

bool sdb_batch_hold(sdb_replica *replica, sdb_replica_call *call) {
  sdb_batch *batch = open_batch(replica);
  if (!batch) return false;
  call->status = SDB_OK; /* of what it read before, it may have been another */
  sdb_call_append(&batch->calls, call);
  return true;
}

bool sdb_batch_is_full(const sdb_replica *replica) {
  const sdb_batch *batch = replica->batch;
  return batch && (batch->arena.size > SDB_REPLICA_BATCH_BYTES_MAX ||
                      batch->commit.count >= SDB_REPLICA_BATCH_CHANGES_MAX);
}

/* ---- closing ---- */

/* False: no memory. */
static bool add_state(sdb_replica *replica, uint16_t index) {
  sdb_replica_store *store = &replica->stores[index];
  sdb_slice ranges = {
      (const char *)store->missing.list, store->missing.count * sizeof(*store->missing.list)};
  if (!sdb_batch_copy(replica, ranges, &ranges)) return false;
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_STATE, index);
  if (!change) return false;
  change->state.head = store->head;
  change->state.wanted = store->wanted;
  change->state.missing_count = store->missing.count;
  change->state.missing = (const sdb_id_range *)(const void *)ranges.data;
  store->state_dirty = false;
  if (!store->keeps_removes || !store->contiguous || store->missing.count > 0) return true;
  /* Nothing older can come any more that a remembered remove would have to keep out. */
  store->keeps_removes = false;
  return sdb_batch_add(replica, SDB_LOCAL_FORGET, index) != NULL;
}

static bool add_states(sdb_replica *replica) {
  for (uint16_t i = 0; i < replica->options.stores_count; i++) {
    if (replica->stores[i].state_dirty && !add_state(replica, i)) return false;
  }
  return true;
}

void sdb_batch_close(sdb_replica *replica, uint64_t now_ms) {
  if (!replica->loaded) return;
  if (!add_states(replica)) {
    /* Events without their state would be transferred again, state without its events would lose
     * them: neither is stored. */
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
    return;
  }
  if (replica->held && !open_batch(replica)) return;
  sdb_batch *batch = replica->batch;
  if (!batch) return;
  replica->batch = NULL;
  if (batch->stores || replica->staged || replica->ops_out > 0) {
    sdb_replica_stage(replica, &batch->commit.op);
  } else {
    batch->commit.op.status = SDB_OK;
    sdb_batch_on_completed(replica, batch, now_ms);
  }
}

void sdb_replica_stage(sdb_replica *replica, sdb_local_op *op) {
  op->next = NULL;
  *replica->staged_last = op;
  replica->staged_last = &op->next;
}

/* ---- power loss ---- */

/* A commit survives the end of the process at once. That it survives power loss costs a sync of the
 * disk, which takes as long as all the rest many times over: it follows a moment later, for all
 * pushes of that moment, and holds up neither what is shown nor what is sent. */
static void sync_soon(sdb_replica *replica, uint64_t now_ms) {
  if (!replica->storage->durable || replica->sync_at_ms != UINT64_MAX) return;
  replica->sync_at_ms = now_ms + replica->options.limits.sync_delay_ms;
}

uint64_t sdb_batch_sync_ms(const sdb_replica *replica) {
  return replica->loaded && !replica->sync_out ? replica->sync_at_ms : UINT64_MAX;
}

void sdb_batch_sync(sdb_replica *replica, uint64_t now_ms) {
  if (sdb_batch_sync_ms(replica) > now_ms) return;
  replica->sync_at_ms = UINT64_MAX;
  replica->sync_out = true;
  replica->sync = (sdb_local_op){.kind = SDB_LOCAL_SYNC};
  sdb_replica_stage(replica, &replica->sync);
}

void sdb_batch_on_synced(sdb_replica *replica, uint64_t now_ms) {
  replica->sync_out = false;
  if (replica->sync.status != SDB_OK)
    sdb_replica_fail_storage(replica, replica->sync.status, now_ms);
}

/* ---- what came back ---- */

static void release_push(sdb_replica *replica, sdb_uuid client_id, uint64_t now_ms) {
  sdb_pending *pending = sdb_pending_find(replica, client_id);
  if (!pending) return;
  pending->stored = true;
  pending->kept |= replica->storage->durable;
  replica->send_due = true;
  if (!SDB_PLANTED(SYNC_FORGOTTEN)) sync_soon(replica, now_ms);
}

/* Those that were stored may be sent; those that were dropped are gone for good. */
static void note_pushes(sdb_replica *replica, const sdb_batch *batch, uint64_t now_ms) {
  for (size_t i = 0; i < batch->commit.count; i++) {
    const sdb_local_change *change = &batch->commit.changes[i];
    if (change->kind == SDB_LOCAL_PENDING_PUT)
      release_push(replica, change->pending->client_id, now_ms);
    else if (change->kind == SDB_LOCAL_PENDING_DROP)
      sdb_pending_on_dropped(replica, change->client_id);
  }
}

/* Its changes are not told: the application will list everything anew. */
static void drop_batch(sdb_replica *replica, sdb_batch *batch) {
  while (batch->calls)
    sdb_call_append(&replica->held, sdb_call_take(&batch->calls));
  sdb_batch_free(replica, batch);
}

void sdb_batch_on_completed(sdb_replica *replica, sdb_batch *batch, uint64_t now_ms) {
  sdb_status status = batch->commit.op.status;
  if (status != SDB_OK || replica->failed) {
    drop_batch(replica, batch);
    if (!replica->failed) sdb_replica_fail_storage(replica, status, now_ms);
    return;
  }
  note_pushes(replica, batch, now_ms);
  batch->next = NULL;
  *(replica->committed ? &replica->committed_last->next : &replica->committed) = batch;
  replica->committed_last = batch;
}

/* What was staged for the storage that failed is not given to it. */
static void drop_staged(sdb_replica *replica, uint64_t now_ms) {
  sdb_local_op *list = replica->staged;
  bool commit_out = replica->commit_out;
  replica->staged = NULL;
  replica->staged_last = &replica->staged;
  for (sdb_local_op *op = list; op; op = op->next) {
    op->status = SDB_IO;
    replica->ops_out++;
  }
  sdb_replica_on_completed(replica, list, now_ms);
  replica->commit_out = commit_out; /* of one that the storage has still */
}

void sdb_replica_fail_storage(sdb_replica *replica, sdb_status status, uint64_t now_ms) {
  if (replica->failed) return;
  replica->failed = true;
  if (replica->storage->durable) replica->notes_ended = true;
  replica->loaded = replica->loading = false;
  replica->storage_failed_due = true;
  replica->storage_status = status;
  replica->sync_at_ms = UINT64_MAX;
  if (replica->batch) drop_batch(replica, replica->batch);
  replica->batch = NULL;
  for (uint16_t i = 0; i < replica->options.stores_count; i++)
    replica->stores[i].state_dirty = false;
  drop_staged(replica, now_ms);
  sdb_link_drop(replica, SDB_CLOSE_GOING_AWAY, "the local storage failed", now_ms);
}
