/* server/loop.c: the loop thread: net's events in, the hub's outputs out, once a turn.
 *
 * A turn is: all input that the sockets had, then the storage's completions,
 * then the application's calls, then everything that follows from them, so
 * that whatever a turn brings is committed in one transaction and written in
 * one system call a connection.
 */
#include "server/state.h"

bool sdb_server_on_loop(const sdb_database *database) {
  return atomic_load(&database->loop_started) && pthread_equal(pthread_self(), database->loop);
}

/* A device that pushes faster than its echoes leave is read no further: what it would be sent
 * could pass the hard limit, and it would come back only to do the same again. */
static void pace(sdb_session *session) {
  bool paused = !sdb_hub_wants_input(session->peer);
  if (paused != session->paused) sdb_net_pause(session->conn, paused);
  session->paused = paused;
}

static void on_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size) {
  (void)conn;
  sdb_database *database = context;
  sdb_session *session = tag;
  if (database->draining || !session) return;
  sdb_hub_on_message(
      database->hub, session->peer, sdb_slice_make(message, size), sdb_net_now_ms(database->net));
  pace(session);
}

static void on_output_level(void *context, sdb_conn *conn, void *tag, size_t bytes) {
  (void)conn;
  sdb_database *database = context;
  sdb_session *session = tag;
  if (!session) return;
  sdb_hub_on_output_level(database->hub, session->peer, bytes, sdb_net_now_ms(database->net));
  pace(session);
  /* The next page may be read while this one leaves; what is to be sent leaves in the next turn. */
  sdb_hub_flush(database->hub);
  sdb_net_wake(database->net);
}

static void on_closed(void *context, sdb_conn *conn, void *tag) {
  (void)conn;
  sdb_database *database = context;
  sdb_session *session = tag;
  if (!session) return;
  if (database->hub) /* else it went with its peers: nobody waited for this one to leave */
    sdb_hub_on_disconnect(database->hub, session->peer, sdb_net_now_ms(database->net));
  (void)sdb_tickets_take(&database->callers, session->ticket);
  sdb_mem_free(database->mem, session->caller);
  sdb_mem_free(database->mem, session);
}

static void on_woken(void *context) {
  (void)context; /* turn_end does what there is to do */
}

static void on_timer(void *context) {
  sdb_database *database = context;
  sdb_hub_on_timer(database->hub, sdb_net_now_ms(database->net));
}

static void run_calls(sdb_database *database) {
  sdb_call *call = sdb_calls_take(&database->calls, false);
  while (call) {
    sdb_call *next = call->next;
    if (call->run) {
      call->run(call, database);
    } else {
      call->request.tag = call;
      if (!sdb_hub_request(database->hub, &call->request, sdb_net_now_ms(database->net)))
        sdb_call_complete(call, SDB_NO_MEMORY, NULL);
    }
    call = next;
  }
}

/* Ends the two waits of sdb_database_close when what they wait for is there. */
static void check_waits(sdb_database *database) {
  sdb_call *call = database->waits_for_storage;
  if (call && database->in_flight == 0) {
    database->waits_for_storage = NULL;
    sdb_call_complete(call, SDB_OK, NULL);
  }
  call = database->waits_for_peers;
  if (call && (sdb_net_connections(database->net) == 0 ||
                  sdb_net_now_ms(database->net) >= database->peers_deadline_ms)) {
    database->waits_for_peers = NULL;
    sdb_call_complete(call, SDB_OK, NULL);
  }
}

void sdb_server_begin_drain(sdb_database *database) {
  if (database->draining) return;
  database->draining = true;
  sdb_hub_stop_judging(database->hub);
}

static void on_turn_end(void *context) {
  sdb_database *database = context;
  if (atomic_load_explicit(&database->drain_asked, memory_order_relaxed))
    sdb_server_begin_drain(database);
  sdb_completions_deliver(database);
  run_calls(database);
  sdb_server_drain(database);
  check_waits(database);
}

sdb_net_handler sdb_server_handler(sdb_database *database) {
  return (sdb_net_handler){
      .context = database,
      .request = sdb_server_on_request,
      .message = on_message,
      .output_level = on_output_level,
      .closed = on_closed,
      .woken = on_woken,
      .timer = on_timer,
      .turn_end = on_turn_end,
  };
}

void *sdb_server_loop(void *context) {
  sdb_database *database = context;
  sdb_net_run(database->net);
  return NULL;
}
