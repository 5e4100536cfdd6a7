/* replica/limits.h: every maximum and every time of the device's side, in one place. */
#ifndef SDB_REPLICA_LIMITS_H
#define SDB_REPLICA_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define SDB_REPLICA_STORES_MAX 256
#define SDB_REPLICA_RANGES_MAX 1024 /* missing ranges in one hello, over all stores: the server's */
#define SDB_REPLICA_LIST_LIMIT_MAX 1000 /* objects in one list or fetch */
#define SDB_REPLICA_TOKEN_SIZE_MAX (16 * 1024)
#define SDB_REPLICA_PARTIALS_MAX 1024                     /* held at once */
#define SDB_REPLICA_PARTIAL_BYTES_MAX (1024 * 1024)       /* of one */
#define SDB_REPLICA_PARTIALS_BYTES_MAX (16 * 1024 * 1024) /* of all */
#define SDB_REPLICA_PENDING_BYTES_MAX (64 * 1024 * 1024)  /* of all unsynced pushes */
#define SDB_REPLICA_BATCH_BYTES_MAX (1024 * 1024)         /* events that one commit holds, about */
#define SDB_REPLICA_BATCH_CHANGES_MAX 4096
#define SDB_REPLICA_JSON_BYTES_KEPT (256 * 1024) /* of the tokens of a message, for the next */
#define SDB_REPLICA_CREATED_MAX 256 /* creates that may still be named by their client id */

/* Pushes of a connection that the server has not answered: the rest waits for those. Few until it
 * has said something, for it keeps them until it answered the hello. */
#define SDB_REPLICA_IN_FLIGHT_MAX 256
#define SDB_REPLICA_IN_FLIGHT_BYTES_MAX (1024 * 1024)
#define SDB_REPLICA_IN_FLIGHT_UNANSWERED_MAX 16

/* Milliseconds. Reconnecting: protocol.md section 1. */
#define SDB_REPLICA_BACKOFF_FIRST_MS 500
#define SDB_REPLICA_BACKOFF_MAX_MS 30000
#define SDB_REPLICA_RETRY_AFTER_MAX_MS (10 * 60 * 1000) /* that a server may ask for */
#define SDB_REPLICA_CONNECT_TIMEOUT_MS 30000
#define SDB_REPLICA_STABLE_MS 10000        /* a connection this old lets the backoff begin anew */
#define SDB_REPLICA_PING_AFTER_MS 25000    /* of silence */
#define SDB_REPLICA_PONG_TIMEOUT_MS 10000  /* then it is taken for dead */
#define SDB_REPLICA_HELLO_PATIENCE_MS 5000 /* then the server knows no server_hello */
#define SDB_REPLICA_NOT_NOW_MS 1000        /* after `rate_limited` or `unavailable` */
#define SDB_REPLICA_TOKEN_AGAIN_MS 30000   /* between two requests for a token */
#define SDB_REPLICA_TOKEN_BEFORE_MS 60000  /* its end a new one is asked for */

typedef struct sdb_replica_limits {
  uint32_t push_timeout_ms; /* 10 s online without being seen back: failed */
  uint32_t pending_max;     /* unsynced pushes */
  uint32_t depth_max;       /* arrays and objects within one another, in a message */
  uint32_t sync_delay_ms;   /* after a push was stored, until the disk is synced */
} sdb_replica_limits;

static inline sdb_replica_limits sdb_replica_limits_default(void) {
  sdb_replica_limits limits = {10000, 10000, 64, 0};
  return limits;
}

#endif
