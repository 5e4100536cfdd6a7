/* replica/hello.c: what is said first: the heads and missing ranges that are held, and the server's
 * answer (protocol.md sections 3, 4 and 5).
 *
 * A server that knows only the brief's messages knows no missing ranges: it is told a head below
 * all that is missing, and sends again what lies above. That is known of it when events are held
 * and no server_hello ever named a database.
 */
#include "base/error.h"
#include "base/planted.h"
#include "replica/state.h"

_Static_assert(sizeof(sdb_wire_range) == sizeof(sdb_id_range), "one is given as the other");

static bool knows_no_ranges(const sdb_replica *replica) {
  return sdb_uuid_is_nil(replica->database);
}

/* Of a store with a window, what is missing was left out on purpose, unless it was interrupted. */
static bool wants_missing(const sdb_replica_store *store) {
  return store->window == SDB_REPLICA_WINDOW_ALL || store->wanted > 0;
}

static void describe_store(
    const sdb_replica *replica, uint16_t index, sdb_wire_store_status *status) {
  const sdb_replica_store *store = &replica->stores[index];
  status->store = sdb_replica_store_name(replica, index);
  status->head = store->head;
  status->window = store->singular ? SDB_WIRE_WINDOW_ALL : store->window;
  if (store->missing.count == 0) return;
  if (knows_no_ranges(replica)) {
    status->head = store->missing.list[store->missing.count - 1].after;
  } else if (wants_missing(store)) {
    status->missing = (const sdb_wire_range *)store->missing.list;
    status->missing_count = store->missing.count;
  }
}

/* What the server will answer with. */
static void expect_answers(sdb_replica *replica, const sdb_wire_store_status *statuses) {
  for (size_t i = 0; i < replica->options.stores_count; i++) {
    sdb_replica_store *store = &replica->stores[i];
    store->awaiting = 1 + (uint32_t)statuses[i].missing_count;
    if (store->window != SDB_REPLICA_WINDOW_ALL) store->wanted = store->window;
  }
}

void sdb_hello_send(sdb_replica *replica) {
  sdb_wire_store_status statuses[SDB_REPLICA_STORES_MAX];
  size_t count = replica->options.stores_count;
  memset(statuses, 0, count * sizeof(statuses[0]));
  for (uint16_t i = 0; i < count; i++)
    describe_store(replica, i, &statuses[i]);
  expect_answers(replica, statuses);
  sdb_wire_hello hello = {.stores = statuses,
      .stores_count = count,
      .database = replica->database,
      .accepts_append = true};
  if (replica->options.token_in_hello) hello.token = sdb_buffer_slice(&replica->token);
  sdb_wire_client_hello(sdb_link_begin_message(replica), &hello);
  sdb_link_end_message(replica);
}

/* ---- the answer ---- */

/* All that is held of the store goes, but this device's unsynced pushes. False: no memory. */
static bool reset_store(sdb_replica *replica, uint16_t index) {
  sdb_replica_store *store = &replica->stores[index];
  if (SDB_PLANTED(RESET_DROPS_PUSHES) && replica->first &&
      !sdb_pending_give_up(replica, replica->first))
    return false;
  store->head = (sdb_uuid){{0}};
  store->missing.count = 0;
  store->awaiting = 1;
  store->keeps_removes = store->top_missing = false;
  sdb_batch_note_state(replica, index);
  return sdb_batch_add(replica, SDB_LOCAL_CLEAR, index) != NULL;
}

static bool is_true(const sdb_json *json, uint32_t at) {
  return at != 0 && sdb_json_at(json, at)->type == SDB_JSON_TRUE;
}

static bool is_null(const sdb_json *json, uint32_t at) {
  return at == 0 || sdb_json_at(json, at)->type == SDB_JSON_NULL;
}

/* What the server says of the store; 0: it does not know it. */
static uint32_t find_answer(
    const sdb_replica *replica, const sdb_wire_message *message, uint16_t index) {
  if (message->stores == 0) return 0;
  sdb_slice name = sdb_slice_of(sdb_replica_store_name(replica, index));
  uint32_t at = sdb_json_member(message->json, message->stores, name);
  return is_null(message->json, at) ? 0 : at;
}

/* Whether its fields are of their kinds: a head that is not understood is not none. */
static bool is_answer(const sdb_json *json, uint32_t at) {
  sdb_uuid id;
  if (at == 0) return true;
  if (sdb_json_at(json, at)->type != SDB_JSON_OBJECT) return false;
  uint32_t head = sdb_json_member(json, at, sdb_slice_of("head"));
  uint32_t reset = sdb_json_member(json, at, sdb_slice_of("reset"));
  return (is_null(json, head) || sdb_wire_uuid(json, head, &id)) &&
         (is_null(json, reset) || is_true(json, reset) ||
             sdb_json_at(json, reset)->type == SDB_JSON_FALSE);
}

static bool is_understood(const sdb_replica *replica, const sdb_wire_message *message) {
  bool understood = true;
  for (uint16_t i = 0; i < replica->options.stores_count; i++)
    understood &= is_answer(message->json, find_answer(replica, message, i));
  return understood;
}

/* `at`: what the server says of the store; 0: it does not know it. It may come to know it later,
 * and could not tell then that what is held is of another database: that goes now. False: no
 * memory. */
static bool take_store(
    sdb_replica *replica, uint16_t index, const sdb_json *json, uint32_t at, bool other_database) {
  sdb_replica_store *store = &replica->stores[index];
  if (at == 0) {
    bool done = !other_database || reset_store(replica, index);
    store->awaiting = 0;
    return done;
  }
  uint32_t head = sdb_json_member(json, at, sdb_slice_of("head"));
  sdb_uuid told = {{0}};
  if (is_null(json, head) || !sdb_wire_uuid(json, head, &told)) told = (sdb_uuid){{0}};
  bool reset = is_true(json, sdb_json_member(json, at, sdb_slice_of("reset")));
  if ((reset || other_database) && !reset_store(replica, index)) return false;
  store->told_head = told;
  if (SDB_PLANTED(HEAD_TOO_EARLY)) store->head = told;
  if (!sdb_id_above(told, store->head)) store->contiguous = true;
  return true;
}

static bool take_database(sdb_replica *replica, sdb_uuid database) {
  if (sdb_uuid_is_nil(database) || sdb_uuid_equal(database, replica->database)) return true;
  sdb_local_change *change = sdb_batch_add(replica, SDB_LOCAL_DATABASE, 0);
  if (!change) return false;
  change->id = replica->database = database;
  return true;
}

void sdb_hello_on_answer(sdb_replica *replica, const sdb_wire_message *message, uint64_t now_ms) {
  if (replica->link.greeted) return;
  if (!is_understood(replica, message)) {
    sdb_link_drop(replica, SDB_CLOSE_BAD_MESSAGE, "a head in the server_hello is none", now_ms);
    return;
  }
  bool other = !sdb_uuid_is_nil(replica->database) && !sdb_uuid_is_nil(message->database) &&
               !sdb_uuid_equal(replica->database, message->database);
  if (SDB_PLANTED(EPOCH_IGNORED)) other = false;
  bool done = take_database(replica, message->database);
  for (uint16_t i = 0; done && i < replica->options.stores_count; i++) {
    done = take_store(replica, i, message->json, find_answer(replica, message, i), other);
  }
  if (!done) {
    sdb_replica_fail_storage(replica, SDB_NO_MEMORY, now_ms);
    return;
  }
  replica->link.greeted = true;
  replica->link.brief = false;
  replica->status_due = true;
}

void sdb_hello_on_silence(sdb_replica *replica) {
  replica->link.brief = true; /* unless it comes late: then all that was asked for is still due */
  replica->status_due = true;
}
