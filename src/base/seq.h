/* base/seq.h: an event's place in the log, and the UUIDv7 that names it.
 *
 * A seq is the 48-bit milliseconds and the 12-bit counter of a UUIDv7 in one
 * integer (60 bits, so it fits a signed 64-bit rowid): strictly increasing, and
 * all that storage keeps. The UUID's other 62 bits are a function of the seq
 * and the database's key, so that they need no room, and an id of another
 * database is told from one of this database.
 *
 *   UUIDv7 (RFC 9562 section 5.7)      seq
 *   48 bits  unix_ts_ms                bits 12..59
 *    4 bits  version 7
 *   12 bits  rand_a: the counter       bits 0..11
 *    2 bits  variant 10
 *   62 bits  rand_b: mix(seq, key)
 */
#ifndef SDB_BASE_SEQ_H
#define SDB_BASE_SEQ_H

#include "base/planted.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/uuid.h>

typedef uint64_t sdb_seq; /* 0 stands for "none" */

#define SDB_SEQ_MAX (((sdb_seq)1 << 60) - 1)
#define SDB_SEQ_COUNTER_BITS 12

/* The seq that follows `last` at `now_ms`: never at or below `last`, whatever the clock does. */
static inline sdb_seq sdb_seq_next(sdb_seq last, uint64_t now_ms) {
  sdb_seq from_clock = now_ms << SDB_SEQ_COUNTER_BITS;
  if (SDB_PLANTED(REUSE_ID) && now_ms < last >> SDB_SEQ_COUNTER_BITS) return from_clock;
  return from_clock > last ? from_clock : last + 1;
}

static inline uint64_t sdb_seq_ms(sdb_seq seq) {
  return seq >> SDB_SEQ_COUNTER_BITS;
}

/* The UUIDv7 of `seq` in the database `database`. */
sdb_uuid sdb_seq_to_uuid(sdb_seq seq, sdb_uuid database);

/* True and `*seq` set if `id` is one that sdb_seq_to_uuid gives for `database`. */
bool sdb_seq_from_uuid(sdb_uuid id, sdb_uuid database, sdb_seq *seq);

#endif
