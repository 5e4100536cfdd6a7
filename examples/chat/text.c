/* examples/chat/text.c: see text.h. Columns are wcwidth's, so the program sets a UTF-8 locale. */
#include "text.h"
#include <stdint.h>
#include <stdlib.h>
#include <wchar.h>

#define REPLACEMENT 0xfffd

/* Takes one character off `rest`, which is not empty; a byte that is no UTF-8 is a character. */
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

static int columns_of(uint32_t c) {
  return c < 0x80 ? (c >= 0x20 && c != 0x7f ? 1 : -1) : wcwidth((wchar_t)c);
}

static bool is_harmful(uint32_t c) {
  bool turns = c == 0x200e || c == 0x200f || c == 0x61c || (c >= 0x2028 && c <= 0x202e) ||
               (c >= 0x2060 && c <= 0x206f);
  return turns || c == 0xfeff || (c >= 0xe0000 && c <= 0xe0fff) || columns_of(c) < 0;
}

char *chat_text_harmless(sdb_slice text, bool keep_lines) {
  static const char REPLACED[] = "\xef\xbf\xbd";
  char *copy = malloc(3 * text.size + 1),
       *to = copy; /* a byte may become U+FFFD, which has three */
  unsigned marks = 0;
  while (copy && text.size > 0) {
    const char *from = text.data;
    uint32_t c = take_character(&text);
    size_t size = (size_t)(text.data - from);
    bool breaks = c == '\n' && keep_lines, blank = c == '\n' || c == '\r' || c == '\t';
    if (breaks || blank) {
      *to++ = breaks ? '\n' : ' ';
      continue;
    }
    if (c == REPLACEMENT || is_harmful(c)) {
      from = REPLACED;
      size = 3;
    }
    /* A few marks may stand on one character; more are there to run over the lines around. */
    marks = columns_of(c) == 0 ? marks + 1 : 0;
    for (size_t i = 0; marks <= 3 && i < size; i++)
      *to++ = from[i];
  }
  if (copy) *to = 0;
  return copy;
}

static size_t take_columns(sdb_slice *rest) {
  int columns = columns_of(take_character(rest));
  return columns > 0 ? (size_t)columns : 0;
}

size_t chat_text_columns(sdb_slice text) {
  size_t columns = 0;
  while (text.size > 0)
    columns += take_columns(&text);
  return columns;
}

sdb_slice chat_text_end(sdb_slice text, size_t columns) {
  size_t all = chat_text_columns(text);
  while (all > columns)
    all -= take_columns(&text);
  return text;
}

sdb_slice chat_text_take_line(sdb_slice *rest, size_t columns) {
  sdb_slice line = sdb_slice_make(rest->data, 0), at = *rest;
  size_t used = 0, blank = 0; /* `blank`: where the last one stands, behind the first character */
  while (at.size > 0 && at.data[0] != '\n') {
    sdb_slice next = at;
    size_t wide = take_columns(&next);
    if (used + wide > columns && used > 0) break;
    if (at.data[0] == ' ' && used > 0) blank = (size_t)(at.data - line.data);
    used += wide;
    at = next;
  }
  line.size = (size_t)(at.data - line.data);
  bool broken = at.size > 0 && at.data[0] != '\n' && at.data[0] != ' ';
  if (broken && blank > 0) line.size = blank;
  *rest = sdb_slice_make(line.data + line.size, rest->size - line.size);
  if (rest->size > 0 && (rest->data[0] == '\n' || rest->data[0] == ' ')) {
    rest->data++;
    rest->size--;
  }
  return line;
}
