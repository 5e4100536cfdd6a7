/* net/send.c: queueing output, and writing it once a turn.
 *
 * Invariants: a connection with output that the socket has not refused is in the
 * dirty list; one whose socket was full waits to be writable instead.
 * net->stats.output_buffered_bytes is the sum of all outputs.
 */
#include "net/dialled.h"

#define PIECES_MAX 64

void sdb_conn_mark_dirty(sdb_conn *conn) {
  if (conn->state == SDB_CONN_DEAD || !sdb_link_alone(&conn->dirty_link)) return;
  sdb_list_append(&conn->net->dirty, &conn->dirty_link);
}

/* Counts what was just queued. */
static void queued(sdb_conn *conn, size_t bytes) {
  conn->net->stats.output_buffered_bytes += bytes;
  sdb_conn_mark_dirty(conn);
}

void sdb_conn_drop_output(sdb_conn *conn) {
  conn->net->stats.output_buffered_bytes -= conn->output.bytes;
  sdb_output_free(&conn->output, conn->net->mem);
  sdb_mem_free(conn->net->mem, conn->pong);
  conn->pong = NULL;
}

bool sdb_conn_queue(sdb_conn *conn, const void *data, size_t size) {
  if (conn->state == SDB_CONN_DEAD) return false;
  if (!sdb_output_copy(&conn->output, conn->net->mem, data, size)) {
    sdb_conn_kill(conn);
    return false;
  }
  queued(conn, size);
  return true;
}

bool sdb_conn_queue_held(sdb_conn *conn, sdb_slice bytes) {
  if (conn->state == SDB_CONN_DEAD || bytes.size == 0) return conn->state != SDB_CONN_DEAD;
  if (!sdb_output_hold(&conn->output, conn->net->mem, bytes.data, bytes.size, NULL, NULL)) {
    sdb_conn_kill(conn);
    return false;
  }
  queued(conn, bytes.size);
  return true;
}

bool sdb_conn_queue_control(sdb_conn *conn, const unsigned char *frame) {
  unsigned char masked[SDB_WS_MASKED_CONTROL_FRAME_MAX], key[SDB_WS_MASK_SIZE];
  if (!conn->dial) return sdb_conn_queue(conn, frame, 2 + (size_t)frame[1]);
  return sdb_dial_mask_key(conn, key) &&
         sdb_conn_queue(conn, masked, sdb_ws_mask_control(frame, key, masked));
}

void sdb_conn_pong(sdb_conn *conn, const char *data, size_t size) {
  if (!conn->pong) conn->pong = sdb_mem_alloc(conn->net->mem, SDB_WS_CONTROL_FRAME_MAX);
  if (!conn->pong) {
    sdb_conn_kill(conn);
    return;
  }
  size_t header = sdb_ws_frame_header_of(SDB_WS_PONG, false, size, conn->pong);
  memcpy(conn->pong + header, data, size);
  sdb_conn_mark_dirty(conn);
}

/* The pong waits while the socket is full, so that pings cannot pile up output. */
static void queue_pong(sdb_conn *conn) {
  unsigned char *pong = conn->pong;
  if (!pong || conn->writable_wanted) return;
  conn->pong = NULL;
  if (conn->state == SDB_CONN_OPEN) sdb_conn_queue_control(conn, pong);
  sdb_mem_free(conn->net->mem, pong);
}

static void output_gone(sdb_conn *conn) {
  sdb_conn_want_writable(conn, false);
  if (conn->state != SDB_CONN_LINGERING || conn->end_sent) return;
  conn->end_sent = true;
  conn->transport->end(conn->fd, conn->transport_state);
  if (conn->wait == SDB_WAIT_ANSWER) sdb_conn_wait(conn, SDB_WAIT_CLOSE);
}

/* A server that has gone may have said why: its close frame is still to be read. */
static void write_failed(sdb_conn *conn) {
  if (!conn->dial || !conn->upgraded) {
    sdb_conn_kill(conn);
    return;
  }
  conn->mute = true;
  sdb_conn_drop_output(conn);
  if (conn->wait != SDB_WAIT_CLOSE) sdb_conn_wait(conn, SDB_WAIT_CLOSE);
  if (sdb_link_alone(&conn->again_link)) sdb_list_append(&conn->net->again, &conn->again_link);
}

void sdb_conn_flush(sdb_conn *conn) {
  sdb_net *net = conn->net;
  struct iovec pieces[PIECES_MAX];
  size_t written = 0;
  if (conn->state == SDB_CONN_DEAD || !conn->transport) return;
  if (conn->mute) {
    sdb_conn_drop_output(conn);
    return;
  }
  queue_pong(conn);
  while (conn->output.bytes > 0 && written < SDB_NET_WRITE_PER_TURN) {
    int count = sdb_output_pieces(&conn->output, pieces, PIECES_MAX);
    ssize_t sent = conn->transport->write(conn->fd, conn->transport_state, pieces, count);
    if (sent == SDB_TRANSPORT_AGAIN) {
      sdb_conn_want_writable(conn, true);
      return;
    }
    if (sent < 0) {
      write_failed(conn);
      return;
    }
    written += (size_t)sent;
    net->stats.bytes_out += (uint64_t)sent;
    net->stats.output_buffered_bytes -= (uint64_t)sent;
    conn->level_due = conn->accepted;
    sdb_output_sent(&conn->output, net->mem, (size_t)sent);
  }
  if (conn->output.bytes > 0)
    sdb_conn_mark_dirty(conn);
  else
    output_gone(conn);
}

bool sdb_conn_flush_all(sdb_net *net) {
  const sdb_net_handler *handler = &net->options.handler;
  bool told = false;
  sdb_link list;
  sdb_list_take(&list, &net->dirty);
  while (!sdb_link_alone(&list)) {
    sdb_conn *conn = SDB_CONTAINER_OF(list.next, sdb_conn, dirty_link);
    sdb_link_remove(&conn->dirty_link);
    if (!conn->writable_wanted) sdb_conn_flush(conn);
    if (!conn->level_due) continue;
    conn->level_due = false;
    if (conn->state != SDB_CONN_OPEN) continue;
    handler->output_level(handler->context, conn, conn->tag, conn->output.bytes);
    told = true;
  }
  return told;
}

/* Whether `size` more bytes may wait. A burst of one turn does not make a reader slow, so first the
 * socket is given what it takes. */
static bool has_room(sdb_conn *conn, size_t size) {
  size_t hard = conn->net->options.output_hard_bytes;
  if (conn->output.bytes + size > hard && !conn->writable_wanted) sdb_conn_flush(conn);
  if (conn->state != SDB_CONN_OPEN) return false;
  if (conn->output.bytes + size <= hard) return true;
  conn->net->stats.slow_closed++;
  sdb_dial_note(conn, SDB_WS_CODE_OVERLOADED, "the server reads too slowly", NULL);
  sdb_net_close(conn, SDB_WS_CODE_OVERLOADED, sdb_slice_of("reads too slowly"));
  return false;
}

void sdb_net_send(sdb_conn *conn, const char *frames, size_t size, uint32_t messages, void *owner,
    void (*retain)(void *owner), void (*release)(void *owner)) {
  sdb_net *net = conn->net;
  sdb_slice bytes = {frames, size};
  SDB_ASSERT(!conn->dial);
  if (conn->state != SDB_CONN_OPEN || size == 0) return;
  if (conn->deflate_bits &&
      sdb_deflate_run(net->deflate, conn->deflate_bits, bytes, &bytes) != SDB_OK) {
    sdb_conn_kill(conn);
    return;
  }
  conn->level_due = true;
  net->stats.messages_out += messages;
  if (!has_room(conn, bytes.size)) return;
  if (conn->deflate_bits || size <= SDB_OUTPUT_COPY_MAX) {
    sdb_conn_queue(conn, bytes.data, bytes.size);
  } else if (sdb_output_hold(&conn->output, net->mem, frames, size, owner, release)) {
    retain(owner);
    queued(conn, size);
  } else {
    sdb_conn_kill(conn);
  }
}

void sdb_net_send_text(sdb_conn *conn, sdb_slice text) {
  unsigned char key[SDB_WS_MASK_SIZE], header[SDB_WS_MASKED_HEADER_MAX];
  SDB_ASSERT(conn->dial);
  if (conn->state != SDB_CONN_OPEN || conn->mute || !sdb_dial_mask_key(conn, key)) return;
  size_t at = sdb_ws_masked_header(SDB_WS_TEXT, text.size, key, header);
  conn->level_due = true;
  conn->net->stats.messages_out++;
  if (!has_room(conn, at + text.size)) return;
  char *to = sdb_output_reserve(&conn->output, conn->net->mem, at + text.size);
  if (!to) {
    sdb_dial_note(conn, SDB_WS_CODE_LOST, "out of memory", NULL);
    sdb_conn_kill(conn);
    return;
  }
  memcpy(to, header, at);
  sdb_ws_mask(to + at, text.data, text.size, key, 0);
  queued(conn, at + text.size);
}
