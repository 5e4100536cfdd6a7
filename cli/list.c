/* cli/list.c: `syncdb list`: the newest objects of a store, as the device has them. */
#include "commands.h"
#include "device.h"
#include "record.h"
#include "text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 1000
#define WAIT_DEFAULT_MS 10000

static const char HELP[] =
    "usage: syncdb list [URL] STORE --stores FILE --user NAME [OPTION...]\n"
    "       syncdb list [URL] --unsynced --stores FILE --user NAME [OPTION...]\n"
    "\n"
    "Prints the newest objects of a store, newest first: catches up with the server, and shows "
    "what\n"
    "the local file then holds. Pushes that wait are sent on the way. Where the server cannot be\n"
    "reached, what is held is shown all the same.\n"
    "\n"
    "  --limit N         how many, at most 1000; default 20\n"
    "  --before ID       those behind object ID in the list (the next page)\n"
    "  --json            a line of JSON an object, as `syncdb tail` has them\n"
    "  --unsynced        instead, as JSON, the pushes that were not delivered or failed, and why\n"
    "  --window N        load the newest N of the objects that are missing, not all of them\n"
    "  --wait MS         how long to wait until all there is is here, default "
    "10000\n" SDB_CLI_DEVICE_OPTION_HELP SDB_CLI_DEVICE_LOCAL_HELP "  --help            this text\n"
    "\n"
    "Exit status: 0 it is what the server has (with --offline: what is held), 1 it cannot be read, "
    "or\n"
    "the token was refused, 2 bad usage, 3 the server was not reached in time: it is what is "
    "held.\n";

typedef struct list {
  sdb_cli_device device;
  sdb_cli_terminal terminal;
  const sdb_store *store;
  sdb_uuid before;
  uint32_t limit, wait_ms;
  bool json, unsynced;
} list;

static int fail(const char *why) {
  sdb_cli_device_complain("list", why);
  return SDB_CLI_DEVICE_REFUSED;
}

/* ---- printing ---- */

static sdb_status read_records(list *self, sdb_client_records **records, sdb_error *error) {
  sdb_client *client = self->device.client;
  if (sdb_store_type_of(self->store) == SDB_STORE_SINGULAR)
    return sdb_client_singular(client, self->store, records, error);
  return sdb_client_list(client, self->store, self->before, self->limit, records, error);
}

static int print_records(list *self) {
  sdb_error error;
  sdb_client_records *records = NULL;
  sdb_cli_line_style style = {.with_id = true};
  sdb_status status = read_records(self, &records, &error);
  bool empty = status == SDB_NOT_FOUND && sdb_store_type_of(self->store) == SDB_STORE_SINGULAR;
  if (status != SDB_OK && !empty) return fail(error.message);
  for (size_t i = 0; records && i < records->count; i++) {
    if (self->json) {
      sdb_cli_write_record(stdout, NULL, self->store, &records->records[i]);
      continue;
    }
    sdb_cli_print_record(&self->terminal, self->store, &records->records[i], &style);
    fputc('\n', stdout);
    if (records->records[i].gap) fputs("(older ones between these were not loaded)\n", stdout);
  }
  sdb_client_records_free(records);
  return SDB_CLI_DEVICE_DONE;
}

static int print_unsynced(list *self) {
  sdb_error error;
  char *json;
  size_t size;
  if (sdb_client_export_unsynced(self->device.client, &json, &size, &error) != SDB_OK)
    return fail(error.message);
  sdb_cli_write_json_text(stdout, sdb_slice_make(json, size));
  fputc('\n', stdout);
  sdb_client_json_free(json);
  return SDB_CLI_DEVICE_DONE;
}

/* ---- catching up ---- */

/* Whether a try to connect has come to nothing: another one would take long for who waits for a
 * list. */
static bool is_out_of_reach(const sdb_client_status *status) {
  return status->phase == SDB_CLIENT_OFFLINE && status->close_code != 0;
}

/* What waits is sent on the way, and had better be shown as the objects that come of it. */
static bool is_done(const sdb_client_status *status) {
  return status->phase == SDB_CLIENT_LIVE && status->pending == 0;
}

/* Gives the exit code that the list deserves. */
static int catch_up(list *self) {
  const sdb_client_status *status = &self->device.status;
  int64_t end = sdb_cli_device_now_ms() + self->wait_ms;
  if (self->device.offline) return SDB_CLI_DEVICE_DONE;
  sdb_cli_device_go_online(&self->device);
  for (int64_t left = self->wait_ms; left > 0 && !sdb_cli_device_interrupted();
       left = end - sdb_cli_device_now_ms()) {
    (void)sdb_cli_device_wait(&self->device, -1, (int)left);
    if (is_done(status)) return SDB_CLI_DEVICE_DONE;
    if (status->phase == SDB_CLIENT_UNAUTHORIZED || is_out_of_reach(status)) break;
  }
  if (status->phase == SDB_CLIENT_LIVE) return SDB_CLI_DEVICE_DONE;
  sdb_cli_device_say_problem(&self->device);
  return status->phase == SDB_CLIENT_UNAUTHORIZED ? SDB_CLI_DEVICE_REFUSED : SDB_CLI_DEVICE_KEPT;
}

static int show(list *self) {
  int reached = catch_up(self);
  int code = self->unsynced ? print_unsynced(self) : print_records(self);
  if (fflush(stdout) != 0) return fail(strerror(errno));
  return code == SDB_CLI_DEVICE_DONE ? reached : code;
}

/* ---- the command line ---- */

enum { LIMIT = 256, BEFORE, JSON, UNSYNCED, WINDOW, WAIT };

static bool take_option(void *context, int option, const char *value) {
  list *self = context;
  switch (option) {
  case LIMIT:
    return sdb_cli_device_number(value, LIMIT_MAX, &self->limit) && self->limit > 0;
  case BEFORE:
    return sdb_cli_device_id(value, &self->before);
  case JSON:
    return self->json = true;
  case UNSYNCED:
    return self->unsynced = true;
  case WINDOW:
    return sdb_cli_device_number(value, UINT32_MAX - 1, &self->device.window);
  default:
    return sdb_cli_device_number(value, 86400000, &self->wait_ms);
  }
}

static int check_arguments(list *self, char **rest, int count) {
  if (self->unsynced && count > 0)
    return sdb_cli_device_bad_usage(
        &self->device, "--unsynced is about every store, not ", rest[0]);
  if (self->unsynced) return -1;
  if (count == 0) return sdb_cli_device_bad_usage(&self->device, "which store?", "");
  if (count > 1) return sdb_cli_device_bad_usage(&self->device, "not understood: ", rest[1]);
  self->store = sdb_cli_stores_find("list", &self->device.stores, rest[0]);
  return self->store ? -1 : SDB_CLI_DEVICE_BAD_USAGE;
}

int sdb_list_run(int argc, char **argv) {
  static const struct option OPTIONS[] = {{"limit", required_argument, NULL, LIMIT},
      {"before", required_argument, NULL, BEFORE}, {"json", no_argument, NULL, JSON},
      {"unsynced", no_argument, NULL, UNSYNCED}, {"window", required_argument, NULL, WINDOW},
      {"wait", required_argument, NULL, WAIT}, SDB_CLI_DEVICE_OPTION_ROWS};
  list self = {.device = {.command = "list",
                   .keeps = true,
                   .window = UINT32_MAX,
                   .push_timeout_ms = SDB_CLI_DEVICE_PATIENT_MS},
      .limit = LIMIT_DEFAULT,
      .wait_ms = WAIT_DEFAULT_MS};
  int at;
  sdb_cli_terminal_open(&self.terminal, stdout);
  int code = sdb_cli_device_parse(&self.device, argc, argv, OPTIONS, HELP, take_option, &self, &at);
  if (code < 0) code = check_arguments(&self, argv + at, argc - at);
  if (code < 0) code = sdb_cli_device_open(&self.device);
  if (code < 0) code = show(&self);
  sdb_cli_device_close(&self.device);
  return code;
}
