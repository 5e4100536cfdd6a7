/* replica/view.c: what the application sees: the server's objects, with this device's changes over
 * them, and what is being written.
 *
 *   an object   the last change of this device that was not refused; else what is held; else the
 *               partial of its id
 *   a list      pending creates, newest first; then objects and partials, greatest id first
 *
 * A record is put together when it is given out, so it shows what is so then, whatever happened
 * since it was asked for.
 */
#include "base/error.h"
#include "replica/state.h"

static const sdb_uuid NIL;

/* ---- one record ---- */

static void show_pending(const sdb_pending *pending, sdb_client_record *record) {
  bool failed = sdb_pending_is_failed(pending);
  record->state = failed ? SDB_RECORD_FAILED : SDB_RECORD_PENDING;
  record->client_id = pending->by_client.key;
  record->error = sdb_pending_failure(pending);
  if (pending->action != SDB_ACTION_DELETE)
    record->object = sdb_slice_make(pending->object, pending->size);
}

/* `over` NULL: nothing. False: it hides the object. A remove that is late shows what it was to
 * remove, so that there is something to retry or discard. */
static bool show_over(const sdb_pending *over, sdb_client_record *record) {
  if (!over) return true;
  if (over->action == SDB_ACTION_DELETE && !sdb_pending_is_failed(over)) return false;
  show_pending(over, record);
  return record->object.size > 0;
}

/* What there is under `id`; `base` NULL: nothing is held. False: nothing. */
static bool show_object(const sdb_replica *replica, uint16_t store, sdb_uuid id,
    const sdb_local_record *base, sdb_client_record *record) {
  memset(record, 0, sizeof(*record));
  record->id = id;
  const sdb_device_partial *partial = base ? NULL : sdb_partial_find(replica, id);
  if (base) {
    record->state = SDB_RECORD_SYNCED;
    record->id = base->id;
    record->event_id = base->event_id;
    record->client_id = base->client_id;
    record->object = base->object;
  } else if (partial && partial->store == store) {
    record->state = SDB_RECORD_PARTIAL;
    record->object = sdb_buffer_slice(&partial->text);
  }
  return show_over(sdb_pending_over(replica, store, id), record) && record->object.size > 0;
}

static bool show_create(
    const sdb_replica *replica, const sdb_pending *create, sdb_client_record *record) {
  memset(record, 0, sizeof(*record));
  show_pending(create, record);
  const sdb_pending *over = sdb_pending_over_create(replica, create);
  if (over && over->action == SDB_ACTION_DELETE) return sdb_pending_is_failed(over);
  if (over) record->object = sdb_slice_make(over->object, over->size);
  return true;
}

/* ---- changes ---- */

static bool told_gone(sdb_client_change *told, sdb_uuid id, sdb_uuid client_id) {
  memset(told, 0, sizeof(*told));
  told->kind = SDB_CHANGE_REMOVE;
  told->record.id = id;
  told->record.client_id = client_id;
  return true;
}

static bool told_record(sdb_client_change *told, bool there, sdb_uuid id, sdb_uuid client_id) {
  if (!there) return told_gone(told, id, client_id);
  told->kind = SDB_CHANGE_PUT;
  return true;
}

/* An event that changed nothing, because something newer is held: but it may have ended a push. */
static bool told_of_stale(
    sdb_replica *replica, const sdb_local_change *change, sdb_client_change *told) {
  if (!change->acknowledged) return false;
  if (change->created) return told_gone(told, NIL, change->client_id);
  if (!sdb_view_refresh(replica, change->store, change->id))
    sdb_replica_note_reset(replica, change->store);
  return false;
}

static bool told_of_event(
    sdb_replica *replica, const sdb_local_change *change, sdb_client_change *told) {
  if (!change->applied) return told_of_stale(replica, change, told);
  bool removed = change->object.size == 0;
  sdb_local_record base = {change->id, change->event_id, change->client_id, change->object};
  sdb_uuid id = replica->stores[change->store].singular && removed ? NIL : change->id;
  bool there = show_object(replica, change->store, id, removed ? NULL : &base, &told->record);
  /* By this the application knows the pending create, whatever lies over the object already. */
  if (change->created) told->record.client_id = change->client_id;
  return told_record(told, there, change->id, change->client_id);
}

static bool told_of_view(
    sdb_replica *replica, const sdb_local_change *change, sdb_client_change *told) {
  const sdb_pending *create =
      sdb_uuid_is_nil(change->client_id) ? NULL : sdb_pending_find(replica, change->client_id);
  if (create)
    return told_record(told, show_create(replica, create, &told->record), NIL, change->client_id);
  if (!sdb_uuid_is_nil(change->client_id)) return told_gone(told, NIL, change->client_id);
  sdb_device_partial *partial = sdb_partial_find(replica, change->id);
  if (partial) partial->told_due = false;
  if (show_object(replica, change->store, change->id, NULL, &told->record))
    return told_record(told, true, NIL, NIL);
  /* What is held decides; of a partial that is gone, whatever took its place has been told. */
  if (!change->created && !sdb_view_refresh(replica, change->store, change->id))
    sdb_replica_note_reset(replica, change->store);
  return false;
}

bool sdb_view_of_change(
    sdb_replica *replica, const sdb_local_change *change, sdb_client_change *told) {
  switch (change->kind) {
  case SDB_LOCAL_PUT:
  case SDB_LOCAL_REMOVE:
  case SDB_LOCAL_SINGULAR:
    return told_of_event(replica, change, told);
  case SDB_LOCAL_VIEW:
    return told_of_view(replica, change, told);
  case SDB_LOCAL_CLEAR:
    memset(told, 0, sizeof(*told));
    told->kind = SDB_CHANGE_RESET;
    return true;
  case SDB_LOCAL_FORGET:
  case SDB_LOCAL_STATE:
  case SDB_LOCAL_DATABASE:
  case SDB_LOCAL_PENDING_PUT:
  case SDB_LOCAL_PENDING_DROP:
    return false;
  }
  SDB_UNREACHABLE();
}

void sdb_view_of_refresh(
    sdb_replica *replica, const sdb_replica_call *call, sdb_client_change *told) {
  const sdb_replica_request *request = &call->request;
  const sdb_local_record *base = call->status == SDB_OK ? &call->object.record : NULL;
  bool there = show_object(replica, request->store, request->id, base, &told->record);
  (void)told_record(told, there, request->id, NIL);
}

bool sdb_view_refresh(sdb_replica *replica, uint16_t store, sdb_uuid id) {
  sdb_replica_call *call = sdb_mem_zero(replica->mem, sizeof(*call));
  if (!call) return false;
  /* Of a singular store, whatever it holds then: another object may have taken the place of this.
   */
  if (replica->stores[store].singular) id = NIL;
  call->internal = true;
  call->request.kind = SDB_REPLICA_GET;
  call->request.store = store;
  call->request.id = id;
  sdb_replica_read_object(replica, call, id);
  return true;
}

/* ---- reads ---- */

void sdb_replica_read_object(sdb_replica *replica, sdb_replica_call *call, sdb_uuid id) {
  call->object_asked = true;
  memset(&call->object, 0, sizeof(call->object));
  call->object.op.kind = SDB_LOCAL_OBJECT;
  call->object.op.owner = call;
  call->object.store = call->request.store;
  call->object.id = id;
  sdb_buffer_init(&call->object.memory, replica->mem, SIZE_MAX);
  sdb_replica_stage(replica, &call->object.op);
}

void sdb_get_begin(sdb_replica *replica, sdb_replica_call *call) {
  bool singular = replica->stores[call->request.store].singular;
  if (call->request.kind == SDB_REPLICA_SINGULAR) call->request.id = NIL;
  if (!singular && sdb_uuid_is_nil(call->request.id))
    sdb_replica_finish(replica, call, SDB_NOT_FOUND);
  else
    sdb_replica_read_object(replica, call, call->request.id);
}

/* Pending removes hide some, so as many more are asked for; and one more tells whether there is a
 * gap below the last. */
static uint32_t page_limit(const sdb_replica *replica, const sdb_replica_request *request) {
  uint32_t limit = request->limit + 1;
  const sdb_pending *pending =
      replica->stores[request->store].pending_count > 0 ? replica->first : NULL;
  for (; pending; pending = pending->next)
    limit += pending->store == request->store && pending->action == SDB_ACTION_DELETE;
  return limit;
}

void sdb_list_begin(sdb_replica *replica, sdb_replica_call *call) {
  const sdb_replica_request *request = &call->request;
  sdb_uuid before = request->before;
  call->cursor = sdb_uuid_is_nil(before) ? UINT64_MAX : 0;
  const sdb_pending *create = sdb_pending_find(replica, before);
  if (create && sdb_pending_is_create(replica, create)) {
    call->cursor = create->position;
    before = NIL;
  } else if (sdb_is_client_id(before)) {
    sdb_replica_finish(replica, call, SDB_NOT_FOUND);
    return;
  }
  call->page_asked = true;
  memset(&call->page, 0, sizeof(call->page));
  call->page.op.kind = SDB_LOCAL_PAGE;
  call->page.op.owner = call;
  call->page.store = request->store;
  call->page.before = before;
  call->page.limit = page_limit(replica, request);
  sdb_buffer_init(&call->page.memory, replica->mem, SIZE_MAX);
  sdb_replica_stage(replica, &call->page.op);
}

/* ---- a list ---- */

typedef struct listing {
  sdb_replica *replica;
  uint16_t store;
  uint32_t limit, count;
  sdb_client_record *records;
  const sdb_device_partial *partials[SDB_REPLICA_PARTIALS_MAX]; /* greatest id first */
  uint32_t partials_count, partials_at;
} listing;

static void list_creates(listing *l, uint64_t cursor) {
  const sdb_pending *pending = l->replica->stores[l->store].pending_count ? l->replica->last : NULL;
  for (; pending && l->count < l->limit; pending = pending->previous) {
    if (pending->store != l->store || pending->position >= cursor) continue;
    if (!sdb_pending_is_create(l->replica, pending)) continue;
    l->count += show_create(l->replica, pending, &l->records[l->count]);
  }
}

/* Those below `before`, sorted by insertion: they are few. */
static void find_partials(listing *l, sdb_uuid before) {
  const sdb_table *table = &l->replica->partials;
  for (uint32_t i = 0; table->count > 0 && i < table->buckets_count; i++) {
    for (sdb_entry *entry = table->buckets[i]; entry; entry = entry->next) {
      const sdb_device_partial *partial = SDB_CONTAINER_OF(entry, sdb_device_partial, by_id);
      if (partial->store != l->store) continue;
      if (!sdb_uuid_is_nil(before) && !sdb_id_above(before, entry->key)) continue;
      uint32_t at = l->partials_count++;
      for (; at > 0 && sdb_id_above(entry->key, l->partials[at - 1]->by_id.key); at--)
        l->partials[at] = l->partials[at - 1];
      l->partials[at] = partial;
    }
  }
}

static void list_one(listing *l, sdb_uuid id, const sdb_local_record *base) {
  if (l->count < l->limit)
    l->count += show_object(l->replica, l->store, id, base, &l->records[l->count]);
}

/* The partials above `id` (nil: all that are left). */
static void list_partials(listing *l, sdb_uuid id) {
  for (; l->partials_at < l->partials_count; l->partials_at++) {
    sdb_uuid key = l->partials[l->partials_at]->by_id.key;
    if (!sdb_uuid_is_nil(id) && !sdb_id_above(key, id)) return;
    list_one(l, key, NULL);
  }
}

/* What is held stands for the partial of its id, which only a server gone wrong still sends. */
static void pass_partial(listing *l, sdb_uuid id) {
  if (l->partials_at == l->partials_count) return;
  l->partials_at += sdb_uuid_equal(l->partials[l->partials_at]->by_id.key, id);
}

static void list_objects(listing *l, const sdb_local_page *page) {
  for (uint32_t i = 0; i < page->count; i++) {
    const sdb_local_record *base = &page->records[i];
    list_partials(l, base->id);
    list_one(l, base->id, base);
    pass_partial(l, base->id);
  }
  if (page->count < page->limit) list_partials(l, NIL);
}

/* Whether something is missing between each record and the one that follows it. `behind`: the next
 * object that is held below the last one; nil: none. */
static void mark_gaps(listing *l, const sdb_local_page *page) {
  const sdb_ranges *missing = &l->replica->stores[l->store].missing;
  if (missing->count == 0) return;
  for (uint32_t i = 0; i < l->count; i++) {
    sdb_client_record *record = &l->records[i];
    if (sdb_uuid_is_nil(record->id)) continue;
    sdb_uuid next = NIL;
    if (i + 1 < l->count)
      next = l->records[i + 1].id;
    else if (page->count > 0 && sdb_id_above(record->id, page->records[page->count - 1].id))
      next = page->records[page->count - 1].id;
    record->gap = sdb_ranges_touch(missing, next, record->id);
  }
}

static void fill_list(sdb_replica_call *call, listing *l) {
  if (call->cursor > 0) list_creates(l, call->cursor);
  find_partials(l, call->page.before);
  list_objects(l, &call->page);
  mark_gaps(l, &call->page);
}

static size_t view_list(sdb_replica *replica, sdb_replica_call *call) {
  uint32_t limit = call->request.limit;
  listing *l = sdb_mem_zero(replica->mem, sizeof(*l));
  call->records =
      l ? sdb_mem_alloc(replica->mem, sdb_mem_product(limit, sizeof(*call->records))) : NULL;
  size_t count = 0;
  if (call->records) {
    l->replica = replica;
    l->store = call->request.store;
    l->limit = limit;
    l->records = call->records;
    fill_list(call, l);
    count = l->count;
  } else {
    call->status = sdb_error_set(&call->error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  }
  sdb_mem_free(replica->mem, l);
  return count;
}

/* ---- one object ---- */

static size_t view_one(sdb_replica *replica, sdb_replica_call *call) {
  const sdb_local_record *base = call->status == SDB_OK ? &call->object.record : NULL;
  if (call->status != SDB_OK && call->status != SDB_NOT_FOUND) return 0;
  call->records = sdb_mem_alloc(replica->mem, sizeof(*call->records));
  if (!call->records) {
    call->status = sdb_error_set(&call->error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
    return 0;
  }
  const sdb_replica_request *request = &call->request;
  const sdb_pending *create = sdb_pending_find(replica, request->id);
  bool there = create && sdb_pending_is_create(replica, create) && create->store == request->store
                   ? show_create(replica, create, call->records)
                   : show_object(replica, request->store, request->id, base, call->records);
  call->status = there ? SDB_OK : SDB_NOT_FOUND;
  if (!there)
    sdb_error_set(&call->error, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND), NULL, NULL);
  return there;
}

size_t sdb_view_of_call(sdb_replica *replica, sdb_replica_call *call) {
  if (call->request.kind == SDB_REPLICA_LIST)
    return call->status == SDB_OK ? view_list(replica, call) : 0;
  if (call->request.kind == SDB_REPLICA_GET || call->request.kind == SDB_REPLICA_SINGULAR)
    return view_one(replica, call);
  return 0;
}
