/* cli/stores_file.c: see stores_file.h. */
#include "stores_file.h"
#include "text.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STORES_BYTES_MAX (32 * 1024 * 1024)

static bool is_shared_object(const char *text, size_t size) {
  return size >= 4 && memcmp(text, "\177ELF", 4) == 0;
}

/* The stores of a shared object, which stays loaded: their rules are functions in it. */
static bool load_library(const char *command, const char *path, sdb_cli_stores *stores) {
  char *whole = realpath(path, NULL); /* a name without a slash would be looked for elsewhere */
  stores->library = whole ? dlopen(whole, RTLD_NOW | RTLD_LOCAL) : NULL;
  free(whole);
  if (!stores->library) {
    fprintf(stderr, "syncdb %s: cannot load %s: %s\n", command, path, dlerror());
    return false;
  }
  stores->definitions = dlsym(stores->library, "syncdb_stores");
  if (!stores->definitions) {
    fprintf(stderr, "syncdb %s: %s: it has no syncdb_stores (syncdb/store.h)\n", command, path);
    return false;
  }
  sdb_error error;
  if (sdb_stores_create(stores->definitions, &stores->list, &stores->count, &error) == SDB_OK)
    return true;
  fprintf(stderr, "syncdb %s: %s: %s%s%s\n", command, path, error.message,
      error.path[0] ? ", at " : "", error.path);
  return false;
}

static bool parse_file(const char *command, const char *path, sdb_cli_stores *stores) {
  sdb_error error;
  sdb_slice text = sdb_slice_make(stores->text, stores->text_size);
  sdb_status status = sdb_stores_from_json(text, &stores->list, &stores->count, &error);
  if (status == SDB_OK) return true;
  if (status == SDB_BAD_JSON)
    fprintf(stderr, "syncdb %s: %s: byte %zu: %s\n", command, path, error.offset, error.message);
  else
    fprintf(stderr, "syncdb %s: %s: %s%s%s\n", command, path, error.path, error.path[0] ? ": " : "",
        error.message);
  return false;
}

bool sdb_cli_stores_load(const char *command, const char *path, sdb_cli_stores *stores) {
  *stores = (sdb_cli_stores){NULL};
  stores->text = sdb_cli_read_file(path, STORES_BYTES_MAX, &stores->text_size);
  if (!stores->text) {
    fprintf(stderr, "syncdb %s: cannot read %s: %s\n", command, path, strerror(errno));
    return false;
  }
  bool loaded = is_shared_object(stores->text, stores->text_size)
                    ? load_library(command, path, stores)
                    : parse_file(command, path, stores);
  if (!loaded) sdb_cli_stores_free(stores);
  return loaded;
}

void sdb_cli_stores_free(sdb_cli_stores *stores) {
  sdb_stores_destroy(stores->list, stores->count);
  if (stores->library) (void)dlclose(stores->library);
  free(stores->text);
  *stores = (sdb_cli_stores){NULL};
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
