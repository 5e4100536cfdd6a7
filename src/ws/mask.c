/* ws/mask.c: see mask.h. A masked frame is an unmasked one with the MASK bit set, its key behind
 * the header, and its payload XORed with the key. */
#include "ws/mask.h"
#include "base/base.h"
#include <string.h>

#define MASK 0x80

void sdb_ws_mask(
    char *to, const char *from, size_t size, const unsigned char *key, unsigned phase) {
  unsigned char turned[8];
  for (unsigned i = 0; i < 8; i++)
    turned[i] = key[(phase + i) & 3];
  uint64_t key8, eight[4];
  memcpy(&key8, turned, 8);
  size_t at = 0;
  for (; at + sizeof(eight) <= size; at += sizeof(eight)) {
    memcpy(eight, from + at, sizeof(eight));
    for (size_t i = 0; i < 4; i++)
      eight[i] ^= key8;
    memcpy(to + at, eight, sizeof(eight));
  }
  for (; at + 8 <= size; at += 8) {
    memcpy(eight, from + at, 8);
    eight[0] ^= key8;
    memcpy(to + at, eight, 8);
  }
  for (size_t i = 0; at + i < size; i++)
    to[at + i] = (char)(from[at + i] ^ (char)turned[i]);
}

size_t sdb_ws_masked_header(
    sdb_ws_opcode opcode, size_t size, const unsigned char *key, unsigned char *header) {
  size_t at = sdb_ws_frame_header_of(opcode, false, size, header);
  header[1] |= MASK;
  memcpy(header + at, key, SDB_WS_MASK_SIZE);
  return at + SDB_WS_MASK_SIZE;
}

size_t sdb_ws_mask_control(
    const unsigned char *frame, const unsigned char *key, unsigned char *masked) {
  size_t size = frame[1];
  SDB_ASSERT(size <= SDB_WS_CONTROL_MAX);
  size_t at = sdb_ws_masked_header(frame[0] & 0x0F, size, key, masked);
  sdb_ws_mask((char *)masked + at, (const char *)frame + 2, size, key, 0);
  return at + size;
}
