/* test/crash/life.h: one life of a program: it is started, what it says is heard, it ends. */
#ifndef SDB_CRASH_LIFE_H
#define SDB_CRASH_LIFE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct life life;

/* A line that it said, without its end. */
typedef void (*life_hear_fn)(void *context, life *of, const char *line);

struct life {
  pid_t pid; /* 0: there is none */
  int fd;
  uint64_t started_us;
  uint64_t lines[128]; /* heard, by their first letter */
  char text[16384];
  size_t size;
  life_hear_fn hear;
  void *context;
};

uint64_t life_now_us(void);

/* Starts a program; what it says to standard error goes to `log`. False: the system cannot. */
bool life_start(life *l, char *const *arguments, int log, life_hear_fn hear, void *context);

/* Hears what there is to hear of all of them, for at most `timeout_us`. True: something was. */
bool life_hear_all(life *const *all, size_t count, uint64_t timeout_us);

/* Whether it has ended by itself; then `*code` is its exit code, or 128 and its signal. All that it
 * said was heard. */
bool life_ended(life *l, int *code);

/* Ends it with a signal, waits for that, and hears the rest. Gives what life_ended does. */
int life_end(life *l, int signal_number);

#endif
