/* test/unit/server_identity_test.c: who a device is, when the application says so by mail, and
 * later.
 */
#include "mailbox_fixture.h"

#define TOKEN_HELLO                                                                                \
  "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"token\":\"of the hello\"}}"

static int setup_by_mail(void **state) {
  sdb_mailbox_options mail = SDB_MAILBOX_OPTIONS_INIT;
  fixture *f = begin(mail);
  sdb_database_options options = options_of(f, "db.sqlite");
  options.server.dev_auth = false;
  options.server.authenticate_by_mail = true;
  options.server.hello_timeout_ms = 1000;
  if (sdb_database_open(&options, &f->database, NULL) != SDB_OK) return -1;
  if (sdb_listen(f->database, "127.0.0.1", 0, &f->port, NULL) != SDB_OK) return -1;
  *state = f;
  return 0;
}

static void identify(fixture *f, uint64_t ticket, const char *user, uint64_t expires_ms) {
  sdb_mail_answer one = {.ticket = ticket,
      .status = user ? SDB_OK : SDB_UNAUTHORIZED,
      .user = sdb_slice_of(user),
      .expires_ms = expires_ms};
  assert_int_equal(sdb_mailbox_answer(f->mailbox, &one, 1), SDB_OK);
}

static void the_application_sees_the_request_and_the_hello_waits_for_its_answer(void **state) {
  fixture *f = *state;
  device *d = open_device(f->port, "room/7?token=of%20the%20query&x=1", "Cookie: session=abc\r\n");
  send_text(d, HELLO);
  push_note(d, "behind the hello", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
  assert_string_equal(mail->token.data, "of the query");
  assert_string_equal(mail->remote.data, "127.0.0.1");
  assert_int_equal(
      strncmp(mail->head.data, "GET /room/7?token=of%20the%20query&x=1 HTTP/1.1\r\n", 48), 0);
  assert_non_null(strstr(mail->head.data, "\r\nCookie: session=abc\r\n"));
  assert_string_equal(mail->head.data + mail->head.size - 4, "\r\n\r\n");
  assert_true(mail->ticket > 0 && mail->ticket < (uint64_t)1 << 53);
  identify(f, mail->ticket, "ada", 0);
  identify(f, mail->ticket, "bob", 0); /* answered before */
  sdb_mail_free(mail);
  receive_with(d, "\"server_hello\"");
  receive_with(d, "behind the hello");
  mail = done_of(
      f, (sdb_job){.kind = SDB_JOB_LIST, .user = TEXT("ada"), .store = f->note, .limit = 10});
  assert_int_equal(mail->records->count, 1);
  sdb_mail_free(mail);
  disconnect(d);
}

static void a_device_without_a_token_is_asked_about_too(void **state) {
  fixture *f = *state;
  device *d = open_device(f->port, "", "Cookie: session=abc\r\n");
  send_text(d, HELLO);
  sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
  assert_int_equal(mail->token.size, 0);
  assert_non_null(strstr(mail->head.data, "session=abc"));
  identify(f, mail->ticket, "ada", 0);
  sdb_mail_free(mail);
  receive_with(d, "\"synced\"");
  disconnect(d);
}

static void the_token_of_the_hello_goes_before_that_of_the_request(void **state) {
  fixture *f = *state;
  device *d = open_device(f->port, "?token=q", "");
  send_text(d, TOKEN_HELLO);
  sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
  assert_string_equal(mail->token.data, "of the hello");
  identify(f, mail->ticket, "ada", 0);
  sdb_mail_free(mail);
  receive_with(d, "\"synced\"");
  assert_null(sdb_mailbox_take(f->mailbox, 10));
  disconnect(d);
}

static void who_is_refused_or_no_name_or_expired_is_closed_with_4401(void **state) {
  fixture *f = *state;
  char lengthy[300];
  memset(lengthy, 'x', sizeof(lengthy));
  lengthy[sizeof(lengthy) - 1] = 0;
  const char *users[] = {NULL, "", "\xff", lengthy, "ada"};
  for (size_t i = 0; i < 5; i++) {
    device *d = open_device(f->port, "?token=q", "");
    send_text(d, HELLO);
    sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
    identify(f, mail->ticket, users[i], i == 4 ? 1 : 0);
    sdb_mail_free(mail);
    assert_int_equal(receive_close(d), 4401);
    disconnect(d);
  }
}

static void a_token_that_is_shown_later_is_asked_about_with_the_same_request(void **state) {
  fixture *f = *state;
  const char *users[] = {"ada", "bob"};
  for (int i = 0; i < 2; i++) {
    device *d = open_device(f->port, "?token=q", "");
    send_text(d, HELLO);
    sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
    identify(f, mail->ticket, "ada", (uint64_t)4000000000000);
    sdb_mail_free(mail);
    receive_with(d, "\"synced\"");
    send_text(d, "{\"type\":\"auth\",\"data\":{\"token\":\"renewed\"}}");
    mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
    assert_string_equal(mail->token.data, "renewed");
    assert_non_null(strstr(mail->head.data, "?token=q"));
    identify(f, mail->ticket, users[i], 0);
    sdb_mail_free(mail);
    if (i == 0) {
      push_note(d, "still here", 1);
      receive_with(d, "still here");
    } else {
      assert_int_equal(receive_close(d), 4401);
    }
    disconnect(d);
  }
}

static void without_an_answer_in_time_the_device_is_told_to_come_again(void **state) {
  fixture *f = *state;
  device *d = open_device(f->port, "?token=q", "");
  send_text(d, HELLO);
  sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
  assert_int_equal(receive_close(d), 1013);
  identify(f, mail->ticket, "ada", 0); /* too late */
  sdb_mail_free(mail);
  disconnect(d);
}

static void a_device_that_is_gone_before_the_answer_leaves_nothing(void **state) {
  fixture *f = *state;
  device *d = open_device(f->port, "?token=q", "");
  send_text(d, HELLO);
  sdb_mail *mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
  uint64_t ticket = mail->ticket;
  sdb_mail_free(mail);
  disconnect(d);
  for (int i = 0; i < 3; i++) { /* others come, maybe in its place of the table */
    d = open_device(f->port, "?token=q", "");
    send_text(d, HELLO);
    mail = next_mail(f, SDB_MAIL_AUTHENTICATE);
    identify(f, ticket, "bob", 0);
    identify(f, mail->ticket, "ada", 0);
    sdb_mail_free(mail);
    receive_with(d, "\"synced\"");
    disconnect(d);
  }
}

static void it_needs_a_mailbox_and_no_other_way(void **state) {
  fixture *f = *state;
  sdb_database *database = NULL;
  sdb_error error;
  sdb_database_options options = options_of(f, "second.sqlite");
  options.mailbox = NULL;
  options.server.dev_auth = false;
  options.server.authenticate_by_mail = true;
  assert_int_equal(sdb_database_open(&options, &database, &error), SDB_INVALID_ARGUMENT);
  assert_non_null(strstr(error.message, "mailbox"));
  sdb_mailbox *mailbox = NULL;
  sdb_mailbox_options mail = {.size = sizeof(mail), .notify = count_notification};
  mail.notify_context = f;
  assert_int_equal(sdb_mailbox_create(&mail, &mailbox), SDB_OK);
  options.mailbox = mailbox;
  options.server.dev_auth = true;
  assert_int_equal(sdb_database_open(&options, &database, &error), SDB_OK);
  assert_int_equal(sdb_listen(database, "127.0.0.1", 0, NULL, &error), SDB_UNAUTHORIZED);
  sdb_database_close(database);
  sdb_mailbox_destroy(mailbox);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_by_mail, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_application_sees_the_request_and_the_hello_waits_for_its_answer),
      TEST(a_device_without_a_token_is_asked_about_too),
      TEST(the_token_of_the_hello_goes_before_that_of_the_request),
      TEST(who_is_refused_or_no_name_or_expired_is_closed_with_4401),
      TEST(a_token_that_is_shown_later_is_asked_about_with_the_same_request),
      TEST(without_an_answer_in_time_the_device_is_told_to_come_again),
      TEST(a_device_that_is_gone_before_the_answer_leaves_nothing),
      TEST(it_needs_a_mailbox_and_no_other_way),
  };
  return cmocka_run_group_tests_name("server_identity", tests, NULL, NULL);
}
