/* storage/sqlite/tail.h: the index of the log's newest events, in memory.
 *
 * The log is the truth; its index is written later, in large sorted runs (run.h). Until then the
 * newest events are found here: in generations of a fixed size, each an array in the order of the
 * log, chained by (user, store) and hashed by client id. A full generation is frozen, written as
 * a run by the indexer, and dropped once no reader can need it.
 *
 * Threads: the writer alone changes the tail, under the mutex. Readers take the mutex. The
 * indexer reads frozen generations without it: there only `died` can change, which is atomic.
 */
#ifndef SDB_STORAGE_SQLITE_TAIL_H
#define SDB_STORAGE_SQLITE_TAIL_H

#include "base/memory.h"
#include "base/seq.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/status.h>

#define SDB_TAIL_READERS_MAX 64

typedef struct sdb_tail_entry {
  sdb_seq seq;
  _Atomic uint64_t died; /* 0: current; else the seq by which it went: such events are skipped */
  uint64_t user;
  uint64_t client_hash; /* 0: it has no client id */
  uint32_t previous;    /* index + 1 of the entry before it of its user and store; 0: none */
  uint16_t store;       /* its id in the database */
  bool removed;
} sdb_tail_entry;

typedef struct sdb_tail_slot {
  uint32_t tag;   /* bits of the hash, so that most misses need no look at the entry */
  uint32_t entry; /* index + 1; 0: free */
} sdb_tail_slot;

typedef struct sdb_generation sdb_generation;
struct sdb_generation {
  sdb_generation *newer, *older;
  uint32_t count, slots_mask;
  uint64_t
      flushed_epoch;     /* readers that came in at this epoch or later have its run; 0: none yet */
  sdb_tail_slot *groups; /* by (user, store): the newest entry */
  sdb_tail_slot *clients; /* by client id */
  sdb_tail_entry entries[];
};

typedef struct sdb_tail {
  const sdb_mem *mem;
  pthread_mutex_t mutex;
  uint32_t capacity; /* entries of a generation */
  sdb_generation *newest, *oldest;
  uint32_t frozen; /* generations that have no run yet, but for the newest */
  uint64_t epoch;
  uint64_t reader_epochs[SDB_TAIL_READERS_MAX]; /* 0: not reading */
} sdb_tail;

SDB_MUST_CHECK sdb_status sdb_tail_init(sdb_tail *tail, const sdb_mem *mem, uint32_t capacity);
void sdb_tail_free(sdb_tail *tail);

/* ---- for the writer ---- */

/* Makes room for `count` entries (at most the capacity) in the newest generation; freezes it and
 * begins another where it has none. False: out of memory. */
SDB_MUST_CHECK bool sdb_tail_make_room(sdb_tail *tail, uint32_t count);

/* Adds the newest event. There must be room. */
void sdb_tail_append(sdb_tail *tail, sdb_seq seq, uint64_t user, uint16_t store, bool removed,
    uint64_t client_hash, sdb_seq died);

/* Takes back what was added since the newest generation had `count` entries. */
void sdb_tail_rewind(sdb_tail *tail, uint32_t count);

/* The entry of `seq`, or NULL; `*frozen` says whether its generation is. */
sdb_tail_entry *sdb_tail_find(const sdb_tail *tail, sdb_seq seq, bool *frozen);

/* The next entry with this hash, from the newest generation on. Begin with a zeroed cursor. */
typedef struct sdb_tail_cursor {
  const sdb_generation *generation;
  uint32_t slot;
  bool started;
} sdb_tail_cursor;
const sdb_tail_entry *sdb_tail_next_client(
    const sdb_tail *tail, uint64_t hash, sdb_tail_cursor *cursor);

/* Brings the slots that appending and looking up will touch. */
void sdb_tail_prefetch(const sdb_tail *tail, uint64_t user, uint16_t store, uint64_t client_hash);

/* The oldest generation was written as a run in a transaction that has committed. */
void sdb_tail_flushed(sdb_tail *tail, sdb_generation *generation);

/* Frees the generations that no reader can need any more. */
void sdb_tail_drop_flushed(sdb_tail *tail);

/* ---- for the indexer ---- */

/* The oldest frozen generation without a run, or NULL. It stays until sdb_tail_flushed. */
sdb_generation *sdb_tail_to_flush(sdb_tail *tail);

/* ---- for readers ---- */

/* A reader says that it is about to begin a read transaction, and that it ended it. */
void sdb_tail_enter(sdb_tail *tail, uint32_t reader);
void sdb_tail_leave(sdb_tail *tail, uint32_t reader);

typedef struct sdb_tail_found {
  sdb_seq seq;
  bool removed;
} sdb_tail_found;

typedef struct sdb_tail_query {
  uint64_t user;
  uint16_t store;        /* its id in the database */
  sdb_seq after, before; /* exclusive; `before` 0: no upper end */
  sdb_seq snapshot;      /* the reader's transaction sees the log up to here */
} sdb_tail_query;

/* The events that the query asks for and that are current in the reader's transaction, newest
 * first, at most `max`. The reader has entered. */
uint32_t sdb_tail_collect(sdb_tail *tail, uint32_t reader, const sdb_tail_query *query,
    sdb_tail_found *found, uint32_t max);

#endif
