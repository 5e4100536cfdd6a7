/* sim/model.h: what the server must hold: the promises of hub/storage_port.h once more, as plainly
 * as can be. It is told each operation and what the storage made of it, in the order in which the
 * storage carried them out, and fails the run where it would have made something else of it.
 *
 * Invariants: entries are in the order of their seqs; each object has one that is current; a client
 * id stands for its newest entry. What a restored backup took away is gone from here too.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "hub/storage_port.h"
#include "sim/map.h"

#define SIM_USERS_MAX 4

/* An event of the log. It stays when another takes its place, to know what was said of it. */
typedef struct sim_entry {
  sdb_seq seq, object;
  sdb_uuid client_id;
  uint16_t user, store;
  bool removed, current;
  bool told;     /* to subscribers */
  uint32_t life; /* of the server, in which it was stored */
  uint32_t size;
  char *body;
} sim_entry;

typedef struct sim_model {
  sdb_uuid key; /* of the ids */
  uint64_t remember_ms, dedupe_ms;
  sim_entry *entries;
  size_t count, capacity;
  sim_map by_object, by_client;
  sdb_seq last;                    /* the greatest that was given or reserved */
  uint64_t clock_ms;               /* of the newest write */
  uint64_t numbers[SIM_USERS_MAX]; /* of the users in the storage; 0: not known */
  size_t backup_count;             /* entries that the backup holds */
  uint64_t late_doubles;           /* client ids stored again after the window */
  uint32_t life;
} sim_model;

void sim_model_init(sim_model *model, sdb_uuid key, uint64_t remember_ms, uint64_t dedupe_ms);
void sim_model_free(sim_model *model);

/* The index of the user with this name, "u0" and so on. Anything else fails the run. */
uint16_t sim_user_of(sdb_slice name);
const char *sim_user_name(uint16_t user);

/* What was asked of a write, before the storage wrote into it. */
typedef struct sim_asked {
  uint16_t user, store;
  sdb_action action;
  bool reserved;
  sdb_seq object;
  sdb_uuid client_id;
  sdb_slice body;
} sim_asked;

sim_asked sim_asked_of(const sim_model *model, const sdb_op_write *op);

typedef struct sim_expected {
  sdb_status status; /* SDB_OK, SDB_NOT_FOUND, SDB_CONFLICT */
  bool duplicate;
  bool may_be_double; /* the client id is past the window: either is right */
  sdb_action action;
  const sim_entry *current; /* that it takes the place of, or, of a duplicate, what stands now */
  const sim_entry *stored;  /* a duplicate's first */
} sim_expected;

sim_expected sim_model_expect(const sim_model *model, const sim_asked *asked);
/* The write becomes the event `seq`. */
const sim_entry *sim_model_apply(sim_model *model, const sim_asked *asked, sdb_seq seq);

/* Each of these compares what the storage completed with what it should be, and takes it over. */
void sim_model_wrote(sim_model *model, const sim_asked *asked, const sdb_op_write *op);
void sim_model_reserved(sim_model *model, const sdb_op_reserve *op);
void sim_model_found_user(sim_model *model, const sdb_op_user *op);
void sim_model_read_page(const sim_model *model, const sdb_op_page *op);
void sim_model_read_object(const sim_model *model, const sdb_op_object *op);

void sim_model_backed_up(sim_model *model);
void sim_model_restored(sim_model *model);

/* The event with this seq; NULL: there is none. */
const sim_entry *sim_model_find(const sim_model *model, sdb_seq seq);
/* The event that was stored for a client id; NULL: none was, or a restored backup took it away. */
const sim_entry *sim_model_of_client(const sim_model *model, sdb_uuid client_id);
/* Marks it as told to the subscribers; fails the run if it was before. */
void sim_model_tell(sim_model *model, sdb_seq seq);
/* Whether the storage may have forgotten it: a remove past the horizon. */
bool sim_model_may_forget(const sim_model *model, const sim_entry *entry);

#endif
