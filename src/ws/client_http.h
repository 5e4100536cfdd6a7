/* ws/client_http.h: the HTTP/1.1 of a WebSocket client: the upgrade request, and its answer checked
 * (RFC 6455 section 4.1). */
#ifndef SDB_WS_CLIENT_HTTP_H
#define SDB_WS_CLIENT_HTTP_H

#include "ws/base64.h"
#include "ws/http.h"

#define SDB_WS_NONCE_SIZE 16 /* bytes that a key is the base64 of */
#define SDB_WS_KEY_SIZE SDB_BASE64_SIZE(SDB_WS_NONCE_SIZE)

#define SDB_HTTP_SWITCHING_PROTOCOLS 101 /* the status of an upgrade that was done */

/* What is asked for. That no slice can end a line early is the caller's to see to. */
typedef struct sdb_ws_upgrade {
  sdb_slice authority; /* the Host header */
  sdb_slice resource;  /* path and query */
  sdb_slice token;     /* `Authorization: Bearer`; empty: none */
  sdb_slice key;       /* SDB_WS_KEY_SIZE characters */
  bool deflate;        /* permessage-deflate is offered, without context takeover */
} sdb_ws_upgrade;

/* Appends the request head. */
void sdb_ws_write_request(sdb_buffer *out, const sdb_ws_upgrade *upgrade);

typedef struct sdb_ws_answer {
  unsigned status; /* of HTTP; 0: it is no HTTP answer */
  bool deflate;    /* agreed on: messages may come compressed, each by itself */
} sdb_ws_answer;

/* Reads the head of the answer (as sdb_http_scan_head found it) and sets `*answer`. NULL: the
 * connection is a WebSocket now; else why it is not, a static sentence. */
const char *sdb_ws_check_answer(
    sdb_slice head, const sdb_ws_upgrade *upgrade, sdb_sha1_fn sha1, sdb_ws_answer *answer);

#endif
