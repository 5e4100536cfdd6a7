/* hub/auth.c: `auth`, and the answers to what was asked of the owner about a token. */
#include "base/error.h"
#include "hub/state.h"

static void refuse(sdb_peer *peer) {
  sdb_hub_close_peer(peer, SDB_CLOSE_UNAUTHORIZED, "");
}

static void answer_too_soon(sdb_peer *peer) {
  sdb_error error;
  sdb_error_set(&error, SDB_RATE_LIMITED, "an earlier auth is not answered yet", NULL, NULL);
  sdb_hub_send_error(peer, &error, (sdb_uuid){{0}}, NULL);
}

void sdb_hub_on_auth(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms) {
  if (message->token == 0) {
    refuse(peer);
    return;
  }
  if (peer->authenticating) {
    answer_too_soon(peer);
    return;
  }
  sdb_buffer *scratch = &peer->hub->scratch;
  sdb_buffer_reset(scratch);
  size_t size = sdb_json_text(message->json, message->token).size;
  char *token = size ? sdb_buffer_reserve(scratch, size) : NULL;
  if (!token) {
    refuse(peer);
    return;
  }
  size = sdb_json_unescape(message->json, message->token, token);
  sdb_hub_authenticate(peer, sdb_slice_make(token, size), now_ms);
}

static bool is_same_user(const sdb_peer *peer, sdb_slice user) {
  return sdb_slice_equal(sdb_slice_make(peer->user->name, peer->user->name_size), user);
}

/* The expiry may now be later than hub->expiry_ms says; the timer then finds nothing to do. */
static void renew(sdb_peer *peer, sdb_slice user, uint64_t expires_ms) {
  if (!is_same_user(peer, user)) {
    refuse(peer);
    return;
  }
  peer->expires_ms = expires_ms;
  if (expires_ms && expires_ms < peer->hub->expiry_ms) peer->hub->expiry_ms = expires_ms;
}

void sdb_hub_on_identity(
    sdb_hub *hub, sdb_peer *peer, sdb_slice user, uint64_t expires_ms, uint64_t now_ms) {
  SDB_ASSERT(peer->hub == hub && peer->authenticating);
  peer->authenticating = false;
  sdb_peer_leave_queue(peer);
  if (peer->state == SDB_PEER_CLOSING) return;
  if (user.size == 0 || user.size > SDB_USER_NAME_MAX)
    refuse(peer);
  else if (peer->user)
    renew(peer, user, expires_ms);
  else if (!sdb_peer_set_user(peer, user, expires_ms))
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "too many connections of this user");
  if (peer->state == SDB_PEER_GREETED) sdb_hub_answer_hello(peer, now_ms);
}
