/* test/crash/sabotage.c: the driver breaks a promise itself, for once, so that it is known that a
 * broken one is found.
 *
 *   lose      throws away what the server wrote last: its write-ahead log
 *   forget    throws away a device's file, and with it pushes that nobody else has
 *   double    stores an object twice
 *   leak      stores a user's object with another user
 *   invent    stores an object that nobody pushed
 *   damage    overwrites a page of the server's file
 */
#include "world.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syncdb/database.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWAIT_MS 20000

static const struct {
  const char *name;
  crash_wrong wrong;
} SABOTAGES[] = {
    {"lose", CRASH_LOST},
    {"forget", CRASH_LOST},
    {"double", CRASH_DOUBLED},
    {"leak", CRASH_LEAKED},
    {"invent", CRASH_INVENTED},
    {"damage", CRASH_BROKEN},
};

bool sabotage_known(const char *name, crash_wrong *wrong) {
  for (size_t i = 0; i < sizeof(SABOTAGES) / sizeof(*SABOTAGES); i++) {
    if (strcmp(SABOTAGES[i].name, name) != 0) continue;
    *wrong = SABOTAGES[i].wrong;
    return true;
  }
  return false;
}

static bool has_acknowledged(world *w, void *context) {
  return w->acknowledged >= *(uint64_t *)context;
}

/* A server that has acknowledged something in this life. */
static void serve_for_a_while(world *w) {
  uint64_t enough = w->acknowledged + 40;
  if (!w->server.pid && !world_start_server(w))
    ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot start a server");
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    if (!d->life.pid && !world_start_device(w, d, "work"))
      ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot start a device");
  }
  world_mend_lines(w);
  world_wait(w, has_acknowledged, &enough, AWAIT_MS);
}

static void lose(world *w) {
  char path[300];
  static const char *const PARTS[] = {"-wal", "-shm"};
  for (size_t i = 0; i < 2; i++) {
    snprintf(path, sizeof(path), "%s/server/db.sqlite%s", w->folder, PARTS[i]);
    unlink(path);
  }
}

typedef struct accepting {
  const device *of;
  uint64_t enough;
} accepting;

static bool has_accepted(world *w, void *context) {
  const accepting *a = context;
  return ledger_open_creates(w->ledger, a->of->user, a->of->number) >= a->enough;
}

/* What it accepts when its line is cut is nowhere else. */
static void forget(world *w) {
  char path[300];
  static const char *const PARTS[] = {"", "-wal", "-shm"};
  device *d = &w->devices[0];
  proxy_refuse(d->line, true);
  proxy_cut_now(d->line, PROXY_RESET);
  accepting a = {d, ledger_open_creates(w->ledger, d->user, d->number) + 10};
  world_wait(w, has_accepted, &a, AWAIT_MS);
  world_kill_device(w, d);
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof(path), "%s%s", d->path, PARTS[i]);
    unlink(path);
  }
}

/* Stores an object behind everybody's back. */
static void store(world *w, unsigned user, crash_number push) {
  crash_stores stores = crash_stores_make();
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  sdb_database *database = NULL;
  sdb_context *context = NULL;
  char object[CRASH_OBJECT_MAX], name[16];
  options.url = w->url;
  options.stores = stores.all;
  options.stores_count = stores.count;
  snprintf(name, sizeof(name), "user%u", user);
  crash_object('c', push, push, 0, object);
  if (push == 0 || sdb_database_open(&options, &database, NULL) != SDB_OK ||
      sdb_context_create(database, name, &context) != SDB_OK ||
      sdb_push(context, stores.items, sdb_slice_of(object), NULL, NULL) != SDB_OK)
    ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot store an object");
  sdb_context_release(context);
  sdb_database_close(database);
  crash_stores_destroy(&stores);
}

static bool server_ended(world *w, void *context) {
  (void)context;
  return w->server.pid == 0;
}

/* Of the pages behind the first, all but their first bytes: what is found is the damage, not that
 * the file cannot be opened. A server that ends in order leaves nothing in its write-ahead log that
 * would take their place. */
static void damage(world *w) {
  char path[300], junk[2000];
  struct stat of;
  memset(junk, 0xA5, sizeof(junk));
  snprintf(path, sizeof(path), "%s/server/db.sqlite", w->folder);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  for (off_t at = 4096; fstat(fd, &of) == 0 && at + 4096 <= of.st_size; at += 4096)
    (void)!pwrite(fd, junk, sizeof(junk), at + 1000);
  close(fd);
}

void sabotage_run(world *w) {
  const char *what = w->options.sabotage;
  serve_for_a_while(w);
  if (strcmp(what, "forget") == 0) {
    forget(w);
    return;
  }
  if (strcmp(what, "damage") == 0) {
    kill(w->server.pid, SIGTERM);
    world_wait(w, server_ended, NULL, AWAIT_MS);
    damage(w);
    return;
  }
  world_kill_server(w);
  if (strcmp(what, "lose") == 0)
    lose(w);
  else if (strcmp(what, "double") == 0)
    store(w, 0, ledger_any_acknowledged(w->ledger, 0));
  else if (strcmp(what, "leak") == 0)
    store(w, 1, ledger_any_acknowledged(w->ledger, 0));
  else
    store(w, 0, crash_number_of(0, 0, CRASH_LIVES_MAX - 1, 0));
}
