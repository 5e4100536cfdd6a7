/* server/calls.c: see calls.h. */
#include "server/calls.h"
#include "base/error.h"
#include "server/state.h"

void sdb_calls_init(sdb_calls *calls) {
  memset(calls, 0, sizeof(*calls));
  calls->last = &calls->first;
  pthread_mutex_init(&calls->lock, NULL);
  pthread_cond_init(&calls->room, NULL);
}

void sdb_calls_destroy(sdb_calls *calls) {
  SDB_ASSERT(!calls->first);
  pthread_cond_destroy(&calls->room);
  pthread_mutex_destroy(&calls->lock);
}

/* Inside the lock. */
static sdb_status append(sdb_database *database, sdb_call *first, sdb_call **last, size_t count) {
  sdb_calls *calls = &database->calls;
  if (calls->closed) return SDB_CLOSED;
  bool was_empty = calls->count == 0;
  *calls->last = first;
  calls->last = last;
  calls->count += count;
  /* Under the lock: once `closed` is set nobody touches net, which may then be destroyed. */
  if (was_empty) sdb_net_wake(database->net);
  return SDB_OK;
}

static sdb_status enqueue(sdb_database *database, sdb_call *call) {
  sdb_calls *calls = &database->calls;
  pthread_mutex_lock(&calls->lock);
  while (call->detached && calls->count >= SDB_CALLS_MAX && !calls->closed)
    pthread_cond_wait(&calls->room, &calls->lock);
  call->next = NULL;
  sdb_status status = append(database, call, &call->next, 1);
  pthread_mutex_unlock(&calls->lock);
  return status;
}

sdb_status sdb_calls_post(sdb_database *database, sdb_call *first, sdb_call **last, size_t count) {
  pthread_mutex_lock(&database->calls.lock);
  sdb_status status = append(database, first, last, count);
  pthread_mutex_unlock(&database->calls.lock);
  return status;
}

sdb_status sdb_call_wait(sdb_database *database, sdb_call *call) {
  SDB_ASSERT(!call->detached);
  if (sdb_server_on_loop(database))
    return sdb_error_set(
        call->error, SDB_CONFLICT, "called inside a callback of the loop", NULL, NULL);
  sem_init(&call->done, 0, 0);
  sdb_status status = enqueue(database, call);
  if (status == SDB_OK) {
    while (sem_wait(&call->done) != 0)
      continue; /* a signal interrupted it */
    status = call->status;
  } else {
    sdb_error_set(call->error, status, "the database is closed", NULL, NULL);
  }
  sem_destroy(&call->done);
  return status;
}

sdb_call *sdb_call_create(const sdb_database *database, size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  sdb_call *call = sdb_mem_alloc(database->mem, sizeof(*call) + size);
  if (!call) return NULL;
  memset(call, 0, sizeof(*call));
  call->detached = true;
  call->argument = call + 1;
  return call;
}

static void free_detached(sdb_call *call, const sdb_error *error) {
  if (call->detached_done) call->detached_done(call, error);
  sdb_mem_free(sdb_platform_mem(), call);
}

sdb_status sdb_call_detach(sdb_database *database, sdb_call *call) {
  SDB_ASSERT(call->detached);
  sdb_status status = sdb_server_on_loop(database) ? SDB_CONFLICT : enqueue(database, call);
  if (status != SDB_OK) {
    call->status = status;
    free_detached(call, NULL);
  }
  return status;
}

sdb_call *sdb_calls_take(sdb_calls *calls, bool close) {
  pthread_mutex_lock(&calls->lock);
  sdb_call *list = calls->first;
  calls->first = NULL;
  calls->last = &calls->first;
  calls->count = 0;
  if (close) calls->closed = true;
  pthread_cond_broadcast(&calls->room);
  pthread_mutex_unlock(&calls->lock);
  return list;
}

void sdb_call_complete(sdb_call *call, sdb_status status, const sdb_error *error) {
  call->status = status;
  if (status != SDB_OK && call->error) {
    if (error)
      *call->error = *error;
    else
      sdb_error_set(call->error, status, sdb_status_text(status), NULL, NULL);
  }
  if (call->detached)
    free_detached(call, error);
  else
    sem_post(&call->done);
}
