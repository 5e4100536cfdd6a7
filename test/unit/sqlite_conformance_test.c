/* test/unit/sqlite_conformance_test.c: the SQLite storage against the conformance suite, with its
 * threads and by hand. */
#include "sqlite_kind.h"

int main(void) {
  return storage_conformance_run(&SQLITE_KIND) + storage_conformance_run(&SQLITE_BY_HAND_KIND);
}
