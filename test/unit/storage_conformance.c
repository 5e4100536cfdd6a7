/* test/unit/storage_conformance.c: what every storage promises; see hub/storage_port.h. */
#include "storage_conformance.h"
#include <stdio.h>
#include <stdlib.h>

static const conformance_kind *kind_under_test;

static int setup(void **state) {
  *state = fixture_open(kind_under_test);
  return 0;
}

static int teardown(void **state) {
  fixture_close(*state);
  return 0;
}

/* ---- users and order ---- */

static void a_user_keeps_its_number_over_a_restart(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann"), bob = user_of(f, "bob");
  assert_int_not_equal(ann, bob);
  assert_int_equal(user_of(f, "ann"), ann);
  fixture_reopen(f);
  assert_int_equal(user_of(f, "bob"), bob);
  assert_int_equal(user_of(f, "ann"), ann);
}

static void user_names_are_compared_byte_by_byte(void **state) {
  fixture *f = *state;
  uint64_t lower = user_of(f, "é"), upper = user_of(f, "É");
  assert_int_not_equal(lower, upper);
  assert_int_not_equal(user_of(f, "e"), lower);
}

static void the_database_keeps_its_id_and_its_epoch_over_a_restart(void **state) {
  fixture *f = *state;
  sdb_uuid id = f->port->database, epoch = f->port->epoch;
  assert_false(sdb_uuid_is_nil(id) || sdb_uuid_is_nil(epoch));
  fixture_reopen(f);
  assert_true(sdb_uuid_equal(f->port->database, id));
  assert_true(sdb_uuid_equal(f->port->epoch, epoch));
}

static void a_fresh_object_has_the_id_of_its_event(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "{\"a\":1}", 1, T0);
  sdb_op_page *page = do_page(f, ann, CHAT, 0, 0, 10);
  assert_page_is(page, "{\"a\":1}");
  assert_int_equal(page->events[0].seq, id);
  assert_int_equal(page->events[0].object, id);
  assert_int_equal(page->events[0].store, CHAT);
  assert_true(sdb_uuid_equal(page->events[0].client_id, client(1)));
  assert_int_equal(sdb_seq_ms(id), T0);
  assert_false(page->more);
}

static void events_of_one_list_are_stored_in_its_order(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann"), bob = user_of(f, "bob");
  enum { COUNT = 1000 };
  sdb_op_write *writes[COUNT];
  char bodies[COUNT][16];
  for (int i = 0; i < COUNT; i++) {
    snprintf(bodies[i], sizeof(bodies[i]), "%d", i);
    writes[i] = new_write(f, SDB_ACTION_CREATE, i % 3 ? ann : bob, i % 2 ? CHAT : NOTE);
    writes[i]->body = sdb_slice_of(bodies[i]);
    writes[i]->client_id = client((uint64_t)i + 1);
    if (i > 0) writes[i - 1]->op.next = &writes[i]->op;
  }
  fixture_submit(f, &writes[0]->op);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(writes[i]->op.status, SDB_OK);
    if (i > 0) assert_true(writes[i]->seq > writes[i - 1]->seq);
  }
  sdb_op_page *page = do_page(f, ann, CHAT, 0, 0, 3);
  assert_page_is(page, "997", "995", "991");
  assert_true(page->more);
}

static void seqs_rise_whatever_the_clock_and_over_restarts(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq first = create(f, ann, CHAT, "1", 0, T0);
  sdb_seq second = create(f, ann, CHAT, "2", 0, T0 - DAY_MS);
  assert_true(second > first);
  fixture_reopen(f);
  sdb_seq third = create(f, ann, CHAT, "3", 0, T0 - 2 * DAY_MS);
  assert_true(third > second);
  sdb_seq fourth = create(f, ann, CHAT, "4", 0, T0 + DAY_MS);
  assert_int_equal(sdb_seq_ms(fourth), T0 + DAY_MS);
}

/* ---- replacing and removing ---- */

static void an_update_takes_the_place_of_the_event_before(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq first = create(f, ann, CHAT, "first", 1, T0);
  create(f, ann, CHAT, "second", 2, T0);
  sdb_op_write *write = new_write(f, SDB_ACTION_UPDATE, ann, CHAT);
  write->object = first;
  write->body = sdb_slice_of("first again");
  write->want_previous = true;
  assert_int_equal(do_write(f, write), SDB_OK);
  assert_int_equal(write->action, SDB_ACTION_UPDATE);
  assert_int_equal(write->object, first);
  assert_true(write->seq > first);
  assert_body(write->previous, "first");
  sdb_op_page *page = do_page(f, ann, CHAT, 0, 0, 10);
  assert_page_is(page, "first again", "second");
  assert_int_equal(page->events[0].object, first);
  assert_int_equal(page->events[0].seq, write->seq);
  assert_true(sdb_uuid_is_nil(page->events[0].client_id));
  update(f, ann, CHAT, first, "first thrice", T0);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "first thrice", "second");
}

static void a_remove_takes_the_place_of_the_object(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "gone", 1, T0);
  create(f, ann, CHAT, "here", 2, T0);
  sdb_op_write *write = new_write(f, SDB_ACTION_DELETE, ann, CHAT);
  write->object = id;
  write->want_previous = true;
  write->client_id = client(3);
  assert_int_equal(do_write(f, write), SDB_OK);
  assert_body(write->previous, "gone");
  sdb_op_page *page = do_page(f, ann, CHAT, 0, 0, 10);
  assert_page_is(page, "-", "here");
  assert_int_equal(page->events[0].object, id);
  assert_int_equal(page->events[0].seq, write->seq);
  assert_true(sdb_uuid_equal(page->events[0].client_id, client(3)));
}

static void what_was_removed_cannot_be_changed_or_read(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "gone", 1, T0);
  assert_int_equal(update(f, ann, CHAT, id, "changed", T0)->op.status, SDB_OK);
  assert_int_equal(do_object(f, ann, CHAT, id)->op.status, SDB_OK);
  assert_int_equal(remove_object(f, ann, CHAT, id, T0)->op.status, SDB_OK);
  assert_int_equal(remove_object(f, ann, CHAT, id, T0)->op.status, SDB_NOT_FOUND);
  assert_int_equal(update(f, ann, CHAT, id, "back", T0)->op.status, SDB_NOT_FOUND);
  assert_int_equal(do_object(f, ann, CHAT, id)->op.status, SDB_NOT_FOUND);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "-");
}

static void another_users_objects_are_not_found(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann"), eve = user_of(f, "eve");
  sdb_seq id = create(f, ann, CHAT, "private", 1, T0);
  sdb_op_write *change = update(f, ann, CHAT, id, "private again", T0);
  for (int i = 0; i < 2; i++) {
    sdb_seq guess = i ? change->seq : id;
    assert_int_equal(update(f, eve, CHAT, guess, "mine", T0)->op.status, SDB_NOT_FOUND);
    assert_int_equal(remove_object(f, eve, CHAT, guess, T0)->op.status, SDB_NOT_FOUND);
    assert_int_equal(remove_object(f, eve, SDB_STORE_ANY, guess, T0)->op.status, SDB_NOT_FOUND);
    assert_int_equal(do_object(f, eve, CHAT, guess)->op.status, SDB_NOT_FOUND);
    assert_int_equal(do_object(f, eve, SDB_STORE_ANY, guess)->op.status, SDB_NOT_FOUND);
  }
  assert_int_equal(do_page(f, eve, CHAT, 0, 0, 10)->count, 0);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "private again");
}

static void ids_that_name_no_object_are_not_found(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "here", 1, T0);
  sdb_seq event = update(f, ann, CHAT, id, "here again", T0)->seq;
  const sdb_seq wrong[] = {1, id - 1, id + 1000, event, SDB_SEQ_MAX};
  for (size_t i = 0; i < SDB_COUNT_OF(wrong); i++) {
    assert_int_equal(update(f, ann, CHAT, wrong[i], "x", T0)->op.status, SDB_NOT_FOUND);
    assert_int_equal(remove_object(f, ann, CHAT, wrong[i], T0)->op.status, SDB_NOT_FOUND);
    assert_int_equal(do_object(f, ann, CHAT, wrong[i])->op.status, SDB_NOT_FOUND);
  }
  assert_int_equal(update(f, ann, NOTE, id, "x", T0)->op.status, SDB_NOT_FOUND);
  assert_int_equal(do_object(f, ann, NOTE, id)->op.status, SDB_NOT_FOUND);
}

static void a_remove_need_not_name_its_store(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, NOTE, "note", 1, T0);
  sdb_op_write *write = remove_object(f, ann, SDB_STORE_ANY, id, T0);
  assert_int_equal(write->op.status, SDB_OK);
  assert_int_equal(write->store, NOTE);
  assert_page_is(do_page(f, ann, NOTE, 0, 0, 10), "-");
}

static void an_object_is_read_by_its_id(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, NOTE, "one", 7, T0);
  sdb_op_object *object = do_object(f, ann, SDB_STORE_ANY, id);
  assert_int_equal(object->op.status, SDB_OK);
  assert_int_equal(object->event.store, NOTE);
  assert_int_equal(object->event.seq, id);
  assert_true(sdb_uuid_equal(object->event.client_id, client(7)));
  assert_body(object->event.body, "one");
  sdb_op_write *write = update(f, ann, NOTE, id, "two", T0);
  fixture_reopen(f);
  object = do_object(f, ann, NOTE, id);
  assert_int_equal(object->op.status, SDB_OK);
  assert_int_equal(object->event.seq, write->seq);
  assert_int_equal(object->event.object, id);
  assert_body(object->event.body, "two");
}

/* ---- singular stores ---- */

static void a_singular_store_holds_the_newest(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann"), bob = user_of(f, "bob");
  sdb_op_write *first = new_write(f, SDB_ACTION_CREATE, ann, ACCOUNT);
  first->body = sdb_slice_of("v1");
  assert_int_equal(do_write(f, first), SDB_OK);
  assert_int_equal(first->action, SDB_ACTION_CREATE);
  assert_int_equal(first->object, first->seq);
  sdb_op_write *second = new_write(f, SDB_ACTION_CREATE, ann, ACCOUNT);
  second->body = sdb_slice_of("v2");
  second->want_previous = true;
  assert_int_equal(do_write(f, second), SDB_OK);
  assert_int_equal(second->action, SDB_ACTION_UPDATE);
  assert_int_equal(second->object, second->seq);
  assert_body(second->previous, "v1");
  create(f, bob, ACCOUNT, "bob's", 0, T0);
  fixture_reopen(f);
  sdb_op_page *page = do_page(f, ann, ACCOUNT, 0, 0, 10);
  assert_page_is(page, "v2");
  assert_int_equal(page->events[0].object, second->seq);
  assert_int_equal(do_object(f, ann, ACCOUNT, first->seq)->op.status, SDB_NOT_FOUND);
  assert_int_equal(do_object(f, ann, ACCOUNT, second->seq)->op.status, SDB_OK);
}

static void a_singular_object_is_removed_by_its_id_or_by_none(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq v1 = create(f, ann, ACCOUNT, "v1", 0, T0);
  sdb_seq v2 = create(f, ann, ACCOUNT, "v2", 0, T0);
  assert_int_equal(remove_object(f, ann, ACCOUNT, v1, T0)->op.status, SDB_NOT_FOUND);
  sdb_op_write *write = remove_object(f, ann, ACCOUNT, v2, T0);
  assert_int_equal(write->op.status, SDB_OK);
  assert_int_equal(write->object, v2);
  sdb_op_page *page = do_page(f, ann, ACCOUNT, 0, 0, 10);
  assert_page_is(page, "-");
  assert_int_equal(page->events[0].object, v2);
  assert_int_equal(remove_object(f, ann, ACCOUNT, 0, T0)->op.status, SDB_NOT_FOUND);
  sdb_op_write *again = new_write(f, SDB_ACTION_CREATE, ann, ACCOUNT);
  again->body = sdb_slice_of("v3");
  assert_int_equal(do_write(f, again), SDB_OK);
  assert_int_equal(again->action, SDB_ACTION_CREATE);
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "v3");
  assert_int_equal(remove_object(f, ann, ACCOUNT, 0, T0)->op.status, SDB_OK);
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "-");
}

/* ---- exactly once ---- */

/* Pushes again what has this client id, and gives the result. */
static sdb_op_write *push_again(
    fixture *f, uint64_t user, int store, uint64_t client_number, uint64_t now_ms) {
  sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, user, store);
  write->body = sdb_slice_of("again");
  write->client_id = client(client_number);
  write->now_ms = now_ms;
  assert_int_equal(do_write(f, write), SDB_OK);
  return write;
}

static void a_push_is_stored_once(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "once", 5, T0);
  for (int i = 0; i < 2; i++) {
    sdb_op_write *write = push_again(f, ann, CHAT, 5, T0 + 1000);
    assert_true(write->duplicate);
    assert_int_equal(write->event.seq, id);
    assert_int_equal(write->event.object, id);
    assert_int_equal(write->event.store, CHAT);
    assert_false(write->event.removed);
    assert_true(sdb_uuid_equal(write->event.client_id, client(5)));
    assert_body(write->event.body, "once");
    fixture_reopen(f);
  }
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "once");
}

static void a_push_twice_in_one_list_is_stored_once(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_op_write *a = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  sdb_op_write *b = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  a->client_id = b->client_id = client(1);
  a->body = sdb_slice_of("a");
  b->body = sdb_slice_of("b");
  a->op.next = &b->op;
  fixture_submit(f, &a->op);
  assert_int_equal(a->op.status, SDB_OK);
  assert_int_equal(b->op.status, SDB_OK);
  assert_false(a->duplicate);
  assert_true(b->duplicate);
  assert_int_equal(b->event.seq, a->seq);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "a");
}

static void client_ids_are_a_users_own(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann"), bob = user_of(f, "bob");
  create(f, ann, CHAT, "ann's", 5, T0);
  create(f, bob, CHAT, "bob's", 5, T0);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "ann's");
  assert_page_is(do_page(f, bob, CHAT, 0, 0, 10), "bob's");
}

static void a_push_again_gives_the_object_as_it_is_now(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "v1", 5, T0);
  sdb_op_write *change = update(f, ann, CHAT, id, "v2", T0);
  for (int i = 0; i < 2; i++) {
    sdb_op_write *write = push_again(f, ann, CHAT, 5, T0);
    assert_true(write->duplicate);
    assert_int_equal(write->event.seq, change->seq);
    assert_int_equal(write->event.object, id);
    assert_true(sdb_uuid_equal(write->event.client_id, client(5)));
    assert_body(write->event.body, "v2");
    fixture_reopen(f);
  }
  sdb_op_write *gone = remove_object(f, ann, CHAT, id, T0);
  for (int i = 0; i < 2; i++) {
    sdb_op_write *write = push_again(f, ann, CHAT, 5, T0);
    assert_true(write->duplicate);
    assert_int_equal(write->event.seq, gone->seq);
    assert_true(write->event.removed);
    assert_body(write->event.body, "");
    fixture_reopen(f);
  }
}

static void pushed_updates_and_removes_are_stored_once_too(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "v1", 1, T0);
  sdb_op_write *write[4];
  for (int i = 0; i < 4; i++) {
    write[i] = new_write(f, i < 2 ? SDB_ACTION_UPDATE : SDB_ACTION_DELETE, ann, CHAT);
    write[i]->object = id;
    write[i]->client_id = client(i < 2 ? 2 : 3);
    if (i < 2) write[i]->body = sdb_slice_of("v2");
    assert_int_equal(do_write(f, write[i]), SDB_OK);
    assert_int_equal(write[i]->duplicate, i % 2);
  }
  assert_int_equal(write[1]->event.seq, write[0]->seq);
  assert_int_equal(write[3]->event.seq, write[2]->seq);
  assert_true(write[3]->event.removed);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "-");
}

static void a_singular_push_again_gives_what_the_store_holds(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  create(f, ann, ACCOUNT, "v1", 1, T0);
  sdb_seq v2 = create(f, ann, ACCOUNT, "v2", 2, T0);
  fixture_reopen(f);
  sdb_op_write *write = push_again(f, ann, ACCOUNT, 1, T0);
  assert_true(write->duplicate);
  assert_int_equal(write->event.seq, v2);
  assert_int_equal(write->event.object, v2);
  assert_body(write->event.body, "v2");
  assert_true(sdb_uuid_equal(write->event.client_id, client(1)));
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "v2");
}

static void client_ids_are_remembered_for_the_window(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "v1", 5, T0);
  sdb_seq other = create(f, ann, CHAT, "w1", 6, T0);
  update(f, ann, CHAT, other, "w2", T0 + 1);
  create(f, ann, NOTE, "meanwhile", 0, T0 + WINDOW_MS - 2);
  fixture_reopen(f);
  sdb_op_write *write = push_again(f, ann, CHAT, 5, T0 + WINDOW_MS - 1);
  assert_true(write->duplicate);
  assert_int_equal(write->event.seq, id);
  write = push_again(f, ann, CHAT, 6, T0 + WINDOW_MS - 1);
  assert_true(write->duplicate);
  assert_body(write->event.body, "w2");
}

/* ---- guards ---- */

static char guard_saw[64];
static sdb_action guard_action;
static int guard_calls;

static sdb_status guard_refuses(sdb_op_write *write, sdb_slice current) {
  guard_calls++;
  guard_action = write->action;
  snprintf(guard_saw, sizeof(guard_saw), "%.*s", (int)current.size, current.data);
  return SDB_REJECTED;
}

static sdb_status guard_allows(sdb_op_write *write, sdb_slice current) {
  guard_refuses(write, current);
  return SDB_OK;
}

static void a_guard_sees_the_object_and_refuses_its_write_alone(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "v1", 1, T0);
  sdb_op_write *before = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  sdb_op_write *refused = new_write(f, SDB_ACTION_UPDATE, ann, CHAT);
  sdb_op_write *after = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  before->body = sdb_slice_of("before");
  after->body = sdb_slice_of("after");
  refused->body = sdb_slice_of("v2");
  refused->object = id;
  refused->client_id = client(2);
  refused->guard = guard_refuses;
  before->op.next = &refused->op;
  refused->op.next = &after->op;
  fixture_submit(f, &before->op);
  assert_int_equal(before->op.status, SDB_OK);
  assert_int_equal(refused->op.status, SDB_REJECTED);
  assert_int_equal(after->op.status, SDB_OK);
  assert_string_equal(guard_saw, "v1");
  assert_int_equal(guard_action, SDB_ACTION_UPDATE);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "after", "before", "v1");
  /* Its client id was not stored: the same push may be tried again. */
  sdb_op_write *again = new_write(f, SDB_ACTION_UPDATE, ann, CHAT);
  again->body = sdb_slice_of("v2");
  again->object = id;
  again->client_id = client(2);
  again->guard = guard_allows;
  assert_int_equal(do_write(f, again), SDB_OK);
  assert_false(again->duplicate);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "v2", "after", "before");
}

static void a_guard_knows_create_from_update_in_a_singular_store(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  for (int i = 0; i < 2; i++) {
    sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, ann, ACCOUNT);
    write->body = sdb_slice_of("v1");
    write->guard = guard_allows;
    assert_int_equal(do_write(f, write), SDB_OK);
    assert_int_equal(guard_action, i ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE);
    assert_string_equal(guard_saw, i ? "v1" : "");
  }
}

static void a_guard_is_not_asked_about_what_is_not_written(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  create(f, ann, CHAT, "v1", 1, T0);
  guard_calls = 0;
  sdb_op_write *again = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  again->client_id = client(1);
  again->guard = guard_refuses;
  assert_int_equal(do_write(f, again), SDB_OK);
  assert_true(again->duplicate);
  sdb_op_write *missing = new_write(f, SDB_ACTION_DELETE, ann, CHAT);
  missing->object = 12345;
  missing->guard = guard_refuses;
  assert_int_equal(do_write(f, missing), SDB_NOT_FOUND);
  assert_int_equal(guard_calls, 0);
}

/* ---- pages ---- */

enum { EVENTS = 333 };

/* Stores EVENTS events of ann among others', replaces each tenth and removes each ninth; what is
 * left, newest first. */
typedef struct history {
  uint64_t user;
  struct {
    sdb_seq seq;
    bool removed;
  } events[EVENTS];
  size_t count;
} history;

static void drop_event(history *h, sdb_seq seq) {
  for (size_t i = 0; i < h->count; i++) {
    if (h->events[i].seq != seq) continue;
    memmove(&h->events[i], &h->events[i + 1], (h->count - i - 1) * sizeof(h->events[0]));
    h->count--;
    return;
  }
  fail();
}

static void add_event(history *h, sdb_seq seq, bool removed) {
  memmove(&h->events[1], &h->events[0], h->count * sizeof(h->events[0]));
  h->events[0].seq = seq;
  h->events[0].removed = removed;
  h->count++;
}

static void make_history(fixture *f, history *h) {
  uint64_t bob = user_of(f, "bob");
  memset(h, 0, sizeof(*h));
  h->user = user_of(f, "ann");
  for (int i = 0; i < EVENTS; i++) {
    sdb_seq id = create(f, h->user, CHAT, "0123456789", 0, T0 + (uint64_t)i);
    add_event(h, id, false);
    if (i % 7 == 0) create(f, bob, CHAT, "bob's", 0, T0);
    if (i % 5 == 0) create(f, h->user, NOTE, "note", 0, T0);
    sdb_seq old = h->events[h->count / 2].seq;
    if (h->events[h->count / 2].removed || old == id) continue;
    sdb_op_object *object = do_object(f, h->user, CHAT, old);
    if (object->op.status != SDB_OK) continue; /* replaced before: its id is another */
    if (i % 10 == 9) {
      add_event(h, update(f, h->user, CHAT, old, "abcdefghij", T0)->seq, false);
      drop_event(h, old);
    } else if (i % 9 == 8) {
      add_event(h, remove_object(f, h->user, CHAT, old, T0)->seq, true);
      drop_event(h, old);
    }
  }
}

/* Compares one page with the history. */
static void check_page(fixture *f, const history *h, sdb_seq after, sdb_seq before, uint32_t limit,
    bool objects_only) {
  sdb_op_page *page = do_page(f, h->user, CHAT, after, before, limit);
  if (objects_only) {
    page->objects_only = true;
    fixture_submit(f, &page->op);
  }
  assert_int_equal(page->op.status, SDB_OK);
  uint32_t count = 0;
  bool more = false;
  for (size_t i = 0; i < h->count; i++) {
    sdb_seq seq = h->events[i].seq;
    if (seq <= after || (before && seq >= before)) continue;
    if (objects_only && h->events[i].removed) continue;
    more = count == limit;
    if (more) break;
    assert_true(count < page->count);
    assert_int_equal(page->events[count].seq, seq);
    assert_int_equal(page->events[count].removed, h->events[i].removed);
    assert_int_equal(page->events[count].body.size, h->events[i].removed ? 0 : 10);
    count++;
  }
  assert_int_equal(page->count, count);
  assert_int_equal(page->more, more);
}

static void pages_hold_the_current_events_of_their_range(void **state) {
  fixture *f = *state;
  history *h = malloc(sizeof(*h));
  make_history(f, h);
  for (int reopened = 0; reopened < 2; reopened++) {
    for (size_t i = 0; i < h->count; i += 37) {
      for (size_t j = i + 1; j < h->count; j += 53) {
        sdb_seq before = h->events[i].seq, after = h->events[j].seq;
        check_page(f, h, after, before, 1000, false);
        check_page(f, h, after - 1, before + 1, 20, true);
        check_page(f, h, after, 0, (uint32_t)j + 1, false);
        check_page(f, h, 0, before, 1, false);
      }
    }
    check_page(f, h, 0, 0, (uint32_t)h->count, false);
    check_page(f, h, 0, 0, (uint32_t)h->count - 1, false);
    check_page(f, h, 0, 0, 1000, true);
    check_page(f, h, h->events[0].seq, 0, 10, false);
    check_page(f, h, 0, h->events[h->count - 1].seq, 10, false);
    fixture_reopen(f);
  }
  free(h);
}

static void paging_through_meets_each_event_once(void **state) {
  fixture *f = *state;
  history *h = malloc(sizeof(*h));
  make_history(f, h);
  size_t met = 0;
  sdb_seq before = 0;
  for (bool more = true; more;) {
    sdb_op_page *page = do_page(f, h->user, CHAT, 0, before, 16);
    assert_int_equal(page->op.status, SDB_OK);
    for (uint32_t i = 0; i < page->count; i++)
      assert_int_equal(page->events[i].seq, h->events[met++].seq);
    before = page->events[page->count - 1].seq;
    more = page->more;
  }
  assert_int_equal(met, h->count);
  free(h);
}

static void a_page_ends_when_its_bytes_are_reached(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  for (int i = 0; i < 40; i++)
    create(f, ann, CHAT, "0123456789", 0, T0);
  sdb_op_page *page = do_page(f, ann, CHAT, 0, 0, 100);
  assert_int_equal(page->count, 40);
  static const struct {
    uint32_t bytes_max, count;
  } CASES[] = {
      {0, 1}, {1, 1}, {10, 1}, {11, 2}, {20, 2}, {95, 10}, {390, 39}, {391, 40}, {400, 40}};
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    page->bytes_max = CASES[i].bytes_max;
    fixture_submit(f, &page->op);
    assert_int_equal(page->op.status, SDB_OK);
    assert_int_equal(page->count, CASES[i].count);
    assert_int_equal(page->more, CASES[i].count < 40);
  }
}

static void a_large_body_comes_back_whole(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  enum { SIZE = 700000 };
  char *body = malloc(SIZE + 1);
  for (int i = 0; i < SIZE; i++)
    body[i] = (char)('a' + i % 23);
  body[SIZE] = 0;
  sdb_seq id = create(f, ann, CHAT, body, 1, T0);
  create(f, ann, CHAT, "small", 2, T0);
  assert_body(do_object(f, ann, CHAT, id)->event.body, body);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "small", body);
  free(body);
}

/* ---- reservations ---- */

static void a_reserved_id_is_given_once_over_restarts_too(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq last = create(f, ann, CHAT, "1", 0, T0);
  for (int i = 0; i < 5; i++) {
    sdb_op_reserve *reserve = do_reserve(f, T0 - (uint64_t)i * DAY_MS);
    assert_int_equal(reserve->op.status, SDB_OK);
    assert_true(reserve->seq > last);
    last = reserve->seq;
    if (i == 2) fixture_reopen(f);
  }
  fixture_reopen(f);
  assert_true(create(f, ann, CHAT, "2", 0, T0 - DAY_MS) > last);
}

static void a_reserved_object_keeps_its_id(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq reserved = do_reserve(f, T0)->seq;
  sdb_seq other = create(f, ann, CHAT, "meanwhile", 0, T0);
  assert_int_equal(do_object(f, ann, CHAT, reserved)->op.status, SDB_NOT_FOUND);
  sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  write->reserved = true;
  write->object = reserved;
  write->body = sdb_slice_of("answer");
  assert_int_equal(do_write(f, write), SDB_OK);
  assert_int_equal(write->object, reserved);
  assert_true(write->seq > other);
  sdb_op_page *page = do_page(f, ann, CHAT, 0, 0, 10);
  assert_page_is(page, "answer", "meanwhile");
  assert_int_equal(page->events[0].object, reserved);
  fixture_reopen(f);
  assert_body(do_object(f, ann, CHAT, reserved)->event.body, "answer");
  sdb_op_write *twice = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
  twice->reserved = true;
  twice->object = reserved;
  twice->body = sdb_slice_of("again");
  assert_int_equal(do_write(f, twice), SDB_CONFLICT);
  assert_int_equal(update(f, ann, CHAT, reserved, "changed", T0)->op.status, SDB_OK);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "changed", "meanwhile");
}

/* ---- heads and the horizon ---- */

static void heads_are_the_newest_event_of_each_store(void **state) {
  fixture *f = *state;
  sdb_op_user *ann = do_user(f, "ann");
  for (int i = 0; i < STORES; i++)
    assert_int_equal(ann->heads[i].head, 0);
  sdb_seq chat = create(f, ann->user, CHAT, "1", 0, T0);
  sdb_seq account = create(f, ann->user, ACCOUNT, "1", 0, T0);
  create(f, user_of(f, "bob"), NOTE, "bob's", 0, T0);
  sdb_op_user *now = do_user(f, "ann");
  assert_int_equal(now->heads[CHAT].head, chat);
  assert_int_equal(now->heads[NOTE].head, 0);
  assert_int_equal(now->heads[ACCOUNT].head, account);
  sdb_seq removed = remove_object(f, ann->user, CHAT, chat, T0)->seq;
  account = remove_object(f, ann->user, ACCOUNT, 0, T0)->seq;
  fixture_reopen(f);
  now = do_user(f, "ann");
  assert_int_equal(now->heads[CHAT].head, removed);
  assert_int_equal(now->heads[ACCOUNT].head, account);
  for (int i = 0; i < STORES; i++)
    assert_int_equal(now->heads[i].horizon, 0);
}

static void removes_are_forgotten_past_the_horizon(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq first = create(f, ann, CHAT, "first", 1, T0);
  sdb_seq second = create(f, ann, CHAT, "second", 2, T0);
  create(f, ann, CHAT, "stays", 0, T0);
  sdb_seq gone = remove_object(f, ann, CHAT, first, T0 + 1)->seq;
  create(f, ann, ACCOUNT, "account", 0, T0);
  sdb_seq account = remove_object(f, ann, ACCOUNT, 0, T0 + 1)->seq;
  sdb_seq young = remove_object(f, ann, CHAT, second, T0 + REMEMBER_MS)->seq;
  create(f, ann, NOTE, "in time", 0, T0 + 1 + REMEMBER_MS);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "-", "-", "stays");
  create(f, ann, NOTE, "past it", 0, T0 + 2 + REMEMBER_MS);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "-", "stays");
  assert_int_equal(do_page(f, ann, ACCOUNT, 0, 0, 10)->count, 0);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10)->horizon, gone);
  assert_int_equal(do_page(f, ann, NOTE, 0, 0, 10)->horizon, 0);
  for (int i = 0; i < 2; i++) {
    sdb_op_user *user = do_user(f, "ann");
    assert_int_equal(user->heads[CHAT].head, young);
    assert_int_equal(user->heads[CHAT].horizon, gone);
    assert_int_equal(user->heads[ACCOUNT].head, 0);
    assert_int_equal(user->heads[ACCOUNT].horizon, account);
    assert_int_equal(user->heads[NOTE].horizon, 0);
    fixture_reopen(f);
  }
  assert_int_equal(
      update(f, ann, CHAT, first, "back", T0 + 3 + REMEMBER_MS)->op.status, SDB_NOT_FOUND);
  create(f, ann, ACCOUNT, "new", 0, T0 + 3 + REMEMBER_MS);
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "new");
}

static void a_replaced_remove_lets_no_other_be_forgotten_early(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  create(f, ann, ACCOUNT, "account", 0, T0);
  remove_object(f, ann, ACCOUNT, 0, T0);
  sdb_seq id = create(f, ann, CHAT, "chat", 0, T0 + DAY_MS);
  sdb_seq young = remove_object(f, ann, CHAT, id, T0 + DAY_MS)->seq;
  create(f, ann, ACCOUNT, "account again", 0, T0 + DAY_MS);
  create(f, ann, NOTE, "past the first", 0, T0 + REMEMBER_MS + 1);
  sdb_op_user *user = do_user(f, "ann");
  assert_int_equal(user->heads[CHAT].head, young);
  assert_int_equal(user->heads[CHAT].horizon, 0);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "-");
}

static void a_push_whose_remove_is_forgotten_is_not_stored_again(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "gone", 1, T0);
  sdb_op_write *gone = new_write(f, SDB_ACTION_DELETE, ann, CHAT);
  gone->object = id;
  gone->client_id = client(2);
  assert_int_equal(do_write(f, gone), SDB_OK);
  create(f, ann, NOTE, "later", 0, T0 + REMEMBER_MS + 1);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10)->count, 0);
  fixture_reopen(f);
  for (uint64_t number = 1; number <= 2; number++) {
    sdb_op_write *write = push_again(f, ann, CHAT, number, T0 + REMEMBER_MS + 2);
    assert_true(write->duplicate);
    assert_int_equal(write->event.seq, 0);
    assert_int_equal(write->event.object, id);
    assert_int_equal(write->event.store, CHAT);
  }
}

static void seqs_rise_when_the_newest_event_was_forgotten(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "gone", 0, T0);
  sdb_seq gone = remove_object(f, ann, CHAT, id, T0 + 10 * DAY_MS)->seq;
  /* Nothing is stored: its object is not found. But its clock says that the remove is old. */
  update(f, ann, CHAT, id, "x", T0 + 10 * DAY_MS + REMEMBER_MS + 1);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10)->count, 0);
  fixture_reopen(f);
  assert_true(create(f, ann, CHAT, "new", 0, T0) > gone);
}

/* ---- failure ---- */

static void a_failed_transaction_stores_nothing_and_the_next_may_succeed(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_seq id = create(f, ann, CHAT, "v1", 1, T0);
  sdb_seq doomed = create(f, ann, CHAT, "stays", 2, T0);
  create(f, ann, ACCOUNT, "account", 3, T0);
  f->kind->fail_commits(f->storage, true);
  sdb_op_write *writes[5];
  for (int i = 0; i < 5; i++) {
    writes[i] = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
    writes[i]->body = sdb_slice_of("lost");
    writes[i]->client_id = client(10 + (uint64_t)i);
    if (i > 0) writes[i - 1]->op.next = &writes[i]->op;
  }
  writes[1]->action = SDB_ACTION_UPDATE;
  writes[1]->object = id;
  writes[2]->action = SDB_ACTION_DELETE;
  writes[2]->object = doomed;
  writes[3]->store = ACCOUNT;
  writes[4]->client_id = client(1);
  fixture_submit(f, &writes[0]->op);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(writes[i]->op.status, SDB_UNAVAILABLE);
    assert_false(writes[i]->duplicate);
  }
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "stays", "v1");
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "account");
  f->kind->fail_commits(f->storage, false);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "stays", "v1");
  sdb_seq last = create(f, ann, CHAT, "found", 10, T0); /* not a duplicate */
  assert_true(last > doomed);
  assert_int_equal(update(f, ann, CHAT, id, "v2", T0)->op.status, SDB_OK);
  fixture_reopen(f);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "v2", "found", "stays");
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "account");
}

static void commits_and_writes_are_counted(void **state) {
  fixture *f = *state;
  uint64_t ann = user_of(f, "ann");
  sdb_storage_stats before, after;
  f->port->stats(f->port->self, &before);
  for (int i = 0; i < 3; i++)
    create(f, ann, CHAT, "x", 0, T0);
  do_page(f, ann, CHAT, 0, 0, 10);
  f->kind->fail_commits(f->storage, true);
  do_write(f, new_write(f, SDB_ACTION_CREATE, ann, CHAT));
  f->kind->fail_commits(f->storage, false);
  f->port->stats(f->port->self, &after);
  assert_int_equal(after.writes - before.writes, 3);
  assert_int_equal(after.commits - before.commits, 3);
  assert_int_equal(after.commit_size_buckets[0] - before.commit_size_buckets[0], 3);
  assert_int_equal(after.commits_failed - before.commits_failed, 1);
  assert_int_equal(after.pages_read - before.pages_read, 1);
  assert_int_equal(after.events_read - before.events_read, 3);
  uint64_t timed = 0;
  for (int i = 0; i < SDB_COMMIT_TIME_BUCKETS; i++)
    timed += after.commit_time_buckets[i] - before.commit_time_buckets[i];
  assert_int_equal(timed, 3);
}

#define BEHAVIOUR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int storage_conformance_run(const conformance_kind *kind) {
  kind_under_test = kind;
  const struct CMUnitTest tests[] = {
      BEHAVIOUR(a_user_keeps_its_number_over_a_restart),
      BEHAVIOUR(user_names_are_compared_byte_by_byte),
      BEHAVIOUR(the_database_keeps_its_id_and_its_epoch_over_a_restart),
      BEHAVIOUR(a_fresh_object_has_the_id_of_its_event),
      BEHAVIOUR(events_of_one_list_are_stored_in_its_order),
      BEHAVIOUR(seqs_rise_whatever_the_clock_and_over_restarts),
      BEHAVIOUR(an_update_takes_the_place_of_the_event_before),
      BEHAVIOUR(a_remove_takes_the_place_of_the_object),
      BEHAVIOUR(what_was_removed_cannot_be_changed_or_read),
      BEHAVIOUR(another_users_objects_are_not_found),
      BEHAVIOUR(ids_that_name_no_object_are_not_found),
      BEHAVIOUR(a_remove_need_not_name_its_store),
      BEHAVIOUR(an_object_is_read_by_its_id),
      BEHAVIOUR(a_singular_store_holds_the_newest),
      BEHAVIOUR(a_singular_object_is_removed_by_its_id_or_by_none),
      BEHAVIOUR(a_push_is_stored_once),
      BEHAVIOUR(a_push_twice_in_one_list_is_stored_once),
      BEHAVIOUR(client_ids_are_a_users_own),
      BEHAVIOUR(a_push_again_gives_the_object_as_it_is_now),
      BEHAVIOUR(pushed_updates_and_removes_are_stored_once_too),
      BEHAVIOUR(a_singular_push_again_gives_what_the_store_holds),
      BEHAVIOUR(client_ids_are_remembered_for_the_window),
      BEHAVIOUR(a_guard_sees_the_object_and_refuses_its_write_alone),
      BEHAVIOUR(a_guard_knows_create_from_update_in_a_singular_store),
      BEHAVIOUR(a_guard_is_not_asked_about_what_is_not_written),
      BEHAVIOUR(pages_hold_the_current_events_of_their_range),
      BEHAVIOUR(paging_through_meets_each_event_once),
      BEHAVIOUR(a_page_ends_when_its_bytes_are_reached),
      BEHAVIOUR(a_large_body_comes_back_whole),
      BEHAVIOUR(a_reserved_id_is_given_once_over_restarts_too),
      BEHAVIOUR(a_reserved_object_keeps_its_id),
      BEHAVIOUR(heads_are_the_newest_event_of_each_store),
      BEHAVIOUR(removes_are_forgotten_past_the_horizon),
      BEHAVIOUR(a_replaced_remove_lets_no_other_be_forgotten_early),
      BEHAVIOUR(a_push_whose_remove_is_forgotten_is_not_stored_again),
      BEHAVIOUR(seqs_rise_when_the_newest_event_was_forgotten),
      BEHAVIOUR(a_failed_transaction_stores_nothing_and_the_next_may_succeed),
      BEHAVIOUR(commits_and_writes_are_counted),
  };
  return cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
}
