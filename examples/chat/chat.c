/* examples/chat/chat.c: the brief's application: a chat that answers.
 *
 * The server: every message of a user is answered, word by word, by a subscriber.
 * The stores are in stores.c, the page that it serves is built from web/.
 */
#include "stores.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <time.h>
#include <unistd.h>

/* ---- the answer ---- */

static const char ANSWER[] =
    "Hello, how can I help you? I am no language model, only an example that answers as one "
    "would: each word goes to all of your devices as it is written, and the whole is kept once "
    "it is finished. Open another tab, or another browser, and watch.";

/* As a language model would: a word now and then. */
static void think(void) {
  struct timespec pause = {0, 50 * 1000 * 1000};
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
  for (const char *word = ANSWER; *word && status == SDB_OK;) {
    size_t size = strcspn(word, " ") + 1;
    if (!word[size - 1]) size--; /* the last one has no space behind it */
    status = sdb_partial_append(partial, "content", sdb_slice_make(word, size));
    word += size;
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

static void print_welcome(uint16_t port, bool has_page) {
  printf("listening on ws://127.0.0.1:%u\n\n"
         "Talk to it from other terminals, as many as you like:\n\n"
         "  build/bin/chat-terminal ada ws://127.0.0.1:%u\n\n"
         "or look at the protocol:\n\n"
         "  build/bin/syncdb connect --hello 'ws://127.0.0.1:%u/?user=ada'\n\n"
         "and paste this line:\n\n"
         "  {\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":{\"role\":\"user\","
         "\"content\":\"hi\"}}}\n\n"
         "Ctrl-C ends it; what was said is kept.\n\n",
      port, port, port);
  if (has_page)
    printf("The chat is a page too. Open it, in as many tabs and browsers as you like:\n\n"
           "  http://127.0.0.1:%u/?user=ada\n\n",
        port);
  else
    printf("Its page is not built: examples/chat/web/build does that.\n\n");
  fflush(stdout);
}

static int run(sdb_database *database, const sdb_store *messages, uint16_t port, bool has_page) {
  sdb_error error;
  if (sdb_subscribe(database, messages, answer, NULL, &error) != SDB_OK ||
      sdb_listen(database, "127.0.0.1", port, &port, &error) != SDB_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  print_welcome(port, has_page);
  return sdb_run(database) == SDB_OK ? 0 : 1;
}

/* Where the built page is, or NULL: the chat goes without it. */
static const char *find_page(void) {
  return access(CHAT_PAGE "/index.html", R_OK) == 0 ? CHAT_PAGE : NULL;
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
  options.server.pages = find_page();
  options.log = log_line;

  sdb_database *database;
  if (sdb_database_open(&options, &database, &error) != SDB_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  uint16_t port = argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 8080;
  int code = run(database, stores[CHAT_MESSAGE], port, options.server.pages != NULL);
  sdb_database_close(database);
  sdb_stores_destroy(stores, count);
  return code;
}
