/* wire_fuzz.c: messages of both sides. The input is one byte, then the message: '<' for one of a
 * server, anything else for one of a client.
 *
 * What decodes is written by our encoders and decoded again: every field must come back as it was.
 * What the decoder says of the text is known too: not JSON, or no text `type`, is
 * SDB_BAD_JSON, and nothing else is.
 */
#include "fuzz.h"
#include "wire/wire.h"
#include "ws/frame.h"

#define NOW_MS ((uint64_t)1749383382805)
#define STORES_MAX 16
#define RANGES_MAX 16
#define NAME_MAX 64

typedef struct decoded {
  sdb_json json;
  sdb_wire_message message;
  sdb_status status;
  sdb_error error;
} decoded;

static fuzz_memory memory;

static void decode(decoded *to, bool of_server, sdb_slice text) {
  sdb_json_init(&to->json, &memory.mem, SDB_JSON_SIZE_MAX);
  to->error = (sdb_error){.status = SDB_OK};
  to->status = (of_server ? sdb_wire_decode_server : sdb_wire_decode)(
      &to->json, text, SDB_JSON_DEPTH_MAX, &to->message, &to->error);
}

/* ---- fields ---- */

static sdb_slice name_at(const decoded *d, uint32_t at) {
  return at ? sdb_json_text(&d->json, at) : (sdb_slice){0};
}

/* A store's name as a definition allows it, for the encoders take no other. */
static bool is_name(sdb_slice text) {
  if (text.size == 0 || text.size > NAME_MAX) return false;
  for (size_t i = 0; i < text.size; i++) {
    char c = text.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && c != '_' && (c < '0' || c > '9')) return false;
  }
  return true;
}

typedef struct name {
  char text[NAME_MAX + 1];
} name;

static name make_name(sdb_slice text) {
  name n = {""};
  REQUIRE(text.size <= NAME_MAX);
  if (text.size) memcpy(n.text, text.data, text.size);
  return n;
}

static sdb_uuid id_at(const decoded *d, uint32_t at) {
  sdb_uuid id = {{0}};
  if (at && sdb_wire_uuid(&d->json, at, &id)) return id;
  return (sdb_uuid){{0}};
}

static bool same_id(sdb_uuid a, sdb_uuid b) {
  return memcmp(&a, &b, sizeof(a)) == 0;
}

static void require_same_value(const decoded *a, uint32_t at_a, const decoded *b, uint32_t at_b) {
  REQUIRE((at_a != 0) == (at_b != 0));
  if (at_a) REQUIRE(sdb_json_equal(&a->json, at_a, &b->json, at_b));
}

static void require_same(const decoded *a, const decoded *b) {
  const sdb_wire_message *m = &a->message, *n = &b->message;
  REQUIRE(b->status == SDB_OK && m->type == n->type && m->more == n->more);
  REQUIRE(same_id(m->id, n->id) && same_id(m->client_id, n->client_id));
  REQUIRE(same_id(m->after, n->after) && same_id(m->before, n->before));
  REQUIRE(same_id(m->database, n->database) && m->limit == n->limit);
  require_same_value(a, m->store, b, n->store);
  require_same_value(a, m->object, b, n->object);
  require_same_value(a, m->append, b, n->append);
  require_same_value(a, m->token, b, n->token);
}

/* ---- a server's messages, again ---- */

static void require_same_run(const decoded *d, const sdb_wire_run *run, decoded *again) {
  sdb_slice frames = sdb_buffer_slice(&run->buffer), payload;
  REQUIRE(run->buffer.status == SDB_OK && run->messages == 1);
  REQUIRE(sdb_ws_next_frame(&frames, &payload) && frames.size == 0);
  decode(again, true, payload);
  require_same(d, again);
}

static void write_hello(const decoded *d, sdb_wire_run *run, name *names) {
  sdb_wire_store_head heads[STORES_MAX];
  const sdb_wire_message *m = &d->message;
  size_t count = 0;
  uint32_t end = m->stores ? sdb_json_at(&d->json, m->stores)->next : 0;
  for (uint32_t key = m->stores + 1; key < end; key = sdb_json_at(&d->json, key + 1)->next) {
    if (count == STORES_MAX || !is_name(sdb_json_text(&d->json, key))) continue;
    names[count] = make_name(sdb_json_text(&d->json, key));
    uint32_t reset = sdb_json_member(&d->json, key + 1, sdb_slice_of("reset"));
    heads[count] = (sdb_wire_store_head){.store = names[count].text,
        .head = id_at(d, sdb_json_member(&d->json, key + 1, sdb_slice_of("head"))),
        .reset = reset && sdb_json_at(&d->json, reset)->type == SDB_JSON_TRUE};
    count++;
  }
  sdb_wire_server_hello(run, m->database, NOW_MS, heads, count);
}

/* Each store that was written is there, with its head. */
static void require_heads(const decoded *d, const decoded *again, const name *names) {
  for (size_t i = 0; i < STORES_MAX && names[i].text[0]; i++) {
    sdb_slice store = sdb_slice_of(names[i].text), head = sdb_slice_of("head");
    uint32_t a = sdb_json_member(&d->json, d->message.stores, store);
    uint32_t b = sdb_json_member(&again->json, again->message.stores, store);
    REQUIRE(a && b);
    REQUIRE(same_id(id_at(d, sdb_json_member(&d->json, a, head)),
        id_at(again, sdb_json_member(&again->json, b, head))));
  }
}

/* An append as our server sends it: one string. 0 where it is another. */
static uint32_t appended_text(const decoded *d) {
  uint32_t at = d->message.append;
  if (!at || d->message.object || sdb_json_at(&d->json, at)->count != 1) return 0;
  if (sdb_json_at(&d->json, at + 1)->escaped) return 0;
  return sdb_json_at(&d->json, at + 2)->type == SDB_JSON_STRING ? at + 2 : 0;
}

/* False: our server would not say it. */
static bool write_partial(const decoded *d, sdb_wire_run *run, const char *store) {
  const sdb_wire_message *m = &d->message;
  uint32_t text = appended_text(d);
  if (text)
    sdb_wire_partial_append(
        run, store, m->id, sdb_json_text(&d->json, m->append + 1), sdb_json_text(&d->json, text));
  else if (m->object && !m->append)
    sdb_wire_partial(run, store, m->id, sdb_json_raw(&d->json, m->object));
  return text || (m->object && !m->append);
}

static void require_error(const decoded *d, sdb_wire_run *run, const char *store) {
  const sdb_wire_message *m = &d->message;
  if (!m->text || sdb_json_text(&d->json, m->text).size >= SDB_ERROR_MESSAGE_SIZE) return;
  sdb_error error = {.status = SDB_REJECTED};
  error.message[sdb_json_unescape(&d->json, m->text, error.message)] = 0;
  if (strlen(error.message) == 0) return;
  decoded again;
  sdb_wire_error(run, &error, m->client_id, store[0] ? store : NULL);
  require_same_run(d, run, &again);
  sdb_slice message = sdb_slice_of(error.message);
  REQUIRE(sdb_json_string_is(&again.json, again.message.text, message));
  REQUIRE(sdb_json_string_is(&again.json, again.message.code, sdb_slice_of("rejected")));
  sdb_json_free(&again.json);
}

static bool write_of_server(const decoded *d, sdb_wire_run *run, const char *store) {
  const sdb_wire_message *m = &d->message;
  sdb_wire_event event = {store, m->id, m->event_id, m->client_id, {0}};
  switch (m->type) {
  case SDB_WIRE_UPDATE:
    if (m->object) event.object = sdb_json_raw(&d->json, m->object);
    if (m->object && store[0]) sdb_wire_event_write(run, &event);
    return m->object && store[0];
  case SDB_WIRE_REMOVE:
    if (store[0]) sdb_wire_event_write(run, &event);
    return store[0];
  case SDB_WIRE_PARTIAL:
    return store[0] && write_partial(d, run, store);
  case SDB_WIRE_SYNCED:
    if (store[0]) sdb_wire_synced(run, store, m->after, m->before, m->more);
    return store[0];
  case SDB_WIRE_PONG:
    sdb_wire_pong(run);
    return true;
  default:
    return false;
  }
}

static void again_of_server(const decoded *d) {
  sdb_wire_run run;
  sdb_wire_run_init(&run, &memory.mem, (size_t)1 << 20, sdb_ws_frame_header);
  sdb_slice store = name_at(d, d->message.store);
  name n = make_name(is_name(store) ? store : (sdb_slice){0}), names[STORES_MAX] = {{""}};
  decoded again;
  bool whole = !store.size || n.text[0];
  if (d->message.type == SDB_WIRE_SERVER_HELLO) {
    write_hello(d, &run, names);
    require_same_run(d, &run, &again);
    require_heads(d, &again, names);
    sdb_json_free(&again.json);
  } else if (whole && d->message.type == SDB_WIRE_ERROR) {
    require_error(d, &run, n.text);
  } else if (whole && write_of_server(d, &run, n.text)) {
    require_same_run(d, &run, &again);
    sdb_uuid event_id = again.message.event_id;
    REQUIRE(same_id(event_id, d->message.event_id) ||
            (sdb_uuid_is_nil(event_id) && same_id(d->message.event_id, d->message.id)));
    sdb_json_free(&again.json);
  }
  sdb_wire_run_free(&run);
}

/* ---- a client's messages, again ---- */

static size_t read_ranges(const decoded *d, uint32_t list, sdb_wire_range *ranges) {
  size_t count = 0;
  if (!list || sdb_json_at(&d->json, list)->type != SDB_JSON_ARRAY) return 0;
  uint32_t end = sdb_json_at(&d->json, list)->next;
  for (uint32_t at = list + 1; at < end && count < RANGES_MAX; at = sdb_json_at(&d->json, at)->next)
    ranges[count++] =
        (sdb_wire_range){id_at(d, sdb_json_member(&d->json, at, sdb_slice_of("after"))),
            id_at(d, sdb_json_member(&d->json, at, sdb_slice_of("before")))};
  return count;
}

static uint32_t window_of(const decoded *d, sdb_slice store) {
  uint32_t at = d->message.window ? sdb_json_member(&d->json, d->message.window, store) : 0;
  uint64_t window;
  if (!at || sdb_json_at(&d->json, at)->type != SDB_JSON_NUMBER) return SDB_WIRE_WINDOW_ALL;
  if (!sdb_json_uint64(&d->json, at, &window) || window > UINT32_MAX) return SDB_WIRE_WINDOW_ALL;
  return (uint32_t)window;
}

/* What a hello says of the stores whose names are names. */
typedef struct statuses {
  name names[STORES_MAX];
  sdb_wire_range ranges[STORES_MAX][RANGES_MAX];
  sdb_wire_store_status items[STORES_MAX];
  size_t count;
} statuses;

static void read_statuses(const decoded *d, statuses *to) {
  uint32_t status = d->message.sync_status;
  to->count = 0;
  uint32_t end = status ? sdb_json_at(&d->json, status)->next : 0;
  for (uint32_t key = status + 1; key < end; key = sdb_json_at(&d->json, key + 1)->next) {
    sdb_slice store = sdb_json_text(&d->json, key);
    if (to->count == STORES_MAX || !is_name(store)) continue;
    size_t i = to->count++;
    uint32_t missing =
        d->message.missing ? sdb_json_member(&d->json, d->message.missing, store) : 0;
    to->names[i] = make_name(store);
    to->items[i] = (sdb_wire_store_status){to->names[i].text, id_at(d, key + 1),
        window_of(d, store), to->ranges[i], read_ranges(d, missing, to->ranges[i])};
  }
}

static void require_same_statuses(const statuses *a, const statuses *b) {
  REQUIRE(a->count == b->count);
  for (size_t i = 0; i < a->count; i++) {
    const sdb_wire_store_status *s = &a->items[i], *t = &b->items[i];
    REQUIRE(strcmp(s->store, t->store) == 0 && same_id(s->head, t->head));
    REQUIRE(s->window == t->window && s->missing_count == t->missing_count);
    size_t size = s->missing_count * sizeof(*s->missing);
    REQUIRE(memcmp(s->missing, t->missing, size) == 0);
  }
}

static sdb_slice token_of(const decoded *d, char *to) {
  return sdb_slice_make(
      to, d->message.token ? sdb_json_unescape(&d->json, d->message.token, to) : 0);
}

static void write_client_hello(const decoded *d, sdb_buffer *text, const statuses *said) {
  char *token = fuzz_copy(name_at(d, d->message.token));
  sdb_wire_hello hello = {.stores = said->items,
      .stores_count = said->count,
      .database = d->message.database,
      .token = token_of(d, token),
      .accepts_append = d->message.accept != 0};
  sdb_wire_client_hello(text, &hello);
  free(token);
}

static void write_auth(const decoded *d, sdb_buffer *text) {
  char *token = fuzz_copy(name_at(d, d->message.token));
  sdb_wire_auth(text, token_of(d, token));
  free(token);
}

static bool write_of_client(const decoded *d, sdb_buffer *text, const char *store) {
  const sdb_wire_message *m = &d->message;
  switch (m->type) {
  case SDB_WIRE_UPDATE:
    if (m->object && store[0])
      sdb_wire_push(text, store, m->id, sdb_json_raw(&d->json, m->object), m->client_id);
    return m->object && store[0];
  case SDB_WIRE_REMOVE:
    if (store[0]) sdb_wire_push(text, store, m->id, (sdb_slice){0}, m->client_id);
    return store[0];
  case SDB_WIRE_FETCH:
    if (store[0]) sdb_wire_fetch(text, store, m->after, m->before, m->limit);
    return store[0];
  case SDB_WIRE_AUTH:
    if (m->token) write_auth(d, text);
    return m->token != 0;
  case SDB_WIRE_PING:
    sdb_wire_ping(text);
    return true;
  default:
    return false;
  }
}

static void again_of_client(const decoded *d) {
  static statuses said, said_again;
  sdb_buffer text;
  sdb_buffer_init(&text, &memory.mem, (size_t)1 << 20);
  sdb_slice store = name_at(d, d->message.store);
  name n = make_name(is_name(store) ? store : (sdb_slice){0});
  bool is_hello =
      d->message.type == SDB_WIRE_CLIENT_HELLO &&
      !sdb_slice_equal(name_at(d, d->message.token), sdb_slice_of("")) == (d->message.token != 0);
  if (is_hello) {
    read_statuses(d, &said);
    write_client_hello(d, &text, &said);
  }
  if (is_hello || ((!store.size || n.text[0]) && write_of_client(d, &text, n.text))) {
    decoded again;
    REQUIRE(text.status == SDB_OK);
    decode(&again, false, sdb_buffer_slice(&text));
    require_same(d, &again);
    if (is_hello) {
      read_statuses(&again, &said_again);
      require_same_statuses(&said, &said_again);
    }
    sdb_json_free(&again.json);
  }
  sdb_buffer_free(&text);
}

/* ---- objects ---- */

/* As it is stored: with a `$createdAt` that may be. Stored again, it is the same. */
static void require_object(const decoded *d) {
  sdb_buffer once, twice;
  sdb_buffer_init(&once, &memory.mem, (size_t)1 << 20);
  sdb_buffer_init(&twice, &memory.mem, (size_t)1 << 20);
  sdb_error error;
  if (sdb_wire_object_write(&once, &d->json, d->message.object, NOW_MS, &error) == SDB_OK) {
    sdb_json json;
    uint64_t created_ms = 0;
    sdb_json_init(&json, &memory.mem, SDB_JSON_SIZE_MAX);
    REQUIRE(sdb_json_scan(&json, sdb_buffer_slice(&once), SDB_JSON_DEPTH_MAX, NULL) == SDB_OK);
    uint32_t created = sdb_json_member(&json, 0, sdb_slice_of("$createdAt"));
    REQUIRE(created && sdb_json_uint64(&json, created, &created_ms) && created_ms <= NOW_MS);
    REQUIRE(sdb_wire_object_write(&twice, &json, 0, NOW_MS, NULL) == SDB_OK);
    REQUIRE(sdb_slice_equal(sdb_buffer_slice(&once), sdb_buffer_slice(&twice)));
    sdb_json_free(&json);
  } else {
    REQUIRE(strcmp(error.path, "/$createdAt") == 0);
  }
  sdb_buffer_free(&once);
  sdb_buffer_free(&twice);
}

/* ---- verdicts ---- */

static void require_verdict(const decoded *d, sdb_slice text) {
  sdb_json json;
  sdb_json_init(&json, &memory.mem, SDB_JSON_SIZE_MAX);
  bool is_message = sdb_json_scan(&json, text, SDB_JSON_DEPTH_MAX, NULL) == SDB_OK;
  uint32_t type = is_message ? sdb_json_member(&json, 0, sdb_slice_of("type")) : 0;
  is_message = type && sdb_json_at(&json, type)->type == SDB_JSON_STRING;
  REQUIRE(is_message == (d->status != SDB_BAD_JSON));
  REQUIRE(d->status == SDB_OK || (d->error.message[0] && d->error.status == d->status));
  sdb_json_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  bool of_server = fuzz_byte(&in) == '<';
  sdb_slice text = fuzz_bytes(&in, in.size);
  fuzz_memory_init(&memory, (size_t)1 << 24);
  decoded d;
  decode(&d, of_server, text);
  require_verdict(&d, text);
  if (d.status == SDB_OK) {
    if (d.message.object) require_object(&d);
    if (of_server)
      again_of_server(&d);
    else
      again_of_client(&d);
  }
  sdb_json_free(&d.json);
  fuzz_memory_end(&memory);
  return 0;
}
