/* sim/pipe.c: see pipe.h. */
#include "sim/pipe.h"
#include "sim/failure.h"
#include <stdlib.h>
#include <string.h>

struct sim_piece {
  sim_piece *next;
  uint64_t at_ms;
  size_t begin, end;
  char bytes[];
};

void sim_pipe_init(sim_pipe *pipe) {
  *pipe = (sim_pipe){.end_ms = SIM_NEVER};
  pipe->last = &pipe->first;
}

static void drop_first(sim_pipe *pipe) {
  sim_piece *piece = pipe->first;
  pipe->first = piece->next;
  if (!pipe->first) pipe->last = &pipe->first;
  pipe->bytes -= piece->end - piece->begin;
  free(piece);
}

void sim_pipe_free(sim_pipe *pipe) {
  while (pipe->first)
    drop_first(pipe);
}

void sim_pipe_send(sim_pipe *pipe, const void *head, size_t head_size, const void *body,
    size_t body_size, uint64_t at_ms) {
  if (pipe->cut) return;
  sim_piece *piece = malloc(sizeof(*piece) + head_size + body_size);
  if (!piece) sim_fail("no memory", "%zu bytes on their way", head_size + body_size);
  if (at_ms > pipe->ready_ms) pipe->ready_ms = at_ms;
  *piece = (sim_piece){NULL, pipe->ready_ms, 0, head_size + body_size};
  memcpy(piece->bytes, head, head_size);
  if (body_size > 0) memcpy(piece->bytes + head_size, body, body_size);
  *pipe->last = piece;
  pipe->last = &piece->next;
  pipe->bytes += piece->end;
}

uint64_t sim_pipe_due_ms(const sim_pipe *pipe) {
  for (const sim_piece *piece = pipe->first; piece; piece = piece->next) {
    if (piece->begin < piece->end) return piece->at_ms;
  }
  return pipe->end_ms;
}

size_t sim_pipe_take(sim_pipe *pipe, size_t size_max, uint64_t now_ms, char **bytes) {
  while (pipe->first && pipe->first->begin == pipe->first->end)
    drop_first(pipe);
  sim_piece *piece = pipe->first;
  if (!piece || piece->at_ms > now_ms) return 0;
  size_t left = piece->end - piece->begin;
  size_t size = left < size_max ? left : size_max;
  *bytes = piece->bytes + piece->begin;
  piece->begin += size;
  pipe->bytes -= size;
  return size;
}

bool sim_pipe_has_ended(const sim_pipe *pipe, uint64_t now_ms) {
  return pipe->bytes == 0 && pipe->end_ms <= now_ms;
}

void sim_pipe_end(sim_pipe *pipe, uint64_t at_ms) {
  if (pipe->cut) return;
  pipe->cut = true;
  pipe->end_ms = at_ms > pipe->ready_ms ? at_ms : pipe->ready_ms;
}

void sim_pipe_cut(sim_pipe *pipe, size_t kept, uint64_t end_ms) {
  sim_piece **at = &pipe->first;
  pipe->bytes = 0;
  while (*at) {
    sim_piece *piece = *at;
    size_t size = piece->end - piece->begin;
    if (size > kept) piece->end = piece->begin + kept;
    kept -= piece->end - piece->begin;
    pipe->bytes += piece->end - piece->begin;
    at = &piece->next;
  }
  pipe->cut = true;
  if (end_ms < pipe->end_ms) pipe->end_ms = end_ms;
}

void sim_pipe_stall(sim_pipe *pipe, uint64_t until_ms) {
  for (sim_piece *piece = pipe->first; piece; piece = piece->next) {
    if (piece->at_ms < until_ms) piece->at_ms = until_ms;
  }
  if (until_ms > pipe->ready_ms) pipe->ready_ms = until_ms;
  if (pipe->end_ms != SIM_NEVER && pipe->end_ms < until_ms) pipe->end_ms = until_ms;
}
