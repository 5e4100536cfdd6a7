/* hub_fuzz.c: the server's state machine, driven by bytes.
 *
 *   byte 0     bits 0 to 2: limits (pushes a second, few connections, small outputs); bit 3: the
 *              application is asked about what is pushed
 *   then instructions: one byte, of which the low 5 bits choose (OPERATIONS below), the next 2 are
 *   the device or the user, and the last spoils the message that is made; then what each takes.
 *
 * What must hold, whatever they say:
 *  - what a device is sent is whole frames of messages that our decoder takes, of its own user,
 *    after a server_hello, and nothing after its close; an event only when its write came back from
 *    the storage, and of an object never an older one after a newer one;
 *  - subscribers are told of each user's events in order;
 *  - the application is asked only where it wants to be, of its own users' objects;
 *  - each request is done exactly once; what the hub holds is bounded, and nothing leaks;
 *  - no deadline stands still;
 *  - in the end, with memory and storage well, a device that connects is sent just the objects that
 *    there are.
 */
#include "hub/hub.h"
#include "storage/memory/memory_storage.h"
#include "text.h"
#include "wire/wire.h"
#include "ws/frame.h"

#define DEVICES 4
#define USERS 3
#define HELD_MAX 4096
#define EVENTS_MAX 2048
#define ASKS_MAX 2048
#define SENT_MAX 256
#define STEPS_MAX 1500
#define BYTES_MAX ((size_t)8 << 20)
#define START_MS ((uint64_t)1749383382805)
#define NOBODY USERS

static const char *const NAMES[] = {"ada", "bob", "eve", ""};
static const char *const MARKS[] = {"@ada-ada", "@bob-bob", "@eve-eve", "none"};

typedef struct sent {
  sdb_uuid object;
  sdb_seq event;
} sent;

typedef struct device {
  sdb_peer *peer;
  unsigned user; /* NOBODY: not known */
  unsigned asked;
  bool closed, greeted;
  size_t unread, synced, updates;
  sent sent[SENT_MAX];
  size_t sent_count;
} device;

/* An event that the storage keeps, as its write came back. */
typedef struct event {
  sdb_seq seq, object;
  uint16_t store;
  uint64_t user;
  bool removed, replaced;
} event;

typedef struct machine {
  fuzz_input in;
  fuzz_memory memory;
  sdb_memory_storage *storage;
  sdb_hub *hub;
  uint64_t now_ms;
  device devices[DEVICES];
  size_t writes_count, reads_count;
  unsigned failing_reads;
  size_t events_count;
  uint64_t numbers[USERS]; /* the storage's; 0: not known */
  sdb_seq told[USERS];     /* the last of each user that subscribers heard of */
  uint8_t dones[ASKS_MAX], begun[ASKS_MAX];
  size_t asks_count;
  uint64_t partials;
  bool refuses; /* the application is behind */
  bool judges;
  uint64_t tickets[HELD_MAX]; /* that wait for a verdict */
  size_t tickets_count;
  text message;
} machine;

/* All that is set to zero for each input; the arrays below are as long as its counts say. */
static machine m;
static sdb_op *writes[HELD_MAX], *reads[HELD_MAX]; /* carried out, and not told yet */
static event events[EVENTS_MAX];
static sdb_json json; /* of what is sent */

static sdb_uuid database(void) {
  sdb_uuid id;
  memset(&id, 0xab, sizeof(id));
  return id;
}

/* ---- the storage ---- */

static void completed(void *context, sdb_op *list) {
  (void)context;
  while (list) {
    sdb_op *op = list;
    list = op->next;
    op->next = NULL;
    REQUIRE(m.reads_count < HELD_MAX && m.writes_count < HELD_MAX);
    if (op->kind == SDB_OP_PAGE || op->kind == SDB_OP_OBJECT)
      reads[m.reads_count++] = op;
    else
      writes[m.writes_count++] = op;
  }
}

static unsigned user_named(sdb_slice name) {
  unsigned user = 0;
  while (user < USERS && !sdb_slice_equal(name, sdb_slice_of(NAMES[user])))
    user++;
  return user;
}

static void keep_write(const sdb_op_write *write) {
  if (write->op.status != SDB_OK || write->duplicate) return;
  REQUIRE(m.events_count < EVENTS_MAX);
  for (size_t i = 0; i < m.events_count; i++) {
    event *e = &events[i];
    REQUIRE(e->seq < write->seq);
    bool singular = write->store == ACCOUNT && e->store == ACCOUNT;
    if (e->user == write->user && e->store == write->store &&
        (e->object == write->object || singular))
      e->replaced = true;
  }
  events[m.events_count++] = (event){write->seq, write->object, write->store, write->user,
      write->action == SDB_ACTION_DELETE, false};
}

static void tell(sdb_op *op) {
  bool is_write = op->kind == SDB_OP_WRITE;
  if (is_write) {
    keep_write(SDB_CONTAINER_OF(op, sdb_op_write, op));
  } else if (m.failing_reads > 0) {
    m.failing_reads--;
    op->status = m.failing_reads & 1 ? SDB_NO_MEMORY : SDB_UNAVAILABLE;
  } else if (op->kind == SDB_OP_USER && op->status == SDB_OK) {
    const sdb_op_user *user = SDB_CONTAINER_OF(op, sdb_op_user, op);
    unsigned at = user_named(user->name);
    REQUIRE(at < USERS && user->user != 0);
    m.numbers[at] = user->user;
  }
  sdb_hub_on_completed(m.hub, op, m.now_ms);
}

static void tell_first(sdb_op **held, size_t *count, size_t at) {
  sdb_op *op = held[at];
  memmove(&held[at], &held[at + 1], (*count - at - 1) * sizeof(*held));
  --*count;
  tell(op);
}

/* ---- what comes out ---- */

static const event *find_event(sdb_uuid id) {
  sdb_seq seq = 0;
  if (!sdb_seq_from_uuid(id, database(), &seq)) return NULL;
  for (size_t i = 0; i < m.events_count; i++) {
    if (events[i].seq == seq) return &events[i];
  }
  return NULL;
}

static void require_fresh(device *d, sdb_uuid object, sdb_seq seq) {
  size_t at = 0;
  while (at < d->sent_count && memcmp(&d->sent[at].object, &object, sizeof(object)) != 0)
    at++;
  if (at == SENT_MAX) return;
  REQUIRE(at == d->sent_count || d->sent[at].event <= seq);
  d->sent[at] = (sent){object, seq};
  if (at == d->sent_count) d->sent_count++;
}

static void on_event(device *d, const sdb_wire_message *message) {
  bool given_up = message->type == SDB_WIRE_REMOVE && sdb_uuid_is_nil(message->event_id);
  if (given_up && !find_event(message->id)) return;
  sdb_uuid id = sdb_uuid_is_nil(message->event_id) ? message->id : message->event_id;
  const event *e = find_event(id);
  REQUIRE(e && e->user == m.numbers[d->user]);
  REQUIRE(e->removed == (message->type == SDB_WIRE_REMOVE));
  require_fresh(d, message->id, e->seq);
  if (e->replaced || e->removed) return;
  d->updates++;
}

static void on_message(device *d, sdb_slice payload) {
  sdb_wire_message message;
  REQUIRE(sdb_wire_decode_server(&json, payload, SDB_JSON_DEPTH_MAX, &message, NULL) == SDB_OK);
  bool needs_greeting = message.type != SDB_WIRE_ERROR && message.type != SDB_WIRE_PONG;
  if (message.type == SDB_WIRE_SERVER_HELLO) {
    REQUIRE(!d->greeted && d->user != NOBODY);
    d->greeted = true;
  }
  REQUIRE(!needs_greeting || d->greeted);
  for (unsigned user = 0; user < USERS; user++)
    REQUIRE(user == d->user || !fuzz_contains(payload, MARKS[user]));
  if (message.type == SDB_WIRE_UPDATE || message.type == SDB_WIRE_REMOVE) on_event(d, &message);
  d->synced += message.type == SDB_WIRE_SYNCED;
}

static void on_send(device *d, sdb_frames *frames) {
  sdb_slice run = sdb_slice_make(frames->data, frames->size), payload;
  uint32_t messages = 0;
  REQUIRE(d->peer && !d->closed);
  for (; sdb_ws_next_frame(&run, &payload); messages++)
    on_message(d, payload);
  REQUIRE(messages == frames->messages && run.size == 0);
  d->unread += frames->size;
  sdb_frames_release(frames);
}

static void on_told(const sdb_hub_output *output) {
  unsigned user = user_named(output->user);
  const event *e = find_event(output->row.event_id);
  REQUIRE(user < USERS && e && e->seq > m.told[user] && e->user == m.numbers[user]);
  m.told[user] = e->seq;
}

static void on_done(const sdb_hub_output *output) {
  size_t at = (size_t)(uintptr_t)output->tag;
  REQUIRE(at < m.asks_count && m.begun[at] && m.dones[at] == 0);
  m.dones[at]++;
  REQUIRE(output->status == SDB_OK || (output->error && output->error->status == output->status));
  for (size_t i = 0; i < output->rows_count; i++) {
    REQUIRE(output->rows[i].store < STORES_COUNT && output->rows[i].object.size >= 2);
    REQUIRE(find_event(output->rows[i].event_id));
  }
}

static void on_judge(const sdb_hub_output *output) {
  unsigned user = user_named(output->user);
  REQUIRE(m.judges && user < USERS && output->ticket != 0 && output->row.store < STORES_COUNT);
  for (unsigned other = 0; other < USERS; other++)
    REQUIRE(other == user || !fuzz_contains(output->row.object, MARKS[other]));
  REQUIRE(m.tickets_count < HELD_MAX);
  m.tickets[m.tickets_count++] = output->ticket;
}

static void give_verdict(unsigned which, sdb_status status) {
  if (m.tickets_count == 0) return;
  size_t at = which % m.tickets_count;
  sdb_error error = {.status = status, .message = "no"};
  sdb_hub_on_verdict(m.hub, m.tickets[at], status, which & 1 ? &error : NULL, m.now_ms);
  m.tickets[at] = m.tickets[--m.tickets_count];
}

static void drain(void) {
  sdb_hub_output output;
  while (sdb_hub_next_output(m.hub, &output)) {
    device *d = output.peer ? output.tag : NULL;
    switch (output.kind) {
    case SDB_HUB_SEND:
      on_send(d, output.frames);
      break;
    case SDB_HUB_CLOSE:
      REQUIRE(!d->closed && output.close_code >= 1000 && output.close_code < 5000);
      d->closed = true;
      break;
    case SDB_HUB_AUTHENTICATE:
      REQUIRE(!d->closed);
      d->asked++;
      break;
    case SDB_HUB_JUDGE:
      on_judge(&output);
      break;
    case SDB_HUB_EVENT:
      on_told(&output);
      break;
    case SDB_HUB_DONE:
      on_done(&output);
      break;
    }
  }
}

/* ---- devices ---- */

static const char *mark_of(const device *d) {
  return MARKS[d->user];
}

static void hang_up(device *d) {
  if (!d->peer) return;
  drain(); /* what is for it comes before */
  sdb_hub_on_disconnect(m.hub, d->peer, m.now_ms);
  memset(d, 0, sizeof(*d));
}

static void dial(device *d, unsigned user, uint64_t expires_ms) {
  hang_up(d);
  d->user = user;
  d->peer = sdb_hub_on_connect(m.hub, sdb_slice_of(NAMES[user]), expires_ms, d, m.now_ms);
}

static void say(device *d, const text *said) {
  if (!d->peer) return;
  char *copy = fuzz_copy(text_slice(said));
  sdb_hub_on_message(m.hub, d->peer, sdb_slice_make(copy, said->size), m.now_ms);
  free(copy);
}

/* An id that was seen, of an event or of an object; of nobody's; or none. */
static sdb_uuid any_id(void) {
  static const sdb_uuid NIL = {{0}}, FOREIGN = {{0x01, 0x97, 0x4f, 0x63, 0, 0, 0x70, 0, 0x81}};
  unsigned which = fuzz_byte(&m.in);
  if (which == 0) return NIL;
  if (which == 1) return FOREIGN;
  if (which == 2 || m.events_count == 0) return sdb_seq_to_uuid(START_MS << 12, database());
  const event *e = &events[m.events_count - 1 - (which >> 1) % m.events_count];
  return sdb_seq_to_uuid(which & 1 ? e->object : e->seq, database());
}

static void make_hello(text *to) {
  unsigned flags = fuzz_byte(&m.in);
  text_put(to, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"nobody\":null");
  for (unsigned i = 0; i < STORES_COUNT; i++) {
    if (flags & 1u << i) text_put_id(to, STORE_NAMES[i], any_id());
  }
  text_put(to, "}");
  if (flags & 8) {
    text_put(to, ",\"missing\":{\"note\":[");
    for (unsigned i = fuzz_below(&m.in, 4) + 1; i > 0; i--) {
      text_put(to, "{\"x\":0");
      text_put_id(to, "after", any_id());
      text_put_id(to, "before", any_id());
      text_put(to, "}%s", i > 1 ? "," : "");
    }
    text_put(to, "]}");
  }
  if (flags & 16) text_put(to, ",\"window\":{\"note\":%u}", fuzz_below(&m.in, 6));
  if (flags & 32) text_put(to, ",\"accept\":[\"append\"]");
  if (flags & 64) text_put_id(to, "database", flags & 128 ? any_id() : database());
  if (flags & 128) text_put(to, ",\"token\":\"t\"");
  text_put(to, "}}");
}

static void make_push(text *to, const char *mark) {
  unsigned flags = fuzz_byte(&m.in), store = flags & 3;
  bool removes = flags & 4;
  text_put(to, "{\"type\":\"%s\",\"data\":{\"x\":0", removes ? "remove" : "update");
  if (!removes || flags & 8) text_put(to, ",\"store\":\"%s\"", STORE_NAMES[store]);
  if (removes || flags & 16) text_put_id(to, "id", any_id());
  if (!removes) {
    text_put(to, ",\"object\":");
    text_put_object(to, store, fuzz_byte(&m.in), mark);
  }
  if (flags & 32) text_put_id(to, "clientId", client_id_of(fuzz_byte(&m.in) & 31));
  text_put(to, "}}");
}

static void make_fetch(text *to) {
  text_put(to, "{\"type\":\"fetch\",\"data\":{\"store\":\"%s\"", STORE_NAMES[fuzz_below(&m.in, 4)]);
  text_put_id(to, "after", any_id());
  text_put_id(to, "before", any_id());
  text_put(to, ",\"limit\":%u}}", fuzz_below(&m.in, 5));
}

static void make_small(text *to) {
  static const char *const SMALL[] = {"{\"type\":\"ping\"}",
      "{\"type\":\"auth\",\"data\":{\"token\":\"u\"}}", "{\"type\":\"what\"}", "[]",
      "{\"type\":\"auth\",\"data\":{}}"};
  text_put(to, "%s", SMALL[fuzz_below(&m.in, SDB_COUNT_OF(SMALL))]);
}

static void make_message(unsigned operation, const char *mark) {
  if (operation <= 3)
    make_hello(&m.message);
  else if (operation <= 6)
    make_push(&m.message, mark);
  else if (operation == 7)
    make_fetch(&m.message);
  else if (operation == 8)
    make_small(&m.message);
  else
    text_put_raw(&m.message, &m.in);
}

static void identify(device *d) {
  unsigned what = fuzz_byte(&m.in), user = what % (USERS + 1);
  if (!d->peer || d->asked == 0) return;
  d->asked--;
  if (d->user == NOBODY) d->user = user;
  sdb_hub_on_identity(m.hub, d->peer, sdb_slice_of(NAMES[user]),
      what & 64 ? m.now_ms + (what & 63) * 100 : 0, m.now_ms);
}

static void level(device *d) {
  static const size_t LEVELS[] = {0, 0, 0, 1000, 5000, 5 << 20};
  unsigned which = fuzz_below(&m.in, SDB_COUNT_OF(LEVELS) + 1);
  if (!d->peer) return;
  if (which < SDB_COUNT_OF(LEVELS)) d->unread = LEVELS[which];
  (void)sdb_hub_wants_input(d->peer);
  sdb_hub_on_output_level(m.hub, d->peer, d->unread, m.now_ms);
}

/* ---- the application ---- */

static void ask(unsigned user) {
  static const char *const FIELDS[] = {"text", "message", "name", "n"};
  static const char *const TEXTS[] = {"more ", "", "\"\\\n", "\xC3\xA9\xF0\x9F\x98\x80"};
  unsigned what = fuzz_byte(&m.in);
  text object = {.size = 0};
  if (m.asks_count == ASKS_MAX || user == NOBODY) return;
  sdb_request request = {.kind = (sdb_request_kind)(1 + what % 10),
      .tag = (void *)(uintptr_t)m.asks_count,
      .user = sdb_slice_of(NAMES[user]),
      .store = (uint16_t)fuzz_below(&m.in, STORES_COUNT),
      .id = any_id(),
      .before = any_id(),
      .limit = 1 + fuzz_below(&m.in, 20)};
  if (request.kind == SDB_REQUEST_SINGULAR) request.store = ACCOUNT;
  if (request.kind >= SDB_REQUEST_PARTIAL_BEGIN && request.store == ACCOUNT) request.store = NOTE;
  request.partial = request.kind == SDB_REQUEST_PARTIAL_BEGIN
                        ? ++m.partials
                        : m.partials - (m.partials ? fuzz_byte(&m.in) % 4 % m.partials : 0);
  text_put_object(&object, request.store, fuzz_byte(&m.in), MARKS[user]);
  if (request.kind != SDB_REQUEST_PARTIAL_COMMIT || what & 128)
    request.object = text_slice(&object);
  request.field = sdb_slice_of(FIELDS[what >> 4 & 3]);
  request.text = sdb_slice_of(TEXTS[what >> 6 & 3]);
  m.begun[m.asks_count] = sdb_hub_request(m.hub, &request, m.now_ms);
  m.asks_count++;
}

static bool subscribed(void *context, uint16_t store) {
  (void)context;
  return store < STORES_COUNT;
}

static bool accepts(void *context, uint16_t store, sdb_slice user) {
  (void)context;
  REQUIRE(store < STORES_COUNT && user_named(user) < USERS);
  return !m.refuses;
}

static bool judged(void *context, uint16_t store) {
  (void)context;
  REQUIRE(store < STORES_COUNT || store == SDB_STORE_ANY);
  return m.judges;
}

/* ---- time ---- */

static void pass(uint64_t ms) {
  uint64_t end_ms = m.now_ms + ms;
  for (unsigned round = 0;; round++) {
    uint64_t at_ms = sdb_hub_deadline_ms(m.hub);
    if (at_ms > end_ms) break;
    REQUIRE(round < 1000);
    if (at_ms > m.now_ms) m.now_ms = at_ms;
    sdb_hub_on_timer(m.hub, m.now_ms);
    drain();
    REQUIRE(sdb_hub_deadline_ms(m.hub) > m.now_ms);
  }
  m.now_ms = end_ms;
}

static void pass_some(void) {
  static const uint64_t SOME_MS[] = {1, 20, 1000, 5001, 11000, 60000, 3600000, 50ull * 86400000};
  pass(SOME_MS[fuzz_below(&m.in, SDB_COUNT_OF(SOME_MS))]);
}

/* Until nothing is on its way. */
static void settle(void) {
  for (unsigned round = 0;; round++) {
    REQUIRE(round < 20000);
    drain();
    for (unsigned i = 0; i < DEVICES; i++) {
      device *d = &m.devices[i];
      if (!d->peer || d->unread == 0) continue;
      d->unread = 0;
      sdb_hub_on_output_level(m.hub, d->peer, 0, m.now_ms);
    }
    sdb_hub_flush(m.hub);
    sdb_memory_storage_run(m.storage);
    if (m.writes_count + m.reads_count + m.tickets_count == 0) break;
    while (m.tickets_count > 0)
      give_verdict(0, SDB_OK);
    while (m.writes_count > 0)
      tell_first(writes, &m.writes_count, 0);
    while (m.reads_count > 0)
      tell_first(reads, &m.reads_count, 0);
  }
  drain();
}

/* ---- instructions ---- */

static void step_storage(unsigned what) {
  unsigned count = fuzz_byte(&m.in);
  switch (what) {
  case 0:
    sdb_hub_flush(m.hub);
    break;
  case 1:
    sdb_memory_storage_run_some(m.storage, 1 + count % 8);
    break;
  case 2:
    for (count %= 8; m.writes_count > 0; count--) {
      tell_first(writes, &m.writes_count, 0);
      if (count == 0) break;
    }
    break;
  case 3:
    if (m.reads_count > 0) tell_first(reads, &m.reads_count, count % m.reads_count);
    break;
  case 4:
    sdb_memory_storage_fail_commits(m.storage, 1 + count % 3);
    break;
  default:
    m.failing_reads = count % 4;
    break;
  }
}

static void step(void) {
  unsigned operation = fuzz_byte(&m.in), who = operation >> 5 & 3;
  device *d = &m.devices[who];
  bool spoiled = operation & 128;
  switch (operation & 31) { /* OPERATIONS */
  case 0:                   /* connect: user, expiry */
    dial(d, fuzz_below(&m.in, USERS + 1), fuzz_byte(&m.in) & 1 ? m.now_ms + 3000 : 0);
    break;
  case 1:
    hang_up(d);
    break;
  case 2: /* a hello: flags, ids */
  case 3:
  case 4: /* a push: flags, id, object, client id */
  case 5:
  case 6:
  case 7: /* a fetch: store, ids, limit */
  case 8: /* another: which */
  case 9: /* size, bytes */
    make_message(operation & 31, mark_of(d));
    if (spoiled) text_spoil(&m.message, &m.in);
    say(d, &m.message);
    m.message.size = 0;
    break;
  case 10:
    drain();
    break;
  case 11: /* one byte each: how many, which */
  case 12:
  case 13:
  case 14:
  case 15:
  case 16:
    step_storage((operation & 31) - 11);
    break;
  case 17: /* which */
    level(d);
    break;
  case 18: /* which */
    pass_some();
    break;
  case 19: /* user and expiry */
    identify(d);
    break;
  case 20: /* kind, store, ids, limit, partial, object */
  case 21:
  case 22:
    ask(who);
    break;
  case 23: /* after how many allocations, how many */
    m.memory.fail_after = fuzz_byte(&m.in);
    m.memory.failures = 1 + fuzz_below(&m.in, 8);
    break;
  case 24:
    m.refuses = spoiled;
    break;
  case 25: /* how far the clock steps back */
    m.now_ms -= fuzz_byte(&m.in) * (uint64_t)50;
    break;
  case 26: /* which */
    give_verdict(fuzz_byte(&m.in), spoiled ? SDB_REJECTED : who ? SDB_OK : SDB_BUSY);
    break;
  default:
    settle();
    break;
  }
}

/* ---- the beginning and the end ---- */

static void begin(unsigned flags) {
  sdb_store *const *stores = fuzz_stores();
  sdb_storage_store kept[STORES_COUNT];
  for (size_t i = 0; i < STORES_COUNT; i++)
    kept[i] = (sdb_storage_store){sdb_store_name(stores[i]), sdb_store_type_of(stores[i])};
  sdb_memory_storage_options storage;
  sdb_memory_storage_options_init(&storage);
  storage.mem = sdb_platform_mem();
  storage.stores = kept;
  storage.stores_count = STORES_COUNT;
  storage.sink = (sdb_storage_sink){NULL, completed};
  storage.database = database();
  REQUIRE(sdb_memory_storage_create(&storage, &m.storage) == SDB_OK);
  sdb_hub_options options = {.mem = &m.memory.mem,
      .stores = stores,
      .stores_count = STORES_COUNT,
      .storage = sdb_memory_storage_port(m.storage),
      .frame_header = sdb_ws_frame_header,
      .subscribed = subscribed,
      .accepts = accepts,
      .judged = judged,
      .limits = sdb_limits_default()};
  options.limits.object_bytes_max = 300;
  options.limits.partials_per_user = 3;
  if (flags & 1) options.limits.pushes_per_second = 2;
  if (flags & 2) options.limits.connections_per_user = 2;
  if (flags & 2) options.limits.in_flight_max = 2;
  if (flags & 4) options.limits.output_soft_bytes = 600;
  m.judges = flags & 8;
  REQUIRE(sdb_hub_create(&options, &m.hub) == SDB_OK);
}

/* How many objects the user has, as the writes came back. */
static size_t count_objects(unsigned user) {
  size_t count = 0;
  for (size_t i = 0; i < m.events_count; i++) {
    const event *e = &events[i];
    count += e->user == m.numbers[user] && !e->replaced && !e->removed;
  }
  return count;
}

static void require_all_is_sent(unsigned user) {
  device *d = &m.devices[0];
  text hello = {.size = 0};
  text_put(&hello, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{}}}");
  dial(d, user, 0);
  REQUIRE(d->peer);
  say(d, &hello);
  settle();
  REQUIRE(!d->closed && d->greeted && d->synced == STORES_COUNT);
  REQUIRE(d->updates == count_objects(user));
  hang_up(d);
}

static void end(void) {
  m.memory.failures = m.failing_reads = 0;
  sdb_memory_storage_fail_commits(m.storage, 0);
  for (unsigned i = 0; i < DEVICES; i++)
    hang_up(&m.devices[i]);
  settle();
  for (size_t i = 0; i < m.asks_count; i++)
    REQUIRE(m.dones[i] == m.begun[i]);
  for (unsigned user = 0; user < USERS; user++)
    require_all_is_sent(user);
  settle();
  sdb_hub_destroy(m.hub);
  fuzz_memory_end(&m.memory);
  sdb_memory_storage_destroy(m.storage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  memset(&m, 0, sizeof(m));
  if (!json.memory.mem) sdb_json_init(&json, sdb_platform_mem(), SDB_JSON_SIZE_MAX);
  m.in = (fuzz_input){data, size};
  m.now_ms = START_MS;
  fuzz_memory_init(&m.memory, BYTES_MAX);
  begin(fuzz_byte(&m.in));
  for (unsigned i = 0; m.in.size > 0 && i < STEPS_MAX; i++)
    step();
  end();
  return 0;
}
