/* server/interest.h: which stores the application wants to be told of, or asked about.
 *
 * Set by the application's threads, read by the loop and, inside transactions, by the storage's.
 */
#ifndef SDB_SERVER_INTEREST_H
#define SDB_SERVER_INTEREST_H

#include "hub/hub.h"
#include <stdatomic.h>
#include <syncdb/database.h>

typedef struct sdb_interest {
  atomic_bool subscribed[SDB_STORES_MAX];
  atomic_bool judged[SDB_STORES_MAX];
  atomic_bool judged_any;
} sdb_interest;

/* As the functions of sdb_hub_options; their context is the database. */
bool sdb_interest_subscribed(void *database, uint16_t store);
bool sdb_interest_judged(void *database, uint16_t store);
bool sdb_interest_accepts(void *database, uint16_t store, sdb_slice user);

/* Any thread: the application wants to be asked (`judge`), or told, of changes in `store`. */
void sdb_interest_set(sdb_interest *interest, uint16_t store, bool judge);

/* The index of `store`, or -1 with `error` set. */
int sdb_interest_store(const sdb_database *database, const sdb_store *store, sdb_error *error);

#endif
