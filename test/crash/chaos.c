/* test/crash/chaos.c: the kills, and the faults of lines and disks between them.
 *
 * A step starts what is dead, changes the lines, begins or ends an episode, waits for a moment and
 * kills. The moments are conditions on what was heard (so many events of a catch-up, so many pushes
 * of a burst) or, right after a start, a few milliseconds.
 */
#include "world.h"
#include <stdio.h>
#include <syncdb/client.h>
#include <unistd.h>

#define MOMENT_MS_MAX 120
#define CONNECT_MS_MAX 300
#define EPISODES_KILLS 30 /* a run of so many has them all */
#define START_US_MAX 12000
#define HEAL_MS 30000

typedef struct chaos {
  unsigned step, period; /* an episode each `period` steps */
  unsigned disk_until[WORLD_DISKS];
  uint64_t until_us; /* of all of it; 0: no end */
} chaos;

static device *any_device(world *w) {
  return &w->devices[world_chance(w, (unsigned)w->devices_count)];
}

/* ---- starting ---- */

static void revive(world *w, bool all) {
  if (!w->server.pid && !world_start_server(w))
    ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot start a server");
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    if (d->life.pid || (!all && world_chance(w, 4) == 0)) continue;
    if (!world_start_device(w, d, "work"))
      ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot start a device");
  }
}

/* ---- lines ---- */

/* Of wss:// only the bytes of a connection can be counted; else a cut is at a byte of a frame. */
static void arm_cut(world *w, device *d) {
  proxy_way way = (proxy_way)world_chance(w, 2);
  proxy_cut how = (proxy_cut)(PROXY_END + world_chance(w, 3));
  uint64_t unit = w->options.tls ? 0 : world_chance(w, 20);
  uint64_t byte = world_chance(w, w->options.tls ? 6000 : 200);
  proxy_cut_at(d->line, way, unit, byte, how);
  if (how == PROXY_MUTE && d->muted_until_us == 0)
    d->muted_until_us = life_now_us() + 50000 + world_chance(w, 300000);
}

static void stir(world *w, device *d) {
  uint64_t now_us = life_now_us();
  if (d->muted_until_us && now_us > d->muted_until_us) {
    d->muted_until_us = 0;
    proxy_refuse(d->line, false);
    for (int way = 0; way < 2; way++)
      proxy_stall(d->line, (proxy_way)way, false);
    proxy_cut_now(d->line, PROXY_RESET);
  }
  switch (world_chance(w, 24)) {
  case 0:
  case 1:
  case 2:
    arm_cut(w, d);
    break;
  case 3:
    proxy_cut_now(d->line, world_chance(w, 2) ? PROXY_RESET : PROXY_END);
    break;
  case 4:
    proxy_pace(d->line, (proxy_way)world_chance(w, 2), world_chance(w, 30),
        world_chance(w, 2) ? 10 + world_chance(w, 300) : 0);
    w->counts.slowed++;
    break;
  case 5:
    for (int way = 0; way < 2; way++)
      proxy_pace(d->line, (proxy_way)way, 0, 0);
    break;
  case 6:
    proxy_stall(d->line, (proxy_way)world_chance(w, 2), true);
    d->muted_until_us = now_us + 20000 + world_chance(w, 200000);
    w->counts.stalls++;
    break;
  case 7:
    proxy_refuse(d->line, true);
    d->muted_until_us = now_us + 20000 + world_chance(w, 200000);
    w->counts.refusals++;
    break;
  default:
    break;
  }
}

/* ---- disks ---- */

static bool acknowledges(world *w, void *context) {
  return w->acknowledged > *(uint64_t *)context;
}

static bool server_fails(world *w, void *context) {
  return w->counts.server_failed > *(uint64_t *)context;
}

/* One that lives and does without its file. */
static bool device_fails(world *w, void *context) {
  device **failed = context;
  for (size_t i = 0; i < w->devices_count; i++)
    if (w->devices[i].life.pid && w->devices[i].storage == SDB_CLIENT_MEMORY)
      *failed = &w->devices[i];
  return *failed != NULL;
}

static bool device_is_durable(world *w, void *context) {
  (void)w;
  return ((device *)context)->storage == SDB_CLIENT_DURABLE;
}

static void must(world *w, world_fn fn, void *context, const char *what) {
  if (!world_wait(w, fn, context, HEAL_MS)) ledger_wrong(w->ledger, CRASH_BROKEN, "%s", what);
}

/* Nobody is killed until what has no room has said so, and got over it. */
static void get_over_full_disk(world *w, world_disk disk) {
  uint64_t failed = w->counts.server_failed, before;
  device *of = NULL;
  world_free_disk(w, WORLD_SERVER_DISK); /* or there may be no server */
  revive(w, true);
  world_mend_lines(w);
  must(w, world_is_live, NULL, "no device comes online, though nothing is in its way");
  world_fill_disk(w, disk);
  if (disk == WORLD_SERVER_DISK)
    must(w, server_fails, &failed, "a full disk goes unnoticed by the server");
  else
    must(w, device_fails, &of, "a full disk goes unnoticed by the devices");
  world_free_disk(w, disk);
  before = w->acknowledged + 20; /* more than can be on the way */
  must(w, acknowledges, &before, "nothing is stored, though the disk has room again");
  if (of) must(w, device_is_durable, of, "a device does not use its file again");
  w->counts.healed_alive++;
}

static void begin_disk(world *w, chaos *c, world_disk disk) {
  if (!w->has_disks || w->full[disk]) return;
  ++*(disk == WORLD_DEVICE_DISK ? &w->counts.device_disk_full : &w->counts.server_disk_full);
  if (world_chance(w, 2)) {
    get_over_full_disk(w, disk);
  } else {
    world_fill_disk(w, disk);
    c->disk_until[disk] = c->step + 3 + world_chance(w, 10);
  }
}

static void episodes(world *w, chaos *c) {
  for (int disk = 0; disk < WORLD_DISKS; disk++)
    if (w->full[disk] && c->step >= c->disk_until[disk]) world_free_disk(w, (world_disk)disk);
  if (c->step % c->period != c->period / 2) return;
  switch (c->step / c->period % 3) {
  case 0:
    begin_disk(w, c, WORLD_SERVER_DISK);
    break;
  case 1:
    begin_disk(w, c, WORLD_DEVICE_DISK);
    break;
  default:
    for (int disk = 0; disk < WORLD_DISKS; disk++)
      world_free_disk(w, (world_disk)disk);
    revive(w, true);
    world_mend_lines(w);
    descriptors_run(w);
  }
}

/* ---- kills ---- */

typedef struct moment {
  const device *of; /* NULL: the server */
  char word;        /* of its lines, or 'D' of all devices' for the server; 0: only time counts */
  uint64_t count;
  uint64_t until_us;
} moment;

static bool has_come(world *w, void *context) {
  const moment *m = context;
  if (life_now_us() >= m->until_us) return true;
  if (!m->word) return false;
  return (m->of ? m->of->life.lines[m->word & 127] : w->acknowledged) >= m->count;
}

static bool is_connected(world *w, void *context) {
  const device *d = context;
  return d ? d->phase == SDB_CLIENT_CATCHING_UP || d->phase == SDB_CLIENT_LIVE : w->port != 0;
}

/* Of a server, a while after it began to serve; of a device, in the midst of what it is sent, or of
 * what it pushes, connected or not; of both, at any time. */
static void await_moment(world *w, device *d) {
  unsigned kind = world_chance(w, 3);
  if (kind == 1 || (!d && kind == 2)) world_wait(w, is_connected, d, CONNECT_MS_MAX);
  moment m = {.of = d, .until_us = life_now_us() + 1000 * (1 + world_chance(w, MOMENT_MS_MAX))};
  if (kind > 0) m.word = !d ? 'D' : kind == 1 ? 'S' : 'P';
  m.count = (d ? d->life.lines[m.word & 127] : w->acknowledged) + world_chance(w, 40);
  world_wait(w, has_come, &m, MOMENT_MS_MAX);
}

/* Once more, in the first milliseconds of its next life. */
static void kill_at_start(world *w, device *d) {
  if (!(d ? world_start_device(w, d, "work") : world_start_server(w))) return;
  moment m = {.until_us = life_now_us() + world_chance(w, START_US_MAX)};
  world_wait(w, has_come, &m, MOMENT_MS_MAX);
  if (d)
    world_kill_device(w, d);
  else
    world_kill_server(w);
}

/* A device that loses its file has everything to catch up. */
static void maybe_lose_file(world *w, device *d) {
  char path[300];
  static const char *const PARTS[] = {"", "-wal", "-shm", "-lock"};
  if (world_chance(w, 40) != 0) return;
  for (size_t i = 0; i < sizeof(PARTS) / sizeof(*PARTS); i++) {
    snprintf(path, sizeof(path), "%s%s", d->path, PARTS[i]);
    unlink(path);
  }
  ledger_file_lost(w->ledger, d->user, d->number);
  w->counts.files_lost++;
}

static void kill_some(world *w) {
  unsigned dice = world_chance(w, 20);
  bool server = (dice < 8 || dice == 19) && w->server.pid;
  device *d = server && dice != 19 ? NULL : any_device(w);
  await_moment(w, server ? NULL : d);
  if (dice == 19) w->counts.at_once++;
  if (server) {
    world_kill_server(w);
    if (world_chance(w, 4) == 0) kill_at_start(w, NULL);
    if (w->counts.server_kills % 100 == 0 && !w->full[WORLD_SERVER_DISK]) world_inspect(w);
  }
  for (size_t i = 0; dice == 19 && i < w->devices_count; i++)
    if (world_chance(w, 2)) world_kill_device(w, &w->devices[i]);
  if (d && d->life.pid) world_kill_device(w, d);
  if (d && !d->life.pid && world_chance(w, 5) == 0) kill_at_start(w, d);
  if (d && !d->life.pid) maybe_lose_file(w, d);
}

/* Until enough are killed, and each episode was there once. */
static bool goes_on(const world *w, const chaos *c) {
  uint64_t wrong = 0, kills = w->counts.server_kills + w->counts.device_kills;
  for (int i = 0; i < CRASH_WRONGS; i++)
    wrong += ledger_wrongs(w->ledger, (crash_wrong)i);
  bool short_of = w->options.kills >= EPISODES_KILLS && c->step < 3 * c->period;
  return wrong == 0 && (kills < w->options.kills || short_of) &&
         (c->until_us == 0 || life_now_us() < c->until_us);
}

void chaos_run(world *w) {
  chaos c = {.period = w->options.kills < 200 ? 4 : 30};
  if (w->options.minutes) c.until_us = life_now_us() + w->options.minutes * UINT64_C(60000000);
  for (; goes_on(w, &c); c.step++) {
    revive(w, false);
    for (size_t i = 0; i < w->devices_count; i++)
      stir(w, &w->devices[i]);
    episodes(w, &c);
    kill_some(w);
  }
  for (int disk = 0; disk < WORLD_DISKS; disk++)
    world_free_disk(w, (world_disk)disk);
}
