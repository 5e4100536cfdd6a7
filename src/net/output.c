/* net/output.c: see output.h.
 *
 * A chunk either has its bytes behind itself (`capacity` of them, more may be
 * copied to the last one) or points at an owner's. Chunks start small, since most
 * connections send one message at a time, and later ones are a page.
 */
#include "net/output.h"

#define CHUNK_FIRST 512
#define CHUNK_NEXT 4096

struct sdb_chunk {
  sdb_chunk *next;
  const char *data;
  size_t size, capacity; /* capacity 0: held */
  void *owner;
  void (*release)(void *owner);
  char bytes[];
};

static void free_first(sdb_output *output, const sdb_mem *mem) {
  sdb_chunk *chunk = output->first;
  output->first = chunk->next;
  if (!output->first) output->last = NULL;
  output->sent = 0;
  if (chunk->release) chunk->release(chunk->owner);
  sdb_mem_free(mem, chunk);
}

void sdb_output_free(sdb_output *output, const sdb_mem *mem) {
  while (output->first)
    free_first(output, mem);
  output->bytes = 0;
}

static sdb_chunk *add_chunk(sdb_output *output, const sdb_mem *mem, size_t capacity) {
  sdb_chunk *chunk = sdb_mem_alloc(mem, sizeof(*chunk) + capacity);
  if (!chunk) return NULL;
  *chunk = (sdb_chunk){.data = chunk->bytes, .capacity = capacity};
  if (output->last)
    output->last->next = chunk;
  else
    output->first = chunk;
  output->last = chunk;
  return chunk;
}

char *sdb_output_reserve(sdb_output *output, const sdb_mem *mem, size_t size) {
  sdb_chunk *chunk = output->last;
  if (!chunk || size > chunk->capacity - chunk->size || chunk->capacity == 0) {
    size_t room = (chunk ? CHUNK_NEXT : CHUNK_FIRST) - sizeof(*chunk);
    chunk = add_chunk(output, mem, size > room ? size : room);
  }
  if (!chunk) return NULL;
  char *to = chunk->bytes + chunk->size;
  chunk->size += size;
  output->bytes += size;
  return to;
}

bool sdb_output_copy(sdb_output *output, const sdb_mem *mem, const void *data, size_t size) {
  if (size == 0) return true;
  char *to = sdb_output_reserve(output, mem, size);
  if (to) memcpy(to, data, size);
  return to != NULL;
}

bool sdb_output_hold(sdb_output *output, const sdb_mem *mem, const char *data, size_t size,
    void *owner, void (*release)(void *owner)) {
  SDB_ASSERT(size > 0);
  sdb_chunk *chunk = add_chunk(output, mem, 0);
  if (!chunk) return false;
  chunk->data = data;
  chunk->size = size;
  chunk->owner = owner;
  chunk->release = release;
  output->bytes += size;
  return true;
}

int sdb_output_pieces(const sdb_output *output, struct iovec *pieces, int max) {
  int count = 0;
  size_t skip = output->sent;
  for (sdb_chunk *chunk = output->first; chunk && count < max; chunk = chunk->next) {
    /* An iovec is for reading here, but its type does not say so. */
    pieces[count].iov_base = (void *)(uintptr_t)(chunk->data + skip);
    pieces[count++].iov_len = chunk->size - skip;
    skip = 0;
  }
  return count;
}

void sdb_output_sent(sdb_output *output, const sdb_mem *mem, size_t size) {
  SDB_ASSERT(size <= output->bytes);
  output->bytes -= size;
  while (size > 0) {
    size_t left = output->first->size - output->sent;
    if (size < left) {
      output->sent += size;
      return;
    }
    size -= left;
    free_first(output, mem);
  }
}
