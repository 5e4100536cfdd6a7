/* client/storage.c: see storage.h.
 *
 * Invariants: both storages complete within submit, so nothing is on its way when one is left for
 * another. A memory storage that was used is never used again for what comes after a file: it would
 * give the replica heads and pushes of back then.
 */
#include "client/storage.h"
#include "base/error.h"
#include "client/state.h"
#include <stdio.h>

#define RETRY_FIRST_MS 1000 /* then twice as long each time */
#define RETRY_MAX_MS 30000
#define STABLE_MS 60000 /* a file in use for so long lets that begin anew */
#define AGAIN_MS 1000

/* ---- completions ---- */

static void on_completed(void *context, sdb_local_op *list) {
  sdb_device_storage *storage = context;
  *storage->completed_last = list;
  for (sdb_local_op *op = list; op; op = op->next) {
    if (op->kind == SDB_LOCAL_LOAD) storage->unread = op->status != SDB_OK;
    storage->completed_last = &op->next;
  }
}

bool sdb_device_storage_deliver(sdb_client *client) {
  sdb_device_storage *storage = &client->storage;
  sdb_local_op *list = storage->completed;
  if (!list) return false;
  storage->completed = NULL;
  storage->completed_last = &storage->completed;
  sdb_replica_on_completed(client->replica, list, sdb_device_now_ms());
  return true;
}

/* ---- the two of them ---- */

static void list_stores(const sdb_client *client, sdb_storage_store *stores) {
  for (size_t i = 0; i < client->stores_count; i++) {
    stores[i].name = sdb_store_name(client->stores[i]);
    stores[i].type = sdb_store_type_of(client->stores[i]);
  }
}

static sdb_local_sink sink_of(sdb_client *client) {
  return (sdb_local_sink){&client->storage, on_completed};
}

static sdb_status make_memory(sdb_client *client, sdb_memory_local **memory) {
  sdb_storage_store stores[SDB_REPLICA_STORES_MAX];
  list_stores(client, stores);
  return sdb_memory_local_create(
      client->mem, stores, client->stores_count, sink_of(client), memory);
}

static sdb_sqlite_local_options file_options(
    sdb_client *client, sdb_storage_store stores[SDB_REPLICA_STORES_MAX]) {
  list_stores(client, stores);
  sdb_sqlite_local_options options;
  sdb_sqlite_local_options_init(&options);
  options.mem = client->mem;
  options.path = client->path;
  options.stores = stores;
  options.stores_count = client->stores_count;
  options.user = client->user;
  options.server = client->storage.server;
  options.sink = sink_of(client);
  return options;
}

static void attach(sdb_client *client) {
  sdb_device_storage *storage = &client->storage;
  storage->again_at_ms = SDB_DEVICE_NEVER_MS;
  storage->adopted = false;
  sdb_replica_attach(client->replica,
      storage->file ? sdb_sqlite_local_port(storage->file) : sdb_memory_local_port(storage->memory),
      sdb_device_now_ms());
}

/* ---- a file that is damaged, or cannot be written ---- */

/* Takes over the unsynced pushes that can be read. Only what tells that the file is not to be
 * touched is an error. */
static sdb_status save_pushes(sdb_client *client, size_t *count, sdb_error *error) {
  sdb_storage_store stores[SDB_REPLICA_STORES_MAX];
  sdb_sqlite_local_options options = file_options(client, stores);
  const sdb_local_pending *pending = NULL;
  sdb_buffer memory;
  sdb_buffer_init(&memory, client->mem, 2 * (size_t)SDB_REPLICA_PENDING_BYTES_MAX);
  *count = 0;
  sdb_status status = sdb_sqlite_local_salvage(&options, &memory, &pending, count, error);
  if (status != SDB_OK) *count = 0;
  if (status != SDB_CONFLICT && status != SDB_NO_MEMORY) status = SDB_OK;
  for (size_t i = 0; i < *count && status == SDB_OK; i++) {
    client->storage.adopted = true;
    status = sdb_replica_adopt(client->replica, &pending[i]);
    if (status != SDB_OK) sdb_error_set(error, status, sdb_status_text(status), NULL, NULL);
  }
  sdb_buffer_free(&memory);
  return status;
}

static sdb_status open_file(sdb_client *client, bool *damaged, sdb_error *error) {
  sdb_storage_store stores[SDB_REPLICA_STORES_MAX];
  sdb_sqlite_local_options options = file_options(client, stores);
  *damaged = false;
  return sdb_sqlite_local_open(&options, &client->storage.file, damaged, error);
}

/* Puts a new file in the place of the damaged one. */
static sdb_status replace_file(sdb_client *client, sdb_error *error) {
  sdb_device_storage *storage = &client->storage;
  size_t saved = 0;
  bool damaged;
  sdb_status status = save_pushes(client, &saved, error);
  if (status == SDB_OK)
    status = sdb_sqlite_local_set_aside(
        &SDB_SYSTEM, client->mem, client->path, sdb_platform_now_ms(), error);
  if (status != SDB_OK) return status;
  snprintf(storage->damage, sizeof(storage->damage),
      "the local file was damaged: it is kept beside a new one, and %zu unsynced pushes were saved",
      saved);
  storage->replaced = true;
  sdb_device_log(client, SDB_LOG_ERROR, "storage_damaged", "%s: %s", client->path, storage->damage);
  return open_file(client, &damaged, error);
}

/* The file, or a new one in its place. `*error` says why not. */
static sdb_status open_or_replace(sdb_client *client, sdb_error *error) {
  bool damaged;
  sdb_status status = open_file(client, &damaged, error);
  /* A disk that damages one file after another is not given more of them. */
  return damaged && !client->storage.replaced ? replace_file(client, error) : status;
}

/* ---- memory meanwhile ---- */

static void set_retry(sdb_device_storage *storage) {
  uint64_t after_ms = storage->retry_after_ms;
  after_ms = after_ms == 0 ? RETRY_FIRST_MS : after_ms * 2;
  storage->retry_after_ms = after_ms < RETRY_MAX_MS ? after_ms : RETRY_MAX_MS;
  storage->retry_at_ms = sdb_device_now_ms() + storage->retry_after_ms;
}

static void set_problem(sdb_client *client, const char *why) {
  sdb_device_storage *storage = &client->storage;
  char problem[sizeof(storage->problem)] = "only in memory: ";
  sdb_text_append(problem, sizeof(problem), sdb_slice_of(why));
  if (strcmp(problem, storage->problem) == 0) return;
  memcpy(storage->problem, problem, sizeof(problem));
  sdb_device_log(client, SDB_LOG_ERROR, "storage_failed", "%s", problem);
}

static void use_memory(sdb_client *client, const char *why) {
  set_retry(&client->storage);
  set_problem(client, why);
  attach(client);
}

static void use_file(sdb_client *client) {
  sdb_device_storage *storage = &client->storage;
  storage->retry_at_ms = SDB_DEVICE_NEVER_MS;
  storage->file_since_ms = sdb_device_now_ms();
  storage->problem[0] = 0;
  attach(client);
}

/* ---- opening and closing ---- */

sdb_status sdb_device_storage_open(sdb_client *client, sdb_error *error) {
  sdb_device_storage *storage = &client->storage;
  sdb_error why = {.status = SDB_OK};
  size_t saved;
  storage->completed_last = &storage->completed;
  storage->retry_at_ms = storage->again_at_ms = SDB_DEVICE_NEVER_MS;
  storage->server = sdb_device_server_name(client);
  if (!storage->server || make_memory(client, &storage->memory) != SDB_OK)
    return sdb_error_set(error, SDB_NO_MEMORY, "out of memory", NULL, NULL);
  if (!client->path) {
    attach(client);
    return SDB_OK;
  }
  sdb_status status = open_or_replace(client, &why);
  if (status == SDB_OK) {
    use_file(client);
    return SDB_OK;
  }
  if (status == SDB_IO || status == SDB_LIMIT) {
    sdb_error other = {.status = SDB_OK};
    status = save_pushes(client, &saved, &other);
    if (status == SDB_OK)
      use_memory(client, why.message);
    else
      why = other;
  }
  if (status != SDB_OK && error) *error = why;
  return status;
}

void sdb_device_storage_close(sdb_client *client) {
  sdb_sqlite_local_close(client->storage.file);
  sdb_memory_local_destroy(client->storage.memory);
}

/* ---- while it is used ---- */

static void fall_back(sdb_client *client, const sdb_error *why) {
  sdb_error unused;
  size_t saved;
  if (client->storage.unread && save_pushes(client, &saved, &unused) != SDB_OK)
    sdb_device_log(client, SDB_LOG_ERROR, "pushes_unread", "%s: %s", client->path, unused.message);
  use_memory(client, why->message);
}

void sdb_device_storage_failed(sdb_client *client, sdb_status status) {
  sdb_device_storage *storage = &client->storage;
  if (status == SDB_NO_MEMORY || !storage->file) {
    storage->again_at_ms = sdb_device_now_ms() + AGAIN_MS;
    sdb_device_log(client, SDB_LOG_ERROR, "storage_failed", "%s", sdb_status_text(status));
    return;
  }
  const sdb_error *problem = sdb_sqlite_local_problem(storage->file);
  sdb_error why = *problem;
  if (why.status == SDB_OK) sdb_error_set(&why, status, sdb_status_text(status), NULL, NULL);
  sdb_sqlite_local_close(storage->file);
  storage->file = NULL;
  if (sdb_device_now_ms() - storage->file_since_ms >= STABLE_MS) {
    storage->retry_after_ms = 0;
    storage->replaced = false;
  }
  if (status == SDB_BAD_FORMAT && !storage->replaced && replace_file(client, &why) == SDB_OK)
    use_file(client);
  else
    fall_back(client, &why);
}

/* From memory to the file, if it can be used again. */
static void try_file(sdb_client *client) {
  sdb_device_storage *storage = &client->storage;
  sdb_memory_local *spare = NULL;
  sdb_error why = {.status = SDB_OK};
  set_retry(storage);
  sdb_device_drain(client); /* what is staged is for the storage that there is now */
  if (storage->file || make_memory(client, &spare) != SDB_OK) return;
  if (open_or_replace(client, &why) == SDB_OK) {
    sdb_device_log(client, SDB_LOG_INFO, "storage_recovered", "%s is used again", client->path);
    sdb_memory_local *used = storage->memory;
    storage->memory = spare;
    use_file(client);
    spare = used;
  } else {
    set_problem(client, why.message);
    if (storage->adopted) attach(client);
  }
  sdb_memory_local_destroy(spare);
}

void sdb_device_storage_retry(sdb_client *client) {
  sdb_device_storage *storage = &client->storage;
  uint64_t now_ms = sdb_device_now_ms();
  if (storage->retry_at_ms <= now_ms) try_file(client);
  if (storage->again_at_ms <= now_ms) attach(client);
}

uint64_t sdb_device_storage_deadline_ms(const sdb_device_storage *storage) {
  return storage->retry_at_ms < storage->again_at_ms ? storage->retry_at_ms : storage->again_at_ms;
}
