/* test/client_fixture.h: a server in a folder of its own, and devices that note what they are told.
 *
 * Server and devices are in one process and talk over a real socket. A test waits for what a device
 * was told (AWAIT), which fails after WAIT_MAX_S.
 */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/client.h>
#include <syncdb/syncdb.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX_S 30
#define WAIT_MAX_MS (WAIT_MAX_S * 1000)
#define NIL ((sdb_uuid){{0}})

/* ---- stores ---- */

static const sdb_field MESSAGE_FIELDS[] = {
    {.name = "role", .type = SDB_TYPE_STRING},
    {.name = "content", .type = SDB_TYPE_STRING},
    {.name = NULL},
};

static const sdb_field ACCOUNT_FIELDS[] = {
    {.name = "name", .type = SDB_TYPE_STRING},
    {.name = NULL},
};

static inline sdb_status only_user_messages(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  if (action == SDB_ACTION_DELETE || sdb_object_is(object, "role", "user")) return SDB_OK;
  return sdb_reject(error, "Only user messages can be created!");
}

static inline sdb_store *make_store(
    const char *name, sdb_store_type type, const sdb_field *fields, sdb_validate_update_fn rule) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.type = type;
  definition.fields = fields;
  definition.validate_update = rule;
  sdb_store *store = NULL;
  sdb_error error;
  assert_int_equal(sdb_store_create(&definition, &store, &error), SDB_OK);
  return store;
}

/* ---- the server ---- */

typedef struct fixture {
  char folder[64], path[96], database_url[128], url[128];
  sdb_store *messages, *account; /* with the rule; the server's, and those of most devices */
  sdb_store *lax_messages;       /* without */
  sdb_database *database;
  uint16_t port;
  sdb_authenticate_fn authenticate; /* NULL: everybody is believed */
  void *authenticate_context;
} fixture;

static inline void open_server(fixture *f) {
  sdb_store *stores[] = {f->messages, f->account};
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  sdb_error error;
  options.url = f->database_url;
  options.stores = stores;
  options.stores_count = 2;
  options.durability = SDB_DURABILITY_NORMAL;
  options.server.dev_auth = !f->authenticate;
  options.server.authenticate = f->authenticate;
  options.server.authenticate_context = f->authenticate_context;
  if (sdb_database_open(&options, &f->database, &error) != SDB_OK) fail_msg("%s", error.message);
  if (sdb_listen(f->database, "127.0.0.1", f->port, &f->port, &error) != SDB_OK)
    fail_msg("%s", error.message);
  snprintf(
      f->url, sizeof(f->url), "ws://127.0.0.1:%u/%s", f->port, f->authenticate ? "" : "?user=ada");
}

static inline void close_server(fixture *f) {
  sdb_database_close(f->database);
  f->database = NULL;
}

static inline int setup(void **state) {
  fixture *f = calloc(1, sizeof(*f));
  if (!f) return -1;
  *state = f;
  snprintf(f->folder, sizeof(f->folder), "/tmp/syncdb-client-test-XXXXXX");
  if (!mkdtemp(f->folder)) return -1;
  snprintf(f->path, sizeof(f->path), "%s/device.sqlite", f->folder);
  snprintf(f->database_url, sizeof(f->database_url), "sqlite://%s/server.sqlite", f->folder);
  f->messages = make_store("chat_message", SDB_STORE_EVENT, MESSAGE_FIELDS, only_user_messages);
  f->lax_messages = make_store("chat_message", SDB_STORE_EVENT, MESSAGE_FIELDS, NULL);
  f->account = make_store("account", SDB_STORE_SINGULAR, ACCOUNT_FIELDS, NULL);
  open_server(f);
  return 0;
}

static inline int teardown(void **state) {
  fixture *f = *state;
  sdb_database_close(f->database);
  sdb_store_destroy(f->messages);
  sdb_store_destroy(f->lax_messages);
  sdb_store_destroy(f->account);
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
  int code = system(command);
  free(f);
  return code;
}

static inline sdb_context *context_of(fixture *f, const char *user) {
  sdb_context *context = NULL;
  assert_int_equal(sdb_context_create(f->database, user, &context), SDB_OK);
  return context;
}

/* The application on the server pushes. */
static inline sdb_receipt server_push(fixture *f, const sdb_store *store, const char *object) {
  sdb_context *ada = context_of(f, "ada");
  sdb_receipt receipt;
  assert_int_equal(sdb_push(ada, store, sdb_slice_of(object), &receipt, NULL), SDB_OK);
  sdb_context_release(ada);
  return receipt;
}

/* How many objects the server has. */
static inline size_t server_count(fixture *f) {
  sdb_context *ada = context_of(f, "ada");
  sdb_records *records = NULL;
  assert_int_equal(sdb_list(ada, f->messages, NIL, 1000, &records, NULL), SDB_OK);
  size_t count = records->count;
  sdb_records_free(records);
  sdb_context_release(ada);
  return count;
}

/* ---- a device, and what it was told ---- */

typedef struct news {
  sdb_change_kind kind;
  const sdb_store *store;
  sdb_record_state state;
  sdb_uuid id, event_id, client_id;
  bool gap;
  char object[256];
  sdb_status error;
  char message[SDB_ERROR_MESSAGE_SIZE];
} news;

typedef struct device {
  fixture *f;
  sdb_client *client;
  sdb_store *messages;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  news *list;
  size_t count, capacity;
  sdb_client_status status;
  size_t status_calls;
  int asked_token, refused_token;
} device;

static inline void note_change(device *d, const sdb_store *store, const sdb_client_change *change) {
  if (d->count == d->capacity) {
    d->capacity = d->capacity ? d->capacity * 2 : 64;
    d->list = realloc(d->list, d->capacity * sizeof(*d->list));
    if (!d->list) abort();
  }
  const sdb_client_record *record = &change->record;
  news *n = &d->list[d->count++];
  memset(n, 0, sizeof(*n));
  n->kind = change->kind;
  n->store = store;
  n->state = record->state;
  n->id = record->id;
  n->event_id = record->event_id;
  n->client_id = record->client_id;
  n->gap = record->gap;
  snprintf(n->object, sizeof(n->object), "%.*s", (int)record->object.size,
      record->object.data ? record->object.data : "");
  if (!record->error) return;
  n->error = record->error->status;
  snprintf(n->message, sizeof(n->message), "%s", record->error->message);
}

static inline void note_changes(
    void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client;
  device *d = context;
  pthread_mutex_lock(&d->lock);
  for (size_t i = 0; i < changes->count; i++)
    note_change(d, changes->store, &changes->changes[i]);
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

static inline void note_status(void *context, sdb_client *client, const sdb_client_status *status) {
  (void)client;
  device *d = context;
  pthread_mutex_lock(&d->lock);
  d->status = *status;
  d->status_calls++;
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

/* Wakes who waits for the device. */
static inline void tell(device *d) {
  pthread_mutex_lock(&d->lock);
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

static inline void wait_for_news(device *d, const char *what, const char *file, int line) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_MAX_S;
  if (pthread_cond_timedwait(&d->changed, &d->lock, &until) != ETIMEDOUT) return;
  print_error("%s:%d: never happened: %s\n", file, line, what);
  for (size_t i = 0; i < d->count; i++) {
    const news *n = &d->list[i];
    print_error("  %s kind %d state %d %s %s\n", sdb_store_name(n->store), n->kind, n->state,
        n->object, n->message);
  }
  print_error("  phase %d, %u pending, %u failed, closed with %u: %s\n", d->status.phase,
      d->status.pending, d->status.failed, d->status.close_code, d->status.problem);
  pthread_mutex_unlock(&d->lock);
  fail();
}

/* Waits until `condition`, over what the device `d` was told, is true. */
#define AWAIT(d, condition)                                                                        \
  do {                                                                                             \
    pthread_mutex_lock(&(d)->lock);                                                                \
    while (!(condition))                                                                           \
      wait_for_news((d), #condition, __FILE__, __LINE__);                                          \
    pthread_mutex_unlock(&(d)->lock);                                                              \
  } while (0)

/* The last that was told with `part` in its object, in this state; NULL: nothing yet. For AWAIT. */
static inline const news *told(const device *d, sdb_record_state state, const char *part) {
  for (size_t i = d->count; i > 0; i--) {
    const news *n = &d->list[i - 1];
    if (n->kind == SDB_CHANGE_PUT && n->state == state && strstr(n->object, part)) return n;
  }
  return NULL;
}

static inline const news *told_removed(const device *d, sdb_uuid id, sdb_uuid client_id) {
  for (size_t i = d->count; i > 0; i--) {
    const news *n = &d->list[i - 1];
    if (n->kind != SDB_CHANGE_REMOVE) continue;
    if (!sdb_uuid_is_nil(id) && sdb_uuid_equal(n->id, id)) return n;
    if (!sdb_uuid_is_nil(client_id) && sdb_uuid_equal(n->client_id, client_id)) return n;
  }
  return NULL;
}

static inline sdb_client_options device_options(fixture *f) {
  sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
  options.url = f->url;
  options.user = "ada";
  options.push_timeout_ms = WAIT_MAX_MS; /* a busy machine is not a silent server */
  return options;
}

/* Opens a device with `options`, whose stores, status and contexts are set here. */
static inline device *try_device(
    fixture *f, sdb_client_options options, sdb_status expected, sdb_error *error) {
  device *d = calloc(1, sizeof(*d));
  if (!d) abort();
  d->f = f;
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->changed, NULL);
  sdb_store *stores[] = {f->messages, f->account};
  if (!options.stores) {
    options.stores = stores;
    options.stores_count = 2;
  }
  d->messages = options.stores[0];
  options.status = note_status;
  options.status_context = d;
  options.token_context = d;
  sdb_status status = sdb_client_open(&options, &d->client, error);
  if (status != expected) fail_msg("opening gives %s: %s", sdb_status_name(status), error->message);
  if (status == SDB_OK)
    assert_int_equal(sdb_client_watch(d->client, NULL, note_changes, d, NULL, NULL), SDB_OK);
  return d;
}

static inline device *open_device(fixture *f, sdb_client_options options) {
  sdb_error error = {0};
  return try_device(f, options, SDB_OK, &error);
}

/* In memory, and LIVE. */
static inline device *live_device(fixture *f) {
  device *d = open_device(f, device_options(f));
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_SYNCED, WAIT_MAX_MS), SDB_OK);
  return d;
}

static inline void close_device(device *d) {
  sdb_client_close(d->client);
  pthread_cond_destroy(&d->changed);
  pthread_mutex_destroy(&d->lock);
  free(d->list);
  free(d);
}

static inline sdb_uuid push(device *d, const sdb_store *store, const char *object) {
  sdb_uuid client_id = NIL;
  sdb_error error = {0};
  sdb_status status = sdb_client_push(d->client, store, sdb_slice_of(object), &client_id, &error);
  if (status != SDB_OK) fail_msg("%s: %s", sdb_status_name(status), error.message);
  return client_id;
}

static inline sdb_uuid push_message(device *d, const char *content) {
  char object[256];
  snprintf(object, sizeof(object), "{\"role\":\"user\",\"content\":\"%s\"}", content);
  return push(d, d->messages, object);
}

static inline void wait_delivered(device *d) {
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_DELIVERED, WAIT_MAX_MS), SDB_OK);
}

static inline void wait_synced(device *d) {
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_SYNCED, WAIT_MAX_MS), SDB_OK);
}

static inline sdb_client_records *list(device *d, const sdb_store *store) {
  sdb_client_records *records = NULL;
  sdb_error error = {0};
  sdb_status status = sdb_client_list(d->client, store, NIL, 1000, &records, &error);
  if (status != SDB_OK) fail_msg("%s: %s", sdb_status_name(status), error.message);
  return records;
}

static inline size_t count_of(device *d) {
  sdb_client_records *records = list(d, d->messages);
  size_t count = records->count;
  sdb_client_records_free(records);
  return count;
}

static inline sdb_client_status status_of(device *d) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(d->client, &status);
  return status;
}

static inline bool holds(sdb_slice text, const char *part) {
  return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* ---- devices with a file ---- */

static inline sdb_client_options file_options(fixture *f, bool offline) {
  sdb_client_options options = device_options(f);
  options.path = f->path;
  options.start_offline = offline;
  return options;
}

static inline void assert_storage(device *d, sdb_client_storage storage, const char *problem) {
  sdb_client_status status = status_of(d);
  assert_int_equal(status.storage, storage);
  if (!strstr(status.problem, problem))
    fail_msg("the problem is not \"%s\", but: %s", problem, status.problem);
  if (!problem[0]) assert_string_equal(status.problem, "");
}

static inline void assert_record(device *d, const char *content, sdb_record_state state) {
  sdb_client_records *records = list(d, d->messages);
  bool found = false;
  for (size_t i = 0; i < records->count; i++)
    found =
        found || (holds(records->records[i].object, content) && records->records[i].state == state);
  sdb_client_records_free(records);
  if (!found) fail_msg("there is no %s in state %d", content, state);
}

#define ON_A_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
