/* test/unit/sim_disk_test.c: SQLite on the simulated disk, against a model of what was committed:
 * nothing that SQLite promises is lost, and what it does not promise is.
 *
 * A workload is lives of transactions over a table of numbered values, drawn from a seed. The model
 * is all that the table may hold: what the last transaction that succeeded made of it, or what one
 * after it that failed would have.
 */
#include "base/base.h"
#include "sim/disk.h"
#include "sim/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs some of the above */
#include <cmocka.h>

#define PATH "test.sqlite"
#define KEYS 40
#define STATES_MAX 64

/* What the table holds: a size a key, and what the value is filled with; size 0: no row. */
typedef struct table {
  uint16_t sizes[KEYS];
  uint8_t fills[KEYS];
} table;

typedef struct workload {
  sim_random random;
  sim_disk *disk;
  const char *pragmas;
  bool may_lose; /* what is not promised is not asserted */
  sqlite3 *db;
  table states[STATES_MAX]; /* the first: committed; the others: may be found instead */
  size_t states_count;
  size_t commits, failures, lost;
} workload;

static int run_sql(workload *w, const char *sql) {
  return sqlite3_exec(w->db, sql, NULL, NULL, NULL);
}

static bool open_db(workload *w) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  sim_disk_begin(w->disk);
  bool good =
      sqlite3_open_v2(PATH, &w->db, flags, sim_disk_system(w->disk)->vfs) == SQLITE_OK &&
      run_sql(w, w->pragmas) == SQLITE_OK &&
      run_sql(w, "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB)") == SQLITE_OK;
  return good;
}

static void end_life(workload *w, sim_end how) {
  if (how != SIM_CLOSED) sim_disk_kill(w->disk);
  assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
  w->db = NULL;
  sim_disk_end(w->disk, how);
}

static bool read_table(workload *w, table *to) {
  memset(to, 0, sizeof(*to));
  sqlite3_stmt *select;
  if (sqlite3_prepare_v2(w->db, "SELECT k, v FROM t", -1, &select, NULL) != SQLITE_OK) return false;
  int code;
  bool whole = true;
  while ((code = sqlite3_step(select)) == SQLITE_ROW) {
    int64_t key = sqlite3_column_int64(select, 0);
    const uint8_t *bytes = sqlite3_column_blob(select, 1);
    int size = sqlite3_column_bytes(select, 1);
    whole = whole && key >= 0 && key < KEYS && size > 0;
    if (!whole) break;
    to->sizes[key] = (uint16_t)size;
    to->fills[key] = bytes[0];
    for (int i = 1; i < size; i++)
      whole = whole && bytes[i] == bytes[0];
  }
  sqlite3_finalize(select);
  return whole && (code == SQLITE_DONE || code == SQLITE_ROW);
}

static bool is_whole(workload *w) {
  sqlite3_stmt *check;
  if (sqlite3_prepare_v2(w->db, "PRAGMA integrity_check", -1, &check, NULL) != SQLITE_OK)
    return false;
  bool good = sqlite3_step(check) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0;
  sqlite3_finalize(check);
  return good;
}

/* One of the states that it may be in is found. The others may be found still when power is lost
 * later: what a process that was killed had written is seen, but not synced. */
static void check_state(workload *w) {
  table found;
  bool good = is_whole(w) && read_table(w, &found);
  size_t at = 0;
  while (good && at < w->states_count && memcmp(&found, &w->states[at], sizeof(found)) != 0)
    at++;
  good = good && at < w->states_count;
  if (!good && !w->may_lose) fail_msg("%s", "what was committed is not there");
  w->lost += !good;
  if (!good) return;
  w->states[at] = w->states[0];
  w->states[0] = found;
}

static bool change(workload *w, table *to) {
  static const uint16_t SIZES_MAX[] = {20, 200, 3000, 9000};
  int key = (int)sim_below(&w->random, KEYS);
  bool removes = sim_chance(&w->random, 250);
  int size = 1 + (int)sim_below(&w->random, SIZES_MAX[sim_below(&w->random, 4)]);
  uint8_t fill = (uint8_t)sim_below(&w->random, 256);
  sqlite3_stmt *statement;
  const char *text =
      removes ? "DELETE FROM t WHERE k = ?1" : "INSERT OR REPLACE INTO t VALUES(?1, ?2)";
  if (sqlite3_prepare_v2(w->db, text, -1, &statement, NULL) != SQLITE_OK) return false;
  uint8_t bytes[9001];
  memset(bytes, fill, sizeof(bytes));
  sqlite3_bind_int(statement, 1, key);
  if (!removes) sqlite3_bind_blob(statement, 2, bytes, size, SQLITE_STATIC);
  sqlite3_step(statement);
  to->sizes[key] = removes ? 0 : (uint16_t)size;
  to->fills[key] = removes ? 0 : fill;
  return sqlite3_finalize(statement) == SQLITE_OK;
}

/* One transaction. False: it failed. */
static bool transact(workload *w) {
  table next = w->states[0];
  bool good = run_sql(w, "BEGIN IMMEDIATE") == SQLITE_OK;
  for (uint32_t i = 1 + sim_below(&w->random, 6); i > 0 && good; i--)
    good = change(w, &next);
  good = good && run_sql(w, "COMMIT") == SQLITE_OK;
  if (good) {
    w->states[0] = next;
    w->states_count = 1;
    w->commits++;
    return true;
  }
  w->failures++;
  if (w->states_count < STATES_MAX) w->states[w->states_count++] = next;
  if (!sqlite3_get_autocommit(w->db)) run_sql(w, "ROLLBACK");
  return false;
}

static void live(workload *w, bool with_faults) {
  if (sim_chance(&w->random, 500)) sim_disk_die_within(w->disk, 1 + sim_below(&w->random, 80));
  for (uint32_t i = sim_below(&w->random, 25); i > 0 && !sim_disk_is_dead(w->disk); i--) {
    sim_disk_fault fault = SIM_DISK_WELL;
    if (with_faults && sim_chance(&w->random, 150))
      fault = SIM_DISK_FULL + sim_below(&w->random, 3);
    sim_disk_set_fault(w->disk, fault);
    transact(w);
    sim_disk_set_fault(w->disk, SIM_DISK_WELL);
    if (sim_chance(&w->random, 100)) run_sql(w, "PRAGMA wal_checkpoint(TRUNCATE)");
  }
}

static sim_end draw_end(workload *w) {
  static const sim_end ENDS[] = {SIM_CLOSED, SIM_KILLED, SIM_POWER_LOST, SIM_POWER_LOST};
  return ENDS[sim_below(&w->random, SDB_COUNT_OF(ENDS))];
}

/* Lives until the table's making survived, then some more. */
static void work(workload *w, uint64_t seed, const char *pragmas, bool with_faults) {
  w->random = sim_random_of(seed, 1);
  w->pragmas = pragmas;
  w->disk = sim_disk_create(seed);
  w->states_count = 1;
  sim_disk_forget(w->disk, with_faults);
  for (int i = 0; i < 8; i++) {
    bool opened = open_db(w);
    if (!w->may_lose) assert_true(opened);
    if (opened) check_state(w);
    w->lost += !opened;
    if (opened) live(w, with_faults);
    end_life(w, draw_end(w));
  }
}

static void clean(workload *w) {
  sim_disk_destroy(w->disk);
}

#define WAL_FULL                                                                                   \
  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=20;"                \
  " PRAGMA cache_size=10"
/* With FULL alone the delete of a journal, which commits, may be lost: SQLite says so. */
#define JOURNAL_EXTRA "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; PRAGMA cache_size=10"
#define WAL_OFF "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=20"

static void assert_nothing_is_lost(const char *pragmas, bool with_faults) {
  size_t commits = 0, failures = 0;
  sim_disk_counts counts = {0};
  for (uint64_t seed = 0; seed < 200; seed++) {
    workload w = {.may_lose = false};
    work(&w, seed, pragmas, with_faults);
    sim_disk_counts of_one = sim_disk_count(w.disk);
    commits += w.commits;
    failures += w.failures;
    counts.lost += of_one.lost;
    counts.torn += of_one.torn;
    counts.kept += of_one.kept;
    counts.names_lost += of_one.names_lost;
    clean(&w);
  }
  /* Else it was not put to the test. */
  assert_true(commits > 5000 && failures > 100);
  assert_true(counts.lost > 100 && counts.torn > 100 && counts.kept > 100);
  assert_true(counts.names_lost > 0);
}

static void what_is_committed_in_a_wal_outlives_power_loss(void **state) {
  (void)state;
  assert_nothing_is_lost(WAL_FULL, false);
}

static void what_is_committed_in_a_wal_outlives_a_disk_that_fails(void **state) {
  (void)state;
  assert_nothing_is_lost(WAL_FULL, true);
}

static void what_is_committed_with_a_journal_outlives_power_loss(void **state) {
  (void)state;
  assert_nothing_is_lost(JOURNAL_EXTRA, false);
}

static void without_syncs_the_disk_loses_commits(void **state) {
  (void)state;
  size_t lost = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    workload w = {.may_lose = true};
    work(&w, seed, WAL_OFF, false);
    lost += w.lost;
    clean(&w);
  }
  assert_true(lost > 20);
}

/* ---- the disk alone ---- */

static uint64_t digest_of(const sim_disk *disk) {
  static const char *const NAMES[] = {PATH, PATH "-wal", PATH "-journal"};
  uint64_t digest = 14695981039346656037u;
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    size_t size;
    const uint8_t *bytes = sim_disk_file(disk, NAMES[i], &size);
    digest = (digest ^ size) * 1099511628211u;
    for (size_t at = 0; at < size; at++)
      digest = (digest ^ bytes[at]) * 1099511628211u;
  }
  return digest;
}

static void the_same_seed_gives_the_same_bytes(void **state) {
  (void)state;
  size_t differing = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    uint64_t digests[3];
    for (uint64_t i = 0; i < 3; i++) {
      workload w = {.may_lose = false};
      work(&w, i < 2 ? seed : seed + 100, WAL_FULL, true);
      digests[i] = digest_of(w.disk);
      clean(&w);
    }
    assert_true(digests[0] == digests[1]);
    differing += digests[2] != digests[0];
  }
  assert_true(differing > 10);
}

static void a_disk_that_is_dead_takes_nothing_until_its_life_has_ended(void **state) {
  (void)state;
  workload w = {.pragmas = WAL_FULL, .states_count = 1};
  w.disk = sim_disk_create(7);
  assert_true(open_db(&w));
  sim_disk_die_within(w.disk, 1);
  assert_int_not_equal(run_sql(&w, "INSERT INTO t VALUES(1, x'00')"), SQLITE_OK);
  assert_true(sim_disk_is_dead(w.disk));
  uint64_t digest = digest_of(w.disk);
  assert_int_not_equal(run_sql(&w, "INSERT INTO t VALUES(1, x'00')"), SQLITE_OK);
  end_life(&w, SIM_KILLED);
  assert_true(digest_of(w.disk) == digest);
  assert_true(open_db(&w));
  check_state(&w);
  end_life(&w, SIM_CLOSED);
  clean(&w);
}

static void an_image_is_put_in_the_place_of_all_there_is(void **state) {
  (void)state;
  workload w = {.pragmas = WAL_FULL, .states_count = 1, .random = sim_random_of(1, 1)};
  w.disk = sim_disk_create(7);
  assert_true(open_db(&w));
  assert_true(transact(&w));
  end_life(&w, SIM_CLOSED);
  sim_disk_image *image = sim_disk_take_image(w.disk);
  table held = w.states[0];
  assert_true(open_db(&w));
  while (memcmp(&held, &w.states[0], sizeof(held)) == 0)
    assert_true(transact(&w));
  end_life(&w, SIM_KILLED);
  sim_disk_put_image(w.disk, image);
  sim_disk_image_free(image);
  sim_disk_end(w.disk, SIM_POWER_LOST); /* it is synced */
  w.states[0] = held;
  assert_true(open_db(&w));
  check_state(&w);
  end_life(&w, SIM_CLOSED);
  clean(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_committed_in_a_wal_outlives_power_loss),
      cmocka_unit_test(what_is_committed_in_a_wal_outlives_a_disk_that_fails),
      cmocka_unit_test(what_is_committed_with_a_journal_outlives_power_loss),
      cmocka_unit_test(without_syncs_the_disk_loses_commits),
      cmocka_unit_test(the_same_seed_gives_the_same_bytes),
      cmocka_unit_test(a_disk_that_is_dead_takes_nothing_until_its_life_has_ended),
      cmocka_unit_test(an_image_is_put_in_the_place_of_all_there_is),
  };
  return cmocka_run_group_tests_name("sim_disk", tests, NULL, NULL);
}
