/* test/crash/words.c: see words.h. A number in decimal: [1 for an answer][2 user][1 device]
 * [5 life][4 push], so that it can be read in a log.
 */
#include "words.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ANSWER UINT64_C(1000000000000)
#define DEVICE UINT64_C(1000000000)
#define TEXT_MAX 400

static const char STORES[] =
    "{\"stores\":["
    "{\"name\":\"item\",\"type\":\"event\",\"schema\":{\"type\":\"object\",\"properties\":{"
    "\"tag\":{\"type\":\"integer\"},\"push\":{\"type\":\"integer\"},\"text\":{\"type\":\"string\"}}"
    ","
    "\"required\":[\"tag\",\"push\",\"text\"],\"additionalProperties\":false}},"
    "{\"name\":\"message\",\"type\":\"event\",\"schema\":{\"type\":\"object\",\"properties\":{"
    "\"tag\":{\"type\":\"integer\"},\"push\":{\"type\":\"integer\"},\"text\":{\"type\":\"string\"}}"
    ","
    "\"required\":[\"tag\",\"push\",\"text\"],\"additionalProperties\":false}},"
    "{\"name\":\"setting\",\"type\":\"singular\",\"schema\":{\"type\":\"object\",\"properties\":{"
    "\"tag\":{\"type\":\"integer\"},\"push\":{\"type\":\"integer\"},\"text\":{\"type\":\"string\"}}"
    ","
    "\"required\":[\"tag\",\"push\",\"text\"],\"additionalProperties\":false}}]}";

crash_number crash_number_of(unsigned user, unsigned device, unsigned life, unsigned push) {
  return ((user * UINT64_C(10) + device) * CRASH_LIVES_MAX + life) * CRASH_PUSHES_MAX + push;
}

crash_number crash_answer_to(crash_number question) {
  return question + ANSWER;
}

bool crash_is_answer(crash_number push) {
  return push >= ANSWER;
}

unsigned crash_user_of(crash_number push) {
  return (unsigned)(push % ANSWER / (10 * DEVICE));
}

unsigned crash_device_of(crash_number push) {
  return (unsigned)(push / DEVICE % 10);
}

crash_stores crash_stores_make(void) {
  crash_stores stores = {0};
  sdb_error error;
  if (sdb_stores_from_json(sdb_slice_of(STORES), &stores.all, &stores.count, &error) != SDB_OK)
    crash_die("stores: %s at %s", error.message, error.path);
  stores.items = stores.all[0];
  stores.messages = stores.all[1];
  stores.settings = stores.all[2];
  return stores;
}

void crash_stores_destroy(crash_stores *stores) {
  for (size_t i = 0; i < stores->count; i++)
    sdb_store_destroy(stores->all[i]);
  free(stores->all);
}

void crash_piece(crash_number push, int i, char *text, size_t capacity) {
  snprintf(text, capacity, "%d of %llu. ", i, (unsigned long long)push);
}

/* As long as the number says: mostly short, some over a frame's first sizes. */
static void text_of(crash_number push, char text[TEXT_MAX + 1]) {
  uint64_t mixed = (push + 1) * UINT64_C(0x9E3779B97F4A7C15);
  size_t size = mixed >> 62 ? (mixed >> 32) % 40 : (mixed >> 32) % TEXT_MAX;
  for (size_t i = 0; i < size; i++)
    text[i] = (char)('a' + (mixed >> (i % 48)) % 26);
  text[size] = 0;
}

void crash_object(
    char kind, crash_number tag, crash_number push, int pieces, char object[CRASH_OBJECT_MAX]) {
  char text[TEXT_MAX + 1] = "";
  size_t size = 0;
  if (kind != 'a') text_of(push, text);
  for (int i = 0; kind == 'a' && i < pieces; i++) {
    crash_piece(push, i, text + size, sizeof(text) - size);
    size += strlen(text + size);
  }
  snprintf(object, CRASH_OBJECT_MAX, "{\"tag\":%llu,\"push\":%llu,\"text\":\"%s\"",
      (unsigned long long)tag, (unsigned long long)push, text);
  strncat(object, "}", CRASH_OBJECT_MAX - strlen(object) - 1);
}

static bool read_number(sdb_slice object, const char *name, crash_number *number) {
  const char *at = object.size ? memmem(object.data, object.size, name, strlen(name)) : NULL;
  if (!at) return false;
  char digits[24];
  size_t left = (size_t)(object.data + object.size - at) - strlen(name);
  snprintf(digits, sizeof(digits), "%.*s", (int)(left < 23 ? left : 23), at + strlen(name));
  char *end;
  *number = strtoull(digits, &end, 10);
  return end > digits;
}

bool crash_read_object(const crash_stores *stores, const sdb_store *store, sdb_slice object,
    crash_number *tag, crash_number *push) {
  char expected[CRASH_OBJECT_MAX];
  if (!read_number(object, "\"tag\":", tag) || !read_number(object, "\"push\":", push))
    return false;
  if (crash_is_answer(*push) && (store != stores->messages || *tag != *push)) return false;
  crash_object(crash_is_answer(*push) ? 'a' : 'c', *tag, *push, CRASH_PIECES, expected);
  size_t size = strlen(expected) - 1; /* `$createdAt` follows */
  return object.size > size && memcmp(object.data, expected, size) == 0 && object.data[size] == ',';
}

void crash_uuid_text(sdb_uuid id, char text[CRASH_UUID_SIZE]) {
  sdb_uuid_format(id, text);
  text[SDB_UUID_TEXT_SIZE] = 0;
}

void crash_follow_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void say(const char *begin, const char *format, va_list arguments) {
  char line[CRASH_LINE_MAX];
  int size = snprintf(line, sizeof(line), "%s", begin);
  size += vsnprintf(line + size, sizeof(line) - (size_t)size, format, arguments);
  if (size > (int)sizeof(line) - 2) size = (int)sizeof(line) - 2;
  line[size++] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)size) < 0) _exit(2);
}

void crash_say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say("", format, arguments);
  va_end(arguments);
}

void crash_die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say("! ", format, arguments);
  va_end(arguments);
  _exit(3);
}
