/* wire/text.h: what the writers of both sides write alike, for the files of this floor. */
#ifndef SDB_WIRE_TEXT_H
#define SDB_WIRE_TEXT_H

#include "json/json.h"
#include <syncdb/uuid.h>

/* Appends `text` as it is. The buffer's status is sticky, here and below. */
static inline void sdb_wire_write_text(sdb_buffer *to, const char *text) {
  sdb_buffer_append_slice(to, sdb_slice_of(text));
}

/* Appends "uuid", or null for the nil one. */
static inline void sdb_wire_write_id(sdb_buffer *to, sdb_uuid id) {
  if (sdb_uuid_is_nil(id)) {
    sdb_json_write_raw(to, "null");
    return;
  }
  char *at = sdb_buffer_reserve(to, SDB_UUID_TEXT_SIZE + 2);
  if (!at) return;
  at[0] = at[SDB_UUID_TEXT_SIZE + 1] = '"';
  sdb_uuid_format(id, at + 1);
  sdb_buffer_commit(to, SDB_UUID_TEXT_SIZE + 2);
}

/* Appends the field "store":"name". Wire names are plain ASCII letters, digits and underscores: no
 * escape is needed. */
static inline void sdb_wire_write_store(sdb_buffer *to, const char *store) {
  sdb_json_write_raw(to, "\"store\":\"");
  sdb_wire_write_text(to, store);
  sdb_json_write_raw(to, "\"");
}

#endif
