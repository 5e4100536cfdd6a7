/* bindings/wasm/fields.c: see fields.h. */
#include "fields.h"
#include "write.h"

#define WHOLE_MAX ((uint64_t)1 << 53) /* what a number of JavaScript holds exactly */

/* ---- writing ---- */

static void write_row(const sdb_field_row *row, const void *from) {
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  sdb_uuid id;
  sdb_slice text;
  bool flag;
  switch (row->kind) {
  case SDB_FIELD_UUID:
    memcpy(&id, from, sizeof(id));
    sdb_write_uuid(row->name, id);
    break;
  case SDB_FIELD_U16:
    memcpy(&u16, from, sizeof(u16));
    sdb_write_number(row->name, u16);
    break;
  case SDB_FIELD_U32:
    memcpy(&u32, from, sizeof(u32));
    sdb_write_number(row->name, u32);
    break;
  case SDB_FIELD_U64:
    memcpy(&u64, from, sizeof(u64));
    sdb_write_number(row->name, u64);
    break;
  case SDB_FIELD_TEXT:
  case SDB_FIELD_JSON:
    memcpy(&text, from, sizeof(text));
    if (text.size == 0) break;
    if (row->kind == SDB_FIELD_TEXT)
      sdb_write_text(row->name, text);
    else
      sdb_write_json(row->name, text);
    break;
  case SDB_FIELD_FLAG:
    memcpy(&flag, from, sizeof(flag));
    if (flag) sdb_write_json(row->name, sdb_slice_of("true"));
    break;
  }
}

void sdb_fields_write(sdb_fields fields, const void *from) {
  for (size_t i = 0; i < fields.count; i++)
    write_row(&fields.rows[i], (const char *)from + fields.rows[i].offset);
}

/* ---- reading ---- */

uint32_t sdb_fields_member(const sdb_json *json, uint32_t object, const char *name) {
  uint32_t at = sdb_json_member(json, object, sdb_slice_of(name));
  return at && sdb_json_at(json, at)->type != SDB_JSON_NULL ? at : 0;
}

bool sdb_fields_read_uuid(const sdb_json *json, uint32_t at, sdb_uuid *id) {
  uint32_t type = sdb_json_at(json, at)->type;
  memset(id, 0, sizeof(*id));
  return type == SDB_JSON_NULL ||
         (type == SDB_JSON_STRING && sdb_uuid_parse(sdb_json_text(json, at), id));
}

static bool read_text(const sdb_json *json, uint32_t at, void *to) {
  if (sdb_json_at(json, at)->type != SDB_JSON_STRING) return false;
  sdb_slice text = sdb_json_text(json, at);
  if (sdb_json_at(json, at)->escaped)
    text.size = sdb_json_unescape(json, at, (char *)(uintptr_t)text.data);
  memcpy(to, &text, sizeof(text));
  return true;
}

static bool read_whole(const sdb_json *json, uint32_t at, uint8_t kind, void *to) {
  uint64_t max = kind == SDB_FIELD_U16   ? UINT16_MAX
                 : kind == SDB_FIELD_U32 ? UINT32_MAX
                                         : WHOLE_MAX;
  uint64_t value;
  if (sdb_json_at(json, at)->type != SDB_JSON_NUMBER || !sdb_json_uint64(json, at, &value) ||
      value > max)
    return false;
  /* Numbers are little-endian here: the least bytes come first. */
  memcpy(to, &value, kind == SDB_FIELD_U16 ? 2 : kind == SDB_FIELD_U32 ? 4 : 8);
  return true;
}

static bool read_row(const sdb_field_row *row, const sdb_json *json, uint32_t at, void *to) {
  sdb_uuid id;
  bool flag;
  switch (row->kind) {
  case SDB_FIELD_UUID:
    if (!sdb_fields_read_uuid(json, at, &id)) return false;
    memcpy(to, &id, sizeof(id));
    return true;
  case SDB_FIELD_TEXT:
    return read_text(json, at, to);
  case SDB_FIELD_FLAG:
    flag = sdb_json_at(json, at)->type == SDB_JSON_TRUE;
    memcpy(to, &flag, sizeof(flag));
    return true;
  default:
    return read_whole(json, at, row->kind, to);
  }
}

bool sdb_fields_read(sdb_fields fields, const sdb_json *json, uint32_t object, void *to) {
  for (size_t i = 0; i < fields.count; i++) {
    const sdb_field_row *row = &fields.rows[i];
    uint32_t at = sdb_fields_member(json, object, row->name);
    if (at && !read_row(row, json, at, (char *)to + row->offset)) return false;
  }
  return true;
}
