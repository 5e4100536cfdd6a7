/* bindings/wasm/module.c: the module's exports: the replica's inputs and outputs, one replica an
 * instance. js/src/core/core.ts is who calls them.
 *
 * Numbers come as arguments, times as doubles; text, UTF-8, in the memory that `input` gives. What
 * an export gives back as text is in the buffer that `output` points to, JSON, and its size is
 * returned. Both stay until the next call. An export that can be refused gives the size of an
 * error, and 0 when it was not.
 */
#include "base/error.h"
#include "fields.h"
#include "host.h"
#include "memory.h"
#include "storage.h"
#include "stores.h"
#include "write.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define BYTES_KEPT ((size_t)1 << 20) /* of input and output, from call to call */

static struct {
  sdb_replica *replica;
  sdb_store *stores[SDB_REPLICA_STORES_MAX];
  uint32_t windows[SDB_REPLICA_STORES_MAX];
  size_t stores_count;
  char *input;
  size_t input_size;
} module;

static uint64_t milliseconds(double time) {
  return (uint64_t)time;
}

/* ---- text in and out ---- */

/* Room for `size` bytes of input. NULL: no memory. */
EXPORT("input") char *sdb_module_input(size_t size);
char *sdb_module_input(size_t size) {
  const sdb_mem *mem = sdb_wasm_mem();
  bool large = module.input_size > BYTES_KEPT && size <= BYTES_KEPT;
  if (size == 0) size = 1;
  if (size <= module.input_size && !large) return module.input;
  sdb_mem_free(mem, module.input);
  module.input = sdb_mem_alloc(mem, size);
  module.input_size = module.input ? size : 0;
  return module.input;
}

EXPORT("output") const char *sdb_module_output(void);
const char *sdb_module_output(void) {
  return sdb_write_buffer()->data;
}

static void begin_output(void) {
  sdb_buffer *out = sdb_write_buffer();
  if (out->capacity > BYTES_KEPT) sdb_buffer_free(out);
  sdb_buffer_reset(out);
}

/* SIZE_MAX: no memory for it. What it would have told is lost: the instance is of no use then. */
static size_t end_output(void) {
  const sdb_buffer *out = sdb_write_buffer();
  return out->status == SDB_OK ? out->size : SIZE_MAX;
}

static size_t answer(const sdb_error *error) {
  begin_output();
  sdb_write_error(NULL, error);
  return end_output();
}

static size_t refuse(sdb_status status, const char *message, const char *more) {
  sdb_error error;
  sdb_error_set(&error, status, message, more, NULL);
  return answer(&error);
}

static size_t answer_status(sdb_status status) {
  return status == SDB_OK ? 0 : refuse(status, sdb_status_text(status), NULL);
}

static sdb_slice input_of(size_t size) {
  return sdb_slice_make(module.input, size);
}

/* Reads an id of 36 characters at the beginning of the input, blanks for none, and passes it.
 * False: it is no UUID. */
static bool take_id(sdb_slice *text, sdb_uuid *id) {
  sdb_slice name = sdb_slice_make(text->data, SDB_UUID_TEXT_SIZE);
  memset(id, 0, sizeof(*id));
  SDB_ASSERT(text->size >= SDB_UUID_TEXT_SIZE);
  *text = sdb_slice_make(text->data + name.size, text->size - name.size);
  return name.data[0] == ' ' || sdb_uuid_parse(name, id);
}

static size_t refuse_id(void) {
  return refuse(SDB_INVALID_ARGUMENT, "an id is not a UUID", NULL);
}

/* ---- creating ---- */

static void fill_random(void *context, void *to, size_t size) {
  (void)context;
  sdb_host_random(to, size);
}

/* The next store, before `create`. Input: its name, schema and rules, of which sizes are given; one
 * without a schema is the module's own. `window`: missed events that load by themselves;
 * UINT32_MAX: all. */
EXPORT("add_store")
size_t sdb_module_add_store(size_t name_size, size_t schema_size, size_t rules_size,
    sdb_store_type type, bool checked, uint32_t window);
size_t sdb_module_add_store(size_t name_size, size_t schema_size, size_t rules_size,
    sdb_store_type type, bool checked, uint32_t window) {
  sdb_error error;
  uint32_t number = (uint32_t)module.stores_count;
  const char *text = module.input;
  if (number == SDB_REPLICA_STORES_MAX)
    return refuse(SDB_BAD_DEFINITION, "there are more than 256 stores", NULL);
  sdb_store_parts parts = {.name = sdb_slice_make(text, name_size),
      .schema = sdb_slice_make(text + name_size, schema_size),
      .type = type};
  if (rules_size > 0) parts.rules = sdb_slice_make(text + name_size + schema_size, rules_size);
  sdb_status status = sdb_wasm_make_store(&parts, number, checked, &module.stores[number], &error);
  if (status == SDB_OK) status = sdb_stores_distinct(module.stores, number + 1, &error);
  if (status != SDB_OK) return answer(&error);
  module.windows[number] = window;
  module.stores_count++;
  return 0;
}

/* With the stores that were added, once. A limit that is 0 is as it is by default. */
EXPORT("create")
size_t sdb_module_create(
    bool needs_token, bool start_offline, uint32_t push_timeout_ms, uint32_t pending_max);
size_t sdb_module_create(
    bool needs_token, bool start_offline, uint32_t push_timeout_ms, uint32_t pending_max) {
  sdb_replica_options options = {.mem = sdb_wasm_mem(),
      .stores = module.stores,
      .stores_count = module.stores_count,
      .windows = module.windows,
      .random = fill_random,
      .token_in_hello = true,
      .needs_token = needs_token,
      .start_offline = start_offline,
      .limits = sdb_replica_limits_default()};
  if (push_timeout_ms > 0) options.limits.push_timeout_ms = push_timeout_ms;
  if (pending_max > 0) options.limits.pending_max = pending_max;
  return answer_status(sdb_replica_create(&options, &module.replica));
}

/* ---- inputs ---- */

EXPORT("attach") void sdb_module_attach(bool durable, double now);
void sdb_module_attach(bool durable, double now) {
  sdb_replica_attach(
      module.replica, sdb_wasm_storage(module.stores_count, durable), milliseconds(now));
}

EXPORT("opened") void sdb_module_opened(double now);
void sdb_module_opened(double now) {
  sdb_replica_on_opened(module.replica, milliseconds(now));
}

EXPORT("message") void sdb_module_message(size_t size, double now);
void sdb_module_message(size_t size, double now) {
  sdb_replica_on_message(module.replica, input_of(size), milliseconds(now));
}

/* Input: the reason and a problem, each with a NUL behind it. */
EXPORT("closed") void sdb_module_closed(unsigned code, double now);
void sdb_module_closed(unsigned code, double now) {
  sdb_slice reason = sdb_slice_of(module.input);
  const char *problem = module.input + reason.size + 1;
  sdb_replica_on_closed(module.replica, code, reason, problem, milliseconds(now));
}

EXPORT("token") size_t sdb_module_token(size_t size, double lifetime, double now);
size_t sdb_module_token(size_t size, double lifetime, double now) {
  if (size == 0 || size > SDB_REPLICA_TOKEN_SIZE_MAX)
    return refuse(SDB_INVALID_ARGUMENT, "a token has 1 to 16384 bytes", NULL);
  bool kept = sdb_replica_on_token(
      module.replica, input_of(size), milliseconds(lifetime), milliseconds(now));
  return answer_status(kept ? SDB_OK : SDB_NO_MEMORY);
}

EXPORT("go_online") void sdb_module_go_online(double now);
void sdb_module_go_online(double now) {
  sdb_replica_go_online(module.replica, milliseconds(now));
}

EXPORT("go_offline") void sdb_module_go_offline(double now);
void sdb_module_go_offline(double now) {
  sdb_replica_go_offline(module.replica, milliseconds(now));
}

EXPORT("timer") void sdb_module_timer(double now);
void sdb_module_timer(double now) {
  sdb_replica_on_timer(module.replica, milliseconds(now));
}

/* Infinity: none. */
EXPORT("deadline") double sdb_module_deadline(void);
double sdb_module_deadline(void) {
  uint64_t deadline = sdb_replica_deadline_ms(module.replica);
  return deadline == UINT64_MAX ? __builtin_inf() : (double)deadline;
}

/* ---- the application ---- */

static bool is_limit(uint32_t limit) {
  return limit > 0 && limit <= SDB_REPLICA_LIST_LIMIT_MAX;
}

static size_t refuse_limit(void) {
  return refuse(SDB_INVALID_ARGUMENT, "a limit is a whole number from 1 to 1000", NULL);
}

/* Input: `id`, `before` and `client_id`, as take_id reads them, and the object. `wall`: the
 * device's clock. */
EXPORT("request")
size_t sdb_module_request(size_t size, sdb_replica_request_kind kind, uint32_t tag, uint32_t store,
    uint32_t limit, bool asked_before, double now, double wall);
size_t sdb_module_request(size_t size, sdb_replica_request_kind kind, uint32_t tag, uint32_t store,
    uint32_t limit, bool asked_before, double now, double wall) {
  sdb_replica_request request = {.kind = kind,
      .tag = (void *)tag,
      .store = (uint16_t)store,
      .limit = limit,
      .object = input_of(size),
      .wall_ms = milliseconds(wall),
      .asked_before = asked_before};
  if (!take_id(&request.object, &request.id) || !take_id(&request.object, &request.before) ||
      !take_id(&request.object, &request.client_id))
    return refuse_id();
  if (store >= module.stores_count) return answer_status(SDB_UNKNOWN_STORE);
  if (kind == SDB_REPLICA_LIST && !is_limit(limit)) return refuse_limit();
  bool begun = sdb_replica_request_begin(module.replica, &request, milliseconds(now));
  return answer_status(begun ? SDB_OK : SDB_NO_MEMORY);
}

/* Input: `before`, as an id. */
EXPORT("older") size_t sdb_module_older(size_t size, uint32_t store, uint32_t limit);
size_t sdb_module_older(size_t size, uint32_t store, uint32_t limit) {
  sdb_slice text = input_of(size);
  sdb_uuid before;
  if (!take_id(&text, &before)) return refuse_id();
  if (store >= module.stores_count) return answer_status(SDB_UNKNOWN_STORE);
  if (!is_limit(limit)) return refuse_limit();
  return answer_status(sdb_replica_older(module.replica, (uint16_t)store, before, limit));
}

/* Retries (`again`) or discards. Input: a client id, as an id. */
EXPORT("settle") size_t sdb_module_settle(size_t size, bool again);
size_t sdb_module_settle(size_t size, bool again) {
  sdb_slice text = input_of(size);
  sdb_uuid client_id;
  if (!take_id(&text, &client_id)) return refuse_id();
  return answer_status(again ? sdb_replica_retry(module.replica, client_id)
                             : sdb_replica_discard(module.replica, client_id));
}

/* Input: {"result"} or {"error"}: what the storage says of an operation. */
EXPORT("complete") size_t sdb_module_complete(size_t size, uint32_t operation, double now);
size_t sdb_module_complete(size_t size, uint32_t operation, double now) {
  if (sdb_wasm_complete(module.replica, input_of(size), operation, milliseconds(now))) return 0;
  return refuse(SDB_CONFLICT, "this operation is not the oldest", NULL);
}

/* ---- what is given out ---- */

static void write_status(const char *type) {
  static const char *const PHASES[] = {
      "offline", "connecting", "catching_up", "live", "unauthorized", "closed"};
  static const sdb_field_row ROWS[] = {
      {"storesSynced", offsetof(sdb_replica_status, stores_synced), SDB_FIELD_U32},
      {"pending", offsetof(sdb_replica_status, pending), SDB_FIELD_U32},
      {"failed", offsetof(sdb_replica_status, failed), SDB_FIELD_U32},
      {"closeCode", offsetof(sdb_replica_status, close_code), SDB_FIELD_U32},
      {"eventsReceived", offsetof(sdb_replica_status, events_received), SDB_FIELD_U64},
  };
  sdb_replica_status status;
  sdb_replica_get_status(module.replica, &status);
  if (type) sdb_write_text("type", sdb_slice_of(type));
  sdb_write_text("phase", sdb_slice_of(PHASES[status.phase - SDB_CLIENT_OFFLINE]));
  sdb_fields_write(SDB_FIELDS(ROWS), &status);
  sdb_write_text("problem", sdb_slice_of(status.problem));
}

static void write_change(const sdb_replica_output *output) {
  static const char *const KINDS[] = {"put", "remove", "reset"};
  sdb_write_number("store", output->store);
  sdb_write_text("kind", sdb_slice_of(KINDS[output->change.kind - SDB_CHANGE_PUT]));
  if (output->change.kind != SDB_CHANGE_RESET) sdb_write_record("record", &output->change.record);
}

static void write_done(const sdb_replica_output *output) {
  sdb_write_number("tag", (uintptr_t)output->tag);
  sdb_write_error("error", output->error);
  sdb_write_uuid("clientId", output->client_id);
  if (output->status != SDB_OK) return;
  sdb_write_open("records", '[');
  for (size_t i = 0; i < output->records_count; i++)
    sdb_write_record(NULL, &output->records[i]);
  sdb_write_close(']');
}

static void write_output(const sdb_replica_output *output) {
  static const char *const TYPES[] = {
      "send", "disconnect", "connect", "ask_token", "change", "done", "status", "storage_failed"};
  sdb_write_open(NULL, '{');
  const char *type = TYPES[output->kind - SDB_REPLICA_SEND];
  if (output->kind != SDB_REPLICA_STATUS) sdb_write_text("type", sdb_slice_of(type));
  switch (output->kind) {
  case SDB_REPLICA_SEND:
    sdb_write_text("text", output->text);
    break;
  case SDB_REPLICA_DISCONNECT:
    sdb_write_number("code", output->close_code);
    break;
  case SDB_REPLICA_CONNECT:
    sdb_write_text("token", output->text);
    break;
  case SDB_REPLICA_ASK_TOKEN:
    sdb_write_json("refused", sdb_slice_of(output->refused ? "true" : "false"));
    break;
  case SDB_REPLICA_CHANGE:
    write_change(output);
    break;
  case SDB_REPLICA_DONE:
    write_done(output);
    break;
  case SDB_REPLICA_STATUS:
    write_status(type);
    break;
  case SDB_REPLICA_STORAGE_FAILED:
    sdb_write_text("code", sdb_slice_of(sdb_status_name(output->status)));
    break;
  }
  sdb_write_close('}');
}

/* All that follows from the inputs since the last turn: an array of Output. */
EXPORT("turn") size_t sdb_module_turn(double now);
size_t sdb_module_turn(double now) {
  sdb_replica_output output;
  begin_output();
  sdb_write_open(NULL, '[');
  while (sdb_replica_flush(module.replica, milliseconds(now))) {
    while (sdb_replica_next_output(module.replica, &output))
      write_output(&output);
  }
  sdb_write_close(']');
  return end_output();
}

/* CoreStatus. */
EXPORT("status") size_t sdb_module_status(void);
size_t sdb_module_status(void) {
  begin_output();
  sdb_write_open(NULL, '{');
  write_status(NULL);
  sdb_write_close('}');
  return end_output();
}

/* An array of Unsynced, in their order; `by_name`: stores go by their names on the wire. */
EXPORT("unsynced") size_t sdb_module_unsynced(bool by_name);
size_t sdb_module_unsynced(bool by_name) {
  static const char *const ACTIONS[] = {"create", "update", "delete"};
  static const sdb_field_row ROWS[] = {
      {"clientId", offsetof(sdb_replica_unsynced, client_id), SDB_FIELD_UUID},
      {"id", offsetof(sdb_replica_unsynced, id), SDB_FIELD_UUID},
      {"object", offsetof(sdb_replica_unsynced, object), SDB_FIELD_JSON},
      {"createdAt", offsetof(sdb_replica_unsynced, created_ms), SDB_FIELD_U64},
  };
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  begin_output();
  sdb_write_open(NULL, '[');
  while (sdb_replica_next_unsynced(module.replica, &cursor, &push)) {
    sdb_write_open(NULL, '{');
    if (by_name)
      sdb_write_text("store", sdb_slice_of(sdb_store_wire_name(module.stores[push.store])));
    else
      sdb_write_number("store", push.store);
    sdb_write_text("action", sdb_slice_of(ACTIONS[push.action - SDB_ACTION_CREATE]));
    sdb_fields_write(SDB_FIELDS(ROWS), &push);
    sdb_write_error("error", push.error);
    sdb_write_close('}');
  }
  sdb_write_close(']');
  return end_output();
}
