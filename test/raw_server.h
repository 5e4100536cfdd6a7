/* test/raw_server.h: a TCP server without a library, so that a test says each byte of it. */
#ifndef SDB_TEST_RAW_SERVER_H
#define SDB_TEST_RAW_SERVER_H

#include "dial_fixture.h"
#include "ws/client_http.h"
#include "ws/receive.h"
#include <openssl/sha.h>

typedef struct raw {
  int listener, fd;
  uint16_t port;
  char in[65536]; /* what came and was not taken; NUL behind it */
  size_t in_size;
  bool ended; /* the client's end came, or a reset */
} raw;

static inline raw *raw_listen(void) {
  raw *r = calloc(1, sizeof(*r));
  assert_non_null(r);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(at);
  r->fd = -1;
  r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_true(r->listener >= 0);
  assert_int_equal(bind(r->listener, (struct sockaddr *)&at, sizeof(at)), 0);
  assert_int_equal(listen(r->listener, 16), 0);
  assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &size), 0);
  r->port = ntohs(at.sin_port);
  return r;
}

static inline void raw_hang_up(raw *r) {
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
}

/* Closes with a reset, as a machine that is gone. */
static inline void raw_reset(raw *r) {
  struct linger hard = {1, 0};
  assert_int_equal(setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
  raw_hang_up(r);
}

static inline void raw_free(raw *r) {
  raw_hang_up(r);
  close(r->listener);
  free(r);
}

static inline bool raw_accepted(raw *r) {
  if (r->fd < 0) r->fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return r->fd >= 0;
}

/* Reads what is there. Always false, to stand in a condition. */
static inline bool raw_read(raw *r) {
  ssize_t got = recv(r->fd, r->in + r->in_size, sizeof(r->in) - 1 - r->in_size, 0);
  if (got > 0) r->in_size += (size_t)got;
  if (got == 0 || (got < 0 && errno != EAGAIN)) r->ended = true;
  r->in[r->in_size] = 0;
  return false;
}

static inline void raw_take(raw *r, size_t size) {
  r->in_size -= size;
  memmove(r->in, r->in + size, r->in_size + 1);
}

/* Accepts, and waits for a whole request head. */
static inline void raw_expect_request(raw *r, dialler *d) {
  UNTIL(d, NULL, raw_accepted(r));
  UNTIL(d, NULL, strstr(r->in, "\r\n\r\n") || raw_read(r));
}

static inline void raw_send(raw *r, const void *data, size_t size) {
  assert_int_equal(send(r->fd, data, size, MSG_NOSIGNAL), size);
}

static inline void raw_text(raw *r, const char *text) {
  raw_send(r, text, strlen(text));
}

static inline void raw_sha1(const void *data, size_t size, unsigned char *digest) {
  SHA1(data, size, digest);
}

/* Writes the answer that the request asks for to `answer`, with `headers` (whole lines) added, and
 * takes the request. */
static inline void raw_answer_for(raw *r, const char *headers, char *answer, size_t capacity) {
  static const char NAME[] = "Sec-WebSocket-Key: ";
  char accept[SDB_WS_ACCEPT_SIZE];
  const char *key = strstr(r->in, NAME);
  assert_non_null(key);
  key += sizeof(NAME) - 1;
  sdb_ws_accept(sdb_slice_make(key, SDB_WS_KEY_SIZE), raw_sha1, accept);
  snprintf(answer, capacity,
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: %.*s\r\n%s\r\n",
      (int)sizeof(accept), accept, headers);
  raw_take(r, (size_t)(strstr(r->in, "\r\n\r\n") + 4 - r->in));
}

/* Accepts the dialler's connection and upgrades it. */
static inline void raw_open_with(raw *r, dialler *d, const char *headers) {
  char answer[1024];
  raw_expect_request(r, d);
  raw_answer_for(r, headers, answer, sizeof(answer));
  raw_text(r, answer);
  UNTIL(d, NULL, d->opened == 1);
}

/* Dials a new raw server, whose WebSocket is then open. */
static inline raw *raw_opened(dialler *d) {
  raw *r = raw_listen();
  dialler_dial_port(d, "ws", r->port);
  raw_open_with(r, d, "");
  return r;
}

/* The next frame must have this first byte, and this payload behind its mask. */
static inline void raw_expect_frame(
    raw *r, dialler *d, unsigned first, const char *payload, size_t size) {
  const unsigned char *in = (const unsigned char *)r->in;
  assert_true(size < 126);
  UNTIL(d, NULL, r->in_size >= 6 + size || raw_read(r));
  assert_int_equal(in[0], first);
  assert_int_equal(in[1], 0x80 | size);
  sdb_ws_mask(r->in + 6, r->in + 6, size, in + 2, 0);
  assert_memory_equal(r->in + 6, payload, size);
  raw_take(r, 6 + size);
}

static inline void raw_expect_end(raw *r, dialler *d) {
  UNTIL(d, NULL, r->ended || raw_read(r));
  assert_int_equal(r->in_size, 0);
}

#endif
