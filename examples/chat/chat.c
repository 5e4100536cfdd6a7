/* examples/chat/chat.c: the brief's application: a chat that answers.
 *
 * The server: every message of a user is answered, word by word, by a subscriber.
 * The stores are in stores.c.
 */
#include "stores.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <time.h>

/* ---- the answer ---- */

static const char *const WORDS[] = {"Hello, ", "how ", "can ", "I ", "help ", "you?"};
#define WORDS_COUNT (sizeof(WORDS) / sizeof(WORDS[0]))

/* As a language model would: a word now and then. */
static void think(void) {
  struct timespec pause = {0, 80 * 1000 * 1000};
  nanosleep(&pause, NULL);
}

/* Runs on a worker thread, so it may take its time. If it fails half way, the partial is aborted
 * when the context ends, and devices drop it. */
static void answer(const sdb_event *event, sdb_context *context, void *argument) {
  (void)argument;
  if (event->action != SDB_ACTION_CREATE) return;
  sdb_error error;
  sdb_partial *partial;
  sdb_status status = sdb_partial_begin(context, event->store,
      sdb_slice_of("{\"role\":\"assistant\",\"content\":\"\"}"), &partial, &error);
  if (status != SDB_OK) {
    fprintf(stderr, "cannot answer %s: %s\n", event->user, error.message);
    return;
  }
  for (size_t i = 0; i < WORDS_COUNT && status == SDB_OK; i++) {
    status = sdb_partial_append(partial, "content", sdb_slice_of(WORDS[i]));
    think();
  }
  status = sdb_partial_commit(partial, NULL, &error);
  if (status != SDB_OK) fprintf(stderr, "cannot answer %s: %s\n", event->user, error.message);
}

/* ---- the server ---- */

static void log_line(void *context, sdb_log_level level, const char *event, const char *message) {
  (void)context;
  if (level > SDB_LOG_INFO || strcmp(event, "listening") == 0) return; /* the welcome says that */
  fprintf(stderr, "%s: %s\n", event, message);
}

static void print_welcome(uint16_t port) {
  printf("listening on ws://127.0.0.1:%u\n\n"
         "Talk to it from other terminals, as many as you like:\n\n"
         "  build/bin/chat-terminal ada ws://127.0.0.1:%u\n\n"
         "or look at the protocol:\n\n"
         "  build/bin/syncdb connect --hello 'ws://127.0.0.1:%u/?user=ada'\n\n"
         "and paste this line:\n\n"
         "  {\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":{\"role\":\"user\","
         "\"content\":\"hi\"}}}\n\n"
         "Ctrl-C ends it; what was said is kept.\n",
      port, port, port);
  fflush(stdout);
}

static int run(sdb_database *database, const sdb_store *messages, uint16_t port) {
  sdb_error error;
  if (sdb_subscribe(database, messages, answer, NULL, &error) != SDB_OK ||
      sdb_listen(database, "127.0.0.1", port, &port, &error) != SDB_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  print_welcome(port);
  return sdb_run(database) == SDB_OK ? 0 : 1;
}

/* usage: chat [URL [PORT]] */
int main(int argc, char **argv) {
  sdb_error error;
  sdb_store **stores;
  size_t count;
  if (sdb_stores_create(syncdb_stores, &stores, &count, &error) != SDB_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  options.url = argc > 1 ? argv[1] : "sqlite://chat.sqlite";
  options.stores = stores;
  options.stores_count = count;
  options.server.dev_auth = true; /* believes ?user=NAME: for trying out, on loopback only */
  options.log = log_line;

  sdb_database *database;
  if (sdb_database_open(&options, &database, &error) != SDB_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  int code =
      run(database, stores[CHAT_MESSAGE], argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 8080);
  sdb_database_close(database);
  sdb_stores_destroy(stores, count);
  return code;
}
