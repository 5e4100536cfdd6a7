/* hub/fetch.c: `fetch`: part of a range below the head, on demand.
 *
 * Fetches go before what is left of the catch-up: somebody waits for them.
 */
#include "base/error.h"
#include "hub/state.h"

/* That wait on one connection. */
#define FETCHES_MAX 16

/* Nil stays 0. False: not an id of this database. */
static bool read_bound(const sdb_hub *hub, sdb_uuid id, sdb_seq *seq) {
  return sdb_uuid_is_nil(id) || sdb_seq_from_uuid(id, hub->database, seq);
}

static sdb_status read_store(
    const sdb_hub *hub, const sdb_wire_message *message, sdb_range *range, sdb_error *error) {
  if (message->store == 0)
    return sdb_error_set(error, SDB_BAD_MESSAGE, "store is missing", NULL, NULL);
  int store = sdb_hub_find_store(hub, message->json, message->store);
  if (store < 0)
    return sdb_error_set(error, SDB_UNKNOWN_STORE, sdb_status_text(SDB_UNKNOWN_STORE), NULL, NULL);
  range->store = (uint16_t)store;
  return SDB_OK;
}

/* Up to the head at most: an event above it is on its way to the peer live. */
static sdb_status read_range(
    sdb_peer *peer, const sdb_wire_message *message, sdb_range *range, sdb_error *error) {
  const sdb_hub *hub = peer->hub;
  sdb_seq top = sdb_user_head_of(peer->user, range->store) + 1;
  if (!read_bound(hub, message->after, &range->after) ||
      !read_bound(hub, message->before, &range->before))
    return sdb_error_set(error, SDB_BAD_MESSAGE, "a bound is no id of this database", NULL, NULL);
  range->to_head = range->before == 0;
  if (range->to_head) range->before = top;
  if (range->after >= range->before && !range->to_head)
    return sdb_error_set(error, SDB_BAD_MESSAGE, "the range is reversed", NULL, NULL);
  if (message->limit == 0)
    return sdb_error_set(error, SDB_BAD_MESSAGE, "limit is missing or 0", NULL, NULL);
  range->left = message->limit < SDB_LIST_LIMIT_MAX ? message->limit : SDB_LIST_LIMIT_MAX;
  range->next = range->before < top ? range->before : top;
  return SDB_OK;
}

static sdb_status fetch(
    sdb_peer *peer, const sdb_wire_message *message, sdb_range *range, sdb_error *error) {
  sdb_status status = read_range(peer, message, range, error);
  if (status != SDB_OK) return status;
  if (peer->catchup && peer->catchup->fetches >= FETCHES_MAX)
    return sdb_error_set(error, SDB_RATE_LIMITED, "too many fetches at once", NULL, NULL);
  if (!sdb_catchup_add_fetch(peer, range))
    return sdb_error_set(error, SDB_UNAVAILABLE, "out of memory", NULL, NULL);
  sdb_catchup_continue(peer);
  return SDB_OK;
}

void sdb_hub_on_fetch(sdb_peer *peer, const sdb_wire_message *message) {
  sdb_range range = {.fetched = true};
  sdb_error error;
  const char *store = NULL;
  sdb_status status = read_store(peer->hub, message, &range, &error);
  if (status == SDB_OK) {
    store = sdb_hub_store_name(peer->hub, range.store);
    status = fetch(peer, message, &range, &error);
  }
  if (status != SDB_OK) sdb_hub_send_error(peer, &error, (sdb_uuid){{0}}, store);
}
