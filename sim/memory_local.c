/* sim/memory_local.c: see backend.h. The memory storage as a device's: what is committed stays over
 * any end of a life, as on a disk that syncs each commit.
 *
 * Invariant: one storage serves all lives until what it holds is lost.
 */
#include "storage/local/memory_local.h"
#include "base/memory.h"
#include "platform/platform.h"
#include "sim/backend.h"

typedef struct memory_local {
  sim_local base;
  const sdb_storage_store *stores;
  size_t stores_count;
  sdb_memory_local *storage;
  sdb_local_port port; /* the storage's, which says here that it is durable */
  sdb_local_sink sink; /* of the life that is open */
  sim_disk_fault fault;
  bool is_open, ending; /* ending: what waits fails */
} memory_local;

static memory_local *of(sim_local *base) {
  return SDB_CONTAINER_OF(base, memory_local, base);
}

/* Of commits the storage itself is told, for one that fails must change nothing. */
static bool fails(const memory_local *self, const sdb_local_op *op) {
  if (self->ending) return true;
  switch (op->kind) {
  case SDB_LOCAL_LOAD:
  case SDB_LOCAL_PAGE:
  case SDB_LOCAL_OBJECT:
    return self->fault == SIM_DISK_FAILS_READ;
  case SDB_LOCAL_SYNC:
    return self->fault == SIM_DISK_FAILS_SYNC;
  case SDB_LOCAL_COMMIT:
    return false;
  }
  SDB_UNREACHABLE();
}

static void on_completed(void *context, sdb_local_op *list) {
  memory_local *self = context;
  for (sdb_local_op *op = list; op; op = op->next) {
    if (fails(self, op)) op->status = SDB_IO;
  }
  self->sink.completed(self->sink.context, list);
}

static void create(memory_local *self) {
  sdb_status status = sdb_memory_local_create(sdb_platform_mem(), self->stores, self->stores_count,
      (sdb_local_sink){self, on_completed}, &self->storage);
  SDB_ASSERT(status == SDB_OK);
  self->port = *sdb_memory_local_port(self->storage);
  self->port.durable = true;
}

static void set_commits(memory_local *self) {
  bool fail = self->ending || self->fault == SIM_DISK_FULL || self->fault == SIM_DISK_FAILS_SYNC;
  sdb_memory_local_fail(self->storage, fail ? SDB_IO : SDB_OK);
}

static sdb_status open_life(sim_local *base, sdb_local_sink sink) {
  memory_local *self = of(base);
  SDB_ASSERT(!self->is_open);
  self->sink = sink;
  self->is_open = true;
  return SDB_OK;
}

static const sdb_local_port *port(sim_local *base) {
  SDB_ASSERT(of(base)->is_open);
  return &of(base)->port;
}

static void defer(sim_local *base, bool deferred) {
  sdb_memory_local_defer(of(base)->storage, deferred);
}

static size_t run(sim_local *base, size_t count) {
  SDB_ASSERT(of(base)->is_open);
  return sdb_memory_local_run(of(base)->storage, count);
}

static void set_fault(sim_local *base, sim_disk_fault fault) {
  of(base)->fault = fault;
  set_commits(of(base));
}

static void end(sim_local *base, sim_end how) {
  memory_local *self = of(base);
  SDB_ASSERT(self->is_open);
  self->ending = how != SIM_CLOSED;
  set_commits(self);
  while (sdb_memory_local_run(self->storage, SIZE_MAX) > 0)
    ;
  self->ending = false;
  set_commits(self);
  sdb_memory_local_defer(self->storage, false);
  self->is_open = false;
}

static void lose(sim_local *base) {
  memory_local *self = of(base);
  SDB_ASSERT(!self->is_open);
  sdb_memory_local_destroy(self->storage);
  create(self);
  set_commits(self);
}

static void destroy(sim_local *base) {
  memory_local *self = of(base);
  SDB_ASSERT(!self->is_open);
  sdb_memory_local_destroy(self->storage);
  sdb_mem_free(sdb_platform_mem(), self);
}

sim_local *sim_memory_local(const sim_local_options *options) {
  memory_local *self = sdb_mem_zero(sdb_platform_mem(), sizeof(*self));
  SDB_ASSERT(self);
  self->base = (sim_local){.name = "memory",
      .durable = true,
      .open = open_life,
      .port = port,
      .defer = defer,
      .run = run,
      .set_fault = set_fault,
      .end = end,
      .lose = lose,
      .destroy = destroy};
  self->stores = options->stores;
  self->stores_count = options->stores_count;
  create(self);
  return &self->base;
}
