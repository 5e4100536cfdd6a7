/* json/write.c: writing JSON into a buffer.
 *
 * Errors stick in the buffer, so nothing is checked here. Strings are copied
 * run by run between the few bytes that RFC 8259 section 7 wants escaped:
 * quote, backslash and what is below 0x20.
 */
#include "json/json.h"

static const char HEX[] = "0123456789abcdef";

/* The letter of the short escape of `byte`; 'u' where there is none; 0: needs no escape. */
static char escape_letter(unsigned char byte) {
  switch (byte) {
  case '"':
    return '"';
  case '\\':
    return '\\';
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return byte < 0x20 ? 'u' : 0;
  }
}

static void write_escape(sdb_buffer *to, unsigned char byte, char letter) {
  char escape[6] = {'\\', letter, '0', '0', HEX[byte >> 4], HEX[byte & 15]};
  sdb_buffer_append(to, escape, letter == 'u' ? 6 : 2);
}

void sdb_json_write_string(sdb_buffer *to, sdb_slice text) {
  sdb_json_write_raw(to, "\"");
  size_t run = 0; /* where the bytes begin that are not written yet */
  for (size_t i = 0; i < text.size; i++) {
    unsigned char byte = (unsigned char)text.data[i];
    char letter = escape_letter(byte);
    if (SDB_LIKELY(!letter)) continue;
    sdb_buffer_append(to, text.data + run, i - run);
    write_escape(to, byte, letter);
    run = i + 1;
  }
  if (text.size > run) sdb_buffer_append(to, text.data + run, text.size - run);
  sdb_json_write_raw(to, "\"");
}

void sdb_json_write_uint64(sdb_buffer *to, uint64_t value) {
  char digits[20];
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  sdb_buffer_append(to, digits + at, sizeof(digits) - at);
}

void sdb_json_write_int64(sdb_buffer *to, int64_t value) {
  if (value < 0) sdb_json_write_raw(to, "-");
  sdb_json_write_uint64(to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}
