/* store/schema_check.c: whether a scanned object matches a compiled schema.
 *
 * One walk over nodes and tokens together, that allocates nothing for ordinary objects. What a
 * failed check leaves is a few words (sdb_schema_failure): inside anyOf and not, failing is the
 * usual case, and the message is made only where somebody reads it (schema_report.c).
 *
 * Work is bounded whatever the object: every node visited, key compared and value hashed is a
 * step, and a check has so many steps a value of the object. Depth is bounded too. Giving up is a
 * fault of its own, which no anyOf or not may turn into another verdict.
 *
 * The top-level key `$createdAt` belongs to the protocol. It is passed over wherever the root is
 * looked at: not counted, not compared, not an additional property.
 */
#include "store/schema.h"

#define UNESCAPE_STACK_SIZE 512
#define LONG_NAME_STEPS 8

static const uint8_t TYPE_BITS[] = {
    [SDB_JSON_NULL] = SDB_SCHEMA_NULL,
    [SDB_JSON_FALSE] = SDB_SCHEMA_BOOLEAN,
    [SDB_JSON_TRUE] = SDB_SCHEMA_BOOLEAN,
    [SDB_JSON_NUMBER] = SDB_SCHEMA_NUMBER,
    [SDB_JSON_STRING] = SDB_SCHEMA_STRING,
    [SDB_JSON_ARRAY] = SDB_SCHEMA_ARRAY,
    [SDB_JSON_OBJECT] = SDB_SCHEMA_OBJECT,
};

static bool check_value(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at);

bool sdb_schema_fail(
    sdb_schema_checker *checker, sdb_schema_fault fault, const sdb_schema *schema, uint32_t at) {
  checker->failure.fault = fault;
  checker->failure.schema = schema;
  checker->failure.at = at;
  return false;
}

bool sdb_schema_spend(sdb_schema_checker *checker, uint64_t steps, uint32_t at) {
  if (SDB_LIKELY(steps <= checker->steps)) {
    checker->steps -= steps;
    return true;
  }
  checker->steps = 0;
  return sdb_schema_fail(checker, SDB_FAULT_STEPS, NULL, at);
}

/* Whether the check was given up: the verdict is then settled, whatever holds this value. */
static bool gave_up(const sdb_schema_checker *checker) {
  return checker->failure.fault >= SDB_FAULT_STEPS;
}

/* ---- objects ---- */

/* The index of the property of this name, or object->count. */
static uint32_t find_name(const sdb_schema_object *object, sdb_slice name) {
  const sdb_schema_property *properties = object->properties;
  if (!object->slots) {
    uint32_t i = 0;
    while (i < object->count && !sdb_slice_equal(properties[i].name, name))
      i++;
    return i;
  }
  uint32_t slot = sdb_schema_name_hash(name) & object->slots_mask;
  for (; object->slots[slot]; slot = (slot + 1) & object->slots_mask) {
    uint32_t i = object->slots[slot] - 1U;
    if (sdb_slice_equal(properties[i].name, name)) return i;
  }
  return object->count;
}

/* The same for an escaped key. One that is too long for the stack is compared name by name. */
static uint32_t find_escaped(
    sdb_schema_checker *checker, const sdb_schema_object *object, uint32_t key) {
  char name[UNESCAPE_STACK_SIZE];
  if (sdb_json_text(checker->json, key).size <= sizeof(name))
    return find_name(object, sdb_slice_make(name, sdb_json_unescape(checker->json, key, name)));
  uint32_t i = 0;
  while (i < object->count && sdb_schema_spend(checker, LONG_NAME_STEPS, key) &&
         !sdb_json_string_is(checker->json, key, object->properties[i].name))
    i++;
  return i;
}

/* The property named by `key`, or NULL. Keys mostly come in the schema's order, so the one at
 * `*hint`, behind the one found before, is tried first. */
static const sdb_schema_property *find_property(
    sdb_schema_checker *checker, const sdb_schema_object *object, uint32_t key, uint32_t *hint) {
  const sdb_json_token *token = &checker->json->tokens[key];
  const sdb_schema_property *properties = object->properties;
  uint32_t found = *hint;
  if (SDB_UNLIKELY(token->escaped)) {
    found = find_escaped(checker, object, key);
  } else {
    sdb_slice name = sdb_slice_make(checker->json->text + token->start, token->end - token->start);
    if (found >= object->count || !sdb_slice_equal(properties[found].name, name))
      found = find_name(object, name);
  }
  if (found == object->count) return NULL;
  *hint = found + 1;
  return &properties[found];
}

/* Sets the failure to the first required property that is missing: the caller counted one. */
static bool fail_required(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_object *object = schema->object;
  for (uint32_t i = 0;; i++) {
    SDB_ASSERT(i < object->count);
    if (!object->properties[i].required) continue;
    if (!sdb_schema_spend(checker, checker->json->tokens[at].count + 1U, at)) return false;
    if (sdb_json_member(checker->json, at, object->properties[i].name)) continue;
    checker->failure.missing = object->properties[i].name;
    return sdb_schema_fail(checker, SDB_FAULT_REQUIRED, schema, at);
  }
}

static bool check_object(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_object *object = schema->object;
  const sdb_json_token *tokens = checker->json->tokens;
  uint32_t count = tokens[at].count - (at == checker->root && checker->created_at);
  if (count < object->count_min)
    return sdb_schema_fail(checker, SDB_FAULT_PROPERTIES_MIN, schema, at);
  if (count > object->count_max)
    return sdb_schema_fail(checker, SDB_FAULT_PROPERTIES_MAX, schema, at);
  uint32_t required = 0, hint = 0, end = tokens[at].next;
  for (uint32_t key = at + 1; key < end; key = tokens[key + 1].next) {
    if (key == checker->created_at) continue;
    if (!sdb_schema_spend(checker, 1, key)) return false;
    if (object->names && !check_value(checker, object->names, key)) return false;
    const sdb_schema_property *property = find_property(checker, object, key, &hint);
    if (SDB_UNLIKELY(gave_up(checker))) return false;
    if (property) required += property->required;
    if (property && property->schema) {
      if (!check_value(checker, property->schema, key + 1)) return false;
    } else if (object->additional) {
      if (object->additional->types == 0)
        return sdb_schema_fail(checker, SDB_FAULT_ADDITIONAL, schema, key + 1);
      if (!check_value(checker, object->additional, key + 1)) return false;
    }
  }
  if (required == object->required_count) return true;
  return fail_required(checker, schema, at);
}

/* ---- arrays, strings, numbers ---- */

static bool check_array(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_array *array = schema->array;
  const sdb_json_token *tokens = checker->json->tokens;
  uint32_t count = tokens[at].count;
  if (count < array->count_min) return sdb_schema_fail(checker, SDB_FAULT_ITEMS_MIN, schema, at);
  if (count > array->count_max) return sdb_schema_fail(checker, SDB_FAULT_ITEMS_MAX, schema, at);
  uint32_t item = at + 1;
  for (uint32_t i = 0; i < count && i < array->prefix_count; i++, item = tokens[item].next) {
    if (!check_value(checker, array->prefix[i], item)) return false;
  }
  if (array->items) {
    for (uint32_t end = tokens[at].next; item < end; item = tokens[item].next) {
      if (!check_value(checker, array->items, item)) return false;
    }
  }
  return !array->unique || count < 2 || sdb_schema_check_unique(checker, schema, at);
}

static bool check_text(
    sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at, sdb_slice text) {
  const sdb_schema_string *string = schema->string;
  if (string->format && !sdb_schema_format_is(string->format, text))
    return sdb_schema_fail(checker, SDB_FAULT_FORMAT, schema, at);
  if (!string->compiled) return true;
  const sdb_pattern_port *port = checker->set->patterns;
  int found = port->match(port->context, string->compiled, text, &checker->pattern_steps);
  if (found > 0) return true;
  sdb_schema_fault fault = found == 0    ? SDB_FAULT_PATTERN
                           : found == -1 ? SDB_FAULT_PATTERN_LIMIT
                                         : SDB_FAULT_NO_MEMORY;
  return sdb_schema_fail(checker, fault, schema, at);
}

static bool check_string(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_string *string = schema->string;
  const sdb_json_token *token = &checker->json->tokens[at];
  if (token->count < string->length_min)
    return sdb_schema_fail(checker, SDB_FAULT_LENGTH_MIN, schema, at);
  if (token->count > string->length_max)
    return sdb_schema_fail(checker, SDB_FAULT_LENGTH_MAX, schema, at);
  if (!string->format && !string->compiled) return true;
  sdb_slice text = sdb_json_text(checker->json, at);
  if (!token->escaped) return check_text(checker, schema, at, text);
  char stack[UNESCAPE_STACK_SIZE];
  char *unescaped = stack;
  if (text.size > sizeof(stack)) unescaped = sdb_mem_alloc(checker->set->mem, text.size);
  if (!unescaped) return sdb_schema_fail(checker, SDB_FAULT_NO_MEMORY, NULL, at);
  text = sdb_slice_make(unescaped, sdb_json_unescape(checker->json, at, unescaped));
  bool matches = check_text(checker, schema, at, text);
  if (unescaped != stack) sdb_mem_free(checker->set->mem, unescaped);
  return matches;
}

/* How the number compares with the bound: below 0, 0, above 0. */
static int compare_bound(
    const sdb_schema_checker *checker, uint32_t at, const sdb_schema_bound *bound) {
  if (bound->kind == SDB_BOUND_TEXT)
    return sdb_json_number_compare(sdb_json_text(checker->json, at), bound->text);
  double value = sdb_json_double(checker->json, at);
  return (value > bound->number) - (value < bound->number);
}

static bool check_number(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_number *number = schema->number;
  if (number->minimum.kind && compare_bound(checker, at, &number->minimum) < 0)
    return sdb_schema_fail(checker, SDB_FAULT_MINIMUM, schema, at);
  if (number->maximum.kind && compare_bound(checker, at, &number->maximum) > 0)
    return sdb_schema_fail(checker, SDB_FAULT_MAXIMUM, schema, at);
  if (number->exclusive_minimum.kind && compare_bound(checker, at, &number->exclusive_minimum) <= 0)
    return sdb_schema_fail(checker, SDB_FAULT_EXCLUSIVE_MINIMUM, schema, at);
  if (number->exclusive_maximum.kind && compare_bound(checker, at, &number->exclusive_maximum) >= 0)
    return sdb_schema_fail(checker, SDB_FAULT_EXCLUSIVE_MAXIMUM, schema, at);
  if (number->multiple_of.size &&
      !sdb_json_number_multiple(sdb_json_text(checker->json, at), number->multiple_of))
    return sdb_schema_fail(checker, SDB_FAULT_MULTIPLE_OF, schema, at);
  return true;
}

/* ---- what applies to every type ---- */

/* How many steps comparing this value may take: looking for a key goes through all of them. */
static uint64_t equal_cost(const sdb_json *json, uint32_t at) {
  uint64_t cost = 1;
  const sdb_json_token *tokens = json->tokens;
  for (uint32_t i = at; i < tokens[at].next; i++) {
    uint64_t count = tokens[i].count;
    cost += tokens[i].type == SDB_JSON_OBJECT && count > 16 ? count * count / 4 : 1;
  }
  return cost;
}

bool sdb_schema_equal(sdb_schema_checker *checker, const sdb_json *a, uint32_t at_a,
    const sdb_json *b, uint32_t at_b) {
  const sdb_json_token *token_a = &a->tokens[at_a], *token_b = &b->tokens[at_b];
  if (token_a->type != token_b->type || token_a->count != token_b->count) return false;
  if (token_a->type >= SDB_JSON_ARRAY && !sdb_schema_spend(checker, equal_cost(b, at_b), at_b))
    return false;
  return sdb_json_equal(a, at_a, b, at_b);
}

/* The same where `at` is the root, whose `$createdAt` is passed over. */
static bool equal_without_created_at(
    sdb_schema_checker *checker, const sdb_json *source, uint32_t value, uint32_t at) {
  const sdb_json_token *tokens = source->tokens;
  const sdb_json *json = checker->json;
  if (tokens[value].type != SDB_JSON_OBJECT || tokens[value].count + 1 != json->tokens[at].count)
    return false;
  if (!sdb_schema_spend(checker, equal_cost(json, at), at)) return false;
  for (uint32_t key = at + 1; key < json->tokens[at].next; key = json->tokens[key + 1].next) {
    if (key == checker->created_at) continue;
    uint32_t other = value + 1, end = tokens[value].next;
    while (other < end && !sdb_json_equal(json, key, source, other))
      other = tokens[other + 1].next;
    if (other >= end || !sdb_json_equal(json, key + 1, source, other + 1)) return false;
  }
  return true;
}

static bool equal_value(
    sdb_schema_checker *checker, const sdb_json *source, uint32_t value, uint32_t at) {
  if (at == checker->root && checker->created_at)
    return equal_without_created_at(checker, source, value, at);
  return sdb_schema_equal(checker, source, value, checker->json, at);
}

static bool check_values(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_common *common = schema->common;
  if (common->constant && !equal_value(checker, common->source, common->constant, at))
    return gave_up(checker) ? false : sdb_schema_fail(checker, SDB_FAULT_CONST, schema, at);
  if (common->values_count == 0) return true;
  if (!sdb_schema_spend(checker, common->values_count / 16, at)) return false;
  for (uint32_t i = 0; i < common->values_count; i++) {
    if (equal_value(checker, common->source, common->values[i], at)) return true;
    if (gave_up(checker)) return false;
  }
  return sdb_schema_fail(checker, SDB_FAULT_ENUM, schema, at);
}

/* Of the failures of several alternatives, the one that got furthest is the one to tell: mostly
 * that of the alternative that was meant. Two that got as far tell nothing. */
typedef struct best_failure {
  sdb_schema_failure failure;
  uint32_t reached; /* a missing property is noticed at the object's end */
  bool tie;
} best_failure;

static void consider(best_failure *best, const sdb_schema_checker *checker) {
  const sdb_schema_failure *failure = &checker->failure;
  uint32_t reached = failure->at;
  if (failure->fault == SDB_FAULT_REQUIRED) reached = checker->json->tokens[failure->at].next;
  if (best->failure.fault && reached <= best->reached) {
    best->tie = best->tie || reached == best->reached;
    return;
  }
  *best = (best_failure){*failure, reached, false};
}

/* How many of the list match, counting no further than `enough`. */
static uint32_t count_matches(sdb_schema_checker *checker, const sdb_schema_list *list, uint32_t at,
    uint32_t enough, best_failure *best) {
  uint32_t matches = 0;
  for (uint32_t i = 0; i < list->count && matches < enough; i++) {
    if (check_value(checker, list->schemas[i], at)) {
      matches++;
      continue;
    }
    if (gave_up(checker)) return 0;
    consider(best, checker);
  }
  return matches;
}

/* Sets the failure of a value that no alternative matches. */
static bool fail_alternatives(sdb_schema_checker *checker, const best_failure *best,
    sdb_schema_fault fault, const sdb_schema *schema, uint32_t at) {
  if (best->tie || best->reached == at) return sdb_schema_fail(checker, fault, schema, at);
  checker->failure = best->failure;
  return false;
}

static bool check_any(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  best_failure best = {.reached = at};
  if (count_matches(checker, &schema->common->any, at, 1, &best)) return true;
  if (gave_up(checker)) return false;
  return fail_alternatives(checker, &best, SDB_FAULT_ANY_OF, schema, at);
}

static bool check_one(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  best_failure best = {.reached = at};
  uint32_t matches = count_matches(checker, &schema->common->one, at, 2, &best);
  if (gave_up(checker)) return false;
  if (matches == 1) return true;
  if (matches == 2) return sdb_schema_fail(checker, SDB_FAULT_ONE_OF_SEVERAL, schema, at);
  return fail_alternatives(checker, &best, SDB_FAULT_ONE_OF_NONE, schema, at);
}

static bool check_common(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  const sdb_schema_common *common = schema->common;
  if (common->source && !check_values(checker, schema, at)) return false;
  if (common->reference && !check_value(checker, common->reference, at)) return false;
  for (uint32_t i = 0; i < common->all.count; i++) {
    if (!check_value(checker, common->all.schemas[i], at)) return false;
  }
  if (common->any.count && !check_any(checker, schema, at)) return false;
  if (common->one.count && !check_one(checker, schema, at)) return false;
  if (!common->negated) return true;
  if (check_value(checker, common->negated, at))
    return sdb_schema_fail(checker, SDB_FAULT_NOT, schema, at);
  return !gave_up(checker);
}

/* ---- any value ---- */

static bool type_matches(const sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  uint32_t type = checker->json->tokens[at].type;
  if (SDB_LIKELY(schema->types & TYPE_BITS[type])) return true;
  if (type != SDB_JSON_NUMBER || !(schema->types & SDB_SCHEMA_INTEGER)) return false;
  int64_t value;
  uint64_t positive;
  return sdb_json_int64(checker->json, at, &value) || sdb_json_uint64(checker->json, at, &positive);
}

static bool check_parts(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  switch ((sdb_json_type)checker->json->tokens[at].type) {
  case SDB_JSON_OBJECT:
    if (schema->object && !check_object(checker, schema, at)) return false;
    break;
  case SDB_JSON_ARRAY:
    if (schema->array && !check_array(checker, schema, at)) return false;
    break;
  case SDB_JSON_STRING:
    if (schema->string && !check_string(checker, schema, at)) return false;
    break;
  case SDB_JSON_NUMBER:
    if (schema->number && !check_number(checker, schema, at)) return false;
    break;
  case SDB_JSON_NULL:
  case SDB_JSON_FALSE:
  case SDB_JSON_TRUE:
    break;
  }
  return !schema->common || check_common(checker, schema, at);
}

static bool check_value(sdb_schema_checker *checker, const sdb_schema *schema, uint32_t at) {
  if (SDB_UNLIKELY(!sdb_schema_spend(checker, 1, at))) return false;
  if (SDB_UNLIKELY(!type_matches(checker, schema, at)))
    return sdb_schema_fail(checker, schema->types ? SDB_FAULT_TYPE : SDB_FAULT_NEVER, schema, at);
  if (SDB_UNLIKELY(checker->depth == SDB_CHECK_DEPTH_MAX))
    return sdb_schema_fail(checker, SDB_FAULT_DEPTH, NULL, at);
  checker->depth++;
  bool matches = check_parts(checker, schema, at);
  checker->depth--;
  return matches;
}

/* The token of the object's key `$createdAt`, or 0. */
static uint32_t find_created_at(const sdb_json *json, uint32_t object) {
  const sdb_json_token *tokens = json->tokens;
  for (uint32_t key = object + 1; key < tokens[object].next; key = tokens[key + 1].next) {
    bool may_be = tokens[key].escaped || json->text[tokens[key].start] == '$';
    if (may_be && sdb_json_string_is(json, key, sdb_slice_of("$createdAt"))) return key;
  }
  return 0;
}

bool sdb_schema_check(const sdb_schema_set *set, const sdb_schema *schema, const sdb_json *json,
    uint32_t at, sdb_schema_failure *failure) {
  const sdb_json_token *token = sdb_json_at(json, at);
  sdb_schema_checker checker = {.set = set, .json = json, .root = at};
  if (token->type == SDB_JSON_OBJECT) checker.created_at = find_created_at(json, at);
  checker.steps = SDB_CHECK_STEPS_BASE + (uint64_t)(token->next - at) * SDB_CHECK_STEPS_PER_VALUE;
  checker.pattern_steps = SDB_CHECK_PATTERN_STEPS_BASE +
                          (uint64_t)(token->end - token->start) * SDB_CHECK_PATTERN_STEPS_PER_BYTE;
  if (SDB_LIKELY(check_value(&checker, schema, at))) return true;
  SDB_ASSERT(checker.failure.fault != SDB_FAULT_NONE);
  *failure = checker.failure;
  return false;
}
