/* store/stores_table.c: makes the stores of a table of definitions, as `syncdb_stores` is one.
 *
 * The table ends with a definition without a name. An error names the store that it is in, for its
 * path leads into that store's schema or rules.
 */
#include "base/error.h"
#include "store/store_private.h"

/* The fault of one definition, with its name in front of what is wrong. */
static void name_fault(const char *name, sdb_error *error) {
  char message[SDB_ERROR_MESSAGE_SIZE];
  if (!error || error->status != SDB_BAD_DEFINITION) return;
  sdb_text_copy(message, sizeof(message), sdb_slice_of(error->message));
  sdb_text_copy(error->message, sizeof(error->message), sdb_slice_of(name));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(": "));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(message));
}

static sdb_status make_all(const sdb_store_definition *definitions, size_t count,
    const sdb_mem *mem, const sdb_pattern_port *patterns, sdb_store **stores, sdb_error *error) {
  for (size_t i = 0; i < count; i++) {
    sdb_status status = sdb_store_compile(&definitions[i], mem, patterns, &stores[i], error);
    if (status != SDB_OK) {
      name_fault(definitions[i].name, error);
      return status;
    }
  }
  return sdb_stores_distinct(stores, count, error);
}

sdb_status sdb_stores_compile_table(const sdb_store_definition *definitions, const sdb_mem *mem,
    const sdb_pattern_port *patterns, sdb_store ***stores, size_t *count, sdb_error *error) {
  size_t size = 0;
  while (definitions[size].name) {
    /* Of another size, the next one would be read from the wrong place. */
    if (definitions[size].size != sizeof(*definitions)) break;
    if (++size > SDB_STORES_COUNT_MAX)
      return sdb_error_set(error, SDB_BAD_DEFINITION, "more than 256 stores", NULL, NULL);
  }
  size_t made = size + (definitions[size].name != NULL); /* whose size is refused below */
  if (!made) return sdb_error_set(error, SDB_BAD_DEFINITION, "there are no stores", NULL, NULL);
  sdb_store **list = sdb_mem_zero(mem, made * sizeof(sdb_store *));
  if (!list) return sdb_error_set(error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  sdb_status status = make_all(definitions, made, mem, patterns, list, error);
  if (status == SDB_OK) {
    *stores = list;
    *count = made;
    return SDB_OK;
  }
  for (size_t i = 0; i < made; i++)
    sdb_store_destroy(list[i]);
  sdb_mem_free(mem, list);
  return status;
}
