/* syncdb/status.h: what every function that can fail returns.
 *
 * One list names every status: its value, its name (the `code` of protocol.md
 * section 4 where the protocol has one) and a sentence for people. Functions
 * return a status; results come through out-parameters and are set only on
 * SDB_OK. A function that can say more takes an `sdb_error *`, which may be NULL.
 */
#ifndef SYNCDB_STATUS_H
#define SYNCDB_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SDB_API __attribute__((visibility("default")))
#define SDB_MUST_CHECK __attribute__((warn_unused_result))
#define SDB_PRINTF(format_at, arguments_at) __attribute__((format(printf, format_at, arguments_at)))
#else
#define SDB_API
#define SDB_MUST_CHECK
#define SDB_PRINTF(format_at, arguments_at)
#endif

#define SDB_STATUS_MAP(X)                                                                          \
  X(OK, 0, "ok", "success")                                                                        \
  X(NO_MEMORY, -1, "no_memory", "out of memory")                                                   \
  X(INVALID_ARGUMENT, -2, "invalid_argument", "an argument breaks the function's contract")        \
  X(LIMIT, -3, "limit", "a limit given at creation was reached")                                   \
  X(BAD_JSON, -4, "bad_json", "not JSON as RFC 8259 says")                                         \
  X(BAD_DEFINITION, -5, "bad_definition", "a store's definition is not valid")                     \
  X(IO, -6, "io", "the operating system or the storage failed")                                    \
  X(BUSY, -7, "busy", "another process holds it")                                                  \
  X(BAD_FORMAT, -8, "bad_format", "a file of another kind, of a newer version, or damaged")        \
  X(CLOSED, -9, "closed", "it was closed or ended before")                                         \
  X(CONFLICT, -10, "conflict", "it exists already, or is in another state")                        \
  X(UNAUTHORIZED, -11, "unauthorized", "no identity, or one that is expired or not valid")         \
  X(BAD_MESSAGE, -20, "bad_message", "not a message of the protocol")                              \
  X(UNKNOWN_TYPE, -21, "unknown_type", "no message of the protocol has this type")                 \
  X(UNKNOWN_STORE, -22, "unknown_store", "no store has this name")                                 \
  X(INVALID_OBJECT, -23, "invalid_object", "the store's schema refuses the object")                \
  X(REJECTED, -24, "rejected", "a rule of the store refuses the change")                           \
  X(NOT_FOUND, -25, "not_found", "no such object")                                                 \
  X(TOO_LARGE, -26, "too_large", "over the size limit")                                            \
  X(RATE_LIMITED, -27, "rate_limited", "too many pushes, try again later")                         \
  X(UNAVAILABLE, -28, "unavailable", "storage failed, nothing was stored, try again later")

typedef enum sdb_status {
#define SDB_STATUS_ENUM(name, value, code, text) SDB_##name = value,
  SDB_STATUS_MAP(SDB_STATUS_ENUM)
#undef SDB_STATUS_ENUM
} sdb_status;

#define SDB_ERROR_MESSAGE_SIZE 256
#define SDB_ERROR_PATH_SIZE 256

/* What went wrong, for people and for the wire. Owned by the caller, no
 * pointer inside, both strings always end in NUL and are valid UTF-8 (cut at a
 * character where they would not fit). */
typedef struct sdb_error {
  sdb_status status;
  size_t offset;                        /* byte offset in the input, where one applies, or 0 */
  char path[SDB_ERROR_PATH_SIZE];       /* JSON Pointer (RFC 6901) into the object, or "" */
  char message[SDB_ERROR_MESSAGE_SIZE]; /* one sentence without a full stop at its end */
} sdb_error;

/* The name of a status: what `code` says on the wire, as "invalid_object".
 * Never NULL: an unknown value gives "unknown". The string is static. Any
 * thread, no error. */
SDB_API const char *sdb_status_name(sdb_status status);

/* One sentence for people about a status. Never NULL: an unknown value gives
 * "unknown status". The string is static. Any thread, no error. */
SDB_API const char *sdb_status_text(sdb_status status);

#ifdef __cplusplus
}
#endif
#endif
