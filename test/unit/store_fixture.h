/* store_fixture.h: stores made for a test: memory is counted, patterns are PCRE2's. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "failing_memory.h"
#include "platform/platform.h"
#include "store/store.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* A verdict that says yes. */
#define ACCEPTED NULL

static inline sdb_store *make_store(
    const sdb_store_definition *definition, const failing_memory *memory) {
  sdb_store *store = NULL;
  sdb_error error;
  sdb_status status =
      sdb_store_compile(definition, &memory->mem, sdb_platform_patterns(), &store, &error);
  if (status != SDB_OK)
    fail_msg("%s\n%s\n%s: %s", definition->schema ? definition->schema : "", "is refused",
        error.path, error.message);
  return store;
}

static inline sdb_store *make_schema_store(const char *schema, const failing_memory *memory) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.schema = schema;
  return make_store(&definition, memory);
}

/* The verdict of sdb_store_check must be `status`, at `path`, with `message` in what it says. */
static inline void assert_verdict(sdb_store *store, sdb_action action, sdb_slice object,
    sdb_status status, const char *path, const char *message) {
  sdb_error error = {SDB_OK, 0, "", ""};
  sdb_status got = sdb_store_check(store, action, object, &error);
  bool right = got == status &&
               (status == SDB_OK || (strcmp(error.path, path) == 0 && error.status == status &&
                                        strstr(error.message, message)));
  if (right) return;
  fail_msg("%.*s\nis %s at \"%s\": %s\nnot %s at \"%s\": %s",
      (int)(object.size > 300 ? 300 : object.size), object.data, sdb_status_name(got), error.path,
      error.message, sdb_status_name(status), path ? path : "", message ? message : "");
}

/* A definition must be refused, at `path`, with `message` in what is said. */
static inline void assert_bad_definition(
    const sdb_store_definition *definition, const char *path, const char *message) {
  failing_memory memory;
  failing_memory_init(&memory, 0);
  sdb_store *store = NULL;
  sdb_error error = {SDB_OK, 0, "", ""};
  sdb_status got =
      sdb_store_compile(definition, &memory.mem, sdb_platform_patterns(), &store, &error);
  if (got != SDB_BAD_DEFINITION || strcmp(error.path, path) != 0 || !strstr(error.message, message))
    fail_msg("%s\nis %s at \"%s\": %s\nnot bad_definition at \"%s\": %s",
        definition->schema ? definition->schema : "", sdb_status_name(got), error.path,
        error.message, path, message);
  assert_int_equal(error.status, SDB_BAD_DEFINITION);
  assert_null(store);
  assert_int_equal(memory.live, 0);
}

static inline void assert_bad_schema(const char *schema, const char *path, const char *message) {
  sdb_store_definition definition = SDB_STORE_DEFINITION_INIT;
  definition.name = "thing";
  definition.schema = schema;
  assert_bad_definition(&definition, path, message);
}

#endif
