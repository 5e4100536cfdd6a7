/* Tests of a client's half of ws: masked frames, a server's frames, the upgrade and its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "platform/platform.h"
#include "ws/client_http.h"
#include "ws/receive.h"
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX 200000

/* ---- what a receiver hears, as text: "M:hello|P:x|C:1000|F:1002|" ---- */

typedef struct heard {
  char *text;
  size_t size, capacity;
} heard;

static void add(heard *h, const void *data, size_t size) {
  if (size > h->capacity - h->size) {
    h->capacity = (h->size + size) * 2;
    h->text = realloc(h->text, h->capacity);
    assert_non_null(h->text);
  }
  if (size > 0) memcpy(h->text + h->size, data, size);
  h->size += size;
}

static void hear(heard *h, const sdb_ws_event *event) {
  static const char KINDS[] = "?MPOCF";
  char mark[32];
  char kind = event->compressed ? 'Z' : KINDS[event->kind];
  int length = snprintf(mark, sizeof(mark), "%c:%.0u", kind, event->code);
  add(h, mark, (size_t)length);
  if (event->kind != SDB_WS_FAILED) add(h, event->data, event->size);
  add(h, "|", 1);
}

static void feed(sdb_ws_receiver *r, const char *data, size_t size, heard *h) {
  char *piece = malloc(size); /* of its own, so that ASan sees a read beyond it */
  assert_non_null(piece);
  memcpy(piece, data, size);
  sdb_ws_input input = {piece, size};
  sdb_ws_event event;
  while (sdb_ws_receive(r, &input, &event))
    hear(h, &event);
  assert_int_equal(input.size, 0);
  free(piece);
}

/* Cuts the stream once at `first`, then every `each` bytes. */
static heard listen_to(
    sdb_ws_sender sender, bool deflate, const heard *stream, size_t first, size_t each) {
  heard h = {0};
  sdb_ws_receiver r;
  sdb_ws_receiver_init(&r, sender, sdb_platform_mem(), MESSAGE_MAX, deflate);
  for (size_t at = 0; at < stream->size;) {
    size_t size = at == 0 && first > 0 ? first : each;
    if (size > stream->size - at) size = stream->size - at;
    feed(&r, stream->text + at, size, &h);
    at += size;
  }
  sdb_ws_receiver_free(&r);
  add(&h, "", 1);
  return h;
}

static void assert_heard(sdb_ws_sender sender, bool deflate, const heard *stream, size_t first,
    size_t each, const char *expected) {
  heard h = listen_to(sender, deflate, stream, first, each);
  if (strcmp(h.text, expected) != 0)
    fail_msg("cut at %zu: heard %s, wanted %s", first, h.text, expected);
  free(h.text);
}

/* The same must be heard wherever the stream is cut in two, and byte by byte. */
static void expect_of(heard *stream, bool deflate, const char *expected) {
  for (size_t cut = 1; cut <= stream->size; cut++)
    assert_heard(SDB_WS_FROM_SERVER, deflate, stream, cut, stream->size, expected);
  assert_heard(SDB_WS_FROM_SERVER, deflate, stream, 0, 1, expected);
  free(stream->text);
}

static void expect_bytes(const char *bytes, size_t size, const char *expected) {
  heard stream = {0};
  add(&stream, bytes, size);
  expect_of(&stream, false, expected);
}

/* A server's frame, with the shortest length. */
static void add_server_frame(heard *s, unsigned first, const char *payload, size_t size) {
  unsigned char header[SDB_WS_FRAME_HEADER_MAX];
  size_t at = sdb_ws_frame_header(size, header);
  header[0] = (unsigned char)first;
  add(s, header, at);
  add(s, payload, size);
}

/* ---- a server's frames ---- */

/* RFC 6455 section 5.7. */
static void a_servers_frames_are_read_wherever_they_are_cut(void **state) {
  heard s = {0};
  (void)state;
  add(&s, "\x81\x05Hello", 7);
  add(&s, "\x01\x03Hel\x89\x05Hello\x80\x02lo", 16);
  add(&s, "\x8a\x00\x81\x00", 4);
  add(&s,
      "\x88\x06\x03\xe8"
      "bye!",
      8);
  expect_of(&s, false, "M:Hello|P:Hello|M:Hello|O:|M:|C:1000bye!|");
}

static void a_masked_frame_of_a_server_is_a_protocol_error(void **state) {
  (void)state;
  expect_bytes("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11, "F:1002|");
  expect_bytes("\x89\x80\x01\x02\x03\x04", 6, "F:1002|");
  expect_bytes("\x81\x01x\x88\x82mask\x03\xe8", 10, "M:x|F:1002|");
}

static void what_breaks_the_protocol_is_refused_of_a_server_too(void **state) {
  char big[128] = {0};
  (void)state;
  expect_bytes("\xc1\x01x", 3, "F:1002|");         /* RSV1, not agreed on */
  expect_bytes("\xa1\x01x", 3, "F:1002|");         /* RSV2 */
  expect_bytes("\x83\x01x", 3, "F:1002|");         /* an opcode that is none */
  expect_bytes("\x80\x01x", 3, "F:1002|");         /* continues nothing */
  expect_bytes("\x09\x01x", 3, "F:1002|");         /* a ping in fragments */
  expect_bytes("\x81\x7e\x00\x01x", 5, "F:1002|"); /* a length that is not the shortest */
  expect_bytes("\x88\x01\x03", 3, "F:1002|");      /* half a close code */
  expect_bytes("\x88\x02\x03\xee", 4, "F:1002|");  /* 1006 */
  expect_bytes("\x82\x01x", 3, "F:1003|");         /* binary */
  expect_bytes("\x81\x02\xc3(", 4, "F:1007|");     /* no UTF-8 */
  expect_bytes("\x81\x7f\x80\0\0\0\0\0\0\0", 10, "F:1002|");
  expect_bytes("\x81\x7f\0\0\0\0\0\x10\0\0", 10, "F:1009|");
  memcpy(big, "\x89\x7e\x00\x7e", 4);
  expect_bytes(big, sizeof(big), "F:1002|");
}

static void a_servers_compressed_messages_are_marked(void **state) {
  heard s = {0};
  (void)state;
  add(&s, "\xc1\x01\xff\x81\x01x\x41\x01\xfe\x80\x01\xfd", 12);
  expect_of(&s, true, "Z:\xff|M:x|Z:\xfe\xfd|");
}

static void a_servers_message_of_every_length_form_is_read(void **state) {
  static const size_t SIZES[] = {0, 1, 125, 126, 127, 65535, 65536, MESSAGE_MAX};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++) {
    char *text = malloc(SIZES[i] + 4);
    heard s = {0};
    assert_non_null(text);
    memcpy(text, "M:", 2);
    memset(text + 2, 'x', SIZES[i]);
    memcpy(text + 2 + SIZES[i], "|", 2);
    add_server_frame(&s, 0x81, text + 2, SIZES[i]);
    assert_heard(SDB_WS_FROM_SERVER, false, &s, 0, s.size, text);
    assert_heard(SDB_WS_FROM_SERVER, false, &s, 1, 4096, text);
    assert_heard(SDB_WS_FROM_SERVER, false, &s, 9, 1111, text);
    free(s.text);
    free(text);
  }
}

/* ---- masking ---- */

static void the_rfcs_masked_frame_is_written(void **state) {
  static const unsigned char KEY[] = {0x37, 0xfa, 0x21, 0x3d};
  unsigned char frame[SDB_WS_MASKED_HEADER_MAX + 5];
  (void)state;
  size_t at = sdb_ws_masked_header(SDB_WS_TEXT, 5, KEY, frame);
  sdb_ws_mask((char *)frame + at, "Hello", 5, KEY, 0);
  assert_int_equal(at + 5, 11);
  assert_memory_equal(frame, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
}

static void masking_twice_in_any_pieces_gives_the_text_back(void **state) {
  static const unsigned char KEY[] = {1, 2, 3, 4};
  char text[64], masked[64];
  (void)state;
  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (char)(i * 7);
  for (size_t size = 0; size <= sizeof(text); size++) {
    for (size_t cut = 0; cut <= size; cut++) {
      sdb_ws_mask(masked, text, size, KEY, 0);
      for (size_t i = 0; i < size; i++)
        assert_int_equal(masked[i], (char)(text[i] ^ (char)KEY[i % 4]));
      sdb_ws_mask(masked, masked, cut, KEY, 0);
      sdb_ws_mask(masked + cut, masked + cut, size - cut, KEY, cut & 3);
      assert_memory_equal(masked, text, size);
    }
  }
}

static void control_frames_are_masked_whole(void **state) {
  static const unsigned char KEY[] = {0xa1, 0xb2, 0xc3, 0xd4};
  unsigned char frame[SDB_WS_CONTROL_FRAME_MAX], masked[SDB_WS_MASKED_CONTROL_FRAME_MAX];
  char reason[200];
  heard s = {0};
  (void)state;
  sdb_ws_frame_header_of(SDB_WS_PING, false, 0, frame);
  add(&s, masked, sdb_ws_mask_control(frame, KEY, masked));
  size_t header = sdb_ws_frame_header_of(SDB_WS_PONG, false, 3, frame);
  memcpy(frame + header, "abc", 3);
  add(&s, masked, sdb_ws_mask_control(frame, KEY, masked));
  memset(reason, 'r', sizeof(reason));
  sdb_ws_close_frame(4001, sdb_slice_make(reason, sizeof(reason)), frame);
  size_t size = sdb_ws_mask_control(frame, KEY, masked);
  assert_int_equal(size, SDB_WS_MASKED_CONTROL_FRAME_MAX);
  add(&s, masked, size);
  heard h = listen_to(SDB_WS_FROM_CLIENT, false, &s, 0, s.size);
  assert_memory_equal(h.text, "P:|O:abc|C:4001rrr", 18);
  free(h.text);
  free(s.text);
}

static unsigned below(uint64_t *random, unsigned limit) {
  *random = *random * 6364136223846793005U + 1442695040888963407U;
  return (unsigned)(*random >> 33) % limit;
}

static size_t random_size(uint64_t *random) {
  static const unsigned LIMITS[] = {8, 130, 1000, 70000};
  return below(random, LIMITS[below(random, SDB_COUNT_OF(LIMITS))]);
}

/* Adds one frame of our writer, and what must be heard of it. */
static void add_random_frame(uint64_t *random, heard *s, heard *expected) {
  unsigned char key[SDB_WS_MASK_SIZE], header[SDB_WS_MASKED_HEADER_MAX];
  bool control = below(random, 4) == 0;
  size_t size = control ? below(random, SDB_WS_CONTROL_MAX + 1) : random_size(random);
  char *text = malloc(size + 1), *masked = malloc(size + 1);
  assert_non_null(text);
  assert_non_null(masked);
  for (size_t i = 0; i < sizeof(key); i++)
    key[i] = (unsigned char)below(random, 256);
  for (size_t i = 0; i < size; i++)
    text[i] = (char)('a' + below(random, 26));
  sdb_ws_opcode opcode = control ? SDB_WS_PING : SDB_WS_TEXT;
  add(s, header, sdb_ws_masked_header(opcode, size, key, header));
  sdb_ws_mask(masked, text, size, key, 0);
  add(s, masked, size);
  add(expected, control ? "P:" : "M:", 2);
  add(expected, text, size);
  add(expected, "|", 1);
  free(text);
  free(masked);
}

static void what_our_writer_masks_our_receiver_reads(void **state) {
  uint64_t random = 20250301;
  (void)state;
  for (int i = 0; i < 500; i++) {
    heard s = {0}, expected = {0};
    unsigned frames = 1 + below(&random, 6);
    for (unsigned j = 0; j < frames; j++)
      add_random_frame(&random, &s, &expected);
    add(&expected, "", 1);
    size_t each = 1 + below(&random, s.size < 4000 ? 40 : 4000);
    heard h = listen_to(SDB_WS_FROM_CLIENT, false, &s, 0, each);
    assert_int_equal(h.size, expected.size);
    assert_memory_equal(h.text, expected.text, h.size);
    free(h.text);
    free(expected.text);
    free(s.text);
  }
}

/* ---- the upgrade ---- */

#define RFC_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\n"
#define WEBSOCKET "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ANSWER SWITCH WEBSOCKET CONNECTION ACCEPT
#define EXTENSIONS "Sec-WebSocket-Extensions: "
#define TERMS "permessage-deflate; server_no_context_takeover"

static void sha1(const void *data, size_t size, unsigned char *digest) {
  SHA1(data, size, digest);
}

static sdb_ws_upgrade upgrade_with(bool deflate) {
  return (sdb_ws_upgrade){.authority = sdb_slice_of("example.com:8080"),
      .resource = sdb_slice_of("/chat?x=1"),
      .key = sdb_slice_of(RFC_KEY),
      .deflate = deflate};
}

static void assert_request(const sdb_ws_upgrade *upgrade, const char *expected) {
  sdb_buffer out;
  sdb_http_request request;
  sdb_buffer_init(&out, sdb_platform_mem(), 4096);
  sdb_ws_write_request(&out, upgrade);
  assert_int_equal(out.status, SDB_OK);
  assert_int_equal(out.size, strlen(expected));
  assert_memory_equal(out.data, expected, out.size);
  assert_int_equal(sdb_http_parse(sdb_buffer_slice(&out), &request), 0); /* by our own server */
  assert_true(request.upgrade);
  assert_true(request.subprotocol);
  assert_true(sdb_slice_equal(request.key, upgrade->key));
  assert_int_equal(request.deflate.offered, upgrade->deflate);
  sdb_buffer_free(&out);
}

static void the_request_asks_for_what_is_wanted(void **state) {
  sdb_ws_upgrade upgrade = upgrade_with(false);
  (void)state;
  assert_request(&upgrade,
      "GET /chat?x=1 HTTP/1.1\r\nHost: example.com:8080\r\n" WEBSOCKET CONNECTION
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: syncdb.v1\r\n"
      "Sec-WebSocket-Key: " RFC_KEY "\r\n\r\n");
  upgrade.token = sdb_slice_of("a.b.c");
  upgrade.deflate = true;
  assert_request(&upgrade,
      "GET /chat?x=1 HTTP/1.1\r\nHost: example.com:8080\r\n" WEBSOCKET CONNECTION
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: syncdb.v1\r\n"
      "Sec-WebSocket-Key: " RFC_KEY "\r\nAuthorization: Bearer a.b.c\r\n" EXTENSIONS TERMS
      "; client_no_context_takeover\r\n\r\n");
}

/* Checks the answer; `problem` NULL: it must be taken. */
static void check(const char *text, bool offered, unsigned status, const char *problem) {
  sdb_ws_upgrade upgrade = upgrade_with(offered);
  sdb_ws_answer answer;
  size_t size = strlen(text);
  char *head = malloc(size); /* of its own, so that ASan sees a read beyond it */
  assert_non_null(head);
  memcpy(head, text, size);
  const char *got = sdb_ws_check_answer(sdb_slice_make(head, size), &upgrade, sha1, &answer);
  if (!problem != !got || (got && !strstr(got, problem)))
    fail_msg("%s\ngot %s, wanted %s", text, got ? got : "nothing", problem ? problem : "nothing");
  assert_int_equal(answer.status, status);
  bool agreed = !problem && strstr(text, "permessage-deflate") != NULL;
  assert_int_equal(answer.deflate, agreed);
  free(head);
}

static void an_answer_that_fits_opens(void **state) {
  static const char *const HEADS[] = {ANSWER "\r\n",
      "HTTP/1.1 101 \r\n" WEBSOCKET CONNECTION ACCEPT "\r\n",
      SWITCH "uPGRADE: WebSocket\r\nconnection:keep-alive,\t upgrade \r\n" ACCEPT "\r\n",
      SWITCH WEBSOCKET "Connection: keep-alive\r\nConnection: Upgrade\r\n" ACCEPT "\r\n",
      ANSWER "Sec-WebSocket-Protocol: syncdb.v1\r\n\r\n",
      ANSWER "Content-Length: 0\r\nServer: whatever \xc3\xa9\r\nServer: twice\r\n\r\n"};
  static const char *const DEFLATES[] = {TERMS, TERMS "; client_no_context_takeover",
      TERMS "; server_max_window_bits=8", TERMS ";server_max_window_bits=\"15\""};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(HEADS); i++) {
    check(HEADS[i], false, 101, NULL);
    check(HEADS[i], true, 101, NULL);
  }
  for (size_t i = 0; i < SDB_COUNT_OF(DEFLATES); i++) {
    char head[512];
    snprintf(head, sizeof(head), ANSWER EXTENSIONS "%s\r\n\r\n", DEFLATES[i]);
    check(head, true, 101, NULL);
  }
}

static void a_refusal_gives_its_status(void **state) {
  (void)state;
  check("HTTP/1.1 401 Unauthorized\r\n\r\n", false, 401, "the server refused the upgrade");
  check("HTTP/1.0 403 Forbidden\r\nContent-Length: 5\r\n\r\n", false, 403, "refused the upgrade");
  check("HTTP/1.1 200 OK\r\n" WEBSOCKET CONNECTION ACCEPT "\r\n", false, 200, "refused");
  check("HTTP/1.1 301 Moved\r\nLocation: ws://b/\r\n\r\n", false, 301, "refused the upgrade");
  check("HTTP/1.1 503 \r\n\r\n", false, 503, "refused the upgrade");
}

static void what_is_no_http_answer_is_refused(void **state) {
  static const char *const HEADS[] = {"", "\r\n", "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "HTTP/1.1 101\r\n" WEBSOCKET CONNECTION ACCEPT "\r\n", "HTTP/2.0 101 S\r\n\r\n",
      "HTTP/1.2 101 S\r\n\r\n", "HTTP/1.1  101 S\r\n\r\n", "HTTP/1.1 1a1 S\r\n\r\n",
      "HTTP/1.1 1011 S\r\n\r\n", "HTTP/1.1 010 S\r\n\r\n", "http/1.1 101 S\r\n\r\n",
      "HTTP/1.1\t101 S\r\n\r\n", "HTTP/1.1 -01 S\r\n\r\n", SWITCH "no colon\r\n\r\n",
      SWITCH "Name : blank before the colon\r\n\r\n", SWITCH "A: b\r\n folded\r\n\r\n",
      SWITCH ": no name\r\n\r\n"};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(HEADS); i++)
    check(HEADS[i], false, 0, "the server's answer is not HTTP/1.1");
  check("HTTP/1.0 101 S\r\n" WEBSOCKET CONNECTION ACCEPT "\r\n", false, 101, "not HTTP/1.1");
  check(ANSWER ACCEPT "\r\n", false, 0, "a header twice");
  check(ANSWER WEBSOCKET "\r\n", false, 0, "a header twice");
}

static void a_switch_to_something_else_is_refused(void **state) {
  static const char OTHER[] = "the server switched to another protocol";
  static const char KEY[] = "Sec-WebSocket-Accept does not fit the key";
  static const char BODY[] = "the server sent a body";
  static const char PROTOCOL[] = "a subprotocol that was not offered";
  (void)state;
  check(SWITCH CONNECTION ACCEPT "\r\n", false, 101, OTHER);
  check(SWITCH "Upgrade: h2c\r\n" CONNECTION ACCEPT "\r\n", false, 101, OTHER);
  check(SWITCH "Upgrade: websocket, h2c\r\n" CONNECTION ACCEPT "\r\n", false, 101, OTHER);
  check(SWITCH WEBSOCKET ACCEPT "\r\n", false, 101, OTHER);
  check(SWITCH WEBSOCKET "Connection: upgraded\r\n" ACCEPT "\r\n", false, 101, OTHER);
  check(SWITCH WEBSOCKET CONNECTION "\r\n", false, 101, KEY);
  check(SWITCH WEBSOCKET CONNECTION "Sec-WebSocket-Accept:\r\n\r\n", false, 101, KEY);
  check(SWITCH WEBSOCKET CONNECTION "Sec-WebSocket-Accept: " RFC_KEY "\r\n\r\n", false, 101, KEY);
  check(SWITCH WEBSOCKET CONNECTION "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      false, 101, KEY);
  check(SWITCH WEBSOCKET CONNECTION "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x\r\n\r\n",
      false, 101, KEY);
  check(ANSWER "Content-Length: 3\r\n\r\n", false, 101, BODY);
  check(ANSWER "Transfer-Encoding: chunked\r\n\r\n", false, 101, BODY);
  check(ANSWER "Sec-WebSocket-Protocol: chat\r\n\r\n", false, 101, PROTOCOL);
  check(ANSWER "Sec-WebSocket-Protocol:\r\n\r\n", false, 101, PROTOCOL);
  check(ANSWER "Sec-WebSocket-Protocol: syncdb.v1, chat\r\n\r\n", false, 101, PROTOCOL);
}

static void extensions_beyond_the_offer_are_refused(void **state) {
  static const char *const TERMS_REFUSED[] = {"", "x-webkit-deflate-frame", "permessage-deflate",
      "permessage-deflate; client_no_context_takeover", TERMS ", permessage-deflate",
      TERMS "; client_max_window_bits=15", TERMS "; server_max_window_bits",
      TERMS "; server_max_window_bits=7", TERMS "; server_max_window_bits=16",
      TERMS "; server_no_context_takeover", TERMS "; unknown", TERMS ";", TERMS " x",
      "permessage-deflate; server_no_context_takeover=1"};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(TERMS_REFUSED); i++) {
    char head[512];
    snprintf(head, sizeof(head), ANSWER EXTENSIONS "%s\r\n\r\n", TERMS_REFUSED[i]);
    check(head, true, 101, "that were not offered");
  }
  check(ANSWER EXTENSIONS TERMS "\r\n\r\n", false, 101, "an extension that was not offered");
  check(ANSWER EXTENSIONS TERMS "\r\n" EXTENSIONS TERMS "\r\n\r\n", true, 0, "a header twice");
}

static void what_our_server_answers_is_taken(void **state) {
  (void)state;
  for (int deflate = 0; deflate < 2; deflate++) {
    sdb_ws_upgrade upgrade = upgrade_with(deflate);
    sdb_http_request request;
    sdb_ws_answer answer;
    sdb_buffer asked, answered;
    sdb_buffer_init(&asked, sdb_platform_mem(), 4096);
    sdb_buffer_init(&answered, sdb_platform_mem(), 4096);
    sdb_ws_write_request(&asked, &upgrade);
    assert_int_equal(sdb_http_parse(sdb_buffer_slice(&asked), &request), 0);
    sdb_ws_write_upgrade(&answered, &request, deflate, sha1);
    assert_null(sdb_ws_check_answer(sdb_buffer_slice(&answered), &upgrade, sha1, &answer));
    assert_int_equal(answer.deflate, deflate);
    sdb_buffer_free(&asked);
    sdb_buffer_free(&answered);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_servers_frames_are_read_wherever_they_are_cut),
      cmocka_unit_test(a_masked_frame_of_a_server_is_a_protocol_error),
      cmocka_unit_test(what_breaks_the_protocol_is_refused_of_a_server_too),
      cmocka_unit_test(a_servers_compressed_messages_are_marked),
      cmocka_unit_test(a_servers_message_of_every_length_form_is_read),
      cmocka_unit_test(the_rfcs_masked_frame_is_written),
      cmocka_unit_test(masking_twice_in_any_pieces_gives_the_text_back),
      cmocka_unit_test(control_frames_are_masked_whole),
      cmocka_unit_test(what_our_writer_masks_our_receiver_reads),
      cmocka_unit_test(the_request_asks_for_what_is_wanted),
      cmocka_unit_test(an_answer_that_fits_opens),
      cmocka_unit_test(a_refusal_gives_its_status),
      cmocka_unit_test(what_is_no_http_answer_is_refused),
      cmocka_unit_test(a_switch_to_something_else_is_refused),
      cmocka_unit_test(extensions_beyond_the_offer_are_refused),
      cmocka_unit_test(what_our_server_answers_is_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
