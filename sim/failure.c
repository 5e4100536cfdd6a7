/* sim/failure.c: see failure.h. */
#include "sim/failure.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool sim_trace_on;
static sim_report nobody;
static sim_report *report = &nobody;

void sim_report_to(sim_report *to) {
  report = to;
}

sim_report *sim_report_here(void) {
  return report;
}

void sim_fail(const char *kind, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(report->message, sizeof(report->message), format, arguments);
  va_end(arguments);
  snprintf(report->kind, sizeof(report->kind), "%s", kind);
  fflush(stdout);
  if (report == &nobody)
    fprintf(stderr, "FAILED: seed %llu at %llu ms: %s: %s\n", (unsigned long long)report->seed,
        (unsigned long long)report->at_ms, report->kind, report->message);
  _exit(report == &nobody ? 1 : SIM_FAILED);
}

void *sim_alloc(size_t size) {
  void *made = calloc(1, size);
  if (!made) sim_fail("no memory", "%zu bytes for the simulation itself", size);
  return made;
}

void *sim_grow(void *pointer, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return pointer;
  *capacity = *capacity ? *capacity * 2 : 16;
  void *grown = realloc(pointer, *capacity * size);
  if (!grown) sim_fail("no memory", "%zu bytes for the simulation itself", *capacity * size);
  return grown;
}

void sim_trace_line(uint64_t at_ms, const char *who, const char *format, ...) {
  va_list arguments;
  printf("%9llu.%03u  %-10s ", (unsigned long long)(at_ms / 1000), (unsigned)(at_ms % 1000), who);
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
}
