/* test/unit/server_events_test.c: what the application's code on events may count on, with devices
 * over real sockets.
 */
#include "server_device.h"
#include <pthread.h>
#include <stdatomic.h>
#include <syncdb/syncdb.h>

static void push_note(device *d, const char *text, int number) {
  char message[512];
  snprintf(message, sizeof(message),
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"%s\"},"
      "\"clientId\":\"00000000-0000-4000-8000-%012d\"}}",
      text, number);
  send_text(d, message);
}

/* ---- a database with one store ---- */

typedef struct fixture {
  char folder[64];
  sdb_store *note;
  sdb_database *database;
  uint16_t port;
  /* what subscribers saw */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int events, in_order, running, running_most;
  char last_object[256], last_previous[256];
  sdb_action last_action;
  sdb_context *kept;
  bool hold; /* subscribers of the user `slow` wait until it is false */
} fixture;

static int setup(void **state) {
  static const sdb_field FIELDS[] = {{.name = "text", .type = SDB_TYPE_STRING}, {.name = NULL}};
  fixture *f = calloc(1, sizeof(*f));
  snprintf(f->folder, sizeof(f->folder), "/tmp/syncdb-events-test-XXXXXX");
  if (!mkdtemp(f->folder)) return -1;
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->changed, NULL);
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "note";
  definition.fields = FIELDS;
  if (sdb_store_create(&definition, &f->note, NULL) != SDB_OK) return -1;
  char url[128];
  snprintf(url, sizeof(url), "sqlite://%s/db.sqlite", f->folder);
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  options.url = url;
  options.stores = &f->note;
  options.stores_count = 1;
  options.workers = 2;
  options.server.dev_auth = true;
  if (sdb_database_open(&options, &f->database, NULL) != SDB_OK) return -1;
  if (sdb_listen(f->database, "127.0.0.1", 0, &f->port, NULL) != SDB_OK) return -1;
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  sdb_database_close(f->database);
  sdb_store_destroy(f->note);
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->changed);
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
  int code = system(command);
  free(f);
  return code;
}

static void subscribe(fixture *f, sdb_subscriber_fn subscriber) {
  assert_int_equal(sdb_subscribe(f->database, f->note, subscriber, f, NULL), SDB_OK);
}

static void wait_for_events(fixture *f, int events) {
  pthread_mutex_lock(&f->lock);
  while (f->events < events)
    pthread_cond_wait(&f->changed, &f->lock);
  pthread_mutex_unlock(&f->lock);
}

static void count_event(fixture *f) {
  f->events++;
  pthread_cond_broadcast(&f->changed);
}

/* ---- tests ---- */

static void note_event(const sdb_event *event, sdb_context *context, void *argument) {
  (void)context;
  fixture *f = argument;
  char expected[64];
  pthread_mutex_lock(&f->lock);
  snprintf(expected, sizeof(expected), "\"text\":\"%d\"", f->events);
  snprintf(
      f->last_object, sizeof(f->last_object), "%.*s", (int)event->object.size, event->object.data);
  snprintf(f->last_previous, sizeof(f->last_previous), "%.*s", (int)event->previous.size,
      event->previous.size ? event->previous.data : "");
  f->last_action = event->action;
  if (strstr(f->last_object, expected)) f->in_order++;
  count_event(f);
  pthread_mutex_unlock(&f->lock);
}

static void events_of_a_user_come_in_order(void **state) {
  fixture *f = *state;
  subscribe(f, note_event);
  device *d = connect_device(f->port, "ada");
  for (int i = 0; i < 200; i++) {
    char text[16];
    snprintf(text, sizeof(text), "%d", i);
    push_note(d, text, i);
  }
  wait_for_events(f, 200);
  assert_int_equal(f->in_order, 200);
  disconnect(d);
}

static void an_event_tells_what_was_replaced_and_what_was_removed(void **state) {
  fixture *f = *state;
  subscribe(f, note_event);
  device *d = connect_device(f->port, "ada");
  push_note(d, "one", 1);
  char id[64] = {0}, message[256];
  const char *at = strstr(receive_with(d, "\"update\""), "\"id\":\"");
  assert_non_null(at);
  memcpy(id, at + 6, 36);
  snprintf(message, sizeof(message),
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"%s\",\"object\":{\"text\":"
      "\"two\"}}}",
      id);
  send_text(d, message);
  wait_for_events(f, 2);
  assert_int_equal(f->last_action, SDB_ACTION_UPDATE);
  assert_non_null(strstr(f->last_object, "two"));
  assert_non_null(strstr(f->last_previous, "one"));
  snprintf(message, sizeof(message), "{\"type\":\"remove\",\"data\":{\"id\":\"%s\"}}", id);
  send_text(d, message);
  wait_for_events(f, 3);
  assert_int_equal(f->last_action, SDB_ACTION_DELETE);
  assert_non_null(strstr(f->last_object, "two"));
  disconnect(d);
}

static void answer(const sdb_event *event, sdb_context *context, void *argument) {
  fixture *f = argument;
  sdb_status status =
      sdb_push(context, event->store, sdb_slice_of("{\"text\":\"an answer\"}"), NULL, NULL);
  pthread_mutex_lock(&f->lock);
  f->in_order += status == SDB_OK;
  count_event(f);
  pthread_mutex_unlock(&f->lock);
}

static void an_answer_is_not_answered(void **state) {
  fixture *f = *state;
  subscribe(f, answer);
  device *d = connect_device(f->port, "ada");
  push_note(d, "a question", 1);
  receive_with(d, "an answer");
  push_note(d, "another", 2);
  receive_with(d, "an answer");
  wait_for_events(f, 2);
  push_note(d, "the last", 3); /* were answers answered, more than three events would have come */
  wait_for_events(f, 3);
  receive_with(d, "an answer");
  sdb_database_close(f->database);
  f->database = NULL;
  assert_int_equal(f->events, 3);
  assert_int_equal(f->in_order, 3);
  disconnect(d);
}

static void keep_context(const sdb_event *event, sdb_context *context, void *argument) {
  (void)event;
  fixture *f = argument;
  pthread_mutex_lock(&f->lock);
  f->kept = sdb_context_retain(context);
  count_event(f);
  pthread_mutex_unlock(&f->lock);
}

static void a_context_that_is_kept_goes_on_on_another_thread(void **state) {
  fixture *f = *state;
  subscribe(f, keep_context);
  device *d = connect_device(f->port, "ada");
  push_note(d, "a question", 1);
  wait_for_events(f, 1);
  assert_string_equal(sdb_context_user(f->kept), "ada");
  sdb_partial *partial = NULL;
  assert_int_equal(
      sdb_partial_begin(f->kept, f->note, sdb_slice_of("{\"text\":\"\"}"), &partial, NULL), SDB_OK);
  receive_with(d, "\"partial\"");
  assert_int_equal(sdb_partial_append(partial, "text", sdb_slice_of("late")), SDB_OK);
  receive_with(d, "\"append\":{\"text\":\"late\"}");
  assert_int_equal(sdb_partial_commit(partial, NULL, NULL), SDB_OK);
  receive_with(d, "\"text\":\"late\"");
  sdb_context_release(f->kept);
  disconnect(d);
}

static void begin_and_forget(const sdb_event *event, sdb_context *context, void *argument) {
  (void)argument;
  sdb_partial *partial = NULL;
  if (sdb_partial_begin(
          context, event->store, sdb_slice_of("{\"text\":\"half an\"}"), &partial, NULL) != SDB_OK)
    abort();
}

static void a_partial_that_is_forgotten_is_taken_back_from_the_devices(void **state) {
  fixture *f = *state;
  subscribe(f, begin_and_forget);
  device *d = connect_device(f->port, "ada");
  push_note(d, "a question", 1);
  receive_with(d, "half an");
  const char *remove = receive_with(d, "\"remove\"");
  assert_null(strstr(remove, "eventId"));
  disconnect(d);
}

/* The user `slow` is held; everybody else is handled. */
static void hold_slow(const sdb_event *event, sdb_context *context, void *argument) {
  (void)context;
  fixture *f = argument;
  pthread_mutex_lock(&f->lock);
  if (++f->running > f->running_most) f->running_most = f->running;
  pthread_cond_broadcast(&f->changed);
  while (f->hold && strcmp(event->user, "slow") == 0)
    pthread_cond_wait(&f->changed, &f->lock);
  f->running--;
  count_event(f);
  pthread_mutex_unlock(&f->lock);
}

static void a_subscriber_that_blocks_holds_up_one_user_only(void **state) {
  fixture *f = *state;
  f->hold = true;
  subscribe(f, hold_slow);
  device *slow = connect_device(f->port, "slow"), *ada = connect_device(f->port, "ada");
  for (int i = 0; i < 20; i++)
    push_note(slow, "x", i);
  for (int i = 0; i < 20; i++)
    push_note(ada, "x", i);
  wait_for_events(f, 20); /* ada's */
  pthread_mutex_lock(&f->lock);
  while (f->running < 1) /* slow's messages may have been read last */
    pthread_cond_wait(&f->changed, &f->lock);
  int running = f->running;
  f->hold = false;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
  assert_int_equal(running, 1); /* only one of slow's was ever begun */
  wait_for_events(f, 40);
  assert_true(f->running_most <= 2);
  disconnect(slow);
  disconnect(ada);
}

static void pushes_are_refused_while_the_application_is_far_behind(void **state) {
  fixture *f = *state;
  f->hold = true;
  subscribe(f, hold_slow);
  device *slow = connect_device(f->port, "slow");
  int refused = 0, number = 0;
  while (refused == 0 && number < 100000) { /* a lane holds 4,096 */
    for (int i = 0; i < 100; i++)
      push_note(slow, "x", number++);
    for (int i = 0; i < 100; i++)
      refused += strstr(receive(slow), "\"rate_limited\"") != NULL;
  }
  assert_true(refused > 0);
  pthread_mutex_lock(&f->lock);
  f->hold = false;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
  wait_for_events(f, number - refused); /* nothing that was acknowledged is dropped */
  disconnect(slow);
}

static void closing_waits_for_the_subscriber_that_runs(void **state) {
  fixture *f = *state;
  subscribe(f, answer);
  device *d = connect_device(f->port, "ada");
  push_note(d, "a question", 1);
  receive_with(d, "a question");
  sdb_database_close(f->database); /* the answer was given, or its event was dropped: never half */
  f->database = NULL;
  assert_int_equal(f->in_order, f->events);
  disconnect(d);
}

#define ON_A_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_DATABASE(events_of_a_user_come_in_order),
      ON_A_DATABASE(an_event_tells_what_was_replaced_and_what_was_removed),
      ON_A_DATABASE(an_answer_is_not_answered),
      ON_A_DATABASE(a_context_that_is_kept_goes_on_on_another_thread),
      ON_A_DATABASE(a_partial_that_is_forgotten_is_taken_back_from_the_devices),
      ON_A_DATABASE(a_subscriber_that_blocks_holds_up_one_user_only),
      ON_A_DATABASE(pushes_are_refused_while_the_application_is_far_behind),
      ON_A_DATABASE(closing_waits_for_the_subscriber_that_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
