/* test/unit/client_watch_test.c: how an application is told of changes: on the client's thread,
 * where it may call the library, or by sdb_client_dispatch on its own; and how watches end. */
#include "client/feed.h"
#include "client_fixture.h"
#include <poll.h>

/* ---- who is told what ---- */

typedef struct counter {
  device *d;
  atomic_int calls, changes;
} counter;

static void count_changes(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client;
  counter *c = context;
  atomic_fetch_add(&c->calls, 1);
  atomic_fetch_add(&c->changes, (int)changes->count);
  tell(c->d);
}

static void a_watch_of_one_store_is_told_of_no_other(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  counter accounts = {.d = d}, messages = {.d = d};
  sdb_error error;
  assert_int_equal(
      sdb_client_watch(d->client, f->account, count_changes, &accounts, NULL, NULL), SDB_OK);
  assert_int_equal(
      sdb_client_watch(d->client, f->messages, count_changes, &messages, NULL, NULL), SDB_OK);
  assert_int_equal(
      sdb_client_watch(d->client, f->lax_messages, count_changes, &messages, NULL, &error),
      SDB_UNKNOWN_STORE);
  push_message(d, "x");
  wait_delivered(d);
  AWAIT(d, atomic_load(&messages.changes) == 2);
  assert_int_equal(atomic_load(&accounts.calls), 0);
  close_device(d);
}

/* ---- calls inside ---- */

typedef struct answerer {
  device *d;
  bool answered;
  sdb_status list, get, push, wait, token, older, unsynced, export, retry, discard;
} answerer;

static bool is_question(const sdb_client_changes *changes) {
  for (size_t i = 0; i < changes->count; i++) {
    if (holds(changes->changes[i].record.object, "question")) return true;
  }
  return false;
}

static void answer(void *context, sdb_client *client, const sdb_client_changes *changes) {
  answerer *a = context;
  if (a->answered || !is_question(changes)) return;
  a->answered = true;
  sdb_client_records *records = NULL;
  sdb_unsynced_list *unsynced = NULL;
  char *json = NULL;
  sdb_uuid client_id = NIL;
  sdb_slice object = sdb_slice_of("{\"role\":\"user\",\"content\":\"answer\"}");
  a->wait = sdb_client_wait(client, SDB_CLIENT_SYNCED, 1000);
  a->push = sdb_client_push(client, changes->store, object, &client_id, NULL);
  a->get = sdb_client_get(client, changes->store, client_id, &records, NULL);
  if (a->get == SDB_OK) sdb_client_records_free(records);
  a->list = sdb_client_list(client, changes->store, NIL, 10, &records, NULL);
  if (a->list == SDB_OK) sdb_client_records_free(records);
  a->unsynced = sdb_client_unsynced(client, &unsynced, NULL);
  if (a->unsynced == SDB_OK) sdb_unsynced_free(unsynced);
  a->export = sdb_client_export_unsynced(client, &json, NULL, NULL);
  if (a->export == SDB_OK) sdb_client_json_free(json);
  a->token = sdb_client_set_token(client, sdb_slice_of("ada"), 0);
  a->older = sdb_client_older(client, changes->store, NIL, 10, NULL);
  a->retry = sdb_client_retry(client, client_id);
  a->discard = sdb_client_discard(client, (sdb_uuid){{1}});
  sdb_client_close(client); /* is refused */
  sdb_client_go_offline(client);
  sdb_client_go_online(client);
  tell(a->d);
}

/* `here`: on the client's thread, where nothing can have been seen back meanwhile. */
static void assert_answers(const answerer *a, bool here) {
  assert_int_equal(a->wait, here ? SDB_CONFLICT : SDB_OK);
  assert_int_equal(a->push, SDB_OK);
  assert_true(a->get == SDB_OK || (!here && a->get == SDB_NOT_FOUND));
  assert_int_equal(a->list, SDB_OK);
  assert_int_equal(a->unsynced, SDB_OK);
  assert_int_equal(a->export, SDB_OK);
  assert_int_equal(a->token, SDB_OK);
  assert_int_equal(a->older, SDB_NOT_FOUND);
  assert_true(a->retry == SDB_CONFLICT || (!here && a->retry == SDB_NOT_FOUND));
  assert_int_equal(a->discard, SDB_NOT_FOUND);
}

static void everything_but_close_and_wait_may_be_called_inside_a_watch(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  answerer a = {.d = d};
  assert_int_equal(sdb_client_watch(d->client, NULL, answer, &a, NULL, NULL), SDB_OK);
  push_message(d, "question");
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "answer"));
  assert_answers(&a, true);
  wait_delivered(d);
  assert_int_equal(server_count(f), 2);
  close_device(d);
}

static void push_once(void *context, sdb_client *client, const sdb_client_status *status) {
  device *d = context;
  note_status(context, client, status);
  if (status->phase != SDB_CLIENT_LIVE || status->pending > 0 || d->asked_token++ > 0) return;
  push_message(d, "hello");
}

static void a_status_callback_may_push(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  device d = {.f = f, .messages = f->messages};
  sdb_store *stores[] = {f->messages};
  pthread_mutex_init(&d.lock, NULL);
  pthread_cond_init(&d.changed, NULL);
  options.stores = stores;
  options.stores_count = 1;
  options.status = push_once;
  options.status_context = &d;
  options.start_offline = true;
  assert_int_equal(sdb_client_open(&options, &d.client, NULL), SDB_OK);
  assert_int_equal(sdb_client_watch(d.client, NULL, note_changes, &d, NULL, NULL), SDB_OK);
  sdb_client_go_online(d.client);
  AWAIT(&d, told(&d, SDB_RECORD_SYNCED, "hello"));
  sdb_client_close(d.client);
  free(d.list);
}

static void the_status_is_told_after_the_changes_that_it_counts(void **state) {
  fixture *f = *state;
  device *a = live_device(f), *b = live_device(f);
  uint64_t before = status_of(b).events_received;
  push_message(a, "x");
  AWAIT(b, b->status.events_received == before + 1);
  pthread_mutex_lock(&b->lock);
  assert_non_null(told(b, SDB_RECORD_SYNCED, "x"));
  pthread_mutex_unlock(&b->lock);
  close_device(a);
  close_device(b);
}

/* ---- ends of watches ---- */

typedef struct ender {
  device *d;
  sdb_watch *self, *other;
  atomic_int calls;
} ender;

static void end_self(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)changes;
  ender *e = context;
  atomic_fetch_add(&e->calls, 1);
  sdb_client_unwatch(client, e->other);
  e->other = NULL;
  sdb_client_unwatch(client, e->self);
  tell(e->d);
}

static void a_watch_may_end_itself_and_another(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  counter other = {.d = d}, last = {.d = d};
  ender e = {.d = d};
  assert_int_equal(sdb_client_watch(d->client, NULL, end_self, &e, &e.self, NULL), SDB_OK);
  assert_int_equal(
      sdb_client_watch(d->client, NULL, count_changes, &other, &e.other, NULL), SDB_OK);
  assert_int_equal(sdb_client_watch(d->client, NULL, count_changes, &last, NULL, NULL), SDB_OK);
  push_message(d, "x");
  AWAIT(d, atomic_load(&last.changes) >= 2);
  assert_int_equal(atomic_load(&e.calls), 1);
  assert_int_equal(atomic_load(&other.calls), 0);
  close_device(d);
}

typedef struct gate {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool entered, open, left;
  sdb_client *client;
  sdb_watch *watch;
  atomic_int calls;
} gate;

static void pass_gate(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client, (void)changes;
  gate *g = context;
  atomic_fetch_add(&g->calls, 1);
  pthread_mutex_lock(&g->lock);
  g->entered = true;
  pthread_cond_broadcast(&g->changed);
  while (!g->open)
    pthread_cond_wait(&g->changed, &g->lock);
  g->left = true;
  pthread_mutex_unlock(&g->lock);
}

static void *end_watch(void *context) {
  gate *g = context;
  sdb_client_unwatch(g->client, g->watch);
  pthread_mutex_lock(&g->lock);
  bool left = g->left;
  pthread_mutex_unlock(&g->lock);
  return left ? g : NULL;
}

static void a_watch_that_runs_is_waited_for(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  gate g = {.client = d->client};
  pthread_mutex_init(&g.lock, NULL);
  pthread_cond_init(&g.changed, NULL);
  assert_int_equal(sdb_client_watch(d->client, NULL, pass_gate, &g, &g.watch, NULL), SDB_OK);
  push_message(d, "x");
  pthread_mutex_lock(&g.lock);
  while (!g.entered)
    pthread_cond_wait(&g.changed, &g.lock);
  pthread_mutex_unlock(&g.lock);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, end_watch, &g), 0);
  pthread_mutex_lock(&g.lock);
  g.open = true;
  pthread_cond_broadcast(&g.changed);
  pthread_mutex_unlock(&g.lock);
  void *waited = NULL;
  pthread_join(thread, &waited);
  assert_non_null(waited);
  int calls = atomic_load(&g.calls);
  push_message(d, "y");
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "\"y\""));
  assert_int_equal(atomic_load(&g.calls), calls);
  close_device(d);
}

/* Each has a counter on its stack, which a call after the end would write to. */
static void *watch_and_unwatch(void *context) {
  device *d = context;
  for (int i = 0; i < 200; i++) {
    counter c = {.d = d};
    sdb_watch *watch = NULL;
    if (sdb_client_watch(d->client, NULL, count_changes, &c, &watch, NULL) != SDB_OK) abort();
    if (i % 4 == 0) push_message(d, "x");
    sdb_client_unwatch(d->client, watch);
    int calls = atomic_load(&c.calls);
    if (i % 4 == 0) sched_yield();
    if (calls != atomic_load(&c.calls)) abort();
  }
  return NULL;
}

static void watches_come_and_go_while_changes_come(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, watch_and_unwatch, d), 0);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  wait_delivered(d);
  assert_int_equal(count_of(d), 200);
  close_device(d);
}

/* ---- dispatch ---- */

static device *dispatching_device(fixture *f, bool offline) {
  sdb_client_options options = device_options(f);
  options.dispatch = true;
  options.start_offline = offline;
  return open_device(f, options);
}

static bool is_readable(device *d, int timeout_ms) {
  struct pollfd waited = {.fd = sdb_client_fd(d->client), .events = POLLIN};
  return poll(&waited, 1, timeout_ms) == 1;
}

/* Dispatches until that was told, as an event loop would. */
static void dispatch_until(device *d, sdb_record_state state, const char *part) {
  while (!told(d, state, part)) {
    if (!is_readable(d, WAIT_MAX_MS)) fail_msg("nothing to dispatch, and no %s", part);
    sdb_client_dispatch(d->client);
  }
}

static void without_dispatch_there_is_no_descriptor(void **state) {
  device *d = live_device(*state);
  assert_int_equal(sdb_client_fd(d->client), -1);
  sdb_client_dispatch(d->client);
  close_device(d);
}

static void with_dispatch_nothing_is_told_before_it_is_asked_for(void **state) {
  fixture *f = *state;
  device *d = dispatching_device(f, false);
  wait_synced(d);
  push_message(d, "x");
  wait_delivered(d);
  assert_int_equal(d->count, 0);
  assert_int_equal(d->status_calls, 0);
  assert_true(is_readable(d, 0));
  sdb_client_dispatch(d->client);
  assert_non_null(told(d, SDB_RECORD_SYNCED, "x"));
  assert_int_equal(d->status_calls, 1);
  assert_int_equal(d->status.phase, SDB_CLIENT_LIVE);
  while (is_readable(d, 0)) /* something may still have come */
    sdb_client_dispatch(d->client);
  server_push(f, f->messages, "{\"role\":\"user\",\"content\":\"later\"}");
  dispatch_until(d, SDB_RECORD_SYNCED, "later");
  close_device(d);
}

static void calls_inside_a_dispatched_watch_are_answered(void **state) {
  fixture *f = *state;
  device *d = dispatching_device(f, false);
  wait_synced(d);
  answerer a = {.d = d};
  assert_int_equal(sdb_client_watch(d->client, NULL, answer, &a, NULL, NULL), SDB_OK);
  push_message(d, "question");
  dispatch_until(d, SDB_RECORD_SYNCED, "answer");
  assert_answers(&a, false);
  close_device(d);
}

static void dispatch_again(void *context, sdb_client *client, const sdb_client_changes *changes) {
  sdb_client_dispatch(client);
  count_changes(context, client, changes);
}

typedef struct crossing {
  device *d;
  sdb_watch *watch;
  atomic_bool asked, ended;
  sdb_status pushed;
} crossing;

static void end_watch_inside(void *context, sdb_client *client, bool refused) {
  (void)refused;
  crossing *c = context;
  atomic_store(&c->asked, true);
  sdb_client_unwatch(client, c->watch);
  atomic_store(&c->ended, true);
  tell(c->d);
}

static void push_when_asked(void *context, sdb_client *client, const sdb_client_changes *changes) {
  crossing *c = context;
  sdb_client_go_online(client);
  while (!atomic_load(&c->asked))
    sched_yield();
  sdb_slice object = sdb_slice_of("{\"role\":\"user\",\"content\":\"crossing\"}");
  c->pushed = sdb_client_push(client, changes->store, object, NULL, NULL);
}

static void a_watch_is_ended_on_the_clients_thread_while_it_waits_for_that(void **state) {
  fixture *f = *state;
  crossing c = {.pushed = SDB_CLOSED};
  device d = {.f = f, .messages = f->messages};
  pthread_mutex_init(&d.lock, NULL);
  pthread_cond_init(&d.changed, NULL);
  c.d = &d;
  sdb_client_options options = device_options(f);
  sdb_store *stores[] = {f->messages};
  options.stores = stores;
  options.stores_count = 1;
  options.dispatch = options.start_offline = true;
  options.token = end_watch_inside;
  options.token_context = &c;
  assert_int_equal(sdb_client_open(&options, &d.client, NULL), SDB_OK);
  assert_int_equal(sdb_client_watch(d.client, NULL, push_when_asked, &c, &c.watch, NULL), SDB_OK);
  push_message(&d, "x");
  sdb_client_dispatch(d.client);
  assert_int_equal(c.pushed, SDB_OK);
  AWAIT(&d, atomic_load(&c.ended));
  sdb_client_close(d.client);
}

static void a_dispatch_inside_another_does_nothing(void **state) {
  fixture *f = *state;
  device *d = dispatching_device(f, true);
  counter c = {.d = d};
  assert_int_equal(sdb_client_watch(d->client, NULL, dispatch_again, &c, NULL, NULL), SDB_OK);
  push_message(d, "x");
  sdb_client_dispatch(d->client);
  assert_int_equal(atomic_load(&c.calls), 1);
  close_device(d);
}

/* ---- closing while another thread dispatches ---- */

typedef struct closing {
  device *d;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool entered, closed, closed_early;
} closing;

static void set(closing *c, bool *what) {
  pthread_mutex_lock(&c->lock);
  *what = true;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
}

/* Pushes until the client closes, and then gives a close that does not wait the time to end. */
static void stay_over_close(void *context, sdb_client *client, const sdb_client_changes *changes) {
  closing *c = context;
  struct timespec until;
  set(c, &c->entered);
  while (sdb_client_push(client, changes->store, sdb_slice_of("{}"), NULL, NULL) != SDB_CLOSED)
    sched_yield();
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 50 * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&c->lock);
  for (int timed_out = 0; !c->closed && timed_out != ETIMEDOUT;)
    timed_out = pthread_cond_timedwait(&c->changed, &c->lock, &until);
  c->closed_early = c->closed;
  pthread_mutex_unlock(&c->lock);
  if (c->closed_early) pthread_exit(NULL); /* there is nothing to return into */
}

static void *dispatch_once(void *context) {
  closing *c = context;
  sdb_client_dispatch(c->d->client);
  return NULL;
}

static void closing_waits_for_a_dispatch_that_runs(void **state) {
  fixture *f = *state;
  device *d = dispatching_device(f, true);
  closing c = {.d = d};
  pthread_t thread;
  pthread_mutex_init(&c.lock, NULL);
  pthread_cond_init(&c.changed, NULL);
  assert_int_equal(sdb_client_watch(d->client, NULL, stay_over_close, &c, NULL, NULL), SDB_OK);
  push_message(d, "x");
  assert_int_equal(pthread_create(&thread, NULL, dispatch_once, &c), 0);
  pthread_mutex_lock(&c.lock);
  while (!c.entered)
    pthread_cond_wait(&c.changed, &c.lock);
  pthread_mutex_unlock(&c.lock);
  sdb_client_close(d->client);
  set(&c, &c.closed);
  pthread_join(thread, NULL);
  assert_false(c.closed_early);
  d->client = NULL;
  close_device(d);
}

/* ---- a status that changes at the wrong moment ---- */

/* What is done once, between a delivery's look at the status and its taking of what waits: the
 * linker puts this in between (test/CMakeLists.txt). */
static void (*_Atomic in_between)(device *d); /* other tests' threads come by too */
static device *in_between_of;

void __real_sdb_feed_call(sdb_feed *feed, sdb_client *client);
void __wrap_sdb_feed_call(sdb_feed *feed, sdb_client *client);
void __wrap_sdb_feed_call(sdb_feed *feed, sdb_client *client) {
  void (*now)(device *) = atomic_exchange(&in_between, NULL);
  if (now) now(in_between_of);
  __real_sdb_feed_call(feed, client);
}

static void push_hello(device *d) {
  push_message(d, "hello");
}

static void a_status_that_changes_while_changes_are_taken_is_told(void **state) {
  device *d = dispatching_device(*state, true);
  sdb_client_dispatch(d->client);
  assert_false(is_readable(d, 0));
  in_between_of = d;
  in_between = push_hello;
  sdb_client_dispatch(d->client);
  assert_non_null(told(d, SDB_RECORD_PENDING, "hello"));
  assert_int_equal(d->status.pending, 0);
  assert_true(is_readable(d, 0));
  sdb_client_dispatch(d->client);
  assert_int_equal(d->status.pending, 1);
  assert_false(is_readable(d, 0));
  close_device(d);
}

static void a_watch_is_told_nothing_from_before_it(void **state) {
  fixture *f = *state;
  device *d = dispatching_device(f, true);
  push_message(d, "before");
  counter late = {.d = d};
  assert_int_equal(sdb_client_watch(d->client, NULL, count_changes, &late, NULL, NULL), SDB_OK);
  push_message(d, "after");
  sdb_client_dispatch(d->client);
  assert_int_equal(d->count, 2);
  assert_int_equal(atomic_load(&late.changes), 1);
  close_device(d);
}

static void who_does_not_dispatch_for_long_is_told_to_list_anew(void **state) {
  fixture *f = *state;
  device *d = dispatching_device(f, true);
  size_t size = 200 * 1024;
  char *object = malloc(size + 64);
  int head = snprintf(object, 64, "{\"role\":\"user\",\"content\":\"");
  memset(object + head, 'x', size);
  memcpy(object + head + size, "\"}", 3);
  for (int i = 0; i < 50; i++)
    push(d, f->messages, object);
  free(object);
  push(d, f->account, "{\"name\":\"Ada\"}");
  sdb_client_dispatch(d->client);
  assert_int_equal(d->count, 2);
  assert_int_equal(d->list[0].kind, SDB_CHANGE_RESET);
  assert_ptr_equal(d->list[0].store, f->messages);
  assert_int_equal(d->list[1].kind, SDB_CHANGE_PUT);
  assert_int_equal(count_of(d), 50);
  push_message(d, "small");
  sdb_client_dispatch(d->client);
  assert_non_null(told(d, SDB_RECORD_PENDING, "small"));
  close_device(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(a_watch_of_one_store_is_told_of_no_other),
      ON_A_SERVER(everything_but_close_and_wait_may_be_called_inside_a_watch),
      ON_A_SERVER(a_status_callback_may_push),
      ON_A_SERVER(the_status_is_told_after_the_changes_that_it_counts),
      ON_A_SERVER(a_watch_may_end_itself_and_another),
      ON_A_SERVER(a_watch_that_runs_is_waited_for),
      ON_A_SERVER(watches_come_and_go_while_changes_come),
      ON_A_SERVER(without_dispatch_there_is_no_descriptor),
      ON_A_SERVER(with_dispatch_nothing_is_told_before_it_is_asked_for),
      ON_A_SERVER(calls_inside_a_dispatched_watch_are_answered),
      ON_A_SERVER(a_watch_is_ended_on_the_clients_thread_while_it_waits_for_that),
      ON_A_SERVER(a_dispatch_inside_another_does_nothing),
      ON_A_SERVER(closing_waits_for_a_dispatch_that_runs),
      ON_A_SERVER(a_status_that_changes_while_changes_are_taken_is_told),
      ON_A_SERVER(a_watch_is_told_nothing_from_before_it),
      ON_A_SERVER(who_does_not_dispatch_for_long_is_told_to_list_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
