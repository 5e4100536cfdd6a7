/* json/json.h: JSON text read once into a table of tokens, and written.
 *
 * sdb_json_scan validates all of RFC 8259 in one pass (UTF-8, escapes with
 * paired surrogates, numbers, depth, no duplicate keys in any object, nothing
 * behind the value) and leaves one 16-byte token a value in a buffer that the
 * caller reuses: nothing is allocated a value, and everything above (wire,
 * schema, rules) walks the tokens. Tokens are offsets into the text, which must
 * stay as it is while they are used.
 *
 *   {"a":[1,2]}   ->   0 object count 1 next 5
 *                      1   string a     next 2      (a key, followed by its value)
 *                      2   array count 2 next 5
 *                      3     number 1   next 4
 *                      4     number 2   next 5
 */
#ifndef SDB_JSON_JSON_H
#define SDB_JSON_JSON_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

typedef enum sdb_json_type {
  SDB_JSON_NULL,
  SDB_JSON_FALSE,
  SDB_JSON_TRUE,
  SDB_JSON_NUMBER,
  SDB_JSON_STRING,
  SDB_JSON_ARRAY,
  SDB_JSON_OBJECT
} sdb_json_type;

typedef struct sdb_json_token {
  uint32_t start, end; /* the value's text; of a string, what is between its quotes */
  uint32_t next;       /* the token behind this value and all that is in it */
  uint32_t type : 3;
  uint32_t escaped : 1; /* a string that holds a backslash */
  uint32_t count : 28;  /* members of an object, items of an array; of a string its code points */
} sdb_json_token;

/* The result of one scan; reuse it, so that its memory is. */
typedef struct sdb_json {
  const char *text;
  sdb_json_token *tokens; /* tokens[0] is the root */
  uint32_t count;
  sdb_buffer memory;
} sdb_json;

#define SDB_JSON_DEPTH_MAX 64 /* a caller may ask for less */
#define SDB_JSON_SIZE_MAX ((size_t)1 << 28)

/* An empty result; allocates nothing. At most `tokens_max` tokens will be held. */
void sdb_json_init(sdb_json *json, const sdb_mem *mem, size_t tokens_max);
void sdb_json_free(sdb_json *json);

/* Reads all of `text`. `depth_max`: how many arrays and objects may be open at once (never more
 * than SDB_JSON_DEPTH_MAX).
 * SDB_OK; SDB_BAD_JSON; SDB_LIMIT (more tokens, bytes or depth than allowed); SDB_NO_MEMORY.
 * error->offset is the byte, error->message what is wrong. After an error `json` holds nothing. */
SDB_MUST_CHECK sdb_status sdb_json_scan(
    sdb_json *json, sdb_slice text, int depth_max, sdb_error *error);

static SDB_SMALL const sdb_json_token *sdb_json_at(const sdb_json *json, uint32_t at) {
  SDB_ASSERT(at < json->count);
  return &json->tokens[at];
}

/* The text of a value: of a string, between its quotes and still escaped. */
static inline sdb_slice sdb_json_text(const sdb_json *json, uint32_t at) {
  const sdb_json_token *token = sdb_json_at(json, at);
  return sdb_slice_make(json->text + token->start, token->end - token->start);
}

/* The text of a value as it stands in the input, a string with its quotes. */
sdb_slice sdb_json_raw(const sdb_json *json, uint32_t at);

/* The value of member `name` (unescaped UTF-8) of the object at `object`: its token's index, or 0
 * (which is never a member's value) where there is none or `object` is not an object. Linear in
 * the number of members; keys that hold escapes are compared unescaped. */
uint32_t sdb_json_member(const sdb_json *json, uint32_t object, sdb_slice name);

/* Whether the string at `at` is `text` once unescaped. */
bool sdb_json_string_is(const sdb_json *json, uint32_t at, sdb_slice text);

/* Unescapes the string at `at` to `to`, which must have room for its text's size (unescaping
 * never grows). Gives the number of bytes. No NUL is added; the string may hold one. */
size_t sdb_json_unescape(const sdb_json *json, uint32_t at, char *to);

/* Whether two values (of the same or of two scans) are equal as JSON: numbers by value, exactly
 * (1 is 1.0 is 10e-1), strings unescaped, objects whatever the order of their keys (linear where
 * the order is the same; otherwise up to the product of the two numbers of members). */
bool sdb_json_equal(const sdb_json *a, uint32_t at_a, const sdb_json *b, uint32_t at_b);

/* ---- numbers: their text is kept; these read it exactly ---- */

/* True if the number is a whole one that fits (1.0 and 1e2 are whole). */
bool sdb_json_int64(const sdb_json *json, uint32_t at, int64_t *value);
bool sdb_json_uint64(const sdb_json *json, uint32_t at, uint64_t *value);

/* The nearest double (correctly rounded, locale-free); out of range gives +-HUGE_VAL. */
double sdb_json_double(const sdb_json *json, uint32_t at);

/* Whether the number is a whole one, of any size. */
bool sdb_json_is_integer(const sdb_json *json, uint32_t at);

/* Compares two number texts by value, exactly, at any length: -1, 0 or 1. */
int sdb_json_number_compare(sdb_slice a, sdb_slice b);

/* Whether number text `a` is a whole multiple of `b` (b > 0): exact for an `a` of any length and a
 * `b` of at most 18 significant digits, else by doubles. */
bool sdb_json_number_multiple(sdb_slice a, sdb_slice b);

/* ---- writing, into a buffer whose sticky status tells whether all went well ---- */

/* Quoted and escaped as RFC 8259 asks for, and nothing more. `text` must be UTF-8. */
void sdb_json_write_string(sdb_buffer *to, sdb_slice text);
void sdb_json_write_uint64(sdb_buffer *to, uint64_t value);
void sdb_json_write_int64(sdb_buffer *to, int64_t value);

/* A literal: punctuation, true, a number's text... */
#define sdb_json_write_raw(to, literal) sdb_buffer_append((to), (literal), sizeof(literal) - 1)

/* Whether `text` is well-formed UTF-8 (no surrogates, nothing over U+10FFFF, shortest forms). */
bool sdb_utf8_valid(sdb_slice text);

#endif
