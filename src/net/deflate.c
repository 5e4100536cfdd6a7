/* net/deflate.c: see deflate.h. A message on the wire is a raw deflate stream that was flushed
 * to a byte boundary (Z_SYNC_FLUSH), without the four bytes 00 00 ff ff that such a flush ends
 * with. */
#include "net/deflate.h"
#include "base/buffer.h"
#include "ws/frame.h"
#include <zlib.h>

#define TAIL "\x00\x00\xff\xff"
#define TAIL_SIZE 4
#define WINDOW_BITS_MIN 9
#define WINDOW_BITS_MAX 15
#define LEVEL 1
#define MEMORY_LEVEL 6 /* a reset clears a hash table of 2^(level + 7) entries, for each message */
#define KEEP_MAX (256 * 1024) /* bytes of a buffer that stay for the next message */
#define INFLATE_STEP 4096
#define BLOCK_BOUNDARY 128 /* in data_type: inflate stopped between two blocks */

struct sdb_deflate {
  const sdb_mem *mem;
  z_stream *inflater;
  z_stream *deflaters[WINDOW_BITS_MAX + 1]; /* by window bits */
  sdb_buffer inflated, packed;
  sdb_buffer last;    /* a copy of the frames that `packed` was made of */
  unsigned last_bits; /* the window; 0: of nothing */
};

static void *z_alloc(void *context, unsigned count, unsigned size) {
  return sdb_mem_alloc(context, sdb_mem_product(count, size));
}

static void z_free(void *context, void *pointer) {
  sdb_mem_free(context, pointer);
}

sdb_deflate *sdb_deflate_create(const sdb_mem *mem, size_t message_bytes_max) {
  sdb_deflate *made = sdb_mem_zero(mem, sizeof(*made));
  if (!made) return NULL;
  made->mem = mem;
  sdb_buffer_init(&made->inflated, mem, message_bytes_max);
  sdb_buffer_init(&made->packed, mem, SIZE_MAX / 2);
  sdb_buffer_init(&made->last, mem, SIZE_MAX / 2);
  return made;
}

void sdb_deflate_destroy(sdb_deflate *deflate) {
  if (!deflate) return;
  if (deflate->inflater) inflateEnd(deflate->inflater);
  sdb_mem_free(deflate->mem, deflate->inflater);
  for (size_t i = 0; i <= WINDOW_BITS_MAX; i++) {
    if (deflate->deflaters[i]) deflateEnd(deflate->deflaters[i]);
    sdb_mem_free(deflate->mem, deflate->deflaters[i]);
  }
  sdb_buffer_free(&deflate->inflated);
  sdb_buffer_free(&deflate->packed);
  sdb_buffer_free(&deflate->last);
  sdb_mem_free(deflate->mem, deflate);
}

static z_stream *new_stream(const sdb_mem *mem) {
  z_stream *stream = sdb_mem_zero(mem, sizeof(*stream));
  if (!stream) return NULL;
  stream->zalloc = z_alloc;
  stream->zfree = z_free;
  stream->opaque = (void *)(uintptr_t)mem;
  return stream;
}

static void empty(sdb_buffer *buffer) {
  if (buffer->capacity > KEEP_MAX)
    sdb_buffer_free(buffer);
  else
    sdb_buffer_reset(buffer);
}

/* ---- receiving ---- */

static z_stream *get_inflater(sdb_deflate *deflate) {
  if (deflate->inflater) {
    inflateReset(deflate->inflater);
    return deflate->inflater;
  }
  z_stream *stream = new_stream(deflate->mem);
  if (stream && inflateInit2(stream, -WINDOW_BITS_MAX) != Z_OK) {
    sdb_mem_free(deflate->mem, stream);
    stream = NULL;
  }
  deflate->inflater = stream;
  return stream;
}

/* Inflates `in` to the end of the buffer. */
static sdb_status inflate_part(z_stream *stream, const char *in, size_t size, sdb_buffer *out) {
  stream->next_in = (Bytef *)(uintptr_t)in;
  stream->avail_in = (uInt)size;
  for (;;) {
    size_t room = out->size_max - out->size;
    char spare[1]; /* at the maximum there must be nothing left to come out */
    if (room > INFLATE_STEP) room = INFLATE_STEP;
    char *to = room > 0 ? sdb_buffer_reserve(out, room) : spare;
    if (!to) return SDB_NO_MEMORY;
    stream->next_out = (Bytef *)to;
    stream->avail_out = room > 0 ? (uInt)room : 1;
    int result = inflate(stream, Z_SYNC_FLUSH);
    size_t got = (room > 0 ? room : 1) - stream->avail_out;
    if (got > room) return SDB_TOO_LARGE;
    if (room > 0) sdb_buffer_commit(out, got);
    /* A stream may end within a message; what follows is a new one (section 7.2.3.4). */
    if (result == Z_STREAM_END)
      result = inflateReset(stream);
    else if (result == Z_BUF_ERROR)
      result = Z_OK;
    if (result != Z_OK) return result == Z_MEM_ERROR ? SDB_NO_MEMORY : SDB_BAD_MESSAGE;
    if (stream->avail_in == 0 && stream->avail_out > 0) return SDB_OK;
  }
}

sdb_status sdb_deflate_inflate(sdb_deflate *deflate, sdb_slice message, char **data, size_t *size) {
  sdb_buffer *out = &deflate->inflated;
  z_stream *stream = get_inflater(deflate);
  if (!stream) return SDB_NO_MEMORY;
  empty(out);
  if (message.size > 0) {
    sdb_status status = inflate_part(stream, message.data, message.size, out);
    if (status == SDB_OK) status = inflate_part(stream, TAIL, TAIL_SIZE, out);
    if (status != SDB_OK) return status;
    if (!(stream->data_type & BLOCK_BOUNDARY)) return SDB_BAD_MESSAGE;
  }
  if (!out->data && !sdb_buffer_reserve(out, 1)) return SDB_NO_MEMORY;
  *data = out->data;
  *size = out->size;
  return SDB_OK;
}

/* ---- sending ---- */

static z_stream *get_deflater(sdb_deflate *deflate, unsigned bits) {
  SDB_ASSERT(bits >= WINDOW_BITS_MIN && bits <= WINDOW_BITS_MAX);
  if (deflate->deflaters[bits]) return deflate->deflaters[bits];
  z_stream *stream = new_stream(deflate->mem);
  if (stream && deflateInit2(stream, LEVEL, Z_DEFLATED, -(int)bits, MEMORY_LEVEL,
                    Z_DEFAULT_STRATEGY) != Z_OK) {
    sdb_mem_free(deflate->mem, stream);
    stream = NULL;
  }
  deflate->deflaters[bits] = stream;
  return stream;
}

/* Compresses to `to`. The size, or 0 where it does not fit in `room`. */
static size_t deflate_payload(z_stream *stream, sdb_slice payload, char *to, size_t room) {
  deflateReset(stream);
  stream->next_in = (Bytef *)(uintptr_t)payload.data;
  stream->avail_in = (uInt)payload.size;
  stream->next_out = (Bytef *)to;
  stream->avail_out = (uInt)room;
  if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_out == 0) return 0;
  size_t size = room - stream->avail_out;
  SDB_ASSERT(stream->avail_in == 0 && size > TAIL_SIZE);
  return size - TAIL_SIZE;
}

static void pack_frame(z_stream *stream, sdb_slice payload, sdb_buffer *out) {
  unsigned char header[SDB_WS_FRAME_HEADER_MAX];
  if (payload.size >= SDB_DEFLATE_SIZE_MIN && payload.size <= UINT32_MAX / 2) {
    char *to = sdb_buffer_reserve(out, SDB_WS_FRAME_HEADER_MAX + payload.size);
    if (!to) return;
    size_t size = deflate_payload(stream, payload, to + SDB_WS_FRAME_HEADER_MAX, payload.size);
    if (size > 0) {
      size_t header_size = sdb_ws_frame_header_of(SDB_WS_TEXT, true, size, header);
      memcpy(to, header, header_size);
      memmove(to + header_size, to + SDB_WS_FRAME_HEADER_MAX, size);
      sdb_buffer_commit(out, header_size + size);
      return;
    }
  }
  sdb_buffer_append(out, header, sdb_ws_frame_header(payload.size, header));
  sdb_buffer_append_slice(out, payload);
}

sdb_status sdb_deflate_run(
    sdb_deflate *deflate, unsigned window_bits, sdb_slice frames, sdb_slice *packed) {
  sdb_buffer *last = &deflate->last, *out = &deflate->packed;
  if (deflate->last_bits != window_bits || !sdb_slice_equal(sdb_buffer_slice(last), frames)) {
    z_stream *stream = get_deflater(deflate, window_bits);
    sdb_slice rest = frames, payload;
    deflate->last_bits = 0;
    empty(last);
    empty(out);
    if (!stream) return SDB_NO_MEMORY;
    while (sdb_ws_next_frame(&rest, &payload))
      pack_frame(stream, payload, out);
    sdb_buffer_append_slice(last, frames);
    if (out->status != SDB_OK || last->status != SDB_OK) return SDB_NO_MEMORY;
    deflate->last_bits = window_bits;
  }
  *packed = sdb_buffer_slice(out);
  return SDB_OK;
}
