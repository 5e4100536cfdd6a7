/* base/base.h: assertions and the few words that every floor uses.
 *
 * Assertions state what the code itself guarantees; they stay in release
 * builds. What a peer sends is validated, never asserted. tools/coverage does not
 * count their branches: the false one is what no test can reach, and a test that
 * could would have found a defect.
 */
#ifndef SDB_BASE_BASE_H
#define SDB_BASE_BASE_H

#define SDB_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#define SDB_UNREACHABLE() __builtin_trap()
#define SDB_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SDB_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SDB_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
/* Instead of `inline`, for what is small and everywhere: a call where size goes before speed. */
#if defined(__OPTIMIZE_SIZE__)
#define SDB_SMALL __attribute__((noinline, unused))
#else
#define SDB_SMALL inline
#endif
#define SDB_CONTAINER_OF(pointer, type, member)                                                    \
  ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
