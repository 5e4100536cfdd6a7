/* test/unit/server_judge_test.c: rules that only the application can run: verdicts by mail, with
 * devices over real sockets.
 */
#include "mailbox_fixture.h"

static int setup_judging(void **state) {
  sdb_mailbox_options options = SDB_MAILBOX_OPTIONS_INIT;
  if (setup_with(state, options) != 0) return -1;
  fixture *f = *state;
  if (sdb_mailbox_judge(f->mailbox, f->note, NULL) != SDB_OK) return -1;
  return sdb_mailbox_judge(f->mailbox, f->account, NULL) == SDB_OK ? 0 : -1;
}

static int setup_impatient(void **state) {
  sdb_mailbox_options options = SDB_MAILBOX_OPTIONS_INIT;
  options.judge_timeout_ms = 50;
  if (setup_with(state, options) != 0) return -1;
  fixture *f = *state;
  return sdb_mailbox_judge(f->mailbox, f->note, NULL) == SDB_OK ? 0 : -1;
}

static sdb_mail_answer refusal(uint64_t ticket, const char *message) {
  return (sdb_mail_answer){.ticket = ticket,
      .status = SDB_REJECTED,
      .message = sdb_slice_of(message),
      .path = sdb_slice_of("/text")};
}

static void a_change_is_shown_and_stored_when_the_answer_is_yes(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  push_note(d, "hi", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_JUDGE);
  assert_ptr_equal(mail->store, f->note);
  assert_int_equal(mail->action, SDB_ACTION_CREATE);
  assert_string_equal(mail->user.data, "ada");
  assert_non_null(strstr(mail->object.data, "\"text\":\"hi\""));
  assert_true(mail->ticket > 0 && mail->ticket < (uint64_t)1 << 53);
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  char id[37];
  event_id(d, id);
  remove_object(d, "note", id, 2);
  mail = next_mail(f, SDB_MAIL_JUDGE);
  assert_int_equal(mail->action, SDB_ACTION_DELETE);
  assert_non_null(strstr(mail->object.data, "\"text\":\"hi\""));
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  receive_with(d, "\"remove\"");
  disconnect(d);
}

static void a_refusal_reaches_the_device_and_nothing_is_stored(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  char lengthy[400];
  memset(lengthy, 'x', sizeof(lengthy));
  lengthy[sizeof(lengthy) - 1] = 0;
  const char *messages[] = {"Only user messages can be created!", lengthy, ""};
  for (int i = 0; i < 3; i++) {
    push_note(d, "hi", i);
    sdb_mail *mail = next_mail(f, SDB_MAIL_JUDGE);
    sdb_mail_answer no = refusal(mail->ticket, messages[i]);
    assert_int_equal(sdb_mailbox_answer(f->mailbox, &no, 1), SDB_OK);
    sdb_mail_free(mail);
    const char *error = receive_with(d, "\"rejected\"");
    assert_non_null(strstr(error, "\"path\":\"/text\""));
    if (i == 0) assert_non_null(strstr(error, messages[0]));
    if (i == 1) assert_non_null(strstr(error, "xxxxxxxx\"")); /* cut, and well formed */
    if (i == 2) assert_non_null(strstr(error, sdb_status_text(SDB_REJECTED)));
  }
  sdb_mail *mail = done_of(
      f, (sdb_job){.kind = SDB_JOB_LIST, .user = TEXT("ada"), .store = f->note, .limit = 10});
  assert_int_equal(mail->records->count, 0);
  sdb_mail_free(mail);
  disconnect(d);
}

static void many_changes_are_judged_in_one_batch_and_stored_in_order(void **state) {
  fixture *f = *state;
  enum { PUSHES = 200 };
  device *d = connect_device(f->port, "ada");
  for (int i = 0; i < PUSHES; i++)
    push_note(d, "hi", i);
  uint64_t tickets[PUSHES];
  for (int count = 0; count < PUSHES;) {
    sdb_mail *batch = wait_for_batch(f, 1000);
    for (sdb_mail *mail = batch; mail; mail = mail->next)
      tickets[count++] = mail->ticket;
    sdb_mail_free(batch);
  }
  sdb_mail_answer answers[PUSHES]; /* the last first, and each third is refused */
  for (int i = 0; i < PUSHES; i++) {
    answers[i] = (sdb_mail_answer){.ticket = tickets[PUSHES - 1 - i], .status = SDB_OK};
    if ((PUSHES - 1 - i) % 3 == 2) answers[i] = refusal(answers[i].ticket, "no");
  }
  assert_int_equal(sdb_mailbox_answer(f->mailbox, answers, PUSHES), SDB_OK);
  int stored = 0, refused = 0;
  while (stored + refused < PUSHES) {
    const char *message = receive_with(d, "\"clientId\"");
    char expected[64];
    snprintf(expected, sizeof(expected), "8000-%012d\"", stored + stored / 2);
    if (strstr(message, "\"error\""))
      refused++;
    else if (strstr(message, expected))
      stored++;
    else
      fail_msg("out of order: %s", message);
  }
  assert_int_equal(refused, PUSHES / 3);
  disconnect(d);
}

static void without_an_answer_in_time_a_change_is_unavailable(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada"), *other = connect_device(f->port, "bob");
  push_note(d, "hi", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_JUDGE);
  push_account(other, "Bob", 2);
  receive_with(other, "Bob");
  receive_with(d, "\"unavailable\"");
  answer(f, mail->ticket); /* too late */
  sdb_mail_free(mail);
  push_account(d, "Ada", 3);
  receive_with(d, "Ada");
  disconnect(d);
  disconnect(other);
}

static void a_judged_change_is_told_to_subscribers_after_it_is_stored(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_OK);
  device *d = connect_device(f->port, "ada");
  push_note(d, "hi", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_JUDGE);
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  mail = next_mail(f, SDB_MAIL_EVENTS);
  assert_int_equal(mail->events_count, 1);
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  disconnect(d);
}

static void closing_with_changes_unjudged_says_nothing_of_them(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  push_note(d, "hi", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_JUDGE);
  sdb_database_close(f->database);
  f->database = NULL;
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  unsigned char head[2];
  for (read_exactly(d, head, 2); head[0] != 0x88; read_exactly(d, head, 2)) {
    assert_true(head[0] == 0x81 && head[1] < 126);
    read_exactly(d, d->message, head[1]); /* the rest of the catch-up, and nothing else */
    d->message[head[1]] = 0;
    assert_non_null(strstr(d->message, "\"synced\""));
  }
  disconnect(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_judging, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_change_is_shown_and_stored_when_the_answer_is_yes),
      TEST(a_refusal_reaches_the_device_and_nothing_is_stored),
      TEST(many_changes_are_judged_in_one_batch_and_stored_in_order),
      cmocka_unit_test_setup_teardown(
          without_an_answer_in_time_a_change_is_unavailable, setup_impatient, teardown),
      TEST(a_judged_change_is_told_to_subscribers_after_it_is_stored),
      TEST(closing_with_changes_unjudged_says_nothing_of_them),
  };
  return cmocka_run_group_tests_name("server_judge", tests, NULL, NULL);
}
