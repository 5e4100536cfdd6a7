/* json_number_test.c: numbers read exactly. glibc's strtod and printf, which are exact at any
 * length, say what a double should be. */
#include "failing_memory.h"
#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

static failing_memory memory;
static sdb_json json;

static int setup(void **state) {
  (void)state;
  failing_memory_init(&memory, 0);
  sdb_json_init(&json, &memory.mem, 100);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  sdb_json_free(&json);
  return memory.live ? -1 : 0;
}

static void scan(const char *text) {
  sdb_error error;
  if (sdb_json_scan(&json, sdb_slice_of(text), 1, &error) != SDB_OK)
    fail_msg("%s at %zu: %s", text, error.offset, error.message);
}

/* `digit` written `count` times between two texts; the caller frees it. */
static char *repeated(const char *before, char digit, size_t count, const char *behind) {
  size_t before_size = strlen(before), behind_size = strlen(behind);
  char *text = malloc(before_size + count + behind_size + 1);
  assert_non_null(text);
  memcpy(text, before, before_size);
  memset(text + before_size, digit, count);
  memcpy(text + before_size + count, behind, behind_size + 1);
  return text;
}

/* ---- whole numbers ---- */

static void whole_numbers_that_fit_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t value;
  } CASES[] = {{"0", 0}, {"-0", 0}, {"0.000", 0}, {"-0e99999999999999999999", 0}, {"1", 1},
      {"-1", -1}, {"1.0", 1}, {"1e2", 100}, {"1E+2", 100}, {"100e-2", 1}, {"0.00012e6", 120},
      {"12.50e1", 125}, {"1749383382805", 1749383382805}, {"-10e0", -10},
      {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN},
      {"9223372036854775807.00", INT64_MAX}, {"-922337203685477580.8e1", INT64_MIN},
      {"0.0000000000000000009223372036854775807e37", INT64_MAX},
      {"1e00000000000000000000000000002", 100}};
  for (size_t i = 0; i < SDB_COUNT_OF(CASES); i++) {
    int64_t value = 42;
    scan(CASES[i].text);
    if (!sdb_json_int64(&json, 0, &value)) fail_msg("%s", CASES[i].text);
    assert_int_equal(value, CASES[i].value);
    assert_true(sdb_json_is_integer(&json, 0));
    uint64_t same = 42;
    assert_int_equal(sdb_json_uint64(&json, 0, &same), value >= 0);
    assert_int_equal(same, value >= 0 ? (uint64_t)value : 42);
  }
}

static void whole_numbers_beyond_64_bits_are_whole_but_do_not_fit(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"18446744073709551616", "18446744073709551620", "1e20",
      "-9223372036854775809", "99999999999999999999", "1e999999999", "1e99999999999999999999999",
      "-123456789012345678901234567890", "1.5e9223372036854775807", "3.4e18446744073709551617"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++) {
    int64_t value = 42;
    uint64_t natural = 42;
    scan(TEXTS[i]);
    if (!sdb_json_is_integer(&json, 0)) fail_msg("%s", TEXTS[i]);
    if (sdb_json_int64(&json, 0, &value)) fail_msg("%s", TEXTS[i]);
    if (sdb_json_uint64(&json, 0, &natural)) fail_msg("%s", TEXTS[i]);
    assert_int_equal(value, 42);
    assert_int_equal(natural, 42);
  }
}

static void the_upper_half_of_64_bits_fits_unsigned_only(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"18446744073709551615", "1844674407370955161.5e1"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++) {
    int64_t value;
    uint64_t natural;
    scan(TEXTS[i]);
    assert_false(sdb_json_int64(&json, 0, &value));
    assert_true(sdb_json_uint64(&json, 0, &natural));
    assert_int_equal(natural, UINT64_MAX);
  }
}

static void a_negative_number_is_never_unsigned(void **state) {
  (void)state;
  uint64_t natural;
  scan("-1");
  assert_false(sdb_json_uint64(&json, 0, &natural));
}

static void numbers_with_a_fraction_are_not_whole(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"0.5", "1.01", "-1e-1", "12.5e0", "1e-999999999",
      "9007199254740993.00000000000000000000000000001", "1e-99999999999999999999999", "123.456e2"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++) {
    int64_t value;
    uint64_t natural;
    scan(TEXTS[i]);
    if (sdb_json_is_integer(&json, 0)) fail_msg("%s", TEXTS[i]);
    assert_false(sdb_json_int64(&json, 0, &value));
    assert_false(sdb_json_uint64(&json, 0, &natural));
  }
}

/* ---- doubles ---- */

static void assert_double(const char *text) {
  scan(text);
  double value = sdb_json_double(&json, 0), expected = strtod(text, NULL);
  if (memcmp(&value, &expected, sizeof(value)) != 0)
    fail_msg("%.60s (%zu bytes): %a, and should be %a", text, strlen(text), value, expected);
}

static void doubles_of_everyday_numbers_are_exact(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"0", "-0", "-0.0e5", "1", "-1.5", "0.1", "3.14159", "1e22",
      "1e23", "123456789012345", "1234567890123456789", "9007199254740993", "0.3", "2.5e-3",
      "1749383382805", "1e-22", "1e-23", "123456789012345e22", "123456789012345e-22"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++)
    assert_double(TEXTS[i]);
}

static void doubles_at_the_ends_of_their_range_are_exact(void **state) {
  (void)state;
  static const char *const TEXTS[] = {"1.7976931348623157e308", "1.7976931348623158e308",
      "1.797693134862315807e308", "-1.7976931348623159e308", "1e308", "2e308", "1e309", "1e310",
      "0.1e310", "2.2250738585072014e-308", "2.2250738585072011e-308", "2.225073858507201e-308",
      "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.47e-324",
      "1e-323", "1e-324", "1e-330", "123456e-335", "0.00001e-320", "1e400", "1e-400", "-1e-400",
      "1e999999999", "1e-999999999", "1e99999999999999999999999999",
      "-1e99999999999999999999999999", "1e-99999999999999999999999999", "6.69e-322",
      /* the one that once hung PHP and Java */
      "2.2250738585072012e-308"};
  for (size_t i = 0; i < SDB_COUNT_OF(TEXTS); i++)
    assert_double(TEXTS[i]);
}

static void beyond_the_range_a_double_is_infinite(void **state) {
  (void)state;
  scan("1e400");
  assert_true(sdb_json_double(&json, 0) == HUGE_VAL);
  scan("-1e400");
  assert_true(sdb_json_double(&json, 0) == -HUGE_VAL);
}

static uint64_t random_state;

static uint64_t random_bits(void) { /* xorshift64: the same numbers in each run */
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

static double random_double(void) {
  double value;
  do {
    uint64_t bits = random_bits();
    memcpy(&value, &bits, sizeof(value));
  } while (!isfinite(value));
  return value;
}

static void random_doubles_come_back_from_any_number_of_digits(void **state) {
  (void)state;
  random_state = 0x9E3779B97F4A7C15;
  for (int i = 0; i < 30000; i++) {
    char text[64];
    snprintf(text, sizeof(text), "%.*e", (int)(random_bits() % 25), random_double());
    assert_double(text);
  }
}

/* A text half way between two neighbouring doubles, to its last digit, must go to the even one; a
 * digit more or less, however far behind, decides. */
static void half_way_between_doubles_every_digit_counts(void **state) {
  (void)state;
  random_state = 42;
  for (int i = 0; i < 300; i++) {
    uint64_t bits = random_bits() % ((uint64_t)0x7FE << 52);
    if (i % 3 == 0) bits %= (uint64_t)1 << 53; /* subnormal, or nearly */
    double low;
    memcpy(&low, &bits, sizeof(low));
    long double half = ((long double)low + (long double)nextafter(low, HUGE_VAL)) / 2;
    char text[1300], longer[1400];
    snprintf(text, sizeof(text), "%.1100Le", half);
    assert_double(text);
    char *exponent = strchr(text, 'e');
    int digits = (int)(exponent - text);
    snprintf(longer, sizeof(longer), "%.*s%s1%s", digits, text, "0000000000", exponent);
    assert_double(longer);
    char *last = exponent - 1;
    while (*last == '0')
      last--;
    --*last; /* it was not '0', and the point is far before it */
    assert_double(text);
  }
}

static void doubles_of_very_long_texts_are_exact(void **state) {
  (void)state;
  static const size_t COUNTS[] = {300, 767, 768, 769, 770, 5000, 100000};
  for (size_t i = 0; i < SDB_COUNT_OF(COUNTS); i++) {
    static const char *const FORMS[][2] = {{"0.", "1"}, {"1.", "1"}, {"", "e-300"}, {"0.00", "e9"},
        {"9007199254740993", ""}, {"9007199254740993.", "1"}, {"-1", "e-100000"}};
    for (size_t k = 0; k < SDB_COUNT_OF(FORMS); k++) {
      for (int digit = 0; digit <= 9; digit += 3) {
        if (FORMS[k][0][0] == 0 && digit == 0) continue; /* would begin with 0 */
        char *text = repeated(FORMS[k][0], (char)('0' + digit), COUNTS[i], FORMS[k][1]);
        assert_double(text);
        free(text);
      }
    }
  }
}

/* ---- comparison ---- */

static void assert_order(const char *a, const char *b, int order) {
  int got = sdb_json_number_compare(sdb_slice_of(a), sdb_slice_of(b));
  if (got != order) fail_msg("%.60s and %.60s: %d, and should be %d", a, b, got, order);
}

static void numbers_in_ascending_order_compare_so(void **state) {
  (void)state;
  static const char *const ASCENDING[] = {"-1e99999999999999999999", "-1e999999999", "-1e400",
      "-18446744073709551617", "-18446744073709551616", "-10", "-9.99", "-1", "-0.1", "-1e-400",
      "-1e-999999999999999999999", "0", "1e-99999999999999999999999", "1e-99999999999999999999998",
      "1e-9999999999", "1e-400", "0.1", "0.10000000000000000000000000000000001", "0.11", "1",
      "1.0000000000000000000000000000000000001", "1.1", "9", "10", "1e2", "101", "9007199254740992",
      "9007199254740993", "18446744073709551616", "18446744073709551617", "1e400", "1.1e400",
      "1e999999999", "1e1000000000", "2e1000000000", "9e99999999999999999998",
      "1e99999999999999999999", "1e100000000000000000000", "11e100000000000000000000",
      "1e100000000000000000002"};
  for (size_t i = 0; i < SDB_COUNT_OF(ASCENDING); i++) {
    for (size_t k = 0; k < SDB_COUNT_OF(ASCENDING); k++)
      assert_order(ASCENDING[i], ASCENDING[k], (i > k) - (i < k));
  }
}

static void numbers_of_the_same_value_are_equal_however_written(void **state) {
  (void)state;
  static const char *const EQUAL[][2] = {{"0", "-0.0e99999999999999999999"}, {"1", "1.000"},
      {"1", "10e-1"}, {"1", "0.001e3"}, {"1", "1000E-3"}, {"120", "1.2e+2"}, {"-1.5", "-15e-01"},
      {"1e400", "10e399"}, {"1e400", "0.00001e405"},
      {"1e99999999999999999999", "10e99999999999999999998"},
      {"1e-99999999999999999999", "0.1e-99999999999999999998"},
      {"1e100000000000000000000", "100e99999999999999999998"},
      {"10e-1", "0.1e000000000000000000001"}, {"1e00000000000000000000000000", "1e-0"}};
  for (size_t i = 0; i < SDB_COUNT_OF(EQUAL); i++) {
    assert_order(EQUAL[i][0], EQUAL[i][1], 0);
    assert_order(EQUAL[i][1], EQUAL[i][0], 0);
  }
}

static void numbers_of_a_million_digits_are_compared_exactly(void **state) {
  (void)state;
  enum { COUNT = 1000000 };
  char *one = repeated("1", '0', COUNT, ""), *more = repeated("1", '0', COUNT - 1, "1");
  char *fraction = repeated("0.", '0', COUNT - 1, "1");
  assert_order(one, more, -1);
  assert_order(one, "1e1000000", 0);
  assert_order(one, "1.00000000000000000000000001e1000000", -1);
  assert_order(fraction, "1e-1000000", 0);
  assert_order(fraction, "0", 1);
  free(one);
  free(more);
  free(fraction);
}

static void exponents_of_a_million_digits_are_compared_exactly(void **state) {
  (void)state;
  enum { COUNT = 1000000 };
  char *a = repeated("1e", '9', COUNT, "8"), *b = repeated("1e", '9', COUNT, "9");
  char *c = repeated("10e", '9', COUNT, "8"), *d = repeated("1e1", '0', COUNT + 1, "");
  char *padded = repeated("1e", '0', COUNT, "5"), *negative = repeated("1e-", '9', COUNT, "8");
  assert_order(a, b, -1);
  assert_order(c, b, 0);
  assert_order(b, d, -1);
  assert_order(padded, "100000", 0);
  assert_order(negative, a, -1);
  assert_order(negative, "0", 1);
  free(a);
  free(b);
  free(c);
  free(d);
  free(padded);
  free(negative);
}

/* ---- multiples ---- */

static void assert_multiples(const char *const pairs[][2], size_t count, bool multiple) {
  for (size_t i = 0; i < count; i++) {
    bool got = sdb_json_number_multiple(sdb_slice_of(pairs[i][0]), sdb_slice_of(pairs[i][1]));
    if (got != multiple)
      fail_msg("%s of %s: %d, and should be %d", pairs[i][0], pairs[i][1], got, multiple);
  }
}

static void whole_multiples_are_told(void **state) {
  (void)state;
  static const char *const PAIRS[][2] = {{"0", "7"}, {"-0.0", "0.1"}, {"6", "3"}, {"-6", "3"},
      {"6", "1"}, {"0.3", "0.1"}, {"19.99", "0.01"}, {"1.1", "0.1"}, {"4.35", "0.01"}, {"5", "2.5"},
      {"1", "0.125"}, {"3", "0.0625"}, {"1e2", "4"}, {"700e-2", "7"}, {"9223372036854775807", "7"},
      {"18446744073709551616", "4294967296"}, {"1e18", "1.28e2"},
      {"123456789012345678901234567890", "10"}, {"1e999999999", "64"},
      {"1e59", "576460752303423488"}, {"3e99999999999999999999", "0.75"},
      {"1e100000000000000000000", "1e99999999999999999999"}};
  assert_multiples(PAIRS, SDB_COUNT_OF(PAIRS), true);
}

static void what_is_no_multiple_is_told(void **state) {
  (void)state;
  static const char *const PAIRS[][2] = {{"7", "3"}, {"-7", "3"}, {"0.35", "0.1"}, {"1", "2"},
      {"0.5", "1"}, {"19.995", "0.01"}, {"1e-400", "1"}, {"1e400", "7"}, {"1e999999999", "3"},
      {"9223372036854775806", "7"}, {"100", "1e3"}, {"1e-99999999999999999999", "1e-5"},
      {"1e99999999999999999999", "1e100000000000000000000"},
      {"123456789012345678901234567891", "10"}, {"1e2", "8"}, {"1e58", "576460752303423488"},
      {"9007199254740993", "2"}, {"1e-3", "0.01"}};
  assert_multiples(PAIRS, SDB_COUNT_OF(PAIRS), false);
}

static void beyond_18_digits_a_divisor_counts_by_its_double(void **state) {
  (void)state;
  static const char *const MULTIPLES[][2] = {{"2.4691357802469135780", "1.2345678901234567890"},
      {"1e300", "1.2345678901234567890123"}, {"-1e300", "1.2345678901234567890123"}};
  static const char *const OTHERS[][2] = {{"1.5", "1.2345678901234567890123"}};
  assert_multiples(MULTIPLES, SDB_COUNT_OF(MULTIPLES), true);
  assert_multiples(OTHERS, SDB_COUNT_OF(OTHERS), false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(whole_numbers_that_fit_are_read),
      TEST(whole_numbers_beyond_64_bits_are_whole_but_do_not_fit),
      TEST(the_upper_half_of_64_bits_fits_unsigned_only),
      TEST(a_negative_number_is_never_unsigned),
      TEST(numbers_with_a_fraction_are_not_whole),
      TEST(doubles_of_everyday_numbers_are_exact),
      TEST(doubles_at_the_ends_of_their_range_are_exact),
      TEST(beyond_the_range_a_double_is_infinite),
      TEST(random_doubles_come_back_from_any_number_of_digits),
      TEST(half_way_between_doubles_every_digit_counts),
      TEST(doubles_of_very_long_texts_are_exact),
      TEST(numbers_in_ascending_order_compare_so),
      TEST(numbers_of_the_same_value_are_equal_however_written),
      TEST(numbers_of_a_million_digits_are_compared_exactly),
      TEST(exponents_of_a_million_digits_are_compared_exactly),
      TEST(whole_multiples_are_told),
      TEST(what_is_no_multiple_is_told),
      TEST(beyond_18_digits_a_divisor_counts_by_its_double),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
