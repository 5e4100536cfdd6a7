/* sim/server_app.c: see server.h. Subscribers answer some of what users say by a stream, as the
 * brief's example does.
 */
#include "sim/failure.h"
#include "sim/server.h"
#include "sim/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_WAIT_MAX_MS 400

struct sim_app_request {
  sdb_request_kind kind;
  bool whole;     /* at rest: what is given is all that there is */
  size_t objects; /* and so many there are */
  uint16_t user;
  uint32_t stream; /* of a partial's */
};

/* Asks the hub; the tag is a copy of `what`. */
static void ask(sim_server *server, sdb_request *request, sim_app_request what) {
  sim_app_request *tag = sim_alloc(sizeof(*tag));
  *tag = what;
  tag->kind = request->kind;
  request->tag = tag;
  request->user = sdb_slice_of(sim_user_name(what.user));
  server->requests++;
  bool begun = sdb_hub_request(server->hub, request, sim_server_wall_ms(server));
  SIM_CHECK(begun, "a request is begun", "out of memory");
}

static uint16_t some_user(const sim_server *server, sim_random *random) {
  return (uint16_t)sim_below(random, server->world->plan.users);
}

/* ---- pushes ---- */

void sim_app_put(sim_server *server, sim_random *random) {
  static const uint16_t STORES[] = {SIM_ACCOUNT, SIM_CHAT, SIM_NOTE, SIM_NOTE};
  char object[SIM_OBJECT_MAX];
  uint16_t user = some_user(server, random);
  sdb_request request = {
      .kind = SDB_REQUEST_PUT, .store = STORES[sim_below(random, SDB_COUNT_OF(STORES))]};
  request.object =
      sim_world_object(server->world, object, user, request.store, "assistant", random);
  ask(server, &request, (sim_app_request){.user = user});
}

/* Some current object that is no account's; NULL: there is none. */
static const sim_entry *some_object(const sim_server *server, sim_random *random) {
  const sim_model *model = &server->world->model;
  for (int tries = 0; tries < 8 && model->count > 0; tries++) {
    const sim_entry *entry = &model->entries[sim_below(random, (uint32_t)model->count)];
    if (entry->current && entry->store != SIM_ACCOUNT) return entry;
  }
  return NULL;
}

void sim_app_change(sim_server *server, sim_random *random, bool removes) {
  char object[SIM_OBJECT_MAX];
  sim_world *world = server->world;
  const sim_entry *entry = some_object(server, random);
  if (!entry) return;
  sdb_request request = {.kind = removes ? SDB_REQUEST_REMOVE : SDB_REQUEST_PUT,
      .store = entry->store,
      .id = sdb_seq_to_uuid(entry->object, world->model.key)};
  if (!removes)
    request.object =
        sim_world_object(world, object, entry->user, entry->store, "assistant", random);
  ask(server, &request, (sim_app_request){.user = entry->user});
}

void sim_app_read(sim_server *server, sim_random *random) {
  sdb_request request = {.store = (uint16_t)sim_below(random, SIM_STORES), .limit = 20};
  const sim_entry *entry = some_object(server, random);
  request.kind = SIM_SINGULAR(request.store) ? SDB_REQUEST_SINGULAR : SDB_REQUEST_LIST;
  if (entry && sim_chance(random, 500)) {
    request.kind = SDB_REQUEST_GET;
    request.store = entry->store;
    request.id = sdb_seq_to_uuid(entry->object, server->world->model.key);
  }
  ask(server, &request, (sim_app_request){.user = some_user(server, random)});
}

#define LIST_MAX 1000

static size_t count_live(const sim_model *model, uint16_t user, uint16_t store) {
  size_t count = 0;
  for (size_t i = 0; i < model->count; i++) {
    const sim_entry *entry = &model->entries[i];
    count += entry->current && !entry->removed && entry->user == user && entry->store == store;
  }
  return count < LIST_MAX ? count : LIST_MAX;
}

void sim_app_read_all(sim_server *server) {
  const sim_model *model = &server->world->model;
  for (uint16_t user = 0; user < server->world->plan.users; user++) {
    for (uint16_t store = 0; store < SIM_STORES; store++) {
      sdb_request request = {.kind = SDB_REQUEST_LIST, .store = store, .limit = LIST_MAX};
      if (SIM_SINGULAR(store)) request.kind = SDB_REQUEST_SINGULAR;
      ask(server, &request,
          (sim_app_request){
              .user = user, .whole = true, .objects = count_live(model, user, store)});
    }
  }
  for (size_t i = 0; i < model->count; i += 7) {
    const sim_entry *entry = &model->entries[i];
    if (!entry->current || SIM_SINGULAR(entry->store)) continue;
    sdb_request request = {.kind = SDB_REQUEST_GET,
        .store = entry->store,
        .id = sdb_seq_to_uuid(entry->object, model->key)};
    ask(server, &request,
        (sim_app_request){.user = entry->user, .whole = true, .objects = !entry->removed});
  }
}

/* ---- streams ---- */

static sim_stream *stream_at(sim_server *server, uint32_t at) {
  return &server->world->streams.items[at];
}

void sim_app_stream(sim_server *server, uint16_t user) {
  sim_world *world = server->world;
  sim_streams *streams = &world->streams;
  size_t open = 0;
  for (size_t i = 0; i < streams->count; i++)
    open += streams->items[i].open;
  if (open >= SIM_WIRE_PARTIALS || world->healed) return;
  sim_stream *stream = sim_stream_begin(streams, user);
  stream->words_left = sim_below(&server->random, 20);
  stream->next_ms = SIM_NEVER; /* its id first */
  char object[SIM_STREAM_TEXT_MAX + 64];
  int size = snprintf(object, sizeof(object), "{\"role\":\"assistant\",\"message\":\"%.*s\"}",
      (int)stream->size, stream->text);
  sdb_request request = {.kind = SDB_REQUEST_PARTIAL_BEGIN,
      .store = SIM_CHAT,
      .partial = stream->handle,
      .object = sdb_slice_make(object, (size_t)size)};
  ask(server, &request, (sim_app_request){.user = user, .stream = (uint32_t)(stream->handle - 1)});
}

static void end_stream(sim_server *server, sim_stream *stream) {
  sdb_request request = {.kind = SDB_REQUEST_PARTIAL_COMMIT, .partial = stream->handle};
  if (sim_chance(&server->random, 200)) request.kind = SDB_REQUEST_PARTIAL_ABORT;
  request.store = SIM_CHAT;
  stream->next_ms = SIM_NEVER;
  ask(server, &request,
      (sim_app_request){.user = stream->user, .stream = (uint32_t)(stream->handle - 1)});
}

static void next_word(sim_server *server, sim_stream *stream) {
  sdb_slice word = sdb_slice_make(NULL, 0);
  if (stream->words_left > 0) word = sim_stream_grow(stream, &server->random);
  if (word.size == 0) {
    end_stream(server, stream);
    return;
  }
  stream->words_left--;
  stream->next_ms = server->world->now_ms + sim_wait(&server->random, TOKEN_WAIT_MAX_MS);
  sdb_request request = {.kind = SDB_REQUEST_PARTIAL_APPEND,
      .store = SIM_CHAT,
      .partial = stream->handle,
      .field = sdb_slice_of("message"),
      .text = word};
  ask(server, &request,
      (sim_app_request){.user = stream->user, .stream = (uint32_t)(stream->handle - 1)});
}

/* ---- answers ---- */

static void on_stream_done(
    sim_server *server, const sim_app_request *what, const sdb_hub_output *output) {
  sim_stream *stream = stream_at(server, what->stream);
  uint64_t soon_ms = server->world->now_ms + sim_wait(&server->random, TOKEN_WAIT_MAX_MS);
  bool good = output->status == SDB_OK;
  switch (what->kind) {
  case SDB_REQUEST_PARTIAL_BEGIN:
    stream->open = good;
    if (!good) break;
    stream->next_ms = soon_ms;
    break;
  case SDB_REQUEST_PARTIAL_COMMIT:
    /* The storage did not take it: it is tried again. */
    stream->open = !good;
    if (stream->open) stream->next_ms = soon_ms + 1;
    break;
  case SDB_REQUEST_PARTIAL_ABORT:
    stream->open = false;
    break;
  default:
    SIM_CHECK(good, "a partial grows", "%s", sdb_status_name(output->status));
    break;
  }
}

static void check_stored(
    sim_server *server, const sim_app_request *what, const sdb_hub_output *output) {
  sim_model *model = &server->world->model;
  if (output->status == SDB_OK) {
    sdb_seq seq = 0;
    bool known = sdb_seq_from_uuid(output->row.event_id, model->key, &seq) &&
                 sim_model_find(model, seq) && sim_model_find(model, seq)->user == what->user;
    SIM_CHECK(known, "stored before said", "the application is told of a push that is not stored");
    return;
  }
  bool expected = output->status == SDB_NOT_FOUND || output->status == SDB_UNAVAILABLE;
  SIM_CHECK(expected, "the application's pushes", "%s", output->error->message);
}

static void check_rows(
    sim_server *server, const sim_app_request *what, const sdb_hub_output *output) {
  const sim_model *model = &server->world->model;
  SIM_CHECK(!what->whole || output->rows_count == what->objects,
      "the application reads what is stored", "%zu objects of %zu: %s", output->rows_count,
      what->objects, sdb_status_name(output->status));
  for (size_t i = 0; i < output->rows_count; i++) {
    const sdb_hub_row *row = &output->rows[i];
    sdb_seq seq = 0;
    bool known = sdb_seq_from_uuid(row->event_id, model->key, &seq);
    const sim_entry *entry = known ? sim_model_find(model, seq) : NULL;
    bool right = entry && entry->user == what->user && entry->store == row->store &&
                 !entry->removed && row->object.size == entry->size &&
                 memcmp(row->object.data, entry->body, entry->size) == 0;
    SIM_CHECK(right, "the application reads what is stored", "%.*s", (int)row->object.size,
        row->object.data);
  }
}

void sim_app_on_done(sim_server *server, const sdb_hub_output *output) {
  sim_app_request *what = output->tag;
  SIM_CHECK(server->requests > 0, "a request is answered once", "nothing was asked");
  server->requests--;
  if (!server->ending) {
    if (what->kind == SDB_REQUEST_PUT || what->kind == SDB_REQUEST_REMOVE)
      check_stored(server, what, output);
    else if (what->kind == SDB_REQUEST_GET || what->kind == SDB_REQUEST_LIST ||
             what->kind == SDB_REQUEST_SINGULAR)
      check_rows(server, what, output);
    else
      on_stream_done(server, what, output);
  }
  free(what);
}

/* What the event took the place of; NULL: nothing. */
static const sim_entry *before(const sim_model *model, const sim_entry *entry) {
  for (const sim_entry *other = entry; other-- > model->entries;) {
    bool same = other->user == entry->user && other->store == entry->store &&
                (other->object == entry->object || SIM_SINGULAR(entry->store));
    if (same) return other->removed ? NULL : other;
  }
  return NULL;
}

static bool reads(sdb_slice text, const sim_entry *entry) {
  if (!entry) return text.size == 0;
  return text.size == entry->size && memcmp(text.data, entry->body, text.size) == 0;
}

static void check_event(
    const sim_model *model, const sim_entry *entry, const sdb_hub_output *output) {
  const sim_entry *was = before(model, entry);
  sdb_action action = entry->removed ? SDB_ACTION_DELETE
                      : was          ? SDB_ACTION_UPDATE
                                     : SDB_ACTION_CREATE;
  bool right = sim_user_of(output->user) == entry->user && output->row.store == entry->store &&
               output->action == action && reads(output->row.object, entry->removed ? was : entry);
  if (action == SDB_ACTION_UPDATE) right &= reads(output->previous, was);
  SIM_CHECK(right, "subscribers are told what happened", "%llx: action %d, not %d: %.*s",
      (unsigned long long)entry->seq, output->action, action, (int)output->row.object.size,
      output->row.object.data);
}

void sim_app_on_event(sim_server *server, const sdb_hub_output *output) {
  sim_world *world = server->world;
  sdb_seq seq = 0;
  if (server->ending) return;
  bool known = sdb_seq_from_uuid(output->row.event_id, world->model.key, &seq);
  SIM_CHECK(known, "subscribers are told of events", "an id of another database");
  sim_model_tell(&world->model, seq);
  check_event(&world->model, sim_model_find(&world->model, seq), output);
  uint16_t user = sim_user_of(output->user);
  SIM_CHECK(seq > server->last_told[user], "subscribers are told in order", "%llx behind %llx",
      (unsigned long long)seq, (unsigned long long)server->last_told[user]);
  server->last_told[user] = seq;
  bool says = output->row.store == SIM_CHAT && output->action == SDB_ACTION_CREATE;
  if (says && sim_chance(&server->random, world->plan.stream_permille))
    sim_app_stream(server, user);
}

/* ---- time ---- */

uint64_t sim_app_due_ms(const sim_server *server) {
  const sim_streams *streams = &server->world->streams;
  uint64_t due_ms = SIM_NEVER;
  for (size_t i = 0; i < streams->count; i++) {
    const sim_stream *stream = &streams->items[i];
    if (stream->open && stream->next_ms < due_ms) due_ms = stream->next_ms;
  }
  return due_ms;
}

void sim_app_run(sim_server *server) {
  sim_streams *streams = &server->world->streams;
  for (size_t i = 0; i < streams->count; i++) {
    sim_stream *stream = &streams->items[i];
    if (stream->open && stream->next_ms <= server->world->now_ms) next_word(server, stream);
  }
}

void sim_app_end(sim_server *server) {
  sim_streams *streams = &server->world->streams;
  SIM_CHECK(server->requests == 0, "a request is answered once", "%zu were not", server->requests);
  for (size_t i = 0; i < streams->count; i++) {
    streams->items[i].open = false;
  }
  memset(server->last_told, 0, sizeof(server->last_told));
}

void sim_app_settle(sim_server *server) {
  const sim_model *model = &server->world->model;
  for (size_t i = model->count; i-- > 0;) {
    const sim_entry *entry = &model->entries[i];
    if (entry->life != model->life) return;
    bool of_client = !sdb_uuid_is_nil(entry->client_id) && entry->store != SIM_ACCOUNT;
    SIM_CHECK(!of_client || entry->told, "subscribers are told of events", "%llx was left out",
        (unsigned long long)entry->seq);
  }
}
