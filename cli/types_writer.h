/* cli/types_writer.h: TypeScript types of JSON Schemas and of tables of fields.
 *
 * A type says what TypeScript can say of a schema and never less: what it cannot say (lengths,
 * patterns, bounds, `not`) leaves the type that it is said of.
 *
 * All text that a writer gives is the writer's, until sdb_cli_types_free. Out of memory ends the
 * program. Recursion is as deep as the schema's text, which the library bounds.
 */
#ifndef SDB_CLI_TYPES_WRITER_H
#define SDB_CLI_TYPES_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <syncdb/store.h>

typedef struct sdb_cli_types {
  json_t *taken;         /* names that are declared in the file */
  const char *prefix;    /* what the names of a schema's definitions begin with */
  json_t *root;          /* the schema that `#` is */
  bool whole;            /* at a store's object itself, where a $ref is its target */
  json_t *references;    /* $ref's text to the name of its type */
  json_t *pending;       /* those whose types are still to be declared */
  struct kept_text *all; /* every text that was made */
} sdb_cli_types;

void sdb_cli_types_init(sdb_cli_types *types);
void sdb_cli_types_free(sdb_cli_types *types);

/* A name in the form that types have, of words of letters and digits: "chat_message" is
 * ChatMessage. It is not taken yet. */
const char *sdb_cli_types_capital(sdb_cli_types *types, const char *text);

/* Takes a name that nothing else in the file has: `wanted`, or with a number behind it. */
const char *sdb_cli_types_take(sdb_cli_types *types, const char *wanted);

/* Writes `export interface NAME {...}`, or `export type NAME = ...;`, for the objects of a schema,
 * and behind it the types that it refers to. */
void sdb_cli_types_schema(sdb_cli_types *types, FILE *to, const char *name, json_t *schema);

/* The same for a table of fields. False: a field's schema has what cannot be read: `*why` says
 * what, and is the writer's. */
bool sdb_cli_types_fields(
    sdb_cli_types *types, FILE *to, const char *name, const sdb_field *fields, const char **why);

/* Writes a JSON value as TypeScript reads it, on one line. */
void sdb_cli_types_value(FILE *to, const json_t *value);

/* Reads JSON as the writer needs it: whole numbers become doubles. NULL: error->text says why. */
json_t *sdb_cli_types_parse(const char *text, size_t size, json_error_t *error);

/* Writes a text as a comment, on lines that begin with `indent` blanks; nothing for NULL. */
void sdb_cli_types_comment(FILE *to, const json_t *text, int indent);

#endif
