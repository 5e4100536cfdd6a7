/* net/tls.h: TLS 1.2 and 1.3 as a transport, by OpenSSL. */
#ifndef SDB_NET_TLS_H
#define SDB_NET_TLS_H

#include "base/memory.h"
#include "net/transport.h"

typedef struct sdb_tls_context sdb_tls_context;

/* Reads the certificate chain and the key from PEM files. SDB_IO: they cannot be read, or do not
 * belong together (the error says which); SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_tls_create(const sdb_mem *mem, const char *cert, const char *key,
    sdb_tls_context **context, sdb_error *error);

/* For connections that we make: their certificates must come from `ca`, a PEM file; NULL: from the
 * system's; `insecure`: from anywhere, and `ca` is not read. SDB_IO: the file cannot be read;
 * SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_tls_create_client(
    const sdb_mem *mem, const char *ca, bool insecure, sdb_tls_context **context, sdb_error *error);

/* Counts another holder, and gives `context` back. */
sdb_tls_context *sdb_tls_retain(sdb_tls_context *context);

/* Lets go of it; the last holder frees it. NULL is allowed. */
void sdb_tls_release(sdb_tls_context *context);

/* The server's side of a connection: the state for SDB_TRANSPORT_TLS, which does the handshake as
 * it reads. NULL: out of memory. */
void *sdb_tls_accept(sdb_tls_context *context, int fd);

/* The client's side; the certificate must be one of `host`, a name or an address, which is not
 * empty. */
void *sdb_tls_connect(sdb_tls_context *context, int fd, const char *host);

extern const sdb_transport SDB_TRANSPORT_TLS;

#endif
