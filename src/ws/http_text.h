/* ws/http_text.h: the small words of HTTP's grammar, for the parsers of this floor. */
#ifndef SDB_WS_HTTP_TEXT_H
#define SDB_WS_HTTP_TEXT_H

#include "ws/http.h"

/* Cuts `*text` at the first `at`: `*before` gets what stands before it, `*text` what follows.
 * False: there is none, nothing is changed. */
bool sdb_http_cut(sdb_slice *text, char at, sdb_slice *before);

/* Without spaces and tabs at both ends. Never gives a NULL pointer for one that is not. */
sdb_slice sdb_http_trim(sdb_slice text);

/* Whether it is a token of RFC 9110 section 5.6.2. */
bool sdb_http_is_token(sdb_slice text);

/* Equal but for the case of ASCII letters. */
bool sdb_http_same_slice(sdb_slice a, sdb_slice b);
bool sdb_http_same(sdb_slice text, const char *word);
bool sdb_http_starts(sdb_slice text, const char *word);

/* Reads one Sec-WebSocket-Extensions line; the first permessage-deflate offer that the server can
 * meet goes to `*deflate`, if no line before had one. False: bad grammar. */
bool sdb_ws_parse_extensions(sdb_slice value, sdb_ws_deflate *deflate);

#endif
