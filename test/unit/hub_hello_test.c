/* hub_hello_test.c: the hello: who one is, what one holds, what one is told. */
#include "hub_harness.h"

#define EPOCH "cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd"

static void a_hello_is_answered_with_the_heads_and_a_synced_for_each_store(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  settle(h);
  take_text(d, "{\"type\":\"server_hello\",\"data\":{\"protocol\":1,\"database\":\"" EPOCH
               "\",\"time\":1749383382805,"
               "\"stores\":{\"chatMessage\":{\"head\":null,\"reset\":false},"
               "\"account\":{\"head\":null,\"reset\":false},"
               "\"note\":{\"head\":null,\"reset\":false}}}}");
  take_text(d, "{\"type\":\"synced\",\"data\":{\"store\":\"account\",\"after\":null,"
               "\"before\":null,\"more\":false}}");
  take_synced(d, "chatMessage", "", "", false);
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static bool is_reset(json_t *hello, const char *name) {
  json_t *reset = json_object_get(json_object_get(json_object_get(hello, "stores"), name), "reset");
  assert_true(json_is_boolean(reset));
  return json_is_true(reset);
}

static void the_hello_of_the_brief_is_answered_with_reset_as_its_heads_are_not_of_here(
    void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "ada");
  say(d, "{\n  \"type\": \"client_hello\",\n  \"data\": {\n    \"syncStatus\": {\n"
         "      \"chatMessage\": \"01974f63-6abc-7000-8107-66e6c9a45dda\",\n"
         "      \"account\": \"01974f63-a721-7000-8d48-967521c55dd6\"\n    }\n  }\n}");
  settle(h);
  json_t *hello = take(d, "server_hello");
  assert_true(is_reset(hello, "chatMessage"));
  assert_true(is_reset(hello, "account"));
  assert_false(is_reset(hello, "note"));
  harness_free(h);
}

/* ---- the first message ---- */

static void who_says_no_hello_in_time_is_closed_and_nobody_else(void **state) {
  (void)state;
  harness *h = harness_make();
  device *early = device_connect(h, "ada");
  h->now_ms += 1000;
  device *late = device_connect(h, "bob");
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 5000);
  h->now_ms = START_MS + 4999;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_open(early);
  h->now_ms = START_MS + 5000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_closed(early, 4408);
  assert_open(late);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 6000);
  say(late, HELLO);
  settle(h);
  assert_true(sdb_hub_deadline_ms(h->hub) == UINT64_MAX);
  h->now_ms += 60000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_open(late);
  harness_free(h);
}

static void any_message_before_the_hello_closes_with_4400(void **state) {
  (void)state;
  static const char *const MESSAGES[] = {
      "{\"type\":\"ping\"}",
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"early\"}}}",
      "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"limit\":1}}",
      "{\"type\":\"auth\",\"data\":{\"token\":\"t\"}}",
      "{\"type\":\"something\"}",
      "{\"type\":\"server_hello\",\"data\":{}}",
      "hello",
      "",
  };
  harness *h = harness_make();
  for (size_t i = 0; i < SDB_COUNT_OF(MESSAGES); i++) {
    device *d = device_connect(h, "ada");
    say(d, MESSAGES[i]);
    say(d, HELLO); /* too late */
    settle(h);
    assert_closed(d, 4400);
  }
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  settle(h);
  skip_catch_up(d); /* nothing was stored */
  assert_silent(d);
  harness_free(h);
}

static void a_second_hello_closes_with_4400(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d, HELLO);
  settle(h);
  assert_closed(d, 4400);
  device *impatient = device_connect(h, "ada"); /* the second comes before the first's answer */
  h->now_ms += 61000;
  say(impatient, HELLO);
  say(impatient, HELLO);
  settle(h);
  assert_int_equal(impatient->closed, 4400);
  harness_free(h);
}

static void a_hello_that_is_none_closes_with_4400_and_says_why(void **state) {
  (void)state;
  static const char *const HELLOS[][2] = {
      {"", "data"},
      {",\"data\":null", "data"},
      {",\"data\":[]", "data"},
      {",\"data\":{}", "syncStatus"},
      {",\"data\":{\"syncStatus\":[]}", "syncStatus"},
      {",\"data\":{\"syncStatus\":{\"note\":\"yesterday\"}}", "UUID"},
      {",\"data\":{\"syncStatus\":{\"note\":7}}", "UUID"},
      {",\"data\":{\"syncStatus\":{\"note\":7,\"account\":null},\"window\":{\"note\":7}}", "UUID"},
      {",\"data\":{\"syncStatus\":{},\"missing\":{\"note\":[{\"after\":7,\"before\":"
       "\"01974f63-6abc-7000-8107-66e6c9a45dda\"}]}}",
          "missing"},
      {",\"data\":{\"syncStatus\":{},\"missing\":[]}", "missing"},
      {",\"data\":{\"syncStatus\":{},\"missing\":{\"note\":{}}}", "missing"},
      {",\"data\":{\"syncStatus\":{},\"missing\":{\"note\":[7]}}", "missing"},
      {",\"data\":{\"syncStatus\":{},\"missing\":{\"note\":[{}]}}", "missing"},
      {",\"data\":{\"syncStatus\":{},\"missing\":{\"note\":[{\"before\":\"x\"}]}}", "missing"},
      {",\"data\":{\"syncStatus\":{},\"window\":{\"note\":-1}}", "window"},
      {",\"data\":{\"syncStatus\":{},\"window\":{\"note\":1.5}}", "window"},
      {",\"data\":{\"syncStatus\":{},\"window\":{\"note\":\"1\"}}", "window"},
      {",\"data\":{\"syncStatus\":{},\"accept\":\"append\"}", "accept"},
      {",\"data\":{\"syncStatus\":{},\"database\":\"x\"}", "database"},
      {",\"data\":{\"syncStatus\":{},\"token\":7}", "token"},
  };
  harness *h = harness_make();
  for (size_t i = 0; i < SDB_COUNT_OF(HELLOS); i++) {
    device *d = device_connect(h, "ada");
    sayf(d, "{\"type\":\"client_hello\"%s}", HELLOS[i][0]);
    settle(h);
    assert_closed(d, 4400);
    if (!strstr(d->reason, HELLOS[i][1])) fail_msg("%s: %s", HELLOS[i][0], d->reason);
  }
  harness_free(h);
}

static void unknown_fields_of_a_hello_are_passed_over(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "ada");
  say(d, "{\"x\":1,\"type\":\"client_hello\",\"data\":{\"y\":[],\"syncStatus\":{\"note\":null},"
         "\"accept\":[\"something\",7],\"protocol\":9,\"missing\":null,\"window\":null}}");
  settle(h);
  skip_catch_up(d);
  assert_silent(d);
  assert_open(d);
  harness_free(h);
}

static void what_comes_behind_the_hello_waits_for_its_answer_and_is_carried_out_in_order(
    void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  assert_false(sdb_hub_wants_input(d->peer)); /* so that there is not much */
  push_note(d, "one", 1);
  push_note(d, "two", 2);
  say(d, "{\"type\":\"ping\"}");
  drain(h);
  assert_silent(d);
  settle(h);
  take(d, "server_hello");
  for (int i = 0; i < 3; i++)
    take(d, "synced");
  take(d, "pong");
  take_note(d, "one");
  take_note(d, "two");
  assert_silent(d);
  harness_free(h);
}

static void who_sends_too_much_behind_a_hello_is_closed_with_1013(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.message_bytes_max = 1000;
  harness *h = harness_with(&limits);
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  for (unsigned i = 0; i < 30 && !d->closed; i++) {
    push_note(d, "much", i);
    drain(h);
  }
  assert_closed(d, 1013);
  harness_free(h);
}

/* ---- heads ---- */

static void hello_with(device *d, const char *fields) {
  sayf(d, "{\"type\":\"client_hello\",\"data\":{%s}}", fields);
  settle(d->harness);
}

/* A new device of ada's whose hello holds these fields; its server_hello is taken. */
static device *device_with(harness *h, const char *fields, json_t **hello) {
  device *d = device_connect(h, "ada");
  hello_with(d, fields);
  *hello = take(d, "server_hello");
  return d;
}

static const char *fmt(const char *format, ...) {
  static char text[8][2048];
  static unsigned next;
  char *to = text[next++ % 8];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(to, sizeof(text[0]), format, arguments);
  va_end(arguments);
  return to;
}

static void skip_others(device *d) {
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
}

static void a_device_with_the_head_is_sent_only_a_synced(void **state) {
  (void)state;
  harness *h = harness_make();
  uuid_text id = note_stored(device_ready(h, "ada"), "one", 1);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", id.text), &hello);
  assert_false(is_reset(hello, "note"));
  assert_string_equal(head_of(hello, "note"), id.text);
  skip_others(d);
  take_synced(d, "note", id.text, "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_device_is_sent_what_came_after_its_head_newest_first(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text first = note_stored(writer, "one", 1);
  note_stored(writer, "two", 2);
  note_stored(writer, "three", 3);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", first.text), &hello);
  skip_others(d);
  take_note(d, "three");
  take_note(d, "two");
  take_synced(d, "note", first.text, "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_head_ahead_of_the_servers_is_answered_with_reset_and_all_there_is(void **state) {
  (void)state;
  harness *h = harness_make();
  uuid_text id = note_stored(device_ready(h, "ada"), "one", 1);
  uuid_text ahead = id_of_seq(seq_of(id.text) + 1);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", ahead.text), &hello);
  assert_true(is_reset(hello, "note"));
  skip_others(d);
  take_note(d, "one");
  take_synced(d, "note", "", "", false);
  harness_free(h);
}

/* Device fields: the head of notes, and the database that it was read from. */
static const char *head_from(const char *head, const char *database) {
  return fmt(
      "\"syncStatus\":{\"note\":\"%s\",\"account\":null},\"database\":\"%s\"", head, database);
}

static void heads_of_another_database_are_answered_with_reset(void **state) {
  (void)state;
  harness *h = harness_make();
  uuid_text id = note_stored(device_ready(h, "ada"), "one", 1);
  json_t *hello;
  device *d = device_with(h, head_from(id.text, "fed649ad-f26f-4fcb-ad05-d1b70049fa1f"), &hello);
  assert_true(is_reset(hello, "note"));
  assert_false(is_reset(hello, "account"));
  assert_string_equal(text_of(hello, "database"), EPOCH);
  skip_others(d);
  take_note(d, "one");
  take_synced(d, "note", "", "", false);
  device *same = device_with(h, head_from(id.text, EPOCH), &hello);
  assert_false(is_reset(hello, "note"));
  forget_messages(same);
  harness_free(h);
}

/* What ids are made with stays when the history does not. */
static void heads_of_another_epoch_are_answered_with_reset_though_the_server_is_past_them(
    void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text old = note_stored(writer, "one", 1);
  note_stored(writer, "two", 2);
  json_t *hello;
  uuid_text key = text_of_uuid(harness_database());
  device *d = device_with(h, head_from(old.text, key.text), &hello);
  assert_true(is_reset(hello, "note"));
  skip_others(d);
  take_note(d, "two");
  take_note(d, "one");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  device *unsaid = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", old.text), &hello);
  assert_false(is_reset(hello, "note")); /* it knows the brief's messages only */
  forget_messages(unsaid);
  harness_free(h);
}

static void a_store_that_is_not_known_is_answered_with_an_error_and_the_rest_goes_on(void **state) {
  (void)state;
  harness *h = harness_make();
  json_t *hello;
  device *d = device_with(h,
      "\"syncStatus\":{\"nothing\":\"01974f63-6abc-7000-8107-66e6c9a45dda\",\"note\":null}",
      &hello);
  assert_null(json_object_get(json_object_get(hello, "stores"), "nothing"));
  take_error(d, "unknown_store");
  skip_others(d);
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  assert_open(d);
  harness_free(h);
}

static void names_with_escapes_name_their_stores(void **state) {
  (void)state;
  harness *h = harness_make();
  uuid_text id = note_stored(device_ready(h, "ada"), "one", 1);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"n\\u006fte\":\"%s\"}", id.text), &hello);
  skip_others(d);
  take_synced(d, "note", id.text, "", false);
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"\\u006eote\",\"object\":{\"text\":\"two\"}}}");
  settle(h);
  take_note(d, "two");
  harness_free(h);
}

/* ---- the horizon: removes that are forgotten ---- */

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static void a_head_older_than_a_forgotten_remove_is_answered_with_reset(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text old = note_stored(writer, "old", 1);
  uuid_text kept = note_stored(writer, "kept", 2);
  uuid_text removed = note_removed(writer, old.text, 3);
  h->now_ms += 91 * DAY_MS; /* the writer stays connected: its user stays in memory */
  uuid_text fresh = note_stored(writer, "fresh", 4);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", kept.text), &hello);
  assert_true(is_reset(hello, "note"));
  skip_others(d);
  take_note(d, "fresh");
  take_note(d, "kept");
  take_synced(d, "note", "", "", false);
  device *later = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", removed.text), &hello);
  assert_false(is_reset(hello, "note"));
  skip_others(later);
  take_note(later, "fresh");
  take_synced(later, "note", removed.text, "", false);
  device *range = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"missing\":{\"note\":[{\"after\":\"%s\","
          "\"before\":\"%s\"}]}",
          fresh.text, kept.text, fresh.text),
      &hello);
  assert_true(is_reset(hello, "note")); /* the remove lay in its range */
  skip_others(range);
  take_note(range, "fresh");
  take_note(range, "kept");
  take_synced(range, "note", "", "", false);
  assert_silent(range);
  device *all = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"missing\":{\"note\":[{\"after\":null,"
          "\"before\":\"%s\"}]}",
          fresh.text, fresh.text),
      &hello);
  assert_false(is_reset(hello, "note")); /* it holds nothing that could have been removed */
  harness_free(h);
  (void)all;
}

static void a_head_that_is_a_forgotten_remove_is_not_ahead(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text old = note_stored(writer, "old", 1);
  note_stored(writer, "kept", 2);
  uuid_text removed = note_removed(writer, old.text, 3);
  h->now_ms += 91 * DAY_MS;
  push_account(writer, "Ada", 4); /* another store's write makes the storage forget */
  settle(h);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", removed.text), &hello);
  assert_false(is_reset(hello, "note"));
  assert_string_equal(head_of(hello, "note"), removed.text);
  take(d, "update"); /* the account */
  skip_others(d);
  take_synced(d, "note", removed.text, "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_device_that_reads_on_past_the_horizon_is_sent_back_to_be_reset(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text held = note_stored(writer, "held", 1);
  note_stored(writer, "fetched", 2);
  note_removed(writer, held.text, 3);
  uuid_text fresh = note_stored(writer, "fresh", 4);
  json_t *hello;
  device *d = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", fresh.text), &hello);
  skip_others(d);
  take_synced(d, "note", fresh.text, "", false);
  h->now_ms += 91 * DAY_MS;
  push_account(writer, "Ada", 5); /* makes the storage forget the remove */
  settle(h);
  take(d, "update");
  say(d, fmt("{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"after\":\"%s\","
             "\"before\":\"%s\",\"limit\":10}}",
             held.text, fresh.text));
  settle(h);
  assert_int_equal(d->closed, 1012); /* "held" would stay on it for ever */
  device *again = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"missing\":{\"note\":[{\"after\":\"%s\","
          "\"before\":\"%s\"}]}",
          fresh.text, held.text, fresh.text),
      &hello);
  assert_true(is_reset(hello, "note"));
  forget_messages(again);
  harness_free(h);
}

/* ---- missing ranges ---- */

typedef struct notes {
  uuid_text id[8];
} notes;

/* Notes 0 to 7, stored by a device of ada's. */
static notes eight_notes(harness *h) {
  notes n;
  device *writer = device_ready(h, "ada");
  for (unsigned i = 0; i < 8; i++)
    n.id[i] = note_stored(writer, fmt("%u", i), i + 1);
  return n;
}

static const char *range_of(const char *after, const char *before) {
  return after ? fmt("{\"after\":\"%s\",\"before\":\"%s\"}", after, before)
               : fmt("{\"after\":null,\"before\":\"%s\"}", before);
}

static device *device_missing(harness *h, const notes *n, unsigned head, const char *ranges) {
  json_t *hello;
  device *d = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"missing\":{\"note\":[%s]}", n->id[head].text, ranges),
      &hello);
  skip_others(d);
  return d;
}

static void missing_ranges_are_sent_after_what_is_new_newest_first_both_ends_exclusive(
    void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  device *d = device_missing(
      h, &n, 6, fmt("%s,%s", range_of(NULL, n.id[1].text), range_of(n.id[2].text, n.id[5].text)));
  take_note(d, "7");
  take_synced(d, "note", n.id[6].text, "", false);
  take_note(d, "4");
  take_note(d, "3");
  take_synced(d, "note", n.id[2].text, n.id[5].text, false);
  take_note(d, "0");
  take_synced(d, "note", "", n.id[1].text, false);
  assert_silent(d);
  harness_free(h);
}

static void missing_ranges_that_overlap_are_joined_so_that_each_event_is_sent_once(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  device *d = device_missing(h, &n, 7,
      fmt("%s,%s,%s", range_of(n.id[1].text, n.id[4].text), range_of(n.id[2].text, n.id[6].text),
          range_of(n.id[3].text, n.id[4].text)));
  take_synced(d, "note", n.id[7].text, "", false);
  for (int i = 5; i > 1; i--)
    take_note(d, fmt("%d", i));
  take_synced(d, "note", n.id[1].text, n.id[6].text, false);
  assert_silent(d);
  harness_free(h);
}

static void missing_ranges_of_several_stores_are_sent_newest_first(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text written[4];
  uuid_text chats[4];
  for (unsigned i = 0; i < 4; i++) {
    written[i] = note_stored(writer, fmt("%u", i), i + 1);
    say(writer, "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":"
                "{\"role\":\"user\",\"message\":\"\"}}}");
    settle(h);
    chats[i] = keep_id(text_of(take(writer, "update"), "id"));
  }
  json_t *hello;
  device *d = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\",\"chatMessage\":\"%s\"},\"missing\":{"
          "\"note\":[%s,%s],\"chatMessage\":[%s]}",
          written[3].text, chats[3].text, range_of(NULL, written[1].text),
          range_of(written[1].text, written[3].text), range_of(NULL, chats[1].text)),
      &hello);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", chats[3].text, "", false);
  take_synced(d, "note", written[3].text, "", false);
  take_note(d, "2");
  take_synced(d, "note", written[1].text, written[3].text, false);
  assert_string_equal(text_of(take(d, "update"), "id"), chats[0].text);
  take_synced(d, "chatMessage", "", chats[1].text, false);
  take_note(d, "0");
  take_synced(d, "note", "", written[1].text, false);
  assert_silent(d);
  harness_free(h);
}

/* The range of another database may stand behind one that was all right so far. */
static void a_missing_range_that_resets_its_store_makes_all_of_it_new(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"missing\":{\"note\":[%s,%s]}", n.id[7].text,
          range_of(n.id[1].text, n.id[4].text),
          range_of(NULL, "01974f63-6abc-7000-8107-66e6c9a45dda")),
      &hello);
  assert_true(is_reset(hello, "note"));
  skip_others(d);
  for (unsigned i = 8; i-- > 0;)
    take_note(d, fmt("%u", i));
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void ranges_that_touch_are_two_ranges(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  device *d = device_missing(h, &n, 7,
      fmt("%s,%s", range_of(n.id[1].text, n.id[3].text), range_of(n.id[3].text, n.id[5].text)));
  take_synced(d, "note", n.id[7].text, "", false);
  take_note(d, "4");
  take_synced(d, "note", n.id[3].text, n.id[5].text, false);
  take_note(d, "2"); /* 3 is held */
  take_synced(d, "note", n.id[1].text, n.id[3].text, false);
  assert_silent(d);
  harness_free(h);
}

static void a_missing_range_above_the_head_is_part_of_what_is_new(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  device *d = device_missing(h, &n, 4,
      fmt("%s,%s", range_of(n.id[5].text, n.id[7].text), range_of(n.id[2].text, n.id[7].text)));
  take_note(d, "7");
  take_note(d, "6");
  take_note(d, "5");
  take_synced(d, "note", n.id[4].text, "", false);
  take_note(d, "3");
  take_synced(d, "note", n.id[2].text, n.id[4].text, false);
  assert_silent(d);
  harness_free(h);
}

static void a_reversed_missing_range_closes_with_4400(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  for (unsigned after = 3; after < 5; after++) {
    device *d = device_connect(h, "ada");
    sayf(d,
        "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"note\":\"%s\"},"
        "\"missing\":{\"note\":[%s]}}}",
        n.id[7].text, range_of(n.id[after].text, n.id[3].text));
    settle(h);
    assert_closed(d, 4400);
    assert_non_null(strstr(d->reason, "reversed"));
  }
  harness_free(h);
}

static void missing_ranges_of_another_database_are_answered_with_reset(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"missing\":{\"note\":[%s]}", n.id[7].text,
          range_of("01974f63-6abc-7000-8107-66e6c9a45dda", n.id[3].text)),
      &hello);
  assert_true(is_reset(hello, "note"));
  skip_others(d);
  for (int i = 7; i >= 0; i--)
    take_note(d, fmt("%d", i));
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void missing_ranges_of_another_epoch_are_dropped_with_what_is_held(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(h, /* the ranges stand first: what counts is what was said */
      fmt("\"missing\":{\"note\":[%s]},\"syncStatus\":{\"note\":\"%s\"},\"database\":\"%s\"",
          range_of(n.id[2].text, n.id[5].text), n.id[6].text,
          text_of_uuid(harness_database()).text),
      &hello);
  assert_true(is_reset(hello, "note"));
  skip_others(d);
  for (int i = 7; i >= 0; i--)
    take_note(d, fmt("%d", i));
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void missing_ranges_without_a_head_are_part_of_what_is_new(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  const char *databases[] = {EPOCH, "fed649ad-f26f-4fcb-ad05-d1b70049fa1f"};
  for (size_t at = 0; at < SDB_COUNT_OF(databases); at++) {
    json_t *hello;
    device *d = device_with(h,
        fmt("\"syncStatus\":{\"note\":null},\"missing\":{\"note\":[%s]},\"database\":\"%s\"",
            range_of(n.id[2].text, n.id[5].text), databases[at]),
        &hello);
    assert_false(is_reset(hello, "note")); /* it holds nothing */
    skip_others(d);
    for (int i = 7; i >= 0; i--)
      take_note(d, fmt("%d", i));
    take_synced(d, "note", "", "", false);
    assert_silent(d);
  }
  harness_free(h);
}

static char *hello_with_ranges(const notes *n, unsigned count) {
  char *text = malloc(200 + count * 150);
  assert_non_null(text);
  char *at = text + sprintf(text,
                        "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"note\":\"%s\"},"
                        "\"missing\":{\"note\":[",
                        n->id[7].text);
  for (unsigned i = 0; i < count; i++)
    at += sprintf(at, "%s%s", i ? "," : "", range_of(n->id[i % 6].text, n->id[7].text));
  sprintf(at, "]}}}");
  return text;
}

static void as_many_missing_ranges_as_allowed_are_and_one_more_closes_with_4400(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  char *allowed = hello_with_ranges(&n, SDB_MISSING_RANGES_MAX);
  char *over = hello_with_ranges(&n, SDB_MISSING_RANGES_MAX + 1);
  device *d = device_connect(h, "ada");
  say(d, allowed);
  settle(h);
  take(d, "server_hello");
  skip_others(d);
  take_synced(d, "note", n.id[7].text, "", false);
  for (int i = 6; i > 0; i--)
    take_note(d, fmt("%d", i));
  take_synced(d, "note", n.id[0].text, n.id[7].text, false);
  device *refused = device_connect(h, "ada");
  say(refused, over);
  settle(h);
  assert_closed(refused, 4400);
  free(allowed);
  free(over);
  harness_free(h);
}

/* ---- windows ---- */

static void a_window_sends_the_newest_and_leaves_the_rest_missing(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(
      h, fmt("\"syncStatus\":{\"note\":\"%s\"},\"window\":{\"note\":3}", n.id[0].text), &hello);
  skip_others(d);
  take_note(d, "7");
  take_note(d, "6");
  take_note(d, "5");
  take_synced(d, "note", n.id[0].text, "", true);
  assert_silent(d);
  harness_free(h);
}

static void a_window_that_holds_all_there_is_leaves_nothing_missing(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(
      h, fmt("\"syncStatus\":{\"note\":\"%s\"},\"window\":{\"note\":2}", n.id[5].text), &hello);
  skip_others(d);
  take_note(d, "7");
  take_note(d, "6");
  take_synced(d, "note", n.id[5].text, "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_window_of_null_or_beyond_32_bits_is_none(void **state) {
  (void)state;
  static const char *const WINDOWS[] = {"null", "4294967296", "18446744073709551615"};
  harness *h = harness_make();
  eight_notes(h);
  for (size_t i = 0; i < SDB_COUNT_OF(WINDOWS); i++) {
    json_t *hello;
    device *d =
        device_with(h, fmt("\"syncStatus\":{},\"window\":{\"note\":%s}", WINDOWS[i]), &hello);
    skip_others(d);
    for (unsigned note = 8; note-- > 0;)
      take_note(d, fmt("%u", note));
    take_synced(d, "note", "", "", false);
    assert_silent(d);
  }
  harness_free(h);
}

static void a_window_of_none_sends_none(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(
      h, fmt("\"syncStatus\":{\"note\":\"%s\"},\"window\":{\"note\":0}", n.id[5].text), &hello);
  skip_others(d);
  take_synced(d, "note", n.id[5].text, "", true);
  assert_silent(d);
  device *up_to_date = device_with(
      h, fmt("\"syncStatus\":{\"note\":\"%s\"},\"window\":{\"note\":0}", n.id[7].text), &hello);
  skip_others(up_to_date);
  take_synced(up_to_date, "note", n.id[7].text, "", false);
  harness_free(h);
}

static void a_window_counts_over_all_ranges_of_its_store(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  json_t *hello;
  device *d = device_with(h,
      fmt("\"syncStatus\":{\"note\":\"%s\"},\"window\":{\"note\":3,\"account\":0},"
          "\"missing\":{\"note\":[%s,%s]}",
          n.id[6].text, range_of(n.id[2].text, n.id[6].text), range_of(NULL, n.id[2].text)),
      &hello);
  skip_others(d);
  take_note(d, "7");
  take_synced(d, "note", n.id[6].text, "", false);
  take_note(d, "5");
  take_note(d, "4");
  take_synced(d, "note", n.id[2].text, n.id[6].text, true);
  take_synced(d, "note", "", n.id[2].text, true);
  assert_silent(d);
  harness_free(h);
}

/* ---- singular stores ---- */

static void singular_stores_come_first_with_their_one_event(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  push_account(writer, "Ada", 1);
  push_account(writer, "Ada Lovelace", 2);
  push_note(writer, "note", 3);
  settle(h);
  json_t *hello;
  device *d = device_with(h, "\"syncStatus\":{},\"window\":{\"account\":0}", &hello);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "store"), "account");
  assert_string_equal(text_of(object_of(data), "name"), "Ada Lovelace");
  assert_string_equal(text_or_empty(data, "eventId"), ""); /* it is the id */
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  take_note(d, "note");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_device_that_never_synced_is_not_sent_removes(void **state) {
  (void)state;
  harness *h = harness_make();
  notes n = eight_notes(h);
  device *writer = device_ready(h, "ada");
  note_removed(writer, n.id[7].text, 20);
  note_removed(writer, n.id[3].text, 21);
  json_t *hello;
  device *d = device_with(h, "\"syncStatus\":{}", &hello);
  skip_others(d);
  for (int i = 6; i >= 0; i--) {
    if (i != 3) take_note(d, fmt("%d", i));
  }
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  device *older = device_with(h, fmt("\"syncStatus\":{\"note\":\"%s\"}", n.id[7].text), &hello);
  skip_others(older);
  assert_string_equal(text_of(take(older, "remove"), "id"), n.id[3].text);
  assert_string_equal(text_of(take(older, "remove"), "id"), n.id[7].text);
  take_synced(older, "note", n.id[7].text, "", false);
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hello_is_answered_with_the_heads_and_a_synced_for_each_store),
      cmocka_unit_test(the_hello_of_the_brief_is_answered_with_reset_as_its_heads_are_not_of_here),
      cmocka_unit_test(who_says_no_hello_in_time_is_closed_and_nobody_else),
      cmocka_unit_test(any_message_before_the_hello_closes_with_4400),
      cmocka_unit_test(a_second_hello_closes_with_4400),
      cmocka_unit_test(a_hello_that_is_none_closes_with_4400_and_says_why),
      cmocka_unit_test(unknown_fields_of_a_hello_are_passed_over),
      cmocka_unit_test(
          what_comes_behind_the_hello_waits_for_its_answer_and_is_carried_out_in_order),
      cmocka_unit_test(who_sends_too_much_behind_a_hello_is_closed_with_1013),
      cmocka_unit_test(a_device_with_the_head_is_sent_only_a_synced),
      cmocka_unit_test(a_device_is_sent_what_came_after_its_head_newest_first),
      cmocka_unit_test(a_head_ahead_of_the_servers_is_answered_with_reset_and_all_there_is),
      cmocka_unit_test(heads_of_another_database_are_answered_with_reset),
      cmocka_unit_test(
          heads_of_another_epoch_are_answered_with_reset_though_the_server_is_past_them),
      cmocka_unit_test(a_store_that_is_not_known_is_answered_with_an_error_and_the_rest_goes_on),
      cmocka_unit_test(names_with_escapes_name_their_stores),
      cmocka_unit_test(a_head_older_than_a_forgotten_remove_is_answered_with_reset),
      cmocka_unit_test(a_head_that_is_a_forgotten_remove_is_not_ahead),
      cmocka_unit_test(a_device_that_reads_on_past_the_horizon_is_sent_back_to_be_reset),
      cmocka_unit_test(missing_ranges_are_sent_after_what_is_new_newest_first_both_ends_exclusive),
      cmocka_unit_test(missing_ranges_that_overlap_are_joined_so_that_each_event_is_sent_once),
      cmocka_unit_test(missing_ranges_of_several_stores_are_sent_newest_first),
      cmocka_unit_test(a_missing_range_that_resets_its_store_makes_all_of_it_new),
      cmocka_unit_test(ranges_that_touch_are_two_ranges),
      cmocka_unit_test(a_missing_range_above_the_head_is_part_of_what_is_new),
      cmocka_unit_test(a_reversed_missing_range_closes_with_4400),
      cmocka_unit_test(missing_ranges_of_another_database_are_answered_with_reset),
      cmocka_unit_test(missing_ranges_of_another_epoch_are_dropped_with_what_is_held),
      cmocka_unit_test(missing_ranges_without_a_head_are_part_of_what_is_new),
      cmocka_unit_test(as_many_missing_ranges_as_allowed_are_and_one_more_closes_with_4400),
      cmocka_unit_test(a_window_sends_the_newest_and_leaves_the_rest_missing),
      cmocka_unit_test(a_window_that_holds_all_there_is_leaves_nothing_missing),
      cmocka_unit_test(a_window_of_null_or_beyond_32_bits_is_none),
      cmocka_unit_test(a_window_of_none_sends_none),
      cmocka_unit_test(a_window_counts_over_all_ranges_of_its_store),
      cmocka_unit_test(singular_stores_come_first_with_their_one_event),
      cmocka_unit_test(a_device_that_never_synced_is_not_sent_removes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
