/* test/unit/failing_vfs.c: see failing_vfs.h. A file of ours holds SQLite's own file behind it. */
#include "failing_vfs.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

typedef struct shim_file {
  sqlite3_file base;
  sqlite3_file *real; /* behind this struct, in the same allocation */
} shim_file;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
static _Atomic int mode;
static _Atomic uint64_t syncs, failures;

static sqlite3_file *real(sqlite3_file *file) {
  return ((shim_file *)file)->real;
}

static bool fails(failing_mode which) {
  if (atomic_load(&mode) != (int)which) return false;
  atomic_fetch_add(&failures, 1);
  return true;
}

static int shim_close(sqlite3_file *file) {
  return real(file)->pMethods->xClose(real(file));
}

static int shim_read(sqlite3_file *file, void *to, int size, sqlite3_int64 at) {
  if (fails(FAILING_READ)) return SQLITE_IOERR_READ;
  return real(file)->pMethods->xRead(real(file), to, size, at);
}

static int shim_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 at) {
  if (fails(FAILING_FULL)) return SQLITE_FULL;
  return real(file)->pMethods->xWrite(real(file), from, size, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size) {
  return real(file)->pMethods->xTruncate(real(file), size);
}

static int shim_sync(sqlite3_file *file, int flags) {
  atomic_fetch_add(&syncs, 1);
  if (fails(FAILING_SYNC)) return SQLITE_IOERR_FSYNC;
  return real(file)->pMethods->xSync(real(file), flags);
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}

static int shim_lock(sqlite3_file *file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}

static int shim_unlock(sqlite3_file *file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}

static int shim_check(sqlite3_file *file, int *held) {
  return real(file)->pMethods->xCheckReservedLock(real(file), held);
}

static int shim_control(sqlite3_file *file, int op, void *argument) {
  return real(file)->pMethods->xFileControl(real(file), op, argument);
}

static int shim_sector(sqlite3_file *file) {
  return real(file)->pMethods->xSectorSize(real(file));
}

static int shim_device(sqlite3_file *file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **to) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, to);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file) {
  real(file)->pMethods->xShmBarrier(real(file));
}

static int shim_shm_unmap(sqlite3_file *file, int delete_it) {
  return real(file)->pMethods->xShmUnmap(real(file), delete_it);
}

static const sqlite3_io_methods METHODS = {2, shim_close, shim_read, shim_write, shim_truncate,
    shim_sync, shim_size, shim_lock, shim_unlock, shim_check, shim_control, shim_sector,
    shim_device, shim_shm_map, shim_shm_lock, shim_shm_barrier, shim_shm_unmap, NULL, NULL};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)vfs;
  shim_file *shim = (shim_file *)file;
  shim->real = (sqlite3_file *)(void *)(shim + 1);
  int code = real_vfs->xOpen(real_vfs, name, shim->real, flags, out);
  shim->base.pMethods = shim->real->pMethods ? &METHODS : NULL;
  return code;
}

void failing_vfs_install(void) {
  if (real_vfs) return;
  real_vfs = sqlite3_vfs_find(NULL);
  shim_vfs = *real_vfs;
  shim_vfs.pNext = NULL;
  shim_vfs.zName = "failing";
  shim_vfs.szOsFile = (int)sizeof(shim_file) + real_vfs->szOsFile;
  shim_vfs.xOpen = shim_open;
  sqlite3_vfs_register(&shim_vfs, 1);
}

void failing_vfs_set(failing_mode wanted) {
  atomic_store(&mode, (int)wanted);
}

uint64_t failing_vfs_syncs(void) {
  return atomic_load(&syncs);
}

uint64_t failing_vfs_failures(void) {
  return atomic_load(&failures);
}
