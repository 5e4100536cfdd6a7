/* storage/memory/write.c: one write of the memory storage.
 *
 * In this order: a client id that was stored before ends it; the object is looked up; the guard
 * has its say; everything that can fail is done; then the arrays change, which cannot fail.
 */
#include "base/planted.h"
#include "storage/memory/state.h"

static bool is_singular(const sdb_memory_state *state, uint16_t store) {
  SDB_ASSERT(store < state->stores_count);
  return state->types[store] == SDB_STORE_SINGULAR;
}

static const sdb_memory_client *find_client(const sdb_memory_state *state, const sdb_op_write *op) {
  if (sdb_uuid_is_nil(op->client_id) || SDB_PLANTED(DROP_DEDUPE)) return NULL;
  const sdb_memory_client *clients = state->clients.items;
  for (size_t i = 0; i < state->clients.count; i++) {
    if (clients[i].user == op->user && sdb_uuid_equal(clients[i].id, op->client_id))
      return &clients[i];
  }
  return NULL;
}

static sdb_status give_duplicate(
    const sdb_memory_state *state, const sdb_memory_client *client, sdb_op_write *op) {
  sdb_seq object = is_singular(state, client->store) ? 0 : client->object;
  ptrdiff_t at = sdb_memory_state_find(state, op->user, client->store, object);
  memset(&op->event, 0, sizeof(op->event));
  op->event.store = client->store;
  op->event.object = client->object;
  if (at >= 0 &&
      !sdb_memory_state_give(sdb_memory_event_at(state, (size_t)at), &op->memory, &op->event))
    return SDB_NO_MEMORY;
  op->event.client_id = op->client_id;
  op->duplicate = true;
  op->store = op->event.store;
  op->object = op->event.object;
  op->seq = op->event.seq;
  return SDB_OK;
}

/* Finds the event that the write takes the place of (-1: none), and settles store and action. */
static sdb_status resolve(const sdb_memory_state *state, sdb_op_write *op, ptrdiff_t *current) {
  *current = -1;
  if (op->store == SDB_STORE_ANY) SDB_ASSERT(op->action == SDB_ACTION_DELETE && op->object != 0);
  bool singular = op->store != SDB_STORE_ANY && is_singular(state, op->store);
  if (op->action == SDB_ACTION_CREATE && !singular) {
    if (!op->reserved) return SDB_OK;
    ptrdiff_t taken = sdb_memory_state_find(state, op->user, op->store, op->object);
    return taken < 0 ? SDB_OK : SDB_CONFLICT;
  }
  sdb_seq object = op->action == SDB_ACTION_CREATE ? 0 : op->object;
  SDB_ASSERT(singular || object != 0);
  ptrdiff_t at = sdb_memory_state_find(state, op->user, op->store, object);
  bool live = at >= 0 && !sdb_memory_event_at(state, (size_t)at)->removed;
  if (SDB_PLANTED(REMOVED_LIVES)) live = at >= 0;
  if (op->action == SDB_ACTION_CREATE)
    op->action = live ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE;
  else if (!live)
    return SDB_NOT_FOUND;
  *current = at;
  if (at >= 0) op->store = sdb_memory_event_at(state, (size_t)at)->store;
  return SDB_OK;
}

static sdb_status give_previous(sdb_op_write *op, sdb_slice current) {
  if (!op->want_previous || current.size == 0) return SDB_OK;
  char *to = sdb_buffer_reserve(&op->memory, current.size);
  if (!to) return SDB_NO_MEMORY;
  memcpy(to, current.data, current.size);
  sdb_buffer_commit(&op->memory, current.size);
  op->previous = sdb_slice_make(to, current.size);
  return SDB_OK;
}

/* What names the object from now on: in a singular store each update is an object of its own. */
static sdb_seq object_after(const sdb_memory_state *state, const sdb_op_write *op,
    const sdb_memory_event *current, sdb_seq seq) {
  SDB_ASSERT(current || op->action == SDB_ACTION_CREATE);
  if (op->action == SDB_ACTION_DELETE) return current->object;
  if (is_singular(state, op->store)) return seq;
  if (op->action == SDB_ACTION_CREATE) return op->reserved ? op->object : seq;
  return op->object;
}

static sdb_status store_event(sdb_memory_state *state, sdb_op_write *op, ptrdiff_t at) {
  size_t size = op->action == SDB_ACTION_DELETE ? 0 : op->body.size;
  sdb_memory_client *client = sdb_memory_array_room(state->mem, &state->clients, sizeof(*client));
  sdb_memory_event *event = sdb_memory_array_room(state->mem, &state->events, sizeof(*event));
  char *body = size ? sdb_mem_alloc(state->mem, size) : NULL;
  if (!client || !event || (size && !body)) {
    sdb_mem_free(state->mem, body);
    return SDB_NO_MEMORY;
  }
  if (size) memcpy(body, op->body.data, size);
  sdb_seq seq = sdb_seq_next(state->last, op->now_ms);
  const sdb_memory_event *current = at < 0 ? NULL : sdb_memory_event_at(state, (size_t)at);
  op->object = object_after(state, op, current, seq);
  op->seq = state->last = seq;
  *event = (sdb_memory_event){seq, op->object, op->user, op->store, op->action == SDB_ACTION_DELETE,
      op->client_id, body, size};
  state->events.count++;
  if (at >= 0) sdb_memory_state_drop(state, (size_t)at);
  if (!sdb_uuid_is_nil(op->client_id)) {
    *client = (sdb_memory_client){op->user, op->client_id, op->store, op->object, seq};
    state->clients.count++;
  }
  return SDB_OK;
}

static sdb_status write_one(sdb_memory_state *state, sdb_op_write *op) {
  SDB_ASSERT(op->user > 0 && op->user <= state->users.count);
  const sdb_memory_client *client = find_client(state, op);
  if (client) return give_duplicate(state, client, op);
  ptrdiff_t current;
  sdb_status status = resolve(state, op, &current);
  if (status != SDB_OK) return status;
  sdb_slice body = sdb_slice_make(NULL, 0);
  if (current >= 0) {
    const sdb_memory_event *event = sdb_memory_event_at(state, (size_t)current);
    body = sdb_slice_make(event->body, event->size);
  }
  if (op->guard) status = op->guard(op, body);
  if (status == SDB_OK) status = give_previous(op, body);
  return status == SDB_OK ? store_event(state, op, current) : status;
}

void sdb_memory_state_write(sdb_memory_state *state, sdb_op_write *op) {
  sdb_buffer_reset(&op->memory);
  op->duplicate = false;
  op->previous = sdb_slice_make(NULL, 0);
  op->op.status = write_one(state, op);
}
