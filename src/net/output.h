/* net/output.h: what a connection has yet to send.
 *
 * A queue of chunks: small pieces are copied together, large ones are held
 * where they are. It owns memory only while something waits.
 */
#ifndef SDB_NET_OUTPUT_H
#define SDB_NET_OUTPUT_H

#include "base/memory.h"
#include <stdbool.h>
#include <sys/uio.h>

#define SDB_OUTPUT_COPY_MAX 4096 /* bytes: a larger piece is held, not copied */

typedef struct sdb_chunk sdb_chunk;

typedef struct sdb_output {
  sdb_chunk *first, *last;
  size_t sent;  /* bytes of `first` that are sent */
  size_t bytes; /* that wait */
} sdb_output;

/* Frees and releases all that waits. */
void sdb_output_free(sdb_output *output, const sdb_mem *mem);

/* Room for `size` bytes behind what waits. They count as queued, and are to be filled before the
 * next call. NULL: out of memory, nothing is queued. */
char *sdb_output_reserve(sdb_output *output, const sdb_mem *mem, size_t size);

/* Copies. False: out of memory, nothing is queued. */
bool sdb_output_copy(sdb_output *output, const sdb_mem *mem, const void *data, size_t size);

/* Holds `data` until it is sent: calls `release(owner)` then, or when the output is freed. False:
 * out of memory, nothing is queued and `release` is not called. */
bool sdb_output_hold(sdb_output *output, const sdb_mem *mem, const char *data, size_t size,
    void *owner, void (*release)(void *owner));

/* Fills up to `max` pieces with what waits, from the front; gives their number. */
int sdb_output_pieces(const sdb_output *output, struct iovec *pieces, int max);

/* Takes `size` bytes off the front: they were sent. */
void sdb_output_sent(sdb_output *output, const sdb_mem *mem, size_t size);

#endif
