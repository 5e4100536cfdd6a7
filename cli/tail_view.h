/* cli/tail_view.h: what `syncdb tail` shows on a terminal.
 *
 * One line for each object, above the lines that are still open: what is being written, and pushes
 * that wait. An open line is written over as it grows, and goes up to the others when it is done.
 */
#ifndef SDB_CLI_TAIL_VIEW_H
#define SDB_CLI_TAIL_VIEW_H

#include "terminal.h"
#include <syncdb/client.h>

typedef struct sdb_cli_open_line sdb_cli_open_line;

typedef struct sdb_cli_view {
  sdb_cli_terminal terminal;
  size_t store_columns; /* of the longest name */
  sdb_cli_open_line *open;
  size_t open_count, open_capacity;
  size_t drawn; /* open lines that stand on the terminal */
} sdb_cli_view;

void sdb_cli_view_create(sdb_cli_view *view, FILE *to);
void sdb_cli_view_destroy(sdb_cli_view *view);

/* Around every series of the calls below: takes the open lines away, and puts them back. */
void sdb_cli_view_begin(sdb_cli_view *view);
void sdb_cli_view_end(sdb_cli_view *view);

/* Shows one change. False: out of memory. */
bool sdb_cli_view_change(
    sdb_cli_view *view, const sdb_store *store, const sdb_client_change *change);

#endif
