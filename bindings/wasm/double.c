/* bindings/wasm/double.c: the double nearest to a number's text, in the place of json/double.c: the
 * page has one that is as exact, and small. */
#include "host.h"
#include "json/decimal.h"

double sdb_json_decimal_double(const sdb_json_decimal *decimal) {
  if (decimal->count == 0) return decimal->negative ? -0.0 : 0.0;
  return sdb_host_double(
      decimal->negative, decimal->digits, decimal->count, (double)decimal->point);
}
