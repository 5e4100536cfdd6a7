/* test/unit/local_conformance.c: what every storage of the device promises; see
 * replica/storage_port.h. */
#include "local_conformance.h"
#include "platform/platform.h"
#include <stdio.h>
#include <stdlib.h>

static const local_kind *kind_under_test;

static int setup(void **state) {
  *state = local_open(kind_under_test);
  return 0;
}

static int teardown(void **state) {
  local_close(*state);
  return 0;
}

static sdb_status object_status(local_fixture *f, int store, uint64_t id) {
  return read_object(f, store, id_of(id))->op.status;
}

/* ---- puts ---- */

static void an_object_comes_back_as_it_was_put(void **state) {
  local_fixture *f = *state;
  assert_true(apply(f, put_of(NOTE, 5, 9, "{\"text\":\"é\"}")));
  sdb_local_change plain = put_of(NOTE, 6, 6, "{}");
  plain.client_id = NIL;
  assert_true(apply(f, plain));
  local_reopen(f);
  sdb_local_object *object = read_object(f, NOTE, id_of(5));
  assert_int_equal(object->op.status, SDB_OK);
  assert_id(object->record.id, id_of(5));
  assert_id(object->record.event_id, id_of(9));
  assert_id(object->record.client_id, id_of(1000009));
  assert_body(object->record.object, "{\"text\":\"é\"}");
  sdb_local_page *page = read_page(f, NOTE, NIL, 10);
  assert_int_equal(page->count, 2);
  assert_id(page->records[0].id, id_of(6));
  assert_id(page->records[0].event_id, id_of(6));
  assert_id(page->records[0].client_id, NIL);
  assert_id(page->records[1].event_id, id_of(9));
  assert_id(page->records[1].client_id, id_of(1000009));
  assert_body(page->records[1].object, "{\"text\":\"é\"}");
}

static void a_put_is_ignored_unless_its_event_is_newer(void **state) {
  local_fixture *f = *state;
  assert_true(apply(f, put_of(CHAT, 1, 10, "ten")));
  assert_false(apply(f, put_of(CHAT, 1, 9, "nine")));
  assert_false(apply(f, put_of(CHAT, 1, 10, "ten again")));
  assert_false(apply(f, put_of(CHAT, 1, 1, "one")));
  assert_store_is(f, CHAT, "ten");
  assert_true(apply(f, put_of(CHAT, 1, 11, "eleven")));
  assert_store_is(f, CHAT, "eleven");
  assert_id(read_object(f, CHAT, id_of(1))->record.event_id, id_of(11));
}

static void a_put_that_says_so_takes_the_place_of_the_same_event(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "first"));
  apply(f, put_of(CHAT, 2, 9, "changed"));
  sdb_local_change same = put_of(CHAT, 1, 1, "second"), older = put_of(CHAT, 2, 8, "older");
  same.or_equal = older.or_equal = true;
  assert_true(apply(f, same));
  assert_false(apply(f, older));
  assert_store_is(f, CHAT, "changed", "second");
  assert_false(apply(f, put_of(CHAT, 1, 1, "third")));
  sdb_local_change account = singular_of(ACCOUNT, 3, 3, "first");
  apply(f, account);
  account = singular_of(ACCOUNT, 3, 3, "second");
  assert_false(apply(f, account));
  account.or_equal = true;
  assert_true(apply(f, account));
  assert_store_is(f, ACCOUNT, "second");
}

static void a_put_that_was_never_changed_is_ignored_the_same_way(void **state) {
  local_fixture *f = *state;
  assert_true(apply(f, put_of(CHAT, 7, 7, "first")));
  assert_false(apply(f, put_of(CHAT, 7, 7, "again")));
  assert_true(apply(f, put_of(CHAT, 7, 8, "changed")));
  assert_false(apply(f, put_of(CHAT, 7, 7, "first")));
  assert_store_is(f, CHAT, "changed");
}

static void ids_are_compared_as_sixteen_bytes(void **state) {
  local_fixture *f = *state;
  sdb_uuid ids[3] = {{{0x7F, [15] = 0xFF}}, {{0x80, [15] = 0x00}}, {{0x80, [15] = 0x80}}};
  static const char *const NAMES[] = {"low", "middle", "high"};
  for (int i = 0; i < 3; i++) {
    sdb_local_change change = put_of(CHAT, 1, 1, NAMES[(i + 1) % 3]);
    change.id = change.event_id = ids[(i + 1) % 3];
    assert_true(apply(f, change));
  }
  assert_store_is(f, CHAT, "high", "middle", "low");
  sdb_local_change change = put_of(CHAT, 1, 1, "changed");
  change.id = ids[1];
  change.event_id = ids[0];
  assert_false(apply(f, change));
  change.event_id = ids[2];
  assert_true(apply(f, change));
  sdb_local_page *page = read_page(f, CHAT, ids[2], 10);
  assert_int_equal(page->count, 2);
  assert_body(page->records[0].object, "changed");
}

static void a_large_object_comes_back_whole(void **state) {
  local_fixture *f = *state;
  enum { SIZE = 300000 };
  char *text = malloc(SIZE + 1);
  for (int i = 0; i < SIZE; i++)
    text[i] = (char)('a' + i % 26);
  text[SIZE] = 0;
  apply(f, put_of(CHAT, 1, 1, text));
  apply(f, put_of(CHAT, 2, 2, "small"));
  local_reopen(f);
  assert_store_is(f, CHAT, "small", text);
  assert_body(read_object(f, CHAT, id_of(1))->record.object, text);
  free(text);
}

static void one_id_in_two_stores_is_two_objects(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 5, "chat"));
  assert_true(apply(f, put_of(NOTE, 1, 4, "note")));
  assert_store_is(f, CHAT, "chat");
  assert_store_is(f, NOTE, "note");
  assert_true(apply(f, remove_of(CHAT, 1, 6, true)));
  assert_store_is(f, NOTE, "note");
  assert_store_is_empty(f, CHAT);
}

/* ---- removes ---- */

static void a_remove_takes_the_object_out(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "one"));
  apply(f, put_of(CHAT, 2, 2, "two"));
  assert_true(apply(f, remove_of(CHAT, 1, 3, false)));
  assert_store_is(f, CHAT, "two");
  assert_int_equal(object_status(f, CHAT, 1), SDB_NOT_FOUND);
  assert_false(apply(f, remove_of(CHAT, 1, 4, false)));
  assert_false(apply(f, remove_of(CHAT, 3, 4, false)));
  local_reopen(f);
  assert_store_is(f, CHAT, "two");
}

static void a_remove_wins_over_its_own_event_and_loses_to_newer_ones(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 10, "ten"));
  assert_false(apply(f, remove_of(CHAT, 1, 9, false)));
  assert_false(apply(f, remove_of(CHAT, 1, 9, true)));
  assert_store_is(f, CHAT, "ten");
  assert_true(apply(f, put_of(CHAT, 1, 11, "eleven")));
  assert_true(apply(f, remove_of(CHAT, 1, 11, true)));
  assert_store_is_empty(f, CHAT);
  apply(f, put_of(CHAT, 2, 2, "unchanged"));
  assert_true(apply(f, remove_of(CHAT, 2, 2, false)));
  assert_store_is_empty(f, CHAT);
}

static void a_kept_remove_holds_off_what_is_not_newer(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 5, "five"));
  assert_true(apply(f, remove_of(CHAT, 1, 10, true)));
  assert_false(apply(f, put_of(CHAT, 1, 9, "nine")));
  assert_false(apply(f, put_of(CHAT, 1, 10, "ten")));
  local_reopen(f);
  assert_false(apply(f, put_of(CHAT, 1, 10, "ten")));
  assert_store_is_empty(f, CHAT);
  assert_int_equal(object_status(f, CHAT, 1), SDB_NOT_FOUND);
  assert_true(apply(f, put_of(CHAT, 1, 11, "eleven")));
  assert_store_is(f, CHAT, "eleven");
  assert_false(apply(f, remove_of(CHAT, 1, 10, true)));
  assert_store_is(f, CHAT, "eleven");
}

static void a_remove_is_kept_of_an_object_that_was_never_there(void **state) {
  local_fixture *f = *state;
  assert_false(apply(f, remove_of(CHAT, 1, 10, true)));
  assert_false(apply(f, put_of(CHAT, 1, 9, "nine")));
  assert_true(apply(f, put_of(NOTE, 1, 9, "elsewhere")));
  assert_store_is_empty(f, CHAT);
}

static void a_remove_that_is_not_kept_is_forgotten(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 5, "five"));
  assert_true(apply(f, remove_of(CHAT, 1, 10, false)));
  assert_true(apply(f, put_of(CHAT, 1, 9, "nine")));
  assert_store_is(f, CHAT, "nine");
}

static void of_kept_removes_the_newest_counts(void **state) {
  local_fixture *f = *state;
  apply(f, remove_of(CHAT, 1, 10, true));
  assert_false(apply(f, remove_of(CHAT, 1, 8, true)));
  assert_false(apply(f, put_of(CHAT, 1, 9, "nine")));
  assert_false(apply(f, remove_of(CHAT, 1, 12, true)));
  assert_false(apply(f, put_of(CHAT, 1, 12, "twelve")));
  assert_true(apply(f, put_of(CHAT, 1, 13, "thirteen")));
}

static void a_remove_that_is_kept_already_stays_kept(void **state) {
  local_fixture *f = *state;
  apply(f, remove_of(CHAT, 1, 10, true));
  assert_false(apply(f, remove_of(CHAT, 1, 12, false)));
  assert_false(apply(f, put_of(CHAT, 1, 10, "ten")));
  assert_false(apply(f, put_of(CHAT, 1, 12, "twelve")));
  assert_false(apply(f, remove_of(CHAT, 1, 11, false)));
  assert_false(apply(f, put_of(CHAT, 1, 12, "twelve")));
  sdb_local_change any = remove_of(SDB_LOCAL_ANY, 1, 14, false);
  assert_int_equal(commit_changes(f, &any, 1), SDB_OK);
  assert_false(any.applied);
  assert_false(apply(f, put_of(CHAT, 1, 14, "fourteen")));
  assert_true(apply(f, put_of(CHAT, 1, 15, "fifteen")));
}

static void a_remove_need_not_name_its_store(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(NOTE, 1, 5, "note"));
  apply(f, put_of(NOTE, 2, 2, "other"));
  sdb_local_change change = remove_of(SDB_LOCAL_ANY, 1, 4, true);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  assert_false(change.applied);
  change = remove_of(SDB_LOCAL_ANY, 1, 6, true);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  assert_true(change.applied);
  assert_int_equal(change.store, NOTE);
  assert_store_is(f, NOTE, "other");
  assert_true(apply(f, put_of(NOTE, 1, 3, "not kept: it may come back")));
}

static void a_remove_of_any_store_finds_nothing_where_nothing_is(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 2, 2, "two"));
  sdb_local_change change = remove_of(SDB_LOCAL_ANY, 1, 6, true);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  assert_false(change.applied);
  assert_int_equal(change.store, SDB_LOCAL_ANY);
  assert_true(apply(f, put_of(CHAT, 1, 1, "one")));
}

static void forgetting_ends_what_kept_removes_hold_off(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 3, 3, "three"));
  apply(f, remove_of(CHAT, 1, 10, true));
  apply(f, remove_of(NOTE, 1, 10, true));
  apply(f, change_of(SDB_LOCAL_FORGET, CHAT));
  assert_store_is(f, CHAT, "three");
  assert_true(apply(f, put_of(CHAT, 1, 9, "nine")));
  assert_false(apply(f, put_of(NOTE, 1, 9, "nine")));
  apply(f, remove_of(CHAT, 1, 12, true));
  assert_false(apply(f, put_of(CHAT, 1, 11, "eleven")));
}

/* ---- singular stores ---- */

static void a_singular_store_holds_the_newest_of_all(void **state) {
  local_fixture *f = *state;
  assert_int_equal(read_object(f, ACCOUNT, NIL)->op.status, SDB_NOT_FOUND);
  assert_true(apply(f, singular_of(ACCOUNT, 3, 3, "three")));
  assert_true(apply(f, singular_of(ACCOUNT, 5, 5, "five")));
  assert_false(apply(f, singular_of(ACCOUNT, 4, 4, "four")));
  assert_false(apply(f, singular_of(ACCOUNT, 4, 5, "five too")));
  local_reopen(f);
  assert_store_is(f, ACCOUNT, "five");
  assert_true(apply(f, singular_of(ACCOUNT, 2, 6, "six")));
  sdb_local_object *object = read_object(f, ACCOUNT, NIL);
  assert_int_equal(object->op.status, SDB_OK);
  assert_id(object->record.id, id_of(2));
  assert_id(object->record.event_id, id_of(6));
  assert_id(object->record.client_id, id_of(1000006));
  assert_body(object->record.object, "six");
  assert_int_equal(object_status(f, ACCOUNT, 5), SDB_NOT_FOUND);
  assert_int_equal(object_status(f, ACCOUNT, 2), SDB_OK);
  assert_store_is(f, ACCOUNT, "six");
}

static void a_singular_store_may_come_to_hold_nothing(void **state) {
  local_fixture *f = *state;
  assert_false(apply(f, singular_of(ACCOUNT, 1, 1, "")));
  assert_true(apply(f, singular_of(ACCOUNT, 3, 3, "three")));
  assert_false(apply(f, singular_of(ACCOUNT, 2, 2, "")));
  assert_store_is(f, ACCOUNT, "three");
  assert_true(apply(f, singular_of(ACCOUNT, 3, 5, "")));
  assert_store_is_empty(f, ACCOUNT);
  local_reopen(f);
  assert_int_equal(read_object(f, ACCOUNT, NIL)->op.status, SDB_NOT_FOUND);
  assert_false(apply(f, singular_of(ACCOUNT, 4, 4, "four")));
  assert_false(apply(f, singular_of(ACCOUNT, 5, 5, "five")));
  assert_true(apply(f, singular_of(ACCOUNT, 6, 6, "six")));
  assert_store_is(f, ACCOUNT, "six");
}

static void a_remove_in_a_singular_store_is_of_whatever_it_holds(void **state) {
  local_fixture *f = *state;
  apply(f, singular_of(ACCOUNT, 3, 3, "three"));
  assert_false(apply(f, remove_of(ACCOUNT, 2, 2, true)));
  assert_store_is(f, ACCOUNT, "three");
  assert_true(apply(f, remove_of(ACCOUNT, 4, 5, true)));
  assert_store_is_empty(f, ACCOUNT);
  assert_false(apply(f, singular_of(ACCOUNT, 5, 5, "five")));
  assert_true(apply(f, singular_of(ACCOUNT, 6, 6, "six")));
  sdb_local_change change = remove_of(SDB_LOCAL_ANY, 6, 7, false);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  assert_true(change.applied);
  assert_int_equal(change.store, ACCOUNT);
  assert_store_is_empty(f, ACCOUNT);
}

/* ---- clearing, states, the database ---- */

static void clearing_takes_all_of_one_store(void **state) {
  local_fixture *f = *state;
  sdb_local_pending pending = pending_of(1, 9, CHAT, "unsynced");
  sdb_local_change changes[] = {put_of(CHAT, 1, 1, "one"), put_of(NOTE, 1, 1, "note"),
      remove_of(CHAT, 2, 10, true), remove_of(NOTE, 2, 10, true), state_of(CHAT, 20, 7, NULL, 0),
      state_of(NOTE, 20, 8, NULL, 0), pending_put_of(&pending)};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  apply(f, change_of(SDB_LOCAL_CLEAR, CHAT));
  local_reopen(f);
  assert_store_is_empty(f, CHAT);
  assert_store_is(f, NOTE, "note");
  sdb_local_load *load = load_all(f);
  assert_state(&load->states[CHAT], &(sdb_local_state){0});
  assert_state(&load->states[NOTE], &changes[5].state);
  assert_int_equal(load->pending_count, 1);
  assert_true(apply(f, put_of(CHAT, 2, 9, "two")));
  assert_false(apply(f, put_of(NOTE, 2, 9, "two")));
}

static void an_empty_storage_loads_as_never_synced(void **state) {
  local_fixture *f = *state;
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->op.status, SDB_OK);
  assert_id(load->database, NIL);
  assert_int_equal(load->pending_count, 0);
  for (int i = 0; i < STORES; i++)
    assert_state(&load->states[i], &(sdb_local_state){0});
}

static void states_load_as_they_were_stored_last(void **state) {
  local_fixture *f = *state;
  const sdb_id_range missing[] = {{id_of(80), id_of(90)}, {id_of(50), id_of(80)}, {NIL, id_of(9)}};
  sdb_local_change changes[] = {state_of(CHAT, 70, 3, missing + 2, 1),
      state_of(ACCOUNT, 40, UINT32_MAX, NULL, 0), state_of(CHAT, 90, 0, missing, 3)};
  assert_int_equal(commit_changes(f, changes, 3), SDB_OK);
  for (int i = 0; i < 2; i++) {
    sdb_local_load *load = load_all(f);
    assert_int_equal(load->op.status, SDB_OK);
    assert_state(&load->states[CHAT], &changes[2].state);
    assert_state(&load->states[NOTE], &(sdb_local_state){0});
    assert_state(&load->states[ACCOUNT], &changes[1].state);
    local_reopen(f);
  }
  apply(f, state_of(CHAT, 90, 0, NULL, 0));
  assert_int_equal(load_all(f)->states[CHAT].missing_count, 0);
}

static void a_state_may_have_as_many_ranges_as_there_may_be(void **state) {
  local_fixture *f = *state;
  static sdb_id_range missing[SDB_LOCAL_RANGES_MAX];
  for (uint64_t i = 0; i < SDB_LOCAL_RANGES_MAX; i++) {
    uint64_t at = 10 * (SDB_LOCAL_RANGES_MAX - i);
    missing[i] = (sdb_id_range){id_of(at), id_of(at + 9)};
  }
  sdb_local_change change = state_of(NOTE, 100000, 5, missing, SDB_LOCAL_RANGES_MAX);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  local_reopen(f);
  assert_state(&load_all(f)->states[NOTE], &change.state);
}

static void the_database_is_the_one_noted_last(void **state) {
  local_fixture *f = *state;
  apply(f, database_of(1));
  assert_id(load_all(f)->database, id_of(1));
  apply(f, database_of(2));
  local_reopen(f);
  assert_id(load_all(f)->database, id_of(2));
}

/* ---- pending pushes ---- */

static void pending_pushes_load_whole_and_by_position(void **state) {
  local_fixture *f = *state;
  sdb_local_pending pushes[] = {pending_of(1, 30, CHAT, "{\"a\":1}"), pending_of(2, 10, NOTE, "{}"),
      pending_of(7, 20, CHAT, NULL), pending_of(1000000007, 5, ACCOUNT, "x")};
  pushes[1].action = SDB_ACTION_UPDATE;
  pushes[1].depends = id_of(30);
  pushes[1].failed = SDB_REJECTED;
  pushes[1].message = sdb_slice_of("no – not this one");
  pushes[1].path = sdb_slice_of("/role");
  pushes[2].action = SDB_ACTION_DELETE;
  pushes[2].id = id_of(77);
  sdb_local_change changes[] = {pending_put_of(&pushes[3]), pending_put_of(&pushes[0]),
      pending_put_of(&pushes[2]), pending_put_of(&pushes[1])};
  assert_int_equal(commit_changes(f, changes, 4), SDB_OK);
  for (int i = 0; i < 2; i++) {
    sdb_local_load *load = load_all(f);
    assert_int_equal(load->op.status, SDB_OK);
    assert_int_equal(load->pending_count, 4);
    for (int k = 0; k < 4; k++)
      assert_pending(&load->pending[k], &pushes[k]);
    local_reopen(f);
  }
}

static void a_pending_push_takes_the_place_of_the_one_with_its_client_id(void **state) {
  local_fixture *f = *state;
  sdb_local_pending first = pending_of(1, 10, CHAT, "first"), other = pending_of(2, 11, CHAT, "o");
  apply(f, pending_put_of(&first));
  apply(f, pending_put_of(&other));
  sdb_local_pending again = pending_of(3, 10, CHAT, "again");
  again.failed = SDB_UNAVAILABLE;
  apply(f, pending_put_of(&again));
  local_reopen(f);
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->pending_count, 2);
  assert_pending(&load->pending[0], &other);
  assert_pending(&load->pending[1], &again);
}

static void a_pending_push_is_dropped_by_its_client_id(void **state) {
  local_fixture *f = *state;
  sdb_local_pending one = pending_of(1, 10, CHAT, "one"), two = pending_of(2, 11, CHAT, "two");
  apply(f, pending_put_of(&one));
  apply(f, pending_put_of(&two));
  apply(f, pending_drop_of(id_of(10)));
  apply(f, pending_drop_of(id_of(10)));
  apply(f, pending_drop_of(id_of(12)));
  local_reopen(f);
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->pending_count, 1);
  assert_pending(&load->pending[0], &two);
}

static void ten_thousand_pending_pushes_load_in_order(void **state) {
  local_fixture *f = *state;
  enum { COUNT = 10000 };
  static sdb_local_pending pushes[COUNT];
  static sdb_local_change changes[COUNT];
  for (uint64_t i = 0; i < COUNT; i++) {
    uint64_t position = (i * 7919) % COUNT + 1;
    pushes[i] = pending_of(position, 50000 - position, (int)(i % 2), "{\"role\":\"user\"}");
    changes[i] = pending_put_of(&pushes[i]);
  }
  assert_int_equal(commit_changes(f, changes, COUNT), SDB_OK);
  local_reopen(f);
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->pending_count, COUNT);
  for (uint64_t i = 0; i < COUNT; i++) {
    assert_int_equal(load->pending[i].position, i + 1);
    assert_id(load->pending[i].client_id, id_of(50000 - i - 1));
    assert_body(load->pending[i].object, "{\"role\":\"user\"}");
  }
}

/* ---- commits ---- */

static void the_changes_of_a_commit_are_carried_out_in_order(void **state) {
  local_fixture *f = *state;
  sdb_local_change changes[] = {put_of(CHAT, 1, 1, "one"), remove_of(CHAT, 1, 2, false),
      put_of(CHAT, 1, 1, "one again"), put_of(CHAT, 2, 2, "two"), change_of(SDB_LOCAL_CLEAR, CHAT),
      put_of(CHAT, 3, 3, "three"), state_of(CHAT, 9, 0, NULL, 0), put_of(CHAT, 3, 2, "stale"),
      change_of(SDB_LOCAL_VIEW, NOTE)};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  assert_true(changes[1].applied && changes[2].applied && changes[5].applied);
  assert_false(changes[7].applied);
  assert_store_is(f, CHAT, "three");
  assert_id(load_all(f)->states[CHAT].head, id_of(9));
}

static void a_sync_is_completed_in_its_turn_and_changes_nothing(void **state) {
  local_fixture *f = *state;
  sdb_local_op first = {.kind = SDB_LOCAL_SYNC};
  assert_int_equal(local_submit(f, &first), SDB_OK); /* nothing was written yet */
  for (uint64_t i = 1; i <= 4; i++) {
    sdb_local_change change = put_of(CHAT, i, i, "x");
    sdb_local_commit commit = {.op = {.kind = SDB_LOCAL_COMMIT}, .changes = &change, .count = 1};
    assert_int_equal(local_submit(f, &commit.op), SDB_OK);
    sdb_local_op sync = {.kind = SDB_LOCAL_SYNC};
    assert_int_equal(local_submit(f, &sync), SDB_OK);
  }
  local_reopen(f);
  assert_store_is(f, CHAT, "x", "x", "x", "x");
  assert_int_equal(f->port->durable, f->kind->durable);
  assert_int_equal(f->port->version, 1);
}

static void a_commit_of_nothing_succeeds(void **state) {
  local_fixture *f = *state;
  assert_int_equal(commit_changes(f, NULL, 0), SDB_OK);
  assert_false(apply(f, change_of(SDB_LOCAL_VIEW, CHAT)));
}

static void a_commit_that_fails_leaves_nothing_of_itself(void **state) {
  local_fixture *f = *state;
  sdb_local_pending kept = pending_of(1, 10, CHAT, "kept"), lost = pending_of(2, 11, CHAT, "lost");
  sdb_local_change before[] = {put_of(CHAT, 1, 1, "one"), remove_of(NOTE, 2, 10, true),
      state_of(CHAT, 5, 1, NULL, 0), pending_put_of(&kept), database_of(1),
      singular_of(ACCOUNT, 1, 1, "account")};
  sdb_local_change failing[] = {put_of(CHAT, 2, 2, "two"), change_of(SDB_LOCAL_FORGET, NOTE),
      change_of(SDB_LOCAL_CLEAR, CHAT), state_of(CHAT, 6, 2, NULL, 0), pending_put_of(&lost),
      pending_drop_of(id_of(10)), database_of(2), singular_of(ACCOUNT, 2, 2, "other"),
      remove_of(CHAT, 1, 9, true), put_of(NOTE, 4, 4, "four")};
  assert_int_equal(commit_changes(f, before, SDB_COUNT_OF(before)), SDB_OK);
  f->kind->fail_commits(f->storage, true);
  for (int i = 0; i < 3; i++)
    assert_int_equal(commit_changes(f, failing, SDB_COUNT_OF(failing)), SDB_IO);
  assert_store_is(f, CHAT, "one");
  f->kind->fail_commits(f->storage, false);
  for (int i = 0; i < 2; i++) {
    assert_store_is(f, CHAT, "one");
    assert_store_is_empty(f, NOTE);
    assert_store_is(f, ACCOUNT, "account");
    sdb_local_load *load = load_all(f);
    assert_id(load->states[CHAT].head, id_of(5));
    assert_id(load->database, id_of(1));
    assert_int_equal(load->pending_count, 1);
    assert_pending(&load->pending[0], &kept);
    assert_false(apply(f, put_of(NOTE, 2, 9, "held off")));
    local_reopen(f);
  }
  assert_int_equal(commit_changes(f, failing, SDB_COUNT_OF(failing)), SDB_OK);
  assert_store_is_empty(f, CHAT);
  assert_store_is(f, NOTE, "four");
  assert_store_is(f, ACCOUNT, "other");
  assert_id(load_all(f)->database, id_of(2));
}

static void a_list_is_completed_at_once_and_in_its_order(void **state) {
  local_fixture *f = *state;
  enum { COMMITS = 3 };
  sdb_local_change changes[COMMITS];
  sdb_local_commit commits[COMMITS] = {0};
  sdb_local_page pages[COMMITS] = {0};
  int owner;
  for (uint64_t i = 0; i < COMMITS; i++) {
    changes[i] = put_of(CHAT, i + 1, i + 1, "x");
    commits[i] = (sdb_local_commit){
        .op = {.kind = SDB_LOCAL_COMMIT, .owner = &owner}, .changes = &changes[i], .count = 1};
    pages[i] = (sdb_local_page){.op = {.kind = SDB_LOCAL_PAGE}, .store = CHAT, .limit = 10};
    sdb_buffer_init(&pages[i].memory, sdb_platform_mem(), 1 << 20);
    commits[i].op.next = &pages[i].op;
    pages[i].op.next = i + 1 < COMMITS ? &commits[i + 1].op : NULL;
  }
  f->port->submit(f->port->self, &commits[0].op);
  assert_int_equal(f->calls, 1);
  const sdb_local_op *op = f->completed;
  for (uint32_t i = 0; i < COMMITS; i++) {
    assert_ptr_equal(op, &commits[i].op);
    assert_ptr_equal(op->owner, &owner);
    assert_ptr_equal(op->next, &pages[i].op);
    assert_int_equal(pages[i].op.status, SDB_OK);
    assert_int_equal(pages[i].count, i + 1);
    op = op->next->next;
    sdb_buffer_free(&pages[i].memory);
  }
  assert_null(op);
}

/* ---- pages ---- */

static void a_page_is_newest_first_and_ends_at_its_limit(void **state) {
  local_fixture *f = *state;
  static const uint64_t ORDER[] = {30, 10, 50, 20, 40};
  for (size_t i = 0; i < SDB_COUNT_OF(ORDER); i++) {
    char text[8];
    snprintf(text, sizeof(text), "%d", (int)ORDER[i]);
    apply(f, put_of(CHAT, ORDER[i], ORDER[i], text));
  }
  apply(f, put_of(NOTE, 35, 35, "of another store"));
  assert_store_is(f, CHAT, "50", "40", "30", "20", "10");
  sdb_local_page *page = read_page(f, CHAT, NIL, 2);
  assert_int_equal(page->count, 2);
  assert_body(page->records[1].object, "40");
  page = read_page(f, CHAT, page->records[1].id, 2);
  assert_int_equal(page->count, 2);
  assert_body(page->records[0].object, "30");
  assert_body(page->records[1].object, "20");
  page = read_page(f, CHAT, id_of(25), 9);
  assert_int_equal(page->count, 2);
  assert_body(page->records[0].object, "20");
  assert_int_equal(read_page(f, CHAT, id_of(10), 9)->count, 0);
  assert_int_equal(read_page(f, CHAT, id_of(1), 9)->count, 0);
  assert_int_equal(read_page(f, CHAT, id_of(99), UINT32_MAX)->count, 5);
  assert_int_equal(read_page(f, ACCOUNT, NIL, 9)->op.status, SDB_OK);
}

static void the_greatest_id_there_is_comes_first(void **state) {
  local_fixture *f = *state;
  sdb_local_change change = put_of(CHAT, 1, 1, "last");
  memset(change.id.bytes, 0xFF, sizeof(change.id.bytes));
  apply(f, put_of(CHAT, 5, 5, "five"));
  apply(f, change);
  assert_store_is(f, CHAT, "last", "five");
  sdb_local_page *page = read_page(f, CHAT, change.id, 5);
  assert_int_equal(page->count, 1);
  assert_body(page->records[0].object, "five");
}

static void a_page_passes_over_kept_removes(void **state) {
  local_fixture *f = *state;
  static sdb_local_change changes[5000];
  for (uint64_t i = 0; i < SDB_COUNT_OF(changes); i++)
    changes[i] = i % 1000 == 7 ? put_of(CHAT, i, i, "x") : remove_of(CHAT, i, i, true);
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  sdb_local_page *page = read_page(f, CHAT, NIL, 3);
  assert_int_equal(page->count, 3);
  for (uint64_t i = 0; i < 3; i++)
    assert_id(page->records[i].id, id_of(4007 - 1000 * i));
  page = read_page(f, CHAT, page->records[2].id, 3);
  assert_int_equal(page->count, 2);
  assert_id(page->records[1].id, id_of(7));
}

static void a_hundred_thousand_objects_newest_first_are_paged_through(void **state) {
  local_fixture *f = *state;
  enum { COUNT = 100000, AT_ONCE = 500 };
  static sdb_local_change changes[AT_ONCE];
  for (uint64_t left = COUNT; left > 0;) {
    for (size_t i = 0; i < AT_ONCE; i++, left--)
      changes[i] = put_of(CHAT, left, left, "{\"role\":\"user\",\"content\":\"hello\"}");
    assert_int_equal(commit_changes(f, changes, AT_ONCE), SDB_OK);
  }
  local_reopen(f);
  uint64_t expected = COUNT;
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .store = CHAT, .limit = 1000};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 1 << 20);
  do {
    assert_int_equal(local_submit(f, &page.op), SDB_OK);
    for (uint32_t i = 0; i < page.count; i++)
      assert_id(page.records[i].id, id_of(expected--));
    if (page.count > 0) page.before = page.records[page.count - 1].id;
  } while (page.count > 0);
  assert_int_equal(expected, 0);
  sdb_buffer_free(&page.memory);
}

static void a_read_without_room_fails_and_may_be_asked_again(void **state) {
  local_fixture *f = *state;
  sdb_local_pending pending = pending_of(1, 9, CHAT, "{\"text\":\"a push\"}");
  apply(f, pending_put_of(&pending));
  for (uint64_t i = 1; i <= 20; i++)
    apply(f, put_of(CHAT, i, i, "{\"text\":\"an object\"}"));
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .store = CHAT, .limit = 20};
  sdb_local_object object = {.op = {.kind = SDB_LOCAL_OBJECT}, .store = CHAT, .id = id_of(3)};
  sdb_local_load load = {.op = {.kind = SDB_LOCAL_LOAD}};
  struct {
    sdb_local_op *op;
    sdb_buffer *memory;
  } reads[] = {{&page.op, &page.memory}, {&object.op, &object.memory}, {&load.op, &load.memory}};
  for (size_t i = 0; i < SDB_COUNT_OF(reads); i++) {
    size_t size = 0;
    do {
      if (size > 0) sdb_buffer_free(reads[i].memory);
      sdb_buffer_init(reads[i].memory, sdb_platform_mem(), size++);
    } while (local_submit(f, reads[i].op) == SDB_NO_MEMORY);
    assert_int_equal(reads[i].op->status, SDB_OK);
    assert_true(size > 10 && size < 10000);
    if (i == 0) assert_int_equal(page.count, 20);
    if (i == 1) assert_body(object.record.object, "{\"text\":\"an object\"}");
    if (i == 2) assert_pending(&load.pending[0], &pending);
    sdb_buffer_free(reads[i].memory);
  }
}

#define BEHAVIOUR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int local_conformance_run(const local_kind *kind) {
  kind_under_test = kind;
  const struct CMUnitTest tests[] = {
      BEHAVIOUR(an_object_comes_back_as_it_was_put),
      BEHAVIOUR(a_put_is_ignored_unless_its_event_is_newer),
      BEHAVIOUR(a_put_that_says_so_takes_the_place_of_the_same_event),
      BEHAVIOUR(a_put_that_was_never_changed_is_ignored_the_same_way),
      BEHAVIOUR(ids_are_compared_as_sixteen_bytes),
      BEHAVIOUR(a_large_object_comes_back_whole),
      BEHAVIOUR(one_id_in_two_stores_is_two_objects),
      BEHAVIOUR(a_remove_takes_the_object_out),
      BEHAVIOUR(a_remove_wins_over_its_own_event_and_loses_to_newer_ones),
      BEHAVIOUR(a_kept_remove_holds_off_what_is_not_newer),
      BEHAVIOUR(a_remove_is_kept_of_an_object_that_was_never_there),
      BEHAVIOUR(a_remove_that_is_not_kept_is_forgotten),
      BEHAVIOUR(of_kept_removes_the_newest_counts),
      BEHAVIOUR(a_remove_that_is_kept_already_stays_kept),
      BEHAVIOUR(a_remove_need_not_name_its_store),
      BEHAVIOUR(a_remove_of_any_store_finds_nothing_where_nothing_is),
      BEHAVIOUR(forgetting_ends_what_kept_removes_hold_off),
      BEHAVIOUR(a_singular_store_holds_the_newest_of_all),
      BEHAVIOUR(a_singular_store_may_come_to_hold_nothing),
      BEHAVIOUR(a_remove_in_a_singular_store_is_of_whatever_it_holds),
      BEHAVIOUR(clearing_takes_all_of_one_store),
      BEHAVIOUR(an_empty_storage_loads_as_never_synced),
      BEHAVIOUR(states_load_as_they_were_stored_last),
      BEHAVIOUR(a_state_may_have_as_many_ranges_as_there_may_be),
      BEHAVIOUR(the_database_is_the_one_noted_last),
      BEHAVIOUR(pending_pushes_load_whole_and_by_position),
      BEHAVIOUR(a_pending_push_takes_the_place_of_the_one_with_its_client_id),
      BEHAVIOUR(a_pending_push_is_dropped_by_its_client_id),
      BEHAVIOUR(ten_thousand_pending_pushes_load_in_order),
      BEHAVIOUR(the_changes_of_a_commit_are_carried_out_in_order),
      BEHAVIOUR(a_sync_is_completed_in_its_turn_and_changes_nothing),
      BEHAVIOUR(a_commit_of_nothing_succeeds),
      BEHAVIOUR(a_commit_that_fails_leaves_nothing_of_itself),
      BEHAVIOUR(a_list_is_completed_at_once_and_in_its_order),
      BEHAVIOUR(a_page_is_newest_first_and_ends_at_its_limit),
      BEHAVIOUR(the_greatest_id_there_is_comes_first),
      BEHAVIOUR(a_page_passes_over_kept_removes),
      BEHAVIOUR(a_hundred_thousand_objects_newest_first_are_paged_through),
      BEHAVIOUR(a_read_without_room_fails_and_may_be_asked_again),
      BEHAVIOUR(random_changes_end_as_the_model_says),
  };
  return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}
