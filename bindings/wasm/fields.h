/* bindings/wasm/fields.h: structs as JSON objects, by tables: a row says what a member is called,
 * what it is, and where it stands in the struct.
 *
 * What is read comes from a storage, which may be damaged: each member is checked.
 */
#ifndef SDB_WASM_FIELDS_H
#define SDB_WASM_FIELDS_H

#include "json/json.h"
#include <syncdb/uuid.h>

typedef enum sdb_field_kind {
  SDB_FIELD_UUID, /* nil: not written */
  SDB_FIELD_U16,
  SDB_FIELD_U32,
  SDB_FIELD_U64,  /* up to 2^53 */
  SDB_FIELD_TEXT, /* a slice; empty: not written */
  SDB_FIELD_JSON, /* a slice, written as it stands; empty: not written */
  SDB_FIELD_FLAG  /* false: not written */
} sdb_field_kind;

typedef struct sdb_field_row {
  const char *name;
  uint16_t offset;
  uint8_t kind; /* sdb_field_kind */
} sdb_field_row;

/* A struct's table: `count` rows. */
typedef struct sdb_fields {
  const sdb_field_row *rows;
  size_t count;
} sdb_fields;

#define SDB_FIELDS(table)                                                                          \
  (sdb_fields) {                                                                                   \
    table, SDB_COUNT_OF(table)                                                                     \
  }

/* The members, into an object that is open. */
void sdb_fields_write(sdb_fields fields, const void *from);

/* Sets what is there and not null, and leaves the rest. Slices point into the scanned text, which
 * is changed where strings hold escapes. False: a member is not what it has to be. */
SDB_MUST_CHECK bool sdb_fields_read(
    sdb_fields fields, const sdb_json *json, uint32_t object, void *to);

/* The token of a member; 0: there is none, or it is null. */
uint32_t sdb_fields_member(const sdb_json *json, uint32_t object, const char *name);

/* A UUID, or null: nil. False: neither. */
SDB_MUST_CHECK bool sdb_fields_read_uuid(const sdb_json *json, uint32_t at, sdb_uuid *id);

#endif
