/* ws/utf8.c: UTF-8 as table 3-7 of the Unicode standard has it. ASCII goes 32 bytes a step. */
#include "ws/utf8.h"
#include <stdint.h>

/* How long the sequence at `at` is, with `left` bytes there; 0: it is not well-formed. */
static size_t sequence_size(const unsigned char *at, size_t left) {
  unsigned char lead = at[0], low = 0x80, high = 0xBF;
  size_t size;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF)
    size = 2;
  else if (lead >= 0xE0 && lead <= 0xEF)
    size = 3;
  else if (lead >= 0xF0 && lead <= 0xF4)
    size = 4;
  else
    return 0;
  if (size > left) return 0;
  /* The second byte's range keeps out overlong forms, surrogates and what is over U+10FFFF. */
  if (lead == 0xE0)
    low = 0xA0;
  else if (lead == 0xED)
    high = 0x9F;
  else if (lead == 0xF0)
    low = 0x90;
  else if (lead == 0xF4)
    high = 0x8F;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < size; i++) {
    if ((at[i] & 0xC0) != 0x80) return 0;
  }
  return size;
}

#define NOT_ASCII 0x8080808080808080U

/* How many bytes at `at` are ASCII: all of them that stand before the first 8 that are not. */
static size_t ascii_size(const unsigned char *at, size_t left) {
  uint64_t words[4];
  size_t size = 0;
  for (; left - size >= sizeof(words); size += sizeof(words)) {
    memcpy(words, at + size, sizeof(words));
    if ((words[0] | words[1] | words[2] | words[3]) & NOT_ASCII) break;
  }
  for (; left - size >= sizeof(words[0]); size += sizeof(words[0])) {
    memcpy(words, at + size, sizeof(words[0]));
    if (words[0] & NOT_ASCII) break;
  }
  return size;
}

bool sdb_ws_utf8_valid(sdb_slice text) {
  const unsigned char *at = (const unsigned char *)text.data;
  size_t left = text.size;
  while (left > 0) {
    size_t size = ascii_size(at, left);
    if (size == 0) size = sequence_size(at, left);
    if (size == 0) return false;
    at += size;
    left -= size;
  }
  return true;
}
