/* test/unit/failing_process.c: see failing_process.h. */
#include "failing_process.h"
#include <malloc.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>

static _Atomic size_t live, calls, failed, fail_at, fail_last; /* fail_at 0: none fails */
static _Atomic int armed;
static _Thread_local failing_thread thread_kind;

static bool fails(void) {
  if (atomic_load(&fail_at) == 0 || atomic_load(&armed) != (int)thread_kind) return false;
  size_t call = atomic_fetch_add(&calls, 1) + 1;
  if (call < atomic_load(&fail_at) || call > atomic_load(&fail_last)) return false;
  atomic_fetch_add(&failed, 1);
  return true;
}

static void *resize(void *context, void *pointer, size_t size) {
  (void)context;
  if (size == 0) {
    if (pointer) atomic_fetch_sub(&live, 1);
    free(pointer);
    return NULL;
  }
  if (fails()) return NULL;
  void *resized = realloc(pointer, size);
  if (!resized) abort();
  if (!pointer) atomic_fetch_add(&live, 1);
  return resized;
}

static const sdb_mem MEM = {NULL, resize};

const sdb_mem *failing_process_mem(void) {
  return &MEM;
}

/* ---- SQLite's ---- */

static void *sqlite_malloc(int size) {
  return resize(NULL, NULL, (size_t)size);
}

static void sqlite_free(void *pointer) {
  resize(NULL, pointer, 0);
}

static void *sqlite_realloc(void *pointer, int size) {
  return resize(NULL, pointer, (size_t)size);
}

static int sqlite_size(void *pointer) {
  return pointer ? (int)malloc_usable_size(pointer) : 0;
}

static int sqlite_roundup(int size) {
  return (size + 7) & ~7;
}

static int sqlite_init(void *data) {
  (void)data;
  return SQLITE_OK;
}

static void sqlite_shutdown(void *data) {
  (void)data;
}

void failing_process_install(void) {
  static const sqlite3_mem_methods METHODS = {sqlite_malloc, sqlite_free, sqlite_realloc,
      sqlite_size, sqlite_roundup, sqlite_init, sqlite_shutdown, NULL};
  bool good = sqlite3_config(SQLITE_CONFIG_MALLOC, &METHODS) == SQLITE_OK &&
              sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK &&
              sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0) == SQLITE_OK &&
              sqlite3_initialize() == SQLITE_OK;
  if (!good) abort();
}

/* ---- failing ---- */

void failing_process_set_thread(failing_thread self) {
  thread_kind = self;
}

void failing_process_arm(failing_thread on, failing_plan plan) {
  atomic_store(&fail_at, 0);
  atomic_store(&calls, 0);
  atomic_store(&failed, 0);
  atomic_store(&armed, (int)on);
  atomic_store(&fail_last, plan.count ? plan.at + plan.count - 1 : SIZE_MAX);
  atomic_store(&fail_at, plan.at);
}

size_t failing_process_failed(void) {
  return atomic_load(&failed);
}

size_t failing_process_stop(void) {
  atomic_store(&fail_at, 0);
  return atomic_exchange(&failed, 0);
}

size_t failing_process_live(void) {
  return atomic_load(&live);
}
