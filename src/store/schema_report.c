/* store/schema_report.c: what a failed check tells people: a JSON Pointer and a sentence.
 *
 * The path is found from the failing token alone, by walking down from the root: a check need not
 * keep track of where it is. Sentences name what was expected, and begin with the pointer, so that
 * they can stand alone. They hold no value of the object: it may be private, and messages are
 * logged.
 */
#include "base/error.h"
#include "store/schema.h"

#define KEY_BYTES_MAX 1024 /* a longer key is shown as it stands, cut anyway */
#define VALUES_TOLD_MAX 8  /* of an enum */
#define VALUE_BYTES_TOLD_MAX 64
#define PATH_BYTES_TOLD_MAX 120 /* in the message; error->path has more of it */

/* ---- paths ---- */

void sdb_schema_path_append(char *path, sdb_slice name) {
  sdb_text_append(path, SDB_ERROR_PATH_SIZE, sdb_slice_of("/"));
  size_t from = 0;
  for (size_t i = 0;; i++) {
    char c = i < name.size ? name.data[i] : '~';
    if (c != '~' && c != '/' && c != 0) continue;
    sdb_text_append(path, SDB_ERROR_PATH_SIZE, sdb_slice_make(name.data + from, i - from));
    from = i + 1;
    if (i == name.size) return;
    const char *escaped = c == '~' ? "~0" : c == '/' ? "~1" : "\xEF\xBF\xBD"; /* no NUL in a path */
    sdb_text_append(path, SDB_ERROR_PATH_SIZE, sdb_slice_of(escaped));
  }
}

static void append_key(const sdb_json *json, uint32_t key, char *path) {
  char unescaped[KEY_BYTES_MAX];
  sdb_slice name = sdb_json_text(json, key);
  if (sdb_json_at(json, key)->escaped && name.size <= sizeof(unescaped))
    name = sdb_slice_make(unescaped, sdb_json_unescape(json, key, unescaped));
  sdb_schema_path_append(path, name);
}

/* Decimal digits, at the end of `digits`. */
static const char *format_number(uint64_t number, char digits[21]) {
  char *at = digits + 20;
  *at = 0;
  do {
    *--at = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  return at;
}

bool sdb_schema_path(const sdb_json *json, uint32_t root, uint32_t target, char *path) {
  path[0] = 0;
  uint32_t at = root;
  while (at != target) {
    const sdb_json_token *token = sdb_json_at(json, at);
    SDB_ASSERT(target > at && target < token->next);
    uint32_t child = at + 1, index = 0;
    if (token->type == SDB_JSON_OBJECT) {
      while (sdb_json_at(json, child + 1)->next <= target)
        child = sdb_json_at(json, child + 1)->next;
      append_key(json, child, path);
      if (child == target) return true;
      at = child + 1;
    } else {
      char digits[21];
      for (; sdb_json_at(json, child)->next <= target; index++)
        child = sdb_json_at(json, child)->next;
      sdb_schema_path_append(path, sdb_slice_of(format_number(index, digits)));
      at = child;
    }
  }
  return false;
}

/* ---- sentences ---- */

static void say(sdb_error *error, const char *text) {
  sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(text));
}

static void say_number(sdb_error *error, const char *before, uint64_t number, const char *after) {
  char digits[21];
  say(error, before);
  say(error, format_number(number, digits));
  say(error, after);
}

static void say_cut(sdb_error *error, sdb_slice text, size_t size_max) {
  char cut[PATH_BYTES_TOLD_MAX + 1];
  SDB_ASSERT(size_max < sizeof(cut));
  sdb_text_copy(cut, size_max + 1, text);
  say(error, cut);
  if (text.size > size_max) say(error, "...");
}

/* A text of the schema, cut where it is long. */
static void say_text(sdb_error *error, sdb_slice text) {
  say_cut(error, text, VALUE_BYTES_TOLD_MAX);
}

static void say_types(sdb_error *error, unsigned types) {
  static const char *const NAMES[] = {"null", "a boolean", "an integer of 64 bits", "a number",
      "a string", "an array", "an object"};
  if (types & SDB_SCHEMA_NUMBER) types &= ~(unsigned)SDB_SCHEMA_INTEGER;
  bool first = true;
  for (unsigned i = 0; i < SDB_COUNT_OF(NAMES); i++) {
    if (!(types >> i & 1)) continue;
    if (!first) say(error, " or ");
    say(error, NAMES[i]);
    first = false;
  }
}

static void say_type_fault(sdb_error *error, unsigned expected, sdb_json_type found) {
  static const char *const FOUND[] = {[SDB_JSON_NULL] = "null",
      [SDB_JSON_FALSE] = "a boolean",
      [SDB_JSON_TRUE] = "a boolean",
      [SDB_JSON_NUMBER] = "a number",
      [SDB_JSON_STRING] = "a string",
      [SDB_JSON_ARRAY] = "an array",
      [SDB_JSON_OBJECT] = "an object"};
  say(error, " must be ");
  say_types(error, expected);
  say(error, ", not ");
  bool fraction = found == SDB_JSON_NUMBER && (expected & SDB_SCHEMA_INTEGER);
  say(error, fraction ? "a fraction or a greater number" : FOUND[found]);
}

static void say_enum(sdb_error *error, const sdb_schema_common *common) {
  say(error, common->values_count == 1 ? " must be " : " must be one of ");
  for (uint32_t i = 0; i < common->values_count; i++) {
    if (i > 0) say(error, ", ");
    if (i == VALUES_TOLD_MAX) {
      say(error, "...");
      return;
    }
    say_text(error, sdb_json_raw(common->source, common->values[i]));
  }
}

/* A bound given as a double has no text: it is told only where it is a whole number. */
static void say_bound(
    sdb_error *error, const char *is, const sdb_schema_bound *bound, const char *or_equal) {
  say(error, " must be ");
  if (bound->kind == SDB_BOUND_TEXT) {
    say(error, is);
    say_text(error, bound->text);
    say(error, or_equal);
    return;
  }
  say(error, "within the limits of its field");
}

static void say_number_fault(sdb_error *error, const sdb_schema_failure *failure) {
  const sdb_schema_number *number = failure->schema->number;
  switch (failure->fault) {
  case SDB_FAULT_MINIMUM:
    say_bound(error, "", &number->minimum, " or more");
    return;
  case SDB_FAULT_MAXIMUM:
    say_bound(error, "", &number->maximum, " or less");
    return;
  case SDB_FAULT_EXCLUSIVE_MINIMUM:
    say_bound(error, "more than ", &number->exclusive_minimum, "");
    return;
  case SDB_FAULT_EXCLUSIVE_MAXIMUM:
    say_bound(error, "less than ", &number->exclusive_maximum, "");
    return;
  default:
    say(error, " must be a multiple of ");
    say_text(error, number->multiple_of);
  }
}

static void say_size_fault(
    sdb_error *error, const sdb_schema_failure *failure, const sdb_json_token *token) {
  const sdb_schema *schema = failure->schema;
  switch (failure->fault) {
  case SDB_FAULT_PROPERTIES_MIN:
    say_number(error, " must have ", schema->object->count_min, " properties or more");
    return;
  case SDB_FAULT_PROPERTIES_MAX:
    say_number(error, " must have ", schema->object->count_max, " properties or less");
    return;
  case SDB_FAULT_ITEMS_MIN:
    say_number(error, " must have ", schema->array->count_min, " items or more, not ");
    break;
  case SDB_FAULT_ITEMS_MAX:
    say_number(error, " must have ", schema->array->count_max, " items or less, not ");
    break;
  case SDB_FAULT_LENGTH_MIN:
    say_number(error, " must have ", schema->string->length_min, " characters or more, not ");
    break;
  default:
    say_number(error, " must have ", schema->string->length_max, " characters or less, not ");
    break;
  }
  say_number(error, "", token->count, "");
}

static void say_value_fault(sdb_error *error, const sdb_schema_failure *failure) {
  const sdb_schema *schema = failure->schema;
  switch (failure->fault) {
  case SDB_FAULT_CONST:
    say(error, " must be ");
    say_text(error, sdb_json_raw(schema->common->source, schema->common->constant));
    return;
  case SDB_FAULT_ENUM:
    say_enum(error, schema->common);
    return;
  case SDB_FAULT_PATTERN:
    say(error, " must match the pattern ");
    say_text(error, schema->string->pattern);
    return;
  case SDB_FAULT_FORMAT:
    say(error, " must be ");
    say(error, sdb_schema_format_text(schema->string->format));
    return;
  case SDB_FAULT_ANY_OF:
    say_number(error, " matches none of the ", schema->common->any.count, " schemas of anyOf");
    return;
  case SDB_FAULT_ONE_OF_NONE:
    say_number(error, " matches none of the ", schema->common->one.count, " schemas of oneOf");
    return;
  default:
    say_number_fault(error, failure);
  }
}

static void say_fault(
    sdb_error *error, const sdb_schema_failure *failure, const sdb_json_token *token) {
  switch (failure->fault) {
  case SDB_FAULT_TYPE:
    say_type_fault(error, failure->schema->types, token->type);
    return;
  case SDB_FAULT_NEVER:
    say(error, " is not allowed");
    return;
  case SDB_FAULT_REQUIRED:
    say(error, " is required");
    return;
  case SDB_FAULT_ADDITIONAL:
    say(error, " is not a property that the schema knows");
    return;
  case SDB_FAULT_UNIQUE:
    say(error, " repeats an earlier item");
    return;
  case SDB_FAULT_ONE_OF_SEVERAL:
    say(error, " matches more than one schema of oneOf");
    return;
  case SDB_FAULT_NOT:
    say(error, " must not match the schema of not");
    return;
  case SDB_FAULT_STEPS:
    say(error, " takes too many steps to check against the schema");
    return;
  case SDB_FAULT_DEPTH:
    say(error, " is nested too deep for the schema");
    return;
  case SDB_FAULT_PATTERN_LIMIT:
    say(error, " takes too many steps to match the pattern ");
    say_text(error, failure->schema->string->pattern);
    return;
  case SDB_FAULT_PROPERTIES_MIN:
  case SDB_FAULT_PROPERTIES_MAX:
  case SDB_FAULT_ITEMS_MIN:
  case SDB_FAULT_ITEMS_MAX:
  case SDB_FAULT_LENGTH_MIN:
  case SDB_FAULT_LENGTH_MAX:
    say_size_fault(error, failure, token);
    return;
  default:
    say_value_fault(error, failure);
  }
}

sdb_status sdb_schema_report(const sdb_schema_failure *failure, const sdb_json *json, uint32_t root,
    sdb_status status, const char *prefix, sdb_error *error) {
  if (failure->fault == SDB_FAULT_NO_MEMORY)
    return sdb_error_set(error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
  sdb_error_set(error, status, prefix, NULL, NULL);
  if (!error) return status;
  const sdb_json_token *token = sdb_json_at(json, failure->at);
  error->offset = token->start;
  bool is_name = sdb_schema_path(json, root, failure->at, error->path);
  if (failure->fault == SDB_FAULT_REQUIRED) sdb_schema_path_append(error->path, failure->missing);
  if (is_name) say(error, "the name of ");
  say_cut(error, sdb_slice_of(error->path[0] ? error->path : "the object"), PATH_BYTES_TOLD_MAX);
  say_fault(error, failure, token);
  return status;
}
