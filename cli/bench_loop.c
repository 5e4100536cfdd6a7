/* cli/bench_loop.c: thousands of devices on one thread: epoll over WebSocket clients.
 *
 * A turn waits once, reads each ready socket once (256 KiB, so many messages), delivers, and then
 * writes what was queued, one write a device. So the loader costs far less than the servers.
 */
#include "bench.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READER_BYTES (256 * 1024)
#define MESSAGE_BYTES_MAX (16 * 1024 * 1024)
#define EVENTS_A_TURN 512
#define PATIENCE_NS (60 * 1000000000ull)

static const char EMPTY_HELLO[] = "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{}}}";

uint64_t sdb_bench_patience_ns(void) {
  return sdb_bench_now_ns() + PATIENCE_NS;
}

bool sdb_bench_loop_open(sdb_bench_loop *loop, sdb_bench *bench) {
  memset(loop, 0, sizeof(*loop));
  loop->bench = bench;
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (loop->epoll < 0) return sdb_bench_fail(bench, "epoll: %s", strerror(errno));
  if (!sdb_ws_reader_create(&loop->reader, READER_BYTES))
    return sdb_bench_fail(bench, "out of memory");
  return true;
}

void sdb_bench_loop_close(sdb_bench_loop *loop) {
  if (loop->epoll > 0) close(loop->epoll);
  loop->epoll = 0;
  sdb_ws_reader_destroy(&loop->reader);
}

static void on_opened(sdb_ws_client *client, void *tag) {
  (void)client;
  sdb_bench_device *device = tag;
  const char *hello = device->hello ? device->hello : EMPTY_HELLO;
  device->said_hello_ns = sdb_bench_now_ns();
  device->loop->connecting--;
  sdb_bench_device_send(device, hello, strlen(hello));
}

static void on_message(sdb_ws_client *client, void *tag, const char *text, size_t size) {
  (void)client;
  sdb_bench_device *device = tag;
  if (!device->helloed && sdb_bench_message_type(text, size) == SDB_BENCH_SERVER_HELLO) {
    device->helloed = true;
    device->loop->helloed++;
  }
  device->message(device, text, size);
}

static const sdb_ws_client_handler HANDLER = {on_opened, on_message};

/* Tells epoll what the client waits for now. */
static bool watch(sdb_bench_loop *loop, sdb_bench_device *device) {
  int fd = sdb_ws_client_fd(device->client);
  uint32_t interest = (sdb_ws_client_wants_read(device->client) ? (uint32_t)EPOLLIN : 0) |
                      (sdb_ws_client_wants_write(device->client) ? (uint32_t)EPOLLOUT : 0);
  if (fd == device->fd && interest == device->interest) return true;
  struct epoll_event event = {.events = interest, .data.ptr = device};
  int operation = fd == device->fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (fd >= 0 && epoll_ctl(loop->epoll, operation, fd, &event) < 0)
    return sdb_bench_fail(loop->bench, "epoll_ctl: %s", strerror(errno));
  device->fd = fd;
  device->interest = interest;
  return true;
}

static bool lost(sdb_bench_loop *loop, const sdb_bench_device *device) {
  const sdb_ws_client *client = device->client;
  return sdb_bench_fail(loop->bench, "device %u lost its connection: %u %s%s", device->index,
      sdb_ws_client_close_code(client), sdb_ws_client_close_reason(client),
      sdb_ws_client_error(client));
}

bool sdb_bench_device_connect(sdb_bench_loop *loop, sdb_bench_device *device,
    const sdb_bench_server *server, const char *group, unsigned number) {
  char target[2304];
  const char *path = server->endpoint.target;
  snprintf(target, sizeof(target), "%s%cuser=%s-%08x-%u", path, strchr(path, '?') ? '&' : '?',
      group, loop->bench->salt, number);
  sdb_ws_client_options options = {.endpoint = &server->endpoint,
      .reader = &loop->reader,
      .handler = &HANDLER,
      .tag = device,
      .target = target,
      .message_bytes_max = MESSAGE_BYTES_MAX};
  device->loop = loop;
  device->fd = -1;
  device->interest = 0;
  device->said_hello_ns = 0;
  device->dirty = device->helloed = false;
  device->client = sdb_ws_client_create(&options);
  if (!device->client) return sdb_bench_fail(loop->bench, "out of memory");
  if (sdb_ws_client_state_of(device->client) == SDB_WS_CLIENT_CLOSED) return lost(loop, device);
  loop->connecting++;
  return watch(loop, device);
}

void sdb_bench_device_drop(sdb_bench_device *device) {
  if (!device->client) return;
  sdb_bench_loop *loop = device->loop;
  for (sdb_bench_device **at = &loop->dirty; device->dirty && *at; at = &(*at)->next_dirty) {
    if (*at != device) continue;
    *at = device->next_dirty;
    break;
  }
  if (!device->said_hello_ns) loop->connecting--;
  if (device->helloed) loop->helloed--;
  sdb_ws_client_free(device->client);
  device->client = NULL;
}

static void mark_dirty(sdb_bench_device *device) {
  if (device->dirty) return;
  device->dirty = true;
  device->next_dirty = device->loop->dirty;
  device->loop->dirty = device;
}

void sdb_bench_device_send(sdb_bench_device *device, const char *text, size_t size) {
  sdb_ws_client_send(device->client, text, size);
  mark_dirty(device);
}

static bool flush_dirty(sdb_bench_loop *loop) {
  while (loop->dirty) {
    sdb_bench_device *device = loop->dirty;
    loop->dirty = device->next_dirty;
    device->dirty = false;
    sdb_ws_client_flush(device->client);
    if (!watch(loop, device)) return false;
  }
  return true;
}

static bool on_event(sdb_bench_loop *loop, const struct epoll_event *event) {
  sdb_bench_device *device = event->data.ptr;
  bool broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
  loop->now_ns = sdb_bench_now_ns();
  sdb_ws_client_on_ready(
      device->client, broken || event->events & EPOLLIN, broken || event->events & EPOLLOUT);
  if (sdb_ws_client_state_of(device->client) == SDB_WS_CLIENT_CLOSED) return lost(loop, device);
  return watch(loop, device);
}

bool sdb_bench_turn(sdb_bench_loop *loop, uint64_t deadline_ns, const char *what) {
  struct epoll_event events[EVENTS_A_TURN];
  if (!flush_dirty(loop)) return false;
  uint64_t now = sdb_bench_now_ns();
  if (now >= deadline_ns)
    return !what || sdb_bench_fail(loop->bench, "timed out waiting for %s", what);
  uint64_t left_ms = (deadline_ns - now) / 1000000 + 1;
  int count = epoll_wait(loop->epoll, events, EVENTS_A_TURN, left_ms < 500 ? (int)left_ms : 500);
  if (sdb_bench_interrupted()) return sdb_bench_fail(loop->bench, "interrupted");
  for (int at = 0; at < count; at++) {
    if (!on_event(loop, &events[at])) return false;
  }
  return flush_dirty(loop) && loop->bench->error[0] == 0;
}
