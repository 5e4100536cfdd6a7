/* net/conn.c: a connection's life: made, read from, timed out, killed, freed.
 *
 * Invariant: a connection is in exactly one list by `wait_link`: that of what it
 * waits for, or `dead`. It is never freed inside a callback, so pointers to it, and a
 * message of it that the owner is reading, hold for the turn.
 */
#include "net/dialled.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_OF(link, member) SDB_CONTAINER_OF(link, sdb_conn, member)

static void on_io(evutil_socket_t fd, short what, void *context);

static uint64_t wait_ms(const sdb_net *net, sdb_wait wait) {
  switch (wait) {
  case SDB_WAIT_HEAD:
    return net->options.handshake_timeout_ms;
  case SDB_WAIT_INPUT:
  case SDB_WAIT_PONG:
    return net->options.ping_interval_ms ? net->options.ping_interval_ms : SDB_NET_NEVER_MS;
  case SDB_WAIT_ANSWER:
    return SDB_NET_ANSWER_WAIT_MS;
  case SDB_WAIT_CLOSE:
    return SDB_NET_CLOSE_WAIT_MS;
  case SDB_WAIT_COUNT:
    break;
  }
  SDB_UNREACHABLE();
}

void sdb_conn_wait(sdb_conn *conn, sdb_wait wait) {
  sdb_net *net = conn->net;
  conn->wait = (uint8_t)wait;
  conn->deadline_ms = net->mono_ms + wait_ms(net, wait);
  sdb_link_remove(&conn->wait_link);
  sdb_list_append(&net->waits[wait], &conn->wait_link);
}

bool sdb_conn_listen(sdb_conn *conn, bool writable) {
  if (conn->listed) event_del(&conn->io);
  short what = (short)((conn->paused ? 0 : EV_READ) | EV_PERSIST | (writable ? EV_WRITE : 0));
  conn->listed = event_assign(&conn->io, conn->net->base, conn->fd, what, on_io, conn) == 0 &&
                 event_add(&conn->io, NULL) == 0;
  conn->writable_wanted = writable;
  return conn->listed;
}

void sdb_conn_want_writable(sdb_conn *conn, bool wanted) {
  if (conn->state == SDB_CONN_DEAD || conn->writable_wanted == wanted) return;
  if (!sdb_conn_listen(conn, wanted)) sdb_conn_kill(conn);
}

static sdb_conn *new_conn(sdb_net *net, int fd) {
  sdb_conn *conn = sdb_mem_zero(net->mem, sizeof(*conn));
  if (!conn) return NULL;
  conn->net = net;
  conn->fd = fd;
  sdb_buffer_init(&conn->head, net->mem, SDB_NET_INPUT_SIZE);
  sdb_link_init(&conn->wait_link);
  sdb_link_init(&conn->dirty_link);
  sdb_link_init(&conn->again_link);
  return conn;
}

sdb_conn *sdb_conn_create(sdb_net *net, int fd, sdb_tls_context *tls) {
  sdb_conn *conn = new_conn(net, fd);
  if (!conn) return NULL;
  conn->transport = tls ? &SDB_TRANSPORT_TLS : &SDB_TRANSPORT_PLAIN;
  if (tls) conn->transport_state = sdb_tls_accept(tls, fd);
  if ((tls && !conn->transport_state) || !sdb_conn_listen(conn, false)) {
    if (conn->transport_state) conn->transport->free(conn->transport_state);
    sdb_mem_free(net->mem, conn);
    return NULL;
  }
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sdb_conn_wait(conn, SDB_WAIT_HEAD);
  net->connections++;
  return conn;
}

sdb_conn *sdb_conn_create_dialled(sdb_net *net, sdb_dial *dial) {
  sdb_conn *conn = new_conn(net, -1);
  if (!conn) return NULL;
  conn->dial = dial;
  conn->state = SDB_CONN_CONNECTING;
  sdb_conn_wait(conn, SDB_WAIT_HEAD);
  net->connections++;
  net->dialled++;
  return conn;
}

void sdb_conn_drop_socket(sdb_conn *conn) {
  if (conn->listed) event_del(&conn->io);
  conn->listed = false;
  if (conn->fd >= 0) close(conn->fd);
  conn->fd = -1;
}

void sdb_conn_kill(sdb_conn *conn) {
  sdb_net *net = conn->net;
  if (conn->state == SDB_CONN_DEAD) return;
  if (conn->dial) sdb_dial_killed(conn);
  conn->state = SDB_CONN_DEAD;
  if (conn->transport) conn->transport->free(conn->transport_state);
  sdb_conn_drop_socket(conn);
  sdb_conn_drop_output(conn);
  if (conn->deflate_bits) net->stats.connections_compressed--;
  sdb_link_remove(&conn->dirty_link);
  sdb_link_remove(&conn->again_link);
  sdb_link_remove(&conn->wait_link);
  sdb_list_append(&net->dead, &conn->wait_link);
  sdb_net_accept_resume(net);
}

static void tell_end(sdb_conn *conn) {
  const sdb_net_handler *handler = &conn->net->options.handler;
  if (conn->dial) {
    sdb_dial_reap(conn);
    conn->net->dialled--;
  } else if (conn->accepted) {
    handler->closed(handler->context, conn, conn->tag);
  }
}

void sdb_conn_reap(sdb_net *net) {
  sdb_link dead; /* who dies while the owner is told waits for the next turn: it may dial anew */
  sdb_list_take(&dead, &net->dead);
  while (!sdb_link_alone(&dead)) {
    sdb_conn *conn = CONN_OF(dead.next, wait_link);
    tell_end(conn);
    sdb_link_remove(&conn->wait_link);
    if (conn->upgraded)
      sdb_ws_receiver_free(&conn->receiver);
    else
      sdb_buffer_free(&conn->head);
    sdb_mem_free(net->mem, conn->remote);
    sdb_mem_free(net->mem, conn);
    net->connections--;
  }
}

void sdb_conn_linger(sdb_conn *conn) {
  SDB_ASSERT(conn->state != SDB_CONN_DEAD);
  if (conn->wait != SDB_WAIT_CLOSE) sdb_conn_wait(conn, SDB_WAIT_CLOSE);
  conn->state = SDB_CONN_LINGERING;
  sdb_conn_mark_dirty(conn);
}

void sdb_net_pause(sdb_conn *conn, bool paused) {
  if (conn->state == SDB_CONN_DEAD || conn->paused == paused) return;
  if (conn->dial && !conn->upgraded) return; /* there are no messages to hold back yet */
  conn->paused = paused;
  if (!sdb_conn_listen(conn, conn->writable_wanted)) sdb_conn_kill(conn);
  if (!paused && conn->state != SDB_CONN_DEAD && sdb_link_alone(&conn->again_link))
    sdb_list_append(&conn->net->again, &conn->again_link); /* TLS may hold input already */
}

/* The peer is alive. */
static void heard(sdb_conn *conn) {
  if (conn->wait == SDB_WAIT_INPUT || conn->wait == SDB_WAIT_PONG)
    sdb_conn_wait(conn, SDB_WAIT_INPUT);
}

static void on_bytes(sdb_conn *conn, char *data, size_t size) {
  conn->net->stats.bytes_in += size;
  heard(conn);
  switch ((sdb_conn_state)conn->state) {
  case SDB_CONN_HEAD:
    sdb_conn_on_head(conn, data, size);
    return;
  case SDB_CONN_OPEN:
  case SDB_CONN_CLOSING:
    sdb_conn_on_frames(conn, data, size);
    return;
  case SDB_CONN_CONNECTING:
  case SDB_CONN_LINGERING:
  case SDB_CONN_DEAD:
    return;
  }
}

void sdb_conn_read(sdb_conn *conn) {
  sdb_net *net = conn->net;
  if (conn->paused && conn->state == SDB_CONN_OPEN && !conn->mute) return;
  const sdb_transport *transport = conn->transport;
  ssize_t count = transport->read(conn->fd, conn->transport_state, net->input, SDB_NET_INPUT_SIZE);
  if (count > 0) {
    on_bytes(conn, net->input, (size_t)count);
  } else if (count != SDB_TRANSPORT_AGAIN || conn->mute) {
    if (count == 0 && conn->state == SDB_CONN_LINGERING) sdb_conn_flush(conn);
    sdb_conn_kill(conn);
  }
  if (conn->dial && conn->state == SDB_CONN_HEAD) sdb_dial_go_on(conn);
  if (conn->state == SDB_CONN_DEAD) return;
  if (transport->read_wants_write(conn->transport_state)) sdb_conn_want_writable(conn, true);
  bool more = transport->pending(conn->transport_state) || conn->mute;
  if (more && sdb_link_alone(&conn->again_link)) sdb_list_append(&net->again, &conn->again_link);
}

void sdb_conn_run_again(sdb_net *net) {
  sdb_link list;
  sdb_list_take(&list, &net->again);
  while (!sdb_link_alone(&list)) {
    sdb_conn *conn = CONN_OF(list.next, again_link);
    sdb_link_remove(&conn->again_link);
    sdb_conn_read(conn);
  }
}

static void on_io(evutil_socket_t fd, short what, void *context) {
  (void)fd;
  sdb_conn *conn = context;
  sdb_net_refresh_now(conn->net);
  if (conn->state == SDB_CONN_CONNECTING) {
    sdb_dial_on_io(conn, what);
    return;
  }
  if (what & EV_WRITE) {
    heard(conn); /* it takes what we send: a pong may be far behind that */
    sdb_conn_want_writable(conn, false);
    if (conn->state == SDB_CONN_DEAD) return;
    sdb_conn_mark_dirty(conn);
  }
  if ((what & EV_READ) || conn->transport->read_wants_write(conn->transport_state))
    sdb_conn_read(conn);
}

static void ping(sdb_conn *conn) {
  unsigned char frame[SDB_WS_FRAME_HEADER_MAX];
  sdb_ws_frame_header_of(SDB_WS_PING, false, 0, frame);
  sdb_conn_wait(conn, SDB_WAIT_PONG);
  sdb_conn_queue_control(conn, frame);
}

void sdb_conn_run_deadlines(sdb_net *net) {
  sdb_dial_run_attempts(net);
  for (size_t i = 0; i < SDB_WAIT_COUNT; i++) {
    while (!sdb_link_alone(&net->waits[i])) {
      sdb_conn *conn = CONN_OF(net->waits[i].next, wait_link);
      if (conn->deadline_ms > net->mono_ms) break;
      if (i == SDB_WAIT_INPUT) {
        ping(conn);
      } else {
        sdb_dial_note_timeout(conn);
        sdb_conn_kill(conn);
      }
    }
  }
}

uint64_t sdb_conn_next_deadline(const sdb_net *net) {
  uint64_t next = sdb_dial_next_attempt(net);
  for (size_t i = 0; i < SDB_WAIT_COUNT; i++) {
    if (sdb_link_alone(&net->waits[i])) continue;
    uint64_t at = CONN_OF(net->waits[i].next, wait_link)->deadline_ms;
    if (at < next) next = at;
  }
  return next;
}
