/* client/outputs.c: carries out what the replica says.
 *
 * Nothing of the application's is called from here: changes wait in the feed and a question for a
 * token in a flag, until the replica has nothing more to say. A callback may then use the replica.
 */
#include "client/state.h"

static void on_done(sdb_client *client, const sdb_replica_output *output) {
  sdb_ask *ask = output->tag;
  sdb_status status = output->status;
  if (status == SDB_OK && ask->want_records) {
    ask->records = sdb_device_copy_records(client->mem, output->records, output->records_count);
    if (!ask->records) status = SDB_NO_MEMORY;
  }
  ask->client_id = output->client_id;
  sdb_ask_end(client, ask, status, status == output->status ? output->error : NULL);
}

static void carry_out(sdb_client *client, const sdb_replica_output *output) {
  switch (output->kind) {
  case SDB_REPLICA_SEND:
    if (client->conn) sdb_net_send_text(client->conn, output->text);
    break;
  case SDB_REPLICA_DISCONNECT:
    sdb_device_disconnect(client, output->close_code);
    break;
  case SDB_REPLICA_CONNECT:
    sdb_device_connect(client, output->text);
    break;
  case SDB_REPLICA_ASK_TOKEN:
    client->token_asked = true;
    client->token_refused |= output->refused;
    client->token_awaited |= output->refused;
    break;
  case SDB_REPLICA_CHANGE:
    sdb_feed_put(&client->feed, output->store, &output->change);
    break;
  case SDB_REPLICA_DONE:
    on_done(client, output);
    break;
  case SDB_REPLICA_STATUS:
    break; /* looked at once, when all is done */
  case SDB_REPLICA_STORAGE_FAILED:
    sdb_device_storage_failed(client, output->status);
    break;
  }
}

/* False: there was nothing. */
static bool drain_once(sdb_client *client) {
  sdb_replica_output output;
  sdb_replica_flush(client->replica, sdb_device_now_ms());
  bool any = sdb_device_storage_deliver(client);
  while (sdb_replica_next_output(client->replica, &output)) {
    carry_out(client, &output);
    any = true;
  }
  return any;
}

void sdb_device_drain(sdb_client *client) {
  /* The last look at the outputs may have staged a read without giving one: hence twice. */
  for (int idle = 0; idle < 2;)
    idle = drain_once(client) ? 0 : idle + 1;
  client->refused_now = false;
  sdb_device_note_status(client);
}
