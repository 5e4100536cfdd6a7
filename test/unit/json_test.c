/* json_test.c: scanning, reading values, and writing. Numbers are in json_number_test.c; what a
 * second parser thinks of it all is in json_differential_test.c. */
#include "base/buffer.h"
#include "failing_memory.h"
#include "json/json.h"
#include "json/text.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>

#define TOKENS_MAX 1000000
#define TEXT(literal) sdb_slice_make((literal), sizeof(literal) - 1) /* may hold zero bytes */

typedef struct fixture {
  failing_memory memory;
  sdb_json json;
  sdb_error error;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof(*f));
  if (!f) return -1;
  failing_memory_init(&f->memory, 0);
  sdb_json_init(&f->json, &f->memory.mem, TOKENS_MAX);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  sdb_json_free(&f->json);
  size_t live = f->memory.live;
  free(f);
  return live ? -1 : 0;
}

/* The result of a scan that must succeed. */
static const sdb_json *scan(fixture *f, sdb_slice text) {
  sdb_status status = sdb_json_scan(&f->json, text, SDB_JSON_DEPTH_MAX, &f->error);
  if (status != SDB_OK)
    fail_msg("%.*s\nat %zu: %s", (int)text.size, text.data, f->error.offset, f->error.message);
  return &f->json;
}

static const sdb_json *scan_text(fixture *f, const char *text) {
  return scan(f, sdb_slice_of(text));
}

static void assert_refused(
    fixture *f, sdb_slice text, sdb_status status, size_t offset, const char *message) {
  memset(&f->error, 0, sizeof(f->error));
  sdb_status got = sdb_json_scan(&f->json, text, SDB_JSON_DEPTH_MAX, &f->error);
  if (got != status || f->error.offset != offset || strcmp(f->error.message, message) != 0)
    print_error("the text: %.*s\n", (int)(text.size > 200 ? 200 : text.size), text.data);
  assert_int_equal(got, status);
  assert_int_equal(f->error.status, status);
  assert_string_equal(f->error.message, message);
  assert_int_equal(f->error.offset, offset);
  assert_int_equal(f->json.count, 0);
}

static void assert_token(const sdb_json *json, uint32_t at, sdb_json_type type, const char *text,
    uint32_t count, uint32_t next) {
  const sdb_json_token *token = sdb_json_at(json, at);
  assert_int_equal(token->type, type);
  assert_int_equal(token->count, count);
  assert_int_equal(token->next, next);
  assert_int_equal(sdb_json_text(json, at).size, strlen(text));
  assert_memory_equal(sdb_json_text(json, at).data, text, strlen(text));
}

static void assert_slice(sdb_slice slice, sdb_slice expected) {
  assert_int_equal(slice.size, expected.size);
  assert_memory_equal(slice.data, expected.data, expected.size);
}

/* ---- tokens ---- */

static void a_scan_leaves_a_token_a_value(void **state) {
  const sdb_json *json = scan_text(*state, "{\"a\":[1,2]}");
  assert_int_equal(json->count, 5);
  assert_token(json, 0, SDB_JSON_OBJECT, "{\"a\":[1,2]}", 1, 5);
  assert_token(json, 1, SDB_JSON_STRING, "a", 1, 2);
  assert_token(json, 2, SDB_JSON_ARRAY, "[1,2]", 2, 5);
  assert_token(json, 3, SDB_JSON_NUMBER, "1", 0, 4);
  assert_token(json, 4, SDB_JSON_NUMBER, "2", 0, 5);
}

static void each_kind_of_value_has_its_type(void **state) {
  const sdb_json *json = scan_text(*state, "[null,false,true,-1.5e+7,\"s\",[],{}]");
  assert_int_equal(json->count, 8);
  assert_token(json, 1, SDB_JSON_NULL, "null", 0, 2);
  assert_token(json, 2, SDB_JSON_FALSE, "false", 0, 3);
  assert_token(json, 3, SDB_JSON_TRUE, "true", 0, 4);
  assert_token(json, 4, SDB_JSON_NUMBER, "-1.5e+7", 0, 5);
  assert_token(json, 5, SDB_JSON_STRING, "s", 1, 6);
  assert_token(json, 6, SDB_JSON_ARRAY, "[]", 0, 7);
  assert_token(json, 7, SDB_JSON_OBJECT, "{}", 0, 8);
}

static void next_passes_over_all_that_a_value_holds(void **state) {
  const sdb_json *json = scan_text(*state, "[[[1],{\"a\":{\"b\":2}}],3]");
  assert_token(json, 1, SDB_JSON_ARRAY, "[[1],{\"a\":{\"b\":2}}]", 2, 9);
  assert_token(json, 2, SDB_JSON_ARRAY, "[1]", 1, 4);
  assert_token(json, 4, SDB_JSON_OBJECT, "{\"a\":{\"b\":2}}", 1, 9);
  assert_token(json, 9, SDB_JSON_NUMBER, "3", 0, 10);
}

static void the_root_may_be_any_value(void **state) {
  assert_token(scan_text(*state, "0"), 0, SDB_JSON_NUMBER, "0", 0, 1);
  assert_token(scan_text(*state, "\"\""), 0, SDB_JSON_STRING, "", 0, 1);
  assert_token(scan_text(*state, "null"), 0, SDB_JSON_NULL, "null", 0, 1);
}

static void white_space_may_stand_between_all_tokens(void **state) {
  const sdb_json *json =
      scan_text(*state, " \t\r\n{ \"a\" : [ 1 , \t2\n] ,\r\n\"b\":{ } , \"c\" : [ ] } \n");
  assert_int_equal(json->count, 9);
  assert_token(json, 2, SDB_JSON_ARRAY, "[ 1 , \t2\n]", 2, 5);
  assert_token(json, 4, SDB_JSON_NUMBER, "2", 0, 5);
  assert_token(json, 6, SDB_JSON_OBJECT, "{ }", 0, 7);
  assert_token(json, 8, SDB_JSON_ARRAY, "[ ]", 0, 9);
}

static void a_strings_count_is_its_code_points(void **state) {
  static const struct {
    const char *text;
    uint32_t count, escaped;
  } CASES[] = {{"\"\"", 0, 0}, {"\"plain text, longer than a word\"", 30, 0},
      {"\"\xC3\xA9\"", 1, 0}, {"\"h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x98\x80!\"", 10, 0},
      {"\"\\n\"", 1, 1}, {"\"a\\u00e9b\"", 3, 1}, {"\"\\ud83d\\ude00\"", 1, 1},
      {"\"x\\\\\\\"\\/\\b\\f\\n\\r\\t\\uFFFF\xC3\xA9y\"", 12, 1}};
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    const sdb_json *json = scan_text(*state, CASES[i].text);
    assert_int_equal(json->tokens[0].count, CASES[i].count);
    assert_int_equal(json->tokens[0].escaped, CASES[i].escaped);
  }
}

/* Strings are read eight bytes at a time: what ends a run must be found in every place. */
static void a_special_byte_is_found_wherever_it_stands(void **state) {
  fixture *f = *state;
  for (size_t size = 0; size < 40; size++) {
    for (size_t place = 0; place < size; place++) {
      char text[64] = {'"'};
      memset(text + 1, '!' + (int)(place % 90 == '"' - '!' ? 0 : place % 90), size);
      text[1 + size] = '"';
      text[1 + place] = '\x1F';
      assert_refused(f, sdb_slice_make(text, size + 2), SDB_BAD_JSON, 1 + place,
          "a control character in a string");
      text[1 + place] = '\xFF';
      assert_refused(f, sdb_slice_make(text, size + 2), SDB_BAD_JSON, 1 + place, "not UTF-8");
      text[1 + place] = '"';
      if (place + 1 < size)
        assert_refused(f, sdb_slice_make(text, size + 2), SDB_BAD_JSON, 2 + place,
            "something behind the value");
      text[1 + place] = '\x7F';
      assert_int_equal(scan(f, sdb_slice_make(text, size + 2))->tokens[0].count, size);
    }
  }
}

static void a_text_is_read_no_further_than_its_end(void **state) {
  static const char WHOLE[] =
      "{\"key\":\"value \\ud83d\\ude00 \xE2\x82\xAC\",\"n\":[-1.5e+3,true]}";
  fixture *f = *state;
  for (size_t size = 0; size < sizeof(WHOLE) - 1; size++) {
    char *copy = malloc(size ? size : 1); /* so that a sanitizer sees what is read behind it */
    memcpy(copy, WHOLE, size);
    sdb_status status = sdb_json_scan(&f->json, sdb_slice_make(copy, size), 8, &f->error);
    free(copy);
    assert_int_equal(status, SDB_BAD_JSON);
    assert_true(f->error.offset <= size);
  }
  scan(f, TEXT(WHOLE));
}

/* ---- what is refused, and where ---- */

typedef struct refusal {
  const char *text;
  size_t offset;
  const char *message;
} refusal;

static void assert_all_refused(fixture *f, const refusal *cases, size_t count) {
  for (size_t i = 0; i < count; i++)
    assert_refused(f, sdb_slice_of(cases[i].text), SDB_BAD_JSON, cases[i].offset, cases[i].message);
}

static const char END[] = "the text ends too early";

static void a_text_that_ends_too_early_is_refused(void **state) {
  static const refusal CASES[] = {{"", 0, END}, {" \n", 2, END}, {"[", 1, END}, {"[1", 2, END},
      {"[1,", 3, END}, {"{", 1, END}, {"{\"a\"", 4, END}, {"{\"a\":", 5, END}, {"{\"a\":1", 6, END},
      {"{\"a\":1,", 7, END}, {"\"", 1, END}, {"\"abc", 4, END}, {"\"abc\\", 5, END},
      {"tru", 3, END}, {"n", 1, END}, {"-", 1, END}, {"1.", 2, END}, {"1e", 2, END},
      {"1e+", 3, END}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void what_is_no_value_is_refused(void **state) {
  static const char VALUE[] = "a value is expected";
  static const refusal CASES[] = {{"x", 0, VALUE}, {"[1,]", 3, VALUE}, {"[,1]", 1, VALUE},
      {"{\"a\":}", 5, VALUE}, {"{\"a\":1,\"b\":,}", 11, VALUE}, {"]", 0, VALUE}, {"}", 0, VALUE},
      {"trux", 0, VALUE}, {"[nul]", 1, VALUE}, {"True", 0, VALUE}, {"NaN", 0, VALUE},
      {"Infinity", 0, VALUE}, {"+1", 0, VALUE}, {".5", 0, VALUE}, {"'a'", 0, VALUE},
      {"// 1", 0, VALUE}, {"\v1", 0, VALUE},
      {"\xC2\xA0"
       "1",
          0, VALUE}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void punctuation_out_of_place_is_refused(void **state) {
  static const char KEY[] = "a key in quotes is expected", COLON[] = "':' is expected";
  static const char ITEM[] = "',' or ']' is expected", MEMBER[] = "',' or '}' is expected";
  static const refusal CASES[] = {{"{a:1}", 1, KEY}, {"{\"a\":1,}", 7, KEY}, {"{1:2}", 1, KEY},
      {"{,}", 1, KEY}, {"{\"a\",1}", 4, COLON}, {"{\"a\" 1}", 5, COLON}, {"[1 2]", 3, ITEM},
      {"[1}", 2, ITEM}, {"[1:2]", 2, ITEM}, {"{\"a\":1]", 6, MEMBER},
      {"{\"a\":1 \"b\":2}", 7, MEMBER}, {"[{}{}]", 3, ITEM}, {"[truefalse]", 5, ITEM}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void numbers_of_another_grammar_are_refused(void **state) {
  static const char ZERO[] = "a number with a leading zero", DIGIT[] = "a digit is expected";
  static const char ITEM[] = "',' or ']' is expected";
  static const refusal CASES[] = {{"01", 0, ZERO}, {"[-01]", 2, ZERO}, {"00", 0, ZERO},
      {"[-]", 2, DIGIT}, {"--1", 1, DIGIT}, {"[1.]", 3, DIGIT}, {"[1.e5]", 3, DIGIT},
      {"[1e]", 3, DIGIT}, {"[1e+]", 4, DIGIT}, {"[1e+-1]", 4, DIGIT}, {"-Infinity", 1, DIGIT},
      {"[1.2.3]", 4, ITEM}, {"[0x10]", 2, ITEM}, {"[1_000]", 2, ITEM}, {"[1e5e5]", 4, ITEM}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void what_follows_the_value_is_refused(void **state) {
  static const char BEHIND[] = "something behind the value";
  static const refusal CASES[] = {{"1 2", 2, BEHIND}, {"{}x", 2, BEHIND}, {"[] ,", 3, BEHIND},
      {"\"a\"\"b\"", 3, BEHIND}, {"null\n]", 5, BEHIND}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
  assert_refused(*state, TEXT("{}\0"), SDB_BAD_JSON, 2, BEHIND);
}

static void a_byte_order_mark_is_refused(void **state) {
  assert_refused(*state, TEXT("\xEF\xBB\xBF{}"), SDB_BAD_JSON, 0, "a byte order mark");
  assert_refused(*state, TEXT("\xFE\xFF\0{"), SDB_BAD_JSON, 0, "a value is expected");
}

static void raw_control_characters_are_refused(void **state) {
  for (int byte = 0; byte < 0x20; byte++) {
    char text[] = {'"', 'a', (char)byte, '"'};
    assert_refused(*state, sdb_slice_make(text, sizeof(text)), SDB_BAD_JSON, 2,
        "a control character in a string");
  }
}

static void zero_bytes_in_the_text_are_refused(void **state) {
  assert_refused(*state, TEXT("\0"), SDB_BAD_JSON, 0, "a value is expected");
  assert_refused(*state, TEXT("[1\0]"), SDB_BAD_JSON, 2, "',' or ']' is expected");
  assert_refused(*state, TEXT("{\0}"), SDB_BAD_JSON, 1, "a key in quotes is expected");
}

static void unknown_escapes_are_refused(void **state) {
  static const char ESCAPE[] = "no such escape", HEX[] = "four hex digits are expected behind \\u";
  static const refusal CASES[] = {{"\"a\\x41\"", 2, ESCAPE}, {"\"\\'\"", 1, ESCAPE},
      {"\"\\N\"", 1, ESCAPE}, {"\"\\\n\"", 1, ESCAPE}, {"\"\\0\"", 1, ESCAPE},
      {"\"\\u12\"", 1, HEX}, {"\"\\u12G4\"", 1, HEX}, {"\"\\u 123\"", 1, HEX},
      {"\"\\u-123\"", 1, HEX}, {"\"\\u123", 1, HEX}, {"\"\\U00e9\"", 1, ESCAPE}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void lone_surrogates_are_refused(void **state) {
  static const char LONE[] = "a surrogate without its other half";
  static const refusal CASES[] = {{"\"\\ud800\"", 1, LONE}, {"\"a\\uDBFFb\"", 2, LONE},
      {"\"\\udc00\"", 1, LONE}, {"\"\\uDFFF\\uD800\"", 1, LONE}, {"\"\\ud800\\ud800\"", 1, LONE},
      {"\"\\ud800\\u0041\"", 1, LONE}, {"\"\\ud800\\n12345\"", 1, LONE},
      {"\"\\ud800\\udc0\"", 1, LONE}, {"\"\\ud800\\udc0g\"", 1, LONE}, {"\"\\ud800", 1, LONE},
      {"\"\\ud800\\uDBFF\"", 1, LONE}, {"\"\\ud83d\\ude00\\ude00\"", 13, LONE}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static const refusal BAD_UTF8[] = {{"\x80", 0, "a continuation alone"},
    {"\xBF", 0, "a continuation alone"}, {"a\xC0\xAF", 1, "overlong"}, {"\xC1\xBF", 0, "overlong"},
    {"\xE0\x80\xAF", 0, "overlong"}, {"\xE0\x9F\xBF", 0, "overlong"},
    {"\xF0\x80\x80\xAF", 0, "overlong"}, {"\xF0\x8F\xBF\xBF", 0, "overlong"},
    {"ab\xED\xA0\x80", 2, "a surrogate"}, {"\xED\xBF\xBF", 0, "a surrogate"},
    {"\xF4\x90\x80\x80", 0, "above U+10FFFF"}, {"\xF5\x80\x80\x80", 0, "above U+10FFFF"},
    {"\xF8\x88\x80\x80\x80", 0, "five bytes"}, {"\xFE", 0, "no UTF-8"}, {"\xFF", 0, "no UTF-8"},
    {"\xC3", 0, "cut"}, {"\xC3(", 0, "cut"}, {"\xE2\x82", 0, "cut"}, {"\xE2\x28\xA1", 0, "cut"},
    {"\xE2\x82(", 0, "cut"}, {"\xF0\x9F\x98", 0, "cut"}, {"\xF0\x28\x8C\xBC", 0, "cut"},
    {"\xF0\x90\x28\xBC", 0, "cut"}, {"\xF0\x28\x8C\x28", 0, "cut"},
    {"\xC3\xA9\xE2\x82\xAC\xA9", 5, "a continuation too many"}};

static void bad_utf8_is_refused_in_values_and_in_keys(void **state) {
  fixture *f = *state;
  for (size_t i = 0; i < SDB_COUNT_OF(BAD_UTF8); i++) {
    char text[32];
    int size = snprintf(text, sizeof(text), "[\"%s\"]", BAD_UTF8[i].text);
    assert_refused(
        f, sdb_slice_make(text, (size_t)size), SDB_BAD_JSON, BAD_UTF8[i].offset + 2, "not UTF-8");
    size = snprintf(text, sizeof(text), "{\"%s\":0}", BAD_UTF8[i].text);
    assert_refused(
        f, sdb_slice_make(text, (size_t)size), SDB_BAD_JSON, BAD_UTF8[i].offset + 2, "not UTF-8");
    assert_false(sdb_utf8_valid(sdb_slice_of(BAD_UTF8[i].text)));
  }
}

static void the_ends_of_each_range_of_utf8_are_accepted(void **state) {
  static const char ALL[] = "\"\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"
                            "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\"";
  assert_int_equal(scan(*state, TEXT(ALL))->tokens[0].count, 9);
  assert_true(sdb_utf8_valid(TEXT(ALL)));
  assert_true(sdb_utf8_valid(sdb_slice_make(NULL, 0)));
  assert_true(sdb_utf8_valid(TEXT("a\0b")));
}

/* ---- duplicate keys ---- */

static void a_duplicate_key_is_refused_where_it_stands(void **state) {
  static const char DUPLICATE[] = "a duplicate key";
  static const refusal CASES[] = {{"{\"a\":1,\"a\":1}", 7, DUPLICATE},
      {"{\"\":1,\"b\":2,\"\":3}", 12, DUPLICATE},
      {"[{\"x\":{\"a\":1,\"b\":[],\"a\":2}}]", 20, DUPLICATE},
      {"{\"a\":1,\"b\":{\"a\":1},\"b\":2,\"a\":3}", 19, DUPLICATE},
      {"{\"a\":1,\"a\":2,\"a\":3}", 7, DUPLICATE}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void keys_are_compared_unescaped(void **state) {
  static const char DUPLICATE[] = "a duplicate key";
  static const refusal CASES[] = {{"{\"a\":1,\"\\u0061\":2}", 7, DUPLICATE},
      {"{\"\\u00e9\":1,\"\xC3\xA9\":2}", 12, DUPLICATE}, {"{\"\\/\":1,\"/\":2}", 8, DUPLICATE},
      {"{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}", 18, DUPLICATE},
      {"{\"\\u0000\":1,\"\\u0000\":2}", 12, DUPLICATE},
      {"{\"\\n\":1,\"\\u000A\":2}", 8, DUPLICATE}};
  assert_all_refused(*state, CASES, SDB_COUNT_OF(CASES));
}

static void keys_that_only_look_alike_are_accepted(void **state) {
  static const char *const TEXTS[] = {"{\"a\":1,\"A\":2}", "{\"a\":1,\"aa\":2,\"\":3}",
      "{\"a\":{\"a\":{\"a\":1}}}", "[{\"a\":1},{\"a\":1}]", "{\"\\\\u0061\":1,\"a\":2}",
      "{\"a\\u0000\":1,\"a\":2,\"a\\u0000b\":3}", "{\"a\":\"a\",\"b\":\"a\"}",
      /* the same character, composed and not: keys are bytes */
      "{\"\xC3\xA9\":1,\"e\xCC\x81\":2}"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++)
    scan_text(*state, TEXTS[i]);
}

/* An object of the keys k0, k1... with `last` as one more. */
static sdb_buffer object_of(fixture *f, size_t count, const char *last) {
  sdb_buffer text;
  sdb_buffer_init(&text, &f->memory.mem, SDB_JSON_SIZE_MAX);
  sdb_json_write_raw(&text, "{");
  for (size_t i = 0; i < count; i++) {
    sdb_json_write_raw(&text, "\"k");
    sdb_json_write_uint64(&text, i);
    sdb_json_write_raw(&text, "\":0,");
  }
  sdb_buffer_append(&text, last, strlen(last));
  sdb_json_write_raw(&text, ":0}");
  assert_int_equal(text.status, SDB_OK);
  return text;
}

static void a_duplicate_is_found_in_objects_of_any_size(void **state) {
  static const size_t COUNTS[] = {1, 2, 7, 8, 9, 10, 100, 1000, 100000};
  fixture *f = *state;
  for (size_t i = 0; i < SDB_COUNT_OF(COUNTS); i++) {
    size_t count = COUNTS[i];
    sdb_buffer text = object_of(f, count, "\"other\"");
    assert_int_equal(scan(f, sdb_buffer_slice(&text))->tokens[0].count, count + 1);
    sdb_buffer_free(&text);
    text = object_of(f, count, "\"\\u006b0\"");
    assert_refused(f, sdb_buffer_slice(&text), SDB_BAD_JSON, text.size - strlen("\"\\u006b0\":0}"),
        "a duplicate key");
    sdb_buffer_free(&text);
  }
}

static void of_many_duplicates_the_first_is_named(void **state) {
  static const char TEXT_OF_MANY[] = "{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,"
                                     "\"h\":0,\"c\":0,\"a\":0,\"b\":0,\"c\":0}";
  assert_refused(*state, TEXT(TEXT_OF_MANY), SDB_BAD_JSON, 49, "a duplicate key");
}

/* ---- keys made to collide: where two blocks of characters give one hash, either can stand in a
 * key, so n pairs of blocks behind each other make 2^n keys of one hash ---- */

#define PAIRS 12
#define BLOCK 8

static uint32_t hash_of(const char *text, size_t size) {
  return sdb_json_string_hash((sdb_json_string){sdb_slice_make(text, size), false});
}

typedef struct block_hash {
  uint32_t hash;
  char block[BLOCK];
} block_hash;

static int compare_block_hashes(const void *a, const void *b) {
  uint32_t hash_a = ((const block_hash *)a)->hash, hash_b = ((const block_hash *)b)->hash;
  return (hash_a > hash_b) - (hash_a < hash_b);
}

/* Two blocks that give the same hash behind the `size` characters of `prefix`. */
static void find_pair(char *prefix, size_t size, char pair[2][BLOCK]) {
  enum { TRIES = 400000 };
  block_hash *tried = malloc(TRIES * sizeof(*tried));
  assert_non_null(tried);
  for (uint32_t i = 0; i < TRIES; i++) {
    for (uint32_t k = 0, bits = i * 2654435761U; k < BLOCK; k++, bits >>= 4)
      tried[i].block[k] = (char)('a' + (bits & 15));
    memcpy(prefix + size, tried[i].block, BLOCK);
    tried[i].hash = hash_of(prefix, size + BLOCK);
  }
  qsort(tried, TRIES, sizeof(*tried), compare_block_hashes);
  size_t at = 1;
  while (at < TRIES && tried[at].hash != tried[at - 1].hash)
    at++;
  assert_true(at < TRIES);
  memcpy(pair[0], tried[at - 1].block, BLOCK);
  memcpy(pair[1], tried[at].block, BLOCK);
  free(tried);
}

static void keys_made_to_collide_are_told_apart(void **state) {
  fixture *f = *state;
  char pairs[PAIRS][2][BLOCK], key[PAIRS * BLOCK];
  for (size_t i = 0; i < PAIRS; i++) {
    find_pair(key, i * BLOCK, pairs[i]);
    memcpy(key + i * BLOCK, pairs[i][0], BLOCK);
  }
  uint32_t hash = hash_of(key, sizeof(key));
  sdb_buffer text;
  sdb_buffer_init(&text, &f->memory.mem, SDB_JSON_SIZE_MAX);
  for (size_t n = 0; n < 1 << PAIRS; n++) {
    for (size_t i = 0; i < PAIRS; i++)
      memcpy(key + i * BLOCK, pairs[i][n >> i & 1], BLOCK);
    assert_int_equal(hash_of(key, sizeof(key)), hash);
    sdb_buffer_append(&text, n ? "," : "{", 1);
    sdb_json_write_string(&text, sdb_slice_make(key, sizeof(key)));
    sdb_json_write_raw(&text, ":0");
  }
  size_t behind = text.size + 1;
  sdb_json_write_raw(&text, "}");
  assert_int_equal(scan(f, sdb_buffer_slice(&text))->tokens[0].count, 1 << PAIRS);
  text.data[text.size - 1] = ',';
  sdb_json_write_string(&text, sdb_slice_make(key, sizeof(key)));
  sdb_json_write_raw(&text, ":0}");
  assert_refused(f, sdb_buffer_slice(&text), SDB_BAD_JSON, behind, "a duplicate key");
  sdb_buffer_free(&text);
}

/* ---- limits and memory ---- */

static sdb_buffer nested(fixture *f, size_t depth, const char *open, const char *close) {
  sdb_buffer text;
  sdb_buffer_init(&text, &f->memory.mem, SDB_JSON_SIZE_MAX);
  for (size_t i = 0; i < depth; i++)
    sdb_buffer_append(&text, open, strlen(open));
  sdb_json_write_raw(&text, "0");
  for (size_t i = 0; i < depth; i++)
    sdb_buffer_append(&text, close, strlen(close));
  assert_int_equal(text.status, SDB_OK);
  return text;
}

static void nesting_is_accepted_up_to_the_depth_asked_for(void **state) {
  fixture *f = *state;
  sdb_slice text = TEXT("[[{\"a\":[]}]]");
  assert_int_equal(sdb_json_scan(&f->json, text, 4, &f->error), SDB_OK);
  assert_int_equal(sdb_json_scan(&f->json, text, 3, &f->error), SDB_LIMIT);
  assert_int_equal(f->error.offset, 7);
  assert_string_equal(f->error.message, "nested too deeply");
  assert_int_equal(sdb_json_scan(&f->json, TEXT("[]"), 0, &f->error), SDB_LIMIT);
  assert_int_equal(sdb_json_scan(&f->json, TEXT("[]"), -1, &f->error), SDB_LIMIT);
  assert_int_equal(sdb_json_scan(&f->json, TEXT("1"), 0, &f->error), SDB_OK);
}

static void arrays_beside_each_other_are_not_nested(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_json_scan(&f->json, TEXT("[[],[],[[]],{}]"), 3, &f->error), SDB_OK);
}

static void a_depth_of_10000_is_refused(void **state) {
  fixture *f = *state;
  sdb_buffer arrays = nested(f, 10000, "[", "]"), objects = nested(f, 10000, "{\"a\":", "}");
  assert_refused(f, sdb_buffer_slice(&arrays), SDB_LIMIT, SDB_JSON_DEPTH_MAX, "nested too deeply");
  assert_refused(
      f, sdb_buffer_slice(&objects), SDB_LIMIT, SDB_JSON_DEPTH_MAX * 5, "nested too deeply");
  /* whatever the caller asks for */
  assert_int_equal(sdb_json_scan(&f->json, sdb_buffer_slice(&arrays), 20000, &f->error), SDB_LIMIT);
  sdb_buffer_free(&arrays);
  sdb_buffer_free(&objects);
}

static void the_greatest_depth_is_accepted(void **state) {
  fixture *f = *state;
  sdb_buffer text = nested(f, SDB_JSON_DEPTH_MAX, "[", "]");
  assert_int_equal(scan(f, sdb_buffer_slice(&text))->count, SDB_JSON_DEPTH_MAX + 1);
  sdb_buffer_free(&text);
}

static void no_more_tokens_than_allowed_are_held(void **state) {
  fixture *f = *state;
  sdb_json small;
  sdb_json_init(&small, &f->memory.mem, 5);
  assert_int_equal(sdb_json_scan(&small, TEXT("[1,2,3,4]"), 8, &f->error), SDB_OK);
  assert_int_equal(small.count, 5);
  assert_int_equal(sdb_json_scan(&small, TEXT("[1,2,3,4, 5]"), 8, &f->error), SDB_LIMIT);
  assert_string_equal(f->error.message, "too many values");
  assert_int_equal(f->error.offset, 11);
  assert_int_equal(small.count, 0);
  assert_int_equal(sdb_json_scan(&small, TEXT("{\"a\":1,\"b\":2}"), 8, &f->error), SDB_OK);
  sdb_json_free(&small);
}

static void a_limit_beyond_every_text_is_no_limit(void **state) {
  fixture *f = *state;
  sdb_json json;
  sdb_json_init(&json, &f->memory.mem, SIZE_MAX);
  assert_int_equal(sdb_json_scan(&json, TEXT("[1,2]"), 8, &f->error), SDB_OK);
  assert_int_equal(json.count, 3);
  sdb_json_free(&json);
}

/* The largest object that the tokens allow needs its keys sorted as well. */
static void the_limit_of_tokens_leaves_room_for_sorting_keys(void **state) {
  fixture *f = *state;
  enum { KEYS = 999 };
  sdb_json json;
  sdb_json_init(&json, &f->memory.mem, 1 + 2 * (KEYS + 1));
  sdb_buffer text = object_of(f, KEYS, "\"other\"");
  assert_int_equal(sdb_json_scan(&json, sdb_buffer_slice(&text), 8, &f->error), SDB_OK);
  assert_int_equal(json.count, 1 + 2 * (KEYS + 1));
  sdb_buffer_free(&text);
  sdb_json_free(&json);
}

static void a_text_over_the_greatest_size_is_refused_unread(void **state) {
  assert_refused(
      *state, sdb_slice_make("1", SDB_JSON_SIZE_MAX + 1), SDB_LIMIT, 0, "the text is too large");
}

static void a_scan_survives_every_failing_allocation(void **state) {
  fixture *f = *state;
  sdb_buffer text = object_of(f, 500, "\"other\"");
  sdb_status status = SDB_NO_MEMORY;
  size_t fail_at = 0;
  while (status == SDB_NO_MEMORY) {
    failing_memory memory;
    failing_memory_init(&memory, ++fail_at);
    sdb_json json;
    sdb_json_init(&json, &memory.mem, TOKENS_MAX);
    status = sdb_json_scan(&json, sdb_buffer_slice(&text), 8, &f->error);
    if (status != SDB_OK) assert_int_equal(json.count, 0);
    memory.fail_at = 0;
    assert_int_equal(sdb_json_scan(&json, sdb_buffer_slice(&text), 8, &f->error), SDB_OK);
    sdb_json_free(&json);
    assert_int_equal(memory.live, 0);
  }
  assert_int_equal(status, SDB_OK);
  assert_true(fail_at > 5);
  sdb_buffer_free(&text);
}

static void a_second_scan_reuses_the_memory_of_the_first(void **state) {
  fixture *f = *state;
  sdb_buffer text = object_of(f, 500, "\"other\"");
  scan(f, sdb_buffer_slice(&text));
  size_t calls = f->memory.calls;
  for (int i = 0; i < 10; i++)
    scan(f, sdb_buffer_slice(&text));
  assert_int_equal(f->memory.calls, calls);
  sdb_buffer_free(&text);
}

static void a_scan_needs_no_error_to_fill(void **state) {
  fixture *f = *state;
  assert_int_equal(sdb_json_scan(&f->json, TEXT("["), 8, NULL), SDB_BAD_JSON);
  assert_int_equal(sdb_json_scan(&f->json, sdb_slice_make(NULL, 0), 8, NULL), SDB_BAD_JSON);
}

/* ---- reading values ---- */

static void raw_text_of_a_string_has_its_quotes(void **state) {
  const sdb_json *json = scan_text(*state, "{ \"k\\n\" : [ \"\", 1 ] }");
  assert_slice(sdb_json_raw(json, 0), TEXT("{ \"k\\n\" : [ \"\", 1 ] }"));
  assert_slice(sdb_json_raw(json, 1), TEXT("\"k\\n\""));
  assert_slice(sdb_json_text(json, 1), TEXT("k\\n"));
  assert_slice(sdb_json_raw(json, 2), TEXT("[ \"\", 1 ]"));
  assert_slice(sdb_json_raw(json, 3), TEXT("\"\""));
  assert_slice(sdb_json_raw(json, 4), TEXT("1"));
}

static void a_member_is_found_by_its_name(void **state) {
  const sdb_json *json =
      scan_text(*state, "{\"a\":{\"b\":1,\"c\":2},\"\":3,\"b\":4,\"caf\\u00e9\":5,\"z\\u0000\":6}");
  assert_slice(sdb_json_text(json, sdb_json_member(json, 0, TEXT(""))), TEXT("3"));
  assert_slice(sdb_json_text(json, sdb_json_member(json, 0, sdb_slice_make(NULL, 0))), TEXT("3"));
  assert_slice(sdb_json_text(json, sdb_json_member(json, 0, TEXT("b"))), TEXT("4"));
  assert_slice(sdb_json_text(json, sdb_json_member(json, 0, TEXT("caf\xC3\xA9"))), TEXT("5"));
  assert_slice(sdb_json_text(json, sdb_json_member(json, 0, TEXT("z\0"))), TEXT("6"));
  uint32_t inner = sdb_json_member(json, 0, TEXT("a"));
  assert_slice(sdb_json_text(json, sdb_json_member(json, inner, TEXT("b"))), TEXT("1"));
}

static void a_member_that_is_not_there_is_0(void **state) {
  const sdb_json *json = scan_text(*state, "{\"a\":{\"b\":1},\"ab\":[\"c\"],\"caf\\u00e9\":5}");
  static const char *const NAMES[] = {"", "b", "A", "aa", "c", "caf", "caf\\u00e9", "1"};
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++)
    assert_int_equal(sdb_json_member(json, 0, sdb_slice_of(NAMES[i])), 0);
}

static void what_is_no_object_has_no_members(void **state) {
  const sdb_json *json = scan_text(*state, "[\"a\",1,{},null]");
  for (uint32_t at = 0; at < json->count; at++)
    assert_int_equal(sdb_json_member(json, at, TEXT("a")), 0);
}

static void strings_are_unescaped(void **state) {
  static const struct {
    const char *text;
    sdb_slice value;
  } CASES[] = {{"\"\"", {"", 0}}, {"\"plain\"", {"plain", 5}},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
      {"\"\\u0041\\u00e9\\u07ff\\u0800\\u20aC\\uffff\"",
          {"A\xC3\xA9\xDF\xBF\xE0\xA0\x80\xE2\x82\xAC\xEF\xBF\xBF", 14}},
      {"\"\\ud800\\udc00\\uD83D\\uDE00\\udbff\\udfff\"",
          {"\xF0\x90\x80\x80\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF", 12}},
      {"\"a\\u0000b\"", {"a\0b", 3}}, {"\"\\u0000\"", {"\0", 1}}, {"\"\\\\u0041\"", {"\\u0041", 6}},
      {"\"x\\ty\xC3\xA9\"", {"x\ty\xC3\xA9", 5}}};
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    const sdb_json *json = scan_text(*state, CASES[i].text);
    char value[64];
    assert_true(sdb_json_text(json, 0).size <= sizeof(value));
    size_t size = sdb_json_unescape(json, 0, value);
    assert_slice(sdb_slice_make(value, size), CASES[i].value);
    assert_true(sdb_json_string_is(json, 0, CASES[i].value));
  }
}

static void a_string_is_not_what_only_begins_or_looks_like_it(void **state) {
  const sdb_json *json = scan_text(*state, "[\"abc\",\"a\\u0062c\",\"a\\u0000\"]");
  for (uint32_t at = 1; at <= 2; at++) {
    assert_true(sdb_json_string_is(json, at, TEXT("abc")));
    assert_false(sdb_json_string_is(json, at, TEXT("ab")));
    assert_false(sdb_json_string_is(json, at, TEXT("abcd")));
    assert_false(sdb_json_string_is(json, at, TEXT("abC")));
    assert_false(sdb_json_string_is(json, at, TEXT("a\\u0062c")));
    assert_false(sdb_json_string_is(json, at, sdb_slice_make(NULL, 0)));
  }
  assert_false(sdb_json_string_is(json, 3, TEXT("a")));
  assert_true(sdb_json_string_is(json, 3, TEXT("a\0")));
}

/* ---- equality ---- */

typedef struct pair {
  const char *a, *b;
} pair;

static void assert_pairs(fixture *f, const pair *pairs, size_t count, bool equal) {
  sdb_json other;
  sdb_json_init(&other, &f->memory.mem, TOKENS_MAX);
  for (size_t i = 0; i < count; i++) {
    const sdb_json *json = scan_text(f, pairs[i].a);
    sdb_slice text_b = sdb_slice_of(pairs[i].b);
    assert_int_equal(sdb_json_scan(&other, text_b, SDB_JSON_DEPTH_MAX, &f->error), SDB_OK);
    if (sdb_json_equal(json, 0, &other, 0) != equal || sdb_json_equal(&other, 0, json, 0) != equal)
      fail_msg("%s and %s", pairs[i].a, pairs[i].b);
    assert_true(sdb_json_equal(json, 0, json, 0));
  }
  sdb_json_free(&other);
}

static void values_that_mean_the_same_are_equal(void **state) {
  static const pair PAIRS_EQUAL[] = {{"null", " null"}, {"false", "false"}, {"1", "1.0"},
      {"1", "10e-1"}, {"0", "-0"}, {"0.0", "-0e9"}, {"\"a\"", "\"\\u0061\""},
      {"\"\\u0000\"", "\"\\u0000\""}, {"[1,[2],{}]", "[1.0, [2e0], { }]"},
      {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"},
      {"{\"a\":{\"x\":[],\"y\":null},\"\\u0062\":2,\"c\":3}",
          "{\"c\":3.0,\"b\":2,\"a\":{\"y\":null,\"x\":[]}}"}};
  assert_pairs(*state, PAIRS_EQUAL, SDB_COUNT_OF(PAIRS_EQUAL), true);
}

static void values_that_differ_are_not_equal(void **state) {
  static const pair PAIRS_DIFFERENT[] = {{"null", "false"}, {"true", "false"}, {"0", "false"},
      {"1", "\"1\""}, {"1", "2"}, {"\"\"", "\"\\u0000\""}, {"\"a\"", "\"A\""}, {"[]", "{}"},
      {"[1]", "[1,1]"}, {"[1,2]", "[2,1]"}, {"[[1],2]", "[[1,2]]"}, {"{\"a\":1}", "{\"b\":1}"},
      {"{\"a\":1}", "{\"a\":2}"}, {"{\"a\":1,\"b\":1}", "{\"a\":1}"},
      {"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}"}, {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}"},
      {"9007199254740993", "9007199254740992"}};
  assert_pairs(*state, PAIRS_DIFFERENT, SDB_COUNT_OF(PAIRS_DIFFERENT), false);
}

static void values_within_one_scan_are_compared(void **state) {
  const sdb_json *json = scan_text(*state, "[{\"a\":[1]},{\"a\":[1.0]},{\"a\":[2]}]");
  uint32_t second = json->tokens[1].next, third = json->tokens[second].next;
  assert_true(sdb_json_equal(json, 1, json, second));
  assert_false(sdb_json_equal(json, 1, json, third));
}

/* ---- writing ---- */

static void assert_written(sdb_buffer *buffer, const char *expected) {
  assert_int_equal(buffer->status, SDB_OK);
  assert_slice(sdb_buffer_slice(buffer), sdb_slice_of(expected));
  sdb_buffer_reset(buffer);
}

static void only_what_must_be_escaped_is(void **state) {
  fixture *f = *state;
  sdb_buffer to;
  sdb_buffer_init(&to, &f->memory.mem, 1000);
  sdb_json_write_string(&to, sdb_slice_make(NULL, 0));
  assert_written(&to, "\"\"");
  sdb_json_write_string(&to, TEXT("plain/ \x7F \xC3\xA9 \xE2\x80\xA8 \xF0\x9F\x98\x80"));
  assert_written(&to, "\"plain/ \x7F \xC3\xA9 \xE2\x80\xA8 \xF0\x9F\x98\x80\"");
  sdb_json_write_string(&to, TEXT("\"a\\\b\f\n\r\t"));
  assert_written(&to, "\"\\\"a\\\\\\b\\f\\n\\r\\t\"");
  sdb_json_write_string(&to, TEXT("\0z\x01\x1F"));
  assert_written(&to, "\"\\u0000z\\u0001\\u001f\"");
  sdb_buffer_free(&to);
}

static void every_ascii_string_is_read_as_it_was_written(void **state) {
  fixture *f = *state;
  sdb_buffer to;
  sdb_buffer_init(&to, &f->memory.mem, 1000);
  for (int a = 0; a < 0x80; a++) {
    for (int b = 0; b < 0x80; b += 3) {
      char text[3] = {(char)a, (char)b, 'x'};
      sdb_buffer_reset(&to);
      sdb_json_write_string(&to, sdb_slice_make(text, sizeof(text)));
      const sdb_json *json = scan(f, sdb_buffer_slice(&to));
      assert_true(sdb_json_string_is(json, 0, sdb_slice_make(text, sizeof(text))));
    }
  }
  sdb_buffer_free(&to);
}

static void integers_are_written_to_their_ends(void **state) {
  fixture *f = *state;
  sdb_buffer to;
  sdb_buffer_init(&to, &f->memory.mem, 1000);
  sdb_json_write_uint64(&to, 0);
  assert_written(&to, "0");
  sdb_json_write_uint64(&to, UINT64_MAX);
  assert_written(&to, "18446744073709551615");
  sdb_json_write_int64(&to, INT64_MIN);
  assert_written(&to, "-9223372036854775808");
  sdb_json_write_int64(&to, INT64_MAX);
  assert_written(&to, "9223372036854775807");
  sdb_json_write_int64(&to, -1);
  assert_written(&to, "-1");
  sdb_buffer_free(&to);
}

static void a_writer_that_is_full_says_so_at_its_end(void **state) {
  fixture *f = *state;
  sdb_buffer to;
  sdb_buffer_init(&to, &f->memory.mem, 10);
  sdb_json_write_raw(&to, "[");
  sdb_json_write_string(&to, TEXT("longer than that"));
  sdb_json_write_uint64(&to, 1);
  sdb_json_write_raw(&to, "]");
  assert_int_equal(to.status, SDB_LIMIT);
  assert_true(to.size <= 10);
  sdb_buffer_free(&to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_scan_leaves_a_token_a_value),
      TEST(each_kind_of_value_has_its_type),
      TEST(next_passes_over_all_that_a_value_holds),
      TEST(the_root_may_be_any_value),
      TEST(white_space_may_stand_between_all_tokens),
      TEST(a_strings_count_is_its_code_points),
      TEST(a_special_byte_is_found_wherever_it_stands),
      TEST(a_text_is_read_no_further_than_its_end),
      TEST(a_text_that_ends_too_early_is_refused),
      TEST(what_is_no_value_is_refused),
      TEST(punctuation_out_of_place_is_refused),
      TEST(numbers_of_another_grammar_are_refused),
      TEST(what_follows_the_value_is_refused),
      TEST(a_byte_order_mark_is_refused),
      TEST(raw_control_characters_are_refused),
      TEST(zero_bytes_in_the_text_are_refused),
      TEST(unknown_escapes_are_refused),
      TEST(lone_surrogates_are_refused),
      TEST(bad_utf8_is_refused_in_values_and_in_keys),
      TEST(the_ends_of_each_range_of_utf8_are_accepted),
      TEST(a_duplicate_key_is_refused_where_it_stands),
      TEST(keys_are_compared_unescaped),
      TEST(keys_that_only_look_alike_are_accepted),
      TEST(a_duplicate_is_found_in_objects_of_any_size),
      TEST(of_many_duplicates_the_first_is_named),
      TEST(keys_made_to_collide_are_told_apart),
      TEST(nesting_is_accepted_up_to_the_depth_asked_for),
      TEST(arrays_beside_each_other_are_not_nested),
      TEST(a_depth_of_10000_is_refused),
      TEST(the_greatest_depth_is_accepted),
      TEST(no_more_tokens_than_allowed_are_held),
      TEST(a_limit_beyond_every_text_is_no_limit),
      TEST(the_limit_of_tokens_leaves_room_for_sorting_keys),
      TEST(a_text_over_the_greatest_size_is_refused_unread),
      TEST(a_scan_survives_every_failing_allocation),
      TEST(a_second_scan_reuses_the_memory_of_the_first),
      TEST(a_scan_needs_no_error_to_fill),
      TEST(raw_text_of_a_string_has_its_quotes),
      TEST(a_member_is_found_by_its_name),
      TEST(a_member_that_is_not_there_is_0),
      TEST(what_is_no_object_has_no_members),
      TEST(strings_are_unescaped),
      TEST(a_string_is_not_what_only_begins_or_looks_like_it),
      TEST(values_that_mean_the_same_are_equal),
      TEST(values_that_differ_are_not_equal),
      TEST(values_within_one_scan_are_compared),
      TEST(only_what_must_be_escaped_is),
      TEST(every_ascii_string_is_read_as_it_was_written),
      TEST(integers_are_written_to_their_ends),
      TEST(a_writer_that_is_full_says_so_at_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
