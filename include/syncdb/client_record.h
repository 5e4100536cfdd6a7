/* syncdb/client_record.h: what a device shows of its objects: records, and how they change. */
#ifndef SYNCDB_CLIENT_RECORD_H
#define SYNCDB_CLIENT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/uuid.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a client stands to its server. */
typedef enum sdb_client_phase {
  SDB_CLIENT_OFFLINE = 1,  /* no connection; the next try comes by itself */
  SDB_CLIENT_CONNECTING,   /* on the way to one */
  SDB_CLIENT_CATCHING_UP,  /* connected, and being sent what was missed */
  SDB_CLIENT_LIVE,         /* all that was asked for is here, and changes come as they happen */
  SDB_CLIENT_UNAUTHORIZED, /* the server takes no token that it was given: set another */
  SDB_CLIENT_CLOSED        /* sdb_client_close was called */
} sdb_client_phase;

typedef enum sdb_record_state {
  SDB_RECORD_SYNCED = 1, /* as the server has it */
  SDB_RECORD_PARTIAL,    /* being written: grows until it is synced or gone */
  SDB_RECORD_PENDING,    /* with a change of this device that was not seen back yet */
  SDB_RECORD_FAILED      /* the same, and the change failed: `error` says why */
} sdb_record_state;

typedef struct sdb_client_record {
  sdb_record_state state;
  sdb_uuid id;            /* nil while it is a pending create */
  sdb_uuid event_id;      /* of the event that it is as; nil where there was none */
  sdb_uuid client_id;     /* of the push that it is as: this device's or another's; nil: none */
  sdb_slice object;       /* JSON text with `$createdAt` */
  bool gap;               /* older objects, before the next record, were not loaded:
                         sdb_client_older(client, store, id...) does */
  const sdb_error *error; /* FAILED: why; else NULL */
} sdb_client_record;

typedef enum sdb_change_kind {
  SDB_CHANGE_PUT = 1, /* it is there, as `record` says: new, or changed */
  SDB_CHANGE_REMOVE,  /* it is gone: `record` has id and client_id only */
  SDB_CHANGE_RESET    /* all of the store may have changed: list it anew; `record` is zero */
} sdb_change_kind;

/* A record whose id and client_id are both set takes the place of the pending create that was shown
 * under that client_id, where there was one. */
typedef struct sdb_client_change {
  sdb_change_kind kind;
  sdb_client_record record;
} sdb_client_change;

#ifdef __cplusplus
}
#endif
#endif
