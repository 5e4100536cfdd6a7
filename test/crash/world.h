/* test/crash/world.h: the processes of a run, the lines between them, the disks under them. */
#ifndef SDB_CRASH_WORLD_H
#define SDB_CRASH_WORLD_H

#include "ledger.h"
#include "life.h"
#include "proxy.h"

typedef struct world_options {
  unsigned seed, kills, users, devices, minutes; /* minutes 0: as long as it takes */
  bool tls, full_sync;
  const char *folder;   /* "": one of its own, removed at the end unless something was wrong */
  const char *sabotage; /* NULL: none */
} world_options;

/* What was done to them. */
typedef struct world_counts {
  uint64_t server_kills, device_kills;
  uint64_t server_starting, server_unheard, server_serving; /* server_kills by moment */
  uint64_t device_starting, device_offline, device_catching_up, device_pushing, device_live;
  uint64_t at_once; /* moments at which several were killed */
  uint64_t server_disk_full, device_disk_full, healed_alive, refused_to_start;
  uint64_t server_failed, device_failed; /* times that one of them said so */
  uint64_t descriptors_out, descriptors_killed;
  uint64_t files_lost, stalls, slowed, refusals, inspections;
} world_counts;

typedef enum world_disk {
  WORLD_SERVER_DISK = 0,
  WORLD_DEVICE_DISK, /* under the files of user 0's devices */
  WORLD_DISKS
} world_disk;

typedef struct device {
  life life;
  unsigned user, number, lives;
  proxy *line;
  char path[256], name[16];
  bool ready, was_full; /* was_full: its disk was, at some moment of this life */
  int phase, storage;   /* as it said; 0: nothing yet */
  uint64_t muted_until_us;
  listing listing; /* of its dump */
  bool listed;     /* the dump is whole */
} device;

typedef struct world {
  world_options options;
  world_counts counts;
  ledger *ledger;
  unsigned random;
  char folder[200], url[256], cert[256], key[256];
  int log;
  bool has_disks;
  bool full[WORLD_DISKS];
  bool server_was_full; /* its disk was, at some moment of this life */
  life server;
  unsigned server_lives;
  uint16_t port; /* 0: it does not listen */
  device devices[CRASH_USERS_MAX * CRASH_DEVICES_MAX];
  size_t devices_count;
  uint64_t acknowledged, acknowledged_before; /* pushes seen back; when the server was started */
} world;

unsigned world_chance(world *w, unsigned below);

/* Makes the folder, the disks and the lines. False: it said why not. */
bool world_open(world *w, const world_options *options);
/* Kills what still runs; removes the folder if `remove`. */
void world_close(world *w, bool remove);

bool world_start_server(world *w);
/* `mode` as crash_device knows it. */
bool world_start_device(world *w, device *d, const char *mode);
void world_kill_server(world *w);
void world_kill_device(world *w, device *d);

/* Hears everybody, once, for at most `timeout_us`. Who ended by itself is noted as wrong. */
void world_hear(world *w, uint64_t timeout_us);
/* Hears until `fn` is true. False: not within `timeout_ms`. */
typedef bool (*world_fn)(world *w, void *context);
bool world_wait(world *w, world_fn fn, void *context, uint64_t timeout_ms);

/* To be waited for: the server serves, and a device is live. A server that gave up while its disk
 * was full is started again. */
bool world_is_live(world *w, void *context);

/* Lets a disk have no room, or plenty. */
void world_fill_disk(world *w, world_disk disk);
void world_free_disk(world *w, world_disk disk);
world_disk world_disk_of(const device *d); /* WORLD_DISKS: none that is filled */

/* Resets the connections of all devices, and lets everything pass from then on. */
void world_mend_lines(world *w);

/* Looks into the server's file while no server runs. */
void world_inspect(world *w);

/* ---- the parts of a run ---- */

/* Kills as often as the options say. */
void chaos_run(world *w);
/* Runs the server out of descriptors, and looks at what it does. */
void descriptors_run(world *w);
/* Breaks a promise itself; false: no such sabotage. `*wrong` is what must be found. */
bool sabotage_known(const char *name, crash_wrong *wrong);
void sabotage_run(world *w);
/* Has everything come to rest, and looks whether all promises were kept. */
void verdict_run(world *w);

#endif
