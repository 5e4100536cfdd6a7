/* syncdb/store.h: stores: a name, a type, a schema and rules.
 *
 * A store is defined once, from a C table of fields or from JSON Schema, and is
 * then read-only: any thread may use it. The same code checks objects on the
 * server, in the native client and in the browser.
 */
#ifndef SYNCDB_STORE_H
#define SYNCDB_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <syncdb/memory.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sdb_store_type {
  SDB_STORE_EVENT = 1,   /* many objects a user */
  SDB_STORE_SINGULAR = 2 /* one object a user */
} sdb_store_type;

/* What a change does to an object; what rules and subscribers are told. */
typedef enum sdb_action {
  SDB_ACTION_CREATE = 1,
  SDB_ACTION_UPDATE = 2,
  SDB_ACTION_DELETE = 3
} sdb_action;

typedef enum sdb_field_type {
  SDB_TYPE_STRING = 1,
  SDB_TYPE_INTEGER, /* exact to 64 bits */
  SDB_TYPE_NUMBER,
  SDB_TYPE_BOOLEAN,
  SDB_TYPE_JSON /* anything that `schema` accepts (NULL: anything at all) */
} sdb_field_type;

/* One field of an object, for definitions in C. An object may have no other fields than those of
 * the table. Zero means "not limited": lengths are in code points (strings); `minimum` and
 * `maximum` count when they are not both 0 (numbers), and HUGE_VAL is no maximum. */
typedef struct sdb_field {
  const char *name;
  sdb_field_type type;
  bool optional;
  bool nullable;
  size_t length_min, length_max;
  double minimum, maximum;
  const char *schema; /* JSON Schema that the value must match too (but not null where that is
                         allowed), or NULL */
} sdb_field;

/* An object that a rule looks at: read-only, valid during the call only. */
typedef struct sdb_object sdb_object;

/* A rule: the brief's validateUpdate(action, object). `object` is the new one, of a delete the
 * object that is to go. Gives SDB_OK, or what sdb_reject gave; or SDB_INVALID_OBJECT, with message
 * and path put into `error`: that speaks for the schema, of what a schema cannot say. Must be a
 * pure function of its arguments: it is called on any of the library's threads, several at once,
 * possibly twice for one change, and must not call the library back other than through sdb_object_*
 * and sdb_reject. */
typedef sdb_status (*sdb_validate_update_fn)(
    void *context, sdb_action action, const sdb_object *object, sdb_error *error);

/* Start from SDB_STORE_DEFINITION_INIT. Nothing of it is kept: it may go once the store is made
 * (what `context` points to must stay). */
typedef struct sdb_store_definition {
  size_t size;      /* of this struct: lets it grow in later versions */
  const char *name; /* snake_case or camelCase: [A-Za-z][A-Za-z0-9_]*, at most 64 bytes */
  sdb_store_type type;
  const sdb_field *fields; /* ends with a field without a name; or NULL and `schema` */
  const char *schema;      /* JSON Schema 2020-12, the subset of docs/schema.md; or NULL */
  const char *rules;       /* {"create":S,"update":S,"delete":S}, each S a JSON Schema: an action
                              that is left out is refused; or NULL: every action is allowed */
  sdb_validate_update_fn validate_update; /* asked when `rules` say yes; or NULL */
  void *context;                          /* for validate_update */
} sdb_store_definition;

#define SDB_STORE_DEFINITION_INIT                                                                  \
  { sizeof(sdb_store_definition), NULL, SDB_STORE_EVENT, NULL, NULL, NULL, NULL, NULL }

typedef struct sdb_store sdb_store;

/* Makes a store. Its memory comes from malloc, its patterns run on PCRE2 with match limits.
 * On SDB_OK `*store` is the caller's until sdb_store_destroy; it must outlive every database
 * and client it was given to. Any thread.
 * SDB_BAD_DEFINITION: the name, type, schema or rules are not valid: error->message says which,
 * error->path is the JSON Pointer into the schema or rules (a keyword outside the subset is named).
 * SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_store_create(
    const sdb_store_definition *definition, sdb_store **store, sdb_error *error);

/* Frees a store; NULL is allowed. No database or client may still use it. */
SDB_API void sdb_store_destroy(sdb_store *store);

/* The stores of an application, defined by the application in one C file that is compiled into its
 * server, its native clients and its page's WebAssembly module alike (docs/module.md); the library
 * has none. The table ends with an entry without a name:
 *   const sdb_store_definition syncdb_stores[] = {
 *       {.size = sizeof(sdb_store_definition), .name = "account", .type = SDB_STORE_SINGULAR,
 *           .fields = ACCOUNT_FIELDS},
 *       {.name = NULL},
 *   };
 * The file sees <syncdb/store.h> only and calls nothing but what this header declares: in a page
 * there is no C library. */
extern SDB_API const sdb_store_definition syncdb_stores[];

/* Makes the stores of a table such as `syncdb_stores`, at most 256. On SDB_OK `*stores` is an array
 * of `*count` stores in the table's order, the caller's until sdb_stores_destroy; nothing of the
 * table is kept but each `context` and function. Any thread. SDB_BAD_DEFINITION: a definition is
 * not valid (error->message begins with its name), two share a name, there is none, or more than
 * 256; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_stores_create(
    const sdb_store_definition *definitions, sdb_store ***stores, size_t *count, sdb_error *error);

/* Frees stores and their array, of sdb_stores_create and sdb_stores_from_json; NULL is allowed. No
 * database or client may still use them. No error. */
SDB_API void sdb_stores_destroy(sdb_store **stores, size_t count);

/* Makes the stores of a stores file: {"stores":[{"name","type","schema","rules"?}]}. On SDB_OK
 * `*stores` is an array of `*count` stores, the caller's until sdb_stores_destroy. Errors as
 * sdb_store_create's (the path then leads into the file), and SDB_BAD_JSON with error->offset. */
SDB_API SDB_MUST_CHECK sdb_status sdb_stores_from_json(
    sdb_slice json, sdb_store ***stores, size_t *count, sdb_error *error);

/* The name as it was given, as "chat_message". Lives as long as the store. Any thread, no error. */
SDB_API const char *sdb_store_name(const sdb_store *store);

/* The name on the wire, as "chatMessage": each letter behind an underscore is made a capital, the
 * first letter small, and underscores go. Lives as long as the store. Any thread, no error. */
SDB_API const char *sdb_store_wire_name(const sdb_store *store);

/* Whether the store holds many objects a user or one. Any thread, no error. */
SDB_API sdb_store_type sdb_store_type_of(const sdb_store *store);

/* Checks an object as a client's push of it would be: size and depth (the server's defaults: 256
 * KiB, 30), JSON, `$` keys, schema, rules. Of a delete, `object` is the one that is to go: only
 * the rules are asked, and it may be empty where they answer the same for every object. Any
 * thread. SDB_OK; SDB_BAD_JSON (error->offset); SDB_INVALID_OBJECT (error->path is a JSON Pointer,
 * error->message what is wrong); SDB_REJECTED (the rule's own message; from a declared rule also
 * the path); SDB_TOO_LARGE; SDB_NO_MEMORY; SDB_INVALID_ARGUMENT: no such action. */
SDB_API SDB_MUST_CHECK sdb_status sdb_store_check(
    const sdb_store *store, sdb_action action, sdb_slice object, sdb_error *error);

/* ---- for rules ---- */

/* Refuses a change with a message, which is copied (cut at 255 bytes) and reaches the user:
 * `return sdb_reject(error, "Only user messages can be created!");`. Gives SDB_REJECTED. */
SDB_API sdb_status sdb_reject(sdb_error *error, const char *message);

/* Whether the object has a string field `name` equal to `text`. False where there is no such
 * field or it is not a string. Names and text are plain UTF-8, escapes are undone. */
SDB_API bool sdb_object_is(const sdb_object *object, const char *name, const char *text);

/* Whether the object has a field `name`, null included. Never fails: false where it has none. */
SDB_API bool sdb_object_has(const sdb_object *object, const char *name);

/* Copies string field `name`, unescaped, to `to` (of `capacity` bytes) and ends it with NUL;
 * `*size` (may be NULL) is its full size in bytes without the NUL. SDB_OK; SDB_NOT_FOUND: no such
 * field or no string; SDB_LIMIT: `capacity` is at most the size, nothing copied, `*size` set. */
SDB_API SDB_MUST_CHECK sdb_status sdb_object_string(
    const sdb_object *object, const char *name, char *to, size_t capacity, size_t *size);

/* Integer field `name` (1.0 counts as one). SDB_OK or SDB_NOT_FOUND: none, or not within int64. */
SDB_API SDB_MUST_CHECK sdb_status sdb_object_integer(
    const sdb_object *object, const char *name, int64_t *value);

/* Number field `name` as a double. SDB_OK or SDB_NOT_FOUND. */
SDB_API SDB_MUST_CHECK sdb_status sdb_object_number(
    const sdb_object *object, const char *name, double *value);

/* Boolean field `name`. SDB_OK or SDB_NOT_FOUND. */
SDB_API SDB_MUST_CHECK sdb_status sdb_object_boolean(
    const sdb_object *object, const char *name, bool *value);

/* The JSON text of field `name` as it stands, strings with their quotes; data NULL where there is
 * none. Valid as long as the object. */
SDB_API sdb_slice sdb_object_json(const sdb_object *object, const char *name);

/* The JSON text of the whole object. Valid as long as the object. No error. */
SDB_API sdb_slice sdb_object_text(const sdb_object *object);

#ifdef __cplusplus
}
#endif
#endif
