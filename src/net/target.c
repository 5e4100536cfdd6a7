/* net/target.c: a WebSocket URL taken apart (RFC 6455 section 3).
 *
 *   url       = ( "ws" / "wss" ) "://" authority [ "/" path ] [ "?" query ]
 *   authority = ( name / IPv4 / "[" IPv6 "]" ) [ ":" port ]
 *
 * Strict, because its parts become lines of a request and names in certificates: ASCII only, no
 * blank, no control character, and in a host nothing but what host names have.
 */
#include "base/error.h"
#include "net/dial.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define PORT_DIGITS_MAX 5
#define PORT_MAX 65535

static bool take(char *to, size_t capacity, sdb_slice from) {
  if (from.size >= capacity) return false;
  memcpy(to, from.data, from.size);
  to[from.size] = 0;
  return true;
}

static bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

/* NULL, or what is wrong with it; so all below. */
static const char *parse_port(sdb_net_target *target, sdb_slice text) {
  unsigned number = 0;
  if (text.size == 0) {
    (void)take(target->port, sizeof(target->port), sdb_slice_of(target->tls ? "443" : "80"));
    return NULL;
  }
  sdb_slice digits = {text.data + 1, text.size - 1};
  if (text.data[0] != ':' || digits.size == 0 || digits.size > PORT_DIGITS_MAX)
    return "the port is no number from 1 to 65535";
  for (size_t i = 0; i < digits.size; i++) {
    if (digits.data[i] < '0' || digits.data[i] > '9')
      return "the port is no number from 1 to 65535";
    number = number * 10 + (unsigned)(digits.data[i] - '0');
  }
  if (number < 1 || number > PORT_MAX) return "the port is no number from 1 to 65535";
  (void)take(target->port, sizeof(target->port), digits);
  return NULL;
}

static const char *parse_ipv6(sdb_net_target *target, sdb_slice text) {
  unsigned char address[sizeof(struct in6_addr)];
  const char *end = memchr(text.data, ']', text.size);
  if (!end) return "']' is missing behind the IPv6 address";
  sdb_slice host = {text.data + 1, (size_t)(end - text.data) - 1};
  if (!take(target->host, sizeof(target->host), host) ||
      inet_pton(AF_INET6, target->host, address) != 1)
    return "what stands in brackets is no IPv6 address";
  return parse_port(target, sdb_slice_make(end + 1, text.size - host.size - 2));
}

static const char *parse_authority(sdb_net_target *target, sdb_slice text) {
  if (memchr(text.data, '@', text.size)) return "a user name has no place in a WebSocket URL";
  if (!take(target->authority, sizeof(target->authority), text)) return "the host is too long";
  if (text.size > 0 && text.data[0] == '[') return parse_ipv6(target, text);
  size_t size = 0;
  while (size < text.size && is_name_char(text.data[size]))
    size++;
  if (size < text.size && text.data[size] != ':')
    return "the host has a character that no host name has";
  if (size == 0) return "the URL names no host";
  if (!take(target->host, sizeof(target->host), sdb_slice_make(text.data, size)))
    return "the host is too long";
  return parse_port(target, sdb_slice_make(text.data + size, text.size - size));
}

static const char *parse_resource(sdb_net_target *target, sdb_slice text) {
  char *to = target->resource;
  size_t capacity = sizeof(target->resource);
  if (text.size == 0 || text.data[0] == '?') { /* the path is "/" then */
    *to++ = '/';
    capacity--;
  }
  return take(to, capacity, text) ? NULL : "the URL is too long";
}

static const char *parse(sdb_net_target *target, const char *url) {
  for (const char *at = url; *at; at++) {
    if (*at <= ' ' || *at > '~')
      return "the URL has a blank, a control character or one that is not ASCII";
  }
  size_t scheme = 0;
  if (strncasecmp(url, "ws://", 5) == 0) scheme = 5;
  if (strncasecmp(url, "wss://", 6) == 0) scheme = 6;
  if (scheme == 0) return "the URL must begin with ws:// or wss://";
  if (strchr(url, '#')) return "a fragment has no place in a WebSocket URL";
  target->tls = scheme == 6;
  const char *authority = url + scheme;
  size_t size = strcspn(authority, "/?");
  const char *problem = parse_authority(target, sdb_slice_make(authority, size));
  return problem ? problem : parse_resource(target, sdb_slice_of(authority + size));
}

sdb_status sdb_net_target_parse(const char *url, sdb_net_target *target, sdb_error *error) {
  sdb_net_target parsed = {.tls = false};
  const char *problem = parse(&parsed, url);
  if (problem) return sdb_error_set(error, SDB_INVALID_ARGUMENT, problem, NULL, NULL);
  *target = parsed;
  return SDB_OK;
}
