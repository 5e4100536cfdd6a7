/* bindings/wasm/read.c: see read.h. */
#include "read.h"

/* Deeper than what a store may hold of schemas, which come inside the options. */
#define DEPTH_MAX SDB_JSON_DEPTH_MAX

static void fail(sdb_wasm_reader *reader, const char *name) {
  if (!reader->failed) reader->failed = name;
}

void sdb_read_begin(sdb_wasm_reader *reader, sdb_slice text) {
  reader->failed = NULL;
  if (sdb_json_scan(&reader->json, text, DEPTH_MAX, NULL) != SDB_OK) fail(reader, "JSON");
}

uint32_t sdb_read_member(const sdb_wasm_reader *reader, uint32_t object, const char *name) {
  if (reader->failed) return 0;
  uint32_t at = sdb_json_member(&reader->json, object, sdb_slice_of(name));
  return at && sdb_json_at(&reader->json, at)->type != SDB_JSON_NULL ? at : 0;
}

/* Whether the token is there and a string; another type is an error. */
static bool is_string(sdb_wasm_reader *reader, uint32_t at, const char *name) {
  if (!at) return false;
  if (sdb_json_at(&reader->json, at)->type == SDB_JSON_STRING) return true;
  fail(reader, name);
  return false;
}

sdb_slice sdb_read_text(sdb_wasm_reader *reader, uint32_t object, const char *name) {
  uint32_t at = sdb_read_member(reader, object, name);
  if (!is_string(reader, at, name)) return (sdb_slice){NULL, 0};
  sdb_slice text = sdb_json_text(&reader->json, at);
  if (!sdb_json_at(&reader->json, at)->escaped) return text;
  text.size = sdb_json_unescape(&reader->json, at, (char *)text.data);
  return text;
}

sdb_uuid sdb_read_uuid_at(sdb_wasm_reader *reader, uint32_t at, const char *name) {
  sdb_uuid id = {{0}};
  if (at && sdb_json_at(&reader->json, at)->type == SDB_JSON_NULL) return id;
  if (is_string(reader, at, name) && !sdb_uuid_parse(sdb_json_text(&reader->json, at), &id))
    fail(reader, name);
  return id;
}

sdb_uuid sdb_read_uuid(sdb_wasm_reader *reader, uint32_t object, const char *name) {
  return sdb_read_uuid_at(reader, sdb_read_member(reader, object, name), name);
}

uint64_t sdb_read_number(
    sdb_wasm_reader *reader, uint32_t object, const char *name, uint64_t max, uint64_t otherwise) {
  uint64_t value = otherwise;
  uint32_t at = sdb_read_member(reader, object, name);
  if (!at) return otherwise;
  bool whole = sdb_json_at(&reader->json, at)->type == SDB_JSON_NUMBER &&
               sdb_json_uint64(&reader->json, at, &value);
  if (!whole || value > max) {
    fail(reader, name);
    return otherwise;
  }
  return value;
}

bool sdb_read_flag(const sdb_wasm_reader *reader, uint32_t object, const char *name) {
  uint32_t at = sdb_read_member(reader, object, name);
  return at && sdb_json_at(&reader->json, at)->type == SDB_JSON_TRUE;
}

uint32_t sdb_read_name(sdb_wasm_reader *reader, uint32_t object, const char *name,
    const char *const *names, uint32_t count) {
  uint32_t at = sdb_read_member(reader, object, name);
  if (is_string(reader, at, name)) {
    for (uint32_t i = 0; i < count; i++) {
      if (sdb_json_string_is(&reader->json, at, sdb_slice_of(names[i]))) return i;
    }
  }
  fail(reader, name);
  return 0;
}

bool sdb_read_is_array(sdb_wasm_reader *reader, uint32_t at, const char *name) {
  if (!reader->failed && sdb_json_at(&reader->json, at)->type == SDB_JSON_ARRAY) return true;
  fail(reader, name);
  return false;
}
