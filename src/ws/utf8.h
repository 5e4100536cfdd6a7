/* ws/utf8.h: what a text message must be. */
#ifndef SDB_WS_UTF8_H
#define SDB_WS_UTF8_H

#include <stdbool.h>
#include <syncdb/slice.h>

/* Whether `text` is well-formed UTF-8: shortest forms, no surrogates, nothing over U+10FFFF. */
bool sdb_ws_utf8_valid(sdb_slice text);

#endif
