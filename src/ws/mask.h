/* ws/mask.h: masking (RFC 6455 section 5.3): what a client does to every frame that it sends. */
#ifndef SDB_WS_MASK_H
#define SDB_WS_MASK_H

#include "ws/frame.h"

#define SDB_WS_MASK_SIZE 4 /* bytes of a key: fresh ones, that nobody can foresee, for each frame */
#define SDB_WS_MASKED_HEADER_MAX (SDB_WS_FRAME_HEADER_MAX + SDB_WS_MASK_SIZE)
#define SDB_WS_MASKED_CONTROL_FRAME_MAX (SDB_WS_CONTROL_FRAME_MAX + SDB_WS_MASK_SIZE)

/* Copies `size` bytes and XORs them with the key; the same again undoes it. `to` may be `from`, but
 * they may not overlap in part. `phase` is how many bytes of the payload came before, mod 4. */
void sdb_ws_mask(char *to, const char *from, size_t size, const unsigned char *key, unsigned phase);

/* Writes the header of one whole masked frame with a payload of `size` bytes to `header` (of
 * SDB_WS_MASKED_HEADER_MAX bytes) and gives its length. The payload follows, masked. */
size_t sdb_ws_masked_header(
    sdb_ws_opcode opcode, size_t size, const unsigned char *key, unsigned char *header);

/* Makes of a whole unmasked control frame a masked one, in `masked` (of
 * SDB_WS_MASKED_CONTROL_FRAME_MAX bytes), and gives its length. */
size_t sdb_ws_mask_control(
    const unsigned char *frame, const unsigned char *key, unsigned char *masked);

#endif
