/* test/unit/local_crash_test.c: what a crash leaves of the local file: a client killed amid
 * commits, and the file with its WAL cut off. */
#include "local_sqlite_kind.h"
#include "platform/platform.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
#define OBJECTS_A_COMMIT 3

/* Commit `number`: objects, the state and a push with its number, and the last push goes. */
static sdb_status commit_number(local_fixture *f, uint64_t number) {
  char text[32];
  snprintf(text, sizeof(text), "%d", (int)number);
  sdb_local_pending pending = pending_of(number, number, CHAT, text);
  sdb_local_change changes[OBJECTS_A_COMMIT + 3];
  for (uint64_t i = 0; i < OBJECTS_A_COMMIT; i++)
    changes[i] = put_of(CHAT, number * OBJECTS_A_COMMIT + i, number * OBJECTS_A_COMMIT + i, text);
  changes[OBJECTS_A_COMMIT] = state_of(CHAT, number * 10, (uint32_t)number, NULL, 0);
  changes[OBJECTS_A_COMMIT + 1] = pending_put_of(&pending);
  changes[OBJECTS_A_COMMIT + 2] = pending_drop_of(id_of(number - 1));
  sdb_local_commit commit = {
      .op = {.kind = SDB_LOCAL_COMMIT}, .changes = changes, .count = SDB_COUNT_OF(changes)};
  sdb_local_op sync = {.kind = SDB_LOCAL_SYNC};
  sdb_status status = local_submit(f, &commit.op);
  return status == SDB_OK && number % 5 == 0 ? local_submit(f, &sync) : status;
}

/* Checks that the file holds the commits up to one of them, whole: gives which. */
static uint64_t assert_whole(local_fixture *f) {
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->op.status, SDB_OK);
  uint64_t last = load->states[CHAT].wanted;
  if (last == 0) {
    assert_store_is_empty(f, CHAT);
    return 0;
  }
  assert_id(load->states[CHAT].head, id_of(last * 10));
  assert_int_equal(load->pending_count, 1);
  assert_int_equal(load->pending[0].position, last);
  uint64_t id = last * OBJECTS_A_COMMIT + OBJECTS_A_COMMIT - 1;
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .store = CHAT, .limit = 1000};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 1 << 20);
  do {
    assert_int_equal(local_submit(f, &page.op), SDB_OK);
    for (uint32_t i = 0; i < page.count; i++, id--)
      assert_id(page.records[i].id, id_of(id));
    if (page.count > 0) page.before = page.records[page.count - 1].id;
  } while (page.count > 0);
  assert_int_equal(id, OBJECTS_A_COMMIT - 1);
  sdb_buffer_free(&page.memory);
  return last;
}

/* Never returns: commits, and says so after each, until it is killed. */
static void commit_until_killed(local_fixture *f, int to, uint64_t number) {
  local_file_open(f);
  for (;; number++) {
    if (commit_number(f, number) != SDB_OK) _exit(1);
    if (write(to, &number, sizeof(number)) != sizeof(number)) _exit(2);
  }
}

/* Starts a client and kills it after it told of some commits; the last one it told of. */
static uint64_t crash(local_fixture *f, uint64_t number, int commits) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(ends[0]);
    commit_until_killed(f, ends[1], number);
  }
  close(ends[1]);
  uint64_t told = 0, said;
  while (read(ends[0], &said, sizeof(said)) == sizeof(said)) {
    told = said;
    if (--commits == 0) kill(child, SIGKILL);
  }
  close(ends[0]);
  int status;
  while (waitpid(child, &status, 0) < 0)
    assert_int_equal(errno, EINTR);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return told;
}

static void a_killed_client_keeps_every_commit_that_was_completed(void **state) {
  (void)state;
  local_fixture *f = local_open(&LOCAL_SQLITE_KIND);
  uint64_t next = 1;
  for (int round = 0; round < ROUNDS; round++) {
    local_file_close(f);
    uint64_t told = crash(f, next, 1 + round * round * 3);
    local_file_open(f);
    uint64_t last = assert_whole(f);
    assert_true(last >= told);
    next = last + 1;
  }
  local_file_close(f);
  assert_int_equal(sql(local_of(f)->path, "SELECT count(*) FROM pragma_integrity_check"
                                          " WHERE integrity_check <> 'ok'"),
      0);
  local_file_open(f);
  local_close(f);
}

static void a_cut_off_wal_leaves_a_prefix_of_the_commits(void **state) {
  (void)state;
  local_fixture *f = local_open(&LOCAL_SQLITE_KIND);
  const char *path = local_of(f)->path;
  local_reopen(f);
  for (uint64_t number = 1; number <= 12; number++)
    assert_int_equal(commit_number(f, number), SDB_OK);
  size_t file_size, wal_size;
  char *file = read_file(path, &file_size), *wal = read_file(path_with(path, "-wal"), &wal_size);
  local_file_close(f);
  uint64_t before = 0;
  for (size_t size = 0;; size += 1500) {
    if (size > wal_size) size = wal_size;
    unlink(path_with(path, "-shm"));
    write_file(path, file, file_size);
    write_file(path_with(path, "-wal"), wal, size);
    local_file_open(f);
    uint64_t last = assert_whole(f);
    assert_true(last >= before);
    before = last;
    local_file_close(f);
    if (size == wal_size) break;
  }
  assert_int_equal(before, 12);
  free(file);
  free(wal);
  local_file_open(f);
  local_close(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_killed_client_keeps_every_commit_that_was_completed),
      cmocka_unit_test(a_cut_off_wal_leaves_a_prefix_of_the_commits),
  };
  return cmocka_run_group_tests_name("local_crash", tests, NULL, NULL);
}
