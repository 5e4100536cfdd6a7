/* server/adopt.c: taking over connections that somebody else accepted. */
#include "base/error.h"
#include "server/state.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES_MAX (64 * 1024)
#define REST_BYTES_MAX (1024 * 1024)

/* Behind the call: the address and what was read. */
typedef struct adopted {
  int fd;
  sdb_slice remote;
  size_t size;
  char *data;
} adopted;

static bool is_stream_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static bool ends_with_empty_line(sdb_slice head) {
  return head.size >= 4 && memcmp(head.data + head.size - 4, "\r\n\r\n", 4) == 0;
}

static bool is_loopback_v6(const struct in6_addr *ip) {
  if (IN6_IS_ADDR_V4MAPPED(ip)) return ip->s6_addr[12] == IN_LOOPBACKNET;
  return IN6_IS_ADDR_LOOPBACK(ip);
}

/* Reads the address, without its zone, to `text`. False: it is none. */
static bool read_address(sdb_slice remote, char *text, bool *loopback) {
  struct in_addr v4;
  struct in6_addr v6;
  const char *zone = memchr(remote.data, '%', remote.size);
  size_t size = zone ? (size_t)(zone - remote.data) : remote.size;
  if (size >= INET6_ADDRSTRLEN) return false;
  memcpy(text, remote.data, size);
  text[size] = 0;
  if (inet_pton(AF_INET, text, &v4) == 1)
    *loopback = ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
  else if (inet_pton(AF_INET6, text, &v6) == 1)
    *loopback = is_loopback_v6(&v6);
  else
    return false;
  return true;
}

/* A socketpair has no address, and is not taken for loopback. */
static bool is_loopback_socket(int fd) {
  struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
  socklen_t size = sizeof(address);
  if (getpeername(fd, (struct sockaddr *)&address, &size) != 0) return false;
  if (address.ss_family == AF_INET)
    return ntohl(((struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  return address.ss_family == AF_INET6 &&
         is_loopback_v6(&((struct sockaddr_in6 *)&address)->sin6_addr);
}

static sdb_status check(
    const sdb_adoption *adoption, char *remote, bool *loopback, sdb_error *error) {
  const char *wrong = NULL;
  if (adoption->size != sizeof(*adoption))
    wrong = "the adoption is not initialised, or of another version of the library";
  else if (!is_stream_socket(adoption->fd))
    wrong = "fd is no stream socket";
  else if (!ends_with_empty_line(adoption->head))
    wrong = "the head does not end with an empty line";
  else if (adoption->remote.size == 0)
    *loopback = is_loopback_socket(adoption->fd);
  else if (!read_address(adoption->remote, remote, loopback))
    wrong = "remote is no IPv4 or IPv6 address";
  if (wrong) return sdb_error_set(error, SDB_INVALID_ARGUMENT, wrong, NULL, NULL);
  if (adoption->head.size > HEAD_BYTES_MAX || adoption->rest.size > REST_BYTES_MAX)
    return sdb_error_set(error, SDB_TOO_LARGE, "more was read than can be taken", NULL, NULL);
  return SDB_OK;
}

static void run_adopt(sdb_call *call, sdb_database *database) {
  const adopted *taken = call->argument;
  sdb_net_adopt(database->net, taken->fd, taken->remote, taken->data, taken->size);
  sdb_call_complete(call, SDB_OK, NULL);
}

/* The database closed before it came to this. */
static void on_done(sdb_call *call, const sdb_error *error) {
  const adopted *taken = call->argument;
  (void)error;
  if (call->status != SDB_OK) close(taken->fd);
}

static sdb_call *call_of(
    const sdb_database *database, const sdb_adoption *adoption, const char *remote) {
  size_t remote_size = strlen(remote), size = adoption->head.size + adoption->rest.size;
  sdb_call *call = sdb_call_create(database, sizeof(adopted) + remote_size + size);
  if (!call) return NULL;
  adopted *taken = call->argument;
  char *text = (char *)(taken + 1);
  taken->fd = adoption->fd;
  taken->remote = sdb_slice_make(text, remote_size);
  memcpy(text, remote, remote_size);
  taken->data = text + remote_size;
  taken->size = size;
  memcpy(taken->data, adoption->head.data, adoption->head.size);
  if (adoption->rest.size > 0)
    memcpy(taken->data + adoption->head.size, adoption->rest.data, adoption->rest.size);
  call->run = run_adopt;
  call->detached_done = on_done;
  return call;
}

sdb_status sdb_adopt(sdb_database *database, const sdb_adoption *adoption, sdb_error *error) {
  char remote[INET6_ADDRSTRLEN] = "";
  bool loopback = false;
  sdb_status status = check(adoption, remote, &loopback, error);
  if (status == SDB_OK)
    status = sdb_identities_ready(
        &database->identities, loopback, remote[0] ? remote : "the others", error);
  if (status != SDB_OK) return status;
  sdb_call *call = call_of(database, adoption, remote);
  if (!call) return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  call->next = NULL;
  if (sdb_calls_post(database, call, &call->next, 1) == SDB_OK) return SDB_OK;
  sdb_mem_free(database->mem, call);
  return sdb_error_set(error, SDB_CLOSED, "the database is closed", NULL, NULL);
}
