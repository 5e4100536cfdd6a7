/* bindings/wasm/write.h: what JavaScript is told: JSON, written to one buffer. Commas come by
 * themselves. */
#ifndef SDB_WASM_WRITE_H
#define SDB_WASM_WRITE_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>
#include <syncdb/client_record.h>

/* The buffer: reset where a text begins; its status tells at the end whether memory was enough. */
sdb_buffer *sdb_write_buffer(void);

/* In all of these `name` is the member's, or NULL for an array's item and the root. */
void sdb_write_open(const char *name, char bracket);
void sdb_write_close(char bracket);
void sdb_write_text(const char *name, sdb_slice text);
void sdb_write_number(const char *name, uint64_t number);
/* JSON as it stands. */
void sdb_write_json(const char *name, sdb_slice json);
/* Nothing where it is nil. */
void sdb_write_uuid(const char *name, sdb_uuid id);
/* null where it is nil. */
void sdb_write_uuid_or_null(const char *name, sdb_uuid id);
/* {"code","message","path"}; nothing where it is NULL. */
void sdb_write_error(const char *name, const sdb_error *error);
void sdb_write_record(const char *name, const sdb_client_record *record);

#endif
