/* hub/partial.c: objects that are being made (protocol.md section 4, partial).
 *
 * The text is kept in two pieces, cut inside the string that grows (state.h), so
 * an append costs what it appends, and what a peer that accepts appends is sent
 * is `head` from where it was sent last. What changes in a turn is sent once, at
 * its end; a peer over the soft limit is left out until it drained: both fold.
 */
#include "base/error.h"
#include "base/planted.h"
#include "hub/state.h"

/* ---- life ---- */

static void free_texts(sdb_partial_text *text) {
  sdb_buffer_free(&text->head);
  sdb_buffer_free(&text->tail);
  sdb_buffer_free(&text->field);
}

static sdb_hub_partial *find(const sdb_user *user, uint64_t handle) {
  sdb_hub_partial *partial = user->partials;
  while (partial && partial->handle != handle)
    partial = partial->next;
  return partial;
}

static sdb_hub_partial *create(sdb_user *user, const sdb_request *request, uint64_t now_ms) {
  sdb_hub *hub = user->hub;
  sdb_hub_partial *partial = sdb_mem_zero(hub->mem, sizeof(*partial));
  if (!partial) return NULL;
  partial->user = user;
  user->references++;
  partial->handle = request->partial;
  partial->store = request->store;
  partial->created_ms = now_ms;
  sdb_buffer_init(&partial->text.head, hub->mem, SIZE_MAX);
  sdb_buffer_init(&partial->text.tail, hub->mem, SIZE_MAX);
  sdb_buffer_init(&partial->text.field, hub->mem, SIZE_MAX);
  partial->next = user->partials;
  user->partials = partial;
  user->partials_count++;
  hub->stats.partials++;
  return partial;
}

static void leave_dirty(sdb_hub_partial *partial) {
  sdb_hub_partial **at = &partial->user->hub->dirty;
  while (*at != partial)
    at = &(*at)->dirty_next;
  *at = partial->dirty_next;
  partial->dirty = false;
}

void sdb_partial_free(sdb_hub_partial *partial) {
  sdb_user *user = partial->user;
  sdb_hub *hub = user->hub;
  sdb_hub_partial **at = &user->partials;
  while (*at != partial)
    at = &(*at)->next;
  *at = partial->next;
  user->partials_count--;
  hub->stats.partials--;
  if (partial->dirty) leave_dirty(partial);
  free_texts(&partial->text);
  sdb_mem_free(hub->mem, partial->views);
  sdb_mem_free(hub->mem, partial);
  sdb_user_release(user);
}

static void mark_dirty(sdb_hub_partial *partial) {
  if (partial->dirty) return;
  sdb_hub *hub = partial->user->hub;
  partial->dirty = true;
  partial->dirty_next = hub->dirty;
  hub->dirty = partial;
}

/* ---- the text ---- */

static size_t text_size(const sdb_hub_partial *partial) {
  return partial->text.head.size + partial->text.tail.size;
}

/* Leaves the whole text in hub->scratch. */
static sdb_status join(sdb_hub_partial *partial) {
  sdb_buffer *scratch = &partial->user->hub->scratch;
  sdb_buffer_reset(scratch);
  sdb_buffer_append_slice(scratch, sdb_buffer_slice(&partial->text.head));
  sdb_buffer_append_slice(scratch, sdb_buffer_slice(&partial->text.tail));
  return scratch->status == SDB_OK ? SDB_OK : SDB_NO_MEMORY;
}

/* Puts `whole` in place of what there is, cut at `at` for appends to `field`. */
static sdb_status put_text(sdb_hub_partial *partial, sdb_slice whole, size_t at, sdb_slice field) {
  const sdb_mem *mem = partial->user->hub->mem;
  sdb_partial_text text;
  sdb_buffer_init(&text.head, mem, SIZE_MAX);
  sdb_buffer_init(&text.tail, mem, SIZE_MAX);
  sdb_buffer_init(&text.field, mem, SIZE_MAX);
  sdb_buffer_append(&text.head, whole.data, at);
  sdb_buffer_append(&text.tail, whole.data + at, whole.size - at);
  sdb_buffer_append_slice(&text.field, field);
  if (text.head.status != SDB_OK || text.tail.status != SDB_OK || text.field.status != SDB_OK) {
    free_texts(&text);
    return SDB_NO_MEMORY;
  }
  free_texts(&partial->text);
  partial->text = text;
  partial->generation++;
  return SDB_OK;
}

static sdb_status check_keys(const sdb_json *json, sdb_error *error) {
  uint32_t at = 1;
  for (uint32_t i = 0; i < sdb_json_at(json, 0)->count; i++) {
    sdb_slice key = sdb_json_text(json, at);
    if (key.size > 0 && key.data[0] == '$' &&
        !sdb_json_string_is(json, at, sdb_slice_of("$createdAt")))
      return sdb_error_set(
          error, SDB_INVALID_OBJECT, "keys that begin with $ are the protocol's", NULL, NULL);
    at = sdb_json_at(json, at + 1)->next;
  }
  return SDB_OK;
}

/* A whole object, from the application: JSON, not too large, no key of the protocol's. */
static sdb_status set_object(sdb_hub_partial *partial, sdb_slice text, sdb_error *error) {
  sdb_hub *hub = partial->user->hub;
  if (text.size > hub->limits.object_bytes_max)
    return sdb_error_set(error, SDB_TOO_LARGE, sdb_status_text(SDB_TOO_LARGE), NULL, NULL);
  sdb_status status = sdb_json_scan(&hub->json, text, SDB_JSON_DEPTH_MAX, error);
  if (status == SDB_LIMIT) status = SDB_BAD_JSON;
  if (status != SDB_OK) return status;
  if (sdb_json_at(&hub->json, 0)->type != SDB_JSON_OBJECT)
    return sdb_error_set(error, SDB_INVALID_OBJECT, "not an object", NULL, NULL);
  status = check_keys(&hub->json, error);
  if (status != SDB_OK) return status;
  sdb_buffer_reset(&hub->scratch);
  status = sdb_wire_object_write(&hub->scratch, &hub->json, 0, partial->created_ms, error);
  if (status == SDB_OK && hub->scratch.status != SDB_OK) status = SDB_NO_MEMORY;
  if (status != SDB_OK) return status;
  sdb_slice whole = sdb_buffer_slice(&hub->scratch);
  status = put_text(partial, whole, whole.size - 1, (sdb_slice){NULL, 0});
  if (status == SDB_OK) partial->failed = SDB_OK;
  return status;
}

/* Cuts the text inside the string `field`. Those who have all of it are still up to date. */
static sdb_status cut_at(sdb_hub_partial *partial, sdb_slice field) {
  sdb_hub *hub = partial->user->hub;
  size_t head_size = partial->text.head.size;
  sdb_error error;
  if (join(partial) != SDB_OK) return SDB_NO_MEMORY;
  sdb_slice text = sdb_buffer_slice(&hub->scratch);
  sdb_status status = sdb_json_scan(&hub->json, text, SDB_JSON_DEPTH_MAX, &error);
  if (status != SDB_OK) return status == SDB_NO_MEMORY ? status : SDB_INVALID_OBJECT;
  uint32_t at = sdb_json_member(&hub->json, 0, field);
  if (at == 0 || sdb_json_at(&hub->json, at)->type != SDB_JSON_STRING) return SDB_INVALID_OBJECT;
  size_t cut = sdb_json_at(&hub->json, at)->end;
  uint32_t before = partial->generation;
  status = put_text(partial, text, cut, field);
  for (uint32_t i = 0; i < partial->views_count; i++) {
    sdb_view *view = &partial->views[i];
    if (status == SDB_OK && view->generation == before && view->sent == head_size)
      *view = (sdb_view){view->peer, partial->generation, partial->text.head.size};
  }
  return status;
}

static sdb_status append(sdb_hub_partial *partial, sdb_slice field, sdb_slice text) {
  sdb_hub *hub = partial->user->hub;
  if (!sdb_utf8_valid(text) || field.size == 0 || field.data[0] == '$') return SDB_INVALID_OBJECT;
  if (!sdb_slice_equal(field, sdb_buffer_slice(&partial->text.field))) {
    sdb_status status = cut_at(partial, field);
    if (status != SDB_OK) return status;
  }
  sdb_buffer *scratch = &hub->scratch;
  sdb_buffer_reset(scratch);
  sdb_json_write_string(scratch, text);
  if (scratch->status != SDB_OK) return SDB_NO_MEMORY;
  size_t size = scratch->size - 2; /* without the quotes */
  if (text_size(partial) + size > hub->limits.object_bytes_max) return SDB_TOO_LARGE;
  sdb_buffer_append(&partial->text.head, scratch->data + 1, size);
  if (partial->text.head.status == SDB_OK) return SDB_OK;
  partial->text.head.status = SDB_OK; /* nothing was appended, the text still stands */
  return SDB_NO_MEMORY;
}

/* ---- to the devices ---- */

/* The frames of one emission, made when first needed and shared by those who need the same. */
typedef struct emission {
  sdb_hub_partial *partial;
  sdb_frames *whole, *delta;
  size_t delta_from;
} emission;

static sdb_frames *whole_frames(emission *e) {
  sdb_hub_partial *partial = e->partial;
  sdb_hub *hub = partial->user->hub;
  if (!e->whole && join(partial) == SDB_OK) {
    sdb_wire_partial(&hub->run, sdb_hub_store_name(hub, partial->store),
        sdb_hub_uuid(hub, partial->seq), sdb_buffer_slice(&hub->scratch));
    e->whole = sdb_hub_take_frames(hub);
  }
  return e->whole;
}

static sdb_frames *delta_frames(emission *e, size_t from) {
  sdb_hub_partial *partial = e->partial;
  sdb_hub *hub = partial->user->hub;
  if (e->delta && e->delta_from == from) return e->delta;
  if (e->delta) sdb_frames_release(e->delta);
  sdb_wire_partial_append(&hub->run, sdb_hub_store_name(hub, partial->store),
      sdb_hub_uuid(hub, partial->seq), sdb_buffer_slice(&partial->text.field),
      sdb_slice_make(partial->text.head.data + from, partial->text.head.size - from));
  e->delta = sdb_hub_take_frames(hub);
  e->delta_from = from;
  return e->delta;
}

static void end_emission(emission *e) {
  if (e->whole) sdb_frames_release(e->whole);
  if (e->delta) sdb_frames_release(e->delta);
}

static sdb_view *view_of(sdb_hub_partial *partial, sdb_peer *peer) {
  for (uint32_t i = 0; i < partial->views_count; i++) {
    if (partial->views[i].peer == peer) return &partial->views[i];
  }
  if (partial->views_count == partial->views_capacity) {
    uint32_t capacity = partial->views_capacity ? partial->views_capacity * 2 : 2;
    sdb_view *views =
        sdb_mem_resize(peer->hub->mem, partial->views, sdb_mem_product(capacity, sizeof(*views)));
    if (!views) return NULL;
    partial->views = views;
    partial->views_capacity = capacity;
  }
  sdb_view *view = &partial->views[partial->views_count++];
  *view = (sdb_view){peer, 0, 0};
  return view;
}

static void show(emission *e, sdb_peer *peer) {
  sdb_hub_partial *partial = e->partial;
  sdb_hub *hub = peer->hub;
  if (peer->state != SDB_PEER_LIVE || partial->seq == 0) return;
  sdb_view *view = view_of(partial, peer);
  if (!view) return; /* without memory it gets the update at the end */
  bool continues = view->generation == partial->generation;
  if (continues && view->sent == partial->text.head.size) return;
  if (peer->output_level >= hub->limits.output_soft_bytes) {
    hub->stats.partials_folded++;
    if (SDB_PLANTED(FOLD_LOSES)) view->sent = partial->text.head.size;
    return;
  }
  sdb_frames *frames =
      continues && peer->accepts_append ? delta_frames(e, view->sent) : whole_frames(e);
  if (!frames) return;
  view->generation = partial->generation;
  view->sent = partial->text.head.size;
  hub->stats.partials_sent++;
  sdb_hub_send(peer, frames);
}

void sdb_partials_emit(sdb_hub *hub) {
  while (hub->dirty) {
    sdb_hub_partial *partial = hub->dirty;
    hub->dirty = partial->dirty_next;
    partial->dirty = false;
    emission e = {.partial = partial};
    for (sdb_peer *peer = partial->user->peers; peer; peer = peer->user_next)
      show(&e, peer);
    end_emission(&e);
  }
}

void sdb_partials_catch_up(sdb_peer *peer) {
  for (sdb_hub_partial *partial = peer->user->partials; partial; partial = partial->next) {
    emission e = {.partial = partial};
    show(&e, peer);
    end_emission(&e);
  }
}

void sdb_partials_forget_peer(sdb_peer *peer) {
  for (sdb_hub_partial *partial = peer->user->partials; partial; partial = partial->next) {
    for (uint32_t i = 0; i < partial->views_count; i++) {
      if (partial->views[i].peer != peer) continue;
      partial->views[i] = partial->views[--partial->views_count];
      break;
    }
  }
}

/* A remove without an event id, to those who were shown something. */
static void tell_given_up(sdb_hub_partial *partial) {
  sdb_hub *hub = partial->user->hub;
  sdb_wire_event event = {
      .store = sdb_hub_store_name(hub, partial->store),
      .id = sdb_hub_uuid(hub, partial->seq),
  };
  sdb_frames *frames = NULL;
  for (uint32_t i = 0; i < partial->views_count; i++) {
    if (partial->views[i].generation == 0) continue;
    if (!frames) {
      sdb_wire_event_write(&hub->run, &event);
      frames = sdb_hub_take_frames(hub);
    }
    sdb_hub_send(partial->views[i].peer, frames);
  }
  if (frames) sdb_frames_release(frames);
}

/* ---- requests ---- */

static sdb_status reserve(sdb_hub_partial *partial, void *tag, uint64_t now_ms) {
  sdb_hub *hub = partial->user->hub;
  sdb_reserve_op *op = sdb_mem_zero(hub->mem, sizeof(*op));
  if (!op) return SDB_NO_MEMORY;
  op->reserve.op.kind = SDB_OP_RESERVE;
  op->reserve.now_ms = now_ms;
  op->partial = partial;
  op->tag = tag;
  sdb_hub_stage(hub, &op->reserve.op);
  return SDB_OK;
}

static sdb_status check_begin(const sdb_user *user, const sdb_request *request, sdb_error *error) {
  const sdb_hub *hub = user->hub;
  if (sdb_hub_is_singular(hub, request->store))
    return sdb_error_set(
        error, SDB_INVALID_ARGUMENT, "a singular store has no partials", NULL, NULL);
  if (find(user, request->partial))
    return sdb_error_set(error, SDB_CONFLICT, "a partial of this handle is open", NULL, NULL);
  if (user->partials_count >= hub->limits.partials_per_user)
    return sdb_error_set(error, SDB_LIMIT, "the user has too many open partials", NULL, NULL);
  return SDB_OK;
}

static void begin(sdb_user *user, const sdb_request *request, uint64_t now_ms) {
  sdb_error error = {.status = SDB_OK};
  sdb_status status = check_begin(user, request, &error);
  sdb_hub_partial *partial = status == SDB_OK ? create(user, request, now_ms) : NULL;
  if (status == SDB_OK)
    status = partial ? set_object(partial, request->object, &error) : SDB_NO_MEMORY;
  if (status == SDB_OK) status = reserve(partial, request->tag, now_ms);
  if (status == SDB_OK) return;
  if (partial) sdb_partial_free(partial);
  sdb_hub_done(user->hub, request->tag, status, &error);
}

void sdb_partial_on_reserved(sdb_hub *hub, sdb_reserve_op *op) {
  sdb_hub_partial *partial = op->partial;
  sdb_status status = op->reserve.op.status;
  sdb_done *done = sdb_hub_done_new(hub, op->tag, status);
  if (status == SDB_OK) done->output.row.id = sdb_hub_uuid(hub, op->reserve.seq);
  sdb_hub_done_queue(hub, done);
  if (status != SDB_OK || partial->aborted) {
    sdb_partial_free(partial);
  } else {
    partial->seq = op->reserve.seq;
    mark_dirty(partial);
  }
  sdb_mem_free(hub->mem, op);
}

static sdb_status stage_commit(
    sdb_hub_partial *partial, void *tag, uint64_t now_ms, sdb_error *error) {
  sdb_user *user = partial->user;
  sdb_hub *hub = user->hub;
  if (join(partial) != SDB_OK)
    return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  sdb_slice text = sdb_buffer_slice(&hub->scratch);
  sdb_status status = sdb_json_scan(&hub->json, text, SDB_JSON_DEPTH_MAX, error);
  if (status == SDB_OK)
    status = sdb_store_check_schema(hub->options.stores[partial->store], &hub->json, 0, error);
  if (status != SDB_OK) return status;
  sdb_write_op *op = sdb_write_new(user, text.size);
  if (!op) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  memcpy(op->body, text.data, text.size);
  op->tag = tag;
  op->partial = partial;
  op->write.store = partial->store;
  op->write.action = SDB_ACTION_CREATE;
  op->write.reserved = true;
  op->write.object = partial->seq;
  partial->committing = true;
  sdb_write_stage(op, now_ms);
  return SDB_OK;
}

static void commit(sdb_hub_partial *partial, const sdb_request *request, uint64_t now_ms) {
  sdb_hub *hub = partial->user->hub;
  sdb_error error = {.status = SDB_OK};
  sdb_status status = SDB_OK;
  if (request->object.size > 0) {
    status = set_object(partial, request->object, &error);
    if (status == SDB_OK) mark_dirty(partial);
  }
  if (status == SDB_OK && partial->failed != SDB_OK)
    status = sdb_error_set(&error, partial->failed,
        "an earlier append failed: ", sdb_status_text(partial->failed), NULL);
  if (status == SDB_OK && partial->seq == 0)
    status = sdb_error_set(&error, SDB_CONFLICT, "its id is not reserved yet", NULL, NULL);
  if (status == SDB_OK) status = stage_commit(partial, request->tag, now_ms, &error);
  if (status != SDB_OK) sdb_hub_done(hub, request->tag, status, &error);
}

static void give_up(sdb_hub_partial *partial) {
  tell_given_up(partial);
  sdb_partial_free(partial);
}

void sdb_partial_on_written(sdb_hub_partial *partial, sdb_status status) {
  partial->committing = false;
  if (status == SDB_OK && !SDB_PLANTED(PARTIAL_STAYS))
    sdb_partial_free(partial);
  else if (partial->aborted)
    give_up(partial);
}

/* What is at the storage is waited for. */
static void abort_partial(sdb_hub_partial *partial) {
  if (partial->seq == 0 || partial->committing)
    partial->aborted = true;
  else
    give_up(partial);
}

static sdb_status change(sdb_hub_partial *partial, const sdb_request *request, sdb_error *error) {
  sdb_status status = request->kind == SDB_REQUEST_PARTIAL_SET
                          ? set_object(partial, request->object, error)
                          : append(partial, request->field, request->text);
  if (status == SDB_OK)
    mark_dirty(partial);
  else
    partial->failed = status;
  return status;
}

void sdb_partial_on_request(sdb_user *user, const sdb_request *request, uint64_t now_ms) {
  if (request->kind == SDB_REQUEST_PARTIAL_BEGIN) {
    begin(user, request, now_ms);
    return;
  }
  sdb_hub_partial *partial = find(user, request->partial);
  sdb_error error = {.status = SDB_OK};
  sdb_status status = SDB_OK;
  if (!partial || partial->aborted) {
    status = SDB_CLOSED;
  } else if (request->kind == SDB_REQUEST_PARTIAL_ABORT) {
    abort_partial(partial);
  } else if (partial->committing) {
    status = SDB_CONFLICT;
  } else if (request->kind == SDB_REQUEST_PARTIAL_COMMIT) {
    commit(partial, request, now_ms);
    return;
  } else {
    status = change(partial, request, &error);
  }
  sdb_hub_done(user->hub, request->tag, status, &error);
}
