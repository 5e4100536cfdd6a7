/* server/percent.h: percent-encoding, undone. */
#ifndef SDB_SERVER_PERCENT_H
#define SDB_SERVER_PERCENT_H

#include <stdbool.h>
#include <syncdb/slice.h>

/* Decodes `text` into `to`; `form`: as application/x-www-form-urlencoded, where '+' is a space.
 * Empty where it is malformed or longer than `capacity`. */
sdb_slice sdb_percent_decode(sdb_slice text, bool form, char *to, size_t capacity);

#endif
