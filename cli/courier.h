/* cli/courier.h: delivers what waits in the default local file, beside a device that has none.
 *
 * `syncdb tail` follows without that file, so that `syncdb push` can use it meanwhile; pushes that
 * were made without a server are on their way all the same. The courier is a second device for as
 * long as that takes. It begins only when there is a connection and does not wait for another, for
 * nobody else can use the file while it does.
 */
#ifndef SDB_CLI_COURIER_H
#define SDB_CLI_COURIER_H

#include "device.h"

typedef struct sdb_cli_courier {
  sdb_cli_device device;
  bool open;
  uint32_t pending, failed; /* when it began */
  int64_t end_ms;
} sdb_cli_courier;

/* Begins, unless it did, or nothing waits in the file, or somebody works with it. `device` stays
 * open for longer. */
void sdb_cli_courier_begin(sdb_cli_courier *courier, const sdb_cli_device *device);

/* What sdb_cli_device_wait is to wait for, and how long at most; -1 where it has not begun. */
int sdb_cli_courier_fd(const sdb_cli_courier *courier);
int sdb_cli_courier_timeout_ms(const sdb_cli_courier *courier);

/* Behind each wait: goes on, and ends when all is delivered or it takes too long. */
void sdb_cli_courier_turn(sdb_cli_courier *courier);

/* Ends it where it is; what it did is told on standard error. */
void sdb_cli_courier_end(sdb_cli_courier *courier);

#endif
