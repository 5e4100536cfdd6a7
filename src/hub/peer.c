/* hub/peer.c: a device's connection, from connect to disconnect. */
#include "base/error.h"
#include "hub/state.h"

void sdb_peer_retain(sdb_peer *peer) {
  peer->references++;
}

static sdb_early_message *take_early(sdb_peer *peer) {
  sdb_early_message *message = peer->early;
  if (!message) return NULL;
  peer->early = message->next;
  if (!peer->early) peer->early_last = &peer->early;
  peer->early_bytes -= message->size + sizeof(*message);
  return message;
}

void sdb_peer_release(sdb_peer *peer) {
  SDB_ASSERT(peer->references > 0);
  if (--peer->references > 0) return;
  SDB_ASSERT(!peer->connected && !peer->user);
  const sdb_mem *mem = peer->hub->mem;
  sdb_early_message *message;
  while ((message = take_early(peer)))
    sdb_mem_free(mem, message);
  sdb_mem_free(mem, peer->hello);
  sdb_mem_free(mem, peer->ranges);
  sdb_mem_free(mem, peer);
}

/* ---- the lists it stands in ---- */

static void join_lists(sdb_hub *hub, sdb_peer *peer) {
  peer->all_next = hub->all_peers;
  peer->all_at = &hub->all_peers;
  if (peer->all_next) peer->all_next->all_at = &peer->all_next;
  hub->all_peers = peer;
  peer->hello_at = hub->hello_last;
  *hub->hello_last = peer;
  hub->hello_last = &peer->hello_next;
}

void sdb_peer_leave_hello_queue(sdb_peer *peer) {
  if (!peer->hello_at) return;
  *peer->hello_at = peer->hello_next;
  if (peer->hello_next)
    peer->hello_next->hello_at = peer->hello_at;
  else
    peer->hub->hello_last = peer->hello_at;
  peer->hello_next = NULL;
  peer->hello_at = NULL;
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
  sdb_peer *peer = sdb_mem_zero(hub->mem, sizeof(*peer));
  if (!peer) return NULL;
  peer->hub = hub;
  peer->tag = tag;
  peer->references = 1;
  peer->early_last = &peer->early;
  peer->connected_ms = peer->rate_ms = now_ms;
  peer->rate_tokens = hub->limits.pushes_per_second;
  if (user.size > 0 && !sdb_peer_set_user(peer, user, expires_ms)) {
    sdb_mem_free(hub->mem, peer);
    return NULL;
  }
  peer->connected = true;
  join_lists(hub, peer);
  hub->stats.peers++;
  return peer;
}

void sdb_hub_on_disconnect(sdb_hub *hub, sdb_peer *peer, uint64_t now_ms) {
  (void)now_ms;
  SDB_ASSERT(peer->connected);
  peer->connected = false;
  peer->state = SDB_PEER_CLOSING;
  sdb_peer_leave_hello_queue(peer);
  *peer->all_at = peer->all_next;
  if (peer->all_next) peer->all_next->all_at = peer->all_at;
  leave_user(peer);
  hub->stats.peers--;
  sdb_peer_release(peer);
}

/* ---- messages before the answer to the hello ---- */

void sdb_peer_keep_early(sdb_peer *peer, sdb_slice text) {
  sdb_hub *hub = peer->hub;
  /* The owner stops reading (sdb_hub_wants_input); this much it may have read already. */
  size_t bytes_max = (size_t)hub->limits.message_bytes_max + SDB_EARLY_BYTES_MAX;
  sdb_early_message *message = NULL;
  if (text.size + sizeof(*message) <= bytes_max - peer->early_bytes)
    message = sdb_mem_alloc(hub->mem, sizeof(*message) + text.size);
  if (!message) {
    sdb_hub_close_peer(peer, 1013, "too much before the server_hello");
    return;
  }
  message->next = NULL;
  message->size = text.size;
  if (text.size > 0) memcpy(message->text, text.data, text.size);
  peer->early_bytes += text.size + sizeof(*message);
  *peer->early_last = message;
  peer->early_last = &message->next;
}

void sdb_peer_run_early(sdb_peer *peer, uint64_t now_ms) {
  sdb_early_message *message;
  while ((message = take_early(peer))) {
    sdb_hub_on_message(peer->hub, peer, sdb_slice_make(message->text, message->size), now_ms);
    sdb_mem_free(peer->hub->mem, message);
  }
}

bool sdb_hub_wants_input(const sdb_peer *peer) {
  if (peer->state == SDB_PEER_GREETED) return false;
  return peer->output_level + peer->in_flight_bytes < peer->hub->limits.output_soft_bytes;
}

void sdb_hub_on_output_level(sdb_hub *hub, sdb_peer *peer, size_t bytes, uint64_t now_ms) {
  (void)hub;
  (void)now_ms;
  peer->output_level = bytes;
  if (peer->state != SDB_PEER_LIVE) return;
  sdb_catchup_continue(peer);
  sdb_partials_catch_up(peer);
}
