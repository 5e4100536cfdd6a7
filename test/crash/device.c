/* test/crash/device.c: a device that is killed, on <syncdb/client.h>.
 *
 *   crash_device MODE URL PATH NAME SEED USER DEVICE LIFE [CA]
 *
 *   work     pushes at random without end, until it is killed
 *   settle   pushes nothing; ends when nothing is unsynced
 *   dump     catches up, lists everything, ends
 *
 * NAME is whom it connects as. What it tells the driver stands in words.h. Threads: the main thread
 * pushes and keeps `pending`; `known` is shared with the client's thread, which fills it.
 */
#include "words.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/client.h>
#include <time.h>
#include <unistd.h>

#define KNOWN_MAX 64
#define PENDING_MAX 512     /* then it waits for answers */
#define PUSH_TIMEOUT_MS 400 /* so short that some pushes fail, and are sent again */
#define SETTLE_MS 90000
#define PAGE 1000

static const sdb_uuid NIL = {{0}};

typedef struct known {
  crash_number tag;
  sdb_uuid id; /* nil: of a create that was not seen back */
} known;

typedef struct pushed {
  sdb_uuid client_id;
  bool failed;
  bool there; /* in the list that was read last */
} pushed;

static struct {
  crash_stores stores;
  sdb_client *client;
  unsigned seed, user, device, life, count;
  pthread_mutex_t lock;
  known known[KNOWN_MAX];
  size_t known_count, known_next;
  pushed pending[PENDING_MAX];
  size_t pending_count;
  sdb_client_phase phase;
  sdb_client_storage storage;
} self = {.lock = PTHREAD_MUTEX_INITIALIZER};

static unsigned chance(unsigned below) {
  return (unsigned)rand_r(&self.seed) % below;
}

static void sleep_ms(unsigned ms) {
  struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&left, NULL);
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void log_line(void *context, sdb_log_level level, const char *event, const char *message) {
  (void)context;
  if (level > SDB_LOG_WARN) return;
  dprintf(STDERR_FILENO, "%d %s: %s\n", (int)getpid(), event, message);
  crash_say("W %s", event);
}

/* ---- what is shown ---- */

static void know(crash_number tag, sdb_uuid id) {
  pthread_mutex_lock(&self.lock);
  size_t at = 0;
  while (at < self.known_count && self.known[at].tag != tag)
    at++;
  if (at == KNOWN_MAX) {
    at = self.known_next++ % KNOWN_MAX;
  } else if (at == self.known_count) {
    self.known_count++;
  }
  self.known[at] = (known){tag, id};
  pthread_mutex_unlock(&self.lock);
}

static bool any_known(known *one) {
  pthread_mutex_lock(&self.lock);
  size_t count = self.known_count;
  if (count > 0) *one = self.known[chance((unsigned)count)];
  pthread_mutex_unlock(&self.lock);
  return count > 0;
}

static void say_record(char word, const sdb_store *store, const sdb_client_record *record) {
  crash_number tag, push;
  char id[CRASH_UUID_SIZE], event_id[CRASH_UUID_SIZE];
  if (!crash_read_object(&self.stores, store, record->object, &tag, &push))
    crash_die(
        "%s holds %.*s", sdb_store_name(store), (int)record->object.size, record->object.data);
  if (store == self.stores.items) know(tag, record->id);
  crash_uuid_text(record->id, id);
  crash_uuid_text(record->event_id, event_id);
  crash_say(
      "%c %llu %llu %s %s", word, (unsigned long long)tag, (unsigned long long)push, id, event_id);
}

static void show(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)context, (void)client;
  for (size_t i = 0; i < changes->count; i++) {
    const sdb_client_change *change = &changes->changes[i];
    if (change->kind == SDB_CHANGE_PUT && change->record.state == SDB_RECORD_SYNCED)
      say_record('S', changes->store, &change->record);
  }
}

static void on_status(void *context, sdb_client *client, const sdb_client_status *status) {
  (void)context, (void)client;
  if (status->phase == self.phase && status->storage == self.storage) return;
  self.phase = status->phase;
  self.storage = status->storage;
  crash_say("H %d %d", (int)status->phase, (int)status->storage);
}

/* ---- what is unsynced ---- */

static void say_of(char word, sdb_uuid client_id, const char *more) {
  char text[CRASH_UUID_SIZE];
  crash_uuid_text(client_id, text);
  crash_say("%c %s%s%s", word, text, more ? " " : "", more ? more : "");
}

/* A change of a create that was never sent goes by the create's client id. */
static void keep(sdb_uuid client_id) {
  for (size_t i = 0; i < self.pending_count; i++)
    if (sdb_uuid_equal(self.pending[i].client_id, client_id)) return;
  if (self.pending_count == PENDING_MAX) crash_die("more is unsynced than was pushed");
  self.pending[self.pending_count++] = (pushed){client_id, false, false};
}

static sdb_unsynced_list *list_unsynced(void) {
  sdb_unsynced_list *list = NULL;
  sdb_error error;
  if (sdb_client_unsynced(self.client, &list, &error) != SDB_OK)
    crash_die("unsynced: %s", error.message);
  return list;
}

/* What an earlier life has left in the file. */
static void take_over(const sdb_unsynced *push) {
  static const char KINDS[] = {
      [SDB_ACTION_CREATE] = 'c', [SDB_ACTION_UPDATE] = 'u', [SDB_ACTION_DELETE] = 'r'};
  crash_number tag, number = 0;
  char text[CRASH_UUID_SIZE];
  if (push->action != SDB_ACTION_DELETE &&
      !crash_read_object(&self.stores, push->store, push->object, &tag, &number))
    crash_die("an unsynced object of nobody's");
  crash_uuid_text(push->client_id, text);
  crash_say("U %llu %s %c", (unsigned long long)number, text, KINDS[push->action]);
  keep(push->client_id);
}

/* A push that the server did not answer in time is sent again; what it refused is given up. */
static void settle_failed(const sdb_unsynced *push, pushed *mine) {
  if (!push->error) {
    mine->failed = false;
    return;
  }
  if (!mine->failed) say_of('F', push->client_id, sdb_status_name(push->error->status));
  mine->failed = true;
  if (push->error->status == SDB_UNAVAILABLE || push->error->status == SDB_RATE_LIMITED) {
    (void)!sdb_client_retry(self.client, push->client_id);
  } else if (sdb_client_discard(self.client, push->client_id) == SDB_OK) {
    say_of('G', push->client_id, NULL);
  }
}

/* What is no longer in the list was seen back, or given up. What is new in it is from an earlier
 * life: its file was opened now, or can be used again now. */
static void look(void) {
  sdb_unsynced_list *list = list_unsynced();
  for (size_t i = 0; i < self.pending_count; i++)
    self.pending[i].there = false;
  for (size_t i = 0; i < list->count; i++) {
    size_t at = 0;
    while (at < self.pending_count &&
           !sdb_uuid_equal(self.pending[at].client_id, list->pushes[i].client_id))
      at++;
    if (at == self.pending_count) take_over(&list->pushes[i]);
    self.pending[at].there = true;
    settle_failed(&list->pushes[i], &self.pending[at]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < self.pending_count; i++) {
    if (self.pending[i].there)
      self.pending[kept++] = self.pending[i];
    else if (!self.pending[i].failed)
      say_of('D', self.pending[i].client_id, NULL);
  }
  self.pending_count = kept;
  sdb_unsynced_free(list);
}

/* ---- pushing ---- */

static bool is_durable(void) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(self.client, &status);
  return status.storage == SDB_CLIENT_DURABLE;
}

/* A push whose store is singular is in memory only, whatever the file is. */
static void accepted(char kind, crash_number push, sdb_uuid client_id) {
  char text[CRASH_UUID_SIZE];
  crash_uuid_text(client_id, text);
  crash_say("P %llu %s %d", (unsigned long long)push, text, kind != 's' && is_durable());
  if (!sdb_uuid_is_nil(client_id)) keep(client_id);
}

static void push_one(void) {
  static const char KINDS[] = "ccccccquuuuurrs";
  const crash_stores *stores = &self.stores;
  char kind = KINDS[chance(sizeof(KINDS) - 1)], object[CRASH_OBJECT_MAX];
  crash_number push = crash_number_of(self.user, self.device, self.life, self.count++);
  known of = {push, NIL};
  sdb_uuid client_id = NIL;
  sdb_error error;
  sdb_status status;
  if ((kind == 'u' || kind == 'r') && !any_known(&of)) kind = 'c';
  crash_say("I %c %llu %llu", kind, (unsigned long long)of.tag, (unsigned long long)push);
  crash_object(kind, of.tag, push, 0, object);
  sdb_slice text = sdb_slice_of(object);
  if (kind == 'u')
    status = sdb_client_update(self.client, stores->items, of.id, text, &client_id, &error);
  else if (kind == 'r')
    status = sdb_client_remove(self.client, stores->items, of.id, &client_id, &error);
  else
    status = sdb_client_push(self.client,
        kind == 'q'   ? stores->messages
        : kind == 's' ? stores->settings
                      : stores->items,
        text, &client_id, &error);
  if (status == SDB_OK) {
    accepted(kind, push, client_id);
    if (kind == 'c') know(push, client_id);
  } else {
    crash_say("N %llu %s", (unsigned long long)push, sdb_status_name(status));
    if (status != SDB_NOT_FOUND) crash_die("a push was refused: %s", error.message);
  }
}

/* ---- the three modes ---- */

static void hurry(void) {
  if (self.phase == SDB_CLIENT_OFFLINE) sdb_client_go_online(self.client);
}

static void work(void) {
  unsigned offline = chance(2) ? 0 : chance(10);
  for (unsigned turn = 0;; turn++) {
    unsigned burst = chance(3) ? chance(4) : chance(16);
    for (unsigned i = 0; i < burst; i++)
      if (self.pending_count < PENDING_MAX / 2 && self.count + 1 < CRASH_PUSHES_MAX) push_one();
    look();
    if (turn >= offline) hurry();
    sleep_ms(chance(60));
  }
}

static void wait_for(sdb_client_goal goal, const char *what) {
  uint64_t until_ms = now_ms() + SETTLE_MS;
  while (sdb_client_wait(self.client, goal, 20) != SDB_OK) {
    if (now_ms() > until_ms) {
      sdb_client_status status = {.size = sizeof(status)};
      sdb_client_get_status(self.client, &status);
      crash_die("%s after %u ms: phase %d, %u pending, %u failed, %s", what, SETTLE_MS,
          (int)status.phase, status.pending, status.failed, status.problem);
    }
    look();
    hurry();
  }
}

static void settle(void) {
  do {
    wait_for(SDB_CLIENT_DELIVERED, "not delivered");
    wait_for(SDB_CLIENT_SYNCED, "not synced");
    look();
  } while (self.pending_count > 0);
}

static void list_store(const sdb_store *store, size_t *count) {
  sdb_uuid before = NIL;
  sdb_error error;
  for (bool more = true; more;) {
    sdb_client_records *records = NULL;
    if (sdb_client_list(self.client, store, before, PAGE, &records, &error) != SDB_OK)
      crash_die("list: %s", error.message);
    for (size_t i = 0; i < records->count; i++) {
      const sdb_client_record *record = &records->records[i];
      if (record->state != SDB_RECORD_SYNCED || record->gap)
        crash_die("at the end a record has state %d", (int)record->state);
      say_record('L', store, record);
      before = record->id;
    }
    *count += records->count;
    more = records->count > 0;
    sdb_client_records_free(records);
  }
}

static void dump(void) {
  sdb_client_records *records = NULL;
  size_t count = 0;
  wait_for(SDB_CLIENT_SYNCED, "not synced");
  list_store(self.stores.items, &count);
  list_store(self.stores.messages, &count);
  sdb_status status = sdb_client_singular(self.client, self.stores.settings, &records, NULL);
  if (status == SDB_OK) {
    say_record('L', self.stores.settings, &records->records[0]);
    count++;
  } else if (status != SDB_NOT_FOUND) {
    crash_die("singular: %s", sdb_status_name(status));
  }
  sdb_client_records_free(records);
  crash_say("E %zu", count);
}

static void open_client(char **arguments) {
  sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
  sdb_error error;
  options.url = arguments[2];
  options.path = arguments[3];
  options.user = arguments[4];
  options.stores = self.stores.all;
  options.stores_count = self.stores.count;
  options.push_timeout_ms = PUSH_TIMEOUT_MS;
  options.start_offline = true;
  options.status = on_status;
  options.log = log_line;
  options.tls_ca = arguments[9];
  if (sdb_client_open(&options, &self.client, &error) != SDB_OK)
    crash_die("open: %s", error.message);
  look();
  crash_say("R %d", is_durable());
  if (sdb_client_watch(self.client, NULL, show, NULL, NULL, &error) != SDB_OK)
    crash_die("watch: %s", error.message);
}

int main(int count, char **arguments) {
  crash_follow_parent();
  if (count != 9 && count != 10)
    crash_die("usage: crash_device MODE URL PATH NAME SEED USER DEVICE LIFE [CA]");
  self.stores = crash_stores_make();
  self.seed = (unsigned)strtoul(arguments[5], NULL, 10);
  self.user = (unsigned)strtoul(arguments[6], NULL, 10);
  self.device = (unsigned)strtoul(arguments[7], NULL, 10);
  self.life = (unsigned)strtoul(arguments[8], NULL, 10);
  self.phase = SDB_CLIENT_OFFLINE;
  open_client(arguments);
  if (strcmp(arguments[1], "work") == 0) work();
  sdb_client_go_online(self.client);
  if (strcmp(arguments[1], "settle") == 0)
    settle();
  else
    dump();
  sdb_client_close(self.client);
  crash_stores_destroy(&self.stores);
  return 0;
}
