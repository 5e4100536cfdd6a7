/* replica_model_test.c: phones at random: pushes of every kind, lines cut anywhere, processes that
 * end, storages that are late or fail, removes and partials by the server. In the end every phone,
 * what it showed and the server are one, and each accepted create is there once, unless somebody
 * removed or discarded it.
 *
 * A seed decides everything; SYNCDB_MODEL_SEED runs that one alone, SYNCDB_MODEL_RUNS so many.
 */
#include "replica_harness.h"

#define NIL ((sdb_uuid){{0}})
#define RUNS 150
#define STEPS 150
#define CREATES_MAX 400

typedef struct model {
  world *w;
  uint64_t random;
  size_t creates;
  bool accepted[CREATES_MAX]; /* the push was answered with SDB_OK */
  bool gone[CREATES_MAX];     /* somebody may have removed or discarded it */
  uint64_t partial;           /* the handle of the open one; 0: none */
} model;

static uint32_t random_below(model *m, uint32_t bound) {
  m->random = m->random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(m->random >> 33) % bound;
}

/* An object's text says which create it came from: "c12." and what was made of it. */
static int create_of(const char *object) {
  const char *at = strstr(object, "\"c");
  return at ? (int)strtol(at + 2, NULL, 10) : -1;
}

static void mark_gone(model *m, const char *object) {
  int number = create_of(object);
  if (number >= 0) m->gone[number] = true;
}

/* ---- what phones do ---- */

static void on_accepted(phone *p, const sdb_replica_output *output) {
  (void)p;
  *(bool *)output->tag = output->status == SDB_OK;
}

static void push(model *m, phone *p) {
  if (m->creates == CREATES_MAX) return;
  char object[64];
  snprintf(object, sizeof(object), "{\"text\":\"c%zu.\"}", m->creates);
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
      .tag = &m->accepted[m->creates],
      .store = NOTE,
      .object = sdb_slice_of(object),
      .wall_ms = m->w->wall_ms};
  assert_true(sdb_replica_request_begin(p->replica, &request, m->w->now_ms));
  m->creates++;
}

/* One of the records that it holds; false: none, or it cannot tell now. */
static bool pick(model *m, phone *p, shown *picked) {
  if (p->shown_count == 0) return false;
  *picked = p->shown[random_below(m, (uint32_t)p->shown_count)];
  return picked->store == NOTE && picked->state != SDB_RECORD_PARTIAL &&
         create_of(picked->object) >= 0;
}

static sdb_uuid key_of(const shown *s) {
  return sdb_uuid_is_nil(s->id) ? s->client_id : s->id;
}

static void change(model *m, phone *p, bool removes) {
  shown picked;
  char object[64];
  if (!pick(m, p, &picked)) return;
  snprintf(object, sizeof(object), "{\"text\":\"c%d.%u\"}", create_of(picked.object),
      random_below(m, 1000));
  sdb_replica_request request = {.kind = removes ? SDB_REPLICA_REMOVE : SDB_REPLICA_UPDATE,
      .tag = p,
      .store = NOTE,
      .id = key_of(&picked),
      .object = removes ? (sdb_slice){NULL, 0} : sdb_slice_of(object),
      .wall_ms = m->w->wall_ms};
  assert_true(sdb_replica_request_begin(p->replica, &request, m->w->now_ms));
  if (removes) mark_gone(m, picked.object);
}

static void rename_account(model *m, phone *p) {
  char object[64];
  snprintf(object, sizeof(object), "{\"name\":\"n%u\"}", random_below(m, 1000));
  bool removes = random_below(m, 5) == 0;
  sdb_replica_request request = {.kind = removes ? SDB_REPLICA_REMOVE : SDB_REPLICA_PUSH,
      .tag = p,
      .store = ACCOUNT,
      .object = removes ? (sdb_slice){NULL, 0} : sdb_slice_of(object),
      .wall_ms = m->w->wall_ms};
  assert_true(sdb_replica_request_begin(p->replica, &request, m->w->now_ms));
}

/* A store that only creates: says something, or takes something back. */
static void chat(model *m, phone *p) {
  char object[64];
  snprintf(
      object, sizeof(object), "{\"role\":\"user\",\"message\":\"m%u\"}", random_below(m, 1000));
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
      .tag = p,
      .store = CHAT,
      .object = sdb_slice_of(object),
      .wall_ms = m->w->wall_ms};
  if (p->shown_count > 0 && random_below(m, 2)) {
    const shown *picked = &p->shown[random_below(m, (uint32_t)p->shown_count)];
    if (picked->store != CHAT || picked->state == SDB_RECORD_PARTIAL) return;
    request.kind = SDB_REPLICA_REMOVE;
    request.id = key_of(picked);
    request.object = (sdb_slice){NULL, 0};
  }
  assert_true(sdb_replica_request_begin(p->replica, &request, m->w->now_ms));
}

/* Retries or discards one that failed. */
static void decide(model *m, phone *p, bool discards) {
  sdb_replica_unsynced unsynced;
  for (const void *cursor = NULL; sdb_replica_next_unsynced(p->replica, &cursor, &unsynced);) {
    if (!unsynced.error) continue;
    if (discards && unsynced.action == SDB_ACTION_CREATE && unsynced.store == NOTE) {
      char object[128];
      copy_text(object, sizeof(object), unsynced.object);
      mark_gone(m, object);
    }
    sdb_status status = discards ? sdb_replica_discard(p->replica, unsynced.client_id)
                                 : sdb_replica_retry(p->replica, unsynced.client_id);
    assert_int_equal(status, SDB_OK);
    return;
  }
}

/* ---- what happens to them ---- */

static void run_storage(phone *p, size_t count) {
  sdb_memory_local_run(p->local, count);
  phone_drain(p);
}

static void finish_storage(phone *p) {
  sdb_memory_local_defer(p->local, false);
  while (sdb_memory_local_run(p->local, SIZE_MAX) > 0)
    phone_drain(p);
}

static uint32_t some_window(model *m) {
  return random_below(m, 2) ? SDB_REPLICA_WINDOW_ALL : random_below(m, 6);
}

/* Its process ends. What was accepted, and not yet stored, may be lost: it was not shown. The next
 * version of it may want other windows. */
static void restart(model *m, phone *p) {
  finish_storage(p);
  if (p->storage_failed != SDB_OK) return;
  uint32_t windows[STORES_COUNT];
  for (size_t i = 0; i < STORES_COUNT; i++)
    windows[i] = i == ACCOUNT ? SDB_REPLICA_WINDOW_ALL : some_window(m);
  phone_kill(p);
  m->w->windows = windows;
  phone_start(p);
  m->w->windows = NULL;
}

static void fail_storage(model *m, phone *p) {
  finish_storage(p);
  sdb_memory_local_fail(p->local, SDB_IO);
  push(m, p);
  phone_drain(p);
  assert_int_equal(p->storage_failed, SDB_IO);
  sdb_memory_local_fail(p->local, SDB_OK);
  /* It works again, and is attached again. */
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), m->w->now_ms);
  p->storage_failed = SDB_OK;
  phone_drain(p);
}

/* ---- what the server does ---- */

static void server_acts(model *m) {
  sdb_request request = {
      .user = sdb_slice_of("ada"), .store = NOTE, .field = sdb_slice_of("text"), .partial = 1};
  switch (random_below(m, 4)) {
  case 0:
    request.kind = SDB_REQUEST_PUT;
    request.object = sdb_slice_of("{\"text\":\"by the server\"}");
    server_ask(m->w, request);
    break;
  case 1:
    if (m->partial) break;
    m->partial = 1;
    request.kind = SDB_REQUEST_PARTIAL_BEGIN;
    request.object = sdb_slice_of("{\"text\":\"\"}");
    server_ask(m->w, request);
    break;
  case 2:
    if (!m->partial) break;
    request.kind = SDB_REQUEST_PARTIAL_APPEND;
    request.text = sdb_slice_of("word ");
    server_ask(m->w, request);
    break;
  case 3:
    if (!m->partial) break;
    request.kind = random_below(m, 2) ? SDB_REQUEST_PARTIAL_COMMIT : SDB_REQUEST_PARTIAL_ABORT;
    if (server_ask(m->w, request)->status == SDB_OK) m->partial = 0;
    break;
  }
}

/* The application's code changes or removes what a device shows. */
static void server_changes(model *m) {
  phone *p = &m->w->phones[random_below(m, (uint32_t)m->w->phones_count)];
  shown picked;
  if (!pick(m, p, &picked) || sdb_uuid_is_nil(picked.id)) return;
  char object[64];
  snprintf(object, sizeof(object), "{\"text\":\"c%d.%u\"}", create_of(picked.object),
      random_below(m, 1000));
  sdb_request request = {.kind = SDB_REQUEST_PUT,
      .user = sdb_slice_of(p->user),
      .store = NOTE,
      .id = picked.id,
      .object = sdb_slice_of(object)};
  if (random_below(m, 2)) {
    request.kind = SDB_REQUEST_REMOVE;
    request.object = (sdb_slice){NULL, 0};
    mark_gone(m, picked.object);
  }
  server_ask(m->w, request);
}

/* Delivers a few messages, and stops anywhere. */
static void move_messages(model *m) {
  uint32_t count = random_below(m, 12);
  for (uint32_t i = 0; i < count; i++) {
    phone *p = &m->w->phones[random_below(m, (uint32_t)m->w->phones_count)];
    phone_drain(p);
    phone_exchange(p);
    if (random_below(m, 2)) hub_drain(m->w);
  }
}

static void act(model *m) {
  phone *p = &m->w->phones[random_below(m, (uint32_t)m->w->phones_count)];
  switch (random_below(m, 28)) {
  case 0:
  case 1:
  case 2:
  case 3:
    push(m, p);
    break;
  case 4:
  case 5:
    change(m, p, false);
    break;
  case 6:
    change(m, p, true);
    break;
  case 7:
    rename_account(m, p);
    break;
  case 8:
    line_cut(p, random_below(m, 2) == 1);
    break;
  case 9:
    restart(m, p);
    break;
  case 10:
    sdb_memory_local_defer(p->local, true);
    break;
  case 11:
  case 12:
    run_storage(p, 1 + random_below(m, 3));
    break;
  case 13:
    finish_storage(p);
    break;
  case 14:
    fail_storage(m, p);
    break;
  case 15:
    decide(m, p, random_below(m, 2) == 1);
    break;
  case 16:
    p->offline = !p->offline;
    break;
  case 17:
    if (random_below(m, 3) == 0) sdb_memory_storage_fail_commits(m->w->h->storage, 1);
    break;
  case 18:
    pass(m->w, random_below(m, 12000));
    break;
  case 19:
    (void)!sdb_replica_older(p->replica, NOTE, NIL, 1 + random_below(m, 20));
    break;
  case 20:
  case 21:
    chat(m, p);
    break;
  case 22:
  case 23:
    server_changes(m);
    break;
  default:
    server_acts(m);
    break;
  }
  move_messages(m);
}

/* ---- the end ---- */

static void come_to_rest(model *m) {
  if (m->partial) {
    sdb_request request = {.kind = SDB_REQUEST_PARTIAL_ABORT,
        .user = sdb_slice_of("ada"),
        .store = NOTE,
        .partial = 1};
    server_ask(m->w, request);
  }
  for (size_t i = 0; i < m->w->phones_count; i++) {
    m->w->phones[i].offline = false;
    finish_storage(&m->w->phones[i]);
  }
  for (int round = 0; round < 50; round++) {
    bool failed = false;
    until_live(m->w);
    for (size_t i = 0; i < m->w->phones_count; i++) {
      phone *p = &m->w->phones[i];
      failed |= phone_status(p).failed > 0;
      decide(m, p, true);
      while (sdb_replica_older(p->replica, NOTE, NIL, 100) == SDB_OK ||
             sdb_replica_older(p->replica, CHAT, NIL, 100) == SDB_OK)
        until_live(m->w);
    }
    if (!failed) return;
  }
  fail_msg("pushes fail again and again");
}

static void assert_creates(model *m, const char *user, size_t *there) {
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  read_server(m->w, user, NOTE, objects);
  for (size_t i = 0; i < objects->count; i++) {
    int number = create_of(objects->objects[i]);
    if (number >= 0) there[number]++;
  }
  free_server(objects);
  free(objects);
}

static void run(uint64_t seed) {
  static const uint32_t WINDOW[STORES_COUNT] = {SDB_REPLICA_WINDOW_ALL, SDB_REPLICA_WINDOW_ALL, 5};
  model m = {.w = world_new(), .random = seed * 2654435761u + 1};
  size_t there[CREATES_MAX] = {0};
  phone_new(m.w, "ada");
  m.w->windows = WINDOW;
  phone_new(m.w, "ada");
  m.w->windows = NULL;
  phone_new(m.w, "bob");
  for (size_t i = 0; i < m.w->phones_count; i++)
    m.w->phones[i].on_answer = on_accepted;
  for (int i = 0; i < STEPS; i++)
    act(&m);
  come_to_rest(&m);
  for (size_t i = 0; i < m.w->phones_count; i++)
    assert_in_step(&m.w->phones[i]);
  assert_creates(&m, "ada", there);
  assert_creates(&m, "bob", there);
  for (size_t i = 0; i < m.creates; i++) {
    if (there[i] > 1 || (there[i] == 0 && m.accepted[i] && !m.gone[i]))
      fail_msg("create %zu is there %zu times", i, there[i]);
  }
  world_free(m.w);
}

static uint64_t current_seed;

/* A failure has to name what repeats it. */
static int tell_seed(void **state) {
  (void)state;
  print_message("the last seed was %llu\n", (unsigned long long)current_seed);
  return 0;
}

static void phones_at_random_end_in_step_with_the_server(void **state) {
  (void)state;
  const char *seed = getenv("SYNCDB_MODEL_SEED"), *runs = getenv("SYNCDB_MODEL_RUNS");
  uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
  uint64_t count = seed ? 1 : runs ? strtoull(runs, NULL, 10) : RUNS;
  for (current_seed = first; current_seed < first + count; current_seed++)
    run(current_seed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(phones_at_random_end_in_step_with_the_server, tell_seed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
