/* replica/error.c: `error` from the server: a push was refused, or a fetch. */
#include "base/error.h"
#include "replica/state.h"

/* The statuses that the protocol names (section 4); a code that is not known is a refusal. */
static sdb_status status_of(const sdb_wire_message *message) {
  static const sdb_status CODES[] = {SDB_BAD_MESSAGE, SDB_UNKNOWN_TYPE, SDB_UNKNOWN_STORE,
      SDB_INVALID_OBJECT, SDB_REJECTED, SDB_NOT_FOUND, SDB_TOO_LARGE, SDB_RATE_LIMITED,
      SDB_UNAVAILABLE};
  for (size_t i = 0; message->code && i < SDB_COUNT_OF(CODES); i++) {
    if (sdb_json_string_is(message->json, message->code, sdb_slice_of(sdb_status_name(CODES[i]))))
      return CODES[i];
  }
  return SDB_REJECTED;
}

/* Copies a string of the message, unescaped and cut to fit; NULs in it end it. */
static void copy_text(
    sdb_replica *replica, const sdb_json *json, uint32_t at, char *to, size_t capacity) {
  to[0] = 0;
  if (at == 0) return;
  sdb_buffer *scratch = &replica->scratch;
  sdb_buffer_reset(scratch);
  size_t size = sdb_json_text(json, at).size;
  char *text = size ? sdb_buffer_reserve(scratch, size) : NULL;
  if (!text) return;
  size = sdb_json_unescape(json, at, text);
  sdb_text_copy(to, capacity, sdb_slice_make(text, size));
}

/* A remove of what is gone already has done what it was for. */
static bool is_done_already(const sdb_pending *pending, sdb_status status) {
  return pending->action == SDB_ACTION_DELETE && status == SDB_NOT_FOUND;
}

/* Whatever is still held of the object goes: the event that removed it may lie in a range that is
 * missing. A singular store's object may only have been replaced, and its event comes. */
static bool remove_held(sdb_replica *replica, const sdb_pending *pending) {
  sdb_replica_store *store = &replica->stores[pending->store];
  if (store->singular) return true;
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_REMOVE, pending->store);
  if (!change) return false;
  bool above = sdb_id_above(store->told_head, store->head);
  change->id = change->event_id = pending->by_object.key;
  sdb_uuid newest = above ? store->told_head : store->head;
  if (sdb_id_above(newest, change->event_id)) change->event_id = newest;
  if (sdb_replica_must_keep_removes(store)) change->keep = store->keeps_removes = true;
  return true;
}

static bool end_done_already(sdb_replica *replica, sdb_pending *pending) {
  return remove_held(replica, pending) && sdb_pending_give_up(replica, pending);
}

void sdb_replica_on_error(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms) {
  sdb_error error = {.status = status_of(message)};
  copy_text(replica, message->json, message->text, error.message, sizeof(error.message));
  copy_text(replica, message->json, message->path, error.path, sizeof(error.path));
  if (sdb_uuid_is_nil(message->client_id)) {
    int store = sdb_replica_find_store(replica, message);
    if (store >= 0) replica->stores[store].fetching = false;
    sdb_text_copy(
        replica->link.problem, sizeof(replica->link.problem), sdb_slice_of(error.message));
    sdb_link_blank_controls(replica->link.problem);
    replica->status_due = true;
    return;
  }
  sdb_pending *pending = sdb_pending_find(replica, message->client_id);
  if (!pending) return;
  if (!is_done_already(pending, error.status))
    sdb_send_refused(replica, pending, &error, now_ms);
  else if (!end_done_already(replica, pending))
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
}
