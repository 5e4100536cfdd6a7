/* test/unit/client_test.c: what an application sees of its objects on a device: pushes, events,
 * partials, refusals, windows, opening and closing. Watches and files have tests of their own. */
#include "client/state.h"
#include "client_fixture.h"
#include <sched.h>

/* ---- pushes and events ---- */

static void a_push_is_shown_at_once_and_again_as_the_server_has_it(void **state) {
  device *d = live_device(*state);
  sdb_uuid client_id = push_message(d, "hi");
  assert_false(sdb_uuid_is_nil(client_id));
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "\"content\":\"hi\""));
  const news *pending = told(d, SDB_RECORD_PENDING, "\"content\":\"hi\"");
  const news *synced = told(d, SDB_RECORD_SYNCED, "\"content\":\"hi\"");
  assert_non_null(pending);
  assert_true(sdb_uuid_is_nil(pending->id));
  assert_true(sdb_uuid_equal(pending->client_id, client_id));
  assert_true(sdb_uuid_equal(synced->client_id, client_id));
  assert_false(sdb_uuid_is_nil(synced->id));
  assert_non_null(strstr(synced->object, "$createdAt"));
  wait_delivered(d);
  assert_int_equal(server_count(*state), 1);
  close_device(d);
}

static void two_devices_keep_in_step(void **state) {
  fixture *f = *state;
  device *a = live_device(f), *b = live_device(f);
  push_message(a, "one");
  AWAIT(b, told(b, SDB_RECORD_SYNCED, "one"));
  sdb_uuid id = told(b, SDB_RECORD_SYNCED, "one")->id;
  sdb_slice two = sdb_slice_of("{\"role\":\"user\",\"content\":\"two\"}");
  assert_int_equal(sdb_client_update(b->client, f->messages, id, two, NULL, NULL), SDB_OK);
  AWAIT(a, told(a, SDB_RECORD_SYNCED, "two"));
  assert_true(sdb_uuid_equal(told(a, SDB_RECORD_SYNCED, "two")->id, id));
  assert_int_equal(sdb_client_remove(a->client, f->messages, id, NULL, NULL), SDB_OK);
  AWAIT(b, told_removed(b, id, NIL));
  assert_int_equal(count_of(b), 0);
  close_device(a);
  close_device(b);
}

static void a_singular_store_holds_the_last_object(void **state) {
  fixture *f = *state;
  device *a = live_device(f), *b = live_device(f);
  push(a, f->account, "{\"name\":\"Ada\"}");
  AWAIT(b, told(b, SDB_RECORD_SYNCED, "Ada"));
  push(b, f->account, "{\"name\":\"Lovelace\"}");
  AWAIT(a, told(a, SDB_RECORD_SYNCED, "Lovelace"));
  sdb_client_records *records = NULL;
  assert_int_equal(sdb_client_singular(a->client, f->account, &records, NULL), SDB_OK);
  assert_int_equal(records->count, 1);
  assert_true(holds(records->records[0].object, "Lovelace"));
  sdb_client_records_free(records);
  assert_int_equal(sdb_client_remove(b->client, f->account, NIL, NULL, NULL), SDB_OK);
  wait_delivered(b);
  assert_int_equal(sdb_client_singular(b->client, f->account, &records, NULL), SDB_NOT_FOUND);
  close_device(a);
  close_device(b);
}

static void a_record_is_got_by_its_id_and_by_its_client_id(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.start_offline = true;
  device *d = open_device(f, options);
  sdb_uuid client_id = push_message(d, "mine");
  sdb_client_records *records = NULL;
  assert_int_equal(sdb_client_get(d->client, f->messages, client_id, &records, NULL), SDB_OK);
  assert_int_equal(records->count, 1);
  assert_int_equal(records->records[0].state, SDB_RECORD_PENDING);
  sdb_client_records_free(records);
  sdb_client_go_online(d->client);
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "mine"));
  sdb_uuid id = told(d, SDB_RECORD_SYNCED, "mine")->id;
  assert_int_equal(sdb_client_get(d->client, f->messages, id, &records, NULL), SDB_OK);
  assert_int_equal(records->records[0].state, SDB_RECORD_SYNCED);
  sdb_client_records_free(records);
  sdb_uuid other = id;
  other.bytes[15] ^= 1;
  sdb_error error;
  assert_int_equal(sdb_client_get(d->client, f->messages, other, &records, &error), SDB_NOT_FOUND);
  assert_true(error.message[0]);
  close_device(d);
}

static void lists_are_newest_first_and_paged(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  for (int i = 0; i < 5; i++) {
    char content[16];
    snprintf(content, sizeof(content), "n%d", i);
    push_message(d, content);
  }
  wait_delivered(d);
  sdb_client_records *page = NULL;
  assert_int_equal(sdb_client_list(d->client, f->messages, NIL, 2, &page, NULL), SDB_OK);
  assert_int_equal(page->count, 2);
  assert_true(holds(page->records[0].object, "n4"));
  sdb_uuid before = page->records[1].id;
  sdb_client_records_free(page);
  assert_int_equal(sdb_client_list(d->client, f->messages, before, 1000, &page, NULL), SDB_OK);
  assert_int_equal(page->count, 3);
  assert_true(holds(page->records[0].object, "n2"));
  sdb_client_records_free(page);
  close_device(d);
}

static void a_partial_grows_until_it_is_synced(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  sdb_context *ada = context_of(f, "ada");
  sdb_partial *partial = NULL;
  sdb_slice begin = sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}");
  assert_int_equal(sdb_partial_begin(ada, f->messages, begin, &partial, NULL), SDB_OK);
  assert_int_equal(sdb_partial_append(partial, "content", sdb_slice_of("Hello")), SDB_OK);
  AWAIT(d, told(d, SDB_RECORD_PARTIAL, "\"Hello\""));
  assert_int_equal(sdb_partial_append(partial, "content", sdb_slice_of(", Ada")), SDB_OK);
  AWAIT(d, told(d, SDB_RECORD_PARTIAL, "\"Hello, Ada\""));
  sdb_uuid id = sdb_partial_id(partial);
  assert_int_equal(sdb_partial_commit(partial, NULL, NULL), SDB_OK);
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "\"Hello, Ada\""));
  assert_true(sdb_uuid_equal(told(d, SDB_RECORD_SYNCED, "Hello, Ada")->id, id));
  sdb_context_release(ada);
  close_device(d);
}

static void pushes_made_offline_are_shown_and_delivered_later(void **state) {
  fixture *f = *state;
  device *d = live_device(f), *other = live_device(f);
  sdb_client_go_offline(d->client);
  assert_int_equal(status_of(d).phase, SDB_CLIENT_OFFLINE);
  assert_true(status_of(d).offline_since_ms > 0);
  sdb_uuid first = push_message(d, "first");
  push_message(d, "second");
  sdb_slice changed = sdb_slice_of("{\"role\":\"user\",\"content\":\"changed\"}");
  assert_int_equal(sdb_client_update(d->client, f->messages, first, changed, NULL, NULL), SDB_OK);
  assert_int_equal(status_of(d).pending, 2);
  assert_int_equal(count_of(d), 2);
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_DELIVERED, 0), SDB_UNAVAILABLE);
  sdb_client_go_online(d->client);
  wait_delivered(d);
  AWAIT(other, told(other, SDB_RECORD_SYNCED, "changed"));
  AWAIT(other, told(other, SDB_RECORD_SYNCED, "second"));
  assert_int_equal(server_count(f), 2);
  close_device(d);
  close_device(other);
}

static void a_create_that_was_never_sent_is_taken_back(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.start_offline = true;
  device *d = open_device(f, options);
  sdb_uuid client_id = push_message(d, "never"), removed = client_id;
  assert_int_equal(sdb_client_remove(d->client, f->messages, client_id, &removed, NULL), SDB_OK);
  assert_true(sdb_uuid_is_nil(removed));
  AWAIT(d, told_removed(d, NIL, client_id));
  assert_int_equal(status_of(d).pending, 0);
  close_device(d);
}

/* ---- refusals ---- */

static void what_the_rules_and_the_schema_refuse_is_not_sent(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  push_message(d, "there");
  wait_delivered(d);
  sdb_error error;
  sdb_slice assistant = sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}");
  assert_int_equal(sdb_client_push(d->client, f->messages, assistant, NULL, &error), SDB_REJECTED);
  assert_string_equal(error.message, "Only user messages can be created!");
  sdb_slice number = sdb_slice_of("{\"role\":\"user\",\"content\":1}");
  assert_int_equal(
      sdb_client_push(d->client, f->messages, number, NULL, &error), SDB_INVALID_OBJECT);
  assert_string_equal(error.path, "/content");
  assert_int_equal(
      sdb_client_push(d->client, f->messages, sdb_slice_of("{"), NULL, &error), SDB_BAD_JSON);
  sdb_slice user = sdb_slice_of("{\"role\":\"user\",\"content\":\"\"}");
  assert_int_equal(
      sdb_client_push(d->client, f->lax_messages, user, NULL, &error), SDB_UNKNOWN_STORE);
  sdb_uuid nobody = {{1}};
  assert_int_equal(
      sdb_client_update(d->client, f->messages, nobody, user, NULL, &error), SDB_NOT_FOUND);
  sdb_slice name = sdb_slice_of("{\"name\":\"\"}");
  assert_int_equal(
      sdb_client_update(d->client, f->account, nobody, name, NULL, &error), SDB_INVALID_ARGUMENT);
  assert_int_equal(count_of(d), 1);
  assert_int_equal(status_of(d).pending, 0);
  close_device(d);
}

/* A device whose store has no rule, so that the server is the one that refuses. */
static device *lax_device(fixture *f, const char *path, bool offline) {
  sdb_store *stores[] = {f->lax_messages, f->account};
  sdb_client_options options = device_options(f);
  options.stores = stores;
  options.stores_count = 2;
  options.path = path;
  options.start_offline = offline;
  return open_device(f, options);
}

static void a_push_that_the_server_refuses_has_failed_until_it_is_discarded(void **state) {
  fixture *f = *state;
  device *d = lax_device(f, NULL, false);
  wait_synced(d);
  sdb_uuid client_id = push(d, d->messages, "{\"role\":\"assistant\",\"content\":\"no\"}");
  wait_delivered(d);
  AWAIT(d, told(d, SDB_RECORD_FAILED, "\"no\""));
  assert_int_equal(told(d, SDB_RECORD_FAILED, "\"no\"")->error, SDB_REJECTED);
  assert_string_equal(
      told(d, SDB_RECORD_FAILED, "\"no\"")->message, "Only user messages can be created!");
  assert_int_equal(status_of(d).failed, 1);
  sdb_client_records *records = list(d, d->messages);
  assert_int_equal(records->count, 1);
  assert_int_equal(records->records[0].state, SDB_RECORD_FAILED);
  assert_string_equal(records->records[0].error->message, "Only user messages can be created!");
  sdb_client_records_free(records);
  assert_int_equal(sdb_client_discard(d->client, client_id), SDB_OK);
  AWAIT(d, told_removed(d, NIL, client_id));
  assert_int_equal(sdb_client_discard(d->client, client_id), SDB_NOT_FOUND);
  assert_int_equal(sdb_client_retry(d->client, client_id), SDB_NOT_FOUND);
  assert_int_equal(count_of(d), 0);
  close_device(d);
}

static void a_push_that_failed_is_sent_again_by_a_retry(void **state) {
  fixture *f = *state;
  device *d = lax_device(f, NULL, false);
  wait_synced(d);
  sdb_uuid client_id = push(d, d->messages, "{\"role\":\"assistant\",\"content\":\"again\"}");
  AWAIT(d, told(d, SDB_RECORD_FAILED, "again"));
  size_t before = d->count;
  assert_int_equal(sdb_client_retry(d->client, client_id), SDB_OK);
  AWAIT(d, d->count > before && d->list[d->count - 1].state == SDB_RECORD_FAILED);
  sdb_client_go_offline(d->client);
  assert_int_equal(sdb_client_retry(d->client, client_id), SDB_OK);
  assert_int_equal(sdb_client_retry(d->client, client_id), SDB_CONFLICT);
  assert_int_equal(status_of(d).pending, 1);
  close_device(d);
}

static void unsynced_pushes_are_listed_with_why_they_failed(void **state) {
  fixture *f = *state;
  device *d = lax_device(f, NULL, false);
  wait_synced(d);
  sdb_uuid failed = push(d, d->messages, "{\"role\":\"assistant\",\"content\":\"no\"}");
  AWAIT(d, told(d, SDB_RECORD_FAILED, "\"no\""));
  sdb_client_go_offline(d->client);
  sdb_uuid pending = push_message(d, "yes");
  sdb_unsynced_list *list = NULL;
  assert_int_equal(sdb_client_unsynced(d->client, &list, NULL), SDB_OK);
  assert_int_equal(list->count, 2);
  assert_true(sdb_uuid_equal(list->pushes[0].client_id, failed));
  assert_int_equal(list->pushes[0].action, SDB_ACTION_CREATE);
  assert_int_equal(list->pushes[0].error->status, SDB_REJECTED);
  assert_true(sdb_uuid_equal(list->pushes[1].client_id, pending));
  assert_ptr_equal(list->pushes[1].store, d->messages);
  assert_null(list->pushes[1].error);
  assert_true(holds(list->pushes[1].object, "yes"));
  assert_true(list->pushes[1].created_ms > 0);
  sdb_unsynced_free(list);
  close_device(d);
}

static void unsynced_pushes_are_exported_as_json(void **state) {
  fixture *f = *state;
  device *d = lax_device(f, NULL, false);
  wait_synced(d);
  push(d, d->messages, "{\"role\":\"assistant\",\"content\":\"\\\"quoted\\\"\"}");
  AWAIT(d, told(d, SDB_RECORD_FAILED, "quoted"));
  char *json = NULL;
  size_t size = 0;
  assert_int_equal(sdb_client_export_unsynced(d->client, &json, &size, NULL), SDB_OK);
  assert_int_equal(strlen(json), size);
  sdb_object *object = NULL;
  assert_int_equal(sdb_object_parse(sdb_slice_make(json, size), &object, NULL), SDB_OK);
  sdb_slice list = sdb_object_json(object, "unsynced");
  assert_true(holds(list, "\"store\":\"chatMessage\",\"action\":\"create\""));
  assert_true(holds(list, "\"object\":{\"role\":\"assistant\",\"content\":\"\\\"quoted\\\"\""));
  assert_true(holds(list, "\"error\":{\"code\":\"rejected\",\"message\":\"Only user messages"));
  assert_true(holds(list, "\"createdAt\":"));
  sdb_object_free(object);
  sdb_client_json_free(json);
  close_device(d);
}

static void so_many_unsynced_pushes_and_no_more(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.start_offline = true;
  options.pending_max = 3;
  device *d = open_device(f, options);
  for (int i = 0; i < 3; i++)
    push_message(d, "x");
  sdb_slice object = sdb_slice_of("{\"role\":\"user\",\"content\":\"x\"}");
  assert_int_equal(sdb_client_push(d->client, f->messages, object, NULL, NULL), SDB_LIMIT);
  close_device(d);
}

/* ---- windows ---- */

static void a_window_loads_the_newest_and_older_ones_when_asked(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 10; i++) {
    char object[64];
    snprintf(object, sizeof(object), "{\"role\":\"user\",\"content\":\"n%d\"}", i);
    server_push(f, f->messages, object);
  }
  sdb_client_window window = {f->messages, 3};
  sdb_client_options options = device_options(f);
  options.windows = &window;
  options.windows_count = 1;
  device *d = open_device(f, options);
  wait_synced(d);
  sdb_client_records *records = list(d, f->messages);
  assert_int_equal(records->count, 3);
  assert_true(records->records[2].gap);
  assert_false(records->records[1].gap);
  sdb_client_records_free(records);
  assert_int_equal(sdb_client_older(d->client, f->messages, NIL, 4, NULL), SDB_OK);
  AWAIT(d, told(d, SDB_RECORD_SYNCED, "\"n3\""));
  assert_int_equal(count_of(d), 7);
  sdb_client_go_offline(d->client);
  assert_int_equal(sdb_client_older(d->client, f->messages, NIL, 4, NULL), SDB_UNAVAILABLE);
  assert_int_equal(sdb_client_older(d->client, f->messages, NIL, 0, NULL), SDB_INVALID_ARGUMENT);
  close_device(d);
}

/* ---- opening, waiting, closing ---- */

static void assert_refused(
    fixture *f, sdb_client_options options, sdb_status expected, const char *message) {
  sdb_error error = {0};
  device *d = try_device(f, options, expected, &error);
  if (!strstr(error.message, message))
    fail_msg("\"%s\" is not said, but: %s", message, error.message);
  close_device(d);
}

static void options_that_make_no_sense_are_refused(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.size = 1;
  assert_refused(f, options, SDB_INVALID_ARGUMENT, "not initialised");
  options = device_options(f);
  options.url = "http://127.0.0.1/";
  assert_refused(f, options, SDB_INVALID_ARGUMENT, "ws://");
  options.url = NULL;
  assert_refused(f, options, SDB_INVALID_ARGUMENT, "url");
  options = device_options(f);
  options.path = f->path;
  options.user = NULL;
  assert_refused(f, options, SDB_INVALID_ARGUMENT, "user");
  sdb_client_window windows[] = {{f->account, 1}, {f->lax_messages, 1}};
  options = device_options(f);
  options.windows = windows;
  options.windows_count = 1;
  assert_refused(f, options, SDB_INVALID_ARGUMENT, "singular");
  options.windows = windows + 1;
  assert_refused(f, options, SDB_INVALID_ARGUMENT, "not opened");
  sdb_store *twice[] = {f->messages, f->lax_messages};
  options = device_options(f);
  options.stores = twice;
  options.stores_count = 2;
  assert_refused(f, options, SDB_BAD_DEFINITION, "chat_message");
}

static void waiting_ends_when_its_time_is_over(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.start_offline = true;
  device *d = open_device(f, options);
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_SYNCED, 20), SDB_UNAVAILABLE);
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_DELIVERED, 20), SDB_OK);
  close_device(d);
}

static void a_server_that_is_not_there_is_a_problem_that_is_told(void **state) {
  fixture *f = *state;
  close_server(f);
  device *d = open_device(f, device_options(f));
  AWAIT(d, d->status.close_code == 1006 && d->status.problem[0]);
  assert_int_equal(status_of(d).phase == SDB_CLIENT_LIVE, 0);
  close_device(d);
}

static void a_server_that_comes_back_is_connected_to_again(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  close_server(f);
  AWAIT(d, d->status.phase == SDB_CLIENT_OFFLINE);
  assert_int_equal(status_of(d).close_code, 1001);
  push_message(d, "meanwhile");
  open_server(f);
  sdb_client_go_online(d->client);
  wait_synced(d);
  wait_delivered(d);
  assert_int_equal(server_count(f), 1);
  assert_int_equal(status_of(d).offline_since_ms, 0);
  close_device(d);
}

static void *wait_for_sync(void *context) {
  device *d = context;
  return (void *)(intptr_t)sdb_client_wait(d->client, SDB_CLIENT_SYNCED, WAIT_MAX_MS);
}

/* Until so many threads are in a function that waits. */
static void wait_until_inside(sdb_client *client, size_t count) {
  size_t inside = 0;
  while (inside < count) {
    pthread_mutex_lock(&client->asks.lock);
    inside = client->asks.inside;
    pthread_mutex_unlock(&client->asks.lock);
    sched_yield();
  }
}

static void who_waits_is_told_that_the_client_was_closed(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.start_offline = true;
  device *d = open_device(f, options);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, wait_for_sync, d), 0);
  wait_until_inside(d->client, 4);
  sdb_client_close(d->client);
  d->client = NULL;
  for (int i = 0; i < 4; i++) {
    void *status;
    pthread_join(threads[i], &status);
    assert_int_equal((sdb_status)(intptr_t)status, SDB_CLOSED);
  }
  close_device(d);
}

/* ---- many threads ---- */

typedef struct pusher {
  device *d;
  int number;
} pusher;

static void *push_many(void *context) {
  pusher *p = context;
  for (int i = 0; i < 25; i++) {
    char content[32];
    snprintf(content, sizeof(content), "p%d-%d", p->number, i);
    push_message(p->d, content);
    sdb_client_records *records = list(p->d, p->d->messages);
    if (records->count <= (size_t)i) abort(); /* what was pushed is seen at once */
    sdb_client_records_free(records);
  }
  return NULL;
}

static void many_threads_push_and_read_at_once(void **state) {
  fixture *f = *state;
  device *d = live_device(f), *other = live_device(f);
  pthread_t threads[4];
  pusher pushers[4];
  for (int i = 0; i < 4; i++) {
    pushers[i] = (pusher){d, i};
    assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
  }
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  wait_delivered(d);
  assert_int_equal(server_count(f), 100);
  assert_int_equal(count_of(d), 100);
  AWAIT(other, other->status.events_received >= 100);
  assert_int_equal(count_of(other), 100);
  close_device(d);
  close_device(other);
}

/* ---- at random ---- */

static sdb_uuid any_id(device *d, unsigned *seed) {
  sdb_client_records *records = list(d, d->messages);
  sdb_uuid id = NIL;
  if (records->count > 0) {
    const sdb_client_record *record = &records->records[(unsigned)rand_r(seed) % records->count];
    id = sdb_uuid_is_nil(record->id) ? record->client_id : record->id;
  }
  sdb_client_records_free(records);
  return id;
}

static void change_any(device *d, unsigned *seed, int number) {
  sdb_uuid id = any_id(d, seed);
  char object[64];
  snprintf(object, sizeof(object), "{\"role\":\"user\",\"content\":\"%u\"}", *seed);
  sdb_slice text = sdb_slice_of(object);
  sdb_status status = SDB_OK;
  switch (rand_r(seed) % 8) {
  case 0:
    sdb_client_go_offline(d->client);
    break;
  case 1:
    sdb_client_go_online(d->client);
    break;
  case 2: /* it may be gone meanwhile */
    if (!sdb_uuid_is_nil(id)) status = sdb_client_remove(d->client, d->messages, id, NULL, NULL);
    break;
  case 3:
  case 4:
    if (!sdb_uuid_is_nil(id))
      status = sdb_client_update(d->client, d->messages, id, text, NULL, NULL);
    break;
  default:
    push_message(d, number % 2 ? "odd" : "even");
  }
  if (status != SDB_OK && status != SDB_NOT_FOUND) abort();
}

static void *change_at_random(void *context) {
  pusher *p = context;
  unsigned seed = (unsigned)p->number + 1;
  for (int i = 0; i < 80; i++)
    change_any(p->d, &seed, i);
  sdb_client_go_online(p->d->client);
  return NULL;
}

/* Pushes of what another device removed were refused: they are given up. */
static void discard_failed(device *d) {
  sdb_unsynced_list *list = NULL;
  wait_synced(d);
  wait_delivered(d);
  assert_int_equal(sdb_client_unsynced(d->client, &list, NULL), SDB_OK);
  for (size_t i = 0; i < list->count; i++) {
    assert_int_equal(list->pushes[i].error->status, SDB_NOT_FOUND);
    sdb_status status = sdb_client_discard(d->client, list->pushes[i].client_id);
    assert_true(status == SDB_OK || status == SDB_NOT_FOUND);
  }
  sdb_unsynced_free(list);
}

static bool holds_the_same(device *a, device *b) {
  sdb_client_records *as = list(a, a->messages), *bs = list(b, b->messages);
  bool same = as->count == bs->count;
  for (size_t i = 0; same && i < as->count; i++) {
    const sdb_client_record *x = &as->records[i], *y = &bs->records[i];
    same = x->state == SDB_RECORD_SYNCED && y->state == SDB_RECORD_SYNCED &&
           sdb_uuid_equal(x->id, y->id) && sdb_uuid_equal(x->event_id, y->event_id) &&
           sdb_slice_equal(x->object, y->object);
  }
  sdb_client_records_free(as);
  sdb_client_records_free(bs);
  return same;
}

static void wait_for_same(device *a, device *b) {
  time_t until = time(NULL) + WAIT_MAX_S;
  while (!holds_the_same(a, b)) {
    if (time(NULL) > until) fail_msg("two devices hold different objects");
    sched_yield();
  }
}

static void devices_that_come_and_go_hold_the_same_in_the_end(void **state) {
  fixture *f = *state;
  sdb_client_options options = device_options(f);
  options.path = f->path;
  device *devices[3] = {open_device(f, options), live_device(f), live_device(f)};
  pthread_t threads[3];
  pusher pushers[3];
  for (int i = 0; i < 3; i++) {
    pushers[i] = (pusher){devices[i], i};
    assert_int_equal(pthread_create(&threads[i], NULL, change_at_random, &pushers[i]), 0);
  }
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
  for (int i = 0; i < 3; i++)
    discard_failed(devices[i]);
  wait_for_same(devices[0], devices[1]);
  wait_for_same(devices[0], devices[2]);
  assert_int_equal(count_of(devices[0]), server_count(f));
  for (int i = 0; i < 3; i++)
    close_device(devices[i]);
}

static void closing_nothing_does_nothing(void **state) {
  (void)state;
  sdb_client_close(NULL);
  sdb_client_records_free(NULL);
  sdb_unsynced_free(NULL);
  sdb_client_json_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(a_push_is_shown_at_once_and_again_as_the_server_has_it),
      ON_A_SERVER(two_devices_keep_in_step),
      ON_A_SERVER(a_singular_store_holds_the_last_object),
      ON_A_SERVER(a_record_is_got_by_its_id_and_by_its_client_id),
      ON_A_SERVER(lists_are_newest_first_and_paged),
      ON_A_SERVER(a_partial_grows_until_it_is_synced),
      ON_A_SERVER(pushes_made_offline_are_shown_and_delivered_later),
      ON_A_SERVER(a_create_that_was_never_sent_is_taken_back),
      ON_A_SERVER(what_the_rules_and_the_schema_refuse_is_not_sent),
      ON_A_SERVER(a_push_that_the_server_refuses_has_failed_until_it_is_discarded),
      ON_A_SERVER(a_push_that_failed_is_sent_again_by_a_retry),
      ON_A_SERVER(unsynced_pushes_are_listed_with_why_they_failed),
      ON_A_SERVER(unsynced_pushes_are_exported_as_json),
      ON_A_SERVER(so_many_unsynced_pushes_and_no_more),
      ON_A_SERVER(a_window_loads_the_newest_and_older_ones_when_asked),
      ON_A_SERVER(options_that_make_no_sense_are_refused),
      ON_A_SERVER(waiting_ends_when_its_time_is_over),
      ON_A_SERVER(a_server_that_is_not_there_is_a_problem_that_is_told),
      ON_A_SERVER(a_server_that_comes_back_is_connected_to_again),
      ON_A_SERVER(who_waits_is_told_that_the_client_was_closed),
      ON_A_SERVER(many_threads_push_and_read_at_once),
      ON_A_SERVER(devices_that_come_and_go_hold_the_same_in_the_end),
      cmocka_unit_test(closing_nothing_does_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
