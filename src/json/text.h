/* json/text.h: characters and escapes of JSON strings, for the files of this floor.
 *
 * "Plain" text is UTF-8 as it is meant; "escaped" text is what stands between
 * the quotes of a string that holds a backslash, and was validated by a scan.
 */
#ifndef SDB_JSON_TEXT_H
#define SDB_JSON_TEXT_H

#include "json/json.h"

/* The size (1 to 4) of the well-formed UTF-8 character at `at`, or 0 where there is none.
 * `at` < `end`. */
size_t sdb_json_character_size(const char *at, const char *end);

/* The value of the four hex digits at `digits`, or -1. */
int32_t sdb_json_hex4(const char *digits);

/* A string's text, with what is needed to read it unescaped. */
typedef struct sdb_json_string {
  sdb_slice text;
  bool escaped;
} sdb_json_string;

static inline sdb_json_string sdb_json_string_at(const sdb_json *json, uint32_t at) {
  const sdb_json_token *token = sdb_json_at(json, at);
  SDB_ASSERT(token->type == SDB_JSON_STRING);
  sdb_json_string string = {sdb_json_text(json, at), token->escaped};
  return string;
}

/* Orders two strings by their unescaped bytes: below 0, 0 or above 0. */
int sdb_json_string_compare(sdb_json_string a, sdb_json_string b);

/* A hash of the unescaped bytes. It spreads, but anyone can make strings that collide. */
uint32_t sdb_json_string_hash(sdb_json_string string);

#endif
