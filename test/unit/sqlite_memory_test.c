/* sqlite_memory_test.c: the server's SQLite storage without memory: every operation of the port, at
 * every allocation of its threads, SQLite's own among them.
 *
 * Each story attempts the same thing on one storage again and again, with the first allocation of
 * one kind of thread failing, then the second... What fails is answered so and leaves nothing of
 * itself, what succeeds is there as a whole, the storage goes on, and in the end its file is
 * intact. The cold stories open the storage anew before each attempt, so that the caches are
 * empty and what is prepared late is prepared in it.
 *
 * The wrapped functions (test/CMakeLists.txt) tell which thread it is that allocates, and when the
 * indexer has done all it can; and they give the storage the memory that fails.
 */
#include "failing_process.h"
#include "platform/platform.h"
#include "sqlite_kind.h"
#include "storage/sqlite/inbox.h"
#include <pthread.h>
#include <sched.h>
#include <syncdb/admin.h>
#include <unistd.h>

/* ---- threads ---- */

const sdb_mem *__wrap_sdb_platform_mem(void);
const sdb_mem *__wrap_sdb_platform_mem(void) {
  return failing_process_mem();
}

#define WRAP_THREAD(run, kind)                                                                     \
  void *__real_##run(void *context);                                                               \
  void *__wrap_##run(void *context);                                                               \
  void *__wrap_##run(void *context) {                                                              \
    failing_process_set_thread(kind);                                                              \
    return __real_##run(context);                                                                  \
  }

WRAP_THREAD(sdb_writer_run, FAILING_WRITER)
WRAP_THREAD(sdb_reader_run, FAILING_READER)
WRAP_THREAD(sdb_indexer_run, FAILING_INDEXER)
WRAP_THREAD(sdb_checkpointer_run, FAILING_CHECKPOINTER)

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool indexer_waits, indexer_woken;
  size_t checkpoints; /* copied by the checkpointer, which then asks the writer for the rest */
  size_t takes;       /* of work, by the writer, since memory failed */
  size_t spins;       /* the last ones of them at once, with no operation to carry out */
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

bool __real_sdb_inbox_await_index_work(sdb_inbox *inbox);
bool __wrap_sdb_inbox_await_index_work(sdb_inbox *inbox);
bool __wrap_sdb_inbox_await_index_work(sdb_inbox *inbox) {
  pthread_mutex_lock(&seen.mutex);
  seen.indexer_waits = true;
  pthread_cond_broadcast(&seen.changed);
  pthread_mutex_unlock(&seen.mutex);
  bool goes_on = __real_sdb_inbox_await_index_work(inbox);
  pthread_mutex_lock(&seen.mutex);
  seen.indexer_waits = seen.indexer_woken = false;
  pthread_mutex_unlock(&seen.mutex);
  return goes_on;
}

void __real_sdb_inbox_wake_indexer(sdb_inbox *inbox);
void __wrap_sdb_inbox_wake_indexer(sdb_inbox *inbox);
void __wrap_sdb_inbox_wake_indexer(sdb_inbox *inbox) {
  pthread_mutex_lock(&seen.mutex);
  seen.indexer_woken = true;
  __real_sdb_inbox_wake_indexer(inbox);
  pthread_mutex_unlock(&seen.mutex);
}

void __real_sdb_inbox_ask_checkpoint(sdb_inbox *inbox);
void __wrap_sdb_inbox_ask_checkpoint(sdb_inbox *inbox);
void __wrap_sdb_inbox_ask_checkpoint(sdb_inbox *inbox) {
  pthread_mutex_lock(&seen.mutex);
  seen.checkpoints++;
  pthread_mutex_unlock(&seen.mutex);
  __real_sdb_inbox_ask_checkpoint(inbox);
}

void __real_sdb_inbox_take(sdb_inbox *inbox, sdb_inbox_wait wait, sdb_inbox_work *work);
void __wrap_sdb_inbox_take(sdb_inbox *inbox, sdb_inbox_wait wait, sdb_inbox_work *work);
void __wrap_sdb_inbox_take(sdb_inbox *inbox, sdb_inbox_wait wait, sdb_inbox_work *work) {
  pthread_mutex_lock(&seen.mutex);
  bool failed = failing_process_failed() > 0;
  seen.takes += failed;
  seen.spins = failed && wait == SDB_INBOX_NO_WAIT && work->ops.count == 0 ? seen.spins + 1 : 0;
  pthread_mutex_unlock(&seen.mutex);
  __real_sdb_inbox_take(inbox, wait, work);
}

static bool indexer_rests(void) {
  pthread_mutex_lock(&seen.mutex);
  bool rests = seen.indexer_waits && !seen.indexer_woken;
  pthread_mutex_unlock(&seen.mutex);
  return rests;
}

static void forget_takes(void) {
  pthread_mutex_lock(&seen.mutex);
  seen.takes = seen.spins = 0;
  pthread_mutex_unlock(&seen.mutex);
}

/* Waits until the writer, whom memory failed, has looked for work again and is not at work. */
static void await_writer(void) {
  for (bool done = false; !done; sched_yield()) {
    pthread_mutex_lock(&seen.mutex);
    done = seen.takes > 0 && seen.spins == 0;
    size_t spins = seen.spins;
    pthread_mutex_unlock(&seen.mutex);
    assert_true(spins < 1000);
  }
}

static size_t checkpoints(void) {
  pthread_mutex_lock(&seen.mutex);
  size_t count = seen.checkpoints;
  pthread_mutex_unlock(&seen.mutex);
  return count;
}

static void await_indexer(void) {
  pthread_mutex_lock(&seen.mutex);
  while (!seen.indexer_waits || seen.indexer_woken)
    pthread_cond_wait(&seen.changed, &seen.mutex);
  pthread_mutex_unlock(&seen.mutex);
}

/* ---- stories ---- */

typedef struct test test;

typedef struct story {
  failing_thread on;
  bool cold;
  uint32_t generation_entries;
  void (*begin)(test *t);   /* once; or NULL */
  void (*prepare)(test *t); /* before each attempt; or NULL */
  sdb_status (*attempt)(test *t);
  void (*check)(test *t); /* what succeeded; or NULL: nothing changes */
  bool always;            /* check what failed too: it may have done a part */
  uint32_t wal_pages;     /* in the WAL that wake the checkpointer */
  size_t step;            /* of with_some_allocations_failing: 1 */
} story;

struct test {
  const story *story;
  fixture *f;
  uint64_t ann;
  unsigned number; /* of the attempt */
  char body[32];   /* of this attempt */
  uint64_t now_ms;
  sdb_seq object, other; /* the story's */
  unsigned writes_count;
  bool failed; /* memory, and it is back already */
  sdb_op_write *kept;
};

static sdb_error problem;

/* All that the user has, as text, to be freed. */
static char *dump(test *t) {
  char *text = NULL;
  size_t size = 0;
  FILE *to = open_memstream(&text, &size);
  assert_non_null(to);
  for (int store = 0; store < STORES; store++) {
    const sdb_op_page *page = do_page(t->f, t->ann, store, 0, 0, 1000);
    if (page->op.status != SDB_OK) fail_msg("%s", sdb_status_name(page->op.status));
    fprintf(to, "store %d, horizon %llu\n", store, (unsigned long long)page->horizon);
    for (uint32_t i = 0; i < page->count; i++) {
      const sdb_stored_event *event = &page->events[i];
      fprintf(to, "%llu of %llu%s: %.*s\n", (unsigned long long)event->seq,
          (unsigned long long)event->object, event->removed ? " removed" : "",
          (int)event->body.size, event->body.size ? event->body.data : "");
    }
  }
  fclose(to);
  return text;
}

static void reopen(test *t) {
  sqlite_close(t->f);
  sqlite_open(t->f);
  await_indexer(); /* it looks at what there is first */
}

/* One run of the loop. */
static bool attempt(const void *context, failing_plan plan) {
  test *t = *(test *const *)context;
  const story *s = t->story;
  t->number++;
  snprintf(t->body, sizeof(t->body), "{\"attempt\":%u}", t->number);
  if (s->prepare) s->prepare(t);
  char *before = dump(t);
  if (s->cold) reopen(t);
  t->failed = false;
  forget_takes();
  failing_process_arm(s->on, plan);
  sdb_status status = s->attempt(t);
  bool failed = failing_process_disarm() || t->failed;
  char *after = dump(t);
  if (status != SDB_OK) {
    assert_true(failed);
    if (status != SDB_UNAVAILABLE && status != SDB_NO_MEMORY)
      fail_msg("allocation %zu: %s", plan.at, sdb_status_name(status));
  }
  if (!s->check || (status != SDB_OK && !s->always))
    assert_string_equal(after, before);
  else
    s->check(t);
  free(before);
  free(after);
  return failed;
}

static void assert_intact(const char *path) {
  char url[160];
  sdb_inspection found;
  snprintf(url, sizeof(url), "sqlite://%s", path);
  sdb_status status = sdb_database_inspect(url, SDB_INSPECT_INTEGRITY, &found, &problem);
  if (status != SDB_OK) fail_msg("%s", problem.message);
  if (!found.intact) fail_msg("%s", found.problem);
  sdb_inspection_free(&found);
}

static void run_story(story s) {
  size_t live = failing_process_live();
  test t = {.story = &s, .now_ms = T0};
  test *context = &t;
  t.f = fixture_open(&SQLITE_KIND);
  sdb_sqlite_options *options = &sqlite_of(t.f)->options;
  options->generation_entries = s.generation_entries ? s.generation_entries : 512;
  options->wal_pages_checkpoint = s.wal_pages ? s.wal_pages : 4096;
  reopen(&t);
  t.ann = user_of(t.f, "ann");
  if (s.begin) s.begin(&t);
  with_some_allocations_failing(attempt, &context, s.step ? s.step : 1);
  assert_true(t.number > 3);
  char *before = dump(&t);
  reopen(&t);
  char *after = dump(&t);
  assert_string_equal(after, before);
  free(before);
  free(after);
  sqlite_close(t.f);
  assert_intact(sqlite_of(t.f)->path);
  fixture_close(t.f);
  assert_int_equal(failing_process_live(), live);
}

/* With warm caches, and with cold ones. */
static void run_both(story s) {
  run_story(s);
  s.cold = true;
  s.step = 5;
  run_story(s);
}

/* ---- writes ---- */

static sdb_seq newest_is(test *t, int store, const char *body) {
  const sdb_op_page *page = do_page(t->f, t->ann, store, 0, 0, 1);
  assert_page_is(page, body);
  return page->events[0].object;
}

static sdb_op_write *new_one(test *t, sdb_action action, int store, sdb_seq object) {
  sdb_op_write *write = new_write(t->f, action, t->ann, store);
  write->object = object;
  write->now_ms = t->now_ms;
  if (action != SDB_ACTION_DELETE) write->body = sdb_slice_of(t->body);
  return write;
}

static sdb_status create_one(test *t) {
  sdb_op_write *write = new_one(t, SDB_ACTION_CREATE, CHAT, 0);
  write->client_id = client(t->number);
  sdb_status status = do_write(t->f, write);
  if (status == SDB_OK) assert_false(write->duplicate);
  return status;
}

static void check_created(test *t) {
  newest_is(t, CHAT, t->body);
}

static void a_create_is_there_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER, .attempt = create_one, .check = check_created});
}

static void begin_object(test *t) {
  t->object = create(t->f, t->ann, CHAT, "{\"first\":true}", 7000000 + t->number, T0);
}

static sdb_status pass_guard(sdb_op_write *write, sdb_slice current) {
  (void)write;
  assert_true(current.size > 0);
  return SDB_OK;
}

static sdb_status update_one(test *t) {
  sdb_op_write *write = new_one(t, SDB_ACTION_UPDATE, CHAT, t->object);
  write->want_previous = true;
  write->guard = pass_guard;
  write->client_id = client(t->number);
  sdb_status status = do_write(t->f, write);
  if (status == SDB_OK) assert_true(write->previous.size > 0);
  return status;
}

static void an_update_is_there_or_is_not(void **state) {
  (void)state;
  run_both((story){
      .on = FAILING_WRITER, .begin = begin_object, .attempt = update_one, .check = check_created});
}

static void prepare_object(test *t) {
  const sdb_op_page *page = do_page(t->f, t->ann, CHAT, 0, 0, 1);
  if (page->count == 0 || page->events[0].removed) begin_object(t);
}

static sdb_status remove_one(test *t) {
  sdb_op_write *write = new_one(t, SDB_ACTION_DELETE, CHAT, t->object);
  write->store = t->number % 2 ? CHAT : SDB_STORE_ANY;
  return do_write(t->f, write);
}

static void check_removed(test *t) {
  newest_is(t, CHAT, "-");
}

static void a_remove_is_there_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER,
      .prepare = prepare_object,
      .attempt = remove_one,
      .check = check_removed});
}

static sdb_status put_singular(test *t) {
  return do_write(t->f, new_one(t, SDB_ACTION_CREATE, ACCOUNT, 0));
}

static void check_singular(test *t) {
  newest_is(t, ACCOUNT, t->body);
}

static void a_singular_object_is_replaced_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER, .attempt = put_singular, .check = check_singular});
}

static void prepare_singular(test *t) {
  const sdb_op_page *page = do_page(t->f, t->ann, ACCOUNT, 0, 0, 1);
  if (page->count == 0 || page->events[0].removed) create(t->f, t->ann, ACCOUNT, "{}", 0, T0);
}

static sdb_status remove_singular(test *t) {
  return do_write(t->f, new_one(t, SDB_ACTION_DELETE, ACCOUNT, 0));
}

static void check_singular_removed(test *t) {
  newest_is(t, ACCOUNT, "-");
}

static void a_singular_object_is_removed_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER,
      .prepare = prepare_singular,
      .attempt = remove_singular,
      .check = check_singular_removed});
}

static sdb_status push_again(test *t) {
  sdb_op_write *write = new_one(t, SDB_ACTION_CREATE, CHAT, 0);
  write->client_id = client(7000000);
  sdb_status status = do_write(t->f, write);
  assert_int_equal(write->duplicate, status == SDB_OK);
  if (status == SDB_OK) {
    assert_int_equal(write->object, t->object);
    assert_body(write->event.body, "{\"first\":true}");
  }
  return status;
}

static void a_duplicate_is_found_or_is_refused(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER, .begin = begin_object, .attempt = push_again});
}

static sdb_status reserve_and_create(test *t) {
  /* Past what was reserved ahead, so that each attempt writes. */
  t->now_ms += DAY_MS / 24;
  sdb_op_reserve *reserve = do_reserve(t->f, t->now_ms);
  if (reserve->op.status != SDB_OK) return reserve->op.status;
  assert_true(reserve->seq > t->other);
  t->other = reserve->seq;
  sdb_op_write *write = new_one(t, SDB_ACTION_CREATE, NOTE, reserve->seq);
  write->reserved = true;
  return do_write(t->f, write);
}

static void check_reserved(test *t) {
  assert_int_equal(newest_is(t, NOTE, t->body), t->other);
}

static void a_reserved_object_is_there_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER, .attempt = reserve_and_create, .check = check_reserved});
}

/* ---- several writes in one transaction ---- */

static sdb_status write_group(test *t) {
  sdb_op_write *writes[] = {new_one(t, SDB_ACTION_CREATE, CHAT, 0),
      new_one(t, SDB_ACTION_UPDATE, CHAT, t->object), new_one(t, SDB_ACTION_CREATE, ACCOUNT, 0),
      new_one(t, SDB_ACTION_CREATE, NOTE, 0), new_one(t, SDB_ACTION_DELETE, NOTE, t->other)};
  size_t count = sizeof(writes) / sizeof(writes[0]);
  for (size_t i = 0; i < count; i++) {
    if (i != 4) writes[i]->client_id = client(100 * (uint64_t)t->number + i);
    writes[i]->op.next = i + 1 < count ? &writes[i + 1]->op : NULL;
  }
  fixture_submit(t->f, &writes[0]->op);
  for (size_t i = 1; i < count; i++)
    assert_int_equal(writes[i]->op.status, writes[0]->op.status);
  t->kept = writes[3];
  return writes[0]->op.status;
}

static void prepare_group(test *t) {
  if (t->object == 0) begin_object(t);
  if (t->other == 0) t->other = create(t->f, t->ann, NOTE, "{\"to\":\"go\"}", 0, T0);
}

static void check_group(test *t) {
  newest_is(t, CHAT, t->body);
  newest_is(t, ACCOUNT, t->body);
  newest_is(t, NOTE, "-");
  t->other = t->kept->object;
}

static void a_transaction_is_there_as_a_whole_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER,
      .prepare = prepare_group,
      .attempt = write_group,
      .check = check_group});
}

/* ---- forgetting ---- */

static void prepare_old_remove(test *t) {
  const sdb_op_page *page = do_page(t->f, t->ann, CHAT, 0, 0, 1);
  if (page->count > 0 && page->events[0].removed) return;
  sdb_seq object = create(t->f, t->ann, CHAT, "{}", 0, t->now_ms);
  assert_int_equal(remove_object(t->f, t->ann, CHAT, object, t->now_ms)->op.status, SDB_OK);
  t->now_ms += REMEMBER_MS + DAY_MS;
}

static sdb_status write_much_later(test *t) {
  return do_write(t->f, new_one(t, SDB_ACTION_CREATE, NOTE, 0));
}

static void check_forgotten(test *t) {
  newest_is(t, NOTE, t->body);
  const sdb_op_page *page = do_page(t->f, t->ann, CHAT, 0, 0, 1);
  assert_int_equal(page->count, 0);
  assert_true(page->horizon > 0);
}

static void removes_are_forgotten_with_the_transaction_or_are_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER,
      .prepare = prepare_old_remove,
      .attempt = write_much_later,
      .check = check_forgotten});
}

/* ---- users ---- */

static sdb_status meet_user(test *t) {
  char name[32];
  snprintf(name, sizeof(name), "user %u", t->number);
  sdb_op_user *op = do_user(t->f, name);
  if (op->op.status == SDB_OK) assert_true(op->user > 0);
  return op->op.status;
}

static void a_new_user_is_added_or_is_not(void **state) {
  (void)state;
  run_both((story){.on = FAILING_WRITER, .attempt = meet_user});
  run_both((story){.on = FAILING_READER, .attempt = meet_user});
}

/* ---- reads ---- */

/* Old events in runs, newer ones in the tail, every store with something. */
static void begin_events(test *t) {
  for (unsigned i = 0; i < 40; i++) {
    char body[600]; /* some on pages of their own */
    memset(body, 'a' + (int)(i % 26), sizeof(body));
    body[sizeof(body) - 1] = 0;
    t->object = create(t->f, t->ann, (int)(i % 2), body, i + 1, T0 + i);
    if (i % 5 == 4) update(t->f, t->ann, (int)(i % 2), t->object, "{\"again\":1}", T0 + i);
  }
  create(t->f, t->ann, ACCOUNT, "{\"name\":\"Ann\"}", 0, T0 + 50);
  await_indexer();
}

static sdb_status read_known_user(test *t) {
  sdb_op_user *op = do_user(t->f, "ann");
  if (op->op.status != SDB_OK) return op->op.status;
  assert_int_equal(op->user, t->ann);
  assert_true(op->heads[CHAT].head > 0 && op->heads[NOTE].head > op->heads[CHAT].head &&
              op->heads[ACCOUNT].head > op->heads[NOTE].head);
  return SDB_OK;
}

static sdb_status read_page_of(test *t) {
  sdb_op_page *page = do_page(t->f, t->ann, CHAT, 0, 0, 50);
  assert_int_equal(page->count, page->op.status == SDB_OK ? 20 : 0);
  return page->op.status;
}

static sdb_status read_one(test *t) {
  sdb_op_object *op = do_object(t->f, t->ann, SDB_STORE_ANY, t->object);
  if (op->op.status == SDB_OK) assert_body(op->event.body, "{\"again\":1}");
  return op->op.status;
}

static void a_read_gives_all_or_says_that_it_cannot(void **state) {
  (void)state;
  static sdb_status (*const READS[])(test *) = {read_known_user, read_page_of, read_one};
  for (size_t i = 0; i < SDB_COUNT_OF(READS); i++) {
    story s = {.on = FAILING_READER, .begin = begin_events, .attempt = READS[i]};
    run_story(s); /* from the tail */
    s.generation_entries = 16;
    run_both(s); /* from the tail and from runs */
  }
}

/* ---- the index ---- */

#define GENERATION 16 /* events */

static sdb_seq indexed[GENERATION];

/* Updates so many objects in one transaction that they fill a generation: the operation after it
 * freezes that. */
static sdb_status fill(test *t) {
  sdb_op_write *writes[GENERATION];
  t->writes_count += GENERATION;
  for (size_t i = 0; i < GENERATION; i++) {
    writes[i] = new_one(t, SDB_ACTION_UPDATE, NOTE, indexed[i]);
    writes[i]->client_id = client(9000000 + t->writes_count + i);
    if (i > 0) writes[i - 1]->op.next = &writes[i]->op;
  }
  fixture_submit(t->f, &writes[0]->op);
  return writes[0]->op.status;
}

/* Lets the storage come to rest, with memory: an operation makes the writer try again. */
static void settle(test *t) {
  assert_int_equal(do_reserve(t->f, t->now_ms)->op.status, SDB_OK);
  await_indexer();
}

static void begin_index(test *t) {
  for (size_t i = 0; i < GENERATION; i++)
    indexed[i] = create(t->f, t->ann, NOTE, "{}", 8000000 + i, T0);
}

static int64_t count_runs(test *t, const char *where) {
  char text[128];
  snprintf(text, sizeof(text), "SELECT count(*) FROM run WHERE state = 2 AND %s", where);
  return sql(sqlite_of(t->f)->path, text);
}

/* Three small runs, so that the fourth makes a merge due. */
static void prepare_runs(test *t) {
  settle(t);
  while (count_runs(t, "max(entries, clients) < 32") != 3) {
    assert_int_equal(fill(t), SDB_OK);
    settle(t);
  }
}

static sdb_status fill_and_index(test *t) {
  sdb_status status = fill(t);
  do_reserve(t->f, t->now_ms);
  while (failing_process_failed() == 0 && !indexer_rests())
    sched_yield();
  if (t->story->on == FAILING_INDEXER) await_indexer();
  if (t->story->on == FAILING_WRITER && failing_process_failed() > 0) await_writer();
  return status;
}

static void check_indexed(test *t) {
  for (size_t i = 0; i < GENERATION; i++) {
    const sdb_op_object *op = do_object(t->f, t->ann, NOTE, indexed[i]);
    assert_int_equal(op->op.status, SDB_OK);
    assert_body(op->event.body, t->body);
  }
  /* What was pushed first is in the oldest run. */
  sdb_op_write *again = new_one(t, SDB_ACTION_CREATE, NOTE, 0);
  again->client_id = client(8000000 + t->number % GENERATION);
  assert_int_equal(do_write(t->f, again), SDB_OK);
  assert_true(again->duplicate);
}

static void the_index_is_made_now_or_later(void **state) {
  (void)state;
  story s = {.generation_entries = GENERATION,
      .begin = begin_index,
      .prepare = prepare_runs,
      .attempt = fill_and_index,
      .check = check_indexed};
  s.on = FAILING_INDEXER;
  run_story(s);
  s.on = FAILING_WRITER;
  s.step = 5;
  run_story(s);
}

/* One run of the loop: a new database, whose first generation is flushed. */
static bool flush_first(const void *context, failing_plan plan) {
  (void)context;
  static const story STORY = {.on = FAILING_WRITER};
  test t = {.story = &STORY, .now_ms = T0};
  t.f = fixture_open(&SQLITE_KIND);
  sqlite_of(t.f)->options.generation_entries = GENERATION;
  reopen(&t);
  t.ann = user_of(t.f, "ann");
  begin_index(&t);
  forget_takes();
  failing_process_arm(FAILING_WRITER, plan);
  do_reserve(t.f, t.now_ms);
  while (failing_process_failed() == 0 && !indexer_rests())
    sched_yield();
  if (failing_process_failed() > 0) await_writer();
  bool failed = failing_process_disarm();
  settle(&t);
  assert_int_equal(count_runs(&t, "1"), 1);
  fixture_close(t.f);
  return failed;
}

static void the_first_run_is_made_now_or_later_and_nothing_spins_meanwhile(void **state) {
  (void)state;
  with_each_allocation_failing(flush_first, NULL);
}

/* ---- checkpoints ---- */

static char large[8192];

static sdb_status write_large(test *t) {
  sdb_op_write *write = new_one(t, SDB_ACTION_UPDATE, CHAT, t->object);
  int digits = snprintf(large, sizeof(large), "%020u", t->writes_count + 1);
  large[digits] = 'x';
  write->body = sdb_slice_of(large);
  sdb_status status = do_write(t->f, write);
  t->writes_count += status == SDB_OK;
  return status;
}

static void begin_large(test *t) {
  begin_object(t);
  memset(large, 'x', sizeof(large) - 1);
  assert_int_equal(write_large(t), SDB_OK);
}

/* Writes until the WAL was copied. Where a write fails, those before it stand. */
static sdb_status write_until_checkpoint(test *t) {
  size_t before = checkpoints();
  for (int i = 0; i < 1000 && checkpoints() == before; i++) {
    sdb_status status = write_large(t);
    if (status != SDB_OK) return status;
  }
  assert_true(checkpoints() > before);
  return do_reserve(t->f, t->now_ms)->op.status;
}

static void check_large(test *t) {
  int digits = snprintf(large, sizeof(large), "%020u", t->writes_count);
  large[digits] = 'x';
  newest_is(t, CHAT, large);
}

static void a_checkpoint_is_made_now_or_later(void **state) {
  (void)state;
  story s = {.begin = begin_large,
      .attempt = write_until_checkpoint,
      .check = check_large,
      .always = true,
      .wal_pages = 8};
  s.on = FAILING_CHECKPOINTER;
  run_story(s);
  s.on = FAILING_WRITER;
  run_story(s);
}

/* ---- closing ---- */

static sdb_status close_and_open(test *t) {
  sqlite_close(t->f);
  t->failed = failing_process_disarm();
  sqlite_open(t->f);
  return SDB_OK;
}

static void closing_loses_nothing(void **state) {
  (void)state;
  run_story((story){.on = FAILING_CALLER, .begin = begin_events, .attempt = close_and_open});
}

int main(void) {
  failing_process_install();
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_create_is_there_or_is_not),
      cmocka_unit_test(an_update_is_there_or_is_not),
      cmocka_unit_test(a_remove_is_there_or_is_not),
      cmocka_unit_test(a_singular_object_is_replaced_or_is_not),
      cmocka_unit_test(a_singular_object_is_removed_or_is_not),
      cmocka_unit_test(a_duplicate_is_found_or_is_refused),
      cmocka_unit_test(a_reserved_object_is_there_or_is_not),
      cmocka_unit_test(a_transaction_is_there_as_a_whole_or_is_not),
      cmocka_unit_test(removes_are_forgotten_with_the_transaction_or_are_not),
      cmocka_unit_test(a_new_user_is_added_or_is_not),
      cmocka_unit_test(a_read_gives_all_or_says_that_it_cannot),
      cmocka_unit_test(the_index_is_made_now_or_later),
      cmocka_unit_test(the_first_run_is_made_now_or_later_and_nothing_spins_meanwhile),
      cmocka_unit_test(a_checkpoint_is_made_now_or_later),
      cmocka_unit_test(closing_loses_nothing),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
