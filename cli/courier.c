/* cli/courier.c: see courier.h. */
#include "courier.h"
#include <stdio.h>

#define PATIENCE_MS 15000 /* more than the time after which a push has failed */

static sdb_client_status status_of(const sdb_cli_courier *courier) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(courier->device.client, &status);
  return status;
}

void sdb_cli_courier_begin(sdb_cli_courier *courier, const sdb_cli_device *device) {
  if (courier->open || !sdb_cli_device_open_kept(&courier->device, device)) return;
  sdb_client_status status = status_of(courier);
  if (status.pending == 0) {
    sdb_cli_device_close_kept(&courier->device);
    return;
  }
  courier->open = true;
  courier->pending = status.pending;
  courier->failed = status.failed;
  courier->end_ms = sdb_cli_device_now_ms() + PATIENCE_MS;
  sdb_cli_device_go_online(&courier->device);
}

int sdb_cli_courier_fd(const sdb_cli_courier *courier) {
  return courier->open ? sdb_client_fd(courier->device.client) : -1;
}

int sdb_cli_courier_timeout_ms(const sdb_cli_courier *courier) {
  if (!courier->open) return -1;
  int64_t left_ms = courier->end_ms - sdb_cli_device_now_ms();
  return left_ms > 0 ? (int)left_ms : 0;
}

void sdb_cli_courier_turn(sdb_cli_courier *courier) {
  if (!courier->open) return;
  sdb_client_dispatch(courier->device.client);
  sdb_client_status status = status_of(courier);
  if (status.pending == 0 || status.phase == SDB_CLIENT_UNAUTHORIZED ||
      sdb_cli_courier_timeout_ms(courier) == 0)
    sdb_cli_courier_end(courier);
}

void sdb_cli_courier_end(sdb_cli_courier *courier) {
  if (!courier->open) return;
  sdb_client_status status = status_of(courier);
  uint32_t failed = status.failed > courier->failed ? status.failed - courier->failed : 0;
  uint32_t rest = status.pending + failed;
  uint32_t delivered = courier->pending > rest ? courier->pending - rest : 0;
  fprintf(stderr, "syncdb %s: of %u that waited in %s, %u delivered", courier->device.command,
      (unsigned)courier->pending, courier->device.path, (unsigned)delivered);
  if (failed > 0) fprintf(stderr, ", %u failed: `syncdb list` says why", (unsigned)failed);
  fputc('\n', stderr);
  courier->open = false;
  sdb_cli_device_close_kept(&courier->device);
}
