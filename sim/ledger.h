/* sim/ledger.h: what devices were asked to push, and what became of it: the promise of exactly
 * once, from the side of those who made the pushes.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include "sim/model.h"

typedef struct sim_push {
  struct sim_push *target; /* the create that it changes or removes, while that was pending */
  uint32_t number, device;
  uint16_t user, store;
  sdb_action action;
  sdb_uuid client_id; /* known once it was accepted; nil: it took back what was never sent */
  sdb_uuid object, target_client;
  uint64_t accepted_ms;
  uint64_t online_ms; /* that the device had been when it was asked for */
  bool accepted;      /* the device said that it is kept */
  bool lost;          /* what the device keeps it in was lost since, or may have been */
  bool discarded;     /* the user gave it up */
  bool retried;       /* the user sent it again, behind others */
  bool removed;       /* the user removed the object while it was pending: it need not be made */
  bool rolled_back;   /* it was stored, and a restored backup took that away */
} sim_push;

typedef struct sim_ledger {
  sim_push **pushes;
  size_t count, capacity;
  sim_push **accepted; /* in this order */
  size_t accepted_count, accepted_capacity;
  sim_map by_client;
} sim_ledger;

void sim_ledger_free(sim_ledger *ledger);
sim_push *sim_ledger_add(sim_ledger *ledger);
void sim_ledger_accept(sim_ledger *ledger, sim_push *push, sdb_uuid client_id, uint64_t now_ms);
sim_push *sim_ledger_of_client(const sim_ledger *ledger, sdb_uuid client_id); /* NULL: none */
/* The device lost what it accepted from `since_ms` on (singular pushes: at any time). */
void sim_ledger_lose(
    sim_ledger *ledger, const sim_model *model, uint32_t device, uint64_t since_ms, bool all);
/* Around a restore: what was stored before it and is not after it was rolled back. */
void sim_ledger_before_restore(sim_ledger *ledger, const sim_model *model);
void sim_ledger_after_restore(sim_ledger *ledger, const sim_model *model);
/* Fails the run unless each accepted push was stored, or need not be, and those of one device and
 * object in their order. */
void sim_ledger_check(const sim_ledger *ledger, const sim_model *model);

#endif
