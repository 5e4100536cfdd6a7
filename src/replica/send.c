/* replica/send.c: pushes on their way: which may be sent, how long they may take, what comes of
 * them.
 *
 * Order: creates go in the order they were made in; pushes of one object (and of one singular
 * store) go one after the other, so that an earlier one that is put off cannot overwrite a later
 * one. At most a window of them is in flight: one more for each that the server took, half for a
 * `rate_limited`, one after a 4429, so that a long backlog finds the rate that the server allows.
 *
 * Time: the clock of a push runs while it was sent and there is a connection; what was counted is
 * kept over a reconnect. A push that was late is not given up: it is sent again with the next
 * connection, under the same client id.
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

/* ---- sending ---- */

static bool has_room(const sdb_replica *replica, const sdb_pending *pending) {
  const sdb_link *link = &replica->link;
  uint32_t max = link->window;
  if (!link->heard && max > SDB_REPLICA_IN_FLIGHT_UNANSWERED_MAX)
    max = SDB_REPLICA_IN_FLIGHT_UNANSWERED_MAX;
  if (link->in_flight == 0) return true;
  return link->in_flight < max &&
         link->in_flight_bytes + pending->size <= SDB_REPLICA_IN_FLIGHT_BYTES_MAX;
}

/* One that is late too: it will be sent again. */
static bool goes_first(const sdb_pending *pending, const sdb_pending *other) {
  return other->position < pending->position && other->store == pending->store &&
         other->state != SDB_PENDING_REFUSED;
}

static bool is_behind_in_store(const sdb_pending *pending) {
  for (const sdb_pending *other = pending->previous; other; other = other->previous) {
    if (goes_first(pending, other)) return true;
  }
  return false;
}

/* Whether an earlier push of the same object is still to be answered. */
static bool is_behind_another(const sdb_replica *replica, const sdb_pending *pending) {
  if (SDB_PLANTED(PUSHES_OVERTAKE)) return false;
  if (replica->stores[pending->store].singular)
    return replica->stores[pending->store].in_flight > 0 || is_behind_in_store(pending);
  if (sdb_uuid_is_nil(pending->by_object.key)) return false;
  sdb_entry *entry = sdb_table_find(&replica->pending_by_object, pending->by_object.key);
  for (; entry; entry = sdb_table_next(entry)) {
    if (goes_first(pending, SDB_CONTAINER_OF(entry, sdb_pending, by_object))) return true;
  }
  return false;
}

static void start_clock(sdb_replica *replica, sdb_pending *pending, uint64_t now_ms) {
  if (!pending->clock_runs) {
    pending->clock_runs = true;
    pending->clock_ms = now_ms;
  }
  uint64_t late_ms = pending->clock_ms + pending->time_left_ms;
  if (late_ms < replica->link.push_timer_ms) replica->link.push_timer_ms = late_ms;
}

/* A push that is sent again is taken for a new one. */
static void rename_planted(sdb_replica *replica, sdb_pending *pending) {
  sdb_uuid *id = &pending->by_client.key;
  sdb_table_remove(&replica->pending_by_client, &pending->by_client);
  replica->options.random(replica->options.random_context, id->bytes, sizeof(id->bytes));
  sdb_table_insert(&replica->pending_by_client, &pending->by_client);
}

static void send_one(sdb_replica *replica, sdb_pending *pending, uint64_t now_ms) {
  if (SDB_PLANTED(NEW_CLIENT_ID_ON_RETRY) && pending->sent_ever) rename_planted(replica, pending);
  if (SDB_PLANTED(DROP_PENDING_WHEN_SENT) && !sdb_pending_drop_stored(replica, pending)) return;
  sdb_slice object = sdb_slice_make(pending->object, pending->size);
  sdb_buffer *to = sdb_link_begin_message(replica);
  sdb_wire_push(to, sdb_replica_store_name(replica, pending->store), pending->by_object.key, object,
      pending->by_client.key);
  sdb_link_end_message(replica);
  pending->sent_before |= pending->sent_ever;
  pending->sent_ever = pending->in_flight = true;
  sdb_pending_set_state(replica, pending, SDB_PENDING_SENT);
  start_clock(replica, pending, now_ms);
  replica->link.in_flight++;
  replica->link.in_flight_bytes += pending->size;
  replica->stores[pending->store].in_flight++;
}

void sdb_send_pushes(sdb_replica *replica, uint64_t now_ms) {
  if (replica->link.state != SDB_LINK_OPEN || now_ms < replica->link.not_now_ms) return;
  replica->send_due = false;
  for (sdb_pending *pending = replica->first; pending; pending = pending->next) {
    if (pending->state != SDB_PENDING_WAITING || !pending->stored) continue;
    if (!sdb_uuid_is_nil(pending->depends) || is_behind_another(replica, pending)) continue;
    if (!has_room(replica, pending)) return;
    send_one(replica, pending, now_ms);
  }
}

void sdb_send_landed(sdb_replica *replica, sdb_pending *pending) {
  if (!pending->in_flight) return;
  SDB_ASSERT(replica->link.in_flight > 0 && replica->stores[pending->store].in_flight > 0);
  pending->in_flight = false;
  replica->link.in_flight--;
  replica->link.in_flight_bytes -= pending->size;
  replica->stores[pending->store].in_flight--;
  replica->send_due = true;
}

/* ---- how many at a time ---- */

void sdb_send_widen(sdb_replica *replica) {
  if (replica->link.window < SDB_REPLICA_IN_FLIGHT_MAX) replica->link.window++;
}

/* Half of what was too much. Of all that a burst was refused with, the first counts. */
static void narrow(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->not_now_ms > now_ms) return;
  link->window = link->in_flight > 1 ? link->in_flight / 2 : 1;
}

/* ---- time ---- */

static void fail_late(sdb_replica *replica, sdb_pending *pending) {
  sdb_error error;
  sdb_error_set(&error, SDB_UNAVAILABLE, "the server did not answer in time", NULL, NULL);
  if (!pending->error) sdb_pending_set_error(replica, pending, &error);
  pending->clock_runs = false;
  pending->time_left_ms = 0;
  sdb_pending_set_state(replica, pending, SDB_PENDING_TIMED_OUT);
  if (!sdb_pending_show(replica, pending)) sdb_replica_note_reset(replica, pending->store);
}

void sdb_send_on_timer(sdb_replica *replica, uint64_t now_ms) {
  sdb_link *link = &replica->link;
  if (link->not_now_ms && link->not_now_ms <= now_ms) {
    link->not_now_ms = 0;
    replica->send_due = true;
  }
  if (link->push_timer_ms > now_ms) return;
  link->push_timer_ms = UINT64_MAX;
  for (sdb_pending *pending = replica->first; pending; pending = pending->next) {
    if (!pending->clock_runs) continue;
    uint64_t late_ms = pending->clock_ms + pending->time_left_ms;
    if (late_ms <= now_ms)
      fail_late(replica, pending);
    else if (late_ms < link->push_timer_ms)
      link->push_timer_ms = late_ms;
  }
}

uint64_t sdb_send_deadline_ms(const sdb_replica *replica) {
  const sdb_link *link = &replica->link;
  if (link->state != SDB_LINK_OPEN) return UINT64_MAX;
  uint64_t deadline_ms = link->push_timer_ms;
  if (link->not_now_ms && link->not_now_ms < deadline_ms) deadline_ms = link->not_now_ms;
  return deadline_ms;
}

/* ---- answers ---- */

static bool is_not_now(sdb_status status) {
  return status == SDB_RATE_LIMITED || status == SDB_UNAVAILABLE;
}

/* The server cannot take it now: it waits, and its clock runs on. */
static void put_off(
    sdb_replica *replica, sdb_pending *pending, const sdb_error *error, uint64_t now_ms) {
  sdb_pending_set_error(replica, pending, error);
  sdb_send_landed(replica, pending);
  pending->sent_ever = pending->sent_before; /* this one was not stored */
  if (pending->state == SDB_PENDING_SENT)
    sdb_pending_set_state(replica, pending, SDB_PENDING_WAITING);
  replica->link.not_now_ms = now_ms + SDB_REPLICA_NOT_NOW_MS;
}

static void refuse(
    sdb_replica *replica, sdb_pending *pending, const sdb_error *error, uint64_t now_ms) {
  sdb_pending_set_error(replica, pending, error);
  sdb_send_landed(replica, pending);
  pending->clock_runs = false;
  pending->sent_ever = pending->sent_before; /* this one was not stored */
  sdb_pending_set_state(replica, pending, SDB_PENDING_REFUSED);
  /* What was refused need not be removed any more: nobody is asked to decide about it. */
  bool done = !pending->sent_ever && sdb_pending_is_removed(replica, pending)
                  ? sdb_pending_give_up(replica, pending)
                  : sdb_pending_store(replica, pending) && sdb_pending_show(replica, pending);
  if (!done) sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
}

void sdb_send_refused(
    sdb_replica *replica, sdb_pending *pending, const sdb_error *error, uint64_t now_ms) {
  if (!pending->in_flight) return;
  if (error->status == SDB_RATE_LIMITED) narrow(replica, now_ms);
  if (is_not_now(error->status))
    put_off(replica, pending, error, now_ms);
  else
    refuse(replica, pending, error, now_ms);
}

/* ---- the end of a connection ---- */

/* One whose time ran out unseen begins anew, as one that was late does: a machine that slept loses
 * its line before its timers run. */
static void stop_clock(const sdb_replica *replica, sdb_pending *pending, uint64_t now_ms) {
  if (!pending->clock_runs || SDB_PLANTED(TIMEOUT_RUNS_OFFLINE)) return;
  uint64_t ran_ms = now_ms - pending->clock_ms;
  pending->clock_runs = false;
  if (ran_ms < pending->time_left_ms)
    pending->time_left_ms -= (uint32_t)ran_ms;
  else
    pending->time_left_ms = replica->options.limits.push_timeout_ms;
}

/* The server closed because a message was too large for it: the largest that it had not answered.
 * That one is not sent again by itself. */
static void refuse_largest(sdb_replica *replica, uint64_t now_ms) {
  sdb_pending *largest = NULL;
  for (sdb_pending *pending = replica->first; pending; pending = pending->next) {
    if (pending->in_flight && (!largest || pending->size > largest->size)) largest = pending;
  }
  if (!largest) return;
  sdb_error error;
  sdb_error_set(&error, SDB_TOO_LARGE, "the message is over the server's size limit", NULL, NULL);
  refuse(replica, largest, &error, now_ms);
}

void sdb_send_on_closed(sdb_replica *replica, unsigned code, uint64_t now_ms) {
  if (code == SDB_CLOSE_TOO_LARGE) refuse_largest(replica, now_ms);
  /* It closed before it could say what it took: all of it again would end the same way. */
  if (code == SDB_CLOSE_RATE_LIMITED) replica->link.window = 1;
  for (sdb_pending *pending = replica->first; pending; pending = pending->next) {
    stop_clock(replica, pending, now_ms);
    sdb_send_landed(replica, pending);
    if (pending->state == SDB_PENDING_SENT) {
      sdb_pending_set_state(replica, pending, SDB_PENDING_WAITING);
    } else if (pending->state == SDB_PENDING_TIMED_OUT) {
      pending->time_left_ms = replica->options.limits.push_timeout_ms;
      sdb_pending_set_error(replica, pending, NULL);
      sdb_pending_set_state(replica, pending, SDB_PENDING_WAITING);
      if (!sdb_pending_show(replica, pending)) sdb_replica_note_reset(replica, pending->store);
    }
  }
  SDB_ASSERT(replica->link.in_flight == 0);
  replica->link.push_timer_ms = UINT64_MAX;
  replica->link.not_now_ms = 0;
}

/* ---- what the user decides ---- */

sdb_status sdb_replica_retry(sdb_replica *replica, sdb_uuid client_id) {
  sdb_pending *pending = sdb_pending_find(replica, client_id);
  if (!pending) return SDB_NOT_FOUND;
  bool lost = !sdb_uuid_is_nil(pending->depends) && !sdb_pending_find(replica, pending->depends);
  if (!sdb_pending_is_failed(pending) || lost) return SDB_CONFLICT;
  sdb_pending_state state = pending->state;
  bool stored = pending->stored;
  sdb_pending_set_state(replica, pending, SDB_PENDING_WAITING); /* as it is to be stored */
  pending->stored = false;
  if (!sdb_pending_show(replica, pending) || !sdb_pending_store(replica, pending)) {
    sdb_pending_set_state(replica, pending, state);
    pending->stored = stored;
    return SDB_NO_MEMORY;
  }
  sdb_send_landed(replica, pending);
  pending->time_left_ms = replica->options.limits.push_timeout_ms;
  sdb_pending_set_error(replica, pending, NULL);
  replica->send_due = true;
  return SDB_OK;
}

sdb_status sdb_replica_discard(sdb_replica *replica, sdb_uuid client_id) {
  sdb_pending *pending = sdb_pending_find(replica, client_id);
  if (!pending) return SDB_NOT_FOUND;
  return sdb_pending_give_up(replica, pending) ? SDB_OK : SDB_NO_MEMORY;
}
