/* test/unit/local_model.c: random changes to a storage of the device, beside the plainest storage
 * there could be: a table of every id in every store. */
#include "local_conformance.h"
#include <stdio.h>

enum { IDS = 12, ROUNDS = 1500, CHANGES_MAX = 6, TEXTS = 64 };

typedef struct cell {
  bool held, removed;
  uint64_t event;
  const char *text;
} cell;

typedef struct model {
  cell cells[STORES][IDS + 1]; /* ids begin with 1 */
  uint64_t heads[STORES];
} model;

static char texts[TEXTS][24];
static uint64_t random_state;

static uint64_t draw(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}

static uint64_t number_of(sdb_uuid id) {
  uint64_t number = 0;
  for (int i = 8; i < 16; i++)
    number = number << 8 | id.bytes[i];
  return number;
}

static bool is_whole(const sdb_local_change *change) {
  return change->kind == SDB_LOCAL_SINGULAR || change->store == ACCOUNT;
}

/* Whether a record of the change's object (in a singular store, of any) has a greater event, or,
 * with `or_equal`, the same. */
static bool is_stale(const model *m, const sdb_local_change *change, bool or_equal) {
  uint64_t id = number_of(change->id), event = number_of(change->event_id);
  for (uint64_t i = 1; i <= IDS; i++) {
    const cell *c = &m->cells[change->store][i];
    if ((i != id && !is_whole(change)) || (!c->held && !c->removed)) continue;
    if (c->event > event || (or_equal && c->event == event)) return true;
  }
  return false;
}

/* Takes out what the change is about; whether it was held, and whether a remove of it was kept. */
static void take_out(model *m, const sdb_local_change *change, bool *held, bool *removed) {
  *held = *removed = false;
  for (uint64_t i = 1; i <= IDS; i++) {
    if (i != number_of(change->id) && !is_whole(change)) continue;
    *held = *held || m->cells[change->store][i].held;
    *removed = *removed || m->cells[change->store][i].removed;
    m->cells[change->store][i] = (cell){0};
  }
}

static void model_put(model *m, sdb_local_change *change) {
  bool held, removed, nothing = change->object.size == 0;
  change->applied = false;
  if (is_stale(m, change, true)) return;
  take_out(m, change, &held, &removed);
  m->cells[change->store][number_of(change->id)] =
      (cell){!nothing, nothing, number_of(change->event_id), change->object.data};
  change->applied = held || !nothing;
}

static void model_remove(model *m, sdb_local_change *change) {
  uint64_t id = number_of(change->id);
  bool held, removed, keep = change->keep && change->store != SDB_LOCAL_ANY;
  change->applied = false;
  for (uint16_t i = 0; change->store == SDB_LOCAL_ANY && i < STORES; i++) {
    if (m->cells[i][id].held || m->cells[i][id].removed) change->store = i;
  }
  if (change->store == SDB_LOCAL_ANY || is_stale(m, change, false)) return;
  take_out(m, change, &held, &removed);
  if (keep || removed)
    m->cells[change->store][id] = (cell){false, true, number_of(change->event_id), NULL};
  change->applied = held;
}

static void model_clear(model *m, uint16_t store, bool removes_only) {
  for (uint64_t i = 1; i <= IDS; i++) {
    if (!removes_only || m->cells[store][i].removed) m->cells[store][i] = (cell){0};
  }
  if (!removes_only) m->heads[store] = 0;
}

/* Carries the change out in the model; its results are set. */
static void model_apply(model *m, sdb_local_change *change) {
  switch (change->kind) {
  case SDB_LOCAL_CLEAR:
    model_clear(m, change->store, false);
    break;
  case SDB_LOCAL_FORGET:
    model_clear(m, change->store, true);
    break;
  case SDB_LOCAL_STATE:
    m->heads[change->store] = number_of(change->state.head);
    break;
  case SDB_LOCAL_REMOVE:
    model_remove(m, change);
    break;
  default:
    model_put(m, change);
    break;
  }
}

static sdb_local_change draw_change(void) {
  uint16_t store = (uint16_t)draw(STORES);
  uint64_t id = 1 + draw(IDS), event = id + draw(20), kind = draw(20);
  const char *text = texts[draw(TEXTS)];
  if (kind == 0) return change_of(SDB_LOCAL_CLEAR, store);
  if (kind <= 2) return change_of(SDB_LOCAL_FORGET, store);
  if (kind == 3) return state_of(store, event, 0, NULL, 0);
  if (kind <= 7) return remove_of(draw(4) == 0 ? SDB_LOCAL_ANY : store, id, event, draw(2) == 0);
  if (kind <= 9) return singular_of(ACCOUNT, id, event, draw(3) == 0 ? "" : text);
  return put_of(store == ACCOUNT ? CHAT : store, id, event, text);
}

static void assert_as_the_model(local_fixture *f, const model *m) {
  for (int store = 0; store < STORES; store++) {
    const char *expected[IDS];
    size_t count = 0;
    for (uint64_t i = IDS; i > 0; i--) {
      if (m->cells[store][i].held) expected[count++] = m->cells[store][i].text;
    }
    assert_objects(f, store, expected, count);
  }
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->op.status, SDB_OK);
  for (int store = 0; store < STORES; store++)
    assert_int_equal(number_of(load->states[store].head), m->heads[store]);
}

/* One commit of random changes, to both. */
static void commit_random(local_fixture *f, model *m) {
  sdb_local_change changes[CHANGES_MAX], expected[CHANGES_MAX];
  size_t count = 1 + draw(CHANGES_MAX);
  bool failing = draw(15) == 0;
  model before = *m;
  for (size_t i = 0; i < count; i++) {
    changes[i] = expected[i] = draw_change();
    model_apply(m, &expected[i]);
  }
  f->kind->fail_commits(f->storage, failing);
  sdb_status status = commit_changes(f, changes, count);
  f->kind->fail_commits(f->storage, false);
  /* One that changes nothing may succeed where nothing can be written. */
  assert_true(status == SDB_OK || (failing && status == SDB_IO));
  if (status != SDB_OK) *m = before;
  for (size_t i = 0; i < count && status == SDB_OK; i++) {
    assert_int_equal(changes[i].applied, expected[i].applied);
    assert_int_equal(changes[i].store, expected[i].store);
  }
}

void random_changes_end_as_the_model_says(void **state) {
  local_fixture *f = *state;
  static model m;
  memset(&m, 0, sizeof(m));
  random_state = 88172645463325252U;
  for (int i = 0; i < TEXTS; i++)
    snprintf(texts[i], sizeof(texts[i]), "\"text %d\"", i);
  for (int round = 0; round < ROUNDS; round++) {
    commit_random(f, &m);
    if (draw(20) == 0) local_reopen(f);
    if (draw(4) == 0) assert_as_the_model(f, &m);
  }
  assert_as_the_model(f, &m);
}
