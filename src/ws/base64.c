/* ws/base64.c: the little base64 that the opening handshake needs. */
#include "ws/base64.h"
#include "base/base.h"
#include <stdint.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sdb_ws_base64_encode(const unsigned char *bytes, size_t size, char *text) {
  for (; size > 0; bytes += 3, text += 4) {
    size_t part = size < 3 ? size : 3;
    uint32_t bits = (uint32_t)bytes[0] << 16;
    if (part > 1) bits |= (uint32_t)bytes[1] << 8;
    if (part > 2) bits |= bytes[2];
    text[0] = ALPHABET[bits >> 18];
    text[1] = ALPHABET[bits >> 12 & 63];
    text[2] = part > 1 ? ALPHABET[bits >> 6 & 63] : '=';
    text[3] = part > 2 ? ALPHABET[bits & 63] : '=';
    size -= part;
  }
}

bool sdb_ws_base64_is_16_bytes(sdb_slice text) {
  if (text.size != SDB_BASE64_SIZE(16)) return false;
  unsigned last = 0;
  for (size_t i = 0; i < 22; i++) {
    for (last = 0; last < 64 && ALPHABET[last] != text.data[i]; last++)
      ;
    if (last == 64) return false;
  }
  /* 16 bytes are 21 characters and 2 bits of the 22nd. */
  return (last & 15) == 0 && text.data[22] == '=' && text.data[23] == '=';
}
