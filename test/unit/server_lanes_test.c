/* server_lanes_test.c: what waits for subscribers is bounded by its bytes, and a run of it too. */
#include "platform/platform.h"
#include "server/lanes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

static sdb_lanes lanes;
static char *text;

static int setup(void **state) {
  (void)state;
  sdb_lanes_init(&lanes, sdb_platform_mem());
  text = test_calloc(1, 17 * MIB);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  sdb_lanes_destroy(&lanes);
  test_free(text);
  return 0;
}

static void add(const char *user, size_t object, size_t previous) {
  sdb_hub_output output = {.user = sdb_slice_of(user), .action = SDB_ACTION_UPDATE};
  output.row.object = sdb_slice_make(text, object);
  output.previous = sdb_slice_make(text, previous);
  assert_true(sdb_lanes_add(&lanes, NULL, &output));
}

static bool accepts(const char *user) {
  return sdb_lanes_accept(&lanes, sdb_slice_of(user));
}

/* Takes a run, and says how many events it has. */
static size_t take(uint64_t *ticket) {
  sdb_event_run run;
  if (!sdb_lanes_take(&lanes, 1000, 64, &run)) return 0;
  *ticket = run.ticket;
  sdb_events_free(lanes.mem, run.first);
  return run.count;
}

static void a_user_with_16_mib_gets_no_more_until_some_are_handled(void **state) {
  (void)state;
  for (int i = 0; i < 8; i++) {
    assert_true(accepts("ada"));
    add("ada", MIB, MIB); /* what was replaced counts too */
  }
  assert_false(accepts("ada"));
  assert_true(accepts("bob"));
  uint64_t ticket = 0;
  assert_int_equal(take(&ticket), 1);
  assert_false(accepts("ada")); /* being handled */
  sdb_lanes_end(&lanes, ticket);
  assert_true(accepts("ada"));
}

static void all_users_together_have_256_mib(void **state) {
  (void)state;
  char user[16];
  for (int i = 0; i < 16; i++) {
    snprintf(user, sizeof(user), "user%d", i);
    assert_true(accepts(user));
    add(user, 16 * MIB, 0);
  }
  assert_false(accepts("one more"));
  uint64_t ticket = 0;
  assert_int_equal(take(&ticket), 1);
  sdb_lanes_end(&lanes, ticket);
  assert_true(accepts("one more"));
  assert_int_equal(sdb_lanes_drop(&lanes), 15);
  assert_int_equal(lanes.bytes, 0);
}

static void a_run_is_cut_before_it_is_over_1_mib(void **state) {
  (void)state;
  add("ada", 2 * MIB, 0); /* longer than a run, so it is one */
  for (int i = 0; i < 5; i++)
    add("ada", 300 << 10, 0);
  for (int i = 0; i < 100; i++)
    add("ada", 10, 10);
  const size_t counts[] = {1, 3, 64, 38};
  for (size_t i = 0; i < 4; i++) {
    uint64_t ticket = 0;
    assert_int_equal(take(&ticket), counts[i]);
    sdb_lanes_end(&lanes, ticket);
  }
  assert_int_equal(sdb_lanes_backlog(&lanes), 0);
  assert_int_equal(lanes.bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_user_with_16_mib_gets_no_more_until_some_are_handled),
      TEST(all_users_together_have_256_mib),
      TEST(a_run_is_cut_before_it_is_over_1_mib),
  };
  return cmocka_run_group_tests_name("server_lanes", tests, NULL, NULL);
}
