/* client_catchup_test.c: catching up with very many events: interrupted again and again it goes on
 * where it stopped, and a window of the newest ones is all that is sent until older ones are asked
 * for. What the server sends is counted by a proxy in between.
 *
 * Both tests have the server's database in common, which is filled once.
 */
#include "client_fixture.h"
#include "proxy.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EVENTS 4000
#else
#define EVENTS 100000
#endif
#define CUTS 10
#define FILLERS 32 /* threads */
#define WINDOW 50

/* ---- filling ---- */

typedef struct filler {
  fixture *f;
  int number;
} filler;

static void *fill_part(void *context) {
  filler *part = context;
  sdb_context *ada = NULL;
  if (sdb_context_create(part->f->database, "ada", &ada) != SDB_OK) abort();
  for (int i = part->number; i < EVENTS; i += FILLERS) {
    char object[96];
    snprintf(object, sizeof(object), "{\"role\":\"user\",\"content\":\"message number %d\"}", i);
    if (sdb_push(ada, part->f->messages, sdb_slice_of(object), NULL, NULL) != SDB_OK) abort();
  }
  sdb_context_release(ada);
  return NULL;
}

static int setup_filled(void **state) {
  pthread_t threads[FILLERS];
  filler parts[FILLERS];
  if (setup(state) != 0) return -1;
  for (int i = 0; i < FILLERS; i++) {
    parts[i] = (filler){*state, i};
    if (pthread_create(&threads[i], NULL, fill_part, &parts[i]) != 0) return -1;
  }
  for (int i = 0; i < FILLERS; i++)
    pthread_join(threads[i], NULL);
  return 0;
}

/* ---- comparing ---- */

/* Page by page; gives how many there are. */
static size_t assert_as_on_server(device *d) {
  sdb_context *ada = context_of(d->f, "ada");
  sdb_uuid before = NIL;
  size_t count = 0;
  for (bool more = true; more;) {
    sdb_records *theirs = NULL;
    sdb_client_records *ours = NULL;
    assert_int_equal(sdb_list(ada, d->f->messages, before, 1000, &theirs, NULL), SDB_OK);
    assert_int_equal(sdb_client_list(d->client, d->messages, before, 1000, &ours, NULL), SDB_OK);
    assert_int_equal(ours->count, theirs->count);
    for (size_t i = 0; i < ours->count; i++) {
      const sdb_client_record *record = &ours->records[i];
      assert_int_equal(record->state, SDB_RECORD_SYNCED);
      assert_false(record->gap);
      assert_true(sdb_uuid_equal(record->id, theirs->records[i].id));
      assert_true(sdb_slice_equal(record->object, theirs->records[i].object));
      before = record->id;
    }
    count += ours->count;
    more = ours->count > 0;
    sdb_client_records_free(ours);
    sdb_records_free(theirs);
  }
  sdb_context_release(ada);
  return count;
}

/* ---- everything, interrupted ---- */

/* Without a watch: what it would note is of no interest. */
static device *quiet_device(fixture *f, sdb_client_options options) {
  sdb_store *stores[] = {f->messages, f->account};
  device *d = calloc(1, sizeof(*d));
  sdb_error error = {0};
  assert_non_null(d);
  d->f = f;
  d->messages = f->messages;
  pthread_mutex_init(&d->lock, NULL);
  pthread_cond_init(&d->changed, NULL);
  options.stores = stores;
  options.stores_count = 2;
  options.status = note_status;
  options.status_context = d;
  if (sdb_client_open(&options, &d->client, &error) != SDB_OK) fail_msg("%s", error.message);
  return d;
}

static sdb_client_options options_behind(fixture *f, proxy *p, char *url, size_t url_size,
    char *path, size_t path_size, const char *name) {
  sdb_client_options options = device_options(f);
  snprintf(url, url_size, "ws://127.0.0.1:%u/?user=ada", proxy_port(p));
  snprintf(path, path_size, "%s/%s.sqlite", f->folder, name);
  options.url = url;
  options.path = path;
  options.start_offline = true;
  return options;
}

static void await_loss(device *d, proxy *p, uint64_t connections) {
  AWAIT(d, d->status.phase == SDB_CLIENT_OFFLINE || d->status.phase == SDB_CLIENT_CONNECTING ||
               proxy_counted(p).connections > connections);
}

static void a_catch_up_that_is_interrupted_goes_on_where_it_stopped(void **state) {
  fixture *f = *state;
  char url[64], path[128];
  unsigned seed = 7;
  proxy *p = proxy_open(f->port);
  device *d =
      quiet_device(f, options_behind(f, p, url, sizeof(url), path, sizeof(path), "interrupted"));
  for (unsigned i = 1; i <= CUTS; i++) {
    /* Behind the head of the upgrade and the server_hello, somewhere in a message. */
    uint64_t unit = 3 + (uint64_t)rand_r(&seed) % (EVENTS / (CUTS + 1) - 3);
    proxy_cut_at(p, PROXY_DOWN, unit, (uint64_t)rand_r(&seed) % 150, PROXY_END);
    sdb_client_go_online(d->client);
    proxy_wait_cuts(p, i);
    await_loss(d, p, i);
  }
  uint64_t before = proxy_counted(p).updates[PROXY_DOWN];
  assert_true(before < EVENTS);
  sdb_client_go_online(d->client);
  wait_synced(d);
  uint64_t sent = proxy_counted(p).updates[PROXY_DOWN];
  print_message("%u events: %u sent before the last of %u cuts, %u in all\n", (unsigned)EVENTS,
      (unsigned)before, CUTS, (unsigned)sent);
  assert_true(sent >= EVENTS && sent <= EVENTS + EVENTS / 100);
  assert_int_equal(assert_as_on_server(d), EVENTS);
  close_device(d);
  proxy_close(p);
}

/* ---- a window ---- */

/* Each event that the device holds was sent once: `count` of them. */
static void assert_held(device *d, proxy *p, size_t count) {
  assert_int_equal(proxy_counted(p).updates[PROXY_DOWN], count);
  assert_int_equal(count_of(d), count);
}

/* The gaps are below these places of the list, and nowhere else. */
static void assert_gaps(device *d, size_t first, size_t second) {
  sdb_client_records *records = list(d, d->messages);
  for (size_t i = 0; i < records->count; i++) {
    bool expected = i + 1 == first || i + 1 == second;
    if (records->records[i].gap != expected)
      fail_msg("a gap below the %zuth: %d", i + 1, !expected);
  }
  sdb_client_records_free(records);
}

static void load_older(device *d, uint32_t limit) {
  size_t told = d->count;
  assert_int_equal(sdb_client_older(d->client, d->messages, NIL, limit, NULL), SDB_OK);
  AWAIT(d, d->count >= told + limit);
}

static void reconnect(device *d) {
  sdb_client_go_offline(d->client);
  sdb_client_go_online(d->client);
  wait_synced(d);
}

/* A page whose connection is lost after 30 events of it. */
static void lose_a_page(device *d, proxy *p, uint32_t limit) {
  uint64_t connections = proxy_counted(p).connections;
  proxy_cut_at(p, PROXY_DOWN, 30, 20, PROXY_END);
  assert_int_equal(sdb_client_older(d->client, d->messages, NIL, limit, NULL), SDB_OK);
  proxy_wait_cuts(p, 1);
  await_loss(d, p, connections);
  sdb_client_go_online(d->client);
  wait_synced(d);
}

static device *window_device(fixture *f, sdb_client_options options) {
  sdb_client_window window = {f->messages, WINDOW};
  options.windows = &window;
  options.windows_count = 1;
  return open_device(f, options);
}

static void a_window_is_all_that_is_sent_until_older_ones_are_asked_for(void **state) {
  fixture *f = *state;
  char url[64], path[128];
  proxy *p = proxy_open(f->port);
  sdb_client_options options = options_behind(f, p, url, sizeof(url), path, sizeof(path), "window");
  device *d = window_device(f, options);
  reconnect(d);
  assert_held(d, p, WINDOW);
  assert_gaps(d, WINDOW, 0);
  load_older(d, 100);
  load_older(d, 20);
  assert_held(d, p, WINDOW + 120);
  assert_gaps(d, WINDOW + 120, 0);
  reconnect(d);
  assert_held(d, p, WINDOW + 120);
  lose_a_page(d, p, 100);
  assert_held(d, p, WINDOW + 150);
  assert_gaps(d, WINDOW + 150, 0);
  close_device(d);
  d = window_device(f, options); /* the same from the file */
  assert_gaps(d, WINDOW + 150, 0);
  reconnect(d);
  assert_held(d, p, WINDOW + 150);
  sdb_client_go_offline(d->client);
  proxy_cut_now(p, PROXY_RESET); /* the server may not know it yet, and would send these live */
  for (int i = 0; i < WINDOW + 10; i++)
    server_push(f, f->messages, "{\"role\":\"user\",\"content\":\"missed\"}");
  reconnect(d);
  assert_held(d, p, 2 * WINDOW + 150);
  assert_gaps(d, WINDOW, 2 * WINDOW + 150);
  load_older(d, 10); /* all of the newest gap */
  wait_synced(d);
  reconnect(d);
  assert_held(d, p, 2 * WINDOW + 160);
  assert_gaps(d, 2 * WINDOW + 160, 0);
  close_device(d);
  proxy_close(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_catch_up_that_is_interrupted_goes_on_where_it_stopped),
      cmocka_unit_test(a_window_is_all_that_is_sent_until_older_ones_are_asked_for),
  };
  return cmocka_run_group_tests(tests, setup_filled, teardown);
}
