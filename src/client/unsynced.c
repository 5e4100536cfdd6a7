/* client/unsynced.c: the pushes that were not seen back, as a list and as JSON text. */
#include "base/error.h"
#include "client/state.h"

/* ---- the list: one block ---- */

static size_t list_size(sdb_client *client, size_t *count) {
  size_t size = sizeof(sdb_unsynced_list);
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  for (*count = 0; sdb_replica_next_unsynced(client->replica, &cursor, &push); (*count)++)
    size += sizeof(sdb_unsynced) + push.object.size + (push.error ? sizeof(sdb_error) : 0);
  return size;
}

static void fill(sdb_client *client, sdb_unsynced *to, size_t count) {
  sdb_error *error = (sdb_error *)(void *)(to + count);
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  for (size_t i = 0; sdb_replica_next_unsynced(client->replica, &cursor, &push); i++) {
    SDB_ASSERT(i < count);
    to[i] = (sdb_unsynced){.client_id = push.client_id,
        .store = client->stores[push.store],
        .action = push.action,
        .id = push.id,
        .object = push.object,
        .created_ms = push.created_ms};
    if (!push.error) continue;
    *error = *push.error;
    to[i].error = error++;
  }
  char *text = (char *)error;
  for (size_t i = 0; i < count; i++) {
    if (to[i].object.size > 0) memcpy(text, to[i].object.data, to[i].object.size);
    to[i].object.data = text;
    text += to[i].object.size;
  }
}

static void run_list(sdb_ask *ask, sdb_client *client) {
  sdb_unsynced_list **list = ask->argument;
  size_t count, size = list_size(client, &count);
  *list = sdb_mem_alloc(client->mem, size);
  if (!*list) {
    sdb_ask_end(client, ask, SDB_NO_MEMORY, NULL);
    return;
  }
  sdb_unsynced *pushes = (sdb_unsynced *)(void *)(*list + 1);
  (*list)->count = count;
  (*list)->pushes = pushes;
  fill(client, pushes, count);
  sdb_ask_end(client, ask, SDB_OK, NULL);
}

sdb_status sdb_client_unsynced(sdb_client *client, sdb_unsynced_list **list, sdb_error *error) {
  sdb_unsynced_list *made = NULL;
  sdb_ask ask = {.run = run_list, .argument = &made, .error = error};
  sdb_status status = sdb_ask_run(client, &ask);
  if (status == SDB_OK) *list = made;
  return status;
}

void sdb_unsynced_free(sdb_unsynced_list *list) {
  sdb_mem_free(sdb_platform_mem(), list);
}

/* ---- as JSON ---- */

#define PUSH_OVERHEAD_MAX 8192 /* names, ids, and an error whose every byte is escaped */

static const char *action_name(sdb_action action) {
  switch (action) {
  case SDB_ACTION_CREATE:
    return "create";
  case SDB_ACTION_UPDATE:
    return "update";
  case SDB_ACTION_DELETE:
    return "delete";
  }
  SDB_UNREACHABLE();
}

static void write_id(sdb_buffer *to, sdb_uuid id) {
  char text[SDB_UUID_TEXT_SIZE];
  sdb_uuid_format(id, text);
  sdb_json_write_string(to, sdb_slice_make(text, sizeof(text)));
}

static void write_error(sdb_buffer *to, const sdb_error *error) {
  sdb_json_write_raw(to, ",\"error\":{\"code\":");
  sdb_json_write_string(to, sdb_slice_of(sdb_status_name(error->status)));
  sdb_json_write_raw(to, ",\"message\":");
  sdb_json_write_string(to, sdb_slice_of(error->message));
  if (error->path[0]) {
    sdb_json_write_raw(to, ",\"path\":");
    sdb_json_write_string(to, sdb_slice_of(error->path));
  }
  sdb_json_write_raw(to, "}");
}

static void write_push(sdb_buffer *to, const sdb_client *client, const sdb_replica_unsynced *push) {
  sdb_json_write_raw(to, "{\"clientId\":");
  write_id(to, push->client_id);
  sdb_json_write_raw(to, ",\"store\":");
  sdb_json_write_string(to, sdb_slice_of(sdb_store_wire_name(client->stores[push->store])));
  sdb_json_write_raw(to, ",\"action\":");
  sdb_json_write_string(to, sdb_slice_of(action_name(push->action)));
  if (!sdb_uuid_is_nil(push->id)) {
    sdb_json_write_raw(to, ",\"id\":");
    write_id(to, push->id);
  }
  if (push->object.size > 0) {
    sdb_json_write_raw(to, ",\"object\":");
    sdb_buffer_append_slice(to, push->object);
  }
  sdb_json_write_raw(to, ",\"createdAt\":");
  sdb_json_write_uint64(to, push->created_ms);
  if (push->error) write_error(to, push->error);
  sdb_json_write_raw(to, "}");
}

static void run_export(sdb_ask *ask, sdb_client *client) {
  sdb_buffer *to = ask->argument;
  const void *cursor = NULL;
  sdb_replica_unsynced push;
  sdb_json_write_raw(to, "{\"unsynced\":[");
  for (bool first = true; sdb_replica_next_unsynced(client->replica, &cursor, &push);
       first = false) {
    if (!first) sdb_json_write_raw(to, ",");
    write_push(to, client, &push);
  }
  sdb_json_write_raw(to, "]}");
  sdb_buffer_append(to, "", 1);
  sdb_ask_end(client, ask, to->status == SDB_OK ? SDB_OK : SDB_NO_MEMORY, NULL);
}

sdb_status sdb_client_export_unsynced(
    sdb_client *client, char **json, size_t *size, sdb_error *error) {
  sdb_buffer to;
  sdb_buffer_init(&to, client->mem,
      SDB_REPLICA_PENDING_BYTES_MAX + (size_t)client->pending_max * PUSH_OVERHEAD_MAX);
  sdb_ask ask = {.run = run_export, .argument = &to, .error = error};
  sdb_status status = sdb_ask_run(client, &ask);
  if (status != SDB_OK) {
    sdb_buffer_free(&to);
    return status;
  }
  *json = to.data;
  if (size) *size = to.size - 1;
  return SDB_OK;
}

void sdb_client_json_free(char *json) {
  sdb_mem_free(sdb_platform_mem(), json);
}
