/* hub/judge.c: pushes that the application is asked about before they are stored, and those behind
 * them.
 *
 * A push to a judged store gets a trial, which stands in its connection's queue; whatever that
 * connection pushes next stands behind it, so that its pushes are stored in the order they came.
 * The application is asked about all of a queue at once; it is only the storing that waits.
 *
 * What a remove takes, and whether a push to a singular store creates or updates, is known inside a
 * transaction only. There a push is first refused by its guard, which notes what it found; with the
 * verdict on that it goes there again, and is judged anew if it finds something else. Such pushes
 * go to the storage one at a time.
 *
 * A trial outlives its connection, as pushes at the storage do. On the storage's thread (and only
 * while it is AT_STORAGE) sdb_trial_look is at it; all else is the hub's.
 */
#include "base/error.h"
#include "hub/state.h"

/* An object that changes each time before the verdict on it is there is given up. */
#define LOOKS_MAX 16

typedef enum trial_state {
  WAITS,      /* for its turn at the storage, to be looked at there */
  AT_STORAGE, /* is being looked at, or stored */
  ASKED,      /* the application is to answer */
  READY       /* may be stored in its turn */
} trial_state;

struct sdb_trial {
  sdb_write_op *op;
  sdb_trial *next, **at;             /* in its peer's queue */
  sdb_trial *all_next, **all_at;     /* in the hub's list */
  sdb_trial *asked_next, **asked_at; /* in that of those ASKED, in the order they were */
  uint64_t ticket, asked_ms;         /* while ASKED */
  trial_state state;
  bool looks_first; /* what it does is known inside the transaction only */
  unsigned looks;
  sdb_action pushed; /* the action before the storage settled it */
  /* what the guard found, and whether the verdict on that was yes */
  bool found, allowed;
  sdb_action action;
  char *seen; /* a remove's object */
  size_t seen_size;
};

/* ---- lists ---- */

static void enqueue(sdb_trial *trial) {
  sdb_peer *peer = trial->op->peer;
  sdb_hub *hub = peer->hub;
  if (!peer->trials) peer->trials_last = &peer->trials;
  trial->at = peer->trials_last;
  *peer->trials_last = trial;
  peer->trials_last = &trial->next;
  trial->all_next = hub->trials;
  trial->all_at = &hub->trials;
  if (trial->all_next) trial->all_next->all_at = &trial->all_next;
  hub->trials = trial;
  hub->trials_count++;
  hub->trials_bytes += trial->op->write.body.size;
}

static void leave_asked(sdb_trial *trial) {
  sdb_hub *hub = trial->op->hub;
  if (!trial->asked_at) return;
  if (hub->to_ask == trial) hub->to_ask = trial->asked_next;
  *trial->asked_at = trial->asked_next;
  if (trial->asked_next)
    trial->asked_next->asked_at = trial->asked_at;
  else
    hub->asked_last = trial->asked_at;
  trial->asked_at = NULL;
  trial->asked_next = NULL;
  (void)sdb_tickets_take(&hub->tickets, trial->ticket);
  hub->stats.judging--;
}

/* Ends a trial; the push is the caller's. */
static void end(sdb_trial *trial) {
  sdb_write_op *op = trial->op;
  sdb_hub *hub = op->hub;
  leave_asked(trial);
  *trial->at = trial->next;
  if (trial->next)
    trial->next->at = trial->at;
  else
    op->peer->trials_last = trial->at;
  *trial->all_at = trial->all_next;
  if (trial->all_next) trial->all_next->all_at = trial->all_at;
  hub->trials_count--;
  hub->trials_bytes -= op->write.body.size;
  op->trial = NULL;
  sdb_mem_free(hub->mem, trial->seen);
  sdb_mem_free(hub->mem, trial);
}

/* ---- asking ---- */

/* False: no memory. */
static bool ask(sdb_trial *trial, uint64_t now_ms) {
  sdb_hub *hub = trial->op->hub;
  trial->ticket = sdb_tickets_add(&hub->tickets, trial);
  if (trial->ticket == 0) return false;
  trial->asked_ms = now_ms;
  trial->state = ASKED;
  trial->asked_at = hub->asked_last;
  *hub->asked_last = trial;
  hub->asked_last = &trial->asked_next;
  if (!hub->to_ask) hub->to_ask = trial;
  hub->stats.judging++;
  return true;
}

void sdb_trial_give(sdb_hub *hub, sdb_hub_output *output) {
  sdb_trial *trial = hub->to_ask;
  const sdb_op_write *write = &trial->op->write;
  const sdb_user *user = trial->op->user;
  hub->to_ask = trial->asked_next;
  output->kind = SDB_HUB_JUDGE;
  output->ticket = trial->ticket;
  output->user = sdb_slice_make(user->name, user->name_size);
  output->action = trial->action;
  output->row.store = write->store;
  output->row.client_id = write->client_id;
  output->row.object = write->body;
  if (trial->action == SDB_ACTION_DELETE)
    output->row.object = sdb_slice_make(trial->seen, trial->seen_size);
}

/* ---- storing ---- */

/* Hands to the storage what stands first and may go there. */
static void go_on(sdb_peer *peer, uint64_t now_ms) {
  sdb_trial *trial;
  while ((trial = peer->trials)) {
    sdb_write_op *op = trial->op;
    if (trial->state == READY) {
      end(trial);
      sdb_write_stage(op, now_ms);
      continue;
    }
    if (trial->state == WAITS) {
      trial->state = AT_STORAGE;
      sdb_write_stage(op, now_ms);
    }
    return;
  }
}

/* On the storage's thread. */
sdb_status sdb_trial_look(sdb_write_op *op, sdb_slice current) {
  sdb_trial *trial = op->trial;
  const sdb_op_write *write = &op->write;
  const sdb_mem *mem = op->hub->mem;
  bool removes = write->action == SDB_ACTION_DELETE;
  if (!sdb_hub_is_judged(op->hub, write->store)) return SDB_OK;
  if (trial->allowed && trial->action == write->action &&
      (!removes || sdb_slice_equal(sdb_slice_make(trial->seen, trial->seen_size), current)))
    return SDB_OK;
  trial->allowed = false;
  sdb_mem_free(mem, trial->seen);
  trial->seen = NULL;
  trial->seen_size = 0;
  if (removes && current.size > 0) {
    trial->seen = sdb_mem_alloc(mem, current.size);
    if (!trial->seen) return SDB_NO_MEMORY;
    memcpy(trial->seen, current.data, current.size);
    trial->seen_size = current.size;
  }
  trial->action = write->action;
  trial->found = true;
  return SDB_CONFLICT;
}

/* Gives the push up without a word: its device sends it again. */
static void drop(sdb_trial *trial) {
  sdb_write_op *op = trial->op;
  end(trial);
  sdb_write_uncount(op);
  sdb_hub_free_op(op->hub, &op->write.op);
}

bool sdb_trial_on_done(sdb_write_op *op, uint64_t now_ms) {
  sdb_trial *trial = op->trial;
  bool to_be_judged = trial->found && op->write.op.status == SDB_CONFLICT;
  trial->found = false;
  if (to_be_judged) {
    if (op->hub->judging_stopped) {
      drop(trial);
      return true;
    }
    op->write.action = trial->pushed;
    if (++trial->looks <= LOOKS_MAX && ask(trial, now_ms)) return true;
    op->write.op.status = SDB_UNAVAILABLE;
  }
  sdb_peer *peer = op->peer;
  end(trial);
  go_on(peer, now_ms);
  return false;
}

/* ---- coming in ---- */

static bool looks_first(const sdb_write_op *op) {
  const sdb_op_write *write = &op->write;
  return write->store == SDB_STORE_ANY || write->action == SDB_ACTION_DELETE ||
         sdb_hub_is_singular(op->hub, write->store);
}

bool sdb_trial_has_room(const sdb_hub *hub, size_t size) {
  return hub->trials_count < SDB_TRIALS_MAX && hub->trials_bytes + size <= SDB_TRIALS_BYTES_MAX;
}

bool sdb_trial_begin(sdb_write_op *op, uint64_t now_ms) {
  sdb_hub *hub = op->hub;
  sdb_trial *trial = sdb_mem_zero(hub->mem, sizeof(*trial));
  if (!trial) return false;
  trial->op = op;
  trial->pushed = trial->action = op->write.action;
  bool judged = sdb_hub_is_judged(hub, op->write.store);
  trial->looks_first = judged && looks_first(op);
  trial->state = trial->looks_first ? WAITS : READY;
  if (judged && !trial->looks_first && !ask(trial, now_ms)) {
    sdb_mem_free(hub->mem, trial);
    return false;
  }
  op->trial = trial;
  sdb_write_count(op);
  enqueue(trial);
  go_on(op->peer, now_ms);
  return true;
}

/* ---- verdicts ---- */

static void refuse(sdb_trial *trial, sdb_status status, const sdb_error *error, uint64_t now_ms) {
  sdb_write_op *op = trial->op;
  sdb_hub *hub = op->hub;
  sdb_peer *peer = op->peer;
  if (status != SDB_REJECTED && status != SDB_INVALID_OBJECT) status = SDB_UNAVAILABLE;
  if (error && error->status == status && !op->refusal) {
    op->refusal = sdb_mem_alloc(hub->mem, sizeof(*error));
    if (op->refusal) *op->refusal = *error;
  }
  op->write.op.status = status;
  sdb_peer_retain(peer);
  end(trial);
  sdb_write_on_done(hub, op, now_ms);
  go_on(peer, now_ms);
  sdb_peer_release(peer);
}

void sdb_hub_on_verdict(
    sdb_hub *hub, uint64_t ticket, sdb_status status, const sdb_error *error, uint64_t now_ms) {
  sdb_trial *trial = sdb_tickets_get(&hub->tickets, ticket);
  if (!trial) return;
  leave_asked(trial);
  if (status != SDB_OK) {
    refuse(trial, status, error, now_ms);
    return;
  }
  trial->allowed = true;
  trial->state = trial->looks_first ? WAITS : READY;
  go_on(trial->op->peer, now_ms);
}

void sdb_trials_time_out(sdb_hub *hub, uint64_t now_ms) {
  sdb_error error;
  while (hub->asked && hub->asked->asked_ms + hub->limits.judge_timeout_ms <= now_ms) {
    sdb_trial *trial = hub->asked;
    leave_asked(trial);
    hub->stats.judge_timeouts++;
    sdb_error_set(&error, SDB_UNAVAILABLE, "the application gave no verdict in time", NULL, NULL);
    refuse(trial, SDB_UNAVAILABLE, &error, now_ms);
  }
}

uint64_t sdb_trials_deadline_ms(const sdb_hub *hub) {
  return hub->asked ? hub->asked->asked_ms + hub->limits.judge_timeout_ms : UINT64_MAX;
}

void sdb_hub_stop_judging(sdb_hub *hub) {
  hub->judging_stopped = true;
  sdb_trial *trial = hub->trials;
  while (trial) {
    sdb_trial *next = trial->all_next;
    if (trial->state != AT_STORAGE) drop(trial);
    trial = next;
  }
}
