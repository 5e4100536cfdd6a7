/* stores_file_test.c: a stores file, read whole or refused with the place that is wrong. */
#include "store_fixture.h"
#include <string.h>

#define CHAT                                                                                       \
  "{\"name\":\"chat_message\",\"type\":\"event\",\"schema\":{\"type\":\"object\","                 \
  "\"properties\":{\"role\":{\"type\":\"string\"}}},\"rules\":{\"create\":{\"properties\":"        \
  "{\"role\":{\"const\":\"user\"}}},\"update\":false,\"delete\":true}}"
#define ACCOUNT "{\"name\":\"account\",\"type\":\"singular\",\"schema\":{}}"

static void stores_come_in_the_order_of_the_file(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store **stores;
  size_t count;
  sdb_error error;
  sdb_status status =
      sdb_stores_compile(sdb_slice_of("{\"$comment\":\"x\",\"stores\":[" CHAT "," ACCOUNT "]}"),
          &memory.mem, sdb_platform_patterns(), &stores, &count, &error);
  assert_int_equal(status, SDB_OK);
  assert_int_equal(count, 2);
  assert_string_equal(sdb_store_wire_name(stores[0]), "chatMessage");
  assert_int_equal(sdb_store_type_of(stores[0]), SDB_STORE_EVENT);
  assert_string_equal(sdb_store_name(stores[1]), "account");
  assert_int_equal(sdb_store_type_of(stores[1]), SDB_STORE_SINGULAR);
  assert_verdict(stores[0], SDB_ACTION_CREATE, sdb_slice_of("{\"role\":\"x\"}"), SDB_REJECTED,
      "/role", "must be \"user\"");
  assert_verdict(stores[1], SDB_ACTION_UPDATE, sdb_slice_of("{}"), SDB_OK, NULL, NULL);
  sdb_store_destroy(stores[0]);
  sdb_store_destroy(stores[1]);
  sdb_mem_free(&memory.mem, stores);
  assert_int_equal(memory.live, 0);
}

static void the_public_reader_gives_an_array_to_free(void **state) {
  (void)state;
  sdb_store **stores;
  size_t count;
  assert_int_equal(
      sdb_stores_from_json(sdb_slice_of("{\"stores\":[" ACCOUNT "]}"), &stores, &count, NULL),
      SDB_OK);
  assert_int_equal(count, 1);
  sdb_stores_destroy(stores, count);
}

static void a_file_that_is_wrong_is_refused_with_the_place(void **state) {
  (void)state;
#define STORE(members) "{\"stores\":[" ACCOUNT ",{" members "}]}"
  static const struct {
    const char *file, *path, *message;
  } TABLE[] = {
      {"[]", "", "{\"stores\":[...]}"},
      {"{}", "", "{\"stores\":[...]}"},
      {"{\"stores\":{}}", "/stores", "a list of one or more stores"},
      {"{\"stores\":[]}", "/stores", "a list of one or more stores"},
      {"{\"stores\":[" ACCOUNT "],\"store\":1}", "/store", "no such name"},
      {"{\"stores\":[1]}", "/stores/0", "a store is an object"},
      {STORE(""), "/stores/1", "a store needs its name"},
      {STORE("\"name\":\"a\""), "/stores/1", "a store needs its type"},
      {STORE("\"name\":\"a\",\"type\":\"event\""), "/stores/1", "a store needs its schema"},
      {STORE("\"name\":\"a\",\"type\":\"event\",\"schema\":{},\"rule\":{}"), "/stores/1/rule",
          "no such name"},
      {STORE("\"name\":1,\"type\":\"event\",\"schema\":{}"), "/stores/1/name", "is a string"},
      {STORE("\"name\":\"a-b\",\"type\":\"event\",\"schema\":{}"), "/stores/1/name", "letters"},
      {STORE("\"name\":\"a\",\"type\":\"many\",\"schema\":{}"), "/stores/1/type", "\"singular\""},
      {STORE("\"name\":\"a\",\"type\":1,\"schema\":{}"), "/stores/1/type", "\"singular\""},
      {STORE("\"name\":\"a\",\"type\":\"event\",\"schema\":{\"properties\":{\"b\":{\"if\":1}}}"),
          "/stores/1/schema/properties/b/if", "\"if\""},
      {STORE("\"name\":\"a\",\"type\":\"event\",\"schema\":[]"), "/stores/1/schema",
          "a schema is an object"},
      {STORE("\"name\":\"a\",\"type\":\"event\",\"schema\":{},\"rules\":{\"create\":1}"),
          "/stores/1/rules/create", "a schema is an object"},
      {STORE("\"name\":\"a\",\"type\":\"event\",\"schema\":{},\"rules\":null"), "/stores/1/rules",
          "rules are an object"},
      {STORE("\"name\":\"Account\",\"type\":\"event\",\"schema\":{}"), "/stores/1",
          "account and Account"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    failing_memory memory;
    failing_memory_init(&memory, 0);
    sdb_store **stores;
    size_t count;
    sdb_error error = {SDB_OK, 0, "", ""};
    sdb_status status = sdb_stores_compile(
        sdb_slice_of(TABLE[i].file), &memory.mem, sdb_platform_patterns(), &stores, &count, &error);
    if (status != SDB_BAD_DEFINITION || strcmp(error.path, TABLE[i].path) != 0 ||
        !strstr(error.message, TABLE[i].message))
      fail_msg("%s\nis %s at \"%s\": %s", TABLE[i].file, sdb_status_name(status), error.path,
          error.message);
    assert_int_equal(memory.live, 0);
  }
}

static void a_file_that_is_not_json_is_refused_with_the_offset(void **state) {
  (void)state;
  sdb_store **stores;
  size_t count;
  sdb_error error;
  assert_int_equal(
      sdb_stores_from_json(sdb_slice_of("{\"stores\":[}"), &stores, &count, &error), SDB_BAD_JSON);
  assert_int_equal(error.status, SDB_BAD_JSON);
  assert_int_equal(error.offset, 11);
}

static void an_error_of_a_file_need_not_be_told(void **state) {
  (void)state;
  static const struct {
    const char *file;
    sdb_status status;
  } TABLE[] = {
      {"{\"stores\":[}", SDB_BAD_JSON},
      {"[]", SDB_BAD_DEFINITION},
      {"{\"stores\":[{\"name\":\"a\",\"type\":\"event\",\"schema\":1}]}", SDB_BAD_DEFINITION},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    sdb_store **stores;
    size_t count;
    assert_int_equal(
        sdb_stores_from_json(sdb_slice_of(TABLE[i].file), &stores, &count, NULL), TABLE[i].status);
  }
}

static void a_file_that_is_too_much_is_refused(void **state) {
  (void)state;
  const size_t size = ((size_t)16 << 20) + 1;
  char *file = malloc(size);
  assert_non_null(file);
  sdb_store **stores;
  size_t count;
  sdb_error error;

  memset(file, ' ', size);
  assert_int_equal(sdb_stores_from_json(sdb_slice_make(file, size), &stores, &count, &error),
      SDB_BAD_DEFINITION);
  assert_string_equal(error.message, "a stores file is at most 16 MiB long");

  memset(file, '[', 100);
  assert_int_equal(
      sdb_stores_from_json(sdb_slice_make(file, size - 1), &stores, &count, &error), SDB_BAD_JSON);
  assert_int_equal(error.status, SDB_BAD_JSON);

  size_t at = (size_t)snprintf(file, size, "{\"stores\":[0");
  for (int i = 0; i < 256; i++)
    at += (size_t)snprintf(file + at, size - at, ",0");
  at += (size_t)snprintf(file + at, size - at, "]}");
  assert_int_equal(
      sdb_stores_from_json(sdb_slice_make(file, at), &stores, &count, &error), SDB_BAD_DEFINITION);
  assert_string_equal(error.path, "/stores");
  assert_string_equal(error.message, "more than 256 stores");
  free(file);
}

static void the_offset_of_an_error_is_that_of_the_file(void **state) {
  (void)state;
  static const char FILE_TEXT[] =
      "{\"stores\":[{\"name\":\"a\",\"type\":\"event\",\"schema\":{\"type\":\"text\"}}]}";
  sdb_store **stores;
  size_t count;
  sdb_error error;
  assert_int_equal(
      sdb_stores_from_json(sdb_slice_of(FILE_TEXT), &stores, &count, &error), SDB_BAD_DEFINITION);
  assert_string_equal(error.path, "/stores/0/schema/type");
  assert_ptr_equal(strstr(FILE_TEXT, "text"), FILE_TEXT + error.offset);
}

static void a_file_survives_every_failed_allocation(void **state) {
  (void)state;
  sdb_status status = SDB_NO_MEMORY;
  for (size_t fail_at = 1; status != SDB_OK; fail_at++) {
    failing_memory memory;
    failing_memory_init(&memory, fail_at);
    sdb_store **stores = NULL;
    size_t count = 0;
    sdb_error error;
    status = sdb_stores_compile(sdb_slice_of("{\"stores\":[" ACCOUNT "," CHAT "]}"), &memory.mem,
        sdb_platform_patterns(), &stores, &count, &error);
    if (status != SDB_OK) assert_int_equal(status, SDB_NO_MEMORY);
    for (size_t i = 0; i < count; i++)
      sdb_store_destroy(stores[i]);
    sdb_mem_free(&memory.mem, stores);
    assert_int_equal(memory.live, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stores_come_in_the_order_of_the_file),
      cmocka_unit_test(the_public_reader_gives_an_array_to_free),
      cmocka_unit_test(a_file_that_is_wrong_is_refused_with_the_place),
      cmocka_unit_test(a_file_that_is_not_json_is_refused_with_the_offset),
      cmocka_unit_test(an_error_of_a_file_need_not_be_told),
      cmocka_unit_test(a_file_that_is_too_much_is_refused),
      cmocka_unit_test(the_offset_of_an_error_is_that_of_the_file),
      cmocka_unit_test(a_file_survives_every_failed_allocation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
