/* server/outputs.c: carries out what the hub says. */
#include "server/state.h"

static void retain_frames(void *frames) {
  sdb_frames_retain(frames);
}
static void release_frames(void *frames) {
  sdb_frames_release(frames);
}

static void on_send(const sdb_hub_output *output) {
  sdb_session *session = output->tag;
  sdb_frames *frames = output->frames;
  sdb_net_send(session->conn, frames->data, frames->size, frames->messages, frames, retain_frames,
      release_frames);
  sdb_frames_release(frames);
}

static void on_close(sdb_database *database, const sdb_hub_output *output) {
  sdb_session *session = output->tag;
  if (output->close_code == 4401) database->stats.unauthorized++;
  sdb_server_log(database, SDB_LOG_DEBUG, "peer_closed", "closing with %u: %.*s",
      output->close_code, (int)output->text.size, output->text.data ? output->text.data : "");
  sdb_net_close(session->conn, output->close_code, output->text);
}

static void on_authenticate(sdb_database *database, const sdb_hub_output *output) {
  if (database->identities.by_mail) {
    sdb_server_ask_caller(database, output->tag, output->text);
    return;
  }
  sdb_identity identity = {.size = sizeof(identity)};
  sdb_slice user = {NULL, 0};
  uint64_t now_ms = sdb_net_now_ms(database->net);
  if (sdb_identities_check(&database->identities, output->text, user, now_ms, &identity))
    user = sdb_slice_of(identity.user);
  sdb_hub_on_identity(database->hub, output->peer, user, identity.expires_ms, now_ms);
}

static void on_event(sdb_database *database, const sdb_hub_output *output) {
  database->stats.events_delivered++;
  if (database->mailbox) database->mailbox->events_due = true;
  if (!sdb_lanes_add(&database->lanes, database->stores[output->row.store], output))
    sdb_server_log(database, SDB_LOG_ERROR, "event_dropped",
        "out of memory: subscribers are not told of an event of %.*s", (int)output->user.size,
        output->user.data);
}

/* One block: the list, its rows, and their text behind them. */
static sdb_records *copy_records(const sdb_mem *mem, const sdb_hub_row *rows, size_t count) {
  size_t size = sizeof(sdb_records) + count * sizeof(sdb_record);
  for (size_t i = 0; i < count; i++)
    size += rows[i].object.size;
  sdb_records *records = sdb_mem_alloc(mem, size);
  if (!records) return NULL;
  sdb_record *record = (sdb_record *)(void *)(records + 1);
  char *text = (char *)(record + count);
  records->count = count;
  records->records = record;
  for (size_t i = 0; i < count; i++, record++) {
    record->id = rows[i].id;
    record->event_id = rows[i].event_id;
    record->client_id = rows[i].client_id;
    record->object = sdb_slice_make(text, rows[i].object.size);
    memcpy(text, rows[i].object.data, rows[i].object.size);
    text += rows[i].object.size;
  }
  return records;
}

static void on_done(sdb_database *database, const sdb_hub_output *output) {
  sdb_call *call = output->tag;
  sdb_status status = output->status;
  if (status == SDB_OK && call->want_records) {
    call->records = copy_records(database->mem, output->rows, output->rows_count);
    if (!call->records) status = SDB_NO_MEMORY;
  }
  call->receipt.id = output->row.id;
  call->receipt.event_id = output->row.event_id;
  sdb_call_complete(call, status, status == output->status ? output->error : NULL);
}

static void carry_out(sdb_database *database, const sdb_hub_output *output) {
  switch (output->kind) {
  case SDB_HUB_SEND:
    on_send(output);
    break;
  case SDB_HUB_CLOSE:
    on_close(database, output);
    break;
  case SDB_HUB_AUTHENTICATE:
    on_authenticate(database, output);
    break;
  case SDB_HUB_JUDGE:
    sdb_server_on_judge(database, output);
    break;
  case SDB_HUB_EVENT:
    on_event(database, output);
    break;
  case SDB_HUB_DONE:
    on_done(database, output);
    break;
  }
}

void sdb_server_drain(sdb_database *database) {
  sdb_hub_output output;
  while (sdb_hub_next_output(database->hub, &output))
    carry_out(database, &output);
  sdb_hub_flush(database->hub);
  sdb_mailbox_publish(database->mailbox);
  uint64_t deadline_ms = sdb_hub_deadline_ms(database->hub);
  if (database->waits_for_peers && database->peers_deadline_ms < deadline_ms)
    deadline_ms = database->peers_deadline_ms;
  sdb_net_set_timer(database->net, deadline_ms);
}
