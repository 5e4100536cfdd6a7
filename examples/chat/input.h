/* examples/chat/input.h: lines from standard input, of a terminal or of a pipe.
 *
 * From a terminal keys come one by one, so that what is typed can be drawn again below what arrives
 * meanwhile.
 */
#ifndef CHAT_INPUT_H
#define CHAT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <syncdb/slice.h>
#include <termios.h>

#define INPUT_BYTES_MAX (64 * 1024) /* of a line: what is longer is cut */

typedef struct input {
  bool is_terminal;
  struct termios before;
  char *line; /* what is typed so far */
  size_t size;
  unsigned escape; /* keys that send a sequence: 1 behind ESC, 2 behind its bracket */
  char parameter;  /* the first digit of the sequence */
  bool ended;      /* no more comes */
} input;

/* What is done with a line. It is UTF-8 or not, as it was typed. */
typedef void (*input_line_fn)(void *context, sdb_slice line);

/* False: no memory. */
bool input_open(input *self);
void input_close(input *self);

/* Standard input can be read: reads it, and calls `line` for each that is whole. */
void input_read(input *self, input_line_fn line, void *context);

#endif
