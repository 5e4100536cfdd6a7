/* sim/failure.h: how a run of the simulation fails, and what it tells while it runs.
 *
 * A check that fails ends the process: worlds run in processes of their own, so that a failure of
 * any kind, an assertion of the library among them, can be repeated and shrunk. What is known of it
 * stands in memory that the parent shares.
 */
#ifndef SIM_FAILURE_H
#define SIM_FAILURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/status.h>

#define SIM_FAILED 3 /* the exit code */

typedef struct sim_report {
  uint64_t seed;
  uint64_t at_ms;     /* of the world's time */
  char kind[48];      /* of the check that failed; "" while all is well */
  char message[1024]; /* what was seen */
} sim_report;

/* Where failures of this process are told. Until it is set they go to the standard error, and end
 * the process with 1. */
void sim_report_to(sim_report *report);
sim_report *sim_report_here(void);

/* `kind` names the promise that was broken, in a few words that stay the same from run to run. */
_Noreturn void sim_fail(const char *kind, const char *format, ...) SDB_PRINTF(2, 3);

#define SIM_CHECK(condition, kind, ...)                                                            \
  do {                                                                                             \
    if (!(condition)) sim_fail(kind, __VA_ARGS__);                                                 \
  } while (0)

/* Without memory there is nothing to simulate: ends the process. Never NULL. */
void *sim_alloc(size_t size); /* zeroed */
void *sim_grow(void *pointer, size_t count, size_t *capacity, size_t size);

/* ---- the trace: what happens, a line each; silent unless it is on ---- */

extern bool sim_trace_on;
void sim_trace_line(uint64_t at_ms, const char *who, const char *format, ...) SDB_PRINTF(3, 4);

#define SIM_TRACE(at_ms, who, ...)                                                                 \
  do {                                                                                             \
    if (sim_trace_on) sim_trace_line(at_ms, who, __VA_ARGS__);                                     \
  } while (0)

#endif
