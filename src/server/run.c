/* server/run.c: listening, and waiting for the end. */
#include "base/error.h"
#include "server/state.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* ---- listening ---- */

typedef struct listen_arguments {
  const sdb_listen_options *options;
  sdb_pages *pages; /* to be served; NULL: no others */
  uint16_t bound;
} listen_arguments;

static bool is_loopback(const char *host) {
  struct in_addr v4;
  struct in6_addr v6;
  if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_address(const char *host) {
  struct in_addr v4;
  struct in6_addr v6;
  return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

static sdb_status check_identity(
    sdb_database *database, const sdb_listen_options *options, sdb_error *error) {
  const char *host = options->host;
  if (options->size != sizeof(*options) || !host)
    return sdb_error_set(
        error, SDB_INVALID_ARGUMENT, "the options are not initialised", NULL, NULL);
  if (!is_address(host))
    return sdb_error_set(error, SDB_INVALID_ARGUMENT, host, " is no IPv4 or IPv6 address", NULL);
  if (options->dev_auth && is_loopback(host)) sdb_identities_believe(&database->identities);
  return sdb_identities_ready(&database->identities, is_loopback(host), host, error);
}

static void run_listen(sdb_call *call, sdb_database *database) {
  listen_arguments *arguments = call->argument;
  const sdb_listen_options *options = arguments->options;
  sdb_error error;
  if (arguments->pages && database->pages) {
    sdb_error_set(&error, SDB_CONFLICT, "the database serves pages already", NULL, NULL);
    sdb_call_complete(call, SDB_CONFLICT, &error);
    return;
  }
  sdb_status status = sdb_net_listen_with(database->net, options->host, options->port,
      options->tls_cert, options->tls_key, &arguments->bound, &error);
  if (status == SDB_OK && arguments->pages) database->pages = arguments->pages;
  sdb_call_complete(call, status, &error);
}

sdb_status sdb_listen(
    sdb_database *database, const char *host, uint16_t port, uint16_t *bound, sdb_error *error) {
  sdb_listen_options options = SDB_LISTEN_OPTIONS_INIT;
  options.host = host;
  options.port = port;
  return sdb_listen_with(database, &options, bound, error);
}

sdb_status sdb_listen_with(
    sdb_database *database, const sdb_listen_options *options, uint16_t *bound, sdb_error *error) {
  sdb_status status = check_identity(database, options, error);
  if (status != SDB_OK) return status;
  listen_arguments arguments = {options, NULL, 0};
  if (options->pages)
    status = sdb_pages_load(
        database->mem, options->pages, options->pages_policy, &arguments.pages, error);
  if (status != SDB_OK) return status;
  sdb_call call = {.run = run_listen, .argument = &arguments, .error = error};
  status = sdb_call_wait(database, &call);
  if (status != SDB_OK) {
    sdb_pages_free(arguments.pages);
    return status;
  }
  sdb_server_log(database, SDB_LOG_INFO, "listening", "listening on %s port %u", options->host,
      arguments.bound);
  if (bound) *bound = arguments.bound;
  return SDB_OK;
}

/* ---- waiting ---- */

static const int SIGNALS[] = {SIGINT, SIGTERM};

/* Where the handler writes; set while sdb_run runs, by the one thread that is in it. */
static atomic_int signal_pipe = -1;

static void wake(int fd) {
  int saved = errno;
  ssize_t written = write(fd, "x", 1); /* a full pipe wakes just as well */
  (void)written;
  errno = saved;
}

static void on_signal(int number) {
  (void)number;
  int fd = atomic_load(&signal_pipe);
  if (fd >= 0) wake(fd);
}

void sdb_stop(sdb_database *database) {
  wake(database->stop_pipe[1]);
}

static sdb_status wait_for_stop(int fd) {
  struct pollfd waited = {.fd = fd, .events = POLLIN};
  while (poll(&waited, 1, -1) < 0) {
    if (errno != EINTR) return SDB_IO;
  }
  char bytes[16];
  while (read(fd, bytes, sizeof(bytes)) > 0)
    continue;
  return SDB_OK;
}

sdb_status sdb_run(sdb_database *database) {
  int none = -1;
  if (!atomic_compare_exchange_strong(&signal_pipe, &none, database->stop_pipe[1]))
    return SDB_CONFLICT;
  struct sigaction action = {.sa_handler = on_signal}, before[SDB_COUNT_OF(SIGNALS)];
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < SDB_COUNT_OF(SIGNALS); i++)
    sigaction(SIGNALS[i], &action, &before[i]);
  sdb_status status = wait_for_stop(database->stop_pipe[0]);
  for (size_t i = 0; i < SDB_COUNT_OF(SIGNALS); i++)
    sigaction(SIGNALS[i], &before[i], NULL);
  atomic_store(&signal_pipe, -1);
  return status;
}
