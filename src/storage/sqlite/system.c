/* storage/sqlite/system.c: see system.h. */
#include "storage/sqlite/system.h"
#include "platform/platform.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(void *self, const char *path, int flags, unsigned mode) {
  (void)self;
  int opened = open(path, flags | O_CLOEXEC, mode);
  return opened < 0 ? -errno : opened;
}

static void close_file(void *self, int descriptor) {
  (void)self;
  close(descriptor);
}

static int lock_file(void *self, int descriptor) {
  (void)self;
  int result;
  do
    result = flock(descriptor, LOCK_EX | LOCK_NB);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : 0;
}

static int64_t read_file(void *self, int descriptor, void *to, size_t size, uint64_t at) {
  (void)self;
  ssize_t got = pread(descriptor, to, size, (off_t)at);
  return got < 0 ? -errno : got;
}

static int64_t write_file(void *self, int descriptor, const void *from, size_t size, uint64_t at) {
  (void)self;
  ssize_t put = pwrite(descriptor, from, size, (off_t)at);
  return put < 0 ? -errno : put;
}

static int rename_file(void *self, const char *from, const char *to) {
  (void)self;
  return rename(from, to) == 0 ? 0 : -errno;
}

static sdb_file_kind kind_of_file(void *self, const char *path) {
  (void)self;
  struct stat status;
  if (stat(path, &status) != 0) return SDB_FILE_NONE;
  return S_ISREG(status.st_mode) ? SDB_FILE_REGULAR : SDB_FILE_OTHER;
}

static bool fill_random(void *self, void *to, size_t size) {
  (void)self;
  return sdb_platform_random(to, size);
}

const sdb_system SDB_SYSTEM = {.open = open_file,
    .close = close_file,
    .lock = lock_file,
    .read = read_file,
    .write = write_file,
    .rename = rename_file,
    .kind = kind_of_file,
    .random = fill_random};
