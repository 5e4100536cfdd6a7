/* store/store.c: stores: their names, their making, and the check of one object from end to end.
 *
 * A store is read-only once it is made, so any thread may use it; all that it owns goes with it.
 */
#include "base/error.h"
#include "store/store_private.h"

/* ---- names ---- */

static bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
static bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static const char *name_fault(sdb_slice name) {
  if (name.size == 0) return "a store needs a name";
  if (name.size > SDB_STORE_NAME_SIZE_MAX) return "a store's name is at most 64 bytes long";
  if (!is_upper(name.data[0]) && !is_lower(name.data[0]))
    return "a store's name begins with a letter";
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    if (!is_upper(c) && !is_lower(c) && !is_digit(c) && c != '_')
      return "a store's name has letters (A-Z), digits and _ only";
  }
  return NULL;
}

/* lowerCamelCase: the first letter small, a letter behind an underscore large, no underscore. */
static void set_wire_name(sdb_store *store) {
  bool raise = false;
  for (size_t i = 0; i < store->name_size; i++) {
    char c = store->name[i];
    if (c == '_') {
      raise = true;
      continue;
    }
    if (i == 0 && is_upper(c)) c = (char)(c - 'A' + 'a');
    if (raise && is_lower(c)) c = (char)(c - 'a' + 'A');
    raise = false;
    store->wire_name[store->wire_name_size++] = c;
  }
}

const char *sdb_store_name(const sdb_store *store) {
  return store->name;
}
const char *sdb_store_wire_name(const sdb_store *store) {
  return store->wire_name;
}
sdb_store_type sdb_store_type_of(const sdb_store *store) {
  return store->type;
}

static bool has_wire_name(const sdb_store *store, sdb_slice name) {
  return sdb_slice_equal(sdb_slice_make(store->wire_name, store->wire_name_size), name);
}

int sdb_stores_find_wire(sdb_store *const *stores, size_t count, sdb_slice wire_name) {
  for (size_t i = 0; i < count; i++) {
    if (has_wire_name(stores[i], wire_name)) return (int)i;
  }
  return -1;
}

int sdb_stores_find(sdb_store *const *stores, size_t count, sdb_slice name) {
  for (size_t i = 0; i < count; i++) {
    if (sdb_slice_equal(sdb_slice_make(stores[i]->name, stores[i]->name_size), name)) return (int)i;
  }
  return sdb_stores_find_wire(stores, count, name);
}

sdb_status sdb_stores_distinct(sdb_store *const *stores, size_t count, sdb_error *error) {
  for (size_t i = 1; i < count; i++) {
    sdb_slice wire_name = sdb_slice_make(stores[i]->wire_name, stores[i]->wire_name_size);
    int other = sdb_stores_find_wire(stores, i, wire_name);
    if (other < 0) continue;
    char pair[2 * SDB_STORE_NAME_SIZE_MAX + 8];
    sdb_text_copy(pair, sizeof(pair), sdb_slice_of(stores[other]->name));
    sdb_text_append(pair, sizeof(pair), sdb_slice_of(" and "));
    sdb_text_append(pair, sizeof(pair), sdb_slice_of(stores[i]->name));
    return sdb_error_set(
        error, SDB_BAD_DEFINITION, "two stores have one name on the wire: ", pair, NULL);
  }
  return SDB_OK;
}

/* ---- making ---- */

static sdb_status set_schema(sdb_store *store, const sdb_store_parts *parts, sdb_error *error) {
  if (parts->fields) {
    if (parts->schema.data)
      return sdb_error_set(
          error, SDB_BAD_DEFINITION, "a store has fields or a schema, not both", NULL, NULL);
    return parts->compile_fields(&store->set, parts->fields, &store->schema, error);
  }
  if (!parts->schema.data)
    return sdb_error_set(error, SDB_BAD_DEFINITION, "a store needs fields or a schema", NULL, NULL);
  const sdb_json *source;
  sdb_status status =
      sdb_schema_source_add(&store->set, parts->schema, "the schema", &source, error);
  if (status != SDB_OK) return status;
  return sdb_schema_compile(&store->set, source, 0, true, &store->schema, error);
}

static sdb_status set_parts(
    sdb_store *store, const sdb_store_parts *parts, sdb_store_part *part, sdb_error *error) {
  *part = SDB_PART_NAME;
  const char *fault = name_fault(parts->name);
  if (fault) return sdb_error_set(error, SDB_BAD_DEFINITION, fault, NULL, NULL);
  memcpy(store->name, parts->name.data, parts->name.size);
  store->name_size = parts->name.size;
  set_wire_name(store);
  *part = SDB_PART_NONE;
  if (parts->type != SDB_STORE_EVENT && parts->type != SDB_STORE_SINGULAR)
    return sdb_error_set(
        error, SDB_BAD_DEFINITION, "a store's type is event or singular", NULL, NULL);
  store->type = parts->type;
  store->validate_update = parts->validate_update;
  store->context = parts->context;
  *part = SDB_PART_SCHEMA;
  sdb_status status = set_schema(store, parts, error);
  if (status != SDB_OK || !parts->rules.data) return status;
  *part = SDB_PART_RULES;
  return sdb_rules_compile(store, parts->rules, error);
}

sdb_status sdb_store_build(const sdb_store_parts *parts, const sdb_mem *mem,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_store_part *part, sdb_error *error) {
  SDB_ASSERT(patterns->version == 1);
  *part = SDB_PART_NONE;
  sdb_store *made = sdb_mem_zero(mem, sizeof(*made));
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  made->mem = mem;
  sdb_schema_set_init(&made->set, mem, patterns);
  sdb_status status = set_parts(made, parts, part, error);
  if (status != SDB_OK) {
    sdb_store_destroy(made);
    return status;
  }
  *store = made;
  return SDB_OK;
}

sdb_status sdb_store_compile(const sdb_store_definition *definition, const sdb_mem *mem,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_error *error) {
  if (definition->size != sizeof(*definition))
    return sdb_error_set(error, SDB_BAD_DEFINITION,
        "the definition's size is not this library's: start from SDB_STORE_DEFINITION_INIT", NULL,
        NULL);
  sdb_store_parts parts = {.name = sdb_slice_of(definition->name),
      .schema = sdb_slice_of(definition->schema),
      .rules = sdb_slice_of(definition->rules),
      .type = definition->type,
      .fields = definition->fields,
      .compile_fields = sdb_fields_compile,
      .validate_update = definition->validate_update,
      .context = definition->context};
  sdb_store_part part;
  return sdb_store_build(&parts, mem, patterns, store, &part, error);
}

void sdb_store_destroy(sdb_store *store) {
  if (!store) return;
  sdb_schema_set_free(&store->set);
  sdb_mem_free(store->mem, store);
}

/* ---- checking ---- */

/* Whether a key begins with `$`, which may be written as an escape. */
static bool is_protocol_name(sdb_slice key) {
  static const char ESCAPE[] = "\\u0024";
  if (key.size == 0) return false;
  if (key.data[0] == '$') return true;
  return key.size >= sizeof(ESCAPE) - 1 && memcmp(key.data, ESCAPE, sizeof(ESCAPE) - 1) == 0;
}

/* Refuses every top-level key that begins with `$`, but `$createdAt`. */
static sdb_status check_names(const sdb_json *json, uint32_t at, sdb_error *error) {
  const sdb_json_token *tokens = json->tokens;
  for (uint32_t key = at + 1; key < tokens[at].next; key = tokens[key + 1].next) {
    if (SDB_LIKELY(!is_protocol_name(sdb_json_text(json, key)))) continue;
    if (sdb_json_string_is(json, key, sdb_slice_of("$createdAt"))) continue;
    sdb_error_set(
        error, SDB_INVALID_OBJECT, "names that begin with $ are the protocol's", NULL, NULL);
    if (error) (void)sdb_schema_path(json, at, key, error->path);
    return SDB_INVALID_OBJECT;
  }
  return SDB_OK;
}

sdb_status sdb_store_check_schema(
    const sdb_store *store, const sdb_json *json, uint32_t at, sdb_error *error) {
  if (sdb_json_at(json, at)->type != SDB_JSON_OBJECT)
    return sdb_error_set(
        error, SDB_INVALID_OBJECT, "an object of a store is a JSON object", NULL, NULL);
  sdb_status status = check_names(json, at, error);
  if (status != SDB_OK) return status;
  sdb_schema_failure failure;
  if (SDB_LIKELY(sdb_schema_check(&store->set, store->schema, json, at, &failure))) return SDB_OK;
  return sdb_schema_report(&failure, json, at, SDB_INVALID_OBJECT, NULL, error);
}

static sdb_status check_created_at(const sdb_json *json, sdb_error *error) {
  uint32_t at = sdb_json_member(json, 0, sdb_slice_of("$createdAt"));
  int64_t value;
  if (!at || (sdb_json_at(json, at)->type == SDB_JSON_NUMBER && sdb_json_int64(json, at, &value) &&
                 value >= 0))
    return SDB_OK;
  sdb_error_set(error, SDB_INVALID_OBJECT,
      "/$createdAt must be milliseconds since the epoch, a whole number", NULL, NULL);
  if (error) sdb_schema_path_append(error->path, sdb_slice_of("$createdAt"));
  return SDB_INVALID_OBJECT;
}

static sdb_status check_scanned(
    const sdb_store *store, sdb_action action, const sdb_json *json, sdb_error *error) {
  if (action != SDB_ACTION_DELETE) {
    sdb_status status = sdb_store_check_schema(store, json, 0, error);
    if (status == SDB_OK) status = check_created_at(json, error);
    if (status != SDB_OK) return status;
  } else if (sdb_json_at(json, 0)->type != SDB_JSON_OBJECT) {
    return sdb_error_set(
        error, SDB_INVALID_OBJECT, "an object of a store is a JSON object", NULL, NULL);
  }
  return sdb_store_check_rules(store, action, json, 0, error);
}

sdb_status sdb_store_check(
    const sdb_store *store, sdb_action action, sdb_slice object, sdb_error *error) {
  if (action < SDB_ACTION_CREATE || action > SDB_ACTION_DELETE)
    return sdb_error_set(error, SDB_INVALID_ARGUMENT, "no such action", NULL, NULL);
  bool needed = action != SDB_ACTION_DELETE || sdb_store_rule_needs_object(store, action);
  if (!needed && object.size == 0) return sdb_store_check_rules(store, action, NULL, 0, error);
  if (object.size > SDB_OBJECT_BYTES_MAX)
    return sdb_error_set(error, SDB_TOO_LARGE, "the object is larger than 256 KiB", NULL, NULL);
  sdb_json json;
  sdb_json_init(&json, store->mem, SDB_OBJECT_BYTES_MAX);
  sdb_status status = sdb_json_scan(&json, object, SDB_OBJECT_DEPTH_MAX, error);
  if (status == SDB_LIMIT) {
    status = SDB_TOO_LARGE;
    if (error) error->status = status;
  }
  if (status == SDB_OK) status = check_scanned(store, action, &json, error);
  sdb_json_free(&json);
  return status;
}
