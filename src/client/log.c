/* client/log.c: what happened, handed to the application's logger, one line at a time.
 *
 * The server's words, and a path, stand in it too, and whoever reads a log may be a terminal: no
 * control character is handed on.
 */
#include "client/state.h"
#include <stdarg.h>
#include <stdio.h>

/* U+0080 to U+009F, which some terminals obey, have two bytes. */
static bool is_c1(const unsigned char *at) {
  return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
}

static void make_harmless(char *text) {
  char *to = text;
  for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
    bool c1 = is_c1(at);
    *to++ = c1 || *at < 0x20 || *at == 0x7f ? '?' : (char)*at;
    at += c1;
  }
  *to = 0;
}

void sdb_device_log(
    sdb_client *client, sdb_log_level level, const char *event, const char *format, ...) {
  if (!client->log) return;
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  make_harmless(message);
  client->log(client->log_context, level, event, message);
}
