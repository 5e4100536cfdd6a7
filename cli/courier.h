/* cli/courier.h: delivers what waits in the default local file, beside a device that has none.
 *
 * `syncdb tail` follows without that file, so that `syncdb push` can use it meanwhile; pushes that
 * were made without a server are on their way all the same. The courier is a second device. Nobody
 * else can use the file while it has it, so it has it only while there is a connection, and for a
 * shorter time than others wait; what is left then is for its next round.
 */
#ifndef SDB_CLI_COURIER_H
#define SDB_CLI_COURIER_H

#include "device.h"

typedef struct sdb_cli_courier {
  sdb_cli_device device;
  bool open, useless;       /* useless: the file cannot be opened, which was said */
  uint32_t pending, failed; /* when the round began */
  int64_t next_ms;          /* when this round ends, or the next begins */
} sdb_cli_courier;

/* Goes on, behind each wait of `device`, which stays open for longer than the courier is. `live`:
 * there is a connection. A round begins when one is due and something waits in the file; it ends
 * when all is delivered, the connection is lost, or it takes too long. */
void sdb_cli_courier_turn(sdb_cli_courier *courier, const sdb_cli_device *device, bool live);

/* Begins a round now, if something waits and nobody works with the file. */
void sdb_cli_courier_begin(sdb_cli_courier *courier, const sdb_cli_device *device);

/* Ends the round where it is; what it did is told on standard error. */
void sdb_cli_courier_end(sdb_cli_courier *courier);

/* What sdb_cli_device_wait is to wait for (-1: nothing), and how long at most (-1: without
 * end). */
int sdb_cli_courier_fd(const sdb_cli_courier *courier);
int sdb_cli_courier_timeout_ms(const sdb_cli_courier *courier);

#endif
