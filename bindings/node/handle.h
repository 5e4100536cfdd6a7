/* bindings/node/handle.h: one open database in one of Node's environments.
 *
 * Everything here happens on the environment's thread but for `notify`, `log_line` and the closing
 * thread. The mailbox (syncdb/mailbox.h) carries what goes between them.
 */
#ifndef SDB_NODE_HANDLE_H
#define SDB_NODE_HANDLE_H

#define NAPI_VERSION 8
#include "text.h"
#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <syncdb/syncdb.h>

/* Lines of the log that wait for JavaScript; what comes on top is left out. */
#define NODE_LOG_LINES_MAX 1024

typedef struct node_log_line node_log_line;
struct node_log_line {
  node_log_line *next;
  sdb_log_level level;
  char *event, *message;
};

typedef struct node_handle {
  napi_env env;
  napi_threadsafe_function wake; /* calls `drain` of handle.c on the environment's thread */
  napi_ref told;                 /* JavaScript's function, given notices */
  sdb_store **stores;
  size_t stores_count;
  uint32_t users_at_once;
  sdb_mailbox *mailbox;
  sdb_database *database; /* NULL once it is closed */

  pthread_mutex_t log_lock;
  node_log_line *log_first, **log_last;
  size_t log_lines;
  sdb_log_level log_level;

  pthread_t closing; /* while `is_closing` */
  bool is_closing;
  atomic_bool closed; /* by the closing thread: what is left is to join it and to tell `done` */
  napi_ref done;      /* JavaScript's function, called then */
} node_handle;

/* notices.c: adds a piece of mail to the array of notices that `text` begins. False: nobody waits
 * for it, and nothing was added. */
bool node_write_mail(node_text *text, const node_handle *handle, const sdb_mail *mail);

/* As node_write_mail, for a job that was not taken. */
void node_write_failure(node_text *text, uint64_t tag, const sdb_error *error);

/* requests.c: carries out a batch of requests; what has to be said at once goes to `notices`. */
void node_submit(node_handle *handle, char *batch, size_t size, node_text *notices);

/* options.c: a handle's stores and the library's options from JavaScript's. On an error an
 * exception is pending and false comes back. What the options point to is in `texts`. */
typedef struct node_texts {
  char **texts;
  size_t count;
} node_texts;
bool node_read_options(napi_env env, napi_value from, node_handle *handle,
    sdb_database_options *options, node_texts *texts);
void node_texts_free(node_texts *texts);

/* Throws an Error with the status' name as `code`, and the path where there is one. */
void node_throw(napi_env env, const sdb_error *error);

/* addon.c's functions for JavaScript, in handle.c. */
napi_value node_open(napi_env env, napi_callback_info info);
napi_value node_js_submit(napi_env env, napi_callback_info info);
napi_value node_js_subscribe(napi_env env, napi_callback_info info);
napi_value node_js_listen(napi_env env, napi_callback_info info);
napi_value node_js_adopt(napi_env env, napi_callback_info info);
napi_value node_js_hold(napi_env env, napi_callback_info info);
napi_value node_js_drain(napi_env env, napi_callback_info info);
napi_value node_js_close(napi_env env, napi_callback_info info);
napi_value node_js_close_now(napi_env env, napi_callback_info info);

#endif
