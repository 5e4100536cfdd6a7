/* client/client.c: opening and closing: the parts are made in the order of their floors and go in
 * the reverse one. */
#include "base/error.h"
#include "client/state.h"
#include <errno.h>
#include <signal.h>

#define MESSAGE_BYTES_MAX_DEFAULT (16 * 1024 * 1024)
#define OUTPUT_BYTES_MAX (64 * 1024 * 1024) /* the replica holds itself far below it */
#define SYNC_DELAY_MS 2                     /* pushes that follow one another share a sync */

/* ---- the parts ---- */

static sdb_status say(sdb_status status, sdb_error *error) {
  if (status == SDB_OK) return status;
  return sdb_error_set(error, status, sdb_status_text(status), NULL, NULL);
}

/* The kernel's generator was tried when the client was opened, and does not fail later. */
static void random_bytes(void *context, void *to, size_t size) {
  (void)context;
  bool filled = sdb_platform_random(to, size);
  SDB_ASSERT(filled);
}

static sdb_status try_random(sdb_error *error) {
  char byte;
  if (sdb_platform_random(&byte, 1)) return SDB_OK;
  return sdb_error_set(error, SDB_IO, "the system gives no random bytes", NULL, NULL);
}

static sdb_status open_net(
    sdb_client *client, const sdb_client_options *options, sdb_error *error) {
  sdb_net_options net = {
      .mem = client->mem,
      .handler = sdb_device_handler(client),
      .message_bytes_max =
          options->message_bytes_max ? options->message_bytes_max : MESSAGE_BYTES_MAX_DEFAULT,
      .output_hard_bytes = OUTPUT_BYTES_MAX,
      .handshake_timeout_ms = SDB_REPLICA_CONNECT_TIMEOUT_MS,
      .compress = true,
  };
  return sdb_net_create(&net, &client->net, error);
}

static sdb_status open_replica(
    sdb_client *client, const sdb_client_options *options, sdb_error *error) {
  sdb_replica_limits limits = sdb_replica_limits_default();
  limits.sync_delay_ms = SYNC_DELAY_MS;
  if (options->push_timeout_ms) limits.push_timeout_ms = options->push_timeout_ms;
  if (options->pending_max) limits.pending_max = options->pending_max;
  client->pending_max = limits.pending_max;
  sdb_replica_options replica = {
      .mem = client->mem,
      .stores = client->stores,
      .stores_count = client->stores_count,
      .windows = client->windows,
      .random = random_bytes,
      .needs_token = client->token != NULL,
      .start_offline = options->start_offline,
      .limits = limits,
  };
  return say(sdb_replica_create(&replica, &client->replica), error);
}

static sdb_status open_feed(sdb_client *client, sdb_error *error) {
  if (sdb_feed_init(&client->feed, client->mem, client->stores, client->dispatch) == SDB_OK)
    return SDB_OK;
  return sdb_error_set(error, SDB_IO, "no eventfd to be had", NULL, NULL);
}

static sdb_status start_thread(sdb_client *client, sdb_error *error) {
  sdb_net_wake(client->net); /* its first turn does what was begun here */
  if (pthread_create(&client->thread, NULL, sdb_device_loop, client) != 0)
    return sdb_error_set(error, SDB_IO, "cannot start a thread", NULL, NULL);
  client->thread_made = true;
  return SDB_OK;
}

static sdb_status open_parts(
    sdb_client *client, const sdb_client_options *options, sdb_error *error) {
  sdb_status status = try_random(error);
  if (status == SDB_OK) status = say(sdb_device_copy_options(client, options), error);
  if (status == SDB_OK) status = open_feed(client, error);
  if (status == SDB_OK) status = open_net(client, options, error);
  if (status == SDB_OK) status = open_replica(client, options, error);
  if (status == SDB_OK) status = sdb_device_storage_open(client, error);
  if (status != SDB_OK) return status;
  /* What is held is loaded before anybody asks for it, or for the status. */
  sdb_device_drain(client);
  return start_thread(client, error);
}

static sdb_client *create(void) {
  const sdb_mem *mem = sdb_platform_mem();
  sdb_client *client = sdb_mem_zero(mem, sizeof(*client));
  if (!client) return NULL;
  client->mem = mem;
  client->end_at_ms = SDB_DEVICE_NEVER_MS;
  sdb_arena_init(&client->arena, mem, 0);
  sdb_asks_init(&client->asks);
  sdb_standing_init(&client->standing);
  return client;
}

/* ---- closing ---- */

static void release_parts(sdb_client *client) {
  if (client->net) sdb_net_destroy(client->net);
  if (client->replica) sdb_replica_destroy(client->replica);
  sdb_device_storage_close(client);
  sdb_feed_destroy(&client->feed);
  sdb_standing_destroy(&client->standing);
  sdb_asks_destroy(&client->asks);
  sdb_arena_free(&client->arena);
  sdb_mem_free(client->mem, client);
}

static void run_close(sdb_ask *ask, sdb_client *client) {
  client->closing = true;
  sdb_feed_close(&client->feed);
  sdb_asks_close(client);
  sdb_ask_end(client, ask, SDB_OK, NULL);
}

void sdb_client_close(sdb_client *client) {
  if (!client) return;
  if (sdb_device_on_thread(client) || sdb_feed_delivers_here(&client->feed)) {
    sdb_device_log(client, SDB_LOG_ERROR, "close_refused",
        "sdb_client_close was called inside a callback: the client stays open");
    return;
  }
  if (client->thread_made) {
    sdb_ask ask = {.run = run_close};
    sdb_status status = sdb_ask_run(client, &ask);
    SDB_ASSERT(status == SDB_OK);
    pthread_join(client->thread, NULL);
    atomic_store(&client->started, false);
    sdb_asks_wait_left(&client->asks);
  }
  release_parts(client);
}

sdb_status sdb_client_open(
    const sdb_client_options *options, sdb_client **client, sdb_error *error) {
  sdb_status status = sdb_device_check_options(options, error);
  if (status != SDB_OK) return status;
  sdb_client *made = create();
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  sigset_t all, before;
  sigfillset(&all); /* the application's signals are for the application's threads */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  status = open_parts(made, options, error);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (status != SDB_OK) {
    release_parts(made);
    return status;
  }
  *client = made;
  return SDB_OK;
}
