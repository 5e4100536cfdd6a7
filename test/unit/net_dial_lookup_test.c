/* Tests of dialled connections whose host is a name: lookups, and the addresses that they give. */
#include "dial_fixture.h"
#include "names.h"
#include "net/resolve.h"

static void dial_name(dialler *d, const char *host, uint16_t port) {
  char url[64];
  snprintf(url, sizeof(url), "ws://%s:%u/ws", host, port);
  dialler_dial(d, url);
}

static void a_name_is_looked_up(void **state) {
  static const char *const HOSTS[] = {"localhost", "LocalHost", "here.test"};
  fixture *f = fixture_started();
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(HOSTS); i++) {
    dialler *d = dialler_new();
    dial_name(d, HOSTS[i], f->port);
    UNTIL(d, f, d->opened == 1);
    dialler_free(d);
  }
  fixture_free(f);
}

static void a_name_that_nobody_has_is_told(void **state) {
  dialler *d = dialler_new();
  (void)state;
  dial_name(d, "nowhere.test", 80);
  expect_end(d, NULL, 1006, "", "the host's name cannot be looked up: Name or service not known");
  dialler_free(d);
}

static void the_loop_goes_on_while_a_name_is_looked_up(void **state) {
  fixture *f = fixture_started();
  (void)state;
  names_hold(true);
  dialler *d = dialler_new();
  d->several = true;
  dial_name(d, "slow.test", f->port);
  UNTIL(d, f, names_running() == 1);
  dialler_dial_port(d, "ws", f->port);
  UNTIL(d, f, d->opened == 1);
  assert_int_equal(names_running(), 1);
  names_hold(false);
  UNTIL(d, f, d->opened == 2);
  assert_false(names.gets_signals);
  dialler_free(d);
  fixture_free(f);
}

static void stop_when_opened(void *context) {
  dialler *d = context;
  if (d->opened || d->closed) sdb_net_stop(d->net);
}

static void *let_go_later(void *context) {
  fixture *f = context;
  while (names_running() == 0)
    usleep(100);
  names_hold(false);
  sdb_net_run(f->net);
  return NULL;
}

static void the_answer_wakes_a_sleeping_loop(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  pthread_t thread;
  (void)state;
  d->options.handler.turn_end = stop_when_opened;
  f->stop_after_turn = false;
  names_hold(true);
  dial_name(d, "slow.test", f->port);
  assert_int_equal(pthread_create(&thread, NULL, let_go_later, f), 0);
  sdb_net_run(d->net);
  assert_int_equal(d->opened, 1);
  assert_int_equal(d->woken, 0); /* that is for the owner's own */
  sdb_net_stop(f->net);
  pthread_join(thread, NULL);
  dialler_free(d);
  fixture_free(f);
}

static void a_lookup_that_takes_too_long_is_given_up(void **state) {
  dialler *d = dialler_new();
  size_t before = names_finished();
  (void)state;
  d->options.handshake_timeout_ms = 30;
  names_hold(true);
  dial_name(d, "slow.test", 80);
  expect_end(d, NULL, 1006, "", "the host's name could not be looked up in time");
  UNTIL(d, NULL, names_running() == 1);
  names_hold(false);
  UNTIL(d, NULL, names_finished() == before + 1);
  dialler_free(d);
}

static void a_lookup_may_outlive_its_connection_and_its_net(void **state) {
  size_t before = names_finished();
  (void)state;
  names_hold(true);
  dialler *closed = dialler_new(), *destroyed = dialler_new();
  dial_name(closed, "slow.test", 80);
  dial_name(destroyed, "slow.test", 80);
  UNTIL(closed, NULL, names_running() == 2);
  sdb_net_close(closed->conn, 1000, sdb_slice_of(""));
  expect_end(closed, NULL, 1006, "", "it was given up before it was open");
  sdb_net_destroy(destroyed->net);
  destroyed->net = NULL;
  assert_int_equal(destroyed->closed, 1);
  assert_string_equal(destroyed->problem, "this side has ended");
  names_hold(false);
  UNTIL(closed, NULL, names_finished() == before + 2);
  assert_int_equal(closed->closed, 1);
  dialler_free(closed);
  dialler_free(destroyed);
}

static void too_many_lookups_at_once_are_refused(void **state) {
  dialler *d = dialler_new();
  size_t before = names_finished();
  (void)state;
  d->several = true;
  names_hold(true);
  /* Those of the tests before may not be gone yet. */
  while (d->closed == 0) {
    dial_name(d, "slow.test", 80);
    pump_dialler(d);
  }
  assert_string_equal(d->problem, "no thread is to be had to look the host's name up");
  size_t running = sdb_net_connections(d->net);
  assert_true(running <= SDB_LOOKUPS_MAX && running > SDB_LOOKUPS_MAX / 2);
  names_hold(false);
  UNTIL(d, NULL, names_finished() == before + running);
  dialler_free(d);
}

/* ---- addresses ---- */

static void set_addresses(const char *a, const char *b, const char *c) {
  names.addresses[0] = a;
  names.addresses[1] = b;
  names.addresses[2] = c;
}

static void addresses_are_tried_in_turn(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  (void)state;
  set_addresses("127.0.0.2", "::1", "127.0.0.1"); /* the server listens on the last one */
  dial_name(d, "many.test", f->port);
  UNTIL(d, f, d->opened == 1);
  dialler_free(d);
  fixture_free(f);
}

static void where_no_address_answers_the_last_one_says_why(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  (void)state;
  set_addresses("127.0.0.2", "127.0.0.3", NULL);
  dial_name(d, "many.test", f->port);
  expect_end(d, f, 1006, "", "the server cannot be reached: Connection refused");
  dialler_free(d);
  fixture_free(f);
}

/* A listener at 127.0.0.2 whose queue is full: it drops whoever else comes. */
typedef struct swallower {
  int listener, fillers[4];
} swallower;

static swallower swallow_at(uint16_t port) {
  swallower s;
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x7f000002)}};
  s.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(s.listener, (struct sockaddr *)&at, sizeof(at)), 0);
  assert_int_equal(listen(s.listener, 0), 0);
  for (size_t i = 0; i < SDB_COUNT_OF(s.fillers); i++) {
    s.fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)!connect(s.fillers[i], (struct sockaddr *)&at, sizeof(at));
  }
  return s;
}

static void swallower_free(const swallower *s) {
  for (size_t i = 0; i < SDB_COUNT_OF(s->fillers); i++)
    close(s->fillers[i]);
  close(s->listener);
}

static void an_address_that_swallows_packets_leaves_time_for_the_next(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  swallower s = swallow_at(f->port);
  (void)state;
  d->options.handshake_timeout_ms = 2000;
  set_addresses("127.0.0.2", "127.0.0.1", NULL);
  dial_name(d, "many.test", f->port);
  UNTIL(d, f, d->opened == 1);
  swallower_free(&s);
  dialler_free(d);
  fixture_free(f);
}

static void a_server_that_cannot_be_reached_in_time_is_told(void **state) {
  fixture *f = fixture_started();
  dialler *d = dialler_new();
  swallower s = swallow_at(f->port);
  (void)state;
  d->options.handshake_timeout_ms = 100;
  set_addresses("127.0.0.2", NULL, NULL);
  dial_name(d, "many.test", f->port);
  expect_end(d, f, 1006, "", "the server could not be reached in time");
  swallower_free(&s);
  dialler_free(d);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_is_looked_up),
      cmocka_unit_test(a_name_that_nobody_has_is_told),
      cmocka_unit_test(the_loop_goes_on_while_a_name_is_looked_up),
      cmocka_unit_test(the_answer_wakes_a_sleeping_loop),
      cmocka_unit_test(a_lookup_that_takes_too_long_is_given_up),
      cmocka_unit_test(a_lookup_may_outlive_its_connection_and_its_net),
      cmocka_unit_test(too_many_lookups_at_once_are_refused),
      cmocka_unit_test(addresses_are_tried_in_turn),
      cmocka_unit_test(where_no_address_answers_the_last_one_says_why),
      cmocka_unit_test(an_address_that_swallows_packets_leaves_time_for_the_next),
      cmocka_unit_test(a_server_that_cannot_be_reached_in_time_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
