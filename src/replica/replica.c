/* replica/replica.c: the replica's inputs, each handed to the file that knows what to do.
 *
 * Invariant: no input calls the owner back. What follows stands in the lists of outputs and of
 * staged operations when the input returns.
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

#define TOKENS_MAX ((size_t)1 << 26)
#define SENDS_BYTES_MAX ((size_t)1 << 28)

/* ---- life ---- */

static void init_stores(sdb_replica *replica) {
  const sdb_replica_options *options = &replica->options;
  _Static_assert(SDB_REPLICA_RANGES_MAX / SDB_REPLICA_STORES_MAX >= 2, "what ranges.c needs");
  replica->ranges_max = SDB_REPLICA_RANGES_MAX / (uint32_t)options->stores_count;
  for (size_t i = 0; i < options->stores_count; i++) {
    sdb_replica_store *store = &replica->stores[i];
    store->singular = sdb_store_type_of(options->stores[i]) == SDB_STORE_SINGULAR;
    store->window = options->windows ? options->windows[i] : SDB_REPLICA_WINDOW_ALL;
    if (store->singular) store->window = SDB_REPLICA_WINDOW_ALL;
  }
  replica->options.windows = NULL; /* the caller's */
}

static void init(sdb_replica *replica, const sdb_replica_options *options) {
  const sdb_mem *mem = options->mem;
  replica->options = *options;
  replica->mem = mem;
  replica->staged_last = &replica->staged;
  replica->waiting_last = &replica->waiting;
  replica->sync_at_ms = UINT64_MAX;
  replica->link.window = SDB_REPLICA_IN_FLIGHT_MAX;
  sdb_table_init(&replica->pending_by_client, mem);
  sdb_table_init(&replica->pending_by_object, mem);
  sdb_table_init(&replica->partials, mem);
  sdb_table_init(&replica->resent, mem);
  sdb_table_init(&replica->ended, mem);
  sdb_buffer_init(&replica->token, mem, SDB_REPLICA_TOKEN_SIZE_MAX);
  sdb_buffer_init(&replica->sends, mem, SENDS_BYTES_MAX);
  sdb_buffer_init(&replica->scratch, mem, SDB_JSON_SIZE_MAX);
  sdb_json_init(&replica->json, mem, TOKENS_MAX);
  init_stores(replica);
  sdb_link_init(replica);
}

sdb_status sdb_replica_create(const sdb_replica_options *options, sdb_replica **replica) {
  if (options->stores_count == 0 || options->stores_count > SDB_REPLICA_STORES_MAX)
    return SDB_INVALID_ARGUMENT;
  sdb_replica *made = sdb_mem_zero(options->mem, sizeof(*made));
  if (!made) return SDB_NO_MEMORY;
  made->stores = sdb_mem_zero(options->mem, options->stores_count * sizeof(*made->stores));
  if (!made->stores) {
    sdb_mem_free(options->mem, made);
    return SDB_NO_MEMORY;
  }
  init(made, options);
  *replica = made;
  return SDB_OK;
}

static void free_calls(sdb_replica *replica, sdb_replica_call *list) {
  while (list) {
    sdb_replica_call *next = list->next;
    sdb_call_free(replica, list);
    list = next;
  }
}

static void free_batch(sdb_replica *replica, sdb_batch *batch) {
  if (!batch) return;
  free_calls(replica, batch->calls);
  batch->calls = NULL;
  sdb_batch_free(replica, batch);
}

/* What was staged and never flushed. */
static void free_staged(sdb_replica *replica) {
  while (replica->staged) {
    sdb_local_op *op = replica->staged;
    replica->staged = op->next;
    if (op->kind == SDB_LOCAL_COMMIT)
      free_batch(replica, op->owner);
    else if (op->kind == SDB_LOCAL_LOAD)
      sdb_mem_free(replica->mem, op); /* it is its own head, and its memory is still empty */
    else if (op->kind != SDB_LOCAL_SYNC)
      sdb_call_free(replica, op->owner);
  }
}

static void free_lists(sdb_replica *replica) {
  free_staged(replica);
  free_batch(replica, replica->batch);
  while (replica->committed) {
    sdb_batch *batch = replica->committed;
    replica->committed = batch->next;
    free_batch(replica, batch);
  }
  free_calls(replica, replica->waiting);
  free_calls(replica, replica->held);
  free_calls(replica, replica->done);
  sdb_call_free(replica, replica->given_call);
  replica->batch = NULL;
}

void sdb_replica_destroy(sdb_replica *replica) {
  if (!replica) return;
  SDB_ASSERT(replica->ops_out == 0);
  sdb_partials_drop_all(replica);
  free_lists(replica);
  while (replica->first)
    sdb_pending_free(replica, replica->first);
  sdb_notes_clear(replica, &replica->resent);
  sdb_notes_clear(replica, &replica->ended);
  sdb_table_free(&replica->pending_by_client);
  sdb_table_free(&replica->pending_by_object);
  sdb_table_free(&replica->partials);
  sdb_table_free(&replica->resent);
  sdb_table_free(&replica->ended);
  for (size_t i = 0; i < replica->options.stores_count; i++)
    sdb_ranges_free(&replica->stores[i].missing, replica->mem);
  sdb_buffer_free(&replica->token);
  sdb_buffer_free(&replica->sends);
  sdb_buffer_free(&replica->scratch);
  sdb_json_free(&replica->json);
  sdb_mem_free(replica->mem, replica->created);
  sdb_mem_free(replica->mem, replica->stores);
  sdb_mem_free(replica->mem, replica);
}

/* ---- the storage ---- */

/* What the storage is given now: up to a commit, behind which everything waits until it is known
 * that it succeeded. A commit behind one that failed could succeed, and say that what the failed
 * one held is there. */
static sdb_local_op *take_staged(sdb_replica *replica) {
  sdb_local_op *list = replica->staged, **end = &list;
  bool at_once = SDB_PLANTED(SECOND_COMMIT_AFTER_FAILURE);
  if (replica->commit_out && !at_once) return NULL;
  while (*end && (!replica->commit_out || at_once)) {
    replica->commit_out = (*end)->kind == SDB_LOCAL_COMMIT;
    replica->ops_out++;
    end = &(*end)->next;
  }
  replica->staged = *end;
  if (!replica->staged) replica->staged_last = &replica->staged;
  *end = NULL;
  return list;
}

bool sdb_replica_flush(sdb_replica *replica, uint64_t now_ms) {
  if (replica->send_due && replica->loaded) sdb_send_pushes(replica, now_ms);
  if (replica->sends.status != SDB_OK)
    sdb_link_drop(replica, SDB_CLOSE_OVERLOADED, "out of memory", now_ms);
  sdb_batch_close(replica, now_ms);
  sdb_batch_sync(replica, now_ms);
  sdb_local_op *list = replica->storage ? take_staged(replica) : NULL;
  if (!list) return sdb_replica_has_output(replica);
  replica->storage->submit(replica->storage->self, list);
  return true;
}

static void wait_for_storage(sdb_replica *replica, sdb_replica_call *call) {
  call->next = NULL;
  *replica->waiting_last = call;
  replica->waiting_last = &call->next;
}

/* It is asked of the next storage, once that is there; what is only to be told will be listed. */
static void ask_again(sdb_replica *replica, sdb_replica_call *call) {
  if (call->internal) {
    sdb_call_free(replica, call);
    return;
  }
  if (call->page_asked) sdb_buffer_free(&call->page.memory);
  if (call->object_asked) sdb_buffer_free(&call->object.memory);
  call->page_asked = call->object_asked = false;
  wait_for_storage(replica, call);
}

bool sdb_replica_is_object(sdb_replica *replica, sdb_slice text) {
  return sdb_json_scan(&replica->json, text, SDB_JSON_DEPTH_MAX, NULL) == SDB_OK &&
         sdb_json_at(&replica->json, 0)->type == SDB_JSON_OBJECT;
}

/* A record that is no object was damaged where it was kept. */
static sdb_status check_read(sdb_replica *replica, const sdb_local_op *op) {
  bool whole = true;
  if (op->status != SDB_OK) return op->status;
  if (op->kind == SDB_LOCAL_OBJECT) {
    const sdb_local_object *object = (const sdb_local_object *)(const void *)op;
    whole = sdb_replica_is_object(replica, object->record.object);
  } else {
    const sdb_local_page *page = (const sdb_local_page *)(const void *)op;
    for (uint32_t i = 0; i < page->count && whole; i++)
      whole = sdb_replica_is_object(replica, page->records[i].object);
  }
  return whole ? SDB_OK : SDB_BAD_FORMAT;
}

static void on_read(
    sdb_replica *replica, sdb_replica_call *call, sdb_status status, uint64_t now_ms) {
  if (status == SDB_BAD_FORMAT) sdb_replica_fail_storage(replica, status, now_ms);
  if (replica->failed && status != SDB_OK && status != SDB_NOT_FOUND) {
    ask_again(replica, call);
    return;
  }
  switch (call->request.kind) {
  case SDB_REPLICA_PUSH:
  case SDB_REPLICA_UPDATE:
  case SDB_REPLICA_REMOVE:
    call->status = status;
    sdb_push_continue(replica, call);
    break;
  case SDB_REPLICA_LIST:
  case SDB_REPLICA_GET:
  case SDB_REPLICA_SINGULAR:
    sdb_replica_finish(replica, call, status);
    break;
  }
}

void sdb_replica_on_completed(sdb_replica *replica, sdb_local_op *list, uint64_t now_ms) {
  while (list) {
    sdb_local_op *op = list;
    list = op->next;
    op->next = NULL;
    SDB_ASSERT(replica->ops_out > 0);
    replica->ops_out--;
    switch (op->kind) {
    case SDB_LOCAL_LOAD:
      sdb_load_on_completed(replica, (sdb_local_load *)(void *)op, now_ms);
      break;
    case SDB_LOCAL_COMMIT:
      replica->commit_out = false;
      sdb_batch_on_completed(replica, op->owner, now_ms);
      break;
    case SDB_LOCAL_SYNC:
      sdb_batch_on_synced(replica, now_ms);
      break;
    case SDB_LOCAL_PAGE:
    case SDB_LOCAL_OBJECT:
      on_read(replica, op->owner, check_read(replica, op), now_ms);
      break;
    }
  }
}

/* ---- messages ---- */

int sdb_replica_find_store(const sdb_replica *replica, const sdb_wire_message *message) {
  if (message->store == 0 || sdb_json_at(message->json, message->store)->escaped) return -1;
  return sdb_stores_find_wire(replica->options.stores, replica->options.stores_count,
      sdb_json_text(message->json, message->store));
}

static void take_message(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms) {
  switch (message->type) {
  case SDB_WIRE_SERVER_HELLO:
    sdb_hello_on_answer(replica, message, now_ms);
    break;
  case SDB_WIRE_UPDATE:
  case SDB_WIRE_REMOVE:
    sdb_replica_on_event(replica, message, now_ms);
    break;
  case SDB_WIRE_PARTIAL:
    sdb_replica_on_partial(replica, message, now_ms);
    break;
  case SDB_WIRE_SYNCED:
    sdb_replica_on_synced(replica, message, now_ms);
    break;
  case SDB_WIRE_ERROR:
    sdb_replica_on_error(replica, message, now_ms);
    break;
  case SDB_WIRE_PONG:
    break;
  case SDB_WIRE_CLIENT_HELLO:
  case SDB_WIRE_FETCH:
  case SDB_WIRE_PING:
  case SDB_WIRE_AUTH:
    SDB_UNREACHABLE(); /* decode gives a server's messages only */
  }
}

/* A server that says something else before its server_hello has none. */
static void hear(sdb_replica *replica, sdb_wire_type type, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  link->heard_ms = now_ms;
  link->pinged = false;
  if (link->heard) return;
  link->heard = true;
  replica->send_due = true;
  if (type != SDB_WIRE_SERVER_HELLO) sdb_hello_on_silence(replica);
}

void sdb_replica_on_message(sdb_replica *replica, sdb_slice text, uint64_t now_ms) {
  if (replica->link.state != SDB_LINK_OPEN || !replica->loaded) return;
  sdb_wire_message message;
  sdb_error error = {.status = SDB_OK};
  sdb_status status = sdb_wire_decode_server(
      &replica->json, text, (int)replica->options.limits.depth_max, &message, &error);
  if (status == SDB_OK) {
    hear(replica, message.type, now_ms);
    take_message(replica, &message, now_ms);
  } else if (status == SDB_NO_MEMORY) {
    sdb_link_drop(replica, SDB_CLOSE_OVERLOADED, "out of memory", now_ms);
  } else if (status == SDB_UNKNOWN_TYPE) {
    replica->link.heard_ms = now_ms; /* it lives */
    replica->link.pinged = false;
  } else {
    /* What it meant cannot be known, and to go on without it could lose an event. */
    sdb_link_drop(replica, SDB_CLOSE_BAD_MESSAGE, error.message, now_ms);
  }
  if (replica->json.memory.capacity > SDB_REPLICA_JSON_BYTES_KEPT) sdb_json_free(&replica->json);
}

/* ---- time ---- */

void sdb_replica_on_timer(sdb_replica *replica, uint64_t now_ms) {
  sdb_link_on_timer(replica, now_ms);
  if (replica->link.state == SDB_LINK_OPEN) sdb_send_on_timer(replica, now_ms);
}

uint64_t sdb_replica_deadline_ms(const sdb_replica *replica) {
  uint64_t link_ms = sdb_link_deadline_ms(replica), send_ms = sdb_send_deadline_ms(replica);
  uint64_t first_ms = link_ms < send_ms ? link_ms : send_ms, sync_ms = sdb_batch_sync_ms(replica);
  return sync_ms < first_ms ? sync_ms : first_ms;
}

/* ---- the application ---- */

static bool is_create(const sdb_replica *replica, const sdb_replica_request *request) {
  return request->kind == SDB_REPLICA_PUSH && !replica->stores[request->store].singular;
}

/* A create that was seen back meanwhile goes by its object's id. */
static sdb_uuid settle_id(const sdb_replica *replica, sdb_uuid id) {
  bool settled = sdb_uuid_is_nil(id) || sdb_pending_find(replica, id);
  return settled ? id : sdb_pending_created(replica, id);
}

static void begin(sdb_replica *replica, sdb_replica_call *call, uint64_t now_ms) {
  /* A read sees what was committed before it, so what is open goes first. */
  if (!is_create(replica, &call->request)) sdb_batch_close(replica, now_ms);
  if (!replica->loaded) { /* closing it failed */
    sdb_replica_finish(replica, call, SDB_IO);
    return;
  }
  call->request.id = settle_id(replica, call->request.id);
  call->request.before = settle_id(replica, call->request.before);
  switch (call->request.kind) {
  case SDB_REPLICA_PUSH:
  case SDB_REPLICA_UPDATE:
  case SDB_REPLICA_REMOVE:
    sdb_push_begin(replica, call);
    break;
  case SDB_REPLICA_LIST:
    sdb_list_begin(replica, call);
    break;
  case SDB_REPLICA_GET:
  case SDB_REPLICA_SINGULAR:
    sdb_get_begin(replica, call);
    break;
  }
}

bool sdb_replica_request_begin(
    sdb_replica *replica, const sdb_replica_request *request, uint64_t now_ms) {
  SDB_ASSERT(request->store < replica->options.stores_count);
  if (request->object.size > SDB_JSON_SIZE_MAX) return false;
  sdb_replica_call *call = sdb_mem_alloc(replica->mem, sizeof(*call) + request->object.size);
  if (!call) return false;
  memset(call, 0, sizeof(*call));
  call->request = *request;
  call->request.object = sdb_slice_make(call->text, request->object.size);
  if (request->object.size > 0) memcpy(call->text, request->object.data, request->object.size);
  if (replica->loaded) {
    begin(replica, call, now_ms);
  } else {
    wait_for_storage(replica, call);
  }
  return true;
}

void sdb_replica_run_waiting(sdb_replica *replica, uint64_t now_ms) {
  sdb_replica_call *list = replica->waiting;
  replica->waiting = NULL;
  replica->waiting_last = &replica->waiting;
  while (list) {
    sdb_replica_call *next = list->next;
    list->next = NULL;
    begin(replica, list, now_ms);
    list = next;
  }
}

bool sdb_replica_next_unsynced(
    const sdb_replica *replica, const void **cursor, sdb_replica_unsynced *unsynced) {
  const sdb_pending *pending = *cursor ? ((const sdb_pending *)*cursor)->next : replica->first;
  if (!pending) return false;
  *cursor = pending;
  *unsynced = (sdb_replica_unsynced){.client_id = pending->by_client.key,
      .id = pending->by_object.key,
      .store = pending->store,
      .action = (sdb_action)pending->action,
      .object = sdb_slice_make(pending->object, pending->size),
      .created_ms = pending->created_ms,
      .error = sdb_pending_failure(pending)};
  return true;
}

void sdb_replica_get_status(const sdb_replica *replica, sdb_replica_status *status) {
  *status = (sdb_replica_status){.phase = sdb_link_phase(replica),
      .pending = replica->pending_count - replica->failed_count,
      .failed = replica->failed_count,
      .close_code = replica->link.close_code,
      .events_received = replica->link.events_received,
      .problem = replica->link.problem};
  for (size_t i = 0; i < replica->options.stores_count; i++)
    status->stores_synced += replica->link.greeted && replica->stores[i].awaiting == 0;
}
