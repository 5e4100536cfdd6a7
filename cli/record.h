/* cli/record.h: a device's record as a line: of JSON for programs, of text for people. */
#ifndef SDB_CLI_RECORD_H
#define SDB_CLI_RECORD_H

#include "terminal.h"
#include <stdbool.h>
#include <syncdb/client.h>

/* "synced", "partial", "pending", "failed". */
const char *sdb_cli_state_name(sdb_record_state state);

/* Writes {"change":...,"state":...,"store":...,"id":...,"eventId":...,"clientId":...,"object":...,
 * "gap":true,"error":{...}} and a line break, without what the record does not have. `change` NULL:
 * without it; "remove": without the state too. */
void sdb_cli_write_record(
    FILE *to, const char *change, const sdb_store *store, const sdb_client_record *record);

typedef struct sdb_cli_line_style {
  size_t store_columns; /* the store is named, in so many columns; 0: it is not */
  bool with_id;         /* the record's id, or the client id that it has until then */
  bool show_end;        /* what is too long is cut in front, as what grows behind wants it */
} sdb_cli_line_style;

/* Writes one line for people, no wider than the terminal, without a line break: when, where, and
 * the object's members; dim where it is not the server's yet, and with why it failed. */
void sdb_cli_print_record(const sdb_cli_terminal *terminal, const sdb_store *store,
    const sdb_client_record *record, const sdb_cli_line_style *style);

#endif
