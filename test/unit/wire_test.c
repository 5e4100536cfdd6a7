/* wire_test.c: messages read and written, and objects as they are stored. */
#include "base/error.h"
#include "failing_memory.h"
#include "wire/wire.h"
#include "ws/frame.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define ID_A "01974f63-6abc-7000-8107-66e6c9a45dda"
#define ID_B "fed649ad-f26f-4fcb-ad05-d1b70049fa1f"

typedef struct reader {
  failing_memory memory;
  sdb_json json;
  sdb_wire_message message;
  sdb_error error;
} reader;

static void reader_init(reader *r) {
  memset(r, 0, sizeof(*r));
  failing_memory_init(&r->memory, 0);
  sdb_json_init(&r->json, &r->memory.mem, 1000);
}

static void reader_free(reader *r) {
  sdb_json_free(&r->json);
  assert_int_equal(r->memory.live, 0);
}

static sdb_status decode(reader *r, const char *text) {
  memset(&r->error, 0, sizeof(r->error));
  return sdb_wire_decode(&r->json, sdb_slice_of(text), 32, &r->message, &r->error);
}

static void assert_text(const reader *r, uint32_t at, const char *text) {
  assert_int_not_equal(at, 0);
  sdb_slice got = sdb_json_raw(&r->json, at);
  assert_int_equal(got.size, strlen(text));
  assert_memory_equal(got.data, text, got.size);
}

static sdb_uuid uuid_of(const char *text) {
  sdb_uuid id = {{0}};
  assert_true(sdb_uuid_parse(sdb_slice_of(text), &id));
  return id;
}

/* ---- reading ---- */

static void each_message_of_a_client_is_read_with_its_fields(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  assert_int_equal(decode(&r, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A
                              "\",\"object\":{\"a\":1},\"clientId\":\"" ID_B "\"}}"),
      SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_UPDATE);
  assert_text(&r, r.message.store, "\"note\"");
  assert_text(&r, r.message.object, "{\"a\":1}");
  assert_true(sdb_uuid_equal(r.message.id, uuid_of(ID_A)));
  assert_true(sdb_uuid_equal(r.message.client_id, uuid_of(ID_B)));
  assert_int_equal(decode(&r, "{\"data\":{\"id\":\"" ID_A "\"},\"type\":\"remove\"}"), SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_REMOVE);
  assert_int_equal(r.message.store, 0);
  assert_true(sdb_uuid_is_nil(r.message.client_id));
  assert_int_equal(decode(&r, "{\"type\":\"fetch\",\"data\":{\"store\":\"note\",\"after\":null,"
                              "\"before\":\"" ID_A "\",\"limit\":50}}"),
      SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_FETCH);
  assert_int_equal(r.message.limit, 50);
  assert_true(sdb_uuid_is_nil(r.message.after));
  assert_true(sdb_uuid_equal(r.message.before, uuid_of(ID_A)));
  assert_int_equal(decode(&r, "{\"type\":\"ping\"}"), SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_PING);
  assert_int_equal(decode(&r, "{\"type\":\"auth\",\"data\":{\"token\":\"t\"}}"), SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_AUTH);
  assert_text(&r, r.message.token, "\"t\"");
  reader_free(&r);
}

static void a_hello_is_read_with_its_parts(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  assert_int_equal(
      decode(&r, "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{\"note\":null},"
                 "\"missing\":{\"note\":[]},\"window\":{\"note\":5},\"accept\":[\"append\"],"
                 "\"database\":\"" ID_A "\",\"protocol\":1,\"token\":\"t\"}}"),
      SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_CLIENT_HELLO);
  assert_text(&r, r.message.sync_status, "{\"note\":null}");
  assert_text(&r, r.message.missing, "{\"note\":[]}");
  assert_text(&r, r.message.window, "{\"note\":5}");
  assert_text(&r, r.message.accept, "[\"append\"]");
  assert_text(&r, r.message.token, "\"t\"");
  assert_true(sdb_uuid_equal(r.message.database, uuid_of(ID_A)));
  reader_free(&r);
}

static void null_and_unknown_fields_are_as_absent(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  assert_int_equal(decode(&r, "{\"x\":[],\"type\":\"update\",\"data\":{\"y\":{},\"store\":null,"
                              "\"object\":null,\"id\":null,\"clientId\":null}}"),
      SDB_OK);
  assert_int_equal(r.message.store, 0);
  assert_int_equal(r.message.object, 0);
  assert_true(sdb_uuid_is_nil(r.message.id));
  assert_true(sdb_uuid_is_nil(r.message.client_id));
  reader_free(&r);
}

static void escaped_names_are_the_same_names(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  assert_int_equal(
      decode(&r, "{\"t\\u0079pe\":\"upd\\u0061te\",\"data\":{\"\\u0069d\":\"" ID_A "\"}}"), SDB_OK);
  assert_int_equal(r.message.type, SDB_WIRE_UPDATE);
  assert_true(sdb_uuid_equal(r.message.id, uuid_of(ID_A)));
  reader_free(&r);
}

static void what_is_wrong_is_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *text;
    sdb_status status;
    const char *said;
  } WRONGS[] = {
      {"", SDB_BAD_JSON, ""},
      {"{\"type\":\"ping\"", SDB_BAD_JSON, ""},
      {"[]", SDB_BAD_JSON, "type"},
      {"7", SDB_BAD_JSON, "type"},
      {"{}", SDB_BAD_JSON, "type"},
      {"{\"type\":null}", SDB_BAD_JSON, "type"},
      {"{\"type\":[\"ping\"]}", SDB_BAD_JSON, "type"},
      {"{\"type\":\"Ping\"}", SDB_UNKNOWN_TYPE, "type"},
      {"{\"type\":\"pong\"}", SDB_UNKNOWN_TYPE, "type"},
      {"{\"type\":\"update\"}", SDB_BAD_MESSAGE, "data"},
      {"{\"type\":\"update\",\"data\":7}", SDB_BAD_MESSAGE, "data"},
      {"{\"type\":\"update\",\"data\":{\"store\":7}}", SDB_BAD_MESSAGE, "store"},
      {"{\"type\":\"update\",\"data\":{\"object\":[]}}", SDB_BAD_MESSAGE, "object"},
      {"{\"type\":\"update\",\"data\":{\"id\":\"x\"}}", SDB_BAD_MESSAGE, "id"},
      {"{\"type\":\"update\",\"data\":{\"id\":7}}", SDB_BAD_MESSAGE, "id"},
      {"{\"type\":\"update\",\"data\":{\"clientId\":\"" ID_A "0\"}}", SDB_BAD_MESSAGE, "clientId"},
      {"{\"type\":\"fetch\",\"data\":{\"limit\":-1}}", SDB_BAD_MESSAGE, "limit"},
      {"{\"type\":\"fetch\",\"data\":{\"limit\":1.5}}", SDB_BAD_MESSAGE, "limit"},
      {"{\"type\":\"fetch\",\"data\":{\"limit\":\"1\"}}", SDB_BAD_MESSAGE, "limit"},
      {"{\"type\":\"client_hello\",\"data\":{\"syncStatus\":[]}}", SDB_BAD_MESSAGE, "syncStatus"},
      {"{\"type\":\"client_hello\",\"data\":{\"accept\":{}}}", SDB_BAD_MESSAGE, "accept"},
      {"{\"type\":\"auth\",\"data\":{\"token\":1}}", SDB_BAD_MESSAGE, "token"},
  };
  reader r;
  reader_init(&r);
  for (size_t i = 0; i < SDB_COUNT_OF(WRONGS); i++) {
    sdb_status status = decode(&r, WRONGS[i].text);
    if (status != WRONGS[i].status || !strstr(r.error.message, WRONGS[i].said))
      fail_msg("%s: %s: %s", WRONGS[i].text, sdb_status_name(status), r.error.message);
    assert_int_equal(r.error.status, status);
  }
  reader_free(&r);
}

static void an_error_in_a_field_still_names_the_push(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  assert_int_equal(
      decode(&r, "{\"type\":\"update\",\"data\":{\"store\":7,\"clientId\":\"" ID_B "\"}}"),
      SDB_BAD_MESSAGE);
  assert_true(sdb_uuid_equal(r.message.client_id, uuid_of(ID_B)));
  reader_free(&r);
}

static void a_limit_beyond_32_bits_is_the_greatest(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  assert_int_equal(
      decode(&r, "{\"type\":\"fetch\",\"data\":{\"limit\":18446744073709551615}}"), SDB_OK);
  assert_true(r.message.limit == UINT32_MAX);
  reader_free(&r);
}

static void depth_is_limited(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  const char *text = "{\"type\":\"ping\",\"data\":[[]]}";
  assert_int_equal(sdb_wire_decode(&r.json, sdb_slice_of(text), 3, &r.message, &r.error), SDB_OK);
  assert_int_equal(
      sdb_wire_decode(&r.json, sdb_slice_of(text), 2, &r.message, &r.error), SDB_BAD_JSON);
  reader_free(&r);
}

static void reading_without_memory_says_so(void **state) {
  (void)state;
  for (size_t fail_at = 1;; fail_at++) {
    reader r;
    reader_init(&r);
    r.memory.fail_at = fail_at;
    sdb_status status = decode(&r, "{\"type\":\"update\",\"data\":{\"object\":{\"a\":[1,2,3]}}}");
    reader_free(&r);
    if (status == SDB_OK) {
      assert_true(fail_at > 1);
      return;
    }
    assert_int_equal(status, SDB_NO_MEMORY);
  }
}

/* ---- objects ---- */

static void assert_stored(const char *object, const char *expected) {
  reader r;
  reader_init(&r);
  sdb_buffer to;
  sdb_buffer_init(&to, &r.memory.mem, 1000);
  assert_int_equal(sdb_json_scan(&r.json, sdb_slice_of(object), 32, &r.error), SDB_OK);
  sdb_status status = sdb_wire_object_write(&to, &r.json, 0, 1000, &r.error);
  if (expected) {
    assert_int_equal(status, SDB_OK);
    sdb_buffer_append(&to, "", 1);
    assert_string_equal(to.data, expected);
  } else {
    assert_int_equal(status, SDB_INVALID_OBJECT);
    assert_int_equal(r.error.status, SDB_INVALID_OBJECT);
    assert_string_equal(r.error.path, "/$createdAt");
  }
  sdb_buffer_free(&to);
  reader_free(&r);
}

static void an_object_is_stored_with_the_time_it_was_made(void **state) {
  (void)state;
  assert_stored("{}", "{\"$createdAt\":1000}");
  assert_stored("{\"a\":1}", "{\"a\":1,\"$createdAt\":1000}");
  assert_stored("{\"$createdAt\":1000,\"a\":1}", "{\"$createdAt\":1000,\"a\":1}");
  assert_stored("{\"a\":1,\"$createdAt\":0}", "{\"a\":1,\"$createdAt\":0}");
  assert_stored("{\"$createdAt\":1001,\"a\":1}", "{\"$createdAt\":1000,\"a\":1}");
  assert_stored("{\"\\u0024createdAt\":9999 }", "{\"\\u0024createdAt\":1000 }");
  assert_stored("{\"a\":{\"$createdAt\":7}}", "{\"a\":{\"$createdAt\":7},\"$createdAt\":1000}");
  assert_stored("{\"$createdAt\":1e2}", "{\"$createdAt\":1e2}");
}

static void a_time_that_is_none_is_refused(void **state) {
  (void)state;
  static const char *const OBJECTS[] = {"{\"$createdAt\":null}", "{\"$createdAt\":\"1\"}",
      "{\"$createdAt\":1.5}", "{\"$createdAt\":-1}", "{\"$createdAt\":[1]}",
      "{\"$createdAt\":123456789012345678901234567890}"};
  for (size_t i = 0; i < SDB_COUNT_OF(OBJECTS); i++)
    assert_stored(OBJECTS[i], NULL);
}

static void an_object_is_refused_without_a_place_for_the_error_too(void **state) {
  (void)state;
  reader r;
  reader_init(&r);
  sdb_buffer to;
  sdb_buffer_init(&to, &r.memory.mem, 1000);
  assert_int_equal(
      sdb_json_scan(&r.json, sdb_slice_of("{\"$createdAt\":-1}"), 32, &r.error), SDB_OK);
  assert_int_equal(sdb_wire_object_write(&to, &r.json, 0, 1000, NULL), SDB_INVALID_OBJECT);
  assert_int_equal(to.size, 0);
  sdb_buffer_free(&to);
  reader_free(&r);
}

/* ---- writing ---- */

static size_t no_header(size_t size, unsigned char *header) {
  (void)size;
  (void)header;
  return 0;
}

static void assert_written(sdb_wire_run *run, const char *expected) {
  assert_int_equal(run->buffer.status, SDB_OK);
  assert_int_equal(run->messages, 1);
  assert_int_equal(run->buffer.size, strlen(expected));
  assert_memory_equal(run->buffer.data, expected, run->buffer.size);
  sdb_wire_run_reset(run);
}

static void write_all(sdb_wire_run *run, void (*check)(sdb_wire_run *, const char *)) {
  sdb_wire_store_head heads[] = {{"note", uuid_of(ID_A), false}, {"account", {{0}}, true}};
  sdb_wire_server_hello(run, uuid_of(ID_B), 1749383382805, heads, 2);
  check(run, "{\"type\":\"server_hello\",\"data\":{\"protocol\":1,\"database\":\"" ID_B
             "\",\"time\":1749383382805,\"stores\":{\"note\":{\"head\":\"" ID_A
             "\",\"reset\":false},\"account\":{\"head\":null,\"reset\":true}}}}");
  sdb_wire_event event = {"note", uuid_of(ID_A), uuid_of(ID_A), {{0}}, sdb_slice_of("{\"a\":1}")};
  sdb_wire_event_write(run, &event);
  check(run, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A
             "\",\"object\":{\"a\":1}}}");
  event.event_id = event.client_id = uuid_of(ID_B);
  sdb_wire_event_write(run, &event);
  check(run, "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A
             "\",\"eventId\":\"" ID_B "\",\"object\":{\"a\":1},\"clientId\":\"" ID_B "\"}}");
  event = (sdb_wire_event){"note", uuid_of(ID_A), {{0}}, {{0}}, {NULL, 0}};
  sdb_wire_event_write(run, &event);
  check(run, "{\"type\":\"remove\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A "\"}}");
  sdb_wire_partial(run, "note", uuid_of(ID_A), sdb_slice_of("{}"));
  check(run,
      "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A "\",\"object\":{}}}");
  sdb_wire_partial_append(run, "note", uuid_of(ID_A), sdb_slice_of("a\"b"), sdb_slice_of("x\\n"));
  check(run, "{\"type\":\"partial\",\"data\":{\"store\":\"note\",\"id\":\"" ID_A
             "\",\"append\":{\"a\\\"b\":\"x\\n\"}}}");
  sdb_wire_synced(run, "note", uuid_of(ID_A), (sdb_uuid){{0}}, true);
  check(run, "{\"type\":\"synced\",\"data\":{\"store\":\"note\",\"after\":\"" ID_A
             "\",\"before\":null,\"more\":true}}");
  sdb_error error;
  sdb_error_set(&error, SDB_REJECTED, "no \"x\"", NULL, NULL);
  sdb_wire_error(run, &error, (sdb_uuid){{0}}, NULL);
  check(run, "{\"type\":\"error\",\"data\":{\"code\":\"rejected\",\"message\":\"no \\\"x\\\"\"}}");
  sdb_text_copy(error.path, sizeof(error.path), sdb_slice_of("/a"));
  sdb_wire_error(run, &error, uuid_of(ID_B), "note");
  check(run, "{\"type\":\"error\",\"data\":{\"code\":\"rejected\",\"message\":\"no \\\"x\\\"\","
             "\"clientId\":\"" ID_B "\",\"store\":\"note\",\"path\":\"/a\"}}");
  sdb_wire_pong(run);
  check(run, "{\"type\":\"pong\"}");
}

static void messages_of_the_server_are_worded_as_the_protocol_says(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_wire_run run;
  sdb_wire_run_init(&run, &memory.mem, 10000, no_header);
  write_all(&run, assert_written);
  sdb_wire_run_free(&run);
  assert_int_equal(memory.live, 0);
}

static void frames_of_every_length_of_header_stand_in_one_run(void **state) {
  (void)state;
  static const size_t SIZES[] = {2, 40, 80, 200, 65400, 65600, 70000, 3};
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_wire_run run;
  sdb_wire_run_init(&run, &memory.mem, 1 << 20, sdb_ws_frame_header);
  char *object = malloc(70000);
  assert_non_null(object);
  memset(object, 'x', 70000);
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++)
    sdb_wire_partial(&run, "n", uuid_of(ID_A), sdb_slice_make(object, SIZES[i]));
  sdb_slice rest = sdb_buffer_slice(&run.buffer), payload;
  size_t around =
      strlen("{\"type\":\"partial\",\"data\":{\"store\":\"n\",\"id\":\"" ID_A "\",\"object\":}}");
  for (size_t i = 0; i < SDB_COUNT_OF(SIZES); i++) {
    assert_true(sdb_ws_next_frame(&rest, &payload));
    assert_int_equal(payload.size, around + SIZES[i]);
    assert_memory_equal(payload.data, "{\"type\":\"partial\"", 17);
    assert_memory_equal(payload.data + payload.size - 3, "x}}", 3);
  }
  assert_int_equal(rest.size, 0);
  assert_int_equal(run.messages, SDB_COUNT_OF(SIZES));
  free(object);
  sdb_wire_run_free(&run);
}

/* Room for a longer header is made last, when the whole message stands in the run. */
static void a_frame_whose_header_does_not_fit_fills_the_run(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  char *object = malloc(70000);
  assert_non_null(object);
  memset(object, 'x', 70000);
  size_t whole = 0;
  for (size_t max = 1 << 20; max + 8 > whole; max--) {
    sdb_wire_run run;
    sdb_wire_run_init(&run, &memory.mem, max, sdb_ws_frame_header);
    sdb_wire_partial(&run, "n", uuid_of(ID_A), sdb_slice_make(object, 70000));
    if (!whole) whole = max = run.buffer.size;
    assert_int_equal(run.buffer.status, max < whole ? SDB_LIMIT : SDB_OK);
    assert_int_equal(run.messages, max < whole ? 0 : 1);
    sdb_wire_run_free(&run);
  }
  free(object);
  assert_int_equal(memory.live, 0);
}

static void ignore(sdb_wire_run *run, const char *expected) {
  (void)run;
  (void)expected;
}

static void writing_without_memory_leaves_it_in_the_buffers_status(void **state) {
  (void)state;
  for (size_t fail_at = 1;; fail_at++) {
    failing_memory memory;
    failing_memory_init(&memory, fail_at);
    sdb_wire_run run;
    sdb_wire_run_init(&run, &memory.mem, 10000, sdb_ws_frame_header);
    write_all(&run, ignore);
    sdb_status status = run.buffer.status;
    sdb_wire_run_free(&run);
    assert_int_equal(memory.live, 0);
    if (status == SDB_OK) {
      assert_true(fail_at > 1);
      return;
    }
    assert_int_equal(status, SDB_NO_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_message_of_a_client_is_read_with_its_fields),
      cmocka_unit_test(a_hello_is_read_with_its_parts),
      cmocka_unit_test(null_and_unknown_fields_are_as_absent),
      cmocka_unit_test(escaped_names_are_the_same_names),
      cmocka_unit_test(what_is_wrong_is_told_apart),
      cmocka_unit_test(an_error_in_a_field_still_names_the_push),
      cmocka_unit_test(a_limit_beyond_32_bits_is_the_greatest),
      cmocka_unit_test(depth_is_limited),
      cmocka_unit_test(reading_without_memory_says_so),
      cmocka_unit_test(an_object_is_stored_with_the_time_it_was_made),
      cmocka_unit_test(a_time_that_is_none_is_refused),
      cmocka_unit_test(an_object_is_refused_without_a_place_for_the_error_too),
      cmocka_unit_test(messages_of_the_server_are_worded_as_the_protocol_says),
      cmocka_unit_test(frames_of_every_length_of_header_stand_in_one_run),
      cmocka_unit_test(a_frame_whose_header_does_not_fit_fills_the_run),
      cmocka_unit_test(writing_without_memory_leaves_it_in_the_buffers_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
