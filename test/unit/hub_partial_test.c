/* hub_partial_test.c: objects that are being made, as devices are shown them. */
#include "hub_requests.h"

#define APPEND_HELLO                                                                               \
  "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"accept\":[\"append\"]}}"

static device *device_appending(harness *h, const char *user) {
  device *d = device_connect(h, user);
  say(d, APPEND_HELLO);
  settle(h);
  skip_catch_up(d);
  return d;
}

/* The next message must be a whole partial with this id and text. */
static void take_whole(device *d, const char *id, const char *text) {
  json_t *data = take(d, "partial");
  assert_string_equal(text_of(data, "id"), id);
  assert_string_equal(text_of(data, "store"), "note");
  assert_null(json_object_get(data, "eventId"));
  assert_null(json_object_get(data, "append"));
  assert_string_equal(text_or_empty(object_of(data), "text"), text);
  assert_true(json_is_integer(json_object_get(object_of(data), "$createdAt")));
}

static void take_append(device *d, const char *id, const char *field, const char *text) {
  json_t *data = take(d, "partial");
  assert_string_equal(text_of(data, "id"), id);
  assert_string_equal(text_of(data, "store"), "note");
  assert_null(object_of(data));
  assert_int_equal(json_object_size(json_object_get(data, "append")), 1);
  assert_string_equal(text_or_empty(json_object_get(data, "append"), field), text);
}

static void a_partial_is_shown_whole_then_as_appends_and_ends_with_an_update_of_its_id(
    void **state) {
  (void)state;
  harness *h = harness_make();
  device *plain = device_ready(h, "ada");
  device *appending = device_appending(h, "ada");
  device *stranger = device_appending(h, "bob");
  uuid_text id = begun(h, 7, "{\"text\":\"Hello, \"}");
  take_whole(plain, id.text, "Hello, ");
  take_whole(appending, id.text, "Hello, ");
  appended(h, 7, "how ");
  take_whole(plain, id.text, "Hello, how ");
  take_append(appending, id.text, "text", "how ");
  appended(h, 7, "\"are\"\n\xc3\xa9");
  take_whole(plain, id.text, "Hello, how \"are\"\n\xc3\xa9");
  take_append(appending, id.text, "text", "\"are\"\n\xc3\xa9");
  change_partial(h, 7, SDB_REQUEST_PARTIAL_COMMIT, "");
  record *r = settled_done(h, SDB_OK);
  assert_string_equal(text_of_uuid(r->id).text, id.text);
  for (int i = 0; i < 2; i++) {
    json_t *data = take(i ? plain : appending, "update");
    assert_string_equal(text_of(data, "id"), id.text);
    assert_string_equal(text_of(data, "eventId"), text_of_uuid(r->event_id).text);
    assert_true(seq_of(text_of(data, "eventId")) > seq_of(id.text));
    assert_string_equal(text_of(object_of(data), "text"), "Hello, how \"are\"\n\xc3\xa9");
  }
  assert_silent(plain);
  assert_silent(appending);
  assert_silent(stranger);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.partials, 0);
  harness_free(h);
}

static void a_partial_is_worded_as_the_protocol_says(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"Hello, how \",\"$createdAt\":1749383382805}");
  char expected[300];
  snprintf(expected, sizeof(expected),
      "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"%s\",\"object\":"
      "{\"text\":\"Hello, how \",\"$createdAt\":1749383382805}}}",
      id.text);
  take_text(d, expected);
  appended(h, 1, "are ");
  snprintf(expected, sizeof(expected),
      "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"%s\",\"append\":"
      "{\"text\":\"are \"}}}",
      id.text);
  take_text(d, expected);
  harness_free(h);
}

static void appends_of_one_turn_are_sent_as_one(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"\"}");
  take_whole(d, id.text, "");
  for (int i = 0; i < 3; i++)
    append_partial(h, 1, "text", "ab");
  settle(h);
  take_append(d, id.text, "text", "ababab");
  assert_silent(d);
  harness_free(h);
}

static void appends_before_the_id_is_reserved_are_kept(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  begin_partial(h, 1, "{\"text\":\"a\"}");
  append_partial(h, 1, "text", "b");
  drain(h);
  assert_silent(d);
  settle(h);
  json_t *data = take(d, "partial");
  assert_string_equal(text_of(object_of(data), "text"), "ab");
  harness_free(h);
}

static void appends_to_several_fields_end_in_the_same_text(void **state) {
  (void)state;
  harness *h = harness_make();
  device *plain = device_ready(h, "ada"), *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"title\":\"\",\"text\":\"\",\"n\":[1,{\"text\":2}]}");
  take_whole(d, id.text, "");
  const char *fields[] = {"text", "title", "title", "text"};
  const char *texts[] = {"one", "T", "i", "two"};
  for (int i = 0; i < 4; i++) {
    append_partial(h, 1, fields[i], texts[i]);
    settle(h);
    take_append(d, id.text, fields[i], texts[i]);
  }
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settle(h);
  json_t *object = object_of(take(d, "update"));
  assert_string_equal(text_of(object, "text"), "onetwo");
  assert_string_equal(text_of(object, "title"), "Ti");
  assert_int_equal(json_array_size(json_object_get(object, "n")), 2);
  forget_messages(plain);
  harness_free(h);
}

static void a_set_is_shown_whole_and_appends_go_on_from_it(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"draft\"}");
  appended(h, 1, "!");
  take_whole(d, id.text, "draft");
  take_append(d, id.text, "text", "!");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_SET, "{\"text\":\"better\",\"n\":1}");
  settle(h);
  take_whole(d, id.text, "better");
  append_partial(h, 1, "text", "?");
  settle(h);
  take_append(d, id.text, "text", "?");
  harness_free(h);
}

static void a_device_that_connects_mid_stream_gets_the_whole_behind_its_server_hello(void **state) {
  (void)state;
  harness *h = harness_make();
  uuid_text id = begun(h, 1, "{\"text\":\"so \"}");
  appended(h, 1, "far");
  device *d = device_connect(h, "ada");
  say(d, APPEND_HELLO);
  settle(h);
  take(d, "server_hello");
  take_whole(d, id.text, "so far");
  for (int i = 0; i < STORES_COUNT; i++)
    take(d, "synced");
  append_partial(h, 1, "text", "!");
  settle(h);
  take_append(d, id.text, "text", "!");
  assert_silent(d);
  harness_free(h);
}

static void a_partial_never_moves_a_head(void **state) {
  (void)state;
  harness *h = harness_make();
  begun(h, 1, "{\"text\":\"x\"}");
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  settle(h);
  json_t *hello = take(d, "server_hello");
  json_t *note = json_object_get(json_object_get(hello, "stores"), "note");
  assert_true(json_is_null(json_object_get(note, "head")));
  forget_messages(d);
  harness_free(h);
}

static void a_partial_given_up_ends_with_a_remove_without_an_event_id(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"x\"}");
  take_whole(d, id.text, "x");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, "");
  settled_done(h, SDB_OK);
  char expected[200];
  snprintf(expected, sizeof(expected),
      "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"%s\"}}", id.text);
  take_text(d, expected);
  assert_silent(d);
  append_partial(h, 1, "text", "x");
  settled_done(h, SDB_CLOSED);
  harness_free(h);
}

static void a_partial_given_up_before_its_id_was_reserved_was_never_shown(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  begin_partial(h, 1, "{\"text\":\"x\"}");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, "");
  settle(h);
  take_done(h, SDB_OK);
  take_done(h, SDB_OK);
  assert_silent(d);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.partials, 0);
  harness_free(h);
}

/* ---- commit ---- */

static void a_commit_may_bring_the_whole_object(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"x\",\"$createdAt\":5}");
  take_whole(d, id.text, "x");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "{\"text\":\"final\"}");
  settled_done(h, SDB_OK);
  char *text = next_text(d);
  if (strstr(text, "\"partial\"")) { /* it may be shown before it is stored */
    free(text);
    text = next_text(d);
  }
  assert_non_null(strstr(text, "\"update\""));
  assert_non_null(strstr(text, "\"text\":\"final\""));
  free(text);
  assert_silent(d);
  harness_free(h);
}

static void a_commit_that_the_schema_refuses_leaves_the_partial_to_be_set_right(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":7}");
  forget_messages(d);
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  record *r = settled_done(h, SDB_INVALID_OBJECT);
  assert_string_equal(r->path, "/text");
  assert_silent(d);
  change_partial(h, 1, SDB_REQUEST_PARTIAL_SET, "{\"text\":\"seven\"}");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settle(h);
  take_done(h, SDB_OK);
  assert_string_equal(text_of_uuid(take_done(h, SDB_OK)->id).text, id.text);
  harness_free(h);
}

static void a_commit_that_the_storage_fails_can_be_tried_again(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"x\"}");
  forget_messages(d);
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  sdb_memory_storage_fail_commits(h->storage, 1);
  settled_done(h, SDB_UNAVAILABLE);
  assert_silent(d);
  appended(h, 1, "y");
  take_append(d, id.text, "text", "y");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settled_done(h, SDB_OK);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "id"), id.text);
  assert_string_equal(text_of(object_of(data), "text"), "xy");
  harness_free(h);
}

static void what_is_asked_of_a_partial_while_it_is_stored_is_refused(void **state) {
  (void)state;
  harness *h = harness_make();
  begun(h, 1, "{\"text\":\"x\"}");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  append_partial(h, 1, "text", "late");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  drain(h);
  take_done(h, SDB_CONFLICT);
  take_done(h, SDB_CONFLICT);
  settle(h);
  take_done(h, SDB_OK);
  harness_free(h);
}

static void a_partial_given_up_while_it_is_stored_is_gone_either_way(void **state) {
  (void)state;
  for (int fails = 0; fails < 2; fails++) {
    harness *h = harness_make();
    device *d = device_appending(h, "ada");
    uuid_text id = begun(h, 1, "{\"text\":\"x\"}");
    take_whole(d, id.text, "x");
    change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
    change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, "");
    if (fails) sdb_memory_storage_fail_commits(h->storage, 1);
    settle(h);
    take_done(h, SDB_OK);
    take_done(h, fails ? SDB_UNAVAILABLE : SDB_OK);
    json_t *data = take(d, fails ? "remove" : "update");
    assert_string_equal(text_of(data, "id"), id.text);
    assert_silent(d);
    sdb_hub_stats stats;
    sdb_hub_stats_get(h->hub, &stats);
    assert_int_equal(stats.partials, 0);
    harness_free(h);
  }
}

static void subscribers_are_not_told_of_what_the_application_makes(void **state) {
  (void)state;
  harness *h = harness_make();
  h->subscribed = ~0u;
  begun(h, 1, "{\"text\":\"x\"}");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settled_done(h, SDB_OK);
  put(h, "ada", NOTE, "{\"text\":\"y\"}");
  settled_done(h, SDB_OK);
  assert_no_record(h);
  harness_free(h);
}

/* ---- what is refused ---- */

static void a_partial_that_is_no_object_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *object;
    sdb_status status;
  } OBJECTS[] = {
      {"", SDB_BAD_JSON},
      {"{", SDB_BAD_JSON},
      {"[]", SDB_INVALID_OBJECT},
      {"{\"$id\":1}", SDB_INVALID_OBJECT},
      {"{\"$createdAt\":\"now\"}", SDB_INVALID_OBJECT},
  };
  harness *h = harness_make();
  for (size_t i = 0; i < SDB_COUNT_OF(OBJECTS); i++) {
    begin_partial(h, 1, OBJECTS[i].object);
    assert_true(strlen(settled_done(h, OBJECTS[i].status)->message) > 0);
  }
  begun(h, 1, "{}");
  for (size_t i = 0; i < SDB_COUNT_OF(OBJECTS); i++) {
    change_partial(h, 1, SDB_REQUEST_PARTIAL_SET, OBJECTS[i].object);
    settled_done(h, OBJECTS[i].status);
  }
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  assert_non_null(strstr(settled_done(h, SDB_INVALID_OBJECT)->message, "earlier"));
  harness_free(h);
}

static void an_append_that_cannot_be_done_is_refused_and_told_again_by_the_commit(void **state) {
  (void)state;
  static const char *const APPENDS[][2] = {{"nothing", "x"}, {"n", "x"}, {"$createdAt", "x"},
      {"", "x"}, {"text", "\xff"}, {"text", "\xc3"}};
  harness *h = harness_make();
  device *d = device_appending(h, "ada");
  begun(h, 1, "{\"text\":\"x\",\"n\":1}");
  forget_messages(d);
  for (size_t i = 0; i < SDB_COUNT_OF(APPENDS); i++) {
    append_partial(h, 1, APPENDS[i][0], APPENDS[i][1]);
    settled_done(h, SDB_INVALID_OBJECT);
    assert_silent(d);
    change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
    settled_done(h, SDB_INVALID_OBJECT);
  }
  change_partial(h, 1, SDB_REQUEST_PARTIAL_SET, "{\"text\":\"healed\"}");
  settled_done(h, SDB_OK);
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settled_done(h, SDB_OK);
  harness_free(h);
}

static void a_partial_that_grows_over_the_limit_is_too_large(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.object_bytes_max = 60;
  harness *h = harness_with(&limits);
  device *d = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"\"}"); /* 38 bytes with its time */
  take_whole(d, id.text, "");
  appended(h, 1, "1234567890");
  take_append(d, id.text, "text", "1234567890");
  append_partial(h, 1, "text", "1234567890123");
  settled_done(h, SDB_TOO_LARGE);
  assert_silent(d);
  change_partial(h, 1, SDB_REQUEST_PARTIAL_SET,
      "{\"text\":\"123456789012345678901234567890123456789012345678901\"}");
  settled_done(h, SDB_TOO_LARGE);
  harness_free(h);
}

static void a_user_has_at_most_so_many_partials(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.partials_per_user = 2;
  harness *h = harness_with(&limits);
  begun(h, 1, "{}");
  begun(h, 2, "{}");
  begin_partial(h, 3, "{}");
  settled_done(h, SDB_LIMIT);
  change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, "");
  settled_done(h, SDB_OK);
  begun(h, 3, "{}");
  begin_partial(h, 3, "{}");
  settled_done(h, SDB_CONFLICT);
  harness_free(h);
}

static void a_singular_store_has_no_partials(void **state) {
  (void)state;
  harness *h = harness_make();
  sdb_request request = request_for("ada", SDB_REQUEST_PARTIAL_BEGIN, ACCOUNT);
  request.object = sdb_slice_of("{}");
  ask(h, &request);
  settled_done(h, SDB_INVALID_ARGUMENT);
  harness_free(h);
}

static void partials_of_other_users_are_nobodys_business(void **state) {
  (void)state;
  harness *h = harness_make();
  begun(h, 1, "{\"text\":\"\"}");
  sdb_request request = request_for("bob", SDB_REQUEST_PARTIAL_ABORT, NOTE);
  request.partial = 1;
  ask(h, &request);
  settled_done(h, SDB_CLOSED);
  appended(h, 1, "still here");
  harness_free(h);
}

static void a_commit_before_the_id_is_reserved_is_refused_and_may_come_again(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  begin_partial(h, 1, "{\"text\":\"a\"}");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  drain(h);
  assert_non_null(strstr(take_done(h, SDB_CONFLICT)->message, "not reserved yet"));
  settled_done(h, SDB_OK); /* of the begin */
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settled_done(h, SDB_OK);
  forget_messages(d);
  harness_free(h);
}

static void what_is_asked_of_a_partial_that_is_being_given_up_is_refused(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  begin_partial(h, 1, "{\"text\":\"a\"}");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, ""); /* goes once its id is there */
  append_partial(h, 1, "text", "b");
  drain(h);
  take_done(h, SDB_OK);
  take_done(h, SDB_CLOSED);
  settled_done(h, SDB_OK);
  assert_silent(d);
  harness_free(h);
}

static void a_partial_that_goes_leaves_those_that_changed_with_it(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text ids[3];
  for (unsigned i = 0; i < 3; i++) {
    ids[i] = begun(h, i, "{\"text\":\"\"}");
    take_whole(d, ids[i].text, "");
  }
  for (unsigned i = 0; i < 3; i++)
    append_partial(h, i, "text", "x");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, "");
  settle(h);
  assert_string_equal(text_of(take(d, "remove"), "id"), ids[1].text);
  take_whole(d, ids[2].text, "x");
  take_whole(d, ids[0].text, "x");
  assert_silent(d);
  harness_free(h);
}

static void a_partial_given_up_is_not_told_to_who_is_being_closed(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada"), *other = device_ready(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"\"}");
  take_whole(d, id.text, "");
  take_whole(other, id.text, "");
  say(d, HELLO); /* a second: the hub closes it */
  change_partial(h, 1, SDB_REQUEST_PARTIAL_ABORT, "");
  settle(h);
  assert_closed(d, 4400);
  assert_string_equal(text_of(take(other, "remove"), "id"), id.text);
  harness_free(h);
}

static void a_partial_may_have_a_field_without_a_name(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = begun(h, 1, "{\"\":1,\"text\":\"a\"}");
  json_t *data = take(d, "partial");
  assert_string_equal(text_of(data, "id"), id.text);
  assert_int_equal(json_integer_value(json_object_get(object_of(data), "")), 1);
  harness_free(h);
}

/* ---- slow readers ---- */

/* What it was sent last is not all there was when the field changed: it cannot go on by appends. */
static void a_slow_reader_gets_the_whole_when_another_field_grew_meanwhile(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.output_soft_bytes = 300;
  harness *h = harness_with(&limits);
  device *slow = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"title\":\"\",\"text\":\"\"}");
  take_whole(slow, id.text, "");
  slow->stuck = true;
  slow->unread = limits.output_soft_bytes;
  settle(h);
  appended(h, 1, "not sent ");
  append_partial(h, 1, "title", "T");
  settled_done(h, SDB_OK);
  assert_silent(slow);
  slow->stuck = false;
  settle(h);
  json_t *object = object_of(take(slow, "partial"));
  assert_string_equal(text_of(object, "text"), "not sent ");
  assert_string_equal(text_of(object, "title"), "T");
  append_partial(h, 1, "title", "!");
  settle(h);
  take_append(slow, id.text, "title", "!");
  assert_silent(slow);
  harness_free(h);
}

static void a_slow_reader_gets_one_append_for_all_it_was_not_sent(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.output_soft_bytes = 400;
  harness *h = harness_with(&limits);
  device *slow = device_appending(h, "ada");
  device *plain = device_ready(h, "ada");
  device *fast = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"\"}");
  take_whole(slow, id.text, "");
  take_whole(plain, id.text, "");
  slow->stuck = plain->stuck = true;
  char all[100] = "";
  for (int i = 0; i < 20; i++) {
    char text[16];
    snprintf(text, sizeof(text), "%d ", i);
    appended(h, 1, text);
    strcat(all, text);
  }
  size_t shown = 0;
  while (slow->inbox.first < slow->inbox.count) { /* what fitted */
    json_t *data = take(slow, "partial");
    shown += strlen(text_of(json_object_get(data, "append"), "text"));
  }
  assert_in_range(shown, 1, strlen(all) - 1);
  forget_messages(plain);
  slow->stuck = plain->stuck = false;
  settle(h);
  take_append(slow, id.text, "text", all + shown);
  take_whole(plain, id.text, all);
  assert_silent(slow);
  assert_silent(plain);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_true(stats.partials_folded > 0);
  forget_messages(fast);
  harness_free(h);
}

static void what_was_folded_is_not_sent_after_the_update_that_ends_it(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.output_soft_bytes = 300;
  harness *h = harness_with(&limits);
  device *slow = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"\"}");
  slow->stuck = true;
  for (int i = 0; i < 20; i++)
    appended(h, 1, "some more ");
  change_partial(h, 1, SDB_REQUEST_PARTIAL_COMMIT, "");
  settled_done(h, SDB_OK);
  slow->stuck = false;
  settle(h);
  bool ended = false;
  for (char *text = next_text(slow); text; text = next_text(slow)) {
    assert_non_null(strstr(text, id.text));
    assert_false(ended);
    ended = strstr(text, "\"update\"") != NULL;
    free(text);
  }
  assert_true(ended);
  harness_free(h);
}

static void bytes_to_a_device_that_accepts_appends_are_linear_in_the_length(void **state) {
  (void)state;
  size_t bytes[2];
  for (int i = 0; i < 2; i++) {
    harness *h = harness_make();
    device *d = device_appending(h, "ada");
    h->mute = true;
    begun(h, 1, "{\"text\":\"\"}");
    sdb_hub_stats before, after;
    sdb_hub_stats_get(h->hub, &before);
    size_t total = 0;
    d->stuck = true;
    for (int k = 0; k < (i ? 800 : 400); k++) {
      append_partial(h, 1, "text", "token ");
      settle(h);
      h->records_first = h->records_count = 0;
      total += d->unread;
      d->unread = 0;
      sdb_hub_on_output_level(h->hub, d->peer, 0, h->now_ms);
    }
    sdb_hub_stats_get(h->hub, &after);
    assert_int_equal(after.partials_sent - before.partials_sent, i ? 800 : 400);
    bytes[i] = total;
    harness_free(h);
  }
  assert_in_range(bytes[1], bytes[0] * 2 - 500, bytes[0] * 2 + 500);
}

static void a_device_that_goes_mid_stream_leaves_nothing_behind(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_appending(h, "ada"), *other = device_appending(h, "ada");
  uuid_text id = begun(h, 1, "{\"text\":\"a\"}");
  append_partial(h, 1, "text", "b");
  disconnect(d);
  settle(h);
  take_whole(other, id.text, "a");
  take_append(other, id.text, "text", "b");
  disconnect(other);
  appended(h, 1, "c");
  device *late = device_connect(h, "ada");
  say(late, HELLO);
  settle(h);
  take(late, "server_hello");
  take_whole(late, id.text, "abc");
  forget_messages(late);
  harness_free(h); /* and so does the hub that goes with a partial open */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_partial_is_shown_whole_then_as_appends_and_ends_with_an_update_of_its_id),
      cmocka_unit_test(a_partial_is_worded_as_the_protocol_says),
      cmocka_unit_test(appends_of_one_turn_are_sent_as_one),
      cmocka_unit_test(appends_before_the_id_is_reserved_are_kept),
      cmocka_unit_test(appends_to_several_fields_end_in_the_same_text),
      cmocka_unit_test(a_set_is_shown_whole_and_appends_go_on_from_it),
      cmocka_unit_test(a_device_that_connects_mid_stream_gets_the_whole_behind_its_server_hello),
      cmocka_unit_test(a_partial_never_moves_a_head),
      cmocka_unit_test(a_partial_given_up_ends_with_a_remove_without_an_event_id),
      cmocka_unit_test(a_partial_given_up_before_its_id_was_reserved_was_never_shown),
      cmocka_unit_test(a_commit_may_bring_the_whole_object),
      cmocka_unit_test(a_commit_that_the_schema_refuses_leaves_the_partial_to_be_set_right),
      cmocka_unit_test(a_commit_that_the_storage_fails_can_be_tried_again),
      cmocka_unit_test(what_is_asked_of_a_partial_while_it_is_stored_is_refused),
      cmocka_unit_test(a_partial_given_up_while_it_is_stored_is_gone_either_way),
      cmocka_unit_test(subscribers_are_not_told_of_what_the_application_makes),
      cmocka_unit_test(a_partial_that_is_no_object_is_refused),
      cmocka_unit_test(an_append_that_cannot_be_done_is_refused_and_told_again_by_the_commit),
      cmocka_unit_test(a_partial_that_grows_over_the_limit_is_too_large),
      cmocka_unit_test(a_user_has_at_most_so_many_partials),
      cmocka_unit_test(a_singular_store_has_no_partials),
      cmocka_unit_test(partials_of_other_users_are_nobodys_business),
      cmocka_unit_test(a_commit_before_the_id_is_reserved_is_refused_and_may_come_again),
      cmocka_unit_test(what_is_asked_of_a_partial_that_is_being_given_up_is_refused),
      cmocka_unit_test(a_partial_that_goes_leaves_those_that_changed_with_it),
      cmocka_unit_test(a_partial_given_up_is_not_told_to_who_is_being_closed),
      cmocka_unit_test(a_partial_may_have_a_field_without_a_name),
      cmocka_unit_test(a_slow_reader_gets_the_whole_when_another_field_grew_meanwhile),
      cmocka_unit_test(a_slow_reader_gets_one_append_for_all_it_was_not_sent),
      cmocka_unit_test(what_was_folded_is_not_sent_after_the_update_that_ends_it),
      cmocka_unit_test(bytes_to_a_device_that_accepts_appends_are_linear_in_the_length),
      cmocka_unit_test(a_device_that_goes_mid_stream_leaves_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
