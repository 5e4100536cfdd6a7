/* hub/outputs.c: what the owner is to do, in order; and frames, which are shared. */
#include "base/error.h"
#include "hub/state.h"

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

/* ---- the list ---- */

static void clear(sdb_output_node *node, sdb_hub_output_kind kind) {
  memset(node, 0, sizeof(*node));
  node->output.kind = kind;
}

/* With room for an error behind it. */
static sdb_output_node *alloc_explained(sdb_hub *hub) {
  return sdb_mem_alloc(hub->mem, sizeof(sdb_output_node) + sizeof(sdb_error));
}

sdb_output_node *sdb_hub_output_new(sdb_hub *hub, sdb_hub_output_kind kind) {
  sdb_output_node *node = hub->spare;
  if (node)
    hub->spare = node->next;
  else
    node = sdb_mem_alloc(hub->mem, sizeof(*node));
  if (node) clear(node, kind);
  return node;
}

void sdb_hub_output_queue(sdb_hub *hub, sdb_output_node *node) {
  *hub->outputs_last = node;
  hub->outputs_last = &node->next;
}

static void queue_for_peer(sdb_output_node *node, sdb_peer *peer) {
  sdb_peer_retain(peer);
  node->peer = peer;
  node->output.peer = peer;
  node->output.tag = peer->tag;
  sdb_hub_output_queue(peer->hub, node);
}

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
  } else if (op->kind == SDB_OP_OBJECT) {
    sdb_object_op *object = (sdb_object_op *)(void *)op;
    sdb_buffer_free(&object->object.memory);
    sdb_user_release(object->user);
  }
  sdb_mem_free(hub->mem, op);
}

static void retire(sdb_hub *hub, sdb_output_node *node) {
  if (node->output.rows) sdb_mem_free(hub->mem, (void *)(uintptr_t)node->output.rows);
  if (node->op) sdb_hub_free_op(hub, node->op);
  if (node->peer) sdb_peer_release(node->peer);
  if (node->explained) {
    sdb_mem_free(hub->mem, node);
    return;
  }
  node->next = hub->spare;
  hub->spare = node;
}

/* Whether the owner still has a use for it. */
static bool is_wanted(const sdb_output_node *node) {
  if (!node->peer || node->peer->connected) return true;
  if (node->output.kind == SDB_HUB_SEND) sdb_frames_release(node->output.frames);
  return false;
}

bool sdb_hub_next_output(sdb_hub *hub, sdb_hub_output *output) {
  if (hub->given) {
    sdb_output_node *given = hub->given;
    hub->given = NULL;
    retire(hub, given);
  }
  if (!hub->outputs && hub->dirty) sdb_partials_emit(hub);
  while (hub->outputs) {
    sdb_output_node *node = hub->outputs;
    hub->outputs = node->next;
    if (!hub->outputs) hub->outputs_last = &hub->outputs;
    if (!is_wanted(node)) {
      retire(hub, node);
      continue;
    }
    hub->given = node;
    *output = node->output;
    return true;
  }
  return false;
}

/* ---- what is said ---- */

/* Without memory for an answer the peer is closed: it comes back and its cursor loses nothing. */
static void give_up(sdb_peer *peer) {
  if (peer->state != SDB_PEER_CLOSING) sdb_hub_close_peer(peer, 1013, "out of memory");
}

void sdb_hub_send(sdb_peer *peer, sdb_frames *frames) {
  if (peer->state == SDB_PEER_CLOSING) return;
  sdb_output_node *node = frames ? sdb_hub_output_new(peer->hub, SDB_HUB_SEND) : NULL;
  if (!node) {
    give_up(peer);
    return;
  }
  sdb_frames_retain(frames);
  node->output.frames = frames;
  peer->output_level += frames->size;
  queue_for_peer(node, peer);
}

void sdb_hub_send_run(sdb_peer *peer) {
  sdb_frames *frames = sdb_hub_take_frames(peer->hub);
  sdb_hub_send(peer, frames);
  if (frames) sdb_frames_release(frames);
}

void sdb_hub_send_error(
    sdb_peer *peer, const sdb_error *error, sdb_uuid client_id, const char *store) {
  sdb_wire_error(&peer->hub->run, error, client_id, store);
  sdb_hub_send_run(peer);
}

/* Without memory for the word itself the hello's time-out, or the peer's own, ends it later. */
void sdb_hub_close_peer(sdb_peer *peer, unsigned code, const char *reason) {
  SDB_ASSERT(peer->state != SDB_PEER_CLOSING);
  sdb_peer_leave_hello_queue(peer);
  peer->state = SDB_PEER_CLOSING;
  sdb_output_node *node = alloc_explained(peer->hub);
  if (!node) return;
  clear(node, SDB_HUB_CLOSE);
  node->explained = true;
  sdb_text_copy(node->error->message, sizeof(node->error->message), sdb_slice_of(reason));
  node->output.close_code = code;
  node->output.text = sdb_slice_of(node->error->message);
  queue_for_peer(node, peer);
}

/* The token stands behind a node of its own op, so that it stays as long as the output. */
void sdb_hub_authenticate(sdb_peer *peer, sdb_slice token) {
  sdb_hub *hub = peer->hub;
  sdb_output_node *node = sdb_hub_output_new(hub, SDB_HUB_AUTHENTICATE);
  char *copy = node ? sdb_mem_alloc(hub->mem, sizeof(sdb_op) + token.size) : NULL;
  if (!copy) {
    if (node) retire(hub, node);
    give_up(peer);
    return;
  }
  node->op = (sdb_op *)(void *)copy;
  memset(node->op, 0, sizeof(*node->op));
  memcpy(copy + sizeof(sdb_op), token.data, token.size);
  node->output.text = sdb_slice_make(copy + sizeof(sdb_op), token.size);
  peer->authenticating = true;
  queue_for_peer(node, peer);
}

bool sdb_hub_promise_done(sdb_hub *hub) {
  sdb_output_node *node = alloc_explained(hub);
  if (!node) return false;
  node->next = hub->promised;
  hub->promised = node;
  return true;
}

sdb_output_node *sdb_hub_done_new(sdb_hub *hub, void *tag, sdb_status status) {
  sdb_output_node *node = hub->promised;
  SDB_ASSERT(node);
  hub->promised = node->next;
  clear(node, SDB_HUB_DONE);
  node->explained = true;
  node->output.tag = tag;
  node->output.status = status;
  if (status != SDB_OK) {
    sdb_error_set(node->error, status, sdb_status_text(status), NULL, NULL);
    node->output.error = node->error;
  }
  return node;
}

void sdb_hub_done(sdb_hub *hub, void *tag, sdb_status status, const sdb_error *error) {
  sdb_output_node *node = sdb_hub_done_new(hub, tag, status);
  if (error && status != SDB_OK) {
    *node->error = *error;
    node->error->status = status;
  }
  sdb_hub_output_queue(hub, node);
}
