/* client/loop.c: the client's thread: net's events in, the replica's outputs out, once a turn.
 *
 * A turn is: all input that the socket had, then the application's asks, then everything that
 * follows from them, and only then, at one place and without a lock, the application's callbacks:
 * for a token, watches, status. What a callback asks for is carried out inside it; what that leads
 * to for other callbacks is told in the next turn, so that a watch that changes something for each
 * change keeps neither the socket nor other threads waiting.
 *
 * Deadlines are of the monotonic clock, net's timer is of the wall clock: each turn looks at the
 * former and sets the latter anew by the distance that is left.
 */
#include "client/state.h"
#include "wire/close.h"

#define CLOSE_WAIT_MS 1000 /* for the server to answer the close frame */

bool sdb_device_on_thread(const sdb_client *client) {
  return atomic_load(&client->started) && pthread_equal(pthread_self(), client->self);
}

uint64_t sdb_device_now_ms(void) {
  return sdb_platform_monotonic_us() / 1000;
}

/* Nobody can connect to a client: it listens nowhere. */
static void on_request(
    void *context, sdb_conn *conn, const sdb_net_request *request, sdb_net_answer *answer) {
  (void)context, (void)conn, (void)request;
  answer->status = 404;
}

static void on_output_level(void *context, sdb_conn *conn, void *tag, size_t bytes) {
  (void)context, (void)conn, (void)tag, (void)bytes; /* the replica sends only so much unanswered */
}

static void on_closed(void *context, sdb_conn *conn, void *tag) {
  (void)context, (void)conn, (void)tag; /* dialled connections have a handler of their own */
}

static void on_nothing(void *context) {
  (void)context; /* the end of the turn does what there is to do */
}

/* ---- the end of a turn ---- */

static void run_deadlines(sdb_client *client) {
  sdb_device_storage_retry(client);
  uint64_t now_ms = sdb_device_now_ms();
  if (sdb_replica_deadline_ms(client->replica) <= now_ms)
    sdb_replica_on_timer(client->replica, now_ms);
}

static void ask_token(sdb_client *client) {
  if (!client->token_asked) return;
  bool refused = client->token_refused;
  client->token_asked = client->token_refused = false;
  if (client->token) client->token(client->token_context, client, refused);
}

static void call_back(sdb_client *client) {
  client->in_callback = true;
  ask_token(client);
  if (!client->dispatch) sdb_device_deliver(client);
  client->in_callback = false;
  bool more = client->token_asked;
  if (!client->dispatch)
    more = more || sdb_feed_waits(&client->feed) || sdb_device_status_waits(client);
  if (more) sdb_net_wake(client->net);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static void arm_timer(sdb_client *client) {
  uint64_t at_ms = client->end_at_ms;
  if (!client->closing) {
    at_ms = earlier(at_ms, sdb_replica_deadline_ms(client->replica));
    at_ms = earlier(at_ms, sdb_device_storage_deadline_ms(&client->storage));
  }
  if (at_ms == SDB_DEVICE_NEVER_MS) {
    sdb_net_set_timer(client->net, UINT64_MAX);
    return;
  }
  uint64_t now_ms = sdb_device_now_ms();
  uint64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 1;
  sdb_net_set_timer(client->net, sdb_net_now_ms(client->net) + left_ms);
}

/* Everything that was accepted is stored and, where there is a connection, on its way. */
static void end_connection(sdb_client *client) {
  if (client->closed_conn) return;
  client->closed_conn = true;
  sdb_asks_end_begun(client);
  bool was_open = client->conn_open;
  sdb_device_disconnect(client, SDB_CLOSE_NORMAL);
  client->end_at_ms = sdb_device_now_ms() + (was_open ? CLOSE_WAIT_MS : 0);
}

static void on_turn_end(void *context) {
  sdb_client *client = context;
  if (!client->closing) {
    run_deadlines(client);
    sdb_asks_carry_out(client);
    sdb_device_drain(client);
    if (!client->closing) call_back(client);
  }
  if (client->closing) {
    end_connection(client);
    if (client->conns == 0 || sdb_device_now_ms() >= client->end_at_ms) sdb_net_stop(client->net);
  }
  arm_timer(client);
}

sdb_net_handler sdb_device_handler(sdb_client *client) {
  return (sdb_net_handler){
      .context = client,
      .request = on_request,
      .message = sdb_device_on_message,
      .output_level = on_output_level,
      .closed = on_closed,
      .woken = on_nothing,
      .timer = on_nothing,
      .turn_end = on_turn_end,
  };
}

void *sdb_device_loop(void *context) {
  sdb_client *client = context;
  client->self = pthread_self();
  atomic_store(&client->started, true);
  sdb_net_run(client->net);
  return NULL;
}
