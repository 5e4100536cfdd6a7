/* hub/limits.h: every maximum of the server side, in one place. */
#ifndef SDB_HUB_LIMITS_H
#define SDB_HUB_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define SDB_STORES_MAX 256
#define SDB_USER_NAME_MAX 255       /* bytes */
#define SDB_STORE_NAME_MAX 64       /* bytes */
#define SDB_MISSING_RANGES_MAX 1024 /* in one hello, over all stores */
#define SDB_LIST_LIMIT_MAX 1000     /* objects in one list or fetch */
/* What one read of the owner (256 KiB) can bring after it was told to stop, in the shortest
 * pushes. */
#define SDB_IN_FLIGHT_OVERSHOOT 8192
/* Pushes that wait for a verdict of the application, or behind one, over all connections. */
#define SDB_TRIALS_MAX 262144
#define SDB_TRIALS_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define SDB_PAGE_EVENTS_MAX 512 /* events in one page of catch-up */
#define SDB_PAGE_BYTES_MAX (64 * 1024)

/* What an operator may set; sdb_limits_default gives the defaults. */
typedef struct sdb_limits {
  uint32_t message_bytes_max;    /* 1 MiB: a frame over it closes 1009 */
  uint32_t object_bytes_max;     /* 256 KiB: `too_large` */
  uint32_t depth_max;            /* 32: arrays and objects within one another */
  uint32_t pushes_per_second;    /* 0: no limit; over it `rate_limited`, long over it 4429 */
  uint32_t connections_per_user; /* 64: over it 1013 */
  uint32_t partials_per_user;    /* 256 */
  uint32_t hello_timeout_ms;     /* 5000: 4408 */
  uint32_t output_soft_bytes;    /* 256 KiB: catch-up pauses, partials fold */
  uint32_t output_hard_bytes;    /* 4 MiB: net closes 1013 */
  uint32_t in_flight_max;    /* 1024 pushes of a connection at the storage: it is read no further;
                                    SDB_IN_FLIGHT_OVERSHOOT more, already read: `rate_limited` */
  uint32_t judge_timeout_ms; /* 10,000: a push without a verdict gets `unavailable` */
} sdb_limits;

static inline sdb_limits sdb_limits_default(void) {
  sdb_limits limits = {
      1024 * 1024, 256 * 1024, 32, 0, 64, 256, 5000, 256 * 1024, 4 * 1024 * 1024, 1024, 10000};
  return limits;
}

_Static_assert(SDB_PAGE_BYTES_MAX <= 256 * 1024, "a page fits under the default soft limit");

#endif
