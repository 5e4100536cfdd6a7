/* Tests of net over loopback sockets: HTTP requests, origins, listening. */
#include "net_fixture.h"

/* Sends a request; the whole response must begin and end so, and the connection end. */
static void expect_response(fixture *f, const char *request, const char *begins, const char *ends) {
  client *c = client_connect(f);
  client_text(c, request);
  PUMP_UNTIL(f, c->ended || (client_read(c) && false));
  c->in[c->in_size] = 0;
  size_t size = strlen(ends);
  if (memcmp(c->in, begins, strlen(begins)) != 0 || c->in_size < size ||
      strcmp(c->in + c->in_size - size, ends) != 0)
    fail_msg("%s\ngot %s", request, c->in);
  assert_non_null(strstr(c->in, "Connection: close\r\n"));
  client_free(c);
  PUMP_UNTIL(f, sdb_net_connections(f->net) == 0);
}

static void requests_that_are_no_upgrade_are_the_owners(void **state) {
  fixture *f = fixture_started();
  (void)state;
  expect_response(
      f, "GET /healthz?x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n");
  assert_string_equal(f->last_path, "/healthz");
  expect_response(f, "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n");
  expect_response(f, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", "");
  assert_int_equal(f->requests, 3);
  assert_int_equal(f->closed, 0);
  assert_int_equal(stats_of(f).accepted, 0);
  fixture_free(f);
}

static void bad_requests_never_reach_the_owner(void **state) {
  fixture *f = fixture_started();
  (void)state;
  expect_response(f, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "");
  expect_response(f, "nonsense\n", "HTTP/1.1 400 ", "");
  expect_response(f, "\x16\x03\x01", "HTTP/1.1 400 ", "");
  expect_response(f, "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 405 ", "");
  expect_response(f,
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n\r\n",
      "HTTP/1.1 426 ", "");
  assert_int_equal(f->requests, 0);
  assert_int_equal(stats_of(f).refused_http, 5);
  fixture_free(f);
}

static void a_head_over_8_kib_is_431(void **state) {
  fixture *f = fixture_started();
  char *request = malloc(20000);
  (void)state;
  assert_non_null(request);
  int size = snprintf(request, 20000, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
  memset(request + size, 'x', 20000 - (size_t)size - 1);
  request[19999] = 0;
  expect_response(f, request, "HTTP/1.1 431 ", "");
  client *c = client_connect(f); /* the same in two parts */
  client_write(c, request, 8000);
  pump(f);
  client_write(c, request + 8000, 192);
  PUMP_UNTIL(f, c->ended || (client_read(c) && false));
  assert_memory_equal(c->in, "HTTP/1.1 431 ", 13);
  client_free(c);
  free(request);
  fixture_free(f);
}

static void a_head_of_8_kib_is_read(void **state) {
  fixture *f = fixture_started();
  char request[8193];
  (void)state;
  int size = snprintf(request, sizeof(request), "GET /healthz HTTP/1.1\r\nHost: a\r\nX: ");
  memset(request + size, 'x', sizeof(request) - (size_t)size);
  memcpy(request + 8192 - 4, "\r\n\r\n", 5);
  expect_response(f, request, "HTTP/1.1 200 ", "\r\n\r\nok\n");
  fixture_free(f);
}

static void expect_origin(fixture *f, const char *origin, bool allowed) {
  char headers[256], head[1024];
  client *c = client_connect(f);
  snprintf(headers, sizeof(headers), "Origin: %s\r\n", origin);
  client_upgrade(c, headers, head);
  if (memcmp(head, allowed ? "HTTP/1.1 101 " : "HTTP/1.1 403 ", 13) != 0)
    fail_msg("%s: %s", origin, head);
  client_free(c);
  PUMP_UNTIL(f, sdb_net_connections(f->net) == 0);
}

static void without_a_list_only_the_same_host_is_an_origin(void **state) {
  fixture *f = fixture_started();
  (void)state;
  expect_origin(f, "http://localhost", true);
  expect_origin(f, "https://localhost", true);
  expect_origin(f, "http://localhost:81", false);
  expect_origin(f, "http://evil.example", false);
  expect_origin(f, "null", false);
  assert_int_equal(stats_of(f).refused_origin, 3);
  assert_int_equal(f->requests, 2);
  fixture_free(f);
}

static void with_a_list_only_what_it_names_is_an_origin(void **state) {
  static const char *const ORIGINS[] = {"https://app.example", "http://localhost:5173"};
  fixture *f = fixture_new();
  (void)state;
  f->options.origins = ORIGINS;
  f->options.origins_count = 2;
  fixture_start(f);
  expect_origin(f, "https://app.example", true);
  expect_origin(f, "http://localhost:5173", true);
  expect_origin(f, "http://app.example", false);
  expect_origin(f, "http://localhost", false);
  fixture_free(f);
}

static void a_star_allows_every_origin(void **state) {
  static const char *const ORIGINS[] = {"*"};
  fixture *f = fixture_new();
  (void)state;
  f->options.origins = ORIGINS;
  f->options.origins_count = 1;
  fixture_start(f);
  expect_origin(f, "http://evil.example", true);
  expect_origin(f, "null", true);
  fixture_free(f);
}

static void the_owner_may_refuse_an_upgrade(void **state) {
  fixture *f = fixture_started();
  (void)state;
  expect_response(f,
      "GET /elsewhere HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      "HTTP/1.1 404 ", "");
  assert_int_equal(f->closed, 0);
  fixture_free(f);
}

static void the_subprotocol_is_chosen_when_offered(void **state) {
  fixture *f = fixture_started();
  char head[1024];
  (void)state;
  client *with = client_connect(f), *without = client_connect(f);
  client_upgrade(with, "Sec-WebSocket-Protocol: x, syncdb.v1\r\n", head);
  assert_non_null(strstr(head, "\r\nSec-WebSocket-Protocol: syncdb.v1\r\n"));
  assert_non_null(strstr(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  client_upgrade(without, "Sec-WebSocket-Protocol: x\r\n", head);
  assert_memory_equal(head, "HTTP/1.1 101 ", 13);
  assert_null(strstr(head, "Sec-WebSocket-Protocol"));
  client_free(with);
  client_free(without);
  fixture_free(f);
}

static void listening_fails_with_a_reason(void **state) {
  fixture *f = fixture_started();
  sdb_error error;
  (void)state;
  assert_int_equal(sdb_net_listen(f->net, "localhost", 0, NULL, &error), SDB_INVALID_ARGUMENT);
  assert_string_equal(error.message, "not an IPv4 or IPv6 address: localhost");
  assert_int_equal(sdb_net_listen(f->net, "127.0.0.1", f->port, NULL, &error), SDB_IO);
  assert_string_equal(error.message, "cannot listen on 127.0.0.1: Address already in use");
  assert_int_equal(sdb_net_listen(f->net, "203.0.113.1", 0, NULL, &error), SDB_IO);
  fixture_free(f);
}

static void ipv6_is_listened_on_beside_ipv4(void **state) {
  fixture *f = fixture_started();
  sdb_error error;
  uint16_t port;
  (void)state;
  if (sdb_net_listen(f->net, "::1", 0, &port, &error) != SDB_OK) {
    fixture_free(f);
    skip(); /* a machine without IPv6 */
  }
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 to = {
      .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
  assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
  PUMP_UNTIL(f, f->requests == 1);
  assert_string_equal(f->last_remote, "::1");
  close(fd);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_that_are_no_upgrade_are_the_owners),
      cmocka_unit_test(bad_requests_never_reach_the_owner),
      cmocka_unit_test(a_head_over_8_kib_is_431),
      cmocka_unit_test(a_head_of_8_kib_is_read),
      cmocka_unit_test(without_a_list_only_the_same_host_is_an_origin),
      cmocka_unit_test(with_a_list_only_what_it_names_is_an_origin),
      cmocka_unit_test(a_star_allows_every_origin),
      cmocka_unit_test(the_owner_may_refuse_an_upgrade),
      cmocka_unit_test(the_subprotocol_is_chosen_when_offered),
      cmocka_unit_test(listening_fails_with_a_reason),
      cmocka_unit_test(ipv6_is_listened_on_beside_ipv4),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
