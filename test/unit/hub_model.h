/* hub_model.h: a client as protocol.md section 5 describes it, and a server as plain as can be, for
 * the model test. Both are lists that are searched from end to end.
 *
 * The client does what section 5, rule 4 says and no more: it believes the server. One thing is
 * read between its lines: an event of before the hello with the client id of a push that still
 * waits may answer that push, sent again. It says nothing about what lies around it, so it moves
 * neither the head nor a missing range.
 */
#ifndef HUB_MODEL_H
#define HUB_MODEL_H

#include "hub_requests.h"

#define MODEL_OBJECTS_MAX 600
#define MODEL_RANGES_MAX 64
#define MODEL_PUSHES_MAX 64
#define MODEL_TEXT_MAX 256

typedef struct model_object {
  uint16_t store;
  sdb_seq object, event;
  bool removed;
  bool answered; /* `event` came as the answer to a push: it may come again */
  char text[MODEL_TEXT_MAX];
} model_object;

typedef struct model_objects {
  model_object items[MODEL_OBJECTS_MAX];
  size_t count;
} model_objects;

/* An event store's objects go by their id, a singular store's one object by the store. */
static inline model_object *model_find(model_objects *objects, uint16_t store_at, sdb_seq object) {
  for (size_t i = 0; i < objects->count; i++) {
    model_object *o = &objects->items[i];
    if (o->store == store_at && (store_at == ACCOUNT || o->object == object)) return o;
  }
  return NULL;
}

static inline model_object *model_make(model_objects *objects, uint16_t store_at, sdb_seq object) {
  model_object *o = model_find(objects, store_at, object);
  if (o) return o;
  assert_true(objects->count < MODEL_OBJECTS_MAX);
  o = &objects->items[objects->count++];
  memset(o, 0, sizeof(*o));
  o->store = store_at;
  return o;
}

/* What newer events say stands. */
static inline void model_apply(
    model_objects *objects, uint16_t store_at, sdb_seq object, sdb_seq event, const char *text) {
  model_object *o = model_make(objects, store_at, object);
  if (event < o->event) return;
  o->object = object;
  o->event = event;
  o->removed = text == NULL;
  snprintf(o->text, sizeof(o->text), "%s", text ? text : "");
}

static inline void model_drop_store(model_objects *objects, uint16_t store_at) {
  size_t kept = 0;
  for (size_t i = 0; i < objects->count; i++) {
    if (objects->items[i].store != store_at) objects->items[kept++] = objects->items[i];
  }
  objects->count = kept;
}

static inline size_t model_count(const model_objects *objects) {
  size_t count = 0;
  for (size_t i = 0; i < objects->count; i++)
    count += !objects->items[i].removed;
  return count;
}

/* Both must hold the same objects, at the same events. */
static inline void model_assert_equal(
    model_objects *expected, model_objects *got, const char *who, unsigned seed) {
  for (size_t i = 0; i < expected->count; i++) {
    const model_object *o = &expected->items[i];
    const model_object *other = model_find(got, o->store, o->object);
    bool there = other && !other->removed;
    if (there == o->removed ||
        (there && (other->event != o->event || strcmp(other->text, o->text) != 0)))
      fail_msg("seed %u: %s has %s at %s where %s is", seed, who, there ? other->text : "nothing",
          id_of_seq(o->object).text, o->removed ? "nothing" : o->text);
  }
  if (model_count(expected) != model_count(got))
    fail_msg(
        "seed %u: %s has %zu objects, not %zu", seed, who, model_count(got), model_count(expected));
}

/* ---- the client ---- */

typedef struct model_range {
  sdb_seq after, before;
} model_range;

typedef struct model_push {
  unsigned number; /* its client id */
  char message[512];
} model_push;

typedef struct model_partial {
  sdb_seq id;
  char text[MODEL_TEXT_MAX];
} model_partial;

typedef struct client {
  const char *user;
  /* what it keeps over connections */
  model_objects objects;
  sdb_seq head[STORES_COUNT];
  model_range missing[MODEL_RANGES_MAX];
  size_t missing_count; /* of notes: the only store with a history here */
  model_push pushes[MODEL_PUSHES_MAX];
  size_t pushes_count;
  /* of this connection */
  device *device; /* NULL: offline */
  bool appends, greeted;
  bool first[STORES_COUNT]; /* no event of the store came yet, nor was it synced */
  sdb_seq hello_head[STORES_COUNT];
  size_t awaited; /* ranges of the hello that are not synced yet */
  sdb_seq last_live;
  model_objects sent; /* the newest event of each object that came on this connection */
  model_partial partials[8];
  size_t partials_count;
  bool fetching;
} client;

static inline uint16_t model_store_of(const char *name) {
  if (strcmp(name, "note") == 0) return NOTE;
  if (strcmp(name, "account") == 0) return ACCOUNT;
  assert_string_equal(name, "chatMessage");
  return CHAT;
}

/* Forgets the push if it is one of this client's that wait. */
static inline bool client_acknowledge(client *c, const char *client_id_text) {
  for (size_t i = 0; i < c->pushes_count; i++) {
    if (strcmp(client_id(c->pushes[i].number).text, client_id_text) != 0) continue;
    memmove(&c->pushes[i], &c->pushes[i + 1], (c->pushes_count - i - 1) * sizeof(c->pushes[0]));
    c->pushes_count--;
    return true;
  }
  return false;
}

/* Client ids hold the number of the client that pushed. */
static inline bool client_pushed(unsigned index, const char *client_id_text) {
  return *client_id_text && strtoul(client_id_text + 24, NULL, 10) % 100 == index;
}

static inline void client_drop_partial(client *c, sdb_seq id) {
  for (size_t i = 0; i < c->partials_count; i++) {
    if (c->partials[i].id == id) c->partials[i] = c->partials[--c->partials_count];
  }
}

/* Rules 2 and 3: live events rise, and nothing stale comes after something fresh. */
static inline void client_check_order(
    client *c, uint16_t store_at, sdb_seq object, sdb_seq event, bool own, const char *text) {
  model_object *sent = model_make(&c->sent, store_at, object);
  if (event < sent->event || (event == sent->event && !own && !sent->answered))
    fail_msg("%s: stale after %s, or sent twice: %s", c->user, id_of_seq(sent->event).text, text);
  sent->object = object;
  sent->event = event;
  sent->answered = own;
  if (event <= c->hello_head[store_at] || own) return;
  if (event <= c->last_live && !c->fetching) fail_msg("%s: not above the last: %s", c->user, text);
  if (event > c->last_live) c->last_live = event;
}

/* Rule 4. */
static inline void client_keep_books(client *c, uint16_t store_at, sdb_seq event) {
  if (event > c->head[store_at]) {
    if (c->first[store_at] && store_at == NOTE) {
      assert_true(c->missing_count < MODEL_RANGES_MAX);
      c->missing[c->missing_count++] = (model_range){c->head[store_at], event};
    }
    c->head[store_at] = event;
  } else if (store_at == NOTE) {
    for (size_t i = 0; i < c->missing_count; i++) {
      if (c->missing[i].after < event && event < c->missing[i].before) c->missing[i].before = event;
    }
  }
  c->first[store_at] = false;
}

static inline void client_on_event(
    client *c, unsigned index, json_t *data, bool update, const char *text) {
  sdb_seq object = seq_of(text_of(data, "id"));
  client_drop_partial(c, object);
  if (!update && !text_of(data, "eventId") && !text_of(data, "clientId")) return; /* given up */
  const char *event_text = text_of(data, "eventId");
  sdb_seq event = event_text ? seq_of(event_text) : object;
  uint16_t store_at = model_store_of(text_of(data, "store"));
  const char *client_id_text = text_or_empty(data, "clientId");
  bool own = client_pushed(index, client_id_text);
  bool waited = client_acknowledge(c, client_id_text);
  bool answer = waited && event <= c->hello_head[store_at];
  client_check_order(c, store_at, object, event, own, text);
  if (!answer) client_keep_books(c, store_at, event);
  const char *field = store_at == ACCOUNT ? "name" : "text";
  model_apply(
      &c->objects, store_at, object, event, update ? text_or_empty(object_of(data), field) : NULL);
}

static inline void client_on_synced(client *c, json_t *data) {
  uint16_t store_at = model_store_of(text_of(data, "store"));
  bool more = json_is_true(json_object_get(data, "more"));
  const char *after_text = text_of(data, "after"), *before_text = text_of(data, "before");
  sdb_seq after = after_text ? seq_of(after_text) : 0;
  sdb_seq before = before_text ? seq_of(before_text) : SDB_SEQ_MAX;
  if (!c->fetching) {
    assert_true(c->awaited > 0);
    c->awaited--;
  }
  c->fetching = false;
  if (more || store_at != NOTE) return;
  size_t kept = 0;
  for (size_t i = 0; i < c->missing_count; i++) {
    if (c->missing[i].after < after || c->missing[i].before > before)
      c->missing[kept++] = c->missing[i];
  }
  c->missing_count = kept;
  if (!before_text) c->first[store_at] = false;
}

static inline void client_on_hello(client *c, json_t *data) {
  c->greeted = true;
  c->awaited = STORES_COUNT + c->missing_count;
  const char *name;
  json_t *said;
  json_object_foreach(json_object_get(data, "stores"), name, said) {
    uint16_t store_at = model_store_of(name);
    const char *head = text_of(said, "head");
    c->hello_head[store_at] = head ? seq_of(head) : 0;
    c->first[store_at] = true;
    if (!json_is_true(json_object_get(said, "reset"))) continue;
    model_drop_store(&c->objects, store_at);
    c->head[store_at] = 0;
    if (store_at != NOTE) continue;
    c->awaited -= c->missing_count;
    c->missing_count = 0;
  }
}

static inline void client_on_partial(client *c, json_t *data) {
  sdb_seq id = seq_of(text_of(data, "id"));
  model_partial *partial = NULL;
  for (size_t i = 0; i < c->partials_count; i++) {
    if (c->partials[i].id == id) partial = &c->partials[i];
  }
  json_t *append = json_object_get(data, "append");
  if (append) {
    assert_non_null(partial); /* after one whole one on this connection */
    assert_true(c->appends);
    const char *text = text_of(append, "text");
    assert_true(strlen(partial->text) + strlen(text) < sizeof(partial->text));
    strcat(partial->text, text);
    return;
  }
  if (!partial) {
    assert_true(c->partials_count < SDB_COUNT_OF(c->partials));
    partial = &c->partials[c->partials_count++];
    partial->id = id;
  }
  snprintf(partial->text, sizeof(partial->text), "%s", text_of(object_of(data), "text"));
}

static inline void client_on_error(client *c, json_t *data) {
  const char *code = text_of(data, "code");
  bool again = strcmp(code, "unavailable") == 0 || strcmp(code, "rate_limited") == 0;
  if (!again) (void)client_acknowledge(c, text_or_empty(data, "clientId"));
}

static inline void client_read_one(client *c, unsigned index, const char *text) {
  json_t *message = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  if (!message) fail_msg("no JSON: %s", text);
  const char *type = text_of(message, "type");
  json_t *data = json_object_get(message, "data");
  if (strcmp(type, "server_hello") == 0)
    client_on_hello(c, data);
  else if (!c->greeted)
    fail_msg("before the server_hello: %s", text);
  else if (strcmp(type, "update") == 0 || strcmp(type, "remove") == 0)
    client_on_event(c, index, data, *type == 'u', text);
  else if (strcmp(type, "partial") == 0)
    client_on_partial(c, data);
  else if (strcmp(type, "synced") == 0)
    client_on_synced(c, data);
  else if (strcmp(type, "error") == 0)
    client_on_error(c, data);
  else
    fail_msg("what is this: %s", text);
  json_decref(message);
}

static inline void client_read(client *c, unsigned index) {
  if (!c->device) return;
  for (char *text = next_text(c->device); text; text = next_text(c->device)) {
    client_read_one(c, index, text);
    free(text);
  }
}

/* What it was not sent by now it is sent never. */
static inline void client_disconnect(client *c) {
  forget_device(c->device);
  c->device = NULL;
  c->greeted = c->fetching = false;
  c->partials_count = 0;
  c->sent.count = 0;
  c->awaited = 0;
  c->last_live = 0;
}

#endif
