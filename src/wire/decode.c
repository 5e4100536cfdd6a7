/* wire/decode.c: client to server messages, by tables.
 *
 * A message type is a row of MESSAGES, its fields a table: name, kind, where it
 * goes in sdb_wire_message. Unknown fields are passed over; null is as absent.
 */
#include "base/error.h"
#include "wire/wire.h"
#include <stddef.h>

typedef enum field_kind {
  FIELD_STRING,
  FIELD_OBJECT,
  FIELD_ARRAY,
  FIELD_UUID,
  FIELD_COUNT, /* a whole number that fits 32 bits */
  FIELD_ANY
} field_kind;

typedef struct field {
  const char *name;
  field_kind kind;
  size_t offset; /* of a uint32_t, or of an sdb_uuid, in sdb_wire_message */
} field;

#define AT(member) offsetof(sdb_wire_message, member)
#define END                                                                                        \
  { NULL, FIELD_ANY, 0 }

static const field HELLO_FIELDS[] = {
    {"syncStatus", FIELD_OBJECT, AT(sync_status)},
    {"missing", FIELD_OBJECT, AT(missing)},
    {"window", FIELD_OBJECT, AT(window)},
    {"accept", FIELD_ARRAY, AT(accept)},
    {"database", FIELD_UUID, AT(database)},
    {"token", FIELD_STRING, AT(token)},
    END,
};
/* clientId comes first: an error in another field can then name the push. */
static const field UPDATE_FIELDS[] = {
    {"clientId", FIELD_UUID, AT(client_id)},
    {"store", FIELD_STRING, AT(store)},
    {"object", FIELD_OBJECT, AT(object)},
    {"id", FIELD_UUID, AT(id)},
    END,
};
static const field REMOVE_FIELDS[] = {
    {"clientId", FIELD_UUID, AT(client_id)},
    {"store", FIELD_STRING, AT(store)},
    {"id", FIELD_UUID, AT(id)},
    END,
};
static const field FETCH_FIELDS[] = {
    {"store", FIELD_STRING, AT(store)},
    {"after", FIELD_UUID, AT(after)},
    {"before", FIELD_UUID, AT(before)},
    {"limit", FIELD_COUNT, AT(limit)},
    END,
};
static const field AUTH_FIELDS[] = {{"token", FIELD_STRING, AT(token)}, END};
static const field NO_FIELDS[] = {END};

static const struct {
  const char *name;
  sdb_wire_type type;
  const field *fields;
  bool needs_data;
} MESSAGES[] = {
    {"update", SDB_WIRE_UPDATE, UPDATE_FIELDS, true},
    {"remove", SDB_WIRE_REMOVE, REMOVE_FIELDS, true},
    {"fetch", SDB_WIRE_FETCH, FETCH_FIELDS, true},
    {"client_hello", SDB_WIRE_CLIENT_HELLO, HELLO_FIELDS, true},
    {"ping", SDB_WIRE_PING, NO_FIELDS, false},
    {"auth", SDB_WIRE_AUTH, AUTH_FIELDS, true},
};

bool sdb_wire_uuid(const sdb_json *json, uint32_t at, sdb_uuid *id) {
  if (sdb_json_at(json, at)->type != SDB_JSON_STRING) return false;
  return sdb_uuid_parse(sdb_json_text(json, at), id);
}

static bool has_type(const sdb_json *json, uint32_t at, sdb_json_type type) {
  return sdb_json_at(json, at)->type == type;
}

/* False: the value is not of the field's kind. */
static bool take_value(const field *f, const sdb_json *json, uint32_t at, void *to) {
  uint64_t count;
  sdb_uuid id;
  switch (f->kind) {
  case FIELD_STRING:
    if (!has_type(json, at, SDB_JSON_STRING)) return false;
    break;
  case FIELD_OBJECT:
    if (!has_type(json, at, SDB_JSON_OBJECT)) return false;
    break;
  case FIELD_ARRAY:
    if (!has_type(json, at, SDB_JSON_ARRAY)) return false;
    break;
  case FIELD_UUID:
    if (!sdb_wire_uuid(json, at, &id)) return false;
    memcpy(to, &id, sizeof(id));
    return true;
  case FIELD_COUNT:
    if (!has_type(json, at, SDB_JSON_NUMBER) || !sdb_json_uint64(json, at, &count)) return false;
    at = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    break;
  case FIELD_ANY:
    break;
  }
  memcpy(to, &at, sizeof(at));
  return true;
}

static sdb_status take_fields(
    const field *fields, uint32_t data, sdb_wire_message *message, sdb_error *error) {
  static const char *const KINDS[] = {
      "a string", "an object", "an array", "a UUID", "a whole number", "anything"};
  const sdb_json *json = message->json;
  for (const field *f = fields; f->name; f++) {
    uint32_t at = sdb_json_member(json, data, sdb_slice_of(f->name));
    if (at == 0 || has_type(json, at, SDB_JSON_NULL)) continue;
    if (take_value(f, json, at, (char *)message + f->offset)) continue;
    sdb_error_set(error, SDB_BAD_MESSAGE, f->name, " is not ", KINDS[f->kind]);
    return SDB_BAD_MESSAGE;
  }
  return SDB_OK;
}

static int find_message(const sdb_json *json, uint32_t type) {
  for (size_t i = 0; i < SDB_COUNT_OF(MESSAGES); i++) {
    if (sdb_json_string_is(json, type, sdb_slice_of(MESSAGES[i].name))) return (int)i;
  }
  return -1;
}

static sdb_status scan(sdb_json *json, sdb_slice text, int depth_max, sdb_error *error) {
  sdb_status status = sdb_json_scan(json, text, depth_max, error);
  if (status == SDB_LIMIT) status = SDB_BAD_JSON;
  if (error) error->status = status;
  return status;
}

sdb_status sdb_wire_decode(
    sdb_json *json, sdb_slice text, int depth_max, sdb_wire_message *message, sdb_error *error) {
  memset(message, 0, sizeof(*message));
  message->json = json;
  sdb_status status = scan(json, text, depth_max, error);
  if (status != SDB_OK) return status;
  uint32_t type = sdb_json_member(json, 0, sdb_slice_of("type"));
  if (type == 0 || !has_type(json, type, SDB_JSON_STRING))
    return sdb_error_set(error, SDB_BAD_JSON, "not an object with a type", NULL, NULL);
  int found = find_message(json, type);
  if (found < 0)
    return sdb_error_set(error, SDB_UNKNOWN_TYPE, sdb_status_text(SDB_UNKNOWN_TYPE), NULL, NULL);
  message->type = MESSAGES[found].type;
  uint32_t data = sdb_json_member(json, 0, sdb_slice_of("data"));
  if (data == 0 || !has_type(json, data, SDB_JSON_OBJECT)) {
    if (!MESSAGES[found].needs_data) return SDB_OK;
    return sdb_error_set(error, SDB_BAD_MESSAGE, "data is not an object", NULL, NULL);
  }
  return take_fields(MESSAGES[found].fields, data, message, error);
}
