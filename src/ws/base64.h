/* ws/base64.h: RFC 4648 section 4, with padding. */
#ifndef SDB_WS_BASE64_H
#define SDB_WS_BASE64_H

#include <stdbool.h>
#include <syncdb/slice.h>

#define SDB_BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4)

/* Writes SDB_BASE64_SIZE(size) characters to `text`, no NUL. */
void sdb_ws_base64_encode(const unsigned char *bytes, size_t size, char *text);

/* Whether `text` is the encoding of exactly 16 bytes: what a Sec-WebSocket-Key must be. */
bool sdb_ws_base64_is_16_bytes(sdb_slice text);

#endif
