/* replica_push_test.c: unsynced pushes: exactly once, the ten seconds, refusals, retry and discard,
 * changes of what has no id yet. */
#include "replica_harness.h"

#define NIL ((sdb_uuid){{0}})

static int setup(void **state) {
  *state = world_new();
  return 0;
}

static int teardown(void **state) {
  world_free(*state);
  return 0;
}

static size_t notes_on_server(world *w, const char *user) {
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, user, NOTE, objects);
  size_t count = objects->count;
  free_server(objects);
  free(objects);
  return count;
}

/* Delivers what the phone sent, without an answer coming back. */
static void server_hears(phone *p) {
  for (char *text; (text = texts_take(&p->line->to_server));) {
    sdb_hub_on_message(p->world->h->hub, p->line->peer, sdb_slice_of(text), p->world->h->now_ms);
    free(text);
  }
  while (hub_drain(p->world)) {
  }
}

static const shown *the_shown(phone *p) {
  assert_int_equal(p->shown_count, 1);
  return &p->shown[0];
}

/* ---- exactly once ---- */

static void a_push_whose_echo_was_lost_is_one_object_and_no_error(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "hi");
  pass(w, 0);
  phone_note(p, "lost");
  server_hears(p);
  line_cut(p, false);
  assert_int_equal(notes_on_server(w, "ada"), 2);
  assert_int_equal(phone_status(p).pending, 1);
  until_live(w);
  assert_int_equal(notes_on_server(w, "ada"), 2);
  assert_int_equal(phone_status(p).failed, 0);
  assert_in_step(p);
  (void)client_id;
}

static void the_answer_to_a_push_sent_again_moves_no_range(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada"), *other = phone_new(w, "ada");
  phone_note(p, "first");
  settle_world(w);
  phone_note(p, "lost");
  server_hears(p);
  line_cut(p, false);
  for (int i = 0; i < 100; i++) { /* what is above it, and is missed */
    char text[32];
    snprintf(text, sizeof(text), "other%d", i);
    phone_note(other, text);
    settle_world(w);
  }
  until_live(w);
  assert_in_step(p);
  assert_in_step(other);
}

/* ---- asked for twice under one client id ---- */

static const sdb_uuid GIVEN = {{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x47, 0x88, 0x99, [15] = 1}};

static sdb_replica_request given_note(bool asked_before) {
  return (sdb_replica_request){.kind = SDB_REPLICA_PUSH,
      .store = NOTE,
      .object = sdb_slice_of("{\"text\":\"given\"}"),
      .client_id = GIVEN,
      .asked_before = asked_before};
}

static void a_push_that_is_asked_for_twice_is_made_once(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  for (int i = 0; i < 2; i++) {
    assert_int_equal(phone_ask(p, given_note(i > 0)), SDB_OK);
    assert_true(sdb_uuid_equal(p->client_id, GIVEN));
  }
  assert_int_equal(phone_status(p).pending, 1);
  settle_world(w);
  /* It was seen back meanwhile. */
  assert_int_equal(phone_ask(p, given_note(true)), SDB_OK);
  assert_int_equal(phone_status(p).pending, 0);
  settle_world(w);
  assert_int_equal(notes_on_server(w, "ada"), 1);
  assert_in_step(p);
}

static void changes_too_are_made_once_under_their_client_id(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "one");
  settle_world(w);
  sdb_replica_request update = {.kind = SDB_REPLICA_UPDATE,
      .store = NOTE,
      .id = the_shown(p)->id,
      .object = sdb_slice_of("{\"text\":\"two\"}"),
      .client_id = GIVEN};
  for (int i = 0; i < 2; i++)
    assert_int_equal(phone_ask(p, update), SDB_OK);
  assert_int_equal(phone_status(p).pending, 1);
  sdb_replica_request account = {.kind = SDB_REPLICA_PUSH,
      .store = ACCOUNT,
      .object = sdb_slice_of("{\"name\":\"Ada\"}"),
      .client_id = {{[6] = 0x40, [15] = 2}}};
  for (int i = 0; i < 2; i++)
    assert_int_equal(phone_ask(p, account), SDB_OK);
  assert_int_equal(phone_status(p).pending, 2);
  settle_world(w);
  assert_in_step(p);
}

/* A tab asks a new leader for what the one before it has sent already. */
static void a_push_that_another_replica_sent_is_one_object_and_loses_no_event(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada"), *other = phone_new(w, "ada"), *next = phone_new(w, "ada");
  settle_world(w);
  assert_int_equal(phone_ask(p, given_note(false)), SDB_OK);
  settle_world(w);
  line_cut(next, false);
  for (int i = 0; i < 100; i++) { /* what is above it, and is missed */
    char text[32];
    snprintf(text, sizeof(text), "other%d", i);
    phone_note(other, text);
    settle_world(w);
  }
  assert_int_equal(phone_ask(next, given_note(true)), SDB_OK);
  until_live(w);
  assert_int_equal(notes_on_server(w, "ada"), 101);
  assert_in_step(next);
  assert_in_step(other);
}

static void what_another_replica_may_have_sent_is_not_changed_in_place(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  assert_int_equal(phone_ask(p, given_note(true)), SDB_OK);
  assert_int_equal(phone_update(p, NOTE, GIVEN, "{\"text\":\"final\"}"), SDB_OK);
  assert_int_equal(phone_status(p).pending, 2);
}

static void a_client_id_that_is_none_is_refused(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_replica_request request = given_note(false);
  request.client_id.bytes[6] = 0x70; /* version 7: an id of the server's */
  assert_int_equal(phone_ask(p, request), SDB_INVALID_ARGUMENT);
  assert_int_equal(phone_status(p).pending, 0);
}

/* ---- kept and sent ---- */

static void unsynced_pushes_outlive_the_process_and_are_sent_in_their_order(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  phone_note(p, "one");
  phone_note(p, "two");
  phone_note(p, "three");
  phone_kill(p);
  p->offline = false;
  phone_start(p);
  until_live(w);
  assert_int_equal(phone_list(p, NOTE, NIL, 10), 3);
  assert_non_null(strstr(p->records[0].object, "three"));
  assert_non_null(strstr(p->records[2].object, "one"));
  assert_in_step(p);
}

static void a_push_in_a_singular_store_is_in_memory_only(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"Ada\"}"), SDB_OK);
  assert_int_equal(phone_singular(p), SDB_OK);
  assert_int_equal(p->records[0].state, SDB_RECORD_PENDING);
  phone_kill(p);
  phone_start(p);
  settle_world(w);
  assert_int_equal(phone_singular(p), SDB_NOT_FOUND);
}

static void more_pushes_than_fit_a_window_all_arrive(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  for (int i = 0; i < 1000; i++) {
    char text[32];
    snprintf(text, sizeof(text), "%d", i);
    phone_note(p, text);
  }
  p->offline = false;
  until_live(w);
  assert_int_equal(notes_on_server(w, "ada"), 1000);
  assert_in_step(p);
}

static void over_the_limit_of_unsynced_pushes_a_push_is_refused_here(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  sdb_replica_options options;
  phone_options(p, &options);
  options.limits.pending_max = 2;
  options.start_offline = true;
  assert_int_equal(sdb_replica_create(&options, &p->replica), SDB_OK);
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  phone_note(p, "one");
  phone_note(p, "two");
  assert_int_equal(phone_push(p, NOTE, "{\"text\":\"three\"}"), SDB_LIMIT);
  assert_int_equal(p->shown_count, 2);
}

/* ---- refused here ---- */

static void what_schema_or_rules_refuse_is_neither_stored_nor_sent(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  assert_int_equal(phone_push(p, NOTE, "{\"text\":1}"), SDB_INVALID_OBJECT);
  assert_string_equal(p->error.path, "/text");
  assert_int_equal(phone_push(p, NOTE, "{\"text\":"), SDB_BAD_JSON);
  assert_int_equal(phone_push(p, NOTE, "{\"text\":\"a\",\"$id\":1}"), SDB_INVALID_OBJECT);
  assert_int_equal(
      phone_push(p, CHAT, "{\"role\":\"assistant\",\"message\":\"hi\"}"), SDB_REJECTED);
  assert_string_equal(p->error.message, "Only user messages can be created!");
  assert_int_equal(phone_push(p, CHAT, "{\"role\":\"user\",\"message\":\"keep\"}"), SDB_OK);
  settle_world(w);
  sdb_uuid id = the_shown(p)->id;
  assert_int_equal(
      phone_update(p, CHAT, id, "{\"role\":\"user\",\"message\":\"b\"}"), SDB_REJECTED);
  assert_int_equal(phone_remove(p, CHAT, id), SDB_REJECTED);
  assert_string_equal(p->error.message, "This one stays!");
  assert_int_equal(phone_update(p, ACCOUNT, id, "{\"name\":\"a\"}"), SDB_INVALID_ARGUMENT);
  assert_int_equal(phone_status(p).pending, 0);
  assert_in_step(p);
}

static void a_rule_sees_whether_a_singular_push_creates_or_updates(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"nobody\"}"), SDB_OK);
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"nobody\"}"), SDB_REJECTED);
  settle_world(w);
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"nobody\"}"), SDB_REJECTED);
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"somebody\"}"), SDB_OK);
  settle_world(w);
  assert_in_step(p);
}

static void what_is_known_not_to_be_there_is_not_found(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "a");
  settle_world(w);
  sdb_uuid id = the_shown(p)->id;
  assert_int_equal(phone_remove(p, NOTE, id), SDB_OK);
  assert_int_equal(phone_remove(p, NOTE, id), SDB_NOT_FOUND);
  assert_int_equal(phone_update(p, NOTE, id, "{\"text\":\"b\"}"), SDB_NOT_FOUND);
  settle_world(w);
  assert_int_equal(phone_remove(p, NOTE, id), SDB_NOT_FOUND);
  assert_int_equal(phone_get(p, NOTE, id), SDB_NOT_FOUND);
  assert_in_step(p);
}

/* ---- refused there ---- */

/* A server whose rule the phone does not know: the user's messages may not say "no". */
static void answer_with_error(phone *p, sdb_uuid client_id, const char *code) {
  char text[400], id[SDB_UUID_TEXT_SIZE + 1] = {0};
  sdb_uuid_format(client_id, id);
  snprintf(text, sizeof(text),
      "{\"type\":\"error\",\"data\":{\"code\":\"%s\",\"message\":\"We say no\",\"clientId\":\"%s\","
      "\"path\":\"/text\"}}",
      code, id);
  free(texts_take(&p->line->to_server));
  sdb_replica_on_message(p->replica, sdb_slice_of(text), p->world->now_ms);
  phone_drain(p);
}

static void a_create_that_the_server_refuses_is_shown_as_failed_until_it_is_discarded(
    void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "no");
  answer_with_error(p, client_id, "rejected");
  assert_int_equal(the_shown(p)->state, SDB_RECORD_FAILED);
  sdb_replica_unsynced unsynced;
  const void *cursor = NULL;
  assert_true(sdb_replica_next_unsynced(p->replica, &cursor, &unsynced));
  assert_int_equal(unsynced.error->status, SDB_REJECTED);
  assert_string_equal(unsynced.error->message, "We say no");
  assert_string_equal(unsynced.error->path, "/text");
  /* It is not sent again by itself, and it is still failed after a restart. */
  phone_kill(p);
  phone_start(p);
  pass(w, 60000);
  assert_int_equal(phone_status(p).failed, 1);
  assert_int_equal(notes_on_server(w, "ada"), 0);
  assert_int_equal(phone_list(p, NOTE, NIL, 10), 1);
  assert_int_equal(p->records[0].state, SDB_RECORD_FAILED);
  assert_int_equal(sdb_replica_discard(p->replica, client_id), SDB_OK);
  phone_drain(p);
  assert_int_equal(p->shown_count, 0);
  assert_in_step(p);
  phone_kill(p);
  phone_start(p);
  until_live(w);
  assert_in_step(p);
}

static void a_refused_push_that_is_retried_goes_under_the_same_client_id(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "again");
  assert_int_equal(sdb_replica_retry(p->replica, client_id), SDB_CONFLICT);
  answer_with_error(p, client_id, "rejected");
  assert_int_equal(sdb_replica_retry(p->replica, client_id), SDB_OK);
  settle_world(w);
  assert_true(sdb_uuid_equal(the_shown(p)->client_id, client_id));
  assert_int_equal(sdb_replica_retry(p->replica, client_id), SDB_NOT_FOUND);
  assert_in_step(p);
}

static void a_refused_update_or_remove_is_rolled_back(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "server");
  settle_world(w);
  sdb_uuid id = the_shown(p)->id;
  assert_int_equal(phone_update(p, NOTE, id, "{\"text\":\"mine\"}"), SDB_OK);
  assert_non_null(strstr(the_shown(p)->object, "mine"));
  answer_with_error(p, p->client_id, "rejected");
  assert_non_null(strstr(the_shown(p)->object, "server"));
  assert_int_equal(the_shown(p)->state, SDB_RECORD_SYNCED);
  assert_int_equal(phone_status(p).failed, 1);
  assert_int_equal(phone_remove(p, NOTE, id), SDB_OK);
  assert_int_equal(p->shown_count, 0);
  answer_with_error(p, p->client_id, "rejected");
  assert_non_null(strstr(the_shown(p)->object, "server"));
  assert_int_equal(phone_status(p).failed, 2);
  assert_int_equal(phone_list(p, NOTE, NIL, 10), 1);
  assert_int_equal(p->records[0].state, SDB_RECORD_SYNCED);
}

static void two_phones_change_and_remove_one_object_and_both_end_as_the_server(void **state) {
  world *w = *state;
  phone *one = phone_new(w, "ada"), *two = phone_new(w, "ada");
  phone_note(one, "contested");
  settle_world(w);
  sdb_uuid id = the_shown(one)->id;
  assert_int_equal(phone_update(one, NOTE, id, "{\"text\":\"changed\"}"), SDB_OK);
  assert_int_equal(phone_remove(two, NOTE, id), SDB_OK);
  settle_world(w);
  /* Whoever was second was refused, or both were done: the server decides. */
  sdb_replica_unsynced unsynced;
  const void *cursor = NULL;
  if (sdb_replica_next_unsynced(one->replica, &cursor, &unsynced)) {
    assert_int_equal(unsynced.error->status, SDB_NOT_FOUND);
    assert_int_equal(sdb_replica_discard(one->replica, unsynced.client_id), SDB_OK);
  }
  settle_world(w);
  assert_in_step(one);
  assert_in_step(two);
}

static void two_phones_remove_one_object_and_nobody_is_told_of_an_error(void **state) {
  world *w = *state;
  phone *one = phone_new(w, "ada"), *two = phone_new(w, "ada");
  phone_note(one, "gone");
  settle_world(w);
  sdb_uuid id = the_shown(one)->id;
  assert_int_equal(phone_remove(one, NOTE, id), SDB_OK);
  assert_int_equal(phone_remove(two, NOTE, id), SDB_OK);
  settle_world(w);
  assert_in_step(one);
  assert_in_step(two);
  assert_int_equal(one->shown_count + two->shown_count, 0);
}

static void a_server_that_cannot_store_now_is_asked_again(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_memory_storage_fail_commits(w->h->storage, 2);
  phone_note(p, "patience");
  settle_world(w);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_PENDING);
  pass(w, 5000);
  assert_in_step(p);
}

static void pushes_of_one_object_go_one_after_the_other(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "zero");
  settle_world(w);
  sdb_uuid id = the_shown(p)->id;
  sdb_memory_storage_fail_commits(w->h->storage, 1);
  assert_int_equal(phone_update(p, NOTE, id, "{\"text\":\"one\"}"), SDB_OK);
  assert_int_equal(phone_update(p, NOTE, id, "{\"text\":\"two\"}"), SDB_OK);
  settle_world(w); /* the first was put off; the second waits behind it */
  assert_non_null(strstr(the_shown(p)->object, "two"));
  pass(w, 5000);
  assert_non_null(strstr(the_shown(p)->object, "two"));
  assert_in_step(p);
}

/* ---- the ten seconds ---- */

/* The server hears nothing, and the line stays. */
static void drop_what_was_sent(phone *p) {
  for (char *text; (text = texts_take(&p->line->to_server));)
    free(text);
}

static void a_push_not_seen_back_in_ten_seconds_online_has_failed_and_may_be_retried(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "late");
  drop_what_was_sent(p);
  pass(w, 9999);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_PENDING);
  pass(w, 1);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_FAILED);
  assert_int_equal(phone_status(p).failed, 1);
  assert_int_equal(sdb_replica_retry(p->replica, client_id), SDB_OK);
  settle_world(w);
  assert_in_step(p);
}

static void time_offline_does_not_count(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "patient");
  drop_what_was_sent(p);
  pass(w, 6000);
  p->offline = true;
  line_cut(p, false);
  pass(w, 3600000);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_PENDING);
  /* Of the ten seconds four are left, and they are counted when it is sent again. */
  p->offline = false;
  sdb_replica_go_online(p->replica, w->now_ms);
  phone_drain(p);
  server_hears(p);
  for (char *text; (text = texts_take(&p->line->to_phone));) {
    if (strstr(text, "server_hello"))
      sdb_replica_on_message(p->replica, sdb_slice_of(text), w->now_ms);
    free(text);
  }
  phone_drain(p);
  drop_what_was_sent(p);
  pass(w, 3999);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_PENDING);
  pass(w, 1);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_FAILED);
}

static void a_push_that_was_late_is_sent_again_with_the_next_connection(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "late");
  server_hears(p); /* it arrived; only the echo is lost */
  for (char *text; (text = texts_take(&p->line->to_phone));)
    free(text);
  pass(w, 10000);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_FAILED);
  line_cut(p, false);
  until_live(w);
  assert_int_equal(notes_on_server(w, "ada"), 1);
  assert_in_step(p);
}

static void an_echo_behind_the_ten_seconds_still_ends_it_well(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "late");
  char *push = texts_take(&p->line->to_server);
  pass(w, 10000);
  assert_int_equal(phone_status(p).failed, 1);
  texts_add(&p->line->to_server, sdb_slice_of(push));
  free(push);
  settle_world(w);
  assert_in_step(p);
}

/* ---- changes of what has no id yet ---- */

static void a_create_that_was_never_sent_is_changed_in_place(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  sdb_uuid client_id = phone_note(p, "draft");
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"final\"}"), SDB_OK);
  assert_int_equal(phone_status(p).pending, 1);
  assert_non_null(strstr(the_shown(p)->object, "final"));
  p->offline = false;
  until_live(w);
  assert_non_null(strstr(the_shown(p)->object, "final"));
  assert_in_step(p);
}

static void a_create_that_was_never_sent_is_taken_back_by_a_remove(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  sdb_uuid client_id = phone_note(p, "draft");
  assert_int_equal(phone_remove(p, NOTE, client_id), SDB_OK);
  assert_true(sdb_uuid_is_nil(p->client_id));
  assert_int_equal(p->shown_count, 0);
  p->offline = false;
  until_live(w);
  assert_int_equal(notes_on_server(w, "ada"), 0);
}

static void changes_of_a_create_on_its_way_follow_it(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "one");
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"two\"}"), SDB_OK);
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"three\"}"), SDB_OK);
  assert_int_equal(phone_status(p).pending, 3);
  assert_non_null(strstr(the_shown(p)->object, "three"));
  assert_int_equal(phone_get(p, NOTE, client_id), SDB_OK);
  assert_non_null(strstr(p->records[0].object, "three"));
  settle_world(w);
  assert_non_null(strstr(the_shown(p)->object, "three"));
  assert_in_step(p);
}

static void a_create_that_was_seen_back_still_goes_by_its_client_id(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "one");
  settle_world(w);
  sdb_uuid id = the_shown(p)->id;
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"two\"}"), SDB_OK);
  settle_world(w);
  assert_true(sdb_uuid_equal(the_shown(p)->id, id));
  assert_non_null(strstr(the_shown(p)->object, "two"));
  assert_int_equal(phone_get(p, NOTE, client_id), SDB_OK);
  assert_int_equal(phone_list(p, NOTE, client_id, 10), 0);
  assert_int_equal(phone_remove(p, NOTE, client_id), SDB_OK);
  settle_world(w);
  assert_int_equal(p->shown_count, 0);
  assert_in_step(p);
}

static void a_remove_of_a_create_on_its_way_follows_it_over_a_restart(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "one");
  assert_int_equal(phone_remove(p, NOTE, client_id), SDB_OK);
  assert_int_equal(p->shown_count, 0);
  server_hears(p);
  phone_kill(p);
  assert_int_equal(notes_on_server(w, "ada"), 1);
  phone_start(p);
  until_live(w);
  assert_int_equal(notes_on_server(w, "ada"), 0);
  assert_in_step(p);
}

static void discarding_a_create_discards_what_depends_on_it(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "one");
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"two\"}"), SDB_OK);
  drop_what_was_sent(p);
  assert_int_equal(sdb_replica_discard(p->replica, client_id), SDB_OK);
  phone_drain(p);
  assert_int_equal(p->shown_count, 0);
  assert_int_equal(phone_status(p).pending, 0);
  assert_int_equal(sdb_replica_discard(p->replica, client_id), SDB_NOT_FOUND);
}

static void a_discarded_push_that_arrived_all_the_same_comes_back_as_an_event(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "too late");
  server_hears(p);
  assert_int_equal(sdb_replica_discard(p->replica, client_id), SDB_OK);
  settle_world(w);
  assert_int_equal(the_shown(p)->state, SDB_RECORD_SYNCED);
  assert_in_step(p);
}

static void a_singular_object_is_removed_behind_the_push_that_makes_it(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  assert_int_equal(phone_remove(p, ACCOUNT, NIL), SDB_NOT_FOUND);
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"Ada\"}"), SDB_OK);
  assert_int_equal(phone_remove(p, ACCOUNT, NIL), SDB_OK);
  assert_int_equal(phone_singular(p), SDB_NOT_FOUND);
  settle_world(w);
  assert_int_equal(phone_singular(p), SDB_NOT_FOUND);
  assert_int_equal(phone_push(p, ACCOUNT, "{\"name\":\"Ada\"}"), SDB_OK);
  settle_world(w);
  assert_int_equal(phone_remove(p, ACCOUNT, NIL), SDB_OK);
  settle_world(w);
  assert_int_equal(p->shown_count, 0);
  assert_in_step(p);
}

/* A create that was put off, with an update behind it, is changed once more. */
static void the_last_change_of_a_create_that_was_put_off_wins(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_memory_storage_fail_commits(w->h->storage, 1);
  sdb_uuid client_id = phone_note(p, "first");
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"second\"}"), SDB_OK);
  settle_world(w);
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"third\"}"), SDB_OK);
  assert_non_null(strstr(the_shown(p)->object, "third"));
  pass(w, 5000);
  assert_non_null(strstr(the_shown(p)->object, "third"));
  assert_in_step(p);
}

static void a_refused_create_that_was_removed_is_not_asked_about(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "no");
  assert_int_equal(phone_remove(p, NOTE, client_id), SDB_OK);
  answer_with_error(p, client_id, "rejected");
  assert_int_equal(p->shown_count, 0);
  assert_int_equal(phone_status(p).pending, 0);
  assert_int_equal(phone_status(p).failed, 0);
  settle_world(w);
  assert_in_step(p);
}

static void of_many_changes_of_an_object_the_last_is_shown(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid ids[60];
  char object[40];
  for (size_t i = 0; i < SDB_COUNT_OF(ids); i++)
    ids[i] = server_note(w, "ada", "old");
  until_live(w);
  p->offline = true;
  line_cut(p, false);
  for (int change = 0; change < 3; change++) {
    for (size_t i = 0; i < SDB_COUNT_OF(ids); i++) {
      snprintf(object, sizeof(object), "{\"text\":\"change %d\"}", change);
      assert_int_equal(phone_update(p, NOTE, ids[i], object), SDB_OK);
    }
    for (size_t i = 0; i < SDB_COUNT_OF(ids); i++) {
      assert_int_equal(phone_get(p, NOTE, ids[i]), SDB_OK);
      snprintf(object, sizeof(object), "change %d", change);
      assert_non_null(strstr(p->records[0].object, object));
    }
  }
  p->offline = false;
  until_live(w);
  assert_in_step(p);
}

static void a_create_on_its_way_that_is_to_be_removed_is_not_found(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "sent");
  phone_drain(p); /* it is on the line */
  assert_int_equal(phone_remove(p, NOTE, client_id), SDB_OK);
  assert_int_equal(phone_update(p, NOTE, client_id, "{\"text\":\"too late\"}"), SDB_NOT_FOUND);
  assert_int_equal(phone_remove(p, NOTE, client_id), SDB_NOT_FOUND);
  until_live(w);
  assert_int_equal(p->shown_count, 0);
  assert_in_step(p);
}

/* ---- what is too much ---- */

static void an_object_over_the_limits_is_refused_here(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  char *object = malloc(SDB_OBJECT_BYTES_MAX + 2);
  assert_non_null(object);
  memset(object, ' ', SDB_OBJECT_BYTES_MAX + 1);
  object[SDB_OBJECT_BYTES_MAX + 1] = 0;
  memcpy(object, "{\"text\":\"\"}", 11);
  assert_int_equal(phone_push(p, NOTE, object), SDB_TOO_LARGE);
  memset(object + 11, 0, 1);
  assert_int_equal(phone_push(p, NOTE, object), SDB_OK);
  size_t at = (size_t)sprintf(object, "{\"text\":\"\",\"deep\":");
  memset(object + at, '[', SDB_OBJECT_DEPTH_MAX);
  memset(object + at + SDB_OBJECT_DEPTH_MAX, ']', SDB_OBJECT_DEPTH_MAX);
  strcpy(object + at + 2 * SDB_OBJECT_DEPTH_MAX, "}");
  assert_int_equal(phone_push(p, NOTE, object), SDB_BAD_JSON);
  sdb_replica_request unread = {
      .kind = SDB_REPLICA_PUSH, .store = NOTE, .object = {"{}", SDB_JSON_SIZE_MAX + 1}};
  assert_false(sdb_replica_request_begin(p->replica, &unread, w->now_ms));
  free(object);
  settle_world(w);
  assert_in_step(p);
}

static char *large_note(size_t size) {
  char *object = malloc(size + 32);
  assert_non_null(object);
  size_t at = (size_t)sprintf(object, "{\"text\":\"");
  memset(object + at, 'x', size);
  strcpy(object + at + size, "\"}");
  return object;
}

static void over_the_bytes_of_unsynced_pushes_a_push_is_refused_here(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  p->offline = true;
  phone_start(p);
  settle_world(w);
  char *object = large_note(250000);
  size_t taken = 0;
  while (phone_push(p, NOTE, object) == SDB_OK)
    taken++;
  assert_int_equal(p->done, SDB_LIMIT);
  assert_in_range(
      taken, SDB_REPLICA_PENDING_BYTES_MAX / 250100, SDB_REPLICA_PENDING_BYTES_MAX / 250000);
  free(object);
  assert_int_equal(phone_push(p, NOTE, "{\"text\":\"small\"}"), SDB_OK);
}

static void no_more_bytes_are_on_their_way_than_a_megabyte(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  char *object = large_note(200000);
  for (int i = 0; i < 12; i++)
    assert_int_equal(phone_push(p, NOTE, object), SDB_OK);
  size_t waiting = 0;
  for (size_t i = p->line->to_server.first; i < p->line->to_server.count; i++)
    waiting += strlen(p->line->to_server.texts[i]);
  assert_in_range(waiting, 1000000, SDB_REPLICA_IN_FLIGHT_BYTES_MAX);
  free(object);
  until_live(w);
  assert_int_equal(phone_status(p).pending, 0);
}

/* ---- what a damaged file gave ---- */

static void adopt(phone *p, sdb_local_pending pending, sdb_status expected) {
  assert_int_equal(sdb_replica_adopt(p->replica, &pending), expected);
}

static phone *phone_without_storage(world *w) {
  phone *p = phone_new_stopped(w, "ada");
  sdb_replica_options options;
  phone_options(p, &options);
  assert_int_equal(sdb_replica_create(&options, &p->replica), SDB_OK);
  return p;
}

static void a_change_whose_create_was_lost_is_shown_as_failed(void **state) {
  world *w = *state;
  phone *p = phone_without_storage(w);
  sdb_uuid client_id = {{1}}, create = {{2}};
  adopt(p,
      (sdb_local_pending){.position = 1,
          .client_id = client_id,
          .depends = create,
          .store = NOTE,
          .action = SDB_ACTION_UPDATE,
          .object = sdb_slice_of("{\"text\":\"orphan\"}")},
      SDB_OK);
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  pass(w, 60000);
  assert_int_equal(phone_status(p).pending, 0);
  assert_int_equal(phone_status(p).failed, 1);
  assert_int_equal(sdb_replica_retry(p->replica, client_id), SDB_CONFLICT);
  assert_int_equal(sdb_replica_discard(p->replica, client_id), SDB_OK);
  phone_drain(p);
  assert_int_equal(phone_status(p).failed, 0);
}

static void a_kept_push_that_is_none_is_passed_over(void **state) {
  world *w = *state;
  phone *p = phone_without_storage(w);
  sdb_slice object = sdb_slice_of("{\"text\":\"a\"}");
  sdb_uuid id = {{9}};
  const sdb_local_pending none[] = {
      {.client_id = {{1}}, .action = SDB_ACTION_CREATE, .object = sdb_slice_of("{\"text!:\"a\"}")},
      {.client_id = {{2}}, .action = SDB_ACTION_CREATE, .object = sdb_slice_of("[1]")},
      {.client_id = {{3}}, .action = SDB_ACTION_CREATE, .id = id, .object = object},
      {.client_id = {{4}}, .action = SDB_ACTION_CREATE, .depends = id, .object = object},
      {.client_id = {{5}}, .action = SDB_ACTION_UPDATE, .object = object},
      {.client_id = {{6}}, .action = SDB_ACTION_UPDATE, .id = id, .depends = id, .object = object},
      {.client_id = {{7}}, .action = SDB_ACTION_DELETE, .id = id, .object = object},
      {.action = SDB_ACTION_CREATE, .object = object},
      {.client_id = {{8}}, .store = ACCOUNT, .action = SDB_ACTION_CREATE, .object = object},
      {.client_id = {{8}}, .store = STORES_COUNT, .action = SDB_ACTION_CREATE, .object = object},
  };
  for (size_t i = 0; i < SDB_COUNT_OF(none); i++) {
    sdb_local_pending pending = none[i];
    pending.position = i + 1;
    if (pending.store == 0) pending.store = NOTE;
    adopt(p, pending, SDB_OK);
  }
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  until_live(w);
  assert_int_equal(phone_status(p).pending, 0);
  phone_note(p, "after");
  settle_world(w);
  assert_in_step(p);
}

/* ---- lists with pending ones ---- */

static void a_list_pages_over_pending_creates_and_then_objects(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  for (int i = 0; i < 5; i++) {
    char text[16];
    snprintf(text, sizeof(text), "s%d", i);
    phone_note(p, text);
    settle_world(w);
  }
  p->offline = true;
  line_cut(p, false);
  for (int i = 0; i < 5; i++) {
    char text[16];
    snprintf(text, sizeof(text), "p%d", i);
    phone_note(p, text);
  }
  char seen[64] = "";
  sdb_uuid before = NIL;
  while (phone_list(p, NOTE, before, 3) > 0) {
    for (size_t i = 0; i < p->records_count; i++) {
      const char *text = strstr(p->records[i].object, ":\"") + 2;
      strncat(seen, text, 2);
      before = sdb_uuid_is_nil(p->records[i].id) ? p->records[i].client_id : p->records[i].id;
    }
  }
  assert_string_equal(seen, "p4p3p2p1p0s4s3s2s1s0");
  sdb_uuid unknown = NIL;
  unknown.bytes[6] = 0x40;
  assert_int_equal(phone_ask(p,
                       (sdb_replica_request){
                           .kind = SDB_REPLICA_LIST, .store = NOTE, .before = unknown, .limit = 3}),
      SDB_NOT_FOUND);
}

/* ---- clocks ---- */

static void a_wrong_clock_changes_nothing_but_created_at(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  w->wall_ms -= 3600000;
  phone_note(p, "an hour ago");
  settle_world(w);
  char at[40];
  snprintf(at, sizeof(at), "\"$createdAt\":%llu", (unsigned long long)w->wall_ms);
  assert_non_null(strstr(the_shown(p)->object, at));
  w->wall_ms += 2 * 3600000;
  phone_note(p, "in an hour");
  settle_world(w);
  assert_in_step(p); /* the server's clock took its place, and the phone shows that */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_push_whose_echo_was_lost_is_one_object_and_no_error),
      TEST(the_answer_to_a_push_sent_again_moves_no_range),
      TEST(a_push_that_is_asked_for_twice_is_made_once),
      TEST(changes_too_are_made_once_under_their_client_id),
      TEST(a_push_that_another_replica_sent_is_one_object_and_loses_no_event),
      TEST(what_another_replica_may_have_sent_is_not_changed_in_place),
      TEST(a_client_id_that_is_none_is_refused),
      TEST(unsynced_pushes_outlive_the_process_and_are_sent_in_their_order),
      TEST(a_push_in_a_singular_store_is_in_memory_only),
      TEST(more_pushes_than_fit_a_window_all_arrive),
      TEST(over_the_limit_of_unsynced_pushes_a_push_is_refused_here),
      TEST(what_schema_or_rules_refuse_is_neither_stored_nor_sent),
      TEST(a_rule_sees_whether_a_singular_push_creates_or_updates),
      TEST(what_is_known_not_to_be_there_is_not_found),
      TEST(a_create_that_the_server_refuses_is_shown_as_failed_until_it_is_discarded),
      TEST(a_refused_push_that_is_retried_goes_under_the_same_client_id),
      TEST(a_refused_update_or_remove_is_rolled_back),
      TEST(two_phones_change_and_remove_one_object_and_both_end_as_the_server),
      TEST(two_phones_remove_one_object_and_nobody_is_told_of_an_error),
      TEST(a_server_that_cannot_store_now_is_asked_again),
      TEST(pushes_of_one_object_go_one_after_the_other),
      TEST(a_push_not_seen_back_in_ten_seconds_online_has_failed_and_may_be_retried),
      TEST(time_offline_does_not_count),
      TEST(a_push_that_was_late_is_sent_again_with_the_next_connection),
      TEST(an_echo_behind_the_ten_seconds_still_ends_it_well),
      TEST(a_create_that_was_never_sent_is_changed_in_place),
      TEST(a_create_that_was_never_sent_is_taken_back_by_a_remove),
      TEST(changes_of_a_create_on_its_way_follow_it),
      TEST(a_create_that_was_seen_back_still_goes_by_its_client_id),
      TEST(a_remove_of_a_create_on_its_way_follows_it_over_a_restart),
      TEST(discarding_a_create_discards_what_depends_on_it),
      TEST(a_discarded_push_that_arrived_all_the_same_comes_back_as_an_event),
      TEST(a_singular_object_is_removed_behind_the_push_that_makes_it),
      TEST(the_last_change_of_a_create_that_was_put_off_wins),
      TEST(a_refused_create_that_was_removed_is_not_asked_about),
      TEST(of_many_changes_of_an_object_the_last_is_shown),
      TEST(a_create_on_its_way_that_is_to_be_removed_is_not_found),
      TEST(an_object_over_the_limits_is_refused_here),
      TEST(over_the_bytes_of_unsynced_pushes_a_push_is_refused_here),
      TEST(no_more_bytes_are_on_their_way_than_a_megabyte),
      TEST(a_change_whose_create_was_lost_is_shown_as_failed),
      TEST(a_kept_push_that_is_none_is_passed_over),
      TEST(a_list_pages_over_pending_creates_and_then_objects),
      TEST(a_wrong_clock_changes_nothing_but_created_at),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
