/* ws/client_http.c: see client_http.h.
 *
 *   head   = "HTTP/1." digit SP status SP reason CRLF *( field CRLF ) CRLF
 *
 * As strict as http.c is with requests: an answer that could be taken in two ways is no answer, and
 * a 101 that says less or more than what was asked for opens nothing.
 */
#include "ws/client_http.h"
#include "base/base.h"
#include "ws/http_text.h"

static void append(sdb_buffer *out, const char *text) {
  sdb_buffer_append_slice(out, sdb_slice_of(text));
}

void sdb_ws_write_request(sdb_buffer *out, const sdb_ws_upgrade *upgrade) {
  append(out, "GET ");
  sdb_buffer_append_slice(out, upgrade->resource);
  append(out, " HTTP/1.1\r\nHost: ");
  sdb_buffer_append_slice(out, upgrade->authority);
  append(out, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Protocol: " SDB_WS_SUBPROTOCOL "\r\nSec-WebSocket-Key: ");
  sdb_buffer_append_slice(out, upgrade->key);
  if (upgrade->token.size > 0) {
    append(out, "\r\nAuthorization: Bearer ");
    sdb_buffer_append_slice(out, upgrade->token);
  }
  if (upgrade->deflate)
    append(out, "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                "client_no_context_takeover");
  append(out, "\r\n\r\n");
}

/* ---- the answer ---- */

typedef struct parse {
  sdb_slice upgrade, accept, protocol, extensions, length, encoding;
  bool connection_upgrade;
} parse;

/* "HTTP/1.1 101 Switching Protocols": the status, or 0. */
static unsigned parse_status_line(sdb_slice line, bool *http_11) {
  static const char START[] = "HTTP/1.x 999 ";
  if (line.size < sizeof(START) - 1) return 0;
  const char *text = line.data;
  if (memcmp(text, START, 7) != 0 || text[8] != ' ' || text[12] != ' ') return 0;
  if (text[7] != '0' && text[7] != '1') return 0;
  *http_11 = text[7] == '1';
  unsigned status = 0;
  for (size_t i = 9; i < 12; i++) {
    if (text[i] < '0' || text[i] > '9') return 0;
    status = status * 10 + (unsigned)(text[i] - '0');
  }
  return status >= 100 ? status : 0;
}

static bool take_header(parse *p, sdb_slice name, sdb_slice value) {
  const struct {
    const char *name;
    sdb_slice *field;
  } once[] = {{"upgrade", &p->upgrade}, {"sec-websocket-accept", &p->accept},
      {"sec-websocket-protocol", &p->protocol}, {"sec-websocket-extensions", &p->extensions},
      {"content-length", &p->length}, {"transfer-encoding", &p->encoding}};
  for (size_t i = 0; i < SDB_COUNT_OF(once); i++) {
    if (sdb_http_same(name, once[i].name)) return sdb_http_take_once(once[i].field, value);
  }
  if (sdb_http_same(name, "connection"))
    p->connection_upgrade |= sdb_http_list_has(value, "upgrade");
  return true;
}

static const char *check_switch(const parse *p, const sdb_ws_upgrade *upgrade, sdb_sha1_fn sha1) {
  char accept[SDB_WS_ACCEPT_SIZE];
  sdb_ws_accept(upgrade->key, sha1, accept);
  if (!sdb_http_same(p->upgrade, "websocket") || !p->connection_upgrade)
    return "the server switched to another protocol than WebSocket";
  if (!sdb_slice_equal(p->accept, sdb_slice_make(accept, sizeof(accept))))
    return "the server does not speak WebSocket: its Sec-WebSocket-Accept does not fit the key";
  if (p->encoding.data || (p->length.data && !sdb_slice_equal(p->length, sdb_slice_of("0"))))
    return "the server sent a body with its upgrade";
  if (p->protocol.data && !sdb_slice_equal(p->protocol, sdb_slice_of(SDB_WS_SUBPROTOCOL)))
    return "the server chose a subprotocol that was not offered";
  if (p->extensions.data && !upgrade->deflate)
    return "the server chose an extension that was not offered";
  if (p->extensions.data && !sdb_ws_parse_extension_answer(p->extensions))
    return "the server chose an extension, or terms of one, that were not offered";
  return NULL;
}

const char *sdb_ws_check_answer(
    sdb_slice head, const sdb_ws_upgrade *upgrade, sdb_sha1_fn sha1, sdb_ws_answer *answer) {
  static const char NOT_HTTP[] = "the server's answer is not HTTP/1.1";
  parse p = {.connection_upgrade = false};
  sdb_slice line, name, value;
  bool http_11 = false;
  *answer = (sdb_ws_answer){.status = 0};
  if (!sdb_http_next_line(&head, &line)) return NOT_HTTP;
  unsigned status = parse_status_line(line, &http_11);
  if (!status) return NOT_HTTP;
  while (sdb_http_next_line(&head, &line) && line.size > 0) {
    if (!sdb_http_cut_header(line, &name, &value)) return NOT_HTTP;
    if (!take_header(&p, name, value)) return "the server's answer has a header twice";
  }
  answer->status = status;
  if (status != SDB_HTTP_SWITCHING_PROTOCOLS) return "the server refused the upgrade";
  if (!http_11) return NOT_HTTP;
  const char *problem = check_switch(&p, upgrade, sha1);
  answer->deflate = !problem && p.extensions.data != NULL;
  return problem;
}
