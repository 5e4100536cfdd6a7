/* bindings/node/addon.c: the addon's exports. It marshals, and does nothing else: the behaviour is
 * the library's (its public headers only) and that of js/src/server.
 *
 * State is per database (handle.h) and none is global, so the addon can be loaded by any number of
 * environments (worker threads) at one time.
 */
#include "handle.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok)
    napi_set_named_property(env, object, name, value);
}

void node_throw(napi_env env, const sdb_error *error) {
  napi_value message, thrown;
  const char *text = error->message[0] ? error->message : sdb_status_text(error->status);
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok ||
      napi_create_error(env, NULL, message, &thrown) != napi_ok)
    return;
  set_text(env, thrown, "code", sdb_status_name(error->status));
  set_text(env, thrown, "path", error->path);
  napi_throw(env, thrown);
}

static napi_value throw_errno(napi_env env) {
  napi_throw_error(env, "io", strerror(errno));
  return NULL;
}

/* socketPair(): two connected sockets. */
static napi_value socket_pair(napi_env env, napi_callback_info info) {
  (void)info;
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
    return throw_errno(env);
  napi_value pair, fd;
  napi_create_array_with_length(env, 2, &pair);
  for (uint32_t i = 0; i < 2; i++) {
    napi_create_int32(env, fds[i], &fd);
    napi_set_element(env, pair, i, fd);
  }
  return pair;
}

/* duplicate(fd): a second descriptor of what it stands for. */
static napi_value duplicate(napi_env env, napi_callback_info info) {
  napi_value argument, result;
  size_t count = 1;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  napi_get_value_int32(env, argument, &fd);
  int made = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (made < 0) return throw_errno(env);
  napi_create_int32(env, made, &result);
  return result;
}

/* closeDescriptor(fd) */
static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (napi_get_value_int32(env, argument, &fd) == napi_ok && fd >= 0) close(fd);
  return NULL;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback function;
  } EXPORTS[] = {
      {"open", node_open},
      {"submit", node_js_submit},
      {"subscribe", node_js_subscribe},
      {"listen", node_js_listen},
      {"adopt", node_js_adopt},
      {"hold", node_js_hold},
      {"drain", node_js_drain},
      {"close", node_js_close},
      {"closeNow", node_js_close_now},
      {"socketPair", socket_pair},
      {"duplicate", duplicate},
      {"closeDescriptor", close_descriptor},
  };
  for (size_t i = 0; i < sizeof(EXPORTS) / sizeof(EXPORTS[0]); i++) {
    napi_value function;
    if (napi_create_function(env, EXPORTS[i].name, NAPI_AUTO_LENGTH, EXPORTS[i].function, NULL,
            &function) != napi_ok)
      return NULL;
    napi_set_named_property(env, exports, EXPORTS[i].name, function);
  }
  return exports;
}
