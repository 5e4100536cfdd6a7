/* test/unit/memory_kind.c: the memory storage as a storage under test. */
#include "platform/platform.h"
#include "storage/memory/memory_storage.h"
#include "storage_conformance.h"
#include <stdlib.h>

/* The sink that is told may change on reopening, the storage stays. */
typedef struct held {
  sdb_memory_storage *storage;
  sdb_storage_sink sink;
} held;

static void pass_on(void *context, sdb_op *list) {
  held *h = context;
  h->sink.completed(h->sink.context, list);
}

static void *open_memory(sdb_storage_sink sink) {
  held *h = calloc(1, sizeof(*h));
  assert_non_null(h);
  h->sink = sink;
  sdb_memory_storage_options options;
  sdb_memory_storage_options_init(&options);
  options.mem = sdb_platform_mem();
  options.stores = CONFORMANCE_STORES;
  options.stores_count = STORES;
  options.sink = (sdb_storage_sink){h, pass_on};
  options.database = client(99);
  options.remember_removes_ms = REMEMBER_MS;
  options.dedupe_window_ms = WINDOW_MS;
  assert_int_equal(sdb_memory_storage_create(&options, &h->storage), SDB_OK);
  return h;
}

static const sdb_storage_port *port(void *storage) {
  return sdb_memory_storage_port(((held *)storage)->storage);
}

static void *reopen(void *storage, sdb_storage_sink sink) {
  ((held *)storage)->sink = sink;
  return storage;
}

static void fail_commits(void *storage, bool failing) {
  sdb_memory_storage_fail_commits(((held *)storage)->storage, failing ? 1000 : 0);
}

static void run(void *storage) {
  sdb_memory_storage *memory = ((held *)storage)->storage;
  sdb_memory_storage_run(memory);
  assert_int_equal(sdb_memory_storage_queued(memory), 0);
}

static void destroy(void *storage) {
  sdb_memory_storage_destroy(((held *)storage)->storage);
  free(storage);
}

const conformance_kind MEMORY_KIND = {
    "memory", open_memory, port, reopen, fail_commits, run, destroy};
