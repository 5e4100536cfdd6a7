/* test/unit/client_token_test.c: how a device shows who its user is: a token that is asked for,
 * refused, renewed. The server's authenticate function stands for a company's own. */
#include "client_fixture.h"

/* What the server believes: tokens of the form "good..." are Ada's, until `expires_ms`. */
typedef struct believer {
  pthread_mutex_t lock;
  char seen[8][32];
  size_t count;
  bool distrusts; /* everything that it believed */
  uint64_t expires_ms;
} believer;

static bool authenticate(void *context, const sdb_credentials *shown, sdb_identity *identity) {
  believer *b = context;
  pthread_mutex_lock(&b->lock);
  bool good = shown->token.size >= 4 && memcmp(shown->token.data, "good", 4) == 0;
  if (b->distrusts) good = holds(shown->token, "better");
  snprintf(b->seen[b->count++ % 8], sizeof(b->seen[0]), "%.*s", (int)shown->token.size,
      shown->token.data);
  snprintf(identity->user, sizeof(identity->user), "ada");
  identity->expires_ms = b->expires_ms;
  b->expires_ms = 0; /* the first one's only */
  pthread_mutex_unlock(&b->lock);
  return good;
}

static bool has_seen(believer *b, const char *token) {
  pthread_mutex_lock(&b->lock);
  bool seen = false;
  for (size_t i = 0; i < b->count && i < 8; i++)
    seen = seen || strcmp(b->seen[i], token) == 0;
  pthread_mutex_unlock(&b->lock);
  return seen;
}

static believer *distrustful_server(fixture *f, uint64_t first_expires_ms) {
  believer *b = calloc(1, sizeof(*b));
  assert_non_null(b);
  pthread_mutex_init(&b->lock, NULL);
  b->expires_ms = first_expires_ms;
  close_server(f);
  f->authenticate = authenticate;
  f->authenticate_context = b;
  open_server(f);
  return b;
}

static void end_server(fixture *f, believer *b) {
  close_server(f);
  free(b);
}

/* ---- what the application answers ---- */

static void count_asked(device *d, bool refused) {
  pthread_mutex_lock(&d->lock);
  d->asked_token++;
  d->refused_token += refused;
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->lock);
}

static void give_good(void *context, sdb_client *client, bool refused) {
  const char *token = refused ? "good and better" : "good";
  count_asked(context, refused);
  /* A blank is no part of a token: that is told at once. */
  if (refused && sdb_client_set_token(client, sdb_slice_of(token), 0) != SDB_INVALID_ARGUMENT)
    abort();
  token = refused ? "good-better" : "good";
  if (sdb_client_set_token(client, sdb_slice_of(token), 0) != SDB_OK) abort();
}

static void give_bad(void *context, sdb_client *client, bool refused) {
  count_asked(context, refused);
  if (sdb_client_set_token(client, sdb_slice_of("bad"), 0) != SDB_OK) abort();
}

static void give_nothing(void *context, sdb_client *client, bool refused) {
  (void)client;
  count_asked(context, refused);
}

static device *asking_device(fixture *f, sdb_client_token_fn token) {
  sdb_client_options options = device_options(f);
  options.token = token;
  return open_device(f, options);
}

static void a_token_is_asked_for_before_a_connection_is_made(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, 0);
  device *d = asking_device(f, give_good);
  wait_synced(d);
  assert_int_equal(d->asked_token, 1);
  assert_int_equal(d->refused_token, 0);
  assert_true(has_seen(b, "good"));
  push_message(d, "hi");
  wait_delivered(d);
  close_device(d);
  end_server(f, b);
}

static void a_token_may_be_given_later_from_any_thread(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, 0);
  device *d = asking_device(f, give_nothing);
  AWAIT(d, d->asked_token == 1);
  assert_int_equal(status_of(d).phase, SDB_CLIENT_CONNECTING);
  assert_int_equal(sdb_client_set_token(d->client, sdb_slice_of("good"), 0), SDB_OK);
  wait_synced(d);
  close_device(d);
  end_server(f, b);
}

static void another_token_is_asked_for_when_one_is_refused(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, 0);
  b->distrusts = true;
  device *d = asking_device(f, give_good);
  wait_synced(d); /* it does not give up meanwhile */
  assert_int_equal(d->refused_token, 1);
  assert_true(has_seen(b, "good-better"));
  AWAIT(d, d->status.phase == SDB_CLIENT_LIVE);
  close_device(d);
  end_server(f, b);
}

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void an_identity_that_expires_is_shown_anew(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, now_ms() + 1500);
  device *d = asking_device(f, give_good);
  wait_synced(d);
  AWAIT(d, d->status.close_code == 4401);
  wait_synced(d);
  assert_int_equal(d->refused_token, 1);
  assert_true(has_seen(b, "good-better"));
  close_device(d);
  end_server(f, b);
}

static void a_token_that_is_given_early_keeps_the_connection(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, now_ms() + 2000);
  device *d = asking_device(f, give_good);
  wait_synced(d);
  uint64_t later = now_ms() + 2100;
  assert_int_equal(sdb_client_set_token(d->client, sdb_slice_of("good-new"), 0), SDB_OK);
  device *other = asking_device(f, give_good);
  wait_synced(other);
  do { /* beyond the end of the first one, what is pushed still arrives */
    push_message(other, "still");
    wait_delivered(other);
    AWAIT(d, told(d, SDB_RECORD_SYNCED, "still"));
  } while (now_ms() < later);
  assert_true(has_seen(b, "good-new"));
  assert_int_equal(status_of(d).close_code, 0);
  assert_int_equal(d->refused_token, 0);
  close_device(d);
  close_device(other);
  end_server(f, b);
}

static void a_server_that_takes_no_token_ends_the_waiting(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, 0);
  device *d = asking_device(f, give_bad);
  push_message(d, "mine");
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_SYNCED, WAIT_MAX_MS), SDB_UNAUTHORIZED);
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_DELIVERED, WAIT_MAX_MS), SDB_UNAUTHORIZED);
  assert_int_equal(status_of(d).phase, SDB_CLIENT_UNAUTHORIZED);
  assert_int_equal(status_of(d).close_code, 4401);
  assert_int_equal(count_of(d), 1);
  assert_int_equal(sdb_client_set_token(d->client, sdb_slice_of("good"), 0), SDB_OK);
  AWAIT(d, d->status.phase == SDB_CLIENT_LIVE);
  wait_delivered(d);
  close_device(d);
  end_server(f, b);
}

static void without_a_token_none_is_shown_until_one_is_set(void **state) {
  fixture *f = *state;
  believer *b = distrustful_server(f, 0);
  device *d = open_device(f, device_options(f));
  assert_int_equal(sdb_client_wait(d->client, SDB_CLIENT_SYNCED, WAIT_MAX_MS), SDB_UNAUTHORIZED);
  assert_int_equal(b->count, 0);
  assert_int_equal(sdb_client_set_token(d->client, sdb_slice_of("good"), 0), SDB_OK);
  AWAIT(d, d->status.phase == SDB_CLIENT_LIVE);
  close_device(d);
  end_server(f, b);
}

static void what_is_no_token_is_refused(void **state) {
  fixture *f = *state;
  device *d = live_device(f);
  static char long_token[17 * 1024];
  memset(long_token, 'x', sizeof(long_token));
  sdb_slice tokens[] = {{NULL, 0}, sdb_slice_of("two words"), sdb_slice_of("line\n"),
      sdb_slice_make(long_token, sizeof(long_token))};
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(sdb_client_set_token(d->client, tokens[i], 0), SDB_INVALID_ARGUMENT);
  assert_int_equal(
      sdb_client_set_token(d->client, sdb_slice_make(long_token, 16 * 1024), 0), SDB_OK);
  close_device(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_A_SERVER(a_token_is_asked_for_before_a_connection_is_made),
      ON_A_SERVER(a_token_may_be_given_later_from_any_thread),
      ON_A_SERVER(another_token_is_asked_for_when_one_is_refused),
      ON_A_SERVER(an_identity_that_expires_is_shown_anew),
      ON_A_SERVER(a_token_that_is_given_early_keeps_the_connection),
      ON_A_SERVER(a_server_that_takes_no_token_ends_the_waiting),
      ON_A_SERVER(without_a_token_none_is_shown_until_one_is_set),
      ON_A_SERVER(what_is_no_token_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
