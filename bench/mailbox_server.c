/* bench/mailbox_server.c: a server for `syncdb bench --server` whose application has a loop of its
 * own, as the Node server's has: each push is judged and each event handled by mail. So it tells
 * what the library leaves to such a server.
 *
 *   mailbox_server sqlite://PATH
 *
 * Prints `listening on ws://127.0.0.1:PORT` when it is ready; ends at SIGTERM, and says then how
 * much mail there was, and in how many batches.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BATCH 1024

typedef struct application {
  sdb_mailbox *mailbox;
  int notified; /* an eventfd */
  unsigned long verdicts, events, batches;
} application;

static sdb_store *make_store(sdb_error *error) {
  static const sdb_field FIELDS[] = {
      {.name = "role", .type = SDB_TYPE_STRING},
      {.name = "content", .type = SDB_TYPE_STRING},
      {.name = NULL},
  };
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  sdb_store *store = NULL;
  definition.name = "chat_message";
  definition.fields = FIELDS;
  return sdb_store_create(&definition, &store, error) == SDB_OK ? store : NULL;
}

static void notify(void *context) {
  const application *app = context;
  uint64_t one = 1;
  (void)!write(app->notified, &one, sizeof(one));
}

/* The rule of the brief, as far as the loader's pushes go. */
static sdb_mail_answer judge(const sdb_mail *mail) {
  static const char ROLE[] = "\"role\":\"user\"";
  sdb_mail_answer answer = {.ticket = mail->ticket, .status = SDB_OK};
  if (memmem(mail->object.data, mail->object.size, ROLE, sizeof(ROLE) - 1)) return answer;
  answer.status = SDB_REJECTED;
  answer.message = sdb_slice_of("Only user messages can be created!");
  return answer;
}

static void deal_with(application *app, const sdb_mail *batch) {
  sdb_mail_answer answers[BATCH];
  size_t count = 0;
  for (const sdb_mail *mail = batch; mail; mail = mail->next) {
    if (mail->kind == SDB_MAIL_JUDGE) {
      answers[count++] = judge(mail);
      app->verdicts++;
    } else if (mail->kind == SDB_MAIL_EVENTS) {
      answers[count++] = (sdb_mail_answer){.ticket = mail->ticket, .status = SDB_OK};
      app->events += mail->events_count;
    }
  }
  app->batches++;
  if (sdb_mailbox_answer(app->mailbox, answers, count) != SDB_OK)
    fprintf(stderr, "mailbox_server: out of memory\n");
}

/* Until SIGTERM. */
static void run(application *app, int signals) {
  struct pollfd waited[2] = {{app->notified, POLLIN, 0}, {signals, POLLIN, 0}};
  while (poll(waited, 2, -1) > 0 && !waited[1].revents) {
    uint64_t count;
    (void)!read(app->notified, &count, sizeof(count));
    sdb_mail *batch;
    while ((batch = sdb_mailbox_take(app->mailbox, BATCH))) {
      deal_with(app, batch);
      sdb_mail_free(batch);
    }
  }
}

static sdb_status serve(application *app, const char *url, sdb_store *store, sdb_error *error) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, NULL);
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  sdb_database *database = NULL;
  uint16_t port = 0;
  options.url = url;
  options.stores = &store;
  options.stores_count = 1;
  options.mailbox = app->mailbox;
  options.server.dev_auth = true;
  sdb_status status = sdb_database_open(&options, &database, error);
  if (status != SDB_OK) return status;
  status = sdb_mailbox_judge(app->mailbox, store, error);
  if (status == SDB_OK) status = sdb_mailbox_subscribe(app->mailbox, store, error);
  if (status == SDB_OK) status = sdb_listen(database, "127.0.0.1", 0, &port, error);
  if (status == SDB_OK) {
    printf("listening on ws://127.0.0.1:%u\n", port);
    fflush(stdout);
    run(app, signalfd(-1, &ends, SFD_CLOEXEC));
    fprintf(stderr, "%lu verdicts, %lu events, %lu batches\n", app->verdicts, app->events,
        app->batches);
  }
  sdb_database_close(database);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: mailbox_server sqlite://PATH\n");
    return 2;
  }
  sdb_error error = {0};
  application app = {.notified = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  sdb_mailbox_options options = SDB_MAILBOX_OPTIONS_INIT;
  options.notify = notify;
  options.notify_context = &app;
  sdb_store *store = make_store(&error);
  bool made = store && sdb_mailbox_create(&options, &app.mailbox) == SDB_OK;
  sdb_status status = made ? serve(&app, argv[1], store, &error) : SDB_NO_MEMORY;
  if (status != SDB_OK) fprintf(stderr, "mailbox_server: %s\n", error.message);
  sdb_mailbox_destroy(app.mailbox);
  sdb_store_destroy(store);
  return status == SDB_OK ? 0 : 1;
}
