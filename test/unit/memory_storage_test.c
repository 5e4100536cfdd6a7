/* test/unit/memory_storage_test.c: the memory storage against the conformance suite. */
#include "storage_conformance.h"

int main(void) {
  return storage_conformance_run(&MEMORY_KIND);
}
