/* test/names.h: getaddrinfo, as a test wants it for names that end in ".test"; include it once.
 *
 * The library is linked statically, so this definition stands before libc's, which is asked for
 * everything else.
 */
#ifndef SDB_TEST_NAMES_H
#define SDB_TEST_NAMES_H

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#define NAMES_ADDRESSES_MAX 4

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool held;                                  /* lookups of "slow.test" wait until it is false */
  size_t running;                             /* of them */
  size_t finished;                            /* of all here */
  bool gets_signals;                          /* a lookup's thread would */
  const char *addresses[NAMES_ADDRESSES_MAX]; /* of "many.test", up to a NULL */
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Numeric addresses, by libc, one behind the other. */
static int names_give(getaddrinfo_fn *real, const char *const *addresses, size_t max,
    const char *port, struct addrinfo **out) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
  struct addrinfo **end = out;
  for (size_t i = 0; i < max && addresses[i]; i++) {
    int failed = real(addresses[i], port, &hints, end);
    if (failed) return failed;
    while (*end)
      end = &(*end)->ai_next;
  }
  return 0;
}

static void names_wait(void) {
  sigset_t set;
  pthread_sigmask(SIG_BLOCK, NULL, &set);
  pthread_mutex_lock(&names.lock);
  names.gets_signals |= !sigismember(&set, SIGTERM) || !sigismember(&set, SIGUSR1);
  names.running++;
  while (names.held)
    pthread_cond_wait(&names.changed, &names.lock);
  names.running--;
  pthread_mutex_unlock(&names.lock);
}

int getaddrinfo(const char *restrict host, const char *restrict port,
    const struct addrinfo *restrict hints, struct addrinfo **restrict out) {
  static const char *const HERE[] = {"127.0.0.1"};
  getaddrinfo_fn *real = (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
  if (!strstr(host, ".test") || (hints && (hints->ai_flags & AI_NUMERICHOST)))
    return real(host, port, hints, out);
  int result = EAI_NONAME;
  if (strcmp(host, "slow.test") == 0) names_wait();
  if (strcmp(host, "many.test") == 0)
    result = names_give(real, names.addresses, NAMES_ADDRESSES_MAX, port, out);
  else if (strcmp(host, "nowhere.test") != 0)
    result = names_give(real, HERE, 1, port, out);
  pthread_mutex_lock(&names.lock);
  names.finished++;
  pthread_mutex_unlock(&names.lock);
  return result;
}

static inline void names_hold(bool held) {
  pthread_mutex_lock(&names.lock);
  names.held = held;
  pthread_cond_broadcast(&names.changed);
  pthread_mutex_unlock(&names.lock);
}

static inline size_t names_running(void) {
  pthread_mutex_lock(&names.lock);
  size_t running = names.running;
  pthread_mutex_unlock(&names.lock);
  return running;
}

static inline size_t names_finished(void) {
  pthread_mutex_lock(&names.lock);
  size_t finished = names.finished;
  pthread_mutex_unlock(&names.lock);
  return finished;
}

#endif
