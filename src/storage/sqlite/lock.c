/* storage/sqlite/lock.c: see lock.h. */
#include "storage/sqlite/lock.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static sdb_status lock_file(const sdb_system *system, const char *file, const char *path,
    const char *held, int *descriptor, sdb_error *error) {
  int opened = system->open(system->self, file, O_RDWR | O_CREAT, 0666);
  if (opened < 0)
    return sdb_error_set(
        error, SDB_IO, file, ": the lock file cannot be opened: ", strerror(-opened));
  int result = system->lock(system->self, opened);
  if (result == 0) {
    *descriptor = opened;
    return SDB_OK;
  }
  system->close(system->self, opened);
  if (result == -EWOULDBLOCK) return sdb_error_set(error, SDB_BUSY, path, held, NULL);
  return sdb_error_set(error, SDB_IO, file, ": cannot be locked: ", strerror(-result));
}

sdb_status sdb_lock_take(const sdb_system *system, const sdb_mem *mem, const char *path,
    const char *held, int *descriptor, sdb_error *error) {
  size_t size = strlen(path) + sizeof("-lock");
  char *file = sdb_mem_alloc(mem, size);
  if (!file) return sdb_error_set(error, SDB_NO_MEMORY, path, ": out of memory", NULL);
  snprintf(file, size, "%s-lock", path);
  sdb_status status = lock_file(system, file, path, held, descriptor, error);
  sdb_mem_free(mem, file);
  return status;
}
