/* test/memory_folder.h: a folder where a sync costs nothing, for tests in which no power fails.
 *
 * For cmocka's group: it is there while the tests run, and gone however they end.
 */
#ifndef SDB_TEST_MEMORY_FOLDER_H
#define SDB_TEST_MEMORY_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

static char memory_folder[64]; /* "": the system has no such place */

static inline int make_memory_folder(void **state) {
  (void)state;
  snprintf(memory_folder, sizeof(memory_folder), "/dev/shm/syncdb-client-test-XXXXXX");
  if (!mkdtemp(memory_folder)) memory_folder[0] = 0;
  return 0;
}

static inline int remove_memory_folder(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", memory_folder);
  return memory_folder[0] ? system(command) : 0;
}

#endif
