/* bindings/wasm/storage.c: see storage.h. js/src/core/storage.ts has the same words.
 *
 * Operations stand in a list until they are answered, oldest first, and have numbers in that order.
 */
#include "storage.h"
#include "fields.h"
#include "memory.h"
#include "write.h"

#define JSON_BYTES_KEPT ((size_t)1 << 20) /* of an answer's tokens, for the next */

static struct {
  sdb_local_op *first, **last;
  uint32_t number; /* of the first */
  size_t stores_count;
} operations;

static const char *const ACTIONS[] = {"create", "update", "delete"};

#define OF_PENDING(member) offsetof(sdb_local_pending, member)
static const sdb_field_row PENDING[] = {
    {"position", OF_PENDING(position), SDB_FIELD_U64},
    {"clientId", OF_PENDING(client_id), SDB_FIELD_UUID},
    {"id", OF_PENDING(id), SDB_FIELD_UUID},
    {"depends", OF_PENDING(depends), SDB_FIELD_UUID},
    {"store", OF_PENDING(store), SDB_FIELD_U16},
    {"createdMs", OF_PENDING(created_ms), SDB_FIELD_U64},
    {"object", OF_PENDING(object), SDB_FIELD_TEXT},
    {"message", OF_PENDING(message), SDB_FIELD_TEXT},
    {"path", OF_PENDING(path), SDB_FIELD_TEXT},
};

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
  sdb_fields_write(SDB_FIELDS(PENDING), pending);
  sdb_write_text("action", sdb_slice_of(ACTIONS[pending->action - SDB_ACTION_CREATE]));
  if (pending->failed != SDB_OK)
    sdb_write_text("failed", sdb_slice_of(sdb_status_name(pending->failed)));
  sdb_write_close('}');
}

static void write_change(const sdb_local_change *change) {
  static const char *const KINDS[] = {"put", "remove", "singular", "clear", "forget", "state",
      "database", "pending_put", "pending_drop"};
  static const sdb_field_row ROWS[] = {
      {"id", offsetof(sdb_local_change, id), SDB_FIELD_UUID},
      {"eventId", offsetof(sdb_local_change, event_id), SDB_FIELD_UUID},
      {"clientId", offsetof(sdb_local_change, client_id), SDB_FIELD_UUID},
      {"keep", offsetof(sdb_local_change, keep), SDB_FIELD_FLAG},
      {"orEqual", offsetof(sdb_local_change, or_equal), SDB_FIELD_FLAG},
  };
  sdb_write_open(NULL, '{');
  sdb_write_text("kind", sdb_slice_of(KINDS[change->kind - SDB_LOCAL_PUT]));
  if (change->store == SDB_LOCAL_ANY)
    sdb_write_json("store", sdb_slice_of("-1"));
  else
    sdb_write_number("store", change->store);
  sdb_fields_write(SDB_FIELDS(ROWS), change);
  if (change->kind == SDB_LOCAL_PUT || change->kind == SDB_LOCAL_SINGULAR)
    sdb_write_text("object", change->object);
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
  static const sdb_field_row PAGE[] = {
      {"store", offsetof(sdb_local_page, store), SDB_FIELD_U16},
      {"before", offsetof(sdb_local_page, before), SDB_FIELD_UUID},
      {"limit", offsetof(sdb_local_page, limit), SDB_FIELD_U32},
  };
  static const sdb_field_row OBJECT[] = {
      {"store", offsetof(sdb_local_object, store), SDB_FIELD_U16},
      {"id", offsetof(sdb_local_object, id), SDB_FIELD_UUID},
  };
  sdb_write_open(NULL, '{');
  sdb_write_text("type", sdb_slice_of("operation"));
  sdb_write_number("operation", number);
  sdb_write_text("kind", sdb_slice_of(KINDS[op->kind - SDB_LOCAL_LOAD]));
  if (op->kind == SDB_LOCAL_COMMIT) write_commit((const sdb_local_commit *)(const void *)op);
  if (op->kind == SDB_LOCAL_PAGE) sdb_fields_write(SDB_FIELDS(PAGE), op);
  if (op->kind == SDB_LOCAL_OBJECT) sdb_fields_write(SDB_FIELDS(OBJECT), op);
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

/* The answer, copied to the operation's memory so that its texts stay, and room behind it for the
 * structs, which are never larger than twice what they are read from. */
typedef struct place {
  sdb_json json;
  char *at, *end;
} place;

/* Zeroed; NULL: more than there can be, for it is not what was written. */
static void *take_room(place *to, size_t count, size_t size) {
  if (count > (size_t)(to->end - to->at) / size) return NULL;
  void *room = to->at;
  to->at += (count * size + 7) / 8 * 8;
  memset(room, 0, count * size);
  return room;
}

static bool is_array(const sdb_json *json, uint32_t at) {
  return sdb_json_at(json, at)->type == SDB_JSON_ARRAY;
}

static bool take_record(place *to, uint32_t at, sdb_local_record *record) {
  static const sdb_field_row ROWS[] = {
      {"id", offsetof(sdb_local_record, id), SDB_FIELD_UUID},
      {"eventId", offsetof(sdb_local_record, event_id), SDB_FIELD_UUID},
      {"clientId", offsetof(sdb_local_record, client_id), SDB_FIELD_UUID},
      {"object", offsetof(sdb_local_record, object), SDB_FIELD_TEXT},
  };
  memset(record, 0, sizeof(*record));
  return sdb_fields_read(SDB_FIELDS(ROWS), &to->json, at, record);
}

static bool take_page(place *to, uint32_t at, sdb_local_page *page) {
  uint32_t count = sdb_json_at(&to->json, at)->count;
  if (!is_array(&to->json, at) || count > page->limit) return false;
  sdb_local_record *records = take_room(to, count, sizeof(*records));
  if (!records) return false;
  for (uint32_t i = 0, item = at + 1; i < count; i++, item = sdb_json_at(&to->json, item)->next) {
    if (!take_record(to, item, &records[i])) return false;
  }
  page->records = records;
  page->count = count;
  return true;
}

/* What became of each change that was written. */
static bool take_applied(const sdb_json *json, uint32_t at, sdb_local_commit *commit) {
  static const sdb_field_row ROWS[] = {
      {"applied", offsetof(sdb_local_change, applied), SDB_FIELD_FLAG},
      {"store", offsetof(sdb_local_change, store), SDB_FIELD_U16},
  };
  uint32_t item = at + 1, end = sdb_json_at(json, at)->next;
  if (!is_array(json, at)) return false;
  for (size_t i = 0; i < commit->count; i++) {
    sdb_local_change *change = &commit->changes[i];
    if (change->kind == SDB_LOCAL_VIEW) continue;
    uint16_t store = change->store;
    if (item >= end || !sdb_fields_read(SDB_FIELDS(ROWS), json, item, change)) return false;
    if (store != SDB_LOCAL_ANY) change->store = store;
    if (change->store != SDB_LOCAL_ANY && change->store >= operations.stores_count) return false;
    item = sdb_json_at(json, item)->next;
  }
  return true;
}

/* ---- what is loaded ---- */

/* Ranges are newest first, apart from one another, and none is empty. */
static bool take_ranges(place *to, uint32_t list, sdb_local_state *state) {
  const sdb_json *json = &to->json;
  uint32_t count = sdb_json_at(json, list)->count;
  if (!is_array(json, list) || count > SDB_LOCAL_RANGES_MAX) return false;
  sdb_id_range *ranges = take_room(to, count, sizeof(*ranges));
  if (!ranges) return false;
  for (uint32_t i = 0, item = list + 1; i < count; i++, item += 3) {
    sdb_id_range *range = &ranges[i];
    if (!is_array(json, item) || sdb_json_at(json, item)->next != item + 3 ||
        !sdb_fields_read_uuid(json, item + 1, &range->after) ||
        !sdb_fields_read_uuid(json, item + 2, &range->before))
      return false;
    if (memcmp(&range->before, &range->after, sizeof(sdb_uuid)) <= 0) return false;
    if (i > 0 && memcmp(&range[-1].after, &range->before, sizeof(sdb_uuid)) < 0) return false;
  }
  state->missing = ranges;
  state->missing_count = count;
  return true;
}

static bool take_states(place *to, uint32_t list, sdb_local_load *load) {
  static const sdb_field_row ROWS[] = {
      {"head", offsetof(sdb_local_state, head), SDB_FIELD_UUID},
      {"wanted", offsetof(sdb_local_state, wanted), SDB_FIELD_U32},
  };
  size_t count = operations.stores_count;
  if (!is_array(&to->json, list) || sdb_json_at(&to->json, list)->count != count) return false;
  sdb_local_state *states = take_room(to, count, sizeof(*states));
  if (!states) return false;
  load->states = states;
  for (uint32_t i = 0, item = list + 1; i < count; i++, item = sdb_json_at(&to->json, item)->next) {
    uint32_t missing = sdb_fields_member(&to->json, item, "missing");
    if (!sdb_fields_read(SDB_FIELDS(ROWS), &to->json, item, &states[i]) ||
        !take_ranges(to, missing, &states[i]))
      return false;
  }
  return true;
}

/* What a member says, unescaped or not; empty: nothing. */
static sdb_slice word_of(const sdb_json *json, uint32_t object, const char *name) {
  uint32_t at = sdb_fields_member(json, object, name);
  return at ? sdb_json_text(json, at) : (sdb_slice){NULL, 0};
}

/* What a storage says that failed in another way counts as SDB_IO. */
static sdb_status status_of(sdb_slice name) {
  for (int status = SDB_UNAVAILABLE; status < SDB_OK; status++) {
    if (sdb_slice_equal(name, sdb_slice_of(sdb_status_name((sdb_status)status))))
      return (sdb_status)status;
  }
  return SDB_IO;
}

static bool take_pending(place *to, uint32_t at, sdb_local_pending *pending) {
  sdb_slice action = word_of(&to->json, at, "action"), failed = word_of(&to->json, at, "failed");
  int number = 0;
  while (number < 3 && !sdb_slice_equal(action, sdb_slice_of(ACTIONS[number])))
    number++;
  pending->action = (sdb_action)(SDB_ACTION_CREATE + number);
  if (failed.size > 0) pending->failed = status_of(failed);
  pending->store = UINT16_MAX;
  return number < 3 && sdb_fields_read(SDB_FIELDS(PENDING), &to->json, at, pending);
}

/* Positions ascend: the replica numbers what follows from the last on. */
static bool take_pushes(place *to, uint32_t list, sdb_local_load *load) {
  uint32_t count = sdb_json_at(&to->json, list)->count;
  if (!is_array(&to->json, list)) return false;
  sdb_local_pending *pushes = take_room(to, count, sizeof(*pushes));
  if (!pushes) return false;
  load->pending = pushes;
  load->pending_count = count;
  for (uint32_t i = 0, item = list + 1; i < count; i++, item = sdb_json_at(&to->json, item)->next) {
    if (!take_pending(to, item, &pushes[i])) return false;
    if (pushes[i].position <= (i > 0 ? pushes[i - 1].position : 0)) return false;
  }
  return true;
}

static bool take_load(place *to, uint32_t at, sdb_local_load *load) {
  uint32_t database = sdb_fields_member(&to->json, at, "database");
  return (!database || sdb_fields_read_uuid(&to->json, database, &load->database)) &&
         take_states(to, sdb_fields_member(&to->json, at, "states"), load) &&
         take_pushes(to, sdb_fields_member(&to->json, at, "pending"), load);
}

/* ---- completing ---- */

/* Where the operation keeps its result; NULL: it has none. */
static sdb_buffer *memory_of(sdb_local_op *op) {
  void *whole = op;
  return op->kind == SDB_LOCAL_LOAD     ? &((sdb_local_load *)whole)->memory
         : op->kind == SDB_LOCAL_PAGE   ? &((sdb_local_page *)whole)->memory
         : op->kind == SDB_LOCAL_OBJECT ? &((sdb_local_object *)whole)->memory
                                        : NULL;
}

static sdb_status take_result(place *to, sdb_slice answer, sdb_local_op *op) {
  void *whole = op;
  sdb_status status = sdb_json_scan(&to->json, answer, SDB_JSON_DEPTH_MAX, NULL);
  if (status != SDB_OK) return status == SDB_NO_MEMORY ? status : SDB_BAD_FORMAT;
  sdb_slice error = word_of(&to->json, 0, "error");
  if (error.size > 0) return status_of(error);
  uint32_t at = sdb_fields_member(&to->json, 0, "result");
  bool taken = op->kind == SDB_LOCAL_SYNC || op->kind == SDB_LOCAL_OBJECT;
  if (!at) return op->kind == SDB_LOCAL_OBJECT ? SDB_NOT_FOUND : taken ? SDB_OK : SDB_BAD_FORMAT;
  if (op->kind == SDB_LOCAL_LOAD) taken = take_load(to, at, whole);
  if (op->kind == SDB_LOCAL_COMMIT) taken = take_applied(&to->json, at, whole);
  if (op->kind == SDB_LOCAL_PAGE) taken = take_page(to, at, whole);
  if (op->kind == SDB_LOCAL_OBJECT)
    taken = take_record(to, at, &((sdb_local_object *)whole)->record);
  return taken ? SDB_OK : SDB_BAD_FORMAT;
}

static sdb_status take_answer(sdb_local_op *op, sdb_slice answer) {
  static place to; /* for the tokens' memory */
  sdb_buffer *memory = memory_of(op);
  if (!to.json.memory.mem) sdb_json_init(&to.json, sdb_wasm_mem(), SDB_JSON_SIZE_MAX);
  if (memory) {
    size_t size = (answer.size + 7) / 8 * 8;
    char *copy = sdb_buffer_reserve(memory, 3 * size);
    if (!copy) return SDB_NO_MEMORY;
    memcpy(copy, answer.data, answer.size);
    answer.data = copy;
    to.at = copy + size;
    to.end = copy + 3 * size;
  }
  sdb_status status = take_result(&to, answer, op);
  if (to.json.memory.capacity > JSON_BYTES_KEPT) sdb_json_free(&to.json);
  return status;
}

bool sdb_wasm_complete(sdb_replica *replica, sdb_slice answer, uint32_t number, uint64_t now_ms) {
  sdb_local_op *op = operations.first;
  if (!op || number != operations.number) return false;
  operations.number++;
  operations.first = op->next;
  if (!op->next) operations.last = &operations.first;
  op->next = NULL;
  op->status = take_answer(op, answer);
  sdb_replica_on_completed(replica, op, now_ms);
  return true;
}
