/* wire_client_test.c: a client's messages written, and a server's read. */
#include "base/error.h"
#include "failing_memory.h"
#include "wire/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ID_A "01974f63-6abc-7000-8107-66e6c9a45dda"
#define ID_B "fed649ad-f26f-4fcb-ad05-d1b70049fa1f"
#define ID_C "01974f60-0000-7000-8000-000000000001"

static const sdb_uuid NIL;
static const sdb_slice NOTHING;

/* Both directions between one client and one server: what is written, and what is read of it. */
typedef struct line {
  failing_memory memory;
  sdb_buffer text;  /* of the client */
  sdb_wire_run run; /* of the server */
  sdb_json json;
  sdb_wire_message message;
  sdb_error error;
  char input[300]; /* what is read must outlive the reading */
} line;

static size_t no_header(size_t size, unsigned char *header) {
  (void)size;
  (void)header;
  return 0;
}

static void line_init(line *l) {
  memset(l, 0, sizeof(*l));
  failing_memory_init(&l->memory, 0);
  sdb_buffer_init(&l->text, &l->memory.mem, 10000);
  sdb_wire_run_init(&l->run, &l->memory.mem, 10000, no_header);
  sdb_json_init(&l->json, &l->memory.mem, 1000);
}

static void line_free(line *l) {
  sdb_buffer_free(&l->text);
  sdb_wire_run_free(&l->run);
  sdb_json_free(&l->json);
  assert_int_equal(l->memory.live, 0);
}

static sdb_status decode(line *l, const char *text) {
  memset(&l->error, 0, sizeof(l->error));
  return sdb_wire_decode_server(&l->json, sdb_slice_of(text), 32, &l->message, &l->error);
}

/* The server reads what the client wrote. */
static void server_reads(line *l, sdb_wire_type type) {
  assert_int_equal(l->text.status, SDB_OK);
  assert_int_equal(
      sdb_wire_decode(&l->json, sdb_buffer_slice(&l->text), 32, &l->message, &l->error), SDB_OK);
  assert_int_equal(l->message.type, type);
}

/* The client reads what the server wrote. */
static void client_reads(line *l, sdb_wire_type type) {
  assert_int_equal(l->run.buffer.status, SDB_OK);
  assert_int_equal(sdb_wire_decode_server(
                       &l->json, sdb_buffer_slice(&l->run.buffer), 32, &l->message, &l->error),
      SDB_OK);
  assert_int_equal(l->message.type, type);
}

static void assert_text(const line *l, uint32_t at, const char *text) {
  assert_int_not_equal(at, 0);
  sdb_slice got = sdb_json_raw(&l->json, at);
  assert_int_equal(got.size, strlen(text));
  assert_memory_equal(got.data, text, got.size);
}

static void assert_written(line *l, const char *expected) {
  assert_int_equal(l->text.status, SDB_OK);
  sdb_buffer_append(&l->text, "", 1);
  assert_string_equal(l->text.data, expected);
  sdb_buffer_reset(&l->text);
}

static sdb_uuid uuid_of(const char *text) {
  sdb_uuid id = {{0}};
  assert_true(sdb_uuid_parse(sdb_slice_of(text), &id));
  return id;
}

static void assert_id(sdb_uuid id, const char *text) {
  assert_true(sdb_uuid_equal(id, uuid_of(text)));
}

/* ---- writing ---- */

static void a_hello_says_all_that_section_3_names(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_range ranges[] = {{uuid_of(ID_C), uuid_of(ID_A)}, {NIL, uuid_of(ID_C)}};
  sdb_wire_store_status stores[] = {{"account", NIL, SDB_WIRE_WINDOW_ALL, NULL, 0},
      {"chatMessage", uuid_of(ID_A), 50, ranges, 2}, {"note", uuid_of(ID_C), 0, &ranges[1], 1}};
  sdb_wire_hello hello = {stores, 3, uuid_of(ID_B), sdb_slice_of("t"), true};
  sdb_wire_client_hello(&l.text, &hello);
  assert_written(&l,
      "{\"type\":\"client_hello\",\"data\":{"
      "\"syncStatus\":{\"account\":null,\"chatMessage\":\"" ID_A "\",\"note\":\"" ID_C "\"},"
      "\"missing\":{\"chatMessage\":[{\"after\":\"" ID_C "\",\"before\":\"" ID_A "\"},"
      "{\"after\":null,\"before\":\"" ID_C "\"}],"
      "\"note\":[{\"after\":null,\"before\":\"" ID_C "\"}]},"
      "\"window\":{\"chatMessage\":50,\"note\":0},"
      "\"accept\":[\"append\"],"
      "\"database\":\"" ID_B "\",\"protocol\":1,\"token\":\"t\"}}");
  line_free(&l);
}

static void a_hello_leaves_out_what_there_is_none_of(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_store_status store = {"note", NIL, SDB_WIRE_WINDOW_ALL, NULL, 0};
  sdb_wire_hello hello = {&store, 1, NIL, NOTHING, false};
  sdb_wire_client_hello(&l.text, &hello);
  assert_written(
      &l, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"note\":null},\"protocol\":1}}");
  hello.stores_count = 0;
  sdb_wire_client_hello(&l.text, &hello);
  assert_written(&l, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{},\"protocol\":1}}");
  line_free(&l);
}

static void the_other_messages_of_a_client_are_worded_as_the_protocol_says(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_slice object = sdb_slice_of("{\"a\":1}");
  sdb_wire_push(&l.text, "note", NIL, object, uuid_of(ID_B));
  assert_written(&l, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"a\":1},"
                     "\"clientId\":\"" ID_B "\"}}");
  sdb_wire_push(&l.text, "note", uuid_of(ID_A), object, uuid_of(ID_B));
  assert_written(&l, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A
                     "\",\"object\":{\"a\":1},\"clientId\":\"" ID_B "\"}}");
  sdb_wire_push(&l.text, "note", uuid_of(ID_A), NOTHING, uuid_of(ID_B));
  assert_written(&l, "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A
                     "\",\"clientId\":\"" ID_B "\"}}");
  sdb_wire_push(&l.text, "note", uuid_of(ID_A), NOTHING, NIL);
  assert_written(&l, "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A "\"}}");
  sdb_wire_fetch(&l.text, "note", NIL, uuid_of(ID_A), 50);
  assert_written(&l, "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"after\":null,"
                     "\"before\":\"" ID_A "\",\"limit\":50}}");
  sdb_wire_auth(&l.text, sdb_slice_of("t"));
  assert_written(&l, "{\"type\":\"auth\",\"data\":{\"token\":\"t\"}}");
  sdb_wire_ping(&l.text);
  assert_written(&l, "{\"type\":\"ping\"}");
  line_free(&l);
}

static void a_message_is_appended_to_what_the_buffer_holds(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_json_write_raw(&l.text, "before ");
  sdb_wire_ping(&l.text);
  assert_written(&l, "before {\"type\":\"ping\"}");
  line_free(&l);
}

/* One message of each kind, each with all that it can hold. */
static void write_every_message(sdb_buffer *to) {
  sdb_wire_range range = {NIL, uuid_of(ID_A)};
  sdb_wire_store_status store = {"note", uuid_of(ID_A), 5, &range, 1};
  sdb_wire_hello hello = {&store, 1, uuid_of(ID_B), sdb_slice_of("a \"token\""), true};
  sdb_wire_client_hello(to, &hello);
  sdb_wire_push(to, "note", uuid_of(ID_A), sdb_slice_of("{\"a\":1}"), uuid_of(ID_B));
  sdb_wire_push(to, "note", uuid_of(ID_A), NOTHING, uuid_of(ID_B));
  sdb_wire_fetch(to, "note", uuid_of(ID_C), uuid_of(ID_A), 7);
  sdb_wire_auth(to, sdb_slice_of("t"));
  sdb_wire_ping(to);
}

static void writing_without_memory_leaves_it_in_the_buffers_status(void **state) {
  (void)state;
  for (size_t fail_at = 1;; fail_at++) {
    line l;
    line_init(&l);
    l.memory.fail_at = fail_at;
    write_every_message(&l.text);
    sdb_status status = l.text.status;
    line_free(&l);
    if (status == SDB_OK) {
      assert_true(fail_at > 1);
      return;
    }
    assert_int_equal(status, SDB_NO_MEMORY);
  }
}

static void a_buffer_of_any_size_holds_all_or_says_that_it_does_not(void **state) {
  (void)state;
  line l;
  line_init(&l);
  write_every_message(&l.text);
  size_t whole = l.text.size;
  for (size_t size_max = 0; size_max <= whole; size_max++) {
    sdb_buffer small;
    sdb_buffer_init(&small, &l.memory.mem, size_max);
    write_every_message(&small);
    assert_int_equal(small.status, size_max < whole ? SDB_LIMIT : SDB_OK);
    sdb_buffer_free(&small);
  }
  line_free(&l);
}

/* ---- written by a client, read by a server ---- */

static void a_server_reads_the_hello_that_a_client_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_range range = {NIL, uuid_of(ID_A)};
  sdb_wire_store_status store = {"note", uuid_of(ID_A), 5, &range, 1};
  sdb_wire_hello hello = {&store, 1, uuid_of(ID_B), sdb_slice_of("t"), true};
  sdb_wire_client_hello(&l.text, &hello);
  server_reads(&l, SDB_WIRE_CLIENT_HELLO);
  assert_text(&l, l.message.sync_status, "{\"note\":\"" ID_A "\"}");
  assert_text(&l, l.message.missing, "{\"note\":[{\"after\":null,\"before\":\"" ID_A "\"}]}");
  assert_text(&l, l.message.window, "{\"note\":5}");
  assert_text(&l, l.message.accept, "[\"append\"]");
  assert_text(&l, l.message.token, "\"t\"");
  assert_id(l.message.database, ID_B);
  line_free(&l);
}

static void a_server_reads_the_pushes_that_a_client_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_push(&l.text, "note", uuid_of(ID_A), sdb_slice_of("{\"a\":1}"), uuid_of(ID_B));
  server_reads(&l, SDB_WIRE_UPDATE);
  assert_text(&l, l.message.store, "\"note\"");
  assert_text(&l, l.message.object, "{\"a\":1}");
  assert_id(l.message.id, ID_A);
  assert_id(l.message.client_id, ID_B);
  sdb_buffer_reset(&l.text);
  sdb_wire_push(&l.text, "note", NIL, sdb_slice_of("{}"), uuid_of(ID_B));
  server_reads(&l, SDB_WIRE_UPDATE);
  assert_text(&l, l.message.object, "{}");
  assert_true(sdb_uuid_is_nil(l.message.id));
  sdb_buffer_reset(&l.text);
  sdb_wire_push(&l.text, "note", uuid_of(ID_A), NOTHING, uuid_of(ID_B));
  server_reads(&l, SDB_WIRE_REMOVE);
  assert_text(&l, l.message.store, "\"note\"");
  assert_id(l.message.id, ID_A);
  assert_id(l.message.client_id, ID_B);
  line_free(&l);
}

static void a_server_reads_the_fetch_that_a_client_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_fetch(&l.text, "note", uuid_of(ID_C), uuid_of(ID_A), UINT32_MAX);
  server_reads(&l, SDB_WIRE_FETCH);
  assert_text(&l, l.message.store, "\"note\"");
  assert_id(l.message.after, ID_C);
  assert_id(l.message.before, ID_A);
  assert_true(l.message.limit == UINT32_MAX);
  sdb_buffer_reset(&l.text);
  sdb_wire_fetch(&l.text, "note", NIL, NIL, 1);
  server_reads(&l, SDB_WIRE_FETCH);
  assert_true(sdb_uuid_is_nil(l.message.after));
  assert_true(sdb_uuid_is_nil(l.message.before));
  line_free(&l);
}

static void a_server_reads_the_ping_that_a_client_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_ping(&l.text);
  server_reads(&l, SDB_WIRE_PING);
  line_free(&l);
}

static void assert_token_is_read(line *l, const char *token) {
  assert_true(sdb_json_string_is(&l->json, l->message.token, sdb_slice_of(token)));
  sdb_buffer_reset(&l->text);
}

static void a_token_of_any_characters_is_read_as_it_was_given(void **state) {
  (void)state;
  static const char *const TOKENS[] = {"plain.token-_", "a\"b\\c/d", "\x01\n\t\x1f\x7f", "\"}}",
      "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"};
  line l;
  line_init(&l);
  for (size_t i = 0; i < SDB_COUNT_OF(TOKENS); i++) {
    sdb_wire_auth(&l.text, sdb_slice_of(TOKENS[i]));
    server_reads(&l, SDB_WIRE_AUTH);
    assert_token_is_read(&l, TOKENS[i]);
    sdb_wire_hello hello = {NULL, 0, NIL, sdb_slice_of(TOKENS[i]), false};
    sdb_wire_client_hello(&l.text, &hello);
    server_reads(&l, SDB_WIRE_CLIENT_HELLO);
    assert_token_is_read(&l, TOKENS[i]);
  }
  line_free(&l);
}

/* ---- written by a server, read by a client ---- */

static void a_client_reads_the_hello_that_a_server_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_store_head heads[] = {{"note", uuid_of(ID_A), false}, {"account", NIL, true}};
  sdb_wire_server_hello(&l.run, uuid_of(ID_B), 1749383382805, heads, 2);
  client_reads(&l, SDB_WIRE_SERVER_HELLO);
  assert_id(l.message.database, ID_B);
  assert_text(&l, l.message.stores,
      "{\"note\":{\"head\":\"" ID_A "\",\"reset\":false},"
      "\"account\":{\"head\":null,\"reset\":true}}");
  line_free(&l);
}

static void a_client_reads_the_events_that_a_server_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_event event = {
      "note", uuid_of(ID_A), uuid_of(ID_C), uuid_of(ID_B), sdb_slice_of("{\"a\":1}")};
  sdb_wire_event_write(&l.run, &event);
  client_reads(&l, SDB_WIRE_UPDATE);
  assert_text(&l, l.message.store, "\"note\"");
  assert_text(&l, l.message.object, "{\"a\":1}");
  assert_id(l.message.id, ID_A);
  assert_id(l.message.event_id, ID_C);
  assert_id(l.message.client_id, ID_B);
  event.object = NOTHING;
  sdb_wire_run_reset(&l.run);
  sdb_wire_event_write(&l.run, &event);
  client_reads(&l, SDB_WIRE_REMOVE);
  assert_text(&l, l.message.store, "\"note\"");
  assert_id(l.message.id, ID_A);
  assert_id(l.message.event_id, ID_C);
  assert_id(l.message.client_id, ID_B);
  line_free(&l);
}

static void an_event_id_that_was_left_out_is_read_as_nil(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_event event = {"note", uuid_of(ID_A), uuid_of(ID_A), NIL, sdb_slice_of("{}")};
  sdb_wire_event_write(&l.run, &event);
  client_reads(&l, SDB_WIRE_UPDATE);
  assert_id(l.message.id, ID_A);
  assert_true(sdb_uuid_is_nil(l.message.event_id));
  assert_true(sdb_uuid_is_nil(l.message.client_id));
  line_free(&l);
}

static void a_client_reads_the_partials_that_a_server_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_partial(&l.run, "note", uuid_of(ID_A), sdb_slice_of("{\"a\":\"x\"}"));
  client_reads(&l, SDB_WIRE_PARTIAL);
  assert_text(&l, l.message.store, "\"note\"");
  assert_text(&l, l.message.object, "{\"a\":\"x\"}");
  assert_int_equal(l.message.append, 0);
  assert_id(l.message.id, ID_A);
  sdb_wire_run_reset(&l.run);
  sdb_wire_partial_append(&l.run, "note", uuid_of(ID_A), sdb_slice_of("a"), sdb_slice_of("y\\n"));
  client_reads(&l, SDB_WIRE_PARTIAL);
  assert_text(&l, l.message.append, "{\"a\":\"y\\n\"}");
  assert_int_equal(l.message.object, 0);
  assert_id(l.message.id, ID_A);
  line_free(&l);
}

static void a_client_reads_the_synced_that_a_server_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_synced(&l.run, "note", uuid_of(ID_C), uuid_of(ID_A), true);
  client_reads(&l, SDB_WIRE_SYNCED);
  assert_text(&l, l.message.store, "\"note\"");
  assert_id(l.message.after, ID_C);
  assert_id(l.message.before, ID_A);
  assert_true(l.message.more);
  sdb_wire_run_reset(&l.run);
  sdb_wire_synced(&l.run, "note", NIL, NIL, false);
  client_reads(&l, SDB_WIRE_SYNCED);
  assert_true(sdb_uuid_is_nil(l.message.after));
  assert_true(sdb_uuid_is_nil(l.message.before));
  assert_false(l.message.more);
  line_free(&l);
}

static void a_client_reads_the_errors_that_a_server_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_error error;
  sdb_error_set(&error, SDB_REJECTED, "no \"x\"\n", NULL, NULL);
  sdb_text_copy(error.path, sizeof(error.path), sdb_slice_of("/a"));
  sdb_wire_error(&l.run, &error, uuid_of(ID_B), "note");
  client_reads(&l, SDB_WIRE_ERROR);
  assert_text(&l, l.message.code, "\"rejected\"");
  assert_true(sdb_json_string_is(&l.json, l.message.text, sdb_slice_of("no \"x\"\n")));
  assert_text(&l, l.message.path, "\"/a\"");
  assert_text(&l, l.message.store, "\"note\"");
  assert_id(l.message.client_id, ID_B);
  error.path[0] = 0;
  sdb_wire_run_reset(&l.run);
  sdb_wire_error(&l.run, &error, NIL, NULL);
  client_reads(&l, SDB_WIRE_ERROR);
  assert_int_equal(l.message.path, 0);
  assert_int_equal(l.message.store, 0);
  assert_true(sdb_uuid_is_nil(l.message.client_id));
  line_free(&l);
}

static void a_client_reads_the_pong_that_a_server_wrote(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_wire_pong(&l.run);
  client_reads(&l, SDB_WIRE_PONG);
  line_free(&l);
}

/* ---- reading, what no server of ours writes ---- */

typedef struct message_fields {
  const char *type;
  struct {
    const char *name, *right;
  } fields[6];
} message_fields;

#define ID "\"" ID_A "\""

/* Every field of every message of a server, with a value of its kind. */
static const message_fields OF_SERVER[] = {
    {"server_hello", {{"database", ID}, {"stores", "{}"}}},
    {"update",
        {{"store", "\"a\""}, {"id", ID}, {"eventId", ID}, {"object", "{}"}, {"clientId", ID}}},
    {"remove", {{"store", "\"a\""}, {"id", ID}, {"eventId", ID}, {"clientId", ID}}},
    {"partial", {{"store", "\"a\""}, {"id", ID}, {"object", "{}"}, {"append", "{}"}}},
    {"synced", {{"store", "\"a\""}, {"after", ID}, {"before", ID}, {"more", "true"}}},
    {"error", {{"code", "\"a\""}, {"message", "\"a\""}, {"path", "\"a\""}, {"store", "\"a\""},
                  {"clientId", ID}}},
};

static sdb_status decode_field(line *l, const char *type, const char *name, const char *value) {
  snprintf(l->input, sizeof(l->input), "{\"type\":\"%s\",\"data\":{\"%s\":%s}}", type, name, value);
  return decode(l, l->input);
}

/* Whether `value` is of the kind that `right` is of; any text that is no UUID is of another kind
 * than an id. */
static bool same_kind(const char *value, const char *right) {
  if (right[0] == 't') return value[0] == 't' || value[0] == 'f';
  return strcmp(right, ID) == 0 ? strcmp(value, ID) == 0 : value[0] == right[0];
}

static void a_field_of_another_kind_is_a_bad_message(void **state) {
  (void)state;
  static const char *const VALUES[] = {
      "\"a\"", "\"" ID_A "0\"", ID, "7", "true", "false", "{}", "[]", "\"true\""};
  line l;
  line_init(&l);
  for (size_t m = 0; m < SDB_COUNT_OF(OF_SERVER); m++) {
    const char *type = OF_SERVER[m].type;
    for (size_t f = 0; OF_SERVER[m].fields[f].name; f++) {
      const char *name = OF_SERVER[m].fields[f].name;
      for (size_t v = 0; v < SDB_COUNT_OF(VALUES); v++) {
        bool right = same_kind(VALUES[v], OF_SERVER[m].fields[f].right);
        sdb_status status = decode_field(&l, type, name, VALUES[v]);
        if (status != (right ? SDB_OK : SDB_BAD_MESSAGE))
          fail_msg("%s %s %s: %s", type, name, VALUES[v], sdb_status_name(status));
        if (right) continue;
        assert_int_equal(l.error.status, SDB_BAD_MESSAGE);
        assert_memory_equal(l.error.message, name, strlen(name));
      }
    }
  }
  line_free(&l);
}

/* Asserts that the message holds nothing but its type. */
static void assert_nothing_read(const line *l) {
  sdb_wire_message nothing;
  memset(&nothing, 0, sizeof(nothing));
  nothing.type = l->message.type;
  nothing.json = &l->json;
  assert_memory_equal(&l->message, &nothing, sizeof(nothing));
}

static void a_field_that_is_null_is_as_absent(void **state) {
  (void)state;
  line l;
  line_init(&l);
  for (size_t m = 0; m < SDB_COUNT_OF(OF_SERVER); m++) {
    for (size_t f = 0; OF_SERVER[m].fields[f].name; f++) {
      assert_int_equal(
          decode_field(&l, OF_SERVER[m].type, OF_SERVER[m].fields[f].name, "null"), SDB_OK);
      assert_nothing_read(&l);
    }
  }
  line_free(&l);
}

static void a_field_that_is_not_known_is_passed_over(void **state) {
  (void)state;
  line l;
  line_init(&l);
  for (size_t m = 0; m < SDB_COUNT_OF(OF_SERVER); m++) {
    assert_int_equal(decode_field(&l, OF_SERVER[m].type, "later", "[{\"id\":7}]"), SDB_OK);
    assert_nothing_read(&l);
  }
  assert_int_equal(decode(&l, "{\"v\":{\"type\":7},\"data\":{\"x\":{\"id\":7},\"id\":\"" ID_A
                              "\",\"idx\":[],\"\":1},\"type\":\"remove\"}"),
      SDB_OK);
  assert_id(l.message.id, ID_A);
  line_free(&l);
}

static void fields_are_read_in_any_order(void **state) {
  (void)state;
  line l;
  line_init(&l);
  assert_int_equal(
      decode(&l, "{\"data\":{\"clientId\":\"" ID_B "\",\"object\":{},\"eventId\":\"" ID_C
                 "\",\"id\":\"" ID_A "\",\"store\":\"note\"},\"type\":\"update\"}"),
      SDB_OK);
  assert_id(l.message.client_id, ID_B);
  assert_text(&l, l.message.object, "{}");
  assert_id(l.message.event_id, ID_C);
  assert_id(l.message.id, ID_A);
  assert_text(&l, l.message.store, "\"note\"");
  line_free(&l);
}

static void escaped_names_are_the_same_names(void **state) {
  (void)state;
  line l;
  line_init(&l);
  assert_int_equal(decode(&l, "{\"t\\u0079pe\":\"s\\u0079nced\",\"d\\u0061ta\":{"
                              "\"m\\u006fre\":true,\"\\u0061fter\":\"" ID_A "\"}}"),
      SDB_OK);
  assert_int_equal(l.message.type, SDB_WIRE_SYNCED);
  assert_true(l.message.more);
  assert_id(l.message.after, ID_A);
  line_free(&l);
}

static void an_escaped_value_is_read_unescaped(void **state) {
  (void)state;
  line l;
  line_init(&l);
  assert_int_equal(decode_field(&l, "error", "code", "\"rej\\u0065cted\""), SDB_OK);
  assert_true(sdb_json_string_is(&l.json, l.message.code, sdb_slice_of("rejected")));
  line_free(&l);
}

static void a_wrong_field_leaves_the_others_read(void **state) {
  (void)state;
  line l;
  line_init(&l);
  assert_int_equal(decode(&l, "{\"type\":\"error\",\"data\":{\"path\":7,\"code\":\"rejected\","
                              "\"message\":[],\"clientId\":\"" ID_B "\"}}"),
      SDB_BAD_MESSAGE);
  assert_string_equal(l.error.message, "path is not a string");
  assert_text(&l, l.message.code, "\"rejected\"");
  assert_int_equal(l.message.path, 0);
  assert_int_equal(l.message.text, 0);
  assert_id(l.message.client_id, ID_B);
  line_free(&l);
}

static void a_number_is_no_boolean(void **state) {
  (void)state;
  line l;
  line_init(&l);
  assert_int_equal(decode_field(&l, "synced", "more", "0"), SDB_BAD_MESSAGE);
  assert_string_equal(l.error.message, "more is not a boolean");
  line_free(&l);
}

static void only_a_pong_needs_no_data(void **state) {
  (void)state;
  static const char *const DATA[] = {"", ",\"data\":null", ",\"data\":7", ",\"data\":[]"};
  line l;
  line_init(&l);
  for (size_t i = 0; i < SDB_COUNT_OF(DATA); i++) {
    for (size_t m = 0; m < SDB_COUNT_OF(OF_SERVER); m++) {
      snprintf(l.input, sizeof(l.input), "{\"type\":\"%s\"%s}", OF_SERVER[m].type, DATA[i]);
      assert_int_equal(decode(&l, l.input), SDB_BAD_MESSAGE);
      assert_string_equal(l.error.message, "data is not an object");
    }
    snprintf(l.input, sizeof(l.input), "{\"type\":\"pong\"%s}", DATA[i]);
    assert_int_equal(decode(&l, l.input), SDB_OK);
    assert_nothing_read(&l);
  }
  assert_int_equal(decode(&l, "{\"type\":\"pong\",\"data\":{\"id\":7}}"), SDB_OK);
  line_free(&l);
}

static void a_client_does_not_know_a_type_that_only_clients_send(void **state) {
  (void)state;
  static const char *const TYPES[] = {
      "client_hello", "fetch", "ping", "auth", "Update", "updates", "", "later"};
  line l;
  line_init(&l);
  for (size_t i = 0; i < SDB_COUNT_OF(TYPES); i++) {
    snprintf(l.input, sizeof(l.input), "{\"type\":\"%s\",\"data\":{}}", TYPES[i]);
    assert_int_equal(decode(&l, l.input), SDB_UNKNOWN_TYPE);
    assert_int_equal(l.error.status, SDB_UNKNOWN_TYPE);
    assert_true(l.error.message[0] != 0);
  }
  line_free(&l);
}

static void a_server_does_not_know_a_type_that_only_servers_send(void **state) {
  (void)state;
  static const char *const TYPES[] = {"server_hello", "partial", "synced", "error", "pong"};
  line l;
  line_init(&l);
  for (size_t i = 0; i < SDB_COUNT_OF(TYPES); i++) {
    snprintf(l.input, sizeof(l.input), "{\"type\":\"%s\",\"data\":{}}", TYPES[i]);
    assert_int_equal(sdb_wire_decode(&l.json, sdb_slice_of(l.input), 32, &l.message, &l.error),
        SDB_UNKNOWN_TYPE);
  }
  line_free(&l);
}

static void a_server_passes_over_what_only_events_of_its_own_hold(void **state) {
  (void)state;
  line l;
  line_init(&l);
  const char *text = "{\"type\":\"update\",\"data\":{\"eventId\":7,\"object\":{}}}";
  assert_int_equal(sdb_wire_decode(&l.json, sdb_slice_of(text), 32, &l.message, &l.error), SDB_OK);
  assert_true(sdb_uuid_is_nil(l.message.event_id));
  line_free(&l);
}

static void what_is_no_message_is_bad_json(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"", "{\"type\":\"pong\"", "[]", "7", "{}", "{\"type\":null}",
      "{\"type\":[\"pong\"]}", "{\"type\":\"pong\",\"type\":\"pong\"}",
      "{\"type\":\"update\",\"data\":{\"id\":null,\"id\":null}}", "{\"type\":\"pong\"} {}"};
  line l;
  line_init(&l);
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++) {
    assert_int_equal(decode(&l, TEXTS[i]), SDB_BAD_JSON);
    assert_int_equal(l.error.status, SDB_BAD_JSON);
    assert_int_equal(l.message.type, 0);
  }
  line_free(&l);
}

static void depth_is_limited(void **state) {
  (void)state;
  line l;
  line_init(&l);
  sdb_slice text = sdb_slice_of("{\"type\":\"update\",\"data\":{\"object\":{\"a\":[]}}}");
  assert_int_equal(sdb_wire_decode_server(&l.json, text, 4, &l.message, &l.error), SDB_OK);
  assert_int_equal(sdb_wire_decode_server(&l.json, text, 3, &l.message, &l.error), SDB_BAD_JSON);
  line_free(&l);
}

static void reading_without_memory_says_so(void **state) {
  (void)state;
  for (size_t fail_at = 1;; fail_at++) {
    line l;
    line_init(&l);
    l.memory.fail_at = fail_at;
    sdb_status status = decode(&l, "{\"type\":\"update\",\"data\":{\"object\":{\"a\":[1,2,3]}}}");
    line_free(&l);
    if (status == SDB_OK) {
      assert_true(fail_at > 1);
      return;
    }
    assert_int_equal(status, SDB_NO_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hello_says_all_that_section_3_names),
      cmocka_unit_test(a_hello_leaves_out_what_there_is_none_of),
      cmocka_unit_test(the_other_messages_of_a_client_are_worded_as_the_protocol_says),
      cmocka_unit_test(a_message_is_appended_to_what_the_buffer_holds),
      cmocka_unit_test(writing_without_memory_leaves_it_in_the_buffers_status),
      cmocka_unit_test(a_buffer_of_any_size_holds_all_or_says_that_it_does_not),
      cmocka_unit_test(a_server_reads_the_hello_that_a_client_wrote),
      cmocka_unit_test(a_server_reads_the_pushes_that_a_client_wrote),
      cmocka_unit_test(a_server_reads_the_fetch_that_a_client_wrote),
      cmocka_unit_test(a_server_reads_the_ping_that_a_client_wrote),
      cmocka_unit_test(a_token_of_any_characters_is_read_as_it_was_given),
      cmocka_unit_test(a_client_reads_the_hello_that_a_server_wrote),
      cmocka_unit_test(a_client_reads_the_events_that_a_server_wrote),
      cmocka_unit_test(an_event_id_that_was_left_out_is_read_as_nil),
      cmocka_unit_test(a_client_reads_the_partials_that_a_server_wrote),
      cmocka_unit_test(a_client_reads_the_synced_that_a_server_wrote),
      cmocka_unit_test(a_client_reads_the_errors_that_a_server_wrote),
      cmocka_unit_test(a_client_reads_the_pong_that_a_server_wrote),
      cmocka_unit_test(a_field_of_another_kind_is_a_bad_message),
      cmocka_unit_test(a_field_that_is_null_is_as_absent),
      cmocka_unit_test(a_field_that_is_not_known_is_passed_over),
      cmocka_unit_test(fields_are_read_in_any_order),
      cmocka_unit_test(escaped_names_are_the_same_names),
      cmocka_unit_test(an_escaped_value_is_read_unescaped),
      cmocka_unit_test(a_wrong_field_leaves_the_others_read),
      cmocka_unit_test(a_number_is_no_boolean),
      cmocka_unit_test(only_a_pong_needs_no_data),
      cmocka_unit_test(a_client_does_not_know_a_type_that_only_clients_send),
      cmocka_unit_test(a_server_does_not_know_a_type_that_only_servers_send),
      cmocka_unit_test(a_server_passes_over_what_only_events_of_its_own_hold),
      cmocka_unit_test(what_is_no_message_is_bad_json),
      cmocka_unit_test(depth_is_limited),
      cmocka_unit_test(reading_without_memory_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
