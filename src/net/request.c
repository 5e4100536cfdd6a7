/* net/request.c: the HTTP head that opens a connection, and the answer to it. */
#include "net/dialled.h"
#include "ws/http.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <sys/socket.h>

#define RESPONSE_MAX (16 * 1024 * 1024) /* bytes that are copied; /metrics is the largest */

typedef struct peer_address {
  char text[INET6_ADDRSTRLEN];
  bool loopback;
} peer_address;

/* What we were told of it: an address without a zone, as sdb_adopt checked. */
static void read_peer(const char *remote, peer_address *peer) {
  struct in_addr v4;
  struct in6_addr v6;
  size_t size = strnlen(remote, sizeof(peer->text) - 1);
  memcpy(peer->text, remote, size);
  peer->text[size] = 0;
  if (inet_pton(AF_INET, peer->text, &v4) == 1)
    peer->loopback = ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
  else if (inet_pton(AF_INET6, peer->text, &v6) == 1)
    peer->loopback = IN6_IS_ADDR_LOOPBACK(&v6);
}

static void get_peer(const sdb_conn *conn, peer_address *peer) {
  struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
  socklen_t size = sizeof(address);
  *peer = (peer_address){.loopback = false};
  if (conn->remote) {
    read_peer(conn->remote, peer);
    return;
  }
  if (getpeername(conn->fd, (struct sockaddr *)&address, &size) != 0) return;
  if (address.ss_family == AF_INET) {
    struct in_addr ip = ((struct sockaddr_in *)&address)->sin_addr;
    peer->loopback = ntohl(ip.s_addr) >> 24 == IN_LOOPBACKNET;
    inet_ntop(AF_INET, &ip, peer->text, sizeof(peer->text));
  } else if (address.ss_family == AF_INET6) {
    struct in6_addr ip = ((struct sockaddr_in6 *)&address)->sin6_addr;
    peer->loopback = IN6_IS_ADDR_LOOPBACK(&ip);
    inet_ntop(AF_INET6, &ip, peer->text, sizeof(peer->text));
  }
}

bool sdb_conn_is_loopback(const sdb_conn *conn) {
  peer_address peer;
  get_peer(conn, &peer);
  return peer.loopback;
}

void sdb_conn_sha1(const void *data, size_t size, unsigned char *digest) {
  SHA1(data, size, digest);
}

/* Queues what `out` holds and frees it. False: the connection was killed. */
static bool queue_buffer(sdb_conn *conn, sdb_buffer *out) {
  bool ok = out->status == SDB_OK && sdb_conn_queue(conn, out->data, out->size);
  sdb_buffer_free(out);
  if (!ok) sdb_conn_kill(conn);
  return ok;
}

/* `head`: the body is left out. The peer has its time to take it all, and is then waited for. */
static void respond(sdb_conn *conn, const sdb_net_answer *answer, bool head) {
  sdb_buffer out;
  sdb_buffer_init(&out, conn->net->mem, RESPONSE_MAX);
  sdb_http_write_head(
      &out, answer->status, answer->content_type, answer->headers, answer->body.size);
  if (!head && !answer->held) sdb_buffer_append_slice(&out, answer->body);
  if (!queue_buffer(conn, &out)) return;
  if (!head && answer->held && !sdb_conn_queue_held(conn, answer->body)) return;
  sdb_conn_linger(conn);
  sdb_conn_wait(conn, SDB_WAIT_ANSWER);
}

static void refuse(sdb_conn *conn, unsigned status) {
  sdb_net_answer answer = {.status = status};
  conn->net->stats.refused_http++;
  respond(conn, &answer, false);
}

/* No Origin: not a browser's page, which is all that this check is about. */
static bool origin_allowed(const sdb_net_options *options, const sdb_http_request *head) {
  if (!head->origin.data) return true;
  if (options->origins_count == 0) return sdb_http_same_host(head->origin, head->host);
  for (size_t i = 0; i < options->origins_count; i++) {
    sdb_slice origin = sdb_slice_of(options->origins[i]);
    if (sdb_slice_equal(origin, sdb_slice_of("*")) || sdb_slice_equal(origin, head->origin))
      return true;
  }
  return false;
}

/* Agrees to compression where it was offered and pays. */
static bool agree_on_deflate(sdb_conn *conn, const sdb_http_request *head, bool loopback) {
  const sdb_net_options *options = &conn->net->options;
  if (!head->deflate.offered || !options->compress) return false;
  if (loopback && !options->compress_loopback) return false;
  conn->deflate_bits = (uint8_t)head->deflate.server_window_bits;
  conn->net->stats.connections_compressed++;
  return true;
}

void sdb_conn_open(sdb_conn *conn, bool deflate) {
  sdb_net *net = conn->net;
  sdb_ws_sender sender = conn->dial ? SDB_WS_FROM_SERVER : SDB_WS_FROM_CLIENT;
  sdb_buffer_free(&conn->head);
  sdb_ws_receiver_init(&conn->receiver, sender, net->mem, net->options.message_bytes_max, deflate);
  conn->upgraded = true;
  conn->state = SDB_CONN_OPEN;
  sdb_conn_wait(conn, SDB_WAIT_INPUT);
}

static void upgrade(
    sdb_conn *conn, const sdb_http_request *head, const sdb_net_answer *answer, bool loopback) {
  sdb_net *net = conn->net;
  sdb_buffer out;
  bool deflate = agree_on_deflate(conn, head, loopback);
  sdb_buffer_init(&out, net->mem, RESPONSE_MAX);
  sdb_ws_write_upgrade(&out, head, deflate, sdb_conn_sha1);
  conn->tag = answer->tag;
  conn->accepted = answer->close_code == 0;
  if (!queue_buffer(conn, &out)) return;
  sdb_conn_open(conn, deflate);
  net->stats.accepted++;
  if (answer->close_code) sdb_net_close(conn, answer->close_code, answer->body);
}

/* Asks the owner. */
static void ask(
    sdb_conn *conn, sdb_slice text, const sdb_http_request *head, const peer_address *peer) {
  const sdb_net_handler *handler = &conn->net->options.handler;
  sdb_net_request request = {.method = head->method,
      .path = head->path,
      .query = head->query,
      .origin = head->origin,
      .host = head->host,
      .authorization = head->authorization,
      .cookie = head->cookie,
      .if_none_match = head->if_none_match,
      .gzip = head->gzip,
      .remote = sdb_slice_of(peer->text),
      .text = text,
      .upgrade = head->upgrade};
  sdb_net_answer answer = {.status = 404};
  handler->request(handler->context, conn, &request, &answer);
  SDB_ASSERT(!answer.accept || head->upgrade);
  if (answer.accept)
    upgrade(conn, head, &answer, peer->loopback);
  else
    respond(conn, &answer, head->head);
}

static void on_request(sdb_conn *conn, sdb_slice text) {
  sdb_http_request head;
  peer_address peer;
  unsigned status = sdb_http_parse(text, &head);
  if (status) {
    refuse(conn, status);
  } else if (head.upgrade && !origin_allowed(&conn->net->options, &head)) {
    sdb_net_answer answer = {.status = 403, .body = sdb_slice_of("origin not allowed\n")};
    conn->net->stats.refused_origin++;
    respond(conn, &answer, false);
  } else {
    get_peer(conn, &peer);
    ask(conn, text, &head, &peer);
  }
}

/* What came is no head, or too long for one. */
static void on_bad_head(sdb_conn *conn, bool too_long) {
  if (!conn->dial) {
    refuse(conn, too_long ? 431 : 400);
    return;
  }
  const char *problem =
      too_long ? "the server's answer is too long" : "the server's answer is not HTTP/1.1";
  sdb_dial_note(conn, SDB_WS_CODE_LOST, problem, NULL);
  sdb_conn_kill(conn);
}

void sdb_conn_on_head(sdb_conn *conn, char *data, size_t size) {
  size_t had = conn->head.size, head_size = 0;
  size_t taken = SDB_HTTP_HEAD_MAX - had < size ? SDB_HTTP_HEAD_MAX - had : size;
  sdb_slice text = {data, taken};
  if (had > 0) {
    sdb_buffer_append(&conn->head, data, taken);
    text = sdb_buffer_slice(&conn->head);
  }
  sdb_http_scan scan = sdb_http_scan_head(text, &conn->head_at, &head_size);
  if (scan == SDB_HTTP_INCOMPLETE && had == 0) sdb_buffer_append(&conn->head, data, taken);
  if (conn->head.status != SDB_OK) {
    sdb_conn_kill(conn);
  } else if (scan == SDB_HTTP_COMPLETE) {
    sdb_slice head = sdb_slice_make(text.data, head_size);
    if (conn->dial)
      sdb_dial_on_answer(conn, head);
    else
      on_request(conn, head);
    size_t rest = had + size - head_size;
    if (conn->upgraded) sdb_conn_on_frames(conn, data + size - rest, rest);
  } else if (scan == SDB_HTTP_BAD || had + size >= SDB_HTTP_HEAD_MAX) {
    on_bad_head(conn, scan != SDB_HTTP_BAD);
  }
}
