/* test/unit/local_sqlite_kind.c: see local_sqlite_kind.h. */
#include "local_sqlite_kind.h"
#include "failing_vfs.h"
#include "platform/platform.h"
#include <stdio.h>
#include <stdlib.h>

sdb_status local_file_try(local_fixture *f, bool *damaged, sdb_error *error) {
  local_held *held = local_of(f);
  sdb_status status = sdb_sqlite_local_open(&held->options, &held->local, damaged, error);
  if (status == SDB_OK) f->port = sdb_sqlite_local_port(held->local);
  return status;
}

static void open_held(local_held *held, sdb_local_sink sink) {
  bool damaged;
  sdb_error error;
  held->options.sink = sink;
  sdb_status status = sdb_sqlite_local_open(&held->options, &held->local, &damaged, &error);
  if (status != SDB_OK) fail_msg("%s", error.message);
  assert_false(damaged);
}

void local_file_open(local_fixture *f) {
  open_held(local_of(f), local_sink(f));
  f->port = sdb_sqlite_local_port(local_of(f)->local);
}

void local_file_close(local_fixture *f) {
  sdb_sqlite_local_close(local_of(f)->local);
  local_of(f)->local = NULL;
}

static void *open_fresh(sdb_local_sink sink) {
  failing_vfs_install();
  local_held *held = calloc(1, sizeof(*held));
  assert_non_null(held);
  make_folder(held->folder);
  snprintf(held->path, sizeof(held->path), "%s/ada.sqlite", held->folder);
  sdb_sqlite_local_options_init(&held->options);
  held->options.mem = sdb_platform_mem();
  held->options.path = held->path;
  held->options.stores = CONFORMANCE_STORES;
  held->options.stores_count = STORES;
  held->options.user = "ada";
  held->options.server = "ws://127.0.0.1:8080/";
  open_held(held, sink);
  return held;
}

static const sdb_local_port *port(void *storage) {
  return sdb_sqlite_local_port(((local_held *)storage)->local);
}

static void *reopen(void *storage, sdb_local_sink sink) {
  local_held *held = storage;
  sdb_sqlite_local_close(held->local);
  open_held(held, sink);
  return held;
}

static void fail_commits(void *storage, bool failing) {
  (void)storage;
  failing_vfs_set(failing ? FAILING_FULL : FAILING_NOTHING);
}

static void destroy(void *storage) {
  local_held *held = storage;
  failing_vfs_set(FAILING_NOTHING);
  sdb_sqlite_local_close(held->local);
  drop_folder(held->folder);
  free(held);
}

const local_kind LOCAL_SQLITE_KIND = {
    "local_sqlite", true, open_fresh, port, reopen, fail_commits, destroy};

void assert_local_refused(local_fixture *f, sdb_status status, bool damaged, const char *part) {
  bool is_damaged = !damaged;
  sdb_error error;
  sdb_status got = local_file_try(f, &is_damaged, &error);
  if (got != status) fail_msg("%s: %s", sdb_status_name(got), got ? error.message : "");
  assert_int_equal(error.status, status);
  assert_int_equal(is_damaged, damaged);
  if (!strstr(error.message, part)) fail_msg("'%s' is not in '%s'", part, error.message);
  assert_non_null(strstr(error.message, local_of(f)->options.path));
}

char *read_file(const char *path, size_t *size) {
  FILE *from = fopen(path, "rb");
  if (!from) return NULL;
  assert_int_equal(fseek(from, 0, SEEK_END), 0);
  *size = (size_t)ftell(from);
  rewind(from);
  char *bytes = malloc(*size + 1);
  assert_non_null(bytes);
  assert_int_equal(fread(bytes, 1, *size, from), *size);
  fclose(from);
  return bytes;
}

void write_file(const char *path, const char *bytes, size_t size) {
  FILE *to = fopen(path, "wb");
  assert_non_null(to);
  assert_int_equal(fwrite(bytes, 1, size, to), size);
  assert_int_equal(fclose(to), 0);
}

const char *path_with(const char *path, const char *suffix) {
  static char buffers[4][160];
  static int next;
  char *buffer = buffers[next++ % 4];
  snprintf(buffer, sizeof(buffers[0]), "%s%s", path, suffix);
  return buffer;
}
