/* Tests of ws: the HTTP head, the answer to it, extensions, base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "platform/platform.h"
#include "ws/base64.h"
#include "ws/http.h"
#include <openssl/sha.h>
#include <stdio.h>

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define HOST "Host: example.com\r\n"
#define WEBSOCKET "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define UPGRADE_HEAD "GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION KEY VERSION
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate"

static unsigned parse(const char *text, sdb_http_request *request) {
  return sdb_http_parse(sdb_slice_of(text), request);
}

static void assert_slice(sdb_slice slice, const char *text) {
  assert_int_equal(slice.size, strlen(text));
  assert_memory_equal(slice.data, text, slice.size);
}

/* The example of RFC 6455 section 1.2. */
static void the_rfcs_request_is_an_upgrade(void **state) {
  (void)state;
  sdb_http_request r;
  assert_int_equal(parse("GET /chat HTTP/1.1\r\n"
                         "Host: server.example.com\r\n"
                         "Upgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                         "Origin: http://example.com\r\n"
                         "Sec-WebSocket-Protocol: chat, superchat\r\n"
                         "Sec-WebSocket-Version: 13\r\n\r\n",
                       &r),
      0);
  assert_true(r.upgrade);
  assert_false(r.subprotocol);
  assert_false(r.deflate.offered);
  assert_slice(r.method, "GET");
  assert_slice(r.path, "/chat");
  assert_slice(r.query, "");
  assert_slice(r.host, "server.example.com");
  assert_slice(r.origin, "http://example.com");
  assert_slice(r.key, "dGhlIHNhbXBsZSBub25jZQ==");
}

static const struct {
  const char *head;
  unsigned status;
  bool upgrade;
} HEADS[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 0, false},
    {"GET / HTTP/1.0\r\n\r\n", 0, false},
    {"GET / HTTP/1.1\r\nhOsT:\t a \t\r\n\r\n", 0, false},
    {"HEAD / HTTP/1.1\r\n" HOST "\r\n", 0, false},
    {UPGRADE_HEAD "\r\n", 0, true},
    {UPGRADE_HEAD "Content-Length: 0\r\n\r\n", 0, true},
    /* lists, in one line or several, in any case */
    {"GET / HTTP/1.1\r\n" HOST KEY VERSION
     "Upgrade: h2c, WebSocket\r\nConnection: keep-alive\r\nconnection: foo ,  uPgRaDe\r\n\r\n",
        0, true},
    /* a token that only contains the word is another one */
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET KEY VERSION "Connection: no-upgrade\r\n\r\n", 0, false},
    {"GET / HTTP/1.1\r\n" HOST CONNECTION "Upgrade: websocketx\r\n\r\n", 0, false},
    {"GET / HTTP/1.1\r\n" HOST CONNECTION "Upgrade: h2c\r\n\r\n", 0, false},
    /* the request line */
    {"POST / HTTP/1.1\r\n" HOST "\r\n", 405, false},
    {"get / HTTP/1.1\r\n" HOST "\r\n", 405, false},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 405, false},
    {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {" / HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET /  HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400, false},
    {"GET /\r\n" HOST "\r\n", 400, false},
    {"GET HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET x HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET http://example.com/ HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505, false},
    {"GET / HTTP/1.2\r\n" HOST "\r\n", 400, false},
    {"GET / http/1.1\r\n" HOST "\r\n", 400, false},
    {"GET / HTTP/x.1\r\n" HOST "\r\n", 400, false},
    {"GET / HTTP/-.1\r\n" HOST "\r\n", 400, false},
    {"GET / HTTP/1x1\r\n" HOST "\r\n", 400, false},
    {"GET  HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"GET /\x7F HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"G{T / HTTP/1.1\r\n" HOST "\r\n", 400, false},
    {"\r\n", 400, false},
    {"", 400, false},
    /* headers */
    {"GET / HTTP/1.1\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST "X: a\r\n folded\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST "Origin: http://a\r\nOrigin: http://b\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST "Authorization: a\r\nauthorization: b\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST "Cookie: a=1\r\nCookie: b=2\r\n\r\n", 400, false},
    /* upgrades */
    {"HEAD / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION KEY VERSION "\r\n", 400, false},
    {"GET / HTTP/1.0\r\n" HOST WEBSOCKET CONNECTION KEY VERSION "\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION KEY "\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION "\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426,
        false},
    {UPGRADE_HEAD VERSION "\r\n", 400, false},
    {UPGRADE_HEAD KEY "\r\n", 400, false},
    {UPGRADE_HEAD "Content-Length: 5\r\n\r\n", 400, false},
    {UPGRADE_HEAD "Transfer-Encoding: chunked\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n",
        400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!=\r\n\r\n",
        400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZS4u\r\n\r\n",
        400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n",
        400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXB.ZSBub25jZQ==\r\n\r\n",
        400, false},
    {"GET / HTTP/1.1\r\n" HOST WEBSOCKET CONNECTION VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n\r\n",
        400, false},
    {UPGRADE_HEAD "Sec-WebSocket-Extensions: ;\r\n\r\n", 400, false},
    {UPGRADE_HEAD "Sec-WebSocket-Extensions: a; b=\"c d\"\r\n\r\n", 400, false},
    {UPGRADE_HEAD "Sec-WebSocket-Extensions: a; b=\r\n\r\n", 400, false},
    {UPGRADE_HEAD "Sec-WebSocket-Extensions: a; b=\"c\r\n\r\n", 400, false},
    {UPGRADE_HEAD "Sec-WebSocket-Extensions: a b\r\n\r\n", 400, false},
    {UPGRADE_HEAD "Sec-WebSocket-Extensions: a,\r\n\r\n", 400, false},
};

static void heads_get_their_status(void **state) {
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(HEADS); i++) {
    sdb_http_request r;
    unsigned status = parse(HEADS[i].head, &r);
    if (status != HEADS[i].status || (!status && r.upgrade != HEADS[i].upgrade))
      fail_msg("%s\ngot %u, wanted %u", HEADS[i].head, status, HEADS[i].status);
  }
}

static void path_query_and_credentials_are_told_apart(void **state) {
  (void)state;
  sdb_http_request r;
  assert_int_equal(parse("GET /a/b?token=x?y&user=1 HTTP/1.1\r\n" HOST
                         "Authorization: Bearer a.b.c\r\nCookie: s=1; t=2\r\n\r\n",
                       &r),
      0);
  assert_slice(r.path, "/a/b");
  assert_slice(r.query, "token=x?y&user=1");
  assert_slice(r.authorization, "Bearer a.b.c");
  assert_slice(r.cookie, "s=1; t=2");
  assert_false(r.upgrade);
}

static void what_is_held_and_understood_is_told(void **state) {
  static const struct {
    const char *accepted;
    bool gzip;
  } CASES[] = {
      {"gzip", true}, {"deflate, GZIP;q=1.0, *;q=0.5", true}, {"br , gzip ; q=0.1", true},
      {"gzip;q=0.001", true}, {"gzip;q=", false}, {"gzip;q=0", false}, {"gzip; q=0.000, br", false},
      {"x-gzip, br", false}, {"", false}, {"*", false}, /* allowed, but so is sending it as it is */
  };
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    char text[256];
    sdb_http_request r;
    snprintf(text, sizeof(text), "HEAD /a HTTP/1.1\r\n" HOST "Accept-Encoding: %s\r\n\r\n",
        CASES[i].accepted);
    assert_int_equal(parse(text, &r), 0);
    assert_true(r.head);
    if (r.gzip != CASES[i].gzip) fail_msg("%s", CASES[i].accepted);
  }
  sdb_http_request r;
  assert_int_equal(parse("GET / HTTP/1.1\r\n" HOST "If-None-Match: \"a\", W/\"b\"\r\n"
                         "if-none-match: \"c\"\r\nAccept-Encoding: br\r\n"
                         "Accept-Encoding: gzip\r\n\r\n",
                       &r),
      0);
  assert_slice(r.if_none_match, "\"a\", W/\"b\"");
  assert_true(r.gzip);
  assert_false(r.head);
}

static void a_head_is_found_wherever_it_is_cut(void **state) {
  static const char TEXT[] = UPGRADE_HEAD "\r\nframes";
  (void)state;
  for (size_t cut = 0; cut < sizeof(TEXT) - 7; cut++) {
    size_t at = 0, size = 0;
    assert_int_equal(
        sdb_http_scan_head(sdb_slice_make(TEXT, cut), &at, &size), SDB_HTTP_INCOMPLETE);
    assert_int_equal(at, cut);
    assert_int_equal(
        sdb_http_scan_head(sdb_slice_make(TEXT, sizeof(TEXT) - 1), &at, &size), SDB_HTTP_COMPLETE);
    assert_int_equal(size, sizeof(TEXT) - 7);
  }
}

static void a_head_may_be_no_more_than_its_end(void **state) {
  (void)state;
  size_t at = 0, size = 0;
  assert_int_equal(
      sdb_http_scan_head(sdb_slice_of("\r\n\tx\r\n\r\n"), &at, &size), SDB_HTTP_COMPLETE);
  assert_int_equal(size, 8);
}

static void bytes_that_no_head_has_are_seen_at_once(void **state) {
  static const char *CASES[] = {"GET / HTTP/1.1\n", "GET /\rx", "\n", "GET /\x01", "GET /\x7f",
      "\x16\x03\x01", "GET / HTTP/1.1\r\nA: b\n\n"};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    size_t at = 0, size;
    if (sdb_http_scan_head(sdb_slice_of(CASES[i]), &at, &size) != SDB_HTTP_BAD)
      fail_msg("case %zu passed", i);
  }
  size_t at = 0, size;
  assert_int_equal(sdb_http_scan_head(sdb_slice_make("GET /\0", 6), &at, &size), SDB_HTTP_BAD);
}

static void the_subprotocol_is_found_in_the_list(void **state) {
  (void)state;
  sdb_http_request r;
  assert_int_equal(
      parse(UPGRADE_HEAD "Sec-WebSocket-Protocol: foo, syncdb.v1 ,bar\r\n\r\n", &r), 0);
  assert_true(r.subprotocol);
  assert_int_equal(parse(UPGRADE_HEAD "Sec-WebSocket-Protocol: syncdb.v10\r\n\r\n", &r), 0);
  assert_false(r.subprotocol);
}

static void offers_of_compression_are_met_or_passed_over(void **state) {
  static const struct {
    const char *header;
    unsigned bits; /* 0: no offer is met */
    bool asked;
  } CASES[] = {
      {DEFLATE, 15, false},
      {"Sec-WebSocket-Extensions: PerMessage-Deflate", 15, false},
      {DEFLATE "; client_max_window_bits", 15, false},
      {DEFLATE ";client_max_window_bits=10 ; server_no_context_takeover", 15, false},
      {DEFLATE "; server_max_window_bits=10", 10, true},
      {DEFLATE "; server_max_window_bits=\"12\"", 12, true},
      {DEFLATE "; server_max_window_bits=8, permessage-deflate", 15, false},
      {DEFLATE "; server_max_window_bits=8", 0, false},
      {DEFLATE "; server_max_window_bits=16", 0, false},
      {DEFLATE "; server_max_window_bits=09", 0, false},
      {DEFLATE "; server_max_window_bits", 0, false},
      {DEFLATE "; server_max_window_bits=100", 0, false},
      {DEFLATE "; server_max_window_bits=1x", 0, false},
      {DEFLATE "; server_max_window_bits=1!", 0, false},
      {DEFLATE "; client_max_window_bits=7", 0, false},
      {DEFLATE "; client_no_context_takeover=1", 0, false},
      {DEFLATE "; client_no_context_takeover; client_no_context_takeover", 0, false},
      {DEFLATE "; unknown", 0, false},
      {DEFLATE "; unknown, permessage-deflate; server_max_window_bits=9", 9, true},
      {DEFLATE "\r\n" DEFLATE "; server_max_window_bits=9", 15, false},
      {"Sec-WebSocket-Extensions: x-webkit-deflate-frame; a=b, other", 0, false},
  };
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    char head[1024];
    sdb_http_request r;
    snprintf(head, sizeof(head), "%s%s\r\n\r\n", UPGRADE_HEAD, CASES[i].header);
    assert_int_equal(parse(head, &r), 0);
    if (r.deflate.offered != (CASES[i].bits > 0) || r.deflate.server_window_bits != CASES[i].bits ||
        r.deflate.server_window_asked != CASES[i].asked)
      fail_msg("%s: got %u bits, asked %d", CASES[i].header, r.deflate.server_window_bits,
          r.deflate.server_window_asked);
  }
}

static void sha1(const void *data, size_t size, unsigned char *digest) {
  SHA1(data, size, digest);
}

/* RFC 6455 section 1.3. */
static void the_rfcs_key_gets_the_rfcs_accept(void **state) {
  (void)state;
  char text[SDB_WS_ACCEPT_SIZE];
  sdb_ws_accept(sdb_slice_of("dGhlIHNhbXBsZSBub25jZQ=="), sha1, text);
  assert_memory_equal(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof(text));
}

/* RFC 4648 section 10. */
static void base64_is_as_the_rfc_has_it(void **state) {
  static const char *CASES[][2] = {{"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    char text[16];
    size_t size = strlen(CASES[i][0]);
    sdb_ws_base64_encode((const unsigned char *)CASES[i][0], size, text);
    assert_int_equal(SDB_BASE64_SIZE(size), strlen(CASES[i][1]));
    assert_memory_equal(text, CASES[i][1], SDB_BASE64_SIZE(size));
  }
}

static void assert_upgrade(const char *headers, bool deflate, const char *expected) {
  char head[1024];
  sdb_http_request r;
  sdb_buffer out;
  snprintf(head, sizeof(head), "%s%s\r\n", UPGRADE_HEAD, headers);
  assert_int_equal(parse(head, &r), 0);
  sdb_buffer_init(&out, sdb_platform_mem(), 1024);
  sdb_ws_write_upgrade(&out, &r, deflate, sha1);
  assert_int_equal(out.status, SDB_OK);
  assert_slice(sdb_buffer_slice(&out), expected);
  sdb_buffer_free(&out);
}

#define SWITCHING                                                                                  \
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"              \
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static void the_answer_says_what_was_agreed(void **state) {
  (void)state;
  assert_upgrade("", false, SWITCHING "\r\n");
  assert_upgrade("Sec-WebSocket-Protocol: syncdb.v1\r\n", false,
      SWITCHING "Sec-WebSocket-Protocol: syncdb.v1\r\n\r\n");
  assert_upgrade(DEFLATE "\r\n", true,
      SWITCHING DEFLATE "; server_no_context_takeover; client_no_context_takeover\r\n\r\n");
  assert_upgrade(DEFLATE "; server_max_window_bits=10\r\n", true,
      SWITCHING DEFLATE "; server_no_context_takeover; client_no_context_takeover"
                        "; server_max_window_bits=10\r\n\r\n");
}

static void a_response_closes_the_connection(void **state) {
  (void)state;
  sdb_buffer out;
  sdb_buffer_init(&out, sdb_platform_mem(), 1024);
  sdb_http_write_response(&out, 200, "text/plain; version=0.0.4", sdb_slice_of("a 1\n"));
  assert_slice(sdb_buffer_slice(&out), "HTTP/1.1 200 OK\r\n"
                                       "Content-Type: text/plain; version=0.0.4\r\n"
                                       "Content-Length: 4\r\nConnection: close\r\n\r\na 1\n");
  sdb_buffer_reset(&out);
  sdb_http_write_response(&out, 426, NULL, sdb_slice_of(""));
  assert_slice(sdb_buffer_slice(&out),
      "HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Length: 0\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
      "Connection: close\r\n\r\n");
  sdb_buffer_reset(&out);
  sdb_http_write_head(&out, 200, "text/html", "ETag: \"a\"\r\nX: y\r\n", 12);
  assert_slice(sdb_buffer_slice(&out),
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n"
      "ETag: \"a\"\r\nX: y\r\nConnection: close\r\n\r\n");
  sdb_buffer_reset(&out);
  sdb_http_write_head(&out, 304, NULL, "ETag: \"a\"\r\n", 0);
  assert_slice(sdb_buffer_slice(&out),
      "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nConnection: close\r\n\r\n");
  sdb_buffer_free(&out);
}

static void a_response_has_the_words_of_its_status(void **state) {
  static const struct {
    unsigned status;
    const char *line;
  } CASES[] = {
      {400, "HTTP/1.1 400 Bad Request\r\n"}, {401, "HTTP/1.1 401 Unauthorized\r\n"},
      {403, "HTTP/1.1 403 Forbidden\r\n"}, {404, "HTTP/1.1 404 Not Found\r\n"},
      {405, "HTTP/1.1 405 Method Not Allowed\r\n"}, {408, "HTTP/1.1 408 Request Timeout\r\n"},
      {429, "HTTP/1.1 429 Too Many Requests\r\n"},
      {431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
      {500, "HTTP/1.1 500 Internal Server Error\r\n"},
      {503, "HTTP/1.1 503 Service Unavailable\r\n"},
      {505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
      {418, "HTTP/1.1 418 \r\n"}, /* RFC 9112 section 4: the words may be none */
  };
  (void)state;
  sdb_buffer out;
  sdb_buffer_init(&out, sdb_platform_mem(), 1024);
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    sdb_buffer_reset(&out);
    sdb_http_write_response(&out, CASES[i].status, NULL, sdb_slice_of("x"));
    sdb_buffer_append(&out, "", 1);
    assert_int_equal(strncmp(out.data, CASES[i].line, strlen(CASES[i].line)), 0);
    bool allows = strstr(out.data, "\r\nAllow: GET, HEAD\r\n") != NULL;
    assert_int_equal(allows, CASES[i].status == 405); /* RFC 9110 section 15.5.6: a 405 must */
  }
  sdb_buffer_free(&out);
}

static void an_origin_is_of_the_same_host_by_name_and_port(void **state) {
  static const struct {
    const char *origin, *host;
    bool same;
  } CASES[] = {
      {"http://example.com", "example.com", true},
      {"https://Example.com", "example.COM", true},
      {"https://example.com", "example.com:443", true},
      {"http://example.com:80", "example.com", true},
      {"http://localhost:8080", "localhost:8080", true},
      {"http://[::1]:8080", "[::1]:8080", true},
      {"http://localhost:8080", "localhost:8081", false},
      {"http://localhost", "localhost:8080", false},
      {"https://example.com", "example.com:80", false},
      {"http://evil.com", "example.com", false},
      {"http://example.com.evil.com", "example.com", false},
      {"http://example.com/", "example.com", false},
      {"null", "null", false},
      {"file://", "", false},
      {"http://", "", false},
      {"", "", false},
  };
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    if (sdb_http_same_host(sdb_slice_of(CASES[i].origin), sdb_slice_of(CASES[i].host)) !=
        CASES[i].same)
      fail_msg("%s, %s", CASES[i].origin, CASES[i].host);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_rfcs_request_is_an_upgrade),
      cmocka_unit_test(heads_get_their_status),
      cmocka_unit_test(path_query_and_credentials_are_told_apart),
      cmocka_unit_test(what_is_held_and_understood_is_told),
      cmocka_unit_test(a_head_is_found_wherever_it_is_cut),
      cmocka_unit_test(a_head_may_be_no_more_than_its_end),
      cmocka_unit_test(bytes_that_no_head_has_are_seen_at_once),
      cmocka_unit_test(the_subprotocol_is_found_in_the_list),
      cmocka_unit_test(offers_of_compression_are_met_or_passed_over),
      cmocka_unit_test(the_rfcs_key_gets_the_rfcs_accept),
      cmocka_unit_test(base64_is_as_the_rfc_has_it),
      cmocka_unit_test(the_answer_says_what_was_agreed),
      cmocka_unit_test(a_response_closes_the_connection),
      cmocka_unit_test(a_response_has_the_words_of_its_status),
      cmocka_unit_test(an_origin_is_of_the_same_host_by_name_and_port),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
