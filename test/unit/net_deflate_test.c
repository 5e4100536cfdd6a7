/* Tests of permessage-deflate: the streams alone, and over loopback sockets. */
#include "net/deflate.h"
#include "net_fixture.h"
#include <zlib.h>

#define OFFER "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
#define MESSAGE_MAX 100000

/* ---- the other side's zlib ---- */

static size_t squeeze(const char *text, size_t size, char *to, size_t room) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)text,
      .avail_in = (uInt)size,
      .next_out = (Bytef *)to,
      .avail_out = (uInt)room};
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
  assert_true(z.avail_out > 0);
  deflateEnd(&z);
  return room - z.avail_out - 4;
}

static size_t expand(const char *data, size_t size, int window_bits, char *to, size_t room) {
  char *whole = malloc(size + 4);
  assert_non_null(whole);
  memcpy(whole, data, size);
  memcpy(whole + size, "\x00\x00\xff\xff", 4);
  z_stream z = {.next_in = (Bytef *)whole,
      .avail_in = (uInt)size + 4,
      .next_out = (Bytef *)to,
      .avail_out = (uInt)room};
  assert_int_equal(inflateInit2(&z, -window_bits), Z_OK);
  assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
  assert_int_equal(z.avail_in, 0);
  inflateEnd(&z);
  free(whole);
  return room - z.avail_out;
}

/* ---- the streams alone ---- */

static void expect_inflated(sdb_deflate *d, const char *bytes, size_t size, const char *text) {
  char *data;
  size_t got;
  assert_int_equal(sdb_deflate_inflate(d, sdb_slice_make(bytes, size), &data, &got), SDB_OK);
  assert_int_equal(got, strlen(text));
  assert_memory_equal(data, text, got);
}

/* RFC 7692 section 7.2.3. */
static void the_rfcs_examples_are_inflated(void **state) {
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  (void)state;
  assert_non_null(d);
  expect_inflated(d, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
  expect_inflated(d, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"); /* stored */
  expect_inflated(d, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello");              /* BFINAL set */
  expect_inflated(d, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello");
  expect_inflated(d, "\x00", 1, ""); /* an empty message */
  expect_inflated(d, "", 0, "");
  sdb_deflate_destroy(d);
}

/* The second example of section 7.2.3.2 refers to the message before: that is not agreed here. */
static void a_reference_to_an_earlier_message_is_refused(void **state) {
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  char *data;
  size_t size;
  (void)state;
  assert_non_null(d);
  expect_inflated(d, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
  sdb_slice second = {"\xf2\x00\x11\x00\x00", 5};
  assert_int_equal(sdb_deflate_inflate(d, second, &data, &size), SDB_BAD_MESSAGE);
  expect_inflated(d, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
  sdb_deflate_destroy(d);
}

static void what_is_no_stream_or_cut_off_is_refused(void **state) {
  static const struct {
    const char *data;
    size_t size;
  } CASES[] = {{"\xff\xff\xff", 3}, {"\x06", 1}, {"\xf2\x48\xcd", 3}, {"\x00\x05\x00\xfa\xffHe", 7},
      {"Hello", 5}};
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  (void)state;
  assert_non_null(d);
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    char *data;
    size_t size;
    sdb_slice message = {CASES[i].data, CASES[i].size};
    if (sdb_deflate_inflate(d, message, &data, &size) != SDB_BAD_MESSAGE) fail_msg("case %zu", i);
  }
  sdb_deflate_destroy(d);
}

static void a_bomb_stops_at_the_maximum(void **state) {
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  size_t big = 50 * 1000 * 1000, got;
  char *zeros = calloc(1, big), *packed = malloc(big / 100), *data;
  (void)state;
  assert_non_null(d);
  assert_non_null(zeros);
  assert_non_null(packed);
  size_t size = squeeze(zeros, big, packed, big / 100);
  assert_int_equal(
      sdb_deflate_inflate(d, sdb_slice_make(packed, size), &data, &got), SDB_TOO_LARGE);
  size = squeeze(zeros, MESSAGE_MAX + 1, packed, big / 100);
  assert_int_equal(
      sdb_deflate_inflate(d, sdb_slice_make(packed, size), &data, &got), SDB_TOO_LARGE);
  size = squeeze(zeros, MESSAGE_MAX, packed, big / 100);
  assert_int_equal(sdb_deflate_inflate(d, sdb_slice_make(packed, size), &data, &got), SDB_OK);
  assert_int_equal(got, MESSAGE_MAX);
  free(zeros);
  free(packed);
  sdb_deflate_destroy(d);
}

static size_t frame_into(char *to, const char *text, size_t size) {
  size_t header = sdb_ws_frame_header(size, (unsigned char *)to);
  memcpy(to + header, text, size);
  return header + size;
}

static void a_run_is_compressed_frame_by_frame(void **state) {
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  char run[8192], text[2000], back[8192];
  (void)state;
  assert_non_null(d);
  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = "{\"type\":\"update\"}"[i % 17];
  size_t size = frame_into(run, text, 63); /* too small to gain */
  size += frame_into(run + size, text, sizeof(text));
  for (unsigned bits = 9; bits <= 15; bits++) {
    sdb_slice packed, again;
    assert_int_equal(sdb_deflate_run(d, bits, sdb_slice_make(run, size), &packed), SDB_OK);
    assert_memory_equal(packed.data, run, 65); /* as it was */
    const unsigned char *second = (const unsigned char *)packed.data + 65;
    assert_int_equal(second[0], 0xc1);
    assert_true(second[1] < 126);
    assert_int_equal(packed.size, 65 + 2 + (size_t)second[1]);
    assert_int_equal(
        expand((const char *)second + 2, second[1], (int)bits, back, sizeof(back)), sizeof(text));
    assert_memory_equal(back, text, sizeof(text));
    assert_int_equal(sdb_deflate_run(d, bits, sdb_slice_make(run, size), &again), SDB_OK);
    assert_ptr_equal(again.data, packed.data); /* not done again */
    assert_int_equal(again.size, packed.size);
  }
  sdb_deflate_destroy(d);
}

static void frames_of_one_size_are_not_taken_for_another(void **state) {
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  char run[300], text[200], back[300];
  sdb_slice packed;
  (void)state;
  assert_non_null(d);
  for (char c = 'a'; c <= 'c'; c++) { /* the same place in memory, as a caller may reuse it */
    memset(text, c, sizeof(text));
    size_t size = frame_into(run, text, sizeof(text));
    assert_int_equal(sdb_deflate_run(d, 15, sdb_slice_make(run, size), &packed), SDB_OK);
    assert_int_equal(expand(packed.data + 2, packed.size - 2, 15, back, sizeof(back)), 200);
    assert_memory_equal(back, text, sizeof(text));
  }
  sdb_deflate_destroy(d);
}

static void what_does_not_shrink_is_sent_as_it_is(void **state) {
  sdb_deflate *d = sdb_deflate_create(sdb_platform_mem(), MESSAGE_MAX);
  char run[1024], noise[500];
  sdb_slice packed;
  (void)state;
  assert_non_null(d);
  assert_true(sdb_platform_random(noise, sizeof(noise)));
  size_t size = frame_into(run, noise, sizeof(noise));
  assert_int_equal(sdb_deflate_run(d, 15, sdb_slice_make(run, size), &packed), SDB_OK);
  assert_int_equal(packed.size, size);
  assert_memory_equal(packed.data, run, size);
  sdb_deflate_destroy(d);
}

/* ---- over sockets ---- */

static fixture *deflating(void) {
  fixture *f = fixture_new();
  f->options.compress = f->options.compress_loopback = true;
  fixture_start(f);
  return f;
}

static client *open_deflating(fixture *f) {
  char head[1024];
  client *c = client_connect(f);
  client_upgrade(c, OFFER, head);
  assert_non_null(
      strstr(head, "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                   "client_no_context_takeover\r\n"));
  return c;
}

static void messages_are_compressed_both_ways(void **state) {
  fixture *f = deflating();
  char text[2000], packed[2100], back[2100];
  frame got;
  (void)state;
  memset(text, 'x', sizeof(text));
  client *c = open_deflating(f);
  assert_int_equal(stats_of(f).connections_compressed, 1);
  for (int i = 0; i < 3; i++) {
    size_t size = squeeze(text, sizeof(text), packed, sizeof(packed));
    client_frame(c, 0xc1, packed, size);
    client_next(c, &got);
    assert_int_equal(got.first, 0xc1);
    assert_true(got.size < 100);
    assert_int_equal(expand(got.data, got.size, 15, back, sizeof(back)), sizeof(text));
    assert_memory_equal(back, text, sizeof(text));
    free(got.data);
  }
  client_say(c, "small and plain");
  client_expect(c, 0x81, "small and plain");
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(stats_of(f).connections_compressed, 0);
  fixture_free(f);
}

static void a_compressed_message_may_come_in_fragments(void **state) {
  fixture *f = deflating();
  (void)state;
  client *c = open_deflating(f);
  client_frame(c, 0x41, "\xf2\x48\xcd", 3); /* RFC 7692 section 7.2.3.1 */
  client_frame(c, 0x89, "", 0);
  client_expect(c, 0x8a, "");
  client_frame(c, 0x80, "\xc9\xc9\x07\x00", 4);
  client_expect(c, 0x81, "Hello");
  client_free(c);
  fixture_free(f);
}

static void expect_failure(const char *data, size_t size, unsigned code) {
  fixture *f = deflating();
  client *c = open_deflating(f);
  client_frame(c, 0xc1, data, size);
  client_expect_close(c, code);
  client_expect_end(c);
  assert_int_equal(f->messages, 0);
  client_free(c);
  fixture_free(f);
}

static void bad_compressed_messages_close_the_connection(void **state) {
  size_t big = 4 * 1024 * 1024;
  char *zeros = calloc(1, big), packed[8192];
  (void)state;
  assert_non_null(zeros);
  expect_failure("\xff\xff\xff", 3, 1007);
  expect_failure(packed, squeeze("bad \xff utf8", 10, packed, sizeof(packed)), 1007);
  expect_failure(packed, squeeze(zeros, big, packed, sizeof(packed)), 1009);
  free(zeros);
}

static void loopback_is_not_compressed_unless_asked_for(void **state) {
  fixture *f = fixture_new();
  char head[1024];
  (void)state;
  f->options.compress = true;
  fixture_start(f);
  client *c = client_connect(f);
  client_upgrade(c, OFFER, head);
  assert_memory_equal(head, "HTTP/1.1 101 ", 13);
  assert_null(strstr(head, "Sec-WebSocket-Extensions"));
  client_free(c);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_rfcs_examples_are_inflated),
      cmocka_unit_test(a_reference_to_an_earlier_message_is_refused),
      cmocka_unit_test(what_is_no_stream_or_cut_off_is_refused),
      cmocka_unit_test(a_bomb_stops_at_the_maximum),
      cmocka_unit_test(a_run_is_compressed_frame_by_frame),
      cmocka_unit_test(frames_of_one_size_are_not_taken_for_another),
      cmocka_unit_test(what_does_not_shrink_is_sent_as_it_is),
      cmocka_unit_test(messages_are_compressed_both_ways),
      cmocka_unit_test(a_compressed_message_may_come_in_fragments),
      cmocka_unit_test(bad_compressed_messages_close_the_connection),
      cmocka_unit_test(loopback_is_not_compressed_unless_asked_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
