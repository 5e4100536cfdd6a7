/* wire/decode.c: messages of either side, by tables.
 *
 * A side's message types are a table of rows, a row's fields another: name, kind, where it goes in
 * sdb_wire_message. Unknown fields are passed over; null is as absent.
 *
 * A message's members are walked once. Fields stand in the order in which they are mostly written,
 * and each is looked for behind the one found before: a client that catches up reads a hundred
 * thousand updates, and a member then costs little more than one comparison.
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
  FIELD_BOOLEAN
} field_kind;

typedef struct field {
  sdb_slice name; /* of a literal: it ends in NUL */
  field_kind kind;
  size_t offset; /* of a uint32_t, an sdb_uuid or a bool, in sdb_wire_message */
} field;

typedef struct message_row {
  sdb_slice name;
  sdb_wire_type type;
  bool needs_data;
  const field *fields;
  size_t fields_count;
} message_row;

typedef struct side {
  const message_row *rows;
  size_t count;
} side;

#define NAME(literal)                                                                              \
  { literal, sizeof(literal) - 1 }
#define AT(member) offsetof(sdb_wire_message, member)
#define FIELDS(table) table, SDB_COUNT_OF(table)

static const field CLIENT_HELLO_FIELDS[] = {
    {NAME("syncStatus"), FIELD_OBJECT, AT(sync_status)},
    {NAME("missing"), FIELD_OBJECT, AT(missing)},
    {NAME("window"), FIELD_OBJECT, AT(window)},
    {NAME("accept"), FIELD_ARRAY, AT(accept)},
    {NAME("database"), FIELD_UUID, AT(database)},
    {NAME("token"), FIELD_STRING, AT(token)},
};
static const field PUSH_UPDATE_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("id"), FIELD_UUID, AT(id)},
    {NAME("object"), FIELD_OBJECT, AT(object)},
    {NAME("clientId"), FIELD_UUID, AT(client_id)},
};
static const field PUSH_REMOVE_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("id"), FIELD_UUID, AT(id)},
    {NAME("clientId"), FIELD_UUID, AT(client_id)},
};
static const field FETCH_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("after"), FIELD_UUID, AT(after)},
    {NAME("before"), FIELD_UUID, AT(before)},
    {NAME("limit"), FIELD_COUNT, AT(limit)},
};
static const field AUTH_FIELDS[] = {{NAME("token"), FIELD_STRING, AT(token)}};

static const field SERVER_HELLO_FIELDS[] = {
    {NAME("database"), FIELD_UUID, AT(database)},
    {NAME("stores"), FIELD_OBJECT, AT(stores)},
};
static const field EVENT_UPDATE_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("id"), FIELD_UUID, AT(id)},
    {NAME("eventId"), FIELD_UUID, AT(event_id)},
    {NAME("object"), FIELD_OBJECT, AT(object)},
    {NAME("clientId"), FIELD_UUID, AT(client_id)},
};
static const field EVENT_REMOVE_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("id"), FIELD_UUID, AT(id)},
    {NAME("eventId"), FIELD_UUID, AT(event_id)},
    {NAME("clientId"), FIELD_UUID, AT(client_id)},
};
static const field PARTIAL_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("id"), FIELD_UUID, AT(id)},
    {NAME("append"), FIELD_OBJECT, AT(append)},
    {NAME("object"), FIELD_OBJECT, AT(object)},
};
static const field SYNCED_FIELDS[] = {
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("after"), FIELD_UUID, AT(after)},
    {NAME("before"), FIELD_UUID, AT(before)},
    {NAME("more"), FIELD_BOOLEAN, AT(more)},
};
static const field ERROR_FIELDS[] = {
    {NAME("code"), FIELD_STRING, AT(code)},
    {NAME("message"), FIELD_STRING, AT(text)},
    {NAME("clientId"), FIELD_UUID, AT(client_id)},
    {NAME("store"), FIELD_STRING, AT(store)},
    {NAME("path"), FIELD_STRING, AT(path)},
};

static const message_row OF_CLIENT[] = {
    {NAME("update"), SDB_WIRE_UPDATE, true, FIELDS(PUSH_UPDATE_FIELDS)},
    {NAME("remove"), SDB_WIRE_REMOVE, true, FIELDS(PUSH_REMOVE_FIELDS)},
    {NAME("fetch"), SDB_WIRE_FETCH, true, FIELDS(FETCH_FIELDS)},
    {NAME("client_hello"), SDB_WIRE_CLIENT_HELLO, true, FIELDS(CLIENT_HELLO_FIELDS)},
    {NAME("ping"), SDB_WIRE_PING, false, NULL, 0},
    {NAME("auth"), SDB_WIRE_AUTH, true, FIELDS(AUTH_FIELDS)},
};
static const message_row OF_SERVER[] = {
    {NAME("update"), SDB_WIRE_UPDATE, true, FIELDS(EVENT_UPDATE_FIELDS)},
    {NAME("partial"), SDB_WIRE_PARTIAL, true, FIELDS(PARTIAL_FIELDS)},
    {NAME("remove"), SDB_WIRE_REMOVE, true, FIELDS(EVENT_REMOVE_FIELDS)},
    {NAME("synced"), SDB_WIRE_SYNCED, true, FIELDS(SYNCED_FIELDS)},
    {NAME("error"), SDB_WIRE_ERROR, true, FIELDS(ERROR_FIELDS)},
    {NAME("pong"), SDB_WIRE_PONG, false, NULL, 0},
    {NAME("server_hello"), SDB_WIRE_SERVER_HELLO, true, FIELDS(SERVER_HELLO_FIELDS)},
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
  bool flag;
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
  case FIELD_BOOLEAN:
    flag = has_type(json, at, SDB_JSON_TRUE);
    if (!flag && !has_type(json, at, SDB_JSON_FALSE)) return false;
    memcpy(to, &flag, sizeof(flag));
    return true;
  }
  memcpy(to, &at, sizeof(at));
  return true;
}

/* The field that the key at `key` names, looked for from `from` on and then from the first. */
static const field *find_field(
    const message_row *row, size_t from, const sdb_json *json, uint32_t key) {
  for (size_t i = from; i < row->fields_count; i++) {
    if (sdb_json_string_is(json, key, row->fields[i].name)) return &row->fields[i];
  }
  for (size_t i = 0; i < from; i++) {
    if (sdb_json_string_is(json, key, row->fields[i].name)) return &row->fields[i];
  }
  return NULL;
}

/* A wrong field does not end the reading: the error can then name the push, wherever its clientId
 * stands. */
static sdb_status take_fields(
    const message_row *row, uint32_t data, sdb_wire_message *message, sdb_error *error) {
  static const char *const KINDS[] = {
      "a string", "an object", "an array", "a UUID", "a whole number", "a boolean"};
  const sdb_json *json = message->json;
  const field *wrong = NULL;
  size_t from = 0;
  uint32_t end = sdb_json_at(json, data)->next;
  for (uint32_t key = data + 1; key < end; key = sdb_json_at(json, key + 1)->next) {
    const field *f = find_field(row, from, json, key);
    if (!f) continue;
    from = (size_t)(f - row->fields) + 1;
    if (has_type(json, key + 1, SDB_JSON_NULL)) continue;
    if (!take_value(f, json, key + 1, (char *)message + f->offset) && !wrong) wrong = f;
  }
  if (!wrong) return SDB_OK;
  return sdb_error_set(error, SDB_BAD_MESSAGE, wrong->name.data, " is not ", KINDS[wrong->kind]);
}

static const message_row *find_message(side from, const sdb_json *json, uint32_t type) {
  for (size_t i = 0; i < from.count; i++) {
    if (sdb_json_string_is(json, type, from.rows[i].name)) return &from.rows[i];
  }
  return NULL;
}

static sdb_status scan(sdb_json *json, sdb_slice text, int depth_max, sdb_error *error) {
  sdb_status status = sdb_json_scan(json, text, depth_max, error);
  if (status == SDB_LIMIT) status = SDB_BAD_JSON;
  if (error) error->status = status;
  return status;
}

static sdb_status decode(side from, sdb_json *json, sdb_slice text, int depth_max,
    sdb_wire_message *message, sdb_error *error) {
  memset(message, 0, sizeof(*message));
  message->json = json;
  sdb_status status = scan(json, text, depth_max, error);
  if (status != SDB_OK) return status;
  uint32_t type = sdb_json_member(json, 0, sdb_slice_of("type"));
  if (type == 0 || !has_type(json, type, SDB_JSON_STRING))
    return sdb_error_set(error, SDB_BAD_JSON, "not an object with a type", NULL, NULL);
  const message_row *row = find_message(from, json, type);
  if (!row)
    return sdb_error_set(error, SDB_UNKNOWN_TYPE, sdb_status_text(SDB_UNKNOWN_TYPE), NULL, NULL);
  message->type = row->type;
  uint32_t data = sdb_json_member(json, 0, sdb_slice_of("data"));
  if (data == 0 || !has_type(json, data, SDB_JSON_OBJECT)) {
    if (!row->needs_data) return SDB_OK;
    return sdb_error_set(error, SDB_BAD_MESSAGE, "data is not an object", NULL, NULL);
  }
  return take_fields(row, data, message, error);
}

sdb_status sdb_wire_decode(
    sdb_json *json, sdb_slice text, int depth_max, sdb_wire_message *message, sdb_error *error) {
  side client = {OF_CLIENT, SDB_COUNT_OF(OF_CLIENT)};
  return decode(client, json, text, depth_max, message, error);
}

sdb_status sdb_wire_decode_server(
    sdb_json *json, sdb_slice text, int depth_max, sdb_wire_message *message, sdb_error *error) {
  side server = {OF_SERVER, SDB_COUNT_OF(OF_SERVER)};
  return decode(server, json, text, depth_max, message, error);
}
