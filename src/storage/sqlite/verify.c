/* storage/sqlite/verify.c: see verify.h.
 *
 * The index is complete when it names as many events that the log holds as the log holds up to the
 * watermark: each entry is in one run, in order, so none is counted twice.
 */
#include "storage/sqlite/verify.h"
#include <stdio.h>

/* Each counts rows that ought not to be. */
static const struct {
  const char *sql, *problem;
} CHECKS[] = {
    {"SELECT count(*) FROM log WHERE user NOT IN (SELECT id FROM user)"
     " OR store NOT IN (SELECT id FROM store)",
        "events of users or stores that are not there"},
    {"SELECT count(*) FROM moved m WHERE NOT EXISTS (SELECT 1 FROM log l WHERE l.seq = m.seq"
     " AND l.object = m.object)",
        "moved objects whose event is not there"},
    {"SELECT count(*) FROM log l JOIN store s ON s.id = l.store WHERE s.type = 'event'"
     " AND l.object IS NOT NULL AND NOT EXISTS (SELECT 1 FROM moved m"
     " WHERE m.object = l.object AND m.seq = l.seq)",
        "events of moved objects that are not the current one"},
    {"SELECT count(*) FROM log l JOIN store s ON s.id = l.store WHERE s.type = 'singular'"
     " AND NOT EXISTS (SELECT 1 FROM singular g WHERE g.user = l.user AND g.store = l.store"
     " AND g.seq = l.seq)",
        "events of singular stores that are not the current one"},
    {"SELECT count(*) FROM singular g WHERE NOT EXISTS (SELECT 1 FROM log l WHERE l.seq = g.seq)",
        "singular objects whose event is not there"},
    {"SELECT count(*) FROM log l WHERE body IS NULL AND NOT EXISTS"
     " (SELECT 1 FROM removed r WHERE r.seq = l.seq)",
        "removes that would never be forgotten"},
    {"SELECT count(*) FROM log l JOIN spent s ON s.seq = l.seq",
        "events that are there and gone at once"},
};

/* The first line that SQLite's own check gives; "ok" is none. */
static sdb_status check_pages(sqlite3 *db, char *problem, size_t capacity) {
  sqlite3_stmt *check;
  if (sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &check, NULL) != SQLITE_OK)
    return sdb_db_status(sqlite3_extended_errcode(db));
  int code = sqlite3_step(check);
  if (code == SQLITE_ROW) {
    sdb_slice line = sdb_db_column_bytes(check, 0);
    if (!sdb_slice_equal(line, sdb_slice_of("ok")))
      snprintf(problem, capacity, "%.*s", (int)line.size, line.data);
  }
  sqlite3_finalize(check);
  return sdb_db_status(code);
}

static sdb_status check_tables(sqlite3 *db, const char *path, char *problem, size_t capacity) {
  for (size_t i = 0; i < SDB_COUNT_OF(CHECKS) && !problem[0]; i++) {
    int64_t count = 0;
    sdb_status status = sdb_db_integer(db, path, CHECKS[i].sql, &count, NULL);
    if (status != SDB_OK) return status;
    if (count > 0) snprintf(problem, capacity, "%lld %s", (long long)count, CHECKS[i].problem);
  }
  return SDB_OK;
}

/* ---- the index ---- */

typedef struct index_check {
  sdb_run_reader reader;
  sqlite3_stmt *event; /* of a seq */
  uint64_t found;      /* entries whose event the log holds */
  char *problem;
  size_t capacity;
} index_check;

static bool follows(const sdb_index_entry *a, const sdb_index_entry *b) {
  if (a->user != b->user) return a->user < b->user;
  if (a->store != b->store) return a->store < b->store;
  return a->seq < b->seq;
}

static sdb_status check_entry(
    index_check *check, const sdb_run *run, const sdb_index_entry *entry) {
  if (entry->seq < run->first || entry->seq > run->last) {
    snprintf(check->problem, check->capacity, "run %llu names an event outside its range",
        (unsigned long long)run->id);
    return SDB_OK;
  }
  sdb_db_bind(check->event, 1, entry->seq);
  int code = sqlite3_step(check->event);
  if (code == SQLITE_ROW) {
    bool same = sdb_db_column(check->event, 0) == entry->user &&
                sdb_db_column(check->event, 1) == entry->store;
    if (!same)
      snprintf(check->problem, check->capacity, "run %llu names an event of another user",
          (unsigned long long)run->id);
    check->found++;
  }
  sqlite3_reset(check->event);
  return sdb_db_status(code);
}

static sdb_status check_run(index_check *check, const sdb_run *run) {
  sdb_index_entry last = {0, 0, 0, false};
  uint64_t entries = 0;
  for (uint64_t number = 0; number < run->blocks && !check->problem[0]; number++) {
    sdb_status status = sdb_run_reader_block(&check->reader, run, number);
    for (uint32_t i = 0; i < check->reader.count && status == SDB_OK; i++, entries++) {
      const sdb_index_entry *entry = &check->reader.entries[i];
      if (!follows(&last, entry))
        snprintf(check->problem, check->capacity, "run %llu is out of order",
            (unsigned long long)run->id);
      last = *entry;
      status = check_entry(check, run, entry);
    }
    if (status == SDB_BAD_FORMAT)
      snprintf(check->problem, check->capacity, "block %llu of run %llu is damaged",
          (unsigned long long)number, (unsigned long long)run->id);
    else if (status != SDB_OK)
      return status;
  }
  if (!check->problem[0] && entries != run->entries)
    snprintf(check->problem, check->capacity, "run %llu does not hold what it says",
        (unsigned long long)run->id);
  return SDB_OK;
}

static sdb_status check_runs(
    index_check *check, sqlite3 *db, const char *path, const sdb_run_list *runs) {
  for (size_t i = 0; i < runs->count && !check->problem[0]; i++) {
    if (i > 0 && runs->runs[i].last + 1 != runs->runs[i - 1].first)
      snprintf(check->problem, check->capacity, "the runs leave a gap");
    sdb_status status = check_run(check, &runs->runs[i]);
    if (status != SDB_OK) return status;
  }
  char sql[96];
  snprintf(sql, sizeof(sql), "SELECT count(*) FROM log WHERE seq <= %llu",
      (unsigned long long)sdb_run_list_watermark(runs));
  int64_t events = 0;
  sdb_status status = sdb_db_integer(db, path, sql, &events, NULL);
  if (status == SDB_OK && !check->problem[0] && (uint64_t)events != check->found)
    snprintf(check->problem, check->capacity, "the index names %llu of %lld events",
        (unsigned long long)check->found, (long long)events);
  return status;
}

static sdb_status check_index(
    sqlite3 *db, const char *path, const sdb_mem *mem, char *problem, size_t capacity) {
  index_check check = {.problem = problem, .capacity = capacity};
  sdb_run_list runs;
  sdb_run_list_init(&runs, mem);
  sdb_status status = sdb_run_reader_open(&check.reader, db, path, mem, NULL);
  if (status == SDB_OK && sqlite3_prepare_v2(db, "SELECT user, store FROM log WHERE seq = ?1", -1,
                              &check.event, NULL) != SQLITE_OK)
    status = sdb_db_status(sqlite3_extended_errcode(db));
  if (status == SDB_OK) status = sdb_run_reader_list(&check.reader, &runs);
  if (status == SDB_OK) status = check_runs(&check, db, path, &runs);
  sqlite3_finalize(check.event);
  sdb_run_reader_close(&check.reader);
  sdb_run_list_free(&runs);
  return status;
}

sdb_status sdb_verify(
    sqlite3 *db, const char *path, const sdb_mem *mem, char *problem, size_t capacity) {
  problem[0] = 0;
  sdb_status status = check_pages(db, problem, capacity);
  if (status == SDB_OK && !problem[0]) status = check_tables(db, path, problem, capacity);
  if (status == SDB_OK && !problem[0]) status = check_index(db, path, mem, problem, capacity);
  /* What SQLite itself finds damaged on the way is the answer, not a failure to give one. */
  if (status == SDB_BAD_FORMAT) {
    snprintf(problem, capacity, "%s", sqlite3_errmsg(db));
    status = SDB_OK;
  }
  return status;
}
