/* hub_judge_test.c: pushes that the application is asked about before they are stored. */
#include "hub_harness.h"

static harness *judging(uint32_t stores) {
  harness *h = harness_make();
  h->judged = stores;
  return h;
}

static void allow(harness *h, const record *r) {
  sdb_hub_on_verdict(h->hub, r->ticket, SDB_OK, NULL, h->now_ms);
}

static void refuse(harness *h, const record *r, sdb_status status, const char *message) {
  sdb_error error = {.status = status};
  snprintf(error.message, sizeof(error.message), "%s", message);
  snprintf(error.path, sizeof(error.path), "/text");
  sdb_hub_on_verdict(h->hub, r->ticket, status, &error, h->now_ms);
}

static record *take_question(harness *h, sdb_action action, const char *part) {
  record *r = take_record(h, SDB_HUB_JUDGE);
  assert_int_equal(r->action, action);
  assert_non_null(strstr(r->object, part));
  return r;
}

/* ---- one push ---- */

static void a_push_is_stored_only_when_the_verdict_is_yes(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada");
  push_note(d, "hi", 1);
  settle(h);
  assert_silent(d);
  record *r = take_question(h, SDB_ACTION_CREATE, "\"text\":\"hi\"");
  assert_int_equal(r->store, NOTE);
  assert_string_equal(r->user, "ada");
  assert_string_equal(text_of_uuid(r->client_id).text, client_id(1).text);
  assert_no_record(h);
  allow(h, r);
  settle(h);
  take_note(d, "hi");
  harness_free(h);
}

static void a_refusal_is_told_with_its_words_and_nothing_is_stored(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  h->subscribed = ~0u;
  device *d = device_ready(h, "ada");
  push_note(d, "hi", 1);
  settle(h);
  refuse(h, take_record(h, SDB_HUB_JUDGE), SDB_REJECTED, "Not today!");
  settle(h);
  json_t *error = take_error(d, "rejected");
  assert_string_equal(text_of(error, "message"), "Not today!");
  assert_string_equal(text_of(error, "path"), "/text");
  assert_string_equal(text_of(error, "clientId"), client_id(1).text);
  assert_string_equal(text_of(error, "store"), "note");
  push_note(d, "hi", 2);
  settle(h);
  refuse(h, take_record(h, SDB_HUB_JUDGE), SDB_INVALID_OBJECT, "too short");
  settle(h);
  take_error(d, "invalid_object");
  push_note(d, "hi", 3);
  settle(h);
  refuse(h, take_record(h, SDB_HUB_JUDGE), SDB_IO, "secrets of the application");
  settle(h);
  assert_string_equal(
      text_of(take_error(d, "unavailable"), "message"), sdb_status_text(SDB_UNAVAILABLE));
  assert_no_record(h);
  device *fresh = device_ready(h, "ada");
  assert_silent(fresh);
  harness_free(h);
}

static void what_schema_or_rules_refuse_is_not_asked_about(void **state) {
  (void)state;
  harness *h = judging(~0u);
  device *d = device_ready(h, "ada");
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":5}}}");
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":"
         "{\"role\":\"assistant\",\"message\":\"hi\"}}}");
  settle(h);
  take_error(d, "invalid_object");
  take_error(d, "rejected");
  assert_no_record(h);
  harness_free(h);
}

static void stores_without_a_judge_are_not_asked_about(void **state) {
  (void)state;
  harness *h = judging(1u << CHAT);
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "hi", 1);
  remove_object(d, id.text, 2); /* of some store: the transaction tells which */
  settle(h);
  take(d, "remove");
  assert_no_record(h);
  harness_free(h);
}

static void the_applications_own_changes_are_not_asked_about(void **state) {
  (void)state;
  harness *h = judging(~0u);
  device *d = device_ready(h, "ada");
  sdb_request put = {.kind = SDB_REQUEST_PUT, .user = {"ada", 3}, .store = NOTE};
  put.object = sdb_slice_of("{\"text\":\"mine\"}");
  assert_true(sdb_hub_request(h->hub, &put, h->now_ms));
  settle(h);
  take_note(d, "mine");
  take_record(h, SDB_HUB_DONE);
  assert_no_record(h);
  harness_free(h);
}

/* ---- order ---- */

static void all_of_a_connection_are_asked_about_at_once_and_stored_in_order(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_note(d, "two", 2);
  push_account(d, "Ada", 3); /* not judged, but behind */
  push_note(d, "three", 4);
  drain(h);
  record *one = take_question(h, SDB_ACTION_CREATE, "one");
  record *two = take_question(h, SDB_ACTION_CREATE, "two");
  record *three = take_question(h, SDB_ACTION_CREATE, "three");
  allow(h, three);
  allow(h, two);
  settle(h);
  assert_silent(d);
  allow(h, one);
  settle(h);
  take_note(d, "one");
  take_note(d, "two");
  assert_string_equal(text_of(take(d, "update"), "store"), "account");
  take_note(d, "three");
  harness_free(h);
}

static void a_refusal_in_the_middle_lets_the_others_go_on(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada");
  for (unsigned i = 1; i <= 3; i++)
    push_note(d, i == 1 ? "one" : i == 2 ? "two" : "three", i);
  settle(h);
  record *one = take_record(h, SDB_HUB_JUDGE), *two = take_record(h, SDB_HUB_JUDGE),
         *three = take_record(h, SDB_HUB_JUDGE);
  refuse(h, two, SDB_REJECTED, "no");
  settle(h);
  take_error(d, "rejected");
  allow(h, three);
  settle(h);
  assert_silent(d);
  allow(h, one);
  settle(h);
  take_note(d, "one");
  take_note(d, "three");
  harness_free(h);
}

static void other_connections_are_not_held_up(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada"), *second = device_ready(h, "ada"),
         *other = device_ready(h, "bob");
  push_note(d, "waits", 1);
  push_account(second, "Ada", 2);
  push_note(other, "goes", 3);
  settle(h);
  take_record(h, SDB_HUB_JUDGE);
  assert_string_equal(text_of(take(second, "update"), "store"), "account");
  take(d, "update");
  allow(h, take_question(h, SDB_ACTION_CREATE, "goes"));
  settle(h);
  take_note(other, "goes");
  harness_free(h);
}

/* ---- what is known inside a transaction only ---- */

static void of_a_remove_the_object_that_is_there_is_shown(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "hi", 1);
  h->judged = 1u << NOTE;
  remove_object(d, id.text, 2);
  push_note(d, "behind", 3);
  settle(h);
  record *r = take_question(h, SDB_ACTION_CREATE, "behind");
  allow(h, r);
  r = take_question(h, SDB_ACTION_DELETE, "\"text\":\"hi\"");
  assert_int_equal(r->store, NOTE);
  settle(h);
  assert_silent(d);
  allow(h, r);
  settle(h);
  assert_string_equal(text_of(take(d, "remove"), "id"), id.text);
  take_note(d, "behind");
  assert_no_record(h);
  harness_free(h);
}

static void a_singular_push_is_shown_as_what_it_will_be(void **state) {
  (void)state;
  harness *h = judging(1u << ACCOUNT);
  device *d = device_ready(h, "ada");
  push_account(d, "Ada", 1);
  push_account(d, "Bob", 2);
  settle(h);
  allow(h, take_question(h, SDB_ACTION_CREATE, "Ada"));
  assert_no_record(h); /* one at a time */
  settle(h);
  take(d, "update");
  allow(h, take_question(h, SDB_ACTION_UPDATE, "Bob"));
  settle(h);
  take(d, "update");
  assert_no_record(h);
  harness_free(h);
}

static void what_changed_before_the_verdict_is_judged_anew(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "draft", 1);
  h->judged = 1u << NOTE;
  remove_object(d, id.text, 2);
  settle(h);
  record *r = take_question(h, SDB_ACTION_DELETE, "draft");
  sdb_request put = {
      .kind = SDB_REQUEST_PUT, .user = {"ada", 3}, .store = NOTE, .id = uuid_of(id.text)};
  put.object = sdb_slice_of("{\"text\":\"published\"}");
  assert_true(sdb_hub_request(h->hub, &put, h->now_ms));
  settle(h);
  take_note(d, "published");
  take_record(h, SDB_HUB_DONE);
  allow(h, r);
  settle(h);
  assert_silent(d);
  refuse(h, take_question(h, SDB_ACTION_DELETE, "published"), SDB_REJECTED, "It is out");
  settle(h);
  take_error(d, "rejected");
  harness_free(h);
}

static void what_changes_each_time_is_given_up_at_last(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id = note_stored(d, "0", 1);
  h->judged = 1u << NOTE;
  remove_object(d, id.text, 2);
  settle(h);
  for (int i = 0; i < 16; i++) {
    record *r = take_record(h, SDB_HUB_JUDGE);
    char object[32];
    snprintf(object, sizeof(object), "{\"text\":\"%d\"}", i + 1);
    sdb_request put = {
        .kind = SDB_REQUEST_PUT, .user = {"ada", 3}, .store = NOTE, .id = uuid_of(id.text)};
    put.object = sdb_slice_of(object);
    assert_true(sdb_hub_request(h->hub, &put, h->now_ms));
    settle(h);
    take(d, "update");
    take_record(h, SDB_HUB_DONE);
    allow(h, r);
    settle(h);
  }
  take_error(d, "unavailable");
  assert_no_record(h);
  harness_free(h);
}

static void a_remove_of_what_is_not_there_is_not_asked_about(void **state) {
  (void)state;
  harness *h = judging(~0u);
  device *d = device_ready(h, "ada");
  remove_object(d, id_of_seq(77).text, 1);
  settle(h);
  take_error(d, "not_found");
  assert_no_record(h);
  harness_free(h);
}

static void the_stores_own_rule_is_asked_first_inside_the_transaction_too(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  say(d, "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":"
         "{\"role\":\"user\",\"message\":\"keep\"}}}");
  settle(h);
  uuid_text id = keep_id(text_of(take(d, "update"), "id"));
  h->judged = ~0u;
  remove_object(d, id.text, 2);
  settle(h);
  assert_string_equal(text_of(take_error(d, "rejected"), "message"), "This one stays!");
  assert_no_record(h);
  harness_free(h);
}

static void a_push_that_was_stored_before_is_answered_with_its_event(void **state) {
  (void)state;
  harness *h = judging(1u << ACCOUNT);
  device *d = device_ready(h, "ada");
  push_account(d, "Ada", 1);
  settle(h);
  allow(h, take_record(h, SDB_HUB_JUDGE));
  settle(h);
  take(d, "update");
  push_account(d, "Ada", 1);
  settle(h);
  take(d, "update");
  assert_no_record(h);
  harness_free(h);
}

static void when_the_storage_fails_while_looking_the_push_is_unavailable(void **state) {
  (void)state;
  harness *h = judging(1u << ACCOUNT);
  device *d = device_ready(h, "ada");
  sdb_memory_storage_fail_commits(h->storage, 1);
  push_account(d, "Ada", 1);
  settle(h);
  take_error(d, "unavailable");
  assert_no_record(h);
  push_account(d, "Ada", 1);
  settle(h);
  allow(h, take_record(h, SDB_HUB_JUDGE));
  settle(h);
  take(d, "update");
  harness_free(h);
}

/* ---- verdicts that come late, or never ---- */

static void no_verdict_in_time_is_unavailable_and_the_next_goes_on(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  h->now_ms += 1000;
  push_note(d, "two", 2);
  settle(h);
  record *one = take_record(h, SDB_HUB_JUDGE), *two = take_record(h, SDB_HUB_JUDGE);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 10000);
  h->now_ms = START_MS + 9999;
  sdb_hub_on_timer(h->hub, h->now_ms);
  settle(h);
  assert_silent(d);
  h->now_ms = START_MS + 10000;
  sdb_hub_on_timer(h->hub, h->now_ms);
  settle(h);
  assert_string_equal(text_of(take_error(d, "unavailable"), "clientId"), client_id(1).text);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), START_MS + 11000);
  allow(h, one); /* late: nobody waits for it */
  settle(h);
  assert_silent(d);
  allow(h, two);
  allow(h, two);
  refuse(h, two, SDB_REJECTED, "changed my mind");
  settle(h);
  take_note(d, "two");
  assert_silent(d);
  assert_int_equal(sdb_hub_deadline_ms(h->hub), UINT64_MAX);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.judge_timeouts, 1);
  assert_int_equal(stats.judging, 0);
  harness_free(h);
}

static void a_ticket_that_never_was_is_ignored(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  drain(h);
  record *r = take_record(h, SDB_HUB_JUDGE);
  const uint64_t wrong[] = {0, 1, r->ticket + 1, r->ticket ^ ((uint64_t)1 << 24), UINT64_MAX};
  for (size_t i = 0; i < SDB_COUNT_OF(wrong); i++)
    sdb_hub_on_verdict(h->hub, wrong[i], SDB_OK, NULL, h->now_ms);
  settle(h);
  assert_silent(d);
  allow(h, r);
  settle(h);
  take_note(d, "one");
  harness_free(h);
}

static void a_verdict_may_come_before_the_question_was_taken(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE);
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_note(d, "two", 2);
  sdb_hub_output output;
  assert_true(sdb_hub_next_output(h->hub, &output));
  uint64_t first = output.ticket; /* the next place's is one more */
  sdb_hub_on_verdict(h->hub, first + 1, SDB_REJECTED, NULL, h->now_ms);
  sdb_hub_on_verdict(h->hub, first, SDB_OK, NULL, h->now_ms);
  settle(h);
  take_error(d, "rejected");
  take_note(d, "one");
  assert_no_record(h);
  harness_free(h);
}

/* ---- connections that end ---- */

static void a_push_outlives_its_connection(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE | 1u << ACCOUNT);
  device *d = device_ready(h, "ada"), *other = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_account(d, "Ada", 2);
  push_note(d, "three", 3);
  settle(h);
  disconnect(d);
  record *one = take_record(h, SDB_HUB_JUDGE), *three = take_record(h, SDB_HUB_JUDGE);
  refuse(h, three, SDB_REJECTED, "nobody hears it");
  allow(h, one);
  settle(h);
  take_note(other, "one");
  allow(h, take_question(h, SDB_ACTION_CREATE, "Ada"));
  settle(h);
  take(other, "update");
  assert_silent(other);
  harness_free(h);
}

static void a_connection_with_many_pushes_waiting_is_read_no_further(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.in_flight_max = 3;
  harness *h = harness_with(&limits);
  h->judged = 1u << NOTE;
  device *d = device_ready(h, "ada");
  for (unsigned i = 0; i < 3; i++) {
    assert_true(sdb_hub_wants_input(d->peer));
    push_note(d, "x", i);
  }
  settle(h);
  assert_false(sdb_hub_wants_input(d->peer));
  allow(h, take_record(h, SDB_HUB_JUDGE));
  settle(h);
  assert_true(sdb_hub_wants_input(d->peer));
  harness_free(h);
}

/* ---- the end ---- */

static void when_judging_stops_what_waits_is_forgotten_without_a_word(void **state) {
  (void)state;
  harness *h = judging(1u << NOTE | 1u << ACCOUNT);
  device *d = device_ready(h, "ada"), *other = device_ready(h, "bob");
  push_note(d, "one", 1);
  push_note(d, "two", 2);
  push_account(other, "Bob", 3); /* at the storage, to be looked at */
  flush(h);
  drain(h);
  record *one = take_record(h, SDB_HUB_JUDGE);
  sdb_hub_stop_judging(h->hub);
  allow(h, one);
  settle(h);
  assert_silent(d);
  assert_silent(other);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.judging, 0);
  assert_true(sdb_hub_wants_input(d->peer));
  harness_free(h);
}

static void a_hub_takes_with_it_what_waits_for_a_verdict(void **state) {
  (void)state;
  harness *h = judging(~0u);
  device *d = device_ready(h, "ada");
  push_note(d, "one", 1);
  push_account(d, "Ada", 2);
  push_note(d, "three", 3);
  sdb_hub_destroy(h->hub);
  h->hub = NULL;
  d->peer = NULL;
  harness_free(h); /* which finds nothing left */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_push_is_stored_only_when_the_verdict_is_yes),
      cmocka_unit_test(a_refusal_is_told_with_its_words_and_nothing_is_stored),
      cmocka_unit_test(what_schema_or_rules_refuse_is_not_asked_about),
      cmocka_unit_test(stores_without_a_judge_are_not_asked_about),
      cmocka_unit_test(the_applications_own_changes_are_not_asked_about),
      cmocka_unit_test(all_of_a_connection_are_asked_about_at_once_and_stored_in_order),
      cmocka_unit_test(a_refusal_in_the_middle_lets_the_others_go_on),
      cmocka_unit_test(other_connections_are_not_held_up),
      cmocka_unit_test(of_a_remove_the_object_that_is_there_is_shown),
      cmocka_unit_test(a_singular_push_is_shown_as_what_it_will_be),
      cmocka_unit_test(what_changed_before_the_verdict_is_judged_anew),
      cmocka_unit_test(what_changes_each_time_is_given_up_at_last),
      cmocka_unit_test(a_remove_of_what_is_not_there_is_not_asked_about),
      cmocka_unit_test(the_stores_own_rule_is_asked_first_inside_the_transaction_too),
      cmocka_unit_test(a_push_that_was_stored_before_is_answered_with_its_event),
      cmocka_unit_test(when_the_storage_fails_while_looking_the_push_is_unavailable),
      cmocka_unit_test(no_verdict_in_time_is_unavailable_and_the_next_goes_on),
      cmocka_unit_test(a_ticket_that_never_was_is_ignored),
      cmocka_unit_test(a_verdict_may_come_before_the_question_was_taken),
      cmocka_unit_test(a_push_outlives_its_connection),
      cmocka_unit_test(a_connection_with_many_pushes_waiting_is_read_no_further),
      cmocka_unit_test(when_judging_stops_what_waits_is_forgotten_without_a_word),
      cmocka_unit_test(a_hub_takes_with_it_what_waits_for_a_verdict),
  };
  return cmocka_run_group_tests_name("hub_judge", tests, NULL, NULL);
}
