/* sim/plan.h: what a seed decides before anything happens: who there is, how good or bad the
 * network and the disks are, and a list of actions, each at its moment and with chance of its own.
 * An action can be left out without changing the others: that is how a failing seed is shrunk.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "sim/model.h"
#include "sim/random.h"
#include "sim/stores.h"

#define SIM_DEVICES_MAX 8
#define SIM_ACTIONS_MAX 640

/* What may be done: a name for the trace, and how often it is drawn beside the others. */
#define SIM_ACTIONS(X)                                                                             \
  X(PUSH_NOTE, "pushes a note", 120)                                                               \
  X(UPDATE_NOTE, "updates a note", 50)                                                             \
  X(REMOVE_NOTE, "removes a note", 25)                                                             \
  X(PUSH_CHAT, "says something", 40)                                                               \
  X(REMOVE_CHAT, "takes something back", 15)                                                       \
  X(SET_ACCOUNT, "renames the account", 20)                                                        \
  X(REMOVE_ACCOUNT, "removes the account", 5)                                                      \
  X(REFUSED_PUSH, "pushes what the rules refuse", 8)                                               \
  X(BURST, "pushes many notes", 6)                                                                 \
  X(DECIDE, "decides about a failed push", 20)                                                     \
  X(OLDER, "asks for older objects", 25)                                                           \
  X(READ, "reads", 10)                                                                             \
  X(TOGGLE_ONLINE, "goes offline or online by itself", 8)                                          \
  X(APP_PUT, "the application pushes", 30)                                                         \
  X(APP_CHANGE, "the application changes an object", 25)                                           \
  X(APP_REMOVE, "the application removes an object", 15)                                           \
  X(APP_STREAM, "the application streams an answer", 20)                                           \
  X(APP_READ, "the application reads", 10)                                                         \
  X(CUT, "a connection is cut", 500)                                                               \
  X(STALL, "a connection stalls", 20)                                                              \
  X(THROTTLE, "a device reads slowly", 10)                                                         \
  X(PARTITION, "a device loses its network", 30)                                                   \
  X(KILL_DEVICE, "a device's process is killed", 60)                                               \
  X(POWER_DEVICE, "a device loses power", 8)                                                       \
  X(LOSE_DEVICE, "a device loses all it held", 4)                                                  \
  X(DEFER_DEVICE, "a device's storage becomes slow", 10)                                           \
  X(FILL_DEVICE, "a device's disk fails for a while", 6)                                           \
  X(SLEEP, "everybody is away for days", 0)                                                        \
  X(DEVICE_CLOCK, "a device's clock is set", 5)                                                    \
  X(TOKEN, "a device is asked for another token", 6)                                               \
  X(KILL_SERVER, "the server is killed", 6)                                                        \
  X(POWER_SERVER, "the server loses power", 5)                                                     \
  X(DIE_SERVER, "the server dies within a commit", 6)                                              \
  X(STOP_SERVER, "the server is stopped", 4)                                                       \
  X(BACKUP, "a backup is taken", 6)                                                                \
  X(RESTORE, "the server is restored from the backup", 2)                                          \
  X(FILL_SERVER, "the server's disk is full for a while", 5)                                       \
  X(FAIL_COMMITS, "the server's commits fail for a moment", 8)                                     \
  X(SERVER_CLOCK, "the server's clock is set", 5)

typedef enum sim_action_kind {
#define SIM_ACTION_NAME(name, text, weight) SIM_##name,
  SIM_ACTIONS(SIM_ACTION_NAME)
#undef SIM_ACTION_NAME
      SIM_ACTION_KINDS
} sim_action_kind;

const char *sim_action_text(sim_action_kind kind);

typedef struct sim_action {
  uint64_t at_ms;
  sim_action_kind kind;
  sim_random random;
  uint64_t for_ms; /* SLEEP: until the next action */
} sim_action;

typedef enum sim_token_mode {
  SIM_TOKEN_NONE,       /* the upgrade tells who it is, for ever */
  SIM_TOKEN_AT_UPGRADE, /* a token that expires, shown at the upgrade */
  SIM_TOKEN_IN_HELLO    /* the same, in the hello */
} sim_token_mode;

typedef struct sim_plan_device {
  uint16_t user;
  sim_token_mode token_mode;
  bool on_disk;  /* SQLite; otherwise memory */
  bool no_rules; /* it pushes what the server has to refuse */
  int64_t wall_offset_ms;
} sim_plan_device;

typedef enum sim_storages { SIM_MIXED, SIM_ALL_MEMORY, SIM_ALL_SQLITE } sim_storages;

typedef struct sim_plan {
  uint64_t seed;
  uint16_t users;
  size_t devices_count;
  sim_plan_device devices[SIM_DEVICES_MAX];
  bool on_disk;                /* the server's storage */
  uint32_t latency_ms;         /* of a message, at most */
  uint32_t commit_ms, read_ms; /* of the server's storage, at most */
  uint32_t split_permille;     /* of arrivals that are split */
  uint32_t text_bytes;         /* of an object, at most */
  uint32_t stream_permille;    /* of chats that are answered by a stream */
  uint32_t output_soft_bytes, output_hard_bytes, pushes_per_second;
  uint64_t remember_ms, dedupe_ms;
  size_t actions_count;
  sim_action actions[SIM_ACTIONS_MAX];
} sim_plan;

void sim_plan_make(sim_plan *plan, uint64_t seed, sim_storages storages);

#endif
