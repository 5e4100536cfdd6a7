/* test/unit/sim_backend_test.c: the server's storages of the simulation, through lives that end in
 * every way, against a model of what devices were told.
 *
 * Each object's body is a number that no other body has, so that the live bodies tell which of the
 * writes are stored: all that completed, and of a run that died the first ones of it.
 */
#include "platform/platform.h"
#include "sim/disk.h"
#include "sim/random.h"
#include "storage_conformance.h"
#include <stdio.h>
#include <stdlib.h>

#define BODIES_MAX 4000
#define BATCH_MAX 40

typedef sim_backend *(*maker)(const sim_backend_options *options);

/* A write of a batch, and what it makes of the live bodies. */
typedef struct attempt {
  sdb_op_write write;
  char text[16];
  int gone, made; /* bodies; 0: none */
  bool stored;    /* as found after a run that died */
} attempt;

typedef struct model {
  sim_random random;
  sim_backend *backend;
  bool is_open;
  uint64_t user;
  sdb_seq last; /* the newest that was told */
  sdb_uuid epoch, database;
  sdb_seq objects[BODIES_MAX]; /* by body; 0: it is not live */
  sdb_seq backed_up[BODIES_MAX];
  bool has_backup;
  int bodies;
  attempt batch[BATCH_MAX];
  size_t batch_count;
  uint64_t clients;
  size_t completed, stored, dropped, died;
} model;

/* ---- operations ---- */

static void on_completed(void *context, sdb_op *list) {
  size_t *completed = context;
  for (; list; list = list->next)
    ++*completed;
}

static void submit_and_run(model *m, sdb_op *list, size_t count) {
  const sdb_storage_port *port = m->backend->port(m->backend);
  size_t before = m->completed;
  port->submit(port->self, list);
  assert_int_equal(m->completed, before);
  for (int i = 0; i < 3 && m->completed < before + count; i++)
    m->backend->run(m->backend);
  assert_int_equal(m->completed, before + count);
}

static void find_user(model *m) {
  sdb_user_head heads[STORES];
  sdb_op_user op = {.op = {.kind = SDB_OP_USER}, .name = sdb_slice_of("ann"), .heads = heads};
  submit_and_run(m, &op.op, 1);
  assert_int_equal(op.op.status, SDB_OK);
  if (m->user) assert_int_equal(op.user, m->user);
  m->user = op.user;
}

/* All live objects by their bodies. */
static void read_live(model *m, sdb_seq live[BODIES_MAX]) {
  memset(live, 0, BODIES_MAX * sizeof(*live));
  sdb_op_page page = {.op = {.kind = SDB_OP_PAGE}, .user = m->user, .store = CHAT};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 1 << 26);
  page.objects_only = true;
  page.limit = 7;
  page.bytes_max = 1 << 20;
  do {
    submit_and_run(m, &page.op, 1);
    assert_int_equal(page.op.status, SDB_OK);
    for (uint32_t i = 0; i < page.count; i++) {
      char text[16] = "";
      assert_true(page.events[i].body.size < sizeof(text));
      memcpy(text, page.events[i].body.data, page.events[i].body.size);
      int body = atoi(text);
      assert_true(body > 0 && body < BODIES_MAX && live[body] == 0);
      live[body] = page.events[i].object;
      page.before = page.events[i].seq;
    }
  } while (page.more);
  sdb_buffer_free(&page.memory);
}

static int draw_live(model *m) {
  for (int tries = 0; tries < 20 && m->bodies > 1; tries++) {
    int body = 1 + (int)sim_below(&m->random, (uint32_t)m->bodies - 1);
    if (m->objects[body] == 0) continue;
    bool taken = false;
    for (size_t i = 0; i < m->batch_count; i++)
      taken |= m->batch[i].gone == body;
    if (!taken) return body;
  }
  return 0;
}

static void add_attempt(model *m) {
  attempt *a = &m->batch[m->batch_count];
  memset(a, 0, sizeof(*a));
  a->gone = sim_chance(&m->random, 500) ? draw_live(m) : 0;
  bool removes = a->gone && sim_chance(&m->random, 400);
  a->made = removes ? 0 : m->bodies++;
  sdb_op_write *write = &a->write;
  write->op.kind = SDB_OP_WRITE;
  write->user = m->user;
  write->store = CHAT;
  write->now_ms = T0 + m->stored;
  write->client_id = client(++m->clients);
  write->action = removes ? SDB_ACTION_DELETE : a->gone ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE;
  write->object = a->gone ? m->objects[a->gone] : 0;
  snprintf(a->text, sizeof(a->text), "%d", a->made);
  if (!removes) write->body = sdb_slice_of(a->text);
  sdb_buffer_init(&write->memory, sdb_platform_mem(), 1 << 20);
  m->batch_count++;
}

static sdb_op *make_batch(model *m, size_t count) {
  m->batch_count = 0;
  while (m->batch_count < count && m->bodies < BODIES_MAX)
    add_attempt(m);
  for (size_t i = 0; i + 1 < m->batch_count; i++)
    m->batch[i].write.op.next = &m->batch[i + 1].write.op;
  return m->batch_count ? &m->batch[0].write.op : NULL;
}

static void drop_batch(model *m) {
  for (size_t i = 0; i < m->batch_count; i++)
    sdb_buffer_free(&m->batch[i].write.memory);
  m->batch_count = 0;
}

static void settle(model *m, const attempt *a, sdb_seq object) {
  if (a->gone) m->objects[a->gone] = 0;
  if (a->made) m->objects[a->made] = object;
  m->stored++;
}

/* ---- lives ---- */

static void open_life(model *m) {
  assert_int_equal(
      m->backend->open(m->backend, (sdb_storage_sink){&m->completed, on_completed}), SDB_OK);
  const sdb_storage_port *port = m->backend->port(m->backend);
  assert_false(sdb_uuid_is_nil(port->epoch) || sdb_uuid_is_nil(port->database));
  if (!sdb_uuid_is_nil(m->epoch)) {
    assert_memory_equal(&port->epoch, &m->epoch, sizeof(m->epoch));
    assert_memory_equal(&port->database, &m->database, sizeof(m->database));
  }
  m->epoch = port->epoch;
  m->database = port->database;
  find_user(m);
}

static void assert_live(model *m) {
  sdb_seq live[BODIES_MAX];
  read_live(m, live);
  for (int body = 1; body < m->bodies; body++)
    assert_int_equal(live[body], m->objects[body]);
}

/* What of a run that died was stored: its first writes, each as a whole. */
static void find_stored(model *m) {
  sdb_seq live[BODIES_MAX];
  read_live(m, live);
  bool others_may = true;
  for (size_t i = 0; i < m->batch_count; i++) {
    attempt *a = &m->batch[i];
    a->stored = a->made ? live[a->made] != 0 : live[a->gone] == 0;
    if (a->gone) assert_true(a->stored == (live[a->gone] == 0));
    assert_true(others_may || !a->stored);
    others_may = a->stored;
    if (a->stored) settle(m, a, a->made ? live[a->made] : 0);
    m->dropped += !a->stored;
  }
  assert_live(m);
}

/* Who was told `unavailable` asks again: what was stored is not stored twice. */
static void ask_again(model *m) {
  for (size_t i = 0; i < m->batch_count; i++) {
    attempt *a = &m->batch[i];
    a->write.op.next = NULL;
    submit_and_run(m, &a->write.op, 1);
    assert_int_equal(a->write.op.status, SDB_OK);
    assert_int_equal(a->write.duplicate, a->stored);
    if (!a->stored) settle(m, a, a->write.object);
    if (a->write.seq > m->last) m->last = a->write.seq;
  }
  assert_live(m);
}

static void write_batch(model *m) {
  sdb_op *list = make_batch(m, 1 + sim_below(&m->random, BATCH_MAX));
  if (!list) return;
  submit_and_run(m, list, m->batch_count);
  for (size_t i = 0; i < m->batch_count; i++) {
    const attempt *a = &m->batch[i];
    assert_int_equal(a->write.op.status, SDB_OK);
    assert_true(a->write.seq > m->last);
    m->last = a->write.seq;
    settle(m, a, a->write.object);
  }
  drop_batch(m);
}

/* A run while the disk is full: all of it is refused, or, where the disk was not needed, all is. */
static void write_to_full_disk(model *m) {
  m->backend->set_fault(m->backend, SIM_DISK_FULL);
  sdb_op *list = make_batch(m, 3);
  if (list) submit_and_run(m, list, m->batch_count);
  for (size_t i = 0; i < m->batch_count; i++)
    assert_int_equal(m->batch[i].write.op.status, SDB_UNAVAILABLE);
  drop_batch(m);
  m->backend->set_fault(m->backend, SIM_DISK_WELL);
  assert_live(m);
}

static void end_life(model *m, sim_end how) {
  m->backend->end(m->backend, how);
}

static sim_end draw_death(model *m) {
  return sim_chance(&m->random, 500) ? SIM_KILLED : SIM_POWER_LOST;
}

static void die(model *m) {
  sdb_op *list = make_batch(m, 1 + sim_below(&m->random, BATCH_MAX));
  if (!list) return;
  m->backend->die_within(m->backend, 1 + sim_below(&m->random, 30));
  submit_and_run(m, list, m->batch_count);
  bool died = m->batch[0].write.op.status != SDB_OK;
  for (size_t i = 0; i < m->batch_count; i++) {
    attempt *a = &m->batch[i];
    assert_int_equal(a->write.op.status, died ? SDB_UNAVAILABLE : SDB_OK);
    if (!died) settle(m, a, a->write.object);
    if (!died) m->last = a->write.seq;
  }
  end_life(m, draw_death(m));
  open_life(m);
  if (died) {
    m->died++;
    find_stored(m);
    ask_again(m);
  }
  drop_batch(m);
}

static void restore(model *m) {
  end_life(m, SIM_CLOSED);
  m->backend->restore(m->backend);
  memcpy(m->objects, m->backed_up, sizeof(m->objects));
  sdb_uuid before = m->epoch;
  m->epoch = (sdb_uuid){{0}};
  m->last = 0;
  open_life(m);
  assert_memory_not_equal(&before, &m->epoch, sizeof(before));
  assert_live(m);
}

static void step(model *m) {
  switch (sim_below(&m->random, 10)) {
  case 0:
    end_life(m, SIM_CLOSED);
    open_life(m);
    assert_live(m);
    break;
  case 1:
    end_life(m, draw_death(m));
    open_life(m);
    assert_live(m);
    break;
  case 2:
  case 3:
    die(m);
    break;
  case 4:
    write_to_full_disk(m);
    break;
  case 5:
    assert_int_equal(m->backend->back_up(m->backend), SDB_OK);
    memcpy(m->backed_up, m->objects, sizeof(m->objects));
    m->has_backup = true;
    break;
  case 6:
    if (m->has_backup && sim_chance(&m->random, 200)) restore(m);
    break;
  default:
    write_batch(m);
  }
}

static sim_backend_options options_of(uint64_t seed) {
  return (sim_backend_options){.stores = CONFORMANCE_STORES,
      .stores_count = STORES,
      .remember_removes_ms = REMEMBER_MS,
      .dedupe_window_ms = WINDOW_MS,
      .seed = seed};
}

static model *begin(maker make, uint64_t seed) {
  model *m = calloc(1, sizeof(*m));
  assert_non_null(m);
  m->random = sim_random_of(seed, 2);
  m->bodies = 1;
  sim_backend_options options = options_of(seed);
  m->backend = make(&options);
  open_life(m);
  return m;
}

static void finish(model *m) {
  m->backend->destroy(m->backend);
  free(m);
}

static void assert_keeps_its_word(maker make) {
  size_t died = 0, dropped = 0, stored = 0;
  for (uint64_t seed = 0; seed < 30; seed++) {
    model *m = begin(make, seed);
    for (int i = 0; i < 60; i++)
      step(m);
    end_life(m, SIM_CLOSED);
    died += m->died;
    dropped += m->dropped;
    stored += m->stored;
    finish(m);
  }
  assert_true(died > 100 && dropped > 100 && stored > 5000);
}

static void the_memory_backend_keeps_its_word(void **state) {
  (void)state;
  assert_keeps_its_word(sim_memory_backend);
}

static void the_sqlite_backend_keeps_its_word(void **state) {
  (void)state;
  assert_keeps_its_word(sim_sqlite_backend);
}

/* Its frames are in the WAL, whole: a killed process would find them there. */
static void what_a_failed_sync_left_is_not_found_after_a_kill(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 20; seed++) {
    model *m = begin(sim_sqlite_backend, seed);
    write_batch(m);
    m->backend->set_fault(m->backend, SIM_DISK_FAILS_SYNC);
    sdb_op *list = make_batch(m, 3);
    submit_and_run(m, list, m->batch_count);
    for (size_t i = 0; i < m->batch_count; i++)
      assert_int_equal(m->batch[i].write.op.status, SDB_UNAVAILABLE);
    drop_batch(m);
    end_life(m, SIM_KILLED);
    m->backend->set_fault(m->backend, SIM_DISK_WELL);
    open_life(m);
    assert_live(m);
    end_life(m, SIM_CLOSED);
    finish(m);
  }
}

/* A process that was killed before its sync left a transaction: it is served, so it has to stay. */
static void what_is_found_after_a_kill_outlives_power_loss(void **state) {
  (void)state;
  size_t found = 0;
  for (uint64_t seed = 0; seed < 200; seed++) {
    model *m = begin(sim_sqlite_backend, seed);
    sdb_op *list = make_batch(m, 1);
    m->backend->die_within(m->backend, 1 + sim_below(&m->random, 12));
    submit_and_run(m, list, 1);
    bool died = m->batch[0].write.op.status != SDB_OK;
    end_life(m, SIM_KILLED);
    open_life(m);
    sdb_seq live[BODIES_MAX], after[BODIES_MAX];
    read_live(m, live);
    found += died && live[1] != 0;
    drop_batch(m);
    end_life(m, SIM_POWER_LOST);
    open_life(m);
    read_live(m, after);
    assert_int_equal(after[1], live[1]);
    end_life(m, SIM_CLOSED);
    finish(m);
  }
  assert_true(found > 10);
}

static uint64_t digest_of(const sim_disk *disk) {
  static const char *const NAMES[] = {"server.sqlite", "server.sqlite-wal"};
  uint64_t digest = 14695981039346656037u;
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    size_t size;
    const uint8_t *bytes = sim_disk_file(disk, NAMES[i], &size);
    for (size_t at = 0; at < size; at++)
      digest = (digest ^ bytes[at]) * 1099511628211u;
  }
  return digest;
}

static void the_same_calls_give_the_same_bytes(void **state) {
  (void)state;
  uint64_t digests[2];
  for (uint64_t seed = 0; seed < 5; seed++) {
    for (int i = 0; i < 2; i++) {
      model *m = begin(sim_sqlite_backend, seed);
      for (int at = 0; at < 40; at++)
        step(m);
      end_life(m, SIM_KILLED);
      digests[i] = digest_of(sim_sqlite_backend_disk(m->backend));
      finish(m);
    }
    assert_true(digests[0] == digests[1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_memory_backend_keeps_its_word),
      cmocka_unit_test(the_sqlite_backend_keeps_its_word),
      cmocka_unit_test(what_a_failed_sync_left_is_not_found_after_a_kill),
      cmocka_unit_test(what_is_found_after_a_kill_outlives_power_loss),
      cmocka_unit_test(the_same_calls_give_the_same_bytes),
  };
  return cmocka_run_group_tests_name("sim_backend", tests, NULL, NULL);
}
