/* store/schema_references.c: $defs, $ref, and what must hold of all nodes together.
 *
 * References go to `#` (the schema's root) and to `#/$defs/NAME`, where `definitions` is the older
 * word for `$defs`. Nodes of all definitions exist, empty, before anything refers to them, so the
 * order does not matter and recursion is just a pointer.
 *
 * A chain is schemas that look at one and the same value: $ref, allOf, anyOf, oneOf, not. One that
 * comes back to itself would never end, and one that is long would need a deep stack in every
 * check: both are refused here.
 */
#include "store/schema_compiler.h"

static const char *const NAMES[] = {"$defs", "definitions"};

/* ---- definitions ---- */

bool sdb_schema_define(sdb_schema_compiler *compiler) {
  const sdb_json *source = compiler->source;
  uint32_t found[SDB_COUNT_OF(NAMES)], count = 0;
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    found[i] = sdb_schema_keyword(compiler, compiler->root, NAMES[i]);
    if (!found[i]) continue;
    if (sdb_json_at(source, found[i])->type != SDB_JSON_OBJECT)
      return sdb_schema_refuse(compiler, found[i], NAMES[i], (sdb_slice){0}, " is an object");
    count += sdb_json_at(source, found[i])->count;
  }
  if (count == 0) return true;
  compiler->definitions = sdb_schema_alloc(compiler, count * sizeof(*compiler->definitions));
  if (!compiler->definitions) return false;
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    if (!found[i]) continue;
    uint32_t end = sdb_json_at(source, found[i])->next;
    for (uint32_t key = found[i] + 1; key < end; key = sdb_json_at(source, key + 1)->next) {
      sdb_schema *schema = sdb_schema_node(compiler, key + 1);
      if (!schema) return false;
      compiler->definitions[compiler->definitions_count++] = (sdb_schema_definition){key, schema};
    }
  }
  return true;
}

bool sdb_schema_fill_definitions(sdb_schema_compiler *compiler) {
  for (uint32_t i = 0; i < compiler->definitions_count; i++) {
    if (!sdb_schema_fill(compiler, compiler->definitions[i].schema)) return false;
  }
  return true;
}

/* ---- references ---- */

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* Undoes percent-encoding, then `~1` and `~0`, in place. */
static sdb_slice decode_pointer(char *text, size_t size) {
  size_t to = 0;
  for (size_t i = 0; i < size; i++, to++) {
    int high = i + 2 < size && text[i] == '%' ? hex_value(text[i + 1]) : -1;
    int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    text[to] = low >= 0 ? (char)(high << 4 | low) : text[i];
    if (low >= 0) i += 2;
  }
  size = to;
  to = 0;
  for (size_t i = 0; i < size; i++, to++) {
    bool escape = text[i] == '~' && i + 1 < size && (text[i + 1] == '0' || text[i + 1] == '1');
    text[to] = escape ? (text[i + 1] == '0' ? '~' : '/') : text[i];
    if (escape) i++;
  }
  return sdb_slice_make(text, to);
}

/* The definition that `name` means, if it stands under the keyword `under`. */
static const sdb_schema *find_definition(
    const sdb_schema_compiler *compiler, uint32_t under, sdb_slice name) {
  if (!under) return NULL;
  uint32_t end = sdb_json_at(compiler->source, under)->next;
  for (uint32_t i = 0; i < compiler->definitions_count; i++) {
    uint32_t key = compiler->definitions[i].key;
    if (key > under && key < end && sdb_json_string_is(compiler->source, key, name))
      return compiler->definitions[i].schema;
  }
  return NULL;
}

static bool has_slash(sdb_slice text, size_t from) {
  while (from < text.size && text.data[from] != '/')
    from++;
  return from < text.size;
}

const sdb_schema *sdb_schema_resolve(sdb_schema_compiler *compiler, uint32_t at) {
  if (sdb_json_at(compiler->source, at)->type != SDB_JSON_STRING) {
    sdb_schema_refuse(compiler, at, "$ref is a string", (sdb_slice){0}, NULL);
    return NULL;
  }
  sdb_slice target = sdb_schema_text(compiler, at);
  if (!target.data) return NULL;
  if (target.size == 1 && target.data[0] == '#') return compiler->start;
  for (size_t i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    size_t name_size = strlen(NAMES[i]), prefix = name_size + 3;
    if (target.size <= prefix || memcmp(target.data, "#/", 2) != 0 ||
        memcmp(target.data + 2, NAMES[i], name_size) != 0 || target.data[prefix - 1] != '/')
      continue;
    if (has_slash(target, prefix)) break;
    sdb_slice name = sdb_schema_text(compiler, at);
    if (!name.data) return NULL;
    name = decode_pointer((char *)name.data + prefix, name.size - prefix);
    uint32_t under = sdb_schema_keyword(compiler, compiler->root, NAMES[i]);
    const sdb_schema *found = find_definition(compiler, under, name);
    if (found) return found;
    sdb_schema_refuse(compiler, at, "$ref leads nowhere: ", target, NULL);
    return NULL;
  }
  sdb_schema_refuse(compiler, at, "$ref is \"#\" or \"#/$defs/NAME\", not ", target, NULL);
  return NULL;
}

/* ---- all nodes together ---- */

/* Calls `each` for the schemas that look at the same value as `schema`, until it says false. */
static bool for_same_value(sdb_schema_compiler *compiler, const sdb_schema *schema,
    bool (*each)(sdb_schema_compiler *compiler, sdb_schema *schema, void *context), void *context) {
  const sdb_schema_common *common = schema->common;
  if (!common) return true;
  const sdb_schema_list *lists[] = {&common->all, &common->any, &common->one};
  for (size_t i = 0; i < SDB_COUNT_OF(lists); i++) {
    for (uint32_t k = 0; k < lists[i]->count; k++) {
      if (!each(compiler, (sdb_schema *)lists[i]->schemas[k], context)) return false;
    }
  }
  if (common->reference && !each(compiler, (sdb_schema *)common->reference, context)) return false;
  return !common->negated || each(compiler, (sdb_schema *)common->negated, context);
}

typedef struct chain_below {
  unsigned depth, longest;
} chain_below;

/* Depth first; `depth` bounds the recursion. */
static bool measure_chain(sdb_schema_compiler *compiler, sdb_schema *schema, void *context) {
  chain_below *above = context;
  if (schema->visiting)
    return sdb_schema_refuse(compiler, schema->token,
        "this schema leads back to itself on one value", (sdb_slice){0}, NULL);
  if (above->depth == SDB_SCHEMA_CHAIN_MAX)
    return sdb_schema_refuse(compiler, schema->token,
        "more than 64 of $ref, allOf, anyOf, oneOf and not within one another", (sdb_slice){0},
        NULL);
  if (schema->chain == 0) {
    chain_below below = {above->depth + 1, 0};
    schema->visiting = true;
    if (!for_same_value(compiler, schema, measure_chain, &below)) return false;
    schema->visiting = false;
    schema->chain = (uint8_t)(below.longest + 1);
  }
  if (above->depth + schema->chain > SDB_SCHEMA_CHAIN_MAX)
    return sdb_schema_refuse(compiler, schema->token,
        "more than 64 of $ref, allOf, anyOf, oneOf and not within one another", (sdb_slice){0},
        NULL);
  if (schema->chain > above->longest) above->longest = schema->chain;
  return true;
}

/* Where the schema speaks of this name: in `properties`, or else in `required`. */
static uint32_t find_name(sdb_schema_compiler *compiler, uint32_t at, sdb_slice name) {
  uint32_t properties = sdb_schema_keyword(compiler, at, "properties");
  uint32_t property = properties ? sdb_json_member(compiler->source, properties, name) : 0;
  return property ? property : sdb_schema_keyword(compiler, at, "required");
}

/* Refuses names that begin with `$` in every schema that looks at the object itself. */
static bool check_top(sdb_schema_compiler *compiler, sdb_schema *schema, void *context) {
  if (schema->top_seen) return true;
  schema->top_seen = true;
  const sdb_schema_object *object = schema->object;
  for (uint32_t i = 0; object && i < object->count; i++) {
    sdb_slice name = object->properties[i].name;
    if (name.size > 0 && name.data[0] == '$')
      return sdb_schema_refuse(compiler, find_name(compiler, schema->token, name),
          "names that begin with $ are the protocol's: ", name, NULL);
  }
  return for_same_value(compiler, schema, check_top, context);
}

bool sdb_schema_settle(sdb_schema_compiler *compiler, bool whole_object) {
  for (sdb_schema *schema = compiler->nodes; schema; schema = schema->next) {
    chain_below above = {0, 0};
    if (!measure_chain(compiler, schema, &above)) return false;
  }
  if (!whole_object) return true;
  if (!check_top(compiler, compiler->start, NULL)) return false;
  if (compiler->start->types & SDB_SCHEMA_OBJECT) return true;
  return sdb_schema_refuse(compiler, compiler->start->token,
      "this is the schema of a store's objects: its type must be object", (sdb_slice){0}, NULL);
}
