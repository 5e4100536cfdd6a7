/* Tests of WebSocket URLs taken apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base.h"
#include "net/dial.h"
#include <stdio.h>
#include <string.h>

static void urls_are_taken_apart(void **state) {
  static const struct {
    const char *url;
    bool tls;
    const char *host, *port, *authority, *resource;
  } CASES[] = {
      {"ws://example.com", false, "example.com", "80", "example.com", "/"},
      {"wss://example.com", true, "example.com", "443", "example.com", "/"},
      {"WSS://Example.COM/", true, "Example.COM", "443", "Example.COM", "/"},
      {"ws://a:1/b/c?d=e&f=%20", false, "a", "1", "a:1", "/b/c?d=e&f=%20"},
      {"ws://a?user=ada", false, "a", "80", "a", "/?user=ada"},
      {"ws://a:65535?", false, "a", "65535", "a:65535", "/?"},
      {"ws://127.0.0.1:8080/x", false, "127.0.0.1", "8080", "127.0.0.1:8080", "/x"},
      {"ws://[::1]", false, "::1", "80", "[::1]", "/"},
      {"wss://[2001:db8::7]:44/", true, "2001:db8::7", "44", "[2001:db8::7]:44", "/"},
      {"ws://a_b-c.d.:80/", false, "a_b-c.d.", "80", "a_b-c.d.:80", "/"},
      {"ws://a//b/../c@d:e", false, "a", "80", "a", "//b/../c@d:e"},
  };
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    sdb_net_target target;
    sdb_error error;
    if (sdb_net_target_parse(CASES[i].url, &target, &error) != SDB_OK)
      fail_msg("%s: %s", CASES[i].url, error.message);
    assert_int_equal(target.tls, CASES[i].tls);
    assert_string_equal(target.host, CASES[i].host);
    assert_string_equal(target.port, CASES[i].port);
    assert_string_equal(target.authority, CASES[i].authority);
    assert_string_equal(target.resource, CASES[i].resource);
  }
}

static void refuse(const char *url, const char *problem) {
  sdb_net_target target = {.host = "kept"};
  sdb_error error = {.message = ""};
  if (sdb_net_target_parse(url, &target, &error) != SDB_INVALID_ARGUMENT ||
      !strstr(error.message, problem))
    fail_msg("%s: got \"%s\", wanted \"%s\"", url, error.message, problem);
  assert_string_equal(target.host, "kept");
}

static void what_is_no_websocket_url_is_refused_with_a_reason(void **state) {
  static const struct {
    const char *url, *problem;
  } CASES[] = {
      {"", "must begin with ws://"},
      {"example.com", "must begin with ws://"},
      {"http://example.com", "must begin with ws://"},
      {"ws:/example.com", "must begin with ws://"},
      {"ws://", "names no host"},
      {"ws:///path", "names no host"},
      {"ws://:80", "names no host"},
      {"ws://?x", "names no host"},
      {"ws://user@host", "user name"},
      {"ws://user:password@host/", "user name"},
      {"ws://a/b#c", "fragment"},
      {"ws://a/b c", "a blank"},
      {"ws://a/\r\nX-Evil: 1", "a blank"},
      {"ws://a\t", "a blank"},
      {"ws://a/\x7f", "a blank"},
      {"ws://b\xc3\xbc"
       "cher.example",
          "not ASCII"},
      {"ws://a/\xc3\xbc", "not ASCII"},
      {"ws://a\\b", "no host name has"},
      {"ws://a%41", "no host name has"},
      {"ws://a,b", "no host name has"},
      {"ws://::1", "names no host"},
      {"ws://a:", "the port is no number"},
      {"ws://a:0", "the port is no number"},
      {"ws://a:65536", "the port is no number"},
      {"ws://a:123456", "the port is no number"},
      {"ws://a:+80", "the port is no number"},
      {"ws://a:80:80", "the port is no number"},
      {"ws://a:http", "the port is no number"},
      {"ws://[::1", "']' is missing"},
      {"ws://[]", "no IPv6 address"},
      {"ws://[a]", "no IPv6 address"},
      {"ws://[127.0.0.1]", "no IPv6 address"},
      {"ws://[fe80::1%25eth0]", "no IPv6 address"},
      {"ws://[::1]x", "the port is no number"},
      {"ws://[::1]:", "the port is no number"},
  };
  (void)state;
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++)
    refuse(CASES[i].url, CASES[i].problem);
}

static void what_is_too_long_is_refused(void **state) {
  char url[4096];
  sdb_net_target target;
  (void)state;
  for (size_t size = 255; size <= 256; size++) {
    snprintf(url, sizeof(url), "ws://%0*d", (int)size, 0);
    if (size == 255)
      assert_int_equal(sdb_net_target_parse(url, &target, NULL), SDB_OK);
    else
      refuse(url, "the host is too long");
  }
  snprintf(url, sizeof(url), "ws://%0*d", 3000, 0);
  refuse(url, "the host is too long");
  for (size_t size = 2046; size <= 2047; size++) {
    snprintf(url, sizeof(url), "ws://a/%0*d", (int)size, 0);
    if (size == 2046) {
      assert_int_equal(sdb_net_target_parse(url, &target, NULL), SDB_OK);
      assert_int_equal(strlen(target.resource), 2047);
    } else {
      refuse(url, "the URL is too long");
    }
  }
  snprintf(url, sizeof(url), "ws://a?%0*d", 2046, 0);
  refuse(url, "the URL is too long");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_are_taken_apart),
      cmocka_unit_test(what_is_no_websocket_url_is_refused_with_a_reason),
      cmocka_unit_test(what_is_too_long_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
