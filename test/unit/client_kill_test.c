/* client_kill_test.c: a device's process is killed at random moments, again and again, over one
 * local file. After each time all that it said it had accepted or shown is there without the
 * network; in the end the server has each object once, and the device has what the server has.
 *
 * SYNCDB_CLIENT_KILLS says how often. test/client_child.c is what is killed.
 */
#include "client_child.h"
#include "client_fixture.h"
#include "memory_folder.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILLS 25
#else
#define KILLS 500
#endif
#define LINES_MAX 150 /* less than a child writes before it only waits */
#define DELAY_US_MAX 12000
#define LISTED 1000

/* ---- objects by their tags ---- */

typedef struct entry {
  char tag[CHILD_TAG_SIZE];
  unsigned version;
  int state;
} entry;

typedef struct entries {
  entry *list;
  size_t count, capacity;
} entries;

static void add(entries *e, const char *tag, unsigned version, int state) {
  if (e->count == e->capacity) {
    e->capacity = e->capacity ? e->capacity * 2 : 256;
    e->list = realloc(e->list, e->capacity * sizeof(*e->list));
    assert_non_null(e->list);
  }
  entry *made = &e->list[e->count++];
  snprintf(made->tag, sizeof(made->tag), "%s", tag);
  made->version = version;
  made->state = state;
}

static const entry *find(const entries *e, const char *tag) {
  for (size_t i = 0; i < e->count; i++)
    if (strcmp(e->list[i].tag, tag) == 0) return &e->list[i];
  return NULL;
}

static int by_tag(const void *a, const void *b) {
  const entry *x = a, *y = b;
  int order = strcmp(x->tag, y->tag);
  return order ? order : (x->version > y->version) - (x->version < y->version);
}

static void add_object(entries *e, sdb_slice object, int state) {
  char tag[CHILD_TAG_SIZE];
  unsigned version = 0;
  assert_true(child_read_object(object, tag, &version));
  add(e, tag, version, state);
}

/* ---- a child ---- */

typedef struct child {
  pid_t pid;
  int fd; /* what it says */
  char *text;
  size_t size, capacity, lines;
} child;

static void start_child(fixture *f, child *c, const char *path, int round) {
  char seed[16], name[16], program[] = SDB_BIN_DIR "/client_child";
  int pipe_fds[2];
  posix_spawn_file_actions_t actions;
  snprintf(seed, sizeof(seed), "%d", round + 1);
  snprintf(name, sizeof(name), "r%d", round);
  char *arguments[] = {program, f->url, (char *)(uintptr_t)path, seed, name, NULL};
  assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
  assert_int_equal(posix_spawn(&c->pid, program, &actions, NULL, arguments, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_fds[1]);
  c->fd = pipe_fds[0];
  c->size = c->lines = 0;
}

/* Reads what there is, once; false: the end. */
static bool hear(child *c) {
  if (c->capacity - c->size < 4096) {
    c->capacity = c->capacity * 2 + 8192;
    c->text = realloc(c->text, c->capacity);
    assert_non_null(c->text);
  }
  ssize_t got = read(c->fd, c->text + c->size, c->capacity - c->size - 1);
  for (ssize_t i = 0; i < got; i++)
    c->lines += c->text[c->size + (size_t)i] == '\n';
  if (got > 0) c->size += (size_t)got;
  return got > 0;
}

static void hear_until(child *c, size_t lines) {
  struct pollfd polled = {c->fd, POLLIN, 0};
  while (c->lines < lines) {
    if (poll(&polled, 1, WAIT_MAX_MS) != 1) fail_msg("the child says nothing");
    if (!hear(c)) fail_msg("the child has ended");
  }
}

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* So that a child which waits for its reader is no slower than others. */
static void hear_for(child *c, uint64_t delay_us) {
  struct pollfd polled = {c->fd, POLLIN, 0};
  uint64_t until_us = now_us() + delay_us;
  for (uint64_t at_us = now_us(); at_us < until_us; at_us = now_us()) {
    struct timespec left = {0, (long)(until_us - at_us) * 1000};
    if (ppoll(&polled, 1, &left, NULL) == 1 && !hear(c)) fail_msg("the child has ended");
  }
}

static void kill_child(child *c) {
  int status;
  assert_int_equal(kill(c->pid, SIGKILL), 0);
  assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  while (hear(c))
    continue;
  close(c->fd);
  if (c->text) c->text[c->size] = 0;
}

/* ---- what must hold after a kill ---- */

static sdb_client_options child_options(fixture *f, const char *path, sdb_store **stores) {
  sdb_client_options options = device_options(f);
  stores[0] = f->messages;
  options.stores = stores;
  options.stores_count = 1;
  options.path = path;
  options.start_offline = true;
  return options;
}

static void assert_line(const entries *held, entries *reported, const char *line) {
  char tag[CHILD_TAG_SIZE];
  unsigned version = 0;
  if (strcmp(line, "R") == 0) return;
  assert_true((line[0] == 'P' || line[0] == 'S') && line[1] == ' ');
  const char *rest = child_read(line + 2, tag, &version);
  assert_non_null(rest);
  int state = (int)strtol(rest, NULL, 10); /* 0 where it was accepted */
  const entry *there = find(held, tag);
  if (!there) fail_msg("\"%s\" was said, and it is not held", line);
  if (there->version < version)
    fail_msg("\"%s\" was said, and version %u is held", line, there->version);
  if (there->state != SDB_RECORD_PENDING && there->state != SDB_RECORD_SYNCED)
    fail_msg("\"%s\" was said, and it is held in state %d", line, there->state);
  /* What was shown as the server's is not this device's word alone any more. */
  if (state == SDB_RECORD_SYNCED && there->version == version)
    assert_int_equal(there->state, SDB_RECORD_SYNCED);
  add(reported, tag, version, 0);
}

static void assert_lines(const entries *held, entries *reported, child *c) {
  char *rest = c->text;
  for (size_t i = 0; i < c->lines; i++) {
    char *end = strchr(rest, '\n');
    *end = 0;
    assert_line(held, reported, rest);
    rest = end + 1;
  }
  assert_int_equal(rest - c->text, c->size); /* no line is torn */
}

static void assert_held(fixture *f, const char *path, child *c, entries *reported) {
  sdb_store *stores[1];
  entries held = {0};
  device *d = open_device(f, child_options(f, path, stores));
  sdb_client_status status = status_of(d);
  assert_int_equal(status.storage, SDB_CLIENT_DURABLE);
  assert_string_equal(status.problem, "");
  assert_int_equal(status.failed, 0);
  sdb_client_records *records = NULL;
  assert_int_equal(sdb_client_list(d->client, f->messages, NIL, LISTED, &records, NULL), SDB_OK);
  for (size_t i = 0; i < records->count; i++)
    add_object(&held, records->records[i].object, (int)records->records[i].state);
  sdb_client_records_free(records);
  if (c->lines > 0) assert_lines(&held, reported, c);
  free(held.list);
  close_device(d);
}

/* ---- what must hold in the end ---- */

static void list_server(fixture *f, entries *all) {
  sdb_context *ada = context_of(f, "ada");
  sdb_uuid before = NIL;
  for (bool more = true; more;) {
    sdb_records *records = NULL;
    assert_int_equal(sdb_list(ada, f->messages, before, 1000, &records, NULL), SDB_OK);
    for (size_t i = 0; i < records->count; i++) {
      add_object(all, records->records[i].object, SDB_RECORD_SYNCED);
      before = records->records[i].event_id;
    }
    more = records->count > 0;
    sdb_records_free(records);
  }
  sdb_context_release(ada);
}

static void list_device(device *d, entries *all) {
  sdb_uuid before = NIL;
  for (bool more = true; more;) {
    sdb_client_records *records = NULL;
    assert_int_equal(sdb_client_list(d->client, d->messages, before, 1000, &records, NULL), SDB_OK);
    for (size_t i = 0; i < records->count; i++) {
      add_object(all, records->records[i].object, (int)records->records[i].state);
      before = records->records[i].id;
    }
    more = records->count > 0;
    sdb_client_records_free(records);
  }
}

static void assert_once_and_the_same(entries *server, entries *held) {
  assert_true(server->list && held->list);
  qsort(server->list, server->count, sizeof(*server->list), by_tag);
  qsort(held->list, held->count, sizeof(*held->list), by_tag);
  assert_int_equal(server->count, held->count);
  for (size_t i = 0; i < server->count; i++) {
    const entry *s = &server->list[i], *d = &held->list[i];
    if (i > 0 && strcmp(s->tag, s[-1].tag) == 0) fail_msg("%s was stored twice", s->tag);
    assert_string_equal(s->tag, d->tag);
    assert_int_equal(s->version, d->version);
    assert_int_equal(d->state, SDB_RECORD_SYNCED);
  }
}

/* All that was ever said is on the server, or something newer. */
static void assert_all_there(const entries *server, entries *reported) {
  size_t at = 0;
  if (reported->count > 0) qsort(reported->list, reported->count, sizeof(*reported->list), by_tag);
  for (size_t i = 0; i < reported->count; i++) {
    const entry *r = &reported->list[i];
    while (at < server->count && strcmp(server->list[at].tag, r->tag) < 0)
      at++;
    if (at == server->count || strcmp(server->list[at].tag, r->tag) != 0)
      fail_msg("%s is lost", r->tag);
    if (server->list[at].version < r->version)
      fail_msg("%s is there as version %u, not %u", r->tag, server->list[at].version, r->version);
  }
}

static void assert_delivered(fixture *f, const char *path, entries *reported) {
  sdb_store *stores[1];
  entries server = {0}, held = {0};
  device *d = open_device(f, child_options(f, path, stores));
  sdb_client_go_online(d->client);
  wait_synced(d);
  wait_delivered(d);
  assert_int_equal(status_of(d).failed, 0);
  list_server(f, &server);
  list_device(d, &held);
  close_device(d);
  assert_once_and_the_same(&server, &held);
  assert_all_there(&server, reported);
  print_message("%zu reports of %zu objects\n", reported->count, server.count);
  free(server.list);
  free(held.list);
}

/* ---- the test ---- */

static int kills(void) {
  const char *text = getenv("SYNCDB_CLIENT_KILLS");
  return text ? (int)strtol(text, NULL, 10) : KILLS;
}

static void what_a_killed_device_has_accepted_or_shown_is_kept(void **state) {
  fixture *f = *state;
  char path[96];
  child c = {.capacity = 0};
  entries reported = {0};
  unsigned seed = 1;
  /* A kill loses nothing that the system was given. */
  snprintf(path, sizeof(path), "%s/killed.sqlite", memory_folder[0] ? memory_folder : f->folder);
  for (int round = 0; round < kills(); round++) {
    start_child(f, &c, path, round);
    if (rand_r(&seed) % 4)
      hear_until(&c, 1 + (size_t)rand_r(&seed) % LINES_MAX);
    else
      hear_for(&c, (uint64_t)rand_r(&seed) % DELAY_US_MAX);
    kill_child(&c);
    assert_held(f, path, &c, &reported);
  }
  assert_delivered(f, path, &reported);
  free(reported.list);
  free(c.text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(what_a_killed_device_has_accepted_or_shown_is_kept),
  };
  return cmocka_run_group_tests(tests, make_memory_folder, remove_memory_folder);
}
