/* storage/sqlite/checkpointer.c: see checkpointer.h.
 *
 * A passive checkpoint takes all that was committed when it began. What is committed meanwhile is
 * less than it took, so a few rounds leave little; the writer then does the rest (RESTART). If
 * that does not succeed, because a reader (a backup) holds on to the WAL, the WAL grows by another
 * threshold before the next try.
 */
#include "storage/sqlite/checkpointer.h"

#define ROUNDS_MAX 6
#define PAGES_LEFT_FEW 512

sdb_status sdb_checkpointer_open(sdb_checkpointer *checkpointer, sdb_error *error) {
  sdb_status status = sdb_db_open(
      checkpointer->path, checkpointer->vfs, SDB_DB_READ_WRITE, 512, &checkpointer->db, error);
  if (status != SDB_OK) return status;
  checkpointer->due = checkpointer->pages_start;
  if (pthread_mutex_init(&checkpointer->mutex, NULL) == 0) {
    if (pthread_cond_init(&checkpointer->changed, NULL) == 0) {
      checkpointer->made = true;
      return SDB_OK;
    }
    pthread_mutex_destroy(&checkpointer->mutex);
  }
  return sdb_db_failed(NULL, checkpointer->path, error);
}

void sdb_checkpointer_close(sdb_checkpointer *checkpointer) {
  sqlite3_close(checkpointer->db);
  if (!checkpointer->made) return;
  pthread_cond_destroy(&checkpointer->changed);
  pthread_mutex_destroy(&checkpointer->mutex);
}

void sdb_checkpointer_wal_grown(sdb_checkpointer *checkpointer, uint32_t pages) {
  pthread_mutex_lock(&checkpointer->mutex);
  bool anew = pages < checkpointer->pages;
  if (anew) checkpointer->due = checkpointer->pages_start;
  checkpointer->pages = pages;
  if (pages >= checkpointer->due) pthread_cond_broadcast(&checkpointer->changed);
  pthread_mutex_unlock(&checkpointer->mutex);
}

void sdb_checkpointer_finished(sdb_checkpointer *checkpointer) {
  pthread_mutex_lock(&checkpointer->mutex);
  checkpointer->asked = false;
  pthread_cond_broadcast(&checkpointer->changed);
  pthread_mutex_unlock(&checkpointer->mutex);
}

void sdb_checkpointer_stop(sdb_checkpointer *checkpointer) {
  pthread_mutex_lock(&checkpointer->mutex);
  checkpointer->stop = true;
  pthread_cond_broadcast(&checkpointer->changed);
  pthread_mutex_unlock(&checkpointer->mutex);
}

void sdb_checkpointer_claim(sdb_checkpointer *checkpointer) {
  pthread_mutex_lock(&checkpointer->mutex);
  checkpointer->claimed = true;
  while (checkpointer->copying)
    pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
  pthread_mutex_unlock(&checkpointer->mutex);
}

void sdb_checkpointer_release(sdb_checkpointer *checkpointer) {
  pthread_mutex_lock(&checkpointer->mutex);
  checkpointer->claimed = false;
  pthread_mutex_unlock(&checkpointer->mutex);
}

/* One round, unless the writer wants its turn. Gives how many pages are left. */
static int copy_once(sdb_checkpointer *checkpointer) {
  pthread_mutex_lock(&checkpointer->mutex);
  bool begun = checkpointer->copying = !checkpointer->claimed;
  pthread_mutex_unlock(&checkpointer->mutex);
  if (!begun) return 0;
  int pages = 0, copied = 0;
  int code =
      sqlite3_wal_checkpoint_v2(checkpointer->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
  pthread_mutex_lock(&checkpointer->mutex);
  checkpointer->copying = false;
  pthread_cond_broadcast(&checkpointer->changed);
  pthread_mutex_unlock(&checkpointer->mutex);
  return code == SQLITE_OK ? pages - copied : 0;
}

/* Copies until little is left. */
static void copy(sdb_checkpointer *checkpointer) {
  for (int i = 0; i < ROUNDS_MAX; i++) {
    if (copy_once(checkpointer) <= PAGES_LEFT_FEW) return;
  }
}

/* Under the mutex. */
static bool is_due(const sdb_checkpointer *checkpointer) {
  return checkpointer->pages >= checkpointer->due && !checkpointer->asked;
}

bool sdb_checkpointer_round(sdb_checkpointer *checkpointer) {
  pthread_mutex_lock(&checkpointer->mutex);
  bool due = is_due(checkpointer);
  if (due) {
    checkpointer->due = checkpointer->pages + checkpointer->pages_start;
    checkpointer->asked = true;
  }
  pthread_mutex_unlock(&checkpointer->mutex);
  if (!due) return false;
  copy(checkpointer);
  sdb_inbox_ask_checkpoint(checkpointer->inbox);
  return true;
}

void *sdb_checkpointer_run(void *context) {
  sdb_checkpointer *checkpointer = context;
  bool stop = false;
  while (!stop) {
    sdb_checkpointer_round(checkpointer);
    pthread_mutex_lock(&checkpointer->mutex);
    while (!checkpointer->stop && !is_due(checkpointer))
      pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
    stop = checkpointer->stop;
    pthread_mutex_unlock(&checkpointer->mutex);
  }
  return NULL;
}
