/* json_differential_test.c: our scanner against jansson, on documents mutated at random from a
 * fixed seed: the same verdict, and the same value where both accept.
 *
 * Where jansson says less than RFC 8259 lets a reader say, its refusal is not held against us:
 * numbers beyond 64 bits or beyond a double, and \u0000 in keys. It also reads over a raw zero byte
 * behind a number, which is no JSON. */
#include "failing_memory.h"
#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>

#define DOCUMENTS 100000
#define SIZE_MAX_MUTATED 600
#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

static const char *const SEEDS[] = {
    "{\"type\":\"update\",\"data\":{\"store\":\"chatMessage\",\"object\":{\"role\":\"user\","
    "\"content\":\"hi\",\"$createdAt\":1749383382805},\"clientId\":\"fed649ad-f26f-4fcb-ad05\"}}",
    "[0,-0,1,-1,10,1.5,-2.25e10,1E-5,0.1e+3,9223372036854775807,-9223372036854775808,1e308]",
    "[18446744073709551615,9223372036854775808,1e309,-1e400,123456789.123456789e-320,5e-324]",
    "[null,true,false,[],{},[[]],[{}],{\"a\":[]},\"\"]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\uFFFF\\u0000 plain\"",
    "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"",
    "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11}",
    "{\"\\u0061\":1,\"ab\":{\"\":[1,2,{\"a\":null}]},\"\xC3\xA9\":\"\\u00e9\",\"\\u0065\":1e0}",
    " { \"a\" : [ 1 , 2 ] ,\r\n\t\"b\" : { } } ",
    "[[[[[[[[[[1],2],3],{\"a\":{\"b\":{\"c\":[true]}}}]]]]]]]", "-12.5e-7", "[1,2,3,4,5,6,7,8,9]"};

/* What a mutation puts in: bytes and pieces that mean something to a parser. */
static const char *const PIECES[] = {"{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d",
    "\\ude00", "\\u0000", "\\n", "0", "1", "-", "+", ".", "e", "E9", "00", "1e400", "9999999999",
    "18446744073709551616", "null", "true", "false", "\"a\":", "\"\"", "\"a\"", "\"b\":1,", "[]",
    "{}", " ", "\n", "\t", "\x7F", "\xC3\xA9", "\xC3", "\xA9", "\xE2\x82\xAC", "\xED\xA0\x80",
    "\xC0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98\x80", "\xEF\xBB\xBF", "\xFF", "\x01", "\x1F", "/",
    "a", "_", "nul", "NaN"};

typedef struct document {
  char text[SIZE_MAX_MUTATED];
  size_t size;
} document;

static uint64_t random_state = 0x2545F4914F6CDD1D;

static size_t random_below(size_t limit) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (size_t)(random_state >> 16) % limit;
}

/* Puts `size` bytes in the place of `removed` bytes at `at`; not where it would not fit. */
static void replace(document *d, size_t at, size_t removed, const char *bytes, size_t size) {
  char copy[SIZE_MAX_MUTATED];
  if (d->size - removed + size > sizeof(d->text)) return;
  memcpy(copy, bytes, size); /* they may be the document's own */
  memmove(d->text + at + size, d->text + at + removed, d->size - at - removed);
  memcpy(d->text + at, copy, size);
  d->size = d->size - removed + size;
}

static void mutate(document *d) {
  size_t at = random_below(d->size + 1), span = random_below(12);
  if (span > d->size - at) span = d->size - at;
  const char *piece = PIECES[random_below(SDB_COUNT_OF(PIECES))];
  char byte = (char)random_below(256);
  switch (random_below(7)) {
  case 0:
    replace(d, at, span > 0, &byte, 1);
    break;
  case 1:
    replace(d, at, span, "", 0);
    break;
  case 2:
    replace(d, at, 0, piece, strlen(piece));
    break;
  case 3:
    replace(d, at, span, piece, strlen(piece));
    break;
  case 4:
    replace(d, random_below(d->size + 1), 0, d->text + at, span);
    break;
  case 5:
    replace(d, at, span > 0, piece, 1);
    break;
  default:
    if (span > 0) d->text[at] = (char)(d->text[at] ^ 1 << random_below(8));
    break;
  }
}

static void assert_same(const sdb_json *json, uint32_t at, const json_t *other);

static void assert_same_text(sdb_slice ours, const char *theirs, size_t size) {
  assert_int_equal(ours.size, size);
  assert_memory_equal(ours.data, theirs, size);
}

static void assert_same_string(const sdb_json *json, uint32_t at, const char *text, size_t size) {
  char unescaped[SIZE_MAX_MUTATED];
  size_t unescaped_size = sdb_json_unescape(json, at, unescaped);
  assert_same_text(sdb_slice_make(unescaped, unescaped_size), text, size);
  size_t continuations = 0;
  for (size_t i = 0; i < size; i++)
    continuations += (text[i] & 0xC0) == 0x80;
  assert_int_equal(sdb_json_at(json, at)->count, size - continuations);
}

static void assert_same_number(const sdb_json *json, uint32_t at, const json_t *other) {
  if (json_is_integer(other)) {
    int64_t value = 0;
    assert_true(sdb_json_int64(json, at, &value));
    assert_int_equal(value, json_integer_value(other));
  } else {
    double ours = sdb_json_double(json, at), theirs = json_real_value(other);
    assert_memory_equal(&ours, &theirs, sizeof(ours));
  }
}

static void assert_same_members(const sdb_json *json, uint32_t at, const json_t *other) {
  const sdb_json_token *token = sdb_json_at(json, at);
  assert_int_equal(token->count, json_object_size(other));
  for (uint32_t key = at + 1; key < token->next; key = sdb_json_at(json, key + 1)->next) {
    char name[SIZE_MAX_MUTATED];
    size_t size = sdb_json_unescape(json, key, name);
    name[size] = 0;
    const json_t *member = json_object_get(other, name);
    assert_non_null(member);
    assert_int_equal(sdb_json_member(json, at, sdb_slice_make(name, size)), key + 1);
    assert_same(json, key + 1, member);
  }
}

static void assert_same(const sdb_json *json, uint32_t at, const json_t *other) {
  const sdb_json_token *token = sdb_json_at(json, at);
  uint32_t item = at + 1;
  switch (json_typeof(other)) {
  case JSON_NULL:
    assert_int_equal(token->type, SDB_JSON_NULL);
    break;
  case JSON_TRUE:
    assert_int_equal(token->type, SDB_JSON_TRUE);
    break;
  case JSON_FALSE:
    assert_int_equal(token->type, SDB_JSON_FALSE);
    break;
  case JSON_INTEGER:
  case JSON_REAL:
    assert_int_equal(token->type, SDB_JSON_NUMBER);
    assert_same_number(json, at, other);
    break;
  case JSON_STRING:
    assert_int_equal(token->type, SDB_JSON_STRING);
    assert_same_string(json, at, json_string_value(other), json_string_length(other));
    break;
  case JSON_ARRAY:
    assert_int_equal(token->type, SDB_JSON_ARRAY);
    assert_int_equal(token->count, json_array_size(other));
    for (size_t i = 0; i < json_array_size(other); item = sdb_json_at(json, item)->next, i++)
      assert_same(json, item, json_array_get(other, i));
    assert_int_equal(item, token->next);
    break;
  case JSON_OBJECT:
    assert_int_equal(token->type, SDB_JSON_OBJECT);
    assert_same_members(json, at, other);
    break;
  }
}

/* Whether jansson refused something that is JSON. */
static bool is_refusal_of_its_own(const json_error_t *error) {
  enum json_error_code code = json_error_code(error);
  return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

typedef struct tally {
  size_t accepted, refused, passed_over;
} tally;

static void compare(sdb_json *json, const document *d, tally *counts) {
  sdb_error error;
  json_error_t other_error;
  sdb_status status =
      sdb_json_scan(json, sdb_slice_make(d->text, d->size), SDB_JSON_DEPTH_MAX, &error);
  json_t *other = json_loadb(d->text, d->size, FLAGS, &other_error);
  if (!other && is_refusal_of_its_own(&other_error)) {
    counts->passed_over++;
    return;
  }
  if (memchr(d->text, 0, d->size)) {
    assert_int_equal(status, SDB_BAD_JSON);
    counts->passed_over++;
    json_decref(other);
    return;
  }
  if ((status == SDB_OK) != (other != NULL))
    fail_msg("%.*s\nwe: %s at %zu; jansson: %s at %d", (int)d->size, d->text,
        status == SDB_OK ? "accepted" : error.message, status == SDB_OK ? d->size : error.offset,
        other ? "accepted" : other_error.text, other ? (int)d->size : other_error.position);
  if (other) {
    assert_same(json, 0, other);
    json_decref(other);
  }
  *(other ? &counts->accepted : &counts->refused) += 1;
}

static void mutated_documents_get_the_verdict_and_value_that_jansson_gives(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_json json;
  sdb_json_init(&json, &memory.mem, SIZE_MAX_MUTATED);
  tally counts = {0, 0, 0};
  for (size_t i = 0; i < DOCUMENTS; i++) {
    document d;
    const char *seed = SEEDS[i % SDB_COUNT_OF(SEEDS)];
    d.size = strlen(seed);
    memcpy(d.text, seed, d.size);
    for (size_t times = random_below(5); times > 0; times--)
      mutate(&d);
    compare(&json, &d, &counts);
  }
  print_message("%zu accepted, %zu refused, %zu passed over\n", counts.accepted, counts.refused,
      counts.passed_over);
  assert_true(counts.accepted > DOCUMENTS / 5);
  assert_true(counts.refused > DOCUMENTS / 5);
  assert_true(counts.passed_over < DOCUMENTS / 5);
  sdb_json_free(&json);
  assert_int_equal(memory.live, 0);
}

/* What jansson writes, in another order of keys, we read as it meant, and the other way round. */
static void each_reads_what_the_other_writes(void **state) {
  (void)state;
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_json json;
  sdb_json_init(&json, &memory.mem, SIZE_MAX_MUTATED);
  sdb_buffer text;
  sdb_buffer_init(&text, &memory.mem, SDB_JSON_SIZE_MAX);
  for (size_t i = 0; i < SDB_COUNT_OF(SEEDS); i++) {
    sdb_slice seed = sdb_slice_of(SEEDS[i]);
    json_t *other = json_loadb(seed.data, seed.size, FLAGS, NULL);
    if (!other) continue; /* the seed with numbers that it does not take */
    char *dump = json_dumps(other, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    sdb_slice dumped = sdb_slice_of(dump);
    assert_int_equal(sdb_json_scan(&json, dumped, SDB_JSON_DEPTH_MAX, NULL), SDB_OK);
    assert_same(&json, 0, other);
    sdb_buffer_reset(&text);
    sdb_json_write_string(&text, seed);
    json_t *string = json_loadb(text.data, text.size, FLAGS, NULL);
    assert_non_null(string);
    assert_same_text(seed, json_string_value(string), json_string_length(string));
    json_decref(string);
    json_decref(other);
    free(dump);
  }
  sdb_buffer_free(&text);
  sdb_json_free(&json);
  assert_int_equal(memory.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mutated_documents_get_the_verdict_and_value_that_jansson_gives),
      cmocka_unit_test(each_reads_what_the_other_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
