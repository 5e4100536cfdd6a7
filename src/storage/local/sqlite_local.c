/* storage/local/sqlite_local.c: opening and closing the local file, and the port.
 *
 * The lock file tells too whether the file beside it was ever one of ours: what is no database at
 * all may be a text that somebody else keeps there, or our file with its beginning lost.
 */
#include "storage/local/sqlite_local.h"
#include "base/error.h"
#include "storage/local/sqlite_file.h"
#include "storage/sqlite/lock.h"
#include <fcntl.h>
#include <stdio.h>

#define CACHE_KIB_DEFAULT 4096
#define LOCK_MARK "syncdb local file\n"

/* A checkpoint each 2,000 pages of 4 KiB bounds the WAL to 8 MiB, and what one large commit adds is
 * given back. The caller's thread waits for it: measured, half of that makes the longest pause 50
 * ms instead of 75 and costs a tenth of the rate of puts; twice makes it 140 ms and gains nothing.
 * Pages of 8 KiB gain nothing, and commits of one put are then 7,400 a second instead of 12,000. */
#define PRAGMAS_AT_FIRST                                                                           \
  "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"                       \
  " PRAGMA cell_size_check=ON"
#define PRAGMAS                                                                                    \
  "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=8388608;"    \
  " PRAGMA secure_delete=OFF; PRAGMA synchronous=NORMAL"

struct sdb_sqlite_local {
  const sdb_mem *mem;
  const sdb_system *system;
  sdb_local_sink sink;
  sdb_local_port port;
  int lock; /* -1: not taken */
  char *path;
  sdb_file file;
};

void sdb_sqlite_local_options_init(sdb_sqlite_local_options *options) {
  memset(options, 0, sizeof(*options));
  options->cache_kib = CACHE_KIB_DEFAULT;
  options->system = &SDB_SYSTEM;
}

/* ---- the port ---- */

static sdb_status carry_out(sdb_file *file, sdb_local_op *op) {
  switch (op->kind) {
  case SDB_LOCAL_LOAD:
    return sdb_file_load(file, SDB_CONTAINER_OF(op, sdb_local_load, op));
  case SDB_LOCAL_COMMIT:
    return sdb_file_commit(file, SDB_CONTAINER_OF(op, sdb_local_commit, op));
  case SDB_LOCAL_PAGE:
    return sdb_file_page(file, SDB_CONTAINER_OF(op, sdb_local_page, op));
  case SDB_LOCAL_OBJECT:
    return sdb_file_object(file, SDB_CONTAINER_OF(op, sdb_local_object, op));
  case SDB_LOCAL_SYNC:
    return sdb_file_sync(file);
  }
  SDB_UNREACHABLE();
}

static void submit(void *self, sdb_local_op *list) {
  sdb_sqlite_local *local = self;
  for (sdb_local_op *op = list; op; op = op->next) {
    op->status = sdb_file_settle(&local->file);
    if (op->status == SDB_OK) op->status = carry_out(&local->file, op);
    /* Another program looks into the file for too long: to the replica one failure like others. */
    if (op->status == SDB_BUSY) op->status = SDB_IO;
  }
  if (list) local->sink.completed(local->sink.context, list);
}

const sdb_local_port *sdb_sqlite_local_port(sdb_sqlite_local *local) {
  return &local->port;
}

const sdb_error *sdb_sqlite_local_problem(const sdb_sqlite_local *local) {
  return &local->file.error;
}

/* ---- opening ---- */

static bool is_marked(const sdb_system *system, int lock) {
  char mark[sizeof(LOCK_MARK) - 1];
  return system->read(system->self, lock, mark, sizeof(mark), 0) == (int64_t)sizeof(mark) &&
         memcmp(mark, LOCK_MARK, sizeof(mark)) == 0;
}

/* The application id in the header of a database (its bytes 68 to 71, the greatest first). */
static bool begins_as_ours(const sdb_system *system, const char *path) {
  unsigned char header[72];
  int file = system->open(system->self, path, O_RDONLY, 0);
  if (file < 0) return false;
  int64_t size = system->read(system->self, file, header, sizeof(header), 0);
  system->close(system->self, file); /* before SQLite opens it: this would drop its locks */
  uint32_t id = 0;
  for (size_t i = 68; size == (int64_t)sizeof(header) && i < sizeof(header); i++)
    id = id << 8 | header[i];
  return id == SDB_LOCAL_APPLICATION_ID;
}

/* Where it fails, a file that loses its beginning one day is taken for another program's. */
static void mark_as_ours(const sdb_system *system, int lock) {
  if (is_marked(system, lock)) return;
  system->write(system->self, lock, LOCK_MARK, sizeof(LOCK_MARK) - 1, 0);
}

static sdb_status run(sdb_file *file, const char *sql, sdb_error *error) {
  if (sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK) return SDB_OK;
  sdb_status status = sdb_file_failed(file);
  if (error) *error = file->error;
  return status;
}

static void checkpoint_on_close(sdb_file *file, bool wanted) {
  sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !wanted, (int *)NULL);
}

/* A new file is its user's alone, and SQLite gives the files beside it the same mode. Where it
 * fails, SQLite will say why. */
static void make_private(const sdb_system *system, const char *path) {
  int made = system->open(system->self, path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (made >= 0) system->close(system->self, made);
}

/* Until it is known whose the file is, nothing of it is touched, its WAL neither. */
static sdb_status open_file(sdb_sqlite_local *local, const sdb_sqlite_local_options *options,
    bool *damaged, sdb_error *error) {
  sdb_file *file = &local->file;
  const sdb_system *system = local->system;
  bool was_ours = is_marked(system, local->lock) || begins_as_ours(system, local->path);
  make_private(system, local->path);
  sdb_status status =
      sdb_db_open(local->path, system->vfs, SDB_DB_CREATE, options->cache_kib, &file->db, error);
  if (status == SDB_BAD_FORMAT) *damaged = was_ours;
  if (status != SDB_OK) return status;
  checkpoint_on_close(file, false);
  status = run(file, PRAGMAS_AT_FIRST, error);
  if (status == SDB_OK) status = sdb_file_check(file, options, was_ours, damaged, error);
  if (status != SDB_OK) return status;
  if (sqlite3_db_readonly(file->db, "main") != 0)
    return sdb_error_set(error, SDB_IO, local->path, ": cannot be written", NULL);
  status = run(file, PRAGMAS, error);
  if (status == SDB_OK) status = sdb_file_prepare(file, options, error);
  if (status == SDB_BAD_FORMAT) *damaged = true;
  if (status == SDB_OK) checkpoint_on_close(file, true);
  return status;
}

/* The storage, with its stores and the path behind it. */
static sdb_sqlite_local *make(const sdb_sqlite_local_options *options) {
  SDB_ASSERT(options->stores_count > 0 && options->stores_count < SDB_LOCAL_ANY);
  size_t stores = options->stores_count * sizeof(sdb_file_store);
  size_t path = strlen(options->path) + 1;
  sdb_sqlite_local *made = sdb_mem_zero(options->mem, sizeof(*made) + stores + path);
  if (!made) return NULL;
  made->mem = options->mem;
  made->system = options->system;
  made->sink = options->sink;
  made->port = (sdb_local_port){.version = 1, .self = made, .durable = true, .submit = submit};
  made->lock = -1;
  made->path = (char *)(made + 1) + stores;
  memcpy(made->path, options->path, path);
  sdb_file_init(&made->file, options, made->path, (sdb_file_store *)(void *)(made + 1));
  return made;
}

sdb_status sdb_sqlite_local_open(const sdb_sqlite_local_options *options, sdb_sqlite_local **local,
    bool *damaged, sdb_error *error) {
  *damaged = false;
  const sdb_system *system = options->system;
  /* A pipe would be waited for, a device is no file. */
  if (system->kind(system->self, options->path) == SDB_FILE_OTHER)
    return sdb_error_set(error, SDB_BAD_FORMAT, options->path, ": is no regular file", NULL);
  sdb_sqlite_local *made = make(options);
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, options->path, ": out of memory", NULL);
  sdb_status status = sdb_lock_take(
      system, options->mem, made->path, ": another client has this file open", &made->lock, error);
  if (status == SDB_OK) status = open_file(made, options, damaged, error);
  if (status != SDB_OK) {
    sdb_sqlite_local_close(made);
    return status;
  }
  mark_as_ours(system, made->lock);
  for (size_t i = 0; i < made->file.stores_count; i++)
    made->file.stores[i].name = NULL; /* the opener's, who may free it now */
  *local = made;
  return SDB_OK;
}

void sdb_sqlite_local_close(sdb_sqlite_local *local) {
  if (!local) return;
  sdb_file_finalize_statements(&local->file);
  sqlite3_close(local->file.db);
  sdb_buffer_free(&local->file.rows);
  if (local->lock >= 0) local->system->close(local->system->self, local->lock);
  sdb_mem_free(local->mem, local);
}
