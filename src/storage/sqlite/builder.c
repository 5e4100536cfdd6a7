/* storage/sqlite/builder.c: see builder.h. */
#include "storage/sqlite/builder.h"

#define CLIENT_BLOCK_MAX ((size_t)1 << 20) /* far over what evenly spread hashes can come to */

static sdb_index_item *make_item(sdb_builder *builder, sdb_index_item_kind kind, size_t size) {
  sdb_index_item *item = sdb_mem_alloc(builder->mem, sizeof(*item) + size);
  if (!item) {
    builder->status = SDB_NO_MEMORY;
    return NULL;
  }
  memset(item, 0, sizeof(*item));
  item->kind = kind;
  item->run = builder->run;
  item->size = size;
  return item;
}

static void put_item(sdb_builder *builder, sdb_index_item *item) {
  if (sdb_inbox_put_item(builder->inbox, item)) return;
  sdb_index_item_free(builder->mem, item);
  builder->status = SDB_CLOSED;
}

void sdb_builder_begin(sdb_builder *builder, const sdb_mem *mem, sdb_inbox *inbox,
    const sdb_run *run, uint64_t clients_max, size_t filter_bytes_max) {
  builder->mem = mem;
  builder->inbox = inbox;
  builder->run = *run;
  builder->status = SDB_OK;
  builder->client_number = builder->client_hash = 0;
  sdb_buffer_init(&builder->clients, mem, CLIENT_BLOCK_MAX);
  sdb_pack_entries_start(&builder->entries, run->first);
  uint64_t blocks =
      (clients_max + SDB_BUILDER_CLIENTS_PER_BLOCK - 1) / SDB_BUILDER_CLIENTS_PER_BLOCK;
  SDB_ASSERT(blocks < SDB_RUN_BLOCKS_MAX);
  builder->run.client_blocks = blocks ? blocks : 1;
  bool filtered = clients_max > 0 && sdb_filter_size(clients_max) <= filter_bytes_max;
  builder->filter = filtered ? sdb_filter_create(mem, clients_max) : NULL;
  sdb_index_item *item = make_item(builder, SDB_INDEX_BEGIN, 0);
  if (item) put_item(builder, item);
}

void sdb_builder_end_entries(sdb_builder *builder) {
  sdb_pack_entries *entries = &builder->entries;
  if (builder->status != SDB_OK || entries->count == 0) return;
  sdb_index_item *item = make_item(builder, SDB_INDEX_BLOCK, entries->size);
  if (!item) return;
  item->number = builder->run.blocks++;
  item->first = entries->first;
  memcpy(item->bytes, entries->bytes, entries->size);
  builder->run.entries += entries->count;
  sdb_pack_entries_start(entries, builder->run.first);
  put_item(builder, item);
}

void sdb_builder_entry(sdb_builder *builder, const sdb_index_entry *entry) {
  if (builder->status != SDB_OK || sdb_pack_entry(&builder->entries, entry)) return;
  sdb_builder_end_entries(builder);
  if (builder->status != SDB_OK) return;
  bool packed = sdb_pack_entry(&builder->entries, entry);
  SDB_ASSERT(packed);
}

static void end_client_block(sdb_builder *builder) {
  if (builder->status != SDB_OK || builder->clients.size == 0) return;
  sdb_index_item *item = make_item(builder, SDB_INDEX_BLOCK, builder->clients.size);
  if (!item) return;
  item->client_part = true;
  item->number = builder->client_number;
  memcpy(item->bytes, builder->clients.data, builder->clients.size);
  sdb_buffer_reset(&builder->clients);
  put_item(builder, item);
}

void sdb_builder_client(sdb_builder *builder, const sdb_index_client *client) {
  uint64_t number = sdb_run_client_block(&builder->run, client->hash);
  if (number != builder->client_number) {
    end_client_block(builder);
    builder->client_number = number;
    builder->client_hash = 0;
  }
  if (builder->status != SDB_OK) return;
  char *to = sdb_buffer_reserve(&builder->clients, SDB_PACK_CLIENT_BYTES_MAX);
  if (!to) {
    builder->status = SDB_NO_MEMORY;
    return;
  }
  sdb_buffer_commit(&builder->clients,
      sdb_pack_client((uint8_t *)to, builder->client_hash, builder->run.first, client));
  builder->client_hash = client->hash;
  builder->run.clients++;
  if (builder->filter) sdb_filter_add(builder->filter, client->hash);
}

sdb_status sdb_builder_end(sdb_builder *builder, sdb_generation *generation) {
  end_client_block(builder);
  sdb_index_item *item = builder->status == SDB_OK ? make_item(builder, SDB_INDEX_END, 0) : NULL;
  if (item) {
    item->filter = builder->filter;
    item->generation = generation;
    builder->filter = NULL;
    put_item(builder, item);
  }
  sdb_mem_free(builder->mem, builder->filter);
  sdb_buffer_free(&builder->clients);
  return builder->status;
}
