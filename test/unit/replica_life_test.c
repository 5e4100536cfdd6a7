/* replica_life_test.c: how a replica begins and ends, whatever it holds then; and what comes with
 * much in one turn.
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

static void a_replica_of_no_stores_or_too_many_is_not_made(void **state) {
  rig *r = *state;
  sdb_replica_options options = rig_options(r);
  sdb_replica *made = NULL;
  options.stores_count = 0;
  assert_int_equal(sdb_replica_create(&options, &made), SDB_INVALID_ARGUMENT);
  options.stores_count = SDB_REPLICA_STORES_MAX + 1;
  assert_int_equal(sdb_replica_create(&options, &made), SDB_INVALID_ARGUMENT);
  assert_null(made);
  sdb_replica_destroy(made); /* NULL is allowed */
}

static void begin(rig *r, sdb_replica_request request) {
  request.tag = r;
  request.wall_ms = WALL_MS;
  assert_true(sdb_replica_request_begin(r->replica, &request, r->now_ms));
}

static const sdb_replica_request PUSH = {
    .kind = SDB_REPLICA_PUSH, .store = NOTE, .object = {"{\"text\":\"x\"}", 12}};
static const sdb_replica_request LIST = {.kind = SDB_REPLICA_LIST, .store = NOTE, .limit = 9};

/* In each of these the replica holds something that was never given to anybody: rig_stop sees to
 * it that all of its memory came back. */
static void what_a_replica_holds_at_its_end_goes_with_it(void **state) {
  rig *r = *state;
  rig_stop(r);
  sdb_replica_options options = rig_options(r);
  for (int held = 0; held < 6; held++) {
    assert_int_equal(sdb_replica_create(&options, &r->replica), SDB_OK);
    if (held == 0) begin(r, PUSH); /* no storage yet */
    sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
    if (held == 1) { /* the loading was not handed over */
      rig_stop(r);
      continue;
    }
    rig_drain(r);
    if (held >= 2) begin(r, PUSH); /* in the batch that is open */
    if (held >= 3) begin(r, LIST); /* staged: the batch and what is read behind it */
    if (held == 4) {
      sdb_replica_flush(r->replica, r->now_ms);
      sdb_local_op *list = r->completed;
      r->completed = NULL;
      r->completed_last = &r->completed;
      sdb_replica_on_completed(r->replica, list, r->now_ms); /* answers that nobody takes */
    }
    if (held == 5) rig_drain(r);
    rig_stop(r);
  }
  rig_start(r, &options);
  assert_int_equal(listed(r), 3); /* those that were stored: 0, 4 and 5 */
}

static sdb_memory_local *another_local(rig *r) {
  sdb_storage_store stores[STORES_COUNT];
  sdb_memory_local *local = NULL;
  for (size_t i = 0; i < STORES_COUNT; i++)
    stores[i] =
        (sdb_storage_store){sdb_store_name(r->h->stores[i]), sdb_store_type_of(r->h->stores[i])};
  assert_int_equal(sdb_memory_local_create(sdb_platform_mem(), stores, STORES_COUNT,
                       (sdb_local_sink){r, rig_completed}, &local),
      SDB_OK);
  return local;
}

static void another_storage_may_take_the_place_of_one_that_is_well(void **state) {
  rig *r = *state;
  rig_note(r, "unsynced");
  sdb_memory_local *first = r->local;
  r->local = another_local(r);
  sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
  rig_drain(r);
  assert_int_equal(r->storage_failures, 0); /* nobody is told that it failed: it did not */
  assert_int_equal(listed(r), 1);
  rig_stop(r);
  sdb_memory_local_destroy(first);
  sdb_replica_options options = rig_options(r);
  rig_start(r, &options);
  assert_int_equal(listed(r), 1); /* it is in the second now */
}

/* An application of a later version may have left pushes that this one has no store for. */
static void a_kept_push_of_a_store_that_is_not_used_waits_for_one_who_uses_it(void **state) {
  rig *r = *state;
  rig_note(r, "for later");
  rig_stop(r);
  sdb_replica_options options = rig_options(r);
  options.stores_count = NOTE;
  rig_start(r, &options);
  assert_int_equal(rig_status(r).pending, 0);
  rig_stop(r);
  options.stores_count = STORES_COUNT;
  rig_start(r, &options);
  assert_int_equal(rig_status(r).pending, 1);
  assert_int_equal(listed(r), 1);
}

static void a_push_that_is_kept_twice_is_one(void **state) {
  rig *r = *state;
  sdb_uuid client_id = rig_note(r, "kept");
  sdb_local_pending kept = {.position = 1,
      .client_id = client_id,
      .store = NOTE,
      .action = SDB_ACTION_CREATE,
      .object = sdb_slice_of("{\"text\":\"kept\"}")};
  rig_stop(r);
  sdb_replica_options options = rig_options(r);
  assert_int_equal(sdb_replica_create(&options, &r->replica), SDB_OK);
  for (int i = 0; i < 2; i++)
    assert_int_equal(sdb_replica_adopt(r->replica, &kept), SDB_OK);
  sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
  rig_drain(r);
  assert_int_equal(rig_status(r).pending, 1);
  assert_int_equal(listed(r), 1);
}

/* ---- much in one turn ---- */

/* How many operations a storage that answers late has carried out, when there are no more. */
static size_t carry_out(rig *r) {
  size_t carried_out = 0, now;
  do {
    rig_drain(r);
    now = sdb_memory_local_run(r->local, SIZE_MAX);
    carried_out += now;
  } while (now > 0);
  sdb_memory_local_defer(r->local, false);
  return carried_out;
}

static void more_events_than_one_commit_holds_are_stored_in_several(void **state) {
  rig *r = *state;
  const unsigned count = SDB_REPLICA_BATCH_CHANGES_MAX + 1000;
  go_live(r);
  sdb_memory_local_defer(r->local, true);
  for (unsigned i = 1; i <= count; i++) {
    char text[300];
    snprintf(text, sizeof(text),
        "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"01974f63-6abc-7000-8107-%"
        "012x\","
        "\"object\":{\"text\":\"x\"}}}",
        i);
    sdb_replica_on_message(r->replica, sdb_slice_of(text), r->now_ms);
  }
  assert_in_range(carry_out(r), 2, 3);
  assert_int_equal(r->changes, count);
  assert_int_equal(
      rig_ask(r, (sdb_replica_request){.kind = SDB_REPLICA_LIST, .store = NOTE, .limit = 1000}),
      SDB_OK);
  assert_int_equal(r->records_count, 1000);
}

static void events_larger_than_one_commit_holds_are_stored_in_several(void **state) {
  rig *r = *state;
  const size_t size = 250000;
  char *text = malloc(size + 200);
  assert_non_null(text);
  go_live(r);
  sdb_memory_local_defer(r->local, true);
  for (unsigned i = 1; i <= 8; i++) {
    int at = sprintf(text,
        "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"01974f63-6abc-7000-8107-%"
        "012x\","
        "\"object\":{\"text\":\"",
        i);
    memset(text + at, 'x', size);
    strcpy(text + at + size, "\"}}}");
    sdb_replica_on_message(r->replica, sdb_slice_of(text), r->now_ms);
  }
  free(text);
  assert_in_range(carry_out(r), 2, 3);
  assert_int_equal(listed(r), 8);
}

static void the_memory_for_a_message_of_many_values_is_given_back(void **state) {
  rig *r = *state;
  go_live(r);
  size_t live = r->memory.live;
  const size_t values = 2 * SDB_REPLICA_JSON_BYTES_KEPT / sizeof(sdb_json_token);
  char *text = malloc(2 * values + 100);
  assert_non_null(text);
  size_t at = (size_t)sprintf(text, "{\"type\":\"pong\",\"data\":{\"of a later version\":[0");
  for (size_t i = 0; i < values; i++, at += 2)
    memcpy(text + at, ",0", 2);
  strcpy(text + at, "]}}");
  tell(r, text);
  free(text);
  assert_true(r->connected);
  assert_int_equal(r->memory.live, live - 1); /* it is made anew for the next */
  tell(r, "{\"type\":\"pong\"}");
  assert_int_equal(r->memory.live, live);
}

/* ---- reads of a storage that fails ---- */

static void an_object_that_cannot_be_read_is_asked_of_the_next_storage(void **state) {
  rig *r = *state;
  go_live(r);
  tell(r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID(
              "01") "\",\"object\":{\"text\":\"x\"}}}");
  sdb_uuid id = r->change.id;
  sdb_local_change damaged = {.kind = SDB_LOCAL_PUT,
      .store = NOTE,
      .id = id,
      .event_id = {{0xFF}},
      .object = sdb_slice_of("{\"text!:")};
  sdb_local_commit commit = {.op = {.kind = SDB_LOCAL_COMMIT}, .changes = &damaged, .count = 1};
  const sdb_local_port *port = sdb_memory_local_port(r->local);
  port->submit(port->self, &commit.op);
  r->completed = NULL;
  r->completed_last = &r->completed;
  unsigned dones = r->dones;
  begin(r, (sdb_replica_request){.kind = SDB_REPLICA_GET, .store = NOTE, .id = id});
  rig_drain(r);
  assert_int_equal(r->storage_failures, 1);
  assert_int_equal(r->dones, dones); /* it waits */
  sdb_memory_local_destroy(r->local);
  r->local = another_local(r);
  sdb_replica_attach(r->replica, sdb_memory_local_port(r->local), r->now_ms);
  rig_drain(r);
  assert_int_equal(r->dones, dones + 1);
  assert_int_equal(r->done, SDB_NOT_FOUND); /* until the server sends it again */
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_RIG(a_replica_of_no_stores_or_too_many_is_not_made),
      ON_RIG(what_a_replica_holds_at_its_end_goes_with_it),
      ON_RIG(another_storage_may_take_the_place_of_one_that_is_well),
      ON_RIG(a_kept_push_of_a_store_that_is_not_used_waits_for_one_who_uses_it),
      ON_RIG(a_push_that_is_kept_twice_is_one),
      ON_RIG(more_events_than_one_commit_holds_are_stored_in_several),
      ON_RIG(events_larger_than_one_commit_holds_are_stored_in_several),
      ON_RIG(the_memory_for_a_message_of_many_values_is_given_back),
      ON_RIG(an_object_that_cannot_be_read_is_asked_of_the_next_storage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
