/* net/tls.c: TLS by OpenSSL over our own BIO.
 *
 * OpenSSL's socket BIO writes with write(), which raises SIGPIPE on a closed
 * socket; ours sends with MSG_NOSIGNAL. The error queue is cleared before each
 * operation, since SSL_get_error looks at it, and after a failed one, since it is
 * the thread's and the host may use OpenSSL too.
 */
#include "net/tls.h"
#include "base/error.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#define RECORD_MAX 16384 /* bytes of plaintext in one record */

struct sdb_tls_context {
  const sdb_mem *mem;
  unsigned holders;
  SSL_CTX *ctx;
  BIO_METHOD *method;
};

typedef struct tls_state {
  const sdb_mem *mem;
  SSL *ssl;
  int fd;
  bool pending, read_wants_write;
  bool broken; /* no more may be said, not even goodbye */
  const char *problem;
} tls_state;

/* ---- the BIO ---- */

static bool is_retry(ssize_t count) {
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int bio_read(BIO *bio, char *to, int size) {
  tls_state *state = BIO_get_data(bio);
  ssize_t count = recv(state->fd, to, (size_t)size, 0);
  BIO_clear_retry_flags(bio);
  if (is_retry(count)) BIO_set_retry_read(bio);
  return (int)count;
}

static int bio_write(BIO *bio, const char *from, int size) {
  tls_state *state = BIO_get_data(bio);
  ssize_t count = send(state->fd, from, (size_t)size, MSG_NOSIGNAL);
  BIO_clear_retry_flags(bio);
  if (is_retry(count)) BIO_set_retry_write(bio);
  return (int)count;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "syncdb socket");
  if (!method) return NULL;
  BIO_meth_set_read(method, bio_read);
  BIO_meth_set_write(method, bio_write);
  BIO_meth_set_ctrl(method, bio_control);
  return method;
}

/* ---- the context ---- */

/* A key with a pass phrase is refused: nobody is there to be asked. */
static int no_pass_phrase(char *to, int size, int writing, void *context) {
  (void)to, (void)size, (void)writing, (void)context;
  return -1;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned offered_size, void *context) {
  static const unsigned char OURS[] = "\x08http/1.1";
  unsigned char *chosen;
  (void)ssl, (void)context;
  int result =
      SSL_select_next_proto(&chosen, out_size, OURS, sizeof(OURS) - 1, offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static sdb_status refuse(sdb_error *error, const char *what, const char *file) {
  unsigned long code = ERR_peek_error();
  const char *reason =
      ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
  sdb_error_set(error, SDB_IO, what, file, ": ");
  if (error && reason)
    sdb_text_append(error->message, sizeof(error->message), sdb_slice_of(reason));
  ERR_clear_error();
  return SDB_IO;
}

static sdb_status load_files(SSL_CTX *ctx, const char *cert, const char *key, sdb_error *error) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
    return refuse(error, "cannot use the TLS certificate ", cert);
  if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(ctx) != 1)
    return refuse(error, "cannot use the TLS key ", key);
  return SDB_OK;
}

static sdb_tls_context *new_context(const sdb_mem *mem, const SSL_METHOD *protocol) {
  sdb_tls_context *made = sdb_mem_zero(mem, sizeof(*made));
  if (!made) return NULL;
  made->mem = mem;
  made->holders = 1;
  made->method = make_method();
  made->ctx = SSL_CTX_new(protocol);
  if (!made->ctx || !made->method) {
    sdb_tls_release(made);
    ERR_clear_error();
    return NULL;
  }
  SSL_CTX_set_min_proto_version(made->ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(made->ctx, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(made->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(made->ctx, 1);
  SSL_CTX_set_session_cache_mode(made->ctx, SSL_SESS_CACHE_OFF);
  return made;
}

sdb_status sdb_tls_create(const sdb_mem *mem, const char *cert, const char *key,
    sdb_tls_context **context, sdb_error *error) {
  sdb_tls_context *made = new_context(mem, TLS_server_method());
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  SSL_CTX_set_options(made->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_default_passwd_cb(made->ctx, no_pass_phrase);
  SSL_CTX_set_alpn_select_cb(made->ctx, choose_protocol, NULL);
  sdb_status status = load_files(made->ctx, cert, key, error);
  if (status != SDB_OK) {
    sdb_tls_release(made);
    return status;
  }
  *context = made;
  return SDB_OK;
}

sdb_status sdb_tls_create_client(const sdb_mem *mem, const char *ca, bool insecure,
    sdb_tls_context **context, sdb_error *error) {
  static const unsigned char OURS[] = "\x08http/1.1";
  sdb_tls_context *made = new_context(mem, TLS_client_method());
  if (!made) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  SSL_CTX_set_verify(made->ctx, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  ERR_clear_error();
  if (SSL_CTX_set_alpn_protos(made->ctx, OURS, sizeof(OURS) - 1) != 0) {
    sdb_tls_release(made);
    return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  }
  int loaded =
      ca ? SSL_CTX_load_verify_file(made->ctx, ca) : SSL_CTX_set_default_verify_paths(made->ctx);
  if (loaded != 1 && !insecure) {
    sdb_tls_release(made);
    return refuse(error, "cannot use the CA file ", ca ? ca : "of the system");
  }
  ERR_clear_error();
  *context = made;
  return SDB_OK;
}

sdb_tls_context *sdb_tls_retain(sdb_tls_context *context) {
  context->holders++;
  return context;
}

void sdb_tls_release(sdb_tls_context *context) {
  if (!context || --context->holders > 0) return;
  SSL_CTX_free(context->ctx);
  BIO_meth_free(context->method);
  sdb_mem_free(context->mem, context);
}

/* ---- a connection ---- */

static tls_state *new_state(sdb_tls_context *context, int fd) {
  tls_state *state = sdb_mem_zero(context->mem, sizeof(*state));
  if (!state) return NULL;
  state->mem = context->mem;
  state->fd = fd;
  state->ssl = SSL_new(context->ctx);
  BIO *bio = BIO_new(context->method);
  if (!state->ssl || !bio) {
    BIO_free(bio);
    SSL_free(state->ssl);
    sdb_mem_free(context->mem, state);
    return NULL;
  }
  BIO_set_data(bio, state);
  BIO_set_init(bio, 1);
  SSL_set_bio(state->ssl, bio, bio);
  return state;
}

void *sdb_tls_accept(sdb_tls_context *context, int fd) {
  tls_state *state = new_state(context, fd);
  if (state) SSL_set_accept_state(state->ssl);
  return state;
}

/* Whom the certificate must name: an address as such, a name also in the hello (RFC 6066, which
 * wants it without the dot that may end it). */
static bool expect_host(SSL *ssl, const char *host) {
  unsigned char address[sizeof(struct in6_addr)];
  X509_VERIFY_PARAM *verify = SSL_get0_param(ssl);
  if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(verify, host) == 1;
  char name[256] = "";
  size_t size = strlen(host);
  if (host[size - 1] == '.') size--;
  sdb_text_copy(name, sizeof(name), sdb_slice_make(host, size));
  X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl, name) == 1 &&
         X509_VERIFY_PARAM_set1_host(verify, name, 0) == 1;
}

void *sdb_tls_connect(sdb_tls_context *context, int fd, const char *host) {
  tls_state *state = new_state(context, fd);
  if (!state) return NULL;
  ERR_clear_error();
  if (!expect_host(state->ssl, host)) {
    ERR_clear_error();
    SSL_free(state->ssl);
    sdb_mem_free(context->mem, state);
    return NULL;
  }
  SSL_set_connect_state(state->ssl);
  return state;
}

/* Why an operation failed: of a certificate, what is wrong with it. */
static const char *describe(SSL *ssl) {
  long verified = SSL_get_verify_result(ssl);
  bool checked = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
  if (checked && verified != X509_V_OK) return X509_verify_cert_error_string(verified);
  unsigned long code = ERR_peek_error();
  return code ? ERR_reason_error_string(code) : NULL;
}

/* Why an operation gave nothing: AGAIN, FAILED, or 0 for the peer's end. */
static ssize_t reason(tls_state *state, int result) {
  int error = SSL_get_error(state->ssl, result);
  state->read_wants_write = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return SDB_TRANSPORT_AGAIN;
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  state->broken = true;
  state->problem = describe(state->ssl);
  ERR_clear_error();
  return SDB_TRANSPORT_FAILED;
}

/* A client may send a record a message, so several are read at once. */
static ssize_t tls_read(int fd, void *context, char *to, size_t size) {
  tls_state *state = context;
  size_t had = 0;
  (void)fd;
  state->pending = state->read_wants_write = false;
  while (size - had > 0) {
    size_t got = 0;
    ERR_clear_error();
    int result = SSL_read_ex(state->ssl, to + had, size - had, &got);
    if (result != 1) {
      ssize_t why = reason(state, result);
      /* An end or a failure comes again with the next read. */
      state->pending = had > 0 && why != SDB_TRANSPORT_AGAIN;
      return had > 0 ? (ssize_t)had : why;
    }
    had += got;
  }
  state->pending = true;
  return (ssize_t)had;
}

/* Small pieces are joined, so that they share a record. */
static ssize_t tls_write(int fd, void *context, const struct iovec *pieces, int count) {
  tls_state *state = context;
  char joined[RECORD_MAX];
  const char *from = pieces[0].iov_base;
  size_t size = pieces[0].iov_len, sent = 0;
  (void)fd;
  if (size < RECORD_MAX && count > 1) {
    size = 0;
    for (int i = 0; i < count && size < RECORD_MAX; i++) {
      size_t room = RECORD_MAX - size;
      size_t part = pieces[i].iov_len < room ? pieces[i].iov_len : room;
      memcpy(joined + size, pieces[i].iov_base, part);
      size += part;
    }
    from = joined;
  }
  bool wants = state->read_wants_write;
  ERR_clear_error();
  int result = SSL_write_ex(state->ssl, from, size, &sent);
  if (result == 1) return (ssize_t)sent;
  ssize_t why = reason(state, result);
  state->read_wants_write = wants;
  return why == 0 ? SDB_TRANSPORT_FAILED : why;
}

static bool tls_pending(void *context) {
  return ((tls_state *)context)->pending;
}

static bool tls_read_wants_write(void *context) {
  return ((tls_state *)context)->read_wants_write;
}

static bool tls_ready(void *context) {
  return SSL_is_init_finished(((tls_state *)context)->ssl);
}

static const char *tls_problem(void *context) {
  return ((tls_state *)context)->problem;
}

static void tls_end(int fd, void *context) {
  tls_state *state = context;
  ERR_clear_error();
  if (!state->broken && SSL_is_init_finished(state->ssl)) SSL_shutdown(state->ssl);
  ERR_clear_error();
  shutdown(fd, SHUT_WR);
}

static void tls_free(void *context) {
  tls_state *state = context;
  SSL_free(state->ssl);
  sdb_mem_free(state->mem, state);
}

const sdb_transport SDB_TRANSPORT_TLS = {tls_read, tls_write, tls_pending, tls_read_wants_write,
    tls_ready, tls_problem, tls_end, tls_free};
