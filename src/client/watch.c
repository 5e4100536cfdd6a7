/* client/watch.c: watching stores, and dispatching on a thread of the application's choice. */
#include "base/error.h"
#include "client/state.h"

#define WAIT_MS 60000 /* then it is waited for again */
#define SERVE_MS 2

sdb_status sdb_client_watch(sdb_client *client, const sdb_store *store, sdb_watch_fn watch,
    void *context, sdb_watch **handle, sdb_error *error) {
  if (store && sdb_device_store(client, store, error) < 0) return SDB_UNKNOWN_STORE;
  sdb_watch *made = sdb_mem_zero(client->mem, sizeof(*made));
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  made->store = store;
  made->watch = watch;
  made->context = context;
  sdb_status status = sdb_feed_add(&client->feed, made);
  if (status != SDB_OK) {
    sdb_mem_free(client->mem, made);
    return sdb_error_set(error, status, "the client is closed", NULL, NULL);
  }
  if (handle) *handle = made;
  return SDB_OK;
}

/* On the client's thread, while the watch is being dispatched on another, which may be waiting for
 * this one: so what others ask is carried out meanwhile. */
static void serve(sdb_client *client) {
  sdb_asks_carry_out(client);
  sdb_device_drain(client);
}

void sdb_client_unwatch(sdb_client *client, sdb_watch *handle) {
  if (!handle) return;
  bool here = sdb_device_on_thread(client);
  sdb_asks_enter(&client->asks);
  while (!sdb_feed_drop(&client->feed, handle, here ? SERVE_MS : WAIT_MS)) {
    if (here) serve(client);
  }
  sdb_asks_leave(&client->asks);
}

int sdb_client_fd(const sdb_client *client) {
  return client->feed.fd;
}

/* One inside another does nothing: what there is more will be told by the next. */
void sdb_device_deliver(sdb_client *client) {
  sdb_feed *feed = &client->feed;
  if (!sdb_feed_begin_delivery(feed)) return;
  /* Taken before the changes are: it never says more than they have shown. */
  sdb_client_status status;
  bool changed = sdb_device_take_status(client, &status);
  sdb_feed_call(feed, client);
  if (changed) client->status(client->status_context, client, &status);
  sdb_feed_end_delivery(feed);
  /* One that came behind the status taken may have had its signal taken with the changes. */
  if (sdb_device_status_waits(client)) sdb_feed_signal(feed);
}

/* A watch that waits for the client is let go when that closes, and returns into the feed. */
void sdb_client_dispatch(sdb_client *client) {
  if (!client->dispatch) return;
  sdb_asks_enter(&client->asks);
  sdb_device_deliver(client);
  sdb_asks_leave(&client->asks);
}
