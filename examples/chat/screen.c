/* examples/chat/screen.c: see screen.h. ANSI sequences that every terminal knows, no library. */
#include "screen.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define OWN_SCREEN "\033[?1049h"
#define FORMER_SCREEN "\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define NORMAL "\033[0m"
#define DIM "\033[2m"
#define BOLD "\033[1m"
#define RED "\033[31m"
#define CYAN "\033[36m"
#define GREEN "\033[32m"
#define INVERSE "\033[7m"

#define AUTHOR_COLUMNS 12
#define INDENT (6 + AUTHOR_COLUMNS + 1) /* behind time and author */

static void measure(screen *self) {
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  self->columns = known ? size.ws_col : 80;
  self->rows = known ? size.ws_row : 24;
}

void screen_open(screen *self) {
  memset(self, 0, sizeof(*self));
  fputs(OWN_SCREEN, stdout);
}

static void clear(screen *self) {
  size_t count = self->lines ? self->rows - 2 : 0;
  for (size_t i = 0; i < count; i++)
    free(self->lines[i]);
  free(self->lines);
  self->lines = NULL;
}

void screen_close(screen *self) {
  clear(self);
  fputs(FORMER_SCREEN, stdout);
  fflush(stdout);
}

void screen_begin(screen *self) {
  clear(self);
  measure(self);
  if (self->rows < 4) self->rows = 4;
  if (self->columns < INDENT + 20) self->columns = INDENT + 20;
  self->first_line = self->rows - 2;
  self->lines = calloc(self->first_line, sizeof(*self->lines));
}

/* ---- lines, from the last up ---- */

static bool add_line(screen *self, char *line) {
  if (!line || !self->lines || self->first_line == 0) {
    free(line);
    return false;
  }
  self->lines[--self->first_line] = line;
  return true;
}

bool screen_add_note(screen *self, const char *note) {
  char *line = NULL, *harmless = chat_text_harmless(sdb_slice_of(note), false);
  sdb_slice rest = sdb_slice_of(harmless);
  sdb_slice shown = chat_text_take_line(&rest, self->columns - INDENT - 1);
  if (asprintf(&line, "%*s" DIM "%.*s" NORMAL, INDENT, "", (int)shown.size, shown.data) < 0)
    line = NULL;
  free(harmless);
  return add_line(self, line);
}

/* "14:03 ada          ", as wide as INDENT; the caller's to free. */
static char *make_head(const screen_message *message) {
  char when[8] = "", *head = NULL;
  struct tm local;
  time_t seconds = (time_t)(message->created_ms / 1000);
  if (message->created_ms > 0 && localtime_r(&seconds, &local))
    strftime(when, sizeof(when), "%H:%M", &local);
  char *author = chat_text_harmless(sdb_slice_of(message->author), false);
  if (!author) return NULL;
  sdb_slice rest = sdb_slice_of(author);
  sdb_slice name = chat_text_take_line(&rest, AUTHOR_COLUMNS);
  bool own = message->look != LOOK_OTHER && message->look != LOOK_GROWING;
  int blanks = (int)(AUTHOR_COLUMNS + 1 - chat_text_columns(name));
  if (asprintf(&head, DIM "%-6s" NORMAL "%s%s%.*s" NORMAL "%*s", when,
          message->look == LOOK_WAITING ? DIM : BOLD, own ? GREEN : CYAN, (int)name.size, name.data,
          blanks, "") < 0)
    head = NULL;
  free(author);
  return head;
}

static char *make_line(const screen_message *message, const char *head, sdb_slice text, bool last) {
  static const char *const LOOKS[] = {"", "", "", DIM, RED};
  static const char *const ENDS[] = {"", "", "▌", " …", ""};
  char *line = NULL;
  if (asprintf(&line, "%s%*s%s%.*s%s" NORMAL, head ? head : "", head ? 0 : INDENT, "",
          LOOKS[message->look], (int)text.size, text.data, last ? ENDS[message->look] : "") < 0)
    return NULL;
  return line;
}

/* Finds where the lines begin, so that they can be added from the last up. */
static sdb_slice *break_lines(char *text, size_t columns, size_t *count) {
  sdb_slice rest = sdb_slice_of(text), *lines = NULL;
  *count = 0;
  do {
    if (*count % 16 == 0) {
      sdb_slice *grown = realloc(lines, (*count + 16) * sizeof(*lines));
      if (!grown) break;
      lines = grown;
    }
    lines[(*count)++] = chat_text_take_line(&rest, columns);
  } while (rest.size > 0);
  return lines;
}

bool screen_add(screen *self, const screen_message *message) {
  char *text = chat_text_harmless(message->text, true), *head = make_head(message);
  size_t count = 0;
  /* Two columns are left for the sign at the end of the last line. */
  sdb_slice *lines = text && head ? break_lines(text, self->columns - INDENT - 3, &count) : NULL;
  bool room = lines != NULL;
  if (room && message->note) room = screen_add_note(self, message->note);
  for (size_t i = count; room && i-- > 0;)
    room = add_line(self, make_line(message, i == 0 ? head : NULL, lines[i], i == count - 1));
  free(lines);
  free(head);
  free(text);
  return room;
}

/* ---- drawing ---- */

void screen_end(screen *self, const char *status, bool alarm, sdb_slice input) {
  size_t count = self->rows - 2;
  fputs(HOME, stdout);
  for (size_t i = 0; i < count; i++)
    printf("%s" CLEAR_LINE "\r\n", self->lines && self->lines[i] ? self->lines[i] : "");
  char *harmless = chat_text_harmless(sdb_slice_of(status), false);
  sdb_slice rest = sdb_slice_of(harmless);
  sdb_slice shown = chat_text_take_line(&rest, self->columns - 3);
  int blanks = (int)(self->columns - 2 - chat_text_columns(shown));
  printf(INVERSE "%s %.*s%*s" NORMAL CLEAR_LINE "\r\n", alarm ? RED : "", (int)shown.size,
      shown.data ? shown.data : "", blanks, "");
  free(harmless);
  harmless = chat_text_harmless(input, false);
  sdb_slice typed = chat_text_end(sdb_slice_of(harmless), self->columns - 4);
  printf(BOLD ">" NORMAL " %.*s" CLEAR_LINE, (int)typed.size, typed.data ? typed.data : "");
  fflush(stdout);
}
