/* syncdb/server.h: letting devices in: listening, identity, limits. */
#ifndef SYNCDB_SERVER_H
#define SYNCDB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sdb_database sdb_database;

/* What a device shows when it connects. Valid during the call only. */
typedef struct sdb_credentials {
  size_t size;     /* of this struct */
  sdb_slice token; /* from `Authorization: Bearer`, the cookie `syncdb_token`, `?token=`, or a hello
                      or auth message; never empty */
  sdb_slice remote; /* the peer's address as text, empty for a hello or auth message */
} sdb_credentials;

#define SDB_IDENTITY_USER_SIZE 256

typedef struct sdb_identity {
  size_t size;                       /* of this struct */
  char user[SDB_IDENTITY_USER_SIZE]; /* 1 to 255 bytes of UTF-8 and a NUL */
  uint64_t expires_ms; /* since the epoch; 0: never. The connection then closes with 4401 */
} sdb_identity;

/* Who is this? True and `*identity` filled, or false: no data, the connection closes with 4401.
 * Runs on the loop thread, so it must be quick and must not call the library back. */
typedef bool (*sdb_authenticate_fn)(
    void *context, const sdb_credentials *credentials, sdb_identity *identity);

/* Zero stands for the default everywhere. Strings are copied. Exactly one of authenticate,
 * authenticate_by_mail, jwt_secret, jwt_public_key and dev_auth must be set for sdb_listen. */
typedef struct sdb_server_options {
  sdb_authenticate_fn authenticate;
  void *authenticate_context;
  bool authenticate_by_mail; /* asked by SDB_MAIL_AUTHENTICATE (syncdb/mailbox.h), answered later */
  sdb_slice jwt_secret;      /* HS256; at least 32 bytes */
  sdb_slice jwt_public_key;  /* PEM; the key's type decides: RS256, ES256, EdDSA */
  bool dev_auth;             /* `?user=NAME` (or NAME as the token) is believed: loopback only */

  const char *tls_cert, *tls_key; /* PEM files; both or none */
  const char *const *origins; /* pages that may connect, as "https://app.example"; "*" any; none:
                                 pages of the server's own host. Not asked of what is no browser */
  size_t origins_count;
  bool no_compression;
  bool compress_loopback;

  uint32_t message_bytes_max;    /* default 1 MiB; over it the connection closes with 1009 */
  uint32_t object_bytes_max;     /* default 256 KiB; over it `too_large` */
  uint32_t depth_max;            /* default 32, at most 64 */
  uint32_t pushes_per_second;    /* a connection; default: no limit */
  uint32_t connections_max;      /* default: as many as file descriptors allow */
  uint32_t connections_per_user; /* default 64 */
  uint32_t output_soft_bytes;    /* default 256 KiB: catch-up waits, partials fold */
  uint32_t output_hard_bytes;    /* default 4 MiB: a reader this slow is closed with 1013 */
  uint32_t hello_timeout_ms;     /* default 5000 */
  uint32_t ping_interval_ms;     /* default 30000 */

  const char *pages; /* a folder of built pages, served to everybody by GET and HEAD: see below */
  const char *pages_policy; /* their Content-Security-Policy; default: scripts, styles, images,
                               fonts, workers and sockets of this server only, WebAssembly, nothing
                               inline */
} sdb_server_options;

/* Pages. The folder is read when the database is opened, 1,024 files and 64 MiB at most, and
 * answered from memory: a change shows after a restart. A path that ends in '/' stands for its
 * index.html. Names that begin with a dot are left out; symbolic links inside it are refused. What
 * compresses is sent compressed to who takes that. A file under /assets/ with a hash in its name
 * (NAME-HASH.js, as bundlers write them) may be kept for ever, everything else is asked for again
 * and answered with 304 while it is the same. */

/* Listens for devices (`ws://`, or `wss://` with tls_cert) and serves GET /healthz, GET /metrics
 * and the pages.
 * `host` is an IPv4 or IPv6 address; `port` 0 takes a free one. `*bound` (may be NULL) is the port.
 * May be called several times. SDB_UNAUTHORIZED: not exactly one way of identity is set, or
 * dev_auth off loopback; SDB_INVALID_ARGUMENT: `host`; SDB_IO: the port is taken, or the system's
 * reason; SDB_CLOSED; SDB_CONFLICT: inside a callback of the loop. */
SDB_API SDB_MUST_CHECK sdb_status sdb_listen(
    sdb_database *database, const char *host, uint16_t port, uint16_t *bound, sdb_error *error);

/* One way in. Start from SDB_LISTEN_OPTIONS_INIT. */
typedef struct sdb_listen_options {
  size_t size;                    /* of this struct: lets it grow in later versions */
  const char *host;               /* an IPv4 or IPv6 address */
  uint16_t port;                  /* 0: a free one */
  const char *tls_cert, *tls_key; /* PEM files; none: those of sdb_server_options, if any */
  bool dev_auth; /* as in sdb_server_options, where no way of identity was set at opening: it holds
                    from then on for the database */
  const char *pages, *pages_policy; /* likewise: the folder is read now, and served by all listeners
                                       of the database from then on */
} sdb_listen_options;

#define SDB_LISTEN_OPTIONS_INIT                                                                    \
  { .size = sizeof(sdb_listen_options) }

/* As sdb_listen, with what is this listener's own. Errors as sdb_listen's, and SDB_IO for PEM files
 * that cannot be read or do not match; SDB_INVALID_ARGUMENT: one of them alone. Of pages:
 * SDB_INVALID_ARGUMENT, SDB_LIMIT and SDB_IO as sdb_database_open's; SDB_CONFLICT: the database has
 * some already. On an error nothing has changed. */
SDB_API SDB_MUST_CHECK sdb_status sdb_listen_with(
    sdb_database *database, const sdb_listen_options *options, uint16_t *bound, sdb_error *error);

/* A connection whose HTTP request somebody else has read: a server of the application's that shares
 * its port. Start from SDB_ADOPTION_INIT. */
typedef struct sdb_adoption {
  size_t size;      /* of this struct: lets it grow in later versions */
  int fd;           /* a connected stream socket, or one end of a socketpair (where the application
                     does the TLS); what is written to it has to reach the device as it is */
  sdb_slice head;   /* the request as it came, or rebuilt: request line, headers, empty line */
  sdb_slice rest;   /* what was read behind it; may be empty */
  sdb_slice remote; /* the device's address as text; empty: that of `fd` */
} sdb_adoption;

#define SDB_ADOPTION_INIT                                                                          \
  { .size = sizeof(sdb_adoption), .fd = -1 }

/* Goes on with it as if the library had accepted it and read `head` and `rest` itself: checks the
 * upgrade, the origin and the identity, and answers; what is no WebSocket upgrade gets what
 * sdb_listen's port would say. Copies what it is given, does not wait, and needs no sdb_listen.
 * On SDB_OK `fd` is the library's, which closes it when the connection ends, also where that is at
 * once (a bad request, too many connections); on an error it is the caller's still.
 * SDB_UNAUTHORIZED: not exactly one way of identity is set, or dev_auth and `remote` is not
 * loopback; SDB_INVALID_ARGUMENT: `fd` is no stream socket, `head` does not end with an empty line,
 * `remote` is no address; SDB_TOO_LARGE: `head` over 64 KiB (over 8 KiB it is answered with 431),
 * `rest` over 1 MiB; SDB_CLOSED; SDB_NO_MEMORY. */
SDB_API SDB_MUST_CHECK sdb_status sdb_adopt(
    sdb_database *database, const sdb_adoption *adoption, sdb_error *error);

/* Waits until SIGINT or SIGTERM arrives or sdb_stop is called. Its signal handlers are there during
 * the call only. SDB_OK; SDB_CONFLICT: another thread of the process is in it; SDB_IO. Then close
 * the database: that is what shuts down gracefully. */
SDB_API sdb_status sdb_run(sdb_database *database);

/* Ends sdb_run. Any thread, and safe in a signal handler. Never fails. */
SDB_API void sdb_stop(sdb_database *database);

#ifdef __cplusplus
}
#endif
#endif
