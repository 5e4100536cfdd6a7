/* schema_test.c: every keyword of the subset, with values that match and values that do not. */
#include "store_fixture.h"

/* `value` under the key `v` of an object whose schema for `v` is `schema`. Accepted where `message`
 * is NULL; else refused at `/v` and `path`, with `message` in what is said. */
typedef struct verdict {
  const char *schema, *value, *message, *path;
} verdict;

static void check_verdict(const verdict *expected) {
  char schema[4096], object[4096], path[256];
  failing_memory memory;
  failing_memory_init(&memory, 0);
  snprintf(schema, sizeof(schema), "{\"properties\":{\"v\":%s}}", expected->schema);
  snprintf(object, sizeof(object), "{\"v\":%s}", expected->value);
  snprintf(path, sizeof(path), "/v%s", expected->path ? expected->path : "");
  sdb_store *store = make_schema_store(schema, &memory);
  sdb_status status = expected->message ? SDB_INVALID_OBJECT : SDB_OK;
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(object), status, path, expected->message);
  sdb_store_destroy(store);
  assert_int_equal(memory.live, 0);
}

#define CHECK_ALL(table)                                                                           \
  for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)                                  \
  check_verdict(&(table)[i])

static void type_takes_the_types_it_names(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"type\":\"null\"}", "null", ACCEPTED, NULL},
      {"{\"type\":\"null\"}", "false", "must be null, not a boolean", NULL},
      {"{\"type\":\"boolean\"}", "true", ACCEPTED, NULL},
      {"{\"type\":\"boolean\"}", "false", ACCEPTED, NULL},
      {"{\"type\":\"boolean\"}", "\"true\"", "must be a boolean, not a string", NULL},
      {"{\"type\":\"string\"}", "\"\"", ACCEPTED, NULL},
      {"{\"type\":\"string\"}", "1", "/v must be a string, not a number", NULL},
      {"{\"type\":\"array\"}", "[]", ACCEPTED, NULL},
      {"{\"type\":\"array\"}", "{}", "must be an array, not an object", NULL},
      {"{\"type\":\"object\"}", "{}", ACCEPTED, NULL},
      {"{\"type\":\"object\"}", "[]", "must be an object, not an array", NULL},
      {"{\"type\":\"number\"}", "1.5e300", ACCEPTED, NULL},
      {"{\"type\":\"number\"}", "null", "must be a number, not null", NULL},
      {"{\"type\":[\"string\",\"null\"]}", "null", ACCEPTED, NULL},
      {"{\"type\":[\"string\",\"null\"]}", "\"a\"", ACCEPTED, NULL},
      {"{\"type\":[\"string\",\"null\"]}", "1", "must be null or a string, not a number", NULL},
      {"{\"type\":[\"integer\",\"number\"]}", "1.5", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void an_integer_is_a_whole_number_of_64_bits(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"type\":\"integer\"}", "0", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "-0", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "1.0", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "1e2", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "10e-1", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "9223372036854775807", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "18446744073709551615", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "-9223372036854775808", ACCEPTED, NULL},
      {"{\"type\":\"integer\"}", "1.5", "must be an integer of 64 bits", NULL},
      {"{\"type\":\"integer\"}", "1e-1", "must be an integer of 64 bits", NULL},
      {"{\"type\":\"integer\"}", "18446744073709551616", "must be an integer of 64 bits", NULL},
      {"{\"type\":\"integer\"}", "-9223372036854775809", "must be an integer of 64 bits", NULL},
      {"{\"type\":\"integer\"}", "1e400", "must be an integer of 64 bits", NULL},
      {"{\"type\":\"integer\"}", "\"1\"", "not a string", NULL},
  };
  CHECK_ALL(TABLE);
}

static void true_takes_everything_and_false_nothing(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"true", "[{}]", ACCEPTED, NULL},
      {"{}", "null", ACCEPTED, NULL},
      {"false", "null", "/v is not allowed", NULL},
      {"{\"items\":false}", "[]", ACCEPTED, NULL},
      {"{\"items\":false}", "[1]", "/v/0 is not allowed", "/0"},
  };
  CHECK_ALL(TABLE);
}

static void const_and_enum_compare_values_not_texts(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"const\":\"user\"}", "\"user\"", ACCEPTED, NULL},
      {"{\"const\":\"user\"}", "\"\\u0075ser\"", ACCEPTED, NULL},
      {"{\"const\":\"\\u0075ser\"}", "\"user\"", ACCEPTED, NULL},
      {"{\"const\":\"user\"}", "\"User\"", "/v must be \"user\"", NULL},
      {"{\"const\":1}", "1.0", ACCEPTED, NULL},
      {"{\"const\":1}", "10e-1", ACCEPTED, NULL},
      {"{\"const\":1}", "\"1\"", "must be 1", NULL},
      {"{\"const\":1}", "true", "must be 1", NULL},
      {"{\"const\":0}", "-0", ACCEPTED, NULL},
      {"{\"const\":9007199254740993}", "9007199254740992", "must be 9007199254740993", NULL},
      {"{\"const\":null}", "null", ACCEPTED, NULL},
      {"{\"const\":null}", "0", "must be null", NULL},
      {"{\"const\":{\"a\":1,\"b\":[2]}}", "{\"b\":[2.0],\"a\":1}", ACCEPTED, NULL},
      {"{\"const\":{\"a\":1}}", "{\"a\":1,\"b\":2}", "must be {\"a\":1}", NULL},
      {"{\"enum\":[\"a\",\"b\"]}", "\"b\"", ACCEPTED, NULL},
      {"{\"enum\":[\"a\",\"b\"]}", "\"c\"", "must be one of \"a\", \"b\"", NULL},
      {"{\"enum\":[1,null,[1]]}", "[1.0]", ACCEPTED, NULL},
      {"{\"enum\":[\"a\"]}", "\"b\"", "must be \"a\"", NULL},
      {"{\"type\":\"string\",\"enum\":[\"a\",1]}", "1", "must be a string", NULL},
      {"{\"enum\":[1,2,3,4,5,6,7,8,9]}", "10", "must be one of 1, 2, 3, 4, 5, 6, 7, 8, ...", NULL},
  };
  CHECK_ALL(TABLE);
}

static void properties_and_required_name_the_member(void **state) {
  (void)state;
#define AB                                                                                         \
  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":\"number\"}}," \
  "\"required\":[\"a\",\"c\"]}"
  static const verdict TABLE[] = {
      {AB, "{\"a\":\"\",\"c\":0}", ACCEPTED, NULL},
      {AB, "{\"c\":0,\"b\":1,\"a\":\"\",\"d\":1}", ACCEPTED, NULL},
      {AB, "{\"\\u0061\":\"\",\"c\":0}", ACCEPTED, NULL},
      {AB, "{\"\\u0061\":1,\"c\":0}", "/v/a must be a string", "/a"},
      {AB, "{\"a\":\"\",\"c\":0,\"b\":\"1\"}", "/v/b must be a number", "/b"},
      {AB, "{\"a\":\"\"}", "/v/c is required", "/c"},
      {AB, "{\"c\":\"\"}", "/v/a is required", "/a"},
      {AB, "{}", "/v/a is required", "/a"},
      {AB, "1", "must be an object", NULL},
      {"{\"properties\":{\"a\":false}}", "{}", ACCEPTED, NULL},
      {"{\"properties\":{\"a\":false}}", "{\"a\":1}", "/v/a is not allowed", "/a"},
      {"{\"properties\":{\"a\":false}}", "\"a\"", ACCEPTED, NULL},
      {"{\"required\":[\"\"]}", "{\"\":1}", ACCEPTED, NULL},
      {"{\"required\":[\"\"]}", "{\"a\":1}", "is required", "/"},
  };
  CHECK_ALL(TABLE);
}

static void many_properties_are_found_by_hash(void **state) {
  (void)state;
  char schema[16384] = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{";
  char object[16384] = "{\"v\":{";
  size_t schema_size = strlen(schema), object_size = strlen(object);
  for (int i = 0; i < 100; i++) {
    schema_size += (size_t)snprintf(schema + schema_size, sizeof(schema) - schema_size,
        "%s\"key%d\":{\"const\":%d}", i ? "," : "", i, i);
    int k = 99 - i; /* the other way round, so that order is no help */
    object_size += (size_t)snprintf(object + object_size, sizeof(object) - object_size,
        "%s\"%s%d\":%d", i ? "," : "", k % 2 ? "key" : "\\u006bey", k, k);
  }
  snprintf(schema + schema_size, sizeof(schema) - schema_size, "}}");
  char wrapped[sizeof(schema) + 64];
  snprintf(wrapped, sizeof(wrapped), "{\"properties\":{\"v\":%s}}", schema);
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store(wrapped, &memory);
  char text[sizeof(object) + 64];
  snprintf(text, sizeof(text), "%s}}", object);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(text), SDB_OK, NULL, NULL);
  snprintf(text, sizeof(text), "%s,\"key100\":0}}", object);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(text), SDB_INVALID_OBJECT, "/v/key100",
      "is not a property");
  sdb_store_destroy(store);
}

static void additional_properties_are_those_not_named(void **state) {
  (void)state;
#define CLOSED "{\"properties\":{\"a\":{}},\"required\":[\"b\"],\"additionalProperties\":false}"
  static const verdict TABLE[] = {
      {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", ACCEPTED, NULL},
      {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}",
          "/v/b is not a property that the schema knows", "/b"},
      {"{\"properties\":{\"a\":{}}}", "{\"b\":2}", ACCEPTED, NULL},
      {CLOSED, "{\"b\":1}", "/v/b is not a property", "/b"},
      {"{\"additionalProperties\":{\"type\":\"number\"}}", "{\"a\":1,\"b\":2}", ACCEPTED, NULL},
      {"{\"additionalProperties\":{\"type\":\"number\"}}", "{\"a\":1,\"b\":\"2\"}",
          "/v/b must be a number", "/b"},
      {"{\"additionalProperties\":true}", "{\"a\":1}", ACCEPTED, NULL},
      {"{\"additionalProperties\":{}}", "{\"a\":1}", ACCEPTED, NULL},
      {"{\"additionalProperties\":false}", "{}", ACCEPTED, NULL},
      {"{\"additionalProperties\":false}", "[1]", ACCEPTED, NULL},
      {"{\"additionalProperties\":false}", "{\"a/b~c\":1}", "/v/a~1b~0c", "/a~1b~0c"},
  };
  CHECK_ALL(TABLE);
}

static void names_and_numbers_of_properties_are_limited(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"propertyNames\":{\"maxLength\":2}}", "{\"ab\":1}", ACCEPTED, NULL},
      {"{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}",
          "the name of /v/abc must have 2 characters or less", "/abc"},
      {"{\"propertyNames\":{\"pattern\":\"^[a-z]+$\"}}", "{\"\\u0061\":1}", ACCEPTED, NULL},
      {"{\"propertyNames\":{\"enum\":[\"a\",\"b\"]}}", "{\"c\":1}", "the name of /v/c must be one",
          "/c"},
      {"{\"propertyNames\":false}", "{}", ACCEPTED, NULL},
      {"{\"propertyNames\":false}", "{\"a\":1}", "the name of /v/a is not allowed", "/a"},
      {"{\"minProperties\":1}", "{\"a\":1}", ACCEPTED, NULL},
      {"{\"minProperties\":1}", "{}", "must have 1 properties or more", NULL},
      {"{\"maxProperties\":1}", "{\"a\":1}", ACCEPTED, NULL},
      {"{\"maxProperties\":1.0}", "{\"a\":1,\"b\":2}", "must have 1 properties or less", NULL},
      {"{\"maxProperties\":0}", "[1]", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void items_come_behind_prefix_items(void **state) {
  (void)state;
#define TUPLE                                                                                      \
  "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"number\"}],"             \
  "\"items\":{\"type\":\"null\"}}"
  static const verdict TABLE[] = {
      {"{\"items\":{\"type\":\"string\"}}", "[]", ACCEPTED, NULL},
      {"{\"items\":{\"type\":\"string\"}}", "[\"a\",\"b\"]", ACCEPTED, NULL},
      {"{\"items\":{\"type\":\"string\"}}", "[\"a\",[],1]", "/v/1 must be a string", "/1"},
      {"{\"items\":{\"type\":\"string\"}}", "{\"a\":1}", ACCEPTED, NULL},
      {TUPLE, "[]", ACCEPTED, NULL},
      {TUPLE, "[\"a\"]", ACCEPTED, NULL},
      {TUPLE, "[\"a\",1,null,null]", ACCEPTED, NULL},
      {TUPLE, "[\"a\",\"b\"]", "/v/1 must be a number", "/1"},
      {TUPLE, "[\"a\",1,null,2]", "/v/3 must be null", "/3"},
      {"{\"prefixItems\":[{}],\"items\":false}", "[1]", ACCEPTED, NULL},
      {"{\"prefixItems\":[{}],\"items\":false}", "[1,2]", "/v/1 is not allowed", "/1"},
      {"{\"items\":{\"items\":{\"type\":\"number\"}}}", "[[1],[2,\"\"]]", "must be a number",
          "/1/1"},
  };
  CHECK_ALL(TABLE);
}

static void numbers_of_items_are_limited(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"minItems\":2}", "[1,2]", ACCEPTED, NULL},
      {"{\"minItems\":2}", "[[1,2]]", "must have 2 items or more, not 1", NULL},
      {"{\"maxItems\":2}", "[1,2]", ACCEPTED, NULL},
      {"{\"maxItems\":2}", "[1,2,3]", "must have 2 items or less, not 3", NULL},
      {"{\"maxItems\":0}", "\"abc\"", ACCEPTED, NULL},
      {"{\"minItems\":4294967296}", "[]", "must have 4294967295 items or more", NULL},
      {"{\"maxItems\":4294967296}", "[1]", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void unique_items_are_unique_as_values(void **state) {
  (void)state;
#define TWENTY "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20"
  static const verdict TABLE[] = {
      {"{\"uniqueItems\":true}", "[]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[1,\"1\",true,null,[1],{\"a\":1}]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[1,2,1]", "/v/2 repeats an earlier item", "/2"},
      {"{\"uniqueItems\":true}", "[1,1.0]", "repeats", "/1"},
      {"{\"uniqueItems\":true}", "[0,-0.0]", "repeats", "/1"},
      {"{\"uniqueItems\":true}", "[9007199254740992,9007199254740993]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[1e999,2e999]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[\"ab\",\"\\u0061b\"]", "repeats", "/1"},
      {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "repeats", "/1"},
      {"{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":1,\"a\":2}]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[[1,2],[2,1]]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[false,0,\"\",null]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[" TWENTY "]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "[" TWENTY ",7.0]", "/v/20 repeats", "/20"},
      {"{\"uniqueItems\":true}", "[" TWENTY ",\"\\u0037\"]", ACCEPTED, NULL},
      {"{\"uniqueItems\":false}", "[1,1]", ACCEPTED, NULL},
      {"{\"uniqueItems\":true}", "\"aa\"", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void lengths_count_code_points(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"minLength\":2}", "\"ab\"", ACCEPTED, NULL},
      {"{\"minLength\":2}", "\"a\"", "must have 2 characters or more, not 1", NULL},
      {"{\"maxLength\":2}", "\"ab\"", ACCEPTED, NULL},
      {"{\"maxLength\":2}", "\"abc\"", "must have 2 characters or less, not 3", NULL},
      {"{\"maxLength\":1}", "\"\xF0\x9F\x98\x80\"", ACCEPTED, NULL},
      {"{\"maxLength\":1}", "\"\\ud83d\\ude00\"", ACCEPTED, NULL},
      {"{\"minLength\":2}", "\"\\ud83d\\ude00\"", "not 1", NULL},
      {"{\"maxLength\":2}", "\"\\u0000\\n\"", ACCEPTED, NULL},
      {"{\"maxLength\":0}", "12345", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void bounds_of_numbers_are_exact(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"minimum\":0}", "0", ACCEPTED, NULL},
      {"{\"minimum\":0}", "-0", ACCEPTED, NULL},
      {"{\"minimum\":0}", "-1e-999", "must be 0 or more", NULL},
      {"{\"maximum\":150}", "150.000", ACCEPTED, NULL},
      {"{\"maximum\":150}", "150.0000000000000000000001", "must be 150 or less", NULL},
      {"{\"maximum\":9007199254740992}", "9007199254740993", "9007199254740992 or less", NULL},
      {"{\"minimum\":-9223372036854775808}", "-9223372036854775809", "or more", NULL},
      {"{\"exclusiveMinimum\":0}", "1e-999", ACCEPTED, NULL},
      {"{\"exclusiveMinimum\":0}", "0.0", "must be more than 0", NULL},
      {"{\"exclusiveMaximum\":10}", "9.99", ACCEPTED, NULL},
      {"{\"exclusiveMaximum\":10}", "1e1", "must be less than 10", NULL},
      {"{\"minimum\":1e400}", "1e399", "must be 1e400 or more", NULL},
      {"{\"minimum\":5}", "\"1\"", ACCEPTED, NULL},
      {"{\"multipleOf\":0.01}", "0.07", ACCEPTED, NULL},
      {"{\"multipleOf\":0.01}", "4.35", ACCEPTED, NULL},
      {"{\"multipleOf\":0.01}", "0.075", "must be a multiple of 0.01", NULL},
      {"{\"multipleOf\":3}", "9223372036854775807", "must be a multiple of 3", NULL},
      {"{\"multipleOf\":7}", "9223372036854775807", ACCEPTED, NULL},
      {"{\"multipleOf\":2}", "0", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void combinations_of_schemas(void **state) {
  (void)state;
#define MULTIPLES "[{\"multipleOf\":2},{\"multipleOf\":3}]"
  static const verdict TABLE[] = {
      {"{\"allOf\":" MULTIPLES "}", "6", ACCEPTED, NULL},
      {"{\"allOf\":" MULTIPLES "}", "4", "must be a multiple of 3", NULL},
      {"{\"anyOf\":" MULTIPLES "}", "4", ACCEPTED, NULL},
      {"{\"anyOf\":" MULTIPLES "}", "6", ACCEPTED, NULL},
      {"{\"anyOf\":" MULTIPLES "}", "5", "matches none of the 2 schemas of anyOf", NULL},
      {"{\"oneOf\":" MULTIPLES "}", "4", ACCEPTED, NULL},
      {"{\"oneOf\":" MULTIPLES "}", "6", "matches more than one schema of oneOf", NULL},
      {"{\"oneOf\":" MULTIPLES "}", "5", "matches none of the 2 schemas of oneOf", NULL},
      {"{\"not\":{\"type\":\"string\"}}", "1", ACCEPTED, NULL},
      {"{\"not\":{\"type\":\"string\"}}", "\"\"", "must not match the schema of not", NULL},
      {"{\"not\":{}}", "1", "must not match", NULL},
      {"{\"not\":{\"not\":{\"const\":1}}}", "1", ACCEPTED, NULL},
      {"{\"anyOf\":[false,true]}", "1", ACCEPTED, NULL},
      {"{\"type\":\"number\",\"anyOf\":[{\"const\":1},{\"const\":\"a\"}]}", "\"a\"",
          "must be a number", NULL},
  };
  CHECK_ALL(TABLE);
}

static void of_several_alternatives_the_one_that_was_meant_is_told(void **state) {
  (void)state;
#define VARIANTS                                                                                   \
  "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"a\"},"                   \
  "\"a\":{\"type\":\"string\"}},\"required\":[\"kind\",\"a\"]},"                                   \
  "{\"type\":\"object\",\"properties\":{\"kind\":{\"const\":\"b\"},\"b\":{\"type\":\"number\"}},"  \
  "\"required\":[\"kind\",\"b\"]}]}"
#define MAYBE "{\"anyOf\":[{\"type\":\"object\",\"required\":[\"x\"]},{\"type\":\"null\"}]}"
  static const verdict TABLE[] = {
      {VARIANTS, "{\"kind\":\"a\",\"a\":\"\"}", ACCEPTED, NULL},
      {VARIANTS, "{\"kind\":\"b\",\"b\":\"\"}", "/v/b must be a number", "/b"},
      {VARIANTS, "{\"kind\":\"b\"}", "/v/b is required", "/b"},
      {VARIANTS, "{\"kind\":\"c\"}", "matches none of the 2", NULL},
      {MAYBE, "{\"y\":1}", "/v/x is required", "/x"},
      {MAYBE, "1", "matches none of the 2", NULL},
  };
  CHECK_ALL(TABLE);
}

static void keywords_of_other_types_do_nothing(void **state) {
  (void)state;
#define EVERYTHING                                                                                 \
  "{\"minLength\":9,\"pattern\":\"^x\",\"format\":\"uuid\",\"minimum\":9,\"multipleOf\":9,"        \
  "\"minItems\":9,\"uniqueItems\":true,\"items\":false,\"minProperties\":9,\"required\":[\"x\"]}"
  static const verdict TABLE[] = {
      {EVERYTHING, "null", ACCEPTED, NULL},
      {EVERYTHING, "true", ACCEPTED, NULL},
      {"{\"minLength\":9,\"minItems\":9,\"required\":[\"x\"]}", "1", ACCEPTED, NULL},
      {"{\"minimum\":9,\"minItems\":9,\"required\":[\"x\"]}", "\"\"", ACCEPTED, NULL},
      {"{\"minimum\":9,\"minLength\":9,\"required\":[\"x\"]}", "[]", ACCEPTED, NULL},
      {"{\"minimum\":9,\"minLength\":9,\"minItems\":9}", "{}", ACCEPTED, NULL},
  };
  CHECK_ALL(TABLE);
}

static void annotations_are_ignored(void **state) {
  (void)state;
  static const verdict TABLE[] = {
      {"{\"title\":\"t\",\"description\":\"d\",\"default\":{\"x\":1},\"examples\":[1],"
       "\"deprecated\":true,\"readOnly\":true,\"writeOnly\":false,\"$comment\":\"c\","
       "\"$anchor\":\"a\",\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
       "\"type\":\"string\"}",
          "1", "must be a string", NULL},
  };
  CHECK_ALL(TABLE);
}

static void references_lead_to_the_root_and_to_definitions(void **state) {
  (void)state;
  static const char SCHEMA[] =
      "{\"type\":\"object\",\"properties\":{\"value\":{\"$ref\":\"#/$defs/a~1b%25\"},"
      "\"old\":{\"$ref\":\"#/definitions/o\"},\"child\":{\"$ref\":\"#\"},"
      "\"named\":{\"$ref\":\"#/$defs/chain\",\"maxLength\":3}},\"required\":[\"value\"],"
      "\"$defs\":{\"a/b%\":{\"type\":\"string\"},\"chain\":{\"$ref\":\"#/$defs/a~1b%\"},"
      "\"unused\":{\"items\":{\"$ref\":\"#/$defs/unused\"}}},"
      "\"definitions\":{\"o\":{\"type\":\"null\"}}}";
  static const struct {
    const char *object, *path, *message;
  } TABLE[] = {
      {"{\"value\":\"a\",\"old\":null,\"child\":{\"value\":\"b\"},\"named\":\"abc\"}", NULL, NULL},
      {"{\"value\":1}", "/value", "must be a string"},
      {"{\"value\":\"\",\"old\":1}", "/old", "must be null"},
      {"{\"value\":\"\",\"child\":{\"value\":\"\",\"child\":{\"value\":1}}}", "/child/child/value",
          "must be a string"},
      {"{\"value\":\"\",\"child\":{}}", "/child/value", "is required"},
      {"{\"value\":\"\",\"named\":\"abcd\"}", "/named", "3 characters or less"},
      {"{\"value\":\"\",\"named\":1}", "/named", "must be a string"},
  };
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store(SCHEMA, &memory);
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(TABLE[i].object),
        TABLE[i].message ? SDB_INVALID_OBJECT : SDB_OK, TABLE[i].path, TABLE[i].message);
  sdb_store_destroy(store);
  assert_int_equal(memory.live, 0);
}

/* RFC 6901: percent-encoding is undone first, then ~1 and ~0; what is neither stands for itself. */
static void a_reference_names_its_definition_as_a_pointer_in_a_uri(void **state) {
  (void)state;
  static const struct {
    const char *name, *reference;
  } TABLE[] = {
      {"\xC3\xA4~x", "%c3%A4~0x"},
      {"a~", "a~"},
      {"a~2", "a~2"},
      {"a%zz", "a%zz"},
      {"a%4", "a%4"},
      {"a%!!", "a%!!"},
      {"a%4:", "a%4:"},
      {"a%G0", "a%G0"},
      {"/", "~1"},
      {"a/b", "a%7e1b"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    char schema[256];
    snprintf(schema, sizeof(schema),
        "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/%s\"}},"
        "\"$defs\":{\"other\":{\"type\":\"number\"},\"%s\":{\"type\":\"string\"}}}",
        TABLE[i].reference, TABLE[i].name);
    failing_memory memory;
    failing_memory_init(&memory, 0);
    sdb_store *store = make_schema_store(schema, &memory);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":\"x\"}"), SDB_OK, NULL, NULL);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":1}"), SDB_INVALID_OBJECT, "/a",
        "must be a string");
    sdb_store_destroy(store);
  }
}

static void one_definition_may_be_meant_twice(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store("{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":"
                                       "\"#/$defs/a\"}],\"$defs\":{\"a\":{\"required\":"
                                       "[\"b\"],\"properties\":{\"\":{\"type\":\"null\"}}}}}",
      &memory);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"b\":1,\"\":null}"), SDB_OK, NULL, NULL);
  assert_verdict(
      store, SDB_ACTION_CREATE, sdb_slice_of("{}"), SDB_INVALID_OBJECT, "/b", "is required");
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"b\":1,\"\":1}"), SDB_INVALID_OBJECT,
      "/", "must be null");
  sdb_store_destroy(store);
}

static void definitions_within_a_schema_are_schemas_that_nothing_refers_to(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store("{\"properties\":{\"a\":{\"type\":\"string\",\"$defs\":"
                                       "{\"b\":{\"type\":\"null\"},\"c\":true}}}}",
      &memory);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":\"x\"}"), SDB_OK, NULL, NULL);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":null}"), SDB_INVALID_OBJECT, "/a",
      "must be a string");
  sdb_store_destroy(store);
}

static void definitions_that_are_not_understood_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *schema, *path, *message;
  } TABLE[] = {
      {"", "", "the schema is not JSON"},
      {"{", "", "the schema is not JSON"},
      {"[]", "", "a schema is an object, true or false"},
      {"{\"type\":\"string\"}", "", "its type must be object"},
      {"false", "", "its type must be object"},
      {"{\"patternProperties\":{}}", "/patternProperties",
          "the keyword \"patternProperties\" is not supported"},
      {"{\"properties\":{\"a\":{\"contains\":{}}}}", "/properties/a/contains", "\"contains\""},
      {"{\"$defs\":{\"a\":{\"if\":true}}}", "/$defs/a/if", "\"if\""},
      {"{\"properties\":{\"a\":{\"$defs\":{\"b\":{\"x\":1}}}}}", "/properties/a/$defs/b/x",
          "\"x\""},
      {"{\"properties\":{\"a\":{\"$id\":\"b\"}}}", "/properties/a/$id", "\"$id\""},
      {"{\"contentEncoding\":\"base64\"}", "/contentEncoding", "not supported"},
      {"{\"nullable\":true}", "/nullable", "not supported"},
      {"{\"type\":\"text\"}", "/type", "type is null, boolean"},
      {"{\"type\":1}", "/type", "type is null, boolean"},
      {"{\"type\":[]}", "/type", "an empty list"},
      {"{\"type\":[\"object\",\"object\"]}", "/type/1", "named twice"},
      {"{\"type\":[\"object\",1]}", "/type/1", "type is null"},
      {"{\"properties\":[]}", "/properties", "properties is an object of schemas"},
      {"{\"properties\":{\"a\":1}}", "/properties/a", "a schema is an object, true or false"},
      {"{\"required\":\"a\"}", "/required", "required is a list of names"},
      {"{\"required\":[1]}", "/required/0", "required is a list of names"},
      {"{\"required\":[\"a\",\"a\"]}", "/required/1", "names this twice: a"},
      {"{\"additionalProperties\":1}", "/additionalProperties", "a schema is an object"},
      {"{\"propertyNames\":null}", "/propertyNames", "a schema is an object"},
      {"{\"minProperties\":-1}", "/minProperties", "minProperties is a whole number from 0 on"},
      {"{\"maxProperties\":1.5}", "/maxProperties", "maxProperties is a whole number"},
      {"{\"minLength\":\"1\"}", "/minLength", "minLength is a whole number"},
      {"{\"maxLength\":-1}", "/maxLength", "maxLength is a whole number"},
      {"{\"minItems\":0.5}", "/minItems", "minItems is a whole number"},
      {"{\"maxItems\":null}", "/maxItems", "maxItems is a whole number"},
      {"{\"items\":[{}]}", "/items", "a list of schemas is prefixItems"},
      {"{\"prefixItems\":[]}", "/prefixItems", "a list of one or more schemas"},
      {"{\"prefixItems\":{}}", "/prefixItems", "a list of one or more schemas"},
      {"{\"uniqueItems\":1}", "/uniqueItems", "uniqueItems is true or false"},
      {"{\"enum\":[]}", "/enum", "a list of one or more values"},
      {"{\"enum\":\"a\"}", "/enum", "a list of one or more values"},
      {"{\"anyOf\":[]}", "/anyOf", "anyOf is a list of one or more schemas"},
      {"{\"oneOf\":{}}", "/oneOf", "oneOf is a list of one or more schemas"},
      {"{\"allOf\":[{},1]}", "/allOf/1", "a schema is an object"},
      {"{\"not\":[]}", "/not", "a schema is an object"},
      {"{\"minimum\":\"0\"}", "/minimum", "minimum is a number"},
      {"{\"maximum\":null}", "/maximum", "maximum is a number"},
      {"{\"exclusiveMinimum\":true}", "/exclusiveMinimum", "exclusiveMinimum is a number"},
      {"{\"exclusiveMaximum\":\"9\"}", "/exclusiveMaximum", "exclusiveMaximum is a number"},
      {"{\"multipleOf\":0}", "/multipleOf", "multipleOf is a number above 0"},
      {"{\"multipleOf\":-1}", "/multipleOf", "multipleOf is a number above 0"},
      {"{\"multipleOf\":null}", "/multipleOf", "multipleOf is a number above 0"},
      {"{\"format\":1}", "/format", "format is a string"},
      {"{\"format\":\"hostname\"}", "/format", "the format \"hostname\" is not supported"},
      {"{\"pattern\":\"(\"}", "/pattern", "pattern: "},
      {"{\"pattern\":1}", "/pattern", "pattern is a string"},
      {"{\"$id\":\"x\",\"properties\":{\"$x\":{}}}", "/properties/$x", "are the protocol's: $x"},
      {"{\"required\":[\"$createdAt\"]}", "/required", "are the protocol's: $createdAt"},
      {"{\"allOf\":[{\"properties\":{\"$a\":{}}}]}", "/allOf/0/properties/$a", "protocol's"},
      {"{\"a\\u0000\":1}", "/a\xEF\xBF\xBD", "not supported"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_bad_schema(TABLE[i].schema, TABLE[i].path, TABLE[i].message);
}

static void references_and_definitions_that_are_not_understood_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *schema, *path, *message;
  } TABLE[] = {
      {"{\"$ref\":1}", "/$ref", "$ref is a string"},
      {"{\"$ref\":\"#/properties/a\"}", "/$ref", "\"#\" or \"#/$defs/NAME\""},
      {"{\"$ref\":\"other.json\"}", "/$ref", "not other.json"},
      {"{\"$ref\":\"#/$defs/a\"}", "/$ref", "leads nowhere: #/$defs/a"},
      {"{\"$defs\":{\"a\":{\"$defs\":{}}},\"$ref\":\"#/$defs/a/$defs/b\"}", "/$ref", "\"#\" or"},
      {"{\"$ref\":\"x\"}", "/$ref", "not x"},
      {"{\"$ref\":\"#/$defsxa\",\"$defs\":{\"a\":{}}}", "/$ref", "not #/$defsxa"},
      {"{\"$ref\":\"#/$defs/b\",\"$defs\":{\"a\":{}}}", "/$ref", "leads nowhere"},
      {"{\"$ref\":\"#/$defs/b\",\"$defs\":{\"a\":{}},\"definitions\":{\"b\":{}}}", "/$ref",
          "leads nowhere"},
      {"{\"$defs\":[]}", "/$defs", "$defs is an object"},
      {"{\"properties\":{\"a\":{\"$defs\":[]}}}", "/properties/a/$defs", "$defs is an object"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_bad_schema(TABLE[i].schema, TABLE[i].path, TABLE[i].message);
}

static void references_that_never_end_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *schema, *path;
  } TABLE[] = {
      {"{\"$ref\":\"#\"}", ""},
      {"{\"allOf\":[{\"anyOf\":[{\"$ref\":\"#\"}]}]}", "/allOf/0"},
      {"{\"not\":{\"not\":{\"$ref\":\"#\"}}}", "/not"},
      {"{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}", "/$defs/a"},
      {"{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"oneOf\":[{\"$ref\":\"#/$defs/a\"}]}}}",
          "/$defs/b"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_bad_schema(TABLE[i].schema, TABLE[i].path, "leads back to itself");
}

/* `count` definitions that each mean the next, from the last to the first where `upward`. */
static void refuse_chain(int count, bool upward) {
  char schema[8192] = "{\"$defs\":{";
  size_t size = strlen(schema);
  for (int i = 0; i < count; i++)
    size += (size_t)snprintf(schema + size, sizeof(schema) - size,
        "\"a%d\":{\"$ref\":\"#/$defs/a%d\"},", upward ? i + 1 : i, upward ? i : i + 1);
  snprintf(schema + size, sizeof(schema) - size, "\"a%d\":{}}}", upward ? 0 : count);
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.schema = schema;
  sdb_store *store = NULL;
  sdb_error error;
  assert_int_equal(sdb_store_create(&definition, &store, &error), SDB_BAD_DEFINITION);
  assert_non_null(strstr(error.message, "more than 64 of $ref"));
}

static void long_chains_of_references_are_refused(void **state) {
  (void)state;
  refuse_chain(100, false);
  refuse_chain(100, true);
}

static void the_root_may_leave_its_type_out(void **state) {
  (void)state;
  static const char *const SCHEMAS[] = {
      "{}", "true", "{\"type\":[\"object\",\"null\"]}", "{\"oneOf\":[{\"type\":\"object\"}]}"};
  for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
    failing_memory memory;
    failing_memory_init(&memory, 0);
    sdb_store *store = make_schema_store(SCHEMAS[i], &memory);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":1}"), SDB_OK, NULL, NULL);
    assert_verdict(
        store, SDB_ACTION_CREATE, sdb_slice_of("null"), SDB_INVALID_OBJECT, "", "is a JSON object");
    sdb_store_destroy(store);
  }
}

static void created_at_is_passed_over(void **state) {
  (void)state;
  static const char *const SCHEMAS[] = {
      "{\"properties\":{\"a\":{\"type\":\"number\"}},\"additionalProperties\":false}",
      "{\"maxProperties\":1,\"minProperties\":1}",
      "{\"propertyNames\":{\"maxLength\":1}}",
      "{\"const\":{\"a\":1}}",
      "{\"enum\":[{\"b\":1},{\"a\":1}]}",
      "{\"allOf\":[{\"$ref\":\"#/$defs/x\"}],\"$defs\":{\"x\":{\"maxProperties\":1}}}",
      "{\"not\":{\"minProperties\":2}}",
  };
  for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
    failing_memory memory;
    failing_memory_init(&memory, 0);
    sdb_store *store = make_schema_store(SCHEMAS[i], &memory);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"$createdAt\":1749383382805,\"a\":1}"),
        SDB_OK, NULL, NULL);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":1,\"\\u0024createdAt\":1}"),
        SDB_OK, NULL, NULL);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":1}"), SDB_OK, NULL, NULL);
    sdb_store_destroy(store);
  }
}

static void created_at_alone_does_not_fill_an_object(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store("{\"minProperties\":1}", &memory);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"$createdAt\":1}"), SDB_INVALID_OBJECT,
      "", "must have 1 properties or more");
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":{\"$createdAt\":\"x\",\"$b\":1}}"),
      SDB_OK, NULL, NULL);
  sdb_store_destroy(store);
}

static void a_constant_is_compared_without_created_at_only(void **state) {
  (void)state;
  static const struct {
    const char *schema, *object;
  } TABLE[] = {
      {"{\"const\":1}", "{\"$createdAt\":1}"},
      {"{\"const\":{\"a\":1}}", "{\"$createdAt\":1}"},
      {"{\"const\":{\"a\":1}}", "{\"a\":2,\"$createdAt\":1}"},
      {"{\"const\":{\"a\":1}}", "{\"b\":1,\"$createdAt\":1}"},
      {"{\"enum\":[{\"a\":1},{\"a\":1,\"b\":2}]}", "{\"b\":1,\"$createdAt\":1}"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    failing_memory memory;
    failing_memory_init(&memory, 0);
    sdb_store *store = make_schema_store(TABLE[i].schema, &memory);
    assert_verdict(
        store, SDB_ACTION_CREATE, sdb_slice_of(TABLE[i].object), SDB_INVALID_OBJECT, "", "must be");
    sdb_store_destroy(store);
  }
}

/* What is longer than the room on the stack takes another way to the same verdict. */
static void long_texts_and_names_that_are_escaped_match_as_short_ones_do(void **state) {
  (void)state;
  static char as[2000], schema[8192], object[8192], path[SDB_ERROR_PATH_SIZE];
  memset(as, 'a', sizeof(as) - 1);
  failing_memory memory;
  failing_memory_init(&memory, 0);
  snprintf(schema, sizeof(schema),
      "{\"properties\":{\"t\":{\"pattern\":\"^a+b$\"},\"b%s\":{\"type\":\"null\"}}}", as);
  sdb_store *store = make_schema_store(schema, &memory);
  snprintf(object, sizeof(object), "{\"t\":\"%s\\u0062\",\"\\u0062%s\":null,\"\\u0063%s\":1}", as,
      as, as);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(object), SDB_OK, NULL, NULL);
  snprintf(object, sizeof(object), "{\"t\":\"%s\\u0063\"}", as);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(object), SDB_INVALID_OBJECT, "/t",
      "must match the pattern");
  snprintf(object, sizeof(object), "{\"\\u0062%s\":1}", as);
  memset(path, 'a', sizeof(path)); /* cut, and so not worth unescaping */
  memcpy(path, "/\\u0062", 7);
  sdb_error error;
  assert_int_equal(
      sdb_store_check(store, SDB_ACTION_CREATE, sdb_slice_of(object), &error), SDB_INVALID_OBJECT);
  assert_non_null(strstr(error.message, "must be null"));
  assert_memory_equal(error.path, path, 100);
  sdb_store_destroy(store);
  assert_int_equal(memory.live, 0);
}

/* ---- a port of patterns that is out of memory ---- */

static sdb_status compile_anything(
    void *context, sdb_slice pattern, void **compiled, sdb_error *error) {
  (void)pattern, (void)error;
  *compiled = context;
  return SDB_OK;
}

static int match_without_memory(
    void *context, const void *compiled, sdb_slice text, uint64_t *steps) {
  (void)context, (void)compiled, (void)text, (void)steps;
  return -2;
}

static void release_nothing(void *context, void *compiled) {
  (void)context, (void)compiled;
}

static void a_pattern_without_memory_is_no_verdict(void **state) {
  (void)state;
  static int context;
  static const sdb_pattern_port PORT = {
      1, &context, compile_anything, match_without_memory, release_nothing};
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.schema = "{\"properties\":{\"a\":{\"not\":{\"anyOf\":[{\"pattern\":\"b\"},true]}}}}";
  sdb_store *store;
  sdb_error error;
  assert_int_equal(sdb_store_compile(&definition, &memory.mem, &PORT, &store, &error), SDB_OK);
  assert_int_equal(sdb_store_check(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":\"b\"}"), &error),
      SDB_NO_MEMORY);
  sdb_store_destroy(store);
}

static void other_names_of_the_protocol_are_refused(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store("{}", &memory);
  static const struct {
    const char *object, *path;
  } TABLE[] = {
      {"{\"$id\":1}", "/$id"},
      {"{\"a\":1,\"\\u0024x\":1}", "/$x"},
      {"{\"$\":1}", "/$"},
      {"{\"$createdat\":1}", "/$createdat"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(TABLE[i].object), SDB_INVALID_OBJECT,
        TABLE[i].path, "are the protocol's");
  static const char *const TIMES[] = {"-1", "1.5", "\"1\"", "null", "9223372036854775808"};
  for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
    char object[64];
    snprintf(object, sizeof(object), "{\"$createdAt\":%s}", TIMES[i]);
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(object), SDB_INVALID_OBJECT,
        "/$createdAt", "must be milliseconds");
  }
  sdb_store_destroy(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(type_takes_the_types_it_names),
      cmocka_unit_test(an_integer_is_a_whole_number_of_64_bits),
      cmocka_unit_test(true_takes_everything_and_false_nothing),
      cmocka_unit_test(const_and_enum_compare_values_not_texts),
      cmocka_unit_test(properties_and_required_name_the_member),
      cmocka_unit_test(many_properties_are_found_by_hash),
      cmocka_unit_test(additional_properties_are_those_not_named),
      cmocka_unit_test(names_and_numbers_of_properties_are_limited),
      cmocka_unit_test(items_come_behind_prefix_items),
      cmocka_unit_test(numbers_of_items_are_limited),
      cmocka_unit_test(unique_items_are_unique_as_values),
      cmocka_unit_test(lengths_count_code_points),
      cmocka_unit_test(bounds_of_numbers_are_exact),
      cmocka_unit_test(combinations_of_schemas),
      cmocka_unit_test(of_several_alternatives_the_one_that_was_meant_is_told),
      cmocka_unit_test(keywords_of_other_types_do_nothing),
      cmocka_unit_test(annotations_are_ignored),
      cmocka_unit_test(references_lead_to_the_root_and_to_definitions),
      cmocka_unit_test(a_reference_names_its_definition_as_a_pointer_in_a_uri),
      cmocka_unit_test(one_definition_may_be_meant_twice),
      cmocka_unit_test(definitions_within_a_schema_are_schemas_that_nothing_refers_to),
      cmocka_unit_test(definitions_that_are_not_understood_are_refused),
      cmocka_unit_test(references_and_definitions_that_are_not_understood_are_refused),
      cmocka_unit_test(references_that_never_end_are_refused),
      cmocka_unit_test(long_chains_of_references_are_refused),
      cmocka_unit_test(the_root_may_leave_its_type_out),
      cmocka_unit_test(created_at_is_passed_over),
      cmocka_unit_test(created_at_alone_does_not_fill_an_object),
      cmocka_unit_test(a_constant_is_compared_without_created_at_only),
      cmocka_unit_test(long_texts_and_names_that_are_escaped_match_as_short_ones_do),
      cmocka_unit_test(a_pattern_without_memory_is_no_verdict),
      cmocka_unit_test(other_names_of_the_protocol_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
