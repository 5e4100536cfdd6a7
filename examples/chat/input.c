/* examples/chat/input.c: see input.h. The keys: Backspace, Ctrl-U (all), Ctrl-W (a word), Enter,
 * Ctrl-C and Ctrl-D to end, Page Up and Page Down for `/older` and `/newer`. */
#include "input.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL(key) ((key)&0x1f)
#define ESCAPE 0x1b
#define DELETE 0x7f

bool input_open(input *self) {
  memset(self, 0, sizeof(*self));
  self->line = malloc(INPUT_BYTES_MAX);
  self->is_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
                      tcgetattr(STDIN_FILENO, &self->before) == 0;
  if (!self->is_terminal) return self->line != NULL;
  struct termios keys = self->before;
  keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
  keys.c_iflag &= ~(tcflag_t)(IXON);
  keys.c_cc[VMIN] = 1;
  keys.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &keys);
  return self->line != NULL;
}

void input_close(input *self) {
  if (self->is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &self->before);
  free(self->line);
}

/* ---- keys ---- */

static void erase_character(input *self) {
  while (self->size > 0 && ((unsigned char)self->line[--self->size] & 0xc0) == 0x80) {
  }
}

static void erase_word(input *self) {
  while (self->size > 0 && self->line[self->size - 1] == ' ')
    self->size--;
  while (self->size > 0 && self->line[self->size - 1] != ' ')
    self->size--;
}

/* Goes on within a sequence, ESC [ digits and a last character. True: the key belongs to it. */
static bool take_sequence(input *self, char key, input_line_fn line, void *context) {
  if (self->escape == 0) return false;
  if (self->escape == 1) {
    self->escape = key == '[' || key == 'O' ? 2 : 0;
    self->parameter = 0;
    return true;
  }
  if (key >= '@' && key <= '~') {
    self->escape = 0;
    if (key == '~' && self->parameter == '5') line(context, sdb_slice_of("/older"));
    if (key == '~' && self->parameter == '6') line(context, sdb_slice_of("/newer"));
  } else if (self->parameter == 0) {
    self->parameter = key;
  }
  return true;
}

static void take_key(input *self, char key, input_line_fn line, void *context) {
  if (take_sequence(self, key, line, context)) return;
  switch (key) {
  case ESCAPE:
    self->escape = 1;
    return;
  case '\r':
  case '\n':
    line(context, sdb_slice_make(self->line, self->size));
    self->size = 0;
    return;
  case DELETE:
  case CONTROL('H'):
    erase_character(self);
    return;
  case CONTROL('U'):
    self->size = 0;
    return;
  case CONTROL('W'):
    erase_word(self);
    return;
  case CONTROL('C'):
    self->ended = true;
    return;
  case CONTROL('D'):
    self->ended = self->size == 0;
    return;
  default:
    if (((unsigned char)key >= ' ' || key == '\t') && self->size < INPUT_BYTES_MAX)
      self->line[self->size++] = key;
  }
}

/* ---- reading ---- */

static void take_byte(input *self, char byte, input_line_fn line, void *context) {
  if (byte == '\n') {
    line(context, sdb_slice_make(self->line, self->size));
    self->size = 0;
  } else if (self->size < INPUT_BYTES_MAX) {
    self->line[self->size++] = byte;
  }
}

void input_read(input *self, input_line_fn line, void *context) {
  char bytes[4096];
  ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  for (ssize_t i = 0; i < got && !self->ended; i++)
    (self->is_terminal ? take_key : take_byte)(self, bytes[i], line, context);
  if (got > 0) return;
  if (self->size > 0) line(context, sdb_slice_make(self->line, self->size));
  self->size = 0;
  self->ended = true;
}
