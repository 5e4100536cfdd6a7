/* sim/cases.h: seeds that found a defect once, each with the name of what it found. */
#ifndef SIM_CASES_H
#define SIM_CASES_H

#include "sim/plan.h"

typedef struct sim_case {
  const char *name;
  sim_storages storages;
  uint64_t seed;
} sim_case;

/* Ends with a NULL name. */
extern const sim_case SIM_CASES[];

#endif
