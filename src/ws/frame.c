/* ws/frame.c: writing frame headers and close frames, and reading our own runs back.
 *
 *   byte 0   FIN RSV1 RSV2 RSV3 opcode(4)
 *   byte 1   MASK length(7); 126: 2 bytes of length follow, 127: 8 bytes
 *
 * A server never masks and never fragments, so FIN is always set and MASK never.
 */
#include "ws/frame.h"
#include "base/base.h"

#define FIN 0x80
#define RSV1 0x40
#define LENGTH_16 126
#define LENGTH_64 127

size_t sdb_ws_frame_header_of(
    sdb_ws_opcode opcode, bool compressed, size_t size, unsigned char *header) {
  SDB_ASSERT(opcode < SDB_WS_CLOSE || (size <= SDB_WS_CONTROL_MAX && !compressed));
  header[0] = (unsigned char)(FIN | (compressed ? RSV1 : 0) | opcode);
  if (size < LENGTH_16) {
    header[1] = (unsigned char)size;
    return 2;
  }
  if (size <= UINT16_MAX) {
    header[1] = LENGTH_16;
    header[2] = (unsigned char)(size >> 8);
    header[3] = (unsigned char)size;
    return 4;
  }
  header[1] = LENGTH_64;
  uint64_t left = size;
  for (int i = 9; i >= 2; i--, left >>= 8)
    header[i] = (unsigned char)left;
  return SDB_WS_FRAME_HEADER_MAX;
}

size_t sdb_ws_frame_header(size_t size, unsigned char *header) {
  return sdb_ws_frame_header_of(SDB_WS_TEXT, false, size, header);
}

size_t sdb_ws_close_frame(unsigned code, sdb_slice reason, unsigned char *frame) {
  if (code == 0 || code == SDB_WS_CODE_NONE)
    return sdb_ws_frame_header_of(SDB_WS_CLOSE, false, 0, frame);
  size_t size = reason.size;
  if (size > SDB_WS_CONTROL_MAX - 2) {
    size = SDB_WS_CONTROL_MAX - 2;
    while (size > 0 && ((unsigned char)reason.data[size] & 0xC0) == 0x80)
      size--;
  }
  size_t at = sdb_ws_frame_header_of(SDB_WS_CLOSE, false, 2 + size, frame);
  frame[at++] = (unsigned char)(code >> 8);
  frame[at++] = (unsigned char)code;
  if (size > 0) memcpy(frame + at, reason.data, size);
  return at + size;
}

bool sdb_ws_close_code_valid(unsigned code) {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

bool sdb_ws_next_frame(sdb_slice *run, sdb_slice *payload) {
  if (run->size == 0) return false;
  const unsigned char *bytes = (const unsigned char *)run->data;
  SDB_ASSERT(run->size >= 2);
  size_t header = bytes[1] < LENGTH_16 ? 2 : bytes[1] == LENGTH_16 ? 4 : SDB_WS_FRAME_HEADER_MAX;
  SDB_ASSERT(run->size >= header);
  uint64_t size = header == 2 ? bytes[1] : 0;
  for (size_t i = 2; i < header; i++)
    size = size << 8 | bytes[i];
  SDB_ASSERT(size <= run->size - header);
  *payload = sdb_slice_make(run->data + header, (size_t)size);
  *run = sdb_slice_make(payload->data + size, run->size - header - (size_t)size);
  return true;
}
