/* server/percent.c: see percent.h. Bytes are bytes here; what they mean is the caller's. */
#include "server/percent.h"

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

sdb_slice sdb_percent_decode(sdb_slice text, bool form, char *to, size_t capacity) {
  sdb_slice none = {NULL, 0};
  size_t size = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (size == capacity) return none;
    char c = text.data[i];
    if (c == '%') {
      if (text.size - i < 3) return none;
      int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
      if (high < 0 || low < 0) return none;
      c = (char)(high << 4 | low);
      i += 2;
    } else if (c == '+' && form) {
      c = ' ';
    }
    to[size++] = c;
  }
  return sdb_slice_make(to, size);
}
