/* test/unit/local_sqlite_test.c: the device's storage in SQLite: the conformance suite, then what
 * is its own: whose the file is, who has it open, its stores, its disk. */
#include "failing_memory.h"
#include "failing_vfs.h"
#include "local_sqlite_kind.h"
#include "platform/platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state) {
  *state = local_open(&LOCAL_SQLITE_KIND);
  return 0;
}

static int teardown(void **state) {
  local_close(*state);
  return 0;
}

/* ---- whose file it is ---- */

static long size_of(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? (long)status.st_size : 0;
}

static void a_file_is_for_its_user_alone(void **state) {
  local_fixture *f = *state;
  static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
  apply(f, put_of(CHAT, 1, 1, "private"));
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++) {
    struct stat status;
    assert_int_equal(stat(path_with(local_of(f)->path, SUFFIXES[i]), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
  }
}

static void another_users_file_is_refused_and_left_as_it_is(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  apply(f, put_of(CHAT, 1, 1, "ada's"));
  local_file_close(f);
  size_t before_size, after_size;
  char *before = read_file(held->path, &before_size);
  held->options.user = "eve";
  assert_local_refused(f, SDB_CONFLICT, false, "another user: ada");
  held->options.user = "ada";
  held->options.server = "wss://elsewhere.example/";
  assert_local_refused(f, SDB_CONFLICT, false, "another server: ws://127.0.0.1:8080/");
  char *after = read_file(held->path, &after_size);
  assert_int_equal(after_size, before_size);
  assert_memory_equal(after, before, before_size);
  assert_int_equal(size_of(path_with(held->path, "-wal")), 0);
  free(before);
  free(after);
  held->options.server = "ws://127.0.0.1:8080/";
  local_file_open(f);
  assert_store_is(f, CHAT, "ada's");
}

static void another_users_file_keeps_the_wal_of_a_crash(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  apply(f, put_of(CHAT, 1, 1, "in the WAL"));
  size_t file_size, wal_size, after_size;
  char *file = read_file(held->path, &file_size);
  char *wal = read_file(path_with(held->path, "-wal"), &wal_size);
  assert_non_null(wal);
  local_file_close(f);
  write_file(held->path, file, file_size);
  write_file(path_with(held->path, "-wal"), wal, wal_size);
  held->options.user = "eve";
  assert_local_refused(f, SDB_CONFLICT, false, "another user");
  char *after = read_file(path_with(held->path, "-wal"), &after_size);
  assert_non_null(after);
  assert_int_equal(after_size, wal_size);
  assert_memory_equal(after, wal, wal_size);
  free(file);
  free(wal);
  free(after);
  held->options.user = "ada";
  local_file_open(f);
  assert_store_is(f, CHAT, "in the WAL");
}

static void a_newer_versions_file_is_refused(void **state) {
  local_fixture *f = *state;
  local_file_close(f);
  sql(local_of(f)->path, "PRAGMA user_version=2");
  assert_local_refused(f, SDB_BAD_FORMAT, false, "newer syncdb: format version 2");
  assert_int_equal(sql(local_of(f)->path, "PRAGMA user_version"), 2);
}

static void another_programs_database_is_refused_and_left_as_it_is(void **state) {
  local_fixture *f = *state;
  const char *path = local_of(f)->path;
  local_file_close(f);
  unlink(path);
  sql(path, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES(7)");
  size_t before_size, after_size;
  char *before = read_file(path, &before_size);
  assert_local_refused(f, SDB_BAD_FORMAT, false, "a SQLite database of another program");
  char *after = read_file(path, &after_size);
  assert_int_equal(after_size, before_size);
  assert_memory_equal(after, before, before_size);
  free(before);
  free(after);
}

static void a_servers_database_is_refused(void **state) {
  local_fixture *f = *state;
  local_file_close(f);
  unlink(local_of(f)->path);
  sdb_sqlite_options options = sqlite_options(local_of(f)->path, (sdb_storage_sink){NULL, NULL});
  sdb_sqlite *server;
  sdb_error error;
  assert_int_equal(sdb_sqlite_open(&options, &server, &error), SDB_OK);
  sdb_sqlite_close(server);
  assert_local_refused(f, SDB_BAD_FORMAT, false, "a SQLite database of another program");
}

static void a_text_is_refused_however_often_it_is_tried(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  local_file_close(f);
  unlink(path_with(held->path, "-lock"));
  char text[6000];
  memset(text, 'x', sizeof(text));
  write_file(held->path, text, sizeof(text));
  for (int i = 0; i < 3; i++)
    assert_local_refused(f, SDB_BAD_FORMAT, false, "not a database");
  size_t size;
  char *after = read_file(held->path, &size);
  assert_int_equal(size, sizeof(text));
  assert_memory_equal(after, text, size);
  free(after);
}

static void an_empty_file_is_made_a_new_one(void **state) {
  local_fixture *f = *state;
  local_file_close(f);
  write_file(local_of(f)->path, "", 0);
  local_file_open(f);
  assert_store_is_empty(f, CHAT);
  assert_true(apply(f, put_of(CHAT, 1, 1, "one")));
}

/* ---- who has it open ---- */

static void a_second_client_is_told_that_the_file_is_open(void **state) {
  local_fixture *f = *state;
  local_held second = *local_of(f);
  local_fixture other = {.kind = &LOCAL_SQLITE_KIND, .storage = &second};
  assert_local_refused(&other, SDB_BUSY, false, "another client has this file open");
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    bool damaged;
    sdb_error error;
    _exit(local_file_try(&other, &damaged, &error) == SDB_BUSY ? 7 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
  assert_true(apply(f, put_of(CHAT, 1, 1, "goes on")));
  local_reopen(f);
  assert_store_is(f, CHAT, "goes on");
}

/* ---- stores ---- */

static void open_with(local_fixture *f, const sdb_storage_store *stores, size_t count) {
  local_file_close(f);
  local_of(f)->options.stores = stores;
  local_of(f)->options.stores_count = count;
  local_file_open(f);
}

static void stores_are_found_by_name_in_any_order(void **state) {
  local_fixture *f = *state;
  static const sdb_storage_store TURNED[] = {{"account", SDB_STORE_SINGULAR},
      {"new_one", SDB_STORE_EVENT}, {"note", SDB_STORE_EVENT}, {"chat_message", SDB_STORE_EVENT}};
  sdb_local_pending pending = pending_of(3, 9, NOTE, "unsynced");
  sdb_local_change changes[] = {put_of(CHAT, 1, 1, "chat"), put_of(NOTE, 2, 2, "note"),
      singular_of(ACCOUNT, 3, 3, "account"), state_of(NOTE, 50, 4, NULL, 0),
      pending_put_of(&pending), remove_of(CHAT, 5, 10, true)};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  open_with(f, TURNED, SDB_COUNT_OF(TURNED));
  assert_store_is(f, 0, "account");
  assert_store_is_empty(f, 1);
  assert_store_is(f, 2, "note");
  assert_store_is(f, 3, "chat");
  sdb_local_load *load = load_all(f);
  assert_id(load->states[2].head, id_of(50));
  assert_id(load->states[0].head, NIL);
  assert_int_equal(load->pending_count, 1);
  assert_int_equal(load->pending[0].store, 2);
  assert_false(apply(f, put_of(3, 5, 9, "held off")));
}

static void a_store_that_is_not_open_stays_as_it_is(void **state) {
  local_fixture *f = *state;
  sdb_local_pending pending = pending_of(3, 9, NOTE, "unsynced");
  sdb_local_change changes[] = {put_of(NOTE, 2, 2, "note"), state_of(NOTE, 50, 4, NULL, 0),
      pending_put_of(&pending), remove_of(NOTE, 5, 10, true), put_of(CHAT, 1, 1, "chat")};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  open_with(f, CONFORMANCE_STORES, 1);
  assert_int_equal(load_all(f)->pending_count, 0);
  sdb_local_change any = remove_of(SDB_LOCAL_ANY, 2, 20, false);
  assert_int_equal(commit_changes(f, &any, 1), SDB_OK);
  assert_false(any.applied);
  assert_int_equal(any.store, SDB_LOCAL_ANY);
  apply(f, change_of(SDB_LOCAL_CLEAR, CHAT));
  apply(f, change_of(SDB_LOCAL_FORGET, CHAT));
  open_with(f, CONFORMANCE_STORES, STORES);
  assert_store_is_empty(f, CHAT);
  assert_store_is(f, NOTE, "note");
  sdb_local_load *load = load_all(f);
  assert_id(load->states[NOTE].head, id_of(50));
  assert_int_equal(load->pending_count, 1);
  assert_false(apply(f, put_of(NOTE, 5, 10, "held off")));
}

/* Its head is of the database that was noted, and would be told to the other. */
static void a_store_that_is_not_open_is_cleared_when_another_database_is_noted(void **state) {
  local_fixture *f = *state;
  sdb_local_pending pending = pending_of(3, 9, NOTE, "unsynced");
  sdb_local_change changes[] = {database_of(1), put_of(NOTE, 2, 2, "note"),
      state_of(NOTE, 50, 4, NULL, 0), pending_put_of(&pending), remove_of(NOTE, 5, 10, true),
      put_of(CHAT, 1, 1, "chat"), state_of(CHAT, 60, 0, NULL, 0)};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  open_with(f, CONFORMANCE_STORES, 1);
  apply(f, database_of(1)); /* no other one */
  open_with(f, CONFORMANCE_STORES, STORES);
  assert_store_is(f, NOTE, "note");
  assert_id(load_all(f)->states[NOTE].head, id_of(50));
  open_with(f, CONFORMANCE_STORES, 1);
  apply(f, database_of(2));
  assert_store_is(f, CHAT, "chat"); /* it is open: the replica sees to it */
  open_with(f, CONFORMANCE_STORES, STORES);
  assert_store_is(f, CHAT, "chat");
  assert_store_is_empty(f, NOTE);
  sdb_local_load *load = load_all(f);
  assert_id(load->database, id_of(2));
  assert_id(load->states[CHAT].head, id_of(60));
  assert_id(load->states[NOTE].head, NIL);
  assert_int_equal(load->pending_count, 1);
  assert_true(apply(f, put_of(NOTE, 5, 9, "held off no more")));
}

static void pushes_of_stores_never_open_together_keep_their_order(void **state) {
  local_fixture *f = *state;
  sdb_local_pending first = pending_of(1, 10, CHAT, "1"), second = pending_of(2, 11, CHAT, "2");
  apply(f, pending_put_of(&first));
  apply(f, pending_put_of(&second));
  open_with(f, CONFORMANCE_STORES + NOTE, 1);
  sdb_local_pending other = pending_of(1, 20, 0, "1 too"), last = pending_of(9, 21, 0, "9");
  other.created_ms += 5;
  apply(f, pending_put_of(&other));
  apply(f, pending_put_of(&last));
  open_with(f, CONFORMANCE_STORES, STORES);
  sdb_local_load *load = load_all(f);
  assert_int_equal(load->pending_count, 4);
  static const char *const EXPECTED[] = {"1", "1 too", "2", "9"};
  for (uint64_t i = 0; i < 4; i++) {
    assert_body(load->pending[i].object, EXPECTED[i]);
    assert_true(load->pending[i].position > (i > 0 ? load->pending[i - 1].position : 0));
  }
  assert_int_equal(load->pending[1].store, NOTE);
}

static void a_store_of_another_type_begins_anew_but_for_its_pushes(void **state) {
  local_fixture *f = *state;
  static const sdb_storage_store CHANGED[] = {{"chat_message", SDB_STORE_SINGULAR},
      {"note", SDB_STORE_EVENT}, {"account", SDB_STORE_EVENT}};
  sdb_local_pending pending = pending_of(3, 9, CHAT, "unsynced");
  sdb_local_change changes[] = {put_of(CHAT, 1, 1, "one"), put_of(CHAT, 2, 2, "two"),
      put_of(NOTE, 2, 2, "note"), singular_of(ACCOUNT, 4, 4, "account"),
      remove_of(CHAT, 5, 10, true), state_of(CHAT, 50, 4, NULL, 0), state_of(NOTE, 60, 4, NULL, 0),
      pending_put_of(&pending)};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
  open_with(f, CHANGED, STORES);
  assert_store_is_empty(f, CHAT);
  assert_store_is(f, NOTE, "note");
  assert_store_is_empty(f, ACCOUNT);
  sdb_local_load *load = load_all(f);
  assert_id(load->states[CHAT].head, NIL);
  assert_id(load->states[NOTE].head, id_of(60));
  assert_int_equal(load->pending_count, 1);
  assert_true(apply(f, singular_of(CHAT, 5, 9, "singular now")));
  assert_true(apply(f, put_of(ACCOUNT, 1, 1, "a")));
  assert_true(apply(f, put_of(ACCOUNT, 2, 2, "b")));
  local_reopen(f);
  assert_store_is(f, CHAT, "singular now");
  assert_store_is(f, ACCOUNT, "b", "a");
}

static void a_file_that_saw_too_many_stores_takes_no_new_one(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "one"));
  local_file_close(f);
  sql(local_of(f)->path, "INSERT INTO store VALUES(4095, 'the_last', 'event');"
                         "CREATE TABLE object_4095(id)");
  static const sdb_storage_store ONE_MORE[] = {{"one_more", SDB_STORE_EVENT}};
  local_of(f)->options.stores = ONE_MORE;
  local_of(f)->options.stores_count = 1;
  assert_local_refused(f, SDB_LIMIT, false, "too many stores: one_more");
  local_of(f)->options.stores = CONFORMANCE_STORES;
  local_of(f)->options.stores_count = STORES;
  local_file_open(f);
  assert_store_is(f, CHAT, "one");
}

/* ---- the disk ---- */

static void a_file_that_cannot_be_made_is_an_io_error(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  static const char *const PATHS[] = {"/nowhere/at/all.sqlite", "/proc/ada.sqlite", "/dev/null/x"};
  local_file_close(f);
  for (size_t i = 0; i < SDB_COUNT_OF(PATHS); i++) {
    held->options.path = PATHS[i];
    assert_local_refused(f, SDB_IO, false, "");
  }
  held->options.path = held->path;
  unlink(held->path);
  local_file_open(f);
}

static void what_is_no_file_is_refused(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  local_file_close(f);
  unlink(held->path);
  assert_int_equal(mkdir(held->path, 0700), 0);
  assert_local_refused(f, SDB_BAD_FORMAT, false, "no regular file");
  assert_int_equal(rmdir(held->path), 0);
  assert_int_equal(mkfifo(held->path, 0600), 0);
  assert_local_refused(f, SDB_BAD_FORMAT, false, "no regular file");
  unlink(held->path);
  local_file_open(f);
}

/* The superuser may write everywhere, so a child gives that up. */
static void a_file_that_may_only_be_read_is_an_io_error_and_its_pushes_are_saved(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  sdb_local_pending pending = pending_of(3, 9, CHAT, "unsynced");
  apply(f, pending_put_of(&pending));
  local_file_close(f);
  assert_int_equal(chmod(path_with(held->path, "-lock"), 0666), 0);
  assert_int_equal(chmod(held->path, 0444), 0);
  assert_int_equal(chmod(held->folder, 0555), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    bool damaged;
    sdb_error error;
    sdb_buffer memory;
    const sdb_local_pending *saved;
    size_t count = 0;
    if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
    if (local_file_try(f, &damaged, &error) != SDB_IO || damaged) _exit(3);
    sdb_buffer_init(&memory, sdb_platform_mem(), 1 << 20);
    if (sdb_sqlite_local_salvage(&held->options, &memory, &saved, &count, &error) != SDB_OK)
      _exit(4);
    bool good = count == 1 && saved[0].position == 3;
    sdb_buffer_free(&memory);
    _exit(good ? 7 : 5);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(chmod(held->folder, 0700), 0);
  assert_int_equal(chmod(held->path, 0600), 0);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 7);
  local_file_open(f);
  assert_int_equal(load_all(f)->pending_count, 1);
}

static void a_full_disk_heals_by_itself(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "one"));
  failing_vfs_set(FAILING_FULL);
  sdb_local_change change = put_of(CHAT, 2, 2, "two");
  assert_int_equal(commit_changes(f, &change, 1), SDB_IO);
  assert_non_null(strstr(sdb_sqlite_local_problem(local_of(f)->local)->message, "full"));
  assert_store_is(f, CHAT, "one");
  failing_vfs_set(FAILING_NOTHING);
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  assert_store_is(f, CHAT, "two", "one");
  local_file_close(f);
  unlink(local_of(f)->path);
  failing_vfs_set(FAILING_FULL);
  assert_local_refused(f, SDB_IO, false, "full");
  failing_vfs_set(FAILING_NOTHING);
  local_file_open(f);
  assert_store_is_empty(f, CHAT);
}

static void a_disk_that_cannot_be_read_is_an_io_error(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "one"));
  local_file_close(f);
  failing_vfs_set(FAILING_READ);
  assert_local_refused(f, SDB_IO, false, "");
  failing_vfs_set(FAILING_NOTHING);
  local_file_open(f);
  failing_vfs_set(FAILING_READ);
  sdb_status page = read_page(f, CHAT, NIL, 10)->op.status;
  sdb_status object = read_object(f, CHAT, id_of(1))->op.status;
  failing_vfs_set(FAILING_NOTHING);
  assert_int_equal(page, SDB_IO);
  assert_int_equal(object, SDB_IO);
  assert_store_is(f, CHAT, "one");
}

static sdb_status sync_file(local_fixture *f) {
  sdb_local_op sync = {.kind = SDB_LOCAL_SYNC};
  return local_submit(f, &sync);
}

static void only_a_sync_syncs(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "x"));
  uint64_t before = failing_vfs_syncs();
  for (uint64_t i = 2; i < 12; i++)
    apply(f, put_of(CHAT, i, i, "x"));
  assert_int_equal(failing_vfs_syncs(), before);
  assert_int_equal(sync_file(f), SDB_OK);
  assert_int_equal(failing_vfs_syncs(), before + 1);
}

static void a_sync_that_fails_says_so_and_the_next_may_succeed(void **state) {
  local_fixture *f = *state;
  apply(f, put_of(CHAT, 1, 1, "x"));
  failing_vfs_set(FAILING_SYNC);
  assert_int_equal(sync_file(f), SDB_IO);
  assert_non_null(strstr(sdb_sqlite_local_problem(local_of(f)->local)->message, "synced"));
  failing_vfs_set(FAILING_NOTHING);
  assert_int_equal(sync_file(f), SDB_OK);
  local_reopen(f);
  assert_store_is(f, CHAT, "x");
}

static void put_many(local_fixture *f, uint64_t from, size_t count) {
  sdb_local_change *changes = calloc(count, sizeof(*changes));
  for (size_t i = 0; i < count; i++)
    changes[i] =
        put_of(CHAT, from + i, from + i, "{\"role\":\"user\",\"content\":\"hello there\"}");
  assert_int_equal(commit_changes(f, changes, count), SDB_OK);
  free(changes);
}

static void the_wal_is_bounded_and_what_one_commit_adds_is_given_back(void **state) {
  local_fixture *f = *state;
  const char *wal = path_with(local_of(f)->path, "-wal");
  char path[160];
  snprintf(path, sizeof(path), "%s", wal);
  for (uint64_t i = 0; i < 200; i++) {
    put_many(f, 1 + i * 500, 500);
    assert_true(size_of(path) < 10 << 20);
  }
  put_many(f, 1000000, 150000);
  assert_true(size_of(path) > 12 << 20);
  for (uint64_t i = 0; i < 2; i++)
    put_many(f, 2000000 + i, 1);
  assert_true(size_of(path) <= 8 << 20);
}

static void without_memory_opening_fails_and_leaves_nothing_behind(void **state) {
  local_fixture *f = *state;
  local_held *held = local_of(f);
  apply(f, put_of(CHAT, 1, 1, "one"));
  local_file_close(f);
  size_t refused = 0;
  for (size_t fail_at = 1;; fail_at++) {
    failing_memory memory;
    bool damaged;
    sdb_error error;
    failing_memory_init(&memory, fail_at);
    held->options.mem = &memory.mem;
    sdb_status status = local_file_try(f, &damaged, &error);
    if (status == SDB_OK) {
      sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .limit = 5};
      sdb_buffer_init(&page.memory, &memory.mem, 1000);
      status = local_submit(f, &page.op);
      sdb_buffer_free(&page.memory);
      local_file_close(f);
    }
    assert_int_equal(memory.live, 0);
    if (status == SDB_OK) break;
    assert_int_equal(status, SDB_NO_MEMORY);
    refused++;
  }
  assert_true(refused > 3);
  held->options.mem = sdb_platform_mem();
  local_file_open(f);
}

#define BEHAVIOUR(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      BEHAVIOUR(a_file_is_for_its_user_alone),
      BEHAVIOUR(another_users_file_is_refused_and_left_as_it_is),
      BEHAVIOUR(another_users_file_keeps_the_wal_of_a_crash),
      BEHAVIOUR(a_newer_versions_file_is_refused),
      BEHAVIOUR(another_programs_database_is_refused_and_left_as_it_is),
      BEHAVIOUR(a_servers_database_is_refused),
      BEHAVIOUR(a_text_is_refused_however_often_it_is_tried),
      BEHAVIOUR(an_empty_file_is_made_a_new_one),
      BEHAVIOUR(a_second_client_is_told_that_the_file_is_open),
      BEHAVIOUR(stores_are_found_by_name_in_any_order),
      BEHAVIOUR(a_store_that_is_not_open_stays_as_it_is),
      BEHAVIOUR(a_store_that_is_not_open_is_cleared_when_another_database_is_noted),
      BEHAVIOUR(pushes_of_stores_never_open_together_keep_their_order),
      BEHAVIOUR(a_store_of_another_type_begins_anew_but_for_its_pushes),
      BEHAVIOUR(a_file_that_saw_too_many_stores_takes_no_new_one),
      BEHAVIOUR(a_file_that_cannot_be_made_is_an_io_error),
      BEHAVIOUR(what_is_no_file_is_refused),
      BEHAVIOUR(a_file_that_may_only_be_read_is_an_io_error_and_its_pushes_are_saved),
      BEHAVIOUR(a_full_disk_heals_by_itself),
      BEHAVIOUR(a_disk_that_cannot_be_read_is_an_io_error),
      BEHAVIOUR(only_a_sync_syncs),
      BEHAVIOUR(a_sync_that_fails_says_so_and_the_next_may_succeed),
      BEHAVIOUR(the_wal_is_bounded_and_what_one_commit_adds_is_given_back),
      BEHAVIOUR(without_memory_opening_fails_and_leaves_nothing_behind),
  };
  int failures = local_conformance_run(&LOCAL_SQLITE_KIND);
  return failures + cmocka_run_group_tests_name("local_sqlite", tests, NULL, NULL);
}
