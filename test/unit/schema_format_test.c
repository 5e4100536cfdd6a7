/* schema_format_test.c: what each asserted format takes and refuses. */
#include "store/schema.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void expect(
    sdb_schema_format format, const char *const *texts, size_t count, bool expected) {
  for (size_t i = 0; i < count; i++) {
    if (sdb_schema_format_is(format, sdb_slice_of(texts[i])) != expected)
      fail_msg("\"%s\" should %sbe %s", texts[i], expected ? "" : "not ",
          sdb_schema_format_text(format));
  }
}

#define TAKES(format, table) expect(format, table, COUNT(table), true)
#define REFUSES(format, table) expect(format, table, COUNT(table), false)

static void a_uuid_is_of_any_version_and_case(void **state) {
  (void)state;
  static const char *const GOOD[] = {"01974f63-6abc-7000-8107-66e6c9a45dda",
      "FED649AD-F26F-4FCB-AD05-D1B70049FA1F", "00000000-0000-0000-0000-000000000000"};
  static const char *const BAD[] = {"", "01974f63-6abc-7000-8107-66e6c9a45dd",
      "01974f63-6abc-7000-8107-66e6c9a45ddaa", "01974f636abc700081-0766e6c9a45dda00",
      "01974f63-6abc-7000-8107-66e6c9a45ddg", "{1974f63-6abc-7000-8107-66e6c9a45dd}"};
  TAKES(SDB_FORMAT_UUID, GOOD);
  REFUSES(SDB_FORMAT_UUID, BAD);
}

static void a_date_is_one_of_the_calendar(void **state) {
  (void)state;
  static const char *const GOOD[] = {
      "2025-06-08", "2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31"};
  static const char *const BAD[] = {"", "2025-02-29", "1900-02-29", "2025-04-31", "2025-13-01",
      "2025-00-01", "2025-01-00", "2025-1-01", "25-01-01", "2025-01-01T", "2025/01/01",
      "2025-01/01", "2025-01-0", "2025",
      "\xE0\xA9\xA7"
      "025-01-01"};
  TAKES(SDB_FORMAT_DATE, GOOD);
  REFUSES(SDB_FORMAT_DATE, BAD);
}

static void a_time_has_an_offset(void **state) {
  (void)state;
  static const char *const GOOD[] = {"11:49:42Z", "11:49:42z", "00:00:00.000001+23:59", "23:59:60Z",
      "22:59:60-01:00", "00:29:60+00:30", "23:59:59-00:00"};
  static const char *const BAD[] = {"", "11:49:42", "24:00:00Z", "11:60:00Z", "11:49:61Z",
      "11:49:60Z", "23:59:60+01:00", "11:49Z", "11:49:42.Z", "11:49:42+24:00", "11:49:42+01:60",
      "11:49:42+0100", "11:49:42 Z", "1:49:42Z", "11:49:42ZZ", "11:49.42Z", "11:49:42.5"};
  TAKES(SDB_FORMAT_TIME, GOOD);
  REFUSES(SDB_FORMAT_TIME, BAD);
}

static void a_date_time_is_a_date_and_a_time(void **state) {
  (void)state;
  static const char *const GOOD[] = {
      "2025-06-08T11:49:42.805Z", "2025-06-08t11:49:42+02:00", "1998-12-31T23:59:60Z"};
  static const char *const BAD[] = {"", "2025-06-08", "2025-06-08 11:49:42Z", "2025-06-08T11:49:42",
      "2025-02-30T11:49:42Z", "2025-06-08T11:49:42Zx", "T11:49:42Z"};
  TAKES(SDB_FORMAT_DATE_TIME, GOOD);
  REFUSES(SDB_FORMAT_DATE_TIME, BAD);
}

static void an_email_is_a_mailbox(void **state) {
  (void)state;
  static const char *const GOOD[] = {"someone@example.com", "a.b+c_d@mail.example.co.uk",
      "joe@localhost", "\"joe bloggs\"@example.com", "\"joe\\\"@bloggs\"@example.com",
      "joe@[127.0.0.1]", "joe@[IPv6:::1]", "Joe1@Example.COM", "joe@3.example",
      "joe@aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg.com",
      "~!#$%&'*/=?^`{|}@example.com"};
  static const char *const BAD[] = {"", "someone", "@example.com", "someone@", "a..b@example.com",
      ".a@example.com", "a.@example.com", "a b@example.com", "a@-example.com", "a@example-.com",
      "a@exa_mple.com", "a@example..com", "a@example.com.", "a@b@example.com", "a@[127.0.0.300]",
      "a@[IPv6:1]", "a@[", "a@[]", "\"a@example.com", "a@example.com\n",
      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg@example.com",
      "a@aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.com", "\"a\\",
      "\"a\tb\"@example.com", "\"a\x7F\"@example.com", "a@[127.0.0.1", "a@[127.0.0.1x]",
      "\xC3\xA4@example.com"};
  TAKES(SDB_FORMAT_EMAIL, GOOD);
  REFUSES(SDB_FORMAT_EMAIL, BAD);
}

static void a_uri_has_a_scheme(void **state) {
  (void)state;
  static const char *const GOOD[] = {"https://example.com", "http://u:p@example.com:8080/a;b?c=d#e",
      "mailto:a@example.com", "urn:isbn:0451450523", "file:///etc/hosts", "http://[2001:db8::7]/c",
      "http://[v7.a:b]/", "a:", "http://example.com/%7Efoo", "http://example.com:", "x+y-z.1:/",
      "HTTP://EXAMPLE.COM", "a:/b", "file://", "http://[V1F.a:b-c]/", "a:?b=%20#c%20",
      "tel:+1-816-555-1212", "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com"};
  static const char *const BAD[] = {"", "example.com", "/a/b", "//example.com", "1a:b", ":a",
      "http://exa mple.com", "http://example.com/\\", "http://example.com/%7",
      "http://example.com/%zz", "http://[::1", "http://[1]/", "http://[v.a]/", "http://[v7.]/",
      "http://a:b:c/", "http://example.com/<a>", "http://example.com/#a#b",
      "http://example.com:80a/", "http://\xC3\xA4.example/", "a:[b]", "http://example.com/%7g",
      "http://%zz@example.com/", "http://[v7]/", "http://[v7.a^]/", "http://a/?%zz", "a:#%zz"};
  TAKES(SDB_FORMAT_URI, GOOD);
  REFUSES(SDB_FORMAT_URI, BAD);
}

static void an_ipv4_address_has_four_parts(void **state) {
  (void)state;
  static const char *const GOOD[] = {"0.0.0.0", "255.255.255.255", "192.168.0.1"};
  static const char *const BAD[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
      "1..2.3", "1.2.3.-4", "0x7f.0.0.1", "1.2.3.0004"};
  TAKES(SDB_FORMAT_IPV4, GOOD);
  REFUSES(SDB_FORMAT_IPV4, BAD);
}

static void an_ipv6_address_has_eight_groups_or_a_gap(void **state) {
  (void)state;
  static const char *const GOOD[] = {"::", "::1", "1::", "2001:db8::ff00:42:8329",
      "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:192.0.2.1",
      "1:2:3:4:5:6:1.2.3.4", "ABCD:EF01::1"};
  static const char *const BAD[] = {"", ":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7:8::", "1::2::3", "12345::", "::g", ":1::", "1:", "::1:", "1.2.3.4",
      "::1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::1", "::1%eth0", "::1 "};
  TAKES(SDB_FORMAT_IPV6, GOOD);
  REFUSES(SDB_FORMAT_IPV6, BAD);
}

static void formats_go_by_their_names(void **state) {
  (void)state;
  assert_int_equal(sdb_schema_format_of(sdb_slice_of("date-time")), SDB_FORMAT_DATE_TIME);
  assert_int_equal(sdb_schema_format_of(sdb_slice_of("ipv6")), SDB_FORMAT_IPV6);
  assert_int_equal(sdb_schema_format_of(sdb_slice_of("")), SDB_FORMAT_NONE);
  assert_int_equal(sdb_schema_format_of(sdb_slice_of("Email")), SDB_FORMAT_NONE);
}

static void no_format_takes_every_text(void **state) {
  (void)state;
  static const char *const GOOD[] = {"a", " ", "\xC3\xA4"};
  TAKES(SDB_FORMAT_NONE, GOOD);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_uuid_is_of_any_version_and_case),
      cmocka_unit_test(a_date_is_one_of_the_calendar),
      cmocka_unit_test(a_time_has_an_offset),
      cmocka_unit_test(a_date_time_is_a_date_and_a_time),
      cmocka_unit_test(an_email_is_a_mailbox),
      cmocka_unit_test(a_uri_has_a_scheme),
      cmocka_unit_test(an_ipv4_address_has_four_parts),
      cmocka_unit_test(an_ipv6_address_has_eight_groups_or_a_gap),
      cmocka_unit_test(formats_go_by_their_names),
      cmocka_unit_test(no_format_takes_every_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
