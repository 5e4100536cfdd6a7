/* cli/delivery.c: see delivery.h.
 *
 * A change that carries a push's client id and is synced or failed tells what became of it. Not
 * every push is told so: a remove leaves nothing to show, and of two pushes of one object only the
 * last shows. So where the device has fewer pushes under way than are waited for here, its own list
 * is asked: what is not in it any more has arrived.
 *
 * A push of this run that the server refuses is given up at once: who made it is told, and has it
 * still.
 */
#include "delivery.h"
#include "text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_EVERY_MS 100

static const sdb_uuid NIL = {{0}};

/* ---- telling ---- */

static void print_id(const char *name, sdb_uuid id) {
  char text[SDB_UUID_TEXT_SIZE];
  if (sdb_uuid_is_nil(id)) return;
  sdb_uuid_format(id, text);
  printf(",\"%s\":\"%.*s\"", name, SDB_UUID_TEXT_SIZE, text);
}

static void print_result(const char *state, const sdb_cli_delivery_push *push, sdb_uuid event_id,
    const sdb_error *error) {
  printf("{\"state\":\"%s\",\"store\":\"%s\"", state, sdb_store_wire_name(push->store));
  print_id("id", push->id);
  print_id("eventId", event_id);
  print_id("clientId", push->client_id);
  if (push->line > 0) printf(",\"line\":%zu", push->line);
  if (error) {
    fputs(",\"error\":", stdout);
    sdb_cli_write_error(stdout, error);
  }
  fputs("}\n", stdout);
}

static void tell(sdb_cli_delivery *self, sdb_cli_delivery_push *push, sdb_uuid event_id,
    const sdb_error *error) {
  print_result(error ? "failed" : "synced", push, event_id, error);
  push->told = true;
  if (error) {
    self->refused++;
    if (!push->is_former) (void)!sdb_client_discard(self->device->client, push->client_id);
  }
  while (self->first < self->count && self->pushes[self->first].told)
    self->first++;
}

void sdb_cli_delivery_refuse(
    sdb_cli_delivery *delivery, const sdb_store *store, const sdb_error *error, size_t line) {
  sdb_cli_delivery_push push = {.store = store, .line = line};
  print_result("failed", &push, NIL, error);
  delivery->refused++;
}

/* ---- what is under way ---- */

int sdb_cli_delivery_check(const sdb_cli_device *device, const sdb_store *store, uint32_t wait_ms) {
  if (sdb_store_type_of(store) != SDB_STORE_SINGULAR || (!device->offline && wait_ms > 0))
    return -1;
  return sdb_cli_device_bad_usage(device,
      "a change of a singular store is not kept, so it is of no use without a connection: ",
      sdb_store_wire_name(store));
}

bool sdb_cli_delivery_add(sdb_cli_delivery *delivery, const sdb_cli_delivery_push *push) {
  if (delivery->count == delivery->capacity) {
    size_t left = delivery->count - delivery->first;
    if (delivery->first > 0)
      memmove(
          delivery->pushes, delivery->pushes + delivery->first, left * sizeof(*delivery->pushes));
    delivery->first = 0;
    delivery->count = left;
    size_t capacity = 2 * left + 64;
    sdb_cli_delivery_push *pushes = realloc(delivery->pushes, capacity * sizeof(*pushes));
    if (!pushes) return false;
    delivery->pushes = pushes;
    delivery->capacity = capacity;
  }
  sdb_cli_delivery_push *added = &delivery->pushes[delivery->count++];
  *added = *push;
  added->in_file = sdb_store_type_of(push->store) != SDB_STORE_SINGULAR &&
                   sdb_cli_device_is_durable(delivery->device);
  return true;
}

size_t sdb_cli_delivery_waiting(const sdb_cli_delivery *delivery) {
  size_t waiting = 0;
  for (size_t i = delivery->first; i < delivery->count; i++)
    waiting += !delivery->pushes[i].told;
  return waiting;
}

/* They arrive in the order they were made in, so it is found near the first. */
static sdb_cli_delivery_push *find(
    sdb_cli_delivery *self, const sdb_store *store, sdb_uuid client_id) {
  for (size_t i = self->first; i < self->count; i++) {
    sdb_cli_delivery_push *push = &self->pushes[i];
    if (!push->told && push->store == store && sdb_uuid_equal(push->client_id, client_id))
      return push;
  }
  return NULL;
}

static void on_changes(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client;
  sdb_cli_delivery *self = context;
  for (size_t i = 0; i < changes->count; i++) {
    const sdb_client_record *record = &changes->changes[i].record;
    if (changes->changes[i].kind != SDB_CHANGE_PUT || sdb_uuid_is_nil(record->client_id)) continue;
    if (record->state != SDB_RECORD_SYNCED && record->state != SDB_RECORD_FAILED) continue;
    sdb_cli_delivery_push *push = find(self, changes->store, record->client_id);
    if (!push) continue;
    push->id = record->id;
    tell(self, push, sdb_uuid_is_nil(record->event_id) ? record->id : record->event_id,
        record->state == SDB_RECORD_FAILED ? record->error : NULL);
  }
}

static int compare_unsynced(const void *left, const void *right) {
  const sdb_unsynced *const *a = left, *const *b = right;
  return memcmp((*a)->client_id.bytes, (*b)->client_id.bytes, sizeof((*a)->client_id.bytes));
}

/* Asks the device which pushes are under way, and tells of those here that are not, or failed. The
 * changes of those that arrived are seen first: they tell more. */
static void sweep(sdb_cli_delivery *self) {
  sdb_unsynced_list *list;
  if (sdb_client_unsynced(self->device->client, &list, NULL) != SDB_OK) return;
  sdb_client_dispatch(self->device->client);
  const sdb_unsynced **sorted = calloc(list->count + 1, sizeof(*sorted));
  for (size_t i = 0; sorted && i < list->count; i++)
    sorted[i] = &list->pushes[i];
  if (sorted) qsort(sorted, list->count, sizeof(*sorted), compare_unsynced);
  size_t end = self->count;
  for (size_t i = self->first; sorted && i < end; i++) {
    if (self->pushes[i].told) continue;
    sdb_unsynced wanted = {.client_id = self->pushes[i].client_id}, *key = &wanted;
    const sdb_unsynced **found =
        bsearch(&key, sorted, list->count, sizeof(*sorted), compare_unsynced);
    if (!found)
      tell(self, &self->pushes[i], NIL, NULL);
    else if ((*found)->error)
      tell(self, &self->pushes[i], NIL, (*found)->error);
  }
  free(sorted);
  sdb_unsynced_free(list);
}

static void sweep_where_needed(sdb_cli_delivery *self) {
  int64_t now = sdb_cli_device_now_ms();
  if (self->first == self->count || now - self->swept_ms < SWEEP_EVERY_MS) return;
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(self->device->client, &status);
  if (status.pending >= sdb_cli_delivery_waiting(self)) return;
  self->swept_ms = now;
  sweep(self);
}

bool sdb_cli_delivery_turn(sdb_cli_delivery *delivery, int input, int timeout_ms) {
  bool some = delivery->first < delivery->count;
  int wait_ms =
      some && (timeout_ms < 0 || timeout_ms > SWEEP_EVERY_MS) ? SWEEP_EVERY_MS : timeout_ms;
  bool readable = sdb_cli_device_wait(delivery->device, input, wait_ms);
  sweep_where_needed(delivery);
  fflush(
      stdout); /* whoever reads may wait for a line; whether it can be written is asked at last */
  return readable;
}

int sdb_cli_delivery_begin(sdb_cli_delivery *delivery, sdb_cli_device *device) {
  sdb_error error;
  memset(delivery, 0, sizeof(*delivery));
  delivery->device = device;
  if (sdb_client_watch(device->client, NULL, on_changes, delivery, NULL, &error) == SDB_OK)
    return -1;
  sdb_cli_device_complain(device->command, error.message);
  return SDB_CLI_DEVICE_REFUSED;
}

void sdb_cli_delivery_end(sdb_cli_delivery *delivery) {
  free(delivery->pushes);
  delivery->pushes = NULL;
}

/* ---- the end ---- */

static bool all_arrived(sdb_cli_delivery *self) {
  sdb_client_status status = {.size = sizeof(status)};
  sdb_client_get_status(self->device->client, &status);
  return sdb_cli_delivery_waiting(self) == 0 && status.pending == 0;
}

static void wait_for_all(sdb_cli_delivery *self, uint32_t wait_ms) {
  const sdb_cli_device *device = self->device;
  int64_t end = sdb_cli_device_now_ms() + wait_ms;
  while (!all_arrived(self) && !sdb_cli_device_interrupted() &&
         device->status.phase != SDB_CLIENT_UNAUTHORIZED) {
    int64_t left = end - sdb_cli_device_now_ms();
    if (left <= 0) break;
    (void)sdb_cli_delivery_turn(self, -1, left > 1000 ? 1000 : (int)left);
  }
}

/* What was not delivered, by what is known of where it is. */
typedef struct leftover {
  size_t kept;     /* in the local file */
  size_t maybe;    /* put there, before it could not be used any more */
  size_t singular; /* nowhere: of a singular store */
  size_t nowhere;
} leftover;

static size_t *kind_of(leftover *left, const sdb_cli_delivery_push *push, bool durable) {
  if (sdb_store_type_of(push->store) == SDB_STORE_SINGULAR) return &left->singular;
  if (durable) return &left->kept; /* what was pushed while it could not be used is in there now */
  return push->in_file ? &left->maybe : &left->nowhere;
}

static leftover print_leftover(sdb_cli_delivery *self, bool durable) {
  static const sdb_error LOST = {
      .status = SDB_UNAVAILABLE, .message = "not seen to arrive, and not kept"};
  leftover left = {0};
  for (size_t i = self->first; i < self->count; i++) {
    if (self->pushes[i].told) continue;
    size_t *kind = kind_of(&left, &self->pushes[i], durable);
    bool lost = kind == &left.singular || kind == &left.nowhere;
    print_result(lost ? "failed" : "pending", &self->pushes[i], NIL, lost ? &LOST : NULL);
    ++*kind;
  }
  return left;
}

static int tell_leftover(sdb_cli_delivery *self, bool waited) {
  sdb_cli_device *device = self->device;
  leftover left = print_leftover(self, sdb_cli_device_is_durable(device));
  if (waited) sdb_cli_device_say_problem(device);
  if (left.kept > 0)
    fprintf(stderr,
        "syncdb %s: %zu not delivered yet: kept in %s, the next `syncdb push`\n"
        "or `syncdb tail`%s sends it\n",
        device->command, left.kept, device->path, device->local ? " with this local file" : "");
  if (left.maybe > 0)
    fprintf(stderr,
        "syncdb %s: %zu not delivered, but put into %s before that could not be\n"
        "used any more: should it be used again, they are sent. Pushed anew, they may be stored "
        "twice\n",
        device->command, left.maybe, device->path);
  if (left.singular > 0)
    fprintf(stderr,
        "syncdb %s: %zu not delivered, and lost: a change of a singular store is not kept when "
        "the\ncommand ends\n",
        device->command, left.singular);
  if (left.nowhere > 0)
    fprintf(stderr, "syncdb %s: %zu not delivered, and there is no local file to keep it in\n",
        device->command, left.nowhere);
  bool all_kept = left.maybe + left.singular + left.nowhere == 0;
  return all_kept ? SDB_CLI_DEVICE_KEPT : SDB_CLI_DEVICE_REFUSED;
}

int sdb_cli_delivery_finish(sdb_cli_delivery *delivery, uint32_t wait_ms) {
  sdb_cli_device *device = delivery->device;
  bool waits = !device->offline && wait_ms > 0;
  if (waits) wait_for_all(delivery, wait_ms);
  if (delivery->first < delivery->count) sweep(delivery);
  int code = SDB_CLI_DEVICE_DONE;
  if (sdb_cli_delivery_waiting(delivery) > 0) code = tell_leftover(delivery, waits);
  if (delivery->refused > 0) code = SDB_CLI_DEVICE_REFUSED;
  if (fflush(stdout) != 0) {
    fprintf(stderr, "syncdb %s: cannot write: %s\n", device->command, strerror(errno));
    code = SDB_CLI_DEVICE_REFUSED;
  }
  return code;
}
