/* cli/bench_message.c: finds the little that the loader wants to know in a message, without parsing
 * it: at 500,000 messages a second a parser would be what is measured.
 *
 * This is right, not a guess: inside a JSON string a quotation mark is escaped, so the bytes
 * `"clientId":"` are always a key, and the objects that the loader pushes have no such keys of
 * their own. Both servers write no blanks between tokens; one that did would be reported as
 * sending messages that nobody understands, not counted wrongly.
 */
#include "bench.h"
#include <string.h>

static bool begins(const char *text, size_t size, const char *with) {
  size_t with_size = strlen(with);
  return size >= with_size && memcmp(text, with, with_size) == 0;
}

sdb_bench_message sdb_bench_message_type(const char *text, size_t size) {
  static const char TYPE[] = "\"type\":\"";
  const char *at = memmem(text, size, TYPE, sizeof(TYPE) - 1);
  if (!at) return SDB_BENCH_OTHER;
  at += sizeof(TYPE) - 1;
  size_t left = size - (size_t)(at - text);
  if (begins(at, left, "update\"")) return SDB_BENCH_UPDATE;
  if (begins(at, left, "partial\"")) return SDB_BENCH_PARTIAL;
  if (begins(at, left, "synced\"")) return SDB_BENCH_SYNCED;
  if (begins(at, left, "server_hello\"")) return SDB_BENCH_SERVER_HELLO;
  if (begins(at, left, "error\"")) return SDB_BENCH_ERROR;
  return SDB_BENCH_OTHER;
}

const char *sdb_bench_message_find(
    const char *text, size_t size, const char *key, size_t needed, size_t *hint) {
  size_t key_size = strlen(key);
  if (size < key_size + needed) return NULL;
  size_t last = size - key_size - needed;
  if (*hint <= last && memcmp(text + *hint, key, key_size) == 0) return text + *hint + key_size;
  const char *at = memmem(text, size - needed, key, key_size);
  if (!at) return NULL;
  *hint = (size_t)(at - text);
  return at + key_size;
}
