/* client/storage.h: where the replica keeps what it holds: the local file, or memory.
 *
 * The file where it can be used. Where it cannot (it fails while it is used, too), memory, and the
 * file is tried again from time to time; the replica brings its unsynced pushes along each time. A
 * file that is damaged is kept beside a new one, and what of its unsynced pushes can be read is
 * saved.
 */
#ifndef SDB_CLIENT_STORAGE_H
#define SDB_CLIENT_STORAGE_H

#include "replica/replica.h"
#include "storage/local/memory_local.h"
#include "storage/local/sqlite_local.h"
#include <syncdb/client.h>

typedef struct sdb_device_storage {
  const char *server;       /* as the file knows it */
  sdb_sqlite_local *file;   /* in use; or NULL */
  sdb_memory_local *memory; /* in use where `file` is NULL; else an empty one, made in advance, for
                               the file may fail when memory is short */
  sdb_local_op *completed, **completed_last; /* on their way to the replica */
  uint64_t retry_at_ms;                      /* when the file is tried again */
  uint64_t retry_after_ms;                   /* how long that waits */
  uint64_t file_since_ms;                    /* in use */
  bool replaced;                             /* since then, because it was damaged */
  bool unread;                               /* it could not be loaded */
  bool adopted;                              /* pushes that are to be put into a storage */
  uint64_t
      again_at_ms; /* when the same storage is attached again, which failed for want of memory */
  char damage[SDB_ERROR_MESSAGE_SIZE];  /* what happened to the file; "" */
  char problem[SDB_ERROR_MESSAGE_SIZE]; /* why it is not used now; "" */
} sdb_device_storage;

/* Opens the file and attaches it. Errors as sdb_client_open's. */
SDB_MUST_CHECK sdb_status sdb_device_storage_open(sdb_client *client, sdb_error *error);
/* When the replica is gone. */
void sdb_device_storage_close(sdb_client *client);

/* Gives the replica what was completed; false: nothing was. */
bool sdb_device_storage_deliver(sdb_client *client);
/* It said STORAGE_FAILED: attaches another. */
void sdb_device_storage_failed(sdb_client *client, sdb_status status);
/* Tries what is due. */
void sdb_device_storage_retry(sdb_client *client);
uint64_t sdb_device_storage_deadline_ms(const sdb_device_storage *storage);

static inline bool sdb_device_storage_is_durable(const sdb_device_storage *storage) {
  return storage->file != NULL;
}

#endif
