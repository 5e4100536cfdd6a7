/* storage/local/sqlite_salvage.c: what can still be had of a file that cannot be used any more.
 *
 * A file in a folder that cannot be written is opened as one that nobody changes: then its WAL is
 * not looked at, so that is the last resort.
 */
#include "base/error.h"
#include "storage/local/sqlite_file.h"
#include "storage/sqlite/lock.h"
#include <errno.h>
#include <stdio.h>

/* ---- reading ---- */

/* The path as a URI that SQLite reads back; the caller frees it. */
static char *make_uri(const sdb_mem *mem, const char *path) {
  static const char TAIL[] = "?immutable=1";
  size_t size = strlen(path);
  char *uri = sdb_mem_alloc(mem, sdb_mem_product(size, 3) + sizeof("file://") + sizeof(TAIL));
  if (!uri) return NULL;
  char *to = uri;
  const char *head = path[0] == '/' ? "file://" : "file:";
  memcpy(to, head, strlen(head));
  to += strlen(head);
  for (const char *from = path; *from; from++) {
    if (*from == '%' || *from == '?' || *from == '#')
      to += snprintf(to, 4, "%%%02X", (unsigned)(unsigned char)*from);
    else
      *to++ = *from;
  }
  memcpy(to, TAIL, sizeof(TAIL));
  return uri;
}

static sdb_status open_read_only(
    sdb_file *file, const char *vfs, bool immutable, sdb_error *error) {
  char *uri = immutable ? make_uri(file->mem, file->path) : NULL;
  if (immutable && !uri)
    return sdb_error_set(error, SDB_NO_MEMORY, file->path, ": out of memory", NULL);
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (immutable ? SQLITE_OPEN_URI : 0);
  int code = sqlite3_open_v2(immutable ? uri : file->path, &file->db, flags, vfs);
  if (code == SQLITE_OK) code = sqlite3_busy_timeout(file->db, SDB_DB_BUSY_TIMEOUT_MS);
  sdb_mem_free(file->mem, uri);
  return code == SQLITE_OK ? SDB_OK : sdb_db_failed(file->db, file->path, error);
}

/* From both ends: what stands behind a page that is damaged is reached from the other one. */
static sdb_status read_both_ways(sdb_file *file, sdb_buffer *memory) {
  static const char *const SQL[] = {
      "SELECT " SDB_FILE_PENDING_COLUMNS " FROM pending NOT INDEXED ORDER BY rowid",
      "SELECT " SDB_FILE_PENDING_COLUMNS " FROM pending NOT INDEXED ORDER BY rowid DESC",
  };
  sdb_status status = SDB_OK;
  for (size_t i = 0; i < SDB_COUNT_OF(SQL); i++) {
    sqlite3_stmt *select;
    sdb_error ignored;
    status = sdb_db_prepare(file->db, file->path, &SQL[i], &select, 1, &ignored);
    status = status == SDB_OK ? sdb_file_pending_read(file, select, memory) : sdb_file_failed(file);
    sqlite3_finalize(select);
    if (status == SDB_OK || status == SDB_NO_MEMORY) return status;
  }
  return status;
}

/* Reads into file->rows and `memory` what the open file has. */
static sdb_status read_open_file(
    sdb_file *file, const sdb_sqlite_local_options *options, sdb_buffer *memory, sdb_error *error) {
  bool damaged;
  sdb_status status = sdb_file_check(file, options, true, &damaged, error);
  if (status != SDB_OK && !damaged) return status;
  /* Of a table of stores that is damaged, those that were found are used. */
  status = sdb_file_find_stores(file, error);
  if (status == SDB_NO_MEMORY) return status;
  status = read_both_ways(file, memory);
  if (error && status != SDB_OK) *error = file->error;
  return status;
}

static sdb_status try_to_read(sdb_file *file, const sdb_sqlite_local_options *options,
    bool immutable, sdb_buffer *memory, sdb_error *error) {
  sdb_buffer_reset(memory);
  sdb_buffer_reset(&file->rows);
  sdb_status status = open_read_only(file, options->system->vfs, immutable, error);
  if (status == SDB_OK) status = read_open_file(file, options, memory, error);
  sqlite3_close(file->db);
  file->db = NULL;
  return status == SDB_BUSY ? SDB_IO : status;
}

sdb_status sdb_sqlite_local_salvage(const sdb_sqlite_local_options *options, sdb_buffer *memory,
    const sdb_local_pending **pending, size_t *count, sdb_error *error) {
  const sdb_system *system = options->system;
  if (system->kind(system->self, options->path) == SDB_FILE_OTHER)
    return sdb_error_set(error, SDB_BAD_FORMAT, options->path, ": is no regular file", NULL);
  sdb_file file;
  sdb_file_store *stores =
      sdb_mem_zero(options->mem, options->stores_count * sizeof(sdb_file_store));
  if (!stores) return sdb_error_set(error, SDB_NO_MEMORY, options->path, ": out of memory", NULL);
  sdb_file_init(&file, options, options->path, stores);
  sdb_status status = try_to_read(&file, options, false, memory, error);
  bool again = status == SDB_IO || status == SDB_BAD_FORMAT;
  if (again && file.rows.size == 0) status = try_to_read(&file, options, true, memory, error);
  bool some = file.rows.size > 0 && (status == SDB_IO || status == SDB_BAD_FORMAT);
  if (status == SDB_OK || some) {
    status = sdb_file_pending_give(&file, memory, pending, count);
    if (error && status != SDB_OK) *error = file.error;
  }
  sdb_buffer_free(&file.rows);
  sdb_mem_free(options->mem, stores);
  return status;
}

/* ---- setting aside ---- */

static const char *const SUFFIXES[] = {"-wal", "-shm", ""}; /* the file last: it is what counts */

/* "PATH.damaged-MS" and a suffix. */
static void name_aside(char *to, size_t size, const char *path, uint64_t ms, const char *suffix) {
  snprintf(to, size, "%s.damaged-%llu%s", path, (unsigned long long)ms, suffix);
}

static bool is_taken(
    const sdb_system *system, char *name, size_t size, const char *path, uint64_t ms) {
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++) {
    name_aside(name, size, path, ms, SUFFIXES[i]);
    if (system->kind(system->self, name) != SDB_FILE_NONE) return true;
  }
  return false;
}

static sdb_status set_aside(const sdb_system *system, char *from, char *to, size_t size,
    const char *path, uint64_t now_ms, sdb_error *error) {
  while (is_taken(system, to, size, path, now_ms))
    now_ms++;
  for (size_t i = 0; i < SDB_COUNT_OF(SUFFIXES); i++) {
    snprintf(from, size, "%s%s", path, SUFFIXES[i]);
    name_aside(to, size, path, now_ms, SUFFIXES[i]);
    int result = system->rename(system->self, from, to);
    if (result == 0 || result == -ENOENT) continue;
    return sdb_error_set(error, SDB_IO, from, ": cannot be set aside: ", strerror(-result));
  }
  return SDB_OK;
}

sdb_status sdb_sqlite_local_set_aside(const sdb_system *system, const sdb_mem *mem,
    const char *path, uint64_t now_ms, sdb_error *error) {
  int lock;
  sdb_status status =
      sdb_lock_take(system, mem, path, ": another client has this file open", &lock, error);
  if (status != SDB_OK) return status;
  size_t size = strlen(path) + sizeof(".damaged-18446744073709551615-wal");
  char *names = sdb_mem_alloc(mem, 2 * size);
  status = names ? set_aside(system, names, names + size, size, path, now_ms, error)
                 : sdb_error_set(error, SDB_NO_MEMORY, path, ": out of memory", NULL);
  sdb_mem_free(mem, names);
  system->close(system->self, lock);
  return status;
}
