/* ws/http.h: the HTTP/1.1 that a WebSocket server needs (RFC 9112, RFC 6455 section 4).
 *
 * One request a connection: its head is read and answered; a body is never read.
 */
#ifndef SDB_WS_HTTP_H
#define SDB_WS_HTTP_H

#include "base/buffer.h"
#include <stdbool.h>
#include <syncdb/slice.h>

#define SDB_HTTP_HEAD_MAX 8192 /* bytes */
#define SDB_WS_SUBPROTOCOL "syncdb.v1"
#define SDB_WS_ACCEPT_SIZE 28 /* characters of Sec-WebSocket-Accept */
#define SDB_SHA1_SIZE 20

typedef enum sdb_http_scan {
  SDB_HTTP_INCOMPLETE = 0,
  SDB_HTTP_COMPLETE, /* `*head_size` is set */
  SDB_HTTP_BAD       /* a byte that no head may have */
} sdb_http_scan;

/* Looks for the empty line that ends a head. `*at` is where to look on: 0 at first, kept by the
 * caller between calls with more of the same bytes. */
sdb_http_scan sdb_http_scan_head(sdb_slice bytes, size_t *at, size_t *head_size);

/* A permessage-deflate offer that was accepted (RFC 7692). */
typedef struct sdb_ws_deflate {
  bool offered;
  unsigned server_window_bits; /* 9 to 15: how far back the server may refer */
  bool server_window_asked;    /* the offer had it, so the answer must */
} sdb_ws_deflate;

/* A request head. Slices point into the head. */
typedef struct sdb_http_request {
  sdb_slice method, path, query;                 /* query: behind the '?' */
  sdb_slice host, origin, authorization, cookie; /* empty where absent */
  sdb_slice if_none_match;                       /* the first line of it */
  bool head;                                     /* HEAD: the answer without its body */
  bool gzip;                                     /* an answer may be compressed so */
  sdb_slice key;                                 /* Sec-WebSocket-Key */
  bool upgrade;                                  /* a whole, well-formed WebSocket upgrade */
  bool subprotocol;                              /* SDB_WS_SUBPROTOCOL was offered */
  sdb_ws_deflate deflate;                        /* the first offer that the server can meet */
} sdb_http_request;

/* Parses a whole head (as sdb_http_scan_head found it). 0, and `*request` is set; or the HTTP
 * status to answer with: 400; 405 for another method than GET and HEAD; 426 for another WebSocket
 * version than 13; 505. */
unsigned sdb_http_parse(sdb_slice head, sdb_http_request *request);

/* Whether a browser's page of `origin` (as the Origin header says it) is served by `host` (as the
 * Host header says it): the scheme apart, the same name and port. */
bool sdb_http_same_host(sdb_slice origin, sdb_slice host);

/* Appends the head of a response with `Connection: close`. `content_type` NULL: plain text.
 * `headers` (may be NULL): more lines, each ended by CRLF. A 304 has neither type nor length. */
void sdb_http_write_head(sdb_buffer *out, unsigned status, const char *content_type,
    const char *headers, size_t content_length);

/* Appends a whole response: such a head, and `body`. */
void sdb_http_write_response(
    sdb_buffer *out, unsigned status, const char *content_type, sdb_slice body);

/* SHA-1 of `size` bytes, into SDB_SHA1_SIZE bytes. This floor has none of its own. */
typedef void (*sdb_sha1_fn)(const void *data, size_t size, unsigned char *digest);

/* Writes the SDB_WS_ACCEPT_SIZE characters that answer `key`. */
void sdb_ws_accept(sdb_slice key, sdb_sha1_fn sha1, char *text);

/* Appends the 101 response. `deflate`: agree to the request's offer, with no context takeover both
 * ways. */
void sdb_ws_write_upgrade(
    sdb_buffer *out, const sdb_http_request *request, bool deflate, sdb_sha1_fn sha1);

#endif
