/* net/listen.c: listening sockets and accepting.
 *
 * When the process is out of file descriptors or memory, accepting pauses: a
 * level-triggered listener would spin. It goes on when a connection ends, or after
 * a short while, since descriptors may be freed elsewhere in the process.
 */
#include "base/error.h"
#include "net/conn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096

struct sdb_listener {
  sdb_listener *next;
  sdb_net *net;
  sdb_tls_context *tls; /* NULL: plain */
  int fd;
  struct event io;
};

typedef struct listen_address {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  };
  socklen_t size;
} listen_address;

static bool parse_address(const char *host, uint16_t port, listen_address *address) {
  memset(address, 0, sizeof(*address));
  if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(port);
    address->size = sizeof(address->v4);
    return true;
  }
  if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) != 1) return false;
  address->v6.sin6_family = AF_INET6;
  address->v6.sin6_port = htons(port);
  address->size = sizeof(address->v6);
  return true;
}

/* A bound, listening socket and its port, or -1 with errno set. */
static int open_socket(const listen_address *address, uint16_t *port) {
  listen_address got = *address;
  int on = 1;
  bool v6 = address->any.sa_family == AF_INET6;
  int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      (!v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
      bind(fd, &address->any, address->size) == 0 && listen(fd, BACKLOG) == 0 &&
      getsockname(fd, &got.any, &got.size) == 0) {
    *port = ntohs(v6 ? got.v6.sin6_port : got.v4.sin_port);
    return fd;
  }
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static bool at_maximum(const sdb_net *net) {
  size_t accepted = net->connections - net->dialled;
  return net->options.connections_max > 0 && accepted >= net->options.connections_max;
}

/* Over the maximum: a plain peer is told, at best effort, before it is hung up on. */
static void turn_away(int fd, const sdb_tls_context *tls) {
  static const char BUSY[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                             "Connection: close\r\n\r\n";
  if (!tls) (void)!send(fd, BUSY, sizeof(BUSY) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(fd);
}

static void on_acceptable(evutil_socket_t listener, short what, void *context) {
  const sdb_listener *from = context;
  sdb_net *net = from->net;
  (void)what;
  sdb_net_refresh_now(net);
  for (int i = 0; i < SDB_NET_ACCEPTS_PER_TURN; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      bool out_of = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      if (out_of) sdb_net_accept_pause(net);
      return;
    } else if (at_maximum(net)) {
      turn_away(fd, from->tls);
    } else if (!sdb_conn_create(net, fd, from->tls)) {
      close(fd);
    }
  }
}

void sdb_net_accept_pause(sdb_net *net) {
  for (sdb_listener *listener = net->listeners; listener; listener = listener->next)
    event_del(&listener->io);
  net->accept_again_ms = net->mono_ms + SDB_NET_ACCEPT_PAUSE_MS;
}

void sdb_net_accept_resume(sdb_net *net) {
  if (net->accept_again_ms == UINT64_MAX) return;
  net->accept_again_ms = UINT64_MAX;
  for (sdb_listener *listener = net->listeners; listener; listener = listener->next) {
    if (event_add(&listener->io, NULL) != 0) sdb_net_accept_pause(net);
  }
}

void sdb_net_listeners_free(sdb_net *net) {
  while (net->listeners) {
    sdb_listener *listener = net->listeners;
    net->listeners = listener->next;
    event_del(&listener->io);
    close(listener->fd);
    sdb_tls_release(listener->tls);
    sdb_mem_free(net->mem, listener);
  }
}

/* Keeps a socket that this side did not accept. False: it cannot. */
static bool adopt(sdb_net *net, int fd, sdb_slice remote, char *data, size_t size) {
  sdb_conn *conn = sdb_conn_create(net, fd, NULL);
  if (!conn) return false;
  if (remote.size > 0) {
    conn->remote = sdb_mem_alloc(net->mem, remote.size + 1);
    if (!conn->remote) {
      sdb_conn_kill(conn); /* which closes it */
      return true;
    }
    memcpy(conn->remote, remote.data, remote.size);
    conn->remote[remote.size] = 0;
  }
  net->stats.bytes_in += size;
  sdb_conn_on_head(conn, data, size);
  return true;
}

void sdb_net_adopt(sdb_net *net, int fd, sdb_slice remote, char *data, size_t size) {
  int flags = fcntl(fd, F_GETFL);
  if (net->shut_down || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    close(fd);
  else if (at_maximum(net))
    turn_away(fd, NULL);
  else if (!adopt(net, fd, remote, data, size))
    close(fd);
}

/* A listener with its TLS, and no socket yet. */
static sdb_status make_listener(sdb_net *net, const char *tls_cert, const char *tls_key,
    sdb_listener **listener, sdb_error *error) {
  if (!tls_cert != !tls_key)
    return sdb_error_set(
        error, SDB_INVALID_ARGUMENT, "TLS needs both a certificate and its key", NULL, NULL);
  sdb_listener *made = sdb_mem_zero(net->mem, sizeof(*made));
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  made->net = net;
  sdb_status status = SDB_OK;
  if (tls_cert)
    status = sdb_tls_create(net->mem, tls_cert, tls_key, &made->tls, error);
  else if (net->tls)
    made->tls = sdb_tls_retain(net->tls);
  if (status != SDB_OK) {
    sdb_mem_free(net->mem, made);
    return status;
  }
  *listener = made;
  return SDB_OK;
}

sdb_status sdb_net_listen(
    sdb_net *net, const char *host, uint16_t port, uint16_t *bound, sdb_error *error) {
  return sdb_net_listen_with(net, host, port, NULL, NULL, bound, error);
}

sdb_status sdb_net_listen_with(sdb_net *net, const char *host, uint16_t port, const char *tls_cert,
    const char *tls_key, uint16_t *bound, sdb_error *error) {
  listen_address address;
  uint16_t got = 0;
  sdb_listener *listener = NULL;
  if (!parse_address(host, port, &address))
    return sdb_error_set(error, SDB_INVALID_ARGUMENT, "not an IPv4 or IPv6 address: ", host, NULL);
  sdb_status status = make_listener(net, tls_cert, tls_key, &listener, error);
  if (status != SDB_OK || !listener) return status;
  listener->fd = open_socket(&address, &got);
  const char *problem = listener->fd < 0 ? strerror(errno) : NULL;
  if (!problem && (event_assign(&listener->io, net->base, listener->fd, EV_READ | EV_PERSIST,
                       on_acceptable, listener) != 0 ||
                      event_add(&listener->io, NULL) != 0)) {
    close(listener->fd);
    problem = "the event loop refuses the socket";
  }
  if (problem) {
    sdb_tls_release(listener->tls);
    sdb_mem_free(net->mem, listener);
    sdb_error_set(error, SDB_IO, "cannot listen on ", host, ": ");
    if (error) sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(problem));
    return SDB_IO;
  }
  listener->next = net->listeners;
  net->listeners = listener;
  if (bound) *bound = got;
  return SDB_OK;
}
