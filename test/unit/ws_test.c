/* Tests of ws: frames written, frames read, and the frame reader against wslay's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "platform/platform.h"
#include "ws/receive.h"
#include "ws/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#define MESSAGE_MAX 100000

/* ---- a stream of frames, and what a reader says of it ---- */

typedef struct stream {
  char *data;
  size_t size, capacity;
} stream;

static void add_bytes(stream *s, const void *data, size_t size) {
  if (size > s->capacity - s->size) {
    s->capacity = (s->size + size) * 2;
    s->data = realloc(s->data, s->capacity);
    assert_non_null(s->data);
  }
  if (size > 0) memcpy(s->data + s->size, data, size);
  s->size += size;
}

/* `length_form`: 0 the shortest, 2 or 8: that many bytes of extended length. */
static void add_frame(
    stream *s, unsigned first, bool masked, size_t length_form, const char *data, size_t size) {
  static const unsigned char KEY[4] = {0x37, 0xfa, 0x21, 0x3d};
  unsigned char header[14] = {(unsigned char)first};
  size_t at = 2;
  if (length_form == 0) length_form = size < 126 ? 0 : size <= 65535 ? 2 : 8;
  header[1] = (unsigned char)(length_form == 0 ? size : length_form == 2 ? 126 : 127);
  if (masked) header[1] |= 0x80;
  for (size_t i = 0; i < length_form; i++)
    header[at++] = (unsigned char)((uint64_t)size >> 8 * (length_form - 1 - i));
  if (masked) {
    memcpy(header + at, KEY, 4);
    at += 4;
  }
  add_bytes(s, header, at);
  for (size_t i = 0; i < size; i++) {
    char c = (char)(data[i] ^ (masked ? KEY[i % 4] : 0));
    add_bytes(s, &c, 1);
  }
}

static void add(stream *s, unsigned first, const char *text) {
  add_frame(s, first, true, 0, text, strlen(text));
}

/* What was heard, as text: "M:hello|P:x|C:1000|F:1002". */
typedef struct heard {
  stream text;
} heard;

static void hear(heard *h, char kind, const char *data, size_t size, unsigned code) {
  char mark[32];
  int length = snprintf(mark, sizeof(mark), "%c:%.0u", kind, code);
  add_bytes(&h->text, mark, (size_t)length);
  add_bytes(&h->text, data, size);
  add_bytes(&h->text, "|", 1);
}

static void hear_event(heard *h, const sdb_ws_event *event) {
  switch (event->kind) {
  case SDB_WS_MESSAGE:
    hear(h, event->compressed ? 'Z' : 'M', event->data, event->size, 0);
    break;
  case SDB_WS_PINGED:
    hear(h, 'P', event->data, event->size, 0);
    break;
  case SDB_WS_PONGED:
    hear(h, 'O', event->data, event->size, 0);
    break;
  case SDB_WS_PEER_CLOSED:
    hear(h, 'C', event->data, event->size, event->code);
    break;
  case SDB_WS_FAILED:
    hear(h, 'F', "", 0, event->code);
    break;
  }
}

/* Gives the stream to a receiver in pieces; each is a block of its own, so that ASan sees a read
 * beyond it. */
static void receive_pieces(
    sdb_ws_receiver *r, const stream *s, size_t first, size_t each, heard *h) {
  size_t at = 0;
  while (at < s->size) {
    size_t size = at == 0 && first > 0 ? first : each;
    if (size > s->size - at) size = s->size - at;
    char *piece = malloc(size);
    assert_non_null(piece);
    memcpy(piece, s->data + at, size);
    sdb_ws_input input = {piece, size};
    sdb_ws_event event;
    while (sdb_ws_receive(r, &input, &event))
      hear_event(h, &event);
    assert_int_equal(input.size, 0);
    free(piece);
    at += size;
  }
}

static void assert_heard(
    const stream *s, bool deflate, size_t first, size_t each, const char *expected) {
  sdb_ws_receiver r;
  heard h = {{0}};
  sdb_ws_receiver_init(&r, SDB_WS_FROM_CLIENT, sdb_platform_mem(), MESSAGE_MAX, deflate);
  receive_pieces(&r, s, first, each, &h);
  sdb_ws_receiver_free(&r);
  add_bytes(&h.text, "", 1);
  if (strcmp(h.text.data, expected) != 0)
    fail_msg("cut at %zu: heard %s, wanted %s", first, h.text.data, expected);
  free(h.text.data);
}

/* The same must be heard wherever the stream is cut in two, and byte by byte. */
static void expect_of(stream *s, bool deflate, const char *expected) {
  for (size_t cut = 1; cut <= s->size; cut++)
    assert_heard(s, deflate, cut, s->size, expected);
  assert_heard(s, deflate, 0, 1, expected);
  free(s->data);
}

static void expect(stream *s, const char *expected) {
  expect_of(s, false, expected);
}

static void expect_frame(unsigned first, bool masked, size_t length_form, const char *data,
    size_t size, const char *expected) {
  stream s = {0};
  add_frame(&s, first, masked, length_form, data, size);
  expect(&s, expected);
}

/* ---- reading ---- */

/* RFC 6455 section 5.7. */
static void the_rfcs_examples_are_read(void **state) {
  static const unsigned char HELLO[] = {
      0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
  static const unsigned char PONG[] = {
      0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58};
  static const unsigned char UNMASKED[] = {0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f};
  (void)state;
  stream s = {0}, pong = {0}, unmasked = {0};
  add_bytes(&s, HELLO, sizeof(HELLO));
  expect(&s, "M:Hello|");
  add_bytes(&pong, PONG, sizeof(PONG));
  expect(&pong, "O:Hello|");
  add_bytes(&unmasked, UNMASKED, sizeof(UNMASKED));
  expect(&unmasked, "F:1002|");
}

static void messages_come_whole_and_in_order(void **state) {
  (void)state;
  stream s = {0};
  add(&s, 0x81, "one");
  add(&s, 0x81, "");
  add(&s, 0x81, "two two");
  expect(&s, "M:one|M:|M:two two|");
}

static void fragments_are_joined_around_control_frames(void **state) {
  (void)state;
  stream s = {0};
  add(&s, 0x01, "a");
  add(&s, 0x89, "ping");
  add(&s, 0x00, "");
  add(&s, 0x00, "bcd");
  add(&s, 0x8a, "pong");
  add(&s, 0x80, "e");
  add(&s, 0x01, "");
  add(&s, 0x80, "");
  add(&s, 0x88, "\x03\xe8so long");
  expect(&s, "P:ping|O:pong|M:abcde|M:|C:1000so long|");
}

static void a_character_may_be_split_over_fragments(void **state) {
  (void)state;
  stream s = {0};
  add(&s, 0x01, "\xe2");
  add(&s, 0x00, "\x82");
  add(&s, 0x80, "\xac");
  expect(&s, "M:\xe2\x82\xac|");
}

static void every_length_form_is_read(void **state) {
  static const size_t SIZES[] = {0, 1, 125, 126, 127, 65535, 65536, 90000};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++) {
    char *text = malloc(SIZES[i] + 4);
    assert_non_null(text);
    memcpy(text, "M:", 2);
    memset(text + 2, 'x', SIZES[i]);
    memcpy(text + 2 + SIZES[i], "|", 2);
    stream s = {0};
    add_frame(&s, 0x81, true, 0, text + 2, SIZES[i]);
    assert_heard(&s, false, 0, s.size, text);
    assert_heard(&s, false, 3, 4096, text);
    assert_heard(&s, false, 9, 7, text);
    free(s.data);
    free(text);
  }
}

static void broken_frames_are_protocol_errors(void **state) {
  static const char LONG[126];
  (void)state;
  expect_frame(0x81, false, 0, "a", 1, "F:1002|"); /* not masked */
  expect_frame(0xc1, true, 0, "a", 1, "F:1002|");  /* RSV1, not negotiated */
  expect_frame(0xa1, true, 0, "a", 1, "F:1002|");  /* RSV2 */
  expect_frame(0x91, true, 0, "a", 1, "F:1002|");  /* RSV3 */
  for (unsigned opcode = 3; opcode < 16; opcode++) {
    if (opcode < 8 || opcode > 10) expect_frame(0x80 | opcode, true, 0, "a", 1, "F:1002|");
  }
  expect_frame(0x80, true, 0, "a", 1, "F:1002|"); /* continues nothing */
  expect_frame(0x89, true, 0, LONG, 126, "F:1002|");
  expect_frame(0x88, true, 0, LONG, 126, "F:1002|");
  expect_frame(0x09, true, 0, "a", 1, "F:1002|"); /* a control frame in fragments */
  expect_frame(0x81, true, 2, "a", 1, "F:1002|"); /* longer length forms than needed */
  expect_frame(0x81, true, 8, "a", 1, "F:1002|");
  expect_frame(0x81, true, 8, LONG, 126, "F:1002|");
}

static void a_new_message_within_a_message_is_a_protocol_error(void **state) {
  (void)state;
  stream s = {0};
  add(&s, 0x01, "a");
  add(&s, 0x81, "b");
  expect(&s, "F:1002|");
}

static void a_length_of_64_bits_is_a_protocol_error(void **state) {
  static const unsigned char HEADER[] = {0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4};
  (void)state;
  stream s = {0};
  add_bytes(&s, HEADER, sizeof(HEADER));
  assert_heard(&s, false, 0, s.size, "F:1002|");
  free(s.data);
}

static void binary_is_refused(void **state) {
  (void)state;
  expect_frame(0x82, true, 0, "a", 1, "F:1003|");
}

static void text_must_be_utf8(void **state) {
  (void)state;
  expect_frame(0x81, true, 0, "a\xff", 2, "F:1007|");
  expect_frame(0x81, true, 0, "\xe2\x82", 2, "F:1007|");
}

static void too_large_is_said_before_it_has_arrived(void **state) {
  (void)state;
  stream one = {0}, many = {0}, fits = {0};
  char *text = calloc(1, MESSAGE_MAX + 1);
  assert_non_null(text);
  add_frame(&one, 0x81, true, 0, text, MESSAGE_MAX + 1);
  one.size = 14; /* the header alone */
  assert_heard(&one, false, 0, one.size, "F:1009|");
  add_frame(&many, 0x01, true, 0, text, MESSAGE_MAX);
  add_frame(&many, 0x80, true, 0, text, 1);
  assert_heard(&many, false, 0, many.size, "F:1009|");
  add_frame(&fits, 0x01, true, 0, text, MESSAGE_MAX - 1);
  add_frame(&fits, 0x80, true, 0, "x", 1);
  sdb_ws_receiver r;
  sdb_ws_input input = {fits.data, fits.size};
  sdb_ws_event event;
  sdb_ws_receiver_init(&r, SDB_WS_FROM_CLIENT, sdb_platform_mem(), MESSAGE_MAX, false);
  assert_true(sdb_ws_receive(&r, &input, &event));
  assert_int_equal(event.kind, SDB_WS_MESSAGE);
  assert_int_equal(event.size, MESSAGE_MAX);
  sdb_ws_receiver_free(&r);
  free(one.data);
  free(many.data);
  free(fits.data);
  free(text);
}

static void a_peers_close_is_checked(void **state) {
  static const struct {
    const char *payload;
    size_t size;
    const char *expected;
  } CASES[] = {
      {"", 0, "C:1005|"},
      {"\x03\xe8", 2, "C:1000|"},
      {"\x0f\xa0x", 3, "C:4000x|"},
      {"\x03\xf4", 2, "C:1012|"},
      {"\x03", 1, "F:1002|"},
      {"\x03\xec", 2, "F:1002|"}, /* 1004 */
      {"\x03\xed", 2, "F:1002|"}, /* 1005 */
      {"\x03\xee", 2, "F:1002|"}, /* 1006 */
      {"\x03\xf7", 2, "F:1002|"}, /* 1015 */
      {"\x00\x00", 2, "F:1002|"},
      {"\x0b\xb7", 2, "F:1002|"}, /* 2999 */
      {"\x13\x88", 2, "F:1002|"}, /* 5000 */
      {"\x03\xe8\xff", 3, "F:1007|"},
  };
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++)
    expect_frame(0x88, true, 0, CASES[i].payload, CASES[i].size, CASES[i].expected);
}

static void nothing_is_heard_after_the_end(void **state) {
  (void)state;
  stream closed = {0}, failed = {0};
  add(&closed, 0x88, "");
  add(&closed, 0x81, "late");
  expect(&closed, "C:1005|");
  add(&failed, 0x83, "");
  add(&failed, 0x81, "late");
  expect(&failed, "F:1002|");
}

static void compressed_messages_are_marked(void **state) {
  (void)state;
  stream s = {0}, control = {0}, continued = {0};
  add(&s, 0xc1, "\xff"); /* what is not inflated yet need not be UTF-8 */
  add(&s, 0x81, "plain");
  add(&s, 0x41, "\xfe");
  add(&s, 0x89, "");
  add(&s, 0x80, "\xfd");
  expect_of(&s, true, "Z:\xff|M:plain|P:|Z:\xfe\xfd|");
  add(&control, 0xc9, "");
  expect_of(&control, true, "F:1002|");
  add(&continued, 0x41, "a");
  add(&continued, 0xc0, "b");
  expect_of(&continued, true, "F:1002|");
}

/* Memory that counts what is held, and fails on demand. */
typedef struct counter {
  size_t held_max, allocations_left;
} counter;

static void *counted(void *context, void *pointer, size_t size) {
  counter *c = context;
  if (size == 0) {
    free(pointer);
    return NULL;
  }
  if (c->allocations_left == 0) return NULL;
  c->allocations_left--;
  if (size > c->held_max) c->held_max = size;
  return realloc(pointer, size);
}

static void memory_grows_with_what_arrived_not_with_what_was_announced(void **state) {
  (void)state;
  counter c = {0, SIZE_MAX};
  sdb_mem mem = {&c, counted};
  stream s = {0};
  char text[1000] = {0};
  memset(text, 'x', sizeof(text));
  add_frame(&s, 0x81, true, 8, text, sizeof(text));
  memcpy(s.data + 2, "\0\0\0\0\0\x01\x5f\x90", 8); /* announce 90,000 bytes, send 1,000 */
  sdb_ws_receiver r;
  heard h = {{0}};
  sdb_ws_receiver_init(&r, SDB_WS_FROM_CLIENT, &mem, MESSAGE_MAX, false);
  receive_pieces(&r, &s, 0, 100, &h);
  assert_int_equal(h.text.size, 0);
  assert_int_equal(r.message.size, sizeof(text));
  assert_true(c.held_max <= 2 * sizeof(text));
  sdb_ws_receiver_free(&r);
  free(s.data);
}

static void without_memory_the_connection_fails_alone(void **state) {
  (void)state;
  counter c = {0, 0};
  sdb_mem mem = {&c, counted};
  stream s = {0};
  add(&s, 0x01, "kept");
  add(&s, 0x80, "end");
  sdb_ws_receiver r;
  heard h = {{0}};
  sdb_ws_receiver_init(&r, SDB_WS_FROM_CLIENT, &mem, MESSAGE_MAX, false);
  receive_pieces(&r, &s, 0, s.size, &h);
  assert_memory_equal(h.text.data, "F:1013|", 7);
  sdb_ws_receiver_free(&r);
  free(h.text.data);
  free(s.data);
}

static void utf8_is_as_unicode_has_it(void **state) {
  static const struct {
    const char *text;
    bool valid;
  } CASES[] = {{"", true}, {"a", true}, {"12345678", true}, {"1234567\xc3\xa9", true},
      {"\xc2\x80", true}, {"\xdf\xbf", true}, {"\xe0\xa0\x80", true}, {"\xed\x9f\xbf", true},
      {"\xee\x80\x80", true}, {"\xef\xbf\xbf", true}, {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true}, {"\x80", false}, {"\xc0\x80", false}, {"\xc1\xbf", false},
      {"\xe0\x9f\xbf", false}, {"\xed\xa0\x80", false}, {"\xed\xbf\xbf", false},
      {"\xf0\x8f\xbf\xbf", false}, {"\xf4\x90\x80\x80", false}, {"\xf5\x80\x80\x80", false},
      {"\xff", false}, {"\xc3", false}, {"\xe2\x82", false}, {"\xf0\x9f\x98", false},
      {"\xc3(", false}, {"\xe2(\xa1", false}, {"\xe2\x82(", false}, {"12345678\x80", false},
      {"1234567\xe2\x82", false}};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    if (sdb_ws_utf8_valid(sdb_slice_of(CASES[i].text)) != CASES[i].valid) fail_msg("case %zu", i);
  }
}

/* ---- against wslay ---- */

typedef struct oracle {
  const stream *s;
  size_t at, each;
  heard *h;
  stream message;
  bool closed;
} oracle;

static ssize_t oracle_recv(
    wslay_event_context_ptr ctx, uint8_t *to, size_t size, int flags, void *context) {
  oracle *o = context;
  (void)flags;
  if (size > o->each) size = o->each;
  if (size > o->s->size - o->at) size = o->s->size - o->at;
  if (size == 0) {
    wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  memcpy(to, o->s->data + o->at, size);
  o->at += size;
  return (ssize_t)size;
}

/* wslay says what it found wrong in the close frame that it sends. */
static ssize_t oracle_send(
    wslay_event_context_ptr ctx, const uint8_t *data, size_t size, int flags, void *context) {
  (void)ctx, (void)data, (void)flags, (void)context;
  return (ssize_t)size;
}

static void oracle_message(
    wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *context) {
  oracle *o = context;
  const char *data = (const char *)arg->msg;
  size_t size = arg->msg_length;
  (void)ctx;
  if (arg->opcode == WSLAY_TEXT_FRAME) hear(o->h, 'M', data, size, 0);
  if (arg->opcode == WSLAY_PING) hear(o->h, 'P', data, size, 0);
  if (arg->opcode == WSLAY_PONG) hear(o->h, 'O', data, size, 0);
  if (arg->opcode != WSLAY_CONNECTION_CLOSE) return;
  o->closed = true;
  if (size < 2)
    hear(o->h, 'C', "", 0, 1005);
  else
    hear(o->h, 'C', data + 2, size - 2, arg->status_code);
}

static void ask_wslay(const stream *s, heard *h) {
  struct wslay_event_callbacks callbacks = {
      oracle_recv, oracle_send, NULL, NULL, NULL, NULL, oracle_message};
  oracle o = {.s = s, .each = 1000, .h = h};
  wslay_event_context_ptr ctx;
  assert_int_equal(wslay_event_context_server_init(&ctx, &callbacks, &o), 0);
  wslay_event_config_set_max_recv_msg_length(ctx, MESSAGE_MAX);
  int result = wslay_event_recv(ctx);
  bool failed = result != 0 || (!wslay_event_get_read_enabled(ctx) && !o.closed);
  wslay_event_send(ctx);
  unsigned code = wslay_event_get_status_code_sent(ctx);
  if (failed) hear(h, 'F', "", 0, result != 0 ? 1002 : code);
  wslay_event_context_free(ctx);
}

static unsigned below(uint64_t *random, unsigned limit) {
  *random = *random * 6364136223846793005U + 1442695040888963407U;
  return (unsigned)(*random >> 33) % limit;
}

static const char *random_text(uint64_t *random, size_t *size) {
  static const char *const PARTS[] = {
      "a", "hello ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  static char text[400];
  size_t at = 0, parts = below(random, 60);
  for (size_t i = 0; i < parts; i++) {
    const char *part = PARTS[below(random, SDB_COUNT_OF(PARTS))];
    memcpy(text + at, part, strlen(part));
    at += strlen(part);
  }
  *size = at;
  return text;
}

/* One frame that breaks a rule; `in_message`: a fragmented message is open. */
static void add_broken(stream *s, uint64_t *random, bool in_message) {
  char text[130] = {0};
  switch (below(random, 8)) {
  case 0:
    add_frame(s, 0x89, false, 0, "x", 1);
    break;
  case 1:
    add_frame(s, 0xa9, true, 0, "x", 1);
    break;
  case 2:
    add_frame(s, 0x83 + below(random, 5), true, 0, "x", 1);
    break;
  case 3:
    add_frame(s, 0x8b + below(random, 5), true, 0, "x", 1);
    break;
  case 4:
    add_frame(s, 0x89, true, 0, text, sizeof(text));
    break;
  case 5:
    add_frame(s, 0x09, true, 0, "x", 1);
    break;
  case 6:
    add_frame(s, in_message ? 0x81 : 0x80, true, 0, "x", 1);
    break;
  case 7:
    add_frame(s, in_message ? 0x80 : 0x81, true, 0, "ok\xc3(", 4);
    break;
  }
}

static void add_control(stream *s, uint64_t *random) {
  size_t size;
  const char *text = random_text(random, &size);
  add_frame(s, 0x89 + below(random, 2), true, 0, text, size < 125 ? size : 125);
}

static void random_stream(stream *s, uint64_t *random) {
  unsigned messages = 1 + below(random, 5);
  for (unsigned i = 0; i < messages; i++) {
    size_t size, at = 0;
    const char *text = random_text(random, &size);
    bool begun = false, broken = below(random, 8) == 0;
    for (;;) {
      size_t part = below(random, 2) ? size - at : below(random, (unsigned)(size - at) + 1);
      bool last = at + part == size && below(random, 4) > 0;
      if (below(random, 4) == 0) {
        stream control = {0}; /* random_text is one buffer: keep this message's */
        char kept[400];
        memcpy(kept, text, size);
        add_control(&control, random);
        memcpy((char *)(uintptr_t)text, kept, size);
        add_bytes(s, control.data, control.size);
        free(control.data);
      }
      if (broken && below(random, 2)) {
        add_broken(s, random, begun);
        return;
      }
      add_frame(s, (last ? 0x80 : 0) | (begun ? 0 : 1), true, 0, text + at, part);
      begun = true;
      at += part;
      if (last) break;
    }
  }
  if (below(random, 2))
    add(s, 0x88,
        below(random, 2) ? "\x03\xe8"
                           "bye"
                         : "");
}

static void what_wslay_hears_is_heard(void **state) {
  uint64_t random = 20240607;
  size_t failures = 0, closes = 0;
  (void)state;
  for (int i = 0; i < 4000; i++) {
    stream s = {0};
    heard theirs = {{0}};
    random_stream(&s, &random);
    ask_wslay(&s, &theirs);
    add_bytes(&theirs.text, "", 1);
    failures += strstr(theirs.text.data, "F:") != NULL;
    closes += strstr(theirs.text.data, "C:") != NULL;
    assert_heard(&s, false, 0, 1 + below(&random, 300), theirs.text.data);
    free(theirs.text.data);
    free(s.data);
  }
  assert_true(failures > 400 && closes > 400);
}

/* ---- writing ---- */

static void headers_are_the_shortest(void **state) {
  static const struct {
    size_t size, header_size;
    const char *header;
  } CASES[] = {{0, 2, "\x81\x00"}, {5, 2, "\x81\x05"}, {125, 2, "\x81\x7d"},
      {126, 4, "\x81\x7e\x00\x7e"}, {256, 4, "\x81\x7e\x01\x00"}, {65535, 4, "\x81\x7e\xff\xff"},
      {65536, 10, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"}};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    unsigned char header[SDB_WS_FRAME_HEADER_MAX];
    assert_int_equal(sdb_ws_frame_header(CASES[i].size, header), CASES[i].header_size);
    assert_memory_equal(header, CASES[i].header, CASES[i].header_size);
  }
  unsigned char header[SDB_WS_FRAME_HEADER_MAX];
  assert_int_equal(sdb_ws_frame_header_of(SDB_WS_TEXT, true, 7, header), 2);
  assert_memory_equal(header, "\xc1\x07", 2);
  assert_int_equal(sdb_ws_frame_header_of(SDB_WS_PING, false, 0, header), 2);
  assert_memory_equal(header, "\x89\x00", 2);
}

static void close_frames_carry_code_and_reason(void **state) {
  unsigned char frame[SDB_WS_CONTROL_FRAME_MAX];
  char reason[200];
  (void)state;
  assert_int_equal(sdb_ws_close_frame(4401, sdb_slice_of("no"), frame), 6);
  assert_memory_equal(frame, "\x88\x04\x11\x31no", 6);
  assert_int_equal(sdb_ws_close_frame(SDB_WS_CODE_NONE, sdb_slice_of("no"), frame), 2);
  assert_memory_equal(frame, "\x88\x00", 2);
  assert_int_equal(sdb_ws_close_frame(0, sdb_slice_of("no"), frame), 2);
  assert_memory_equal(frame, "\x88\x00", 2);
  assert_int_equal(sdb_ws_close_frame(1000, (sdb_slice){NULL, 0}, frame), 4);
  assert_memory_equal(frame, "\x88\x02\x03\xe8", 4);
  memset(reason, 'x', sizeof(reason));
  memcpy(reason + 121, "\xe2\x82\xac", 3); /* does not fit in 123 bytes: cut before it */
  assert_int_equal(sdb_ws_close_frame(1000, sdb_slice_make(reason, sizeof(reason)), frame), 125);
  assert_int_equal(frame[1], 2 + 121);
  memset(reason, 0x80, sizeof(reason)); /* no character to cut at */
  assert_int_equal(sdb_ws_close_frame(1000, sdb_slice_make(reason, sizeof(reason)), frame), 4);
}

static void a_run_of_frames_is_taken_apart(void **state) {
  static const size_t SIZES[] = {0, 3, 125, 126, 65535, 65536};
  (void)state;
  stream s = {0};
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++) {
    unsigned char header[SDB_WS_FRAME_HEADER_MAX];
    char *text = malloc(SIZES[i] + 1);
    assert_non_null(text);
    memset(text, 'a' + (int)i, SIZES[i] + 1);
    add_bytes(&s, header, sdb_ws_frame_header(SIZES[i], header));
    add_bytes(&s, text, SIZES[i]);
    free(text);
  }
  sdb_slice run = {s.data, s.size}, payload;
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++) {
    assert_true(sdb_ws_next_frame(&run, &payload));
    assert_int_equal(payload.size, SIZES[i]);
    if (payload.size > 0) assert_int_equal(payload.data[payload.size - 1], 'a' + (int)i);
  }
  assert_false(sdb_ws_next_frame(&run, &payload));
  free(s.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_rfcs_examples_are_read),
      cmocka_unit_test(messages_come_whole_and_in_order),
      cmocka_unit_test(fragments_are_joined_around_control_frames),
      cmocka_unit_test(a_character_may_be_split_over_fragments),
      cmocka_unit_test(every_length_form_is_read),
      cmocka_unit_test(broken_frames_are_protocol_errors),
      cmocka_unit_test(a_new_message_within_a_message_is_a_protocol_error),
      cmocka_unit_test(a_length_of_64_bits_is_a_protocol_error),
      cmocka_unit_test(binary_is_refused),
      cmocka_unit_test(text_must_be_utf8),
      cmocka_unit_test(too_large_is_said_before_it_has_arrived),
      cmocka_unit_test(a_peers_close_is_checked),
      cmocka_unit_test(nothing_is_heard_after_the_end),
      cmocka_unit_test(compressed_messages_are_marked),
      cmocka_unit_test(memory_grows_with_what_arrived_not_with_what_was_announced),
      cmocka_unit_test(without_memory_the_connection_fails_alone),
      cmocka_unit_test(utf8_is_as_unicode_has_it),
      cmocka_unit_test(what_wslay_hears_is_heard),
      cmocka_unit_test(headers_are_the_shortest),
      cmocka_unit_test(close_frames_carry_code_and_reason),
      cmocka_unit_test(a_run_of_frames_is_taken_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
