/* replica/outputs.c: what the owner is to do: messages first, then what is said of the connection,
 * then changes and answers, in the order in which the storage did them: the answer to a push behind
 * the changes it made, and a read before the changes of a batch that it did not see.
 */
#include "base/error.h"
#include "replica/state.h"

void sdb_call_free(sdb_replica *replica, sdb_replica_call *call) {
  if (!call) return;
  if (call->page_asked) sdb_buffer_free(&call->page.memory);
  if (call->object_asked) sdb_buffer_free(&call->object.memory);
  sdb_mem_free(replica->mem, call->records);
  sdb_mem_free(replica->mem, call);
}

void sdb_call_append(sdb_replica_call **list, sdb_replica_call *call) {
  while (*list)
    list = &(*list)->next;
  call->next = NULL;
  *list = call;
}

sdb_replica_call *sdb_call_take(sdb_replica_call **list) {
  sdb_replica_call *call = *list;
  *list = call->next;
  call->next = NULL;
  return call;
}

/* Behind the batches that are still to be told. */
void sdb_replica_finish(sdb_replica *replica, sdb_replica_call *call, sdb_status status) {
  call->status = status;
  if (status != SDB_OK && call->error.status != status)
    sdb_error_set(&call->error, status, sdb_status_text(status), NULL, NULL);
  sdb_call_append(replica->committed ? &replica->committed_last->calls : &replica->done, call);
}

static void free_given(sdb_replica *replica) {
  sdb_call_free(replica, replica->given_call);
  replica->given_call = NULL;
}

static bool next_send(sdb_replica *replica, sdb_replica_output *output) {
  sdb_buffer *sends = &replica->sends;
  if (sends->status != SDB_OK) return false; /* flush ends the connection */
  if (replica->sends_given == sends->size) {
    sdb_buffer_reset(sends);
    replica->sends_given = 0;
    return false;
  }
  size_t size;
  memcpy(&size, sends->data + replica->sends_given, sizeof(size));
  replica->sends_given += sizeof(size);
  output->kind = SDB_REPLICA_SEND;
  output->text = sdb_slice_make(sends->data + replica->sends_given, size);
  replica->sends_given += size;
  return true;
}

/* Takes a flag. */
static bool take(bool *due) {
  bool was = *due;
  *due = false;
  return was;
}

static bool next_of_link(sdb_replica *replica, sdb_replica_output *output) {
  if (take(&replica->disconnect_due)) {
    output->kind = SDB_REPLICA_DISCONNECT;
    output->close_code = replica->disconnect_code;
  } else if (take(&replica->storage_failed_due)) {
    output->kind = SDB_REPLICA_STORAGE_FAILED;
    output->status = replica->storage_status;
  } else if (take(&replica->ask_due)) {
    output->kind = SDB_REPLICA_ASK_TOKEN;
    output->refused = replica->link.token_refused;
  } else if (take(&replica->connect_due)) {
    output->kind = SDB_REPLICA_CONNECT;
    output->text = sdb_buffer_slice(&replica->token);
  } else {
    return false;
  }
  return true;
}

static bool next_reset(sdb_replica *replica, sdb_replica_output *output) {
  for (uint16_t i = 0; replica->loaded && i < replica->options.stores_count; i++) {
    if (!take(&replica->stores[i].reset_due)) continue;
    output->kind = SDB_REPLICA_CHANGE;
    output->store = i;
    output->change.kind = SDB_CHANGE_RESET;
    return true;
  }
  return false;
}

/* False: the oldest batch has no more, and is gone; its calls are done. What was given stays valid,
 * for this is asked only when the next output is. */
static bool next_change(sdb_replica *replica, sdb_replica_output *output) {
  sdb_batch *batch = replica->committed;
  while (batch->told < batch->commit.count) {
    const sdb_local_change *change = &batch->commit.changes[batch->told++];
    output->kind = SDB_REPLICA_CHANGE;
    output->store = change->store;
    if (sdb_view_of_change(replica, change, &output->change)) return true;
  }
  replica->committed = batch->next;
  replica->done = batch->calls;
  batch->calls = NULL;
  sdb_batch_free(replica, batch);
  return false;
}

/* False: it could not be read, and the application is to list the store anew. */
static bool give_refreshed(
    sdb_replica *replica, const sdb_replica_call *call, sdb_replica_output *output) {
  output->kind = SDB_REPLICA_CHANGE;
  output->store = call->request.store;
  if (call->status == SDB_OK || call->status == SDB_NOT_FOUND) {
    sdb_view_of_refresh(replica, call, &output->change);
    return true;
  }
  sdb_replica_note_reset(replica, call->request.store);
  return false;
}

static bool next_done(sdb_replica *replica, sdb_replica_output *output) {
  while (replica->done) {
    free_given(replica);
    sdb_replica_call *call = replica->given_call = sdb_call_take(&replica->done);
    if (call->internal) {
      if (give_refreshed(replica, call, output)) return true;
      continue;
    }
    output->records_count = sdb_view_of_call(replica, call);
    output->kind = SDB_REPLICA_DONE;
    output->tag = call->request.tag;
    output->store = call->request.store;
    output->status = call->status;
    output->error = call->status == SDB_OK ? NULL : &call->error;
    output->client_id = call->client_id;
    output->records = call->records;
    return true;
  }
  return false;
}

/* Calls that are done come before the oldest batch that is not told. */
static bool next_of_storage(sdb_replica *replica, sdb_replica_output *output) {
  for (;;) {
    if (next_done(replica, output)) return true;
    if (!replica->committed) return false;
    if (next_change(replica, output)) return true;
  }
}

bool sdb_replica_has_output(const sdb_replica *replica) {
  bool of_link = replica->disconnect_due || replica->storage_failed_due || replica->ask_due ||
                 replica->connect_due || replica->status_due;
  return of_link || replica->committed || replica->done || replica->sends.size > 0;
}

bool sdb_replica_next_output(sdb_replica *replica, sdb_replica_output *output) {
  free_given(replica);
  memset(output, 0, sizeof(*output));
  if (next_send(replica, output) || next_of_link(replica, output) || next_reset(replica, output) ||
      next_of_storage(replica, output))
    return true;
  memset(output, 0, sizeof(*output));
  output->kind = SDB_REPLICA_STATUS;
  return take(&replica->status_due);
}
