/* test/crash/descriptors.c: a server without file descriptors.
 *
 * Its limit is set a little above what it has open, and connections are made until it can accept no
 * more of them. It must go on with the devices that are there, must not turn round its listener,
 * and must accept again when descriptors are given back. Sometimes it is killed instead.
 */
#include "world.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOARD_MAX 256
#define SPARE 6  /* descriptors that are left to it */
#define BEYOND 6 /* connections that are made above that */
#define COME_MS 30000
#define HELLO_US 4000000
#define WATCH_US 200000
#define WATCHES 10
#define BUSY_SHARE 4 /* a listener that spins takes all of a core: over a quarter is too much */

typedef struct descriptors {
  int fds[HOARD_MAX]; /* ours */
  size_t count, wanted;
  struct rlimit usual;
  unsigned limit;
  uint64_t before, made_us;
} descriptors;

/* How many descriptors a process has open; `*above` is the number above the greatest. */
static unsigned open_in(pid_t pid, unsigned *above) {
  char path[64];
  unsigned count = 0;
  *above = 0;
  snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    if (entry->d_name[0] == '.') continue;
    unsigned fd = (unsigned)strtoul(entry->d_name, NULL, 10);
    if (fd >= *above) *above = fd + 1;
    count++;
  }
  if (folder) closedir(folder);
  return count;
}

static bool acknowledges(world *w, void *context) {
  return w->acknowledged > ((descriptors *)context)->before + 10;
}

static void hoard(world *w, descriptors *d) {
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons(w->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  while (d->count < d->wanted) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
      close(fd);
      return;
    }
    d->fds[d->count++] = fd;
  }
}

/* All numbers below the limit are taken. */
static bool is_out(world *w, void *context) {
  const descriptors *d = context;
  unsigned above;
  return w->server.pid && open_in(w->server.pid, &above) >= d->limit;
}

static void limit_to(world *w, descriptors *d) {
  unsigned above, count = open_in(w->server.pid, &above);
  if (prlimit(w->server.pid, RLIMIT_NOFILE, NULL, &d->usual) != 0) return;
  d->limit = above + SPARE;
  d->wanted = d->limit - count + BEYOND;
  if (d->wanted > HOARD_MAX) d->wanted = HOARD_MAX;
  struct rlimit low = {d->limit, d->usual.rlim_max};
  prlimit(w->server.pid, RLIMIT_NOFILE, &low, NULL);
}

/* Time on a processor, of all its threads. */
static uint64_t used_us(pid_t pid) {
  char path[300], text[64];
  uint64_t sum = 0;
  snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
    FILE *file = fopen(path, "r");
    if (file && fgets(text, sizeof(text), file)) sum += strtoull(text, NULL, 10) / 1000;
    if (file) fclose(file);
  }
  if (folder) closedir(folder);
  return sum;
}

static void signal_devices(world *w, int signal_number) {
  for (size_t i = 0; i < w->devices_count; i++)
    if (w->devices[i].life.pid) kill(w->devices[i].life.pid, signal_number);
}

/* With devices that ask nothing of it; what they asked before may take it a while. */
static void look_for_spinning(world *w) {
  uint64_t used = 0;
  signal_devices(w, SIGSTOP);
  for (int i = 0; i < WATCHES; i++) {
    uint64_t before = used_us(w->server.pid);
    uint64_t until_us = life_now_us() + WATCH_US;
    while (life_now_us() < until_us)
      world_hear(w, 10000);
    used = w->server.pid ? used_us(w->server.pid) - before : 0;
    if (used < WATCH_US / BUSY_SHARE) break;
  }
  signal_devices(w, SIGCONT);
  if (used >= WATCH_US / BUSY_SHARE)
    ledger_wrong(w->ledger, CRASH_BROKEN,
        "without descriptors and with nothing to do the server uses %u of %u ms",
        (unsigned)used / 1000, WATCH_US / 1000);
}

static void release(descriptors *d, size_t left) {
  while (d->count > left)
    close(d->fds[--d->count]);
}

/* The last one that was made is one that was not accepted: whatever it says to it (an answer, or,
 * with TLS, that this is none) shows that it is now. */
static bool accepts(world *w, void *context) {
  descriptors *d = context;
  struct pollfd polled = {d->fds[0], POLLIN, 0};
  (void)w;
  return poll(&polled, 1, 0) == 1;
}

static void look_at_it(world *w, descriptors *d) {
  static const char ASK[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  d->before = w->acknowledged;
  if (!world_wait(w, acknowledges, d, COME_MS))
    ledger_wrong(w->ledger, CRASH_BROKEN, "without descriptors the server serves nobody any more");
  look_for_spinning(w);
  if (life_now_us() - d->made_us > HELLO_US) return; /* it may have closed some for their silence */
  int last = d->fds[d->count - 1];
  d->fds[d->count - 1] = d->fds[0];
  d->fds[0] = last;
  if (send(d->fds[0], ASK, sizeof(ASK) - 1, MSG_NOSIGNAL) < 0 || accepts(w, d))
    ledger_wrong(w->ledger, CRASH_BROKEN, "the server was not out of descriptors after all");
  release(d, 1);
  if (!world_wait(w, accepts, d, COME_MS))
    ledger_wrong(w->ledger, CRASH_BROKEN, "with descriptors again the server accepts nobody");
}

void descriptors_run(world *w) {
  descriptors d = {.count = 0};
  if (!world_wait(w, world_is_live, NULL, COME_MS)) {
    ledger_wrong(w->ledger, CRASH_BROKEN, "no device comes online, though nothing is in its way");
    return;
  }
  limit_to(w, &d);
  hoard(w, &d);
  d.made_us = life_now_us();
  if (!world_wait(w, is_out, &d, COME_MS)) {
    ledger_wrong(w->ledger, CRASH_BROKEN, "the driver cannot exhaust the server's descriptors");
  } else {
    w->counts.descriptors_out++;
    if (world_chance(w, 4) == 0) {
      w->counts.descriptors_killed++;
      world_kill_server(w);
    } else {
      look_at_it(w, &d);
    }
  }
  release(&d, 0);
  if (w->server.pid) prlimit(w->server.pid, RLIMIT_NOFILE, &d.usual, NULL);
}
