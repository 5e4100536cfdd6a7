/* sim/wire_check.c: see wire_check.h. */
#include "sim/wire_check.h"
#include "sim/failure.h"
#include "sim/text.h"
#include <stdio.h>
#include <string.h>

void sim_wire_init(sim_wire *wire, const sim_model *model, const sim_streams *streams,
    uint16_t user, sdb_uuid epoch) {
  memset(wire, 0, sizeof(*wire));
  wire->model = model;
  wire->streams = streams;
  wire->user = user;
  wire->epoch = epoch;
}

void sim_wire_free(sim_wire *wire) {
  sim_map_free(&wire->sent);
  sim_map_free(&wire->pushed);
}

void sim_wire_received(sim_wire *wire, sdb_slice message) {
  sdb_uuid client_id = sim_text_uuid(message, "\"clientId\":\"");
  if (!sdb_uuid_is_nil(client_id)) sim_map_put(&wire->pushed, sim_map_key(client_id), 1);
  wire->fetched |= sdb_slice_equal(sim_text_type(message), sdb_slice_of("fetch"));
}

static uint16_t store_of(sdb_slice message) {
  sdb_slice name;
  for (uint16_t i = 0; sim_text_between(message, "\"store\":\"", &name) && i < SIM_STORES; i++) {
    if (sdb_slice_equal(name, sdb_slice_of(sim_store_wire_name(i)))) return i;
  }
  sim_fail("a message of the protocol", "no store: %.*s", (int)message.size, message.data);
}

static sdb_seq seq_of(const sim_wire *wire, sdb_uuid id, sdb_slice message) {
  sdb_seq seq = 0;
  SIM_CHECK(sdb_seq_from_uuid(id, wire->model->key, &seq), "a message of the protocol",
      "an id of another database: %.*s", (int)message.size, message.data);
  return seq;
}

/* ---- partials ---- */

static sim_wire_partial *find_partial(sim_wire *wire, sdb_uuid id) {
  for (size_t i = 0; i < wire->partials_count; i++) {
    if (sdb_uuid_equal(wire->partials[i].id, id)) return &wire->partials[i];
  }
  return NULL;
}

static bool drop_partial(sim_wire *wire, sdb_uuid id) {
  sim_wire_partial *partial = find_partial(wire, id);
  if (partial) *partial = wire->partials[--wire->partials_count];
  return partial != NULL;
}

static void take_append(sim_wire *wire, sdb_uuid id, sdb_slice text, sdb_slice message) {
  sim_wire_partial *partial = find_partial(wire, id);
  SIM_CHECK(partial, "a partial is whole before it grows", "%.*s", (int)message.size, message.data);
  const sim_stream *stream = &wire->streams->items[partial->stream];
  bool right = partial->size + text.size <= stream->size &&
               memcmp(stream->text + partial->size, text.data, text.size) == 0;
  SIM_CHECK(right, "a partial reads as its stream", "%.*s behind %zu bytes of %.*s", (int)text.size,
      text.data, partial->size, (int)stream->size, stream->text);
  partial->size += text.size;
}

static void sends_partial(sim_wire *wire, sdb_slice message) {
  sdb_uuid id = sim_text_uuid(message, "\"id\":\"");
  sdb_slice text;
  if (sim_text_between(message, "\"append\":{\"message\":\"", &text)) {
    take_append(wire, id, text, message);
    return;
  }
  SIM_CHECK(sim_text_between(message, "\"message\":\"", &text), "a message of the protocol", "%.*s",
      (int)message.size, message.data);
  const sim_stream *stream = sim_stream_of(wire->streams, text);
  SIM_CHECK(stream->user == wire->user, "users see their own data", "%.*s to u%u", (int)text.size,
      text.data, wire->user);
  SIM_CHECK(text.size <= stream->size && memcmp(stream->text, text.data, text.size) == 0,
      "a partial reads as its stream", "%.*s of %.*s", (int)text.size, text.data, (int)stream->size,
      stream->text);
  sim_wire_partial *partial = find_partial(wire, id);
  if (!partial) {
    SIM_CHECK(wire->partials_count < SIM_WIRE_PARTIALS, "partials end", "%zu are open",
        wire->partials_count);
    partial = &wire->partials[wire->partials_count++];
    partial->size = 0;
  }
  SIM_CHECK(text.size >= partial->size, "a partial grows", "%.*s", (int)text.size, text.data);
  *partial = (sim_wire_partial){id, (uint32_t)(stream->handle - 1), text.size};
}

/* ---- events ---- */

/* Whether it answers a push that was stored before: with the object's event as it is now, under the
 * client id of that push. */
static bool is_answer(
    const sim_wire *wire, const sim_entry *entry, sdb_uuid client_id, sdb_slice message) {
  bool asked = !sdb_uuid_is_nil(client_id) &&
               sim_map_get(&wire->pushed, sim_map_key(client_id)) != SIM_MAP_NONE;
  if (sdb_uuid_equal(client_id, entry->client_id)) return asked;
  const sim_entry *first = sim_model_of_client(wire->model, client_id);
  bool same = asked && first && first->user == entry->user && first->store == entry->store &&
              (first->object == entry->object || SIM_SINGULAR(entry->store));
  SIM_CHECK(same, "an event is as it was stored", "another client id: %.*s", (int)message.size,
      message.data);
  return true;
}

static void check_content(
    const sim_wire *wire, const sim_entry *entry, sdb_uuid id, sdb_slice message) {
  sdb_slice object = sim_text_object(message, "\"object\":");
  SIM_CHECK(entry->user == wire->user, "users see their own data", "u%u's to u%u: %.*s",
      entry->user, wire->user, (int)message.size, message.data);
  bool same = entry->store == store_of(message) && entry->object == seq_of(wire, id, message) &&
              object.size == entry->size &&
              (object.size == 0 || memcmp(object.data, entry->body, object.size) == 0) &&
              entry->removed == (object.size == 0);
  SIM_CHECK(same, "an event is as it was stored", "%.*s", (int)message.size, message.data);
}

static uint64_t sent_key(const sim_entry *entry) {
  return SIM_SINGULAR(entry->store) ? entry->store + 1u : entry->object;
}

/* Whatever lies between the last live event and this one was to be sent before it. */
static void check_none_left_out(const sim_wire *wire, const sim_entry *entry) {
  const sim_model *model = wire->model;
  for (size_t i = (size_t)(entry - model->entries); i-- > 0;) {
    const sim_entry *before = &model->entries[i];
    if (before->seq <= wire->last_live) return;
    SIM_CHECK(before->user != wire->user || before->seq <= wire->head[before->store],
        "a connection is sent each live event", "u%u was not sent %llx", wire->user,
        (unsigned long long)before->seq);
  }
}

static void check_order(sim_wire *wire, const sim_entry *entry, bool answer, sdb_slice message) {
  uint32_t at = (uint32_t)(entry - wire->model->entries);
  uint32_t mark = sim_map_get(&wire->sent, sent_key(entry)), before = mark / 2;
  bool again = mark != SIM_MAP_NONE && at == before;
  /* What answered a push says nothing of what catch-up has to bring, and a fetch may ask for what
   * is on its way. */
  bool may_repeat = again && (answer || mark % 2 == 1 || wire->fetched);
  SIM_CHECK(mark == SIM_MAP_NONE || at > before || may_repeat, "never stale after fresh",
      "behind %llx: %.*s", (unsigned long long)wire->model->entries[before].seq, (int)message.size,
      message.data);
  sim_map_put(&wire->sent, sent_key(entry), at * 2 + answer);
  if (entry->seq <= wire->head[entry->store]) {
    wire->catch_up_bytes += message.size;
    return;
  }
  if (again) return;
  SIM_CHECK(entry->seq > wire->last_live, "live events rise", "behind %llx: %.*s",
      (unsigned long long)wire->last_live, (int)message.size, message.data);
  check_none_left_out(wire, entry);
  wire->last_live = entry->seq;
}

/* Each event of the range that is the newest of its object has been sent on this connection. */
static void sends_synced(const sim_wire *wire, sdb_slice message) {
  uint16_t store = store_of(message);
  sdb_uuid after_id = sim_text_uuid(message, "\"after\":\"");
  sdb_uuid before_id = sim_text_uuid(message, "\"before\":\"");
  sdb_seq after = sdb_uuid_is_nil(after_id) ? 0 : seq_of(wire, after_id, message);
  sdb_seq before = sdb_uuid_is_nil(before_id) ? SDB_SEQ_MAX : seq_of(wire, before_id, message);
  if (sim_text_has(message, "\"more\":true")) return;
  for (size_t i = wire->model->count; i-- > 0;) {
    const sim_entry *entry = &wire->model->entries[i];
    if (entry->seq <= after) return;
    if (entry->user != wire->user || entry->store != store || !entry->current) continue;
    if (entry->seq >= before || entry->seq > wire->head[store]) continue;
    /* Who holds nothing below need not be told of removes. */
    if (entry->removed && (after == 0 || sim_model_may_forget(wire->model, entry))) continue;
    uint32_t mark = sim_map_get(&wire->sent, sent_key(entry));
    SIM_CHECK(mark != SIM_MAP_NONE && mark / 2 == i, "what is said to be synced was sent",
        "not %llx: %.*s", (unsigned long long)entry->seq, (int)message.size, message.data);
  }
}

static void sends_event(sim_wire *wire, sdb_slice message, bool removes) {
  sdb_uuid id = sim_text_uuid(message, "\"id\":\"");
  sdb_uuid event_id = sim_text_uuid(message, "\"eventId\":\"");
  sdb_uuid client_id = sim_text_uuid(message, "\"clientId\":\"");
  bool was_partial = drop_partial(wire, id);
  if (removes && sdb_uuid_is_nil(event_id)) {
    /* A partial that was given up; or the answer to a push whose remove is forgotten by now. */
    bool asked = sim_map_get(&wire->pushed, sim_map_key(client_id)) != SIM_MAP_NONE;
    SIM_CHECK(
        was_partial || asked, "a remove names an event", "%.*s", (int)message.size, message.data);
    return;
  }
  if (sdb_uuid_is_nil(event_id)) event_id = id;
  const sim_entry *entry = sim_model_find(wire->model, seq_of(wire, event_id, message));
  SIM_CHECK(entry, "stored before said", "%.*s", (int)message.size, message.data);
  check_content(wire, entry, id, message);
  check_order(wire, entry, is_answer(wire, entry, client_id, message), message);
}

/* ---- the others ---- */

static void sends_hello(sim_wire *wire, sdb_slice message) {
  SIM_CHECK(!wire->greeted, "a message of the protocol", "a second server_hello");
  wire->greeted = true;
  SIM_CHECK(sdb_uuid_equal(sim_text_uuid(message, "\"database\":\""), wire->epoch),
      "the server_hello names the epoch", "%.*s", (int)message.size, message.data);
  for (uint16_t i = 0; i < SIM_STORES; i++) {
    char before[48];
    snprintf(before, sizeof(before), "\"%s\":{\"head\":\"", sim_store_wire_name(i));
    sdb_uuid head = sim_text_uuid(message, before);
    wire->head[i] = sdb_uuid_is_nil(head) ? 0 : seq_of(wire, head, message);
    const sim_entry *entry = sim_model_find(wire->model, wire->head[i]);
    SIM_CHECK(wire->head[i] == 0 || (entry && entry->user == wire->user && entry->store == i),
        "a head is an event", "%.*s", (int)message.size, message.data);
  }
}

/* What is stored is not refused: it may only be that it cannot be looked at now. */
static void sends_error(const sim_wire *wire, sdb_slice message) {
  const sim_model *model = wire->model;
  sdb_slice code;
  const sim_entry *stored = sim_model_of_client(model, sim_text_uuid(message, "\"clientId\":\""));
  SIM_CHECK(sim_text_between(message, "\"code\":\"", &code), "a message of the protocol", "%.*s",
      (int)message.size, message.data);
  bool not_now = sdb_slice_equal(code, sdb_slice_of("rate_limited")) ||
                 sdb_slice_equal(code, sdb_slice_of("unavailable"));
  bool forgotten = stored && sdb_seq_ms(stored->seq) + model->dedupe_ms < model->clock_ms;
  SIM_CHECK(!stored || stored->user != wire->user || not_now || forgotten,
      "what is stored is not refused", "%.*s", (int)message.size, message.data);
}

void sim_wire_sends(sim_wire *wire, sdb_slice message) {
  sdb_slice type = sim_text_type(message);
  SIM_CHECK(type.size > 0, "a message of the protocol", "%.*s", (int)message.size, message.data);
  bool hello = sdb_slice_equal(type, sdb_slice_of("server_hello"));
  SIM_CHECK(wire->greeted || hello, "the server_hello comes first", "%.*s", (int)message.size,
      message.data);
  if (hello)
    sends_hello(wire, message);
  else if (sdb_slice_equal(type, sdb_slice_of("partial")))
    sends_partial(wire, message);
  else if (sdb_slice_equal(type, sdb_slice_of("synced")))
    sends_synced(wire, message);
  else if (sdb_slice_equal(type, sdb_slice_of("update")))
    sends_event(wire, message, false);
  else if (sdb_slice_equal(type, sdb_slice_of("remove")))
    sends_event(wire, message, true);
  else if (sdb_slice_equal(type, sdb_slice_of("error")))
    sends_error(wire, message);
}
