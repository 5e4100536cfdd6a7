/* sim/ledger.c: see ledger.h. That nothing is stored twice is the model's to see. */
#include "sim/ledger.h"
#include "sim/failure.h"
#include "sim/stores.h"
#include <stdlib.h>
#include <string.h>

void sim_ledger_free(sim_ledger *ledger) {
  for (size_t i = 0; i < ledger->count; i++)
    free(ledger->pushes[i]);
  free(ledger->pushes);
  free(ledger->accepted);
  sim_map_free(&ledger->by_client);
}

sim_push *sim_ledger_add(sim_ledger *ledger) {
  ledger->pushes = sim_grow(ledger->pushes, ledger->count, &ledger->capacity, sizeof(sim_push *));
  sim_push *push = ledger->pushes[ledger->count] = sim_alloc(sizeof(*push));
  push->number = (uint32_t)ledger->count++;
  return push;
}

sim_push *sim_ledger_of_client(const sim_ledger *ledger, sdb_uuid client_id) {
  if (sdb_uuid_is_nil(client_id)) return NULL;
  uint32_t at = sim_map_get(&ledger->by_client, sim_map_key(client_id));
  return at == SIM_MAP_NONE ? NULL : ledger->pushes[at];
}

void sim_ledger_accept(sim_ledger *ledger, sim_push *push, sdb_uuid client_id, uint64_t now_ms) {
  SIM_CHECK(!push->accepted, "a push is answered once", "a second answer");
  /* An update of a create that was never sent goes into it. */
  if (sim_ledger_of_client(ledger, client_id)) return;
  push->accepted = true;
  push->accepted_ms = now_ms;
  ledger->accepted = sim_grow(
      ledger->accepted, ledger->accepted_count, &ledger->accepted_capacity, sizeof(sim_push *));
  ledger->accepted[ledger->accepted_count++] = push;
  push->client_id = client_id;
  /* It may have been taken back already, by a remove whose answer never comes. */
  for (size_t i = push->number + 1u; i < ledger->count; i++) {
    const sim_push *later = ledger->pushes[i];
    push->removed |= later->action == SDB_ACTION_DELETE && later->device == push->device &&
                     sdb_uuid_equal(later->target_client, client_id) && !sdb_uuid_is_nil(client_id);
  }
  if (!sdb_uuid_is_nil(client_id))
    sim_map_put(&ledger->by_client, sim_map_key(client_id), push->number);
}

void sim_ledger_lose(
    sim_ledger *ledger, const sim_model *model, uint32_t device, uint64_t since_ms, bool all) {
  for (size_t i = 0; i < ledger->count; i++) {
    sim_push *push = ledger->pushes[i];
    if (push->device != device || !push->accepted) continue;
    bool lost = all || SIM_SINGULAR(push->store) || push->accepted_ms >= since_ms;
    if (lost && !sim_model_of_client(model, push->client_id)) push->lost = true;
  }
}

void sim_ledger_before_restore(sim_ledger *ledger, const sim_model *model) {
  for (size_t i = 0; i < ledger->count; i++) {
    sim_push *push = ledger->pushes[i];
    /* A change of what was not there is done without an event; now it may be there again. */
    bool done = push->action != SDB_ACTION_CREATE || sim_model_of_client(model, push->client_id);
    /* One whose answer the device still owes may have been stored for all that is known. */
    push->rolled_back |= !push->accepted || done;
  }
}

void sim_ledger_after_restore(sim_ledger *ledger, const sim_model *model) {
  for (size_t i = 0; i < ledger->count; i++) {
    sim_push *push = ledger->pushes[i];
    if (push->accepted && sim_model_of_client(model, push->client_id)) push->rolled_back = false;
  }
}

/* Whether the object that it changes or removes is not there any more. */
static bool is_gone(const sim_push *push, const sim_model *model) {
  sdb_seq object = 0;
  if (push->target) {
    const sim_entry *made = sim_model_of_client(model, push->target->client_id);
    if (!made) return true;
    object = made->object;
  } else if (!sdb_seq_from_uuid(push->object, model->key, &object)) {
    return true;
  }
  for (size_t i = model->count; i-- > 0;) {
    const sim_entry *entry = &model->entries[i];
    bool same = entry->object == object && entry->user == push->user;
    /* After a restore, a clock that is set back may give an id again, in another store. */
    if (same && entry->store == push->store) return entry->removed;
  }
  return true;
}

/* Whether it may be missing from the log although the device kept it. */
static bool need_not_be_stored(const sim_push *push, const sim_model *model) {
  if (push->lost || push->discarded || push->removed || push->rolled_back) return true;
  if (push->action == SDB_ACTION_CREATE) return false;
  if (push->target && need_not_be_stored(push->target, model)) return true;
  /* What is not there cannot be changed, and to remove it is done already; of a singular store's
   * object nobody knows later what it was. */
  return SIM_SINGULAR(push->store) || is_gone(push, model);
}

/* A later push of an object would be undone by an earlier one that comes behind it. An object that
 * was changed by others before its create was seen back is two to the device, until it is: what
 * names it by the create is a line of its own. */
static void check_order(const sim_ledger *ledger, const sim_model *model) {
  sim_map newest = {0};
  for (size_t i = 0; model->late_doubles == 0 && i < ledger->accepted_count; i++) {
    const sim_push *push = ledger->accepted[i];
    const sim_entry *entry = sim_model_of_client(model, push->client_id);
    if (!entry || push->retried || push->discarded) continue;
    sdb_seq object = SIM_SINGULAR(entry->store) ? entry->store + 1u : entry->object;
    bool by_create = !sdb_uuid_is_nil(push->target_client);
    uint64_t key = object << 4 | (uint64_t)by_create << 3 | push->device;
    uint32_t at = sim_map_get(&newest, key);
    const sim_entry *before = at == SIM_MAP_NONE ? NULL : &model->entries[at];
    SIM_CHECK(!before || before->seq < entry->seq, "pushes of one object keep their order",
        "push %u of device %u is %llx, behind %llx", push->number, push->device,
        (unsigned long long)entry->seq, (unsigned long long)before->seq);
    sim_map_put(&newest, key, (uint32_t)(entry - model->entries));
  }
  sim_map_free(&newest);
}

void sim_ledger_check(const sim_ledger *ledger, const sim_model *model) {
  check_order(ledger, model);
  for (size_t i = 0; i < ledger->count; i++) {
    const sim_push *push = ledger->pushes[i];
    if (!push->accepted || sim_model_of_client(model, push->client_id)) continue;
    SIM_CHECK(need_not_be_stored(push, model), "an accepted push is delivered",
        "push %zu of device %u (action %d, store %u), accepted at %llu ms, is not in the log", i,
        push->device, push->action, push->store, (unsigned long long)push->accepted_ms);
  }
}
