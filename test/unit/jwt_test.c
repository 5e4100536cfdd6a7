/* jwt_test.c: JSON Web Tokens, made here with OpenSSL (not with the library that verifies most of
 * them) from keys that are made anew in each run. */
#include "server/jwt.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW_S 1749383382
#define NOW_MS ((uint64_t)NOW_S * 1000 + 805)
#define TOKEN_SIZE 16384

static const char SECRET[] = "0123456789abcdef0123456789abcdef"; /* 32 bytes */
static const char OTHER_SECRET[] = "0123456789abcdef0123456789abcdeF";

/* One of each kind of key, its PEM, and the verifier of it. */
typedef struct issuer {
  const char *algorithm;
  EVP_PKEY *key; /* NULL: HS256 with SECRET */
  char pem[2048];
  sdb_jwt *jwt;
} issuer;

enum { HS256, RS256, ES256, EDDSA, ISSUERS };

static issuer issuers[ISSUERS] = {
    {.algorithm = "HS256"}, {.algorithm = "RS256"}, {.algorithm = "ES256"}, {.algorithm = "EdDSA"}};

static void write_pem(EVP_PKEY *key, char *pem, size_t capacity) {
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
  int size = BIO_read(bio, pem, (int)capacity - 1);
  assert_true(size > 0);
  pem[size] = 0;
  BIO_free(bio);
}

static int make_issuers(void **state) {
  (void)state;
  issuers[RS256].key = EVP_RSA_gen(2048);
  issuers[ES256].key = EVP_EC_gen("P-256");
  issuers[EDDSA].key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  sdb_error error;
  if (sdb_jwt_create_secret(sdb_slice_of(SECRET), &issuers[HS256].jwt, &error) != SDB_OK) return -1;
  for (int i = RS256; i < ISSUERS; i++) {
    issuer *by = &issuers[i];
    if (!by->key) return -1;
    write_pem(by->key, by->pem, sizeof(by->pem));
    if (sdb_jwt_create_public_key(sdb_slice_of(by->pem), &by->jwt, &error) != SDB_OK) return -1;
  }
  return 0;
}

static int free_issuers(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    sdb_jwt_destroy(issuers[i].jwt);
    EVP_PKEY_free(issuers[i].key);
  }
  return 0;
}

/* ---- making tokens ---- */

static void append_base64url(char *to, const void *data, size_t size) {
  static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const unsigned char *bytes = data;
  char *at = to + strlen(to);
  for (size_t bit = 0; bit < size * 8; bit += 6) {
    unsigned word = (unsigned)bytes[bit / 8] << 8;
    if (bit / 8 + 1 < size) word |= bytes[bit / 8 + 1];
    *at++ = ALPHABET[word >> (10 - bit % 8) & 63];
  }
  *at = 0;
}

static void append_hmac(char *token, const char *secret, size_t secret_size) {
  unsigned char signature[EVP_MAX_MD_SIZE];
  unsigned size;
  assert_non_null(HMAC(EVP_sha256(), secret, (int)secret_size, (const unsigned char *)token,
      strlen(token), signature, &size));
  strcat(token, ".");
  append_base64url(token, signature, size);
}

/* The two numbers of an ECDSA signature, as JWS wants them: 32 bytes each. */
static size_t flatten(unsigned char *signature, size_t size) {
  const unsigned char *at = signature;
  ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)size);
  assert_non_null(numbers);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), signature, 32), 32);
  assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), signature + 32, 32), 32);
  ECDSA_SIG_free(numbers);
  return 64;
}

static void append_signature(char *token, EVP_PKEY *key) {
  unsigned char signature[512];
  size_t size = sizeof(signature);
  int type = EVP_PKEY_get_base_id(key);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  const EVP_MD *digest = type == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
  assert_int_equal(EVP_DigestSignInit(context, NULL, digest, NULL, key), 1);
  assert_int_equal(
      EVP_DigestSign(context, signature, &size, (const unsigned char *)token, strlen(token)), 1);
  EVP_MD_CTX_free(context);
  if (type == EVP_PKEY_EC) size = flatten(signature, size);
  strcat(token, ".");
  append_base64url(token, signature, size);
}

static void begin_token(char *token, const char *header, const char *claims) {
  token[0] = 0;
  append_base64url(token, header, strlen(header));
  strcat(token, ".");
  append_base64url(token, claims, strlen(claims));
}

static void make_token(char *token, const issuer *by, const char *claims) {
  char header[64];
  snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", by->algorithm);
  begin_token(token, header, claims);
  if (by->key)
    append_signature(token, by->key);
  else
    append_hmac(token, SECRET, strlen(SECRET));
}

/* ---- asserting verdicts ---- */

static void assert_user(const issuer *by, const char *token, const char *name, uint64_t expires) {
  char user[SDB_USER_NAME_MAX + 1] = "nobody";
  uint64_t expires_ms = 42;
  sdb_error error = {.message = ""};
  sdb_status status =
      sdb_jwt_verify(by->jwt, sdb_slice_of(token), NOW_MS, user, &expires_ms, &error);
  assert_string_equal(error.message, "");
  assert_int_equal(status, SDB_OK);
  assert_string_equal(user, name);
  assert_int_equal(expires_ms, expires);
}

static void assert_refused_slice(const issuer *by, sdb_slice token, const char *reason) {
  char user[SDB_USER_NAME_MAX + 1] = "nobody";
  uint64_t expires_ms = 42;
  sdb_error error = {.message = ""};
  sdb_status status = sdb_jwt_verify(by->jwt, token, NOW_MS, user, &expires_ms, &error);
  assert_string_equal(error.message, reason);
  assert_int_equal(status, SDB_UNAUTHORIZED);
  assert_string_equal(user, "nobody");
  assert_int_equal(expires_ms, 42);
  assert_int_equal(ERR_peek_error(), 0);
}

static void assert_refused(const issuer *by, const char *token, const char *reason) {
  assert_refused_slice(by, sdb_slice_of(token), reason);
}

/* By Ed25519: there no other parser looks at the claims first. */
static void assert_claims_refused(const char *claims, const char *reason) {
  char token[TOKEN_SIZE];
  make_token(token, &issuers[EDDSA], claims);
  assert_refused(&issuers[EDDSA], token, reason);
}

static void assert_claims_user(const char *claims, const char *user, uint64_t expires_ms) {
  char token[TOKEN_SIZE];
  make_token(token, &issuers[EDDSA], claims);
  assert_user(&issuers[EDDSA], token, user, expires_ms);
}

static const char UNSIGNED[] = "the token's signature is not valid";
static const char ALGORITHM[] = "the token's algorithm is not the one of the key";
static const char NO_TOKEN[] = "not a JSON Web Token";

/* ---- signatures and algorithms ---- */

static void a_token_of_each_algorithm_gives_its_user(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE];
    make_token(token, &issuers[i], "{\"sub\":\"ann\",\"exp\":1749383400,\"nbf\":1749383300}");
    assert_user(&issuers[i], token, "ann", 1749383400000);
  }
}

static void a_token_of_another_key_of_the_same_kind_is_refused(void **state) {
  (void)state;
  EVP_PKEY *keys[ISSUERS] = {
      NULL, EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE], header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", issuers[i].algorithm);
    begin_token(token, header, "{\"sub\":\"ann\"}");
    if (keys[i])
      append_signature(token, keys[i]);
    else
      append_hmac(token, OTHER_SECRET, strlen(OTHER_SECRET));
    assert_refused(&issuers[i], token, UNSIGNED);
    EVP_PKEY_free(keys[i]);
  }
}

static void a_token_changed_in_any_character_is_refused(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE];
    make_token(token, &issuers[i], "{\"sub\":\"ann\"}");
    size_t size = strlen(token);
    for (size_t at = 0; at < size; at += i == RS256 ? 7 : 1) {
      char user[SDB_USER_NAME_MAX + 1], kept = token[at];
      uint64_t expires_ms;
      token[at] = kept == 'x' ? 'y' : 'x';
      assert_int_equal(sdb_jwt_verify(issuers[i].jwt, sdb_slice_make(token, size), NOW_MS, user,
                           &expires_ms, NULL),
          SDB_UNAUTHORIZED);
      token[at] = kept;
    }
  }
}

/* The last character of a signature can hold bits that decode to nothing. */
static void a_token_has_one_spelling(void **state) {
  (void)state;
  static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE];
    make_token(token, &issuers[i], "{\"sub\":\"ann\"}");
    char *last = token + strlen(token) - 1;
    *last = ALPHABET[strchr(ALPHABET, *last) - ALPHABET + 1];
    assert_refused(&issuers[i], token, NO_TOKEN);
  }
}

static void a_signature_cut_short_is_refused(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE];
    make_token(token, &issuers[i], "{\"sub\":\"ann\"}");
    strrchr(token, '.')[1 + 20] = 0; /* 15 bytes */
    assert_refused(&issuers[i], token, UNSIGNED);
  }
}

static void a_token_without_a_signature_is_refused(void **state) {
  (void)state;
  static const char *const HEADERS[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\",\"typ\":\"JWT\"}",
      "{\"alg\":\"NONE\"}", "{\"typ\":\"JWT\"}", "{\"alg\":null}", "{\"alg\":\"\"}", "{\"alg\":0}"};
  for (int i = 0; i < ISSUERS; i++) {
    for (size_t k = 0; k < sizeof(HEADERS) / sizeof(HEADERS[0]); k++) {
      char token[TOKEN_SIZE];
      begin_token(token, HEADERS[k], "{\"sub\":\"ann\"}");
      assert_refused(&issuers[i], token, NO_TOKEN);
      strcat(token, ".");
      assert_refused(&issuers[i], token, NO_TOKEN);
      strcat(token, "eA");
      assert_refused(&issuers[i], token, ALGORITHM);
    }
  }
}

/* The public key is no secret: whoever has it could make such a token. */
static void a_token_signed_with_the_public_key_as_a_secret_is_refused(void **state) {
  (void)state;
  for (int i = RS256; i < ISSUERS; i++) {
    char token[TOKEN_SIZE];
    begin_token(token, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", "{\"sub\":\"ann\"}");
    append_hmac(token, issuers[i].pem, strlen(issuers[i].pem));
    assert_refused(&issuers[i], token, ALGORITHM);
  }
}

static void a_header_that_names_the_keys_algorithm_over_another_signature_is_refused(void **state) {
  (void)state;
  for (int i = RS256; i < ISSUERS; i++) {
    char token[TOKEN_SIZE], header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", issuers[i].algorithm);
    begin_token(token, header, "{\"sub\":\"ann\"}");
    append_hmac(token, issuers[i].pem, strlen(issuers[i].pem));
    assert_refused(&issuers[i], token, UNSIGNED);
  }
}

static void a_token_of_any_other_algorithm_is_refused(void **state) {
  (void)state;
  static const char *const NAMES[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
      "ES256", "ES384", "ES256K", "EdDSA", "hs256", "rs256", "HS256 ", "Ed25519"};
  for (int i = 0; i < ISSUERS; i++) {
    for (size_t k = 0; k < sizeof(NAMES) / sizeof(NAMES[0]); k++) {
      if (strcmp(NAMES[k], issuers[i].algorithm) == 0) continue;
      char token[TOKEN_SIZE], header[64];
      snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", NAMES[k]);
      begin_token(token, header, "{\"sub\":\"ann\"}");
      if (issuers[i].key)
        append_signature(token, issuers[i].key);
      else
        append_hmac(token, SECRET, strlen(SECRET));
      assert_refused(&issuers[i], token, ALGORITHM);
    }
  }
}

static void a_header_with_two_algorithms_is_refused(void **state) {
  (void)state;
  char token[TOKEN_SIZE];
  begin_token(token, "{\"alg\":\"HS256\",\"alg\":\"none\"}", "{\"sub\":\"ann\"}");
  append_hmac(token, SECRET, strlen(SECRET));
  assert_refused(&issuers[HS256], token, NO_TOKEN);
}

static void an_extension_that_must_be_understood_is_refused(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE], header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"crit\":[\"b64\"],\"b64\":false}",
        issuers[i].algorithm);
    begin_token(token, header, "{\"sub\":\"ann\"}");
    if (issuers[i].key)
      append_signature(token, issuers[i].key);
    else
      append_hmac(token, SECRET, strlen(SECRET));
    assert_refused(&issuers[i], token, "the token asks for an extension that is not known here");
  }
}

/* ---- dates ---- */

static void a_token_counts_until_its_exp(void **state) {
  (void)state;
  static const char EXPIRED[] = "the token has expired";
  assert_claims_user("{\"sub\":\"ann\",\"exp\":1749383383}", "ann", 1749383383000);
  assert_claims_refused("{\"sub\":\"ann\",\"exp\":1749383382}", EXPIRED);
  assert_claims_user("{\"sub\":\"ann\",\"exp\":1749383382.806}", "ann", 1749383382806);
  assert_claims_refused("{\"sub\":\"ann\",\"exp\":1749383382.805}", EXPIRED);
  assert_claims_refused("{\"sub\":\"ann\",\"exp\":0}", EXPIRED);
  assert_claims_refused("{\"sub\":\"ann\",\"exp\":-1}", EXPIRED);
  assert_claims_refused("{\"sub\":\"ann\",\"exp\":1e-400}", EXPIRED);
}

static void a_token_without_exp_does_not_expire(void **state) {
  (void)state;
  assert_claims_user("{\"sub\":\"ann\"}", "ann", 0);
}

static void the_dates_of_a_token_of_each_algorithm_count(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    char token[TOKEN_SIZE];
    make_token(token, &issuers[i], "{\"sub\":\"ann\",\"exp\":1749383382}");
    assert_refused(&issuers[i], token, "the token has expired");
    make_token(token, &issuers[i], "{\"sub\":\"ann\",\"nbf\":1749383413}");
    assert_refused(&issuers[i], token, "the token is not valid yet");
  }
}

static void an_exp_beyond_any_date_is_the_last_one(void **state) {
  (void)state;
  assert_claims_user("{\"sub\":\"ann\",\"exp\":99999999999999999999}", "ann", 9000000000000000000);
  assert_claims_user("{\"sub\":\"ann\",\"exp\":1e999999999}", "ann", 9000000000000000000);
}

static void a_token_counts_from_its_nbf_less_a_leeway(void **state) {
  (void)state;
  static const char EARLY[] = "the token is not valid yet";
  assert_claims_user("{\"sub\":\"ann\",\"nbf\":1749383382}", "ann", 0);
  assert_claims_user("{\"sub\":\"ann\",\"nbf\":1749383412}", "ann", 0);
  assert_claims_user("{\"sub\":\"ann\",\"nbf\":1749383412.805}", "ann", 0);
  assert_claims_refused("{\"sub\":\"ann\",\"nbf\":1749383412.806}", EARLY);
  assert_claims_refused("{\"sub\":\"ann\",\"nbf\":1749383413}", EARLY);
  assert_claims_refused("{\"sub\":\"ann\",\"nbf\":1e400}", EARLY);
  assert_claims_user("{\"sub\":\"ann\",\"nbf\":-1e400}", "ann", 0);
}

static void dates_that_are_no_numbers_are_refused(void **state) {
  (void)state;
  assert_claims_refused(
      "{\"sub\":\"ann\",\"exp\":\"1749383400\"}", "the token's exp is not a number");
  assert_claims_refused("{\"sub\":\"ann\",\"exp\":null}", "the token's exp is not a number");
  assert_claims_refused("{\"sub\":\"ann\",\"nbf\":true}", "the token's nbf is not a number");
  assert_claims_refused("{\"sub\":\"ann\",\"nbf\":[0]}", "the token's nbf is not a number");
}

/* ---- the user ---- */

static void a_token_without_a_user_is_refused(void **state) {
  (void)state;
  static const char NO_SUB[] = "the token has no sub that is a string";
  assert_claims_refused("{}", NO_SUB);
  assert_claims_refused("{\"iss\":\"joe\",\"name\":\"ann\"}", NO_SUB);
  assert_claims_refused("{\"sub\":null}", NO_SUB);
  assert_claims_refused("{\"sub\":42}", NO_SUB);
  assert_claims_refused("{\"sub\":[\"ann\"]}", NO_SUB);
  assert_claims_refused("{\"sub\":\"\"}", "the token's sub must have 1 to 255 bytes");
}

static void a_user_is_unescaped(void **state) {
  (void)state;
  assert_claims_user("{\"sub\":\"\\u0061nn \\ud83d\\ude00\"}", "ann \xF0\x9F\x98\x80", 0);
}

static void a_user_has_at_most_255_bytes(void **state) {
  (void)state;
  static const char TOO_LONG[] = "the token's sub must have 1 to 255 bytes";
  char name[SDB_USER_NAME_MAX + 1], claims[SDB_USER_NAME_MAX * 6 + 100];
  memset(name, 'n', SDB_USER_NAME_MAX);
  name[SDB_USER_NAME_MAX] = 0;
  snprintf(claims, sizeof(claims), "{\"sub\":\"%s\"}", name);
  assert_claims_user(claims, name, 0);
  snprintf(claims, sizeof(claims), "{\"sub\":\"%s!\"}", name);
  assert_claims_refused(claims, TOO_LONG);
  strcpy(claims, "{\"sub\":\"");
  for (int i = 0; i < SDB_USER_NAME_MAX; i++)
    strcat(claims, "\\u006e");
  strcat(claims, "\"}");
  assert_claims_user(claims, name, 0);
  strcpy(claims + strlen(claims) - 2, "n\"}");
  assert_claims_refused(claims, TOO_LONG);
}

static void a_user_with_a_zero_byte_is_refused(void **state) {
  (void)state;
  assert_claims_refused("{\"sub\":\"ann\\u0000bob\"}", "the token's sub holds a zero byte");
}

/* ---- what is no token ---- */

static void garbage_is_refused(void **state) {
  (void)state;
  static const char *const TOKENS[] = {"x", ".", "..", "...", "a.b", "a.b.c.d", ".b.c", "a..c",
      "a.b.", "a b.c.d", "a.b.c=", "a.b.c\n", "e30.e30.e30+", "e30.e30.e30/", "Bearer e30.e30.e30",
      "\xC3\xA9.e30.e30", "a.e30.e30", "e30x.e30.e30", "W10.e30.e30", "bnVsbA.e30.e30"};
  for (int i = 0; i < ISSUERS; i++) {
    for (size_t k = 0; k < sizeof(TOKENS) / sizeof(TOKENS[0]); k++)
      assert_refused(&issuers[i], TOKENS[k], NO_TOKEN);
  }
  assert_refused_slice(&issuers[HS256], sdb_slice_make("e30.e30.e3\0", 11), NO_TOKEN);
  assert_refused_slice(&issuers[HS256], sdb_slice_make("e30.e30\0.e30", 12), NO_TOKEN);
}

static void no_token_is_refused(void **state) {
  (void)state;
  assert_refused_slice(&issuers[HS256], sdb_slice_make(NULL, 0), "no token");
}

static void signed_claims_that_are_no_object_are_refused(void **state) {
  (void)state;
  static const char *const CLAIMS[] = {"[]", "\"ann\"", "null", "{\"sub\":\"ann\"", "{sub:1}",
      "{\"sub\":\"ann\",\"sub\":\"bob\"}", "{\"sub\":\"\xED\xA0\x80\"}", "{\"sub\":\"\\ud800\"}",
      "{\"sub\":\"a\",\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}"};
  for (size_t i = 0; i < sizeof(CLAIMS) / sizeof(CLAIMS[0]); i++) {
    char token[TOKEN_SIZE];
    make_token(token, &issuers[EDDSA], CLAIMS[i]);
    assert_refused(&issuers[EDDSA], token, NO_TOKEN);
    char user[SDB_USER_NAME_MAX + 1];
    uint64_t expires_ms;
    make_token(token, &issuers[HS256], CLAIMS[i]);
    assert_int_equal(
        sdb_jwt_verify(issuers[HS256].jwt, sdb_slice_of(token), NOW_MS, user, &expires_ms, NULL),
        SDB_UNAUTHORIZED);
  }
}

static void a_token_over_the_greatest_size_is_refused_unread(void **state) {
  (void)state;
  for (int i = 0; i < ISSUERS; i++) {
    char claims[TOKEN_SIZE / 2], token[TOKEN_SIZE];
    int size = snprintf(claims, sizeof(claims), "{\"sub\":\"ann\",\"x\":\"");
    size_t padding = SDB_JWT_TOKEN_SIZE_MAX * 3 / 4 - 600;
    memset(claims + size, 'x', padding);
    strcpy(claims + (size_t)size + padding, "\"}");
    make_token(token, &issuers[i], claims);
    assert_true(strlen(token) <= SDB_JWT_TOKEN_SIZE_MAX);
    assert_user(&issuers[i], token, "ann", 0);
    memset(claims + size, 'x', padding + 600);
    strcpy(claims + (size_t)size + padding + 600, "\"}");
    make_token(token, &issuers[i], claims);
    assert_true(strlen(token) > SDB_JWT_TOKEN_SIZE_MAX);
    assert_refused(&issuers[i], token, "the token is too large");
  }
  assert_refused_slice(&issuers[HS256], sdb_slice_make("x", SIZE_MAX), "the token is too large");
}

/* ---- keys ---- */

static void assert_key_refused(const char *pem, const char *message) {
  sdb_jwt *jwt = (sdb_jwt *)&issuers;
  sdb_error error = {.message = ""};
  assert_int_equal(
      sdb_jwt_create_public_key(sdb_slice_of(pem), &jwt, &error), SDB_INVALID_ARGUMENT);
  assert_string_equal(error.message, message);
  assert_ptr_equal(jwt, &issuers);
  assert_int_equal(ERR_peek_error(), 0);
}

static void a_short_secret_is_refused(void **state) {
  (void)state;
  sdb_jwt *jwt = NULL;
  sdb_error error;
  assert_int_equal(
      sdb_jwt_create_secret(sdb_slice_make(SECRET, 31), &jwt, &error), SDB_INVALID_ARGUMENT);
  assert_string_equal(error.message, "the secret for HS256 must have at least 32 bytes");
  assert_int_equal(
      sdb_jwt_create_secret(sdb_slice_make(NULL, 0), &jwt, NULL), SDB_INVALID_ARGUMENT);
  assert_null(jwt);
}

static void keys_of_other_kinds_and_strengths_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *kind, *message;
  } CASES[] = {{"RSA", "an RSA key for RS256 must have at least 2048 bits"},
      {"EC", "an EC key must be on the curve P-256, for ES256"},
      {"ED448", "the public key must be RSA, EC on P-256, or Ed25519"},
      {"X25519", "the public key must be RSA, EC on P-256, or Ed25519"}};
  for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
    char pem[2048];
    EVP_PKEY *key = i == 0   ? EVP_RSA_gen(1024)
                    : i == 1 ? EVP_EC_gen("P-384")
                             : EVP_PKEY_Q_keygen(NULL, NULL, CASES[i].kind);
    assert_non_null(key);
    write_pem(key, pem, sizeof(pem));
    assert_key_refused(pem, CASES[i].message);
    EVP_PKEY_free(key);
  }
}

static void what_is_no_public_key_is_refused(void **state) {
  (void)state;
  static const char MESSAGE[] = "no public key in PEM (\"BEGIN PUBLIC KEY\")";
  char pem[4096] = "";
  assert_key_refused("", MESSAGE);
  assert_key_refused("secret", MESSAGE);
  assert_key_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", MESSAGE);
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PrivateKey(bio, issuers[ES256].key, NULL, NULL, 0, NULL, NULL), 1);
  assert_true(BIO_read(bio, pem, sizeof(pem) - 1) > 0);
  BIO_free(bio);
  assert_key_refused(pem, MESSAGE);
  char *large = calloc(1, 100001);
  memset(large, 'x', 100000);
  assert_key_refused(large, MESSAGE);
  free(large);
}

/* PEM may say that it is encrypted; then no terminal must be asked, a server has none. */
static void an_encrypted_key_is_refused_without_asking(void **state) {
  (void)state;
  assert_key_refused("-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
                     "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n",
      "no public key in PEM (\"BEGIN PUBLIC KEY\")");
}

static void text_around_a_public_key_does_not_matter(void **state) {
  (void)state;
  char pem[4096], token[TOKEN_SIZE];
  issuer by = issuers[RS256];
  snprintf(pem, sizeof(pem), "the key of the issuer:\n%s\nand nothing else\n", by.pem);
  assert_int_equal(sdb_jwt_create_public_key(sdb_slice_of(pem), &by.jwt, NULL), SDB_OK);
  make_token(token, &by, "{\"sub\":\"ann\"}");
  assert_user(&by, token, "ann", 0);
  sdb_jwt_destroy(by.jwt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_of_each_algorithm_gives_its_user),
      cmocka_unit_test(a_token_of_another_key_of_the_same_kind_is_refused),
      cmocka_unit_test(a_token_changed_in_any_character_is_refused),
      cmocka_unit_test(a_token_has_one_spelling),
      cmocka_unit_test(a_signature_cut_short_is_refused),
      cmocka_unit_test(a_token_without_a_signature_is_refused),
      cmocka_unit_test(a_token_signed_with_the_public_key_as_a_secret_is_refused),
      cmocka_unit_test(a_header_that_names_the_keys_algorithm_over_another_signature_is_refused),
      cmocka_unit_test(a_token_of_any_other_algorithm_is_refused),
      cmocka_unit_test(a_header_with_two_algorithms_is_refused),
      cmocka_unit_test(an_extension_that_must_be_understood_is_refused),
      cmocka_unit_test(a_token_counts_until_its_exp),
      cmocka_unit_test(the_dates_of_a_token_of_each_algorithm_count),
      cmocka_unit_test(a_token_without_exp_does_not_expire),
      cmocka_unit_test(an_exp_beyond_any_date_is_the_last_one),
      cmocka_unit_test(a_token_counts_from_its_nbf_less_a_leeway),
      cmocka_unit_test(dates_that_are_no_numbers_are_refused),
      cmocka_unit_test(a_token_without_a_user_is_refused),
      cmocka_unit_test(a_user_is_unescaped),
      cmocka_unit_test(a_user_has_at_most_255_bytes),
      cmocka_unit_test(a_user_with_a_zero_byte_is_refused),
      cmocka_unit_test(garbage_is_refused),
      cmocka_unit_test(no_token_is_refused),
      cmocka_unit_test(signed_claims_that_are_no_object_are_refused),
      cmocka_unit_test(a_token_over_the_greatest_size_is_refused_unread),
      cmocka_unit_test(a_short_secret_is_refused),
      cmocka_unit_test(keys_of_other_kinds_and_strengths_are_refused),
      cmocka_unit_test(what_is_no_public_key_is_refused),
      cmocka_unit_test(an_encrypted_key_is_refused_without_asking),
      cmocka_unit_test(text_around_a_public_key_does_not_matter),
  };
  return cmocka_run_group_tests(tests, make_issuers, free_issuers);
}
