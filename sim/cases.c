/* sim/cases.c: see cases.h. A seed means what the plan makes of it: where plan.c changes, it is a
 * seed like any other. What is to stay a test for ever is a unit test, which each line names.
 */
#include "sim/cases.h"
#include <stddef.h>

const sim_case SIM_CASES[] = {
    /* replica_sync_test: a commit behind one that failed is not carried out */
    {"a commit failed, and one behind it moved the head", SIM_ALL_MEMORY, 238},
    /* replica_push_test: a sync that is under way is not due again */
    {"a sync was due again and again while one was under way", SIM_ALL_MEMORY, 1},
    {NULL, SIM_MIXED, 0},
};
