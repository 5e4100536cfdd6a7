/* hub/write.c: a write, from staging to what everybody is told of it.
 *
 * Stored before said: nothing of a write is sent before it came back durable.
 * Its event is encoded once, for all of the user's devices.
 */
#include "base/error.h"
#include "base/planted.h"
#include "hub/state.h"

sdb_write_op *sdb_write_new(sdb_user *user, size_t size) {
  sdb_hub *hub = user->hub;
  sdb_write_op *op = sdb_mem_alloc(hub->mem, sizeof(*op) + size);
  if (!op) return NULL;
  memset(op, 0, sizeof(*op));
  op->hub = hub;
  op->user = user;
  user->references++;
  op->write.op.kind = SDB_OP_WRITE;
  op->write.user = user->number;
  op->write.body = sdb_slice_make(op->body, size);
  sdb_buffer_init(&op->write.memory, hub->mem, SIZE_MAX);
  return op;
}

void sdb_write_count(sdb_write_op *op) {
  if (op->counted) return;
  op->counted = true;
  sdb_peer_retain(op->peer);
  op->peer->in_flight++;
  op->peer->in_flight_bytes += op->write.body.size;
}

void sdb_write_uncount(sdb_write_op *op) {
  SDB_ASSERT(op->counted);
  op->counted = false;
  op->peer->in_flight--;
  op->peer->in_flight_bytes -= op->write.body.size;
  sdb_peer_release(op->peer);
}

void sdb_write_stage(sdb_write_op *op, uint64_t now_ms) {
  op->write.now_ms = now_ms;
  if (op->peer) sdb_write_count(op);
  sdb_hub_stage(op->hub, &op->write.op);
}

sdb_status sdb_hub_prepare_object(
    sdb_hub *hub, uint16_t store, uint32_t at, uint64_t now_ms, sdb_error *error) {
  if (sdb_json_raw(&hub->json, at).size > hub->limits.object_bytes_max)
    return sdb_error_set(error, SDB_TOO_LARGE, "the object is over the size limit", NULL, NULL);
  sdb_status status = sdb_store_check_schema(hub->options.stores[store], &hub->json, at, error);
  if (status != SDB_OK) return status;
  sdb_buffer_reset(&hub->scratch);
  status = sdb_wire_object_write(&hub->scratch, &hub->json, at, now_ms, error);
  if (status == SDB_OK && hub->scratch.status != SDB_OK)
    status = sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  return status;
}

/* ---- what came back ---- */

static void count_outcome(sdb_hub_stats *stats, const sdb_write_op *op) {
  switch (op->write.op.status) {
  case SDB_OK:
    if (op->write.duplicate)
      stats->pushes_duplicate++;
    else
      stats->pushes_stored++;
    break;
  case SDB_NOT_FOUND:
    stats->pushes_not_found++;
    break;
  case SDB_REJECTED:
    stats->pushes_rejected++;
    break;
  case SDB_INVALID_OBJECT: /* a verdict's */
    stats->pushes_invalid++;
    break;
  default:
    stats->pushes_unavailable++;
    break;
  }
}

static sdb_wire_event event_of(const sdb_write_op *op) {
  const sdb_op_write *write = &op->write;
  const sdb_hub *hub = op->hub;
  return (sdb_wire_event){
      .store = sdb_hub_store_name(hub, write->store),
      .id = sdb_hub_uuid(hub, write->object),
      .event_id = sdb_hub_uuid(hub, write->seq),
      .client_id = write->client_id,
      .object = write->action == SDB_ACTION_DELETE ? (sdb_slice){NULL, 0} : write->body,
  };
}

static void fan_out(sdb_write_op *op) {
  sdb_hub *hub = op->hub;
  bool anybody = false;
  for (sdb_peer *peer = op->user->peers; peer && !anybody; peer = peer->user_next)
    anybody = peer->state == SDB_PEER_LIVE;
  if (!anybody) return;
  sdb_wire_event event = event_of(op);
  sdb_wire_event_write(&hub->run, &event);
  sdb_frames *frames = sdb_hub_take_frames(hub);
  sdb_peer *first = SDB_PLANTED(CROSS_USER_LIVE) ? hub->all_peers : op->user->peers, *next;
  for (sdb_peer *peer = first; peer; peer = next) {
    next = SDB_PLANTED(CROSS_USER_LIVE) ? peer->all_next : peer->user_next;
    if (peer->state != SDB_PEER_LIVE) continue;
    if (SDB_PLANTED(MISSED_DURING_CATCH_UP) && peer->catchup) continue;
    sdb_hub_send(peer, frames);
    hub->stats.events_sent++;
  }
  if (frames) sdb_frames_release(frames);
}

/* The stored event again, to the one who pushed it again. Where even its remove is forgotten, a
 * remove is what remains to be said. */
static void answer_duplicate(sdb_write_op *op) {
  sdb_hub *hub = op->hub;
  const sdb_stored_event *stored = &op->write.event;
  sdb_wire_event event = {
      .store = sdb_hub_store_name(hub, op->write.store),
      .id = sdb_hub_uuid(hub, op->write.object),
      .event_id = sdb_hub_uuid(hub, stored->seq),
      .client_id = op->write.client_id,
      .object = stored->seq && !stored->removed ? stored->body : (sdb_slice){NULL, 0},
  };
  if (SDB_PLANTED(STALE_ANSWER)) event.object = op->write.body;
  sdb_wire_event_write(&hub->run, &event);
  sdb_hub_send_run(op->peer);
}

static void answer_error(sdb_write_op *op) {
  const sdb_op_write *write = &op->write;
  sdb_status status = write->op.status == SDB_NO_MEMORY ? SDB_UNAVAILABLE : write->op.status;
  sdb_error error;
  sdb_error_set(&error, status, sdb_status_text(status), NULL, NULL);
  if (op->refusal && op->refusal->status == status) error = *op->refusal;
  const char *store =
      write->store == SDB_STORE_ANY ? NULL : sdb_hub_store_name(op->hub, write->store);
  sdb_hub_send_error(op->peer, &error, write->client_id, store);
}

sdb_hub_row sdb_write_row(const sdb_write_op *op) {
  const sdb_op_write *write = &op->write;
  return (sdb_hub_row){
      .id = sdb_hub_uuid(op->hub, write->object),
      .event_id = sdb_hub_uuid(op->hub, write->seq),
      .client_id = write->client_id,
      .store = write->store,
      .object = write->action == SDB_ACTION_DELETE ? write->previous : write->body,
  };
}

static void end_request(sdb_write_op *op) {
  sdb_status status = op->write.op.status;
  sdb_done *done = sdb_hub_done_new(op->hub, op->tag, status);
  done->output.action = op->write.action;
  if (status == SDB_OK) done->output.row = sdb_write_row(op);
  done->op = &op->write.op;
  sdb_hub_done_queue(op->hub, done);
}

static void on_stored(sdb_write_op *op) {
  sdb_op_write *write = &op->write;
  sdb_user *user = op->user;
  SDB_ASSERT(write->seq > user->heads[write->store].head);
  if (!SDB_PLANTED(HEAD_STANDS_STILL)) user->heads[write->store].head = write->seq;
  if (write->action != SDB_ACTION_CREATE || sdb_hub_is_singular(op->hub, write->store))
    sdb_user_note_overwrite(user, write->store, write->object, write->seq);
  fan_out(op);
}

/* A client's push came back. True: the subscribers are told, and hold the operation now. */
static bool end_push(sdb_write_op *op) {
  sdb_peer *peer = op->peer;
  bool stored = op->write.op.status == SDB_OK && !op->write.duplicate;
  bool told = (stored || (SDB_PLANTED(SUBSCRIBER_TOLD_TWICE) && op->write.duplicate)) &&
              sdb_hub_is_subscribed(op->hub, op->write.store);
  count_outcome(&op->hub->stats, op);
  if (op->write.op.status != SDB_OK)
    answer_error(op);
  else if (!stored && peer->state == SDB_PEER_LIVE)
    answer_duplicate(op);
  sdb_write_uncount(op);
  if (told) sdb_hub_queue_event(op);
  return told;
}

void sdb_write_on_done(sdb_hub *hub, sdb_write_op *op, uint64_t now_ms) {
  if (SDB_PLANTED(ACKNOWLEDGE_UNSTORED) && op->write.seq != 0) op->write.op.status = SDB_OK;
  if (op->trial && sdb_trial_on_done(op, now_ms)) return;
  sdb_status status = op->write.op.status;
  if (status == SDB_OK && !op->write.duplicate) on_stored(op);
  if (op->partial) sdb_partial_on_written(op->partial, status);
  if (!op->peer)
    end_request(op);
  else if (!end_push(op))
    sdb_hub_free_op(hub, &op->write.op);
}
