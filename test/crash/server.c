/* test/crash/server.c: the server that is killed, on the public headers.
 *
 *   crash_server URL SEED DURABILITY [CERT KEY]
 *
 * It listens on a port of its own and answers questions: it streams an answer as a partial and
 * commits it, and gives some up half-way. What it tells the driver stands in words.h.
 */
#include "words.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/syncdb.h>
#include <time.h>
#include <unistd.h>

typedef struct server {
  crash_stores stores;
  unsigned seed;
} server;

static void log_line(void *context, sdb_log_level level, const char *event, const char *message) {
  (void)context;
  if (level > SDB_LOG_WARN) return;
  dprintf(STDERR_FILENO, "%d %s: %s\n", (int)getpid(), event, message);
  crash_say("W %s", event);
}

static void sleep_us(long us) {
  struct timespec left = {0, us * 1000};
  nanosleep(&left, NULL);
}

/* What a disk that is full refuses, and what is refused because the server shuts down, is no
 * failure: nothing was promised. */
static void answer(const sdb_event *event, sdb_context *context, void *argument) {
  server *self = argument;
  crash_number tag, question;
  char object[CRASH_OBJECT_MAX], piece[64], id[CRASH_UUID_SIZE], event_id[CRASH_UUID_SIZE];
  sdb_partial *partial = NULL;
  sdb_receipt receipt;
  if (event->action != SDB_ACTION_CREATE) return;
  if (!crash_read_object(&self->stores, event->store, event->object, &tag, &question))
    crash_die("the subscriber was told of an object of nobody's");
  crash_number push = crash_answer_to(question);
  unsigned seed = (unsigned)push ^ self->seed;
  crash_object('a', push, push, 0, object);
  if (sdb_partial_begin(context, self->stores.messages, sdb_slice_of(object), &partial, NULL) !=
      SDB_OK)
    return;
  crash_say("I a %llu %llu", (unsigned long long)push, (unsigned long long)push);
  bool given_up = rand_r(&seed) % 8 == 0;
  for (int i = 0; i < CRASH_PIECES - given_up; i++) {
    crash_piece(push, i, piece, sizeof(piece));
    if (sdb_partial_append(partial, "text", sdb_slice_of(piece)) != SDB_OK) given_up = true;
    if (rand_r(&seed) % 2) sleep_us(rand_r(&seed) % 2000);
  }
  if (given_up || sdb_partial_commit(partial, &receipt, NULL) != SDB_OK) {
    sdb_partial_abort(partial);
    return;
  }
  crash_uuid_text(receipt.id, id);
  crash_uuid_text(receipt.event_id, event_id);
  crash_say("V %llu %s %s", (unsigned long long)push, id, event_id);
}

int main(int count, char **arguments) {
  crash_follow_parent();
  if (count != 4 && count != 6) crash_die("usage: crash_server URL SEED DURABILITY [CERT KEY]");
  server self = {crash_stores_make(), (unsigned)strtoul(arguments[2], NULL, 10)};
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  sdb_database *database = NULL;
  sdb_error error;
  uint16_t port;
  options.url = arguments[1];
  options.stores = self.stores.all;
  options.stores_count = self.stores.count;
  options.durability =
      strcmp(arguments[3], "full") == 0 ? SDB_DURABILITY_FULL : SDB_DURABILITY_NORMAL;
  options.server.dev_auth = true;
  if (count == 6) {
    options.server.tls_cert = arguments[4];
    options.server.tls_key = arguments[5];
  }
  options.log = log_line;
  if (sdb_database_open(&options, &database, &error) != SDB_OK) {
    dprintf(STDERR_FILENO, "%d cannot open: %s\n", (int)getpid(), error.message);
    return 4;
  }
  if (sdb_subscribe(database, self.stores.messages, answer, &self, &error) != SDB_OK)
    crash_die("subscribe: %s", error.message);
  if (sdb_listen(database, "127.0.0.1", 0, &port, &error) != SDB_OK)
    crash_die("listen: %s", error.message);
  crash_say("R %u", port);
  if (sdb_run(database) != SDB_OK) crash_die("run");
  sdb_database_close(database);
  crash_stores_destroy(&self.stores);
  return 0;
}
