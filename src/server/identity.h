/* server/identity.h: who may connect, and where a request says who it is. */
#ifndef SDB_SERVER_IDENTITY_H
#define SDB_SERVER_IDENTITY_H

#include "net/net.h"
#include "server/jwt.h"
#include <stdatomic.h>
#include <syncdb/server.h>

typedef struct sdb_identities {
  sdb_authenticate_fn authenticate;
  void *context;
  sdb_jwt *jwt;
  bool by_mail;         /* asked of the application, and answered later */
  atomic_bool dev_auth; /* these two may be set by a listener too */
  atomic_uint ways;     /* how many were set: exactly one is needed to listen */
} sdb_identities;

/* SDB_INVALID_ARGUMENT or SDB_NO_MEMORY where a key is no good. */
SDB_MUST_CHECK sdb_status sdb_identities_init(
    sdb_identities *identities, const sdb_server_options *options, sdb_error *error);
void sdb_identities_free(sdb_identities *identities);

/* Everybody is believed from now on, where no way was set. Any thread. */
void sdb_identities_believe(sdb_identities *identities);

/* Whether exactly one way was set, and it is one for those who come by `loopback` or not; else
 * SDB_UNAUTHORIZED with `error` set. Any thread. */
SDB_MUST_CHECK sdb_status sdb_identities_ready(
    const sdb_identities *identities, bool loopback, const char *where, sdb_error *error);

/* Whether an application's `name` is 1 to 255 bytes of UTF-8 without a NUL. */
bool sdb_identity_is_name(sdb_slice name);

/* Whether `token` is somebody's at `now_ms`; then `identity` says whose. */
bool sdb_identities_check(const sdb_identities *identities, sdb_slice token, sdb_slice remote,
    uint64_t now_ms, sdb_identity *identity);

#define SDB_TOKEN_SIZE_MAX 8192

/* The token that a request carries (header, cookie, query), in `buffer` of SDB_TOKEN_SIZE_MAX bytes
 * where it had to be decoded. Empty: none. `name`: of the query's parameter. */
sdb_slice sdb_credentials_token(const sdb_net_request *request, const char *name, char *buffer);

#endif
