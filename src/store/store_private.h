/* store/store_private.h: what a store is made of; for the files of this floor. */
#ifndef SDB_STORE_STORE_PRIVATE_H
#define SDB_STORE_STORE_PRIVATE_H

#include "store/schema.h"

#define SDB_STORE_NAME_SIZE_MAX 64 /* bytes */
#define SDB_STORES_COUNT_MAX 256   /* of one list */

/* What the declared rules say of an action. */
typedef enum sdb_rule_kind { SDB_RULE_ALLOW, SDB_RULE_REFUSE, SDB_RULE_SCHEMA } sdb_rule_kind;

typedef struct sdb_rule {
  sdb_rule_kind kind;
  const sdb_schema *schema;
} sdb_rule;

struct sdb_store {
  const sdb_mem *mem;
  sdb_schema_set set; /* owns everything below */
  char name[SDB_STORE_NAME_SIZE_MAX + 1], wire_name[SDB_STORE_NAME_SIZE_MAX + 1];
  size_t name_size, wire_name_size;
  sdb_store_type type;
  const sdb_schema *schema;
  sdb_rule rules[3]; /* by action, from SDB_ACTION_CREATE on */
  sdb_validate_update_fn validate_update;
  void *context;
};

/* Compiles {"create":S,"update":S,"delete":S} to store->rules. Errors as sdb_schema_compile's. */
SDB_MUST_CHECK sdb_status sdb_rules_compile(sdb_store *store, sdb_slice text, sdb_error *error);

/* What an action is called: "create". */
const char *sdb_action_name(sdb_action action);

#endif
