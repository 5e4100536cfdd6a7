/* test/tls_files.h: keys and certificates that are made for a test. */
#ifndef SDB_TEST_TLS_FILES_H
#define SDB_TEST_TLS_FILES_H

#include "net_fixture.h"
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline EVP_PKEY *write_key(const char *path) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  FILE *file = fopen(path, "w");
  assert_non_null(key);
  assert_non_null(file);
  assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
  fclose(file);
  return key;
}

/* Signed by its own key. `hosts`: "DNS:a,IP:b", or NULL; it is valid for `seconds` from an hour
 * ago. */
static inline void write_cert(const char *path, EVP_PKEY *key, const char *hosts, long seconds) {
  X509 *cert = X509_new();
  FILE *file = fopen(path, "w");
  assert_non_null(cert);
  assert_non_null(file);
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), -3600 + seconds);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
      (const unsigned char *)"localhost", -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  if (hosts) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, hosts);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
  }
  assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
  assert_int_equal(PEM_write_X509(file, cert), 1);
  fclose(file);
  X509_free(cert);
}

#endif
