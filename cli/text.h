/* cli/text.h: reading a file whole, and writing JSON on one line.
 *
 * What is written holds no control character, neither the old ones nor U+007F to U+009F, which some
 * terminals obey: whoever reads it may be a terminal.
 */
#ifndef SDB_CLI_TEXT_H
#define SDB_CLI_TEXT_H

#include <stdio.h>
#include <syncdb/slice.h>
#include <syncdb/status.h>

/* Reads a stream to its end, but no more than `size_max` bytes: the rest is left unread. The memory
 * is the caller's to free. NULL: the stream failed (errno says why) or there is no memory. */
char *sdb_cli_read_all(FILE *from, size_t size_max, size_t *size);

/* The same of a file by name. */
char *sdb_cli_read_file(const char *path, size_t size_max, size_t *size);

/* Writes `text`, which is UTF-8, as a JSON string with its quotes. */
void sdb_cli_write_json_string(FILE *to, sdb_slice text);

/* Writes JSON text as it stands, but for white space between its parts, which may be line breaks
 * and becomes blanks, and characters as above, which are escaped. */
void sdb_cli_write_json_text(FILE *to, sdb_slice json);

/* Writes {"code":...,"message":...,"path":...}: why something was refused. */
void sdb_cli_write_error(FILE *to, const sdb_error *error);

#endif
