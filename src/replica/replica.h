/* replica/replica.h: the device's state machine: what is held, what is missing, what was pushed and
 * not seen back. No I/O, no thread, no clock.
 *
 * Inputs are functions below; they never call back. What follows from them is staged and drained by
 * the owner at the end of its turn, until nothing is left:
 *   sdb_replica_flush()        hands the staged operations to the local storage
 *   sdb_replica_next_output()  until it says false; then flush again, until that says false too: an
 *                              output may have led to a read
 *   sdb_replica_deadline_ms()  when to call sdb_replica_on_timer at the latest
 *
 * `now_ms` is of a clock that never steps back, from any start: the wall clock decides nothing but
 * `$createdAt`, and is an argument of pushes.
 */
#ifndef SDB_REPLICA_REPLICA_H
#define SDB_REPLICA_REPLICA_H

#include "replica/limits.h"
#include "replica/storage_port.h"
#include "store/store.h"
#include <syncdb/client_record.h>

typedef struct sdb_replica sdb_replica;

#define SDB_REPLICA_WINDOW_ALL UINT32_MAX

typedef struct sdb_replica_options {
  const sdb_mem *mem;
  sdb_store *const *stores; /* must outlive the replica, as all pointers here but `windows` */
  size_t stores_count;      /* 1 to SDB_REPLICA_STORES_MAX */
  const uint32_t *windows;  /* one a store: missed events loaded by themselves; NULL: all of all */
  void (*random)(void *context, void *to, size_t size); /* for client ids and jitter */
  void *random_context;
  bool token_in_hello; /* where the owner cannot show it at the upgrade: a browser */
  bool needs_token;    /* ASK_TOKEN comes before a connection is made without one */
  bool start_offline;
  sdb_replica_limits limits;
} sdb_replica_options;

/* SDB_OK; SDB_INVALID_ARGUMENT: stores_count; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_replica_create(
    const sdb_replica_options *options, sdb_replica **replica);
/* Releases everything. Operations that the storage still holds must have been completed before. */
void sdb_replica_destroy(sdb_replica *replica);

/* ---- the local storage ---- */

/* Begins with a storage, at the start, after STORAGE_FAILED, and to go on with a better one: what
 * it holds is loaded, unsynced pushes in memory are put into it, and the connection is made anew.
 * Nothing of an earlier storage may be on its way. */
void sdb_replica_attach(sdb_replica *replica, const sdb_local_port *storage, uint64_t now_ms);
/* Adds an unsynced push that was found elsewhere (a file that is damaged): before attach. Passed
 * over where it is known. */
SDB_MUST_CHECK sdb_status sdb_replica_adopt(sdb_replica *replica, const sdb_local_pending *pending);
/* True: operations were submitted, or there are outputs. */
bool sdb_replica_flush(sdb_replica *replica, uint64_t now_ms);
void sdb_replica_on_completed(sdb_replica *replica, sdb_local_op *list, uint64_t now_ms);

/* ---- the connection: one at a time, begun by a CONNECT output ---- */

void sdb_replica_on_opened(sdb_replica *replica, uint64_t now_ms);
/* One whole text message. The bytes need to stay only during the call. */
void sdb_replica_on_message(sdb_replica *replica, sdb_slice message, uint64_t now_ms);
/* It ended, or could not be made: `code` as sdb_net_end's. `problem` is for people. */
void sdb_replica_on_closed(
    sdb_replica *replica, unsigned code, sdb_slice reason, const char *problem, uint64_t now_ms);
/* The application's token; `lifetime_ms` 0: not known. False: no memory. */
SDB_MUST_CHECK bool sdb_replica_on_token(
    sdb_replica *replica, sdb_slice token, uint64_t lifetime_ms, uint64_t now_ms);
void sdb_replica_go_online(sdb_replica *replica, uint64_t now_ms);
void sdb_replica_go_offline(sdb_replica *replica, uint64_t now_ms);

void sdb_replica_on_timer(sdb_replica *replica, uint64_t now_ms);
uint64_t sdb_replica_deadline_ms(const sdb_replica *replica); /* UINT64_MAX: none */

/* ---- the application ---- */

typedef enum sdb_replica_request_kind {
  SDB_REPLICA_PUSH = 1, /* store, object: create; singular: create or replace */
  SDB_REPLICA_UPDATE,   /* store, id, object */
  SDB_REPLICA_REMOVE,   /* store, id; singular: nil is the current one */
  SDB_REPLICA_LIST,     /* store, before, limit */
  SDB_REPLICA_GET,      /* store, id */
  SDB_REPLICA_SINGULAR  /* store */
} sdb_replica_request_kind;

/* Slices are copied. An id may be the client id of a create that is pending, or was a while ago. */
typedef struct sdb_replica_request {
  sdb_replica_request_kind kind;
  void *tag;
  uint16_t store;
  sdb_uuid id, before;
  uint32_t limit; /* 1 to SDB_REPLICA_LIST_LIMIT_MAX */
  sdb_slice object;
  sdb_uuid client_id; /* of a change, a version 4 UUID: a change that is asked for twice under one
                         client id is made once; nil: one is made here */
  bool asked_before;  /* perhaps of another replica, which may have sent it */
  uint64_t wall_ms;   /* the device's clock: `$createdAt` */
} sdb_replica_request;

/* Exactly one DONE follows, in any order between requests; that of a change only when it is stored.
 * False: out of memory, no DONE will come. */
SDB_MUST_CHECK bool sdb_replica_request_begin(
    sdb_replica *replica, const sdb_replica_request *request, uint64_t now_ms);

/* syncdb/client.h says what these do: sdb_client_older, _retry, _discard. Errors as theirs. */
SDB_MUST_CHECK sdb_status sdb_replica_older(
    sdb_replica *replica, uint16_t store, sdb_uuid before, uint32_t limit);
SDB_MUST_CHECK sdb_status sdb_replica_retry(sdb_replica *replica, sdb_uuid client_id);
SDB_MUST_CHECK sdb_status sdb_replica_discard(sdb_replica *replica, sdb_uuid client_id);

/* An unsynced push. Pointers are valid until the next input. */
typedef struct sdb_replica_unsynced {
  sdb_uuid client_id, id;
  uint16_t store;
  sdb_action action;
  sdb_slice object;
  uint64_t created_ms;
  const sdb_error *error; /* NULL: pending */
} sdb_replica_unsynced;

/* Goes over them in order: `*cursor` begins as NULL. False: no more. */
bool sdb_replica_next_unsynced(
    const sdb_replica *replica, const void **cursor, sdb_replica_unsynced *unsynced);

typedef struct sdb_replica_status {
  sdb_client_phase phase;
  uint32_t stores_synced, pending, failed, close_code;
  uint64_t events_received;
  const char *problem; /* of the connection; valid until the next input */
} sdb_replica_status;

void sdb_replica_get_status(const sdb_replica *replica, sdb_replica_status *status);

/* ---- outputs ---- */

typedef enum sdb_replica_output_kind {
  SDB_REPLICA_SEND = 1,   /* text: a message for the connection */
  SDB_REPLICA_DISCONNECT, /* close_code: end the connection; nothing of it is to be told any more */
  SDB_REPLICA_CONNECT,    /* text: the token to show, or empty; answer on_opened or on_closed */
  SDB_REPLICA_ASK_TOKEN,  /* refused; answer on_token */
  SDB_REPLICA_CHANGE,     /* store, change */
  SDB_REPLICA_DONE,       /* tag, status, error; a push's client_id; a read's records */
  SDB_REPLICA_STATUS,     /* sdb_replica_get_status has news */
  SDB_REPLICA_STORAGE_FAILED /* status: the storage failed; attach another, or it again */
} sdb_replica_output_kind;

/* Slices and pointers are valid until the next call of sdb_replica_next_output or an input. */
typedef struct sdb_replica_output {
  sdb_replica_output_kind kind;
  sdb_slice text;
  unsigned close_code;
  bool refused;
  uint16_t store;
  sdb_client_change change;
  void *tag;
  sdb_status status;
  const sdb_error *error; /* DONE: never NULL where status is not SDB_OK */
  sdb_uuid client_id;
  const sdb_client_record *records;
  size_t records_count;
} sdb_replica_output;

bool sdb_replica_next_output(sdb_replica *replica, sdb_replica_output *output);

#endif
