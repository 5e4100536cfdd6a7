/* client/connection.c: the connection that the replica asked for.
 *
 * Invariant: the replica is told only of `client->conn`. Once it has given a connection up, what
 * still comes of that one is not for it.
 */
#include "client/state.h"
#include "wire/close.h"

static bool is_current(const sdb_client *client, const sdb_conn *conn) {
  return conn == client->conn && !client->closing;
}

static void on_opened(void *context, sdb_conn *conn, void *tag) {
  (void)tag;
  sdb_client *client = context;
  if (!is_current(client, conn)) return;
  client->conn_open = true;
  sdb_device_log(client, SDB_LOG_INFO, "connected", "connected to %s", client->target.authority);
  sdb_replica_on_opened(client->replica, sdb_device_now_ms());
}

/* A gateway in front of the server says no to a token in its own way. */
static unsigned code_of(const sdb_net_end *end) {
  return end->http_status == 401 ? SDB_CLOSE_UNAUTHORIZED : end->code;
}

static void on_closed(void *context, sdb_conn *conn, void *tag, const sdb_net_end *end) {
  (void)tag;
  sdb_client *client = context;
  SDB_ASSERT(client->conns > 0);
  client->conns--;
  if (!is_current(client, conn)) return;
  client->conn = NULL;
  client->conn_open = false;
  unsigned code = code_of(end);
  client->refused_now = code == SDB_CLOSE_UNAUTHORIZED && client->token;
  sdb_device_log(client, SDB_LOG_INFO, "disconnected", "%s: closed with %u: %s%.*s",
      client->target.authority, code, end->problem, (int)end->reason.size,
      end->reason.data ? end->reason.data : "");
  sdb_replica_on_closed(client->replica, code, end->reason, end->problem, sdb_device_now_ms());
}

void sdb_device_connect(sdb_client *client, sdb_slice token) {
  SDB_ASSERT(!client->conn);
  if (client->closing) return;
  sdb_net_dial_options options = {
      .target = &client->target,
      .token = token,
      .tls_ca = client->tls_ca,
      .tls_insecure = client->tls_insecure,
      .compress = true,
      .handler = {client, on_opened, on_closed},
  };
  sdb_error error = {.status = SDB_OK};
  if (sdb_net_dial(client->net, &options, &client->conn, &error) == SDB_OK) {
    client->conns++;
    return;
  }
  client->conn = NULL;
  sdb_device_log(client, SDB_LOG_WARN, "dial_failed", "%s", error.message);
  sdb_slice none = {NULL, 0};
  sdb_replica_on_closed(client->replica, SDB_CLOSE_LOST, none, error.message, sdb_device_now_ms());
}

void sdb_device_disconnect(sdb_client *client, unsigned close_code) {
  if (!client->conn) return;
  sdb_slice none = {NULL, 0};
  /* That one may not be sent: it is for connections that ended without a word. */
  if (close_code == SDB_CLOSE_LOST) close_code = SDB_CLOSE_GOING_AWAY;
  sdb_net_close(client->conn, close_code, none);
  client->conn = NULL;
  client->conn_open = false;
}

void sdb_device_on_message(void *context, sdb_conn *conn, void *tag, char *message, size_t size) {
  (void)tag;
  sdb_client *client = context;
  if (!is_current(client, conn)) return;
  sdb_replica_on_message(client->replica, sdb_slice_make(message, size), sdb_device_now_ms());
}
