/* sim/streams.c: see streams.h. */
#include "sim/streams.h"
#include "sim/failure.h"
#include "sim/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sim_stream *sim_stream_begin(sim_streams *streams, uint16_t user) {
  streams->items =
      sim_grow(streams->items, streams->count, &streams->capacity, sizeof(*streams->items));
  sim_stream *stream = &streams->items[streams->count++];
  *stream = (sim_stream){.handle = streams->count, .user = user, .open = true};
  stream->size =
      (size_t)snprintf(stream->text, sizeof(stream->text), "u%u.s%zu:", user, streams->count - 1);
  return stream;
}

sdb_slice sim_stream_grow(sim_stream *stream, sim_random *random) {
  char *at = stream->text + stream->size;
  size_t room = sizeof(stream->text) - stream->size;
  if (room < 16) return sdb_slice_make(NULL, 0);
  int size = snprintf(at, room, "w%u ", sim_below(random, 1000));
  stream->size += (size_t)size;
  return sdb_slice_make(at, (size_t)size);
}

const sim_stream *sim_stream_of(const sim_streams *streams, sdb_slice text) {
  uint64_t number = sim_text_number(text, ".s");
  bool named = sim_text_has(text, ".s") && number < streams->count;
  SIM_CHECK(named, "a partial is of a stream", "%.*s", (int)text.size, text.data);
  return &streams->items[number];
}

void sim_streams_free(sim_streams *streams) {
  free(streams->items);
}
