/* replica/push.c: the application's changes: schema and rules first, then the local storage; what
 * is in it is sent (send.c).
 *
 * The rules are asked with what is here: whether a singular store's push creates or updates, and
 * what a remove takes, is read from the storage first. The server asks them again with what is
 * there.
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

static sdb_status say(sdb_replica_call *call, sdb_status status, const char *message) {
  return sdb_error_set(&call->error, status, message, NULL, NULL);
}

static sdb_uuid new_client_id(sdb_replica *replica) {
  sdb_uuid id;
  replica->options.random(replica->options.random_context, id.bytes, sizeof(id.bytes));
  id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0F) | 0x40); /* RFC 9562, version 4 */
  id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3F) | 0x80);
  return id;
}

/* Whether this change was made already: then it is done once that is stored. */
static bool is_repeated(const sdb_replica *replica, sdb_replica_call *call) {
  sdb_uuid client_id = call->request.client_id;
  if (sdb_uuid_is_nil(client_id)) return false;
  bool made = sdb_pending_find(replica, client_id) ||
              !sdb_uuid_equal(sdb_pending_created(replica, client_id), client_id);
  if (made) call->client_id = client_id;
  return made;
}

/* ---- checks ---- */

static sdb_status scan(sdb_replica *replica, sdb_replica_call *call, sdb_slice text) {
  sdb_status status = sdb_json_scan(&replica->json, text, SDB_OBJECT_DEPTH_MAX, &call->error);
  if (status == SDB_LIMIT) status = SDB_BAD_JSON;
  call->error.status = status;
  return status;
}

/* Schema and rules; leaves the text to store, with `$createdAt`, in replica->scratch. */
static sdb_status check_object(sdb_replica *replica, sdb_replica_call *call, sdb_action action) {
  const sdb_replica_request *request = &call->request;
  const sdb_store *store = replica->options.stores[request->store];
  if (request->object.size > SDB_OBJECT_BYTES_MAX)
    return say(call, SDB_TOO_LARGE, "the object is larger than 256 KiB");
  sdb_status status = scan(replica, call, request->object);
  if (status == SDB_OK) status = sdb_store_check_schema(store, &replica->json, 0, &call->error);
  if (status == SDB_OK)
    status = sdb_store_check_rules(store, action, &replica->json, 0, &call->error);
  if (status != SDB_OK) return status;
  sdb_buffer_reset(&replica->scratch);
  status =
      sdb_wire_object_write(&replica->scratch, &replica->json, 0, request->wall_ms, &call->error);
  if (status == SDB_OK && replica->scratch.status != SDB_OK)
    status = say(call, SDB_NO_MEMORY, "out of memory");
  return status;
}

/* `object`: what is to go; empty where it is not known here: then the server will ask. */
static sdb_status check_remove(sdb_replica *replica, sdb_replica_call *call, sdb_slice object) {
  const sdb_store *store = replica->options.stores[call->request.store];
  sdb_buffer_reset(&replica->scratch);
  if (!sdb_store_rule_needs_object(store, SDB_ACTION_DELETE))
    return sdb_store_check_rules(store, SDB_ACTION_DELETE, NULL, 0, &call->error);
  if (object.size == 0) return SDB_OK;
  sdb_status status = scan(replica, call, object);
  if (status != SDB_OK) return status;
  return sdb_store_check_rules(store, SDB_ACTION_DELETE, &replica->json, 0, &call->error);
}

static sdb_status check_room(const sdb_replica *replica, sdb_replica_call *call) {
  if (replica->pending_count >= replica->options.limits.pending_max ||
      replica->pending_bytes + replica->scratch.size > SDB_REPLICA_PENDING_BYTES_MAX)
    return say(call, SDB_LIMIT, "too many pushes are unsynced");
  return SDB_OK;
}

/* ---- storing ---- */

typedef struct target {
  sdb_action action;
  sdb_uuid id, depends;
} target;

/* The push, from what replica->scratch holds. */
static sdb_status add_push(sdb_replica *replica, sdb_replica_call *call, const target *to) {
  sdb_status status = check_room(replica, call);
  if (status != SDB_OK) return status;
  sdb_uuid client_id = call->request.client_id;
  if (sdb_uuid_is_nil(client_id)) client_id = new_client_id(replica);
  sdb_pending *pending = sdb_pending_new(replica, client_id, sdb_buffer_slice(&replica->scratch));
  if (!pending) return say(call, SDB_NO_MEMORY, "out of memory");
  pending->store = call->request.store;
  pending->action = (uint8_t)to->action;
  pending->depends = to->depends;
  pending->created_ms = call->request.wall_ms;
  pending->sent_ever = call->request.asked_before;
  sdb_pending_insert(replica, pending, to->id);
  /* It is stored last: nothing that the caller was refused may be found in the storage. */
  if (!sdb_pending_show(replica, pending) || !sdb_pending_store(replica, pending)) {
    sdb_pending_free(replica, pending);
    return say(call, SDB_NO_MEMORY, "out of memory");
  }
  call->client_id = client_id;
  return SDB_OK;
}

/* Answers the call: with an error now, or when the batch is stored. */
static void end(sdb_replica *replica, sdb_replica_call *call, sdb_status status) {
  if (SDB_PLANTED(ACCEPTED_UNSTORED)) {
    sdb_replica_finish(replica, call, status);
    return;
  }
  if (status == SDB_OK && !sdb_batch_hold(replica, call))
    status = say(call, SDB_NO_MEMORY, "out of memory");
  else if (status == SDB_OK)
    return;
  sdb_replica_finish(replica, call, status);
}

/* ---- changes of a create that has no id yet ---- */

/* Whether the server cannot have it: then it is changed here. */
static bool is_ours_alone(const sdb_pending *create) {
  return !create->sent_ever;
}

/* The create says the new object from the start. */
static sdb_status rewrite_create(
    sdb_replica *replica, sdb_replica_call *call, sdb_pending *create) {
  sdb_status status = check_object(replica, call, SDB_ACTION_CREATE);
  if (status != SDB_OK) return status;
  sdb_pending *made =
      sdb_pending_new(replica, create->by_client.key, sdb_buffer_slice(&replica->scratch));
  if (!made) return say(call, SDB_NO_MEMORY, "out of memory");
  made->store = create->store;
  made->action = create->action;
  made->created_ms = create->created_ms;
  made->position = create->position;
  if (!sdb_pending_show(replica, made) || !sdb_pending_store(replica, made)) {
    sdb_mem_free(replica->mem, made);
    return say(call, SDB_NO_MEMORY, "out of memory");
  }
  sdb_pending_replace(replica, create, made);
  call->client_id = made->by_client.key;
  return SDB_OK;
}

static sdb_status take_create_back(
    sdb_replica *replica, sdb_replica_call *call, sdb_pending *create) {
  sdb_status status = check_remove(replica, call, sdb_slice_make(create->object, create->size));
  if (status != SDB_OK) return status;
  if (sdb_pending_give_up(replica, create)) return SDB_OK;
  return say(call, SDB_NO_MEMORY, "out of memory");
}

static sdb_status change_create(sdb_replica *replica, sdb_replica_call *call, sdb_pending *create) {
  bool removes = call->request.kind == SDB_REPLICA_REMOVE;
  const sdb_pending *over = sdb_pending_over_create(replica, create);
  if (over && over->action == SDB_ACTION_DELETE)
    return say(call, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND));
  if (is_ours_alone(create) && removes) return take_create_back(replica, call, create);
  /* What is behind it already would overwrite what is written into it. */
  if (is_ours_alone(create) && !over) return rewrite_create(replica, call, create);
  target to = {
      .action = removes ? SDB_ACTION_DELETE : SDB_ACTION_UPDATE, .depends = create->by_client.key};
  const sdb_pending *shown = over ? over : create;
  sdb_status status = removes
                          ? check_remove(replica, call, sdb_slice_make(shown->object, shown->size))
                          : check_object(replica, call, SDB_ACTION_UPDATE);
  return status == SDB_OK ? add_push(replica, call, &to) : status;
}

/* ---- changes of an object ---- */

/* All of the store is here, so what is not here is not there. */
static bool holds_all(const sdb_replica *replica, uint16_t store) {
  const sdb_replica_store *s = &replica->stores[store];
  return s->missing.count == 0 && !s->top_missing && !sdb_uuid_is_nil(s->head);
}

/* What is changed is there, as far as is known here. */
static sdb_status check_found(
    const sdb_replica *replica, sdb_replica_call *call, const sdb_pending *over) {
  bool found = over ? over->action != SDB_ACTION_DELETE || sdb_pending_is_failed(over)
                    : call->status == SDB_OK || !holds_all(replica, call->request.store);
  return found ? SDB_OK : say(call, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND));
}

static sdb_status change_object(sdb_replica *replica, sdb_replica_call *call) {
  const sdb_replica_request *request = &call->request;
  const sdb_pending *over = sdb_pending_over(replica, request->store, request->id);
  bool removes = request->kind == SDB_REPLICA_REMOVE;
  sdb_status status = check_found(replica, call, over);
  if (status != SDB_OK) return status;
  target to = {.action = removes ? SDB_ACTION_DELETE : SDB_ACTION_UPDATE, .id = request->id};
  sdb_slice object = call->status == SDB_OK ? call->object.record.object : (sdb_slice){NULL, 0};
  if (over && over->size > 0) object = sdb_slice_make(over->object, over->size);
  status = removes ? check_remove(replica, call, object)
                   : check_object(replica, call, SDB_ACTION_UPDATE);
  return status == SDB_OK ? add_push(replica, call, &to) : status;
}

/* ---- singular stores ---- */

static sdb_status change_singular(sdb_replica *replica, sdb_replica_call *call) {
  const sdb_replica_request *request = &call->request;
  const sdb_pending *over = sdb_pending_over(replica, request->store, (sdb_uuid){{0}});
  bool there = over ? over->action != SDB_ACTION_DELETE : call->status == SDB_OK;
  if (request->kind == SDB_REPLICA_PUSH) {
    target to = {.action = there ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE};
    sdb_status status = check_object(replica, call, to.action);
    return status == SDB_OK ? add_push(replica, call, &to) : status;
  }
  if (!there) return say(call, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND));
  const sdb_local_record *record = call->status == SDB_OK ? &call->object.record : NULL;
  sdb_uuid held = record ? record->id : (sdb_uuid){{0}};
  if (!sdb_uuid_is_nil(request->id) && !over && !sdb_uuid_equal(request->id, held))
    return say(call, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND));
  /* Behind a push that is on its way, it is that one's event that is to go. */
  target to = {.action = SDB_ACTION_DELETE};
  if (over)
    to.depends = over->by_client.key;
  else
    to.id = held;
  sdb_slice object = over ? sdb_slice_make(over->object, over->size) : record->object;
  sdb_status status = check_remove(replica, call, object);
  return status == SDB_OK ? add_push(replica, call, &to) : status;
}

/* ---- a request on its way ---- */

static bool is_unreadable(const sdb_replica_call *call) {
  return call->status != SDB_OK && call->status != SDB_NOT_FOUND;
}

void sdb_push_continue(sdb_replica *replica, sdb_replica_call *call) {
  bool singular = replica->stores[call->request.store].singular;
  if (is_unreadable(call)) {
    end(replica, call, say(call, call->status, "the local storage cannot be read"));
    return;
  }
  if (is_repeated(replica, call)) { /* meanwhile */
    end(replica, call, SDB_OK);
    return;
  }
  /* It may have become an object with an id since. */
  end(replica, call, singular ? change_singular(replica, call) : change_object(replica, call));
}

static sdb_status create(sdb_replica *replica, sdb_replica_call *call) {
  target to = {.action = SDB_ACTION_CREATE};
  sdb_status status = check_object(replica, call, SDB_ACTION_CREATE);
  return status == SDB_OK ? add_push(replica, call, &to) : status;
}

void sdb_push_begin(sdb_replica *replica, sdb_replica_call *call) {
  const sdb_replica_request *request = &call->request;
  bool singular = replica->stores[request->store].singular;
  sdb_pending *named = sdb_uuid_is_nil(request->id) ? NULL : sdb_pending_find(replica, request->id);
  if (!sdb_uuid_is_nil(request->client_id) && !sdb_is_client_id(request->client_id)) {
    end(replica, call, say(call, SDB_INVALID_ARGUMENT, "a client id is a UUID of version 4"));
  } else if (is_repeated(replica, call)) {
    end(replica, call, SDB_OK);
  } else if (request->kind == SDB_REPLICA_PUSH && !singular) {
    end(replica, call, create(replica, call));
  } else if (request->kind == SDB_REPLICA_UPDATE && singular) {
    end(replica, call, say(call, SDB_INVALID_ARGUMENT, "a singular store's object is pushed"));
  } else if (!singular && sdb_uuid_is_nil(request->id)) {
    end(replica, call, say(call, SDB_NOT_FOUND, "the nil id names no object"));
  } else if (named && named->store == request->store && sdb_pending_is_create(replica, named)) {
    end(replica, call, change_create(replica, call, named));
  } else {
    sdb_replica_read_object(replica, call, singular ? (sdb_uuid){{0}} : request->id);
  }
}
