/* server/identity.c: who may connect, and where a request says who it is.
 *
 * Tokens are secrets: they are never logged and never part of an error.
 */
#include "server/identity.h"
#include "base/base.h"
#include "base/error.h"
#include "server/percent.h"
#include "json/json.h"
#include <strings.h>

sdb_status sdb_identities_init(
    sdb_identities *identities, const sdb_server_options *options, sdb_error *error) {
  memset(identities, 0, sizeof(*identities));
  identities->authenticate = options->authenticate;
  identities->context = options->authenticate_context;
  identities->by_mail = options->authenticate_by_mail;
  atomic_init(&identities->dev_auth, options->dev_auth);
  atomic_init(
      &identities->ways, (unsigned)((options->authenticate != NULL) +
                                    options->authenticate_by_mail + (options->jwt_secret.size > 0) +
                                    (options->jwt_public_key.size > 0) + options->dev_auth));
  if (options->jwt_secret.size > 0)
    return sdb_jwt_create_secret(options->jwt_secret, &identities->jwt, error);
  if (options->jwt_public_key.size > 0)
    return sdb_jwt_create_public_key(options->jwt_public_key, &identities->jwt, error);
  return SDB_OK;
}

void sdb_identities_free(sdb_identities *identities) {
  sdb_jwt_destroy(identities->jwt);
  identities->jwt = NULL;
}

void sdb_identities_believe(sdb_identities *identities) {
  if (atomic_load(&identities->ways) != 0) return;
  atomic_store(&identities->dev_auth, true);
  atomic_store(&identities->ways, 1);
}

sdb_status sdb_identities_ready(
    const sdb_identities *identities, bool loopback, const char *where, sdb_error *error) {
  if (atomic_load(&identities->ways) != 1)
    return sdb_error_set(error, SDB_UNAUTHORIZED,
        "exactly one way to tell who a user is must be set: ",
        "authenticate, by mail, a JWT secret, a JWT public key, or dev_auth", NULL);
  if (atomic_load(&identities->dev_auth) && !loopback)
    return sdb_error_set(error, SDB_UNAUTHORIZED,
        "dev_auth believes everybody, so it is for loopback addresses only, not for ", where, NULL);
  return SDB_OK;
}

bool sdb_identity_is_name(sdb_slice name) {
  return name.size > 0 && name.size < SDB_IDENTITY_USER_SIZE && !memchr(name.data, 0, name.size) &&
         sdb_utf8_valid(name);
}

/* The application's or a JWT's word; an expiry that has passed is as good as none. */
static bool ask(const sdb_identities *identities, const sdb_credentials *credentials,
    uint64_t now_ms, sdb_identity *identity) {
  if (identities->authenticate)
    return identities->authenticate(identities->context, credentials, identity);
  return sdb_jwt_verify(identities->jwt, credentials->token, now_ms, identity->user,
             &identity->expires_ms, NULL) == SDB_OK;
}

bool sdb_identities_check(const sdb_identities *identities, sdb_slice token, sdb_slice remote,
    uint64_t now_ms, sdb_identity *identity) {
  memset(identity, 0, sizeof(*identity));
  identity->size = sizeof(*identity);
  if (token.size == 0 || token.size > SDB_TOKEN_SIZE_MAX || identities->ways != 1) return false;
  if (identities->dev_auth) {
    if (token.size >= sizeof(identity->user) || memchr(token.data, 0, token.size)) return false;
    memcpy(identity->user, token.data, token.size);
  } else {
    sdb_credentials credentials = {sizeof(credentials), token, remote};
    if (!ask(identities, &credentials, now_ms, identity)) return false;
  }
  identity->user[SDB_IDENTITY_USER_SIZE - 1] = 0;
  if (identity->expires_ms != 0 && identity->expires_ms <= now_ms) return false;
  return sdb_identity_is_name(sdb_slice_of(identity->user));
}

/* The value of `name` in a list of name=value pairs, still encoded. */
static sdb_slice pair_value(sdb_slice list, char separator, const char *name) {
  size_t name_size = strlen(name);
  while (list.size > 0) {
    const char *end = memchr(list.data, separator, list.size);
    size_t size = end ? (size_t)(end - list.data) : list.size;
    if (size > name_size && list.data[name_size] == '=' && memcmp(list.data, name, name_size) == 0)
      return sdb_slice_make(list.data + name_size + 1, size - name_size - 1);
    size_t step = end ? size + 1 : size;
    list = sdb_slice_make(list.data + step, list.size - step);
    while (list.size > 0 && list.data[0] == ' ')
      list = sdb_slice_make(list.data + 1, list.size - 1);
  }
  return list;
}

sdb_slice sdb_credentials_token(const sdb_net_request *request, const char *name, char *buffer) {
  static const char BEARER[] = "Bearer ";
  const size_t bearer_size = sizeof(BEARER) - 1;
  sdb_slice header = request->authorization;
  if (header.size > bearer_size && strncasecmp(header.data, BEARER, bearer_size) == 0)
    return sdb_slice_make(header.data + bearer_size, header.size - bearer_size);
  sdb_slice value = pair_value(request->query, '&', name);
  if (value.size > 0) return sdb_percent_decode(value, true, buffer, SDB_TOKEN_SIZE_MAX);
  return pair_value(request->cookie, ';', "syncdb_token");
}
