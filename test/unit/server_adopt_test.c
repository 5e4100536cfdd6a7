/* test/unit/server_adopt_test.c: ways in and out: connections that the application accepted,
 * listeners of their own, draining, and closing in time.
 */
#include "mailbox_fixture.h"
#include <fcntl.h>

/* ---- an HTTP server of the application's ---- */

typedef struct http_server {
  int listener;
  uint16_t port;
} http_server;

static http_server start_http(void) {
  http_server server = {socket(AF_INET, SOCK_STREAM, 0), 0};
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof(address);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(bind(server.listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(server.listener, 8), 0);
  assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &size), 0);
  server.port = ntohs(address.sin_port);
  return server;
}

/* A client that connected to it, and the server's end. */
static device *connect_to(const http_server *server, int *fd) {
  device *d = dial_device(server->port);
  *fd = accept(server->listener, NULL, NULL);
  assert_true(*fd >= 0);
  return d;
}

static const char UPGRADE[] = "GET /?user=ada HTTP/1.1\r\n" UPGRADE_HEADERS "\r\n";

static sdb_adoption adoption_of(int fd, const char *head) {
  sdb_adoption adoption = SDB_ADOPTION_INIT;
  adoption.fd = fd;
  adoption.head = sdb_slice_of(head);
  return adoption;
}

static void a_connection_goes_on_where_the_application_stopped_reading(void **state) {
  fixture *f = *state;
  http_server server = start_http();
  int fd;
  device *d = connect_to(&server, &fd);
  /* The first message came with the request, and half of the second. */
  char rest[512] = {(char)0x81, (char)(0x80 | (sizeof(HELLO) - 1))};
  memcpy(rest + 6, HELLO, sizeof(HELLO) - 1);
  size_t size = 6 + sizeof(HELLO) - 1;
  static const char PING[] = "{\"type\":\"ping\"}";
  char ping[32] = {(char)0x81, (char)(0x80 | (sizeof(PING) - 1))};
  memcpy(ping + 6, PING, sizeof(PING) - 1);
  memcpy(rest + size, ping, 10);
  sdb_adoption adoption = adoption_of(fd, UPGRADE);
  adoption.rest = sdb_slice_make(rest, size + 10);
  assert_int_equal(sdb_adopt(f->database, &adoption, NULL), SDB_OK);
  assert_int_equal(receive_answer(d), 101);
  send_bytes(d, ping + 10, 6 + sizeof(PING) - 1 - 10);
  receive_with(d, "\"synced\"");
  receive_with(d, "\"pong\"");
  push_note(d, "hi", 1);
  receive_with(d, "\"text\":\"hi\"");
  disconnect(d);
  close(server.listener);
}

static void one_end_of_a_socketpair_will_do(void **state) {
  fixture *f = *state;
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  sdb_adoption adoption = adoption_of(ends[0], UPGRADE);
  sdb_error error;
  assert_int_equal(sdb_adopt(f->database, &adoption, &error), SDB_UNAUTHORIZED); /* from where? */
  adoption.remote = sdb_slice_of("203.0.113.7");
  assert_int_equal(sdb_adopt(f->database, &adoption, &error), SDB_UNAUTHORIZED);
  assert_non_null(strstr(error.message, "203.0.113.7"));
  adoption.remote = sdb_slice_of("::ffff:127.0.0.1");
  assert_int_equal(sdb_adopt(f->database, &adoption, &error), SDB_OK);
  device *d = calloc(1, sizeof(*d));
  d->fd = ends[1];
  assert_int_equal(receive_answer(d), 101);
  send_text(d, HELLO);
  receive_with(d, "\"synced\"");
  disconnect(d);
}

static void what_is_no_upgrade_gets_the_answer_that_the_port_would_give(void **state) {
  fixture *f = *state;
  http_server server = start_http();
  const struct {
    const char *head;
    int status;
  } cases[] = {
      {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200},
      {"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404},
      {"nonsense\r\n\r\n", 400},
      {"GET /?user=ada HTTP/1.1\r\n" UPGRADE_HEADERS "Origin: http://evil.example\r\n\r\n", 403},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int fd;
    device *d = connect_to(&server, &fd);
    sdb_adoption adoption = adoption_of(fd, cases[i].head);
    assert_int_equal(sdb_adopt(f->database, &adoption, NULL), SDB_OK);
    assert_int_equal(receive_answer(d), cases[i].status);
    disconnect(d);
  }
  char *lengthy = calloc(1, 20000);
  memset(lengthy, 'x', 19990);
  strcat(lengthy, "\r\n\r\n");
  int fd;
  device *d = connect_to(&server, &fd);
  sdb_adoption adoption = adoption_of(fd, lengthy);
  assert_int_equal(sdb_adopt(f->database, &adoption, NULL), SDB_OK);
  assert_int_equal(receive_answer(d), 431);
  free(lengthy);
  disconnect(d);
  close(server.listener);
}

static void what_cannot_be_adopted_stays_the_callers(void **state) {
  fixture *f = *state;
  http_server server = start_http();
  int fd, pipes[2];
  device *d = connect_to(&server, &fd);
  assert_int_equal(pipe(pipes), 0);
  char *much = calloc(1, 2 << 20);
  memset(much, 'x', (2 << 20) - 5);
  memcpy(much + (2 << 20) - 5, "\r\n\r\n", 4);
  sdb_adoption cases[7];
  sdb_status statuses[7];
  for (int i = 0; i < 7; i++) {
    cases[i] = adoption_of(fd, UPGRADE);
    statuses[i] = SDB_INVALID_ARGUMENT;
  }
  cases[0].size = 3;
  cases[1].fd = -1;
  cases[2].fd = pipes[0];
  cases[3].head = TEXT("GET / HTTP/1.1\r\n");
  cases[4].remote = TEXT("somewhere");
  cases[5].head = sdb_slice_of(much);
  cases[6].rest = sdb_slice_of(much);
  statuses[5] = statuses[6] = SDB_TOO_LARGE;
  for (int i = 0; i < 7; i++)
    assert_int_equal(sdb_adopt(f->database, &cases[i], NULL), statuses[i]);
  assert_int_not_equal(fcntl(fd, F_GETFD), -1);
  sdb_adoption good = adoption_of(fd, UPGRADE);
  assert_int_equal(sdb_adopt(f->database, &good, NULL), SDB_OK);
  assert_int_equal(receive_answer(d), 101);
  free(much);
  close(pipes[0]);
  close(pipes[1]);
  disconnect(d);
  close(server.listener);
}

/* ---- listening ---- */

static int setup_without_identity(void **state) {
  sdb_mailbox_options mail = SDB_MAILBOX_OPTIONS_INIT;
  fixture *f = begin(mail);
  sdb_database_options options = options_of(f, "db.sqlite");
  options.server.dev_auth = false;
  if (sdb_database_open(&options, &f->database, NULL) != SDB_OK) return -1;
  *state = f;
  return 0;
}

static void a_listener_may_bring_dev_auth_where_no_way_was_set(void **state) {
  fixture *f = *state;
  sdb_error error;
  sdb_listen_options options = SDB_LISTEN_OPTIONS_INIT;
  options.host = "127.0.0.1";
  assert_int_equal(sdb_listen_with(f->database, &options, &f->port, &error), SDB_UNAUTHORIZED);
  options.dev_auth = true;
  options.host = "0.0.0.0";
  assert_int_equal(sdb_listen_with(f->database, &options, &f->port, &error), SDB_UNAUTHORIZED);
  options.host = "127.0.0.1";
  assert_int_equal(sdb_listen_with(f->database, &options, &f->port, &error), SDB_OK);
  disconnect(connect_device(f->port, "ada"));
  uint16_t second = 0;
  assert_int_equal(sdb_listen(f->database, "127.0.0.1", 0, &second, NULL), SDB_OK);
  assert_int_not_equal(second, f->port);
  assert_int_equal(sdb_listen(f->database, "0.0.0.0", 0, NULL, &error), SDB_UNAUTHORIZED);
}

static void half_of_tls_or_files_that_are_not_there_are_refused(void **state) {
  fixture *f = *state;
  sdb_error error;
  sdb_listen_options options = SDB_LISTEN_OPTIONS_INIT;
  options.host = "127.0.0.1";
  options.tls_cert = "/nowhere/cert.pem";
  assert_int_equal(sdb_listen_with(f->database, &options, NULL, &error), SDB_INVALID_ARGUMENT);
  options.tls_key = "/nowhere/key.pem";
  assert_int_equal(sdb_listen_with(f->database, &options, NULL, &error), SDB_IO);
  assert_non_null(strstr(error.message, "/nowhere/cert.pem"));
  options.size = 1;
  assert_int_equal(sdb_listen_with(f->database, &options, NULL, &error), SDB_INVALID_ARGUMENT);
}

static int status_of(uint16_t port, const char *path) {
  device *d = dial_device(port);
  char request[256];
  int size = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
  send_bytes(d, request, (size_t)size);
  int status = receive_answer(d);
  disconnect(d);
  return status;
}

static void a_listener_may_bring_pages_where_there_are_none(void **state) {
  fixture *f = *state;
  sdb_error error;
  char page[128];
  snprintf(page, sizeof(page), "%s/page.html", f->folder);
  FILE *file = fopen(page, "w");
  fputs("<p>hi", file);
  fclose(file);
  uint16_t port = 0;
  sdb_listen_options options = SDB_LISTEN_OPTIONS_INIT;
  options.host = "127.0.0.1";
  options.pages = "/nowhere/at/all";
  assert_int_equal(sdb_listen_with(f->database, &options, NULL, &error), SDB_IO);
  options.pages = f->folder;
  options.port = f->port; /* taken */
  assert_int_equal(sdb_listen_with(f->database, &options, NULL, &error), SDB_IO);
  assert_int_equal(status_of(f->port, "/page.html"), 404);
  options.port = 0;
  assert_int_equal(sdb_listen_with(f->database, &options, &port, &error), SDB_OK);
  assert_int_equal(status_of(port, "/page.html"), 200);
  assert_int_equal(status_of(f->port, "/page.html"), 200);
  assert_int_equal(sdb_listen_with(f->database, &options, &port, &error), SDB_CONFLICT);
}

/* ---- leaving ---- */

static void a_database_that_drains_takes_no_pushes_and_still_does_jobs(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  sdb_database_drain(f->database);
  sdb_database_drain(f->database);
  device *late = dial_device(f->port);
  send_bytes(late, UPGRADE, sizeof(UPGRADE) - 1);
  assert_int_equal(receive_answer(late), 503);
  disconnect(late);
  push_note(d, "dropped", 1);
  sdb_mail *mail = done_of(f, push_job("ada", f->note, "{\"text\":\"kept\"}", 1));
  assert_int_equal(mail->status, SDB_OK);
  sdb_mail_free(mail);
  assert_null(strstr(receive_with(d, "\"update\""), "dropped"));
  mail = done_of(
      f, (sdb_job){.kind = SDB_JOB_LIST, .user = TEXT("ada"), .store = f->note, .limit = 10});
  assert_int_equal(mail->records->count, 1);
  sdb_mail_free(mail);
  disconnect(d);
}

static void closing_waits_no_longer_than_told_for_devices_that_take_no_leave(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  push_note(d, "hi", 1);
  receive_with(d, "\"text\":\"hi\"");
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  sdb_database_close_within(f->database, 0); /* d does not answer the close frame */
  clock_gettime(CLOCK_MONOTONIC, &after);
  f->database = NULL;
  assert_true(after.tv_sec - before.tv_sec < 2); /* else it is 2 s, net's patience, at least */
  assert_int_equal(receive_close(d), 1001);
  disconnect(d);
  sdb_database_close_within(NULL, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_connection_goes_on_where_the_application_stopped_reading),
      TEST(one_end_of_a_socketpair_will_do),
      TEST(what_is_no_upgrade_gets_the_answer_that_the_port_would_give),
      TEST(what_cannot_be_adopted_stays_the_callers),
      cmocka_unit_test_setup_teardown(
          a_listener_may_bring_dev_auth_where_no_way_was_set, setup_without_identity, teardown),
      TEST(half_of_tls_or_files_that_are_not_there_are_refused),
      TEST(a_listener_may_bring_pages_where_there_are_none),
      TEST(a_database_that_drains_takes_no_pushes_and_still_does_jobs),
      TEST(closing_waits_no_longer_than_told_for_devices_that_take_no_leave),
  };
  return cmocka_run_group_tests_name("server_adopt", tests, NULL, NULL);
}
