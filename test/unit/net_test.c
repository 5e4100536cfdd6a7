/* Tests of net over loopback sockets: WebSocket without TLS and compression. */
#include "net_fixture.h"
#include <pthread.h>
#include <sys/resource.h>

static void a_message_is_echoed(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_say(c, "hello");
  client_expect(c, 0x81, "hello");
  assert_int_equal(f->messages, 1);
  assert_string_equal(f->last_query, "token=t%20k");
  assert_string_equal(f->last_remote, "127.0.0.1");
  PUMP_UNTIL(f, f->levels > 0);
  assert_int_equal(f->last_level, 0);
  sdb_net_stats stats = stats_of(f);
  assert_int_equal(stats.accepted, 1);
  assert_int_equal(stats.messages_in, 1);
  assert_int_equal(stats.messages_out, 1);
  assert_int_equal(stats.output_buffered_bytes, 0);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(sdb_net_connections(f->net), 0);
  fixture_free(f);
}

static void many_messages_in_one_write_are_echoed_in_order(void **state) {
  fixture *f = fixture_started();
  char text[32];
  (void)state;
  client *c = client_open(f);
  for (int i = 0; i < 500; i++) {
    snprintf(text, sizeof(text), "message %d", i);
    client_say(c, text);
  }
  for (int i = 0; i < 500; i++) {
    snprintf(text, sizeof(text), "message %d", i);
    client_expect(c, 0x81, text);
  }
  client_free(c);
  fixture_free(f);
}

static void fragments_and_empty_messages_are_echoed(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_frame(c, 0x01, "ab", 2);
  pump(f);
  client_frame(c, 0x89, "p", 1);
  client_frame(c, 0x00, "", 0);
  client_expect(c, 0x8a, "p");
  client_frame(c, 0x80, "cd", 2);
  client_expect(c, 0x81, "abcd");
  client_say(c, "");
  client_expect(c, 0x81, "");
  client_free(c);
  fixture_free(f);
}

static void a_byte_at_a_time_does(void **state) {
  fixture *f = fixture_started();
  static const char FRAME[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  (void)state;
  client *c = client_connect(f);
  char head[1024];
  for (const char *at = UPGRADE; *at; at++) {
    client_write(c, at, 1);
    pump(f);
  }
  client_text(c, "\r\n");
  client_read_head(c, head, sizeof(head));
  for (size_t i = 0; i < sizeof(FRAME) - 1; i++) {
    client_write(c, FRAME + i, 1);
    pump(f);
  }
  client_expect(c, 0x81, "Hello");
  client_free(c);
  fixture_free(f);
}

static void a_frame_behind_the_head_in_one_write_is_read(void **state) {
  fixture *f = fixture_started();
  char head[1024];
  (void)state;
  client *c = client_connect(f);
  client_text(c, UPGRADE);
  client_write(c, "\r\n\x81\x80\x01\x02\x03\x04", 8);
  client_read_head(c, head, sizeof(head));
  client_expect(c, 0x81, "");
  client_free(c);
  fixture_free(f);
}

static void a_large_message_is_held_not_copied(void **state) {
  fixture *f = fixture_started();
  size_t size = 900000;
  frame got;
  (void)state;
  client *c = client_open(f);
  char *text = malloc(size);
  assert_non_null(text);
  memset(text, 'x', size);
  client_frame(c, 0x81, text, size);
  client_next(c, &got);
  assert_int_equal(got.size, size);
  assert_memory_equal(got.data, text, size);
  assert_int_equal(f->retains, 1);
  PUMP_UNTIL(f, f->releases == 1);
  free(got.data);
  free(text);
  client_free(c);
  fixture_free(f);
}

/* One frame is sent; the server must close with `code`, and another connection not notice. */
static void expect_failure(
    unsigned first, bool masked, const char *data, size_t size, unsigned code) {
  fixture *f = fixture_started();
  client *c = client_open(f), *other = client_open(f);
  client_frame_masked(c, first, data, size, masked ? "abcd" : NULL);
  client_expect_close(c, code);
  client_expect_end(c);
  assert_int_equal(f->messages, 0);
  assert_int_equal(stats_of(f).protocol_errors, 1);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  client_say(other, "still here");
  client_expect(other, 0x81, "still here");
  client_free(other);
  fixture_free(f);
}

static void what_breaks_the_protocol_closes_1002(void **state) {
  static const char LONG[126];
  (void)state;
  expect_failure(0x81, false, "not masked", 10, 1002);
  expect_failure(0x89, true, LONG, sizeof(LONG), 1002);
  expect_failure(0xc1, true, "rsv1", 4, 1002);
  expect_failure(0xa1, true, "rsv2", 4, 1002);
  expect_failure(0x91, true, "rsv3", 4, 1002);
  expect_failure(0x83, true, "opcode", 6, 1002);
  expect_failure(0x80, true, "continues nothing", 17, 1002);
}

static void binary_closes_1003_and_bad_text_1007(void **state) {
  (void)state;
  expect_failure(0x82, true, "binary", 6, 1003);
  expect_failure(0x81, true, "\xed\xa0\x80", 3, 1007);
}

static void a_huge_message_closes_1009_before_it_is_sent(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_write(c, "\x81\xff\x00\x00\x01\x00\x00\x00\x00\x00mask", 14); /* 1 TiB */
  client_expect_close(c, 1009);
  client_expect_end(c);
  client_free(c);
  fixture_free(f);
}

static void a_peer_that_closes_gets_its_code_back(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_frame(c, 0x88,
      "\x0f\xa1"
      "bye",
      5);
  client_expect_close(c, 4001);
  client_expect_end(c);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(stats_of(f).protocol_errors, 0);
  fixture_free(f);
}

static void the_server_closes_with_code_and_reason(void **state) {
  fixture *f = fixture_started();
  frame got;
  (void)state;
  client *c = client_open(f);
  client_say(c, "close 4401");
  client_next(c, &got);
  assert_int_equal(got.first, 0x88);
  assert_string_equal(got.data + 2, "as asked");
  free(got.data);
  client_say(c, "ignored"); /* dropped: the server has closed */
  client_frame(c, 0x88, "\x11\x31", 2);
  client_expect_end(c);
  assert_int_equal(f->messages, 1);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  fixture_free(f);
}

static void a_peer_that_ignores_the_close_is_hung_up_on(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_say(c, "close 4401");
  client_expect_close(c, 4401);
  client_expect_end(c);
  assert_int_equal(f->closed, 1);
  client_free(c);
  fixture_free(f);
}

static void a_close_while_paused_ends_with_the_close_of_the_peer(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_say(c, "pause,4401");
  client_expect_close(c, 4401);
  uint64_t closed_us = sdb_platform_monotonic_us();
  client_frame(c, 0x88, "\x11\x31", 2);
  client_expect_end(c);
  assert_true(sdb_platform_monotonic_us() - closed_us < 2000 * 1000); /* what is waited otherwise */
  client_free(c);
  fixture_free(f);
}

static void an_answer_may_close_at_once(void **state) {
  fixture *f = fixture_new();
  char head[1024];
  (void)state;
  f->answer_close_code = 4401;
  fixture_start(f);
  client *c = client_connect(f);
  client_upgrade(c, "", head);
  assert_memory_equal(head, "HTTP/1.1 101 ", 13);
  client_expect_close(c, 4401);
  client_frame(c, 0x88, "\x11\x31", 2);
  client_expect_end(c);
  client_free(c);
  PUMP_UNTIL(f, sdb_net_connections(f->net) == 0);
  assert_int_equal(f->closed, 0);
  fixture_free(f);
}

static void a_client_that_vanishes_mid_frame_is_forgotten(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *c = client_open(f);
  client_write(c, "\x81\xfe\x03\xe8maskhalf a mess", 20);
  pump(f);
  struct linger hard = {1, 0}; /* a reset, as of a machine that is gone */
  assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(f->messages, 0);
  assert_int_equal(sdb_net_connections(f->net), 0);
  fixture_free(f);
}

static void a_slow_reader_is_closed_1013_at_the_hard_limit(void **state) {
  fixture *f = fixture_new();
  char *text = calloc(1, 60000);
  (void)state;
  f->options.output_hard_bytes = 1024 * 1024;
  fixture_start(f);
  client *c = client_open(f);
  assert_non_null(text);
  memset(text, 'x', 60000);
  PUMP_UNTIL(f, f->conn != NULL);
  for (int i = 0; i < 10000 && stats_of(f).slow_closed == 0; i++) {
    server_send(f, f->conn, text, 3000);
    pump(f);
    assert_true(stats_of(f).output_buffered_bytes <= 1024 * 1024 + 200);
  }
  assert_int_equal(stats_of(f).slow_closed, 1);
  frame got;
  do { /* whoever reads on hears why */
    client_next(c, &got);
    free(got.data);
  } while (got.first == 0x81);
  assert_int_equal(got.first, 0x88);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(stats_of(f).output_buffered_bytes, 0);
  free(text);
  fixture_free(f);
}

static void levels_tell_what_waits_and_that_it_was_read(void **state) {
  fixture *f = fixture_started();
  char *text = malloc(3000);
  size_t sent = 0;
  (void)state;
  client *c = client_open(f);
  assert_non_null(text);
  memset(text, 'x', 3000);
  PUMP_UNTIL(f, f->conn != NULL);
  while (f->last_level == 0) {
    server_send(f, f->conn, text, 3000);
    sent++;
    pump(f);
  }
  assert_int_equal(f->last_level, stats_of(f).output_buffered_bytes);
  for (size_t i = 0; i < sent; i++) {
    frame got;
    client_next(c, &got);
    assert_int_equal(got.size, 3000);
    free(got.data);
  }
  PUMP_UNTIL(f, f->last_level == 0);
  free(text);
  client_free(c);
  fixture_free(f);
}

static void what_is_held_is_released_when_the_reader_vanishes(void **state) {
  fixture *f = fixture_new();
  size_t size = 32 * 1024 * 1024; /* more than socket buffers take */
  char *text = calloc(1, size);
  (void)state;
  f->options.output_hard_bytes = 2 * size;
  fixture_start(f);
  client *c = client_open(f);
  assert_non_null(text);
  PUMP_UNTIL(f, f->conn != NULL);
  server_send(f, f->conn, text, size);
  pump(f);
  assert_int_equal(f->retains, 1);
  assert_int_equal(f->releases, 0);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(f->releases, 1);
  free(text);
  fixture_free(f);
}

static void a_ping_gets_its_payload_back(void **state) {
  fixture *f = fixture_started();
  char text[126] = {0};
  (void)state;
  client *c = client_open(f);
  client_frame(c, 0x89, "", 0);
  client_expect(c, 0x8a, "");
  memset(text, 'p', 125);
  client_frame(c, 0x89, text, 125);
  client_expect(c, 0x8a, text);
  client_free(c);
  fixture_free(f);
}

static void a_flood_of_pings_piles_up_no_pongs(void **state) {
  fixture *f = fixture_started();
  char *pings = malloc(1000 * 8), last[8];
  size_t pongs = 0;
  frame got;
  (void)state;
  client *c = client_open(f);
  assert_non_null(pings);
  for (int i = 0; i < 1000; i++) { /* the mask is 0 */
    memcpy(pings + i * 8, "\x89\x82\0\0\0\0", 6);
    pings[i * 8 + 6] = (char)('0' + i / 100);
    pings[i * 8 + 7] = (char)('0' + i % 10);
  }
  client_write(c, pings, 1000 * 8);
  do {
    client_next(c, &got);
    snprintf(last, sizeof(last), "%s", got.data);
    free(got.data);
    pongs++;
  } while (strcmp(last, "99") != 0);
  assert_true(pongs < 100);
  free(pings);
  client_free(c);
  fixture_free(f);
}

static void silence_is_pinged_and_then_closed(void **state) {
  fixture *f = fixture_new();
  (void)state;
  f->options.ping_interval_ms = 20;
  fixture_start(f);
  client *c = client_open(f);
  client_expect(c, 0x89, "");
  client_frame(c, 0x8a, "", 0); /* alive: pinged again */
  client_expect(c, 0x89, "");
  client_expect_end(c);
  assert_int_equal(f->closed, 1);
  client_free(c);
  fixture_free(f);
}

static void a_reader_that_lags_but_reads_is_not_silent(void **state) {
  fixture *f = fixture_new();
  size_t size = 64 * 1024 * 1024;
  char *text = calloc(1, size);
  (void)state;
  assert_non_null(text);
  f->options.output_hard_bytes = 2 * size;
  f->options.ping_interval_ms = 400; /* a busy machine must not look like silence */
  fixture_start(f);
  client *c = client_open(f);
  server_send(f, f->conn, text, size);
  uint64_t until_us = sdb_platform_monotonic_us() + 1000 * 1000; /* silence may last 800 */
  while (sdb_platform_monotonic_us() < until_us) {
    (void)!recv(c->fd, c->in, 256 * 1024, 0); /* the ping is far behind this */
    pump(f);
    usleep(5000);
  }
  assert_int_equal(f->closed, 0);
  free(text);
  client_free(c);
  fixture_free(f);
}

static void a_head_that_never_ends_times_out(void **state) {
  fixture *f = fixture_new();
  (void)state;
  f->options.handshake_timeout_ms = 20;
  fixture_start(f);
  client *silent = client_connect(f), *slow = client_connect(f);
  client_text(slow, "GET / HTTP/1.1\r\nHost: a\r\n");
  client_expect_end(silent);
  client_expect_end(slow);
  assert_int_equal(f->requests, 0);
  assert_int_equal(f->closed, 0);
  client_free(silent);
  client_free(slow);
  fixture_free(f);
}

static void the_timer_fires_once_at_its_time(void **state) {
  fixture *f = fixture_started();
  (void)state;
  uint64_t at = sdb_net_now_ms(f->net) + 30;
  sdb_net_set_timer(f->net, UINT64_MAX);
  sdb_net_set_timer(f->net, at);
  PUMP_UNTIL(f, f->timers == 1);
  assert_true(sdb_net_now_ms(f->net) >= at);
  pump(f);
  pump(f);
  assert_int_equal(f->timers, 1);
  fixture_free(f);
}

static void a_sleeping_loop_wakes_for_its_timer(void **state) {
  fixture *f = fixture_started();
  (void)state;
  pump(f); /* the wake before create is used up */
  sdb_net_set_timer(f->net, sdb_net_now_ms(f->net) + 20);
  while (f->timers == 0)
    sdb_net_run(f->net); /* blocks until the timer */
  fixture_free(f);
}

static void *wake_often(void *context) {
  fixture *f = context;
  for (int i = 0; i < 1000; i++)
    sdb_net_wake(f->net);
  sdb_net_stop(f->net);
  return NULL;
}

static void another_thread_wakes_and_stops_the_loop(void **state) {
  fixture *f = fixture_started();
  pthread_t thread;
  (void)state;
  for (int i = 0; i < 20; i++) {
    size_t before = f->woken;
    f->stop_after_turn = false;
    assert_int_equal(pthread_create(&thread, NULL, wake_often, f), 0);
    sdb_net_run(f->net);
    pthread_join(thread, NULL);
    f->stop_after_turn = true;
    pump(f); /* hears a wake that came with the stop */
    assert_true(f->woken > before);
  }
  fixture_free(f);
}

static void shutdown_closes_everyone_behind_what_is_queued(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *open = client_open(f), *head = client_connect(f);
  client_text(head, "GET ");
  PUMP_UNTIL(f, sdb_net_connections(f->net) == 2);
  server_send(f, f->conn, "last words", 10);
  sdb_net_shutdown(f->net, 1001, sdb_slice_of("{\"retryAfterMs\":[0,5000]}"));
  client_expect(open, 0x81, "last words");
  client_expect_close(open, 1001);
  client_frame(open, 0x88, "\x03\xe9", 2);
  client_expect_end(open);
  client_expect_end(head);
  client_free(open);
  PUMP_UNTIL(f, sdb_net_connections(f->net) == 0);
  assert_int_equal(f->closed, 1);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
  close(fd);
  client_free(head);
  fixture_free(f);
}

static void destroy_tells_of_open_connections(void **state) {
  fixture *f = fixture_started();
  (void)state;
  client *a = client_open(f), *b = client_open(f);
  sdb_net_destroy(f->net);
  assert_int_equal(f->closed, 2);
  f->net = NULL;
  client_free(a);
  client_free(b);
  fixture_free(f);
}

/* Fills the process's descriptors up, so that the server cannot accept. */
static size_t use_up_descriptors(int *fds, size_t max) {
  size_t count = 0;
  while (count < max && (fds[count] = dup(0)) >= 0)
    count++;
  return count;
}

static void out_of_descriptors_accepting_pauses_and_goes_on(void **state) {
  fixture *f = fixture_started();
  struct rlimit old, low;
  int fds[256];
  (void)state;
  getrlimit(RLIMIT_NOFILE, &old);
  low = old;
  low.rlim_cur = 200;
  client *open = client_open(f), *waiting = client_connect(f);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  size_t count = use_up_descriptors(fds, SDB_COUNT_OF(fds));
  client_text(waiting, UPGRADE);
  client_text(waiting, "\r\n");
  for (int i = 0; i < 20; i++) { /* the others go on */
    client_say(open, "hello");
    client_expect(open, 0x81, "hello");
  }
  assert_int_equal(f->requests, 1);
  for (size_t i = 0; i < count; i++)
    close(fds[i]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
  char head[1024];
  client_read_head(waiting, head, sizeof(head));
  assert_memory_equal(head, "HTTP/1.1 101 ", 13);
  client_free(open);
  client_free(waiting);
  fixture_free(f);
}

static void over_the_maximum_of_connections_is_503(void **state) {
  fixture *f = fixture_new();
  char head[1024];
  (void)state;
  f->options.connections_max = 1;
  fixture_start(f);
  client *first = client_open(f), *second = client_connect(f);
  client_read_head(second, head, sizeof(head));
  assert_memory_equal(head, "HTTP/1.1 503 ", 13);
  client_expect_end(second);
  client_free(second);
  client_free(first);
  PUMP_UNTIL(f, f->closed == 1);
  client *third = client_open(f);
  client_free(third);
  fixture_free(f);
}

/* Memory that fails from the nth allocation on. */
static size_t allocations_left;

static void *failing(void *context, void *pointer, size_t size) {
  (void)context;
  if (size > 0 && allocations_left == 0) return NULL;
  if (size > 0) allocations_left--;
  return sdb_platform_mem()->resize(NULL, pointer, size);
}

static void without_memory_connections_end_and_the_loop_goes_on(void **state) {
  static const sdb_mem MEM = {NULL, failing};
  (void)state;
  for (size_t n = 0; n < 8; n++) {
    fixture *f = fixture_new();
    f->options.mem = &MEM;
    allocations_left = SIZE_MAX;
    fixture_start(f);
    allocations_left = n;
    client *c = client_connect(f);
    client_text(c, UPGRADE);
    client_text(c, "\r\n");
    client_frame(c, 0x01, "two ", 4);
    client_frame(c, 0x80, "parts", 5);
    PUMP_UNTIL(f, c->ended || c->in_size > 100 || (client_read(c) && false));
    allocations_left = SIZE_MAX;
    client *after = client_open(f);
    client_say(after, "hello");
    client_expect(after, 0x81, "hello");
    client_free(c);
    client_free(after);
    fixture_free(f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_echoed),
      cmocka_unit_test(many_messages_in_one_write_are_echoed_in_order),
      cmocka_unit_test(fragments_and_empty_messages_are_echoed),
      cmocka_unit_test(a_byte_at_a_time_does),
      cmocka_unit_test(a_frame_behind_the_head_in_one_write_is_read),
      cmocka_unit_test(a_large_message_is_held_not_copied),
      cmocka_unit_test(what_breaks_the_protocol_closes_1002),
      cmocka_unit_test(binary_closes_1003_and_bad_text_1007),
      cmocka_unit_test(a_huge_message_closes_1009_before_it_is_sent),
      cmocka_unit_test(a_peer_that_closes_gets_its_code_back),
      cmocka_unit_test(the_server_closes_with_code_and_reason),
      cmocka_unit_test(a_close_while_paused_ends_with_the_close_of_the_peer),
      cmocka_unit_test(a_peer_that_ignores_the_close_is_hung_up_on),
      cmocka_unit_test(an_answer_may_close_at_once),
      cmocka_unit_test(a_client_that_vanishes_mid_frame_is_forgotten),
      cmocka_unit_test(a_slow_reader_is_closed_1013_at_the_hard_limit),
      cmocka_unit_test(levels_tell_what_waits_and_that_it_was_read),
      cmocka_unit_test(what_is_held_is_released_when_the_reader_vanishes),
      cmocka_unit_test(a_ping_gets_its_payload_back),
      cmocka_unit_test(a_flood_of_pings_piles_up_no_pongs),
      cmocka_unit_test(silence_is_pinged_and_then_closed),
      cmocka_unit_test(a_reader_that_lags_but_reads_is_not_silent),
      cmocka_unit_test(a_head_that_never_ends_times_out),
      cmocka_unit_test(the_timer_fires_once_at_its_time),
      cmocka_unit_test(a_sleeping_loop_wakes_for_its_timer),
      cmocka_unit_test(another_thread_wakes_and_stops_the_loop),
      cmocka_unit_test(shutdown_closes_everyone_behind_what_is_queued),
      cmocka_unit_test(destroy_tells_of_open_connections),
      cmocka_unit_test(out_of_descriptors_accepting_pauses_and_goes_on),
      cmocka_unit_test(over_the_maximum_of_connections_is_503),
      cmocka_unit_test(without_memory_connections_end_and_the_loop_goes_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
