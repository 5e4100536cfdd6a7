/* server/log.c: what happened, handed to the application's logger, one line at a time. */
#include "server/state.h"
#include <stdarg.h>
#include <stdio.h>

void sdb_server_log(
    sdb_database *database, sdb_log_level level, const char *event, const char *format, ...) {
  if (!database->log) return;
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  database->log(database->log_context, level, event, message);
}
