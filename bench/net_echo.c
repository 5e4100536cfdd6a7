/* bench/net_echo.c: how fast net echoes, and what an idle connection costs.
 *
 *   net_echo [N]       100 connections, N (64) messages of 150 bytes in flight on each, for 3
 *                      seconds: echoed messages a second
 *   net_echo --idle N  N idle connections: bytes of memory that each adds to the server
 *
 * The server is net alone with an echoing owner, in a process of its own; this one is the load.
 */
#include "net/net.h"
#include "platform/platform.h"
#include "ws/frame.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_SIZE 150
#define IN_FRAME (8 + MESSAGE_SIZE)  /* a client's frame: 4 bytes of header, 4 of mask */
#define OUT_FRAME (4 + MESSAGE_SIZE) /* a server's */
#define CONNECTIONS 100
#define SECONDS 3
#define IN_FLIGHT_MAX 64

/* ---- the server ---- */

static void on_request(
    void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer) {
  (void)conn;
  answer->accept = request->upgrade;
  answer->tag = context;
}

static void nothing(void *owner) {
  (void)owner;
}

static void on_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size) {
  char frame[SDB_WS_FRAME_HEADER_MAX + 4096 - 16];
  (void)context;
  if (size > 4096 - 16) return;
  size_t header = sdb_ws_frame_header(size, (unsigned char *)frame);
  memcpy(frame + header, message, size);
  sdb_net_send(conn, frame, header + size, 1, tag, nothing, nothing); /* small: copied */
}

static void on_level(void *context, sdb_conn *conn, void *tag, size_t bytes) {
  (void)context, (void)conn, (void)tag, (void)bytes;
}

static void on_closed(void *context, sdb_conn *conn, void *tag) {
  (void)context, (void)conn, (void)tag;
}

static void serve(int report) {
  sdb_net *net = NULL;
  sdb_net_options options = {.mem = sdb_platform_mem(),
      .handler = {&net, on_request, on_message, on_level, on_closed, nothing, nothing, nothing},
      .message_bytes_max = 1024 * 1024,
      .output_hard_bytes = 4 * 1024 * 1024,
      .ping_interval_ms = 30000,
      .handshake_timeout_ms = 10000};
  uint16_t port;
  sdb_error error;
  if (sdb_net_create(&options, &net, &error) != SDB_OK ||
      sdb_net_listen(net, "127.0.0.1", 0, &port, &error) != SDB_OK) {
    fprintf(stderr, "%s\n", error.message);
    _exit(1);
  }
  if (write(report, &port, sizeof(port)) != sizeof(port)) _exit(1);
  sdb_net_run(net);
}

/* ---- the load ---- */

static void check(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static int open_connection(uint16_t port) {
  static const char UPGRADE[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  char answer[512];
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  check(fd >= 0, "socket");
  check(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  check(write(fd, UPGRADE, sizeof(UPGRADE) - 1) == sizeof(UPGRADE) - 1, "write");
  check(read(fd, answer, sizeof(answer)) > 0, "read");
  check(memcmp(answer, "HTTP/1.1 101", 12) == 0, "upgrade");
  return fd;
}

static size_t resident_bytes(pid_t pid) {
  char path[64];
  size_t total, resident;
  snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
  FILE *file = fopen(path, "r");
  check(file && fscanf(file, "%zu %zu", &total, &resident) == 2, path);
  fclose(file);
  return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void measure_idle(uint16_t port, pid_t server, int count) {
  close(open_connection(port)); /* what is set up once is not a connection's */
  size_t before = resident_bytes(server);
  for (int i = 0; i < count; i++)
    open_connection(port);
  size_t grown = resident_bytes(server) - before;
  printf(
      "%d idle connections: %zu KiB, %zu bytes each\n", count, grown / 1024, grown / (size_t)count);
}

typedef struct load {
  int fd;
  size_t got; /* bytes of answers */
} load;

static char frames[IN_FLIGHT_MAX * IN_FRAME];

static void fill_frames(void) {
  for (size_t i = 0; i < sizeof(frames); i += IN_FRAME) {
    memcpy(frames + i, "\x81\xfe\x00\x96mask", 8);
    for (size_t k = 0; k < MESSAGE_SIZE; k++)
      frames[i + 8 + k] = (char)(('a' + (char)(k % 26)) ^ "mask"[k % 4]);
  }
}

/* Each answer makes room for one more message. */
static uint64_t drive(int epoll, load *loads, size_t in_flight) {
  static char in[256 * 1024];
  uint64_t echoed = 0, end = sdb_platform_monotonic_us() + SECONDS * 1000000;
  for (size_t i = 0; i < CONNECTIONS; i++)
    check(write(loads[i].fd, frames, in_flight * IN_FRAME) > 0, "write");
  while (sdb_platform_monotonic_us() < end) {
    struct epoll_event events[CONNECTIONS];
    int count = epoll_wait(epoll, events, CONNECTIONS, 100);
    for (int i = 0; i < count; i++) {
      load *l = events[i].data.ptr;
      ssize_t got = read(l->fd, in, sizeof(in));
      check(got > 0, "read");
      size_t whole = (l->got + (size_t)got) / OUT_FRAME;
      l->got = (l->got + (size_t)got) % OUT_FRAME;
      echoed += whole;
      check(write(l->fd, frames, whole * IN_FRAME) == (ssize_t)(whole * IN_FRAME), "write");
    }
  }
  return echoed;
}

static void measure_echo(uint16_t port, size_t in_flight) {
  if (in_flight < 1 || in_flight > IN_FLIGHT_MAX) in_flight = IN_FLIGHT_MAX;
  static load loads[CONNECTIONS];
  int epoll = epoll_create1(0);
  fill_frames();
  for (size_t i = 0; i < CONNECTIONS; i++) {
    loads[i].fd = open_connection(port);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &loads[i]}};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, loads[i].fd, &event) == 0, "epoll");
  }
  uint64_t echoed = drive(epoll, loads, in_flight);
  printf("%d connections, %zu in flight on each: %llu messages/s of %d bytes echoed\n", CONNECTIONS,
      in_flight, (unsigned long long)(echoed / SECONDS), MESSAGE_SIZE);
}

int main(int argc, char **argv) {
  int report[2];
  uint16_t port;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  check(pipe(report) == 0, "pipe");
  pid_t server = fork();
  check(server >= 0, "fork");
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(report[1]);
    return 0;
  }
  check(read(report[0], &port, sizeof(port)) == sizeof(port), "the server did not start");
  if (argc == 3 && strcmp(argv[1], "--idle") == 0)
    measure_idle(port, server, atoi(argv[2]));
  else
    measure_echo(port, argc == 2 ? (size_t)atoi(argv[1]) : IN_FLIGHT_MAX);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  return 0;
}
