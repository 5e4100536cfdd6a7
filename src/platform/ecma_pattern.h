/* platform/ecma_pattern.h: from ECMA-262's patterns to PCRE2's. */
#ifndef SDB_PLATFORM_ECMA_PATTERN_H
#define SDB_PLATFORM_ECMA_PATTERN_H

#include "base/buffer.h"

/* Appends to `to` a PCRE2 pattern that matches what `pattern`, read as ECMA-262 with the `u` flag
 * and no other, matches. NULL, or why it is not one (a static sentence; `to` then holds a part).
 * What it appends fails to compile where the pattern is wrong in a way that PCRE2 sees as well. */
const char *sdb_ecma_pattern(sdb_slice pattern, sdb_buffer *to);

#endif
