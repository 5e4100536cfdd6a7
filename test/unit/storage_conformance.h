/* test/unit/storage_conformance.h: one suite of behaviours for every implementation of the port.
 *
 * A kind tells how to open, reopen and fail a storage; the suite runs every behaviour against it.
 */
#ifndef SDB_TEST_STORAGE_CONFORMANCE_H
#define SDB_TEST_STORAGE_CONFORMANCE_H

#include "hub/storage_port.h"
#include "storage/storage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

#define DAY_MS ((uint64_t)24 * 3600 * 1000)
#define REMEMBER_MS (2 * DAY_MS) /* what kinds are opened with: removes are remembered so long */
#define WINDOW_MS (7 * DAY_MS)   /* and client ids so long */
#define T0 ((uint64_t)1749383382805) /* the clock of most tests */

/* The stores of the suite. */
enum { CHAT, NOTE, ACCOUNT, STORES }; /* event, event, singular */
extern const sdb_storage_store CONFORMANCE_STORES[STORES];

typedef struct conformance_kind {
  const char *name;
  /* Opens a fresh storage whose sink is `sink`. */
  void *(*open)(sdb_storage_sink sink);
  const sdb_storage_port *(*port)(void *storage);
  /* Closes and opens again what the storage holds. */
  void *(*reopen)(void *storage, sdb_storage_sink sink);
  /* Makes the transactions from now on fail, or succeed again. */
  void (*fail_commits)(void *storage, bool failing);
  /* Lets a storage without threads work; NULL otherwise. */
  void (*run)(void *storage);
  void (*destroy)(void *storage);
} conformance_kind;

extern const conformance_kind MEMORY_KIND; /* memory_kind.c; sqlite_kind.h has the other */

/* Runs the suite; the number of failures. */
int storage_conformance_run(const conformance_kind *kind);

/* ---- what tests of one storage use too ---- */

typedef struct fixture {
  const conformance_kind *kind;
  void *storage;
  const sdb_storage_port *port;
  void *inbox; /* completed operations */
} fixture;

fixture *fixture_open(const conformance_kind *kind);
void fixture_close(fixture *f);
void fixture_reopen(fixture *f);

/* Submits a list and waits until all of it is completed. */
void fixture_submit(fixture *f, sdb_op *list);

/* One operation each, waited for. The results are the fixture's until it is closed. */
sdb_op_user *do_user(fixture *f, const char *name);
uint64_t user_of(fixture *f, const char *name);

sdb_op_write *new_write(fixture *f, sdb_action action, uint64_t user, int store);
sdb_status do_write(fixture *f, sdb_op_write *write);

/* A client id made of a number; 0 gives none. */
sdb_uuid client(uint64_t number);

/* Creates an object and gives its id. */
sdb_seq create(fixture *f, uint64_t user, int store, const char *body, uint64_t client_number,
    uint64_t now_ms);
sdb_op_write *update(
    fixture *f, uint64_t user, int store, sdb_seq object, const char *body, uint64_t now_ms);
sdb_op_write *remove_object(fixture *f, uint64_t user, int store, sdb_seq object, uint64_t now_ms);

sdb_op_page *do_page(
    fixture *f, uint64_t user, int store, sdb_seq after, sdb_seq before, uint32_t limit);
sdb_op_object *do_object(fixture *f, uint64_t user, uint16_t store, sdb_seq object);
sdb_op_reserve *do_reserve(fixture *f, uint64_t now_ms);

/* Checks the bodies of a page, newest first; "-" stands for a remove. */
void assert_page(const sdb_op_page *page, const char *const *bodies, size_t count);
#define assert_page_is(page, ...)                                                                  \
  assert_page((page), (const char *const[]){__VA_ARGS__},                                          \
      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
void assert_body(sdb_slice body, const char *text);

#endif
