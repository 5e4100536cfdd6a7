/* Tests of dialled connections over loopback sockets: against our own server, and its refusals. */
#include "raw_server.h"
#include <pthread.h>

static void a_message_is_echoed(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_opened_to(f);
  assert_string_equal(f->last_path, "/ws");
  assert_string_equal(f->last_query, "token=t%20k");
  dialler_say(d, "hello");
  UNTIL(d, f, d->messages == 1);
  assert_string_equal(d->last, "hello");
  assert_int_equal(stats_of(f).messages_in, 1);
  sdb_net_stats stats;
  sdb_net_stats_get(d->net, &stats);
  assert_int_equal(stats.messages_in, 1);
  assert_int_equal(stats.messages_out, 1);
  assert_int_equal(stats.connections, 1);
  assert_int_equal(stats.accepted, 0);
  dialler_free(d);
  fixture_free(f);
}

static void messages_of_every_size_go_both_ways(void **state) {
  static const size_t SIZES[] = {0, 1, 125, 126, 65535, 65536, 1024 * 1024};
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_opened_to(f);
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++) {
    char *text = malloc(SIZES[i] + 1);
    assert_non_null(text);
    for (size_t at = 0; at < SIZES[i]; at++)
      text[at] = (char)('a' + (at + i) % 26);
    sdb_net_send_text(d->conn, sdb_slice_make(text, SIZES[i]));
    UNTIL(d, f, d->messages == i + 1);
    assert_int_equal(d->last_size, SIZES[i]);
    assert_memory_equal(d->last, text, SIZES[i]);
    free(text);
  }
  UNTIL(d, f, d->levels > 0 && d->last_level == 0);
  dialler_free(d);
  fixture_free(f);
}

static void many_messages_in_one_turn_are_echoed_in_order(void **state) {
  fixture *f = fixture_started();
  char text[32];
  (void)state;
  dialler *d = dialler_opened_to(f);
  for (int i = 0; i < 5000; i++) {
    snprintf(text, sizeof(text), "message %d", i);
    dialler_say(d, text);
  }
  UNTIL(d, f, d->messages == 5000);
  assert_string_equal(d->last, "message 4999");
  dialler_free(d);
  fixture_free(f);
}

static void ipv6_is_dialled(void **state) {
  fixture *f = fixture_started();
  char url[64];
  uint16_t port;
  (void)state;
  if (sdb_net_listen(f->net, "::1", 0, &port, NULL) != SDB_OK) skip();
  snprintf(url, sizeof(url), "ws://[::1]:%u/ws", port);
  dialler *d = dialler_new();
  dialler_dial(d, url);
  UNTIL(d, f, d->opened == 1);
  assert_string_equal(f->last_remote, "::1");
  dialler_free(d);
  fixture_free(f);
}

/* ---- one net that listens and dials; a server on a thread of its own ---- */

typedef struct both {
  sdb_net *net;
  sdb_conn *dialled;
  size_t heard, accepted_closed, dialled_closed;
} both;

static void both_request(
    void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer) {
  (void)context, (void)conn;
  answer->accept = request->upgrade;
}

static void nothing(void *owner) {
  (void)owner;
}

static void both_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size) {
  both *b = context;
  (void)tag;
  assert_int_equal(size, 5);
  assert_memory_equal(message, "hello", size);
  b->heard++;
  if (conn != b->dialled) sdb_net_send(conn, "\x81\x05hello", 7, 1, b, nothing, nothing);
}

static void both_level(void *context, sdb_conn *conn, void *tag, size_t bytes) {
  (void)context, (void)conn, (void)tag, (void)bytes;
}

static void both_closed(void *context, sdb_conn *conn, void *tag) {
  both *b = context;
  (void)conn, (void)tag;
  b->accepted_closed++;
}

static void both_nothing(void *context) {
  (void)context;
}

static void both_turn_end(void *context) {
  sdb_net_stop(((both *)context)->net);
}

static void both_opened(void *context, sdb_conn *conn, void *tag) {
  (void)context, (void)tag;
  sdb_net_send_text(conn, sdb_slice_of("hello"));
}

static void both_ended(void *context, sdb_conn *conn, void *tag, const sdb_net_end *end) {
  (void)conn, (void)tag, (void)end;
  ((both *)context)->dialled_closed++;
}

static void a_net_may_dial_itself_and_only_the_accepted_count_as_such(void **state) {
  both b = {0};
  sdb_net_options options = {.mem = sdb_platform_mem(),
      .handler = {&b, both_request, both_message, both_level, both_closed, both_nothing,
          both_nothing, both_turn_end},
      .message_bytes_max = 1000,
      .output_hard_bytes = 1000,
      .connections_max = 1,
      .handshake_timeout_ms = 10000};
  sdb_net_target target;
  uint16_t port;
  char url[64];
  (void)state;
  assert_int_equal(sdb_net_create(&options, &b.net, NULL), SDB_OK);
  assert_int_equal(sdb_net_listen(b.net, "127.0.0.1", 0, &port, NULL), SDB_OK);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u", port);
  assert_int_equal(sdb_net_target_parse(url, &target, NULL), SDB_OK);
  sdb_net_dial_options dial = {.target = &target, .handler = {&b, both_opened, both_ended}};
  assert_int_equal(sdb_net_dial(b.net, &dial, &b.dialled, NULL), SDB_OK);
  while (b.heard < 2)
    sdb_net_run(b.net);
  assert_int_equal(sdb_net_connections(b.net), 2);
  sdb_net_destroy(b.net);
  assert_int_equal(b.accepted_closed, 1);
  assert_int_equal(b.dialled_closed, 1);
}

static void *run_server(void *context) {
  sdb_net_run(((fixture *)context)->net);
  return NULL;
}

static void a_server_on_another_thread_echoes(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  pthread_t thread;
  (void)state;
  f->stop_after_turn = false;
  dialler_dial_port(d, "ws", f->port);
  assert_int_equal(pthread_create(&thread, NULL, run_server, f), 0);
  UNTIL(d, NULL, d->opened == 1);
  for (size_t i = 0; i < 200; i++) {
    dialler_say(d, "hello");
    UNTIL(d, NULL, d->messages == i + 1);
  }
  sdb_net_close(d->conn, 1000, sdb_slice_of(""));
  expect_end(d, NULL, 1000, "", "");
  sdb_net_stop(f->net);
  pthread_join(thread, NULL);
  dialler_free(d);
  fixture_free(f);
}

/* ---- ends ---- */

static void the_servers_close_is_told_with_code_and_reason(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_opened_to(f);
  dialler_say(d, "close 4401");
  expect_end(d, f, 4401, "as asked", "");
  UNTIL(d, f, f->closed == 1);
  assert_int_equal(sdb_net_connections(d->net), 0);
  dialler_free(d);
  fixture_free(f);
}

static void our_close_is_answered_with_its_code(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_opened_to(f);
  dialler_say(d, "last words");
  sdb_net_close(d->conn, 4001, sdb_slice_of("bye"));
  dialler_say(d, "not sent");
  expect_end(d, f, 4001, "", "");
  assert_int_equal(d->messages, 0); /* dropped: we had closed */
  UNTIL(d, f, f->closed == 1);
  assert_int_equal(f->messages, 1);
  dialler_free(d);
  fixture_free(f);
}

static void an_answer_that_closes_at_once_is_told(void **state) {
  fixture *f = fixture_new();
  (void)state;
  f->answer_close_code = 4401;
  fixture_start(f);
  dialler *d = dialler_new();
  dialler_dial_port(d, "ws", f->port);
  expect_end(d, f, 4401, "", "");
  assert_int_equal(d->opened, 1);
  dialler_free(d);
  fixture_free(f);
}

static void a_server_that_is_destroyed_is_a_lost_connection(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_opened_to(f);
  sdb_net_destroy(f->net);
  f->net = NULL;
  expect_end(d, NULL, 1006, "", "the connection was lost");
  dialler_free(d);
  fixture_free(f);
}

static void a_refused_connection_says_so(void **state) {
  dialler *d = dialler_new();
  fixture *f = fixture_started();
  uint16_t port = f->port;
  (void)state;
  fixture_free(f);
  dialler_dial_port(d, "ws", port);
  expect_end(d, NULL, 1006, "", "the server cannot be reached: Connection refused");
  assert_int_equal(d->opened, 0);
  dialler_free(d);
}

static void a_refused_upgrade_gives_its_status(void **state) {
  fixture *f = fixture_started();
  char url[64];
  (void)state;
  dialler *d = dialler_new();
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/nowhere", f->port);
  dialler_dial(d, url);
  expect_end(d, f, 1006, "", "the server refused the upgrade: HTTP status 404");
  assert_int_equal(d->http_status, 404);
  assert_int_equal(d->opened, 0);
  dialler_free(d);
  fixture_free(f);
}

static void a_connection_that_is_given_up_just_ends(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_new();
  dialler_dial_port(d, "ws", f->port);
  sdb_net_send_text(d->conn, sdb_slice_of("nothing happens"));
  sdb_net_pause(d->conn, true);
  sdb_net_close(d->conn, 1000, sdb_slice_of(""));
  assert_int_equal(d->closed, 0); /* not inside a call */
  expect_end(d, f, 1006, "", "it was given up before it was open");
  assert_int_equal(sdb_net_connections(d->net), 0);
  dialler_free(d);
  fixture_free(f);
}

static void a_pause_before_it_is_open_does_not_hold_it_up(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_new();
  dialler_dial_port(d, "ws", f->port);
  sdb_net_pause(d->conn, true);
  UNTIL(d, f, d->opened == 1);
  dialler_free(d);
  fixture_free(f);
}

/* Dials until the connection is in the state of `turns` turns, and destroys the net. */
static void destroy_after(size_t turns) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  dialler_dial_port(d, "ws", f->port);
  for (size_t i = 0; i < turns; i++) {
    pump_dialler(d);
    pump(f);
  }
  sdb_net_destroy(d->net);
  d->net = NULL;
  assert_int_equal(d->closed, 1);
  assert_int_equal(d->code, 1006);
  assert_string_equal(d->problem, "this side has ended");
  dialler_free(d);
  fixture_free(f);
}

static void destroying_the_net_tells_of_each_connection_once(void **state) {
  (void)state;
  for (size_t turns = 0; turns < 6; turns++)
    destroy_after(turns);
}

static void a_shut_down_net_closes_and_dials_no_more(void **state) {
  fixture *f = fixture_started();
  sdb_error error;
  (void)state;
  dialler *d = dialler_opened_to(f), *early = dialler_new();
  dialler_dial_port(early, "ws", f->port);
  sdb_net_shutdown(early->net, 1001, sdb_slice_of(""));
  expect_end(early, f, 1006, "", "it was given up before it was open");
  sdb_net_shutdown(d->net, 1001, sdb_slice_of("away"));
  assert_int_equal(sdb_net_dial(d->net, &d->dial, &d->conn, &error), SDB_CLOSED);
  expect_end(d, f, 1001, "", "");
  dialler_free(early);
  dialler_free(d);
  fixture_free(f);
}

/* ---- dialling again ---- */

static void dial_again(void *context, sdb_conn *conn, void *tag, const sdb_net_end *end) {
  dialler *d = context;
  dialler_closed(context, conn, tag, end);
  if (d->closed < 100) assert_int_equal(sdb_net_dial(d->net, &d->dial, &d->conn, NULL), SDB_OK);
}

static void who_hears_of_an_end_may_dial_again_in_another_turn(void **state) {
  dialler *d = dialler_new();
  fixture *f = fixture_started();
  uint16_t port = f->port;
  (void)state;
  fixture_free(f);
  d->dial.handler.closed = dial_again;
  dialler_dial_port(d, "ws", port);
  while (d->closed < 100) {
    size_t before = d->closed;
    pump_dialler(d);
    assert_true(d->closed <= before + 1);
  }
  UNTIL(d, NULL, sdb_net_connections(d->net) == 0);
  dialler_free(d);
}

static void many_are_dialled_at_once(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  sdb_conn *conns[50];
  (void)state;
  d->several = true;
  dialler_dial_port(d, "ws", f->port);
  conns[0] = d->conn;
  for (size_t i = 1; i < SDB_COUNT_OF(conns); i++)
    assert_int_equal(sdb_net_dial(d->net, &d->dial, &conns[i], NULL), SDB_OK);
  UNTIL(d, f, f->requests == SDB_COUNT_OF(conns));
  for (size_t i = 0; i < SDB_COUNT_OF(conns); i++)
    sdb_net_close(conns[i], 1000, sdb_slice_of(""));
  UNTIL(d, f, d->closed == SDB_COUNT_OF(conns));
  dialler_free(d);
  fixture_free(f);
}

/* ---- limits ---- */

static void more_than_the_hard_limit_closes_1013(void **state) {
  dialler *d = dialler_new();
  char *text = calloc(1, 100000);
  (void)state;
  assert_non_null(text);
  memset(text, 'x', 100000);
  d->options.output_hard_bytes = 1024 * 1024;
  raw *r = raw_opened(d);
  for (int i = 0; i < 1000 && d->closed == 0; i++) { /* nobody reads */
    if (d->conn) sdb_net_send_text(d->conn, sdb_slice_make(text, 100000));
    pump_dialler(d);
  }
  expect_end(d, NULL, 1013, "", "the server reads too slowly");
  sdb_net_stats stats;
  sdb_net_stats_get(d->net, &stats);
  assert_int_equal(stats.slow_closed, 1);
  assert_int_equal(stats.output_buffered_bytes, 0);
  free(text);
  raw_free(r);
  dialler_free(d);
}

static void a_paused_connection_hears_nothing_until_it_goes_on(void **state) {
  dialler *d = dialler_new();
  (void)state;
  raw *r = raw_opened(d);
  sdb_net_pause(d->conn, true);
  raw_text(r, "\x81\x05hello");
  for (int i = 0; i < 20; i++)
    pump_dialler(d);
  assert_int_equal(d->messages, 0);
  sdb_net_pause(d->conn, false);
  UNTIL(d, NULL, d->messages == 1);
  raw_free(r);
  dialler_free(d);
}

static void a_silent_server_is_pinged_and_then_given_up(void **state) {
  dialler *d = dialler_new();
  (void)state;
  d->options.ping_interval_ms = 100;
  raw *r = raw_opened(d);
  raw_expect_frame(r, d, 0x89, "", 0);
  raw_send(r, "\x8a\x00", 2); /* alive: pinged again */
  raw_expect_frame(r, d, 0x89, "", 0);
  expect_end(d, NULL, 1006, "", "the server has been silent for too long");
  raw_expect_end(r, d);
  raw_free(r);
  dialler_free(d);
}

static void a_servers_ping_gets_its_payload_back_masked(void **state) {
  dialler *d = dialler_new();
  (void)state;
  raw *r = raw_opened(d);
  raw_text(r, "\x89\x04ping");
  raw_expect_frame(r, d, 0x8a, "ping", 4);
  raw_free(r);
  dialler_free(d);
}

/* ---- out of memory ---- */

static size_t allocations_left;

static void *failing(void *context, void *pointer, size_t size) {
  (void)context;
  if (size > 0 && allocations_left == 0) return NULL;
  if (size > 0) allocations_left--;
  return sdb_platform_mem()->resize(NULL, pointer, size);
}

/* Dials, says two messages and closes, with memory for `n` allocations. */
static bool say_with_memory_for(size_t n, const sdb_mem *mem) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  sdb_error error;
  char url[64];
  d->options.mem = mem;
  allocations_left = SIZE_MAX;
  assert_int_equal(sdb_net_create(&d->options, &d->net, &error), SDB_OK);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/ws", f->port);
  assert_int_equal(sdb_net_target_parse(url, &d->target, &error), SDB_OK);
  d->dial.token = sdb_slice_of("token");
  allocations_left = n;
  sdb_status status = sdb_net_dial(d->net, &d->dial, &d->conn, &error);
  if (status == SDB_OK) {
    UNTIL(d, f, d->opened == 1 || d->closed == 1);
    if (d->conn) dialler_say(d, "one");
    UNTIL(d, f, d->messages == 1 || d->closed == 1);
    if (d->conn) dialler_say(d, "close 4000");
    UNTIL(d, f, d->closed == 1);
  } else {
    assert_int_equal(status, SDB_NO_MEMORY);
  }
  bool done = d->closed == 1 && d->code == 4000;
  dialler_free(d);
  fixture_free(f);
  return done;
}

static void without_memory_a_connection_ends_alone(void **state) {
  static const sdb_mem MEM = {NULL, failing};
  size_t n = 0;
  (void)state;
  while (!say_with_memory_for(n, &MEM))
    n++;
  assert_true(n > 3 && n < 30);
}

/* ---- the token ---- */

static void the_token_is_shown_and_may_not_end_its_line(void **state) {
  static const char *const BAD[] = {"a\r\nX: y", "a b", "\x7f", "caf\xc3\xa9", "a\n"};
  dialler *d = dialler_new();
  raw *r = raw_listen();
  char *huge = malloc(20000);
  sdb_conn *conn;
  sdb_error error;
  (void)state;
  d->dial.token = sdb_slice_of("a.b-c_d~e+f/g=");
  dialler_dial_port(d, "ws", r->port);
  raw_expect_request(r, d);
  assert_non_null(strstr(r->in, "\r\nAuthorization: Bearer a.b-c_d~e+f/g=\r\n"));
  assert_non_null(strstr(r->in, "GET /ws?token=t%20k HTTP/1.1\r\nHost: 127.0.0.1:"));
  for (size_t i = 0; i < SDB_COUNT_OF(BAD); i++) {
    d->dial.token = sdb_slice_of(BAD[i]);
    assert_int_equal(sdb_net_dial(d->net, &d->dial, &conn, &error), SDB_INVALID_ARGUMENT);
  }
  assert_non_null(huge);
  memset(huge, 'x', 20000);
  d->dial.token = sdb_slice_make(huge, 20000);
  assert_int_equal(sdb_net_dial(d->net, &d->dial, &conn, &error), SDB_INVALID_ARGUMENT);
  assert_int_equal(sdb_net_connections(d->net), 1);
  free(huge);
  raw_free(r);
  dialler_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_echoed),
      cmocka_unit_test(messages_of_every_size_go_both_ways),
      cmocka_unit_test(many_messages_in_one_turn_are_echoed_in_order),
      cmocka_unit_test(ipv6_is_dialled),
      cmocka_unit_test(a_net_may_dial_itself_and_only_the_accepted_count_as_such),
      cmocka_unit_test(a_server_on_another_thread_echoes),
      cmocka_unit_test(the_servers_close_is_told_with_code_and_reason),
      cmocka_unit_test(our_close_is_answered_with_its_code),
      cmocka_unit_test(an_answer_that_closes_at_once_is_told),
      cmocka_unit_test(a_server_that_is_destroyed_is_a_lost_connection),
      cmocka_unit_test(a_refused_connection_says_so),
      cmocka_unit_test(a_refused_upgrade_gives_its_status),
      cmocka_unit_test(a_connection_that_is_given_up_just_ends),
      cmocka_unit_test(a_pause_before_it_is_open_does_not_hold_it_up),
      cmocka_unit_test(destroying_the_net_tells_of_each_connection_once),
      cmocka_unit_test(a_shut_down_net_closes_and_dials_no_more),
      cmocka_unit_test(who_hears_of_an_end_may_dial_again_in_another_turn),
      cmocka_unit_test(many_are_dialled_at_once),
      cmocka_unit_test(more_than_the_hard_limit_closes_1013),
      cmocka_unit_test(a_paused_connection_hears_nothing_until_it_goes_on),
      cmocka_unit_test(a_silent_server_is_pinged_and_then_given_up),
      cmocka_unit_test(a_servers_ping_gets_its_payload_back_masked),
      cmocka_unit_test(without_memory_a_connection_ends_alone),
      cmocka_unit_test(the_token_is_shown_and_may_not_end_its_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
