/* syncdb/uuid.h: UUIDs (RFC 9562): event ids, object ids, client ids. */
#ifndef SYNCDB_UUID_H
#define SYNCDB_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SDB_UUID_TEXT_SIZE 36

/* Sixteen bytes in network order. All zero (the nil UUID) stands for "none". */
typedef struct sdb_uuid {
  uint8_t bytes[16];
} sdb_uuid;

/* Writes the 36 lower-case characters of `id` to `text`, with no NUL behind
 * them. `text` must have room for SDB_UUID_TEXT_SIZE bytes. Any thread, no error. */
SDB_API void sdb_uuid_format(sdb_uuid id, char *text);

/* Reads the 8-4-4-4-12 form, upper or lower case, any version. True and `*id`
 * set if all of `text` is one; otherwise false, and `*id` is as it was. Any
 * thread. */
SDB_API bool sdb_uuid_parse(sdb_slice text, sdb_uuid *id);

/* Whether `id` is the nil UUID, which stands for "none". Any thread, no error. */
SDB_API bool sdb_uuid_is_nil(sdb_uuid id);

/* Whether two UUIDs are the same sixteen bytes. Any thread, no error. */
SDB_API bool sdb_uuid_equal(sdb_uuid a, sdb_uuid b);

#ifdef __cplusplus
}
#endif
#endif
