/* test/unit/client_fallback_test.c: a local file that cannot be made or written: the device goes on
 * in memory, loses no unsynced push, and comes back to the file when that works again. */
#include "client_fixture.h"
#include "failing_vfs.h"
#include <sqlite3.h>
#include <sys/stat.h>

/* ---- a file that cannot be made ---- */

static void until_the_file_can_be_made_memory_is_used(void **state) {
  fixture *f = *state;
  snprintf(f->path, sizeof(f->path), "%s/missing/device.sqlite", f->folder);
  device *d = open_device(f, file_options(f, false));
  assert_storage(d, SDB_CLIENT_MEMORY, "only in memory");
  wait_synced(d);
  push_message(d, "meanwhile");
  wait_delivered(d);
  sdb_client_go_offline(d->client);
  push_message(d, "unsynced");
  char folder[96];
  snprintf(folder, sizeof(folder), "%s/missing", f->folder);
  assert_int_equal(mkdir(folder, 0700), 0);
  AWAIT(d, d->status.storage == SDB_CLIENT_DURABLE);
  assert_storage(d, SDB_CLIENT_DURABLE, "");
  sdb_client_go_online(d->client);
  wait_synced(d);
  wait_delivered(d);
  close_device(d);
  d = open_device(f, file_options(f, true));
  assert_record(d, "meanwhile", SDB_RECORD_SYNCED);
  assert_record(d, "unsynced", SDB_RECORD_SYNCED);
  close_device(d);
  assert_int_equal(server_count(f), 2);
}

/* ---- a file that fails ---- */

/* The devices' files only: the server's is open already. */
static void let_files_fail(void) {
  failing_vfs_install();
  sqlite3_vfs_register(sqlite3_vfs_find("failing"), 1);
}

static int teardown_failing(void **state) {
  failing_vfs_set(FAILING_NOTHING);
  sqlite3_vfs_register(sqlite3_vfs_find("unix"), 1);
  return teardown(state);
}

static void a_disk_that_becomes_full_loses_nothing(void **state) {
  fixture *f = *state;
  let_files_fail();
  device *d = open_device(f, file_options(f, false));
  wait_synced(d);
  push_message(d, "before");
  wait_delivered(d);
  failing_vfs_set(FAILING_FULL);
  push_message(d, "while it is full");
  assert_storage(d, SDB_CLIENT_MEMORY, "only in memory");
  assert_record(
      d, "while it is full", status_of(d).pending ? SDB_RECORD_PENDING : SDB_RECORD_SYNCED);
  wait_synced(d);
  wait_delivered(d);
  assert_record(d, "before", SDB_RECORD_SYNCED);
  assert_record(d, "while it is full", SDB_RECORD_SYNCED);
  failing_vfs_set(FAILING_NOTHING);
  AWAIT(d, d->status.storage == SDB_CLIENT_DURABLE);
  wait_synced(d);
  close_device(d);
  d = open_device(f, file_options(f, true));
  assert_record(d, "before", SDB_RECORD_SYNCED);
  assert_record(d, "while it is full", SDB_RECORD_SYNCED);
  assert_int_equal(status_of(d).pending, 0);
  close_device(d);
  assert_int_equal(server_count(f), 2);
}

static void a_file_that_is_deleted_under_its_device_is_made_anew(void **state) {
  fixture *f = *state;
  device *d = open_device(f, file_options(f, true));
  assert_storage(d, SDB_CLIENT_DURABLE, "");
  push_message(d, "before");
  assert_int_equal(unlink(f->path), 0);
  push_message(d, "after");
  assert_record(d, "before", SDB_RECORD_PENDING);
  assert_record(d, "after", SDB_RECORD_PENDING);
  AWAIT(d, d->status.storage == SDB_CLIENT_DURABLE && access(f->path, F_OK) == 0);
  close_device(d);
  d = open_device(f, file_options(f, false));
  wait_synced(d);
  wait_delivered(d);
  assert_record(d, "before", SDB_RECORD_SYNCED);
  assert_record(d, "after", SDB_RECORD_SYNCED);
  close_device(d);
  assert_int_equal(server_count(f), 2);
}

static void a_file_that_cannot_be_written_gives_its_unsynced_pushes(void **state) {
  fixture *f = *state;
  let_files_fail();
  device *d = open_device(f, file_options(f, true));
  push_message(d, "unsynced");
  close_device(d);
  failing_vfs_set(FAILING_FULL);
  d = open_device(f, file_options(f, false));
  wait_delivered(d);
  AWAIT(d, d->status.storage == SDB_CLIENT_MEMORY && strstr(d->status.problem, "only in memory"));
  assert_int_equal(server_count(f), 1);
  failing_vfs_set(FAILING_NOTHING);
  AWAIT(d, d->status.storage == SDB_CLIENT_DURABLE);
  wait_synced(d);
  assert_int_equal(status_of(d).pending, 0);
  close_device(d);
  assert_int_equal(server_count(f), 1);
}

static void push_inside(void *context, sdb_client *client, const sdb_client_changes *changes) {
  device *d = context;
  if (d->asked_token++ > 0) return;
  failing_vfs_set(FAILING_FULL);
  sdb_slice object = sdb_slice_of("{\"role\":\"user\",\"content\":\"inside\"}");
  if (sdb_client_push(client, changes->store, object, NULL, NULL) != SDB_OK) abort();
  failing_vfs_set(FAILING_NOTHING);
}

static void a_push_inside_a_watch_survives_that_the_file_fails_under_it(void **state) {
  fixture *f = *state;
  let_files_fail();
  device *d = open_device(f, file_options(f, true));
  assert_int_equal(sdb_client_watch(d->client, NULL, push_inside, d, NULL, NULL), SDB_OK);
  push_message(d, "outside");
  AWAIT(d, told(d, SDB_RECORD_PENDING, "inside") || d->status.storage == SDB_CLIENT_MEMORY);
  assert_record(d, "inside", SDB_RECORD_PENDING);
  assert_record(d, "outside", SDB_RECORD_PENDING);
  close_device(d);
}

#define ON_A_FAILING_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown_failing)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(until_the_file_can_be_made_memory_is_used),
      ON_A_FAILING_FILE(a_disk_that_becomes_full_loses_nothing),
      ON_A_SERVER(a_file_that_is_deleted_under_its_device_is_made_anew),
      ON_A_FAILING_FILE(a_file_that_cannot_be_written_gives_its_unsynced_pushes),
      ON_A_FAILING_FILE(a_push_inside_a_watch_survives_that_the_file_fails_under_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
