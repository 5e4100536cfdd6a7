/* cli/text.h: reading a file whole, and writing a JSON string. */
#ifndef SDB_CLI_TEXT_H
#define SDB_CLI_TEXT_H

#include <stdio.h>
#include <syncdb/slice.h>

/* Reads a stream to its end, but no more than `size_max` bytes: the rest is left unread. The memory
 * is the caller's to free. NULL: the stream failed (errno says why) or there is no memory. */
char *sdb_cli_read_all(FILE *from, size_t size_max, size_t *size);

/* The same of a file by name. */
char *sdb_cli_read_file(const char *path, size_t size_max, size_t *size);

/* Writes `text`, which is UTF-8, as a JSON string with its quotes. */
void sdb_cli_write_json_string(FILE *to, sdb_slice text);

#endif
