/* test/unit/sqlite_conformance_test.c: the SQLite storage against the conformance suite. */
#include "sqlite_kind.h"

int main(void) {
  return storage_conformance_run(&SQLITE_KIND);
}
