/* ws/http.c: reading a request head, strictly.
 *
 *   head    = method SP target SP "HTTP/1." digit CRLF *( field CRLF ) CRLF
 *   field   = name ":" OWS value OWS
 *
 * What a lenient reader could take in two ways is refused: bare CR or LF, folded
 * lines, space before a colon, a header twice that may come once, a body behind an
 * upgrade. Lists (Connection, Upgrade, Sec-WebSocket-Protocol and -Extensions) may
 * come in several lines, as RFC 9110 section 5.3 says.
 */
#include "ws/http.h"
#include "base/base.h"
#include "ws/base64.h"
#include "ws/http_text.h"

/* What was seen of the headers that only steer the parse. */
typedef struct parse {
  sdb_http_request *request;
  sdb_slice version, length, encoding;
  bool http_10;
  bool connection_upgrade, upgrade_websocket;
} parse;

sdb_http_scan sdb_http_scan_head(sdb_slice bytes, size_t *at, size_t *head_size) {
  const unsigned char *text = (const unsigned char *)bytes.data;
  for (; *at < bytes.size; ++*at) {
    size_t i = *at;
    unsigned char c = text[i];
    bool after_cr = i > 0 && text[i - 1] == '\r';
    if (after_cr != (c == '\n')) return SDB_HTTP_BAD;
    if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7F) return SDB_HTTP_BAD;
    if (c == '\n' && i >= 3 && text[i - 2] == '\n') {
      *head_size = i + 1;
      return SDB_HTTP_COMPLETE;
    }
  }
  return SDB_HTTP_INCOMPLETE;
}

/* "GET /path?query HTTP/1.1": 0 or a status. */
static unsigned parse_request_line(parse *p, sdb_slice line) {
  sdb_http_request *request = p->request;
  sdb_slice target;
  if (!sdb_http_cut(&line, ' ', &request->method) || !sdb_http_is_token(request->method))
    return 400;
  if (!sdb_http_cut(&line, ' ', &target)) return 400;
  if (line.size != 8 || memcmp(line.data, "HTTP/", 5) != 0 || line.data[6] != '.') return 400;
  if (line.data[5] != '1') return line.data[5] >= '0' && line.data[5] <= '9' ? 505 : 400;
  if (line.data[7] != '0' && line.data[7] != '1') return 400;
  p->http_10 = line.data[7] == '0';
  request->head = sdb_slice_equal(request->method, sdb_slice_of("HEAD"));
  if (!request->head && !sdb_slice_equal(request->method, sdb_slice_of("GET"))) return 405;
  if (target.size == 0 || target.data[0] != '/') return 400;
  for (size_t i = 0; i < target.size; i++) {
    if (target.data[i] <= ' ' || target.data[i] > '~' || target.data[i] == '#') return 400;
  }
  if (sdb_http_cut(&target, '?', &request->path))
    request->query = target;
  else
    request->path = target;
  return 0;
}

static bool take_header(parse *p, sdb_slice name, sdb_slice value) {
  sdb_http_request *request = p->request;
  const struct {
    const char *name;
    sdb_slice *field;
  } once[] = {{"host", &request->host}, {"origin", &request->origin},
      {"authorization", &request->authorization}, {"cookie", &request->cookie},
      {"sec-websocket-key", &request->key}, {"sec-websocket-version", &p->version},
      {"content-length", &p->length}, {"transfer-encoding", &p->encoding}};
  for (size_t i = 0; i < SDB_COUNT_OF(once); i++) {
    if (sdb_http_same(name, once[i].name)) return sdb_http_take_once(once[i].field, value);
  }
  if (sdb_http_same(name, "connection"))
    p->connection_upgrade |= sdb_http_list_has(value, "upgrade");
  else if (sdb_http_same(name, "upgrade"))
    p->upgrade_websocket |= sdb_http_list_has(value, "websocket");
  else if (sdb_http_same(name, "sec-websocket-protocol"))
    request->subprotocol |= sdb_http_list_has(value, SDB_WS_SUBPROTOCOL);
  else if (sdb_http_same(name, "sec-websocket-extensions"))
    return sdb_ws_parse_extensions(value, &request->deflate);
  else if (sdb_http_same(name, "accept-encoding"))
    request->gzip |= sdb_http_accepts(value, "gzip");
  else if (sdb_http_same(name, "if-none-match") && !request->if_none_match.data)
    request->if_none_match = value;
  return true;
}

static bool parse_header(parse *p, sdb_slice line) {
  sdb_slice name, value;
  return sdb_http_cut_header(line, &name, &value) && take_header(p, name, value);
}

/* What the headers together say of an upgrade: 0 or a status. */
static unsigned check_upgrade(parse *p) {
  sdb_http_request *request = p->request;
  if (!p->connection_upgrade || !p->upgrade_websocket) return 0;
  if (p->http_10 || p->encoding.data || request->head) return 400;
  if (p->length.data && !sdb_slice_equal(p->length, sdb_slice_of("0"))) return 400;
  if (!p->version.data) return 400;
  if (!sdb_slice_equal(p->version, sdb_slice_of("13"))) return 426;
  if (!sdb_ws_base64_is_16_bytes(request->key)) return 400;
  request->upgrade = true;
  return 0;
}

unsigned sdb_http_parse(sdb_slice head, sdb_http_request *request) {
  memset(request, 0, sizeof(*request));
  parse p = {.request = request};
  sdb_slice line;
  if (!sdb_http_next_line(&head, &line)) return 400;
  unsigned status = parse_request_line(&p, line);
  if (status) return status;
  while (sdb_http_next_line(&head, &line) && line.size > 0) {
    if (!parse_header(&p, line)) return 400;
  }
  if (!p.http_10 && request->host.size == 0) return 400;
  return check_upgrade(&p);
}

/* A host and port without the port that its scheme has anyway. */
static sdb_slice without_port(sdb_slice host, const char *port) {
  size_t size = strlen(port);
  bool has = host.size > size && memcmp(host.data + host.size - size, port, size) == 0;
  return has ? sdb_slice_make(host.data, host.size - size) : host;
}

bool sdb_http_same_host(sdb_slice origin, sdb_slice host) {
  const char *port;
  if (sdb_http_starts(origin, "http://"))
    port = ":80";
  else if (sdb_http_starts(origin, "https://"))
    port = ":443";
  else
    return false;
  size_t scheme = port[1] == '8' ? 7 : 8;
  sdb_slice name = sdb_slice_make(origin.data + scheme, origin.size - scheme);
  name = without_port(name, port);
  host = without_port(host, port);
  return name.size > 0 && sdb_http_same_slice(name, host);
}
