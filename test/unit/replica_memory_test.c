/* replica_memory_test.c: the device without memory: at every point of everything that it does.
 *
 * A story is told again and again, with the first allocation failing (it alone, the next too, or
 * all after it), then the second... Whatever fails: nothing crashes, nothing leaks (phone_kill
 * sees to that), and each request is answered once. When memory is back the device comes to rest,
 * in step with the server: what was answered with SDB_OK is there once, what was refused is not.
 */
#include "replica_harness.h"

#define ASKS_MAX 32

/* A request of the story's, and what is to be seen of it at the end. */
typedef struct ask {
  unsigned begun, answers;
  sdb_status status;
  sdb_uuid client_id;
  const char *text; /* that the server then has; NULL: nothing to see */
  const char *gone; /* that it then has no more */
  bool given_up;    /* it was discarded */
} ask;

typedef struct story {
  world *w;
  phone *p;
  ask asks[ASKS_MAX];
  size_t asks_count;
  failing_plan plan;
} story;

typedef void (*story_fn)(story *s);

static void on_answer(phone *p, const sdb_replica_output *output) {
  (void)p;
  ask *a = output->tag;
  a->answers++;
  a->status = output->status;
  a->client_id = output->client_id;
  if (output->status != SDB_OK) assert_int_equal(output->error->status, output->status);
}

/* The owner's part where the storage failed: it is attached again, at most so often. */
static void heal(story *s) {
  settle_world(s->w);
  for (int i = 0; i < 3 && s->p->storage_failed != SDB_OK; i++) {
    s->p->storage_failed = SDB_OK;
    sdb_replica_attach(s->p->replica, sdb_memory_local_port(s->p->local), s->w->now_ms);
    settle_world(s->w);
  }
}

/* ---- what the application asks ---- */

static ask *begin_ask(story *s, sdb_replica_request request) {
  assert_true(s->asks_count < ASKS_MAX);
  ask *a = &s->asks[s->asks_count++];
  request.tag = a;
  request.wall_ms = s->w->wall_ms;
  a->status = SDB_NO_MEMORY;
  a->begun = sdb_replica_request_begin(s->p->replica, &request, s->w->now_ms);
  phone_drain(s->p);
  return a;
}

static ask *push_text(story *s, const char *text) {
  char object[200];
  note_text(object, sizeof(object), text);
  ask *a =
      begin_ask(s, (sdb_replica_request){
                       .kind = SDB_REPLICA_PUSH, .store = NOTE, .object = sdb_slice_of(object)});
  a->text = text;
  return a;
}

static ask *update_text(story *s, sdb_uuid id, const char *old, const char *text) {
  char object[200];
  note_text(object, sizeof(object), text);
  ask *a = begin_ask(
      s, (sdb_replica_request){
             .kind = SDB_REPLICA_UPDATE, .store = NOTE, .id = id, .object = sdb_slice_of(object)});
  a->text = text;
  a->gone = old;
  return a;
}

static ask *remove_text(story *s, sdb_uuid id, const char *old) {
  ask *a = begin_ask(s, (sdb_replica_request){.kind = SDB_REPLICA_REMOVE, .store = NOTE, .id = id});
  a->gone = old;
  return a;
}

static void read_some(story *s) {
  begin_ask(s, (sdb_replica_request){.kind = SDB_REPLICA_LIST, .store = NOTE, .limit = 10});
  begin_ask(s, (sdb_replica_request){.kind = SDB_REPLICA_SINGULAR, .store = ACCOUNT});
  begin_ask(
      s, (sdb_replica_request){.kind = SDB_REPLICA_GET, .store = NOTE, .id = s->p->records[0].id});
}

/* ---- how it ends ---- */

static size_t count_on_server(const server_objects *objects, const char *text) {
  char start[220];
  size_t count = 0;
  snprintf(start, sizeof(start), "{\"text\":\"%s\"", text);
  for (size_t i = 0; i < objects->count; i++)
    count += strstr(objects->objects[i], start) == objects->objects[i];
  return count;
}

static void check_ask(const ask *a, const server_objects *objects) {
  assert_int_equal(a->answers, a->begun);
  bool accepted = a->begun && a->status == SDB_OK && !a->given_up;
  if (a->text && count_on_server(objects, a->text) != accepted)
    fail_msg("%s: %s, %d on the server", a->text, accepted ? "accepted" : "refused",
        (int)count_on_server(objects, a->text));
  if (a->gone && count_on_server(objects, a->gone) != !accepted)
    fail_msg("%s: %s, %d on the server", a->gone, accepted ? "taken away" : "kept",
        (int)count_on_server(objects, a->gone));
}

static void retry_failed(phone *p) {
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  while (sdb_replica_next_unsynced(p->replica, &cursor, &push)) {
    if (push.error) assert_int_equal(sdb_replica_retry(p->replica, push.client_id), SDB_OK);
  }
}

static void load_older(story *s) {
  for (int i = 0; i < 100; i++) {
    if (sdb_replica_older(s->p->replica, NOTE, (sdb_uuid){{0}}, 10) == SDB_NOT_FOUND) return;
    settle_world(s->w);
  }
  fail_msg("there is always something older");
}

static void check_outcome(story *s) {
  world *w = s->w;
  s->p->offline = false;
  sdb_memory_local_fail(s->p->local, SDB_OK);
  sdb_replica_go_online(s->p->replica, w->now_ms);
  heal(s);
  until_live(w);
  retry_failed(s->p);
  until_live(w);
  load_older(s);
  assert_in_step(s->p);
  phone_kill(s->p); /* nor does anything come back that was refused */
  phone_start(s->p);
  until_live(w);
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  for (size_t i = 0; i < s->asks_count; i++)
    check_ask(&s->asks[i], objects);
  free_server(objects);
  free(objects);
}

typedef struct telling {
  story_fn tell;
  const uint32_t *windows;
  bool arms; /* it says itself from where on allocations fail */
} telling;

/* One run of the loop. */
static bool tell_story(const void *context, failing_plan plan) {
  const telling *t = context;
  story *s = calloc(1, sizeof(*s));
  assert_non_null(s);
  s->w = world_new();
  s->w->windows = t->windows;
  s->p = phone_new_stopped(s->w, "ada");
  s->p->on_answer = on_answer;
  phone_start(s->p);
  settle_world(s->w);
  s->plan = plan;
  if (!t->arms) failing_memory_arm(&s->p->memory, plan);
  t->tell(s);
  bool failed = failing_memory_disarm(&s->p->memory);
  check_outcome(s);
  world_free(s->w);
  free(s);
  return failed;
}

static void tell_with_each_allocation_failing(story_fn fn, const uint32_t *windows) {
  with_some_allocations_failing(tell_story, &(telling){fn, windows, false}, 2);
}

/* ---- stories ---- */

static void changes(story *s) {
  world *w = s->w;
  sdb_uuid first = server_note(w, "ada", "first");
  sdb_uuid second = server_note(w, "ada", "second");
  heal(s);
  push_text(s, "one");
  push_text(s, "two");
  heal(s);
  update_text(s, first, "first", "first, but otherwise");
  remove_text(s, second, "second");
  begin_ask(s, (sdb_replica_request){.kind = SDB_REPLICA_PUSH,
                   .store = ACCOUNT,
                   .object = sdb_slice_of("{\"name\":\"Ada\"}")});
  heal(s);
  read_some(s);
  begin_ask(s, (sdb_replica_request){.kind = SDB_REPLICA_REMOVE, .store = ACCOUNT});
  begin_ask(
      s, (sdb_replica_request){
             .kind = SDB_REPLICA_PUSH, .store = NOTE, .object = sdb_slice_of("{\"text\":7}")});
  heal(s);
}

static void changes_without_memory_are_refused_or_reach_the_server_once(void **state) {
  (void)state;
  tell_with_each_allocation_failing(changes, NULL);
}

static void offline(story *s) {
  world *w = s->w;
  s->p->offline = true;
  line_cut(s->p, false);
  heal(s);
  ask *one = push_text(s, "one");
  ask *two = push_text(s, "two");
  ask *three = push_text(s, "three");
  heal(s);
  if (one->status == SDB_OK) update_text(s, one->client_id, "one", "one, but otherwise");
  if (one->status == SDB_OK) one->text = NULL; /* its update tells */
  if (two->status == SDB_OK) remove_text(s, two->client_id, "two");
  if (two->status == SDB_OK) two->text = NULL;
  if (three->status == SDB_OK)
    three->given_up = sdb_replica_discard(s->p->replica, three->client_id) == SDB_OK;
  heal(s);
  s->p->offline = false;
  pass(w, 2000);
  heal(s);
  pass(w, 40000);
}

static void pushes_changed_offline_without_memory_are_as_they_were_answered(void **state) {
  (void)state;
  tell_with_each_allocation_failing(offline, NULL);
}

static void chained(story *s) {
  world *w = s->w;
  ask *one = push_text(s, "one");
  line_cut(s->p, true); /* it arrived, and nobody knows */
  if (one->begun && one->status == SDB_OK) {
    update_text(s, one->client_id, "one", "one, but otherwise");
    one->text = NULL;
  }
  heal(s);
  pass(w, 40000);
  heal(s);
}

static void changes_behind_a_create_without_memory_follow_it(void **state) {
  (void)state;
  tell_with_each_allocation_failing(chained, NULL);
}

/* ---- much in one turn ---- */

#define MANY 20

static const char *const TEXTS[MANY] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9",
    "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"};

/* One change, so that those that follow begin at an odd place of their batch. */
static void see_partial(story *s) {
  static const char PARTIAL[] =
      "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":"
      "\"01974f63-6abc-7000-8107-66e6c9a45dda\",\"object\":{\"text\":\"\"}}}";
  sdb_replica_on_message(s->p->replica, sdb_slice_of(PARTIAL), s->w->now_ms);
}

static void lose_sent(phone *p) {
  for (char *lost; p->line && (lost = texts_take(&p->line->to_server));)
    free(lost);
}

static void many_pushes(story *s) {
  char object[200];
  see_partial(s);
  for (int i = 0; i < MANY; i++) {
    ask *a = &s->asks[s->asks_count++];
    note_text(object, sizeof(object), TEXTS[i]);
    sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
        .store = NOTE,
        .tag = a,
        .object = sdb_slice_of(object),
        .wall_ms = s->w->wall_ms};
    a->text = TEXTS[i];
    a->begun = sdb_replica_request_begin(s->p->replica, &request, s->w->now_ms);
  }
  heal(s);
  line_cut(s->p, true); /* the partial ends */
  heal(s);
}

static void many_discards(story *s) {
  ask *asks[MANY];
  for (int i = 0; i < MANY; i++)
    asks[i] = push_text(s, TEXTS[i]);
  lose_sent(s->p);
  see_partial(s);
  for (int i = 0; i < MANY; i++) {
    if (asks[i]->begun && asks[i]->status == SDB_OK)
      asks[i]->given_up = sdb_replica_discard(s->p->replica, asks[i]->client_id) == SDB_OK;
  }
  heal(s);
  line_cut(s->p, true);
  heal(s);
}

static void many_changes_in_one_turn_without_memory_each_stand_or_do_not(void **state) {
  (void)state;
  tell_with_each_allocation_failing(many_pushes, NULL);
  tell_with_each_allocation_failing(many_discards, NULL);
}

/* ---- what the server is told to say ---- */

/* The message that is on its way to the server is lost, and this is its answer. */
static void refuse(story *s, const ask *a) {
  char text[SDB_UUID_TEXT_SIZE + 1] = "", message[300];
  phone *p = s->p;
  if (!a->begun || a->status != SDB_OK || !p->line) return;
  lose_sent(p);
  sdb_uuid_format(a->client_id, text);
  snprintf(message, sizeof(message),
      "{\"type\":\"error\",\"data\":{\"code\":\"rejected\",\"message\":\"n\\u006f\",\"path\":\"/"
      "text\",\"clientId\":\"%s\"}}",
      text);
  sdb_replica_on_message(p->replica, sdb_slice_of(message), s->w->now_ms);
  heal(s);
}

static void refusals(story *s) {
  ask *one = push_text(s, "one");
  refuse(s, one);
  if (one->status == SDB_OK) (void)!sdb_replica_retry(s->p->replica, one->client_id);
  heal(s);
  ask *two = push_text(s, "two");
  refuse(s, two);
  if (two->begun && two->status == SDB_OK) {
    sdb_status status = sdb_replica_discard(s->p->replica, two->client_id);
    two->given_up = status == SDB_OK;
  }
  heal(s);
}

static void refusals_without_memory_can_be_tried_again_or_taken_back(void **state) {
  (void)state;
  tell_with_each_allocation_failing(refusals, NULL);
}

static void closes(story *s) {
  phone *p = s->p;
  push_text(s, "one");
  push_text(s, "a longer one than the other");
  if (p->line) {
    line *l = p->line;
    p->line = NULL;
    sdb_hub_on_disconnect(s->w->h->hub, l->peer, s->w->h->now_ms);
    line_free(l);
    sdb_replica_on_closed(
        p->replica, SDB_CLOSE_TOO_LARGE, sdb_slice_of("too large"), "", s->w->now_ms);
  }
  heal(s);
  pass(s->w, 3000);
  heal(s);
  (void)!sdb_replica_on_token(p->replica, sdb_slice_of("a token"), 0, s->w->now_ms);
  heal(s);
  sdb_replica_go_offline(p->replica, s->w->now_ms);
  heal(s);
  sdb_replica_go_online(p->replica, s->w->now_ms);
  heal(s);
}

static void connections_that_end_without_memory_are_made_again(void **state) {
  (void)state;
  tell_with_each_allocation_failing(closes, NULL);
}

/* ---- partials ---- */

static void ask_partial(story *s, sdb_request_kind kind, const char *text) {
  (void)server_ask(s->w, (sdb_request){.kind = kind,
                             .user = sdb_slice_of("ada"),
                             .store = NOTE,
                             .partial = 1,
                             .field = sdb_slice_of("text"),
                             .text = sdb_slice_of(text),
                             .object = kind == SDB_REQUEST_PARTIAL_COMMIT ? sdb_slice_make(NULL, 0)
                                                                          : sdb_slice_of(text)});
  heal(s);
}

static void partials(story *s) {
  ask_partial(s, SDB_REQUEST_PARTIAL_BEGIN, "{\"text\":\"\"}");
  ask_partial(s, SDB_REQUEST_PARTIAL_APPEND, "some text ");
  ask_partial(s, SDB_REQUEST_PARTIAL_APPEND, "and more");
  read_some(s);
  line_cut(s->p, false);
  heal(s);
  pass(s->w, 2000);
  heal(s);
  ask_partial(s, SDB_REQUEST_PARTIAL_APPEND, ", and more");
  ask_partial(s, SDB_REQUEST_PARTIAL_COMMIT, "");
  ask_partial(s, SDB_REQUEST_PARTIAL_BEGIN, "{\"text\":\"\"}");
  ask_partial(s, SDB_REQUEST_PARTIAL_APPEND, "given up");
  ask_partial(s, SDB_REQUEST_PARTIAL_ABORT, "");
}

static void partials_without_memory_are_seen_when_they_are_whole(void **state) {
  (void)state;
  tell_with_each_allocation_failing(partials, NULL);
}

/* ---- catching up ---- */

static void catch_ups(story *s) {
  world *w = s->w;
  char text[20];
  sdb_uuid last = {{0}};
  line_cut(s->p, false);
  for (int i = 0; i < 12; i++) {
    snprintf(text, sizeof(text), "number %d", i);
    last = server_note(w, "ada", text);
  }
  server_remove(w, "ada", NOTE, last);
  pass(w, 2000);
  heal(s);
  server_note(w, "ada", "live");
  heal(s);
  (void)!sdb_replica_older(s->p->replica, NOTE, (sdb_uuid){{0}}, 3);
  heal(s);
  read_some(s);
  line_cut(s->p, false);
  server_note(w, "ada", "missed");
  pass(w, 2000);
  heal(s);
}

static void a_catch_up_without_memory_is_begun_again(void **state) {
  (void)state;
  static const uint32_t WINDOWS[] = {
      SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 4}; /* chats, account, notes */
  tell_with_each_allocation_failing(catch_ups, NULL);
  tell_with_each_allocation_failing(catch_ups, WINDOWS);
}

/* ---- the storage ---- */

static void failures(story *s) {
  phone *p = s->p;
  push_text(s, "before");
  heal(s);
  sdb_memory_local_fail(p->local, SDB_IO);
  push_text(s, "meanwhile");
  server_note(s->w, "ada", "of the server");
  settle_world(s->w);
  sdb_memory_local_fail(p->local, SDB_OK);
  push_text(s, "after");
  heal(s);
  pass(s->w, 2000);
  heal(s);
}

static void storages_that_fail_without_memory_are_attached_again(void **state) {
  (void)state;
  tell_with_each_allocation_failing(failures, NULL);
}

/* ---- starting ---- */

static void starts(story *s) {
  world *w = s->w;
  phone *p = s->p;
  line_cut(p, false);
  p->offline = true;
  settle_world(w);
  heal(s);
  push_text(s, "kept");
  refuse(s, push_text(s, "kept too"));
  phone_kill(p);
  failing_memory_arm(&p->memory, s->plan);
  sdb_replica_options options;
  phone_options(p, &options);
  p->shown_count = 0;
  sdb_status status = sdb_replica_create(&options, &p->replica);
  if (status != SDB_OK) {
    assert_int_equal(status, SDB_NO_MEMORY);
    assert_int_equal(p->memory.live, 0);
    p->memory.fail_at = 0;
    assert_int_equal(sdb_replica_create(&options, &p->replica), SDB_OK);
  }
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  p->offline = false;
  heal(s);
}

static void a_device_that_starts_without_memory_starts_when_there_is_some(void **state) {
  (void)state;
  with_each_allocation_failing(tell_story, &(telling){starts, NULL, true});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(changes_without_memory_are_refused_or_reach_the_server_once),
      cmocka_unit_test(pushes_changed_offline_without_memory_are_as_they_were_answered),
      cmocka_unit_test(changes_behind_a_create_without_memory_follow_it),
      cmocka_unit_test(many_changes_in_one_turn_without_memory_each_stand_or_do_not),
      cmocka_unit_test(refusals_without_memory_can_be_tried_again_or_taken_back),
      cmocka_unit_test(connections_that_end_without_memory_are_made_again),
      cmocka_unit_test(partials_without_memory_are_seen_when_they_are_whole),
      cmocka_unit_test(a_catch_up_without_memory_is_begun_again),
      cmocka_unit_test(storages_that_fail_without_memory_are_attached_again),
      cmocka_unit_test(a_device_that_starts_without_memory_starts_when_there_is_some),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
