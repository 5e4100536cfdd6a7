/* sim/streams.h: the answers that the application streams as partials: how each reads so far.
 *
 * A stream's text begins with its name, "u0.s3:", so that a message tells which one it is of.
 */
#ifndef SIM_STREAMS_H
#define SIM_STREAMS_H

#include "sim/random.h"
#include <syncdb/slice.h>

#define SIM_STREAM_TEXT_MAX 256

typedef struct sim_stream {
  uint64_t handle;
  uint16_t user;
  bool open;        /* it was begun, and neither ended nor did the server die */
  uint64_t next_ms; /* its next word */
  uint32_t words_left;
  size_t size;
  char text[SIM_STREAM_TEXT_MAX];
} sim_stream;

typedef struct sim_streams {
  sim_stream *items;
  size_t count, capacity;
} sim_streams;

sim_stream *sim_stream_begin(sim_streams *streams, uint16_t user);
/* Adds a word, of which the text is returned; empty: there is no more room. */
sdb_slice sim_stream_grow(sim_stream *stream, sim_random *random);
/* The stream that a text of a partial is of; fails the run where there is none. */
const sim_stream *sim_stream_of(const sim_streams *streams, sdb_slice text);
void sim_streams_free(sim_streams *streams);

#endif
