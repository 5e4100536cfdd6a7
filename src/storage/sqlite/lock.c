/* storage/sqlite/lock.c: see lock.h. */
#include "storage/sqlite/lock.h"
#include "base/error.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static sdb_status lock_file(
    const char *file, const char *path, const char *held, int *descriptor, sdb_error *error) {
  int opened = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (opened < 0)
    return sdb_error_set(
        error, SDB_IO, file, ": the lock file cannot be opened: ", strerror(errno));
  int result;
  do
    result = flock(opened, LOCK_EX | LOCK_NB);
  while (result < 0 && errno == EINTR);
  if (result == 0) {
    *descriptor = opened;
    return SDB_OK;
  }
  int why = errno;
  close(opened);
  if (why == EWOULDBLOCK) return sdb_error_set(error, SDB_BUSY, path, held, NULL);
  return sdb_error_set(error, SDB_IO, file, ": cannot be locked: ", strerror(why));
}

sdb_status sdb_lock_take(
    const sdb_mem *mem, const char *path, const char *held, int *descriptor, sdb_error *error) {
  size_t size = strlen(path) + sizeof("-lock");
  char *file = sdb_mem_alloc(mem, size);
  if (!file) return sdb_error_set(error, SDB_NO_MEMORY, path, ": out of memory", NULL);
  snprintf(file, size, "%s-lock", path);
  sdb_status status = lock_file(file, path, held, descriptor, error);
  sdb_mem_free(mem, file);
  return status;
}

void sdb_lock_release(int descriptor) {
  close(descriptor);
}
