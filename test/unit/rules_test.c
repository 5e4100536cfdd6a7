/* rules_test.c: declared rules, the function, and what rules may read of an object. */
#include "store_fixture.h"
#include <string.h>

#define CHAT_SCHEMA                                                                                \
  "{\"type\":\"object\",\"properties\":{\"role\":{\"type\":\"string\"},"                           \
  "\"content\":{\"type\":\"string\"}},\"required\":[\"role\",\"content\"]}"
#define USER_SAYS "{\"role\":\"user\",\"content\":\"hi\",\"$createdAt\":1749383382805}"
#define ASSISTANT_SAYS "{\"role\":\"assistant\",\"content\":\"hi\"}"

typedef struct fixture {
  failing_memory memory;
  sdb_store *store;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof(*f));
  if (!f) return -1;
  failing_memory_init(&f->memory, 0);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  sdb_store_destroy(f->store);
  size_t live = f->memory.live;
  free(f);
  return live ? -1 : 0;
}

static void define(fixture *f, const char *rules, sdb_validate_update_fn function, void *context) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "chat_message";
  definition.schema = CHAT_SCHEMA;
  definition.rules = rules;
  definition.validate_update = function;
  definition.context = context;
  f->store = make_store(&definition, &f->memory);
}

static void accept(fixture *f, sdb_action action, const char *object) {
  assert_verdict(f->store, action, sdb_slice_of(object), SDB_OK, NULL, NULL);
}

static void refuse(
    fixture *f, sdb_action action, const char *object, const char *path, const char *message) {
  assert_verdict(f->store, action, sdb_slice_of(object), SDB_REJECTED, path, message);
}

static void without_rules_everything_is_allowed(void **state) {
  fixture *f = *state;
  define(f, NULL, NULL, NULL);
  for (sdb_action action = SDB_ACTION_CREATE; action <= SDB_ACTION_DELETE; action++) {
    accept(f, action, ASSISTANT_SAYS);
    assert_false(sdb_store_rule_needs_object(f->store, action));
    assert_int_equal(sdb_store_check_rules(f->store, action, NULL, 0, NULL), SDB_OK);
  }
}

static void a_declared_rule_is_a_schema_of_the_object(void **state) {
  fixture *f = *state;
  define(f,
      "{\"create\":{\"properties\":{\"role\":{\"const\":\"user\"}}},\"update\":false,"
      "\"delete\":true}",
      NULL, NULL);
  accept(f, SDB_ACTION_CREATE, USER_SAYS);
  refuse(f, SDB_ACTION_CREATE, ASSISTANT_SAYS, "/role",
      "create is not allowed in chat_message: /role must be \"user\"");
  refuse(f, SDB_ACTION_UPDATE, USER_SAYS, "", "update is not allowed in chat_message");
  accept(f, SDB_ACTION_DELETE, ASSISTANT_SAYS);
  assert_true(sdb_store_rule_needs_object(f->store, SDB_ACTION_CREATE));
  assert_false(sdb_store_rule_needs_object(f->store, SDB_ACTION_UPDATE));
  assert_false(sdb_store_rule_needs_object(f->store, SDB_ACTION_DELETE));
}

static void an_action_that_declared_rules_leave_out_is_refused(void **state) {
  fixture *f = *state;
  define(f, "{\"create\":true}", NULL, NULL);
  accept(f, SDB_ACTION_CREATE, USER_SAYS);
  refuse(f, SDB_ACTION_UPDATE, USER_SAYS, "", "update is not allowed in chat_message");
  refuse(f, SDB_ACTION_DELETE, USER_SAYS, "", "delete is not allowed in chat_message");
}

static void the_schema_is_asked_before_the_rules(void **state) {
  fixture *f = *state;
  define(f, "{}", NULL, NULL);
  assert_verdict(f->store, SDB_ACTION_CREATE, sdb_slice_of("{\"role\":\"user\"}"),
      SDB_INVALID_OBJECT, "/content", "is required");
  assert_verdict(f->store, SDB_ACTION_CREATE, sdb_slice_of("{"), SDB_BAD_JSON, "", "");
}

static void a_delete_asks_the_rules_only(void **state) {
  fixture *f = *state;
  define(f, "{\"delete\":{\"properties\":{\"role\":{\"const\":\"user\"}}}}", NULL, NULL);
  accept(f, SDB_ACTION_DELETE, "{\"role\":\"user\",\"$createdAt\":1}");
  refuse(f, SDB_ACTION_DELETE, "{\"role\":1,\"$createdAt\":1}", "/role", "delete is not allowed");
  assert_verdict(f->store, SDB_ACTION_DELETE, sdb_slice_of(""), SDB_BAD_JSON, "", "");
  assert_verdict(f->store, SDB_ACTION_DELETE, sdb_slice_of("[]"), SDB_INVALID_OBJECT, "", "object");
}

static void a_delete_needs_no_object_where_the_rule_is_constant(void **state) {
  fixture *f = *state;
  define(f, "{\"delete\":true}", NULL, NULL);
  accept(f, SDB_ACTION_DELETE, "");
  assert_verdict(f->store, SDB_ACTION_CREATE, sdb_slice_of(""), SDB_BAD_JSON, "", "");
}

/* The brief's rule, as the brief words it. */
static sdb_status validate_update(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (*(int *)context)++;
  if (action == SDB_ACTION_CREATE && !sdb_object_is(object, "role", "user"))
    return sdb_reject(error, "Only user messages can be created!");
  if (action != SDB_ACTION_CREATE && action != SDB_ACTION_DELETE)
    return sdb_reject(error, "Only create and delete actions can be performed.");
  return SDB_OK;
}

static void a_function_refuses_with_its_own_message(void **state) {
  fixture *f = *state;
  int calls = 0;
  define(f, NULL, validate_update, &calls);
  accept(f, SDB_ACTION_CREATE, USER_SAYS);
  accept(f, SDB_ACTION_CREATE, "{\"r\\u006fle\":\"us\\u0065r\",\"content\":\"\"}");
  refuse(f, SDB_ACTION_CREATE, ASSISTANT_SAYS, "", "Only user messages can be created!");
  refuse(f, SDB_ACTION_UPDATE, USER_SAYS, "", "Only create and delete actions can be performed.");
  accept(f, SDB_ACTION_DELETE, ASSISTANT_SAYS);
  assert_int_equal(calls, 5);
  assert_true(sdb_store_rule_needs_object(f->store, SDB_ACTION_DELETE));
}

static void the_function_is_asked_only_where_declared_rules_allow(void **state) {
  fixture *f = *state;
  int calls = 0;
  define(f, "{\"create\":{\"required\":[\"tag\"]},\"delete\":true}", validate_update, &calls);
  refuse(f, SDB_ACTION_CREATE, ASSISTANT_SAYS, "/tag", "/tag is required");
  refuse(f, SDB_ACTION_UPDATE, USER_SAYS, "", "update is not allowed in chat_message");
  assert_int_equal(calls, 0);
  refuse(f, SDB_ACTION_CREATE, "{\"role\":\"x\",\"content\":\"\",\"tag\":1}", "", "Only user");
  assert_int_equal(calls, 1);
  assert_false(sdb_store_rule_needs_object(f->store, SDB_ACTION_UPDATE));
  assert_true(sdb_store_rule_needs_object(f->store, SDB_ACTION_DELETE));
}

static sdb_status refuse_silently(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  (void)action;
  (void)object;
  (void)error;
  return SDB_IO;
}

static sdb_status refuse_in_latin_1(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)object;
  if (action == SDB_ACTION_CREATE) return sdb_reject(error, "n\xE9gatif");
  memset(error->message, 0xE9, sizeof(error->message));
  (void)context;
  return SDB_NOT_FOUND;
}

static void any_status_of_a_function_but_ok_is_a_refusal(void **state) {
  fixture *f = *state;
  define(f, NULL, refuse_silently, NULL);
  refuse(f, SDB_ACTION_CREATE, USER_SAYS, "", "create is not allowed in chat_message");
  assert_int_equal(
      sdb_store_check(f->store, SDB_ACTION_CREATE, sdb_slice_of(USER_SAYS), NULL), SDB_REJECTED);
}

static sdb_status refuse_as_a_schema(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  (void)object;
  (void)sdb_reject(error, "/content is no palindrome");
  memcpy(error->path, "/content", sizeof("/content"));
  return action == SDB_ACTION_CREATE ? SDB_INVALID_OBJECT : SDB_REJECTED;
}

static void a_function_may_speak_for_the_schema(void **state) {
  fixture *f = *state;
  define(f, NULL, refuse_as_a_schema, NULL);
  assert_verdict(f->store, SDB_ACTION_CREATE, sdb_slice_of(USER_SAYS), SDB_INVALID_OBJECT,
      "/content", "/content is no palindrome");
  refuse(f, SDB_ACTION_UPDATE, USER_SAYS, "/content", "/content is no palindrome");
}

static void a_function_may_refuse_without_a_place_for_its_message(void **state) {
  (void)state;
  assert_int_equal(sdb_reject(NULL, "n\xE9gatif"), SDB_REJECTED);
}

static void a_message_that_is_not_utf_8_is_made_so(void **state) {
  fixture *f = *state;
  define(f, NULL, refuse_in_latin_1, NULL);
  refuse(f, SDB_ACTION_CREATE, USER_SAYS, "", "n?gatif");
  refuse(f, SDB_ACTION_UPDATE, USER_SAYS, "", "????");
}

static void rules_that_are_not_understood_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *rules, *path, *message;
  } TABLE[] = {
      {"[", "", "rules is not JSON"},
      {"[]", "", "rules are an object"},
      {"{\"created\":true}", "/created", "create, update and delete only"},
      {"{\"create\":1}", "/create", "a schema is an object, true or false"},
      {"{\"create\":{\"properties\":{\"a\":{\"if\":1}}}}", "/create/properties/a/if", "\"if\""},
      {"{\"delete\":{\"required\":[\"$createdAt\"]}}", "/delete/required", "protocol's"},
      {"{\"update\":{\"type\":\"string\"}}", "/update", "its type must be object"},
      {"{\"update\":{\"$ref\":\"#\"}}", "/update", "leads back to itself"},
  };
  for (size_t i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
    sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
    definition.name = "chat_message";
    definition.schema = CHAT_SCHEMA;
    definition.rules = TABLE[i].rules;
    assert_bad_definition(&definition, TABLE[i].path, TABLE[i].message);
  }
}

static void references_of_a_rule_lead_to_its_own_root(void **state) {
  fixture *f = *state;
  define(f,
      "{\"create\":{\"properties\":{\"role\":{\"$ref\":\"#/$defs/who\"}},"
      "\"$defs\":{\"who\":{\"enum\":[\"user\",\"guest\"]}}}}",
      NULL, NULL);
  accept(f, SDB_ACTION_CREATE, USER_SAYS);
  refuse(f, SDB_ACTION_CREATE, ASSISTANT_SAYS, "/role", "must be one of \"user\", \"guest\"");
}

/* ---- what a rule reads ---- */

#define FIELDS                                                                                     \
  "{\"role\":\"user\",\"content\":\"h\\u00e9\\ud83d\\ude00\\uFFE5\\n\\u0000\\\"\",\"whole\":10e-"  \
  "1,"                                                                                             \
  "\"half\":0.5,\"big\":9223372036854775808,\"yes\":true,\"no\":false,\"none\":null,"              \
  "\"list\":[1, 2],\"empty\":\"\",\"$createdAt\":1749383382805}"
#define CONTENT "h\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xA5\n\0\""

static sdb_status read_fields(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)action;
  (void)error;
  char text[32];
  size_t size;
  assert_true(sdb_object_is(object, "role", "user"));
  assert_false(sdb_object_is(object, "role", "use"));
  assert_false(sdb_object_is(object, "whole", "10e-1"));
  assert_false(sdb_object_is(object, "missing", ""));
  assert_true(sdb_object_is(object, "empty", ""));
  assert_true(sdb_object_has(object, "none"));
  assert_false(sdb_object_has(object, "missing"));
  assert_int_equal(sdb_object_string(object, "role", text, sizeof(text), &size), SDB_OK);
  assert_string_equal(text, "user");
  assert_int_equal(size, 4);
  assert_int_equal(sdb_object_string(object, "role", text, 5, NULL), SDB_OK);
  assert_int_equal(sdb_object_string(object, "role", text, 4, &size), SDB_LIMIT);
  assert_int_equal(sdb_object_string(object, "empty", text, 1, &size), SDB_OK);
  assert_int_equal(size, 0);
  assert_int_equal(sdb_object_string(object, "whole", text, sizeof(text), &size), SDB_NOT_FOUND);
  assert_int_equal(sdb_object_string(object, "missing", NULL, 0, NULL), SDB_NOT_FOUND);
  assert_int_equal(
      sdb_object_string(object, "content", text, sizeof(CONTENT) - 1, &size), SDB_LIMIT);
  assert_int_equal(size, sizeof(CONTENT) - 1);
  assert_int_equal(sdb_object_string(object, "content", text, sizeof(CONTENT), &size), SDB_OK);
  assert_memory_equal(text, CONTENT, sizeof(CONTENT));
  *(int *)context = 1;
  return SDB_OK;
}

static sdb_status read_numbers(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)action;
  (void)error;
  int64_t integer = 7;
  double number = 7;
  bool boolean = false;
  assert_int_equal(sdb_object_integer(object, "whole", &integer), SDB_OK);
  assert_int_equal(integer, 1);
  assert_int_equal(sdb_object_integer(object, "half", &integer), SDB_NOT_FOUND);
  assert_int_equal(sdb_object_integer(object, "big", &integer), SDB_NOT_FOUND);
  assert_int_equal(sdb_object_integer(object, "role", &integer), SDB_NOT_FOUND);
  assert_int_equal(integer, 1);
  assert_int_equal(sdb_object_integer(object, "$createdAt", &integer), SDB_OK);
  assert_int_equal(integer, 1749383382805);
  assert_int_equal(sdb_object_number(object, "half", &number), SDB_OK);
  assert_true(number == 0.5);
  assert_int_equal(sdb_object_number(object, "yes", &number), SDB_NOT_FOUND);
  assert_int_equal(sdb_object_boolean(object, "yes", &boolean), SDB_OK);
  assert_true(boolean);
  assert_int_equal(sdb_object_boolean(object, "no", &boolean), SDB_OK);
  assert_false(boolean);
  assert_int_equal(sdb_object_boolean(object, "none", &boolean), SDB_NOT_FOUND);
  assert_int_equal(sdb_object_boolean(object, "missing", &boolean), SDB_NOT_FOUND);
  assert_true(sdb_slice_equal(sdb_object_json(object, "list"), sdb_slice_of("[1, 2]")));
  assert_true(sdb_slice_equal(sdb_object_json(object, "role"), sdb_slice_of("\"user\"")));
  assert_null(sdb_object_json(object, "missing").data);
  assert_true(sdb_slice_equal(sdb_object_text(object), sdb_slice_of(FIELDS)));
  *(int *)context = 1;
  return SDB_OK;
}

static void a_rule_reads_strings_unescaped(void **state) {
  fixture *f = *state;
  int called = 0;
  define(f, NULL, read_fields, &called);
  accept(f, SDB_ACTION_CREATE, FIELDS);
  assert_int_equal(called, 1);
}

static void a_rule_reads_numbers_booleans_and_json(void **state) {
  fixture *f = *state;
  int called = 0;
  define(f, NULL, read_numbers, &called);
  accept(f, SDB_ACTION_CREATE, FIELDS);
  assert_int_equal(called, 1);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(without_rules_everything_is_allowed),
      TEST(a_declared_rule_is_a_schema_of_the_object),
      TEST(an_action_that_declared_rules_leave_out_is_refused),
      TEST(the_schema_is_asked_before_the_rules),
      TEST(a_delete_asks_the_rules_only),
      TEST(a_delete_needs_no_object_where_the_rule_is_constant),
      TEST(a_function_refuses_with_its_own_message),
      TEST(the_function_is_asked_only_where_declared_rules_allow),
      TEST(any_status_of_a_function_but_ok_is_a_refusal),
      TEST(a_function_may_speak_for_the_schema),
      TEST(a_function_may_refuse_without_a_place_for_its_message),
      TEST(a_message_that_is_not_utf_8_is_made_so),
      TEST(rules_that_are_not_understood_are_refused),
      TEST(references_of_a_rule_lead_to_its_own_root),
      TEST(a_rule_reads_strings_unescaped),
      TEST(a_rule_reads_numbers_booleans_and_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
