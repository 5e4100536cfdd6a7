/* sim/run.h: worlds in processes of their own: many side by side, or one again and again to shrink
 * what fails in it.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim/failure.h"
#include "sim/world.h"

#define SIM_JOBS_MAX 64

typedef struct sim_run_options {
  uint64_t first, last; /* seeds, both included */
  uint64_t sessions;    /* enough when so many were lived; 0: no matter */
  uint32_t seconds;     /* of this machine's clock; 0: no matter */
  uint32_t jobs;        /* processes */
  sim_storages storages;
} sim_run_options;

/* Lives the seeds, until one fails. True: none did. `*report` tells what failed. */
bool sim_run_seeds(const sim_run_options *options, sim_stats *stats, sim_report *report);

/* Lives one seed in a process of its own, at most `seconds` long. True: nothing failed. */
bool sim_run_one(uint64_t seed, sim_storages storages, const sim_mask *mask, bool trace,
    uint32_t seconds, sim_report *report);

/* Leaves out actions of a seed that fails for as long as it fails in the same way. Gives how many
 * are left. */
size_t sim_shrink(
    uint64_t seed, sim_storages storages, const char *kind, uint32_t seconds, sim_mask *mask);

#endif
