/* hub_requests.h: the application's requests, as the hub's tests make them. */
#ifndef HUB_REQUESTS_H
#define HUB_REQUESTS_H

#include "hub_harness.h"

static inline sdb_request request_for(const char *user, sdb_request_kind kind, uint16_t store_at) {
  sdb_request request = {.kind = kind, .user = sdb_slice_of(user), .store = store_at};
  return request;
}

static inline void ask(harness *h, const sdb_request *request) {
  assert_true(sdb_hub_request(h->hub, request, h->now_ms));
}

static inline void put(harness *h, const char *user, uint16_t store_at, const char *object) {
  sdb_request request = request_for(user, SDB_REQUEST_PUT, store_at);
  request.object = sdb_slice_of(object);
  ask(h, &request);
}

static inline record *take_done(harness *h, sdb_status status) {
  record *r = take_record(h, SDB_HUB_DONE);
  if (r->status != status)
    fail_msg("done with %s (%s), not %s", sdb_status_name(r->status), r->message,
        sdb_status_name(status));
  return r;
}

/* The DONE of what was just asked for, with nothing else in between. */
static inline record *settled_done(harness *h, sdb_status status) {
  settle(h);
  return take_done(h, status);
}

/* ---- partials: of ada's notes ---- */

static inline void begin_partial(harness *h, uint64_t handle, const char *object) {
  sdb_request request = request_for("ada", SDB_REQUEST_PARTIAL_BEGIN, NOTE);
  request.partial = handle;
  request.tag = (void *)(uintptr_t)handle;
  request.object = sdb_slice_of(object);
  ask(h, &request);
}

static inline void append_partial(
    harness *h, uint64_t handle, const char *field, const char *text) {
  sdb_request request = request_for("ada", SDB_REQUEST_PARTIAL_APPEND, NOTE);
  request.partial = handle;
  request.tag = (void *)(uintptr_t)handle;
  request.field = sdb_slice_of(field);
  request.text = sdb_slice_of(text);
  ask(h, &request);
}

static inline void change_partial(
    harness *h, uint64_t handle, sdb_request_kind kind, const char *object) {
  sdb_request request = request_for("ada", kind, NOTE);
  request.partial = handle;
  request.tag = (void *)(uintptr_t)handle;
  request.object = sdb_slice_of(object);
  ask(h, &request);
}

/* The id that was reserved; the partial is shown to those connected. */
static inline uuid_text begun(harness *h, uint64_t handle, const char *object) {
  begin_partial(h, handle, object);
  return text_of_uuid(settled_done(h, SDB_OK)->id);
}

static inline void appended(harness *h, uint64_t handle, const char *text) {
  append_partial(h, handle, "text", text);
  settled_done(h, SDB_OK);
}

#endif
