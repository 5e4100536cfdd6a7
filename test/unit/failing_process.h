/* test/unit/failing_process.h: memory that fails for SQLite and for the storages over it alike: the
 * allocations of both are one count.
 *
 * Storages have threads. Those of one kind fail at a time, so that the count is the same each time
 * where a test does one thing after the other. A thread is a FAILING_CALLER until it says
 * otherwise.
 */
#ifndef SDB_TEST_FAILING_PROCESS_H
#define SDB_TEST_FAILING_PROCESS_H

#include "failing_memory.h"

typedef enum failing_thread {
  FAILING_CALLER,
  FAILING_WRITER,
  FAILING_READER,
  FAILING_INDEXER,
  FAILING_CHECKPOINTER
} failing_thread;

/* Becomes SQLite's allocator, and does without its pools, which would hide most allocations. Once,
 * before SQLite is used. */
void failing_process_install(void);

/* The same memory for everything else. Any thread. */
const sdb_mem *failing_process_mem(void);

/* What the calling thread is. */
void failing_process_set_thread(failing_thread self);

/* From here on allocations of these threads fail as planned. */
void failing_process_arm(failing_thread on, failing_plan plan);

/* How many have failed since then. Any thread. */
size_t failing_process_failed(void);

/* From here on none fails. Gives how many did. */
size_t failing_process_stop(void);

/* Allocations that were not freed yet, SQLite's among them. */
size_t failing_process_live(void);

/* Stops, and counts what failed for failing_memory_report. Gives whether any did. */
static inline bool failing_process_disarm(void) {
  size_t failed = failing_process_stop();
  failing_memory_counts()->failed += failed;
  return failed > 0;
}

#endif
