/* hub/catchup.c: what a device missed, newest first, a page at a time.
 *
 * One page of a peer is at the storage at once, and none is asked for while its
 * output is over the soft limit: so a peer costs a page, whatever it missed.
 *
 * Never stale after fresh (protocol.md section 5, 3): a page may have been read
 * before a write that has come back since, and has then been sent live. While
 * pages are in flight the user's overwritten objects are noted, and their older
 * events are left out of the page.
 */
#include "base/planted.h"
#include "hub/state.h"

/* The first page is small, so that the first event is there at once. */
#define FIRST_PAGE_EVENTS 64

/* ---- the ranges ---- */

static sdb_catchup *make(sdb_peer *peer) {
  size_t stores_count = peer->hub->options.stores_count;
  sdb_catchup *made =
      sdb_mem_zero(peer->hub->mem, sizeof(*made) + stores_count * sizeof(made->windows[0]));
  if (!made) return NULL;
  for (size_t i = 0; i < stores_count; i++)
    made->windows[i] = SDB_WINDOW_ALL;
  return peer->catchup = made;
}

void sdb_catchup_free(sdb_peer *peer) {
  if (!peer->catchup) return;
  sdb_mem_free(peer->hub->mem, peer->catchup->ranges);
  sdb_mem_free(peer->hub->mem, peer->catchup);
  peer->catchup = NULL;
}

/* Forgets the ranges that are done. */
static void compact(sdb_catchup *catchup) {
  uint32_t done = catchup->done;
  if (done == 0) return;
  memmove(catchup->ranges, catchup->ranges + done,
      (catchup->count - done) * sizeof(catchup->ranges[0]));
  catchup->count -= done;
  if (catchup->reading >= done) catchup->reading -= done;
  catchup->done = 0;
}

sdb_range *sdb_catchup_add(sdb_peer *peer, const sdb_range *range) {
  sdb_catchup *catchup = peer->catchup ? peer->catchup : make(peer);
  if (!catchup) return NULL;
  if (catchup->count == catchup->capacity) {
    uint32_t capacity = catchup->capacity ? catchup->capacity * 2 : 4;
    sdb_range *ranges =
        sdb_mem_resize(peer->hub->mem, catchup->ranges, sdb_mem_product(capacity, sizeof(*ranges)));
    if (!ranges) return NULL;
    catchup->ranges = ranges;
    catchup->capacity = capacity;
  }
  catchup->ranges[catchup->count] = *range;
  return &catchup->ranges[catchup->count++];
}

bool sdb_catchup_add_fetch(sdb_peer *peer, const sdb_range *range) {
  if (!sdb_catchup_add(peer, range)) return false;
  sdb_catchup *catchup = peer->catchup;
  compact(catchup);
  uint32_t at = catchup->fetches++;
  memmove(
      &catchup->ranges[at + 1], &catchup->ranges[at], (catchup->count - 1 - at) * sizeof(*range));
  catchup->ranges[at] = *range;
  if (catchup->reading >= at) catchup->reading++;
  return true;
}

/* Whether nothing of the range is left to be read; an emptied window leaves older events. */
static bool is_read(const sdb_range *range) {
  return range->next <= range->after + 1;
}

static uint32_t *budget_of(sdb_catchup *catchup, sdb_range *range) {
  return range->fetched ? &range->left : &catchup->windows[range->store];
}

static void write_synced(sdb_hub *hub, const sdb_range *range) {
  sdb_seq before = range->to_head ? 0 : range->before;
  sdb_wire_synced(&hub->run, sdb_hub_store_name(hub, range->store), sdb_hub_uuid(hub, range->after),
      sdb_hub_uuid(hub, before), !is_read(range));
}

/* Goes over the ranges that need no page (any more). Gives the one that does, or NULL. */
static sdb_range *next_range(sdb_peer *peer) {
  sdb_catchup *catchup = peer->catchup;
  for (; catchup->done < catchup->count; catchup->done++) {
    sdb_range *range = &catchup->ranges[catchup->done];
    if (!is_read(range) && *budget_of(catchup, range) > 0) return range;
    write_synced(peer->hub, range);
    if (range->fetched) catchup->fetches--;
  }
  return NULL;
}

/* ---- asking ---- */

static uint32_t page_limit(sdb_catchup *catchup, sdb_range *range) {
  uint32_t limit = catchup->started ? SDB_PAGE_EVENTS_MAX : FIRST_PAGE_EVENTS;
  uint32_t budget = *budget_of(catchup, range);
  return budget < limit ? budget : limit;
}

/* False: no memory. */
static bool ask_for_page(sdb_peer *peer, sdb_range *range) {
  sdb_hub *hub = peer->hub;
  sdb_catchup *catchup = peer->catchup;
  sdb_page_op *op = sdb_mem_zero(hub->mem, sizeof(*op));
  if (!op) return false;
  op->page.op.kind = SDB_OP_PAGE;
  op->page.user = peer->user->number;
  op->page.store = range->store;
  op->page.objects_only = range->objects_only || SDB_PLANTED(REMOVES_LEFT_OUT);
  op->page.after = range->after;
  op->page.before = SDB_PLANTED(RANGE_OFF_BY_ONE) ? range->next - 1 : range->next;
  op->page.limit = page_limit(catchup, range);
  op->page.bytes_max = SDB_PAGE_BYTES_MAX;
  sdb_buffer_init(&op->page.memory, hub->mem, SIZE_MAX);
  op->user = peer->user;
  op->peer = peer;
  peer->user->references++;
  peer->user->pages_in_flight++;
  sdb_peer_retain(peer);
  peer->page_in_flight = true;
  catchup->reading = catchup->done;
  catchup->started = true;
  sdb_hub_stage(hub, &op->page.op);
  return true;
}

static bool has_room(const sdb_peer *peer) {
  if (SDB_PLANTED(BACKPRESSURE_IGNORED)) return true;
  return peer->output_level < peer->hub->limits.output_soft_bytes;
}

void sdb_catchup_continue(sdb_peer *peer) {
  if (peer->state != SDB_PEER_LIVE || peer->page_in_flight || !peer->catchup) return;
  if (!has_room(peer)) return;
  sdb_user *user = peer->user;
  /* The note of what was overwritten is full: it begins anew once no page is in flight. */
  if (user->overwrites_count > SDB_OVERWRITES_MAX && user->pages_in_flight > 0) return;
  sdb_range *range = next_range(peer);
  if (peer->hub->run.messages > 0) sdb_hub_send_run(peer);
  if (peer->state != SDB_PEER_LIVE) return;
  if (!range)
    sdb_catchup_free(peer);
  else if (!ask_for_page(peer, range))
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
}

/* ---- a page that was read ---- */

static void write_event(sdb_hub *hub, const sdb_stored_event *stored) {
  sdb_wire_event event = {
      .store = sdb_hub_store_name(hub, stored->store),
      .id = sdb_hub_uuid(hub, stored->object),
      .event_id = sdb_hub_uuid(hub, stored->seq),
      .client_id = stored->client_id,
      .object = stored->removed ? (sdb_slice){NULL, 0} : stored->body,
  };
  sdb_wire_event_write(&hub->run, &event);
}

static void write_page(sdb_peer *peer, const sdb_op_page *page) {
  sdb_hub *hub = peer->hub;
  sdb_range *range = &peer->catchup->ranges[peer->catchup->reading];
  uint32_t *budget = budget_of(peer->catchup, range);
  bool singular = sdb_hub_is_singular(hub, page->store);
  hub->stats.catch_up_pages++;
  for (uint32_t i = 0; i < page->count; i++) {
    const sdb_stored_event *stored = &page->events[i];
    range->next = stored->seq;
    if (sdb_user_is_overwritten(peer->user, page->store, singular, stored->object, stored->seq))
      continue;
    write_event(hub, stored);
    hub->stats.catch_up_events++;
    if (*budget != SDB_WINDOW_ALL && *budget > 0) (*budget)--;
  }
  if (!page->more || SDB_PLANTED(SYNCED_TOO_EARLY)) range->next = range->after + 1;
}

/* Whether the storage has forgotten a remove that the device would have to be told of: it holds
 * what is older than the range. Its next hello is answered with a reset: the horizon is noted. */
static bool is_past_horizon(sdb_peer *peer, const sdb_op_page *page) {
  sdb_user_head *head = &peer->user->heads[page->store];
  if (page->horizon > head->horizon) head->horizon = page->horizon;
  return page->after != 0 && page->after < page->horizon && !SDB_PLANTED(HORIZON_IGNORED);
}

/* Once the last page is back the note is empty, and those that waited for that go on. */
static void end_page(sdb_user *user) {
  SDB_ASSERT(user->pages_in_flight > 0);
  if (--user->pages_in_flight > 0) return;
  bool was_full = user->overwrites_count > SDB_OVERWRITES_MAX;
  user->overwrites_count = 0;
  for (sdb_peer *peer = was_full ? user->peers : NULL; peer; peer = peer->user_next)
    sdb_catchup_continue(peer);
}

void sdb_catchup_on_page(sdb_hub *hub, sdb_page_op *op) {
  sdb_peer *peer = op->peer;
  sdb_user *user = op->user;
  peer->page_in_flight = false;
  bool usable = user->overwrites_count <= SDB_OVERWRITES_MAX; /* else it is read again */
  if (peer->state == SDB_PEER_LIVE && op->page.op.status != SDB_OK) {
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "the storage cannot be read");
  } else if (peer->state == SDB_PEER_LIVE && is_past_horizon(peer, &op->page)) {
    sdb_hub_close_peer(peer, SDB_CLOSE_RESTART, "removes that it missed are no longer remembered");
  } else if (peer->state == SDB_PEER_LIVE && usable) {
    write_page(peer, &op->page);
    (void)next_range(peer);
    if (hub->run.messages > 0) sdb_hub_send_run(peer);
  }
  end_page(user);
  sdb_catchup_continue(peer);
  sdb_hub_free_op(hub, &op->page.op);
  sdb_peer_release(peer);
}
