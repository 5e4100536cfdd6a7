/* storage/memory/state.c: the arrays of the memory storage, and its reads.
 *
 * Invariants: events and clients are sorted by seq, each seq once; every event is the current one
 * of its object; a singular store has at most one event a user.
 */
#include "storage/memory/state.h"
#include "base/planted.h"

void *sdb_memory_array_room(const sdb_mem *mem, sdb_memory_array *array, size_t size) {
  if (array->count == array->capacity) {
    size_t capacity = array->capacity ? array->capacity * 2 : 16;
    void *items = sdb_mem_resize(mem, array->items, sdb_mem_product(capacity, size));
    if (!items) return NULL;
    array->items = items;
    array->capacity = capacity;
  }
  return (char *)array->items + array->count * size;
}

static void array_remove(sdb_memory_array *array, size_t at, size_t size) {
  SDB_ASSERT(at < array->count);
  char *item = (char *)array->items + at * size;
  memmove(item, item + size, (array->count - at - 1) * size);
  array->count--;
}

void sdb_memory_state_drop(sdb_memory_state *state, size_t at) {
  sdb_mem_free(state->mem, sdb_memory_event_at(state, at)->body);
  array_remove(&state->events, at, sizeof(sdb_memory_event));
}

void sdb_memory_state_free(sdb_memory_state *state) {
  for (size_t i = 0; i < state->events.count; i++)
    sdb_mem_free(state->mem, sdb_memory_event_at(state, i)->body);
  sdb_memory_user *users = state->users.items;
  for (size_t i = 0; i < state->users.count; i++) {
    sdb_mem_free(state->mem, users[i].name);
    sdb_mem_free(state->mem, users[i].horizons);
  }
  sdb_mem_free(state->mem, state->events.items);
  sdb_mem_free(state->mem, state->clients.items);
  sdb_mem_free(state->mem, state->users.items);
  memset(&state->events, 0, sizeof(state->events));
  memset(&state->clients, 0, sizeof(state->clients));
  memset(&state->users, 0, sizeof(state->users));
}

/* A copy of `size` bytes; NULL for none too. */
static bool copy_bytes(const sdb_mem *mem, const void *from, size_t size, void **to) {
  *to = NULL;
  if (size == 0) return true;
  *to = sdb_mem_alloc(mem, size);
  if (*to) memcpy(*to, from, size);
  return *to != NULL;
}

static bool copy_event(sdb_memory_state *to, const sdb_memory_event *event) {
  sdb_memory_event *copy = sdb_memory_array_room(to->mem, &to->events, sizeof(*copy));
  if (!copy) return false;
  *copy = *event;
  void *body;
  if (!copy_bytes(to->mem, event->body, event->size, &body)) return false;
  copy->body = body;
  to->events.count++;
  return true;
}

static bool add_user(sdb_memory_state *to, sdb_slice name, const sdb_seq *horizons) {
  size_t horizons_size = (to->stores_count + 1) * sizeof(*horizons);
  sdb_memory_user *user = sdb_memory_array_room(to->mem, &to->users, sizeof(*user));
  if (!user) return false;
  void *text, *copy = sdb_mem_zero(to->mem, horizons_size);
  if (!copy || !copy_bytes(to->mem, name.data, name.size, &text)) {
    sdb_mem_free(to->mem, copy);
    return false;
  }
  if (horizons) memcpy(copy, horizons, horizons_size);
  *user = (sdb_memory_user){text, name.size, copy};
  to->users.count++;
  return true;
}

bool sdb_memory_state_copy(sdb_memory_state *to, const sdb_memory_state *from) {
  *to = *from;
  memset(&to->events, 0, sizeof(to->events));
  memset(&to->clients, 0, sizeof(to->clients));
  memset(&to->users, 0, sizeof(to->users));
  bool good = copy_bytes(to->mem, from->clients.items,
      from->clients.count * sizeof(sdb_memory_client), &to->clients.items);
  if (good) to->clients.count = to->clients.capacity = from->clients.count;
  for (size_t i = 0; good && i < from->events.count; i++)
    good = copy_event(to, sdb_memory_event_at(from, i));
  const sdb_memory_user *users = from->users.items;
  for (size_t i = 0; good && i < from->users.count; i++)
    good = add_user(to, sdb_slice_make(users[i].name, users[i].size), users[i].horizons);
  if (!good) sdb_memory_state_free(to);
  return good;
}

uint64_t sdb_memory_state_user(sdb_memory_state *state, sdb_slice name) {
  const sdb_memory_user *users = state->users.items;
  for (size_t i = 0; i < state->users.count; i++) {
    if (sdb_slice_equal(name, sdb_slice_make(users[i].name, users[i].size))) return i + 1;
  }
  return add_user(state, name, NULL) ? state->users.count : 0;
}

void sdb_memory_state_expire(
    sdb_memory_state *state, uint64_t now_ms, uint64_t remember_ms, uint64_t dedupe_ms) {
  for (size_t i = state->events.count; i-- > 0;) {
    const sdb_memory_event *event = sdb_memory_event_at(state, i);
    if (!event->removed || sdb_seq_ms(event->seq) + remember_ms >= now_ms) continue;
    sdb_memory_user *users = state->users.items;
    sdb_seq *horizon = &users[event->user - 1].horizons[event->store];
    if (*horizon < event->seq) *horizon = event->seq;
    sdb_memory_state_drop(state, i);
  }
  for (size_t i = state->clients.count; i-- > 0;) {
    const sdb_memory_client *client = (const sdb_memory_client *)state->clients.items + i;
    if (sdb_seq_ms(client->seq) + dedupe_ms < now_ms ||
        (SDB_PLANTED(DEDUPE_BY_COUNT) && state->clients.count > 16))
      array_remove(&state->clients, i, sizeof(*client));
  }
}

ptrdiff_t sdb_memory_state_find(
    const sdb_memory_state *state, uint64_t user, uint16_t store, sdb_seq object) {
  for (size_t i = state->events.count; i-- > 0;) {
    const sdb_memory_event *event = sdb_memory_event_at(state, i);
    if (event->user != user && !(SDB_PLANTED(CROSS_USER_WRITE) && object != 0)) continue;
    if (store != SDB_STORE_ANY && event->store != store) continue;
    if (object == 0 || event->object == object) return (ptrdiff_t)i;
  }
  return -1;
}

bool sdb_memory_state_give(
    const sdb_memory_event *event, sdb_buffer *memory, sdb_stored_event *to) {
  char *body = NULL;
  if (event->size > 0) {
    body = sdb_buffer_reserve(memory, event->size);
    if (!body) return false;
    memcpy(body, event->body, event->size);
    sdb_buffer_commit(memory, event->size);
  }
  *to = (sdb_stored_event){event->seq, event->object, event->store, event->removed,
      event->client_id, sdb_slice_make(body, event->size)};
  return true;
}

void sdb_memory_state_head(sdb_memory_state *state, sdb_op_user *op) {
  const sdb_memory_user *users = state->users.items;
  for (size_t store = 0; store < state->stores_count; store++) {
    ptrdiff_t at = sdb_memory_state_find(state, op->user, (uint16_t)store, 0);
    op->heads[store].head = at < 0 ? 0 : sdb_memory_event_at(state, (size_t)at)->seq;
    op->heads[store].horizon = users[op->user - 1].horizons[store];
  }
  op->op.status = SDB_OK;
}

/* Whether the page's range and filter take this event. */
static bool page_takes(const sdb_op_page *op, const sdb_memory_event *event) {
  if (event->user != op->user && !SDB_PLANTED(CROSS_USER_PAGE)) return false;
  if (event->store != op->store) return false;
  if (event->seq <= op->after || (op->before != 0 && event->seq >= op->before)) return false;
  return !(op->objects_only && event->removed);
}

/* Counts the events of a page and their bytes, and whether more follow. */
static size_t measure_page(const sdb_memory_state *state, sdb_op_page *op) {
  size_t bytes = 0;
  op->count = 0;
  op->more = false;
  for (size_t i = state->events.count; i-- > 0;) {
    const sdb_memory_event *event = sdb_memory_event_at(state, i);
    if (!page_takes(op, event)) continue;
    if (op->count == op->limit || (op->count > 0 && bytes >= op->bytes_max)) {
      op->more = true;
      break;
    }
    op->count++;
    bytes += event->size;
  }
  return bytes;
}

static sdb_seq state_horizon(const sdb_memory_state *state, const sdb_op_page *op) {
  const sdb_memory_user *users = state->users.items;
  return op->user <= state->users.count ? users[op->user - 1].horizons[op->store] : 0;
}

void sdb_memory_state_page(sdb_memory_state *state, sdb_op_page *op) {
  SDB_ASSERT(op->limit > 0 && op->store < state->stores_count);
  sdb_buffer_reset(&op->memory);
  op->events = NULL;
  op->horizon = state_horizon(state, op);
  size_t size = measure_page(state, op);
  uint32_t count = op->count;
  op->op.status = SDB_OK;
  if (count == 0) return;
  size_t array_size = count * sizeof(*op->events);
  /* Reserved as one piece: giving the bodies then never moves the array. */
  if (!sdb_buffer_reserve(&op->memory, array_size + size)) {
    op->count = 0;
    op->op.status = SDB_NO_MEMORY;
    return;
  }
  op->events = (sdb_stored_event *)(void *)op->memory.data;
  sdb_buffer_commit(&op->memory, array_size);
  uint32_t given = 0;
  for (size_t i = state->events.count; given < count; i--) {
    const sdb_memory_event *event = sdb_memory_event_at(state, i - 1);
    if (!page_takes(op, event)) continue;
    bool good = sdb_memory_state_give(event, &op->memory, &op->events[given++]);
    SDB_ASSERT(good);
  }
}

void sdb_memory_state_object(sdb_memory_state *state, sdb_op_object *op) {
  sdb_buffer_reset(&op->memory);
  ptrdiff_t at = op->object ? sdb_memory_state_find(state, op->user, op->store, op->object) : -1;
  const sdb_memory_event *event = at < 0 ? NULL : sdb_memory_event_at(state, (size_t)at);
  if (!event || event->removed)
    op->op.status = SDB_NOT_FOUND;
  else
    op->op.status = sdb_memory_state_give(event, &op->memory, &op->event) ? SDB_OK : SDB_NO_MEMORY;
}

void sdb_memory_state_reserve(sdb_memory_state *state, sdb_op_reserve *op) {
  state->last = sdb_seq_next(state->last, op->now_ms);
  op->seq = state->last;
  op->op.status = SDB_OK;
}
