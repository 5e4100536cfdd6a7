/* server_device.h: a device over a real socket, for tests of the server library (a blocking
 * WebSocket client of some lines, for text frames under 64 KiB). What it waits for in vain for 10 s
 * fails the test.
 */
#ifndef SERVER_DEVICE_H
#define SERVER_DEVICE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef struct device {
  int fd;
  char message[65536];
} device;

static inline void read_exactly(device *d, void *to, size_t size) {
  for (size_t got = 0; got < size;) {
    ssize_t count = recv(d->fd, (char *)to + got, size - got, 0);
    if (count <= 0) fail_msg("the connection ended, or nothing came for 10 s");
    got += (size_t)count;
  }
}

/* The mask is four zeros: it changes nothing. */
static inline void send_text(device *d, const char *text) {
  size_t size = strlen(text);
  assert_true(size < 65536);
  unsigned char head[8] = {0x81, 0x80 | 126, (unsigned char)(size >> 8), (unsigned char)size};
  if (size < 126) head[1] = (unsigned char)(0x80 | size);
  if (size < 126) head[2] = head[3] = 0;
  ssize_t head_size = size < 126 ? 6 : 8;
  assert_int_equal(send(d->fd, head, (size_t)head_size, MSG_NOSIGNAL), head_size);
  assert_int_equal(send(d->fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* The next text message, NUL-terminated, in d->message. */
static inline const char *receive(device *d) {
  unsigned char head[2], extended[2];
  read_exactly(d, head, 2);
  assert_int_equal(head[0], 0x81);
  size_t size = head[1];
  if (size == 126) {
    read_exactly(d, extended, 2);
    size = (size_t)extended[0] << 8 | extended[1];
  }
  assert_true(size < sizeof(d->message));
  read_exactly(d, d->message, size);
  d->message[size] = 0;
  return d->message;
}

/* Reads on until a message holds `part`. */
static inline const char *receive_with(device *d, const char *part) {
  while (!strstr(receive(d), part))
    continue;
  return d->message;
}

/* Reads on until the connection is closed; the code. */
static inline unsigned receive_close(device *d) {
  unsigned char head[2], code[2];
  for (;;) {
    read_exactly(d, head, 2);
    if (head[0] == 0x88) break;
    size_t size = head[1];
    if (size == 126) {
      read_exactly(d, code, 2);
      size = (size_t)code[0] << 8 | code[1];
    }
    read_exactly(d, d->message, size);
  }
  read_exactly(d, code, 2);
  return (unsigned)code[0] << 8 | code[1];
}

/* ---- life ---- */

#define UPGRADE_HEADERS                                                                            \
  "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                               \
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

#define HELLO "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"accept\":[\"append\"]}}"

/* A connection, on which nothing was said. */
static inline device *dial_device(uint16_t port) {
  device *d = calloc(1, sizeof(*d));
  assert_non_null(d);
  d->fd = socket(AF_INET, SOCK_STREAM, 0);
  int on = 1;
  setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  struct timeval wait = {10, 0};
  setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(connect(d->fd, (struct sockaddr *)&address, sizeof(address)), 0);
  return d;
}

static inline void send_bytes(device *d, const char *bytes, size_t size) {
  assert_int_equal(send(d->fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Reads the head of the HTTP answer; its status. */
static inline int receive_answer(device *d) {
  char head[2048];
  size_t size = 0;
  do {
    assert_true(size < sizeof(head) - 1);
    read_exactly(d, head + size++, 1);
    head[size] = 0;
  } while (size < 4 || strcmp(head + size - 4, "\r\n\r\n") != 0);
  assert_int_equal(strncmp(head, "HTTP/1.1 ", 9), 0);
  return atoi(head + 9);
}

/* One whose upgrade, with this query and these further headers, was accepted. */
static inline device *open_device(uint16_t port, const char *query, const char *headers) {
  device *d = dial_device(port);
  char request[2048];
  int size = snprintf(
      request, sizeof(request), "GET /%s HTTP/1.1\r\n" UPGRADE_HEADERS "%s\r\n", query, headers);
  send_bytes(d, request, (size_t)size);
  assert_int_equal(receive_answer(d), 101);
  return d;
}

static inline device *connect_device(uint16_t port, const char *user) {
  char query[300];
  snprintf(query, sizeof(query), "?user=%s", user);
  device *d = open_device(port, query, "");
  send_text(d, HELLO);
  receive_with(d, "\"synced\"");
  return d;
}

static inline void disconnect(device *d) {
  close(d->fd);
  free(d);
}

#endif
