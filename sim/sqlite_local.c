/* sim/sqlite_local.c: see backend.h. The device's SQLite storage on a disk of ours, with what a
 * client does about a file that is damaged: the pushes that can be read are saved into a new file,
 * and the damaged one is kept beside it.
 *
 * Operations that wait stand in a list of ours: the storage carries out what it is given at once.
 */
#include "storage/local/sqlite_local.h"
#include "platform/platform.h"
#include "sim/disk.h"

#define PATH "device.sqlite"
#define SALVAGE_MAX ((size_t)1 << 26)

typedef struct sqlite_local {
  sim_local base;
  sim_disk *disk;
  uint64_t set_aside; /* how many files were: the names are told apart by it */
  sdb_sqlite_local_options options;
  sdb_sqlite_local *storage; /* of the life that is open */
  sdb_local_port port;       /* ours, before the storage's */
  sdb_local_sink sink;
  bool damaged; /* an operation found that it is: the next life begins anew */
  bool deferred;
  sdb_local_op *first, **last; /* that wait */
} sqlite_local;

static sqlite_local *of(sim_local *base) {
  return SDB_CONTAINER_OF(base, sqlite_local, base);
}

static void on_completed(void *context, sdb_local_op *list) {
  sqlite_local *self = context;
  for (const sdb_local_op *op = list; op; op = op->next)
    self->damaged |= op->status == SDB_BAD_FORMAT;
  self->sink.completed(self->sink.context, list);
}

static void ignore(void *context, sdb_local_op *list) {
  (void)context;
  (void)list;
}

/* ---- waiting ---- */

/* The first `count` of those that wait, or all. */
static sdb_local_op *take(sqlite_local *self, size_t count, size_t *taken) {
  sdb_local_op *list = self->first, **end = &list;
  for (*taken = 0; *end && *taken < count; ++*taken)
    end = &(*end)->next;
  self->first = *end;
  *end = NULL;
  if (!self->first) self->last = &self->first;
  return list;
}

static size_t run(sim_local *base, size_t count) {
  sqlite_local *self = of(base);
  size_t taken;
  sdb_local_op *list = take(self, count, &taken);
  const sdb_local_port *port = sdb_sqlite_local_port(self->storage);
  sim_disk_begin(self->disk);
  if (list) port->submit(port->self, list);
  return taken;
}

static void submit(void *context, sdb_local_op *list) {
  sqlite_local *self = context;
  *self->last = list;
  while (*self->last)
    self->last = &(*self->last)->next;
  if (!self->deferred) run(&self->base, SIZE_MAX);
}

static void defer(sim_local *base, bool deferred) {
  of(base)->deferred = deferred;
}

static void fail_waiting(sqlite_local *self) {
  size_t count;
  sdb_local_op *list;
  while ((list = take(self, SIZE_MAX, &count))) {
    for (sdb_local_op *op = list; op; op = op->next)
      op->status = SDB_IO;
    self->sink.completed(self->sink.context, list);
  }
}

/* ---- a damaged file ---- */

static sdb_status put_pushes(
    sdb_sqlite_local *storage, const sdb_local_pending *pending, size_t count) {
  const sdb_local_port *port = sdb_sqlite_local_port(storage);
  sdb_status status = SDB_OK;
  for (size_t i = 0; i < count && status == SDB_OK; i++) {
    sdb_local_change change = {.kind = SDB_LOCAL_PENDING_PUT, .pending = &pending[i]};
    sdb_local_commit commit = {.op = {.kind = SDB_LOCAL_COMMIT}, .changes = &change, .count = 1};
    port->submit(port->self, &commit.op);
    status = commit.op.status;
  }
  sdb_local_op sync = {.kind = SDB_LOCAL_SYNC};
  if (status == SDB_OK) {
    port->submit(port->self, &sync);
    status = sync.status;
  }
  return status;
}

/* The pushes that were saved, in a new file. */
static sdb_status begin_anew(sqlite_local *self, const sdb_local_pending *pending, size_t count) {
  sdb_sqlite_local_options options = self->options;
  options.sink = (sdb_local_sink){NULL, ignore};
  sdb_sqlite_local *fresh;
  bool damaged;
  sdb_status status = sdb_sqlite_local_open(&options, &fresh, &damaged, NULL);
  if (status != SDB_OK) return status;
  status = put_pushes(fresh, pending, count);
  sdb_sqlite_local_close(fresh);
  return status;
}

/* SDB_BAD_FORMAT: it was done. */
static sdb_status set_aside(sqlite_local *self) {
  const sdb_local_pending *pending = NULL;
  size_t count = 0;
  sdb_buffer memory;
  sdb_buffer_init(&memory, self->options.mem, SALVAGE_MAX);
  sdb_status status = sdb_sqlite_local_salvage(&self->options, &memory, &pending, &count, NULL);
  if (status != SDB_OK) count = 0;
  if (status != SDB_CONFLICT)
    status = sdb_sqlite_local_set_aside(
        self->options.system, self->options.mem, PATH, ++self->set_aside, NULL);
  if (status == SDB_OK) {
    self->damaged = false;
    status = begin_anew(self, pending, count);
  }
  sdb_buffer_free(&memory);
  return status == SDB_OK ? SDB_BAD_FORMAT : status;
}

/* ---- lives ---- */

static sdb_status open_life(sim_local *base, sdb_local_sink sink) {
  sqlite_local *self = of(base);
  SDB_ASSERT(!self->storage);
  self->sink = sink;
  sim_disk_begin(self->disk);
  if (self->damaged) return set_aside(self);
  sdb_status status = sdb_sqlite_local_open(&self->options, &self->storage, &self->damaged, NULL);
  return self->damaged ? set_aside(self) : status;
}

static const sdb_local_port *port(sim_local *base) {
  SDB_ASSERT(of(base)->storage);
  return &of(base)->port;
}

static void set_fault(sim_local *base, sim_disk_fault fault) {
  sim_disk_set_fault(of(base)->disk, fault);
}

static void end(sim_local *base, sim_end how) {
  sqlite_local *self = of(base);
  SDB_ASSERT(self->storage);
  while (how == SIM_CLOSED && run(base, SIZE_MAX) > 0)
    ;
  sim_disk_begin(self->disk);
  if (how != SIM_CLOSED) sim_disk_kill(self->disk);
  fail_waiting(self);
  sdb_sqlite_local_close(self->storage);
  self->storage = NULL;
  self->deferred = false;
  sim_disk_end(self->disk, how);
}

static void lose(sim_local *base) {
  SDB_ASSERT(!of(base)->storage);
  of(base)->damaged = false;
  sim_disk_clear(of(base)->disk);
}

static void destroy(sim_local *base) {
  sqlite_local *self = of(base);
  if (self->storage) end(base, SIM_KILLED);
  sim_disk_destroy(self->disk);
  sdb_mem_free(sdb_platform_mem(), self);
}

sim_disk *sim_sqlite_local_disk(sim_local *local) {
  return of(local)->disk;
}

sim_local *sim_sqlite_local(const sim_local_options *options) {
  sqlite_local *self = sdb_mem_zero(sdb_platform_mem(), sizeof(*self));
  SDB_ASSERT(self);
  self->base = (sim_local){.name = "sqlite",
      .durable = true,
      .open = open_life,
      .port = port,
      .defer = defer,
      .run = run,
      .set_fault = set_fault,
      .end = end,
      .lose = lose,
      .destroy = destroy};
  self->disk = sim_disk_create(options->seed);
  self->last = &self->first;
  self->port = (sdb_local_port){.version = 1, .self = self, .durable = true, .submit = submit};
  sdb_sqlite_local_options_init(&self->options);
  self->options.mem = sdb_platform_mem();
  self->options.path = PATH;
  self->options.system = sim_disk_system(self->disk);
  self->options.stores = options->stores;
  self->options.stores_count = options->stores_count;
  self->options.user = options->user;
  self->options.server = "sim";
  self->options.sink = (sdb_local_sink){self, on_completed};
  self->options.cache_kib = 512;
  return &self->base;
}
