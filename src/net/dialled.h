/* net/dialled.h: what a dialled connection has beyond an accepted one, for this folder.
 *
 * Its way: CONNECTING (the name is looked up, one address after the other is tried), HEAD (TLS,
 * the request, its answer), then as any other. All of it until OPEN is one wait, SDB_WAIT_HEAD.
 * What it is told of its end is noted where it is known first; what comes later is a consequence.
 */
#ifndef SDB_NET_DIALLED_H
#define SDB_NET_DIALLED_H

#include "net/conn.h"
#include "net/dial.h"
#include "net/resolve.h"
#include "ws/client_http.h"

struct sdb_dial {
  sdb_net_dial_handler handler;
  sdb_net_target target;
  sdb_buffer token; /* until it is sent */
  bool compress;    /* wanted */
  bool offered;     /* compression, in the request */
  bool asked;       /* the request is queued */
  bool ended;       /* how is noted below */
  sdb_link link;    /* in net->dialling while CONNECTING */
  sdb_conn *conn;
  sdb_tls_context *tls; /* NULL: plain */
  sdb_lookup *lookup;   /* NULL: not running */
  struct addrinfo *addresses, *next;
  uint64_t attempt_until_ms; /* mono: then the next address is tried */
  char key[SDB_WS_KEY_SIZE];
  unsigned code, http_status;
  char reason[SDB_WS_CONTROL_MAX + 1], problem[SDB_ERROR_MESSAGE_SIZE];
};

/* Notes how the connection ends, if that is not known yet. Nothing for an accepted one. */
void sdb_dial_note(sdb_conn *conn, unsigned code, const char *problem, const char *detail);

/* Notes the peer's close frame. */
void sdb_dial_note_peer(sdb_conn *conn, unsigned code, sdb_slice reason);

/* Notes which deadline was over. */
void sdb_dial_note_timeout(sdb_conn *conn);

/* It is about to be killed: notes why where nobody did, and gives up what is on its way. */
void sdb_dial_killed(sdb_conn *conn);

/* Tells the owner and frees what the dial has. */
void sdb_dial_reap(sdb_conn *conn);

/* An event of a connection in CONNECTING. */
void sdb_dial_on_io(sdb_conn *conn, short what);

/* Sends the request as soon as TLS is through. Called after each read in HEAD. */
void sdb_dial_go_on(sdb_conn *conn);

/* A whole head of an answer came in HEAD. */
void sdb_dial_on_answer(sdb_conn *conn, sdb_slice head);

/* Takes the answers of lookups. */
void sdb_dial_run_lookups(sdb_net *net);

/* Goes on to the next address where one takes too long; when the next is due (mono). */
void sdb_dial_run_attempts(sdb_net *net);
uint64_t sdb_dial_next_attempt(const sdb_net *net);

/* A fresh masking key. False: no random bytes are to be had, and the connection was killed. */
bool sdb_dial_mask_key(sdb_conn *conn, unsigned char *key);

#endif
