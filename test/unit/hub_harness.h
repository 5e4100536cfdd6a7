/* hub_harness.h: a hub over the memory storage, devices that read what they are sent, and time
 * that stands still. Nothing happens by itself: `settle` runs all there is to do, and a test that
 * is about a race takes the steps one by one (drain, flush, store).
 */
#ifndef HUB_HARNESS_H
#define HUB_HARNESS_H

#include "failing_memory.h"
#include "hub/hub.h"
#include "platform/platform.h"
#include "storage/memory/memory_storage.h"
#include "store/store.h"
#include "ws/frame.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define DEVICES_MAX 80
#define RECORDS_MAX 512
#define START_MS ((uint64_t)1749383382805)

enum { CHAT, ACCOUNT, NOTE, STORES_COUNT }; /* the stores, as they are numbered */

/* Texts that came and were not looked at yet. */
typedef struct inbox {
  char **texts;
  size_t first, count, capacity;
} inbox;

typedef struct device {
  struct harness *harness;
  sdb_peer *peer;
  inbox inbox;
  json_t *message; /* the last one taken */
  unsigned closed; /* the code, 0: open */
  char reason[256];
  char token[64];        /* of the last AUTHENTICATE */
  unsigned authenticate; /* how many there were */
  size_t unread;         /* bytes, while it does not read */
  bool stuck;            /* it reads nothing: its output level grows */
} device;

/* An EVENT, a DONE or a JUDGE. */
typedef struct record {
  sdb_hub_output_kind kind;
  void *tag;
  uint64_t ticket;
  sdb_status status;
  sdb_action action;
  sdb_uuid id, event_id, client_id;
  uint16_t store;
  char user[32], object[256], previous[256], message[256], path[64];
  size_t rows;
  char row[3][256];
} record;

typedef struct harness {
  failing_memory memory; /* the hub's */
  sdb_store *stores[STORES_COUNT];
  sdb_memory_storage *storage;
  sdb_hub *hub;
  uint64_t now_ms;
  unsigned char epoch; /* each byte of the storage's */
  device devices[DEVICES_MAX];
  size_t devices_count;
  record records[RECORDS_MAX];
  size_t records_first, records_count;
  uint32_t subscribed; /* a bit a store */
  uint32_t judged;     /* likewise */
  bool mute;           /* devices drop what they are sent: for benchmarks and floods */
} harness;

/* ---- stores ---- */

/* The brief's rule. */
static inline sdb_status chat_rule(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  if (action == SDB_ACTION_CREATE && !sdb_object_is(object, "role", "user"))
    return sdb_reject(error, "Only user messages can be created!");
  if (action == SDB_ACTION_UPDATE)
    return sdb_reject(error, "Only create and delete actions can be performed.");
  if (action == SDB_ACTION_DELETE && sdb_object_is(object, "message", "keep"))
    return sdb_reject(error, "This one stays!");
  return SDB_OK;
}

static inline sdb_status account_rule(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  if (action == SDB_ACTION_UPDATE && sdb_object_is(object, "name", "nobody"))
    return sdb_reject(error, "Nobody cannot be updated to!");
  if (action == SDB_ACTION_UPDATE && sdb_object_is(object, "name", "odd")) {
    (void)sdb_reject(error, "An odd name.");
    memcpy(error->path, "/name", sizeof("/name"));
    return SDB_INVALID_OBJECT;
  }
  return SDB_OK;
}

static inline sdb_store *harness_store(
    const char *name, sdb_store_type type, const char *schema, sdb_validate_update_fn rule) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = name;
  definition.type = type;
  definition.schema = schema;
  definition.validate_update = rule;
  sdb_store *store = NULL;
  sdb_error error = {0};
  if (sdb_store_compile(&definition, sdb_platform_mem(), sdb_platform_patterns(), &store, &error) !=
      SDB_OK)
    fail_msg("%s: %s", name, error.message);
  return store;
}

static inline void make_stores(harness *h) {
  h->stores[CHAT] = harness_store("chat_message", SDB_STORE_EVENT,
      "{\"type\":\"object\",\"properties\":{\"role\":{\"type\":\"string\"},"
      "\"message\":{\"type\":\"string\"}},\"required\":[\"role\",\"message\"]}",
      chat_rule);
  h->stores[ACCOUNT] = harness_store("account", SDB_STORE_SINGULAR,
      "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},"
      "\"required\":[\"name\"]}",
      account_rule);
  h->stores[NOTE] = harness_store("note", SDB_STORE_EVENT,
      "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},"
      "\"required\":[\"text\"]}",
      NULL);
}

/* ---- life ---- */

static inline bool harness_subscribed(void *context, uint16_t store) {
  harness *h = context;
  return (h->subscribed >> store & 1) != 0;
}

static inline bool harness_judged(void *context, uint16_t store) {
  harness *h = context;
  return store == SDB_STORE_ANY ? h->judged != 0 : (h->judged >> store & 1) != 0;
}

static inline void harness_completed(void *context, sdb_op *list) {
  harness *h = context;
  sdb_hub_on_completed(h->hub, list, h->now_ms);
}

static inline sdb_uuid harness_database(void) {
  sdb_uuid database;
  memset(&database, 0xab, sizeof(database));
  return database;
}

/* Another than the key of ids, so that one is not taken for the other. */
static inline sdb_uuid harness_epoch(const harness *h) {
  sdb_uuid epoch;
  memset(&epoch, h->epoch, sizeof(epoch));
  return epoch;
}

static inline void make_storage_with(harness *h, void (*completed)(void *, sdb_op *)) {
  sdb_storage_store stores[STORES_COUNT];
  for (size_t i = 0; i < STORES_COUNT; i++)
    stores[i] = (sdb_storage_store){sdb_store_name(h->stores[i]), sdb_store_type_of(h->stores[i])};
  sdb_memory_storage_options options;
  sdb_memory_storage_options_init(&options);
  options.mem = sdb_platform_mem();
  options.stores = stores;
  options.stores_count = STORES_COUNT;
  options.sink = (sdb_storage_sink){h, completed};
  options.database = harness_database();
  options.epoch = harness_epoch(h);
  options.dedupe_window_ms = (uint64_t)3650 * 24 * 3600 * 1000;
  assert_int_equal(sdb_memory_storage_create(&options, &h->storage), SDB_OK);
}

static inline void harness_options(harness *h, sdb_hub_options *options) {
  memset(options, 0, sizeof(*options));
  options->mem = &h->memory.mem;
  options->stores = h->stores;
  options->stores_count = STORES_COUNT;
  options->storage = sdb_memory_storage_port(h->storage);
  options->frame_header = sdb_ws_frame_header;
  options->subscribed = harness_subscribed;
  options->judged = harness_judged;
  options->subscribed_context = h;
  options->limits = sdb_limits_default();
}

/* All but the hub, for tests that make it themselves; `completed` is the storage's sink. */
static inline harness *harness_begin_with(void (*completed)(void *, sdb_op *)) {
  harness *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  failing_memory_init(&h->memory, 0);
  h->now_ms = START_MS;
  h->epoch = 0xcd;
  make_stores(h);
  make_storage_with(h, completed);
  return h;
}

static inline harness *harness_begin(void) {
  return harness_begin_with(harness_completed);
}

static inline harness *harness_with(const sdb_limits *limits) {
  harness *h = harness_begin();
  sdb_hub_options options;
  harness_options(h, &options);
  if (limits) options.limits = *limits;
  assert_int_equal(sdb_hub_create(&options, &h->hub), SDB_OK);
  return h;
}

static inline harness *harness_make(void) {
  return harness_with(NULL);
}

/* ---- what devices are sent ---- */

static inline void inbox_add(inbox *in, sdb_slice text) {
  if (in->count == in->capacity) {
    in->capacity = in->capacity ? in->capacity * 2 : 16;
    in->texts = realloc(in->texts, in->capacity * sizeof(*in->texts));
    assert_non_null(in->texts);
  }
  char *copy = malloc(text.size + 1);
  assert_non_null(copy);
  memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  in->texts[in->count++] = copy;
}

static inline void inbox_free(inbox *in) {
  for (size_t i = in->first; i < in->count; i++)
    free(in->texts[i]);
  free(in->texts);
  memset(in, 0, sizeof(*in));
}

static inline void on_send(harness *h, device *d, const sdb_frames *frames) {
  sdb_slice run = sdb_slice_make(frames->data, frames->size), payload;
  uint32_t messages = 0;
  assert_int_equal(d->closed, 0);
  for (; !h->mute && sdb_ws_next_frame(&run, &payload); messages++)
    inbox_add(&d->inbox, payload);
  if (!h->mute) assert_int_equal(messages, frames->messages);
  d->unread += frames->size;
}

static inline void copy_text(char *to, size_t capacity, sdb_slice text) {
  snprintf(to, capacity, "%.*s", (int)text.size, text.data ? text.data : "");
}

static inline void on_record(harness *h, const sdb_hub_output *output) {
  assert_true(h->records_count < RECORDS_MAX);
  record *r = &h->records[h->records_count++];
  memset(r, 0, sizeof(*r));
  r->kind = output->kind;
  r->tag = output->tag;
  r->ticket = output->ticket;
  r->status = output->status;
  r->action = output->action;
  r->id = output->row.id;
  r->event_id = output->row.event_id;
  r->client_id = output->row.client_id;
  r->store = output->row.store;
  copy_text(r->user, sizeof(r->user), output->user);
  copy_text(r->object, sizeof(r->object), output->row.object);
  copy_text(r->previous, sizeof(r->previous), output->previous);
  if (output->kind == SDB_HUB_DONE && output->status != SDB_OK) {
    assert_non_null(output->error);
    assert_int_equal(output->error->status, output->status);
    copy_text(r->message, sizeof(r->message), sdb_slice_of(output->error->message));
    copy_text(r->path, sizeof(r->path), sdb_slice_of(output->error->path));
  }
  r->rows = output->rows_count;
  for (size_t i = 0; i < output->rows_count && i < SDB_COUNT_OF(r->row); i++)
    copy_text(r->row[i], sizeof(r->row[i]), output->rows[i].object);
}

static inline void on_output(harness *h, const sdb_hub_output *output) {
  device *d = output->peer ? output->tag : NULL;
  switch (output->kind) {
  case SDB_HUB_SEND:
    on_send(h, d, output->frames);
    sdb_frames_release(output->frames);
    break;
  case SDB_HUB_CLOSE:
    assert_int_equal(d->closed, 0);
    d->closed = output->close_code;
    copy_text(d->reason, sizeof(d->reason), output->text);
    break;
  case SDB_HUB_AUTHENTICATE:
    copy_text(d->token, sizeof(d->token), output->text);
    d->authenticate++;
    break;
  case SDB_HUB_JUDGE:
  case SDB_HUB_EVENT:
  case SDB_HUB_DONE:
    on_record(h, output);
    break;
  }
}

/* ---- steps ---- */

/* Takes the hub's outputs, as the owner does at the end of its turn. True: there were any. */
static inline bool drain(harness *h) {
  sdb_hub_output output;
  bool any = false;
  while (sdb_hub_next_output(h->hub, &output)) {
    on_output(h, &output);
    any = true;
  }
  return any;
}

/* Hands what was staged to the storage, which does not carry it out yet. */
static inline void flush(harness *h) {
  sdb_hub_flush(h->hub);
}

/* The storage carries out all it has (as one transaction) and the hub is told. */
static inline size_t store(harness *h) {
  return sdb_memory_storage_run(h->storage);
}

static inline size_t store_some(harness *h, size_t count) {
  return sdb_memory_storage_run_some(h->storage, count);
}

/* Devices that read have read all: the hub is told. */
static inline void read_all(harness *h) {
  for (size_t i = 0; i < h->devices_count; i++) {
    device *d = &h->devices[i];
    if (!d->peer || d->unread == 0) continue;
    if (!d->stuck) d->unread = 0;
    sdb_hub_on_output_level(h->hub, d->peer, d->unread, h->now_ms);
  }
}

/* Until there is nothing more to do. */
static inline void settle(harness *h) {
  for (unsigned round = 0;; round++) {
    assert_true(round < 100000);
    bool busy = drain(h);
    read_all(h);
    flush(h);
    busy |= store(h) > 0;
    if (!busy && !drain(h)) return;
  }
}

/* ---- devices ---- */

static inline device *device_connect(harness *h, const char *user) {
  assert_true(h->devices_count < DEVICES_MAX);
  device *d = &h->devices[h->devices_count];
  memset(d, 0, sizeof(*d));
  d->harness = h;
  d->peer = sdb_hub_on_connect(h->hub, sdb_slice_of(user), 0, d, h->now_ms);
  if (!d->peer) return NULL;
  h->devices_count++;
  return d;
}

static inline void disconnect(device *d) {
  if (!d->peer) return;
  sdb_hub_on_disconnect(d->harness->hub, d->peer, d->harness->now_ms);
  d->peer = NULL;
}

static inline void forget_device(device *d) {
  disconnect(d);
  json_decref(d->message);
  d->message = NULL;
  inbox_free(&d->inbox);
}

static inline void harness_free(harness *h) {
  for (size_t i = 0; i < h->devices_count; i++)
    forget_device(&h->devices[i]);
  h->memory.fail_at = 0;
  if (h->hub) {
    settle(h);
    sdb_hub_destroy(h->hub);
  }
  assert_int_equal(h->memory.live, 0);
  sdb_memory_storage_destroy(h->storage);
  for (size_t i = 0; i < STORES_COUNT; i++)
    sdb_store_destroy(h->stores[i]);
  free(h);
}

/* Sends one text message as it stands. */
static inline void say(device *d, const char *text) {
  sdb_hub_on_message(d->harness->hub, d->peer, sdb_slice_of(text), d->harness->now_ms);
}

__attribute__((format(printf, 2, 3))) static inline void sayf(device *d, const char *format, ...) {
  char text[4096];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  assert_in_range(size, 0, sizeof(text) - 1);
  say(d, text);
}

/* The next message that the device was sent, as text that the caller frees; NULL: none. */
static inline char *next_text(device *d) {
  return d->inbox.first < d->inbox.count ? d->inbox.texts[d->inbox.first++] : NULL;
}

/* The next message's `data` (of a pong: the message), which must be of this type. Valid until the
 * next take. */
static inline json_t *take(device *d, const char *type) {
  char *text = next_text(d);
  if (!text) fail_msg("no %s came%s", type, d->closed ? ": the device was closed" : "");
  json_decref(d->message);
  json_error_t error;
  d->message = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (!d->message) fail_msg("%s: %s", text, error.text);
  const char *got = json_string_value(json_object_get(d->message, "type"));
  if (!got || strcmp(got, type) != 0) fail_msg("not a %s came: %s", type, text);
  free(text);
  json_t *data = json_object_get(d->message, "data");
  return data ? data : d->message;
}

/* The next message must be this text. */
static inline void take_text(device *d, const char *expected) {
  char *text = next_text(d);
  if (!text) fail_msg("nothing came, not %s", expected);
  assert_string_equal(text, expected);
  free(text);
}

static inline void assert_silent(device *d) {
  char *text = next_text(d);
  if (text) fail_msg("this came: %s", text);
}

static inline void forget_messages(device *d) {
  for (char *text = next_text(d); text; text = next_text(d))
    free(text);
}

static inline void assert_closed(device *d, unsigned code) {
  drain(d->harness);
  assert_silent(d);
  if (d->closed != code) fail_msg("closed with %u (%s), not %u", d->closed, d->reason, code);
}

static inline void assert_open(device *d) {
  drain(d->harness);
  if (d->closed) fail_msg("closed with %u (%s)", d->closed, d->reason);
}

/* Drops everything that came and closes with nothing said: a device that is still well. */
static inline void assert_answers_ping(device *d) {
  say(d, "{\"type\":\"ping\"}");
  drain(d->harness);
  take_text(d, "{\"type\":\"pong\"}");
}

/* ---- fields of what came ---- */

static inline const char *text_of(json_t *data, const char *field) {
  return json_string_value(json_object_get(data, field));
}

/* "" where the field is absent or null. */
static inline const char *text_or_empty(json_t *data, const char *field) {
  const char *text = text_of(data, field);
  return text ? text : "";
}

static inline json_t *object_of(json_t *data) {
  return json_object_get(data, "object");
}

static inline sdb_uuid uuid_of(const char *text) {
  sdb_uuid id;
  assert_non_null(text);
  assert_true(sdb_uuid_parse(sdb_slice_of(text), &id));
  return id;
}

typedef struct uuid_text {
  char text[SDB_UUID_TEXT_SIZE + 1];
} uuid_text;

static inline uuid_text text_of_uuid(sdb_uuid id) {
  uuid_text text;
  sdb_uuid_format(id, text.text);
  text.text[SDB_UUID_TEXT_SIZE] = 0;
  return text;
}

static inline uuid_text keep_id(const char *text) {
  return text_of_uuid(uuid_of(text));
}

static inline uuid_text id_of_seq(sdb_seq seq) {
  return text_of_uuid(sdb_seq_to_uuid(seq, harness_database()));
}

static inline sdb_seq seq_of(const char *text) {
  sdb_seq seq = 0;
  assert_true(sdb_seq_from_uuid(uuid_of(text), harness_database(), &seq));
  return seq;
}

/* Client ids that tests can name by number. */
static inline uuid_text client_id(unsigned number) {
  uuid_text id;
  snprintf(id.text, sizeof(id.text), "00000000-0000-4000-8000-%012u", number);
  return id;
}

/* ---- what tests do all the time ---- */

#define HELLO "{\"type\":\"client_hello\",\"data\":{\"syncStatus\":{}}}"

/* Takes the server_hello and all that catch-up sends up to the last store's `synced`. */
static inline void skip_catch_up(device *d) {
  for (unsigned synced = 0; synced < STORES_COUNT;) {
    char *text = next_text(d);
    if (!text) fail_msg("the catch-up did not end");
    synced += strstr(text, "{\"type\":\"synced\"") == text;
    free(text);
  }
}

/* A device that has said its hello and has all there is. */
static inline device *device_ready(harness *h, const char *user) {
  device *d = device_connect(h, user);
  assert_non_null(d);
  say(d, HELLO);
  settle(h);
  skip_catch_up(d);
  assert_silent(d);
  return d;
}

static inline void push_note(device *d, const char *text, unsigned number) {
  sayf(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"object\":{\"text\":\"%s\"},"
      "\"clientId\":\"%s\"}}",
      text, client_id(number).text);
}

static inline void push_account(device *d, const char *name, unsigned number) {
  sayf(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"account\",\"object\":{\"name\":\"%s\"},"
      "\"clientId\":\"%s\"}}",
      name, client_id(number).text);
}

static inline void replace_note(device *d, const char *id, const char *text, unsigned number) {
  sayf(d,
      "{\"type\":\"update\",\"data\":{\"store\":\"note\",\"id\":\"%s\","
      "\"object\":{\"text\":\"%s\"},\"clientId\":\"%s\"}}",
      id, text, client_id(number).text);
}

static inline void remove_object(device *d, const char *id, unsigned number) {
  sayf(d, "{\"type\":\"remove\",\"data\":{\"id\":\"%s\",\"clientId\":\"%s\"}}", id,
      client_id(number).text);
}

/* Pushes a note, and gives its id once it came back. */
static inline uuid_text note_stored(device *d, const char *text, unsigned number) {
  push_note(d, text, number);
  settle(d->harness);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "clientId"), client_id(number).text);
  return keep_id(text_of(data, "id"));
}

static inline uuid_text note_replaced(
    device *d, const char *id, const char *text, unsigned number) {
  replace_note(d, id, text, number);
  settle(d->harness);
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "id"), id);
  return keep_id(text_of(data, "eventId"));
}

static inline uuid_text note_removed(device *d, const char *id, unsigned number) {
  remove_object(d, id, number);
  settle(d->harness);
  json_t *data = take(d, "remove");
  assert_string_equal(text_of(data, "id"), id);
  return keep_id(text_of(data, "eventId"));
}

/* The next `error`, whose code must be this. */
static inline json_t *take_error(device *d, const char *code) {
  json_t *data = take(d, "error");
  assert_string_equal(text_of(data, "code"), code);
  assert_true(strlen(text_or_empty(data, "message")) > 0);
  return data;
}

/* The next update of a note must have this text; its id. */
static inline uuid_text take_note(device *d, const char *text) {
  json_t *data = take(d, "update");
  assert_string_equal(text_of(data, "store"), "note");
  assert_string_equal(text_of(object_of(data), "text"), text);
  return keep_id(text_of(data, "id"));
}

/* The next `synced` must say this; "" stands for null. */
static inline void take_synced(
    device *d, const char *store_name, const char *after, const char *before, bool more) {
  json_t *data = take(d, "synced");
  assert_string_equal(text_of(data, "store"), store_name);
  assert_string_equal(text_or_empty(data, "after"), after);
  assert_string_equal(text_or_empty(data, "before"), before);
  assert_int_equal(json_is_true(json_object_get(data, "more")), more);
}

/* The head of a store that a server_hello tells. */
static inline const char *head_of(json_t *hello, const char *name) {
  return text_or_empty(json_object_get(json_object_get(hello, "stores"), name), "head");
}

static inline record *take_record(harness *h, sdb_hub_output_kind kind) {
  if (h->records_first == h->records_count) fail_msg("no output of kind %d came", (int)kind);
  record *r = &h->records[h->records_first++];
  assert_int_equal(r->kind, kind);
  return r;
}

static inline void assert_no_record(const harness *h) {
  assert_int_equal(h->records_first, h->records_count);
}

#endif
