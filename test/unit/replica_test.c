/* replica_test.c: a device beside the server: what is pushed, shown, caught up. */
#include "replica_harness.h"

static int setup(void **state) {
  *state = world_new();
  return 0;
}

static int teardown(void **state) {
  world_free(*state);
  return 0;
}

static void a_push_is_shown_at_once_and_is_synced_when_it_comes_back(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "hi");
  assert_int_equal(p->shown_count, 1);
  assert_int_equal(p->shown[0].state, SDB_RECORD_PENDING);
  assert_true(sdb_uuid_is_nil(p->shown[0].id));
  assert_true(sdb_uuid_equal(p->shown[0].client_id, client_id));
  assert_int_equal(phone_list(p, NOTE, (sdb_uuid){{0}}, 10), 1);
  assert_int_equal(p->records[0].state, SDB_RECORD_PENDING);
  settle_world(w);
  assert_int_equal(p->shown_count, 1);
  assert_int_equal(p->shown[0].state, SDB_RECORD_SYNCED);
  assert_true(sdb_uuid_equal(p->shown[0].client_id, client_id));
  assert_in_step(p);
}

static void what_others_wrote_is_caught_up_and_then_comes_live(void **state) {
  world *w = *state;
  server_note(w, "ada", "before");
  server_push(w, "ada", ACCOUNT, "{\"name\":\"Ada\"}");
  phone *p = phone_new(w, "ada");
  assert_true(is_live(p));
  assert_in_step(p);
  server_note(w, "ada", "after");
  settle_world(w);
  assert_int_equal(phone_list(p, NOTE, (sdb_uuid){{0}}, 10), 2);
  assert_in_step(p);
}

static void two_phones_of_a_user_are_in_step_and_another_user_sees_nothing(void **state) {
  world *w = *state;
  phone *one = phone_new(w, "ada"), *two = phone_new(w, "ada"), *other = phone_new(w, "bob");
  phone_note(one, "from one");
  settle_world(w);
  phone_note(two, "from two");
  assert_int_equal(phone_push(one, ACCOUNT, "{\"name\":\"Ada\"}"), SDB_OK);
  settle_world(w);
  assert_int_equal(one->shown_count, 3);
  assert_in_step(one);
  assert_in_step(two);
  assert_int_equal(other->shown_count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(
          a_push_is_shown_at_once_and_is_synced_when_it_comes_back, setup, teardown),
      cmocka_unit_test_setup_teardown(
          what_others_wrote_is_caught_up_and_then_comes_live, setup, teardown),
      cmocka_unit_test_setup_teardown(
          two_phones_of_a_user_are_in_step_and_another_user_sees_nothing, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
