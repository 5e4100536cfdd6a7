/* cli/tail.c: `syncdb tail`: follows a user's stores as a device: what is held, then what comes.
 *
 * Changes are shown behind each turn of the loop, never inside the watch. While the device catches
 * up they are held back (held_back.h), up to HELD_BYTES_MAX of them.
 */
#include "commands.h"
#include "courier.h"
#include "device.h"
#include "held_back.h"
#include "record.h"
#include "tail_view.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define PAGE 500

static const char HELP[] =
    "usage: syncdb tail [URL] --stores FILE [--user NAME] [OPTION...]\n"
    "\n"
    "Follows a user's stores as a device of theirs: first what there is, oldest first, then each\n"
    "change as it comes, until Ctrl-C. On a terminal an object is a line, and what is being "
    "written\n"
    "grows in its place. Elsewhere, or with --json, a change is a line of JSON:\n"
    "\n"
    "  {\"change\":\"put\"|\"remove\"|\"reset\",\"state\":\"synced\"|\"partial\"|\"pending\"|"
    "\"failed\",\n"
    "   \"store\":...,\"id\":...,\"eventId\":...,\"clientId\":...,\"object\":...,\"error\":...}\n"
    "\n"
    "How the device stands to its server is told on standard error.\n"
    "\n"
    "  --store S         only this store; repeatable\n"
    "  --window N        of each event store, only the newest N of what there is\n"
    "  --until-synced    end when all there is was shown\n"
    "  --count N         end behind N synced objects\n"
    "  --json            lines of JSON on a terminal too\n" SDB_CLI_DEVICE_OPTION_HELP
    "  --local FILE      a local file: what the device holds, so that only what is new is asked "
    "for,\n"
    "                    and pushes that wait, which are sent. Default: none, but what waits in "
    "the\n"
    "                    one that `syncdb push` uses by default is sent when there is a "
    "connection\n"
    "  --keep            the local file that `syncdb push` uses by default\n"
    "  --memory          no local file, not even to send what waits in it\n"
    "  --offline         show what the local file holds, and end\n"
    "  --help            this text\n"
    "\n"
    "Exit status: 0 ended as it was told to, or by Ctrl-C, 1 the token was refused, or the local "
    "file\n"
    "or the output cannot be used, 2 bad usage.\n";

typedef struct tail {
  sdb_cli_device device;
  const char **names; /* of --store */
  size_t names_count;
  const sdb_store **stores; /* those that are shown */
  size_t stores_count;
  bool json, until_synced, has_failed, done;
  bool unread;      /* output failed: no more is printed */
  uint32_t count;   /* 0: without end */
  uint32_t counted; /* synced objects that were shown */
  sdb_cli_held_back held;
  bool unordered; /* some of what is held back came while catching up */
  sdb_cli_view view;
  sdb_cli_courier courier; /* where there is no local file */
  sdb_client_phase told;   /* on standard error */
  char told_problem[SDB_ERROR_MESSAGE_SIZE];
} tail;

/* ---- showing ---- */

static void fail(tail *self, const char *why) {
  if (!self->has_failed) sdb_cli_device_complain("tail", why);
  self->has_failed = self->done = true;
}

/* Behind output, before which errno was 0. Who reads no further, like `head`, has seen enough. */
static void check_output(tail *self) {
  if (self->unread || !ferror(stdout)) return;
  self->unread = self->done = true;
  if (errno != EPIPE) fail(self, strerror(errno));
}

static void flush(tail *self) {
  errno = 0;
  (void)fflush(stdout);
  check_output(self);
}

static void show(tail *self, const sdb_store *store, const sdb_client_change *change) {
  static const char *const NAMES[] = {"put", "remove", "reset"};
  if (self->done) return;
  errno = 0;
  if (!self->json) {
    if (!sdb_cli_view_change(&self->view, store, change)) fail(self, "out of memory");
  } else if (change->kind == SDB_CHANGE_RESET) {
    printf("{\"change\":\"reset\",\"store\":\"%s\"}\n", sdb_store_wire_name(store));
  } else {
    sdb_cli_write_record(stdout, NAMES[change->kind - SDB_CHANGE_PUT], store, &change->record);
  }
  if (change->kind == SDB_CHANGE_PUT && change->record.state == SDB_RECORD_SYNCED &&
      ++self->counted == self->count)
    self->done = true;
  check_output(self);
}

static void show_put(tail *self, const sdb_store *store, const sdb_client_record *record) {
  sdb_client_change change = {.kind = SDB_CHANGE_PUT, .record = *record};
  show(self, store, &change);
}

/* ---- what is held ---- */

/* Where the pages of a store begin: pages come newest first and are shown oldest first, so they are
 * gone through twice, which takes less memory than to keep them. */
typedef struct page_list {
  sdb_uuid *before;
  size_t count, capacity;
} page_list;

static bool add_page(page_list *pages, sdb_uuid before) {
  if (pages->count == pages->capacity) {
    size_t capacity = 2 * pages->capacity + 16;
    sdb_uuid *grown = realloc(pages->before, capacity * sizeof(*grown));
    if (!grown) return false;
    pages->before = grown;
    pages->capacity = capacity;
  }
  pages->before[pages->count++] = before;
  return true;
}

/* The records of the page behind `before`, no more than are left of the window. */
static sdb_client_records *read_page(
    tail *self, const sdb_store *store, sdb_uuid before, size_t page_number) {
  sdb_error error;
  sdb_client_records *records = NULL;
  uint32_t window = self->device.window, limit = PAGE;
  if (window != UINT32_MAX) {
    uint64_t seen = (uint64_t)page_number * PAGE;
    uint64_t left = window > seen ? window - seen : 0;
    if (left == 0) return NULL;
    if (left < limit) limit = (uint32_t)left;
  }
  if (sdb_client_list(self->device.client, store, before, limit, &records, &error) == SDB_OK)
    return records;
  fail(self, error.message);
  return NULL;
}

static void find_pages(tail *self, const sdb_store *store, page_list *pages) {
  sdb_uuid before = {{0}};
  for (bool more = true; more;) {
    sdb_client_records *records = read_page(self, store, before, pages->count);
    more = records && records->count > 0;
    if (more && !add_page(pages, before)) {
      fail(self, "out of memory");
      more = false;
    }
    if (more) {
      const sdb_client_record *last = &records->records[records->count - 1];
      before = sdb_uuid_is_nil(last->id) ? last->client_id : last->id;
    }
    sdb_client_records_free(records);
  }
}

static void show_event_store(tail *self, const sdb_store *store) {
  page_list pages = {NULL, 0, 0};
  find_pages(self, store, &pages);
  for (size_t page = pages.count; page-- > 0 && !self->done;) {
    sdb_client_records *records = read_page(self, store, pages.before[page], page);
    for (size_t i = records ? records->count : 0; i-- > 0;)
      show_put(self, store, &records->records[i]);
    sdb_client_records_free(records);
  }
  free(pages.before);
}

static void show_store(tail *self, const sdb_store *store) {
  if (sdb_store_type_of(store) == SDB_STORE_EVENT) {
    show_event_store(self, store);
    return;
  }
  sdb_error error;
  sdb_client_records *records = NULL;
  sdb_status status = sdb_client_singular(self->device.client, store, &records, &error);
  if (status == SDB_OK && records->count > 0)
    show_put(self, store, &records->records[0]);
  else if (status != SDB_OK && status != SDB_NOT_FOUND)
    fail(self, error.message);
  sdb_client_records_free(records);
}

/* ---- what comes ---- */

static bool is_shown(const tail *self, const sdb_store *store) {
  for (size_t i = 0; i < self->stores_count; i++) {
    if (self->stores[i] == store) return true;
  }
  return false;
}

static void on_changes(void *context, sdb_client *client, const sdb_client_changes *changes) {
  (void)client;
  tail *self = context;
  if (!is_shown(self, changes->store)) return;
  for (size_t i = 0; i < changes->count; i++) {
    if (!sdb_cli_held_back_add(&self->held, changes->store, &changes->changes[i]))
      fail(self, "out of memory");
  }
}

static bool was_reset(const sdb_cli_held_back *held, const sdb_store *store) {
  for (size_t i = 0; i < held->count; i++) {
    if (held->list[i].store == store && held->list[i].change.kind == SDB_CHANGE_RESET) return true;
  }
  return false;
}

/* A store that starts over is listed as it is now: all that is held back of it is in there. */
static void show_resets(tail *self) {
  for (size_t i = 0; i < self->stores_count; i++) {
    if (!was_reset(&self->held, self->stores[i])) continue;
    sdb_client_change change = {.kind = SDB_CHANGE_RESET};
    show(self, self->stores[i], &change);
    show_store(self, self->stores[i]);
  }
}

static void show_held(tail *self) {
  bool any_reset = false;
  for (size_t i = 0; i < self->held.count; i++)
    any_reset = any_reset || self->held.list[i].change.kind == SDB_CHANGE_RESET;
  if (!self->json) sdb_cli_view_begin(&self->view);
  if (any_reset) show_resets(self);
  if (self->unordered) sdb_cli_held_back_sort(&self->held);
  for (size_t i = 0; i < self->held.count; i++) {
    const sdb_cli_held_change *held = &self->held.list[i];
    if (!any_reset || !was_reset(&self->held, held->store)) show(self, held->store, &held->change);
  }
  if (!self->json) sdb_cli_view_end(&self->view);
  sdb_cli_held_back_clear(&self->held);
  self->unordered = false;
}

/* Around words that go to the same terminal on standard error. */
static void clear_view(tail *self) {
  if (self->json) return;
  sdb_cli_view_begin(&self->view);
  fflush(stdout);
}

static void restore_view(tail *self) {
  if (!self->json) sdb_cli_view_end(&self->view);
}

/* Tries that follow one another and end alike are told once. */
static void tell_status(tail *self) {
  static const char *const PHASES[] = {
      "", "offline", "connecting", "catching up", "live", "unauthorized", "closed"};
  const sdb_client_status *status = &self->device.status;
  bool again = self->told == SDB_CLIENT_OFFLINE && status->phase == SDB_CLIENT_CONNECTING;
  bool same = self->told == status->phase && strcmp(self->told_problem, status->problem) == 0;
  if (again || same) return;
  self->told = status->phase;
  memcpy(self->told_problem, status->problem, sizeof(self->told_problem));
  sdb_cli_text line = {NULL, 0, 0};
  sdb_cli_text_plain(&line, PHASES[status->phase]);
  if (status->problem[0]) sdb_cli_text_plain(&line, ": ");
  sdb_cli_text_foreign(&line, sdb_slice_of(status->problem));
  clear_view(self);
  fprintf(stderr, "syncdb tail: %.*s\n", (int)line.size, line.data);
  restore_view(self);
  sdb_cli_text_free(&line);
}

static bool is_live(const tail *self) {
  return self->device.status.phase == SDB_CLIENT_LIVE;
}

static bool is_catching_up(const tail *self) {
  sdb_client_phase phase = self->device.status.phase;
  return phase == SDB_CLIENT_CONNECTING || phase == SDB_CLIENT_CATCHING_UP;
}

/* The default local file is not this device's own, and may be used. */
static bool has_courier(const tail *self) {
  return !self->device.path && !self->device.memory;
}

/* Waits for the device, and for what the courier does beside it. */
static void wait(tail *self) {
  sdb_cli_courier *courier = &self->courier;
  bool minds = courier->open || (has_courier(self) && is_live(self));
  (void)sdb_cli_device_wait(
      &self->device, sdb_cli_courier_fd(courier), minds ? sdb_cli_courier_timeout_ms(courier) : -1);
  bool may_speak = minds && (courier->open || sdb_cli_courier_timeout_ms(courier) == 0);
  if (may_speak) {
    clear_view(self);
    sdb_cli_courier_turn(courier, &self->device, is_live(self));
    restore_view(self);
  }
}

static void turn(tail *self) {
  bool was_live = is_live(self);
  wait(self);
  self->unordered = self->unordered || !was_live || !is_live(self);
  bool holds = is_catching_up(self) && self->held.bytes < HELD_BYTES_MAX;
  if (self->held.count > 0 && !holds) show_held(self);
  flush(self); /* what there is before word that this is all */
  if (self->device.status_changed) tell_status(self);
  self->device.status_changed = false;
  if (self->until_synced && is_live(self)) self->done = true;
  bool refused = self->device.status.phase == SDB_CLIENT_UNAUTHORIZED;
  if (refused && !self->device.token_file) self->has_failed = self->done = true;
}

static int follow(tail *self) {
  sdb_error error;
  sdb_status status = sdb_client_watch(self->device.client, NULL, on_changes, self, NULL, &error);
  if (status != SDB_OK) fail(self, error.message);
  if (!self->json) sdb_cli_view_begin(&self->view);
  for (size_t i = 0; i < self->stores_count && !self->done; i++)
    show_store(self, self->stores[i]);
  if (!self->json) sdb_cli_view_end(&self->view);
  if (!self->device.offline) sdb_cli_device_go_online(&self->device);
  for (flush(self); !self->device.offline && !self->done && !sdb_cli_device_interrupted();
       flush(self))
    turn(self);
  if (has_courier(self) && is_live(self)) sdb_cli_courier_begin(&self->courier, &self->device);
  while (self->courier.open && !sdb_cli_device_interrupted())
    wait(self);
  sdb_cli_courier_end(&self->courier);
  return self->has_failed ? SDB_CLI_DEVICE_REFUSED : SDB_CLI_DEVICE_DONE;
}

/* ---- the command line ---- */

enum { STORE = 256, WINDOW, UNTIL_SYNCED, COUNT, JSON, KEEP };

static bool take_option(void *context, int option, const char *value) {
  tail *self = context;
  switch (option) {
  case STORE:
    self->names[self->names_count++] = value;
    return true;
  case WINDOW:
    return sdb_cli_device_number(value, UINT32_MAX - 1, &self->device.window);
  case UNTIL_SYNCED:
    return self->until_synced = true;
  case COUNT:
    return sdb_cli_device_number(value, UINT32_MAX, &self->count) && self->count > 0;
  case JSON:
    return self->json = true;
  default:
    return self->device.keeps = true;
  }
}

static bool choose_stores(tail *self) {
  const sdb_cli_stores *all = &self->device.stores;
  size_t room = all->count + self->names_count;
  self->stores = calloc(room, sizeof(*self->stores));
  if (!self->stores) return false;
  for (size_t i = 0; i < all->count && self->names_count == 0; i++)
    self->stores[self->stores_count++] = all->list[i];
  for (size_t i = 0; i < self->names_count; i++) {
    const sdb_store *store = sdb_cli_stores_find("tail", all, self->names[i]);
    if (!store) return false;
    if (!is_shown(self, store)) self->stores[self->stores_count++] = store;
  }
  for (size_t i = 0; i < self->stores_count; i++) {
    size_t columns = strlen(sdb_store_wire_name(self->stores[i]));
    if (columns > self->view.store_columns) self->view.store_columns = columns;
  }
  return true;
}

static int run(tail *self, int argc, char **argv) {
  static const struct option OPTIONS[] = {{"store", required_argument, NULL, STORE},
      {"window", required_argument, NULL, WINDOW},
      {"until-synced", no_argument, NULL, UNTIL_SYNCED}, {"count", required_argument, NULL, COUNT},
      {"json", no_argument, NULL, JSON}, {"keep", no_argument, NULL, KEEP},
      SDB_CLI_DEVICE_OPTION_ROWS};
  int at;
  int code = sdb_cli_device_parse(&self->device, argc, argv, OPTIONS, HELP, take_option, self, &at);
  sdb_cli_view_create(&self->view, stdout);
  self->json = self->json || !self->view.terminal.is_terminal;
  if (code < 0 && at < argc)
    code = sdb_cli_device_bad_usage(&self->device, "not understood: ", argv[at]);
  if (code < 0 && !choose_stores(self)) code = SDB_CLI_DEVICE_BAD_USAGE;
  if (code < 0) code = sdb_cli_device_open(&self->device);
  if (code < 0) code = follow(self);
  sdb_cli_device_close(&self->device);
  sdb_cli_view_destroy(&self->view);
  sdb_cli_held_back_clear(&self->held);
  free(self->stores);
  return code;
}

int sdb_tail_run(int argc, char **argv) {
  tail self = {.device = {.command = "tail", .window = UINT32_MAX}};
  self.names = calloc((size_t)argc, sizeof(*self.names));
  int code = self.names ? run(&self, argc, argv) : SDB_CLI_DEVICE_REFUSED;
  free(self.names);
  return code;
}
