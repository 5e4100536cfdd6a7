/* sim/text.c: see text.h. */
#include "sim/text.h"
#include <stdlib.h>
#include <string.h>

static const char *find(sdb_slice text, const char *part) {
  return text.size ? memmem(text.data, text.size, part, strlen(part)) : NULL;
}

/* What follows `before`; false: it is not there. */
static bool behind(sdb_slice text, const char *before, sdb_slice *rest) {
  const char *at = find(text, before);
  if (!at) return false;
  at += strlen(before);
  *rest = sdb_slice_make(at, text.size - (size_t)(at - text.data));
  return true;
}

bool sim_text_has(sdb_slice text, const char *part) {
  return find(text, part) != NULL;
}

bool sim_text_between(sdb_slice text, const char *before, sdb_slice *found) {
  sdb_slice rest;
  if (!behind(text, before, &rest)) return false;
  const char *end = memchr(rest.data, '"', rest.size);
  if (!end) return false;
  *found = sdb_slice_make(rest.data, (size_t)(end - rest.data));
  return true;
}

static int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

sdb_uuid sim_text_uuid(sdb_slice text, const char *before) {
  sdb_uuid id = {{0}};
  sdb_slice found;
  if (!sim_text_between(text, before, &found) || found.size != 36) return (sdb_uuid){{0}};
  size_t digits = 0;
  for (size_t i = 0; i < found.size; i++) {
    int digit = hex(found.data[i]);
    if (digit < 0) continue;
    id.bytes[digits / 2] = (unsigned char)(id.bytes[digits / 2] << 4 | digit);
    digits++;
  }
  return id;
}

sdb_slice sim_text_object(sdb_slice text, const char *before) {
  sdb_slice rest;
  if (!behind(text, before, &rest)) return sdb_slice_make(NULL, 0);
  const char *end = memchr(rest.data, '}', rest.size);
  return end ? sdb_slice_make(rest.data, (size_t)(end - rest.data) + 1) : sdb_slice_make(NULL, 0);
}

sdb_slice sim_text_type(sdb_slice message) {
  static const char BEGINS[] = "{\"type\":\"";
  size_t size = sizeof(BEGINS) - 1;
  if (message.size < size || memcmp(message.data, BEGINS, size) != 0)
    return sdb_slice_make(NULL, 0);
  const char *end = memchr(message.data + size, '"', message.size - size);
  return sdb_slice_make(message.data + size, end ? (size_t)(end - message.data) - size : 0);
}

uint64_t sim_text_number(sdb_slice text, const char *before) {
  sdb_slice rest;
  uint64_t number = 0;
  if (!behind(text, before, &rest)) return 0;
  for (size_t i = 0; i < rest.size && rest.data[i] >= '0' && rest.data[i] <= '9'; i++)
    number = number * 10 + (uint64_t)(rest.data[i] - '0');
  return number;
}
