/* hub/request.c: what the application asks for: changes and reads on behalf of a user.
 *
 * Each request promises one DONE; the node for it is made first, so that it can
 * be given whatever the memory is then.
 */
#include "base/error.h"
#include "hub/state.h"

/* ---- changes ---- */

static sdb_status read_object(sdb_hub *hub, sdb_slice text, sdb_error *error) {
  sdb_status status = sdb_json_scan(&hub->json, text, SDB_JSON_DEPTH_MAX, error);
  if (status == SDB_LIMIT) status = SDB_BAD_JSON;
  if (status != SDB_OK) return status;
  if (sdb_json_at(&hub->json, 0)->type != SDB_JSON_OBJECT)
    return sdb_error_set(error, SDB_INVALID_OBJECT, "not an object", NULL, NULL);
  return SDB_OK;
}

static sdb_status prepare(
    sdb_user *user, const sdb_request *request, uint64_t now_ms, sdb_error *error) {
  sdb_hub *hub = user->hub;
  sdb_buffer_reset(&hub->scratch);
  if (request->kind == SDB_REQUEST_REMOVE) return SDB_OK;
  sdb_status status = read_object(hub, request->object, error);
  if (status != SDB_OK) return status;
  return sdb_hub_prepare_object(hub, request->store, 0, now_ms, error);
}

/* Which object; 0: a new one, or in singular stores the one there is. */
static sdb_status find_object(const sdb_user *user, const sdb_request *request, sdb_seq *object) {
  const sdb_hub *hub = user->hub;
  *object = 0;
  if (!sdb_uuid_is_nil(request->id))
    return sdb_seq_from_uuid(request->id, hub->database, object) ? SDB_OK : SDB_NOT_FOUND;
  bool needed = request->kind == SDB_REQUEST_REMOVE && !sdb_hub_is_singular(hub, request->store);
  return needed ? SDB_NOT_FOUND : SDB_OK;
}

static sdb_action action_of(const sdb_hub *hub, const sdb_request *request, sdb_seq object) {
  if (request->kind == SDB_REQUEST_REMOVE) return SDB_ACTION_DELETE;
  if (object == 0 || sdb_hub_is_singular(hub, request->store)) return SDB_ACTION_CREATE;
  return SDB_ACTION_UPDATE;
}

static void run_change(sdb_user *user, const sdb_request *request, uint64_t now_ms) {
  sdb_hub *hub = user->hub;
  sdb_error error = {.status = SDB_OK};
  sdb_seq object;
  sdb_status status = find_object(user, request, &object);
  if (status == SDB_OK) status = prepare(user, request, now_ms, &error);
  sdb_write_op *op = status == SDB_OK ? sdb_write_new(user, hub->scratch.size) : NULL;
  if (!op) {
    sdb_hub_done(hub, request->tag, status == SDB_OK ? SDB_NO_MEMORY : status, &error);
    return;
  }
  if (hub->scratch.size > 0) memcpy(op->body, hub->scratch.data, hub->scratch.size);
  op->tag = request->tag;
  op->write.store = request->store;
  op->write.action = action_of(hub, request, object);
  op->write.object = op->write.action == SDB_ACTION_CREATE ? 0 : object;
  op->write.want_previous = op->write.action == SDB_ACTION_DELETE;
  sdb_write_stage(op, now_ms);
}

/* ---- reads ---- */

static void run_get(sdb_user *user, const sdb_request *request) {
  sdb_hub *hub = user->hub;
  sdb_seq object = 0;
  if (!sdb_seq_from_uuid(request->id, hub->database, &object)) {
    sdb_hub_done(hub, request->tag, SDB_NOT_FOUND, NULL);
    return;
  }
  sdb_object_op *op = sdb_mem_zero(hub->mem, sizeof(*op));
  if (!op) {
    sdb_hub_done(hub, request->tag, SDB_NO_MEMORY, NULL);
    return;
  }
  op->object.op.kind = SDB_OP_OBJECT;
  op->object.user = user->number;
  op->object.store = request->store;
  op->object.object = object;
  sdb_buffer_init(&op->object.memory, hub->mem, SIZE_MAX);
  op->user = user;
  user->references++;
  op->tag = request->tag;
  sdb_hub_stage(hub, &op->object.op);
}

static void run_list(sdb_user *user, const sdb_request *request) {
  sdb_hub *hub = user->hub;
  sdb_seq before = 0;
  sdb_status status = SDB_OK;
  if (!sdb_uuid_is_nil(request->before) &&
      !sdb_seq_from_uuid(request->before, hub->database, &before))
    status = SDB_INVALID_ARGUMENT;
  sdb_page_op *op = status == SDB_OK ? sdb_mem_zero(hub->mem, sizeof(*op)) : NULL;
  if (!op) {
    sdb_hub_done(hub, request->tag, status == SDB_OK ? SDB_NO_MEMORY : status, NULL);
    return;
  }
  op->page.op.kind = SDB_OP_PAGE;
  op->page.user = user->number;
  op->page.store = request->store;
  op->page.objects_only = true;
  op->page.before = before;
  op->singular = request->kind == SDB_REQUEST_SINGULAR;
  op->page.limit = op->singular ? 1 : request->limit;
  op->page.bytes_max = UINT32_MAX;
  sdb_buffer_init(&op->page.memory, hub->mem, SIZE_MAX);
  op->user = user;
  user->references++;
  op->tag = request->tag;
  sdb_hub_stage(hub, &op->page.op);
}

/* ---- what came back ---- */

static sdb_hub_row row_of(const sdb_hub *hub, const sdb_stored_event *stored) {
  return (sdb_hub_row){
      .id = sdb_hub_uuid(hub, stored->object),
      .event_id = sdb_hub_uuid(hub, stored->seq),
      .client_id = stored->client_id,
      .store = stored->store,
      .object = stored->body,
  };
}

/* A DONE with these rows; the operation, which holds their text, goes with it. */
static void end_read(sdb_hub *hub, sdb_op *op, void *tag, const sdb_stored_event *events,
    size_t count, sdb_status status) {
  sdb_hub_row *rows = NULL;
  if (status == SDB_OK && count > 0) {
    rows = sdb_mem_alloc(hub->mem, sdb_mem_product(count, sizeof(*rows)));
    if (!rows) status = SDB_NO_MEMORY;
  }
  sdb_done *done = sdb_hub_done_new(hub, tag, status);
  done->op = op;
  if (rows) {
    for (size_t i = 0; i < count; i++)
      rows[i] = row_of(hub, &events[i]);
    done->output.rows = rows;
    done->output.rows_count = count;
  }
  sdb_hub_done_queue(hub, done);
}

void sdb_request_on_page(sdb_hub *hub, sdb_page_op *op) {
  sdb_status status = op->page.op.status;
  if (status == SDB_OK && op->page.count == 0 && op->singular) status = SDB_NOT_FOUND;
  end_read(hub, &op->page.op, op->tag, op->page.events, op->page.count, status);
}

void sdb_request_on_object(sdb_hub *hub, sdb_object_op *op) {
  end_read(hub, &op->object.op, op->tag, &op->object.event, 1, op->object.op.status);
}

/* ---- coming in ---- */

void sdb_request_run(sdb_user *user, const sdb_request *request, uint64_t now_ms) {
  switch (request->kind) {
  case SDB_REQUEST_PUT:
  case SDB_REQUEST_REMOVE:
    run_change(user, request, now_ms);
    break;
  case SDB_REQUEST_GET:
    run_get(user, request);
    break;
  case SDB_REQUEST_LIST:
  case SDB_REQUEST_SINGULAR:
    run_list(user, request);
    break;
  default:
    sdb_partial_on_request(user, request, now_ms);
    break;
  }
}

static sdb_slice keep(char **to, sdb_slice text) {
  sdb_slice kept = sdb_slice_make(*to, text.size);
  if (text.size > 0) memcpy(*to, text.data, text.size);
  *to += text.size;
  return kept;
}

/* False: no memory. */
static bool wait_for_user(sdb_user *user, const sdb_request *request) {
  sdb_waiting_request *waiting = sdb_mem_alloc(user->hub->mem,
      sizeof(*waiting) + request->object.size + request->field.size + request->text.size);
  if (!waiting) return false;
  char *to = (char *)(waiting + 1);
  waiting->next = NULL;
  waiting->request = *request;
  waiting->request.user = sdb_slice_make(user->name, user->name_size);
  waiting->request.object = keep(&to, request->object);
  waiting->request.field = keep(&to, request->field);
  waiting->request.text = keep(&to, request->text);
  *user->waiting_last = waiting;
  user->waiting_last = &waiting->next;
  return true;
}

static bool is_valid(const sdb_hub *hub, const sdb_request *request) {
  if (request->user.size == 0 || request->user.size > SDB_USER_NAME_MAX) return false;
  if (request->store >= hub->options.stores_count) return false;
  if (request->kind != SDB_REQUEST_LIST) return true;
  return request->limit > 0 && request->limit <= SDB_LIST_LIMIT_MAX;
}

bool sdb_hub_request(sdb_hub *hub, const sdb_request *request, uint64_t now_ms) {
  if (!sdb_hub_promise_done(hub)) return false;
  if (!is_valid(hub, request)) {
    sdb_hub_done(hub, request->tag, SDB_INVALID_ARGUMENT, NULL);
    return true;
  }
  sdb_user *user = sdb_user_get(hub, request->user);
  if (user && user->state == SDB_USER_READY)
    sdb_request_run(user, request, now_ms);
  else if (!user || !wait_for_user(user, request))
    sdb_hub_done(hub, request->tag, SDB_NO_MEMORY, NULL);
  if (user) sdb_user_release(user);
  return true;
}
