/* bindings/wasm/stores.c: see stores.h. Stores live as long as the module's instance. */
#include "stores.h"
#include "base/error.h"
#include "host.h"
#include "memory.h"

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
  uint32_t said = sdb_host_validate(
      of->store, (uint32_t)action, text.data, text.size, error->message, error->path);
  return said == 1 ? SDB_OK : said ? SDB_INVALID_OBJECT : SDB_REJECTED;
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

static sdb_status make_own(
    sdb_slice name, uint32_t number, bool checked, sdb_store **store, sdb_error *error) {
  const sdb_store_definition *own = sdb_wasm_own_store(name);
  if (!own)
    return sdb_error_set(
        error, SDB_BAD_DEFINITION, "the module has no store of this name", NULL, NULL);
  sdb_store_definition definition = *own;
  if (checked && !add_check(number, &definition.validate_update, &definition.context))
    return no_memory(error);
  return sdb_wasm_make_own(&definition, &PATTERNS, store, error);
}

static sdb_status make(const sdb_store_parts *given, uint32_t number, bool checked,
    sdb_store **store, sdb_error *error) {
  if (given->schema.size == 0) return make_own(given->name, number, checked, store, error);
  sdb_store_parts parts = *given;
  if (checked && !add_check(number, &parts.validate_update, &parts.context))
    return no_memory(error);
  sdb_store_part part;
  return sdb_store_build(&parts, sdb_wasm_mem(), &PATTERNS, store, &part, error);
}

sdb_status sdb_wasm_make_store(const sdb_store_parts *parts, uint32_t number, bool checked,
    sdb_store **store, sdb_error *error) {
  char message[SDB_ERROR_MESSAGE_SIZE];
  sdb_status status = make(parts, number, checked, store, error);
  if (status == SDB_OK) return status;
  sdb_text_copy(message, sizeof(message), sdb_slice_of(error->message));
  sdb_text_copy(error->message, sizeof(error->message), parts->name);
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(": "));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(message));
  return status;
}
