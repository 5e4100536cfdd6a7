/* sim/disk_private.h: a disk's inside: disk.c has what files and names hold, disk_vfs.c what SQLite
 * and the storages see of it.
 */
#ifndef SIM_DISK_PRIVATE_H
#define SIM_DISK_PRIVATE_H

#include "base/base.h"
#include "base/memory.h"
#include "platform/platform.h"
#include "sim/disk.h"
#include "sim/random.h"

#define DISK_NAME_SIZE 128
#define DISK_SHM_LOCKS SQLITE_SHM_NLOCK

typedef struct disk_bytes {
  uint8_t *data;
  size_t size, capacity;
} disk_bytes;

/* What was not synced: a write, or a truncate to `at`. */
typedef struct disk_change {
  bool truncates;
  bool done;      /* a sync that failed brought it to the disk */
  bool forgotten; /* or made the disk forget it */
  size_t at, size;
  size_t from; /* where its bytes stand in node->written */
} disk_change;

/* A file, whatever its names. */
typedef struct disk_node disk_node;
struct disk_node {
  disk_node *next;       /* of the disk's */
  disk_bytes seen, safe; /* what is read, and what is surely there after power loss */
  disk_change *changes;  /* from safe to seen, in order */
  size_t changes_count, changes_capacity;
  disk_bytes written;
  size_t opened; /* files of SQLite and descriptors */
  bool marked;   /* while what is not used any more is collected */
  /* locks of SQLite's connections */
  size_t shared;
  const void *writer; /* the file that has RESERVED or more */
  bool writer_waits;  /* it has PENDING: nobody else comes in */
  bool locked;        /* by a descriptor */
  /* shared memory */
  void **regions;
  size_t regions_count, mapped;
  size_t shm_shared[DISK_SHM_LOCKS];
  bool shm_exclusive[DISK_SHM_LOCKS];
};

typedef struct disk_name {
  char name[DISK_NAME_SIZE];
  disk_node *node;
} disk_name;

typedef struct disk_folder {
  disk_name *names;
  size_t count, capacity;
} disk_folder;

/* A change of names that was not synced: `from` goes, `to` comes; either may be "". */
typedef struct disk_move {
  char from[DISK_NAME_SIZE], to[DISK_NAME_SIZE];
  disk_node *node;
} disk_move;

typedef struct disk_descriptor {
  disk_node *node; /* NULL: not open */
  bool locks;
} disk_descriptor;

struct sim_disk {
  sqlite3_vfs vfs;
  char vfs_name[32];
  sdb_system system;
  sim_random random;
  disk_node *nodes;
  disk_folder seen, safe;
  disk_move *moves; /* from safe to seen, in order */
  size_t moves_count, moves_capacity;
  disk_descriptor *descriptors;
  size_t descriptors_count;
  sim_disk_fault fault;
  bool forgets, dead;
  unsigned die_within;
  sim_disk_counts counts;
};

/* Room for one more item of an array; the caller moves the count. */
void *disk_room(void *items, size_t count, size_t *capacity, size_t size);

/* One operation more. False: it does not reach the disk, which is dead. */
bool disk_reaches(sim_disk *disk);

disk_node *disk_make_node(sim_disk *disk);
void disk_write(disk_node *node, size_t at, const void *from, size_t size);
void disk_truncate(disk_node *node, size_t size);
void disk_sync(sim_disk *disk, disk_node *node);
void disk_fail_sync(sim_disk *disk, disk_node *node);
/* How much of it could be read. */
size_t disk_read(const disk_node *node, size_t at, void *to, size_t size);

/* NULL: there is none. */
disk_node *disk_find(const sim_disk *disk, const char *name);
/* Names: "" for `from` makes one, "" for `to` takes one away. */
void disk_move_name(sim_disk *disk, const char *from, const char *to, disk_node *node);
void disk_sync_names(sim_disk *disk);

/* Frees the files that nothing leads to any more. */
void disk_collect(sim_disk *disk);

/* disk_vfs.c */
void disk_vfs_init(sim_disk *disk);
void disk_drop_regions(disk_node *node);

#endif
