/* bindings/node/text.h: text that grows, and JSON in it: what notices are written with.
 *
 * Where there is no memory the process ends, as Node itself does then.
 */
#ifndef SDB_NODE_TEXT_H
#define SDB_NODE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <syncdb/slice.h>
#include <syncdb/uuid.h>

typedef struct node_text {
  char *data;
  size_t size, capacity;
} node_text;

/* As realloc, but it never gives NULL for a `size` over 0. */
void *node_resize(void *pointer, size_t size);

/* `size` zeroed bytes for free(). */
void *node_zero(size_t size);

/* A NUL-terminated copy for free(). */
char *node_copy(sdb_slice text);

void node_text_free(node_text *text);

/* Appends bytes as they are. */
void node_text_put(node_text *text, sdb_slice bytes);
void node_text_word(node_text *text, const char *word);
void node_text_number(node_text *text, uint64_t number);

/* Appends a JSON string. */
void node_text_string(node_text *text, sdb_slice string);

/* Appends a UUID as a JSON string; the nil one is null. */
void node_text_uuid(node_text *text, sdb_uuid id);

/* Appends JSON text, or null where it is empty. */
void node_text_json(node_text *text, sdb_slice json);

#endif
