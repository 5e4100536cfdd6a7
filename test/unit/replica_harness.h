/* replica_harness.h: replicas against a hub, in one thread, over lines that a test can cut at any
 * message; time stands still until a test moves it.
 *
 * A phone is a replica with its local storage and what its application was shown. It keeps what it
 * was shown by the changes alone, so that this can be compared with what a list says, and both with
 * what the server has.
 */
#ifndef REPLICA_HARNESS_H
#define REPLICA_HARNESS_H

#include "hub_harness.h"
#include "replica/replica.h"
#include "storage/local/memory_local.h"
#include "wire/close.h"

#define PHONES_MAX 8
#define SHOWN_MAX 4096
#define WALL_MS START_MS /* the clock of pushes; the hub's is the same */

/* Texts on their way, first in first out. */
typedef inbox texts;

typedef struct phone phone;

/* One connection. */
typedef struct line {
  phone *owner;
  sdb_peer *peer; /* NULL: the server's side is gone */
  texts to_server, to_phone;
  unsigned close_code; /* the server closed it, behind what is in to_phone */
  char close_reason[256];
} line;

typedef struct shown {
  uint16_t store;
  sdb_record_state state;
  sdb_uuid id, client_id;
  char object[400];
} shown;

struct phone {
  struct world *world;
  const char *user;
  failing_memory memory; /* the replica's */
  sdb_replica *replica;
  sdb_memory_local *local;
  sdb_local_op *completed, **completed_last;
  line *line;
  bool offline;  /* every connection fails */
  bool read_all; /* the last list said no more */
  uint64_t random;
  unsigned asked, refused; /* for tokens */
  unsigned connects;
  sdb_status storage_failed;
  shown shown[SHOWN_MAX];
  size_t shown_count;
  bool stale[STORES_COUNT]; /* to be listed: at the start, and after a reset */
  size_t changes;
  sdb_status done; /* of the last request */
  sdb_error error;
  sdb_uuid client_id;
  shown records[1024]; /* of the last read */
  bool gaps[1024];
  size_t records_count;
  uint64_t received;                               /* messages delivered to it */
  void (*on_connect)(phone *p);                    /* before its hello; NULL: nobody looks */
  void (*on_delivery)(phone *p, const char *text); /* before it gets a message */
  /* The answer to a request whose tag is not the phone. */
  void (*on_answer)(phone *p, const sdb_replica_output *output);
};

typedef struct world {
  harness *h;
  phone phones[PHONES_MAX];
  size_t phones_count;
  uint64_t now_ms;         /* of the replicas: a clock of its own */
  uint64_t wall_ms;        /* of their pushes */
  size_t deliveries;       /* messages delivered, in both directions */
  size_t cut_at;           /* the delivery before which phone 0's line is cut; 0: none */
  bool cut_late;           /* what it had sent still reaches the server */
  const uint32_t *windows; /* of phones made from now on */
} world;

/* ---- texts ---- */

static inline void texts_add(texts *to, sdb_slice text) {
  inbox_add(to, text);
}

static inline char *texts_take(texts *from) {
  return from->first < from->count ? from->texts[from->first++] : NULL;
}

/* ---- lines ---- */

static inline void line_free(line *l) {
  if (!l) return;
  inbox_free(&l->to_server);
  inbox_free(&l->to_phone);
  free(l);
}

/* Both ends lose it; with `late` the server gets what was sent before. */
static inline void line_cut(phone *p, bool late) {
  line *l = p->line;
  harness *h = p->world->h;
  if (!l) return;
  p->line = NULL;
  for (char *text; late && l->peer && (text = texts_take(&l->to_server));) {
    sdb_hub_on_message(h->hub, l->peer, sdb_slice_of(text), h->now_ms);
    free(text);
  }
  if (l->peer) sdb_hub_on_disconnect(h->hub, l->peer, h->now_ms);
  line_free(l);
  sdb_replica_on_closed(
      p->replica, SDB_CLOSE_LOST, sdb_slice_of(""), "cut by the test", p->world->now_ms);
}

static inline void line_connect(phone *p) {
  harness *h = p->world->h;
  p->connects++;
  if (p->offline) {
    sdb_replica_on_closed(
        p->replica, SDB_CLOSE_LOST, sdb_slice_of(""), "no network", p->world->now_ms);
    return;
  }
  assert_null(p->line);
  p->line = calloc(1, sizeof(*p->line));
  assert_non_null(p->line);
  p->line->owner = p;
  p->line->peer = sdb_hub_on_connect(h->hub, sdb_slice_of(p->user), 0, p->line, h->now_ms);
  assert_non_null(p->line->peer);
  if (p->on_connect) p->on_connect(p);
  sdb_replica_on_opened(p->replica, p->world->now_ms);
}

/* ---- what the application is shown ---- */

static inline shown shown_of(uint16_t store, const sdb_client_record *from) {
  shown made = {.store = store, .state = from->state, .id = from->id, .client_id = from->client_id};
  copy_text(made.object, sizeof(made.object), from->object);
  return made;
}

static inline void forget_shown(phone *p, uint16_t store, sdb_uuid id, sdb_uuid client_id) {
  for (size_t i = 0; i < p->shown_count;) {
    const shown *s = &p->shown[i];
    bool by_id = !sdb_uuid_is_nil(id) && sdb_uuid_equal(s->id, id);
    bool pending = sdb_uuid_is_nil(s->id) && !sdb_uuid_is_nil(client_id) &&
                   sdb_uuid_equal(s->client_id, client_id);
    bool singular = sdb_store_type_of(p->world->h->stores[store]) == SDB_STORE_SINGULAR;
    if (s->store == store && (by_id || pending || singular))
      p->shown[i] = p->shown[--p->shown_count];
    else
      i++;
  }
}

static inline void on_change(phone *p, uint16_t store, const sdb_client_change *change) {
  p->changes++;
  if (change->kind == SDB_CHANGE_RESET) {
    for (size_t i = 0; i < p->shown_count;) {
      if (p->shown[i].store == store)
        p->shown[i] = p->shown[--p->shown_count];
      else
        i++;
    }
    p->stale[store] = true;
    return;
  }
  forget_shown(p, store, change->record.id, change->record.client_id);
  if (change->kind != SDB_CHANGE_PUT) return;
  assert_true(change->record.object.size > 0);
  assert_true(p->shown_count < SHOWN_MAX);
  p->shown[p->shown_count++] = shown_of(store, &change->record);
}

/* A page of what it lists by itself. What changes have shown since is newer. */
static inline void on_listed(phone *p, const sdb_replica_output *output) {
  for (size_t i = 0; output->status == SDB_OK && i < output->records_count; i++) {
    const sdb_client_record *from = &output->records[i];
    bool known = false;
    for (size_t j = 0; j < p->shown_count; j++)
      known |=
          p->shown[j].store == output->store && sdb_uuid_equal(p->shown[j].id, from->id) &&
          (!sdb_uuid_is_nil(from->id) || sdb_uuid_equal(p->shown[j].client_id, from->client_id));
    assert_true(p->shown_count < SHOWN_MAX);
    if (!known) p->shown[p->shown_count++] = shown_of(output->store, from);
  }
}

static inline void list_stale(phone *p) {
  for (uint16_t i = 0; i < STORES_COUNT; i++) {
    if (!p->stale[i]) continue;
    p->stale[i] = false;
    sdb_replica_request request = {
        .kind = SDB_REPLICA_LIST, .tag = &p->stale, .store = i, .limit = 1000};
    /* Without memory it is tried again in the next turn. */
    p->stale[i] = !sdb_replica_request_begin(p->replica, &request, p->world->now_ms);
  }
}

static inline void on_done(phone *p, const sdb_replica_output *output) {
  if (output->tag == &p->stale) {
    on_listed(p, output);
    if (output->status != SDB_OK) p->stale[output->store] = true;
    return;
  }
  if (p->on_answer && output->tag != p) {
    p->on_answer(p, output);
    return;
  }
  assert_ptr_equal(output->tag, p);
  p->done = output->status;
  p->client_id = output->client_id;
  memset(&p->error, 0, sizeof(p->error));
  if (output->status != SDB_OK) {
    assert_non_null(output->error);
    p->error = *output->error;
  }
  p->records_count = output->records_count;
  assert_true(output->records_count <= SDB_COUNT_OF(p->records));
  for (size_t i = 0; i < output->records_count; i++) {
    p->records[i] = shown_of(output->store, &output->records[i]);
    p->gaps[i] = output->records[i].gap;
  }
}

/* ---- turns ---- */

static inline void phone_completed(void *context, sdb_local_op *list) {
  phone *p = context;
  *p->completed_last = list;
  while (*p->completed_last)
    p->completed_last = &(*p->completed_last)->next;
}

static inline void on_replica_output(phone *p, const sdb_replica_output *output) {
  switch (output->kind) {
  case SDB_REPLICA_SEND:
    assert_non_null(p->line);
    texts_add(&p->line->to_server, output->text);
    break;
  case SDB_REPLICA_DISCONNECT:
    assert_non_null(p->line);
    if (p->line->peer) sdb_hub_on_disconnect(p->world->h->hub, p->line->peer, p->world->h->now_ms);
    line_free(p->line);
    p->line = NULL;
    break;
  case SDB_REPLICA_CONNECT:
    line_connect(p);
    break;
  case SDB_REPLICA_ASK_TOKEN:
    p->asked++;
    p->refused += output->refused;
    break;
  case SDB_REPLICA_CHANGE:
    on_change(p, output->store, &output->change);
    break;
  case SDB_REPLICA_DONE:
    on_done(p, output);
    break;
  case SDB_REPLICA_STATUS:
    break;
  case SDB_REPLICA_STORAGE_FAILED:
    p->storage_failed = output->status;
    break;
  }
}

/* The replica's turn. True: there was anything to do. */
static inline bool phone_drain(phone *p) {
  sdb_replica_output output;
  bool any = false;
  while (sdb_replica_flush(p->replica, p->world->now_ms) || p->completed) {
    any = true;
    while (p->completed) {
      sdb_local_op *list = p->completed;
      p->completed = NULL;
      p->completed_last = &p->completed;
      sdb_replica_on_completed(p->replica, list, p->world->now_ms);
    }
    while (sdb_replica_next_output(p->replica, &output))
      on_replica_output(p, &output);
    if (p->storage_failed == SDB_OK) list_stale(p);
  }
  return any;
}

static inline void on_hub_output(world *w, const sdb_hub_output *output) {
  line *l = output->peer ? output->tag : NULL;
  sdb_slice payload;
  switch (output->kind) {
  case SDB_HUB_SEND:
    for (sdb_slice run = {output->frames->data, output->frames->size};
         sdb_ws_next_frame(&run, &payload);)
      texts_add(&l->to_phone, payload);
    sdb_frames_release(output->frames);
    break;
  case SDB_HUB_CLOSE:
    l->close_code = output->close_code;
    copy_text(l->close_reason, sizeof(l->close_reason), output->text);
    break;
  case SDB_HUB_AUTHENTICATE:
    sdb_hub_on_identity(w->h->hub, output->peer, sdb_slice_of(l->owner->user), 0, w->h->now_ms);
    break;
  case SDB_HUB_JUDGE:
  case SDB_HUB_EVENT:
  case SDB_HUB_DONE:
    on_record(w->h, output);
    break;
  }
}

static inline bool hub_drain(world *w) {
  sdb_hub_output output;
  bool any = false;
  while (sdb_hub_next_output(w->h->hub, &output)) {
    on_hub_output(w, &output);
    any = true;
  }
  sdb_hub_flush(w->h->hub);
  return sdb_memory_storage_run(w->h->storage) > 0 || any;
}

/* Whether the line of phone 0 goes now. */
static inline bool is_cut(world *w, const phone *p) {
  if (p != &w->phones[0] || w->cut_at == 0 || ++w->deliveries != w->cut_at) return false;
  w->cut_at = 0;
  line_cut(&w->phones[0], w->cut_late);
  return true;
}

/* One message in each direction. True: there was one. */
static inline bool phone_exchange(phone *p) {
  world *w = p->world;
  line *l = p->line;
  if (!l) return false;
  char *text = l->peer ? texts_take(&l->to_server) : NULL;
  bool any = text != NULL;
  if (text && is_cut(w, p)) {
    free(text);
    return true;
  }
  if (text) sdb_hub_on_message(w->h->hub, l->peer, sdb_slice_of(text), w->h->now_ms);
  free(text);
  text = texts_take(&l->to_phone);
  any |= text != NULL;
  if (text && is_cut(w, p)) {
    free(text);
    return true;
  }
  if (l->peer) sdb_hub_on_output_level(w->h->hub, l->peer, 0, w->h->now_ms);
  if (text) {
    p->received++;
    if (p->on_delivery) p->on_delivery(p, text);
    sdb_replica_on_message(p->replica, sdb_slice_of(text), w->now_ms);
    free(text);
    return true;
  }
  if (l->close_code == 0) return any;
  p->line = NULL;
  sdb_hub_on_disconnect(w->h->hub, l->peer, w->h->now_ms);
  sdb_replica_on_closed(p->replica, l->close_code, sdb_slice_of(l->close_reason), "", w->now_ms);
  line_free(l);
  return true;
}

/* Until there is nothing more to do at this moment. */
static inline void settle_world(world *w) {
  for (bool busy = true; busy;) {
    busy = false;
    for (size_t i = 0; i < w->phones_count; i++) {
      if (!w->phones[i].replica) continue;
      busy |= phone_drain(&w->phones[i]);
      busy |= phone_exchange(&w->phones[i]);
    }
    busy |= hub_drain(w);
  }
}

/* Time passes, and what is due happens on the way. */
static inline void pass(world *w, uint64_t ms) {
  uint64_t end_ms = w->now_ms + ms;
  for (;;) {
    settle_world(w);
    uint64_t next_ms = end_ms;
    for (size_t i = 0; i < w->phones_count; i++) {
      if (!w->phones[i].replica) continue;
      uint64_t at_ms = sdb_replica_deadline_ms(w->phones[i].replica);
      if (at_ms < next_ms) next_ms = at_ms;
    }
    if (next_ms > w->now_ms) {
      w->h->now_ms += next_ms - w->now_ms;
      w->wall_ms += next_ms - w->now_ms;
      w->now_ms = next_ms;
    }
    for (size_t i = 0; i < w->phones_count; i++) {
      if (w->phones[i].replica) sdb_replica_on_timer(w->phones[i].replica, w->now_ms);
    }
    settle_world(w);
    if (w->now_ms >= end_ms) return;
  }
}

/* ---- phones ---- */

static inline void phone_random(void *context, void *to, size_t size) {
  phone *p = context;
  unsigned char *bytes = to;
  for (size_t i = 0; i < size; i++) {
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    bytes[i] = (unsigned char)(p->random >> 33);
  }
}

static inline void phone_options(phone *p, sdb_replica_options *options) {
  *options = (sdb_replica_options){.mem = &p->memory.mem,
      .stores = p->world->h->stores,
      .stores_count = STORES_COUNT,
      .windows = p->world->windows,
      .random = phone_random,
      .random_context = p,
      .limits = sdb_replica_limits_default()};
}

static inline sdb_memory_local *new_local(phone *p) {
  sdb_storage_store stores[STORES_COUNT];
  sdb_memory_local *local = NULL;
  for (size_t i = 0; i < STORES_COUNT; i++) {
    sdb_store *store = p->world->h->stores[i];
    stores[i] = (sdb_storage_store){sdb_store_name(store), sdb_store_type_of(store)};
  }
  sdb_local_sink sink = {p, phone_completed};
  assert_int_equal(
      sdb_memory_local_create(sdb_platform_mem(), stores, STORES_COUNT, sink, &local), SDB_OK);
  return local;
}

/* The application starts, with what the local storage holds. */
static inline void phone_start(phone *p) {
  sdb_replica_options options;
  phone_options(p, &options);
  assert_int_equal(sdb_replica_create(&options, &p->replica), SDB_OK);
  p->shown_count = 0;
  for (int i = 0; i < STORES_COUNT; i++)
    p->stale[i] = true;
  sdb_replica_attach(p->replica, sdb_memory_local_port(p->local), p->world->now_ms);
}

/* Its process ends without a word; the local storage stays. */
static inline void phone_kill(phone *p) {
  if (p->line) {
    if (p->line->peer) sdb_hub_on_disconnect(p->world->h->hub, p->line->peer, p->world->h->now_ms);
    line_free(p->line);
    p->line = NULL;
  }
  sdb_replica_destroy(p->replica);
  p->replica = NULL;
  assert_int_equal(p->memory.live, 0);
}

static inline phone *phone_new_stopped(world *w, const char *user) {
  assert_true(w->phones_count < PHONES_MAX);
  phone *p = &w->phones[w->phones_count++];
  p->world = w;
  p->user = user;
  p->random = w->phones_count * 7919;
  p->completed_last = &p->completed;
  failing_memory_init(&p->memory, 0);
  p->local = new_local(p);
  return p;
}

static inline phone *phone_new(world *w, const char *user) {
  phone *p = phone_new_stopped(w, user);
  phone_start(p);
  settle_world(w);
  return p;
}

static inline world *world_new(void) {
  world *w = calloc(1, sizeof(*w));
  assert_non_null(w);
  w->h = harness_make();
  w->now_ms = 1000000;
  w->wall_ms = WALL_MS;
  return w;
}

static inline void world_free(world *w) {
  for (size_t i = 0; i < w->phones_count; i++) {
    if (w->phones[i].replica) phone_kill(&w->phones[i]);
    sdb_memory_local_destroy(w->phones[i].local);
  }
  hub_drain(w);
  harness_free(w->h);
  free(w);
}

/* ---- what its application asks ---- */

static inline sdb_status phone_ask(phone *p, sdb_replica_request request) {
  request.tag = p;
  request.wall_ms = p->world->wall_ms;
  p->done = SDB_CONFLICT; /* no function gives it here */
  assert_true(sdb_replica_request_begin(p->replica, &request, p->world->now_ms));
  phone_drain(p);
  return p->done;
}

static inline sdb_status phone_push(phone *p, int store, const char *object) {
  return phone_ask(
      p, (sdb_replica_request){
             .kind = SDB_REPLICA_PUSH, .store = (uint16_t)store, .object = sdb_slice_of(object)});
}

static inline sdb_status phone_update(phone *p, int store, sdb_uuid id, const char *object) {
  return phone_ask(p, (sdb_replica_request){.kind = SDB_REPLICA_UPDATE,
                          .store = (uint16_t)store,
                          .id = id,
                          .object = sdb_slice_of(object)});
}

static inline sdb_status phone_remove(phone *p, int store, sdb_uuid id) {
  return phone_ask(
      p, (sdb_replica_request){.kind = SDB_REPLICA_REMOVE, .store = (uint16_t)store, .id = id});
}

static inline size_t phone_list(phone *p, int store, sdb_uuid before, uint32_t limit) {
  assert_int_equal(phone_ask(p, (sdb_replica_request){.kind = SDB_REPLICA_LIST,
                                    .store = (uint16_t)store,
                                    .before = before,
                                    .limit = limit}),
      SDB_OK);
  return p->records_count;
}

static inline sdb_status phone_get(phone *p, int store, sdb_uuid id) {
  return phone_ask(
      p, (sdb_replica_request){.kind = SDB_REPLICA_GET, .store = (uint16_t)store, .id = id});
}

static inline sdb_status phone_singular(phone *p) {
  return phone_ask(p, (sdb_replica_request){.kind = SDB_REPLICA_SINGULAR, .store = ACCOUNT});
}

static inline sdb_replica_status phone_status(phone *p) {
  sdb_replica_status status;
  sdb_replica_get_status(p->replica, &status);
  return status;
}

static inline bool is_live(phone *p) {
  return phone_status(p).phase == SDB_CLIENT_LIVE;
}

static inline void note_text(char *to, size_t capacity, const char *text) {
  snprintf(to, capacity, "{\"text\":\"%s\"}", text);
}

static inline sdb_uuid phone_note(phone *p, const char *text) {
  char object[300];
  note_text(object, sizeof(object), text);
  assert_int_equal(phone_push(p, NOTE, object), SDB_OK);
  return p->client_id;
}

/* ---- what the server does by itself ---- */

/* One request of the application on the server, carried out; the record of its answer. */
static inline record *server_ask(world *w, sdb_request request) {
  w->h->records_first = w->h->records_count = 0;
  assert_true(sdb_hub_request(w->h->hub, &request, w->h->now_ms));
  for (bool busy = true; busy;)
    busy = hub_drain(w);
  assert_int_equal(w->h->records_count, 1);
  return &w->h->records[0];
}

static inline sdb_uuid server_push(world *w, const char *user, int store, const char *object) {
  record *r = server_ask(w, (sdb_request){.kind = SDB_REQUEST_PUT,
                                .user = sdb_slice_of(user),
                                .store = (uint16_t)store,
                                .object = sdb_slice_of(object)});
  assert_int_equal(r->status, SDB_OK);
  return r->id;
}

static inline void server_update(
    world *w, const char *user, int store, sdb_uuid id, const char *object) {
  assert_int_equal(server_ask(w, (sdb_request){.kind = SDB_REQUEST_PUT,
                                     .user = sdb_slice_of(user),
                                     .store = (uint16_t)store,
                                     .id = id,
                                     .object = sdb_slice_of(object)})
                       ->status,
      SDB_OK);
}

static inline void server_remove(world *w, const char *user, int store, sdb_uuid id) {
  assert_int_equal(server_ask(w, (sdb_request){.kind = SDB_REQUEST_REMOVE,
                                     .user = sdb_slice_of(user),
                                     .store = (uint16_t)store,
                                     .id = id})
                       ->status,
      SDB_OK);
}

static inline sdb_uuid server_note(world *w, const char *user, const char *text) {
  char object[300];
  note_text(object, sizeof(object), text);
  return server_push(w, user, NOTE, object);
}

/* ---- all are as they should be ---- */

typedef struct server_objects {
  size_t count;
  sdb_uuid ids[SHOWN_MAX];
  char *objects[SHOWN_MAX];
} server_objects;

/* Reads all objects of a user's store from the storage itself. */
static inline void read_server(world *w, const char *user, int store, server_objects *objects) {
  sdb_uuid before = {{0}};
  memset(objects, 0, sizeof(*objects));
  for (;;) {
    sdb_request request = {.kind = SDB_REQUEST_LIST,
        .user = sdb_slice_of(user),
        .store = (uint16_t)store,
        .before = before,
        .limit = 1000};
    assert_true(sdb_hub_request(w->h->hub, &request, w->h->now_ms));
    sdb_hub_output output;
    size_t rows = SIZE_MAX;
    while (rows == SIZE_MAX) {
      sdb_hub_flush(w->h->hub);
      sdb_memory_storage_run(w->h->storage);
      while (sdb_hub_next_output(w->h->hub, &output)) {
        if (output.kind != SDB_HUB_DONE) {
          on_hub_output(w, &output);
          continue;
        }
        assert_int_equal(output.status, SDB_OK);
        rows = output.rows_count;
        for (size_t i = 0; i < rows; i++) {
          assert_true(objects->count < SHOWN_MAX);
          objects->ids[objects->count] = output.rows[i].id;
          objects->objects[objects->count++] =
              strndup(output.rows[i].object.data, output.rows[i].object.size);
          before = output.rows[i].event_id;
        }
      }
    }
    if (rows == 0) return;
  }
}

static inline void free_server(server_objects *objects) {
  for (size_t i = 0; i < objects->count; i++)
    free(objects->objects[i]);
}

static inline bool is_on_server(const server_objects *objects, const shown *s) {
  for (size_t i = 0; i < objects->count; i++) {
    if (sdb_uuid_equal(objects->ids[i], s->id)) {
      assert_string_equal(s->object, objects->objects[i]);
      return true;
    }
  }
  return false;
}

/* What was shown by changes, what a list says, and what the server has are one, and synced. */
static inline void assert_in_step(phone *p) {
  world *w = p->world;
  server_objects *objects = malloc(sizeof(*objects));
  assert_non_null(objects);
  for (int store = 0; store < STORES_COUNT; store++) {
    read_server(w, p->user, store, objects);
    size_t shown_count = 0, listed = 0;
    for (size_t i = 0; i < p->shown_count; i++) {
      if (p->shown[i].store != store) continue;
      assert_int_equal(p->shown[i].state, SDB_RECORD_SYNCED);
      if (!is_on_server(objects, &p->shown[i])) fail_msg("shown: %s", p->shown[i].object);
      shown_count++;
    }
    sdb_uuid before = {{0}};
    while (phone_list(p, store, before, 100) > 0) {
      for (size_t i = 0; i < p->records_count; i++) {
        assert_int_equal(p->records[i].state, SDB_RECORD_SYNCED);
        assert_false(p->gaps[i]);
        if (!is_on_server(objects, &p->records[i])) fail_msg("held: %s", p->records[i].object);
        before = p->records[i].id;
      }
      listed += p->records_count;
    }
    assert_int_equal(listed, objects->count);
    assert_int_equal(shown_count, objects->count);
    free_server(objects);
  }
  free(objects);
  assert_int_equal(phone_status(p).pending, 0);
  assert_int_equal(phone_status(p).failed, 0);
}

/* Until everybody is live and has nothing pending: ten minutes at most. */
static inline void until_live(world *w) {
  for (int i = 0; i < 600; i++) {
    bool all = true;
    settle_world(w);
    for (size_t j = 0; j < w->phones_count; j++) {
      phone *p = &w->phones[j];
      if (p->replica) all &= is_live(p) && phone_status(p).pending == 0;
    }
    if (all) return;
    pass(w, 1000);
  }
  fail_msg("they never came to rest");
}

#endif
