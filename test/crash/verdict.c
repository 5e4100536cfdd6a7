/* test/crash/verdict.c: the faults are over: everything comes to rest, and is looked at.
 *
 * First every device delivers what it has, and ends. Then the server is shut down in order, which
 * waits for its subscribers; its file is checked and listed through the public headers. Then all
 * devices catch up once more, beside one new device for each user, and one of a user who never
 * pushed: what they show must be what the server has.
 */
#include "world.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/database.h>

#define REST_MS 100000
#define STOP_MS 30000

static const sdb_uuid NIL = {{0}};

static bool all_ended(world *w, void *context) {
  (void)context;
  for (size_t i = 0; i < w->devices_count; i++)
    if (w->devices[i].life.pid) return false;
  return true;
}

static bool server_is_up_or_gone(world *w, void *context) {
  (void)context;
  return w->port != 0 || w->server.pid == 0;
}

static bool server_ended(world *w, void *context) {
  (void)context;
  return w->server.pid == 0;
}

/* One that was started when its disk was full may still be giving up. */
static bool serve(world *w) {
  for (int i = 0; i < 3 && w->port == 0; i++) {
    if (w->server.pid == 0 && !world_start_server(w)) return false;
    world_wait(w, server_is_up_or_gone, NULL, STOP_MS);
  }
  return w->port != 0;
}

static bool stop_server(world *w) {
  kill(w->server.pid, SIGTERM);
  if (world_wait(w, server_ended, NULL, STOP_MS)) return true;
  ledger_wrong(w->ledger, CRASH_BROKEN, "the server does not shut down");
  return false;
}

/* Each device in one mode, side by side, until all have ended by themselves. */
static bool run_devices(world *w, const char *mode) {
  for (size_t i = 0; i < w->devices_count; i++)
    if (!world_start_device(w, &w->devices[i], mode)) return false;
  if (world_wait(w, all_ended, NULL, REST_MS)) return true;
  ledger_wrong(w->ledger, CRASH_BROKEN, "devices have not come to rest after %d s", REST_MS / 1000);
  return false;
}

/* ---- what the server has ---- */

static void list_record(world *w, const crash_stores *stores, const sdb_store *store,
    const sdb_record *record, listing *all) {
  listed one;
  if (!crash_read_object(stores, store, record->object, &one.tag, &one.push)) {
    ledger_wrong(w->ledger, CRASH_INVENTED, "the server has %.*s", (int)record->object.size,
        record->object.data);
    return;
  }
  crash_uuid_text(record->id, one.id);
  crash_uuid_text(record->event_id, one.event);
  listing_add(all, &one);
}

static void list_store(world *w, const crash_stores *stores, const sdb_store *store,
    sdb_context *context, listing *all) {
  sdb_uuid before = NIL;
  for (bool more = true; more;) {
    sdb_records *records = NULL;
    sdb_error error = {0};
    if (sdb_list(context, store, before, 1000, &records, &error) != SDB_OK) {
      ledger_wrong(w->ledger, CRASH_BROKEN, "the server cannot list: %s", error.message);
      return;
    }
    for (size_t i = 0; i < records->count; i++) {
      list_record(w, stores, store, &records->records[i], all);
      before = records->records[i].event_id;
    }
    more = records->count > 0;
    sdb_records_free(records);
  }
}

static void list_user(
    world *w, sdb_database *database, const crash_stores *stores, unsigned user, listing *all) {
  char name[16];
  sdb_context *context = NULL;
  sdb_records *records = NULL;
  snprintf(name, sizeof(name), "user%u", user);
  if (sdb_context_create(database, name, &context) != SDB_OK) return;
  list_store(w, stores, stores->items, context, all);
  list_store(w, stores, stores->messages, context, all);
  if (sdb_singular(context, stores->settings, &records, NULL) == SDB_OK)
    list_record(w, stores, stores->settings, &records->records[0], all);
  sdb_records_free(records);
  sdb_context_release(context);
}

static void list_server(world *w, listing *all) {
  crash_stores stores = crash_stores_make();
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  sdb_database *database = NULL;
  sdb_error error = {0};
  options.url = w->url;
  options.stores = stores.all;
  options.stores_count = stores.count;
  if (sdb_database_open(&options, &database, &error) != SDB_OK)
    ledger_wrong(w->ledger, CRASH_BROKEN, "the database cannot be opened: %s", error.message);
  for (unsigned user = 0; database && user < w->options.users; user++) {
    list_user(w, database, &stores, user, &all[user]);
    ledger_check(w->ledger, user, &all[user]);
  }
  sdb_database_close(database);
  crash_stores_destroy(&stores);
}

/* ---- what the devices show ---- */

static void compare(world *w, listing *server) {
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    char whose[40];
    snprintf(whose, sizeof(whose), "%s.%u", d->name, d->number);
    if (d->listed)
      ledger_compare(w->ledger, whose, &server[d->user], &d->listing);
    else
      ledger_wrong(w->ledger, CRASH_BROKEN, "%s has not listed what it shows", whose);
  }
}

/* In the places of the old devices, new ones: the first of each user without a file, the others
 * are the one who never pushed. */
static void replace_devices(world *w) {
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    snprintf(d->path, sizeof(d->path), "%s/devices/new%zu.sqlite", w->folder, i);
    if (d->number == 0) continue;
    d->user = w->options.users;
    snprintf(d->name, sizeof(d->name), "nobody");
  }
}

/* A damaged file is set aside, and nothing that happens here may damage one. */
static void look_for_damaged(world *w, const char *part) {
  char path[256];
  snprintf(path, sizeof(path), "%s/%s", w->folder, part);
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && (entry = readdir(folder));)
    if (strstr(entry->d_name, ".damaged-"))
      ledger_wrong(w->ledger, CRASH_BROKEN, "a device's file was damaged: %s", entry->d_name);
  if (folder) closedir(folder);
}

static void rest(world *w, listing *server) {
  if (!serve(w)) {
    ledger_wrong(w->ledger, CRASH_BROKEN, "the server does not start any more");
    return;
  }
  if (!run_devices(w, "settle") || !stop_server(w)) return;
  world_inspect(w);
  list_server(w, server);
  if (!serve(w) || !run_devices(w, "dump")) return;
  compare(w, server);
  replace_devices(w);
  if (!run_devices(w, "dump")) return;
  compare(w, server);
  stop_server(w);
}

void verdict_run(world *w) {
  listing server[CRASH_USERS_MAX + 1] = {{0}};
  for (size_t i = 0; i < w->devices_count; i++)
    world_kill_device(w, &w->devices[i]);
  world_mend_lines(w);
  rest(w, server);
  look_for_damaged(w, "devices");
  look_for_damaged(w, "small");
  for (unsigned user = 0; user <= w->options.users; user++)
    listing_clear(&server[user]);
}
