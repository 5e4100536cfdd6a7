/* sim/model.c: see model.h. */
#include "sim/model.h"
#include "sim/failure.h"
#include "sim/stores.h"
#include "sim/text.h"
#include <stdlib.h>
#include <string.h>

void sim_model_init(sim_model *model, sdb_uuid key, uint64_t remember_ms, uint64_t dedupe_ms) {
  *model = (sim_model){.key = key, .remember_ms = remember_ms, .dedupe_ms = dedupe_ms};
}

void sim_model_free(sim_model *model) {
  for (size_t i = 0; i < model->count; i++)
    free(model->entries[i].body);
  free(model->entries);
  sim_map_free(&model->by_object);
  sim_map_free(&model->by_client);
}

uint16_t sim_user_of(sdb_slice name) {
  bool good = name.size == 2 && name.data[0] == 'u' && name.data[1] >= '0' &&
              name.data[1] < '0' + SIM_USERS_MAX;
  SIM_CHECK(good, "unknown user", "%.*s", (int)name.size, name.data);
  return (uint16_t)(name.data[1] - '0');
}

const char *sim_user_name(uint16_t user) {
  static const char *const NAMES[SIM_USERS_MAX] = {"u0", "u1", "u2", "u3"};
  return NAMES[user];
}

/* ---- keys ---- */

static uint64_t object_key(uint16_t user, uint16_t store, sdb_seq object) {
  if (SIM_SINGULAR(store)) return (uint64_t)1 << 62 | (uint64_t)user << 8 | store;
  return object;
}

static const sim_entry *entry_at(const sim_model *model, uint32_t at) {
  return at == SIM_MAP_NONE ? NULL : &model->entries[at];
}

const sim_entry *sim_model_find(const sim_model *model, sdb_seq seq) {
  size_t low = 0, high = model->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (model->entries[middle].seq < seq)
      low = middle + 1;
    else
      high = middle;
  }
  return low < model->count && model->entries[low].seq == seq ? &model->entries[low] : NULL;
}

const sim_entry *sim_model_of_client(const sim_model *model, sdb_uuid client_id) {
  if (sdb_uuid_is_nil(client_id)) return NULL;
  const sim_entry *entry = entry_at(model, sim_map_get(&model->by_client, sim_map_key(client_id)));
  SIM_CHECK(!entry || sdb_uuid_equal(entry->client_id, client_id), "client ids",
      "two client ids of one key");
  return entry;
}

static const sim_entry *current_of(
    const sim_model *model, uint16_t user, uint16_t store, sdb_seq object) {
  const sim_entry *entry =
      entry_at(model, sim_map_get(&model->by_object, object_key(user, store, object)));
  return entry && entry->user == user && entry->store == store ? entry : NULL;
}

bool sim_model_may_forget(const sim_model *model, const sim_entry *entry) {
  return entry->removed && sdb_seq_ms(entry->seq) + model->remember_ms < model->clock_ms;
}

/* ---- writes ---- */

static uint16_t user_of_number(const sim_model *model, uint64_t number) {
  for (uint16_t i = 0; number != 0 && i < SIM_USERS_MAX; i++) {
    if (model->numbers[i] == number) return i;
  }
  sim_fail("unknown user", "the storage never gave the number %llu", (unsigned long long)number);
}

sim_asked sim_asked_of(const sim_model *model, const sdb_op_write *op) {
  return (sim_asked){user_of_number(model, op->user), op->store, op->action, op->reserved,
      op->object, op->client_id, op->body};
}

/* The live object that an update or a remove names. */
static const sim_entry *named(const sim_model *model, const sim_asked *asked) {
  for (uint16_t store = 0; store < SIM_STORES; store++) {
    if (asked->store != SDB_STORE_ANY && asked->store != store) continue;
    const sim_entry *entry = current_of(model, asked->user, store, asked->object);
    if (!entry || entry->removed) continue;
    if (asked->object == 0 || entry->object == asked->object) return entry;
  }
  return NULL;
}

sim_expected sim_model_expect(const sim_model *model, const sim_asked *asked) {
  sim_expected expected = {.status = SDB_OK, .action = asked->action};
  const sim_entry *stored = sim_model_of_client(model, asked->client_id);
  if (stored && stored->user == asked->user) {
    bool remembered = sdb_seq_ms(stored->seq) + model->dedupe_ms >= model->clock_ms;
    expected.stored = stored;
    expected.duplicate = remembered;
    expected.may_be_double = !remembered;
    expected.current = current_of(model, stored->user, stored->store, stored->object);
    if (remembered) return expected;
  }
  bool singular = asked->store != SDB_STORE_ANY && SIM_SINGULAR(asked->store);
  if (asked->action == SDB_ACTION_CREATE && !singular) {
    const sim_entry *taken =
        asked->reserved ? current_of(model, asked->user, asked->store, asked->object) : NULL;
    if (taken) expected.status = SDB_CONFLICT;
    expected.current = NULL;
    return expected;
  }
  if (asked->action == SDB_ACTION_CREATE) {
    expected.current = current_of(model, asked->user, asked->store, 0);
    bool live = expected.current && !expected.current->removed;
    expected.action = live ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE;
    return expected;
  }
  expected.current = named(model, asked);
  if (!expected.current) expected.status = SDB_NOT_FOUND;
  return expected;
}

const sim_entry *sim_model_apply(sim_model *model, const sim_asked *asked, sdb_seq seq) {
  SIM_CHECK(seq > model->last, "event ids increase", "%llx is not above %llx",
      (unsigned long long)seq, (unsigned long long)model->last);
  model->entries =
      sim_grow(model->entries, model->count, &model->capacity, sizeof(*model->entries));
  sim_expected expected = sim_model_expect(model, asked); /* now that the entries have moved */
  const sim_entry *current = expected.current;
  bool removed = asked->action == SDB_ACTION_DELETE;
  sim_entry *entry = &model->entries[model->count];
  *entry = (sim_entry){.seq = seq,
      .object = seq,
      .client_id = asked->client_id,
      .user = asked->user,
      .store = removed ? current->store : asked->store,
      .removed = removed,
      .current = true,
      .life = model->life,
      .size = removed ? 0 : (uint32_t)asked->body.size};
  if (removed)
    entry->object = current->object;
  else if (!SIM_SINGULAR(asked->store) && (asked->reserved || asked->action == SDB_ACTION_UPDATE))
    entry->object = asked->object;
  if (entry->size > 0) {
    entry->body = sim_alloc(entry->size);
    memcpy(entry->body, asked->body.data, entry->size);
  }
  if (current) model->entries[current - model->entries].current = false;
  uint32_t at = (uint32_t)model->count++;
  sim_map_put(&model->by_object, object_key(entry->user, entry->store, entry->object), at);
  if (!sdb_uuid_is_nil(entry->client_id)) {
    model->late_doubles += expected.may_be_double;
    sim_map_put(&model->by_client, sim_map_key(entry->client_id), at);
  }
  model->last = seq;
  return entry;
}

static void check_stored(const sdb_stored_event *event, const sim_entry *entry, const char *where) {
  bool same = event->seq == entry->seq && event->object == entry->object &&
              event->store == entry->store && event->removed == entry->removed &&
              event->body.size == entry->size &&
              (entry->size == 0 || memcmp(event->body.data, entry->body, entry->size) == 0) &&
              sdb_uuid_equal(event->client_id, entry->client_id);
  SIM_CHECK(same, "the storage holds what was stored", "%s: event %llx, not as it was written",
      where, (unsigned long long)event->seq);
}

static void check_duplicate(
    const sim_model *model, const sim_expected *expected, const sdb_op_write *op) {
  SIM_CHECK(op->object == expected->stored->object || SIM_SINGULAR(expected->stored->store),
      "a duplicate is answered with its event", "another object");
  const sim_entry *stored = expected->stored;
  const sim_entry *current = current_of(model, stored->user, stored->store, stored->object);
  if (op->event.seq == 0) {
    SIM_CHECK(!current || sim_model_may_forget(model, current),
        "a duplicate is answered with its event", "the event %llx is said to be forgotten",
        (unsigned long long)current->seq);
    return;
  }
  SIM_CHECK(current && op->event.seq == current->seq, "a duplicate is answered with its event",
      "event %llx, not %llx; it was stored as %llx", (unsigned long long)op->event.seq,
      (unsigned long long)(current ? current->seq : 0), (unsigned long long)expected->stored->seq);
  sdb_stored_event event = op->event;
  event.client_id = current->client_id; /* the port gives the id that was asked for */
  check_stored(&event, current, "duplicate");
}

void sim_model_wrote(sim_model *model, const sim_asked *asked, const sdb_op_write *op) {
  sim_expected expected = sim_model_expect(model, asked);
  sdb_status status = op->op.status;
  if (status == SDB_OK && op->duplicate) {
    SIM_CHECK(expected.duplicate || expected.may_be_double, "exactly once",
        "a client id that was never stored is said to be");
    check_duplicate(model, &expected, op);
    return;
  }
  SIM_CHECK(!expected.duplicate, "exactly once",
      "a client id that was stored as %llx is carried out again: %s",
      (unsigned long long)expected.stored->seq, sdb_status_name(status));
  SIM_CHECK(status == expected.status, "a write's outcome", "%s, not %s", sdb_status_name(status),
      sdb_status_name(expected.status));
  if (status != SDB_OK) return;
  SIM_CHECK(op->action == expected.action, "a write's outcome", "action %d, not %d", op->action,
      expected.action);
  if (op->want_previous && expected.current && !expected.current->removed)
    SIM_CHECK(op->previous.size == expected.current->size &&
                  memcmp(op->previous.data, expected.current->body, op->previous.size) == 0,
        "a write's outcome", "what it replaced is something else");
  /* The chat's rules, for what clients push. */
  bool refused =
      asked->store == SIM_CHAT && !sdb_uuid_is_nil(asked->client_id) &&
      (op->action == SDB_ACTION_UPDATE || sim_text_has(asked->body, "\"role\":\"assistant\""));
  SIM_CHECK(!refused, "rules hold on the server", "%.*s", (int)asked->body.size, asked->body.data);
  const sim_entry *entry = sim_model_apply(model, asked, op->seq);
  SIM_CHECK(op->object == entry->object && op->store == entry->store, "a write's outcome",
      "object %llx of store %u, not %llx", (unsigned long long)op->object, op->store,
      (unsigned long long)entry->object);
}

void sim_model_reserved(sim_model *model, const sdb_op_reserve *op) {
  SIM_CHECK(op->seq > model->last, "event ids increase", "%llx is reserved, not above %llx",
      (unsigned long long)op->seq, (unsigned long long)model->last);
  model->last = op->seq;
}

/* ---- reads ---- */

static const sim_entry *newest_of(const sim_model *model, uint16_t user, uint16_t store) {
  for (size_t i = model->count; i-- > 0;) {
    const sim_entry *entry = &model->entries[i];
    if (entry->user == user && entry->store == store && entry->current) return entry;
  }
  return NULL;
}

void sim_model_found_user(sim_model *model, const sdb_op_user *op) {
  uint16_t user = sim_user_of(op->name);
  SIM_CHECK(op->user != 0, "a user's number", "it is 0");
  for (uint16_t i = 0; i < SIM_USERS_MAX; i++)
    SIM_CHECK((model->numbers[i] == op->user) == (i == user && model->numbers[i] != 0) ||
                  model->numbers[user] == 0,
        "a user's number", "u%u has that of u%u", user, i);
  model->numbers[user] = op->user;
  for (uint16_t store = 0; store < SIM_STORES; store++) {
    const sim_entry *newest = newest_of(model, user, store);
    sdb_seq head = newest ? newest->seq : 0;
    bool right = op->heads[store].head == head ||
                 (newest && sim_model_may_forget(model, newest) && op->heads[store].head < head);
    SIM_CHECK(right, "a head is the newest event", "u%u has %llx in store %u, not %llx", user,
        (unsigned long long)op->heads[store].head, store, (unsigned long long)head);
  }
}

static bool is_in_page(const sim_entry *entry, uint16_t user, const sdb_op_page *op) {
  return entry->current && entry->user == user && entry->store == op->store &&
         entry->seq > op->after && (op->before == 0 || entry->seq < op->before) &&
         !(op->objects_only && entry->removed);
}

void sim_model_read_page(const sim_model *model, const sdb_op_page *op) {
  uint16_t user = user_of_number(model, op->user);
  uint32_t given = 0;
  bool left = false, surely_left = false;
  SIM_CHECK(op->count <= op->limit, "a page", "%u events of %u", op->count, op->limit);
  for (size_t i = model->count; i-- > 0;) {
    const sim_entry *entry = &model->entries[i];
    if (!is_in_page(entry, user, op)) continue;
    if (given < op->count && op->events[given].seq == entry->seq) {
      check_stored(&op->events[given], entry, "page");
      given++;
    } else if (given < op->count) {
      SIM_CHECK(sim_model_may_forget(model, entry), "a page is whole",
          "u%u's event %llx of store %u is not in it", user, (unsigned long long)entry->seq,
          op->store);
    } else {
      left = true;
      surely_left |= !sim_model_may_forget(model, entry);
    }
  }
  SIM_CHECK(given == op->count, "a page is whole", "it holds %llx, which is not to be in it",
      (unsigned long long)op->events[given].seq);
  SIM_CHECK(op->more ? left : !surely_left, "a page is whole", "it says %s",
      op->more ? "that there is more" : "that this is all");
}

void sim_model_read_object(const sim_model *model, const sdb_op_object *op) {
  sim_asked asked = {
      .user = user_of_number(model, op->user), .store = op->store, .object = op->object};
  const sim_entry *entry = op->object ? named(model, &asked) : NULL;
  SIM_CHECK((op->op.status == SDB_OK) == (entry != NULL), "an object", "it is %sthere",
      entry ? "" : "not ");
  if (entry) check_stored(&op->event, entry, "object");
}

/* ---- backups ---- */

void sim_model_backed_up(sim_model *model) {
  model->backup_count = model->count;
}

void sim_model_restored(sim_model *model) {
  for (size_t i = model->backup_count; i < model->count; i++)
    free(model->entries[i].body);
  model->count = model->backup_count;
  model->last = model->count > 0 ? model->entries[model->count - 1].seq : 0;
  sim_map_clear(&model->by_object);
  sim_map_clear(&model->by_client);
  memset(model->numbers, 0, sizeof(model->numbers));
  for (uint32_t i = 0; i < model->count; i++) {
    sim_entry *entry = &model->entries[i];
    uint64_t key = object_key(entry->user, entry->store, entry->object);
    uint32_t before = sim_map_get(&model->by_object, key);
    if (before != SIM_MAP_NONE) model->entries[before].current = false;
    entry->current = true;
    sim_map_put(&model->by_object, key, i);
    if (!sdb_uuid_is_nil(entry->client_id))
      sim_map_put(&model->by_client, sim_map_key(entry->client_id), i);
  }
}

void sim_model_tell(sim_model *model, sdb_seq seq) {
  const sim_entry *entry = sim_model_find(model, seq);
  SIM_CHECK(entry, "stored before said", "subscribers are told of an event that is not stored");
  SIM_CHECK(
      !entry->told, "subscribers are told once", "%llx a second time", (unsigned long long)seq);
  model->entries[entry - model->entries].told = true;
}
