/* failing_memory.h: an sdb_mem that counts what it gave, and fails where a test asks it to; and the
 * loop over all failures, which every test of an empty memory runs through.
 *
 * What is tested is run again and again: with its first allocation failing (it alone, it and the
 * next, or it and all behind it), then with its second... until a run asks for no more than it
 * gets.
 */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <syncdb/memory.h>

typedef struct failing_memory {
  sdb_mem mem;
  size_t live;       /* allocations that were not freed yet */
  size_t calls;      /* that asked for memory */
  size_t fail_at;    /* the call that fails, and all after it; the first is 1; 0: none fails */
  size_t fail_count; /* how many calls fail from fail_at on; 0: all */
  bool failed;       /* one did, since it was armed */
} failing_memory;

/* Of the whole program, for failing_memory_report. */
typedef struct failing_counts {
  size_t runs, failed;
} failing_counts;

static inline failing_counts *failing_memory_counts(void) {
  static failing_counts counts;
  return &counts;
}

static inline void *failing_memory_resize(void *context, void *pointer, size_t size) {
  failing_memory *memory = context;
  if (size == 0) {
    memory->live -= pointer != NULL;
    free(pointer);
    return NULL;
  }
  memory->calls++;
  bool failing = memory->fail_at && memory->calls >= memory->fail_at;
  if (failing && (!memory->fail_count || memory->calls - memory->fail_at < memory->fail_count)) {
    failing_memory_counts()->failed++;
    memory->failed = true;
    return NULL;
  }
  void *resized = realloc(pointer, size);
  if (!resized) abort();
  memory->live += pointer == NULL;
  return resized;
}

/* `memory` must stay where it is while it is used. */
static inline void failing_memory_init(failing_memory *memory, size_t fail_at) {
  *memory = (failing_memory){.mem = {memory, failing_memory_resize}, .fail_at = fail_at};
}

/* ---- the loop ---- */

/* What fails in one run: the allocation `at` (the first is 1) and those behind it, `count` in all;
 * 0: all behind it. */
typedef struct failing_plan {
  size_t at, count;
} failing_plan;

/* Carries out what is tested, under the plan. Gives whether an allocation failed. */
typedef bool (*failing_run)(const void *context, failing_plan plan);

#define FAILING_AT_MAX 20000 /* what asks for more than that asks without end */

/* Each `step`th allocation; they are other ones for each count. */
static inline void with_allocations_failing(failing_run run, const void *context, size_t step) {
  for (size_t count = 0; count <= 2; count++) {
    for (size_t at = 1 + count % step; run(context, (failing_plan){at, count}); at += step) {
      failing_memory_counts()->runs++;
      if (at >= FAILING_AT_MAX) abort();
    }
  }
}

static inline void with_each_allocation_failing(failing_run run, const void *context) {
  with_allocations_failing(run, context, 1);
}

/* The same for what is slow or asks for memory thousands of times: each `step`th with a sanitizer,
 * which makes it slower still, and a third of that without. The environment's FAILING_STEP goes
 * before; 1: all. */
static inline void with_some_allocations_failing(
    failing_run run, const void *context, size_t step) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  step = step < 6 ? 1 : step / 3;
#endif
  const char *wanted = getenv("FAILING_STEP");
  int given = wanted ? atoi(wanted) : 0;
  with_allocations_failing(run, context, given > 0 ? (size_t)given : step);
}

/* From here on allocations fail as planned. */
static inline void failing_memory_arm(failing_memory *memory, failing_plan plan) {
  memory->fail_at = memory->calls + plan.at;
  memory->fail_count = plan.count;
  memory->failed = false;
}

/* From here on none fails. Gives whether one did. */
static inline bool failing_memory_disarm(failing_memory *memory) {
  memory->fail_at = 0;
  return memory->failed;
}

/* Says what the program did, for docs/reliability.md. */
static inline void failing_memory_report(void) {
  printf("%zu runs without memory, %zu allocations failed\n", failing_memory_counts()->runs,
      failing_memory_counts()->failed);
}

#endif
