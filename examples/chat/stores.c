/* examples/chat/stores.c: see stores.h. */
#include "stores.h"
#include <stdio.h>
#include <stdlib.h>

static sdb_status validate_message(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error) {
  (void)context;
  if (action == SDB_ACTION_CREATE && !sdb_object_is(object, "role", "user"))
    return sdb_reject(error, "Only user messages can be created!");
  if (action != SDB_ACTION_CREATE && action != SDB_ACTION_DELETE)
    return sdb_reject(error, "Only create and delete actions can be performed.");
  return SDB_OK;
}

static const sdb_field MESSAGE_FIELDS[] = {
    {.name = "role", .type = SDB_TYPE_STRING},
    {.name = "content", .type = SDB_TYPE_STRING},
    {.name = NULL},
};

static const sdb_field ACCOUNT_FIELDS[] = {
    {.name = "name", .type = SDB_TYPE_STRING, .length_min = 1, .length_max = 100},
    {.name = NULL},
};

static sdb_store *make_store(const sdb_store_definition *definition) {
  sdb_store *store;
  sdb_error error;
  if (sdb_store_create(definition, &store, &error) == SDB_OK) return store;
  fprintf(stderr, "store %s: %s\n", definition->name, error.message);
  exit(1);
}

sdb_store *chat_make_message_store(void) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "chat_message";
  definition.type = SDB_STORE_EVENT;
  definition.fields = MESSAGE_FIELDS;
  definition.validate_update = validate_message;
  return make_store(&definition);
}

sdb_store *chat_make_account_store(void) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "account";
  definition.type = SDB_STORE_SINGULAR;
  definition.fields = ACCOUNT_FIELDS;
  return make_store(&definition);
}
