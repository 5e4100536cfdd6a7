/* replica_pace_test.c: how much at a time: pushes that a server bears, commits that a storage is
 * given, syncs, and what is shown when they are late. Each was found by the simulator first. */
#include "replica_rig.h"

static int setup(void **state) {
  *state = rig_new();
  return 0;
}

static int teardown(void **state) {
  rig_free(*state);
  return 0;
}

/* ---- pushes ---- */

static unsigned take_pushes(rig *r, sdb_uuid *last) {
  unsigned count = 0;
  while (r->sent.first < r->sent.count) {
    json_t *data = sent(r, "update");
    *last = uuid_of(text_of(data, "clientId"));
    count++;
  }
  return count;
}

/* The server stores a push as the event `number`. */
static void echo(rig *r, sdb_uuid client_id, unsigned number) {
  char text[400];
  snprintf(text, sizeof(text),
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"01974f63-6abc-7000-8107-%012u\","
      "\"object\":{\"text\":\"x\",\"$createdAt\":1},\"clientId\":\"%s\"}}",
      number, text_of_uuid(client_id).text);
  tell(r, text);
}

static void refuse_for_now(rig *r, sdb_uuid client_id) {
  char text[300];
  snprintf(text, sizeof(text),
      "{\"type\":\"error\",\"data\":{\"code\":\"rate_limited\",\"message\":\"later\","
      "\"clientId\":\"%s\",\"store\":\"note\"}}",
      text_of_uuid(client_id).text);
  tell(r, text);
}

static void push_notes(rig *r, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    rig_note(r, "one of many");
}

static void after_a_close_for_too_many_pushes_they_go_one_by_one_and_then_more(void **state) {
  rig *r = *state;
  sdb_uuid client_id;
  go_live(r);
  push_notes(r, 100);
  assert_int_equal(take_pushes(r, &client_id), 100);
  close_line(r, 4429, "");
  rig_pass(r, 60000);
  go_live(r);
  for (unsigned i = 1; i <= 6; i++) {
    /* One more in flight for each that was taken, and one in the place of that. */
    assert_int_equal(take_pushes(r, &client_id), i == 1 ? 1 : 2);
    echo(r, client_id, i);
  }
}

static void a_window_that_was_too_much_is_halved_once_for_all_that_it_was_refused_with(
    void **state) {
  rig *r = *state;
  sdb_uuid first, last;
  go_live(r);
  first = rig_note(r, "first");
  last = rig_note(r, "second");
  push_notes(r, 98);
  sdb_uuid sent_last;
  assert_int_equal(take_pushes(r, &sent_last), 100);
  refuse_for_now(r, first);
  refuse_for_now(r, last);
  rig_pass(r, 1000);
  assert_nothing_sent(r); /* 98 are in flight, and the window is 50 */
  close_line(r, 1001, "");
  rig_pass(r, 60000);
  go_live(r);
  assert_int_equal(take_pushes(r, &sent_last), 50);
}

/* ---- commits ---- */

/* The first event of two commits, of which the first fails and the second would succeed. */
static void what_a_failed_commit_held_is_not_taken_for_held_by_what_stands_behind_it(void **state) {
  rig *r = *state;
  go_live(r);
  sdb_memory_local_defer(r->local, true);
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "01") "\",\"object\":{\"text\":\"first\",\"$createdAt\":1}}}");
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "02") "\",\"object\":{\"text\":\"second\",\"$createdAt\":1}}}");
  sdb_memory_local_fail(r->local, SDB_IO);
  assert_int_equal(sdb_memory_local_run(r->local, 1), 1);
  sdb_memory_local_fail(r->local, SDB_OK);
  while (sdb_memory_local_run(r->local, SIZE_MAX) > 0) {
  }
  rig_drain(r);
  assert_int_equal(r->storage_failures, 1);
  sdb_memory_local_defer(r->local, false);
  sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
  rig_drain(r);
  rig_pass(r, 60000);
  open_line(r);
  json_t *heads = json_object_get(sent(r, "client_hello"), "syncStatus");
  assert_true(json_is_null(json_object_get(heads, "note")));
  assert_int_equal(listed(r), 0);
}

static void what_stands_behind_a_commit_comes_once_that_is_completed(void **state) {
  rig *r = *state;
  go_live(r);
  sdb_memory_local_defer(r->local, true);
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "01") "\",\"object\":{\"text\":\"first\",\"$createdAt\":1}}}");
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "02") "\",\"object\":{\"text\":\"second\",\"$createdAt\":1}}}");
  assert_int_equal(sdb_memory_local_run(r->local, SIZE_MAX), 1);
  rig_drain(r);
  assert_int_equal(sdb_memory_local_run(r->local, SIZE_MAX), 1);
  rig_drain(r);
  sdb_memory_local_defer(r->local, false);
  assert_int_equal(listed(r), 2);
}

#define ACCOUNT_EVENT(id, name, client_id)                                                         \
  "{\"type\":\"update\",\"data\":{\"store\":\"account\",\"id\":\"" id                              \
  "\",\"object\":{\"name\":\"" name "\",\"$createdAt\":1},\"clientId\":\"" client_id "\"}}"
#define SOMEBODY "00000000-0000-4000-8000-00000000000a"

/* The answer to a push that was sent again says nothing new, so what is held is read and told; when
 * that is read, another object has taken its place. */
static void a_singular_object_that_took_anothers_place_is_what_is_shown_last(void **state) {
  rig *r = *state;
  go_live(r);
  char object[] = "{\"name\":\"mine\"}";
  assert_int_equal(rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_PUSH,
                                  .store = ACCOUNT,
                                  .object = sdb_slice_of(object)}),
      SDB_OK);
  char answer[400];
  snprintf(answer, sizeof(answer), ACCOUNT_EVENT(ID("01"), "theirs", "%s"),
      text_of_uuid(r->client_id).text);
  tell(r, ACCOUNT_EVENT(ID("01"), "theirs", SOMEBODY));
  sdb_memory_local_defer(r->local, true);
  tell(r, answer);
  tell(r, ACCOUNT_EVENT(ID("02"), "newer", SOMEBODY));
  while (sdb_memory_local_run(r->local, 1) > 0)
    rig_drain(r);
  sdb_memory_local_defer(r->local, false);
  assert_false(r->removed);
  assert_string_equal(r->object, "{\"name\":\"newer\",\"$createdAt\":1}");
}

/* ---- syncs ---- */

static void a_sync_under_way_leaves_no_deadline_in_the_past(void **state) {
  rig *r = *state;
  sdb_local_port durable = *sdb_memory_local_port(r->local);
  durable.durable = true;
  rig_stop(r);
  sdb_replica_options options = rig_options(r);
  options.limits.sync_delay_ms = 2;
  assert_int_equal(sdb_replica_create(&options, &r->replica), SDB_OK);
  sdb_replica_attach(r->replica, &durable, r->now_ms);
  rig_drain(r);
  go_live(r);
  rig_note(r, "stored, and to be synced");
  sdb_memory_local_defer(r->local, true);
  char object[] = "{\"text\":\"another\"}";
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
      .store = NOTE,
      .object = sdb_slice_of(object),
      .tag = r,
      .wall_ms = WALL_MS};
  assert_true(sdb_replica_request_begin(r->replica, &request, r->now_ms));
  rig_drain(r);
  rig_pass(r, 2); /* the first one's sync waits behind the second one's commit */
  assert_int_equal(sdb_memory_local_run(r->local, 1), 1);
  rig_drain(r);      /* the second one asks for a sync too */
  rig_pass(r, 1000); /* fails where a deadline does not move */
  while (sdb_memory_local_run(r->local, SIZE_MAX) > 0)
    rig_drain(r);
  sdb_memory_local_defer(r->local, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(after_a_close_for_too_many_pushes_they_go_one_by_one_and_then_more),
      TEST(a_window_that_was_too_much_is_halved_once_for_all_that_it_was_refused_with),
      TEST(what_a_failed_commit_held_is_not_taken_for_held_by_what_stands_behind_it),
      TEST(what_stands_behind_a_commit_comes_once_that_is_completed),
      TEST(a_singular_object_that_took_anothers_place_is_what_is_shown_last),
      TEST(a_sync_under_way_leaves_no_deadline_in_the_past),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
