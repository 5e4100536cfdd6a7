/* store/schema_compile.c: from JSON Schema text to nodes: the frame; keywords are compiled in
 * schema_values.c and schema_containers.c, references in schema_references.c.
 *
 * A keyword that is not in KEYWORDS is refused, never ignored: a schema that is not understood in
 * full would let objects in that its author meant to keep out. Keywords about another type than
 * the value's do nothing, as JSON Schema says, so each type has a part of its own in a node.
 *
 * Recursion is as deep as the schema's text, at most SDB_JSON_DEPTH_MAX.
 */
#include "base/error.h"
#include "store/schema_compiler.h"

static const char *const KEYWORDS[] = {"type", "enum", "const", "properties", "required",
    "additionalProperties", "propertyNames", "minProperties", "maxProperties", "items",
    "prefixItems", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern",
    "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "anyOf",
    "oneOf", "allOf", "not", "$ref", "$defs", "definitions",
    /* annotations */
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$schema",
    "$comment", "$anchor"};

static const struct {
  const char *name;
  uint8_t types;
} TYPES[] = {{"null", SDB_SCHEMA_NULL}, {"boolean", SDB_SCHEMA_BOOLEAN},
    {"integer", SDB_SCHEMA_INTEGER}, {"number", SDB_SCHEMA_NUMBER}, {"string", SDB_SCHEMA_STRING},
    {"array", SDB_SCHEMA_ARRAY}, {"object", SDB_SCHEMA_OBJECT}};

/* ---- what the other files use ---- */

bool sdb_schema_refuse(sdb_schema_compiler *compiler, uint32_t at, const char *before,
    sdb_slice named, const char *after) {
  compiler->status = SDB_BAD_DEFINITION;
  sdb_error *error = compiler->error;
  sdb_error_set(error, SDB_BAD_DEFINITION, before, NULL, NULL);
  if (!error) return false;
  char cut[SDB_ERROR_MESSAGE_SIZE / 2];
  sdb_text_copy(cut, sizeof(cut), named);
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(cut));
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(after));
  error->offset = sdb_json_at(compiler->source, at)->start;
  (void)sdb_schema_path(compiler->source, 0, at, error->path);
  return false;
}

bool sdb_schema_no_memory(sdb_schema_compiler *compiler) {
  compiler->status = SDB_NO_MEMORY;
  sdb_error_set(compiler->error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  return false;
}

void *sdb_schema_alloc(sdb_schema_compiler *compiler, size_t size) {
  void *memory = sdb_arena_zero(&compiler->set->arena, size);
  if (!memory) (void)sdb_schema_no_memory(compiler);
  return memory;
}

sdb_slice sdb_schema_text(sdb_schema_compiler *compiler, uint32_t at) {
  char *to = sdb_schema_alloc(compiler, sdb_json_text(compiler->source, at).size + 1);
  return sdb_slice_make(to, to ? sdb_json_unescape(compiler->source, at, to) : 0);
}

uint32_t sdb_schema_keyword(const sdb_schema_compiler *compiler, uint32_t at, const char *name) {
  return sdb_json_member(compiler->source, at, sdb_slice_of(name));
}

/* ---- one schema ---- */

static bool is_keyword(const sdb_json *source, uint32_t key) {
  for (size_t i = 0; i < SDB_COUNT_OF(KEYWORDS); i++) {
    if (sdb_json_string_is(source, key, sdb_slice_of(KEYWORDS[i]))) return true;
  }
  return false;
}

/* A nested $id would change what `#` means, so it is known at the root only. */
static bool check_keywords(sdb_schema_compiler *compiler, uint32_t at) {
  const sdb_json *source = compiler->source;
  uint32_t end = sdb_json_at(source, at)->next;
  for (uint32_t key = at + 1; key < end; key = sdb_json_at(source, key + 1)->next) {
    if (is_keyword(source, key)) continue;
    if (at == compiler->root && sdb_json_string_is(source, key, sdb_slice_of("$id"))) continue;
    return sdb_schema_refuse(
        compiler, key, "the keyword \"", sdb_json_text(source, key), "\" is not supported");
  }
  return true;
}

static bool add_type(sdb_schema_compiler *compiler, uint32_t at, sdb_schema *schema) {
  const sdb_json *source = compiler->source;
  for (size_t i = 0; i < SDB_COUNT_OF(TYPES); i++) {
    if (sdb_json_at(source, at)->type != SDB_JSON_STRING) break;
    if (!sdb_json_string_is(source, at, sdb_slice_of(TYPES[i].name))) continue;
    if (schema->types & TYPES[i].types)
      return sdb_schema_refuse(compiler, at, "this type is named twice", (sdb_slice){0}, NULL);
    schema->types |= TYPES[i].types;
    return true;
  }
  return sdb_schema_refuse(compiler, at,
      "type is null, boolean, integer, number, string, array or object", (sdb_slice){0}, NULL);
}

static bool compile_types(sdb_schema_compiler *compiler, sdb_schema *schema) {
  const sdb_json *source = compiler->source;
  uint32_t at = sdb_schema_keyword(compiler, schema->token, "type");
  if (!at) {
    schema->types = SDB_SCHEMA_ANY;
    return true;
  }
  const sdb_json_token *token = sdb_json_at(source, at);
  if (token->type != SDB_JSON_ARRAY) return add_type(compiler, at, schema);
  if (token->count == 0)
    return sdb_schema_refuse(compiler, at, "type is an empty list", (sdb_slice){0}, NULL);
  for (uint32_t item = at + 1; item < token->next; item = sdb_json_at(source, item)->next) {
    if (!add_type(compiler, item, schema)) return false;
  }
  return true;
}

sdb_schema *sdb_schema_node(sdb_schema_compiler *compiler, uint32_t at) {
  sdb_schema *schema = sdb_schema_alloc(compiler, sizeof(*schema));
  if (!schema) return NULL;
  schema->token = at;
  schema->next = compiler->nodes;
  compiler->nodes = schema;
  return schema;
}

/* Definitions below the root cannot be referred to, but must be schemas all the same. */
static bool compile_inner_definitions(sdb_schema_compiler *compiler, uint32_t at) {
  static const char *const NAMES[] = {"$defs", "definitions"};
  for (size_t i = 0; at != compiler->root && i < SDB_COUNT_OF(NAMES); i++) {
    uint32_t definitions = sdb_schema_keyword(compiler, at, NAMES[i]);
    if (!definitions) continue;
    const sdb_json_token *token = sdb_json_at(compiler->source, definitions);
    if (token->type != SDB_JSON_OBJECT)
      return sdb_schema_refuse(compiler, definitions, NAMES[i], (sdb_slice){0}, " is an object");
    for (uint32_t key = definitions + 1; key < token->next;
         key = sdb_json_at(compiler->source, key + 1)->next) {
      if (!sdb_schema_child(compiler, key + 1)) return false;
    }
  }
  return true;
}

bool sdb_schema_fill(sdb_schema_compiler *compiler, sdb_schema *schema) {
  uint32_t at = schema->token;
  switch ((sdb_json_type)sdb_json_at(compiler->source, at)->type) {
  case SDB_JSON_TRUE:
    schema->types = SDB_SCHEMA_ANY;
    return true;
  case SDB_JSON_FALSE:
    return true;
  case SDB_JSON_OBJECT:
    break;
  default:
    return sdb_schema_refuse(
        compiler, at, "a schema is an object, true or false", (sdb_slice){0}, NULL);
  }
  return check_keywords(compiler, at) && compile_types(compiler, schema) &&
         compile_inner_definitions(compiler, at) && sdb_schema_compile_object(compiler, schema) &&
         sdb_schema_compile_array(compiler, schema) &&
         sdb_schema_compile_string(compiler, schema) &&
         sdb_schema_compile_number(compiler, schema) && sdb_schema_compile_common(compiler, schema);
}

/* A schema that is a $ref and nothing else is the schema that it means. */
const sdb_schema *sdb_schema_child(sdb_schema_compiler *compiler, uint32_t at) {
  const sdb_json_token *token = sdb_json_at(compiler->source, at);
  if (token->type == SDB_JSON_OBJECT && token->count == 1) {
    uint32_t reference = sdb_schema_keyword(compiler, at, "$ref");
    if (reference) return sdb_schema_resolve(compiler, reference);
  }
  sdb_schema *schema = sdb_schema_node(compiler, at);
  return schema && sdb_schema_fill(compiler, schema) ? schema : NULL;
}

sdb_status sdb_schema_compile(sdb_schema_set *set, const sdb_json *source, uint32_t at,
    bool whole_object, const sdb_schema **schema, sdb_error *error) {
  sdb_schema_compiler compiler = {.set = set, .source = source, .root = at, .error = error};
  compiler.start = sdb_schema_node(&compiler, at);
  bool compiled = compiler.start && sdb_schema_define(&compiler) &&
                  sdb_schema_fill(&compiler, compiler.start) &&
                  sdb_schema_fill_definitions(&compiler) &&
                  sdb_schema_settle(&compiler, whole_object);
  if (!compiled) {
    SDB_ASSERT(compiler.status != SDB_OK);
    return compiler.status;
  }
  *schema = compiler.start;
  return SDB_OK;
}
