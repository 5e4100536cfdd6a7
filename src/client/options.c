/* client/options.c: what a client is opened with: checked, then copied. */
#include "base/error.h"
#include "client/state.h"

#define STRINGS_MAX (1024 * 1024) /* of all that is copied */
#define USER_SIZE_MAX 255

/* ---- checking ---- */

static const char *check_storage(const sdb_client_options *options) {
  size_t user_size = options->user ? strlen(options->user) : 0;
  if (options->path && !options->path[0]) return "the path is empty: NULL is for memory only";
  if (options->path && strcmp(options->path, ":memory:") == 0)
    return "the path is :memory:, which is no file: NULL is for memory only";
  if (options->path && user_size == 0) return "a path needs a user: whose data the file holds";
  if (options->user && (user_size == 0 || user_size > USER_SIZE_MAX))
    return "the user is 1 to 255 bytes";
  return NULL;
}

static const sdb_store *find_store(const sdb_client_options *options, const sdb_store *store) {
  for (size_t i = 0; i < options->stores_count; i++) {
    if (options->stores[i] == store) return store;
  }
  return NULL;
}

static const char *check_windows(const sdb_client_options *options) {
  if (options->windows_count && !options->windows) return "windows_count is set, windows are not";
  for (size_t i = 0; i < options->windows_count; i++) {
    const sdb_store *store = options->windows[i].store;
    if (!store || !find_store(options, store)) return "a window is of a store that is not opened";
    if (sdb_store_type_of(store) != SDB_STORE_EVENT) return "a window is of a singular store";
    for (size_t j = 0; j < i; j++) {
      if (options->windows[j].store == store) return "two windows are of one store";
    }
  }
  return NULL;
}

static const char *check_stores(const sdb_client_options *options) {
  if (!options->stores || options->stores_count == 0 ||
      options->stores_count > SDB_REPLICA_STORES_MAX)
    return "there must be 1 to 256 stores";
  for (size_t i = 0; i < options->stores_count; i++) {
    if (!options->stores[i]) return "a store is NULL";
  }
  return NULL;
}

sdb_status sdb_device_check_options(const sdb_client_options *options, sdb_error *error) {
  const char *wrong = NULL;
  sdb_net_target target;
  if (options->size != sizeof(*options))
    wrong = "the options are not initialised, or of another version of the library";
  if (!wrong && !options->url) wrong = "there is no url";
  if (!wrong) wrong = check_stores(options);
  if (!wrong) wrong = check_storage(options);
  if (!wrong) wrong = check_windows(options);
  if (wrong) return sdb_error_set(error, SDB_INVALID_ARGUMENT, wrong, NULL, NULL);
  sdb_status status = sdb_net_target_parse(options->url, &target, error);
  if (status != SDB_OK) return status;
  return sdb_stores_distinct(options->stores, options->stores_count, error);
}

/* ---- copying ---- */

static bool copy_text(sdb_arena *arena, const char *text, const char **copy) {
  *copy = text ? sdb_arena_text(arena, sdb_slice_of(text)) : NULL;
  return !text || *copy;
}

static bool copy_lists(sdb_client *client, const sdb_client_options *options) {
  size_t size = options->stores_count * sizeof(sdb_store *);
  sdb_store **stores = sdb_arena_alloc(&client->arena, size);
  uint32_t *windows =
      sdb_arena_alloc(&client->arena, options->stores_count * sizeof(*client->windows));
  if (!stores || !windows) return false;
  memcpy(stores, options->stores, size);
  for (size_t i = 0; i < options->stores_count; i++) {
    windows[i] = SDB_REPLICA_WINDOW_ALL;
    for (size_t j = 0; j < options->windows_count; j++) {
      if (options->windows[j].store == stores[i]) windows[i] = options->windows[j].events;
    }
  }
  client->stores = stores;
  client->windows = windows;
  client->stores_count = options->stores_count;
  return true;
}

sdb_status sdb_device_copy_options(sdb_client *client, const sdb_client_options *options) {
  sdb_arena_init(&client->arena, client->mem, STRINGS_MAX);
  if (!copy_lists(client, options) ||
      !copy_text(&client->arena, options->tls_ca, &client->tls_ca) ||
      !copy_text(&client->arena, options->path, &client->path) ||
      !copy_text(&client->arena, options->user, &client->user))
    return SDB_NO_MEMORY;
  client->tls_insecure = options->tls_insecure;
  client->dispatch = options->dispatch;
  client->token = options->token;
  client->token_context = options->token_context;
  client->status = options->status;
  client->status_context = options->status_context;
  client->log = options->log;
  client->log_context = options->log_context;
  sdb_error unused;
  return sdb_net_target_parse(options->url, &client->target, &unused);
}

/* ---- the server's name ---- */

static sdb_slice path_of(const char *resource) {
  return sdb_slice_make(resource, strcspn(resource, "?"));
}

/* Scheme, host, port and path, each as it is always written, so that one server has one name. The
 * query may hold a user or a token: it is no part of it. */
const char *sdb_device_server_name(sdb_client *client) {
  const sdb_net_target *target = &client->target;
  bool is_v6 = strchr(target->host, ':') != NULL;
  sdb_buffer name;
  sdb_buffer_init(&name, client->mem, sizeof(*target) + 16);
  sdb_buffer_append_slice(&name, sdb_slice_of(target->tls ? "wss://" : "ws://"));
  sdb_buffer_append_slice(&name, sdb_slice_of(is_v6 ? "[" : ""));
  size_t host_at = name.size;
  sdb_buffer_append_slice(&name, sdb_slice_of(target->host));
  for (size_t i = host_at; i < name.size; i++) {
    if (name.data[i] >= 'A' && name.data[i] <= 'Z') name.data[i] = (char)(name.data[i] + 32);
  }
  sdb_buffer_append_slice(&name, sdb_slice_of(is_v6 ? "]:" : ":"));
  sdb_buffer_append_slice(&name, sdb_slice_of(target->port + strspn(target->port, "0")));
  sdb_buffer_append_slice(&name, path_of(target->resource));
  char *copy = NULL;
  if (name.status == SDB_OK) copy = sdb_arena_text(&client->arena, sdb_buffer_slice(&name));
  sdb_buffer_free(&name);
  return copy;
}
