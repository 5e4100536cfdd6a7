/* bindings/wasm/storage.c: see storage.h. js/src/core/storage.ts has the same words.
 *
 * Operations stand in a list until they are answered, oldest first, and have numbers in that order.
 */
#include "storage.h"
#include "write.h"

#define NUMBER_MAX ((uint64_t)1 << 53)

static struct {
  sdb_local_op *first, **last;
  uint32_t number; /* of the first */
  size_t stores_count;
} operations;

static const char *const ACTIONS[] = {"create", "update", "delete"};

/* ---- out ---- */

static void write_state(const sdb_local_state *state) {
  sdb_write_open("state", '{');
  sdb_write_uuid_or_null("head", state->head);
  sdb_write_number("wanted", state->wanted);
  sdb_write_open("missing", '[');
  for (uint32_t i = 0; i < state->missing_count; i++) {
    sdb_write_open(NULL, '[');
    sdb_write_uuid_or_null(NULL, state->missing[i].after);
    sdb_write_uuid_or_null(NULL, state->missing[i].before);
    sdb_write_close(']');
  }
  sdb_write_close(']');
  sdb_write_close('}');
}

static void write_pending(const sdb_local_pending *pending) {
  sdb_write_open("pending", '{');
  sdb_write_number("position", pending->position);
  sdb_write_uuid("clientId", pending->client_id);
  sdb_write_uuid("id", pending->id);
  sdb_write_uuid("depends", pending->depends);
  sdb_write_number("store", pending->store);
  sdb_write_text("action", sdb_slice_of(ACTIONS[pending->action - SDB_ACTION_CREATE]));
  sdb_write_number("createdMs", pending->created_ms);
  if (pending->object.size > 0) sdb_write_text("object", pending->object);
  if (pending->failed != SDB_OK) {
    sdb_write_text("failed", sdb_slice_of(sdb_status_name(pending->failed)));
    sdb_write_text("message", pending->message);
    sdb_write_text("path", pending->path);
  }
  sdb_write_close('}');
}

static void write_change(const sdb_local_change *change) {
  static const char *const KINDS[] = {"put", "remove", "singular", "clear", "forget", "state",
      "database", "pending_put", "pending_drop"};
  bool puts = change->kind == SDB_LOCAL_PUT || change->kind == SDB_LOCAL_SINGULAR;
  sdb_write_open(NULL, '{');
  sdb_write_text("kind", sdb_slice_of(KINDS[change->kind - SDB_LOCAL_PUT]));
  if (change->store == SDB_LOCAL_ANY)
    sdb_write_json("store", sdb_slice_of("-1"));
  else
    sdb_write_number("store", change->store);
  sdb_write_uuid("id", change->id);
  sdb_write_uuid("eventId", change->event_id);
  sdb_write_uuid("clientId", change->client_id);
  if (puts) sdb_write_text("object", change->object);
  sdb_write_flag("keep", change->keep);
  sdb_write_flag("orEqual", change->or_equal);
  if (change->kind == SDB_LOCAL_STATE) write_state(&change->state);
  if (change->kind == SDB_LOCAL_PENDING_PUT) write_pending(change->pending);
  sdb_write_close('}');
}

static void write_commit(const sdb_local_commit *commit) {
  sdb_write_open("changes", '[');
  for (size_t i = 0; i < commit->count; i++) {
    if (commit->changes[i].kind != SDB_LOCAL_VIEW) write_change(&commit->changes[i]);
  }
  sdb_write_close(']');
}

static void write_operation(const sdb_local_op *op, uint32_t number) {
  static const char *const KINDS[] = {"load", "commit", "page", "object", "sync"};
  sdb_write_open(NULL, '{');
  sdb_write_text("type", sdb_slice_of("operation"));
  sdb_write_number("operation", number);
  sdb_write_text("kind", sdb_slice_of(KINDS[op->kind - SDB_LOCAL_LOAD]));
  if (op->kind == SDB_LOCAL_COMMIT) write_commit((const sdb_local_commit *)(const void *)op);
  if (op->kind == SDB_LOCAL_PAGE) {
    const sdb_local_page *page = (const sdb_local_page *)(const void *)op;
    sdb_write_number("store", page->store);
    sdb_write_uuid("before", page->before);
    sdb_write_number("limit", page->limit);
  }
  if (op->kind == SDB_LOCAL_OBJECT) {
    const sdb_local_object *object = (const sdb_local_object *)(const void *)op;
    sdb_write_number("store", object->store);
    sdb_write_uuid("id", object->id);
  }
  sdb_write_close('}');
}

static void submit(void *self, sdb_local_op *list) {
  (void)self;
  uint32_t number = operations.number;
  for (const sdb_local_op *op = operations.first; op; op = op->next)
    number++;
  *operations.last = list;
  for (sdb_local_op *op = list; op; op = op->next) {
    write_operation(op, number++);
    operations.last = &op->next;
  }
}

const sdb_local_port *sdb_wasm_storage(size_t stores_count, bool durable) {
  static const sdb_local_port DURABLE = {1, NULL, true, submit}, MEMORY = {1, NULL, false, submit};
  if (!operations.first) operations.last = &operations.first;
  operations.stores_count = stores_count;
  return durable ? &DURABLE : &MEMORY;
}

/* ---- back ---- */

/* The operation's result is laid out in its memory, which has room for all of it. */
typedef struct place {
  sdb_wasm_reader *reader;
  char *at;
} place;

static void *take_room(place *to, size_t size) {
  void *room = to->at;
  to->at += size;
  return room;
}

static sdb_slice take_text(place *to, uint32_t object, const char *name) {
  sdb_slice text = sdb_read_text(to->reader, object, name);
  if (text.size == 0) return text;
  char *copy = take_room(to, text.size);
  memcpy(copy, text.data, text.size);
  return sdb_slice_make(copy, text.size);
}

/* What `size` bytes of structs and the texts of the input need. False: no memory. */
static bool make_place(place *to, sdb_wasm_reader *reader, sdb_buffer *memory, size_t size) {
  to->reader = reader;
  to->at = sdb_buffer_reserve(memory, size + sdb_json_at(&reader->json, 0)->end + 1);
  return to->at != NULL;
}

static void take_record(place *to, uint32_t at, sdb_local_record *record) {
  record->id = sdb_read_uuid(to->reader, at, "id");
  record->event_id = sdb_read_uuid(to->reader, at, "eventId");
  record->client_id = sdb_read_uuid(to->reader, at, "clientId");
  record->object = take_text(to, at, "object");
}

static sdb_status take_page(sdb_wasm_reader *reader, uint32_t at, sdb_local_page *page) {
  if (!sdb_read_is_array(reader, at, "result")) return SDB_BAD_FORMAT;
  uint32_t count = sdb_json_at(&reader->json, at)->count;
  place to;
  if (!make_place(&to, reader, &page->memory, count * sizeof(sdb_local_record)))
    return SDB_NO_MEMORY;
  sdb_local_record *records = take_room(&to, count * sizeof(*records));
  uint32_t item = at + 1;
  for (uint32_t i = 0; i < count; i++, item = sdb_json_at(&reader->json, item)->next)
    take_record(&to, item, &records[i]);
  page->records = records;
  page->count = count;
  return count > page->limit ? SDB_BAD_FORMAT : SDB_OK;
}

static sdb_status take_object(sdb_wasm_reader *reader, uint32_t at, sdb_local_object *object) {
  place to;
  if (!at) return SDB_NOT_FOUND;
  if (!make_place(&to, reader, &object->memory, 0)) return SDB_NO_MEMORY;
  take_record(&to, at, &object->record);
  return SDB_OK;
}

static sdb_status take_applied(sdb_wasm_reader *reader, uint32_t at, sdb_local_commit *commit) {
  if (!sdb_read_is_array(reader, at, "result")) return SDB_BAD_FORMAT;
  uint32_t item = at + 1, end = sdb_json_at(&reader->json, at)->next;
  for (size_t i = 0; i < commit->count; i++) {
    sdb_local_change *change = &commit->changes[i];
    if (change->kind == SDB_LOCAL_VIEW) continue;
    if (item >= end) return SDB_BAD_FORMAT;
    change->applied = sdb_read_flag(reader, item, "applied");
    if (change->store == SDB_LOCAL_ANY && change->applied)
      change->store = (uint16_t)sdb_read_number(
          reader, item, "store", operations.stores_count - 1, SDB_LOCAL_ANY);
    item = sdb_json_at(&reader->json, item)->next;
  }
  return SDB_OK;
}

/* ---- what is loaded ---- */

/* Ranges are newest first, apart from one another, and none is empty. */
static bool take_ranges(place *to, uint32_t list, sdb_local_state *state) {
  const sdb_json *json = &to->reader->json;
  if (!sdb_read_is_array(to->reader, list, "missing")) return false;
  uint32_t count = sdb_json_at(json, list)->count;
  if (count > SDB_LOCAL_RANGES_MAX) return false;
  sdb_id_range *ranges = take_room(to, count * sizeof(*ranges));
  uint32_t item = list + 1;
  for (uint32_t i = 0; i < count; i++, item = sdb_json_at(json, item)->next) {
    if (sdb_json_at(json, item)->type != SDB_JSON_ARRAY ||
        sdb_json_at(json, item)->next != item + 3)
      return false;
    ranges[i].after = sdb_read_uuid_at(to->reader, item + 1, "missing");
    ranges[i].before = sdb_read_uuid_at(to->reader, item + 2, "missing");
    if (memcmp(&ranges[i].before, &ranges[i].after, sizeof(sdb_uuid)) <= 0) return false;
    if (i > 0 && memcmp(&ranges[i - 1].after, &ranges[i].before, sizeof(sdb_uuid)) < 0)
      return false;
  }
  state->missing = ranges;
  state->missing_count = count;
  return true;
}

static bool take_states(place *to, uint32_t list, sdb_local_state *states) {
  const sdb_json *json = &to->reader->json;
  uint32_t item = list + 1;
  for (size_t i = 0; i < operations.stores_count; i++, item = sdb_json_at(json, item)->next) {
    states[i].head = sdb_read_uuid(to->reader, item, "head");
    states[i].wanted = (uint32_t)sdb_read_number(to->reader, item, "wanted", UINT32_MAX, 0);
    uint32_t missing = sdb_read_member(to->reader, item, "missing");
    if (!missing || !take_ranges(to, missing, &states[i])) return false;
  }
  return true;
}

static sdb_status status_of(sdb_slice name) {
  for (int status = SDB_UNAVAILABLE; status < SDB_OK; status++) {
    if (sdb_slice_equal(name, sdb_slice_of(sdb_status_name((sdb_status)status))))
      return (sdb_status)status;
  }
  return SDB_IO;
}

static void take_pending(place *to, uint32_t at, sdb_local_pending *pending) {
  sdb_wasm_reader *reader = to->reader;
  pending->position = sdb_read_number(reader, at, "position", NUMBER_MAX, 0);
  pending->client_id = sdb_read_uuid(reader, at, "clientId");
  pending->id = sdb_read_uuid(reader, at, "id");
  pending->depends = sdb_read_uuid(reader, at, "depends");
  pending->store = (uint16_t)sdb_read_number(reader, at, "store", UINT16_MAX, UINT16_MAX);
  pending->action =
      (sdb_action)(SDB_ACTION_CREATE + sdb_read_name(reader, at, "action", ACTIONS, 3));
  pending->created_ms = sdb_read_number(reader, at, "createdMs", NUMBER_MAX, 0);
  pending->object = take_text(to, at, "object");
  pending->message = take_text(to, at, "message");
  pending->path = take_text(to, at, "path");
  sdb_slice failed = sdb_read_text(reader, at, "failed");
  pending->failed = failed.size > 0 ? status_of(failed) : SDB_OK;
}

/* Positions ascend: the replica numbers what follows from the last on. */
static bool take_pushes(place *to, uint32_t list, sdb_local_pending *pushes, uint32_t count) {
  uint32_t item = list + 1;
  for (uint32_t i = 0; i < count; i++, item = sdb_json_at(&to->reader->json, item)->next) {
    take_pending(to, item, &pushes[i]);
    if (pushes[i].position <= (i > 0 ? pushes[i - 1].position : 0)) return false;
  }
  return true;
}

static sdb_status take_load(sdb_wasm_reader *reader, uint32_t at, sdb_local_load *load) {
  const sdb_json *json = &reader->json;
  uint32_t states_at = sdb_read_member(reader, at, "states");
  uint32_t pending_at = sdb_read_member(reader, at, "pending");
  if (!sdb_read_is_array(reader, states_at, "states") ||
      !sdb_read_is_array(reader, pending_at, "pending"))
    return SDB_BAD_FORMAT;
  if (sdb_json_at(json, states_at)->count != operations.stores_count) return SDB_BAD_FORMAT;
  uint32_t count = sdb_json_at(json, pending_at)->count;
  size_t states_size = operations.stores_count * sizeof(sdb_local_state);
  size_t pending_size = count * sizeof(sdb_local_pending);
  size_t ranges_size = json->count / 3 * sizeof(sdb_id_range); /* each is three values */
  place to;
  if (!make_place(&to, reader, &load->memory, states_size + pending_size + ranges_size))
    return SDB_NO_MEMORY;
  sdb_local_state *states = take_room(&to, states_size);
  sdb_local_pending *pending = take_room(&to, pending_size);
  load->database = sdb_read_uuid(reader, at, "database");
  load->states = states;
  load->pending = pending;
  load->pending_count = count;
  bool whole = take_states(&to, states_at, states) && take_pushes(&to, pending_at, pending, count);
  return whole ? SDB_OK : SDB_BAD_FORMAT;
}

/* ---- completing ---- */

static sdb_status take_result(sdb_wasm_reader *reader, sdb_local_op *op) {
  sdb_slice error = sdb_read_text(reader, 0, "error");
  if (error.size > 0) return status_of(error);
  uint32_t at = sdb_read_member(reader, 0, "result");
  if (reader->failed) return SDB_BAD_FORMAT;
  if (!at && op->kind != SDB_LOCAL_OBJECT && op->kind != SDB_LOCAL_SYNC) return SDB_BAD_FORMAT;
  switch (op->kind) {
  case SDB_LOCAL_LOAD:
    return take_load(reader, at, (sdb_local_load *)(void *)op);
  case SDB_LOCAL_COMMIT:
    return take_applied(reader, at, (sdb_local_commit *)(void *)op);
  case SDB_LOCAL_PAGE:
    return take_page(reader, at, (sdb_local_page *)(void *)op);
  case SDB_LOCAL_OBJECT:
    return take_object(reader, at, (sdb_local_object *)(void *)op);
  case SDB_LOCAL_SYNC:
    return SDB_OK;
  }
  SDB_UNREACHABLE();
}

bool sdb_wasm_complete(
    sdb_replica *replica, sdb_wasm_reader *reader, uint32_t number, uint64_t now_ms) {
  sdb_local_op *op = operations.first;
  if (!op || number != operations.number) return false;
  operations.number++;
  operations.first = op->next;
  if (!op->next) operations.last = &operations.first;
  op->next = NULL;
  op->status = take_result(reader, op);
  if (op->status == SDB_OK && reader->failed) op->status = SDB_BAD_FORMAT;
  sdb_replica_on_completed(replica, op, now_ms);
  return true;
}
