/* ws/receive.h: a peer's bytes in, its messages out.
 *
 * Bytes are unmasked where they lie, and a message that lies whole in the input
 * is given out from there, without a copy. Only what is incomplete at the end of
 * the input is kept, and grows with what arrives, never with what is announced.
 */
#ifndef SDB_WS_RECEIVE_H
#define SDB_WS_RECEIVE_H

#include "base/buffer.h"
#include "ws/mask.h"

/* Whose frames are read. */
typedef enum sdb_ws_sender {
  SDB_WS_FROM_CLIENT = 1, /* all masked */
  SDB_WS_FROM_SERVER      /* none masked */
} sdb_ws_sender;

typedef enum sdb_ws_event_kind {
  SDB_WS_MESSAGE = 1, /* one whole text message; UTF-8 is checked unless `compressed` */
  SDB_WS_PINGED,      /* `data`: what the pong repeats */
  SDB_WS_PONGED,
  SDB_WS_PEER_CLOSED, /* `code` (SDB_WS_CODE_NONE where absent); answer it; nothing follows */
  SDB_WS_FAILED       /* the peer breaks the protocol: close with `code`; nothing follows */
} sdb_ws_event_kind;

/* `data` may be changed in place and is valid until the next call with this receiver or a change
 * of the input's bytes. Never NULL. */
typedef struct sdb_ws_event {
  sdb_ws_event_kind kind;
  char *data;
  size_t size;
  bool compressed; /* RSV1: inflate it, then check its UTF-8 */
  unsigned code;
} sdb_ws_event;

/* What was read and not yet taken; sdb_ws_receive moves it on and changes the bytes. `data` is
 * never NULL. */
typedef struct sdb_ws_input {
  char *data;
  size_t size;
} sdb_ws_input;

typedef struct sdb_ws_receiver {
  sdb_buffer message;  /* the incomplete message so far; no memory while there is none */
  uint64_t frame_left; /* payload bytes of the current frame that have not arrived */
  bool allow_compressed;
  bool in_message;   /* a data frame without FIN came */
  bool in_payload;   /* the current frame's header is complete */
  bool compressed;   /* the current message */
  bool free_message; /* it was given out: free it on the next call */
  bool ended;        /* PEER_CLOSED or FAILED was given */
  uint8_t header_size, control_size, opcode, mask_phase;
  uint8_t mask_bit; /* what the MASK bit of every frame must be */
  bool fin;
  unsigned char mask[SDB_WS_MASK_SIZE];
  unsigned char header[SDB_WS_MASKED_HEADER_MAX];
  char control[SDB_WS_CONTROL_MAX];
} sdb_ws_receiver;

/* `message_bytes_max` bounds a message as it is on the wire. Allocates nothing. */
void sdb_ws_receiver_init(sdb_ws_receiver *receiver, sdb_ws_sender sender, const sdb_mem *mem,
    size_t message_bytes_max, bool allow_compressed);

void sdb_ws_receiver_free(sdb_ws_receiver *receiver);

/* Takes bytes off `input` until there is an event: true, and `*event` is set. False: the input is
 * used up (or the connection has ended: input is dropped then). */
bool sdb_ws_receive(sdb_ws_receiver *receiver, sdb_ws_input *input, sdb_ws_event *event);

#endif
