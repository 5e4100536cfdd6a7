/* ws/extensions.c: permessage-deflate in a Sec-WebSocket-Extensions header: offers, and an answer.
 *
 *   list  = offer *( "," offer )
 *   offer = token *( ";" token [ "=" ( token / quoted-string ) ] )
 *
 * An offer with a parameter that is unknown, comes twice or has a value RFC 7692
 * does not allow is passed over, as section 7.1 there asks; the next may do.
 */
#include "ws/http_text.h"

#define WINDOW_BITS_MIN 8
#define WINDOW_BITS_MAX 15

enum { SERVER_TAKEOVER = 1, CLIENT_TAKEOVER = 2, SERVER_BITS = 4, CLIENT_BITS = 8 };

/* Takes a token or a quoted string (whose content must be a token) off `*text`. */
static bool take_word(sdb_slice *text, bool may_quote, sdb_slice *word) {
  *text = sdb_http_trim(*text);
  bool quoted = may_quote && text->size > 0 && text->data[0] == '"';
  size_t from = quoted ? 1 : 0, end = from;
  while (end < text->size && sdb_http_is_token(sdb_slice_make(text->data + end, 1)))
    end++;
  if (end == from) return false;
  *word = sdb_slice_make(text->data + from, end - from);
  if (quoted && (end == text->size || text->data[end++] != '"')) return false;
  *text = sdb_http_trim(sdb_slice_make(text->data + end, text->size - end));
  return true;
}

static bool take_char(sdb_slice *text, char c) {
  if (text->size == 0 || text->data[0] != c) return false;
  *text = sdb_slice_make(text->data + 1, text->size - 1);
  return true;
}

/* Of a word, which has a character: "8" to "15", no leading zero; 0 otherwise. */
static unsigned window_bits(sdb_slice value) {
  if (value.size > 2 || value.data[0] == '0') return 0;
  unsigned bits = 0;
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] < '0' || value.data[i] > '9') return 0;
    bits = bits * 10 + (unsigned)(value.data[i] - '0');
  }
  return bits >= WINDOW_BITS_MIN && bits <= WINDOW_BITS_MAX ? bits : 0;
}

/* Takes one parameter into the terms. False: this offer cannot be met. */
static bool take_parameter(
    sdb_slice name, bool has_value, sdb_slice value, unsigned *seen, sdb_ws_deflate *terms) {
  unsigned which;
  if (sdb_slice_equal(name, sdb_slice_of("server_no_context_takeover")))
    which = SERVER_TAKEOVER;
  else if (sdb_slice_equal(name, sdb_slice_of("client_no_context_takeover")))
    which = CLIENT_TAKEOVER;
  else if (sdb_slice_equal(name, sdb_slice_of("server_max_window_bits")))
    which = SERVER_BITS;
  else if (sdb_slice_equal(name, sdb_slice_of("client_max_window_bits")))
    which = CLIENT_BITS;
  else
    return false;
  if (*seen & which) return false;
  *seen |= which;
  if (which == SERVER_TAKEOVER || which == CLIENT_TAKEOVER) return !has_value;
  if (which == CLIENT_BITS) return !has_value || window_bits(value) != 0;
  terms->server_window_bits = has_value ? window_bits(value) : 0;
  terms->server_window_asked = true;
  return terms->server_window_bits != 0;
}

/* Reads one offer, or an answer; `*meets`: it is permessage-deflate on terms that the RFC allows;
 * `*seen`: which parameters it has. */
static bool parse_offer(sdb_slice *text, sdb_ws_deflate *terms, bool *meets, unsigned *seen) {
  sdb_slice name, parameter, value = {"", 0};
  *seen = 0;
  if (!take_word(text, false, &name)) return false;
  *meets = sdb_http_same(name, "permessage-deflate");
  *terms = (sdb_ws_deflate){.offered = true, .server_window_bits = WINDOW_BITS_MAX};
  while (take_char(text, ';')) {
    if (!take_word(text, false, &parameter)) return false;
    bool has_value = take_char(text, '=');
    if (has_value && !take_word(text, true, &value)) return false;
    *meets = *meets && take_parameter(parameter, has_value, value, seen, terms);
  }
  return true;
}

bool sdb_ws_parse_extensions(sdb_slice value, sdb_ws_deflate *deflate) {
  do {
    sdb_ws_deflate terms;
    bool meets;
    unsigned seen;
    if (!parse_offer(&value, &terms, &meets, &seen)) return false;
    /* zlib writes no raw stream with a window of 8 bits. */
    meets = meets && terms.server_window_bits > WINDOW_BITS_MIN;
    if (meets && !deflate->offered) *deflate = terms;
  } while (take_char(&value, ','));
  return value.size == 0;
}

bool sdb_ws_parse_extension_answer(sdb_slice value) {
  sdb_ws_deflate terms;
  bool meets;
  unsigned seen;
  if (!parse_offer(&value, &terms, &meets, &seen) || value.size > 0) return false;
  /* Section 7.1.2.2: client_max_window_bits only where it was offered, which we never do. */
  return meets && (seen & SERVER_TAKEOVER) && !(seen & CLIENT_BITS);
}
