/* examples/chat/screen.h: the chat on a whole terminal: messages, a line of status, the line typed.
 *
 * It is drawn anew each time, from the newest message up, until the terminal is full.
 */
#ifndef CHAT_SCREEN_H
#define CHAT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syncdb/slice.h>

typedef struct screen {
  size_t rows, columns;
  char **lines;      /* one a row of the messages' part */
  size_t first_line; /* lines from here on are set */
} screen;

typedef enum message_look {
  LOOK_OWN,
  LOOK_OTHER,
  LOOK_GROWING,
  LOOK_WAITING,
  LOOK_FAILED
} message_look;

typedef struct screen_message {
  message_look look;
  const char *author;
  sdb_slice text;
  int64_t created_ms; /* 0: not known */
  const char *note;   /* a line below it, or NULL */
} screen_message;

/* Takes the terminal, and gives it back as it was. */
void screen_open(screen *self);
void screen_close(screen *self);

void screen_begin(screen *self);
/* Adds a message above those that are there. False: there is no room for more. */
bool screen_add(screen *self, const screen_message *message);
/* Adds a line about the messages. */
bool screen_add_note(screen *self, const char *note);
/* Draws. `alarm`: the status is bad news. */
void screen_end(screen *self, const char *status, bool alarm, sdb_slice input);

#endif
