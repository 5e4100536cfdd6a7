/* sim/sqlite_backend.c: see backend.h. The server's SQLite storage by hand, on a disk of ours, so
 * small in all its limits that flushes, merges and checkpoints come often.
 *
 * A life that is to die keeps what it completes until its run is over: whether it died decides what
 * is told. A backup is taken onto a disk of its own.
 */
#include "platform/platform.h"
#include "sim/disk.h"
#include "storage/sqlite/backup.h"
#include "storage/sqlite/format.h"
#include "storage/sqlite/inbox.h"
#include "storage/sqlite/sqlite_storage.h"

#define PATH "server.sqlite"

typedef struct sqlite_backend {
  sim_backend base;
  sim_disk *disk;
  sim_disk_image *backup; /* NULL: none was taken */
  uint64_t seed;
  sdb_sqlite_options options;
  sdb_sqlite *storage; /* of the life that is open */
  sdb_storage_sink sink;
  bool is_to_die;
  sdb_op_list held; /* what it completed meanwhile */
} sqlite_backend;

static sqlite_backend *of(sim_backend *base) {
  return SDB_CONTAINER_OF(base, sqlite_backend, base);
}

static void make_unavailable(sdb_op *op) {
  op->status = SDB_UNAVAILABLE;
  if (op->kind == SDB_OP_WRITE) SDB_CONTAINER_OF(op, sdb_op_write, op)->duplicate = false;
  if (op->kind == SDB_OP_PAGE) SDB_CONTAINER_OF(op, sdb_op_page, op)->count = 0;
}

static void on_completed(void *context, sdb_op *list) {
  sqlite_backend *self = context;
  if (!self->is_to_die) {
    self->sink.completed(self->sink.context, list);
    return;
  }
  for (sdb_op *op = list, *next; op; op = next) {
    next = op->next;
    sdb_op_list_add(&self->held, op);
  }
}

static sdb_status open_life(sim_backend *base, sdb_storage_sink sink) {
  sqlite_backend *self = of(base);
  SDB_ASSERT(!self->storage);
  self->sink = sink;
  self->is_to_die = false;
  sim_disk_begin(self->disk);
  return sdb_sqlite_open(&self->options, &self->storage, NULL);
}

static const sdb_storage_port *port(sim_backend *base) {
  SDB_ASSERT(of(base)->storage);
  return sdb_sqlite_port(of(base)->storage);
}

static void run(sim_backend *base) {
  sqlite_backend *self = of(base);
  sim_disk_begin(self->disk);
  sdb_sqlite_run(self->storage);
  sdb_op *list = self->held.first;
  if (!list) return;
  sdb_op_list_init(&self->held);
  for (sdb_op *op = list; op && sim_disk_is_dead(self->disk); op = op->next)
    make_unavailable(op);
  self->sink.completed(self->sink.context, list);
}

static void die_within(sim_backend *base, unsigned operations) {
  sqlite_backend *self = of(base);
  self->is_to_die = operations > 0 || sim_disk_is_dead(self->disk);
  sim_disk_die_within(self->disk, operations);
}

static void set_fault(sim_backend *base, sim_disk_fault fault) {
  sim_disk_set_fault(of(base)->disk, fault);
}

static void end(sim_backend *base, sim_end how) {
  sqlite_backend *self = of(base);
  sim_disk_begin(self->disk);
  if (how != SIM_CLOSED) sim_disk_kill(self->disk);
  sdb_sqlite_close(self->storage);
  self->storage = NULL;
  sim_disk_end(self->disk, how);
}

static sdb_status copy_to(sqlite_backend *self, sim_disk *elsewhere) {
  sqlite3 *db = NULL;
  sdb_status status =
      sdb_db_open(PATH, sim_disk_system(self->disk)->vfs, SDB_DB_READ_ONLY, 512, &db, NULL);
  if (status == SDB_OK) status = sdb_db_run(db, PATH, "BEGIN", NULL);
  if (status == SDB_OK) status = sdb_format_check(db, PATH, 1, NULL);
  if (status == SDB_OK)
    status = sdb_backup_copy(db, PATH, PATH, sim_disk_system(elsewhere)->vfs, NULL);
  sqlite3_close(db);
  return status;
}

static sdb_status back_up(sim_backend *base) {
  sqlite_backend *self = of(base);
  SDB_ASSERT(self->storage);
  sim_disk_begin(self->disk);
  sim_disk *elsewhere = sim_disk_create(self->seed);
  sdb_status status = copy_to(self, elsewhere);
  if (status == SDB_OK) {
    sim_disk_image_free(self->backup);
    self->backup = sim_disk_take_image(elsewhere);
  }
  sim_disk_destroy(elsewhere);
  return status;
}

static void restore(sim_backend *base) {
  sqlite_backend *self = of(base);
  SDB_ASSERT(!self->storage && self->backup);
  sim_disk_put_image(self->disk, self->backup);
}

static void destroy(sim_backend *base) {
  sqlite_backend *self = of(base);
  if (self->storage) end(base, SIM_KILLED);
  sim_disk_image_free(self->backup);
  sim_disk_destroy(self->disk);
  sdb_mem_free(sdb_platform_mem(), self);
}

/* ---- making ---- */

/* A formatted database without stores, and its id: to make one takes as long as a life's work. */
static sim_disk_image *formatted;
static sdb_uuid formatted_id;

static void ignore(void *context, sdb_op *list) {
  (void)context;
  (void)list;
}

static void make_formatted(void) {
  sim_disk *disk = sim_disk_create(1);
  sdb_sqlite_options options;
  sdb_sqlite *storage = NULL;
  sdb_sqlite_options_init(&options);
  options.mem = sdb_platform_mem();
  options.path = PATH;
  options.system = sim_disk_system(disk);
  options.sink = (sdb_storage_sink){NULL, ignore};
  options.by_hand = true;
  sim_disk_begin(disk);
  sdb_status status = sdb_sqlite_open(&options, &storage, NULL);
  SDB_ASSERT(status == SDB_OK);
  formatted_id = sdb_sqlite_port(storage)->database;
  sdb_sqlite_close(storage);
  sim_disk_end(disk, SIM_CLOSED);
  formatted = sim_disk_take_image(disk);
  sim_disk_destroy(disk);
}

/* The image with an id of its own, which is the first epoch too. */
static void format(sim_disk *disk) {
  if (!formatted) make_formatted();
  sim_disk_put_image(disk, formatted);
  sdb_uuid id;
  sim_disk_system(disk)->random(disk, id.bytes, sizeof(id.bytes));
  size_t size, found = 0;
  const uint8_t *file = sim_disk_file(disk, PATH, &size), *at = file;
  while ((at = memmem(at, size - (size_t)(at - file), formatted_id.bytes, sizeof(id.bytes)))) {
    sim_disk_damage(disk, PATH, (size_t)(at - file), id.bytes, sizeof(id.bytes));
    found++;
  }
  SDB_ASSERT(found == 2);
}

sim_disk *sim_sqlite_backend_disk(sim_backend *backend) {
  return of(backend)->disk;
}

sim_backend *sim_sqlite_backend(const sim_backend_options *options) {
  sqlite_backend *self = sdb_mem_zero(sdb_platform_mem(), sizeof(*self));
  SDB_ASSERT(self);
  self->base = (sim_backend){.name = "sqlite",
      .open = open_life,
      .port = port,
      .run = run,
      .die_within = die_within,
      .set_fault = set_fault,
      .end = end,
      .back_up = back_up,
      .restore = restore,
      .destroy = destroy};
  self->seed = options->seed;
  self->disk = sim_disk_create(options->seed);
  format(self->disk);
  sim_disk_forget(self->disk, true);
  sdb_op_list_init(&self->held);
  sdb_sqlite_options_init(&self->options);
  self->options.mem = sdb_platform_mem();
  self->options.path = PATH;
  self->options.system = sim_disk_system(self->disk);
  self->options.stores = options->stores;
  self->options.stores_count = options->stores_count;
  self->options.sink = (sdb_storage_sink){self, on_completed};
  self->options.by_hand = true;
  self->options.readers = 1;
  self->options.remember_removes_ms = options->remember_removes_ms;
  self->options.dedupe_window_ms = options->dedupe_window_ms;
  self->options.generation_entries = 16;
  self->options.commit_ops_max = 16;
  self->options.wal_pages_checkpoint = 32;
  return &self->base;
}
