/* net/plain.c: TCP without TLS. MSG_NOSIGNAL, because a library may not leave SIGPIPE to its
 * host. */
#include "net/transport.h"
#include <errno.h>
#include <sys/socket.h>

static ssize_t outcome(ssize_t count) {
  if (count >= 0) return count;
  bool again = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return again ? SDB_TRANSPORT_AGAIN : SDB_TRANSPORT_FAILED;
}

static ssize_t plain_read(int fd, void *state, char *to, size_t size) {
  (void)state;
  return outcome(recv(fd, to, size, 0));
}

static ssize_t plain_write(int fd, void *state, const struct iovec *pieces, int count) {
  (void)state;
  /* sendmsg only reads the pieces, but its type does not say so. */
  struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
  return outcome(sendmsg(fd, &message, MSG_NOSIGNAL));
}

static bool plain_no(void *state) {
  (void)state;
  return false;
}

static bool plain_ready(void *state) {
  (void)state;
  return true;
}

static const char *plain_problem(void *state) {
  (void)state;
  return NULL;
}

static void plain_end(int fd, void *state) {
  (void)state;
  shutdown(fd, SHUT_WR);
}

static void plain_free(void *state) {
  (void)state;
}

const sdb_transport SDB_TRANSPORT_PLAIN = {
    plain_read, plain_write, plain_no, plain_no, plain_ready, plain_problem, plain_end, plain_free};
