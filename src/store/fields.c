/* store/fields.c: compiles a C table of fields to the form that JSON Schema compiles to.
 *
 * The object has these fields and no others (as zod's z.object says with additionalProperties:
 * false); a field that is not optional is required. Bounds that are whole numbers become text and
 * are compared exactly; others are compared as doubles, because 0.1 in C means the double.
 */
#include "base/error.h"
#include "store/schema.h"
#include <math.h>

typedef struct fields_compiler {
  sdb_schema_set *set;
  sdb_error *error;
  sdb_status status;
} fields_compiler;

static const uint8_t TYPES[] = {[SDB_TYPE_STRING] = SDB_SCHEMA_STRING,
    [SDB_TYPE_INTEGER] = SDB_SCHEMA_INTEGER,
    [SDB_TYPE_NUMBER] = SDB_SCHEMA_NUMBER,
    [SDB_TYPE_BOOLEAN] = SDB_SCHEMA_BOOLEAN,
    [SDB_TYPE_JSON] = SDB_SCHEMA_ANY};

static bool refuse(fields_compiler *compiler, const char *name, const char *why) {
  compiler->status = sdb_error_set(compiler->error, SDB_BAD_DEFINITION, "the field ", name, why);
  if (compiler->error) sdb_schema_path_append(compiler->error->path, sdb_slice_of(name));
  return false;
}

static bool no_memory(fields_compiler *compiler) {
  compiler->status =
      sdb_error_set(compiler->error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  return false;
}

static void *alloc(fields_compiler *compiler, size_t size) {
  void *memory = sdb_arena_zero(&compiler->set->arena, size);
  if (!memory) (void)no_memory(compiler);
  return memory;
}

/* ---- one field ---- */

static bool check_field(fields_compiler *compiler, const sdb_field *field) {
  const char *name = field->name;
  bool number = field->type == SDB_TYPE_INTEGER || field->type == SDB_TYPE_NUMBER;
  if (field->type < SDB_TYPE_STRING || field->type > SDB_TYPE_JSON)
    return refuse(compiler, name, " has no type");
  if (name[0] == '$') return refuse(compiler, name, ": names that begin with $ are the protocol's");
  if (!sdb_utf8_valid(sdb_slice_of(name))) return refuse(compiler, "?", " is not named in UTF-8");
  if (field->type != SDB_TYPE_STRING && (field->length_min || field->length_max))
    return refuse(compiler, name, " has a length, which is for strings");
  if (field->length_max && field->length_min > field->length_max)
    return refuse(compiler, name, " has a length_min above its length_max");
  bool bounded = field->minimum != 0 || field->maximum != 0; /* of NaN too */
  if (bounded && !number) return refuse(compiler, name, " has a minimum, which is for numbers");
  if (bounded && !(field->minimum <= field->maximum))
    return refuse(compiler, name, " has a minimum above its maximum (HUGE_VAL is no maximum)");
  return true;
}

/* A whole number of 64 bits as decimal text, or an empty slice where there is no memory. */
static sdb_slice whole_text(fields_compiler *compiler, double number) {
  char *text = alloc(compiler, 24);
  if (!text) return (sdb_slice){NULL, 0};
  char *at = text + 24;
  uint64_t rest = (uint64_t)(number < 0 ? -number : number);
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (number < 0) *--at = '-';
  return sdb_slice_make(at, (size_t)(text + 24 - at));
}

static bool set_bound(fields_compiler *compiler, double number, sdb_schema_bound *bound) {
  static const double WHOLE_MAX =
      9223372036854775808.0; /* 2^63: beyond it (int64_t) is undefined */
  bound->number = number;
  bound->kind = SDB_BOUND_DOUBLE;
  if (!(number > -WHOLE_MAX && number < WHOLE_MAX) || number != (double)(int64_t)number)
    return true;
  bound->text = whole_text(compiler, number);
  bound->kind = SDB_BOUND_TEXT;
  return bound->text.data != NULL;
}

static bool set_limits(fields_compiler *compiler, const sdb_field *field, sdb_schema *schema) {
  if (field->length_min || field->length_max) {
    sdb_schema_string *string = alloc(compiler, sizeof(*string));
    if (!string) return false;
    string->length_min = field->length_min > UINT32_MAX ? UINT32_MAX : (uint32_t)field->length_min;
    bool limited = field->length_max > 0 && field->length_max < UINT32_MAX;
    string->length_max = limited ? (uint32_t)field->length_max : UINT32_MAX;
    schema->string = string;
  }
  if (field->minimum == 0 && field->maximum == 0) return true;
  sdb_schema_number *number = alloc(compiler, sizeof(*number));
  if (!number) return false;
  schema->number = number;
  if (field->minimum > -HUGE_VAL && !set_bound(compiler, field->minimum, &number->minimum))
    return false;
  return !(field->maximum < HUGE_VAL) || set_bound(compiler, field->maximum, &number->maximum);
}

/* The field's own JSON Schema. An error in it is told with the field's name before its path. */
static const sdb_schema *compile_own(fields_compiler *compiler, const sdb_field *field) {
  const sdb_json *source;
  const sdb_schema *schema = NULL;
  sdb_error why;
  sdb_error_set(&why, SDB_OK, NULL, NULL, NULL);
  compiler->status = sdb_schema_source_add(
      compiler->set, sdb_slice_of(field->schema), "the field's schema", &source, &why);
  if (compiler->status == SDB_OK)
    compiler->status = sdb_schema_compile(compiler->set, source, 0, false, &schema, &why);
  if (compiler->status == SDB_OK || !compiler->error) return schema;
  sdb_error_set(compiler->error, compiler->status, why.message, NULL, NULL);
  compiler->error->offset = why.offset;
  sdb_schema_path_append(compiler->error->path, sdb_slice_of(field->name));
  sdb_text_append(compiler->error->path, sizeof(compiler->error->path), sdb_slice_of(why.path));
  return NULL;
}

/* `schema` must be matched too, unless the field is nullable and null. */
static bool add_own(fields_compiler *compiler, const sdb_field *field, sdb_schema *schema) {
  const sdb_schema *own = compile_own(compiler, field);
  if (!own) return false;
  sdb_schema_common *common = alloc(compiler, sizeof(*common));
  const sdb_schema **list = alloc(compiler, 2 * sizeof(*list));
  sdb_schema *null = alloc(compiler, sizeof(*null));
  if (!common || !list || !null) return false;
  null->types = SDB_SCHEMA_NULL;
  list[0] = own;
  list[1] = null;
  common->any = (sdb_schema_list){list, field->nullable ? 2 : 1};
  schema->common = common;
  return true;
}

static const sdb_schema *compile_field(fields_compiler *compiler, const sdb_field *field) {
  if (!check_field(compiler, field)) return NULL;
  sdb_schema *schema = alloc(compiler, sizeof(*schema));
  if (!schema) return NULL;
  schema->types = TYPES[field->type];
  if (field->nullable) schema->types |= SDB_SCHEMA_NULL;
  if (!set_limits(compiler, field, schema)) return NULL;
  if (field->schema && !add_own(compiler, field, schema)) return NULL;
  return schema;
}

/* ---- the table ---- */

static bool compile_fields(
    fields_compiler *compiler, const sdb_field *fields, uint32_t count, sdb_schema_object *object) {
  sdb_schema_property *properties = alloc(compiler, (count + 1) * sizeof(*properties));
  if (!properties) return false;
  object->properties = properties;
  for (; object->count < count; object->count++) {
    const sdb_field *field = &fields[object->count];
    sdb_slice name = sdb_slice_of(field->name);
    for (uint32_t i = 0; i < object->count; i++) {
      if (sdb_slice_equal(properties[i].name, name))
        return refuse(compiler, field->name, " is there twice");
    }
    sdb_schema_property *property = &properties[object->count];
    property->schema = compile_field(compiler, field);
    if (!property->schema) return false;
    char *copy = sdb_arena_text(&compiler->set->arena, name);
    if (!copy) return no_memory(compiler);
    property->name = sdb_slice_make(copy, name.size);
    property->required = !field->optional;
    object->required_count += property->required;
  }
  return true;
}

sdb_status sdb_fields_compile(
    sdb_schema_set *set, const sdb_field *fields, const sdb_schema **schema, sdb_error *error) {
  fields_compiler compiler = {set, error, SDB_OK};
  uint32_t count = 0;
  while (fields[count].name) {
    if (++count > SDB_SCHEMA_PROPERTIES_MAX)
      return sdb_error_set(error, SDB_BAD_DEFINITION, "more than 4096 fields", NULL, NULL);
  }
  sdb_schema *root = alloc(&compiler, sizeof(*root));
  sdb_schema *nothing = alloc(&compiler, sizeof(*nothing));
  sdb_schema_object *object = alloc(&compiler, sizeof(*object));
  if (!root || !nothing || !object) return compiler.status;
  object->count_max = UINT32_MAX;
  object->additional = nothing;
  root->types = SDB_SCHEMA_OBJECT;
  root->object = object;
  if (!compile_fields(&compiler, fields, count, object)) return compiler.status;
  if (!sdb_schema_index(set, object)) (void)no_memory(&compiler);
  if (compiler.status != SDB_OK) return compiler.status;
  *schema = root;
  return SDB_OK;
}
