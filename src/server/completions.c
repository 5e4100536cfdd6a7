/* server/completions.c: the storage's answers, from its threads to the loop.
 *
 * The hub's port is a thin one that counts: in_flight rises when operations are
 * submitted and falls when they were delivered, both on the loop, so that a
 * shutdown knows when all that was received is stored.
 */
#include "server/state.h"

void sdb_completions_init(sdb_database *database) {
  sdb_completions *completions = &database->completions;
  completions->first = NULL;
  completions->last = &completions->first;
  pthread_mutex_init(&completions->lock, NULL);
}

void sdb_completions_destroy(sdb_database *database) {
  pthread_mutex_destroy(&database->completions.lock);
}

static void on_completed(void *context, sdb_op *list) {
  sdb_database *database = context;
  sdb_completions *completions = &database->completions;
  SDB_ASSERT(list);
  sdb_op *last = list;
  while (last->next)
    last = last->next;
  pthread_mutex_lock(&completions->lock);
  bool was_empty = !completions->first;
  *completions->last = list;
  completions->last = &last->next;
  pthread_mutex_unlock(&completions->lock);
  if (was_empty) sdb_net_wake(database->net);
}

sdb_storage_sink sdb_completions_sink(sdb_database *database) {
  return (sdb_storage_sink){database, on_completed};
}

static void counting_submit(void *self, sdb_op *list) {
  sdb_database *database = self;
  for (sdb_op *op = list; op; op = op->next)
    database->in_flight++;
  if (!database->sqlite) { /* closed already: the last word to what comes too late */
    for (sdb_op *op = list; op; op = op->next)
      op->status = SDB_UNAVAILABLE;
    on_completed(database, list);
    return;
  }
  const sdb_storage_port *port = sdb_sqlite_port(database->sqlite);
  port->submit(port->self, list);
}

static void counting_stats(void *self, sdb_storage_stats *stats) {
  sdb_database *database = self;
  const sdb_storage_port *port = sdb_sqlite_port(database->sqlite);
  port->stats(port->self, stats);
}

void sdb_completions_wrap(sdb_database *database, const sdb_storage_port *port) {
  database->storage = *port;
  database->storage.self = database;
  database->storage.submit = counting_submit;
  database->storage.stats = counting_stats;
}

/* Tells the log when writing begins to fail and when it works again. */
static void watch_storage(sdb_database *database, const sdb_op *op) {
  if (op->kind != SDB_OP_WRITE) return;
  bool failed = op->status == SDB_UNAVAILABLE;
  if (failed == database->storage_failing) return;
  database->storage_failing = failed;
  if (failed)
    sdb_server_log(database, SDB_LOG_ERROR, "storage_failing",
        "a transaction failed: pushes get `unavailable` until the storage works again");
  else
    sdb_server_log(database, SDB_LOG_INFO, "storage_recovered", "transactions succeed again");
}

void sdb_completions_deliver(sdb_database *database) {
  sdb_completions *completions = &database->completions;
  pthread_mutex_lock(&completions->lock);
  sdb_op *list = completions->first;
  completions->first = NULL;
  completions->last = &completions->first;
  pthread_mutex_unlock(&completions->lock);
  if (!list) return;
  for (sdb_op *op = list; op; op = op->next) {
    SDB_ASSERT(database->in_flight > 0);
    database->in_flight--;
    watch_storage(database, op);
  }
  sdb_hub_on_completed(database->hub, list, sdb_net_now_ms(database->net));
}
