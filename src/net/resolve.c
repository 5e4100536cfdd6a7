/* net/resolve.c: see resolve.h.
 *
 * A lookup has two holders, its thread and its owner on the loop; the last one frees it. The thread
 * touches the net only with the lock held and while `net` is set, which the owner takes back before
 * the net may go. Its memory is the platform's: a thread may outlive the net and the host's
 * allocator, but not those.
 */
#include "net/resolve.h"
#include "net/loop.h"
#include "platform/platform.h"
#include <pthread.h>
#include <signal.h>

struct sdb_lookup {
  pthread_mutex_t lock;
  unsigned holders;
  sdb_net *net; /* to rouse; NULL: the owner let go */
  bool done;
  const char *problem;
  struct addrinfo *addresses;
  char host[256], port[8];
};

static atomic_uint running;

struct addrinfo *sdb_resolve_numeric(const char *host, const char *port) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC,
      .ai_socktype = SOCK_STREAM,
      .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  return getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

/* Called with the lock held, which it releases. */
static void let_go(sdb_lookup *lookup) {
  bool last = --lookup->holders == 0;
  pthread_mutex_unlock(&lookup->lock);
  if (!last) return;
  if (lookup->addresses) freeaddrinfo(lookup->addresses);
  pthread_mutex_destroy(&lookup->lock);
  sdb_mem_free(sdb_platform_mem(), lookup);
}

static void *run(void *context) {
  sdb_lookup *lookup = context;
  struct addrinfo hints = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  int failed = getaddrinfo(lookup->host, lookup->port, &hints, &found);
  pthread_mutex_lock(&lookup->lock);
  lookup->done = true;
  lookup->addresses = failed ? NULL : found;
  lookup->problem = failed ? gai_strerror(failed) : NULL;
  if (lookup->net) sdb_net_rouse_lookups(lookup->net);
  let_go(lookup);
  atomic_fetch_sub(&running, 1);
  return NULL;
}

/* A detached thread that gets no signals: those are the host's threads' to handle. */
static bool start_thread(sdb_lookup *lookup) {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = pthread_create(&thread, &attributes, run, lookup) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return started;
}

sdb_lookup *sdb_lookup_start(sdb_net *net, const char *host, const char *port) {
  bool room = atomic_fetch_add(&running, 1) < SDB_LOOKUPS_MAX;
  sdb_lookup *lookup = room ? sdb_mem_zero(sdb_platform_mem(), sizeof(*lookup)) : NULL;
  if (lookup) {
    SDB_ASSERT(strlen(host) < sizeof(lookup->host) && strlen(port) < sizeof(lookup->port));
    memcpy(lookup->host, host, strlen(host) + 1);
    memcpy(lookup->port, port, strlen(port) + 1);
    lookup->net = net;
    lookup->holders = 2;
    pthread_mutex_init(&lookup->lock, NULL);
    if (start_thread(lookup)) return lookup;
    pthread_mutex_destroy(&lookup->lock);
    sdb_mem_free(sdb_platform_mem(), lookup);
  }
  atomic_fetch_sub(&running, 1);
  return NULL;
}

bool sdb_lookup_take(sdb_lookup *lookup, struct addrinfo **addresses, const char **problem) {
  pthread_mutex_lock(&lookup->lock);
  bool done = lookup->done;
  if (done) {
    *addresses = lookup->addresses;
    *problem = lookup->problem;
    lookup->addresses = NULL;
  }
  pthread_mutex_unlock(&lookup->lock);
  return done;
}

void sdb_lookup_drop(sdb_lookup *lookup) {
  if (!lookup) return;
  pthread_mutex_lock(&lookup->lock);
  lookup->net = NULL;
  let_go(lookup);
}
