/* platform/platform.h: what the pure floors are given on a real machine. */
#ifndef SDB_PLATFORM_PLATFORM_H
#define SDB_PLATFORM_PLATFORM_H

#include "store/store.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/memory.h>

/* malloc and free. Static, any thread. */
const sdb_mem *sdb_platform_mem(void);

/* PCRE2 with UTF and match, depth and heap limits. Static, any thread. */
const sdb_pattern_port *sdb_platform_patterns(void);

/* The wall clock, in milliseconds since the epoch. */
uint64_t sdb_platform_now_ms(void);

/* A clock that never steps back, in microseconds from an unknown start: for durations. */
uint64_t sdb_platform_monotonic_us(void);

/* Fills `to` from the kernel's generator. False: it failed, use nothing of it. */
bool sdb_platform_random(void *to, size_t size);

#endif
