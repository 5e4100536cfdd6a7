/* bench/partials_server.c: the server of `syncdb bench partials`: answers each message with a
 * partial, appended to token by token and then committed. The message's content says how many
 * tokens and how many microseconds to wait behind each: "400 2000"; "400 0" is as fast as the
 * library takes them.
 *
 *   partials_server sqlite://PATH
 *
 * Prints `listening on ws://127.0.0.1:PORT` when it is ready; ends at SIGTERM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <time.h>

#define TOKENS_MAX 100000
#define PAUSE_US_MAX 999999
#define WORKERS 64 /* the most there may be: so many streams run at a time */

static const sdb_slice TOKEN = {"token ", 6};

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

static void complain(const char *what, const sdb_error *error) {
  fprintf(stderr, "partials_server: %s: %s\n", what, error->message);
}

/* The two numbers of the object's content; none where it is something else. */
static void read_wish(sdb_slice object, long *tokens, long *pause_us) {
  static const char KEY[] = "\"content\":\"";
  const char *at = memmem(object.data, object.size, KEY, sizeof(KEY) - 1);
  char *end = NULL;
  *tokens = at ? strtol(at + sizeof(KEY) - 1, &end, 10) : 0;
  *pause_us = at ? strtol(end, NULL, 10) : 0;
  if (*tokens < 0 || *tokens > TOKENS_MAX) *tokens = 0;
  if (*pause_us < 0 || *pause_us > PAUSE_US_MAX) *pause_us = 0;
}

static sdb_status stream(sdb_partial *partial, long tokens, long pause_us) {
  struct timespec pause = {0, pause_us * 1000};
  sdb_status status = SDB_OK;
  for (; tokens > 0 && status == SDB_OK; tokens--) {
    status = sdb_partial_append(partial, "content", TOKEN);
    if (pause_us > 0) nanosleep(&pause, NULL);
  }
  return status;
}

static void answer(const sdb_event *event, sdb_context *context, void *argument) {
  const sdb_store *store = argument;
  sdb_partial *partial = NULL;
  sdb_error error = {0};
  if (event->action != SDB_ACTION_CREATE) return;
  sdb_slice object = sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}");
  if (sdb_partial_begin(context, store, object, &partial, &error) != SDB_OK)
    return complain("begin", &error);
  long tokens, pause_us;
  read_wish(event->object, &tokens, &pause_us);
  sdb_status status = stream(partial, tokens, pause_us);
  if (status == SDB_OK) status = sdb_partial_commit(partial, NULL, &error);
  if (status == SDB_OK) return;
  fprintf(stderr, "partials_server: %s: %s\n", sdb_status_text(status), error.message);
  sdb_partial_abort(partial);
}

static int serve(const char *url, sdb_store *store, sdb_error *error) {
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  sdb_database *database = NULL;
  uint16_t port = 0;
  options.url = url;
  options.stores = &store;
  options.stores_count = 1;
  options.workers = WORKERS;
  options.server.dev_auth = true;
  if (sdb_database_open(&options, &database, error) != SDB_OK) return 1;
  int status = 1;
  if (sdb_subscribe(database, store, answer, store, error) == SDB_OK &&
      sdb_listen(database, "127.0.0.1", 0, &port, error) == SDB_OK) {
    printf("listening on ws://127.0.0.1:%u\n", port);
    fflush(stdout);
    status = sdb_run(database) == SDB_OK ? 0 : 1;
  }
  sdb_database_close(database);
  return status;
}

int main(int argc, char **argv) {
  sdb_error error = {0};
  if (argc != 2) {
    fprintf(stderr, "usage: partials_server sqlite://PATH\n");
    return 2;
  }
  sdb_store *store = make_store(&error);
  int status = store ? serve(argv[1], store, &error) : 1;
  if (status) complain("cannot serve", &error);
  sdb_store_destroy(store);
  return status;
}
