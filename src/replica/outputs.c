/* replica/outputs.c: what the owner is to do: messages first, then what is said of the connection,
 * then what changed, then the answers to requests, which so come behind the changes they made. */
#include "base/error.h"
#include "replica/state.h"

void sdb_call_free(sdb_replica *replica, sdb_replica_call *call) {
  if (!call) return;
  if (call->page_asked) sdb_buffer_free(&call->page.memory);
  if (call->object_asked) sdb_buffer_free(&call->object.memory);
  sdb_mem_free(replica->mem, call->records);
  sdb_mem_free(replica->mem, call);
}

void sdb_replica_finish(sdb_replica *replica, sdb_replica_call *call, sdb_status status) {
  call->status = status;
  if (status != SDB_OK && call->error.status != status)
    sdb_error_set(&call->error, status, sdb_status_text(status), NULL, NULL);
  call->next = NULL;
  *replica->done_last = call;
  replica->done_last = &call->next;
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

/* Goes over the committed batches. One is freed when the output behind its last change is asked for,
 * so that what was given stays valid until then. */
static bool next_change(sdb_replica *replica, sdb_replica_output *output) {
  while (replica->committed) {
    sdb_batch *batch = replica->committed;
    while (batch->told < batch->commit.count) {
      const sdb_local_change *change = &batch->commit.changes[batch->told++];
      output->kind = SDB_REPLICA_CHANGE;
      output->store = change->store;
      if (sdb_view_of_change(replica, change, &output->change)) return true;
    }
    replica->committed = batch->next;
    if (!replica->committed) replica->committed_last = &replica->committed;
    sdb_batch_free(replica, batch);
  }
  return false;
}

static sdb_replica_call *take_done(sdb_replica *replica) {
  sdb_replica_call *call = replica->done;
  replica->done = call->next;
  if (!replica->done) replica->done_last = &replica->done;
  return replica->given_call = call;
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
  replica->stores[call->request.store].reset_due = true;
  return false;
}

static bool next_done(sdb_replica *replica, sdb_replica_output *output) {
  while (replica->done) {
    free_given(replica);
    sdb_replica_call *call = take_done(replica);
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

bool sdb_replica_next_output(sdb_replica *replica, sdb_replica_output *output) {
  free_given(replica);
  memset(output, 0, sizeof(*output));
  if (next_send(replica, output) || next_of_link(replica, output) || next_reset(replica, output) ||
      next_change(replica, output) || next_done(replica, output))
    return true;
  memset(output, 0, sizeof(*output));
  output->kind = SDB_REPLICA_STATUS;
  return take(&replica->status_due);
}
