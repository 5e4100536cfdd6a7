/* store/schema_set.c: what a store's schemas own together: an arena of nodes, the texts they were
 * compiled from (scanned, because `enum` and `const` are compared by their tokens), and patterns.
 */
#include "base/error.h"
#include "store/schema.h"

#define FEW_PROPERTIES 8 /* up to so many are compared one by one */

void sdb_schema_set_init(
    sdb_schema_set *set, const sdb_mem *mem, const sdb_pattern_port *patterns) {
  memset(set, 0, sizeof(*set));
  set->mem = mem;
  set->patterns = patterns;
  sdb_arena_init(&set->arena, mem, SDB_SCHEMA_MEMORY_MAX);
}

void sdb_schema_set_free(sdb_schema_set *set) {
  for (sdb_schema_pattern *pattern = set->compiled; pattern; pattern = pattern->next)
    set->patterns->release(set->patterns->context, pattern->compiled);
  for (sdb_schema_source *source = set->sources; source; source = source->next)
    sdb_json_free(&source->json);
  set->compiled = NULL;
  set->sources = NULL;
  sdb_arena_free(&set->arena);
}

static sdb_status not_json(const char *what, sdb_status status, sdb_error *error) {
  if (status == SDB_NO_MEMORY || !error)
    return status == SDB_NO_MEMORY ? status : SDB_BAD_DEFINITION;
  sdb_error scan = *error;
  const char *is = status == SDB_LIMIT ? " is too large: " : " is not JSON: ";
  sdb_error_set(error, SDB_BAD_DEFINITION, what, is, scan.message);
  error->offset = scan.offset;
  return SDB_BAD_DEFINITION;
}

sdb_status sdb_schema_source_add(sdb_schema_set *set, sdb_slice text, const char *what,
    const sdb_json **source, sdb_error *error) {
  if (text.size > SDB_SCHEMA_SIZE_MAX)
    return sdb_error_set(error, SDB_BAD_DEFINITION, what, " is longer than 1 MiB", NULL);
  sdb_schema_source *added = sdb_arena_zero(&set->arena, sizeof(*added));
  char *copy = sdb_arena_text(&set->arena, text);
  if (!added || !copy)
    return sdb_error_set(error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  sdb_json_init(&added->json, set->mem, SDB_SCHEMA_TOKENS_MAX);
  added->next = set->sources;
  set->sources = added;
  sdb_status status =
      sdb_json_scan(&added->json, sdb_slice_make(copy, text.size), SDB_JSON_DEPTH_MAX, error);
  if (status != SDB_OK) return not_json(what, status, error);
  *source = &added->json;
  return SDB_OK;
}

uint32_t sdb_schema_name_hash(sdb_slice name) {
  uint32_t hash = (uint32_t)name.size;
  for (size_t i = 0; i < name.size; i++)
    hash = (hash ^ (unsigned char)name.data[i]) * 16777619U;
  return hash ^ hash >> 15;
}

bool sdb_schema_index(sdb_schema_set *set, sdb_schema_object *object) {
  SDB_ASSERT(object->count <= SDB_SCHEMA_PROPERTIES_MAX);
  if (object->count <= FEW_PROPERTIES) return true;
  uint32_t size = 32;
  while (size < 2 * object->count)
    size *= 2;
  uint16_t *slots = sdb_arena_zero(&set->arena, size * sizeof(*slots));
  if (!slots) return false;
  for (uint32_t i = 0; i < object->count; i++) {
    uint32_t slot = sdb_schema_name_hash(object->properties[i].name) & (size - 1);
    while (slots[slot])
      slot = (slot + 1) & (size - 1);
    slots[slot] = (uint16_t)(i + 1);
  }
  object->slots = slots;
  object->slots_mask = size - 1;
  return true;
}
