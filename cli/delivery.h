/* cli/delivery.h: pushes on their way: waiting until they arrive, and telling what became of each.
 *
 * A line of JSON a push on standard output, as `syncdb tail` has them: with state "synced" when its
 * event was seen, "failed" when the server refused it, or when it was not delivered and is not kept
 * either, "pending" when it is kept for later.
 */
#ifndef SDB_CLI_DELIVERY_H
#define SDB_CLI_DELIVERY_H

#include "device.h"

#define SDB_CLI_DELIVERY_WAIT_MS 10000

/* A push that is under way. */
typedef struct sdb_cli_delivery_push {
  const sdb_store *store;
  sdb_uuid client_id;
  sdb_uuid id;    /* the object's where it is known, else nil */
  size_t line;    /* of the input; 0: it has no lines */
  bool is_former; /* made in an earlier run: refused again it is kept */
  bool in_file;   /* sdb_cli_delivery_add found it to be put into the local file */
  bool told;      /* a line was printed for it */
} sdb_cli_delivery_push;

typedef struct sdb_cli_delivery {
  sdb_cli_device *device;
  sdb_cli_delivery_push *pushes; /* that no line was printed for, from `first` on */
  size_t first, count, capacity;
  size_t refused;
  int64_t swept_ms;
} sdb_cli_delivery;

/* Refuses what could only be lost: a change of a singular store, which is never in the local file,
 * while nothing is to be sent. Gives -1, or the exit code. */
int sdb_cli_delivery_check(const sdb_cli_device *device, const sdb_store *store, uint32_t wait_ms);

/* Begins to watch. Gives -1, or the exit code. */
int sdb_cli_delivery_begin(sdb_cli_delivery *delivery, sdb_cli_device *device);
void sdb_cli_delivery_end(sdb_cli_delivery *delivery);

/* Waits for it, too. False: out of memory. */
bool sdb_cli_delivery_add(sdb_cli_delivery *delivery, const sdb_cli_delivery_push *push);

/* An object was refused before it was pushed: prints that. */
void sdb_cli_delivery_refuse(
    sdb_cli_delivery *delivery, const sdb_store *store, const sdb_error *error, size_t line);

/* Waits for the device, for `input` and for the time, and tells what arrived. True: `input` can be
 * read. */
bool sdb_cli_delivery_turn(sdb_cli_delivery *delivery, int input, int timeout_ms);

/* How many wait. */
size_t sdb_cli_delivery_waiting(const sdb_cli_delivery *delivery);

/* Waits up to `wait_ms` until all have arrived, those of earlier runs too, and tells of the rest.
 * The exit code. */
int sdb_cli_delivery_finish(sdb_cli_delivery *delivery, uint32_t wait_ms);

#endif
