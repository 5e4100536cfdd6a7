/* bindings/wasm/read.h: what JavaScript says, as JSON in the input: each member checked as it is
 * read, for much of it comes from a storage, which may be damaged.
 *
 * Errors stick: after one, `failed` names the member that is not what it should be.
 */
#ifndef SDB_WASM_READ_H
#define SDB_WASM_READ_H

#include "json/json.h"
#include <syncdb/uuid.h>

typedef struct sdb_wasm_reader {
  sdb_json json;
  const char *failed; /* NULL: nothing */
} sdb_wasm_reader;

/* Scans the text, which must stay, and which reading strings changes. */
void sdb_read_begin(sdb_wasm_reader *reader, sdb_slice text);

/* The token of a member, which may be NULL's; 0: there is none, or it is null. */
uint32_t sdb_read_member(const sdb_wasm_reader *reader, uint32_t object, const char *name);

/* A string, unescaped where it stands: each may be read once. Empty: there is none. */
sdb_slice sdb_read_text(sdb_wasm_reader *reader, uint32_t object, const char *name);

/* A UUID; nil: there is none. */
sdb_uuid sdb_read_uuid(sdb_wasm_reader *reader, uint32_t object, const char *name);

/* The same of a token; 0 or null's: nil. `name` is for the error. */
sdb_uuid sdb_read_uuid_at(sdb_wasm_reader *reader, uint32_t at, const char *name);

/* A whole number up to `max`; `otherwise`: there is none. */
uint64_t sdb_read_number(
    sdb_wasm_reader *reader, uint32_t object, const char *name, uint64_t max, uint64_t otherwise);

/* Whether it is true. */
bool sdb_read_flag(const sdb_wasm_reader *reader, uint32_t object, const char *name);

/* Which of `names` (`count` of them) the string is: its index. */
uint32_t sdb_read_name(sdb_wasm_reader *reader, uint32_t object, const char *name,
    const char *const *names, uint32_t count);

/* Whether it is an array; its items are walked from `at` + 1 by `next`. */
bool sdb_read_is_array(sdb_wasm_reader *reader, uint32_t at, const char *name);

#endif
