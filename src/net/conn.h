/* net/conn.h: one connection, for the files of this folder.
 *
 * state       may become            while in it
 * CONNECTING  HEAD DEAD             (dialled only) there is no TCP connection yet
 * HEAD        OPEN LINGERING DEAD   (TLS and) the request head is read; dialled: the answer's
 * OPEN        CLOSING LINGERING DEAD  messages flow
 * CLOSING     LINGERING DEAD        our close frame is queued; messages that come are dropped
 * LINGERING   DEAD                  nothing more is said: output drains, our side ends, the peer's
 *                                   end is waited for
 * DEAD        -                     the socket is closed; freed once the owner was told
 */
#ifndef SDB_NET_CONN_H
#define SDB_NET_CONN_H

#include "net/loop.h"
#include "net/output.h"
#include "ws/receive.h"

typedef enum sdb_conn_state {
  SDB_CONN_HEAD = 0,
  SDB_CONN_CONNECTING,
  SDB_CONN_OPEN,
  SDB_CONN_CLOSING,
  SDB_CONN_LINGERING,
  SDB_CONN_DEAD
} sdb_conn_state;

typedef struct sdb_dial sdb_dial;

struct sdb_conn {
  sdb_net *net;
  void *tag;
  sdb_dial *dial; /* NULL: accepted by a listener */
  struct event io;
  int fd;                         /* -1: there is none */
  const sdb_transport *transport; /* NULL: there is no TCP connection yet */
  void *transport_state;
  uint8_t state, wait;  /* sdb_conn_state, sdb_wait */
  uint8_t deflate_bits; /* the window of what we send; 0: not compressed */
  bool accepted;        /* the owner has it: it hears of its end, and of what waits */
  bool listed;          /* `io` is added */
  bool writable_wanted; /* the socket was full */
  bool paused;          /* the owner wants no input for now */
  bool level_due;       /* output_level is to be called */
  bool end_sent;
  bool mute;            /* nothing can be sent any more; what the peer said before is read */
  bool upgraded;        /* `receiver` is in use, not `head` */
  uint64_t deadline_ms; /* mono, of `wait` */
  sdb_link wait_link;   /* in a list of waits, or in dead */
  sdb_link dirty_link, again_link;
  sdb_output output;
  char *remote;        /* the peer's address, where another than the socket's is to be told */
  unsigned char *pong; /* a whole pong frame that is still to be queued: one a connection */
  size_t head_at;      /* how far the head was looked through */
  union {
    sdb_buffer head;          /* what came of it */
    sdb_ws_receiver receiver; /* once `upgraded` */
  };
};

/* ---- conn.c ---- */

/* Takes `fd` over; `tls` NULL: plain. NULL: out of memory; `fd` is still the caller's. */
sdb_conn *sdb_conn_create(sdb_net *net, int fd, sdb_tls_context *tls);

/* A connection that is to be made, and waits for that. NULL: out of memory. */
sdb_conn *sdb_conn_create_dialled(sdb_net *net, sdb_dial *dial);

/* (Re)registers the events that the connection waits for. False: it cannot be done. */
bool sdb_conn_listen(sdb_conn *conn, bool writable);

/* Forgets the socket of a try that failed. */
void sdb_conn_drop_socket(sdb_conn *conn);

/* Reads what there is, and acts on it. */
void sdb_conn_read(sdb_conn *conn);

/* Closes the socket at once and drops all output. The connection stays until sdb_conn_reap. */
void sdb_conn_kill(sdb_conn *conn);

/* Tells the owner of those that died and frees them. */
void sdb_conn_reap(sdb_net *net);

/* Acts on every deadline that is over. */
void sdb_conn_run_deadlines(sdb_net *net);

/* The next one (mono), UINT64_MAX: none. */
uint64_t sdb_conn_next_deadline(const sdb_net *net);

/* Reads again from those that have input no event will tell of. */
void sdb_conn_run_again(sdb_net *net);

/* Begins to wait for something; its time starts now. */
void sdb_conn_wait(sdb_conn *conn, sdb_wait wait);

/* Moves to LINGERING: what is queued is the last that is sent. */
void sdb_conn_linger(sdb_conn *conn);

/* Waits for the socket to become writable too, or no longer. */
void sdb_conn_want_writable(sdb_conn *conn, bool wanted);

/* ---- request.c ---- */

/* Bytes of a connection in HEAD. */
void sdb_conn_on_head(sdb_conn *conn, char *data, size_t size);

/* Makes a WebSocket of it. `deflate`: the peer's messages may come compressed. */
void sdb_conn_open(sdb_conn *conn, bool deflate);

/* Whether the other side is on this machine. */
bool sdb_conn_is_loopback(const sdb_conn *conn);

/* SHA-1, for the handshake. */
void sdb_conn_sha1(const void *data, size_t size, unsigned char *digest);

/* ---- message.c ---- */

/* Bytes of a connection in OPEN or CLOSING. */
void sdb_conn_on_frames(sdb_conn *conn, char *data, size_t size);

/* ---- send.c ---- */

/* Queues bytes as they are. False: the connection was killed. */
bool sdb_conn_queue(sdb_conn *conn, const void *data, size_t size);

/* Queues bytes that stay where they are until the net is destroyed. False: the connection was
 * killed. */
bool sdb_conn_queue_held(sdb_conn *conn, sdb_slice bytes);

/* Queues a whole unmasked control frame, which is masked on a dialled connection. False: the
 * connection was killed. */
bool sdb_conn_queue_control(sdb_conn *conn, const unsigned char *frame);

/* Forgets all that waits to be sent. */
void sdb_conn_drop_output(sdb_conn *conn);

/* Has it written at the end of the turn. */
void sdb_conn_mark_dirty(sdb_conn *conn);

/* Writes what the socket takes. */
void sdb_conn_flush(sdb_conn *conn);

/* Writes all that have something, and calls output_level. True: it was called. */
bool sdb_conn_flush_all(sdb_net *net);

/* Keeps a pong for the end of the turn; a later one takes its place. */
void sdb_conn_pong(sdb_conn *conn, const char *data, size_t size);

#endif
