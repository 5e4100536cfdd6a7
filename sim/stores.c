/* sim/stores.c: see stores.h. The chat is the brief's: users create and remove, nobody updates. */
#include "sim/stores.h"
#include "platform/platform.h"
#include "sim/failure.h"
#include <syncdb/object.h>

static sdb_status chat_rule(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  if (action == SDB_ACTION_CREATE && !sdb_object_is(object, "role", "user"))
    return sdb_reject(error, "Only user messages can be created!");
  if (action == SDB_ACTION_UPDATE)
    return sdb_reject(error, "Only create and delete actions can be performed.");
  return SDB_OK;
}

static const struct {
  const char *name, *wire_name, *schema;
  sdb_store_type type;
  sdb_validate_update_fn rule;
} STORES[SIM_STORES] = {
    {"chat_message", "chatMessage",
        "{\"type\":\"object\",\"properties\":{\"role\":{\"enum\":[\"user\",\"assistant\"]},"
        "\"message\":{\"type\":\"string\"}},\"required\":[\"role\",\"message\"]}",
        SDB_STORE_EVENT, chat_rule},
    {"account", "account",
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},"
        "\"required\":[\"name\"]}",
        SDB_STORE_SINGULAR, NULL},
    {"note", "note",
        "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},"
        "\"required\":[\"text\"]}",
        SDB_STORE_EVENT, NULL},
};

static sdb_store *stores[SIM_STORES], *stores_without_rules[SIM_STORES];
static sdb_storage_store storage_stores[SIM_STORES];

static sdb_store *compile(size_t at, sdb_validate_update_fn rule) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = STORES[at].name;
  definition.type = STORES[at].type;
  definition.schema = STORES[at].schema;
  definition.validate_update = rule;
  sdb_store *store = NULL;
  sdb_error error = {0};
  if (sdb_store_compile(&definition, sdb_platform_mem(), sdb_platform_patterns(), &store, &error))
    sim_fail("stores", "%s", error.message);
  return store;
}

sdb_store *const *sim_stores(void) {
  for (size_t i = 0; i < SIM_STORES && !stores[i]; i++)
    stores[i] = compile(i, STORES[i].rule);
  return stores;
}

sdb_store *const *sim_stores_without_rules(void) {
  for (size_t i = 0; i < SIM_STORES && !stores_without_rules[i]; i++)
    stores_without_rules[i] = compile(i, NULL);
  return stores_without_rules;
}

const sdb_storage_store *sim_storage_stores(void) {
  for (size_t i = 0; i < SIM_STORES; i++)
    storage_stores[i] = (sdb_storage_store){STORES[i].name, STORES[i].type};
  return storage_stores;
}

const char *sim_store_wire_name(uint16_t store) {
  return STORES[store].wire_name;
}
