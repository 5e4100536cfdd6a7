/* wire/encode.c: server to client messages, each a frame in a run.
 *
 * A frame's header comes before its payload but tells its length. Room for the
 * usual header is left, and only a payload shorter or longer than usual (the
 * header then has 2 or 10 bytes) is moved.
 */
#include "wire/text.h"
#include "wire/wire.h"

/* RFC 6455 section 5.2: payloads of 126 to 65535 bytes, without a mask. */
#define HEADER_USUAL 4

void sdb_wire_run_init(
    sdb_wire_run *run, const sdb_mem *mem, size_t size_max, sdb_wire_header_fn header) {
  memset(run, 0, sizeof(*run));
  sdb_buffer_init(&run->buffer, mem, size_max);
  run->header = header;
}

void sdb_wire_run_reset(sdb_wire_run *run) {
  sdb_buffer_reset(&run->buffer);
  run->messages = 0;
}

void sdb_wire_run_free(sdb_wire_run *run) {
  sdb_buffer_free(&run->buffer);
}

static void begin(sdb_wire_run *run) {
  run->start = run->buffer.size;
  if (sdb_buffer_reserve(&run->buffer, HEADER_USUAL)) sdb_buffer_commit(&run->buffer, HEADER_USUAL);
}

static void end(sdb_wire_run *run) {
  sdb_buffer *buffer = &run->buffer;
  if (buffer->status != SDB_OK) return;
  unsigned char header[SDB_WIRE_HEADER_MAX];
  size_t size = buffer->size - run->start - HEADER_USUAL;
  size_t header_size = run->header(size, header);
  SDB_ASSERT(header_size <= sizeof(header));
  if (header_size != HEADER_USUAL) {
    if (header_size > HEADER_USUAL && !sdb_buffer_reserve(buffer, header_size - HEADER_USUAL))
      return;
    char *payload = buffer->data + run->start + HEADER_USUAL;
    memmove(buffer->data + run->start + header_size, payload, size);
    buffer->size = run->start + header_size + size;
  }
  memcpy(buffer->data + run->start, header, header_size);
  run->messages++;
}

void sdb_wire_server_hello(sdb_wire_run *run, sdb_uuid database, uint64_t time_ms,
    const sdb_wire_store_head *stores, size_t count) {
  sdb_buffer *to = &run->buffer;
  begin(run);
  sdb_json_write_raw(to, "{\"type\":\"server_hello\",\"data\":{\"protocol\":");
  sdb_json_write_uint64(to, SDB_WIRE_PROTOCOL);
  sdb_json_write_raw(to, ",\"database\":");
  sdb_wire_write_id(to, database);
  sdb_json_write_raw(to, ",\"time\":");
  sdb_json_write_uint64(to, time_ms);
  sdb_json_write_raw(to, ",\"stores\":{");
  for (size_t i = 0; i < count; i++) {
    sdb_wire_write_text(to, i > 0 ? ",\"" : "\"");
    sdb_wire_write_text(to, stores[i].store);
    sdb_json_write_raw(to, "\":{\"head\":");
    sdb_wire_write_id(to, stores[i].head);
    sdb_wire_write_text(to, stores[i].reset ? ",\"reset\":true}" : ",\"reset\":false}");
  }
  sdb_json_write_raw(to, "}}}");
  end(run);
}

void sdb_wire_event_write(sdb_wire_run *run, const sdb_wire_event *event) {
  sdb_buffer *to = &run->buffer;
  begin(run);
  if (event->object.size > 0)
    sdb_json_write_raw(to, "{\"type\":\"update\",\"data\":{");
  else
    sdb_json_write_raw(to, "{\"type\":\"remove\",\"data\":{");
  sdb_wire_write_store(to, event->store);
  sdb_json_write_raw(to, ",\"id\":");
  sdb_wire_write_id(to, event->id);
  if (!sdb_uuid_is_nil(event->event_id) && !sdb_uuid_equal(event->event_id, event->id)) {
    sdb_json_write_raw(to, ",\"eventId\":");
    sdb_wire_write_id(to, event->event_id);
  }
  if (event->object.size > 0) {
    sdb_json_write_raw(to, ",\"object\":");
    sdb_buffer_append_slice(to, event->object);
  }
  if (!sdb_uuid_is_nil(event->client_id)) {
    sdb_json_write_raw(to, ",\"clientId\":");
    sdb_wire_write_id(to, event->client_id);
  }
  sdb_json_write_raw(to, "}}");
  end(run);
}

static void begin_partial(sdb_wire_run *run, const char *store, sdb_uuid id) {
  sdb_buffer *to = &run->buffer;
  begin(run);
  sdb_json_write_raw(to, "{\"type\":\"partial\",\"data\":{");
  sdb_wire_write_store(to, store);
  sdb_json_write_raw(to, ",\"id\":");
  sdb_wire_write_id(to, id);
}

void sdb_wire_partial(sdb_wire_run *run, const char *store, sdb_uuid id, sdb_slice object) {
  begin_partial(run, store, id);
  sdb_json_write_raw(&run->buffer, ",\"object\":");
  sdb_buffer_append_slice(&run->buffer, object);
  sdb_json_write_raw(&run->buffer, "}}");
  end(run);
}

void sdb_wire_partial_append(
    sdb_wire_run *run, const char *store, sdb_uuid id, sdb_slice field, sdb_slice escaped) {
  sdb_buffer *to = &run->buffer;
  begin_partial(run, store, id);
  sdb_json_write_raw(to, ",\"append\":{");
  sdb_json_write_string(to, field);
  sdb_json_write_raw(to, ":\"");
  sdb_buffer_append_slice(to, escaped);
  sdb_json_write_raw(to, "\"}}}");
  end(run);
}

void sdb_wire_synced(
    sdb_wire_run *run, const char *store, sdb_uuid after, sdb_uuid before, bool more) {
  sdb_buffer *to = &run->buffer;
  begin(run);
  sdb_json_write_raw(to, "{\"type\":\"synced\",\"data\":{");
  sdb_wire_write_store(to, store);
  sdb_json_write_raw(to, ",\"after\":");
  sdb_wire_write_id(to, after);
  sdb_json_write_raw(to, ",\"before\":");
  sdb_wire_write_id(to, before);
  sdb_wire_write_text(to, more ? ",\"more\":true}}" : ",\"more\":false}}");
  end(run);
}

void sdb_wire_error(
    sdb_wire_run *run, const sdb_error *error, sdb_uuid client_id, const char *store) {
  sdb_buffer *to = &run->buffer;
  begin(run);
  sdb_json_write_raw(to, "{\"type\":\"error\",\"data\":{\"code\":\"");
  sdb_wire_write_text(to, sdb_status_name(error->status));
  sdb_json_write_raw(to, "\",\"message\":");
  sdb_json_write_string(to, sdb_slice_of(error->message));
  if (!sdb_uuid_is_nil(client_id)) {
    sdb_json_write_raw(to, ",\"clientId\":");
    sdb_wire_write_id(to, client_id);
  }
  if (store) {
    sdb_json_write_raw(to, ",");
    sdb_wire_write_store(to, store);
  }
  if (error->path[0]) {
    sdb_json_write_raw(to, ",\"path\":");
    sdb_json_write_string(to, sdb_slice_of(error->path));
  }
  sdb_json_write_raw(to, "}}");
  end(run);
}

void sdb_wire_pong(sdb_wire_run *run) {
  begin(run);
  sdb_json_write_raw(&run->buffer, "{\"type\":\"pong\"}");
  end(run);
}
