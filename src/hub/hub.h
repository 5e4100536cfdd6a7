/* hub/hub.h: the server's state machine: who is connected, what each device
 * still misses, what is being written. No I/O, no thread, no clock.
 *
 * Inputs are functions below, each with `now_ms`; they never call back. What
 * follows from them is staged and drained by the owner at the end of its turn:
 *   sdb_hub_flush()        hands the staged operations to the storage, as one list
 *   sdb_hub_next_output()  until it says false
 *   sdb_hub_deadline_ms()  when to call sdb_hub_on_timer at the latest
 * A peer stays valid until the owner calls sdb_hub_on_disconnect, also after a CLOSE output.
 */
#ifndef SDB_HUB_HUB_H
#define SDB_HUB_HUB_H

#include "hub/limits.h"
#include "hub/storage_port.h"
#include "store/store.h"

typedef struct sdb_hub sdb_hub;
typedef struct sdb_peer sdb_peer;

/* Messages that are ready for the socket: a run of whole frames, as the framing function of the
 * options wrote their headers; immutable, shared by all devices they go to. */
typedef struct sdb_frames {
  const sdb_mem *mem;
  uint32_t references;
  uint32_t messages; /* how many frames */
  size_t size;
  const char *data;
} sdb_frames;

void sdb_frames_retain(sdb_frames *frames);
void sdb_frames_release(sdb_frames *frames);

/* How to put a message in a frame: writes the header for a payload of `size` bytes to `header` (of
 * 10 bytes) and gives its length. ws gives RFC 6455's; tests may give one that writes nothing. */
typedef size_t (*sdb_frame_header_fn)(size_t size, unsigned char *header);

typedef struct sdb_hub_options {
  const sdb_mem *mem;
  sdb_store *const *stores; /* must outlive the hub, as all pointers here */
  size_t stores_count;      /* at most SDB_STORES_MAX */
  const sdb_storage_port *storage;
  sdb_frame_header_fn frame_header;
  bool (*subscribed)(void *context, uint16_t store); /* whether EVENT outputs of it are wanted */
  /* Whether the application can take one more event of this user (it is behind otherwise, and the
   * push is refused as rate_limited); NULL: always. */
  bool (*accepts)(void *context, uint16_t store, sdb_slice user);
  /* Whether the application is to be asked about clients' changes of this store (of any, for
   * SDB_STORE_ANY): JUDGE outputs. Called on the storage's threads too. NULL: never. */
  bool (*judged)(void *context, uint16_t store);
  void *subscribed_context; /* of all three */
  /* AUTHENTICATE is asked also for a hello without a token, whose text is then empty: the owner
   * knows more of the connection. */
  bool asks_without_token;
  sdb_limits limits;
} sdb_hub_options;

SDB_MUST_CHECK sdb_status sdb_hub_create(const sdb_hub_options *options, sdb_hub **hub);
/* Releases everything. Operations that the storage still holds must have been completed before. */
void sdb_hub_destroy(sdb_hub *hub);

/* ---- devices ---- */

/* A connection was made. `user` empty: not known yet (the hello's token will tell). `expires_ms`:
 * when its identity ends, 0 for never. `tag` comes back in outputs. The peer, or NULL: out of
 * memory, or the user has its maximum of connections (then the owner closes 1013). */
sdb_peer *sdb_hub_on_connect(
    sdb_hub *hub, sdb_slice user, uint64_t expires_ms, void *tag, uint64_t now_ms);

/* It is gone. Its pushes that are on their way are stored all the same. */
void sdb_hub_on_disconnect(sdb_hub *hub, sdb_peer *peer, uint64_t now_ms);

/* One whole text message, valid UTF-8 or not. The bytes need to stay only during the call. */
void sdb_hub_on_message(sdb_hub *hub, sdb_peer *peer, sdb_slice message, uint64_t now_ms);

/* How many bytes wait in the peer's output; call it whenever output was sent or queued for a peer
 * (it drives catch-up and the folding of partials). */
void sdb_hub_on_output_level(sdb_hub *hub, sdb_peer *peer, size_t bytes, uint64_t now_ms);

/* Whether more input of the peer is welcome now. Not while its hello waits for an answer, nor while
 * what waits for it, and what its pushes at the storage will bring it, is over the soft limit: then
 * the owner stops reading, and asks again after sdb_hub_on_output_level. */
bool sdb_hub_wants_input(const sdb_peer *peer);

/* The answer to an AUTHENTICATE output, at once or later; after hello_timeout_ms without one the
 * peer is closed with 1013. `user` empty: refused. */
void sdb_hub_on_identity(
    sdb_hub *hub, sdb_peer *peer, sdb_slice user, uint64_t expires_ms, uint64_t now_ms);

/* The answer to a JUDGE output: SDB_OK: it may be stored; SDB_REJECTED or SDB_INVALID_OBJECT, with
 * an `error` of that status (or NULL): the device is told; any other: `unavailable`. A ticket that
 * nobody waits for any more is ignored. */
void sdb_hub_on_verdict(
    sdb_hub *hub, uint64_t ticket, sdb_status status, const sdb_error *error, uint64_t now_ms);

/* Forgets every push that waits for a verdict, or behind one: nothing is stored or said, the device
 * sends it again. For the end: no message may come after it. */
void sdb_hub_stop_judging(sdb_hub *hub);

/* ---- storage and time ---- */

void sdb_hub_on_completed(sdb_hub *hub, sdb_op *list, uint64_t now_ms);
void sdb_hub_on_timer(sdb_hub *hub, uint64_t now_ms);
uint64_t sdb_hub_deadline_ms(const sdb_hub *hub); /* UINT64_MAX: none */
void sdb_hub_flush(sdb_hub *hub);

/* ---- the application's own requests (server side): schema is checked, rules are not ---- */

typedef enum sdb_request_kind {
  SDB_REQUEST_PUT = 1,        /* create (id nil) or replace; singular: create or replace */
  SDB_REQUEST_REMOVE,         /* id; singular: nil removes the current one */
  SDB_REQUEST_GET,            /* id, store */
  SDB_REQUEST_LIST,           /* store, before, limit */
  SDB_REQUEST_SINGULAR,       /* store */
  SDB_REQUEST_PARTIAL_BEGIN,  /* store, object (the first whole one): result.id */
  SDB_REQUEST_PARTIAL_APPEND, /* partial, field, text (unescaped): appended to a string field */
  SDB_REQUEST_PARTIAL_SET,    /* partial, object: whole */
  SDB_REQUEST_PARTIAL_COMMIT, /* partial, object (empty: as it stands): result.id, event_id */
  SDB_REQUEST_PARTIAL_ABORT   /* partial */
} sdb_request_kind;

/* Slices are copied. `tag` comes back in the DONE output, one for each request, in any order
 * between users; of one user's writes, those that reach the storage come in order, and those that
 * are refused before it come at once. */
typedef struct sdb_request {
  sdb_request_kind kind;
  void *tag;
  sdb_slice user;
  uint16_t store;
  sdb_uuid id;
  sdb_slice object;
  sdb_uuid before;  /* LIST: nil for the newest */
  uint32_t limit;   /* LIST: 1 to SDB_LIST_LIMIT_MAX */
  uint64_t partial; /* the handle that PARTIAL_BEGIN's caller chose, unique while it lives */
  sdb_slice field, text;
} sdb_request;

/* False: out of memory, nothing was begun and no DONE will come. */
SDB_MUST_CHECK bool sdb_hub_request(sdb_hub *hub, const sdb_request *request, uint64_t now_ms);

/* ---- outputs ---- */

typedef enum sdb_hub_output_kind {
  SDB_HUB_SEND = 1,     /* peer, frames: the owner releases them */
  SDB_HUB_CLOSE,        /* peer, close_code, text: the reason. Nothing more comes for it */
  SDB_HUB_AUTHENTICATE, /* peer, text: the token of a hello or an auth; answer on_identity, while
                           the peer is connected */
  SDB_HUB_JUDGE,        /* may a client's change be? ticket, user, action, row.store, row.client_id,
                           row.object (a DELETE's: the one that is to go); answer on_verdict */
  SDB_HUB_EVENT,        /* a client's change was stored: for subscribers */
  SDB_HUB_DONE          /* a request was carried out */
} sdb_hub_output_kind;

/* One object as the application sees it. */
typedef struct sdb_hub_row {
  sdb_uuid id, event_id, client_id; /* client_id nil where none */
  uint16_t store;
  sdb_slice object;
} sdb_hub_row;

/* Slices are valid until the next call of sdb_hub_next_output. */
typedef struct sdb_hub_output {
  sdb_hub_output_kind kind;
  sdb_peer *peer;
  void *tag; /* the peer's, or the request's */
  sdb_frames *frames;
  unsigned close_code;
  sdb_slice text;
  uint64_t ticket;
  /* EVENT, and what a DONE of PUT or REMOVE stored */
  sdb_slice user;
  sdb_action action;
  sdb_hub_row row;    /* a DELETE's object: the one removed */
  sdb_slice previous; /* what an UPDATE replaced */
  /* DONE */
  sdb_status status;
  const sdb_error *error;  /* with message and path; never NULL when status is not SDB_OK */
  const sdb_hub_row *rows; /* GET, LIST, SINGULAR */
  size_t rows_count;
} sdb_hub_output;

bool sdb_hub_next_output(sdb_hub *hub, sdb_hub_output *output);

/* What the hub counts, for /metrics. */
typedef struct sdb_hub_stats {
  uint64_t peers, users, partials, judging; /* now */
  uint64_t pushes_stored, pushes_duplicate, pushes_rejected, pushes_invalid, pushes_not_found,
      pushes_limited, pushes_unavailable, judge_timeouts;
  uint64_t events_sent, partials_sent, partials_folded, catch_up_pages, catch_up_events;
} sdb_hub_stats;

void sdb_hub_stats_get(const sdb_hub *hub, sdb_hub_stats *stats);

#endif
