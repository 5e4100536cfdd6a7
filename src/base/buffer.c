/* base/buffer.c: see buffer.h. Growth doubles, so n bytes cost O(n). */
#include "base/buffer.h"

#define SDB_BUFFER_CAPACITY_MIN 64

void sdb_buffer_init(sdb_buffer *buffer, const sdb_mem *mem, size_t size_max) {
  memset(buffer, 0, sizeof(*buffer));
  buffer->mem = mem;
  buffer->size_max = size_max;
}

void sdb_buffer_free(sdb_buffer *buffer) {
  if (buffer->mem) sdb_mem_free(buffer->mem, buffer->data);
  buffer->data = NULL;
  buffer->size = buffer->capacity = 0;
  buffer->status = SDB_OK;
}

void sdb_buffer_reset(sdb_buffer *buffer) {
  buffer->size = 0;
  buffer->status = SDB_OK;
}

static char *grow(sdb_buffer *buffer, size_t size) {
  if (buffer->status != SDB_OK) return NULL;
  if (size > buffer->size_max - buffer->size) {
    buffer->status = SDB_LIMIT;
    return NULL;
  }
  size_t capacity = buffer->capacity ? buffer->capacity : SDB_BUFFER_CAPACITY_MIN;
  while (capacity < buffer->size + size)
    capacity = capacity > SIZE_MAX / 2 ? buffer->size_max : capacity * 2;
  if (capacity > buffer->size_max) capacity = buffer->size_max;
  char *data = sdb_mem_resize(buffer->mem, buffer->data, capacity);
  if (!data) {
    buffer->status = SDB_NO_MEMORY;
    return NULL;
  }
  buffer->data = data;
  buffer->capacity = capacity;
  return data + buffer->size;
}

char *sdb_buffer_reserve(sdb_buffer *buffer, size_t size) {
  SDB_ASSERT(buffer->size <= buffer->capacity);
  if (SDB_LIKELY(buffer->status == SDB_OK && size <= buffer->capacity - buffer->size && size > 0))
    return buffer->data + buffer->size;
  return size ? grow(buffer, size) : NULL;
}
