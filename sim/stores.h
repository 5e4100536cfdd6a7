/* sim/stores.h: the stores of every world: a store of each kind, with rules and without. */
#ifndef SIM_STORES_H
#define SIM_STORES_H

#include "storage/storage.h"
#include "store/store.h"

enum { SIM_CHAT, SIM_ACCOUNT, SIM_NOTE, SIM_STORES };

#define SIM_SINGULAR(store) ((store) == SIM_ACCOUNT)

/* Compiled once for the process. */
sdb_store *const *sim_stores(void);
/* The same without rules: a device that was tampered with. */
sdb_store *const *sim_stores_without_rules(void);
const sdb_storage_store *sim_storage_stores(void);
const char *sim_store_wire_name(uint16_t store);

#endif
