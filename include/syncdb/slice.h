/* syncdb/slice.h: a piece of somebody else's text.
 *
 * A slice owns nothing and need not end in NUL. Who hands one out says how long
 * it stays valid. `data` may be NULL only where `size` is 0.
 */
#ifndef SYNCDB_SLICE_H
#define SYNCDB_SLICE_H

#include <stddef.h>
#include <string.h>

typedef struct sdb_slice {
  const char *data;
  size_t size;
} sdb_slice;

/* A slice over a NUL-terminated string, which must outlive it. NULL gives the empty slice. */
static inline sdb_slice sdb_slice_of(const char *text) {
  sdb_slice slice = {text, text ? strlen(text) : 0};
  return slice;
}

/* A slice over `size` bytes at `data`. */
static inline sdb_slice sdb_slice_make(const char *data, size_t size) {
  sdb_slice slice = {data, size};
  return slice;
}

/* Whether both hold the same bytes. Not constant-time: never for secrets. */
static inline int sdb_slice_equal(sdb_slice a, sdb_slice b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
