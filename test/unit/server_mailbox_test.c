/* test/unit/server_mailbox_test.c: a database whose application runs on a loop of its own: jobs and
 * events by mail, with devices over real sockets. (Verdicts: server_judge_test.c.)
 */
#include "mailbox_fixture.h"

/* ---- jobs ---- */

static void a_job_comes_back_once_with_its_tag_and_receipt(void **state) {
  fixture *f = *state;
  sdb_mail *mail = done_of(f, push_job("ada", f->note, "{\"text\":\"hi\"}", 7));
  assert_int_equal(mail->status, SDB_OK);
  assert_int_equal(mail->tag, 7);
  assert_ptr_equal(mail->store, f->note);
  assert_null(mail->error);
  sdb_uuid id = mail->receipt.id;
  assert_false(sdb_uuid_is_nil(id));
  assert_false(sdb_uuid_is_nil(mail->receipt.event_id));
  sdb_mail_free(mail);
  assert_null(sdb_mailbox_take(f->mailbox, 10));

  sdb_job update = push_job("ada", f->note, "{\"text\":\"ho\"}", 8);
  update.kind = SDB_JOB_UPDATE;
  update.id = id;
  mail = done_of(f, update);
  assert_int_equal(mail->status, SDB_OK);
  assert_true(sdb_uuid_equal(mail->receipt.id, id));
  sdb_mail_free(mail);

  mail = done_of(
      f, (sdb_job){.kind = SDB_JOB_GET, .tag = 9, .user = TEXT("ada"), .store = f->note, .id = id});
  assert_int_equal(mail->status, SDB_OK);
  assert_int_equal(mail->records->count, 1);
  assert_non_null(strstr(mail->records->records[0].object.data, "\"text\":\"ho\""));
  sdb_mail_free(mail);

  mail = done_of(
      f, (sdb_job){
             .kind = SDB_JOB_REMOVE, .tag = 10, .user = TEXT("ada"), .store = f->note, .id = id});
  assert_int_equal(mail->status, SDB_OK);
  sdb_mail_free(mail);
  mail = done_of(f,
      (sdb_job){.kind = SDB_JOB_GET, .tag = 11, .user = TEXT("ada"), .store = f->note, .id = id});
  assert_int_equal(mail->status, SDB_NOT_FOUND);
  assert_string_equal(mail->error->message, sdb_status_text(SDB_NOT_FOUND));
  assert_null(mail->records);
  sdb_mail_free(mail);
}

static void lists_and_singular_objects_come_as_records(void **state) {
  fixture *f = *state;
  sdb_mail_free(done_of(f, push_job("ada", f->note, "{\"text\":\"one\"}", 1)));
  sdb_mail_free(done_of(f, push_job("ada", f->note, "{\"text\":\"two\"}", 2)));
  sdb_mail *mail = done_of(f,
      (sdb_job){.kind = SDB_JOB_LIST, .tag = 3, .user = TEXT("ada"), .store = f->note, .limit = 1});
  assert_int_equal(mail->records->count, 1);
  assert_non_null(strstr(mail->records->records[0].object.data, "two"));
  sdb_uuid before = mail->records->records[0].event_id;
  sdb_mail_free(mail);
  mail = done_of(f, (sdb_job){.kind = SDB_JOB_LIST,
                        .tag = 4,
                        .user = TEXT("ada"),
                        .store = f->note,
                        .limit = 1000,
                        .before = before});
  assert_int_equal(mail->records->count, 1);
  assert_non_null(strstr(mail->records->records[0].object.data, "one"));
  sdb_mail_free(mail);

  sdb_job singular = {.kind = SDB_JOB_SINGULAR, .tag = 5, .user = TEXT("ada"), .store = f->account};
  mail = done_of(f, singular);
  assert_int_equal(mail->status, SDB_NOT_FOUND);
  sdb_mail_free(mail);
  sdb_mail_free(done_of(f, push_job("ada", f->account, "{\"name\":\"Ada\"}", 6)));
  mail = done_of(f, singular);
  assert_int_equal(mail->records->count, 1);
  sdb_mail_free(mail);
}

static void what_the_schema_refuses_is_told_with_its_path(void **state) {
  fixture *f = *state;
  sdb_mail *mail = done_of(f, push_job("ada", f->note, "{\"text\":5}", 1));
  assert_int_equal(mail->status, SDB_INVALID_OBJECT);
  assert_string_equal(mail->error->path, "/text");
  sdb_mail_free(mail);
  mail = done_of(f, push_job("ada", f->note, "{", 2));
  assert_int_equal(mail->status, SDB_BAD_JSON);
  sdb_mail_free(mail);
}

static void a_job_that_cannot_be_is_not_handed_in_and_those_before_it_are(void **state) {
  fixture *f = *state;
  const sdb_job good = push_job("ada", f->note, "{\"text\":\"hi\"}", 1);
  struct {
    sdb_job job;
    sdb_status status;
  } cases[] = {
      {{.kind = SDB_JOB_PUSH, .tag = 2, .user = TEXT(""), .store = f->note}, SDB_INVALID_ARGUMENT},
      {{.kind = SDB_JOB_PUSH, .tag = 2, .user = TEXT("\xff"), .store = f->note},
          SDB_INVALID_ARGUMENT},
      {{.kind = 0, .tag = 2, .user = TEXT("ada"), .store = f->note}, SDB_INVALID_ARGUMENT},
      {{.kind = SDB_JOB_PARTIAL_ABORT + 1, .tag = 2, .user = TEXT("ada"), .store = f->note},
          SDB_INVALID_ARGUMENT},
      {{.kind = SDB_JOB_LIST, .tag = 2, .user = TEXT("ada"), .store = f->note},
          SDB_INVALID_ARGUMENT},
      {{.kind = SDB_JOB_LIST, .tag = 2, .user = TEXT("ada"), .store = f->note, .limit = 1001},
          SDB_INVALID_ARGUMENT},
      {{.kind = SDB_JOB_PUSH, .tag = 2, .user = TEXT("ada"), .store = NULL}, SDB_UNKNOWN_STORE},
      {{.kind = SDB_JOB_UPDATE, .tag = 2, .user = TEXT("ada"), .store = f->note}, SDB_NOT_FOUND},
      {{.kind = SDB_JOB_REMOVE, .tag = 2, .user = TEXT("ada"), .store = f->note}, SDB_NOT_FOUND},
      {{.kind = SDB_JOB_PUSH,
           .tag = 2,
           .user = TEXT("ada"),
           .store = f->note,
           .object = {"x", SIZE_MAX}},
          SDB_LIMIT},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    sdb_job jobs[] = {good, cases[i].job, good};
    size_t taken = 9;
    sdb_error error = {0};
    assert_int_equal(sdb_mailbox_submit(f->mailbox, jobs, 3, &taken, &error), cases[i].status);
    assert_int_equal(taken, 1);
    assert_int_equal(error.status, cases[i].status);
    sdb_mail *mail = next_mail(f, SDB_MAIL_DONE);
    assert_int_equal(mail->tag, 1);
    sdb_mail_free(mail);
  }
}

static void ten_thousand_jobs_at_once_come_back_in_order(void **state) {
  fixture *f = *state;
  enum { JOBS = 10000 };
  sdb_job *jobs = calloc(JOBS, sizeof(*jobs));
  for (size_t i = 0; i < JOBS; i++)
    jobs[i] = push_job("ada", f->note, "{\"text\":\"hi\"}", i);
  assert_int_equal(sdb_mailbox_submit(f->mailbox, jobs, JOBS, NULL, NULL), SDB_OK);
  free(jobs);
  for (uint64_t i = 0; i < JOBS;) {
    sdb_mail *batch = wait_for_batch(f, 1000);
    for (sdb_mail *mail = batch; mail; mail = mail->next, i++) {
      assert_int_equal(mail->tag, i);
      assert_int_equal(mail->status, SDB_OK);
    }
    sdb_mail_free(batch);
  }
}

static void more_jobs_than_the_limit_are_refused_until_mail_is_taken(void **state) {
  fixture *f = *state;
  enum { AT_ONCE = 4096 };
  sdb_job *jobs = calloc(AT_ONCE, sizeof(*jobs));
  for (size_t i = 0; i < AT_ONCE; i++)
    jobs[i] =
        (sdb_job){.kind = SDB_JOB_SINGULAR, .tag = i, .user = TEXT("ada"), .store = f->account};
  size_t all = 0, taken = AT_ONCE;
  sdb_status status = SDB_OK;
  while (status == SDB_OK && all < 2 * SDB_JOBS_MAX) {
    status = sdb_mailbox_submit(f->mailbox, jobs, AT_ONCE, &taken, NULL);
    all += taken;
  }
  free(jobs);
  assert_int_equal(status, SDB_LIMIT);
  assert_int_equal(all, SDB_JOBS_MAX);
  sdb_job abort = {.kind = SDB_JOB_PARTIAL_ABORT, .user = TEXT("ada"), .partial = 1};
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &abort, 1, NULL, NULL), SDB_OK);
  for (int i = 0; i < 2; i++)
    sdb_mail_free(next_mail(f, SDB_MAIL_DONE));
  sdb_job one = {.kind = SDB_JOB_SINGULAR, .tag = 1, .user = TEXT("ada"), .store = f->account};
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &one, 1, NULL, NULL), SDB_OK);
}

/* ---- partials ---- */

static sdb_job partial_job(sdb_job_kind kind, uint64_t partial, const char *text) {
  sdb_job job = {.kind = kind, .tag = (uint64_t)kind, .user = TEXT("ada"), .partial = partial};
  if (kind == SDB_JOB_PARTIAL_APPEND) {
    job.field = sdb_slice_of("text");
    job.text = sdb_slice_of(text);
  } else {
    job.object = sdb_slice_of(text);
  }
  return job;
}

static void a_partial_is_named_by_a_number_from_the_moment_it_is_asked_for(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  sdb_job begin = push_job("ada", f->note, "{\"text\":\"Hel\"}", 1);
  begin.kind = SDB_JOB_PARTIAL_BEGIN;
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &begin, 1, NULL, NULL), SDB_OK);
  assert_true(begin.partial > 0 && begin.partial < (uint64_t)1 << 53);
  sdb_job append = partial_job(SDB_JOB_PARTIAL_APPEND, begin.partial, "lo");
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &append, 1, NULL, NULL), SDB_OK);
  sdb_uuid id = {{0}};
  for (int i = 0; i < 2; i++) { /* the append may come first: it waits for no id */
    sdb_mail *mail = next_mail(f, SDB_MAIL_DONE);
    assert_int_equal(mail->status, SDB_OK);
    if (mail->tag == 1) id = mail->receipt.id;
    sdb_mail_free(mail);
  }
  receive_with(d, "Hello");
  sdb_mail *mail =
      done_of(f, partial_job(SDB_JOB_PARTIAL_SET, begin.partial, "{\"text\":\"Bye\"}"));
  assert_int_equal(mail->status, SDB_OK);
  sdb_mail_free(mail);
  mail = done_of(f, partial_job(SDB_JOB_PARTIAL_COMMIT, begin.partial, ""));
  assert_int_equal(mail->status, SDB_OK);
  assert_true(sdb_uuid_equal(mail->receipt.id, id));
  sdb_mail_free(mail);
  assert_non_null(strstr(receive_with(d, "\"update\""), "Bye"));

  mail = done_of(f, partial_job(SDB_JOB_PARTIAL_APPEND, begin.partial, "?"));
  assert_int_equal(mail->status, SDB_CLOSED);
  sdb_mail_free(mail);
  disconnect(d);
}

static void a_partial_that_is_aborted_goes_from_the_devices(void **state) {
  fixture *f = *state;
  device *d = connect_device(f->port, "ada");
  sdb_job begin = push_job("ada", f->note, "{\"text\":\"Hm\"}", 1);
  begin.kind = SDB_JOB_PARTIAL_BEGIN;
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &begin, 1, NULL, NULL), SDB_OK);
  sdb_mail_free(next_mail(f, SDB_MAIL_DONE));
  receive_with(d, "Hm");
  sdb_mail_free(done_of(f, partial_job(SDB_JOB_PARTIAL_ABORT, begin.partial, "")));
  receive_with(d, "\"remove\"");
  disconnect(d);
}

/* ---- events ---- */

static void events_of_a_user_come_in_order_and_the_next_only_after_the_answer(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_OK);
  device *d = connect_device(f->port, "ada");
  push_note(d, "first", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_EVENTS);
  assert_int_equal(mail->user.size, 3);
  assert_string_equal(mail->user.data, "ada");
  assert_int_equal(mail->events_count, 1);
  assert_int_equal(mail->events[0].action, SDB_ACTION_CREATE);
  assert_ptr_equal(mail->events[0].store, f->note);
  assert_string_equal(mail->events[0].user, "ada");
  assert_int_equal(mail->events[0].client_id.bytes[15], 1);
  assert_non_null(strstr(mail->events[0].object.data, "\"$createdAt\""));
  for (int i = 2; i <= 20; i++)
    push_note(d, "later", i);
  for (int i = 1; i <= 20; i++)
    receive_with(d, "\"clientId\"");
  assert_null(sdb_mailbox_take(f->mailbox, 100)); /* that one is out still */
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  for (int number = 2; number <= 20;) {
    mail = next_mail(f, SDB_MAIL_EVENTS);
    for (size_t i = 0; i < mail->events_count; i++, number++)
      assert_int_equal(mail->events[i].client_id.bytes[15], number % 10 + number / 10 * 16);
    answer(f, mail->ticket);
    sdb_mail_free(mail);
  }
  disconnect(d);
}

static void what_was_replaced_and_removed_is_told(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->account, NULL), SDB_OK);
  device *d = connect_device(f->port, "ada");
  char id[37];
  push_account(d, "Ada", 1);
  push_account(d, "Bob", 2);
  event_id(d, id);
  remove_object(d, "account", event_id(d, id), 3);
  const sdb_action actions[] = {SDB_ACTION_CREATE, SDB_ACTION_UPDATE, SDB_ACTION_DELETE};
  const char *objects[] = {"Ada", "Bob", "Bob"};
  for (size_t seen = 0; seen < 3;) {
    sdb_mail *mail = next_mail(f, SDB_MAIL_EVENTS);
    for (size_t i = 0; i < mail->events_count; i++, seen++) {
      assert_int_equal(mail->events[i].action, actions[seen]);
      assert_non_null(strstr(mail->events[i].object.data, objects[seen]));
      if (seen == 1) assert_non_null(strstr(mail->events[i].previous.data, "Ada"));
      if (seen != 1) assert_int_equal(mail->events[i].previous.size, 0);
    }
    answer(f, mail->ticket);
    sdb_mail_free(mail);
  }
  disconnect(d);
}

static void a_user_who_is_never_answered_holds_up_nobody_else(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_OK);
  device *slow = connect_device(f->port, "slow"), *quick = connect_device(f->port, "quick");
  push_note(slow, "first", 1);
  sdb_mail_free(next_mail(f, SDB_MAIL_EVENTS));
  int stored = 1, refused = 0;
  for (int number = 2; refused == 0; number += 64) { /* 4,096 wait */
    assert_true(number < 10000);
    for (int i = 0; i < 64; i++)
      push_note(slow, "more", number + i);
    for (int i = 0; i < 64; i++)
      strstr(receive_with(slow, "\"clientId\""), "rate_limited") ? refused++ : stored++;
  }
  assert_true(stored >= 4096 && stored < 4096 + 64);
  for (int i = 1; i <= 5; i++) {
    push_note(quick, "hi", i);
    sdb_mail *mail = next_mail(f, SDB_MAIL_EVENTS);
    assert_string_equal(mail->user.data, "quick");
    answer(f, mail->ticket);
    sdb_mail_free(mail);
    receive_with(quick, "\"clientId\"");
  }
  disconnect(slow);
  disconnect(quick);
}

static void no_more_users_are_out_at_once_than_was_asked_for(void **state) {
  fixture *f = *state; /* users_at_once is 4 */
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_OK);
  device *devices[5];
  uint64_t tickets[4];
  for (int i = 0; i < 5; i++) {
    char user[16];
    snprintf(user, sizeof(user), "user%d", i);
    devices[i] = connect_device(f->port, user);
    push_note(devices[i], "hi", 1);
    receive_with(devices[i], "\"clientId\"");
  }
  for (int i = 0; i < 4; i++) {
    sdb_mail *mail = next_mail(f, SDB_MAIL_EVENTS);
    tickets[i] = mail->ticket;
    sdb_mail_free(mail);
  }
  assert_null(sdb_mailbox_take(f->mailbox, 10));
  answer(f, tickets[2]);
  sdb_mail_free(next_mail(f, SDB_MAIL_EVENTS)); /* that of the fifth */
  for (int i = 0; i < 5; i++)
    disconnect(devices[i]);
}

static void an_answer_nobody_waits_for_is_ignored(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_OK);
  device *d = connect_device(f->port, "ada");
  push_note(d, "one", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_EVENTS);
  uint64_t ticket = mail->ticket;
  sdb_mail_free(mail);
  answer(f, ticket);
  push_note(d, "two", 2);
  mail = next_mail(f, SDB_MAIL_EVENTS);
  push_note(d, "three", 3);
  receive_with(d, "three");
  answer(f, ticket); /* that of the first once more */
  answer(f, 0);
  answer(f, UINT64_MAX);
  assert_null(sdb_mailbox_take(f->mailbox, 10));
  answer(f, mail->ticket);
  sdb_mail_free(mail);
  sdb_mail_free(next_mail(f, SDB_MAIL_EVENTS));
  disconnect(d);
}

static void the_application_is_notified_once_until_it_found_nothing_more(void **state) {
  fixture *f = *state;
  int before = notifications(f);
  for (uint64_t i = 0; i < 5; i++) { /* each with a turn of its own */
    sdb_job job = push_job("ada", f->note, "{\"text\":\"hi\"}", i);
    assert_int_equal(sdb_mailbox_submit(f->mailbox, &job, 1, NULL, NULL), SDB_OK);
    wait_for_stored(f, i + 1);
  }
  assert_int_equal(notifications(f), before + 1);
  for (int i = 0; i < 5; i++)
    sdb_mail_free(next_mail(f, SDB_MAIL_DONE));
  assert_null(sdb_mailbox_take(f->mailbox, 1));
  sdb_mail_free(done_of(f, push_job("ada", f->note, "{\"text\":\"hi\"}", 6)));
  assert_int_equal(notifications(f), before + 2);
}

/* ---- the end ---- */

static void closing_waits_for_no_answer_and_leaves_the_mailbox_usable(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_OK);
  device *d = connect_device(f->port, "ada");
  push_note(d, "one", 1);
  sdb_mail *mail = next_mail(f, SDB_MAIL_EVENTS);
  sdb_job job = push_job("ada", f->note, "{\"text\":\"hi\"}", 5);
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &job, 1, NULL, NULL), SDB_OK);
  sdb_database_close(f->database);
  f->database = NULL;
  sdb_mail *done = sdb_mailbox_take(f->mailbox, 10);
  assert_non_null(done);
  assert_int_equal(done->tag, 5);
  sdb_mail_free(done);
  assert_int_equal(sdb_mailbox_submit(f->mailbox, &job, 1, NULL, NULL), SDB_CLOSED);
  assert_int_equal(sdb_mailbox_subscribe(f->mailbox, f->note, NULL), SDB_CLOSED);
  answer(f, mail->ticket);
  assert_int_equal(mail->events_count, 1);
  assert_non_null(strstr(mail->events[0].object.data, "one"));
  sdb_mail_free(mail);
  disconnect(d);
}

typedef struct flood {
  fixture *f;
  atomic_size_t submitted;
} flood;

static void *submit_until_closed(void *argument) {
  flood *all = argument;
  for (;;) {
    sdb_job job = push_job("ada", all->f->note, "{\"text\":\"hi\"}", 1);
    size_t taken;
    sdb_status status = sdb_mailbox_submit(all->f->mailbox, &job, 1, &taken, NULL);
    atomic_fetch_add(&all->submitted, taken);
    if (status == SDB_CLOSED) return NULL;
  }
}

static void each_job_is_told_of_though_the_database_closes_meanwhile(void **state) {
  fixture *f = *state;
  flood all = {.f = f};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    pthread_create(&threads[i], NULL, submit_until_closed, &all);
  for (int i = 0; i < 10; i++)
    sdb_mail_free(next_mail(f, SDB_MAIL_DONE));
  sdb_database_close(f->database);
  f->database = NULL;
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  size_t told = 10;
  sdb_mail *batch;
  while ((batch = sdb_mailbox_take(f->mailbox, 100))) {
    for (sdb_mail *mail = batch; mail; mail = mail->next, told++)
      assert_true(mail->status == SDB_OK || mail->status == SDB_CLOSED);
    sdb_mail_free(batch);
  }
  assert_int_equal(told, atomic_load(&all.submitted));
}

static void a_mailbox_is_for_one_database_and_it_for_no_subscribers(void **state) {
  fixture *f = *state;
  sdb_error error = {0};
  assert_int_equal(sdb_subscribe(f->database, f->note, NULL, NULL, &error), SDB_CONFLICT);
  sdb_database *second = NULL;
  assert_int_equal(open_database(f, "second.sqlite", &second, &error), SDB_INVALID_ARGUMENT);
  assert_non_null(strstr(error.message, "mailbox"));
}

static void a_mailbox_without_notify_or_of_another_version_is_refused(void **state) {
  (void)state;
  sdb_mailbox *mailbox = NULL;
  sdb_mailbox_options options = SDB_MAILBOX_OPTIONS_INIT;
  assert_int_equal(sdb_mailbox_create(&options, &mailbox), SDB_INVALID_ARGUMENT);
  options.notify = count_notification;
  options.size = 1;
  assert_int_equal(sdb_mailbox_create(&options, &mailbox), SDB_INVALID_ARGUMENT);
  options.size = sizeof(options);
  options.events_per_mail = 4097;
  assert_int_equal(sdb_mailbox_create(&options, &mailbox), SDB_INVALID_ARGUMENT);
  assert_null(mailbox);
  sdb_mailbox_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_job_comes_back_once_with_its_tag_and_receipt),
      TEST(lists_and_singular_objects_come_as_records),
      TEST(what_the_schema_refuses_is_told_with_its_path),
      TEST(a_job_that_cannot_be_is_not_handed_in_and_those_before_it_are),
      TEST(ten_thousand_jobs_at_once_come_back_in_order),
      TEST(more_jobs_than_the_limit_are_refused_until_mail_is_taken),
      TEST(a_partial_is_named_by_a_number_from_the_moment_it_is_asked_for),
      TEST(a_partial_that_is_aborted_goes_from_the_devices),
      TEST(events_of_a_user_come_in_order_and_the_next_only_after_the_answer),
      TEST(what_was_replaced_and_removed_is_told),
      TEST(a_user_who_is_never_answered_holds_up_nobody_else),
      TEST(no_more_users_are_out_at_once_than_was_asked_for),
      TEST(an_answer_nobody_waits_for_is_ignored),
      TEST(the_application_is_notified_once_until_it_found_nothing_more),
      TEST(closing_waits_for_no_answer_and_leaves_the_mailbox_usable),
      TEST(each_job_is_told_of_though_the_database_closes_meanwhile),
      TEST(a_mailbox_is_for_one_database_and_it_for_no_subscribers),
      cmocka_unit_test(a_mailbox_without_notify_or_of_another_version_is_refused),
  };
  return cmocka_run_group_tests_name("server_mailbox", tests, NULL, NULL);
}
