/* sim/pipe.h: one direction of a connection: bytes on their way, each piece with the moment at
 * which it is there. Pieces keep their order; how they are split on arrival is the reader's dice.
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include "sim/random.h"
#include <stddef.h>

#define SIM_NEVER UINT64_MAX

typedef struct sim_piece sim_piece;

typedef struct sim_pipe {
  sim_piece *first, **last;
  size_t bytes;      /* on their way */
  uint64_t ready_ms; /* the newest piece's moment: none overtakes it */
  bool cut;          /* nothing more goes in */
  uint64_t end_ms;   /* when the reader learns that it has ended; SIM_NEVER: it goes on */
} sim_pipe;

void sim_pipe_init(sim_pipe *pipe);
void sim_pipe_free(sim_pipe *pipe);

/* Sends two slices as one piece, which is there at `at_ms` or with the one before it. */
void sim_pipe_send(sim_pipe *pipe, const void *head, size_t head_size, const void *body,
    size_t body_size, uint64_t at_ms);
/* When there is something to take: bytes or the end; SIM_NEVER: nothing is on its way. */
uint64_t sim_pipe_due_ms(const sim_pipe *pipe);
/* Takes at most `size_max` of the bytes that are there, into memory that is valid until the next
 * call with this pipe. Gives how many; 0: none is there. */
size_t sim_pipe_take(sim_pipe *pipe, size_t size_max, uint64_t now_ms, char **bytes);
/* Whether the end is there, and no bytes before it. */
bool sim_pipe_has_ended(const sim_pipe *pipe, uint64_t now_ms);
/* Ends it in order, behind what is on its way. */
void sim_pipe_end(sim_pipe *pipe, uint64_t at_ms);
/* Cuts it: of what is on its way the first `kept` bytes arrive. */
void sim_pipe_cut(sim_pipe *pipe, size_t kept, uint64_t end_ms);
/* Nothing arrives before `until_ms`. */
void sim_pipe_stall(sim_pipe *pipe, uint64_t until_ms);

#endif
