/* store/rules.c: what clients may do: declared rules, then the function.
 *
 * Declared rules are a JSON Schema per action, which the object must match: for a delete, the
 * object that is to go. Where rules are declared, an action that they do not name is refused: who
 * forgets one finds out at once, and nothing is let in by leaving it out. A store without declared
 * rules leaves everything to its function, and without that everything is allowed.
 *
 * A refusal's message reaches the user as a JSON string, so what a function gives is made UTF-8.
 */
#include "base/error.h"
#include "store/store_private.h"

static const char *const ACTIONS[] = {"create", "update", "delete"};

const char *sdb_action_name(sdb_action action) {
  SDB_ASSERT(action >= SDB_ACTION_CREATE && action <= SDB_ACTION_DELETE);
  return ACTIONS[action - SDB_ACTION_CREATE];
}

/* ---- definition ---- */

static sdb_status refuse(
    const sdb_json *source, uint32_t at, const char *message, sdb_error *error) {
  sdb_error_set(error, SDB_BAD_DEFINITION, message, NULL, NULL);
  if (!error) return SDB_BAD_DEFINITION;
  error->offset = sdb_json_at(source, at)->start;
  (void)sdb_schema_path(source, 0, at, error->path);
  return SDB_BAD_DEFINITION;
}

static sdb_status compile_rule(
    sdb_store *store, const sdb_json *source, uint32_t at, sdb_rule *rule, sdb_error *error) {
  uint32_t type = sdb_json_at(source, at)->type;
  rule->kind = type == SDB_JSON_TRUE    ? SDB_RULE_ALLOW
               : type == SDB_JSON_FALSE ? SDB_RULE_REFUSE
                                        : SDB_RULE_SCHEMA;
  if (rule->kind != SDB_RULE_SCHEMA) return SDB_OK;
  return sdb_schema_compile(&store->set, source, at, true, &rule->schema, error);
}

sdb_status sdb_rules_compile(sdb_store *store, sdb_slice text, sdb_error *error) {
  const sdb_json *source;
  sdb_status status = sdb_schema_source_add(&store->set, text, "rules", &source, error);
  if (status != SDB_OK) return status;
  const sdb_json_token *root = sdb_json_at(source, 0);
  if (root->type != SDB_JSON_OBJECT)
    return refuse(source, 0, "rules are an object with create, update and delete", error);
  for (size_t i = 0; i < SDB_COUNT_OF(ACTIONS); i++)
    store->rules[i].kind = SDB_RULE_REFUSE;
  for (uint32_t key = 1; key < root->next; key = sdb_json_at(source, key + 1)->next) {
    size_t action = 0;
    while (action < SDB_COUNT_OF(ACTIONS) &&
           !sdb_json_string_is(source, key, sdb_slice_of(ACTIONS[action])))
      action++;
    if (action == SDB_COUNT_OF(ACTIONS))
      return refuse(source, key, "rules are for create, update and delete only", error);
    status = compile_rule(store, source, key + 1, &store->rules[action], error);
    if (status != SDB_OK) return status;
  }
  return SDB_OK;
}

/* ---- asking ---- */

static const sdb_rule *rule_of(const sdb_store *store, sdb_action action) {
  SDB_ASSERT(action >= SDB_ACTION_CREATE && action <= SDB_ACTION_DELETE);
  return &store->rules[action - SDB_ACTION_CREATE];
}

bool sdb_store_rule_needs_object(const sdb_store *store, sdb_action action) {
  const sdb_rule *rule = rule_of(store, action);
  if (rule->kind == SDB_RULE_REFUSE) return false;
  return rule->kind == SDB_RULE_SCHEMA || store->validate_update;
}

static sdb_status refuse_action(const sdb_store *store, sdb_action action, sdb_error *error) {
  return sdb_error_set(
      error, SDB_REJECTED, sdb_action_name(action), " is not allowed in ", store->name);
}

static sdb_status check_declared(const sdb_store *store, const sdb_rule *rule, sdb_action action,
    const sdb_json *json, uint32_t at, sdb_error *error) {
  sdb_schema_failure failure;
  if (sdb_schema_check(&store->set, rule->schema, json, at, &failure)) return SDB_OK;
  char prefix[SDB_STORE_NAME_SIZE_MAX + 40];
  sdb_text_copy(prefix, sizeof(prefix), sdb_slice_of(sdb_action_name(action)));
  sdb_text_append(prefix, sizeof(prefix), sdb_slice_of(" is not allowed in "));
  sdb_text_append(prefix, sizeof(prefix), sdb_slice_make(store->name, store->name_size));
  sdb_text_append(prefix, sizeof(prefix), sdb_slice_of(": "));
  return sdb_schema_report(&failure, json, at, SDB_REJECTED, prefix, error);
}

/* Makes a text that a function may have written itself one that ends and is UTF-8. */
static void make_text(char *text, size_t capacity) {
  text[capacity - 1] = 0;
  if (sdb_utf8_valid(sdb_slice_of(text))) return;
  for (; *text; text++) {
    if ((unsigned char)*text >= 0x80) *text = '?';
  }
}

static sdb_status ask_function(const sdb_store *store, sdb_action action, const sdb_json *json,
    uint32_t at, sdb_error *error) {
  sdb_object object = {json, at};
  sdb_error given;
  sdb_error_set(&given, SDB_OK, NULL, NULL, NULL);
  sdb_status status = store->validate_update(store->context, action, &object, &given);
  if (status == SDB_OK) return SDB_OK;
  make_text(given.message, sizeof(given.message));
  make_text(given.path, sizeof(given.path));
  if (!given.message[0]) refuse_action(store, action, &given);
  given.status = status == SDB_INVALID_OBJECT ? status : SDB_REJECTED;
  given.offset = 0;
  if (error) *error = given;
  return given.status;
}

sdb_status sdb_store_check_rules(const sdb_store *store, sdb_action action, const sdb_json *json,
    uint32_t at, sdb_error *error) {
  const sdb_rule *rule = rule_of(store, action);
  if (rule->kind == SDB_RULE_REFUSE) return refuse_action(store, action, error);
  SDB_ASSERT(json || !sdb_store_rule_needs_object(store, action));
  if (rule->kind == SDB_RULE_SCHEMA) {
    sdb_status status = check_declared(store, rule, action, json, at, error);
    if (status != SDB_OK) return status;
  }
  return store->validate_update ? ask_function(store, action, json, at, error) : SDB_OK;
}

sdb_status sdb_reject(sdb_error *error, const char *message) {
  sdb_error_set(error, SDB_REJECTED, message, NULL, NULL);
  if (error) make_text(error->message, sizeof(error->message));
  return SDB_REJECTED;
}
