/* sim/backend.h: what keeps data in the simulation, on the server's side and on a device's: a
 * storage of the library behind its port, run by hand, and what is left of it when a process is
 * killed, when power is lost, when the disk is full.
 *
 * Everything happens inside the calls below, on the caller's thread: the same calls give the same
 * results, to the byte. What is random in it is drawn from the seed that it was made with.
 */
#ifndef SIM_BACKEND_H
#define SIM_BACKEND_H

#include "hub/storage_port.h"
#include "replica/storage_port.h"
#include "storage/storage.h"

/* How a life ends. */
typedef enum sim_end {
  SIM_CLOSED = 1, /* in order */
  SIM_KILLED,     /* the process is gone; what it wrote is there */
  SIM_POWER_LOST  /* what was not synced is there, gone or torn */
} sim_end;

typedef enum sim_disk_fault {
  SIM_DISK_WELL = 0,
  SIM_DISK_FULL,       /* nothing more can be written */
  SIM_DISK_FAILS_SYNC, /* what is written may or may not get there */
  SIM_DISK_FAILS_READ,
  SIM_DISK_FAILS_ONE_SYNC /* the next, and is well then */
} sim_disk_fault;

/* ---- the server's ---- */

typedef struct sim_backend sim_backend;
struct sim_backend {
  const char *name;
  /* Begins a life with what the one before has left. Completions go to the sink, inside `run`
   * only. SDB_OK, or why it cannot be opened (with a faulty disk). */
  sdb_status (*open)(sim_backend *self, sdb_storage_sink sink);
  /* Of the life that is open. */
  const sdb_storage_port *(*port)(sim_backend *self);
  /* Carries out and completes all that was submitted: the writes in order, in one transaction.
   * What the sink submits meanwhile may wait for the next. */
  void (*run)(sim_backend *self);
  /* The life dies by itself within the next `run`, after so many more operations on the disk (0: it
   * does not): what completes in that run completes SDB_UNAVAILABLE, and of its writes the first
   * ones are stored, in order, or none, or all. `end` has to follow. A storage without a disk dies
   * between operations; one that needs fewer than were given does not die. */
  void (*die_within)(sim_backend *self, unsigned operations);
  void (*set_fault)(sim_backend *self, sim_disk_fault fault);
  /* Ends the life. Nothing may be submitted that was not run. */
  void (*end)(sim_backend *self, sim_end how);
  /* Takes a backup as the library does it, over one taken before, while a life is open. */
  sdb_status (*back_up)(sim_backend *self);
  /* Puts the backup in the place of all there is, while no life is open: the history that devices
   * know is at an end, so the next life has another epoch. */
  void (*restore)(sim_backend *self);
  void (*destroy)(sim_backend *self);
};

typedef struct sim_backend_options {
  const sdb_storage_store *stores; /* must outlive the backend */
  size_t stores_count;
  uint64_t remember_removes_ms, dedupe_window_ms;
  uint64_t seed;
} sim_backend_options;

/* The memory storage. */
sim_backend *sim_memory_backend(const sim_backend_options *options);
/* SQLite on a disk of ours (disk.h). */
sim_backend *sim_sqlite_backend(const sim_backend_options *options);

/* ---- a device's ---- */

typedef struct sim_local sim_local;
struct sim_local {
  const char *name;
  bool durable; /* it keeps what it is told over lives */
  /* As of a backend. SDB_BAD_FORMAT: what it held is damaged; it was set aside. */
  sdb_status (*open)(sim_local *self, sdb_local_sink sink);
  const sdb_local_port *(*port)(sim_local *self);
  /* Whether operations wait for `run` from now on; otherwise they complete inside submit. */
  void (*defer)(sim_local *self, bool deferred);
  /* Carries out and completes at most `count` operations that wait. Gives how many that were. */
  size_t (*run)(sim_local *self, size_t count);
  void (*set_fault)(sim_local *self, sim_disk_fault fault);
  /* Ends the life. What waits is carried out before if it ends in order, and else completes SDB_IO
   * and did not happen. */
  void (*end)(sim_local *self, sim_end how);
  /* All that it holds is deleted, while no life is open. */
  void (*lose)(sim_local *self);
  void (*destroy)(sim_local *self);
};

typedef struct sim_local_options {
  const sdb_storage_store *stores; /* must outlive it */
  size_t stores_count;
  const char *user;
  uint64_t seed;
} sim_local_options;

/* Keeps what it holds over SIM_KILLED and SIM_POWER_LOST alike: a disk that syncs each commit. */
sim_local *sim_memory_local(const sim_local_options *options);
sim_local *sim_sqlite_local(const sim_local_options *options);

#endif
