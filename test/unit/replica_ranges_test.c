/* replica_ranges_test.c: missing ranges and the table of UUIDs, each against a model that is too
 * simple to be wrong, at random.
 *
 * The model of a set of ranges is a row of flags. Event ids are the even places; the odd ones stand
 * for all that could lie between two of them, so that no range is empty.
 */
#include "failing_memory.h"
#include "replica/ranges.h"
#include "replica/table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PLACES 400
#define ROUNDS 60000
#define KEYS 300
#define ENTRIES 2000

static uint64_t seed = 20250608;

static uint32_t below(uint32_t count) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % count;
}

static sdb_uuid id_at(uint32_t place) {
  sdb_uuid id = {{0}};
  id.bytes[1] = (uint8_t)(place >> 8);
  id.bytes[2] = (uint8_t)place;
  return id;
}

static uint32_t place_of(sdb_uuid id) {
  return (uint32_t)id.bytes[1] << 8 | id.bytes[2];
}

/* ---- ranges ---- */

typedef struct model {
  bool missing[PLACES];
} model;

typedef struct pair {
  failing_memory memory;
  sdb_ranges ranges;
  model model;
  uint32_t max, top; /* the head: what is added lies above it */
} pair;

static model model_of(const sdb_ranges *ranges) {
  model made = {{false}};
  for (uint32_t i = 0; i < ranges->count; i++) {
    uint32_t before = place_of(ranges->list[i].before);
    for (uint32_t at = place_of(ranges->list[i].after) + 1; at < before; at++)
      made.missing[at] = true;
  }
  return made;
}

static void assert_whole(const pair *p) {
  assert_true(p->ranges.count <= p->max);
  for (uint32_t i = 0; i < p->ranges.count; i++) {
    const sdb_id_range *range = &p->ranges.list[i];
    assert_true(sdb_id_above(range->before, range->after));
    if (i > 0) assert_false(sdb_id_above(range->before, p->ranges.list[i - 1].after));
  }
}

/* The same is missing; where ranges had to be joined, more may be, but nothing less. */
static void assert_same(pair *p, bool joined) {
  assert_whole(p);
  model is = model_of(&p->ranges);
  for (uint32_t at = 0; at < PLACES; at++) {
    if (is.missing[at] == p->model.missing[at]) continue;
    if (!joined || !is.missing[at]) fail_msg("place %u", at);
  }
  p->model = is;
}

static uint32_t even_below(uint32_t count) {
  return below(count / 2) * 2;
}

/* True: it could have been joined. */
static bool add(pair *p) {
  if (p->top + 8 > PLACES) return false;
  uint32_t after = p->top, before = after + 2 + even_below(6);
  bool full = p->ranges.count == p->max;
  sdb_id_range range = {id_at(after), id_at(before)};
  if (!sdb_ranges_add(&p->ranges, &p->memory.mem, range, p->max)) return false;
  for (uint32_t at = after + 1; at < before; at++)
    p->model.missing[at] = true;
  p->top = before + even_below(4);
  return full;
}

static void take_event(pair *p) {
  uint32_t event = 2 + even_below(PLACES - 2);
  sdb_ranges_take_event(&p->ranges, id_at(event));
  for (uint32_t at = event; at < PLACES && p->model.missing[at]; at++)
    p->model.missing[at] = false;
}

/* The ends have come too: a server names what was told to it. */
static bool subtract(pair *p) {
  uint32_t after = even_below(PLACES), before = below(8) ? even_below(PLACES) : 0;
  bool full = p->ranges.count == p->max;
  if (!sdb_ranges_subtract(&p->ranges, &p->memory.mem, id_at(after), id_at(before), p->max))
    return false;
  if (before != 0 && before <= after) return false; /* nothing lies there */
  for (uint32_t at = after; at < PLACES && (before == 0 || at <= before); at++)
    p->model.missing[at] = false;
  return full;
}

static void compare_touch(const pair *p) {
  uint32_t after = even_below(PLACES), before = below(8) ? even_below(PLACES) : 0;
  bool touches = false;
  if (before != 0 && before <= after) return;
  for (uint32_t at = after + 1; at < (before ? before : PLACES); at++)
    touches |= p->model.missing[at];
  assert_int_equal(sdb_ranges_touch(&p->ranges, id_at(after), id_at(before)), touches);
}

static void one_step(pair *p) {
  bool joined = false;
  uint32_t choice = below(10);
  if (choice < 5)
    joined = add(p);
  else if (choice < 7)
    take_event(p);
  else if (choice == 7)
    joined = subtract(p);
  else
    compare_touch(p);
  assert_same(p, joined);
}

static void ranges_are_what_a_row_of_flags_says(void **state) {
  (void)state;
  for (uint32_t round = 0; round < ROUNDS / 200; round++) {
    pair p = {.max = 2 + below(40)};
    failing_memory_init(&p.memory, 0);
    for (int i = 0; i < 200; i++)
      one_step(&p);
    sdb_ranges_free(&p.ranges, &p.memory.mem);
    assert_int_equal(p.memory.live, 0);
  }
}

static void ranges_without_memory_stay_as_they_are(void **state) {
  (void)state;
  for (uint32_t round = 0; round < ROUNDS / 200; round++) {
    pair p = {.max = 40};
    failing_memory_init(&p.memory, 0);
    for (int i = 0; i < 200; i++) {
      p.memory.fail_at = below(2) ? 0 : 1;
      one_step(&p);
    }
    sdb_ranges_free(&p.ranges, &p.memory.mem);
    assert_int_equal(p.memory.live, 0);
  }
}

static void what_is_cut_out_of_a_range_leaves_one_on_each_side(void **state) {
  (void)state;
  pair p = {.max = 3};
  failing_memory_init(&p.memory, 0);
  sdb_id_range range = {id_at(0), id_at(100)};
  assert_true(sdb_ranges_add(&p.ranges, &p.memory.mem, range, p.max));
  assert_true(sdb_ranges_subtract(&p.ranges, &p.memory.mem, id_at(40), id_at(60), p.max));
  assert_int_equal(p.ranges.count, 2);
  assert_int_equal(place_of(p.ranges.list[0].after), 60);
  assert_int_equal(place_of(p.ranges.list[1].before), 40);
  assert_false(sdb_ranges_touch(&p.ranges, id_at(40), id_at(60)));
  assert_true(sdb_ranges_touch(&p.ranges, id_at(40), id_at(62)));
  sdb_ranges_free(&p.ranges, &p.memory.mem);
}

static void a_reversed_or_empty_range_takes_nothing_away(void **state) {
  (void)state;
  pair p = {.max = 3};
  failing_memory_init(&p.memory, 0);
  sdb_id_range range = {id_at(0), id_at(100)};
  assert_true(sdb_ranges_add(&p.ranges, &p.memory.mem, range, p.max));
  assert_true(sdb_ranges_subtract(&p.ranges, &p.memory.mem, id_at(60), id_at(40), p.max));
  assert_true(sdb_ranges_subtract(&p.ranges, &p.memory.mem, id_at(50), id_at(50), p.max));
  assert_int_equal(p.ranges.count, 1);
  assert_int_equal(place_of(p.ranges.list[0].before), 100);
  sdb_ranges_free(&p.ranges, &p.memory.mem);
}

/* ---- the table ---- */

typedef struct thing {
  sdb_entry entry;
  bool in;
} thing;

static sdb_uuid key_of(uint32_t number) {
  sdb_uuid key = {{0}};
  memcpy(key.bytes + 12, &number, sizeof(number)); /* ids that differ in few bits */
  return key;
}

static void assert_found(const sdb_table *table, const thing *things, sdb_uuid key) {
  uint32_t expected = 0, found = 0;
  for (uint32_t i = 0; i < ENTRIES; i++)
    expected += things[i].in && sdb_uuid_equal(things[i].entry.key, key);
  for (sdb_entry *entry = sdb_table_find(table, key); entry; entry = sdb_table_next(entry)) {
    assert_true(sdb_uuid_equal(entry->key, key));
    found++;
  }
  assert_int_equal(found, expected);
}

static void run_table(uint32_t fail_one_of) {
  failing_memory memory;
  failing_memory_init(&memory, 0);
  thing *things = calloc(ENTRIES, sizeof(*things));
  assert_non_null(things);
  sdb_table table;
  sdb_table_init(&table, &memory.mem);
  uint32_t count = 0;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    thing *t = &things[below(round < ROUNDS / 2 ? ENTRIES : ENTRIES / 20)];
    memory.fail_at = fail_one_of && below(fail_one_of) == 0;
    if (t->in) {
      sdb_table_remove(&table, &t->entry);
      count--;
    } else {
      t->entry.key = key_of(below(KEYS));
      sdb_table_insert(&table, &t->entry);
      count++;
    }
    t->in = !t->in;
    assert_int_equal(table.count, count);
    if (round % 32 == 0) assert_found(&table, things, key_of(below(KEYS + 3)));
  }
  sdb_table_free(&table);
  free(things);
  assert_int_equal(memory.live, 0);
}

static void a_table_finds_all_entries_of_a_key_and_no_others(void **state) {
  (void)state;
  run_table(0);
}

static void a_table_without_memory_only_stays_small(void **state) {
  (void)state;
  run_table(1);
  run_table(3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranges_are_what_a_row_of_flags_says),
      cmocka_unit_test(ranges_without_memory_stay_as_they_are),
      cmocka_unit_test(what_is_cut_out_of_a_range_leaves_one_on_each_side),
      cmocka_unit_test(a_reversed_or_empty_range_takes_nothing_away),
      cmocka_unit_test(a_table_finds_all_entries_of_a_key_and_no_others),
      cmocka_unit_test(a_table_without_memory_only_stays_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
