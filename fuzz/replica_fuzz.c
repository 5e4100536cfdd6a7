/* replica_fuzz.c: the device's state machine, driven by bytes.
 *
 *   byte 0     bits 0 to 2: a window, a token that is needed, a start offline; bit 3: the storage
 *              answers later
 *   then instructions: one byte, of which the low 5 bits choose (OPERATIONS below), bit 6 lets the
 *   turn go on, bit 7 spoils the message that is made; then the bytes that each takes.
 *
 * What must hold, whatever they say:
 *  - what is sent is messages that our decoder takes, only on a connection, a client_hello first;
 *  - a connection is made only where there is none, and ended only where there is one;
 *  - each request that was begun is done exactly once, and a list is in order and within its limit;
 *  - a create that was done and not spoken of since is kept, over restarts too: among the unsynced;
 *  - what the replica holds is bounded, and nothing leaks; no deadline stands still;
 *  - in the end, with memory and storage well, the device comes to rest before a server that means
 *    it, and shows what that server has.
 */
#include "replica/replica.h"
#include "storage/local/memory_local.h"
#include "text.h"
#include "wire/close.h"
#include "wire/wire.h"

#define ASKS_MAX 1024
#define CREATES_MAX 64
#define STEPS_MAX 1500
#define BYTES_MAX ((size_t)32 << 20)
#define START_MS ((uint64_t)5000000)
#define WALL_MS ((uint64_t)1749383382805)
#define ROUNDS_MAX 10000

/* A create that was done, of an event store, that nothing was said of since. */
typedef struct create {
  sdb_uuid client_id;
  bool spoken_of;
} create;

typedef struct asked {
  sdb_replica_request_kind kind;
  uint16_t store;
  uint32_t limit;
  bool begun;
  unsigned dones;
  sdb_status status;
} asked;

typedef struct machine {
  fuzz_input in;
  fuzz_memory memory;
  sdb_replica *replica;
  sdb_memory_local *local;
  sdb_local_op *completed, **completed_last; /* and not told yet */
  uint64_t now_ms, random;
  bool connected, opened, greets, storage_failed, wants_token;
  unsigned flags;
  asked asks[ASKS_MAX];
  size_t asks_count, asks_first; /* those before the first are of a replica that is gone */
  sdb_uuid client_ids[8];
  create creates[CREATES_MAX];
  size_t creates_count, records_count;
  text message;
} machine;

static machine m;
static sdb_json json; /* of what is sent */

static void next_random(void *context, void *to, size_t size) {
  (void)context;
  for (size_t i = 0; i < size; i++) {
    m.random = m.random * 6364136223846793005u + 1442695040888963407u;
    ((unsigned char *)to)[i] = (unsigned char)(m.random >> 33);
  }
}

static void completed(void *context, sdb_local_op *list) {
  (void)context;
  *m.completed_last = list;
  while (*m.completed_last)
    m.completed_last = &(*m.completed_last)->next;
}

/* ---- what was created ---- */

static void speak_of(sdb_uuid client_id) {
  for (size_t i = 0; i < m.creates_count; i++) {
    if (memcmp(&m.creates[i].client_id, &client_id, sizeof(client_id)) == 0)
      m.creates[i].spoken_of = true;
  }
}

static void speak_of_those_in(sdb_slice message) {
  for (size_t i = 0; i < m.creates_count; i++) {
    if (fuzz_contains(message, text_of_id(m.creates[i].client_id).text))
      m.creates[i].spoken_of = true;
  }
}

static void require_creates_kept(void) {
  size_t kept = 0, expected = 0;
  for (size_t i = 0; i < m.creates_count; i++)
    expected += !m.creates[i].spoken_of;
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  while (sdb_replica_next_unsynced(m.replica, &cursor, &push)) {
    REQUIRE(push.store < STORES_COUNT && !sdb_uuid_is_nil(push.client_id));
    for (size_t i = 0; i < m.creates_count; i++)
      kept += !m.creates[i].spoken_of &&
              memcmp(&m.creates[i].client_id, &push.client_id, sizeof(push.client_id)) == 0;
  }
  REQUIRE(kept == expected);
}

/* ---- what comes out ---- */

static void on_send(sdb_slice message) {
  sdb_wire_message read;
  REQUIRE(m.connected && m.opened);
  REQUIRE(sdb_wire_decode(&json, message, SDB_JSON_DEPTH_MAX, &read, NULL) == SDB_OK);
  REQUIRE((read.type == SDB_WIRE_CLIENT_HELLO) == !m.greets);
  m.greets = true;
}

static void on_records(const asked *a, const sdb_replica_output *output) {
  REQUIRE(output->records_count <= (a->kind == SDB_REPLICA_LIST ? a->limit : 1));
  for (size_t i = 0; i < output->records_count; i++) {
    const sdb_client_record *record = &output->records[i];
    REQUIRE(record->object.size >= 2 && record->state >= SDB_RECORD_SYNCED);
    REQUIRE(record->state <= SDB_RECORD_FAILED);
    REQUIRE((record->state == SDB_RECORD_FAILED) == (record->error != NULL));
    REQUIRE(!sdb_uuid_is_nil(record->id) || record->state >= SDB_RECORD_PENDING);
    if (i == 0 || sdb_uuid_is_nil(record->id) || sdb_uuid_is_nil(record[-1].id)) continue;
    REQUIRE(memcmp(&record[-1].id, &record->id, sizeof(record->id)) > 0);
  }
  m.records_count = output->records_count;
}

static void on_done(const sdb_replica_output *output) {
  size_t at = (size_t)(uintptr_t)output->tag;
  REQUIRE(at >= m.asks_first && at < m.asks_count);
  asked *a = &m.asks[at];
  REQUIRE(a->begun && a->dones == 0);
  a->dones++;
  a->status = output->status;
  if (output->status != SDB_OK) {
    REQUIRE(output->error && output->error->status == output->status);
    return;
  }
  if (a->kind >= SDB_REPLICA_LIST) on_records(a, output);
  if (a->kind >= SDB_REPLICA_LIST || sdb_uuid_is_nil(output->client_id)) return;
  m.client_ids[at % 8] = output->client_id;
  if (a->kind == SDB_REPLICA_PUSH && a->store != ACCOUNT && m.creates_count < CREATES_MAX)
    m.creates[m.creates_count++] = (create){output->client_id, false};
}

static void on_output(const sdb_replica_output *output) {
  switch (output->kind) {
  case SDB_REPLICA_SEND:
    on_send(output->text);
    break;
  case SDB_REPLICA_DISCONNECT:
    REQUIRE(m.connected);
    m.connected = m.opened = false;
    break;
  case SDB_REPLICA_CONNECT:
    REQUIRE(!m.connected);
    m.connected = true;
    m.opened = m.greets = false;
    break;
  case SDB_REPLICA_ASK_TOKEN:
    m.wants_token = true;
    break;
  case SDB_REPLICA_CHANGE:
    REQUIRE(output->store < STORES_COUNT);
    REQUIRE(output->change.kind != SDB_CHANGE_PUT || output->change.record.object.size >= 2);
    break;
  case SDB_REPLICA_DONE:
    on_done(output);
    break;
  case SDB_REPLICA_STATUS:
    break;
  case SDB_REPLICA_STORAGE_FAILED:
    REQUIRE(output->status != SDB_OK);
    m.storage_failed = true;
    break;
  }
}

static void tell_completed(void) {
  sdb_local_op *list = m.completed;
  m.completed = NULL;
  m.completed_last = &m.completed;
  if (list) sdb_replica_on_completed(m.replica, list, m.now_ms);
}

/* As the owner's turn ends: until there is nothing more. */
static void drain(void) {
  sdb_replica_output output;
  for (unsigned idle = 0, rounds = 0; idle < 2; idle++) {
    REQUIRE(++rounds < ROUNDS_MAX);
    (void)sdb_replica_flush(m.replica, m.now_ms);
    while (m.completed) {
      tell_completed();
      idle = 0;
    }
    while (sdb_replica_next_output(m.replica, &output)) {
      on_output(&output);
      idle = 0;
    }
  }
}

/* The storage has carried out all, and the replica knows. */
static void settle(void) {
  drain();
  for (unsigned rounds = 0; sdb_memory_local_run(m.local, SIZE_MAX) > 0; rounds++) {
    REQUIRE(rounds < ROUNDS_MAX);
    drain();
  }
}

/* ---- a server's messages ---- */

static sdb_uuid any_id(void) {
  unsigned which = fuzz_byte(&m.in);
  sdb_uuid id = {{0}};
  if (which % 8 == 0) return id;
  id = (sdb_uuid){{0x01, 0x97, 0x4f, 0x63, 0x6a, 0xbc, 0x70, 0, 0x81, 0x07}};
  id.bytes[15] = (uint8_t)(which >> 3);
  return id;
}

static sdb_uuid any_client_id(void) {
  unsigned which = fuzz_byte(&m.in);
  return which & 8 ? client_id_of(which) : m.client_ids[which % 8];
}

static void put_greeting(text *to) {
  unsigned flags = fuzz_byte(&m.in);
  text_put(to, "\"protocol\":1");
  if (!(flags & 1))
    text_put(to, ",\"database\":\"01974f00-0000-7000-8000-00000000000%u\"", flags >> 1 & 1);
  text_put(to, ",\"stores\":{\"nothing\":{}");
  for (unsigned i = 0; i < STORES_COUNT; i++) {
    if (flags & 4u << i) continue;
    text_put(to, ",\"%s\":{\"reset\":%s", STORE_NAMES[i], flags & 32 ? "true" : "false");
    text_put_id(to, "head", any_id());
    text_put(to, "}");
  }
  text_put(to, "}");
}

static void put_event(text *to, bool update) {
  unsigned flags = fuzz_byte(&m.in);
  text_put(to, "\"store\":\"%s\"", STORE_NAMES[flags & 3]);
  text_put_id(to, "id", any_id());
  if (flags & 4) text_put_id(to, "eventId", any_id());
  if (flags & 8) text_put_id(to, "clientId", any_client_id());
  if (!update) return;
  text_put(to, ",\"object\":");
  text_put_object(to, flags & 3, fuzz_byte(&m.in), "there");
}

static void put_synced(text *to) {
  unsigned flags = fuzz_byte(&m.in);
  text_put(
      to, "\"store\":\"%s\",\"more\":%s", STORE_NAMES[flags & 3], flags & 4 ? "true" : "false");
  text_put_id(to, "after", any_id());
  text_put_id(to, "before", flags & 8 ? any_id() : (sdb_uuid){{0}});
}

static void put_partial(text *to) {
  static const char *const APPENDS[] = {"{\"text\":\"more\"}", "{\"te\\u0078t\":\"\\u00e4\"}",
      "{\"message\":\"x\",\"text\":\"y\"}", "{}", "{\"text\":1}"};
  unsigned flags = fuzz_byte(&m.in);
  text_put(to, "\"store\":\"%s\"", STORE_NAMES[flags & 3]);
  text_put_id(to, "id", any_id());
  if (flags & 4) {
    text_put(to, ",\"object\":");
    text_put_object(to, flags & 3, fuzz_byte(&m.in), "partial");
  } else {
    text_put(to, ",\"append\":%s", APPENDS[fuzz_below(&m.in, SDB_COUNT_OF(APPENDS))]);
  }
}

static void put_error(text *to) {
  static const char *const CODES[] = {
      "rejected", "not_found", "unavailable", "rate_limited", "too_large", "unknown_store", "x"};
  text_put(to, "\"code\":\"%s\",\"message\":\"no\",\"path\":\"/text\"",
      CODES[fuzz_below(&m.in, SDB_COUNT_OF(CODES))]);
  text_put_id(to, "clientId", any_client_id());
}

static void hear(bool spoiled) {
  text *message = &m.message;
  if (spoiled) text_spoil(message, &m.in);
  speak_of_those_in(text_slice(message));
  char *copy = fuzz_copy(text_slice(message));
  if (m.connected && m.opened)
    sdb_replica_on_message(m.replica, sdb_slice_make(copy, message->size), m.now_ms);
  free(copy);
  message->size = 0;
}

enum { GREETING, UPDATE, REMOVE, SYNCED, PARTIAL, FAILURE };

static void hear_made(unsigned what, bool spoiled) {
  static const char *const TYPES[] = {
      "server_hello", "update", "remove", "synced", "partial", "error"};
  text *message = &m.message;
  text_put(message, "{\"type\":\"%s\",\"data\":{", TYPES[what]);
  if (what == GREETING)
    put_greeting(message);
  else if (what == UPDATE || what == REMOVE)
    put_event(message, what == UPDATE);
  else if (what == SYNCED)
    put_synced(message);
  else if (what == PARTIAL)
    put_partial(message);
  else
    put_error(message);
  text_put(message, "}}");
  hear(spoiled);
}

/* ---- the application ---- */

static void begin_ask(sdb_replica_request request) {
  if (m.asks_count == ASKS_MAX) return;
  request.tag = (void *)(uintptr_t)m.asks_count;
  request.wall_ms = WALL_MS;
  asked *a = &m.asks[m.asks_count++];
  *a = (asked){.kind = request.kind, .store = request.store, .limit = request.limit};
  a->begun = sdb_replica_request_begin(m.replica, &request, m.now_ms);
}

static void ask(void) {
  unsigned what = fuzz_byte(&m.in);
  text object = {.size = 0};
  sdb_replica_request request = {.kind = (sdb_replica_request_kind)(1 + what % 6),
      .store = (uint16_t)fuzz_below(&m.in, STORES_COUNT),
      .limit = 1 + fuzz_below(&m.in, 20)};
  if (request.kind == SDB_REPLICA_SINGULAR) request.store = ACCOUNT;
  if (request.kind != SDB_REPLICA_PUSH) request.id = what & 64 ? any_client_id() : any_id();
  if (request.kind == SDB_REPLICA_LIST && what & 128) request.before = any_id();
  bool writes = request.kind == SDB_REPLICA_PUSH || request.kind == SDB_REPLICA_UPDATE;
  if (writes) text_put_object(&object, request.store, fuzz_byte(&m.in), "mine");
  request.object = text_slice(&object);
  speak_of(request.id);
  begin_ask(request);
}

static void decide_on_push(bool discards) {
  sdb_uuid client_id = any_client_id();
  sdb_status status = discards ? sdb_replica_discard(m.replica, client_id)
                               : sdb_replica_retry(m.replica, client_id);
  if (discards && status == SDB_OK) speak_of(client_id);
}

static void load_older(void) {
  sdb_uuid before = any_id();
  (void)!sdb_replica_older(
      m.replica, (uint16_t)fuzz_below(&m.in, STORES_COUNT), before, 1 + fuzz_below(&m.in, 10));
}

/* ---- the connection, time, storage ---- */

static void close_line(void) {
  static const unsigned CODES[] = {SDB_CLOSE_LOST, SDB_CLOSE_TOO_LARGE, SDB_CLOSE_UNAUTHORIZED,
      SDB_CLOSE_RESTART, SDB_CLOSE_BAD_MESSAGE, SDB_CLOSE_OVERLOADED, SDB_CLOSE_RATE_LIMITED, 1000};
  static const char *const REASONS[] = {
      "", "{\"retryAfterMs\":[5,500]}", "{\"retryAfterMs\":[9,5]}", "{\"retryAfterMs\":[1e99,-1]}"};
  unsigned which = fuzz_byte(&m.in);
  if (!m.connected) return;
  /* A push that is too large is refused then. */
  if (CODES[which % 8] == SDB_CLOSE_TOO_LARGE) m.creates_count = 0;
  m.connected = m.opened = false;
  sdb_replica_on_closed(
      m.replica, CODES[which % 8], sdb_slice_of(REASONS[which >> 3 & 3]), "", m.now_ms);
}

static void open_line(void) {
  if (!m.connected || m.opened) return;
  m.opened = true;
  sdb_replica_on_opened(m.replica, m.now_ms);
}

static void give_token(void) {
  unsigned lifetime = fuzz_byte(&m.in);
  m.wants_token = false;
  (void)!sdb_replica_on_token(m.replica, sdb_slice_of("a token"), lifetime * 1000, m.now_ms);
}

static void pass(uint64_t ms) {
  uint64_t end_ms = m.now_ms + ms;
  for (unsigned round = 0;; round++) {
    uint64_t at_ms = sdb_replica_deadline_ms(m.replica);
    if (at_ms > end_ms) break;
    REQUIRE(round < ROUNDS_MAX);
    if (at_ms > m.now_ms) m.now_ms = at_ms;
    sdb_replica_on_timer(m.replica, m.now_ms);
    drain();
  }
  m.now_ms = end_ms;
}

static void attach(void) {
  if (!m.storage_failed) return;
  settle();
  m.storage_failed = false;
  sdb_replica_attach(m.replica, sdb_memory_local_port(m.local), m.now_ms);
}

/* ---- life ---- */

static void start(void) {
  static const uint32_t WINDOWS[] = {SDB_REPLICA_WINDOW_ALL, 0, 2};
  sdb_replica_options options = {.mem = &m.memory.mem,
      .stores = fuzz_stores(),
      .stores_count = STORES_COUNT,
      .windows = m.flags & 1 ? WINDOWS : NULL,
      .random = next_random,
      .needs_token = m.flags & 2,
      .start_offline = m.flags & 4,
      .limits = sdb_replica_limits_default()};
  options.limits.pending_max = 40;
  REQUIRE(sdb_replica_create(&options, &m.replica) == SDB_OK);
  m.connected = m.opened = m.storage_failed = false;
  m.asks_first = m.asks_count;
  sdb_replica_attach(m.replica, sdb_memory_local_port(m.local), m.now_ms);
}

static void stop(void) {
  settle();
  sdb_replica_destroy(m.replica);
  fuzz_memory_end(&m.memory);
}

/* Memory and storage are well from here on. */
static void mend(void) {
  m.memory.failures = 0;
  sdb_memory_local_fail(m.local, SDB_OK);
  settle();
  for (unsigned tries = 0; m.storage_failed; tries++) {
    REQUIRE(tries < 3);
    attach();
    settle();
  }
}

/* The process ends and begins anew: what the storage kept is there again. */
static void restart(void) {
  mend();
  require_creates_kept();
  for (size_t i = m.asks_first; i < m.asks_count; i++)
    REQUIRE(m.asks[i].dones == m.asks[i].begun);
  stop();
  start();
  settle();
  require_creates_kept();
}

/* ---- instructions ---- */

static void step_outside(unsigned what) {
  switch (what) {
  case 0:
    open_line();
    break;
  case 1: /* code and reason */
    close_line();
    break;
  case 2: /* lifetime */
    give_token();
    break;
  case 3:
    sdb_replica_go_online(m.replica, m.now_ms);
    break;
  case 4:
    sdb_replica_go_offline(m.replica, m.now_ms);
    break;
  case 5: /* seconds / 2 */
    pass(fuzz_byte(&m.in) * (uint64_t)500 + 1);
    break;
  case 6: /* milliseconds */
    pass(fuzz_byte(&m.in));
    break;
  case 7: /* how many */
    (void)sdb_memory_local_run(m.local, 1 + fuzz_below(&m.in, 8));
    break;
  case 8: /* which way */
    sdb_memory_local_fail(m.local, fuzz_byte(&m.in) & 1   ? SDB_IO
                                   : fuzz_byte(&m.in) & 1 ? SDB_NO_MEMORY
                                                          : SDB_OK);
    break;
  case 9:
    sdb_memory_local_defer(m.local, fuzz_byte(&m.in) & 1);
    break;
  case 10: /* after how many allocations, how many */
    m.memory.fail_after = fuzz_byte(&m.in);
    m.memory.failures = 1 + fuzz_below(&m.in, 8);
    break;
  case 11:
    attach();
    break;
  case 12:
    restart();
    break;
  default:
    mend();
    break;
  }
}

static void step(void) {
  unsigned operation = fuzz_byte(&m.in), what = operation & 31;
  bool spoiled = operation & 128, drains = !(operation & 64);
  switch (what) { /* OPERATIONS; 14 and above are those of step_outside */
  case GREETING:  /* flags, heads */
  case UPDATE:    /* flags, ids, client id, object */
  case REMOVE:    /* flags, ids, client id */
  case SYNCED:    /* flags, ids */
  case PARTIAL:   /* flags, id, object or append */
  case FAILURE:   /* code, client id */
    hear_made(what, spoiled);
    break;
  case 6: /* size, bytes */
    text_put_raw(&m.message, &m.in);
    hear(false);
    break;
  case 7:
    text_put(&m.message, "{\"type\":\"pong\"}");
    hear(spoiled);
    break;
  case 8: /* kind, store, limit, id, object */
  case 9:
  case 10:
    ask();
    break;
  case 11: /* client id */
    decide_on_push(false);
    break;
  case 12:
    decide_on_push(true);
    break;
  case 13: /* id, store, limit */
    load_older();
    break;
  default:
    step_outside(what - 14);
    break;
  }
  if (drains) drain();
}

/* ---- the end ---- */

static void tell_text(const char *text) {
  text_put(&m.message, "%s", text);
  hear(false);
  settle();
}

#define ID_1 "01974f63-6abc-7000-8107-000000000001"
#define RESET(store, head) "\"" store "\":{\"head\":" head ",\"reset\":true}"
#define SYNCED_TO_HEAD(store)                                                                      \
  "{\"type\":\"synced\",\"data\":{\"store\":\"" store                                              \
  "\",\"after\":null,\"before\":null,\"more\":false}}"

static sdb_client_phase phase(void) {
  sdb_replica_status status;
  sdb_replica_get_status(m.replica, &status);
  return status.phase;
}

/* Once it is made, for it may have to wait for its turn, or for a token. */
static void connect(void) {
  sdb_replica_go_online(m.replica, m.now_ms);
  settle();
  for (unsigned tries = 0; !m.connected; tries++) {
    REQUIRE(tries < 10);
    REQUIRE(sdb_replica_on_token(m.replica, sdb_slice_of("a token"), 0, m.now_ms));
    settle();
    if (!m.connected) pass(1000);
    settle();
  }
  open_line();
  settle();
  REQUIRE(m.connected && m.greets);
}

/* How many records a list of the store gives. */
static size_t list(uint16_t store) {
  m.records_count = 0;
  begin_ask((sdb_replica_request){.kind = SDB_REPLICA_LIST, .store = store, .limit = 100});
  settle();
  REQUIRE(m.asks_count == ASKS_MAX || m.asks[m.asks_count - 1].status == SDB_OK);
  return m.records_count;
}

static void come_to_rest(void) {
  connect();
  tell_text("{\"type\":\"server_hello\",\"data\":{\"protocol\":1,\"database\":"
            "\"01974f00-0000-7000-8000-00000000000d\",\"stores\":{" RESET("chatMessage",
                "null") "," RESET("account", "null") "," RESET("note", "\"" ID_1 "\"") "}}}");
  tell_text("{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID_1
            "\",\"object\":{\"text\":\"there\"}}}");
  tell_text(SYNCED_TO_HEAD("account"));
  tell_text(SYNCED_TO_HEAD("chatMessage"));
  tell_text(SYNCED_TO_HEAD("note"));
  REQUIRE(m.connected && phase() == SDB_CLIENT_LIVE);
  require_creates_kept();
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  size_t creates = 0, changes = 0;
  while (sdb_replica_next_unsynced(m.replica, &cursor, &push)) {
    creates += push.store == NOTE && push.action == SDB_ACTION_CREATE;
    changes += push.store == NOTE && push.action != SDB_ACTION_CREATE;
  }
  if (m.asks_count == ASKS_MAX) return;
  size_t listed = list(NOTE);
  REQUIRE(listed <= creates + 1);
  REQUIRE(changes > 0 || listed == creates + 1);
}

static void begin(void) {
  sdb_store *const *stores = fuzz_stores();
  sdb_storage_store kept[STORES_COUNT];
  for (size_t i = 0; i < STORES_COUNT; i++)
    kept[i] = (sdb_storage_store){sdb_store_name(stores[i]), sdb_store_type_of(stores[i])};
  REQUIRE(sdb_memory_local_create(sdb_platform_mem(), kept, STORES_COUNT,
              (sdb_local_sink){NULL, completed}, &m.local) == SDB_OK);
  sdb_memory_local_defer(m.local, m.flags & 8);
  start();
  drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  memset(&m, 0, sizeof(m));
  if (!json.memory.mem) sdb_json_init(&json, sdb_platform_mem(), SDB_JSON_SIZE_MAX);
  m.in = (fuzz_input){data, size};
  m.now_ms = START_MS;
  m.completed_last = &m.completed;
  fuzz_memory_init(&m.memory, BYTES_MAX);
  m.flags = fuzz_byte(&m.in);
  begin();
  for (unsigned i = 0; m.in.size > 0 && i < STEPS_MAX; i++)
    step();
  restart();
  come_to_rest();
  stop();
  sdb_memory_local_destroy(m.local);
  return 0;
}
