/* Tests of dialled connections over TLS, with certificates that are made here. */
#include "names.h"
#include "raw_server.h"
#include "tls_files.h"
#include <openssl/err.h>
#include <pthread.h>

static struct { char directory[64], key[96], cert[96], other[96], expired[96]; } files;

static void path_of(char *to, const char *name) {
  snprintf(to, 96, "%s/%s.pem", files.directory, name);
}

static int make_files(void **state) {
  (void)state;
  snprintf(files.directory, sizeof(files.directory), "/tmp/syncdb-dial-XXXXXX");
  assert_non_null(mkdtemp(files.directory));
  path_of(files.key, "key");
  path_of(files.cert, "cert");
  path_of(files.other, "other");
  path_of(files.expired, "expired");
  EVP_PKEY *key = write_key(files.key);
  write_cert(files.cert, key, "IP:127.0.0.1,DNS:here.test", 7200);
  write_cert(files.other, key, "DNS:other.example,IP:127.0.0.2", 7200);
  write_cert(files.expired, key, "IP:127.0.0.1", 1800);
  EVP_PKEY_free(key);
  return 0;
}

static int remove_files(void **state) {
  (void)state;
  unlink(files.key);
  unlink(files.cert);
  unlink(files.other);
  unlink(files.expired);
  rmdir(files.directory);
  return 0;
}

static fixture *server_with(const char *cert) {
  fixture *f = fixture_new();
  f->options.tls_cert = cert;
  f->options.tls_key = files.key;
  fixture_start(f);
  return f;
}

/* Dials a server whose certificate is trusted. */
static dialler *dial_trusting(fixture *f) {
  dialler *d = dialler_new();
  d->dial.tls_ca = files.cert;
  dialler_dial_port(d, "wss", f->port);
  return d;
}

static void a_trusted_certificate_is_accepted(void **state) {
  fixture *f = server_with(files.cert);
  (void)state;
  dialler *d = dial_trusting(f);
  UNTIL(d, f, d->opened == 1);
  dialler_say(d, "hello");
  UNTIL(d, f, d->messages == 1);
  dialler_say(d, "close 4401");
  expect_end(d, f, 4401, "as asked", "");
  UNTIL(d, f, f->closed == 1);
  assert_int_equal(ERR_peek_error(), 0);
  dialler_free(d);
  fixture_free(f);
}

static void a_name_is_verified_as_such(void **state) {
  static const char *const HOSTS[] = {"here.test", "HERE.test", "here.test."};
  fixture *f = server_with(files.cert);
  char url[64];
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(HOSTS); i++) {
    dialler *d = dialler_new();
    d->dial.tls_ca = files.cert;
    snprintf(url, sizeof(url), "wss://%s:%u/ws", HOSTS[i], f->port);
    dialler_dial(d, url);
    UNTIL(d, f, d->opened == 1);
    dialler_free(d);
  }
  fixture_free(f);
}

/* Dials with this trust; it must end so. */
static void expect_tls_failure(
    const char *host, const char *cert, const char *ca, const char *problem) {
  fixture *f = server_with(cert);
  dialler *d = dialler_new();
  char url[64];
  d->dial.tls_ca = ca;
  snprintf(url, sizeof(url), "wss://%s:%u/ws", host, f->port);
  dialler_dial(d, url);
  expect_end(d, f, 1006, "", problem);
  assert_int_equal(d->opened, 0);
  assert_int_equal(f->requests, 0);
  assert_int_equal(ERR_peek_error(), 0);
  dialler_free(d);
  fixture_free(f);
}

static void a_certificate_of_another_host_is_refused(void **state) {
  (void)state;
  expect_tls_failure("127.0.0.1", files.other, files.other, "TLS failed: IP address mismatch");
  expect_tls_failure("here.test", files.other, files.other, "TLS failed: hostname mismatch");
}

static void a_certificate_that_nobody_trusts_is_refused(void **state) {
  (void)state;
  expect_tls_failure("127.0.0.1", files.cert, NULL, "TLS failed: self-signed certificate");
  expect_tls_failure("127.0.0.1", files.cert, files.other, "TLS failed: ");
  expect_tls_failure(
      "127.0.0.1", files.expired, files.expired, "TLS failed: certificate has expired");
}

static void the_systems_trust_is_kept_for_the_next_dial(void **state) {
  fixture *f = server_with(files.cert);
  dialler *d = dialler_new();
  (void)state;
  for (size_t i = 1; i <= 3; i++) {
    dialler_dial_port(d, "wss", f->port);
    UNTIL(d, f, d->closed == i);
    assert_string_equal(d->problem, "TLS failed: self-signed certificate");
  }
  d->dial.tls_ca = files.cert; /* and only for those who asked for it */
  dialler_dial_port(d, "wss", f->port);
  UNTIL(d, f, d->opened == 1);
  dialler_free(d);
  fixture_free(f);
}

static void with_tls_insecure_any_certificate_does(void **state) {
  const char *certs[] = {files.cert, files.other, files.expired};
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(certs); i++) {
    fixture *f = server_with(certs[i]);
    dialler *d = dialler_new();
    d->dial.tls_insecure = true;
    dialler_dial_port(d, "wss", f->port);
    UNTIL(d, f, d->opened == 1);
    sdb_net_destroy(f->net);
    f->net = NULL;
    UNTIL(d, NULL, d->closed == 1);
    assert_null(strstr(d->problem, "certificate")); /* that was not the reason */
    dialler_free(d);
    fixture_free(f);
  }
}

static void a_ca_file_that_cannot_be_read_is_no_dial(void **state) {
  dialler *d = dialler_new();
  sdb_error error;
  (void)state;
  assert_int_equal(sdb_net_create(&d->options, &d->net, &error), SDB_OK);
  assert_int_equal(sdb_net_target_parse("wss://127.0.0.1:1", &d->target, &error), SDB_OK);
  d->dial.tls_ca = "/nowhere/ca.pem";
  assert_int_equal(sdb_net_dial(d->net, &d->dial, &d->conn, &error), SDB_IO);
  assert_string_equal(
      error.message, "cannot use the CA file /nowhere/ca.pem: No such file or directory");
  d->dial.tls_ca = files.key;
  assert_int_equal(sdb_net_dial(d->net, &d->dial, &d->conn, &error), SDB_IO);
  assert_int_equal(sdb_net_connections(d->net), 0);
  assert_int_equal(ERR_peek_error(), 0);
  dialler_free(d);
}

static void large_messages_go_both_ways(void **state) {
  fixture *f = server_with(files.cert);
  size_t size = 1024 * 1024;
  char *text = malloc(size);
  (void)state;
  assert_non_null(text);
  for (size_t i = 0; i < size; i++)
    text[i] = (char)('a' + i % 26);
  dialler *d = dial_trusting(f);
  UNTIL(d, f, d->opened == 1);
  for (size_t i = 0; i < 3; i++) {
    sdb_net_send_text(d->conn, sdb_slice_make(text, size));
    UNTIL(d, f, d->messages == i + 1);
    assert_int_equal(d->last_size, size);
    assert_memory_equal(d->last, text, size);
  }
  free(text);
  dialler_free(d);
  fixture_free(f);
}

static void *run_server(void *context) {
  sdb_net_run(((fixture *)context)->net);
  return NULL;
}

static void a_server_on_another_thread_echoes(void **state) {
  fixture *f = server_with(files.cert);
  pthread_t thread;
  (void)state;
  f->stop_after_turn = false;
  dialler *d = dial_trusting(f);
  assert_int_equal(pthread_create(&thread, NULL, run_server, f), 0);
  UNTIL(d, NULL, d->opened == 1);
  for (size_t i = 0; i < 100; i++) {
    dialler_say(d, "hello");
    UNTIL(d, NULL, d->messages == i + 1);
  }
  sdb_net_stop(f->net);
  pthread_join(thread, NULL);
  dialler_free(d);
  fixture_free(f);
}

/* ---- servers that do not speak TLS, or not to the end ---- */

static void a_server_without_tls_is_told(void **state) {
  fixture *f = fixture_started();
  (void)state;
  dialler *d = dial_trusting(f);
  expect_end(d, f, 1006, "", "TLS failed: ");
  dialler_free(d);
  fixture_free(f);
}

static void a_server_that_wants_tls_is_told(void **state) {
  fixture *f = server_with(files.cert);
  (void)state;
  dialler *d = dialler_new();
  dialler_dial_port(d, "ws", f->port);
  expect_end(d, f, 1006, "", "the server");
  dialler_free(d);
  fixture_free(f);
}

static void a_server_that_hangs_up_in_the_handshake_is_told(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  dialler_dial_port(d, "wss", r->port);
  UNTIL(d, NULL, raw_accepted(r));
  UNTIL(d, NULL, r->in_size > 5 || raw_read(r));
  raw_hang_up(r);
  expect_end(d, NULL, 1006, "", "TLS failed");
  raw_free(r);
  dialler_free(d);
}

/* The loop must sleep meanwhile: a request that waits for TLS is not one for a socket that is full.
 */
static size_t turns;

static void count_turn(void *context) {
  dialler *d = context;
  turns++;
  if (d->closed) sdb_net_stop(d->net);
}

static void a_handshake_that_stalls_times_out_asleep(void **state) {
  dialler *d = dialler_new();
  raw *r = raw_listen();
  (void)state;
  d->options.handshake_timeout_ms = 300;
  d->options.handler.turn_end = count_turn;
  turns = 0;
  dialler_dial_port(d, "wss", r->port);
  sdb_net_run(d->net);
  assert_int_equal(d->closed, 1);
  assert_string_equal(d->problem, "TLS was not agreed on in time");
  assert_true(turns < 20);
  raw_free(r);
  dialler_free(d);
}

static void destroying_the_net_in_a_handshake_ends_it(void **state) {
  (void)state;
  for (size_t count = 0; count < 8; count++) {
    fixture *f = server_with(files.cert);
    dialler *d = dial_trusting(f);
    for (size_t i = 0; i < count; i++) {
      pump_dialler(d);
      pump(f);
    }
    sdb_net_destroy(d->net);
    d->net = NULL;
    assert_int_equal(d->closed, 1);
    assert_int_equal(d->code, 1006);
    dialler_free(d);
    fixture_free(f);
  }
}

/* ---- the hello ---- */

typedef struct hello {
  char name[64];
  bool http_11;
} hello;

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned size, void *context) {
  hello *h = context;
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  snprintf(h->name, sizeof(h->name), "%s", name ? name : "");
  h->http_11 = size == 9 && memcmp(offered, "\x08http/1.1", 9) == 0;
  *out = offered + 1;
  *out_size = offered[0];
  return SSL_TLSEXT_ERR_OK;
}

/* What the client's hello to `host` says. */
static hello hello_to(const char *host) {
  hello h = {.http_11 = false};
  dialler *d = dialler_new();
  raw *r = raw_listen();
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  char url[64];
  assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, files.cert), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, files.key, SSL_FILETYPE_PEM), 1);
  SSL_CTX_set_alpn_select_cb(ctx, on_alpn, &h);
  d->dial.tls_insecure = true;
  snprintf(url, sizeof(url), "wss://%s:%u/", host, r->port);
  dialler_dial(d, url);
  UNTIL(d, NULL, raw_accepted(r));
  SSL *ssl = SSL_new(ctx);
  SSL_set_fd(ssl, r->fd);
  UNTIL(d, NULL, SSL_accept(ssl) == 1);
  SSL_free(ssl);
  SSL_CTX_free(ctx);
  ERR_clear_error();
  raw_free(r);
  dialler_free(d);
  return h;
}

static void the_hello_names_the_host_and_http_1_1(void **state) {
  (void)state;
  hello named = hello_to("here.test"), dotted = hello_to("here.test."),
        numeric = hello_to("127.0.0.1");
  assert_true(named.http_11);
  assert_string_equal(named.name, "here.test");
  assert_string_equal(dotted.name, "here.test");
  assert_string_equal(numeric.name, ""); /* RFC 6066: an address is no name */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_trusted_certificate_is_accepted),
      cmocka_unit_test(a_name_is_verified_as_such),
      cmocka_unit_test(a_certificate_of_another_host_is_refused),
      cmocka_unit_test(a_certificate_that_nobody_trusts_is_refused),
      cmocka_unit_test(the_systems_trust_is_kept_for_the_next_dial),
      cmocka_unit_test(with_tls_insecure_any_certificate_does),
      cmocka_unit_test(a_ca_file_that_cannot_be_read_is_no_dial),
      cmocka_unit_test(large_messages_go_both_ways),
      cmocka_unit_test(a_server_on_another_thread_echoes),
      cmocka_unit_test(a_server_without_tls_is_told),
      cmocka_unit_test(a_server_that_wants_tls_is_told),
      cmocka_unit_test(a_server_that_hangs_up_in_the_handshake_is_told),
      cmocka_unit_test(a_handshake_that_stalls_times_out_asleep),
      cmocka_unit_test(destroying_the_net_in_a_handshake_ends_it),
      cmocka_unit_test(the_hello_names_the_host_and_http_1_1),
  };
  return cmocka_run_group_tests(tests, make_files, remove_files);
}
