/* replica/pending.c: the pushes of this device that were not seen back as events, in their order.
 *
 * Each stands in the list, by its client id in a table, and, once its object has an id, by that in
 * another. One that goes to an event store is in the local storage too, and so outlives the
 * process; one of a singular store is in memory only (protocol.md section 5, 7).
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

static sdb_pending *of_client(sdb_entry *entry) {
  return entry ? SDB_CONTAINER_OF(entry, sdb_pending, by_client) : NULL;
}

static sdb_pending *of_object(sdb_entry *entry) {
  return entry ? SDB_CONTAINER_OF(entry, sdb_pending, by_object) : NULL;
}

sdb_pending *sdb_pending_find(const sdb_replica *replica, sdb_uuid client_id) {
  return of_client(sdb_table_find(&replica->pending_by_client, client_id));
}

bool sdb_pending_is_failed(const sdb_pending *pending) {
  return pending->state == SDB_PENDING_TIMED_OUT || pending->state == SDB_PENDING_REFUSED;
}

const sdb_error *sdb_pending_failure(const sdb_pending *pending) {
  static const sdb_error LATE = {
      .status = SDB_UNAVAILABLE, .message = "the server did not answer in time"};
  static const sdb_error REFUSED = {.status = SDB_REJECTED, .message = "refused by the server"};
  if (!sdb_pending_is_failed(pending)) return NULL;
  if (pending->error) return pending->error;
  return pending->state == SDB_PENDING_REFUSED ? &REFUSED : &LATE; /* there was no memory for it */
}

bool sdb_pending_is_create(const sdb_replica *replica, const sdb_pending *pending) {
  return pending->action == SDB_ACTION_CREATE && !replica->stores[pending->store].singular;
}

/* ---- coming and going ---- */

sdb_pending *sdb_pending_new(sdb_replica *replica, sdb_uuid client_id, sdb_slice object) {
  sdb_pending *pending = sdb_mem_alloc(replica->mem, sizeof(*pending) + object.size);
  if (!pending) return NULL;
  memset(pending, 0, sizeof(*pending));
  pending->by_client.key = client_id;
  pending->state = SDB_PENDING_WAITING;
  pending->time_left_ms = replica->options.limits.push_timeout_ms;
  pending->size = object.size;
  if (object.size > 0) memcpy(pending->object, object.data, object.size);
  return pending;
}

void sdb_pending_link(sdb_replica *replica, sdb_pending *pending, uint64_t position) {
  if (position > replica->position) replica->position = position;
  pending->position = position;
  pending->next = NULL;
  pending->previous = replica->last;
  *(replica->last ? &replica->last->next : &replica->first) = pending;
  replica->last = pending;
}

void sdb_pending_insert(sdb_replica *replica, sdb_pending *pending, sdb_uuid id) {
  uint64_t position = pending->position ? pending->position : replica->position + 1;
  sdb_pending_link(replica, pending, position);
  sdb_table_insert(&replica->pending_by_client, &pending->by_client);
  sdb_pending_set_id(replica, pending, id);
  replica->stores[pending->store].pending_count++;
  replica->pending_count++;
  replica->dependents_count += !sdb_uuid_is_nil(pending->depends);
  replica->failed_count += sdb_pending_is_failed(pending);
  replica->pending_bytes += pending->size;
  replica->status_due = true;
}

void sdb_pending_set_id(sdb_replica *replica, sdb_pending *pending, sdb_uuid id) {
  if (sdb_uuid_is_nil(id)) return;
  SDB_ASSERT(sdb_uuid_is_nil(pending->by_object.key));
  pending->by_object.key = id;
  sdb_table_insert(&replica->pending_by_object, &pending->by_object);
}

void sdb_pending_replace(sdb_replica *replica, sdb_pending *old, sdb_pending *made) {
  made->position = old->position;
  made->previous = old->previous;
  made->next = old->next;
  *(made->previous ? &made->previous->next : &replica->first) = made;
  *(made->next ? &made->next->previous : &replica->last) = made;
  sdb_table_remove(&replica->pending_by_client, &old->by_client);
  sdb_table_insert(&replica->pending_by_client, &made->by_client);
  SDB_ASSERT(!old->in_flight && sdb_uuid_is_nil(old->by_object.key));
  replica->failed_count -= sdb_pending_is_failed(old);
  replica->pending_bytes += made->size;
  replica->pending_bytes -= old->size;
  replica->status_due = replica->send_due = true;
  sdb_mem_free(replica->mem, old->error);
  sdb_mem_free(replica->mem, old);
}

void sdb_pending_free(sdb_replica *replica, sdb_pending *pending) {
  sdb_send_landed(replica, pending);
  *(pending->previous ? &pending->previous->next : &replica->first) = pending->next;
  *(pending->next ? &pending->next->previous : &replica->last) = pending->previous;
  sdb_table_remove(&replica->pending_by_client, &pending->by_client);
  if (!sdb_uuid_is_nil(pending->by_object.key))
    sdb_table_remove(&replica->pending_by_object, &pending->by_object);
  replica->stores[pending->store].pending_count--;
  replica->pending_count--;
  replica->dependents_count -= !sdb_uuid_is_nil(pending->depends);
  replica->failed_count -= sdb_pending_is_failed(pending);
  replica->pending_bytes -= pending->size;
  replica->status_due = replica->send_due = true;
  sdb_mem_free(replica->mem, pending->error);
  sdb_mem_free(replica->mem, pending);
}

void sdb_pending_set_state(sdb_replica *replica, sdb_pending *pending, sdb_pending_state state) {
  replica->failed_count -= sdb_pending_is_failed(pending);
  pending->state = (uint8_t)state;
  replica->failed_count += sdb_pending_is_failed(pending);
  replica->status_due = true;
}

void sdb_pending_set_error(sdb_replica *replica, sdb_pending *pending, const sdb_error *error) {
  if (!error) {
    sdb_mem_free(replica->mem, pending->error);
    pending->error = NULL;
    return;
  }
  if (!pending->error) pending->error = sdb_mem_alloc(replica->mem, sizeof(*error));
  if (pending->error) *pending->error = *error;
}

/* ---- in the local storage ---- */

static bool fill_change(sdb_replica *replica, const sdb_pending *pending) {
  sdb_slice memory, object, message = {NULL, 0}, path = {NULL, 0};
  sdb_local_pending copy = {.position = pending->position,
      .client_id = pending->by_client.key,
      .id = pending->by_object.key,
      .depends = pending->depends,
      .store = pending->store,
      .action = (sdb_action)pending->action,
      .created_ms = pending->created_ms};
  if (!sdb_batch_copy(replica, sdb_slice_make(pending->object, pending->size), &object))
    return false;
  /* A time-out is not kept: after a restart it is sent again as if new. */
  if (pending->state == SDB_PENDING_REFUSED) {
    const sdb_error *error = pending->error;
    copy.failed = error ? error->status : SDB_REJECTED;
    if (error && (!sdb_batch_copy(replica, sdb_slice_of(error->message), &message) ||
                     !sdb_batch_copy(replica, sdb_slice_of(error->path), &path)))
      return false;
  }
  copy.object = object;
  copy.message = message;
  copy.path = path;
  if (!sdb_batch_copy(replica, sdb_slice_make((const char *)&copy, sizeof(copy)), &memory))
    return false;
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_PENDING_PUT, pending->store);
  if (!change) return false;
  change->pending = (const sdb_local_pending *)(const void *)memory.data;
  return true;
}

bool sdb_pending_store(sdb_replica *replica, sdb_pending *pending) {
  if (!replica->stores[pending->store].singular) return fill_change(replica, pending);
  pending->stored = true;
  replica->send_due = true;
  return true;
}

bool sdb_pending_drop_stored(sdb_replica *replica, const sdb_pending *pending) {
  if (replica->stores[pending->store].singular) return true;
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_PENDING_DROP, pending->store);
  if (!change) return false;
  change->client_id = pending->by_client.key;
  return true;
}

/* ---- what shows ---- */

bool sdb_pending_show(sdb_replica *replica, const sdb_pending *pending) {
  const sdb_uuid nil = {{0}};
  if (replica->stores[pending->store].singular)
    return sdb_batch_view(replica, pending->store, nil, nil);
  if (pending->action == SDB_ACTION_CREATE)
    return sdb_batch_view(replica, pending->store, nil, pending->by_client.key);
  if (!sdb_uuid_is_nil(pending->depends))
    return sdb_batch_view(replica, pending->store, nil, pending->depends);
  return sdb_batch_view(replica, pending->store, pending->by_object.key, nil);
}

/* A change that the server refused is rolled back; what is only late may still come about. */
static bool shows(const sdb_pending *pending) {
  return pending->state != SDB_PENDING_REFUSED || SDB_PLANTED(REFUSED_STAYS);
}

static const sdb_pending *over_singular(const sdb_replica *replica, uint16_t store) {
  const sdb_pending *pending = replica->stores[store].pending_count > 0 ? replica->last : NULL;
  while (pending && !(pending->store == store && shows(pending)))
    pending = pending->previous;
  return pending;
}

const sdb_pending *sdb_pending_over(const sdb_replica *replica, uint16_t store, sdb_uuid id) {
  const sdb_pending *over = NULL;
  if (replica->stores[store].singular) return over_singular(replica, store);
  sdb_entry *entry = sdb_table_find(&replica->pending_by_object, id);
  for (; entry; entry = sdb_table_next(entry)) {
    const sdb_pending *pending = of_object(entry);
    if (pending->store != store || !shows(pending)) continue;
    if (!over || pending->position > over->position) over = pending;
  }
  return over;
}

const sdb_pending *sdb_pending_over_create(const sdb_replica *replica, const sdb_pending *create) {
  const sdb_pending *pending = replica->dependents_count > 0 ? replica->last : NULL;
  while (pending && !(sdb_uuid_equal(pending->depends, create->by_client.key) && shows(pending)))
    pending = pending->previous;
  return pending;
}

bool sdb_pending_is_removed(const sdb_replica *replica, const sdb_pending *pending) {
  const sdb_pending *other = replica->dependents_count > 0 ? replica->first : NULL;
  while (other && !(other->action == SDB_ACTION_DELETE &&
                      sdb_uuid_equal(other->depends, pending->by_client.key)))
    other = other->next;
  return other != NULL;
}

/* ---- the end of one ---- */

static bool note(sdb_replica *replica, sdb_table *table, sdb_uuid client_id) {
  if (sdb_table_find(table, client_id)) return true;
  sdb_entry *entry = sdb_mem_zero(replica->mem, sizeof(*entry));
  if (!entry) return false;
  entry->key = client_id;
  sdb_table_insert(table, entry);
  return true;
}

void sdb_notes_clear(sdb_replica *replica, sdb_table *table) {
  for (uint32_t i = 0; i < table->buckets_count; i++) {
    while (table->buckets[i]) {
      sdb_entry *entry = table->buckets[i];
      sdb_table_remove(table, entry);
      sdb_mem_free(replica->mem, entry);
    }
  }
}

/* A storage that holds it for good may be away. */
static bool is_elsewhere(const sdb_replica *replica) {
  return replica->notes_ended && replica->storage && !replica->storage->durable;
}

/* What is to be known of it when it is no longer pending. One that was given up is noted until the
 * storage has dropped it, whatever fails on the way: it must not come back from there. */
static bool note_end(sdb_replica *replica, const sdb_pending *pending, bool given_up) {
  const sdb_uuid client_id = pending->by_client.key;
  if (pending->sent_before && !note(replica, &replica->resent, client_id)) return false;
  bool stored = !replica->stores[pending->store].singular;
  bool noted = (is_elsewhere(replica) && pending->kept) || (given_up && stored);
  return !noted || note(replica, &replica->ended, client_id);
}

void sdb_pending_on_dropped(sdb_replica *replica, sdb_uuid client_id) {
  sdb_entry *entry = sdb_table_find(&replica->ended, client_id);
  if (!entry || is_elsewhere(replica)) return;
  sdb_table_remove(&replica->ended, entry);
  sdb_mem_free(replica->mem, entry);
}

static bool resolve_dependents(sdb_replica *replica, const sdb_pending *create, sdb_uuid id) {
  sdb_pending *pending = replica->dependents_count > 0 ? replica->first : NULL;
  if (SDB_PLANTED(DEPENDENTS_FORGOTTEN)) return true;
  for (; pending; pending = pending->next) {
    if (!sdb_uuid_equal(pending->depends, create->by_client.key)) continue;
    pending->depends = (sdb_uuid){{0}};
    replica->dependents_count--;
    sdb_pending_set_id(replica, pending, id);
    if (!sdb_pending_store(replica, pending)) return false;
  }
  return true;
}

/* Without memory it is forgotten at once: the application hears of the id all the same. */
static void note_created(sdb_replica *replica, const sdb_pending *pending, sdb_uuid id) {
  if (!sdb_pending_is_create(replica, pending)) return;
  if (!replica->created)
    replica->created =
        sdb_mem_alloc(replica->mem, SDB_REPLICA_CREATED_MAX * sizeof(*replica->created));
  if (!replica->created) return;
  uint32_t at = replica->created_count++ % SDB_REPLICA_CREATED_MAX;
  replica->created[at] = (sdb_created){pending->by_client.key, id};
}

sdb_uuid sdb_pending_created(const sdb_replica *replica, sdb_uuid client_id) {
  uint32_t count = replica->created_count;
  if (count > SDB_REPLICA_CREATED_MAX) count = SDB_REPLICA_CREATED_MAX;
  for (uint32_t i = 0; i < count; i++) {
    if (sdb_uuid_equal(replica->created[i].client_id, client_id)) return replica->created[i].id;
  }
  return client_id;
}

bool sdb_pending_acknowledge(sdb_replica *replica, sdb_pending *pending, sdb_uuid id) {
  bool done = note_end(replica, pending, false) && sdb_pending_drop_stored(replica, pending) &&
              resolve_dependents(replica, pending, id);
  if (!done) return false;
  if (pending->in_flight) sdb_send_widen(replica);
  note_created(replica, pending, id);
  sdb_pending_free(replica, pending);
  return true;
}

static bool give_up_one(sdb_replica *replica, sdb_pending *pending) {
  /* It leaves the storage last: what stays pending must stay there too. */
  if (!note_end(replica, pending, true) ||
      !(SDB_PLANTED(NO_ROLLBACK) || sdb_pending_show(replica, pending)) ||
      !sdb_pending_drop_stored(replica, pending))
    return false;
  sdb_pending_free(replica, pending);
  return true;
}

bool sdb_pending_give_up(sdb_replica *replica, sdb_pending *pending) {
  const sdb_uuid client_id = pending->by_client.key;
  sdb_pending *other = replica->dependents_count > 0 ? replica->first : NULL;
  while (other) {
    sdb_pending *next = other->next;
    if (sdb_uuid_equal(other->depends, client_id) && !give_up_one(replica, other)) return false;
    other = next;
  }
  return give_up_one(replica, pending);
}
