/* replica_sync_test.c: what a device is sent: catch-up, windows, older ones, removes that overtake,
 * partials, resets, and a server that knows only the brief's messages.
 */
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

static void server_notes(world *w, int count) {
  for (int i = 0; i < count; i++) {
    char text[16];
    snprintf(text, sizeof(text), "n%d", i);
    server_note(w, "ada", text);
  }
}

static const uint32_t NOTE_WINDOW_50[STORES_COUNT] = {
    SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 50};

static size_t listed(phone *p, int store) {
  size_t count = 0;
  sdb_uuid before = NIL;
  while (phone_list(p, store, before, 1000) > 0) {
    count += p->records_count;
    before = p->records[p->records_count - 1].id;
  }
  return count;
}

/* ---- windows ---- */

static void a_window_loads_the_newest_and_a_reconnect_keeps_the_ranges(void **state) {
  world *w = *state;
  server_notes(w, 1000);
  w->windows = NOTE_WINDOW_50;
  phone *p = phone_new(w, "ada");
  assert_true(is_live(p));
  assert_int_equal(listed(p, NOTE), 50);
  phone_list(p, NOTE, NIL, 60);
  assert_true(p->gaps[49]);
  assert_false(p->gaps[48]);
  uint64_t received = p->received;
  line_cut(p, false);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 50);
  assert_in_range(p->received - received, 1, 6); /* the hello and a `synced` a store */
}

static void older_ones_come_when_they_are_asked_for(void **state) {
  world *w = *state;
  server_notes(w, 120);
  w->windows = NOTE_WINDOW_50;
  phone *p = phone_new(w, "ada");
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 30), SDB_OK);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 30), SDB_OK); /* it is one request */
  settle_world(w);
  assert_int_equal(listed(p, NOTE), 80);
  line_cut(p, false);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 30), SDB_UNAVAILABLE);
  phone_kill(p);
  phone_start(p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 80);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 100), SDB_OK);
  settle_world(w);
  assert_int_equal(listed(p, NOTE), 120);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 100), SDB_NOT_FOUND);
  assert_int_equal(sdb_replica_older(p->replica, ACCOUNT, NIL, 100), SDB_NOT_FOUND);
  pass(w, 0);
  p->shown_count = 0; /* a restart showed nothing by changes: list tells */
  phone_kill(p);
  phone_start(p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 120);
}

static void a_gap_in_the_middle_is_loaded_by_the_record_above_it(void **state) {
  world *w = *state;
  server_notes(w, 60);
  w->windows = NOTE_WINDOW_50;
  phone *p = phone_new(w, "ada");
  p->offline = true;
  line_cut(p, false);
  server_notes(w, 200);
  p->offline = false;
  until_live(w);
  assert_int_equal(listed(p, NOTE), 100);
  phone_list(p, NOTE, NIL, 100);
  assert_true(p->gaps[49]);
  assert_true(p->gaps[99]);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, p->records[99].id, 1000), SDB_OK);
  settle_world(w);
  assert_int_equal(listed(p, NOTE), 110);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 1000), SDB_OK);
  settle_world(w);
  assert_int_equal(listed(p, NOTE), 260);
}

static void a_window_of_nothing_loads_nothing_until_it_is_asked(void **state) {
  static const uint32_t NOTHING[STORES_COUNT] = {SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 0};
  world *w = *state;
  server_notes(w, 20);
  w->windows = NOTHING;
  phone *p = phone_new(w, "ada");
  assert_int_equal(listed(p, NOTE), 0);
  server_note(w, "ada", "live");
  settle_world(w);
  assert_int_equal(listed(p, NOTE), 1);
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 1000), SDB_OK);
  settle_world(w);
  assert_in_step(p);
  line_cut(p, false);
  until_live(w);
  assert_in_step(p);
}

static void a_window_that_was_interrupted_is_filled_after_the_reconnect(void **state) {
  world *w = *state;
  server_notes(w, 200);
  w->windows = NOTE_WINDOW_50;
  w->cut_at = 20;
  phone *p = phone_new(w, "ada");
  until_live(w);
  assert_in_range(listed(p, NOTE), 50, 70);
}

/* ---- long catch-ups ---- */

static void a_catch_up_that_was_cut_goes_on_where_it_was(void **state) {
  world *w = *state;
  server_notes(w, 3000);
  w->cut_at = 137;
  phone *p = phone_new(w, "ada");
  until_live(w);
  assert_in_range(p->received, 3000, 3020);
  assert_in_step(p);
}

static void an_event_that_comes_again_is_not_told_again(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  server_note(w, "ada", "once");
  while (hub_drain(w))
    ;
  char *text = texts_take(&p->line->to_phone);
  assert_non_null(text);
  sdb_replica_on_message(p->replica, sdb_slice_of(text), w->now_ms);
  phone_drain(p);
  size_t changes = p->changes;
  assert_int_equal(p->shown_count, 1);
  sdb_replica_on_message(p->replica, sdb_slice_of(text), w->now_ms);
  free(text);
  phone_drain(p);
  assert_int_equal(p->changes, changes);
  assert_in_step(p);
}

static void ten_cuts_cost_no_event_twice(void **state) {
  world *w = *state;
  server_notes(w, 3000);
  phone *p = phone_new_stopped(w, "ada");
  phone_start(p);
  for (int i = 1; i <= 10; i++) {
    w->cut_at = w->deliveries + 200 + (size_t)i * 7;
    until_live(w);
    if (p->received < 2500) assert_int_equal(w->cut_at, 0);
    if (listed(p, NOTE) == 3000) break;
  }
  until_live(w);
  /* Ten server_hellos and what belongs to them, and no event more. */
  assert_in_range(p->received, 3000, 3000 + 11 * 8);
  assert_in_step(p);
}

/* ---- what overtakes ---- */

/* The events of a catch-up are held back, and what happened meanwhile is delivered before them. */
static char **hold_back(phone *p, size_t *count) {
  texts *t = &p->line->to_phone;
  char **held = calloc(t->count + 1, sizeof(*held));
  assert_non_null(held);
  *count = 0;
  for (char *text; (text = texts_take(t));)
    held[(*count)++] = text;
  return held;
}

static void let_go(phone *p, char **held, size_t count) {
  for (size_t i = 0; i < count; i++) {
    sdb_replica_on_message(p->replica, sdb_slice_of(held[i]), p->world->now_ms);
    free(held[i]);
  }
  free(held);
}

/* A phone that was away, and whose catch-up is on its way. */
static phone *catching_up(world *w, size_t *count, char ***held) {
  phone *p = phone_new(w, "ada");
  p->offline = true;
  line_cut(p, false);
  server_notes(w, 3);
  p->offline = false;
  sdb_replica_go_online(p->replica, w->now_ms);
  phone_drain(p);
  for (char *text; (text = texts_take(&p->line->to_server));) {
    sdb_hub_on_message(w->h->hub, p->line->peer, sdb_slice_of(text), w->h->now_ms);
    free(text);
  }
  while (hub_drain(w)) {
  }
  *held = hold_back(p, count);
  assert_true(*count >= 7); /* server_hello, three events, a `synced` a store */
  return p;
}

static void a_remove_that_overtakes_the_page_of_its_object_wins(void **state) {
  world *w = *state;
  size_t count;
  char **held;
  phone *p = catching_up(w, &count, &held);
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  sdb_uuid id = objects->ids[1];
  free_server(objects);
  free(objects);
  /* server_hello first, then the live remove, then the page that was read before it */
  sdb_replica_on_message(p->replica, sdb_slice_of(held[0]), w->now_ms);
  server_remove(w, "ada", NOTE, id);
  settle_world(w);
  free(held[0]);
  held[0] = strdup("{\"type\":\"pong\"}");
  let_go(p, held, count);
  settle_world(w);
  assert_in_step(p);
  assert_int_equal(listed(p, NOTE), 2);
}

static void an_update_that_overtakes_the_page_of_its_object_wins(void **state) {
  world *w = *state;
  size_t count;
  char **held;
  phone *p = catching_up(w, &count, &held);
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  sdb_uuid id = objects->ids[1];
  free_server(objects);
  free(objects);
  sdb_replica_on_message(p->replica, sdb_slice_of(held[0]), w->now_ms);
  server_update(w, "ada", NOTE, id, "{\"text\":\"newer\"}");
  settle_world(w);
  free(held[0]);
  held[0] = strdup("{\"type\":\"pong\"}");
  let_go(p, held, count);
  settle_world(w);
  assert_in_step(p);
  assert_int_equal(listed(p, NOTE), 3);
}

static void a_remove_seen_before_a_cut_is_remembered_over_a_restart(void **state) {
  world *w = *state;
  size_t count;
  char **held;
  phone *p = catching_up(w, &count, &held);
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  sdb_uuid id = objects->ids[2];
  free_server(objects);
  free(objects);
  sdb_replica_on_message(p->replica, sdb_slice_of(held[0]), w->now_ms);
  server_remove(w, "ada", NOTE, id);
  settle_world(w);
  for (size_t i = 0; i < count; i++)
    free(held[i]);
  free(held);
  phone_kill(p);
  phone_start(p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 2);
}

/* The answer to a push that is sent again may be all that a device holds. */
static void what_only_an_answer_brought_is_removed_with_the_next_connection(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "stored");
  for (char *text; (text = texts_take(&p->line->to_server));) {
    sdb_hub_on_message(w->h->hub, p->line->peer, sdb_slice_of(text), w->h->now_ms);
    free(text);
  }
  while (hub_drain(w)) {
  }
  line_cut(p, false);
  pass(w, 600); /* the answer comes with the hello's, and is taken before the catch-up is through */
  assert_non_null(p->line);
  assert_int_equal(p->shown_count, 1);
  sdb_uuid id = p->shown[0].id;
  p->offline = true;
  line_cut(p, false);
  server_remove(w, "ada", NOTE, id);
  p->offline = false;
  until_live(w);
  assert_in_step(p);
  assert_int_equal(p->shown_count, 0);
}

static void an_answer_before_any_event_makes_a_head(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_uuid client_id = phone_note(p, "stored");
  char id[SDB_UUID_TEXT_SIZE + 1] = {0}, update[300];
  sdb_uuid_format(client_id, id);
  line_cut(p, true); /* the server has it, and another one above it */
  while (hub_drain(w)) {
  }
  sdb_uuid newest = server_note(w, "ada", "above");
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  char object_id[SDB_UUID_TEXT_SIZE + 1] = {0};
  sdb_uuid_format(objects->ids[1], object_id);
  free_server(objects);
  /* The next connection ends behind the answer to the push, before its catch-up. */
  sdb_replica_go_online(p->replica, w->now_ms);
  phone_drain(p);
  for (char *text; (text = texts_take(&p->line->to_server));) {
    sdb_hub_on_message(w->h->hub, p->line->peer, sdb_slice_of(text), w->h->now_ms);
    free(text);
  }
  while (hub_drain(w)) {
  }
  char *hello = texts_take(&p->line->to_phone);
  sdb_replica_on_message(p->replica, sdb_slice_of(hello), w->now_ms);
  free(hello);
  phone_drain(p); /* it sends the push again */
  snprintf(update, sizeof(update),
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"%s\",\"object\":"
      "{\"text\":\"stored\"},\"clientId\":\"%s\"}}",
      object_id, id);
  sdb_replica_on_message(p->replica, sdb_slice_of(update), w->now_ms);
  phone_drain(p);
  assert_int_equal(phone_status(p).pending, 0);
  line_cut(p, false);
  server_remove(w, "ada", NOTE, newest);
  read_server(w, "ada", NOTE, objects);
  server_remove(w, "ada", NOTE, objects->ids[0]);
  free_server(objects);
  free(objects);
  until_live(w);
  assert_in_step(p);
  assert_int_equal(p->shown_count, 0);
}

/* ---- windows for long ---- */

/* More gaps than a hello may name: the two oldest with a lower end are joined, and no remove is
 * lost by it. */
static void more_gaps_than_may_be_named_lose_no_remove(void **state) {
  static const uint32_t ONE[STORES_COUNT] = {SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 1};
  world *w = *state;
  server_note(w, "ada", "old");
  sdb_uuid held = server_note(w, "ada", "held");
  w->windows = ONE;
  phone *p = phone_new(w, "ada");
  for (int i = 0; i < SDB_REPLICA_RANGES_MAX / STORES_COUNT + 4; i++) {
    p->offline = true;
    line_cut(p, false);
    if (i == 0) server_remove(w, "ada", NOTE, held);
    server_note(w, "ada", "skipped");
    server_note(w, "ada", "seen");
    p->offline = false;
    sdb_replica_go_online(p->replica, w->now_ms);
    until_live(w);
  }
  phone_kill(p);
  w->windows = NULL;
  phone_start(p);
  until_live(w);
  assert_in_step(p);
}

static void a_gap_behind_forgotten_removes_is_reset_once_and_then_loaded(void **state) {
  static const uint32_t ONE[STORES_COUNT] = {SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 1};
  world *w = *state;
  server_note(w, "ada", "old");
  w->windows = ONE;
  phone *p = phone_new(w, "ada");
  p->offline = true;
  line_cut(p, false);
  sdb_uuid gone = server_note(w, "ada", "gone");
  server_note(w, "ada", "between");
  server_remove(w, "ada", NOTE, gone);
  server_note(w, "ada", "seen");
  p->offline = false;
  until_live(w);
  w->h->now_ms += (uint64_t)400 * 24 * 3600 * 1000;
  server_note(w, "ada", "much later"); /* the server forgets what is old */
  until_live(w);
  for (int i = 0; i < 10; i++) {
    if (sdb_replica_older(p->replica, NOTE, NIL, 10) == SDB_NOT_FOUND) break;
    until_live(w);
  }
  assert_int_equal(sdb_replica_older(p->replica, NOTE, NIL, 10), SDB_NOT_FOUND);
  assert_in_step(p);
}

/* The event of its remove lies in a gap: the device cannot know. */
static void what_the_server_no_longer_has_can_be_removed_here(void **state) {
  static const uint32_t ONE[STORES_COUNT] = {SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 1};
  world *w = *state;
  sdb_uuid held = server_note(w, "ada", "held");
  w->windows = ONE;
  phone *p = phone_new(w, "ada");
  p->offline = true;
  line_cut(p, false);
  server_remove(w, "ada", NOTE, held);
  server_note(w, "ada", "skipped");
  server_note(w, "ada", "seen");
  p->offline = false;
  until_live(w);
  assert_int_equal(phone_get(p, NOTE, held), SDB_OK);
  assert_int_equal(phone_remove(p, NOTE, held), SDB_OK);
  settle_world(w);
  assert_int_equal(phone_get(p, NOTE, held), SDB_NOT_FOUND);
  while (sdb_replica_older(p->replica, NOTE, NIL, 10) == SDB_OK)
    until_live(w);
  assert_in_step(p);
}

/* ---- partials ---- */

static void partial(world *w, sdb_request_kind kind, const char *text) {
  sdb_request request = {.kind = kind,
      .user = sdb_slice_of("ada"),
      .store = NOTE,
      .partial = 7,
      .object = sdb_slice_of("{\"text\":\"\"}"),
      .field = sdb_slice_of("text"),
      .text = sdb_slice_of(text)};
  if (kind == SDB_REQUEST_PARTIAL_COMMIT) request.object = sdb_slice_make(NULL, 0);
  assert_int_equal(server_ask(w, request)->status, SDB_OK);
  settle_world(w);
}

static void assert_partial(phone *p, const char *text) {
  assert_int_equal(phone_list(p, NOTE, NIL, 10), 1);
  assert_int_equal(p->records[0].state, SDB_RECORD_PARTIAL);
  assert_non_null(strstr(p->records[0].object, text));
  assert_int_equal(p->shown_count, 1);
  assert_int_equal(p->shown[0].state, SDB_RECORD_PARTIAL);
  assert_string_equal(p->shown[0].object, p->records[0].object);
}

static void a_partial_grows_and_is_then_an_object_in_its_place(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  partial(w, SDB_REQUEST_PARTIAL_BEGIN, "");
  partial(w, SDB_REQUEST_PARTIAL_APPEND, "Hello, ");
  assert_partial(p, "\"Hello, \"");
  partial(w, SDB_REQUEST_PARTIAL_APPEND, "\"wörld\"\n");
  assert_partial(p, "\"Hello, \\\"wörld\\\"\\n\"");
  sdb_uuid id = p->shown[0].id;
  partial(w, SDB_REQUEST_PARTIAL_COMMIT, "");
  assert_true(sdb_uuid_equal(p->shown[0].id, id));
  assert_int_equal(p->shown[0].state, SDB_RECORD_SYNCED);
  assert_in_step(p);
}

static void a_phone_that_joins_midway_has_the_whole_of_it(void **state) {
  world *w = *state;
  partial(w, SDB_REQUEST_PARTIAL_BEGIN, "");
  partial(w, SDB_REQUEST_PARTIAL_APPEND, "Hello, ");
  phone *p = phone_new(w, "ada");
  assert_partial(p, "\"Hello, \"");
  partial(w, SDB_REQUEST_PARTIAL_APPEND, "you");
  assert_partial(p, "\"Hello, you\"");
  partial(w, SDB_REQUEST_PARTIAL_COMMIT, "");
  assert_in_step(p);
}

static void a_partial_that_was_given_up_is_gone(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  partial(w, SDB_REQUEST_PARTIAL_BEGIN, "");
  partial(w, SDB_REQUEST_PARTIAL_APPEND, "Hello");
  partial(w, SDB_REQUEST_PARTIAL_ABORT, "");
  assert_int_equal(p->shown_count, 0);
  assert_in_step(p);
}

static void a_partial_whose_end_was_lost_is_caught_up(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  partial(w, SDB_REQUEST_PARTIAL_BEGIN, "");
  partial(w, SDB_REQUEST_PARTIAL_APPEND, "Hello");
  server_note(w, "ada", "between");
  settle_world(w);
  p->offline = true;
  line_cut(p, false);
  phone_drain(p);
  assert_int_equal(p->shown_count, 1); /* partials go with the connection */
  partial(w, SDB_REQUEST_PARTIAL_COMMIT, "");
  p->offline = false;
  until_live(w);
  assert_int_equal(p->shown_count, 2);
  assert_in_step(p);
}

/* ---- another database, an older backup ---- */

/* The database comes back as it was before all: empty, with the same id. */
static void restore_server(world *w, unsigned char epoch) {
  sdb_hub_destroy(w->h->hub);
  sdb_memory_storage_destroy(w->h->storage);
  w->h->epoch = epoch;
  make_storage_with(w->h, harness_completed);
  sdb_hub_options options;
  harness_options(w->h, &options);
  assert_int_equal(sdb_hub_create(&options, &w->h->hub), SDB_OK);
}

/* A backup is restored, and the server writes past all that anybody held before the phone is back.
 */
static void restore_and_go_past(world *w, phone *p) {
  p->offline = true;
  line_cut(p, false);
  restore_server(w, 0xce);
  w->h->now_ms += 60000;
  server_notes(w, 8);
  p->offline = false;
}

static void a_server_restored_from_an_older_backup_resets_and_is_sent_what_is_pending(
    void **state) {
  world *w = *state;
  server_notes(w, 5);
  phone *p = phone_new(w, "ada");
  phone_note(p, "after the backup");
  settle_world(w);
  p->offline = true;
  line_cut(p, false);
  phone_note(p, "pending");
  restore_server(w, w->h->epoch); /* by a copy that nobody called a backup */
  server_note(w, "ada", "restored");
  p->offline = false;
  until_live(w);
  assert_int_equal(listed(p, NOTE), 2);
  assert_in_step(p);
}

static void a_restored_server_that_is_past_the_heads_of_a_device_leaves_it_what_it_has_itself(
    void **state) {
  world *w = *state;
  server_notes(w, 5);
  server_push(w, "ada", ACCOUNT, "{\"name\":\"lost\"}");
  phone *p = phone_new(w, "ada");
  phone_note(p, "after the backup");
  settle_world(w);
  assert_int_equal(listed(p, NOTE), 6);
  line_cut(p, false);
  p->offline = true;
  phone_drain(p);
  phone_note(p, "pending");
  restore_and_go_past(w, p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 9);
  assert_int_equal(phone_singular(p), SDB_NOT_FOUND);
  assert_in_step(p);
  /* It has noted the epoch: it is not reset again. */
  uint64_t received = p->received;
  line_cut(p, false);
  until_live(w);
  assert_in_range(p->received - received, 1, 6);
  assert_in_step(p);
}

static void what_was_missing_of_an_older_history_is_not_asked_of_the_next(void **state) {
  world *w = *state;
  server_notes(w, 200);
  w->windows = NOTE_WINDOW_50;
  phone *p = phone_new(w, "ada");
  assert_int_equal(listed(p, NOTE), 50);
  restore_and_go_past(w, p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 8);
  assert_in_step(p); /* without a gap */
}

/* The device has seen its push back, and its storage has not yet stored that. */
static void an_acknowledged_push_that_is_not_stored_yet_goes_with_the_history_it_was_of(
    void **state) {
  world *w = *state;
  server_notes(w, 3);
  phone *p = phone_new(w, "ada");
  phone_note(p, "acknowledged");
  sdb_memory_local_defer(p->local, true);
  settle_world(w);
  assert_int_equal(phone_status(p).pending, 0);
  assert_int_equal(p->shown_count, 4);
  restore_and_go_past(w, p);
  pass(w, 2000); /* the reset waits behind it */
  assert_non_null(p->line);
  assert_int_equal(p->shown_count, 4);
  sdb_memory_local_run(p->local, SIZE_MAX);
  sdb_memory_local_defer(p->local, false);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 8);
  assert_in_step(p);
}

/* The same, but that the process ends first: then it is pending still, and is delivered. */
static void an_acknowledged_push_whose_storing_was_lost_is_delivered_to_the_next_history(
    void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  phone_note(p, "kept");
  sdb_memory_local_fail(p->local, SDB_IO);
  settle_world(w);
  assert_int_equal(p->storage_failed, SDB_IO);
  sdb_memory_local_fail(p->local, SDB_OK);
  phone_kill(p);
  restore_server(w, 0xce);
  w->h->now_ms += 60000;
  server_notes(w, 8);
  p->storage_failed = SDB_OK;
  phone_start(p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 9);
  assert_in_step(p);
}

/* ---- the local storage ---- */

static void a_storage_that_fails_is_replaced_and_nothing_is_lost(void **state) {
  world *w = *state;
  server_notes(w, 5);
  phone *p = phone_new(w, "ada");
  sdb_memory_local_fail(p->local, SDB_IO);
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
      .tag = p,
      .store = NOTE,
      .object = sdb_slice_of("{\"text\":\"kept\"}"),
      .wall_ms = w->wall_ms};
  p->done = SDB_CONFLICT;
  assert_true(sdb_replica_request_begin(p->replica, &request, w->now_ms));
  phone_drain(p);
  assert_int_equal(p->storage_failed, SDB_IO);
  assert_int_equal(p->done, SDB_CONFLICT); /* not done before something has it */
  sdb_memory_local *failed = p->local;
  p->local = new_local(p);
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  phone_drain(p);
  assert_int_equal(p->done, SDB_OK);
  until_live(w);
  assert_in_step(p);
  /* And back again. */
  sdb_memory_local_destroy(failed);
  phone_kill(p);
  phone_start(p);
  until_live(w);
  assert_int_equal(listed(p, NOTE), 6);
}

static void what_a_storage_that_answers_late_is_told_is_shown_when_it_has_it(void **state) {
  world *w = *state;
  phone *p = phone_new(w, "ada");
  sdb_memory_local_defer(p->local, true);
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
      .tag = p,
      .store = NOTE,
      .object = sdb_slice_of("{\"text\":\"late\"}"),
      .wall_ms = w->wall_ms};
  p->done = SDB_CONFLICT;
  assert_true(sdb_replica_request_begin(p->replica, &request, w->now_ms));
  settle_world(w);
  assert_int_equal(p->shown_count, 0);
  assert_int_equal(p->done, SDB_CONFLICT);
  /* Nor is it sent, whatever else there is to send. */
  server_note(w, "ada", "meanwhile");
  settle_world(w);
  pass(w, 30000);
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  assert_int_equal(objects->count, 1);
  free_server(objects);
  free(objects);
  while (sdb_memory_local_run(p->local, 1) > 0)
    settle_world(w);
  assert_int_equal(p->done, SDB_OK);
  sdb_memory_local_defer(p->local, false);
  settle_world(w);
  assert_in_step(p);
}

/* ---- what is damaged ---- */

static void a_record_that_is_no_object_has_the_storage_replaced(void **state) {
  world *w = *state;
  server_notes(w, 3);
  phone *p = phone_new(w, "ada");
  sdb_local_change change = {.kind = SDB_LOCAL_PUT,
      .store = NOTE,
      .id = p->shown[0].id,
      .event_id = {{0xFF}},
      .object = sdb_slice_of("{\"text!:")};
  sdb_local_commit commit = {.op = {.kind = SDB_LOCAL_COMMIT}, .changes = &change, .count = 1};
  const sdb_local_port *port = sdb_memory_local_port(p->local);
  port->submit(port->self, &commit.op);
  p->completed = NULL;
  p->completed_last = &p->completed;
  sdb_replica_request request = {.kind = SDB_REPLICA_LIST, .tag = p, .store = NOTE, .limit = 10};
  p->done = SDB_CONFLICT;
  assert_true(sdb_replica_request_begin(p->replica, &request, w->now_ms));
  phone_drain(p);
  assert_int_equal(p->storage_failed, SDB_BAD_FORMAT);
  assert_int_equal(p->done, SDB_CONFLICT); /* it waits for the next storage */
  sdb_memory_local_destroy(p->local);
  p->local = new_local(p);
  p->storage_failed = SDB_OK;
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  phone_drain(p);
  assert_int_equal(p->done, SDB_OK);
  until_live(w);
  assert_in_step(p);
}

/* A storage that keeps, in front of one in memory: what is asked of it beside commits and reads. */
typedef struct keeping {
  sdb_local_port port;
  phone *owner;
  size_t syncs;
  sdb_status sync_status;
} keeping;

static void keeping_submit(void *self, sdb_local_op *list) {
  keeping *k = self;
  const sdb_local_port *port = sdb_memory_local_port(k->owner->local);
  for (sdb_local_op *op = list, *next; op; op = next) {
    next = op->next;
    op->next = NULL;
    if (op->kind == SDB_LOCAL_SYNC) {
      k->syncs++;
      op->status = k->sync_status;
      phone_completed(k->owner, op);
    } else {
      port->submit(port->self, op);
    }
  }
}

static phone *phone_that_keeps(world *w, keeping *k) {
  phone *p = phone_new_stopped(w, "ada");
  *k = (keeping){.owner = p};
  k->port = (sdb_local_port){.version = 1, .self = k, .durable = true, .submit = keeping_submit};
  sdb_replica_options options;
  phone_options(p, &options);
  options.limits.sync_delay_ms = 2;
  assert_int_equal(sdb_replica_create(&options, &p->replica), SDB_OK);
  sdb_replica_attach(p->replica, &k->port, w->now_ms);
  until_live(w);
  return p;
}

static void pushes_of_a_moment_share_a_sync_and_events_need_none(void **state) {
  world *w = *state;
  keeping k;
  phone *p = phone_that_keeps(w, &k);
  server_notes(w, 3);
  settle_world(w);
  pass(w, 100);
  assert_int_equal(k.syncs, 0);
  phone_note(p, "one");
  assert_int_equal(p->shown_count, 4); /* it is shown before the disk is synced */
  phone_note(p, "two");
  pass(w, 1);
  phone_note(p, "three");
  assert_int_equal(k.syncs, 0);
  pass(w, 1);
  assert_int_equal(k.syncs, 1);
  pass(w, 100);
  assert_int_equal(k.syncs, 1);
  phone_note(p, "four");
  pass(w, 2);
  assert_int_equal(k.syncs, 2);
  assert_in_step(p);
}

static void a_disk_that_cannot_be_synced_is_a_storage_that_failed(void **state) {
  world *w = *state;
  keeping k;
  phone *p = phone_that_keeps(w, &k);
  k.sync_status = SDB_IO;
  phone_note(p, "kept");
  pass(w, 2);
  assert_int_equal(p->storage_failed, SDB_IO);
  p->storage_failed = SDB_OK;
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), w->now_ms);
  until_live(w);
  assert_in_step(p);
  assert_int_equal(p->shown_count, 1);
}

/* ---- a server of the brief's messages alone ---- */

/* What such a server says, straight to a replica whose line nobody reads. */
static void brief_says(phone *p, const char *text) {
  sdb_replica_on_message(p->replica, sdb_slice_of(text), p->world->now_ms);
  phone_drain(p);
}

static void brief_update(phone *p, unsigned number, const char *client_id) {
  char text[300];
  snprintf(text, sizeof(text),
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"n%u\"},"
      "\"id\":\"01974f63-6abc-7000-8107-%012u\"%s%s%s}}",
      number, number, client_id ? ",\"clientId\":\"" : "", client_id ? client_id : "",
      client_id ? "\"" : "");
  brief_says(p, text);
}

/* The hello that the phone said, taken off the line; the head of the store of notes. */
static sdb_uuid said_head(phone *p) {
  char *text = texts_take(&p->line->to_server);
  assert_non_null(text);
  json_t *message = json_loads(text, 0, NULL);
  json_t *data = json_object_get(message, "data");
  assert_null(json_object_get(data, "database"));
  const char *head =
      json_string_value(json_object_get(json_object_get(data, "syncStatus"), "note"));
  sdb_uuid id = NIL;
  if (head) assert_true(sdb_uuid_parse(sdb_slice_of(head), &id));
  json_decref(message);
  free(text);
  return id;
}

static void a_server_of_the_brief_alone_is_understood(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  phone_start(p);
  phone_drain(p);
  sdb_hub_on_disconnect(w->h->hub, p->line->peer, w->h->now_ms); /* it is not the hub's phone */
  p->line->peer = NULL;
  assert_true(sdb_uuid_is_nil(said_head(p)));
  brief_update(p, 3, NULL); /* missed ones, newest first */
  brief_update(p, 2, NULL);
  brief_update(p, 1, NULL);
  assert_true(is_live(p));
  assert_int_equal(listed(p, NOTE), 3);
  /* a push, which comes back with its client id */
  sdb_uuid client_id = phone_note(p, "n4");
  char id[SDB_UUID_TEXT_SIZE + 1] = {0};
  sdb_uuid_format(client_id, id);
  brief_update(p, 4, id);
  assert_int_equal(phone_status(p).pending, 0);
  /* a partial and its end */
  brief_says(p, "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"Hel\"},"
                "\"id\":\"01974f63-6abc-7000-8107-000000000005\"}}");
  assert_int_equal(listed(p, NOTE), 5);
  brief_update(p, 5, NULL);
  assert_int_equal(listed(p, NOTE), 5);
  /* a remove that names nothing but the object */
  brief_says(p, "{\"type\":\"remove\",\"data\":{\"id\":\"01974f63-6abc-7000-8107-000000000002\"}}");
  assert_int_equal(listed(p, NOTE), 4);
  assert_int_equal(p->shown_count, 4);
}

static void a_catch_up_of_the_brief_alone_that_was_cut_is_asked_for_again(void **state) {
  world *w = *state;
  phone *p = phone_new_stopped(w, "ada");
  phone_start(p);
  phone_drain(p);
  sdb_hub_on_disconnect(w->h->hub, p->line->peer, w->h->now_ms);
  p->line->peer = NULL;
  (void)said_head(p);
  brief_update(p, 9, NULL);
  brief_update(p, 8, NULL); /* 7 to 1 are lost with the line */
  line_cut(p, false);
  w->now_ms += 60000;
  sdb_replica_on_timer(p->replica, w->now_ms);
  phone_drain(p);
  assert_non_null(p->line);
  /* It must not say that it has 9: it would never be sent 7. */
  assert_true(sdb_uuid_is_nil(said_head(p)));
  sdb_hub_on_disconnect(w->h->hub, p->line->peer, w->h->now_ms);
  p->line->peer = NULL;
  for (unsigned i = 9; i > 0; i--)
    brief_update(p, i, NULL);
  assert_int_equal(listed(p, NOTE), 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_window_loads_the_newest_and_a_reconnect_keeps_the_ranges),
      TEST(older_ones_come_when_they_are_asked_for),
      TEST(a_gap_in_the_middle_is_loaded_by_the_record_above_it),
      TEST(a_window_of_nothing_loads_nothing_until_it_is_asked),
      TEST(a_window_that_was_interrupted_is_filled_after_the_reconnect),
      TEST(a_catch_up_that_was_cut_goes_on_where_it_was),
      TEST(an_event_that_comes_again_is_not_told_again),
      TEST(ten_cuts_cost_no_event_twice),
      TEST(a_remove_that_overtakes_the_page_of_its_object_wins),
      TEST(an_update_that_overtakes_the_page_of_its_object_wins),
      TEST(a_remove_seen_before_a_cut_is_remembered_over_a_restart),
      TEST(what_only_an_answer_brought_is_removed_with_the_next_connection),
      TEST(an_answer_before_any_event_makes_a_head),
      TEST(more_gaps_than_may_be_named_lose_no_remove),
      TEST(a_gap_behind_forgotten_removes_is_reset_once_and_then_loaded),
      TEST(what_the_server_no_longer_has_can_be_removed_here),
      TEST(a_record_that_is_no_object_has_the_storage_replaced),
      TEST(a_partial_grows_and_is_then_an_object_in_its_place),
      TEST(a_phone_that_joins_midway_has_the_whole_of_it),
      TEST(a_partial_that_was_given_up_is_gone),
      TEST(a_partial_whose_end_was_lost_is_caught_up),
      TEST(a_server_restored_from_an_older_backup_resets_and_is_sent_what_is_pending),
      TEST(a_restored_server_that_is_past_the_heads_of_a_device_leaves_it_what_it_has_itself),
      TEST(what_was_missing_of_an_older_history_is_not_asked_of_the_next),
      TEST(an_acknowledged_push_that_is_not_stored_yet_goes_with_the_history_it_was_of),
      TEST(an_acknowledged_push_whose_storing_was_lost_is_delivered_to_the_next_history),
      TEST(a_storage_that_fails_is_replaced_and_nothing_is_lost),
      TEST(what_a_storage_that_answers_late_is_told_is_shown_when_it_has_it),
      TEST(pushes_of_a_moment_share_a_sync_and_events_need_none),
      TEST(a_disk_that_cannot_be_synced_is_a_storage_that_failed),
      TEST(a_server_of_the_brief_alone_is_understood),
      TEST(a_catch_up_of_the_brief_alone_that_was_cut_is_asked_for_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
