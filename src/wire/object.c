/* wire/object.c: an object as it is stored: the client's text, with `$createdAt` set right. */
#include "base/error.h"
#include "wire/wire.h"

#define CREATED_AT "$createdAt"

static void append_created_at(
    sdb_buffer *to, const sdb_json *json, uint32_t at, sdb_slice raw, uint64_t now_ms) {
  sdb_buffer_append(to, raw.data, raw.size - 1); /* all but the closing brace */
  if (sdb_json_at(json, at)->count > 0) sdb_json_write_raw(to, ",");
  sdb_json_write_raw(to, "\"" CREATED_AT "\":");
  sdb_json_write_uint64(to, now_ms);
  sdb_json_write_raw(to, "}");
}

sdb_status sdb_wire_object_write(
    sdb_buffer *to, const sdb_json *json, uint32_t at, uint64_t now_ms, sdb_error *error) {
  sdb_slice raw = sdb_json_raw(json, at);
  uint32_t created = sdb_json_member(json, at, sdb_slice_of(CREATED_AT));
  if (created == 0) {
    append_created_at(to, json, at, raw, now_ms);
    return SDB_OK;
  }
  uint64_t created_ms;
  if (sdb_json_at(json, created)->type != SDB_JSON_NUMBER ||
      !sdb_json_uint64(json, created, &created_ms)) {
    sdb_error_set(error, SDB_INVALID_OBJECT,
        CREATED_AT " is not whole milliseconds since the epoch", NULL, NULL);
    if (error) sdb_text_copy(error->path, sizeof(error->path), sdb_slice_of("/" CREATED_AT));
    return SDB_INVALID_OBJECT;
  }
  if (created_ms <= now_ms) {
    sdb_buffer_append_slice(to, raw);
    return SDB_OK;
  }
  const sdb_json_token *token = sdb_json_at(json, created);
  size_t head = (size_t)(json->text + token->start - raw.data);
  size_t tail = (size_t)(json->text + token->end - raw.data);
  sdb_buffer_append(to, raw.data, head);
  sdb_json_write_uint64(to, now_ms);
  sdb_buffer_append(to, raw.data + tail, raw.size - tail);
  return SDB_OK;
}
