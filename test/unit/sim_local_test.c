/* test/unit/sim_local_test.c: a device's storages of the simulation, through lives that end in
 * every way, against a model: all that was completed is there after a kill, and after power loss
 * all that was synced, up to some commit after it.
 */
#include "local_conformance.h"
#include "platform/platform.h"
#include "sim/disk.h"
#include "sim/random.h"
#include <stdio.h>
#include <stdlib.h>

#define OBJECTS 24
#define VERSIONS_MAX 2000

typedef sim_local *(*maker)(const sim_local_options *options);

/* What the store CHAT holds: an event number an object, 0: none; and the number of a push. */
typedef struct version {
  uint32_t events[OBJECTS];
  uint32_t push;
} version;

typedef struct model {
  sim_random random;
  sim_local *local;
  size_t completed;
  uint32_t event;
  version versions[VERSIONS_MAX]; /* one a commit since the newest that is surely synced */
  size_t versions_count;
  size_t commits, failures, lost;
} model;

static void on_completed(void *context, sdb_local_op *list) {
  size_t *completed = context;
  for (; list; list = list->next)
    ++*completed;
}

static void submit(model *m, sdb_local_op *list) {
  const sdb_local_port *port = m->local->port(m->local);
  port->submit(port->self, list);
}

static sdb_status submit_one(model *m, sdb_local_op *op) {
  size_t before = m->completed;
  op->next = NULL;
  submit(m, op);
  assert_int_equal(m->completed, before + 1);
  return op->status;
}

static version *newest(model *m) {
  return &m->versions[m->versions_count - 1];
}

/* ---- reading ---- */

static void read_objects(model *m, version *to) {
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .store = CHAT, .limit = OBJECTS};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 1 << 26);
  assert_int_equal(submit_one(m, &page.op), SDB_OK);
  for (uint32_t i = 0; i < page.count; i++) {
    const sdb_local_record *record = &page.records[i];
    unsigned object = record->id.bytes[15];
    char text[16] = "";
    assert_true(object < OBJECTS && record->object.size < sizeof(text));
    memcpy(text, record->object.data, record->object.size);
    to->events[object] = (uint32_t)atoi(text);
  }
  sdb_buffer_free(&page.memory);
}

static void read_version(model *m, version *to) {
  memset(to, 0, sizeof(*to));
  sdb_local_load load = {.op = {.kind = SDB_LOCAL_LOAD}};
  sdb_buffer_init(&load.memory, sdb_platform_mem(), 1 << 26);
  assert_int_equal(submit_one(m, &load.op), SDB_OK);
  assert_true(load.pending_count <= 1);
  if (load.pending_count > 0) to->push = (uint32_t)load.pending[0].position;
  sdb_buffer_free(&load.memory);
  read_objects(m, to);
}

/* Finds the version that is there; what came after it is lost. `oldest`: what it is at least. */
static void check_version(model *m, size_t oldest) {
  version found;
  read_version(m, &found);
  size_t at = m->versions_count;
  while (at > oldest && memcmp(&m->versions[at - 1], &found, sizeof(found)) != 0)
    at--;
  if (at == oldest) fail_msg("%s: what was completed is not there", m->local->name);
  m->lost += m->versions_count - at;
  m->versions_count = at;
}

/* ---- committing ---- */

static sdb_local_change draw_change(model *m, version *to, char text[16]) {
  uint32_t object = sim_below(&m->random, OBJECTS);
  uint32_t event = ++m->event;
  bool removes = sim_chance(&m->random, 250);
  to->events[object] = removes ? 0 : event;
  snprintf(text, 16, "%u", event);
  sdb_local_change change =
      removes ? remove_of(CHAT, object, event, false) : put_of(CHAT, object, event, text);
  return change;
}

typedef struct commit {
  sdb_local_commit op;
  sdb_local_change changes[8];
  char texts[8][16];
  sdb_local_pending push;
  version makes;
} commit;

/* A commit on top of `from`: some objects, and a push in the place of the last. */
static void draw_commit(model *m, const version *from, commit *c) {
  memset(c, 0, sizeof(*c));
  c->makes = *from;
  size_t count = 1 + sim_below(&m->random, 6);
  for (size_t i = 0; i < count; i++)
    c->changes[i] = draw_change(m, &c->makes, c->texts[i]);
  c->makes.push = ++m->event;
  c->push = pending_of(c->makes.push, 7, CHAT, "\"pushed\"");
  c->changes[count++] = pending_put_of(&c->push);
  c->op =
      (sdb_local_commit){.op = {.kind = SDB_LOCAL_COMMIT}, .changes = c->changes, .count = count};
}

static void settle_commit(model *m, const commit *c) {
  assert_true(m->versions_count < VERSIONS_MAX);
  m->commits += c->op.op.status == SDB_OK;
  m->failures += c->op.op.status != SDB_OK;
  if (c->op.op.status == SDB_OK) m->versions[m->versions_count++] = c->makes;
}

static void commit_one(model *m) {
  commit c;
  draw_commit(m, newest(m), &c);
  submit_one(m, &c.op.op);
  settle_commit(m, &c);
}

static void sync_all(model *m) {
  sdb_local_op sync = {.kind = SDB_LOCAL_SYNC};
  if (submit_one(m, &sync) != SDB_OK) return;
  m->versions[0] = *newest(m);
  m->versions_count = 1;
}

/* ---- lives ---- */

static void open_life(model *m) {
  assert_int_equal(m->local->open(m->local, (sdb_local_sink){&m->completed, on_completed}), SDB_OK);
  assert_true(m->local->port(m->local)->durable);
}

static void restart(model *m, sim_end how) {
  m->local->end(m->local, how);
  open_life(m);
  check_version(m, how == SIM_POWER_LOST ? 0 : m->versions_count - 1);
}

/* Some wait when the life ends: the first of them were carried out, the others were not. */
static void end_with_waiting(model *m) {
  enum { WAITING = 4 };
  commit *commits = calloc(WAITING, sizeof(*commits));
  assert_non_null(commits);
  const version *from = newest(m);
  m->local->defer(m->local, true);
  size_t before = m->completed;
  for (int i = 0; i < WAITING; i++) {
    draw_commit(m, from, &commits[i]);
    from = &commits[i].makes;
    submit(m, &commits[i].op.op);
  }
  assert_int_equal(m->completed, before);
  size_t done = sim_below(&m->random, WAITING + 1);
  assert_int_equal(m->local->run(m->local, done), done);
  assert_int_equal(m->completed, before + done);
  bool killed = sim_chance(&m->random, 700);
  m->local->end(m->local, killed ? SIM_KILLED : SIM_CLOSED);
  assert_int_equal(m->completed, before + WAITING);
  for (size_t i = 0; i < WAITING; i++) {
    assert_int_equal(commits[i].op.op.status, i < done || !killed ? SDB_OK : SDB_IO);
    settle_commit(m, &commits[i]);
  }
  free(commits);
  open_life(m);
  check_version(m, m->versions_count - 1);
}

static void work_on_faulty_disk(model *m) {
  sim_disk_fault fault = SIM_DISK_FULL + sim_below(&m->random, 3);
  m->local->set_fault(m->local, fault);
  for (int i = 0; i < 5; i++) {
    commit_one(m);
    if (sim_chance(&m->random, 300)) sync_all(m);
  }
  m->local->set_fault(m->local, SIM_DISK_WELL);
  version found;
  read_version(m, &found);
  assert_memory_equal(&found, newest(m), sizeof(found));
}

static void step(model *m) {
  static const sim_end ENDS[] = {SIM_CLOSED, SIM_KILLED, SIM_POWER_LOST};
  switch (sim_below(&m->random, 20)) {
  case 0:
  case 1:
    restart(m, ENDS[sim_below(&m->random, SDB_COUNT_OF(ENDS))]);
    break;
  case 2:
    end_with_waiting(m);
    break;
  case 3:
    work_on_faulty_disk(m);
    break;
  case 4:
  case 5:
    sync_all(m);
    break;
  default:
    commit_one(m);
  }
}

static model *begin(maker make, uint64_t seed) {
  model *m = calloc(1, sizeof(*m));
  assert_non_null(m);
  m->random = sim_random_of(seed, 3);
  sim_local_options options = {
      .stores = CONFORMANCE_STORES, .stores_count = STORES, .user = "ann", .seed = seed};
  m->local = make(&options);
  m->versions_count = 1;
  open_life(m);
  return m;
}

static void finish(model *m) {
  m->local->end(m->local, SIM_CLOSED);
  m->local->destroy(m->local);
  free(m);
}

/* How many commits power loss took. */
static size_t assert_keeps_its_word(maker make) {
  size_t commits = 0, failures = 0, lost = 0;
  for (uint64_t seed = 0; seed < 60; seed++) {
    model *m = begin(make, seed);
    for (int i = 0; i < 100; i++)
      step(m);
    commits += m->commits;
    failures += m->failures;
    lost += m->lost;
    finish(m);
  }
  assert_true(commits > 4000 && failures > 100);
  return lost;
}

static void the_memory_local_keeps_its_word(void **state) {
  (void)state;
  assert_int_equal(assert_keeps_its_word(sim_memory_local), 0);
}

static void the_sqlite_local_keeps_its_word(void **state) {
  (void)state;
  assert_true(assert_keeps_its_word(sim_sqlite_local) > 50);
}

static void a_local_that_is_lost_holds_nothing(void **state) {
  (void)state;
  const maker makers[] = {sim_memory_local, sim_sqlite_local};
  for (size_t i = 0; i < SDB_COUNT_OF(makers); i++) {
    model *m = begin(makers[i], 1);
    commit_one(m);
    m->local->end(m->local, SIM_CLOSED);
    m->local->lose(m->local);
    open_life(m);
    memset(m->versions, 0, sizeof(m->versions));
    m->versions_count = 1;
    check_version(m, 0);
    finish(m);
  }
}

/* Where the first page of a table begins. */
static size_t root_of(sim_disk *disk, const char *table) {
  sqlite3 *db;
  assert_int_equal(
      sqlite3_open_v2("device.sqlite", &db, SQLITE_OPEN_READONLY, sim_disk_system(disk)->vfs),
      SQLITE_OK);
  sqlite3_stmt *select;
  assert_int_equal(sqlite3_prepare_v2(
                       db, "SELECT rootpage FROM sqlite_schema WHERE name = ?1", -1, &select, NULL),
      SQLITE_OK);
  sqlite3_bind_text(select, 1, table, -1, SQLITE_STATIC);
  assert_int_equal(sqlite3_step(select), SQLITE_ROW);
  size_t root = (size_t)sqlite3_column_int64(select, 0);
  sqlite3_finalize(select);
  sqlite3_close(db);
  return (root - 1) * 4096;
}

static void a_damaged_file_is_set_aside_and_its_pushes_are_saved(void **state) {
  (void)state;
  model *m = begin(sim_sqlite_local, 1);
  sim_disk *disk = sim_sqlite_local_disk(m->local);
  for (int i = 0; i < 10; i++)
    commit_one(m);
  m->local->end(m->local, SIM_CLOSED); /* what is closed stands in the file, synced */
  static const uint8_t NOISE[8] = {0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE};
  sim_disk_damage(disk, "device.sqlite", root_of(disk, "state"), NOISE, sizeof(NOISE));
  open_life(m);
  sdb_local_load load = {.op = {.kind = SDB_LOCAL_LOAD}};
  sdb_buffer_init(&load.memory, sdb_platform_mem(), 1 << 26);
  assert_int_equal(submit_one(m, &load.op), SDB_BAD_FORMAT);
  sdb_buffer_free(&load.memory);
  m->local->end(m->local, SIM_KILLED);
  assert_int_equal(
      m->local->open(m->local, (sdb_local_sink){&m->completed, on_completed}), SDB_BAD_FORMAT);
  size_t size;
  assert_non_null(sim_disk_file(disk, "device.sqlite.damaged-1", &size));
  open_life(m);
  version found;
  read_version(m, &found);
  for (size_t i = 0; i < OBJECTS; i++)
    assert_int_equal(found.events[i], 0);
  assert_int_equal(found.push, newest(m)->push);
  commit_one(m);
  finish(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_memory_local_keeps_its_word),
      cmocka_unit_test(the_sqlite_local_keeps_its_word),
      cmocka_unit_test(a_local_that_is_lost_holds_nothing),
      cmocka_unit_test(a_damaged_file_is_set_aside_and_its_pushes_are_saved),
  };
  return cmocka_run_group_tests_name("sim_local", tests, NULL, NULL);
}
