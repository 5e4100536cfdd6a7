/* replica_link_test.c: the connection: when it is made again, when it is given up, what it shows;
 * and what comes of each way in which a server can end it.
 */
#include "replica_rig.h"

static int setup(void **state) {
  *state = rig_new();
  return 0;
}

static int teardown(void **state) {
  rig_free(*state);
  return 0;
}

/* ---- trying again ---- */

static void the_first_connection_is_made_at_once_and_begins_with_a_hello(void **state) {
  rig *r = *state;
  assert_int_equal(r->connects, 1);
  assert_int_equal(phase_of(r), SDB_CLIENT_CONNECTING);
  open_line(r);
  json_t *hello = sent(r, "client_hello");
  assert_int_equal(json_object_size(json_object_get(hello, "syncStatus")), STORES_COUNT);
  assert_null(json_object_get(hello, "token"));
  assert_null(json_object_get(hello, "database"));
  assert_int_equal(phase_of(r), SDB_CLIENT_CATCHING_UP);
  tell(r, GREETING);
  assert_int_equal(phase_of(r), SDB_CLIENT_CATCHING_UP);
  synced_all(r);
  assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
  assert_int_equal(rig_status(r).stores_synced, STORES_COUNT);
}

/* The longest wait that a failed try is followed by, for chance may give any from 0 on. */
static uint64_t longest_after_close(rig *r, uint64_t most_ms) {
  r->jitter = most_ms; /* the greatest remainder */
  close_line(r, SDB_CLOSE_LOST, "");
  return waits_ms(r);
}

static void waits_double_from_half_a_second_to_thirty(void **state) {
  rig *r = *state;
  static const uint64_t MOST_MS[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
  for (size_t i = 0; i < SDB_COUNT_OF(MOST_MS); i++) {
    assert_int_equal(longest_after_close(r, MOST_MS[i]), MOST_MS[i]);
    assert_int_equal(phase_of(r), SDB_CLIENT_OFFLINE);
    rig_pass(r, MOST_MS[i] - 1);
    assert_int_equal(r->connects, i + 1);
    rig_pass(r, 1);
    assert_int_equal(r->connects, i + 2);
  }
}

static void the_wait_is_anything_from_nothing_to_the_most(void **state) {
  rig *r = *state;
  r->jitter = 501;
  close_line(r, SDB_CLOSE_LOST, "");
  assert_int_equal(waits_ms(r), 0);
  rig_pass(r, 0);
  assert_int_equal(r->connects, 2);
  for (uint64_t jitter = 1; jitter < 40; jitter++) {
    r->jitter = jitter * UINT64_C(0x9E3779B97F4A7C15);
    close_line(r, SDB_CLOSE_LOST, "");
    assert_in_range(waits_ms(r), 0, 30000);
    rig_pass(r, 30000);
  }
}

static void only_a_connection_that_lasted_lets_the_waits_begin_anew(void **state) {
  rig *r = *state;
  assert_int_equal(longest_after_close(r, 500), 500);
  rig_pass(r, 500);
  go_live(r);
  rig_pass(r, 9999);
  assert_int_equal(longest_after_close(r, 1000), 1000);
  rig_pass(r, 1000);
  go_live(r);
  rig_pass(r, 10000);
  assert_int_equal(longest_after_close(r, 500), 500);
}

static void a_connection_that_is_not_made_in_thirty_seconds_is_given_up(void **state) {
  rig *r = *state;
  rig_pass(r, 29999);
  assert_int_equal(r->disconnects, 0);
  r->jitter = 500;
  rig_pass(r, 1);
  assert_int_equal(r->disconnects, 1);
  assert_int_equal(phase_of(r), SDB_CLIENT_OFFLINE);
  assert_string_not_equal(rig_status(r).problem, "");
  rig_pass(r, 500);
  assert_int_equal(r->connects, 2);
}

static uint64_t wait_after_reason(rig *r, uint64_t jitter, const char *reason) {
  r->jitter = jitter;
  close_line(r, SDB_CLOSE_GOING_AWAY, reason);
  return waits_ms(r);
}

static void a_server_that_names_a_time_is_obeyed(void **state) {
  rig *r = *state;
  assert_int_equal(wait_after_reason(r, 0, "{\"retryAfterMs\":[40000,50000]}"), 40000);
  rig_pass(r, 40000);
  assert_int_equal(wait_after_reason(r, 10000, "{\"retryAfterMs\":[40000,50000]}"), 50000);
  rig_pass(r, 50000);
}

/* "At once" again and again: the first time it is obeyed, and then no sooner than the backoff. */
static void a_server_that_always_says_at_once_is_not_called_at_once(void **state) {
  rig *r = *state;
  assert_int_equal(wait_after_reason(r, 30000, "{\"x\":1,\"retryAfterMs\":[0,0]}"), 0);
  rig_pass(r, 0);
  for (int i = 1; i < 9; i++) {
    uint64_t most_ms = i < 6 ? (uint64_t)500 << i : 30000;
    assert_int_equal(wait_after_reason(r, most_ms, "{\"retryAfterMs\":[0,0]}"), most_ms);
    rig_pass(r, most_ms);
  }
}

static void a_server_cannot_send_anybody_away_for_longer_than_ten_minutes(void **state) {
  rig *r = *state;
  assert_int_equal(wait_after_reason(r, 0, "{\"retryAfterMs\":[86400000,86400000]}"), 600000);
  rig_pass(r, 600000);
  r->jitter = 600000;
  assert_int_equal(
      wait_after_reason(r, 600000, "{\"retryAfterMs\":[0,18446744073709551615]}"), 600000);
}

static void a_reason_that_is_no_range_is_passed_over(void **state) {
  rig *r = *state;
  static const char *const REASONS[] = {"restart", "{", "[]", "7", "{\"retryAfterMs\":7}",
      "{\"retryAfterMs\":[]}", "{\"retryAfterMs\":[7]}", "{\"retryAfterMs\":[7,8,9]}",
      "{\"retryAfterMs\":[9,8]}", "{\"retryAfterMs\":[700000,650000]}",
      "{\"retryAfterMs\":[\"7\",\"8\"]}", "{\"retryAfterMs\":[-7,8]}", "{\"retryAfterMs\":[7.5,8]}",
      "{\"retryAfterMs\":[[7],8]}", "{\"retryAfterMs\":{\"a\":7,\"b\":8}}",
      "{\"retryAfterMs\":[7,1e400]}", "{\"retryAfterMs\":[7,8],\"retryAfterMs\":[7,8]}",
      "{\"retryAfterMs\":[[[[[7]]]],8]}"};
  for (size_t i = 0; i < SDB_COUNT_OF(REASONS); i++) {
    uint64_t most_ms = i < 6 ? (uint64_t)500 << i : 30000;
    uint64_t waited_ms = wait_after_reason(r, most_ms, REASONS[i]);
    if (waited_ms != most_ms) fail_msg("%s: %d ms", REASONS[i], (int)waited_ms);
    rig_pass(r, waited_ms);
  }
}

/* ---- how a server ends it ---- */

static void a_server_that_goes_away_is_connected_to_again(void **state) {
  rig *r = *state;
  static const unsigned CODES[] = {SDB_CLOSE_NORMAL, SDB_CLOSE_GOING_AWAY, SDB_CLOSE_LOST,
      SDB_CLOSE_RESTART, SDB_CLOSE_OVERLOADED, SDB_CLOSE_BAD_MESSAGE, SDB_CLOSE_NO_HELLO,
      SDB_CLOSE_RATE_LIMITED, SDB_CLOSE_TOO_LARGE, 1011, 3000, 0};
  for (size_t i = 0; i < SDB_COUNT_OF(CODES); i++) {
    go_live(r);
    rig_pass(r, 10000);
    r->jitter = 500;
    close_line(r, CODES[i], "because");
    assert_int_equal(rig_status(r).close_code, CODES[i]);
    assert_non_null(strstr(rig_status(r).problem, ": because"));
    assert_int_equal(phase_of(r), SDB_CLIENT_OFFLINE);
    assert_int_equal(waits_ms(r), 500);
    rig_pass(r, 500);
    assert_int_equal(r->connects, i + 2);
  }
}

static size_t count_failed(rig *r, sdb_uuid *client_id, sdb_status *why) {
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  size_t count = 0;
  while (sdb_replica_next_unsynced(r->replica, &cursor, &push)) {
    if (!push.error) continue;
    count++;
    *client_id = push.client_id;
    *why = push.error->status;
  }
  return count;
}

static void a_message_too_large_is_the_largest_push_and_is_not_sent_again_by_itself(void **state) {
  rig *r = *state;
  sdb_uuid failed;
  sdb_status why;
  go_live(r);
  rig_note(r, "small");
  sdb_uuid large = rig_note(r, "as large as none of the others");
  rig_note(r, "middling");
  for (int i = 0; i < 3; i++)
    sent(r, "update");
  close_line(r, SDB_CLOSE_TOO_LARGE, "");
  assert_int_equal(count_failed(r, &failed, &why), 1);
  assert_true(sdb_uuid_equal(failed, large));
  assert_int_equal(why, SDB_TOO_LARGE);
  rig_pass(r, 500);
  go_live(r);
  for (int i = 0; i < 2; i++)
    sent(r, "update");
  assert_nothing_sent(r);
  rig_pass(r, 5000);
  assert_nothing_sent(r);
  assert_int_equal(sdb_replica_retry(r->replica, large), SDB_OK);
  rig_drain(r);
  sent(r, "update");
  assert_int_equal(rig_status(r).failed, 0);
}

static void a_message_too_large_without_a_push_refuses_none(void **state) {
  rig *r = *state;
  go_live(r);
  close_line(r, SDB_CLOSE_TOO_LARGE, "");
  rig_note(r, "made offline");
  assert_int_equal(rig_status(r).failed, 0);
  rig_pass(r, 500);
  go_live(r);
  sent(r, "update");
}

/* A push that the server puts off, until it is late. */
static void be_put_off_until_late(rig *r) {
  char message[300], text[SDB_UUID_TEXT_SIZE + 1] = "";
  sdb_uuid_format(r->client_id, text);
  snprintf(message, sizeof(message),
      "{\"type\":\"error\",\"data\":{\"code\":\"unavailable\",\"clientId\":\"%s\"}}", text);
  while (rig_status(r).failed == 0) {
    sent(r, "update");
    tell(r, message);
    rig_pass(r, 1000);
  }
}

static void assert_sent_text(rig *r, const char *store, const char *field, const char *text) {
  json_t *data = sent(r, "update");
  assert_string_equal(json_string_value(json_object_get(data, "store")), store);
  assert_string_equal(
      json_string_value(json_object_get(json_object_get(data, "object"), field)), text);
}

static void change(rig *r, sdb_replica_request_kind kind, int store, const char *object) {
  sdb_replica_request request = {
      .kind = kind, .store = (uint16_t)store, .object = sdb_slice_of(object)};
  if (kind == SDB_REPLICA_UPDATE) assert_true(sdb_uuid_parse(sdb_slice_of(ID("01")), &request.id));
  assert_int_equal(rig_ask(r, request), SDB_OK);
}

static void a_late_push_is_not_overtaken_by_a_newer_one_of_its_object(void **state) {
  rig *r = *state;
  go_live(r);
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "01") "\",\"object\":{\"text\":\"held\"}}}");
  change(r, SDB_REPLICA_UPDATE, NOTE, "{\"text\":\"old\"}");
  be_put_off_until_late(r);
  change(r, SDB_REPLICA_UPDATE, NOTE, "{\"text\":\"new\"}");
  assert_nothing_sent(r);
  close_line(r, SDB_CLOSE_LOST, "");
  rig_pass(r, 500);
  go_live(r);
  assert_sent_text(r, "note", "text", "old");
  assert_nothing_sent(r);
}

static void a_late_push_of_a_singular_store_is_not_overtaken_either(void **state) {
  rig *r = *state;
  go_live(r);
  change(r, SDB_REPLICA_PUSH, ACCOUNT, "{\"name\":\"old\"}");
  be_put_off_until_late(r);
  change(r, SDB_REPLICA_PUSH, ACCOUNT, "{\"name\":\"new\"}");
  assert_nothing_sent(r);
  close_line(r, SDB_CLOSE_LOST, "");
  rig_pass(r, 500);
  go_live(r);
  assert_sent_text(r, "account", "name", "old");
  assert_nothing_sent(r);
}

/* ---- silence ---- */

static void a_server_that_is_silent_is_asked_and_then_given_up(void **state) {
  rig *r = *state;
  go_live(r);
  rig_pass(r, 24999);
  assert_nothing_sent(r);
  rig_pass(r, 1);
  sent(r, "ping");
  rig_pass(r, 9999);
  assert_int_equal(r->disconnects, 0);
  tell(r, "{\"type\":\"pong\"}");
  rig_pass(r, 24999);
  assert_nothing_sent(r);
  rig_pass(r, 1);
  sent(r, "ping");
  r->jitter = 500;
  rig_pass(r, 10000);
  assert_int_equal(r->disconnects, 1);
  assert_int_equal(phase_of(r), SDB_CLIENT_OFFLINE);
  rig_pass(r, 500);
  assert_int_equal(r->connects, 2);
}

static void whatever_a_server_says_shows_that_it_lives(void **state) {
  rig *r = *state;
  go_live(r);
  for (int i = 0; i < 10; i++) {
    rig_pass(r, 20000);
    tell(r, i % 2 ? "{\"type\":\"of a later version\"}" : "{\"type\":\"pong\"}");
  }
  assert_nothing_sent(r);
  assert_int_equal(r->disconnects, 0);
}

static void a_server_that_says_nothing_knows_only_the_four_messages(void **state) {
  rig *r = *state;
  open_line(r);
  sent(r, "client_hello");
  rig_pass(r, 4999);
  assert_int_equal(phase_of(r), SDB_CLIENT_CATCHING_UP);
  rig_pass(r, 1);
  assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
  rig_note(r, "hi");
  sent(r, "update");
  rig_pass(r, 3600000);
  assert_nothing_sent(r); /* it may not know `ping` either */
  assert_int_equal(r->disconnects, 0);
}

static void a_server_that_greets_late_is_not_taken_for_live_before_it_synced(void **state) {
  rig *r = *state;
  open_line(r);
  rig_pass(r, 8000);
  assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
  tell(r, GREETING);
  assert_int_equal(phase_of(r), SDB_CLIENT_CATCHING_UP);
  synced_all(r);
  assert_int_equal(phase_of(r), SDB_CLIENT_LIVE);
}

/* ---- online and offline ---- */

static void offline_ends_every_state_and_online_begins_anew(void **state) {
  rig *r = *state;
  sdb_replica_go_offline(r->replica, r->now_ms); /* while connecting */
  rig_drain(r);
  assert_int_equal(r->disconnects, 1);
  assert_int_equal(phase_of(r), SDB_CLIENT_OFFLINE);
  rig_pass(r, 3600000);
  assert_int_equal(r->connects, 1);
  sdb_replica_go_online(r->replica, r->now_ms);
  sdb_replica_go_online(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->connects, 2);
  go_live(r);
  sdb_replica_go_online(r->replica, r->now_ms); /* it is */
  sdb_replica_go_offline(r->replica, r->now_ms);
  sdb_replica_go_offline(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->disconnects, 2);
  assert_int_equal(r->close_code, SDB_CLOSE_NORMAL);
  assert_int_equal(r->connects, 2);
}

static void online_ends_a_wait_for_the_next_try(void **state) {
  rig *r = *state;
  for (int i = 0; i < 5; i++) {
    r->jitter = (uint64_t)500 << i;
    close_line(r, SDB_CLOSE_LOST, "");
    rig_pass(r, 30000);
  }
  r->jitter = 16000;
  close_line(r, SDB_CLOSE_LOST, "");
  assert_int_equal(waits_ms(r), 16000);
  sdb_replica_go_online(r->replica, r->now_ms);
  rig_drain(r);
  assert_true(r->connected);
  assert_int_equal(longest_after_close(r, 500), 500);
  sdb_replica_go_offline(r->replica, r->now_ms);
  rig_pass(r, 3600000);
  assert_false(r->connected);
}

static void an_open_connection_is_ended_however_often_it_is_changed_before_a_turn_ends(
    void **state) {
  rig *r = *state;
  go_live(r);
  sdb_replica_go_offline(r->replica, r->now_ms);
  sdb_replica_go_online(r->replica, r->now_ms);
  sdb_replica_go_offline(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->disconnects, 1);
  assert_false(r->connected);
  sdb_replica_go_online(r->replica, r->now_ms);
  sdb_replica_go_offline(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->connects, 1);
  sdb_replica_go_online(r->replica, r->now_ms);
  rig_drain(r);
  go_live(r);
  sdb_replica_go_offline(r->replica, r->now_ms);
  sdb_replica_go_online(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->disconnects, 2);
  go_live(r);
}

static void what_comes_of_a_connection_that_was_given_up_is_nothing(void **state) {
  rig *r = *state;
  go_live(r);
  sdb_replica_go_offline(r->replica, r->now_ms);
  rig_drain(r);
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "01") "\",\"object\":{\"text\":\"late\"}}}");
  sdb_replica_on_opened(r->replica, r->now_ms);
  sdb_replica_on_closed(r->replica, SDB_CLOSE_UNAUTHORIZED, sdb_slice_of(""), "", r->now_ms);
  rig_drain(r);
  assert_int_equal(phase_of(r), SDB_CLIENT_OFFLINE);
  assert_int_equal(listed(r), 0);
  assert_int_equal(sdb_replica_deadline_ms(r->replica), UINT64_MAX);
}

static void a_connection_that_ends_while_it_is_given_up_is_not_given_up_again(void **state) {
  rig *r = *state;
  go_live(r);
  sdb_replica_go_offline(r->replica, r->now_ms);
  sdb_replica_go_online(r->replica, r->now_ms);
  close_line(r, SDB_CLOSE_LOST, ""); /* it says so before the replica's turn ends */
  assert_int_equal(r->disconnects, 0);
  assert_int_equal(r->connects, 2);
  go_live(r);
}

static void one_who_starts_offline_connects_when_told(void **state) {
  (void)state;
  rig *r = rig_begin();
  sdb_replica_options options = rig_options(r);
  options.start_offline = true;
  rig_start(r, &options);
  rig_pass(r, 3600000);
  assert_int_equal(r->connects, 0);
  sdb_replica_go_online(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->connects, 1);
  rig_free(r);
}

/* ---- tokens ---- */

static rig *rig_with_tokens(bool in_hello) {
  rig *r = rig_begin();
  sdb_replica_options options = rig_options(r);
  options.needs_token = true;
  options.token_in_hello = in_hello;
  rig_start(r, &options);
  return r;
}

static void a_token_is_asked_for_before_the_first_connection(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  assert_int_equal(r->asked, 1);
  assert_int_equal(r->refused, 0);
  assert_int_equal(r->connects, 0);
  assert_int_equal(phase_of(r), SDB_CLIENT_CONNECTING);
  rig_pass(r, 29999);
  assert_int_equal(r->asked, 1);
  rig_pass(r, 1);
  assert_int_equal(r->asked, 2); /* nobody answered */
  give_token(r, "secret", 0);
  assert_int_equal(r->connects, 1);
  assert_string_equal(r->token, "secret");
  open_line(r);
  assert_null(json_object_get(sent(r, "client_hello"), "token"));
  rig_pass(r, 3600000);
  assert_int_equal(r->asked, 2);
  rig_free(r);
}

static void a_token_is_in_the_hello_where_the_upgrade_cannot_show_it(void **state) {
  (void)state;
  rig *r = rig_with_tokens(true);
  give_token(r, "a \"quoted\" one", 0);
  open_line(r);
  assert_string_equal(
      json_string_value(json_object_get(sent(r, "client_hello"), "token")), "a \"quoted\" one");
  rig_free(r);
}

static void a_new_token_is_shown_on_the_open_connection(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "first", 0);
  go_live(r);
  give_token(r, "second", 0);
  assert_string_equal(json_string_value(json_object_get(sent(r, "auth"), "token")), "second");
  close_line(r, SDB_CLOSE_LOST, "");
  rig_pass(r, 500);
  assert_string_equal(r->token, "second");
  rig_free(r);
}

static void a_token_that_comes_while_another_is_being_shown_is_shown_too(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "first", 0);
  give_token(r, "second", 0);
  assert_string_equal(r->token, "first");
  open_line(r);
  sent(r, "client_hello");
  assert_string_equal(json_string_value(json_object_get(sent(r, "auth"), "token")), "second");
  rig_free(r);
}

/* Nobody could be asked for another: this one must be tried by itself. */
static void a_refusal_is_of_the_token_that_was_shown_not_of_one_that_came_since(void **state) {
  rig *r = *state;
  give_token(r, "given a moment too late", 0);
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  rig_pass(r, 0);
  assert_int_equal(r->connects, 2);
  assert_string_equal(r->token, "given a moment too late");
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  assert_int_equal(phase_of(r), SDB_CLIENT_UNAUTHORIZED);
  rig_pass(r, 3600000);
  assert_int_equal(r->connects, 2);
  assert_int_equal(r->asked, 0);
}

static void a_refused_token_is_asked_for_anew_and_the_new_one_tried_at_once(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "bad", 0);
  open_line(r);
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  assert_int_equal(phase_of(r), SDB_CLIENT_UNAUTHORIZED);
  assert_int_equal(r->asked, 2);
  assert_int_equal(r->refused, 1);
  assert_int_equal(r->connects, 1);
  give_token(r, "good", 0);
  assert_int_equal(r->connects, 2);
  assert_string_equal(r->token, "good");
  go_live(r);
  rig_free(r);
}

static void an_application_with_bad_tokens_is_asked_at_most_twice_a_minute(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  unsigned answered = 0;
  for (int second = 0; second < 600; second++) {
    if (r->asked > answered) {
      answered = r->asked;
      give_token(r, "bad", 0);
    }
    if (r->connected) close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
    rig_pass(r, 1000);
  }
  assert_in_range(r->asked, 10, 23);
  assert_in_range(r->connects, 10, 23);
  rig_free(r);
}

static void a_new_token_is_asked_for_before_the_old_one_ends(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "an hour", 3600000);
  go_live(r);
  for (int second = 0; second < 3600 - 60; second++) {
    assert_int_equal(r->asked, 1);
    tell(r, "{\"type\":\"pong\"}");
    rig_pass(r, 1000);
  }
  assert_int_equal(r->asked, 2);
  assert_int_equal(r->refused, 0);
  give_token(r, "for a minute", 60000);
  sent(r, "auth");
  rig_pass(r, 44999);
  assert_int_equal(r->asked, 2);
  rig_pass(r, 1);
  assert_int_equal(r->asked, 3);
  rig_free(r);
}

static void tokens_that_end_at_once_are_asked_for_no_more_often(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  unsigned answered = 0;
  go_live((give_token(r, "short", 1), r));
  for (int tenth = 0; tenth < 6000; tenth++) {
    if (r->asked > answered) {
      answered = r->asked;
      give_token(r, "short", 1);
    }
    if (tenth % 100 == 0) tell(r, "{\"type\":\"pong\"}");
    rig_pass(r, 100);
  }
  assert_in_range(r->asked, 15, 22);
  rig_free(r);
}

static void a_token_that_never_ends_is_not_asked_for_again(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "for ever", UINT64_MAX);
  go_live(r);
  for (int i = 0; i < 100; i++) {
    rig_pass(r, 20000);
    tell(r, "{\"type\":\"pong\"}");
  }
  assert_int_equal(r->asked, 1);
  rig_free(r);
}

static void without_memory_for_a_new_token_the_old_one_stays(void **state) {
  rig *r = *state;
  give_token(r, "old", 0);
  r->memory.fail_at = 1;
  assert_false(sdb_replica_on_token(r->replica,
      sdb_slice_of("a new one that is longer than any room there may be, for all that "
                   "anybody knows about how much there is"),
      0, r->now_ms));
  r->memory.fail_at = 0;
  close_line(r, SDB_CLOSE_LOST, "");
  rig_pass(r, 500);
  assert_string_equal(r->token, "old");
}

static void nobody_is_asked_while_offline(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  sdb_replica_go_offline(r->replica, r->now_ms);
  rig_pass(r, 3600000);
  sdb_replica_on_timer(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->asked, 1);
  give_token(r, "kept", 0);
  assert_int_equal(r->connects, 0);
  sdb_replica_go_online(r->replica, r->now_ms);
  rig_drain(r);
  assert_int_equal(r->connects, 1);
  assert_int_equal(r->asked, 1);
  rig_free(r);
}

static void one_who_has_only_his_token_waits_for_another_when_it_is_refused(void **state) {
  rig *r = *state;
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  assert_int_equal(phase_of(r), SDB_CLIENT_UNAUTHORIZED);
  rig_pass(r, 3600000);
  assert_int_equal(r->connects, 1);
  give_token(r, "another", 0);
  assert_int_equal(r->connects, 2);
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  sdb_replica_go_online(r->replica, r->now_ms); /* somebody wants it tried all the same */
  rig_drain(r);
  assert_int_equal(r->connects, 3);
}

static void online_asks_for_another_token_than_the_one_that_was_refused(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "bad", 0);
  open_line(r);
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  assert_int_equal(r->asked, 2);
  for (int i = 0; i < 2; i++) { /* the second time while it is waited for */
    sdb_replica_go_online(r->replica, r->now_ms);
    rig_drain(r);
    assert_int_equal(phase_of(r), SDB_CLIENT_CONNECTING);
    assert_int_equal(r->asked, 3);
    assert_int_equal(r->connects, 1);
  }
  give_token(r, "good", 0);
  assert_string_equal(r->token, "good");
  go_live(r);
  rig_free(r);
}

static void a_second_refusal_a_while_later_is_asked_about_at_once(void **state) {
  (void)state;
  rig *r = rig_with_tokens(false);
  give_token(r, "bad", 0);
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  assert_int_equal(r->asked, 2);
  give_token(r, "bad too", 0);
  rig_pass(r, 29999); /* on its way all the time */
  r->now_ms += 2;
  close_line(r, SDB_CLOSE_UNAUTHORIZED, "");
  assert_int_equal(r->asked, 3);
  assert_int_equal(r->refused, 2);
  rig_free(r);
}

static void a_token_that_comes_while_connecting_is_shown_once(void **state) {
  (void)state;
  for (int in_hello = 0; in_hello < 2; in_hello++) {
    rig *r = rig_with_tokens(in_hello == 1);
    give_token(r, "old", 0);
    give_token(r, "new", 0);
    open_line(r);
    json_t *hello = sent(r, "client_hello");
    if (in_hello) {
      assert_string_equal(text_of(hello, "token"), "new");
    } else {
      assert_null(json_object_get(hello, "token"));
      assert_string_equal(text_of(sent(r, "auth"), "token"), "new");
    }
    assert_nothing_sent(r);
    rig_free(r);
  }
}

/* ---- pushes and ranges over the end of one ---- */

/* The time in which nobody ran is not the server's: as with one that was late, it begins anew. */
static void a_push_that_was_on_its_way_when_the_machine_slept_has_its_whole_time_again(
    void **state) {
  rig *r = *state;
  go_live(r);
  rig_note(r, "x");
  sent(r, "update");
  r->now_ms += 3600000;
  close_line(r, SDB_CLOSE_LOST, "");
  rig_pass(r, 500);
  go_live(r);
  sent(r, "update");
  rig_pass(r, 9000);
  assert_int_equal(rig_status(r).failed, 0);
  rig_pass(r, 1000);
  assert_int_equal(rig_status(r).failed, 1);
}

static void a_fetch_answered_with_1012_makes_the_next_hello_name_its_range(void **state) {
  (void)state;
  static const uint32_t WINDOWS[STORES_COUNT] = {SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 0};
  rig *r = rig_begin();
  sdb_replica_options options = rig_options(r);
  options.windows = WINDOWS;
  rig_start(r, &options);
  open_line(r);
  assert_null(json_object_get(sent(r, "client_hello"), "missing"));
  tell(r, GREETING_OF(NOTHING, NOTHING, "{\"head\":\"" ID("05") "\",\"reset\":false}"));
  tell(r, SYNCED_TO_HEAD("account"));
  tell(r, SYNCED_TO_HEAD("chatMessage"));
  tell(r, "{\"type\":\"synced\",\"data\":{\"store\":\"note\",\"after\":null,\"before\":null,"
          "\"more\":true}}");
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "06") "\",\"object\":{\"text\":\"x\"}}}");
  assert_int_equal(sdb_replica_older(r->replica, NOTE, (sdb_uuid){{0}}, 10), SDB_OK);
  rig_drain(r);
  sent(r, "fetch");
  close_line(r, SDB_CLOSE_RESTART, "");
  rig_pass(r, 500);
  open_line(r);
  json_t *missing = json_object_get(sent(r, "client_hello"), "missing");
  assert_int_equal(json_array_size(json_object_get(missing, "note")), 1);
  rig_free(r);
}

/* ---- what is said of it ---- */

static void what_a_server_says_is_shown_as_one_line_of_text(void **state) {
  rig *r = *state;
  close_line(r, SDB_CLOSE_LOST,
      "a\tb\n\x7F\xC2\x85"
      "c\xC2\xA9");
  assert_string_equal(rig_status(r).problem, "the connection ended: a b    c\xC2\xA9");
  rig_pass(r, 500);
  go_live(r);
  tell(r, "{\"type\":\"error\",\"data\":{\"code\":\"rate_limited\",\"message\":"
          "\"not\\nnow\\u0085\\u001b[2J\"}}");
  assert_string_equal(rig_status(r).problem, "not now   [2J");
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_RIG(the_first_connection_is_made_at_once_and_begins_with_a_hello),
      ON_RIG(waits_double_from_half_a_second_to_thirty),
      ON_RIG(the_wait_is_anything_from_nothing_to_the_most),
      ON_RIG(only_a_connection_that_lasted_lets_the_waits_begin_anew),
      ON_RIG(a_connection_that_is_not_made_in_thirty_seconds_is_given_up),
      ON_RIG(a_server_that_names_a_time_is_obeyed),
      ON_RIG(a_server_that_always_says_at_once_is_not_called_at_once),
      ON_RIG(a_server_cannot_send_anybody_away_for_longer_than_ten_minutes),
      ON_RIG(a_reason_that_is_no_range_is_passed_over),
      ON_RIG(a_server_that_goes_away_is_connected_to_again),
      ON_RIG(a_message_too_large_is_the_largest_push_and_is_not_sent_again_by_itself),
      ON_RIG(a_message_too_large_without_a_push_refuses_none),
      ON_RIG(a_late_push_is_not_overtaken_by_a_newer_one_of_its_object),
      ON_RIG(a_late_push_of_a_singular_store_is_not_overtaken_either),
      ON_RIG(a_server_that_is_silent_is_asked_and_then_given_up),
      ON_RIG(whatever_a_server_says_shows_that_it_lives),
      ON_RIG(a_server_that_says_nothing_knows_only_the_four_messages),
      ON_RIG(a_server_that_greets_late_is_not_taken_for_live_before_it_synced),
      ON_RIG(offline_ends_every_state_and_online_begins_anew),
      ON_RIG(online_ends_a_wait_for_the_next_try),
      ON_RIG(an_open_connection_is_ended_however_often_it_is_changed_before_a_turn_ends),
      ON_RIG(what_comes_of_a_connection_that_was_given_up_is_nothing),
      ON_RIG(a_connection_that_ends_while_it_is_given_up_is_not_given_up_again),
      cmocka_unit_test(one_who_starts_offline_connects_when_told),
      cmocka_unit_test(a_token_is_asked_for_before_the_first_connection),
      cmocka_unit_test(a_token_is_in_the_hello_where_the_upgrade_cannot_show_it),
      cmocka_unit_test(a_new_token_is_shown_on_the_open_connection),
      cmocka_unit_test(a_token_that_comes_while_another_is_being_shown_is_shown_too),
      ON_RIG(a_refusal_is_of_the_token_that_was_shown_not_of_one_that_came_since),
      cmocka_unit_test(a_refused_token_is_asked_for_anew_and_the_new_one_tried_at_once),
      cmocka_unit_test(an_application_with_bad_tokens_is_asked_at_most_twice_a_minute),
      cmocka_unit_test(a_new_token_is_asked_for_before_the_old_one_ends),
      cmocka_unit_test(tokens_that_end_at_once_are_asked_for_no_more_often),
      cmocka_unit_test(a_token_that_never_ends_is_not_asked_for_again),
      ON_RIG(without_memory_for_a_new_token_the_old_one_stays),
      cmocka_unit_test(nobody_is_asked_while_offline),
      ON_RIG(one_who_has_only_his_token_waits_for_another_when_it_is_refused),
      cmocka_unit_test(online_asks_for_another_token_than_the_one_that_was_refused),
      cmocka_unit_test(a_second_refusal_a_while_later_is_asked_about_at_once),
      cmocka_unit_test(a_token_that_comes_while_connecting_is_shown_once),
      ON_RIG(a_push_that_was_on_its_way_when_the_machine_slept_has_its_whole_time_again),
      cmocka_unit_test(a_fetch_answered_with_1012_makes_the_next_hello_name_its_range),
      ON_RIG(what_a_server_says_is_shown_as_one_line_of_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
