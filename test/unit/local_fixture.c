/* test/unit/local_fixture.c: a storage of the device under test, and operations on it. */
#include "local_conformance.h"
#include "platform/platform.h"
#include <stdlib.h>

/* An operation that reads, freed with the fixture. */
typedef struct owned {
  struct owned *next;
  sdb_buffer *memory;
  void *op;
} owned;

static void on_completed(void *context, sdb_local_op *list) {
  local_fixture *f = context;
  f->completed = list;
  f->calls++;
}

sdb_local_sink local_sink(local_fixture *f) {
  return (sdb_local_sink){f, on_completed};
}

local_fixture *local_open(const local_kind *kind) {
  local_fixture *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  f->kind = kind;
  f->storage = kind->open(local_sink(f));
  f->port = kind->port(f->storage);
  return f;
}

void local_close(local_fixture *f) {
  f->kind->destroy(f->storage);
  for (owned *item = f->owned, *next; item; item = next) {
    next = item->next;
    sdb_buffer_free(item->memory);
    free(item->op);
    free(item);
  }
  free(f);
}

void local_reopen(local_fixture *f) {
  f->storage = f->kind->reopen(f->storage, local_sink(f));
  f->port = f->kind->port(f->storage);
}

sdb_status local_submit(local_fixture *f, sdb_local_op *op) {
  size_t calls = f->calls;
  op->next = NULL;
  op->status = SDB_CLOSED; /* to see that it is set */
  f->port->submit(f->port->self, op);
  assert_int_equal(f->calls, calls + 1);
  assert_ptr_equal(f->completed, op);
  assert_null(op->next);
  return op->status;
}

sdb_uuid id_of(uint64_t number) {
  sdb_uuid id = {{0x01, 0x97, 0x4f}};
  for (int i = 0; i < 8; i++)
    id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
  return id;
}

/* ---- changes ---- */

sdb_local_change change_of(sdb_local_change_kind kind, int store) {
  return (sdb_local_change){.kind = kind, .store = (uint16_t)store};
}

sdb_local_change put_of(int store, uint64_t id, uint64_t event, const char *object) {
  sdb_local_change change = change_of(SDB_LOCAL_PUT, store);
  change.id = id_of(id);
  change.event_id = id_of(event);
  change.client_id = id_of(event + 1000000);
  change.object = sdb_slice_of(object);
  return change;
}

sdb_local_change singular_of(int store, uint64_t id, uint64_t event, const char *object) {
  sdb_local_change change = put_of(store, id, event, object);
  change.kind = SDB_LOCAL_SINGULAR;
  return change;
}

sdb_local_change remove_of(uint16_t store, uint64_t id, uint64_t event, bool keep) {
  sdb_local_change change = put_of(store, id, event, NULL);
  change.kind = SDB_LOCAL_REMOVE;
  change.keep = keep;
  return change;
}

sdb_local_change state_of(
    int store, uint64_t head, uint32_t wanted, const sdb_id_range *missing, uint32_t count) {
  sdb_local_change change = change_of(SDB_LOCAL_STATE, store);
  change.state = (sdb_local_state){.wanted = wanted, .missing = missing, .missing_count = count};
  if (head > 0) change.state.head = id_of(head);
  return change;
}

sdb_local_change database_of(uint64_t number) {
  sdb_local_change change = change_of(SDB_LOCAL_DATABASE, 0);
  change.id = id_of(number);
  return change;
}

sdb_local_change pending_put_of(const sdb_local_pending *pending) {
  sdb_local_change change = change_of(SDB_LOCAL_PENDING_PUT, 0);
  change.pending = pending;
  return change;
}

sdb_local_change pending_drop_of(sdb_uuid client_id) {
  sdb_local_change change = change_of(SDB_LOCAL_PENDING_DROP, 0);
  change.client_id = client_id;
  return change;
}

sdb_local_pending pending_of(uint64_t position, uint64_t client_id, int store, const char *object) {
  return (sdb_local_pending){.position = position,
      .client_id = id_of(client_id),
      .store = (uint16_t)store,
      .action = SDB_ACTION_CREATE,
      .created_ms = T0 + position,
      .object = sdb_slice_of(object)};
}

sdb_status commit_changes(local_fixture *f, sdb_local_change *changes, size_t count) {
  sdb_local_commit commit = {.op = {.kind = SDB_LOCAL_COMMIT}, .changes = changes, .count = count};
  return local_submit(f, &commit.op);
}

bool apply(local_fixture *f, sdb_local_change change) {
  assert_int_equal(commit_changes(f, &change, 1), SDB_OK);
  return change.applied;
}

/* ---- reads ---- */

static void *own(local_fixture *f, size_t size, size_t memory_at) {
  owned *item = calloc(1, sizeof(*item));
  char *op = calloc(1, size);
  assert_true(item && op);
  item->op = op;
  item->memory = (sdb_buffer *)(void *)(op + memory_at);
  sdb_buffer_init(item->memory, sdb_platform_mem(), 1 << 26);
  item->next = f->owned;
  f->owned = item;
  return op;
}

sdb_local_page *read_page(local_fixture *f, int store, sdb_uuid before, uint32_t limit) {
  sdb_local_page *page = own(f, sizeof(*page), offsetof(sdb_local_page, memory));
  page->op.kind = SDB_LOCAL_PAGE;
  page->store = (uint16_t)store;
  page->before = before;
  page->limit = limit;
  local_submit(f, &page->op);
  return page;
}

sdb_local_object *read_object(local_fixture *f, int store, sdb_uuid id) {
  sdb_local_object *object = own(f, sizeof(*object), offsetof(sdb_local_object, memory));
  object->op.kind = SDB_LOCAL_OBJECT;
  object->store = (uint16_t)store;
  object->id = id;
  local_submit(f, &object->op);
  return object;
}

sdb_local_load *load_all(local_fixture *f) {
  sdb_local_load *load = own(f, sizeof(*load), offsetof(sdb_local_load, memory));
  load->op.kind = SDB_LOCAL_LOAD;
  local_submit(f, &load->op);
  return load;
}

/* ---- what is expected ---- */

void assert_id(sdb_uuid id, sdb_uuid wanted) {
  assert_memory_equal(id.bytes, wanted.bytes, sizeof(id.bytes));
}

static void assert_slice(sdb_slice slice, sdb_slice wanted) {
  assert_int_equal(slice.size, wanted.size);
  if (wanted.size > 0) assert_memory_equal(slice.data, wanted.data, wanted.size);
}

void assert_objects(local_fixture *f, int store, const char *const *objects, size_t count) {
  sdb_local_page *page = read_page(f, store, NIL, 1000);
  assert_int_equal(page->op.status, SDB_OK);
  assert_int_equal(page->count, count);
  for (size_t i = 0; i < count; i++)
    assert_body(page->records[i].object, objects[i]);
}

void assert_pending(const sdb_local_pending *pending, const sdb_local_pending *wanted) {
  assert_int_equal(pending->position, wanted->position);
  assert_id(pending->client_id, wanted->client_id);
  assert_id(pending->id, wanted->id);
  assert_id(pending->depends, wanted->depends);
  assert_int_equal(pending->store, wanted->store);
  assert_int_equal(pending->action, wanted->action);
  assert_int_equal(pending->failed, wanted->failed);
  assert_int_equal(pending->created_ms, wanted->created_ms);
  assert_slice(pending->object, wanted->object);
  assert_slice(pending->message, wanted->message);
  assert_slice(pending->path, wanted->path);
}

void assert_state(const sdb_local_state *state, const sdb_local_state *wanted) {
  assert_id(state->head, wanted->head);
  assert_int_equal(state->wanted, wanted->wanted);
  assert_int_equal(state->missing_count, wanted->missing_count);
  for (uint32_t i = 0; i < wanted->missing_count; i++) {
    assert_id(state->missing[i].after, wanted->missing[i].after);
    assert_id(state->missing[i].before, wanted->missing[i].before);
  }
}
