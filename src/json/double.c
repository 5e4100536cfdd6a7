/* json/double.c: the double nearest to a number's text, ties to even.
 *
 * Everyday numbers (15 digits, small exponents) are two exact doubles and one
 * correctly rounded operation. All others are divided out in whole numbers:
 *
 *   value = numerator / denominator * 2^exponent,   1 <= numerator / denominator < 2
 *
 * gives the 53 bits of the result one by one, and what remains tells how to
 * round. Digits beyond the 768th cannot move a result but by being there, so a
 * last 1 stands for them and the whole numbers have a bounded size.
 */
#include "json/decimal.h"
#include <math.h>

_Static_assert(sizeof(double) == sizeof(uint64_t), "doubles are IEEE 754 binary64");

/* ---- whole numbers of up to 3,072 bits ---- */

#define BIG_WORDS 96
#define DIGITS_MAX 768

typedef struct big {
  uint32_t words[BIG_WORDS]; /* lowest first */
  size_t count;              /* the highest is not 0 */
} big;

static void big_push(big *b, uint32_t word) {
  SDB_ASSERT(b->count < BIG_WORDS);
  b->words[b->count++] = word;
}

static void big_multiply_add(big *b, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (size_t i = 0; i < b->count; i++) {
    carry += (uint64_t)b->words[i] * factor;
    b->words[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry) big_push(b, (uint32_t)carry);
}

static void big_multiply_power_of_5(big *b, int64_t power) {
  static const uint32_t FIVE_TO_13 = 1220703125;
  for (; power >= 13; power -= 13)
    big_multiply_add(b, FIVE_TO_13, 0);
  for (; power > 0; power--)
    big_multiply_add(b, 5, 0);
}

static void big_shift_left(big *b, size_t bits) {
  size_t words = bits / 32;
  for (size_t i = 0; i < bits % 32; i++)
    big_multiply_add(b, 2, 0);
  SDB_ASSERT(words <= BIG_WORDS - b->count);
  memmove(b->words + words, b->words, b->count * sizeof(b->words[0]));
  memset(b->words, 0, words * sizeof(b->words[0]));
  b->count += words;
}

static size_t big_bits(const big *b) {
  SDB_ASSERT(b->count > 0 && b->words[b->count - 1] != 0);
  return b->count * 32 - (size_t)__builtin_clz(b->words[b->count - 1]);
}

static int big_compare(const big *a, const big *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (size_t i = a->count; i-- > 0;) {
    if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
  }
  return 0;
}

/* `a` must not be less than `b`. */
static void big_subtract(big *a, const big *b) {
  uint32_t borrow = 0;
  for (size_t i = 0; i < a->count; i++) {
    uint64_t less = (uint64_t)(i < b->count ? b->words[i] : 0) + borrow;
    borrow = a->words[i] < less;
    a->words[i] -= (uint32_t)less;
  }
  SDB_ASSERT(!borrow);
  while (a->count && !a->words[a->count - 1])
    a->count--;
}

/* ---- rounding ---- */

/* Makes 1 <= numerator / denominator < 2, and gives the power of two that this took out. */
static int64_t normalize(big *numerator, big *denominator) {
  int64_t taken = (int64_t)big_bits(numerator) - (int64_t)big_bits(denominator);
  if (taken > 0) big_shift_left(denominator, (size_t)taken);
  if (taken < 0) big_shift_left(numerator, (size_t)-taken);
  if (big_compare(numerator, denominator) >= 0) return taken;
  big_shift_left(numerator, 1);
  return taken - 1;
}

/* The double nearest to numerator / denominator * 2^exponent, of a normalized fraction. The
 * numerator is used up. */
static double round_fraction(big *numerator, const big *denominator, int64_t exponent) {
  static const int64_t EXPONENT_MIN = -1022, EXPONENT_MAX = 1023;
  static const int64_t MANTISSA_BITS = 53;
  int64_t bits = MANTISSA_BITS; /* less below EXPONENT_MIN */
  if (exponent > EXPONENT_MAX) return HUGE_VAL;
  if (exponent < EXPONENT_MIN) bits -= EXPONENT_MIN - exponent;
  if (bits < 0) return 0;
  uint64_t mantissa = 0;
  for (int64_t i = 0; i < bits; i++) {
    bool bit = big_compare(numerator, denominator) >= 0;
    if (bit) big_subtract(numerator, denominator);
    big_multiply_add(numerator, 2, 0);
    mantissa = mantissa << 1 | bit;
  }
  int rest = big_compare(numerator, denominator);
  mantissa += rest > 0 || (rest == 0 && (mantissa & 1));
  /* The mantissa's highest bit adds 1 to the exponent field, and so does a carry out of it. */
  uint64_t field = exponent < EXPONENT_MIN ? 0 : (uint64_t)(exponent - EXPONENT_MIN);
  uint64_t representation = (field << (MANTISSA_BITS - 1)) + mantissa;
  double result;
  memcpy(&result, &representation, sizeof(result));
  return result;
}

static double convert_exactly(const sdb_json_decimal *decimal) {
  big numerator = {.count = 0}, denominator = {.words = {1}, .count = 1};
  const char *at = decimal->digits;
  size_t count = decimal->count < DIGITS_MAX ? decimal->count : DIGITS_MAX;
  for (size_t i = 0; i < count; i++)
    big_multiply_add(&numerator, 10, sdb_json_next_digit(&at));
  if (decimal->count > DIGITS_MAX) {
    big_multiply_add(&numerator, 10, 1);
    count++;
  }
  int64_t power = decimal->point - (int64_t)count; /* of ten: 10^power = 5^power * 2^power */
  big_multiply_power_of_5(power > 0 ? &numerator : &denominator, power > 0 ? power : -power);
  int64_t taken = normalize(&numerator, &denominator);
  return round_fraction(&numerator, &denominator, power + taken);
}

/* Digits and power of ten are both exact doubles, so the one operation rounds once. */
static bool convert_fast(const sdb_json_decimal *decimal, double *value) {
  static const double POWERS_OF_10[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
      1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  int64_t power = decimal->point - (int64_t)decimal->count;
  if (decimal->count > 15 || power > 22 || power < -22) return false;
  const char *at = decimal->digits;
  uint64_t digits = 0;
  for (size_t i = 0; i < decimal->count; i++)
    digits = digits * 10 + sdb_json_next_digit(&at);
  *value = power < 0 ? (double)digits / POWERS_OF_10[-power] : (double)digits * POWERS_OF_10[power];
  return true;
}

double sdb_json_decimal_double(const sdb_json_decimal *decimal) {
  double value;
  if (decimal->point > 310)
    value = HUGE_VAL;
  else if (decimal->point < -330)
    value = 0;
  else if (!convert_fast(decimal, &value))
    value = convert_exactly(decimal);
  return decimal->negative ? -value : value;
}
