/* bindings/wasm/stores.c: see stores.h. Stores live as long as the module's instance. */
#include "stores.h"
#include "base/error.h"
#include "host.h"
#include "memory.h"

#define STORES_COUNT_MAX 256

/* ---- patterns: the page's RegExp. Its steps cannot be counted. ---- */

static sdb_status compile_pattern(
    void *context, sdb_slice pattern, void **compiled, sdb_error *error) {
  (void)context;
  uint32_t number = sdb_host_pattern_compile(pattern.data, pattern.size);
  if (!number)
    return sdb_error_set(
        error, SDB_BAD_DEFINITION, "the pattern is not a regular expression", NULL, NULL);
  *compiled = (void *)number;
  return SDB_OK;
}

static int match_pattern(void *context, const void *compiled, sdb_slice text, uint64_t *steps) {
  (void)context;
  (void)steps;
  return (int)sdb_host_pattern_match((uint32_t)compiled, text.data, text.size);
}

static void release_pattern(void *context, void *compiled) {
  (void)context;
  sdb_host_pattern_release((uint32_t)compiled);
}

static const sdb_pattern_port PATTERNS = {1, NULL, compile_pattern, match_pattern, release_pattern};

/* ---- rules in JavaScript ---- */

/* A store's number, and the C function that is asked first, if any. */
typedef struct checks {
  uint32_t store;
  sdb_validate_update_fn validate_update;
  void *context;
} checks;

static sdb_status check(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  const checks *of = context;
  if (of->validate_update) {
    sdb_status status = of->validate_update(of->context, action, object, error);
    if (status != SDB_OK) return status;
  }
  sdb_slice text = object->json ? sdb_object_text(object) : (sdb_slice){NULL, 0};
  memset(error, 0, sizeof(*error));
  bool allowed = sdb_host_validate(
      of->store, (uint32_t)action, text.data, text.size, error->message, error->path);
  return allowed ? SDB_OK : SDB_REJECTED;
}

/* Has JavaScript asked too. False: no memory. */
static bool add_check(uint32_t number, sdb_validate_update_fn *validate_update, void **context) {
  checks *of = sdb_mem_alloc(sdb_wasm_mem(), sizeof(*of));
  if (!of) return false;
  *of = (checks){number, *validate_update, *context};
  *validate_update = check;
  *context = of;
  return true;
}

/* ---- making ---- */

static sdb_status no_memory(sdb_error *error) {
  return sdb_error_set(error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
}

static sdb_status make_own(sdb_wasm_reader *reader, uint32_t at, uint32_t number, sdb_slice name,
    sdb_store **store, sdb_error *error) {
  const sdb_store_definition *own = sdb_wasm_own_store(name);
  if (!own)
    return sdb_error_set(
        error, SDB_BAD_DEFINITION, "the module has no store of this name", NULL, NULL);
  sdb_store_definition definition = *own;
  if (sdb_read_flag(reader, at, "check") &&
      !add_check(number, &definition.validate_update, &definition.context))
    return no_memory(error);
  return sdb_wasm_make_own(&definition, &PATTERNS, store, error);
}

static sdb_status make(
    sdb_wasm_reader *reader, uint32_t at, uint32_t number, sdb_store **store, sdb_error *error) {
  static const char *const TYPES[] = {"event", "singular"};
  sdb_slice name = sdb_read_text(reader, at, "name");
  uint32_t schema = sdb_read_member(reader, at, "schema");
  uint32_t rules = sdb_read_member(reader, at, "rules");
  if (!schema) return make_own(reader, at, number, name, store, error);
  sdb_store_parts parts = {.name = name,
      .schema = sdb_json_raw(&reader->json, schema),
      .type = (sdb_store_type)(SDB_STORE_EVENT + sdb_read_name(reader, at, "type", TYPES, 2))};
  if (rules) parts.rules = sdb_json_raw(&reader->json, rules);
  if (sdb_read_flag(reader, at, "check") &&
      !add_check(number, &parts.validate_update, &parts.context))
    return no_memory(error);
  sdb_store_part part;
  return sdb_store_build(&parts, sdb_wasm_mem(), &PATTERNS, store, &part, error);
}

/* Puts the store's name in front of what is wrong with it. */
static void name_fault(sdb_wasm_reader *reader, uint32_t at, sdb_error *error) {
  char message[SDB_ERROR_MESSAGE_SIZE];
  sdb_text_copy(message, sizeof(message), sdb_slice_of(error->message));
  sdb_text_copy(error->message, sizeof(error->message), sdb_read_text(reader, at, "name"));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(": "));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(message));
}

sdb_status sdb_wasm_make_stores(
    sdb_wasm_reader *reader, uint32_t at, sdb_store ***stores, size_t *count, sdb_error *error) {
  if (!at || !sdb_read_is_array(reader, at, "stores"))
    return sdb_error_set(error, SDB_BAD_DEFINITION, "stores is a list", NULL, NULL);
  *count = sdb_json_at(&reader->json, at)->count;
  if (*count == 0 || *count > STORES_COUNT_MAX)
    return sdb_error_set(error, SDB_BAD_DEFINITION, "there are 1 to 256 stores", NULL, NULL);
  *stores = sdb_mem_zero(sdb_wasm_mem(), *count * sizeof(sdb_store *));
  if (!*stores) return no_memory(error);
  uint32_t item = at + 1;
  for (uint32_t i = 0; i < *count; i++, item = sdb_json_at(&reader->json, item)->next) {
    sdb_status status = make(reader, item, i, &(*stores)[i], error);
    if (status == SDB_OK) continue;
    name_fault(reader, item, error);
    return status;
  }
  return sdb_stores_distinct(*stores, *count, error);
}
