/* replica_garbage_test.c: a server that says what no server should: nothing crashes, no head moves
 * past what was not understood, and what went before stays.
 */
#include "replica_rig.h"

static int setup(void **state) {
  rig *r = rig_new();
  *state = r;
  go_live(r);
  return 0;
}

static int teardown(void **state) {
  rig_free(*state);
  return 0;
}

#define NOTE_EVENT(id, text)                                                                       \
  "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" id                                 \
  "\",\"object\":{\"text\":\"" text "\"}}}"
#define PARTIAL(id, rest)                                                                          \
  "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"" id "\"," rest "}}"

/* What the next hello says of the store's head; the connection is made for that. */
static void assert_head(rig *r, const char *store, const char *head) {
  if (r->connected) close_line(r, SDB_CLOSE_LOST, "");
  r->jitter = 0;
  rig_pass(r, 0);
  open_line(r);
  json_t *says = json_object_get(json_object_get(sent(r, "client_hello"), "syncStatus"), store);
  if (head)
    assert_string_equal(json_string_value(says), head);
  else
    assert_true(json_is_null(says));
}

/* ---- what is not understood ends the connection ---- */

static const char *const NONSENSE[] = {"", " ", "{", "}", "null", "7", "\"update\"", "[]", "{}",
    "{\"type\":7}", "{\"type\":null}", "{\"data\":{}}", "\xff\xfe", "{\"type\":\"update\"}",
    "{\"type\":\"update\",\"data\":[]}", "{\"type\":\"update\",\"data\":null}",
    "{\"type\":\"update\",\"data\":{}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID("77") "\"}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"update\",\"data\":{\"id\":\"" ID("77") "\",\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"update\",\"data\":{\"store\":7,\"id\":\"" ID("77") "\",\"object\":{}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":7,\"object\":{}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"77\",\"object\":{}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID("77") "\",\"object\":[]}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID("77") "\",\"object\":null}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
        "77") "\",\"eventId\":[],"
              "\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
        "77") "\",\"clientId\":\"x\","
              "\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
        "77") "\","
              "\"object\":{\"text\":\"x\",\"text\":\"y\"}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"note\","
    "\"id\":\"00000000-0000-0000-0000-000000000000\",\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"eventId\":\"" ID("77") "\"}}",
    "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":null,\"eventId\":\"" ID("77") "\"}}",
    "{\"type\":\"synced\",\"data\":{\"store\":\"note\",\"after\":7}}",
    "{\"type\":\"synced\",\"data\":{\"store\":\"note\",\"more\":\"no\"}}", "{\"type\":\"synced\"}",
    "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"" ID("77") "\",\"object\":\"\"}}",
    "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"" ID("77") "\",\"append\":\"\"}}",
    "{\"type\":\"error\"}", "{\"type\":\"error\",\"data\":{\"code\":7}}",
    "{\"type\":\"server_hello\"}", "{\"type\":\"server_hello\",\"data\":{\"stores\":[]}}"};

static void what_is_no_message_ends_the_connection_and_moves_no_head(void **state) {
  rig *r = *state;
  tell(r, NOTE_EVENT(ID("01"), "understood"));
  for (size_t i = 0; i < SDB_COUNT_OF(NONSENSE); i++) {
    tell(r, NONSENSE[i]);
    if (r->connected) fail_msg("went on after %s", NONSENSE[i]);
    assert_int_equal(r->close_code, SDB_CLOSE_BAD_MESSAGE);
    assert_head(r, "note", ID("01"));
    assert_int_equal(listed(r), 1);
  }
}

static const char *const HARMLESS[] = {"{\"type\":\"\"}", "{\"type\":\"ping\"}",
    "{\"type\":\"of a later version\",\"data\":7}", "{\"type\":\"client_hello\",\"data\":{}}",
    "{\"type\":\"pong\",\"data\":7}", "{\"type\":\"pong\",\"more\":[[[[]]]]}",
    "{\"type\":\"update\",\"data\":{\"store\":\"of a later version\",\"id\":\"" ID(
        "77") "\",\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"update\",\"data\":{\"store\":\"no\\u0074e\",\"id\":\"" ID(
        "77") "\",\"object\":{\"text\":\"x\"}}}",
    "{\"type\":\"remove\",\"data\":{\"store\":\"of a later version\",\"id\":\"" ID(
        "77") "\",\"eventId\":\"" ID("78") "\"}}",
    "{\"type\":\"remove\",\"data\":{\"store\":\"of a later version\",\"id\":\"" ID("77") "\"}}",
    "{\"type\":\"remove\",\"data\":{\"id\":\"" ID("77") "\"}}",
    "{\"type\":\"remove\",\"data\":{\"id\":\"" ID("77") "\",\"eventId\":\"" ID("78") "\"}}",
    "{\"type\":\"synced\",\"data\":{}}",
    "{\"type\":\"synced\",\"data\":{\"store\":\"of a later version\",\"before\":null}}",
    "{\"type\":\"synced\",\"data\":{\"store\":\"note\",\"after\":\"" ID("79") "\",\"before\":\"" ID(
        "70") "\"}}",
    SYNCED_TO_HEAD("note"), "{\"type\":\"error\",\"data\":{}}",
    "{\"type\":\"error\",\"data\":{\"code\":\"\",\"message\":\"\",\"path\":\"\"}}",
    "{\"type\":\"error\",\"data\":{\"code\":\"of a later version\",\"clientId\":\"" DATABASE "\"}}",
    "{\"type\":\"error\",\"data\":{\"code\":\"not_found\",\"message\":\"\\u0000\\ud83d\\ude00\"}}",
    "{\"type\":\"partial\",\"data\":{}}", "{\"type\":\"partial\",\"data\":{\"store\":\"note\"}}",
    "{\"type\":\"partial\",\"data\":{\"store\":\"account\",\"id\":\"" ID(
        "77") "\",\"object\":{\"name\":\"x\"}}}",
    PARTIAL(ID("77"), "\"append\":{\"text\":\"x\"}"), PARTIAL(ID("77"), "\"append\":{}"),
    PARTIAL(ID("77"), "\"of a later version\":{}"), GREETING,
    GREETING_OF("{\"head\":\"" ID("99") "\",\"reset\":true}", NOTHING, NOTHING)};

static void what_means_nothing_here_is_passed_over_and_moves_no_head(void **state) {
  rig *r = *state;
  tell(r, NOTE_EVENT(ID("01"), "understood"));
  size_t changes = r->changes;
  for (size_t i = 0; i < SDB_COUNT_OF(HARMLESS); i++) {
    tell(r, HARMLESS[i]);
    if (!r->connected) fail_msg("ended by %s", HARMLESS[i]);
    if (r->changes != changes) fail_msg("changed by %s", HARMLESS[i]);
    assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
  }
  assert_int_equal(listed(r), 1);
  assert_head(r, "note", ID("01"));
  assert_head(r, "chatMessage", NULL);
}

/* ---- greetings ---- */

static const char *const BAD_GREETINGS[] = {GREETING_OF(NOTHING, NOTHING, "7"),
    GREETING_OF(NOTHING, NOTHING, "\"x\""), GREETING_OF(NOTHING, NOTHING, "[]"),
    GREETING_OF(NOTHING, NOTHING, "{\"head\":7}"), GREETING_OF(NOTHING, NOTHING, "{\"head\":\"\"}"),
    GREETING_OF(NOTHING, NOTHING, "{\"head\":null,\"reset\":1}")};

static void a_greeting_that_is_not_understood_resets_nothing_and_ends_the_connection(void **state) {
  rig *r = *state;
  tell(r, NOTE_EVENT(ID("01"), "understood"));
  for (size_t i = 0; i < SDB_COUNT_OF(BAD_GREETINGS); i++) {
    assert_head(r, "note", ID("01"));
    tell(r, BAD_GREETINGS[i]);
    if (r->connected) fail_msg("went on after %s", BAD_GREETINGS[i]);
    assert_int_equal(r->close_code, SDB_CLOSE_BAD_MESSAGE);
    assert_int_equal(listed(r), 1);
  }
}

static void a_greeting_without_some_stores_leaves_them_as_they_are(void **state) {
  rig *r = *state;
  static const char *const SHORT[] = {"{\"type\":\"server_hello\",\"data\":{}}",
      "{\"type\":\"server_hello\",\"data\":{\"stores\":{}}}",
      "{\"type\":\"server_hello\",\"data\":{\"stores\":{\"note\":null}}}",
      "{\"type\":\"server_hello\",\"data\":{\"stores\":{\"note\":{}}}}"};
  tell(r, NOTE_EVENT(ID("01"), "held"));
  for (size_t i = 0; i < SDB_COUNT_OF(SHORT); i++) {
    assert_head(r, "note", ID("01"));
    tell(r, SHORT[i]);
    assert_true(r->connected);
    assert_int_equal(listed(r), 1);
  }
}

/* A server may come to know a store again: by then the other database's id is noted. */
static void a_greeting_of_another_database_clears_the_stores_that_it_leaves_out_too(void **state) {
  rig *r = *state;
  static const char *const SHORT[] = {"\"note\":null", ""};
  tell(r, NOTE_EVENT(ID("01"), "held"));
  for (size_t i = 0; i < SDB_COUNT_OF(SHORT); i++) {
    char greeting[200];
    assert_head(r, "note", ID("01"));
    snprintf(greeting, sizeof(greeting),
        "{\"type\":\"server_hello\",\"data\":{\"database\":\"" ID("0%zu") "\",\"stores\":{%s}}}", i,
        SHORT[i]);
    unsigned resets = r->resets;
    tell(r, greeting);
    assert_int_equal(r->resets, resets + STORES_COUNT);
    assert_int_equal(listed(r), 0);
    assert_head(r, "note", NULL);
    tell(r, greeting); /* the same database */
    assert_int_equal(r->resets, resets + STORES_COUNT);
    tell(r, NOTE_EVENT(ID("01"), "held"));
  }
}

/* ---- partials ---- */

static void a_partial_grows_by_what_is_appended_escapes_and_all(void **state) {
  rig *r = *state;
  tell(r, PARTIAL(ID("50"), "\"object\":{\"text\":\"a\",\"t\\u0065st\":\"\",\"n\":1}"));
  assert_int_equal(r->change.state, SDB_RECORD_PARTIAL);
  tell(r, PARTIAL(ID("50"), "\"append\":{\"text\":\"b\\n\"}"));
  tell(r, PARTIAL(ID("50"), "\"append\":{\"\\u0074ext\":\"c\",\"test\":\"\\\"\"}"));
  tell(r, PARTIAL(ID("50"), "\"append\":{\"te\\u0073t\":\"d\",\"text\":\"\"}"));
  assert_string_equal(r->object, "{\"text\":\"ab\\nc\",\"t\\u0065st\":\"\\\"d\",\"n\":1}");
  assert_true(r->connected);
}

static void a_partial_that_cannot_take_an_append_is_not_shown_any_more(void **state) {
  rig *r = *state;
  static const char *const APPENDS[] = {PARTIAL(ID("50"), "\"append\":{\"missing\":\"x\"}"),
      PARTIAL(ID("50"), "\"append\":{\"n\":\"x\"}"), PARTIAL(ID("50"), "\"append\":{\"text\":7}"),
      PARTIAL(ID("50"), "\"append\":{\"text\":\"y\",\"n\":\"x\"}"),
      PARTIAL(ID("50"), "\"append\":{\"\":\"x\"}"), PARTIAL(ID("50"), "\"append\":{\"in\":\"x\"}")};
  for (size_t i = 0; i < SDB_COUNT_OF(APPENDS); i++) {
    tell(r, PARTIAL(ID("50"), "\"object\":{\"text\":\"a\",\"n\":1,\"o\":{\"in\":\"\"}}"));
    assert_int_equal(listed(r), 1);
    assert_false(r->removed);
    tell(r, APPENDS[i]);
    assert_int_equal(listed(r), 0);
    assert_true(r->removed);
    tell(r, PARTIAL(ID("50"), "\"append\":{\"text\":\"z\"}"));
    assert_int_equal(listed(r), 0);
  }
  tell(r, NOTE_EVENT(ID("50"), "whole"));
  assert_int_equal(listed(r), 1);
}

/* Our server never does it; the object is then in no list twice. */
static void a_partial_of_an_object_that_is_held_is_not_listed_beside_it(void **state) {
  rig *r = *state;
  tell(r, NOTE_EVENT(ID("05"), "held"));
  tell(r, PARTIAL(ID("05"), "\"object\":{\"text\":\"again\"}"));
  assert_int_equal(listed(r), 1);
  tell(r, PARTIAL(ID("04"), "\"object\":{\"text\":\"another\"}"));
  assert_int_equal(listed(r), 2);
}

static void a_partial_may_become_as_large_as_a_megabyte_and_no_larger(void **state) {
  rig *r = *state;
  char *message = malloc(300000);
  assert_non_null(message);
  tell(r, PARTIAL(ID("50"), "\"object\":{\"text\":\"\"}"));
  int at = sprintf(message, "%s",
      "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
          "50") "\",\"append\":{\"text\":\"");
  memset(message + at, 'x', 260000);
  memcpy(message + at + 260000, "\"}}}", sizeof("\"}}}"));
  for (int i = 0; i < 4; i++) {
    tell(r, message);
    assert_int_equal(listed(r), 1);
  }
  tell(r, message);
  assert_int_equal(listed(r), 0);
  assert_true(r->connected);
  free(message);
}

static void a_partial_that_says_nothing_new_stays_as_it_is(void **state) {
  rig *r = *state;
  tell(r, PARTIAL(ID("50"), "\"object\":{\"text\":\"a\"}"));
  size_t changes = r->changes;
  tell(r, PARTIAL(ID("50"), "\"of a later version\":{}"));
  assert_int_equal(r->changes, changes);
  tell(r, PARTIAL(ID("50"), "\"append\":{\"text\":\"b\"}"));
  assert_string_equal(r->object, "{\"text\":\"ab\"}");
}

static void partials_that_are_too_large_together_are_seen_when_they_are_whole(void **state) {
  rig *r = *state;
  const size_t size = 1000000;
  char *message = malloc(size + 300);
  assert_non_null(message);
  for (unsigned i = 1; i <= 20; i++) {
    int at = sprintf(message,
        "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"01974f63-6abc-7000-8107-"
        "%012x\",\"object\":{\"text\":\"",
        i);
    memset(message + at, 'x', size);
    strcpy(message + at + size, "\"}}}");
    tell(r, message);
    assert_int_equal(r->removed, i > SDB_REPLICA_PARTIALS_BYTES_MAX / size);
  }
  free(message);
  assert_true(r->connected);
  assert_int_equal(listed(r), SDB_REPLICA_PARTIALS_BYTES_MAX / size);
}

static void more_partials_than_are_held_are_seen_when_they_are_whole(void **state) {
  rig *r = *state;
  char message[300];
  for (int i = 0; i < SDB_REPLICA_PARTIALS_MAX + 50; i++) {
    snprintf(message, sizeof(message),
        "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"01974f63-6abc-7000-8107-"
        "%012x\",\"object\":{\"text\":\"x\"}}}",
        (unsigned)i + 1);
    tell(r, message);
  }
  assert_true(r->connected);
  assert_int_equal(listed(r), 100);
  close_line(r, SDB_CLOSE_LOST, "");
  assert_int_equal(listed(r), 0);
}

/* ---- pushes ---- */

static void an_event_of_another_store_ends_no_push(void **state) {
  rig *r = *state;
  char message[500], text[SDB_UUID_TEXT_SIZE + 1] = "";
  sdb_uuid_format(rig_note(r, "mine"), text);
  sent(r, "update");
  snprintf(message, sizeof(message),
      "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"id\":\"" ID(
          "60") "\",\"object\":{\"role\":\"user\",\"message\":\"x\"},\"clientId\":\"%s\"}}",
      text);
  tell(r, message);
  assert_int_equal(rig_status(r).pending, 1);
  assert_int_equal(listed(r), 1);
}

static void the_nil_id_names_no_object_of_an_event_store(void **state) {
  rig *r = *state;
  tell(r, NOTE_EVENT(ID("01"), "held"));
  sdb_slice object = sdb_slice_of("{\"text\":\"x\"}");
  assert_int_equal(
      rig_ask(
          r, (sdb_replica_request){.kind = SDB_REPLICA_UPDATE, .store = NOTE, .object = object}),
      SDB_NOT_FOUND);
  assert_int_equal(
      rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_REMOVE, .store = NOTE}), SDB_NOT_FOUND);
  assert_int_equal(
      rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_GET, .store = NOTE}), SDB_NOT_FOUND);
  assert_nothing_sent(r);
}

/* ---- much of it ---- */

static void ten_megabytes_of_anything_only_end_the_connection(void **state) {
  rig *r = *state;
  static const char *const UNITS[] = {"[", "{\"a\":", "0,", "\xff", "\"\\u0000", " ", "x"};
  size_t size = 10000000;
  char *junk = malloc(size);
  assert_non_null(junk);
  for (size_t i = 0; i < SDB_COUNT_OF(UNITS) * 2; i++) {
    const char *unit = UNITS[i / 2];
    size_t at = i % 2 ? (size_t)sprintf(junk, "{\"type\":\"update\",\"data\":[") : 0;
    for (; at < size; at++)
      junk[at] = unit[at % strlen(unit)];
    tell_bytes(r, sdb_slice_make(junk, size));
    assert_false(r->connected);
    assert_int_equal(r->close_code, SDB_CLOSE_BAD_MESSAGE);
    r->jitter = 0;
    rig_pass(r, 0);
    go_live(r);
  }
  free(junk);
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_RIG(what_is_no_message_ends_the_connection_and_moves_no_head),
      ON_RIG(what_means_nothing_here_is_passed_over_and_moves_no_head),
      ON_RIG(a_greeting_that_is_not_understood_resets_nothing_and_ends_the_connection),
      ON_RIG(a_greeting_without_some_stores_leaves_them_as_they_are),
      ON_RIG(a_greeting_of_another_database_clears_the_stores_that_it_leaves_out_too),
      ON_RIG(a_partial_grows_by_what_is_appended_escapes_and_all),
      ON_RIG(a_partial_that_cannot_take_an_append_is_not_shown_any_more),
      ON_RIG(a_partial_of_an_object_that_is_held_is_not_listed_beside_it),
      ON_RIG(a_partial_may_become_as_large_as_a_megabyte_and_no_larger),
      ON_RIG(a_partial_that_says_nothing_new_stays_as_it_is),
      ON_RIG(partials_that_are_too_large_together_are_seen_when_they_are_whole),
      ON_RIG(more_partials_than_are_held_are_seen_when_they_are_whole),
      ON_RIG(an_event_of_another_store_ends_no_push),
      ON_RIG(the_nil_id_names_no_object_of_an_event_store),
      ON_RIG(ten_megabytes_of_anything_only_end_the_connection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
