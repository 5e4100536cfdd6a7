/* base/buffer.h: a byte buffer that grows up to a maximum given at creation.
 *
 * Errors stick: after one failed append every later one does nothing, and
 * `status` says why, so a writer checks once at its end.
 */
#ifndef SDB_BASE_BUFFER_H
#define SDB_BASE_BUFFER_H

#include "base/memory.h"
#include <syncdb/slice.h>
#include <syncdb/status.h>

typedef struct sdb_buffer {
  const sdb_mem *mem;
  char *data;
  size_t size, capacity, size_max;
  sdb_status status; /* SDB_OK, SDB_NO_MEMORY or SDB_LIMIT */
} sdb_buffer;

/* An empty buffer; allocates nothing. `mem` must outlive it. */
void sdb_buffer_init(sdb_buffer *buffer, const sdb_mem *mem, size_t size_max);

/* Frees the memory and leaves an empty, usable buffer. */
void sdb_buffer_free(sdb_buffer *buffer);

/* Forgets content and error, keeps the memory. */
void sdb_buffer_reset(sdb_buffer *buffer);

/* Room for `size` more bytes: a pointer to them, valid until the next call, or
 * NULL with the sticky status set. The size is moved by sdb_buffer_commit. */
char *sdb_buffer_reserve(sdb_buffer *buffer, size_t size);

/* Counts `size` bytes, written to what sdb_buffer_reserve gave, as content. */
static inline void sdb_buffer_commit(sdb_buffer *buffer, size_t size) {
  SDB_ASSERT(size <= buffer->capacity - buffer->size);
  buffer->size += size;
}

static inline void sdb_buffer_append(sdb_buffer *buffer, const void *data, size_t size) {
  char *to = size ? sdb_buffer_reserve(buffer, size) : NULL;
  if (!to) return;
  memcpy(to, data, size);
  buffer->size += size;
}

static inline void sdb_buffer_append_slice(sdb_buffer *buffer, sdb_slice slice) {
  sdb_buffer_append(buffer, slice.data, slice.size);
}

static inline sdb_slice sdb_buffer_slice(const sdb_buffer *buffer) {
  return sdb_slice_make(buffer->data, buffer->size);
}

#endif
