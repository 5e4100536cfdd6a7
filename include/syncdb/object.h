/* syncdb/object.h: objects as an application makes and reads them.
 *
 * An object is JSON text everywhere in the library. A builder writes one
 * without thinking of quotes; sdb_object_parse reads one with the accessors of
 * syncdb/store.h (sdb_object_string, sdb_object_integer...).
 */
#ifndef SYNCDB_OBJECT_H
#define SYNCDB_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sdb_builder sdb_builder;

/* A builder that holds `{}`. NULL: out of memory. The caller's until sdb_builder_destroy. A
 * builder is for one thread at a time. */
SDB_API sdb_builder *sdb_builder_create(void);

/* Frees it and the text it gave; NULL is allowed. */
SDB_API void sdb_builder_destroy(sdb_builder *builder);

/* Adds a member; names and strings are UTF-8 and copied, `text` is a slice and may hold NULs.
 * Errors stick and show in sdb_builder_text: out of memory, or text that is not UTF-8. A name
 * that was added before is an error of sdb_push later (duplicate keys are refused). A NaN or an
 * infinity is written as null. */
SDB_API void sdb_builder_string(sdb_builder *builder, const char *name, sdb_slice text);
/* Adds an integer member, as sdb_builder_string does a string. Errors stick. */
SDB_API void sdb_builder_integer(sdb_builder *builder, const char *name, int64_t value);
/* Adds a number member, written so that it reads back as the same double. Its errors
 * stick, as those of sdb_builder_string do: they show in sdb_builder_text. */
SDB_API void sdb_builder_number(sdb_builder *builder, const char *name, double value);
/* Adds true or false, as sdb_builder_string does a string. Errors stick. */
SDB_API void sdb_builder_boolean(sdb_builder *builder, const char *name, bool value);
/* Adds a member whose value is JSON text, which is copied as it stands. Errors stick; text that is
 * no JSON is an error of sdb_push later. */
SDB_API void sdb_builder_json(sdb_builder *builder, const char *name, sdb_slice json);

/* The object so far, as `{"role":"assistant"}`. Valid until the next call for this builder. Empty
 * (data NULL) if an earlier call failed. */
SDB_API sdb_slice sdb_builder_text(sdb_builder *builder);

/* Reads an object's text, which is copied. On SDB_OK `*object` is the caller's until
 * sdb_object_free, and any thread may read it. SDB_BAD_JSON with error->offset; SDB_INVALID_OBJECT:
 * JSON, but no object; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_object_parse(
    sdb_slice text, sdb_object **object, sdb_error *error);

/* Frees what sdb_object_parse gave (and only that); NULL is allowed. */
SDB_API void sdb_object_free(sdb_object *object);

#ifdef __cplusplus
}
#endif
#endif
