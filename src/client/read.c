/* client/read.c: reading what is held, and asking for what is not. A result is one block. */
#include "base/error.h"
#include "client/state.h"

int sdb_device_store(const sdb_client *client, const sdb_store *store, sdb_error *error) {
  for (size_t i = 0; i < client->stores_count; i++) {
    if (client->stores[i] == store) return (int)i;
  }
  sdb_error_set(error, SDB_UNKNOWN_STORE, "the client was opened without this store", NULL, NULL);
  return -1;
}

/* ---- results ---- */

static size_t block_size(const sdb_client_record *records, size_t count) {
  size_t size = sizeof(sdb_client_records) + count * sizeof(*records);
  for (size_t i = 0; i < count; i++)
    size += records[i].object.size + (records[i].error ? sizeof(sdb_error) : 0);
  return size;
}

/* The list, its records, their errors, and the text of all behind them. */
sdb_client_records *sdb_device_copy_records(
    const sdb_mem *mem, const sdb_client_record *records, size_t count) {
  sdb_client_records *list = sdb_mem_alloc(mem, block_size(records, count));
  if (!list) return NULL;
  sdb_client_record *record = (sdb_client_record *)(void *)(list + 1);
  sdb_error *error = (sdb_error *)(void *)(record + count);
  list->count = count;
  list->records = record;
  for (size_t i = 0; i < count; i++) {
    record[i] = records[i];
    if (!records[i].error) continue;
    *error = *records[i].error;
    record[i].error = error++;
  }
  char *text = (char *)error;
  for (size_t i = 0; i < count; i++) {
    sdb_slice object = records[i].object;
    if (object.size > 0) memcpy(text, object.data, object.size);
    record[i].object = sdb_slice_make(text, object.size);
    text += object.size;
  }
  return list;
}

void sdb_client_records_free(sdb_client_records *records) {
  sdb_mem_free(sdb_platform_mem(), records);
}

/* ---- reading ---- */

static sdb_status read(
    sdb_client *client, sdb_ask *ask, const sdb_store *store, sdb_client_records **records) {
  int index = sdb_device_store(client, store, ask->error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  ask->request.store = (uint16_t)index;
  ask->want_records = true;
  sdb_status status = sdb_ask_run(client, ask);
  if (status == SDB_OK) *records = ask->records;
  return status;
}

static sdb_status check_type(const sdb_store *store, sdb_store_type type, sdb_error *error) {
  if (sdb_store_type_of(store) == type) return SDB_OK;
  const char *wrong = type == SDB_STORE_EVENT ? "the store is singular: it has one object"
                                              : "the store is not singular: it has many objects";
  return sdb_error_set(error, SDB_INVALID_ARGUMENT, wrong, NULL, NULL);
}

static sdb_status check_limit(uint32_t limit, sdb_error *error) {
  if (limit > 0 && limit <= SDB_REPLICA_LIST_LIMIT_MAX) return SDB_OK;
  return sdb_error_set(error, SDB_INVALID_ARGUMENT, "limit is 1 to 1000", NULL, NULL);
}

sdb_status sdb_client_list(sdb_client *client, const sdb_store *store, sdb_uuid before,
    uint32_t limit, sdb_client_records **records, sdb_error *error) {
  sdb_status status = check_limit(limit, error);
  if (status != SDB_OK) return status;
  if (sdb_device_store(client, store, error) < 0) return SDB_UNKNOWN_STORE;
  status = check_type(store, SDB_STORE_EVENT, error);
  if (status != SDB_OK) return status;
  sdb_ask ask = {
      .error = error, .request = {.kind = SDB_REPLICA_LIST, .before = before, .limit = limit}};
  return read(client, &ask, store, records);
}

sdb_status sdb_client_get(sdb_client *client, const sdb_store *store, sdb_uuid id,
    sdb_client_records **records, sdb_error *error) {
  sdb_ask ask = {.error = error, .request = {.kind = SDB_REPLICA_GET, .id = id}};
  return read(client, &ask, store, records);
}

sdb_status sdb_client_singular(
    sdb_client *client, const sdb_store *store, sdb_client_records **records, sdb_error *error) {
  sdb_ask ask = {.error = error, .request = {.kind = SDB_REPLICA_SINGULAR}};
  if (sdb_device_store(client, store, error) < 0) return SDB_UNKNOWN_STORE;
  sdb_status status = check_type(store, SDB_STORE_SINGULAR, error);
  return status == SDB_OK ? read(client, &ask, store, records) : status;
}

/* ---- older ones ---- */

static void run_older(sdb_ask *ask, sdb_client *client) {
  const sdb_replica_request *request = &ask->request;
  sdb_ask_end(client, ask,
      sdb_replica_older(client->replica, request->store, request->before, request->limit), NULL);
}

sdb_status sdb_client_older(
    sdb_client *client, const sdb_store *store, sdb_uuid before, uint32_t limit, sdb_error *error) {
  sdb_status status = check_limit(limit, error);
  if (status != SDB_OK) return status;
  int index = sdb_device_store(client, store, error);
  if (index < 0) return SDB_UNKNOWN_STORE;
  status = check_type(store, SDB_STORE_EVENT, error);
  if (status != SDB_OK) return status;
  sdb_ask ask = {.run = run_older,
      .error = error,
      .request = {.store = (uint16_t)index, .before = before, .limit = limit}};
  return sdb_ask_run(client, &ask);
}
