/* platform/ecma_pattern.c: from ECMA-262's patterns to PCRE2's.
 *
 * JSON Schema's patterns are ECMA-262's. Most of one means the same to PCRE2; what does not is
 * written anew here, so that the server and a browser give one verdict:
 *
 *   .          all but \n \r U+2028 U+2029
 *   \s \S      ECMA-262's white space and line ends, beyond ASCII too
 *   \v \0 \cX \xHH \uHHHH \u{...}    code points; a pair of surrogates is one
 *   [ in [...] is itself: PCRE2 would look for [:alpha:]
 *   { that begins no quantifier is itself
 *   \N         \g{N}
 *
 * What PCRE2 has and ECMA-262 does not is refused: verbs, inline flags, atomic groups, recursion,
 * possessive quantifiers, \A \z \h \R \K \Q... As in a pattern without the `u` flag, a needless
 * escape of punctuation is let pass.
 *
 * A leading `.*` is dropped: it does not change whether the pattern occurs, and it would try every
 * position of the text.
 */
#include "platform/ecma_pattern.h"
#include <stdbool.h>
#include <stdint.h>

#define SPACES                                                                                     \
  "\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"    \
  "\\x{3000}\\x{feff}"
#define NO_SPACES                                                                                  \
  "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"                 \
  "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                   \
  "\\x{3001}-\\x{d7ff}\\x{e000}-\\x{fefe}\\x{ff00}-\\x{10ffff}"
#define ANY_IN_LINE "[^\\n\\r\\x{2028}\\x{2029}]"

typedef struct translator {
  const char *at, *end;
  sdb_buffer *to;
  const char *fault;
  bool in_class;
  enum { NOTHING, QUANTIFIER, LAZY_QUANTIFIER } last; /* what may be repeated */
} translator;

static void fail(translator *t, const char *why) {
  if (!t->fault) t->fault = why;
}

static void put(translator *t, const char *text) {
  sdb_buffer_append_slice(t->to, sdb_slice_of(text));
}

static void put_char(translator *t, char c) {
  sdb_buffer_append(t->to, &c, 1);
}

static void put_code_point(translator *t, uint32_t code) {
  static const char DIGITS[] = "0123456789abcdef";
  char text[16], *at = text + sizeof(text);
  *--at = 0;
  *--at = '}';
  do {
    *--at = DIGITS[code & 15];
    code >>= 4;
  } while (code);
  put(t, "\\x{");
  put(t, at);
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
  return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool next_is(const translator *t, char c) {
  return t->at < t->end && *t->at == c;
}

static bool skip(translator *t, char c) {
  if (!next_is(t, c)) return false;
  t->at++;
  return true;
}

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- escapes ---- */

/* Exactly `digits` hexadecimal digits. */
static bool read_hex(translator *t, int digits, uint32_t *value) {
  if (t->end - t->at < digits) return false;
  uint32_t read = 0;
  for (int i = 0; i < digits; i++) {
    int digit = hex_value(t->at[i]);
    if (digit < 0) return false;
    read = read << 4 | (uint32_t)digit;
  }
  t->at += digits;
  *value = read;
  return true;
}

/* Behind `\u`: HHHH, a pair of surrogates as two of them, or {H...}. */
static bool read_unicode(translator *t, uint32_t *code) {
  uint32_t low;
  if (skip(t, '{')) {
    uint32_t digit;
    if (next_is(t, '}')) return false;
    for (*code = 0; !next_is(t, '}'); *code = *code << 4 | digit) {
      if (*code > 0x10FFFF || !read_hex(t, 1, &digit)) return false;
    }
    t->at++;
  } else {
    if (!read_hex(t, 4, code)) return false;
    if (*code >= 0xD800 && *code <= 0xDBFF) {
      if (!skip(t, '\\') || !skip(t, 'u') || !read_hex(t, 4, &low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return false;
      *code = 0x10000 + ((*code & 0x3FF) << 10 | (low & 0x3FF));
    }
  }
  return *code <= 0x10FFFF && (*code < 0xD800 || *code > 0xDFFF);
}

/* In a class, a hyphen behind \d, \s... is itself: it cannot be the middle of a range. */
static void end_set(translator *t) {
  if (t->in_class && skip(t, '-')) put(t, "\\-");
}

static void put_property(translator *t, char escape) {
  put_char(t, '\\');
  put_char(t, escape);
  if (!next_is(t, '{')) {
    fail(t, "\\p needs a property in braces");
    return;
  }
  while (t->at < t->end && *t->at != '}')
    put_char(t, *t->at++);
  if (skip(t, '}')) put_char(t, '}');
  end_set(t);
}

static void put_back_reference(translator *t, char first) {
  if (t->in_class) {
    fail(t, "no back reference can stand in a class");
    return;
  }
  put(t, "\\g{");
  put_char(t, first);
  while (t->at < t->end && is_digit(*t->at))
    put_char(t, *t->at++);
  put_char(t, '}');
}

static void put_code_escape(translator *t, char escape) {
  uint32_t code = 0;
  bool read = true;
  switch (escape) {
  case 'f':
    code = 0x0C;
    break;
  case 'n':
    code = 0x0A;
    break;
  case 'r':
    code = 0x0D;
    break;
  case 't':
    code = 0x09;
    break;
  case 'v':
    code = 0x0B;
    break;
  case '0':
    read = t->at == t->end || !is_digit(*t->at);
    break;
  case 'x':
    read = read_hex(t, 2, &code);
    break;
  case 'u':
    read = read_unicode(t, &code);
    break;
  default:
    read = t->at < t->end && is_letter(*t->at);
    if (read) code = (uint32_t)*t->at++ & 31;
  }
  if (read)
    put_code_point(t, code);
  else
    fail(t, "not a code point behind \\0, \\c, \\x or \\u");
}

static void put_letter_escape(translator *t, char escape) {
  switch (escape) {
  case 'd':
  case 'D':
  case 'w':
  case 'W':
    put_char(t, '\\');
    put_char(t, escape);
    end_set(t);
    return;
  case 's':
  case 'S':
    if (!t->in_class) put_char(t, '[');
    put(t, escape == 's' ? SPACES : NO_SPACES);
    if (!t->in_class) put_char(t, ']');
    end_set(t);
    return;
  case 'b':
    put(t, t->in_class ? "\\x{8}" : "\\b");
    return;
  case 'B':
  case 'k':
    if (t->in_class || (escape == 'k' && !next_is(t, '<')))
      fail(t, "\\B and \\k cannot stand here");
    put_char(t, '\\');
    put_char(t, escape);
    return;
  case 'p':
  case 'P':
    put_property(t, escape);
    return;
  case 'f':
  case 'n':
  case 'r':
  case 't':
  case 'v':
  case 'c':
  case 'x':
  case 'u':
    put_code_escape(t, escape);
    return;
  default:
    fail(t, "an escaped letter that has no meaning in ECMA-262");
  }
}

static void put_escape(translator *t) {
  if (t->at == t->end) {
    fail(t, "a backslash at the end");
    return;
  }
  char escape = *t->at++;
  if (is_letter(escape))
    put_letter_escape(t, escape);
  else if (escape == '0')
    put_code_escape(t, escape);
  else if (is_digit(escape))
    put_back_reference(t, escape);
  else {
    bool punctuation = escape > 0 && escape != '_';
    if (punctuation) put_char(t, '\\');
    put_char(t, escape);
  }
}

/* ---- outside of classes ---- */

static void put_quantifier(translator *t, const char *from) {
  if (t->last == LAZY_QUANTIFIER || (t->last == QUANTIFIER && *from != '?')) {
    fail(t, "a quantifier behind a quantifier");
    return;
  }
  sdb_buffer_append(t->to, from, (size_t)(t->at - from));
  t->last = t->last == QUANTIFIER ? LAZY_QUANTIFIER : QUANTIFIER;
}

/* `{`: of {n}, {n,} and {n,m}, or itself. */
static void put_brace(translator *t) {
  const char *from = t->at - 1, *at = t->at;
  while (at < t->end && is_digit(*at))
    at++;
  bool number = at > t->at;
  if (number && at < t->end && *at == ',') {
    at++;
    while (at < t->end && is_digit(*at))
      at++;
  }
  if (number && at < t->end && *at == '}') {
    t->at = at + 1;
    put_quantifier(t, from);
  } else {
    put(t, "\\{");
    t->last = NOTHING;
  }
}

/* `(`: of a group, a named group or a look around; nothing else that PCRE2 knows. */
static void put_group(translator *t) {
  put_char(t, '(');
  if (next_is(t, '*')) fail(t, "nothing to repeat behind (");
  if (!skip(t, '?')) return;
  put_char(t, '?');
  if (t->at < t->end && (*t->at == ':' || *t->at == '=' || *t->at == '!')) {
    put_char(t, *t->at++);
    return;
  }
  bool named = skip(t, '<') && t->at < t->end &&
               (*t->at == '=' || *t->at == '!' || *t->at == '_' || is_letter(*t->at));
  if (!named) {
    fail(t, "a group that ECMA-262 does not have");
    return;
  }
  put_char(t, '<');
  put_char(t, *t->at++);
}

static void put_outside(translator *t, char c) {
  const char *from = t->at - 1;
  if (c == '*' || c == '+' || c == '?') {
    put_quantifier(t, from);
    return;
  }
  if (c == '{') {
    put_brace(t);
    return;
  }
  t->last = NOTHING;
  switch (c) {
  case '\\':
    put_escape(t);
    break;
  case '.':
    put(t, ANY_IN_LINE);
    break;
  case '(':
    put_group(t);
    break;
  case '[':
    put_char(t, c);
    t->in_class = true;
    if (skip(t, '^')) put_char(t, '^');
    break;
  default:
    put_char(t, c);
  }
}

static void put_inside(translator *t, char c) {
  switch (c) {
  case '\\':
    put_escape(t);
    break;
  case '[':
    put(t, "\\[");
    break;
  case ']':
    t->in_class = false;
    put_char(t, c);
    break;
  default:
    put_char(t, c);
  }
}

static void skip_leading_any(translator *t) {
  if (t->end - t->at < 2 || t->at[0] != '.' || t->at[1] != '*') return;
  const char *behind = t->at + 2;
  if (behind < t->end && *behind == '?') behind++;
  if (behind < t->end && (*behind == '*' || *behind == '+' || *behind == '?' || *behind == '{'))
    return;
  t->at = behind;
}

const char *sdb_ecma_pattern(sdb_slice pattern, sdb_buffer *to) {
  translator t = {.at = pattern.data, .end = pattern.data + pattern.size, .to = to};
  skip_leading_any(&t);
  while (t.at < t.end && !t.fault) {
    char c = *t.at++;
    if (t.in_class)
      put_inside(&t, c);
    else
      put_outside(&t, c);
  }
  return t.fault;
}
