/* net/deflate.h: permessage-deflate (RFC 7692) without context takeover, both ways.
 *
 * Each message stands alone, so all connections of a loop share one inflater and
 * one deflater a window size, a connection needs no memory, and a message that
 * goes to several devices is compressed once. The price is the ratio of small
 * messages, which cannot refer to the ones before.
 */
#ifndef SDB_NET_DEFLATE_H
#define SDB_NET_DEFLATE_H

#include "base/memory.h"
#include <stdbool.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

#define SDB_DEFLATE_SIZE_MIN 64 /* bytes: a smaller message is sent as it is */

typedef struct sdb_deflate sdb_deflate;

/* NULL: out of memory. zlib's memory is allocated when first needed. */
sdb_deflate *sdb_deflate_create(const sdb_mem *mem, size_t message_bytes_max);

/* NULL is allowed. */
void sdb_deflate_destroy(sdb_deflate *deflate);

/* Inflates one message; `*data` is valid until the next call and may be changed in place.
 * SDB_TOO_LARGE: over the maximum; SDB_BAD_MESSAGE: not a deflate stream; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_deflate_inflate(
    sdb_deflate *deflate, sdb_slice message, char **data, size_t *size);

/* Compresses those of a run of whole frames that gain by it. `*packed` is valid until the next
 * call. The same frames again (for the next device) cost a comparison. SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_deflate_run(
    sdb_deflate *deflate, unsigned window_bits, sdb_slice frames, sdb_slice *packed);

#endif
