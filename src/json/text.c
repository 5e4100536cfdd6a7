/* json/text.c: UTF-8, escapes, and strings compared as what they mean.
 *
 * UTF-8 as in table 3-7 of the Unicode Standard, so no overlong forms, no
 * surrogates and nothing above U+10FFFF:
 *
 *   00..7F
 *   C2..DF 80..BF
 *   E0     A0..BF 80..BF       E1..EC, EE..EF 80..BF 80..BF       ED 80..9F 80..BF
 *   F0     90..BF 80..BF x 2   F1..F3 80..BF x 3                  F4 80..8F 80..BF x 2
 *
 * Escapes are decoded here only after a scan accepted them: what a scan
 * guarantees is asserted, not checked again.
 */
#include "json/text.h"

static bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

size_t sdb_json_character_size(const char *at, const char *end) {
  SDB_ASSERT(at < end);
  const unsigned char *b = (const unsigned char *)at;
  size_t room = (size_t)(end - at);
  if (b[0] < 0x80) return 1;
  if (b[0] < 0xC2 || b[0] > 0xF4 || room < 2 || !is_continuation(b[1])) return 0;
  if (b[0] < 0xE0) return 2;
  if (room < 3 || !is_continuation(b[2])) return 0;
  if (b[0] < 0xF0) {
    if ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xED && b[1] > 0x9F)) return 0;
    return 3;
  }
  if (room < 4 || !is_continuation(b[3])) return 0;
  if ((b[0] == 0xF0 && b[1] < 0x90) || (b[0] == 0xF4 && b[1] > 0x8F)) return 0;
  return 4;
}

bool sdb_utf8_valid(sdb_slice text) {
  for (size_t at = 0; at < text.size;) {
    size_t size = sdb_json_character_size(text.data + at, text.data + text.size);
    if (!size) return false;
    at += size;
  }
  return true;
}

int32_t sdb_json_hex4(const char *digits) {
  int32_t value = 0;
  for (int i = 0; i < 4; i++) {
    char c = digits[i];
    if (c >= '0' && c <= '9')
      value = value << 4 | (c - '0');
    else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
      value = value << 4 | ((c | 0x20) - 'a' + 10);
    else
      return -1;
  }
  return value;
}

static size_t encode(uint32_t character, char to[4]) {
  if (character < 0x80) {
    to[0] = (char)character;
    return 1;
  }
  size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; i--, character >>= 6)
    to[i] = (char)(0x80 | (character & 0x3F));
  to[0] = (char)((0xF00 >> size) & 0xF0) | (char)character;
  return size;
}

/* Reads the escape whose backslash is at `*at`, as UTF-8 to `to`, and moves `*at` behind it. */
static size_t read_escape(const char **at, char to[4]) {
  const char *escape = *at;
  SDB_ASSERT(escape[0] == '\\');
  *at += 2;
  switch (escape[1]) {
  case 'b':
    to[0] = '\b';
    return 1;
  case 'f':
    to[0] = '\f';
    return 1;
  case 'n':
    to[0] = '\n';
    return 1;
  case 'r':
    to[0] = '\r';
    return 1;
  case 't':
    to[0] = '\t';
    return 1;
  case 'u':
    break;
  default:
    to[0] = escape[1];
    return 1;
  }
  int32_t unit = sdb_json_hex4(escape + 2);
  SDB_ASSERT(unit >= 0);
  *at += 4;
  if ((unit & 0xFC00) != 0xD800) return encode((uint32_t)unit, to);
  int32_t low = sdb_json_hex4(escape + 8);
  SDB_ASSERT(low >= 0);
  *at += 6;
  return encode(0x10000 + ((uint32_t)(unit & 0x3FF) << 10 | (uint32_t)(low & 0x3FF)), to);
}

/* Gives a string's unescaped bytes one by one. */
typedef struct reader {
  const char *at, *end;
  bool escaped;
  char bytes[4]; /* of the last escape */
  size_t used, count;
} reader;

static reader reader_of(sdb_json_string string) {
  const char *start = string.text.size ? string.text.data : "";
  reader r = {.at = start, .end = start + string.text.size, .escaped = string.escaped};
  return r;
}

/* The next byte, or -1 at the end. */
static int next_byte(reader *r) {
  if (r->used < r->count) return (unsigned char)r->bytes[r->used++];
  if (r->at == r->end) return -1;
  if (*r->at != '\\' || !r->escaped) return (unsigned char)*r->at++;
  r->count = read_escape(&r->at, r->bytes);
  r->used = 1;
  return (unsigned char)r->bytes[0];
}

static int compare_plain(sdb_slice a, sdb_slice b) {
  size_t common = a.size < b.size ? a.size : b.size;
  int order = common ? memcmp(a.data, b.data, common) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

int sdb_json_string_compare(sdb_json_string a, sdb_json_string b) {
  if (!a.escaped && !b.escaped) return compare_plain(a.text, b.text);
  reader reader_a = reader_of(a), reader_b = reader_of(b);
  for (;;) {
    int byte_a = next_byte(&reader_a), byte_b = next_byte(&reader_b);
    if (byte_a != byte_b) return byte_a < byte_b ? -1 : 1;
    if (byte_a < 0) return 0;
  }
}

/* FNV-1a. */
static uint32_t hash_byte(uint32_t hash, unsigned char byte) {
  return (hash ^ byte) * 16777619U;
}

uint32_t sdb_json_string_hash(sdb_json_string string) {
  uint32_t hash = 2166136261U;
  if (!string.escaped) {
    for (size_t i = 0; i < string.text.size; i++)
      hash = hash_byte(hash, (unsigned char)string.text.data[i]);
    return hash;
  }
  reader r = reader_of(string);
  for (int byte = next_byte(&r); byte >= 0; byte = next_byte(&r))
    hash = hash_byte(hash, (unsigned char)byte);
  return hash;
}

size_t sdb_json_unescape(const sdb_json *json, uint32_t at, char *to) {
  sdb_json_string string = sdb_json_string_at(json, at);
  if (!string.escaped) {
    if (string.text.size) memcpy(to, string.text.data, string.text.size);
    return string.text.size;
  }
  const char *from = string.text.data, *end = from + string.text.size;
  char *start = to;
  while (from < end) {
    if (*from != '\\') {
      *to++ = *from++;
      continue;
    }
    char bytes[4];
    size_t size = read_escape(&from, bytes);
    memcpy(to, bytes, size);
    to += size;
  }
  return (size_t)(to - start);
}
