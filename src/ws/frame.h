/* ws/frame.h: WebSocket frames (RFC 6455 section 5.2), as a server writes them; a client masks them
 * too (mask.h). */
#ifndef SDB_WS_FRAME_H
#define SDB_WS_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>

typedef enum sdb_ws_opcode {
  SDB_WS_CONTINUATION = 0,
  SDB_WS_TEXT = 1,
  SDB_WS_BINARY = 2,
  SDB_WS_CLOSE = 8,
  SDB_WS_PING = 9,
  SDB_WS_PONG = 10
} sdb_ws_opcode;

/* Close codes that this floor and net give by themselves (RFC 6455 section 7.4.1). */
#define SDB_WS_CODE_NONE 1005 /* never sent: "the close frame had no code" */
#define SDB_WS_CODE_LOST 1006 /* never sent: "there was no close frame" */
#define SDB_WS_CODE_PROTOCOL 1002
#define SDB_WS_CODE_UNSUPPORTED 1003
#define SDB_WS_CODE_BAD_TEXT 1007
#define SDB_WS_CODE_TOO_LARGE 1009
#define SDB_WS_CODE_OVERLOADED 1013

#define SDB_WS_FRAME_HEADER_MAX 10 /* without a mask */
#define SDB_WS_CONTROL_MAX 125     /* payload bytes of a control frame */
#define SDB_WS_CONTROL_FRAME_MAX (2 + SDB_WS_CONTROL_MAX)

/* Writes the header of one whole unmasked text frame with a payload of `size` bytes to `header`
 * (of SDB_WS_FRAME_HEADER_MAX bytes) and gives its length. Fits the hub's sdb_frame_header_fn. */
size_t sdb_ws_frame_header(size_t size, unsigned char *header);

/* The same for any opcode; `compressed` sets RSV1 (RFC 7692). Control frames take at most
 * SDB_WS_CONTROL_MAX bytes. */
size_t sdb_ws_frame_header_of(
    sdb_ws_opcode opcode, bool compressed, size_t size, unsigned char *header);

/* Writes a whole close frame to `frame` (of SDB_WS_CONTROL_FRAME_MAX bytes) and gives its length.
 * Code 0 or SDB_WS_CODE_NONE: an empty one. The reason is cut at a UTF-8 character where it is
 * too long. */
size_t sdb_ws_close_frame(unsigned code, sdb_slice reason, unsigned char *frame);

/* Whether a peer may send this code in a close frame. */
bool sdb_ws_close_code_valid(unsigned code);

/* Takes the next frame off a run of whole unmasked frames that this floor wrote. False at the end.
 * `*payload` points into the run. */
bool sdb_ws_next_frame(sdb_slice *run, sdb_slice *payload);

#endif
