/* replica_rig.h: a replica before a server that the test plays itself, word by word. Time stands
 * still until a test moves it, and chance is what the test says.
 */
#ifndef REPLICA_RIG_H
#define REPLICA_RIG_H

#include "replica_harness.h"

#define DATABASE "01974f00-0000-7000-8000-00000000000d"
#define RIG_START_MS ((uint64_t)5000000)

/* An event or object id: greater ones are newer. */
#define ID(number) "01974f63-6abc-7000-8107-0000000000" number

typedef struct rig {
  harness *h; /* its stores */
  failing_memory memory;
  sdb_replica *replica;
  sdb_memory_local *local;
  sdb_local_op *completed, **completed_last;
  uint64_t now_ms, jitter, random;
  texts sent;
  json_t *message; /* the last one taken */
  unsigned connects, disconnects, close_code, asked, refused, resets, storage_failures;
  bool connected; /* as the outputs say */
  char token[64]; /* of the last CONNECT */
  size_t changes;
  sdb_client_record change; /* the last one; its slices are not to be used */
  char object[400];         /* of the last change */
  bool removed;             /* the last change was a remove */
  unsigned dones;
  sdb_status done;
  sdb_uuid client_id;
  size_t records_count;
} rig;

/* Client ids are of sixteen bytes, moments of eight. */
static inline void rig_random(void *context, void *to, size_t size) {
  rig *r = context;
  unsigned char *bytes = to;
  if (size == sizeof(r->jitter)) {
    memcpy(to, &r->jitter, size);
    return;
  }
  for (size_t i = 0; i < size; i++) {
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    bytes[i] = (unsigned char)(r->random >> 33);
  }
}

static inline void rig_completed(void *context, sdb_local_op *list) {
  rig *r = context;
  *r->completed_last = list;
  while (*r->completed_last)
    r->completed_last = &(*r->completed_last)->next;
}

static inline void rig_on_change(rig *r, const sdb_client_change *change) {
  r->changes++;
  r->resets += change->kind == SDB_CHANGE_RESET;
  r->removed = change->kind == SDB_CHANGE_REMOVE;
  r->change = change->record;
  copy_text(r->object, sizeof(r->object), change->record.object);
}

static inline void rig_on_output(rig *r, const sdb_replica_output *output) {
  switch (output->kind) {
  case SDB_REPLICA_SEND:
    assert_true(r->connected);
    texts_add(&r->sent, output->text);
    break;
  case SDB_REPLICA_DISCONNECT:
    assert_true(r->connected);
    r->connected = false;
    r->disconnects++;
    r->close_code = output->close_code;
    break;
  case SDB_REPLICA_CONNECT:
    assert_false(r->connected);
    r->connected = true;
    r->connects++;
    copy_text(r->token, sizeof(r->token), output->text);
    break;
  case SDB_REPLICA_ASK_TOKEN:
    r->asked++;
    r->refused += output->refused;
    break;
  case SDB_REPLICA_CHANGE:
    rig_on_change(r, &output->change);
    break;
  case SDB_REPLICA_DONE:
    r->dones++;
    r->done = output->status;
    r->client_id = output->client_id;
    r->records_count = output->records_count;
    break;
  case SDB_REPLICA_STATUS:
    break;
  case SDB_REPLICA_STORAGE_FAILED:
    r->storage_failures++;
    break;
  }
}

static inline void rig_drain(rig *r) {
  sdb_replica_output output;
  for (int idle = 0; idle < 2; idle++) {
    sdb_replica_flush(r->replica, r->now_ms);
    while (r->completed) {
      sdb_local_op *list = r->completed;
      r->completed = NULL;
      r->completed_last = &r->completed;
      sdb_replica_on_completed(r->replica, list, r->now_ms);
      idle = -1;
    }
    while (sdb_replica_next_output(r->replica, &output)) {
      rig_on_output(r, &output);
      idle = -1;
    }
  }
}

/* ---- life ---- */

static inline sdb_replica_options rig_options(rig *r) {
  return (sdb_replica_options){.mem = &r->memory.mem,
      .stores = r->h->stores,
      .stores_count = STORES_COUNT,
      .random = rig_random,
      .random_context = r,
      .limits = sdb_replica_limits_default()};
}

/* All but the replica. */
static inline rig *rig_begin(void) {
  rig *r = calloc(1, sizeof(*r));
  assert_non_null(r);
  r->h = harness_begin();
  r->now_ms = RIG_START_MS;
  r->random = 1;
  r->completed_last = &r->completed;
  failing_memory_init(&r->memory, 0);
  sdb_storage_store stores[STORES_COUNT];
  for (size_t i = 0; i < STORES_COUNT; i++) {
    sdb_store *store = r->h->stores[i];
    stores[i] = (sdb_storage_store){sdb_store_name(store), sdb_store_type_of(store)};
  }
  assert_int_equal(sdb_memory_local_create(sdb_platform_mem(), stores, STORES_COUNT,
                       (sdb_local_sink){r, rig_completed}, &r->local),
      SDB_OK);
  return r;
}

static inline void rig_start(rig *r, const sdb_replica_options *options) {
  assert_int_equal(sdb_replica_create(options, &r->replica), SDB_OK);
  sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
  rig_drain(r);
}

static inline rig *rig_new(void) {
  rig *r = rig_begin();
  sdb_replica_options options = rig_options(r);
  rig_start(r, &options);
  return r;
}

static inline void rig_stop(rig *r) {
  sdb_replica_destroy(r->replica);
  r->replica = NULL;
  r->connected = false;
  assert_int_equal(r->memory.live, 0);
}

static inline void rig_free(rig *r) {
  rig_stop(r);
  sdb_memory_local_destroy(r->local);
  json_decref(r->message);
  inbox_free(&r->sent);
  harness_free(r->h);
  free(r);
}

/* ---- the server's part ---- */

static inline void open_line(rig *r) {
  assert_true(r->connected);
  sdb_replica_on_opened(r->replica, r->now_ms);
  rig_drain(r);
}

static inline void close_line(rig *r, unsigned code, const char *reason) {
  assert_true(r->connected);
  r->connected = false;
  sdb_replica_on_closed(r->replica, code, sdb_slice_of(reason), "", r->now_ms);
  rig_drain(r);
}

static inline void tell_bytes(rig *r, sdb_slice text) {
  sdb_replica_on_message(r->replica, text, r->now_ms);
  rig_drain(r);
}

static inline void tell(rig *r, const char *text) {
  tell_bytes(r, sdb_slice_of(text));
}

/* The next message that was sent: its data, or, where it has none, itself. Valid until the next. */
static inline json_t *sent(rig *r, const char *type) {
  char *text = texts_take(&r->sent);
  if (!text) fail_msg("no %s was sent", type);
  json_decref(r->message);
  r->message = json_loads(text, 0, NULL);
  if (!r->message) fail_msg("not JSON: %s", text);
  assert_string_equal(json_string_value(json_object_get(r->message, "type")), type);
  free(text);
  json_t *data = json_object_get(r->message, "data");
  return data ? data : r->message;
}

static inline void assert_nothing_sent(rig *r) {
  assert_int_equal(r->sent.first, r->sent.count);
}

#define GREETING_OF(chat, account, note)                                                           \
  "{\"type\":\"server_hello\",\"data\":{\"protocol\":1,\"database\":\"" DATABASE                   \
  "\",\"time\":1749383382805,\"stores\":{\"chatMessage\":" chat ",\"account\":" account            \
  ",\"note\":" note "}}}"
#define NOTHING "{\"head\":null,\"reset\":false}"
#define GREETING GREETING_OF(NOTHING, NOTHING, NOTHING)
#define SYNCED_TO_HEAD(store)                                                                      \
  "{\"type\":\"synced\",\"data\":{\"store\":\"" store                                              \
  "\",\"after\":null,\"before\":null,\"more\":false}}"

static inline void synced_all(rig *r) {
  tell(r, SYNCED_TO_HEAD("account"));
  tell(r, SYNCED_TO_HEAD("chatMessage"));
  tell(r, SYNCED_TO_HEAD("note"));
}

static inline sdb_replica_status rig_status(rig *r) {
  sdb_replica_status status;
  sdb_replica_get_status(r->replica, &status);
  return status;
}

static inline sdb_client_phase phase_of(rig *r) {
  return rig_status(r).phase;
}

/* A connection that is live; the hello is taken. */
static inline void go_live(rig *r) {
  open_line(r);
  sent(r, "client_hello");
  tell(r, GREETING);
  synced_all(r);
  assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
}

/* ---- time ---- */

static inline void rig_pass(rig *r, uint64_t ms) {
  uint64_t end_ms = r->now_ms + ms;
  for (unsigned round = 0;; round++) {
    assert_true(round < 10000); /* a deadline that does not move */
    uint64_t at_ms = sdb_replica_deadline_ms(r->replica);
    if (at_ms > end_ms) break;
    if (at_ms > r->now_ms) r->now_ms = at_ms;
    sdb_replica_on_timer(r->replica, r->now_ms);
    rig_drain(r);
  }
  r->now_ms = end_ms;
}

/* How long it waits now. */
static inline uint64_t waits_ms(rig *r) {
  uint64_t at_ms = sdb_replica_deadline_ms(r->replica);
  return at_ms > r->now_ms ? at_ms - r->now_ms : 0;
}

/* ---- the application's part ---- */

static inline sdb_status rig_ask(rig *r, sdb_replica_request request) {
  request.tag = r;
  request.wall_ms = WALL_MS;
  r->done = SDB_CONFLICT;
  assert_true(sdb_replica_request_begin(r->replica, &request, r->now_ms));
  rig_drain(r);
  return r->done;
}

static inline sdb_uuid rig_note(rig *r, const char *text) {
  char object[4096];
  note_text(object, sizeof(object), text);
  assert_int_equal(rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_PUSH,
                                  .store = NOTE,
                                  .object = sdb_slice_of(object)}),
      SDB_OK);
  return r->client_id;
}

static inline void give_token(rig *r, const char *token, uint64_t lifetime_ms) {
  assert_true(sdb_replica_on_token(r->replica, sdb_slice_of(token), lifetime_ms, r->now_ms));
  rig_drain(r);
}

static inline size_t listed(rig *r) {
  assert_int_equal(
      rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_LIST, .store = NOTE, .limit = 100}),
      SDB_OK);
  return r->records_count;
}

#endif
