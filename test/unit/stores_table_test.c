/* stores_table_test.c: an application's table of stores, made whole or refused with the name. */
#include "store_fixture.h"
#include <string.h>

static const sdb_field FIELDS[] = {{.name = "text", .type = SDB_TYPE_STRING}, {.name = NULL}};

#define STORE(store_name, ...)                                                                     \
  { .size = sizeof(sdb_store_definition), .name = store_name, .type = SDB_STORE_EVENT, __VA_ARGS__ }
#define GOOD(store_name) STORE(store_name, .fields = FIELDS)
#define END                                                                                        \
  { .name = NULL }

static sdb_status make(const sdb_store_definition *table, sdb_error *error) {
  sdb_store **stores;
  size_t count;
  sdb_status status = sdb_stores_create(table, &stores, &count, error);
  if (status == SDB_OK) sdb_stores_destroy(stores, count);
  return status;
}

static void stores_come_in_the_order_of_the_table(void **state) {
  (void)state;
  const sdb_store_definition table[] = {GOOD("chat_message"),
      {.size = sizeof(sdb_store_definition),
          .name = "account",
          .type = SDB_STORE_SINGULAR,
          .schema = "{\"type\":\"object\"}"},
      END};
  sdb_store **stores;
  size_t count;
  assert_int_equal(sdb_stores_create(table, &stores, &count, NULL), SDB_OK);
  assert_int_equal(count, 2);
  assert_string_equal(sdb_store_wire_name(stores[0]), "chatMessage");
  assert_string_equal(sdb_store_name(stores[1]), "account");
  assert_int_equal(sdb_store_type_of(stores[1]), SDB_STORE_SINGULAR);
  assert_verdict(stores[0], SDB_ACTION_CREATE, sdb_slice_of("{\"text\":1}"), SDB_INVALID_OBJECT,
      "/text", "string");
  sdb_stores_destroy(stores, count);
  sdb_stores_destroy(NULL, 0);
}

static void a_wrong_definition_is_named(void **state) {
  (void)state;
  const sdb_store_definition table[] = {
      GOOD("account"), STORE("chat", .schema = "{\"properties\":{\"a\":{\"maxi\":1}}}"), END};
  sdb_error error;
  assert_int_equal(make(table, &error), SDB_BAD_DEFINITION);
  assert_memory_equal(error.message, "chat: ", 6);
  assert_non_null(strstr(error.message, "maxi"));
  assert_string_equal(error.path, "/properties/a/maxi");
  assert_int_equal(make(table, NULL), SDB_BAD_DEFINITION);
}

static void two_stores_of_one_name_are_refused(void **state) {
  (void)state;
  const sdb_store_definition table[] = {GOOD("chat_message"), GOOD("chatMessage"), END};
  sdb_error error;
  assert_int_equal(make(table, &error), SDB_BAD_DEFINITION);
  assert_non_null(strstr(error.message, "chat_message and chatMessage"));
}

static void a_table_without_stores_is_refused(void **state) {
  (void)state;
  const sdb_store_definition table[] = {END};
  sdb_error error;
  assert_int_equal(make(table, &error), SDB_BAD_DEFINITION);
}

static void definitions_of_another_size_are_refused(void **state) {
  (void)state;
  sdb_store_definition table[] = {GOOD("one"), GOOD("two"), END};
  table[0].size -= 8;
  sdb_error error;
  assert_int_equal(make(table, &error), SDB_BAD_DEFINITION);
  assert_non_null(strstr(error.message, "size"));
  table[0].size += 8;
  table[1].size += 8;
  assert_int_equal(make(table, &error), SDB_BAD_DEFINITION);
  assert_memory_equal(error.message, "two: ", 5);
}

static void more_stores_than_there_may_be_are_refused(void **state) {
  (void)state;
  static char names[257][32];
  sdb_store_definition table[258];
  memset(table, 0, sizeof(table));
  for (int i = 0; i < 257; i++) {
    snprintf(names[i], sizeof(names[i]), "store%d", i);
    table[i] = (sdb_store_definition)GOOD(names[i]);
  }
  sdb_error error;
  assert_int_equal(make(table, &error), SDB_BAD_DEFINITION);
  assert_non_null(strstr(error.message, "256"));
  table[256].name = NULL;
  assert_int_equal(make(table, &error), SDB_OK);
}

static bool make_failing(const void *context, failing_plan plan) {
  failing_memory memory;
  failing_memory_init(&memory, 0);
  failing_memory_arm(&memory, plan);
  sdb_store **stores;
  size_t count;
  sdb_error error;
  sdb_status status = sdb_stores_compile_table(
      context, &memory.mem, sdb_platform_patterns(), &stores, &count, &error);
  if (status == SDB_OK) {
    sdb_store_destroy(stores[0]);
    sdb_store_destroy(stores[1]);
    sdb_mem_free(&memory.mem, stores);
  } else {
    assert_int_equal(status, SDB_NO_MEMORY);
  }
  assert_int_equal(memory.live, 0);
  return failing_memory_disarm(&memory);
}

static void no_memory_is_told_and_nothing_is_left(void **state) {
  (void)state;
  const sdb_store_definition table[] = {GOOD("one"), GOOD("two"), END};
  with_each_allocation_failing(make_failing, table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stores_come_in_the_order_of_the_table),
      cmocka_unit_test(a_wrong_definition_is_named),
      cmocka_unit_test(two_stores_of_one_name_are_refused),
      cmocka_unit_test(a_table_without_stores_is_refused),
      cmocka_unit_test(definitions_of_another_size_are_refused),
      cmocka_unit_test(more_stores_than_there_may_be_are_refused),
      cmocka_unit_test(no_memory_is_told_and_nothing_is_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
