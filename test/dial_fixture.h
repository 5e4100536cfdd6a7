/* test/dial_fixture.h: a net that dials, beside the server of net_fixture.h, in the same thread. */
#ifndef SDB_TEST_DIAL_FIXTURE_H
#define SDB_TEST_DIAL_FIXTURE_H

#include "net/dial.h"
#include "net_fixture.h"

typedef struct dialler {
  sdb_net *net;
  sdb_net_options options;
  sdb_net_dial_options dial;
  sdb_net_target target;
  sdb_conn *conn; /* the one dialled last, until it is closed */
  size_t opened, closed, messages, levels, woken, last_level;
  char *last; /* the last message, NUL behind it */
  size_t last_size;
  unsigned code, http_status;
  char reason[128], problem[256];
  bool inside_dial, several; /* several: connections at once */
} dialler;

static void dialler_opened(void *context, sdb_conn *conn, void *tag) {
  dialler *d = context;
  assert_ptr_equal(tag, d);
  if (!d->several) assert_ptr_equal(conn, d->conn);
  assert_false(d->inside_dial);
  d->opened++;
}

static void dialler_closed(void *context, sdb_conn *conn, void *tag, const sdb_net_end *end) {
  dialler *d = context;
  assert_ptr_equal(tag, d);
  assert_false(d->inside_dial);
  if (conn == d->conn) d->conn = NULL;
  d->closed++;
  d->code = end->code;
  d->http_status = end->http_status;
  snprintf(d->reason, sizeof(d->reason), "%.*s", (int)end->reason.size, end->reason.data);
  snprintf(d->problem, sizeof(d->problem), "%s", end->problem);
}

static void dialler_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size) {
  dialler *d = context;
  assert_ptr_equal(tag, d);
  assert_ptr_equal(conn, d->conn);
  free(d->last);
  d->last = malloc(size + 1);
  assert_non_null(d->last);
  memcpy(d->last, message, size);
  d->last[size] = 0;
  d->last_size = size;
  d->messages++;
}

static void dialler_level(void *context, sdb_conn *conn, void *tag, size_t bytes) {
  dialler *d = context;
  (void)conn;
  assert_ptr_equal(tag, d);
  d->levels++;
  d->last_level = bytes;
}

static void dialler_woken(void *context) {
  ((dialler *)context)->woken++;
}

static void dialler_timer(void *context) {
  (void)context;
}

static void dialler_turn_end(void *context) {
  sdb_net_stop(((dialler *)context)->net);
}

static inline dialler *dialler_new(void) {
  dialler *d = calloc(1, sizeof(*d));
  assert_non_null(d);
  d->options = (sdb_net_options){.mem = sdb_platform_mem(),
      .handler = {.context = d,
          .message = dialler_message,
          .output_level = dialler_level,
          .woken = dialler_woken,
          .timer = dialler_timer,
          .turn_end = dialler_turn_end},
      .message_bytes_max = 2 * 1024 * 1024,
      .output_hard_bytes = 8 * 1024 * 1024,
      .ping_interval_ms = 30000,
      .handshake_timeout_ms = 10000};
  d->dial = (sdb_net_dial_options){
      .target = &d->target, .handler = {d, dialler_opened, dialler_closed}, .tag = d};
  return d;
}

/* Makes its net, where there is none, and dials `url`. */
static inline void dialler_dial(dialler *d, const char *url) {
  sdb_error error;
  if (!d->net && sdb_net_create(&d->options, &d->net, &error) != SDB_OK)
    fail_msg("%s", error.message);
  if (sdb_net_target_parse(url, &d->target, &error) != SDB_OK) fail_msg("%s", error.message);
  d->inside_dial = true;
  if (sdb_net_dial(d->net, &d->dial, &d->conn, &error) != SDB_OK) fail_msg("%s", error.message);
  d->inside_dial = false;
}

static inline void dialler_dial_port(dialler *d, const char *scheme, uint16_t port) {
  char url[64];
  snprintf(url, sizeof(url), "%s://127.0.0.1:%u/ws?token=t%%20k", scheme, port);
  dialler_dial(d, url);
}

static inline void dialler_free(dialler *d) {
  sdb_net_destroy(d->net);
  free(d->last);
  free(d);
}

static inline void pump_dialler(dialler *d) {
  sdb_net_wake(d->net);
  sdb_net_run(d->net);
}

/* Pumps both (the server may be NULL) until it is true. */
#define UNTIL(d, f, condition)                                                                     \
  do {                                                                                             \
    uint64_t until_us = sdb_platform_monotonic_us() + WAIT_MAX_MS * 1000;                          \
    while (!(condition)) {                                                                         \
      if (sdb_platform_monotonic_us() > until_us)                                                  \
        fail_msg("never came true: %s; %s", #condition, (d)->problem);                             \
      pump_dialler(d);                                                                             \
      if (f) pump(f);                                                                              \
    }                                                                                              \
  } while (0)

/* Dials the fixture's server and waits until it is open. */
static inline dialler *dialler_opened_to(fixture *f) {
  dialler *d = dialler_new();
  dialler_dial_port(d, "ws", f->port);
  UNTIL(d, f, d->opened == 1);
  return d;
}

static inline void dialler_say(dialler *d, const char *text) {
  sdb_net_send_text(d->conn, sdb_slice_of(text));
}

/* The end must be this one; `problem` is a part of the sentence. */
static inline void expect_end(
    dialler *d, fixture *f, unsigned code, const char *reason, const char *problem) {
  UNTIL(d, f, d->closed == 1);
  assert_int_equal(d->code, code);
  assert_string_equal(d->reason, reason);
  if (!strstr(d->problem, problem)) fail_msg("%s, wanted %s", d->problem, problem);
  if (!problem[0]) assert_string_equal(d->problem, "");
}

#endif
