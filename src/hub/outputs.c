/* hub/outputs.c: what the owner is to do, in order; and frames, which are shared.
 *
 * Five queues, emptied in this order: what is sent; what is said about a peer
 * (CLOSE, AUTHENTICATE), behind all that was sent to it; JUDGEs; EVENTs; DONEs. Only the
 * first needs memory when it grows. A peer, a trial, a write and a request's answer stand
 * in theirs by links of their own, so those can always be said, and a peer that
 * cannot be sent something can always be closed: it comes back, and its cursor
 * loses nothing.
 */
#include "base/error.h"
#include "base/planted.h"
#include "hub/state.h"

/* A queue that grew beyond this is freed when it is empty. */
#define SENDS_KEPT 1024

/* ---- frames ---- */

void sdb_frames_retain(sdb_frames *frames) {
  frames->references++;
}

void sdb_frames_release(sdb_frames *frames) {
  SDB_ASSERT(frames->references > 0);
  if (--frames->references == 0) sdb_mem_free(frames->mem, frames);
}

sdb_frames *sdb_hub_take_frames(sdb_hub *hub) {
  sdb_buffer *buffer = &hub->run.buffer;
  sdb_frames *frames = NULL;
  if (buffer->status == SDB_OK && buffer->size > 0)
    frames = sdb_mem_alloc(hub->mem, sizeof(*frames) + buffer->size);
  if (frames) {
    char *data = (char *)(frames + 1);
    memcpy(data, buffer->data, buffer->size);
    *frames = (sdb_frames){hub->mem, 1, hub->run.messages, buffer->size, data};
  }
  sdb_wire_run_reset(&hub->run);
  return frames;
}

/* ---- what is sent ---- */

/* Room for one more, or false: no memory. */
static bool grow_sends(sdb_hub *hub) {
  if (hub->sends_end < hub->sends_capacity) return true;
  uint32_t capacity = hub->sends_capacity ? hub->sends_capacity * 2 : 64;
  sdb_send *sends = sdb_mem_resize(hub->mem, hub->sends, sdb_mem_product(capacity, sizeof(*sends)));
  if (!sends) return false;
  hub->sends = sends;
  hub->sends_capacity = capacity;
  return true;
}

static void reset_sends(sdb_hub *hub) {
  hub->sends_first = hub->sends_end = 0;
  if (hub->sends_capacity <= SENDS_KEPT) return;
  sdb_mem_free(hub->mem, hub->sends);
  hub->sends = NULL;
  hub->sends_capacity = 0;
}

void sdb_hub_send(sdb_peer *peer, sdb_frames *frames) {
  sdb_hub *hub = peer->hub;
  if (peer->state == SDB_PEER_CLOSING) return;
  if (!frames || !grow_sends(hub)) {
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
  } else {
    sdb_peer_retain(peer);
    sdb_frames_retain(frames);
    peer->output_level += frames->size;
    hub->sends[hub->sends_end++] = (sdb_send){peer, frames};
  }
}

void sdb_hub_send_run(sdb_peer *peer) {
  sdb_frames *frames = sdb_hub_take_frames(peer->hub);
  sdb_hub_send(peer, frames);
  if (frames && !SDB_PLANTED(LEAK_FRAMES)) sdb_frames_release(frames);
}

void sdb_hub_send_error(
    sdb_peer *peer, const sdb_error *error, sdb_uuid client_id, const char *store) {
  if (peer->state == SDB_PEER_CLOSING) return;
  sdb_wire_error(&peer->hub->run, error, client_id, store);
  sdb_hub_send_run(peer);
}

/* ---- what is said about a peer ---- */

static void call_attention(sdb_peer *peer) {
  if (peer->in_attention) return;
  sdb_hub *hub = peer->hub;
  peer->in_attention = true;
  peer->attention_next = NULL;
  sdb_peer_retain(peer);
  *hub->attention_last = peer;
  hub->attention_last = &peer->attention_next;
}

/* The text that goes with what is said; false: no memory. */
static bool set_text(sdb_peer *peer, sdb_slice text) {
  const sdb_mem *mem = peer->hub->mem;
  sdb_mem_free(mem, peer->text);
  peer->text_size = 0;
  peer->text = text.size ? sdb_mem_alloc(mem, text.size) : NULL;
  if (!peer->text) return text.size == 0;
  memcpy(peer->text, text.data, text.size);
  peer->text_size = text.size;
  return true;
}

void sdb_hub_close_peer(sdb_peer *peer, unsigned code, const char *reason) {
  SDB_ASSERT(peer->state != SDB_PEER_CLOSING);
  sdb_peer_leave_queue(peer);
  sdb_peer_free_waiting(peer);
  sdb_catchup_free(peer);
  peer->state = SDB_PEER_CLOSING;
  peer->close_code = (uint16_t)code;
  (void)set_text(peer, sdb_slice_of(reason)); /* the code is what counts */
  call_attention(peer);
}

void sdb_hub_authenticate(sdb_peer *peer, sdb_slice token, uint64_t now_ms) {
  SDB_ASSERT(!peer->authenticating);
  if (!set_text(peer, token)) {
    sdb_hub_close_peer(peer, SDB_CLOSE_OVERLOADED, "out of memory");
    return;
  }
  peer->authenticating = true;
  sdb_peer_await(peer, &peer->hub->identities, now_ms);
  call_attention(peer);
}

/* Leaves the peer, counted, in hub->given_peer: its text is in the output. */
static bool give_attention(sdb_hub *hub, sdb_hub_output *output) {
  sdb_peer *peer = hub->attention;
  hub->attention = peer->attention_next;
  if (!hub->attention) hub->attention_last = &hub->attention;
  peer->in_attention = false;
  hub->given_peer = peer;
  if (!peer->connected) return false;
  bool closing = peer->state == SDB_PEER_CLOSING;
  output->kind = closing ? SDB_HUB_CLOSE : SDB_HUB_AUTHENTICATE;
  output->peer = peer;
  output->tag = peer->tag;
  output->close_code = closing ? peer->close_code : 0;
  output->text = sdb_slice_make(peer->text, peer->text_size);
  return true;
}

/* ---- events ---- */

void sdb_hub_queue_event(sdb_write_op *op) {
  sdb_hub *hub = op->hub;
  op->write.op.next = NULL;
  *hub->events_last = &op->write.op;
  hub->events_last = &op->write.op.next;
}

static void give_event(sdb_hub *hub, sdb_hub_output *output) {
  sdb_op *op = hub->events;
  hub->events = op->next;
  if (!hub->events) hub->events_last = &hub->events;
  hub->given_op = op;
  const sdb_write_op *write = (const sdb_write_op *)(const void *)op;
  output->kind = SDB_HUB_EVENT;
  output->user = sdb_slice_make(write->user->name, write->user->name_size);
  output->action = write->write.action;
  output->row = sdb_write_row(write);
  if (output->action == SDB_ACTION_UPDATE) output->previous = write->write.previous;
}

/* ---- answers to requests ---- */

bool sdb_hub_promise_done(sdb_hub *hub) {
  sdb_done *done = sdb_mem_alloc(hub->mem, sizeof(*done));
  if (!done) return false;
  done->next = hub->promised;
  hub->promised = done;
  return true;
}

sdb_done *sdb_hub_done_new(sdb_hub *hub, void *tag, sdb_status status) {
  sdb_done *done = hub->promised;
  SDB_ASSERT(done);
  hub->promised = done->next;
  done->next = NULL;
  done->op = NULL;
  memset(&done->output, 0, sizeof(done->output));
  done->output.kind = SDB_HUB_DONE;
  done->output.tag = tag;
  done->output.status = status;
  if (status != SDB_OK) {
    sdb_error_set(&done->error, status, sdb_status_text(status), NULL, NULL);
    done->output.error = &done->error;
  }
  return done;
}

void sdb_hub_done_queue(sdb_hub *hub, sdb_done *done) {
  *hub->dones_last = done;
  hub->dones_last = &done->next;
}

void sdb_hub_done(sdb_hub *hub, void *tag, sdb_status status, const sdb_error *error) {
  sdb_done *done = sdb_hub_done_new(hub, tag, status);
  if (error && status != SDB_OK && error->status == status) done->error = *error;
  sdb_hub_done_queue(hub, done);
}

static void give_done(sdb_hub *hub, sdb_hub_output *output) {
  sdb_done *done = hub->dones;
  hub->dones = done->next;
  if (!hub->dones) hub->dones_last = &hub->dones;
  hub->given_done = done;
  *output = done->output;
}

/* ---- giving ---- */

void sdb_hub_free_op(sdb_hub *hub, sdb_op *op) {
  if (op->kind == SDB_OP_WRITE) {
    sdb_write_op *write = (sdb_write_op *)(void *)op;
    sdb_buffer_free(&write->write.memory);
    sdb_mem_free(hub->mem, write->refusal);
    sdb_user_release(write->user);
  } else if (op->kind == SDB_OP_PAGE) {
    sdb_page_op *page = (sdb_page_op *)(void *)op;
    sdb_buffer_free(&page->page.memory);
    sdb_user_release(page->user);
  } else {
    SDB_ASSERT(op->kind == SDB_OP_OBJECT);
    sdb_object_op *object = (sdb_object_op *)(void *)op;
    sdb_buffer_free(&object->object.memory);
    sdb_user_release(object->user);
  }
  sdb_mem_free(hub->mem, op);
}

/* Frees what the output before held. */
static void take_back(sdb_hub *hub) {
  if (hub->given_done) {
    sdb_done *done = hub->given_done;
    if (done->output.rows) sdb_mem_free(hub->mem, (void *)(uintptr_t)done->output.rows);
    if (done->op) sdb_hub_free_op(hub, done->op);
    sdb_mem_free(hub->mem, done);
  }
  if (hub->given_op) sdb_hub_free_op(hub, hub->given_op);
  if (hub->given_peer) sdb_peer_release(hub->given_peer);
  hub->given_done = NULL;
  hub->given_op = NULL;
  hub->given_peer = NULL;
}

/* The next one that has still somebody to go to. */
static bool give_send(sdb_hub *hub, sdb_hub_output *output) {
  while (hub->sends_first < hub->sends_end) {
    sdb_send send = hub->sends[hub->sends_first++];
    if (hub->sends_first == hub->sends_end) reset_sends(hub);
    hub->given_peer = send.peer;
    if (send.peer->connected) {
      output->kind = SDB_HUB_SEND;
      output->peer = send.peer;
      output->tag = send.peer->tag;
      output->frames = send.frames;
      return true;
    }
    sdb_frames_release(send.frames);
    take_back(hub);
  }
  return false;
}

bool sdb_hub_next_output(sdb_hub *hub, sdb_hub_output *output) {
  take_back(hub);
  memset(output, 0, sizeof(*output));
  if (give_send(hub, output)) return true;
  if (hub->dirty) sdb_partials_emit(hub);
  if (give_send(hub, output)) return true;
  while (hub->attention) {
    if (give_attention(hub, output)) return true;
    take_back(hub);
  }
  if (hub->to_ask)
    sdb_trial_give(hub, output);
  else if (hub->events)
    give_event(hub, output);
  else if (hub->dones)
    give_done(hub, output);
  else
    return false;
  return true;
}
