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

/* Whether a comma-separated list has this word. */
bool sdb_http_list_has(sdb_slice list, const char *word);

/* Whether a list as that of Accept-Encoding has this word, and not with a weight of 0. */
bool sdb_http_accepts(sdb_slice list, const char *word);

/* Takes the value of a header that may come once. False: it has come already. */
bool sdb_http_take_once(sdb_slice *field, sdb_slice value);

/* Takes the next line, without its CRLF, off a head that sdb_http_scan_head found. False: no line
 * is left. */
bool sdb_http_next_line(sdb_slice *head, sdb_slice *line);

/* Cuts "name: value" apart. False: it is no header. */
bool sdb_http_cut_header(sdb_slice line, sdb_slice *name, sdb_slice *value);

/* Reads one Sec-WebSocket-Extensions line; the first permessage-deflate offer that the server can
 * meet goes to `*deflate`, if no line before had one. False: bad grammar. */
bool sdb_ws_parse_extensions(sdb_slice value, sdb_ws_deflate *deflate);

/* Reads the one Sec-WebSocket-Extensions line that answers an offer of permessage-deflate without
 * context takeover. False: bad grammar, or what was not offered or cannot be kept to. */
bool sdb_ws_parse_extension_answer(sdb_slice value);

#endif
