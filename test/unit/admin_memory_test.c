/* admin_memory_test.c: a database file without memory: opening it, inspecting it and copying it, at
 * every allocation of these calls, SQLite's own among them.
 *
 * What fails says SDB_NO_MEMORY, leaves the file as it was and nothing beside it, and succeeds when
 * it is called again. sdb_platform_mem is wrapped (test/CMakeLists.txt), so that what the public
 * functions allocate fails too.
 */
#include "failing_process.h"
#include "platform/platform.h"
#include "sqlite_kind.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <syncdb/admin.h>
#include <unistd.h>

const sdb_mem *__wrap_sdb_platform_mem(void);
const sdb_mem *__wrap_sdb_platform_mem(void) {
  return failing_process_mem();
}

static void ignore(void *context, sdb_op *list) {
  (void)context;
  (void)list;
}

typedef struct place {
  char folder[64];
  char path[96];
  char url[128];
  char copy[128];
} place;

static void assert_no_memory(sdb_status status, const sdb_error *error, failing_plan plan) {
  if (status != SDB_NO_MEMORY || error->status != status)
    fail_msg("allocation %zu, %zu times: %s, %s", plan.at, plan.count, sdb_status_name(status),
        error->message);
}

/* The copy, and parts of one. */
static int copies_in(const char *folder) {
  DIR *open = opendir(folder);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(open));)
    count += strstr(entry->d_name, "copy") != NULL;
  closedir(open);
  return count;
}

static void assert_intact(const char *url, uint64_t objects) {
  sdb_inspection found;
  sdb_error error;
  sdb_status status = sdb_database_inspect(url, SDB_INSPECT_INTEGRITY, &found, &error);
  if (status != SDB_OK) fail_msg("%s", error.message);
  if (!found.intact) fail_msg("%s", found.problem);
  assert_int_equal(found.objects, objects);
  sdb_inspection_free(&found);
}

/* ---- opening ---- */

static bool open_under(const place *at, failing_plan plan) {
  sdb_sqlite_options options = sqlite_options(at->path, (sdb_storage_sink){NULL, ignore});
  size_t live = failing_process_live();
  sdb_sqlite *storage = NULL;
  sdb_error error;
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status = sdb_sqlite_open(&options, &storage, &error);
  bool failed = failing_process_disarm();
  if (status != SDB_OK) {
    assert_true(failed);
    assert_no_memory(status, &error, plan);
    assert_null(storage);
    assert_int_equal(failing_process_live(), live);
    assert_int_equal(sdb_sqlite_open(&options, &storage, &error), SDB_OK);
  }
  sdb_sqlite_close(storage);
  assert_int_equal(failing_process_live(), live);
  return failed;
}

static bool open_new(const void *context, failing_plan plan) {
  (void)context;
  place at;
  make_folder(at.folder);
  snprintf(at.path, sizeof(at.path), "%s/test.sqlite", at.folder);
  bool failed = open_under(&at, plan);
  drop_folder(at.folder);
  return failed;
}

static void a_new_database_is_opened_or_says_that_there_is_no_memory(void **state) {
  (void)state;
  with_some_allocations_failing(open_new, NULL, 97);
}

/* Runs, a tail above them, what was replaced and removed, an index that a crash left half made. */
static void fill(place *at) {
  fixture *f = fixture_open(&SQLITE_KIND);
  sqlite_held *held = sqlite_of(f);
  held->options.generation_entries = 16;
  fixture_reopen(f);
  uint64_t ann = user_of(f, "ann");
  for (unsigned i = 0; i < 150; i++) {
    sdb_seq object = create(f, ann, CHAT, "{\"some\":\"text\"}", i + 1, T0 + i);
    if (i % 10 == 0) update(f, ann, CHAT, object, "{\"other\":\"text\"}", T0 + i);
    if (i % 10 == 5) remove_object(f, ann, CHAT, object, T0 + i);
  }
  create(f, ann, ACCOUNT, "{}", 0, T0 + 200);
  sqlite_close(f);
  sql(held->path, "INSERT INTO run VALUES(900, 1, 0, 0, 0, 0, 0, 0, 0)");
  memcpy(at->folder, held->folder, sizeof(at->folder));
  snprintf(at->path, sizeof(at->path), "%s", held->path);
  snprintf(at->url, sizeof(at->url), "sqlite://%s", held->path);
  snprintf(at->copy, sizeof(at->copy), "%s/copy.sqlite", held->folder);
  make_folder(held->folder); /* the fixture takes this one away instead */
  fixture_close(f);
  assert_true(sql(at->path, "SELECT count(*) FROM run WHERE state = 2") > 0);
}

#define FILLED_OBJECTS 136

static bool open_filled(const void *context, failing_plan plan) {
  return open_under(context, plan);
}

static void a_database_is_opened_or_says_that_there_is_no_memory(void **state) {
  (void)state;
  place at;
  fill(&at);
  with_some_allocations_failing(open_filled, &at, 97);
  assert_intact(at.url, FILLED_OBJECTS);
  drop_folder(at.folder);
}

/* ---- looking at it ---- */

typedef struct inspecting {
  place at;
  sdb_inspect_depth depth;
} inspecting;

static bool inspect_filled(const void *context, failing_plan plan) {
  const inspecting *i = context;
  size_t live = failing_process_live();
  sdb_inspection found = {.format = 7};
  sdb_error error;
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status = sdb_database_inspect(i->at.url, i->depth, &found, &error);
  bool failed = failing_process_disarm();
  if (status == SDB_OK) {
    assert_int_equal(found.objects, FILLED_OBJECTS);
    assert_int_equal(found.checked, i->depth == SDB_INSPECT_INTEGRITY);
    if (found.checked && !found.intact)
      fail_msg("allocation %zu, %zu times: %s", plan.at, plan.count, found.problem);
    sdb_inspection_free(&found);
  } else {
    assert_true(failed);
    assert_no_memory(status, &error, plan);
    assert_int_equal(found.format, 7);
  }
  assert_int_equal(failing_process_live(), live);
  return failed;
}

static void an_inspection_tells_the_truth_or_says_that_there_is_no_memory(void **state) {
  (void)state;
  inspecting i;
  fill(&i.at);
  for (i.depth = SDB_INSPECT_COUNTS; i.depth <= SDB_INSPECT_INTEGRITY; i.depth++)
    with_some_allocations_failing(inspect_filled, &i, 97);
  drop_folder(i.at.folder);
}

/* ---- copying it ---- */

static bool copy_filled(const void *context, failing_plan plan) {
  const place *at = context;
  size_t live = failing_process_live();
  sdb_error error;
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status = sdb_database_backup(at->url, at->copy, &error);
  bool failed = failing_process_disarm();
  if (status != SDB_OK) {
    assert_true(failed);
    assert_no_memory(status, &error, plan);
    assert_int_equal(copies_in(at->folder), 0);
  } else {
    char url[160];
    snprintf(url, sizeof(url), "sqlite://%s", at->copy);
    assert_intact(url, FILLED_OBJECTS);
    assert_int_equal(unlink(at->copy), 0);
  }
  assert_int_equal(failing_process_live(), live);
  return failed;
}

static void a_backup_is_whole_or_is_not_there(void **state) {
  (void)state;
  place at;
  fill(&at);
  with_some_allocations_failing(copy_filled, &at, 97);
  assert_intact(at.url, FILLED_OBJECTS);
  drop_folder(at.folder);
}

int main(void) {
  failing_process_install();
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_database_is_opened_or_says_that_there_is_no_memory),
      cmocka_unit_test(a_database_is_opened_or_says_that_there_is_no_memory),
      cmocka_unit_test(an_inspection_tells_the_truth_or_says_that_there_is_no_memory),
      cmocka_unit_test(a_backup_is_whole_or_is_not_there),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
