/* wire/wire.h: the messages of protocol.md, read and written, for both sides.
 *
 * Reading: one scan of the frame, then each message's fields by a table (decode.c);
 * what it gives are token indexes and parsed ids, nothing is copied. Writing for a
 * server: the encoders append whole frames to a run, so that several messages leave
 * as one piece and one piece goes to several devices (encode.c). Writing for a client:
 * one message's text into a buffer; its frame is masked where it is sent
 * (encode_client.c).
 */
#ifndef SDB_WIRE_WIRE_H
#define SDB_WIRE_WIRE_H

#include "store/store.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/uuid.h>

#define SDB_WIRE_PROTOCOL 1

/* ---- reading ---- */

typedef enum sdb_wire_type {
  SDB_WIRE_CLIENT_HELLO = 1, /* of a client */
  SDB_WIRE_FETCH,
  SDB_WIRE_PING,
  SDB_WIRE_AUTH,
  SDB_WIRE_UPDATE, /* of both */
  SDB_WIRE_REMOVE,
  SDB_WIRE_SERVER_HELLO, /* of a server */
  SDB_WIRE_PARTIAL,
  SDB_WIRE_SYNCED,
  SDB_WIRE_ERROR,
  SDB_WIRE_PONG
} sdb_wire_type;

/* A message. Tokens are indexes into `json`, 0 where the field is absent or null; ids are nil where
 * absent or null. Valid as long as the scanned text and the next scan. */
typedef struct sdb_wire_message {
  sdb_wire_type type;
  const sdb_json *json;
  uint32_t sync_status, missing, window, accept; /* client_hello */
  uint32_t token;                                /* client_hello, auth: a string */
  uint32_t store;                                /* a string */
  uint32_t object;                               /* an object */
  uint32_t limit;                                /* fetch: the number itself, not a token */
  uint32_t stores;                               /* server_hello: an object */
  uint32_t append;                               /* partial: an object */
  uint32_t code, text, path;                     /* error: strings; `text` is its `message` */
  bool more;                                     /* synced */
  sdb_uuid database;
  sdb_uuid id, event_id, client_id;
  sdb_uuid after, before;
} sdb_wire_message;

/* Reads one message of a client into `json`, which is reused. SDB_OK.
 * SDB_BAD_JSON: not JSON, too deep, or not {"type": string, ...}: the peer speaks something else.
 * SDB_UNKNOWN_TYPE. SDB_BAD_MESSAGE: a field of the wrong type; `message` holds all the others,
 * `client_id` among them. SDB_NO_MEMORY. All with error->message. */
SDB_MUST_CHECK sdb_status sdb_wire_decode(
    sdb_json *json, sdb_slice text, int depth_max, sdb_wire_message *message, sdb_error *error);

/* The same for a message of a server. */
SDB_MUST_CHECK sdb_status sdb_wire_decode_server(
    sdb_json *json, sdb_slice text, int depth_max, sdb_wire_message *message, sdb_error *error);

/* Reads the string at `at` as a UUID. */
bool sdb_wire_uuid(const sdb_json *json, uint32_t at, sdb_uuid *id);

/* ---- objects ---- */

/* Appends the object at `at` as it is stored: its text, with `$createdAt` (protocol.md section 2):
 * the one it has if that is not in the future of `now_ms`, else `now_ms`. SDB_OK;
 * SDB_INVALID_OBJECT with path /$createdAt: it is not whole milliseconds. The buffer's own
 * status is sticky. */
SDB_MUST_CHECK sdb_status sdb_wire_object_write(
    sdb_buffer *to, const sdb_json *json, uint32_t at, uint64_t now_ms, sdb_error *error);

/* ---- writing ---- */

#define SDB_WIRE_HEADER_MAX 10

/* Writes the header of a frame with a payload of `size` bytes and gives its length, at most
 * SDB_WIRE_HEADER_MAX. */
typedef size_t (*sdb_wire_header_fn)(size_t size, unsigned char *header);

/* A run of frames. Errors stick in `buffer`. */
typedef struct sdb_wire_run {
  sdb_buffer buffer;
  sdb_wire_header_fn header;
  uint32_t messages;
  size_t start; /* of the message that is being written */
} sdb_wire_run;

void sdb_wire_run_init(
    sdb_wire_run *run, const sdb_mem *mem, size_t size_max, sdb_wire_header_fn header);
void sdb_wire_run_reset(sdb_wire_run *run);
void sdb_wire_run_free(sdb_wire_run *run);

typedef struct sdb_wire_store_head {
  const char *store; /* the name on the wire */
  sdb_uuid head;     /* nil: null */
  bool reset;
} sdb_wire_store_head;

void sdb_wire_server_hello(sdb_wire_run *run, sdb_uuid database, uint64_t time_ms,
    const sdb_wire_store_head *stores, size_t count);

/* An update, or a remove where `object` is empty. `event_id` is left out where it equals `id`, and
 * where it is nil (a partial that was given up); `client_id` where it is nil. */
typedef struct sdb_wire_event {
  const char *store;
  sdb_uuid id, event_id, client_id;
  sdb_slice object;
} sdb_wire_event;

void sdb_wire_event_write(sdb_wire_run *run, const sdb_wire_event *event);

void sdb_wire_partial(sdb_wire_run *run, const char *store, sdb_uuid id, sdb_slice object);

/* `escaped`: the appended text as it stands in JSON, without quotes. */
void sdb_wire_partial_append(
    sdb_wire_run *run, const char *store, sdb_uuid id, sdb_slice field, sdb_slice escaped);

/* Nil `after` or `before` are null. */
void sdb_wire_synced(
    sdb_wire_run *run, const char *store, sdb_uuid after, sdb_uuid before, bool more);

/* `store` NULL and `client_id` nil are left out, and so is an empty path. */
void sdb_wire_error(
    sdb_wire_run *run, const sdb_error *error, sdb_uuid client_id, const char *store);

void sdb_wire_pong(sdb_wire_run *run);

/* ---- writing, as a client: one message's text appended to `to`, whose status is sticky ---- */

/* A range of event ids, both ends exclusive; a nil one is null on the wire. */
typedef struct sdb_wire_range {
  sdb_uuid after, before;
} sdb_wire_range;

#define SDB_WIRE_WINDOW_ALL UINT32_MAX

/* What a hello says of one store. */
typedef struct sdb_wire_store_status {
  const char *store;             /* the name on the wire */
  sdb_uuid head;                 /* nil: null, never synced */
  uint32_t window;               /* SDB_WIRE_WINDOW_ALL: none is named */
  const sdb_wire_range *missing; /* newest first */
  size_t missing_count;
} sdb_wire_store_status;

typedef struct sdb_wire_hello {
  const sdb_wire_store_status *stores;
  size_t stores_count;
  sdb_uuid database; /* nil: left out */
  sdb_slice token;   /* plain UTF-8; empty: left out */
  bool accepts_append;
} sdb_wire_hello;

/* `missing` and `window` are left out where no store has any. */
void sdb_wire_client_hello(sdb_buffer *to, const sdb_wire_hello *hello);

/* An update, or a remove where `object` is empty. `id` and `client_id` are left out where nil. */
void sdb_wire_push(
    sdb_buffer *to, const char *store, sdb_uuid id, sdb_slice object, sdb_uuid client_id);

void sdb_wire_fetch(
    sdb_buffer *to, const char *store, sdb_uuid after, sdb_uuid before, uint32_t limit);
void sdb_wire_auth(sdb_buffer *to, sdb_slice token);
void sdb_wire_ping(sdb_buffer *to);

#endif
