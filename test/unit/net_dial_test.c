/* Tests of dialled connections against our own server, over loopback sockets. */
#include "dial_fixture.h"

static void a_message_is_echoed(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dialler_opened_to(f);
  assert_string_equal(f->last_path, "/ws");
  assert_string_equal(f->last_query, "token=t%20k");
  dialler_say(d, "hello");
  UNTIL(d, f, d->messages == 1);
  assert_string_equal(d->last, "hello");
  sdb_net_close(d->conn, 4001, sdb_slice_of("bye"));
  expect_end(d, f, 4001, "", "");
  UNTIL(d, f, f->closed == 1);
  assert_int_equal(sdb_net_connections(d->net), 0);
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
  dialler_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_echoed),
      cmocka_unit_test(a_refused_connection_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
