/* store/schema_compiler.h: what the files that compile JSON Schema share. */
#ifndef SDB_STORE_SCHEMA_COMPILER_H
#define SDB_STORE_SCHEMA_COMPILER_H

#include "store/schema.h"

typedef struct sdb_schema_definition {
  uint32_t key; /* the token of its name in $defs */
  sdb_schema *schema;
} sdb_schema_definition;

/* One compilation. The first error sticks: a function that failed gives false or NULL, and
 * `status` says why. */
typedef struct sdb_schema_compiler {
  sdb_schema_set *set;
  const sdb_json *source;
  uint32_t root;     /* the token that `#` means */
  sdb_schema *start; /* its node */
  sdb_schema *nodes; /* all of them */
  sdb_schema_definition *definitions;
  uint32_t definitions_count;
  sdb_status status;
  sdb_error *error;
} sdb_schema_compiler;

/* Sets the error: `before`, the text `named` (may be empty), `after` (may be NULL), at a token.
 * Gives false. */
bool sdb_schema_refuse(sdb_schema_compiler *compiler, uint32_t at, const char *before,
    sdb_slice named, const char *after);

/* Sets the error to SDB_NO_MEMORY; gives false. */
bool sdb_schema_no_memory(sdb_schema_compiler *compiler);

/* Zeroed memory of the set's arena, or NULL with the error set. */
void *sdb_schema_alloc(sdb_schema_compiler *compiler, size_t size);

/* The string at a token, unescaped, in the arena; data NULL with the error set where there is no
 * memory. */
sdb_slice sdb_schema_text(sdb_schema_compiler *compiler, uint32_t at);

/* The value of a keyword of the schema at `at`: its token, or 0. */
uint32_t sdb_schema_keyword(const sdb_schema_compiler *compiler, uint32_t at, const char *name);

/* A node for the schema at `at`, to be filled by sdb_schema_fill. */
sdb_schema *sdb_schema_node(sdb_schema_compiler *compiler, uint32_t at);
bool sdb_schema_fill(sdb_schema_compiler *compiler, sdb_schema *schema);

/* The compiled form of the schema at `at`, or NULL with the error set. */
const sdb_schema *sdb_schema_child(sdb_schema_compiler *compiler, uint32_t at);

/* schema_values.c: the keywords of strings, numbers and of every type. */
bool sdb_schema_compile_string(sdb_schema_compiler *compiler, sdb_schema *schema);
bool sdb_schema_compile_number(sdb_schema_compiler *compiler, sdb_schema *schema);
bool sdb_schema_compile_common(sdb_schema_compiler *compiler, sdb_schema *schema);

/* schema_containers.c: those of objects and arrays. */
bool sdb_schema_compile_object(sdb_schema_compiler *compiler, sdb_schema *schema);
bool sdb_schema_compile_array(sdb_schema_compiler *compiler, sdb_schema *schema);

/* A list of schemas: the value of anyOf, prefixItems... */
bool sdb_schema_compile_list(
    sdb_schema_compiler *compiler, uint32_t at, const char *name, sdb_schema_list *list);

/* A count or a length, at most UINT32_MAX; `*value` stays as it is where the keyword is absent. */
bool sdb_schema_compile_count(
    sdb_schema_compiler *compiler, uint32_t at, const char *name, uint32_t *value);

/* schema_references.c: the schema that a $ref means, or NULL with the error set. */
const sdb_schema *sdb_schema_resolve(sdb_schema_compiler *compiler, uint32_t at);

/* The same: makes empty nodes for all definitions, so that they can be referred to, and fills
 * them. */
bool sdb_schema_define(sdb_schema_compiler *compiler);
bool sdb_schema_fill_definitions(sdb_schema_compiler *compiler);

/* The same: refuses what would never end (a $ref to itself on the same value) and, with
 * `whole_object`, what is not for an object of a store. */
bool sdb_schema_settle(sdb_schema_compiler *compiler, bool whole_object);

#endif
