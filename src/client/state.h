/* client/state.h: the parts of a client as they hang together. Private to this floor.
 *
 * Threads and what they may touch:
 *   the client's   net, replica, storage, the connection, everything not named below
 *   callers        `asks`, `feed`, `standing` (each locked), and what stays as it was opened
 * Before the thread begins and after it was joined, whoever opens or closes has it all.
 * Lock order: none is taken while another is held, but that of `asks` around sdb_net_wake.
 */
#ifndef SDB_CLIENT_STATE_H
#define SDB_CLIENT_STATE_H

#include "base/arena.h"
#include "client/asks.h"
#include "client/feed.h"
#include "client/storage.h"
#include "net/dial.h"
#include "platform/platform.h"
#include "replica/replica.h"
#include <stdatomic.h>

#define SDB_DEVICE_NEVER_MS UINT64_MAX

/* What sdb_client_get_status says. */
typedef struct sdb_standing {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* of the monotonic clock */
  sdb_client_status now;
  sdb_client_status told; /* the last that the application was told */
  bool token_awaited;     /* unauthorized, but the application is giving another token */
} sdb_standing;

struct sdb_client {
  const sdb_mem *mem;

  /* as it was opened */
  sdb_arena arena; /* of what the options said */
  sdb_store *const *stores;
  size_t stores_count;
  const uint32_t *windows; /* one a store */
  sdb_net_target target;
  const char *path, *user; /* of the local file; NULL: memory only */
  const char *tls_ca;
  bool tls_insecure, dispatch;
  uint32_t pending_max;
  sdb_client_token_fn token;
  void *token_context;
  sdb_client_status_fn status;
  void *status_context;
  sdb_log_fn log;
  void *log_context;

  sdb_net *net;
  sdb_replica *replica;
  sdb_device_storage storage;

  sdb_conn *conn;     /* the one the replica knows of; older ones may still be closing */
  bool conn_open;     /* it is past the upgrade */
  size_t conns;       /* all that net has */
  bool token_asked;   /* the application is to be asked */
  bool token_refused; /* because of a refusal */
  bool token_awaited; /* because of a refusal, and it has not answered yet */
  bool refused_now;   /* a refusal that the replica has not yet asked for another token after */
  bool in_callback;   /* the application's code is running on this thread */
  bool closing;       /* nothing new is begun */
  bool closed_conn;   /* closing: the connection was told */
  uint64_t end_at_ms; /* closing: when connections are waited for no longer */

  sdb_asks asks;
  sdb_feed feed;
  sdb_standing standing;

  pthread_t thread, self; /* the same: set by who opened, and by the thread itself */
  bool thread_made;
  atomic_bool started; /* `self` is set */
};

/* ---- options.c ---- */
SDB_MUST_CHECK sdb_status sdb_device_check_options(
    const sdb_client_options *options, sdb_error *error);
/* Copies what is kept; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_device_copy_options(
    sdb_client *client, const sdb_client_options *options);
/* The server as the local file remembers it: the url without what is not the same every time. */
const char *sdb_device_server_name(sdb_client *client);

/* ---- log.c ---- */
void sdb_device_log(sdb_client *client, sdb_log_level level, const char *event, const char *format,
    ...) SDB_PRINTF(4, 5);

/* ---- loop.c ---- */
sdb_net_handler sdb_device_handler(sdb_client *client);
/* The thread: runs net until it is stopped. */
void *sdb_device_loop(void *client);
bool sdb_device_on_thread(const sdb_client *client);
uint64_t sdb_device_now_ms(void); /* monotonic: the replica's clock */

/* ---- outputs.c ---- */
/* Carries out what the replica says until it has nothing more to say. Calls nothing of the
 * application's. */
void sdb_device_drain(sdb_client *client);

/* ---- connection.c ---- */
void sdb_device_connect(sdb_client *client, sdb_slice token);
void sdb_device_disconnect(sdb_client *client, unsigned close_code);
void sdb_device_on_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size);

/* ---- status.c ---- */
void sdb_standing_init(sdb_standing *standing);
void sdb_standing_destroy(sdb_standing *standing);
/* Makes the status what it is now, and whoever waits look at it. */
void sdb_device_note_status(sdb_client *client);
/* Whether the application was not told of it yet. */
bool sdb_device_status_waits(sdb_client *client);
/* What the application's function is to be told now. False: nothing, or there is none. */
bool sdb_device_take_status(sdb_client *client, sdb_client_status *status);

/* ---- watch.c ---- */
/* Calls watches and the status function with all that waits. */
void sdb_device_deliver(sdb_client *client);

/* ---- read.c ---- */
/* The index of a store, or -1: the client was opened without it. */
int sdb_device_store(const sdb_client *client, const sdb_store *store, sdb_error *error);
/* One block, or NULL: no memory. */
sdb_client_records *sdb_device_copy_records(
    const sdb_mem *mem, const sdb_client_record *records, size_t count);

#endif
