/* cli/terminal.h: text for a terminal: what others wrote, made harmless and measured.
 *
 * A terminal obeys what it is sent. So nothing that came from outside is written to one but through
 * here: control characters, and those that turn the direction of the text, are replaced.
 */
#ifndef SDB_CLI_TERMINAL_H
#define SDB_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <syncdb/slice.h>

/* Text that grows. Zero is the empty one. Out of memory it is cut, which only a reader notices. */
typedef struct sdb_cli_text {
  char *data;
  size_t size, capacity;
} sdb_cli_text;

void sdb_cli_text_free(sdb_cli_text *text);
static inline sdb_slice sdb_cli_text_slice(const sdb_cli_text *text) {
  return sdb_slice_make(text->data, text->size);
}

/* Appends text of our own as it stands. */
void sdb_cli_text_plain(sdb_cli_text *text, const char *plain);
/* Appends somebody else's text, made harmless: white space becomes blanks, what would not be shown
 * or is no UTF-8 becomes U+FFFD. */
void sdb_cli_text_foreign(sdb_cli_text *text, sdb_slice foreign);
/* The same of a JSON string with its quotes, escapes undone. */
void sdb_cli_text_json_string(sdb_cli_text *text, sdb_slice json);
/* Appends the members of a JSON object for people: `role: user  content: hi there`. Those that
 * begin with `$` are left out. */
void sdb_cli_text_members(sdb_cli_text *text, sdb_slice object);

/* How many columns harmless text takes. */
size_t sdb_cli_text_columns(sdb_slice text);
/* The longest beginning, or end, of harmless text that takes no more columns than that. */
sdb_slice sdb_cli_text_head(sdb_slice text, size_t columns);
sdb_slice sdb_cli_text_tail(sdb_slice text, size_t columns);

/* `$createdAt` of an object in milliseconds since the epoch; false: it has none. */
bool sdb_cli_text_created_ms(sdb_slice object, long long *created_ms);

/* A stream that may be a terminal. */
typedef struct sdb_cli_terminal {
  FILE *to;
  bool is_terminal; /* lines may be written over */
  bool has_colour;
} sdb_cli_terminal;

void sdb_cli_terminal_open(sdb_cli_terminal *terminal, FILE *to);
/* How wide it is now; no terminal: SIZE_MAX. */
size_t sdb_cli_terminal_columns(const sdb_cli_terminal *terminal);
/* How many lines it has now; no terminal: 0. */
size_t sdb_cli_terminal_rows(const sdb_cli_terminal *terminal);

/* Looks of what is written from here on, where there is colour. */
typedef enum sdb_cli_look {
  SDB_CLI_LOOK_NORMAL,
  SDB_CLI_LOOK_DIM,
  SDB_CLI_LOOK_NAME,
  SDB_CLI_LOOK_ALARM
} sdb_cli_look;
void sdb_cli_terminal_look(const sdb_cli_terminal *terminal, sdb_cli_look look);

#endif
