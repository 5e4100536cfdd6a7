/* cli/remove.c: `syncdb remove`: removes an object as a device, or gives up a push that failed. */
#include "commands.h"
#include "delivery.h"
#include <stdio.h>

static const char HELP[] =
    "usage: syncdb remove [URL] STORE [ID] --stores FILE --user NAME [OPTION...]\n"
    "\n"
    "Removes object ID of a store, as a device of the user: the remove is put into the local file, "
    "and\n"
    "sent, with what earlier runs could not deliver. In a singular store ID may be left out. ID "
    "may\n"
    "also be a client id: of a push that waits, and is then taken back, or of one that failed, and "
    "is\n"
    "then given up.\n"
    "\n"
    "  --wait MS         how long to wait until it is delivered, default 10000; 0: not at "
    "all\n" SDB_CLI_DEVICE_OPTION_HELP SDB_CLI_DEVICE_LOCAL_HELP "  --help            this text\n"
    "\n"
    "Prints a line of JSON, as `syncdb push` does; its state is \"discarded\" for a push that "
    "never "
    "was\n"
    "an object.\n"
    "\n"
    "Exit status: 0 removed, 1 refused (there is no such object, or a rule says no), or neither\n"
    "delivered nor kept, as in a singular store, 2 bad usage, as --offline with one, 3 kept, but "
    "not\n"
    "delivered.\n";

typedef struct removal {
  sdb_cli_device device;
  const sdb_store *store;
  sdb_uuid id;
  uint32_t wait_ms;
} removal;

static void print_discarded(const removal *self) {
  char id[SDB_UUID_TEXT_SIZE];
  sdb_uuid_format(self->id, id);
  printf("{\"state\":\"discarded\",\"store\":\"%s\",\"clientId\":\"%.*s\"}\n",
      sdb_store_wire_name(self->store), SDB_UUID_TEXT_SIZE, id);
}

/* Whether ID is the client id of a push that failed, which is then given up. */
static bool discard_failed(const removal *self) {
  sdb_unsynced_list *list;
  bool found = false;
  if (sdb_client_unsynced(self->device.client, &list, NULL) != SDB_OK) return false;
  for (size_t i = 0; i < list->count && !found; i++)
    found = list->pushes[i].error && sdb_uuid_equal(list->pushes[i].client_id, self->id);
  sdb_unsynced_free(list);
  return found && sdb_client_discard(self->device.client, self->id) == SDB_OK;
}

static int remove_object(removal *self, sdb_cli_delivery *delivery) {
  sdb_error error;
  sdb_cli_delivery_push made = {.store = self->store, .id = self->id};
  sdb_status status =
      sdb_client_remove(self->device.client, self->store, self->id, &made.client_id, &error);
  if (status == SDB_NOT_FOUND || status == SDB_REJECTED) {
    sdb_cli_delivery_refuse(delivery, self->store, &error, 0);
    return -1;
  }
  if (status == SDB_OK && sdb_uuid_is_nil(made.client_id)) {
    print_discarded(self);
    return -1;
  }
  if (status == SDB_OK && sdb_cli_delivery_add(delivery, &made)) return -1;
  sdb_cli_device_complain("remove", status == SDB_OK ? "out of memory" : error.message);
  return SDB_CLI_DEVICE_REFUSED;
}

static int deliver(removal *self) {
  sdb_cli_delivery delivery;
  if (discard_failed(self)) {
    print_discarded(self);
    return SDB_CLI_DEVICE_DONE;
  }
  int code = sdb_cli_delivery_begin(&delivery, &self->device);
  if (code >= 0) return code;
  code = remove_object(self, &delivery);
  if (self->wait_ms > 0) sdb_cli_device_go_online(&self->device);
  if (code < 0) code = sdb_cli_delivery_finish(&delivery, self->wait_ms);
  sdb_cli_delivery_end(&delivery);
  return code;
}

static bool take_option(void *context, int option, const char *value) {
  removal *self = context;
  (void)option; /* there is one */
  return sdb_cli_device_number(value, 86400000, &self->wait_ms);
}

static int check_arguments(removal *self, char **rest, int count) {
  const sdb_cli_device *device = &self->device;
  if (count == 0) return sdb_cli_device_bad_usage(device, "from which store?", "");
  if (count > 2) return sdb_cli_device_bad_usage(device, "not understood: ", rest[2]);
  if (count == 2 && !sdb_cli_device_id(rest[1], &self->id))
    return sdb_cli_device_bad_usage(device, "this is no id: ", rest[1]);
  self->store = sdb_cli_stores_find("remove", &device->stores, rest[0]);
  if (!self->store) return SDB_CLI_DEVICE_BAD_USAGE;
  if (count == 1 && sdb_store_type_of(self->store) == SDB_STORE_EVENT)
    return sdb_cli_device_bad_usage(device, "which object? The store holds many: give an id", "");
  return sdb_cli_delivery_check(device, self->store, self->wait_ms);
}

int sdb_remove_run(int argc, char **argv) {
  enum { WAIT = 256 };
  static const struct option OPTIONS[] = {
      {"wait", required_argument, NULL, WAIT}, SDB_CLI_DEVICE_OPTION_ROWS};
  removal self = {.device = {.command = "remove",
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
