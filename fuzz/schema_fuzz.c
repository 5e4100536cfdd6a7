/* schema_fuzz.c: JSON Schema, compiled and checked. The input is two lines: a schema, and an object
 * (the rest).
 *
 * A schema compiles or is SDB_BAD_DEFINITION, and a check ends, with a verdict or by giving up (its
 * steps are bounded). The same check says the same again, and where the verdict is V:
 *
 *   allOf [S]   anyOf [S, false]   oneOf [false, S]   not (not S)   as an item, as a property     V
 *   not S                                                                                     not V
 *   anyOf [S, not S]                                                                            yes
 *   allOf [S, not S]                                                                             no
 *   S, of the object with its keys in another order and its characters escaped                    V
 *   const, enum of the object                                                                   yes
 *   uniqueItems of the object twice                                                              no
 *
 * A check that was given up proves nothing, and so does a wrapped schema that is over the limit of
 * schemas within one another. `$ref` means the document's root, so a schema that has one is not
 * wrapped.
 */
#include "fuzz.h"
#include "platform/platform.h"
#include "store/schema.h"
#include <jansson.h>
#include <stdarg.h>

#define TEXT_MAX ((size_t)1 << 16)

typedef enum verdict { NO, YES, GIVEN_UP, NOT_COMPILED } verdict;

static fuzz_memory memory;

static void require_report(const sdb_schema_failure *failure, const sdb_json *json) {
  sdb_error error = {.status = SDB_OK};
  sdb_status status = sdb_schema_report(failure, json, 0, SDB_INVALID_OBJECT, "", &error);
  REQUIRE(status == SDB_INVALID_OBJECT && error.status == status && error.message[0]);
  REQUIRE(error.path[0] == 0 || error.path[0] == '/');
  REQUIRE(sdb_utf8_valid(sdb_slice_of(error.path)) && sdb_utf8_valid(sdb_slice_of(error.message)));
}

static verdict check(const sdb_schema_set *set, const sdb_schema *schema, const sdb_json *json) {
  sdb_schema_failure failure = {.fault = SDB_FAULT_NONE}, again = {.fault = SDB_FAULT_NONE};
  bool matches = sdb_schema_check(set, schema, json, 0, &failure);
  REQUIRE(sdb_schema_check(set, schema, json, 0, &again) == matches);
  if (matches) return YES;
  REQUIRE(failure.fault != SDB_FAULT_NONE && failure.fault != SDB_FAULT_NO_MEMORY);
  REQUIRE(again.fault == failure.fault && again.at == failure.at);
  require_report(&failure, json);
  return failure.fault >= SDB_FAULT_STEPS ? GIVEN_UP : NO;
}

/* What the schema says of the value; `whole` as sdb_schema_compile's. */
static verdict judge(sdb_slice schema_text, sdb_slice value, bool whole) {
  sdb_schema_set set;
  sdb_json json;
  const sdb_json *source;
  const sdb_schema *schema;
  sdb_error error = {.status = SDB_OK};
  verdict result = NOT_COMPILED;
  sdb_schema_set_init(&set, &memory.mem, sdb_platform_patterns());
  sdb_json_init(&json, &memory.mem, SDB_JSON_SIZE_MAX);
  sdb_status status = sdb_schema_source_add(&set, schema_text, "the schema", &source, &error);
  if (status == SDB_OK) status = sdb_schema_compile(&set, source, 0, whole, &schema, &error);
  REQUIRE(status == SDB_OK || (status == SDB_BAD_DEFINITION && error.message[0]));
  if (status == SDB_OK && sdb_json_scan(&json, value, SDB_JSON_DEPTH_MAX, NULL) == SDB_OK)
    result = check(&set, schema, &json);
  sdb_json_free(&json);
  sdb_schema_set_free(&set);
  return result;
}

/* ---- wrapped ---- */

typedef struct wrapped {
  char *text;
  size_t size;
} wrapped;

/* A text of the format, in which %s stands for the schema or the value. */
static wrapped wrap(const char *format, sdb_slice inner) {
  wrapped w = {malloc(strlen(format) + 3 * inner.size + 1), 0};
  REQUIRE(w.text);
  for (const char *at = format; *at; at++) {
    bool is_inner = at[0] == '%' && at[1] == 's';
    if (is_inner) {
      memcpy(w.text + w.size, inner.data, inner.size);
      at++;
    } else {
      w.text[w.size] = *at;
    }
    w.size += is_inner ? inner.size : 1;
  }
  return w;
}

static void require_verdict(const char *schema_format, sdb_slice schema, const char *value_format,
    sdb_slice value, verdict expected) {
  wrapped s = wrap(schema_format, schema), v = wrap(value_format, value);
  verdict got = judge(sdb_slice_make(s.text, s.size), sdb_slice_make(v.text, v.size), false);
  if (got != expected && got <= YES)
    fprintf(stderr, "%.*s\nof %.*s\n", (int)s.size, s.text, (int)v.size, v.text);
  REQUIRE(got == expected || got == GIVEN_UP || got == NOT_COMPILED);
  free(s.text);
  free(v.text);
}

static void require_wrapped(sdb_slice schema, sdb_slice value, verdict said) {
  static const struct {
    const char *schema, *value;
    enum { SAME, OPPOSITE, ALWAYS, NEVER } expected;
  } WRAPPED[] = {{"{\"allOf\":[%s]}", "%s", SAME}, {"{\"allOf\":[true,%s,{}]}", "%s", SAME},
      {"{\"anyOf\":[%s,false]}", "%s", SAME}, {"{\"anyOf\":[false,%s]}", "%s", SAME},
      {"{\"oneOf\":[false,%s]}", "%s", SAME}, {"{\"not\":{\"not\":%s}}", "%s", SAME},
      {"{\"not\":%s}", "%s", OPPOSITE}, {"{\"oneOf\":[true,%s]}", "%s", OPPOSITE},
      {"{\"anyOf\":[%s,{\"not\":%s}]}", "%s", ALWAYS},
      {"{\"oneOf\":[%s,{\"not\":%s}]}", "%s", ALWAYS},
      {"{\"allOf\":[%s,{\"not\":%s}]}", "%s", NEVER}, {"{\"oneOf\":[%s,%s]}", "%s", NEVER},
      {"{\"properties\":{\"p\":%s}}", "{\"q\":1,\"\\u0070\":%s}", SAME},
      {"{\"additionalProperties\":%s}", "{\"p\":%s}", SAME}, {"{\"items\":%s}", "[%s,%s]", SAME},
      {"{\"prefixItems\":[true,%s]}", "[7,%s]", SAME},
      {"{\"prefixItems\":[true],\"items\":%s}", "[7,%s]", SAME}};
  for (size_t i = 0; i < SDB_COUNT_OF(WRAPPED); i++) {
    verdict expected = said;
    if (WRAPPED[i].expected == OPPOSITE) expected = said == YES ? NO : YES;
    if (WRAPPED[i].expected == ALWAYS) expected = YES;
    if (WRAPPED[i].expected == NEVER) expected = NO;
    require_verdict(WRAPPED[i].schema, schema, WRAPPED[i].value, value, expected);
  }
}

/* Of the value alone. */
static void require_of_value(sdb_slice value) {
  require_verdict("{\"const\":%s}", value, "%s", value, YES);
  require_verdict("{\"enum\":[0,%s]}", value, "%s", value, YES);
  require_verdict("{\"not\":{\"const\":[%s]}}", value, "[%s]", value, NO);
  require_verdict("{\"uniqueItems\":true}", value, "[%s,0,%s]", value, NO);
  require_verdict("{\"uniqueItems\":true}", value, "[%s,[%s]]", value, YES);
}

/* ---- in other words ---- */

static bool has_reals(const json_t *value) {
  const char *key;
  json_t *inner;
  size_t i;
  if (json_is_real(value)) return true;
  json_object_foreach((json_t *)value, key, inner) {
    if (has_reals(inner)) return true;
  }
  json_array_foreach(value, i, inner) {
    if (has_reals(inner)) return true;
  }
  return false;
}

/* As jansson writes the value. Reals it would round. */
static void require_rewritten(sdb_slice schema, sdb_slice value, verdict said) {
  json_t *read = json_loadb(value.data, value.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
  if (read && !has_reals(read)) {
    char *text = json_dumps(read, JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    REQUIRE(text);
    require_verdict("%s", schema, "%s", sdb_slice_of(text), said);
    require_verdict("{\"const\":%s}", value, "%s", sdb_slice_of(text), YES);
    free(text);
  }
  json_decref(read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input in = {data, size};
  if (size > TEXT_MAX) return 0;
  sdb_slice schema = fuzz_until(&in, '\n'), value = fuzz_bytes(&in, in.size);
  fuzz_memory_init(&memory, SDB_SCHEMA_MEMORY_MAX + ((size_t)1 << 24));
  verdict whole = judge(schema, value, true), said = judge(schema, value, false);
  REQUIRE(whole == said || whole == NOT_COMPILED);
  /* `$createdAt` is passed over at the top, and only there. */
  bool plain = !fuzz_contains(value, "createdAt") && !fuzz_contains(value, "\\u");
  plain = plain && !fuzz_contains(schema, "ref") && !fuzz_contains(schema, "\\u");
  if (said <= YES && plain) {
    require_wrapped(schema, value, said);
    require_of_value(value);
    require_rewritten(schema, value, said);
  }
  fuzz_memory_end(&memory);
  return 0;
}
