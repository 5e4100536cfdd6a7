/* syncdb/database.h: the server side: every user's objects, and the application's code on them.
 *
 *   sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
 *   options.url = "sqlite://database.sqlite";
 *   options.stores = stores;
 *   options.stores_count = 2;
 *   sdb_database_open(&options, &db, &error);
 *   sdb_subscribe(db, chat_message, answer, NULL, &error);
 *   sdb_listen(db, "127.0.0.1", 8080, NULL, &error);      (syncdb/server.h)
 *   sdb_run(db);
 *   sdb_database_close(db);
 *
 * Threads. A database runs a loop thread (sockets and sync), the storage's threads, and worker
 * threads that call subscribers. Every function here may be called on any thread of the
 * application, several at once, except inside the callbacks that say otherwise (rules,
 * sdb_authenticate_fn, sdb_log_fn): there they give SDB_CONFLICT. Functions that change or read
 * objects block until the answer is there: for a change, until it is durable.
 */
#ifndef SYNCDB_DATABASE_H
#define SYNCDB_DATABASE_H

#include <stdbool.h>
#include <stdint.h>
#include <syncdb/log.h>
#include <syncdb/object.h>
#include <syncdb/server.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>
#include <syncdb/store.h>
#include <syncdb/uuid.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- opening ---- */

typedef enum sdb_durability {
  SDB_DURABILITY_FULL = 0, /* what was acknowledged survives power loss: a sync each commit */
  SDB_DURABILITY_NORMAL =
      1 /* it survives a crash of the process; power loss may take the last moments */
} sdb_durability;

/* Mail for an application that runs on a loop of its own: syncdb/mailbox.h. */
typedef struct sdb_mailbox sdb_mailbox;

/* Start from SDB_DATABASE_OPTIONS_INIT: zero stands for the default everywhere. Strings are copied;
 * the stores must outlive the database. */
typedef struct sdb_database_options {
  size_t size;              /* of this struct: lets it grow in later versions */
  const char *url;          /* "sqlite://relative.sqlite", "sqlite:///absolute/path.sqlite" */
  sdb_store *const *stores; /* each once, their names distinct on the wire too */
  size_t stores_count;      /* 1 to 256 */
  sdb_durability durability;
  uint64_t remember_removes_ms; /* how long a device may be away and still be told of removes one
                                   by one; longer: it is reset and loads all anew. Default 90 days
                                   */
  uint64_t dedupe_window_ms;    /* how long client ids are remembered. Default and least: 7 days */
  bool secure_delete;           /* overwrite what is removed with zeros in the file */
  uint32_t workers;             /* threads for subscribers; default 4 */
  uint32_t readers;             /* threads for catch-up; default 2 */
  sdb_mailbox *mailbox;         /* where events and questions go, instead of to sdb_subscribe; used
                                   for one database only, which it must outlive; NULL: none */
  sdb_server_options server;    /* identity, TLS, limits, pages: for sdb_listen */
  sdb_log_fn log;
  void *log_context;
} sdb_database_options;

#define SDB_DATABASE_OPTIONS_INIT                                                                  \
  { .size = sizeof(sdb_database_options) }

typedef struct sdb_database sdb_database;

/* Opens, or makes, the database and starts its threads. On SDB_OK `*database` is the caller's until
 * sdb_database_close.
 * SDB_INVALID_ARGUMENT: the url or an option; SDB_LIMIT: too many pages; SDB_BAD_DEFINITION: two
 * stores with one name, or a stored store of another type; SDB_BUSY: another server has it open;
 * SDB_BAD_FORMAT: not a database of ours, a newer version's, or damaged; SDB_IO; SDB_NO_MEMORY.
 * error->message tells more. */
SDB_API SDB_MUST_CHECK sdb_status sdb_database_open(
    const sdb_database_options *options, sdb_database **database, sdb_error *error);

/* Shuts down in order and frees everything: stops accepting, commits what was accepted, lets
 * subscribers that run finish, aborts open partials, closes connections with 1001 (a few seconds at
 * most), closes the file. Calls of other threads that wait get SDB_CLOSED. Waits for subscribers
 * that run: one that never returns is waited for. NULL is allowed. Not inside any callback. */
SDB_API void sdb_database_close(sdb_database *database);

/* The first step of closing, for an application whose subscribers still have something to say: from
 * now on no device connects, and what devices send is dropped, with the pushes that wait for a
 * verdict (they were not acknowledged, so they will be sent again). Everything else goes on until
 * sdb_database_close. Does not wait. Any thread, more than once; never fails. */
SDB_API void sdb_database_drain(sdb_database *database);

/* sdb_database_close that waits at most `peers_ms` for devices to take their leave (its own measure
 * is 3,000): 0 where the process has to end now. What was acknowledged is stored either way. NULL
 * is allowed. */
SDB_API void sdb_database_close_within(sdb_database *database, uint32_t peers_ms);

/* ---- whose data ---- */

/* A user's data: what every function below needs. Counted: a subscriber is given one for its call,
 * and may keep it (sdb_context_retain) to go on from another thread. */
typedef struct sdb_context sdb_context;

/* A context without an event at hand. `user` is 1 to 255 bytes of UTF-8 and need not exist yet.
 * On SDB_OK release it with sdb_context_release. SDB_INVALID_ARGUMENT; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_context_create(
    sdb_database *database, const char *user, sdb_context **context);

/* One more reference; gives `context` back. It must be released before sdb_database_close.
 * Never fails. */
SDB_API sdb_context *sdb_context_retain(sdb_context *context);

/* One reference less. With the last one the context's partials that were neither committed nor
 * aborted are aborted, and their handles are gone. NULL is allowed. */
SDB_API void sdb_context_release(sdb_context *context);

/* The user's name. Valid as long as the context. Never fails. */
SDB_API const char *sdb_context_user(const sdb_context *context);

/* ---- changes by the application: the schema is checked, the rules (which are for clients) are
 * not ---- */

/* What a change was stored as. */
typedef struct sdb_receipt {
  sdb_uuid id;       /* the object */
  sdb_uuid event_id; /* its place in the user's log */
} sdb_receipt;

/* Creates an object of an event store, or creates or replaces that of a singular store, and sends
 * it to the user's devices. Blocks until it is durable. `object` is JSON text, `$createdAt` is
 * added.
 * `receipt` and `error` may be NULL.
 * SDB_BAD_JSON, SDB_INVALID_OBJECT (error->path), SDB_TOO_LARGE: not stored, do not retry;
 * SDB_UNAVAILABLE: the storage failed, nothing was stored, retry later; SDB_UNKNOWN_STORE: the
 * database was opened without this store; SDB_CLOSED; SDB_CONFLICT: called inside a callback of the
 * loop; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_push(sdb_context *context, const sdb_store *store,
    sdb_slice object, sdb_receipt *receipt, sdb_error *error);

/* Replaces object `id` whole. Errors as sdb_push, and SDB_NOT_FOUND: the user has no such object in
 * this store. */
SDB_API SDB_MUST_CHECK sdb_status sdb_update(sdb_context *context, const sdb_store *store,
    sdb_uuid id, sdb_slice object, sdb_receipt *receipt, sdb_error *error);

/* Removes object `id`; in a singular store the nil id means the one there is. Errors as
 * sdb_update. */
SDB_API SDB_MUST_CHECK sdb_status sdb_remove(sdb_context *context, const sdb_store *store,
    sdb_uuid id, sdb_receipt *receipt, sdb_error *error);

/* ---- reading ---- */

typedef struct sdb_record {
  sdb_uuid id, event_id;
  sdb_uuid client_id; /* of the push it came from, nil where the application made it */
  sdb_slice object;   /* JSON text with `$createdAt` */
} sdb_record;

typedef struct sdb_records {
  size_t count;
  const sdb_record *records; /* newest first */
} sdb_records;

/* Object `id` of `store`, as it is stored now: one record. On SDB_OK free `*records` with
 * sdb_records_free. SDB_NOT_FOUND; SDB_UNKNOWN_STORE; SDB_UNAVAILABLE: the storage failed, retry
 * later; SDB_CLOSED; SDB_CONFLICT; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_get(sdb_context *context, const sdb_store *store, sdb_uuid id,
    sdb_records **records, sdb_error *error);

/* The user's newest objects of `store`, newest event first, at most `limit` (1 to 1000); `before`
 * is the event_id of the last record of the page before, or nil. No more: zero records. Errors as
 * sdb_get, but never SDB_NOT_FOUND; SDB_INVALID_ARGUMENT: `limit`, or `before` is no id of this
 * database. */
SDB_API SDB_MUST_CHECK sdb_status sdb_list(sdb_context *context, const sdb_store *store,
    sdb_uuid before, uint32_t limit, sdb_records **records, sdb_error *error);

/* The one object of a singular store: one record. Errors as sdb_get; SDB_NOT_FOUND: there is none.
 * */
SDB_API SDB_MUST_CHECK sdb_status sdb_singular(
    sdb_context *context, const sdb_store *store, sdb_records **records, sdb_error *error);

/* Frees what sdb_get, sdb_list or sdb_singular gave; NULL is allowed. */
SDB_API void sdb_records_free(sdb_records *records);

/* ---- partials: an object while it is being made (protocol.md section 4, partial) ---- */

/* Shown on the user's devices as it grows, kept in memory only, and stored by its commit. A handle
 * belongs to the context it was begun with and is gone after commit (when that succeeds), after
 * abort, and after the context's last release (which aborts it). One thread at a time may use it.
 * */
typedef struct sdb_partial sdb_partial;

/* Begins one of an event store. `object` is the object so far, as
 * {"role":"assistant","content":""}:
 * a JSON object that need not satisfy the schema yet. Blocks until its id is reserved. Errors as
 * sdb_push; SDB_LIMIT: the user has too many open partials; SDB_INVALID_ARGUMENT: a singular
 * store. */
SDB_API SDB_MUST_CHECK sdb_status sdb_partial_begin(sdb_context *context, const sdb_store *store,
    sdb_slice object, sdb_partial **partial, sdb_error *error);

/* Appends `text` (plain UTF-8, not JSON) to the top-level string field `field`, which must be
 * there.
 * Does not wait: an error of an earlier call is given by the next one and by the commit.
 * SDB_INVALID_OBJECT: no such string field, or not UTF-8; SDB_TOO_LARGE; SDB_CLOSED;
 * SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_partial_append(
    sdb_partial *partial, const char *field, sdb_slice text);

/* Puts a whole object in place of what there is. Does not wait. Errors as sdb_partial_append. */
SDB_API SDB_MUST_CHECK sdb_status sdb_partial_set(sdb_partial *partial, sdb_slice object);

/* Stores it as it stands; its id stays. Blocks until durable. On SDB_OK the handle is gone. On an
 * error it is still there: set it right and commit again, or abort it. Errors as sdb_push, and that
 * of an earlier append or set. */
SDB_API SDB_MUST_CHECK sdb_status sdb_partial_commit(
    sdb_partial *partial, sdb_receipt *receipt, sdb_error *error);

/* Gives it up: devices drop it, nothing is stored, the handle is gone. NULL is allowed. Never
 * fails. */
SDB_API void sdb_partial_abort(sdb_partial *partial);

/* The id that the object will have. Never fails. */
SDB_API sdb_uuid sdb_partial_id(const sdb_partial *partial);

/* ---- events ---- */

/* A client's change that was stored. Valid during the call only. */
typedef struct sdb_event {
  size_t size; /* of this struct */
  sdb_action action;
  const sdb_store *store;
  const char *user;
  sdb_uuid id, event_id;
  sdb_uuid client_id; /* nil where the client gave none */
  sdb_slice object;   /* the new one; of a delete the one removed */
  sdb_slice previous; /* what an update replaced; else empty */
} sdb_event;

/* The application's code on an event. Runs on a worker thread; events of one user come one after
 * the other, in order; those of different users side by side. It may block. `context` is the
 * user's, for the call: retain it to keep it. */
typedef void (*sdb_subscriber_fn)(const sdb_event *event, sdb_context *context, void *argument);

/* Calls `subscriber` for each change that a client makes in `store` from now on, after it is
 * durable. Changes by the application itself (sdb_push...) are not told, so answering a message
 * with a message does not answer the answer. Several subscribers of one store are called one after
 * another. Events not yet handled when the process ends are not told again. SDB_UNKNOWN_STORE;
 * SDB_NO_MEMORY; SDB_CONFLICT: inside a callback of the loop; SDB_CLOSED. */
SDB_API SDB_MUST_CHECK sdb_status sdb_subscribe(sdb_database *database, const sdb_store *store,
    sdb_subscriber_fn subscriber, void *argument, sdb_error *error);

#ifdef __cplusplus
}
#endif
#endif
