/* hub_memory_test.c: the hub without memory: at every point of everything that it does.
 *
 * A story is told again and again, with the first allocation failing (and all after it, or it
 * alone, or the next too), then the second... Whatever fails: nothing crashes, nothing leaks
 * (harness_free sees to that), a device that missed anything was closed, and one that was not
 * closed has it all.
 */
#include "hub_requests.h"

typedef struct story {
  harness *h;
  device *writer, *reader; /* both of ada's; the reader is live when it begins */
} story;

typedef void (*story_fn)(story *s);

static bool is_live(const device *d) {
  return d->peer && !d->closed;
}

static void say_if_live(device *d, const char *text) {
  if (is_live(d)) say(d, text);
}

/* Memory is back: those who were closed connect again. A device that stayed open must hold
 * exactly what one that connects now is sent. */
static void check_outcome(story *s) {
  harness *h = s->h;
  settle(h);
  h->records_first = h->records_count = 0;
  device *fresh = device_connect(h, "ada");
  assert_non_null(fresh);
  say(fresh, HELLO);
  settle(h);
  take(fresh, "server_hello");
  size_t stored = 0;
  for (char *text = next_text(fresh); text; text = next_text(fresh)) {
    stored += strstr(text, "{\"type\":\"update\"") == text;
    free(text);
  }
  assert_open(fresh);
  if (!is_live(s->reader)) return;
  size_t held = 0;
  for (char *text = next_text(s->reader); text; text = next_text(s->reader)) {
    held += strstr(text, "{\"type\":\"update\"") == text;
    held -= strstr(text, "{\"type\":\"remove\"") == text && strstr(text, "eventId") != NULL;
    free(text);
  }
  assert_int_equal(held, stored);
}

typedef struct telling {
  story_fn prepare; /* what is there before, with memory; or NULL */
  story_fn tell;
} telling;

/* One run of the loop. */
static bool tell(const void *context, failing_plan plan) {
  const telling *t = context;
  story s = {.h = harness_make()};
  harness *h = s.h;
  h->subscribed = ~0u;
  s.writer = device_ready(h, "ada");
  s.reader = device_ready(h, "ada");
  if (t->prepare) t->prepare(&s);
  failing_memory_arm(&h->memory, plan);
  t->tell(&s);
  bool failed = failing_memory_disarm(&h->memory);
  check_outcome(&s);
  harness_free(h);
  return failed;
}

static void tell_with_each_allocation_failing(story_fn fn) {
  with_each_allocation_failing(tell, &(telling){NULL, fn});
}

/* ---- stories ---- */

static void pushes(story *s) {
  push_note(s->writer, "one", 1);
  settle(s->h);
  if (is_live(s->writer)) push_account(s->writer, "Ada", 2);
  settle(s->h);
  if (is_live(s->writer)) push_account(s->writer, "nobody", 3); /* refused by its rule */
  say_if_live(
      s->writer, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":1}}}");
  say_if_live(s->writer, "{\"type\":\"unknown\"}");
  say_if_live(s->writer, "{\"type\":\"ping\"}");
  settle(s->h);
}

static void a_push_without_memory_is_unavailable_or_closes_and_nothing_leaks(void **state) {
  (void)state;
  tell_with_each_allocation_failing(pushes);
}

static void connections(story *s) {
  device *d = device_connect(s->h, "ada");
  if (d) {
    say(d, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"nothing\":null},"
           "\"window\":{\"note\":3}}}");
    if (is_live(d)) push_note(d, "behind the hello", 20);
  }
  settle(s->h);
  if (d) disconnect(d);
  d = device_connect(s->h, "bob");
  if (d) {
    say(d, HELLO);
    if (is_live(d)) say(d, "{\"type\":\"ping\"}");
  }
  settle(s->h);
  if (d) disconnect(d);
  settle(s->h);
}

static void a_hello_without_memory_closes_and_nothing_leaks(void **state) {
  (void)state;
  tell_with_each_allocation_failing(connections);
}

static void identities(story *s) {
  device *d = device_connect(s->h, "");
  if (!d) return;
  say(d, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"token\":\"t\"}}");
  drain(s->h);
  if (d->authenticate)
    sdb_hub_on_identity(s->h->hub, d->peer, sdb_slice_of("carol"), START_MS + 9, s->h->now_ms);
  settle(s->h);
  say_if_live(d, "{\"type\":\"auth\",\"data\":{\"token\":\"u\"}}");
  settle(s->h);
  if (d->authenticate == 2)
    sdb_hub_on_identity(s->h->hub, d->peer, sdb_slice_of("carol"), 0, s->h->now_ms);
  settle(s->h);
}

static void an_identity_without_memory_closes_and_nothing_leaks(void **state) {
  (void)state;
  tell_with_each_allocation_failing(identities);
}

/* Whatever there is to be judged may be; but the second. */
static void answer_questions(story *s) {
  harness *h = s->h;
  for (unsigned i = 0; h->records_first < h->records_count; i++) {
    const record *r = &h->records[h->records_first++];
    if (r->kind != SDB_HUB_JUDGE) continue;
    sdb_error error = {.status = SDB_REJECTED, .message = "no"};
    sdb_hub_on_verdict(h->hub, r->ticket, i == 1 ? SDB_REJECTED : SDB_OK, &error, h->now_ms);
    settle(h);
  }
}

static void verdicts(story *s) {
  s->h->judged = ~0u;
  push_note(s->writer, "one", 1);
  if (is_live(s->writer)) push_note(s->writer, "two", 2);
  if (is_live(s->writer)) push_account(s->writer, "Ada", 3);
  settle(s->h);
  answer_questions(s);
  char *text = is_live(s->writer) ? next_text(s->writer) : NULL;
  const char *id = text ? strstr(text, "\"id\":\"") : NULL;
  if (id) {
    char note[SDB_UUID_TEXT_SIZE + 1] = {0};
    memcpy(note, id + 6, SDB_UUID_TEXT_SIZE);
    remove_object(s->writer, note, 4);
  }
  free(text);
  settle(s->h);
  answer_questions(s);
}

static void a_verdict_without_memory_is_unavailable_or_closes_and_nothing_leaks(void **state) {
  (void)state;
  tell_with_each_allocation_failing(verdicts);
}

static void catch_ups(story *s) {
  device *d = device_connect(s->h, "ada");
  if (!d) return;
  say(d, HELLO);
  settle(s->h);
  say_if_live(d, "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"limit\":2}}");
  settle(s->h);
}

static void stored_before(story *s) {
  s->h->subscribed = 0;
  for (unsigned i = 0; i < 70; i++)
    push_note(s->writer, "some text", i);
  settle(s->h);
}

static void a_catch_up_without_memory_closes_and_nothing_leaks(void **state) {
  (void)state;
  with_each_allocation_failing(tell, &(telling){stored_before, catch_ups});
}

static bool ask_if_possible(harness *h, sdb_request_kind kind, uint64_t handle, const char *text) {
  sdb_request request = request_for("ada", kind, NOTE);
  request.partial = handle;
  request.field = sdb_slice_of("text");
  request.text = request.object = sdb_slice_of(text);
  request.limit = 3;
  bool taken = sdb_hub_request(h->hub, &request, h->now_ms);
  settle(h);
  return taken;
}

static void requests(story *s) {
  unsigned taken = 0;
  s->h->subscribed = 0;
  taken += ask_if_possible(s->h, SDB_REQUEST_PUT, 0, "{\"text\":\"by the application\"}");
  taken += ask_if_possible(s->h, SDB_REQUEST_LIST, 0, "");
  taken += ask_if_possible(s->h, SDB_REQUEST_PUT, 0, "{\"text\":7}");
  sdb_request request = request_for("dora", SDB_REQUEST_PUT, NOTE);
  request.object = sdb_slice_of("{\"text\":\"x\"}");
  taken += sdb_hub_request(s->h->hub, &request, s->h->now_ms);
  settle(s->h);
  assert_int_equal(s->h->records_count, taken); /* each one taken is done */
}

static void a_request_without_memory_is_refused_or_done_and_nothing_leaks(void **state) {
  (void)state;
  tell_with_each_allocation_failing(requests);
}

static void partials(story *s) {
  harness *h = s->h;
  unsigned taken = 0;
  taken += ask_if_possible(h, SDB_REQUEST_PARTIAL_BEGIN, 1, "{\"text\":\"\",\"n\":\"\"}");
  for (int i = 0; i < 10; i++)
    taken += ask_if_possible(h, SDB_REQUEST_PARTIAL_APPEND, 1, "some more text ");
  taken += ask_if_possible(h, SDB_REQUEST_PARTIAL_SET, 1, "{\"text\":\"again\"}");
  device *d = device_connect(h, "ada");
  if (d) say(d, HELLO);
  settle(h);
  taken += ask_if_possible(h, SDB_REQUEST_PARTIAL_COMMIT, 1, "{\"text\":\"the end\"}");
  taken += ask_if_possible(h, SDB_REQUEST_PARTIAL_ABORT, 1, "");
  assert_int_equal(h->records_count, taken);
}

static void a_partial_without_memory_is_refused_or_done_and_nothing_leaks(void **state) {
  (void)state;
  tell_with_each_allocation_failing(partials);
}

static bool make_hub(const void *context, failing_plan plan) {
  (void)context;
  harness *h = harness_begin();
  sdb_hub_options options;
  harness_options(h, &options);
  failing_memory_arm(&h->memory, plan);
  sdb_status status = sdb_hub_create(&options, &h->hub);
  bool failed = failing_memory_disarm(&h->memory);
  assert_int_equal(status, failed ? SDB_NO_MEMORY : SDB_OK);
  harness_free(h);
  return failed;
}

static void a_hub_without_memory_is_not_made(void **state) {
  (void)state;
  with_each_allocation_failing(make_hub, NULL);
}

static void a_hub_takes_with_it_who_is_connected_and_what_was_not_taken(void **state) {
  (void)state;
  harness *h = harness_make();
  device *d = device_ready(h, "ada"), *closing = device_ready(h, "ada");
  say(d, "{\"type\":\"ping\"}");
  say(closing, "nonsense");
  push_note(d, "x", 1);
  flush(h);
  store(h);
  sdb_request put = {.user = {"ada", 3}, .store = NOTE, .object = {"[]", 2}};
  assert_true(sdb_hub_request(h->hub, &put, h->now_ms));
  d->peer = closing->peer = NULL;
  sdb_hub_destroy(h->hub);
  h->hub = NULL;
  sdb_hub_destroy(NULL);
  harness_free(h); /* which finds nothing left */
}

static void a_hub_of_no_stores_or_too_many_is_not_made(void **state) {
  (void)state;
  harness *h = harness_begin();
  sdb_hub_options options;
  harness_options(h, &options);
  options.stores_count = 0;
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_INVALID_ARGUMENT);
  options.stores_count = SDB_STORES_MAX + 1;
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_INVALID_ARGUMENT);
  harness_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_push_without_memory_is_unavailable_or_closes_and_nothing_leaks),
      cmocka_unit_test(a_hello_without_memory_closes_and_nothing_leaks),
      cmocka_unit_test(an_identity_without_memory_closes_and_nothing_leaks),
      cmocka_unit_test(a_verdict_without_memory_is_unavailable_or_closes_and_nothing_leaks),
      cmocka_unit_test(a_catch_up_without_memory_closes_and_nothing_leaks),
      cmocka_unit_test(a_request_without_memory_is_refused_or_done_and_nothing_leaks),
      cmocka_unit_test(a_partial_without_memory_is_refused_or_done_and_nothing_leaks),
      cmocka_unit_test(a_hub_without_memory_is_not_made),
      cmocka_unit_test(a_hub_takes_with_it_who_is_connected_and_what_was_not_taken),
      cmocka_unit_test(a_hub_of_no_stores_or_too_many_is_not_made),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
