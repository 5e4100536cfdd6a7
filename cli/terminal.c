/* cli/terminal.c: see terminal.h.
 *
 * Columns are wcwidth's, in the locale C.UTF-8 and not the user's: terminals speak UTF-8 also where
 * LANG says nothing. A terminal that counts an emoji otherwise shows a line that is a little too
 * short or too long; lines stay a column under the width, so that it is one line still.
 *
 * The reader of JSON is for text that the library gave, which is JSON: it does not check that.
 */
#include "terminal.h"
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define REPLACEMENT 0xfffd
#define MARKS_MAX 3 /* that stand on one character: more are no language, and pile up */

/* ---- text that grows ---- */

void sdb_cli_text_free(sdb_cli_text *text) {
  free(text->data);
  *text = (sdb_cli_text){NULL, 0, 0};
}

static void append(sdb_cli_text *text, const char *data, size_t size) {
  if (text->capacity - text->size < size) {
    size_t capacity = 2 * text->capacity + size + 64;
    char *grown = realloc(text->data, capacity);
    if (!grown) return;
    text->data = grown;
    text->capacity = capacity;
  }
  memcpy(text->data + text->size, data, size);
  text->size += size;
}

void sdb_cli_text_plain(sdb_cli_text *text, const char *plain) {
  append(text, plain, strlen(plain));
}

/* ---- characters ---- */

/* Takes one character off `rest`, which is not empty. What is no UTF-8 counts byte by byte. */
static uint32_t take_character(sdb_slice *rest) {
  const unsigned char *at = (const unsigned char *)rest->data;
  size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
  uint32_t c = size == 1 ? at[0] : at[0] & (0x7fU >> size);
  bool valid = size > 0 && size <= rest->size && at[0] < 0xf5;
  for (size_t i = 1; valid && i < size; i++) {
    valid = (at[i] & 0xc0) == 0x80;
    c = c << 6 | (at[i] & 0x3f);
  }
  valid = valid && (size < 3 || c >= (size == 3 ? 0x800U : 0x10000U)) && c <= 0x10ffff &&
          !(c >= 0xd800 && c < 0xe000);
  if (!valid) size = 1;
  rest->data += size;
  rest->size -= size;
  return valid ? c : REPLACEMENT;
}

static size_t write_character(uint32_t c, char *to) {
  if (c < 0x80) {
    to[0] = (char)c;
    return 1;
  }
  size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; i--, c >>= 6)
    to[i] = (char)(0x80 | (c & 0x3f));
  to[0] = (char)((0xf00U >> size & 0xf0) | c);
  return size;
}

static int columns_of(uint32_t c) {
  return c < 0x80 ? (c >= 0x20 && c != 0x7f ? 1 : -1) : wcwidth((wchar_t)c);
}

/* Marks that turn the direction of text could make a line say something else; U+E0000 and on, and
 * U+FEFF, are there to be not seen. */
static bool is_hidden(uint32_t c) {
  return c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0x61c || c == 0xfeff ||
         (c >= 0xe0000 && c <= 0xe0fff);
}

/* `marks`: how many of no width came one after the other. */
static void append_harmless(sdb_cli_text *text, uint32_t c, unsigned *marks) {
  char bytes[4];
  if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  int columns = columns_of(c);
  if (columns < 0 || is_hidden(c)) {
    c = REPLACEMENT;
    columns = 1;
  }
  *marks = columns == 0 ? *marks + 1 : 0;
  if (*marks <= MARKS_MAX) append(text, bytes, write_character(c, bytes));
}

void sdb_cli_text_foreign(sdb_cli_text *text, sdb_slice foreign) {
  unsigned marks = MARKS_MAX; /* one without a character to stand on would stand on ours */
  while (foreign.size > 0)
    append_harmless(text, take_character(&foreign), &marks);
}

size_t sdb_cli_text_columns(sdb_slice text) {
  size_t columns = 0;
  while (text.size > 0) {
    int one = columns_of(take_character(&text));
    columns += one > 0 ? (size_t)one : 0;
  }
  return columns;
}

sdb_slice sdb_cli_text_head(sdb_slice text, size_t columns) {
  sdb_slice rest = text;
  size_t kept = 0;
  while (rest.size > 0) {
    int one = columns_of(take_character(&rest));
    size_t wide = one > 0 ? (size_t)one : 0;
    if (wide > columns) break;
    columns -= wide;
    kept = text.size - rest.size;
  }
  return sdb_slice_make(text.data, kept);
}

sdb_slice sdb_cli_text_tail(sdb_slice text, size_t columns) {
  size_t all = sdb_cli_text_columns(text);
  while (all > columns) {
    int one = columns_of(take_character(&text));
    all -= one > 0 ? (size_t)one : 0;
  }
  return text;
}

/* ---- JSON ---- */

static void skip_space(sdb_slice *rest) {
  while (rest->size > 0 && strchr(" \t\r\n", rest->data[0]) && rest->data[0]) {
    rest->data++;
    rest->size--;
  }
}

static size_t string_size(sdb_slice rest) {
  for (size_t i = 1; i < rest.size; i++) {
    if (rest.data[i] == '\\')
      i++;
    else if (rest.data[i] == '"')
      return i + 1;
  }
  return rest.size;
}

static sdb_slice take_bytes(sdb_slice *rest, size_t size) {
  sdb_slice taken = sdb_slice_make(rest->data, size);
  rest->data += size;
  rest->size -= size;
  return taken;
}

/* A value ends before the comma or bracket that is on its own level. */
static sdb_slice take_value(sdb_slice *rest) {
  size_t depth = 0, i = 0;
  while (i < rest->size) {
    char c = rest->data[i];
    if (c == '"') {
      i += string_size(sdb_slice_make(rest->data + i, rest->size - i));
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}' || c == ']')) break;
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    i++;
  }
  size_t size = i;
  while (size > 0 && strchr(" \t\r\n", rest->data[size - 1]))
    size--;
  sdb_slice value = sdb_slice_make(rest->data, size);
  (void)take_bytes(rest, i);
  return value;
}

typedef struct member {
  sdb_slice name, value; /* JSON text both */
} member;

/* Takes the next member off `rest`, which begins as the whole object. False: no more. */
static bool take_member(sdb_slice *rest, member *taken) {
  skip_space(rest);
  if (rest->size == 0 || (rest->data[0] != '{' && rest->data[0] != ',')) return false;
  (void)take_bytes(rest, 1);
  skip_space(rest);
  if (rest->size == 0 || rest->data[0] != '"') return false;
  taken->name = take_bytes(rest, string_size(*rest));
  skip_space(rest);
  if (rest->size == 0 || rest->data[0] != ':') return false;
  (void)take_bytes(rest, 1);
  skip_space(rest);
  taken->value = take_value(rest);
  return true;
}

static bool take_hex(sdb_slice *rest, uint32_t *unit) {
  *unit = 0;
  if (rest->size < 4) return false;
  for (size_t i = 0; i < 4; i++) {
    static const char DIGITS[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = memchr(DIGITS, rest->data[i], 32);
    if (!found) return false;
    *unit = *unit << 4 | (uint32_t)(found - DIGITS) % 16;
  }
  (void)take_bytes(rest, 4);
  return true;
}

/* What stands behind a backslash; two units where they are halves of one character. */
static uint32_t take_escape(sdb_slice *rest) {
  static const char NAMES[] = "bfnrt", CHARACTERS[] = "\b\f\n\r\t";
  char c = rest->data[0];
  (void)take_bytes(rest, 1);
  const char *named = memchr(NAMES, c, sizeof(NAMES) - 1);
  if (named) return (uint32_t)CHARACTERS[named - NAMES];
  if (c != 'u') return (uint32_t)(unsigned char)c;
  uint32_t high, low;
  if (!take_hex(rest, &high)) return REPLACEMENT;
  if (high < 0xd800 || high >= 0xdc00) return high;
  sdb_slice behind = *rest;
  if (behind.size < 6 || memcmp(behind.data, "\\u", 2) != 0) return REPLACEMENT;
  (void)take_bytes(&behind, 2);
  if (!take_hex(&behind, &low) || low < 0xdc00 || low >= 0xe000) return REPLACEMENT;
  *rest = behind;
  return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

void sdb_cli_text_json_string(sdb_cli_text *text, sdb_slice json) {
  unsigned marks = MARKS_MAX;
  if (json.size < 2) return;
  sdb_slice rest = sdb_slice_make(json.data + 1, json.size - 2);
  while (rest.size > 0) {
    uint32_t c = take_character(&rest);
    if (c == '\\' && rest.size > 0) c = take_escape(&rest);
    append_harmless(text, c, &marks);
  }
}

void sdb_cli_text_members(sdb_cli_text *text, sdb_slice object) {
  member one;
  bool first = true;
  while (take_member(&object, &one)) {
    if (one.name.size >= 2 && one.name.data[1] == '$') continue;
    if (!first) sdb_cli_text_plain(text, "  ");
    first = false;
    sdb_cli_text_json_string(text, one.name);
    sdb_cli_text_plain(text, ": ");
    if (one.value.size > 0 && one.value.data[0] == '"')
      sdb_cli_text_json_string(text, one.value);
    else
      sdb_cli_text_foreign(text, one.value);
  }
}

bool sdb_cli_text_created_ms(sdb_slice object, long long *created_ms) {
  member one;
  while (take_member(&object, &one)) {
    if (!sdb_slice_equal(one.name, sdb_slice_of("\"$createdAt\""))) continue;
    char digits[32] = "";
    if (one.value.size == 0 || one.value.size >= sizeof(digits)) return false;
    memcpy(digits, one.value.data, one.value.size);
    double number = strtod(digits, NULL);
    if (!(number >= 0 && number < 1e16)) return false;
    *created_ms = (long long)number;
    return true;
  }
  return false;
}

/* ---- the terminal ---- */

void sdb_cli_terminal_open(sdb_cli_terminal *terminal, FILE *to) {
  const char *kind = getenv("TERM"), *no_colour = getenv("NO_COLOR");
  bool shown = isatty(fileno(to)) == 1;
  terminal->to = to;
  terminal->is_terminal = shown && kind && strcmp(kind, "dumb") != 0;
  terminal->has_colour = terminal->is_terminal && !(no_colour && *no_colour);
  (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for wcwidth */
}

size_t sdb_cli_terminal_columns(const sdb_cli_terminal *terminal) {
  struct winsize size;
  if (!terminal->is_terminal) return SIZE_MAX;
  if (ioctl(fileno(terminal->to), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

size_t sdb_cli_terminal_rows(const sdb_cli_terminal *terminal) {
  struct winsize size;
  if (!terminal->is_terminal) return 0;
  if (ioctl(fileno(terminal->to), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
  return size.ws_row;
}

void sdb_cli_terminal_look(const sdb_cli_terminal *terminal, sdb_cli_look look) {
  static const char *const CODES[] = {"\033[0m", "\033[2m", "\033[36m", "\033[31m"};
  if (terminal->has_colour) fputs(CODES[look], terminal->to);
}
