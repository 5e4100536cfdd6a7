/* net/resolve.h: names to addresses, without holding the loop up.
 *
 * getaddrinfo blocks, for many seconds where a name server is silent, and cannot be stopped. So a
 * lookup has a thread of its own, and whoever gives it up just lets go of it.
 */
#ifndef SDB_NET_RESOLVE_H
#define SDB_NET_RESOLVE_H

#include "net/net.h"
#include <netdb.h>

/* Threads of this process: one whose name server is silent lasts long, and whoever gave it up may
 * begin another. */
#define SDB_LOOKUPS_MAX 256

typedef struct sdb_lookup sdb_lookup;

/* The addresses of a host that is one; NULL: it is a name, or there is no memory. Freed with
 * freeaddrinfo. Does not block. */
struct addrinfo *sdb_resolve_numeric(const char *host, const char *port);

/* Begins to look `host` up; the loop is roused when the answer is there (sdb_net_rouse_lookups).
 * NULL: no thread or memory is to be had, or too many lookups are running in this process. */
sdb_lookup *sdb_lookup_start(sdb_net *net, const char *host, const char *port);

/* Whether the answer is there: then `*addresses` is the caller's to free, or NULL, and `*problem`
 * (static) says why. */
bool sdb_lookup_take(sdb_lookup *lookup, struct addrinfo **addresses, const char **problem);

/* Lets go of it, answered or not; the net is not roused any more. NULL is allowed. */
void sdb_lookup_drop(sdb_lookup *lookup);

#endif
