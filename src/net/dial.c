/* net/dial.c: how a dialled connection comes about, and what is told of its end.
 *
 * Invariants: a dial is in net->dialling while its connection is in CONNECTING, and then it has a
 * lookup, or `next` and `addresses` of one that was answered. The addresses share what is left of
 * the time, so that one that swallows packets does not use up that of the others.
 */
#include "base/error.h"
#include "net/dialled.h"
#include "platform/platform.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKEN_MAX (16 * 1024) /* bytes */
#define REQUEST_MAX (32 * 1024)

#define DIAL_OF(entry) SDB_CONTAINER_OF(entry, sdb_dial, link)

/* ---- the end ---- */

void sdb_dial_note(sdb_conn *conn, unsigned code, const char *problem, const char *detail) {
  sdb_dial *dial = conn->dial;
  if (!dial || dial->ended) return;
  dial->ended = true;
  dial->code = code;
  sdb_text_copy(dial->problem, sizeof(dial->problem), sdb_slice_of(problem));
  if (!detail) return;
  sdb_text_append(dial->problem, sizeof(dial->problem), sdb_slice_of(": "));
  sdb_text_append(dial->problem, sizeof(dial->problem), sdb_slice_of(detail));
}

void sdb_dial_note_peer(sdb_conn *conn, unsigned code, sdb_slice reason) {
  sdb_dial *dial = conn->dial;
  if (!dial || dial->ended) return;
  dial->ended = true;
  dial->code = code;
  sdb_text_copy(dial->reason, sizeof(dial->reason), reason);
}

/* It cannot be made. */
static void fail(sdb_conn *conn, const char *problem, const char *detail) {
  sdb_dial_note(conn, SDB_WS_CODE_LOST, problem, detail);
  sdb_conn_kill(conn);
}

/* Whether the upgrade was not even asked for, because TLS is not through. */
static bool in_tls(const sdb_conn *conn) {
  return conn->transport && !conn->transport->ready(conn->transport_state);
}

void sdb_dial_note_timeout(sdb_conn *conn) {
  const sdb_dial *dial = conn->dial;
  const char *problem = "the server did not take part in closing";
  if (!dial) return;
  if (conn->wait == SDB_WAIT_PONG)
    problem = "the server has been silent for too long";
  else if (conn->state == SDB_CONN_CONNECTING)
    problem = dial->lookup ? "the host's name could not be looked up in time"
                           : "the server could not be reached in time";
  else if (conn->state == SDB_CONN_HEAD)
    problem = in_tls(conn) ? "TLS was not agreed on in time"
                           : "the server did not answer the upgrade in time";
  sdb_dial_note(conn, SDB_WS_CODE_LOST, problem, NULL);
}

void sdb_dial_killed(sdb_conn *conn) {
  sdb_dial *dial = conn->dial;
  const char *detail = conn->transport ? conn->transport->problem(conn->transport_state) : NULL;
  const char *problem = "the connection was lost";
  if (conn->state == SDB_CONN_HEAD)
    problem = in_tls(conn) ? "TLS failed" : "the server ended the connection without an answer";
  sdb_dial_note(conn, SDB_WS_CODE_LOST, problem, detail);
  sdb_link_remove(&dial->link);
  sdb_lookup_drop(dial->lookup);
  dial->lookup = NULL;
  if (dial->addresses) freeaddrinfo(dial->addresses);
  dial->addresses = dial->next = NULL;
}

static void free_dial(sdb_dial *dial, const sdb_mem *mem) {
  sdb_tls_release(dial->tls);
  sdb_buffer_free(&dial->token);
  sdb_mem_free(mem, dial);
}

void sdb_dial_reap(sdb_conn *conn) {
  sdb_dial *dial = conn->dial;
  SDB_ASSERT(dial->ended);
  sdb_net_end end = {.code = dial->code,
      .reason = sdb_slice_of(dial->reason),
      .http_status = dial->http_status,
      .problem = dial->problem};
  dial->handler.closed(dial->handler.context, conn, conn->tag, &end);
  free_dial(dial, conn->net->mem);
}

/* ---- TCP ---- */

/* Gives the try of one address its share of the time that is left. */
static void begin_attempt(sdb_conn *conn) {
  sdb_dial *dial = conn->dial;
  uint64_t now_ms = conn->net->mono_ms, tries = 1;
  for (const struct addrinfo *other = dial->next; other; other = other->ai_next)
    tries++;
  uint64_t left = conn->deadline_ms > now_ms ? conn->deadline_ms - now_ms : 0;
  dial->attempt_until_ms = tries == 1 ? UINT64_MAX : now_ms + left / tries;
}

/* A socket that is being connected, or -1 with errno set. */
static int open_socket(const struct addrinfo *to) {
  int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS || errno == EINTR)
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* Tries the next address; `error`: what became of the one before. */
static void connect_next(sdb_conn *conn, int error) {
  sdb_dial *dial = conn->dial;
  sdb_conn_drop_socket(conn);
  while (dial->next) {
    conn->fd = open_socket(dial->next);
    error = errno;
    dial->next = dial->next->ai_next;
    if (conn->fd < 0) continue;
    begin_attempt(conn);
    if (!sdb_conn_listen(conn, true)) fail(conn, "the event loop refuses the socket", NULL);
    return;
  }
  fail(conn, "the server cannot be reached", strerror(error));
}

static void on_addresses(sdb_conn *conn, struct addrinfo *addresses) {
  conn->dial->addresses = conn->dial->next = addresses;
  connect_next(conn, EADDRNOTAVAIL);
}

void sdb_dial_run_lookups(sdb_net *net) {
  sdb_link *entry = net->dialling.next;
  while (entry != &net->dialling) {
    sdb_dial *dial = DIAL_OF(entry);
    struct addrinfo *addresses = NULL;
    const char *problem = NULL;
    entry = entry->next;
    if (!dial->lookup || !sdb_lookup_take(dial->lookup, &addresses, &problem)) continue;
    sdb_lookup_drop(dial->lookup);
    dial->lookup = NULL;
    if (problem)
      fail(dial->conn, "the host's name cannot be looked up", problem);
    else
      on_addresses(dial->conn, addresses);
  }
}

void sdb_dial_run_attempts(sdb_net *net) {
  sdb_link *entry = net->dialling.next;
  while (entry != &net->dialling) {
    sdb_dial *dial = DIAL_OF(entry);
    entry = entry->next;
    if (dial->attempt_until_ms <= net->mono_ms) connect_next(dial->conn, ETIMEDOUT);
  }
}

uint64_t sdb_dial_next_attempt(const sdb_net *net) {
  uint64_t next = UINT64_MAX;
  for (sdb_link *entry = net->dialling.next; entry != &net->dialling; entry = entry->next) {
    if (DIAL_OF(entry)->attempt_until_ms < next) next = DIAL_OF(entry)->attempt_until_ms;
  }
  return next;
}

/* There is a TCP connection. */
static void on_connected(sdb_conn *conn) {
  sdb_dial *dial = conn->dial;
  int on = 1;
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sdb_link_remove(&dial->link);
  freeaddrinfo(dial->addresses);
  dial->addresses = dial->next = NULL;
  conn->state = SDB_CONN_HEAD;
  if (dial->tls) {
    conn->transport_state = sdb_tls_connect(dial->tls, conn->fd, dial->target.host);
    if (!conn->transport_state) {
      fail(conn, "out of memory", NULL);
      return;
    }
  }
  conn->transport = dial->tls ? &SDB_TRANSPORT_TLS : &SDB_TRANSPORT_PLAIN;
  sdb_conn_want_writable(conn, false);
  if (conn->state != SDB_CONN_DEAD) sdb_conn_read(conn); /* TLS greets as it reads */
}

void sdb_dial_on_io(sdb_conn *conn, short what) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (!(what & EV_WRITE)) return;
  if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error)
    connect_next(conn, error);
  else
    on_connected(conn);
}

/* ---- HTTP ---- */

static sdb_ws_upgrade upgrade_of(const sdb_dial *dial) {
  return (sdb_ws_upgrade){.authority = sdb_slice_of(dial->target.authority),
      .resource = sdb_slice_of(dial->target.resource),
      .token = sdb_buffer_slice(&dial->token),
      .key = sdb_slice_make(dial->key, sizeof(dial->key)),
      .deflate = dial->offered};
}

void sdb_dial_go_on(sdb_conn *conn) {
  sdb_dial *dial = conn->dial;
  sdb_net *net = conn->net;
  unsigned char nonce[SDB_WS_NONCE_SIZE];
  sdb_buffer request;
  if (dial->asked || in_tls(conn)) return;
  dial->asked = true;
  if (!sdb_platform_random(nonce, sizeof(nonce))) {
    fail(conn, "the system gives no random bytes", NULL);
    return;
  }
  sdb_ws_base64_encode(nonce, sizeof(nonce), dial->key);
  dial->offered = dial->compress && (net->options.compress_loopback || !sdb_conn_is_loopback(conn));
  sdb_ws_upgrade upgrade = upgrade_of(dial);
  sdb_buffer_init(&request, net->mem, REQUEST_MAX);
  sdb_ws_write_request(&request, &upgrade);
  bool ok = request.status == SDB_OK && sdb_conn_queue(conn, request.data, request.size);
  sdb_buffer_free(&request);
  sdb_buffer_free(&dial->token);
  if (!ok) fail(conn, "out of memory", NULL);
}

/* Says so, with the status where there is one. */
static void refused(sdb_conn *conn, const char *problem, unsigned status) {
  char text[] = "HTTP status 999";
  char *digits = text + sizeof(text) - 4;
  conn->dial->http_status = status;
  for (unsigned i = 3; i > 0; i--, status /= 10)
    digits[i - 1] = (char)('0' + status % 10);
  fail(conn, problem, text);
}

void sdb_dial_on_answer(sdb_conn *conn, sdb_slice head) {
  sdb_dial *dial = conn->dial;
  sdb_ws_upgrade upgrade = upgrade_of(dial);
  sdb_ws_answer answer;
  if (!dial->asked) {
    fail(conn, "the server spoke before it was asked", NULL);
    return;
  }
  const char *problem = sdb_ws_check_answer(head, &upgrade, sdb_conn_sha1, &answer);
  if (problem && answer.status != 0 && answer.status != SDB_HTTP_SWITCHING_PROTOCOLS) {
    refused(conn, problem, answer.status);
  } else if (problem) {
    fail(conn, problem, NULL);
  } else {
    sdb_conn_open(conn, answer.deflate);
    conn->accepted = true;
    dial->handler.opened(dial->handler.context, conn, conn->tag);
  }
}

/* ---- the owner's calls ---- */

bool sdb_dial_mask_key(sdb_conn *conn, unsigned char *key) {
  sdb_net *net = conn->net;
  if (net->random_left < SDB_WS_MASK_SIZE) {
    if (!sdb_platform_random(net->random, sizeof(net->random))) {
      fail(conn, "the system gives no random bytes", NULL);
      return false;
    }
    net->random_left = sizeof(net->random);
  }
  memcpy(key, net->random + sizeof(net->random) - net->random_left, SDB_WS_MASK_SIZE);
  net->random_left -= SDB_WS_MASK_SIZE;
  return true;
}

/* What stands in a header may not end its line. */
static bool is_token(sdb_slice token) {
  if (token.size > TOKEN_MAX) return false;
  for (size_t i = 0; i < token.size; i++) {
    if (token.data[i] <= ' ' || token.data[i] > '~') return false;
  }
  return true;
}

static sdb_dial *new_dial(const sdb_mem *mem, const sdb_net_dial_options *options) {
  sdb_dial *dial = sdb_mem_zero(mem, sizeof(*dial));
  if (!dial) return NULL;
  dial->handler = options->handler;
  dial->target = *options->target;
  dial->compress = options->compress;
  dial->attempt_until_ms = UINT64_MAX;
  sdb_link_init(&dial->link);
  sdb_buffer_init(&dial->token, mem, TOKEN_MAX);
  sdb_buffer_append_slice(&dial->token, options->token);
  if (dial->token.status == SDB_OK) return dial;
  free_dial(dial, mem);
  return NULL;
}

/* The system's CAs are some hundred certificates, 50 ms of work: kept for the next dial. */
static sdb_status get_tls(
    sdb_net *net, const sdb_net_dial_options *options, sdb_tls_context **tls, sdb_error *error) {
  bool of_system = !options->tls_ca && !options->tls_insecure;
  if (of_system && net->trust && net->mono_ms < net->trust_until_ms) {
    *tls = sdb_tls_retain(net->trust);
    return SDB_OK;
  }
  sdb_status status =
      sdb_tls_create_client(net->mem, options->tls_ca, options->tls_insecure, tls, error);
  if (status != SDB_OK || !of_system) return status;
  sdb_tls_release(net->trust);
  net->trust = sdb_tls_retain(*tls);
  net->trust_until_ms = net->mono_ms + SDB_NET_TRUST_MS;
  return SDB_OK;
}

static void begin(sdb_net *net, sdb_conn *conn) {
  sdb_dial *dial = conn->dial;
  dial->conn = conn;
  sdb_list_append(&net->dialling, &dial->link);
  struct addrinfo *addresses = sdb_resolve_numeric(dial->target.host, dial->target.port);
  if (addresses) {
    on_addresses(conn, addresses);
    return;
  }
  dial->lookup = sdb_lookup_start(net, dial->target.host, dial->target.port);
  if (!dial->lookup) fail(conn, "no thread is to be had to look the host's name up", NULL);
}

sdb_status sdb_net_dial(
    sdb_net *net, const sdb_net_dial_options *options, sdb_conn **conn, sdb_error *error) {
  sdb_status status = SDB_OK;
  if (net->shut_down) return sdb_error_set(error, SDB_CLOSED, "it was shut down", NULL, NULL);
  if (!is_token(options->token))
    return sdb_error_set(error, SDB_INVALID_ARGUMENT,
        "the token is too long, or has a character that no token has", NULL, NULL);
  /* Between two runs of the loop the time of the last turn may be long ago. */
  net->mono_ms = sdb_platform_monotonic_us() / 1000;
  sdb_dial *dial = new_dial(net->mem, options);
  if (dial && options->target->tls) status = get_tls(net, options, &dial->tls, error);
  sdb_conn *made = dial && status == SDB_OK ? sdb_conn_create_dialled(net, dial) : NULL;
  if (!made) {
    if (dial) free_dial(dial, net->mem);
    return status != SDB_OK ? status
                            : sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  }
  made->tag = options->tag;
  *conn = made;
  begin(net, made);
  return SDB_OK;
}
