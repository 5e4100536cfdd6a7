/* test/unit/admin_test.c: inspections and backups, beside an open storage and without one. */
#include "failing_vfs.h"
#include "sqlite_kind.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syncdb/admin.h>
#include <unistd.h>

static const char *url_of(const char *path) {
  static char url[160];
  snprintf(url, sizeof(url), "sqlite://%s", path);
  return url;
}

static sdb_inspection inspect(const char *path) {
  sdb_inspection found;
  sdb_error error;
  sdb_status status = sdb_database_inspect(url_of(path), SDB_INSPECT_INTEGRITY, &found, &error);
  if (status != SDB_OK) fail_msg("%s", error.message);
  return found;
}

static int files_in(const char *folder) {
  DIR *open = opendir(folder);
  int count = 0;
  while (readdir(open))
    count++;
  closedir(open);
  return count - 2;
}

/* Fills a storage: 200 objects and 20 removes of chat, an account. */
static uint64_t fill(fixture *f) {
  uint64_t ann = user_of(f, "ann");
  user_of(f, "bob");
  for (int i = 0; i < 220; i++) {
    sdb_seq id = create(f, ann, CHAT, "0123456789", (uint64_t)i + 1, T0);
    if (i < 20) assert_int_equal(remove_object(f, ann, CHAT, id, T0)->op.status, SDB_OK);
    if (i == 100) update(f, ann, CHAT, id, "abcdefghij", T0);
  }
  create(f, ann, ACCOUNT, "é", 0, T0);
  return ann;
}

static void an_inspection_counts_beside_a_running_server(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  fill(f);
  sdb_inspection found = inspect(sqlite_of(f)->path);
  assert_true(sdb_uuid_equal(found.database, f->port->database));
  assert_true(sdb_uuid_equal(found.epoch, f->port->epoch));
  assert_true(sdb_uuid_equal(found.epoch, found.database)); /* nothing was restored yet */
  assert_int_equal(found.format, 2);
  assert_int_equal(found.users, 2);
  assert_int_equal(found.stores_count, STORES);
  assert_string_equal(found.stores[0].name, "chat_message");
  assert_int_equal(found.stores[0].type, SDB_STORE_EVENT);
  assert_int_equal(found.stores[0].objects, 200);
  assert_int_equal(found.stores[0].removes, 20);
  assert_int_equal(found.stores[0].bytes, 2000);
  assert_int_equal(found.stores[1].objects, 0);
  assert_int_equal(found.stores[2].type, SDB_STORE_SINGULAR);
  assert_int_equal(found.stores[2].objects, 1);
  assert_int_equal(found.stores[2].bytes, 2);
  assert_int_equal(found.objects, 201);
  assert_int_equal(found.removes, 20);
  assert_int_equal(found.bytes, 2002);
  assert_true(found.wal_bytes > 0);
  assert_true(found.checked && found.intact);
  sdb_inspection_free(&found);
  create(f, user_of(f, "bob"), NOTE, "goes on", 0, T0);
  fixture_close(f);
}

static void an_inspection_needs_no_server(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  fill(f);
  sqlite_close(f);
  sdb_inspection found = inspect(sqlite_of(f)->path);
  assert_int_equal(found.objects, 201);
  assert_true(found.file_bytes > 20000);
  assert_true(found.intact);
  sdb_inspection_free(&found);
  sqlite_open(f);
  fixture_close(f);
}

static void counts_alone_check_nothing(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  fill(f);
  sdb_inspection found;
  assert_int_equal(
      sdb_database_inspect(url_of(sqlite_of(f)->path), SDB_INSPECT_COUNTS, &found, NULL), SDB_OK);
  assert_false(found.checked || found.intact);
  assert_int_equal(found.objects, 201);
  sdb_inspection_free(&found);
  fixture_close(f);
}

static void an_inspection_finds_what_is_damaged(void **state) {
  (void)state;
  static const struct {
    const char *damage, *problem;
  } CASES[] = {
      {"DELETE FROM moved WHERE object = (SELECT max(object) FROM moved)",
          "1 events of moved objects that are not the current one"},
      {"UPDATE moved SET seq = 5 WHERE object = (SELECT max(object) FROM moved)",
          "1 moved objects whose event is not there"},
      {"DELETE FROM singular", "1 events of singular stores that are not the current one"},
      {"DELETE FROM removed", "20 removes that would never be forgotten"},
      {"DELETE FROM user WHERE name = 'ann'", "221 events of users or stores that are not there"},
      {"UPDATE log SET user = 2 WHERE seq = (SELECT min(seq) FROM log WHERE body IS NOT NULL)",
          " names an event of another user"},
      {"UPDATE block SET data = x'ffffffffffffffffffffff'", " is damaged"},
      {"UPDATE run SET first = first + 1 WHERE last = (SELECT max(last) FROM run)", "run"},
      {"INSERT INTO log VALUES(7, 1, 1, NULL, NULL, 'x')", "the index names"},
  };
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    fixture *f = fixture_open(&SQLITE_KIND);
    fill(f);
    const char *path = sqlite_of(f)->path;
    while (sql(path, "SELECT count(*) FROM run WHERE state = 2") == 0 ||
           sql(path, "SELECT count(*) FROM run WHERE state <> 2") > 0)
      fixture_reopen(f);
    sqlite_close(f);
    sql(path, CASES[i].damage);
    sdb_inspection found = inspect(path);
    assert_true(found.checked);
    assert_false(found.intact);
    if (!strstr(found.problem, CASES[i].problem))
      fail_msg("'%s' is not in '%s'", CASES[i].problem, found.problem);
    sdb_inspection_free(&found);
    drop_folder(sqlite_of(f)->folder);
    make_folder(sqlite_of(f)->folder);
    snprintf(
        sqlite_of(f)->path, sizeof(sqlite_of(f)->path), "%s/test.sqlite", sqlite_of(f)->folder);
    sqlite_open(f);
    fixture_close(f);
  }
}

static void what_is_no_database_is_not_inspected(void **state) {
  (void)state;
  sdb_inspection found;
  sdb_error error;
  static const char *const URLS[] = {"", "sqlite://", "postgres://x", "/tmp/x.sqlite", NULL};
  for (size_t i = 0; i < SDB_COUNT_OF(URLS); i++)
    assert_int_equal(
        sdb_database_inspect(URLS[i], SDB_INSPECT_COUNTS, &found, &error), SDB_INVALID_ARGUMENT);
  assert_int_equal(
      sdb_database_inspect("sqlite:///nowhere/x.sqlite", SDB_INSPECT_COUNTS, &found, &error),
      SDB_IO);
  assert_non_null(strstr(error.message, "/nowhere/x.sqlite"));
  char folder[64], path[96];
  make_folder(folder);
  snprintf(path, sizeof(path), "%s/x.sqlite", folder);
  FILE *file = fopen(path, "w");
  fclose(file);
  assert_int_equal(
      sdb_database_inspect(url_of(path), SDB_INSPECT_COUNTS, &found, &error), SDB_BAD_FORMAT);
  sql(path, "CREATE TABLE theirs(x)");
  assert_int_equal(
      sdb_database_inspect(url_of(path), SDB_INSPECT_COUNTS, &found, &error), SDB_BAD_FORMAT);
  drop_folder(folder);
}

/* ---- backups ---- */

/* Opens a copy as a storage of its own and checks that it holds what fill() made. */
static void assert_copy(const char *path, sdb_uuid database) {
  sdb_inspection found = inspect(path);
  assert_true(found.intact);
  assert_int_equal(found.objects, 201);
  assert_int_equal(found.wal_bytes, 0);
  assert_true(sdb_uuid_equal(found.database, database));
  sdb_inspection_free(&found);
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_close(f);
  char own[96];
  snprintf(own, sizeof(own), "%s", sqlite_of(f)->path);
  assert_int_equal(rename(path, own), 0);
  sqlite_open(f);
  assert_int_equal(do_page(f, user_of(f, "ann"), CHAT, 0, 0, 1000)->count, 220);
  sdb_op_write *again = new_write(f, SDB_ACTION_CREATE, user_of(f, "ann"), CHAT);
  again->client_id = client(1);
  assert_int_equal(do_write(f, again), SDB_OK);
  assert_true(again->duplicate);
  create(f, user_of(f, "ann"), CHAT, "more", 0, T0);
  fixture_close(f);
}

static void a_backup_is_whole_and_can_be_opened(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  fill(f);
  char copy[128];
  for (int closed = 0; closed < 2; closed++) {
    snprintf(copy, sizeof(copy), "%s/copy.sqlite", held->folder);
    sdb_uuid database = f->port->database;
    if (closed) sqlite_close(f);
    int files = files_in(held->folder);
    sdb_error error;
    sdb_status status = sdb_database_backup(url_of(held->path), copy, &error);
    if (status != SDB_OK) fail_msg("%s", error.message);
    if (!closed) assert_int_equal(files_in(held->folder), files + 1);
    assert_copy(copy, database);
  }
  sqlite_open(f);
  fixture_close(f);
}

/* The epoch that the file says it is of; nil: it is a backup that no server has opened. */
static sdb_uuid epoch_of(const char *path) {
  sdb_inspection found = inspect(path);
  assert_true(found.intact);
  sdb_uuid epoch = found.epoch;
  sdb_inspection_free(&found);
  return epoch;
}

static void back_up(const char *from, const char *to) {
  sdb_error error;
  if (sdb_database_backup(url_of(from), to, &error) != SDB_OK) fail_msg("%s", error.message);
}

static void copy_file(const char *from, const char *to) {
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  assert_true(in && out);
  char bytes[4096];
  size_t size;
  while ((size = fread(bytes, 1, sizeof(bytes), in)) > 0)
    assert_int_equal(fwrite(bytes, 1, size, out), size);
  fclose(in);
  assert_int_equal(fclose(out), 0);
}

/* Closes the storage, puts the backup in its database's place and opens it; its epoch. */
static sdb_uuid restore(fixture *f, const char *backup) {
  sqlite_close(f);
  copy_file(backup, sqlite_of(f)->path);
  sqlite_open(f);
  return f->port->epoch;
}

static void each_restore_from_a_backup_begins_an_epoch(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  fill(f);
  char backup[128];
  snprintf(backup, sizeof(backup), "%s/backup.sqlite", held->folder);
  back_up(held->path, backup);
  for (int i = 0; i < 2; i++) /* to look at it changes nothing */
    assert_true(sdb_uuid_is_nil(epoch_of(backup)));
  sdb_uuid database = f->port->database, epochs[3] = {f->port->epoch};
  for (int i = 1; i < 3; i++) {
    epochs[i] = restore(f, backup);
    assert_false(sdb_uuid_is_nil(epochs[i]));
    for (int j = 0; j < i; j++)
      assert_false(sdb_uuid_equal(epochs[i], epochs[j]));
    assert_true(sdb_uuid_equal(f->port->database, database)); /* ids stay */
    fixture_reopen(f);
    assert_true(sdb_uuid_equal(f->port->epoch, epochs[i]));
    assert_true(sdb_uuid_equal(epoch_of(held->path), epochs[i]));
  }
  fixture_close(f);
}

static void a_backup_of_a_backup_is_one_too(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  fill(f);
  char first[128], second[128];
  snprintf(first, sizeof(first), "%s/first.sqlite", held->folder);
  snprintf(second, sizeof(second), "%s/second.sqlite", held->folder);
  back_up(held->path, first);
  back_up(first, second);
  assert_true(sdb_uuid_is_nil(epoch_of(second)));
  sdb_uuid before = f->port->epoch;
  assert_false(sdb_uuid_equal(restore(f, second), before));
  fixture_close(f);
}

/* What version 1 made is such a file but for its number; see sqlite_storage_test. */
static void a_backup_of_an_older_version_begins_an_epoch_when_it_is_brought_up_to_date(
    void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  fill(f);
  sdb_uuid database = f->port->database;
  char backup[128];
  snprintf(backup, sizeof(backup), "%s/backup.sqlite", held->folder);
  sqlite_close(f);
  sql(held->path, "DELETE FROM meta WHERE key = 'epoch'; PRAGMA user_version = 1");
  back_up(held->path, backup);
  assert_int_equal(sql(held->path, "SELECT count(*) FROM meta WHERE key = 'epoch'"), 0);
  sdb_inspection found;
  sdb_error error;
  assert_int_equal(
      sdb_database_inspect(url_of(backup), SDB_INSPECT_COUNTS, &found, &error), SDB_BAD_FORMAT);
  sqlite_open(f);
  assert_true(sdb_uuid_equal(f->port->epoch, database));
  sdb_uuid epoch = restore(f, backup);
  assert_false(sdb_uuid_is_nil(epoch) || sdb_uuid_equal(epoch, database));
  fixture_close(f);
}

static void a_backup_overwrites_nothing(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  fill(f);
  char copy[128];
  snprintf(copy, sizeof(copy), "%s/copy.sqlite", held->folder);
  FILE *file = fopen(copy, "w");
  fputs("precious", file);
  fclose(file);
  sdb_error error;
  assert_int_equal(sdb_database_backup(url_of(held->path), copy, &error), SDB_CONFLICT);
  assert_non_null(strstr(error.message, "copy.sqlite exists"));
  char content[16] = "";
  file = fopen(copy, "r");
  assert_int_equal(fread(content, 1, sizeof(content), file), 8);
  fclose(file);
  assert_memory_equal(content, "precious", 8);
  fixture_close(f);
}

static void a_backup_that_fails_leaves_nothing(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  fill(f);
  char copy[128];
  sdb_error error;
  assert_int_equal(sdb_database_backup(url_of(held->path), "/nowhere/copy.sqlite", &error), SDB_IO);
  assert_int_equal(sdb_database_backup(url_of(held->path), "", &error), SDB_INVALID_ARGUMENT);
  snprintf(copy, sizeof(copy), "%s/copy.sqlite", held->folder);
  int files = files_in(held->folder);
  failing_vfs_set(FAILING_FULL);
  assert_int_equal(sdb_database_backup(url_of(held->path), copy, &error), SDB_IO);
  failing_vfs_set(FAILING_NOTHING);
  assert_int_equal(files_in(held->folder), files);
  fixture_close(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_inspection_counts_beside_a_running_server),
      cmocka_unit_test(an_inspection_needs_no_server),
      cmocka_unit_test(counts_alone_check_nothing),
      cmocka_unit_test(an_inspection_finds_what_is_damaged),
      cmocka_unit_test(what_is_no_database_is_not_inspected),
      cmocka_unit_test(a_backup_is_whole_and_can_be_opened),
      cmocka_unit_test(each_restore_from_a_backup_begins_an_epoch),
      cmocka_unit_test(a_backup_of_a_backup_is_one_too),
      cmocka_unit_test(a_backup_of_an_older_version_begins_an_epoch_when_it_is_brought_up_to_date),
      cmocka_unit_test(a_backup_overwrites_nothing),
      cmocka_unit_test(a_backup_that_fails_leaves_nothing),
  };
  return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
