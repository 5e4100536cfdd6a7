/* hub/fetch.c: `fetch`: part of a range below the head, on demand. */
#include "base/error.h"
#include "hub/state.h"

/* Ranges that wait their turn on one connection. */
#define FETCHES_MAX 64

/* Nil stays 0. False: not an id of this database. */
static bool read_bound(const sdb_hub *hub, sdb_uuid id, sdb_seq *seq) {
  return sdb_uuid_is_nil(id) || sdb_seq_from_uuid(id, hub->database, seq);
}

static sdb_status read_range(
    sdb_peer *peer, const sdb_wire_message *message, sdb_range *range, sdb_error *error) {
  const sdb_hub *hub = peer->hub;
  if (message->store == 0)
    return sdb_error_set(error, SDB_BAD_MESSAGE, "store is missing", NULL, NULL);
  int store = sdb_stores_find_wire(
      hub->options.stores, hub->options.stores_count, sdb_json_text(message->json, message->store));
  if (store < 0)
    return sdb_error_set(error, SDB_UNKNOWN_STORE, sdb_status_text(SDB_UNKNOWN_STORE), NULL, NULL);
  range->store = (uint16_t)store;
  if (!read_bound(hub, message->after, &range->after) ||
      !read_bound(hub, message->before, &range->before))
    return sdb_error_set(error, SDB_BAD_MESSAGE, "a bound is no id of this database", NULL, NULL);
  range->to_head = range->before == 0;
  if (range->to_head) range->before = peer->user->heads[store].head + 1;
  if (range->after >= range->before)
    return sdb_error_set(error, SDB_BAD_MESSAGE, "the range is reversed", NULL, NULL);
  if (message->limit == 0)
    return sdb_error_set(error, SDB_BAD_MESSAGE, "limit is missing or 0", NULL, NULL);
  range->left = message->limit < SDB_LIST_LIMIT_MAX ? message->limit : SDB_LIST_LIMIT_MAX;
  range->next = range->before;
  return SDB_OK;
}

void sdb_hub_on_fetch(sdb_peer *peer, const sdb_wire_message *message) {
  sdb_range range = {0};
  sdb_error error;
  sdb_status status = read_range(peer, message, &range, &error);
  if (status == SDB_OK && peer->ranges_count - peer->ranges_done >=
                              FETCHES_MAX + SDB_MISSING_RANGES_MAX + SDB_STORES_MAX)
    status = sdb_error_set(&error, SDB_RATE_LIMITED, "too many fetches at once", NULL, NULL);
  if (status != SDB_OK) {
    sdb_hub_send_error(peer, &error, (sdb_uuid){{0}}, NULL);
  } else if (!sdb_catchup_add(peer, &range)) {
    sdb_hub_close_peer(peer, 1013, "out of memory");
  } else {
    sdb_catchup_continue(peer);
  }
}
