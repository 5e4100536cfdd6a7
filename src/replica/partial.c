/* replica/partial.c: `partial`: objects that are being written. In memory only, gone with the
 * connection.
 *
 * The object's text is kept whole. An append goes in where its field's string ends, and what stands
 * behind that (`","$createdAt":...}`) is moved: it is short, so an append costs about what it
 * appends.
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

static sdb_device_partial *of_entry(sdb_entry *entry) {
  return entry ? SDB_CONTAINER_OF(entry, sdb_device_partial, by_id) : NULL;
}

sdb_device_partial *sdb_partial_find(const sdb_replica *replica, sdb_uuid id) {
  return of_entry(sdb_table_find(&replica->partials, id));
}

void sdb_partial_drop(sdb_replica *replica, sdb_device_partial *partial) {
  sdb_table_remove(&replica->partials, &partial->by_id);
  replica->partials_bytes -= partial->text.size;
  sdb_buffer_free(&partial->text);
  sdb_buffer_free(&partial->field);
  sdb_mem_free(replica->mem, partial);
}

void sdb_partials_drop_all(sdb_replica *replica) {
  sdb_table *table = &replica->partials;
  for (uint32_t i = 0; i < table->buckets_count; i++) {
    while (table->buckets[i]) {
      sdb_device_partial *partial = of_entry(table->buckets[i]);
      uint16_t store = partial->store;
      sdb_uuid id = partial->by_id.key;
      sdb_partial_drop(replica, partial);
      /* Without memory for it the application is to list the store anew. */
      if (!sdb_batch_view(replica, store, id, (sdb_uuid){{0}})) {
        sdb_replica_note_reset(replica, store);
      }
    }
  }
}

static sdb_device_partial *create(sdb_replica *replica, uint16_t store, sdb_uuid id) {
  if (replica->partials.count >= SDB_REPLICA_PARTIALS_MAX) return NULL;
  sdb_device_partial *partial = sdb_mem_zero(replica->mem, sizeof(*partial));
  if (!partial) return NULL;
  partial->by_id.key = id;
  partial->store = store;
  sdb_buffer_init(&partial->text, replica->mem, SDB_REPLICA_PARTIAL_BYTES_MAX);
  sdb_buffer_init(&partial->field, replica->mem, SDB_REPLICA_PARTIAL_BYTES_MAX);
  sdb_table_insert(&replica->partials, &partial->by_id);
  return partial;
}

/* One change shows all that came until it is told: tokens fold by themselves. */
static bool tell(sdb_replica *replica, sdb_device_partial *partial) {
  if (partial->told_due) return true;
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_VIEW, partial->store);
  if (!change) return false;
  change->id = partial->by_id.key;
  change->created = true; /* if it is gone by then, there is nothing to tell */
  partial->told_due = true;
  return true;
}

/* ---- appending ---- */

/* Finds where the string of `field` ends in the text. False: there is no such string field. */
static bool find_field(sdb_replica *replica, sdb_device_partial *partial, sdb_slice field) {
  sdb_json scanned;
  bool found = false;
  sdb_json_init(&scanned, replica->mem, SDB_REPLICA_PARTIAL_BYTES_MAX);
  if (sdb_json_scan(&scanned, sdb_buffer_slice(&partial->text), SDB_JSON_DEPTH_MAX, NULL) ==
      SDB_OK) {
    uint32_t at = sdb_json_member(&scanned, 0, field);
    found = at != 0 && sdb_json_at(&scanned, at)->type == SDB_JSON_STRING;
    if (found) partial->append_at = sdb_json_at(&scanned, at)->end;
  }
  sdb_json_free(&scanned);
  sdb_buffer_reset(&partial->field);
  if (found) sdb_buffer_append_slice(&partial->field, field);
  return found;
}

/* `escaped` as it stands in JSON. False: the partial cannot take it. */
static bool append(
    sdb_replica *replica, sdb_device_partial *partial, sdb_slice field, sdb_slice escaped) {
  bool same = partial->field.size > 0 && partial->field.status == SDB_OK &&
              sdb_slice_equal(sdb_buffer_slice(&partial->field), field);
  if (!same && !find_field(replica, partial, field)) return false;
  if (escaped.size == 0) return true;
  sdb_buffer *text = &partial->text;
  if (!sdb_buffer_reserve(text, escaped.size)) return false;
  char *at = text->data + partial->append_at;
  memmove(at + escaped.size, at, text->size - partial->append_at);
  memcpy(at, escaped.data, escaped.size);
  sdb_buffer_commit(text, escaped.size);
  if (!SDB_PLANTED(APPEND_LOST)) partial->append_at += escaped.size;
  return true;
}

/* The name at `key`, plain. False: no memory. */
static bool read_name(sdb_replica *replica, const sdb_json *json, uint32_t key, sdb_slice *name) {
  *name = sdb_json_text(json, key);
  if (!sdb_json_at(json, key)->escaped) return true;
  sdb_buffer_reset(&replica->scratch);
  char *plain = sdb_buffer_reserve(&replica->scratch, name->size);
  if (!plain) return false;
  *name = sdb_slice_make(plain, sdb_json_unescape(json, key, plain));
  return true;
}

/* Each member of `append` is a field and the text that it grows by. */
static bool append_all(
    sdb_replica *replica, sdb_device_partial *partial, const sdb_wire_message *message) {
  const sdb_json *json = message->json;
  uint32_t key = message->append + 1;
  for (uint32_t i = 0; i < sdb_json_at(json, message->append)->count; i++) {
    if (sdb_json_at(json, key + 1)->type != SDB_JSON_STRING) return false;
    sdb_slice field;
    if (!read_name(replica, json, key, &field) ||
        !append(replica, partial, field, sdb_json_text(json, key + 1)))
      return false;
    key = sdb_json_at(json, key + 1)->next;
  }
  return true;
}

/* ---- the message ---- */

/* False: it is no longer what the server has, and is not shown any more. */
static bool take(
    sdb_replica *replica, sdb_device_partial *partial, const sdb_wire_message *message) {
  if (message->object == 0) return append_all(replica, partial, message);
  sdb_buffer_reset(&partial->field);
  sdb_buffer_reset(&partial->text);
  sdb_buffer_append_slice(&partial->text, sdb_json_raw(message->json, message->object));
  return partial->text.status == SDB_OK;
}

void sdb_replica_on_partial(
    sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms) {
  int store = sdb_replica_find_store(replica, message);
  if (store < 0 || sdb_uuid_is_nil(message->id) || replica->stores[store].singular) return;
  sdb_device_partial *partial = sdb_partial_find(replica, message->id);
  if (partial && partial->store != store) return;
  if (!partial && message->object != 0) partial = create(replica, (uint16_t)store, message->id);
  if (!partial || (message->object == 0 && message->append == 0)) return;
  replica->partials_bytes -= partial->text.size;
  bool taken = take(replica, partial, message);
  replica->partials_bytes += partial->text.size;
  taken = taken && replica->partials_bytes <= SDB_REPLICA_PARTIALS_BYTES_MAX;
  bool told = taken && tell(replica, partial);
  if (told) return;
  sdb_uuid id = partial->by_id.key;
  sdb_partial_drop(replica, partial);
  if (!sdb_batch_view(replica, (uint16_t)store, id, (sdb_uuid){{0}}))
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
}
