/* sim/disk.h: a disk in memory, as a VFS of SQLite and a system of the storages: it loses and tears
 * what was not synced when power is lost.
 *
 * One thread. Each disk is a folder of its own and draws from a seed of its own: the same calls
 * give the same bytes. What is written is there at once for who reads, and is safe once it was
 * synced; names (files made, deleted, renamed) once the folder was, which SQLite's unix VFS does
 * with the first sync of a journal or WAL that it opened, and with a delete where SQLite asks for
 * it.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "sim/backend.h"
#include "storage/sqlite/system.h"
#include <sqlite3.h>

typedef struct sim_disk sim_disk;

/* An empty disk. */
sim_disk *sim_disk_create(uint64_t seed);
/* No file may be open. */
void sim_disk_destroy(sim_disk *disk);

/* What storages on it are opened with: its VFS, files and random bytes. Lives as long as it. */
const sdb_system *sim_disk_system(sim_disk *disk);

/* SQLite draws what it writes into a WAL's head from one generator of the process: this sets it to
 * what the disk draws. To be called before each piece of work on the disk, which else is not
 * repeated. */
void sim_disk_begin(sim_disk *disk);

/* ---- faults ---- */

void sim_disk_set_fault(sim_disk *disk, sim_disk_fault fault);

/* Whether a sync that fails makes the disk forget some of what it was to write, as Linux does: a
 * later sync then succeeds without it. Otherwise that is still to be written: the default. */
void sim_disk_forget(sim_disk *disk, bool forgets);

/* From the `operations`-th write, truncate, sync, delete, rename or making of a file on nothing
 * reaches the disk, and everything fails, until sim_disk_end. 0: never. */
void sim_disk_die_within(sim_disk *disk, unsigned operations);
/* Is it dead? */
bool sim_disk_is_dead(const sim_disk *disk);
/* Dies now. What is open can still be closed. */
void sim_disk_kill(sim_disk *disk);

/* The end of a life, when no file is open any more: what was not synced stays as it is (and may be
 * lost later), or is kept, lost or torn at once. The disk is alive again. */
void sim_disk_end(sim_disk *disk, sim_end how);

/* ---- images ---- */

/* All files as they are seen now, synced or not: whoever takes one frees it. */
typedef struct sim_disk_image sim_disk_image;
sim_disk_image *sim_disk_take_image(const sim_disk *disk);
/* Its files, synced, in the place of all there is. No file may be open. */
void sim_disk_put_image(sim_disk *disk, const sim_disk_image *image);
void sim_disk_image_free(sim_disk_image *image);
/* Everything is gone, for good. No file may be open. */
void sim_disk_clear(sim_disk *disk);

/* ---- for tests, and for what is made from an image ---- */

/* The disk under one of the SQLite storages. */
sim_disk *sim_sqlite_backend_disk(sim_backend *backend);
sim_disk *sim_sqlite_local_disk(sim_local *local);

/* A file as it is seen now; NULL: there is none. Valid until the disk is used again. */
const uint8_t *sim_disk_file(const sim_disk *disk, const char *path, size_t *size);
/* Writes into it past everything: damage. It must be there, and be long enough. */
void sim_disk_damage(sim_disk *disk, const char *path, size_t at, const void *with, size_t size);

typedef struct sim_disk_counts {
  uint64_t writes, syncs;
  uint64_t kept, lost, torn; /* unsynced writes, when power was lost */
  uint64_t names_lost;       /* files made, deleted or renamed that it undid */
} sim_disk_counts;
sim_disk_counts sim_disk_count(const sim_disk *disk);

#endif
