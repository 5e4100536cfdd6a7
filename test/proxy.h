/* test/proxy.h: a TCP proxy between a device and its server that can be told to cut, to hold back
 * and to slow down.
 *
 * It runs on a thread of its own, forwards bytes both ways, and reads along: what passes is ws://
 * without compression, so it knows where each unit begins. A unit is an HTTP head, or a frame. It
 * is the byte of a unit after which it cuts, so a test says what it cuts, not when. Of wss:// it
 * knows only the bytes: there each connection is one unit.
 */
#ifndef SDB_TEST_PROXY_H
#define SDB_TEST_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct proxy proxy;

typedef enum proxy_way {
  PROXY_UP = 0, /* from the device to the server */
  PROXY_DOWN
} proxy_way;

typedef enum proxy_cut {
  PROXY_END = 1, /* both sides read what was forwarded, and then the end of the stream */
  PROXY_RESET,   /* both sides are reset: what they had not read is lost */
  PROXY_MUTE     /* nothing more goes this way; the other one goes on until proxy_cut_now */
} proxy_cut;

/* Of all connections since it was opened. */
typedef struct proxy_counts {
  uint64_t connections; /* that were let through */
  uint64_t cuts;        /* of connections, mutes included */
  uint64_t bytes[2];    /* that were forwarded, by way */
  uint64_t units[2];    /* of which all bytes were */
  uint64_t updates[2];  /* those of them that are `update` messages */
} proxy_counts;

/* Listens on a port of 127.0.0.1 that stays its own, and connects to `server_port`. It fails the
 * test where the system gives no socket or thread. */
proxy *proxy_open(uint16_t server_port);
/* Resets all connections. NULL is allowed. */
void proxy_close(proxy *p);
uint16_t proxy_port(const proxy *p);

/* Calls `fn` on the proxy's thread after each cut; it may not call the proxy. */
void proxy_on_cut(proxy *p, void (*fn)(void *context), void *context);

/* Cuts once, when `byte` bytes of the unit passed that is the `unit`th from now on (0: the first
 * that begins after the call), or of this one and those that follow it. It cuts the connection on
 * which that byte is. */
void proxy_cut_at(proxy *p, proxy_way way, uint64_t unit, uint64_t byte, proxy_cut how);
/* Cuts all connections now, muted ones too, and forgets what proxy_cut_at said. PROXY_END or
 * PROXY_RESET. When it returns, nothing more is forwarded. */
void proxy_cut_now(proxy *p, proxy_cut how);

/* While true, nobody listens at its port. */
void proxy_refuse(proxy *p, bool refuse);
/* While true, nothing is taken from where this way begins. */
void proxy_stall(proxy *p, proxy_way way, bool stall);

/* From now on what is read is sent `delay_ms` later, and at most `bytes_per_ms` in each ms. 0: at
 * once; as fast as it goes. */
void proxy_pace(proxy *p, proxy_way way, unsigned delay_ms, size_t bytes_per_ms);
/* Connections that are made from now on go to this port; 0: they are reset. */
void proxy_server(proxy *p, uint16_t server_port);

proxy_counts proxy_counted(proxy *p);
/* Waits until `cuts` connections were cut; fails after 30 s. */
void proxy_wait_cuts(proxy *p, uint64_t cuts);

#endif
