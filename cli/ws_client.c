/* cli/ws_client.c: one WebSocket connection, from the TCP connect to the close.
 *
 * A connection goes through phases, each only forward (but for TCP, which tries the next address):
 * TCP -> TLS (wss only) -> UPGRADE (the request is out, its answer awaited) -> FRAMES -> ENDED.
 *
 * Input is read into the reader buffer that all connections share; what is left of it, part of a
 * frame or of the HTTP answer, is kept in `rest` and stands before the next read. A frame too large
 * for the shared buffer grows `rest` as its bytes arrive, never by the length that it announces.
 * Output is collected in `output` and written by flush.
 *
 * A frame (RFC 6455 section 5.2), from the server, so never masked:
 *   byte 0: FIN, three reserved bits (0), opcode; byte 1: mask bit (0) and length 0..125,
 *   or 126: two bytes of length follow, or 127: eight; then the payload.
 */
#include "ws_client.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_HEAD_MAX 16384
#define CONTROL_PAYLOAD_MAX 125
#define FRAME_HEADER_MAX 14
#define CLIENT_FRAME_MASKED 0x80

typedef enum ws_phase { PHASE_TCP, PHASE_TLS, PHASE_UPGRADE, PHASE_FRAMES, PHASE_ENDED } ws_phase;
typedef enum ws_opcode {
  CONTINUATION = 0,
  TEXT = 1,
  BINARY = 2,
  CLOSE = 8,
  PING = 9,
  PONG = 10
} ws_opcode;

typedef struct bytes {
  unsigned char *data;
  size_t size, capacity;
} bytes;

struct sdb_ws_client {
  sdb_ws_client_options options;
  const struct addrinfo *address;
  SSL *tls;
  int fd;
  ws_phase phase;
  bool tls_wants_write, close_sent, in_message;
  uint64_t random; /* for masks */
  bytes rest, output, message;
  size_t written; /* of output */
  uint64_t bytes_in;
  char accept[32]; /* what Sec-WebSocket-Accept must be */
  unsigned close_code;
  char close_reason[CONTROL_PAYLOAD_MAX + 1];
  char error[SDB_WS_CLIENT_ERROR_SIZE];
};

bool sdb_ws_reader_create(sdb_ws_reader *reader, size_t size) {
  reader->data = malloc(size);
  reader->size = reader->data ? size : 0;
  return reader->data != NULL;
}

void sdb_ws_reader_destroy(sdb_ws_reader *reader) {
  free(reader->data);
  reader->data = NULL;
}

static bool reserve(bytes *buffer, size_t more) {
  if (buffer->capacity - buffer->size >= more) return true;
  size_t capacity = buffer->capacity ? buffer->capacity : 512;
  while (capacity - buffer->size < more)
    capacity *= 2;
  unsigned char *data = realloc(buffer->data, capacity);
  if (!data) return false;
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

/* ---- the end ---- */

static void end(sdb_ws_client *client) {
  if (client->tls) SSL_free(client->tls);
  client->tls = NULL;
  if (client->fd >= 0) close(client->fd);
  client->fd = -1;
  client->phase = PHASE_ENDED;
}

static void end_with(sdb_ws_client *client, const char *what, const char *why) {
  snprintf(client->error, sizeof(client->error), "%s%s%s", what, why[0] ? ": " : "", why);
  if (client->close_code == 0) client->close_code = 1006;
  end(client);
}

/* ---- output ---- */

static uint32_t next_mask(sdb_ws_client *client) {
  client->random ^= client->random << 13;
  client->random ^= client->random >> 7;
  client->random ^= client->random << 17;
  return (uint32_t)(client->random >> 16);
}

static size_t frame_header(unsigned char *header, ws_opcode opcode, size_t size) {
  header[0] = (unsigned char)(0x80 | opcode);
  if (size <= 125) {
    header[1] = (unsigned char)(CLIENT_FRAME_MASKED | size);
    return 2;
  }
  int length_bytes = size <= 0xffff ? 2 : 8;
  header[1] = (unsigned char)(CLIENT_FRAME_MASKED | (length_bytes == 2 ? 126 : 127));
  for (int at = 0; at < length_bytes; at++)
    header[2 + at] = (unsigned char)((uint64_t)size >> (8 * (length_bytes - 1 - at)));
  return (size_t)(2 + length_bytes);
}

static void copy_masked(unsigned char *to, const char *from, size_t size, uint32_t mask) {
  uint64_t wide = (uint64_t)mask << 32 | mask;
  size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    uint64_t word;
    memcpy(&word, from + at, 8);
    word ^= wide;
    memcpy(to + at, &word, 8);
  }
  unsigned char mask_bytes[4];
  memcpy(mask_bytes, &mask, 4);
  for (; at < size; at++)
    to[at] = (unsigned char)from[at] ^ mask_bytes[at & 3];
}

static void queue_frame(sdb_ws_client *client, ws_opcode opcode, const char *payload, size_t size) {
  bytes *output = &client->output;
  if (!reserve(output, FRAME_HEADER_MAX + size)) {
    end_with(client, "out of memory", "");
    return;
  }
  unsigned char *at = output->data + output->size;
  size_t header_size = frame_header(at, opcode, size);
  uint32_t mask = next_mask(client);
  memcpy(at + header_size, &mask, 4);
  copy_masked(at + header_size + 4, payload, size, mask);
  output->size += header_size + 4 + size;
}

/* Bytes written, 0: try again when writable, -1: broken (errno, or the TLS error queue, says). */
static ssize_t transport_write(sdb_ws_client *client, const unsigned char *data, size_t size) {
  if (!client->tls) {
    ssize_t sent = send(client->fd, data, size, MSG_NOSIGNAL);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
  }
  size_t sent = 0;
  ERR_clear_error();
  if (SSL_write_ex(client->tls, data, size, &sent)) return (ssize_t)sent;
  int why = SSL_get_error(client->tls, 0);
  return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

void sdb_ws_client_flush(sdb_ws_client *client) {
  bytes *output = &client->output;
  if (client->phase != PHASE_UPGRADE && client->phase != PHASE_FRAMES) return;
  while (client->written < output->size) {
    ssize_t sent =
        transport_write(client, output->data + client->written, output->size - client->written);
    if (sent == 0) return;
    /* A peer that closed may have said why: its close frame is still to be read. */
    if (sent < 0) break;
    client->written += (size_t)sent;
  }
  client->written = output->size = 0;
}

static void send_close(sdb_ws_client *client, unsigned code, const char *reason) {
  char payload[CONTROL_PAYLOAD_MAX];
  size_t size = strlen(reason);
  if (size > sizeof(payload) - 2) size = sizeof(payload) - 2;
  payload[0] = (char)(code >> 8);
  payload[1] = (char)(code & 0xff);
  memcpy(payload + 2, reason, size);
  queue_frame(client, CLOSE, payload, code ? size + 2 : 0);
  client->close_sent = true;
  sdb_ws_client_flush(client);
}

/* The peer broke the protocol or a limit: say so, and do not wait for its answer. */
static void fail(sdb_ws_client *client, unsigned code, const char *why) {
  send_close(client, code, why);
  client->close_code = code;
  end_with(client, why, "");
}

/* ---- frames ---- */

static void on_close_frame(sdb_ws_client *client, const unsigned char *payload, size_t size) {
  client->close_code = 1005;
  if (size >= 2) {
    client->close_code = (unsigned)payload[0] << 8 | payload[1];
    memcpy(client->close_reason, payload + 2, size - 2);
    client->close_reason[size - 2] = 0;
  }
  if (!client->close_sent) send_close(client, size >= 2 ? client->close_code : 0, "");
  end(client);
}

static void on_control(
    sdb_ws_client *client, ws_opcode opcode, const unsigned char *payload, size_t size) {
  if (opcode == CLOSE) {
    if (size == 1) return fail(client, 1002, "the server sent a close frame of one byte");
    on_close_frame(client, payload, size);
  } else if (opcode == PING) {
    queue_frame(client, PONG, (const char *)payload, size);
    sdb_ws_client_flush(client);
  }
}

static void deliver(sdb_ws_client *client, const unsigned char *text, size_t size) {
  client->options.handler->message(client, client->options.tag, (const char *)text, size);
}

static void on_fragment(
    sdb_ws_client *client, bool last, const unsigned char *payload, size_t size) {
  bytes *message = &client->message;
  if (message->size + size > client->options.message_bytes_max)
    return fail(client, 1009, "the server sent a message over the size limit");
  if (!reserve(message, size)) return fail(client, 1011, "out of memory");
  if (size > 0) memcpy(message->data + message->size, payload, size);
  message->size += size;
  client->in_message = !last;
  if (!last) return;
  deliver(client, message->data, message->size);
  message->size = 0;
}

static void on_frame(
    sdb_ws_client *client, bool last, ws_opcode opcode, const unsigned char *payload, size_t size) {
  if (opcode == CLOSE || opcode == PING || opcode == PONG)
    return on_control(client, opcode, payload, size);
  if (opcode == BINARY) return fail(client, 1003, "the server sent a binary message");
  if ((opcode == CONTINUATION) != client->in_message)
    return fail(client, 1002, "the server sent fragments out of order");
  if (opcode == TEXT && last) return deliver(client, payload, size);
  on_fragment(client, last, payload, size);
}

/* What is wrong with a frame's first two bytes, or NULL. */
static const char *header_problem(const unsigned char *header) {
  unsigned code = header[0] & 0x0f;
  if (header[0] & 0x70) return "the server sent a frame with reserved bits";
  if (header[1] & 0x80) return "the server sent a masked frame";
  if (code > PONG || (code > BINARY && code < CLOSE)) return "the server sent an unknown opcode";
  if (code >= CLOSE && (!(header[0] & 0x80) || (header[1] & 0x7f) > CONTROL_PAYLOAD_MAX))
    return "the server sent a control frame that is fragmented or too long";
  return NULL;
}

/* Takes one frame from the front of `data`. Gives its size, or 0: not all of it is there yet, or
 * the connection ended. */
static size_t take_frame(sdb_ws_client *client, const unsigned char *data, size_t size) {
  if (size < 2) return 0;
  const char *problem = header_problem(data);
  if (problem) {
    fail(client, 1002, problem);
    return 0;
  }
  size_t header_size = 2;
  uint64_t length = data[1] & 0x7f;
  if (length >= 126) {
    size_t length_bytes = length == 126 ? 2 : 8;
    if (size < 2 + length_bytes) return 0;
    length = 0;
    for (size_t at = 0; at < length_bytes; at++)
      length = length << 8 | data[2 + at];
    header_size += length_bytes;
  }
  if (length > client->options.message_bytes_max) {
    fail(client, 1009, "the server sent a message over the size limit");
    return 0;
  }
  if (size - header_size < length) return 0;
  on_frame(client, (data[0] & 0x80) != 0, (ws_opcode)(data[0] & 0x0f), data + header_size,
      (size_t)length);
  return header_size + (size_t)length;
}

/* ---- the HTTP upgrade ---- */

static void expected_accept(const char *key, char accept[32]) {
  char text[96];
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_size = 0;
  int size = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  EVP_Digest(text, (size_t)size, digest, &digest_size, EVP_sha1(), NULL);
  EVP_EncodeBlock((unsigned char *)accept, digest, (int)digest_size);
}

/* The request waits in `output` until TCP and TLS are through. */
static void queue_upgrade(sdb_ws_client *client) {
  const sdb_ws_endpoint *endpoint = client->options.endpoint;
  const char *target = client->options.target ? client->options.target : endpoint->target;
  const char *token = client->options.token;
  unsigned char nonce[16];
  char key[32];
  RAND_bytes(nonce, sizeof(nonce));
  EVP_EncodeBlock((unsigned char *)key, nonce, sizeof(nonce));
  expected_accept(key, client->accept);
  size_t room = 512 + strlen(target) + strlen(endpoint->authority) + (token ? strlen(token) : 0);
  if (!reserve(&client->output, room)) return end_with(client, "out of memory", "");
  int size = snprintf((char *)client->output.data, room,
      "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: syncdb.v1\r\n%s%s%s\r\n",
      target, endpoint->authority, key, token ? "Authorization: Bearer " : "", token ? token : "",
      token ? "\r\n" : "");
  client->output.size = (size_t)size;
}

/* The value of header `name` (with its colon) in `head`, which ends in NUL; NULL where absent. */
static const char *header_value(const char *head, const char *name) {
  size_t size = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, size) == 0) return line + size + strspn(line + size, " \t");
  }
  return NULL;
}

static void refused(sdb_ws_client *client, const char *head, const char *body, size_t body_size) {
  const char *status = strchr(head, ' ');
  char why[128];
  snprintf(why, sizeof(why), "%.*s", status ? (int)strcspn(status + 1, "\r") : 0,
      status ? status + 1 : "");
  int size = (int)(body_size < 80 ? body_size : 80);
  while (size > 0 && (unsigned char)body[size - 1] <= ' ')
    size--;
  snprintf(client->error, sizeof(client->error), "the server refused the upgrade: %s%s%.*s", why,
      size ? ": " : "", size, body);
  client->close_code = 1006;
  end(client);
}

/* Takes the HTTP answer from the front of `data`; its size, or 0 as take_frame. */
static size_t take_upgrade(sdb_ws_client *client, const unsigned char *data, size_t size) {
  const unsigned char *behind = memmem(data, size, "\r\n\r\n", 4);
  size_t head_size = behind ? (size_t)(behind - data) + 4 : size;
  if (head_size > HTTP_HEAD_MAX) end_with(client, "the server's HTTP answer is too long", "");
  if (!behind || client->phase == PHASE_ENDED) return 0;
  char head[HTTP_HEAD_MAX + 1];
  memcpy(head, data, head_size - 2);
  head[head_size - 2] = 0;
  if (strncmp(head, "HTTP/1.1 101", 12) != 0) {
    refused(client, head, (const char *)data + head_size, size - head_size);
    return 0;
  }
  const char *accept = header_value(head, "Sec-WebSocket-Accept:");
  size_t accept_size = strlen(client->accept);
  if (!accept || strncmp(accept, client->accept, accept_size) != 0 ||
      (accept[accept_size] != '\r' && accept[accept_size] != ' ')) {
    end_with(client, "the server does not speak WebSocket", "wrong Sec-WebSocket-Accept");
    return 0;
  }
  client->phase = PHASE_FRAMES;
  client->options.handler->opened(client, client->options.tag);
  return head_size;
}

/* ---- input ---- */

/* Bytes read, 0: the connection ended, -1: try again when readable, -2: broken. */
static ssize_t transport_read(sdb_ws_client *client, unsigned char *data, size_t size) {
  if (!client->tls) {
    ssize_t got = recv(client->fd, data, size, 0);
    return got >= 0 ? got : errno == EAGAIN || errno == EINTR ? -1 : -2;
  }
  size_t got = 0;
  ERR_clear_error();
  if (SSL_read_ex(client->tls, data, size, &got)) return (ssize_t)got;
  int why = SSL_get_error(client->tls, 0);
  if (why == SSL_ERROR_ZERO_RETURN) return 0;
  return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : -2;
}

/* Keeps the `size` bytes at `left` for the next read; they may lie in `rest` already. */
static bool keep_rest(sdb_ws_client *client, const unsigned char *left, size_t size) {
  bytes *rest = &client->rest;
  bool inside = rest->data && left >= rest->data && left <= rest->data + rest->capacity;
  if (!inside) rest->size = 0;
  if (!inside && !reserve(rest, size)) return false;
  if (size > 0) memmove(rest->data, left, size);
  rest->size = size;
  return true;
}

static void take_all(sdb_ws_client *client, const unsigned char *data, size_t size) {
  size_t taken = 0;
  for (size_t step = 1; step > 0 && client->phase != PHASE_ENDED; taken += step) {
    step = client->phase == PHASE_UPGRADE ? take_upgrade(client, data + taken, size - taken)
                                          : take_frame(client, data + taken, size - taken);
  }
  if (client->phase == PHASE_ENDED) return;
  if (!keep_rest(client, data + taken, size - taken)) end_with(client, "out of memory", "");
}

/* Reads once. True: there may be more at once. */
static bool receive(sdb_ws_client *client) {
  const sdb_ws_reader *reader = client->options.reader;
  bytes *rest = &client->rest;
  unsigned char *buffer = reader->data;
  size_t capacity = reader->size;
  if (rest->size > reader->size / 2) {
    if (!reserve(rest, reader->size / 2)) {
      end_with(client, "out of memory", "");
      return false;
    }
    buffer = rest->data;
    capacity = rest->capacity;
  } else if (rest->size > 0) {
    memcpy(buffer, rest->data, rest->size);
  }
  ssize_t got = transport_read(client, buffer + rest->size, capacity - rest->size);
  if (got == -1) return false;
  if (got <= 0) {
    const char *why = got == 0 || client->tls ? "" : strerror(errno);
    end_with(client, "the connection ended without a close frame", why);
    return false;
  }
  client->bytes_in += (uint64_t)got;
  take_all(client, buffer, rest->size + (size_t)got);
  return client->phase != PHASE_ENDED && client->tls != NULL;
}

/* ---- connecting ---- */

/* Tries the addresses from client->address on until one connects or is on its way. */
static void connect_next(sdb_ws_client *client, int error) {
  for (; client->address; client->address = client->address->ai_next) {
    const struct addrinfo *to = client->address;
    if (client->fd >= 0) close(client->fd);
    client->fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
      error = errno;
      continue;
    }
    int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(client->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) return;
    error = errno;
  }
  end_with(client, "cannot connect", strerror(error));
}

static void start_tls(sdb_ws_client *client) {
  const sdb_ws_endpoint *endpoint = client->options.endpoint;
  client->tls = SSL_new(endpoint->tls_context);
  if (!client->tls || !SSL_set_fd(client->tls, client->fd))
    return end_with(client, "TLS could not be set up", "");
  unsigned char address[sizeof(struct in6_addr)];
  X509_VERIFY_PARAM *verify = SSL_get0_param(client->tls);
  bool numeric = inet_pton(AF_INET, endpoint->host, address) == 1 ||
                 inet_pton(AF_INET6, endpoint->host, address) == 1;
  bool named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(verify, endpoint->host)
                       : SSL_set_tlsext_host_name(client->tls, endpoint->host) &&
                             X509_VERIFY_PARAM_set1_host(verify, endpoint->host, 0);
  if (!named) return end_with(client, "TLS could not be set up", "");
  client->phase = PHASE_TLS;
}

static void go_on_tls(sdb_ws_client *client) {
  ERR_clear_error();
  int done = SSL_connect(client->tls);
  client->tls_wants_write = false;
  if (done == 1) {
    client->phase = PHASE_UPGRADE;
    return;
  }
  int why = SSL_get_error(client->tls, done);
  client->tls_wants_write = why == SSL_ERROR_WANT_WRITE;
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return;
  long verify = SSL_get_verify_result(client->tls);
  unsigned long code = ERR_get_error();
  const char *text = verify != X509_V_OK ? X509_verify_cert_error_string(verify)
                     : code              ? ERR_reason_error_string(code)
                                         : "the connection ended";
  end_with(client, "TLS failed", text ? text : "unknown error");
}

/* The socket became writable or has an error: TCP is connected or failed. */
static void go_on_tcp(sdb_ws_client *client) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
  if (error) {
    client->address = client->address->ai_next;
    return connect_next(client, error);
  }
  if (client->options.endpoint->tls_context) return start_tls(client);
  client->phase = PHASE_UPGRADE;
}

void sdb_ws_client_on_ready(sdb_ws_client *client, bool readable, bool writable) {
  ws_phase before = client->phase;
  if (client->phase == PHASE_TCP && writable) go_on_tcp(client);
  if (client->phase == PHASE_TLS) go_on_tls(client);
  bool began = client->phase == PHASE_UPGRADE && before != PHASE_UPGRADE;
  if (writable || began) sdb_ws_client_flush(client);
  if (client->phase != PHASE_UPGRADE && client->phase != PHASE_FRAMES) return;
  /* TLS may hold decrypted bytes that no poll of the socket would tell of. */
  while ((readable || client->tls) && receive(client)) {
  }
}

/* ---- the owner's calls ---- */

sdb_ws_client *sdb_ws_client_create(const sdb_ws_client_options *options) {
  sdb_ws_client *client = calloc(1, sizeof(*client));
  if (!client) return NULL;
  client->options = *options;
  client->fd = -1;
  client->phase = PHASE_TCP;
  RAND_bytes((unsigned char *)&client->random, sizeof(client->random));
  client->random |= 1;
  client->address = options->endpoint->addresses;
  queue_upgrade(client);
  if (client->phase == PHASE_TCP) connect_next(client, EADDRNOTAVAIL);
  return client;
}

void sdb_ws_client_free(sdb_ws_client *client) {
  if (!client) return;
  end(client);
  free(client->rest.data);
  free(client->output.data);
  free(client->message.data);
  free(client);
}

sdb_ws_client_state sdb_ws_client_state_of(const sdb_ws_client *client) {
  if (client->phase == PHASE_ENDED) return SDB_WS_CLIENT_CLOSED;
  if (client->phase != PHASE_FRAMES) return SDB_WS_CLIENT_CONNECTING;
  return client->close_sent ? SDB_WS_CLIENT_CLOSING : SDB_WS_CLIENT_OPEN;
}

int sdb_ws_client_fd(const sdb_ws_client *client) {
  return client->fd;
}

bool sdb_ws_client_wants_read(const sdb_ws_client *client) {
  return client->fd >= 0 && client->phase != PHASE_TCP;
}

bool sdb_ws_client_wants_write(const sdb_ws_client *client) {
  if (client->fd < 0) return false;
  return client->phase == PHASE_TCP || client->tls_wants_write ||
         client->written < client->output.size;
}

void sdb_ws_client_send(sdb_ws_client *client, const char *text, size_t size) {
  if (sdb_ws_client_state_of(client) == SDB_WS_CLIENT_OPEN) queue_frame(client, TEXT, text, size);
}

void sdb_ws_client_close(sdb_ws_client *client, unsigned code, const char *reason) {
  if (client->phase == PHASE_FRAMES && !client->close_sent) send_close(client, code, reason);
  if (client->phase != PHASE_FRAMES) end(client);
}

unsigned sdb_ws_client_close_code(const sdb_ws_client *client) {
  return client->close_code;
}
const char *sdb_ws_client_close_reason(const sdb_ws_client *client) {
  return client->close_reason;
}
const char *sdb_ws_client_error(const sdb_ws_client *client) {
  return client->error;
}
uint64_t sdb_ws_client_bytes_in(const sdb_ws_client *client) {
  return client->bytes_in;
}
