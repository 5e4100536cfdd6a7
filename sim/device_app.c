/* sim/device_app.c: see device.h. The application keeps what it shows by the changes that it is
 * told, and lists a store only at the start and after a reset: so that in the end this, what a list
 * says and what the server has can be compared.
 */
#include "sim/device.h"
#include "sim/failure.h"
#include "sim/server.h"
#include "sim/text.h"
#include <stdio.h>
#include <string.h>

#define LIST_LIMIT 500
#define NIL ((sdb_uuid){{0}})

uint64_t sim_device_wall_ms(const sim_device *device) {
  return (uint64_t)((int64_t)(SIM_START_MS + device->world->now_ms) + device->wall_offset_ms);
}

/* ---- what is shown ---- */

static uint64_t hash_of(sdb_slice text) {
  uint64_t hash = 14695981039346656037u + text.size, part;
  for (size_t i = 0; i < text.size; i += sizeof(part)) {
    size_t left = text.size - i;
    part = 0;
    memcpy(&part, text.data + i, left < sizeof(part) ? left : sizeof(part));
    hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

/* Every object names its user, so that another's is seen at once. */
static void check_owner(const sim_device *device, sdb_slice object) {
  const char mark[] = {'"', 'u', (char)('0' + device->user), '.', 0};
  SIM_CHECK(sim_text_has(object, mark), "users see their own data", "%s is shown %.*s",
      device->name, (int)object.size, object.data);
}

/* What is being streamed reads as the stream does, so far. */
static void check_partial(const sim_device *device, sdb_slice object) {
  sdb_slice text;
  SIM_CHECK(sim_text_between(object, "\"message\":\"", &text), "a partial reads as its stream",
      "%.*s", (int)object.size, object.data);
  const sim_stream *stream = sim_stream_of(&device->world->streams, text);
  bool right = text.size <= stream->size && memcmp(stream->text, text.data, text.size) == 0;
  SIM_CHECK(right, "a partial reads as its stream", "%s shows %.*s of %.*s", device->name,
      (int)text.size, text.data, (int)stream->size, stream->text);
}

/* A change that failed: if refused, it is rolled back, and only a create is shown; if late, the
 * device was online for as long as it may take. */
static void check_failed(
    const sim_device *device, uint16_t store, const sdb_client_record *record) {
  sdb_status why = record->error ? record->error->status : SDB_OK;
  bool late = why == SDB_UNAVAILABLE || why == SDB_RATE_LIMITED;
  bool creates = sdb_uuid_is_nil(record->id) && !SIM_SINGULAR(store);
  SIM_CHECK(late || creates, "what is refused is rolled back", "%s shows %.*s: %s", device->name,
      (int)record->object.size, record->object.data, sdb_status_name(why));
  const sim_push *push = sim_ledger_of_client(&device->world->ledger, record->client_id);
  if (!late || !push) return;
  uint64_t took_ms = sim_device_online_ms(device) - push->online_ms;
  SIM_CHECK(took_ms >= sdb_replica_limits_default().push_timeout_ms,
      "time offline does not make a push late", "push %u after %llu ms", push->number,
      (unsigned long long)took_ms);
}

static sim_shown shown_of(uint16_t store, const sdb_client_record *record) {
  return (sim_shown){store, record->state, record->id, record->event_id, record->client_id,
      hash_of(record->object)};
}

static bool is_same(const sim_shown *shown, uint16_t store, sdb_uuid id, sdb_uuid client_id) {
  if (shown->store != store) return false;
  if (SIM_SINGULAR(store)) return true;
  if (!sdb_uuid_is_nil(shown->id)) return sdb_uuid_equal(shown->id, id);
  return !sdb_uuid_is_nil(client_id) && sdb_uuid_equal(shown->client_id, client_id);
}

static void forget(sim_device *device, uint16_t store, sdb_uuid id, sdb_uuid client_id) {
  for (size_t i = 0; i < device->shown_count;) {
    if (is_same(&device->shown[i], store, id, client_id))
      device->shown[i] = device->shown[--device->shown_count];
    else
      i++;
  }
}

static void show(sim_device *device, uint16_t store, const sdb_client_record *record) {
  check_owner(device, record->object);
  if (record->state == SDB_RECORD_PARTIAL) check_partial(device, record->object);
  if (record->state == SDB_RECORD_FAILED) check_failed(device, store, record);
  device->shown =
      sim_grow(device->shown, device->shown_count, &device->shown_capacity, sizeof(*device->shown));
  device->shown[device->shown_count++] = shown_of(store, record);
}

static void forget_store(sim_device *device, uint16_t store) {
  for (size_t i = 0; i < device->shown_count;) {
    if (device->shown[i].store == store)
      device->shown[i] = device->shown[--device->shown_count];
    else
      i++;
  }
}

void sim_device_on_change(sim_device *device, uint16_t store, const sdb_client_change *change) {
  static const char *const KINDS[] = {"", "shows", "drops", "lists anew"};
  static const char *const STATES[] = {"", "synced", "partial", "pending", "failed"};
  SIM_TRACE(device->world->now_ms, device->name, "%s %s: %s ...%02x%02x of ...%02x%02x %.*s",
      KINDS[change->kind], sim_store_wire_name(store), STATES[change->record.state],
      change->record.id.bytes[14], change->record.id.bytes[15], change->record.client_id.bytes[14],
      change->record.client_id.bytes[15], (int)change->record.object.size,
      change->record.object.size ? change->record.object.data : "");
  if (change->kind == SDB_CHANGE_RESET) {
    forget_store(device, store);
    device->stale[store] = true;
    return;
  }
  forget(device, store, change->record.id, change->record.client_id);
  if (change->kind == SDB_CHANGE_PUT) show(device, store, &change->record);
}

/* ---- requests ---- */

static void ask(sim_device *device, sdb_replica_request *request, sim_ask what) {
  device->asks =
      sim_grow(device->asks, device->asks_count, &device->asks_capacity, sizeof(*device->asks));
  what.store = request->store;
  device->asks[device->asks_count++] = what;
  device->asks_open++;
  request->tag = (void *)(uintptr_t)device->asks_count;
  request->wall_ms = sim_device_wall_ms(device);
  bool begun = sdb_replica_request_begin(device->replica, request, device->world->now_ms);
  SIM_CHECK(begun, "a request is begun", "out of memory");
}

static void list(sim_device *device, sim_ask_kind kind, uint16_t store, sdb_uuid before) {
  if (kind == SIM_ASK_SHOW) device->listing[store] = true;
  sdb_replica_request request = {
      .kind = SDB_REPLICA_LIST, .store = store, .before = before, .limit = LIST_LIMIT};
  ask(device, &request, (sim_ask){.kind = kind});
}

void sim_device_list_stale(sim_device *device) {
  bool can = device->local_open && device->attach_at_ms == SIM_NEVER && !device->list_failed;
  for (uint16_t i = 0; can && i < SIM_STORES; i++) {
    if (!device->stale[i] || device->listing[i]) continue;
    device->stale[i] = false;
    list(device, SIM_ASK_SHOW, i, NIL);
  }
}

/* What changes have shown since is newer than the page. */
static void on_page(sim_device *device, const sdb_replica_output *output) {
  device->listing[output->store] = false;
  if (output->status != SDB_OK) {
    device->stale[output->store] = device->list_failed = true;
    return;
  }
  for (size_t i = 0; i < output->records_count; i++) {
    const sdb_client_record *record = &output->records[i];
    bool known = false;
    for (size_t j = 0; j < device->shown_count && !known; j++)
      known = is_same(&device->shown[j], output->store, record->id, record->client_id);
    if (!known) show(device, output->store, record);
  }
  if (output->records_count == LIST_LIMIT)
    list(device, SIM_ASK_SHOW, output->store, output->records[LIST_LIMIT - 1].id);
}

/* What is said to be synced is as the server stored it, unless a restore took that away. */
static void check_record(
    const sim_device *device, uint16_t store, const sdb_client_record *record) {
  const sim_model *model = &device->world->model;
  sdb_seq seq = 0;
  check_owner(device, record->object);
  if (record->state != SDB_RECORD_SYNCED) return;
  if (!sdb_seq_from_uuid(record->event_id, model->key, &seq)) return;
  const sim_entry *entry = sim_model_find(model, seq);
  /* A server whose clock was set back after a restore may give an id again that it forgot. */
  bool same =
      !entry || device->world->server->was_restored ||
      (entry->store == store && entry->user == device->user && record->object.size == entry->size &&
          memcmp(record->object.data, entry->body, entry->size) == 0);
  SIM_CHECK(same, "a record is as it was stored", "%s: %.*s", device->name,
      (int)record->object.size, record->object.data);
}

/* At rest: it is what the server has now. */
static void check_current(
    const sim_device *device, uint16_t store, const sdb_client_record *record) {
  const sim_model *model = &device->world->model;
  sdb_seq seq = 0;
  SIM_CHECK(record->state == SDB_RECORD_SYNCED && !record->gap, "at rest all is synced",
      "%s lists %.*s", device->name, (int)record->object.size, record->object.data);
  bool known = sdb_seq_from_uuid(record->event_id, model->key, &seq);
  const sim_entry *entry = known ? sim_model_find(model, seq) : NULL;
  bool same = entry && entry->current && entry->store == store && entry->user == device->user &&
              record->object.size == entry->size &&
              memcmp(record->object.data, entry->body, entry->size) == 0;
  SIM_CHECK(same, "all devices hold what the server has", "%s lists %.*s", device->name,
      (int)record->object.size, record->object.data);
}

static void remove_target(sim_push *target) {
  for (; target; target = target->target)
    target->removed = true;
}

static void on_pushed(sim_device *device, sim_ask *what, const sdb_replica_output *output) {
  sim_world *world = device->world;
  SIM_TRACE(world->now_ms, device->name, "push %u: %s, client id ...%02x%02x", what->push->number,
      sdb_status_name(output->status), output->client_id.bytes[14], output->client_id.bytes[15]);
  if (output->status == SDB_OK) {
    /* The create that it changes was answered before it. */
    what->push->target = sim_ledger_of_client(&world->ledger, what->push->target_client);
    sim_ledger_accept(&world->ledger, what->push, output->client_id, world->now_ms);
    /* With a create that was never sent goes all that was made of it. */
    if (what->push->action == SDB_ACTION_DELETE) remove_target(what->push->target);
    return;
  }
  bool bad_disk = device->slow_ms != 0 || device->attach_at_ms != SIM_NEVER;
  bool expected = output->status == SDB_NOT_FOUND || output->status == SDB_CONFLICT ||
                  output->status == SDB_LIMIT || (bad_disk && output->status == SDB_IO);
  SIM_CHECK(expected, "a push is accepted", "%s: %s", sdb_status_name(output->status),
      output->error->message);
}

void sim_device_on_done(sim_device *device, const sdb_replica_output *output) {
  size_t number = (size_t)(uintptr_t)output->tag;
  SIM_CHECK(number > 0 && number <= device->asks_count, "a request is answered once", "request %zu",
      number);
  sim_ask *what = &device->asks[number - 1];
  SIM_CHECK(!what->answered, "a request is answered once", "request %zu", number);
  what->answered = true;
  device->asks_open--;
  for (size_t i = 0; i < output->records_count; i++)
    check_record(device, output->store, &output->records[i]);
  switch (what->kind) {
  case SIM_ASK_PUSH:
    on_pushed(device, what, output);
    break;
  case SIM_ASK_REFUSED:
    SIM_CHECK(output->status == SDB_REJECTED || output->status == SDB_INVALID_OBJECT ||
                  output->status == SDB_NOT_FOUND,
        "rules hold on the device", "%s", sdb_status_name(output->status));
    break;
  case SIM_ASK_SHOW:
    on_page(device, output);
    break;
  case SIM_ASK_CHECK:
    SIM_CHECK(output->status == SDB_OK, "a list", "%s", sdb_status_name(output->status));
    what->records = output->records_count;
    for (size_t i = 0; sim_trace_on && i < what->records; i++)
      SIM_TRACE(device->world->now_ms, device->name, "holds %.*s",
          (int)output->records[i].object.size, output->records[i].object.data);
    if (what->records > 0) what->last = output->records[what->records - 1].id;
    for (size_t i = 0; i < what->records; i++)
      check_current(device, output->store, &output->records[i]);
    break;
  case SIM_ASK_READ:
    break;
  }
}

/* ---- pushes ---- */

static sim_push *new_push(sim_device *device, uint16_t store, sdb_action action) {
  sim_push *push = sim_ledger_add(&device->world->ledger);
  push->device = device->index;
  push->user = device->user;
  push->store = store;
  push->action = action;
  push->online_ms = sim_device_online_ms(device);
  return push;
}

static void push_object(sim_device *device, uint16_t store, const char *role, sim_random *random) {
  char object[SIM_OBJECT_MAX];
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH,
      .store = store,
      .object = sim_world_object(device->world, object, device->user, store, role, random)};
  sim_push *push = new_push(device, store, SDB_ACTION_CREATE);
  ask(device, &request, (sim_ask){.kind = SIM_ASK_PUSH, .push = push});
}

/* Something of the store that is shown and is no partial; NULL: there is nothing. */
static const sim_shown *pick(const sim_device *device, uint16_t store, sim_random *random) {
  for (int tries = 0; tries < 8 && device->shown_count > 0; tries++) {
    const sim_shown *shown = &device->shown[sim_below(random, (uint32_t)device->shown_count)];
    if (shown->store == store && shown->state != SDB_RECORD_PARTIAL) return shown;
  }
  return NULL;
}

static void change_object(
    sim_device *device, uint16_t store, bool removes, bool refused, sim_random *random) {
  sim_world *world = device->world;
  const sim_shown *shown = pick(device, store, random);
  /* An update of a create that waits is a create still: it may be anything that one may. */
  if (!shown || (refused && shown->state != SDB_RECORD_SYNCED)) return;
  char object[SIM_OBJECT_MAX];
  sdb_replica_request request = {.kind = removes ? SDB_REPLICA_REMOVE : SDB_REPLICA_UPDATE,
      .store = store,
      .id = sdb_uuid_is_nil(shown->id) ? shown->client_id : shown->id};
  if (!removes)
    request.object = sim_world_object(world, object, device->user, store, "user", random);
  if (refused) {
    ask(device, &request, (sim_ask){.kind = SIM_ASK_REFUSED});
    return;
  }
  sim_push *push = new_push(device, store, removes ? SDB_ACTION_DELETE : SDB_ACTION_UPDATE);
  push->object = shown->id;
  if (sdb_uuid_is_nil(shown->id)) push->target_client = shown->client_id;
  /* It may be taken back although the answer does not come any more. */
  if (removes) remove_target(sim_ledger_of_client(&world->ledger, push->target_client));
  ask(device, &request, (sim_ask){.kind = SIM_ASK_PUSH, .push = push});
}

static void remove_account(sim_device *device) {
  sdb_replica_request request = {.kind = SDB_REPLICA_REMOVE, .store = SIM_ACCOUNT};
  sim_push *push = new_push(device, SIM_ACCOUNT, SDB_ACTION_DELETE);
  ask(device, &request, (sim_ask){.kind = SIM_ASK_PUSH, .push = push});
}

/* Of another user's object it knows no more than the id. */
static void change_foreign(sim_device *device, sim_random *random) {
  sim_world *world = device->world;
  const sim_model *model = &world->model;
  if (model->count == 0) return;
  const sim_entry *entry = &model->entries[sim_below(random, (uint32_t)model->count)];
  if (entry->user == device->user || SIM_SINGULAR(entry->store)) return;
  char object[SIM_OBJECT_MAX];
  bool removes = entry->store == SIM_CHAT || sim_chance(random, 500);
  sdb_replica_request request = {.kind = removes ? SDB_REPLICA_REMOVE : SDB_REPLICA_UPDATE,
      .store = entry->store,
      .id = sdb_seq_to_uuid(entry->object, model->key)};
  if (!removes)
    request.object = sim_world_object(world, object, device->user, entry->store, "user", random);
  sim_push *push = new_push(device, entry->store, removes ? SDB_ACTION_DELETE : SDB_ACTION_UPDATE);
  push->object = request.id;
  ask(device, &request, (sim_ask){.kind = SIM_ASK_PUSH, .push = push});
}

static void push_refused(sim_device *device, sim_random *random) {
  if (sim_chance(random, 300)) {
    change_foreign(device, random);
    return;
  }
  /* Without rules of its own it is the server that refuses. */
  bool refused_here = !device->plan->no_rules;
  if (sim_chance(random, 300)) {
    change_object(device, SIM_CHAT, false, refused_here, random);
    return;
  }
  if (!refused_here) {
    push_object(device, SIM_CHAT, "assistant", random);
    return;
  }
  sdb_replica_request request = {.kind = SDB_REPLICA_PUSH, .store = SIM_CHAT};
  request.object =
      sdb_slice_of(sim_chance(random, 500) ? "{\"role\":\"assistant\",\"message\":\"u0.no\"}"
                                           : "{\"role\":\"user\"}");
  ask(device, &request, (sim_ask){.kind = SIM_ASK_REFUSED});
}

bool sim_device_decide(sim_device *device, bool discards) {
  sdb_replica_unsynced unsynced;
  sim_world *world = device->world;
  for (const void *at = NULL; sdb_replica_next_unsynced(device->replica, &at, &unsynced);) {
    if (!unsynced.error) continue;
    sdb_uuid client_id = unsynced.client_id;
    sim_push *push = sim_ledger_of_client(&world->ledger, client_id);
    SIM_TRACE(world->now_ms, device->name, "%s push %u: %s", discards ? "discards" : "retries",
        push ? push->number : 0, unsynced.error->message);
    sdb_status status = discards ? sdb_replica_discard(device->replica, client_id)
                                 : sdb_replica_retry(device->replica, client_id);
    if (status == SDB_OK && push) *(discards ? &push->discarded : &push->retried) = true;
    SIM_CHECK(status == SDB_OK || (!discards && status == SDB_CONFLICT), "a failed push", "%s",
        sdb_status_name(status));
    return true;
  }
  return false;
}

/* ---- what else it does ---- */

static void read_something(sim_device *device, sim_random *random) {
  sdb_replica_request request = {.store = (uint16_t)sim_below(random, SIM_STORES), .limit = 20};
  const sim_shown *shown = pick(device, request.store, random);
  request.kind = SIM_SINGULAR(request.store) ? SDB_REPLICA_SINGULAR : SDB_REPLICA_LIST;
  if (shown && !SIM_SINGULAR(request.store)) {
    request.id = sdb_uuid_is_nil(shown->id) ? shown->client_id : shown->id;
    request.before = shown->id;
    if (sim_chance(random, 500)) request.kind = SDB_REPLICA_GET;
  }
  ask(device, &request, (sim_ask){.kind = SIM_ASK_READ});
}

static void ask_older(sim_device *device, sim_random *random) {
  uint16_t store = sim_chance(random, 500) ? SIM_CHAT : SIM_NOTE;
  const sim_shown *shown = sim_chance(random, 500) ? pick(device, store, random) : NULL;
  sdb_status status =
      sdb_replica_older(device->replica, store, shown ? shown->id : NIL, 1 + sim_below(random, 20));
  SIM_CHECK(status == SDB_OK || status == SDB_NOT_FOUND || status == SDB_UNAVAILABLE,
      "older objects are asked for", "%s", sdb_status_name(status));
}

static void toggle_online(sim_device *device) {
  uint64_t now_ms = device->world->now_ms;
  device->offline = !device->offline;
  if (device->offline)
    sdb_replica_go_offline(device->replica, now_ms);
  else
    sdb_replica_go_online(device->replica, now_ms);
}

static void burst(sim_device *device, sim_random *random) {
  uint32_t count = 5 + sim_below(random, 30);
  for (uint32_t i = 0; i < count; i++)
    push_object(device, SIM_NOTE, "user", random);
}

void sim_device_act(sim_device *device, sim_action_kind kind, sim_random *random) {
  if (!device->replica) return;
  switch (kind) {
  case SIM_PUSH_NOTE:
    push_object(device, SIM_NOTE, "user", random);
    break;
  case SIM_UPDATE_NOTE:
    change_object(device, SIM_NOTE, false, false, random);
    break;
  case SIM_REMOVE_NOTE:
    change_object(device, SIM_NOTE, true, false, random);
    break;
  case SIM_PUSH_CHAT:
    push_object(device, SIM_CHAT, "user", random);
    break;
  case SIM_REMOVE_CHAT:
    change_object(device, SIM_CHAT, true, false, random);
    break;
  case SIM_SET_ACCOUNT:
    push_object(device, SIM_ACCOUNT, "user", random);
    break;
  case SIM_REMOVE_ACCOUNT:
    remove_account(device);
    break;
  case SIM_REFUSED_PUSH:
    push_refused(device, random);
    break;
  case SIM_BURST:
    burst(device, random);
    break;
  case SIM_DECIDE:
    sim_device_decide(device, sim_chance(random, 500));
    break;
  case SIM_OLDER:
    ask_older(device, random);
    break;
  case SIM_READ:
    read_something(device, random);
    break;
  case SIM_TOGGLE_ONLINE:
    toggle_online(device);
    break;
  default:
    sim_fail("the simulation", "no action of a device: %d", kind);
  }
  sim_device_drain(device);
}

/* ---- the end ---- */

bool sim_device_load_all(sim_device *device) {
  bool any = false;
  for (uint16_t i = 0; device->replica && i < SIM_STORES; i++) {
    if (!SIM_SINGULAR(i)) any |= sdb_replica_older(device->replica, i, NIL, 1000) != SDB_NOT_FOUND;
  }
  if (device->replica) sim_device_drain(device);
  return any;
}

bool sim_device_is_at_rest(sim_device *device) {
  sdb_replica_status status;
  if (!device->replica) return false;
  sdb_replica_get_status(device->replica, &status);
  return status.phase == SDB_CLIENT_LIVE && status.pending == 0 && status.failed == 0 &&
         device->asks_open == 0;
}

static size_t count_live(const sim_model *model, uint16_t user, uint16_t store) {
  size_t count = 0;
  for (size_t i = 0; i < model->count; i++) {
    const sim_entry *entry = &model->entries[i];
    count += entry->current && !entry->removed && entry->user == user && entry->store == store;
  }
  return count;
}

static void check_shown(const sim_device *device, uint16_t store, size_t expected) {
  const sim_model *model = &device->world->model;
  size_t count = 0;
  for (size_t i = 0; i < device->shown_count; i++) {
    const sim_shown *shown = &device->shown[i];
    if (shown->store != store) continue;
    sdb_seq seq = 0;
    bool known = sdb_seq_from_uuid(shown->event_id, model->key, &seq);
    const sim_entry *entry = known ? sim_model_find(model, seq) : NULL;
    bool right = shown->state == SDB_RECORD_SYNCED && entry && entry->current &&
                 hash_of(sdb_slice_make(entry->body, entry->size)) == shown->hash;
    SIM_CHECK(right, "all devices show what the server has",
        "%s shows what is not there in store %u: event %llx, state %d", device->name, store,
        (unsigned long long)seq, shown->state);
    count++;
  }
  SIM_CHECK(count == expected, "all devices show what the server has",
      "%s shows %zu objects of store %u, there are %zu", device->name, count, store, expected);
}

static void check_list(sim_device *device, uint16_t store, size_t expected) {
  size_t count = 0;
  sdb_uuid before = NIL;
  for (;;) {
    size_t number = device->asks_count;
    list(device, SIM_ASK_CHECK, store, before);
    sim_device_drain(device);
    const sim_ask *answer = &device->asks[number];
    SIM_CHECK(answer->answered, "a list", "it is not answered");
    count += answer->records;
    if (answer->records == 0 || SIM_SINGULAR(store)) break;
    before = answer->last;
  }
  SIM_CHECK(count == expected, "all devices hold what the server has",
      "%s lists %zu objects of store %u, there are %zu", device->name, count, store, expected);
}

void sim_device_check(sim_device *device) {
  for (uint16_t store = 0; store < SIM_STORES; store++) {
    size_t expected = count_live(&device->world->model, device->user, store);
    check_list(device, store, expected);
    check_shown(device, store, expected);
  }
}
