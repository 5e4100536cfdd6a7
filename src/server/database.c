/* server/database.c: opening and closing: the parts are made in the order of
 * their floors and go in the reverse one.
 */
#include "base/error.h"
#include "server/context.h"
#include "server/state.h"
#include "ws/frame.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define DAY_MS (24ULL * 60 * 60 * 1000)
#define DEDUPE_WINDOW_MS_MIN (7 * DAY_MS)
#define WORKERS_DEFAULT 4
#define PING_INTERVAL_MS 30000
#define HANDSHAKE_TIMEOUT_MS 10000
#define CLOSE_WAIT_MS 3000

static const char SCHEME[] = "sqlite://";

/* ---- options ---- */

static void set_limit(uint32_t *limit, uint32_t value) {
  if (value) *limit = value;
}

static sdb_limits limits_of(const sdb_server_options *options) {
  sdb_limits limits = sdb_limits_default();
  set_limit(&limits.message_bytes_max, options->message_bytes_max);
  set_limit(&limits.object_bytes_max, options->object_bytes_max);
  set_limit(&limits.depth_max, options->depth_max);
  set_limit(&limits.pushes_per_second, options->pushes_per_second);
  set_limit(&limits.connections_per_user, options->connections_per_user);
  set_limit(&limits.output_soft_bytes, options->output_soft_bytes);
  set_limit(&limits.output_hard_bytes, options->output_hard_bytes);
  set_limit(&limits.hello_timeout_ms, options->hello_timeout_ms);
  return limits;
}

static sdb_status check_options(const sdb_database_options *options, sdb_error *error) {
  const char *wrong = NULL;
  if (options->size != sizeof(*options))
    wrong = "the options are not initialised, or of another version of the library";
  else if (!options->url || strncmp(options->url, SCHEME, strlen(SCHEME)) != 0 ||
           !options->url[strlen(SCHEME)])
    wrong = "the url is not sqlite://PATH";
  else if (!options->stores || options->stores_count == 0 || options->stores_count > SDB_STORES_MAX)
    wrong = "there must be 1 to 256 stores";
  else if (options->workers > SDB_WORKERS_MAX || options->readers > SDB_WORKERS_MAX)
    wrong = "workers and readers are at most 64";
  else if (options->dedupe_window_ms && options->dedupe_window_ms < DEDUPE_WINDOW_MS_MIN)
    wrong = "dedupe_window_ms is at least 7 days";
  else if (options->server.depth_max > SDB_JSON_DEPTH_MAX)
    wrong = "depth_max is at most 64";
  else if (options->server.authenticate_by_mail && !options->mailbox)
    wrong = "authenticate_by_mail needs a mailbox";
  if (wrong) return sdb_error_set(error, SDB_INVALID_ARGUMENT, wrong, NULL, NULL);
  return sdb_stores_distinct(options->stores, options->stores_count, error);
}

/* ---- the parts ---- */

static sdb_status open_stores(sdb_database *database, const sdb_database_options *options) {
  size_t size = options->stores_count * sizeof(sdb_store *);
  database->stores = sdb_mem_alloc(database->mem, size);
  if (!database->stores) return SDB_NO_MEMORY;
  memcpy(database->stores, options->stores, size);
  database->stores_count = options->stores_count;
  return SDB_OK;
}

static sdb_status open_storage(
    sdb_database *database, const sdb_database_options *options, sdb_error *error) {
  sdb_storage_store stores[SDB_STORES_MAX];
  for (size_t i = 0; i < options->stores_count; i++) {
    stores[i].name = sdb_store_name(options->stores[i]);
    stores[i].type = sdb_store_type_of(options->stores[i]);
  }
  sdb_sqlite_options sqlite;
  sdb_sqlite_options_init(&sqlite);
  sqlite.mem = database->mem;
  sqlite.path = options->url + strlen(SCHEME);
  sqlite.stores = stores;
  sqlite.stores_count = options->stores_count;
  sqlite.sink = sdb_completions_sink(database);
  if (options->durability == SDB_DURABILITY_NORMAL) sqlite.durability = SDB_SQLITE_NORMAL;
  if (options->readers) sqlite.readers = options->readers;
  if (options->remember_removes_ms) sqlite.remember_removes_ms = options->remember_removes_ms;
  if (options->dedupe_window_ms) sqlite.dedupe_window_ms = options->dedupe_window_ms;
  sqlite.secure_delete = options->secure_delete;
  sdb_status status = sdb_sqlite_open(&sqlite, &database->sqlite, error);
  if (status == SDB_OK) sdb_completions_wrap(database, sdb_sqlite_port(database->sqlite));
  return status;
}

static sdb_status open_net(
    sdb_database *database, const sdb_server_options *options, sdb_error *error) {
  sdb_limits limits = limits_of(options);
  sdb_net_options net = {
      .mem = database->mem,
      .handler = sdb_server_handler(database),
      .tls_cert = options->tls_cert,
      .tls_key = options->tls_key,
      .origins = options->origins,
      .origins_count = options->origins_count,
      .message_bytes_max = limits.message_bytes_max,
      .output_hard_bytes = limits.output_hard_bytes,
      .connections_max = options->connections_max,
      .ping_interval_ms = options->ping_interval_ms ? options->ping_interval_ms : PING_INTERVAL_MS,
      .handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS,
      .compress = !options->no_compression,
      .compress_loopback = options->compress_loopback,
  };
  return sdb_net_create(&net, &database->net, error);
}

static sdb_status open_hub(
    sdb_database *database, const sdb_server_options *options, sdb_error *error) {
  sdb_hub_options hub = {
      .mem = database->mem,
      .stores = database->stores,
      .stores_count = database->stores_count,
      .storage = &database->storage,
      .frame_header = sdb_ws_frame_header,
      .subscribed = sdb_interest_subscribed,
      .accepts = sdb_interest_accepts,
      .judged = sdb_interest_judged,
      .subscribed_context = database,
      .limits = limits_of(options),
  };
  hub.asks_without_token = options->authenticate_by_mail;
  if (database->mailbox) hub.limits.judge_timeout_ms = database->mailbox->options.judge_timeout_ms;
  sdb_status status = sdb_hub_create(&hub, &database->hub);
  if (status != SDB_OK) sdb_error_set(error, status, sdb_status_text(status), NULL, NULL);
  return status;
}

static sdb_status open_stop_pipe(sdb_database *database, sdb_error *error) {
  if (pipe2(database->stop_pipe, O_CLOEXEC | O_NONBLOCK) == 0) return SDB_OK;
  database->stop_pipe[0] = database->stop_pipe[1] = -1;
  return sdb_error_set(error, SDB_IO, strerror(errno), NULL, NULL);
}

/* The application's signals are for the application's threads. */
static sdb_status start_threads(
    sdb_database *database, const sdb_database_options *options, sdb_error *error) {
  unsigned workers = options->workers ? options->workers : WORKERS_DEFAULT;
  sdb_status status = SDB_OK;
  if (!database->mailbox) status = sdb_workers_start(&database->workers, database, workers);
  if (status == SDB_OK) {
    int failed = pthread_create(&database->loop, NULL, sdb_server_loop, database);
    if (failed) status = SDB_NO_MEMORY;
    atomic_store(&database->loop_started, !failed);
  }
  if (status != SDB_OK) sdb_error_set(error, status, "cannot start a thread", NULL, NULL);
  return status;
}

static sdb_status claim_mailbox(sdb_database *database, sdb_mailbox *mailbox, sdb_error *error) {
  if (!mailbox) return SDB_OK;
  if (!sdb_mailbox_claim(mailbox))
    return sdb_error_set(
        error, SDB_INVALID_ARGUMENT, "the mailbox is, or was, another database's", NULL, NULL);
  database->mailbox = mailbox;
  return SDB_OK;
}

static sdb_status open_parts(
    sdb_database *database, const sdb_database_options *options, sdb_error *error) {
  sdb_status status = claim_mailbox(database, options->mailbox, error);
  if (status == SDB_OK) status = open_stop_pipe(database, error);
  if (status == SDB_OK) status = open_stores(database, options);
  if (status == SDB_OK)
    status = sdb_identities_init(&database->identities, &options->server, error);
  if (status == SDB_OK && options->server.pages)
    status = sdb_pages_load(database->mem, options->server.pages, options->server.pages_policy,
        &database->pages, error);
  if (status == SDB_OK) status = open_net(database, &options->server, error);
  if (status == SDB_OK) status = open_storage(database, options, error);
  if (status == SDB_OK) status = open_hub(database, &options->server, error);
  if (status == SDB_OK) status = start_threads(database, options, error);
  return status;
}

static sdb_database *create(const sdb_database_options *options) {
  const sdb_mem *mem = sdb_platform_mem();
  sdb_database *database = sdb_mem_zero(mem, sizeof(*database));
  if (!database) return NULL;
  database->mem = mem;
  database->log = options->log;
  database->log_context = options->log_context;
  database->stop_pipe[0] = database->stop_pipe[1] = -1;
  sdb_calls_init(&database->calls);
  sdb_completions_init(database);
  sdb_lanes_init(&database->lanes, mem);
  sdb_tickets_init(&database->callers, mem);
  sdb_buffer_init(&database->response, mem, 1 << 20);
  return database;
}

/* ---- closing ---- */

static void close_stop_pipe(sdb_database *database) {
  for (int i = 0; i < 2; i++) {
    if (database->stop_pipe[i] >= 0) close(database->stop_pipe[i]);
  }
}

/* Everything but the threads, which have ended. */
static void release_parts(sdb_database *database) {
  sdb_sqlite_close(database->sqlite);
  database->sqlite = NULL;
  if (database->hub) {
    do { /* what the storage finished while it closed, and what follows from that */
      sdb_completions_deliver(database);
      sdb_server_drain(database);
    } while (database->in_flight > 0);
    sdb_hub_destroy(database->hub);
    database->hub = NULL;
  }
  sdb_mailbox_publish(database->mailbox);
  sdb_mailbox_set_database(database->mailbox, NULL);
  sdb_workers_destroy(&database->workers);
  sdb_lanes_destroy(&database->lanes); /* with what the loop added after the stop */
  if (database->net) sdb_net_destroy(database->net);
  sdb_pages_free(database->pages);
  sdb_identities_free(&database->identities);
  sdb_tickets_free(&database->callers);
  sdb_buffer_free(&database->response);
  sdb_completions_destroy(database);
  sdb_calls_destroy(&database->calls);
  close_stop_pipe(database);
  sdb_mem_free(database->mem, database->stores);
  sdb_mem_free(database->mem, database);
}

static void run_begin_drain(sdb_call *call, sdb_database *database) {
  sdb_server_begin_drain(database);
  sdb_call_complete(call, SDB_OK, NULL);
}

static void run_wait_for_storage(sdb_call *call, sdb_database *database) {
  database->waits_for_storage = call;
}

/* Devices come back over a few seconds, not all at once. */
static void run_close_peers(sdb_call *call, sdb_database *database) {
  database->waits_for_peers = call;
  database->peers_deadline_ms = sdb_net_now_ms(database->net) + database->peers_wait_ms;
  sdb_net_shutdown(database->net, 1001, sdb_slice_of("{\"retryAfterMs\":[200,3000]}"));
}

static void run_stop(sdb_call *call, sdb_database *database) {
  sdb_call *left = sdb_calls_take(&database->calls, true);
  while (left) {
    sdb_call *next = left->next;
    sdb_call_complete(left, SDB_CLOSED, NULL);
    left = next;
  }
  sdb_net_stop(database->net);
  sdb_call_complete(call, SDB_OK, NULL);
}

/* Cannot fail: the loop runs, and this is not the loop. */
static void on_loop(sdb_database *database, void (*run)(sdb_call *, sdb_database *)) {
  sdb_call call = {.run = run};
  sdb_status status = sdb_call_wait(database, &call);
  SDB_ASSERT(status == SDB_OK);
}

/* Subscribers that run finish; mail that is out may still be answered, to no effect. */
static void stop_events(sdb_database *database) {
  sdb_lanes_close(&database->lanes);
  sdb_workers_stop(&database->workers);
  size_t dropped = sdb_lanes_drop(&database->lanes);
  if (dropped > 0)
    sdb_server_log(database, SDB_LOG_WARN, "events_dropped",
        "%zu events were still waiting for subscribers", dropped);
}

static void shut_down(sdb_database *database) {
  on_loop(database, run_begin_drain);
  stop_events(database);
  on_loop(database, run_wait_for_storage);
  on_loop(database, run_close_peers);
  on_loop(database, run_stop);
  pthread_join(database->loop, NULL);
  atomic_store(&database->loop_started, false);
}

void sdb_database_drain(sdb_database *database) {
  atomic_store(&database->drain_asked, true);
  sdb_net_wake(database->net);
}

void sdb_database_close(sdb_database *database) {
  sdb_database_close_within(database, CLOSE_WAIT_MS);
}

void sdb_database_close_within(sdb_database *database, uint32_t peers_ms) {
  if (!database) return;
  database->peers_wait_ms = peers_ms;
  if (atomic_load(&database->loop_started)) {
    sdb_server_log(database, SDB_LOG_INFO, "closing", "shutting down");
    shut_down(database);
  } else {
    stop_events(database);
  }
  release_parts(database);
}

sdb_status sdb_database_open(
    const sdb_database_options *options, sdb_database **database, sdb_error *error) {
  sdb_status status = check_options(options, error);
  if (status != SDB_OK) return status;
  sdb_database *made = create(options);
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* threads inherit it */
  status = open_parts(made, options, error);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status != SDB_OK) {
    sdb_database_close(made);
    return status;
  }
  sdb_mailbox_set_database(made->mailbox, made);
  *database = made;
  return SDB_OK;
}

sdb_status sdb_subscribe(sdb_database *database, const sdb_store *store,
    sdb_subscriber_fn subscriber, void *argument, sdb_error *error) {
  if (database->mailbox)
    return sdb_error_set(
        error, SDB_CONFLICT, "the database has a mailbox: sdb_mailbox_subscribe", NULL, NULL);
  int index = sdb_interest_store(database, store, error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  sdb_status status =
      sdb_workers_subscribe(&database->workers, (uint16_t)index, subscriber, argument);
  if (status != SDB_OK) return sdb_error_set(error, status, sdb_status_text(status), NULL, NULL);
  sdb_interest_set(&database->interest, (uint16_t)index, false);
  return SDB_OK;
}
