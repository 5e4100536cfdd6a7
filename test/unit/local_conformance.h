/* test/unit/local_conformance.h: one suite of behaviours for every storage of the device.
 *
 * A kind tells how to open, reopen and fail a storage; the suite runs every behaviour against it.
 * The stores are those of storage_conformance.h: CHAT, NOTE (event) and ACCOUNT (singular).
 */
#ifndef SDB_TEST_LOCAL_CONFORMANCE_H
#define SDB_TEST_LOCAL_CONFORMANCE_H

#include "replica/storage_port.h"
#include "storage_conformance.h"

typedef struct local_kind {
  const char *name;
  bool durable; /* what its port says */
  /* Opens a fresh storage whose sink is `sink`. */
  void *(*open)(sdb_local_sink sink);
  const sdb_local_port *(*port)(void *storage);
  /* Closes and opens again what the storage holds. */
  void *(*reopen)(void *storage, sdb_local_sink sink);
  /* Makes the commits from now on fail, or succeed again. */
  void (*fail_commits)(void *storage, bool failing);
  void (*destroy)(void *storage);
} local_kind;

/* Runs the suite; the number of failures. */
int local_conformance_run(const local_kind *kind);

/* ---- a storage under test ---- */

typedef struct local_fixture {
  const local_kind *kind;
  void *storage;
  const sdb_local_port *port;
  sdb_local_op *completed; /* as the sink was given it last */
  size_t calls;            /* of the sink */
  void *owned;             /* what is freed with the fixture */
} local_fixture;

local_fixture *local_open(const local_kind *kind);
void local_close(local_fixture *f);
void local_reopen(local_fixture *f);
sdb_local_sink local_sink(local_fixture *f);

/* Submits one operation and gives its status; it must complete inside the call. */
sdb_status local_submit(local_fixture *f, sdb_local_op *op);

/* An id made of a number, and in its order. */
sdb_uuid id_of(uint64_t number);
#define NIL ((sdb_uuid){{0}})

/* Changes. The numbers name the object, its event and, for the client id, 1,000,000 more than the
 * event. */
sdb_local_change put_of(int store, uint64_t id, uint64_t event, const char *object);
sdb_local_change remove_of(uint16_t store, uint64_t id, uint64_t event, bool keep);
sdb_local_change singular_of(int store, uint64_t id, uint64_t event, const char *object);
sdb_local_change change_of(sdb_local_change_kind kind, int store);
sdb_local_change state_of(
    int store, uint64_t head, uint32_t wanted, const sdb_id_range *missing, uint32_t count);
sdb_local_change database_of(uint64_t number);
sdb_local_change pending_put_of(const sdb_local_pending *pending);
sdb_local_change pending_drop_of(sdb_uuid client_id);

/* A push to create an object in `store`. */
sdb_local_pending pending_of(uint64_t position, uint64_t client_id, int store, const char *object);

sdb_status commit_changes(local_fixture *f, sdb_local_change *changes, size_t count);

/* A commit of one change, which must succeed: whether it was applied. */
bool apply(local_fixture *f, sdb_local_change change);

/* Reads; the results are the fixture's until it is closed. */
sdb_local_page *read_page(local_fixture *f, int store, sdb_uuid before, uint32_t limit);
sdb_local_object *read_object(local_fixture *f, int store, sdb_uuid id);
sdb_local_load *load_all(local_fixture *f);

/* Checks the objects of all of a store, newest first. */
void assert_objects(local_fixture *f, int store, const char *const *objects, size_t count);
#define assert_store_is(f, store, ...)                                                             \
  assert_objects((f), (store), (const char *const[]){__VA_ARGS__},                                 \
      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
#define assert_store_is_empty(f, store) assert_objects((f), (store), NULL, 0)

void assert_id(sdb_uuid id, sdb_uuid wanted);
void assert_pending(const sdb_local_pending *pending, const sdb_local_pending *wanted);
void assert_state(const sdb_local_state *state, const sdb_local_state *wanted);

/* local_model.c: random changes, beside the plainest storage there could be. */
void random_changes_end_as_the_model_says(void **state);

#endif
