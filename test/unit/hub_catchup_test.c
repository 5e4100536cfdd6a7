/* hub_catchup_test.c: catch-up and fetch: pages, races with writes, slow readers. */
#include "hub_harness.h"

static const char *number_text(unsigned number) {
  static char text[8][16];
  static unsigned next;
  char *to = text[next++ % 8];
  snprintf(to, sizeof(text[0]), "%u", number);
  return to;
}

/* Stores `count` notes, "0" and so on, and gives their ids in `ids` (or NULL). */
static void store_notes(device *writer, unsigned count, uuid_text *ids) {
  for (unsigned i = 0; i < count; i++) {
    uuid_text id = note_stored(writer, number_text(i), i + 1);
    if (ids) ids[i] = id;
  }
}

/* A device that has said its hello with this head; its user is in memory, its page not asked
 * for yet. */
static device *greet_with(harness *h, const char *fields) {
  device *d = device_connect(h, "ada");
  sayf(d, "{\"type\":\"client_hello\",\"data\":{%s}}", fields);
  drain(h);
  take(d, "server_hello");
  return d;
}

/* ---- pages ---- */

static void a_long_catch_up_comes_in_pages_newest_first_and_each_event_once(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  store_notes(writer, 1500, NULL);
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  settle(h);
  take(d, "server_hello");
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  for (unsigned i = 1500; i-- > 0;)
    take_note(d, number_text(i));
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  sdb_hub_stats stats;
  sdb_hub_stats_get(h->hub, &stats);
  assert_int_equal(stats.catch_up_events, 1500);
  assert_true(stats.catch_up_pages >= 3);
  harness_free(h);
}

static void one_page_of_a_device_is_read_at_a_time(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  store_notes(writer, 700, NULL);
  device *d = greet_with(h, "\"syncStatus\":{}");
  for (unsigned pages = 0;; pages++) {
    flush(h);
    assert_in_range(sdb_memory_storage_queued(h->storage), 0, 1);
    if (store(h) == 0) break;
    assert_true(pages < 20);
    drain(h);
  }
  forget_messages(d);
  harness_free(h);
}

static void a_catch_up_waits_for_a_reader_and_goes_on_where_it_stopped(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  limits.output_soft_bytes = 30000;
  harness *h = harness_with(&limits);
  device *writer = device_ready(h, "ada");
  store_notes(writer, 2000, NULL);
  device *d = device_connect(h, "ada");
  d->stuck = true;
  say(d, HELLO);
  settle(h);
  size_t held = d->unread;
  assert_in_range(held, 30000, 30000 + SDB_PAGE_BYTES_MAX + SDB_PAGE_EVENTS_MAX * 200);
  settle(h);
  assert_int_equal(d->unread, held);
  d->stuck = false;
  settle(h);
  take(d, "server_hello");
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  for (unsigned i = 2000; i-- > 0;)
    take_note(d, number_text(i));
  take_synced(d, "note", "", "", false);
  harness_free(h);
}

static void live_events_flow_between_catch_up_messages(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  store_notes(writer, 3, NULL);
  device *d = greet_with(h, "\"syncStatus\":{}");
  push_note(writer, "live", 10);
  settle(h);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  /* The page was asked for before the push was stored. */
  for (unsigned i = 3; i-- > 0;)
    take_note(d, number_text(i));
  take_synced(d, "note", "", "", false);
  take_note(d, "live");
  assert_silent(d);
  harness_free(h);
}

static void a_device_that_goes_during_its_catch_up_leaves_nothing_behind(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  store_notes(writer, 700, NULL);
  device *d = greet_with(h, "\"syncStatus\":{}");
  flush(h);
  disconnect(d);
  store(h);
  assert_false(drain(h));
  settle(h);
  harness_free(h);
}

/* ---- a hello while writes are on their way ---- */

static void a_write_on_its_way_at_the_hello_comes_live_and_once(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  store_notes(writer, 2, NULL);
  push_note(writer, "on its way", 10);
  flush(h);
  device *d = greet_with(h, "\"syncStatus\":{}"); /* its page is asked for behind the write */
  settle(h);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  take_note(d, "on its way"); /* the page holds only what was there at the hello */
  take_note(d, "1");
  take_note(d, "0");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_write_stored_but_not_reported_at_the_hello_comes_once(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  push_account(writer, "Ada", 1);
  settle(h);
  push_account(writer, "Ada Lovelace", 2);
  flush(h);
  device *d = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  /* The old one is gone from the storage by the time the page is read. */
  json_t *data = take(d, "update");
  assert_string_equal(text_of(object_of(data), "name"), "Ada Lovelace");
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

/* ---- never stale after fresh ---- */

/* The page is read, then the write is carried out and told; then the page's answer comes. */
static sdb_op *late_list;

static void keep_page_back(void *context, sdb_op *list) {
  harness *h = context;
  sdb_op *others = NULL, **last = &others;
  while (list) {
    sdb_op *op = list;
    list = op->next;
    op->next = NULL;
    if (op->kind == SDB_OP_PAGE) {
      op->next = late_list;
      late_list = op;
    } else {
      *last = op;
      last = &op->next;
    }
  }
  if (others) sdb_hub_on_completed(h->hub, others, h->now_ms);
}

/* As if the storage read pages on another thread: they come when the test says so. */
static harness *harness_with_late_pages(void) {
  harness *h = harness_begin_with(keep_page_back);
  sdb_hub_options options;
  harness_options(h, &options);
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_OK);
  late_list = NULL;
  return h;
}

static void page_comes(harness *h) {
  sdb_op *op = late_list;
  assert_non_null(op);
  late_list = NULL;
  sdb_hub_on_completed(h->hub, op, h->now_ms);
  drain(h);
}

static void all_pages_come(harness *h);

static void a_page_that_cannot_be_read_closes_with_1013(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  all_pages_come(h);
  skip_catch_up(d);
  store_notes(d, 2, NULL);
  device *reader = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  late_list->status = SDB_UNAVAILABLE;
  page_comes(h);
  take_synced(reader, "account", "", "", false);
  take_synced(reader, "chatMessage", "", "", false);
  assert_closed(reader, 1013);
  assert_answers_ping(d);
  harness_free(h);
}

static void all_pages_come(harness *h) {
  for (settle(h); late_list; settle(h))
    page_comes(h);
}

static device *ready_with_late_pages(harness *h) {
  device *d = device_connect(h, "ada");
  say(d, HELLO);
  all_pages_come(h);
  skip_catch_up(d);
  return d;
}

static void an_object_replaced_while_a_page_is_read_is_not_sent_as_it_was(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *writer = ready_with_late_pages(h);
  uuid_text ids[3];
  store_notes(writer, 3, ids);
  device *d = greet_with(h, "\"syncStatus\":{}");
  settle(h); /* the page is read, and not told yet */
  uuid_text event = note_replaced(writer, ids[1].text, "new", 10);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  json_t *live = take(d, "update");
  assert_string_equal(text_of(live, "eventId"), event.text);
  page_comes(h);
  take_note(d, "2");
  take_note(d, "0");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void an_object_removed_while_a_page_is_read_is_not_sent_any_more(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *writer = ready_with_late_pages(h);
  uuid_text ids[2];
  store_notes(writer, 2, ids);
  device *d = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  note_removed(writer, ids[1].text, 10);
  page_comes(h);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  take(d, "remove");
  take_note(d, "0");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_singular_object_replaced_while_its_page_is_read_is_not_sent_as_it_was(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *writer = ready_with_late_pages(h);
  push_account(writer, "Ada", 1);
  settle(h);
  device *d = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  push_account(writer, "Ada Lovelace", 2);
  settle(h);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(object_of(data), "name"), "Ada Lovelace");
  page_comes(h);
  take_synced(d, "account", "", "", false);
  harness_free(h);
}

static void a_remove_read_in_a_page_is_not_sent_after_the_object_that_came_since(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *writer = ready_with_late_pages(h);
  push_account(writer, "Ada", 1);
  settle(h);
  uuid_text id = keep_id(text_of(take(writer, "update"), "id"));
  remove_object(writer, id.text, 2);
  settle(h);
  char fields[200];
  snprintf(fields, sizeof(fields), "\"syncStatus\":{\"account\":\"%s\"}", id.text);
  device *d = greet_with(h, fields);
  settle(h);
  push_account(writer, "Ada again", 3);
  settle(h);
  take(d, "update");
  page_comes(h);
  take_synced(d, "account", id.text, "", false);
  all_pages_come(h);
  forget_messages(d);
  harness_free(h);
}

static void a_page_is_read_again_when_too_much_was_overwritten_meanwhile(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *writer = ready_with_late_pages(h);
  uuid_text ids[2];
  store_notes(writer, 2, ids);
  device *d = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  for (unsigned i = 0; i < 300; i++)
    replace_note(writer, ids[0].text, "again", 100 + i);
  settle(h);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  for (unsigned i = 0; i < 300; i++)
    take(d, "update");
  page_comes(h);
  assert_silent(d); /* what is stale in it cannot be told */
  all_pages_come(h);
  take_note(d, "1");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_device_that_greets_while_the_note_is_full_waits_and_gets_all(void **state) {
  (void)state;
  harness *h = harness_with_late_pages();
  device *writer = ready_with_late_pages(h);
  uuid_text ids[2];
  store_notes(writer, 2, ids);
  device *d = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  for (unsigned i = 0; i < 300; i++)
    replace_note(writer, ids[0].text, "again", 100 + i);
  settle(h);
  device *second = greet_with(h, "\"syncStatus\":{}");
  settle(h);
  all_pages_come(h);
  forget_messages(d);
  take_synced(second, "account", "", "", false);
  take_synced(second, "chatMessage", "", "", false);
  take_note(second, "again");
  take_note(second, "1");
  take_synced(second, "note", "", "", false);
  harness_free(h);
}

/* ---- fetch ---- */

static void fetch(device *d, const char *after, const char *before, const char *limit) {
  sayf(d, "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"after\":%s%s%s,\"before\":%s%s%s%s}}",
      after ? "\"" : "", after ? after : "null", after ? "\"" : "", before ? "\"" : "",
      before ? before : "null", before ? "\"" : "", limit);
  settle(d->harness);
}

static void a_fetch_is_answered_with_the_newest_of_the_range_and_a_synced(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text ids[6];
  store_notes(d, 6, ids);
  fetch(d, ids[0].text, ids[5].text, ",\"limit\":2");
  take_note(d, "4");
  take_note(d, "3");
  take_synced(d, "note", ids[0].text, ids[5].text, true);
  fetch(d, ids[0].text, ids[3].text, ",\"limit\":2");
  take_note(d, "2");
  take_note(d, "1");
  take_synced(d, "note", ids[0].text, ids[3].text, false);
  fetch(d, NULL, ids[1].text, ",\"limit\":50");
  take_note(d, "0");
  take_synced(d, "note", "", ids[1].text, false);
  fetch(d, ids[4].text, NULL, ",\"limit\":1000000000000");
  take_note(d, "5");
  take_synced(d, "note", ids[4].text, "", false);
  fetch(d, ids[5].text, NULL, ",\"limit\":1");
  take_synced(d, "note", ids[5].text, "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_fetch_from_beyond_the_head_brings_nothing(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text id;
  store_notes(d, 1, &id);
  uuid_text beyond = id_of_seq(seq_of(id.text) + 5);
  fetch(d, beyond.text, NULL, ",\"limit\":9");
  take_synced(d, "note", beyond.text, "", false);
  assert_silent(d);
  harness_free(h);
}

static void a_fetch_gives_what_is_now_removes_too(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  uuid_text ids[3];
  store_notes(d, 3, ids);
  note_removed(d, ids[1].text, 10);
  fetch(d, NULL, NULL, ",\"limit\":9");
  assert_string_equal(text_of(take(d, "remove"), "id"), ids[1].text);
  take_note(d, "2");
  take_note(d, "0");
  take_synced(d, "note", "", "", false);
  harness_free(h);
}

static void a_fetch_of_more_than_a_page_is_answered_whole_up_to_the_limit_of_limits(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  store_notes(d, 1100, NULL);
  fetch(d, NULL, NULL, ",\"limit\":2000");
  for (unsigned i = 0; i < SDB_LIST_LIMIT_MAX; i++)
    take_note(d, number_text(1099 - i));
  take_synced(d, "note", "", "", true);
  assert_silent(d);
  harness_free(h);
}

static void a_fetch_that_is_wrong_is_answered_with_an_error(void **state) {
  (void)state;
  static const char *const FETCHES[][2] = {
      {"{\"limit\":1}", "bad_message"},
      {"{\"store\":\"nothing\",\"limit\":1}", "unknown_store"},
      {"{\"store\":\"note\"}", "bad_message"},
      {"{\"store\":\"note\",\"limit\":0}", "bad_message"},
      {"{\"store\":\"note\",\"limit\":-1}", "bad_message"},
      {"{\"store\":\"note\",\"limit\":\"1\"}", "bad_message"},
      {"{\"store\":\"note\",\"limit\":1,\"before\":\"x\"}", "bad_message"},
      {"{\"store\":\"note\",\"limit\":1,\"after\":\"01974f63-6abc-7000-8107-66e6c9a45dda\"}",
          "bad_message"},
      {"{\"store\":\"note\",\"limit\":1,\"before\":\"01974f63-6abc-7000-8107-66e6c9a45dda\"}",
          "bad_message"},
  };
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  for (size_t i = 0; i < SDB_COUNT_OF(FETCHES); i++) {
    sayf(d, "{\"type\":\"fetch\",\"data\":%s}", FETCHES[i][0]);
    settle(h);
    take_error(d, FETCHES[i][1]);
  }
  uuid_text ids[2];
  store_notes(d, 2, ids);
  fetch(d, ids[1].text, ids[0].text, ",\"limit\":1");
  assert_string_equal(text_of(take_error(d, "bad_message"), "store"), "note");
  assert_answers_ping(d);
  harness_free(h);
}

static void another_users_event_shows_nothing_of_theirs(void **state) {
  (void)state;
  harness *h = harness_make();
  uuid_text theirs = note_stored(device_ready(h, "bob"), "his", 1);
  device *d = device_ready(h, "ada");
  fetch(d, NULL, theirs.text, ",\"limit\":10");
  take_synced(d, "note", "", theirs.text, false);
  assert_silent(d);
  harness_free(h);
}

static void a_fetch_goes_before_what_is_left_of_the_catch_up(void **state) {
  (void)state;
  harness *h = harness_make();
  device *writer = device_ready(h, "ada");
  uuid_text ids[700];
  store_notes(writer, 700, ids);
  device *d = greet_with(h, "\"syncStatus\":{}");
  flush(h); /* the first page is on its way */
  sayf(d,
      "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"after\":null,\"before\":\"%s\",\"limit\":"
      "2}}",
      ids[9].text);
  sayf(d,
      "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"after\":null,\"before\":\"%s\",\"limit\":"
      "1}}",
      ids[5].text);
  settle(h);
  take_synced(d, "account", "", "", false);
  take_synced(d, "chatMessage", "", "", false);
  unsigned at = 700;
  for (; at > 636; at--)
    take_note(d, number_text(at - 1));
  take_note(d, "8");
  take_note(d, "7");
  take_synced(d, "note", "", ids[9].text, true);
  take_note(d, "4");
  take_synced(d, "note", "", ids[5].text, true);
  for (; at > 0; at--)
    take_note(d, number_text(at - 1));
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

static void too_many_fetches_at_once_are_limited(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  store_notes(d, 2, NULL);
  unsigned limited = 0;
  for (unsigned i = 0; i < 40; i++)
    say(d, "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"limit\":1}}");
  settle(h);
  for (char *text = next_text(d); text; text = next_text(d)) {
    limited += strstr(text, "rate_limited") != NULL;
    free(text);
  }
  assert_int_equal(limited, 40 - 16);
  fetch(d, NULL, NULL, ",\"limit\":1");
  take_note(d, "1");
  harness_free(h);
}

static void a_fetch_up_to_now_does_not_send_what_is_about_to_come_live(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada");
  store_notes(d, 1, NULL);
  push_note(d, "live", 10);
  say(d, "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"limit\":5}}");
  settle(h); /* the write is carried out before the page is read */
  take_note(d, "live");
  take_note(d, "0");
  take_synced(d, "note", "", "", false);
  assert_silent(d);
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_long_catch_up_comes_in_pages_newest_first_and_each_event_once),
      cmocka_unit_test(one_page_of_a_device_is_read_at_a_time),
      cmocka_unit_test(a_catch_up_waits_for_a_reader_and_goes_on_where_it_stopped),
      cmocka_unit_test(live_events_flow_between_catch_up_messages),
      cmocka_unit_test(a_page_that_cannot_be_read_closes_with_1013),
      cmocka_unit_test(a_device_that_goes_during_its_catch_up_leaves_nothing_behind),
      cmocka_unit_test(a_write_on_its_way_at_the_hello_comes_live_and_once),
      cmocka_unit_test(a_write_stored_but_not_reported_at_the_hello_comes_once),
      cmocka_unit_test(an_object_replaced_while_a_page_is_read_is_not_sent_as_it_was),
      cmocka_unit_test(an_object_removed_while_a_page_is_read_is_not_sent_any_more),
      cmocka_unit_test(a_singular_object_replaced_while_its_page_is_read_is_not_sent_as_it_was),
      cmocka_unit_test(a_remove_read_in_a_page_is_not_sent_after_the_object_that_came_since),
      cmocka_unit_test(a_page_is_read_again_when_too_much_was_overwritten_meanwhile),
      cmocka_unit_test(a_device_that_greets_while_the_note_is_full_waits_and_gets_all),
      cmocka_unit_test(a_fetch_is_answered_with_the_newest_of_the_range_and_a_synced),
      cmocka_unit_test(a_fetch_from_beyond_the_head_brings_nothing),
      cmocka_unit_test(a_fetch_gives_what_is_now_removes_too),
      cmocka_unit_test(a_fetch_of_more_than_a_page_is_answered_whole_up_to_the_limit_of_limits),
      cmocka_unit_test(a_fetch_that_is_wrong_is_answered_with_an_error),
      cmocka_unit_test(another_users_event_shows_nothing_of_theirs),
      cmocka_unit_test(a_fetch_goes_before_what_is_left_of_the_catch_up),
      cmocka_unit_test(too_many_fetches_at_once_are_limited),
      cmocka_unit_test(a_fetch_up_to_now_does_not_send_what_is_about_to_come_live),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
