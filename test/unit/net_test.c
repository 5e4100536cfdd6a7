/* Tests of net over loopback sockets, without TLS and compression. */
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
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(sdb_net_connections(f->net), 0);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_echoed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
