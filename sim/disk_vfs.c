/* sim/disk_vfs.c: what SQLite (a VFS) and the storages (a system) see of a disk.
 *
 * Each disk registers a VFS of its own. Locks are between the connections of this process, for
 * there is no other; the shared memory of a WAL is gone with the last connection, as it is for a
 * process that comes first. Time stands still and nobody sleeps.
 */
#include "sim/disk_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define TIME_MS 1749383382805LL
#define JULIAN_EPOCH_MS 210866760000000LL /* of 1970 */
/* Their names matter: as in the unix VFS, whoever opened one as if to make it syncs the folder. */
#define NEW_JOURNALS (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)

typedef struct disk_file {
  sqlite3_file base;
  sim_disk *disk;
  disk_node *node;
  const char *name; /* SQLite's; NULL: a temporary file */
  int level;        /* SQLITE_LOCK_... */
  bool syncs_names; /* its first sync syncs the folder */
  bool maps;
  uint16_t shm_shared, shm_exclusive; /* a bit a lock */
} disk_file;

static disk_file *of(sqlite3_file *base) {
  return (disk_file *)base;
}

static sim_disk *disk_of(const sqlite3_vfs *vfs) {
  return vfs->pAppData;
}

/* ---- locks ---- */

static int file_unlock(sqlite3_file *base, int level) {
  disk_file *file = of(base);
  disk_node *node = file->node;
  if (file->level <= level) return SQLITE_OK;
  if (node->writer == file) {
    node->writer = NULL;
    node->writer_waits = false;
  }
  if (level == SQLITE_LOCK_NONE) node->shared--;
  file->level = level;
  return SQLITE_OK;
}

static int take_shared(disk_file *file) {
  if (file->node->writer_waits) return SQLITE_BUSY;
  file->node->shared++;
  file->level = SQLITE_LOCK_SHARED;
  return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level) {
  disk_file *file = of(base);
  disk_node *node = file->node;
  if (file->level >= level) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) return take_shared(file);
  SDB_ASSERT(file->level >= SQLITE_LOCK_SHARED);
  if (node->writer && node->writer != file) return SQLITE_BUSY;
  node->writer = file;
  if (level == SQLITE_LOCK_EXCLUSIVE) {
    node->writer_waits = true;
    if (node->shared > 1) {
      file->level = SQLITE_LOCK_PENDING;
      return SQLITE_BUSY;
    }
  }
  file->level = level;
  return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *held) {
  *held = of(base)->node->writer != NULL;
  return SQLITE_OK;
}

/* ---- shared memory ---- */

void disk_drop_regions(disk_node *node) {
  for (size_t i = 0; i < node->regions_count; i++)
    sdb_mem_free(sdb_platform_mem(), node->regions[i]);
  sdb_mem_free(sdb_platform_mem(), node->regions);
  node->regions = NULL;
  node->regions_count = 0;
}

static int file_shm_map(
    sqlite3_file *base, int number, int size, int extend, void volatile **memory) {
  disk_file *file = of(base);
  disk_node *node = file->node;
  if (!file->maps) node->mapped++;
  file->maps = true;
  *memory = NULL;
  size_t wanted = (size_t)number + 1;
  if (wanted > node->regions_count && !extend) return SQLITE_OK;
  if (wanted > node->regions_count) {
    void **regions =
        sdb_mem_resize(sdb_platform_mem(), node->regions, wanted * sizeof(*node->regions));
    if (!regions) return SQLITE_NOMEM;
    node->regions = regions;
  }
  for (; node->regions_count < wanted; node->regions_count++) {
    void *region = sdb_mem_zero(sdb_platform_mem(), (size_t)size);
    if (!region) return SQLITE_NOMEM;
    node->regions[node->regions_count] = region;
  }
  *memory = node->regions[number];
  return SQLITE_OK;
}

static void shm_unlock(disk_file *file, int at) {
  uint16_t bit = (uint16_t)(1 << at);
  if (file->shm_shared & bit) file->node->shm_shared[at]--;
  if (file->shm_exclusive & bit) file->node->shm_exclusive[at] = false;
  file->shm_shared = (uint16_t)(file->shm_shared & ~bit);
  file->shm_exclusive = (uint16_t)(file->shm_exclusive & ~bit);
}

static bool shm_is_free(const disk_file *file, int at, bool shared) {
  uint16_t bit = (uint16_t)(1 << at);
  bool exclusive = file->node->shm_exclusive[at] && !(file->shm_exclusive & bit);
  size_t others = file->node->shm_shared[at] - ((file->shm_shared & bit) != 0);
  return !exclusive && (shared || others == 0);
}

static void shm_lock(disk_file *file, int at, bool shared) {
  uint16_t bit = (uint16_t)(1 << at);
  shm_unlock(file, at);
  if (shared) {
    file->node->shm_shared[at]++;
    file->shm_shared |= bit;
  } else {
    file->node->shm_exclusive[at] = true;
    file->shm_exclusive |= bit;
  }
}

static int file_shm_lock(sqlite3_file *base, int first, int count, int flags) {
  disk_file *file = of(base);
  bool shared = flags & SQLITE_SHM_SHARED;
  for (int at = first; at < first + count; at++) {
    if ((flags & SQLITE_SHM_LOCK) && !shm_is_free(file, at, shared)) return SQLITE_BUSY;
  }
  for (int at = first; at < first + count; at++) {
    if (flags & SQLITE_SHM_LOCK)
      shm_lock(file, at, shared);
    else
      shm_unlock(file, at);
  }
  return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *base) {
  (void)base;
}

static int file_shm_unmap(sqlite3_file *base, int delete_it) {
  (void)delete_it;
  disk_file *file = of(base);
  if (!file->maps) return SQLITE_OK;
  file->maps = false;
  for (int at = 0; at < DISK_SHM_LOCKS; at++)
    shm_unlock(file, at);
  if (--file->node->mapped == 0) disk_drop_regions(file->node);
  return SQLITE_OK;
}

/* ---- content ---- */

static int file_close(sqlite3_file *base) {
  disk_file *file = of(base);
  file_shm_unmap(base, 0);
  file_unlock(base, SQLITE_LOCK_NONE);
  if (--file->node->opened == 0) disk_collect(file->disk);
  return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *to, int size, sqlite3_int64 at) {
  disk_file *file = of(base);
  if (file->disk->dead || file->disk->fault == SIM_DISK_FAILS_READ) return SQLITE_IOERR_READ;
  size_t got = disk_read(file->node, (size_t)at, to, (size_t)size);
  if (got == (size_t)size) return SQLITE_OK;
  memset((char *)to + got, 0, (size_t)size - got);
  return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *from, int size, sqlite3_int64 at) {
  disk_file *file = of(base);
  if (!disk_reaches(file->disk)) return SQLITE_IOERR_WRITE;
  if (file->disk->fault == SIM_DISK_FULL) return SQLITE_FULL;
  file->disk->counts.writes++;
  disk_write(file->node, (size_t)at, from, (size_t)size);
  return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
  disk_file *file = of(base);
  if (!disk_reaches(file->disk)) return SQLITE_IOERR_TRUNCATE;
  disk_truncate(file->node, (size_t)size);
  return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags) {
  (void)flags;
  disk_file *file = of(base);
  if (!disk_reaches(file->disk)) return SQLITE_IOERR_FSYNC;
  bool once = file->disk->fault == SIM_DISK_FAILS_ONE_SYNC;
  if (once) file->disk->fault = SIM_DISK_WELL;
  if (once || file->disk->fault == SIM_DISK_FAILS_SYNC) {
    disk_fail_sync(file->disk, file->node);
    return SQLITE_IOERR_FSYNC;
  }
  disk_sync(file->disk, file->node);
  if (file->syncs_names) disk_sync_names(file->disk);
  file->syncs_names = false;
  return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
  disk_file *file = of(base);
  if (file->disk->dead) return SQLITE_IOERR_FSTAT;
  *size = (sqlite3_int64)file->node->seen.size;
  return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *argument) {
  disk_file *file = of(base);
  if (what != SQLITE_FCNTL_HAS_MOVED) return SQLITE_NOTFOUND;
  *(int *)argument = file->name && disk_find(file->disk, file->name) != file->node;
  return SQLITE_OK;
}

static int file_sector_size(sqlite3_file *base) {
  (void)base;
  return 4096; /* as of SQLite's unix VFS */
}

static int file_characteristics(sqlite3_file *base) {
  (void)base;
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods METHODS = {.iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap};

/* ---- names ---- */

/* A new file; NULL: it does not reach the disk. */
static disk_node *make_named(sim_disk *disk, const char *name) {
  if (!disk_reaches(disk)) return NULL;
  disk_node *node = disk_make_node(disk);
  disk_move_name(disk, "", name, node);
  return node;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out) {
  sim_disk *disk = disk_of(vfs);
  disk_file *file = of(base);
  memset(file, 0, sizeof(*file));
  if (disk->dead) return SQLITE_CANTOPEN;
  disk_node *node = name ? disk_find(disk, name) : disk_make_node(disk);
  bool exclusive = flags & SQLITE_OPEN_EXCLUSIVE;
  if (name && node && exclusive) return SQLITE_CANTOPEN;
  if (!node && (flags & SQLITE_OPEN_CREATE)) node = make_named(disk, name);
  if (!node) return SQLITE_CANTOPEN;
  node->opened++;
  file->disk = disk;
  file->node = node;
  file->name = name;
  file->syncs_names = (flags & SQLITE_OPEN_CREATE) && (flags & NEW_JOURNALS);
  file->base.pMethods = &METHODS;
  if (out) *out = flags;
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
  sim_disk *disk = disk_of(vfs);
  if (!disk_find(disk, name)) return SQLITE_IOERR_DELETE_NOENT;
  if (!disk_reaches(disk)) return SQLITE_IOERR_DELETE;
  disk_move_name(disk, name, "", NULL);
  disk_collect(disk);
  if (!sync_folder) return SQLITE_OK;
  if (disk->fault == SIM_DISK_FAILS_SYNC) return SQLITE_IOERR_DIR_FSYNC;
  disk_sync_names(disk);
  disk_collect(disk);
  return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *there) {
  const disk_node *node = disk_find(disk_of(vfs), name);
  if (disk_of(vfs)->dead) return SQLITE_IOERR_ACCESS;
  /* As of the unix VFS: to a question for a journal an empty one is none. */
  *there = node && (flags != SQLITE_ACCESS_EXISTS || node->seen.size > 0);
  return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *to) {
  (void)vfs;
  return (size_t)snprintf(to, (size_t)size, "%s", name) < (size_t)size ? SQLITE_OK
                                                                       : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *to) {
  sim_disk *disk = disk_of(vfs);
  disk->system.random(disk, to, (size_t)size);
  return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) {
  (void)vfs;
  return us;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ms) {
  (void)vfs;
  *ms = JULIAN_EPOCH_MS + TIME_MS;
  return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *days) {
  sqlite3_int64 ms;
  vfs_time_ms(vfs, &ms);
  *days = (double)ms / 86400000.0;
  return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *to) {
  (void)vfs;
  if (size > 0) to[0] = 0;
  return 0;
}

/* ---- the system ---- */

static int system_open(void *self, const char *path, int flags, unsigned mode) {
  (void)mode;
  sim_disk *disk = self;
  if (disk->dead) return -EIO;
  disk_node *node = disk_find(disk, path);
  if (node && (flags & O_EXCL)) return -EEXIST;
  if (!node && !(flags & O_CREAT)) return -ENOENT;
  if (!node) node = make_named(disk, path);
  if (!node) return -EIO;
  size_t at = 0;
  while (at < disk->descriptors_count && disk->descriptors[at].node)
    at++;
  if (at == disk->descriptors_count) {
    size_t size = (at + 1) * sizeof(*disk->descriptors);
    disk->descriptors = sdb_mem_resize(sdb_platform_mem(), disk->descriptors, size);
    SDB_ASSERT(disk->descriptors);
    disk->descriptors_count++;
  }
  disk->descriptors[at] = (disk_descriptor){node, false};
  node->opened++;
  return (int)at;
}

static disk_descriptor *descriptor_of(sim_disk *disk, int descriptor) {
  SDB_ASSERT(descriptor >= 0 && (size_t)descriptor < disk->descriptors_count);
  SDB_ASSERT(disk->descriptors[descriptor].node);
  return &disk->descriptors[descriptor];
}

static void system_close(void *self, int descriptor) {
  disk_descriptor *open = descriptor_of(self, descriptor);
  if (open->locks) open->node->locked = false;
  open->node->opened--;
  open->node = NULL;
}

static int system_lock(void *self, int descriptor) {
  disk_descriptor *open = descriptor_of(self, descriptor);
  if (open->node->locked && !open->locks) return -EWOULDBLOCK;
  open->node->locked = open->locks = true;
  return 0;
}

static int64_t system_read(void *self, int descriptor, void *to, size_t size, uint64_t at) {
  sim_disk *disk = self;
  if (disk->dead || disk->fault == SIM_DISK_FAILS_READ) return -EIO;
  return (int64_t)disk_read(descriptor_of(disk, descriptor)->node, (size_t)at, to, size);
}

static int64_t system_write(
    void *self, int descriptor, const void *from, size_t size, uint64_t at) {
  sim_disk *disk = self;
  if (!disk_reaches(disk)) return -EIO;
  if (disk->fault == SIM_DISK_FULL) return -ENOSPC;
  disk_write(descriptor_of(disk, descriptor)->node, (size_t)at, from, size);
  return (int64_t)size;
}

static int system_rename(void *self, const char *from, const char *to) {
  sim_disk *disk = self;
  disk_node *node = disk_find(disk, from);
  if (!node) return -ENOENT;
  if (!disk_reaches(disk)) return -EIO;
  disk_move_name(disk, from, to, node);
  return 0;
}

static sdb_file_kind system_kind(void *self, const char *path) {
  return disk_find(self, path) ? SDB_FILE_REGULAR : SDB_FILE_NONE;
}

static bool system_random(void *self, void *to, size_t size) {
  sim_disk *disk = self;
  for (size_t i = 0; i < size; i++)
    ((uint8_t *)to)[i] = (uint8_t)(sim_random_next(&disk->random) >> 56);
  return true;
}

/* ---- registering ---- */

void disk_vfs_init(sim_disk *disk) {
  snprintf(disk->vfs_name, sizeof(disk->vfs_name), "sim-%p", (void *)disk);
  disk->system = (sdb_system){.vfs = disk->vfs_name,
      .self = disk,
      .open = system_open,
      .close = system_close,
      .lock = system_lock,
      .read = system_read,
      .write = system_write,
      .rename = system_rename,
      .kind = system_kind,
      .random = system_random};
  disk->vfs = (sqlite3_vfs){.iVersion = 2,
      .szOsFile = (int)sizeof(disk_file),
      .mxPathname = DISK_NAME_SIZE - 1,
      .zName = disk->vfs_name,
      .pAppData = disk,
      .xOpen = vfs_open,
      .xDelete = vfs_delete,
      .xAccess = vfs_access,
      .xFullPathname = vfs_full_path,
      .xRandomness = vfs_randomness,
      .xSleep = vfs_sleep,
      .xCurrentTime = vfs_time,
      .xGetLastError = vfs_last_error,
      .xCurrentTimeInt64 = vfs_time_ms};
  int code = sqlite3_vfs_register(&disk->vfs, 0);
  SDB_ASSERT(code == SQLITE_OK);
}
