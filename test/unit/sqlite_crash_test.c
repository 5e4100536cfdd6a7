/* test/unit/sqlite_crash_test.c: what a crash leaves: copies of the files taken at any moment, and
 * a process killed under load. */
#include "platform/platform.h"
#include "sqlite_kind.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <syncdb/admin.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_whole(const char *path) {
  char url[128];
  snprintf(url, sizeof(url), "sqlite://%s", path);
  sdb_inspection inspection;
  sdb_error error;
  sdb_status status = sdb_database_inspect(url, SDB_INSPECT_INTEGRITY, &inspection, &error);
  if (status != SDB_OK) fail_msg("%s", error.message);
  assert_string_equal(inspection.problem, "");
  assert_true(inspection.intact);
  sdb_inspection_free(&inspection);
}

/* Copies `from` to `to`, at most `size_max` bytes. */
static void copy_file(const char *from, const char *to, size_t size_max) {
  int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  assert_true(in >= 0 && out >= 0);
  char buffer[65536];
  while (size_max > 0) {
    ssize_t got = read(in, buffer, size_max < sizeof(buffer) ? size_max : sizeof(buffer));
    assert_true(got >= 0);
    if (got == 0) break;
    assert_int_equal(write(out, buffer, (size_t)got), got);
    size_max -= (size_t)got;
  }
  close(in);
  close(out);
}

/* ---- copies ---- */

/* The storage rests while its files are copied, so that they are of one moment; the WAL is then cut
 * as a power failure may cut it. */
static void a_cut_off_wal_leaves_a_prefix_of_the_commits(void **state) {
  (void)state;
  enum { COMMITS = 150 };
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  held->options.wal_pages_checkpoint = 1 << 30; /* the WAL keeps all commits */
  fixture_reopen(f);
  uint64_t ann = user_of(f, "ann");
  char body[16], wal[128];
  for (int i = 0; i < COMMITS; i++) {
    snprintf(body, sizeof(body), "%d", i);
    create(f, ann, CHAT, body, (uint64_t)i + 1, T0);
    if (i % 5 == 4) create(f, ann, ACCOUNT, body, 1000 + (uint64_t)i, T0);
  }
  snprintf(wal, sizeof(wal), "%s-wal", held->path);
  char folder[64], path[96], wal_copy[128];
  make_folder(folder);
  snprintf(path, sizeof(path), "%s/copy.sqlite", folder);
  snprintf(wal_copy, sizeof(wal_copy), "%s-wal", path);
  struct stat status;
  assert_int_equal(stat(wal, &status), 0);
  size_t whole = (size_t)status.st_size;
  assert_true(whole > 1000000);
  int64_t last = 0;
  for (size_t size = 0; last < COMMITS; size += 12345 + size / 3) {
    copy_file(held->path, path, SIZE_MAX);
    copy_file(wal, wal_copy, size);
    char shm[128];
    snprintf(shm, sizeof(shm), "%s-shm", path);
    unlink(shm);
    /* The last commit stands at the end: only the whole WAL holds it. */
    int64_t events = sql(path, "SELECT count(*) FROM log WHERE store = 1");
    assert_true(events >= last && (events == COMMITS) == (size >= whole));
    last = events;
    assert_whole(path);
  }
  fixture_close(f);
  drop_folder(folder);
}

/* ---- kill -9 ---- */

enum { CHILD_USERS = 3, AT_ONCE = 24, ROUNDS = 6, CLIENTS_MAX = 200000 };

static const char *const CHILD_NAMES[CHILD_USERS] = {"ann", "bob", "cid"};

static uint64_t user_for(const uint64_t *users, uint64_t client_number) {
  return users[client_number % CHILD_USERS];
}

static sdb_op_write *push_of(fixture *f, const uint64_t *users, uint64_t client_number) {
  sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, user_for(users, client_number), CHAT);
  write->client_id = client(client_number);
  write->body = sdb_slice_of("{\"role\":\"user\",\"content\":\"hi\"}");
  return write;
}

static void find_users(fixture *f, uint64_t *users) {
  for (int i = 0; i < CHILD_USERS; i++)
    users[i] = user_of(f, CHILD_NAMES[i]);
}

/* Never returns: pushes, and says through the pipe which client number all are acknowledged up to,
 * until it is killed. */
static void push_until_killed(fixture *f, int to, uint64_t next) {
  uint64_t users[CHILD_USERS];
  sqlite_open(f);
  find_users(f, users);
  for (;;) {
    sdb_op_write *first = NULL;
    for (int i = 0; i < AT_ONCE; i++) {
      sdb_op_write *write = push_of(f, users, next++);
      write->op.next = first ? &first->op : NULL;
      first = write;
    }
    fixture_submit(f, &first->op);
    if (first->op.status != SDB_OK || write(to, &next, sizeof(next)) != sizeof(next)) _exit(1);
  }
}

/* Starts a child, kills it after some acknowledgements; the first number not acknowledged. */
static uint64_t crash(fixture *f, uint64_t next, int acknowledgements) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(ends[0]);
    push_until_killed(f, ends[1], next);
  }
  close(ends[1]);
  uint64_t acknowledged = next, said;
  while (read(ends[0], &said, sizeof(said)) == sizeof(said)) {
    acknowledged = said;
    if (--acknowledgements == 0) kill(child, SIGKILL);
  }
  close(ends[0]);
  int status;
  while (waitpid(child, &status, 0) < 0)
    assert_int_equal(errno, EINTR);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return acknowledged;
}

/* Counts how often each client number is stored. */
static void count_stored(fixture *f, const uint64_t *users, uint8_t *stored) {
  memset(stored, 0, CLIENTS_MAX);
  for (int i = 0; i < CHILD_USERS; i++) {
    sdb_seq before = 0;
    for (bool more = true; more;) {
      sdb_op_page *page = do_page(f, users[i], CHAT, 0, before, 500);
      assert_int_equal(page->op.status, SDB_OK);
      for (uint32_t k = 0; k < page->count; k++) {
        uint64_t number = 0;
        memcpy(&number, page->events[k].client_id.bytes, sizeof(number));
        assert_true(number > 0 && number < CLIENTS_MAX);
        assert_int_equal(user_for(users, number), users[i]);
        stored[number]++;
      }
      more = page->more;
      if (page->count) before = page->events[page->count - 1].seq;
    }
  }
}

static void a_killed_server_keeps_what_it_acknowledged_once(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  uint8_t *stored = malloc(CLIENTS_MAX);
  uint64_t next = 1;
  for (int round = 0; round < ROUNDS; round++) {
    sqlite_close(f);
    uint64_t acknowledged = crash(f, next, 1 + round * round * 7);
    assert_true(acknowledged > next && acknowledged + 2 * AT_ONCE < CLIENTS_MAX);
    sqlite_open(f);
    uint64_t users[CHILD_USERS];
    find_users(f, users);
    count_stored(f, users, stored);
    for (uint64_t number = 1; number < acknowledged; number++)
      assert_int_equal(stored[number], 1);
    /* The clients come back and push again what they have no echo of, and some of the rest. */
    uint64_t again = acknowledged > 100 ? acknowledged - 100 : 1;
    for (; again < acknowledged + 2 * AT_ONCE; again++) {
      sdb_op_write *write = push_of(f, users, again);
      assert_int_equal(do_write(f, write), SDB_OK);
      assert_int_equal(write->duplicate, stored[again]);
    }
    next = again;
    count_stored(f, users, stored);
    for (uint64_t number = 1; number < CLIENTS_MAX; number++)
      assert_int_equal(stored[number], number < next);
    assert_whole(sqlite_of(f)->path);
  }
  free(stored);
  fixture_close(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cut_off_wal_leaves_a_prefix_of_the_commits),
      cmocka_unit_test(a_killed_server_keeps_what_it_acknowledged_once),
  };
  return cmocka_run_group_tests_name("sqlite_crash", tests, NULL, NULL);
}
