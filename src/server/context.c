/* server/context.c: contexts, and the calls that change and read objects through them. */
#include "server/context.h"
#include "base/error.h"
#include "server/state.h"

sdb_context *sdb_context_make(sdb_database *database, sdb_slice user) {
  SDB_ASSERT(user.size > 0 && user.size <= SDB_USER_NAME_MAX);
  sdb_context *context = sdb_mem_zero(database->mem, sizeof(*context));
  if (!context) return NULL;
  if (pthread_mutex_init(&context->lock, NULL) != 0) {
    sdb_mem_free(database->mem, context);
    return NULL;
  }
  context->database = database;
  atomic_init(&context->references, 1);
  context->user_size = user.size;
  memcpy(context->user, user.data, user.size);
  return context;
}

sdb_status sdb_context_create(sdb_database *database, const char *user, sdb_context **context) {
  sdb_slice name = sdb_slice_of(user);
  if (name.size == 0 || name.size > SDB_USER_NAME_MAX || !sdb_utf8_valid(name))
    return SDB_INVALID_ARGUMENT;
  sdb_context *made = sdb_context_make(database, name);
  if (!made) return SDB_NO_MEMORY;
  *context = made;
  return SDB_OK;
}

sdb_context *sdb_context_retain(sdb_context *context) {
  atomic_fetch_add(&context->references, 1);
  return context;
}

void sdb_context_release(sdb_context *context) {
  if (!context || atomic_fetch_sub(&context->references, 1) != 1) return;
  sdb_context_abort_partials(context);
  pthread_mutex_destroy(&context->lock);
  sdb_mem_free(context->database->mem, context);
}

const char *sdb_context_user(const sdb_context *context) {
  return context->user;
}

/* A call for this context and store, or the error that there is no such store. */
static sdb_status begin_call(sdb_context *context, const sdb_store *store, sdb_request_kind kind,
    sdb_call *call, sdb_error *error) {
  int index = sdb_interest_store(context->database, store, error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  memset(call, 0, sizeof(*call));
  call->error = error;
  call->request.kind = kind;
  call->request.user = sdb_slice_make(context->user, context->user_size);
  call->request.store = (uint16_t)index;
  return SDB_OK;
}

static sdb_status change(sdb_context *context, sdb_call *call, sdb_receipt *receipt) {
  sdb_status status = sdb_call_wait(context->database, call);
  if (status == SDB_OK && receipt) *receipt = call->receipt;
  return status;
}

sdb_status sdb_push(sdb_context *context, const sdb_store *store, sdb_slice object,
    sdb_receipt *receipt, sdb_error *error) {
  sdb_call call;
  sdb_status status = begin_call(context, store, SDB_REQUEST_PUT, &call, error);
  if (status != SDB_OK) return status;
  call.request.object = object;
  return change(context, &call, receipt);
}

sdb_status sdb_update(sdb_context *context, const sdb_store *store, sdb_uuid id, sdb_slice object,
    sdb_receipt *receipt, sdb_error *error) {
  sdb_call call;
  sdb_status status = begin_call(context, store, SDB_REQUEST_PUT, &call, error);
  if (status != SDB_OK) return status;
  if (sdb_uuid_is_nil(id)) /* to the hub it means "create" */
    return sdb_error_set(error, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND), NULL, NULL);
  call.request.id = id;
  call.request.object = object;
  return change(context, &call, receipt);
}

sdb_status sdb_remove(sdb_context *context, const sdb_store *store, sdb_uuid id,
    sdb_receipt *receipt, sdb_error *error) {
  sdb_call call;
  sdb_status status = begin_call(context, store, SDB_REQUEST_REMOVE, &call, error);
  if (status != SDB_OK) return status;
  if (sdb_uuid_is_nil(id) && sdb_store_type_of(store) != SDB_STORE_SINGULAR)
    return sdb_error_set(error, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND), NULL, NULL);
  call.request.id = id;
  return change(context, &call, receipt);
}

static sdb_status read_records(sdb_context *context, sdb_call *call, sdb_records **records) {
  call->want_records = true;
  sdb_status status = sdb_call_wait(context->database, call);
  if (status == SDB_OK) *records = call->records;
  return status;
}

sdb_status sdb_get(sdb_context *context, const sdb_store *store, sdb_uuid id, sdb_records **records,
    sdb_error *error) {
  sdb_call call;
  sdb_status status = begin_call(context, store, SDB_REQUEST_GET, &call, error);
  if (status != SDB_OK) return status;
  call.request.id = id;
  return read_records(context, &call, records);
}

sdb_status sdb_list(sdb_context *context, const sdb_store *store, sdb_uuid before, uint32_t limit,
    sdb_records **records, sdb_error *error) {
  sdb_call call;
  sdb_status status = begin_call(context, store, SDB_REQUEST_LIST, &call, error);
  if (status != SDB_OK) return status;
  if (limit < 1 || limit > SDB_LIST_LIMIT_MAX)
    return sdb_error_set(error, SDB_INVALID_ARGUMENT, "limit is not 1 to 1000", NULL, NULL);
  call.request.before = before;
  call.request.limit = limit;
  return read_records(context, &call, records);
}

sdb_status sdb_singular(
    sdb_context *context, const sdb_store *store, sdb_records **records, sdb_error *error) {
  sdb_call call;
  sdb_status status = begin_call(context, store, SDB_REQUEST_SINGULAR, &call, error);
  if (status != SDB_OK) return status;
  return read_records(context, &call, records);
}

void sdb_records_free(sdb_records *records) {
  sdb_mem_free(sdb_platform_mem(), records);
}
