/* net/net.h: sockets, TLS, timers; the only floor that sees libevent.
 *
 * One loop on one thread. The owner's callbacks run on it; every function here
 * is for that thread too, but for the two marked "any thread". Input is read
 * into one buffer that all connections share, output is queued a connection and
 * written once a turn.
 */
#ifndef SDB_NET_NET_H
#define SDB_NET_NET_H

#include "base/memory.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

typedef struct sdb_net sdb_net;
typedef struct sdb_conn sdb_conn;

/* The request that opens a connection. Slices are valid during the callback only. */
typedef struct sdb_net_request {
  sdb_slice method, path;                        /* path without the query */
  sdb_slice query;                               /* behind the '?', still percent-encoded */
  sdb_slice origin, host, authorization, cookie; /* empty where absent */
  sdb_slice if_none_match;                       /* empty where absent */
  sdb_slice remote;                              /* the peer's address as text, without port */
  sdb_slice text;                                /* all of it, to the empty line */
  bool gzip;                                     /* an answer may be compressed so */
  bool upgrade;                                  /* a well-formed WebSocket upgrade */
} sdb_net_request;

/* What the owner says of it: for an upgrade, `accept`; else the answer to send. */
typedef struct sdb_net_answer {
  bool accept;
  unsigned status;          /* 200, 404...; with accept and a close_code: */
  unsigned close_code;      /* not 0: upgrade, then close with this code at once (4401, 1013) and
                               `body` as the reason; no other callback comes for it */
  const char *content_type; /* static */
  const char *headers;      /* more lines of the head, each ended by CRLF; NULL: none. Copied */
  sdb_slice body;           /* copied, or: */
  bool held;                /* `body` is the owner's, and stays until the net is destroyed */
  void *tag;                /* the connection's, when accepted */
} sdb_net_answer;

/* `request` and `closed` may be NULL where nothing is listened for; what is dialled has its own. */
typedef struct sdb_net_handler {
  void *context;
  /* A whole HTTP request head arrived. */
  void (*request)(
      void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer);
  /* One whole text message of an open connection (binary ones close 1003 before this).
   * `message` may be changed in place; it is valid UTF-8. */
  void (*message)(void *context, sdb_conn *conn, void *tag, char *message, size_t size);
  /* The amount of output that waits changed: grew by a send, or shrank. Once a turn at most. */
  void (*output_level)(void *context, sdb_conn *conn, void *tag, size_t bytes);
  /* An accepted connection is gone (by either side). It must not be used again. */
  void (*closed)(void *context, sdb_conn *conn, void *tag);
  /* sdb_net_wake was called since the last time. */
  void (*woken)(void *context);
  /* The time of sdb_net_set_timer has come. */
  void (*timer)(void *context);
  /* All input of this turn was delivered. What is sent here leaves in this turn. Called once more
   * where the turn's output_level calls followed it. */
  void (*turn_end)(void *context);
} sdb_net_handler;

typedef struct sdb_net_options {
  const sdb_mem *mem;
  sdb_net_handler handler;
  const char *tls_cert, *tls_key; /* PEM files; both or none */
  const char *const *origins;     /* allowed Origin values; "*" any; count 0: same host only */
  size_t origins_count;
  size_t message_bytes_max;      /* over it: close 1009 */
  size_t output_hard_bytes;      /* over it: close 1013 */
  uint32_t connections_max;      /* accepted ones; 0: as many as file descriptors allow */
  uint32_t ping_interval_ms;     /* of silence, then a ping; as long again: closed. 0: never */
  uint32_t handshake_timeout_ms; /* for the HTTP head and TLS; dialling: from the name on */
  bool compress_loopback;        /* offer permessage-deflate to loopback peers too */
  bool compress;                 /* offer it at all */
} sdb_net_options;

typedef struct sdb_net_stats {
  uint64_t connections, connections_compressed; /* now */
  uint64_t accepted, refused_origin, refused_http, protocol_errors, slow_closed;
  uint64_t bytes_in, bytes_out, messages_in, messages_out, output_buffered_bytes;
} sdb_net_stats;

/* SDB_OK; SDB_INVALID_ARGUMENT (one of cert and key); SDB_IO (the PEM files cannot be read or do
 * not match: error->message says); SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_net_create(
    const sdb_net_options *options, sdb_net **net, sdb_error *error);

/* Closes what is open, without handshakes; `closed` is called for each accepted or dialled
 * connection. Not while sdb_net_run runs. */
void sdb_net_destroy(sdb_net *net);

/* Binds and listens; several are allowed. `port` 0 takes a free one; `*bound` (may be NULL) is the
 * port. SDB_IO with the reason; SDB_INVALID_ARGUMENT: `host` is no address. */
SDB_MUST_CHECK sdb_status sdb_net_listen(
    sdb_net *net, const char *host, uint16_t port, uint16_t *bound, sdb_error *error);

/* sdb_net_listen with TLS of its own: PEM files, both or none (then the options' are used).
 * SDB_INVALID_ARGUMENT too: one of them; SDB_IO too: as sdb_net_create. */
SDB_MUST_CHECK sdb_status sdb_net_listen_with(sdb_net *net, const char *host, uint16_t port,
    const char *tls_cert, const char *tls_key, uint16_t *bound, sdb_error *error);

/* Takes over a connected socket, from which `size` bytes at `data` (which may be changed) were read
 * already: as if it had been accepted, without TLS. `remote`: the peer's address as text; empty:
 * that of the socket. It is closed where it cannot be kept. */
void sdb_net_adopt(sdb_net *net, int fd, sdb_slice remote, char *data, size_t size);

/* Runs the loop until sdb_net_stop. */
void sdb_net_run(sdb_net *net);

/* Any thread: makes sdb_net_run return at the end of its turn. */
void sdb_net_stop(sdb_net *net);

/* Any thread, and cheap when the loop is awake: the loop calls `woken`. */
void sdb_net_wake(sdb_net *net);

/* When `timer` is to be called, of sdb_net_now_ms; UINT64_MAX: not. One timer; setting replaces. */
void sdb_net_set_timer(sdb_net *net, uint64_t at_ms);

/* Milliseconds since the epoch, read once a turn. */
uint64_t sdb_net_now_ms(const sdb_net *net);

/* Queues whole server frames (unmasked, uncompressed, `messages` of them) to one that was accepted;
 * nothing is sent before turn_end is over. Small ones are copied; large ones are held: `retain`
 * once, `release` when sent. Compressed anew for a peer that agreed on it. Nothing happens on a
 * connection that is closing. */
void sdb_net_send(sdb_conn *conn, const char *frames, size_t size, uint32_t messages, void *owner,
    void (*retain)(void *owner), void (*release)(void *owner));

/* Stops, or goes on, reading from a connection, so that a peer that sends faster than its answers
 * leave is held back by TCP. What was read already is still delivered. It is not waited for for
 * ever: a peer that takes nothing meanwhile is closed like one that is silent. Nothing happens on a
 * dialled one that is not open yet. */
void sdb_net_pause(sdb_conn *conn, bool paused);

/* Sends a close frame behind what is queued, waits a short while for the peer's, then closes.
 * Incoming messages are dropped from now on; `closed` still comes. One that is not open yet just
 * ends. */
void sdb_net_close(sdb_conn *conn, unsigned code, sdb_slice reason);

/* Stops accepting and dialling, then closes every connection with `code` and `reason`. */
void sdb_net_shutdown(sdb_net *net, unsigned code, sdb_slice reason);

/* How many connections there are, those on their way included. */
size_t sdb_net_connections(const sdb_net *net);

void sdb_net_stats_get(const sdb_net *net, sdb_net_stats *stats);

#endif
