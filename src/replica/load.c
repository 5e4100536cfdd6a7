/* replica/load.c: beginning with a local storage: what it holds is taken over, and what it does not
 * hold of the unsynced pushes is put into it.
 *
 * This happens at the start, and again when a storage failed and another takes its place. What it
 * says of heads and ranges counts, since those are of its objects; unsynced pushes are kept from
 * wherever they are.
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

#define LOAD_BYTES_MAX ((size_t)1 << 30)

void sdb_replica_attach(sdb_replica *replica, const sdb_local_port *storage, uint64_t now_ms) {
  SDB_ASSERT(storage->version == 1);
  SDB_ASSERT(replica->ops_out == 0);
  if (replica->loaded) { /* what is not stored yet is loaded anew, from the server */
    sdb_replica_fail_storage(replica, SDB_CLOSED, now_ms);
    replica->storage_failed_due = false;
  }
  SDB_ASSERT(!replica->staged && !replica->loaded);
  replica->storage = storage;
  replica->failed = false;
  sdb_local_load *load = sdb_mem_zero(replica->mem, sizeof(*load));
  if (!load) {
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
    return;
  }
  load->op.kind = SDB_LOCAL_LOAD;
  sdb_buffer_init(&load->memory, replica->mem, LOAD_BYTES_MAX);
  replica->loading = true;
  sdb_replica_stage(replica, &load->op);
}

/* ---- stores ---- */

static bool take_ranges(sdb_replica *replica, sdb_ranges *ranges, const sdb_local_state *state) {
  ranges->count = 0;
  for (uint32_t i = SDB_PLANTED(FORGET_MISSING) ? 0 : state->missing_count; i > 0; i--) {
    if (!sdb_ranges_add(ranges, replica->mem, state->missing[i - 1], replica->ranges_max))
      return false;
  }
  return true;
}

static bool take_states(sdb_replica *replica, const sdb_local_load *load) {
  for (uint16_t i = 0; i < replica->options.stores_count; i++) {
    sdb_replica_store *store = &replica->stores[i];
    const sdb_local_state *state = &load->states[i];
    if (!take_ranges(replica, &store->missing, state)) return false;
    store->head = state->head;
    store->wanted = state->wanted;
    store->keeps_removes = !store->singular;
    store->reset_due = replica->loaded_before;
  }
  replica->database = load->database;
  return true;
}

/* ---- unsynced pushes ---- */

static bool is_known_store(const sdb_replica *replica, const sdb_local_pending *pending) {
  return pending->store < replica->options.stores_count &&
         !replica->stores[pending->store].singular;
}

/* What stood in a file is not trusted: a push that is none would end every connection. It stays in
 * the file, for somebody to look at. */
static bool is_whole(sdb_replica *replica, const sdb_local_pending *kept) {
  if (sdb_uuid_is_nil(kept->client_id) || !sdb_local_pending_fits(kept)) return false;
  return kept->action == SDB_ACTION_DELETE || sdb_replica_is_object(replica, kept->object);
}

/* A push that was kept: the server may have it. NULL: no memory. */
static sdb_pending *revive(sdb_replica *replica, const sdb_local_pending *kept) {
  sdb_pending *pending = sdb_pending_new(replica, kept->client_id, kept->object);
  if (!pending) return NULL;
  pending->store = kept->store;
  pending->action = (uint8_t)kept->action;
  pending->depends = kept->depends;
  pending->created_ms = kept->created_ms;
  pending->sent_ever = pending->kept = true;
  if (kept->failed == SDB_OK) return pending;
  sdb_error error = {.status = kept->failed};
  sdb_text_copy(error.message, sizeof(error.message), kept->message);
  sdb_text_copy(error.path, sizeof(error.path), kept->path);
  pending->state = SDB_PENDING_REFUSED;
  sdb_pending_set_error(replica, pending, &error);
  return pending;
}

sdb_status sdb_replica_adopt(sdb_replica *replica, const sdb_local_pending *kept) {
  if (!is_known_store(replica, kept) || sdb_pending_find(replica, kept->client_id)) return SDB_OK;
  if (!is_whole(replica, kept)) return SDB_OK;
  sdb_pending *pending = revive(replica, kept);
  if (!pending) return SDB_NO_MEMORY;
  replica->notes_ended = true;
  sdb_pending_insert(replica, pending, kept->id);
  return SDB_OK;
}

/* One that ended while another storage was in use must not come back. False: no memory. */
static bool take_kept(sdb_replica *replica, const sdb_local_pending *kept) {
  if (!is_known_store(replica, kept) || sdb_pending_find(replica, kept->client_id)) return true;
  if (sdb_table_find(&replica->ended, kept->client_id)) return true; /* drop_ended */
  if (!is_whole(replica, kept)) return true;
  sdb_pending *pending = revive(replica, kept);
  if (!pending) return false;
  pending->stored = true;
  pending->position = kept->position;
  sdb_pending_insert(replica, pending, kept->id);
  return true;
}

/* False: no memory. */
static bool drop_ended(sdb_replica *replica) {
  for (uint32_t i = 0; i < replica->ended.buckets_count; i++) {
    for (const sdb_entry *entry = replica->ended.buckets[i]; entry; entry = entry->next) {
      sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_PENDING_DROP, 0);
      if (!change) return false;
      change->client_id = entry->key;
    }
  }
  return true;
}

/* Those of the storage come first; those in memory follow, in their order, and are put into it. */
static bool take_pushes(sdb_replica *replica, const sdb_local_load *load) {
  sdb_pending *mine = replica->first;
  bool done = drop_ended(replica);
  replica->first = replica->last = NULL;
  for (size_t i = 0; done && i < load->pending_count; i++)
    done = take_kept(replica, &load->pending[i]);
  while (mine) { /* all of them, whatever fails */
    sdb_pending *next = mine->next;
    sdb_pending_link(replica, mine, replica->position + 1);
    mine->stored = false;
    if (!sdb_pending_store(replica, mine)) done = false;
    mine = next;
  }
  return done;
}

/* Changes whose create was lost (a damaged file gave only some of its pushes) can never be sent:
 * the user is told of them. */
static bool fail_orphans(sdb_replica *replica) {
  sdb_error error;
  sdb_error_set(&error, SDB_NOT_FOUND, "the object that it changes was lost", NULL, NULL);
  sdb_pending *pending = replica->dependents_count > 0 ? replica->first : NULL;
  for (; pending; pending = pending->next) {
    if (sdb_uuid_is_nil(pending->depends) || sdb_pending_find(replica, pending->depends)) continue;
    sdb_pending_set_error(replica, pending, &error);
    sdb_pending_set_state(replica, pending, SDB_PENDING_REFUSED);
    if (!sdb_pending_store(replica, pending)) return false;
  }
  return true;
}

void sdb_load_on_completed(sdb_replica *replica, sdb_local_load *load, uint64_t now_ms) {
  sdb_status status = load->op.status;
  replica->loading = false;
  if (status == SDB_OK) {
    bool taken = take_states(replica, load);
    if (!take_pushes(replica, load) || !taken || !fail_orphans(replica)) status = SDB_NO_MEMORY;
  }
  sdb_buffer_free(&load->memory);
  sdb_mem_free(replica->mem, load);
  if (status != SDB_OK) {
    sdb_replica_fail_storage(replica, status, now_ms);
    return;
  }
  replica->loaded = replica->loaded_before = true;
  replica->send_due = replica->status_due = true;
  sdb_link_advance(replica, now_ms);
  sdb_replica_run_waiting(replica, now_ms);
}
