/* sim/text.h: reads what it needs of a message by its letters, not by the code that is tested.
 * Works for what our encoders write and for objects without a brace or an escaped quote in their
 * strings.
 */
#ifndef SIM_TEXT_H
#define SIM_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/uuid.h>

/* What stands between `before` and the next quote; false: `before` is not there. */
bool sim_text_between(sdb_slice text, const char *before, sdb_slice *found);
/* The UUID that follows `before` and a quote; nil: there is none. */
sdb_uuid sim_text_uuid(sdb_slice text, const char *before);
/* From `before` to the first closing brace, with it: an object's text; empty: there is none. */
sdb_slice sim_text_object(sdb_slice text, const char *before);
bool sim_text_has(sdb_slice text, const char *part);
/* A message's type: "update" of {"type":"update",...}; empty: it is not written so. */
sdb_slice sim_text_type(sdb_slice message);
/* The number that follows `before`; 0: there is none. */
uint64_t sim_text_number(sdb_slice text, const char *before);

#endif
