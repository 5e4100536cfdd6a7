/* cli/held_back.h: changes that wait to be shown in the order in which they happened.
 *
 * A device that catches up is sent the newest first. Whoever follows it wants the oldest first, so
 * what comes meanwhile is held back and sorted.
 */
#ifndef SDB_CLI_HELD_BACK_H
#define SDB_CLI_HELD_BACK_H

#include <stdbool.h>
#include <syncdb/client.h>

typedef struct sdb_cli_held_change {
  const sdb_store *store;
  sdb_client_change change; /* its object and error in memory of its own */
  sdb_uuid time;            /* to sort by */
  size_t number;            /* in which order they came */
  char *object;
  sdb_error *error;
} sdb_cli_held_change;

/* Zero is the empty one. */
typedef struct sdb_cli_held_back {
  sdb_cli_held_change *list;
  size_t count, capacity;
  size_t bytes; /* of memory, about */
} sdb_cli_held_back;

/* Copies a change. False: out of memory. */
bool sdb_cli_held_back_add(
    sdb_cli_held_back *held, const sdb_store *store, const sdb_client_change *change);

/* Sorts by event ids, but never turns two changes of one object around. */
void sdb_cli_held_back_sort(sdb_cli_held_back *held);

/* Frees the changes; the empty one again. */
void sdb_cli_held_back_clear(sdb_cli_held_back *held);

#endif
