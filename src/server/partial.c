/* server/partial.c: handles of partials.
 *
 * The partial itself lives in the hub, by number. A handle is counted: the
 * context's list holds one reference, and so does each append on its way to the
 * loop, which notes its failure there for the next call to give.
 */
#include "base/error.h"
#include "server/context.h"
#include "server/state.h"

struct sdb_partial {
  sdb_partial *next; /* in its context's list */
  sdb_context *context;
  const sdb_mem *mem;
  atomic_uint references;
  atomic_int failed; /* the sdb_status of an append or set that failed, SDB_OK else */
  uint64_t number;
  uint16_t store;
  sdb_uuid id;
};

static void release(sdb_partial *partial) {
  if (atomic_fetch_sub(&partial->references, 1) == 1) sdb_mem_free(partial->mem, partial);
}

static sdb_request request_of(const sdb_partial *partial, sdb_request_kind kind) {
  sdb_request request = {.kind = kind};
  request.user = sdb_slice_make(partial->context->user, partial->context->user_size);
  request.store = partial->store;
  request.partial = partial->number;
  return request;
}

sdb_status sdb_partial_begin(sdb_context *context, const sdb_store *store, sdb_slice object,
    sdb_partial **partial, sdb_error *error) {
  sdb_database *database = context->database;
  int index = sdb_interest_store(database, store, error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  if (sdb_store_type_of(store) != SDB_STORE_EVENT)
    return sdb_error_set(
        error, SDB_INVALID_ARGUMENT, "a singular store has no partials", NULL, NULL);
  sdb_partial *made = sdb_mem_zero(database->mem, sizeof(*made));
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  made->context = context;
  made->mem = database->mem;
  atomic_init(&made->references, 1);
  atomic_init(&made->failed, SDB_OK);
  made->number = atomic_fetch_add(&database->partials, 1) + 1;
  made->store = (uint16_t)index;
  sdb_call call = {.error = error, .request = request_of(made, SDB_REQUEST_PARTIAL_BEGIN)};
  call.request.object = object;
  sdb_status status = sdb_call_wait(database, &call);
  if (status != SDB_OK) {
    release(made);
    return status;
  }
  made->id = call.receipt.id;
  pthread_mutex_lock(&context->lock);
  made->next = context->partials;
  context->partials = made;
  pthread_mutex_unlock(&context->lock);
  *partial = made;
  return SDB_OK;
}

static void on_change_done(sdb_call *call, const sdb_error *error) {
  (void)error; /* the handle notes no more than the status */
  sdb_partial *partial;
  memcpy(&partial, call->argument, sizeof(partial));
  if (call->status != SDB_OK) atomic_store(&partial->failed, call->status);
  release(partial);
}

/* A change that is not waited for. Behind the call stand the handle and copies of what it carries.
 * */
static sdb_status change(
    sdb_partial *partial, sdb_request_kind kind, sdb_slice field, sdb_slice text) {
  sdb_status failed = atomic_load(&partial->failed);
  if (failed != SDB_OK && kind == SDB_REQUEST_PARTIAL_APPEND) return failed;
  sdb_database *database = partial->context->database;
  if (field.size > SIZE_MAX / 4 || text.size > SIZE_MAX / 4) return SDB_TOO_LARGE;
  sdb_call *call = sdb_call_create(
      database, sizeof(partial) + partial->context->user_size + field.size + text.size);
  if (!call) return SDB_NO_MEMORY;
  call->request = request_of(partial, kind);
  char *to = call->argument;
  memcpy(to, &partial, sizeof(partial));
  to += sizeof(partial);
  call->request.user.data = memcpy(to, partial->context->user, partial->context->user_size);
  to += partial->context->user_size;
  if (field.size) memcpy(to, field.data, field.size);
  call->request.field = sdb_slice_make(to, field.size);
  to += field.size;
  if (text.size) memcpy(to, text.data, text.size);
  sdb_slice copy = sdb_slice_make(to, text.size);
  if (kind == SDB_REQUEST_PARTIAL_SET)
    call->request.object = copy;
  else
    call->request.text = copy;
  call->detached_done = on_change_done;
  atomic_fetch_add(&partial->references, 1);
  return sdb_call_detach(database, call);
}

sdb_status sdb_partial_append(sdb_partial *partial, const char *field, sdb_slice text) {
  return change(partial, SDB_REQUEST_PARTIAL_APPEND, sdb_slice_of(field), text);
}

sdb_status sdb_partial_set(sdb_partial *partial, sdb_slice object) {
  atomic_store(&partial->failed, SDB_OK); /* a whole object heals what an append could not do */
  return change(partial, SDB_REQUEST_PARTIAL_SET, (sdb_slice){NULL, 0}, object);
}

static void unlink_from_context(sdb_partial *partial) {
  sdb_context *context = partial->context;
  pthread_mutex_lock(&context->lock);
  sdb_partial **at = &context->partials;
  while (*at != partial)
    at = &(*at)->next;
  *at = partial->next;
  pthread_mutex_unlock(&context->lock);
}

sdb_status sdb_partial_commit(sdb_partial *partial, sdb_receipt *receipt, sdb_error *error) {
  sdb_call call = {.error = error, .request = request_of(partial, SDB_REQUEST_PARTIAL_COMMIT)};
  sdb_status status = sdb_call_wait(partial->context->database, &call);
  if (status != SDB_OK) return status;
  if (receipt) *receipt = call.receipt;
  unlink_from_context(partial);
  release(partial);
  return SDB_OK;
}

/* What can fail here is that the database closes, and then the hub aborts every partial. */
static void send_abort(sdb_partial *partial) {
  sdb_status status =
      change(partial, SDB_REQUEST_PARTIAL_ABORT, (sdb_slice){NULL, 0}, (sdb_slice){NULL, 0});
  (void)status;
}

void sdb_partial_abort(sdb_partial *partial) {
  if (!partial) return;
  send_abort(partial);
  unlink_from_context(partial);
  release(partial);
}

void sdb_context_abort_partials(sdb_context *context) {
  while (context->partials) {
    sdb_partial *partial = context->partials;
    context->partials = partial->next;
    send_abort(partial);
    release(partial);
  }
}

sdb_uuid sdb_partial_id(const sdb_partial *partial) {
  return partial->id;
}
