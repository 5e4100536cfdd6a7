/* bindings/wasm/write.c: see write.h. */
#include "write.h"
#include "fields.h"
#include "memory.h"

#define OUT_BYTES_MAX ((size_t)1 << 29)

sdb_buffer *sdb_write_buffer(void) {
  static sdb_buffer out;
  if (!out.mem) sdb_buffer_init(&out, sdb_wasm_mem(), OUT_BYTES_MAX);
  return &out;
}

static void put(char c) {
  sdb_buffer_append(sdb_write_buffer(), &c, 1);
}

/* What stands in front of a value. */
static void begin(const char *name) {
  const sdb_buffer *out = sdb_write_buffer();
  char last = out->size > 0 ? out->data[out->size - 1] : '[';
  if (last != '[' && last != '{') put(',');
  if (!name) return;
  sdb_json_write_string(sdb_write_buffer(), sdb_slice_of(name));
  put(':');
}

void sdb_write_open(const char *name, char bracket) {
  begin(name);
  put(bracket);
}

void sdb_write_close(char bracket) {
  put(bracket);
}

void sdb_write_text(const char *name, sdb_slice text) {
  begin(name);
  sdb_json_write_string(sdb_write_buffer(), text);
}

void sdb_write_number(const char *name, uint64_t number) {
  begin(name);
  sdb_json_write_uint64(sdb_write_buffer(), number);
}

void sdb_write_json(const char *name, sdb_slice json) {
  begin(name);
  sdb_buffer_append_slice(sdb_write_buffer(), json);
}

void sdb_write_uuid(const char *name, sdb_uuid id) {
  if (!sdb_uuid_is_nil(id)) sdb_write_uuid_or_null(name, id);
}

void sdb_write_uuid_or_null(const char *name, sdb_uuid id) {
  char text[SDB_UUID_TEXT_SIZE];
  sdb_uuid_format(id, text);
  if (sdb_uuid_is_nil(id))
    sdb_write_json(name, sdb_slice_of("null"));
  else
    sdb_write_text(name, sdb_slice_make(text, sizeof(text)));
}

void sdb_write_error(const char *name, const sdb_error *error) {
  if (!error) return;
  sdb_write_open(name, '{');
  sdb_write_text("code", sdb_slice_of(sdb_status_name(error->status)));
  sdb_write_text("message", sdb_slice_of(error->message));
  sdb_write_text("path", sdb_slice_of(error->path));
  sdb_write_close('}');
}

void sdb_write_record(const char *name, const sdb_client_record *record) {
  static const char *const STATES[] = {"synced", "partial", "pending", "failed"};
  static const sdb_field_row ROWS[] = {
      {"id", offsetof(sdb_client_record, id), SDB_FIELD_UUID},
      {"eventId", offsetof(sdb_client_record, event_id), SDB_FIELD_UUID},
      {"clientId", offsetof(sdb_client_record, client_id), SDB_FIELD_UUID},
      {"object", offsetof(sdb_client_record, object), SDB_FIELD_JSON},
      {"gap", offsetof(sdb_client_record, gap), SDB_FIELD_FLAG},
  };
  sdb_write_open(name, '{');
  if (record->state) /* none of what is gone */
    sdb_write_text("state", sdb_slice_of(STATES[record->state - SDB_RECORD_SYNCED]));
  sdb_fields_write(SDB_FIELDS(ROWS), record);
  sdb_write_error("error", record->error);
  sdb_write_close('}');
}
