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

#include "hub/hub.h"
#include "wire/wire.h"

typedef struct sdb_user sdb_user;
typedef struct sdb_hub_partial sdb_hub_partial;
typedef struct sdb_output_node sdb_output_node;
typedef struct sdb_waiting_request sdb_waiting_request;
typedef struct sdb_early_message sdb_early_message;

/* ---- users ---- */

typedef enum sdb_user_state {
  SDB_USER_LOADING, /* its number and heads are asked for */
  SDB_USER_READY,
  SDB_USER_FAILED /* they could not be had: what waits is refused, and the user goes */
} sdb_user_state;

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

/* A range of a store that the peer misses, on its way. */
typedef struct sdb_range {
  uint16_t store;
  bool to_head;   /* `before` is null on the wire */
  uint32_t left;  /* events that may still be sent (window, limit) */
  sdb_seq after;  /* exclusive; 0: null on the wire */
  sdb_seq before; /* exclusive, as it was asked for */
  sdb_seq next;   /* exclusive: what is at or above it was sent */
} sdb_range;

struct sdb_peer {
  sdb_hub *hub;
  sdb_user *user; /* NULL: no identity yet */
  void *tag;
  sdb_peer *user_next;
  sdb_peer *hello_next, **hello_at; /* those without a hello, oldest first */
  sdb_peer *all_next, **all_at;
  uint32_t references;
  sdb_peer_state state;
  bool connected; /* the owner has not said on_disconnect */
  bool accepts_append;
  bool page_in_flight;
  bool authenticating;    /* an AUTHENTICATE output waits for its answer */
  uint32_t in_flight;     /* its pushes at the storage */
  size_t in_flight_bytes; /* of their bodies, which will come back to it */
  uint64_t connected_ms, expires_ms;
  uint64_t rate_ms; /* token bucket: when it was filled last */
  uint32_t rate_tokens, rate_refused;
  size_t output_level; /* what net said, and what was queued since */
  char *hello;         /* the text of a hello that waits */
  size_t hello_size;
  sdb_early_message *early, **early_last; /* what came behind the hello and waits for its answer */
  size_t early_bytes;
  sdb_range *ranges; /* of which `ranges_done` are sent */
  uint32_t ranges_count, ranges_capacity, ranges_done;
};

/* ---- operations ---- */

/* Whose write it is: a client's push, a request, or a request's commit of a partial. */
typedef struct sdb_write_op {
  sdb_op_write write; /* first: an sdb_op is at its head */
  sdb_hub *hub;
  sdb_user *user;
  sdb_peer *peer;           /* a push's, else NULL */
  void *tag;                /* a request's */
  sdb_hub_partial *partial; /* a commit's */
  sdb_error *refusal;       /* what the guard found; NULL: see the status */
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

typedef struct sdb_user_op {
  sdb_op_user user;
} sdb_user_op;

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
struct sdb_hub_partial {
  sdb_user *user;
  sdb_hub_partial *next; /* in its user's list */
  sdb_hub_partial *dirty_next;
  uint64_t handle;
  uint16_t store;
  bool dirty;        /* has text that some peer was not sent; in the hub's list */
  bool committing;   /* at the storage */
  bool aborted;      /* while it is being reserved: goes when that comes back */
  sdb_status failed; /* an append that could not be done, until a set */
  sdb_seq seq;       /* its object id; 0: being reserved */
  uint64_t created_ms;
  uint32_t generation; /* a new one for each text that is no continuation of the one before */
  sdb_buffer head, tail;
  sdb_buffer field; /* the name of the field that is cut; empty: none yet */
  sdb_view *views;
  uint32_t views_count, views_capacity;
};

/* ---- outputs ---- */

struct sdb_output_node {
  sdb_output_node *next;
  sdb_hub_output output;
  sdb_peer *peer;    /* counted */
  sdb_op *op;        /* freed with the node: the output's slices point into it */
  bool explained;    /* one of `error` stands behind; such a node is not used again */
  sdb_error error[]; /* what output.error points to, or the text of a CLOSE */
};

struct sdb_early_message {
  sdb_early_message *next;
  size_t size;
  char text[];
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
  sdb_uuid database;
  sdb_user **users; /* hash table, chained */
  uint32_t users_count, users_buckets;
  sdb_peer *all_peers;
  sdb_peer *hello_first, **hello_last;
  uint64_t expiry_ms; /* not later than the first expiry of an identity; UINT64_MAX: none */
  sdb_op *staged, **staged_last;
  sdb_output_node *outputs, **outputs_last;
  sdb_output_node *given; /* what next_output gave last: goes with its next call */
  sdb_output_node *spare;
  sdb_output_node *promised; /* one for each request that is not done */
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

static inline sdb_uuid sdb_hub_uuid(const sdb_hub *hub, sdb_seq seq) {
  return seq ? sdb_seq_to_uuid(seq, hub->database) : (sdb_uuid){{0}};
}

/* ---- outputs.c ---- */
/* The run's frames as one piece with one reference, and the run empty again; NULL: no memory. */
sdb_frames *sdb_hub_take_frames(sdb_hub *hub);
/* Queues frames for a peer that is not closing; takes a reference of its own. */
void sdb_hub_send(sdb_peer *peer, sdb_frames *frames);
/* The run's frames to this one peer. */
void sdb_hub_send_run(sdb_peer *peer);
void sdb_hub_close_peer(sdb_peer *peer, unsigned code, const char *reason);
void sdb_hub_authenticate(sdb_peer *peer, sdb_slice token);
void sdb_hub_send_error(
    sdb_peer *peer, const sdb_error *error, sdb_uuid client_id, const char *store);
/* A node to fill and queue, or NULL. */
sdb_output_node *sdb_hub_output_new(sdb_hub *hub, sdb_hub_output_kind kind);
void sdb_hub_output_queue(sdb_hub *hub, sdb_output_node *node);
/* Sees to it that one DONE more can be given, whatever the memory then. False: no memory. */
bool sdb_hub_promise_done(sdb_hub *hub);
/* The promised node, with status and error filled in, not queued yet. */
sdb_output_node *sdb_hub_done_new(sdb_hub *hub, void *tag, sdb_status status);
/* A DONE without results. */
void sdb_hub_done(sdb_hub *hub, void *tag, sdb_status status, const sdb_error *error);

/* ---- user.c ---- */
/* The user of this name, loaded or being loaded, with one more reference; NULL: no memory. */
sdb_user *sdb_user_get(sdb_hub *hub, sdb_slice name);
void sdb_user_release(sdb_user *user);
void sdb_user_on_loaded(sdb_hub *hub, sdb_op_user *op, uint64_t now_ms);
/* Notes that `object` has a newer event, while pages are in flight. */
void sdb_user_note_overwrite(sdb_user *user, uint16_t store, sdb_seq object, sdb_seq seq);
bool sdb_user_is_overwritten(
    const sdb_user *user, uint16_t store, bool singular, sdb_seq object, sdb_seq seq);

/* ---- peer.c ---- */
void sdb_peer_retain(sdb_peer *peer);
void sdb_peer_release(sdb_peer *peer);
/* Gives the peer a user. False: too many connections, or no memory; it was closed. */
bool sdb_peer_set_user(sdb_peer *peer, sdb_slice user, uint64_t expires_ms);
void sdb_peer_leave_hello_queue(sdb_peer *peer);
/* Keeps a message that came behind the hello: a device need not wait for the answer. */
void sdb_peer_keep_early(sdb_peer *peer, sdb_slice text);
/* Acts on what was kept, once the peer is live. */
void sdb_peer_run_early(sdb_peer *peer, uint64_t now_ms);

/* ---- hello.c, push.c, fetch.c, auth.c: a message each ---- */
void sdb_hub_on_hello(
    sdb_peer *peer, const sdb_wire_message *message, sdb_slice text, uint64_t now_ms);
/* Answers a hello that waited, once the peer has a user and the user is loaded. */
void sdb_hub_answer_hello(sdb_peer *peer, uint64_t now_ms);
void sdb_hub_on_push(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms);
void sdb_hub_on_fetch(sdb_peer *peer, const sdb_wire_message *message);
void sdb_hub_on_auth(sdb_peer *peer, const sdb_wire_message *message);

/* ---- catchup.c ---- */
/* False: no memory. */
bool sdb_catchup_add(sdb_peer *peer, const sdb_range *range);
/* Asks for the next page, if there is one to ask for and room for it. */
void sdb_catchup_continue(sdb_peer *peer);
void sdb_catchup_on_page(sdb_hub *hub, sdb_page_op *op);

/* ---- write.c ---- */
/* A write for `user` with room for a body of `size` bytes (the caller fills it in), or NULL. */
sdb_write_op *sdb_write_new(sdb_user *user, size_t size);
void sdb_write_stage(sdb_write_op *op, uint64_t now_ms);
void sdb_write_on_done(sdb_hub *hub, sdb_write_op *op);
void sdb_hub_stage(sdb_hub *hub, sdb_op *op);
/* Frees an operation that came back, with its results and its hold on the user. */
void sdb_hub_free_op(sdb_hub *hub, sdb_op *op);
/* The same check for objects of clients and of the application, from the scan in hub->json:
 * schema and size; the stored text is left in hub->scratch. */
SDB_MUST_CHECK sdb_status sdb_hub_prepare_object(
    sdb_hub *hub, uint16_t store, uint32_t at, uint64_t now_ms, sdb_error *error);

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
