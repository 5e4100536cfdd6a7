/* store_test.c: definitions: names, types, C tables of fields; stores together; no memory. */
#include "hub/limits.h"
#include "store_fixture.h"
#include <math.h>
#include <string.h>

#define ANY "{}"

static sdb_store *make_named(const char *name, const failing_memory *memory) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.schema = ANY;
  return make_store(&definition, memory);
}

static void a_name_on_the_wire_is_lower_camel_case(void **state) {
  (void)state;
  static const struct {
    const char *name, *wire_name;
  } TABLE[] = {
      {"chat_message", "chatMessage"},
      {"account", "account"},
      {"chatMessage", "chatMessage"},
      {"ChatMessage", "chatMessage"},
      {"a_b_c", "aBC"},
      {"a__b_", "aB"},
      {"chat_2_go", "chat2Go"},
      {"URL", "uRL"},
      {"a", "a"},
  };
  failing_memory memory;
  failing_memory_init(&memory, 0);
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    sdb_store *store = make_named(TABLE[i].name, &memory);
    assert_string_equal(sdb_store_name(store), TABLE[i].name);
    assert_string_equal(sdb_store_wire_name(store), TABLE[i].wire_name);
    sdb_store_destroy(store);
  }
  assert_int_equal(memory.live, 0);
}

static void a_name_that_is_not_one_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *name, *message;
  } TABLE[] = {
      {NULL, "needs a name"},
      {"", "needs a name"},
      {"_a", "begins with a letter"},
      {"1a", "begins with a letter"},
      {"a-b", "letters (A-Z), digits and _ only"},
      {"a b", "letters (A-Z), digits and _ only"},
      {"a{", "letters (A-Z), digits and _ only"},
      {"\xC3\xA4", "begins with a letter"},
      {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "64 bytes"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
    definition.name = TABLE[i].name;
    definition.schema = ANY;
    assert_bad_definition(&definition, "", TABLE[i].message);
  }
}

static void a_definition_must_be_whole(void **state) {
  (void)state;
  static const sdb_field NO_FIELDS[] = {{.name = NULL}};
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  assert_bad_definition(&definition, "", "needs fields or a schema");
  definition.schema = ANY;
  definition.fields = NO_FIELDS;
  assert_bad_definition(&definition, "", "fields or a schema, not both");
  definition.fields = NULL;
  definition.type = (sdb_store_type)3;
  assert_bad_definition(&definition, "", "event or singular");
  definition.type = SDB_STORE_EVENT;
  definition.size = 0;
  assert_bad_definition(&definition, "", "SDB_STORE_DEFINITION_INIT");
}

static void nothing_of_a_definition_is_kept(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  char name[] = "thing", schema[] = "{\"properties\":{\"a\":{\"enum\":[\"x\"],\"minimum\":5}}}";
  char rules[] = "{\"create\":{\"properties\":{\"a\":{\"pattern\":\"^x\"}}}}";
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.schema = schema;
  definition.rules = rules;
  definition.type = SDB_STORE_SINGULAR;
  sdb_store *store = make_store(&definition, &memory);
  memset(name, '!', sizeof(name));
  memset(schema, '!', sizeof(schema));
  memset(rules, '!', sizeof(rules));
  memset(&definition, 0, sizeof(definition));
  assert_string_equal(sdb_store_name(store), "thing");
  assert_int_equal(sdb_store_type_of(store), SDB_STORE_SINGULAR);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":\"x\"}"), SDB_OK, NULL, NULL);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of("{\"a\":\"y\"}"), SDB_INVALID_OBJECT, "/a",
      "must be \"x\"");
  sdb_store_destroy(store);
  assert_int_equal(memory.live, 0);
}

static void stores_are_found_by_their_names(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *stores[] = {make_named("chat_message", &memory), make_named("account", &memory)};
  assert_int_equal(sdb_stores_find_wire(stores, 2, sdb_slice_of("chatMessage")), 0);
  assert_int_equal(sdb_stores_find_wire(stores, 2, sdb_slice_of("account")), 1);
  assert_int_equal(sdb_stores_find_wire(stores, 2, sdb_slice_of("chat_message")), -1);
  assert_int_equal(sdb_stores_find_wire(stores, 2, sdb_slice_of("")), -1);
  assert_int_equal(sdb_stores_find(stores, 2, sdb_slice_of("chat_message")), 0);
  assert_int_equal(sdb_stores_find(stores, 2, sdb_slice_of("chatMessage")), 0);
  assert_int_equal(sdb_stores_find(stores, 2, sdb_slice_of("accoun")), -1);
  assert_int_equal(sdb_stores_distinct(stores, 2, NULL), SDB_OK);
  sdb_store_destroy(stores[0]);
  sdb_store_destroy(stores[1]);
}

static void two_stores_with_one_name_on_the_wire_are_refused(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *stores[] = {make_named("account", &memory), make_named("chat_message", &memory),
      make_named("chatMessage", &memory)};
  sdb_error error;
  assert_int_equal(sdb_stores_distinct(stores, 2, &error), SDB_OK);
  assert_int_equal(sdb_stores_distinct(stores, 3, &error), SDB_BAD_DEFINITION);
  assert_string_equal(
      error.message, "two stores have one name on the wire: chat_message and chatMessage");
  for (size_t i = 0; i < 3; i++)
    sdb_store_destroy(stores[i]);
}

/* ---- fields ---- */

static const sdb_field FIELDS[] = {
    {.name = "text", .type = SDB_TYPE_STRING, .length_min = 1, .length_max = 3},
    {.name = "count", .type = SDB_TYPE_INTEGER, .minimum = -2, .maximum = 9007199254740992},
    {.name = "ratio",
        .type = SDB_TYPE_NUMBER,
        .optional = true,
        .minimum = 0.1,
        .maximum = HUGE_VAL},
    {.name = "done", .type = SDB_TYPE_BOOLEAN, .nullable = true},
    {.name = "tags",
        .type = SDB_TYPE_JSON,
        .optional = true,
        .schema = "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
    {.name = "link",
        .type = SDB_TYPE_STRING,
        .optional = true,
        .nullable = true,
        .schema = "{\"format\":\"uri\"}"},
    {.name = "extra", .type = SDB_TYPE_JSON, .optional = true},
    {.name = NULL},
};

static void fields_are_checked_as_a_schema_is(void **state) {
  (void)state;
  static const struct {
    const char *object, *path, *message;
  } TABLE[] = {
      {"{\"text\":\"abc\",\"count\":1.0,\"done\":true}", NULL, NULL},
      {"{\"text\":\"abc\",\"count\":1,\"done\":null,\"ratio\":0.1,\"tags\":[\"a\"],\"link\":null,"
       "\"extra\":[{}],\"$createdAt\":1}",
          NULL, NULL},
      {"{\"text\":\"\",\"count\":1,\"done\":true}", "/text", "1 characters or more"},
      {"{\"text\":\"abcd\",\"count\":1,\"done\":true}", "/text", "3 characters or less"},
      {"{\"text\":1,\"count\":1,\"done\":true}", "/text", "must be a string"},
      {"{\"text\":null,\"count\":1,\"done\":true}", "/text", "must be a string"},
      {"{\"count\":1,\"done\":true}", "/text", "is required"},
      {"{\"text\":\"a\",\"count\":-3,\"done\":true}", "/count", "must be -2 or more"},
      {"{\"text\":\"a\",\"count\":9007199254740993,\"done\":true}", "/count",
          "must be 9007199254740992 or less"},
      {"{\"text\":\"a\",\"count\":1.5,\"done\":true}", "/count", "must be an integer"},
      {"{\"text\":\"a\",\"count\":1,\"done\":true,\"ratio\":0.09}", "/ratio",
          "must be within the limits of its field"},
      {"{\"text\":\"a\",\"count\":1,\"done\":0}", "/done", "must be null or a boolean"},
      {"{\"text\":\"a\",\"count\":1,\"done\":true,\"tags\":[1]}", "/tags/0", "must be a string"},
      {"{\"text\":\"a\",\"count\":1,\"done\":true,\"tags\":null}", "/tags", "none of the 1"},
      {"{\"text\":\"a\",\"count\":1,\"done\":true,\"link\":\"x\"}", "/link", "none of the 2"},
      {"{\"text\":\"a\",\"count\":1,\"done\":true,\"more\":1}", "/more", "is not a property"},
  };
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.fields = FIELDS;
  sdb_store *store = make_store(&definition, &memory);
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(TABLE[i].object),
        TABLE[i].message ? SDB_INVALID_OBJECT : SDB_OK, TABLE[i].path, TABLE[i].message);
  sdb_store_destroy(store);
  assert_int_equal(memory.live, 0);
}

/* HUGE_VAL is no bound, a length_max of 0 is none, and whole numbers are compared exactly. */
static void bounds_of_fields_hold_at_their_ends(void **state) {
  (void)state;
  static const sdb_field BOUNDED[] = {
      {.name = "least", .type = SDB_TYPE_STRING, .optional = true, .length_min = 2},
      {.name = "most", .type = SDB_TYPE_STRING, .optional = true, .length_max = (size_t)1 << 33},
      {.name = "long", .type = SDB_TYPE_STRING, .optional = true, .length_min = (size_t)1 << 33},
      {.name = "from",
          .type = SDB_TYPE_NUMBER,
          .optional = true,
          .minimum = 1,
          .maximum = HUGE_VAL},
      {.name = "to",
          .type = SDB_TYPE_NUMBER,
          .optional = true,
          .minimum = -HUGE_VAL,
          .maximum = -1},
      {.name = "zero", .type = SDB_TYPE_NUMBER, .optional = true, .minimum = -1, .maximum = 0},
      {.name = "far",
          .type = SDB_TYPE_NUMBER,
          .optional = true,
          .minimum = -1e300,
          .maximum = 1e300},
      {.name = NULL},
  };
  static const struct {
    const char *object, *path;
  } TABLE[] = {
      {"{\"least\":\"aa\",\"most\":\"\"}", NULL},
      {"{\"least\":\"a\"}", "/least"},
      {"{\"long\":\"a\"}", "/long"},
      {"{\"from\":1,\"to\":-1,\"zero\":0,\"far\":1e300}", NULL},
      {"{\"from\":1e308,\"to\":-1e308,\"zero\":-1,\"far\":-1e300}", NULL},
      {"{\"from\":0.99}", "/from"},
      {"{\"to\":-0.99}", "/to"},
      {"{\"zero\":0.01}", "/zero"},
      {"{\"far\":1.1e300}", "/far"},
      {"{\"far\":-1.1e300}", "/far"},
  };
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.fields = BOUNDED;
  sdb_store *store = make_store(&definition, &memory);
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
    assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(TABLE[i].object),
        TABLE[i].path ? SDB_INVALID_OBJECT : SDB_OK, TABLE[i].path, "must");
  sdb_store_destroy(store);
}

static void more_fields_than_a_store_may_have_are_refused(void **state) {
  (void)state;
  static sdb_field fields[4098];
  static char names[4097][8];
  for (size_t i = 0; i < 4097; i++) {
    snprintf(names[i], sizeof(names[i]), "f%zu", i);
    fields[i] = (sdb_field){.name = names[i], .type = SDB_TYPE_JSON};
  }
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.fields = fields;
  assert_bad_definition(&definition, "", "more than 4096 fields");
}

static void fields_that_contradict_themselves_are_refused(void **state) {
  (void)state;
  static const struct {
    sdb_field fields[3];
    const char *path, *message;
  } TABLE[] = {
      {{{.name = "a"}}, "/a", "the field a has no type"},
      {{{.name = "a", .type = (sdb_field_type)9}}, "/a", "has no type"},
      {{{.name = "$a", .type = SDB_TYPE_STRING}}, "/$a", "are the protocol's"},
      {{{.name = "\xFF", .type = SDB_TYPE_STRING}}, "/?", "is not named in UTF-8"},
      {{{.name = "a", .type = SDB_TYPE_STRING}, {.name = "a", .type = SDB_TYPE_JSON}}, "/a",
          "is there twice"},
      {{{.name = "a", .type = SDB_TYPE_NUMBER, .length_max = 1}}, "/a", "which is for strings"},
      {{{.name = "a", .type = SDB_TYPE_JSON, .length_min = 1}}, "/a", "which is for strings"},
      {{{.name = "a", .type = SDB_TYPE_STRING, .minimum = 1}}, "/a", "which is for numbers"},
      {{{.name = "a", .type = SDB_TYPE_BOOLEAN, .maximum = 1}}, "/a", "which is for numbers"},
      {{{.name = "a", .type = SDB_TYPE_STRING, .length_min = 2, .length_max = 1}}, "/a",
          "length_min above its length_max"},
      {{{.name = "a", .type = SDB_TYPE_NUMBER, .minimum = 1}}, "/a", "minimum above its maximum"},
      {{{.name = "a", .type = SDB_TYPE_NUMBER, .minimum = (double)NAN}}, "/a", "above its maximum"},
      {{{.name = "a", .type = SDB_TYPE_JSON, .schema = "{"}}, "/a",
          "the field's schema is not JSON"},
      {{{.name = "a/b", .type = SDB_TYPE_JSON, .schema = "{\"items\":{\"if\":1}}"}},
          "/a~1b/items/if", "the keyword \"if\" is not supported"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
    definition.name = "thing";
    definition.fields = TABLE[i].fields;
    assert_bad_definition(&definition, TABLE[i].path, TABLE[i].message);
  }
}

/* ---- limits and memory ---- */

static void an_object_over_the_limits_is_too_large(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_named("thing", &memory);
  size_t size = SDB_OBJECT_BYTES_MAX + 1;
  char *object = malloc(size);
  assert_non_null(object);
  memset(object, ' ', size);
  memcpy(object, "{}", 2);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_make(object, size - 1), SDB_OK, NULL, NULL);
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_make(object, size), SDB_TOO_LARGE, "",
      "larger than 256 KiB");
  free(object);
  char deep[256] = "{\"a\":";
  size_t at = strlen(deep);
  memset(deep + at, '[', SDB_OBJECT_DEPTH_MAX);
  memset(deep + at + SDB_OBJECT_DEPTH_MAX, ']', SDB_OBJECT_DEPTH_MAX);
  deep[at + 2 * SDB_OBJECT_DEPTH_MAX] = '}';
  assert_verdict(store, SDB_ACTION_CREATE, sdb_slice_of(deep), SDB_TOO_LARGE, "", "");
  sdb_store_destroy(store);
}

static void the_limits_are_the_servers_defaults(void **state) {
  (void)state;
  sdb_limits limits = sdb_limits_default();
  assert_int_equal(SDB_OBJECT_BYTES_MAX, limits.object_bytes_max);
  assert_int_equal(SDB_OBJECT_DEPTH_MAX, limits.depth_max - 2);
}

/* The place for an error may be left out everywhere: the status is the same. */
static void an_error_need_not_be_told(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  static const struct {
    const char *schema, *rules;
    sdb_field fields[2];
  } BAD[] = {
      {"{", NULL, {{.name = NULL}}},
      {"{\"if\":1}", NULL, {{.name = NULL}}},
      {"{}", "[]", {{.name = NULL}}},
      {"{}", "{", {{.name = NULL}}},
      {NULL, NULL, {{.name = "$a", .type = SDB_TYPE_JSON}}},
      {NULL, NULL, {{.name = "a", .type = SDB_TYPE_JSON, .schema = "{\"if\":1}"}}},
  };
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
    sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
    definition.name = "thing";
    definition.schema = BAD[i].schema;
    definition.rules = BAD[i].rules;
    if (!BAD[i].schema) definition.fields = BAD[i].fields;
    sdb_store *store = NULL;
    assert_int_equal(
        sdb_store_compile(&definition, &memory.mem, sdb_platform_patterns(), &store, NULL),
        SDB_BAD_DEFINITION);
    assert_null(store);
    assert_int_equal(memory.live, 0);
  }
  static const struct {
    const char *object;
    sdb_status status;
  } OBJECTS[] = {
      {"{\"$a\":1}", SDB_INVALID_OBJECT},
      {"{\"$createdAt\":-1}", SDB_INVALID_OBJECT},
      {"{\"a\":1}", SDB_INVALID_OBJECT},
      {"{", SDB_BAD_JSON},
      {"{\"\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", SDB_TOO_LARGE},
      {"{\"a\":\"x\",\"\":1}", SDB_OK},
  };
  sdb_store *store = make_schema_store("{\"properties\":{\"a\":{\"type\":\"string\"}}}", &memory);
  for (size_t i = 0; i < sizeof(OBJECTS) / sizeof(OBJECTS[0]); i++)
    assert_int_equal(
        sdb_store_check(store, SDB_ACTION_CREATE, sdb_slice_of(OBJECTS[i].object), NULL),
        OBJECTS[i].status);
  sdb_store_destroy(store);
}

static void an_action_that_is_none_is_an_invalid_argument(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_named("thing", &memory);
  assert_verdict(
      store, (sdb_action)4, sdb_slice_of("{}"), SDB_INVALID_ARGUMENT, "", "no such action");
  assert_verdict(
      store, (sdb_action)0, sdb_slice_of("{}"), SDB_INVALID_ARGUMENT, "", "no such action");
  sdb_store_destroy(store);
}

static void making_and_checking_survive_every_failed_allocation(void **state) {
  (void)state;
  static const char OBJECT[] =
      "{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,\"\\u0041\"],\"b\":1}";
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.schema = "{\"type\":\"object\",\"properties\":{\"a\":{\"uniqueItems\":true},\"b\":"
                      "{\"$ref\":\"#/$defs/n\"}},\"required\":[\"a\"],\"anyOf\":[{\"required\":"
                      "[\"b\"]},false],\"$defs\":{\"n\":{\"minimum\":0,\"enum\":[1,2]}}}";
  definition.rules = "{\"create\":{\"properties\":{\"b\":{\"pattern\":\"^a\"}}}}";
  bool done = false;
  for (size_t fail_at = 1; !done; fail_at++) {
    failing_memory memory;
    failing_memory_init(&memory, fail_at);
    sdb_store *store = NULL;
    sdb_error error;
    sdb_status status =
        sdb_store_compile(&definition, &memory.mem, sdb_platform_patterns(), &store, &error);
    if (status == SDB_OK)
      status = sdb_store_check(store, SDB_ACTION_CREATE, sdb_slice_of(OBJECT), &error);
    done = status == SDB_OK;
    if (!done) {
      assert_int_equal(status, SDB_NO_MEMORY);
      assert_int_equal(error.status, SDB_NO_MEMORY);
    }
    sdb_store_destroy(store);
    assert_int_equal(memory.live, 0);
    assert_true(fail_at < 1000);
  }
}

static void fields_survive_every_failed_allocation(void **state) {
  (void)state;
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.fields = FIELDS;
  sdb_status status = SDB_NO_MEMORY;
  for (size_t fail_at = 1; status != SDB_OK; fail_at++) {
    failing_memory memory;
    failing_memory_init(&memory, fail_at);
    sdb_store *store = NULL;
    status = sdb_store_compile(&definition, &memory.mem, sdb_platform_patterns(), &store, NULL);
    if (status != SDB_OK) assert_int_equal(status, SDB_NO_MEMORY);
    sdb_store_destroy(store);
    assert_int_equal(memory.live, 0);
  }
}

static void an_ordinary_check_allocates_nothing(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = make_schema_store(
      "{\"properties\":{\"role\":{\"enum\":[\"user\",\"x\"]},\"content\":{\"pattern\":\"^h\"},"
      "\"tags\":{\"uniqueItems\":true}},\"required\":[\"role\"],\"additionalProperties\":false}",
      &memory);
  sdb_json json;
  sdb_error error;
  sdb_json_init(&json, sdb_platform_mem(), 1000);
  static const char OBJECT[] =
      "{\"role\":\"user\",\"content\":\"h\\u0069\",\"tags\":[1,2,3],\"$createdAt\":1}";
  assert_int_equal(sdb_json_scan(&json, sdb_slice_of(OBJECT), 32, &error), SDB_OK);
  size_t calls = memory.calls;
  assert_int_equal(sdb_store_check_schema(store, &json, 0, &error), SDB_OK);
  assert_int_equal(memory.calls, calls);
  sdb_json_free(&json);
  sdb_store_destroy(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_on_the_wire_is_lower_camel_case),
      cmocka_unit_test(a_name_that_is_not_one_is_refused),
      cmocka_unit_test(a_definition_must_be_whole),
      cmocka_unit_test(nothing_of_a_definition_is_kept),
      cmocka_unit_test(stores_are_found_by_their_names),
      cmocka_unit_test(two_stores_with_one_name_on_the_wire_are_refused),
      cmocka_unit_test(fields_are_checked_as_a_schema_is),
      cmocka_unit_test(bounds_of_fields_hold_at_their_ends),
      cmocka_unit_test(more_fields_than_a_store_may_have_are_refused),
      cmocka_unit_test(fields_that_contradict_themselves_are_refused),
      cmocka_unit_test(an_object_over_the_limits_is_too_large),
      cmocka_unit_test(the_limits_are_the_servers_defaults),
      cmocka_unit_test(an_error_need_not_be_told),
      cmocka_unit_test(an_action_that_is_none_is_an_invalid_argument),
      cmocka_unit_test(making_and_checking_survive_every_failed_allocation),
      cmocka_unit_test(fields_survive_every_failed_allocation),
      cmocka_unit_test(an_ordinary_check_allocates_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
