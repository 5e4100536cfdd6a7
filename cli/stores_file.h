/* cli/stores_file.h: the stores that `--stores FILE` means, for all commands.
 *
 * FILE is a stores file (docs/schema.md), or a shared object compiled from the C file that defines
 * an application's `syncdb_stores` (syncdb/store.h): it is loaded, and its rules run in this
 * process.
 */
#ifndef SDB_CLI_STORES_FILE_H
#define SDB_CLI_STORES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <syncdb/store.h>

typedef struct sdb_cli_stores {
  sdb_store **list;
  size_t count;
  const sdb_store_definition *definitions; /* of a shared object, `count` of them; or NULL */
  void *library;
  char *text; /* the file's bytes */
  size_t text_size;
} sdb_cli_stores;

/* Reads them. False: `command` has said on standard error why not, and where. */
bool sdb_cli_stores_load(const char *command, const char *path, sdb_cli_stores *stores);
void sdb_cli_stores_free(sdb_cli_stores *stores);

/* The store of that name, which may be either of its names. NULL: it was said on standard error
 * that there is none, and which there are. */
const sdb_store *sdb_cli_stores_find(
    const char *command, const sdb_cli_stores *stores, const char *name);

#endif
