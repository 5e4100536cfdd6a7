/* json/number.c: whole numbers, comparison and multiples, exact from the text.
 *
 * Texts are numbers that a scan accepted, so their grammar is not checked
 * again; but they may be of any length, exponents too ("1e999999999", or an
 * exponent of a million digits). All here is linear in the text.
 */
#include "json/decimal.h"

/* ---- taking a number apart (see decimal.h) ---- */

static void read_exponent(sdb_json_decimal *decimal, const char *at, const char *end) {
  if (*at == '-') decimal->exponent_sign = -1;
  if (*at == '-' || *at == '+') at++;
  decimal->exponent = sdb_slice_make(at, (size_t)(end - at));
  int64_t value = 0;
  for (; at < end && value < SDB_JSON_POINT_FAR * 2; at++)
    value = value * 10 + (*at - '0');
  decimal->point += decimal->exponent_sign * value;
}

sdb_json_decimal sdb_json_decimal_of(sdb_slice text) {
  SDB_ASSERT(text.size > 0);
  sdb_json_decimal decimal = {.exponent_sign = 1};
  const char *at = text.data, *end = at + text.size, *dot = NULL;
  decimal.negative = *at == '-';
  int64_t index = 0, whole = 0, first = 0, last = 0; /* digits counted from the text's first */
  for (at += decimal.negative; at < end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      dot = at;
      continue;
    }
    if (*at != '0') {
      if (!decimal.digits) decimal.digits = at, first = index;
      last = index;
    }
    index++;
    whole += !dot;
  }
  if (!decimal.digits) return decimal;
  decimal.count = (size_t)(last - first + 1);
  decimal.point = decimal.place = whole - first;
  if (at < end) read_exponent(&decimal, at + 1, end);
  return decimal;
}

/* ---- whole numbers ---- */

static bool is_whole(const sdb_json_decimal *decimal) {
  return decimal->point >= (int64_t)decimal->count;
}

/* The number without its sign, where it is a whole one that fits. */
static bool magnitude(const sdb_json_decimal *decimal, uint64_t *value) {
  if (!is_whole(decimal) || decimal->point > 20) return false;
  const char *at = decimal->digits;
  uint64_t result = 0;
  for (size_t i = 0; i < (size_t)decimal->point; i++) {
    unsigned digit = i < decimal->count ? sdb_json_next_digit(&at) : 0;
    if (result > (UINT64_MAX - digit) / 10) return false;
    result = result * 10 + digit;
  }
  *value = result;
  return true;
}

static sdb_json_decimal decimal_at(const sdb_json *json, uint32_t at) {
  SDB_ASSERT(sdb_json_at(json, at)->type == SDB_JSON_NUMBER);
  return sdb_json_decimal_of(sdb_json_text(json, at));
}

bool sdb_json_is_integer(const sdb_json *json, uint32_t at) {
  sdb_json_decimal decimal = decimal_at(json, at);
  return is_whole(&decimal);
}

bool sdb_json_uint64(const sdb_json *json, uint32_t at, uint64_t *value) {
  sdb_json_decimal decimal = decimal_at(json, at);
  if (decimal.negative && decimal.count > 0) return false;
  return magnitude(&decimal, value);
}

bool sdb_json_int64(const sdb_json *json, uint32_t at, int64_t *value) {
  sdb_json_decimal decimal = decimal_at(json, at);
  uint64_t result;
  if (!magnitude(&decimal, &result)) return false;
  if (result > (uint64_t)INT64_MAX + decimal.negative) return false;
  *value = (int64_t)(decimal.negative ? 0 - result : result);
  return true;
}

/* ---- comparison ---- */

/* The digit of the exponent with the weight 10^`power`, with the exponent's sign. */
static int exponent_digit(const sdb_json_decimal *decimal, size_t power) {
  size_t size = decimal->exponent.size;
  if (power >= size) return 0;
  return decimal->exponent_sign * (decimal->exponent.data[size - 1 - power] - '0');
}

/* The point of `a` less that of `b`: exact, except that one beyond POINT_FAR only says so. */
static int64_t point_difference(const sdb_json_decimal *a, const sdb_json_decimal *b) {
  size_t power = a->exponent.size > b->exponent.size ? a->exponent.size : b->exponent.size;
  int64_t difference = 0;
  while (power-- > 0) {
    difference = difference * 10 + exponent_digit(a, power) - exponent_digit(b, power);
    if (difference > SDB_JSON_POINT_FAR * 2 || difference < -SDB_JSON_POINT_FAR * 2)
      return difference; /* no digits that follow can bring it back */
  }
  return difference + a->place - b->place;
}

/* Of two that are not zero, without their signs. */
static int compare_magnitudes(const sdb_json_decimal *a, const sdb_json_decimal *b) {
  int64_t difference = point_difference(a, b);
  if (difference) return difference < 0 ? -1 : 1;
  const char *at_a = a->digits, *at_b = b->digits;
  for (size_t i = 0; i < a->count && i < b->count; i++) {
    unsigned digit_a = sdb_json_next_digit(&at_a), digit_b = sdb_json_next_digit(&at_b);
    if (digit_a != digit_b) return digit_a < digit_b ? -1 : 1;
  }
  return (a->count > b->count) - (a->count < b->count);
}

static int sign(const sdb_json_decimal *decimal) {
  if (decimal->count == 0) return 0;
  return decimal->negative ? -1 : 1;
}

int sdb_json_number_compare(sdb_slice text_a, sdb_slice text_b) {
  sdb_json_decimal a = sdb_json_decimal_of(text_a), b = sdb_json_decimal_of(text_b);
  int sign_a = sign(&a), sign_b = sign(&b);
  if (sign_a != sign_b) return sign_a < sign_b ? -1 : 1;
  return sign_a ? sign_a * compare_magnitudes(&a, &b) : 0;
}

/* ---- multiples ---- */

#define DIVISOR_DIGITS_MAX 18 /* ten times 10^18 fits 64 bits */

static uint64_t remainder_of_digits(const sdb_json_decimal *decimal, uint64_t divisor) {
  const char *at = decimal->digits;
  uint64_t remainder = 0;
  for (size_t i = 0; i < decimal->count; i++)
    remainder = (remainder * 10 + sdb_json_next_digit(&at)) % divisor;
  return remainder;
}

/* By doubles: above 2^53 all of them are whole. */
static bool is_multiple_nearly(double a, double b) {
  static const double WHOLE_FROM = 9007199254740992.0;
  double quotient = a / b;
  if (!(quotient > -WHOLE_FROM && quotient < WHOLE_FROM)) return true;
  return quotient == (double)(int64_t)quotient;
}

/* With a = A * 10^p and b = B * 10^q (A and B whole, not ending with 0): where p < q, B * 10^(q-p)
 * would have to divide A, which ends with no 0. Otherwise B has to divide A * 10^(p-q); and since
 * B < 2^64 holds no more than 63 twos and fives, no power of ten above the 63rd adds anything. */
bool sdb_json_number_multiple(sdb_slice text_a, sdb_slice text_b) {
  sdb_json_decimal a = sdb_json_decimal_of(text_a), b = sdb_json_decimal_of(text_b);
  SDB_ASSERT(sign(&b) > 0);
  if (a.count == 0) return true;
  int64_t power = point_difference(&a, &b) - (int64_t)a.count + (int64_t)b.count;
  if (power < 0) return false;
  if (b.count > DIVISOR_DIGITS_MAX)
    return is_multiple_nearly(sdb_json_decimal_double(&a), sdb_json_decimal_double(&b));
  const char *at = b.digits;
  uint64_t divisor = 0;
  for (size_t i = 0; i < b.count; i++)
    divisor = divisor * 10 + sdb_json_next_digit(&at);
  uint64_t remainder = remainder_of_digits(&a, divisor);
  for (int64_t i = 0; i < power && i < 63 && remainder; i++)
    remainder = remainder * 10 % divisor;
  return remainder == 0;
}

double sdb_json_double(const sdb_json *json, uint32_t at) {
  SDB_ASSERT(sdb_json_at(json, at)->type == SDB_JSON_NUMBER);
  sdb_json_decimal decimal = sdb_json_decimal_of(sdb_json_text(json, at));
  return sdb_json_decimal_double(&decimal);
}
