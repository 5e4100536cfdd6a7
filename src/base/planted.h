/* base/planted.h: faults that the simulator has to find, planted in the library itself.
 *
 * SDB_PLANTED(NAME) is false in every build but the one made with SYNCDB_PLANTED_FAULTS
 * (cmake -DSYNCDB_PLANTED_FAULTS=ON), which the compiler sees: nothing of a fault is in the
 * library that is shipped. There, `sdb_planted` chooses one at run time. docs/reliability.md.
 */
#ifndef SDB_BASE_PLANTED_H
#define SDB_BASE_PLANTED_H

#include <stdbool.h>

/* Name, and what the fault does. */
#define SDB_PLANTED_FAULTS(X)                                                                      \
  X(ACKNOWLEDGE_UNSTORED, "a push is acknowledged although its commit failed")                     \
  X(DROP_DEDUPE, "a client id that was stored before is stored again")

typedef enum sdb_planted_fault {
  SDB_PLANTED_NONE,
#define SDB_PLANTED_NAME(name, text) SDB_PLANTED_##name,
  SDB_PLANTED_FAULTS(SDB_PLANTED_NAME)
#undef SDB_PLANTED_NAME
} sdb_planted_fault;

#ifdef SYNCDB_PLANTED_FAULTS
extern sdb_planted_fault sdb_planted;
#define SDB_PLANTED(name) (sdb_planted == SDB_PLANTED_##name)
#else
#define SDB_PLANTED(name) false
#endif

#endif
