/* json/scan.c: the scanner: text in, tokens out, in one pass.
 *
 * No recursion: while an array or object is open, its token's `next` holds the
 * token of the one around it, so the tokens themselves are the stack. When it
 * closes, `next` gets its meaning.
 *
 *   memory: | token 0 | token 1 | ... | token count-1 | free, or entries of keys.c |
 *
 * The bytes of a string are looked at eight at a time for as long as none of
 * them ends it, begins an escape, or has to be checked as UTF-8.
 */
#include "base/error.h"
#include "json/keys.h"
#include "json/text.h"

#define NOT_OPEN UINT32_MAX

typedef struct scanner {
  sdb_json *json;
  const char *at, *end;
  uint32_t capacity, tokens_max;
  uint32_t open; /* the innermost array or object that is open, or NOT_OPEN */
  int depth, depth_max;
  sdb_status status; /* why the scan stopped: */
  const char *message;
  const char *stopped_at;
} scanner;

static bool fail_with(scanner *s, sdb_status status, const char *at, const char *message) {
  s->status = status;
  s->stopped_at = at;
  s->message = message;
  return false;
}

static bool fail(scanner *s, const char *at, const char *message) {
  return fail_with(s, SDB_BAD_JSON, at, at == s->end ? "the text ends too early" : message);
}

/* ---- tokens ---- */

static bool grow(scanner *s) {
  sdb_json *json = s->json;
  if (json->count == s->tokens_max) return fail_with(s, SDB_LIMIT, s->at, "too many values");
  json->memory.size = json->count * sizeof(sdb_json_token);
  if (!sdb_buffer_reserve(&json->memory, sizeof(sdb_json_token)))
    return fail_with(s, json->memory.status, s->at, sdb_status_text(json->memory.status));
  json->tokens = (sdb_json_token *)(void *)json->memory.data;
  size_t capacity = json->memory.capacity / sizeof(sdb_json_token);
  s->capacity = capacity < s->tokens_max ? (uint32_t)capacity : s->tokens_max;
  return true;
}

/* A value that is complete: its token's `next` is the token behind it. */
static inline bool add(scanner *s, sdb_json_type type, const char *start, const char *end,
    bool escaped, size_t count) {
  sdb_json *json = s->json;
  if (SDB_UNLIKELY(json->count == s->capacity) && !grow(s)) return false;
  sdb_json_token token = {(uint32_t)(start - json->text), (uint32_t)(end - json->text),
      json->count + 1, (uint32_t)type & 7, escaped, (uint32_t)count & 0xFFFFFFF};
  json->tokens[json->count++] = token;
  return true;
}

/* ---- strings ---- */

#define EACH_BYTE(byte) (0x0101010101010101U * (byte))

/* How many of the eight bytes at `at` come before the first that is not plain. A byte's top bit is
 * set in `found` if the byte has it, or is below 0x20, a quote or a backslash; a borrow can set
 * more of them, but only above the first. */
static inline unsigned plain_bytes(const char *at) {
  uint64_t word;
  memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  uint64_t found = word | (word - EACH_BYTE(0x20)) | ((word ^ EACH_BYTE('"')) - EACH_BYTE(1)) |
                   ((word ^ EACH_BYTE('\\')) - EACH_BYTE(1));
  found &= EACH_BYTE(0x80);
  return found ? (unsigned)__builtin_ctzll(found) >> 3 : 8;
}

static inline bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static inline const char *skip_plain(const char *at, const char *end) {
  while (end - at >= 8) {
    unsigned plain = plain_bytes(at);
    at += plain;
    if (plain < 8) return at;
  }
  while (at < end && is_plain((unsigned char)*at))
    at++;
  return at;
}

/* The size of the \u escape at `at`, or of the pair of them that is one character; 0: failed. */
static size_t check_unicode_escape(scanner *s, const char *at) {
  int32_t unit = s->end - at < 6 ? -1 : sdb_json_hex4(at + 2);
  if (unit < 0) return fail(s, at, "four hex digits are expected behind \\u");
  if (unit < 0xD800 || unit > 0xDFFF) return 6;
  bool pair = unit < 0xDC00 && s->end - at >= 12 && at[6] == '\\' && at[7] == 'u';
  int32_t low = pair ? sdb_json_hex4(at + 8) : 0;
  return low >= 0xDC00 && low <= 0xDFFF ? 12 : fail(s, at, "a surrogate without its other half");
}

/* The size of the escape at `at`; 0: failed. */
static size_t check_escape(scanner *s, const char *at) {
  if (s->end - at < 2) return fail(s, s->end, NULL);
  switch (at[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return 2;
  case 'u':
    return check_unicode_escape(s, at);
  default:
    return fail(s, at, "no such escape");
  }
}

/* Moves `*at` over an escape, or over all characters beyond ASCII that follow each other, and adds
 * to `*folded` the bytes that are no code point of their own. */
static bool check_special(scanner *s, const char **at, size_t *folded) {
  unsigned char byte = (unsigned char)**at;
  if (byte < 0x20) return fail(s, *at, "a control character in a string");
  do {
    size_t size = byte == '\\' ? check_escape(s, *at) : sdb_json_character_size(*at, s->end);
    if (!size) return byte == '\\' ? false : fail(s, *at, "not UTF-8");
    *at += size;
    *folded += size - 1;
  } while (*at < s->end && (byte = (unsigned char)**at) >= 0x80);
  return true;
}

/* A string whose opening quote is at `s->at`. */
static bool scan_string(scanner *s) {
  const char *start = s->at + 1, *at = start, *end = s->end;
  size_t folded = 0;
  bool escaped = false;
  for (;;) {
    at = skip_plain(at, end);
    if (at == end) return fail(s, end, NULL);
    if (*at == '"') break;
    escaped |= *at == '\\';
    if (!check_special(s, &at, &folded)) return false;
  }
  s->at = at + 1;
  return add(s, SDB_JSON_STRING, start, at, escaped, (size_t)(at - start) - folded);
}

/* ---- numbers and literals ---- */

static inline bool is_digit(char c) {
  return (unsigned char)(c - '0') < 10;
}

static inline const char *skip_digits(const char *at, const char *end) {
  while (at < end && is_digit(*at))
    at++;
  return at;
}

/* Moves `*at` over one digit or more. */
static bool expect_digits(scanner *s, const char **at) {
  const char *behind = skip_digits(*at, s->end);
  if (behind == *at) return fail(s, *at, "a digit is expected");
  *at = behind;
  return true;
}

static bool scan_number(scanner *s) {
  const char *start = s->at, *at = start, *end = s->end;
  if (*at == '-') at++;
  const char *whole = at;
  if (!expect_digits(s, &at)) return false;
  if (*whole == '0' && at - whole > 1) return fail(s, whole, "a number with a leading zero");
  if (at < end && *at == '.') {
    at++;
    if (!expect_digits(s, &at)) return false;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    if (!expect_digits(s, &at)) return false;
  }
  s->at = at;
  return add(s, SDB_JSON_NUMBER, start, at, false, 0);
}

static bool scan_literal(scanner *s, sdb_json_type type, const char *word, size_t size) {
  const char *start = s->at;
  for (size_t i = 0; i < size; i++) {
    if (start + i == s->end) return fail(s, s->end, NULL);
    if (start[i] != word[i]) return fail(s, start, "a value is expected");
  }
  s->at = start + size;
  return add(s, type, start, s->at, false, 0);
}

/* ---- arrays and objects ---- */

static inline void skip_space(scanner *s) {
  const char *at = s->at, *end = s->end;
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
    at++;
  s->at = at;
}

static bool open_container(scanner *s, sdb_json_type type) {
  if (s->depth >= s->depth_max) return fail_with(s, SDB_LIMIT, s->at, "nested too deeply");
  if (!add(s, type, s->at, s->at, false, 0)) return false;
  s->depth++;
  s->at++;
  uint32_t opened = s->json->count - 1;
  s->json->tokens[opened].next = s->open;
  s->open = opened;
  return true;
}

static bool refuse_duplicate_keys(scanner *s, uint32_t object) {
  uint32_t key;
  sdb_status status = sdb_json_keys_duplicate(s->json, object, &key);
  if (status != SDB_OK) return fail_with(s, status, s->at, sdb_status_text(status));
  if (key == 0) return true;
  return fail(s, s->json->text + s->json->tokens[key].start - 1, "a duplicate key");
}

/* `s->at` is at the bracket that closes the container `s->open`. */
static bool close_container(scanner *s) {
  uint32_t closed = s->open;
  sdb_json_token *token = &s->json->tokens[closed];
  if (token->type == SDB_JSON_OBJECT && token->count > 1) {
    if (!refuse_duplicate_keys(s, closed)) return false;
    token = &s->json->tokens[closed];
  }
  s->at++;
  s->open = token->next;
  s->depth--;
  token->end = (uint32_t)(s->at - s->json->text);
  token->next = s->json->count;
  return true;
}

static bool in_object(const scanner *s) {
  return s->json->tokens[s->open].type == SDB_JSON_OBJECT;
}

/* A key and its colon. */
static bool scan_key(scanner *s) {
  skip_space(s);
  if (s->at == s->end || *s->at != '"') return fail(s, s->at, "a key in quotes is expected");
  if (!scan_string(s)) return false;
  skip_space(s);
  if (s->at == s->end || *s->at != ':') return fail(s, s->at, "':' is expected");
  s->at++;
  return true;
}

static bool begin_member(scanner *s) {
  s->json->tokens[s->open].count++;
  return in_object(s) ? scan_key(s) : true;
}

/* Behind a value: closes what ends here, until a ',' asks for another value (`*more`) or the root
 * is complete. */
static bool finish_value(scanner *s, bool *more) {
  *more = false;
  while (s->open != NOT_OPEN) {
    skip_space(s);
    bool object = in_object(s);
    if (s->at < s->end && *s->at == ',') {
      s->at++;
      *more = true;
      return begin_member(s);
    }
    if (s->at == s->end || *s->at != (object ? '}' : ']'))
      return fail(s, s->at, object ? "',' or '}' is expected" : "',' or ']' is expected");
    if (!close_container(s)) return false;
  }
  return true;
}

/* Opens an array or object. One that is empty closes at once; otherwise `*more`: its first value
 * is next. */
static bool scan_container(scanner *s, sdb_json_type type, bool *more) {
  if (!open_container(s, type)) return false;
  skip_space(s);
  if (s->at < s->end && *s->at == (type == SDB_JSON_OBJECT ? '}' : ']')) return close_container(s);
  *more = true;
  return begin_member(s);
}

/* One value; of an array or object that is not empty only its beginning, and then `*more`. */
static bool scan_value(scanner *s, bool *more) {
  *more = false;
  skip_space(s);
  if (s->at == s->end) return fail(s, s->end, NULL);
  switch (*s->at) {
  case '"':
    return scan_string(s);
  case '{':
    return scan_container(s, SDB_JSON_OBJECT, more);
  case '[':
    return scan_container(s, SDB_JSON_ARRAY, more);
  case 't':
    return scan_literal(s, SDB_JSON_TRUE, "true", 4);
  case 'f':
    return scan_literal(s, SDB_JSON_FALSE, "false", 5);
  case 'n':
    return scan_literal(s, SDB_JSON_NULL, "null", 4);
  default:
    if (*s->at == '-' || is_digit(*s->at)) return scan_number(s);
    return fail(s, s->at, "a value is expected");
  }
}

static bool scan_text(scanner *s) {
  static const char BYTE_ORDER_MARK[] = {'\xEF', '\xBB', '\xBF'};
  if (s->end - s->at >= 3 && memcmp(s->at, BYTE_ORDER_MARK, 3) == 0)
    return fail(s, s->at, "a byte order mark");
  bool more;
  do {
    if (!scan_value(s, &more)) return false;
    if (!more && !finish_value(s, &more)) return false;
  } while (more);
  skip_space(s);
  return s->at == s->end ? true : fail(s, s->at, "something behind the value");
}

/* ---- the interface ---- */

#define BYTES_PER_TOKEN (sizeof(sdb_json_token) + SDB_JSON_KEYS_BYTES_PER_TOKEN)

_Static_assert(sizeof(sdb_json_token) == 16, "the size that json.h promises");

void sdb_json_init(sdb_json *json, const sdb_mem *mem, size_t tokens_max) {
  memset(json, 0, sizeof(*json));
  if (tokens_max > SDB_JSON_SIZE_MAX) tokens_max = SDB_JSON_SIZE_MAX;
  sdb_buffer_init(&json->memory, mem, sdb_mem_product(tokens_max, BYTES_PER_TOKEN));
}

static void forget(sdb_json *json) {
  json->text = NULL;
  json->tokens = NULL;
  json->count = 0;
}

void sdb_json_free(sdb_json *json) {
  forget(json);
  sdb_buffer_free(&json->memory);
}

sdb_status sdb_json_scan(sdb_json *json, sdb_slice text, int depth_max, sdb_error *error) {
  forget(json);
  sdb_buffer_reset(&json->memory);
  if (text.size > SDB_JSON_SIZE_MAX)
    return sdb_error_set(error, SDB_LIMIT, "the text is too large", NULL, NULL);
  json->text = text.data ? text.data : "";
  json->tokens = (sdb_json_token *)(void *)json->memory.data;
  scanner s = {.json = json, .at = json->text, .end = json->text + text.size, .open = NOT_OPEN};
  size_t capacity = json->memory.capacity / sizeof(sdb_json_token);
  s.tokens_max = (uint32_t)(json->memory.size_max / BYTES_PER_TOKEN);
  s.capacity = capacity < s.tokens_max ? (uint32_t)capacity : s.tokens_max;
  s.depth_max = depth_max < SDB_JSON_DEPTH_MAX ? depth_max : SDB_JSON_DEPTH_MAX;
  if (SDB_LIKELY(scan_text(&s))) {
    SDB_ASSERT(json->count > 0 && json->tokens[0].next == json->count);
    return SDB_OK;
  }
  size_t offset = (size_t)(s.stopped_at - json->text);
  forget(json);
  sdb_error_set(error, s.status, s.message, NULL, NULL);
  if (error) error->offset = offset;
  return s.status;
}
