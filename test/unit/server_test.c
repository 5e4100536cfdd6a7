/* test/unit/server_test.c: the server library as an application uses it, on a real SQLite file.
 * Devices over sockets are test/e2e's; here a device is not needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <unistd.h>

/* ---- a database in a folder of its own ---- */

typedef struct fixture {
  char folder[64], url[128];
  sdb_store *messages, *account;
  sdb_database *database;
} fixture;

static const sdb_field MESSAGE_FIELDS[] = {
    {.name = "role", .type = SDB_TYPE_STRING},
    {.name = "content", .type = SDB_TYPE_STRING},
    {.name = NULL},
};

static const sdb_field ACCOUNT_FIELDS[] = {
    {.name = "name", .type = SDB_TYPE_STRING},
    {.name = NULL},
};

static sdb_store *make_store(const char *name, sdb_store_type type, const sdb_field *fields) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.type = type;
  definition.fields = fields;
  sdb_store *store = NULL;
  sdb_error error;
  assert_int_equal(sdb_store_create(&definition, &store, &error), SDB_OK);
  return store;
}

static sdb_status open_database(fixture *f, sdb_database **database, sdb_error *error) {
  sdb_store *stores[] = {f->messages, f->account};
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  options.url = f->url;
  options.stores = stores;
  options.stores_count = 2;
  options.server.dev_auth = true;
  return sdb_database_open(&options, database, error);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof(*f));
  snprintf(f->folder, sizeof(f->folder), "/tmp/syncdb-server-test-XXXXXX");
  if (!mkdtemp(f->folder)) return -1;
  snprintf(f->url, sizeof(f->url), "sqlite://%s/db.sqlite", f->folder);
  f->messages = make_store("chat_message", SDB_STORE_EVENT, MESSAGE_FIELDS);
  f->account = make_store("account", SDB_STORE_SINGULAR, ACCOUNT_FIELDS);
  sdb_error error;
  if (open_database(f, &f->database, &error) != SDB_OK) return -1;
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  sdb_database_close(f->database);
  sdb_store_destroy(f->messages);
  sdb_store_destroy(f->account);
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
  int code = system(command);
  free(f);
  return code;
}

static sdb_context *context_of(fixture *f, const char *user) {
  sdb_context *context = NULL;
  assert_int_equal(sdb_context_create(f->database, user, &context), SDB_OK);
  return context;
}

static sdb_receipt push(sdb_context *context, const sdb_store *store, const char *object) {
  sdb_receipt receipt;
  sdb_error error = {0};
  sdb_status status = sdb_push(context, store, sdb_slice_of(object), &receipt, &error);
  if (status != SDB_OK) fail_msg("%s: %s", sdb_status_name(status), error.message);
  return receipt;
}

static bool holds(sdb_slice text, const char *part) {
  return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* ---- objects ---- */

static void a_pushed_object_is_read_back_with_created_at(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_receipt receipt = push(ada, f->messages, "{\"role\":\"user\",\"content\":\"hi\"}");
  assert_true(sdb_uuid_equal(receipt.id, receipt.event_id));
  sdb_records *records = NULL;
  assert_int_equal(sdb_get(ada, f->messages, receipt.id, &records, NULL), SDB_OK);
  assert_int_equal(records->count, 1);
  assert_true(sdb_uuid_equal(records->records[0].id, receipt.id));
  assert_true(sdb_uuid_is_nil(records->records[0].client_id));
  assert_true(holds(records->records[0].object, "\"role\":\"user\",\"content\":\"hi\""));
  assert_true(holds(records->records[0].object, "\"$createdAt\":"));
  sdb_records_free(records);
  sdb_context_release(ada);
}

static void an_object_that_breaks_the_schema_is_refused_with_its_path(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_error error;
  assert_int_equal(
      sdb_push(ada, f->messages, sdb_slice_of("{\"role\":1,\"content\":\"\"}"), NULL, &error),
      SDB_INVALID_OBJECT);
  assert_string_equal(error.path, "/role");
  assert_int_equal(
      sdb_push(ada, f->messages, sdb_slice_of("{\"role\""), NULL, &error), SDB_BAD_JSON);
  sdb_records *records = NULL;
  assert_int_equal(sdb_list(ada, f->messages, (sdb_uuid){{0}}, 10, &records, NULL), SDB_OK);
  assert_int_equal(records->count, 0);
  sdb_records_free(records);
  sdb_context_release(ada);
}

static void lists_are_newest_first_and_paged_by_before(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  for (int i = 0; i < 5; i++) {
    char object[64];
    snprintf(object, sizeof(object), "{\"role\":\"user\",\"content\":\"%d\"}", i);
    push(ada, f->messages, object);
  }
  sdb_records *page = NULL;
  assert_int_equal(sdb_list(ada, f->messages, (sdb_uuid){{0}}, 3, &page, NULL), SDB_OK);
  assert_int_equal(page->count, 3);
  assert_true(holds(page->records[0].object, "\"content\":\"4\""));
  assert_true(holds(page->records[2].object, "\"content\":\"2\""));
  sdb_uuid before = page->records[2].event_id;
  sdb_records_free(page);
  assert_int_equal(sdb_list(ada, f->messages, before, 3, &page, NULL), SDB_OK);
  assert_int_equal(page->count, 2);
  assert_true(holds(page->records[0].object, "\"content\":\"1\""));
  sdb_records_free(page);
  assert_int_equal(sdb_list(ada, f->messages, before, 0, &page, NULL), SDB_INVALID_ARGUMENT);
  sdb_context_release(ada);
}

static void an_update_replaces_and_a_remove_removes(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_receipt first = push(ada, f->messages, "{\"role\":\"user\",\"content\":\"one\"}"), second;
  assert_int_equal(sdb_update(ada, f->messages, first.id,
                       sdb_slice_of("{\"role\":\"user\",\"content\":\"two\"}"), &second, NULL),
      SDB_OK);
  assert_true(sdb_uuid_equal(second.id, first.id));
  assert_false(sdb_uuid_equal(second.event_id, first.event_id));
  sdb_records *records = NULL;
  assert_int_equal(sdb_get(ada, f->messages, first.id, &records, NULL), SDB_OK);
  assert_true(holds(records->records[0].object, "\"content\":\"two\""));
  sdb_records_free(records);
  assert_int_equal(sdb_remove(ada, f->messages, first.id, NULL, NULL), SDB_OK);
  assert_int_equal(sdb_get(ada, f->messages, first.id, &records, NULL), SDB_NOT_FOUND);
  assert_int_equal(sdb_remove(ada, f->messages, first.id, NULL, NULL), SDB_NOT_FOUND);
  sdb_context_release(ada);
}

static void a_user_sees_nothing_of_another(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada"), *bob = context_of(f, "bob");
  sdb_receipt receipt = push(ada, f->messages, "{\"role\":\"user\",\"content\":\"secret\"}");
  sdb_records *records = NULL;
  assert_int_equal(sdb_get(bob, f->messages, receipt.id, &records, NULL), SDB_NOT_FOUND);
  assert_int_equal(sdb_remove(bob, f->messages, receipt.id, NULL, NULL), SDB_NOT_FOUND);
  assert_int_equal(sdb_update(bob, f->messages, receipt.id,
                       sdb_slice_of("{\"role\":\"user\",\"content\":\"\"}"), NULL, NULL),
      SDB_NOT_FOUND);
  assert_int_equal(sdb_get(ada, f->messages, receipt.id, &records, NULL), SDB_OK);
  sdb_records_free(records);
  sdb_context_release(ada);
  sdb_context_release(bob);
}

static void a_singular_store_holds_the_last_object(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_records *records = NULL;
  assert_int_equal(sdb_singular(ada, f->account, &records, NULL), SDB_NOT_FOUND);
  push(ada, f->account, "{\"name\":\"Ada\"}");
  push(ada, f->account, "{\"name\":\"Ada L.\"}");
  assert_int_equal(sdb_singular(ada, f->account, &records, NULL), SDB_OK);
  assert_true(holds(records->records[0].object, "\"name\":\"Ada L.\""));
  sdb_records_free(records);
  assert_int_equal(sdb_list(ada, f->account, (sdb_uuid){{0}}, 10, &records, NULL), SDB_OK);
  assert_int_equal(records->count, 1);
  sdb_records_free(records);
  assert_int_equal(sdb_remove(ada, f->account, (sdb_uuid){{0}}, NULL, NULL), SDB_OK);
  assert_int_equal(sdb_singular(ada, f->account, &records, NULL), SDB_NOT_FOUND);
  sdb_context_release(ada);
}

static void what_was_pushed_is_there_after_reopening(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_receipt receipt = push(ada, f->messages, "{\"role\":\"user\",\"content\":\"kept\"}");
  sdb_context_release(ada);
  sdb_database_close(f->database);
  sdb_error error;
  assert_int_equal(open_database(f, &f->database, &error), SDB_OK);
  ada = context_of(f, "ada");
  sdb_records *records = NULL;
  assert_int_equal(sdb_get(ada, f->messages, receipt.id, &records, NULL), SDB_OK);
  assert_true(holds(records->records[0].object, "kept"));
  sdb_records_free(records);
  sdb_context_release(ada);
}

static void a_second_opener_is_told_that_the_file_is_busy(void **state) {
  fixture *f = *state;
  sdb_database *second = NULL;
  sdb_error error;
  assert_int_equal(open_database(f, &second, &error), SDB_BUSY);
  assert_true(strstr(error.message, "db.sqlite") != NULL);
}

static void options_that_make_no_sense_are_refused(void **state) {
  fixture *f = *state;
  sdb_database *database = NULL;
  sdb_error error;
  sdb_store *twice[] = {f->messages, f->messages};
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  options.stores = twice;
  options.stores_count = 1;
  options.url = "mysql://x";
  assert_int_equal(sdb_database_open(&options, &database, &error), SDB_INVALID_ARGUMENT);
  options.url = "sqlite://";
  assert_int_equal(sdb_database_open(&options, &database, &error), SDB_INVALID_ARGUMENT);
  options.url = "sqlite:///nowhere/at/all.sqlite";
  assert_int_equal(sdb_database_open(&options, &database, &error), SDB_IO);
  options.stores_count = 2;
  assert_int_equal(sdb_database_open(&options, &database, &error), SDB_BAD_DEFINITION);
}

static void names_of_users_are_checked(void **state) {
  fixture *f = *state;
  char long_name[300];
  memset(long_name, 'a', sizeof(long_name));
  long_name[256] = 0;
  sdb_context *context = NULL;
  assert_int_equal(sdb_context_create(f->database, "", &context), SDB_INVALID_ARGUMENT);
  assert_int_equal(sdb_context_create(f->database, long_name, &context), SDB_INVALID_ARGUMENT);
  assert_int_equal(sdb_context_create(f->database, "\xff", &context), SDB_INVALID_ARGUMENT);
  long_name[255] = 0;
  assert_int_equal(sdb_context_create(f->database, long_name, &context), SDB_OK);
  push(context, f->messages, "{\"role\":\"user\",\"content\":\"\"}");
  sdb_context_release(context);
}

/* ---- partials ---- */

static void a_partial_is_stored_by_its_commit_with_its_id(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_partial *partial = NULL;
  sdb_error error;
  assert_int_equal(sdb_partial_begin(ada, f->messages,
                       sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}"), &partial, &error),
      SDB_OK);
  sdb_uuid id = sdb_partial_id(partial);
  sdb_records *records = NULL;
  assert_int_equal(sdb_get(ada, f->messages, id, &records, NULL), SDB_NOT_FOUND);
  assert_int_equal(sdb_partial_append(partial, "content", sdb_slice_of("Hello, \"")), SDB_OK);
  assert_int_equal(sdb_partial_append(partial, "content", sdb_slice_of("how are you?\n")), SDB_OK);
  sdb_receipt receipt;
  assert_int_equal(sdb_partial_commit(partial, &receipt, &error), SDB_OK);
  assert_true(sdb_uuid_equal(receipt.id, id));
  assert_int_equal(sdb_get(ada, f->messages, id, &records, NULL), SDB_OK);
  assert_true(holds(records->records[0].object, "\"content\":\"Hello, \\\"how are you?\\n\""));
  sdb_records_free(records);
  sdb_context_release(ada);
}

static void a_commit_that_breaks_the_schema_leaves_the_partial_to_be_set_right(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_partial *partial = NULL;
  sdb_error error;
  assert_int_equal(
      sdb_partial_begin(ada, f->messages, sdb_slice_of("{\"content\":\"\"}"), &partial, &error),
      SDB_OK);
  assert_int_equal(sdb_partial_commit(partial, NULL, &error), SDB_INVALID_OBJECT);
  assert_int_equal(
      sdb_partial_set(partial, sdb_slice_of("{\"role\":\"assistant\",\"content\":\"ok\"}")),
      SDB_OK);
  assert_int_equal(sdb_partial_commit(partial, NULL, &error), SDB_OK);
  sdb_context_release(ada);
}

static void text_that_could_not_be_appended_is_not_lost_silently(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_partial *partial = NULL;
  sdb_error error;
  assert_int_equal(sdb_partial_begin(ada, f->messages,
                       sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}"), &partial, &error),
      SDB_OK);
  sdb_status status = sdb_partial_append(partial, "nothing", sdb_slice_of("lost"));
  assert_int_equal(status, SDB_OK); /* it is not waited for */
  assert_int_equal(sdb_partial_commit(partial, NULL, &error), SDB_INVALID_OBJECT);
  sdb_partial_abort(partial);
  sdb_context_release(ada);
}

static void partials_of_a_context_that_ends_are_aborted(void **state) {
  fixture *f = *state;
  for (int i = 0; i < 300; i++) { /* more than a user may have open */
    sdb_context *ada = context_of(f, "ada");
    sdb_partial *partial = NULL;
    sdb_error error;
    assert_int_equal(
        sdb_partial_begin(ada, f->messages, sdb_slice_of("{\"content\":\"\"}"), &partial, &error),
        SDB_OK);
    sdb_context_release(ada);
  }
}

static void a_singular_store_has_no_partials(void **state) {
  fixture *f = *state;
  sdb_context *ada = context_of(f, "ada");
  sdb_partial *partial = NULL;
  sdb_error error;
  assert_int_equal(sdb_partial_begin(ada, f->account, sdb_slice_of("{}"), &partial, &error),
      SDB_INVALID_ARGUMENT);
  sdb_context_release(ada);
}

/* ---- listening ---- */

static void dev_auth_listens_on_loopback_only(void **state) {
  fixture *f = *state;
  sdb_error error;
  uint16_t port = 0;
  assert_int_equal(sdb_listen(f->database, "0.0.0.0", 0, &port, &error), SDB_UNAUTHORIZED);
  assert_int_equal(sdb_listen(f->database, "nonsense", 0, &port, &error), SDB_INVALID_ARGUMENT);
  assert_int_equal(sdb_listen(f->database, "127.0.0.1", 0, &port, &error), SDB_OK);
  assert_true(port != 0);
  assert_int_equal(sdb_listen(f->database, "127.0.0.1", port, NULL, &error), SDB_IO);
}

static void without_an_identity_nothing_listens(void **state) {
  fixture *f = *state;
  sdb_database_close(f->database);
  sdb_store *stores[] = {f->messages};
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  options.url = f->url;
  options.stores = stores;
  options.stores_count = 1;
  sdb_error error;
  assert_int_equal(sdb_database_open(&options, &f->database, &error), SDB_OK);
  assert_int_equal(sdb_listen(f->database, "127.0.0.1", 0, NULL, &error), SDB_UNAUTHORIZED);
}

static void *stop_soon(void *database) {
  sdb_stop(database);
  return NULL;
}

static void run_ends_when_another_thread_stops_it(void **state) {
  fixture *f = *state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, stop_soon, f->database), 0);
  assert_int_equal(sdb_run(f->database), SDB_OK);
  pthread_join(thread, NULL);
}

/* ---- threads ---- */

typedef struct pusher {
  fixture *f;
  int number;
} pusher;

static void *push_many(void *argument) {
  pusher *p = argument;
  sdb_context *context = context_of(p->f, p->number % 2 ? "odd" : "even");
  for (int i = 0; i < 50; i++)
    push(context, p->f->messages, "{\"role\":\"user\",\"content\":\"x\"}");
  sdb_context_release(context);
  return NULL;
}

static void many_threads_push_at_once(void **state) {
  fixture *f = *state;
  pthread_t threads[8];
  pusher pushers[8];
  for (int i = 0; i < 8; i++) {
    pushers[i] = (pusher){f, i};
    assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
  }
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  sdb_context *odd = context_of(f, "odd");
  sdb_records *records = NULL;
  assert_int_equal(sdb_list(odd, f->messages, (sdb_uuid){{0}}, 1000, &records, NULL), SDB_OK);
  assert_int_equal(records->count, 200);
  sdb_records_free(records);
  sdb_context_release(odd);
}

#define ON_A_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_DATABASE(a_pushed_object_is_read_back_with_created_at),
      ON_A_DATABASE(an_object_that_breaks_the_schema_is_refused_with_its_path),
      ON_A_DATABASE(lists_are_newest_first_and_paged_by_before),
      ON_A_DATABASE(an_update_replaces_and_a_remove_removes),
      ON_A_DATABASE(a_user_sees_nothing_of_another),
      ON_A_DATABASE(a_singular_store_holds_the_last_object),
      ON_A_DATABASE(what_was_pushed_is_there_after_reopening),
      ON_A_DATABASE(a_second_opener_is_told_that_the_file_is_busy),
      ON_A_DATABASE(options_that_make_no_sense_are_refused),
      ON_A_DATABASE(names_of_users_are_checked),
      ON_A_DATABASE(a_partial_is_stored_by_its_commit_with_its_id),
      ON_A_DATABASE(a_commit_that_breaks_the_schema_leaves_the_partial_to_be_set_right),
      ON_A_DATABASE(text_that_could_not_be_appended_is_not_lost_silently),
      ON_A_DATABASE(partials_of_a_context_that_ends_are_aborted),
      ON_A_DATABASE(a_singular_store_has_no_partials),
      ON_A_DATABASE(dev_auth_listens_on_loopback_only),
      ON_A_DATABASE(without_an_identity_nothing_listens),
      ON_A_DATABASE(run_ends_when_another_thread_stops_it),
      ON_A_DATABASE(many_threads_push_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
