/* hub/push.c: `update` and `remove` from a device: limits, schema, rules, then the storage.
 *
 * The rules see what will be: an event store's create or update is known here.
 * Whether a singular store's push creates or updates, and which object a remove
 * takes, is known inside the transaction, so there the guard asks the rules.
 */
#include "base/error.h"
#include "hub/state.h"

/* Allowances are saved up for so long: of pushes that are carried out, and of all that are sent
 * (who goes on over that is closed). */
#define ALLOWANCE_SECONDS 1
#define FLOOD_SECONDS 10

typedef struct push {
  sdb_peer *peer;
  const sdb_wire_message *message;
  uint64_t now_ms;
  uint16_t store;
  sdb_action action;
  sdb_seq object;
  sdb_error error;
} push;

/* ---- limits ---- */

/* Takes one out of an allowance of `rate` a second: `whole_us` is when it will be whole again. */
static bool take_allowance(uint64_t *whole_us, uint64_t now_ms, uint32_t rate, uint32_t seconds) {
  uint64_t now_us = now_ms * 1000, us_each = 1000000 / rate;
  uint64_t from_us = *whole_us > now_us ? *whole_us : now_us;
  if (from_us + us_each - now_us > (uint64_t)seconds * 1000000) return false;
  *whole_us = from_us + us_each;
  return true;
}

bool sdb_push_allow(sdb_peer *peer, uint64_t now_ms) {
  uint32_t rate = peer->hub->limits.pushes_per_second;
  if (rate == 0 || take_allowance(&peer->flood_us, now_ms, rate, FLOOD_SECONDS)) return true;
  sdb_hub_close_peer(peer, SDB_CLOSE_RATE_LIMITED, "{\"retryAfterMs\":[1000,5000]}");
  return false;
}

static sdb_status check_limits(push *p) {
  sdb_peer *peer = p->peer;
  uint32_t rate = peer->hub->limits.pushes_per_second;
  if (rate > 0 && !take_allowance(&peer->rate_us, p->now_ms, rate, ALLOWANCE_SECONDS))
    return sdb_error_set(
        &p->error, SDB_RATE_LIMITED, sdb_status_text(SDB_RATE_LIMITED), NULL, NULL);
  if (peer->in_flight >= peer->hub->limits.in_flight_max + SDB_IN_FLIGHT_OVERSHOOT)
    return sdb_error_set(
        &p->error, SDB_RATE_LIMITED, "too many pushes wait for the storage", NULL, NULL);
  return SDB_OK;
}

/* ---- what is pushed ---- */

static sdb_status find_store(push *p) {
  const sdb_wire_message *message = p->message;
  const sdb_hub *hub = p->peer->hub;
  p->store = SDB_STORE_ANY;
  if (message->store == 0) {
    if (message->type == SDB_WIRE_REMOVE) return SDB_OK;
    return sdb_error_set(&p->error, SDB_BAD_MESSAGE, "store is missing", NULL, NULL);
  }
  int store = sdb_hub_find_store(hub, message->json, message->store);
  if (store < 0)
    return sdb_error_set(
        &p->error, SDB_UNKNOWN_STORE, sdb_status_text(SDB_UNKNOWN_STORE), NULL, NULL);
  p->store = (uint16_t)store;
  return SDB_OK;
}

static sdb_status find_object(push *p) {
  const sdb_wire_message *message = p->message;
  bool has_id = !sdb_uuid_is_nil(message->id);
  if (message->type == SDB_WIRE_REMOVE) {
    p->action = SDB_ACTION_DELETE;
    if (!has_id) return sdb_error_set(&p->error, SDB_BAD_MESSAGE, "id is missing", NULL, NULL);
  } else if (message->object == 0) {
    return sdb_error_set(&p->error, SDB_BAD_MESSAGE, "object is missing", NULL, NULL);
  } else if (sdb_hub_is_singular(p->peer->hub, p->store)) {
    p->action = SDB_ACTION_CREATE; /* or replaces: there is one object, whatever its id */
    return SDB_OK;
  } else {
    p->action = has_id ? SDB_ACTION_UPDATE : SDB_ACTION_CREATE;
  }
  if (has_id && !sdb_seq_from_uuid(message->id, p->peer->hub->database, &p->object))
    return sdb_error_set(&p->error, SDB_NOT_FOUND, sdb_status_text(SDB_NOT_FOUND), NULL, NULL);
  return SDB_OK;
}

/* ---- rules ---- */

static bool is_left_to_guard(const push *p) {
  if (p->store == SDB_STORE_ANY) return true;
  const sdb_hub *hub = p->peer->hub;
  if (p->action == SDB_ACTION_DELETE)
    return sdb_store_rule_needs_object(hub->options.stores[p->store], SDB_ACTION_DELETE) ||
           sdb_hub_is_judged(hub, p->store);
  return sdb_hub_is_singular(hub, p->store);
}

static sdb_status ask_rules(const sdb_write_op *op, sdb_slice text, sdb_error *error) {
  const sdb_store *store = op->hub->options.stores[op->write.store];
  if (!sdb_store_rule_needs_object(store, op->write.action))
    return sdb_store_check_rules(store, op->write.action, NULL, 0, error);
  sdb_json json;
  sdb_json_init(&json, op->hub->mem, SDB_JSON_SIZE_MAX);
  sdb_status status = sdb_json_scan(&json, text, SDB_JSON_DEPTH_MAX, error);
  if (status == SDB_OK) status = sdb_store_check_rules(store, op->write.action, &json, 0, error);
  sdb_json_free(&json);
  return status;
}

/* On the storage's thread: touches nothing but the operation and what never changes. */
static sdb_status guard(sdb_op_write *write, sdb_slice current) {
  sdb_write_op *op = (sdb_write_op *)(void *)write;
  sdb_error error;
  sdb_status status =
      ask_rules(op, write->action == SDB_ACTION_DELETE ? current : write->body, &error);
  if (status == SDB_OK) return op->trial ? sdb_trial_look(op, current) : SDB_OK;
  bool refused = status == SDB_REJECTED || status == SDB_INVALID_OBJECT;
  if (refused && !op->refusal) op->refusal = sdb_mem_alloc(op->hub->mem, sizeof(error));
  if (op->refusal) *op->refusal = error;
  return status;
}

/* ---- the message ---- */

/* Schema, and rules where they can be asked now. Leaves the text to store in hub->scratch. */
static sdb_status check(push *p) {
  sdb_hub *hub = p->peer->hub;
  sdb_status status = check_limits(p);
  if (status == SDB_OK) status = find_store(p);
  if (status == SDB_OK) status = find_object(p);
  if (status != SDB_OK) return status;
  sdb_buffer_reset(&hub->scratch);
  if (p->action != SDB_ACTION_DELETE)
    status = sdb_hub_prepare_object(hub, p->store, p->message->object, p->now_ms, &p->error);
  if (status == SDB_OK && !is_left_to_guard(p))
    status = sdb_store_check_rules(hub->options.stores[p->store], p->action,
        p->action == SDB_ACTION_DELETE ? NULL : &hub->json, p->message->object, &p->error);
  if (status == SDB_OK && p->store != SDB_STORE_ANY && hub->options.accepts &&
      !hub->options.accepts(hub->options.subscribed_context, p->store,
          sdb_slice_make(p->peer->user->name, p->peer->user->name_size)))
    status = sdb_error_set(&p->error, SDB_RATE_LIMITED,
        "the application is behind with this user's events", NULL, NULL);
  return status;
}

/* What is replaced or removed is for subscribers only. */
static bool is_previous_wanted(const push *p) {
  const sdb_hub *hub = p->peer->hub;
  if (p->store == SDB_STORE_ANY) return hub->options.subscribed != NULL;
  bool replaces = p->action != SDB_ACTION_CREATE || sdb_hub_is_singular(hub, p->store);
  return replaces && sdb_hub_is_subscribed(hub, p->store);
}

/* Whether the push has to wait for a verdict, or behind one of its connection. */
static bool is_tried(const push *p) {
  return p->peer->trials || sdb_hub_is_judged(p->peer->hub, p->store);
}

static sdb_status stage(push *p) {
  sdb_hub *hub = p->peer->hub;
  bool tried = is_tried(p);
  if (tried && !sdb_trial_has_room(hub, hub->scratch.size))
    return sdb_error_set(
        &p->error, SDB_RATE_LIMITED, "the application is behind with its verdicts", NULL, NULL);
  sdb_write_op *op = sdb_write_new(p->peer->user, hub->scratch.size);
  if (!op) return sdb_error_set(&p->error, SDB_UNAVAILABLE, "out of memory", NULL, NULL);
  if (hub->scratch.size > 0) memcpy(op->body, hub->scratch.data, hub->scratch.size);
  op->peer = p->peer;
  op->write.store = p->store;
  op->write.action = p->action;
  op->write.object = p->object;
  op->write.client_id = p->message->client_id;
  if (is_left_to_guard(p)) op->write.guard = guard;
  op->write.want_previous = is_previous_wanted(p);
  if (!tried) {
    sdb_write_stage(op, p->now_ms);
  } else if (!sdb_trial_begin(op, p->now_ms)) {
    sdb_hub_free_op(hub, &op->write.op);
    return sdb_error_set(&p->error, SDB_UNAVAILABLE, "out of memory", NULL, NULL);
  }
  return SDB_OK;
}

static void count_refusal(sdb_hub_stats *stats, sdb_status status) {
  switch (status) {
  case SDB_RATE_LIMITED:
    stats->pushes_limited++;
    break;
  case SDB_REJECTED:
    stats->pushes_rejected++;
    break;
  case SDB_NOT_FOUND:
    stats->pushes_not_found++;
    break;
  case SDB_UNAVAILABLE:
    stats->pushes_unavailable++;
    break;
  default:
    stats->pushes_invalid++;
    break;
  }
}

void sdb_hub_on_push(sdb_peer *peer, const sdb_wire_message *message, uint64_t now_ms) {
  if (!sdb_push_allow(peer, now_ms)) return;
  push p;
  p.peer = peer;
  p.message = message;
  p.now_ms = now_ms;
  p.store = SDB_STORE_ANY;
  p.object = 0;
  sdb_status status = check(&p);
  if (status == SDB_OK) status = stage(&p);
  if (status == SDB_OK) return;
  if (status == SDB_NO_MEMORY)
    status = sdb_error_set(&p.error, SDB_UNAVAILABLE, "out of memory", NULL, NULL);
  count_refusal(&peer->hub->stats, status);
  const char *store = p.store == SDB_STORE_ANY ? NULL : sdb_hub_store_name(peer->hub, p.store);
  sdb_hub_send_error(peer, &p.error, message->client_id, store);
}
