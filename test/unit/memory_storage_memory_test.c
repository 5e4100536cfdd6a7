/* memory_storage_memory_test.c: the server's storage in memory without memory: every operation of
 * the port, at every allocation. What fails is answered so and leaves nothing of itself.
 * sdb_platform_mem is wrapped (test/CMakeLists.txt): the operations' buffers fail too. */
#include "failing_memory.h"
#include "storage/memory/memory_storage.h"
#include "storage_conformance.h"

static failing_memory memory;

const sdb_mem *__wrap_sdb_platform_mem(void);
const sdb_mem *__wrap_sdb_platform_mem(void) {
  return &memory.mem;
}

typedef struct test {
  fixture *f;
  uint64_t ann;
  sdb_seq chat, account;
} test;

static sdb_status write_one(test *t, sdb_action action, int store, sdb_seq object) {
  sdb_op_write *write = new_write(t->f, action, t->ann, store);
  write->object = object;
  write->want_previous = true;
  if (action != SDB_ACTION_DELETE) write->body = sdb_slice_of("written");
  return do_write(t->f, write);
}

static sdb_status add_user(test *t) {
  return do_user(t->f, "bob")->op.status;
}

static sdb_status create_one(test *t) {
  return write_one(t, SDB_ACTION_CREATE, CHAT, 0);
}

static sdb_status update_one(test *t) {
  return write_one(t, SDB_ACTION_UPDATE, CHAT, t->chat);
}

static sdb_status remove_one(test *t) {
  return write_one(t, SDB_ACTION_DELETE, CHAT, t->chat);
}

static sdb_status put_singular(test *t) {
  return write_one(t, SDB_ACTION_CREATE, ACCOUNT, 0);
}

static sdb_status push_again(test *t) {
  sdb_op_write *write = new_write(t->f, SDB_ACTION_CREATE, t->ann, CHAT);
  write->client_id = client(1);
  write->body = sdb_slice_of("again");
  sdb_status status = do_write(t->f, write);
  assert_int_equal(write->duplicate, status == SDB_OK);
  return status;
}

static sdb_status read_page(test *t) {
  sdb_op_page *page = do_page(t->f, t->ann, CHAT, 0, 0, 100);
  assert_int_equal(page->count, page->op.status == SDB_OK ? 16 : 0);
  return page->op.status;
}

static sdb_status read_object(test *t) {
  sdb_op_object *op = do_object(t->f, t->ann, CHAT, t->chat);
  if (op->op.status == SDB_OK) assert_body(op->event.body, "first");
  return op->op.status;
}

typedef sdb_status (*operation)(test *t);

static const operation OPERATIONS[] = {
    add_user, create_one, update_one, remove_one, put_singular, push_again, read_page, read_object};

/* The first of its user's events, and how many there are. */
static void look(test *t, sdb_seq newest[STORES], uint32_t count[STORES]) {
  for (int store = 0; store < STORES; store++) {
    const sdb_op_page *page = do_page(t->f, t->ann, store, 0, 0, 1000);
    assert_int_equal(page->op.status, SDB_OK);
    count[store] = page->count;
    newest[store] = page->count ? page->events[0].seq : 0;
  }
}

/* One run of the loop. */
static bool carry_out(const void *context, failing_plan plan) {
  failing_memory_init(&memory, 0);
  test t = {.f = fixture_open(&MEMORY_KIND)};
  t.ann = user_of(t.f, "ann");
  for (unsigned i = 0; i < 15; i++) /* the next one makes the arrays grow */
    t.chat = create(t.f, t.ann, CHAT, "first", i + 1, T0);
  t.account = create(t.f, t.ann, ACCOUNT, "account", 16, T0);
  create(t.f, t.ann, CHAT, "last", 0, T0);
  sdb_seq before[STORES], after[STORES];
  uint32_t count[STORES], count_after[STORES];
  look(&t, before, count);
  failing_memory_arm(&memory, plan);
  sdb_status status = (*(const operation *)context)(&t);
  bool failed = failing_memory_disarm(&memory);
  if (status != SDB_OK) {
    assert_true(failed && (status == SDB_UNAVAILABLE || status == SDB_NO_MEMORY));
    look(&t, after, count_after);
    assert_memory_equal(after, before, sizeof(after));
    assert_memory_equal(count_after, count, sizeof(count));
    assert_int_equal((*(const operation *)context)(&t), SDB_OK);
  }
  fixture_close(t.f);
  assert_int_equal(memory.live, 0);
  return failed;
}

static void an_operation_without_memory_leaves_nothing_of_itself(void **state) {
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(OPERATIONS); i++) {
    size_t runs = failing_memory_counts()->runs;
    with_each_allocation_failing(carry_out, &OPERATIONS[i]);
    assert_true(failing_memory_counts()->runs > runs);
  }
}

static void count_none(void *context, sdb_op *list) {
  (void)context;
  (void)list;
}

static bool create_storage(const void *context, failing_plan plan) {
  (void)context;
  failing_memory_init(&memory, 0);
  sdb_memory_storage_options options;
  sdb_memory_storage_options_init(&options);
  options.mem = &memory.mem;
  options.stores = CONFORMANCE_STORES;
  options.stores_count = STORES;
  options.sink = (sdb_storage_sink){NULL, count_none};
  options.database = client(1);
  sdb_memory_storage *storage = NULL;
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_memory_storage_create(&options, &storage);
  bool failed = failing_memory_disarm(&memory);
  assert_int_equal(status, failed ? SDB_NO_MEMORY : SDB_OK);
  sdb_memory_storage_destroy(storage);
  assert_int_equal(memory.live, 0);
  return failed;
}

static void a_storage_without_memory_is_not_made(void **state) {
  (void)state;
  with_each_allocation_failing(create_storage, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_operation_without_memory_leaves_nothing_of_itself),
      cmocka_unit_test(a_storage_without_memory_is_not_made),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
