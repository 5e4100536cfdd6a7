/* net/loop.h: the insides of an sdb_net, for the files of this folder.
 *
 * A turn: wait for events -> read what came -> woken, timer, closed -> turn_end ->
 * write every connection that has output -> output_level of each, and turn_end
 * once more if there was one -> free what died.
 */
#ifndef SDB_NET_LOOP_H
#define SDB_NET_LOOP_H

#include "net/deflate.h"
#include "net/list.h"
#include "net/net.h"
#include "net/tls.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>

#define SDB_NET_INPUT_SIZE (256 * 1024) /* read from one connection in one turn, at most */
#define SDB_NET_CLOSE_WAIT_MS 2000      /* for output to drain and the peer to close */
#define SDB_NET_ANSWER_WAIT_MS 120000   /* for an HTTP answer to be taken */
#define SDB_NET_ACCEPT_PAUSE_MS 200     /* when out of file descriptors */
#define SDB_NET_NEVER_MS (UINT64_C(1) << 62)
#define SDB_NET_ACCEPTS_PER_TURN 64
#define SDB_NET_TRUST_MS (60 * 60 * 1000)
#define SDB_NET_RANDOM_SIZE 256
#define SDB_NET_WRITE_PER_TURN (1024 * 1024) /* bytes of one connection */

/* What a connection waits for. Each has one duration, so in a list of one kind the first is due
 * first. */
typedef enum sdb_wait {
  SDB_WAIT_HEAD = 0, /* its request */
  SDB_WAIT_INPUT,    /* anything at all; then it is pinged */
  SDB_WAIT_PONG,     /* anything at all; then it is gone */
  SDB_WAIT_ANSWER,   /* that it takes what answers its request */
  SDB_WAIT_CLOSE,    /* the end of its closing */
  SDB_WAIT_COUNT
} sdb_wait;

typedef struct sdb_listener sdb_listener;

struct sdb_net {
  sdb_net_options options;
  const sdb_mem *mem;
  struct event_base *base;
  struct event *wake_event, *timer_event;
  sdb_listener *listeners;
  sdb_tls_context *tls;    /* for those who are accepted; NULL: plain */
  sdb_tls_context *trust;  /* in the system's CAs, for those who are dialled; NULL: not read yet */
  uint64_t trust_until_ms; /* mono: then they are read anew */
  sdb_deflate *deflate;

  uint64_t now_ms;          /* wall clock */
  uint64_t mono_ms;         /* never steps back: for every deadline but the owner's timer */
  bool now_fresh;           /* both were read in this turn */
  uint64_t timer_at_ms;     /* the owner's, wall clock */
  uint64_t armed_mono_ms;   /* when timer_event fires */
  uint64_t accept_again_ms; /* mono; UINT64_MAX: accepting is not paused */
  bool shut_down;           /* nothing is accepted or dialled any more */

  sdb_link waits[SDB_WAIT_COUNT];
  sdb_link dirty;              /* have something to write */
  sdb_link again;              /* have input that no event will tell of */
  sdb_link dead;               /* to be told to the owner and freed */
  sdb_link dialling;           /* on their way to a TCP connection */
  size_t connections, dialled; /* all, and those of them that were not accepted */
  sdb_net_stats stats;
  unsigned char random[SDB_NET_RANDOM_SIZE]; /* for masking keys */
  size_t random_left;                        /* at its end */

  atomic_bool stopping, woken, asleep;
  atomic_bool looked_up; /* a lookup has its answer */
  int wake_fd;
  char *input; /* SDB_NET_INPUT_SIZE bytes, shared by all connections */
};

/* Reads the clocks, once a turn. */
void sdb_net_refresh_now(sdb_net *net);

/* Any thread: a lookup has its answer. */
void sdb_net_rouse_lookups(sdb_net *net);

/* ---- listen.c ---- */
void sdb_net_accept_pause(sdb_net *net);
void sdb_net_accept_resume(sdb_net *net);
void sdb_net_listeners_free(sdb_net *net);

#endif
