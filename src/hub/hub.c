/* hub/hub.c: the hub's inputs, each handed to the file that knows what to do.
 *
 * Invariant: no input calls the owner back. What follows stands in the lists of
 * outputs and of staged operations when the input returns.
 */
#include "base/error.h"
#include "base/planted.h"
#include "hub/state.h"

/* Messages are at most message_bytes_max, a byte is at most a token. */
#define TOKENS_MAX ((size_t)1 << 26)
#define RUN_BYTES_MAX ((size_t)1 << 30)

/* ---- life ---- */

sdb_status sdb_hub_create(const sdb_hub_options *options, sdb_hub **hub) {
  if (options->stores_count == 0 || options->stores_count > SDB_STORES_MAX)
    return SDB_INVALID_ARGUMENT;
  const sdb_mem *mem = options->mem;
  sdb_hub *made = sdb_mem_zero(mem, sizeof(*made));
  if (!made) return SDB_NO_MEMORY;
  made->users = sdb_mem_zero(mem, SDB_USER_BUCKETS_MIN * sizeof(*made->users));
  if (!made->users) {
    sdb_mem_free(mem, made);
    return SDB_NO_MEMORY;
  }
  made->users_buckets = SDB_USER_BUCKETS_MIN;
  made->options = *options;
  made->mem = mem;
  made->limits = options->limits;
  made->database = options->storage->database;
  made->epoch = options->storage->epoch;
  made->hellos.last = &made->hellos.first;
  made->identities.last = &made->identities.first;
  made->staged_last = &made->staged;
  made->attention_last = &made->attention;
  made->events_last = &made->events;
  made->dones_last = &made->dones;
  made->asked_last = &made->asked;
  sdb_tickets_init(&made->tickets, mem);
  made->expiry_ms = UINT64_MAX;
  sdb_json_init(&made->json, mem, TOKENS_MAX);
  sdb_wire_run_init(&made->run, mem, RUN_BYTES_MAX, options->frame_header);
  sdb_buffer_init(&made->scratch, mem, RUN_BYTES_MAX);
  *hub = made;
  return SDB_OK;
}

/* Peers that the owner still holds go with the hub, and so does what hangs on them. */
static void disconnect_all(sdb_hub *hub) {
  while (hub->all_peers)
    sdb_hub_on_disconnect(hub, hub->all_peers, 0);
}

static void free_partials(sdb_hub *hub) {
  for (uint32_t i = 0; i < hub->users_buckets; i++) {
    sdb_user *user = hub->users[i];
    while (user) {
      sdb_user *next = user->hash_next;
      user->references++;
      while (user->partials)
        sdb_partial_free(user->partials);
      sdb_user_release(user);
      user = next;
    }
  }
}

void sdb_hub_destroy(sdb_hub *hub) {
  if (!hub) return;
  SDB_ASSERT(!hub->staged);
  sdb_hub_stop_judging(hub);
  SDB_ASSERT(!hub->trials);
  disconnect_all(hub);
  free_partials(hub);
  sdb_hub_output output;
  while (sdb_hub_next_output(hub, &output)) {
    if (output.kind == SDB_HUB_SEND) sdb_frames_release(output.frames);
  }
  SDB_ASSERT(hub->users_count == 0);
  SDB_ASSERT(!hub->promised);
  sdb_mem_free(hub->mem, hub->sends);
  sdb_tickets_free(&hub->tickets);
  sdb_json_free(&hub->json);
  sdb_wire_run_free(&hub->run);
  sdb_buffer_free(&hub->scratch);
  sdb_mem_free(hub->mem, hub->users);
  sdb_mem_free(hub->mem, hub);
}

/* ---- messages ---- */

static void on_bad(sdb_peer *peer, const sdb_wire_message *message, sdb_status status,
    const sdb_error *error, uint64_t now_ms) {
  if (status == SDB_NO_MEMORY)
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
  else if (status == SDB_BAD_JSON || peer->state != SDB_PEER_LIVE)
    sdb_hub_close_peer(peer, SDB_CLOSE_BAD_MESSAGE, error->message);
  else if (sdb_push_allow(peer, now_ms))
    sdb_hub_send_error(peer, error, message->client_id, NULL);
}

static void on_live_message(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms) {
  switch (message->type) {
  case SDB_WIRE_UPDATE:
  case SDB_WIRE_REMOVE:
    sdb_hub_on_push(peer, message, now_ms);
    break;
  case SDB_WIRE_FETCH:
    sdb_hub_on_fetch(peer, message);
    break;
  case SDB_WIRE_AUTH:
    sdb_hub_on_auth(peer, message, now_ms);
    break;
  case SDB_WIRE_PING:
    sdb_wire_pong(&peer->hub->run);
    sdb_hub_send_run(peer);
    break;
  case SDB_WIRE_CLIENT_HELLO:
    sdb_hub_close_peer(peer, SDB_CLOSE_BAD_MESSAGE, "a second client_hello");
    break;
  case SDB_WIRE_SERVER_HELLO:
  case SDB_WIRE_PARTIAL:
  case SDB_WIRE_SYNCED:
  case SDB_WIRE_ERROR:
  case SDB_WIRE_PONG:
    SDB_UNREACHABLE(); /* decode gives a client's messages only */
  }
}

void sdb_hub_on_message(sdb_hub *hub, sdb_peer *peer, sdb_slice text, uint64_t now_ms) {
  SDB_ASSERT(peer->hub == hub && peer->connected);
  if (peer->state == SDB_PEER_CLOSING) return;
  if (peer->state == SDB_PEER_GREETED) {
    if (!sdb_peer_wait(peer, text))
      sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "too much was sent behind the hello");
    return;
  }
  sdb_wire_message message;
  sdb_error error = {0};
  sdb_status status =
      sdb_wire_decode(&hub->json, text, (int)hub->limits.depth_max, &message, &error);
  if (status != SDB_OK)
    on_bad(peer, &message, status, &error, now_ms);
  else if (peer->state == SDB_PEER_LIVE)
    on_live_message(peer, &message, now_ms);
  else if (message.type == SDB_WIRE_CLIENT_HELLO)
    sdb_hub_on_hello(peer, &message, text, now_ms);
  else
    sdb_hub_close_peer(peer, SDB_CLOSE_BAD_MESSAGE, "the first message is not a client_hello");
}

/* ---- storage ---- */

void sdb_hub_stage(sdb_hub *hub, sdb_op *op) {
  op->next = NULL;
  *hub->staged_last = op;
  hub->staged_last = &op->next;
}

void sdb_hub_flush(sdb_hub *hub) {
  sdb_op *list = hub->staged;
  if (!list) return;
  hub->staged = NULL;
  hub->staged_last = &hub->staged;
  hub->options.storage->submit(hub->options.storage->self, list);
}

static void on_page(sdb_hub *hub, sdb_page_op *op) {
  if (op->peer)
    sdb_catchup_on_page(hub, op);
  else
    sdb_request_on_page(hub, op);
}

void sdb_hub_on_completed(sdb_hub *hub, sdb_op *list, uint64_t now_ms) {
  while (list) {
    sdb_op *op = list;
    list = op->next;
    op->next = NULL;
    switch (op->kind) {
    case SDB_OP_USER:
      sdb_user_on_loaded(hub, (sdb_load_op *)(void *)op, now_ms);
      break;
    case SDB_OP_WRITE:
      sdb_write_on_done(hub, (sdb_write_op *)(void *)op, now_ms);
      break;
    case SDB_OP_PAGE:
      on_page(hub, (sdb_page_op *)(void *)op);
      break;
    case SDB_OP_OBJECT:
      sdb_request_on_object(hub, (sdb_object_op *)(void *)op);
      break;
    case SDB_OP_RESERVE:
      sdb_partial_on_reserved(hub, (sdb_reserve_op *)(void *)op);
      break;
    }
  }
}

/* ---- time ---- */

static void close_expired(sdb_hub *hub, uint64_t now_ms) {
  hub->expiry_ms = UINT64_MAX;
  if (SDB_PLANTED(EXPIRED_TOKEN_SERVED)) return;
  for (sdb_peer *peer = hub->all_peers; peer; peer = peer->all_next) {
    if (peer->expires_ms == 0 || peer->state == SDB_PEER_CLOSING) continue;
    if (peer->expires_ms <= now_ms)
      sdb_hub_close_peer(peer, SDB_CLOSE_UNAUTHORIZED, "");
    else if (peer->expires_ms < hub->expiry_ms)
      hub->expiry_ms = peer->expires_ms;
  }
}

static uint64_t next_due_ms(const sdb_hub *hub, const sdb_peer_queue *queue) {
  return queue->first ? queue->first->wait_ms + hub->limits.hello_timeout_ms : UINT64_MAX;
}

/* First those whose identity ended: behind one of them another's hello may be due already, where
 * the clock stepped back. */
void sdb_hub_on_timer(sdb_hub *hub, uint64_t now_ms) {
  if (hub->expiry_ms <= now_ms) close_expired(hub, now_ms);
  sdb_trials_time_out(hub, now_ms);
  while (next_due_ms(hub, &hub->hellos) <= now_ms)
    sdb_hub_close_peer(hub->hellos.first, SDB_CLOSE_NO_HELLO, "no client_hello in time");
  while (next_due_ms(hub, &hub->identities) <= now_ms)
    sdb_hub_close_peer(
        hub->identities.first, SDB_CLOSE_OVERLOADED, "nobody has said in time who this is");
}

uint64_t sdb_hub_deadline_ms(const sdb_hub *hub) {
  uint64_t deadline_ms = sdb_trials_deadline_ms(hub);
  if (hub->expiry_ms < deadline_ms) deadline_ms = hub->expiry_ms;
  uint64_t hello_ms = next_due_ms(hub, &hub->hellos);
  if (hello_ms < deadline_ms) deadline_ms = hello_ms;
  uint64_t identity_ms = next_due_ms(hub, &hub->identities);
  return identity_ms < deadline_ms ? identity_ms : deadline_ms;
}

void sdb_hub_stats_get(const sdb_hub *hub, sdb_hub_stats *stats) {
  *stats = hub->stats;
  stats->users = hub->users_count;
}
