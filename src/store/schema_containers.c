/* store/schema_containers.c: compiles the keywords of objects and arrays. */
#include "store/schema_compiler.h"

/* ---- what both need ---- */

bool sdb_schema_compile_count(
    sdb_schema_compiler *compiler, uint32_t at, const char *name, uint32_t *value) {
  uint32_t found = sdb_schema_keyword(compiler, at, name);
  if (!found) return true;
  uint64_t count;
  if (sdb_json_at(compiler->source, found)->type != SDB_JSON_NUMBER ||
      !sdb_json_uint64(compiler->source, found, &count))
    return sdb_schema_refuse(compiler, found, name, (sdb_slice){0}, " is a whole number from 0 on");
  *value = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
  return true;
}

bool sdb_schema_compile_list(
    sdb_schema_compiler *compiler, uint32_t at, const char *name, sdb_schema_list *list) {
  uint32_t found = sdb_schema_keyword(compiler, at, name);
  if (!found) return true;
  const sdb_json_token *token = sdb_json_at(compiler->source, found);
  if (token->type != SDB_JSON_ARRAY || token->count == 0)
    return sdb_schema_refuse(
        compiler, found, name, (sdb_slice){0}, " is a list of one or more schemas");
  const sdb_schema **schemas = sdb_schema_alloc(compiler, token->count * sizeof(*schemas));
  if (!schemas) return false;
  uint32_t count = 0;
  for (uint32_t item = found + 1; item < token->next;
       item = sdb_json_at(compiler->source, item)->next) {
    if (!(schemas[count++] = sdb_schema_child(compiler, item))) return false;
  }
  *list = (sdb_schema_list){schemas, count};
  return true;
}

/* The schema of an optional keyword. What lets everything in stays NULL, which costs no check. */
static bool compile_optional(
    sdb_schema_compiler *compiler, uint32_t at, const char *name, const sdb_schema **schema) {
  uint32_t found = sdb_schema_keyword(compiler, at, name);
  if (!found) return true;
  const sdb_schema *child = sdb_schema_child(compiler, found);
  if (!child) return false;
  const sdb_json_token *token = sdb_json_at(compiler->source, found);
  bool everything =
      token->type == SDB_JSON_TRUE || (token->type == SDB_JSON_OBJECT && token->count == 0);
  if (!everything) *schema = child;
  return true;
}

/* ---- objects ---- */

static bool compile_properties(
    sdb_schema_compiler *compiler, uint32_t at, sdb_schema_property *properties, uint32_t *count) {
  const sdb_json *source = compiler->source;
  uint32_t end = sdb_json_at(source, at)->next;
  for (uint32_t key = at + 1; key < end; key = sdb_json_at(source, key + 1)->next) {
    sdb_schema_property *property = &properties[(*count)++];
    property->name = sdb_schema_text(compiler, key);
    if (!property->name.data) return false;
    property->schema = sdb_schema_child(compiler, key + 1);
    if (!property->schema) return false;
  }
  return true;
}

static bool add_required(
    sdb_schema_compiler *compiler, uint32_t at, sdb_schema_property *properties, uint32_t *count) {
  if (sdb_json_at(compiler->source, at)->type != SDB_JSON_STRING)
    return sdb_schema_refuse(compiler, at, "required is a list of names", (sdb_slice){0}, NULL);
  uint32_t i = 0;
  while (i < *count && !sdb_json_string_is(compiler->source, at, properties[i].name))
    i++;
  if (i == *count) {
    properties[i].name = sdb_schema_text(compiler, at);
    if (!properties[i].name.data) return false;
    (*count)++;
  }
  if (properties[i].required)
    return sdb_schema_refuse(compiler, at, "required names this twice: ", properties[i].name, NULL);
  properties[i].required = true;
  return true;
}

static bool compile_required(
    sdb_schema_compiler *compiler, uint32_t at, sdb_schema_property *properties, uint32_t *count) {
  const sdb_json_token *token = sdb_json_at(compiler->source, at);
  for (uint32_t item = at + 1; item < token->next;
       item = sdb_json_at(compiler->source, item)->next) {
    if (!add_required(compiler, item, properties, count)) return false;
  }
  return true;
}

/* Fills the properties of the object part from `properties` and `required`. */
static bool compile_names(sdb_schema_compiler *compiler, uint32_t at, sdb_schema_object *object) {
  const sdb_json *source = compiler->source;
  uint32_t names = sdb_schema_keyword(compiler, at, "properties");
  uint32_t required = sdb_schema_keyword(compiler, at, "required");
  if (names && sdb_json_at(source, names)->type != SDB_JSON_OBJECT)
    return sdb_schema_refuse(
        compiler, names, "properties is an object of schemas", (sdb_slice){0}, NULL);
  if (required && sdb_json_at(source, required)->type != SDB_JSON_ARRAY)
    return sdb_schema_refuse(
        compiler, required, "required is a list of names", (sdb_slice){0}, NULL);
  uint32_t room = names ? sdb_json_at(source, names)->count : 0;
  if (required) room += sdb_json_at(source, required)->count;
  if (room > SDB_SCHEMA_PROPERTIES_MAX)
    return sdb_schema_refuse(compiler, at, "more than 4096 properties", (sdb_slice){0}, NULL);
  if (room == 0) return true;
  sdb_schema_property *properties = sdb_schema_alloc(compiler, room * sizeof(*properties));
  if (!properties) return false;
  if (names && !compile_properties(compiler, names, properties, &object->count)) return false;
  if (required && !compile_required(compiler, required, properties, &object->count)) return false;
  if (required) object->required_count = sdb_json_at(source, required)->count;
  object->properties = properties;
  return true;
}

bool sdb_schema_compile_object(sdb_schema_compiler *compiler, sdb_schema *schema) {
  sdb_schema_object object = {.count_max = UINT32_MAX};
  uint32_t at = schema->token;
  if (!compile_names(compiler, at, &object) ||
      !sdb_schema_compile_count(compiler, at, "minProperties", &object.count_min) ||
      !sdb_schema_compile_count(compiler, at, "maxProperties", &object.count_max) ||
      !compile_optional(compiler, at, "additionalProperties", &object.additional) ||
      !compile_optional(compiler, at, "propertyNames", &object.names))
    return false;
  bool says_something = object.count || object.count_min || object.count_max != UINT32_MAX ||
                        object.additional || object.names;
  if (!says_something) return true;
  sdb_schema_object *part = sdb_schema_alloc(compiler, sizeof(*part));
  if (!part) return false;
  *part = object;
  if (!sdb_schema_index(compiler->set, part)) return sdb_schema_no_memory(compiler);
  schema->object = part;
  return true;
}

/* ---- arrays ---- */

static bool compile_unique(sdb_schema_compiler *compiler, uint32_t at, bool *unique) {
  uint32_t found = sdb_schema_keyword(compiler, at, "uniqueItems");
  if (!found) return true;
  uint32_t type = sdb_json_at(compiler->source, found)->type;
  if (type != SDB_JSON_TRUE && type != SDB_JSON_FALSE)
    return sdb_schema_refuse(compiler, found, "uniqueItems is true or false", (sdb_slice){0}, NULL);
  *unique = type == SDB_JSON_TRUE;
  return true;
}

bool sdb_schema_compile_array(sdb_schema_compiler *compiler, sdb_schema *schema) {
  sdb_schema_array array = {.count_max = UINT32_MAX};
  sdb_schema_list prefix = {NULL, 0};
  uint32_t at = schema->token;
  uint32_t items = sdb_schema_keyword(compiler, at, "items");
  if (items && sdb_json_at(compiler->source, items)->type == SDB_JSON_ARRAY)
    return sdb_schema_refuse(compiler, items,
        "items is one schema; a list of schemas is prefixItems", (sdb_slice){0}, NULL);
  if (!sdb_schema_compile_list(compiler, at, "prefixItems", &prefix) ||
      !sdb_schema_compile_count(compiler, at, "minItems", &array.count_min) ||
      !sdb_schema_compile_count(compiler, at, "maxItems", &array.count_max) ||
      !compile_unique(compiler, at, &array.unique) ||
      !compile_optional(compiler, at, "items", &array.items))
    return false;
  array.prefix = prefix.schemas;
  array.prefix_count = prefix.count;
  bool says_something = array.prefix_count || array.count_min || array.count_max != UINT32_MAX ||
                        array.unique || array.items;
  if (!says_something) return true;
  sdb_schema_array *part = sdb_schema_alloc(compiler, sizeof(*part));
  if (!part) return false;
  *part = array;
  schema->array = part;
  return true;
}
