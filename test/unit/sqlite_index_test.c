/* test/unit/sqlite_index_test.c: the parts of the SQLite storage's index, and all of it against the
 * memory storage under random operations. */
#include "platform/platform.h"
#include "sqlite_kind.h"
#include "storage/sqlite/filter.h"
#include "storage/sqlite/hash.h"
#include "storage/sqlite/pack.h"
#include "storage/sqlite/sort.h"
#include "storage/sqlite/tail.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <syncdb/admin.h>

static uint64_t random_state;

static uint64_t next_random(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}

static void seed(void **state) {
  (void)state;
  random_state = 88172645463325252U;
}

/* ---- parts ---- */

static void entries_survive_packing(void **state) {
  seed(state);
  sdb_pack_entries *pack = malloc(sizeof(*pack));
  sdb_index_entry *entries = malloc(SDB_BLOCK_ENTRIES_MAX * sizeof(*entries));
  sdb_index_entry *read = malloc(SDB_BLOCK_ENTRIES_MAX * sizeof(*read));
  for (int round = 0; round < 50; round++) {
    sdb_seq base = next_random(SDB_SEQ_MAX / 2);
    sdb_pack_entries_start(pack, base);
    sdb_index_entry entry = {next_random(3), base, 0, false};
    uint32_t count = 0;
    for (bool packed = true; packed; count += packed) {
      uint64_t step = next_random(10);
      if (step == 0) {
        entry.user += 1 + next_random((uint64_t)1 << next_random(45));
        entry.seq = base + next_random((uint64_t)1 << next_random(50));
        entry.store = (uint16_t)next_random(65536);
      } else if (step == 1 && entry.store < 65535) {
        entry.store++;
        entry.seq = base;
      } else {
        entry.seq += 1 + next_random((uint64_t)1 << next_random(40));
      }
      entry.removed = next_random(2);
      packed = sdb_pack_entry(pack, &entry);
      if (packed) entries[count] = entry;
    }
    assert_true(count > 100);
    assert_true(pack->size <= SDB_BLOCK_BYTES_MAX);
    uint32_t found;
    sdb_slice block = {(const char *)pack->bytes, pack->size};
    assert_true(sdb_unpack_entries(block, base, read, &found));
    assert_int_equal(found, count);
    for (uint32_t i = 0; i < count; i++) {
      assert_int_equal(read[i].user, entries[i].user);
      assert_int_equal(read[i].store, entries[i].store);
      assert_int_equal(read[i].seq, entries[i].seq);
      assert_int_equal(read[i].removed, entries[i].removed);
    }
  }
  free(pack);
  free(entries);
  free(read);
}

static void a_damaged_block_is_refused_or_read_within_bounds(void **state) {
  seed(state);
  sdb_index_entry *read = malloc(SDB_BLOCK_ENTRIES_MAX * sizeof(*read));
  for (int round = 0; round < 20000; round++) {
    char *block = malloc(64);
    size_t size = 1 + next_random(64);
    for (size_t i = 0; i < size; i++)
      block[i] = (char)next_random(256);
    char *exact = realloc(block, size); /* so that a read behind it is seen */
    uint32_t count = 0;
    if (sdb_unpack_entries(sdb_slice_make(exact, size), 5, read, &count)) assert_true(count <= 64);
    sdb_pack_clients clients;
    sdb_index_client client;
    sdb_unpack_clients_start(&clients, sdb_slice_make(exact, size), 5);
    int steps = 0;
    while (sdb_unpack_client(&clients, &client) == 1)
      steps++;
    assert_true(steps <= 32);
    free(exact);
  }
  free(read);
}

static void a_sort_is_stable_and_complete(void **state) {
  seed(state);
  static const uint64_t RANGES[] = {1, 2, 300, 1 << 20, (uint64_t)1 << 40, (uint64_t)1 << 63};
  for (size_t r = 0; r < SDB_COUNT_OF(RANGES); r++) {
    for (size_t count = 0; count < 3000; count = count * 3 + 1) {
      sdb_sort_item *items = malloc((count + 1) * sizeof(*items));
      sdb_sort_item *scratch = malloc((count + 1) * sizeof(*items));
      uint64_t sum = 0, sum_after = 0;
      for (size_t i = 0; i < count; i++) {
        items[i] = (sdb_sort_item){next_random(RANGES[r]), i};
        sum += items[i].key ^ (i << 7);
      }
      sdb_sort_items(items, scratch, count);
      for (size_t i = 0; i < count; i++) {
        sum_after += items[i].key ^ (items[i].value << 7);
        if (i == 0) continue;
        bool in_order = items[i - 1].key < items[i].key ||
                        (items[i - 1].key == items[i].key && items[i - 1].value < items[i].value);
        assert_true(in_order);
      }
      assert_int_equal(sum, sum_after);
      free(items);
      free(scratch);
    }
  }
}

static void a_filter_holds_what_was_added_and_little_else(void **state) {
  seed(state);
  enum { COUNT = 20000 };
  sdb_filter *filter = sdb_filter_create(sdb_platform_mem(), COUNT);
  static const sdb_hash_key KEY = {1, 2};
  for (uint64_t i = 0; i < COUNT; i++)
    sdb_filter_add(filter, sdb_hash_client(KEY, 7, client(i)));
  int wrong = 0;
  for (uint64_t i = 0; i < COUNT; i++) {
    assert_true(sdb_filter_may_hold(filter, sdb_hash_client(KEY, 7, client(i))));
    wrong += sdb_filter_may_hold(filter, sdb_hash_client(KEY, 8, client(i)));
  }
  assert_true(wrong < COUNT / 100);
  assert_true(sdb_filter_size_of(filter) < COUNT * 2);
  sdb_mem_free(sdb_platform_mem(), filter);
}

/* The 24-byte message of the reference implementation's test vectors: 00 01 02 ... 17. */
static void hashes_are_siphash_2_4(void **state) {
  (void)state;
  uint8_t key[16];
  sdb_uuid rest;
  for (uint8_t i = 0; i < 16; i++) {
    key[i] = i;
    rest.bytes[i] = (uint8_t)(i + 8);
  }
  uint64_t hash = sdb_hash_siphash(sdb_hash_key_load(key), 0x0706050403020100U, rest);
  assert_true(hash == 0xb8ad50c6f649af94U);
}

/* The tail against a plain array. */
static void the_tail_finds_what_was_added_and_not_taken_back(void **state) {
  seed(state);
  enum { CAPACITY = 50, COUNT = 400, USERS = 5 };
  sdb_tail tail;
  assert_int_equal(sdb_tail_init(&tail, sdb_platform_mem(), CAPACITY), SDB_OK);
  struct {
    uint64_t user;
    sdb_seq seq;
    bool dead;
  } model[COUNT];
  for (int i = 0; i < COUNT; i++) {
    assert_true(sdb_tail_make_room(&tail, 3));
    uint32_t before = tail.newest->count;
    for (uint64_t k = next_random(3); k > 0; k--)
      sdb_tail_append(&tail, 100000 + k, next_random(USERS), 1, false, 1 + next_random(9), 0);
    sdb_tail_rewind(&tail, before);
    model[i].user = next_random(USERS);
    model[i].seq = 10 + (sdb_seq)i * 3;
    model[i].dead = false;
    sdb_tail_append(&tail, model[i].seq, model[i].user, 1, false, 1 + (uint64_t)i / 2, 0);
    if (i % 4 == 3) {
      uint64_t which = next_random((uint64_t)i);
      bool frozen;
      sdb_tail_entry *entry = sdb_tail_find(&tail, model[which].seq, &frozen);
      assert_non_null(entry);
      atomic_store(&entry->died, model[i].seq);
      model[which].dead = true;
    }
  }
  for (int i = 0; i < COUNT; i++) {
    sdb_tail_cursor cursor = {0};
    int found = 0;
    while (sdb_tail_next_client(&tail, 1 + (uint64_t)i / 2, &cursor))
      found++;
    assert_int_equal(found, 2);
  }
  sdb_tail_enter(&tail, 0);
  for (int round = 0; round < 2000; round++) {
    sdb_seq after = next_random(10 + COUNT * 3), before = next_random(20 + COUNT * 3);
    sdb_tail_query query = {next_random(USERS), 1, after, before, SDB_SEQ_MAX};
    sdb_tail_found found[COUNT];
    uint32_t max = 1 + (uint32_t)next_random(COUNT), expected = 0;
    uint32_t count = sdb_tail_collect(&tail, 0, &query, found, max);
    for (int i = COUNT - 1; i >= 0 && expected < max; i--) {
      if (model[i].dead || model[i].user != query.user || model[i].seq <= after) continue;
      if (before != 0 && model[i].seq >= before) continue;
      assert_true(expected < count);
      assert_int_equal(found[expected++].seq, model[i].seq);
    }
    assert_int_equal(count, expected);
  }
  sdb_tail_leave(&tail, 0);
  sdb_tail_free(&tail);
}

/* ---- all of it, against the memory storage ---- */

enum { USERS = 4, OBJECTS_MAX = 4000, CLIENTS_MAX = 4000 };

/* The same operations on two storages. Ids differ, so objects go by their number here. */
typedef struct pair {
  fixture *f[2];
  uint64_t users[2][USERS];
  sdb_seq objects[2][OBJECTS_MAX];
  uint64_t owners[OBJECTS_MAX];
  int stores[OBJECTS_MAX];
  size_t objects_count;
  uint64_t clients, clients_old; /* client ids used, and how many of them are past the window */
  uint64_t pushed_ms[CLIENTS_MAX];
  uint64_t now_ms;
  int writes;
  char body[32];
} pair;

static void compare_events(const sdb_stored_event *a, const sdb_stored_event *b) {
  assert_int_equal(a->store, b->store);
  assert_int_equal(a->removed, b->removed);
  assert_int_equal(a->seq == a->object, b->seq == b->object);
  assert_int_equal(a->body.size, b->body.size);
  if (a->body.size) assert_memory_equal(a->body.data, b->body.data, a->body.size);
  assert_true(sdb_uuid_equal(a->client_id, b->client_id));
}

static void compare_pages(pair *p, uint64_t user, int store, size_t after, size_t before,
    uint32_t limit, bool objects_only) {
  sdb_op_page *pages[2];
  for (int i = 0; i < 2; i++) {
    pages[i] = do_page(p->f[i], p->users[i][user], store, after ? p->objects[i][after] : 0,
        before ? p->objects[i][before] : 0, limit);
    if (objects_only) {
      pages[i]->objects_only = true;
      fixture_submit(p->f[i], &pages[i]->op);
    }
    assert_int_equal(pages[i]->op.status, SDB_OK);
  }
  assert_int_equal(pages[0]->count, pages[1]->count);
  assert_int_equal(pages[0]->more, pages[1]->more);
  for (uint32_t i = 0; i < pages[0]->count; i++)
    compare_events(&pages[0]->events[i], &pages[1]->events[i]);
}

static void compare_heads(pair *p, uint64_t user) {
  static const char *const NAMES[USERS] = {"a", "b", "c", "d"};
  sdb_op_user *ops[2];
  for (int i = 0; i < 2; i++) {
    ops[i] = do_user(p->f[i], NAMES[user]);
    assert_int_equal(ops[i]->op.status, SDB_OK);
  }
  for (int store = 0; store < STORES; store++) {
    assert_int_equal(ops[0]->heads[store].head == 0, ops[1]->heads[store].head == 0);
    assert_int_equal(ops[0]->heads[store].horizon == 0, ops[1]->heads[store].horizon == 0);
    for (int i = 0; i < 2; i++) {
      sdb_op_page *page = do_page(p->f[i], p->users[i][user], store, 0, 0, 1);
      sdb_seq newest = page->count ? page->events[0].seq : 0;
      assert_int_equal(ops[i]->heads[store].head, newest);
    }
  }
}

/* A write of the same on both; `object` is a number here, 0 for none. */
static void write_both(
    pair *p, sdb_action action, uint64_t user, int store, size_t object, uint64_t client_number) {
  sdb_op_write *writes[2];
  snprintf(p->body, sizeof(p->body), "{\"n\":%d}", p->writes++);
  for (int i = 0; i < 2; i++) {
    writes[i] = new_write(p->f[i], action, p->users[i][user], store);
    writes[i]->object = object ? p->objects[i][object] : 0;
    writes[i]->body = sdb_slice_of(action == SDB_ACTION_DELETE ? "" : p->body);
    writes[i]->client_id = client(client_number);
    writes[i]->now_ms = p->now_ms;
    writes[i]->want_previous = true;
    do_write(p->f[i], writes[i]);
  }
  assert_int_equal(writes[0]->op.status, writes[1]->op.status);
  if (writes[0]->op.status != SDB_OK) return;
  assert_int_equal(writes[0]->action, writes[1]->action);
  assert_int_equal(writes[0]->store, writes[1]->store);
  assert_int_equal(writes[0]->duplicate, writes[1]->duplicate);
  if (writes[0]->duplicate) {
    assert_int_equal(writes[0]->event.seq == 0, writes[1]->event.seq == 0);
    if (writes[0]->event.seq) compare_events(&writes[0]->event, &writes[1]->event);
    return;
  }
  assert_int_equal(writes[0]->previous.size, writes[1]->previous.size);
  if (writes[0]->previous.size)
    assert_memory_equal(
        writes[0]->previous.data, writes[1]->previous.data, writes[0]->previous.size);
  if (action != SDB_ACTION_CREATE || p->objects_count == OBJECTS_MAX) return;
  for (int i = 0; i < 2; i++)
    p->objects[i][p->objects_count] = writes[i]->object;
  p->owners[p->objects_count] = user;
  p->stores[p->objects_count++] = store;
}

static void step(pair *p) {
  uint64_t user = next_random(USERS), what = next_random(100);
  size_t object = p->objects_count > 1 ? 1 + next_random(p->objects_count - 1) : 0;
  /* Rather a young one: old ones are gone. */
  if (object && next_random(2)) object = p->objects_count - 1 - next_random(object) / 8;
  if (object && next_random(8)) user = p->owners[object];
  int store = object ? p->stores[object] : CHAT;
  p->now_ms += next_random(10) ? next_random(60000) : next_random(3 * 3600 * 1000);
  uint64_t fresh = next_random(3) ? ++p->clients : 0;
  p->pushed_ms[fresh] = p->now_ms;
  /* How long a storage remembers past the window is its own matter. */
  while (p->clients_old < p->clients && p->pushed_ms[p->clients_old + 1] + WINDOW_MS <= p->now_ms)
    p->clients_old++;
  uint64_t young = p->clients - p->clients_old;
  uint64_t old = young ? p->clients_old + 1 + next_random(young) : 0;
  if (what < 35)
    write_both(p, SDB_ACTION_CREATE, user, next_random(4) ? CHAT : NOTE, 0, fresh);
  else if (what < 50)
    write_both(p, SDB_ACTION_CREATE, user, ACCOUNT, 0, fresh);
  else if (what < 65 && object && store != ACCOUNT)
    write_both(p, SDB_ACTION_UPDATE, user, store, object, fresh);
  else if (what < 75 && object)
    write_both(p, SDB_ACTION_DELETE, user, next_random(3) ? store : SDB_STORE_ANY, object, fresh);
  else if (what < 77)
    write_both(p, SDB_ACTION_DELETE, user, ACCOUNT, 0, fresh);
  else if (what < 90 && old)
    write_both(p, SDB_ACTION_CREATE, user, CHAT, 0, old);
  else if (what < 93)
    compare_heads(p, user);
  else
    compare_pages(
        p, user, (int)next_random(STORES), 0, 0, 1 + (uint32_t)next_random(60), next_random(2));
}

static void wait_for_index(const char *path) {
  /* Until no run is in the making or on its way out: nothing else tells that the indexer rests. */
  while (sql(path, "SELECT count(*) FROM run WHERE state <> 2") > 0)
    sched_yield();
}

static void random_operations_agree_with_the_memory_storage(void **state) {
  seed(state);
  for (int round = 0; round < 3; round++) {
    pair *p = calloc(1, sizeof(*p));
    p->f[0] = fixture_open(&SQLITE_KIND);
    p->f[1] = fixture_open(&MEMORY_KIND);
    p->now_ms = T0;
    p->objects_count = 1;
    static const char *const NAMES[USERS] = {"a", "b", "c", "d"};
    for (int i = 0; i < 2; i++) {
      for (int user = 0; user < USERS; user++)
        p->users[i][user] = user_of(p->f[i], NAMES[user]);
    }
    for (int i = 0; i < 1500; i++) {
      step(p);
      if (next_random(300) == 0) fixture_reopen(p->f[0]);
    }
    for (uint64_t user = 0; user < USERS; user++) {
      compare_heads(p, user);
      for (int store = 0; store < STORES; store++)
        compare_pages(p, user, store, 0, 0, 10000, false);
    }
    const char *path = sqlite_of(p->f[0])->path;
    assert_true(sql(path, "SELECT count(*) FROM run WHERE state = 2") > 0);
    char url[128];
    snprintf(url, sizeof(url), "sqlite://%s", path);
    sdb_inspection inspection;
    sdb_error error;
    assert_int_equal(sdb_database_inspect(url, SDB_INSPECT_INTEGRITY, &inspection, &error), SDB_OK);
    assert_string_equal(inspection.problem, "");
    assert_true(inspection.intact);
    sdb_inspection_free(&inspection);
    fixture_close(p->f[0]);
    fixture_close(p->f[1]);
    free(p);
  }
}

/* ---- runs in the database ---- */

static void runs_are_merged_so_that_they_stay_few(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  const char *path = sqlite_of(f)->path;
  uint64_t users[10];
  char name[] = "user 0";
  for (int i = 0; i < 10; i++, name[5]++)
    users[i] = user_of(f, name);
  enum { ROWS = 64 * 40, AT_ONCE = 40 };
  for (int done = 0; done < ROWS; done += AT_ONCE) {
    sdb_op_write *first = NULL;
    for (int i = 0; i < AT_ONCE; i++) {
      sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, users[(done + i) * 7 % 10], CHAT);
      write->body = sdb_slice_of("x");
      write->client_id = client((uint64_t)(done + i) + 1);
      write->op.next = first ? &first->op : NULL;
      first = write;
    }
    fixture_submit(f, &first->op);
  }
  /* All but the last generation becomes runs, sooner or later, and four of a size become one. */
  while (sql(path, "SELECT ifnull(max(last), 0) < (SELECT seq FROM log ORDER BY seq DESC"
                   " LIMIT 1 OFFSET 63) FROM run WHERE state = 2") ||
         sql(path, "SELECT count(*) FROM run WHERE state = 2") > 9)
    sched_yield();
  wait_for_index(path);
  assert_int_equal(sql(path, "SELECT count(*) FROM block b WHERE (b.id >> 24) NOT IN"
                             " (SELECT id FROM run)"),
      0);
  assert_int_equal(
      sql(path, "SELECT count(*) FROM fence WHERE run NOT IN (SELECT id FROM run)"), 0);
  assert_int_equal(sql(path, "SELECT sum(entries) + (SELECT count(*) FROM log WHERE seq >"
                             " (SELECT max(last) FROM run)) FROM run"),
      ROWS);
  for (int reopened = 0; reopened < 2; reopened++) {
    size_t events = 0;
    for (int i = 0; i < 10; i++)
      events += do_page(f, users[i], CHAT, 0, 0, ROWS)->count;
    assert_int_equal(events, ROWS);
    /* A client id of long ago is found in the runs. */
    sdb_op_write *again = new_write(f, SDB_ACTION_CREATE, users[0], CHAT);
    again->client_id = client(1);
    assert_int_equal(do_write(f, again), SDB_OK);
    assert_true(again->duplicate);
    fixture_reopen(f);
  }
  fixture_close(f);
}

/* Objects that are replaced all the time, while generations are frozen, flushed and dropped and
 * runs merged: whatever a page is read between, each object is in it once. */
static void pages_read_during_writes_hold_every_object_once(void **state) {
  seed(state);
  enum { OBJECTS = 40, ROUNDS = 300, CHANGES = 12, PAGES = 3 };
  fixture *f = fixture_open(&SQLITE_KIND);
  uint64_t ann = user_of(f, "ann");
  sdb_seq objects[OBJECTS];
  for (int i = 0; i < OBJECTS; i++)
    objects[i] = create(f, ann, CHAT, "v", 0, T0);
  sdb_op_write *changes[CHANGES];
  sdb_op_page *pages[PAGES];
  for (int i = 0; i < CHANGES; i++) {
    changes[i] = new_write(f, SDB_ACTION_UPDATE, ann, CHAT);
    changes[i]->body = sdb_slice_of("w");
  }
  for (int i = 0; i < PAGES; i++)
    pages[i] = do_page(f, ann, CHAT, 0, 0, 1000);
  for (int round = 0; round < ROUNDS; round++) {
    sdb_op *list = NULL;
    for (int i = 0; i < CHANGES; i++) {
      changes[i]->action = SDB_ACTION_UPDATE;
      changes[i]->object = objects[next_random(OBJECTS)];
      changes[i]->op.next = list;
      list = &changes[i]->op;
      if (i % (CHANGES / PAGES) != 0) continue;
      pages[i / (CHANGES / PAGES)]->op.next = list;
      list = &pages[i / (CHANGES / PAGES)]->op;
    }
    fixture_submit(f, list);
    for (int i = 0; i < PAGES; i++) {
      assert_int_equal(pages[i]->op.status, SDB_OK);
      assert_int_equal(pages[i]->count, OBJECTS);
      sdb_seq sum = 0;
      for (int k = 0; k < OBJECTS; k++)
        sum += pages[i]->events[k].object - objects[k];
      assert_int_equal(sum, 0);
    }
  }
  assert_true(sql(sqlite_of(f)->path, "SELECT count(*) FROM run WHERE state = 2") > 0);
  fixture_close(f);
}

static void what_is_spent_is_swept_when_its_time_has_come(void **state) {
  (void)state;
  fixture *f = fixture_open(&SQLITE_KIND);
  const char *path = sqlite_of(f)->path;
  uint64_t ann = user_of(f, "ann");
  uint64_t now_ms = T0;
  for (int i = 0; i < 300; i++)
    create(f, ann, ACCOUNT, "v", (uint64_t)i + 1, now_ms++);
  assert_int_equal(sql(path, "SELECT count(*) FROM log"), 1);
  assert_true(sql(path, "SELECT count(*) FROM spent WHERE client IS NOT NULL") > 200);
  /* Past the window client ids need not be remembered; what the index names still stays until a
   * merge has dropped it. */
  now_ms += WINDOW_MS + DAY_MS;
  for (int i = 0; i < 1500 || sql(path, "SELECT count(*) FROM spent") > 100; i++) {
    create(f, ann, ACCOUNT, "v", 0, now_ms);
    now_ms += 3600 * 1000;
  }
  wait_for_index(path);
  assert_true(sql(path, "SELECT ifnull(sum(entries), 0) FROM run WHERE state = 2") < 300);
  assert_page_is(do_page(f, ann, ACCOUNT, 0, 0, 10), "v");
  fixture_close(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(entries_survive_packing),
      cmocka_unit_test(a_damaged_block_is_refused_or_read_within_bounds),
      cmocka_unit_test(a_sort_is_stable_and_complete),
      cmocka_unit_test(a_filter_holds_what_was_added_and_little_else),
      cmocka_unit_test(hashes_are_siphash_2_4),
      cmocka_unit_test(the_tail_finds_what_was_added_and_not_taken_back),
      cmocka_unit_test(random_operations_agree_with_the_memory_storage),
      cmocka_unit_test(runs_are_merged_so_that_they_stay_few),
      cmocka_unit_test(pages_read_during_writes_hold_every_object_once),
      cmocka_unit_test(what_is_spent_is_swept_when_its_time_has_come),
  };
  return cmocka_run_group_tests_name("sqlite_index", tests, NULL, NULL);
}
