/* test/crash/run.c: a server, devices and the lines between them, killed again and again; then
 * everything that was acknowledged is there, once. --help says how it is called.
 *
 * The seed decides what is done; in what order real processes answer, it does not: the same seed is
 * the same kind of run, not the same run.
 */
#include "world.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "usage: crash_run [OPTION...]\n"
    "\n"
    "Kills a server and its devices again and again, cuts their connections, fills their disks,\n"
    "takes the server's descriptors; then looks whether all that was acknowledged is there, once.\n"
    "\n"
    "  --seed N        decides what is done (default: the time)\n"
    "  --kills N       default 30\n"
    "  --users N       default 3, at most 20\n"
    "  --devices N     of each user; default 3, at most 9\n"
    "  --minutes N     end earlier\n"
    "  --tls           wss:// between them\n"
    "  --full-sync     the server syncs each commit\n"
    "  --keep DIR      work in this new folder, and leave it\n"
    "  --sabotage WHAT break a promise: lose, forget, double, leak, invent, damage. Then it is a\n"
    "                  success that this is found\n"
    "\n"
    "exit code: 0 nothing was wrong, 1 something was, 2 bad usage\n";

enum { SEED = 256, KILLS, USERS, DEVICES, MINUTES, TLS, FULL_SYNC, KEEP, SABOTAGE, GIVE_HELP };

static const struct option OPTIONS[] = {
    {"seed", required_argument, NULL, SEED},
    {"kills", required_argument, NULL, KILLS},
    {"users", required_argument, NULL, USERS},
    {"devices", required_argument, NULL, DEVICES},
    {"minutes", required_argument, NULL, MINUTES},
    {"tls", no_argument, NULL, TLS},
    {"full-sync", no_argument, NULL, FULL_SYNC},
    {"keep", required_argument, NULL, KEEP},
    {"sabotage", required_argument, NULL, SABOTAGE},
    {"help", no_argument, NULL, GIVE_HELP},
    {NULL, 0, NULL, 0},
};

static bool parse_number(const char *text, unsigned least, unsigned most, unsigned *number) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (end == text || *end || value < least || value > most) {
    fprintf(stderr, "crash_run: '%s' is no good value\n", text);
    return false;
  }
  *number = (unsigned)value;
  return true;
}

static bool parse_option(world_options *options, int option, const char *value) {
  crash_wrong wrong;
  switch (option) {
  case SEED:
    return parse_number(value, 0, 1u << 30, &options->seed);
  case KILLS:
    return parse_number(value, 0, 1000000, &options->kills);
  case USERS:
    return parse_number(value, 1, CRASH_USERS_MAX, &options->users);
  case DEVICES:
    return parse_number(value, 1, CRASH_DEVICES_MAX, &options->devices);
  case MINUTES:
    return parse_number(value, 1, 10000, &options->minutes);
  case TLS:
    options->tls = true;
    return true;
  case FULL_SYNC:
    options->full_sync = true;
    return true;
  case KEEP:
    options->folder = value;
    return true;
  default:
    options->sabotage = value;
    return sabotage_known(value, &wrong) ||
           (fprintf(stderr, "crash_run: no such sabotage: %s\n", value), false);
  }
}

static proxy_counts count_lines(world *w) {
  proxy_counts sum = {0};
  for (size_t i = 0; i < w->devices_count; i++) {
    proxy_counts one = proxy_counted(w->devices[i].line);
    sum.connections += one.connections;
    sum.cuts += one.cuts;
    for (int way = 0; way < 2; way++)
      sum.bytes[way] += one.bytes[way];
  }
  return sum;
}

#define N(number) ((unsigned long long)(number))

static void print_counts(world *w, uint64_t began_us) {
  const world_counts *c = &w->counts;
  ledger_counts l = ledger_counted(w->ledger);
  proxy_counts p = count_lines(w);
  printf("kills: %llu of the server (%llu starting, %llu before it acknowledged anything, %llu "
         "serving), %llu of devices (%llu starting, %llu offline, %llu catching up, %llu pushing, "
         "%llu at rest); %llu times several at once\n",
      N(c->server_kills), N(c->server_starting), N(c->server_unheard), N(c->server_serving),
      N(c->device_kills), N(c->device_starting), N(c->device_offline), N(c->device_catching_up),
      N(c->device_pushing), N(c->device_live), N(c->at_once));
  printf("disks full: %llu times the server's (commits began to fail: %llu; refused to start: "
         "%llu), %llu times the devices' (went on in memory: %llu); got over alive: %llu\n",
      N(c->server_disk_full), N(c->server_failed), N(c->refused_to_start), N(c->device_disk_full),
      N(c->device_failed), N(c->healed_alive));
  printf("descriptors out: %llu times (killed then: %llu)\n", N(c->descriptors_out),
      N(c->descriptors_killed));
  printf("lines: %llu connections, %llu cuts, %llu times slowed, %llu stalls, %llu refusals, "
         "%llu KiB up, %llu KiB down\n",
      N(p.connections), N(p.cuts), N(c->slowed), N(c->stalls), N(c->refusals), N(p.bytes[0] / 1024),
      N(p.bytes[1] / 1024));
  printf("pushes: %llu, accepted into a file: %llu, acknowledged: %llu, refused: %llu, late: %llu, "
         "lost with one of %llu files: %llu; answers committed: %llu; records looked at: %llu\n",
      N(l.pushes), N(l.accepted), N(l.acknowledged), N(l.refused), N(l.late), N(c->files_lost),
      N(l.lost_files), N(l.answers), N(l.observations));
  printf("integrity checks of the server's file: %llu; %.1f s\n", N(c->inspections),
      (double)(life_now_us() - began_us) / 1e6);
}

/* Whether the run is a success. */
static bool judge(world *w) {
  crash_wrong expected = CRASH_WRONGS;
  uint64_t wrong = 0;
  if (w->options.sabotage) sabotage_known(w->options.sabotage, &expected);
  for (int i = 0; i < CRASH_WRONGS; i++) {
    uint64_t count = ledger_wrongs(w->ledger, (crash_wrong)i);
    wrong += count;
    if (count) printf("%s: %llu\n", crash_wrong_name((crash_wrong)i), N(count));
  }
  if (expected == CRASH_WRONGS) {
    printf("seed %u: %s\n", w->options.seed, wrong ? "FAILED" : "everything is there, once");
    return wrong == 0;
  }
  bool found = ledger_wrongs(w->ledger, expected) > 0;
  printf("seed %u: sabotage '%s' was %s\n", w->options.seed, w->options.sabotage,
      found ? "found" : "NOT FOUND");
  return found;
}

int main(int count, char **arguments) {
  static world w;
  world_options options = {.kills = 30, .users = 3, .devices = 3, .folder = ""};
  uint64_t began_us = life_now_us();
  int option;
  options.seed = (unsigned)(began_us % 1000000);
  while ((option = getopt_long(count, arguments, "", OPTIONS, NULL)) != -1) {
    if (option == GIVE_HELP) return fputs(HELP, stdout) < 0;
    if (option == '?' || !parse_option(&options, option, optarg)) return 2;
  }
  if (options.sabotage && options.users < 2) options.users = 2;
  printf("seed %u: %u kills, %u users with %u devices each%s\n", options.seed, options.kills,
      options.users, options.devices, options.tls ? ", over TLS" : "");
  fflush(stdout);
  signal(SIGPIPE, SIG_IGN);
  if (!world_open(&w, &options)) return 1;
  chaos_run(&w);
  if (options.sabotage) sabotage_run(&w);
  verdict_run(&w);
  print_counts(&w, began_us);
  bool good = judge(&w);
  bool keep = options.folder[0] || !good;
  if (keep) printf("what is left stands in %s\n", w.folder);
  world_close(&w, !keep);
  return good ? 0 : 1;
}
