/* server/jwt.c: verifying JSON Web Tokens: libjwt for HS256, RS256 and ES256, OpenSSL for EdDSA,
 * which libjwt 1.10 does not know.
 *
 *   base64url(header) . base64url(claims) . base64url(signature)
 *
 * In this order, and nothing is believed before the step above it has passed:
 *   1. size, the three parts and their alphabet
 *   2. the header: `alg` is the key's, no `crit`
 *   3. the signature over the first two parts
 *   4. the claims: `exp`, `nbf`, `sub`
 *
 * What OpenSSL left in its queue of errors is taken out before a function
 * returns: the loop's thread looks there to see whether a TLS connection failed.
 */
#include "server/jwt.h"
#include "base/error.h"
#include "platform/platform.h"
#include "json/json.h"
#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define KEY_SIZE_MAX 16384
#define RSA_BITS_MIN 2048
#define CLAIMS_VALUES_MAX 1024
#define CLAIMS_DEPTH_MAX 16
#define ESCAPE_SIZE_MAX 6 /* of one byte: \u00xx */

struct sdb_jwt {
  const char *algorithm; /* as `alg` names it */
  jwt_alg_t libjwt;      /* JWT_ALG_INVAL: verified by `ed25519` */
  EVP_PKEY *ed25519;     /* or NULL */
  size_t key_size;
  unsigned char key[]; /* the secret, or the public key in PEM */
};

/* ---- verifiers ---- */

static sdb_jwt *create(
    const char *algorithm, jwt_alg_t libjwt, EVP_PKEY *ed25519, const void *key, size_t size) {
  sdb_jwt *jwt = sdb_mem_zero(sdb_platform_mem(), sizeof(*jwt) + size);
  if (!jwt) return NULL;
  jwt->algorithm = algorithm;
  jwt->libjwt = libjwt;
  jwt->ed25519 = ed25519;
  jwt->key_size = size;
  if (size) memcpy(jwt->key, key, size);
  return jwt;
}

void sdb_jwt_destroy(sdb_jwt *jwt) {
  if (!jwt) return;
  EVP_PKEY_free(jwt->ed25519);
  OPENSSL_cleanse(jwt->key, jwt->key_size);
  sdb_mem_free(sdb_platform_mem(), jwt);
}

static sdb_status refuse_key(sdb_error *error, const char *message) {
  return sdb_error_set(error, SDB_INVALID_ARGUMENT, message, NULL, NULL);
}

static sdb_status no_memory(sdb_error *error) {
  return sdb_error_set(error, SDB_NO_MEMORY, sdb_status_text(SDB_NO_MEMORY), NULL, NULL);
}

sdb_status sdb_jwt_create_secret(sdb_slice secret, sdb_jwt **jwt, sdb_error *error) {
  if (secret.size < SDB_JWT_SECRET_SIZE_MIN)
    return refuse_key(error, "the secret for HS256 must have at least 32 bytes");
  if (secret.size > KEY_SIZE_MAX) return refuse_key(error, "the secret for HS256 is too large");
  sdb_jwt *created = create("HS256", JWT_ALG_HS256, NULL, secret.data, secret.size);
  if (!created) return no_memory(error);
  *jwt = created;
  return SDB_OK;
}

/* For PEM that claims to be encrypted: without this OpenSSL asks the terminal. */
static int no_passphrase(char *to, int size, int writing, void *context) {
  (void)to, (void)size, (void)writing, (void)context;
  return -1;
}

static EVP_PKEY *read_public_key(sdb_slice pem) {
  BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
  if (!bio) return NULL;
  EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
  BIO_free(bio);
  return key;
}

static bool is_on_p256(EVP_PKEY *key) {
  char group[32];
  return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
         strcmp(group, "prime256v1") == 0;
}

/* A verifier by libjwt, which wants PEM: what it gets is written anew, so that it holds this one
 * key and nothing that stood around it. NULL: out of memory. */
static sdb_jwt *create_by_pem(const char *algorithm, jwt_alg_t libjwt, EVP_PKEY *key) {
  sdb_jwt *jwt = NULL;
  char *pem = NULL;
  BIO *bio = BIO_new(BIO_s_mem());
  if (!bio) return NULL;
  if (PEM_write_bio_PUBKEY(bio, key) == 1) {
    long size = BIO_get_mem_data(bio, &pem);
    jwt = create(algorithm, libjwt, NULL, pem, (size_t)size);
  }
  BIO_free(bio);
  return jwt;
}

/* Takes `key` over where it keeps it. */
static sdb_status create_by_type(EVP_PKEY **key, sdb_jwt **jwt, sdb_error *error) {
  sdb_jwt *created = NULL;
  switch (EVP_PKEY_get_base_id(*key)) {
  case EVP_PKEY_RSA:
    if (EVP_PKEY_get_bits(*key) < RSA_BITS_MIN)
      return refuse_key(error, "an RSA key for RS256 must have at least 2048 bits");
    created = create_by_pem("RS256", JWT_ALG_RS256, *key);
    break;
  case EVP_PKEY_EC:
    if (!is_on_p256(*key))
      return refuse_key(error, "an EC key must be on the curve P-256, for ES256");
    created = create_by_pem("ES256", JWT_ALG_ES256, *key);
    break;
  case EVP_PKEY_ED25519:
    created = create("EdDSA", JWT_ALG_INVAL, *key, NULL, 0);
    if (created) *key = NULL;
    break;
  default:
    return refuse_key(error, "the public key must be RSA, EC on P-256, or Ed25519");
  }
  if (!created) return no_memory(error);
  *jwt = created;
  return SDB_OK;
}

sdb_status sdb_jwt_create_public_key(sdb_slice pem, sdb_jwt **jwt, sdb_error *error) {
  EVP_PKEY *key = pem.size && pem.size <= KEY_SIZE_MAX ? read_public_key(pem) : NULL;
  sdb_status status = key ? create_by_type(&key, jwt, error)
                          : refuse_key(error, "no public key in PEM (\"BEGIN PUBLIC KEY\")");
  EVP_PKEY_free(key);
  ERR_clear_error();
  return status;
}

/* ---- the token's parts ---- */

enum { HEADER, CLAIMS, SIGNATURE, PARTS };

typedef struct token {
  char text[SDB_JWT_TOKEN_SIZE_MAX + 1]; /* ends in NUL */
  sdb_slice parts[PARTS];                /* of `text` */
} token;

/* The value of a character of base64url (RFC 4648 section 5), or -1. */
static int base64url_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

/* Copies and splits. False: not three parts of base64url, none of them empty. */
static bool split(sdb_slice text, token *to) {
  SDB_ASSERT(text.size <= SDB_JWT_TOKEN_SIZE_MAX);
  size_t begin = 0, found = 0;
  for (size_t i = 0; i <= text.size; i++) {
    char c = i < text.size ? text.data[i] : '.';
    to->text[i] = c;
    if (base64url_value(c) >= 0) continue;
    if (c != '.' || i == begin || found == PARTS) return false;
    to->parts[found++] = sdb_slice_make(to->text + begin, i - begin);
    begin = i + 1;
  }
  to->text[text.size] = 0;
  return found == PARTS;
}

/* Decodes base64url without padding to `to`, which has room for three quarters of it. False: bits
 * are left over. */
static bool decode(sdb_slice encoded, char *to, size_t *size) {
  uint32_t bits = 0;
  unsigned held = 0; /* of `bits`, not written yet */
  size_t written = 0;
  for (size_t i = 0; i < encoded.size; i++) {
    bits = bits << 6 | (uint32_t)base64url_value(encoded.data[i]);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    to[written++] = (char)(bits >> held & 0xFF);
  }
  *size = written;
  return held < 6 && (bits & ((1U << held) - 1)) == 0;
}

/* ---- steps ---- */

static const char NO_TOKEN[] = "not a JSON Web Token";

static sdb_status refuse(sdb_error *error, const char *reason) {
  return sdb_error_set(error, SDB_UNAUTHORIZED, reason, NULL, NULL);
}

/* Decodes a part to `text` and scans it, which must give an object. */
static sdb_status scan_part(sdb_slice encoded, char *text, sdb_json *json, sdb_error *error) {
  size_t size;
  if (!decode(encoded, text, &size)) return refuse(error, NO_TOKEN);
  sdb_status status = sdb_json_scan(json, sdb_slice_make(text, size), CLAIMS_DEPTH_MAX, NULL);
  if (status == SDB_NO_MEMORY) return no_memory(error);
  if (status != SDB_OK || sdb_json_at(json, 0)->type != SDB_JSON_OBJECT)
    return refuse(error, NO_TOKEN);
  return SDB_OK;
}

static sdb_status check_header(const sdb_jwt *jwt, const sdb_json *header, sdb_error *error) {
  uint32_t algorithm = sdb_json_member(header, 0, sdb_slice_of("alg"));
  if (!algorithm || sdb_json_at(header, algorithm)->type != SDB_JSON_STRING ||
      !sdb_json_string_is(header, algorithm, sdb_slice_of(jwt->algorithm)))
    return refuse(error, "the token's algorithm is not the one of the key");
  if (sdb_json_member(header, 0, sdb_slice_of("crit")))
    return refuse(error, "the token asks for an extension that is not known here");
  return SDB_OK;
}

/* libjwt parses the claims too, and refuses here a few that its parser does not take (whole numbers
 * beyond 64 bits, \u0000). */
static bool is_signed_by_libjwt(const sdb_jwt *jwt, const token *t) {
  jwt_t *decoded = NULL;
  if (jwt_decode(&decoded, t->text, jwt->key, (int)jwt->key_size) != 0) return false;
  bool is_signed = jwt_get_alg(decoded) == jwt->libjwt;
  jwt_free(decoded);
  return is_signed;
}

static bool is_signed_by_ed25519(const sdb_jwt *jwt, const token *t, sdb_slice signature) {
  size_t signed_size = (size_t)(t->parts[SIGNATURE].data - t->text) - 1;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (!context) return false;
  bool is_signed = EVP_DigestVerifyInit(context, NULL, NULL, NULL, jwt->ed25519) == 1 &&
                   EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.size,
                       (const unsigned char *)t->text, signed_size) == 1;
  EVP_MD_CTX_free(context);
  return is_signed;
}

/* The signature is decoded for libjwt too, which lets bits be left over in it. */
static sdb_status check_signature(const sdb_jwt *jwt, const token *t, sdb_error *error) {
  char decoded[SDB_JWT_TOKEN_SIZE_MAX];
  size_t size;
  if (!decode(t->parts[SIGNATURE], decoded, &size)) return refuse(error, NO_TOKEN);
  bool is_signed = jwt->ed25519 ? is_signed_by_ed25519(jwt, t, sdb_slice_make(decoded, size))
                                : is_signed_by_libjwt(jwt, t);
  ERR_clear_error();
  return is_signed ? SDB_OK : refuse(error, "the token's signature is not valid");
}

/* A NumericDate claim in milliseconds, 0 where there is none or where it lies before the epoch.
 * False: it is no number. */
static bool read_date(const sdb_json *claims, const char *name, uint64_t *ms, bool *is_there) {
  static const double MS_MAX = 9e18;
  uint32_t at = sdb_json_member(claims, 0, sdb_slice_of(name));
  *is_there = at != 0;
  *ms = 0;
  if (!at) return true;
  if (sdb_json_at(claims, at)->type != SDB_JSON_NUMBER) return false;
  double value = sdb_json_double(claims, at) * 1000;
  if (value > 0) *ms = (uint64_t)(value < MS_MAX ? value : MS_MAX);
  return true;
}

static sdb_status check_dates(
    const sdb_json *claims, uint64_t now_ms, uint64_t *expires_ms, sdb_error *error) {
  uint64_t expires, begins;
  bool is_there;
  if (!read_date(claims, "exp", &expires, &is_there))
    return refuse(error, "the token's exp is not a number");
  if (is_there && expires <= now_ms) return refuse(error, "the token has expired");
  if (!read_date(claims, "nbf", &begins, &is_there))
    return refuse(error, "the token's nbf is not a number");
  if (begins > now_ms && begins - now_ms > SDB_JWT_NBF_LEEWAY_MS)
    return refuse(error, "the token is not valid yet");
  *expires_ms = expires;
  return SDB_OK;
}

static sdb_status read_user(const sdb_json *claims, char *user, sdb_error *error) {
  char name[SDB_USER_NAME_MAX * ESCAPE_SIZE_MAX];
  uint32_t at = sdb_json_member(claims, 0, sdb_slice_of("sub"));
  if (!at || sdb_json_at(claims, at)->type != SDB_JSON_STRING)
    return refuse(error, "the token has no sub that is a string");
  size_t size = 0;
  if (sdb_json_text(claims, at).size <= sizeof(name)) size = sdb_json_unescape(claims, at, name);
  if (size == 0 || size > SDB_USER_NAME_MAX)
    return refuse(error, "the token's sub must have 1 to 255 bytes");
  if (memchr(name, 0, size)) return refuse(error, "the token's sub holds a zero byte");
  memcpy(user, name, size);
  user[size] = 0;
  return SDB_OK;
}

static sdb_status verify(const sdb_jwt *jwt, const token *t, sdb_json *json, uint64_t now_ms,
    char *user, uint64_t *expires_ms, sdb_error *error) {
  char text[SDB_JWT_TOKEN_SIZE_MAX];
  uint64_t expires = 0;
  sdb_status status = scan_part(t->parts[HEADER], text, json, error);
  if (status == SDB_OK) status = check_header(jwt, json, error);
  if (status == SDB_OK) status = check_signature(jwt, t, error);
  if (status == SDB_OK) status = scan_part(t->parts[CLAIMS], text, json, error);
  if (status == SDB_OK) status = check_dates(json, now_ms, &expires, error);
  if (status == SDB_OK) status = read_user(json, user, error);
  if (status == SDB_OK) *expires_ms = expires;
  return status;
}

sdb_status sdb_jwt_verify(const sdb_jwt *jwt, sdb_slice text, uint64_t now_ms, char *user,
    uint64_t *expires_ms, sdb_error *error) {
  token t;
  if (text.size == 0) return refuse(error, "no token");
  if (text.size > SDB_JWT_TOKEN_SIZE_MAX) return refuse(error, "the token is too large");
  if (!split(text, &t)) return refuse(error, NO_TOKEN);
  sdb_json json;
  sdb_json_init(&json, sdb_platform_mem(), CLAIMS_VALUES_MAX);
  sdb_status status = verify(jwt, &t, &json, now_ms, user, expires_ms, error);
  sdb_json_free(&json);
  return status;
}
