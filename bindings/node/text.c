/* bindings/node/text.c: see text.h. */
#include "text.h"
#include <node_api.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_FIRST 4096

void *node_resize(void *pointer, size_t size) {
  void *resized = realloc(pointer, size);
  if (!resized && size > 0)
    napi_fatal_error("syncdb", NAPI_AUTO_LENGTH, "out of memory", NAPI_AUTO_LENGTH);
  return resized;
}

void *node_zero(size_t size) {
  return memset(node_resize(NULL, size), 0, size);
}

char *node_copy(sdb_slice text) {
  char *copy = node_resize(NULL, text.size + 1);
  if (text.size) memcpy(copy, text.data, text.size);
  copy[text.size] = '\0';
  return copy;
}

void node_text_free(node_text *text) {
  free(text->data);
  *text = (node_text){NULL, 0, 0};
}

static char *room(node_text *text, size_t size) {
  if (text->capacity - text->size < size) {
    size_t capacity = text->capacity ? text->capacity : CAPACITY_FIRST;
    while (capacity - text->size < size)
      capacity *= 2;
    text->data = node_resize(text->data, capacity);
    text->capacity = capacity;
  }
  return text->data + text->size;
}

void node_text_put(node_text *text, sdb_slice bytes) {
  if (bytes.size == 0) return;
  memcpy(room(text, bytes.size), bytes.data, bytes.size);
  text->size += bytes.size;
}

void node_text_word(node_text *text, const char *word) {
  node_text_put(text, sdb_slice_of(word));
}

void node_text_number(node_text *text, uint64_t number) {
  char digits[20];
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  node_text_put(text, sdb_slice_make(digits + at, sizeof(digits) - at));
}

static bool is_plain(unsigned char c) {
  return c >= 0x20 && c != '"' && c != '\\';
}

void node_text_string(node_text *text, sdb_slice string) {
  node_text_word(text, "\"");
  size_t from = 0;
  for (size_t i = 0; i < string.size; i++) {
    unsigned char c = (unsigned char)string.data[i];
    if (is_plain(c)) continue;
    node_text_put(text, sdb_slice_make(string.data + from, i - from));
    char escaped[8];
    int size = snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)c);
    node_text_put(text, sdb_slice_make(escaped, (size_t)size));
    from = i + 1;
  }
  node_text_put(text, sdb_slice_make(string.data + from, string.size - from));
  node_text_word(text, "\"");
}

void node_text_uuid(node_text *text, sdb_uuid id) {
  if (sdb_uuid_is_nil(id)) {
    node_text_word(text, "null");
    return;
  }
  char *to = room(text, SDB_UUID_TEXT_SIZE + 2);
  to[0] = to[SDB_UUID_TEXT_SIZE + 1] = '"';
  sdb_uuid_format(id, to + 1);
  text->size += SDB_UUID_TEXT_SIZE + 2;
}

void node_text_json(node_text *text, sdb_slice json) {
  if (json.size == 0)
    node_text_word(text, "null");
  else
    node_text_put(text, json);
}
