/* platform/platform.c: memory, clocks and random bytes of a POSIX machine. */
#include "platform/platform.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static void *resize(void *context, void *pointer, size_t size) {
  (void)context;
  if (size > 0) return realloc(pointer, size);
  free(pointer);
  return NULL;
}

const sdb_mem *sdb_platform_mem(void) {
  static const sdb_mem MEM = {NULL, resize};
  return &MEM;
}

uint64_t sdb_platform_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t sdb_platform_monotonic_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool sdb_platform_random(void *to, size_t size) {
  char *at = to;
  while (size > 0) {
    ssize_t got = getrandom(at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= (size_t)got;
  }
  return true;
}
