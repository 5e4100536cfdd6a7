/* Tests of dialled connections against a server whose bytes are given one by one: bad answers, bad
 * frames, lost connections, compression. */
#include "raw_server.h"
#include <zlib.h>

/* ---- answers ---- */

/* The server says this to the request, and the connection must end so. */
static void expect_refusal(
    const char *answer, size_t size, unsigned http_status, const char *problem) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  raw_send(r, answer, size);
  expect_end(d, NULL, 1006, "", problem);
  assert_int_equal(d->http_status, http_status);
  assert_int_equal(d->opened, 0);
  raw_free(r);
  dialler_free(d);
}

static void refuse_with(const char *answer, unsigned http_status, const char *problem) {
  expect_refusal(answer, strlen(answer), http_status, problem);
}

static void what_is_no_upgrade_is_refused_with_a_sentence(void **state) {
  char *long_head = malloc(9000);
  (void)state;
  refuse_with("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", 401,
      "the server refused the upgrade: HTTP status 401");
  refuse_with("HTTP/1.1 403 Forbidden\r\n\r\n", 403, "HTTP status 403");
  refuse_with("HTTP/1.0 503 Busy\r\n\r\n", 503, "HTTP status 503");
  refuse_with("SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, "the server's answer is not HTTP/1.1");
  refuse_with("220 mail ESMTP\n", 0, "the server's answer is not HTTP/1.1");
  refuse_with("\x15\x03\x03\x00\x02\x02\x46", 0, "the server's answer is not HTTP/1.1");
  refuse_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
      0, "its Sec-WebSocket-Accept does not fit the key");
  assert_non_null(long_head);
  memset(long_head, 'x', 9000);
  memcpy(long_head, "HTTP/1.1 101 S\r\nX: ", 19);
  expect_refusal(long_head, 8192, 0, "the server's answer is too long");
  expect_refusal(long_head, 9000, 0, "the server's answer is too long");
  free(long_head);
}

static void a_refusal_that_comes_byte_by_byte_is_one(void **state) {
  static const char ANSWER[] = "HTTP/1.1 401 Unauthorized\r\n\r\n";
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  for (size_t i = 0; i < sizeof(ANSWER) - 1; i++) {
    assert_int_equal(d->closed, 0);
    raw_send(r, ANSWER + i, 1);
    pump_dialler(d);
  }
  expect_end(d, NULL, 1006, "", "HTTP status 401");
  raw_free(r);
  dialler_free(d);
}

static void a_server_that_hangs_up_without_an_answer_is_told(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  raw_hang_up(r);
  expect_end(d, NULL, 1006, "", "the server ended the connection without an answer");
  raw_free(r);
  dialler_free(d);
}

static void a_server_that_never_answers_times_out(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  d->options.handshake_timeout_ms = 300;
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  raw_take(r, r->in_size);
  raw_text(r, "HTTP/1.1 101 S"); /* half an answer is none */
  expect_end(d, NULL, 1006, "", "the server did not answer the upgrade in time");
  raw_expect_end(r, d);
  raw_free(r);
  dialler_free(d);
}

/* The net's clock stands still while nobody runs it. */
static void the_time_for_it_begins_with_the_dialling(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  d->options.handshake_timeout_ms = 500;
  assert_int_equal(sdb_net_create(&d->options, &d->net, NULL), SDB_OK);
  uint64_t until_us = sdb_platform_monotonic_us() + 510 * 1000;
  while (sdb_platform_monotonic_us() < until_us)
    usleep(1000);
  dialler_dial_port(d, "ws", r->port);
  raw_open_with(r, d, "");
  raw_free(r);
  dialler_free(d);
}

/* ---- frames ---- */

static void frames_behind_the_answer_in_one_write_are_read(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  char answer[1024];
  (void)state;
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  raw_answer_for(r, "", answer, sizeof(answer) - 16);
  strcat(answer, "\x81\x03one\x81\x03two");
  raw_text(r, answer);
  UNTIL(d, NULL, d->messages == 2);
  assert_string_equal(d->last, "two");
  raw_free(r);
  dialler_free(d);
}

/* The answer and a message, cut in two at `at`. False: there is nothing to cut there. */
static bool cut_at(size_t at) {
  static const char FRAMES[] = "\x01\x03Hel\x89\x01p\x80\x02lo\x88\x05\x0f\xa1"
                               "bye";
  dialler *d = dialler_new();
  raw *r = raw_listen();
  char bytes[1024];
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  raw_answer_for(r, "", bytes, sizeof(bytes) - sizeof(FRAMES));
  size_t size = strlen(bytes) + sizeof(FRAMES) - 1;
  memcpy(bytes + strlen(bytes), FRAMES, sizeof(FRAMES));
  raw_send(r, bytes, at);
  for (int i = 0; i < 3; i++)
    pump_dialler(d);
  raw_send(r, bytes + at, size - at);
  UNTIL(d, NULL, d->messages == 1);
  assert_string_equal(d->last, "Hello");
  raw_hang_up(r);
  expect_end(d, NULL, 4001, "bye", "");
  raw_free(r);
  dialler_free(d);
  return at < size;
}

static void an_answer_and_a_message_are_read_wherever_they_are_cut(void **state) {
  (void)state;
  for (size_t at = 1; cut_at(at); at++)
    ;
}

/* The server sends these bytes once it is open; we must close with `code`. */
static void expect_failure(
    const char *headers, const void *bytes, size_t size, unsigned code, const char *problem) {
  char close_code[] = {(char)(code >> 8), (char)code};
  dialler *d = dialler_new();
  raw *r = raw_listen();
  d->options.message_bytes_max = 100000;
  d->options.compress_loopback = true;
  d->dial.compress = headers[0] != 0;
  dialler_dial_port(d, "ws", r->port);
  raw_open_with(r, d, headers);
  raw_send(r, bytes, size);
  raw_expect_frame(r, d, 0x88, close_code, 2);
  raw_expect_end(r, d);
  raw_hang_up(r);
  expect_end(d, NULL, code, "", problem);
  assert_int_equal(d->messages, 0);
  raw_free(r);
  dialler_free(d);
}

static void what_breaks_the_protocol_closes_with_its_code(void **state) {
  (void)state;
  expect_failure("", "\x81\x85mask.....", 11, 1002, "the server broke the WebSocket protocol");
  expect_failure("", "\xc1\x01x", 3, 1002, "the server broke the WebSocket protocol");
  expect_failure("", "\x82\x01x", 3, 1003, "the server sent a binary message");
  expect_failure("", "\x81\x02\xc3(", 4, 1007, "not UTF-8");
  expect_failure("", "\x81\x7f\0\0\0\0\0\1\x86\xa1", 10, 1009, "over the size limit");
}

static void a_close_without_a_code_is_1005(void **state) {
  dialler *d = dialler_new();
  (void)state;
  raw *r = raw_opened(d);
  raw_send(r, "\x88\x00", 2);
  raw_expect_frame(r, d, 0x88, "", 0);
  raw_hang_up(r);
  expect_end(d, NULL, 1005, "", "");
  raw_free(r);
  dialler_free(d);
}

static void our_close_is_masked_and_ends_where_it_is_not_answered(void **state) {
  dialler *d = dialler_new();
  (void)state;
  raw *r = raw_opened(d);
  sdb_net_close(d->conn, 4000, sdb_slice_of("bye"));
  raw_expect_frame(r, d, 0x88,
      "\x0f\xa0"
      "bye",
      5);
  expect_end(d, NULL, 1006, "", "the server did not take part in closing");
  raw_free(r);
  dialler_free(d);
}

static void a_reset_is_a_lost_connection(void **state) {
  dialler *d = dialler_new();
  (void)state;
  raw *r = raw_opened(d);
  raw_send(r, "\x81\x05he", 4);
  pump_dialler(d);
  raw_reset(r);
  expect_end(d, NULL, 1006, "", "the connection was lost");
  assert_int_equal(d->messages, 0);
  raw_free(r);
  dialler_free(d);
}

/* The server closes with input of ours unread, so that TCP resets the connection. */
static void a_close_frame_is_read_where_writing_fails(void **state) {
  dialler *d = dialler_new();
  (void)state;
  raw *r = raw_opened(d);
  dialler_say(d, "never read");
  UNTIL(d, NULL, d->levels == 1);
  sdb_net_pause(d->conn, true); /* so that the write comes first */
  raw_text(r, "\x81\x05hello\x88\x09\x11\x31"
              "expired");
  raw_hang_up(r);
  UNTIL(d, NULL, d->closed == 1 || (d->conn && (dialler_say(d, "more"), false)));
  assert_int_equal(d->messages, 1);
  expect_end(d, NULL, 4401, "expired", "");
  raw_free(r);
  dialler_free(d);
}

/* ---- compression ---- */

#define DEFLATE                                                                                    \
  "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "                     \
  "client_no_context_takeover\r\n"

static void our_server_compresses_and_we_do_not(void **state) {
  fixture *f = fixture_new();
  dialler *d = dialler_new();
  char text[20000];
  (void)state;
  memset(text, 'x', sizeof(text));
  f->options.compress = f->options.compress_loopback = true;
  fixture_start(f);
  d->options.compress_loopback = d->dial.compress = true;
  dialler_dial_port(d, "ws", f->port);
  UNTIL(d, f, d->opened == 1);
  assert_int_equal(stats_of(f).connections_compressed, 1);
  for (size_t i = 0; i < 3; i++) {
    sdb_net_send_text(d->conn, sdb_slice_make(text, sizeof(text)));
    UNTIL(d, f, d->messages == i + 1);
    assert_int_equal(d->last_size, sizeof(text));
    assert_memory_equal(d->last, text, sizeof(text));
  }
  sdb_net_stats stats;
  sdb_net_stats_get(d->net, &stats);
  assert_true(stats.bytes_out > 3 * sizeof(text));
  assert_true(stats.bytes_in < sizeof(text));
  assert_int_equal(stats.connections_compressed, 0); /* of what we send */
  dialler_free(d);
  fixture_free(f);
}

static void loopback_is_offered_no_compression_unless_asked_for(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  d->dial.compress = true;
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  assert_null(strstr(r->in, "Sec-WebSocket-Extensions"));
  raw_free(r);
  dialler_free(d);
}

static void compressed_messages_may_come_in_fragments(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  d->options.compress_loopback = d->dial.compress = true;
  dialler_dial_port(d, "ws", r->port);
  raw_open_with(r, d, DEFLATE);
  raw_send(r, "\x41\x03\xf2\x48\xcd\x89\x00\x80\x04\xc9\xc9\x07\x00", 13); /* RFC 7692 7.2.3.1 */
  UNTIL(d, NULL, d->messages == 1);
  assert_string_equal(d->last, "Hello");
  raw_send(r, "\x81\x05plain", 7);
  UNTIL(d, NULL, d->messages == 2);
  raw_free(r);
  dialler_free(d);
}

static void bad_compressed_messages_close_the_connection(void **state) {
  unsigned char bomb[4 + 4096] = {0xc1, 126};
  size_t zeros_size = 1024 * 1024;
  char *zeros = calloc(1, zeros_size);
  z_stream z = {.next_in = (Bytef *)zeros,
      .avail_in = (uInt)zeros_size,
      .next_out = bomb + 4,
      .avail_out = sizeof(bomb) - 4};
  (void)state;
  assert_non_null(zeros);
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
  deflateEnd(&z);
  free(zeros);
  size_t size = sizeof(bomb) - 4 - z.avail_out - 4;
  bomb[2] = (unsigned char)(size >> 8);
  bomb[3] = (unsigned char)size;
  expect_failure(DEFLATE, bomb, 4 + size, 1009, "over the size limit");
  expect_failure(DEFLATE, "\xc1\x03\xff\xff\xff", 5, 1007, "not well compressed");
  expect_failure(DEFLATE, "\xc1\x05\xf2\x00\x11\x00\x00", 7, 1007, "not well compressed");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_no_upgrade_is_refused_with_a_sentence),
      cmocka_unit_test(a_refusal_that_comes_byte_by_byte_is_one),
      cmocka_unit_test(a_server_that_hangs_up_without_an_answer_is_told),
      cmocka_unit_test(a_server_that_never_answers_times_out),
      cmocka_unit_test(the_time_for_it_begins_with_the_dialling),
      cmocka_unit_test(frames_behind_the_answer_in_one_write_are_read),
      cmocka_unit_test(an_answer_and_a_message_are_read_wherever_they_are_cut),
      cmocka_unit_test(what_breaks_the_protocol_closes_with_its_code),
      cmocka_unit_test(a_close_without_a_code_is_1005),
      cmocka_unit_test(our_close_is_masked_and_ends_where_it_is_not_answered),
      cmocka_unit_test(a_reset_is_a_lost_connection),
      cmocka_unit_test(a_close_frame_is_read_where_writing_fails),
      cmocka_unit_test(our_server_compresses_and_we_do_not),
      cmocka_unit_test(loopback_is_offered_no_compression_unless_asked_for),
      cmocka_unit_test(compressed_messages_may_come_in_fragments),
      cmocka_unit_test(bad_compressed_messages_close_the_connection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
