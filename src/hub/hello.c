/* hub/hello.c: client_hello: what the device holds, so what it misses (protocol.md sections 3, 5).
 *
 * The answer is given at one moment: server_hello carries the heads as they are,
 * from then on the peer is live and is sent every later event, and its ranges end
 * at those heads. So nothing is missed between the two, and nothing comes twice.
 * Until that moment (its user may have to be read first) messages behind the
 * hello wait, in order.
 */
#include "base/error.h"
#include "base/planted.h"
#include "hub/state.h"

/* What the hello says of one store. */
typedef struct claim {
  sdb_seq head; /* 0: never synced */
  bool reset;
} claim;

typedef struct greeting {
  sdb_peer *peer;
  const sdb_hub *hub;
  const sdb_json *json;
  const sdb_wire_message *message;
  const char *wrong; /* why the hello is no hello */
  bool no_memory;
  bool unknown_store; /* it names one that is not known here */
  uint32_t missing_count;
  claim claims[SDB_STORES_MAX];
} greeting;

/* Calls `take` for each member of the object at `object` that is named after a store. */
static void each_store(greeting *g, uint32_t object, void (*take)(greeting *, uint16_t, uint32_t)) {
  if (object == 0) return;
  uint32_t at = object + 1;
  for (uint32_t i = 0; i < sdb_json_at(g->json, object)->count && !g->wrong; i++) {
    int store = sdb_hub_find_store(g->hub, g->json, at);
    if (store >= 0)
      take(g, (uint16_t)store, at + 1);
    else
      g->unknown_store = true;
    at = sdb_json_at(g->json, at + 1)->next;
  }
}

static bool is_null(const greeting *g, uint32_t at) {
  return at == 0 || sdb_json_at(g->json, at)->type == SDB_JSON_NULL;
}

/* A position in the log; 0 for null. False: not a UUID. `*foreign` is set where it is one, but not
 * of this database's making. */
static bool read_position(const greeting *g, uint32_t at, sdb_seq *seq, bool *foreign) {
  sdb_uuid id;
  *seq = 0;
  if (is_null(g, at)) return true;
  if (!sdb_wire_uuid(g->json, at, &id)) return false;
  if (!sdb_seq_from_uuid(id, g->hub->database, seq)) *foreign = true;
  return true;
}

/* ---- what it holds ---- */

static void take_head(greeting *g, uint16_t store, uint32_t at) {
  claim *c = &g->claims[store];
  const sdb_user *user = g->peer->user;
  if (!read_position(g, at, &c->head, &c->reset)) {
    g->wrong = "a head in syncStatus is not a UUID";
    return;
  }
  if (c->head == 0) return;
  /* Its heads may stand at or below ours all the same, over events that this history lacks. */
  bool other_epoch = !sdb_uuid_is_nil(g->message->database) &&
                     !sdb_uuid_equal(g->message->database, g->hub->epoch);
  if (SDB_PLANTED(EPOCH_IGNORED)) other_epoch = false;
  if (other_epoch || c->head > sdb_user_head_of(user, store) ||
      (c->head < user->heads[store].horizon && !SDB_PLANTED(HORIZON_IGNORED)))
    c->reset = true;
}

static void take_window(greeting *g, uint16_t store, uint32_t at) {
  uint64_t window;
  if (is_null(g, at)) return;
  if (sdb_json_at(g->json, at)->type != SDB_JSON_NUMBER || !sdb_json_uint64(g->json, at, &window)) {
    g->wrong = "a window is not a whole number";
    return;
  }
  if (sdb_hub_is_singular(g->hub, store)) return;
  g->peer->catchup->windows[store] = window > SDB_WINDOW_ALL ? SDB_WINDOW_ALL : (uint32_t)window;
}

static void take_accept(greeting *g) {
  uint32_t at = g->message->accept;
  if (at == 0) return;
  uint32_t item = at + 1;
  for (uint32_t i = 0; i < sdb_json_at(g->json, at)->count; i++) {
    if (sdb_json_at(g->json, item)->type == SDB_JSON_STRING &&
        sdb_json_string_is(g->json, item, sdb_slice_of("append")))
      g->peer->accepts_append = true;
    item = sdb_json_at(g->json, item)->next;
  }
}

/* ---- missing ranges ---- */

/* A remove that is forgotten by now may lie in any range that begins before the horizon; what
 * it removed is held by the device only if it holds something below the range. */
static void add_range(greeting *g, uint16_t store, sdb_range *range) {
  claim *c = &g->claims[store];
  if (range->after != 0 && range->after < g->peer->user->heads[store].horizon) c->reset = true;
  if (range->before > c->head) range->before = c->head; /* above is (head, now] */
  if (c->reset || range->after >= range->before) return;
  range->next = range->before;
  range->objects_only = range->after == 0;
  if (!sdb_catchup_add(g->peer, range)) g->no_memory = true;
}

static void take_range(greeting *g, uint16_t store, uint32_t at) {
  sdb_range range = {.store = store};
  bool foreign = false;
  uint32_t after = sdb_json_member(g->json, at, sdb_slice_of("after"));
  uint32_t before = sdb_json_member(g->json, at, sdb_slice_of("before"));
  if (is_null(g, before) || !read_position(g, before, &range.before, &foreign) ||
      !read_position(g, after, &range.after, &foreign))
    g->wrong = "a missing range is not {after, before}";
  else if (foreign)
    g->claims[store].reset = true;
  else if (range.after >= range.before)
    g->wrong = "a missing range is reversed";
  else
    add_range(g, store, &range);
}

static void take_missing(greeting *g, uint16_t store, uint32_t at) {
  if (sdb_json_at(g->json, at)->type != SDB_JSON_ARRAY) {
    g->wrong = "missing is not a list of ranges";
    return;
  }
  uint32_t count = sdb_json_at(g->json, at)->count;
  g->missing_count += count;
  if (g->missing_count > SDB_MISSING_RANGES_MAX) g->wrong = "too many missing ranges";
  for (uint32_t i = 0, item = at + 1; i < count && !g->wrong; i++) {
    if (sdb_json_at(g->json, item)->type == SDB_JSON_OBJECT)
      take_range(g, store, item);
    else
      g->wrong = "a missing range is not an object";
    item = sdb_json_at(g->json, item)->next;
  }
}

/* At most SDB_MISSING_RANGES_MAX, mostly in order already: insertion does. Newest first. */
static void sort_ranges(sdb_range *ranges, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    sdb_range range = ranges[i];
    uint32_t at = i;
    for (; at > 0 && ranges[at - 1].before < range.before; at--)
      ranges[at] = ranges[at - 1];
    ranges[at] = range;
  }
}

/* Drops the ranges of stores that are reset, and joins those that overlap, so that no event is
 * sent twice. */
static uint32_t join_ranges(const greeting *g, sdb_range *ranges, uint32_t count) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    const sdb_range *range = &ranges[i];
    if (g->claims[range->store].reset) continue;
    uint32_t at = kept;
    while (at > 0 && ranges[at - 1].store != range->store)
      at--;
    sdb_range *newer = at > 0 ? &ranges[at - 1] : NULL;
    if (!newer || range->before <= newer->after) {
      ranges[kept++] = *range;
    } else if (range->after < newer->after) {
      newer->after = range->after;
      newer->objects_only = range->objects_only;
    }
  }
  return kept;
}

/* ---- the answer ---- */

/* From the head to now, of every store; singular ones first, for they are one event each. What
 * they begin at is filled in when all of the hello was read. */
static void add_new_ranges(greeting *g) {
  for (int singular = 1; singular >= 0; singular--) {
    for (uint16_t i = 0; i < g->hub->options.stores_count; i++) {
      sdb_range range = {.store = i, .to_head = true};
      if (sdb_hub_is_singular(g->hub, i) != (singular == 1)) continue;
      if (!sdb_catchup_add(g->peer, &range)) g->no_memory = true;
    }
  }
}

static void finish_ranges(greeting *g) {
  sdb_catchup *catchup = g->peer->catchup;
  uint32_t stores_count = (uint32_t)g->hub->options.stores_count;
  for (uint32_t i = 0; i < stores_count; i++) {
    sdb_range *range = &catchup->ranges[i];
    const claim *c = &g->claims[range->store];
    range->after = c->reset ? 0 : c->head;
    range->before = range->next = sdb_user_head_of(g->peer->user, range->store) + 1;
    range->objects_only = range->after == 0;
  }
  sdb_range *missing = catchup->ranges + stores_count;
  sort_ranges(missing, catchup->count - stores_count);
  catchup->count = stores_count + join_ranges(g, missing, catchup->count - stores_count);
}

static void send_server_hello(const greeting *g, uint64_t now_ms) {
  sdb_hub *hub = g->peer->hub;
  sdb_wire_store_head stores[SDB_STORES_MAX];
  size_t count = hub->options.stores_count;
  for (uint16_t i = 0; i < count; i++) {
    stores[i].store = sdb_hub_store_name(hub, i);
    stores[i].head = sdb_hub_uuid(hub, sdb_user_head_of(g->peer->user, i));
    stores[i].reset = g->claims[i].reset;
  }
  sdb_wire_server_hello(&hub->run, hub->epoch, now_ms, stores, count);
  sdb_hub_send_run(g->peer);
  if (!g->unknown_store) return;
  sdb_error error;
  sdb_error_set(
      &error, SDB_UNKNOWN_STORE, "the hello names a store that is not known here", NULL, NULL);
  sdb_hub_send_error(g->peer, &error, (sdb_uuid){{0}}, NULL);
}

static void read_hello(greeting *g) {
  const sdb_wire_message *message = g->message;
  if (message->sync_status == 0) g->wrong = "the hello has no syncStatus";
  add_new_ranges(g);
  if (g->no_memory || g->wrong) return;
  each_store(g, message->sync_status, take_head);
  each_store(g, message->window, take_window);
  each_store(g, message->missing, take_missing);
  take_accept(g);
  if (!g->no_memory && !g->wrong) finish_ranges(g);
}

static void greet(greeting *g, uint64_t now_ms) {
  sdb_peer *peer = g->peer;
  read_hello(g);
  if (g->no_memory) {
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
    return;
  }
  if (g->wrong) {
    sdb_hub_close_peer(peer, SDB_CLOSE_BAD_MESSAGE, g->wrong);
    return;
  }
  peer->state = SDB_PEER_LIVE;
  send_server_hello(g, now_ms);
  sdb_partials_catch_up(peer);
  sdb_catchup_continue(peer);
}

static void answer(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms) {
  greeting *g = sdb_mem_zero(peer->hub->mem, sizeof(*g));
  if (!g) {
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
    return;
  }
  g->peer = peer;
  g->hub = peer->hub;
  g->json = message->json;
  g->message = message;
  greet(g, now_ms);
  sdb_mem_free(peer->hub->mem, g);
}

/* Whether the hello can be answered now; else it waits, or the peer was closed. */
static bool is_answerable(sdb_peer *peer, uint64_t now_ms) {
  bool failed = false;
  if (peer->authenticating) return false;
  if (sdb_user_is_fresh(peer->user, now_ms, &failed)) return true;
  if (failed) sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
  return false;
}

static sdb_waiting_message *take_waiting(sdb_peer *peer) {
  sdb_waiting_message *waiting = peer->waiting;
  peer->waiting = waiting->next;
  peer->waiting_bytes -= sizeof(*waiting) + waiting->size;
  return waiting;
}

void sdb_hub_answer_hello(sdb_peer *peer, uint64_t now_ms) {
  SDB_ASSERT(peer->state == SDB_PEER_GREETED && peer->waiting);
  sdb_hub *hub = peer->hub;
  if (!is_answerable(peer, now_ms)) return;
  sdb_waiting_message *hello = take_waiting(peer);
  sdb_wire_message message;
  if (sdb_wire_decode(&hub->json, sdb_slice_make(hello->text, hello->size),
          (int)hub->limits.depth_max, &message, NULL) == SDB_OK)
    answer(peer, &message, now_ms);
  else /* it was read before, so this can only be memory */
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
  sdb_mem_free(hub->mem, hello);
  while (peer->waiting) {
    sdb_waiting_message *waiting = take_waiting(peer);
    sdb_hub_on_message(hub, peer, sdb_slice_make(waiting->text, waiting->size), now_ms);
    sdb_mem_free(hub->mem, waiting);
  }
}

/* ---- the message ---- */

void sdb_hub_on_hello(
    sdb_peer *peer, const sdb_wire_message *message, sdb_slice text, uint64_t now_ms) {
  sdb_peer_leave_queue(peer);
  bool known = peer->user != NULL;
  if (!known && message->token == 0 && !peer->hub->options.asks_without_token) {
    sdb_hub_close_peer(peer, SDB_CLOSE_UNAUTHORIZED, "");
    return;
  }
  peer->state = SDB_PEER_GREETED;
  /* A token is looked at even where the upgrade told who it is: they may be two people. */
  if (known && message->token == 0 && is_answerable(peer, now_ms)) {
    answer(peer, message, now_ms);
    return;
  }
  if (peer->state == SDB_PEER_CLOSING) return;
  if (!sdb_peer_wait(peer, text))
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
  else if (message->token != 0)
    sdb_hub_on_auth(peer, message, now_ms);
  else if (!known)
    sdb_hub_authenticate(peer, sdb_slice_make(NULL, 0), now_ms);
}
