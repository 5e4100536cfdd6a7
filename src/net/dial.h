/* net/dial.h: outgoing connections: the client's side of a WebSocket, on the same loop.
 *
 * A dialled connection is an sdb_conn like an accepted one: it is written once a turn, paused and
 * closed by the same functions, its messages come by the handler's `message`. It is told of its
 * opening and its end by the handler given here instead of by `request` and `closed`.
 */
#ifndef SDB_NET_DIAL_H
#define SDB_NET_DIAL_H

#include "net/net.h"

/* Where to: a URL taken apart. Strings are the struct's own. */
typedef struct sdb_net_target {
  bool tls;
  char host[256]; /* without the brackets of an IPv6 address */
  char port[8];
  char authority[300]; /* for the Host header */
  char resource[2048]; /* path and query */
} sdb_net_target;

/* Takes "ws://host[:port][/path][?query]" or "wss://..." apart. SDB_INVALID_ARGUMENT with
 * error->message: why it is none (control characters, a fragment, a user name...). */
SDB_MUST_CHECK sdb_status sdb_net_target_parse(
    const char *url, sdb_net_target *target, sdb_error *error);

/* How a dialled connection ended. Slices are valid during the call only. */
typedef struct sdb_net_end {
  unsigned code;    /* the peer's close code; 1005: a close frame without one; 1006: the connection
                       could not be made or was lost; ours, where we failed it (1002, 1007, 1009) */
  sdb_slice reason; /* the peer's, UTF-8; empty where it gave none */
  unsigned http_status; /* of an upgrade that was refused; 0: there was none */
  const char *problem;  /* a sentence for people where code is 1006 or ours; else "" */
} sdb_net_end;

typedef struct sdb_net_dial_handler {
  void *context;
  /* The upgrade is done: messages may be sent. */
  void (*opened)(void *context, sdb_conn *conn, void *tag);
  /* It is gone, or never came about. Called once, never inside sdb_net_dial. */
  void (*closed)(void *context, sdb_conn *conn, void *tag, const sdb_net_end *end);
} sdb_net_dial_handler;

typedef struct sdb_net_dial_options {
  const sdb_net_target *target; /* needed during the call only, as the strings below */
  sdb_slice token;              /* sent as `Authorization: Bearer`; empty: none */
  const char *tls_ca;           /* PEM file to trust instead of the system's; NULL */
  bool tls_insecure;            /* any certificate will do */
  bool compress;                /* offer permessage-deflate, so that messages may come compressed,
                                   where the target is not loopback (or compress_loopback is set) */
  sdb_net_dial_handler handler;
  void *tag;
} sdb_net_dial_options;

/* Begins to connect: the name is looked up without holding the loop up, its addresses are tried in
 * turn, within handshake_timeout_ms for all of it. SDB_OK, and `closed` will come, also from
 * sdb_net_close at any time and from sdb_net_destroy. Otherwise it will not: SDB_IO (the CA file),
 * SDB_INVALID_ARGUMENT (a token over 16 KiB, or with a blank or a control character in it),
 * SDB_CLOSED (the net was shut down) and SDB_NO_MEMORY, with error->message. */
SDB_MUST_CHECK sdb_status sdb_net_dial(
    sdb_net *net, const sdb_net_dial_options *options, sdb_conn **conn, sdb_error *error);

/* Queues one text message of a dialled connection, which is copied and masked. Nothing happens on
 * one that is not open. */
void sdb_net_send_text(sdb_conn *conn, sdb_slice text);

#endif
