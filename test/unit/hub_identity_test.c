/* hub_identity_test.c: who a device is: tokens in the hello and in auth, expiry, connections. */
#include "hub_harness.h"

#define TOKEN_HELLO                                                                                \
  "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"token\":\"se\\u0063ret\"}}"

static void identify(device *d, const char *user, uint64_t expires_ms) {
  sdb_hub_on_identity(d->harness->hub, d->peer, sdb_slice_of(user), expires_ms, d->harness->now_ms);
}

static void a_token_in_the_hello_is_asked_about_and_tells_who_it_is(void **state) {
  (void)state;
  harness *h = harness_make();
  device *known = device_ready(h, "ada");
  uuid_text id = note_stored(known, "mine", 1);
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  settle(h);
  assert_silent(d);
  assert_int_equal(d->authenticate, 1);
  assert_string_equal(d->token, "secret");
  identify(d, "ada", 0);
  settle(h);
  assert_string_equal(head_of(take(d, "server_hello"), "note"), id.text);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  take_note(d, "mine");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_token_of_somebody_else_than_the_upgrade_named_closes_with_4401(void **state) {
  (void)state;
  harness *h = harness_make();
  device *known = device_ready(h, "ada");
  note_stored(known, "mine", 1);
  device *other = device_connect(h, "ada");
  say(other, TOKEN_HELLO);
  settle(h);
  assert_silent(other); /* nothing before the token was looked at */
  identify(other, "bob", 0);
  settle(h);
  assert_closed(other, 4401);
  device *same = device_connect(h, "ada");
  say(same, TOKEN_HELLO);
  settle(h);
  identify(same, "ada", 0);
  settle(h);
  take(same, "server_hello");
  forget_messages(same);
  harness_free(h);
}

static void an_identity_that_is_not_told_in_time_closes_with_1013(void **state) {
  (void)state;
  harness *h = harness_make();
  device *live = device_ready(h, "ada"), *d = device_connect(h, "");
  h->now_ms += 4000;
  say(d, TOKEN_HELLO);
  h->now_ms += 1000;
  say(live, "{\"type\":\"auth\",\"data\":{\"token\":\"u\"}}");
  settle(h);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 9000);
  h->now_ms = START_MS + 8999;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_open(d);
  h->now_ms = START_MS + 9000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_closed(d, 1013);
  identify(d, "ada", 0); /* too late */
  settle(h);
  assert_silent(d);
  assert_open(live);
  h->now_ms = START_MS + 10000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_closed(live, 1013);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), UINT64_MAX);
  harness_free(h);
}

static void an_owner_that_knows_more_is_asked_about_a_hello_without_a_token(void **state) {
  (void)state;
  harness *h = harness_begin();
  sdb_hub_options options;
  harness_options(h, &options);
  options.asks_without_token = true;
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_OK);
  device *d = device_connect(h, ""), *known = device_ready(h, "bob");
  say(d, HELLO);
  push_note(d, "behind", 1);
  settle(h);
  assert_silent(d);
  assert_int_equal(d->authenticate, 1);
  assert_string_equal(d->token, "");
  assert_int_equal(known->authenticate, 0);
  identify(d, "ada", 0);
  settle(h);
  skip_catch_up(d);
  take_note(d, "behind");
  device *refused = device_connect(h, "");
  say(refused, HELLO);
  settle(h);
  identify(refused, "", 0);
  settle(h);
  assert_closed(refused, 4401);
  harness_free(h);
}

static void a_refused_token_closes_with_4401_and_nothing_else_is_said(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "");
  say(d,
      "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"nothing\":null},\"token\":\"x\"}}");
  push_note(d, "x", 1);
  settle(h);
  identify(d, "", 0);
  settle(h);
  assert_closed(d, 4401);
  assert_string_equal(d->reason, "");
  harness_free(h);
}

static void no_identity_and_no_token_closes_with_4401(void **state) {
  (void)state;
  static const char *const HELLOS[] = {
      HELLO,
      "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"token\":null}}",
      "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"token\":\"\"}}",
  };
  harness *h = harness_make();
  for (size_t i = 0; i < SDB_COUNT_OF(HELLOS); i++) {
    device *d = device_connect(h, "");
    say(d, HELLOS[i]);
    settle(h);
    assert_closed(d, 4401);
    assert_int_equal(d->authenticate, 0);
  }
  harness_free(h);
}

static void a_name_that_is_too_long_is_no_identity(void **state) {
  (void)state;
  harness *h = harness_make();
  char name[SDB_USER_NAME_MAX + 2];
  memset(name, 'a', sizeof(name));
  name[sizeof(name) - 1] = 0;
  assert_null(device_connect(h, name));
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  settle(h);
  identify(d, name, 0);
  assert_closed(d, 4401);
  assert_non_null(device_connect(h, name + 1));
  harness_free(h);
}

static void a_token_is_waited_for_although_the_user_is_known_and_read(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "ada");
  flush(h); /* the user is asked for, by the upgrade's name */
  say(d, TOKEN_HELLO);
  drain(h);
  store(h); /* and is there */
  settle(h);
  assert_silent(d);
  identify(d, "ada", 0);
  settle(h);
  skip_catch_up(d);
  assert_silent(d);
  harness_free(h);
}

static void a_token_answered_when_the_peer_is_being_closed_changes_nothing(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.message_bytes_max = 300;
  harness *h = harness_with(&limits);
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  drain(h);
  assert_int_equal(d->authenticate, 1);
  for (unsigned i = 0; i < 10 && !d->closed; i++) {
    push_note(d, "too much", i);
    drain(h);
  }
  assert_closed(d, 1013);
  identify(d, "ada", 0);
  settle(h);
  assert_silent(d);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.users, 0);
  harness_free(h);
}

static void a_token_is_not_asked_about_when_the_peer_was_closed_in_the_same_turn(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.message_bytes_max = 300;
  harness *h = harness_with(&limits);
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  for (unsigned i = 0; i < 10; i++)
    push_note(d, "too much", i);
  assert_closed(d, 1013);
  assert_int_equal(d->authenticate, 0);
  harness_free(h);
}

static void of_several_that_expire_each_has_its_own_time(void **state) {
  (void)state;
  harness *h = harness_make();
  device *devices[3];
  for (unsigned i = 0; i < 3; i++) {
    devices[i] = device_connect(h, "");
    say(devices[i], TOKEN_HELLO);
    drain(h);
    identify(devices[i], "ada", START_MS + 1000 * (3 - i));
  }
  settle(h);
  device *silent = device_connect(h, "bob");
  h->now_ms = START_MS + 1000;
  sdb_hub_on_timer(h->hub, h->now_ms); /* the first is closed, and stays until its socket is */
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 2000);
  h->now_ms = START_MS + 2000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 3000);
  drain(h);
  assert_int_equal(devices[2]->closed, 4401);
  assert_int_equal(devices[1]->closed, 4401);
  assert_int_equal(devices[0]->closed, 0);
  disconnect(devices[0]);
  sdb_hub_on_timer(h->hub, START_MS + 3000);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 5000); /* of the hello */
  assert_open(silent);
  harness_free(h);
}

static void a_token_answered_after_the_peer_is_gone_harms_nobody(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  disconnect(d);
  settle(h);
  assert_int_equal(d->authenticate, 0);
  harness_free(h);
}

static void one_timer_does_all_that_is_due_though_the_clock_stepped_back(void **state) {
  (void)state;
  harness *h = harness_make();
  device *expires = &h->devices[h->devices_count++], *silent;
  expires->harness = h;
  expires->peer =
      sdb_hub_on_connect(h->hub, sdb_slice_of("ada"), h->now_ms + 3000, expires, h->now_ms);
  assert_non_null(expires->peer);
  h->now_ms -= 60000;
  silent = device_connect(h, "bob");
  h->now_ms += 63000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_closed(expires, 4401);
  assert_closed(silent, 4408);
  assert_true(sdb_hub_deadline_ms(h->hub) > h->now_ms);
  harness_free(h);
}

static void an_identity_ends_when_it_expires(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "");
  device *lasting = device_ready(h, "bob");
  say(d, TOKEN_HELLO);
  drain(h);
  identify(d, "ada", START_MS + 1000);
  settle(h);
  skip_catch_up(d);
  assert_true(sdb_hub_deadline_ms(h->hub) <= START_MS + 1000);
  h->now_ms = START_MS + 999;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_open(d);
  h->now_ms = START_MS + 1000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_closed(d, 4401);
  assert_open(lasting);
  assert_true(sdb_hub_deadline_ms(h->hub) == UINT64_MAX);
  harness_free(h);
}

#define AUTH "{\"type\":\"auth\",\"data\":{\"token\":\"new\"}}"

static device *expiring_device(harness *h) {
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  drain(h);
  identify(d, "ada", START_MS + 1000);
  settle(h);
  skip_catch_up(d);
  return d;
}

static void auth_renews_an_identity(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = expiring_device(h);
  say(d, AUTH);
  drain(h);
  assert_int_equal(d->authenticate, 2);
  assert_string_equal(d->token, "new");
  identify(d, "ada", START_MS + 5000);
  h->now_ms = START_MS + 1000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_open(d);
  assert_silent(d);
  assert_true(sdb_hub_deadline_ms(h->hub) == START_MS + 5000);
  h->now_ms = START_MS + 5000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_closed(d, 4401);
  harness_free(h);
}

static void auth_may_shorten_an_identity_and_make_it_last(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = expiring_device(h);
  say(d, AUTH);
  drain(h);
  identify(d, "ada", START_MS + 10);
  assert_true(sdb_hub_deadline_ms(h->hub) <= START_MS + 10);
  say(d, AUTH);
  drain(h);
  identify(d, "ada", 0);
  h->now_ms = START_MS + 100000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  assert_open(d);
  harness_free(h);
}

static void auth_as_somebody_else_closes_with_4401(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = expiring_device(h);
  say(d, AUTH);
  drain(h);
  identify(d, "adam", START_MS + 5000);
  assert_closed(d, 4401);
  harness_free(h);
}

static void auth_with_a_token_that_is_refused_closes_with_4401(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = expiring_device(h);
  say(d, AUTH);
  drain(h);
  identify(d, "", 0);
  assert_closed(d, 4401);
  device *without = expiring_device(h);
  say(without, "{\"type\":\"auth\",\"data\":{}}");
  assert_closed(without, 4401);
  harness_free(h);
}

static void a_second_auth_before_the_first_is_answered_is_refused(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = expiring_device(h);
  say(d, AUTH);
  say(d, AUTH);
  drain(h);
  assert_int_equal(d->authenticate, 2);
  take_error(d, "rate_limited");
  identify(d, "ada", START_MS + 5000);
  assert_open(d);
  harness_free(h);
}

static void a_user_has_at_most_so_many_connections(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.connections_per_user = 2;
  harness *h = harness_with(&limits);
  device *first = device_connect(h, "ada");
  assert_non_null(device_connect(h, "ada"));
  assert_null(device_connect(h, "ada"));
  assert_non_null(device_connect(h, "bob"));
  device *d = device_connect(h, "");
  say(d, TOKEN_HELLO);
  drain(h);
  identify(d, "ada", 0);
  assert_closed(d, 1013);
  disconnect(first);
  assert_non_null(device_connect(h, "ada"));
  harness_free(h);
}

static void a_user_that_cannot_be_read_closes_with_1013_and_the_next_may_do(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  flush(h);
  /* The storage fails what it adds in a transaction with a write. */
  device *other = device_connect(h, "bob");
  say(other, HELLO);
  settle(h);
  skip_catch_up(other);
  skip_catch_up(d);
  device *newcomer = device_connect(h, "eve");
  say(newcomer, HELLO);
  push_note(other, "x", 1);
  flush(h);
  sdb_memory_storage_fail_commits(h->storage, 1);
  store(h);
  assert_closed(newcomer, 1013);
  disconnect(newcomer);
  device *again = device_connect(h, "eve");
  say(again, HELLO);
  settle(h);
  skip_catch_up(again);
  assert_open(again);
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_in_the_hello_is_asked_about_and_tells_who_it_is),
      cmocka_unit_test(a_token_of_somebody_else_than_the_upgrade_named_closes_with_4401),
      cmocka_unit_test(an_identity_that_is_not_told_in_time_closes_with_1013),
      cmocka_unit_test(an_owner_that_knows_more_is_asked_about_a_hello_without_a_token),
      cmocka_unit_test(a_refused_token_closes_with_4401_and_nothing_else_is_said),
      cmocka_unit_test(no_identity_and_no_token_closes_with_4401),
      cmocka_unit_test(a_name_that_is_too_long_is_no_identity),
      cmocka_unit_test(a_token_is_waited_for_although_the_user_is_known_and_read),
      cmocka_unit_test(a_token_answered_when_the_peer_is_being_closed_changes_nothing),
      cmocka_unit_test(a_token_is_not_asked_about_when_the_peer_was_closed_in_the_same_turn),
      cmocka_unit_test(of_several_that_expire_each_has_its_own_time),
      cmocka_unit_test(a_token_answered_after_the_peer_is_gone_harms_nobody),
      cmocka_unit_test(an_identity_ends_when_it_expires),
      cmocka_unit_test(one_timer_does_all_that_is_due_though_the_clock_stepped_back),
      cmocka_unit_test(auth_renews_an_identity),
      cmocka_unit_test(auth_may_shorten_an_identity_and_make_it_last),
      cmocka_unit_test(auth_as_somebody_else_closes_with_4401),
      cmocka_unit_test(auth_with_a_token_that_is_refused_closes_with_4401),
      cmocka_unit_test(a_second_auth_before_the_first_is_answered_is_refused),
      cmocka_unit_test(a_user_has_at_most_so_many_connections),
      cmocka_unit_test(a_user_that_cannot_be_read_closes_with_1013_and_the_next_may_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
