/* cli/stores_file.c: see stores_file.h. */
#include "stores_file.h"
#include "text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STORES_BYTES_MAX (32 * 1024 * 1024)

bool sdb_cli_stores_load(const char *command, const char *path, sdb_cli_stores *stores) {
  size_t size;
  char *text = sdb_cli_read_file(path, STORES_BYTES_MAX, &size);
  if (!text) {
    fprintf(stderr, "syncdb %s: cannot read %s: %s\n", command, path, strerror(errno));
    return false;
  }
  sdb_error error;
  sdb_status status =
      sdb_stores_from_json(sdb_slice_make(text, size), &stores->list, &stores->count, &error);
  free(text);
  if (status == SDB_OK) return true;
  if (status == SDB_BAD_JSON)
    fprintf(stderr, "syncdb %s: %s: byte %zu: %s\n", command, path, error.offset, error.message);
  else
    fprintf(stderr, "syncdb %s: %s: %s%s%s\n", command, path, error.path, error.path[0] ? ": " : "",
        error.message);
  return false;
}

void sdb_cli_stores_free(sdb_cli_stores *stores) {
  for (size_t i = 0; i < stores->count; i++)
    sdb_store_destroy(stores->list[i]);
  free(stores->list);
  *stores = (sdb_cli_stores){NULL, 0};
}

const sdb_store *sdb_cli_stores_find(
    const char *command, const sdb_cli_stores *stores, const char *name) {
  for (size_t i = 0; i < stores->count; i++) {
    if (strcmp(sdb_store_name(stores->list[i]), name) == 0 ||
        strcmp(sdb_store_wire_name(stores->list[i]), name) == 0)
      return stores->list[i];
  }
  fprintf(stderr, "syncdb %s: no store is named %s, but", command, name);
  for (size_t i = 0; i < stores->count; i++)
    fprintf(stderr, "%s %s", i ? "," : "", sdb_store_name(stores->list[i]));
  fprintf(stderr, "\n");
  return NULL;
}
