/* store/stores_file.c: reads the stores of a stores file.
 *
 *   {"stores":[{"name":"chat_message","type":"event","schema":{...},"rules":{...}}]}
 *
 * `rules` may be left out, nothing else. Names that are not known are refused, so that a misspelt
 * "rule" is not a store without rules. An error's path leads into the file.
 */
#include "base/error.h"
#include "store/store_private.h"

#define FILE_SIZE_MAX ((size_t)1 << 24)

typedef struct stores_reader {
  const sdb_mem *mem;
  const sdb_pattern_port *patterns;
  sdb_json json;
  sdb_store **stores;
  size_t count;
  sdb_error *error;
} stores_reader;

static sdb_status refuse(
    stores_reader *reader, uint32_t at, const char *message, const char *more) {
  sdb_error_set(reader->error, SDB_BAD_DEFINITION, message, more, NULL);
  if (!reader->error) return SDB_BAD_DEFINITION;
  reader->error->offset = sdb_json_at(&reader->json, at)->start;
  (void)sdb_schema_path(&reader->json, 0, at, reader->error->path);
  return SDB_BAD_DEFINITION;
}

static uint32_t member(stores_reader *reader, uint32_t object, const char *name) {
  return sdb_json_member(&reader->json, object, sdb_slice_of(name));
}

/* Refuses a member of the object that is not one of `names`, which ends with NULL. */
static sdb_status check_members(stores_reader *reader, uint32_t object, const char *const *names) {
  const sdb_json *json = &reader->json;
  uint32_t end = sdb_json_at(json, object)->next;
  for (uint32_t key = object + 1; key < end; key = sdb_json_at(json, key + 1)->next) {
    const char *const *name = names;
    while (*name && !sdb_json_string_is(json, key, sdb_slice_of(*name)))
      name++;
    if (!*name) return refuse(reader, key, "a stores file has no such name here", NULL);
  }
  return SDB_OK;
}

static sdb_status read_type(stores_reader *reader, uint32_t at, sdb_store_type *type) {
  const sdb_json *json = &reader->json;
  if (sdb_json_at(json, at)->type == SDB_JSON_STRING) {
    *type = SDB_STORE_EVENT;
    if (sdb_json_string_is(json, at, sdb_slice_of("event"))) return SDB_OK;
    *type = SDB_STORE_SINGULAR;
    if (sdb_json_string_is(json, at, sdb_slice_of("singular"))) return SDB_OK;
  }
  return refuse(reader, at, "a store's type is \"event\" or \"singular\"", NULL);
}

/* The value of a member that must be there. */
static sdb_status need(stores_reader *reader, uint32_t object, const char *name, uint32_t *at) {
  *at = member(reader, object, name);
  return *at ? SDB_OK : refuse(reader, object, "a store needs its ", name);
}

/* Puts the path of `at` before the path of an error inside it. */
static sdb_status lead_in(stores_reader *reader, uint32_t at, sdb_status status) {
  sdb_error *error = reader->error;
  if (!error || status != SDB_BAD_DEFINITION) return status;
  char inner[SDB_ERROR_PATH_SIZE];
  memcpy(inner, error->path, sizeof(inner));
  error->offset += sdb_json_at(&reader->json, at)->start;
  (void)sdb_schema_path(&reader->json, 0, at, error->path);
  sdb_text_append(error->path, sizeof(error->path), sdb_slice_of(inner));
  return status;
}

static sdb_status read_store(stores_reader *reader, uint32_t object) {
  static const char *const NAMES[] = {"name", "type", "schema", "rules", NULL};
  const sdb_json *json = &reader->json;
  uint32_t at[4] = {0};
  if (sdb_json_at(json, object)->type != SDB_JSON_OBJECT)
    return refuse(reader, object, "a store is an object", NULL);
  sdb_status status = check_members(reader, object, NAMES);
  for (int i = 0; i < 3 && status == SDB_OK; i++)
    status = need(reader, object, NAMES[i], &at[i]);
  if (status != SDB_OK) return status;
  if (sdb_json_at(json, at[0])->type != SDB_JSON_STRING)
    return refuse(reader, at[0], "a store's name is a string", NULL);
  at[3] = member(reader, object, NAMES[3]);
  sdb_store_parts parts = {.name = sdb_json_text(json, at[0]), .schema = sdb_json_raw(json, at[2])};
  if (at[3]) parts.rules = sdb_json_raw(json, at[3]);
  status = read_type(reader, at[1], &parts.type);
  if (status != SDB_OK) return status;
  sdb_store_part part;
  status = sdb_store_build(
      &parts, reader->mem, reader->patterns, &reader->stores[reader->count], &part, reader->error);
  if (status == SDB_OK) {
    reader->count++;
    return SDB_OK;
  }
  uint32_t wrong = part == SDB_PART_NAME     ? at[0]
                   : part == SDB_PART_SCHEMA ? at[2]
                   : part == SDB_PART_RULES  ? at[3]
                                             : object;
  return lead_in(reader, wrong, status);
}

static sdb_status read_list(stores_reader *reader, uint32_t list) {
  const sdb_json *json = &reader->json;
  const sdb_json_token *token = sdb_json_at(json, list);
  if (token->type != SDB_JSON_ARRAY || token->count == 0)
    return refuse(reader, list, "stores is a list of one or more stores", NULL);
  if (token->count > SDB_STORES_COUNT_MAX)
    return refuse(reader, list, "more than 256 stores", NULL);
  reader->stores = sdb_mem_zero(reader->mem, token->count * sizeof(*reader->stores));
  if (!reader->stores)
    return sdb_error_set(reader->error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  for (uint32_t item = list + 1; item < token->next; item = sdb_json_at(json, item)->next) {
    sdb_status status = read_store(reader, item);
    if (status != SDB_OK) return status;
    status = sdb_stores_distinct(reader->stores, reader->count, reader->error);
    if (status != SDB_OK) return lead_in(reader, item, status);
  }
  return SDB_OK;
}

static sdb_status read_file(stores_reader *reader) {
  static const char *const NAMES[] = {"stores", "$schema", "$comment", NULL};
  if (sdb_json_at(&reader->json, 0)->type != SDB_JSON_OBJECT)
    return refuse(reader, 0, "a stores file is an object: {\"stores\":[...]}", NULL);
  sdb_status status = check_members(reader, 0, NAMES);
  if (status != SDB_OK) return status;
  uint32_t list = member(reader, 0, "stores");
  if (!list) return refuse(reader, 0, "a stores file is an object: {\"stores\":[...]}", NULL);
  return read_list(reader, list);
}

sdb_status sdb_stores_compile(sdb_slice json, const sdb_mem *mem, const sdb_pattern_port *patterns,
    sdb_store ***stores, size_t *count, sdb_error *error) {
  stores_reader reader = {.mem = mem, .patterns = patterns, .error = error};
  if (json.size > FILE_SIZE_MAX)
    return sdb_error_set(
        error, SDB_BAD_DEFINITION, "a stores file is at most 16 MiB long", NULL, NULL);
  sdb_json_init(&reader.json, mem, FILE_SIZE_MAX);
  sdb_status status = sdb_json_scan(&reader.json, json, SDB_JSON_DEPTH_MAX, error);
  if (status == SDB_LIMIT) status = SDB_BAD_JSON;
  if (status == SDB_OK) status = read_file(&reader);
  sdb_json_free(&reader.json);
  if (status == SDB_OK) {
    *stores = reader.stores;
    *count = reader.count;
    return SDB_OK;
  }
  for (size_t i = 0; i < reader.count; i++)
    sdb_store_destroy(reader.stores[i]);
  sdb_mem_free(mem, reader.stores);
  if (error) error->status = status;
  return status;
}
