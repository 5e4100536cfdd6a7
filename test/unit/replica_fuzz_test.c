/* replica_fuzz_test.c: messages of a server at random: well-formed ones in any order, with fields
 * left out and ids of few kinds, and the same with bytes changed. Meanwhile the application goes
 * on, the storage fails, connections end, and the device starts anew. Nothing crashes or leaks, and
 * in the end it still does what a sane server asks of it.
 */
#include "replica_rig.h"

#define SESSIONS 150
#define STEPS 1500

typedef struct fuzz {
  rig *r;
  uint64_t random;
  size_t heard; /* messages, on a connection */
  char text[2000];
  sdb_uuid client_ids[8];
  const char *stores[5];
} fuzz;

static uint32_t below(fuzz *f, uint32_t count) {
  f->random = f->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(f->random >> 33) % count;
}

static bool one_of(fuzz *f, uint32_t count) {
  return below(f, count) == 0;
}

/* ---- messages ---- */

__attribute__((format(printf, 2, 3))) static void put(fuzz *f, const char *format, ...) {
  size_t size = strlen(f->text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(f->text + size, sizeof(f->text) - size, format, arguments);
  va_end(arguments);
}

static void put_id(fuzz *f, const char *name, uint32_t left_out) {
  if (one_of(f, left_out)) return;
  if (one_of(f, 12))
    put(f, ",\"%s\":null", name);
  else
    put(f, ",\"%s\":\"01974f63-6abc-7000-8107-%012x\"", name, below(f, 40) + 1);
}

static void put_client_id(fuzz *f) {
  char text[SDB_UUID_TEXT_SIZE + 1] = "";
  sdb_uuid_format(f->client_ids[below(f, 8)], text);
  if (one_of(f, 2)) put(f, ",\"clientId\":\"%s\"", text);
}

static void put_object(fuzz *f) {
  static const char *const OBJECTS[] = {"{\"text\":\"x\"}", "{\"name\":\"x\"}", "{}",
      "{\"role\":\"user\",\"message\":\"\",\"$createdAt\":7}", "{\"text\":\"\\n\\\"\",\"n\":[{}]}"};
  put(f, ",\"object\":%s", OBJECTS[below(f, SDB_COUNT_OF(OBJECTS))]);
}

static void put_greeting(fuzz *f) {
  put(f, "\"protocol\":1");
  if (!one_of(f, 4)) put(f, ",\"database\":\"01974f00-0000-7000-8000-00000000000%x\"", below(f, 2));
  put(f, ",\"stores\":{");
  for (int i = 0; i < 3; i++) {
    put(f, "%s\"%s\":{\"reset\":%s", i ? "," : "", f->stores[i], one_of(f, 6) ? "true" : "false");
    put_id(f, "head", 4);
    put(f, "}");
  }
  put(f, "}");
}

static void put_partial(fuzz *f) {
  static const char *const APPENDS[] = {"{\"text\":\"more\"}", "{\"te\\u0078t\":\"\\u00e4\"}",
      "{\"message\":\"x\",\"text\":\"y\"}", "{}"};
  put_id(f, "id", 30);
  if (one_of(f, 2))
    put_object(f);
  else
    put(f, ",\"append\":%s", APPENDS[below(f, SDB_COUNT_OF(APPENDS))]);
}

static void put_error(fuzz *f) {
  static const char *const CODES[] = {"rejected", "not_found", "unavailable", "rate_limited", "x"};
  put(f, ",\"code\":\"%s\",\"message\":\"no\"", CODES[below(f, SDB_COUNT_OF(CODES))]);
  put_client_id(f);
}

static void put_data(fuzz *f, const char *type) {
  if (strcmp(type, "server_hello") == 0) {
    put_greeting(f);
    return;
  }
  put(f, "\"store\":\"%s\"", f->stores[below(f, 5)]);
  if (strcmp(type, "update") == 0 || strcmp(type, "remove") == 0) {
    put_id(f, "id", 100);
    put_id(f, "eventId", 3);
    put_client_id(f);
    if (type[0] == 'u') put_object(f);
  } else if (strcmp(type, "synced") == 0) {
    put_id(f, "after", 3);
    put_id(f, "before", 3);
    put(f, ",\"more\":%s", one_of(f, 3) ? "true" : "false");
  } else if (strcmp(type, "partial") == 0) {
    put_partial(f);
  } else {
    put_error(f);
  }
}

static void make_message(fuzz *f) {
  static const char *const TYPES[] = {"update", "update", "update", "remove", "synced", "synced",
      "partial", "partial", "error", "server_hello", "pong"};
  const char *type = TYPES[below(f, SDB_COUNT_OF(TYPES))];
  f->text[0] = 0;
  put(f, "{\"type\":\"%s\",\"data\":{", type);
  if (strcmp(type, "pong") != 0) put_data(f, type);
  put(f, "}}");
}

/* Some of its bytes are others, or are not there. */
static void spoil(fuzz *f) {
  static const char SIGNS[] = "{}[]\",:\\u0001e-null\xff\x80 ";
  uint32_t size = (uint32_t)strlen(f->text);
  for (uint32_t i = below(f, 4) + 1; i > 0 && size > 1; i--) {
    uint32_t at = below(f, size);
    if (one_of(f, 3)) {
      memmove(f->text + at, f->text + at + 1, size - at);
      size--;
    } else if (one_of(f, 6)) {
      f->text[size = at] = 0;
    } else {
      f->text[at] = SIGNS[below(f, sizeof(SIGNS) - 1)];
    }
  }
}

static void hear_something(fuzz *f) {
  make_message(f);
  sdb_client_phase phase = phase_of(f->r);
  f->heard += phase == SDB_CLIENT_LIVE || phase == SDB_CLIENT_CATCHING_UP;
  if (one_of(f, 30)) spoil(f);
  char *copy = malloc(strlen(f->text) + 1); /* of just its size: nothing may be read behind it */
  assert_non_null(copy);
  size_t size = strlen(f->text);
  memcpy(copy, f->text, size);
  sdb_replica_on_message(f->r->replica, sdb_slice_make(copy, size), f->r->now_ms);
  free(copy);
  if (!one_of(f, 4)) rig_drain(f->r); /* else with the next */
}

/* ---- the application, and the rest of the world ---- */

static void ask_something(fuzz *f) {
  rig *r = f->r;
  sdb_replica_request request = {.kind = (sdb_replica_request_kind)(1 + below(f, 6)),
      .store = (uint16_t)below(f, STORES_COUNT),
      .limit = 1 + below(f, 20),
      .object = sdb_slice_of(one_of(f, 2) ? "{\"text\":\"mine\"}" : "{\"name\":\"me\"}")};
  sdb_uuid id = {{0x01, 0x97, 0x4f, 0x63, 0x6a, 0xbc, 0x70, 0, 0x81, 0x07}};
  id.bytes[15] = (uint8_t)(1 + below(f, 40));
  if (!one_of(f, 8)) request.id = one_of(f, 2) ? id : f->client_ids[below(f, 8)];
  if (one_of(f, 2)) request.before = id;
  unsigned dones = r->dones;
  (void)rig_ask(r, request);
  if (r->dones > dones && r->done == SDB_OK && !sdb_uuid_is_nil(r->client_id))
    f->client_ids[below(f, 8)] = r->client_id;
}

static void end_line(fuzz *f) {
  static const unsigned CODES[] = {
      SDB_CLOSE_LOST, SDB_CLOSE_TOO_LARGE, SDB_CLOSE_UNAUTHORIZED, SDB_CLOSE_RESTART};
  if (f->r->connected) close_line(f->r, CODES[below(f, 4)], one_of(f, 2) ? f->text : "");
}

static void mend(fuzz *f) {
  rig *r = f->r;
  static const char TOKEN[] = "a token";
  sdb_memory_local_fail(r->local, SDB_OK);
  if (r->storage_failures > 0) {
    r->storage_failures = 0;
    sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
    rig_drain(r);
  }
  if (phase_of(r) == SDB_CLIENT_UNAUTHORIZED) give_token(r, TOKEN, 1);
  if (!r->connected) {
    sdb_replica_go_online(r->replica, r->now_ms);
    rig_drain(r);
  }
  if (phase_of(r) != SDB_CLIENT_CONNECTING) return;
  sdb_replica_on_opened(r->replica, r->now_ms);
  rig_drain(r);
}

static void do_something(fuzz *f) {
  rig *r = f->r;
  switch (below(f, 12)) {
  case 0:
    end_line(f);
    break;
  case 1:
    sdb_memory_local_fail(r->local, SDB_IO);
    break;
  case 2:
    rig_pass(r, below(f, 40000));
    break;
  case 3:
    (void)!sdb_replica_retry(r->replica, f->client_ids[below(f, 8)]);
    break;
  case 4:
    (void)!sdb_replica_discard(r->replica, f->client_ids[below(f, 8)]);
    break;
  case 5:
    (void)!sdb_replica_older(r->replica, NOTE, (sdb_uuid){{0}}, 1 + below(f, 5));
    break;
  case 6:
    sdb_replica_go_offline(r->replica, r->now_ms);
    break;
  default:
    ask_something(f);
  }
  rig_drain(r);
  inbox_free(&r->sent);
  if (one_of(f, 3)) mend(f);
}

static void start(fuzz *f) {
  static const uint32_t WINDOWS[] = {SDB_REPLICA_WINDOW_ALL, 0, 2};
  sdb_replica_options options = rig_options(f->r);
  if (one_of(f, 2)) options.windows = WINDOWS;
  options.limits.push_timeout_ms = 5000;
  rig_start(f->r, &options);
}

/* A server that means it: all is reset, and one note is there. */
static void come_to_rest(fuzz *f) {
  rig *r = f->r;
  mend(f);
  rig_stop(r);
  mend((start(f), f));
  inbox_free(&r->sent);
  tell(r, GREETING_OF("{\"head\":null,\"reset\":true}", "{\"head\":null,\"reset\":true}",
              "{\"head\":\"" ID("01") "\",\"reset\":true}"));
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "01") "\",\"object\":{\"text\":\"there\"}}}");
  synced_all(r);
  assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
  assert_int_equal(
      rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_SINGULAR, .store = ACCOUNT}),
      SDB_NOT_FOUND);
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  size_t creates = 0;
  while (sdb_replica_next_unsynced(r->replica, &cursor, &push))
    creates += push.store == NOTE && push.action == SDB_ACTION_CREATE;
  if (creates < 90) assert_in_range(listed(r), creates > 0 ? 1 : 0, creates + 1);
}

static void a_server_that_says_anything_at_all_breaks_nothing(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= SESSIONS; seed++) {
    fuzz f = {.r = rig_begin(),
        .random = seed,
        .stores = {"chatMessage", "account", "note", "note", "unknown"}};
    start(&f);
    mend(&f);
    for (int i = 0; i < STEPS; i++) {
      if (one_of(&f, 6))
        do_something(&f);
      else
        hear_something(&f);
      if (!f.r->connected && one_of(&f, 3)) mend(&f);
    }
    assert_true(f.heard > STEPS / 3);
    rig_drain(f.r);
    come_to_rest(&f);
    rig_free(f.r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server_that_says_anything_at_all_breaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
