/* mailbox_fixture.h: a database with a mailbox, two stores, and what its application does. */
#ifndef MAILBOX_FIXTURE_H
#define MAILBOX_FIXTURE_H

#include "server_device.h"
#include <pthread.h>
#include <stdatomic.h>
#include <syncdb/syncdb.h>
#include <time.h>

#define TEXT(literal) ((sdb_slice){(literal), sizeof(literal) - 1})

typedef struct fixture {
  char folder[64], url[128];
  sdb_store *note, *account, *stores[2];
  sdb_mailbox *mailbox;
  sdb_database *database;
  uint16_t port;
  pthread_mutex_t lock;
  pthread_cond_t notified;
  int notifications;
} fixture;

static inline void count_notification(void *context) {
  fixture *f = context;
  pthread_mutex_lock(&f->lock);
  f->notifications++;
  pthread_cond_broadcast(&f->notified);
  pthread_mutex_unlock(&f->lock);
}

static inline int notifications(fixture *f) {
  pthread_mutex_lock(&f->lock);
  int count = f->notifications;
  pthread_mutex_unlock(&f->lock);
  return count;
}

/* ---- life ---- */

static inline sdb_store *make_store(const char *name, sdb_store_type type, const char *field) {
  const sdb_field fields[] = {{.name = field, .type = SDB_TYPE_STRING}, {.name = NULL}};
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.type = type;
  definition.fields = fields;
  sdb_store *store = NULL;
  assert_int_equal(sdb_store_create(&definition, &store, NULL), SDB_OK);
  return store;
}

/* The options of the database `name`; strings and stores are the fixture's. */
static inline sdb_database_options options_of(fixture *f, const char *name) {
  f->stores[0] = f->note;
  f->stores[1] = f->account;
  snprintf(f->url, sizeof(f->url), "sqlite://%s/%s", f->folder, name);
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  options.url = f->url;
  options.stores = f->stores;
  options.stores_count = 2;
  options.durability = SDB_DURABILITY_NORMAL;
  options.mailbox = f->mailbox;
  options.server.dev_auth = true;
  return options;
}

static inline sdb_status open_database(
    fixture *f, const char *name, sdb_database **database, sdb_error *error) {
  sdb_database_options options = options_of(f, name);
  return sdb_database_open(&options, database, error);
}

/* All but the database. */
static inline fixture *begin(sdb_mailbox_options options) {
  fixture *f = calloc(1, sizeof(*f));
  snprintf(f->folder, sizeof(f->folder), "/tmp/syncdb-mailbox-test-XXXXXX");
  assert_non_null(mkdtemp(f->folder));
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->notified, NULL);
  f->note = make_store("note", SDB_STORE_EVENT, "text");
  f->account = make_store("account", SDB_STORE_SINGULAR, "name");
  options.notify = count_notification;
  options.notify_context = f;
  assert_int_equal(sdb_mailbox_create(&options, &f->mailbox), SDB_OK);
  return f;
}

static inline int setup_with(void **state, sdb_mailbox_options options) {
  fixture *f = begin(options);
  if (open_database(f, "db.sqlite", &f->database, NULL) != SDB_OK) return -1;
  if (sdb_listen(f->database, "127.0.0.1", 0, &f->port, NULL) != SDB_OK) return -1;
  *state = f;
  return 0;
}

static inline int setup(void **state) {
  sdb_mailbox_options options = SDB_MAILBOX_OPTIONS_INIT;
  options.users_at_once = 4;
  return setup_with(state, options);
}

static inline int teardown(void **state) {
  fixture *f = *state;
  sdb_database_close(f->database);
  sdb_mailbox_destroy(f->mailbox);
  sdb_store_destroy(f->note);
  sdb_store_destroy(f->account);
  pthread_cond_destroy(&f->notified);
  pthread_mutex_destroy(&f->lock);
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
  int code = system(command);
  free(f);
  return code;
}

/* ---- the application's loop ---- */

/* What there is, once there is something. */
static inline sdb_mail *wait_for_batch(fixture *f, size_t max) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 30;
  for (;;) {
    int before = notifications(f);
    sdb_mail *batch = sdb_mailbox_take(f->mailbox, max);
    if (batch) return batch;
    pthread_mutex_lock(&f->lock);
    while (f->notifications == before) {
      if (pthread_cond_timedwait(&f->notified, &f->lock, &until) != 0) fail_msg("no mail for 30 s");
    }
    pthread_mutex_unlock(&f->lock);
  }
}

static inline sdb_mail *next_mail(fixture *f, sdb_mail_kind kind) {
  sdb_mail *mail = wait_for_batch(f, 1);
  assert_int_equal(mail->kind, kind);
  assert_null(mail->next);
  return mail;
}

static inline sdb_job push_job(
    const char *user, const sdb_store *store, const char *object, uint64_t tag) {
  return (sdb_job){.kind = SDB_JOB_PUSH,
      .tag = tag,
      .user = sdb_slice_of(user),
      .store = store,
      .object = sdb_slice_of(object)};
}

static inline sdb_mail *done_of(fixture *f, sdb_job job) {
  size_t taken = 0;
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &job, 1, &taken, NULL), SDB_OK);
  assert_int_equal(taken, 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_DONE);
  assert_int_equal(mail->tag, job.tag);
  return mail;
}

static inline void answer(fixture *f, uint64_t ticket) {
  sdb_mail_answer one = {.ticket = ticket, .status = SDB_OK};
  assert_int_equal(sdb_mailbox_answer(f->mailbox, &one, 1), SDB_OK);
}

/* Until the user ada has `count` notes. */
static inline void wait_for_stored(fixture *f, size_t count) {
  sdb_context *context = NULL;
  assert_int_equal(sdb_context_create(f->database, "ada", &context), SDB_OK);
  for (size_t found = 0; found < count;) {
    sdb_records *records = NULL;
    assert_int_equal(sdb_list(context, f->note, (sdb_uuid){{0}}, 1000, &records, NULL), SDB_OK);
    found = records->count;
    sdb_records_free(records);
  }
  sdb_context_release(context);
}

/* ---- what devices push ---- */

static inline void push_note(device *d, const char *text, int number) {
  char message[512];
  snprintf(message, sizeof(message),
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"%s\"},"
      "\"clientId\":\"00000000-0000-4000-8000-%012d\"}}",
      text, number);
  send_text(d, message);
}

static inline void push_account(device *d, const char *name, int number) {
  char message[512];
  snprintf(message, sizeof(message),
      "{\"type\":\"update\",\"data\":{\"store\":\"account\",\"object\":{\"name\":\"%s\"},"
      "\"clientId\":\"00000000-0000-4000-8000-%012d\"}}",
      name, number);
  send_text(d, message);
}

/* The id of the next event that the device is sent. */
static inline const char *event_id(device *d, char *id) {
  const char *at = strstr(receive_with(d, "\"clientId\""), "\"id\":\"");
  assert_non_null(at);
  memcpy(id, at + 6, 36);
  id[36] = 0;
  return id;
}

static inline void remove_object(device *d, const char *store, const char *id, int number) {
  char message[512];
  snprintf(message, sizeof(message),
      "{\"type\":\"remove\",\"data\":{\"store\":\"%s\",\"id\":\"%s\","
      "\"clientId\":\"00000000-0000-4000-8000-%012d\"}}",
      store, id, number);
  send_text(d, message);
}

#endif
