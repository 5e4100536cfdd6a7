/* replica_cut_test.c: a session with catch-up, live events, partials, pushes, updates and removes,
 * cut before each of its messages, in both directions: afterwards the phone, what it showed, and
 * the server are one, and no push is lost or doubled.
 *
 * Beside it: no event comes a second time that the ranges it had stored say it holds.
 */
#include "replica/ranges.h"
#include "replica_harness.h"

#define SEEDS 120
#define STEPS 72

/* What must be on the server in the end, as far as this script decides it. */
typedef struct expected {
  char texts[SEEDS + STEPS][64];
  size_t count;
} expected;

static void expect(expected *e, const char *text) {
  snprintf(e->texts[e->count++], sizeof(e->texts[0]), "{\"text\":\"%s\"", text);
}

static void expect_no_more(expected *e, const char *text) {
  char wanted[64];
  snprintf(wanted, sizeof(wanted), "{\"text\":\"%s\"", text);
  for (size_t i = 0; i < e->count; i++) {
    if (strcmp(e->texts[i], wanted) != 0) continue;
    memcpy(e->texts[i], e->texts[--e->count], sizeof(e->texts[0]));
    return;
  }
  fail_msg("%s was not expected before", text);
}

static void assert_expected(world *w, const expected *e) {
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(w, "ada", NOTE, objects);
  for (size_t i = 0; i < e->count; i++) {
    size_t found = 0;
    for (size_t j = 0; j < objects->count; j++)
      found += strncmp(objects->objects[j], e->texts[i], strlen(e->texts[i])) == 0;
    if (found != 1) fail_msg("%s is there %zu times", e->texts[i], found);
  }
  assert_int_equal(objects->count, e->count);
  free_server(objects);
  free(objects);
}

/* ---- nothing comes twice ---- */

static sdb_local_state held_when_connected[STORES_COUNT];
static sdb_id_range held_ranges[STORES_COUNT][SDB_LOCAL_RANGES_MAX];

/* Reads what the local storage says is held. */
static void note_held(phone *p) {
  sdb_local_load load = {.op.kind = SDB_LOCAL_LOAD};
  sdb_buffer_init(&load.memory, sdb_platform_mem(), 1 << 20);
  sdb_local_op *waiting = p->completed, **last = p->completed_last;
  p->completed = NULL;
  p->completed_last = &p->completed;
  const sdb_local_port *port = sdb_memory_local_port(p->local);
  port->submit(port->self, &load.op);
  assert_int_equal(load.op.status, SDB_OK);
  for (int i = 0; i < STORES_COUNT; i++) {
    held_when_connected[i] = load.states[i];
    size_t size = load.states[i].missing_count * sizeof(sdb_id_range);
    if (size > 0) memcpy(held_ranges[i], load.states[i].missing, size);
  }
  sdb_buffer_free(&load.memory);
  p->completed = waiting;
  p->completed_last = waiting ? last : &p->completed;
}

static bool was_held(int store, sdb_uuid event_id) {
  const sdb_local_state *state = &held_when_connected[store];
  if (sdb_id_above(event_id, state->head)) return false;
  for (uint32_t i = 0; i < state->missing_count; i++) {
    if (sdb_id_above(event_id, held_ranges[store][i].after) &&
        sdb_id_above(held_ranges[store][i].before, event_id))
      return false;
  }
  return true;
}

static sdb_uuid id_of(json_t *data, const char *name) {
  sdb_uuid id = {{0}};
  const char *text = json_string_value(json_object_get(data, name));
  if (text) assert_true(sdb_uuid_parse(sdb_slice_of(text), &id));
  return id;
}

/* The answer to a push that is sent again is its event again: that is how it is acknowledged. */
static bool answers_a_push(phone *p, sdb_uuid client_id) {
  sdb_replica_unsynced unsynced;
  for (const void *cursor = NULL; sdb_replica_next_unsynced(p->replica, &cursor, &unsynced);) {
    if (sdb_uuid_equal(unsynced.client_id, client_id)) return true;
  }
  return false;
}

static void assert_not_held(phone *p, const char *text) {
  json_t *message = json_loads(text, 0, NULL), *data = json_object_get(message, "data");
  const char *type = json_string_value(json_object_get(message, "type"));
  if (strcmp(type, "update") == 0 || strcmp(type, "remove") == 0) {
    const char *name = json_string_value(json_object_get(data, "store"));
    int store = sdb_stores_find_wire(p->world->h->stores, STORES_COUNT, sdb_slice_of(name));
    sdb_uuid event_id = id_of(data, json_object_get(data, "eventId") ? "eventId" : "id");
    if (was_held(store, event_id) && !answers_a_push(p, id_of(data, "clientId")))
      fail_msg("it was held: %s", text);
  }
  json_decref(message);
}

/* ---- the script ---- */

static sdb_uuid find_note(phone *p, const char *text) {
  char wanted[64];
  snprintf(wanted, sizeof(wanted), "{\"text\":\"%s\"", text);
  sdb_uuid before = {{0}};
  while (phone_list(p, NOTE, before, 100) > 0) {
    for (size_t i = 0; i < p->records_count; i++) {
      before = sdb_uuid_is_nil(p->records[i].id) ? p->records[i].client_id : p->records[i].id;
      if (strncmp(p->records[i].object, wanted, strlen(wanted)) == 0) return before;
    }
  }
  return (sdb_uuid){{0}};
}

static void stream(world *w, uint64_t handle, int step) {
  sdb_request request = {.kind = SDB_REQUEST_PARTIAL_BEGIN,
      .user = sdb_slice_of("ada"),
      .store = NOTE,
      .object = sdb_slice_of("{\"text\":\"\"}"),
      .partial = handle};
  char word[40];
  snprintf(word, sizeof(word), "part%d", step);
  server_ask(w, request);
  for (int i = 0; i < 3; i++) {
    request.kind = SDB_REQUEST_PARTIAL_APPEND;
    request.field = sdb_slice_of("text");
    request.text = sdb_slice_of(word);
    server_ask(w, request);
    settle_world(w);
  }
}

static void end_stream(world *w, expected *e, uint64_t handle, int step) {
  bool commits = step % 2 == 0;
  sdb_request request = {.kind = commits ? SDB_REQUEST_PARTIAL_COMMIT : SDB_REQUEST_PARTIAL_ABORT,
      .user = sdb_slice_of("ada"),
      .store = NOTE,
      .partial = handle};
  server_ask(w, request);
  char text[40];
  snprintf(text, sizeof(text), "part%dpart%dpart%d", step, step, step);
  if (commits) expect(e, text);
}

static void change_own(phone *p, expected *e, int seed, int step) {
  char old[40], text[40], object[64];
  snprintf(old, sizeof(old), "seed%d", seed);
  snprintf(text, sizeof(text), "changed%d", step);
  snprintf(object, sizeof(object), "{\"text\":\"%s\"}", text);
  sdb_uuid id = find_note(p, old);
  if (sdb_uuid_is_nil(id)) return; /* not here yet */
  assert_int_equal(phone_update(p, NOTE, id, object), SDB_OK);
  expect_no_more(e, old);
  expect(e, text);
}

static void remove_own(phone *p, expected *e, int seed) {
  char old[40];
  snprintf(old, sizeof(old), "seed%d", seed);
  sdb_uuid id = find_note(p, old);
  if (sdb_uuid_is_nil(id)) return;
  assert_int_equal(phone_remove(p, NOTE, id), SDB_OK);
  expect_no_more(e, old);
}

static void push_own(phone *p, expected *e, const char *who, int step) {
  char text[40];
  snprintf(text, sizeof(text), "%s%d", who, step);
  phone_note(p, text);
  expect(e, text);
}

/* Each phone changes seeds of its own, so that what must come of it is known. */
static void step_script(world *w, expected *e, int step) {
  phone *one = &w->phones[0], *two = &w->phones[1];
  char name[40];
  switch (step % 8) {
  case 0:
    push_own(one, e, "one", step);
    break;
  case 1:
    push_own(two, e, "two", step);
    break;
  case 2:
    stream(w, (uint64_t)step, step);
    break;
  case 3:
    change_own(one, e, step, step);
    break;
  case 4:
    remove_own(two, e, step);
    break;
  case 5:
    end_stream(w, e, (uint64_t)(step - 3), step);
    break;
  case 6:
    remove_own(one, e, step);
    push_own(one, e, "again", step);
    break;
  case 7:
    snprintf(name, sizeof(name), "{\"name\":\"name%d\"}", step);
    assert_int_equal(phone_push(one, ACCOUNT, name), SDB_OK);
    break;
  }
  settle_world(w);
  pass(w, 60);
}

/* All that the window left out; this may be cut too. */
static void load_all(phone *p) {
  sdb_status status = SDB_OK;
  while (status != SDB_NOT_FOUND) {
    status = sdb_replica_older(p->replica, NOTE, (sdb_uuid){{0}}, 7);
    until_live(p->world);
  }
}

/* Gives how many messages there were. */
static size_t run(size_t cut_at, bool late, uint32_t windows) {
  static const uint32_t WINDOWS[] = {
      SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 10 /* of notes */};
  world *w = world_new();
  expected e = {.count = 0};
  char text[40];
  for (int i = 0; i < SEEDS; i++) {
    snprintf(text, sizeof(text), "seed%d", i);
    server_note(w, "ada", text);
    expect(&e, text);
  }
  w->cut_at = cut_at ? cut_at : SIZE_MAX;
  w->cut_late = late;
  if (windows) w->windows = WINDOWS;
  phone *one = phone_new_stopped(w, "ada");
  one->on_connect = note_held;
  one->on_delivery = assert_not_held;
  phone_new_stopped(w, "ada");
  phone_start(one);
  phone_start(&w->phones[1]);
  for (int i = 0; i < STEPS; i++)
    step_script(w, &e, i);
  until_live(w);
  for (int i = 0; windows && i < 2; i++)
    load_all(&w->phones[i]);
  assert_expected(w, &e);
  assert_in_step(&w->phones[0]);
  assert_in_step(&w->phones[1]);
  size_t deliveries = w->deliveries;
  world_free(w);
  return deliveries;
}

static void cut_everywhere(bool late, uint32_t windows) {
  size_t messages = run(0, late, windows);
  assert_true(messages > 200);
  for (size_t i = 1; i <= messages; i++)
    run(i, late, windows);
}

static void cut_before_each_message_and_all_is_there_once(void **state) {
  (void)state;
  cut_everywhere(false, 0);
}

static void cut_so_that_the_server_heard_and_the_phone_did_not(void **state) {
  (void)state;
  cut_everywhere(true, 0);
}

static void cut_everywhere_with_a_window(void **state) {
  (void)state;
  cut_everywhere(true, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cut_before_each_message_and_all_is_there_once),
      cmocka_unit_test(cut_so_that_the_server_heard_and_the_phone_did_not),
      cmocka_unit_test(cut_everywhere_with_a_window),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
