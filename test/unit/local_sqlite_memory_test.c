/* local_sqlite_memory_test.c: the device's SQLite file without memory: opening it, every operation
 * of the port, what is saved of it and setting it aside, at every allocation, SQLite's own among
 * them.
 *
 * What fails says SDB_NO_MEMORY, never that the file is damaged (a client would set it aside). A
 * commit that fails leaves nothing of itself, the storage goes on, and the same succeeds with
 * memory. sdb_platform_mem is wrapped (test/CMakeLists.txt), so that the operations' buffers fail
 * too.
 */
#include "failing_process.h"
#include "local_sqlite_kind.h"
#include "platform/platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const sdb_mem *__wrap_sdb_platform_mem(void);
const sdb_mem *__wrap_sdb_platform_mem(void) {
  return failing_process_mem();
}

static sdb_error problem;

static void assert_no_memory(sdb_status status, failing_plan plan) {
  if (status != SDB_NO_MEMORY)
    fail_msg("allocation %zu, %zu times: %s, %s", plan.at, plan.count, sdb_status_name(status),
        problem.message);
}

/* ---- what is in the file ---- */

/* All of it, as text, to be freed. */
static char *dump(local_fixture *f) {
  char *text = NULL, id[SDB_UUID_TEXT_SIZE + 1] = "";
  size_t size = 0;
  FILE *to = open_memstream(&text, &size);
  assert_non_null(to);
  const sdb_local_load *load = load_all(f);
  assert_int_equal(load->op.status, SDB_OK);
  sdb_uuid_format(load->database, id);
  fprintf(to, "database %s\n", id);
  for (int store = 0; store < STORES; store++) {
    const sdb_local_state *state = &load->states[store];
    sdb_uuid_format(state->head, id);
    fprintf(to, "store %d: %s, %u, %u\n", store, id, state->wanted, state->missing_count);
    const sdb_local_page *page = read_page(f, store, NIL, 1000);
    assert_int_equal(page->op.status, SDB_OK);
    for (uint32_t i = 0; i < page->count; i++) {
      const sdb_local_record *record = &page->records[i];
      sdb_uuid_format(record->event_id, id);
      fprintf(to, "  %s %.*s\n", id, (int)record->object.size, record->object.data);
    }
  }
  for (size_t i = 0; i < load->pending_count; i++) {
    const sdb_local_pending *pending = &load->pending[i];
    sdb_uuid_format(pending->client_id, id);
    fprintf(to, "pending %s %.*s %.*s\n", id, (int)pending->object.size,
        pending->object.size ? pending->object.data : "", (int)pending->message.size,
        pending->message.size ? pending->message.data : "");
  }
  fclose(to);
  return text;
}

static const sdb_id_range MISSING[] = {{{{1}}, {{1, 9}}}, {{{0}}, {{0, 9}}}};

static sdb_local_pending push_of(uint64_t number) {
  sdb_local_pending pending = pending_of(number, 5000 + number, CHAT, "{\"text\":\"a push\"}");
  pending.failed = SDB_REJECTED;
  pending.message = sdb_slice_of("no");
  pending.path = sdb_slice_of("/text");
  return pending;
}

/* A few records of everything; one object is larger than a page. */
static void fill(local_fixture *f) {
  char large[9000];
  memset(large, 'x', sizeof(large) - 1);
  large[sizeof(large) - 1] = 0;
  sdb_local_pending one = push_of(1), two = push_of(2);
  sdb_local_change changes[] = {put_of(CHAT, 1, 1, "{\"n\":1}"), put_of(CHAT, 2, 2, large),
      put_of(CHAT, 3, 3, "{\"n\":3}"), remove_of(CHAT, 3, 4, true), put_of(NOTE, 5, 5, "{}"),
      singular_of(ACCOUNT, 6, 6, "{\"name\":\"Ada\"}"), database_of(77),
      state_of(CHAT, 9, 3, MISSING, 0), pending_put_of(&one), pending_put_of(&two)};
  assert_int_equal(commit_changes(f, changes, SDB_COUNT_OF(changes)), SDB_OK);
}

/* ---- stories ---- */

typedef struct test test;

typedef struct story {
  bool cold; /* opened anew before each attempt */
  sdb_status (*attempt)(test *t);
  bool changes;
} story;

struct test {
  story story;
  local_fixture *f;
  char *filled;
  unsigned number; /* of the attempt */
};

static void reopen(local_fixture *f) {
  local_file_close(f);
  local_file_open(f);
}

static void assert_same(local_fixture *f, const char *wanted) {
  char *found = dump(f);
  assert_string_equal(found, wanted);
  free(found);
}

/* One run of the loop. */
static bool attempt(const void *context, failing_plan plan) {
  test *t = *(test *const *)context;
  t->number++;
  char *before = t->story.changes ? dump(t->f) : NULL;
  if (t->story.cold) reopen(t->f);
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status = t->story.attempt(t);
  bool failed = failing_process_disarm();
  if (status != SDB_OK) {
    problem = *sdb_sqlite_local_problem(local_of(t->f)->local);
    if (!failed) fail_msg("attempt %u: %s", t->number, problem.message);
    assert_no_memory(status, plan);
    if (t->story.changes) assert_same(t->f, before);
    t->number++;
    status = t->story.attempt(t);
    problem = *sdb_sqlite_local_problem(local_of(t->f)->local);
    if (status != SDB_OK) fail_msg("attempt %u: %s", t->number, problem.message);
  }
  if (t->story.changes) {
    char *after = dump(t->f);
    assert_string_not_equal(after, before);
    free(after);
  }
  free(before);
  return failed;
}

static void run_story(story s) {
  size_t live = failing_process_live();
  test t = {.story = s};
  test *context = &t;
  t.f = local_open(&LOCAL_SQLITE_KIND);
  fill(t.f);
  reopen(t.f);
  if (s.cold)
    with_some_allocations_failing(attempt, &context, 37);
  else
    with_each_allocation_failing(attempt, &context);
  assert_true(t.number > 3);
  char *before = dump(t.f);
  reopen(t.f);
  assert_same(t.f, before);
  free(before);
  local_file_close(t.f);
  assert_int_equal(sql(local_of(t.f)->path, "SELECT count(*) FROM pragma_integrity_check"
                                            " WHERE integrity_check != 'ok'"),
      0);
  local_file_open(t.f);
  local_close(t.f);
  assert_int_equal(failing_process_live(), live);
}

static void run_both(story s) {
  run_story(s);
  s.cold = true;
  run_story(s);
}

/* Every kind of change, in one commit, each time with other ids. */
static sdb_status commit_of_each(test *t) {
  uint64_t n = 100 * (uint64_t)t->number;
  sdb_local_pending pending = push_of(n);
  sdb_local_change changes[] = {put_of(CHAT, n, n, "{\"new\":true}"),
      put_of(CHAT, 1, n + 1, "{\"n\":1,\"again\":true}"), remove_of(CHAT, n, n + 2, true),
      put_of(CHAT, n, n + 3, "{\"back\":true}"), remove_of(SDB_LOCAL_ANY, n, n + 4, false),
      put_of(NOTE, n + 5, n + 5, "{}"), change_of(SDB_LOCAL_CLEAR, NOTE),
      put_of(NOTE, n + 6, n + 6, "{}"), singular_of(ACCOUNT, n + 7, n + 7, "{\"name\":\"Bob\"}"),
      remove_of(ACCOUNT, n + 7, n + 8, true), singular_of(ACCOUNT, n + 9, n + 9, ""),
      singular_of(ACCOUNT, n + 10, n + 10, "{\"name\":\"Cy\"}"),
      state_of(CHAT, n + 11, (uint32_t)n, MISSING, 0), database_of(n), pending_put_of(&pending),
      pending_drop_of(id_of(5001)), change_of(SDB_LOCAL_FORGET, CHAT),
      change_of(SDB_LOCAL_VIEW, CHAT)};
  return commit_changes(t->f, changes, SDB_COUNT_OF(changes));
}

static void a_commit_is_there_as_a_whole_or_is_not(void **state) {
  (void)state;
  run_both((story){.attempt = commit_of_each, .changes = true});
}

static sdb_status load_everything(test *t) {
  const sdb_local_load *load = load_all(t->f);
  if (load->op.status != SDB_OK) return load->op.status;
  assert_id(load->database, id_of(77));
  assert_int_equal(load->pending_count, 2);
  assert_id(load->states[CHAT].head, id_of(9));
  sdb_local_pending one = push_of(1);
  assert_pending(&load->pending[0], &one);
  return SDB_OK;
}

static sdb_status read_pages(test *t) {
  const sdb_local_page *page = read_page(t->f, CHAT, NIL, 10);
  if (page->op.status != SDB_OK) return page->op.status;
  assert_int_equal(page->count, 2);
  assert_int_equal(page->records[0].object.size, 8999);
  assert_body(page->records[1].object, "{\"n\":1}");
  return SDB_OK;
}

static sdb_status read_objects(test *t) {
  const sdb_local_object *object = read_object(t->f, ACCOUNT, NIL);
  if (object->op.status != SDB_OK) return object->op.status;
  assert_body(object->record.object, "{\"name\":\"Ada\"}");
  object = read_object(t->f, CHAT, id_of(2));
  if (object->op.status == SDB_OK) assert_int_equal(object->record.object.size, 8999);
  return object->op.status;
}

static void a_read_gives_all_or_says_that_there_is_no_memory(void **state) {
  (void)state;
  run_both((story){.attempt = load_everything});
  run_both((story){.attempt = read_pages});
  run_both((story){.attempt = read_objects});
}

static sdb_status commit_and_sync(test *t) {
  sdb_status status = SDB_OK;
  if (t->number % 2) status = commit_of_each(t);
  sdb_local_op sync = {.kind = SDB_LOCAL_SYNC};
  return status == SDB_OK ? local_submit(t->f, &sync) : status;
}

static void a_sync_is_done_or_says_that_there_is_no_memory(void **state) {
  (void)state;
  run_both((story){.attempt = commit_and_sync});
}

/* ---- the file ---- */

typedef struct opening {
  local_fixture *f;
  bool fresh; /* there is no file yet */
  const char *filled;
} opening;

static void remove_files(const local_held *held) {
  static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-lock"};
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++)
    unlink(path_with(held->path, SUFFIXES[i]));
}

static bool open_file(const void *context, failing_plan plan) {
  const opening *o = context;
  local_held *held = local_of(o->f);
  local_file_close(o->f);
  if (o->fresh) remove_files(held);
  size_t live = failing_process_live();
  bool damaged = true;
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status = local_file_try(o->f, &damaged, &problem);
  bool failed = failing_process_disarm();
  assert_false(damaged);
  if (status != SDB_OK) {
    assert_true(failed);
    assert_no_memory(status, plan);
    assert_int_equal(problem.status, status);
    assert_int_equal(failing_process_live(), live);
    local_file_open(o->f);
  }
  if (!o->fresh) assert_same(o->f, o->filled);
  return failed;
}

static void a_file_is_opened_or_says_that_there_is_no_memory(void **state) {
  (void)state;
  for (int fresh = 0; fresh <= 1; fresh++) {
    opening o = {.f = local_open(&LOCAL_SQLITE_KIND), .fresh = fresh};
    fill(o.f);
    char *filled = dump(o.f);
    o.filled = filled;
    with_some_allocations_failing(open_file, &o, 37);
    free(filled);
    local_close(o.f);
  }
}

/* A store of another type since is cleared; its row in the file is of the old one until then. */
static bool open_other_type(const void *context, failing_plan plan) {
  opening o = *(const opening *)context;
  local_held *held = local_of(o.f);
  sdb_storage_store stores[STORES];
  memcpy(stores, CONFORMANCE_STORES, sizeof(stores));
  local_file_close(o.f);
  remove_files(held);
  local_file_open(o.f);
  fill(o.f);
  stores[NOTE].type = SDB_STORE_SINGULAR;
  held->options.stores = stores;
  bool failed = open_file(&(opening){.f = o.f, .fresh = false, .filled = o.filled}, plan);
  held->options.stores = CONFORMANCE_STORES;
  return failed;
}

static void a_store_of_another_type_is_cleared_as_a_whole_or_is_not(void **state) {
  (void)state;
  opening o = {.f = local_open(&LOCAL_SQLITE_KIND)};
  fill(o.f);
  assert_true(apply(o.f, (sdb_local_change){.kind = SDB_LOCAL_SINGULAR,
                             .store = ACCOUNT,
                             .id = id_of(6),
                             .event_id = id_of(6),
                             .client_id = id_of(1000006),
                             .object = sdb_slice_of("{\"name\":\"Ada\"}"),
                             .or_equal = true}));
  sdb_local_change clear = change_of(SDB_LOCAL_CLEAR, NOTE);
  assert_int_equal(commit_changes(o.f, &clear, 1), SDB_OK);
  char *filled = dump(o.f);
  o.filled = filled;
  with_some_allocations_failing(open_other_type, &o, 37);
  free(filled);
  local_close(o.f);
}

/* ---- what is saved of it ---- */

static bool salvage(const void *context, failing_plan plan) {
  const opening *o = context;
  size_t live = failing_process_live();
  sdb_buffer memory;
  const sdb_local_pending *pending = NULL;
  size_t count = 99;
  sdb_buffer_init(&memory, failing_process_mem(), 1 << 20);
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status =
      sdb_sqlite_local_salvage(&local_of(o->f)->options, &memory, &pending, &count, &problem);
  bool failed = failing_process_disarm();
  if (status == SDB_OK) {
    sdb_local_pending one = push_of(1);
    assert_int_equal(count, 2);
    assert_pending(&pending[0], &one);
  } else {
    assert_true(failed);
    assert_no_memory(status, plan);
  }
  sdb_buffer_free(&memory);
  assert_int_equal(failing_process_live(), live);
  return failed;
}

static void pending_pushes_are_all_saved_or_it_says_that_there_is_no_memory(void **state) {
  (void)state;
  opening o = {.f = local_open(&LOCAL_SQLITE_KIND)};
  fill(o.f);
  local_file_close(o.f);
  with_some_allocations_failing(salvage, &o, 37);
  local_file_open(o.f);
  local_close(o.f);
}

static bool set_aside(const void *context, failing_plan plan) {
  const opening *o = context;
  const char *path = local_of(o->f)->path;
  size_t live = failing_process_live();
  failing_process_arm(FAILING_CALLER, plan);
  sdb_status status =
      sdb_sqlite_local_set_aside(&SDB_SYSTEM, failing_process_mem(), path, 7, &problem);
  bool failed = failing_process_disarm();
  assert_int_equal(failing_process_live(), live);
  assert_int_equal(access(path, F_OK) == 0, status != SDB_OK);
  if (status == SDB_OK)
    assert_int_equal(rename(path_with(path, ".damaged-7"), path), 0);
  else
    assert_no_memory(status, plan);
  return failed;
}

static void a_file_is_set_aside_as_a_whole_or_is_not(void **state) {
  (void)state;
  opening o = {.f = local_open(&LOCAL_SQLITE_KIND)};
  fill(o.f);
  local_file_close(o.f);
  with_each_allocation_failing(set_aside, &o);
  local_file_open(o.f);
  local_close(o.f);
}

int main(void) {
  failing_process_install();
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_commit_is_there_as_a_whole_or_is_not),
      cmocka_unit_test(a_read_gives_all_or_says_that_there_is_no_memory),
      cmocka_unit_test(a_sync_is_done_or_says_that_there_is_no_memory),
      cmocka_unit_test(a_file_is_opened_or_says_that_there_is_no_memory),
      cmocka_unit_test(a_store_of_another_type_is_cleared_as_a_whole_or_is_not),
      cmocka_unit_test(pending_pushes_are_all_saved_or_it_says_that_there_is_no_memory),
      cmocka_unit_test(a_file_is_set_aside_as_a_whole_or_is_not),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
