/* cli/courier.c: see courier.h. */
#include "courier.h"
#include <stdio.h>

#define ROUND_MS 3000 /* less than others wait for the file */
#define AGAIN_MS 1000 /* for what is left, or while the file is in use: others have their turn */
#define LOOK_MS 3000  /* for what is put into the file meanwhile */

static sdb_client_status status_of(const sdb_cli_courier *courier) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(courier->device.client, &status);
  return status;
}

static void next_in(sdb_cli_courier *courier, int64_t ms) {
  courier->next_ms = sdb_cli_device_now_ms() + ms;
}

void sdb_cli_courier_begin(sdb_cli_courier *courier, const sdb_cli_device *device) {
  if (courier->open || courier->useless) return;
  sdb_cli_device_kept kept = sdb_cli_device_open_kept(&courier->device, device);
  courier->useless = kept == SDB_CLI_DEVICE_KEPT_USELESS;
  next_in(courier, kept == SDB_CLI_DEVICE_KEPT_BUSY ? AGAIN_MS : LOOK_MS);
  if (kept != SDB_CLI_DEVICE_KEPT_OPEN) return;
  sdb_client_status status = status_of(courier);
  courier->open = status.pending > 0;
  if (!courier->open) {
    sdb_cli_device_close_kept(&courier->device);
    return;
  }
  courier->pending = status.pending;
  courier->failed = status.failed;
  next_in(courier, ROUND_MS);
  sdb_cli_device_go_online(&courier->device);
}

void sdb_cli_courier_end(sdb_cli_courier *courier) {
  if (!courier->open) return;
  sdb_client_status status = status_of(courier);
  uint32_t failed = status.failed > courier->failed ? status.failed - courier->failed : 0;
  uint32_t rest = status.pending + failed;
  uint32_t delivered = courier->pending > rest ? courier->pending - rest : 0;
  if (delivered + failed > 0) {
    fprintf(stderr, "syncdb %s: of %u that waited in %s, %u delivered", courier->device.command,
        (unsigned)courier->pending, courier->device.path, (unsigned)delivered);
    if (failed > 0) fprintf(stderr, ", %u failed: `syncdb list` says why", (unsigned)failed);
    fputc('\n', stderr);
  }
  courier->open = false;
  next_in(courier, status.pending > 0 ? AGAIN_MS : LOOK_MS);
  sdb_cli_device_close_kept(&courier->device);
}

static bool is_over(const sdb_cli_courier *courier) {
  sdb_client_status status = status_of(courier);
  bool lost = status.phase == SDB_CLIENT_OFFLINE && status.close_code != 0;
  return status.pending == 0 || lost || status.phase == SDB_CLIENT_UNAUTHORIZED ||
         sdb_cli_device_now_ms() >= courier->next_ms;
}

void sdb_cli_courier_turn(sdb_cli_courier *courier, const sdb_cli_device *device, bool live) {
  if (courier->open) {
    sdb_client_dispatch(courier->device.client);
    if (!live || is_over(courier)) sdb_cli_courier_end(courier);
  } else if (live && sdb_cli_device_now_ms() >= courier->next_ms) {
    sdb_cli_courier_begin(courier, device);
  }
}

int sdb_cli_courier_fd(const sdb_cli_courier *courier) {
  return courier->open ? sdb_client_fd(courier->device.client) : -1;
}

int sdb_cli_courier_timeout_ms(const sdb_cli_courier *courier) {
  if (courier->useless) return -1;
  int64_t left_ms = courier->next_ms - sdb_cli_device_now_ms();
  return left_ms > 0 ? (int)left_ms : 0;
}
