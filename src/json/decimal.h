/* json/decimal.h: a number's text taken apart, for number.c and double.c.
 *
 *   value = +-0.DIGITS * 10^point          -12.50e3  ->  DIGITS 125, point 5
 *
 * DIGITS neither begin nor end with 0, so numbers are equal where these parts are.
 */
#ifndef SDB_JSON_DECIMAL_H
#define SDB_JSON_DECIMAL_H

#include "json/json.h"

typedef struct sdb_json_decimal {
  bool negative;      /* has a minus sign (-0 too) */
  const char *digits; /* the first of DIGITS; a '.' may stand among them */
  size_t count;       /* how many; 0: the number is zero, and has no point */
  int64_t place;      /* the point as it would be without an exponent */
  int exponent_sign;  /* 1 or -1 */
  sdb_slice exponent; /* its digits, any number of them */
  int64_t point;      /* `place` and the exponent; one beyond +-SDB_JSON_POINT_FAR only says so */
} sdb_json_decimal;

/* Beyond every double and integer, and too far for the digits of a text to bring it back. */
#define SDB_JSON_POINT_FAR ((int64_t)1 << 40)

_Static_assert(SDB_JSON_SIZE_MAX < SDB_JSON_POINT_FAR / 4, "no text has that many digits");

/* `text` must be a number that a scan accepted, and outlive the result. */
sdb_json_decimal sdb_json_decimal_of(sdb_slice text);

/* The nearest double; see sdb_json_double. */
double sdb_json_decimal_double(const sdb_json_decimal *decimal);

/* The next of DIGITS, as a value; `*at` begins as `digits`. */
static inline unsigned sdb_json_next_digit(const char **at) {
  if (**at == '.') ++*at;
  return (unsigned)(*(*at)++ - '0');
}

#endif
