/* store/object.c: reading an object's fields: what rules and subscribers are given. */
#include "store/store.h"

/* The token of field `name` if it is of this type, or 0. */
static uint32_t field_of(const sdb_object *object, const char *name, sdb_json_type type) {
  uint32_t at = sdb_json_member(object->json, object->at, sdb_slice_of(name));
  return at && sdb_json_at(object->json, at)->type == (uint32_t)type ? at : 0;
}

bool sdb_object_is(const sdb_object *object, const char *name, const char *text) {
  uint32_t at = field_of(object, name, SDB_JSON_STRING);
  return at && sdb_json_string_is(object->json, at, sdb_slice_of(text));
}

bool sdb_object_has(const sdb_object *object, const char *name) {
  return sdb_json_member(object->json, object->at, sdb_slice_of(name)) != 0;
}

/* The size of an escaped string once unescaped: what each escape becomes is counted. */
static size_t unescaped_size(sdb_slice text) {
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++, size++) {
    if (text.data[i] != '\\') continue;
    if (text.data[++i] != 'u') continue;
    unsigned unit = 0;
    for (int digit = 1; digit <= 4; digit++) {
      char c = text.data[i + (size_t)digit];
      unit = unit << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    i += 4;
    size += unit < 0x80 ? 0 : unit < 0x800 ? 1 : 2;
    if (unit < 0xD800 || unit > 0xDBFF) continue;
    i += 6; /* the other half, which the scan made sure of: four bytes together */
    size++;
  }
  return size;
}

sdb_status sdb_object_string(
    const sdb_object *object, const char *name, char *to, size_t capacity, size_t *size) {
  uint32_t at = field_of(object, name, SDB_JSON_STRING);
  if (!at) return SDB_NOT_FOUND;
  sdb_slice text = sdb_json_text(object->json, at);
  bool escaped = sdb_json_at(object->json, at)->escaped;
  size_t full = escaped ? unescaped_size(text) : text.size;
  if (size) *size = full;
  if (capacity <= full) return SDB_LIMIT;
  size_t written = full;
  if (escaped)
    written = sdb_json_unescape(object->json, at, to);
  else if (full > 0)
    memcpy(to, text.data, full);
  SDB_ASSERT(written == full);
  to[full] = 0;
  return SDB_OK;
}

sdb_status sdb_object_integer(const sdb_object *object, const char *name, int64_t *value) {
  uint32_t at = field_of(object, name, SDB_JSON_NUMBER);
  return at && sdb_json_int64(object->json, at, value) ? SDB_OK : SDB_NOT_FOUND;
}

sdb_status sdb_object_number(const sdb_object *object, const char *name, double *value) {
  uint32_t at = field_of(object, name, SDB_JSON_NUMBER);
  if (!at) return SDB_NOT_FOUND;
  *value = sdb_json_double(object->json, at);
  return SDB_OK;
}

sdb_status sdb_object_boolean(const sdb_object *object, const char *name, bool *value) {
  uint32_t at = sdb_json_member(object->json, object->at, sdb_slice_of(name));
  uint32_t type = at ? sdb_json_at(object->json, at)->type : SDB_JSON_NULL;
  if (type != SDB_JSON_TRUE && type != SDB_JSON_FALSE) return SDB_NOT_FOUND;
  *value = type == SDB_JSON_TRUE;
  return SDB_OK;
}

sdb_slice sdb_object_json(const sdb_object *object, const char *name) {
  uint32_t at = sdb_json_member(object->json, object->at, sdb_slice_of(name));
  return at ? sdb_json_raw(object->json, at) : (sdb_slice){NULL, 0};
}

sdb_slice sdb_object_text(const sdb_object *object) {
  return sdb_json_raw(object->json, object->at);
}
