/* test/crash/life.c: see life.h. */
#include "life.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVES_MAX 256

uint64_t life_now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool life_start(life *l, char *const *arguments, int log, life_hear_fn hear, void *context) {
  int ends[2];
  posix_spawn_file_actions_t actions;
  memset(l, 0, sizeof(*l));
  l->hear = hear;
  l->context = context;
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
  bool started = posix_spawn(&l->pid, arguments[0], &actions, NULL, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (!started) {
    close(ends[0]);
    l->pid = 0;
    return false;
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  l->fd = ends[0];
  l->started_us = life_now_us();
  return true;
}

static void tell(life *l) {
  char *at = l->text, *end;
  while ((end = memchr(at, '\n', (size_t)(l->text + l->size - at)))) {
    *end = 0;
    l->lines[at[0] & 127]++;
    l->hear(l->context, l, at);
    at = end + 1;
  }
  l->size -= (size_t)(at - l->text);
  memmove(l->text, at, l->size);
}

/* Once; false: there is nothing, or no more. */
static bool hear(life *l) {
  ssize_t got = read(l->fd, l->text + l->size, sizeof(l->text) - l->size);
  if (got <= 0) return false;
  l->size += (size_t)got;
  tell(l);
  return true;
}

bool life_hear_all(life *const *all, size_t count, uint64_t timeout_us) {
  struct pollfd polled[LIVES_MAX];
  struct timespec timeout = {(time_t)(timeout_us / 1000000), (long)(timeout_us % 1000000) * 1000};
  bool any = false;
  if (count > LIVES_MAX) abort();
  for (size_t i = 0; i < count; i++)
    polled[i] = (struct pollfd){all[i]->pid ? all[i]->fd : -1, POLLIN, 0};
  if (ppoll(polled, count, &timeout, NULL) <= 0) return false;
  for (size_t i = 0; i < count; i++)
    if (polled[i].revents) any |= hear(all[i]);
  return any;
}

static int finish(life *l, int status) {
  while (hear(l))
    continue;
  close(l->fd);
  l->pid = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool life_ended(life *l, int *code) {
  int status;
  if (l->pid == 0 || waitpid(l->pid, &status, WNOHANG) != l->pid) return false;
  *code = finish(l, status);
  return true;
}

int life_end(life *l, int signal_number) {
  int status = 0;
  kill(l->pid, signal_number);
  while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR)
    continue;
  return finish(l, status);
}
