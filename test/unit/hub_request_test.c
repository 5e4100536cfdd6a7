/* hub_request_test.c: what the application asks for on behalf of its users. */
#include "hub_requests.h"

static record *get(
    harness *h, const char *user, uint16_t store_at, sdb_uuid id, sdb_status status) {
  sdb_request request = request_for(user, SDB_REQUEST_GET, store_at);
  request.id = id;
  ask(h, &request);
  return settled_done(h, status);
}

static record *list(harness *h, uint16_t store_at, sdb_uuid before, uint32_t limit) {
  sdb_request request = request_for("ada", SDB_REQUEST_LIST, store_at);
  request.before = before;
  request.limit = limit;
  ask(h, &request);
  settle(h);
  return take_record(h, SDB_HUB_DONE);
}

static void replace(harness *h, uint16_t store_at, sdb_uuid id, const char *object) {
  sdb_request request = request_for("ada", SDB_REQUEST_PUT, store_at);
  request.id = id;
  request.object = sdb_slice_of(object);
  ask(h, &request);
}

static void remove_by(harness *h, uint16_t store_at, sdb_uuid id) {
  sdb_request request = request_for("ada", SDB_REQUEST_REMOVE, store_at);
  request.id = id;
  ask(h, &request);
}

static const sdb_uuid NIL;

static void a_put_for_a_user_who_is_not_there_is_stored_and_found_later(void **state) {
  (void)state;
  harness *h = harness_make();
  sdb_request request = request_for("ada", SDB_REQUEST_PUT, NOTE);
  int mark;
  request.tag = &mark;
  request.object = sdb_slice_of("{\"text\":\"hello\"}");
  ask(h, &request);
  record *r = settled_done(h, SDB_OK);
  assert_ptr_equal(r->tag, &mark);
  assert_int_equal(r->action, SDB_ACTION_CREATE);
  assert_true(sdb_uuid_equal(r->id, r->event_id));
  assert_true(sdb_uuid_is_nil(r->client_id));
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.users, 0);
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  settle(h);
  take(d, "server_hello");
  take(d, "synced");
  take(d, "synced");
  assert_string_equal(take_note(d, "hello").text, text_of_uuid(r->id).text);
  forget_messages(d);
  harness_free(h);
}

static void a_put_reaches_the_users_devices_and_no_others(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada"), *stranger = device_ready(h, "bob");
  put(h, "ada", NOTE, "{\"text\":\"hello\"}");
  settled_done(h, SDB_OK);
  json_t *data = take(d, "update");
  assert_null(json_object_get(data, "clientId"));
  assert_silent(d);
  assert_silent(stranger);
  harness_free(h);
}

static void the_rules_are_for_clients_the_schema_is_for_all(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  put(h, "ada", CHAT, "{\"role\":\"assistant\",\"message\":\"Hello, how can I help you?\"}");
  record *r = settled_done(h, SDB_OK);
  take(d, "update");
  replace(h, CHAT, r->id, "{\"role\":\"assistant\",\"message\":\"changed\"}");
  settled_done(h, SDB_OK);
  put(h, "ada", CHAT, "{\"role\":\"assistant\",\"message\":7}");
  r = settled_done(h, SDB_INVALID_OBJECT);
  assert_string_equal(r->path, "/message");
  assert_true(strlen(r->message) > 0);
  harness_free(h);
}

static void what_is_no_object_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *object;
    sdb_status status;
  } OBJECTS[] = {
      {"", SDB_BAD_JSON},
      {"{\"text\":}", SDB_BAD_JSON},
      {"[1]", SDB_INVALID_OBJECT},
      {"{\"text\":\"x\",\"$id\":1}", SDB_INVALID_OBJECT},
      {"{\"text\":\"x\",\"$createdAt\":\"now\"}", SDB_INVALID_OBJECT},
      {"{\"text\":\"1234567890123456789012\"}", SDB_TOO_LARGE},
  };
  sdb_limits limits = sdb_limits_default();
  limits.object_bytes_max = 32;
  harness *h = harness_with(&limits);
  for (size_t i = 0; i < SDB_COUNT_OF(OBJECTS); i++) {
    put(h, "ada", NOTE, OBJECTS[i].object);
    assert_true(strlen(settled_done(h, OBJECTS[i].status)->message) > 0);
  }
  harness_free(h);
}

static void an_object_is_replaced_and_removed_by_its_id(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "one", 1);
  replace(h, NOTE, uuid_of(id.text), "{\"text\":\"two\"}");
  record *r = settled_done(h, SDB_OK);
  assert_int_equal(r->action, SDB_ACTION_UPDATE);
  assert_string_equal(text_of_uuid(r->id).text, id.text);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "eventId"), text_of_uuid(r->event_id).text);
  remove_by(h, NOTE, uuid_of(id.text));
  r = settled_done(h, SDB_OK);
  assert_int_equal(r->action, SDB_ACTION_DELETE);
  assert_non_null(strstr(r->object, "\"two\""));
  data = take(d, "remove");
  assert_string_equal(text_of(data, "id"), id.text);
  remove_by(h, NOTE, uuid_of(id.text));
  settled_done(h, SDB_NOT_FOUND);
  replace(h, NOTE, uuid_of(id.text), "{\"text\":\"three\"}");
  settled_done(h, SDB_NOT_FOUND);
  replace(h, NOTE, uuid_of("01974f63-6abc-7000-8107-66e6c9a45dda"), "{\"text\":\"x\"}");
  settled_done(h, SDB_NOT_FOUND);
  remove_by(h, NOTE, NIL);
  settled_done(h, SDB_NOT_FOUND);
  harness_free(h);
}

static void the_current_object_of_a_singular_store_is_removed_without_its_id(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  remove_by(h, ACCOUNT, NIL);
  settled_done(h, SDB_NOT_FOUND);
  put(h, "ada", ACCOUNT, "{\"name\":\"Ada\"}");
  put(h, "ada", ACCOUNT, "{\"name\":\"Ada Lovelace\"}");
  remove_by(h, ACCOUNT, NIL); /* of what the puts before it will have stored */
  settle(h);
  assert_int_equal(take_done(h, SDB_OK)->action, SDB_ACTION_CREATE);
  record *r = take_done(h, SDB_OK);
  assert_int_equal(r->action, SDB_ACTION_UPDATE);
  sdb_uuid id = r->id;
  r = take_done(h, SDB_OK);
  assert_int_equal(r->action, SDB_ACTION_DELETE);
  assert_true(sdb_uuid_equal(r->id, id));
  take(d, "update");
  take(d, "update");
  take(d, "remove");
  harness_free(h);
}

static void an_object_is_given_as_it_is_stored(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "one", 1);
  record *r = get(h, "ada", NOTE, uuid_of(id.text), SDB_OK);
  assert_int_equal(r->rows, 1);
  assert_string_equal(r->row[0], "{\"text\":\"one\",\"$createdAt\":1749383382805}");
  get(h, "bob", NOTE, uuid_of(id.text), SDB_NOT_FOUND);
  get(h, "ada", CHAT, uuid_of(id.text), SDB_NOT_FOUND);
  get(h, "ada", NOTE, uuid_of("01974f63-6abc-7000-8107-66e6c9a45dda"), SDB_NOT_FOUND);
  get(h, "ada", NOTE, NIL, SDB_NOT_FOUND);
  note_removed(d, id.text, 2);
  get(h, "ada", NOTE, uuid_of(id.text), SDB_NOT_FOUND);
  harness_free(h);
}

static void a_list_is_newest_first_in_pages_without_removes(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text ids[4];
  for (unsigned i = 0; i < 4; i++)
    ids[i] = note_stored(d, i == 0 ? "0" : i == 1 ? "1" : i == 2 ? "2" : "3", i);
  note_removed(d, ids[2].text, 10);
  record *r = list(h, NOTE, NIL, 2);
  assert_int_equal(r->rows, 2);
  assert_non_null(strstr(r->row[0], "\"3\""));
  assert_non_null(strstr(r->row[1], "\"1\""));
  r = list(h, NOTE, uuid_of(ids[1].text), 2);
  assert_int_equal(r->rows, 1);
  assert_non_null(strstr(r->row[0], "\"0\""));
  r = list(h, NOTE, uuid_of(ids[0].text), 2);
  assert_int_equal(r->status, SDB_OK);
  assert_int_equal(r->rows, 0);
  assert_int_equal(list(h, NOTE, NIL, 0)->status, SDB_INVALID_ARGUMENT);
  assert_int_equal(list(h, NOTE, NIL, SDB_LIST_LIMIT_MAX + 1)->status, SDB_INVALID_ARGUMENT);
  assert_int_equal(list(h, NOTE, uuid_of("01974f63-6abc-7000-8107-66e6c9a45dda"), 1)->status,
      SDB_INVALID_ARGUMENT);
  r = list(h, ACCOUNT, NIL, 1);
  assert_int_equal(r->status, SDB_OK);
  assert_int_equal(r->rows, 0);
  harness_free(h);
}

static void the_object_of_a_singular_store_is_given(void **state) {
  (void)state;
  harness *h = harness_make();
  sdb_request request = request_for("ada", SDB_REQUEST_SINGULAR, ACCOUNT);
  ask(h, &request);
  settled_done(h, SDB_NOT_FOUND);
  put(h, "ada", ACCOUNT, "{\"name\":\"Ada\"}");
  settled_done(h, SDB_OK);
  ask(h, &request);
  record *r = settled_done(h, SDB_OK);
  assert_int_equal(r->rows, 1);
  assert_string_equal(r->row[0], "{\"name\":\"Ada\",\"$createdAt\":1749383382805}");
  remove_by(h, ACCOUNT, NIL);
  settled_done(h, SDB_OK);
  ask(h, &request);
  settled_done(h, SDB_NOT_FOUND);
  harness_free(h);
}

static void requests_that_wait_for_the_user_are_done_in_order(void **state) {
  (void)state;
  harness *h = harness_make();
  int marks[3];
  for (int i = 0; i < 3; i++) {
    char object[32];
    snprintf(object, sizeof(object), "{\"text\":\"%d\"}", i);
    sdb_request request = request_for("ada", SDB_REQUEST_PUT, NOTE);
    request.object = sdb_slice_of(object);
    request.tag = &marks[i];
    ask(h, &request); /* the text may go: it was copied */
    memset(object, 0, sizeof(object));
  }
  settle(h);
  sdb_uuid last = NIL;
  for (int i = 0; i < 3; i++) {
    record *r = take_done(h, SDB_OK);
    assert_ptr_equal(r->tag, &marks[i]);
    assert_true(memcmp(r->event_id.bytes, last.bytes, 16) > 0);
    last = r->event_id;
  }
  harness_free(h);
}

static void requests_of_a_user_who_cannot_be_read_are_unavailable(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "bob");
  put(h, "ada", NOTE, "{\"text\":\"x\"}");
  push_note(d, "x", 1); /* a new user's row is written with it */
  sdb_memory_storage_fail_commits(h->storage, 1);
  settled_done(h, SDB_UNAVAILABLE);
  put(h, "ada", NOTE, "{\"text\":\"x\"}");
  settled_done(h, SDB_OK);
  harness_free(h);
}

static void a_change_that_the_storage_fails_is_unavailable_and_told_to_nobody(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  put(h, "ada", NOTE, "{\"text\":\"x\"}");
  sdb_memory_storage_fail_commits(h->storage, 1);
  assert_true(strlen(settled_done(h, SDB_UNAVAILABLE)->message) > 0);
  assert_silent(d);
  harness_free(h);
}

static void an_object_that_is_nested_too_deep_is_refused(void **state) {
  (void)state;
  harness *h = harness_make();
  char deep[300] = "{\"text\":\"\",\"deep\":";
  size_t at = strlen(deep);
  memset(deep + at, '[', 70);
  memset(deep + at + 70, ']', 70);
  deep[at + 140] = '}';
  put(h, "ada", NOTE, deep);
  settled_done(h, SDB_BAD_JSON);
  begin_partial(h, 1, deep);
  settled_done(h, SDB_BAD_JSON);
  harness_free(h);
}

/* There is one object in a singular store: whatever id is named, it is replaced. */
static void a_put_in_a_singular_store_needs_no_id_and_minds_none(void **state) {
  (void)state;
  harness *h = harness_make();
  put(h, "ada", ACCOUNT, "{\"name\":\"Ada\"}");
  sdb_uuid id = settled_done(h, SDB_OK)->id;
  replace(h, ACCOUNT, id, "{\"name\":\"Ada L.\"}");
  record *r = settled_done(h, SDB_OK);
  assert_false(sdb_uuid_equal(r->id, id));
  ask(h,
      &(sdb_request){.kind = SDB_REQUEST_SINGULAR, .user = sdb_slice_of("ada"), .store = ACCOUNT});
  r = settled_done(h, SDB_OK);
  assert_int_equal(r->rows, 1);
  assert_non_null(strstr(r->row[0], "Ada L."));
  harness_free(h);
}

static void a_request_for_nobody_or_no_store_is_refused(void **state) {
  (void)state;
  harness *h = harness_make();
  char name[SDB_USER_NAME_MAX + 2];
  memset(name, 'a', sizeof(name));
  name[sizeof(name) - 1] = 0;
  put(h, name, NOTE, "{\"text\":\"x\"}");
  settled_done(h, SDB_INVALID_ARGUMENT);
  put(h, "", NOTE, "{\"text\":\"x\"}");
  settled_done(h, SDB_INVALID_ARGUMENT);
  put(h, "ada", STORES_COUNT, "{\"text\":\"x\"}");
  settled_done(h, SDB_INVALID_ARGUMENT);
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_put_for_a_user_who_is_not_there_is_stored_and_found_later),
      cmocka_unit_test(a_put_reaches_the_users_devices_and_no_others),
      cmocka_unit_test(the_rules_are_for_clients_the_schema_is_for_all),
      cmocka_unit_test(what_is_no_object_is_refused),
      cmocka_unit_test(an_object_is_replaced_and_removed_by_its_id),
      cmocka_unit_test(the_current_object_of_a_singular_store_is_removed_without_its_id),
      cmocka_unit_test(an_object_is_given_as_it_is_stored),
      cmocka_unit_test(a_list_is_newest_first_in_pages_without_removes),
      cmocka_unit_test(the_object_of_a_singular_store_is_given),
      cmocka_unit_test(requests_that_wait_for_the_user_are_done_in_order),
      cmocka_unit_test(requests_of_a_user_who_cannot_be_read_are_unavailable),
      cmocka_unit_test(a_change_that_the_storage_fails_is_unavailable_and_told_to_nobody),
      cmocka_unit_test(an_object_that_is_nested_too_deep_is_refused),
      cmocka_unit_test(a_put_in_a_singular_store_needs_no_id_and_minds_none),
      cmocka_unit_test(a_request_for_nobody_or_no_store_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
