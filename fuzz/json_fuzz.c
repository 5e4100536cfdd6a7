/* json_fuzz.c: the scanner against jansson: the same verdict and the same value. The input is the
 * text.
 *
 * What differs on purpose, as in test/unit/json_differential_test.c: jansson refuses numbers beyond
 * 64 bits or a double and \u0000 in keys, reads over a raw zero byte behind a number, and goes
 * deeper than SDB_JSON_DEPTH_MAX. jansson also judges sdb_utf8_valid, and its own text of the same
 * value must be equal to the input for sdb_json_equal.
 */
#include "fuzz.h"
#include "json/json.h"
#include <jansson.h>

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)
#define NUMBERS_MAX 12
#define MULTIPLE_OF_MAX 999999999999999999 /* of more digits, it is said by doubles */

static void require_same(const sdb_json *json, uint32_t at, const json_t *other);

static void require_same_string(const sdb_json *json, uint32_t at, const char *text, size_t size) {
  sdb_slice escaped = sdb_json_text(json, at);
  char *unescaped = fuzz_copy(escaped);
  REQUIRE(sdb_json_unescape(json, at, unescaped) == size);
  REQUIRE(memcmp(unescaped, text, size) == 0);
  REQUIRE(sdb_json_string_is(json, at, sdb_slice_make(text, size)));
  size_t continuations = 0;
  for (size_t i = 0; i < size; i++)
    continuations += (text[i] & 0xC0) == 0x80;
  REQUIRE(sdb_json_at(json, at)->count == size - continuations);
  free(unescaped);
}

static void require_same_number(const sdb_json *json, uint32_t at, const json_t *other) {
  REQUIRE(sdb_json_at(json, at)->type == SDB_JSON_NUMBER);
  if (json_is_integer(other)) {
    int64_t value = 0;
    REQUIRE(sdb_json_int64(json, at, &value) && sdb_json_is_integer(json, at));
    REQUIRE(value == json_integer_value(other));
  } else {
    double ours = sdb_json_double(json, at), theirs = json_real_value(other);
    REQUIRE(memcmp(&ours, &theirs, sizeof(ours)) == 0);
  }
}

static void require_same_members(const sdb_json *json, uint32_t at, const json_t *other) {
  const sdb_json_token *token = sdb_json_at(json, at);
  REQUIRE(token->type == SDB_JSON_OBJECT && token->count == json_object_size(other));
  const char *name;
  json_t *member;
  json_object_foreach((json_t *)other, name, member) {
    uint32_t found = sdb_json_member(json, at, sdb_slice_of(name));
    REQUIRE(found > at && found < token->next);
    require_same_string(json, found - 1, name, strlen(name));
    require_same(json, found, member);
  }
}

static void require_same_items(const sdb_json *json, uint32_t at, const json_t *other) {
  const sdb_json_token *token = sdb_json_at(json, at);
  REQUIRE(token->type == SDB_JSON_ARRAY && token->count == json_array_size(other));
  uint32_t item = at + 1;
  for (size_t i = 0; i < json_array_size(other); item = sdb_json_at(json, item)->next, i++)
    require_same(json, item, json_array_get(other, i));
  REQUIRE(item == token->next);
}

static void require_same(const sdb_json *json, uint32_t at, const json_t *other) {
  sdb_json_type type = sdb_json_at(json, at)->type;
  switch (json_typeof(other)) {
  case JSON_NULL:
    REQUIRE(type == SDB_JSON_NULL);
    break;
  case JSON_TRUE:
    REQUIRE(type == SDB_JSON_TRUE);
    break;
  case JSON_FALSE:
    REQUIRE(type == SDB_JSON_FALSE);
    break;
  case JSON_INTEGER:
  case JSON_REAL:
    require_same_number(json, at, other);
    break;
  case JSON_STRING:
    REQUIRE(type == SDB_JSON_STRING);
    require_same_string(json, at, json_string_value(other), json_string_length(other));
    break;
  case JSON_ARRAY:
    require_same_items(json, at, other);
    break;
  case JSON_OBJECT:
    require_same_members(json, at, other);
    break;
  }
}

/* ---- numbers among themselves ---- */

static void require_multiple(const sdb_json *json, uint32_t a, uint32_t b) {
  int64_t value, of;
  if (!sdb_json_int64(json, a, &value) || !sdb_json_int64(json, b, &of)) return;
  if (of <= 0 || of > MULTIPLE_OF_MAX) return;
  bool multiple = sdb_json_number_multiple(sdb_json_text(json, a), sdb_json_text(json, b));
  REQUIRE(multiple == (value % of == 0));
}

static void require_order(const sdb_json *json, uint32_t a, uint32_t b) {
  sdb_slice text_a = sdb_json_text(json, a), text_b = sdb_json_text(json, b);
  int order = sdb_json_number_compare(text_a, text_b);
  double double_a = sdb_json_double(json, a), double_b = sdb_json_double(json, b);
  int64_t int_a, int_b;
  REQUIRE(order == -sdb_json_number_compare(text_b, text_a));
  REQUIRE(sdb_json_equal(json, a, json, b) == (order == 0));
  if (order < 0) REQUIRE(double_a <= double_b);
  if (order == 0) REQUIRE(double_a == double_b);
  if (sdb_json_int64(json, a, &int_a) && sdb_json_int64(json, b, &int_b))
    REQUIRE(order == (int_a > int_b) - (int_a < int_b));
  require_multiple(json, a, b);
}

static void require_numbers(const sdb_json *json) {
  uint32_t numbers[NUMBERS_MAX], count = 0;
  for (uint32_t at = 0; at < json->count && count < NUMBERS_MAX; at++) {
    if (sdb_json_at(json, at)->type == SDB_JSON_NUMBER) numbers[count++] = at;
  }
  for (uint32_t a = 0; a < count; a++) {
    for (uint32_t b = 0; b < count; b++)
      require_order(json, numbers[a], numbers[b]);
  }
}

/* ---- verdicts ---- */

static bool has_reals(const sdb_json *json) {
  int64_t value;
  for (uint32_t at = 0; at < json->count; at++) {
    if (sdb_json_at(json, at)->type != SDB_JSON_NUMBER) continue;
    sdb_slice text = sdb_json_text(json, at);
    if (!sdb_json_int64(json, at, &value) || memchr(text.data, '.', text.size) ||
        memchr(text.data, 'e', text.size) || memchr(text.data, 'E', text.size))
      return true;
  }
  return false;
}

/* jansson's text of the value, its keys in another order and its characters escaped, is read as the
 * same value, and is equal but for reals, which it rounds. */
static void require_dump(const sdb_json *json, const json_t *other, const sdb_mem *mem) {
  char *dump = json_dumps(other, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
  REQUIRE(dump);
  sdb_json again;
  sdb_json_init(&again, mem, SDB_JSON_SIZE_MAX);
  REQUIRE(sdb_json_scan(&again, sdb_slice_of(dump), SDB_JSON_DEPTH_MAX, NULL) == SDB_OK);
  require_same(&again, 0, other);
  if (!has_reals(json)) REQUIRE(sdb_json_equal(json, 0, &again, 0));
  sdb_json_free(&again);
  free(dump);
}

/* Text that is not JSON is a string all the same. */
static void require_string(sdb_slice text, const sdb_mem *mem) {
  json_t *string = json_stringn(text.size ? text.data : "", text.size);
  REQUIRE(sdb_utf8_valid(text) == (string != NULL));
  if (string) {
    sdb_buffer written;
    sdb_buffer_init(&written, mem, SDB_JSON_SIZE_MAX);
    sdb_json_write_string(&written, text);
    REQUIRE(written.status == SDB_OK);
    json_t *read = json_loadb(written.data, written.size, FLAGS, NULL);
    REQUIRE(read && json_equal(read, string));
    json_decref(read);
    sdb_buffer_free(&written);
  }
  json_decref(string);
}

/* Whether jansson refused something that is JSON. */
static bool is_refusal_of_its_own(const json_error_t *error) {
  enum json_error_code code = json_error_code(error);
  return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
         code == json_error_stack_overflow;
}

static bool may_be_too_deep(sdb_slice text) {
  size_t open = 0;
  for (size_t i = 0; i < text.size; i++)
    open += text.data[i] == '[' || text.data[i] == '{';
  return open > SDB_JSON_DEPTH_MAX;
}

static void compare(const sdb_json *json, sdb_slice text, sdb_status status, const sdb_mem *mem) {
  json_error_t error;
  if (status == SDB_LIMIT) {
    REQUIRE(may_be_too_deep(text));
    return;
  }
  if (text.size && memchr(text.data, 0, text.size)) {
    REQUIRE(status == SDB_BAD_JSON);
    return;
  }
  json_t *other = json_loadb(text.size ? text.data : "", text.size, FLAGS, &error);
  if (other) {
    REQUIRE(status == SDB_OK);
    require_same(json, 0, other);
    require_dump(json, other, mem);
    json_decref(other);
  } else if (!is_refusal_of_its_own(&error)) {
    REQUIRE(status == SDB_BAD_JSON);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sdb_slice text = sdb_slice_make((const char *)data, size);
  fuzz_memory memory;
  fuzz_memory_init(&memory, (size_t)1 << 24);
  sdb_json json;
  sdb_json_init(&json, &memory.mem, SDB_JSON_SIZE_MAX);
  sdb_error error;
  sdb_status status = sdb_json_scan(&json, text, SDB_JSON_DEPTH_MAX, &error);
  REQUIRE(status == SDB_OK || status == SDB_BAD_JSON || status == SDB_LIMIT);
  if (status == SDB_OK) {
    REQUIRE(sdb_json_equal(&json, 0, &json, 0));
    require_numbers(&json);
  } else {
    REQUIRE(json.count == 0 && error.offset <= size && error.message[0]);
  }
  compare(&json, text, status, &memory.mem);
  require_string(text, &memory.mem);
  sdb_json_free(&json);
  fuzz_memory_end(&memory);
  return 0;
}
