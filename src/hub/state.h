/* hub/state.h: the hub's parts as they hang together. Private to this floor.
 *
 * Life times. A user is in memory while it has a reference: its peers, its
 * partials, its operations at the storage. A peer is two things: the owner's
 * (until on_disconnect) and the hub's (until its last operation came back), so
 * it is counted too. An operation belongs to the storage from flush to
 * on_completed; what it needs then hangs on the struct around it.
 */
#ifndef SDB_HUB_STATE_H
#define SDB_HUB_STATE_H

#include "base/tickets.h"
#include "hub/hub.h"
#include "wire/close.h"
#include "wire/wire.h"

typedef struct sdb_user sdb_user;
typedef struct sdb_hub_partial sdb_hub_partial;
typedef struct sdb_done sdb_done;
typedef struct sdb_trial sdb_trial; /* a push that the application is asked about, or behind one */
typedef struct sdb_waiting_message sdb_waiting_message;
typedef struct sdb_waiting_request sdb_waiting_request;

/* ---- users ---- */

typedef enum sdb_user_state {
  SDB_USER_LOADING, /* its number and heads are asked for */
  SDB_USER_READY,
  SDB_USER_FAILED /* they could not be had: what waits is refused, and the user goes */
} sdb_user_state;

/* How long a user's horizons are taken to be those of the storage. */
#define SDB_USER_FRESH_MS 60000

/* An object that was replaced or removed while a page of catch-up is being read: the page may
 * hold its older event, which must not be sent after the newer one. */
typedef struct sdb_overwrite {
  sdb_seq object; /* of a singular store: the event that was replaced; 0: all before `seq` */
  sdb_seq seq;    /* the newer event */
  uint16_t store;
} sdb_overwrite;

#define SDB_OVERWRITES_MAX 256

struct sdb_user {
  sdb_hub *hub;
  sdb_user *hash_next; /* in its bucket of the hub's table */
  sdb_user_state state;
  uint32_t references;
  bool refreshing;    /* READY, and its horizons are asked for anew */
  uint64_t loaded_ms; /* when its heads or horizons came last */
  uint64_t number;
  sdb_user_head *heads; /* one a store, kept in step with every write */
  sdb_peer *peers;      /* with an identity: linked by user_next */
  uint32_t peers_count;
  sdb_hub_partial *partials;
  uint32_t partials_count;
  sdb_waiting_request *waiting, **waiting_last; /* requests, until READY */
  uint32_t pages_in_flight;
  uint32_t overwrites_count; /* over SDB_OVERWRITES_MAX: pages in flight are read anew */
  sdb_overwrite *overwrites; /* SDB_OVERWRITES_MAX of them, made when first needed */
  uint32_t hash;
  uint32_t name_size;
  char name[];
};

/* ---- peers ---- */

typedef enum sdb_peer_state {
  SDB_PEER_CONNECTED, /* no hello yet */
  SDB_PEER_GREETED,   /* its hello waits for an identity or for its user */
  SDB_PEER_LIVE,      /* server_hello was sent: events flow */
  SDB_PEER_CLOSING    /* a CLOSE output was given: nothing goes in or out */
} sdb_peer_state;

/* Peers that have to get on within hello_timeout_ms, those that wait longest first. */
typedef struct sdb_peer_queue {
  sdb_peer *first, **last;
} sdb_peer_queue;

/* A range of a store that the peer misses, on its way. */
typedef struct sdb_range {
  uint16_t store;
  bool to_head;      /* `before` is null on the wire */
  bool objects_only; /* the peer holds nothing that could be removed */
  bool fetched;      /* asked for by a fetch */
  uint32_t left;     /* a fetch: events that may still be sent */
  sdb_seq after;     /* exclusive; 0: null on the wire */
  sdb_seq before;    /* exclusive, as it was asked for */
  sdb_seq next;      /* exclusive: what is at or above it was sent */
} sdb_range;

#define SDB_WINDOW_ALL UINT32_MAX

/* All that a peer is still to be sent. Made by its hello or a fetch, gone when it is done. */
typedef struct sdb_catchup {
  sdb_range *ranges; /* `done` of them are; then come `fetches` of fetch, then the hello's */
  uint32_t done, count, capacity, fetches;
  uint32_t reading;   /* the range that a page at the storage is of */
  bool started;       /* the first page was asked for */
  uint32_t windows[]; /* one a store: events that may still be sent, or SDB_WINDOW_ALL */
} sdb_catchup;

/* A message that came behind the hello, before that was answered; the hello is the first. */
struct sdb_waiting_message {
  sdb_waiting_message *next;
  size_t size;
  char text[];
};

struct sdb_peer {
  sdb_hub *hub;
  sdb_user *user; /* NULL: no identity yet */
  void *tag;
  sdb_peer *user_next;
  sdb_peer *wait_next, **wait_at; /* in the queue of those it waits among, if it waits */
  sdb_peer_queue *wait_queue;
  sdb_peer *all_next, **all_at;
  sdb_peer *attention_next; /* those of whom something is to be said */
  uint32_t references;
  uint8_t state;  /* sdb_peer_state */
  bool connected; /* the owner has not said on_disconnect */
  bool in_attention;
  bool accepts_append;
  bool page_in_flight;
  bool authenticating; /* an AUTHENTICATE output waits for its answer */
  uint16_t close_code;
  uint32_t in_flight;     /* its pushes at the storage */
  size_t in_flight_bytes; /* of their bodies, which will come back to it */
  uint64_t wait_ms;       /* since when it waits */
  uint64_t expires_ms;
  uint64_t rate_us, flood_us; /* when the allowance for pushes, and for all, is whole again */
  size_t output_level;        /* what the owner said, and what was queued since */
  sdb_waiting_message *waiting, **waiting_last;
  size_t waiting_bytes;
  char *text; /* the reason of a close, or a token */
  size_t text_size;
  sdb_catchup *catchup;             /* NULL: it has all */
  sdb_trial *trials, **trials_last; /* its pushes that wait for a verdict, or behind one */
};

/* ---- operations ---- */

/* Whose write it is: a client's push, a request, or a request's commit of a partial. */
typedef struct sdb_write_op {
  sdb_op_write write; /* first: an sdb_op is at its head */
  sdb_hub *hub;
  sdb_user *user;
  sdb_peer *peer;           /* a push's, counted; else NULL */
  void *tag;                /* a request's */
  sdb_hub_partial *partial; /* a commit's */
  sdb_error *refusal;       /* what the guard or a verdict said; NULL: see the status */
  sdb_trial *trial;         /* it is, or is to be, judged; NULL: not */
  bool counted;             /* in its peer's in_flight */
  char body[];
} sdb_write_op;

typedef struct sdb_page_op {
  sdb_op_page page;
  sdb_user *user;
  sdb_peer *peer; /* catch-up's, else NULL */
  void *tag;      /* a request's */
  bool singular;  /* the request wants exactly one */
} sdb_page_op;

typedef struct sdb_object_op {
  sdb_op_object object;
  sdb_user *user;
  void *tag;
} sdb_object_op;

typedef struct sdb_reserve_op {
  sdb_op_reserve reserve;
  sdb_hub_partial *partial;
  void *tag;
} sdb_reserve_op;

typedef struct sdb_load_op {
  sdb_op_user load;
  sdb_user *user;
  sdb_user_head heads[]; /* one a store */
} sdb_load_op;

/* ---- partials ---- */

/* What one peer has been sent of a partial. */
typedef struct sdb_view {
  sdb_peer *peer;
  uint32_t generation; /* of the text that `sent` counts in; 0: nothing was sent */
  size_t sent;         /* bytes of `head` */
} sdb_view;

/* The object's text stands in two pieces, cut inside the string that is appended to:
 *   head  {"role":"assistant","content":"Hello, how
 *   tail  ","$createdAt":1749383382805}
 * so that an append costs what it appends. */
typedef struct sdb_partial_text {
  sdb_buffer head, tail;
  sdb_buffer field; /* the name of the field that is cut; empty: none yet */
} sdb_partial_text;

struct sdb_hub_partial {
  sdb_user *user;
  sdb_hub_partial *next; /* in its user's list */
  sdb_hub_partial *dirty_next;
  uint64_t handle;
  uint16_t store;
  bool dirty;        /* has text that some peer was not sent; in the hub's list */
  bool committing;   /* at the storage */
  bool aborted;      /* while it is at the storage: goes when that comes back, unless stored */
  sdb_status failed; /* an append that could not be done, until a set */
  sdb_seq seq;       /* its object id; 0: being reserved */
  uint64_t created_ms;
  uint32_t generation; /* a new one for each text that is no continuation of the one before */
  sdb_partial_text text;
  sdb_view *views;
  uint32_t views_count, views_capacity;
};

/* ---- outputs ---- */

typedef struct sdb_send {
  sdb_peer *peer;     /* counted */
  sdb_frames *frames; /* counted */
} sdb_send;

/* The answer to a request, made with it so that it can always be given. */
struct sdb_done {
  sdb_done *next;
  sdb_hub_output output;
  sdb_op *op;      /* freed with it: the output's slices point into it */
  sdb_error error; /* what output.error points to */
};

struct sdb_waiting_request {
  sdb_waiting_request *next;
  sdb_request request; /* its slices stand behind */
};

#define SDB_USER_BUCKETS_MIN 64

struct sdb_hub {
  sdb_hub_options options;
  const sdb_mem *mem;
  sdb_limits limits;
  sdb_uuid database; /* the key of ids */
  sdb_uuid epoch;    /* what devices are told as `database` */
  sdb_user **users;  /* hash table, chained */
  uint32_t users_count, users_buckets;
  sdb_peer *all_peers;
  sdb_peer_queue hellos;     /* peers that have said none */
  sdb_peer_queue identities; /* peers whose identity was asked for */
  uint64_t expiry_ms;        /* not later than the first expiry of an identity; UINT64_MAX: none */
  sdb_op *staged, **staged_last;
  sdb_send *sends; /* from sends_first to sends_end */
  uint32_t sends_first, sends_end, sends_capacity;
  sdb_peer *attention, **attention_last;
  sdb_op *events, **events_last; /* writes that subscribers are to be told of */
  sdb_done *dones, **dones_last;
  sdb_trial *trials;              /* all there are, in no order */
  sdb_trial *asked, **asked_last; /* those that wait for a verdict, oldest first */
  sdb_trial *to_ask;              /* the first of them that was not given out */
  sdb_tickets tickets;            /* of those that wait for a verdict */
  uint32_t trials_count;
  size_t trials_bytes; /* of their bodies */
  bool judging_stopped;
  sdb_done *promised;   /* one for each request that is not done */
  sdb_peer *given_peer; /* what next_output gave last: freed by its next call */
  sdb_op *given_op;
  sdb_done *given_done;
  sdb_hub_partial *dirty;
  sdb_json json;      /* of the message or object that is looked at */
  sdb_wire_run run;   /* of the frames that are written */
  sdb_buffer scratch; /* of the object or text that is written */
  sdb_hub_stats stats;
};

static inline const char *sdb_hub_store_name(const sdb_hub *hub, uint16_t store) {
  return sdb_store_wire_name(hub->options.stores[store]);
}

static inline bool sdb_hub_is_singular(const sdb_hub *hub, uint16_t store) {
  return sdb_store_type_of(hub->options.stores[store]) == SDB_STORE_SINGULAR;
}

/* The store that the string at `at` names, or -1. */
static inline int sdb_hub_find_store(const sdb_hub *hub, const sdb_json *json, uint32_t at) {
  char name[SDB_STORE_NAME_MAX * 6]; /* each character may be escaped */
  sdb_slice text = sdb_json_text(json, at);
  if (sdb_json_at(json, at)->escaped) {
    if (text.size > sizeof(name)) return -1;
    text = sdb_slice_make(name, sdb_json_unescape(json, at, name));
  }
  return sdb_stores_find_wire(hub->options.stores, hub->options.stores_count, text);
}

static inline bool sdb_hub_is_subscribed(const sdb_hub *hub, uint16_t store) {
  return hub->options.subscribed && hub->options.subscribed(hub->options.subscribed_context, store);
}

/* Also on the storage's threads. */
static inline bool sdb_hub_is_judged(const sdb_hub *hub, uint16_t store) {
  return hub->options.judged && hub->options.judged(hub->options.subscribed_context, store);
}

static inline sdb_uuid sdb_hub_uuid(const sdb_hub *hub, sdb_seq seq) {
  return seq ? sdb_seq_to_uuid(seq, hub->database) : (sdb_uuid){{0}};
}

/* ---- outputs.c ---- */
/* The run's frames as one piece with one reference, and the run empty again; NULL: no memory. */
sdb_frames *sdb_hub_take_frames(sdb_hub *hub);
/* Queues frames for a peer that is not closing; takes a reference of its own. A peer that cannot
 * be sent them (NULL: no memory), or that reads too slowly, is closed. */
void sdb_hub_send(sdb_peer *peer, sdb_frames *frames);
/* The run's frames to this one peer. */
void sdb_hub_send_run(sdb_peer *peer);
void sdb_hub_send_error(
    sdb_peer *peer, const sdb_error *error, sdb_uuid client_id, const char *store);
/* The peer must not be closing yet. Never fails: without memory the reason is left out. */
void sdb_hub_close_peer(sdb_peer *peer, unsigned code, const char *reason);
/* `token` may be empty. */
void sdb_hub_authenticate(sdb_peer *peer, sdb_slice token, uint64_t now_ms);
/* Tells the subscribers; the operation is the queue's from now on. */
void sdb_hub_queue_event(sdb_write_op *op);
/* Sees to it that one DONE more can be given, whatever the memory then. False: no memory. */
bool sdb_hub_promise_done(sdb_hub *hub);
/* The promised one, with status and error filled in, not queued yet. */
sdb_done *sdb_hub_done_new(sdb_hub *hub, void *tag, sdb_status status);
void sdb_hub_done_queue(sdb_hub *hub, sdb_done *done);
/* A DONE without results. `error` may be NULL, and counts only where it is of this status. */
void sdb_hub_done(sdb_hub *hub, void *tag, sdb_status status, const sdb_error *error);
/* Frees a write, page or object operation that came back. */
void sdb_hub_free_op(sdb_hub *hub, sdb_op *op);

/* ---- user.c ---- */
/* The user of this name, loaded or being loaded, with one more reference; NULL: no memory. */
sdb_user *sdb_user_get(sdb_hub *hub, sdb_slice name);
void sdb_user_release(sdb_user *user);
/* Whether a hello can be answered by what is known of the user. If not, that is asked for, and
 * SDB_PEER_GREETED peers are answered when it comes (no memory: `*failed` is set). */
bool sdb_user_is_fresh(sdb_user *user, uint64_t now_ms, bool *failed);
void sdb_user_on_loaded(sdb_hub *hub, sdb_load_op *op, uint64_t now_ms);
/* The newest event of the store that there ever was, as far as is known; 0: none. */
sdb_seq sdb_user_head_of(const sdb_user *user, uint16_t store);
/* Notes that `object` has a newer event, while pages are in flight. */
void sdb_user_note_overwrite(sdb_user *user, uint16_t store, sdb_seq object, sdb_seq seq);
bool sdb_user_is_overwritten(
    const sdb_user *user, uint16_t store, bool singular, sdb_seq object, sdb_seq seq);

/* ---- peer.c ---- */
void sdb_peer_retain(sdb_peer *peer);
void sdb_peer_release(sdb_peer *peer);
/* Gives the peer a user. False: too many connections, or no memory. */
bool sdb_peer_set_user(sdb_peer *peer, sdb_slice user, uint64_t expires_ms);
/* Has it wait in `queue`, and in no other. */
void sdb_peer_await(sdb_peer *peer, sdb_peer_queue *queue, uint64_t now_ms);
void sdb_peer_leave_queue(sdb_peer *peer);
/* Keeps a message until the hello is answered. False: no memory, or too much waits. */
bool sdb_peer_wait(sdb_peer *peer, sdb_slice text);
void sdb_peer_free_waiting(sdb_peer *peer);

/* ---- hello.c, push.c, fetch.c, auth.c: a message each ---- */
void sdb_hub_on_hello(
    sdb_peer *peer, const sdb_wire_message *message, sdb_slice text, uint64_t now_ms);
/* Answers a hello that waited, and then what came behind it. */
void sdb_hub_answer_hello(sdb_peer *peer, uint64_t now_ms);
void sdb_hub_on_push(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms);
/* Counts a push, or a message that is wrong, of a peer. False: it sent far too many, for too long,
 * and was closed. */
bool sdb_push_allow(sdb_peer *peer, uint64_t now_ms);
void sdb_hub_on_fetch(sdb_peer *peer, const sdb_wire_message *message);
void sdb_hub_on_auth(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms);

/* ---- catchup.c ---- */
/* Adds a range behind all others; NULL: no memory. The pointer holds until the next call. */
sdb_range *sdb_catchup_add(sdb_peer *peer, const sdb_range *range);
/* Adds one behind the fetches that wait and before the hello's. False: no memory. */
bool sdb_catchup_add_fetch(sdb_peer *peer, const sdb_range *range);
void sdb_catchup_free(sdb_peer *peer);
/* Asks for the next page, if there is one to ask for and room for it. */
void sdb_catchup_continue(sdb_peer *peer);
void sdb_catchup_on_page(sdb_hub *hub, sdb_page_op *op);

/* ---- write.c ---- */
/* A write for `user` with room for a body of `size` bytes (the caller fills it in), or NULL. */
sdb_write_op *sdb_write_new(sdb_user *user, size_t size);
/* Counts a push as its peer's that is on its way, and holds the peer; once. */
void sdb_write_count(sdb_write_op *op);
/* The opposite; the peer may be gone then. */
void sdb_write_uncount(sdb_write_op *op);
/* Hands it to the storage with the next flush, counted. */
void sdb_write_stage(sdb_write_op *op, uint64_t now_ms);
void sdb_write_on_done(sdb_hub *hub, sdb_write_op *op, uint64_t now_ms);
/* What was stored, as the application sees it. */
sdb_hub_row sdb_write_row(const sdb_write_op *op);
void sdb_hub_stage(sdb_hub *hub, sdb_op *op);
/* The same check for objects of clients and of the application, from the scan in hub->json:
 * schema and size; the stored text is left in hub->scratch. */
SDB_MUST_CHECK sdb_status sdb_hub_prepare_object(
    sdb_hub *hub, uint16_t store, uint32_t at, uint64_t now_ms, sdb_error *error);

/* ---- judge.c ---- */
/* Whether one more push may wait for a verdict, or behind one. */
bool sdb_trial_has_room(const sdb_hub *hub, size_t size);
/* Has the push judged where its store is, behind those of its peer that are. False: no memory, and
 * the push is the caller's still. */
bool sdb_trial_begin(sdb_write_op *op, uint64_t now_ms);
/* For the guard of a push with a trial: whether the verdict there is holds for what was found. */
sdb_status sdb_trial_look(sdb_write_op *op, sdb_slice current);
/* A push with a trial came back. True: it is to be judged first. False: its trial is over. */
bool sdb_trial_on_done(sdb_write_op *op, uint64_t now_ms);
/* Fills a JUDGE output from the first of hub->to_ask. */
void sdb_trial_give(sdb_hub *hub, sdb_hub_output *output);
void sdb_trials_time_out(sdb_hub *hub, uint64_t now_ms);
uint64_t sdb_trials_deadline_ms(const sdb_hub *hub);

/* ---- partial.c ---- */
void sdb_partial_on_request(sdb_user *user, const sdb_request *request, uint64_t now_ms);
void sdb_partial_on_reserved(sdb_hub *hub, sdb_reserve_op *op);
/* Its commit came back. */
void sdb_partial_on_written(sdb_hub_partial *partial, sdb_status status);
/* Sends what is new of all partials to those who can take it. */
void sdb_partials_emit(sdb_hub *hub);
/* Sends a peer that became live, or that drained, what it misses of its user's partials. */
void sdb_partials_catch_up(sdb_peer *peer);
void sdb_partials_forget_peer(sdb_peer *peer);
void sdb_partial_free(sdb_hub_partial *partial);

/* ---- request.c ---- */
void sdb_request_run(sdb_user *user, const sdb_request *request, uint64_t now_ms);
void sdb_request_on_page(sdb_hub *hub, sdb_page_op *op);
void sdb_request_on_object(sdb_hub *hub, sdb_object_op *op);

#endif
