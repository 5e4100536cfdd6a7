/* store/store.h: a store as the floors above see it, and the port for patterns. */
#ifndef SDB_STORE_STORE_H
#define SDB_STORE_STORE_H

#include "json/json.h"
#include <syncdb/store.h>

/* `pattern` keywords run through this port: PCRE2 in native builds, the engine's RegExp in a
 * browser. All functions may be called on any thread. */
typedef struct sdb_pattern_port {
  unsigned version; /* 1 */
  void *context;
  /* Compiles an ECMA-262 (unicode) pattern. SDB_OK, SDB_BAD_DEFINITION with a message,
   * SDB_NO_MEMORY. */
  sdb_status (*compile)(void *context, sdb_slice pattern, void **compiled, sdb_error *error);
  /* 1: it occurs in the text; 0: it does not; -1: that would take more than `*steps`, or more
   * memory than the port allows (counts as refused); -2: no memory. A step is about one item of the
   * pattern tried or one character passed; those taken are taken off `*steps`, where a port can
   * count them. */
  int (*match)(void *context, const void *compiled, sdb_slice text, uint64_t *steps);
  void (*release)(void *context, void *compiled);
} sdb_pattern_port;

/* What an object may be where nothing else is said: sdb_store_check goes by these. They are the
 * server's defaults: 256 KiB, and 32 levels less the two that the message around it takes. */
#define SDB_OBJECT_BYTES_MAX (256 * 1024)
#define SDB_OBJECT_DEPTH_MAX 30

struct sdb_object {
  const sdb_json *json;
  uint32_t at; /* the object's token */
};

/* As sdb_store_create, with memory and patterns given; both must outlive the store. */
SDB_MUST_CHECK sdb_status sdb_store_compile(const sdb_store_definition *definition,
    const sdb_mem *mem, const sdb_pattern_port *patterns, sdb_store **store, sdb_error *error);

typedef struct sdb_schema_set sdb_schema_set;
typedef struct sdb_schema sdb_schema;

/* Compiles a table of fields; what sdb_store_parts names is sdb_fields_compile (store/schema.h). */
typedef sdb_status (*sdb_fields_compile_fn)(
    sdb_schema_set *set, const sdb_field *fields, const sdb_schema **schema, sdb_error *error);

/* A definition as texts that need not end in NUL; an empty `schema` or `rules` is none. */
typedef struct sdb_store_parts {
  sdb_slice name, schema, rules;
  sdb_store_type type;
  const sdb_field *fields;
  sdb_fields_compile_fn compile_fields; /* where there are fields: who has none need not have it */
  sdb_validate_update_fn validate_update;
  void *context;
} sdb_store_parts;

/* Which part an error's path leads into. */
typedef enum sdb_store_part {
  SDB_PART_NONE,
  SDB_PART_NAME,
  SDB_PART_SCHEMA,
  SDB_PART_RULES
} sdb_store_part;

/* As sdb_store_compile; `*part` tells which part an error is in. */
SDB_MUST_CHECK sdb_status sdb_store_build(const sdb_store_parts *parts, const sdb_mem *mem,
    const sdb_pattern_port *patterns, sdb_store **store, sdb_store_part *part, sdb_error *error);

/* As sdb_stores_from_json; the array is freed with sdb_mem_free(mem). */
SDB_MUST_CHECK sdb_status sdb_stores_compile(sdb_slice json, const sdb_mem *mem,
    const sdb_pattern_port *patterns, sdb_store ***stores, size_t *count, sdb_error *error);

/* As sdb_stores_create; the array is freed with sdb_mem_free(mem). */
SDB_MUST_CHECK sdb_status sdb_stores_compile_table(const sdb_store_definition *definitions,
    const sdb_mem *mem, const sdb_pattern_port *patterns, sdb_store ***stores, size_t *count,
    sdb_error *error);

/* SDB_BAD_DEFINITION if two stores share a name or a wire name. */
SDB_MUST_CHECK sdb_status sdb_stores_distinct(
    sdb_store *const *stores, size_t count, sdb_error *error);

/* The index of the store with this name on the wire, or -1. */
int sdb_stores_find_wire(sdb_store *const *stores, size_t count, sdb_slice wire_name);

/* The same by either name: for applications. */
int sdb_stores_find(sdb_store *const *stores, size_t count, sdb_slice name);

/* Checks a value that was scanned already. `at` is the object's token. A top-level `$createdAt`
 * is passed over (its own check is wire's); any other `$` key is SDB_INVALID_OBJECT.
 * SDB_OK; SDB_INVALID_OBJECT with path and message; SDB_NO_MEMORY. Any thread. */
SDB_MUST_CHECK sdb_status sdb_store_check_schema(
    const sdb_store *store, const sdb_json *json, uint32_t at, sdb_error *error);

/* Whether this action's rule must see the object: false where the verdict is the same for all. */
bool sdb_store_rule_needs_object(const sdb_store *store, sdb_action action);

/* Asks the rules: the declared ones, then the function. `json` may be NULL where
 * sdb_store_rule_needs_object says false. SDB_OK; SDB_REJECTED, or SDB_INVALID_OBJECT where the
 * function gives that, with message (and path); SDB_NO_MEMORY. Any thread. */
SDB_MUST_CHECK sdb_status sdb_store_check_rules(
    const sdb_store *store, sdb_action action, const sdb_json *json, uint32_t at, sdb_error *error);

#endif
