/* base/error.h: filling an sdb_error without printf. */
#ifndef SDB_BASE_ERROR_H
#define SDB_BASE_ERROR_H

#include <syncdb/slice.h>
#include <syncdb/status.h>

/* Sets `*error` (when not NULL) to `status` with the concatenation of up to
 * three parts (each may be NULL) as its message, cut at a character; offset 0,
 * path "". Gives back `status`. */
sdb_status sdb_error_set(
    sdb_error *error, sdb_status status, const char *a, const char *b, const char *c);

/* Copies `text` to `to` (of `capacity` bytes, NUL included), cut at a UTF-8 character. */
void sdb_text_copy(char *to, size_t capacity, sdb_slice text);

/* Appends `text` to the NUL-terminated `to`, cut the same way. */
void sdb_text_append(char *to, size_t capacity, sdb_slice text);

#endif
