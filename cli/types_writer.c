/* cli/types_writer.c: see types_writer.h.
 *
 * A type is text. One that has ` | ` or ` & ` outside of brackets is put into parentheses where it
 * becomes a part of another. `assumed` are the types that a value can be of by what is known of it
 * already: a schema inside allOf, anyOf or oneOf that names none looks at a value that the schema
 * around it has said the type of.
 */
#include "types_writer.h"
#include "text.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NULLS = 1, BOOLEANS = 2, NUMBERS = 4, STRINGS = 8, ARRAYS = 16, OBJECTS = 32, ANY = 63 };

static const struct {
  const char *name;
  unsigned type;
} TYPES[] = {{"null", NULLS}, {"boolean", BOOLEANS}, {"integer", NUMBERS}, {"number", NUMBERS},
    {"string", STRINGS}, {"array", ARRAYS}, {"object", OBJECTS}};

struct kept_text {
  struct kept_text *next;
  char *text;
};

typedef struct parts {
  const char **items;
  size_t count;
} parts;

static const char *type_of(sdb_cli_types *types, json_t *schema, unsigned assumed, int indent);

/* ---- text ---- */

static void *need(void *memory) {
  if (memory) return memory;
  fprintf(stderr, "syncdb types: out of memory\n");
  exit(2);
}

/* Hands a text over to the writer. */
static const char *keep(sdb_cli_types *types, char *text) {
  struct kept_text *kept = need(malloc(sizeof(*kept)));
  *kept = (struct kept_text){types->all, need(text)};
  types->all = kept;
  return text;
}

__attribute__((format(printf, 2, 3))) static const char *format(
    sdb_cli_types *types, const char *how, ...) {
  char *text = NULL;
  va_list values;
  va_start(values, how);
  if (vasprintf(&text, how, values) < 0) text = NULL;
  va_end(values);
  return keep(types, text);
}

/* A stream to a text: closed by end_text, which gives the text. */
typedef struct open_text {
  char *data;
  size_t size;
  FILE *to;
} open_text;

static FILE *begin_text(open_text *text) {
  text->to = need(open_memstream(&text->data, &text->size));
  return text->to;
}

static const char *end_text(sdb_cli_types *types, open_text *text) {
  bool failed = ferror(text->to) != 0;
  if (fclose(text->to) != 0) failed = true;
  return keep(types, failed ? NULL : text->data);
}

/* The last character of a string or a comment that begins at `at`; otherwise `at`. */
static const char *skip(const char *at) {
  if (at[0] == '/' && at[1] == '*') return strstr(at, "*/") + 1;
  if (at[0] != '"') return at;
  for (at++; *at != '"'; at++)
    if (*at == '\\') at++;
  return at;
}

/* Whether `mark`, `|` or `&`, stands outside of brackets, strings and comments. */
static bool has_mark(const char *text, char mark) {
  int depth = 0;
  for (const char *at = text; *at; at++) {
    at = skip(at);
    if (strchr("([{", *at)) {
      depth++;
    } else if (strchr(")]}", *at)) {
      depth--;
    } else if (depth == 0 && *at == mark) {
      return true;
    }
  }
  return false;
}

static const char *as_part(sdb_cli_types *types, const char *text) {
  bool compound = has_mark(text, '|') || has_mark(text, '&');
  return compound ? format(types, "(%s)", text) : text;
}

static void add(sdb_cli_types *types, parts *list, const char *text) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i], text) == 0) return;
  const char **items = need(malloc((list->count + 1) * sizeof(*items)));
  if (list->count) memcpy(items, list->items, list->count * sizeof(*items));
  items[list->count++] = text;
  list->items = items;
  (void)keep(types, (char *)items);
}

static bool among(const parts *list, const char *text) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i], text) == 0) return true;
  return false;
}

static const char *join(sdb_cli_types *types, const parts *list, char mark) {
  open_text text;
  FILE *to = begin_text(&text);
  for (size_t i = 0; i < list->count; i++) {
    const char *part = list->items[i];
    bool inner = list->count > 1 && has_mark(part, mark == '&' ? '|' : '&');
    if (i) fprintf(to, " %c ", mark);
    fprintf(to, inner ? "(%s)" : "%s", part);
  }
  return end_text(types, &text);
}

static const char *union_of(sdb_cli_types *types, const parts *list) {
  parts left = {NULL, 0};
  if (among(list, "unknown")) return "unknown";
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i], "never") != 0) add(types, &left, list->items[i]);
  return left.count ? join(types, &left, '|') : "never";
}

static const char *intersection_of(sdb_cli_types *types, const parts *list) {
  parts left = {NULL, 0};
  if (among(list, "never")) return "never";
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i], "unknown") != 0) add(types, &left, list->items[i]);
  return left.count ? join(types, &left, '&') : "unknown";
}

/* ---- names ---- */

const char *sdb_cli_types_capital(sdb_cli_types *types, const char *text) {
  open_text out;
  FILE *to = begin_text(&out);
  bool first = true, raise = true;
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c >= 0x80 || !isalnum(c)) {
      raise = true;
      continue;
    }
    if (first && isdigit(c)) putc('_', to);
    putc(raise ? toupper(c) : c, to);
    first = raise = false;
  }
  return end_text(types, &out);
}

const char *sdb_cli_types_take(sdb_cli_types *types, const char *wanted) {
  const char *name = format(types, "%s", wanted);
  for (int i = 2; json_object_get(types->taken, name); i++)
    name = format(types, "%s%d", wanted, i);
  if (json_object_set_new(types->taken, name, json_true()) != 0) (void)need(NULL);
  return name;
}

static bool is_identifier(const char *text) {
  if (!*text || isdigit((unsigned char)*text)) return false;
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c >= 0x80 || (!isalnum(c) && c != '_' && c != '$')) return false;
  }
  return true;
}

static void write_name(FILE *to, const char *name) {
  if (is_identifier(name))
    fputs(name, to);
  else
    sdb_cli_write_json_string(to, sdb_slice_of(name));
}

void sdb_cli_types_comment(FILE *to, const json_t *text, int indent) {
  const char *at = json_string_value(text);
  if (!at || !*at) return;
  fprintf(to, "%*s/** ", indent, "");
  for (; *at; at++) {
    unsigned char c = (unsigned char)*at;
    if (c == '*' && at[1] == '/')
      fputs("*\\", to);
    else
      putc(c < 0x20 || c == 0x7f ? ' ' : c, to);
  }
  fputs(" */\n", to);
}

/* ---- values ---- */

/* The shortest text that reads back as the same double, as JavaScript writes it but for exponents.
 */
static void write_number(FILE *to, double number) {
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof(text), "%.*g", digits, number);
    if (strtod(text, NULL) == number) break;
  }
  fputs(text, to);
}

static void write_string(FILE *to, const json_t *value) {
  sdb_cli_write_json_string(
      to, sdb_slice_make(json_string_value(value), json_string_length(value)));
}

void sdb_cli_types_value(FILE *to, const json_t *value) {
  size_t i = 0;
  json_t *item;
  const char *key;
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    putc('{', to);
    json_object_foreach((json_t *)value, key, item) {
      if (i++) fputs(", ", to);
      /* in a literal `__proto__: x` would set the prototype */
      fputs(strcmp(key, "__proto__") == 0 ? "[" : "", to);
      sdb_cli_write_json_string(to, sdb_slice_of(key));
      fputs(strcmp(key, "__proto__") == 0 ? "]: " : ": ", to);
      sdb_cli_types_value(to, item);
    }
    putc('}', to);
    break;
  case JSON_ARRAY:
    putc('[', to);
    json_array_foreach(value, i, item) {
      if (i) fputs(", ", to);
      sdb_cli_types_value(to, item);
    }
    putc(']', to);
    break;
  case JSON_STRING:
    write_string(to, value);
    break;
  case JSON_NULL:
    fputs("null", to);
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    fputs(json_is_true(value) ? "true" : "false", to);
    break;
  default:
    write_number(to, json_number_value(value));
  }
}

json_t *sdb_cli_types_parse(const char *text, size_t size, json_error_t *error) {
  return json_loadb(text, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, error);
}

static unsigned type_of_value(const json_t *value) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return OBJECTS;
  case JSON_ARRAY:
    return ARRAYS;
  case JSON_STRING:
    return STRINGS;
  case JSON_NULL:
    return NULLS;
  case JSON_TRUE:
  case JSON_FALSE:
    return BOOLEANS;
  default:
    return NUMBERS;
  }
}

/* The type that has one value. */
static const char *literal_of(sdb_cli_types *types, const json_t *value) {
  open_text text;
  FILE *to = begin_text(&text);
  size_t i = 0;
  json_t *item;
  const char *key;
  if (json_is_object(value)) {
    putc('{', to);
    json_object_foreach((json_t *)value, key, item) {
      fputs(i++ ? "; " : " ", to);
      write_name(to, key);
      fprintf(to, ": %s", literal_of(types, item));
    }
    fputs(i ? " }" : " [key: string]: never }", to);
  } else if (json_is_array(value)) {
    putc('[', to);
    json_array_foreach(value, i, item) fprintf(to, "%s%s", i ? ", " : "", literal_of(types, item));
    putc(']', to);
  } else {
    sdb_cli_types_value(to, value);
  }
  return end_text(types, &text);
}

/* `enum` and `const`, as far as their values are of the types that are said; NULL: neither. */
static const char *literals_of(sdb_cli_types *types, json_t *schema, unsigned said) {
  json_t *constant = json_object_get(schema, "const"), *values = json_object_get(schema, "enum");
  parts list = {NULL, 0};
  size_t i;
  json_t *value;
  if (!constant && !values) return NULL;
  json_array_foreach(values, i, value) {
    if (!(type_of_value(value) & said)) continue;
    if (!constant || json_equal(value, constant)) add(types, &list, literal_of(types, value));
  }
  if (!values && type_of_value(constant) & said) add(types, &list, literal_of(types, constant));
  return union_of(types, &list);
}

/* ---- references ---- */

/* The name of a definition: of a JSON Pointer's last part, without its escapes. */
static const char *pointer_name(sdb_cli_types *types, const char *from) {
  open_text text;
  FILE *to = begin_text(&text);
  for (; *from; from++) {
    char hex[3] = {from[0] == '%' ? from[1] : 0, from[1], 0};
    if (hex[0]) hex[1] = from[2];
    if (hex[0] && isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1])) {
      putc((int)strtol(hex, NULL, 16), to);
      from += 2;
    } else {
      putc(*from, to);
    }
  }
  char *name = (char *)end_text(types, &text), *end = name;
  for (const char *at = name; *at; at++) {
    bool escape = at[0] == '~' && (at[1] == '0' || at[1] == '1');
    *end++ = escape ? (at[1] == '0' ? '~' : '/') : *at;
    if (escape) at++;
  }
  *end = 0;
  return name;
}

/* The schema that a reference leads to. The library has seen that there is one. */
static json_t *resolve(sdb_cli_types *types, const char *reference) {
  if (strcmp(reference, "#") == 0) return types->root;
  const char *under = reference + 2, *slash = strchr(under, '/');
  json_t *definitions = json_object_getn(types->root, under, (size_t)(slash - under));
  return json_object_get(definitions, pointer_name(types, slash + 1));
}

static const char *name_reference(sdb_cli_types *types, const char *reference) {
  const char *known = json_string_value(json_object_get(types->references, reference));
  if (known) return known;
  const char *slash = strrchr(reference, '/'), *own = "";
  if (slash) own = sdb_cli_types_capital(types, pointer_name(types, slash + 1));
  if (slash && !*own) own = "Type";
  const char *name = sdb_cli_types_take(types, format(types, "%s%s", types->prefix, own));
  if (json_object_set_new(types->references, reference, json_string(name)) != 0 ||
      json_array_append_new(types->pending, json_string(reference)) != 0)
    (void)need(NULL);
  return name;
}

/* ---- arrays and objects ---- */

static const char *list_of(sdb_cli_types *types, json_t *items, int indent) {
  const char *item = items ? type_of(types, items, ANY, indent) : "unknown";
  return format(types, "%s[]", as_part(types, item));
}

static size_t count_of(const json_t *schema, const char *keyword, size_t otherwise) {
  const json_t *count = json_object_get(schema, keyword);
  return count ? (size_t)json_number_value(count) : otherwise;
}

static const char *array_of(sdb_cli_types *types, json_t *schema, int indent) {
  json_t *prefix = json_object_get(schema, "prefixItems"), *item;
  json_t *items = json_object_get(schema, "items");
  if (!prefix) return list_of(types, items, indent);
  open_text text;
  FILE *to = begin_text(&text);
  size_t least = count_of(schema, "minItems", 0), most = count_of(schema, "maxItems", SIZE_MAX), i;
  putc('[', to);
  json_array_foreach(prefix, i, item) {
    if (i == most) break;
    const char *type = as_part(types, type_of(types, item, ANY, indent));
    fprintf(to, "%s%s%s", i ? ", " : "", type, i < least ? "" : "?");
  }
  if (!json_is_false(items) && most > json_array_size(prefix))
    fprintf(to, ", ...%s", list_of(types, items, indent));
  putc(']', to);
  return end_text(types, &text);
}

static bool is_required(const json_t *schema, const char *name) {
  size_t i;
  json_t *required;
  json_array_foreach(json_object_get(schema, "required"), i, required) {
    if (strcmp(json_string_value(required), name) == 0) return true;
  }
  return false;
}

static void write_property(FILE *to, const char *name, bool required, const char *type,
    const json_t *comment, int indent) {
  sdb_cli_types_comment(to, comment, indent);
  fprintf(to, "%*s", indent, "");
  write_name(to, name);
  fprintf(to, "%s: %s;\n", required ? "" : "?", type);
}

/* The names that `propertyNames` lets in, where it lists them; or NULL. */
static json_t *listed_names(const json_t *schema) {
  json_t *names = json_object_get(json_object_get(schema, "propertyNames"), "enum"), *name;
  size_t i;
  json_array_foreach(names, i, name) {
    if (!json_is_string(name)) return NULL;
  }
  return names;
}

/* Properties that are named elsewhere than in `properties`, each once. */
static void write_others(
    FILE *to, const json_t *schema, json_t *names, const char *type, int indent) {
  json_t *properties = json_object_get(schema, "properties"), *name;
  size_t i;
  json_array_foreach(names, i, name) {
    const char *text = json_string_value(name);
    if (json_object_get(properties, text)) continue;
    write_property(to, text, is_required(schema, text), type, NULL, indent);
  }
}

static const char *object_of(sdb_cli_types *types, json_t *schema, int indent) {
  json_t *additional = json_object_get(schema, "additionalProperties"), *property;
  json_t *properties = json_object_get(schema, "properties"), *names = listed_names(schema);
  const char *name, *other = additional ? type_of(types, additional, ANY, indent + 2) : "unknown";
  open_text text;
  FILE *to = begin_text(&text);
  json_t *more = names ? names : json_object_get(schema, "required");
  if (json_object_size(properties) == 0 && json_array_size(more) == 0) {
    fprintf(to, "{ [key: string]: %s }", other);
    return end_text(types, &text);
  }
  fputs("{\n", to);
  json_object_foreach(properties, name, property) {
    write_property(to, name, is_required(schema, name), type_of(types, property, ANY, indent + 2),
        json_object_get(property, "description"), indent + 2);
  }
  if (strcmp(other, "never") != 0) write_others(to, schema, more, other, indent + 2);
  /* an index signature speaks of the named properties too: it can say nothing of the others */
  if (!names && strcmp(other, "never") != 0)
    fprintf(to, "%*s[key: string]: unknown;\n", indent + 2, "");
  fprintf(to, "%*s}", indent, "");
  return end_text(types, &text);
}

/* ---- schemas ---- */

static unsigned types_said(const json_t *schema, unsigned assumed) {
  json_t *type = json_object_get(schema, "type");
  if (!type) return assumed;
  unsigned said = 0;
  for (size_t i = 0; i < (json_is_array(type) ? json_array_size(type) : 1); i++) {
    const char *name = json_string_value(json_is_array(type) ? json_array_get(type, i) : type);
    for (size_t k = 0; k < sizeof(TYPES) / sizeof(TYPES[0]); k++)
      if (strcmp(name, TYPES[k].name) == 0) said |= TYPES[k].type;
  }
  return said & assumed;
}

static bool has_any(const json_t *schema, const char *const *keywords) {
  for (; *keywords; keywords++)
    if (json_object_get(schema, *keywords)) return true;
  return false;
}

/* What the types say, with what is said of their parts; NULL: nothing that `more` does not. */
static const char *base_of(
    sdb_cli_types *types, json_t *schema, unsigned said, bool more, int indent) {
  static const char *const PARTS[] = {"properties", "required", "additionalProperties",
      "propertyNames", "items", "prefixItems", NULL};
  if (said == ANY || (more && !has_any(schema, PARTS))) return NULL;
  parts list = {NULL, 0};
  bool whole = types->whole;
  types->whole = false;
  if (said & STRINGS) add(types, &list, "string");
  if (said & NUMBERS) add(types, &list, "number");
  if (said & BOOLEANS) add(types, &list, "boolean");
  if (said & ARRAYS) add(types, &list, array_of(types, schema, indent));
  if (said & OBJECTS) add(types, &list, object_of(types, schema, indent));
  if (said & NULLS) add(types, &list, "null");
  types->whole = whole;
  return union_of(types, &list);
}

/* Adds what anyOf and oneOf, allOf and $ref say. */
static void add_combined(
    sdb_cli_types *types, json_t *schema, unsigned said, int indent, parts *list) {
  static const char *const ALTERNATIVES[] = {"anyOf", "oneOf"};
  json_t *one;
  size_t i;
  const char *reference = json_string_value(json_object_get(schema, "$ref"));
  if (reference && types->whole)
    add(types, list, type_of(types, resolve(types, reference), said, indent));
  else if (reference)
    add(types, list, name_reference(types, reference));
  for (size_t k = 0; k < 2; k++) {
    parts alternatives = {NULL, 0};
    json_t *schemas = json_object_get(schema, ALTERNATIVES[k]);
    json_array_foreach(schemas, i, one)
        add(types, &alternatives, type_of(types, one, said, indent));
    if (schemas) add(types, list, union_of(types, &alternatives));
  }
  json_array_foreach(json_object_get(schema, "allOf"), i, one)
      add(types, list, type_of(types, one, said, indent));
}

static bool is_everything(const json_t *schema) {
  return json_is_true(schema) || (json_is_object(schema) && json_object_size(schema) == 0);
}

/* The type of the values that a schema takes, of those that are of the types `assumed`. */
static const char *type_of(sdb_cli_types *types, json_t *schema, unsigned assumed, int indent) {
  if (json_is_false(schema) || is_everything(json_object_get(schema, "not"))) return "never";
  unsigned said = types_said(schema, assumed);
  const char *literals = literals_of(types, schema, said);
  if (literals) return literals;
  parts list = {NULL, 0}, whole = {NULL, 0};
  add_combined(types, schema, said, indent, &list);
  const char *base = base_of(types, schema, said, list.count > 0, indent);
  if (base) add(types, &whole, base);
  for (size_t i = 0; i < list.count; i++)
    add(types, &whole, list.items[i]);
  return intersection_of(types, &whole);
}

/* ---- declarations ---- */

static void declare(FILE *to, const char *name, const char *type, const json_t *comment) {
  sdb_cli_types_comment(to, comment, 0);
  if (type[0] == '{' && !has_mark(type, '|') && !has_mark(type, '&'))
    fprintf(to, "export interface %s %s\n", name, type);
  else
    fprintf(to, "export type %s = %s;\n", name, type);
}

/* Declares what was referred to, which may refer to more, and forgets it: another root follows. */
static void declare_references(sdb_cli_types *types, FILE *to) {
  for (size_t i = 0; i < json_array_size(types->pending); i++) {
    const char *reference = json_string_value(json_array_get(types->pending, i));
    json_t *schema = resolve(types, reference);
    putc('\n', to);
    declare(to, name_reference(types, reference), type_of(types, schema, ANY, 0),
        json_object_get(schema, "description"));
  }
  json_array_clear(types->pending);
  json_object_clear(types->references);
}

void sdb_cli_types_schema(sdb_cli_types *types, FILE *to, const char *name, json_t *schema) {
  types->root = schema;
  types->prefix = name;
  if (json_object_set_new(types->references, "#", json_string(name)) != 0) (void)need(NULL);
  types->whole = true;
  const char *type = type_of(types, schema, OBJECTS, 0);
  types->whole = false;
  declare(to, name, type, json_object_get(schema, "description"));
  declare_references(types, to);
}

/* ---- fields ---- */

/* A field's type; what it refers to is declared to `more`. NULL: its schema cannot be read. */
static const char *field_type(
    sdb_cli_types *types, FILE *more, const char *store, const sdb_field *field, const char **why) {
  static const unsigned OF_FIELDS[] = {[SDB_TYPE_STRING] = STRINGS,
      [SDB_TYPE_INTEGER] = NUMBERS,
      [SDB_TYPE_NUMBER] = NUMBERS,
      [SDB_TYPE_BOOLEAN] = BOOLEANS,
      [SDB_TYPE_JSON] = ANY};
  json_error_t error;
  parts list = {NULL, 0};
  json_t *schema = field->schema ? sdb_cli_types_parse(field->schema, strlen(field->schema), &error)
                                 : json_true();
  if (!schema) {
    *why = format(types, "the schema of the field %s: %s", field->name, error.text);
    return NULL;
  }
  types->root = schema;
  types->prefix = format(types, "%s%s", store, sdb_cli_types_capital(types, field->name));
  add(types, &list, type_of(types, schema, OF_FIELDS[field->type], 2));
  declare_references(types, more);
  json_decref(schema);
  if (field->nullable) add(types, &list, "null");
  return union_of(types, &list);
}

bool sdb_cli_types_fields(
    sdb_cli_types *types, FILE *to, const char *name, const sdb_field *fields, const char **why) {
  open_text text, later;
  FILE *object = begin_text(&text), *more = begin_text(&later);
  const sdb_field *field = fields;
  fputs("{\n", object);
  for (; field->name; field++) {
    const char *type = field_type(types, more, name, field, why);
    if (!type) break;
    write_property(object, field->name, !field->optional, type, NULL, 2);
  }
  fputs(field == fields ? "  [key: string]: never;\n}" : "}", object);
  const char *whole = end_text(types, &text), *declared = end_text(types, &later);
  if (field->name) return false;
  declare(to, name, whole, NULL);
  fputs(declared, to);
  return true;
}

/* ---- the writer ---- */

void sdb_cli_types_init(sdb_cli_types *types) {
  *types = (sdb_cli_types){.taken = need(json_object()),
      .references = need(json_object()),
      .pending = need(json_array())};
}

void sdb_cli_types_free(sdb_cli_types *types) {
  json_decref(types->taken);
  json_decref(types->references);
  json_decref(types->pending);
  for (struct kept_text *kept = types->all, *next; kept; kept = next) {
    next = kept->next;
    free(kept->text);
    free(kept);
  }
}
