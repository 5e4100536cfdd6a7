/* hub/peer.c: a device's connection, from connect to disconnect. */
#include "hub/state.h"

void sdb_peer_retain(sdb_peer *peer) {
  peer->references++;
}

void sdb_peer_release(sdb_peer *peer) {
  SDB_ASSERT(peer->references > 0);
  if (--peer->references > 0) return;
  SDB_ASSERT(!peer->connected && !peer->user);
  sdb_mem_free(peer->hub->mem, peer->text);
  sdb_mem_free(peer->hub->mem, peer);
}

/* ---- the lists it stands in ---- */

static void join_lists(sdb_hub *hub, sdb_peer *peer) {
  peer->all_next = hub->all_peers;
  peer->all_at = &hub->all_peers;
  if (peer->all_next) peer->all_next->all_at = &peer->all_next;
  hub->all_peers = peer;
}

void sdb_peer_await(sdb_peer *peer, sdb_peer_queue *queue, uint64_t now_ms) {
  sdb_peer_leave_queue(peer);
  peer->wait_queue = queue;
  peer->wait_ms = now_ms;
  peer->wait_at = queue->last;
  *queue->last = peer;
  queue->last = &peer->wait_next;
}

void sdb_peer_leave_queue(sdb_peer *peer) {
  if (!peer->wait_at) return;
  *peer->wait_at = peer->wait_next;
  if (peer->wait_next)
    peer->wait_next->wait_at = peer->wait_at;
  else
    peer->wait_queue->last = peer->wait_at;
  peer->wait_next = NULL;
  peer->wait_at = NULL;
}

static void leave_user(sdb_peer *peer) {
  sdb_user *user = peer->user;
  if (!user) return;
  sdb_peer **at = &user->peers;
  while (*at != peer)
    at = &(*at)->user_next;
  *at = peer->user_next;
  user->peers_count--;
  sdb_partials_forget_peer(peer);
  peer->user = NULL;
  sdb_user_release(user);
}

/* ---- messages behind a hello that is not answered yet ---- */

/* Who is not known to be anybody may have less wait. */
static size_t waiting_bytes_max(const sdb_peer *peer) {
  size_t bytes_max = peer->hub->limits.message_bytes_max;
  return peer->user ? 2 * bytes_max : bytes_max;
}

bool sdb_peer_wait(sdb_peer *peer, sdb_slice text) {
  size_t size = sizeof(sdb_waiting_message) + text.size;
  if (peer->waiting && peer->waiting_bytes + size > waiting_bytes_max(peer)) return false;
  sdb_waiting_message *waiting = sdb_mem_alloc(peer->hub->mem, size);
  if (!waiting) return false;
  waiting->next = NULL;
  waiting->size = text.size;
  memcpy(waiting->text, text.data, text.size);
  if (!peer->waiting) peer->waiting_last = &peer->waiting;
  *peer->waiting_last = waiting;
  peer->waiting_last = &waiting->next;
  peer->waiting_bytes += size;
  return true;
}

void sdb_peer_free_waiting(sdb_peer *peer) {
  while (peer->waiting) {
    sdb_waiting_message *waiting = peer->waiting;
    peer->waiting = waiting->next;
    sdb_mem_free(peer->hub->mem, waiting);
  }
  peer->waiting_bytes = 0;
}

/* ---- life ---- */

bool sdb_peer_set_user(sdb_peer *peer, sdb_slice name, uint64_t expires_ms) {
  sdb_hub *hub = peer->hub;
  sdb_user *user = sdb_user_get(hub, name);
  if (!user) return false;
  if (user->peers_count >= hub->limits.connections_per_user) {
    sdb_user_release(user);
    return false;
  }
  peer->user = user;
  peer->user_next = user->peers;
  user->peers = peer;
  user->peers_count++;
  peer->expires_ms = expires_ms;
  if (expires_ms && expires_ms < hub->expiry_ms) hub->expiry_ms = expires_ms;
  return true;
}

sdb_peer *sdb_hub_on_connect(
    sdb_hub *hub, sdb_slice user, uint64_t expires_ms, void *tag, uint64_t now_ms) {
  if (user.size > SDB_USER_NAME_MAX) return NULL;
  sdb_peer *peer = sdb_mem_zero(hub->mem, sizeof(*peer));
  if (!peer) return NULL;
  peer->hub = hub;
  peer->tag = tag;
  peer->references = 1;
  peer->state = SDB_PEER_CONNECTED;
  if (user.size > 0 && !sdb_peer_set_user(peer, user, expires_ms)) {
    sdb_mem_free(hub->mem, peer);
    return NULL;
  }
  peer->connected = true;
  join_lists(hub, peer);
  sdb_peer_await(peer, &hub->hellos, now_ms);
  hub->stats.peers++;
  return peer;
}

void sdb_hub_on_disconnect(sdb_hub *hub, sdb_peer *peer, uint64_t now_ms) {
  (void)now_ms;
  SDB_ASSERT(peer->connected && peer->hub == hub);
  peer->connected = false;
  peer->state = SDB_PEER_CLOSING;
  sdb_peer_leave_queue(peer);
  sdb_peer_free_waiting(peer);
  sdb_catchup_free(peer);
  *peer->all_at = peer->all_next;
  if (peer->all_next) peer->all_next->all_at = peer->all_at;
  leave_user(peer);
  hub->stats.peers--;
  sdb_peer_release(peer);
}

bool sdb_hub_wants_input(const sdb_peer *peer) {
  if (peer->state == SDB_PEER_GREETED) return false;
  if (peer->in_flight >= peer->hub->limits.in_flight_max) return false;
  return peer->output_level + peer->in_flight_bytes < peer->hub->limits.output_soft_bytes;
}

void sdb_hub_on_output_level(sdb_hub *hub, sdb_peer *peer, size_t bytes, uint64_t now_ms) {
  SDB_ASSERT(peer->hub == hub);
  (void)now_ms;
  peer->output_level = bytes;
  if (peer->state != SDB_PEER_LIVE) return;
  sdb_catchup_continue(peer);
  sdb_partials_catch_up(peer);
}
