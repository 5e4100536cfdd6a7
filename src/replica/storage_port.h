/* replica/storage_port.h: what the replica needs of the device's own storage, which implements it.
 *
 * The replica submits operations and gets each back once, completed, in the order submitted: there
 * is one path, whether the storage answers at once or later (a browser's does). An operation
 * belongs to the storage from submit to completion and holds its own input and result, so nothing
 * else is shared.
 *
 * What a local storage promises:
 *  - A commit is atomic: all of it is there after a crash, or nothing. Once it is completed it
 *    survives the end of the process; once a later SDB_LOCAL_SYNC is, power loss too.
 *  - A commit that fails leaves nothing of itself.
 *  - A read sees every commit that was submitted before it.
 * It is given one commit at a time, and nothing behind it until that is completed: so it need not
 * know what a failed commit means for the next.
 *  - Ids are compared as their sixteen bytes (a greater one is newer). Of each object it keeps one
 *    record, that of the greatest event id it was ever told, updates and kept removes alike.
 *  - What belongs to a store that it was not opened with stays as it is, until another database is
 *    noted: then all but its pushes goes.
 */
#ifndef SDB_REPLICA_STORAGE_PORT_H
#define SDB_REPLICA_STORAGE_PORT_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

typedef enum sdb_local_op_kind {
  SDB_LOCAL_LOAD = 1, /* sdb_local_load: what the replica holds in memory; once, first */
  SDB_LOCAL_COMMIT,   /* sdb_local_commit: changes, in one transaction */
  SDB_LOCAL_PAGE,     /* sdb_local_page: objects of one store, newest first */
  SDB_LOCAL_OBJECT,   /* sdb_local_object: one object */
  SDB_LOCAL_SYNC      /* an sdb_local_op alone: all commits before it are synced to disk */
} sdb_local_op_kind;

/* The head of every operation. Errors of each: SDB_IO (the disk is full, cannot be read...),
 * SDB_BAD_FORMAT (damaged), SDB_NO_MEMORY; after one of them the storage may be asked again. */
typedef struct sdb_local_op sdb_local_op;
struct sdb_local_op {
  sdb_local_op *next; /* the list it stands in; the holder's to use */
  sdb_local_op_kind kind;
  sdb_status status; /* set on completion */
  void *owner;       /* the submitter's, untouched */
};

/* A range of event ids, both ends exclusive. */
typedef struct sdb_id_range {
  sdb_uuid after, before; /* `after` nil: from the beginning; `before` is never nil */
} sdb_id_range;

#define SDB_LOCAL_RANGES_MAX 1024 /* of a store */

/* How far a store is synced. */
typedef struct sdb_local_state {
  sdb_uuid head;               /* the greatest event id held; nil: never synced */
  uint32_t wanted;             /* missed events still wanted of a store that has a window */
  uint32_t missing_count;      /* at most SDB_LOCAL_RANGES_MAX */
  const sdb_id_range *missing; /* below the head, newest first */
} sdb_local_state;

/* A push of this device that was not seen back as an event. */
typedef struct sdb_local_pending {
  uint64_t position;  /* ascending in the order of the pushes; never 0; unique */
  sdb_uuid client_id; /* never nil; unique */
  sdb_uuid id;        /* the object that is updated or removed; nil for a create */
  sdb_uuid depends;   /* while `id` is not known yet: the client id of its create; else nil */
  uint16_t store;
  sdb_action action;
  sdb_status failed;       /* why it is shown as failed; SDB_OK: it is not */
  uint64_t created_ms;     /* the device's wall clock at the push */
  sdb_slice object;        /* JSON text; empty for a delete */
  sdb_slice message, path; /* of the failure */
} sdb_local_pending;

/* Whether it says what a push of its action says: a create names no object, a change names one in
 * one way, and only a remove comes without JSON text. */
static inline bool sdb_local_pending_fits(const sdb_local_pending *pending) {
  bool creates = pending->action == SDB_ACTION_CREATE;
  int names = !sdb_uuid_is_nil(pending->id) + !sdb_uuid_is_nil(pending->depends);
  bool removes = pending->action == SDB_ACTION_DELETE;
  return names == (creates ? 0 : 1) && removes == (pending->object.size == 0);
}

/* SDB_LOCAL_LOAD. */
typedef struct sdb_local_load {
  sdb_local_op op;
  /* results, in `memory` */
  sdb_uuid database;                /* nil: none was noted */
  const sdb_local_state *states;    /* one a store that the storage was opened with, in its order */
  const sdb_local_pending *pending; /* of those stores, by position */
  size_t pending_count;
  sdb_buffer memory; /* initialised and freed by the submitter */
} sdb_local_load;

typedef enum sdb_local_change_kind {
  SDB_LOCAL_PUT = 1,     /* store, id, event_id, client_id, object: ignored (`applied` false) unless
                            event_id is greater than that of the record there is, or, with
                            `or_equal`, the same */
  SDB_LOCAL_REMOVE,      /* store or SDB_LOCAL_ANY, id, event_id, keep: ignored if the record has a
                            greater event_id; with `keep`, or where one is kept already, a record
                            of the remove stays; SDB_LOCAL_ANY keeps none, and sets `store` to
                            where it was found. In a singular store: of whatever that holds */
  SDB_LOCAL_SINGULAR,    /* store, id, event_id, client_id, object: in place of whatever the store
                            holds; an empty object: it then holds none. As PUT, only if newer */
  SDB_LOCAL_CLEAR,       /* store: all its objects and kept removes go, and its state */
  SDB_LOCAL_FORGET,      /* store: its kept removes go */
  SDB_LOCAL_STATE,       /* store, state */
  SDB_LOCAL_DATABASE,    /* id: the database that the heads are of. Where another was noted, the
                            stores that it was not opened with are cleared; the others are as the
                            submitter clears them */
  SDB_LOCAL_PENDING_PUT, /* pending: new, or in place of the one with its client id */
  SDB_LOCAL_PENDING_DROP, /* client_id: it may not be there */
  SDB_LOCAL_VIEW          /* nothing to store: the replica's own, passed over */
} sdb_local_change_kind;

#define SDB_LOCAL_ANY UINT16_MAX

/* Slices and pointers are the submitter's, valid until completion. */
typedef struct sdb_local_change {
  sdb_local_change_kind kind;
  uint16_t store;
  bool keep, or_equal;
  bool applied; /* result, of PUT, REMOVE, SINGULAR: an object came, changed or went */
  bool acknowledged, created; /* the replica's own */
  sdb_uuid id, event_id, client_id;
  sdb_slice object;
  sdb_local_state state;
  const sdb_local_pending *pending;
} sdb_local_change;

/* SDB_LOCAL_COMMIT: carried out in order. */
typedef struct sdb_local_commit {
  sdb_local_op op;
  sdb_local_change *changes;
  size_t count;
} sdb_local_commit;

/* An object that is held. */
typedef struct sdb_local_record {
  sdb_uuid id, event_id;
  sdb_uuid client_id; /* of the push its event came from; nil: none */
  sdb_slice object;
} sdb_local_record;

/* SDB_LOCAL_PAGE: objects (no removes) of a store with an id below `before`, greatest first. */
typedef struct sdb_local_page {
  sdb_local_op op;
  uint16_t store;
  sdb_uuid before; /* exclusive; nil: from the newest */
  uint32_t limit;  /* never 0 */
  /* results, in `memory` */
  const sdb_local_record *records;
  uint32_t count;
  sdb_buffer memory; /* initialised and freed by the submitter */
} sdb_local_page;

/* SDB_LOCAL_OBJECT: one object; `id` nil: the one of a singular store. Also SDB_NOT_FOUND. */
typedef struct sdb_local_object {
  sdb_local_op op;
  uint16_t store;
  sdb_uuid id;
  sdb_local_record record; /* result, in `memory` */
  sdb_buffer memory;       /* initialised and freed by the submitter */
} sdb_local_object;

typedef struct sdb_local_port {
  unsigned version; /* 1 */
  void *self;
  bool durable; /* it keeps what it is told over a restart; false: memory only */
  /* Takes a list of operations, linked by `next`, in order. Never fails. It may complete operations
   * inside the call (by the `completed` it was opened with), or later, on the same thread. */
  void (*submit)(void *self, sdb_local_op *list);
} sdb_local_port;

/* Where completions go: a list linked by `next`, in the order submitted. */
typedef struct sdb_local_sink {
  void *context;
  void (*completed)(void *context, sdb_local_op *list);
} sdb_local_sink;

#endif
