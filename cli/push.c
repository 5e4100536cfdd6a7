/* cli/push.c: `syncdb push`: creates and replaces objects as a device, also without a server.
 *
 * With --lines, input is read only while little is under way, so that a large file piped in is not
 * held in memory, and what arrived is told while more is read.
 */
#include "commands.h"
#include "delivery.h"
#include "text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT_BYTES_READ ((size_t)1024 * 1024) /* more is too large, whatever follows */
#define CHUNK_BYTES 65536
#define UNDER_WAY_MAX 1000

static const char HELP[] =
    "usage: syncdb push [URL] STORE [OBJECT] --stores FILE --user NAME [OPTION...]\n"
    "\n"
    "Pushes a JSON object into a store, as a device of the user: it is checked, put into the "
    "local\n"
    "file, and sent; what earlier runs could not deliver is sent first. The object is OBJECT, or "
    "is\n"
    "read from standard input. In a singular store it takes the place of the one there is; such "
    "a\n"
    "change is never kept: it is delivered in time, or lost.\n"
    "\n"
    "  --lines           standard input holds an object a line\n"
    "  --id ID           replace object ID; or what a push that waits will create, by its client "
    "id\n"
    "  --wait MS         how long to wait until it is delivered, default 10000; 0: not at all\n"
    "  --retry           send again what failed in earlier runs, too; STORE may be left "
    "out\n" SDB_CLI_DEVICE_OPTION_HELP SDB_CLI_DEVICE_LOCAL_HELP "  --help            this text\n"
    "\n"
    "A line of JSON an object on standard output, with \"state\", \"store\", \"clientId\" and\n"
    "  synced   it was delivered: \"id\" and \"eventId\"\n"
    "  failed   it was refused, and is not kept: \"error\", with \"code\", \"message\" and "
    "\"path\".\n"
    "           With code \"unavailable\" it was not delivered, and cannot be kept\n"
    "  pending  it was not delivered yet, and is kept: the next push or tail sends it\n"
    "\n"
    "Exit status: 0 delivered, 1 refused (with --lines: at least one), or neither delivered nor "
    "kept,\n"
    "2 bad usage, as --offline with a singular store, 3 kept, but not delivered.\n";

typedef struct push {
  sdb_cli_device device;
  sdb_cli_delivery delivery;
  const char *object;
  const sdb_store *store;
  sdb_uuid id; /* nil: create */
  bool lines, retry;
  uint32_t wait_ms;
  /* the input of --lines */
  char *line;
  size_t line_size, line_number;
  bool input_ended, failed;
} push;

/* ---- one object ---- */

static void fail(push *self, const char *why) {
  sdb_cli_device_complain("push", why);
  self->failed = self->input_ended = true;
}

static bool is_refusal(sdb_status status) {
  return status == SDB_BAD_JSON || status == SDB_INVALID_OBJECT || status == SDB_REJECTED ||
         status == SDB_TOO_LARGE || status == SDB_NOT_FOUND;
}

static void push_one(push *self, sdb_slice object) {
  sdb_error error;
  sdb_client *client = self->device.client;
  sdb_cli_delivery_push made = {.store = self->store, .id = self->id, .line = self->line_number};
  sdb_status status =
      sdb_uuid_is_nil(self->id)
          ? sdb_client_push(client, self->store, object, &made.client_id, &error)
          : sdb_client_update(client, self->store, self->id, object, &made.client_id, &error);
  if (is_refusal(status))
    sdb_cli_delivery_refuse(&self->delivery, self->store, &error, self->line_number);
  else if (status != SDB_OK)
    fail(self, error.message);
  else if (!sdb_cli_delivery_add(&self->delivery, &made))
    fail(self, "out of memory");
}

static void push_whole(push *self) {
  if (self->object) {
    push_one(self, sdb_slice_of(self->object));
    return;
  }
  size_t size;
  char *text = sdb_cli_read_all(stdin, OBJECT_BYTES_READ, &size);
  if (text)
    push_one(self, sdb_slice_make(text, size));
  else
    fail(self, strerror(errno));
  free(text);
}

/* ---- an object a line ---- */

static void push_line(push *self, const char *line, size_t size) {
  self->line_number++;
  if (size > 0 && line[size - 1] == '\r') size--;
  if (size > 0 && !self->failed) push_one(self, sdb_slice_make(line, size));
}

/* Of a line that is too large its beginning is kept, which is enough to refuse it. */
static void take_input(push *self, const char *data, size_t size) {
  while (size > 0) {
    const char *end = memchr(data, '\n', size);
    size_t part = end ? (size_t)(end - data) : size, room = OBJECT_BYTES_READ - self->line_size;
    memcpy(self->line + self->line_size, data, part < room ? part : room);
    self->line_size += part < room ? part : room;
    part += end != NULL;
    data += part;
    size -= part;
    if (!end) return;
    push_line(self, self->line, self->line_size);
    self->line_size = 0;
  }
}

static void read_input(push *self) {
  char chunk[CHUNK_BYTES];
  ssize_t got = read(STDIN_FILENO, chunk, sizeof(chunk));
  if (got > 0) {
    take_input(self, chunk, (size_t)got);
  } else if (got == 0) {
    if (self->line_size > 0) push_line(self, self->line, self->line_size);
    self->input_ended = true;
  } else if (errno != EINTR && errno != EAGAIN) {
    fail(self, strerror(errno));
  }
}

/* Where nothing is sent, waiting makes no room: all of the input is taken, as far as there is. */
static void push_lines(push *self) {
  self->line = malloc(OBJECT_BYTES_READ);
  if (!self->line) fail(self, "out of memory");
  while (!self->input_ended && !sdb_cli_device_interrupted()) {
    bool sends = !self->device.offline && self->wait_ms > 0;
    bool room = !sends || sdb_cli_delivery_waiting(&self->delivery) < UNDER_WAY_MAX;
    if (sdb_cli_delivery_turn(&self->delivery, room ? STDIN_FILENO : -1, -1)) read_input(self);
  }
  free(self->line);
}

/* ---- what failed before ---- */

static void retry_failed(push *self) {
  sdb_unsynced_list *list;
  sdb_error error;
  if (sdb_client_unsynced(self->device.client, &list, &error) != SDB_OK) {
    fail(self, error.message);
    return;
  }
  for (size_t i = 0; i < list->count; i++) {
    const sdb_unsynced *failed = &list->pushes[i];
    sdb_cli_delivery_push former = {.store = failed->store,
        .client_id = failed->client_id,
        .id = failed->id,
        .is_former = true};
    if (!failed->error || sdb_client_retry(self->device.client, failed->client_id) != SDB_OK)
      continue;
    if (!sdb_cli_delivery_add(&self->delivery, &former)) fail(self, "out of memory");
  }
  sdb_unsynced_free(list);
}

static int deliver(push *self) {
  int code = sdb_cli_delivery_begin(&self->delivery, &self->device);
  if (code >= 0) return code;
  if (self->retry) retry_failed(self);
  if (self->wait_ms > 0) sdb_cli_device_go_online(&self->device);
  if (self->store && self->lines)
    push_lines(self);
  else if (self->store)
    push_whole(self);
  code = sdb_cli_delivery_finish(&self->delivery, self->wait_ms);
  sdb_cli_delivery_end(&self->delivery);
  return self->failed ? SDB_CLI_DEVICE_REFUSED : code;
}

/* ---- the command line ---- */

enum { LINES = 256, ID, WAIT, RETRY };

static bool take_option(void *context, int option, const char *value) {
  push *self = context;
  switch (option) {
  case LINES:
    return self->lines = true;
  case ID:
    return sdb_cli_device_id(value, &self->id);
  case WAIT:
    return sdb_cli_device_number(value, 86400000, &self->wait_ms);
  default:
    return self->retry = true;
  }
}

static int check_arguments(push *self, char **rest, int count) {
  const sdb_cli_device *device = &self->device;
  if (count == 0 && !self->retry) return sdb_cli_device_bad_usage(device, "into which store?", "");
  if (count > 2) return sdb_cli_device_bad_usage(device, "not understood: ", rest[2]);
  if (self->lines && count == 2)
    return sdb_cli_device_bad_usage(device, "--lines and an object exclude each other", "");
  if (self->lines && !sdb_uuid_is_nil(self->id))
    return sdb_cli_device_bad_usage(device, "--lines and --id exclude each other", "");
  if (count == 0) return -1;
  self->object = count == 2 ? rest[1] : NULL;
  self->store = sdb_cli_stores_find("push", &device->stores, rest[0]);
  if (!self->store) return SDB_CLI_DEVICE_BAD_USAGE;
  if (!sdb_uuid_is_nil(self->id) && sdb_store_type_of(self->store) == SDB_STORE_SINGULAR)
    return sdb_cli_device_bad_usage(
        device, "--id is not for a singular store: it holds one object", "");
  return sdb_cli_delivery_check(device, self->store, self->wait_ms);
}

int sdb_push_run(int argc, char **argv) {
  static const struct option OPTIONS[] = {{"lines", no_argument, NULL, LINES},
      {"id", required_argument, NULL, ID}, {"wait", required_argument, NULL, WAIT},
      {"retry", no_argument, NULL, RETRY}, SDB_CLI_DEVICE_OPTION_ROWS};
  push self = {.device = {.command = "push",
                   .keeps = true,
                   .window = UINT32_MAX,
                   .push_timeout_ms = SDB_CLI_DEVICE_PATIENT_MS},
      .wait_ms = SDB_CLI_DELIVERY_WAIT_MS};
  int at;
  int code = sdb_cli_device_parse(&self.device, argc, argv, OPTIONS, HELP, take_option, &self, &at);
  if (code < 0) code = check_arguments(&self, argv + at, argc - at);
  if (code < 0) code = sdb_cli_device_open(&self.device);
  if (code < 0) code = deliver(&self);
  sdb_cli_device_close(&self.device);
  return code;
}
