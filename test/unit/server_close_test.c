/* test/unit/server_close_test.c: the end of a database, in whatever it is doing then, and several
 * of them in one process.
 */
#include "mailbox_fixture.h"
#include <signal.h>

static int setup_busy(void **state) {
  sdb_mailbox_options options = SDB_MAILBOX_OPTIONS_INIT;
  if (setup_with(state, options) != 0) return -1;
  fixture *f = *state;
  if (sdb_mailbox_judge(f->mailbox, f->note, NULL) != SDB_OK) return -1;
  return sdb_mailbox_subscribe(f->mailbox, f->note, NULL) == SDB_OK ? 0 : -1;
}

/* ---- what goes on meanwhile ---- */

typedef struct traffic {
  fixture *f;
  atomic_bool stop;
  atomic_int stored; /* notes of devices that were said to be stored */
  atomic_size_t jobs, done;
  const char *user;
} traffic;

/* Takes and answers mail, but no event of every third batch. */
static void *answer_mail(void *argument) {
  traffic *t = argument;
  for (unsigned round = 0; !atomic_load(&t->stop); round++) {
    sdb_mail *batch = sdb_mailbox_take(t->f->mailbox, 64);
    if (!batch) usleep(100);
    for (sdb_mail *mail = batch; mail; mail = mail->next) {
      if (mail->kind == SDB_MAIL_DONE)
        atomic_fetch_add(&t->done, 1);
      else if (mail->kind != SDB_MAIL_EVENTS || round % 3 != 0)
        answer(t->f, mail->ticket);
    }
    sdb_mail_free(batch);
  }
  return NULL;
}

static void *submit_jobs(void *argument) {
  traffic *t = argument;
  sdb_status status = SDB_OK;
  while (status == SDB_OK) {
    size_t taken;
    if (atomic_load(&t->jobs) > atomic_load(&t->done) + 200) { /* devices want their turn too */
      usleep(100);
      status = sdb_mailbox_submit(t->f->mailbox, NULL, 0, NULL, NULL);
      continue;
    }
    sdb_job jobs[3] = {push_job(t->user, t->f->account, "{\"name\":\"x\"}", 1),
        {.kind = SDB_JOB_LIST, .user = sdb_slice_of(t->user), .store = t->f->note, .limit = 5},
        {.kind = SDB_JOB_PARTIAL_BEGIN,
            .user = sdb_slice_of(t->user),
            .store = t->f->note,
            .object = TEXT("{\"text\":\"\"}")}};
    status = sdb_mailbox_submit(t->f->mailbox, jobs, 3, &taken, NULL);
    atomic_fetch_add(&t->jobs, taken);
  }
  assert_int_equal(status, SDB_CLOSED);
  return NULL;
}

/* Reads one message to d->message. False: the connection ended. */
static bool read_message(device *d) {
  unsigned char head[2], extended[2];
  if (recv(d->fd, head, 2, MSG_WAITALL) != 2 || head[0] != 0x81) return false;
  size_t size = head[1];
  if (size == 126) {
    if (recv(d->fd, extended, 2, MSG_WAITALL) != 2) return false;
    size = (size_t)extended[0] << 8 | extended[1];
  }
  if (recv(d->fd, d->message, size, MSG_WAITALL) != (ssize_t)size) return false;
  d->message[size] = 0;
  return true;
}

/* False: the connection ended. */
static bool push_and_hear_of_it(device *d, int number) {
  char message[256];
  int size = snprintf(message + 8, sizeof(message) - 8,
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"a note of some "
      "length\"},"
      "\"clientId\":\"00000000-0000-4000-8000-%012d\"}}",
      number);
  assert_in_range(size, 126, 200);
  const unsigned char head[8] = {0x81, 0x80 | 126, 0, (unsigned char)size};
  memcpy(message, head, sizeof(head));
  if (send(d->fd, message, (size_t)size + 8, MSG_NOSIGNAL) != size + 8) return false;
  char id[16];
  snprintf(id, sizeof(id), "-%012d", number);
  while (read_message(d)) {
    if (strstr(d->message, id)) return strstr(d->message, "\"error\"") == NULL;
  }
  return false;
}

/* Until the connection ends: what it was told of is counted. */
static void *push_notes(void *argument) {
  traffic *t = argument;
  device *d = connect_device(t->f->port, t->user);
  for (int number = 1; push_and_hear_of_it(d, number); number++)
    atomic_fetch_add(&t->stored, 1);
  disconnect(d);
  return NULL;
}

static void wait_for_traffic(const traffic *t) {
  while (atomic_load(&t->stored) < 20 || atomic_load(&t->done) < 20)
    usleep(1000);
}

/* How many notes of the user the file holds. */
static size_t count_notes(fixture *f, const char *user) {
  sdb_database_options options = options_of(f, "db.sqlite");
  sdb_database *database = NULL;
  sdb_context *context = NULL;
  options.mailbox = NULL;
  assert_int_equal(sdb_database_open(&options, &database, NULL), SDB_OK);
  assert_int_equal(sdb_context_create(database, user, &context), SDB_OK);
  size_t count = 0, got = 1;
  for (sdb_uuid before = {{0}}; got > 0; count += got) {
    sdb_records *records = NULL;
    assert_int_equal(sdb_list(context, f->note, before, 1000, &records, NULL), SDB_OK);
    got = records->count;
    if (got > 0) before = records->records[got - 1].event_id;
    sdb_records_free(records);
  }
  sdb_context_release(context);
  sdb_database_close(database);
  return count;
}

static void *close_database(void *argument) {
  fixture *f = argument;
  sdb_database_close_within(f->database, 0);
  return NULL;
}

static void closing_in_the_midst_of_everything_keeps_what_was_said_to_be_stored(void **state) {
  fixture *f = *state;
  traffic t = {.f = f, .user = "ada"};
  pthread_t mail, jobs, notes, closer;
  pthread_create(&mail, NULL, answer_mail, &t);
  pthread_create(&jobs, NULL, submit_jobs, &t);
  pthread_create(&notes, NULL, push_notes, &t);
  wait_for_traffic(&t);
  pthread_create(&closer, NULL, close_database, f);
  pthread_join(closer, NULL);
  f->database = NULL;
  pthread_join(jobs, NULL);
  pthread_join(notes, NULL);
  while (atomic_load(&t.done) < atomic_load(&t.jobs)) /* each job is told of */
    usleep(1000);
  atomic_store(&t.stop, true);
  pthread_join(mail, NULL);
  assert_int_equal(atomic_load(&t.done), atomic_load(&t.jobs));
  assert_true(count_notes(f, "ada") >= (size_t)atomic_load(&t.stored));
}

/* ---- several databases ---- */

static void two_databases_in_one_process_know_nothing_of_one_another(void **state) {
  (void)state;
  void *first = NULL, *second = NULL;
  assert_int_equal(setup_busy(&first), 0);
  assert_int_equal(setup_busy(&second), 0);
  fixture *both[2] = {first, second};
  traffic traffics[2] = {{.f = first, .user = "ada"}, {.f = second, .user = "ada"}};
  pthread_t mail[2], jobs[2], notes[2];
  for (int i = 0; i < 2; i++) {
    pthread_create(&mail[i], NULL, answer_mail, &traffics[i]);
    pthread_create(&jobs[i], NULL, submit_jobs, &traffics[i]);
    pthread_create(&notes[i], NULL, push_notes, &traffics[i]);
  }
  wait_for_traffic(&traffics[0]);
  sdb_database_close_within(both[0]->database, 0);
  both[0]->database = NULL;
  int stored = atomic_load(&traffics[1].stored);
  while (atomic_load(&traffics[1].stored) < stored + 20) /* the other goes on */
    usleep(1000);
  sdb_database_close_within(both[1]->database, 0);
  both[1]->database = NULL;
  for (int i = 0; i < 2; i++) {
    pthread_join(jobs[i], NULL);
    pthread_join(notes[i], NULL);
    atomic_store(&traffics[i].stop, true);
    pthread_join(mail[i], NULL);
    assert_true(count_notes(both[i], "ada") >= (size_t)atomic_load(&traffics[i].stored));
  }
  assert_int_equal(teardown(&first), 0);
  assert_int_equal(teardown(&second), 0);
}

/* ---- signals ---- */

static void handler(int number) {
  (void)number;
}

static void handlers_and_masks_of_signals_are_as_they_were(void **state) {
  (void)state;
  static const int SIGNALS[] = {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGCHLD, SIGUSR1};
  struct sigaction mine = {.sa_handler = handler}, now;
  sigset_t before, after;
  for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
    sigaction(SIGNALS[i], &mine, NULL);
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  void *one = NULL;
  assert_int_equal(setup_busy(&one), 0);
  device *d = connect_device(((fixture *)one)->port, "ada");
  disconnect(d);
  assert_int_equal(teardown(&one), 0);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
    sigaction(SIGNALS[i], NULL, &now);
    assert_true(now.sa_handler == handler);
    assert_int_equal(sigismember(&before, SIGNALS[i]), sigismember(&after, SIGNALS[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(
          closing_in_the_midst_of_everything_keeps_what_was_said_to_be_stored, setup_busy,
          teardown),
      cmocka_unit_test(two_databases_in_one_process_know_nothing_of_one_another),
      cmocka_unit_test(handlers_and_masks_of_signals_are_as_they_were),
  };
  return cmocka_run_group_tests_name("server_close", tests, NULL, NULL);
}
