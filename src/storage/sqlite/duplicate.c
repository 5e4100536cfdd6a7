/* storage/sqlite/duplicate.c: whether a client id was stored before.
 *
 * The tail and the runs give events whose client id has the same 63-bit hash; the log, or `spent`
 * where the event was replaced, then says whether it is the same user and client id.
 */
#include "storage/sqlite/writer.h"

/* Whether event `seq` was stored for this client id: 1, 0 or -1. */
static int verify(sdb_writer *writer, sdb_seq seq, uint64_t user, const sdb_uuid *client_id,
    sdb_writer_duplicate *duplicate) {
  sdb_writer_event event;
  int found = sdb_writer_get_event(writer, seq, &event);
  if (found == 1) {
    sdb_writer_release(writer);
  } else if (found == 0) {
    sqlite3_stmt *get = sdb_writer_statement_of(writer, SDB_W_SPENT_GET);
    sdb_db_bind(get, 1, seq);
    found = sdb_writer_row(writer, get);
    if (found != 1) return found;
    event.user = sdb_db_column(get, 0);
    event.store = (uint16_t)sdb_db_column(get, 1);
    event.object = sdb_db_column(get, 2);
    event.client_id = sdb_db_column_uuid(get, 3);
    sqlite3_reset(get);
  }
  if (found < 0) return -1;
  if (event.user != user || !sdb_uuid_equal(event.client_id, *client_id)) return 0;
  if (sdb_store_map_index(writer->stores, event.store) == SDB_STORE_ANY) return 0;
  *duplicate = (sdb_writer_duplicate){event.object, event.store};
  return 1;
}

/* Reads the one block of a run that can hold the hash. */
static int find_in_run(sdb_writer *writer, const sdb_run *run, uint64_t user,
    const sdb_uuid *client_id, uint64_t hash, sdb_writer_duplicate *duplicate) {
  sdb_pack_clients clients;
  uint64_t number = sdb_run_client_block(run, hash);
  sdb_status status = sdb_run_reader_clients(&writer->runs, run, number, &clients);
  if (status != SDB_OK) {
    writer->failed = SQLITE_CORRUPT;
    if (status != SDB_BAD_FORMAT) writer->failed = SQLITE_IOERR;
    return -1;
  }
  sdb_index_client client;
  int found = 0;
  while (found == 0 && sdb_unpack_client(&clients, &client) == 1) {
    if (client.hash > hash) break;
    if (client.hash == hash) found = verify(writer, client.seq, user, client_id, duplicate);
  }
  sdb_run_reader_reset(&writer->runs);
  return found;
}

int sdb_writer_find_duplicate(sdb_writer *writer, uint64_t user, const sdb_uuid *client_id,
    uint64_t hash, sdb_writer_duplicate *duplicate) {
  sdb_tail_cursor cursor = {0};
  const sdb_tail_entry *entry;
  while ((entry = sdb_tail_next_client(writer->tail, hash, &cursor))) {
    if (entry->user != user) continue;
    int found = verify(writer, entry->seq, user, client_id, duplicate);
    if (found != 0) return found;
  }
  for (size_t i = 0; i < writer->dedupe.count; i++) {
    const sdb_dedupe_run *at = &writer->dedupe.runs[i];
    if (at->run.clients == 0 || (at->filter && !sdb_filter_may_hold(at->filter, hash))) continue;
    int found = find_in_run(writer, &at->run, user, client_id, hash, duplicate);
    if (found != 0) return found;
  }
  return 0;
}
