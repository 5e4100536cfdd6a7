/* replica/synced.c: `synced`: a range was sent; and `fetch`: older events, when the application
 * asks for them. */
#include "replica/state.h"

static bool is_fetch(const sdb_replica_store *store, const sdb_wire_message *message) {
  return store->fetching && sdb_uuid_equal(store->fetch.after, message->after) &&
         sdb_uuid_equal(store->fetch.before, message->before);
}

/* Everything up to the head that the server told has come. */
static void reach_told_head(sdb_replica_store *store) {
  if (sdb_id_above(store->told_head, store->head)) store->head = store->told_head;
  store->contiguous = true;
  store->top_missing = false;
}

/* False: no memory. */
static bool take_range(
    sdb_replica *replica, sdb_replica_store *store, const sdb_wire_message *message) {
  bool to_head = sdb_uuid_is_nil(message->before);
  if (store->singular) {
    if (!message->more) reach_told_head(store);
    return true;
  }
  if (message->more) {
    /* What was sent has moved the range. Nothing was: then all above the head is missing. */
    if (to_head && !store->contiguous) store->top_missing = true;
    return true;
  }
  if (!sdb_ranges_subtract(
          &store->missing, replica->mem, message->after, message->before, replica->ranges_max))
    return false;
  if (to_head) reach_told_head(store);
  return true;
}

void sdb_replica_on_synced(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms) {
  int index = sdb_replica_find_store(replica, message);
  if (index < 0) return;
  sdb_replica_store *store = &replica->stores[index];
  bool fetched = is_fetch(store, message);
  if (!take_range(replica, store, message)) {
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
    return;
  }
  if (fetched)
    store->fetching = false;
  else if (store->awaiting > 0)
    store->awaiting--;
  if (store->awaiting == 0) store->wanted = 0;
  sdb_batch_note_state(replica, (uint16_t)index);
  replica->status_due = true;
}

/* ---- older ones ---- */

/* The newest range that begins below `before` (nil: the newest). False: there is none. */
static bool find_range(const sdb_replica_store *store, sdb_uuid before, sdb_id_range *range) {
  if (sdb_uuid_is_nil(before) && store->top_missing) {
    *range = (sdb_id_range){store->head, {{0}}};
    return true;
  }
  for (uint32_t i = 0; i < store->missing.count; i++) {
    *range = store->missing.list[i];
    if (sdb_uuid_is_nil(before) || sdb_id_above(before, range->after)) return true;
  }
  return false;
}

sdb_status sdb_replica_older(
    sdb_replica *replica, uint16_t index, sdb_uuid before, uint32_t limit) {
  sdb_replica_store *store = &replica->stores[index];
  SDB_ASSERT(limit > 0 && limit <= SDB_REPLICA_LIST_LIMIT_MAX);
  if (store->singular) return SDB_NOT_FOUND;
  if (store->fetching) return SDB_OK;
  sdb_id_range range;
  if (!find_range(store, before, &range)) return SDB_NOT_FOUND;
  if (!replica->link.greeted) return SDB_UNAVAILABLE;
  store->fetching = true;
  store->fetch = range;
  const char *name = sdb_replica_store_name(replica, index);
  sdb_wire_fetch(sdb_link_begin_message(replica), name, range.after, range.before, limit);
  sdb_link_end_message(replica);
  return SDB_OK;
}
