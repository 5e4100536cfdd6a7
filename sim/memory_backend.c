/* sim/memory_backend.c: see backend.h. The memory storage as the server's: what is committed stays
 * over any end of a life, as on a disk that syncs each commit.
 *
 * Invariants: one storage serves all lives until a backup takes its place; a life that is dead
 * commits nothing any more.
 */
#include "platform/platform.h"
#include "sim/backend.h"
#include "sim/random.h"
#include "storage/memory/memory_storage.h"
#include <limits.h>

typedef struct memory_backend {
  sim_backend base;
  sdb_memory_storage *storage;
  sdb_memory_storage *backup; /* NULL: none was taken */
  sdb_storage_sink sink;      /* of the life that is open */
  sim_disk_fault fault;
  unsigned die_within;
  bool is_open, dead;
  sim_random random;
} memory_backend;

static memory_backend *of(sim_backend *base) {
  return SDB_CONTAINER_OF(base, memory_backend, base);
}

static bool is_read(const sdb_op *op) {
  return op->kind == SDB_OP_USER || op->kind == SDB_OP_PAGE || op->kind == SDB_OP_OBJECT;
}

static void make_unavailable(sdb_op *op) {
  op->status = SDB_UNAVAILABLE;
  if (op->kind == SDB_OP_WRITE) SDB_CONTAINER_OF(op, sdb_op_write, op)->duplicate = false;
  if (op->kind == SDB_OP_PAGE) SDB_CONTAINER_OF(op, sdb_op_page, op)->count = 0;
}

static void on_completed(void *context, sdb_op *list) {
  memory_backend *self = context;
  for (sdb_op *op = list; op; op = op->next) {
    if (self->dead || (self->fault == SIM_DISK_FAILS_READ && is_read(op))) make_unavailable(op);
  }
  self->sink.completed(self->sink.context, list);
}

static sdb_status open_life(sim_backend *base, sdb_storage_sink sink) {
  memory_backend *self = of(base);
  SDB_ASSERT(!self->is_open);
  self->sink = sink;
  self->is_open = true;
  self->dead = false;
  self->die_within = 0;
  return SDB_OK;
}

static const sdb_storage_port *port(sim_backend *base) {
  SDB_ASSERT(of(base)->is_open);
  return sdb_memory_storage_port(of(base)->storage);
}

static bool commits_fail(const memory_backend *self) {
  return self->dead || self->fault == SIM_DISK_FULL || self->fault == SIM_DISK_FAILS_SYNC ||
         self->fault == SIM_DISK_FAILS_ONE_SYNC;
}

static void run_some(memory_backend *self, size_t count, bool fails) {
  sdb_memory_storage_fail_commits(self->storage, fails ? UINT_MAX : 0);
  sdb_memory_storage_run_some(self->storage, count);
}

/* Dies in front of one of the operations, or behind the last. Those before it are committed: the
 * number may be 0. */
static void die(memory_backend *self, size_t queued) {
  bool fails = commits_fail(self);
  self->dead = true;
  run_some(self, (self->die_within - 1) % (queued + 1), fails);
}

static void run(sim_backend *base) {
  memory_backend *self = of(base);
  SDB_ASSERT(self->is_open);
  size_t queued = sdb_memory_storage_queued(self->storage);
  if (queued > 0 && self->die_within > 0 && !self->dead) die(self, queued);
  run_some(self, SIZE_MAX, commits_fail(self));
}

static void die_within(sim_backend *base, unsigned operations) {
  of(base)->die_within = operations;
}

static void set_fault(sim_backend *base, sim_disk_fault fault) {
  of(base)->fault = fault;
}

static void end(sim_backend *base, sim_end how) {
  (void)how;
  memory_backend *self = of(base);
  SDB_ASSERT(self->is_open && sdb_memory_storage_queued(self->storage) == 0);
  self->is_open = false;
}

static sdb_status back_up(sim_backend *base) {
  memory_backend *self = of(base);
  SDB_ASSERT(self->is_open);
  sdb_memory_storage *taken;
  sdb_uuid epoch = sdb_memory_storage_port(self->storage)->epoch;
  sdb_status status = sdb_memory_storage_copy(self->storage, epoch, &taken);
  if (status != SDB_OK) return status;
  sdb_memory_storage_destroy(self->backup);
  self->backup = taken;
  return SDB_OK;
}

static sdb_uuid draw_id(sim_random *random) {
  uint64_t drawn[2] = {sim_random_next(random) | 1, sim_random_next(random)};
  sdb_uuid id;
  memcpy(id.bytes, drawn, sizeof(id.bytes));
  return id;
}

static void restore(sim_backend *base) {
  memory_backend *self = of(base);
  SDB_ASSERT(!self->is_open && self->backup);
  sdb_memory_storage *restored = NULL;
  sdb_status status = sdb_memory_storage_copy(self->backup, draw_id(&self->random), &restored);
  SDB_ASSERT(status == SDB_OK);
  sdb_memory_storage_destroy(self->storage);
  self->storage = restored;
}

static void destroy(sim_backend *base) {
  memory_backend *self = of(base);
  sdb_memory_storage_destroy(self->storage);
  sdb_memory_storage_destroy(self->backup);
  sdb_mem_free(sdb_platform_mem(), self);
}

sim_backend *sim_memory_backend(const sim_backend_options *options) {
  memory_backend *self = sdb_mem_zero(sdb_platform_mem(), sizeof(*self));
  SDB_ASSERT(self);
  self->base = (sim_backend){.name = "memory",
      .open = open_life,
      .port = port,
      .run = run,
      .die_within = die_within,
      .set_fault = set_fault,
      .end = end,
      .back_up = back_up,
      .restore = restore,
      .destroy = destroy};
  self->random = sim_random_of(options->seed, 0);
  sdb_memory_storage_options memory;
  sdb_memory_storage_options_init(&memory);
  memory.mem = sdb_platform_mem();
  memory.stores = options->stores;
  memory.stores_count = options->stores_count;
  memory.sink = (sdb_storage_sink){self, on_completed};
  memory.database = draw_id(&self->random);
  memory.remember_removes_ms = options->remember_removes_ms;
  memory.dedupe_window_ms = options->dedupe_window_ms;
  sdb_status status = sdb_memory_storage_create(&memory, &self->storage);
  SDB_ASSERT(status == SDB_OK);
  return &self->base;
}
