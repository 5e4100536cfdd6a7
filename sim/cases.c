/* sim/cases.c: see cases.h. Each finds its defect again when the mend is taken out (or planted:
 * sim/faults). A seed means what the plan makes of it, so where plan.c changes they are looked for
 * anew; what is to stay a test for ever is the unit test beside the mend (docs/reliability.md).
 * One has none today: a singular store that showed nothing after a late answer, which its mend's
 * absence did not show in 820,000 sessions.
 */
#include "sim/cases.h"
#include <stddef.h>

const sim_case SIM_CASES[] = {
    {"a commit failed, one behind it succeeded and moved the head", SIM_ALL_MEMORY, 67},
    {"a sync was due again and again while one was under way", SIM_ALL_MEMORY, 1},
    {"a backlog and a rate limit: the same again after each 4429", SIM_ALL_MEMORY, 460},
    {"a restored server wrote past the heads of its devices", SIM_ALL_MEMORY, 22},
    {"a commit whose sync failed was there again after a crash", SIM_ALL_SQLITE, 1},
    {"what a killed process left was served before it was synced", SIM_ALL_SQLITE, 54},
    {NULL, SIM_MIXED, 0},
};
