/* syncdb/log.h: what the library has to say while it runs, for servers and clients alike. */
#ifndef SYNCDB_LOG_H
#define SYNCDB_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sdb_log_level {
  SDB_LOG_ERROR,
  SDB_LOG_WARN,
  SDB_LOG_INFO,
  SDB_LOG_DEBUG
} sdb_log_level;

/* One thing that happened. `event` is a fixed word ("listening", "slow_reader_closed"), `message` a
 * sentence for people. Both are valid during the call only and never hold a secret. Called on any
 * of the library's threads, several at once; it must not call the library back. */
typedef void (*sdb_log_fn)(
    void *context, sdb_log_level level, const char *event, const char *message);

#ifdef __cplusplus
}
#endif
#endif
