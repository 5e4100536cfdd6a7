/* bindings/node/options.c: JavaScript's options (js/src/server/options.ts has checked them) as the
 * library's. What is left out is zero there: the default.
 */
#include "handle.h"
#include <stddef.h>
#include <stdlib.h>

typedef struct row {
  const char *name;
  size_t offset;
} row;

#define ROW(name, member)                                                                          \
  { name, offsetof(sdb_database_options, member) }

static const row NUMBERS_64[] = {
    ROW("rememberRemovesMs", remember_removes_ms),
    ROW("dedupeWindowMs", dedupe_window_ms),
};

static const row NUMBERS_32[] = {
    ROW("readers", readers),
    ROW("messageBytesMax", server.message_bytes_max),
    ROW("objectBytesMax", server.object_bytes_max),
    ROW("depthMax", server.depth_max),
    ROW("pushesPerSecond", server.pushes_per_second),
    ROW("connectionsMax", server.connections_max),
    ROW("connectionsPerUser", server.connections_per_user),
    ROW("outputSoftBytes", server.output_soft_bytes),
    ROW("outputHardBytes", server.output_hard_bytes),
    ROW("helloTimeoutMs", server.hello_timeout_ms),
    ROW("pingIntervalMs", server.ping_interval_ms),
};

static const row FLAGS[] = {
    ROW("secureDelete", secure_delete),
    ROW("devAuth", server.dev_auth),
    ROW("authenticates", server.authenticate_by_mail),
    ROW("noCompression", server.no_compression),
    ROW("compressLoopback", server.compress_loopback),
};

static const row STRINGS[] = {
    ROW("pages", server.pages),
    ROW("pagesPolicy", server.pages_policy),
};

static const row SLICES[] = {
    ROW("jwtSecret", server.jwt_secret),
    ROW("jwtPublicKey", server.jwt_public_key),
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* ---- reading ---- */

static bool get(napi_env env, napi_value from, const char *name, napi_value *value) {
  bool has = false;
  return napi_has_named_property(env, from, name, &has) == napi_ok && has &&
         napi_get_named_property(env, from, name, value) == napi_ok;
}

static double get_number(napi_env env, napi_value from, const char *name) {
  napi_value value;
  double number = 0;
  if (get(env, from, name, &value)) napi_get_value_double(env, value, &number);
  return number;
}

static bool get_flag(napi_env env, napi_value from, const char *name) {
  napi_value value;
  bool flag = false;
  if (get(env, from, name, &value)) napi_get_value_bool(env, value, &flag);
  return flag;
}

/* The text, ended by a NUL and kept in `texts`; NULL where there is none. */
static char *keep_text(napi_env env, napi_value value, node_texts *texts, size_t *size) {
  if (napi_get_value_string_utf8(env, value, NULL, 0, size) != napi_ok) return NULL;
  char *text = node_resize(NULL, *size + 1);
  napi_get_value_string_utf8(env, value, text, *size + 1, size);
  texts->texts = node_resize(texts->texts, (texts->count + 1) * sizeof(char *));
  return texts->texts[texts->count++] = text;
}

static sdb_slice get_text(napi_env env, napi_value from, const char *name, node_texts *texts) {
  napi_value value;
  size_t size;
  char *text = get(env, from, name, &value) ? keep_text(env, value, texts, &size) : NULL;
  return text ? sdb_slice_make(text, size) : sdb_slice_make(NULL, 0);
}

void node_texts_free(node_texts *texts) {
  for (size_t i = 0; i < texts->count; i++)
    free(texts->texts[i]);
  free(texts->texts);
  *texts = (node_texts){NULL, 0};
}

/* ---- the parts ---- */

static void read_rows(napi_env env, napi_value from, sdb_database_options *to, node_texts *texts) {
  char *base = (char *)to;
  for (size_t i = 0; i < COUNT(NUMBERS_64); i++)
    *(uint64_t *)(void *)(base + NUMBERS_64[i].offset) =
        (uint64_t)get_number(env, from, NUMBERS_64[i].name);
  for (size_t i = 0; i < COUNT(NUMBERS_32); i++)
    *(uint32_t *)(void *)(base + NUMBERS_32[i].offset) =
        (uint32_t)get_number(env, from, NUMBERS_32[i].name);
  for (size_t i = 0; i < COUNT(FLAGS); i++)
    *(bool *)(void *)(base + FLAGS[i].offset) = get_flag(env, from, FLAGS[i].name);
  for (size_t i = 0; i < COUNT(STRINGS); i++)
    *(const char **)(void *)(base + STRINGS[i].offset) =
        get_text(env, from, STRINGS[i].name, texts).data;
  for (size_t i = 0; i < COUNT(SLICES); i++)
    *(sdb_slice *)(void *)(base + SLICES[i].offset) = get_text(env, from, SLICES[i].name, texts);
}

/* The array of pointers is kept as a text too. */
static void read_origins(
    napi_env env, napi_value from, sdb_database_options *options, node_texts *texts) {
  napi_value array;
  uint32_t count = 0;
  if (!get(env, from, "origins", &array) || napi_get_array_length(env, array, &count) != napi_ok ||
      count == 0)
    return;
  const char **origins = node_zero(count * sizeof(char *));
  texts->texts = node_resize(texts->texts, (texts->count + 1) * sizeof(char *));
  texts->texts[texts->count++] = (char *)(void *)origins;
  for (uint32_t i = 0; i < count; i++) {
    napi_value value;
    size_t size;
    napi_get_element(env, array, i, &value);
    origins[i] = keep_text(env, value, texts, &size);
  }
  options->server.origins = origins;
  options->server.origins_count = count;
}

bool node_read_options(napi_env env, napi_value from, node_handle *handle,
    sdb_database_options *options, node_texts *texts) {
  options->url = get_text(env, from, "url", texts).data;
  read_rows(env, from, options, texts);
  read_origins(env, from, options, texts);
  if (get_flag(env, from, "normal")) options->durability = SDB_DURABILITY_NORMAL;
  handle->users_at_once = (uint32_t)get_number(env, from, "concurrency");
  handle->log_level = (sdb_log_level)get_number(env, from, "logLevel");
  sdb_error error = {.status = SDB_OK};
  sdb_slice stores = get_text(env, from, "stores", texts);
  sdb_status status = sdb_stores_from_json(stores, &handle->stores, &handle->stores_count, &error);
  if (status == SDB_OK) {
    options->stores = handle->stores;
    options->stores_count = handle->stores_count;
    return true;
  }
  error.status = status;
  node_throw(env, &error);
  return false;
}
