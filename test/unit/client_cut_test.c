/* client_cut_test.c: sessions of two devices of one user with catch-up, live events, partials,
 * pushes, updates and removes, cut inside their messages, both ways, at places spread over all of
 * it: afterwards both devices, what their watches showed, and the server are one, and no push is
 * lost or doubled. The same where the server goes and comes back while a device pushes.
 *
 * What is cut is one device's connection, by a proxy. Real sockets, real files; replica_cut_test.c
 * is the same in one thread and without either.
 */
#include "client_fixture.h"
#include "memory_folder.h"
#include "proxy.h"

#define SEEDS 64 /* objects that are there before the devices come */
#define STEPS 48
#define OBJECTS_MAX (SEEDS + 2 * STEPS + 1)
#define MUTE_STEPS 4 /* for which one side is not heard, until the connection is lost */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEADS 6
#define FRAMES 12
#define SPREAD 12
#define AGAIN 4
#else
#define HEADS 20
#define FRAMES 40
#define SPREAD 60
#define AGAIN 20
#endif

/* ---- what must be on the server in the end ---- */

typedef struct expected {
  char contents[OBJECTS_MAX][48];
  size_t count;
} expected;

static void expect(expected *e, const char *content) {
  assert_true(e->count < OBJECTS_MAX);
  snprintf(e->contents[e->count++], sizeof(e->contents[0]), "%s", content);
}

static void expect_no_more(expected *e, const char *content) {
  for (size_t i = 0; i < e->count; i++) {
    if (strcmp(e->contents[i], content) != 0) continue;
    memcpy(e->contents[i], e->contents[--e->count], sizeof(e->contents[0]));
    return;
  }
  fail_msg("%s was not expected before", content);
}

/* Each of them is there once, and nothing else. */
static void assert_expected(const expected *e, const sdb_records *records) {
  for (size_t i = 0; i < e->count; i++) {
    char part[64];
    size_t found = 0;
    snprintf(part, sizeof(part), "\"content\":\"%s\"", e->contents[i]);
    for (size_t j = 0; j < records->count; j++)
      found += holds(records->records[j].object, part);
    if (found != 1) fail_msg("%s is there %zu times", e->contents[i], found);
  }
  assert_int_equal(records->count, e->count);
}

/* ---- a session ---- */

typedef struct cut {
  proxy_way way;
  uint64_t unit, byte;
  proxy_cut how; /* 0: none */
} cut;

typedef struct session {
  fixture *f;
  int number;
  const char *folder;
  char user[16], url[64], path[128];
  sdb_context *server;
  proxy *proxy;
  device *one, *two; /* `one` is behind the proxy */
  sdb_uuid seeds[SEEDS];
  expected expected;
  cut cut;
  bool was_cut;  /* under one->lock, as is the next */
  size_t losses; /* connections that `one` knows it has lost */
  size_t losses_before;
  bool muted;    /* the proxy lets only one side hear the other */
  int mute_left; /* steps until that ends */
} session;

static void on_cut(void *context) {
  session *s = context;
  pthread_mutex_lock(&s->one->lock);
  s->was_cut = true;
  pthread_cond_broadcast(&s->one->changed);
  pthread_mutex_unlock(&s->one->lock);
}

static void note_loss(void *context, sdb_log_level level, const char *event, const char *message) {
  (void)level, (void)message;
  session *s = context;
  if (strcmp(event, "disconnected") != 0) return;
  pthread_mutex_lock(&s->one->lock);
  s->losses++;
  pthread_cond_broadcast(&s->one->changed);
  pthread_mutex_unlock(&s->one->lock);
}

static bool is_cut(session *s) {
  pthread_mutex_lock(&s->one->lock);
  bool is = s->was_cut;
  pthread_mutex_unlock(&s->one->lock);
  return is;
}

/* Its local file is a new one, or the one that was there before under this name. */
static device *session_device(session *s, const char *name, uint16_t port, sdb_log_fn log) {
  sdb_client_options options = device_options(s->f);
  snprintf(s->url, sizeof(s->url), "ws://127.0.0.1:%u/?user=%s", port, s->user);
  snprintf(s->path, sizeof(s->path), "%s/%s-%s.sqlite", s->folder, s->user, name);
  options.url = s->url;
  options.user = s->user;
  options.path = s->path;
  options.start_offline = true; /* so that its watch is told of everything */
  options.log = log;
  options.log_context = s;
  return open_device(s->f, options);
}

static void format_object(char *object, size_t size, const char *content) {
  snprintf(object, size, "{\"role\":\"user\",\"content\":\"%s\"}", content);
}

static sdb_uuid put_on_server(session *s, const char *content) {
  char object[96];
  sdb_receipt receipt;
  format_object(object, sizeof(object), content);
  assert_int_equal(
      sdb_push(s->server, s->f->messages, sdb_slice_of(object), &receipt, NULL), SDB_OK);
  expect(&s->expected, content);
  return receipt.id;
}

static void begin_session(session *s, fixture *f, int number, cut at) {
  memset(s, 0, sizeof(*s));
  s->f = f;
  s->folder = memory_folder[0] ? memory_folder : f->folder;
  s->number = number;
  s->cut = at;
  snprintf(s->user, sizeof(s->user), "u%d", number);
  s->server = context_of(f, s->user);
  for (int i = 0; i < SEEDS; i++) {
    char content[16];
    snprintf(content, sizeof(content), "seed%d", i);
    s->seeds[i] = put_on_server(s, content);
  }
  s->proxy = proxy_open(f->port);
  s->one = session_device(s, "one", proxy_port(s->proxy), note_loss);
  s->two = session_device(s, "two", f->port, NULL);
  proxy_on_cut(s->proxy, on_cut, s);
  if (at.how) proxy_cut_at(s->proxy, at.way, at.unit, at.byte, at.how);
  sdb_client_go_online(s->two->client);
  sdb_client_go_online(s->one->client);
}

static void remove_files(session *s, const char *name) {
  static const char *const ENDS[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < 3; i++) {
    char path[160];
    snprintf(path, sizeof(path), "%s/%s-%s.sqlite%s", s->folder, s->user, name, ENDS[i]);
    unlink(path);
  }
}

static void end_session(session *s) {
  close_device(s->one);
  close_device(s->two);
  remove_files(s, "one");
  remove_files(s, "two");
  proxy_close(s->proxy);
  sdb_context_release(s->server);
}

/* ---- the script: each device changes seeds of its own, so it is known what comes of it ---- */

static void push_own(session *s, device *d, const char *who, int step) {
  char content[24];
  snprintf(content, sizeof(content), "%s%d", who, step);
  push_message(d, content);
  expect(&s->expected, content);
}

static void update_seed(session *s, device *d, int seed, int step) {
  char old[16], content[24], object[96];
  snprintf(old, sizeof(old), "seed%d", seed);
  snprintf(content, sizeof(content), "changed%d", step);
  format_object(object, sizeof(object), content);
  assert_int_equal(sdb_client_update(
                       d->client, s->f->messages, s->seeds[seed], sdb_slice_of(object), NULL, NULL),
      SDB_OK);
  expect_no_more(&s->expected, old);
  expect(&s->expected, content);
}

static void remove_seed(session *s, device *d, int seed) {
  char old[16];
  snprintf(old, sizeof(old), "seed%d", seed);
  assert_int_equal(
      sdb_client_remove(d->client, s->f->messages, s->seeds[seed], NULL, NULL), SDB_OK);
  expect_no_more(&s->expected, old);
}

static void stream_from_server(session *s, int step) {
  sdb_partial *partial = NULL;
  char word[16], content[48];
  snprintf(word, sizeof(word), "part%d.", step);
  snprintf(content, sizeof(content), "%s%s%s", word, word, word);
  sdb_slice begin = sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}");
  assert_int_equal(sdb_partial_begin(s->server, s->f->messages, begin, &partial, NULL), SDB_OK);
  for (int i = 0; i < 3; i++)
    assert_int_equal(sdb_partial_append(partial, "content", sdb_slice_of(word)), SDB_OK);
  if (step % 16 == 2) {
    sdb_partial_abort(partial);
    return;
  }
  assert_int_equal(sdb_partial_commit(partial, NULL, NULL), SDB_OK);
  expect(&s->expected, content);
}

static void change(session *s, int step) {
  char content[24];
  switch (step % 8) {
  case 0:
    push_own(s, s->one, "one", step);
    break;
  case 1:
    push_own(s, s->two, "two", step);
    break;
  case 2:
    stream_from_server(s, step);
    break;
  case 3:
    update_seed(s, s->one, step, step);
    break;
  case 4:
    snprintf(content, sizeof(content), "server%d", step);
    put_on_server(s, content);
    break;
  case 5:
    update_seed(s, s->two, step, step);
    push_own(s, s->one, "more", step);
    break;
  case 6:
    remove_seed(s, s->one, step);
    push(s->one, s->f->account, "{\"name\":\"Ada\"}");
    break;
  default:
    remove_seed(s, s->two, step);
    push_own(s, s->one, "late", step);
  }
}

/* Before it goes on the devices are answered, so that there are messages on their own to be cut; a
 * device that was cut is not waited for. */
static void settle(session *s) {
  device *one = s->one, *two = s->two;
  AWAIT(one, s->was_cut || (one->status.phase == SDB_CLIENT_LIVE && one->status.pending == 0));
  AWAIT(two, two->status.phase == SDB_CLIENT_LIVE && two->status.pending == 0);
}

/* A connection that hears only one side is lost a little later. */
static void end_mute(session *s) {
  if (s->cut.how != PROXY_MUTE || s->muted || !is_cut(s)) return;
  if (s->mute_left++ < MUTE_STEPS) return;
  s->muted = true;
  proxy_cut_now(s->proxy, s->number % 2 ? PROXY_RESET : PROXY_END);
}

/* Most reconnect at once: while the script goes on, or after it. Some leave it to the client. */
static void reconnect_at_once(session *s) {
  AWAIT(s->one, s->losses > 0);
  sdb_client_go_online(s->one->client);
}

static void run_script(session *s) {
  bool waits = s->cut.how == PROXY_MUTE || s->number % 3 != 0, reconnected = false;
  for (int step = 0; step < STEPS; step++) {
    change(s, step);
    settle(s);
    end_mute(s);
    if (waits || reconnected || !is_cut(s)) continue;
    reconnect_at_once(s);
    reconnected = true;
  }
  if (!s->cut.how) return;
  proxy_wait_cuts(s->proxy, 1);
  s->mute_left = MUTE_STEPS;
  end_mute(s);
  if (s->number % 8 == 1)
    AWAIT(s->one, s->losses > 0);
  else
    reconnect_at_once(s);
}

/* ---- what must hold then ---- */

/* What is shown, as the changes that a watch was told of say it. */
static size_t replay(const device *d, const sdb_store *store, news *shown) {
  size_t count = 0;
  for (size_t i = 0; i < d->count; i++) {
    const news *n = &d->list[i];
    if (n->store != store) continue;
    assert_int_not_equal(n->kind, SDB_CHANGE_RESET);
    size_t kept = 0;
    for (size_t j = 0; j < count; j++) {
      bool same_id = !sdb_uuid_is_nil(n->id) && sdb_uuid_equal(shown[j].id, n->id);
      bool same_create = sdb_uuid_is_nil(shown[j].id) && !sdb_uuid_is_nil(n->client_id) &&
                         sdb_uuid_equal(shown[j].client_id, n->client_id);
      if (!same_id && !same_create) shown[kept++] = shown[j];
    }
    count = kept;
    if (n->kind == SDB_CHANGE_PUT) shown[count++] = *n;
    assert_true(count < 2 * OBJECTS_MAX);
  }
  return count;
}

static void assert_shown(device *d, const sdb_client_records *records) {
  news *shown = calloc(2 * OBJECTS_MAX, sizeof(*shown));
  assert_non_null(shown);
  size_t count = replay(d, d->messages, shown);
  for (size_t i = 0; i < records->count; i++) {
    const sdb_client_record *record = &records->records[i];
    size_t at = 0;
    while (at < count && !sdb_uuid_equal(shown[at].id, record->id))
      at++;
    assert_true(at < count);
    assert_int_equal(shown[at].state, record->state);
    assert_true(sdb_uuid_equal(shown[at].event_id, record->event_id));
    assert_true(sdb_slice_equal(sdb_slice_of(shown[at].object), record->object));
  }
  assert_int_equal(count, records->count);
  free(shown);
}

static void assert_as_on_server(device *d, const sdb_records *server, bool watched) {
  sdb_client_records *records = list(d, d->messages);
  assert_int_equal(records->count, server->count);
  for (size_t i = 0; i < records->count; i++) {
    const sdb_client_record *record = &records->records[i];
    size_t at = 0;
    while (at < server->count && !sdb_uuid_equal(server->records[at].id, record->id))
      at++;
    assert_true(at < server->count);
    assert_int_equal(record->state, SDB_RECORD_SYNCED);
    assert_false(record->gap);
    assert_true(sdb_uuid_equal(record->event_id, server->records[at].event_id));
    assert_true(sdb_slice_equal(record->object, server->records[at].object));
  }
  if (watched) assert_shown(d, records);
  sdb_client_records_free(records);
}

static void assert_nothing_unsynced(device *d) {
  sdb_unsynced_list *unsynced = NULL;
  assert_int_equal(sdb_client_unsynced(d->client, &unsynced, NULL), SDB_OK);
  assert_int_equal(unsynced->count, 0);
  sdb_unsynced_free(unsynced);
  assert_int_equal(status_of(d).storage, SDB_CLIENT_DURABLE);
}

/* An object that is put last: who has been told of it live, or caught up, has all. */
static void put_last(session *s) {
  device *one = s->one, *two = s->two;
  wait_synced(one);
  wait_synced(two);
  wait_delivered(one);
  wait_delivered(two);
  put_on_server(s, "last");
  AWAIT(one, told(one, SDB_RECORD_SYNCED, "\"last\""));
  AWAIT(two, told(two, SDB_RECORD_SYNCED, "\"last\""));
  wait_synced(one);
  wait_synced(two);
}

static void assert_one(session *s) {
  sdb_records *records = NULL;
  put_last(s);
  assert_nothing_unsynced(s->one);
  assert_nothing_unsynced(s->two);
  assert_int_equal(sdb_list(s->server, s->f->messages, NIL, 1000, &records, NULL), SDB_OK);
  assert_expected(&s->expected, records);
  assert_as_on_server(s->one, records, true);
  assert_as_on_server(s->two, records, true);
  close_device(s->one);
  s->one = session_device(s, "one", proxy_port(s->proxy), note_loss); /* stays offline */
  assert_nothing_unsynced(s->one);
  assert_as_on_server(s->one, records, false);
  sdb_records_free(records);
}

static void run_session(fixture *f, int number, cut at) {
  session *s = malloc(sizeof(*s));
  assert_non_null(s);
  begin_session(s, f, number, at);
  run_script(s);
  assert_one(s);
  end_session(s);
  free(s);
}

/* ---- where it is cut ---- */

static proxy_counts counts_of_a_whole_session(fixture *f) {
  session *s = malloc(sizeof(*s));
  assert_non_null(s);
  begin_session(s, f, 1000, (cut){0});
  run_script(s);
  assert_one(s);
  proxy_counts counts = proxy_counted(s->proxy);
  assert_int_equal(counts.connections, 1);
  end_session(s);
  free(s);
  return counts;
}

/* The session that is cut may be told partials in fewer messages than the one that was measured. */
static uint64_t part_of(uint64_t whole, int i, int count) {
  return whole * 85 / 100 * (uint64_t)i / (uint64_t)count;
}

static void a_session_cut_inside_the_upgrade_is_made_up_for(void **state) {
  static const uint64_t BYTES[] = {0, 1, 14, 40, 70, 95, 110, 120, 126, 127};
  for (int i = 0; i < HEADS; i++) {
    cut at = {.way = i % 2 ? PROXY_DOWN : PROXY_UP,
        .byte = BYTES[i / 2],
        .how = (proxy_cut)(PROXY_END + i / 2 % 3)};
    run_session(*state, i, at);
  }
}

static void a_session_cut_at_a_frame_s_header_is_made_up_for(void **state) {
  static const uint64_t BYTES[] = {0, 1, 2, 3, 4, 6, 8};
  proxy_counts whole = counts_of_a_whole_session(*state);
  for (int i = 0; i < FRAMES; i++) {
    proxy_way way = i % 2 ? PROXY_DOWN : PROXY_UP;
    cut at = {.way = way,
        .unit = 1 + part_of(whole.units[way], i, FRAMES),
        .byte = BYTES[i / 2 % 7],
        .how = (proxy_cut)(PROXY_END + i / 2 % 3)};
    run_session(*state, i, at);
  }
}

static void a_session_cut_anywhere_is_made_up_for(void **state) {
  proxy_counts whole = counts_of_a_whole_session(*state);
  print_message("a session: up %u messages, %u bytes; down %u messages, %u bytes\n",
      (unsigned)whole.units[PROXY_UP], (unsigned)whole.bytes[PROXY_UP],
      (unsigned)whole.units[PROXY_DOWN], (unsigned)whole.bytes[PROXY_DOWN]);
  for (int i = 0; i < SPREAD; i++) {
    proxy_way way = i % 2 ? PROXY_DOWN : PROXY_UP;
    cut at = {.way = way,
        .byte = part_of(whole.bytes[way], i, SPREAD),
        .how = (proxy_cut)(PROXY_END + i / 2 % 3)};
    run_session(*state, i, at);
  }
}

/* ---- cut again and again ---- */

/* As soon as a connection is lost, or hears one side only, a cut waits for the next one. */
static void cut_again(session *s, unsigned *seed) {
  if (!is_cut(s)) return;
  if (s->cut.how == PROXY_MUTE) proxy_cut_now(s->proxy, PROXY_RESET);
  pthread_mutex_lock(&s->one->lock);
  s->was_cut = false;
  pthread_mutex_unlock(&s->one->lock);
  AWAIT(s->one, s->losses > s->losses_before);
  s->losses_before++;
  s->cut = (cut){.way = (proxy_way)(rand_r(seed) % 2),
      .unit = (uint64_t)rand_r(seed) % 12,
      .byte = (uint64_t)rand_r(seed) % 160,
      .how = (proxy_cut)(PROXY_END + rand_r(seed) % 3)};
  proxy_cut_at(s->proxy, s->cut.way, s->cut.unit, s->cut.byte, s->cut.how);
  sdb_client_go_online(s->one->client);
}

/* No more cuts: the connection that there is may be one that hears one side only. */
static void end_cuts(session *s) {
  device *one = s->one;
  proxy_cut_now(s->proxy, PROXY_RESET);
  AWAIT(one, one->status.phase == SDB_CLIENT_OFFLINE || one->status.phase == SDB_CLIENT_CONNECTING);
  sdb_client_go_online(one->client);
}

static void a_session_cut_again_and_again_is_made_up_for(void **state) {
  session *s = malloc(sizeof(*s));
  uint64_t cuts = 0;
  assert_non_null(s);
  for (int number = 0; number < AGAIN; number++) {
    unsigned seed = (unsigned)number + 1;
    begin_session(s, *state, number, (cut){.way = PROXY_UP, .how = PROXY_END});
    for (int step = 0; step < STEPS; step++) {
      change(s, step);
      settle(s);
      cut_again(s, &seed);
    }
    cuts += proxy_counted(s->proxy).cuts;
    end_cuts(s);
    assert_one(s);
    end_session(s);
  }
  print_message("%u sessions, %u cuts\n", AGAIN, (unsigned)cuts);
  assert_true(cuts > AGAIN);
  free(s);
}

/* ---- a way to the server that is closed for a while ---- */

static void a_device_that_is_refused_and_stalled_catches_up_later(void **state) {
  fixture *f = *state;
  session *s = malloc(sizeof(*s));
  assert_non_null(s);
  begin_session(s, f, 0, (cut){0});
  wait_synced(s->one);
  proxy_refuse(s->proxy, true);
  proxy_cut_now(s->proxy, PROXY_RESET);
  AWAIT(s->one, s->one->status.close_code == 1006 && s->one->status.problem[0]);
  push_own(s, s->one, "refused", 0);
  push_own(s, s->two, "meanwhile", 0);
  proxy_refuse(s->proxy, false);
  proxy_stall(s->proxy, PROXY_DOWN, true);
  sdb_client_go_online(s->one->client);
  push_own(s, s->one, "stalled", 0);
  proxy_stall(s->proxy, PROXY_DOWN, false);
  assert_one(s);
  end_session(s);
  free(s);
}

#define DELAY_MS 20

static void a_device_on_a_slow_line_is_only_later(void **state) {
  session *s = malloc(sizeof(*s));
  struct timespec from, to;
  assert_non_null(s);
  begin_session(s, *state, 0, (cut){0});
  wait_synced(s->one);
  for (int way = 0; way < 2; way++)
    proxy_pace(s->proxy, (proxy_way)way, DELAY_MS, 64);
  clock_gettime(CLOCK_MONOTONIC, &from);
  push_own(s, s->one, "slow", 0);
  wait_delivered(s->one);
  clock_gettime(CLOCK_MONOTONIC, &to);
  long took_ms = (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000;
  assert_true(took_ms >= 2 * DELAY_MS - 1);
  assert_one(s);
  end_session(s);
  free(s);
}

#define LARGE 800 /* objects of 16 KiB: far more than the server keeps for one connection */

static void *put_large(void *context) {
  fixture *f = context;
  char *object = malloc(16 * 1024);
  if (!object) abort();
  memset(object, 'x', 16 * 1024);
  size_t at = (size_t)snprintf(object, 64, "{\"role\":\"user\",\"content\":\"large");
  object[at] = 'x';
  snprintf(object + 16 * 1024 - 3, 3, "\"}");
  for (int i = 0; i < LARGE / 8; i++)
    server_push(f, f->messages, object);
  free(object);
  return NULL;
}

static void a_device_that_does_not_read_is_given_up_and_catches_up_later(void **state) {
  fixture *f = *state;
  char url[64];
  pthread_t threads[8];
  proxy *p = proxy_open(f->port);
  sdb_client_options options = device_options(f);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/?user=ada", proxy_port(p));
  options.url = url;
  options.path = f->path;
  device *d = open_device(f, options);
  wait_synced(d);
  proxy_stall(p, PROXY_DOWN, true);
  for (int i = 0; i < 8; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, put_large, f), 0);
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  proxy_stall(p, PROXY_DOWN, false);
  AWAIT(d, d->status.close_code != 0); /* 1013, where the server had the time to say it */
  sdb_client_go_online(d->client);
  wait_synced(d);
  assert_int_equal(count_of(d), LARGE);
  assert_int_equal(server_count(f), LARGE);
  assert_int_equal(proxy_counted(p).connections, 2);
  close_device(d);
  proxy_close(p);
}

/* ---- a server that goes and comes back ---- */

#define RESTARTS 4
#define PUSHES 300

static void *push_and_push(void *context) {
  device *d = context;
  for (int i = 0; i < PUSHES; i++) {
    char content[24];
    snprintf(content, sizeof(content), "push%d.", i);
    push_message(d, content);
  }
  return NULL;
}

static size_t synced_count(const device *d) {
  size_t count = 0;
  for (size_t i = 0; i < d->count; i++)
    count += d->list[i].state == SDB_RECORD_SYNCED;
  return count;
}

static void a_server_that_restarts_loses_and_doubles_no_push(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.path = f->path;
  device *d = open_device(f, options);
  pthread_t thread;
  wait_synced(d);
  assert_int_equal(pthread_create(&thread, NULL, push_and_push, d), 0);
  for (size_t i = 1; i <= RESTARTS; i++) {
    AWAIT(d, synced_count(d) > i * PUSHES / (RESTARTS + 2));
    close_server(f);
    open_server(f);
    sdb_client_go_online(d->client);
  }
  pthread_join(thread, NULL);
  wait_synced(d);
  wait_delivered(d);
  sdb_client_records *records = list(d, f->messages);
  assert_int_equal(records->count, PUSHES);
  for (size_t i = 0; i < PUSHES; i++) {
    char content[16];
    snprintf(content, sizeof(content), "\"push%zu.\"", PUSHES - 1 - i);
    assert_int_equal(records->records[i].state, SDB_RECORD_SYNCED);
    assert_true(holds(records->records[i].object, content)); /* in the order they were made in */
  }
  sdb_client_records_free(records);
  assert_int_equal(server_count(f), PUSHES);
  assert_nothing_unsynced(d);
  close_device(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(a_session_cut_inside_the_upgrade_is_made_up_for),
      ON_A_SERVER(a_session_cut_at_a_frame_s_header_is_made_up_for),
      ON_A_SERVER(a_session_cut_anywhere_is_made_up_for),
      ON_A_SERVER(a_session_cut_again_and_again_is_made_up_for),
      ON_A_SERVER(a_device_that_is_refused_and_stalled_catches_up_later),
      ON_A_SERVER(a_device_on_a_slow_line_is_only_later),
      ON_A_SERVER(a_device_that_does_not_read_is_given_up_and_catches_up_later),
      ON_A_SERVER(a_server_that_restarts_loses_and_doubles_no_push),
  };
  return cmocka_run_group_tests(tests, make_memory_folder, remove_memory_folder);
}
