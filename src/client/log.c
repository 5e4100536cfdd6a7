/* client/log.c: what happened, handed to the application's logger, one line at a time. */
#include "client/state.h"
#include <stdarg.h>
#include <stdio.h>

void sdb_device_log(
    sdb_client *client, sdb_log_level level, const char *event, const char *format, ...) {
  if (!client->log) return;
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  client->log(client->log_context, level, event, message);
}
