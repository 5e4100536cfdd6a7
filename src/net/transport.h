/* net/transport.h: how a connection's bytes travel: plain TCP, or TLS over it. */
#ifndef SDB_NET_TRANSPORT_H
#define SDB_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <syncdb/status.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What read and write give instead of a count. */
#define SDB_TRANSPORT_AGAIN (-1)  /* not now: wait until the socket is ready */
#define SDB_TRANSPORT_FAILED (-2) /* the connection is broken */

/* `state` is the transport's own of one connection; NULL for plain. */
typedef struct sdb_transport {
  /* Up to `size` bytes; 0: the peer has ended its side. */
  ssize_t (*read)(int fd, void *state, char *to, size_t size);
  /* Some of the pieces' bytes. After AGAIN the next write must begin with the same bytes. */
  ssize_t (*write)(int fd, void *state, const struct iovec *pieces, int count);
  /* Whether bytes were read off the socket that read has not given out. */
  bool (*pending)(void *state);
  /* Whether the socket must become writable for read to go on. */
  bool (*read_wants_write)(void *state);
  /* Whether what is written is sent as it is given, and not held back by a handshake. */
  bool (*ready)(void *state);
  /* Why it is broken, static, or NULL: nothing is known. */
  const char *(*problem)(void *state);
  /* Ends our side: the peer reads an end behind what was sent. */
  void (*end)(int fd, void *state);
  void (*free)(void *state);
} sdb_transport;

extern const sdb_transport SDB_TRANSPORT_PLAIN;

#endif
