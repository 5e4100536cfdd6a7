/* base/error.c: status names and error text.
 *
 * Invariant: whatever is written ends in NUL and is cut only between UTF-8
 * characters, because messages go to peers as JSON strings.
 */
#include "base/error.h"
#include "base/base.h"

const char *sdb_status_name(sdb_status status) {
  switch (status) {
#define SDB_STATUS_CASE(name, value, code, text)                                                   \
  case SDB_##name:                                                                                 \
    return code;
    SDB_STATUS_MAP(SDB_STATUS_CASE)
#undef SDB_STATUS_CASE
  }
  return "unknown";
}

const char *sdb_status_text(sdb_status status) {
  switch (status) {
#define SDB_STATUS_CASE(name, value, code, text)                                                   \
  case SDB_##name:                                                                                 \
    return text;
    SDB_STATUS_MAP(SDB_STATUS_CASE)
#undef SDB_STATUS_CASE
  }
  return "unknown status";
}

void sdb_text_append(char *to, size_t capacity, sdb_slice text) {
  SDB_ASSERT(capacity > 0);
  size_t used = strlen(to);
  SDB_ASSERT(used < capacity);
  size_t room = capacity - 1 - used;
  size_t size = text.size;
  if (size > room) {
    size = room;
    while (size > 0 && ((unsigned char)text.data[size] & 0xC0) == 0x80)
      size--;
  }
  if (size > 0) memcpy(to + used, text.data, size);
  to[used + size] = 0;
}

void sdb_text_copy(char *to, size_t capacity, sdb_slice text) {
  SDB_ASSERT(capacity > 0);
  to[0] = 0;
  sdb_text_append(to, capacity, text);
}

sdb_status sdb_error_set(
    sdb_error *error, sdb_status status, const char *a, const char *b, const char *c) {
  if (!error) return status;
  error->status = status;
  error->offset = 0;
  error->path[0] = 0;
  error->message[0] = 0;
  const char *parts[] = {a, b, c};
  for (size_t i = 0; i < SDB_COUNT_OF(parts); i++) {
    if (parts[i]) sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(parts[i]));
  }
  return status;
}
