/* sim/plan.c: see plan.h. Swarm testing: each seed leaves some kinds of actions out and does others
 * more often, so that worlds differ from one another more than dice alone would make them.
 */
#include "sim/plan.h"
#include <string.h>

#define HOUR_MS ((uint64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)

static const struct {
  const char *text;
  uint32_t weight;
} KINDS[SIM_ACTION_KINDS] = {
#define SIM_ACTION_KIND(name, text, weight) [SIM_##name] = {text, weight},
    SIM_ACTIONS(SIM_ACTION_KIND)
#undef SIM_ACTION_KIND
};

const char *sim_action_text(sim_action_kind kind) {
  return KINDS[kind].text;
}

static void plan_devices(sim_plan *plan, sim_random *random, sim_storages storages) {
  plan->users = (uint16_t)(1 + sim_below(random, 3));
  plan->devices_count = plan->users + sim_below(random, SIM_DEVICES_MAX - plan->users + 1u);
  for (size_t i = 0; i < plan->devices_count; i++) {
    sim_plan_device *device = &plan->devices[i];
    device->user = (uint16_t)(i < plan->users ? i : sim_below(random, plan->users));
    if (sim_chance(random, 300))
      device->token_mode = sim_chance(random, 500) ? SIM_TOKEN_AT_UPGRADE : SIM_TOKEN_IN_HELLO;
    device->on_disk = sim_chance(random, 300) && storages != SIM_ALL_MEMORY;
    device->on_disk |= storages == SIM_ALL_SQLITE;
    device->no_rules = sim_chance(random, 150);
    if (sim_chance(random, 200))
      device->wall_offset_ms = (int64_t)sim_wait(random, 60 * DAY_MS) - (int64_t)(30 * DAY_MS);
  }
}

static void plan_conditions(sim_plan *plan, sim_random *random) {
  plan->latency_ms = (uint32_t)sim_wait(random, 2000);
  plan->commit_ms = (uint32_t)sim_wait(random, 500);
  plan->read_ms = (uint32_t)sim_wait(random, 500);
  plan->split_permille = sim_chance(random, 500) ? sim_below(random, 400) : 0;
  plan->text_bytes = sim_chance(random, 100) ? 6000 : 40;
  plan->stream_permille = sim_below(random, 500);
  plan->output_soft_bytes = sim_chance(random, 300) ? 2000 : 64 * 1024;
  /* Room for a page, or nobody could catch up. */
  plan->output_hard_bytes =
      plan->output_soft_bytes + (sim_chance(random, 300) ? 256 * 1024 : 4 * 1024 * 1024);
  plan->pushes_per_second = sim_chance(random, 100) ? 1 + sim_below(random, 5) : 0;
  plan->remember_ms = sim_chance(random, 300) ? 2 * HOUR_MS : 90 * DAY_MS;
  plan->dedupe_ms = sim_chance(random, 300) ? 7 * DAY_MS : 60 * DAY_MS;
}

static void plan_actions(sim_plan *plan, sim_random *random) {
  uint32_t weights[SIM_ACTION_KINDS], sum = 0;
  for (size_t i = 0; i < SIM_ACTION_KINDS; i++) {
    uint32_t factor = sim_below(random, 4); /* 0: this world knows nothing of it */
    weights[i] = KINDS[i].weight * factor;
    sum += weights[i];
  }
  if (sum == 0) weights[SIM_PUSH_NOTE] = sum = 1;
  uint64_t at_ms = 0, gap_ms = sim_chance(random, 700) ? 3000 : sim_wait(random, 20000);
  plan->actions_count = 40 + sim_below(random, SIM_ACTIONS_MAX - 40);
  for (size_t i = 0; i < plan->actions_count; i++) {
    uint32_t at = sim_below(random, sum), kind = 0;
    while (at >= weights[kind])
      at -= weights[kind++];
    if (sim_chance(random, 3)) kind = SIM_SLEEP;
    uint64_t wait_ms = sim_wait(random, kind == SIM_SLEEP ? 10 * DAY_MS : gap_ms);
    plan->actions[i] =
        (sim_action){at_ms, (sim_action_kind)kind, sim_random_of(plan->seed, 100 + i), wait_ms};
    at_ms += wait_ms;
  }
}

void sim_plan_make(sim_plan *plan, uint64_t seed, sim_storages storages) {
  sim_random random = sim_random_of(seed, 1);
  memset(plan, 0, sizeof(*plan));
  plan->seed = seed;
  plan->on_disk = sim_chance(&random, 100) && storages != SIM_ALL_MEMORY;
  plan->on_disk |= storages == SIM_ALL_SQLITE;
  plan_devices(plan, &random, storages);
  plan_conditions(plan, &random);
  plan_actions(plan, &random);
}
