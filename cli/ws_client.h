/* cli/ws_client.h: a WebSocket client (RFC 6455) for `syncdb connect` and `syncdb bench`.
 *
 * Sockets do not block. The owner polls `fd`, calls sdb_ws_client_on_ready, and gets what came by
 * callbacks; what it sends is collected and leaves as one write with sdb_ws_client_flush. Many
 * clients share one reader buffer, so that many frames are taken from one read.
 *
 * One thread. A callback may send, close and ask, but not free its client.
 */
#ifndef SDB_CLI_WS_CLIENT_H
#define SDB_CLI_WS_CLIENT_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDB_WS_CLIENT_ERROR_SIZE 256

/* Where to connect to: a URL taken apart, its addresses resolved, TLS set up. Shared by clients. */
typedef struct sdb_ws_endpoint {
  bool tls;
  char host[256]; /* without the brackets of an IPv6 address */
  char port[8];
  char target[2048]; /* path and query */
  char authority[300];
  struct addrinfo *addresses;
  struct ssl_ctx_st *tls_context;
} sdb_ws_endpoint;

/* Takes "ws://host:port/path?query" or "wss://..." apart and resolves the host (this blocks).
 * `insecure`: with wss, any certificate will do. False with `error` (of SDB_WS_CLIENT_ERROR_SIZE
 * bytes) set; then nothing is held. */
bool sdb_ws_endpoint_open(sdb_ws_endpoint *endpoint, const char *url, bool insecure, char *error);
void sdb_ws_endpoint_close(sdb_ws_endpoint *endpoint);

/* Whether `url` is one that sdb_ws_endpoint_open takes, without resolving it. `error`: why not. */
bool sdb_ws_url_parse(const char *url, sdb_ws_endpoint *endpoint, char *error);

/* The buffer that clients of one thread read into. */
typedef struct sdb_ws_reader {
  unsigned char *data;
  size_t size;
} sdb_ws_reader;

bool sdb_ws_reader_create(sdb_ws_reader *reader, size_t size);
void sdb_ws_reader_destroy(sdb_ws_reader *reader);

typedef struct sdb_ws_client sdb_ws_client;

typedef struct sdb_ws_client_handler {
  /* The handshake is done: messages may be sent. */
  void (*opened)(sdb_ws_client *client, void *tag);
  /* A text message, as it came (not checked to be UTF-8), valid during the call. */
  void (*message)(sdb_ws_client *client, void *tag, const char *text, size_t size);
} sdb_ws_client_handler;

typedef struct sdb_ws_client_options {
  const sdb_ws_endpoint *endpoint; /* this and the two below must outlive the client */
  const sdb_ws_reader *reader;
  const sdb_ws_client_handler *handler;
  void *tag;
  const char *target; /* NULL: the endpoint's. This and the token are needed during create only */
  const char *token;  /* sent as `Authorization: Bearer`, or NULL */
  size_t message_bytes_max; /* over it the client closes with 1009 */
} sdb_ws_client_options;

/* Begins to connect. NULL: out of memory or descriptors; everything else is told by the state. */
sdb_ws_client *sdb_ws_client_create(const sdb_ws_client_options *options);
void sdb_ws_client_free(sdb_ws_client *client);

typedef enum sdb_ws_client_state {
  SDB_WS_CLIENT_CONNECTING = 1, /* TCP or TLS or the upgrade is on its way */
  SDB_WS_CLIENT_OPEN,
  SDB_WS_CLIENT_CLOSING, /* we sent a close frame and wait for theirs */
  SDB_WS_CLIENT_CLOSED   /* nothing more comes; the socket is closed */
} sdb_ws_client_state;

sdb_ws_client_state sdb_ws_client_state_of(const sdb_ws_client *client);

/* The socket, or -1 when closed. It may change while connecting: ask after each call. */
int sdb_ws_client_fd(const sdb_ws_client *client);
bool sdb_ws_client_wants_read(const sdb_ws_client *client);
bool sdb_ws_client_wants_write(const sdb_ws_client *client);

/* The socket is ready (or has an error, then say both): goes on connecting, reads, writes. */
void sdb_ws_client_on_ready(sdb_ws_client *client, bool readable, bool writable);

/* Queues a text message. Does nothing unless open. */
void sdb_ws_client_send(sdb_ws_client *client, const char *text, size_t size);

/* Writes what is queued as far as the socket takes it; the rest waits for `wants_write`. */
void sdb_ws_client_flush(sdb_ws_client *client);

/* Sends a close frame; the state is CLOSED once the peer's has come. Closed at once if not open. */
void sdb_ws_client_close(sdb_ws_client *client, unsigned code, const char *reason);

/* Why it is closed: the peer's close code (1005: a close frame without one, 1006: the connection
 * ended without a close frame), its reason, and, where something failed on our side or before the
 * WebSocket was open, a sentence. Empty strings where there is nothing to say. */
unsigned sdb_ws_client_close_code(const sdb_ws_client *client);
const char *sdb_ws_client_close_reason(const sdb_ws_client *client);
const char *sdb_ws_client_error(const sdb_ws_client *client);

/* All bytes read from the connection so far, its handshake included (under TLS: decrypted). */
uint64_t sdb_ws_client_bytes_in(const sdb_ws_client *client);

#endif
