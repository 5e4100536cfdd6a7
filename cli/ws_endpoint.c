/* cli/ws_endpoint.c: where a WebSocket client connects to: the URL taken apart, its addresses, and
 * the TLS settings that all connections to it share.
 *
 * A URL is ws://HOST[:PORT][/PATH][?QUERY] or wss://...; an IPv6 address stands in brackets.
 * Control characters and blanks are refused, so that a URL cannot add a line to the request. A user
 * name in the URL and a fragment are refused too: a WebSocket has neither.
 */
#include "ws_client.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool refuse(char *error, const char *why) {
  snprintf(error, SDB_WS_CLIENT_ERROR_SIZE, "%s", why);
  return false;
}

static bool take(char *to, size_t capacity, const char *from, size_t size) {
  if (size >= capacity) return false;
  memcpy(to, from, size);
  to[size] = 0;
  return true;
}

/* "host", "host:port", "[v6]" or "[v6]:port". */
static bool parse_authority(sdb_ws_endpoint *endpoint, const char *text, size_t size, char *error) {
  if (!take(endpoint->authority, sizeof(endpoint->authority), text, size))
    return refuse(error, "the host is too long");
  if (memchr(text, '@', size)) return refuse(error, "a user name has no place in a WebSocket URL");
  const char *end = text + size, *host = text, *host_end, *port;
  if (size > 0 && text[0] == '[') {
    host = text + 1;
    host_end = memchr(host, ']', (size_t)(end - host));
    if (!host_end) return refuse(error, "']' is missing behind the IPv6 address");
    port = host_end + 1;
  } else {
    host_end = memchr(host, ':', size);
    if (!host_end) host_end = end;
    port = host_end;
  }
  if (host_end == host) return refuse(error, "the URL names no host");
  if (!take(endpoint->host, sizeof(endpoint->host), host, (size_t)(host_end - host)))
    return refuse(error, "the host is too long");
  if (port == end) {
    snprintf(endpoint->port, sizeof(endpoint->port), "%s", endpoint->tls ? "443" : "80");
    return true;
  }
  size_t digits = (size_t)(end - port) - 1;
  if (*port != ':' || digits == 0 || digits > 5 || strspn(port + 1, "0123456789") < digits)
    return refuse(error, "the port is no number");
  snprintf(endpoint->port, sizeof(endpoint->port), "%.*s", (int)digits, port + 1);
  long number = strtol(endpoint->port, NULL, 10);
  if (number < 1 || number > 65535) return refuse(error, "the port is not between 1 and 65535");
  return true;
}

bool sdb_ws_url_parse(const char *url, sdb_ws_endpoint *endpoint, char *error) {
  memset(endpoint, 0, sizeof(*endpoint));
  for (const char *at = url; *at; at++) {
    if ((unsigned char)*at <= ' ' || *at == 0x7f)
      return refuse(error, "the URL holds a blank or a control character");
  }
  size_t scheme = strncasecmp(url, "wss://", 6) == 0  ? 6
                  : strncasecmp(url, "ws://", 5) == 0 ? 5
                                                      : 0;
  if (scheme == 0) return refuse(error, "the URL must begin with ws:// or wss://");
  endpoint->tls = scheme == 6;
  if (strchr(url, '#')) return refuse(error, "a fragment has no place in a WebSocket URL");
  const char *authority = url + scheme;
  size_t size = strcspn(authority, "/?");
  if (!parse_authority(endpoint, authority, size, error)) return false;
  const char *target = authority + size;
  int length = snprintf(
      endpoint->target, sizeof(endpoint->target), "%s%s", *target == '/' ? "" : "/", target);
  if ((size_t)length >= sizeof(endpoint->target)) return refuse(error, "the URL is too long");
  return true;
}

static bool open_tls(sdb_ws_endpoint *endpoint, bool insecure, char *error) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context) return refuse(error, "TLS could not be set up");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_verify_paths(context);
  SSL_CTX_set_verify(context, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  endpoint->tls_context = context;
  return true;
}

bool sdb_ws_endpoint_open(sdb_ws_endpoint *endpoint, const char *url, bool insecure, char *error) {
  if (!sdb_ws_url_parse(url, endpoint, error)) return false;
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  int failed = getaddrinfo(endpoint->host, endpoint->port, &hints, &endpoint->addresses);
  if (failed) {
    snprintf(error, SDB_WS_CLIENT_ERROR_SIZE, "%.100s: %s", endpoint->host, gai_strerror(failed));
    return false;
  }
  if (!endpoint->tls || open_tls(endpoint, insecure, error)) return true;
  sdb_ws_endpoint_close(endpoint);
  return false;
}

void sdb_ws_endpoint_close(sdb_ws_endpoint *endpoint) {
  if (endpoint->addresses) freeaddrinfo(endpoint->addresses);
  if (endpoint->tls_context) SSL_CTX_free(endpoint->tls_context);
  endpoint->addresses = NULL;
  endpoint->tls_context = NULL;
}
