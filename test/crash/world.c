/* test/crash/world.c: see world.h.
 *
 * The disks are tmpfs of a mount namespace of the driver's own: they go with it, however it ends.
 * One is filled by making it smaller than what comes next, so that this costs no memory.
 */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syncdb/admin.h>
#include <syncdb/client.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *const DISKS[WORLD_DISKS] = {"server", "small"};

unsigned world_chance(world *w, unsigned below) {
  return (unsigned)rand_r(&w->random) % below;
}

/* ---- disks ---- */

static bool mount_disk(world *w, world_disk disk, const char *size, int flags) {
  char path[256];
  snprintf(path, sizeof(path), "%s/%s", w->folder, DISKS[disk]);
  return mount("tmpfs", path, "tmpfs", (unsigned long)flags, size) == 0;
}

static void make_disks(world *w) {
  w->has_disks = unshare(CLONE_NEWNS) == 0 &&
                 mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                 mount_disk(w, WORLD_SERVER_DISK, "size=1g", 0) &&
                 mount_disk(w, WORLD_DEVICE_DISK, "size=1g", 0);
  if (!w->has_disks) printf("SKIPPED: full disks: this user may not mount a tmpfs\n");
}

/* What is written meanwhile may make it larger than it was: then again. */
void world_fill_disk(world *w, world_disk disk) {
  char path[256], size[64];
  struct statvfs now;
  snprintf(path, sizeof(path), "%s/%s", w->folder, DISKS[disk]);
  for (int i = 0; i < 100 && !w->full[disk]; i++) {
    if (statvfs(path, &now) != 0) break;
    snprintf(size, sizeof(size), "size=%llu",
        (unsigned long long)((now.f_blocks - now.f_bfree + 1 + i) * now.f_frsize));
    w->full[disk] = mount_disk(w, disk, size, MS_REMOUNT);
  }
  if (!w->full[disk]) ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot fill a disk");
  if (disk == WORLD_SERVER_DISK) w->server_was_full = true;
  for (size_t i = 0; i < w->devices_count; i++)
    if (world_disk_of(&w->devices[i]) == disk) w->devices[i].was_full = true;
}

void world_free_disk(world *w, world_disk disk) {
  if (!w->full[disk]) return;
  if (!mount_disk(w, disk, "size=1g", MS_REMOUNT))
    ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot free a disk");
  w->full[disk] = false;
}

world_disk world_disk_of(const device *d) {
  return d->user == 0 ? WORLD_DEVICE_DISK : WORLD_DISKS;
}

/* ---- lines ---- */

static void hear_server(void *context, life *of, const char *line) {
  world *w = context;
  unsigned port;
  (void)of;
  if (sscanf(line, "R %u", &port) == 1) {
    w->port = (uint16_t)port;
    for (size_t i = 0; i < w->devices_count; i++)
      proxy_server(w->devices[i].line, w->port);
  } else if (strcmp(line, "W storage_failing") == 0) {
    w->counts.server_failed++;
  } else if (line[0] != 'W' && !ledger_hear(w->ledger, 0, true, line)) {
    ledger_wrong(w->ledger, CRASH_BROKEN, "the server says: %s", line);
  }
}

/* A device goes on in memory when its disk is full, and for no other reason. */
static void note_storage(world *w, device *d, int storage) {
  d->storage = storage;
  if (storage != SDB_CLIENT_DURABLE && !d->was_full)
    ledger_wrong(w->ledger, CRASH_BROKEN, "%s.%u does without its file", d->name, d->number);
}

_Static_assert(offsetof(device, life) == 0, "who says a line is found by its life");

static void hear_device(void *context, life *of, const char *line) {
  world *w = context;
  device *d = (device *)of;
  listed one;
  size_t count;
  int durable, storage;
  w->acknowledged += line[0] == 'D';
  if (line[0] == 'L' && listing_read(line, &one)) listing_add(&d->listing, &one);
  if (sscanf(line, "R %d", &durable) == 1) {
    d->ready = true;
    note_storage(w, d, durable ? SDB_CLIENT_DURABLE : SDB_CLIENT_MEMORY);
  } else if (sscanf(line, "H %d %d", &d->phase, &storage) == 2) {
    note_storage(w, d, storage);
  } else if (sscanf(line, "E %zu", &count) == 1) {
    d->listed = count == d->listing.count;
  } else if (strcmp(line, "W storage_failed") == 0) {
    w->counts.device_failed++;
  } else if (line[0] != 'W' && !ledger_hear(w->ledger, d->user, false, line)) {
    ledger_wrong(w->ledger, CRASH_BROKEN, "%s.%u says: %s", d->name, d->number, line);
  }
}

static size_t list_lives(world *w, life **all) {
  size_t count = 0;
  all[count++] = &w->server;
  for (size_t i = 0; i < w->devices_count; i++)
    all[count++] = &w->devices[i].life;
  return count;
}

/* A server may refuse to start, or give up, on a full disk only. */
static void note_ends(world *w) {
  int code;
  if (life_ended(&w->server, &code)) {
    w->port = 0;
    if (code == 4 && w->server_was_full)
      w->counts.refused_to_start++;
    else if (code != 0)
      ledger_wrong(w->ledger, CRASH_BROKEN, "the server ended by itself with %d", code);
  }
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    if (life_ended(&d->life, &code) && code != 0)
      ledger_wrong(
          w->ledger, CRASH_BROKEN, "%s.%u ended by itself with %d", d->name, d->number, code);
  }
}

void world_hear(world *w, uint64_t timeout_us) {
  life *all[1 + CRASH_USERS_MAX * CRASH_DEVICES_MAX];
  size_t count = list_lives(w, all);
  life_hear_all(all, count, timeout_us);
  note_ends(w);
}

bool world_wait(world *w, world_fn fn, void *context, uint64_t timeout_ms) {
  uint64_t until_us = life_now_us() + timeout_ms * 1000;
  while (!fn(w, context)) {
    uint64_t now_us = life_now_us();
    if (now_us >= until_us) return false;
    world_hear(w, until_us - now_us < 5000 ? until_us - now_us : 5000);
  }
  return true;
}

void world_mend_lines(world *w) {
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    d->muted_until_us = 0;
    proxy_refuse(d->line, false);
    for (int way = 0; way < 2; way++) {
      proxy_stall(d->line, (proxy_way)way, false);
      proxy_pace(d->line, (proxy_way)way, 0, 0);
    }
    proxy_cut_now(d->line, PROXY_RESET);
  }
}

/* ---- processes ---- */

bool world_start_server(world *w) {
  char program[] = CRASH_BIN_DIR "/crash_server", seed[16];
  snprintf(seed, sizeof(seed), "%u", w->options.seed + w->server_lives++);
  w->acknowledged_before = w->acknowledged;
  w->server_was_full = w->full[WORLD_SERVER_DISK];
  char durability[8];
  snprintf(durability, sizeof(durability), "%s", w->options.full_sync ? "full" : "normal");
  char *arguments[] = {
      program, w->url, seed, durability, w->options.tls ? w->cert : NULL, w->key, NULL};
  return life_start(&w->server, arguments, w->log, hear_server, w);
}

bool world_start_device(world *w, device *d, const char *mode) {
  char program[] = CRASH_BIN_DIR "/crash_device", how[8], url[80], seed[16], user[8], number[8],
       lives[8];
  snprintf(how, sizeof(how), "%s", mode);
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/?user=%s", w->options.tls ? "wss" : "ws",
      proxy_port(d->line), d->name);
  snprintf(seed, sizeof(seed), "%u", w->options.seed + world_chance(w, 1 << 30));
  snprintf(user, sizeof(user), "%u", d->user);
  snprintf(number, sizeof(number), "%u", d->number);
  snprintf(lives, sizeof(lives), "%u", d->lives++ % CRASH_LIVES_MAX);
  char *arguments[] = {program, how, url, d->path, d->name, seed, user, number, lives,
      w->options.tls ? w->cert : NULL, NULL};
  world_disk disk = world_disk_of(d);
  d->ready = d->listed = false;
  d->phase = d->storage = 0;
  d->was_full = disk < WORLD_DISKS && w->full[disk];
  listing_clear(&d->listing);
  return life_start(&d->life, arguments, w->log, hear_device, w);
}

void world_kill_server(world *w) {
  if (!w->server.pid) return;
  uint64_t *kind = !w->port                                    ? &w->counts.server_starting
                   : w->acknowledged == w->acknowledged_before ? &w->counts.server_unheard
                                                               : &w->counts.server_serving;
  ++*kind;
  w->counts.server_kills++;
  life_end(&w->server, SIGKILL);
  w->port = 0;
}

void world_kill_device(world *w, device *d) {
  if (!d->life.pid) return;
  const uint64_t *lines = d->life.lines;
  uint64_t *kind = !d->ready                              ? &w->counts.device_starting
                   : d->phase == SDB_CLIENT_CATCHING_UP   ? &w->counts.device_catching_up
                   : d->phase != SDB_CLIENT_LIVE          ? &w->counts.device_offline
                   : lines['P'] > lines['D'] + lines['G'] ? &w->counts.device_pushing
                                                          : &w->counts.device_live;
  ++*kind;
  w->counts.device_kills++;
  life_end(&d->life, SIGKILL);
}

bool world_is_live(world *w, void *context) {
  (void)context;
  if (!w->server.pid && !world_start_server(w)) return false;
  for (size_t i = 0; w->port && i < w->devices_count; i++)
    if (w->devices[i].life.pid && w->devices[i].phase == SDB_CLIENT_LIVE) return true;
  return false;
}

/* ---- the server's file ---- */

void world_inspect(world *w) {
  sdb_inspection found = {0};
  sdb_error error = {0};
  sdb_status status = sdb_database_inspect(w->url, SDB_INSPECT_INTEGRITY, &found, &error);
  w->counts.inspections++;
  if (status != SDB_OK)
    ledger_wrong(w->ledger, CRASH_BROKEN, "the database cannot be inspected: %s", error.message);
  else if (!found.intact)
    ledger_wrong(w->ledger, CRASH_BROKEN, "the database is damaged: %s", found.problem);
  if (status == SDB_OK) sdb_inspection_free(&found);
}

/* ---- opening and closing ---- */

static bool make_cert(world *w) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = X509_new();
  X509_EXTENSION *host = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
  FILE *key_file = fopen(w->key, "w"), *cert_file = fopen(w->cert, "w");
  bool made = key && cert && host && key_file && cert_file &&
              X509_set_version(cert, X509_VERSION_3) &&
              ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), 86400) && X509_set_pubkey(cert, key) &&
              X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                  (const unsigned char *)"localhost", -1, -1, 0) &&
              X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
              X509_add_ext(cert, host, -1) && X509_sign(cert, key, EVP_sha256()) > 0 &&
              PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) &&
              PEM_write_X509(cert_file, cert);
  if (key_file) fclose(key_file);
  if (cert_file) fclose(cert_file);
  X509_EXTENSION_free(host);
  X509_free(cert);
  EVP_PKEY_free(key);
  return made;
}

/* A name in the run's folder. */
static void name_in(const world *w, char path[256], const char *name) {
  snprintf(path, 256, "%s/%s", w->folder, name);
}

/* Where a sync costs nothing: no power fails here, only processes do. */
static bool make_folder(world *w) {
  static const char *const PARTS[] = {"server", "small", "devices"};
  char path[256];
  bool own = w->options.folder[0] == 0;
  bool memory = access("/dev/shm", W_OK) == 0;
  snprintf(w->folder, sizeof(w->folder), "%s",
      own ? (memory ? "/dev/shm/syncdb-crash-XXXXXX" : "/tmp/syncdb-crash-XXXXXX")
          : w->options.folder);
  if (own ? !mkdtemp(w->folder) : (mkdir(w->folder, 0755) != 0 && errno != EEXIST)) return false;
  for (size_t i = 0; i < 3; i++) {
    name_in(w, path, PARTS[i]);
    if (mkdir(path, 0755) != 0) return false;
  }
  name_in(w, path, "log");
  w->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  name_in(w, w->cert, "cert.pem");
  name_in(w, w->key, "key.pem");
  snprintf(w->url, sizeof(w->url), "sqlite://%s/server/db.sqlite", w->folder);
  return w->log >= 0 && make_cert(w);
}

static void make_devices(world *w) {
  w->devices_count = (size_t)w->options.users * w->options.devices;
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    d->user = (unsigned)i / w->options.devices;
    d->number = (unsigned)i % w->options.devices;
    d->line = proxy_open(0);
    snprintf(d->name, sizeof(d->name), "user%u", d->user);
    snprintf(d->path, sizeof(d->path), "%s/%s/%s.%u.sqlite", w->folder,
        world_disk_of(d) == WORLD_DEVICE_DISK ? "small" : "devices", d->name, d->number);
  }
}

bool world_open(world *w, const world_options *options) {
  memset(w, 0, sizeof(*w));
  w->options = *options;
  w->random = options->seed;
  w->ledger = ledger_create();
  if (!make_folder(w)) {
    printf("cannot make %s: %s\n", w->folder, strerror(errno));
    return false;
  }
  make_disks(w); /* before there are threads, which would keep the old namespace */
  make_devices(w);
  return true;
}

/* The disks go with the namespace: what is to be kept is copied out of them. */
static void clean_up(const world *w, bool remove) {
  char command[900];
  snprintf(command, sizeof(command),
      remove ? "umount '%1$s/server' '%1$s/small' 2>/dev/null; rm -rf '%1$s'"
             : "cp -a '%1$s/server' '%1$s/kept-server' && cp -a '%1$s/small' '%1$s/kept-small'",
      w->folder);
  if (system(command) != 0) printf("cannot clean up %s\n", w->folder);
}

void world_close(world *w, bool remove) {
  if (w->server.pid) life_end(&w->server, SIGKILL);
  for (size_t i = 0; i < w->devices_count; i++) {
    device *d = &w->devices[i];
    if (d->life.pid) life_end(&d->life, SIGKILL);
    proxy_close(d->line);
    listing_clear(&d->listing);
  }
  close(w->log);
  clean_up(w, remove);
  ledger_destroy(w->ledger);
}
