/* sim/random.h: chance, drawn from a seed: splitmix64. Each part of a world has a stream of its
 * own, so that what one of them draws does not change what another does.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sim_random {
  uint64_t state;
} sim_random;

static inline uint64_t sim_random_next(sim_random *random) {
  uint64_t z = random->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* The stream `number` of a seed. */
static inline sim_random sim_random_of(uint64_t seed, uint64_t number) {
  sim_random random = {seed * 0xD1342543DE82EF95u + number * 0xA24BAED4963EE407u + 1};
  sim_random_next(&random);
  return random;
}

/* From 0 to below `bound`, which is not 0. */
static inline uint32_t sim_below(sim_random *random, uint32_t bound) {
  return (uint32_t)(((sim_random_next(random) >> 32) * bound) >> 32);
}

static inline uint64_t sim_between(sim_random *random, uint64_t low, uint64_t high) {
  return low + sim_random_next(random) % (high - low + 1);
}

/* True in `permille` of a thousand. */
static inline bool sim_chance(sim_random *random, uint32_t permille) {
  return sim_below(random, 1000) < permille;
}

/* Mostly short, now and then long: each magnitude up to `high` is as likely as another. */
static inline uint64_t sim_wait(sim_random *random, uint64_t high) {
  uint64_t bound = high;
  while (bound > 1 && sim_chance(random, 500))
    bound /= 4;
  return sim_between(random, 0, bound);
}

#endif
