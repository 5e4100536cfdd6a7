/* hub/storage_port.h: what the hub needs of a storage, which implements it.
 *
 * The hub submits operations and gets each back once, completed: there is one
 * path, whether the storage answers from memory at once or from another thread
 * later. An operation belongs to the storage from submit to completion and
 * holds its own input and result, so nothing else is shared.
 *
 * What a storage promises:
 *  - Writes are carried out in the order submitted. Each is a transaction's part:
 *    those submitted together may share one (group commit). A write is completed
 *    only when it is durable (as the storage's `durability` says).
 *  - A write's seq is given inside the transaction: greater than every seq given
 *    or reserved before, over restarts and backward clocks too. So commit order is
 *    seq order.
 *  - If the transaction fails, every write in it completes SDB_UNAVAILABLE, nothing of it is
 *    stored, and the storage goes on: the next one may succeed. One thing cannot be excluded: where
 *    the disk fails a sync, and the process or the machine then ends before anything else could be
 *    written, the next opening may find the transaction whole. (So who asks again uses the same
 *    client id.)
 *  - A write with a client id that was stored for this user before (within the dedupe window, at
 *    least 7 days) stores nothing and completes SDB_OK with `duplicate` set.
 *  - A read sees every write that completed before it was submitted.
 *  - One object of a store has one current event (update or remove); an event that was replaced
 *    is gone. A remove's event stays until the horizon (`remember_removes`).
 */
#ifndef SDB_HUB_STORAGE_PORT_H
#define SDB_HUB_STORAGE_PORT_H

#include "base/buffer.h"
#include "base/seq.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

typedef enum sdb_op_kind {
  SDB_OP_USER = 1, /* sdb_op_user: look a user up, with the heads of its stores */
  SDB_OP_WRITE,    /* sdb_op_write: store one change */
  SDB_OP_PAGE,     /* sdb_op_page: events of one store, newest first */
  SDB_OP_OBJECT,   /* sdb_op_object: one object's current event */
  SDB_OP_RESERVE   /* sdb_op_reserve: a seq for a partial that begins */
} sdb_op_kind;

/* The head of every operation. */
typedef struct sdb_op sdb_op;
struct sdb_op {
  sdb_op *next; /* the list it stands in; the holder's to use */
  sdb_op_kind kind;
  sdb_status status; /* set on completion: SDB_OK or what each operation lists */
  void *owner;       /* the submitter's, untouched */
};

/* One stored event. Slices point into the operation's `memory`. */
typedef struct sdb_stored_event {
  sdb_seq seq;        /* its place in the log: the event id */
  sdb_seq object;     /* the object id; equals seq for an object's first event */
  uint16_t store;     /* index in the stores the storage was opened with */
  bool removed;       /* a remove: `body` is empty */
  sdb_uuid client_id; /* nil where none */
  sdb_slice body;     /* the object's JSON text, `$createdAt` within */
} sdb_stored_event;

#define SDB_STORE_ANY UINT16_MAX

/* SDB_OP_USER. A user that is not known yet is added (that is a write). Errors: SDB_UNAVAILABLE. */
typedef struct sdb_user_head {
  sdb_seq head;    /* the newest event (update or remove) of the store; 0: none */
  sdb_seq horizon; /* the newest remove that is no longer remembered; 0: none forgotten */
} sdb_user_head;

typedef struct sdb_op_user {
  sdb_op op;
  sdb_slice name;       /* the submitter's, valid until completion */
  uint64_t user;        /* result: the user's number, for all other operations; never 0 */
  sdb_user_head *heads; /* result: one a store; the submitter gives the array */
} sdb_op_user;

/* SDB_OP_WRITE. Errors: SDB_UNAVAILABLE; SDB_NOT_FOUND (no such object of this user and store, or
 * it was removed); SDB_CONFLICT (a reserved CREATE of an object that was made already); what the
 * guard gave; SDB_NO_MEMORY. */
typedef struct sdb_op_write sdb_op_write;
struct sdb_op_write {
  sdb_op op;
  uint64_t user;
  uint16_t store;     /* a remove may say SDB_STORE_ANY; set on completion */
  sdb_action action;  /* CREATE, UPDATE or DELETE. Singular stores: CREATE stands for "create or
                         replace"; set on completion to what it was */
  bool reserved;      /* CREATE of an event store's object whose id is `object`, reserved before */
  bool want_previous; /* fill `previous` */
  uint64_t now_ms;    /* the clock for seqs */
  sdb_seq object;     /* UPDATE, DELETE, reserved CREATE: the object; 0 otherwise; set on
                         completion.
                         A DELETE in a singular store names the current event, or 0 for whichever */
  sdb_uuid client_id; /* nil: none, not deduplicated */
  sdb_slice body;     /* the submitter's, valid until completion; empty for a delete */
  /* Called inside the transaction (on the storage's thread) before the write, once the object was
   * found and `store` and `action` are settled; `current` is the object's body now (empty where
   * there is none). Anything but SDB_OK refuses this write alone with that status. NULL: not
   * called. */
  sdb_status (*guard)(sdb_op_write *write, sdb_slice current);
  /* results */
  bool duplicate; /* stored before: `event` is that object's current event (its seq 0 where even
                     the remove is forgotten: then only `object` and `store` hold) */
  sdb_seq seq;
  sdb_stored_event event; /* set when `duplicate` */
  sdb_slice previous;     /* the object that was replaced or removed, where wanted */
  sdb_buffer memory;      /* holds `event` and `previous`; initialised and freed by the submitter */
};

/* SDB_OP_PAGE: the current events of (user, store) with after < seq < before, newest first.
 * Errors: SDB_UNAVAILABLE, SDB_NO_MEMORY. */
typedef struct sdb_op_page {
  sdb_op op;
  uint64_t user;
  uint16_t store;
  bool objects_only;  /* leave removes out: for an application's list */
  sdb_seq after;      /* exclusive; 0: from the beginning */
  sdb_seq before;     /* exclusive; 0: no upper end */
  uint32_t limit;     /* events at most; never 0 */
  uint32_t bytes_max; /* stop once bodies reach this many bytes (at least one event is given) */
  /* results */
  sdb_stored_event *events; /* in `memory` */
  uint32_t count;
  bool more;         /* the range holds older ones still */
  sdb_seq horizon;   /* the newest remove of the store that was no longer remembered at the read */
  sdb_buffer memory; /* initialised and freed by the submitter */
} sdb_op_page;

/* SDB_OP_OBJECT: one object of the user, in `store` or SDB_STORE_ANY.
 * Errors: SDB_NOT_FOUND (none, or removed), SDB_UNAVAILABLE, SDB_NO_MEMORY. */
typedef struct sdb_op_object {
  sdb_op op;
  uint64_t user;
  uint16_t store;
  sdb_seq object;
  sdb_stored_event event; /* result, in `memory` */
  sdb_buffer memory;      /* initialised and freed by the submitter */
} sdb_op_object;

/* SDB_OP_RESERVE. A seq that no event and no other reservation will get, over restarts too.
 * Errors: SDB_UNAVAILABLE. */
typedef struct sdb_op_reserve {
  sdb_op op;
  uint64_t now_ms;
  sdb_seq seq; /* result */
} sdb_op_reserve;

/* Where completions go. `completed` takes a list of operations linked by `next`; a storage with
 * threads calls it from them, several at once, and never from inside submit. */
typedef struct sdb_storage_sink {
  void *context;
  void (*completed)(void *context, sdb_op *list);
} sdb_storage_sink;

/* What a storage counts, for /metrics. All since it was opened. */
#define SDB_COMMIT_SIZE_BUCKETS 8 /* <=1, <=4, <=16, <=64, <=256, <=1024, <=4096, more */
#define SDB_COMMIT_TIME_BUCKETS 8 /* <=0.25 ms, <=0.5, <=1, <=2.5, <=5, <=25, <=100, more */
typedef struct sdb_storage_stats {
  uint64_t commits, commits_failed, writes;
  uint64_t commit_time_us;                               /* sum */
  uint64_t commit_size_buckets[SDB_COMMIT_SIZE_BUCKETS]; /* each its own, not cumulative */
  uint64_t commit_time_buckets[SDB_COMMIT_TIME_BUCKETS];
  uint64_t pages_read, events_read;
} sdb_storage_stats;

typedef struct sdb_storage_port {
  unsigned version; /* 1 */
  void *self;
  sdb_uuid database; /* random, given when the database was made; the key of its event ids */
  sdb_uuid epoch;    /* its history: another one once it was restored from a backup; never nil */
  /* Takes a list of operations, linked by `next`, in order. Never blocks, never fails, never
   * completes inside the call. One thread submits. */
  void (*submit)(void *self, sdb_op *list);
  /* Any thread. */
  void (*stats)(void *self, sdb_storage_stats *stats);
} sdb_storage_port;

#endif
