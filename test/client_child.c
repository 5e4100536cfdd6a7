/* test/client_child.c: a device in a process of its own, to be killed (unit/client_kill_test.c).
 *
 *   client_child URL PATH SEED ROUND
 *
 * It pushes and updates messages without end, and writes a line to standard output for each push
 * once sdb_client_push has returned, and for each record that its watch was told of:
 *
 *   R                       it is open
 *   P TAG:VERSION           accepted
 *   S TAG:VERSION STATE     shown (sdb_record_state)
 *
 * An object's content is "TAG:VERSION": the tag stays, the version rises. A line is one write of
 * less than a pipe takes at once, so whoever is killed has written it whole or not at all.
 */
#include "client_child.h"
#include <pthread.h>
#include <syncdb/client.h>
#include <syncdb/syncdb.h>
#include <unistd.h>

#define KNOWN_MAX 48   /* the objects that are updated: the newest */
#define PUSHES_MAX 200 /* then it waits to be killed */
#define OFFLINE_PUSHES 8

static const sdb_field FIELDS[] = {
    {.name = "role", .type = SDB_TYPE_STRING},
    {.name = "content", .type = SDB_TYPE_STRING},
    {.name = NULL},
};

typedef struct known {
  char tag[CHILD_TAG_SIZE];
  unsigned version;
  sdb_uuid id, client_id; /* one of them may be nil */
} known;

static struct {
  pthread_mutex_t lock;
  known list[KNOWN_MAX];
  size_t count;
} objects = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void die(const char *what, const char *why) {
  dprintf(STDERR_FILENO, "client_child: %s: %s\n", what, why);
  _exit(1);
}

static void say(const char *line) {
  if (write(STDOUT_FILENO, line, strlen(line)) < 0) _exit(2); /* nobody listens any more */
}

/* With the lock. */
static known *find(const char *tag) {
  for (size_t i = 0; i < objects.count; i++)
    if (strcmp(objects.list[i].tag, tag) == 0) return &objects.list[i];
  return NULL;
}

/* Under which names an object is updated, and what its last version is. */
static void note(const char *tag, unsigned version, sdb_uuid id, sdb_uuid client_id) {
  pthread_mutex_lock(&objects.lock);
  known *k = find(tag);
  if (!k && objects.count == KNOWN_MAX) {
    memmove(objects.list, objects.list + 1, (KNOWN_MAX - 1) * sizeof(*objects.list));
    objects.count--;
  }
  if (!k) {
    k = &objects.list[objects.count++];
    memset(k, 0, sizeof(*k));
    snprintf(k->tag, sizeof(k->tag), "%s", tag);
  }
  if (version > k->version) k->version = version;
  if (!sdb_uuid_is_nil(id)) k->id = id;
  k->client_id = client_id;
  pthread_mutex_unlock(&objects.lock);
}

static void show(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)context, (void)client;
  for (size_t i = 0; i < changes->count; i++) {
    const sdb_client_record *record = &changes->changes[i].record;
    char tag[CHILD_TAG_SIZE], line[96];
    unsigned version;
    if (changes->changes[i].kind == SDB_CHANGE_RESET) die("watch", "a reset");
    if (!child_read_object(record->object, tag, &version)) continue;
    note(tag, version, record->id, record->client_id);
    snprintf(line, sizeof(line), "S %s:%u %d\n", tag, version, (int)record->state);
    say(line);
  }
}

static sdb_slice object_of(char *object, size_t size, const char *tag, unsigned version) {
  snprintf(object, size, "{\"role\":\"user\",\"content\":\"%s:%u\"}", tag, version);
  return sdb_slice_of(object);
}

static void accepted(const char *tag, unsigned version) {
  char line[96];
  snprintf(line, sizeof(line), "P %s:%u\n", tag, version);
  say(line);
}

static void push_one(sdb_client *client, const sdb_store *messages, const char *round, int number) {
  char tag[CHILD_TAG_SIZE], object[128];
  sdb_uuid client_id;
  sdb_error error;
  snprintf(tag, sizeof(tag), "%s.%d", round, number);
  sdb_slice text = object_of(object, sizeof(object), tag, 1);
  sdb_status status = sdb_client_push(client, messages, text, &client_id, &error);
  if (status != SDB_OK) die("push", error.message);
  accepted(tag, 1);
  note(tag, 1, (sdb_uuid){{0}}, client_id);
}

/* Only this thread makes versions. An object without an id goes by its client id, also where it
 * gets its id meanwhile. */
static void update_one(sdb_client *client, const sdb_store *messages, unsigned *seed) {
  char object[128];
  known k = {.version = 0};
  sdb_error error;
  pthread_mutex_lock(&objects.lock);
  if (objects.count > 0) k = objects.list[(unsigned)rand_r(seed) % objects.count];
  pthread_mutex_unlock(&objects.lock);
  sdb_uuid name = sdb_uuid_is_nil(k.id) ? k.client_id : k.id;
  if (sdb_uuid_is_nil(name)) return;
  sdb_slice text = object_of(object, sizeof(object), k.tag, k.version + 1);
  sdb_status status = sdb_client_update(client, messages, name, text, NULL, &error);
  if (status != SDB_OK) die("update", error.message);
  accepted(k.tag, k.version + 1);
  pthread_mutex_lock(&objects.lock);
  known *now = find(k.tag);
  if (now) now->version = k.version + 1;
  pthread_mutex_unlock(&objects.lock);
}

/* What the file holds, from the oldest of the newest. */
static void load(sdb_client *client, const sdb_store *messages) {
  sdb_client_records *records = NULL;
  sdb_error error;
  if (sdb_client_list(client, messages, (sdb_uuid){{0}}, KNOWN_MAX, &records, &error) != SDB_OK)
    die("list", error.message);
  for (size_t i = records->count; i > 0; i--) {
    const sdb_client_record *record = &records->records[i - 1];
    char tag[CHILD_TAG_SIZE];
    unsigned version;
    if (!child_read_object(record->object, tag, &version)) die("list", "an object of nobody's");
    note(tag, version, record->id, record->client_id);
  }
  sdb_client_records_free(records);
}

static sdb_store *make_store(void) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  sdb_store *store = NULL;
  sdb_error error;
  definition.name = "chat_message";
  definition.type = SDB_STORE_EVENT;
  definition.fields = FIELDS;
  if (sdb_store_create(&definition, &store, &error) != SDB_OK) die("store", error.message);
  return store;
}

int main(int count, char **arguments) {
  if (count != 5) die("usage", "client_child URL PATH SEED ROUND");
  unsigned seed = (unsigned)strtoul(arguments[3], NULL, 10);
  sdb_store *messages = make_store();
  sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
  sdb_client *client = NULL;
  sdb_error error;
  options.url = arguments[1];
  options.path = arguments[2];
  options.user = "ada";
  options.stores = &messages;
  options.stores_count = 1;
  options.start_offline = true;
  if (sdb_client_open(&options, &client, &error) != SDB_OK) die("open", error.message);
  load(client, messages);
  if (sdb_client_watch(client, messages, show, NULL, NULL, &error) != SDB_OK)
    die("watch", error.message);
  say("R\n");
  int offline = rand_r(&seed) % 2 ? rand_r(&seed) % OFFLINE_PUSHES : 0;
  for (int i = 0; i < PUSHES_MAX; i++) {
    if (i == offline) sdb_client_go_online(client);
    if (rand_r(&seed) % 3)
      push_one(client, messages, arguments[4], i);
    else
      update_one(client, messages, &seed);
  }
  pause();
  return 0;
}
