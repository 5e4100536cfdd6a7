/* net/message.c: what a WebSocket peer says, and how a connection is closed. */
#include "net/dialled.h"
#include "ws/utf8.h"

/* Queues a close frame. */
static bool queue_close(sdb_conn *conn, unsigned code, sdb_slice reason) {
  unsigned char frame[SDB_WS_CONTROL_FRAME_MAX];
  sdb_ws_close_frame(code, reason, frame);
  return sdb_conn_queue_control(conn, frame);
}

void sdb_net_close(sdb_conn *conn, unsigned code, sdb_slice reason) {
  if (conn->state == SDB_CONN_HEAD || conn->state == SDB_CONN_CONNECTING) {
    sdb_dial_note(conn, SDB_WS_CODE_LOST, "it was given up before it was open", NULL);
    sdb_conn_kill(conn);
  }
  if (conn->state != SDB_CONN_OPEN || !queue_close(conn, code, reason)) return;
  conn->state = SDB_CONN_CLOSING;
  sdb_conn_wait(conn, SDB_WAIT_CLOSE);
  sdb_net_pause(conn, false); /* the peer's close is to be read */
}

void sdb_net_shutdown(sdb_net *net, unsigned code, sdb_slice reason) {
  net->shut_down = true;
  sdb_net_listeners_free(net);
  for (size_t i = 0; i < SDB_WAIT_CLOSE; i++) {
    while (!sdb_link_alone(&net->waits[i])) {
      sdb_conn *conn = SDB_CONTAINER_OF(net->waits[i].next, sdb_conn, wait_link);
      sdb_net_close(conn, code, reason);
      if (conn->state == SDB_CONN_LINGERING) sdb_conn_wait(conn, SDB_WAIT_CLOSE);
    }
  }
}

/* What made us close with `code`. */
static const char *problem_of(unsigned code) {
  switch (code) {
  case SDB_WS_CODE_UNSUPPORTED:
    return "the server sent a binary message";
  case SDB_WS_CODE_BAD_TEXT:
    return "the server sent a message that is not UTF-8, or not well compressed";
  case SDB_WS_CODE_TOO_LARGE:
    return "the server sent a message over the size limit";
  case SDB_WS_CODE_OVERLOADED:
    return "out of memory";
  default:
    return "the server broke the WebSocket protocol";
  }
}

/* The peer broke the rules: say so, and hear nothing more. */
static void fail(sdb_conn *conn, unsigned code) {
  conn->net->stats.protocol_errors++;
  sdb_dial_note(conn, code, problem_of(code), NULL);
  if (conn->state == SDB_CONN_OPEN && !queue_close(conn, code, sdb_slice_of(""))) return;
  sdb_conn_linger(conn);
}

static void on_peer_closed(sdb_conn *conn, unsigned code, sdb_slice reason) {
  sdb_dial_note_peer(conn, code, reason);
  if (conn->state == SDB_CONN_OPEN && !queue_close(conn, code, sdb_slice_of(""))) return;
  sdb_conn_linger(conn);
}

/* 0, or the code to close with. */
static unsigned inflate_message(sdb_deflate *deflate, sdb_ws_event *event) {
  sdb_slice packed = {event->data, event->size};
  switch (sdb_deflate_inflate(deflate, packed, &event->data, &event->size)) {
  case SDB_OK:
    break;
  case SDB_TOO_LARGE:
    return SDB_WS_CODE_TOO_LARGE;
  case SDB_NO_MEMORY:
    return SDB_WS_CODE_OVERLOADED;
  default:
    return SDB_WS_CODE_BAD_TEXT;
  }
  bool valid = sdb_ws_utf8_valid(sdb_slice_make(event->data, event->size));
  return valid ? 0 : SDB_WS_CODE_BAD_TEXT;
}

static void on_message(sdb_conn *conn, sdb_ws_event *event) {
  sdb_net *net = conn->net;
  const sdb_net_handler *handler = &net->options.handler;
  if (conn->state != SDB_CONN_OPEN) return;
  unsigned code = event->compressed ? inflate_message(net->deflate, event) : 0;
  if (code) {
    fail(conn, code);
    return;
  }
  net->stats.messages_in++;
  handler->message(handler->context, conn, conn->tag, event->data, event->size);
}

static void on_event(sdb_conn *conn, sdb_ws_event *event) {
  switch (event->kind) {
  case SDB_WS_MESSAGE:
    on_message(conn, event);
    return;
  case SDB_WS_PINGED:
    if (conn->state == SDB_CONN_OPEN) sdb_conn_pong(conn, event->data, event->size);
    return;
  case SDB_WS_PONGED:
    return;
  case SDB_WS_PEER_CLOSED:
    on_peer_closed(conn, event->code, sdb_slice_make(event->data, event->size));
    return;
  case SDB_WS_FAILED:
    fail(conn, event->code);
    return;
  }
}

void sdb_conn_on_frames(sdb_conn *conn, char *data, size_t size) {
  sdb_ws_input input = {data, size};
  sdb_ws_event event;
  while ((conn->state == SDB_CONN_OPEN || conn->state == SDB_CONN_CLOSING) &&
         sdb_ws_receive(&conn->receiver, &input, &event))
    on_event(conn, &event);
}
