/* wire/encode_client.c: client to server messages, each as its text alone.
 *
 * A client's frame is masked with a key of its own, and a push waits as text until there is a
 * connection: so nothing here knows of frames.
 */
#include "wire/text.h"
#include "wire/wire.h"

/* A member's key: the name of a store, which needs no escape. */
static void write_key(sdb_buffer *to, const char *store) {
  sdb_json_write_raw(to, "\"");
  sdb_wire_write_text(to, store);
  sdb_json_write_raw(to, "\":");
}

/* What comes before item `written` of a list. */
static void write_comma(sdb_buffer *to, size_t written) {
  if (written > 0) sdb_json_write_raw(to, ",");
}

static void write_sync_status(sdb_buffer *to, const sdb_wire_hello *hello) {
  sdb_json_write_raw(to, "\"syncStatus\":{");
  for (size_t i = 0; i < hello->stores_count; i++) {
    write_comma(to, i);
    write_key(to, hello->stores[i].store);
    sdb_wire_write_id(to, hello->stores[i].head);
  }
  sdb_json_write_raw(to, "}");
}

static void write_range(sdb_buffer *to, const sdb_wire_range *range) {
  sdb_json_write_raw(to, "{\"after\":");
  sdb_wire_write_id(to, range->after);
  sdb_json_write_raw(to, ",\"before\":");
  sdb_wire_write_id(to, range->before);
  sdb_json_write_raw(to, "}");
}

static void write_missing(sdb_buffer *to, const sdb_wire_hello *hello) {
  size_t written = 0;
  for (size_t i = 0; i < hello->stores_count; i++) {
    const sdb_wire_store_status *status = &hello->stores[i];
    if (status->missing_count == 0) continue;
    if (written == 0) sdb_json_write_raw(to, ",\"missing\":{");
    write_comma(to, written++);
    write_key(to, status->store);
    sdb_json_write_raw(to, "[");
    for (size_t r = 0; r < status->missing_count; r++) {
      write_comma(to, r);
      write_range(to, &status->missing[r]);
    }
    sdb_json_write_raw(to, "]");
  }
  if (written > 0) sdb_json_write_raw(to, "}");
}

static void write_window(sdb_buffer *to, const sdb_wire_hello *hello) {
  size_t written = 0;
  for (size_t i = 0; i < hello->stores_count; i++) {
    const sdb_wire_store_status *status = &hello->stores[i];
    if (status->window == SDB_WIRE_WINDOW_ALL) continue;
    if (written == 0) sdb_json_write_raw(to, ",\"window\":{");
    write_comma(to, written++);
    write_key(to, status->store);
    sdb_json_write_uint64(to, status->window);
  }
  if (written > 0) sdb_json_write_raw(to, "}");
}

void sdb_wire_client_hello(sdb_buffer *to, const sdb_wire_hello *hello) {
  sdb_json_write_raw(to, "{\"type\":\"client_hello\",\"data\":{");
  write_sync_status(to, hello);
  write_missing(to, hello);
  write_window(to, hello);
  if (hello->accepts_append) sdb_json_write_raw(to, ",\"accept\":[\"append\"]");
  if (!sdb_uuid_is_nil(hello->database)) {
    sdb_json_write_raw(to, ",\"database\":");
    sdb_wire_write_id(to, hello->database);
  }
  sdb_json_write_raw(to, ",\"protocol\":");
  sdb_json_write_uint64(to, SDB_WIRE_PROTOCOL);
  if (hello->token.size > 0) {
    sdb_json_write_raw(to, ",\"token\":");
    sdb_json_write_string(to, hello->token);
  }
  sdb_json_write_raw(to, "}}");
}

void sdb_wire_push(
    sdb_buffer *to, const char *store, sdb_uuid id, sdb_slice object, sdb_uuid client_id) {
  if (object.size > 0)
    sdb_json_write_raw(to, "{\"type\":\"update\",\"data\":{");
  else
    sdb_json_write_raw(to, "{\"type\":\"remove\",\"data\":{");
  sdb_wire_write_store(to, store);
  if (!sdb_uuid_is_nil(id)) {
    sdb_json_write_raw(to, ",\"id\":");
    sdb_wire_write_id(to, id);
  }
  if (object.size > 0) {
    sdb_json_write_raw(to, ",\"object\":");
    sdb_buffer_append_slice(to, object);
  }
  if (!sdb_uuid_is_nil(client_id)) {
    sdb_json_write_raw(to, ",\"clientId\":");
    sdb_wire_write_id(to, client_id);
  }
  sdb_json_write_raw(to, "}}");
}

void sdb_wire_fetch(
    sdb_buffer *to, const char *store, sdb_uuid after, sdb_uuid before, uint32_t limit) {
  sdb_json_write_raw(to, "{\"type\":\"fetch\",\"data\":{");
  sdb_wire_write_store(to, store);
  sdb_json_write_raw(to, ",\"after\":");
  sdb_wire_write_id(to, after);
  sdb_json_write_raw(to, ",\"before\":");
  sdb_wire_write_id(to, before);
  sdb_json_write_raw(to, ",\"limit\":");
  sdb_json_write_uint64(to, limit);
  sdb_json_write_raw(to, "}}");
}

void sdb_wire_auth(sdb_buffer *to, sdb_slice token) {
  sdb_json_write_raw(to, "{\"type\":\"auth\",\"data\":{\"token\":");
  sdb_json_write_string(to, token);
  sdb_json_write_raw(to, "}}");
}

void sdb_wire_ping(sdb_buffer *to) {
  sdb_json_write_raw(to, "{\"type\":\"ping\"}");
}
