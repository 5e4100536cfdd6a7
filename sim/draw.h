/* sim/draw.h: numbers that are drawn from a seed: the same seed, the same numbers (splitmix64). */
#ifndef SIM_DRAW_H
#define SIM_DRAW_H

#include <stdint.h>

static inline uint64_t sim_draw(uint64_t *state) {
  uint64_t mixed = *state += 0x9E3779B97F4A7C15;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

/* One of `count`, which is not 0. */
static inline uint64_t sim_draw_below(uint64_t *state, uint64_t count) {
  return sim_draw(state) % count;
}

#endif
