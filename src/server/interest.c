/* server/interest.c: see interest.h. */
#include "server/interest.h"
#include "base/error.h"
#include "server/state.h"

static bool is_set(const atomic_bool *flag) {
  return atomic_load_explicit(flag, memory_order_relaxed);
}

bool sdb_interest_subscribed(void *context, uint16_t store) {
  const sdb_database *database = context;
  return is_set(&database->interest.subscribed[store]);
}

bool sdb_interest_judged(void *context, uint16_t store) {
  const sdb_database *database = context;
  if (store == SDB_STORE_ANY) return is_set(&database->interest.judged_any);
  return is_set(&database->interest.judged[store]);
}

bool sdb_interest_accepts(void *context, uint16_t store, sdb_slice user) {
  sdb_database *database = context;
  return !sdb_interest_subscribed(database, store) || sdb_lanes_accept(&database->lanes, user);
}

void sdb_interest_set(sdb_interest *interest, uint16_t store, bool judge) {
  atomic_store(judge ? &interest->judged[store] : &interest->subscribed[store], true);
  if (judge) atomic_store(&interest->judged_any, true);
}

int sdb_interest_store(const sdb_database *database, const sdb_store *store, sdb_error *error) {
  for (size_t i = 0; i < database->stores_count; i++) {
    if (database->stores[i] == store) return (int)i;
  }
  sdb_error_set(error, SDB_UNKNOWN_STORE, "the database was opened without this store", NULL, NULL);
  return -1;
}
