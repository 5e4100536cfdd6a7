/* schema_bounds_test.c: objects made to cost much are refused within bounds, or checked in time
 * that grows with their size only. Limits are of steps, so nothing here measures time: what is not
 * bounded would not end while anybody waits. */
#include "store/schema.h"
#include "store_fixture.h"

#define SIZE_MAX_OF_TEXT (4U << 20)

typedef struct text {
  char *data;
  size_t size;
} text;

static text text_of(const char *start) {
  text made = {malloc(SIZE_MAX_OF_TEXT), 0};
  assert_non_null(made.data);
  made.size = (size_t)snprintf(made.data, SIZE_MAX_OF_TEXT, "%s", start);
  return made;
}

__attribute__((format(printf, 2, 3))) static void add(text *to, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  to->size +=
      (size_t)vsnprintf(to->data + to->size, SIZE_MAX_OF_TEXT - to->size, format, arguments);
  va_end(arguments);
  assert_true(to->size < SIZE_MAX_OF_TEXT);
}

/* Checks beyond the size limits of a push: the schema's own bounds must hold by themselves. */
static void check(const char *schema, text object, sdb_status expected, const char *message) {
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store(schema, &memory);
  sdb_json json;
  sdb_error error = {SDB_OK, 0, "", ""};
  sdb_json_init(&json, sdb_platform_mem(), SIZE_MAX_OF_TEXT);
  sdb_status status =
      sdb_json_scan(&json, sdb_slice_make(object.data, object.size), SDB_JSON_DEPTH_MAX, &error);
  assert_int_equal(status, SDB_OK);
  status = sdb_store_check_schema(store, &json, 0, &error);
  if (status != expected || (message && !strstr(error.message, message)))
    fail_msg("%s\nis %s: %s", schema, sdb_status_name(status), error.message);
  sdb_json_free(&json);
  sdb_store_destroy(store);
  assert_int_equal(memory.live, 0);
  free(object.data);
}

static void a_hundred_thousand_unique_items(void **state) {
  (void)state;
  text numbers = text_of("{\"v\":[-1"), strings = text_of("{\"v\":[\"\"");
  for (int i = 0; i < 100000; i++) {
    add(&numbers, ",%d", i);
    add(&strings, ",\"key-%d\"", i);
  }
  add(&numbers, "]}");
  add(&strings, "]}");
  check("{\"properties\":{\"v\":{\"uniqueItems\":true}}}", numbers, SDB_OK, NULL);
  check("{\"properties\":{\"v\":{\"uniqueItems\":true}}}", strings, SDB_OK, NULL);
}

static void the_last_of_many_items_that_repeats_is_found(void **state) {
  (void)state;
  text object = text_of("{\"v\":[-1");
  for (int i = 0; i < 100000; i++)
    add(&object, ",{\"a\":%d,\"b\":[]}", i);
  add(&object, ",{\"b\":[],\"a\":4711.0}]}");
  check("{\"properties\":{\"v\":{\"uniqueItems\":true}}}", object, SDB_INVALID_OBJECT,
      "/v/100001 repeats an earlier item");
}

/* Numbers that are different but have one nearest double, and so one hash. */
static void items_with_one_hash_give_up(void **state) {
  (void)state;
  text object = text_of("{\"v\":[0");
  for (int i = 0; i < 60000; i++)
    add(&object, ",1.0000000000000000000%d", i * 10 + 1);
  add(&object, "]}");
  check("{\"properties\":{\"v\":{\"uniqueItems\":true}}}", object, SDB_INVALID_OBJECT,
      "takes too many steps");
}

static void large_objects_in_another_order_give_up(void **state) {
  (void)state;
  text object = text_of("{\"v\":[{\"a\":1");
  for (int i = 0; i < 50000; i++)
    add(&object, ",\"k%d\":0", i);
  add(&object, "},{\"a\":1");
  for (int i = 50000; i-- > 0;)
    add(&object, ",\"k%d\":0", i);
  add(&object, "}]}");
  check("{\"properties\":{\"v\":{\"uniqueItems\":true}}}", object, SDB_INVALID_OBJECT,
      "takes too many steps");
}

/* A value to compare with that is as large as a schema lets it be. */
static void check_large_constant(const char *before, const char *after) {
  text schema = text_of(before), object = text_of("{");
  add(&schema, "{");
  for (int i = 0; i < 20000; i++)
    add(&schema, "%s\"k%d\":0", i ? "," : "", i);
  add(&schema, "}%s", after);
  add(&object, "\"v\":{");
  for (int i = 20000; i-- > 0;)
    add(&object, "\"k%d\":0%s", i, i ? "," : "");
  add(&object, "}}");
  check(schema.data, object, SDB_INVALID_OBJECT, "takes too many steps");
  free(schema.data);
}

static void a_large_constant_in_another_order_gives_up(void **state) {
  (void)state;
  check_large_constant("{\"properties\":{\"v\":{\"const\":", "}}}");
  check_large_constant("{\"properties\":{\"v\":{\"enum\":[1,", ",2]}}}");
  check_large_constant("{\"properties\":{\"v\":{\"oneOf\":[{\"const\":", "},true]}}}");
}

/* `$createdAt` at the root takes another way through the same comparison. */
static void a_large_constant_beside_created_at_gives_up(void **state) {
  (void)state;
  text schema = text_of("{\"const\":{\"a\":0"), object = text_of("{\"$createdAt\":1");
  for (int i = 0; i < 20000; i++)
    add(&schema, ",\"k%d\":0", i);
  add(&schema, "}}");
  for (int i = 20000; i-- > 0;)
    add(&object, ",\"k%d\":0", i);
  add(&object, ",\"a\":0}");
  check(schema.data, object, SDB_INVALID_OBJECT, "takes too many steps");
  free(schema.data);
}

static void more_properties_than_a_schema_may_name_are_refused(void **state) {
  (void)state;
  text schema = text_of("{\"properties\":{\"a\":{\"required\":[\"k\"");
  for (int i = 0; i < 4096; i++)
    add(&schema, ",\"k%d\"", i);
  add(&schema, "]}}}");
  assert_bad_schema(schema.data, "/properties/a", "more than 4096 properties");
  free(schema.data);
}

static void a_schema_that_is_too_large_is_refused(void **state) {
  (void)state;
  text values = text_of("{\"examples\":[0"), bytes = text_of("{\"title\":\"");
  for (size_t i = 0; i < SDB_SCHEMA_TOKENS_MAX; i++)
    add(&values, ",0");
  add(&values, "]}");
  assert_bad_schema(values.data, "", "the schema is too large: ");
  add(&bytes, "%*s\"}", (int)SDB_SCHEMA_SIZE_MAX, "");
  assert_bad_schema(bytes.data, "", "the schema is longer than 1 MiB");
  free(values.data);
  free(bytes.data);
}

/* Each level doubles the work: 2^60 without a bound. */
static void alternatives_within_alternatives_give_up(void **state) {
  (void)state;
  text object = text_of("{\"v\":");
  for (int i = 0; i < 60; i++)
    add(&object, "[");
  add(&object, "1");
  for (int i = 0; i < 60; i++)
    add(&object, "]");
  add(&object, "}");
  check("{\"properties\":{\"v\":{\"$ref\":\"#/$defs/n\"}},\"$defs\":{\"n\":{\"anyOf\":["
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/n\"}},"
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/n\"}},{\"type\":\"string\"}]}}}",
      object, SDB_INVALID_OBJECT, "takes too many steps");
}

static void giving_up_is_no_match_for_not(void **state) {
  (void)state;
  text object = text_of("{\"v\":[0");
  for (int i = 0; i < 60000; i++)
    add(&object, ",1.0000000000000000000%d", i * 10 + 1);
  add(&object, "]}");
  check("{\"properties\":{\"v\":{\"not\":{\"not\":{\"anyOf\":[{\"uniqueItems\":true},true]}}}}}",
      object, SDB_INVALID_OBJECT, "takes too many steps");
}

static void chains_at_every_level_stop_at_the_depth(void **state) {
  (void)state;
  text object = text_of("{\"v\":"), schema = text_of("");
  for (int i = 0; i < 60; i++)
    add(&object, "[");
  for (int i = 0; i < 60; i++)
    add(&object, "]");
  add(&object, "}");
  add(&schema, "{\"properties\":{\"v\":{\"$ref\":\"#/$defs/n\"}},\"$defs\":{\"n\":");
  for (int i = 0; i < 20; i++)
    add(&schema, "{\"allOf\":[");
  add(&schema, "{\"items\":{\"$ref\":\"#/$defs/n\"}}");
  for (int i = 0; i < 20; i++)
    add(&schema, "]}");
  add(&schema, "}}");
  check(schema.data, object, SDB_INVALID_OBJECT, "is nested too deep for the schema");
  free(schema.data);
}

static void the_deepest_json_fits_a_recursive_union(void **state) {
  (void)state;
  text object = text_of("{\"v\":");
  for (int i = 0; i < SDB_JSON_DEPTH_MAX - 1; i++)
    add(&object, i % 2 ? "{\"a\":" : "[");
  add(&object, "1");
  for (int i = SDB_JSON_DEPTH_MAX - 1; i-- > 0;)
    add(&object, i % 2 ? "}" : "]");
  add(&object, "}");
  check("{\"properties\":{\"v\":{\"$ref\":\"#/$defs/json\"}},\"$defs\":{\"json\":{\"anyOf\":["
        "{\"type\":\"string\"},{\"type\":\"number\"},{\"type\":\"boolean\"},{\"type\":\"null\"},"
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/json\"}},{\"type\":\"object\","
        "\"propertyNames\":{\"type\":\"string\"},"
        "\"additionalProperties\":{\"$ref\":\"#/$defs/json\"}}]}}}",
      object, SDB_OK, NULL);
}

/* Each text alone stays under a limit for one match; together they are bounded too. */
static void many_hostile_texts_share_one_budget(void **state) {
  (void)state;
  text object = text_of("{\"v\":[\"\"");
  for (int i = 0; i < 20000; i++)
    add(&object, ",\"aaaaaaaaaaaa!\"");
  add(&object, "]}");
  check("{\"properties\":{\"v\":{\"items\":{\"not\":{\"pattern\":\"^(a+)+$\"}}}}}", object,
      SDB_INVALID_OBJECT, "takes too many steps to match the pattern ^(a+)+$");
}

static void many_ordinary_texts_fit_the_budget(void **state) {
  (void)state;
  text object = text_of("{\"v\":[\"a@b.cd\"");
  for (int i = 0; i < 20000; i++)
    add(&object, ",\"someone.%d@example.com\"", i);
  add(&object, "]}");
  check("{\"properties\":{\"v\":{\"items\":{\"pattern\":\"^(?:[A-Za-z0-9_'+\\\\-]+\\\\.)*"
        "[A-Za-z0-9_'+\\\\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\\\-]*\\\\.)+[A-Za-z]{2,}$\"}"
        "}}}",
      object, SDB_OK, NULL);
}

/* An object whose keys are escaped and `padding` bytes longer than they need be, and a schema of
 * many properties that it has none of. */
static void check_escaped_keys(size_t padding, int count, sdb_status expected) {
  text object = text_of("{\"v\":{\"\":0");
  text schema = text_of("{\"properties\":{\"v\":{\"properties\":{");
  for (int i = 0; i < 4000; i++)
    add(&schema, "%s\"property%d\":{}", i ? "," : "", i);
  add(&schema, "}}}}");
  for (int i = 0; i < count; i++)
    add(&object, ",\"\\u0070roperty-%d%*s\":0", i, (int)padding, "");
  add(&object, "}}");
  check(schema.data, object, expected, expected ? "takes too many steps" : NULL);
  free(schema.data);
}

static void escaped_keys_of_many_properties(void **state) {
  (void)state;
  check_escaped_keys(0, 60000, SDB_OK);
  check_escaped_keys(600, 5000, SDB_INVALID_OBJECT);
}

static void many_variants_fit_the_budget(void **state) {
  (void)state;
  text schema = text_of("{\"properties\":{\"v\":{\"items\":{\"oneOf\":[false");
  for (int i = 0; i < 50; i++)
    add(&schema,
        ",{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"kind\":{\"const\":"
        "\"kind%d\"},\"value\":{\"type\":\"number\"}},\"required\":[\"id\",\"kind\",\"value\"]}",
        i);
  add(&schema, "]}}}}");
  text object = text_of("{\"v\":[");
  for (int i = 0; i < 5000; i++)
    add(&object, "%s{\"id\":\"a\",\"kind\":\"kind%d\",\"value\":1}", i ? "," : "", i % 50);
  add(&object, "]}");
  check(schema.data, object, SDB_OK, NULL);
  free(schema.data);
}

static void a_path_that_is_too_long_is_cut(void **state) {
  (void)state;
  text object = text_of("{\"v\":");
  for (int i = 0; i < 60; i++)
    add(&object, "{\"a-rather-long-key-\xC3\xA4\":");
  add(&object, "1");
  for (int i = 0; i < 60; i++)
    add(&object, "}");
  add(&object, "}");
  check(
      "{\"additionalProperties\":{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#\"}}}",
      object, SDB_INVALID_OBJECT, "... must be an object, not a number");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hundred_thousand_unique_items),
      cmocka_unit_test(the_last_of_many_items_that_repeats_is_found),
      cmocka_unit_test(items_with_one_hash_give_up),
      cmocka_unit_test(large_objects_in_another_order_give_up),
      cmocka_unit_test(a_large_constant_in_another_order_gives_up),
      cmocka_unit_test(a_large_constant_beside_created_at_gives_up),
      cmocka_unit_test(more_properties_than_a_schema_may_name_are_refused),
      cmocka_unit_test(a_schema_that_is_too_large_is_refused),
      cmocka_unit_test(alternatives_within_alternatives_give_up),
      cmocka_unit_test(giving_up_is_no_match_for_not),
      cmocka_unit_test(chains_at_every_level_stop_at_the_depth),
      cmocka_unit_test(the_deepest_json_fits_a_recursive_union),
      cmocka_unit_test(many_hostile_texts_share_one_budget),
      cmocka_unit_test(many_ordinary_texts_fit_the_budget),
      cmocka_unit_test(escaped_keys_of_many_properties),
      cmocka_unit_test(many_variants_fit_the_budget),
      cmocka_unit_test(a_path_that_is_too_long_is_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
