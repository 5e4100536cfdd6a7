/* json/keys.h: finding a key that an object has twice. */
#ifndef SDB_JSON_KEYS_H
#define SDB_JSON_KEYS_H

#include "json/json.h"

/* Sets `*duplicate` to the token of the first key of the object at `object` that an earlier key
 * of it equals (unescaped), or to 0. The object's members must be the last tokens of `json`, whose
 * memory behind them is used and may move. SDB_OK, or SDB_NO_MEMORY. */
SDB_MUST_CHECK sdb_status sdb_json_keys_duplicate(
    sdb_json *json, uint32_t object, uint32_t *duplicate);

/* What sdb_json_keys_duplicate may need beyond the tokens: an entry a key, a key and a value a
 * member. */
#define SDB_JSON_KEYS_BYTES_PER_TOKEN (sizeof(uint64_t) / 2)

#endif
