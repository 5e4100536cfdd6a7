/* replica/state.h: the replica's parts as they hang together. Private to this floor.
 *
 * Two things go out in order. Changes of what is held stand in batches: a batch is one commit of
 * the local storage and, once that is there, what the application is told of it. So nothing is
 * shown that a crash could take back. Messages stand in `sends`; a push is put there only when the
 * batch that stores it is committed.
 *
 * A batch goes: open (changes are added) -> staged -> at the storage -> committed (its changes are
 * given as outputs) -> freed.
 */
#ifndef SDB_REPLICA_STATE_H
#define SDB_REPLICA_STATE_H

#include "base/arena.h"
#include "replica/ranges.h"
#include "replica/replica.h"
#include "replica/table.h"
#include "wire/close.h"
#include "wire/wire.h"

/* ---- stores ---- */

typedef struct sdb_replica_store {
  sdb_uuid head;
  sdb_uuid told_head; /* the server's, by the server_hello of this connection */
  sdb_ranges missing;
  uint32_t window, wanted;
  uint32_t awaiting; /* `synced` that this connection still owes for its hello */
  bool singular;
  bool contiguous;  /* on this connection: nothing is missing right above the head */
  bool top_missing; /* the window ended before the first event: what is above the head is missing */
  bool fetching;    /* `fetch` is on its way */
  bool keeps_removes; /* the storage may hold records of removes */
  bool state_dirty;   /* the open batch is to note it */
  bool reset_due;     /* the application is to list it anew */
  sdb_id_range fetch;
  uint32_t pending_count, in_flight;
} sdb_replica_store;

/* ---- unsynced pushes ---- */

typedef enum sdb_pending_state {
  SDB_PENDING_WAITING = 1, /* to be sent */
  SDB_PENDING_SENT,        /* on this connection */
  SDB_PENDING_TIMED_OUT,   /* for too long: shown as failed; sent again with the next connection */
  SDB_PENDING_REFUSED      /* by the server: shown as failed, not sent again without a retry */
} sdb_pending_state;

typedef struct sdb_pending sdb_pending;
struct sdb_pending {
  sdb_entry by_client;          /* its client id; always in `pending_by_client` */
  sdb_entry by_object;          /* the object's id; in `pending_by_object` unless nil */
  sdb_pending *next, *previous; /* by position */
  uint64_t position;
  sdb_uuid depends; /* the client id of the create that is to give the id; nil: none */
  uint16_t store;
  uint8_t action, state;
  bool stored;      /* it is in the local storage, or need not be: it may be sent */
  bool kept;        /* a storage that is durable has had it */
  bool in_flight;   /* on this connection, and not answered */
  bool sent_ever;   /* the server may have it */
  bool sent_before; /* the server may have had it before it was sent last */
  bool clock_runs;  /* since `clock_ms`: the time that it has to be seen back */
  uint64_t clock_ms;
  uint32_t time_left_ms;
  uint64_t created_ms;
  sdb_error *error; /* of the last failure; NULL: none */
  size_t size;
  char object[];
};

/* A create that was seen back: who has not heard of its id yet names it by its client id. */
typedef struct sdb_created {
  sdb_uuid client_id, id;
} sdb_created;

/* ---- partials ---- */

typedef struct sdb_device_partial {
  sdb_entry by_id;
  uint16_t store;
  bool told_due;    /* a change of the open batch will show it as it is then */
  sdb_buffer text;  /* the whole object so far */
  sdb_buffer field; /* that appends go to; empty: none yet */
  size_t append_at; /* where its string ends in `text` */
} sdb_device_partial;

/* ---- requests ---- */

typedef struct sdb_replica_call sdb_replica_call;
struct sdb_replica_call {
  sdb_replica_call *next;
  sdb_replica_request request;   /* its object stands behind */
  bool internal;                 /* nobody asked: a change follows, no DONE */
  bool page_asked, object_asked; /* `page` or `object` is in use */
  uint64_t cursor; /* LIST: below this position; UINT64_MAX: from the newest; 0: no pending ones */
  union {
    sdb_local_page page;
    sdb_local_object object;
  };
  sdb_status status;
  sdb_error error;
  sdb_uuid client_id;
  sdb_client_record *records;
  char text[];
};

/* ---- batches ---- */

typedef struct sdb_batch sdb_batch;
struct sdb_batch {
  sdb_local_commit commit; /* first: an sdb_local_op is at its head */
  sdb_batch *next;
  sdb_arena arena;
  size_t capacity, told; /* of its changes */
  bool stores;           /* it has something for the storage */
  sdb_replica_call *calls;
};

/* ---- the connection ---- */

typedef enum sdb_link_state {
  SDB_LINK_OFF = 1,     /* the application wants none */
  SDB_LINK_WAITING,     /* until `next_try_ms` */
  SDB_LINK_TOKEN,       /* for the application's token */
  SDB_LINK_CONNECTING,  /* CONNECT was given */
  SDB_LINK_OPEN,        /* the hello was sent */
  SDB_LINK_UNAUTHORIZED /* the server refused; another token is waited for */
} sdb_link_state;

typedef struct sdb_link {
  sdb_link_state state;
  bool greeted; /* the server_hello came */
  bool heard;   /* anything came on this connection */
  bool brief;   /* no server_hello came in time: the server knows only the brief's messages */
  bool pinged;
  bool token_refused;
  bool token_untried; /* no connection was begun with it yet */
  uint32_t attempts;  /* since a connection was stable */
  uint32_t refusals;  /* of tokens, one after another */
  uint64_t next_try_ms, since_ms, heard_ms;
  uint64_t not_now_ms;    /* the server asked to be left alone until then */
  uint64_t push_timer_ms; /* not later than the first push times out */
  uint64_t token_ask_ms;  /* when a new token is to be asked for; UINT64_MAX: never */
  uint64_t token_asked_ms;
  uint64_t events_received;
  uint32_t in_flight;
  size_t in_flight_bytes;
  uint32_t window; /* pushes in flight that the server is believed to bear; kept over connections */
  unsigned close_code;
  char problem[SDB_ERROR_MESSAGE_SIZE];
} sdb_link;

/* ---- the whole ---- */

struct sdb_replica {
  sdb_replica_options options;
  const sdb_mem *mem;
  sdb_replica_store *stores;
  uint32_t ranges_max; /* of a store */
  const sdb_local_port *storage;
  bool loaded, loading, failed; /* failed: STORAGE_FAILED is to be said, or was */
  bool loaded_before;
  sdb_uuid database;

  sdb_pending *first, *last;
  sdb_table pending_by_client, pending_by_object;
  uint64_t position; /* of the last push */
  uint32_t pending_count, failed_count;
  uint32_t dependents_count; /* pushes whose object has no id yet */
  size_t pending_bytes;
  bool send_due;

  sdb_table partials; /* by id */
  size_t partials_bytes;
  /* Client ids, entries of their own. Those whose event says nothing of what lies below it, since
   * it may be sent again on this connection; those that ended and a storage may still hold. */
  sdb_table resent, ended;
  bool notes_ended;
  sdb_created *created; /* the last SDB_REPLICA_CREATED_MAX, in a ring; NULL: none yet */
  uint32_t created_count;
  sdb_link link;
  sdb_buffer token;

  sdb_batch *batch; /* open */
  sdb_local_op *staged, **staged_last;
  size_t ops_out;  /* at the storage */
  bool commit_out; /* one of them is a commit: the last */
  sdb_local_op sync;
  bool sync_out;       /* `sync` is staged or at the storage */
  uint64_t sync_at_ms; /* when it is to be; UINT64_MAX: nothing asks for it */
  sdb_batch *committed, *committed_last;
  sdb_replica_call *waiting, **waiting_last; /* until loaded */
  sdb_replica_call *held;                    /* changes whose batch failed: done with the next */
  sdb_replica_call *done;       /* to be answered before what the oldest committed batch changed */
  sdb_replica_call *given_call; /* freed by the next output */

  sdb_buffer sends;               /* each a size_t and so many bytes */
  size_t sends_open, sends_given; /* the message that is written; what was given out */
  bool connect_due, ask_due, disconnect_due, status_due, storage_failed_due;
  unsigned disconnect_code;
  sdb_status storage_status;

  sdb_json json;      /* of the message or object that is looked at */
  sdb_buffer scratch; /* of the object that is written */
};

static inline const char *sdb_replica_store_name(const sdb_replica *replica, uint16_t store) {
  return sdb_store_wire_name(replica->options.stores[store]);
}

/* While older events may still come, a remove is kept: one of them would bring the object back. */
static inline bool sdb_replica_must_keep_removes(const sdb_replica_store *store) {
  return store->missing.count > 0 || !store->contiguous;
}

/* The application is told to list the store anew: what it was to be told is not to be had. */
static inline void sdb_replica_note_reset(sdb_replica *replica, uint16_t store) {
  replica->stores[store].reset_due = replica->status_due = true;
}

/* Client ids are random (version 4), objects' ids are ordered by time. */
static inline bool sdb_is_client_id(sdb_uuid id) {
  return id.bytes[6] >> 4 == 4;
}

/* ---- batch.c ---- */
/* A zeroed change at the end of the open batch, or NULL: no memory. Pointers to earlier ones are
 * not valid any more. */
sdb_local_change *sdb_batch_add(sdb_replica *replica, sdb_local_change_kind kind, uint16_t store);
/* A copy that lives as long as the open batch. False: no memory. */
SDB_MUST_CHECK bool sdb_batch_copy(sdb_replica *replica, sdb_slice text, sdb_slice *copy);
/* Shows the application what there is now under this id, or of this pending create. False: no
 * memory. */
SDB_MUST_CHECK bool sdb_batch_view(
    sdb_replica *replica, uint16_t store, sdb_uuid id, sdb_uuid client_id);
/* The store's head or ranges have moved. */
void sdb_batch_note_state(sdb_replica *replica, uint16_t store);
/* The call is done once the open batch is stored. False: no memory. */
SDB_MUST_CHECK bool sdb_batch_hold(sdb_replica *replica, sdb_replica_call *call);
/* Whether the open batch holds enough for a commit of its own. */
bool sdb_batch_is_full(const sdb_replica *replica);
/* Ends the open batch and stages it. */
void sdb_batch_close(sdb_replica *replica, uint64_t now_ms);
/* Stages the sync that is due for pushes that were stored. */
void sdb_batch_sync(sdb_replica *replica, uint64_t now_ms);
/* When the next is due; UINT64_MAX: none, or one is under way, whose answer begins it. */
uint64_t sdb_batch_sync_ms(const sdb_replica *replica);
void sdb_batch_on_synced(sdb_replica *replica, uint64_t now_ms);
void sdb_batch_on_completed(sdb_replica *replica, sdb_batch *batch, uint64_t now_ms);
void sdb_batch_free(sdb_replica *replica, sdb_batch *batch);
void sdb_replica_stage(sdb_replica *replica, sdb_local_op *op);
/* The storage failed: what is not stored is dropped, and another storage is waited for. */
void sdb_replica_fail_storage(sdb_replica *replica, sdb_status status, uint64_t now_ms);

/* ---- replica.c ---- */
/* Whether it is the text of a JSON object; without memory it is taken not to be. */
bool sdb_replica_is_object(sdb_replica *replica, sdb_slice text);
/* The requests that came before a storage was loaded. */
void sdb_replica_run_waiting(sdb_replica *replica, uint64_t now_ms);

/* ---- load.c ---- */
void sdb_load_on_completed(sdb_replica *replica, sdb_local_load *load, uint64_t now_ms);

/* ---- pending.c ---- */
sdb_pending *sdb_pending_find(const sdb_replica *replica, sdb_uuid client_id);
/* A push with room for its object, in no list yet, or NULL: no memory. */
sdb_pending *sdb_pending_new(sdb_replica *replica, sdb_uuid client_id, sdb_slice object);
/* Puts it at the end of the list only. */
void sdb_pending_link(sdb_replica *replica, sdb_pending *pending, uint64_t position);
/* Forgets the client ids noted in a table. */
void sdb_notes_clear(sdb_replica *replica, sdb_table *table);
/* Puts it behind all others; its position 0: a new one. `id` nil: none is known. */
void sdb_pending_insert(sdb_replica *replica, sdb_pending *pending, sdb_uuid id);
/* Puts `made`, of the same client id and store, in the place of another, which is freed. */
void sdb_pending_replace(sdb_replica *replica, sdb_pending *old, sdb_pending *made);
/* Takes it out of every list and frees it. */
void sdb_pending_free(sdb_replica *replica, sdb_pending *pending);
void sdb_pending_set_id(sdb_replica *replica, sdb_pending *pending, sdb_uuid id);
void sdb_pending_set_state(sdb_replica *replica, sdb_pending *pending, sdb_pending_state state);
/* Keeps why it failed; without memory the reason is lost, not the failure. */
void sdb_pending_set_error(sdb_replica *replica, sdb_pending *pending, const sdb_error *error);
/* Has the open batch store it (singular: nothing to store), and shows it. False: no memory. */
SDB_MUST_CHECK bool sdb_pending_store(sdb_replica *replica, sdb_pending *pending);
SDB_MUST_CHECK bool sdb_pending_show(sdb_replica *replica, const sdb_pending *pending);
/* The change of this device that shows in place of object `id` (singular: its store's), or NULL. */
const sdb_pending *sdb_pending_over(const sdb_replica *replica, uint16_t store, sdb_uuid id);
bool sdb_pending_is_failed(const sdb_pending *pending);
/* Why it is shown as failed; NULL: it is not. */
const sdb_error *sdb_pending_failure(const sdb_pending *pending);
bool sdb_pending_is_create(const sdb_replica *replica, const sdb_pending *pending);
/* Whether a remove waits for the id of what this push makes. */
bool sdb_pending_is_removed(const sdb_replica *replica, const sdb_pending *pending);
/* The change that shows in place of this pending create, or NULL: it shows as it is. */
const sdb_pending *sdb_pending_over_create(const sdb_replica *replica, const sdb_pending *create);
/* The push was seen back as an event of object `id`: it is no longer pending, and those that waited
 * for the id have it. False: no memory. */
SDB_MUST_CHECK bool sdb_pending_acknowledge(
    sdb_replica *replica, sdb_pending *pending, sdb_uuid id);
/* The id of the object that the create with this client id made, while that is remembered; else
 * `client_id` itself. */
sdb_uuid sdb_pending_created(const sdb_replica *replica, sdb_uuid client_id);
/* Has the open batch take it out of the storage. False: no memory. */
SDB_MUST_CHECK bool sdb_pending_drop_stored(sdb_replica *replica, const sdb_pending *pending);
/* The storage does not hold it any more. */
void sdb_pending_on_dropped(sdb_replica *replica, sdb_uuid client_id);
/* Forgets it, stored or not, with those that wait for its id; shows what is there then. */
SDB_MUST_CHECK bool sdb_pending_give_up(sdb_replica *replica, sdb_pending *pending);

/* ---- push.c ---- */
void sdb_push_begin(sdb_replica *replica, sdb_replica_call *call);
/* What it asked the storage for is there. */
void sdb_push_continue(sdb_replica *replica, sdb_replica_call *call);

/* ---- send.c ---- */
/* Sends what may be sent now. */
void sdb_send_pushes(sdb_replica *replica, uint64_t now_ms);
/* Those that were too long on their way. */
void sdb_send_on_timer(sdb_replica *replica, uint64_t now_ms);
uint64_t sdb_send_deadline_ms(const sdb_replica *replica);
/* The connection is gone: they wait for the next. */
void sdb_send_on_closed(sdb_replica *replica, unsigned code, uint64_t now_ms);
/* The push is no longer in flight. */
void sdb_send_landed(sdb_replica *replica, sdb_pending *pending);
/* The server took one: it may bear more. */
void sdb_send_widen(sdb_replica *replica);
/* The server's answer. */
void sdb_send_refused(
    sdb_replica *replica, sdb_pending *pending, const sdb_error *error, uint64_t now_ms);

/* ---- link.c ---- */
void sdb_link_init(sdb_replica *replica);
/* Goes on to what is due. */
void sdb_link_advance(sdb_replica *replica, uint64_t now_ms);
/* Ends the connection from our side, and tries again later. */
void sdb_link_drop(sdb_replica *replica, unsigned code, const char *problem, uint64_t now_ms);
/* A peer's words may hold anything; what is shown and logged is one line of text. */
void sdb_link_blank_controls(char *text);
uint64_t sdb_link_deadline_ms(const sdb_replica *replica);
void sdb_link_on_timer(sdb_replica *replica, uint64_t now_ms);
sdb_client_phase sdb_link_phase(const sdb_replica *replica);
/* Begins a message: its text is written to the buffer that is given; then end it. */
sdb_buffer *sdb_link_begin_message(sdb_replica *replica);
void sdb_link_end_message(sdb_replica *replica);

/* ---- hello.c ---- */
void sdb_hello_send(sdb_replica *replica);
void sdb_hello_on_answer(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms);
/* Without one: the server knows only the brief's messages. */
void sdb_hello_on_silence(sdb_replica *replica);

/* ---- event.c, synced.c, partial.c, error.c: a message each ---- */
void sdb_replica_on_event(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms);
void sdb_replica_on_synced(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms);
void sdb_replica_on_partial(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms);
void sdb_replica_on_error(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms);
/* The store that the message names, or -1. */
int sdb_replica_find_store(const sdb_replica *replica, const sdb_wire_message *message);

/* ---- partial.c ---- */
sdb_device_partial *sdb_partial_find(const sdb_replica *replica, sdb_uuid id);
void sdb_partial_drop(sdb_replica *replica, sdb_device_partial *partial);
/* All of them go, and the application is told. */
void sdb_partials_drop_all(sdb_replica *replica);

/* ---- view.c ---- */
/* What the application is to be told of this change; false: nothing. */
bool sdb_view_of_change(
    sdb_replica *replica, const sdb_local_change *change, sdb_client_change *told);
/* What a read gives: fills call->records, or its status. The number of records. */
size_t sdb_view_of_call(sdb_replica *replica, sdb_replica_call *call);
/* What is under the id of an internal call. */
void sdb_view_of_refresh(
    sdb_replica *replica, const sdb_replica_call *call, sdb_client_change *told);
void sdb_list_begin(sdb_replica *replica, sdb_replica_call *call);
void sdb_get_begin(sdb_replica *replica, sdb_replica_call *call);
/* Reads an object of the call's store; nil: the singular one. */
void sdb_replica_read_object(sdb_replica *replica, sdb_replica_call *call, sdb_uuid id);
/* Has the object read and then told. False: no memory. */
SDB_MUST_CHECK bool sdb_view_refresh(sdb_replica *replica, uint16_t store, sdb_uuid id);

/* ---- outputs.c ---- */
/* Whether there may be an output. */
bool sdb_replica_has_output(const sdb_replica *replica);
void sdb_replica_finish(sdb_replica *replica, sdb_replica_call *call, sdb_status status);
void sdb_call_append(sdb_replica_call **list, sdb_replica_call *call);
/* The first one; the list is not empty. */
sdb_replica_call *sdb_call_take(sdb_replica_call **list);
void sdb_call_free(sdb_replica *replica, sdb_replica_call *call);

#endif
