/* test/proxy.c: see proxy.h.
 *
 * Threads: everything is under `lock`, which the proxy's thread leaves only to poll. Only that
 * thread opens and closes sockets; who wants something sets it, rouses the thread and, where it has
 * to be done, waits for the end of its turn.
 */
#include "proxy.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CABLES_MAX 32
#define BUFFER_SIZE 8192
#define SOCKET_BYTES 16384 /* asked of the system: little is on its way in sockets */
#define WAIT_MAX_S 30

/* ---- reading along ---- */

static const char HEAD_END[] = "\r\n\r\n";
static const char UPDATE[] = "{\"type\":\"update\"";

/* Where in a stream the next byte stands. */
typedef struct reader {
  bool upgraded;     /* the HTTP head has passed */
  bool inside;       /* a unit's first byte has passed, its last has not */
  unsigned head_end; /* bytes of HEAD_END that passed in a row */
  unsigned header;   /* bytes of a frame's header that passed */
  unsigned header_size;
  bool masked;
  uint8_t mask[4];
  uint64_t size, at; /* of the payload */
  bool is_update;    /* so far */
} reader;

/* Takes a byte of a frame's header. */
static void read_header(reader *r, uint8_t byte) {
  unsigned n = r->header++;
  if (n == 0) {
    r->header_size = 2;
    r->size = r->at = 0;
    r->is_update = byte == 0x81;
  } else if (n == 1) {
    unsigned extended = (byte & 0x7F) == 126 ? 2 : (byte & 0x7F) == 127 ? 8 : 0;
    r->masked = (byte & 0x80) != 0;
    r->header_size = 2 + extended + (r->masked ? 4 : 0);
    r->size = extended ? 0 : byte & 0x7F;
  } else if (r->masked && n >= r->header_size - 4) {
    r->mask[n - (r->header_size - 4)] = byte;
  } else {
    r->size = r->size << 8 | byte;
  }
}

/* Takes a byte; true: it was a unit's last. */
static bool read_byte(reader *r, uint8_t byte) {
  r->inside = true;
  if (!r->upgraded) {
    r->head_end = byte == (uint8_t)HEAD_END[r->head_end] ? r->head_end + 1 : byte == '\r';
    r->upgraded = r->head_end == sizeof(HEAD_END) - 1;
    r->is_update = false;
    r->inside = !r->upgraded;
    return r->upgraded;
  }
  if (r->header < 2 || r->header < r->header_size) {
    read_header(r, byte);
  } else {
    uint8_t plain = r->masked ? byte ^ r->mask[r->at % 4] : byte;
    if (r->at < sizeof(UPDATE) - 1) r->is_update &= plain == (uint8_t)UPDATE[r->at];
    r->at++;
  }
  if (r->header < 2 || r->header < r->header_size || r->at < r->size) return false;
  r->is_update &= r->size >= sizeof(UPDATE) - 1;
  r->header = 0;
  r->inside = false;
  return true;
}

/* ---- its parts ---- */

/* What is known of one way, over all connections, and where to cut it. */
typedef struct lane {
  uint64_t bytes, units, updates;
  bool armed, located;
  uint64_t unit; /* armed: so many units begin before the one */
  uint64_t byte; /* of it */
  uint64_t at;   /* located: of all bytes */
} lane;

typedef struct stream {
  reader reader;
  char data[BUFFER_SIZE];
  size_t size, sent;
  uint64_t due_ms; /* what waits is sent from then on */
  bool source_ended, end_sent, muted;
} stream;

typedef struct pace {
  unsigned delay_ms;
  size_t bytes_per_ms; /* 0: as fast as it goes */
} pace;

/* A device's connection and the one to the server that belongs to it. */
typedef struct cable {
  int fds[2];        /* fds[way] is where that way begins */
  stream streams[2]; /* by way */
  bool draining;     /* cut with an end: what still comes is thrown away */
} cable;

struct proxy {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t turned; /* a turn has ended */
  uint64_t turns_asked, turns;
  int listener, wake;
  uint16_t port, server_port;
  bool stop, listening, refuse, stall[2];
  proxy_cut cut_now; /* 0: none */
  proxy_cut how[2];
  pace paces[2];
  lane lanes[2];
  uint64_t connections, cuts;
  cable *cables[CABLES_MAX];
  size_t cables_count;
  void (*on_cut)(void *context);
  void *context;
};

/* ---- sockets ---- */

static struct sockaddr_in loopback(uint16_t port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void make_small(int fd) {
  int size = SOCKET_BYTES, on = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void reset_socket(int fd) {
  struct linger hard = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close(fd);
}

/* Connects, which is at once on this machine. -1: nobody listens. */
static int connect_server(uint16_t port) {
  struct sockaddr_in at = loopback(port);
  if (port == 0) return -1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  make_small(fd);
  if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EINPROGRESS) return fd;
  close(fd);
  return -1;
}

static void accept_one(proxy *p) {
  int fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  int server = p->cables_count < CABLES_MAX ? connect_server(p->server_port) : -1;
  cable *made = server >= 0 ? calloc(1, sizeof(*made)) : NULL;
  if (!made) {
    reset_socket(fd);
    if (server >= 0) reset_socket(server);
    return;
  }
  make_small(fd);
  made->fds[PROXY_UP] = fd;
  made->fds[PROXY_DOWN] = server;
  p->cables[p->cables_count++] = made;
  p->connections++;
}

/* ---- cutting ---- */

static void drop_cable(proxy *p, size_t index, proxy_cut how) {
  cable *c = p->cables[index];
  for (int i = 0; i < 2; i++) {
    if (how == PROXY_RESET)
      reset_socket(c->fds[i]);
    else
      close(c->fds[i]);
  }
  free(c);
  p->cables[index] = p->cables[--p->cables_count];
}

static void told_cut(proxy *p) {
  p->cuts++;
  if (p->on_cut) p->on_cut(p->context);
}

/* False: the cable is gone. */
static bool cut_cable(proxy *p, size_t index, proxy_way way, proxy_cut how) {
  cable *c = p->cables[index];
  if (how == PROXY_RESET) {
    drop_cable(p, index, how);
    told_cut(p);
    return false;
  }
  if (how == PROXY_MUTE) {
    c->streams[way].muted = true;
  } else {
    c->draining = true;
    for (int i = 0; i < 2; i++)
      shutdown(c->fds[i], SHUT_WR);
  }
  told_cut(p);
  return true;
}

static void cut_all(proxy *p) {
  for (size_t i = p->cables_count; i > 0; i--) {
    if (!p->cables[i - 1]->draining) cut_cable(p, i - 1, PROXY_UP, p->cut_now);
  }
  for (int way = 0; way < 2; way++)
    p->lanes[way].armed = p->lanes[way].located = false;
  p->cut_now = 0;
}

/* Reads along with what may pass: all of `size`, or up to where to cut. */
static size_t pass(lane *l, reader *r, const char *data, size_t size) {
  size_t n = 0;
  while (n < size) {
    if (!r->inside && l->armed && !l->located) {
      l->located = l->unit == 0;
      l->at = l->bytes + l->byte;
      l->unit -= !l->located;
    }
    if (l->located && l->bytes >= l->at) break;
    bool whole = read_byte(r, (uint8_t)data[n++]);
    l->bytes++;
    l->units += whole;
    l->updates += whole && r->is_update;
  }
  return n;
}

/* ---- forwarding ---- */

static void take(stream *s, int fd, bool discard, unsigned delay_ms) {
  ssize_t count = recv(fd, s->data, sizeof(s->data), 0);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) s->source_ended = true;
  s->sent = 0;
  s->size = count > 0 && !discard ? (size_t)count : 0;
  s->due_ms = delay_ms ? now_ms() + delay_ms : 0;
}

typedef enum outcome { GOES_ON, CUT, LOST } outcome;

static outcome forward(proxy *p, cable *c, proxy_way way) {
  stream *s = &c->streams[way];
  lane *real = &p->lanes[way];
  lane tried = *real;
  reader ahead = s->reader;
  const char *data = s->data + s->sent;
  size_t size = s->size - s->sent, at_once = p->paces[way].bytes_per_ms;
  if (at_once > 0 && size > at_once) size = at_once;
  size_t may = pass(&tried, &ahead, data, size);
  ssize_t count = may > 0 ? send(c->fds[!way], data, may, MSG_NOSIGNAL) : 0;
  if (count < 0) return errno == EAGAIN || errno == EINTR ? GOES_ON : LOST;
  pass(real, &s->reader, data, may > 0 ? (size_t)count : size);
  s->sent += (size_t)count;
  if (at_once > 0) s->due_ms = now_ms() + 1;
  if (!real->located || real->bytes < real->at) return GOES_ON;
  real->armed = real->located = false;
  return CUT;
}

static bool waits(const stream *s) {
  return s->sent < s->size;
}

/* Passes an end on, once all before it is sent. */
static void pass_end(cable *c, proxy_way way) {
  stream *s = &c->streams[way];
  if (!s->source_ended || s->end_sent || waits(s)) return;
  s->end_sent = true;
  if (!s->muted && !c->draining) shutdown(c->fds[!way], SHUT_WR);
}

/* False: the cable is gone. */
static bool serve_way(proxy *p, size_t index, proxy_way way, bool readable, bool writable) {
  cable *c = p->cables[index];
  stream *s = &c->streams[way];
  if (readable && !waits(s) && !s->source_ended)
    take(s, c->fds[way], s->muted || c->draining, p->paces[way].delay_ms);
  else if (!writable)
    return true;
  if (c->draining || s->muted) {
    s->sent = s->size;
  } else if (waits(s) && s->due_ms <= now_ms()) {
    outcome came = forward(p, c, way);
    if (came == CUT && !cut_cable(p, index, way, p->how[way])) return false;
    if (came == LOST) s->source_ended = c->streams[!way].source_ended = true;
    if (came != GOES_ON) s->sent = s->size;
  }
  pass_end(c, way);
  pass_end(c, (proxy_way)!way);
  if (!c->streams[0].end_sent || !c->streams[1].end_sent) return true;
  drop_cable(p, index, PROXY_END);
  return false;
}

/* ---- the thread ---- */

/* Who waits to send is looked at when it can; who has nothing, when there is something. */
static short wanted(const proxy *p, const cable *c, int side, uint64_t at_ms) {
  const stream *in = &c->streams[side], *out = &c->streams[!side];
  bool stalled = p->stall[side] && !c->draining;
  return (short)((!stalled && !in->source_ended && !waits(in) ? POLLIN : 0) |
                 (waits(out) && out->due_ms <= at_ms && !(p->stall[!side] && !c->draining) ? POLLOUT
                                                                                           : 0));
}

/* `*timeout_ms` is when something that is held back is due; -1: nothing is. */
static size_t fill(proxy *p, struct pollfd *polled, int *timeout_ms) {
  uint64_t at_ms = now_ms();
  size_t count = 0;
  *timeout_ms = -1;
  polled[count++] = (struct pollfd){p->wake, POLLIN, 0};
  polled[count++] = (struct pollfd){p->listening ? p->listener : -1, POLLIN, 0};
  for (size_t i = 0; i < p->cables_count; i++) {
    for (int side = 0; side < 2; side++) {
      const stream *s = &p->cables[i]->streams[side];
      short events = wanted(p, p->cables[i], side, at_ms);
      int left_ms = waits(s) && s->due_ms > at_ms ? (int)(s->due_ms - at_ms) : -1;
      if (left_ms > 0 && (*timeout_ms < 0 || left_ms < *timeout_ms)) *timeout_ms = left_ms;
      /* Without events a lost peer would be reported again and again. */
      polled[count++] = (struct pollfd){events ? p->cables[i]->fds[side] : -1, events, 0};
    }
  }
  return count;
}

static void serve_cables(proxy *p, const struct pollfd *polled, size_t count) {
  for (size_t i = (count - 2) / 2; i > 0; i--) {
    const struct pollfd *sides = polled + 2 + (i - 1) * 2;
    for (int way = 0; way < 2; way++) {
      bool readable = (sides[way].events & POLLIN) && sides[way].revents;
      bool writable = (sides[!way].events & POLLOUT) && sides[!way].revents;
      if ((readable || writable) && !serve_way(p, i - 1, (proxy_way)way, readable, writable)) break;
    }
  }
}

/* A bound socket that does not listen keeps its port, and whoever connects to it is refused. */
static void obey(proxy *p) {
  if (p->listening == p->refuse) {
    if (p->refuse)
      shutdown(p->listener, SHUT_RD);
    else if (listen(p->listener, 64) != 0)
      abort();
    p->listening = !p->refuse;
  }
  if (p->cut_now) cut_all(p);
}

static void *run(void *context) {
  proxy *p = context;
  struct pollfd polled[2 + 2 * CABLES_MAX];
  uint64_t asked;
  pthread_mutex_lock(&p->lock);
  while (!p->stop) {
    int timeout_ms;
    size_t count = fill(p, polled, &timeout_ms);
    pthread_mutex_unlock(&p->lock);
    poll(polled, count, timeout_ms);
    pthread_mutex_lock(&p->lock);
    (void)!read(p->wake, &asked, sizeof(asked));
    asked = p->turns_asked;
    serve_cables(p, polled, count);
    if (polled[1].revents) accept_one(p);
    obey(p);
    p->turns = asked;
    pthread_cond_broadcast(&p->turned);
  }
  while (p->cables_count > 0)
    drop_cable(p, 0, PROXY_RESET);
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* With the lock: has the thread do what is to be done, and waits until it is. */
static void have_turn(proxy *p) {
  uint64_t one = 1, turn = ++p->turns_asked;
  (void)!write(p->wake, &one, sizeof(one));
  while (p->turns < turn && !p->stop)
    pthread_cond_wait(&p->turned, &p->lock);
}

/* ---- what a test calls ---- */

/* A socket bound to `port`, which keeps it whether it listens or not; port 0: to any. */
static int bound_to(uint16_t *port) {
  struct sockaddr_in at = loopback(*port);
  socklen_t size = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  make_small(fd); /* what it accepts is born with it */
  /* So that it can listen again while connections that it accepted are there. */
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
    close(fd);
    return -1;
  }
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
  *port = ntohs(at.sin_port);
  return fd;
}

/* A port that the system chose goes with the listening; one that was named stays. */
static int bound_by_name(uint16_t *port) {
  int fd = -1;
  for (int i = 0; i < 100 && fd < 0; i++) {
    *port = 0;
    close(bound_to(port));
    fd = bound_to(port);
  }
  assert_true(fd >= 0);
  return fd;
}

proxy *proxy_open(uint16_t server_port) {
  proxy *p = calloc(1, sizeof(*p));
  assert_non_null(p);
  p->server_port = server_port;
  p->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  p->listener = bound_by_name(&p->port);
  assert_true(p->wake >= 0);
  assert_int_equal(listen(p->listener, 64), 0);
  p->listening = true;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->turned, NULL);
  assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
  return p;
}

void proxy_close(proxy *p) {
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->stop = true;
  have_turn(p);
  pthread_mutex_unlock(&p->lock);
  pthread_join(p->thread, NULL);
  pthread_cond_destroy(&p->turned);
  pthread_mutex_destroy(&p->lock);
  close(p->listener);
  close(p->wake);
  free(p);
}

uint16_t proxy_port(const proxy *p) {
  return p->port;
}

void proxy_on_cut(proxy *p, void (*fn)(void *context), void *context) {
  pthread_mutex_lock(&p->lock);
  p->on_cut = fn;
  p->context = context;
  pthread_mutex_unlock(&p->lock);
}

void proxy_cut_at(proxy *p, proxy_way way, uint64_t unit, uint64_t byte, proxy_cut how) {
  pthread_mutex_lock(&p->lock);
  p->how[way] = how;
  p->lanes[way].armed = true;
  p->lanes[way].located = false;
  p->lanes[way].unit = unit;
  p->lanes[way].byte = byte;
  pthread_mutex_unlock(&p->lock);
}

void proxy_cut_now(proxy *p, proxy_cut how) {
  pthread_mutex_lock(&p->lock);
  p->cut_now = how;
  have_turn(p);
  pthread_mutex_unlock(&p->lock);
}

void proxy_refuse(proxy *p, bool refuse) {
  pthread_mutex_lock(&p->lock);
  p->refuse = refuse;
  have_turn(p);
  pthread_mutex_unlock(&p->lock);
}

void proxy_stall(proxy *p, proxy_way way, bool stall) {
  pthread_mutex_lock(&p->lock);
  p->stall[way] = stall;
  have_turn(p);
  pthread_mutex_unlock(&p->lock);
}

void proxy_pace(proxy *p, proxy_way way, unsigned delay_ms, size_t bytes_per_ms) {
  pthread_mutex_lock(&p->lock);
  p->paces[way] = (pace){delay_ms, bytes_per_ms};
  pthread_mutex_unlock(&p->lock);
}

void proxy_server(proxy *p, uint16_t server_port) {
  pthread_mutex_lock(&p->lock);
  p->server_port = server_port;
  pthread_mutex_unlock(&p->lock);
}

proxy_counts proxy_counted(proxy *p) {
  proxy_counts counts = {0};
  pthread_mutex_lock(&p->lock);
  counts.connections = p->connections;
  counts.cuts = p->cuts;
  for (int way = 0; way < 2; way++) {
    counts.bytes[way] = p->lanes[way].bytes;
    counts.units[way] = p->lanes[way].units;
    counts.updates[way] = p->lanes[way].updates;
  }
  pthread_mutex_unlock(&p->lock);
  return counts;
}

void proxy_wait_cuts(proxy *p, uint64_t cuts) {
  struct timespec until;
  int code = 0;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += WAIT_MAX_S;
  pthread_mutex_lock(&p->lock);
  while (p->cuts < cuts && code == 0)
    code = pthread_cond_timedwait(&p->turned, &p->lock, &until);
  uint64_t there = p->cuts;
  pthread_mutex_unlock(&p->lock);
  if (there < cuts) fail_msg("there were %u cuts, not %u", (unsigned)there, (unsigned)cuts);
}
