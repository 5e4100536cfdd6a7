/* test/unit/sqlite_storage_test.c: what is SQLite's own: the file and its format, the lock, a full
 * or failing disk, the write-ahead log, erasing. */
#include "failing_vfs.h"
#include "platform/platform.h"
#include "sqlite_kind.h"
#include "storage/sqlite/checkpointer.h"
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void ignore(void *context, sdb_op *list) {
  (void)context;
  (void)list;
}

/* A folder and a path in it, for tests that open by themselves. */
typedef struct place {
  char folder[64];
  char path[96];
} place;

static void make_place(place *at) {
  make_folder(at->folder);
  snprintf(at->path, sizeof(at->path), "%s/test.sqlite", at->folder);
}

static sdb_status open_at(const place *at, sdb_sqlite **storage, sdb_error *error) {
  sdb_sqlite_options options = sqlite_options(at->path, (sdb_storage_sink){NULL, ignore});
  return sdb_sqlite_open(&options, storage, error);
}

static void assert_refused(const place *at, sdb_status status, const char *part) {
  sdb_sqlite *storage;
  sdb_error error;
  assert_int_equal(open_at(at, &storage, &error), status);
  assert_int_equal(error.status, status);
  if (!strstr(error.message, part)) fail_msg("'%s' is not in '%s'", part, error.message);
  assert_non_null(strstr(error.message, "/test.sqlite"));
}

static void write_file(const char *path, const char *text) {
  FILE *to = fopen(path, "w");
  assert_non_null(to);
  fputs(text, to);
  assert_int_equal(fclose(to), 0);
}

/* ---- the file ---- */

static void a_second_server_is_told_that_the_database_is_open(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  place at;
  snprintf(at.path, sizeof(at.path), "%s", sqlite_of(f)->path);
  assert_refused(&at, SDB_BUSY, "another server has this database open");
  create(f, user_of(f, "ann"), CHAT, "still works", 1, T0);
  fixture_reopen(f);
  assert_page_is(do_page(f, user_of(f, "ann"), CHAT, 0, 0, 10), "still works");
  fixture_close(f);
}

static void a_file_of_another_kind_is_refused_and_left_alone(void **state) {
  (void)state;
  place at;
  make_place(&at);
  write_file(at.path,
      "This is a text of more than a hundred bytes, which is as long as the head of a "
      "SQLite database file: it is not one.");
  assert_refused(&at, SDB_BAD_FORMAT, "not a database");
  unlink(at.path);
  sql(at.path, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES(7)");
  assert_refused(&at, SDB_BAD_FORMAT, "another program");
  assert_int_equal(sql(at.path, "SELECT x FROM theirs"), 7);
  assert_int_equal(sql(at.path, "SELECT count(*) FROM sqlite_schema"), 1);
  drop_folder(at.folder);
}

static void a_newer_version_is_refused(void **state) {
  (void)state;
  place at;
  make_place(&at);
  sdb_sqlite *storage;
  assert_int_equal(open_at(&at, &storage, NULL), SDB_OK);
  sdb_sqlite_close(storage);
  assert_int_equal(sql(at.path, "PRAGMA user_version"), 2);
  sql(at.path, "PRAGMA user_version = 99");
  assert_refused(&at, SDB_BAD_FORMAT, "format version 99, this one knows versions up to 2");
  drop_folder(at.folder);
}

static void an_empty_file_is_version_0_and_is_brought_up_to_date(void **state) {
  (void)state;
  place at;
  make_place(&at);
  write_file(at.path, "");
  sdb_sqlite *storage;
  assert_int_equal(open_at(&at, &storage, NULL), SDB_OK);
  sdb_sqlite_close(storage);
  assert_int_equal(sql(at.path, "PRAGMA user_version"), 2);
  assert_int_equal(sql(at.path, "PRAGMA application_id"), 0x53594e43);
  drop_folder(at.folder);
}

/* Version 1 had the same tables, and no epoch. */
static void make_version_1(const char *path) {
  sql(path, "DELETE FROM meta WHERE key = 'epoch'; PRAGMA user_version = 1");
}

static void a_file_of_version_1_goes_on_with_its_id_as_its_epoch(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  const char *path = sqlite_of(f)->path;
  create(f, user_of(f, "ann"), CHAT, "written before", 0, T0);
  sdb_uuid database = f->port->database;
  sqlite_close(f);
  make_version_1(path);
  for (int i = 0; i < 2; i++) { /* and it is so the next time */
    sqlite_open(f);
    assert_true(sdb_uuid_equal(f->port->database, database));
    assert_true(sdb_uuid_equal(f->port->epoch, database)); /* what devices have noted */
    assert_page_is(do_page(f, user_of(f, "ann"), CHAT, 0, 0, 10), "written before");
    sqlite_close(f);
    assert_int_equal(sql(path, "PRAGMA user_version"), 2);
  }
  sqlite_open(f);
  fixture_close(f);
}

static void an_epoch_that_is_none_is_refused(void **state) {
  (void)state;
  static const char *const DAMAGES[][2] = {
      {"UPDATE meta SET value = x'0102' WHERE key = 'epoch'", "damaged at epoch"},
      {"DELETE FROM meta WHERE key = 'epoch'", "lacks epoch"},
  };
  for (size_t i = 0; i < SDB_COUNT_OF(DAMAGES); i++) {
    place at;
    make_place(&at);
    sdb_sqlite *storage;
    assert_int_equal(open_at(&at, &storage, NULL), SDB_OK);
    sdb_sqlite_close(storage);
    sql(at.path, DAMAGES[i][0]);
    assert_refused(&at, SDB_BAD_FORMAT, DAMAGES[i][1]);
    drop_folder(at.folder);
  }
}

static void a_damaged_file_is_refused(void **state) {
  (void)state;
  static const struct {
    off_t at;
    const char *with;
  } DAMAGES[] = {{0, "Something else is written over the head of the file"},
      {100, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}, {4096, "\xff\xff\xff\xff\xff\xff\xff"}};
  for (size_t i = 0; i < SDB_COUNT_OF(DAMAGES); i++) {
    place at;
    make_place(&at);
    sdb_sqlite *storage;
    assert_int_equal(open_at(&at, &storage, NULL), SDB_OK);
    sdb_sqlite_close(storage);
    int file = open(at.path, O_WRONLY);
    size_t size = strlen(DAMAGES[i].with);
    assert_int_equal(pwrite(file, DAMAGES[i].with, size, DAMAGES[i].at), size);
    close(file);
    assert_refused(&at, SDB_BAD_FORMAT, ": ");
    drop_folder(at.folder);
  }
}

static void a_folder_that_is_not_there_is_an_io_error(void **state) {
  (void)state;
  place at = {"", "/nowhere/at/all/test.sqlite"};
  assert_refused(&at, SDB_IO, "No such file or directory");
}

/* ---- stores ---- */

static void a_store_keeps_its_type(void **state) {
  (void)state;
  place at;
  make_place(&at);
  sdb_sqlite *storage;
  assert_int_equal(open_at(&at, &storage, NULL), SDB_OK);
  sdb_sqlite_close(storage);
  sdb_sqlite_options options = sqlite_options(at.path, (sdb_storage_sink){NULL, ignore});
  const sdb_storage_store changed[] = {{"note", SDB_STORE_SINGULAR}};
  options.stores = changed;
  options.stores_count = 1;
  sdb_error error;
  assert_int_equal(sdb_sqlite_open(&options, &storage, &error), SDB_BAD_DEFINITION);
  assert_non_null(strstr(error.message, "its store note is not of type singular"));
  drop_folder(at.folder);
}

static void stores_are_known_by_name_whatever_their_order(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  uint64_t ann = user_of(f, "ann");
  sdb_seq chat = create(f, ann, CHAT, "chat", 1, T0);
  create(f, ann, NOTE, "note", 2, T0);
  /* Without chat_message, and with a store before the others: what was stored stays. */
  static const sdb_storage_store FEWER[] = {
      {"fresh", SDB_STORE_EVENT}, {"account", SDB_STORE_SINGULAR}, {"note", SDB_STORE_EVENT}};
  held->options.stores = FEWER;
  fixture_reopen(f);
  assert_page_is(do_page(f, ann, 2, 0, 0, 10), "note");
  assert_int_equal(do_page(f, ann, 0, 0, 0, 10)->count, 0);
  assert_int_equal(do_object(f, ann, SDB_STORE_ANY, chat)->op.status, SDB_NOT_FOUND);
  assert_int_equal(remove_object(f, ann, SDB_STORE_ANY, chat, T0)->op.status, SDB_NOT_FOUND);
  create(f, ann, 0, "fresh", 3, T0);
  held->options.stores = CONFORMANCE_STORES;
  fixture_reopen(f);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "chat");
  assert_page_is(do_page(f, ann, NOTE, 0, 0, 10), "note");
  fixture_close(f);
}

/* ---- a full or failing disk ---- */

static void full_durability_syncs_each_commit_and_normal_none(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  for (int full = 0; full < 2; full++) {
    held->options.durability = full ? SDB_SQLITE_FULL : SDB_SQLITE_NORMAL;
    held->options.wal_pages_checkpoint = 1 << 30; /* checkpoints sync too */
    fixture_reopen(f);
    uint64_t ann = user_of(f, "ann");
    create(f, ann, CHAT, "x", 0, T0); /* the first also syncs the head of a new WAL */
    uint64_t before = failing_vfs_syncs();
    for (int i = 0; i < 10; i++)
      create(f, ann, CHAT, "x", 0, T0);
    assert_int_equal(failing_vfs_syncs() - before, full ? 10 : 0);
  }
  fixture_close(f);
}

static void a_failing_sync_acknowledges_nothing(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_of(f)->options.durability = SDB_SQLITE_FULL;
  fixture_reopen(f);
  uint64_t ann = user_of(f, "ann");
  create(f, ann, CHAT, "before", 1, T0);
  failing_vfs_set(FAILING_SYNC);
  for (int i = 0; i < 3; i++) {
    sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
    write->body = sdb_slice_of("lost");
    write->client_id = client(2);
    assert_int_equal(do_write(f, write), SDB_UNAVAILABLE);
  }
  sdb_error error;
  sdb_sqlite_last_error(sqlite_of(f)->storage, &error);
  assert_int_equal(error.status, SDB_IO);
  failing_vfs_set(FAILING_NOTHING);
  create(f, ann, CHAT, "after", 2, T0);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "after", "before");
  fixture_reopen(f);
  assert_page_is(do_page(f, ann, CHAT, 0, 0, 10), "after", "before");
  fixture_close(f);
}

static void a_failing_read_is_told_and_the_next_may_succeed(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  uint64_t ann = user_of(f, "ann");
  char body[4001];
  memset(body, 'x', 4000);
  body[4000] = 0;
  sdb_seq first = create(f, ann, CHAT, body, 0, T0);
  for (int i = 0; i < 2500; i++) /* more than the caches hold */
    create(f, ann, CHAT, body, 0, T0);
  fixture_reopen(f);
  failing_vfs_set(FAILING_READ);
  assert_int_equal(do_object(f, ann, CHAT, first)->op.status, SDB_UNAVAILABLE);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10)->op.status, SDB_UNAVAILABLE);
  failing_vfs_set(FAILING_NOTHING);
  assert_int_equal(do_object(f, ann, CHAT, first)->op.status, SDB_OK);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10)->count, 10);
  fixture_close(f);
}

static void a_full_disk_stops_neither_runs_nor_merges_for_good(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  uint64_t ann = user_of(f, "ann");
  int stored = 0;
  for (int i = 0; i < 2000; i++) {
    failing_vfs_set(i % 7 == 3 || (i > 500 && i < 560) ? FAILING_FULL : FAILING_NOTHING);
    sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, ann, i % 3 ? CHAT : ACCOUNT);
    write->body = sdb_slice_of("x");
    write->client_id = client((uint64_t)i + 1);
    sdb_status status = do_write(f, write);
    /* The disk may have been full for another's transaction only: the index's. */
    assert_true(status == SDB_OK || status == SDB_UNAVAILABLE);
    stored += status == SDB_OK && i % 3;
  }
  failing_vfs_set(FAILING_NOTHING);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10000)->count, stored);
  fixture_reopen(f);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10000)->count, stored);
  for (uint64_t i = 0; i < 100; i++)
    create(f, ann, CHAT, "y", 10000 + i, T0);
  const char *path = sqlite_of(f)->path;
  while (sql(path, "SELECT count(*) FROM run WHERE state <> 2") > 0)
    sched_yield();
  assert_true(sql(path, "SELECT count(*) FROM run") > 0);
  fixture_close(f);
}

/* ---- the write-ahead log ---- */

static void the_wal_is_begun_anew_under_load(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND); /* checkpoints begin at 64 pages */
  uint64_t ann = user_of(f, "ann");
  char body[3001];
  memset(body, 'x', 3000);
  body[3000] = 0;
  char wal[128];
  snprintf(wal, sizeof(wal), "%s-wal", sqlite_of(f)->path);
  struct stat status;
  for (int i = 0; i < 3000; i++) {
    create(f, ann, CHAT, body, (uint64_t)i + 1, T0);
    if (i % 10 == 0) do_page(f, ann, CHAT, 0, 0, 30);
  }
  assert_int_equal(stat(wal, &status), 0);
  /* 3,000 commits of two pages and more went through it. At 512 pages commits wait. */
  assert_true(status.st_size < 4096 * 600);
  fixture_close(f);
}

/* ---- erasing ---- */

static bool holds(const char *path, const char *text) {
  FILE *file = fopen(path, "r");
  if (!file) return false;
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  char *content = malloc(size + 1);
  rewind(file);
  assert_int_equal(fread(content, 1, size, file), size);
  fclose(file);
  bool found = memmem(content, size, text, strlen(text)) != NULL;
  free(content);
  return found;
}

/* In so many rounds that a checkpointer that waits for more pages each time would come to wait for
 * what is not there. */
static void a_wal_that_began_anew_is_copied_at_the_same_size_again(void **state) {
  (void)state;
  place at;
  make_place(&at);
  assert_int_equal(sql(at.path, "PRAGMA user_version"), 0);
  sdb_inbox inbox;
  assert_int_equal(sdb_inbox_init(&inbox, sdb_platform_mem(), true), SDB_OK);
  sdb_checkpointer checkpointer = {.path = at.path, .inbox = &inbox, .pages_start = 8};
  assert_int_equal(sdb_checkpointer_open(&checkpointer, NULL), SDB_OK);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, sdb_checkpointer_run, &checkpointer), 0);
  for (int round = 0; round < 200; round++) {
    sdb_inbox_work work = {0};
    sdb_op_list_init(&work.ops);
    sdb_checkpointer_wal_grown(&checkpointer, 1);
    sdb_checkpointer_wal_grown(&checkpointer, 8);
    sdb_inbox_take(&inbox, SDB_INBOX_WAIT, &work);
    assert_true(work.finish_checkpoint);
    sdb_checkpointer_finished(&checkpointer);
    for (int i = 0; i < 10; i++)
      sched_yield(); /* it is to wait again, as far as may be */
  }
  sdb_checkpointer_stop(&checkpointer);
  pthread_join(thread, NULL);
  sdb_checkpointer_close(&checkpointer);
  sdb_inbox_free(&inbox);
  drop_folder(at.folder);
}

static void what_was_removed_is_erased_on_request(void **state) {
  (void)state;
  for (int secure = 0; secure < 2; secure++) {
    fixture *f = fixture_open(&SQLITE_KIND);
    sqlite_held *held = sqlite_of(f);
    held->options.secure_delete = secure;
    fixture_reopen(f);
    uint64_t ann = user_of(f, "ann");
    sdb_seq id = create(f, ann, CHAT, "a secret that must not stay", 1, T0);
    create(f, ann, CHAT, "what stays", 2, T0);
    fixture_reopen(f); /* closing takes the WAL into the file */
    assert_true(holds(held->path, "a secret that must not stay"));
    assert_int_equal(remove_object(f, ann, CHAT, id, T0)->op.status, SDB_OK);
    fixture_reopen(f);
    assert_true(holds(held->path, "what stays"));
    if (secure) assert_false(holds(held->path, "a secret that must not stay"));
    fixture_close(f);
  }
}

/* ---- memory ---- */

typedef struct failing_memory {
  _Atomic long left; /* allocations until one fails; then all do */
  _Atomic long held;
} failing_memory;

static void *resize(void *context, void *pointer, size_t size) {
  failing_memory *memory = context;
  if (size == 0) {
    if (pointer) atomic_fetch_sub(&memory->held, 1);
    free(pointer);
    return NULL;
  }
  if (atomic_fetch_sub(&memory->left, 1) <= 0) return NULL;
  if (!pointer) atomic_fetch_add(&memory->held, 1);
  return realloc(pointer, size);
}

static void every_allocation_of_opening_may_fail(void **state) {
  (void)state;
  place at;
  make_place(&at);
  failing_memory memory;
  const sdb_mem mem = {&memory, resize};
  long allocations = 0;
  for (sdb_status status = SDB_NO_MEMORY; status != SDB_OK; allocations++) {
    atomic_store(&memory.left, allocations);
    atomic_store(&memory.held, 0);
    sdb_sqlite_options options = sqlite_options(at.path, (sdb_storage_sink){NULL, ignore});
    options.mem = &mem;
    sdb_sqlite *storage;
    sdb_error error;
    status = sdb_sqlite_open(&options, &storage, &error);
    assert_true(status == SDB_OK || status == SDB_NO_MEMORY);
    if (status == SDB_OK) sdb_sqlite_close(storage);
    assert_int_equal(atomic_load(&memory.held), 0);
  }
  assert_true(allocations > 10);
  drop_folder(at.folder);
}

static failing_memory running_memory;
static const sdb_mem RUNNING_MEM = {&running_memory, resize};

static void without_memory_writes_fail_and_recover(void **state) {
  (void)state;
  atomic_store(&running_memory.left, 1L << 40);
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  held->options.mem = &RUNNING_MEM;
  fixture_reopen(f);
  uint64_t ann = user_of(f, "ann");
  int stored = 0, refused = 0;
  for (int i = 0; i < 1000; i++) {
    atomic_store(&running_memory.left, i % 100 < 70 ? 1L << 40 : 0);
    sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, ann, CHAT);
    write->body = sdb_slice_of("x");
    sdb_status status = do_write(f, write);
    assert_true(status == SDB_OK || status == SDB_UNAVAILABLE);
    stored += status == SDB_OK;
    refused += status != SDB_OK;
  }
  atomic_store(&running_memory.left, 1L << 40);
  create(f, ann, CHAT, "x", 1, T0);
  assert_true(stored >= 700);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10000)->count, stored + 1);
  held->options.mem = sdb_platform_mem();
  fixture_reopen(f);
  assert_int_equal(do_page(f, ann, CHAT, 0, 0, 10000)->count, stored + 1);
  fixture_close(f);
}

int main(void) {
  failing_vfs_install();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_second_server_is_told_that_the_database_is_open),
      cmocka_unit_test(a_file_of_another_kind_is_refused_and_left_alone),
      cmocka_unit_test(a_newer_version_is_refused),
      cmocka_unit_test(an_empty_file_is_version_0_and_is_brought_up_to_date),
      cmocka_unit_test(a_file_of_version_1_goes_on_with_its_id_as_its_epoch),
      cmocka_unit_test(an_epoch_that_is_none_is_refused),
      cmocka_unit_test(a_damaged_file_is_refused),
      cmocka_unit_test(a_folder_that_is_not_there_is_an_io_error),
      cmocka_unit_test(a_store_keeps_its_type),
      cmocka_unit_test(stores_are_known_by_name_whatever_their_order),
      cmocka_unit_test(full_durability_syncs_each_commit_and_normal_none),
      cmocka_unit_test(a_failing_sync_acknowledges_nothing),
      cmocka_unit_test(a_failing_read_is_told_and_the_next_may_succeed),
      cmocka_unit_test(a_full_disk_stops_neither_runs_nor_merges_for_good),
      cmocka_unit_test(the_wal_is_begun_anew_under_load),
      cmocka_unit_test(a_wal_that_began_anew_is_copied_at_the_same_size_again),
      cmocka_unit_test(what_was_removed_is_erased_on_request),
      cmocka_unit_test(every_allocation_of_opening_may_fail),
      cmocka_unit_test(without_memory_writes_fail_and_recover),
  };
  return cmocka_run_group_tests_name("sqlite_storage", tests, NULL, NULL);
}
