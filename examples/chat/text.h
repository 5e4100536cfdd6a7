/* examples/chat/text.h: what people wrote, fit for a terminal: harmless, measured, in lines. */
#ifndef CHAT_TEXT_H
#define CHAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <syncdb/slice.h>

/* A copy that a terminal cannot take for orders: control characters and what turns the direction of
 * text become U+FFFD; line breaks stay, if wanted, and other white space becomes blanks. The
 * caller's to free; NULL: no memory. */
char *chat_text_harmless(sdb_slice text, bool keep_lines);

/* How many columns harmless text takes. */
size_t chat_text_columns(sdb_slice text);
/* The longest end of it that fits. */
sdb_slice chat_text_end(sdb_slice text, size_t columns);
/* Takes the next line off `rest`, no wider than that, broken at a blank where there is one. */
sdb_slice chat_text_take_line(sdb_slice *rest, size_t columns);

#endif
