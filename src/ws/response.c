/* ws/response.c: writing HTTP responses and the answer to an upgrade. */
#include "base/base.h"
#include "ws/base64.h"
#include "ws/http.h"

#define DECIMAL_MAX 20

static void append(sdb_buffer *out, const char *text) {
  sdb_buffer_append_slice(out, sdb_slice_of(text));
}

static void append_number(sdb_buffer *out, size_t number) {
  char digits[DECIMAL_MAX];
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  sdb_buffer_append(out, digits + at, sizeof(digits) - at);
}

static const char *reason_of(unsigned status) {
  switch (status) {
  case 200:
    return "OK";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 408:
    return "Request Timeout";
  case 426:
    return "Upgrade Required";
  case 429:
    return "Too Many Requests";
  case 431:
    return "Request Header Fields Too Large";
  case 500:
    return "Internal Server Error";
  case 503:
    return "Service Unavailable";
  case 505:
    return "HTTP Version Not Supported";
  default:
    return "";
  }
}

void sdb_http_write_head(sdb_buffer *out, unsigned status, const char *content_type,
    const char *headers, size_t content_length) {
  append(out, "HTTP/1.1 ");
  append_number(out, status);
  append(out, " ");
  append(out, reason_of(status));
  if (status != 304) {
    append(out, "\r\nContent-Type: ");
    append(out, content_type ? content_type : "text/plain; charset=utf-8");
    append(out, "\r\nContent-Length: ");
    append_number(out, content_length);
  }
  if (status == 405) append(out, "\r\nAllow: GET, HEAD");
  if (status == 426) append(out, "\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13");
  append(out, "\r\n");
  if (headers) append(out, headers);
  append(out, "Connection: close\r\n\r\n");
}

void sdb_http_write_response(
    sdb_buffer *out, unsigned status, const char *content_type, sdb_slice body) {
  sdb_http_write_head(out, status, content_type, NULL, body.size);
  sdb_buffer_append_slice(out, body);
}

void sdb_ws_accept(sdb_slice key, sdb_sha1_fn sha1, char *text) {
  static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char joined[SDB_BASE64_SIZE(16) + sizeof(GUID) - 1];
  unsigned char digest[SDB_SHA1_SIZE];
  SDB_ASSERT(key.size == SDB_BASE64_SIZE(16));
  memcpy(joined, key.data, key.size);
  memcpy(joined + key.size, GUID, sizeof(GUID) - 1);
  sha1(joined, sizeof(joined), digest);
  sdb_ws_base64_encode(digest, sizeof(digest), text);
}

void sdb_ws_write_upgrade(
    sdb_buffer *out, const sdb_http_request *request, bool deflate, sdb_sha1_fn sha1) {
  char accept[SDB_WS_ACCEPT_SIZE];
  sdb_ws_accept(request->key, sha1, accept);
  append(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: ");
  sdb_buffer_append(out, accept, sizeof(accept));
  if (request->subprotocol) append(out, "\r\nSec-WebSocket-Protocol: " SDB_WS_SUBPROTOCOL);
  if (deflate) {
    SDB_ASSERT(request->deflate.offered);
    append(out, "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                "client_no_context_takeover");
    if (request->deflate.server_window_asked) {
      append(out, "; server_max_window_bits=");
      append_number(out, request->deflate.server_window_bits);
    }
  }
  append(out, "\r\n\r\n");
}
