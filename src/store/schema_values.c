/* store/schema_values.c: compiles the keywords of strings and numbers, and those that apply to
 * values of every type.
 *
 * Numbers in a schema stay text, as they do in objects: bounds are compared exactly.
 */
#include "base/error.h"
#include "store/schema_compiler.h"

/* ---- strings ---- */

static bool is_string(const sdb_schema_compiler *compiler, uint32_t at) {
  return sdb_json_at(compiler->source, at)->type == SDB_JSON_STRING;
}

static bool compile_format(sdb_schema_compiler *compiler, uint32_t at, sdb_schema_string *string) {
  uint32_t found = sdb_schema_keyword(compiler, at, "format");
  if (!found) return true;
  if (!is_string(compiler, found))
    return sdb_schema_refuse(compiler, found, "format is a string", (sdb_slice){0}, NULL);
  sdb_slice name = sdb_schema_text(compiler, found);
  if (!name.data) return false;
  string->format = sdb_schema_format_of(name);
  if (string->format != SDB_FORMAT_NONE) return true;
  return sdb_schema_refuse(compiler, found, "the format \"", name,
      "\" is not supported: uuid, email, date-time, date, time, uri, ipv4 and ipv6 are");
}

static bool compile_pattern(sdb_schema_compiler *compiler, uint32_t at, sdb_schema_string *string) {
  uint32_t found = sdb_schema_keyword(compiler, at, "pattern");
  if (!found) return true;
  if (!is_string(compiler, found))
    return sdb_schema_refuse(compiler, found, "pattern is a string", (sdb_slice){0}, NULL);
  string->pattern = sdb_schema_text(compiler, found);
  sdb_schema_pattern *kept = sdb_schema_alloc(compiler, sizeof(*kept));
  if (!string->pattern.data || !kept) return false;
  const sdb_pattern_port *port = compiler->set->patterns;
  sdb_error why;
  sdb_error_set(&why, SDB_OK, NULL, NULL, NULL);
  sdb_status status = port->compile(port->context, string->pattern, &kept->compiled, &why);
  if (status == SDB_NO_MEMORY) return sdb_schema_no_memory(compiler);
  if (status != SDB_OK)
    return sdb_schema_refuse(compiler, found, "pattern: ", sdb_slice_of(why.message), NULL);
  kept->next = compiler->set->compiled;
  compiler->set->compiled = kept;
  string->compiled = kept->compiled;
  return true;
}

bool sdb_schema_compile_string(sdb_schema_compiler *compiler, sdb_schema *schema) {
  sdb_schema_string string = {.length_max = UINT32_MAX};
  uint32_t at = schema->token;
  if (!sdb_schema_compile_count(compiler, at, "minLength", &string.length_min) ||
      !sdb_schema_compile_count(compiler, at, "maxLength", &string.length_max) ||
      !compile_format(compiler, at, &string) || !compile_pattern(compiler, at, &string))
    return false;
  bool says_something = string.length_min || string.length_max != UINT32_MAX ||
                        string.format != SDB_FORMAT_NONE || string.compiled;
  if (!says_something) return true;
  sdb_schema_string *part = sdb_schema_alloc(compiler, sizeof(*part));
  if (!part) return false;
  *part = string;
  schema->string = part;
  return true;
}

/* ---- numbers ---- */

static bool compile_bound(
    sdb_schema_compiler *compiler, uint32_t at, const char *name, sdb_schema_bound *bound) {
  uint32_t found = sdb_schema_keyword(compiler, at, name);
  if (!found) return true;
  if (sdb_json_at(compiler->source, found)->type != SDB_JSON_NUMBER)
    return sdb_schema_refuse(compiler, found, name, (sdb_slice){0}, " is a number");
  *bound = (sdb_schema_bound){SDB_BOUND_TEXT, sdb_json_text(compiler->source, found), 0};
  return true;
}

static bool compile_multiple(sdb_schema_compiler *compiler, uint32_t at, sdb_slice *multiple_of) {
  uint32_t found = sdb_schema_keyword(compiler, at, "multipleOf");
  if (!found) return true;
  bool number = sdb_json_at(compiler->source, found)->type == SDB_JSON_NUMBER;
  sdb_slice text = sdb_json_text(compiler->source, found);
  if (!number || sdb_json_number_compare(text, sdb_slice_of("0")) <= 0)
    return sdb_schema_refuse(
        compiler, found, "multipleOf is a number above 0", (sdb_slice){0}, NULL);
  *multiple_of = text;
  return true;
}

bool sdb_schema_compile_number(sdb_schema_compiler *compiler, sdb_schema *schema) {
  sdb_schema_number number = {.multiple_of = {NULL, 0}};
  uint32_t at = schema->token;
  if (!compile_bound(compiler, at, "minimum", &number.minimum) ||
      !compile_bound(compiler, at, "maximum", &number.maximum) ||
      !compile_bound(compiler, at, "exclusiveMinimum", &number.exclusive_minimum) ||
      !compile_bound(compiler, at, "exclusiveMaximum", &number.exclusive_maximum) ||
      !compile_multiple(compiler, at, &number.multiple_of))
    return false;
  bool says_something = number.minimum.kind || number.maximum.kind ||
                        number.exclusive_minimum.kind || number.exclusive_maximum.kind ||
                        number.multiple_of.size;
  if (!says_something) return true;
  sdb_schema_number *part = sdb_schema_alloc(compiler, sizeof(*part));
  if (!part) return false;
  *part = number;
  schema->number = part;
  return true;
}

/* ---- values of every type ---- */

static bool compile_enum(sdb_schema_compiler *compiler, uint32_t at, sdb_schema_common *common) {
  uint32_t found = sdb_schema_keyword(compiler, at, "enum");
  if (!found) return true;
  const sdb_json_token *token = sdb_json_at(compiler->source, found);
  if (token->type != SDB_JSON_ARRAY || token->count == 0)
    return sdb_schema_refuse(
        compiler, found, "enum is a list of one or more values", (sdb_slice){0}, NULL);
  uint32_t *values = sdb_schema_alloc(compiler, token->count * sizeof(*values));
  if (!values) return false;
  for (uint32_t item = found + 1; item < token->next;
       item = sdb_json_at(compiler->source, item)->next)
    values[common->values_count++] = item;
  common->values = values;
  common->source = compiler->source;
  return true;
}

static bool compile_const(sdb_schema_compiler *compiler, uint32_t at, sdb_schema_common *common) {
  common->constant = sdb_schema_keyword(compiler, at, "const");
  if (common->constant) common->source = compiler->source;
  return true;
}

static bool compile_not(sdb_schema_compiler *compiler, uint32_t at, sdb_schema_common *common) {
  uint32_t found = sdb_schema_keyword(compiler, at, "not");
  if (!found) return true;
  common->negated = sdb_schema_child(compiler, found);
  return common->negated != NULL;
}

static bool compile_reference(
    sdb_schema_compiler *compiler, uint32_t at, sdb_schema_common *common) {
  uint32_t found = sdb_schema_keyword(compiler, at, "$ref");
  if (!found) return true;
  common->reference = sdb_schema_resolve(compiler, found);
  return common->reference != NULL;
}

bool sdb_schema_compile_common(sdb_schema_compiler *compiler, sdb_schema *schema) {
  sdb_schema_common common = {.source = NULL};
  uint32_t at = schema->token;
  if (!compile_enum(compiler, at, &common) || !compile_const(compiler, at, &common) ||
      !sdb_schema_compile_list(compiler, at, "allOf", &common.all) ||
      !sdb_schema_compile_list(compiler, at, "anyOf", &common.any) ||
      !sdb_schema_compile_list(compiler, at, "oneOf", &common.one) ||
      !compile_not(compiler, at, &common) || !compile_reference(compiler, at, &common))
    return false;
  bool says_something = common.source || common.all.count || common.any.count || common.one.count ||
                        common.negated || common.reference;
  if (!says_something) return true;
  sdb_schema_common *part = sdb_schema_alloc(compiler, sizeof(*part));
  if (!part) return false;
  *part = common;
  schema->common = part;
  return true;
}
