/* storage/memory/state.h: all that the memory storage keeps, as plain arrays that are searched from
 * end to end: slow and plainly right, so that it can stand as the model of what a storage does.
 */
#ifndef SDB_STORAGE_MEMORY_STATE_H
#define SDB_STORAGE_MEMORY_STATE_H

#include "hub/storage_port.h"
#include "storage/storage.h"

typedef struct sdb_memory_event {
  sdb_seq seq, object;
  uint64_t user;
  uint16_t store;
  bool removed;
  sdb_uuid client_id;
  char *body; /* its own allocation, or NULL where `size` is 0 */
  size_t size;
} sdb_memory_event;

/* A client id that was stored, and what it was stored for. */
typedef struct sdb_memory_client {
  uint64_t user;
  sdb_uuid id;
  uint16_t store;
  sdb_seq object, seq;
} sdb_memory_client;

typedef struct sdb_memory_user {
  char *name;
  size_t size;
  sdb_seq *horizons; /* one a store */
} sdb_memory_user;

typedef struct sdb_memory_array {
  void *items;
  size_t count, capacity;
} sdb_memory_array;

typedef struct sdb_memory_state {
  const sdb_mem *mem;
  const sdb_store_type *types; /* one a store; the storage's */
  size_t stores_count;
  sdb_memory_array events;  /* of sdb_memory_event, by seq */
  sdb_memory_array clients; /* of sdb_memory_client, by seq */
  sdb_memory_array users;   /* of sdb_memory_user; the user's number is the index plus 1 */
  sdb_seq last;             /* the newest seq given or reserved */
} sdb_memory_state;

void sdb_memory_state_free(sdb_memory_state *state);

/* A deep copy; `to` is overwritten. False: out of memory, `to` is empty then. */
SDB_MUST_CHECK bool sdb_memory_state_copy(sdb_memory_state *to, const sdb_memory_state *from);

/* The user's number, made if need be; 0: out of memory. */
uint64_t sdb_memory_state_user(sdb_memory_state *state, sdb_slice name);

/* Forgets the removes older than `remember_ms` and the client ids older than `dedupe_ms`. */
void sdb_memory_state_expire(
    sdb_memory_state *state, uint64_t now_ms, uint64_t remember_ms, uint64_t dedupe_ms);

/* Carries out one operation and sets its status and results. */
void sdb_memory_state_head(sdb_memory_state *state, sdb_op_user *op);
void sdb_memory_state_write(sdb_memory_state *state, sdb_op_write *op);
void sdb_memory_state_page(sdb_memory_state *state, sdb_op_page *op);
void sdb_memory_state_object(sdb_memory_state *state, sdb_op_object *op);
void sdb_memory_state_reserve(sdb_memory_state *state, sdb_op_reserve *op);

static inline sdb_memory_event *sdb_memory_event_at(const sdb_memory_state *state, size_t at) {
  SDB_ASSERT(at < state->events.count);
  return (sdb_memory_event *)state->events.items + at;
}

/* The current event of an object (in `store` or SDB_STORE_ANY), or of a singular store where
 * `object` is 0; -1 where there is none. */
ptrdiff_t sdb_memory_state_find(
    const sdb_memory_state *state, uint64_t user, uint16_t store, sdb_seq object);

/* Copies an event with its body into `memory`. False: out of memory. */
SDB_MUST_CHECK bool sdb_memory_state_give(
    const sdb_memory_event *event, sdb_buffer *memory, sdb_stored_event *to);

/* Room for one more item of `size` bytes; NULL: out of memory. The caller moves the count. */
void *sdb_memory_array_room(const sdb_mem *mem, sdb_memory_array *array, size_t size);

/* Takes event `at` out of the log. */
void sdb_memory_state_drop(sdb_memory_state *state, size_t at);

#endif
