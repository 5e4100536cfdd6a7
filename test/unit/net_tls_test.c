/* Tests of net over TLS, with a certificate that is made here. */
#include "tls_files.h"
#include <openssl/err.h>
#include <sys/stat.h>

typedef struct files {
  char directory[64], cert[96], key[96], other_key[96];
} files;

static files FILES;

static int make_files(void **state) {
  (void)state;
  strcpy(FILES.directory, "/tmp/syncdb-tls-XXXXXX");
  assert_non_null(mkdtemp(FILES.directory));
  snprintf(FILES.cert, sizeof(FILES.cert), "%s/cert.pem", FILES.directory);
  snprintf(FILES.key, sizeof(FILES.key), "%s/key.pem", FILES.directory);
  snprintf(FILES.other_key, sizeof(FILES.other_key), "%s/other.pem", FILES.directory);
  EVP_PKEY *key = write_key(FILES.key), *other = write_key(FILES.other_key);
  write_cert(FILES.cert, key, NULL, 7200);
  EVP_PKEY_free(key);
  EVP_PKEY_free(other);
  return 0;
}

static int remove_files(void **state) {
  (void)state;
  unlink(FILES.cert);
  unlink(FILES.key);
  unlink(FILES.other_key);
  rmdir(FILES.directory);
  return 0;
}

static fixture *tls_started(void) {
  fixture *f = fixture_new();
  f->options.tls_cert = FILES.cert;
  f->options.tls_key = FILES.key;
  fixture_start(f);
  return f;
}

/* Does the client's handshake; false: the server refused. */
static bool handshake(client *c, SSL_CTX *ctx) {
  c->ssl = SSL_new(ctx);
  assert_non_null(c->ssl);
  SSL_set_fd(c->ssl, c->fd);
  SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  int result = 0, error = SSL_ERROR_WANT_READ;
  while (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    result = SSL_connect(c->ssl);
    if (result == 1) return true;
    error = SSL_get_error(c->ssl, result);
    pump(c->f);
  }
  ERR_clear_error();
  return false;
}

static client *tls_connect(fixture *f) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  assert_non_null(ctx);
  client *c = client_connect(f);
  assert_true(handshake(c, ctx));
  SSL_CTX_free(ctx);
  return c;
}

static client *tls_open(fixture *f) {
  char head[1024];
  client *c = tls_connect(f);
  client_upgrade(c, "", head);
  assert_memory_equal(head, "HTTP/1.1 101 ", 13);
  return c;
}

static void a_message_is_echoed(void **state) {
  fixture *f = tls_started();
  (void)state;
  client *c = tls_open(f);
  client_say(c, "hello");
  client_expect(c, 0x81, "hello");
  client_frame(c, 0x88, "\x03\xe8", 2);
  client_expect_close(c, 1000);
  client_expect_end(c);
  client_free(c);
  PUMP_UNTIL(f, f->closed == 1);
  fixture_free(f);
}

static void many_records_in_one_read_are_echoed_in_order(void **state) {
  fixture *f = tls_started();
  char text[32];
  (void)state;
  client *c = tls_open(f);
  for (int i = 0; i < 300; i++) {
    snprintf(text, sizeof(text), "message %d", i);
    client_say(c, text);
  }
  for (int i = 0; i < 300; i++) {
    snprintf(text, sizeof(text), "message %d", i);
    client_expect(c, 0x81, text);
  }
  client_free(c);
  fixture_free(f);
}

static void more_than_one_turns_input_is_read(void **state) {
  fixture *f = tls_started();
  size_t size = 700000;
  char *text = malloc(size);
  frame got;
  (void)state;
  assert_non_null(text);
  for (size_t i = 0; i < size; i++)
    text[i] = (char)('a' + i % 26);
  client *c = tls_open(f);
  for (int i = 0; i < 3; i++) {
    client_frame(c, 0x81, text, size);
    client_next(c, &got);
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, text, size);
    free(got.data);
  }
  free(text);
  client_free(c);
  fixture_free(f);
}

static void a_reader_that_lags_gets_everything(void **state) {
  fixture *f = fixture_new();
  size_t count = 400, size = 30000;
  char *text = malloc(size);
  frame got;
  (void)state;
  assert_non_null(text);
  f->options.output_hard_bytes = 64 * 1024 * 1024;
  f->options.tls_cert = FILES.cert;
  f->options.tls_key = FILES.key;
  fixture_start(f);
  client *c = tls_open(f);
  for (size_t i = 0; i < count; i++) {
    memset(text, 'a' + (int)(i % 26), size);
    server_send(f, f->conn, text, i % 3 ? 3000 : 2000); /* copied, so joined in records */
    pump(f);
  }
  memset(text, '!', size);
  server_send(f, f->conn, text, size);
  for (size_t i = 0; i < count; i++) {
    client_next(c, &got);
    assert_int_equal(got.size, i % 3 ? 3000 : 2000);
    assert_int_equal(got.data[got.size - 1], 'a' + (int)(i % 26));
    free(got.data);
  }
  client_next(c, &got);
  assert_int_equal(got.size, size);
  free(got.data);
  free(text);
  client_free(c);
  fixture_free(f);
}

static void a_listener_may_have_tls_of_its_own_beside_a_plain_one(void **state) {
  (void)state;
  fixture *f = fixture_started();
  client *plain = client_connect(f);
  uint16_t plain_port = f->port;
  assert_int_equal(
      sdb_net_listen_with(f->net, "127.0.0.1", 0, FILES.cert, FILES.key, &f->port, NULL), SDB_OK);
  assert_int_not_equal(f->port, plain_port);
  client *secret = tls_open(f);
  client_say(secret, "over TLS");
  client_expect(secret, 0x81, "over TLS");
  char head[1024];
  client_upgrade(plain, "", head);
  client_say(plain, "in the open");
  client_expect(plain, 0x81, "in the open");
  client_free(secret);
  client_free(plain);
  PUMP_UNTIL(f, f->closed == 2);
  fixture_free(f);
}

static void requests_over_tls_are_answered(void **state) {
  fixture *f = tls_started();
  (void)state;
  client *c = tls_connect(f);
  client_text(c, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  PUMP_UNTIL(f, c->ended || (client_read(c) && false));
  c->in[c->in_size] = 0;
  assert_non_null(strstr(c->in, "\r\n\r\nok\n"));
  client_free(c);
  fixture_free(f);
}

static void alpn_is_http_1_1_or_nothing(void **state) {
  fixture *f = tls_started();
  const unsigned char *chosen;
  unsigned size;
  (void)state;
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  assert_non_null(ctx);
  SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2\x08http/1.1", 12);
  client *both = client_connect(f), *h2 = client_connect(f);
  assert_true(handshake(both, ctx));
  SSL_get0_alpn_selected(both->ssl, &chosen, &size);
  assert_int_equal(size, 8);
  assert_memory_equal(chosen, "http/1.1", 8);
  SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3);
  assert_false(handshake(h2, ctx));
  client_free(both);
  client_free(h2);
  SSL_CTX_free(ctx);
  fixture_free(f);
}

static void tls_1_1_is_refused_and_1_2_is_not(void **state) {
  fixture *f = tls_started();
  (void)state;
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  assert_non_null(ctx);
  SSL_CTX_set_security_level(ctx, 0);
  SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
  client *old = client_connect(f), *fine = client_connect(f);
  assert_false(handshake(old, ctx));
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  assert_true(handshake(fine, ctx));
  client_free(old);
  client_free(fine);
  SSL_CTX_free(ctx);
  fixture_free(f);
}

static void plain_http_on_a_tls_port_is_hung_up_on(void **state) {
  fixture *f = tls_started();
  (void)state;
  client *plain = client_connect(f), *other = tls_open(f);
  client_text(plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  PUMP_UNTIL(f, plain->ended || (client_read(plain) && false));
  assert_int_equal(f->requests, 1); /* the other's */
  client_say(other, "still here");
  client_expect(other, 0x81, "still here");
  client_free(plain);
  client_free(other);
  fixture_free(f);
}

static void a_handshake_that_stalls_times_out(void **state) {
  fixture *f = fixture_new();
  (void)state;
  f->options.tls_cert = FILES.cert;
  f->options.tls_key = FILES.key;
  f->options.handshake_timeout_ms = 20;
  fixture_start(f);
  client *c = client_connect(f);
  client_write(c, "\x16\x03\x01\x02", 4);
  client_expect_end(c);
  client_free(c);
  fixture_free(f);
}

static void a_client_that_vanishes_leaves_nothing(void **state) {
  fixture *f = tls_started();
  (void)state;
  client *c = tls_open(f);
  client_write(c, "\x81\xfe\x03\xe8maskhalf a mess", 20);
  pump(f);
  client_free(c); /* no close_notify */
  PUMP_UNTIL(f, f->closed == 1);
  assert_int_equal(ERR_peek_error(), 0);
  fixture_free(f);
}

static sdb_status create_with(const char *cert, const char *key, sdb_error *error) {
  sdb_net_options options = {
      .mem = sdb_platform_mem(), .tls_cert = cert, .tls_key = key, .message_bytes_max = 1000};
  sdb_net *net = NULL;
  sdb_status status = sdb_net_create(&options, &net, error);
  assert_null(net);
  return status;
}

static void bad_files_are_refused_with_a_reason(void **state) {
  sdb_error error;
  (void)state;
  assert_int_equal(create_with(FILES.cert, NULL, &error), SDB_INVALID_ARGUMENT);
  assert_int_equal(create_with(NULL, FILES.key, &error), SDB_INVALID_ARGUMENT);
  assert_int_equal(create_with("/nowhere/cert.pem", FILES.key, &error), SDB_IO);
  assert_string_equal(
      error.message, "cannot use the TLS certificate /nowhere/cert.pem: No such file or directory");
  assert_int_equal(create_with(FILES.cert, FILES.other_key, &error), SDB_IO);
  assert_non_null(strstr(error.message, "cannot use the TLS key "));
  assert_non_null(strstr(error.message, "key values mismatch"));
  assert_int_equal(create_with(FILES.key, FILES.key, &error), SDB_IO);
  assert_int_equal(ERR_peek_error(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_echoed),
      cmocka_unit_test(many_records_in_one_read_are_echoed_in_order),
      cmocka_unit_test(more_than_one_turns_input_is_read),
      cmocka_unit_test(a_reader_that_lags_gets_everything),
      cmocka_unit_test(a_listener_may_have_tls_of_its_own_beside_a_plain_one),
      cmocka_unit_test(requests_over_tls_are_answered),
      cmocka_unit_test(alpn_is_http_1_1_or_nothing),
      cmocka_unit_test(tls_1_1_is_refused_and_1_2_is_not),
      cmocka_unit_test(plain_http_on_a_tls_port_is_hung_up_on),
      cmocka_unit_test(a_handshake_that_stalls_times_out),
      cmocka_unit_test(a_client_that_vanishes_leaves_nothing),
      cmocka_unit_test(bad_files_are_refused_with_a_reason),
  };
  return cmocka_run_group_tests(tests, make_files, remove_files);
}
