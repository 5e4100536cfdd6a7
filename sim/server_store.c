/* sim/server_store.c: see server.h. Writes are committed in groups, in order, after a while; reads
 * are carried out each at its own moment, and come back in any order, as from several threads. Each
 * is compared with the model when it is carried out; only then it can come back.
 */
#include "sim/failure.h"
#include "sim/server.h"
#include <stdlib.h>
#include <string.h>

static void get_stats(void *self, sdb_storage_stats *stats) {
  (void)self;
  memset(stats, 0, sizeof(*stats));
}

static void add_parcel(sim_server *server, uint64_t at_ms, bool carried_out, sdb_op *list) {
  server->parcels = sim_grow(
      server->parcels, server->parcels_count, &server->parcels_capacity, sizeof(*server->parcels));
  server->parcels[server->parcels_count++] = (sim_parcel){at_ms, carried_out, list};
}

static bool is_write(const sdb_op *op) {
  return op->kind == SDB_OP_WRITE || op->kind == SDB_OP_RESERVE;
}

static void submit(void *self, sdb_op *list) {
  sim_server *server = self;
  sim_world *world = server->world;
  while (list) {
    sdb_op *op = list;
    list = op->next;
    op->next = NULL;
    if (!is_write(op)) {
      uint64_t wait_ms = sim_wait(&server->random, world->plan.read_ms);
      add_parcel(server, world->now_ms + wait_ms, false, op);
      continue;
    }
    *server->writes_end = op;
    server->writes_end = &op->next;
    server->writes_count++;
  }
  if (server->writes && server->commit_at_ms == SIM_NEVER)
    server->commit_at_ms = world->now_ms + sim_wait(&server->random, world->plan.commit_ms);
}

void sim_store_open(sim_server *server) {
  server->port = *server->backend->port(server->backend);
  server->port.self = server;
  server->port.submit = submit;
  server->port.stats = get_stats;
  server->writes_end = &server->writes;
  server->commit_at_ms = SIM_NEVER;
}

/* ---- carrying out ---- */

/* Hands a list to the storage and takes it back completed: in `server->completed`. */
static void carry_out(sim_server *server, sdb_op *list) {
  size_t asked = 0, came = 0;
  for (const sdb_op *op = list; op; op = op->next)
    asked++;
  const sdb_storage_port *port = server->backend->port(server->backend);
  server->completed = NULL;
  server->completed_end = &server->completed;
  port->submit(port->self, list);
  server->backend->run(server->backend);
  for (const sdb_op *op = server->completed; op; op = op->next)
    came++;
  SIM_CHECK(asked == came, "each operation comes back", "%zu of %zu", came, asked);
}

static bool disk_is_well(const sim_server *server) {
  return server->well_at_ms == SIM_NEVER;
}

static void check_read(sim_server *server, sdb_op *op) {
  sim_model *model = &server->world->model;
  if (op->status == SDB_UNAVAILABLE && !disk_is_well(server)) return;
  if (op->kind == SDB_OP_OBJECT) {
    sim_model_read_object(model, SDB_CONTAINER_OF(op, sdb_op_object, op));
    return;
  }
  SIM_CHECK(op->status == SDB_OK, "reads succeed", "%s", sdb_status_name(op->status));
  if (op->kind == SDB_OP_USER)
    sim_model_found_user(model, SDB_CONTAINER_OF(op, sdb_op_user, op));
  else
    sim_model_read_page(model, SDB_CONTAINER_OF(op, sdb_op_page, op));
}

static void check_write(sim_server *server, const sim_asked *asked, sdb_op *op, bool may_fail) {
  sim_world *world = server->world;
  if (op->status == SDB_UNAVAILABLE && may_fail) return;
  if (op->kind == SDB_OP_RESERVE) {
    SIM_CHECK(op->status == SDB_OK, "reservations succeed", "%s", sdb_status_name(op->status));
    sim_model_reserved(&world->model, SDB_CONTAINER_OF(op, sdb_op_reserve, op));
    return;
  }
  const sdb_op_write *write = SDB_CONTAINER_OF(op, const sdb_op_write, op);
  sim_model_wrote(&world->model, asked, write);
  world->stats->events_stored += op->status == SDB_OK && !write->duplicate;
}

/* ---- a commit ---- */

static sdb_op *take_group(sim_server *server, size_t count, sim_asked *asked) {
  sim_model *model = &server->world->model;
  sdb_op *list = server->writes, **end = &list;
  for (size_t i = 0; i < count; i++) {
    if ((*end)->kind == SDB_OP_WRITE) {
      const sdb_op_write *write = SDB_CONTAINER_OF(*end, const sdb_op_write, op);
      asked[i] = sim_asked_of(model, write);
      if (write->now_ms > model->clock_ms) model->clock_ms = write->now_ms;
    }
    end = &(*end)->next;
  }
  server->writes = *end;
  if (!server->writes) server->writes_end = &server->writes;
  *end = NULL;
  server->writes_count -= count;
  return list;
}

static void doubt(sim_server *server, const sim_asked *asked) {
  sim_doubt *made = &server->doubts[server->doubts_count++];
  made->asked = *asked;
  char *copy = sim_alloc(asked->body.size + 1);
  if (asked->body.size > 0) memcpy(copy, asked->body.data, asked->body.size);
  made->asked.body = sdb_slice_make(copy, asked->body.size);
}

/* The commit that the server does not survive. */
static void die(sim_server *server, sdb_op *list, size_t count, const sim_asked *asked) {
  size_t at = 0;
  for (const sdb_op *op = list; op; op = op->next, at++) {
    if (op->kind == SDB_OP_WRITE) doubt(server, &asked[at]);
  }
  SDB_ASSERT(at == count);
  server->backend->die_within(server->backend, 1 + sim_below(&server->random, 12));
  carry_out(server, list);
  add_parcel(server, server->world->now_ms, true, server->completed);
}

static void commit_group(sim_server *server, size_t count) {
  sim_world *world = server->world;
  sim_asked asked[SIM_GROUP_MAX];
  sdb_op *list = take_group(server, count, asked);
  if (server->dies) {
    die(server, list, count, asked);
    return;
  }
  bool fails = server->commits_to_fail > 0;
  bool by_sync = fails && sim_chance(&server->random, 500);
  if (fails)
    server->backend->set_fault(server->backend, by_sync ? SIM_DISK_FAILS_ONE_SYNC : SIM_DISK_FULL);
  carry_out(server, list);
  if (fails) {
    server->commits_to_fail--;
    if (disk_is_well(server)) server->backend->set_fault(server->backend, SIM_DISK_WELL);
    if (by_sync) sim_server_may_fall(server);
  }
  bool may_fail = fails || !disk_is_well(server);
  size_t at = 0;
  bool failed = false;
  for (sdb_op *op = server->completed; op; op = op->next, at++) {
    check_write(server, &asked[at], op, may_fail);
    failed |= op->status == SDB_UNAVAILABLE;
  }
  world->stats->commits++;
  world->stats->commits_failed += failed;
  SIM_TRACE(world->now_ms, "storage", "%zu operations %s", count, failed ? "failed" : "committed");
  uint64_t at_ms = world->now_ms + sim_wait(&server->random, world->plan.commit_ms / 4);
  if (at_ms > server->written_ms) server->written_ms = at_ms;
  add_parcel(server, server->written_ms, true, server->completed);
}

static void commit(sim_server *server) {
  size_t count = server->writes_count < SIM_GROUP_MAX ? server->writes_count : SIM_GROUP_MAX;
  if (sim_chance(&server->random, 200)) count = 1 + sim_below(&server->random, (uint32_t)count);
  commit_group(server, count);
  server->commit_at_ms = SIM_NEVER;
  if (server->writes) submit(server, NULL);
}

/* ---- time ---- */

uint64_t sim_store_due_ms(const sim_server *server) {
  uint64_t due_ms = server->commit_at_ms;
  for (size_t i = 0; i < server->parcels_count; i++) {
    if (server->parcels[i].at_ms < due_ms) due_ms = server->parcels[i].at_ms;
  }
  return due_ms;
}

/* Takes a parcel out; the others keep their order. */
static sim_parcel take_parcel(sim_server *server, size_t at) {
  sim_parcel parcel = server->parcels[at];
  server->parcels_count--;
  memmove(&server->parcels[at], &server->parcels[at + 1],
      (server->parcels_count - at) * sizeof(parcel));
  return parcel;
}

static void run_parcel(sim_server *server, size_t at) {
  sim_parcel parcel = take_parcel(server, at);
  if (parcel.carried_out) {
    sdb_hub_on_completed(server->hub, parcel.list, sim_server_wall_ms(server));
    sim_server_drain(server);
    return;
  }
  carry_out(server, parcel.list);
  check_read(server, server->completed);
  uint64_t wait_ms = sim_wait(&server->random, server->world->plan.read_ms);
  add_parcel(server, server->world->now_ms + wait_ms, true, server->completed);
}

bool sim_store_run(sim_server *server) {
  uint64_t now_ms = server->world->now_ms;
  for (size_t i = 0; i < server->parcels_count; i++) {
    if (server->parcels[i].at_ms > now_ms) continue;
    run_parcel(server, i);
    return false;
  }
  if (server->commit_at_ms > now_ms) return false;
  commit(server);
  return server->dies;
}

/* ---- ends ---- */

static void give_up(sdb_op *list) {
  for (sdb_op *op = list; op; op = op->next) {
    op->status = SDB_UNAVAILABLE;
    if (op->kind == SDB_OP_PAGE) SDB_CONTAINER_OF(op, sdb_op_page, op)->count = 0;
  }
}

void sim_store_finish(sim_server *server, bool carries_out) {
  for (;;) {
    while (carries_out && server->writes)
      commit_group(
          server, server->writes_count < SIM_GROUP_MAX ? server->writes_count : SIM_GROUP_MAX);
    sdb_op *writes = server->writes;
    server->writes = NULL;
    server->writes_end = &server->writes;
    server->writes_count = 0;
    if (writes) {
      give_up(writes);
      add_parcel(server, 0, true, writes);
    }
    server->commit_at_ms = SIM_NEVER;
    if (server->parcels_count == 0) return;
    if (!server->parcels[0].carried_out && !carries_out) {
      give_up(server->parcels[0].list);
      server->parcels[0].carried_out = true;
    }
    run_parcel(server, 0);
  }
}

/* ---- all that is kept ---- */

static sdb_op_page page_of(sim_server *server, uint16_t user, uint16_t store, sdb_seq after) {
  sdb_op_page page = {.op = {.kind = SDB_OP_PAGE},
      .user = server->world->model.numbers[user],
      .store = store,
      .after = after,
      .limit = UINT32_MAX,
      .bytes_max = UINT32_MAX};
  sdb_buffer_init(&page.memory, &server->world->memory.mem, SIZE_MAX);
  return page;
}

void sim_store_check(sim_server *server) {
  sim_model *model = &server->world->model;
  for (uint16_t user = 0; user < SIM_USERS_MAX; user++) {
    for (uint16_t store = 0; model->numbers[user] != 0 && store < SIM_STORES; store++) {
      sdb_op_page page = page_of(server, user, store, 0);
      carry_out(server, &page.op);
      check_read(server, &page.op);
      sdb_buffer_free(&page.memory);
    }
  }
}

/* ---- doubts ---- */

/* The events of a user's store that the model does not know, oldest first. */
typedef struct found {
  sdb_stored_event events[SIM_GROUP_MAX];
  uint16_t users[SIM_GROUP_MAX];
  bool taken[SIM_GROUP_MAX];
  size_t count;
  sdb_buffer memory[SIM_USERS_MAX * SIM_STORES];
  size_t memory_count;
} found;

static void find_events(sim_server *server, found *f, uint16_t user, uint16_t store) {
  sim_model *model = &server->world->model;
  sdb_seq last = model->count > 0 ? model->entries[model->count - 1].seq : 0;
  sdb_op_page page = page_of(server, user, store, last);
  carry_out(server, &page.op);
  SIM_CHECK(page.op.status == SDB_OK, "reads succeed", "%s", sdb_status_name(page.op.status));
  SIM_CHECK(f->count + page.count <= SIM_GROUP_MAX, "a crash stores nothing by itself",
      "more events than were written");
  for (uint32_t i = 0; i < page.count; i++) {
    f->users[f->count] = user;
    f->events[f->count++] = page.events[i];
  }
  f->memory[f->memory_count++] = page.memory;
}

static bool is_it(const found *f, size_t at, const sim_asked *asked, const sim_expected *expected) {
  const sdb_stored_event *event = &f->events[at];
  bool removed = asked->action == SDB_ACTION_DELETE;
  uint16_t store = removed ? expected->current->store : asked->store;
  if (f->taken[at] || f->users[at] != asked->user || event->store != store) return false;
  if (removed != event->removed || !sdb_uuid_equal(event->client_id, asked->client_id))
    return false;
  if (removed) return event->object == expected->current->object;
  return sdb_slice_equal(event->body, asked->body);
}

/* Whether a later write of the dead commit, which was stored, took its object's place. */
static bool is_replaced(sim_server *server, const found *f, size_t doubt_at) {
  const sim_asked *asked = &server->doubts[doubt_at].asked;
  for (size_t i = doubt_at + 1; i < server->doubts_count; i++) {
    const sim_asked *later = &server->doubts[i].asked;
    if (later->user != asked->user) continue;
    bool same = later->object != 0 && later->object == asked->object;
    bool singular = SIM_SINGULAR(later->store) && later->store == asked->store;
    for (size_t at = 0; (same || singular) && at < f->count; at++) {
      if ((singular || f->events[at].object == later->object) &&
          sdb_uuid_equal(f->events[at].client_id, later->client_id) &&
          f->users[at] == later->user && f->events[at].store == asked->store &&
          sdb_slice_equal(f->events[at].body, later->body))
        return true;
    }
  }
  return false;
}

/* Takes over one write of the dead commit. False: it was not stored, nor was any after it. */
static bool settle(sim_server *server, found *f, size_t doubt_at) {
  sim_model *model = &server->world->model;
  const sim_asked *asked = &server->doubts[doubt_at].asked;
  sim_expected expected = sim_model_expect(model, asked);
  if (expected.status != SDB_OK || expected.duplicate) return true;
  size_t at = f->count;
  for (size_t i = 0; i < f->count; i++) {
    if (is_it(f, i, asked, &expected) && (at == f->count || f->events[i].seq < f->events[at].seq))
      at = i;
  }
  if (at < f->count) {
    f->taken[at] = true;
    if (f->events[at].seq <= model->last) model->last = f->events[at].seq - 1;
    sim_model_apply(model, asked, f->events[at].seq);
    return true;
  }
  if (expected.may_be_double) return true;
  if (!is_replaced(server, f, doubt_at)) return false;
  sim_model_apply(model, asked, model->last + 1);
  return true;
}

void sim_store_reconcile(sim_server *server) {
  sim_model *model = &server->world->model;
  if (server->doubts_count == 0) return;
  found f = {.count = 0};
  for (uint16_t user = 0; user < SIM_USERS_MAX; user++) {
    for (uint16_t store = 0; model->numbers[user] != 0 && store < SIM_STORES; store++)
      find_events(server, &f, user, store);
  }
  /* What was reserved is over: seqs are compared with the events alone. */
  sdb_seq last = model->last;
  if (model->count > 0) model->last = model->entries[model->count - 1].seq;
  size_t settled = 0;
  while (settled < server->doubts_count && settle(server, &f, settled))
    settled++;
  for (size_t i = 0; i < f.count; i++)
    SIM_CHECK(f.taken[i], "a commit is stored in order",
        "after a crash there is event %llx, and an earlier one of its commit is not",
        (unsigned long long)f.events[i].seq);
  if (model->last < last) model->last = last;
  for (size_t i = 0; i < f.memory_count; i++)
    sdb_buffer_free(&f.memory[i]);
  for (size_t i = 0; i < server->doubts_count; i++)
    free((char *)(uintptr_t)server->doubts[i].asked.body.data);
  SIM_TRACE(server->world->now_ms, "storage", "%zu of %zu writes were stored before the crash",
      settled, server->doubts_count);
  server->doubts_count = 0;
  server->world->stats->reconciled++;
}
