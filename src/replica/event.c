/* replica/event.c: `update` and `remove` from the server: an event of the user's log.
 *
 * What it means for the object is decided by the storage, inside the commit (the greater event id
 * stays). What it means for what is held of the log is decided here (protocol.md section 5, 4):
 *   above the head                  the head moves; what lies between is missing, unless this
 *                                   connection has shown that nothing does
 *   below the head, in a range      what lies above it in the range has come
 *   the answer to a push that the   nothing: it is the object as it is now, and says nothing of
 *   server had stored before        what lies below it
 */
#include "base/planted.h"
#include "replica/state.h"

typedef struct event {
  const sdb_wire_message *message;
  uint16_t store;  /* SDB_LOCAL_ANY: a remove that names none */
  bool positioned; /* it tells its place in the log */
  sdb_uuid id, event_id;
  sdb_pending *pending; /* of this device's; NULL: none */
} event;

/* Whether it may answer a push that an earlier connection sent. */
static bool is_resent(const sdb_replica *replica, const event *e) {
  const sdb_uuid client_id = e->message->client_id;
  if (sdb_uuid_is_nil(client_id)) return false;
  return e->pending ? e->pending->sent_before : sdb_table_find(&replica->resent, client_id) != NULL;
}

/* Whether this may be an event that the server had stored before it was asked on this connection:
 * it comes out of order then. */
static bool is_out_of_order(const sdb_replica *replica, const event *e) {
  if (SDB_PLANTED(ANSWER_MOVES_HEAD)) return false;
  const sdb_replica_store *store = &replica->stores[e->store];
  sdb_uuid top = replica->link.brief ? store->head : store->told_head;
  return is_resent(replica, e) && !sdb_id_above(e->event_id, top);
}

/* False: no memory. */
static bool move_head(sdb_replica *replica, const event *e) {
  sdb_replica_store *store = &replica->stores[e->store];
  if (!store->contiguous && !store->singular && !SDB_PLANTED(GAP_NOT_NOTED)) {
    sdb_id_range range = {store->head, e->event_id};
    if (!sdb_ranges_add(&store->missing, replica->mem, range, replica->ranges_max)) return false;
    store->contiguous = true;
    store->top_missing = false;
  }
  store->head = e->event_id;
  return true;
}

/* It moves nothing, but that a device which holds an object has a head: one that says it was never
 * synced is taken to hold nothing, and is not told of removes. */
static bool take_out_of_order(sdb_replica *replica, const event *e) {
  sdb_replica_store *store = &replica->stores[e->store];
  if (!sdb_uuid_is_nil(store->head)) return true;
  store->head = e->event_id;
  sdb_batch_note_state(replica, e->store);
  sdb_id_range below = {(sdb_uuid){{0}}, e->event_id};
  return store->singular ||
         sdb_ranges_add(&store->missing, replica->mem, below, replica->ranges_max);
}

static bool take_position(sdb_replica *replica, const event *e) {
  sdb_replica_store *store = &replica->stores[e->store];
  if (is_out_of_order(replica, e)) return take_out_of_order(replica, e);
  bool live = !replica->link.greeted || sdb_id_above(e->event_id, store->told_head);
  if (!live && store->wanted > 0 && store->window != SDB_REPLICA_WINDOW_ALL) store->wanted--;
  if (sdb_id_above(e->event_id, store->head)) {
    if (!move_head(replica, e)) return false;
  } else if (!store->singular) {
    sdb_ranges_take_event(&store->missing, e->event_id);
  }
  sdb_batch_note_state(replica, e->store);
  return true;
}

static sdb_local_change_kind kind_of(const sdb_replica *replica, const event *e) {
  if (e->positioned && replica->stores[e->store].singular) return SDB_LOCAL_SINGULAR;
  return e->message->type == SDB_WIRE_REMOVE ? SDB_LOCAL_REMOVE : SDB_LOCAL_PUT;
}

static bool add_change(sdb_replica *replica, const event *e, sdb_slice object, bool created) {
  sdb_local_change_kind kind = kind_of(replica, e);
  sdb_slice copy;
  if (!sdb_batch_copy(replica, object, &copy)) return false;
  sdb_local_change *change = sdb_batch_add(replica, kind, e->store);
  if (!change) return false;
  change->id = e->id;
  change->event_id = e->event_id;
  change->client_id = e->message->client_id;
  change->object = copy;
  change->acknowledged = e->pending != NULL;
  change->created = created;
  /* The brief's events have no ids of their own: of one object, the last that comes is the last. A
   * server that greets leaves the id out where it is the object's. */
  change->or_equal =
      !replica->link.greeted && sdb_uuid_is_nil(e->message->event_id) && !is_resent(replica, e);
  if (kind == SDB_LOCAL_REMOVE && e->positioned &&
      sdb_replica_must_keep_removes(&replica->stores[e->store]))
    change->keep = replica->stores[e->store].keeps_removes = true;
  return true;
}

/* Notes where in the log it stands, ends the push that it answers, and has it stored. */
static bool take_event(sdb_replica *replica, const event *e, sdb_slice object) {
  bool created = e->pending && sdb_pending_is_create(replica, e->pending);
  if (e->positioned && !take_position(replica, e)) return false;
  if (!add_change(replica, e, object, created)) return false;
  return !e->pending || sdb_pending_acknowledge(replica, e->pending, e->id);
}

static void end_partial(sdb_replica *replica, sdb_uuid id) {
  sdb_device_partial *partial = sdb_partial_find(replica, id);
  if (partial && !SDB_PLANTED(PARTIAL_OUTLIVES_UPDATE)) sdb_partial_drop(replica, partial);
}

/* This device's remove of the object, where it was sent: the brief's server does not say whose
 * remove it tells of, and gone is gone. */
static sdb_pending *find_sent_remove(const sdb_replica *replica, sdb_uuid id) {
  for (sdb_pending *pending = replica->first; pending; pending = pending->next) {
    if (pending->in_flight && pending->action == SDB_ACTION_DELETE &&
        sdb_uuid_equal(pending->by_object.key, id))
      return pending;
  }
  return NULL;
}

/* A remove without an event id ends a partial that was given up; a server of the brief's messages
 * says all removes so. */
static bool remove_without_event(sdb_replica *replica, event *e) {
  sdb_device_partial *partial = sdb_partial_find(replica, e->id);
  if (partial && !e->pending) {
    uint16_t store = partial->store;
    sdb_partial_drop(replica, partial);
    return sdb_batch_view(replica, store, e->id, (sdb_uuid){{0}});
  }
  end_partial(replica, e->id);
  if (!e->pending && !replica->link.greeted) e->pending = find_sent_remove(replica, e->id);
  int named = sdb_replica_find_store(replica, e->message);
  if (e->pending)
    e->store = e->pending->store;
  else if (named >= 0)
    e->store = (uint16_t)named;
  else if (e->message->store != 0)
    return true; /* of a store that this application does not use */
  return take_event(replica, e, sdb_slice_make(NULL, 0));
}

/* Finds out which event it is. False: it is none that can be understood. */
static bool read_event(sdb_replica *replica, const sdb_wire_message *message, event *e) {
  *e = (event){
      .message = message, .store = SDB_LOCAL_ANY, .id = message->id, .event_id = message->event_id};
  if (sdb_uuid_is_nil(e->event_id)) e->event_id = e->id;
  if (sdb_uuid_is_nil(e->id)) return false;
  if (message->type == SDB_WIRE_UPDATE && (message->object == 0 || message->store == 0))
    return false;
  if (!sdb_uuid_is_nil(message->client_id))
    e->pending = sdb_pending_find(replica, message->client_id);
  return true;
}

static bool take_message(sdb_replica *replica, event *e) {
  const sdb_wire_message *message = e->message;
  bool removes = message->type == SDB_WIRE_REMOVE;
  if (removes && (message->store == 0 || sdb_uuid_is_nil(message->event_id)))
    return remove_without_event(replica, e);
  int store = sdb_replica_find_store(replica, message);
  if (store < 0) return true; /* of a store that this application does not use */
  e->store = (uint16_t)store;
  e->positioned = true;
  if (e->pending && e->pending->store != e->store)
    e->pending = NULL; /* it answers something else */
  end_partial(replica, e->id);
  sdb_slice object =
      removes ? sdb_slice_make(NULL, 0) : sdb_json_raw(message->json, message->object);
  return take_event(replica, e, object);
}

void sdb_replica_on_event(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms) {
  event e;
  if (!read_event(replica, message, &e)) {
    sdb_link_drop(replica, SDB_CLOSE_BAD_MESSAGE,
        "the server sent an event without id, store or object", now_ms);
    return;
  }
  replica->link.events_received++;
  if (!take_message(replica, &e))
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
  else if (sdb_batch_is_full(replica))
    sdb_batch_close(replica, now_ms);
}
