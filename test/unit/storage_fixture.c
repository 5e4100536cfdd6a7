/* test/unit/storage_fixture.c: a storage under test, and operations that are waited for. */
#include "platform/platform.h"
#include "storage_conformance.h"
#include <pthread.h>
#include <stdlib.h>

const sdb_storage_store CONFORMANCE_STORES[STORES] = {
    {"chat_message", SDB_STORE_EVENT}, {"note", SDB_STORE_EVENT}, {"account", SDB_STORE_SINGULAR}};

/* What an operation of a test owns; freed with the fixture. */
typedef struct owned {
  struct owned *next;
  sdb_buffer *memory; /* of the operation, or NULL */
  void *pointer;
} owned;

typedef struct completions {
  pthread_mutex_t mutex;
  pthread_cond_t came;
  size_t count;
  owned *owned;
} completions;

static void on_completed(void *context, sdb_op *list) {
  completions *c = context;
  pthread_mutex_lock(&c->mutex);
  for (; list; list = list->next)
    c->count++;
  pthread_cond_broadcast(&c->came);
  pthread_mutex_unlock(&c->mutex);
}

static void *own(fixture *f, size_t size) {
  completions *c = f->inbox;
  owned *item = calloc(1, sizeof(*item));
  assert_non_null(item);
  item->pointer = calloc(1, size);
  assert_non_null(item->pointer);
  item->next = c->owned;
  c->owned = item;
  return item->pointer;
}

static void own_memory(fixture *f, sdb_buffer *memory) {
  completions *c = f->inbox;
  sdb_buffer_init(memory, sdb_platform_mem(), 1 << 26);
  c->owned->memory = memory;
}

fixture *fixture_open(const conformance_kind *kind) {
  fixture *f = calloc(1, sizeof(*f));
  completions *c = calloc(1, sizeof(*c));
  assert_true(f && c);
  pthread_mutex_init(&c->mutex, NULL);
  pthread_cond_init(&c->came, NULL);
  f->kind = kind;
  f->inbox = c;
  f->storage = kind->open((sdb_storage_sink){c, on_completed});
  f->port = kind->port(f->storage);
  return f;
}

void fixture_close(fixture *f) {
  completions *c = f->inbox;
  f->kind->destroy(f->storage);
  for (owned *item = c->owned, *next; item; item = next) {
    next = item->next;
    if (item->memory) sdb_buffer_free(item->memory);
    free(item->pointer);
    free(item);
  }
  pthread_cond_destroy(&c->came);
  pthread_mutex_destroy(&c->mutex);
  free(c);
  free(f);
}

void fixture_reopen(fixture *f) {
  f->storage = f->kind->reopen(f->storage, (sdb_storage_sink){f->inbox, on_completed});
  f->port = f->kind->port(f->storage);
}

void fixture_submit(fixture *f, sdb_op *list) {
  completions *c = f->inbox;
  size_t count = 0;
  for (const sdb_op *op = list; op; op = op->next)
    count++;
  pthread_mutex_lock(&c->mutex);
  size_t wanted = c->count + count;
  pthread_mutex_unlock(&c->mutex);
  f->port->submit(f->port->self, list);
  if (f->kind->run) f->kind->run(f->storage);
  pthread_mutex_lock(&c->mutex);
  while (c->count < wanted)
    pthread_cond_wait(&c->came, &c->mutex);
  pthread_mutex_unlock(&c->mutex);
}

sdb_op_user *do_user(fixture *f, const char *name) {
  sdb_op_user *op = own(f, sizeof(*op) + STORES * sizeof(sdb_user_head));
  op->op.kind = SDB_OP_USER;
  op->name = sdb_slice_of(name);
  op->heads = (sdb_user_head *)(void *)(op + 1);
  fixture_submit(f, &op->op);
  return op;
}

uint64_t user_of(fixture *f, const char *name) {
  sdb_op_user *op = do_user(f, name);
  assert_int_equal(op->op.status, SDB_OK);
  assert_true(op->user > 0);
  return op->user;
}

sdb_op_write *new_write(fixture *f, sdb_action action, uint64_t user, int store) {
  sdb_op_write *write = own(f, sizeof(*write));
  own_memory(f, &write->memory);
  write->op.kind = SDB_OP_WRITE;
  write->op.status = SDB_IO; /* to see that it is set */
  write->user = user;
  write->store = (uint16_t)store;
  write->action = action;
  write->now_ms = T0;
  return write;
}

sdb_status do_write(fixture *f, sdb_op_write *write) {
  fixture_submit(f, &write->op);
  return write->op.status;
}

sdb_uuid client(uint64_t number) {
  sdb_uuid id = {{0}};
  for (int i = 0; i < 8; i++)
    id.bytes[i] = (uint8_t)(number >> (8 * i));
  return id;
}

sdb_seq create(fixture *f, uint64_t user, int store, const char *body, uint64_t client_number,
    uint64_t now_ms) {
  sdb_op_write *write = new_write(f, SDB_ACTION_CREATE, user, store);
  write->body = sdb_slice_of(body);
  write->client_id = client(client_number);
  write->now_ms = now_ms;
  assert_int_equal(do_write(f, write), SDB_OK);
  assert_false(write->duplicate);
  return write->object;
}

sdb_op_write *update(
    fixture *f, uint64_t user, int store, sdb_seq object, const char *body, uint64_t now_ms) {
  sdb_op_write *write = new_write(f, SDB_ACTION_UPDATE, user, store);
  write->object = object;
  write->body = sdb_slice_of(body);
  write->now_ms = now_ms;
  do_write(f, write);
  return write;
}

sdb_op_write *remove_object(fixture *f, uint64_t user, int store, sdb_seq object, uint64_t now_ms) {
  sdb_op_write *write = new_write(f, SDB_ACTION_DELETE, user, store);
  write->object = object;
  write->now_ms = now_ms;
  do_write(f, write);
  return write;
}

sdb_op_page *do_page(
    fixture *f, uint64_t user, int store, sdb_seq after, sdb_seq before, uint32_t limit) {
  sdb_op_page *page = own(f, sizeof(*page));
  own_memory(f, &page->memory);
  page->op.kind = SDB_OP_PAGE;
  page->user = user;
  page->store = (uint16_t)store;
  page->after = after;
  page->before = before;
  page->limit = limit;
  page->bytes_max = 1 << 20;
  fixture_submit(f, &page->op);
  return page;
}

sdb_op_object *do_object(fixture *f, uint64_t user, uint16_t store, sdb_seq object) {
  sdb_op_object *op = own(f, sizeof(*op));
  own_memory(f, &op->memory);
  op->op.kind = SDB_OP_OBJECT;
  op->user = user;
  op->store = store;
  op->object = object;
  fixture_submit(f, &op->op);
  return op;
}

sdb_op_reserve *do_reserve(fixture *f, uint64_t now_ms) {
  sdb_op_reserve *op = own(f, sizeof(*op));
  op->op.kind = SDB_OP_RESERVE;
  op->now_ms = now_ms;
  fixture_submit(f, &op->op);
  return op;
}

void assert_body(sdb_slice body, const char *text) {
  assert_int_equal(body.size, strlen(text));
  if (body.size) assert_memory_equal(body.data, text, body.size);
}

void assert_page(const sdb_op_page *page, const char *const *bodies, size_t count) {
  assert_int_equal(page->op.status, SDB_OK);
  assert_int_equal(page->count, count);
  for (size_t i = 0; i < count; i++) {
    bool removed = strcmp(bodies[i], "-") == 0;
    assert_int_equal(page->events[i].removed, removed);
    assert_body(page->events[i].body, removed ? "" : bodies[i]);
    if (i > 0) assert_true(page->events[i].seq < page->events[i - 1].seq);
  }
}
