/* test/unit/local_memory_test.c: the device's storage in memory: the conformance suite, and what is
 * its own. */
#include "failing_memory.h"
#include "local_conformance.h"
#include "platform/platform.h"
#include "storage/local/memory_local.h"
#include <stdlib.h>

/* The sink that is told may change on reopening, the storage stays. */
typedef struct held {
  sdb_memory_local *local;
  sdb_local_sink sink;
} held;

static void pass_on(void *context, sdb_local_op *list) {
  held *h = context;
  h->sink.completed(h->sink.context, list);
}

static void *open_memory(sdb_local_sink sink) {
  held *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  h->sink = sink;
  assert_int_equal(sdb_memory_local_create(sdb_platform_mem(), CONFORMANCE_STORES, STORES,
                       (sdb_local_sink){h, pass_on}, &h->local),
      SDB_OK);
  return h;
}

static const sdb_local_port *port(void *storage) {
  return sdb_memory_local_port(((held *)storage)->local);
}

static void *reopen(void *storage, sdb_local_sink sink) {
  ((held *)storage)->sink = sink;
  return storage;
}

static void fail_commits(void *storage, bool failing) {
  sdb_memory_local_fail(((held *)storage)->local, failing ? SDB_IO : SDB_OK);
}

static void destroy(void *storage) {
  sdb_memory_local_destroy(((held *)storage)->local);
  free(storage);
}

static const local_kind KIND = {
    "local_memory", false, open_memory, port, reopen, fail_commits, destroy};

/* ---- what is its own ---- */

typedef struct seen {
  size_t calls, ops;
  sdb_local_op *last;
} seen;

static void count(void *context, sdb_local_op *list) {
  seen *s = context;
  s->calls++;
  for (; list; list = list->next) {
    s->ops++;
    s->last = list;
  }
}

static void deferred_operations_wait_until_they_are_run(void **state) {
  (void)state;
  seen s = {0};
  sdb_memory_local *local;
  assert_int_equal(sdb_memory_local_create(sdb_platform_mem(), CONFORMANCE_STORES, STORES,
                       (sdb_local_sink){&s, count}, &local),
      SDB_OK);
  const sdb_local_port *to = sdb_memory_local_port(local);
  sdb_memory_local_defer(local, true);
  sdb_local_commit commits[3] = {0};
  for (int i = 0; i < 3; i++)
    commits[i].op.kind = SDB_LOCAL_COMMIT;
  commits[0].op.next = &commits[1].op;
  to->submit(to->self, &commits[0].op);
  to->submit(to->self, &commits[2].op);
  assert_int_equal(s.calls, 0);
  assert_int_equal(sdb_memory_local_run(local, 2), 2);
  assert_int_equal(s.ops, 2);
  assert_ptr_equal(s.last, &commits[1].op);
  assert_int_equal(sdb_memory_local_run(local, SIZE_MAX), 1);
  assert_ptr_equal(s.last, &commits[2].op);
  assert_int_equal(sdb_memory_local_run(local, SIZE_MAX), 0);
  assert_int_equal(s.calls, 2);
  sdb_memory_local_destroy(local);
}

/* Everything that needs memory, in one commit. */
static sdb_status commit_of_each(const sdb_local_port *to) {
  static const sdb_id_range MISSING[] = {{{{0}}, {{5}}}};
  sdb_local_pending pending = pending_of(1, 9, CHAT, "{\"text\":\"a push\"}");
  sdb_local_change changes[] = {put_of(CHAT, 1, 1, "one"), put_of(CHAT, 2, 2, "two"),
      remove_of(CHAT, 1, 3, true), put_of(CHAT, 1, 1, "stale"), singular_of(ACCOUNT, 3, 3, "a"),
      state_of(CHAT, 9, 0, MISSING, 1), state_of(CHAT, 9, 0, MISSING, 1), pending_put_of(&pending),
      pending_put_of(&pending), remove_of(CHAT, 1, 4, true)};
  sdb_local_commit commit = {
      .op = {.kind = SDB_LOCAL_COMMIT}, .changes = changes, .count = SDB_COUNT_OF(changes)};
  to->submit(to->self, &commit.op);
  return commit.op.status;
}

static void assert_holds(const sdb_local_port *to, bool committed) {
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .limit = 10};
  sdb_local_load load = {.op = {.kind = SDB_LOCAL_LOAD}};
  sdb_buffer_init(&page.memory, sdb_platform_mem(), 1 << 20);
  sdb_buffer_init(&load.memory, sdb_platform_mem(), 1 << 20);
  to->submit(to->self, &page.op);
  to->submit(to->self, &load.op);
  assert_int_equal(page.count, committed);
  assert_int_equal(load.pending_count, committed);
  assert_int_equal(load.states[CHAT].missing_count, committed);
  sdb_buffer_free(&page.memory);
  sdb_buffer_free(&load.memory);
}

/* One run of the loop. */
static bool create_and_commit(const void *context, failing_plan plan) {
  (void)context;
  failing_memory memory;
  seen s = {0};
  sdb_memory_local *local;
  failing_memory_init(&memory, 0);
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_memory_local_create(
      &memory.mem, CONFORMANCE_STORES, STORES, (sdb_local_sink){&s, count}, &local);
  if (status == SDB_OK) {
    status = commit_of_each(sdb_memory_local_port(local));
    failing_memory_disarm(&memory);
    assert_holds(sdb_memory_local_port(local), status == SDB_OK);
    if (status != SDB_OK) {
      assert_int_equal(commit_of_each(sdb_memory_local_port(local)), SDB_OK);
      assert_holds(sdb_memory_local_port(local), true);
    }
    sdb_memory_local_destroy(local);
  }
  assert_int_equal(memory.live, 0);
  assert_int_equal(status, memory.failed ? SDB_NO_MEMORY : SDB_OK);
  return memory.failed;
}

static void without_memory_a_commit_leaves_nothing_of_itself(void **state) {
  (void)state;
  with_each_allocation_failing(create_and_commit, NULL);
  assert_true(failing_memory_counts()->runs > 30);
}

/* Each read asks its operation's own memory once: as one piece. */
static void without_memory_a_read_says_so_and_gives_nothing(void **state) {
  (void)state;
  seen s = {0};
  failing_memory memory;
  sdb_memory_local *local;
  failing_memory_init(&memory, 0);
  assert_int_equal(sdb_memory_local_create(sdb_platform_mem(), CONFORMANCE_STORES, STORES,
                       (sdb_local_sink){&s, count}, &local),
      SDB_OK);
  const sdb_local_port *to = sdb_memory_local_port(local);
  assert_int_equal(commit_of_each(to), SDB_OK);
  sdb_local_page page = {.op = {.kind = SDB_LOCAL_PAGE}, .limit = 10};
  sdb_local_load load = {.op = {.kind = SDB_LOCAL_LOAD}};
  sdb_local_object object = {.op = {.kind = SDB_LOCAL_OBJECT}, .store = CHAT, .id = id_of(2)};
  sdb_buffer *buffers[] = {&page.memory, &load.memory, &object.memory};
  sdb_local_op *ops[] = {&page.op, &load.op, &object.op};
  for (size_t i = 0; i < SDB_COUNT_OF(ops); i++) {
    sdb_buffer_init(buffers[i], &memory.mem, 1 << 20);
    failing_memory_arm(&memory, (failing_plan){1, 1});
    to->submit(to->self, ops[i]);
    assert_int_equal(ops[i]->status, SDB_NO_MEMORY);
    assert_true(failing_memory_disarm(&memory));
    to->submit(to->self, ops[i]);
    assert_int_equal(ops[i]->status, SDB_OK);
    sdb_buffer_free(buffers[i]);
  }
  assert_int_equal(memory.live, 0);
  sdb_memory_local_destroy(local);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(deferred_operations_wait_until_they_are_run),
      cmocka_unit_test(without_memory_a_commit_leaves_nothing_of_itself),
      cmocka_unit_test(without_memory_a_read_says_so_and_gives_nothing),
  };
  int failures = local_conformance_run(&KIND);
  return failures + cmocka_run_group_tests_name("local_memory", tests, NULL, NULL);
}
