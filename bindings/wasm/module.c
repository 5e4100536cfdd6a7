/* bindings/wasm/module.c: the module's exports: the replica's inputs and outputs, one replica an
 * instance. js/src/core/core.ts is who calls them.
 *
 * Numbers come as arguments, times as doubles; text, UTF-8, in the memory that `input` gives. What
 * an export gives back as text is in the buffer that `output` points to, JSON, and its size is
 * returned. Both stay until the next call. An export that can be refused gives the size of an error,
 * and 0 when it was not.
 */
#include "base/error.h"
#include "host.h"
#include "memory.h"
#include "storage.h"
#include "stores.h"
#include "write.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define BYTES_KEPT ((size_t)1 << 20) /* of input and output, from call to call */

static struct {
  sdb_replica *replica;
  sdb_store **stores;
  size_t stores_count;
  sdb_wasm_reader reader;
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

/* SIZE_MAX: no memory for it. What it would have told is lost, so the instance is of no use then. */
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

static sdb_wasm_reader *read(size_t size) {
  sdb_read_begin(&module.reader, input_of(size));
  return &module.reader;
}

static size_t refuse_input(void) {
  return refuse(SDB_INVALID_ARGUMENT, module.reader.failed, " is not what it has to be");
}

/* ---- creating ---- */

static void fill_random(void *context, void *to, size_t size) {
  (void)context;
  sdb_host_random(to, size);
}

/* The windows that are numbers; others load all. False: no memory. */
static bool read_windows(sdb_wasm_reader *reader, sdb_replica_options *options) {
  uint32_t at = sdb_read_member(reader, 0, "windows");
  if (!at || !sdb_read_is_array(reader, at, "windows")) return true;
  uint32_t *windows = sdb_mem_alloc(options->mem, options->stores_count * sizeof(*windows));
  if (!windows) return false;
  const sdb_json *json = &reader->json;
  uint32_t item = at + 1, end = sdb_json_at(json, at)->next;
  for (size_t i = 0; i < options->stores_count; i++) {
    uint64_t window = SDB_REPLICA_WINDOW_ALL;
    if (item < end && sdb_json_at(json, item)->type == SDB_JSON_NUMBER)
      (void)sdb_json_uint64(json, item, &window);
    windows[i] = window < SDB_REPLICA_WINDOW_ALL ? (uint32_t)window : SDB_REPLICA_WINDOW_ALL;
    if (item < end) item = sdb_json_at(json, item)->next;
  }
  options->windows = windows;
  return true;
}

/* `size` bytes of input: CoreOptions. Once, first. */
EXPORT("create") size_t sdb_module_create(size_t size);
size_t sdb_module_create(size_t size) {
  sdb_wasm_reader *reader = &module.reader;
  sdb_error error;
  sdb_json_init(&reader->json, sdb_wasm_mem(), SDB_JSON_SIZE_MAX);
  (void)read(size);
  sdb_status status = sdb_wasm_make_stores(
      reader, sdb_read_member(reader, 0, "stores"), &module.stores, &module.stores_count, &error);
  if (status != SDB_OK) return answer(&error);
  sdb_replica_options options = {.mem = sdb_wasm_mem(),
      .stores = module.stores,
      .stores_count = module.stores_count,
      .random = fill_random,
      .token_in_hello = true,
      .needs_token = sdb_read_flag(reader, 0, "needsToken"),
      .start_offline = sdb_read_flag(reader, 0, "startOffline"),
      .limits = sdb_replica_limits_default()};
  sdb_replica_limits *limits = &options.limits;
  limits->push_timeout_ms =
      (uint32_t)sdb_read_number(reader, 0, "pushTimeoutMs", UINT32_MAX, limits->push_timeout_ms);
  limits->pending_max =
      (uint32_t)sdb_read_number(reader, 0, "pendingMax", UINT32_MAX, limits->pending_max);
  if (!read_windows(reader, &options)) return answer_status(SDB_NO_MEMORY);
  if (reader->failed) return refuse_input();
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

/* Input: {"reason","problem"}. */
EXPORT("closed") void sdb_module_closed(size_t size, unsigned code, double now);
void sdb_module_closed(size_t size, unsigned code, double now) {
  char problem[SDB_ERROR_MESSAGE_SIZE];
  sdb_wasm_reader *reader = read(size);
  sdb_slice reason = sdb_read_text(reader, 0, "reason");
  sdb_text_copy(problem, sizeof(problem), sdb_read_text(reader, 0, "problem"));
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

/* Input: a Request. `wall`: the device's clock. */
EXPORT("request") size_t sdb_module_request(size_t size, double now, double wall);
size_t sdb_module_request(size_t size, double now, double wall) {
  static const char *const KINDS[] = {"push", "update", "remove", "list", "get", "singular"};
  sdb_wasm_reader *reader = read(size);
  sdb_replica_request request = {.wall_ms = milliseconds(wall)};
  request.kind =
      (sdb_replica_request_kind)(SDB_REPLICA_PUSH + sdb_read_name(reader, 0, "kind", KINDS, 6));
  request.tag = (void *)(uintptr_t)sdb_read_number(reader, 0, "tag", UINT32_MAX, 0);
  request.store =
      (uint16_t)sdb_read_number(reader, 0, "store", module.stores_count - 1, UINT16_MAX);
  request.id = sdb_read_uuid(reader, 0, "id");
  request.before = sdb_read_uuid(reader, 0, "before");
  request.client_id = sdb_read_uuid(reader, 0, "clientId");
  request.asked_before = sdb_read_flag(reader, 0, "askedBefore");
  request.limit = (uint32_t)sdb_read_number(reader, 0, "limit", SDB_REPLICA_LIST_LIMIT_MAX, 0);
  request.object = sdb_read_text(reader, 0, "object");
  if (request.store == UINT16_MAX && !reader->failed) reader->failed = "store";
  if (request.kind == SDB_REPLICA_LIST && request.limit == 0 && !reader->failed)
    reader->failed = "limit";
  if (reader->failed) return refuse_input();
  bool begun = sdb_replica_request_begin(module.replica, &request, milliseconds(now));
  return answer_status(begun ? SDB_OK : SDB_NO_MEMORY);
}

/* Input: {"store","before"?,"limit"}. */
EXPORT("older") size_t sdb_module_older(size_t size);
size_t sdb_module_older(size_t size) {
  sdb_wasm_reader *reader = read(size);
  uint64_t store = sdb_read_number(reader, 0, "store", module.stores_count - 1, 0);
  uint64_t limit = sdb_read_number(reader, 0, "limit", SDB_REPLICA_LIST_LIMIT_MAX, 0);
  sdb_uuid before = sdb_read_uuid(reader, 0, "before");
  if (limit == 0 && !reader->failed) reader->failed = "limit";
  if (reader->failed) return refuse_input();
  return answer_status(sdb_replica_older(module.replica, (uint16_t)store, before, (uint32_t)limit));
}

/* Input: {"clientId"}. */
static size_t decide(size_t size, sdb_status (*verb)(sdb_replica *replica, sdb_uuid client_id)) {
  sdb_uuid client_id = sdb_read_uuid(read(size), 0, "clientId");
  return module.reader.failed ? refuse_input() : answer_status(verb(module.replica, client_id));
}

EXPORT("retry") size_t sdb_module_retry(size_t size);
size_t sdb_module_retry(size_t size) {
  return decide(size, sdb_replica_retry);
}

EXPORT("discard") size_t sdb_module_discard(size_t size);
size_t sdb_module_discard(size_t size) {
  return decide(size, sdb_replica_discard);
}

/* Input: {"result"} or {"error"}: what the storage says of an operation. */
EXPORT("complete") size_t sdb_module_complete(size_t size, uint32_t operation, double now);
size_t sdb_module_complete(size_t size, uint32_t operation, double now) {
  bool known = sdb_wasm_complete(module.replica, read(size), operation, milliseconds(now));
  if (module.reader.json.memory.capacity > BYTES_KEPT) sdb_json_free(&module.reader.json);
  return known ? 0 : refuse(SDB_CONFLICT, "this operation is not the oldest", NULL);
}

/* ---- what is given out ---- */

static void write_status(const char *type) {
  static const char *const PHASES[] = {
      "offline", "connecting", "catching_up", "live", "unauthorized", "closed"};
  sdb_replica_status status;
  sdb_replica_get_status(module.replica, &status);
  if (type) sdb_write_text("type", sdb_slice_of(type));
  sdb_write_text("phase", sdb_slice_of(PHASES[status.phase - SDB_CLIENT_OFFLINE]));
  sdb_write_number("storesSynced", status.stores_synced);
  sdb_write_number("pending", status.pending);
  sdb_write_number("failed", status.failed);
  sdb_write_number("closeCode", status.close_code);
  sdb_write_number("eventsReceived", status.events_received);
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
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  begin_output();
  sdb_write_open(NULL, '[');
  while (sdb_replica_next_unsynced(module.replica, &cursor, &push)) {
    sdb_write_open(NULL, '{');
    sdb_write_uuid("clientId", push.client_id);
    if (by_name)
      sdb_write_text("store", sdb_slice_of(sdb_store_wire_name(module.stores[push.store])));
    else
      sdb_write_number("store", push.store);
    sdb_write_text("action", sdb_slice_of(ACTIONS[push.action - SDB_ACTION_CREATE]));
    sdb_write_uuid("id", push.id);
    if (push.object.size > 0) sdb_write_json("object", push.object);
    sdb_write_number("createdAt", push.created_ms);
    sdb_write_error("error", push.error);
    sdb_write_close('}');
  }
  sdb_write_close(']');
  return end_output();
}
