/* store/schema_format.c: the formats that are asserted. All work on unescaped UTF-8.
 *
 *   uuid       RFC 9562, 8-4-4-4-12, any version, upper or lower case
 *   email      RFC 5321 Mailbox: dot-atom or quoted local part, domain or address literal
 *   date-time, date, time   RFC 3339; a second 60 only where UTC can have one (23:59:60Z)
 *   uri        RFC 3986, with a scheme
 *   ipv4       dotted decimal, no leading zeros
 *   ipv6       RFC 4291, with `::` and a dotted IPv4 at the end; no zone
 *
 * A reader takes what it expects off the front of the text and says whether it was there.
 */
#include "store/schema.h"
#include <syncdb/uuid.h>

typedef struct reader {
  const char *at, *end;
} reader;

static const struct {
  const char *name, *text;
} FORMATS[] = {
    [SDB_FORMAT_NONE] = {"", ""},
    [SDB_FORMAT_UUID] = {"uuid", "a UUID"},
    [SDB_FORMAT_EMAIL] = {"email", "an email address"},
    [SDB_FORMAT_DATE_TIME] = {"date-time", "a date-time such as 2025-06-08T11:49:42Z"},
    [SDB_FORMAT_DATE] = {"date", "a date such as 2025-06-08"},
    [SDB_FORMAT_TIME] = {"time", "a time with an offset such as 11:49:42Z"},
    [SDB_FORMAT_URI] = {"uri", "an absolute URI"},
    [SDB_FORMAT_IPV4] = {"ipv4", "an IPv4 address"},
    [SDB_FORMAT_IPV6] = {"ipv6", "an IPv6 address"},
};

/* ---- characters ---- */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool is_one_of(char c, const char *set) {
  for (; *set; set++) {
    if (c == *set) return true;
  }
  return false;
}

static bool at_end(const reader *r) {
  return r->at == r->end;
}

static bool take(reader *r, char c) {
  if (at_end(r) || *r->at != c) return false;
  r->at++;
  return true;
}

static bool take_one_of(reader *r, const char *set) {
  if (at_end(r) || !is_one_of(*r->at, set)) return false;
  r->at++;
  return true;
}

/* Exactly `digits` of them, as a value from `min` to `max`. */
static bool take_number(reader *r, int digits, int min, int max, int *value) {
  int number = 0;
  for (int i = 0; i < digits; i++, r->at++) {
    if (at_end(r) || !is_digit(*r->at)) return false;
    number = number * 10 + (*r->at - '0');
  }
  *value = number;
  return number >= min && number <= max;
}

/* ---- dates and times ---- */

static bool take_date(reader *r) {
  static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int year, month, day;
  if (!take_number(r, 4, 0, 9999, &year) || !take(r, '-')) return false;
  if (!take_number(r, 2, 1, 12, &month) || !take(r, '-')) return false;
  bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return take_number(r, 2, 1, DAYS[month - 1] + (month == 2 && leap), &day);
}

/* `Z` or an offset, as minutes ahead of UTC. */
static bool take_offset(reader *r, int *minutes) {
  *minutes = 0;
  if (take_one_of(r, "Zz")) return true;
  int sign = !at_end(r) && *r->at == '-' ? -1 : 1, hour, minute;
  if (!take_one_of(r, "+-") || !take_number(r, 2, 0, 23, &hour)) return false;
  if (!take(r, ':') || !take_number(r, 2, 0, 59, &minute)) return false;
  *minutes = sign * (hour * 60 + minute);
  return true;
}

static bool take_time(reader *r) {
  int hour, minute, second, offset;
  if (!take_number(r, 2, 0, 23, &hour) || !take(r, ':')) return false;
  if (!take_number(r, 2, 0, 59, &minute) || !take(r, ':')) return false;
  if (!take_number(r, 2, 0, 60, &second)) return false;
  if (take(r, '.')) {
    const char *digits = r->at;
    while (!at_end(r) && is_digit(*r->at))
      r->at++;
    if (r->at == digits) return false;
  }
  if (!take_offset(r, &offset)) return false;
  const int day = 24 * 60;
  return second < 60 || (hour * 60 + minute - offset + day) % day == day - 1;
}

static bool is_date_time(reader *r) {
  return take_date(r) && take_one_of(r, "Tt") && take_time(r) && at_end(r);
}

/* ---- addresses ---- */

static bool take_ipv4(reader *r) {
  for (int part = 0; part < 4; part++) {
    if (part > 0 && !take(r, '.')) return false;
    const char *from = r->at;
    int value = 0;
    for (; !at_end(r) && is_digit(*r->at) && r->at - from < 3; r->at++)
      value = value * 10 + (*r->at - '0');
    if (r->at == from || value > 255 || (*from == '0' && r->at - from > 1)) return false;
  }
  return true;
}

/* Up to four hexadecimal digits: how many there were. */
static int take_group(reader *r) {
  int digits = 0;
  for (; digits < 4 && !at_end(r) && is_hex(*r->at); digits++)
    r->at++;
  return digits;
}

/* All of the text. Eight groups; `::` stands for one or more of zeros, once; a dotted IPv4 may
 * stand for the last two. */
static bool is_ipv6(reader *r) {
  int groups = 0;
  bool gap = false, after_colon = false;
  if (take(r, ':')) {
    if (!take(r, ':')) return false;
    gap = true;
  }
  while (!at_end(r)) {
    reader dotted = *r;
    if (groups <= 6 && take_ipv4(&dotted) && at_end(&dotted)) {
      *r = dotted;
      groups += 2;
      after_colon = false;
      break;
    }
    if (take_group(r) == 0 || ++groups > 8) return false;
    after_colon = take(r, ':');
    if (!after_colon) break;
    if (take(r, ':')) {
      if (gap) return false;
      gap = true;
      after_colon = false;
    }
  }
  return at_end(r) && !after_colon && (gap ? groups < 8 : groups == 8);
}

static bool is_ipv6_text(const char *from, const char *to) {
  reader inner = {from, to};
  return is_ipv6(&inner);
}

/* ---- email ---- */

static bool is_atom_character(char c) {
  return is_letter(c) || is_digit(c) || is_one_of(c, "!#$%&'*+-/=?^_`{|}~");
}

static bool take_dot_atom(reader *r) {
  do {
    const char *from = r->at;
    while (!at_end(r) && is_atom_character(*r->at))
      r->at++;
    if (r->at == from) return false;
  } while (take(r, '.'));
  return true;
}

/* Behind its first quote. */
static bool take_quoted(reader *r) {
  while (!at_end(r) && *r->at != '"') {
    if (*r->at == '\\' && ++r->at == r->end) return false;
    if (*r->at < ' ' || *r->at > '~') return false;
    r->at++;
  }
  return take(r, '"');
}

static bool take_domain(reader *r) {
  const char *start = r->at;
  do {
    const char *from = r->at;
    while (!at_end(r) && (is_letter(*r->at) || is_digit(*r->at) || *r->at == '-'))
      r->at++;
    ptrdiff_t size = r->at - from;
    if (size == 0 || size > 63 || *from == '-' || r->at[-1] == '-') return false;
  } while (take(r, '.'));
  return r->at - start <= 253;
}

/* Behind its bracket. */
static bool take_address_literal(reader *r) {
  if (at_end(r) || r->end[-1] != ']') return false;
  const char *close = r->end - 1;
  static const char TAG[] = "IPv6:";
  const size_t tag = sizeof(TAG) - 1;
  reader inner = {r->at, close};
  r->at = r->end;
  if ((size_t)(close - inner.at) > tag && memcmp(inner.at, TAG, tag) == 0)
    return is_ipv6_text(inner.at + tag, close);
  return take_ipv4(&inner) && at_end(&inner);
}

static bool is_email(reader *r) {
  const char *start = r->at;
  if (!(take(r, '"') ? take_quoted(r) : take_dot_atom(r))) return false;
  if (r->at - start > 64 || !take(r, '@')) return false;
  if (!(take(r, '[') ? take_address_literal(r) : take_domain(r))) return false;
  return at_end(r);
}

/* ---- uri ---- */

static bool is_uri_character(char c) {
  return is_letter(c) || is_digit(c) || is_one_of(c, "-._~!$&'()*+,;=");
}

/* Takes unreserved, percent-encoded, sub-delims and those of `more`. False: a bad percent. */
static bool take_uri_characters(reader *r, const char *more) {
  while (!at_end(r)) {
    char c = *r->at;
    if (c == '%') {
      if (r->end - r->at < 3 || !is_hex(r->at[1]) || !is_hex(r->at[2])) return false;
      r->at += 3;
    } else if (is_uri_character(c) || is_one_of(c, more)) {
      r->at++;
    } else {
      return true;
    }
  }
  return true;
}

/* Behind the first bracket: an IPv6 address, or `v` and a version of the future. */
static bool take_ip_literal(reader *r) {
  const char *from = r->at;
  while (!at_end(r) && *r->at != ']')
    r->at++;
  const char *to = r->at;
  if (!take(r, ']')) return false;
  reader future = {from, to};
  if (!take_one_of(&future, "vV")) return is_ipv6_text(from, to);
  const char *digits = future.at;
  while (!at_end(&future) && is_hex(*future.at))
    future.at++;
  if (future.at == digits || !take(&future, '.')) return false;
  const char *rest = future.at;
  while (!at_end(&future) && (is_uri_character(*future.at) || *future.at == ':'))
    future.at++;
  return at_end(&future) && future.at > rest;
}

static bool take_authority(reader *r) {
  reader user = *r;
  if (take_uri_characters(&user, ":") && take(&user, '@')) *r = user;
  if (take(r, '[')) {
    if (!take_ip_literal(r)) return false;
  } else if (!take_uri_characters(r, "")) {
    return false;
  }
  if (take(r, ':')) {
    while (!at_end(r) && is_digit(*r->at))
      r->at++;
  }
  return at_end(r) || is_one_of(*r->at, "/?#");
}

static bool is_uri(reader *r) {
  if (!is_letter(*r->at)) return false;
  while (!at_end(r) && (is_letter(*r->at) || is_digit(*r->at) || is_one_of(*r->at, "+-.")))
    r->at++;
  if (!take(r, ':')) return false;
  if (r->end - r->at >= 2 && r->at[0] == '/' && r->at[1] == '/') {
    r->at += 2;
    if (!take_authority(r)) return false;
  }
  if (!take_uri_characters(r, ":@/")) return false;
  if (take(r, '?') && !take_uri_characters(r, ":@/?")) return false;
  if (take(r, '#') && !take_uri_characters(r, ":@/?")) return false;
  return at_end(r);
}

/* ---- all of them ---- */

bool sdb_schema_format_is(sdb_schema_format format, sdb_slice text) {
  if (text.size == 0) return false; /* no format has a text of no characters */
  reader r = {text.data, text.data + text.size};
  sdb_uuid id;
  switch (format) {
  case SDB_FORMAT_NONE:
    return true;
  case SDB_FORMAT_UUID:
    return sdb_uuid_parse(text, &id);
  case SDB_FORMAT_EMAIL:
    return is_email(&r);
  case SDB_FORMAT_DATE_TIME:
    return is_date_time(&r);
  case SDB_FORMAT_DATE:
    return take_date(&r) && at_end(&r);
  case SDB_FORMAT_TIME:
    return take_time(&r) && at_end(&r);
  case SDB_FORMAT_URI:
    return is_uri(&r);
  case SDB_FORMAT_IPV4:
    return take_ipv4(&r) && at_end(&r);
  case SDB_FORMAT_IPV6:
    return is_ipv6(&r);
  }
  SDB_UNREACHABLE();
}

sdb_schema_format sdb_schema_format_of(sdb_slice name) {
  for (unsigned i = SDB_FORMAT_NONE + 1; i < SDB_COUNT_OF(FORMATS); i++) {
    if (sdb_slice_equal(name, sdb_slice_of(FORMATS[i].name))) return (sdb_schema_format)i;
  }
  return SDB_FORMAT_NONE;
}

const char *sdb_schema_format_text(sdb_schema_format format) {
  return FORMATS[format].text;
}
