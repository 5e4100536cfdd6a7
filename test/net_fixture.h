/* test/net_fixture.h: an sdb_net and its clients in one thread, for tests over real sockets.
 *
 * `pump` runs one turn of the loop without blocking; a test pumps until what it
 * waits for is true, and fails after WAIT_MAX_MS.
 */
#ifndef SDB_TEST_NET_FIXTURE_H
#define SDB_TEST_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net/net.h"
#include "platform/platform.h"
#include "ws/frame.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MAX_MS 10000
#define CLIENT_INPUT_MAX (4 * 1024 * 1024)

/* ---- the server: echoes; a few messages are orders ---- */

typedef struct fixture {
  sdb_net *net;
  sdb_net_options options;
  uint16_t port;
  unsigned answer_close_code; /* for upgrades */
  size_t requests, messages, closed, woken, timers, levels, releases, retains;
  size_t last_level;
  sdb_conn *conn; /* the one accepted last, until it is closed */
  char last_path[256], last_query[256], last_remote[64], last_message[256];
  char *held; /* for sends that are not copied */
  bool stop_after_turn;
} fixture;

static void on_request(
    void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer) {
  fixture *f = context;
  f->requests++;
  snprintf(f->last_path, sizeof(f->last_path), "%.*s", (int)request->path.size, request->path.data);
  snprintf(f->last_query, sizeof(f->last_query), "%.*s", (int)request->query.size,
      request->query.data ? request->query.data : "");
  snprintf(f->last_remote, sizeof(f->last_remote), "%.*s", (int)request->remote.size,
      request->remote.data);
  if (request->upgrade && strcmp(f->last_path, "/ws") == 0) {
    answer->accept = true;
    answer->close_code = f->answer_close_code;
    answer->tag = f;
    if (!answer->close_code) f->conn = conn;
  } else if (strcmp(f->last_path, "/healthz") == 0) {
    answer->status = 200;
    answer->body = sdb_slice_of("ok\n");
  }
}

static void on_retain(void *owner) {
  ((fixture *)owner)->retains++;
}
static void on_release(void *owner) {
  ((fixture *)owner)->releases++;
}

/* Sends one text frame; over 4 KiB it is held in `f->held` until it is released. */
static void server_send(fixture *f, sdb_conn *conn, const char *text, size_t size) {
  free(f->held);
  f->held = malloc(size + SDB_WS_FRAME_HEADER_MAX);
  assert_non_null(f->held);
  size_t header = sdb_ws_frame_header(size, (unsigned char *)f->held);
  memcpy(f->held + header, text, size);
  sdb_net_send(conn, f->held, header + size, 1, f, on_retain, on_release);
}

static void on_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size) {
  fixture *f = context;
  assert_ptr_equal(tag, f);
  f->messages++;
  snprintf(f->last_message, sizeof(f->last_message), "%.*s", (int)size, message);
  if (size > 6 && memcmp(message, "pause,", 6) == 0) {
    sdb_net_pause(conn, true);
    sdb_net_close(conn, (unsigned)atoi(f->last_message + 6), sdb_slice_of("while paused"));
  } else if (size > 6 && memcmp(message, "close ", 6) == 0)
    sdb_net_close(conn, (unsigned)atoi(f->last_message + 6), sdb_slice_of("as asked"));
  else
    server_send(f, conn, message, size);
}

static void on_level(void *context, sdb_conn *conn, void *tag, size_t bytes) {
  fixture *f = context;
  (void)conn;
  assert_ptr_equal(tag, f);
  f->levels++;
  f->last_level = bytes;
}

static void on_closed(void *context, sdb_conn *conn, void *tag) {
  fixture *f = context;
  assert_ptr_equal(tag, f);
  f->closed++;
  if (f->conn == conn) f->conn = NULL;
}

static void on_woken(void *context) {
  ((fixture *)context)->woken++;
}
static void on_timer(void *context) {
  ((fixture *)context)->timers++;
}

static void on_turn_end(void *context) {
  fixture *f = context;
  if (f->stop_after_turn) sdb_net_stop(f->net);
}

static sdb_net_options fixture_options(fixture *f) {
  sdb_net_options options = {.mem = sdb_platform_mem(),
      .handler = {f, on_request, on_message, on_level, on_closed, on_woken, on_timer, on_turn_end},
      .message_bytes_max = 1024 * 1024,
      .output_hard_bytes = 4 * 1024 * 1024,
      .ping_interval_ms = 30000,
      .handshake_timeout_ms = 10000};
  return options;
}

/* Starts with f->options, which fixture_options filled. */
static inline void fixture_start(fixture *f) {
  sdb_error error;
  f->stop_after_turn = true;
  if (sdb_net_create(&f->options, &f->net, &error) != SDB_OK) fail_msg("%s", error.message);
  if (sdb_net_listen(f->net, "127.0.0.1", 0, &f->port, &error) != SDB_OK)
    fail_msg("%s", error.message);
}

static inline fixture *fixture_new(void) {
  fixture *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  f->options = fixture_options(f);
  return f;
}

static inline fixture *fixture_started(void) {
  fixture *f = fixture_new();
  fixture_start(f);
  return f;
}

static inline void fixture_free(fixture *f) {
  sdb_net_destroy(f->net);
  assert_int_equal(f->retains, f->releases);
  free(f->held);
  free(f);
}

static inline void pump(fixture *f) {
  sdb_net_wake(f->net);
  sdb_net_run(f->net);
}

static inline sdb_net_stats stats_of(const fixture *f) {
  sdb_net_stats stats;
  sdb_net_stats_get(f->net, &stats);
  return stats;
}

#define PUMP_UNTIL(f, condition)                                                                   \
  do {                                                                                             \
    uint64_t until_us = sdb_platform_monotonic_us() + WAIT_MAX_MS * 1000;                          \
    while (!(condition)) {                                                                         \
      if (sdb_platform_monotonic_us() > until_us) fail_msg("never came true: %s", #condition);     \
      pump(f);                                                                                     \
    }                                                                                              \
  } while (0)

/* ---- a client: not blocking, so that the test can pump the server ---- */

typedef struct client {
  fixture *f;
  int fd;
  SSL *ssl;
  char *in; /* what came and was not taken */
  size_t in_size;
  bool ended; /* the server's end or a reset came */
} client;

typedef struct frame {
  unsigned first; /* FIN, RSV and opcode */
  char *data;     /* in the client's buffer, until the next call; NUL behind it */
  size_t size;
} frame;

static inline client *client_connect(fixture *f) {
  client *c = calloc(1, sizeof(*c));
  assert_non_null(c);
  c->f = f;
  c->in = malloc(CLIENT_INPUT_MAX);
  assert_non_null(c->in);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(c->fd >= 0);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof(to)), 0);
  assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
  return c;
}

static inline void client_free(client *c) {
  SSL_free(c->ssl);
  close(c->fd);
  free(c->in);
  free(c);
}

/* How many bytes went; 0: not now. */
static inline size_t client_write_some(client *c, const char *data, size_t size) {
  ssize_t sent =
      c->ssl ? SSL_write(c->ssl, data, (int)size) : send(c->fd, data, size, MSG_NOSIGNAL);
  if (sent <= 0 && !c->ssl && errno != EAGAIN) c->ended = true;
  return sent > 0 ? (size_t)sent : 0;
}

static inline void client_write(client *c, const void *data, size_t size) {
  const char *at = data;
  while (size > 0 && !c->ended) {
    size_t sent = client_write_some(c, at, size);
    at += sent;
    size -= sent;
    if (sent == 0) pump(c->f);
  }
}

static inline void client_text(client *c, const char *text) {
  client_write(c, text, strlen(text));
}

/* Reads what is there; gives whether it was anything. */
static inline bool client_read(client *c) {
  size_t room = CLIENT_INPUT_MAX - 1 - c->in_size;
  char *to = c->in + c->in_size;
  ssize_t got = c->ssl ? SSL_read(c->ssl, to, (int)room) : recv(c->fd, to, room, 0);
  if (got <= 0) {
    if (c->ssl)
      c->ended |= SSL_get_error(c->ssl, (int)got) != SSL_ERROR_WANT_READ;
    else
      c->ended |= got == 0 || errno != EAGAIN;
    return false;
  }
  c->in_size += (size_t)got;
  return true;
}

static inline void client_take(client *c, size_t size) {
  c->in_size -= size;
  memmove(c->in, c->in + size, c->in_size);
}

/* Sends one frame: `first` is its first byte; masked unless `mask` is NULL. */
static inline void client_frame_masked(
    client *c, unsigned first, const void *data, size_t size, const char *mask) {
  unsigned char header[14] = {(unsigned char)first};
  size_t at = 2;
  header[1] = (unsigned char)(size < 126 ? size : size <= 65535 ? 126 : 127);
  if (header[1] >= 126) {
    size_t bytes = header[1] == 126 ? 2 : 8;
    for (size_t i = 0; i < bytes; i++)
      header[at++] = (unsigned char)((uint64_t)size >> 8 * (bytes - 1 - i));
  }
  if (mask) {
    header[1] |= 0x80;
    memcpy(header + at, mask, 4);
    at += 4;
  }
  char *all = malloc(at + size + 1);
  assert_non_null(all);
  memcpy(all, header, at);
  for (size_t i = 0; i < size; i++)
    all[at + i] = (char)(((const char *)data)[i] ^ (mask ? mask[i % 4] : 0));
  client_write(c, all, at + size);
  free(all);
}

static inline void client_frame(client *c, unsigned first, const void *data, size_t size) {
  client_frame_masked(c, first, data, size, "\x37\xfa\x21\x3d");
}

static inline void client_say(client *c, const char *text) {
  client_frame(c, 0x81, text, strlen(text));
}

/* Whether a whole frame is there; takes the one before off. */
static inline bool client_has_frame(client *c, frame *out) {
  const unsigned char *in = (const unsigned char *)c->in;
  if (c->in_size < 2) return false;
  assert_false(in[1] & 0x80);
  size_t header = in[1] < 126 ? 2 : in[1] == 126 ? 4 : 10;
  if (c->in_size < header) return false;
  uint64_t size = header == 2 ? in[1] : 0;
  for (size_t i = 2; i < header; i++)
    size = size << 8 | in[i];
  if (c->in_size - header < size) return false;
  *out = (frame){in[0], malloc(size + 1), size};
  memcpy(out->data, c->in + header, size);
  out->data[size] = 0;
  client_take(c, header + size);
  return true;
}

/* The next frame; `out->data` is the caller's to free. */
static inline void client_next(client *c, frame *out) {
  PUMP_UNTIL(c->f, client_has_frame(c, out) || (client_read(c) && false));
}

static inline void client_expect(client *c, unsigned first, const char *text) {
  frame got;
  client_next(c, &got);
  assert_int_equal(got.first, first);
  assert_int_equal(got.size, strlen(text));
  assert_string_equal(got.data, text);
  free(got.data);
}

/* A close frame with this code, then the end. */
static inline void client_expect_close(client *c, unsigned code) {
  frame got;
  client_next(c, &got);
  assert_int_equal(got.first, 0x88);
  assert_true(got.size >= 2);
  assert_int_equal((unsigned char)got.data[0] << 8 | (unsigned char)got.data[1], code);
  free(got.data);
}

static inline void client_expect_end(client *c) {
  PUMP_UNTIL(c->f, c->ended || (client_read(c) && false));
  assert_int_equal(c->in_size, 0);
}

static const char UPGRADE[] = "GET /ws?token=t%20k HTTP/1.1\r\nHost: localhost\r\n"
                              "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Version: 13\r\n";

/* Reads a response head, NUL-terminated in `head` (of `size` bytes); what follows stays. */
static inline void client_read_head(client *c, char *head, size_t size) {
  char *end;
  c->in[c->in_size] = 0;
  PUMP_UNTIL(c->f, (c->in[c->in_size] = 0, (end = strstr(c->in, "\r\n\r\n")) != NULL) ||
                       (client_read(c) && false));
  size_t length = (size_t)(end - c->in) + 4;
  assert_true(length < size);
  memcpy(head, c->in, length);
  head[length] = 0;
  client_take(c, length);
}

/* Upgrades with `headers` (whole lines) added; the response's head goes to `head` of 1024 bytes. */
static inline void client_upgrade(client *c, const char *headers, char *head) {
  client_text(c, UPGRADE);
  client_text(c, headers);
  client_text(c, "\r\n");
  client_read_head(c, head, 1024);
}

/* A client whose WebSocket is open. */
static inline client *client_open(fixture *f) {
  char head[1024];
  client *c = client_connect(f);
  client_upgrade(c, "", head);
  assert_memory_equal(head, "HTTP/1.1 101 ", 13);
  return c;
}

#endif
