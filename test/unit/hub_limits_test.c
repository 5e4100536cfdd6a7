/* hub_limits_test.c: what is much or many: frames in a turn, users, pushes on their way; and who
 * is read again after a while. */
#include "hub_requests.h"

static void a_burst_of_frames_is_sent_whole_and_its_memory_given_back(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  size_t live = h->memory.live;
  for (int i = 0; i < 2000; i++)
    say(d, "{\"type\":\"ping\"}");
  settle(h);
  for (int i = 0; i < 2000; i++)
    take_text(d, "{\"type\":\"pong\"}");
  assert_silent(d);
  assert_true(h->memory.live < live); /* the queue of what is sent is made anew */
  assert_answers_ping(d);
  harness_free(h);
}

static void users_beyond_the_tables_first_size_are_all_found(void **state) {
  (void)state;
  harness *h = harness_make();
  char name[16];
  for (unsigned round = 0; round < 2; round++) {
    for (unsigned i = 0; i < 1000; i++) {
      snprintf(name, sizeof(name), "user %u", i);
      sdb_request request = {.kind = round ? SDB_REQUEST_LIST : SDB_REQUEST_PUT,
          .user = sdb_slice_of(name),
          .store = NOTE,
          .limit = 10,
          .object = sdb_slice_of("{\"text\":\"x\"}")};
      assert_true(sdb_hub_request(h->hub, &request, h->now_ms));
      if (i == 499 || i == 999) {
        settle(h);
        for (unsigned done = 0; done < 500; done++) {
          record *r = take_record(h, SDB_HUB_DONE);
          assert_int_equal(r->status, SDB_OK);
          if (round) assert_int_equal(r->rows, 1);
        }
        h->records_first = h->records_count = 0;
      }
    }
  }
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.users, 0);
  harness_free(h);
}

static void pushes_far_over_what_may_be_on_their_way_are_limited(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.in_flight_max = 3;
  harness *h = harness_with(&limits);
  device *d = device_ready(h, "ada");
  for (unsigned i = 0; i < 3 + SDB_IN_FLIGHT_OVERSHOOT + 1; i++)
    push_note(d, "x", i);
  drain(h);
  json_t *error = take_error(d, "rate_limited");
  assert_string_equal(text_of(error, "clientId"), client_id(3 + SDB_IN_FLIGHT_OVERSHOOT).text);
  assert_silent(d);
  h->mute = true;
  settle(h);
  assert_open(d);
  harness_free(h);
}

static void a_name_of_a_store_that_is_longer_than_any_is_unknown(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  char name[601] = "";
  for (int i = 0; i < 100; i++)
    memcpy(name + 6 * i, "\\u0061", 7);
  sayf(d, "{\"type\":\"remove\",\"data\":{\"store\":\"%s\",\"id\":\"%s\"}}", name,
      client_id(1).text);
  settle(h);
  take_error(d, "unknown_store");
  harness_free(h);
}

static void nobody_need_be_able_to_subscribe(void **state) {
  (void)state;
  harness *h = harness_begin();
  sdb_hub_options options;
  harness_options(h, &options);
  options.subscribed = NULL;
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_OK);
  h->subscribed = 1 << NOTE;
  note_stored(device_ready(h, "ada"), "x", 1);
  assert_no_record(h);
  harness_free(h);
}

/* The next reading of a user, which fails. */
static void fail_reading(void *context, sdb_op *list) {
  harness *h = context;
  for (sdb_op *op = list; op; op = op->next) {
    if (op->kind == SDB_OP_USER && h->now_ms > START_MS) op->status = SDB_UNAVAILABLE;
  }
  sdb_hub_on_completed(h->hub, list, h->now_ms);
}

static void who_is_live_stays_so_when_the_user_cannot_be_read_again(void **state) {
  (void)state;
  harness *h = harness_begin_with(fail_reading);
  sdb_hub_options options;
  harness_options(h, &options);
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_OK);
  device *live = device_ready(h, "ada");
  h->now_ms += 61000; /* what was read of her is old by now */
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  settle(h);
  assert_closed(d, 1013);
  assert_open(live);
  note_stored(live, "on", 2);
  device *silent = device_connect(h, "bob"); /* of whom nothing was ever read, and no hello yet */
  settle(h);
  assert_closed(silent, 1013);
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_burst_of_frames_is_sent_whole_and_its_memory_given_back),
      cmocka_unit_test(users_beyond_the_tables_first_size_are_all_found),
      cmocka_unit_test(pushes_far_over_what_may_be_on_their_way_are_limited),
      cmocka_unit_test(a_name_of_a_store_that_is_longer_than_any_is_unknown),
      cmocka_unit_test(nobody_need_be_able_to_subscribe),
      cmocka_unit_test(who_is_live_stays_so_when_the_user_cannot_be_read_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
