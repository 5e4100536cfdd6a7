/* server/jwt.h: who a JSON Web Token (RFC 7519) says that its bearer is.
 *
 * A verifier holds one key, and the key alone decides the algorithm: a token
 * that names another one ("none" among them) is refused before anything else of
 * it is looked at. A verifier does not change: any thread may use it.
 */
#ifndef SDB_SERVER_JWT_H
#define SDB_SERVER_JWT_H

#include "hub/limits.h"
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

typedef struct sdb_jwt sdb_jwt;

#define SDB_JWT_SECRET_SIZE_MIN 32
#define SDB_JWT_TOKEN_SIZE_MAX 8192
#define SDB_JWT_NBF_LEEWAY_MS 30000 /* for issuers whose clock is ahead of ours */

/* A verifier of HS256 tokens. The secret is copied, and wiped at the end.
 * SDB_INVALID_ARGUMENT: fewer than 32 bytes (or absurdly many); SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_jwt_create_secret(sdb_slice secret, sdb_jwt **jwt, sdb_error *error);

/* A verifier by a public key in PEM ("BEGIN PUBLIC KEY"): RSA of at least 2048 bits verifies RS256,
 * EC on P-256 ES256, Ed25519 EdDSA. SDB_INVALID_ARGUMENT: none of these; SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_jwt_create_public_key(sdb_slice pem, sdb_jwt **jwt, sdb_error *error);

/* NULL is allowed. */
void sdb_jwt_destroy(sdb_jwt *jwt);

/* Verifies `token`, and sets `user` (room for SDB_USER_NAME_MAX + 1 bytes; ends in NUL) to its
 * `sub` and `*expires_ms` to its `exp` in milliseconds since the epoch, 0 where it has none. A
 * token counts until its `exp`, and from SDB_JWT_NBF_LEEWAY_MS before its `nbf`.
 * SDB_UNAUTHORIZED: error->message is the reason, and holds nothing of the token or the key;
 * SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_jwt_verify(const sdb_jwt *jwt, sdb_slice token, uint64_t now_ms,
    char *user, uint64_t *expires_ms, sdb_error *error);

#endif
