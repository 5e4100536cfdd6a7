/* bindings/node/notices.c: mail as notices for JavaScript (js/src/server/native.ts, `Notice`): JSON
 * arrays that begin with their kind. Objects stand in them as they are: they are JSON already.
 */
#include "handle.h"

static void write_store(node_text *text, const node_handle *handle, const sdb_store *store) {
  size_t at = 0;
  while (at < handle->stores_count && handle->stores[at] != store)
    at++;
  node_text_number(text, at);
}

static void comma(node_text *text) {
  node_text_word(text, ",");
}

static void write_records(node_text *text, const sdb_records *records) {
  node_text_word(text, "[");
  for (size_t i = 0; i < records->count; i++) {
    const sdb_record *record = &records->records[i];
    node_text_word(text, i ? ",[" : "[");
    node_text_uuid(text, record->id);
    comma(text);
    node_text_uuid(text, record->event_id);
    comma(text);
    node_text_uuid(text, record->client_id);
    comma(text);
    node_text_json(text, record->object);
    node_text_word(text, "]");
  }
  node_text_word(text, "]");
}

void node_write_failure(node_text *text, uint64_t tag, const sdb_error *error) {
  node_text_word(text, "[1,");
  node_text_number(text, tag);
  comma(text);
  node_text_string(text, sdb_slice_of(sdb_status_name(error->status)));
  comma(text);
  node_text_string(text, sdb_slice_of(error->message));
  comma(text);
  node_text_string(text, sdb_slice_of(error->path));
  node_text_word(text, "]");
}

static void write_done(node_text *text, const sdb_mail *mail) {
  if (mail->status != SDB_OK) {
    node_write_failure(text, mail->tag, mail->error);
    return;
  }
  node_text_word(text, mail->records ? "[2," : "[0,");
  node_text_number(text, mail->tag);
  comma(text);
  if (mail->records) {
    write_records(text, mail->records);
  } else {
    node_text_uuid(text, mail->receipt.id);
    comma(text);
    node_text_uuid(text, mail->receipt.event_id);
  }
  node_text_word(text, "]");
}

static void write_event(node_text *text, const node_handle *handle, const sdb_event *event) {
  node_text_word(text, "[");
  write_store(text, handle, event->store);
  comma(text);
  node_text_number(text, event->action);
  comma(text);
  node_text_uuid(text, event->id);
  comma(text);
  node_text_uuid(text, event->event_id);
  comma(text);
  node_text_uuid(text, event->client_id);
  comma(text);
  node_text_json(text, event->object);
  comma(text);
  node_text_json(text, event->previous);
  node_text_word(text, "]");
}

static void write_events(node_text *text, const node_handle *handle, const sdb_mail *mail) {
  node_text_word(text, "[3,");
  node_text_number(text, mail->ticket);
  comma(text);
  node_text_string(text, mail->user);
  node_text_word(text, ",[");
  for (size_t i = 0; i < mail->events_count; i++) {
    if (i) comma(text);
    write_event(text, handle, &mail->events[i]);
  }
  node_text_word(text, "]]");
}

static void write_candidate(node_text *text, const node_handle *handle, const sdb_mail *mail) {
  node_text_word(text, "[4,");
  node_text_number(text, mail->ticket);
  comma(text);
  write_store(text, handle, mail->store);
  comma(text);
  node_text_number(text, mail->action);
  comma(text);
  node_text_json(text, mail->object);
  node_text_word(text, "]");
}

static void write_question(node_text *text, const sdb_mail *mail) {
  node_text_word(text, "[5,");
  node_text_number(text, mail->ticket);
  comma(text);
  node_text_string(text, mail->token);
  comma(text);
  node_text_string(text, mail->remote);
  comma(text);
  node_text_string(text, mail->head);
  node_text_word(text, "]");
}

bool node_write_mail(node_text *text, const node_handle *handle, const sdb_mail *mail) {
  if (mail->kind == SDB_MAIL_DONE && mail->tag == 0) return false;
  if (text->size > 1) comma(text);
  switch (mail->kind) {
  case SDB_MAIL_DONE:
    write_done(text, mail);
    break;
  case SDB_MAIL_EVENTS:
    write_events(text, handle, mail);
    break;
  case SDB_MAIL_JUDGE:
    write_candidate(text, handle, mail);
    break;
  case SDB_MAIL_AUTHENTICATE:
    write_question(text, mail);
    break;
  }
  return true;
}
