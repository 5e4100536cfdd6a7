/* bindings/node/handle.c: see handle.h. What JavaScript calls, and what calls JavaScript.
 *
 * Life: `open` makes the parts, `close` starts a thread that closes the database (which waits for
 * devices and the storage), and the environment's thread ends what is left. Where the environment
 * ends first (a worker is terminated, the process exits), `end_at_once` does both. The module is
 * never unloaded (CMakeLists.txt: nodelete): threads that are on their way out find their code.
 */
#include "handle.h"
#include <stdlib.h>
#include <string.h>

/* Over this, what was written of a batch is told before more of it is. */
#define NOTICES_BYTES (1 << 20)
#define MAIL_A_TURN 256
/* So many batches, then the rest of the loop has its turn. */
#define TURNS_MAX 4
/* A string of V8 has a maximum, some 512 MiB: what is told in one piece stays well below it. */
#define PIECE_BYTES_MAX (256u << 20)
#define EVENTS_PER_MAIL 64
#define OBJECT_BYTES_MAX (256u << 10) /* where the options do not say it */

/* ---- on other threads ---- */

static void wake(node_handle *handle) {
  (void)napi_call_threadsafe_function(handle->wake, NULL, napi_tsfn_nonblocking);
}

static void notify(void *context) {
  wake(context);
}

static void log_line(void *context, sdb_log_level level, const char *event, const char *message) {
  node_handle *handle = context;
  if (level > handle->log_level) return;
  pthread_mutex_lock(&handle->log_lock);
  bool first = handle->log_lines == 0, room = handle->log_lines < NODE_LOG_LINES_MAX;
  if (room) {
    node_log_line *line = node_zero(sizeof(*line));
    line->level = level;
    line->event = node_copy(sdb_slice_of(event));
    line->message = node_copy(sdb_slice_of(message));
    *handle->log_last = line;
    handle->log_last = &line->next;
    handle->log_lines++;
  }
  pthread_mutex_unlock(&handle->log_lock);
  if (first) wake(handle);
}

static void *close_in_peace(void *argument) {
  node_handle *handle = argument;
  sdb_database_close(handle->database);
  atomic_store(&handle->closed, true);
  wake(handle);
  return NULL;
}

/* ---- telling ---- */

/* Text begins with a bracket, so the first notice in it has no comma before it. */
static void write_log(node_handle *handle, node_text *text) {
  pthread_mutex_lock(&handle->log_lock);
  node_log_line *line = handle->log_first;
  handle->log_first = NULL;
  handle->log_last = &handle->log_first;
  handle->log_lines = 0;
  pthread_mutex_unlock(&handle->log_lock);
  while (line) {
    node_log_line *next = line->next;
    node_text_word(text, text->size > 1 ? ",[6," : "[6,");
    node_text_number(text, line->level);
    node_text_word(text, ",");
    node_text_string(text, sdb_slice_of(line->event));
    node_text_word(text, ",");
    node_text_string(text, sdb_slice_of(line->message));
    node_text_word(text, "]");
    free(line->event);
    free(line->message);
    free(line);
    line = next;
  }
}

static bool is_ascii(const char *data, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, data + i, sizeof(word));
    if (word & 0x8080808080808080ULL) return false;
  }
  for (; i < size; i++) {
    if ((unsigned char)data[i] >= 0x80) return false;
  }
  return true;
}

static napi_status make_string(napi_env env, const node_text *text, napi_value *string) {
  /* What is ASCII alone is Latin-1 too, which is made several times faster. */
  if (is_ascii(text->data, text->size))
    return napi_create_string_latin1(env, text->data, text->size, string);
  return napi_create_string_utf8(env, text->data, text->size, string);
}

/* Calls JavaScript with the notices so far, and begins the next ones. */
static void tell(node_handle *handle, node_text *text) {
  if (text->size <= 1) return;
  node_text_word(text, "]");
  napi_env env = handle->env;
  napi_handle_scope scope;
  napi_value told, self, string;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, handle->told, &told) == napi_ok && told &&
      napi_get_undefined(env, &self) == napi_ok && make_string(env, text, &string) == napi_ok)
    (void)napi_call_function(env, self, told, 1, &string, NULL);
  napi_close_handle_scope(env, scope);
  text->size = 1;
}

/* An answer that is too long is refused in its place; events are never so many: events_per_mail. */
static void write_piece(node_handle *handle, node_text *text, const sdb_mail *mail) {
  size_t before = text->size;
  node_write_mail(text, handle, mail);
  if (mail->kind != SDB_MAIL_DONE || text->size - before <= PIECE_BYTES_MAX) return;
  text->size = before;
  sdb_error error = {.status = SDB_LIMIT, .message = "the records are too long: ask for fewer"};
  if (before > 1) node_text_word(text, ",");
  node_write_failure(text, mail->tag, &error);
}

/* What the application would be asked though the database, whose question it is, is closed. */
static bool is_too_late(sdb_mail_kind kind, bool closed) {
  return closed && (kind == SDB_MAIL_JUDGE || kind == SDB_MAIL_AUTHENTICATE);
}

static void tell_mail(node_handle *handle, node_text *text, sdb_mail *batch, bool closed) {
  for (sdb_mail *mail = batch; mail; mail = mail->next) {
    if (is_too_late(mail->kind, closed)) continue;
    write_piece(handle, text, mail);
    if (text->size > NOTICES_BYTES) tell(handle, text);
  }
  sdb_mail_free(batch);
  tell(handle, text);
}

static void finish_closing(node_handle *handle);

/* The environment's thread, when there is something to tell. `env` is NULL where it is ending. */
static void drain(napi_env env, napi_value unused, void *context, void *data) {
  (void)unused;
  (void)data;
  node_handle *handle = context;
  if (!env || !handle->mailbox) return;
  bool closed = atomic_load(&handle->closed);
  node_text text = {NULL, 0, 0};
  node_text_word(&text, "[");
  write_log(handle, &text);
  tell(handle, &text);
  bool more = true;
  for (int turn = 0; more && handle->mailbox && (turn < TURNS_MAX || closed); turn++) {
    sdb_mail *batch = sdb_mailbox_take(handle->mailbox, MAIL_A_TURN);
    more = batch != NULL;
    if (batch) tell_mail(handle, &text, batch, closed);
  }
  node_text_free(&text);
  if (closed)
    finish_closing(handle);
  else if (more)
    wake(handle);
}

/* ---- the end ---- */

static void release_mailbox(node_handle *handle) {
  sdb_mailbox_destroy(handle->mailbox);
  handle->mailbox = NULL;
  sdb_stores_destroy(handle->stores, handle->stores_count);
  handle->stores = NULL;
  handle->stores_count = 0;
}

/* Before it returns, in whatever state: the environment ends, or the process. */
static void close_at_once(node_handle *handle) {
  if (handle->is_closing) {
    pthread_join(handle->closing, NULL);
    handle->is_closing = false;
  } else {
    sdb_database_close_within(handle->database, 0);
  }
  handle->database = NULL;
}

static void end_at_once(void *argument) {
  node_handle *handle = argument;
  close_at_once(handle);
  release_mailbox(handle);
}

/* The process has nothing to wait for any more. */
static void release_javascript(node_handle *handle) {
  napi_remove_env_cleanup_hook(handle->env, end_at_once, handle);
  napi_delete_reference(handle->env, handle->told);
  napi_release_threadsafe_function(handle->wake, napi_tsfn_abort);
}

static void finish_closing(node_handle *handle) {
  napi_env env = handle->env;
  close_at_once(handle);
  release_mailbox(handle);
  release_javascript(handle);
  napi_value done, self;
  if (napi_get_reference_value(env, handle->done, &done) == napi_ok && done &&
      napi_get_undefined(env, &self) == napi_ok)
    (void)napi_call_function(env, self, done, 0, NULL, NULL);
  napi_delete_reference(env, handle->done);
}

/* The last of it: JavaScript let go of the handle, or the environment is gone. */
static void free_handle(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  node_handle *handle = data;
  node_text dropped = {NULL, 0, 0};
  write_log(handle, &dropped);
  node_text_free(&dropped);
  pthread_mutex_destroy(&handle->log_lock);
  free(handle);
}

/* ---- opening ---- */

static bool make_wake(napi_env env, node_handle *handle) {
  napi_value name;
  return napi_create_string_utf8(env, "syncdb", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_create_threadsafe_function(
             env, NULL, NULL, name, 0, 1, NULL, NULL, handle, drain, &handle->wake) == napi_ok &&
         napi_unref_threadsafe_function(env, handle->wake) == napi_ok;
}

/* Each with the object that it replaced. */
static uint32_t events_per_mail(const sdb_server_options *options) {
  uint32_t bytes = options->object_bytes_max ? options->object_bytes_max : OBJECT_BYTES_MAX;
  uint32_t count = PIECE_BYTES_MAX / 2 / bytes;
  return count == 0 ? 1 : count < EVENTS_PER_MAIL ? count : EVENTS_PER_MAIL;
}

static sdb_status open_parts(node_handle *handle, sdb_database_options *options, sdb_error *error) {
  sdb_mailbox_options wishes = SDB_MAILBOX_OPTIONS_INIT;
  wishes.notify = notify;
  wishes.notify_context = handle;
  wishes.events_per_mail = events_per_mail(&options->server);
  wishes.users_at_once = handle->users_at_once;
  sdb_status status = sdb_mailbox_create(&wishes, &handle->mailbox);
  if (status != SDB_OK) return status;
  options->mailbox = handle->mailbox;
  options->log = log_line;
  options->log_context = handle;
  return sdb_database_open(options, &handle->database, error);
}

/* JavaScript is asked about the changes of these stores. */
static sdb_status judge_stores(
    napi_env env, node_handle *handle, napi_value judged, sdb_error *error) {
  uint32_t count = 0;
  sdb_status status = SDB_OK;
  napi_get_array_length(env, judged, &count);
  for (uint32_t i = 0; i < count && status == SDB_OK; i++) {
    napi_value value;
    uint32_t at = 0;
    napi_get_element(env, judged, i, &value);
    napi_get_value_uint32(env, value, &at);
    if (at < handle->stores_count)
      status = sdb_mailbox_judge(handle->mailbox, handle->stores[at], error);
  }
  return status;
}

static bool open_database(napi_env env, node_handle *handle, napi_value from, napi_value judged) {
  sdb_database_options options = SDB_DATABASE_OPTIONS_INIT;
  node_texts texts = {NULL, 0};
  bool opened = false;
  if (node_read_options(env, from, handle, &options, &texts)) {
    sdb_error error = {.status = SDB_OK};
    sdb_status status = open_parts(handle, &options, &error);
    if (status == SDB_OK) status = judge_stores(env, handle, judged, &error);
    opened = status == SDB_OK;
    error.status = status;
    if (!opened) node_throw(env, &error);
  }
  node_texts_free(&texts);
  return opened;
}

/* open(options, judged, told): the handle. */
napi_value node_open(napi_env env, napi_callback_info info) {
  napi_value arguments[3], external;
  size_t count = 3;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  node_handle *handle = node_zero(sizeof(*handle));
  handle->env = env;
  handle->log_last = &handle->log_first;
  pthread_mutex_init(&handle->log_lock, NULL);
  bool made = make_wake(env, handle) &&
              napi_create_reference(env, arguments[2], 1, &handle->told) == napi_ok &&
              napi_add_env_cleanup_hook(env, end_at_once, handle) == napi_ok;
  if (!made) napi_fatal_error("syncdb", NAPI_AUTO_LENGTH, "open", NAPI_AUTO_LENGTH);
  if (!open_database(env, handle, arguments[0], arguments[1])) {
    end_at_once(handle);
    release_javascript(handle);
    free_handle(env, handle, NULL);
    return NULL;
  }
  if (napi_create_external(env, handle, free_handle, NULL, &external) != napi_ok) return NULL;
  return external;
}

/* ---- what JavaScript calls ---- */

/* The handle, the first argument, and the others; NULL, with an exception, once it is closed. */
static node_handle *arguments_of(
    napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
  void *handle = NULL;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_external(env, arguments[0], &handle);
  node_handle *found = handle;
  if (found && found->mailbox) return found;
  sdb_error error = {.status = SDB_CLOSED, .message = "the database is closed"};
  node_throw(env, &error);
  return NULL;
}

/* submit(handle, requests): notices that have to be said at once, or undefined. */
napi_value node_js_submit(napi_env env, napi_callback_info info) {
  napi_value arguments[2], said = NULL;
  node_handle *handle = arguments_of(env, info, 2, arguments);
  if (!handle) return NULL;
  size_t size = 0;
  napi_get_value_string_utf8(env, arguments[1], NULL, 0, &size);
  char *batch = node_resize(NULL, size + 1);
  napi_get_value_string_utf8(env, arguments[1], batch, size + 1, &size);
  node_text notices = {NULL, 0, 0};
  node_text_word(&notices, "[");
  node_submit(handle, batch, size, &notices);
  free(batch);
  if (notices.size > 1) {
    node_text_word(&notices, "]");
    make_string(env, &notices, &said);
  }
  node_text_free(&notices);
  return said;
}

static napi_value finish(napi_env env, sdb_status status, sdb_error *error) {
  error->status = status;
  if (status != SDB_OK) node_throw(env, error);
  return NULL;
}

/* subscribe(handle, store) */
napi_value node_js_subscribe(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  node_handle *handle = arguments_of(env, info, 2, arguments);
  if (!handle) return NULL;
  uint32_t at = 0;
  napi_get_value_uint32(env, arguments[1], &at);
  if (at >= handle->stores_count) return NULL;
  sdb_error error = {.status = SDB_OK};
  return finish(env, sdb_mailbox_subscribe(handle->mailbox, handle->stores[at], &error), &error);
}

/* Copies a string argument; "" becomes NULL. For free(). */
static char *text_of(napi_env env, napi_value value) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok || size == 0) return NULL;
  char *text = node_resize(NULL, size + 1);
  napi_get_value_string_utf8(env, value, text, size + 1, &size);
  return text;
}

/* listen(handle, host, port, cert, key, devAuth, pages): the port */
napi_value node_js_listen(napi_env env, napi_callback_info info) {
  napi_value arguments[7], port = NULL;
  node_handle *handle = arguments_of(env, info, 7, arguments);
  if (!handle) return NULL;
  char *host = text_of(env, arguments[1]), *cert = text_of(env, arguments[3]);
  char *key = text_of(env, arguments[4]), *pages = text_of(env, arguments[6]);
  uint32_t wanted = 0;
  napi_get_value_uint32(env, arguments[2], &wanted);
  sdb_listen_options options = SDB_LISTEN_OPTIONS_INIT;
  options.host = host;
  options.port = (uint16_t)wanted;
  options.tls_cert = cert;
  options.tls_key = key;
  options.pages = pages;
  napi_get_value_bool(env, arguments[5], &options.dev_auth);
  uint16_t bound = 0;
  sdb_error error = {.status = SDB_OK};
  sdb_status status = sdb_listen_with(handle->database, &options, &bound, &error);
  free(host);
  free(cert);
  free(key);
  free(pages);
  if (status != SDB_OK) return finish(env, status, &error);
  napi_create_uint32(env, bound, &port);
  return port;
}

/* adopt(handle, fd, head, rest, remote) */
napi_value node_js_adopt(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  node_handle *handle = arguments_of(env, info, 5, arguments);
  if (!handle) return NULL;
  sdb_adoption adoption = SDB_ADOPTION_INIT;
  void *head = NULL, *rest = NULL;
  char *remote = text_of(env, arguments[4]);
  int32_t fd = -1;
  napi_get_value_int32(env, arguments[1], &fd);
  napi_get_buffer_info(env, arguments[2], &head, &adoption.head.size);
  napi_get_buffer_info(env, arguments[3], &rest, &adoption.rest.size);
  adoption.fd = fd;
  adoption.head.data = head;
  adoption.rest.data = rest;
  adoption.remote = sdb_slice_of(remote);
  sdb_error error = {.status = SDB_OK};
  sdb_status status = sdb_adopt(handle->database, &adoption, &error);
  free(remote);
  return finish(env, status, &error);
}

/* hold(handle, held): whether the process waits for this database. */
napi_value node_js_hold(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  node_handle *handle = arguments_of(env, info, 2, arguments);
  bool held = false;
  if (!handle) return NULL;
  napi_get_value_bool(env, arguments[1], &held);
  if (held)
    napi_ref_threadsafe_function(env, handle->wake);
  else
    napi_unref_threadsafe_function(env, handle->wake);
  return NULL;
}

/* drain(handle) */
napi_value node_js_drain(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  node_handle *handle = arguments_of(env, info, 1, arguments);
  if (handle) sdb_database_drain(handle->database);
  return NULL;
}

/* close(handle, done) */
napi_value node_js_close(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  node_handle *handle = arguments_of(env, info, 2, arguments);
  if (!handle || handle->is_closing) return NULL;
  napi_create_reference(env, arguments[1], 1, &handle->done);
  napi_ref_threadsafe_function(env, handle->wake);
  if (pthread_create(&handle->closing, NULL, close_in_peace, handle) == 0) {
    handle->is_closing = true;
  } else { /* no thread to be had: here and now, then */
    sdb_database_close_within(handle->database, 0);
    handle->database = NULL;
    atomic_store(&handle->closed, true);
    wake(handle);
  }
  return NULL;
}

/* closeNow(handle) */
napi_value node_js_close_now(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  node_handle *handle = arguments_of(env, info, 1, arguments);
  if (handle) end_at_once(handle);
  return NULL;
}
