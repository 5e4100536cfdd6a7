/* examples/chat/stores.c: see stores.h. */
#include "stores.h"

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

const sdb_store_definition syncdb_stores[] = {
    [CHAT_MESSAGE] = {.size = sizeof(sdb_store_definition),
        .name = "chat_message",
        .type = SDB_STORE_EVENT,
        .fields = MESSAGE_FIELDS,
        .validate_update = validate_message},
    [CHAT_ACCOUNT] = {.size = sizeof(sdb_store_definition),
        .name = "account",
        .type = SDB_STORE_SINGULAR,
        .fields = ACCOUNT_FIELDS},
    [CHAT_STORES_COUNT] = {.name = NULL},
};
