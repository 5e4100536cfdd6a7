/* hub/hello.c: client_hello: what the device holds, so what it misses (protocol.md sections 3, 5).
 *
 * The answer is given at one moment: server_hello carries the heads as they are,
 * from then on the peer is live and is sent every later event, and its ranges end
 * at those heads. So nothing is missed between the two, and nothing comes twice.
 */
#include "base/error.h"
#include "hub/state.h"

/* What the hello says of one store. */
typedef struct claim {
  sdb_seq head; /* 0: never synced */
  bool reset;
  bool windowed;
  uint32_t window;
} claim;

typedef struct greeting {
  sdb_peer *peer;
  const sdb_wire_message *message;
  claim claims[SDB_STORES_MAX];
  uint32_t missing_count;
  uint32_t unknown;  /* the token of a store's name that nobody knows, 0: none */
  const char *wrong; /* why the hello is no hello */
} greeting;

static int find_store(const greeting *g, uint32_t name) {
  const sdb_hub *hub = g->peer->hub;
  const sdb_json *json = g->message->json;
  if (!sdb_json_at(json, name)->escaped)
    return sdb_stores_find_wire(
        hub->options.stores, hub->options.stores_count, sdb_json_text(json, name));
  for (size_t i = 0; i < hub->options.stores_count; i++) {
    if (sdb_json_string_is(json, name, sdb_slice_of(sdb_hub_store_name(hub, (uint16_t)i))))
      return (int)i;
  }
  return -1;
}

/* Calls `take` for each member of the object at `object` that is named after a store. */
static void each_store(greeting *g, uint32_t object, void (*take)(greeting *, uint16_t, uint32_t)) {
  const sdb_json *json = g->message->json;
  if (object == 0) return;
  uint32_t at = object + 1;
  for (uint32_t i = 0; i < sdb_json_at(json, object)->count && !g->wrong; i++) {
    int store = find_store(g, at);
    if (store >= 0)
      take(g, (uint16_t)store, at + 1);
    else
      g->unknown = at;
    at = sdb_json_at(json, at + 1)->next;
  }
}

/* A position in the log. False, with `*foreign`: a UUID, but not of this database's making. */
static bool read_position(greeting *g, uint32_t at, sdb_seq *seq, bool *foreign) {
  sdb_uuid id;
  if (!sdb_wire_uuid(g->message->json, at, &id)) return false;
  *foreign = !sdb_seq_from_uuid(id, g->peer->hub->database, seq);
  return !*foreign;
}

static void take_head(greeting *g, uint16_t store, uint32_t at) {
  claim *c = &g->claims[store];
  bool foreign = false;
  if (sdb_json_at(g->message->json, at)->type == SDB_JSON_NULL) return;
  if (!read_position(g, at, &c->head, &foreign) && !foreign) {
    g->wrong = "a head in syncStatus is not a UUID";
    return;
  }
  const sdb_user_head *ours = &g->peer->user->heads[store];
  c->reset = foreign || c->head > ours->head || c->head < ours->horizon;
}

static void take_window(greeting *g, uint16_t store, uint32_t at) {
  const sdb_json *json = g->message->json;
  uint64_t window;
  if (sdb_json_at(json, at)->type == SDB_JSON_NULL) return;
  if (sdb_json_at(json, at)->type != SDB_JSON_NUMBER || !sdb_json_uint64(json, at, &window)) {
    g->wrong = "a window is not a whole number";
    return;
  }
  g->claims[store].windowed = true;
  g->claims[store].window = window > UINT32_MAX ? UINT32_MAX : (uint32_t)window;
}

/* ---- missing ranges ---- */

static void take_range(greeting *g, uint16_t store, uint32_t at) {
  const sdb_json *json = g->message->json;
  claim *c = &g->claims[store];
  sdb_range range = {.store = store, .left = UINT32_MAX};
  bool foreign = false;
  uint32_t after = sdb_json_member(json, at, sdb_slice_of("after"));
  uint32_t before = sdb_json_member(json, at, sdb_slice_of("before"));
  bool has_after = after != 0 && sdb_json_at(json, after)->type != SDB_JSON_NULL;
  if (before == 0 || (!read_position(g, before, &range.before, &foreign) && !foreign) ||
      (has_after && !foreign && !read_position(g, after, &range.after, &foreign) && !foreign)) {
    g->wrong = "a missing range is not {after, before}";
    return;
  }
  if (foreign) {
    c->reset = true;
    return;
  }
  if (range.after >= range.before) {
    g->wrong = "a missing range is reversed";
    return;
  }
  sdb_seq horizon = g->peer->user->heads[store].horizon;
  if (range.after != 0 && range.after < horizon && horizon < range.before) c->reset = true;
  if (range.before > c->head) range.before = c->head;
  range.next = range.before;
  if (c->head == 0 || range.after >= range.before) return;
  if (!sdb_catchup_add(g->peer, &range)) g->wrong = "out of memory";
}

static void take_missing(greeting *g, uint16_t store, uint32_t at) {
  const sdb_json *json = g->message->json;
  if (sdb_json_at(json, at)->type != SDB_JSON_ARRAY) {
    g->wrong = "missing is not a list of ranges";
    return;
  }
  uint32_t count = sdb_json_at(json, at)->count;
  g->missing_count += count;
  if (g->missing_count > SDB_MISSING_RANGES_MAX) {
    g->wrong = "too many missing ranges";
    return;
  }
  for (uint32_t i = 0, item = at + 1; i < count && !g->wrong; i++) {
    if (sdb_json_at(json, item)->type != SDB_JSON_OBJECT)
      g->wrong = "a missing range is not an object";
    else
      take_range(g, store, item);
    item = sdb_json_at(json, item)->next;
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
    if (g->claims[ranges[i].store].reset) continue;
    uint32_t at = kept;
    while (at > 0 && !(ranges[at - 1].store == ranges[i].store))
      at--;
    if (at > 0 && ranges[at - 1].after < ranges[i].before) {
      if (ranges[i].after < ranges[at - 1].after) ranges[at - 1].after = ranges[i].after;
    } else {
      ranges[kept++] = ranges[i];
    }
  }
  return kept;
}

/* ---- the answer ---- */

/* From the head to now, of every store; singular ones first, for they are one event each. They
 * go before the missing ranges, which stand in peer->ranges already. */
static bool add_new_ranges(greeting *g) {
  sdb_peer *peer = g->peer;
  uint32_t missing = peer->ranges_count;
  for (int singular = 1; singular >= 0; singular--) {
    for (uint16_t i = 0; i < peer->hub->options.stores_count; i++) {
      const claim *c = &g->claims[i];
      if (sdb_hub_is_singular(peer->hub, i) != (singular == 1)) continue;
      sdb_range range = {.store = i, .to_head = true, .left = c->windowed ? c->window : UINT32_MAX};
      range.after = c->reset ? 0 : c->head;
      range.before = range.next = peer->user->heads[i].head + 1;
      if (!sdb_catchup_add(peer, &range)) return false;
    }
  }
  uint32_t count = peer->ranges_count - missing;
  for (uint32_t i = 0; i < count; i++) { /* rotate: new ones first */
    sdb_range range = peer->ranges[missing + i];
    memmove(&peer->ranges[i + 1], &peer->ranges[i], missing * sizeof(range));
    peer->ranges[i] = range;
  }
  return true;
}

static void send_server_hello(greeting *g, uint64_t now_ms) {
  sdb_hub *hub = g->peer->hub;
  sdb_wire_store_head stores[SDB_STORES_MAX];
  size_t count = hub->options.stores_count;
  for (uint16_t i = 0; i < count; i++) {
    stores[i].store = sdb_hub_store_name(hub, i);
    stores[i].head = sdb_hub_uuid(hub, g->peer->user->heads[i].head);
    stores[i].reset = g->claims[i].reset;
  }
  sdb_wire_server_hello(&hub->run, hub->database, now_ms, stores, count);
  sdb_hub_send_run(g->peer);
  if (!g->unknown) return;
  sdb_error error;
  sdb_error_set(
      &error, SDB_UNKNOWN_STORE, "the hello names a store that is not known here", NULL, NULL);
  sdb_hub_send_error(g->peer, &error, (sdb_uuid){{0}}, NULL);
}

static void take_accept(greeting *g) {
  const sdb_json *json = g->message->json;
  uint32_t at = g->message->accept;
  if (at == 0) return;
  uint32_t item = at + 1;
  for (uint32_t i = 0; i < sdb_json_at(json, at)->count; i++) {
    if (sdb_json_at(json, item)->type == SDB_JSON_STRING &&
        sdb_json_string_is(json, item, sdb_slice_of("append")))
      g->peer->accepts_append = true;
    item = sdb_json_at(json, item)->next;
  }
}

static void read_claims(greeting *g) {
  const sdb_wire_message *message = g->message;
  sdb_hub *hub = g->peer->hub;
  if (message->sync_status == 0) {
    g->wrong = "the hello has no syncStatus";
    return;
  }
  each_store(g, message->sync_status, take_head);
  bool other =
      !sdb_uuid_is_nil(message->database) && !sdb_uuid_equal(message->database, hub->database);
  for (size_t i = 0; i < hub->options.stores_count; i++) {
    if (other && g->claims[i].head != 0) g->claims[i].reset = true;
  }
  each_store(g, message->window, take_window);
  each_store(g, message->missing, take_missing);
  take_accept(g);
}

static void greet(greeting *g, uint64_t now_ms) {
  sdb_peer *peer = g->peer;
  read_claims(g);
  if (!g->wrong) {
    sort_ranges(peer->ranges, peer->ranges_count);
    peer->ranges_count = join_ranges(g, peer->ranges, peer->ranges_count);
    if (!add_new_ranges(g)) g->wrong = "out of memory";
  }
  if (g->wrong) {
    sdb_hub_close_peer(peer, 4400, g->wrong);
    return;
  }
  peer->state = SDB_PEER_LIVE;
  send_server_hello(g, now_ms);
  sdb_partials_catch_up(peer);
  sdb_catchup_continue(peer);
}

void sdb_hub_answer_hello(sdb_peer *peer, uint64_t now_ms) {
  SDB_ASSERT(peer->state == SDB_PEER_GREETED && peer->hello);
  sdb_hub *hub = peer->hub;
  greeting *g = sdb_mem_zero(hub->mem, sizeof(*g));
  sdb_wire_message message;
  sdb_error error;
  sdb_status status = SDB_NO_MEMORY;
  if (g)
    status = sdb_wire_decode(&hub->json, sdb_slice_make(peer->hello, peer->hello_size),
        (int)hub->limits.depth_max, &message, &error);
  if (status == SDB_OK) {
    g->peer = peer;
    g->message = &message;
    greet(g, now_ms);
  } else {
    sdb_hub_close_peer(peer, 1013, "out of memory");
  }
  sdb_mem_free(hub->mem, g);
  sdb_mem_free(hub->mem, peer->hello);
  peer->hello = NULL;
  sdb_peer_run_early(peer, now_ms);
}

/* ---- the message ---- */

static bool keep_text(sdb_peer *peer, sdb_slice text) {
  peer->hello = sdb_mem_alloc(peer->hub->mem, text.size);
  if (!peer->hello) return false;
  memcpy(peer->hello, text.data, text.size);
  peer->hello_size = text.size;
  return true;
}

void sdb_hub_on_hello(
    sdb_peer *peer, const sdb_wire_message *message, sdb_slice text, uint64_t now_ms) {
  sdb_peer_leave_hello_queue(peer);
  if (!peer->user && message->token == 0) {
    sdb_hub_close_peer(peer, 4401, "");
    return;
  }
  if (!keep_text(peer, text)) {
    sdb_hub_close_peer(peer, 1013, "out of memory");
    return;
  }
  peer->state = SDB_PEER_GREETED;
  if (!peer->user)
    sdb_hub_on_auth(peer, message);
  else if (peer->user->state == SDB_USER_READY)
    sdb_hub_answer_hello(peer, now_ms);
}
