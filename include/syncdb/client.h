/* syncdb/client.h: the device's side: a user's objects, here at once, offline too.
 *
 *   sdb_client_options options = SDB_CLIENT_OPTIONS_INIT;
 *   options.url = "ws://127.0.0.1:8080/?user=ada";
 *   options.user = "ada";
 *   options.path = "ada.sqlite";
 *   options.stores = stores;
 *   options.stores_count = 2;
 *   sdb_client_open(&options, &client, &error);
 *   sdb_client_watch(client, chat_message, show, NULL, NULL, &error);
 *   sdb_client_push(client, chat_message, object, NULL, &error);
 *   sdb_client_close(client);
 *
 * A client holds a copy of the user's objects in a local file. What the application changes is
 * checked by the stores' schema and rules, stored in that file, shown at once, sent, and sent again
 * after each reconnect until the server's event for it comes back: once, however often it was sent.
 * Changes in a singular store are held in memory until then.
 *
 * Threads. A client runs one thread (socket, file, sync). Every function here may be called on any
 * thread, several at once, and inside watches too, but for sdb_client_close. Functions that change
 * or read objects block until the local file has answered, never for the network. Inside a rule or
 * a log function, which run on the client's thread in the midst of its work, they and all others
 * that wait for it give SDB_CONFLICT. Two clients whose watches call into each other can wait for
 * one another for ever: use the option `dispatch` for one of them, or hand such calls to a thread
 * of your own.
 *
 * After a fork a child must not use a client of its parent, nor close it: its thread is not there,
 * and its file and connection are the parent's. It opens one of its own, with another path.
 */
#ifndef SYNCDB_CLIENT_H
#define SYNCDB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/client_record.h>
#include <syncdb/log.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sdb_client sdb_client;

/* ---- status ---- */

/* Where objects and unsynced pushes are kept. */
typedef enum sdb_client_storage {
  SDB_CLIENT_DURABLE = 1, /* in the local file */
  SDB_CLIENT_MEMORY /* in memory: no path was given, or the file cannot be used (`problem` says
                             why; it is tried again from time to time) */
} sdb_client_storage;

typedef struct sdb_client_status {
  size_t size; /* of this struct */
  sdb_client_phase phase;
  sdb_client_storage storage;
  uint64_t offline_since_ms; /* wall clock; 0 while connected */
  uint32_t stores_synced;    /* while catching up: of how many stores all is here */
  uint64_t events_received;  /* since the connection was made: the progress of catching up */
  uint32_t pending;          /* pushes that wait to be seen back as events, failed ones apart */
  uint32_t failed;           /* pushes that failed: sdb_client_retry or sdb_client_discard them */
  uint32_t close_code;       /* with which the last connection ended (RFC 6455; 1006: it was lost or
                                could not be made); 0: none ended */
  char problem[SDB_ERROR_MESSAGE_SIZE]; /* what keeps it from being live and durable, or "" */
} sdb_client_status;

/* ---- opening ---- */

/* Asks for a token, because a connection is to be made, the one there is expires soon, or the
 * server refused it (`refused`). Answer with sdb_client_set_token, here or later from any thread.
 * Called on the client's thread: it should be quick. */
typedef void (*sdb_client_token_fn)(void *context, sdb_client *client, bool refused);

/* Something in `status` changed. Called on the client's thread, or inside sdb_client_dispatch. */
typedef void (*sdb_client_status_fn)(
    void *context, sdb_client *client, const sdb_client_status *status);

/* How many missed objects of an event store are loaded by themselves: the newest; older ones when
 * sdb_client_older asks for them. */
typedef struct sdb_client_window {
  const sdb_store *store;
  uint32_t events;
} sdb_client_window;

/* Start from SDB_CLIENT_OPTIONS_INIT: zero stands for the default everywhere. Strings and lists are
 * copied; the stores must outlive the client. */
typedef struct sdb_client_options {
  size_t size;              /* of this struct: lets it grow in later versions */
  const char *url;          /* "ws://host:port/path?query" or "wss://..." */
  sdb_store *const *stores; /* each once, their names distinct on the wire too */
  size_t stores_count;      /* 1 to 256 */
  const char *path;         /* the local file, made when it is not there; NULL: memory only */
  const char *user;         /* whose data it is, so that a file of another user, or of another
                               server, is never mixed in; needed with `path`; 1 to 255 bytes. Not
                               sent: who the user is the server takes from url or token */
  const sdb_client_window *windows; /* stores that are not named are loaded whole */
  size_t windows_count;

  sdb_client_token_fn token; /* NULL: none is shown, but what sdb_client_set_token was given */
  void *token_context;
  const char *tls_ca; /* PEM file of certificates to trust; NULL: the system's */
  bool tls_insecure;  /* take any certificate: for trying out */

  bool dispatch;               /* watches and `status` are called by sdb_client_dispatch only */
  bool start_offline;          /* do not connect before sdb_client_go_online */
  sdb_client_status_fn status; /* NULL: nobody is told */
  void *status_context;
  sdb_log_fn log;
  void *log_context;

  uint32_t push_timeout_ms; /* online, a push not seen back for so long has failed. Default 10 s */
  uint32_t pending_max;     /* unsynced pushes. Default 10,000 */
  uint32_t message_bytes_max; /* of the server's. Default 16 MiB */
} sdb_client_options;

#define SDB_CLIENT_OPTIONS_INIT                                                                    \
  { .size = sizeof(sdb_client_options) }

/* Opens, or makes, the local file, starts the client's thread and begins to connect. Waits for the
 * file, not for the network. On SDB_OK `*client` is the caller's until sdb_client_close.
 *
 * A file that cannot be written, or is damaged, is no error: the client goes on in memory, says so
 * in its status, and takes unsynced pushes that can still be read with it. A damaged file is kept
 * beside the new one, as PATH.damaged-TIME.
 *
 * SDB_INVALID_ARGUMENT: the url or an option; SDB_BAD_DEFINITION: two stores with one name;
 * SDB_CONFLICT: the file is another user's or another server's: use a path for each; SDB_BUSY:
 * another client has it open; SDB_BAD_FORMAT: a newer version's file, or of another program;
 * SDB_IO: a thread or descriptor is not to be had; SDB_NO_MEMORY. error->message tells more. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_open(
    const sdb_client_options *options, sdb_client **client, sdb_error *error);

/* Closes the connection, the file and the thread, and frees everything. Unsynced pushes stay in the
 * file and are sent by the next client of it; those of singular stores, and all where there is no
 * file, are lost: wait for SDB_CLIENT_DELIVERED before, where that matters. Calls of other threads
 * that wait get SDB_CLOSED, and it waits until they returned; for an sdb_client_dispatch that runs
 * too, with its watches, which must not wait for this in turn. Nothing may be called once it was.
 * NULL is allowed, and it never fails. Not inside a watch or another callback: there it does
 * nothing but say so in the log. */
SDB_API void sdb_client_close(sdb_client *client);

/* Gives the token that the next connection shows; a connection that is open is shown it too, and
 * goes on. `expires_ms`: since the epoch, when it ends, so that a new one is asked for before; 0:
 * not known. SDB_NO_MEMORY; SDB_INVALID_ARGUMENT: empty, over 16 KiB, or with a blank or a
 * control character in it; SDB_CONFLICT: inside a rule or log function; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_set_token(
    sdb_client *client, sdb_slice token, uint64_t expires_ms);

/* Connects, and stays connected; at once where it waited for its next try. For when the machine
 * tells that there is a network again. Does nothing inside a rule or log function. Any thread;
 * never fails. */
SDB_API void sdb_client_go_online(sdb_client *client);

/* Disconnects, and stays so until sdb_client_go_online. Does nothing inside a rule or log function.
 * Any thread; never fails. */
SDB_API void sdb_client_go_offline(sdb_client *client);

/* Fills `*status`, whose `size` must be set: {.size = sizeof(status)}. Any thread; never fails. */
SDB_API void sdb_client_get_status(sdb_client *client, sdb_client_status *status);

typedef enum sdb_client_goal {
  SDB_CLIENT_SYNCED = 1, /* phase is LIVE */
  SDB_CLIENT_DELIVERED   /* no push is pending: each was seen back, or failed (status.failed) */
} sdb_client_goal;

/* Waits until `goal` is true: for scripts and tests. SDB_OK; SDB_UNAVAILABLE: not within
 * `timeout_ms`; SDB_UNAUTHORIZED: the server takes no token; SDB_CLOSED; SDB_CONFLICT: on the
 * client's own thread, which would wait for itself. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_wait(
    sdb_client *client, sdb_client_goal goal, uint64_t timeout_ms);

/* ---- changes ---- */

/* Creates an object of an event store, or creates or replaces that of a singular store. When it
 * returns, the push is in the local file (singular: in memory), where it survives the end of the
 * process at once, and power loss some milliseconds later; it is shown by every read, and will be
 * sent. `object` is JSON text; `$createdAt` is added. `*client_id` (may be NULL) is the push's name
 * until the server gives the object an id.
 * SDB_BAD_JSON, SDB_INVALID_OBJECT (error->path), SDB_REJECTED (a rule says no: its message),
 * SDB_TOO_LARGE: nothing was stored or sent; SDB_LIMIT: pending_max pushes are unsynced;
 * SDB_UNKNOWN_STORE: the client was opened without it; SDB_IO, SDB_BAD_FORMAT: the local file,
 * which is read first for a singular store, an update and a remove, cannot be read, or is damaged;
 * SDB_CONFLICT: inside a rule or log function; SDB_CLOSED; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_push(sdb_client *client, const sdb_store *store,
    sdb_slice object, sdb_uuid *client_id, sdb_error *error);

/* Replaces object `id` whole: the id of a record or, while it has none (and a while longer), its
 * client_id. Pushes of one object are sent one after the other. Errors as sdb_client_push, and
 * SDB_NOT_FOUND: the client holds all of the store and has no such object; SDB_INVALID_ARGUMENT: a
 * singular store. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_update(sdb_client *client, const sdb_store *store,
    sdb_uuid id, sdb_slice object, sdb_uuid *client_id, sdb_error *error);

/* Removes object `id`, named as above; in a singular store the nil id means the one there is. A
 * create that was never sent is taken back and `*client_id` is nil. The remove of an object that
 * was never there counts as delivered, unless the client holds the whole store and can tell. Errors
 * as sdb_client_update. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_remove(
    sdb_client *client, const sdb_store *store, sdb_uuid id, sdb_uuid *client_id, sdb_error *error);

/* ---- reading: from what is held, at once ---- */

typedef struct sdb_client_records {
  size_t count;
  const sdb_client_record *records; /* newest first: pending creates, then by id */
} sdb_client_records;

/* The newest objects of an event store, in the order they were created in (the server's sdb_list:
 * in that of their last change), at most `limit` (1 to 1000); `before` is the id (or, where that is
 * nil, the client_id) of the last record of the page before, or nil. No more: zero records. Free
 * `*records` with sdb_client_records_free.
 * SDB_INVALID_ARGUMENT: `limit`; SDB_NOT_FOUND: `before` is a client_id of no pending create;
 * SDB_UNKNOWN_STORE; SDB_IO: the local file cannot be read; SDB_BAD_FORMAT: it is damaged;
 * SDB_CONFLICT: inside a rule or log function; SDB_CLOSED; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_list(sdb_client *client, const sdb_store *store,
    sdb_uuid before, uint32_t limit, sdb_client_records **records, sdb_error *error);

/* Object `id`, named as in sdb_client_update: one record. Errors as sdb_client_list;
 * SDB_NOT_FOUND: it is not held, or a pending remove hides it. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_get(sdb_client *client, const sdb_store *store,
    sdb_uuid id, sdb_client_records **records, sdb_error *error);

/* The one object of a singular store: one record. Errors as sdb_client_get. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_singular(
    sdb_client *client, const sdb_store *store, sdb_client_records **records, sdb_error *error);

/* Frees what a read gave; NULL is allowed. Any thread, no error. */
SDB_API void sdb_client_records_free(sdb_client_records *records);

/* Asks the server for the newest `limit` (1 to 1000) of the older objects that were not loaded:
 * below object `before`, or, where that is nil, below the newest gap. They come as changes. Returns
 * at once; asked again before they came, it is one request. SDB_NOT_FOUND: nothing is missing
 * there; SDB_UNAVAILABLE: not connected, ask again when live; SDB_INVALID_ARGUMENT;
 * SDB_UNKNOWN_STORE; SDB_CONFLICT: inside a rule or log function; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_older(
    sdb_client *client, const sdb_store *store, sdb_uuid before, uint32_t limit, sdb_error *error);

/* ---- watching ---- */

/* What changed in one store, in order. Valid during the call only. */
typedef struct sdb_client_changes {
  size_t size; /* of this struct */
  const sdb_store *store;
  size_t count;
  const sdb_client_change *changes;
} sdb_client_changes;

/* Called with what changed: on the client's thread, or, with the option `dispatch`, inside
 * sdb_client_dispatch. May call the library, but for sdb_client_close. */
typedef void (*sdb_watch_fn)(void *context, sdb_client *client, const sdb_client_changes *changes);

typedef struct sdb_watch sdb_watch;

/* Has `watch` called for each change of `store` (NULL: of every store) from now on: those of the
 * server and those made here, with partials as they grow. Watch first, then list: so nothing falls
 * between, and a change that the list has already is only told twice. `*handle` (may be NULL) is
 * valid until sdb_client_unwatch or sdb_client_close. SDB_UNKNOWN_STORE; SDB_NO_MEMORY;
 * SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_watch(sdb_client *client, const sdb_store *store,
    sdb_watch_fn watch, void *context, sdb_watch **handle, sdb_error *error);

/* Ends a watch. When it returns, the function is not running and will not be called again, unless
 * this is called inside it. NULL is allowed; never fails. */
SDB_API void sdb_client_unwatch(sdb_client *client, sdb_watch *handle);

/* With the option `dispatch`: a descriptor that is readable when sdb_client_dispatch has something
 * to do. The client's own: do not read or close it. Without the option: -1. Never fails. */
SDB_API int sdb_client_fd(const sdb_client *client);

/* With the option `dispatch`: calls watches and `status` for what happened since the last time, on
 * this thread. Never blocks. What waits to be dispatched is bounded: an application that does not
 * for long is told SDB_CHANGE_RESET. One thread at a time; never fails. */
SDB_API void sdb_client_dispatch(sdb_client *client);

/* ---- unsynced pushes ---- */

typedef struct sdb_unsynced {
  sdb_uuid client_id;
  const sdb_store *store;
  sdb_action action;
  sdb_uuid id;            /* the object's; nil for a create, and where its create is unsynced too */
  sdb_slice object;       /* empty for a delete */
  uint64_t created_ms;    /* wall clock */
  const sdb_error *error; /* why it failed; NULL: it is pending */
} sdb_unsynced;

typedef struct sdb_unsynced_list {
  size_t count;
  const sdb_unsynced *pushes; /* in the order they were made in */
} sdb_unsynced_list;

/* The pushes that were not seen back as events. Free `*list` with sdb_unsynced_free. SDB_NO_MEMORY;
 * SDB_CONFLICT: inside a rule or log function; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_unsynced(
    sdb_client *client, sdb_unsynced_list **list, sdb_error *error);

/* Frees what sdb_client_unsynced gave; NULL is allowed. Any thread, no error. */
SDB_API void sdb_unsynced_free(sdb_unsynced_list *list);

/* Sends a failed push again, under the same client id: stored once, even where the first one
 * arrived after all. SDB_NOT_FOUND: no such push (it was seen back meanwhile); SDB_CONFLICT: it has
 * not failed, or inside a rule or log function; SDB_NO_MEMORY; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_retry(sdb_client *client, sdb_uuid client_id);

/* Gives a push up, with those that need it, and shows the server's state again. One that was sent
 * may have been stored all the same, and then comes back as an event. SDB_NOT_FOUND; SDB_NO_MEMORY;
 * SDB_CONFLICT: inside a rule or log function; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_discard(sdb_client *client, sdb_uuid client_id);

/* All unsynced pushes as JSON text, for a support case or another device:
 *   {"unsynced":[{"clientId","store","action","id"?,"object"?,"createdAt","error"?}]}
 * with the protocol's names. `*json` ends in NUL (`*size`, which may be NULL, does not count it)
 * and is freed with sdb_client_json_free. SDB_NO_MEMORY; SDB_CONFLICT: inside a rule or log
 * function; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_client_export_unsynced(
    sdb_client *client, char **json, size_t *size, sdb_error *error);

/* Frees what sdb_client_export_unsynced gave; NULL is allowed. Any thread, no error. */
SDB_API void sdb_client_json_free(char *json);

#ifdef __cplusplus
}
#endif
#endif
