/* floors_memory_test.c: base, json, store, wire and ws without memory, and the public functions
 * over them: each entry that allocates, at every allocation. The hub and the replica have tests of
 * their own (hub_memory_test, replica_memory_test).
 *
 * ENTRIES is the list of what is covered. An entry that fails gives SDB_NO_MEMORY, nothing leaks,
 * and what was given before stays valid. Patterns go through a port that allocates from the same
 * memory; sdb_platform_mem is wrapped (test/CMakeLists.txt), so that the public functions do too.
 */
#include "base/arena.h"
#include "store_fixture.h"
#include "wire/wire.h"
#include "ws/client_http.h"
#include "ws/receive.h"
#include <syncdb/object.h>

static failing_memory memory;

const sdb_mem *__wrap_sdb_platform_mem(void);
const sdb_mem *__wrap_sdb_platform_mem(void) {
  return &memory.mem;
}

#define TEXT(literal) sdb_slice_make((literal), sizeof(literal) - 1)

/* ---- base and json ---- */

static sdb_status buffers(failing_plan plan) {
  sdb_buffer buffer;
  sdb_buffer_init(&buffer, &memory.mem, 4096);
  failing_memory_arm(&memory, plan);
  for (int i = 0; i < 200; i++)
    sdb_buffer_append(&buffer, "0123456789", 10);
  sdb_status status = buffer.status;
  assert_int_equal(buffer.size % 10, 0); /* what was appended before stays */
  sdb_buffer_free(&buffer);
  return status;
}

static sdb_status arenas(failing_plan plan) {
  sdb_arena arena;
  sdb_arena_init(&arena, &memory.mem, 1 << 20);
  failing_memory_arm(&memory, plan);
  bool good = true;
  for (int i = 0; i < 40; i++)
    good = sdb_arena_zero(&arena, 500) && sdb_arena_text(&arena, TEXT("text")) && good;
  good = sdb_arena_alloc(&arena, 100000) && good;
  sdb_arena_free(&arena);
  return good ? SDB_OK : SDB_NO_MEMORY;
}

/* Nested, and with so many keys in one object that they are sorted in memory of their own. */
static sdb_status json_scan(failing_plan plan) {
  char text[8192] = "[[[{\"a\":[1,2,{\"b\\u0041\":null}]}]],{";
  for (int i = 0; i < 200; i++)
    sprintf(text + strlen(text), "%s\"key%d\":\"v\\n\"", i ? "," : "", i);
  strcat(text, "}]");
  sdb_json json;
  sdb_error error;
  sdb_json_init(&json, &memory.mem, 100000);
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_json_scan(&json, sdb_slice_of(text), 64, &error);
  if (status != SDB_OK) {
    assert_int_equal(error.status, status);
    assert_int_equal(json.count, 0);
    failing_memory_disarm(&memory);
    assert_int_equal(sdb_json_scan(&json, sdb_slice_of(text), 64, &error), SDB_OK);
  }
  assert_true(json.count > 400);
  sdb_json_free(&json);
  return status;
}

static sdb_status json_write(failing_plan plan) {
  sdb_buffer to;
  sdb_buffer_init(&to, &memory.mem, 1 << 16);
  failing_memory_arm(&memory, plan);
  for (int i = 0; i < 50; i++) {
    sdb_json_write_string(&to, TEXT("a \"quoted\"\n\x01 text"));
    sdb_json_write_uint64(&to, UINT64_MAX);
    sdb_json_write_int64(&to, INT64_MIN);
  }
  sdb_status status = to.status;
  sdb_buffer_free(&to);
  return status;
}

/* ---- store ---- */

static sdb_status port_compile(
    void *context, sdb_slice pattern, void **compiled, sdb_error *error) {
  void **made = sdb_mem_alloc(&memory.mem, sizeof(*made));
  if (!made) return SDB_NO_MEMORY;
  sdb_status status = sdb_platform_patterns()->compile(context, pattern, made, error);
  if (status == SDB_OK)
    *compiled = made;
  else
    sdb_mem_free(&memory.mem, made);
  return status;
}

static int port_match(void *context, const void *compiled, sdb_slice text, uint64_t *steps) {
  void *spare = sdb_mem_alloc(&memory.mem, 16);
  if (!spare) return -2;
  sdb_mem_free(&memory.mem, spare);
  return sdb_platform_patterns()->match(context, *(void *const *)compiled, text, steps);
}

static void port_release(void *context, void *compiled) {
  sdb_platform_patterns()->release(context, *(void **)compiled);
  sdb_mem_free(&memory.mem, compiled);
}

static const sdb_pattern_port PATTERNS = {1, NULL, port_compile, port_match, port_release};

#define SCHEMA                                                                                     \
  "{\"type\":\"object\",\"required\":[\"id\",\"tag\\u0073\"],\"additionalProperties\":false,"      \
  "\"propertyNames\":{\"maxLength\":20},\"minProperties\":1,\"maxProperties\":40,"                 \
  "\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/$defs/node\"}," \
  "\"value\":{\"$ref\":\"#/$defs/word\"}}},\"word\":{\"type\":\"string\",\"pattern\":\"^[a-z]*$\"" \
  ",\"minLength\":1,\"maxLength\":9}},\"properties\":{"                                            \
  "\"id\":{\"type\":\"string\",\"format\":\"uuid\"},"                                              \
  "\"tags\":{\"type\":\"array\",\"uniqueItems\":true,\"minItems\":0,\"maxItems\":99,"              \
  "\"items\":{\"type\":[\"string\",\"null\",\"object\"]}},"                                        \
  "\"pair\":{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"const\":\"x\"}]},"      \
  "\"n\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1e3,\"exclusiveMinimum\":-1,"              \
  "\"exclusiveMaximum\":2000,\"multipleOf\":0.5},"                                                 \
  "\"kind\":{\"enum\":[\"a\",\"b\",null,{\"c\":[1]}]},"                                            \
  "\"any\":{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/$defs/word\"}]},"                         \
  "\"one\":{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]},"                            \
  "\"all\":{\"allOf\":[{\"type\":\"integer\"},{\"not\":{\"const\":7}}]},"                          \
  "\"p1\":true,\"p2\":true,\"p3\":true,\"p4\":true,\"p5\":true,\"p6\":true,\"p7\":true,"           \
  "\"p8\":true,\"p9\":true,\"list\":{\"$ref\":\"#/$defs/node\"}}}"
#define RULES                                                                                      \
  "{\"create\":true,\"update\":{\"required\":[\"kind\"]},\"delete\":{\"not\":{\"required\":["      \
  "\"kept\"]}}}"
#define UNIQUE                                                                                     \
  "\"one\",\"t\\u0077o\",\"three \\\"quoted\\\" four five six seven eight nine ten\",null,{\"a\":" \
  "1,\"b\\n\":2},\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\""
#define OBJECT(tags)                                                                               \
  "{\"id\":\"01974f00-0000-7000-8000-000000000001\",\"tags\":[" tags "],\"pair\":[1,\"x\"],"       \
  "\"n\":1.5,\"kind\":{\"c\":[1]},\"any\":\"word\",\"one\":3,\"all\":8,"                           \
  "\"list\":{\"value\":\"a\",\"next\":{\"value\":\"b\"}}}"

static sdb_status compile_definition(const sdb_store_definition *definition, failing_plan plan) {
  sdb_store *store = NULL;
  sdb_error error;
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_store_compile(definition, &memory.mem, &PATTERNS, &store, &error);
  if (status != SDB_OK) {
    assert_int_equal(error.status, status);
    assert_null(store);
  }
  sdb_store_destroy(store);
  return status;
}

static sdb_status store_from_schema(failing_plan plan) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.schema = SCHEMA;
  definition.rules = RULES;
  return compile_definition(&definition, plan);
}

static sdb_status store_from_fields(failing_plan plan) {
  static const sdb_field FIELDS[] = {{.name = "text", .type = SDB_TYPE_STRING, .length_max = 9},
      {.name = "n", .type = SDB_TYPE_INTEGER, .minimum = 1, .maximum = 9, .nullable = true},
      {.name = "x", .type = SDB_TYPE_NUMBER, .optional = true},
      {.name = "b", .type = SDB_TYPE_BOOLEAN},
      {.name = "j", .type = SDB_TYPE_JSON, .schema = SCHEMA, .nullable = true},
      {.name = "k", .type = SDB_TYPE_JSON}, {.name = NULL}};
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.fields = FIELDS;
  definition.rules = RULES;
  return compile_definition(&definition, plan);
}

#define STORES_FILE                                                                                \
  "{\"stores\":[{\"name\":\"a_store\",\"type\":\"event\",\"schema\":" SCHEMA ",\"rules\":" RULES   \
  "},{\"name\":\"b\",\"type\":\"singular\",\"schema\":{\"type\":\"object\"}}]}"

static sdb_status stores_file(failing_plan plan) {
  sdb_store **stores = NULL;
  size_t count = 0;
  sdb_error error;
  failing_memory_arm(&memory, plan);
  sdb_status status =
      sdb_stores_compile(TEXT(STORES_FILE), &memory.mem, &PATTERNS, &stores, &count, &error);
  if (status != SDB_OK) return status;
  assert_int_equal(count, 2);
  for (size_t i = 0; i < count; i++)
    sdb_store_destroy(stores[i]);
  sdb_mem_free(&memory.mem, stores);
  return status;
}

static sdb_status check_object(sdb_action action, const char *object, failing_plan plan) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  sdb_store *store = NULL;
  sdb_error error = {SDB_OK, 0, "", ""};
  definition.name = "thing";
  definition.schema = SCHEMA;
  definition.rules = RULES;
  assert_int_equal(sdb_store_compile(&definition, &memory.mem, &PATTERNS, &store, &error), SDB_OK);
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_store_check(store, action, sdb_slice_of(object), &error);
  if (status != SDB_OK) assert_int_equal(error.status, status);
  if (status == SDB_INVALID_OBJECT) assert_int_equal(error.path[0], '/');
  failing_memory_disarm(&memory);
  sdb_store_destroy(store);
  return status;
}

static sdb_status check_accepted(failing_plan plan) {
  return check_object(SDB_ACTION_CREATE, OBJECT(UNIQUE), plan);
}

static sdb_status check_refused(failing_plan plan) {
  return check_object(SDB_ACTION_CREATE, OBJECT(UNIQUE ",\"\\u006fne\""), plan);
}

static sdb_status check_rule(failing_plan plan) {
  return check_object(SDB_ACTION_DELETE, "{\"kept\":true}", plan);
}

/* ---- wire ---- */

#define ID "01974f00-0000-7000-8000-000000000001"

static sdb_status decode(
    const char *const *texts, size_t count, bool of_server, failing_plan plan) {
  sdb_status status = SDB_OK;
  sdb_json json;
  sdb_json_init(&json, &memory.mem, 10000);
  failing_memory_arm(&memory, plan);
  for (size_t i = 0; i < count && status == SDB_OK; i++) {
    sdb_wire_message message;
    sdb_error error;
    sdb_slice text = sdb_slice_of(texts[i]);
    status = of_server ? sdb_wire_decode_server(&json, text, 32, &message, &error)
                       : sdb_wire_decode(&json, text, 32, &message, &error);
    if (status != SDB_OK && status != SDB_NO_MEMORY) fail_msg("%s: %s", texts[i], error.message);
  }
  sdb_json_free(&json);
  return status;
}

static sdb_status decode_of_client(failing_plan plan) {
  static const char *const TEXTS[] = {"{\"type\":\"ping\"}",
      "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"note\":\"" ID "\",\"a\":null},"
      "\"missing\":{\"note\":[{\"after\":null,\"before\":\"" ID "\"}]},\"window\":{\"note\":3},"
      "\"token\":\"t\",\"accept\":[\"append\"]}}",
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"a\":[1,2,3,4,5,6,7,8]}}}",
      "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"" ID "\"}}",
      "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"limit\":3}}",
      "{\"type\":\"auth\",\"data\":{\"token\":\"t\"}}"};
  return decode(TEXTS, SDB_COUNT_OF(TEXTS), false, plan);
}

static sdb_status decode_of_server(failing_plan plan) {
  static const char *const TEXTS[] = {"{\"type\":\"pong\"}",
      "{\"type\":\"server_hello\",\"data\":{\"protocol\":1,\"database\":\"" ID "\",\"time\":1,"
      "\"stores\":{\"note\":{\"head\":\"" ID "\",\"reset\":true}}}}",
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID "\",\"object\":{\"a\":[1,2,"
      "3,4,5,6,7,8]}}}",
      "{\"type\":\"error\",\"data\":{\"code\":\"rejected\",\"message\":\"no\"}}"};
  return decode(TEXTS, SDB_COUNT_OF(TEXTS), true, plan);
}

static sdb_status encode_of_server(failing_plan plan) {
  sdb_uuid id = {{1}};
  sdb_wire_run run;
  sdb_error error = {SDB_REJECTED, 0, "/text", "no \"way\""};
  sdb_wire_store_head heads[] = {{"note", id, false}, {"account", {{0}}, true}};
  sdb_wire_event event = {"note", id, {{2}}, {{3}}, TEXT("{\"a\":1}")};
  sdb_wire_run_init(&run, &memory.mem, 1 << 20, sdb_ws_frame_header);
  failing_memory_arm(&memory, plan);
  for (int i = 0; i < 20; i++) {
    sdb_wire_server_hello(&run, id, 1, heads, 2);
    sdb_wire_event_write(&run, &event);
    sdb_wire_partial(&run, "note", id, TEXT("{}"));
    sdb_wire_partial_append(&run, "note", id, TEXT("field"), TEXT("text"));
    sdb_wire_synced(&run, "note", id, id, true);
    sdb_wire_error(&run, &error, id, "note");
    sdb_wire_pong(&run);
  }
  sdb_status status = run.buffer.status;
  sdb_wire_run_free(&run);
  return status;
}

static sdb_status encode_of_client(failing_plan plan) {
  sdb_uuid id = {{1}};
  sdb_wire_range missing[] = {{{{0}}, id}};
  sdb_wire_store_status stores[] = {{"note", id, 3, missing, 1}, {"a", {{0}}, 0, NULL, 0}};
  sdb_wire_hello hello = {stores, 2, id, TEXT("a \"token\""), true};
  sdb_buffer to;
  sdb_buffer_init(&to, &memory.mem, 1 << 20);
  failing_memory_arm(&memory, plan);
  for (int i = 0; i < 20; i++) {
    sdb_wire_client_hello(&to, &hello);
    sdb_wire_push(&to, "note", id, TEXT("{\"a\":1}"), id);
    sdb_wire_fetch(&to, "note", id, id, 3);
    sdb_wire_auth(&to, TEXT("t"));
    sdb_wire_ping(&to);
  }
  sdb_status status = to.status;
  sdb_buffer_free(&to);
  return status;
}

static sdb_status write_object(failing_plan plan) {
  sdb_json json;
  sdb_buffer to;
  sdb_json_init(&json, &memory.mem, 100);
  sdb_buffer_init(&to, &memory.mem, 1 << 16);
  assert_int_equal(sdb_json_scan(&json, TEXT("{\"a\":\"text\"}"), 9, NULL), SDB_OK);
  failing_memory_arm(&memory, plan);
  for (int i = 0; i < 20; i++)
    assert_int_equal(sdb_wire_object_write(&to, &json, 0, 1749383382805, NULL), SDB_OK);
  sdb_status status = to.status;
  sdb_buffer_free(&to);
  sdb_json_free(&json);
  return status;
}

/* ---- ws ---- */

/* One text message in frames of 100 bytes, which come in pieces of 7. */
static sdb_status receive_fragments(failing_plan plan) {
  char bytes[2048];
  size_t size = 0;
  for (int i = 0; i < 10; i++) {
    bytes[size++] = (char)((i == 9 ? 0x80 : 0) | (i == 0 ? SDB_WS_TEXT : SDB_WS_CONTINUATION));
    bytes[size++] = 100;
    memset(bytes + size, 'a', 100);
    size += 100;
  }
  sdb_ws_receiver receiver;
  sdb_ws_event event = {0};
  sdb_ws_receiver_init(&receiver, SDB_WS_FROM_SERVER, &memory.mem, 4096, false);
  failing_memory_arm(&memory, plan);
  bool got = false;
  for (size_t at = 0; at < size && !got; at += 7) {
    sdb_ws_input input = {bytes + at, size - at < 7 ? size - at : 7};
    got = sdb_ws_receive(&receiver, &input, &event);
  }
  assert_true(got);
  if (event.kind == SDB_WS_MESSAGE)
    assert_int_equal(event.size, 1000);
  else
    assert_int_equal(event.kind, SDB_WS_FAILED);
  sdb_status status = event.kind == SDB_WS_MESSAGE ? SDB_OK : SDB_NO_MEMORY;
  if (status != SDB_OK) assert_int_equal(event.code, SDB_WS_CODE_OVERLOADED);
  sdb_ws_receiver_free(&receiver);
  return status;
}

static void no_sha1(const void *data, size_t size, unsigned char *digest) {
  (void)data;
  (void)size;
  memset(digest, 0, SDB_SHA1_SIZE);
}

static sdb_status http(failing_plan plan) {
  static const char HEAD[] = "GET /sync HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: "
                             "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                             "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  sdb_http_request request;
  sdb_ws_upgrade upgrade = {.authority = TEXT("a:80"),
      .resource = TEXT("/sync"),
      .token = TEXT("t"),
      .key = TEXT("dGhlIHNhbXBsZSBub25jZQ=="),
      .deflate = true};
  sdb_buffer out;
  sdb_buffer_init(&out, &memory.mem, 1 << 16);
  assert_int_equal(sdb_http_parse(TEXT(HEAD), &request), 0);
  failing_memory_arm(&memory, plan);
  for (int i = 0; i < 10; i++) {
    sdb_http_write_response(&out, 404, NULL, TEXT("not here"));
    sdb_ws_write_upgrade(&out, &request, false, no_sha1);
    sdb_ws_write_request(&out, &upgrade);
  }
  sdb_status status = out.status;
  sdb_buffer_free(&out);
  return status;
}

/* ---- public functions ---- */

static sdb_status public_builder(failing_plan plan) {
  failing_memory_arm(&memory, plan);
  sdb_builder *builder = sdb_builder_create();
  if (!builder) return SDB_NO_MEMORY;
  for (int i = 0; i < 20; i++) {
    sdb_builder_string(builder, "text", TEXT("some text"));
    sdb_builder_integer(builder, "n", 7);
    sdb_builder_number(builder, "x", 0.5);
    sdb_builder_boolean(builder, "b", true);
    sdb_builder_json(builder, "j", TEXT("[1,2]"));
  }
  sdb_slice text = sdb_builder_text(builder);
  sdb_status status = text.data ? SDB_OK : SDB_NO_MEMORY;
  sdb_builder_destroy(builder);
  return status;
}

static sdb_status public_object(failing_plan plan) {
  sdb_object *object = NULL;
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_object_parse(TEXT("{\"a\":[1,2,3,4,5,6,7,8,9]}"), &object, NULL);
  assert_int_equal(object != NULL, status == SDB_OK);
  sdb_object_free(object);
  return status;
}

static sdb_status public_store(failing_plan plan) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  sdb_store *store = NULL;
  definition.name = "thing";
  definition.schema = SCHEMA;
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_store_create(&definition, &store, NULL);
  if (status == SDB_OK) status = sdb_store_check(store, SDB_ACTION_CREATE, TEXT(OBJECT("")), NULL);
  sdb_store_destroy(store);
  return status;
}

static sdb_status public_stores_file(failing_plan plan) {
  sdb_store **stores = NULL;
  size_t count = 0;
  failing_memory_arm(&memory, plan);
  sdb_status status = sdb_stores_from_json(TEXT(STORES_FILE), &stores, &count, NULL);
  for (size_t i = 0; i < count; i++)
    sdb_store_destroy(stores[i]);
  sdb_mem_free(&memory.mem, stores);
  return status;
}

/* ---- all of them ---- */

typedef struct entry {
  const char *name;
  sdb_status (*call)(failing_plan plan);
  sdb_status wanted; /* with memory */
} entry;

static const entry ENTRIES[] = {
    {"sdb_buffer_reserve, _append", buffers, SDB_OK},
    {"sdb_arena_alloc, _zero, _text", arenas, SDB_OK},
    {"sdb_json_scan", json_scan, SDB_OK},
    {"sdb_json_write_string, _uint64, _int64", json_write, SDB_OK},
    {"sdb_store_compile of a schema and rules", store_from_schema, SDB_OK},
    {"sdb_store_compile of fields and rules", store_from_fields, SDB_OK},
    {"sdb_stores_compile", stores_file, SDB_OK},
    {"sdb_store_check, accepted", check_accepted, SDB_OK},
    {"sdb_store_check, refused by the schema", check_refused, SDB_INVALID_OBJECT},
    {"sdb_store_check, refused by a rule", check_rule, SDB_REJECTED},
    {"sdb_wire_decode", decode_of_client, SDB_OK},
    {"sdb_wire_decode_server", decode_of_server, SDB_OK},
    {"sdb_wire_server_hello, _event_write, _partial, _partial_append, _synced, _error, _pong",
        encode_of_server, SDB_OK},
    {"sdb_wire_client_hello, _push, _fetch, _auth, _ping", encode_of_client, SDB_OK},
    {"sdb_wire_object_write", write_object, SDB_OK},
    {"sdb_ws_receive", receive_fragments, SDB_OK},
    {"sdb_http_write_response, sdb_ws_write_upgrade, sdb_ws_write_request", http, SDB_OK},
    {"sdb_builder_create, _string, _integer, _number, _boolean, _json, _text", public_builder,
        SDB_OK},
    {"sdb_object_parse", public_object, SDB_OK},
    {"sdb_store_create, sdb_store_check", public_store, SDB_OK},
    {"sdb_stores_from_json", public_stores_file, SDB_OK},
};

/* One run of the loop. */
static bool call_entry(const void *context, failing_plan plan) {
  const entry *e = context;
  failing_memory_init(&memory, 0);
  sdb_status status = e->call(plan);
  bool failed = memory.failed;
  sdb_status wanted = failed ? SDB_NO_MEMORY : e->wanted;
  if (status != wanted)
    fail_msg(
        "%s, allocation %zu, %zu times: %s", e->name, plan.at, plan.count, sdb_status_name(status));
  if (memory.live != 0) fail_msg("%s, allocation %zu: %zu leaked", e->name, plan.at, memory.live);
  return failed;
}

static void an_entry_without_memory_says_so_and_leaves_nothing(void **state) {
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(ENTRIES); i++) {
    size_t before = failing_memory_counts()->runs;
    with_each_allocation_failing(call_entry, &ENTRIES[i]);
    if (failing_memory_counts()->runs == before) fail_msg("%s: nothing failed", ENTRIES[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_entry_without_memory_says_so_and_leaves_nothing),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  failing_memory_report();
  return failures;
}
