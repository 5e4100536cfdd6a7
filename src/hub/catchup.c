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
#include "hub/state.h"

bool sdb_catchup_add(sdb_peer *peer, const sdb_range *range) {
  if (peer->ranges_count == peer->ranges_capacity) {
    uint32_t capacity = peer->ranges_capacity ? peer->ranges_capacity * 2 : 4;
    sdb_range *ranges =
        sdb_mem_resize(peer->hub->mem, peer->ranges, sdb_mem_product(capacity, sizeof(*ranges)));
    if (!ranges) return false;
    peer->ranges = ranges;
    peer->ranges_capacity = capacity;
  }
  peer->ranges[peer->ranges_count++] = *range;
  return true;
}

static void free_ranges(sdb_peer *peer) {
  sdb_mem_free(peer->hub->mem, peer->ranges);
  peer->ranges = NULL;
  peer->ranges_count = peer->ranges_capacity = peer->ranges_done = 0;
}

/* False: no memory. */
static bool ask_for_page(sdb_peer *peer, const sdb_range *range) {
  sdb_hub *hub = peer->hub;
  sdb_page_op *op = sdb_mem_zero(hub->mem, sizeof(*op));
  if (!op) return false;
  op->page.op.kind = SDB_OP_PAGE;
  op->page.user = peer->user->number;
  op->page.store = range->store;
  op->page.after = range->after;
  op->page.before = range->next;
  op->page.limit = range->left < SDB_PAGE_EVENTS_MAX ? range->left : SDB_PAGE_EVENTS_MAX;
  op->page.bytes_max = SDB_PAGE_BYTES_MAX;
  sdb_buffer_init(&op->page.memory, hub->mem, SIZE_MAX);
  op->user = peer->user;
  op->peer = peer;
  peer->user->references++;
  peer->user->pages_in_flight++;
  sdb_peer_retain(peer);
  peer->page_in_flight = true;
  sdb_hub_stage(hub, &op->page.op);
  return true;
}

/* Whether nothing of the range is left to be read; an emptied window leaves older events. */
static bool is_read(const sdb_range *range) {
  return range->next <= range->after + 1;
}

static void write_synced(sdb_peer *peer, const sdb_range *range) {
  sdb_hub *hub = peer->hub;
  sdb_seq before = range->to_head ? 0 : range->before;
  sdb_wire_synced(&hub->run, sdb_hub_store_name(hub, range->store), sdb_hub_uuid(hub, range->after),
      sdb_hub_uuid(hub, before), !is_read(range));
}

/* Goes over the ranges that need no page (any more). Gives the one that does, or NULL. */
static sdb_range *next_range(sdb_peer *peer) {
  bool wrote = peer->hub->run.messages > 0;
  sdb_range *range = NULL;
  while (peer->ranges_done < peer->ranges_count) {
    range = &peer->ranges[peer->ranges_done];
    if (!is_read(range) && range->left > 0) break;
    write_synced(peer, range);
    wrote = true;
    peer->ranges_done++;
    range = NULL;
  }
  if (wrote) sdb_hub_send_run(peer);
  return range;
}

void sdb_catchup_continue(sdb_peer *peer) {
  if (peer->state != SDB_PEER_LIVE || peer->page_in_flight || peer->ranges_count == 0) return;
  if (peer->output_level >= peer->hub->limits.output_soft_bytes) return;
  sdb_user *user = peer->user;
  /* The note of what was overwritten is full: it begins anew once no page is in flight. */
  if (user->overwrites_count > SDB_OVERWRITES_MAX && user->pages_in_flight > 0) return;
  sdb_range *range = next_range(peer);
  if (peer->state != SDB_PEER_LIVE) return;
  if (!range)
    free_ranges(peer);
  else if (!ask_for_page(peer, range))
    sdb_hub_close_peer(peer, 1013, "out of memory");
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

static void write_page(sdb_peer *peer, const sdb_op_page *page, sdb_range *range) {
  sdb_hub *hub = peer->hub;
  bool singular = sdb_hub_is_singular(hub, page->store);
  hub->stats.catch_up_pages++;
  for (uint32_t i = 0; i < page->count; i++) {
    const sdb_stored_event *stored = &page->events[i];
    range->next = stored->seq;
    if (sdb_user_is_overwritten(peer->user, page->store, singular, stored->object, stored->seq))
      continue;
    write_event(hub, stored);
    hub->stats.catch_up_events++;
  }
  range->left -= page->count < range->left ? page->count : range->left;
  if (!page->more) range->next = range->after + 1;
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
  if (peer->state == SDB_PEER_LIVE) {
    if (op->page.op.status != SDB_OK)
      sdb_hub_close_peer(peer, 1013, "the storage cannot be read");
    else if (user->overwrites_count <= SDB_OVERWRITES_MAX)
      write_page(peer, &op->page, &peer->ranges[peer->ranges_done]);
    /* else the page is read again: what is stale in it cannot be told */
  }
  if (hub->run.messages > 0) sdb_hub_send_run(peer);
  end_page(user);
  sdb_catchup_continue(peer);
  sdb_buffer_free(&op->page.memory);
  sdb_mem_free(hub->mem, op);
  sdb_user_release(user);
  sdb_peer_release(peer);
}
