/* hub_push_test.c: pushes of devices: what is stored, who is told, what is refused. */
#include "hub_harness.h"

#define PUSH                                                                                       \
  "{\n  \"type\": \"update\",\n  \"data\": {\n    \"store\": \"chatMessage\",\n"                   \
  "    \"object\": {\n      \"role\": \"user\",\n      \"message\": \"hi\",\n"                     \
  "      \"$createdAt\": 1749383382805\n    },\n"                                                  \
  "    \"clientId\": \"fed649ad-f26f-4fcb-ad05-d1b70049fa1f\"\n  }\n}"

static void the_push_of_the_brief_comes_back_to_every_device_as_it_was(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device *other = device_ready(h, "ada");
  device *stranger = device_ready(h, "bob");
  say(d, PUSH);
  drain(h);
  assert_silent(d); /* stored before said */
  flush(h);
  drain(h);
  assert_silent(d);
  settle(h);
  json_t *event = take(d, "update");
  assert_string_equal(text_of(event, "store"), "chatMessage");
  assert_string_equal(text_of(event, "clientId"), "fed649ad-f26f-4fcb-ad05-d1b70049fa1f");
  assert_null(json_object_get(event, "eventId"));
  assert_true(seq_of(text_of(event, "id")) > 0);
  json_t *expected = json_pack(
      "{s:s,s:s,s:I}", "role", "user", "message", "hi", "$createdAt", (json_int_t)1749383382805);
  assert_true(json_equal(object_of(event), expected));
  json_decref(expected);
  char *text = next_text(other);
  assert_non_null(strstr(text, text_of(event, "id")));
  free(text);
  assert_silent(d);
  assert_silent(other);
  assert_silent(stranger);
  harness_free(h);
}

static void an_event_is_encoded_once_for_all_devices(void **state) {
  (void)state;
  harness *h = harness_make();
  device *a = device_ready(h, "ada");
  device_ready(h, "ada");
  push_note(a, "x", 1);
  flush(h);
  store(h);
  sdb_hub_output first, second;
  assert_true(sdb_hub_next_output(h->hub, &first));
  assert_int_equal(first.kind, SDB_HUB_SEND);
  assert_true(sdb_hub_next_output(h->hub, &second));
  assert_int_equal(second.kind, SDB_HUB_SEND);
  assert_ptr_equal(first.frames, second.frames);
  assert_int_equal(first.frames->messages, 1);
  sdb_frames_release(first.frames);
  sdb_frames_release(second.frames);
  harness_free(h);
}

static void a_push_costs_two_allocations(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device_ready(h, "ada");
  h->mute = true;
  push_note(d, "warm", 1);
  settle(h);
  size_t before = h->memory.calls;
  push_note(d, "x", 2);
  settle(h);
  assert_int_equal(h->memory.calls - before, 2); /* the operation, the frames */
  harness_free(h);
}

static void live_events_come_oldest_first_with_rising_ids(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_account(d, "two", 2);
  push_note(d, "three", 3);
  settle(h);
  sdb_seq last = 0;
  for (unsigned i = 1; i <= 3; i++) {
    json_t *event = take(d, "update");
    assert_string_equal(text_of(event, "clientId"), client_id(i).text);
    assert_true(seq_of(text_of(event, "id")) > last);
    last = seq_of(text_of(event, "id"));
  }
  harness_free(h);
}

static void a_push_without_a_client_id_is_stored_and_echoed_without_one(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  const char *push =
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"x\"}}}";
  say(d, push);
  say(d, push);
  settle(h);
  for (int i = 0; i < 2; i++)
    assert_null(json_object_get(take(d, "update"), "clientId"));
  assert_silent(d);
  harness_free(h);
}

/* ---- $createdAt ---- */

static json_int_t stored_created_at(device *d, const char *object) {
  sayf(d, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":%s}}", object);
  settle(d->harness);
  return json_integer_value(json_object_get(object_of(take(d, "update")), "$createdAt"));
}

static void created_at_is_kept_if_it_is_not_in_the_servers_future(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  json_int_t now = (json_int_t)h->now_ms;
  assert_int_equal(stored_created_at(d, "{\"text\":\"x\",\"$createdAt\":5}"), 5);
  assert_int_equal(stored_created_at(d, "{\"text\":\"x\",\"$createdAt\":0}"), 0);
  assert_int_equal(stored_created_at(d, "{\"$createdAt\":1749383382805,\"text\":\"x\"}"), now);
  assert_int_equal(stored_created_at(d, "{\"$createdAt\":1749383382806,\"text\":\"x\"}"), now);
  assert_int_equal(stored_created_at(d, "{\"text\":\"x\"}"), now);
  assert_int_equal(stored_created_at(d, "{\"text\":\"x\" }"), now);
  harness_free(h);
}

/* ---- what is refused ---- */

typedef struct refusal {
  const char *data; /* of an update, with its braces left out and clientId behind it */
  const char *code, *path, *store;
} refusal;

static void what_is_wrong_is_answered_with_an_error_that_names_the_push(void **state) {
  (void)state;
  static const refusal REFUSALS[] = {
      {"\"store\":\"nothing\",\"object\":{}", "unknown_store", "", ""},
      {"\"store\":\"chat_message\",\"object\":{}", "unknown_store", "", ""},
      {"\"object\":{}", "bad_message", "", ""},
      {"\"store\":7,\"object\":{}", "bad_message", "", ""},
      {"\"store\":\"note\"", "bad_message", "", "note"},
      {"\"store\":\"note\",\"object\":null", "bad_message", "", "note"},
      {"\"store\":\"note\",\"object\":[1]", "bad_message", "", ""},
      {"\"store\":\"note\",\"object\":\"x\"", "bad_message", "", ""},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\"},\"id\":\"x\"", "bad_message", "", ""},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\"},\"id\":7", "bad_message", "", ""},
      {"\"store\":\"note\",\"object\":{\"text\":1}", "invalid_object", "/text", "note"},
      {"\"store\":\"note\",\"object\":{}", "invalid_object", "/text", "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\",\"$id\":1}", "invalid_object", "/$id",
          "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\",\"$createdAt\":\"now\"}", "invalid_object",
          "/$createdAt", "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\",\"$createdAt\":1.5}", "invalid_object",
          "/$createdAt", "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\",\"$createdAt\":-1}", "invalid_object",
          "/$createdAt", "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\",\"$createdAt\":null}", "invalid_object",
          "/$createdAt", "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\",\"$createdAt\":"
       "123456789012345678901234567890}",
          "invalid_object", "/$createdAt", "note"},
      {"\"store\":\"note\",\"object\":{\"text\":\"x\"},"
       "\"id\":\"01974f63-6abc-7000-8107-66e6c9a45dda\"",
          "not_found", "", "note"},
      {"\"store\":\"chatMessage\",\"object\":{\"role\":\"assistant\",\"message\":\"x\"}",
          "rejected", "", "chatMessage"},
  };
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device *other = device_ready(h, "ada");
  for (size_t i = 0; i < SDB_COUNT_OF(REFUSALS); i++) {
    const refusal *r = &REFUSALS[i];
    sayf(d, "{\"type\":\"update\",\"data\":{%s,\"clientId\":\"%s\"}}", r->data,
        client_id((unsigned)i).text);
    settle(h);
    json_t *error = take(d, "error");
    if (strcmp(text_of(error, "code"), r->code) != 0)
      fail_msg("%s: %s (%s)", r->data, text_of(error, "code"), text_of(error, "message"));
    assert_string_equal(text_or_empty(error, "clientId"), client_id((unsigned)i).text);
    assert_string_equal(text_or_empty(error, "path"), r->path);
    assert_string_equal(text_or_empty(error, "store"), r->store);
    assert_true(strlen(text_or_empty(error, "message")) > 0);
  }
  assert_silent(d);
  assert_silent(other); /* errors are for the pusher alone */
  assert_answers_ping(d);
  harness_free(h);
}

static void a_rule_that_refuses_says_so_in_its_own_words(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":{\"role\":\"assistant\","
      "\"message\":\"x\"},\"clientId\":\"fed649ad-f26f-4fcb-ad05-d1b70049fa1f\"}}");
  settle(h);
  take_text(d, "{\"type\":\"error\",\"data\":{\"code\":\"rejected\","
               "\"message\":\"Only user messages can be created!\","
               "\"clientId\":\"fed649ad-f26f-4fcb-ad05-d1b70049fa1f\","
               "\"store\":\"chatMessage\"}}");
  harness_free(h);
}

static void fields_of_the_wrong_type_are_answered_with_bad_message(void **state) {
  (void)state;
  static const char *const MESSAGES[] = {
      "{\"type\":\"update\"}",
      "{\"type\":\"update\",\"data\":[]}",
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"x\"},"
      "\"clientId\":\"x\"}}",
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"x\"},"
      "\"clientId\":7}}",
      "{\"type\":\"remove\",\"data\":{\"store\":\"note\"}}",
      "{\"type\":\"remove\",\"data\":{\"id\":\"x\"}}",
      "{\"type\":\"remove\",\"data\":{\"id\":\"00000000-0000-0000-0000-000000000000\"}}",
  };
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  for (size_t i = 0; i < SDB_COUNT_OF(MESSAGES); i++) {
    say(d, MESSAGES[i]);
    settle(h);
    take_error(d, "bad_message");
    assert_silent(d);
  }
  assert_answers_ping(d);
  harness_free(h);
}

static void an_unknown_type_is_answered_and_the_connection_goes_on(void **state) {
  (void)state;
  static const char *const MESSAGES[] = {
      "{\"type\":\"subscribe\",\"data\":{}}",
      "{\"type\":\"\"}",
      "{\"type\":\"synced\",\"data\":{}}",
      "{\"type\":\"partial\",\"data\":{}}",
  };
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  for (size_t i = 0; i < SDB_COUNT_OF(MESSAGES); i++) {
    say(d, MESSAGES[i]);
    drain(h);
    take_error(d, "unknown_type");
  }
  assert_answers_ping(d);
  harness_free(h);
}

static void what_is_no_message_closes_with_4400(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"", "hello", "[1]", "\"ping\"", "{\"data\":{}}",
      "{\"type\":1}", "{\"type\":\"ping\"} {}", "{\"type\":\"ping\",\"type\":\"ping\"}",
      "{\"type\":\"ping\",\"data\":\"\\ud800\"}", "{\"type\":\"ping\",\"data\":\"\xff\"}",
      "{\"type\":\"ping\",}"};
  harness *h = harness_make();
  device *bystander = device_ready(h, "ada");
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++) {
    device *d = device_ready(h, "ada");
    say(d, TEXTS[i]);
    say(d, "{\"type\":\"ping\"}"); /* too late */
    assert_closed(d, 4400);
    assert_true(strlen(d->reason) > 0);
    disconnect(d);
  }
  assert_answers_ping(bystander);
  harness_free(h);
}

static void nesting_over_the_limit_closes_with_4400(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.depth_max = 4;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  say(d, "{\"type\":\"ping\",\"data\":[[[]]]}");
  drain(h);
  take(d, "pong");
  say(d, "{\"type\":\"ping\",\"data\":[[[[]]]]}");
  assert_closed(d, 4400);
  harness_free(h);
}

static void an_object_over_the_size_limit_is_too_large(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.object_bytes_max = 20;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  push_note(d, "12345678901", 1); /* {"text":"..."} is 11 more */
  settle(h);
  take_error(d, "too_large");
  note_stored(d, "123456789", 2);
  harness_free(h);
}

static void an_object_that_has_all_to_store_is_stored_as_it_stands(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d, "{\"type\":\"update\",\"data\":{\"object\":{ \"text\" : \"\\u0000\\ud83d\\ude00\" , "
         "\"$createdAt\" : 1 , \"n\" : 1e400 },\"store\":\"note\"}}");
  settle(h);
  char *text = next_text(d);
  assert_non_null(strstr(text, "\"object\":{ \"text\" : \"\\u0000\\ud83d\\ude00\" , "
                               "\"$createdAt\" : 1 , \"n\" : 1e400 }"));
  free(text);
  harness_free(h);
}

/* ---- replacing and removing ---- */

static void a_replaced_object_keeps_its_id_and_carries_a_new_event_id(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device *other = device_ready(h, "ada");
  uuid_text id = note_stored(d, "one", 1);
  uuid_text event = note_replaced(d, id.text, "two", 2);
  assert_true(seq_of(event.text) > seq_of(id.text));
  take_note(other, "one");
  json_t *data = take(other, "update");
  assert_string_equal(text_of(data, "id"), id.text);
  assert_string_equal(text_of(data, "eventId"), event.text);
  assert_string_equal(text_of(object_of(data), "text"), "two");
  harness_free(h);
}

static void a_remove_works_with_and_without_its_store(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text one = note_stored(d, "one", 1), two = note_stored(d, "two", 2);
  sayf(d, "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"%s\",\"clientId\":\"%s\"}}",
      one.text, client_id(3).text);
  sayf(d, "{\"type\":\"remove\",\"data\":{\"id\":\"%s\"}}", two.text);
  settle(h);
  json_t *data = take(d, "remove");
  assert_string_equal(text_of(data, "store"), "note");
  assert_string_equal(text_of(data, "id"), one.text);
  assert_true(seq_of(text_of(data, "eventId")) > seq_of(two.text));
  assert_string_equal(text_of(data, "clientId"), client_id(3).text);
  data = take(d, "remove");
  assert_string_equal(text_of(data, "id"), two.text);
  assert_null(json_object_get(data, "clientId"));
  harness_free(h);
}

static void what_is_removed_is_not_found_any_more(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "one", 1);
  note_removed(d, id.text, 2);
  remove_object(d, id.text, 3);
  settle(h);
  assert_string_equal(text_of(take_error(d, "not_found"), "clientId"), client_id(3).text);
  replace_note(d, id.text, "again", 4);
  settle(h);
  take_error(d, "not_found");
  harness_free(h);
}

static void an_object_of_another_store_is_not_found(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d, PUSH);
  settle(h);
  uuid_text id = keep_id(text_of(take(d, "update"), "id"));
  replace_note(d, id.text, "x", 1);
  settle(h);
  take_error(d, "not_found");
  harness_free(h);
}

static void an_object_of_another_user_cannot_be_told_from_one_that_there_is_not(void **state) {
  (void)state;
  harness *h = harness_make();
  device *owner = device_ready(h, "ada");
  device *mallory = device_ready(h, "mallory");
  uuid_text theirs = note_stored(owner, "mine", 1);
  uuid_text none = id_of_seq(seq_of(theirs.text) + 1);
  const char *ids[] = {theirs.text, none.text, "01974f63-6abc-7000-8107-66e6c9a45dda"};
  char *expected[2] = {NULL, NULL};
  for (size_t i = 0; i < SDB_COUNT_OF(ids); i++) {
    replace_note(mallory, ids[i], "taken", 7);
    sayf(mallory,
        "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"%s\",\"clientId\":\"%s\"}}",
        ids[i], client_id(7).text);
    settle(h);
    for (int k = 0; k < 2; k++) {
      char *text = next_text(mallory);
      assert_non_null(strstr(text, "not_found"));
      if (!expected[k]) {
        expected[k] = text;
        continue;
      }
      assert_string_equal(text, expected[k]);
      free(text);
    }
  }
  free(expected[0]);
  free(expected[1]);
  assert_silent(owner);
  note_replaced(owner, theirs.text, "kept", 8);
  harness_free(h);
}

/* ---- singular stores ---- */

static void a_singular_store_holds_one_object_and_each_update_has_a_new_id(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text ids[2];
  for (unsigned i = 0; i < 2; i++) {
    push_account(d, i ? "Ada Lovelace" : "Ada", i + 1);
    settle(h);
    json_t *data = take(d, "update");
    assert_null(json_object_get(data, "eventId"));
    ids[i] = keep_id(text_of(data, "id"));
  }
  assert_string_not_equal(ids[0].text, ids[1].text);
  sayf(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"account\",\"id\":\"%s\","
      "\"object\":{\"name\":\"by id\"}}}",
      ids[0].text); /* there is one object, whatever its id */
  settle(h);
  assert_string_equal(text_of(object_of(take(d, "update")), "name"), "by id");
  harness_free(h);
}

static void the_rules_of_a_singular_store_see_whether_it_is_created_or_updated(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  push_account(d, "nobody", 1); /* the rule refuses it as an update only */
  settle(h);
  take(d, "update");
  push_account(d, "Ada", 2);
  push_account(d, "nobody", 3);
  settle(h);
  take(d, "update");
  json_t *error = take_error(d, "rejected");
  assert_string_equal(text_of(error, "message"), "Nobody cannot be updated to!");
  assert_string_equal(text_of(error, "clientId"), client_id(3).text);
  assert_string_equal(text_of(error, "store"), "account");
  harness_free(h);
}

static void a_singular_object_is_removed_by_its_current_id_only(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  push_account(d, "Ada", 1);
  settle(h);
  uuid_text old = keep_id(text_of(take(d, "update"), "id"));
  push_account(d, "Ada Lovelace", 2);
  settle(h);
  uuid_text id = keep_id(text_of(take(d, "update"), "id"));
  remove_object(d, old.text, 3);
  settle(h);
  take_error(d, "not_found");
  remove_object(d, id.text, 4);
  settle(h);
  json_t *data = take(d, "remove");
  assert_string_equal(text_of(data, "id"), id.text);
  assert_string_equal(text_of(data, "store"), "account");
  harness_free(h);
}

/* ---- rules ---- */

static uuid_text chat_stored(device *d, const char *message, unsigned number) {
  sayf(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":{\"role\":\"user\","
      "\"message\":\"%s\"},\"clientId\":\"%s\"}}",
      message, client_id(number).text);
  settle(d->harness);
  return keep_id(text_of(take(d, "update"), "id"));
}

static void only_create_and_delete_are_allowed_in_the_briefs_store(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = chat_stored(d, "hi", 1);
  sayf(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"id\":\"%s\","
      "\"object\":{\"role\":\"user\",\"message\":\"changed\"}}}",
      id.text);
  settle(h);
  assert_string_equal(text_of(take_error(d, "rejected"), "message"),
      "Only create and delete actions can be performed.");
  remove_object(d, id.text, 2);
  settle(h);
  take(d, "remove");
  harness_free(h);
}

static void the_rule_of_a_remove_sees_the_object_that_is_to_go(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = chat_stored(d, "keep", 1);
  remove_object(d, id.text, 2);
  settle(h);
  json_t *error = take_error(d, "rejected");
  assert_string_equal(text_of(error, "message"), "This one stays!");
  assert_string_equal(text_of(error, "clientId"), client_id(2).text);
  assert_string_equal(text_of(error, "store"), "chatMessage");
  assert_answers_ping(d);
  harness_free(h);
}

static void a_rule_that_speaks_for_the_schema_is_answered_so(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"account\",\"object\":{\"name\":\"Ada\"}}}");
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"account\",\"object\":{\"name\":\"odd\"}}}");
  settle(h);
  take(d, "update");
  json_t *error = take_error(d, "invalid_object");
  assert_string_equal(text_of(error, "message"), "An odd name.");
  assert_string_equal(text_of(error, "path"), "/name");
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.pushes_invalid, 1);
  harness_free(h);
}

/* ---- exactly once ---- */

static void a_push_that_was_stored_before_is_sent_again_to_that_device_only(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device *other = device_ready(h, "ada");
  uuid_text id = note_stored(d, "one", 1);
  forget_messages(other);
  push_note(d, "one", 1);
  settle(h);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "id"), id.text);
  assert_string_equal(text_of(data, "clientId"), client_id(1).text);
  assert_silent(other);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.pushes_stored, 1);
  assert_int_equal(stats.pushes_duplicate, 1);
  harness_free(h);
}

static void two_pushes_of_one_client_id_on_their_way_are_stored_once(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_note(d, "one", 1);
  settle(h);
  uuid_text id = take_note(d, "one");
  assert_string_equal(take_note(d, "one").text, id.text);
  assert_silent(d);
  device *late = device_connect(h, "ada");
  say(late, HELLO);
  settle(h);
  take(late, "server_hello");
  for (int i = 0; i < 2; i++)
    take(late, "synced");
  take_note(late, "one");
  take(late, "synced");
  assert_silent(late);
  harness_free(h);
}

static void a_client_id_used_again_with_another_object_gives_the_first(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "first", 1);
  push_note(d, "second", 1);
  push_account(d, "Ada", 1);
  settle(h);
  assert_string_equal(take_note(d, "first").text, id.text);
  assert_string_equal(take_note(d, "first").text, id.text);
  assert_silent(d);
  harness_free(h);
}

static void client_ids_of_other_users_are_nobodys_business(void **state) {
  (void)state;
  harness *h = harness_make();
  device *ada = device_ready(h, "ada"), *bob = device_ready(h, "bob");
  note_stored(ada, "hers", 1);
  note_stored(bob, "his", 1);
  harness_free(h);
}

static void a_push_again_of_what_changed_since_gives_the_object_as_it_is_with_its_client_id(
    void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "one", 1);
  uuid_text event = note_replaced(d, id.text, "two", 2);
  push_note(d, "one", 1);
  settle(h);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "id"), id.text);
  assert_string_equal(text_of(data, "eventId"), event.text);
  assert_string_equal(text_of(object_of(data), "text"), "two");
  assert_string_equal(text_of(data, "clientId"), client_id(1).text);
  event = note_removed(d, id.text, 3);
  push_note(d, "one", 1);
  remove_object(d, id.text, 3);
  settle(h);
  for (unsigned number = 1; number <= 3; number += 2) {
    data = take(d, "remove");
    assert_string_equal(text_of(data, "id"), id.text);
    assert_string_equal(text_of(data, "eventId"), event.text);
    assert_string_equal(text_of(data, "clientId"), client_id(number).text);
  }
  harness_free(h);
}

/* ---- the storage fails ---- */

static void when_the_storage_fails_every_push_is_unavailable_and_may_be_tried_again(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device *other = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_account(d, "two", 2);
  sdb_memory_storage_fail_commits(h->storage, 1);
  settle(h);
  for (unsigned i = 1; i <= 2; i++)
    assert_string_equal(text_of(take_error(d, "unavailable"), "clientId"), client_id(i).text);
  assert_silent(d);
  assert_silent(other);
  note_stored(d, "one", 1);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.pushes_unavailable, 2);
  assert_int_equal(stats.pushes_stored, 1);
  harness_free(h);
}

static void a_remove_refused_in_a_commit_that_fails_is_unavailable(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":"
         "{\"role\":\"user\",\"message\":\"keep\"}}}");
  settle(h);
  uuid_text id = keep_id(text_of(take(d, "update"), "id"));
  remove_object(d, id.text, 1);
  sdb_memory_storage_fail_commits(h->storage, 1);
  settle(h);
  take_error(d, "unavailable");
  remove_object(d, id.text, 1);
  settle(h);
  assert_string_equal(text_of(take_error(d, "rejected"), "message"), "This one stays!");
  harness_free(h);
}

/* ---- limits ---- */

static void pushes_over_the_rate_are_limited_and_those_within_it_are_stored(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.pushes_per_second = 5;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  for (unsigned i = 0; i < 8; i++)
    push_note(d, "x", i);
  settle(h);
  for (unsigned i = 5; i < 8; i++)
    assert_string_equal(text_of(take_error(d, "rate_limited"), "clientId"), client_id(i).text);
  for (unsigned i = 0; i < 5; i++)
    take_note(d, "x");
  h->now_ms += 200; /* one more */
  push_note(d, "y", 5);
  push_note(d, "y", 6);
  settle(h);
  take_error(d, "rate_limited");
  take_note(d, "y");
  h->now_ms += 10000; /* saved up for a second at most */
  for (unsigned i = 10; i < 16; i++)
    push_note(d, "z", i);
  settle(h);
  take_error(d, "rate_limited");
  for (unsigned i = 10; i < 15; i++)
    take_note(d, "z");
  assert_silent(d);
  harness_free(h);
}

static void who_goes_on_at_twice_the_rate_is_closed_with_4429_and_not_who_keeps_to_it(
    void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.pushes_per_second = 10;
  harness *h = harness_with(&limits);
  device *twice = device_ready(h, "ada"), *once = device_ready(h, "bob");
  h->mute = true;
  unsigned closed_after = 0;
  for (unsigned i = 0; i < 600 && !closed_after; i++) {
    push_note(twice, "x", i);
    if (i % 2 == 0) push_note(once, "x", i);
    h->now_ms += 50;
    settle(h);
    if (twice->closed) closed_after = i;
  }
  assert_int_equal(twice->closed, 4429);
  assert_in_range(closed_after, 150, 250);
  assert_non_null(strstr(twice->reason, "retryAfterMs"));
  assert_int_equal(once->closed, 0);
  harness_free(h);
}

static void wrong_messages_count_too(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.pushes_per_second = 2;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  h->mute = true;
  for (unsigned i = 0; i < 20; i++) {
    assert_open(d);
    say(d, "{\"type\":\"nonsense\"}");
  }
  assert_open(d);
  say(d, "{\"type\":\"nonsense\"}");
  assert_closed(d, 4429);
  harness_free(h);
}

static void with_so_many_pushes_on_their_way_a_peer_is_read_no_further(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.in_flight_max = 3;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  for (unsigned i = 0; i < 3; i++) {
    assert_true(sdb_hub_wants_input(d->peer));
    push_note(d, "x", i);
  }
  assert_false(sdb_hub_wants_input(d->peer));
  push_note(d, "x", 3); /* was read already: it is taken all the same */
  settle(h);
  for (unsigned i = 0; i < 4; i++)
    take_note(d, "x");
  assert_true(sdb_hub_wants_input(d->peer));
  harness_free(h);
}

static bool accepts_nothing_of_bob(void *context, uint16_t store_index, sdb_slice user) {
  (void)context;
  (void)store_index;
  return !sdb_slice_equal(user, sdb_slice_of("bob"));
}

static void pushes_are_limited_while_the_application_is_behind(void **state) {
  (void)state;
  harness *h = harness_begin();
  sdb_hub_options options;
  harness_options(h, &options);
  options.accepts = accepts_nothing_of_bob;
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_OK);
  device *bob = device_ready(h, "bob");
  push_note(bob, "x", 1);
  settle(h);
  take_error(bob, "rate_limited");
  note_stored(device_ready(h, "ada"), "x", 1);
  harness_free(h);
}

/* ---- a device that goes ---- */

static void pushes_of_a_device_that_goes_are_stored_all_the_same(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  device *other = device_ready(h, "ada");
  push_note(d, "last words", 1);
  flush(h);
  disconnect(d);
  settle(h);
  take_note(other, "last words");
  harness_free(h);
}

static void a_device_that_goes_takes_its_outputs_with_it(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  push_note(d, "x", 1);
  say(d, "{\"type\":\"ping\"}");
  flush(h);
  store(h);
  disconnect(d);
  assert_false(drain(h));
  assert_silent(d);
  device *closing = device_ready(h, "ada");
  say(closing, "nonsense");
  disconnect(closing);
  assert_false(drain(h));
  assert_int_equal(closing->closed, 0);
  harness_free(h);
}

static void a_user_without_devices_is_forgotten(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.users, 1);
  assert_int_equal(stats.peers, 1);
  push_note(d, "x", 1);
  disconnect(d);
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.users, 1); /* its push is on its way */
  assert_int_equal(stats.peers, 0);
  settle(h);
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.users, 0);
  harness_free(h);
}

static void a_peer_is_read_no_further_while_its_echoes_wait(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.output_soft_bytes = 500;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  assert_true(sdb_hub_wants_input(d->peer));
  char text[700];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = 0;
  push_note(d, text, 1);
  assert_false(sdb_hub_wants_input(d->peer)); /* the echo will be over the limit */
  settle(h);
  assert_true(sdb_hub_wants_input(d->peer)); /* and has left */
  device *other = device_ready(h, "ada");
  d->stuck = true;
  note_stored(other, text, 2);
  assert_false(sdb_hub_wants_input(d->peer));
  assert_true(sdb_hub_wants_input(other->peer));
  harness_free(h);
}

/* ---- subscribers ---- */

static void subscribers_are_told_of_what_devices_changed_once_it_is_stored(void **state) {
  (void)state;
  harness *h = harness_make();
  h->subscribed = 1u << NOTE;
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_account(d, "not asked for", 2);
  drain(h);
  assert_no_record(h);
  settle(h);
  record *r = take_record(h, SDB_HUB_EVENT);
  assert_int_equal(r->action, SDB_ACTION_CREATE);
  assert_int_equal(r->store, NOTE);
  assert_string_equal(r->user, "ada");
  assert_string_equal(r->object, "{\"text\":\"one\",\"$createdAt\":1749383382805}");
  assert_string_equal(text_of_uuid(r->client_id).text, client_id(1).text);
  uuid_text id = take_note(d, "one");
  assert_string_equal(text_of_uuid(r->id).text, id.text);
  assert_string_equal(text_of_uuid(r->event_id).text, id.text);
  assert_no_record(h);
  forget_messages(d);
  note_replaced(d, id.text, "two", 3);
  r = take_record(h, SDB_HUB_EVENT);
  assert_int_equal(r->action, SDB_ACTION_UPDATE);
  assert_string_equal(r->object, "{\"text\":\"two\",\"$createdAt\":1749383382805}");
  assert_string_equal(r->previous, "{\"text\":\"one\",\"$createdAt\":1749383382805}");
  note_removed(d, id.text, 4);
  r = take_record(h, SDB_HUB_EVENT);
  assert_int_equal(r->action, SDB_ACTION_DELETE);
  assert_string_equal(r->object, "{\"text\":\"two\",\"$createdAt\":1749383382805}");
  assert_no_record(h);
  harness_free(h);
}

static void subscribers_are_not_told_of_what_was_refused_failed_or_stored_before(void **state) {
  (void)state;
  harness *h = harness_make();
  h->subscribed = ~0u;
  device *d = device_ready(h, "ada");
  note_stored(d, "one", 1);
  take_record(h, SDB_HUB_EVENT);
  push_note(d, "one", 1);
  settle(h);
  push_note(d, "two", 2);
  sdb_memory_storage_fail_commits(h->storage, 1);
  settle(h);
  uuid_text kept = chat_stored(d = device_ready(h, "bob"), "keep", 3);
  take_record(h, SDB_HUB_EVENT);
  remove_object(d, kept.text, 4);
  settle(h);
  take_error(d, "rejected");
  assert_no_record(h);
  harness_free(h);
}

static void a_singular_update_tells_what_it_replaced(void **state) {
  (void)state;
  harness *h = harness_make();
  h->subscribed = 1u << ACCOUNT;
  device *d = device_ready(h, "ada");
  push_account(d, "Ada", 1);
  push_account(d, "Ada Lovelace", 2);
  settle(h);
  record *r = take_record(h, SDB_HUB_EVENT);
  assert_int_equal(r->action, SDB_ACTION_CREATE);
  assert_string_equal(r->previous, "");
  r = take_record(h, SDB_HUB_EVENT);
  assert_int_equal(r->action, SDB_ACTION_UPDATE);
  assert_string_equal(r->previous, "{\"name\":\"Ada\",\"$createdAt\":1749383382805}");
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_push_of_the_brief_comes_back_to_every_device_as_it_was),
      cmocka_unit_test(an_event_is_encoded_once_for_all_devices),
      cmocka_unit_test(a_push_costs_two_allocations),
      cmocka_unit_test(live_events_come_oldest_first_with_rising_ids),
      cmocka_unit_test(a_push_without_a_client_id_is_stored_and_echoed_without_one),
      cmocka_unit_test(created_at_is_kept_if_it_is_not_in_the_servers_future),
      cmocka_unit_test(what_is_wrong_is_answered_with_an_error_that_names_the_push),
      cmocka_unit_test(a_rule_that_refuses_says_so_in_its_own_words),
      cmocka_unit_test(fields_of_the_wrong_type_are_answered_with_bad_message),
      cmocka_unit_test(an_unknown_type_is_answered_and_the_connection_goes_on),
      cmocka_unit_test(what_is_no_message_closes_with_4400),
      cmocka_unit_test(nesting_over_the_limit_closes_with_4400),
      cmocka_unit_test(an_object_over_the_size_limit_is_too_large),
      cmocka_unit_test(an_object_that_has_all_to_store_is_stored_as_it_stands),
      cmocka_unit_test(a_replaced_object_keeps_its_id_and_carries_a_new_event_id),
      cmocka_unit_test(a_remove_works_with_and_without_its_store),
      cmocka_unit_test(what_is_removed_is_not_found_any_more),
      cmocka_unit_test(an_object_of_another_store_is_not_found),
      cmocka_unit_test(an_object_of_another_user_cannot_be_told_from_one_that_there_is_not),
      cmocka_unit_test(a_singular_store_holds_one_object_and_each_update_has_a_new_id),
      cmocka_unit_test(the_rules_of_a_singular_store_see_whether_it_is_created_or_updated),
      cmocka_unit_test(a_singular_object_is_removed_by_its_current_id_only),
      cmocka_unit_test(only_create_and_delete_are_allowed_in_the_briefs_store),
      cmocka_unit_test(the_rule_of_a_remove_sees_the_object_that_is_to_go),
      cmocka_unit_test(a_rule_that_speaks_for_the_schema_is_answered_so),
      cmocka_unit_test(a_push_that_was_stored_before_is_sent_again_to_that_device_only),
      cmocka_unit_test(two_pushes_of_one_client_id_on_their_way_are_stored_once),
      cmocka_unit_test(a_client_id_used_again_with_another_object_gives_the_first),
      cmocka_unit_test(client_ids_of_other_users_are_nobodys_business),
      cmocka_unit_test(
          a_push_again_of_what_changed_since_gives_the_object_as_it_is_with_its_client_id),
      cmocka_unit_test(when_the_storage_fails_every_push_is_unavailable_and_may_be_tried_again),
      cmocka_unit_test(a_remove_refused_in_a_commit_that_fails_is_unavailable),
      cmocka_unit_test(pushes_over_the_rate_are_limited_and_those_within_it_are_stored),
      cmocka_unit_test(who_goes_on_at_twice_the_rate_is_closed_with_4429_and_not_who_keeps_to_it),
      cmocka_unit_test(wrong_messages_count_too),
      cmocka_unit_test(with_so_many_pushes_on_their_way_a_peer_is_read_no_further),
      cmocka_unit_test(pushes_are_limited_while_the_application_is_behind),
      cmocka_unit_test(pushes_of_a_device_that_goes_are_stored_all_the_same),
      cmocka_unit_test(a_device_that_goes_takes_its_outputs_with_it),
      cmocka_unit_test(a_user_without_devices_is_forgotten),
      cmocka_unit_test(a_peer_is_read_no_further_while_its_echoes_wait),
      cmocka_unit_test(subscribers_are_told_of_what_devices_changed_once_it_is_stored),
      cmocka_unit_test(subscribers_are_not_told_of_what_was_refused_failed_or_stored_before),
      cmocka_unit_test(a_singular_update_tells_what_it_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
