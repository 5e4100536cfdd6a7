/* http_fuzz.c: the heads of an upgrade, of both sides. The first byte says what follows:
 *   '>'   a request head, as a server reads it. An upgrade that it takes is answered, and our
 *         client must agree to the answer.
 *   '<'   an answer's head, as a client reads it, for the key of RFC 6455's example; a '+' behind
 *         the '<': compression was offered.
 *   else  three lines: authority, resource, token. Our client's request of them, where they are
 *         made of visible ASCII, must come out of our server's parser as it went in.
 * Wherever a head is cut, looking for its end on from there says the same.
 */
#include "fuzz.h"
#include "ws/client_http.h"
#include "ws/http_text.h"
#include <openssl/sha.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static fuzz_memory memory;

static void sha1(const void *data, size_t size, unsigned char *digest) {
  REQUIRE(SHA1(data, size, digest));
}

/* The head's end, found whole, byte by byte, and in two pieces. */
static bool find_head(sdb_slice bytes, sdb_slice *head) {
  size_t at = 0, size = 0, at_again = 0, size_again = 0;
  sdb_http_scan scan = sdb_http_scan_head(bytes, &at, &size), again = SDB_HTTP_INCOMPLETE;
  for (size_t i = 0; i <= bytes.size && again == SDB_HTTP_INCOMPLETE; i++)
    again = sdb_http_scan_head(sdb_slice_make(bytes.data, i), &at_again, &size_again);
  REQUIRE(scan == again && size == size_again);
  REQUIRE(scan != SDB_HTTP_COMPLETE || (size >= 4 && size <= bytes.size));
  *head = sdb_slice_make(bytes.data, size);
  return scan == SDB_HTTP_COMPLETE;
}

static void require_inside(sdb_slice head, sdb_slice part) {
  if (part.size == 0) return;
  REQUIRE(part.data >= head.data && part.data + part.size <= head.data + head.size);
  REQUIRE(!memchr(part.data, '\r', part.size) && !memchr(part.data, '\n', part.size));
}

/* ---- requests ---- */

static void require_agreement(const sdb_http_request *request) {
  for (int deflate = 0; deflate <= (int)request->deflate.offered; deflate++) {
    sdb_buffer answer;
    sdb_slice head;
    sdb_ws_answer read;
    sdb_buffer_init(&answer, &memory.mem, 1 << 16);
    sdb_ws_write_upgrade(&answer, request, deflate, sha1);
    REQUIRE(answer.status == SDB_OK && find_head(sdb_buffer_slice(&answer), &head));
    REQUIRE(head.size == answer.size);
    /* Our client offers no window of the server's, so it takes no answer that has one. */
    bool offered = !deflate || !request->deflate.server_window_asked;
    sdb_ws_upgrade upgrade = {.key = request->key, .deflate = true};
    const char *problem = sdb_ws_check_answer(head, &upgrade, sha1, &read);
    REQUIRE(!offered || (!problem && read.deflate == (bool)deflate));
    REQUIRE(read.status == SDB_HTTP_SWITCHING_PROTOCOLS);
    sdb_buffer_free(&answer);
  }
}

static void require_refusal(unsigned status) {
  REQUIRE(status == 400 || status == 405 || status == 426 || status == 505);
  sdb_buffer answer;
  sdb_slice head;
  sdb_ws_answer read;
  sdb_ws_upgrade upgrade = {.key = sdb_slice_of(KEY)};
  sdb_buffer_init(&answer, &memory.mem, 1 << 16);
  sdb_http_write_response(&answer, status, NULL, sdb_slice_of("no"));
  REQUIRE(find_head(sdb_buffer_slice(&answer), &head));
  REQUIRE(sdb_ws_check_answer(head, &upgrade, sha1, &read) && read.status == status);
  sdb_buffer_free(&answer);
}

static void read_request(sdb_slice bytes) {
  sdb_slice head;
  sdb_http_request request;
  if (!find_head(bytes, &head)) return;
  unsigned status = sdb_http_parse(head, &request);
  if (status) {
    require_refusal(status);
    return;
  }
  const sdb_slice parts[] = {request.method, request.path, request.query, request.host,
      request.origin, request.authorization, request.cookie, request.key, request.if_none_match};
  for (size_t i = 0; i < SDB_COUNT_OF(parts); i++)
    require_inside(head, parts[i]);
  REQUIRE(request.path.size > 0 && request.path.data[0] == '/');
  bool same = sdb_http_same_host(request.origin, request.host);
  if (same) REQUIRE(request.origin.size > request.host.size - sizeof(":443") + 1);
  if (!request.upgrade) return;
  REQUIRE(request.key.size == SDB_WS_KEY_SIZE);
  require_agreement(&request);
}

/* ---- answers ---- */

static void read_answer(fuzz_input *in) {
  sdb_ws_upgrade upgrade = {.key = sdb_slice_of(KEY)};
  sdb_ws_answer answer;
  sdb_slice head;
  upgrade.deflate = in->size && *in->data == '+' && fuzz_byte(in);
  if (!find_head(fuzz_bytes(in, in->size), &head)) return;
  const char *problem = sdb_ws_check_answer(head, &upgrade, sha1, &answer);
  if (!problem) {
    REQUIRE(answer.status == SDB_HTTP_SWITCHING_PROTOCOLS);
    REQUIRE(fuzz_contains(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  }
  REQUIRE(!answer.deflate || (!problem && upgrade.deflate));
  REQUIRE(problem == NULL || problem[0]);
}

/* ---- our own request ---- */

static bool is_visible(sdb_slice text) {
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] <= ' ' || text.data[i] > '~') return false;
  }
  return text.size > 0;
}

static void write_request(fuzz_input *in, bool deflate) {
  sdb_ws_upgrade upgrade = {.key = sdb_slice_of(KEY), .deflate = deflate};
  upgrade.authority = fuzz_until(in, '\n');
  upgrade.resource = fuzz_until(in, '\n');
  upgrade.token = fuzz_until(in, '\n');
  bool resource = is_visible(upgrade.resource) && upgrade.resource.data[0] == '/' &&
                  !memchr(upgrade.resource.data, '#', upgrade.resource.size);
  if (!resource || !is_visible(upgrade.authority)) return;
  if (upgrade.token.size && !is_visible(upgrade.token)) return;
  sdb_buffer text;
  sdb_slice head, bearer;
  sdb_http_request request;
  sdb_buffer_init(&text, &memory.mem, 1 << 20);
  sdb_ws_write_request(&text, &upgrade);
  REQUIRE(text.status == SDB_OK && find_head(sdb_buffer_slice(&text), &head));
  REQUIRE(head.size == text.size && sdb_http_parse(head, &request) == 0);
  REQUIRE(request.upgrade && request.subprotocol && request.deflate.offered == deflate);
  REQUIRE(sdb_slice_equal(request.host, upgrade.authority));
  REQUIRE(sdb_slice_equal(request.key, upgrade.key));
  bearer = request.authorization;
  REQUIRE((bearer.size > 0) == (upgrade.token.size > 0));
  if (bearer.size) {
    REQUIRE(sdb_http_cut(&bearer, ' ', &(sdb_slice){0}));
    REQUIRE(sdb_slice_equal(bearer, upgrade.token));
  }
  require_agreement(&request);
  sdb_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  if (size > SDB_HTTP_HEAD_MAX) return 0;
  fuzz_memory_init(&memory, (size_t)1 << 22);
  uint8_t what = fuzz_byte(&in);
  if (what == '>')
    read_request(fuzz_bytes(&in, in.size));
  else if (what == '<')
    read_answer(&in);
  else
    write_request(&in, what & 1);
  fuzz_memory_end(&memory);
  return 0;
}
