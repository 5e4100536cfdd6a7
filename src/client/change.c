/* client/change.c: what an application changes: pushes, a token, being online. */
#include "base/error.h"
#include "client/state.h"

static sdb_status change(sdb_client *client, sdb_replica_request_kind kind, const sdb_store *store,
    sdb_uuid id, sdb_slice object, sdb_uuid *client_id, sdb_error *error) {
  int index = sdb_device_store(client, store, error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  sdb_ask ask = {.error = error,
      .request = {.kind = kind,
          .store = (uint16_t)index,
          .id = id,
          .object = object,
          .wall_ms = sdb_platform_now_ms()}};
  sdb_status status = sdb_ask_run(client, &ask);
  if (status == SDB_OK && client_id) *client_id = ask.client_id;
  return status;
}

sdb_status sdb_client_push(sdb_client *client, const sdb_store *store, sdb_slice object,
    sdb_uuid *client_id, sdb_error *error) {
  return change(client, SDB_REPLICA_PUSH, store, (sdb_uuid){{0}}, object, client_id, error);
}

sdb_status sdb_client_update(sdb_client *client, const sdb_store *store, sdb_uuid id,
    sdb_slice object, sdb_uuid *client_id, sdb_error *error) {
  return change(client, SDB_REPLICA_UPDATE, store, id, object, client_id, error);
}

sdb_status sdb_client_remove(sdb_client *client, const sdb_store *store, sdb_uuid id,
    sdb_uuid *client_id, sdb_error *error) {
  sdb_slice none = {NULL, 0};
  return change(client, SDB_REPLICA_REMOVE, store, id, none, client_id, error);
}

/* ---- one push ---- */

static void run_retry(sdb_ask *ask, sdb_client *client) {
  sdb_ask_end(client, ask, sdb_replica_retry(client->replica, ask->client_id), NULL);
}

sdb_status sdb_client_retry(sdb_client *client, sdb_uuid client_id) {
  sdb_ask ask = {.run = run_retry, .client_id = client_id};
  return sdb_ask_run(client, &ask);
}

static void run_discard(sdb_ask *ask, sdb_client *client) {
  sdb_ask_end(client, ask, sdb_replica_discard(client->replica, ask->client_id), NULL);
}

sdb_status sdb_client_discard(sdb_client *client, sdb_uuid client_id) {
  sdb_ask ask = {.run = run_discard, .client_id = client_id};
  return sdb_ask_run(client, &ask);
}

/* ---- token ---- */

#define TOKEN_LIFETIME_MS_MIN 60000 /* one that ended is asked for again, but not without a pause */

typedef struct token_arguments {
  sdb_slice token;
  uint64_t expires_ms;
} token_arguments;

static bool is_token(sdb_slice token) {
  if (token.size == 0 || token.size > SDB_REPLICA_TOKEN_SIZE_MAX) return false;
  for (size_t i = 0; i < token.size; i++) {
    unsigned char byte = (unsigned char)token.data[i];
    if (byte <= ' ' || byte > '~') return false; /* it stands in a header */
  }
  return true;
}

static uint64_t lifetime_of(uint64_t expires_ms) {
  if (expires_ms == 0) return 0;
  uint64_t now_ms = sdb_platform_now_ms();
  uint64_t left_ms = expires_ms > now_ms ? expires_ms - now_ms : 0;
  return left_ms > TOKEN_LIFETIME_MS_MIN ? left_ms : TOKEN_LIFETIME_MS_MIN;
}

static void run_token(sdb_ask *ask, sdb_client *client) {
  const token_arguments *arguments = ask->argument;
  client->token_awaited = false;
  bool taken = sdb_replica_on_token(
      client->replica, arguments->token, lifetime_of(arguments->expires_ms), sdb_device_now_ms());
  sdb_ask_end(client, ask, taken ? SDB_OK : SDB_NO_MEMORY, NULL);
}

sdb_status sdb_client_set_token(sdb_client *client, sdb_slice token, uint64_t expires_ms) {
  if (!is_token(token)) return SDB_INVALID_ARGUMENT;
  token_arguments arguments = {token, expires_ms};
  sdb_ask ask = {.run = run_token, .argument = &arguments};
  return sdb_ask_run(client, &ask);
}

/* ---- online and offline ---- */

static void run_online(sdb_ask *ask, sdb_client *client) {
  sdb_replica_go_online(client->replica, sdb_device_now_ms());
  sdb_ask_end(client, ask, SDB_OK, NULL);
}

static void run_offline(sdb_ask *ask, sdb_client *client) {
  sdb_replica_go_offline(client->replica, sdb_device_now_ms());
  sdb_ask_end(client, ask, SDB_OK, NULL);
}

/* They wait until it is so: what follows on this thread sees it, and that of a client which is
 * closed meanwhile is of no matter. */
static void ask_and_forget(sdb_client *client, void (*run)(sdb_ask *, sdb_client *)) {
  sdb_ask ask = {.run = run};
  sdb_status status = sdb_ask_run(client, &ask);
  (void)status;
}

void sdb_client_go_online(sdb_client *client) {
  ask_and_forget(client, run_online);
}

void sdb_client_go_offline(sdb_client *client) {
  ask_and_forget(client, run_offline);
}
